"""Checks of a confidence interval against its effect and standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from alliance_meta.auditing._check import Check, Finding, positions
from alliance_meta.auditing._columns import Columns
from alliance_meta.auditing._spans import EFFECT_ROLES, Span, above, apart, span
from alliance_meta.stats import conversions
from alliance_meta.stats._arrays import BoolArray, FloatArray
from alliance_meta.stats.inference import critical_value

__all__ = ["CHECKS"]

_Scale = Callable[[FloatArray], FloatArray]
_DF_WITHOUT_N = 10.0
_SLACK = 0.005  # critical values as hand-made intervals take them: 1.96, or 2
_NORMAL = float(critical_value(0.95, np.inf))


def _as_printed(x: FloatArray) -> FloatArray:
    return x


def _fisher(x: FloatArray) -> FloatArray:
    return conversions.r_to_z(np.where(np.abs(x) < 1.0, x, np.nan))


def _log(x: FloatArray) -> FloatArray:
    return np.asarray(np.log(np.where(x > 0.0, x, np.nan)))


def _bonett(x: FloatArray) -> FloatArray:
    return np.asarray(-np.log(np.where(x < 1.0, 1.0 - x, np.nan)))


_SCALES: dict[str, tuple[_Scale, ...]] = {
    "r": (_as_printed, _fisher),
    "odds_ratio": (_log,),
    "alpha": (_as_printed, _bonett),
}


def _scales(role: str) -> tuple[_Scale, ...]:
    return _SCALES.get(role, (_as_printed,))


def _on_none(columns: Columns, compare: Callable[[Span, Span, Span], tuple[BoolArray, BoolArray]]) -> BoolArray:
    """Rows where a comparison can be made, and fails for every effect of the row on every scale."""
    low, high = span(columns, "ci_low"), span(columns, "ci_high")
    ordered = columns.finite("ci_low") <= columns.finite("ci_high")
    made, failed = [], []
    for role in filter(columns.has, EFFECT_ROLES):
        for scale in _scales(role):
            known, off = compare(*(one.through(scale) for one in (span(columns, role), low, high)))
            made.append(known)
            failed.append(off)
    return np.asarray(ordered & np.any(made, axis=0) & (np.array(failed) | ~np.array(made)).all(axis=0))


def _effect(columns: Columns, i: int) -> str:
    return next(role for role in EFFECT_ROLES if columns.has(role) and not np.isnan(columns.valid(role)[i]))


def _asymmetric(columns: Columns) -> Iterator[Finding]:
    def compare(effect: Span, low: Span, high: Span) -> tuple[BoolArray, BoolArray]:
        middle = Span((low.low + high.low) / 2.0, (low.high + high.high) / 2.0)
        inside = ~above(effect, high) & ~above(low, effect)  # outside is said by another check
        return inside & ~np.isnan(effect.low + middle.low + middle.high), apart(effect, middle)

    for i in positions(_on_none(columns, compare)):
        middle = (columns.finite("ci_low")[i] + columns.finite("ci_high")[i]) / 2.0
        held = columns.words(i, _effect(columns, i), "ci_low", "ci_high")
        seen = f"{held}: the middle of the interval is {middle:.4g}, and no scale makes it symmetric"
        advice = "Check all three against the article; a bootstrap or profile interval need not be symmetric."
        yield Finding(i, "warning", seen, advice)


def _std_error(columns: Columns) -> Span:
    """The standard error, else the root of the variance."""
    given = span(columns, "std_error")
    root = span(columns, "variance").through(lambda x: np.sqrt(np.maximum(x, 0.0)))
    low, high = (np.where(np.isnan(a), b, a) for a, b in zip(given, root, strict=True))
    return Span(low, high)


def _width(columns: Columns) -> Iterator[Finding]:
    error = _std_error(columns)
    df = columns.valid("n") - 2.0
    widest = critical_value(0.95, np.where(np.isnan(df), _DF_WITHOUT_N, df))
    expected = Span(error.low * (_NORMAL - _SLACK), error.high * np.maximum(widest, 2.0) + _SLACK * error.high)

    def compare(effect: Span, low: Span, high: Span) -> tuple[BoolArray, BoolArray]:
        half = Span((high.low - low.high) / 2.0, (high.high - low.low) / 2.0)
        return ~np.isnan(effect.low + half.low + half.high + expected.low), apart(half, expected)

    for i in positions(_on_none(columns, compare)):
        half = (columns.finite("ci_high")[i] - columns.finite("ci_low")[i]) / 2.0
        errors = half / ((error.low[i] + error.high[i]) / 2.0)
        held = columns.words(i, "ci_low", "ci_high", "std_error", "variance")
        seen = f"{held}: half the interval is {half:.4g}, {errors:.3g} standard errors, not 1.96 to {widest[i]:.3g}"
        advice = "Check the level of the interval, and whether the standard error is a standard deviation."
        yield Finding(i, "warning", seen, advice)


CHECKS: tuple[Check, ...] = (
    Check(
        name="interval_not_symmetric",
        family="contradictions",
        about="an interval not symmetric about its effect; r also on Fisher's z, odds ratios on their logarithm",
        needs=tuple((role, "ci_low", "ci_high") for role in EFFECT_ROLES),
        find=_asymmetric,
    ),
    Check(
        name="interval_and_std_error",
        family="contradictions",
        about="a 95% interval whose width is not that of the standard error",
        needs=tuple((role, "ci_low", "ci_high", error) for role in EFFECT_ROLES for error in ("std_error", "variance")),
        find=_width,
    ),
)
