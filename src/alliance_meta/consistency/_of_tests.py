"""Identities between an estimate, its standard error, its interval and its test."""

from __future__ import annotations

import math
from collections.abc import Iterator

from alliance_meta.consistency._identity import Identity, Reading, named
from alliance_meta.consistency._rounded import Range
from alliance_meta.consistency._scales import (
    AS_PRINTED,
    NORMAL,
    Critical,
    Scale,
    criticals,
    half_width,
    interval,
    middle,
    normal,
    on_scale,
    p_values,
    scales,
    statistic,
)
from alliance_meta.consistency._vocabulary import Printed

__all__ = ["IDENTITIES", "standard_errors"]

_INTERVAL = ("ci_low", "ci_high")
_BOOTSTRAP = "the interval is a bootstrap, profile or bias-corrected one"
_NOT_SYMMETRIC = "the interval is not symmetric about the estimate on any scale tried"


def _over(one: Range, positive: Range) -> Range:
    """A quotient of ranges that are not below 0."""
    low = one.low / positive.high if positive.high > 0.0 else math.inf
    return Range(low, one.high / positive.low if positive.low > 0.0 else math.inf)


def _times(one: Range, other: Range) -> Range:
    """A product of ranges that are not below 0."""
    return Range(one.low * other.low, one.high * other.high)


def _holds(printed: Printed) -> Iterator[Reading]:
    low, high = interval(printed, AS_PRINTED)
    yield Reading("", printed.range("estimate"), Range(low.low, high.high))


def _ordered(printed: Printed) -> Iterator[Reading]:
    yield Reading("", printed.range("ci_high"), Range(printed.range("ci_low").low, math.inf))


def _symmetric(printed: Printed, kind: str = "ci") -> Iterator[Reading]:
    for scale in scales(printed, "estimate", f"{kind}_low", f"{kind}_high"):
        allowed = middle(*interval(printed, scale, kind)).through(scale.back)
        yield Reading(scale.name, printed.range("estimate"), allowed)


def _prediction(printed: Printed) -> Iterator[Reading]:
    return _symmetric(printed, "pi")


def standard_errors(printed: Printed, scale: Scale) -> Iterator[tuple[str, Range]]:
    """What the standard error on a scale is to be multiplied with to be the printed one, by what was printed."""
    yield scale.name, Range(1.0, 1.0)
    if not printed.has("estimate"):
        return
    estimate = printed.range("estimate").magnitude()
    if scale.name == "Fisher's z":
        slope = Range(max(1.0 - estimate.high**2, 0.0), 1.0 - estimate.low**2)
        yield f"{scale.name}, its error stated for r", slope
    elif scale.name == "its logarithm":
        yield f"{scale.name}, its error stated for the ratio", estimate


def _width(printed: Printed) -> Iterator[Reading]:
    for scale in scales(printed, "estimate", *_INTERVAL):
        half = half_width(*interval(printed, scale))
        for test in criticals(printed, printed.level()):
            for name, factor in standard_errors(printed, scale):
                allowed = _times(_over(half, test.value), factor)
                yield Reading(named(name, test.name), printed.range("std_error"), allowed)


def _sizes(printed: Printed, tests: tuple[Critical, ...]) -> Iterator[tuple[str, Critical, Range]]:
    """The statistic that an interval implies, by scale and by test."""
    for scale in scales(printed, "estimate", *_INTERVAL):
        found = statistic(*interval(printed, scale), on_scale(printed, "estimate", scale))
        if found is not None:
            for test in tests:
                yield scale.name, test, _times(found, test.value)


def _interval_and_z(printed: Printed) -> Iterator[Reading]:
    for name, _, size in _sizes(printed, (normal(printed.level()),)):
        yield Reading(name, printed.range("z").magnitude(), size)


def _interval_and_t(printed: Printed) -> Iterator[Reading]:
    for name, test, size in _sizes(printed, criticals(printed, printed.level())):
        yield Reading(named(name, test.name), printed.range("t").magnitude(), size)


def _interval_and_p(printed: Printed) -> Iterator[Reading]:
    for name, test, size in _sizes(printed, criticals(printed, printed.level())):
        for tails, allowed in p_values(printed, size, test.df):
            yield Reading(named(name, test.name, tails), printed.range("p_value"), allowed)


def _z_and_p(printed: Printed) -> Iterator[Reading]:
    for tails, allowed in p_values(printed, printed.range("z").magnitude(), NORMAL):
        yield Reading(tails, printed.range("p_value"), allowed)


def _t_and_p(printed: Printed) -> Iterator[Reading]:
    for test in criticals(printed, printed.level()):
        for tails, allowed in p_values(printed, printed.range("t").magnitude(), test.df):
            yield Reading(named(test.name, tails), printed.range("p_value"), allowed)


