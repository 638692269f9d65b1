"""`Panel`: one question asked of the same effects in many ways, side by side."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from alliance_meta._tables import SummaryTable, number, p_cell
from alliance_meta.results._finding import Finding

__all__ = ["Panel"]

_SAID = {"above": "above", "below": "below", "not told": "that includes"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Panel(Finding):
    """The pooled effect under many models and exclusions. All numbers are on the analysed scale (z for ``ZCOR``).

    Attributes
    ----------
    correlation : float
        Assumed between the sampling errors of a study's effects.
    level : float
        Of the intervals.
    """

    correlation: float
    level: float
    _frame: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """One row an analysis.

        Returns
        -------
        DataFrame
            group, analysis, k, estimate, ci_low, ci_high, p_value, conclusion ("above", "below" or "not told" from no
            effect; empty without a number), found (what the analysis did, in a few words), why (why there is none).
        """
        return self._frame.copy()

    def on_display_scale(self) -> pd.DataFrame:
        """The same with estimate and interval on the scale shown to people."""
        frame, own = self.to_frame(), self.effects.measure
        for name in ("estimate", "ci_low", "ci_high"):
            frame[name] = own.to_display(frame[name].to_numpy(dtype=float))
        return frame

    @property
    def _known(self) -> pd.DataFrame:
        return self._frame[self._frame["conclusion"] != ""]

    @property
    def conclusions(self) -> tuple[str, ...]:
        """The conclusions that occur, the most frequent first."""
        return tuple(str(each) for each in self._known["conclusion"].value_counts().index)

    def flips(self) -> pd.DataFrame:
        """The analyses whose conclusion is not the most frequent one; empty where all agree."""
        known = self._known
        return known[known["conclusion"] != self.conclusions[0]].copy()

    @property
    def headline(self) -> str:
        """The span of the estimates, and how many analyses conclude the same."""
        shown, known = self._span, self._known
        same = int((known["conclusion"] == self.conclusions[0]).sum())
        return f"{shown} over {len(known)} analyses, {same} of one conclusion"

    @property
    def _span(self) -> str:
        own, estimates = self.effects.measure, self._known["estimate"]
        low, high = (number(float(own.to_display(value)), 2) for value in (estimates.min(), estimates.max()))
        return f"{own.display_scale} from {low} to {high}"

    @property
    def sentence(self) -> str:
        """What the analyses have in common, where they part, and what that cannot show."""
        own, known, flips = self.effects.measure, self._known, self.flips()
        null = f"{own.display_scale} = {number(float(own.to_display(own.null)), 0)}"
        most = f"an interval {_SAID[self.conclusions[0]]} {null}"
        if flips.empty:
            said = f"All {len(known)} analyses give {most}; {self._span}."
        else:
            others = "; ".join(
                f"an interval {_SAID[str(kind)]} {null} with {', '.join(part['analysis'])}"
                for kind, part in flips.groupby("conclusion", sort=False)
            )
            said = f"{len(known) - len(flips)} of {len(known)} analyses give {most}, {others}; {self._span}."
        return (
            f"{said} These analyses answer different questions of the same studies and are no independent tests: how "
            "many agree is not how sure the conclusion is."
        )

    def summary(self) -> SummaryTable:
        """The table that printing shows, on the scale shown to people."""
        own, rows = self.effects.measure, list[tuple[str, ...]]()
        group = ""
        for row in self.on_display_scale().to_dict("records"):
            if row["group"] != group:
                group = str(row["group"])
                rows.append((group, "", "", "", "", ""))
            name = f"  {row['analysis']}"
            if row["why"]:
                rows.append((name, "", "", "", "", str(row["why"])))
                continue
            interval = f"[{number(float(row['ci_low']))}, {number(float(row['ci_high']))}]"
            p = float(row["p_value"])
            tested = "" if p != p else p_cell(p)
            rows.append((name, f"{row['k']}", number(float(row["estimate"])), interval, tested, str(row["found"])))
        return SummaryTable(
            title=f"{self.effects.k} effects, analysed in {len(self._frame)} ways",
            header=("", "k", own.display_scale, f"{100 * self.level:g}% CI", "p", ""),
            rows=tuple(rows),
            right=frozenset({1, 2, 3, 4}),
            notes=self.remarks,
        )
