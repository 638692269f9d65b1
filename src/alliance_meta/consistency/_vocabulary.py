"""The closed vocabulary of printed quantities, and a set of them as an article prints it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from alliance_meta import _checks
from alliance_meta.consistency._rounded import REAL, Range, Rounded, read_number
from alliance_meta.errors import InputError

__all__ = ["METRICS", "QUANTITIES", "Printed", "is_empty", "limits_of", "quantities", "read_printed"]

_POSITIVE, _SHARE, _CORRELATION = Range(0.0, math.inf), Range(0.0, 1.0), Range(-1.0, 1.0)
_COUNT = Range(1.0, math.inf)
_DEFAULT_LEVEL = "0.95"

METRICS: dict[str, Range] = {
    "r": _CORRELATION,
    "z": REAL,
    "d": REAL,
    "g": REAL,
    "SMD": REAL,
    "MD": REAL,
    "OR": _POSITIVE,
    "RR": _POSITIVE,
}
"""What an estimate may be, and its limits; ``z`` is Fisher's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Quantity:
    symbol: str
    about: str
    limits: Range = REAL
    whole: bool = False
    percent: float | None = None


QUANTITIES: dict[str, _Quantity] = {
    "estimate": _Quantity(symbol="estimate", about="pooled effect, in the metric that `metric` names"),
    "std_error": _Quantity(symbol="SE", about="its standard error", limits=_POSITIVE),
    "ci_low": _Quantity(symbol="lower bound", about="lower bound of its confidence interval"),
    "ci_high": _Quantity(symbol="upper bound", about="upper bound of its confidence interval"),
    "level": _Quantity(symbol="level", about="level of the interval; .95 if not given", limits=_SHARE, percent=0.01),
    "pi_low": _Quantity(
        symbol="lower bound of prediction", about="lower bound of a prediction or credibility interval"
    ),
    "pi_high": _Quantity(symbol="upper bound of prediction", about="its upper bound"),
    "pi_level": _Quantity(
        symbol="level of prediction", about="its level; .95 if not given", limits=_SHARE, percent=0.01
    ),
    "z": _Quantity(symbol="z", about="z statistic of the pooled effect"),
    "t": _Quantity(symbol="t", about="t statistic of the pooled effect"),
    "df": _Quantity(symbol="df", about="degrees of freedom of t", limits=_POSITIVE),
    "tails": _Quantity(symbol="tails", about="1 or 2 tails of p; either if not given", limits=Range(1, 2), whole=True),
    "p_value": _Quantity(symbol="p", about="p value of the pooled effect; '< .001' and 'ns' are taken", limits=_SHARE),
    "k": _Quantity(symbol="k", about="number of effects, or samples, that are pooled", limits=_COUNT, whole=True),
    "k_studies": _Quantity(
        symbol="studies", about="number of studies, where k counts effects", limits=_COUNT, whole=True
    ),
    "n": _Quantity(symbol="N", about="number of people in all", limits=_COUNT, whole=True),
    "q_statistic": _Quantity(symbol="Q", about="Cochran's Q", limits=_POSITIVE),
    "q_df": _Quantity(symbol="df of Q", about="its degrees of freedom", limits=_POSITIVE, whole=True),
    "q_p_value": _Quantity(symbol="p of Q", about="its p value", limits=_SHARE),
    "i2": _Quantity(symbol="I²", about="I², in percent", limits=Range(0.0, 100.0), percent=1.0),
    "h2": _Quantity(symbol="H²", about="H²", limits=_POSITIVE),
    "tau2": _Quantity(symbol="τ²", about="between-study variance, on the analysed scale", limits=_POSITIVE),
    "r": _Quantity(symbol="r", about="the estimate stated as r", limits=_CORRELATION),
    "d": _Quantity(symbol="d", about="the estimate stated as d"),
    "variance_share": _Quantity(
        symbol="r²", about="share of variance, a proportion or with %", limits=_SHARE, percent=0.01
    ),
    "nnt": _Quantity(symbol="NNT", about="number needed to treat"),
}
_INTERVALS = (("ci_low", "ci_high", "level", "interval"), ("pi_low", "pi_high", "pi_level", "prediction interval"))
_EXACT = ("level", "pi_level", "df", "tails", "k", "k_studies", "q_df")
_BOUNDS = ("ci_low", "ci_high", "pi_low", "pi_high")


def quantities() -> pd.DataFrame:
    """The printed quantities that can be checked: quantity, about.

    Examples
    --------
    >>> quantities().set_index("quantity").loc["i2", "about"]
    'I², in percent'
    """
    rows = [("metric", f"metric of the estimate: {', '.join(METRICS)} (z is Fisher's)")]
    rows += [(name, one.about) for name, one in QUANTITIES.items()]
    return pd.DataFrame(rows, columns=["quantity", "about"])


