"""`Audit`: what was found in a table of studies."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from alliance_meta._tables import SummaryTable
from alliance_meta.auditing._check import SEVERITIES

__all__ = ["Audit"]

_ROWS_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Audit:
    """What the checks found in a table of studies.

    Attributes
    ----------
    k : int
        Number of rows looked at.
    caveat : str
        A sentence every view must carry (simulated data say so here), else empty.
    """

    k: int
    caveat: str = ""
    _findings: pd.DataFrame = field(repr=False)
    _checks: pd.DataFrame = field(repr=False)

    @property
    def findings(self) -> pd.DataFrame:
        """A copy of what was found: row, effect_id, label, check, severity, seen, advice; the gravest first.

        `row` is the label of the row in the table that was given. Where a finding concerns several rows, it is
        that of the first, and `seen` names the others.
        """
        return self._findings.copy()

    @property
    def checks(self) -> pd.DataFrame:
        """A copy of the list of checks: check, family, about, ran, why_not, found."""
        return self._checks.copy()

    @property
    def counts(self) -> dict[str, int]:
        """How many errors, warnings and notes there are."""
        found = self._findings["severity"].value_counts()
        return {severity: int(found.get(severity, 0)) for severity in SEVERITIES}

    @property
    def ok(self) -> bool:
        """Whether there is no error; there may be warnings."""
        return self.counts["error"] == 0

    def _counted(self) -> str:
        return ", ".join(f"{count} {severity}{'' if count == 1 else 's'}" for severity, count in self.counts.items())

    def __repr__(self) -> str:
        caveat = f"; {self.caveat}" if self.caveat else ""
        return f"<Audit of {_rows(self.k)}: {self._counted()}{caveat}>"

    def __str__(self) -> str:
        return self._summary().to_text()

    def _repr_html_(self) -> str:
        return self._summary().to_html()

    def _summary(self) -> SummaryTable:
        shown = self._findings.head(_ROWS_SHOWN)
        rows = [
            (str(one.effect_id or one.row), str(one.severity), str(one.check), f"{one.seen}. {one.advice}")
            for one in shown.itertuples()
        ]
        more = len(self._findings) - len(rows)
        ran = int(self._checks["ran"].sum())
        notes = (
            f"and {more} more: see .findings" if more else "",
            f"{ran} of {len(self._checks)} checks ran; .checks says why the others could not.",
            self.caveat,
        )
        return SummaryTable(
            title=f"Audit of {_rows(self.k)}: {self._counted()}",
            header=("row", "severity", "check", "seen, and what to do") if rows else ("", "", "", ""),
            rows=tuple(rows) or (("Nothing was found.", "", "", ""),),
            notes=tuple(filter(None, notes)),
        )


def _rows(k: int) -> str:
    return f"{k} row{'' if k == 1 else 's'}"
