"""What a check is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

import numpy as np

from alliance_meta.auditing._columns import Columns
from alliance_meta.stats._arrays import BoolArray

__all__ = ["SEVERITIES", "Check", "Finding", "Severity", "positions"]

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
_SETS_NAMED = 3


class Finding(NamedTuple):
    """One thing found.

    Attributes
    ----------
    row : int
        Position in the table; where several rows are concerned, that of the first.
    severity : {"error", "warning", "note"}
        It cannot be; look at it; good to know.
    seen, advice : str
        What was seen, with its numbers, and what to do about it.
    """

    row: int
    severity: Severity
    seen: str
    advice: str


def positions(mask: BoolArray) -> list[int]:
    """Where a mask holds."""
    return [int(i) for i in np.flatnonzero(mask)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question asked of the table.

    Attributes
    ----------
    name, family, about : str
        `about` says in one line what is looked for.
    needs : tuple of tuple of str
        Sets of column roles, any one of which is enough; empty where none is needed.
    find : callable
    lacks : callable, optional
        Says why the check cannot run where that is not a matter of roles; empty if it can.
    """

    name: str
    family: str
    about: str
    needs: tuple[tuple[str, ...], ...] = ()
    find: Callable[[Columns], Iterable[Finding]] = field(repr=False)
    lacks: Callable[[Columns], str] | None = field(default=None, repr=False)

    def why_not(self, columns: Columns) -> str:
        """Why the check cannot run on these columns; empty if it can."""
        if self.needs and not any(columns.has(*roles) for roles in self.needs):
            named = " or ".join(", ".join(roles) for roles in self.needs[:_SETS_NAMED])
            return f"needs {named}{' or the like' if len(self.needs) > _SETS_NAMED else ''}"
        return self.lacks(columns) if self.lacks else ""
