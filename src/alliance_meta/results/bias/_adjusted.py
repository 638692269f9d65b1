"""Means that small studies move less: the limit meta-analysis, the adequately powered studies, Henmi and Copas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from alliance_meta import _checks
from alliance_meta._tables import SummaryTable, number, p_cell, p_value, small
from alliance_meta.effects import EffectSizes
from alliance_meta.results._finding import Finding
from alliance_meta.results._pooled import PooledEffect
from alliance_meta.results._tidy import tidy
from alliance_meta.results._vocabulary import Tau2Method
from alliance_meta.stats._arrays import BoolArray, FloatArray
from alliance_meta.stats.henmi_copas import henmi_copas

__all__ = ["AdequatelyPowered", "HenmiCopasMean", "LimitMeta"]

_LIMIT_TERMS = ("unadjusted", "limit", "limit-slope", "limit-mean")
_POWERED_ROWS = 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class LimitMeta(Finding):
    """The mean of studies of unlimited precision. All numbers are on the analysed scale (z for ``ZCOR``).

    Attributes
    ----------
    estimate, std_error, statistic, p_value : float
        Expected effect of a study without sampling error (beta-0), and its z test against the measure's null value.
    alpha, alpha_error : float
        Small-study effect: how far effects lie off, in standard deviations sqrt(variance + tau2).
    beta : float
        What effects approach as that standard deviation goes to 0; the estimate is beta + tau alpha.
    limit_slope, limit_slope_error, limit_mean, limit_mean_error : float
        The two other adjusted means of the paper: beta-lim and mu-lim.
    tau2 : float
        Of the random-effects model without a small-study effect.
    tau2_method : str
    g2 : float
        Percent of the scatter of the limit effects' radial plot that its line leaves unexplained.
    q_statistic, q_df, q_p_value : float
        Cochran's Q.
    q_small_study, q_small_study_p_value : float
        What a small-study effect takes off Q, chi-square with 1 degree of freedom.
    q_residual, q_residual_df, q_residual_p_value : float
        What is left of Q.
    limit_effects : ndarray, shape (k,)
        Each study's effect at unlimited precision. Read-only.
    unadjusted : PooledEffect
        The random-effects model, with z tests as here.
    effects : EffectSizes
    cautions, notes : tuple of str
    """

    estimate: float
    std_error: float
    statistic: float
    p_value: float
    alpha: float
    alpha_error: float
    beta: float
    limit_slope: float
    limit_slope_error: float
    limit_mean: float
    limit_mean_error: float
    tau2: float
    tau2_method: Tau2Method
    g2: float
    q_statistic: float
    q_df: float
    q_p_value: float
    q_small_study: float
    q_small_study_p_value: float
    q_residual: float
    q_residual_df: float
    q_residual_p_value: float
    limit_effects: FloatArray
    unadjusted: PooledEffect

    @property
    def headline(self) -> str:
        """The limit, and the mean without it."""
        frame = self.to_frame()
        return f"{_range(self.effects, frame, 1)}; unadjusted {_range(self.effects, frame, 0, named=False)}"

    @property
    def sentence(self) -> str:
        """What was found, and what it can and cannot show."""
        frame = self.to_frame()
        mean = "equal-effects mean" if self.tau2_method == "EE" else "random-effects mean"
        sure = "a small-study effect shows" if self.q_small_study_p_value < 0.1 else "no small-study effect shows"
        return (
            f"A study without sampling error would be expected to find {_range(self.effects, frame, 1)}, against "
            f"{_range(self.effects, frame, 0, named=False)} for the {mean}; {sure} at the 10% level "
            f"(Q − Q′ = {number(self.q_small_study, 2)}, p {p_value(self.q_small_study_p_value)}). This extends a "
            "trend of effects with standard errors to studies larger than any here; the trend may come from "
            "publication bias, or from what else sets small studies apart."
        )

    def curve(self, std_error: FloatArray) -> FloatArray:
        """The effect that the model expects at a standard error: beta + alpha sqrt(std_error**2 + tau2).

        Parameters
        ----------
        std_error : ndarray

        Returns
        -------
        ndarray
        """
        return np.asarray(self.beta + self.alpha * np.sqrt(np.asarray(std_error) ** 2 + self.tau2))

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """Four means on the analysed scale.

        Parameters
        ----------
        level : float
            Coverage of the intervals.

        Returns
        -------
        DataFrame
            term ("unadjusted", "limit", "limit-slope", "limit-mean"), estimate, std_error, statistic, df, p_value,
            ci_low, ci_high. The intervals of the last two, beta-lim and mu-lim, take limit effects to have sampling
            errors only: where studies are heterogeneous they are too narrow.
        """
        estimates = [self.unadjusted.estimate, self.estimate, self.limit_slope, self.limit_mean]
        errors = [self.unadjusted.std_error, self.std_error, self.limit_slope_error, self.limit_mean_error]
        frame = tidy(estimates, errors, np.inf, _checks.level(level), null=self.effects.measure.null)
        frame.insert(0, "term", list(_LIMIT_TERMS))
        return frame

    def summary(self) -> SummaryTable:
        """The table that printing shows, on the scale shown to people."""
        names = {"unadjusted": "mean, unadjusted", "limit": "limit of unlimited precision (β0)"}
        tests = (
            f"Heterogeneity: Q({number(self.q_df, 0)}) = {number(self.q_statistic, 2)}, p {p_value(self.q_p_value)}; "
            f"of which small-study effects (Q − Q′, df = 1) {number(self.q_small_study, 2)}, "
            f"p {p_value(self.q_small_study_p_value)}; "
            f"left Q′({number(self.q_residual_df, 0)}) = {number(self.q_residual, 2)}, "
            f"p {p_value(self.q_residual_p_value)}."
        )
        _, _, *others = self.effects.measure.to_display(self.to_frame()["estimate"].to_numpy(dtype=float)).tolist()
        more = (
            f"α = {number(self.alpha)} (std. error {number(self.alpha_error)}), τ² = {small(self.tau2)} "
            f"({self.tau2_method}), G² = {number(self.g2, 1)}%. The method's other adjusted means, see to_frame(): "
            f"β-lim {number(others[0])}, μ-lim {number(others[1])}."
        )
        return SummaryTable(
            title=f"Limit meta-analysis of {self.effects.k} effects",
            header=("", self.effects.measure.display_scale, "95% CI", "p"),
            rows=_rows(self.effects, self.to_frame().iloc[:2], names),
            right=frozenset({1, 2, 3}),
            notes=(tests, more, *self.remarks),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class AdequatelyPowered(Finding):
    """Weighted averages of all and of the adequately powered effects, on the analysed scale (z for ``ZCOR``).

    Attributes
    ----------
    estimate, std_error, statistic, df, p_value : float
        Of the adequately powered effects by unrestricted weighted least squares (WAAP); of all where fewer than two
        are. Tested against the measure's null value.
    all_estimate, all_std_error, all_df : float
        Of all effects (UWLS).
    power : float
        That an effect must have to find `all_estimate`, at 5 % on two sides.
    largest_error : float
        The largest standard error that has it.
    powered : ndarray of bool, shape (k,)
        Read-only.
    restricted : bool
        Whether the estimate is that of the adequately powered effects.
    effects : EffectSizes
    cautions, notes : tuple of str
    """

    estimate: float
    std_error: float
    statistic: float
    df: float
    p_value: float
    all_estimate: float
    all_std_error: float
    all_df: float
    power: float
    largest_error: float
    powered: BoolArray
    restricted: bool

    @property
    def powered_frame(self) -> pd.DataFrame:
        """The adequately powered effects, in the order and with the index of their table.

        Returns
        -------
        DataFrame
            label, effect, std_error, power (to find `all_estimate`, at 5 % on two sides).
        """
        error = np.sqrt(self.effects.variance)
        away = np.abs(self.all_estimate - self.effects.measure.null) / error
        critical = special.ndtri(0.975)
        frame = pd.DataFrame(
            {
                "label": self.effects.labels,
                "effect": self.effects.effect,
                "std_error": error,
                "power": special.ndtr(away - critical) + special.ndtr(-away - critical),
            },
            index=self.effects.table.index,
        )
        return frame[self.powered]

    @property
    def headline(self) -> str:
        """The mean, and how many effects it is of."""
        frame = self.to_frame()
        count = f"{int(self.powered.sum())} of {self.effects.k} adequately powered"
        if not self.restricted:
            return f"{count}, so all are averaged: {_range(self.effects, frame, 0)}"
        return f"{_range(self.effects, frame, 1)} ({count}); all {_range(self.effects, frame, 0, named=False)}"

    @property
    def sentence(self) -> str:
        """What was found, and what it can and cannot show."""
        frame, count = self.to_frame(), int(self.powered.sum())
        bar = f"a power of {number(100.0 * self.power, 0)}% to find the weighted average of all"
        if not self.restricted:
            return (
                f"{_none_or_one(count)} of {self.effects.k} effects has {bar}, so the weighted average of all stands: "
                f"{_range(self.effects, frame, 0)}. The method has nothing to set against small studies here."
            )
        return (
            f"{count} of {self.effects.k} effects have {bar}; theirs is {_range(self.effects, frame, 1)}, against "
            f"{_range(self.effects, frame, 0, named=False)} of all. Large studies are less often selected for their "
            "results, so that this mean is thought less biased, not unbiased; and the bar itself rests on the average "
            "of all, which bias raises."
        )

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """Two means on the analysed scale.

        Parameters
        ----------
        level : float
            Coverage of the intervals.

        Returns
        -------
        DataFrame
            term ("all", "powered"), k, estimate, std_error, statistic, df, p_value, ci_low, ci_high. Both rows are the
            same where fewer than two effects are adequately powered.
        """
        frame = tidy(
            [self.all_estimate, self.estimate],
            [self.all_std_error, self.std_error],
            [self.all_df, self.df],
            _checks.level(level),
            null=self.effects.measure.null,
        )
        frame.insert(0, "term", ["all", "powered"])
        frame.insert(1, "k", [self.effects.k, int(self.powered.sum()) if self.restricted else self.effects.k])
        return frame

    def summary(self) -> SummaryTable:
        """The table that printing shows, on the scale shown to people."""
        frame = self.to_frame()
        names = {
            "all": f"all {self.effects.k} effects (UWLS)",
            "powered": f"the {int(self.powered.sum())} adequately powered (WAAP)",
        }
        shown = frame if self.restricted else frame.iloc[:1]
        labels = self.powered_frame["label"].tolist()
        more = f" and {len(labels) - _POWERED_ROWS} more" if len(labels) > _POWERED_ROWS else ""
        which = f": {', '.join(labels[:_POWERED_ROWS])}{more}" if labels else ""
        return SummaryTable(
            title=f"Weighted average of the adequately powered, {self.effects.k} effects",
            header=("", self.effects.measure.display_scale, "95% CI", "p"),
            rows=_rows(self.effects, shown, names),
            right=frozenset({1, 2, 3}),
            notes=(
                f"Adequately powered (power {number(100.0 * self.power, 0)}%, standard error at most "
                f"{number(self.largest_error)}): {len(labels)} of {self.effects.k}{which}.",
                *self.remarks,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class HenmiCopasMean(Finding):
    """The equal-effects mean with Henmi and Copas's interval, on the analysed scale (z for ``ZCOR``).

    Attributes
    ----------
    estimate : float
        Mean with weights 1 / variance.
    std_error : float
        Its standard error in the random-effects model.
    tau2 : float
        DerSimonian and Laird's.
    unadjusted : PooledEffect
        DerSimonian and Laird's random-effects model, with a z test.
    effects : EffectSizes
    cautions, notes : tuple of str
    """

    estimate: float
    std_error: float
    tau2: float
    unadjusted: PooledEffect

    @property
    def headline(self) -> str:
        """The mean with its interval, and the random-effects one."""
        frame = self.to_frame()
        return f"{_range(self.effects, frame, 1)}; random-effects mean {_range(self.effects, frame, 0, named=False)}"

    @property
    def sentence(self) -> str:
        """What was found, and what it can and cannot show."""
        frame = self.to_frame()
        return (
            f"With the weights of equal effects, by which small studies count least, the mean is "
            f"{_range(self.effects, frame, 1)}, against {_range(self.effects, frame, 0, named=False)} for the "
            "random-effects mean; the interval allows for heterogeneity. If small studies are selected for their "
            "results this mean is moved less than the other, but it is moved: nothing is corrected."
        )

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """Two means on the analysed scale.

        Parameters
        ----------
        level : float
            Coverage of the intervals.

        Returns
        -------
        DataFrame
            term ("random-effects", "henmi-copas"), estimate, std_error, tau2, ci_low, ci_high.
        """
        share, fit = _checks.level(level), self.unadjusted
        found = henmi_copas(self.effects.effect, self.effects.variance, share)
        low, high = fit.confidence_interval(share)
        return pd.DataFrame(
            {
                "term": ["random-effects", "henmi-copas"],
                "estimate": [fit.estimate, self.estimate],
                "std_error": [fit.std_error, self.std_error],
                "tau2": [fit.tau2, self.tau2],
                "ci_low": [low, float(found.low)],
                "ci_high": [high, float(found.high)],
            }
        )

    def summary(self) -> SummaryTable:
        """The table that printing shows, on the scale shown to people."""
        names = {
            "random-effects": "random-effects mean (DerSimonian-Laird, z)",
            "henmi-copas": "equal-effects weights, Henmi and Copas's interval",
        }
        return SummaryTable(
            title=f"Henmi and Copas's interval of the mean of {self.effects.k} effects",
            header=("", self.effects.measure.display_scale, "95% CI"),
            rows=tuple(row[:3] for row in _rows(self.effects, self.to_frame(), names)),
            right=frozenset({1, 2}),
            notes=(f"τ² = {small(self.tau2)} (DerSimonian-Laird).", *self.remarks),
        )


def _none_or_one(count: int) -> str:
    return "None" if count == 0 else "Only 1"


def _range(effects: EffectSizes, frame: pd.DataFrame, row: int, *, named: bool = True) -> str:
    """An estimate with its interval on the scale shown to people."""
    numbers = frame[["estimate", "ci_low", "ci_high"]].to_numpy(dtype=float)[row]
    estimate, low, high = effects.measure.to_display(numbers).tolist()
    text = f"{number(estimate)}, 95% CI [{number(low)}, {number(high)}]"
    return f"{effects.measure.display_scale} = {text}" if named else text


def _rows(effects: EffectSizes, frame: pd.DataFrame, names: dict[str, str]) -> tuple[tuple[str, ...], ...]:
    """Each term's name, estimate and interval on the scale shown to people, and its p value where it has one."""
    tests = frame["p_value"].tolist() if "p_value" in frame else [np.nan] * len(frame)
    shown = effects.measure.to_display(frame[["estimate", "ci_low", "ci_high"]].to_numpy(dtype=float))
    return tuple(
        (names[term], number(estimate), f"[{number(low)}, {number(high)}]", p_cell(p))
        for term, (estimate, low, high), p in zip(frame["term"].tolist(), shown.tolist(), tests, strict=True)
    )
