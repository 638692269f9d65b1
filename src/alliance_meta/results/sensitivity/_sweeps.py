"""`CorrelationSweep`, `ReliabilitySweep` and `Fragility`: what assumptions, and few studies, do to a conclusion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from alliance_meta import _checks
from alliance_meta._tables import SummaryTable, number, p_cell, p_value, small
from alliance_meta.results._finding import Finding
from alliance_meta.results._pooled import PooledEffect
from alliance_meta.results._tidy import tidy
from alliance_meta.results.sensitivity._shown import (
    counted,
    how_fitted,
    interval_text,
    named,
    null_text,
    shown,
    side_words,
    sides,
)
from alliance_meta.stats._arrays import FloatArray

__all__ = ["CorrelationSweep", "Fragility", "ReliabilitySweep"]

_NAMED = 12
_FIRST = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class _Sweep(Finding):
    """Estimates over assumed values. All numbers are on the analysed scale (z for ``ZCOR``).

    Attributes
    ----------
    assumed : DataFrame
        What is assumed for each fit, and the number of effects k.
    estimate, std_error, df : ndarray
        NaN where a fit cannot be made; `notes` say why.
    """

    assumed: pd.DataFrame
    estimate: FloatArray
    std_error: FloatArray
    df: FloatArray

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """One row a fit: what is assumed, estimate, std_error, statistic, df, p_value, ci_low, ci_high, conclusion.

        The conclusion is ``"above"``, ``"below"`` or ``"not told"`` from no effect; ``""`` where there is no interval.
        """
        null = self.effects.measure.null
        tested = tidy(self.estimate, self.std_error, self.df, _checks.level(level), null=null)
        frame = pd.concat([self.assumed.reset_index(drop=True), tested], axis=1)
        return frame.assign(conclusion=sides(tested["ci_low"].to_numpy(), tested["ci_high"].to_numpy(), null))

    def on_display_scale(self, level: float = 0.95) -> pd.DataFrame:
        """The same with estimate and interval on the scale shown to people; std_error is left out."""
        frame = self.to_frame(level).drop(columns="std_error")
        columns = ["estimate", "ci_low", "ci_high"]
        frame[columns] = self.effects.measure.to_display(frame[columns].to_numpy())
        return frame

    @property
    def headline(self) -> str:
        """The range of the estimates."""
        low, high = (shown(self.effects, float(end(self.estimate)), 3) for end in (np.nanmin, np.nanmax))
        return f"{self.effects.measure.display_scale} from {low} to {high} in {counted(len(self.estimate), 'fit')}"

    def _conclusion(self) -> str:
        """Whether all intervals say the same, as a sentence."""
        found = [side for side in self.to_frame()["conclusion"] if side]
        kinds = list(dict.fromkeys(found))
        if len(kinds) == 1:
            return f"The 95% interval {side_words(self.effects, kinds[0])} in all {len(found)} fits."
        parts = [f"{side_words(self.effects, kind)} in {found.count(kind)}" for kind in kinds]
        return f"The conclusion hangs on what is assumed: the 95% interval {', and '.join(parts)} of {len(found)} fits."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class CorrelationSweep(_Sweep):
    """The pooled effect over assumed correlations of a study's effects. On the analysed scale (z for ``ZCOR``).

    Attributes
    ----------
    assumed : DataFrame
        model, correlation and k of each fit.
    estimate, std_error, df : ndarray
    shared : int
        Effects that share a study with others.
    """

    shared: int

    @property
    def models(self) -> tuple[str, ...]:
        """The models, in order; each is a curve over the correlations."""
        return tuple(dict.fromkeys(self.assumed["model"]))

    def spans(self) -> pd.DataFrame:
        """How far each model moves: model, low and high (estimates, analysed scale), the correlations they have."""
        frame = self.assumed.assign(estimate=self.estimate)
        rows = []
        for model, part in frame.groupby("model", sort=False):
            estimate = part["estimate"].to_numpy()
            least, most = part.iloc[int(estimate.argmin())], part.iloc[int(estimate.argmax())]
            rows.append(
                {
                    "model": model,
                    "low": least["estimate"],
                    "high": most["estimate"],
                    "at_low": least["correlation"],
                    "at_high": most["correlation"],
                }
            )
        return pd.DataFrame(rows)

    @property
    def sentence(self) -> str:
        """How far each model moves over the correlations, and whether the conclusion does."""
        own, rho = self.effects, self.assumed["correlation"]
        spans = "; ".join(
            f"{row['model']} {shown(own, row['low'])} to {shown(own, row['high'])}"
            for row in self.spans().to_dict("records")
        )
        return (
            f"Over assumed correlations of {rho.min():g} to {rho.max():g} within studies, "
            f"{own.measure.display_scale} runs from: {spans}. {self._conclusion()} The sweep shows how much the "
            "unknown correlation matters, not what it is."
        )

    def summary(self) -> SummaryTable:
        """One row a model and correlation."""
        rows = [
            (
                str(row["model"]),
                f"{row['correlation']:g}",
                str(row["k"]),
                number(float(row["estimate"]), 3),
                f"[{number(float(row['ci_low']), 3)}, {number(float(row['ci_high']), 3)}]",
                f"{row['df']:.3g}",
                p_cell(float(row["p_value"])),
            )
            for row in self.on_display_scale().to_dict("records")
        ]
        return SummaryTable(
            title=f"{self.effects.k} effects, {self.shared} of which share a study, over assumed correlations",
            header=("model", "correlation", "k", self.effects.measure.display_scale, "95% CI", "df", "p"),
            rows=tuple(rows),
            right=frozenset(range(1, 7)),
            notes=self.remarks,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ReliabilitySweep(_Sweep):
    """The pooled correlation corrected for assumed reliabilities. On the analysed scale (z for ``ZCOR``).

    Attributes
    ----------
    assumed : DataFrame
        reliability_x, reliability_y and k of each fit.
    estimate, std_error, df : ndarray
    uncorrected : PooledEffect
    """

    uncorrected: PooledEffect

    @property
    def sentence(self) -> str:
        """What the correction makes of the correlation, and what it cannot know."""
        own = self.effects
        known = ~np.isnan(self.estimate)
        if not known.any():
            return "No assumed pair of reliabilities leaves possible correlations."
        magnitude = np.where(known, np.abs(self.estimate), np.nan)
        ends = []
        for i in dict.fromkeys((int(np.nanargmin(magnitude)), int(np.nanargmax(magnitude)))):
            row = self.assumed.iloc[i]
            where = f"reliabilities of {row['reliability_x']:g} and {row['reliability_y']:g}"
            ends.append(f"{shown(own, self.estimate[i])} ({where})")
        return (
            f"As reported, r = {shown(own, self.uncorrected.estimate)}; corrected, {' to '.join(ends)}. "
            f"{self._conclusion()} One reliability for every study is assumed, not known; the correction makes "
            "correlations larger, not surer."
        )

    def grid(self) -> pd.DataFrame:
        """Estimates on the scale shown to people: a row for each reliability of x, a column for each of y."""
        x, y = (pd.Index(self.assumed[name].unique(), name=name) for name in ("reliability_x", "reliability_y"))
        values = self.effects.measure.to_display(self.estimate).reshape(len(x), len(y))
        return pd.DataFrame(values, index=x, columns=y)

    def summary(self) -> SummaryTable:
        """A row for each reliability of x, a column for each of y."""
        own, frame = self.effects, self.to_frame()
        across = list(dict.fromkeys(frame["reliability_y"]))
        rows = []
        for x, part in frame.groupby("reliability_x", sort=False):
            cells = [
                f"{shown(own, row['estimate'])} {interval_text(own, row['ci_low'], row['ci_high'], 2)}"
                for row in part.to_dict("records")
            ]
            rows.append((f"{x:g}", *("–" if cell.startswith("–") else cell for cell in cells)))
        return SummaryTable(
            title=f"Pooled correlation of {self.effects.k} effects, corrected for assumed reliabilities",
            header=("reliability of x", *(f"y: {y:g}" for y in across)),
            rows=tuple(rows),
            right=frozenset(range(1, len(across) + 1)),
            notes=(
                *self.remarks,
                f"95% intervals; {how_fitted(self.uncorrected)}",
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Fragility(Finding):
    """The fewest studies whose removal changes the conclusion.

    Attributes
    ----------
    level : float
        Of the interval whose place to no effect is the conclusion.
    by : str
        The column that names what is removed, or ``"effect"``.
    units : int
        How many there are to remove.
    removed : tuple of str
        Those of the clearest change found; empty where none was.
    exact : bool
        Whether no fewer change the conclusion: all smaller sets were tried. Without any removed, whether no set at all
        changes it. Else the number is an upper bound.
    at_least : int
        No set of fewer than this many changes the conclusion.
    sets : int or None
        How many sets of this size change it; None where they were not all tried.
    before, after : {"above", "below", "not told"}
        Where the interval stands to no effect with all, and without those removed.
    with_all : PooledEffect
    without : PooledEffect or None
    """

    level: float
    by: str
    units: int
    removed: tuple[str, ...]
    exact: bool
    at_least: int
    sets: int | None
    before: str
    after: str
    with_all: PooledEffect
    without: PooledEffect | None

    @property
    def count(self) -> int | None:
        """How many are removed; None where no set was found."""
        return len(self.removed) or None

    @property
    def share(self) -> float:
        """The count in percent of all; NaN where no set was found."""
        return 100.0 * len(self.removed) / self.units if self.removed else float("nan")

    def to_frame(self) -> pd.DataFrame:
        """The fits with all and without those removed, on the analysed scale.

        Returns
        -------
        DataFrame
            fit, removed (a number), exact, k, estimate, std_error, ci_low, ci_high, p_value, tau2, conclusion.
        """
        fits = [("all", 0, self.before, self.with_all)]
        if self.without is not None:
            fits.append(("without", len(self.removed), self.after, self.without))
        rows = []
        for name, gone, side, fit in fits:
            low, high = fit.confidence_interval(self.level)
            rows.append(
                {
                    "fit": name,
                    "removed": gone,
                    "exact": self.exact,
                    "k": fit.k,
                    "estimate": fit.estimate,
                    "std_error": fit.std_error,
                    "ci_low": low,
                    "ci_high": high,
                    "p_value": fit.p_value,
                    "tau2": fit.tau2,
                    "conclusion": side,
                }
            )
        return pd.DataFrame(rows)

    @property
    def headline(self) -> str:
        """The number, and whether it is exact."""
        if not self.removed:
            return "no removal changes the conclusion" if self.exact else "no removal found that changes the conclusion"
        bound = "exact" if self.exact else f"an upper bound; at least {self.at_least}"
        return f"removing {len(self.removed)} of {counted(self.units, self.by)} changes the conclusion ({bound})"

    @property
    def sentence(self) -> str:
        """How few are enough, which they are, and what the number is not."""
        own, percent = self.effects, f"{100 * self.level:g}%"
        start = f"With all, the {percent} interval {side_words(own, self.before)}"
        if not self.removed:
            reach = "whatever is left out" if self.exact else "in every removal tried"
            return f"{start}; it stays so {reach}, as long as two effects remain."
        few = "1 is" if len(self.removed) == 1 else f"{len(self.removed)} are"
        which_ones = named(self.removed, _NAMED if len(self.removed) <= _NAMED else _FIRST)
        how = "and no fewer do" if self.exact else f"though fewer might do (at least {self.at_least})"
        if self.exact and len(self.removed) == 1:
            how = "the fewest there can be"
        which = (
            f" {self.sets} sets of that size do so." if self.sets and self.sets > 1 and len(self.removed) > 1 else ""
        )
        if self.sets and self.sets > 1 and len(self.removed) == 1:
            which = f" {self.sets} of them would each do so alone."
        return (
            f"{start}; {few} enough to change that, {how}: without {which_ones} it "
            f"{side_words(own, self.after)}.{which} They are chosen for their results, so this is no test and no "
            f"estimate: it says how many studies stand between the interval and {null_text(own)}."
        )

    def summary(self) -> SummaryTable:
        """Both fits, then what is removed."""
        own = self.effects
        rows = [
            (
                "with all" if row["fit"] == "all" else f"without {row['removed']}",
                str(row["k"]),
                shown(own, row["estimate"], 3),
                interval_text(own, row["ci_low"], row["ci_high"]),
                p_value(row["p_value"]),
                small(row["tau2"]),
            )
            for row in self.to_frame().to_dict("records")
        ]
        return SummaryTable(
            title=f"Fewest of {counted(self.units, self.by)} whose removal changes the conclusion: "
            f"{'none found' if not self.removed else len(self.removed)}"
            f"{'' if self.exact or not self.removed else ' (an upper bound)'}",
            header=("", "k", own.measure.display_scale, f"{100 * self.level:g}% CI", "p", "τ²"),
            rows=tuple(rows),
            right=frozenset(range(1, 6)),
            notes=(*self.remarks, how_fitted(self.with_all)),
        )
