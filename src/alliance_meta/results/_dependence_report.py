"""`DependenceReport`: the same effects by every model of their dependence, side by side."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from alliance_meta._tables import SummaryTable, number, p_cell
from alliance_meta.effects import EffectSizes

__all__ = ["DependenceReport"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DependenceReport:
    """Pooled effects under several models of dependence and assumed correlations.

    Attributes
    ----------
    effects : EffectSizes
    level : float
        Of the intervals; a conclusion is whether the interval leaves out the measure's null value, and on which side.
    studies : int
    largest : tuple of str and int
        The study with the most effects, and how many.
    notes : tuple of str
        Which analyses could not be made, and why.
    """

    effects: EffectSizes
    level: float
    studies: int
    largest: tuple[str, int]
    notes: tuple[str, ...]
    _frame: pd.DataFrame = field(repr=False)

    def to_frame(self) -> pd.DataFrame:
        """One row an analysis, on the analysed scale.

        Columns: model, correlation (NaN where none is assumed), k, estimate, std_error, df, p_value, ci_low, ci_high,
        conclusion (``"above"``, ``"below"`` or ``"not told"`` from no effect).
        """
        return self._frame.copy()

    def on_display_scale(self) -> pd.DataFrame:
        """The same with estimate and interval on the scale shown to people; std_error is left out."""
        frame = self._frame.drop(columns="std_error")
        shown = ["estimate", "ci_low", "ci_high"]
        frame[shown] = self.effects.measure.to_display(frame[shown].to_numpy())
        return frame

    @property
    def conclusions(self) -> tuple[str, ...]:
        """The conclusions that occur, the most frequent first."""
        return tuple(str(found) for found in self._frame["conclusion"].value_counts().index)

    def flips(self) -> pd.DataFrame:
        """The analyses whose conclusion is not the most frequent one; empty where all agree."""
        return self._frame[self._frame["conclusion"] != self.conclusions[0]].copy()

    @property
    def sentence(self) -> str:
        """What the analyses have in common, and where they part."""
        frame, own = self.on_display_scale(), self.effects.measure
        low, high = float(frame["estimate"].min()), float(frame["estimate"].max())
        span = f"{own.display_scale} from {number(low, 2)} to {number(high, 2)}"
        null = number(float(own.to_display(own.null)), 0)
        said = {
            "above": f"an interval above {null}",
            "below": f"an interval below {null}",
            "not told": f"an interval that includes {null}",
        }
        flips = self.flips()
        if flips.empty:
            return f"All {len(frame)} analyses give {said[self.conclusions[0]]}; {span}."
        named = "; ".join(
            f"{model} ({', '.join(f'{rho:g}' for rho in part['correlation'])})"
            if part["correlation"].notna().any()
            else str(model)
            for model, part in flips.groupby("model", sort=False)
        )
        return (
            f"{len(frame) - len(flips)} of {len(frame)} analyses give {said[self.conclusions[0]]}; the conclusion is "
            f"another with: {named}; {span}."
        )

    def __repr__(self) -> str:
        return f"<DependenceReport: {len(self._frame)} analyses of {self.effects.k} effects in {self.studies} studies>"

    def __str__(self) -> str:
        return self._summary().to_text()

    def _repr_html_(self) -> str:
        return self._summary().to_html()

    def to_markdown(self) -> str:
        """The report as a Markdown table."""
        return self._summary().to_markdown()

    def _summary(self) -> SummaryTable:
        own = self.effects.measure
        rows = []
        for row in self.on_display_scale().to_dict("records"):
            rho, df = float(row["correlation"]), float(row["df"])
            rows.append(
                (
                    str(row["model"]),
                    "" if rho != rho else f"{rho:g}",
                    f"{row['k']}",
                    number(float(row["estimate"]), 3),
                    f"[{number(float(row['ci_low']), 3)}, {number(float(row['ci_high']), 3)}]",
                    f"{df:.3g}",
                    p_cell(float(row["p_value"])),
                )
            )
        study, most = self.largest
        caveat = (self.effects.caveat,) if self.effects.caveat else ()
        return SummaryTable(
            title=f"{self.effects.k} effects in {self.studies} studies under several models of dependence",
            header=("model", "correlation", "k", own.display_scale, f"{100 * self.level:g}% CI", "df", "p"),
            rows=tuple(rows),
            right=frozenset({1, 2, 3, 4, 5, 6}),
            notes=(self.sentence, f"{study!r} gives {most} of the effects", *self.notes, *self.effects.notes, *caveat),
        )
