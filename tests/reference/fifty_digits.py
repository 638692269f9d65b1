"""Pooling a second time, with 50 digits: slow, and written to be checked against a textbook.

Nothing is shared with the library. Estimators in closed form are sums; Q is bisected; the likelihoods' slopes are
scanned over tau2 >= 0, every fall through 0 is bisected, and the highest maximum is taken; distributions are mpmath's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import mpmath as mp  # type: ignore[import-untyped]
import numpy as np

__all__ = ["ESTIMATORS", "Weights", "exact", "jittered", "log_likelihood", "maxima", "rises_at_zero", "tau2"]

DIGITS = 50
STEPS = 40
"""Points of a likelihood's scan to a decade of tau2."""

Exact = Any  # mpmath has no types
Effects = tuple[Exact, ...]
Weights = Sequence[float] | str | None


def exact(
    yi: Sequence[float] | Effects,
    vi: Sequence[float] | Effects,
    method: str,
    test: str,
    weights: Weights = None,
    q_weights: Weights = None,
) -> dict[str, float]:
    """Every number of a fit, by metafor's names; `test` is metafor's name too.

    `weights` of the mean are None for 1 / (v + tau2), "equal", or numbers; `q_weights` are those of GENQ.
    """
    with mp.workdps(DIGITS):
        y, v = _as_exact(yi), _as_exact(vi)
        k, t = len(y), _tau2(method, y, v, _as_weights(q_weights, len(y)))
        mean, se = _mean_and_se(y, v, t, _as_weights(weights, k))
        if test in ("knha", "adhoc"):
            factor = mp.sqrt(_q(y, v, t) / (k - 1))
            se *= max(factor, mp.mpf(1)) if test == "adhoc" else factor
        df = mp.inf if test == "z" else mp.mpf(k - 1)
        half, half_new = (_critical(df) * spread for spread in (se, mp.sqrt(se**2 + t)))
        found = {"b": mean, "se": se, "zval": mean / se if se else mp.nan, "ddf": df, "tau2": t}
        found |= {"pval": _two_sided(mean / se, df) if se else mp.nan, "ci_lb": mean - half, "ci_ub": mean + half}
        found |= {"pi_lb": mean - half_new, "pi_ub": mean + half_new, **_heterogeneity(y, v, t, method)}
        return {name: float(number) for name, number in found.items()}


def _mean_and_se(y: Effects, v: Effects, t: Exact, weights: Effects | None) -> tuple[Exact, Exact]:
    a = tuple(1 / (variance + t) for variance in v) if weights is None else weights
    total = mp.fsum(a)
    return _mean(y, a), mp.sqrt(mp.fsum(w**2 * (variance + t) for w, variance in zip(a, v, strict=True))) / total


def _heterogeneity(y: Effects, v: Effects, t: Exact, method: str) -> dict[str, Exact]:
    k, q, typical = len(y), _q(y, v, mp.mpf(0)), _typical_variance(v)
    by_q = method == "EE"
    low, high = (_tau2_at(y, v, _chi2_quantile(k - 1, mp.mpf(upper))) for upper in ("0.025", "0.975"))
    return {
        "I2": (100 * max(mp.mpf(0), q - (k - 1)) / q if q else mp.mpf(0)) if by_q else 100 * t / (t + typical),
        "H2": q / (k - 1) if by_q else t / typical + 1,
        "QE": q,
        "QEp": _chi2_upper(q, k - 1),
        "tau2_lb": low,
        "tau2_ub": high,
    }


def tau2(yi: Sequence[float], vi: Sequence[float], method: str, q_weights: Weights = None) -> float:
    """The estimate of tau2 alone."""
    with mp.workdps(DIGITS):
        return float(_tau2(method, _as_exact(yi), _as_exact(vi), _as_weights(q_weights, len(yi))))


def jittered(values: Sequence[float], rng: np.random.Generator) -> Effects:
    """The values moved by half a unit in their last place, up or down."""
    with mp.workdps(DIGITS):
        shifts = (mp.mpf(float(shift)) for shift in rng.choice([-1.1e-16, 1.1e-16], len(values)))
        return tuple(value * (1 + shift) for value, shift in zip(_as_exact(values), shifts, strict=True))


def log_likelihood(yi: Sequence[float], vi: Sequence[float], tau2: float, *, restricted: bool = True) -> float:
    """(Restricted) log-likelihood of tau2, up to a constant."""
    with mp.workdps(DIGITS):
        return float(_log_likelihood(_as_exact(yi), _as_exact(vi), mp.mpf(tau2), restricted))