def _ratios(printed: Printed) -> Iterator[tuple[str, Range]]:
    """Size of the estimate over its standard error, by scale."""
    for scale in scales(printed, "estimate"):
        size = on_scale(printed, "estimate", scale).magnitude()
        for name, factor in standard_errors(printed, scale):
            yield name, _over(_times(size, factor), printed.range("std_error"))


def _error_and(name: str, printed: Printed) -> Iterator[Reading]:
    for scale, size in _ratios(printed):
        yield Reading(scale, printed.range(name).magnitude(), size)


def _error_and_p(printed: Printed) -> Iterator[Reading]:
    for scale, size in _ratios(printed):
        for test in criticals(printed, printed.level()):
            for tails, allowed in p_values(printed, size, test.df):
                yield Reading(named(scale, test.name, tails), printed.range("p_value"), allowed)


_ADJUSTED = "p was adjusted, or belongs to another test"

IDENTITIES: tuple[Identity, ...] = (
    Identity(
        name="interval_in_order",
        about="the lower bound is not above the upper one",
        target=("ci_high",),
        needs=(("ci_low",),),
        read=_ordered,
    ),
    Identity(
        name="interval_holds_estimate",
        about="the interval holds its estimate",
        target=("estimate",),
        needs=(_INTERVAL,),
        read=_holds,
    ),
    Identity(
        name="interval_symmetric",
        about="the estimate is in the middle of its interval on its scale (r: r or Fisher's z; OR, RR: log)",
        target=("estimate",),
        needs=(_INTERVAL,),
        read=_symmetric,
        unless=_BOOTSTRAP,
    ),
    Identity(
        name="interval_and_std_error",
        about="half the interval is the standard error times the critical value",
        target=("std_error",),
        needs=(_INTERVAL,),
        helps=("level", "estimate", "df", "k"),
        read=_width,
        unless=f"{_BOOTSTRAP}, of another level, or by t with other degrees of freedom",
    ),
    Identity(
        name="interval_and_z",
        about="z is the estimate over its standard error, which the interval gives",
        target=("z",),
        needs=(_INTERVAL,),
        helps=("level", "estimate"),
        read=_interval_and_z,
        unless="the interval is of another level, or by t",
        no_reading=_NOT_SYMMETRIC,
    ),
    Identity(
        name="interval_and_t",
        about="t is the estimate over its standard error, which the interval gives",
        target=("t",),
        needs=((*_INTERVAL, "df"), (*_INTERVAL, "k")),
        helps=("level", "estimate"),
        read=_interval_and_t,
        unless="the interval is of another level, or t has other degrees of freedom",
        no_reading=_NOT_SYMMETRIC,
    ),
    Identity(
        name="interval_and_p",
        about="the interval gives p",
        target=("p_value",),
        needs=(_INTERVAL,),
        helps=("level", "estimate", "df", "k", "tails"),
        read=_interval_and_p,
        unless=f"the interval is of another level, or {_ADJUSTED}",
        no_reading=_NOT_SYMMETRIC,
    ),
    Identity(
        name="z_and_p",
        about="z gives p",
        target=("p_value",),
        needs=(("z",),),
        helps=("tails",),
        read=_z_and_p,
        unless=_ADJUSTED,
    ),
    Identity(
        name="t_and_p",
        about="t and its degrees of freedom give p",
        target=("p_value",),
        needs=(("t", "df"), ("t", "k")),
        helps=("tails",),
        read=_t_and_p,
        unless=f"t has other degrees of freedom, or {_ADJUSTED}",
    ),
    Identity(
        name="std_error_and_z",
        about="z is the estimate over its standard error",
        target=("z",),
        needs=(("estimate", "std_error"),),
        read=lambda printed: _error_and("z", printed),
    ),
    Identity(
        name="std_error_and_t",
        about="t is the estimate over its standard error",
        target=("t",),
        needs=(("estimate", "std_error"),),
        read=lambda printed: _error_and("t", printed),
    ),
    Identity(
        name="std_error_and_p",
        about="the estimate over its standard error gives p",
        target=("p_value",),
        needs=(("estimate", "std_error"),),
        helps=("df", "k", "tails"),
        read=_error_and_p,
        unless=_ADJUSTED,
        no_reading="t is printed, but neither its degrees of freedom nor k",
    ),
    Identity(
        name="prediction_symmetric",
        about="the estimate is in the middle of its prediction or credibility interval, on the scale of analysis",
        target=("estimate",),
        needs=(("pi_low", "pi_high"),),
        read=_prediction,
        unless="the interval is a bootstrap one",
    ),
)
