"""`EggerTest` and `BeggTest`: whether small studies find other effects than large ones."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, isinf, isnan, log10
from typing import Literal

import numpy as np
import pandas as pd

from alliance_meta import _checks
from alliance_meta._tables import SummaryTable, apa, number, p_value, small
from alliance_meta.results._finding import Finding
from alliance_meta.results._interval import Interval
from alliance_meta.results._tidy import tidy
from alliance_meta.results._vocabulary import TAU2_METHODS, TESTS, Tau2Method, TestMethod
from alliance_meta.results._wald import degrees
from alliance_meta.stats.inference import critical_value
from alliance_meta.stats.small_study import PREDICTORS, Predictor

__all__ = [
    "BeggTest",
    "EggerSettings",
    "EggerTest",
    "SmallStudyModel",
    "bounds_text",
    "how_fitted",
    "text_of_test",
]

SmallStudyModel = Literal["mixed", "classical", "robust"]
_SUSPECT = 0.10
"""The level that is customary for these tests, as they find little (Egger et al., 1997)."""
_OTHER_REASONS = (
    "That is what publication bias looks like, but also what true differences between small and large studies, or "
    "chance, look like."
)
_NO_ALL_CLEAR = "That does not rule bias out: the test often misses it, above all with few studies."


@dataclass(frozen=True, slots=True, kw_only=True)
class EggerSettings:
    """Every option a regression on precision was computed with.

    Attributes
    ----------
    model : str
    predictor : str
    tau2_method : str or None
        None for the classical model, which has no between-study variance.
    test : str or None
        None for the classical model (t with k - 2 degrees of freedom) and the robust one (t with Satterthwaite's).
    """

    model: SmallStudyModel
    predictor: Predictor
    tau2_method: Tau2Method | None
    test: TestMethod | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class EggerTest(Finding):
    """Effects as a line in a measure of the studies' precision or size. All numbers are on the analysed scale.

    Attributes
    ----------
    slope, std_error, statistic, df, p_value : float
        Change of the effect per unit of the predictor, and its test; `df` is infinite for z.
    intercept, intercept_std_error, intercept_df : float
        The line where the predictor is 0.
    tau2 : float
        Variance between studies that the line leaves; NaN for the classical model.
    dispersion : float
        Factor of the sampling variances in the classical model; NaN for the others.
    studies : int
        The clusters of the robust model.
    settings : EggerSettings
    """

    slope: float
    std_error: float
    statistic: float
    df: float
    p_value: float
    intercept: float
    intercept_std_error: float
    intercept_df: float
    tau2: float
    dispersion: float
    studies: int
    settings: EggerSettings

    @property
    def k(self) -> int:
        """Number of effects."""
        return self.effects.k

    @property
    def limit(self) -> float:
        """The effect that the line gives a study without sampling error; NaN for the predictors n and sqrt(n)."""
        return self._limit[0]

    @property
    def limit_std_error(self) -> float:
        """Its standard error."""
        return self._limit[1]

    @property
    def _limit(self) -> tuple[float, float]:
        if self.settings.predictor in ("n", "sqrt(n)"):  # grows without end as a study does
            return np.nan, np.nan
        return self.intercept, self.intercept_std_error

    def at(self, predictor: float) -> float:
        """The line's effect at a value of the predictor."""
        return self.intercept + self.slope * predictor

    def limit_interval(self, level: float = 0.95, *, display: bool = False) -> Interval:
        """Interval of the effect of a study without sampling error.

        Parameters
        ----------
        level : float
        display : bool
            On the scale shown to people (r for Fisher's z) rather than the analysed one.

        Returns
        -------
        Interval
            NaN for the predictors n and sqrt(n).
        """
        half = float(critical_value(_checks.level(level), self.intercept_df)) * self.limit_std_error
        bounds = np.array([self.limit - half, self.limit + half])
        low, high = map(float, self.effects.measure.to_display(bounds) if display else bounds)
        note = f"the predictor {self.settings.predictor} does not go to 0 as a study grows" if isnan(self.limit) else ""
        return Interval(low=low, high=high, level=level, kind="confidence", note=note)

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """Rows ``slope`` and ``limit``: term, estimate, std_error, statistic, df, p_value, ci_low, ci_high.

        The limit is tested against the measure's value of no effect.
        """
        frame = tidy(
            [self.slope, self.limit],
            [self.std_error, self.limit_std_error],
            [self.df, self.intercept_df],
            _checks.level(level),
            null=[0.0, self.effects.measure.null],
        )
        no_error = frame["std_error"].eq(0.0)
        frame.loc[no_error, ["statistic", "p_value"]] = np.nan
        frame.insert(0, "term", ["slope", "limit"])
        return frame

    @property
    def text(self) -> str:
        """The test of the slope as it is printed: ``t(14) = 2.31, p = .037``."""
        return text_of_test(self.statistic, self.df, self.p_value)

    @property
    def headline(self) -> str:
        """The slope and its test."""
        of = PREDICTORS[self.settings.predictor]
        slope = number(self.slope, _decimals(self.std_error))
        return f"slope on {of} = {slope}, {self.text}, k = {self.k} ({self.settings.model})"

    @property
    def sentence(self) -> str:
        """What was found, and what it can and cannot show."""
        if isnan(self.p_value):
            return "The slope has no test on these effects."
        by_size = self.settings.predictor not in ("std_error", "variance")
        less, more = ("Smaller", "larger") if by_size else ("Less precise", "more precise")
        if self.p_value >= _SUSPECT:
            return (
                f"{less} studies do not differ from {more} ones by more than chance may explain ({self.text}). "
                f"{_NO_ALL_CLEAR}"
            )
        higher = (self.slope > 0.0) != (self.settings.predictor in ("n", "sqrt(n)"))
        return (
            f"{less} studies show {'higher' if higher else 'lower'} effects than {more} ones ({self.text}). "
            f"{_OTHER_REASONS}"
        )

    def summary(self) -> SummaryTable:
        """The slope, and the effect where it leads to."""
        own, name = self.effects.measure, PREDICTORS[self.settings.predictor]
        frame = self.to_frame()
        decimals = _decimals(self.std_error)
        slope = number(self.slope, decimals), bounds_text(*_ci(frame, 0), decimals)
        rows = [(f"slope on {name}", *slope, self.text)]
        if not isnan(self.limit):
            where = "studies grow" if self.settings.predictor.startswith("1/") else f"{name} goes to 0"
            shown = float(own.to_display(self.limit))
            interval = self.limit_interval(display=True)
            rows.append((f"effect as {where} ({own.display_scale})", number(shown), bounds_text(*interval), ""))
            if own.scale != own.display_scale:
                rows.append((f"  {own.label}", number(self.limit), bounds_text(*_ci(frame, 1)), ""))
        return SummaryTable(
            title=f"Egger's regression test of {self.k} effects",
            header=("", "estimate", "95% CI", "test"),
            rows=tuple(rows),
            right=frozenset({1, 2}),
            notes=(*self.remarks, how_fitted(self)),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class BeggTest(Finding):
    """Begg and Mazumdar's rank correlation of standardised effects and sampling variances.

    Attributes
    ----------
    tau : float
        Kendall's tau-b.
    p_value : float
        Two-sided.
    exact : bool
        Whether the p value comes from the exact distribution, or from the normal one.
    """

    tau: float
    p_value: float
    exact: bool

    @property
    def k(self) -> int:
        """Number of effects."""
        return self.effects.k

    def to_frame(self) -> pd.DataFrame:
        """One row: tau, p_value, exact, k."""
        return pd.DataFrame([{"tau": self.tau, "p_value": self.p_value, "exact": self.exact, "k": self.k}])

    @property
    def headline(self) -> str:
        """Tau and its p value."""
        return f"Kendall's tau = {apa(self.tau, bounded=True)}, p {p_value(self.p_value)}, k = {self.k}"

    @property
    def sentence(self) -> str:
        """What was found, and what it can and cannot show."""
        if isnan(self.p_value):
            return "Effects or variances are all the same, so there are no ranks to correlate."
        found = f"(Kendall's tau = {apa(self.tau, bounded=True)}, p {p_value(self.p_value)})"
        if self.p_value >= _SUSPECT:
            return f"Effects and variances do not go together by more than chance may explain {found}. {_NO_ALL_CLEAR}"
        return f"Less precise studies show {'higher' if self.tau > 0.0 else 'lower'} effects {found}. {_OTHER_REASONS}"

    def summary(self) -> SummaryTable:
        """Tau and its p value."""
        how = "exact" if self.exact else "normal approximation"
        return SummaryTable(
            title=f"Begg and Mazumdar's rank correlation test of {self.k} effects",
            header=("", "estimate", "p"),
            rows=(("Kendall's tau", apa(self.tau, 3, bounded=True), f"{p_value(self.p_value)} ({how})"),),
            right=frozenset({1}),
            notes=self.remarks,
        )


def _ci(frame: pd.DataFrame, row: int) -> tuple[float, float]:
    return float(frame["ci_low"][row]), float(frame["ci_high"][row])


def bounds_text(low: float, high: float, decimals: int = 3) -> str:
    """An interval as it stands in a table."""
    return "–" if isnan(low) else f"[{number(low, decimals)}, {number(high, decimals)}]"


def _decimals(std_error: float) -> int:
    """Decimals that show two digits of a standard error, and three at least: a slope's unit may be anything."""
    return 3 if not 0.0 < std_error < 0.01 else min(1 - floor(log10(std_error)), 12)


def text_of_test(statistic: float, df: float, p: float) -> str:
    """A test as it is printed."""
    if isnan(p):
        return "no test"
    name = "z" if isinf(df) else f"t({degrees(df)})"
    return f"{name} = {number(statistic, 2)}, p {p_value(p)}"


def how_fitted(found: EggerTest) -> str:
    """The model, in a line."""
    settings = found.settings
    if settings.model == "classical" or settings.tau2_method is None:
        return f"Weighted least squares; sampling variances times {number(found.dispersion, 2)}."
    between = f"tau² by {TAU2_METHODS[settings.tau2_method]}, {small(found.tau2)}"
    if settings.model == "robust" or settings.test is None:
        return f"Cluster-robust (CR2) standard errors, {found.studies} studies; t by Satterthwaite; {between}."
    return f"Mixed-effects regression; {between}; tested by {TESTS[settings.test]}."
