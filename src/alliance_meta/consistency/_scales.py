"""The scales an interval may be symmetric on, and what an interval says about its middle and its test."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from alliance_meta.consistency._rounded import REAL, Range
from alliance_meta.consistency._vocabulary import Printed
from alliance_meta.stats import conversions
from alliance_meta.stats.inference import critical_value, two_sided_p_value

__all__ = [
    "AS_PRINTED",
    "NORMAL",
    "Critical",
    "Scale",
    "criticals",
    "half_width",
    "interval",
    "middle",
    "normal",
    "on_scale",
    "p_values",
    "scales",
    "statistic",
    "student",
]

_AS_GOOD_AS_INFINITE = 1e6  # an r of 1 as Fisher's z, a ratio of 0 on its logarithm: finite, as differences are taken
_LARGEST_STATISTIC = 1e300
_POSSIBLE_DF = Range(0.5, math.inf)


class Scale(NamedTuple):
    """A scale of analysis: its name, empty where no other is tried; the way to it from the printed scale, and back."""

    name: str
    forward: Callable[[float], float]
    back: Callable[[float], float]


def _fisher(r: float) -> float:
    return math.copysign(_AS_GOOD_AS_INFINITE, r) if abs(r) >= 1.0 else float(conversions.r_to_z(r))


def _log(ratio: float) -> float:
    return math.log(ratio) if ratio > 0.0 else -_AS_GOOD_AS_INFINITE


AS_PRINTED = Scale("the printed scale", float, float)
_FISHER = Scale("Fisher's z", _fisher, lambda z: float(conversions.z_to_r(z)))
_RATIO = Scale("its logarithm", _log, lambda log: float(np.exp(log)))


def scales(printed: Printed, *names: str) -> tuple[Scale, ...]:
    """The scales to try for these quantities: by the metric, or, where none is said, by what the numbers allow."""
    held = [printed.range(name) for name in names if printed.has(name)]
    within_1 = all(one.magnitude().low <= 1.0 for one in held)
    if printed.metric == "r":
        itself = Scale("r itself", float, float)
        return (_FISHER, itself) if within_1 else (itself,)
    if printed.metric in ("OR", "RR"):
        return (_RATIO,)
    if printed.metric:
        return (Scale("", float, float),)
    found = [AS_PRINTED]
    if within_1:
        found.append(_FISHER)
    if all(one.high > 0.0 for one in held):
        found.append(_RATIO)
    return tuple(found)


def on_scale(printed: Printed, name: str, scale: Scale) -> Range:
    """What a printed number may have been, on a scale; any number where it is not printed."""
    return printed.range(name).through(scale.forward) if printed.has(name) else REAL


def interval(printed: Printed, scale: Scale, kind: str = "ci") -> tuple[Range, Range]:
    """The bounds of an interval on a scale, put in order where no rounding could."""
    low, high = (on_scale(printed, f"{kind}_{end}", scale) for end in ("low", "high"))
    return (high, low) if low.low > high.high else (low, high)


def middle(low: Range, high: Range) -> Range:
    """The middle of an interval whose bounds are rounded."""
    return Range((low.low + high.low) / 2.0, (low.high + high.high) / 2.0)


def half_width(low: Range, high: Range) -> Range:
    """Half the width of an interval whose bounds are rounded; not below 0."""
    return Range(max((high.low - low.high) / 2.0, 0.0), max((high.high - low.low) / 2.0, 0.0))


def statistic(low: Range, high: Range, estimate: Range) -> Range | None:
    """Size of the middle over half the width of an interval, which is the statistic over its critical value.

    The bounds that rounding allows form a rectangle, of which a known estimate leaves a strip. A ratio of linear
    functions has its extremes in the corners of what is left. None where nothing is left.
    """
    lines = [one for one in (estimate.low, estimate.high) if math.isfinite(one)]
    if estimate.low <= 0.0 <= estimate.high:
        lines.append(0.0)  # where the size of the middle turns
    corners = [(a, b) for a in low for b in high]
    corners += [(2.0 * m - b, b) for m in lines for b in high] + [(a, 2.0 * m - a) for m in lines for a in low]
    slack = 1e-12 * max(1.0, *map(abs, (*low, *high)))
    sizes = []
    for a, b in corners:
        mean = (a + b) / 2.0
        inside = low.low - slack <= a <= low.high + slack and high.low - slack <= b <= high.high + slack
        if inside and estimate.low - slack <= mean <= estimate.high + slack:
            half = (b - a) / 2.0
            sizes.append(abs(mean) / half if half > slack else math.inf)
    return Range(min(sizes), max(sizes)) if sizes else None


class Critical(NamedTuple):
    """A test an interval may be made with: its name, its degrees of freedom, and its critical value."""

    name: str
    df: Range
    value: Range


NORMAL = Range(math.inf, math.inf)
"""The degrees of freedom of a z test."""


def normal(level: float) -> Critical:
    """The z test."""
    return Critical("z test", NORMAL, _critical(level, NORMAL))


def student(name: str, df: float, level: float) -> Critical:
    """A t test."""
    return Critical(name, Range(df, df), _critical(level, Range(df, df)))


def criticals(printed: Printed, level: float) -> tuple[Critical, ...]:
    """The tests to try: t where it or its degrees of freedom are printed, z where z is, either where neither is."""
    if printed.has("df"):
        df = printed.range("df").within(_POSSIBLE_DF)
        if df.low > df.high:
            return ()
        return (Critical(f"t({printed.value('df'):g})", df, _critical(level, df)),)
    found: tuple[Critical, ...] = () if printed.has("t") else (normal(level),)
    if not printed.has("z") and printed.has("k") and printed.range("k").low > 1.0:
        df = Range(*(end - 1.0 for end in printed.range("k")))
        found = (*found, Critical("t(k − 1)", df, _critical(level, df)))
    return found


def _critical(level: float, df: Range) -> Range:
    value = df.through(lambda one: float(critical_value(level, one)))
    return Range(value.low, max(value.high, 1.96)) if level == 0.95 else value  # 1.96 is taken by hand


def p_values(printed: Printed, size: Range, df: Range) -> tuple[tuple[str, Range], ...]:
    """The p values of a statistic without its sign, by the number of tails."""
    size = Range(max(size.low, 0.0), min(size.high, _LARGEST_STATISTIC))
    two = Range(float(two_sided_p_value(size.high, df.high)), float(two_sided_p_value(size.low, df.low)))
    both = (("two-sided", two), ("one-sided", Range(two.low / 2.0, two.high / 2.0)))
    tails = printed.value("tails") if printed.has("tails") else 0.0
    return tuple(one for one in both if not tails or one[0] == ("one-sided" if tails == 1.0 else "two-sided"))
