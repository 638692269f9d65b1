"""Spans: what a printed number may have been before it was rounded, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alliance_meta.auditing._columns import Columns
from alliance_meta.stats._arrays import BoolArray, FloatArray

__all__ = ["EFFECT_ROLES", "Span", "above", "apart", "magnitude", "span"]

EFFECT_ROLES = ("effect", "r", "g", "d", "odds_ratio", "log_odds_ratio", "beta", "alpha")
"""The roles an interval may belong to."""

_RELATIVE, _ABSOLUTE = 1e-6, 1e-9
_NEARLY_1 = 1.0 - 1e-12


class Span(NamedTuple):
    """A lower and an upper bound, each of shape (k,); NaN where there is no number."""

    low: FloatArray
    high: FloatArray

    def through(self, rising: Callable[[FloatArray], npt.ArrayLike]) -> Span:
        """The span of a rising function."""
        return Span(np.asarray(rising(self.low), dtype=float), np.asarray(rising(self.high), dtype=float))

    def falling(self, function: Callable[[FloatArray], npt.ArrayLike]) -> Span:
        """The span of a falling function."""
        return Span(np.asarray(function(self.high), dtype=float), np.asarray(function(self.low), dtype=float))

    def times(self, other: Span) -> Span:
        """The span of a product."""
        corners = [one * two for one in self for two in other]
        return Span(np.min(corners, axis=0), np.max(corners, axis=0))

    def over(self, other: Span) -> Span:
        """The span of a quotient; NaN where the divisor's span does not stay above 0."""
        low = np.where(other.low > 0.0, other.low, np.nan)
        return self.times(Span(1.0 / other.high, 1.0 / low))

    def words(self, i: int) -> str:
        """Row `i` as prose: ``0.0249 to 0.0265``."""
        low, high = f"{self.low[i]:.4g}", f"{self.high[i]:.4g}"
        return low if low == high else f"{low} to {high}"


def span(columns: Columns, role: str) -> Span:
    """What the numbers of a role may have been before rounding; NaN where they cannot be."""
    values, half = columns.valid(role), columns.half(role)
    return Span(values - half, values + half)


def magnitude(one: Span, *, below_1: bool = False) -> Span:
    """The span without its sign; with `below_1`, cut short of 1."""
    low = np.where(one.low > 0.0, one.low, np.where(one.high < 0.0, -one.high, one.low * 0.0))
    high = np.maximum(np.abs(one.low), np.abs(one.high))
    return Span(np.minimum(low, _NEARLY_1), np.minimum(high, _NEARLY_1)) if below_1 else Span(low, high)


def above(one: Span, other: Span) -> BoolArray:
    """Where all of one span lies above all of another, beyond the error of computing; False where one is NaN."""
    slack = _RELATIVE * np.maximum(np.abs(one.low), np.abs(other.high)) + _ABSOLUTE
    return np.asarray(one.low > other.high + slack)


def apart(one: Span, other: Span) -> BoolArray:
    """Where two spans share no number, beyond the error of computing; False where one is NaN."""
    return above(one, other) | above(other, one)
