"""Identities between an effect and what it is restated as: r and d, share of variance, number needed to treat."""

from __future__ import annotations

import math
from collections.abc import Iterator

from alliance_meta.consistency._identity import Identity, Reading
from alliance_meta.consistency._rounded import Range
from alliance_meta.consistency._vocabulary import Printed
from alliance_meta.stats import conversions

__all__ = ["IDENTITIES"]


def _r(printed: Printed) -> Range:
    """The estimate as r: as it is printed, else from d."""
    if printed.has("r"):
        return printed.range("r")
    return printed.range("d").through(lambda d: float(conversions.d_to_r(d)))


def _d(printed: Printed) -> Range:
    """The estimate as d: as it is printed, else from r."""
    if printed.has("d"):
        return printed.range("d")
    return printed.range("r").through(lambda r: float(conversions.r_to_d(r)))


def _r_and_d(printed: Printed) -> Iterator[Reading]:
    allowed = printed.range("r").through(lambda r: float(conversions.r_to_d(r)))
    yield Reading("", printed.range("d"), allowed)


def _share(printed: Printed) -> Iterator[Reading]:
    allowed = _r(printed).magnitude().through(lambda r: float(conversions.r_to_variance_share(r)))
    yield Reading("", printed.range("variance_share"), allowed)


def _upward(printed: Printed) -> Range | None:
    """What a whole number needed to treat may have been, if it was rounded up as is usual."""
    value = abs(printed.value("nnt"))
    whole = printed.numbers["nnt"].text.lstrip("= −").isdigit()
    return Range(value - 1.0, value) if whole else None


def _nnt(printed: Printed) -> Iterator[Reading]:
    def inverse(rate: float) -> float:
        return 1.0 / rate if rate > 0.0 else math.inf

    def of_d(d: float) -> float:
        return float(conversions.d_to_nnt(d)) if d > 0.0 else math.inf

    ways = {
        "Kraemer and Kupfer": _d(printed).magnitude().through(of_d),
        "1 / r": _r(printed).magnitude().through(inverse),
    }
    for name, allowed in ways.items():
        yield Reading(name, printed.range("nnt").magnitude(), allowed)
        upward = _upward(printed)
        if upward is not None:
            yield Reading(f"{name}, rounded up", upward, allowed)


IDENTITIES: tuple[Identity, ...] = (
    Identity(
        name="r_and_d",
        about="d = 2 r / √(1 − r²), for groups of equal size",
        target=("d",),
        needs=(("r",),),
        read=_r_and_d,
        unless="the groups were unequal, d was corrected for small samples, or d was pooled by itself",
    ),
    Identity(
        name="variance_share",
        about="share of variance = r²",
        target=("variance_share",),
        needs=(("r",), ("d",)),
        read=_share,
        unless="it is an average of the studies' own shares",
    ),
    Identity(
        name="nnt",
        about="NNT = 1 / erf(d / 2) (Kraemer and Kupfer), or 1 / r (binomial effect size display)",
        target=("nnt",),
        needs=(("d",), ("r",)),
        read=_nnt,
        unless="it was computed at a success rate of the untreated, or by another formula",
    ),
)
