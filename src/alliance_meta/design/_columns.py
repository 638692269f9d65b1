"""Reading the columns a formula names: numbers, or levels."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from alliance_meta import _checks
from alliance_meta.design._pieces import Call, Column, Level, columns_of
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.stats._arrays import BoolArray, FloatArray, IntArray

__all__ = [
    "CategoricalVariable",
    "NumericVariable",
    "Variable",
    "codes",
    "has_columns",
    "is_categorical",
    "label_of",
    "levels_of",
    "numeric",
    "shown",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumericVariable:
    """A column used as numbers, and where its values lie.

    Attributes
    ----------
    column : str
    mean, minimum, maximum : float
        Over the rows of the design, in the column's own units.
    """

    column: str
    mean: float
    minimum: float
    maximum: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoricalVariable:
    """A column used as levels.

    Attributes
    ----------
    column : str
    levels : tuple
        In the order given, else of the data.
    reference : str, bool, int or float
        The level the others are compared with, wherever the coding has one.
    """

    column: str
    levels: tuple[Level, ...]
    reference: Level


Variable: TypeAlias = NumericVariable | CategoricalVariable


def label_of(level: Level) -> str:
    """A level as coefficients' names show it; 3.0 from a column that also has halves is shown as 3."""
    return str(int(level)) if isinstance(level, float) and level.is_integer() else str(level)


def has_columns(frame: pd.DataFrame, names: Collection[str]) -> None:
    """Refuse names the table does not have, or has twice."""
    known = [column for column in frame.columns if isinstance(column, str)]
    absent = [name for name in names if name not in known]
    if len(absent) == 1:
        _checks.known_name("column", absent[0], known)
    if absent:
        message = f"the formula names columns that the table does not have: {_checks.listed(absent)}"
        raise UnknownNameError(f"{message}. Known: {_checks.listed(known)}.", column=absent[0])
    twice = [name for name in names if known.count(name) > 1]
    if twice:
        message = f"the table has more than one column called {_checks.listed(twice, last='or')}: rename all but one"
        raise InputError(message, column=twice[0])


def is_categorical(frame: pd.DataFrame, name: str) -> bool:
    """Whether a bare column is coded as levels: text, true and false, or pandas' categories."""
    column = frame[name]
    if isinstance(column.dtype, pd.CategoricalDtype) or pd.api.types.is_bool_dtype(column.dtype):
        return True
    if pd.api.types.is_numeric_dtype(column.dtype):
        return False
    cells = _present(name, column)
    text = np.array([isinstance(cell, str) for cell in cells], dtype=bool)
    truth = np.array([isinstance(cell, bool | np.bool_) for cell in cells], dtype=bool)
    number = np.array([isinstance(cell, Real | Decimal) for cell in cells], dtype=bool) & ~truth
    remedy = "Correct the cells, or leave those rows out before calling."
    _checks.refuse_rows(
        name, "must hold numbers, text, or true and false", remedy, ~(text | truth | number), cells, column.index
    )
    kinds = [kind for kind in (text, truth, number) if kind.any()]
    if len(kinds) > 1:
        rarest = min(kinds, key=lambda kind: int(kind.sum()))
        _checks.refuse_rows(
            name, "mixes numbers, text, or true and false; the fewest", remedy, rarest, cells, column.index
        )
    return not number.any()


def numeric(frame: pd.DataFrame, name: str) -> FloatArray:
    """A column as finite floats."""
    column = frame[name]
    cells = _present(name, column)
    text = np.array([isinstance(cell, str) for cell in cells], dtype=bool)
    remedy = "Turn them into numbers first, or use the column by itself, as levels."
    _checks.refuse_rows(name, "must hold numbers here, not text", remedy, text, cells, column.index)
    # As objects, because pandas will not turn categories into numbers.
    return _checks.numbers(name, pd.Series(cells, index=column.index, dtype=object))


