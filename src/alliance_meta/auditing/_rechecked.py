"""Checks of a column against a later look at the same numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from alliance_meta.auditing._check import Check, Finding, positions
from alliance_meta.auditing._columns import Columns
from alliance_meta.auditing._spans import Span, apart

__all__ = ["CHECKS"]

_SUFFIX = "_rechecked"


def _pairs(columns: Columns) -> list[tuple[str, str]]:
    names = [name for name in columns.frame.columns if isinstance(name, str)]
    return [(name.removesuffix(_SUFFIX), name) for name in names if name.endswith(_SUFFIX) and name != _SUFFIX]


def _lacks(columns: Columns) -> str:
    found = any(given in columns.frame.columns for given, _ in _pairs(columns))
    return "" if found else f"needs a column and its twin named ..{_SUFFIX}"


def _span(columns: Columns, column: str) -> Span:
    """Rounding of a column; whole numbers are exact, and a cell with fewer decimals than usual has lost zeros."""
    numbers = columns.cells(column).numbers
    known = np.isfinite(numbers)
    if (numbers[known] % 1.0 == 0.0).all():
        return Span(numbers, numbers)
    halves = columns.halves(column)
    half = np.minimum(halves, np.median(halves[known]))
    return Span(numbers - half, numbers + half)


def _differs(columns: Columns) -> Iterator[Finding]:
    for given, again in _pairs(columns):
        if given not in columns.frame.columns:
            continue
        for i in positions(apart(_span(columns, given), _span(columns, again))):
            seen = f"{given} = {columns.printed(given)[i]}, rechecked {columns.printed(again)[i]}"
            yield Finding(i, "note", seen, "Say which of the two is used, or pool both ways and compare.")


CHECKS: tuple[Check, ...] = (
    Check(
        name="rechecked_differs",
        family="rechecked",
        about="a number that a later look found otherwise, beyond rounding",
        find=_differs,
        lacks=_lacks,
    ),
)
