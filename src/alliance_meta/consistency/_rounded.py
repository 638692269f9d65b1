"""A printed number, and the range of what it may have been before it was rounded."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from alliance_meta._tables import number

__all__ = ["REAL", "Range", "Rounded", "read_number"]

_RELATIVE, _ABSOLUTE = 1e-9, 1e-12
_NOT_SIGNIFICANT = 0.05
_TOO_LARGE = 10**100
_DASHES = str.maketrans({"\u2212": "-", "\u2013": "-", "\u2010": "-", "\u2011": "-", "≤": "<", "≥": ">"})
_NUMBER = re.compile(
    r"(?P<sign>[<>=]?)\s*(?P<number>[-+]?(?:(?P<grouped>[1-9]\d{0,2}(?:,\d{3})+)|\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)"
    r"\s*(?P<percent>%?)"
)


class Range(NamedTuple):
    """All numbers from `low` to `high`, both included."""

    low: float
    high: float

    def through(self, monotone: Callable[[float], float]) -> Range:
        """What a rising or falling function makes of it."""
        ends = monotone(self.low), monotone(self.high)
        return Range(min(ends), max(ends))

    def magnitude(self) -> Range:
        """Without the sign."""
        nearest = 0.0 if self.low <= 0.0 <= self.high else min(abs(self.low), abs(self.high))
        return Range(nearest, max(abs(self.low), abs(self.high)))

    def within(self, limits: Range) -> Range:
        """What of it lies within limits; low above high if nothing does."""
        return Range(max(self.low, limits.low), min(self.high, limits.high))

    def gap(self, other: Range) -> float:
        """How far apart two ranges lie; 0 where they share a number, but for the error of computing."""
        apart = max(self.low - other.high, other.low - self.high)
        ends = (one for one in (*self, *other) if math.isfinite(one))
        return apart if apart > _RELATIVE * max(map(abs, ends), default=0.0) + _ABSOLUTE else 0.0

    def words(self) -> str:
        """As prose: ``0.235 to 0.245``, ``at least 0.034``."""
        if math.isinf(self.low) or math.isinf(self.high):
            if math.isinf(self.low) and math.isinf(self.high):
                return "any number"
            return f"at least {_digits(self.low)}" if math.isinf(self.high) else f"at most {_digits(self.high)}"
        low, high = _both(self.low, self.high)
        return low if low == high else f"{low} to {high}"


REAL = Range(-math.inf, math.inf)


def _digits(value: float, significant: int = 3) -> str:
    """About `significant` digits, without an exponent where people would not write one; whole numbers as such."""
    if value == math.floor(value):
        return number(value, 0)
    if abs(value) < 0.0001:
        return f"{value:.1e}"
    return number(value, max(significant - 1 - math.floor(math.log10(abs(value))), 0))


def _both(low: float, high: float) -> tuple[str, str]:
    """Two ends, with as many decimals as the smaller in size asks for, at most four."""
    sizes = [abs(one) for one in (low, high) if one != 0.0]
    if low == math.floor(low) and high == math.floor(high):
        return number(low, 0), number(high, 0)
    if max(sizes) < 0.0001:
        return _digits(low, 2), _digits(high, 2)
    places = min(max(2 - math.floor(math.log10(min(sizes))), 0), 4)
    return number(low, places), number(high, places)


@dataclass(frozen=True, slots=True)
class Rounded:
    """A number as it is printed.

    Attributes
    ----------
    text : str
        With its sign: ``"= .24"``, ``"< .001"``, ``"= ns"``.
    value : float
        The printed number, or the bound that is printed.
    range : Range
        What may have been rounded to it: half a unit in the last place to both sides.
    cut : Range
        What may have been cut off to it, for those who do not round.
    """

    text: str
    value: float
    range: Range
    cut: Range

    def within(self, limits: Range) -> Rounded:
        """Only what is possible of it."""
        return Rounded(self.text, self.value, self.range.within(limits), self.cut.within(limits))


def read_number(text: str, *, whole: bool = False, percent: float | None = None) -> Rounded | str:
    """Read a printed number, or say why it cannot be read.

    Parameters
    ----------
    text : str
        ``".28"``, ``"-0.32"``, ``"6.54"``, ``"< .001"``, ``"79.3%"``, ``"ns"``.
    whole : bool
        A count, printed exactly; commas may stand between its thousands.
    percent : float or None
        What one percent is in the quantity's own unit; None where a percentage makes no sense.

    Returns
    -------
    Rounded or str
    """
    clean = " ".join(text.translate(_DASHES).split())
    if clean.lower().replace(".", "").replace(" ", "") == "ns":
        above = Range(_NOT_SIGNIFICANT, math.inf)
        return Rounded("= ns", _NOT_SIGNIFICANT, above, above)
    match = _NUMBER.fullmatch(clean)
    if match is None or (match["grouped"] and not whole):
        comma = "; write a decimal point" if "," in clean and not whole else ""
        return f"is no number{comma}"
    if match["percent"] and percent is None:
        return "is a percentage, which this quantity is not"
    unit = percent if match["percent"] and percent is not None else 1.0
    printed = Decimal(match["number"].replace(",", ""))
    if abs(printed) >= _TOO_LARGE:
        return "is larger than any printed result"
    value = float(printed) * unit
    if whole and printed != printed.to_integral_value():
        return "is a count, and not a whole number"
    step = 0.0 if whole else float(Decimal(1).scaleb(int(printed.as_tuple().exponent))) * unit
    sign = match["sign"] or "="
    shown = f"{sign} {match['number'].replace('-', '−')}{match['percent']}"
    return Rounded(shown, value, *_ranges(sign, value, step, negative=printed.is_signed()))


def _ranges(sign: str, value: float, step: float, *, negative: bool) -> tuple[Range, Range]:
    if sign == "<":
        return Range(-math.inf, value), Range(-math.inf, value)
    if sign == ">":
        return Range(value, math.inf), Range(value, math.inf)
    cut = Range(value - step, value) if negative else Range(value, value + step)
    return Range(value - step / 2.0, value + step / 2.0), cut
