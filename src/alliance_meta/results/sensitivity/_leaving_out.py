"""`LeaveOneOut` and `Cumulative`: the pooled effect without each study, and as studies are added."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alliance_meta import _checks
from alliance_meta._tables import SummaryTable, number, small
from alliance_meta.results._finding import Finding
from alliance_meta.results._pooled import PooledEffect
from alliance_meta.results._tidy import tidy
from alliance_meta.results.sensitivity._shown import (
    cell_text,
    counted,
    how_fitted,
    interval_text,
    named,
    shown,
    side_words,
    sides,
)
from alliance_meta.stats.influence import SubsetFits

__all__ = ["Cumulative", "LeaveOneOut"]

_ROWS_SHOWN = 20
_STEPS_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class _Subsets(Finding, ABC):
    """Fits to some of the effects, beside the fit to all. All numbers are on the analysed scale (z for ``ZCOR``).

    Attributes
    ----------
    by : str
    labels : tuple of str
        One a fit.
    fits : SubsetFits
        estimate, std_error, df, tau2, i2, h2, q_statistic and k of each, arrays of shape (B,).
    whole : PooledEffect
        Of all effects, by the same estimator and test.
    """

    by: str
    labels: tuple[str, ...]
    fits: SubsetFits
    whole: PooledEffect

    def _numbers(self, level: float) -> pd.DataFrame:
        fits = self.fits
        tested = tidy(fits.estimate, fits.std_error, fits.df, _checks.level(level), null=self.effects.measure.null)
        tested.insert(0, "k", fits.k.astype(int))
        return tested.assign(tau2=fits.tau2, i2=fits.i2, h2=fits.h2, q_statistic=fits.q_statistic)

    def conclusions(self, level: float = 0.95) -> list[str]:
        """Where each interval stands to no effect: ``"above"``, ``"below"``, ``"not told"``; ``""`` without one."""
        frame = self._numbers(level)
        return sides(frame["ci_low"].to_numpy(), frame["ci_high"].to_numpy(), self.effects.measure.null)

    def on_display_scale(self, level: float = 0.95) -> pd.DataFrame:
        """`to_frame` with estimates and intervals on the scale shown to people; std_error is left out."""
        frame = self.to_frame(level).drop(columns="std_error")
        columns = ["estimate", "ci_low", "ci_high"]
        frame[columns] = self.effects.measure.to_display(frame[columns].to_numpy())
        return frame

    @abstractmethod
    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """One row a fit, on the analysed scale."""

    @property
    def _how(self) -> str:
        return how_fitted(self.whole)

    def _row(self, frame: pd.DataFrame, i: int) -> tuple[str, ...]:
        row = frame.iloc[i]
        return (
            str(int(row["k"])),
            shown(self.effects, row["estimate"], 3),
            interval_text(self.effects, row["ci_low"], row["ci_high"]),
            small(row["tau2"]),
            f"{number(row['i2'], 1)}%" if row["i2"] == row["i2"] else "–",
            number(row["q_statistic"], 2),
        )

    @property
    def _with_all(self) -> tuple[str, ...]:
        fit = self.whole
        return (
            str(fit.k),
            shown(self.effects, fit.estimate, 3),
            interval_text(self.effects, *fit.confidence_interval()),
            small(fit.tau2),
            f"{number(fit.i2, 1)}%",
            number(fit.q_statistic, 2),
        )

    @property
    def _header(self) -> tuple[str, ...]:
        return "k", self.effects.measure.display_scale, "95% CI", "τ²", "I²", "Q"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class LeaveOneOut(_Subsets):
    """The pooled effect without each study in turn. All numbers are on the analysed scale (z for ``ZCOR``).

    Attributes
    ----------
    by : str
        The column that names the studies, or ``"effect"``.
    labels : tuple of str
        What is left out of each fit.
    fits : SubsetFits
        estimate, std_error, df, tau2, i2, h2, q_statistic and k without each, arrays of shape (B,).
    whole : PooledEffect
        With all.
    """

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """One row a study left out, on the analysed scale.

        Returns
        -------
        DataFrame
            without, k, estimate, std_error, statistic, df, p_value, ci_low, ci_high, tau2, i2 (percent), h2,
            q_statistic.
        """
        frame = self._numbers(level)
        frame.insert(0, "without", list(self.labels))
        return frame

    def changed(self, level: float = 0.95) -> tuple[str, ...]:
        """Those without which the conclusion changes: whether the interval lies above, below or around no effect."""
        whole = self._side(level)
        return tuple(
            label
            for label, side in zip(self.labels, self.conclusions(level), strict=True)
            if side and whole and side != whole
        )

    def _side(self, level: float) -> str:
        low, high = self.whole.confidence_interval(level)
        return sides(np.array([low]), np.array([high]), self.effects.measure.null)[0]

    @property
    def headline(self) -> str:
        """The range of the estimates."""
        estimate, own = self.fits.estimate, self.effects
        if np.isnan(estimate).all():
            return "no fit could be made"
        low, high = shown(own, float(np.nanmin(estimate)), 3), shown(own, float(np.nanmax(estimate)), 3)
        scale = own.measure.display_scale
        return f"{scale} from {low} to {high} without one of {counted(len(self.labels), self.by)}"

    @property
    def sentence(self) -> str:
        """Between which bounds the estimate moves, whether the conclusion does, and what that leaves open."""
        own, estimate = self.effects, self.fits.estimate
        if np.isnan(estimate).all():
            return "Without any one study no fit could be made."
        low, high = int(np.nanargmin(estimate)), int(np.nanargmax(estimate))
        decimals = 2 if shown(own, estimate[low]) != shown(own, estimate[high]) else 3
        least, most, whole = (shown(own, each, decimals) for each in (*estimate[[low, high]], self.whole.estimate))
        span = (
            f"Left out one at a time, {counted(len(self.labels), self.by)} move {own.measure.display_scale} between "
            f"{least} (without {named([self.labels[low]])}) and {most} (without {named([self.labels[high]])}); with "
            f"all it is {whole}. "
        )
        side, changed = self._side(0.95), self.changed()
        if not side:
            return f"{span}There is no interval to compare."
        if changed:
            which = "" if len(changed) == 1 else "either of " if len(changed) == 2 else "any one of "
            return (
                f"{span}The 95% interval {side_words(own, side)} with all, but not without {which}{named(changed)}: a "
                "conclusion that hangs on one study is no stronger than that study."
            )
        return (
            f"{span}The 95% interval {side_words(own, side)} whichever is left out: no single one decides this, "
            "though several together still may: see fragility()."
        )

    def summary(self) -> SummaryTable:
        """Those that move the estimate most come first."""
        frame = self.to_frame()
        moved = np.abs(self.fits.estimate - self.whole.estimate)
        order = np.argsort(-np.nan_to_num(moved, nan=np.inf), kind="stable")[:_ROWS_SHOWN].tolist()
        changed = set(self.changed())
        rows = [(f"{'* ' if self.labels[i] in changed else ''}{self.labels[i]}", *self._row(frame, i)) for i in order]
        hidden = len(self.labels) - len(order)
        more = (f"and {hidden} more that move it less: see to_frame()",) if hidden else ()
        starred = (
            ("* without it the conclusion changes: whether the interval lies above, below or around no effect.",)
            if changed
            else ()
        )
        return SummaryTable(
            title=f"Pooled effect with one {self.by} left out: {counted(len(self.labels), self.by)}, "
            "those that move it most first",
            header=("without", *self._header),
            rows=(*rows, ("– (all)", *self._with_all)),
            right=frozenset(range(1, 7)),
            notes=(*more, *starred, *self.remarks, self._how),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Cumulative(_Subsets):
    """The pooled effect as studies are added. All numbers are on the analysed scale (z for ``ZCOR``).

    Attributes
    ----------
    by : str
        The column that orders the effects.
    descending : bool
    labels : tuple of str
        What is added at each step.
    cells : tuple
        Of column `by`, that of each.
    rows : tuple of int
        Positions of the effects in the table, in the order of their addition.
    fits : SubsetFits
        estimate, std_error, df, tau2, i2, h2, q_statistic and k at each step, arrays of shape (k,).
    whole : PooledEffect
        The last step.
    """

    descending: bool
    cells: tuple[object, ...]
    rows: tuple[int, ...]

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """One row a step, on the analysed scale.

        Returns
        -------
        DataFrame
            added, value (of column `by`), k, estimate, std_error, statistic, df, p_value, ci_low, ci_high, tau2, i2
            (percent), h2, q_statistic.
        """
        frame = self._numbers(level)
        frame.insert(0, "added", list(self.labels))
        frame.insert(1, "value", list(self.cells))
        return frame

    def settled(self, level: float = 0.95) -> int:
        """From which number of effects on every estimate lies within the interval of all effects; 0 for none."""
        low, high = self.whole.confidence_interval(level)
        inside = (self.fits.estimate >= low) & (self.fits.estimate <= high)
        return self._since(inside.tolist())

    def decided(self, level: float = 0.95) -> int:
        """From which number of effects on the conclusion is that of all effects; 0 for none."""
        found = self.conclusions(level)
        return self._since([side == found[-1] and side != "" for side in found])

    @staticmethod
    def _since(holds: list[bool]) -> int:
        fails = [i for i, each in enumerate(holds) if not each]
        first = fails[-1] + 2 if fails else 1
        return first if first <= len(holds) else 0

    @property
    def headline(self) -> str:
        """First and last estimate."""
        own, fits = self.effects, self.fits
        ends = " to ".join(f"{shown(own, fits.estimate[i], 3)} (k = {int(fits.k[i])})" for i in (0, -1))
        return f"by {self.by}, {own.measure.display_scale} from {ends}"

    @property
    def sentence(self) -> str:
        """Since when the estimate and the conclusion are what they are at the end, and what that cannot show."""
        own, k = self.effects, len(self.labels)
        if k < 3:
            return "Too few effects to see a course."
        start = (
            f"Effects added by {self.by} ({'descending, ' if self.descending else ''}{cell_text(self.cells[0])} to "
            f"{cell_text(self.cells[-1])})"
        )
        settled, decided = self.settled(), self.decided()
        if not settled:
            return f"{start}: there is no interval to compare with."
        side = self.conclusions()[-1]
        low, high = self.whole.confidence_interval()
        course = (
            f"{start}: from the {_ordinal(settled)} of {k} on, {own.measure.display_scale} stays within the final 95% "
            f"interval, {interval_text(own, low, high, 2)}; from the {_ordinal(decided)} on, "
            f"the interval {side_words(own, side)}."
        )
        return (
            f"{course} Each step looks again at the same data, so early intervals are not tests; and a drift need not "
            f"come from {self.by} itself, since methods and samples change along with it."
        )

    def summary(self) -> SummaryTable:
        """The last steps, the first above."""
        frame = self.to_frame()
        first = max(len(self.labels) - _STEPS_SHOWN, 0)
        rows = [
            (self.labels[i], cell_text(self.cells[i]), *self._row(frame, i)) for i in range(first, len(self.labels))
        ]
        more = (f"and {counted(first, 'earlier step')}: see to_frame()",) if first else ()
        way = ", descending" if self.descending else ""
        return SummaryTable(
            title=f"Pooled effect as {counted(len(self.labels), 'effect')} are added by {self.by}{way}",
            header=("added", self.by, *self._header),
            rows=tuple(rows),
            right=frozenset(range(1, 8)),
            notes=(*more, *self.remarks, self._how),
        )


def _ordinal(n: int) -> str:
    ending = "th" if 10 <= n % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{ending}"
