"""What stands for an effect of which an article says no more than that it is not significant."""

from __future__ import annotations

from typing import Literal

import numpy as np

from alliance_meta.effects._cells import SIZES, Rows
from alliance_meta.effects._routes import Route
from alliance_meta.errors import InputError
from alliance_meta.stats import conversions
from alliance_meta.stats._arrays import FloatArray

__all__ = ["RULES", "NotSignificant", "stand_in"]

NotSignificant = Literal["exclude", "zero", "bounded"]

RULES: dict[NotSignificant, str] = {
    "exclude": "{m} of {k} rows say only that their effect is not significant: they are left out",
    "zero": "{m} of {k} rows say only that their effect is not significant: they count as no effect",
    "bounded": (
        "{m} of {k} rows say only that their effect is not significant: they are spread evenly over the effects that "
        "would not be (two-sided .05)"
    ),
}
"""The rules, and the note that each leaves."""

_ALPHA = 0.05
_CORRELATIONS = ("COR", "UCOR", "ZCOR")


def _spread(c: Rows) -> FloatArray:
    """(2 j - 1) / m - 1 for the j-th of m rows: the centres of m equal parts of -1 to 1."""
    m = len(c)
    return (2.0 * np.arange(1.0, m + 1.0) - 1.0) / m - 1.0


def _no_r(c: Rows) -> tuple[FloatArray, ...]:
    return np.zeros(len(c)), c["n"]


def _bounded_r(c: Rows) -> tuple[FloatArray, ...]:
    return _spread(c) * conversions.p_to_r(_ALPHA, c["n"]), c["n"]


def _no_g(c: Rows) -> tuple[FloatArray, ...]:
    return np.zeros(len(c)), c["n1"], c["n2"], np.full(len(c), np.nan)


def _bounded_g(c: Rows) -> tuple[FloatArray, ...]:
    n1, n2 = c["n1"], c["n2"]
    critical = conversions.d_to_g(conversions.p_to_d(_ALPHA, n1, n2), n1 + n2 - 2.0)
    return _spread(c) * critical, n1, n2, np.full(len(c), np.nan)


def stand_in(code: str, rule: NotSignificant | None) -> Route:
    """The route of rows that only say that their effect is not significant.

    Parameters
    ----------
    code : str
        ``"COR"``, ``"UCOR"``, ``"ZCOR"`` or ``"SMD"``.
    rule : {"zero", "bounded"}

    Raises
    ------
    InputError
        For other measures, whose variance needs more than sample sizes.
    """
    zero = rule == "zero"
    words = "0" if zero else "within the critical value"
    if code in _CORRELATIONS:
        return Route(f"not significant, n -> {words}", ("n",), _no_r if zero else _bounded_r)
    if code == "SMD":
        return Route(f"not significant, n1, n2 -> {words}", (SIZES,), _no_g if zero else _bounded_g)
    raise InputError(
        f"not_significant={rule!r} is for correlations (COR, UCOR, ZCOR) and SMD: sample sizes alone give {code} no "
        "sampling variance; use not_significant='exclude'"
    )
