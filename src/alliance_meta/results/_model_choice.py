"""`ModelComparison` and `MultiModel`: several meta-regressions of the same effects, weighed against each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from alliance_meta import _checks
from alliance_meta._tables import SummaryTable, number, p_cell
from alliance_meta.effects import EffectSizes
from alliance_meta.results._regression import MetaRegression
from alliance_meta.results._tidy import tidy
from alliance_meta.results._vocabulary import TAU2_METHODS, TESTS, Tau2Method, TestMethod
from alliance_meta.stats._arrays import BoolArray, FloatArray

__all__ = [
    "AVERAGED_STD_ERRORS",
    "CRITERIA",
    "AveragedStdError",
    "Criterion",
    "ModelComparison",
    "MultiModel",
    "MultiModelSettings",
    "akaike_weights",
]

Criterion = Literal["aicc", "aic", "bic"]
AveragedStdError = Literal["burnham-anderson-2002", "burnham-anderson-2004"]

CRITERIA: dict[Criterion, str] = {"aicc": "AICc", "aic": "AIC", "bic": "BIC"}
AVERAGED_STD_ERRORS: dict[AveragedStdError, str] = {
    "burnham-anderson-2002": "the weighted mean of the roots of sampling and between-model variance",
    "burnham-anderson-2004": "the root of the weighted mean of sampling and between-model variance",
}
_SHOWN = 10
"""How many models the table of a multimodel analysis has."""


def akaike_weights(criterion: npt.ArrayLike) -> FloatArray:
    """The weight of each model from its information criterion: exp(-difference / 2), made to sum to 1.

    Parameters
    ----------
    criterion : array_like, shape (models,)

    Returns
    -------
    ndarray, shape (models,)

    References
    ----------
    Akaike, H. (1978). The Statistician, 27, 217-242.

    Examples
    --------
    Two units of AICc are odds of e to 1:

    >>> akaike_weights([10.0, 12.0]).round(3)
    array([0.731, 0.269])
    """
    values = np.asarray(criterion, dtype=float)
    likelihood = np.exp(-0.5 * (values - values.min()))
    return np.asarray(likelihood / likelihood.sum())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelComparison:
    """Meta-regressions of the same effects, the best first.

    Attributes
    ----------
    fits : tuple of MetaRegression
    criterion : {"aicc", "aic", "bic"}
    """

    fits: tuple[MetaRegression, ...]
    criterion: Criterion

    @property
    def values(self) -> FloatArray:
        """The criterion of each model."""
        return np.array([getattr(fit, self.criterion) for fit in self.fits])

    @property
    def weights(self) -> FloatArray:
        """Akaike weights; with BIC, approximate posterior probabilities of models that were equally likely before."""
        return akaike_weights(self.values)

    @property
    def best(self) -> MetaRegression:
        """The model with the lowest criterion."""
        return self.fits[0]

    def to_frame(self) -> pd.DataFrame:
        """One row a model, the best first.

        Columns: formula, tau2_method, p (coefficients), log_likelihood, the criterion by its name, delta (to the
        best), weight, evidence_ratio (weight of the best to that of this one).
        """
        own = {
            "formula": [fit.settings.formula for fit in self.fits],
            "tau2_method": [fit.settings.tau2_method for fit in self.fits],
            "p": [len(fit.names) for fit in self.fits],
            "log_likelihood": [fit.log_likelihood for fit in self.fits],
        }
        return pd.DataFrame({**own, **_weighed(self.criterion, self.values)})

    def __repr__(self) -> str:
        best = f"{self.best.settings.formula!r} has weight {number(float(self.weights[0]), 2)}"
        return f"<ModelComparison: {len(self.fits)} models by {CRITERIA[self.criterion]}; {best}>"

    def _table(self) -> SummaryTable:
        weighed = np.array(list(_weighed(self.criterion, self.values).values())).T.tolist()
        rows = [
            (
                fit.settings.formula,
                fit.settings.tau2_method,
                str(len(fit.names)),
                number(fit.log_likelihood, 2),
                *(number(value, decimals) for value, decimals in zip(numbers, (2, 2, 3, 1), strict=True)),
            )
            for fit, numbers in zip(self.fits, weighed, strict=True)
        ]
        caveat = self.best.effects.caveat
        return SummaryTable(
            title=f"{len(self.fits)} meta-regressions of {self.best.k} effects",
            header=(
                "",
                "fitted by",
                "p",
                "log-likelihood",
                CRITERIA[self.criterion],
                "delta",
                "weight",
                "evidence ratio",
            ),
            rows=tuple(rows),
            right=frozenset(range(2, 8)),
            notes=(_EVIDENCE, *((caveat,) if caveat else ())),
        )

    def __str__(self) -> str:
        return self._table().to_text()

    def _repr_html_(self) -> str:
        return self._table().to_html()

    def to_markdown(self) -> str:
        """The table in Markdown."""
        return self._table().to_markdown()


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiModelSettings:
    """Every option a multimodel analysis was computed with."""

    terms: tuple[str, ...]
    tau2_method: Tau2Method
    test: TestMethod
    criterion: Criterion


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MultiModel:
    """Every subset of some terms, fitted and weighed; the models stand in order, the best first.

    Attributes
    ----------
    formulas : tuple of str
        Of the models: what `meta_regression` takes to fit one of them again.
    included : ndarray of bool, shape (models, terms)
    names : tuple of str
        The coefficients of the model with all terms.
    estimates, std_errors : ndarray, shape (models, names)
        NaN where a model does not have the coefficient.
    tau2, log_likelihood, values : ndarray, shape (models,)
        `values` holds the criterion.
    effects : EffectSizes
    settings : MultiModelSettings
    notes : tuple of str
    """

    formulas: tuple[str, ...]
    included: BoolArray = field(repr=False)
    names: tuple[str, ...]
    estimates: FloatArray = field(repr=False)
    std_errors: FloatArray = field(repr=False)
    tau2: FloatArray = field(repr=False)
    log_likelihood: FloatArray = field(repr=False)
    values: FloatArray = field(repr=False)
    effects: EffectSizes
    settings: MultiModelSettings
    notes: tuple[str, ...]

    @property
    def weights(self) -> FloatArray:
        """Akaike weights of the models."""
        return akaike_weights(self.values)

    def importance(self) -> pd.DataFrame:
        """Sum of the weights of the models with each term: ``term``, ``importance``, ``models`` (how many have it).

        Where interactions are among the terms, main effects are in more models than they are left out of, which
        raises their sums whatever the data say.
        """
        return pd.DataFrame(
            {
                "term": list(self.settings.terms),
                "importance": self.weights @ self.included,
                "models": self.included.sum(axis=0),
            }
        )

    def coefficients(
        self, level: float = 0.95, *, std_error: AveragedStdError | str = "burnham-anderson-2002"
    ) -> pd.DataFrame:
        """Coefficients averaged over all models, 0 where a model does not have them, with unconditional errors.

        Parameters
        ----------
        level : float
        std_error : {"burnham-anderson-2002", "burnham-anderson-2004"}
            The mean, weighted, of ``sqrt(variance + (estimate - average)**2)``, or the root of the weighted mean of
            ``variance + (estimate - average)**2``, which is never smaller.

        Returns
        -------
        DataFrame
            term, estimate, std_error, statistic, p_value, ci_low, ci_high, importance (weights of the models that have
            the coefficient). Tests and intervals use the normal distribution.

        References
        ----------
        Buckland, S. T., Burnham, K. P., & Augustin, N. H. (1997). Biometrics, 53, 603-618.
        Burnham, K. P., & Anderson, D. R. (2002). Model selection and multimodel inference (2nd ed.).
        Burnham, K. P., & Anderson, D. R. (2004). Sociological Methods & Research, 33, 261-304.
        """
        how = _checks.known_name("standard error of averages", std_error, tuple(AVERAGED_STD_ERRORS))
        weights = self.weights
        estimates, within = np.nan_to_num(self.estimates), np.nan_to_num(self.std_errors) ** 2
        estimate = weights @ estimates
        variance = within + (estimates - estimate) ** 2
        se = weights @ np.sqrt(variance) if how == "burnham-anderson-2002" else np.sqrt(weights @ variance)
        frame = tidy(estimate, se, np.inf, _checks.level(level)).drop(columns="df")
        frame.insert(0, "term", list(self.names))
        frame["importance"] = weights @ ~np.isnan(self.estimates)
        return frame

    def best(self, within: float = 2.0) -> pd.DataFrame:
        """The rows of `to_frame` whose criterion is at most `within` above the lowest."""
        frame = self.to_frame()
        return frame[frame["delta"] <= within]

    def to_frame(self) -> pd.DataFrame:
        """One row a model, the best first.

        Columns: formula, p (coefficients), tau2, log_likelihood, the criterion by its name, delta, weight,
        evidence_ratio.
        """
        own = {
            "formula": list(self.formulas),
            "p": (~np.isnan(self.estimates)).sum(axis=1),
            "tau2": self.tau2,
            "log_likelihood": self.log_likelihood,
        }
        return pd.DataFrame({**own, **_weighed(self.settings.criterion, self.values)})

    def __repr__(self) -> str:
        best = f"the best, {self.formulas[0]!r}, has weight {number(float(self.weights[0]), 2)}"
        return f"<MultiModel: {len(self.formulas)} models of {len(self.settings.terms)} terms; {best}>"

    def _table(self) -> SummaryTable:
        rows = self.coefficients().drop(columns="term").to_numpy(dtype=float).tolist()
        coefficients = [
            (
                name,
                number(estimate),
                number(std_error),
                f"[{number(low)}, {number(high)}]",
                p_cell(p),
                number(importance, 2),
            )
            for name, (estimate, std_error, _, p, low, high, importance) in zip(self.names, rows, strict=True)
        ]
        criterion = CRITERIA[self.settings.criterion]
        share = number(float(self.weights[:_SHOWN].sum()), 2)
        models = [f"Best models (weights {share} together) and their {criterion} above the lowest:"]
        for delta, formula in zip(self.values - self.values[0], self.formulas[:_SHOWN], strict=False):
            models.append(f"{number(float(delta), 2)}: {formula}")
        how = (
            f"Weights by {criterion}; tau² by {TAU2_METHODS[self.settings.tau2_method]}; standard errors of the models "
            f"by {TESTS[self.settings.test]}"
        )
        caveat = (self.effects.caveat,) if self.effects.caveat else ()
        return SummaryTable(
            title=f"{len(self.formulas)} meta-regressions of {self.effects.k} effects, averaged",
            header=("", "average", "std. error", "95% CI", "p", "importance"),
            rows=tuple(coefficients),
            right=frozenset(range(1, 6)),
            notes=(*models, how, *self.notes, *self.effects.notes, *caveat),
        )

    def __str__(self) -> str:
        return self._table().to_text()

    def _repr_html_(self) -> str:
        return self._table().to_html()

    def to_markdown(self) -> str:
        """The table in Markdown."""
        return self._table().to_markdown()


_EVIDENCE = "An evidence ratio is how much more weight the best model has."


def _weighed(criterion: Criterion, values: FloatArray) -> dict[str, FloatArray]:
    weights = akaike_weights(values)
    delta = values - values.min()
    return {criterion: values, "delta": delta, "weight": weights, "evidence_ratio": np.exp(0.5 * delta)}
