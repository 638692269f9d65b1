"""`EffectSizes`: effects of one measure with their sampling variances."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from alliance_meta._tables import SummaryTable, number
from alliance_meta.measures import Measure
from alliance_meta.stats._arrays import FloatArray

__all__ = ["EffectSizes"]

_ROWS_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EffectSizes:
    """Effects of one measure with their sampling variances, one row an effect.

    Attributes
    ----------
    measure : Measure
    effect : ndarray, shape (k,)
        On the analysed scale (Fisher's z for ``ZCOR``). Read-only.
    variance : ndarray, shape (k,)
        Sampling variances, squared units of the effects. Read-only.
    n : float
        Total sample size of the rows, NaN where the table does not give one for every row.
    notes : tuple of str
        What a reader must know about how the effects were made.
    caveat : str
        A sentence every view must carry (simulated data say so here), else empty.
    """

    measure: Measure
    effect: FloatArray
    variance: FloatArray
    n: float
    notes: tuple[str, ...] = ()
    caveat: str = ""
    _frame: pd.DataFrame = field(repr=False)
    _shared: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        counted = Counter(str(study) for study in self._frame["study"])
        object.__setattr__(self, "_shared", {study: k for study, k in counted.items() if k > 1})

    @property
    def k(self) -> int:
        """Number of effects."""
        return len(self.effect)

    @property
    def labels(self) -> list[str]:
        """The studies' labels, in row order."""
        return [str(label) for label in self._frame["label"]]

    @property
    def table(self) -> pd.DataFrame:
        """A copy of the table: effect_id, study, label, effect, variance, route, then the other columns."""
        return self._frame.copy()

    def shared_studies(self) -> dict[str, int]:
        """Studies that have more than one effect, with their number of effects, in row order."""
        return dict(self._shared)

    def routes(self) -> pd.DataFrame:
        """Count the ways in which the effects were made.

        Returns
        -------
        DataFrame
            Columns ``route`` and ``k``, the most frequent route first.
        """
        counted = self._frame["route"].value_counts(sort=True)
        return counted.rename_axis("route").reset_index(name="k")

    def __repr__(self) -> str:
        caveat = f"; {self.caveat}" if self.caveat else ""
        return f"<EffectSizes: {self.k} effects, measure {self.measure.code} ({self.measure.label}){caveat}>"

    def __str__(self) -> str:
        return self._summary().to_text()

    def _repr_html_(self) -> str:
        return self._summary().to_html()

    def _summary(self) -> SummaryTable:
        own = self.measure
        shown = own.to_display(self.effect)
        back = (own.display_scale,) if own.display_scale != own.scale else ()
        rows = [
            (
                str(row.label),
                *(number(shown[i]) for _ in back),
                number(self.effect[i]),
                number(np.sqrt(self.variance[i])),
                str(row.route),
            )
            for i, row in enumerate(self._frame.head(_ROWS_SHOWN).itertuples())
        ]
        more = self.k - len(rows)
        hidden = (f"and {more} more: see .table",) if more else ()
        header = ("study", *back, own.scale, "std. error", "route")
        return SummaryTable(
            title=f"{self.k} effect{'' if self.k == 1 else 's'}: {own.label}",
            header=header,
            rows=tuple(rows),
            right=frozenset(range(1, len(header) - 1)),
            notes=(*hidden, *self.notes, *((self.caveat,) if self.caveat else ())),
        )
