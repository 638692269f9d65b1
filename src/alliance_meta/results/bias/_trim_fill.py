"""`TrimAndFill`: how many effects one side of the funnel lacks, and what the mean would be with their mirror images."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import Literal

import pandas as pd

from alliance_meta._tables import SummaryTable, number, p_cell, p_value, small
from alliance_meta.results._finding import Finding
from alliance_meta.results._pooled import PooledEffect

__all__ = ["MISSING_COUNTS", "MissingCount", "Side", "TrimAndFill"]

MissingCount = Literal["L0", "R0", "Q0"]
Side = Literal["left", "right"]

MISSING_COUNTS: dict[MissingCount, str] = {
    "L0": "linear in the sum of ranks",
    "R0": "from the run of the largest ranks",
    "Q0": "quadratic in the sum of ranks",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class TrimAndFill(Finding):
    """What trim and fill makes of the funnel. All numbers are on the analysed scale (z for ``ZCOR``).

    Attributes
    ----------
    estimator : {"L0", "R0", "Q0"}
        Of the number of missing effects.
    side : {"left", "right"}
        Where effects are missing: among the smallest or among the largest.
    side_given : bool
        Whether the caller said so, rather than the slope of effects on standard errors.
    missing : int
        Estimated number of missing effects (k0).
    missing_error : float
        Its standard error; NaN where the number, before it becomes 0, is too far below 0 to have one.
    p_value : float
        Of the test that none is missing on that side, which ``"R0"`` alone has; else NaN.
    center : float
        Mean about which the most extreme effects were mirrored.
    iterations : int
    before, after : PooledEffect
        The pooled effect of the effects, and with those that were filled in.
    effects : EffectSizes
    cautions, notes : tuple of str
    """

    estimator: MissingCount
    side: Side
    side_given: bool
    missing: int
    missing_error: float
    p_value: float
    center: float
    iterations: int
    before: PooledEffect
    after: PooledEffect

    @property
    def imputed(self) -> pd.DataFrame:
        """The effects that were filled in, found by no study.

        Returns
        -------
        DataFrame
            label ("mirror image of ..."), effect, variance; empty where none is missing.
        """
        table = self.after.effects.table
        return table.loc[table["route"] == "filled", ["label", "effect", "variance"]].reset_index(drop=True)

    @property
    def headline(self) -> str:
        """The number of missing effects, and the mean before and after."""
        found = f"{self.missing} missing on the {self.side} ({self.estimator})"
        if not self.missing:
            return f"{found}, {_shown(self.before)}"
        return f"{found}, {_shown(self.before)} becomes {_shown(self.after, named=False)}"

    @property
    def sentence(self) -> str:
        """What was found, and what it can and cannot show."""
        if not self.missing:
            return (
                f"Trim and fill ({self.estimator}) finds no effect missing on the {self.side} of the funnel, so the "
                f"mean stays at {_shown(self.before)}. This does not show that none is missing: the method sees only "
                "asymmetry of the funnel on that side."
            )
        one = self.missing == 1
        return (
            f"Trim and fill ({self.estimator}) takes {_counted(self.missing)} to be missing on the {self.side} of the "
            f"funnel; with {'a mirror image' if one else 'mirror images'} of the most extreme "
            f"{'effect' if one else 'effects'} in {'its' if one else 'their'} place, {_shown(self.before)} becomes "
            f"{_shown(self.after, named=False)}. This shows how far the mean would move if the funnel were lopsided "
            "because the most extreme effects on one side were not published, and only then; it is not a corrected "
            "estimate."
        )

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """Two rows, the mean before and after, on the analysed scale.

        Parameters
        ----------
        level : float
            Coverage of the intervals.

        Returns
        -------
        DataFrame
            term ("observed", "filled"), k, estimate, std_error, statistic, df, p_value, ci_low, ci_high, tau2, i2.
        """
        rows = []
        for term, fit in (("observed", self.before), ("filled", self.after)):
            row = fit.to_frame(level).iloc[0].to_dict()
            rows.append({**row, "term": term, "tau2": fit.tau2, "i2": fit.i2})
        frame = pd.DataFrame(rows)
        frame.insert(1, "k", [self.before.k, self.after.k])
        return frame

    def summary(self) -> SummaryTable:
        """The table that printing shows, on the scale shown to people."""
        own = self.effects.measure
        rows = []
        fits = [("as observed", self.before), (f"with {self.missing} filled in", self.after)]
        for name, fit in fits if self.missing else fits[:1]:
            shown = fit.on_display_scale()
            rows.append(
                (
                    name,
                    str(fit.k),
                    number(shown.estimate),
                    f"[{number(shown.ci_low)}, {number(shown.ci_high)}]",
                    p_cell(fit.p_value),
                    small(fit.tau2),
                    number(fit.i2, 1),
                )
            )
        error = "" if isnan(self.missing_error) else f" (std. error {number(self.missing_error, 2)})"
        test = "" if isnan(self.p_value) else f"; test that none is missing: p {p_value(self.p_value)}"
        chosen = "as asked" if self.side_given else "chosen by the slope of effects on standard errors"
        return SummaryTable(
            title=f"Trim and fill of {self.effects.k} effects",
            header=("", "k", own.display_scale, "95% CI", "p", "τ²", "I² %"),
            rows=tuple(rows),
            right=frozenset(range(1, 7)),
            notes=(
                f"Missing on the {self.side} ({chosen}), by {self.estimator}: {self.missing}{error}{test}.",
                *self.remarks,
            ),
        )


def _shown(fit: PooledEffect, *, named: bool = True) -> str:
    shown = fit.on_display_scale()
    interval = f"{number(shown.estimate)}, 95% CI [{number(shown.ci_low)}, {number(shown.ci_high)}]"
    return f"{shown.scale} = {interval}" if named else interval


def _counted(missing: int) -> str:
    return "1 effect" if missing == 1 else f"{missing} effects"
