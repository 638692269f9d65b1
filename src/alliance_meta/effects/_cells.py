"""The cells that the routes use: which are there, and whether they can be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alliance_meta import _checks
from alliance_meta.effects import _domains
from alliance_meta.stats._arrays import BoolArray, FloatArray
from alliance_meta.studies import StudyTable

__all__ = ["SIZES", "Cells", "Rows", "has_columns", "read", "there", "used_by"]

SIZES = "n1 and n2"
"""Stands for both group sizes, which can be two halves of a total."""

_HALF = "half of n"
_PAIR = ("n1", "n2")


@dataclass(frozen=True, slots=True)
class Cells:
    """What the routes of a table use.

    Attributes
    ----------
    columns : mapping of role to ndarray, shape (k,)
        NaN where no route uses the cell. ``n``, ``n1`` and ``n2`` hold sums and halves too.
    halved : ndarray of bool, shape (k,)
        Rows in which two equal groups are assumed.
    turn : ndarray, shape (k,)
        1, or -1 where the direction turns the effect.
    """

    columns: Mapping[str, FloatArray]
    halved: BoolArray
    turn: FloatArray

    def rows(self, where: npt.NDArray[np.intp]) -> Rows:
        """The cells of some rows."""
        return Rows(self, where)


@dataclass(frozen=True, slots=True)
class Rows:
    """Cells of some rows, by role; a role without a column is NaN."""

    cells: Cells
    where: npt.NDArray[np.intp]

    def __getitem__(self, role: str) -> FloatArray:
        column = self.cells.columns.get(role)
        return np.full(len(self.where), np.nan) if column is None else column[self.where]

    def __len__(self) -> int:
        return len(self.where)

    @property
    def turn(self) -> FloatArray:
        """1, or -1 where the direction turns the effect."""
        return self.cells.turn[self.where]


def there(studies: StudyTable, need: str) -> BoolArray:
    """Rows that have what a route needs, or what stands in for it."""
    if need in ("n", SIZES):
        pair = _filled(studies, "n1") & _filled(studies, "n2")
        return np.asarray(_filled(studies, "n") | pair)
    return _filled(studies, need)


def has_columns(studies: StudyTable, needs: Iterable[str]) -> bool:
    """Whether a table has the columns of a route."""
    pair = all(studies.has(role) for role in _PAIR)
    return all(studies.has("n") or pair if need in ("n", SIZES) else studies.has(need) for need in needs)


def _filled(studies: StudyTable, role: str) -> BoolArray:
    if not studies.has(role):
        return np.zeros(len(studies.index), dtype=bool)
    return studies.column(role).notna().to_numpy(dtype=bool)


def used_by(studies: StudyTable, needs: Iterable[str], takes: Iterable[str], rows: BoolArray) -> dict[str, BoolArray]:
    """The columns that a route uses in its rows, and in which of them."""
    used: dict[str, BoolArray] = {}
    for need in needs:
        if need == SIZES:
            whole = rows & _has_no_pair(studies)
            _add(used, {_HALF: whole, **dict.fromkeys(_PAIR, rows & ~whole)})
        elif need == "n":
            summed = rows & _summed(studies) if studies.has("n") else rows
            _add(used, {"n": rows & ~summed, **dict.fromkeys(_PAIR, summed)})
        else:
            _add(used, {need: rows})
    for role in takes:
        summed = rows & _summed(studies) if role == "n" else rows & False
        _add(used, {role: rows & _filled(studies, role) & ~summed, **dict.fromkeys(_PAIR, summed)})
    return {role: mask for role, mask in used.items() if mask.any()}


def _add(used: dict[str, BoolArray], more: Mapping[str, BoolArray]) -> None:
    for role, mask in more.items():
        used[role] = used[role] | mask if role in used else mask


def _has_no_pair(studies: StudyTable) -> BoolArray:
    """Rows whose group sizes can only be halves of n; one of the two alone is an error of its own."""
    if not all(studies.has(role) for role in _PAIR):
        return np.ones(len(studies.index), dtype=bool)
    if not studies.has("n"):
        return np.zeros(len(studies.index), dtype=bool)
    return ~_filled(studies, "n1") & ~_filled(studies, "n2")


def _summed(studies: StudyTable) -> BoolArray:
    """Rows whose n is n1 + n2, since the table has no other."""
    return ~_filled(studies, "n") & _filled(studies, "n1") & _filled(studies, "n2")


def read(studies: StudyTable, used: Mapping[str, BoolArray], code: str) -> Cells:
    """Read and check the cells that are used; one error names a column, all of its rows and what to do."""
    k = len(studies.index)
    values: dict[str, FloatArray] = {}
    for role, rows in used.items():
        values[role] = _parsed(studies, "n" if role == _HALF else role, rows, missing=_may_be_empty(studies, role))
        if role == _HALF:
            _domains.check_halves(studies, values[role], rows, code)
        elif role in _PAIR:
            _domains.check_group(studies, role, values[role], rows, code)
        else:
            _domains.check(studies, role, values[role], rows, code)
    half = values.pop(_HALF, np.full(k, np.nan)) / 2.0
    halved = ~np.isnan(half)
    for role in _PAIR:
        values[role] = np.where(halved, half, values.get(role, np.nan))
    values["n"] = np.where(np.isnan(_column(values, "n", k)), values["n1"] + values["n2"], _column(values, "n", k))
    values["tails"] = np.nan_to_num(_column(values, "tails", k), nan=2.0)
    turn = np.nan_to_num(_column(values, "direction", k), nan=1.0)
    _domains.check_together(studies, values, used)
    return Cells(columns=values, halved=halved, turn=turn)


def _column(values: Mapping[str, FloatArray], role: str, k: int) -> FloatArray:
    return np.broadcast_to(np.asarray(values.get(role, np.nan)), (k,))


def _may_be_empty(studies: StudyTable, role: str) -> bool:
    """Sizes have checks of their own for what is missing, where there is another column to take them from."""
    return (role in _PAIR and studies.has("n")) or (role == _HALF and all(studies.has(size) for size in _PAIR))


def _parsed(studies: StudyTable, role: str, rows: BoolArray, *, missing: bool) -> FloatArray:
    where = np.flatnonzero(rows)
    parsed = np.full(len(rows), np.nan)
    parsed[where] = _checks.numbers(studies.roles[role], studies.column(role).iloc[where], allow_missing=missing)
    return parsed
