"""`ExcessSignificance` and `PCurve`: what the significant results give away."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import Literal

import numpy as np
import pandas as pd
from scipy import special

from alliance_meta import _checks
from alliance_meta._tables import SummaryTable, apa, number, p_value, small
from alliance_meta.results._finding import Finding
from alliance_meta.stats import p_curve as kernel
from alliance_meta.stats._arrays import BoolArray, FloatArray
from alliance_meta.stats.excess_significance import EXCESS_TESTS

__all__ = ["ALTERNATIVES", "Alternative", "ExcessSignificance", "ExcessTest", "PCurve"]

Alternative = Literal["two-sided", "greater", "less"]
ALTERNATIVES: tuple[Alternative, ...] = ("two-sided", "greater", "less")
ExcessTest = Literal["chi2", "binomial", "exact"]

_SIDES = {"two-sided": "two-sided", "greater": "one-sided, above no effect", "less": "one-sided, below no effect"}
_TEST_NAMES = {"chi2": "chi-square", "binomial": "binomial", "exact": "exact"}
_CLAIMED = 0.10


def _level(alpha: float) -> str:
    return apa(alpha, 2 if round(100.0 * alpha, 9).is_integer() else 3, bounded=True)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ExcessSignificance(Finding):
    """The test of excess significance.

    Attributes
    ----------
    k : int
    observed : int
        Significant effects.
    expected : float
        Sum of the powers.
    statistic : float
        Pearson's chi-square, one degree of freedom.
    p_values : tuple of float
        Of the chi-square, binomial and exact tests: one-sided, small where more are significant than expected.
    test : {"chi2", "binomial", "exact"}
        The one that the sentence goes by.
    estimate : float
        The true mean that power is computed at, analysed scale.
    given : bool
        Whether it was given, not estimated.
    tau2 : float
        Of the true effects that power is averaged over; 0 where all are taken to be the same.
    limits : tuple of float
        The mean at which each test's p would be .10, analysed scale; NaN where it is larger with no effect already.
    alpha : float
    alternative : {"two-sided", "greater", "less"}
        Of the effects' own tests.
    significant : ndarray of bool, shape (k,)
    power : ndarray, shape (k,)
    """

    k: int
    observed: int
    expected: float
    statistic: float
    p_values: tuple[float, float, float]
    test: ExcessTest
    estimate: float
    given: bool
    tau2: float
    limits: tuple[float, float, float]
    alpha: float
    alternative: Alternative
    significant: BoolArray
    power: FloatArray

    @property
    def ratio(self) -> float:
        """Observed over expected."""
        return self.observed / self.expected

    @property
    def p_value(self) -> float:
        """Of the chosen test."""
        return self.p_values[EXCESS_TESTS.index(self.test)]

    @property
    def limit(self) -> float:
        """Of the chosen test, analysed scale."""
        return self.limits[EXCESS_TESTS.index(self.test)]

    @property
    def headline(self) -> str:
        """Observed and expected numbers, and the test."""
        counts = f"{self.observed} significant, {number(self.expected, 1)} expected"
        return f"{counts}, p {p_value(self.p_value)} ({self.test}), k = {self.k}"

    @property
    def sentence(self) -> str:
        """What was found, and what it can and cannot show."""
        own = self.effects.measure
        value = f"{own.display_scale} = {self._shown(self.estimate)}"
        kind = "as given" if self.given else "the pooled one"
        world = f"true effects vary around {value}" if self.tau2 > 0.0 else f"the true effect is {value} everywhere"
        counts = (
            f"{self.observed} of {self.k} effects are significant ({_SIDES[self.alternative]}, α = "
            f"{_level(self.alpha)}); from the studies' power {number(self.expected, 1)} are expected if {world}, "
            f"{kind} ({_TEST_NAMES[self.test]} test, p {p_value(self.p_value)})."
        )
        if self.p_value < _CLAIMED:
            return (
                f"{counts} So many are unlikely (p < .10): selective reporting can bring that about, and so can true "
                "effects that differ."
            )
        inflated = ", and a pooled effect that selection has inflated makes too many seem expected"
        more = "" if self.given else inflated
        return f"{counts} That is no excess; it does not rule one out, since the test has little power{more}."

    def _shown(self, value: float) -> str:
        return number(float(self.effects.measure.to_display(value)))

    def to_frame(self) -> pd.DataFrame:
        """One row a test, on the analysed scale.

        Returns
        -------
        DataFrame
            test, observed, expected, ratio, statistic (NaN but for the chi-square), p_value, limit, estimate, tau2, k.
        """
        return pd.DataFrame(
            {
                "test": EXCESS_TESTS,
                "observed": self.observed,
                "expected": self.expected,
                "ratio": self.ratio,
                "statistic": (self.statistic, np.nan, np.nan),
                "p_value": self.p_values,
                "limit": self.limits,
                "estimate": self.estimate,
                "tau2": self.tau2,
                "k": self.k,
            }
        )

    def effects_frame(self) -> pd.DataFrame:
        """One row an effect, with the index of its table: study, label, effect, significant, power."""
        table = self.effects.table[["study", "label", "effect"]]
        return table.assign(significant=self.significant, power=self.power)

    def summary(self) -> SummaryTable:
        """The table that printing shows."""
        own = self.effects.measure
        kind = "given" if self.given else "equal effects" if self.tau2 == 0.0 else f"τ² = {small(self.tau2)}"
        beyond = "–" if isnan(self.limit) else self._shown(self.limit)
        what = "p is above .10 even with no effect" if isnan(self.limit) else "nearer to no effect, an excess is found"
        rows = [
            ("Significant effects", number(self.observed, 0), f"of {self.k}"),
            ("  expected", number(self.expected, 2), f"average power {number(100.0 * self.expected / self.k, 0)}%"),
            (f"  with a mean {own.display_scale} of", self._shown(self.estimate), kind),
            ("Chi-square test", number(self.statistic, 2), f"one-sided p {p_value(self.p_values[0])}"),
            ("Binomial test", "", f"one-sided p {p_value(self.p_values[1])}"),
            ("Exact test", "", f"one-sided p {p_value(self.p_values[2])}"),
            (f"Mean with p = .10 ({_TEST_NAMES[self.test]} test)", beyond, what),
        ]
        return SummaryTable(
            title=f"Test of excess significance, {self.k} {'effect' if self.k == 1 else 'effects'}",
            header=("", "value", ""),
            rows=tuple(rows),
            right=frozenset({1}),
            notes=self.remarks,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PCurve(Finding):
    """A p-curve: the significant p values, and what their distribution speaks for.

    Attributes
    ----------
    k : int
        All effects.
    k_significant, k_half : int
        Those that enter, with a two-sided p below .05; and of these those below .025, the half curve.
    skew_full, skew_half : float
        Stouffer's z against no effect; below 0 for right skew.
    flat_full, flat_half : float
        Stouffer's z against 33 % power; below 0 for a flatter curve.
    skew_binomial, flat_binomial : float
        p values of the number below .025: so many with no effect, so few with 33 % power.
    power : float
        Power that fits the significant tests best, 0.05 to 1.
    alternative : {"greater", "less"} or None
        Side of no effect of the effects that enter; both without it.
    statistics, p_values : ndarray, shape (k,)
        z = (effect - no effect) / standard error, and its two-sided p.
    entered : ndarray of bool, shape (k,)
    """

    k: int
    k_significant: int
    k_half: int
    skew_full: float
    skew_half: float
    flat_full: float
    flat_half: float
    skew_binomial: float
    flat_binomial: float
    power: float
    alternative: Alternative | None
    statistics: FloatArray
    p_values: FloatArray
    entered: BoolArray

    @property
    def evidential_value(self) -> bool:
        """Simonsohn et al.'s (2015) rule: right skew with p < .05 (half curve), or with p < .10 in both curves."""
        full, half = (float(special.ndtr(z)) for z in (self.skew_full, self.skew_half))
        return half < 0.05 or (half < 0.10 and full < 0.10)

    @property
    def inadequate(self) -> bool:
        """Flatter than with 33 % power: p < .05 (full curve), or p < .10 in the half curve and the binomial test."""
        full, half = (float(special.ndtr(z)) for z in (self.flat_full, self.flat_half))
        return full < 0.05 or (half < 0.10 and self.flat_binomial < 0.10)

    def power_interval(self, level: float = 0.90) -> tuple[float, float]:
        """The powers that Stouffer's test does not reject.

        Parameters
        ----------
        level : float
            Coverage; 90 % in the articles.

        Returns
        -------
        low, high : float
            0.05, the power without effect, where no power is low enough to be rejected.
        """
        z = float(special.ndtri(0.5 + _checks.level(level) / 2.0))
        low, high = kernel.power_at(self.statistics[self.entered], [z, -z])
        return float(low), float(high)

    @property
    def headline(self) -> str:
        """The tests of right skew, and the power."""
        if not self.k_significant:
            return f"none of {self.k} effects is significant"
        skew = f"right skew p {_p_of(self.skew_full)}, half curve p {_p_of(self.skew_half)}"
        return f"{self.k_significant} of {self.k} significant, {skew}; power {self._powers()}"

    def _powers(self) -> str:
        low, high = self.power_interval()
        return f"{_percent(self.power)}, 90% CI [{_percent(low)}, {_percent(high)}]"

    @property
    def sentence(self) -> str:
        """What was found, and what it can and cannot show."""
        if not self.k_significant:
            return f"None of {self.k} effects is significant (p < .05, two-sided), so there is no p-curve."
        verb = "effect is" if self.k_significant == 1 else "effects are"
        start = (
            f"{self.k_significant} of {self.k} {verb} significant. By the rule of Simonsohn et al. (2015) the p values "
        )
        if self.evidential_value and self.inadequate:
            return (
                f"{start}are right-skewed, yet flatter than with 33% power: some of these studies may have had a true "
                "effect to find, but too little power to be relied on."
            )
        if self.evidential_value:
            return (
                f"{start}are right-skewed: unlikely if none of these studies had a true effect to find and the "
                "significant results were only selected. How large an effect, and in which of them, this does not say."
            )
        if self.inadequate:
            return (
                f"{start}are flatter than those of tests with 33% power: these studies hold little or no evidence of "
                "an effect. That is not evidence that there is none."
            )
        return (
            f"{start}are neither right-skewed nor flatter than with 33% power: they do not tell a true effect from "
            "selective reporting."
        )

    def to_frame(self, level: float = 0.90) -> pd.DataFrame:
        """One row a test, and one for the power.

        Parameters
        ----------
        level : float
            Of the interval of the power.

        Returns
        -------
        DataFrame
            term, k (p values that enter), estimate, statistic (Stouffer's z), p_value, ci_low, ci_high.
        """
        rows = [
            {"term": term, "k": k, "statistic": z, "p_value": p if isnan(z) and term.endswith("binomial") else _p(z)}
            for term, k, z, p in (
                ("right_skew_full", self.k_significant, self.skew_full, np.nan),
                ("right_skew_half", self.k_half, self.skew_half, np.nan),
                ("right_skew_binomial", self.k_significant, np.nan, self.skew_binomial),
                ("flatness_full", self.k_significant, self.flat_full, np.nan),
                ("flatness_half", self.k_half, self.flat_half, np.nan),
                ("flatness_binomial", self.k_significant, np.nan, self.flat_binomial),
            )
        ]
        low, high = self.power_interval(level)
        power = {"term": "power", "k": self.k_significant, "estimate": self.power, "ci_low": low, "ci_high": high}
        columns = ["term", "k", "estimate", "statistic", "p_value", "ci_low", "ci_high"]
        return pd.DataFrame([*rows, power], columns=columns)

    def effects_frame(self) -> pd.DataFrame:
        """One row an effect, with the index of its table: study, label, effect, statistic, p_value, entered."""
        table = self.effects.table[["study", "label", "effect"]]
        return table.assign(statistic=self.statistics, p_value=self.p_values, entered=self.entered)

    def summary(self) -> SummaryTable:
        """The table that printing shows."""
        side = {None: "", "greater": ", above no effect", "less": ", below no effect", "two-sided": ""}[
            self.alternative
        ]

        def row(name: str, z: float) -> tuple[str, str, str]:
            return name, number(z, 2), f"p {p_value(_p(z))}"

        rows = (
            ("Significant effects (p < .05)", number(self.k_significant, 0), f"of {self.k}{side}"),
            ("  half curve (p < .025)", number(self.k_half, 0), ""),
            row("Right skew: half curve", self.skew_half),
            row("  full curve", self.skew_full),
            ("  share below .025 (binomial)", "", f"p {p_value(self.skew_binomial)}"),
            row("Flatter than 33% power: full curve", self.flat_full),
            row("  half curve", self.flat_half),
            ("  share below .025 (binomial)", "", f"p {p_value(self.flat_binomial)}"),
            ("Power of the significant tests", _percent(self.power), f"90% CI {self._powers().partition('CI ')[2]}"),
        )
        return SummaryTable(
            title=f"p-curve of {self.k} {'effect' if self.k == 1 else 'effects'}",
            header=("", "z", "test"),
            rows=rows,
            right=frozenset({1}),
            notes=self.remarks,
        )


def _p(z: float) -> float:
    return float(special.ndtr(z))


def _p_of(z: float) -> str:
    return p_value(_p(z))


def _percent(share: float) -> str:
    return "–" if isnan(share) else "> 99%" if share > 0.995 else f"{100.0 * share:.0f}%"
