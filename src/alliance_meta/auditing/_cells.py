"""Checks of single cells: what is missing, what is no number, and names that are not clean."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from alliance_meta.auditing._check import Check, Finding, positions
from alliance_meta.auditing._columns import Columns
from alliance_meta.auditing._rules import YEAR
from alliance_meta.measures import MEASURES
from alliance_meta.stats._arrays import BoolArray

__all__ = ["CHECKS"]

_NAMES = ("effect_id", "study", "label")
_BESIDE = ("n", "n1", "n2", "variance", "std_error", "ci_low", "ci_high", "direction", "tails", "n_items", YEAR)
"""Roles whose numbers say nothing without another one."""
_HINTS: tuple[tuple[str, str], ...] = (
    (r"[<>≤≥]", "An inequality is no number: leave the cell empty, and say what is printed in a column of notes."),
    (r"%", "Divide the percentage by 100 and leave the sign out."),
    (r"[−–]\s*[\d.]", "Write the minus sign as a plain hyphen."),
    (r"\d,\d", "Write a decimal point, and leave out commas between thousands."),
    (r"\d\s*[*†a-z]+$", "Leave the mark after the number out."),
)


def _not_a_number(columns: Columns) -> Iterator[Finding]:
    for role in columns.number_roles():
        name = columns.names[role]
        for i in positions(columns.cells(name).unreadable):
            text = columns.printed(name)[i]
            hint = next((advice for pattern, advice in _HINTS if re.search(pattern, text)), "Correct the cell.")
            yield Finding(i, "error", f"{name} holds {text!r}, which is no number", hint)


def _infinite(columns: Columns) -> Iterator[Finding]:
    for role in columns.number_roles():
        name = columns.names[role]
        for i in positions(np.isinf(columns.cells(name).numbers)):
            seen = f"{columns.words(i, role)}, which is not finite"
            yield Finding(i, "error", seen, "Correct the cell; a formula may have divided by 0.")


def _routes(columns: Columns) -> list[tuple[str, ...]]:
    """The ways to an effect size for which the table has every column."""
    return [route for one in MEASURES.values() for route in one.inputs if columns.has(*route)]


def _lacks_route(columns: Columns) -> str:
    return "" if _routes(columns) else "needs the columns of an effect size, such as r, n"


def _incomplete(columns: Columns) -> Iterator[Finding]:
    """Rows whose effect lacks the rest of its set, and rows that hold no statistic at all.

    A row with a statistic that belongs to none of the table's sets is left alone: there may be another way.
    """
    routes = _routes(columns)
    filled = [np.column_stack([_filled(columns, role) for role in route]) for route in routes]
    whole = np.any([have.all(axis=1) for have in filled], axis=0)
    begun = np.column_stack([have[:, 0] for have in filled])
    known = {role for route in routes for role in route}.union(_BESIDE)
    others = [_filled(columns, role) for role in columns.number_roles() if role not in known]
    elsewhere = np.any(others, axis=0) if others else np.zeros(columns.k, dtype=bool)
    for i in positions(~whole & ~elsewhere):
        nearest = max(range(len(routes)), key=lambda j: (begun[i, j], filled[j][i].mean()))
        route = routes[nearest]
        absent = [columns.names[role] for role, have in zip(route, filled[nearest][i], strict=True) if not have]
        seen = f"{', '.join(absent)} missing of {', '.join(columns.names[role] for role in route)}: no effect size"
        yield Finding(i, "warning", seen, "Fill the cells in, or leave the row out yourself before pooling.")


def _filled(columns: Columns, role: str) -> BoolArray:
    """Where a role has a cell that is not empty; n also where both groups have one."""
    here = ~columns.cells(columns.names[role]).empty
    return here | (_filled(columns, "n1") & _filled(columns, "n2")) if role == "n" and columns.has("n1", "n2") else here


def _gaps(columns: Columns) -> Iterator[Finding]:
    for role in columns.number_roles():
        name = columns.names[role]
        empty = np.flatnonzero(columns.cells(name).empty).tolist()
        if empty:
            seen = f"{name} is empty in {len(empty)} of {columns.k} rows: {columns.rows(empty)}"
            yield Finding(empty[0], "note", seen, "Nothing, if the article does not print the number.")


def _repeated_id(columns: Columns) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for i, text in enumerate(columns.texts("effect_id")):
        if text and first.setdefault(text, i) != i:
            seen = f"{columns.names['effect_id']} {text!r} also names row {columns.frame.index[first[text]]}"
            yield Finding(i, "error", seen, "Give each row its own id.")


def _nameless(columns: Columns) -> Iterator[Finding]:
    for role in filter(columns.has, _NAMES):
        for i in [i for i, text in enumerate(columns.texts(role)) if not text.strip()]:
            yield Finding(i, "error", f"{columns.names[role]} is empty", "Give the row a name.")


def _stray_whitespace(columns: Columns) -> Iterator[Finding]:
    for role in filter(columns.has, _NAMES):
        for i, text in enumerate(columns.texts(role)):
            if text.strip() and text != re.sub(r"[\s\u200b\u200e\u200f\ufeff]+", " ", text).strip():
                seen = f"{columns.names[role]} {text!r} has spaces at its ends, in a row, or that do not show"
                yield Finding(i, "warning", seen, "Clean the name: to a program, it is not the one without them.")


CHECKS: tuple[Check, ...] = (
    Check(
        name="not_a_number",
        family="cells",
        about="a cell of a number's column that is no number",
        find=_not_a_number,
    ),
    Check(
        name="infinite",
        family="cells",
        about="an infinite number",
        find=_infinite,
    ),
    Check(
        name="row_incomplete",
        family="cells",
        about="a row from whose filled cells no effect size can be made",
        find=_incomplete,
        lacks=_lacks_route,
    ),
    Check(
        name="column_gaps",
        family="cells",
        about="empty cells, counted by column",
        find=_gaps,
    ),
    Check(
        name="effect_id_repeated",
        family="cells",
        about="an effect id that stands more than once",
        needs=(("effect_id",),),
        find=_repeated_id,
    ),
    Check(
        name="name_missing",
        family="cells",
        about="an empty effect id, study or label",
        needs=(("effect_id",), ("study",), ("label",)),
        find=_nameless,
    ),
    Check(
        name="stray_whitespace",
        family="cells",
        about="an effect id, study or label with stray white space",
        needs=(("effect_id",), ("study",), ("label",)),
        find=_stray_whitespace,
    ),
)
