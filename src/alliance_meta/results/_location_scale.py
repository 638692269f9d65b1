"""`LocationScale`: moderators of the effects, and of how much true effects differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import floor, inf, isinf, log10

import numpy as np
import pandas as pd
from scipy import special

from alliance_meta import _checks
from alliance_meta._tables import SummaryTable, number, p_value
from alliance_meta.design import Design
from alliance_meta.effects import EffectSizes
from alliance_meta.errors import ConvergenceError, InputError
from alliance_meta.results._tidy import tidy
from alliance_meta.results._vocabulary import TAU2_METHODS, TESTS, Tau2Method, TestMethod
from alliance_meta.results._wald import WaldTest, wald_test
from alliance_meta.results._words import METAFOR_TESTS, r_string, r_vector
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.location_scale import Outcome, location_scale

__all__ = ["LocationScale", "LocationScaleSettings"]

_CONSTANT = "intercept"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationScaleSettings:
    """Every option a location-scale model was computed with."""

    formula: str
    scale: str
    tau2_method: Tau2Method
    test: TestMethod


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LocationScale:
    """A location-scale model: effects with mean X b and between-study variance exp(Z a), on the analysed scale.

    Attributes
    ----------
    coefficients : ndarray, shape (p,)
        b, read-only, in the order of `names`.
    covariance : ndarray, shape (p, p)
        Of b, by the chosen test, taking a as known.
    df : float
        Degrees of freedom of tests of b; infinite for z tests, else k - p.
    scale_coefficients : ndarray, shape (q,)
        a, read-only, in the order of `scale_names`: differences of log tau2; exp of one is a ratio of variances.
    scale_covariance : ndarray, shape (q, q)
        Inverse of the observed information.
    scale_df : float
        Infinite for z tests, else k - q.
    tau2 : ndarray, shape (k,)
        Between-study variance of studies like each. Read-only.
    log_likelihood : float
        Restricted for REML, with all constants.
    k : int
    n : float
        Total sample size, NaN where the table does not say.
    effects : EffectSizes
    design, scale_design : Design
    settings : LocationScaleSettings
    """

    coefficients: FloatArray
    covariance: FloatArray
    df: float
    scale_coefficients: FloatArray
    scale_covariance: FloatArray
    scale_df: float
    tau2: FloatArray
    log_likelihood: float
    k: int
    n: float
    effects: EffectSizes
    design: Design
    scale_design: Design
    settings: LocationScaleSettings

    @property
    def names(self) -> tuple[str, ...]:
        """The location coefficients' names."""
        return self.design.names

    @property
    def scale_names(self) -> tuple[str, ...]:
        """The scale coefficients' names."""
        return self.scale_design.names

    @property
    def spans_constant(self) -> bool:
        """Whether one tau2 for all studies is a case of the model: not without an intercept or all levels."""
        z, one = self.scale_design.matrix, np.ones(self.k)
        return bool(np.abs(one - z @ np.linalg.lstsq(z, one, rcond=None)[0]).max() < 1e-8)

    def omnibus(self) -> WaldTest:
        """Wald test of all moderators of the effects: every location coefficient but the intercept's."""
        tested = [i for i, name in enumerate(self.names) if name != _CONSTANT] or [0]
        what = "all moderators of the effects" if self.names[tested[0]] != _CONSTANT else "the intercept"
        return wald_test(what, np.eye(len(self.names))[tested], self.coefficients, self.covariance, self.df)

    def scale_omnibus(self) -> WaldTest:
        """Wald test of all moderators of tau2: every scale coefficient but the intercept's.

        Raises
        ------
        InputError
            Where tau2 has no moderators: that its logarithm is 0 is no hypothesis.
        """
        self._refuse_a_constant_scale()
        tested = [i for i, name in enumerate(self.scale_names) if name != _CONSTANT]
        weights = np.eye(len(self.scale_names))[tested]
        return wald_test(
            "all moderators of tau2", weights, self.scale_coefficients, self.scale_covariance, self.scale_df
        )

    def scale_test(self, term: str | None = None) -> WaldTest:
        """Likelihood-ratio test of moderators of tau2.

        Parameters
        ----------
        term : str, optional
            A term of the scale formula, tested against the model without it; without one, all moderators of tau2
            against one tau2 for all studies.

        Returns
        -------
        WaldTest
            Its statistic is twice the difference of the log-likelihoods, which are restricted ones for REML: the
            location is the same in both models.

        Raises
        ------
        UnknownNameError
            For a term that the scale formula has not.
        InputError
            Where nothing would be left to test, or one tau2 is no case of the model.
        ConvergenceError
            If the smaller model does not reach its solution.
        """
        self._refuse_a_constant_scale()
        smaller, what = self._smaller(term)
        y, v, x = self.effects.effect, self.effects.variance, self.design.matrix
        fit = location_scale(y, v, x, smaller, tau2_method=self.settings.tau2_method)
        if fit.outcome > Outcome.BOUNDARY:
            raise ConvergenceError(f"the model without {what} did not reach its solution, so it cannot be compared")
        statistic = max(2.0 * (self.log_likelihood - float(fit.log_likelihood)), 0.0)
        df = len(self.scale_names) - smaller.shape[1]
        p = float(special.chdtrc(df, statistic))
        return WaldTest(hypothesis=what, statistic=statistic, df1=df, df2=inf, p_value=p)

    def _refuse_a_constant_scale(self) -> None:
        if self.scale_names == (_CONSTANT,):
            raise InputError("tau2 has no moderators to test: give location_scale() a scale formula with some")

    def _smaller(self, term: str | None) -> tuple[FloatArray, str]:
        """The scale columns that are left, and what is left out."""
        z = self.scale_design.matrix
        if term is None:
            if not self.spans_constant:
                raise InputError(
                    f"scale={self.settings.scale!r} has no intercept, so one tau2 for all studies is no case of it; "
                    "test a term of it"
                )
            return np.ones((self.k, 1)), "all moderators of tau2"
        terms = {found.label: found.columns for found in self.scale_design.terms}
        label = _checks.known_name("term", term, tuple(terms))
        left = np.delete(z, terms[label], axis=1)
        if not left.shape[1]:
            raise InputError(f"without {term!r} nothing is left of scale={self.settings.scale!r}")
        return left, label

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """One tidy row a coefficient: part, term, estimate, std_error, statistic, df, p_value, ci_low, ci_high."""
        level = _checks.level(level)
        location = _rows("location", self.names, self.coefficients, self.covariance, self.df, level)
        scale = _rows("scale", self.scale_names, self.scale_coefficients, self.scale_covariance, self.scale_df, level)
        return pd.concat([location, scale], ignore_index=True)

    def to_r(self) -> str:
        """R code that repeats this fit with metafor, data and designs included."""
        settings, effects = self.settings, self.effects
        lines = [
            "library(metafor)",
            *(f"# {line}" for line in effects.caveat.splitlines()),
            f"# {effects.measure.label} on {settings.formula}, log(tau2) on {settings.scale}",
            f"yi <- {r_vector(effects.effect.tolist())}",
            f"vi <- {r_vector(effects.variance.tolist())}",
            f"X <- {_r_matrix(self.design)}",
            f"Z <- {_r_matrix(self.scale_design)}",
            "fit_by <- function(control) {",
            f'  rma(yi, vi, mods = ~ 0 + X, scale = ~ 0 + Z, method = "{settings.tau2_method}", '
            f'test = "{METAFOR_TESTS[settings.test]}", control = control)',
            "}",
            # metafor's own optimizer stops where the log-likelihood has some eight digits; Nelder and Mead's can fail
            'finer <- list(optimizer = "Nelder-Mead", reltol = 1e-16, maxit = 100000)',
            "fit <- tryCatch(fit_by(finer), error = function(e) fit_by(list()))",
            "print(fit, digits = 6)",
        ]
        return "\n".join(lines) + "\n"

    def __repr__(self) -> str:
        settings = self.settings
        varies = self.scale_names != (_CONSTANT,) and self.spans_constant
        scale = f", scale {self.scale_test().text}" if varies else ""
        caveat = f"; {self.effects.caveat}" if self.effects.caveat else ""
        return (
            f"<LocationScale {settings.formula!r}, scale {settings.scale!r}: location {self.omnibus().text}{scale}, "
            f"k = {self.k} ({settings.tau2_method}, {settings.test}){caveat}>"
        )

    def __str__(self) -> str:
        return self._summary().to_text()

    def _repr_html_(self) -> str:
        return self._summary().to_html()

    def to_markdown(self) -> str:
        """The summary as a Markdown table."""
        return self._summary().to_markdown()

    def _summary(self) -> SummaryTable:
        settings = self.settings
        people = "" if np.isnan(self.n) else f" (N = {self.n:,.0f})"
        statistic = "z" if isinf(self.df) else "t"
        caveat = (self.effects.caveat,) if self.effects.caveat else ()
        how = f"tau² by {TAU2_METHODS[settings.tau2_method]}; location tested by {TESTS[settings.test]}"
        return SummaryTable(
            title=f"Location-scale model of {self.k} effects{people}: {settings.formula}; log tau² on {settings.scale}",
            header=("", "estimate", "std. error", "95% CI", statistic, "p"),
            rows=tuple(_cells(self)),
            right=frozenset({1, 2, 3, 4, 5}),
            notes=(*_tests(self), how, *self.effects.notes, *caveat),
        )