def maxima(yi: Sequence[float], vi: Sequence[float], *, restricted: bool = True) -> list[float]:
    """Every maximum of the (restricted) likelihood over tau2 >= 0 that the scan can tell apart."""
    with mp.workdps(DIGITS):
        return [float(peak) for peak in _maxima(_as_exact(yi), _as_exact(vi), restricted)]


def rises_at_zero(yi: Sequence[float], vi: Sequence[float], method: str) -> bool:
    """Whether the iterative estimator `method` ("REML", "ML" or "EB") is above 0 near 0."""
    y, v = _as_exact(yi), _as_exact(vi)
    with mp.workdps(DIGITS):
        if method == "EB":
            return bool(_q(y, v, mp.mpf(0)) > len(y) - 1)
        return bool(_slope(y, v, mp.mpf(0), method == "REML") > 0)


def _as_exact(values: Sequence[float] | Effects) -> Effects:
    return tuple(value if isinstance(value, mp.mpf) else mp.mpf(float(value)) for value in values)


def _as_weights(weights: Weights, k: int) -> Effects | None:
    if weights is None:
        return None
    return (mp.mpf(1),) * k if isinstance(weights, str) else _as_exact(weights)


# ---------------------------------------------------------------- sums


def _mean(y: Effects, weights: Effects) -> Exact:
    return mp.fsum(w * effect for w, effect in zip(weights, y, strict=True)) / mp.fsum(weights)


def _scatter(y: Effects, weights: Effects) -> Exact:
    mean = _mean(y, weights)
    return mp.fsum(w * (effect - mean) ** 2 for w, effect in zip(weights, y, strict=True))


def _q(y: Effects, v: Effects, t: Exact) -> Exact:
    return _scatter(y, tuple(1 / (variance + t) for variance in v))


def _typical_variance(v: Effects) -> Exact:
    weights = tuple(1 / variance for variance in v)
    total = mp.fsum(weights)
    return (len(v) - 1) * total / (total**2 - mp.fsum(w**2 for w in weights))


# ---------------------------------------------------------------- estimators


@cache
def _tau2(method: str, y: Effects, v: Effects, q_weights: Effects | None) -> Exact:
    if method == "GENQ":
        assert q_weights is not None
        return _of_form(y, v, q_weights)
    return ESTIMATORS[method](y, v)


def _of_form(y: Effects, v: Effects, a: Effects) -> Exact:
    """DerSimonian and Kacker's: the weighted sum of squares set to its expectation."""
    total, squares = mp.fsum(a), mp.fsum(w**2 for w in a)
    expected = mp.fsum(w * variance * (1 - w / total) for w, variance in zip(a, v, strict=True))
    return max(mp.mpf(0), (_scatter(y, a) - expected) / (total - squares / total))


def _none(y: Effects, v: Effects) -> Exact:
    return mp.mpf(0)


def _dersimonian_laird(y: Effects, v: Effects) -> Exact:
    return _of_form(y, v, tuple(1 / variance for variance in v))


def _hedges(y: Effects, v: Effects) -> Exact:
    k = len(y)
    plain = mp.fsum(y) / k
    return max(mp.mpf(0), mp.fsum((effect - plain) ** 2 for effect in y) / (k - 1) - mp.fsum(v) / k)


def _second_step(first: Callable[[Effects, Effects], Exact]) -> Callable[[Effects, Effects], Exact]:
    def estimator(y: Effects, v: Effects) -> Exact:
        start = first(y, v)
        return _of_form(y, v, tuple(1 / (variance + start) for variance in v))

    return estimator


def _hunter_schmidt(y: Effects, v: Effects) -> Exact:
    return max(mp.mpf(0), (_q(y, v, mp.mpf(0)) - len(y)) / mp.fsum(1 / variance for variance in v))


def _hunter_schmidt_corrected(y: Effects, v: Effects) -> Exact:
    k = mp.mpf(len(y))
    return max(mp.mpf(0), (k / (k - 1) * _q(y, v, mp.mpf(0)) - k) / mp.fsum(1 / variance for variance in v))


def _sidik_jonkman(y: Effects, v: Effects) -> Exact:
    k = len(y)
    plain = mp.fsum(y) / k
    crude = mp.fsum((effect - plain) ** 2 for effect in y) / k
    ratios = tuple(variance / crude + 1 for variance in v) if crude else ()
    return _scatter(y, tuple(1 / ratio for ratio in ratios)) / (k - 1) if crude else crude


def _paule_mandel(y: Effects, v: Effects) -> Exact:
    return _tau2_at(y, v, mp.mpf(len(y) - 1))


def _median_unbiased(y: Effects, v: Effects) -> Exact:
    return _tau2_at(y, v, _chi2_quantile(len(y) - 1, mp.mpf("0.5")))


