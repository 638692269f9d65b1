"""`Columns`: the table as the checks see it, each column read once and no cell refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from alliance_meta.auditing._rules import NUMBER_ROLES, YEAR, possible
from alliance_meta.stats._arrays import BoolArray, FloatArray
from alliance_meta.studies import StudyTable

__all__ = ["Cells", "Columns", "read_cells"]

_COUNTS = ("n", "n1", "n2", "df", "df2", "events1", "events2", "n_items", "direction", "tails", YEAR)
_ROWS_NAMED = 6


class Cells(NamedTuple):
    """A column as floats, NaN where a cell is no number, and which cells are empty or cannot be read."""

    numbers: FloatArray
    empty: BoolArray
    unreadable: BoolArray


def read_cells(values: pd.Series[Any]) -> Cells:
    """Read a column as floats, refusing nothing. Blank text counts as empty; true and false are no numbers."""
    empty = values.isna().to_numpy(dtype=bool)
    if pd.api.types.is_numeric_dtype(values) and values.dtype.kind in "iuf":
        numbers = values.to_numpy(dtype=float, na_value=np.nan)
    else:
        cells = values.tolist()
        empty = empty | np.array([isinstance(cell, str) and not cell.strip() for cell in cells], dtype=bool)
        numbers = np.array([_number(cell) for cell in cells], dtype=float)
    numbers = np.where(empty, np.nan, numbers)
    return Cells(numbers, empty, np.isnan(numbers) & ~empty)


def _number(cell: object) -> float:
    if isinstance(cell, bool | np.bool_) or not isinstance(cell, Real | Decimal | str):
        return np.nan
    if isinstance(cell, str) and "_" in cell:  # Python would read 1_000
        return np.nan
    try:
        return float(cell)
    except (ValueError, OverflowError):
        return np.nan


def _half_unit(text: str) -> float:
    """Half a unit in the last printed place: 0.005 for ``"0.31"``."""
    mantissa, _, exponent = text.strip().lower().partition("e")
    decimals = len(mantissa.rpartition(".")[2]) if "." in mantissa else 0
    try:
        return 0.5 * 10.0 ** (int(exponent or 0) - decimals)
    except (ValueError, OverflowError):
        return 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Columns:
    """The columns an audit looks at.

    Attributes
    ----------
    studies : StudyTable
        The table with every role that was given.
    source : StudyTable
        Where printed cells are looked up: the data set itself, where one was given.
    names : mapping of role to column name
        With ``year``, where there is such a column.
    arrays : collection of str
        Columns that were given as arrays, which `source` does not know.
    """

    studies: StudyTable
    source: StudyTable
    names: Mapping[str, str]
    arrays: Collection[str]
    frame: pd.DataFrame = field(repr=False)
    _read: dict[str, Cells] = field(default_factory=dict, repr=False)
    _printed: dict[str, list[str]] = field(default_factory=dict, repr=False)
    _texts: dict[str, list[str]] = field(default_factory=dict, repr=False)
    _halves: dict[str, FloatArray] = field(default_factory=dict, repr=False)

    @property
    def k(self) -> int:
        """Number of rows."""
        return len(self.frame)

    def has(self, *roles: str) -> bool:
        """Whether every role has a column."""
        return all(role in self.names for role in roles)

    def number_roles(self) -> list[str]:
        """The roles of numbers that have a column."""
        return [role for role in NUMBER_ROLES if role in self.names]

    def cells(self, column: str) -> Cells:
        """A column of the table as numbers, by its name."""
        if column not in self._read:
            self._read[column] = read_cells(self.frame[column])
        return self._read[column]

    def finite(self, role: str) -> FloatArray:
        """The numbers of a role, NaN where they are missing, infinite or no numbers; all NaN without the role."""
        if role not in self.names:
            return np.full(self.k, np.nan)
        numbers = self.cells(self.names[role]).numbers
        return np.where(np.isfinite(numbers), numbers, np.nan)

    def valid(self, role: str) -> FloatArray:
        """The numbers of a role, NaN also where they cannot be."""
        return possible(role, self.finite(role))

    def printed(self, column: str) -> list[str]:
        """The cells of a column as printed, without spaces around them; empty where there is nothing."""
        if column not in self._printed:
            table = self.studies if column in self.arrays else self.source
            self._printed[column] = [text.strip() for text in table.printed(column)]
        return self._printed[column]

    def half(self, role: str) -> FloatArray:
        """Half a unit in the last printed place of a role's cells; 0 for whole counts."""
        if role not in self._halves:
            halves = self.halves(self.names[role]) if role in self.names else np.full(self.k, np.nan)
            self._halves[role] = np.where(self.finite(role) % 1.0 == 0.0, 0.0, halves) if role in _COUNTS else halves
        return self._halves[role]

    def halves(self, column: str) -> FloatArray:
        """Half a unit in the last printed place of a column's cells, by its name."""
        return np.array([_half_unit(text) for text in self.printed(column)], dtype=float)

    def words(self, i: int, *roles: str) -> str:
        """What row `i` holds for these roles, as prose: ``t = 2.31, df = 40``; roles it has not are left out."""
        held = ((self.names[role], self.printed(self.names[role])[i]) for role in roles if role in self.names)
        return ", ".join(f"{name} = {text}" for name, text in held if text)

    def texts(self, role: str) -> list[str]:
        """The names in a text column, empty where there is none."""
        if role not in self.names:
            return [""] * self.k
        if role not in self._texts:
            column = self.frame[self.names[role]]
            cells = zip(column.isna(), column.tolist(), strict=True)
            self._texts[role] = ["" if gone else str(cell) for gone, cell in cells]
        return self._texts[role]

    def row(self, i: int) -> str:
        """What messages call row `i`: its effect id, else its index label."""
        return (self.texts("effect_id")[i] if self.has("effect_id") else "") or str(self.frame.index[i])

    def rows(self, positions: Collection[int]) -> str:
        """What messages call several rows; beyond six only how many more."""
        named = [self.row(i) for i in list(positions)[:_ROWS_NAMED]]
        more = len(positions) - len(named)
        return ", ".join(named) + (f" and {more} more" if more else "")
