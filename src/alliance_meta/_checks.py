"""Argument checks, and the only place that words them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from numbers import Real
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from alliance_meta.errors import AllianceMetaError, InputError, UnknownNameError

__all__ = ["closed_table", "known_name", "level", "listed", "numbers", "refuse_rows", "weights"]

_ROWS_IN_MESSAGE = 20

Name = TypeVar("Name", bound=str)


def listed(names: Collection[object], *, last: str = "and") -> str:
    """Join names as prose: ``'r', 'n' and 'study'``."""
    words = [repr(name) for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}" if words else "none"


def _did_you_mean(name: object, choices: Collection[str]) -> str:
    lowered = {choice.lower(): choice for choice in choices}
    close = get_close_matches(str(name).lower(), list(lowered), n=1, cutoff=0.5)
    return f" Did you mean {lowered[close[0]]!r}?" if close else ""


def known_name(what: str, name: object, choices: Collection[Name]) -> Name:
    """Return `name` if it is one of `choices`, else raise `UnknownNameError` with the nearest choice."""
    for choice in choices:
        if isinstance(name, str) and name == choice:
            return choice
    raise UnknownNameError(f"unknown {what} {name!r}.{_did_you_mean(name, choices)} Known: {listed(choices)}.")


def level(value: float) -> float:
    """Return a confidence level that lies strictly between 0 and 1."""
    if not (isinstance(value, Real) and 0.0 < value < 1.0):
        raise InputError(f"level must lie between 0 and 1, such as 0.95 for a 95% interval; got {value!r}")
    return float(value)


def refuse_rows(
    column: str, problem: str, remedy: str, bad: npt.NDArray[np.bool_], values: Sequence[Any], names: pd.Index
) -> None:
    """Raise one `InputError` naming the column, every row where `bad` holds, and what to do.

    Parameters
    ----------
    column : str
        The column as the caller knows it.
    problem : str
        What is wrong, completing "column 'n' ...".
    remedy : str
        What the reader can do about it: a whole sentence.
    bad : ndarray of bool, shape (k,)
    values : sequence, length k
        The cells, shown beside their rows.
    names : Index, length k
        The rows' labels in the caller's table.
    """
    positions = np.flatnonzero(bad).tolist()
    if not positions:
        return
    shown = [f"{names[i]!s} ({_cell(values[i])})" for i in positions[:_ROWS_IN_MESSAGE]]
    more = len(positions) - len(shown)
    tail = f" and {more} more, all of them in this error's `rows`" if more else ""
    noun = "row" if len(positions) == 1 else "rows"
    raise InputError(
        f"column {column!r} {problem}: {noun} {', '.join(shown)}{tail}. {remedy}",
        column=column,
        rows=[names[i] for i in positions],
    )


def _cell(value: object) -> str:
    return "empty" if pd.isna(value) else repr(value) if isinstance(value, str) else f"{value}"  # type: ignore[call-overload]


def numbers(column: str, values: pd.Series[Any], *, allow_missing: bool = False) -> npt.NDArray[np.float64]:
    """Turn a column into finite floats, or raise one error that names every cell that is not a number.

    Parameters
    ----------
    column : str
    values : Series, shape (k,)
    allow_missing : bool
        Let empty cells through as NaN.

    Returns
    -------
    ndarray of float, shape (k,)
    """
    cells = values.tolist()
    missing = values.isna().to_numpy(dtype=bool)
    truth = np.array([isinstance(cell, bool | np.bool_) for cell in cells], dtype=bool)
    problem = "must hold numbers, not true and false"
    refuse_rows(column, problem, "Turn it into numbers first.", truth, cells, values.index)
    remedy = "Correct the cells, or leave those rows out before calling."
    # Dates and complex numbers can be parsed, but are no numbers here.
    strange = np.array([not isinstance(cell, Real | Decimal | str) for cell in cells], dtype=bool)
    refuse_rows(column, "must hold numbers", remedy, strange & ~missing, cells, values.index)
    parsed = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    refuse_rows(column, "must hold numbers", remedy, np.isnan(parsed) & ~missing, cells, values.index)
    if not allow_missing:
        remedy = f"Fill them in, or leave those rows out yourself: frame.dropna(subset=[{column!r}])."
        refuse_rows(column, "has empty cells", remedy, missing, cells, values.index)
    refuse_rows(
        column,
        "must be finite",
        "Correct the cells, or leave those rows out.",
        np.isinf(parsed),
        cells,
        values.index,
    )
    return parsed


def weights(
    argument: str, given: str | npt.ArrayLike, table: pd.DataFrame, kinds: tuple[str, ...] = ()
) -> tuple[str, tuple[float, ...]]:
    """Positive weights, one a row of a table: a numeric column of it, or numbers.

    Parameters
    ----------
    argument : str
        The caller's name of them.
    given : str or array_like of length k
    table : DataFrame
    kinds : tuple of str
        Other names that the caller knows, for the error.

    Returns
    -------
    label : str
        ``"column 'n'"`` or ``"given"``.
    weights : tuple of float
    """
    if isinstance(given, str):
        columns = [str(column) for column in table.select_dtypes("number").columns]
        column = known_name(f"kind or column of {argument}", given, (*kinds, *columns))
        values = table[column]
    else:
        column = argument
        cells = np.ravel(np.asarray(given))
        if len(cells) != len(table):
            raise InputError(f"{argument} must be one number for each of the {len(table)} effects, not {len(cells)}")
        values = pd.Series(cells, index=table.index)
    found = numbers(column, values)
    refuse_rows(column, "must be positive to be weights", "Correct them.", found <= 0.0, found.tolist(), table.index)
    return "given" if column == argument else f"column {column!r}", tuple(found.tolist())


def closed_table(
    table: object,
    where: str,
    *,
    required: Mapping[str, type | tuple[type, ...]],
    optional: Mapping[str, type | tuple[type, ...]] | None = None,
    error: Callable[[str], AllianceMetaError],
) -> dict[str, Any]:
    """Check that a table read from TOML has the required keys, no unknown ones, and values of the right type.

    Parameters
    ----------
    table : object
        What the TOML parser returned.
    where : str
        Names the table and its file in messages.
    required, optional : mapping of key to type
    error : callable
        The error class to raise, `SpecError` or `DataFileError`.
    """
    if not isinstance(table, dict):
        raise error(f"{where} must be a table of keys and values, not {type(table).__name__}")
    allowed = {**required, **(optional or {})}
    for key in table:
        if key not in allowed:
            raise error(
                f"{where} has an unknown key {key!r}.{_did_you_mean(key, allowed)} "
                f"Keys allowed: {listed(sorted(allowed))}."
            )
    absent = [key for key in required if key not in table]
    if absent:
        raise error(f"{where} lacks {listed(absent)}")
    for key, value in table.items():
        expected = allowed[key]
        if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
            names = expected.__name__ if isinstance(expected, type) else " or ".join(kind.__name__ for kind in expected)
            raise error(f"{where}: {key!r} must be of type {names}, not {type(value).__name__}")
    return dict(table)