def _highest(*, restricted: bool) -> Callable[[Effects, Effects], Exact]:
    def estimator(y: Effects, v: Effects) -> Exact:
        peaks = _maxima(y, v, restricted)
        return max(peaks, key=lambda peak: _log_likelihood(y, v, peak, restricted))

    return estimator


ESTIMATORS: dict[str, Callable[[Effects, Effects], Exact]] = {
    "REML": _highest(restricted=True),
    "ML": _highest(restricted=False),
    "DL": _dersimonian_laird,
    "DL2": _second_step(_dersimonian_laird),
    "HE": _hedges,
    "CA2": _second_step(_hedges),
    "HS": _hunter_schmidt,
    "HSk": _hunter_schmidt_corrected,
    "SJ": _sidik_jonkman,
    "PM": _paule_mandel,
    "PMM": _median_unbiased,
    "EB": _paule_mandel,
    "EE": _none,
}


@cache
def _tau2_at(y: Effects, v: Effects, quantile: Exact) -> Exact:
    """The tau2 at which Q falls to a quantile, 0 where it never was above."""

    def above(t: Exact) -> Exact:
        return _q(y, v, t) - quantile

    if above(mp.mpf(0)) <= 0:
        return mp.mpf(0)
    high = max(v)
    while above(high) > 0:
        high *= 2
    return _bisect(above, mp.mpf(0), high)


# ---------------------------------------------------------------- likelihood


def _log_likelihood(y: Effects, v: Effects, t: Exact, restricted: bool) -> Exact:
    logs = mp.fsum(mp.log(variance + t) for variance in v)
    lost = mp.log(mp.fsum(1 / (variance + t) for variance in v)) if restricted else 0
    return -(logs + lost + _q(y, v, t)) / 2


def _slope(y: Effects, v: Effects, t: Exact, restricted: bool) -> Exact:
    """The derivative of `_log_likelihood`, twice."""
    w = tuple(1 / (variance + t) for variance in v)
    total, mean = mp.fsum(w), _mean(y, w)
    lost = mp.fsum(weight**2 for weight in w) / total if restricted else 0
    return mp.fsum((weight * (effect - mean)) ** 2 for weight, effect in zip(w, y, strict=True)) - total + lost


def _maxima(y: Effects, v: Effects, restricted: bool) -> list[Exact]:
    """Scan from far below the least variance, where the slope is all but straight, to where no maximum can lie."""

    def slope(t: Exact) -> Exact:
        return _slope(y, v, t, restricted)

    plain = mp.fsum(y) / len(y)
    top, low = 2 * mp.fsum((effect - plain) ** 2 for effect in y), min(v) / 1000
    decades = mp.log10(top / low) if top > low else mp.mpf(0)
    grid = [mp.mpf(0)] + [low * mp.mpf(10) ** (mp.mpf(step) / STEPS) for step in range(int(decades * STEPS) + 2)]
    rises = [slope(t) > 0 for t in grid]
    assert not rises[-1]
    found = [] if rises[0] else [mp.mpf(0)]
    for below, above, rises_below, rises_above in zip(grid, grid[1:], rises, rises[1:], strict=False):
        if rises_below and not rises_above:
            found.append(_bisect(slope, below, above))
    return found


def _bisect(falling: Callable[[Exact], Exact], low: Exact, high: Exact) -> Exact:
    """Where a function that is above 0 at `low` and not at `high` passes 0, to 30 digits."""
    while high - low > mp.mpf(10) ** -30 * high:
        middle = (low + high) / 2
        if falling(middle) > 0:
            low = middle
        else:
            high = middle
    return high


# ---------------------------------------------------------------- distributions


def _chi2_upper(q: Exact, df: int) -> Exact:
    return mp.gammainc(mp.mpf(df) / 2, q / 2, mp.inf, regularized=True)


@cache
def _chi2_quantile(df: int, upper: Exact) -> Exact:
    high = mp.mpf(df)
    while _chi2_upper(high, df) > upper:
        high *= 2
    return _bisect(lambda q: _chi2_upper(q, df) - upper, mp.mpf(0), high)


def _two_sided(statistic: Exact, df: Exact) -> Exact:
    if df == mp.inf:
        return mp.erfc(abs(statistic) / mp.sqrt(2))
    return mp.betainc(df / 2, mp.mpf(1) / 2, 0, df / (df + statistic**2), regularized=True)


@cache
def _critical(df: Exact) -> Exact:
    tail = mp.mpf("0.05")
    return _bisect(lambda value: _two_sided(value, df) - tail, mp.mpf(0), mp.mpf(100))