def limits_of(name: str, metric: str) -> Range:
    """What a quantity can be. The interval of an r that was not analysed as Fisher's z may pass 1."""
    if name == "estimate" or (name in _BOUNDS and metric in ("OR", "RR")):
        return METRICS.get(metric, REAL)
    return QUANTITIES[name].limits


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Printed:
    """What one analysis prints.

    Attributes
    ----------
    metric : str
        One of `METRICS`; empty where it is not said.
    numbers : mapping of quantity to Rounded
        Only what is printed, and can be.
    impossible : mapping of quantity to Rounded
        Printed numbers that lie outside what the quantity can be.
    cut : bool
        Take decimals as cut off, not rounded.
    """

    metric: str
    numbers: Mapping[str, Rounded]
    impossible: Mapping[str, Rounded] = field(default_factory=dict)
    cut: bool = False

    def has(self, *names: str) -> bool:
        """Whether all of these are printed."""
        return all(name in self.numbers for name in names)

    def range(self, name: str) -> Range:
        """What a number may have been."""
        held = self.numbers[name]
        return held.cut if self.cut else held.range

    def value(self, name: str) -> float:
        """A number as printed."""
        return self.numbers[name].value

    def level(self, name: str = "level") -> float:
        """The level of an interval, which is printed exactly; 0.95 where it is not printed."""
        return self.numbers[name].value if name in self.numbers else float(_DEFAULT_LEVEL)

    def words(self, *names: str) -> str:
        """Those of the quantities that are printed, as prose: ``r = .24, 95% interval .12 to .36``."""
        said = {name: f"{self.symbol(name)} {self.numbers[name].text}" for name in names if name in self.numbers}
        for low, high, level, noun in _INTERVALS:
            if {low, high} <= said.keys() and all(self.numbers[end].text.startswith("=") for end in (low, high)):
                percent = f"{100.0 * self.level(level):g}% " if level in self.numbers else ""
                ends = " to ".join(self.numbers[end].text.removeprefix("= ") for end in (low, high))
                said[low] = f"{percent}{noun} {ends}"
                said.pop(high)
                said.pop(level, None)
        return ", ".join(said.values())

    def symbol(self, name: str) -> str:
        """How a quantity is called in a sentence."""
        of_metric = {"z": "Fisher's z", "": "estimate"}.get(self.metric, self.metric)
        return (
            of_metric
            if name == "estimate" or (name == "d" and self.metric in ("g", "SMD"))
            else QUANTITIES[name].symbol
        )


def is_empty(cell: Any) -> bool:
    """Whether nothing is printed there."""
    return not cell.strip() if isinstance(cell, str) else bool(pd.api.types.is_scalar(cell) and pd.isna(cell))


def read_printed(given: Mapping[str, object], where: str = "") -> Printed:
    """Read what is printed, by name; nothing is refused because it cannot be right, only because it cannot be read.

    Parameters
    ----------
    given : mapping of quantity to text or number
    where : str
        Names the row in messages.
    """
    metric, numbers, impossible = "", {}, {}
    for name, cell in given.items():
        _checks.known_name("quantity", name, ("metric", *QUANTITIES))
        if is_empty(cell):
            continue
        if name == "metric":
            metric = _checks.known_name("metric", cell, tuple(METRICS))
            continue
        numbers[name] = _read(name, cell, where)
    for name in tuple(numbers):
        possible = numbers[name].within(limits_of(name, metric))
        if possible.range.low > possible.range.high:
            impossible[name] = numbers.pop(name)
        else:
            numbers[name] = possible
    return Printed(metric=metric, numbers=_restated(metric, numbers, where), impossible=impossible)


def _restated(metric: str, numbers: dict[str, Rounded], where: str) -> dict[str, Rounded]:
    """With the estimate also under the name of its own metric, by which identities ask for it."""
    own = {"r": "r", "d": "d", "g": "d", "SMD": "d"}.get(metric, "")
    if own and "estimate" in numbers:
        if metric == own and own in numbers:
            raise InputError(f"{where}estimate is already {own!r} by its metric: give {own} once")
        return {own: numbers["estimate"], **numbers}
    return numbers


def _read(name: str, cell: object, where: str) -> Rounded:
    about = QUANTITIES[name]
    if isinstance(cell, bool | np.bool_) or not isinstance(cell, str | Real | Decimal):
        raise InputError(
            f"{where}{name} must be the printed text, such as '.28', or a number; got {cell!r}", column=name
        )
    text = str(cell)
    if isinstance(cell, Real) and about.whole and float(cell).is_integer():
        text = f"{float(cell):.0f}"  # a count in a column with empty cells is a float
    held = read_number(text, whole=about.whole, percent=about.percent)
    if isinstance(held, str):
        raise InputError(f"{where}{name} = {cell!r} {held}", column=name)
    if held.text == "= ns" and name not in ("p_value", "q_p_value"):
        raise InputError(f"{where}{name} = {cell!r}: only a p value can be 'ns'", column=name)
    if name in _EXACT and not held.text.startswith("="):
        raise InputError(f"{where}{name} = {cell!r}: it must be a number, not a bound", column=name)
    if name in ("level", "pi_level"):
        held = _level(name, held, cell, where)
    return held


def _level(name: str, held: Rounded, cell: object, where: str) -> Rounded:
    """A level is exact, and 95 is as good as .95."""
    value = held.value / 100.0 if held.value > 1.0 else held.value
    if not 0.0 < value < 1.0:
        raise InputError(f"{where}{name} must lie between 0 and 1, such as '.95' or '95%'; got {cell!r}", column=name)
    return Rounded(held.text, value, Range(value, value), Range(value, value))
