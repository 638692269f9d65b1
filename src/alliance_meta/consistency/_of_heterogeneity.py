"""Identities between Q, I², H², τ² and the numbers of effects and people."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from scipy import special

from alliance_meta.consistency._identity import Identity, Reading, named
from alliance_meta.consistency._of_tests import standard_errors
from alliance_meta.consistency._rounded import Range
from alliance_meta.consistency._scales import (
    Critical,
    Scale,
    half_width,
    interval,
    middle,
    normal,
    on_scale,
    scales,
    student,
)
from alliance_meta.consistency._vocabulary import Printed

__all__ = ["IDENTITIES"]

_INTERVAL = ("ci_low", "ci_high")
_SMALLEST_N = 4.0
_PERCENT = 100.0


def _df(printed: Printed) -> Range:
    """Degrees of freedom of Q: as printed, else k - 1."""
    if printed.has("q_df"):
        return printed.range("q_df")
    return Range(*(end - 1.0 for end in printed.range("k")))


def _q_df(printed: Printed) -> Iterator[Reading]:
    yield Reading("", printed.range("q_df"), Range(*(end - 1.0 for end in printed.range("k"))))


def _q_p(printed: Printed) -> Iterator[Reading]:
    q, df = printed.range("q_statistic"), _df(printed)
    if df.low >= 1.0:
        high = 1.0 if math.isinf(df.high) else float(special.chdtrc(df.high, q.low))
        low = 0.0 if math.isinf(q.high) else float(special.chdtrc(df.low, q.high))
        yield Reading("", printed.range("q_p_value"), Range(low, high))


def _i2(printed: Printed) -> Iterator[tuple[str, Range]]:
    """What the printed I² may have been, in percent."""
    held = printed.range("i2")
    yield "", held
    if printed.value("i2") < 1.0 and "%" not in printed.numbers["i2"].text and held.high < 1.5:
        yield "I² as a proportion", Range(held.low * _PERCENT, held.high * _PERCENT)


def _share_beyond(ratio: float) -> float:
    """I² of an H², in percent."""
    return _PERCENT * max(0.0, 1.0 - 1.0 / ratio) if ratio > 0.0 else 0.0


def _q_over_df(printed: Printed) -> Range | None:
    q, df = printed.range("q_statistic"), _df(printed)
    if df.low < 1.0:
        return None
    return Range(q.low / df.high, q.high / df.low)


def _i2_and_q(printed: Printed) -> Iterator[Reading]:
    ratio = _q_over_df(printed)
    if ratio is not None:
        for name, held in _i2(printed):
            yield Reading(name, held, ratio.through(_share_beyond))


def _h2(printed: Printed) -> Iterator[tuple[str, Range]]:
    """What the printed H² may have been: H² itself, or its root."""
    held = printed.range("h2")
    yield "H²", held
    yield "H, its root", Range(held.low**2, held.high**2)


def _h2_and_q(printed: Printed) -> Iterator[Reading]:
    ratio = _q_over_df(printed)
    if ratio is not None:
        for name, held in _h2(printed):
            yield Reading(name, held, ratio)
        yield Reading("not below 1", printed.range("h2"), ratio.through(lambda one: max(one, 1.0)))


def _h2_and_i2(printed: Printed) -> Iterator[Reading]:
    for name, ratio in _h2(printed):
        for unit, held in _i2(printed):
            yield Reading(named(name, unit), held, ratio.through(_share_beyond))


def _samples(printed: Printed) -> Range:
    """Number of independent samples: the studies, where their number is printed beside that of effects."""
    return printed.range("k_studies" if printed.has("k_studies") else "k")


def _smallest(printed: Printed) -> Iterator[Reading]:
    each = _SMALLEST_N if printed.metric in ("r", "z", "") else _SMALLEST_N - 1.0
    yield Reading("", printed.range("n"), Range(each * _samples(printed).low, math.inf))


def _studies(printed: Printed) -> Iterator[Reading]:
    yield Reading("", printed.range("k_studies"), Range(1.0, printed.range("k").high))


def _error_of_interval(printed: Printed) -> Iterator[tuple[Scale, Range]]:
    """The standard error that an interval implies, on each scale where the estimate is in its middle."""
    for scale in scales(printed, "estimate", *_INTERVAL):
        low, high = interval(printed, scale)
        off = middle(low, high).gap(on_scale(printed, "estimate", scale)) if printed.has("estimate") else 0.0
        if not off:
            width, test = half_width(low, high), normal(printed.level())
            yield scale, Range(width.low / test.value.high, width.high / test.value.low)


def _error_as_printed(printed: Printed) -> Iterator[tuple[Scale, Range]]:
    """The printed standard error, on each scale that it may be of."""
    error = printed.range("std_error")
    for scale in scales(printed, "estimate"):
        for _, factor in standard_errors(printed, scale):
            if factor.low > 0.0:
                yield scale, Range(error.low / factor.high, error.high / factor.low)


_Errors = Callable[[Printed], Iterator[tuple[Scale, Range]]]


def _at_least(errors: _Errors, least: Callable[[Printed, Scale], float]) -> Callable[[Printed], Iterator[Reading]]:
    """Readings of a standard error that has a lower bound; none where the bound says nothing, or may be passed."""

    def read(printed: Printed) -> Iterator[Reading]:
        by_t = printed.has("t") or printed.has("df")  # Knapp and Hartung's error, or a robust one, keeps no bound
        for scale, error in () if by_t else errors(printed):
            bound = least(printed, scale)
            if bound > 0.0:
                yield Reading(scale.name, error, Range(bound, math.inf))

    return read


def _tau2(printed: Printed, scale: Scale) -> float:  # noqa: ARG001  one signature for all bounds
    """The standard error of k effects that differ by tau2 and have no other variance."""
    return math.sqrt(printed.range("tau2").low / printed.range("k").high)


def _least_error(printed: Printed, scale: Scale) -> float:
    """The standard error with N people in k samples, if all samples share one true effect and are as good as can be.

    A random-effects mean cannot be more precise. Infinite N gives 0; NaN where there is no such bound.
    """
    n, samples = printed.range("n").high, _samples(printed).low
    if printed.metric == "z" or (printed.metric == "r" and scale.name == "Fisher's z"):
        return 1.0 / math.sqrt(n - 3.0 * samples) if n > 3.0 * samples else math.nan
    if printed.metric in ("d", "g", "SMD"):
        return 2.0 / math.sqrt(
            n + 9.0 * _samples(printed).high
        )  # Hedges' correction makes small samples' variance less
    if printed.metric == "OR":
        return 4.0 / math.sqrt(n + 2.0 * _samples(printed).high)  # halves may have been added to the four cells
    return math.nan


def _prediction_tests(printed: Printed) -> Iterator[Critical]:
    """The critical values that prediction intervals are made with."""
    level = printed.level("pi_level")
    yield normal(level)
    if printed.has("k"):
        for less in (1.0, 2.0):
            df = printed.range("k").low - less
            if df >= 1.0:
                yield student(f"t(k − {less:.0f})", df, level)


def _prediction(printed: Printed) -> Iterator[Reading]:
    for scale, error in _error_as_printed(printed):
        half = half_width(*interval(printed, scale, "pi"))
        for test in _prediction_tests(printed):
            low, high = (half.low / test.value.high) ** 2, (half.high / test.value.low) ** 2
            allowed = Range(low - error.high**2, high - error.low**2)
            yield Reading(named(scale.name, test.name), printed.range("tau2"), allowed)
            name = named(scale.name, test.name, "without the mean's error")
            yield Reading(name, printed.range("tau2"), Range(low, high))


_TOO_FEW = "Q has no degrees of freedom"
_ERROR = "the standard error on the scale of analysis"
_EXCUSE_TAU2 = "the error is Knapp and Hartung's or a robust one, or τ² is of another scale"
_NO_TAU2 = "no bound: the test is by t, τ² may be 0, or the interval is symmetric on no scale"
_EXCUSE_N = (
    "people were counted in more than one effect or compared with themselves, correlations were pooled without "
    "Fisher's z, or the error is Knapp and Hartung's or a robust one"
)
_NO_N = "no bound: the test is by t, N has no upper bound, or no scale that fits has one"

IDENTITIES: tuple[Identity, ...] = (
    Identity(
        name="q_df_and_k",
        about="Q has k − 1 degrees of freedom",
        target=("q_df",),
        needs=(("k",),),
        read=_q_df,
        unless="Q is of a model with moderators or subgroups, or k does not count what Q is of",
    ),
    Identity(
        name="q_and_p",
        about="Q and its degrees of freedom give its p",
        target=("q_p_value",),
        needs=(("q_statistic", "q_df"), ("q_statistic", "k")),
        read=_q_p,
        unless="Q is of another number of effects",
        no_reading=_TOO_FEW,
    ),
    Identity(
        name="i2_and_q",
        about="I² = max(0, (Q − df) / Q)",
        target=("i2",),
        needs=(("q_statistic", "q_df"), ("q_statistic", "k")),
        read=_i2_and_q,
        unless="I² was computed from τ² by another method than DerSimonian and Laird's, as metafor does",
        no_reading=_TOO_FEW,
    ),
    Identity(
        name="h2_and_q",
        about="H² = Q / df",
        target=("h2",),
        needs=(("q_statistic", "q_df"), ("q_statistic", "k")),
        read=_h2_and_q,
        unless="H² was computed from τ² by another method than DerSimonian and Laird's, as metafor does",
        no_reading=_TOO_FEW,
    ),
    Identity(
        name="h2_and_i2",
        about="I² = max(0, 1 − 1 / H²)",
        target=("i2",),
        needs=(("h2",),),
        read=_h2_and_i2,
    ),
    Identity(
        name="interval_and_tau2",
        about="a random-effects standard error is at least √(τ² / k)",
        target=_INTERVAL,
        needs=(("tau2", "k"),),
        helps=("estimate",),
        compared=_ERROR,
        read=_at_least(_error_of_interval, _tau2),
        unless=_EXCUSE_TAU2,
        no_reading=_NO_TAU2,
    ),
    Identity(
        name="std_error_and_tau2",
        about="a random-effects standard error is at least √(τ² / k)",
        target=("std_error",),
        needs=(("tau2", "k"),),
        helps=("estimate",),
        compared=_ERROR,
        read=_at_least(_error_as_printed, _tau2),
        unless=_EXCUSE_TAU2,
        no_reading=_NO_TAU2,
    ),
    Identity(
        name="prediction_and_tau2",
        about="half a prediction interval is the critical value times √(τ² + SE²); a credibility interval has no SE",
        target=("tau2",),
        needs=(("pi_low", "pi_high", "std_error"),),
        helps=("pi_level", "estimate", "k"),
        read=_prediction,
        unless="τ² is of another scale, or the interval was made in another way",
    ),
    Identity(
        name="interval_and_n",
        about="a mean is at most as precise as N people in k samples make it that share one true effect",
        target=_INTERVAL,
        needs=(("n", "k_studies"), ("n", "k")),
        helps=("estimate",),
        compared=_ERROR,
        read=_at_least(_error_of_interval, _least_error),
        unless=_EXCUSE_N,
        no_reading=_NO_N,
    ),
    Identity(
        name="std_error_and_n",
        about="a mean is at most as precise as N people in k samples make it that share one true effect",
        target=("std_error",),
        needs=(("n", "k_studies"), ("n", "k")),
        helps=("estimate",),
        compared=_ERROR,
        read=_at_least(_error_as_printed, _least_error),
        unless=_EXCUSE_N,
        no_reading=_NO_N,
    ),
    Identity(
        name="n_and_k",
        about="each sample has at least 4 people (of a difference, 3), or its effect has no standard error",
        target=("n",),
        needs=(("k_studies",), ("k",)),
        read=_smallest,
        unless="k counts several effects of a sample",
    ),
    Identity(
        name="k_and_k_studies",
        about="there are not more studies than effects",
        target=("k_studies",),
        needs=(("k",),),
        read=_studies,
    ),
)
