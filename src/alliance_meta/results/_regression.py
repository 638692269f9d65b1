"""`MetaRegression`: how effects go with moderators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np
import numpy.typing as npt
import pandas as pd

from alliance_meta import _checks
from alliance_meta._tables import number
from alliance_meta.design import Design
from alliance_meta.effects import EffectSizes
from alliance_meta.results import _explained_regression, _margins, _regression_intervals, _regression_words
from alliance_meta.results._explanation import Explanation
from alliance_meta.results._interval import Interval
from alliance_meta.results._tidy import tidy
from alliance_meta.results._vocabulary import (
    Adjustment,
    GridWeights,
    RegressionPrediction,
    Tau2Interval,
    Tau2Method,
    TestMethod,
)
from alliance_meta.results._wald import WaldTest, of_moderators, of_term, wald_test
from alliance_meta.stats._arrays import FloatArray

__all__ = ["MetaRegression", "RegressionSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegressionSettings:
    """Every option a meta-regression was computed with."""

    formula: str
    tau2_method: Tau2Method
    test: TestMethod
    q_weights: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MetaRegression:
    """A mixed-effects meta-regression. All numbers are on the analysed scale (z for ``ZCOR``).

    Attributes
    ----------
    coefficients : ndarray, shape (p,)
        Read-only, in the order of `names`.
    covariance : ndarray, shape (p, p)
        Of the coefficients, by the chosen test.
    df : float
        Degrees of freedom of their tests; infinite for z tests, else k - p.
    tau2 : float
        Between-study variance that the moderators leave.
    i2, h2 : float
        Of the residual heterogeneity: I2 in percent, H2 a ratio.
    r2 : float
        Share of the between-study variance that the moderators explain (percent, cut off at 0); NaN without an
        intercept, under equal effects, and where there is none to explain.
    q_residual, q_residual_df, q_residual_p_value : float
        Cochran's Q of the residuals (QE).
    log_likelihood : float
        Restricted for REML, else the full one, at these estimates; with all constants.
    k : int
    n : float
        Total sample size, NaN where the table does not say.
    effects : EffectSizes
    design : Design
    settings : RegressionSettings
    notes : tuple of str
    """

    coefficients: FloatArray
    covariance: FloatArray
    df: float
    tau2: float
    i2: float
    h2: float
    r2: float
    q_residual: float
    q_residual_df: float
    q_residual_p_value: float
    log_likelihood: float
    k: int
    n: float
    effects: EffectSizes
    design: Design
    settings: RegressionSettings
    notes: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The coefficients' names."""
        return self.design.names

    @property
    def std_errors(self) -> FloatArray:
        """Standard errors of the coefficients, by the chosen test."""
        return np.sqrt(np.diagonal(self.covariance))

    def coefficient(self, name: str) -> float:
        """One coefficient by its name."""
        return float(self.coefficients[self.names.index(_checks.known_name("coefficient", name, self.names))])

    # Tests

    def omnibus(self) -> WaldTest:
        """Test all moderators at once (QM or F): every coefficient but the intercept's."""
        what = "the intercept" if self.names == ("intercept",) else "all moderators"
        return self._test(what, of_moderators(self.names))

    def test_term(self, term: str) -> WaldTest:
        """Test all coefficients of one term of the formula, such as the levels of a categorical moderator."""
        return self._test(*of_term(self.design, term))

    def test_hypothesis(
        self, hypothesis: Mapping[str, float] | Sequence[Mapping[str, float]] | npt.ArrayLike
    ) -> WaldTest:
        """Test any linear combinations of coefficients to be 0.

        Parameters
        ----------
        hypothesis : mapping, sequence of mappings, or array_like of shape (p,) or (m, p)
            Weights of the coefficients, by their names or in their order: ``{"rater[client]": 1,
            "rater[observer]": -1}``.

        Returns
        -------
        WaldTest

        Raises
        ------
        UnknownNameError
            For a name that no coefficient has.
        InputError
            For weights of another shape, or combinations that depend on each other.
        """
        weights, text = _regression_intervals.combinations(hypothesis, self.names)
        return self._test(text, weights)

    def _test(self, hypothesis: str, weights: FloatArray) -> WaldTest:
        return wald_test(hypothesis, weights, self.coefficients, self.covariance, self.df)

    # Fit

    @property
    def parameters(self) -> int:
        """Number of parameters: coefficients, and tau2 where it is estimated."""
        return len(self.names) + (self.settings.tau2_method != "EE")

    @property
    def aic(self) -> float:
        """Akaike's information criterion."""
        return 2.0 * self.parameters - 2.0 * self.log_likelihood

    @property
    def aicc(self) -> float:
        """AIC with its correction for small samples; REML counts k - p observations, as in metafor."""
        m = self.parameters
        n = max(self._observations, m + 2)
        return 2.0 * m * n / (n - m - 1) - 2.0 * self.log_likelihood

    @property
    def bic(self) -> float:
        """Bayesian (Schwarz's) information criterion; REML counts k - p observations."""
        return float(self.parameters * np.log(self._observations)) - 2.0 * self.log_likelihood

    @property
    def _observations(self) -> int:
        return self.k - len(self.names) if self.settings.tau2_method == "REML" else self.k

    def likelihood_ratio(self, smaller: MetaRegression) -> WaldTest:
        """Likelihood-ratio test against a smaller model, whose columns this one's contain.

        Parameters
        ----------
        smaller : MetaRegression
            Of the same effects, with the same estimator.

        Returns
        -------
        WaldTest
            Its statistic is twice the difference of the log-likelihoods.

        Raises
        ------
        InputError
            If the fits are not by ML (restricted likelihoods of different moderators cannot be compared), are of
            other effects, or are not nested.
        """
        return _regression_intervals.likelihood_ratio(self, smaller)

    def vif(self) -> pd.DataFrame:
        """Variance inflation of each term: ``term``, ``gvif``, ``df`` and ``gvif_root`` = gvif ** (1 / (2 df)).

        With one coefficient gvif is the ordinary VIF. The intercept takes no part.

        References
        ----------
        Fox, J., & Monette, G. (1992). Journal of the American Statistical Association, 87, 178-183.
        """
        return _regression_intervals.inflation(self)

    def tau2_interval(self, level: float = 0.95, *, method: Tau2Interval | str = "q-profile") -> Interval:
        """Interval of the residual between-study variance; methods as for a pooled effect, without the bootstrap."""
        return _regression_intervals.tau2_interval(self, _checks.level(level), method)

    def r2_interval(
        self, level: float = 0.95, *, replicates: int = 1_000, seed: int = 1, workers: int | None = None
    ) -> Interval:
        """Interval of R2: percentiles of its values in effects drawn from the fitted model (parametric bootstrap)."""
        return _regression_intervals.r2_interval(self, _checks.level(level), replicates, seed, workers)

    # Predictions

    def predict(
        self,
        frame: pd.DataFrame | None = None,
        level: float = 0.95,
        *,
        method: RegressionPrediction | str = "t(k-p-1)",
        display: bool = False,
    ) -> pd.DataFrame:
        """Mean effects at given moderators, with intervals of the mean and for the true effect of a new study.

        Parameters
        ----------
        frame : DataFrame, optional
            One row a prediction, with the columns that the formula uses; the studies' own without it.
        level : float
        method : {"t(k-p-1)", "metafor", "z"}
            Degrees of freedom of the prediction interval: k - p - 1, those of the test, or infinite.
        display : bool
            Give estimates and intervals on the scale shown to people; the standard error stays as analysed.

        Returns
        -------
        DataFrame
            The columns given, then estimate, std_error, ci_low, ci_high, pi_low, pi_high.
        """
        table = self.effects.table[[v.column for v in self.design.variables]] if frame is None else frame
        matrix = self.design.matrix if frame is None else self.design.matrix_for(frame)
        numbers = _margins.intervals(self, matrix, _checks.level(level), method=method, display=display)
        return pd.concat([table, numbers.set_axis(table.index)], axis=1)

    def means(
        self, term: str, level: float = 0.95, *, weights: GridWeights | str = "equal", display: bool = False
    ) -> pd.DataFrame:
        """Marginal means of a categorical moderator's levels.

        Parameters
        ----------
        term : str
            The moderator's column.
        level : float
        weights : {"equal", "proportional"}
            Average over the other moderators as if each of their levels were equally frequent, numbers at their mean;
            or over the studies' own moderators.
        display : bool
            As in `predict`.

        Returns
        -------
        DataFrame
            One row a level: the moderator, k (effects at that level), estimate, std_error, ci_low, ci_high, pi_low,
            pi_high.
        """
        return _margins.means(self, term, _checks.level(level), weights, display)

    def contrasts(
        self,
        term: str,
        level: float = 0.95,
        *,
        adjust: Adjustment | str = "holm",
        weights: GridWeights | str = "equal",
    ) -> pd.DataFrame:
        """All pairwise differences of a categorical moderator's marginal means.

        Parameters
        ----------
        term : str
        level : float
            Of the intervals, which are not adjusted.
        adjust : {"holm", "bonferroni", "sidak", "holm-sidak", "simes-hochberg", "hommel", "fdr_bh", "fdr_by", "none"}
            Of the p values, by statsmodels' `multipletests`.
        weights : {"equal", "proportional"}
            As in `means`.

        Returns
        -------
        DataFrame
            contrast, estimate, std_error, statistic, df, p_value, p_adjusted, ci_low, ci_high; on the analysed scale.
        """
        return _margins.contrasts(self, term, _checks.level(level), adjust, weights)

    def slopes(self, variable: str, level: float = 0.95, *, by: str | None = None) -> pd.DataFrame:
        """Change of the mean effect with a numeric moderator, at the mean of the other moderators.

        Parameters
        ----------
        variable : str
        level : float
        by : str, optional
            A categorical moderator: one slope at each of its levels.

        Returns
        -------
        DataFrame
            (the levels,) estimate, std_error, statistic, df, p_value, ci_low, ci_high, per unit of the variable; where
            the curve is not straight, at the variable's mean.
        """
        return _margins.slopes(self, variable, _checks.level(level), by)

    # Views

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """One tidy row a coefficient: term, estimate, std_error, statistic, df, p_value, ci_low, ci_high."""
        frame = tidy(self.coefficients, self.std_errors, self.df, _checks.level(level))
        frame.insert(0, "term", list(self.names))
        return frame

    def quantities(self) -> dict[str, float]:
        """The numbers that are not of one coefficient: tau2, i2, h2, r2, QE and QM with their tests, fit, k, n."""
        omnibus = self.omnibus()
        return {
            "tau2": self.tau2,
            "i2": self.i2,
            "h2": self.h2,
            "r2": self.r2,
            "q_residual": self.q_residual,
            "q_residual_df": self.q_residual_df,
            "q_residual_p_value": self.q_residual_p_value,
            "q_model": omnibus.statistic,
            "q_model_df": float(omnibus.df1),
            "q_model_p_value": omnibus.p_value,
            "log_likelihood": self.log_likelihood,
            "aic": self.aic,
            "aicc": self.aicc,
            "bic": self.bic,
            "k": float(self.k),
            "n": self.n,
        }

    def explain(self, study: str | None = None, level: float = 0.95) -> Explanation:
        """The computation of this result, step by step: formula, these studies' numbers put in, result.

        Parameters
        ----------
        study : str, optional
            The label, study or effect id of the effect that is followed from what the study reports; the first
            without it.
        level : float
            Of the intervals, between 0 and 1.

        Returns
        -------
        Explanation
            Printing it gives text; a notebook shows formulas; `to_latex()` is for a handout.
        """
        return _explained_regression.explain_regression(self, study, _checks.level(level))

    def to_apa(self) -> str:
        """A sentence fit for a paper, in APA style."""
        return _regression_words.apa_sentence(self)

    def to_r(self) -> str:
        """R code that repeats this fit with metafor, data and design included."""
        return _regression_words.r_code(self)

    def __repr__(self) -> str:
        how = f"{self.settings.tau2_method}, {self.settings.test}"
        caveat = f"; {self.effects.caveat}" if self.effects.caveat else ""
        r2 = "" if isnan(self.r2) else f", R2 = {number(self.r2, 0)}%"
        return (
            f"<MetaRegression {self.settings.formula!r}: {self.omnibus().text}{r2}, tau2 = {number(self.tau2, 4)}, "
            f"k = {self.k} ({how}){caveat}>"
        )

    def __str__(self) -> str:
        return _regression_words.summary_table(self).to_text()

    def _repr_html_(self) -> str:
        return _regression_words.summary_table(self).to_html()

    def to_markdown(self) -> str:
        """The summary as a Markdown table."""
        return _regression_words.summary_table(self).to_markdown()