def _rows(
    part: str, names: tuple[str, ...], estimate: FloatArray, covariance: FloatArray, df: float, level: float
) -> pd.DataFrame:
    frame = tidy(estimate, np.sqrt(np.diagonal(covariance)), df, level)
    frame.insert(0, "part", part)
    frame.insert(1, "term", list(names))
    return frame


def _cells(fit: LocationScale) -> Iterator[tuple[str, ...]]:
    heads = {"location": f"Location: {fit.effects.measure.label}", "scale": "Scale: log tau²"}
    for part, rows in fit.to_frame().groupby("part", sort=False):
        yield (heads[str(part)], "", "", "", "", "")
        for row in rows.itertuples():
            estimate, std_error, low, high = (
                float(getattr(row, name)) for name in ("estimate", "std_error", "ci_low", "ci_high")
            )
            places = _decimals(std_error)
            yield (
                f"  {row.term}",
                number(estimate, places),
                number(std_error, places),
                f"[{number(low, places)}, {number(high, places)}]",
                number(float(str(row.statistic)), 2),
                p_value(float(str(row.p_value))),
            )


def _decimals(std_error: float) -> int:
    """Two digits of the standard error: coefficients of years and of sample sizes are small."""
    return 3 if not 0.0 < std_error < inf else min(max(1 - floor(log10(std_error)), 3), 9)


def _tests(fit: LocationScale) -> list[str]:
    tests = [f"Location, {fit.omnibus().hypothesis}: {fit.omnibus().text}"]
    if fit.scale_names != (_CONSTANT,):
        tests.append(f"Scale, Wald test of all moderators: {fit.scale_omnibus().text}")
        if fit.spans_constant:
            tests.append(f"Scale, likelihood-ratio test against one tau²: {fit.scale_test().text}")
    low, high = float(fit.tau2.min()), float(fit.tau2.max())
    return [*tests, f"tau² of the studies: {_span(low, high)}; log-likelihood {number(fit.log_likelihood, 2)}"]


def _span(low: float, high: float) -> str:
    return f"{low:.2g}" if low == high else f"{low:.2g} to {high:.2g}"


def _r_matrix(design: Design) -> str:
    names = ", ".join(r_string(name) for name in design.names)
    values = r_vector(design.matrix.T.ravel().tolist())
    return f"matrix({values}, nrow = {len(design.matrix)}, dimnames = list(NULL, c({names})))"
