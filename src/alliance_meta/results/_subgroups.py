"""`Subgroups`: pooled effects of groups of studies, and the test of their differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import inf
from typing import Literal

import numpy as np
import pandas as pd

from alliance_meta import _checks
from alliance_meta._tables import number
from alliance_meta.design._columns import label_of
from alliance_meta.design._pieces import Level
from alliance_meta.effects import EffectSizes
from alliance_meta.results import _margins, _subgroup_words
from alliance_meta.results._interval import DisplayScale, Interval
from alliance_meta.results._pooled import PooledEffect
from alliance_meta.results._regression import MetaRegression
from alliance_meta.results._tidy import tidy
from alliance_meta.results._vocabulary import ADJUSTMENTS, Adjustment, Tau2Method, TestMethod
from alliance_meta.results._wald import WaldTest
from alliance_meta.stats.inference import critical_value

__all__ = ["SUBGROUP_TAU2", "Subgroup", "SubgroupSettings", "SubgroupTau2", "Subgroups"]

SubgroupTau2 = Literal["pooled", "separate"]

SUBGROUP_TAU2: dict[SubgroupTau2, str] = {
    "pooled": "one between-study variance, common to the groups",
    "separate": "a between-study variance in each group",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SubgroupSettings:
    """Every option a subgroup analysis was computed with."""

    by: str
    tau2: SubgroupTau2
    tau2_method: Tau2Method
    test: TestMethod


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subgroup:
    """The pooled effect of one group. All numbers are on the analysed scale (z for ``ZCOR``).

    Attributes
    ----------
    name : str, bool, int or float
        The cell of the column that makes the groups.
    estimate, std_error : float
    statistic, df, p_value : float
        Test of the measure's null value; `df` is infinite for a z test.
    prediction_df : float
        Degrees of freedom of the prediction interval.
    tau2 : float
        Of the group, or common to the groups; NaN in a group of one study without a common one.
    i2, h2 : float
        From `tau2` and the group's own sampling variances: I2 in percent, H2 a ratio.
    q_statistic, q_df, q_p_value : float
        Cochran's Q within the group.
    k : int
    n : float
        Total sample size, NaN where the table does not say.
    effects : EffectSizes
        The group's own.
    """

    name: Level
    estimate: float
    std_error: float
    statistic: float
    df: float
    p_value: float
    prediction_df: float
    tau2: float
    i2: float
    h2: float
    q_statistic: float
    q_df: float
    q_p_value: float
    k: int
    n: float
    effects: EffectSizes

    @property
    def label(self) -> str:
        """The name as text; 3.0 is shown as 3."""
        return label_of(self.name)

    def confidence_interval(self, level: float = 0.95) -> Interval:
        """Interval of the group's mean effect, by the chosen test."""
        half = float(critical_value(_checks.level(level), self.df)) * self.std_error
        return Interval(low=self.estimate - half, high=self.estimate + half, level=level, kind="confidence")

    def prediction_interval(self, level: float = 0.95) -> Interval:
        """Interval for the true effect of a new study of the group: t with `prediction_df` degrees of freedom."""
        wide = float(critical_value(_checks.level(level), self.prediction_df)) * float(
            np.sqrt(self.tau2 + self.std_error**2)
        )
        return Interval(low=self.estimate - wide, high=self.estimate + wide, level=level, kind="prediction")

    def on_display_scale(self, level: float = 0.95) -> DisplayScale:
        """The estimate and its intervals on the scale shown to people (r for Fisher's z)."""
        measure = self.effects.measure
        numbers = [self.estimate, *self.confidence_interval(level), *self.prediction_interval(level)]
        estimate, ci_low, ci_high, pi_low, pi_high = map(float, measure.to_display(numbers))
        return DisplayScale(
            scale=measure.display_scale,
            estimate=estimate,
            ci_low=ci_low,
            ci_high=ci_high,
            pi_low=pi_low,
            pi_high=pi_high,
            level=level,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subgroups:
    """Pooled effects of groups of studies. All numbers are on the analysed scale (z for ``ZCOR``).

    Attributes
    ----------
    members : tuple of Subgroup
        The groups' numbers, in the order of the data or of the categories.
    between : WaldTest
        Test that the groups have the same mean: with tau2 in each group chi-square (Q between); with a common tau2
        that of the regression, F unless the test is ``"z"``.
    overall : PooledEffect
        All effects, without groups.
    fits : tuple of PooledEffect
        Each group pooled by itself; empty with a common tau2.
    regression : MetaRegression or None
        The regression on the groups, whose tau2 is the common one; None with a tau2 in each group.
    settings : SubgroupSettings
    notes : tuple of str
    """

    members: tuple[Subgroup, ...]
    between: WaldTest
    overall: PooledEffect
    fits: tuple[PooledEffect, ...]
    regression: MetaRegression | None
    settings: SubgroupSettings
    notes: tuple[str, ...]

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups' names, as text."""
        return tuple(member.label for member in self.members)

    @property
    def effects(self) -> EffectSizes:
        """All effects."""
        return self.overall.effects

    def group(self, name: Level) -> Subgroup:
        """One group by its name, as it stands in the table or as text."""
        for member in self.members:
            if member.name == name:
                return member
        return self.members[self.groups.index(_checks.known_name("group", name, self.groups))]

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """One tidy row a group, on the analysed scale.

        Parameters
        ----------
        level : float
            Coverage of the intervals.

        Returns
        -------
        DataFrame
            group, k, n, estimate, std_error, statistic, df, p_value, ci_low, ci_high, pi_low, pi_high, tau2, i2, h2,
            q_statistic, q_df, q_p_value.
        """
        rows = []
        for member in self.members:
            row = {"group": member.name}
            for name in ("k", "n", "estimate", "std_error", "statistic", "df", "p_value"):
                row[name] = getattr(member, name)
            row["ci_low"], row["ci_high"] = member.confidence_interval(level)
            row["pi_low"], row["pi_high"] = member.prediction_interval(level)
            for name in ("tau2", "i2", "h2", "q_statistic", "q_df", "q_p_value"):
                row[name] = getattr(member, name)
            rows.append(row)
        return pd.DataFrame(rows)

    def on_display_scale(self, level: float = 0.95) -> pd.DataFrame:
        """Group, estimate, ci_low, ci_high, pi_low, pi_high on the scale shown to people (r for Fisher's z)."""
        frame = self.to_frame(level)[["group", "estimate", "ci_low", "ci_high", "pi_low", "pi_high"]]
        numbers = frame.drop(columns="group").to_numpy(dtype=float)
        return frame.assign(
            **dict(zip(frame.columns[1:], self.effects.measure.to_display(numbers).T, strict=True)),
        )

    def contrasts(self, level: float = 0.95, *, adjust: Adjustment | str = "holm") -> pd.DataFrame:
        """All pairwise differences of the groups' means.

        Parameters
        ----------
        level : float
            Of the intervals, which are not adjusted.
        adjust : {"holm", "bonferroni", "sidak", "holm-sidak", "simes-hochberg", "hommel", "fdr_bh", "fdr_by", "none"}
            Of the p values, by statsmodels' `multipletests`.

        Returns
        -------
        DataFrame
            contrast, estimate, std_error, statistic, df, p_value, p_adjusted, ci_low, ci_high. With a tau2 in each
            group the groups are independent and their standard errors taken as known, so that df is infinite, as for
            `between`.
        """
        if self.regression is not None:
            return self.regression.contrasts(self.settings.by, level, adjust=adjust)
        adjust = _checks.known_name("adjustment", adjust, ADJUSTMENTS)
        frame = _differences(self.members, _checks.level(level))
        frame.insert(list(frame.columns).index("ci_low"), "p_adjusted", _margins.adjusted(frame["p_value"], adjust))
        return frame

    def to_apa(self, level: float = 0.95) -> str:
        """Sentences fit for a paper, in APA style."""
        return _subgroup_words.apa_sentence(self, _checks.level(level))

    def to_r(self) -> str:
        """R code that repeats this analysis with metafor, data included."""
        return _subgroup_words.r_code(self)

    def __repr__(self) -> str:
        scale = self.effects.measure.display_scale
        shown = zip(self.groups, self.on_display_scale()["estimate"], strict=True)
        means = ", ".join(f"{group} {number(estimate, 3)}" for group, estimate in shown)
        how = f"{self.settings.tau2} tau2, {self.settings.tau2_method}, {self.settings.test}"
        caveat = f"; {self.effects.caveat}" if self.effects.caveat else ""
        return f"<Subgroups by {self.settings.by!r}: {scale} = {means}; {self.between.text} ({how}){caveat}>"

    def __str__(self) -> str:
        return _subgroup_words.summary_table(self).to_text()

    def _repr_html_(self) -> str:
        return _subgroup_words.summary_table(self).to_html()

    def to_markdown(self) -> str:
        """The summary as a Markdown table."""
        return _subgroup_words.summary_table(self).to_markdown()


def _differences(members: Sequence[Subgroup], level: float) -> pd.DataFrame:
    """Each later group less each earlier one, as independent estimates with known standard errors."""
    pairs = list(combinations(members, 2))
    estimate = np.array([later.estimate - earlier.estimate for earlier, later in pairs])
    std_error = np.array([np.hypot(later.std_error, earlier.std_error) for earlier, later in pairs])
    frame = tidy(estimate, std_error, inf, level)
    frame.insert(0, "contrast", [f"{later.label} - {earlier.label}" for earlier, later in pairs])
    return frame