def shown(values: FloatArray) -> list[float | str]:
    """Computed values as messages show them: none of them is an empty cell."""
    return ["undefined" if np.isnan(value) else value for value in values.tolist()]


def levels_of(frame: pd.DataFrame, node: Column | Call) -> CategoricalVariable:
    """The levels of a column and their reference, as its coding asks."""
    name, options = (node.name, None) if isinstance(node, Column) else (next(columns_of(node)), node)
    column = frame[name]
    cells = _levels(name, column)
    given = options.option("levels") if options else None
    if isinstance(given, tuple):
        levels = _given(name, given, cells, column.index)
    else:
        present = dict.fromkeys(cells)
        order: Sequence[Any] = (
            [level for level in column.cat.categories.tolist() if level in present]
            if isinstance(column.dtype, pd.CategoricalDtype)
            else sorted(present)
            if all(isinstance(cell, bool) for cell in present)
            else list(present)
        )
        levels = tuple(order)
    if len(levels) == 1:
        raise InputError(
            f"column {name!r} has one level only, {levels[0]!r}: it cannot explain any difference. Leave it out.",
            column=name,
        )
    reference = options.option("reference") if options else None
    if reference is None:
        return CategoricalVariable(column=name, levels=levels, reference=levels[0])
    if isinstance(reference, tuple) or reference not in levels:
        known = [label_of(level) for level in levels]
        _checks.known_name(f"level of column {name!r}, the reference", reference, known)
        raise InputError(f"column {name!r} has numbers as levels: write the reference without quotes", column=name)
    return CategoricalVariable(column=name, levels=levels, reference=reference)


def codes(frame: pd.DataFrame, variable: CategoricalVariable) -> IntArray:
    """Each row's level, as its place among the levels."""
    column = frame[variable.column]
    cells = _levels(variable.column, column)
    place = {level: i for i, level in enumerate(variable.levels)}
    _refuse_unknown(variable.column, variable.levels, cells, column.index)
    return np.array([place[cell] for cell in cells], dtype=np.intp)


def _given(name: str, given: tuple[Level, ...], cells: Sequence[Level], rows: pd.Index) -> tuple[Level, ...]:
    if len(set(given)) < len(given):
        raise InputError(f"levels of column {name!r} name a level twice: {_checks.listed(given)}", column=name)
    _refuse_unknown(name, given, cells, rows)
    unused = [level for level in given if level not in set(cells)]
    if unused:
        raise InputError(
            f"no row of column {name!r} has the level {_checks.listed(unused, last='or')}: take it out of levels",
            column=name,
        )
    return given


def _refuse_unknown(name: str, levels: tuple[Level, ...], cells: Sequence[Level], rows: pd.Index) -> None:
    unknown = np.array([cell not in levels for cell in cells], dtype=bool)
    _checks.refuse_rows(
        name,
        "has unknown levels",
        f"Known: {_checks.listed(levels)}. Correct the cells, or leave those rows out.",
        unknown,
        cells,
        rows,
    )


def _present(name: str, column: pd.Series[Any]) -> list[Any]:
    missing: BoolArray = column.isna().to_numpy(dtype=bool)
    cells = column.tolist()
    remedy = f"Fill them in, or leave those rows out yourself: frame.dropna(subset=[{name!r}])."
    _checks.refuse_rows(name, "has empty cells", remedy, missing, cells, column.index)
    return cells


def _levels(name: str, column: pd.Series[Any]) -> list[Level]:
    cells = [cell.item() if isinstance(cell, np.generic) else cell for cell in _present(name, column)]
    strange = np.array([not isinstance(cell, str | bool | int | float) for cell in cells], dtype=bool)
    strange |= np.array([isinstance(cell, float) and not np.isfinite(cell) for cell in cells], dtype=bool)
    remedy = "Turn them into text first."
    _checks.refuse_rows(name, "must hold text, numbers, or true and false", remedy, strange, cells, column.index)
    return cells
