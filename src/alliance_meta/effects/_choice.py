"""Which route each row takes, and what becomes of the rows that none can make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alliance_meta import _checks, measures
from alliance_meta.effects._cells import SIZES, has_columns, there
from alliance_meta.effects._not_significant import NotSignificant, stand_in
from alliance_meta.effects._routes import ROUTES, Route
from alliance_meta.errors import InputError
from alliance_meta.stats._arrays import BoolArray
from alliance_meta.studies import StudyTable

__all__ = ["Choice", "choose"]

_ROWS_IN_MESSAGE = 20
_FEW = 3


@dataclass(frozen=True, slots=True)
class Choice:
    """The route of each row.

    Attributes
    ----------
    routes : tuple of Route
    which : ndarray of int, shape (k,)
        Index of the row's route; -1 where the row is left out.
    stood_in : ndarray of bool, shape (k,)
        Rows whose effect only is known not to be significant.
    """

    routes: tuple[Route, ...]
    which: npt.NDArray[np.intp]
    stood_in: BoolArray

    def takers(self, i: int) -> npt.NDArray[np.intp]:
        """The rows that take a route."""
        return np.flatnonzero(self.which == i)


def choose(studies: StudyTable, code: str, not_significant: NotSignificant | None) -> Choice:
    """Give each row the first route that it has the cells for."""
    routes = [route for route in ROUTES[code] if has_columns(studies, route.needs)]
    if not routes:
        _refuse_missing_columns(studies, code)
    which = np.full(len(studies.index), -1)
    for i, route in enumerate(routes):
        able = np.all([there(studies, need) for need in route.needs], axis=0)
        which[(which < 0) & able] = i
    silent = (which < 0) & _said_not_significant(studies)
    if silent.any():
        if not_significant is None:
            _refuse_silence(studies, silent)
        if not_significant != "exclude":
            routes = [*routes, _standing_in(studies, code, not_significant, silent)]
            which[silent] = len(routes) - 1
    lost = (which < 0) & ~silent
    if lost.any() and len(routes) == 1:
        which[lost] = 0  # its columns say what is missing
    elif lost.any():
        _refuse_lost_rows(studies, code, routes, lost)
    return Choice(tuple(routes), which, silent)


def _said_not_significant(studies: StudyTable) -> BoolArray:
    if not studies.has("significance"):
        return np.zeros(len(studies.index), dtype=bool)
    cells = studies.column("significance").tolist()
    return np.array([isinstance(cell, str) and cell.strip().lower() in ("ns", "n.s.") for cell in cells], dtype=bool)


def _refuse_silence(studies: StudyTable, silent: BoolArray) -> None:
    _checks.refuse_rows(
        studies.roles["significance"],
        "marks rows as not significant from which no effect can be made otherwise",
        "Say what to do with them: not_significant='exclude' leaves them out, 'zero' takes the null, 'bounded' spreads "
        "them over the effects that would not be significant.",
        silent,
        studies.column("significance").tolist(),
        studies.index,
    )


def _standing_in(studies: StudyTable, code: str, rule: NotSignificant | None, silent: BoolArray) -> Route:
    route = stand_in(code, rule)
    needed = route.needs[0]
    _checks.refuse_rows(
        studies.roles["significance"],
        f"marks rows as not significant that have no sample size, which not_significant={rule!r} needs",
        f"Fill in {_needs_text((needed,))}, or use not_significant='exclude'.",
        silent & ~there(studies, needed),
        studies.column("significance").tolist(),
        studies.index,
    )
    return route


def _needs_text(needs: Sequence[str]) -> str:
    named = [role for need in needs for role in (("n1", "n2") if need == SIZES else (need,))]
    return f"{_checks.listed(named)}{' (or n)' if SIZES in needs else ''}"


def _ways(routes: Sequence[Route]) -> str:
    ways = [_needs_text(route.needs) for route in routes]
    return " or ".join(ways) if len(ways) <= _FEW else f"one of: {'; '.join(ways)}"


def _refuse_missing_columns(studies: StudyTable, code: str) -> None:
    fitting = [
        other
        for other, record in measures.MEASURES.items()
        if any(has_columns(studies, inputs) for inputs in record.inputs)
    ]
    hint = f" Its columns would do for measure={_checks.listed(fitting, last='or')}." if fitting else ""
    raise InputError(
        f"measure {code!r} needs {_ways(ROUTES[code])}; this table has columns "
        f"{_checks.listed(list(studies.frame.columns))}.{hint} Name the columns to use, such as "
        f"effect_sizes(frame, measure={code!r}, {measures.MEASURES[code].inputs[0][0]}='my_column', ...)."
    )


def _refuse_lost_rows(studies: StudyTable, code: str, routes: Sequence[Route], lost: BoolArray) -> None:
    roles = dict.fromkeys(
        role
        for route in ROUTES[code]
        for need in route.needs
        for role in (("n1", "n2", "n") if need == SIZES else (need,))
    )
    filled = {role: there(studies, role) for role in roles if studies.has(role)}
    positions = np.flatnonzero(lost).tolist()
    shown = []
    for i in positions[:_ROWS_IN_MESSAGE]:
        has = [role for role, cells in filled.items() if cells[i]]
        shown.append(f"{studies.index[i]!s} (has {_checks.listed(has) if has else 'none of them'})")
    more = len(positions) - len(shown)
    tail = f" and {more} more, all of them in this error's `rows`" if more else ""
    noun = "row" if len(positions) == 1 else "rows"
    raise InputError(
        f"measure {code!r} needs {_ways(routes)}; this cannot be found in {noun} {', '.join(shown)}{tail}. "
        "Fill in the cells, or leave those rows out before calling.",
        rows=[studies.index[i] for i in positions],
    )
