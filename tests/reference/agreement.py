"""Holds the library's numbers against metafor's, with a slow second implementation to settle who is right."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import inf, isclose, isnan, nan
from typing import Any

import mpmath as mp  # type: ignore[import-untyped]
import numpy as np

import alliance_meta as am

__all__ = [
    "EXACT_RTOL",
    "METHODS",
    "QUANTITIES",
    "RTOL",
    "TESTS",
    "Numbers",
    "Verdict",
    "differing",
    "exact",
    "judge",
    "log_likelihood",
    "maxima",
    "metafors",
    "of_fit",
    "ours",
    "relative",
]

RTOL = 1e-9
"""How closely the library and metafor must agree, relative to the larger of the two numbers."""

EXACT_RTOL = 1e-11
"""How closely the library must agree with the same number computed with 50 digits."""

SMALLEST_NORMAL = float(np.finfo(float).tiny)
"""Below this, 2.2e-308, a double has fewer digits the smaller it is, down to none; two such p values are the same."""

METHODS = ("REML", "DL", "EE")
TESTS = {"z": "z", "t": "t", "knha": "knapp-hartung", "adhoc": "knapp-hartung-adhoc"}
"""metafor's names of the tests, and the library's."""

QUANTITIES = (
    *("b", "se", "zval", "ddf", "pval", "ci_lb", "ci_ub", "tau2", "I2", "H2"),
    *("QE", "QEp", "pi_lb", "pi_ub", "tau2_lb", "tau2_ub"),
)
"""metafor's names of the numbers compared."""

Numbers = dict[str, float]
Exact = Any  # mpmath has no types
Effects = tuple[Exact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of holding one fit against metafor's.

    Attributes
    ----------
    wrong : dict of str to tuple
        Where the library is off: quantity -> (ours, metafor's, with 50 digits).
    metafor_off : dict of str to tuple
        Where they differ by more than `RTOL` and 50 digits side with the library: the same.
    short_of_zero : bool
        metafor's tau2 is positive but below its own stopping threshold, ours is 0, and the restricted likelihood
        does not rise at 0.
    worst : float
        Largest relative difference among the quantities that agree.
    """

    wrong: dict[str, tuple[float, float, float]]
    metafor_off: dict[str, tuple[float, float, float]]
    short_of_zero: bool
    worst: float


def ours(yi: Sequence[float], vi: Sequence[float], method: str, test: str) -> Numbers:
    """The library's numbers under metafor's names; `test` too is metafor's."""
    effects = am.effect_sizes(measure="GEN", effect=np.array(yi), variance=np.array(vi))
    return of_fit(am.pool(effects, tau2_method=method, test=TESTS[test]))


def of_fit(fit: am.PooledEffect) -> Numbers:
    """A result's numbers under metafor's names."""
    ci_lb, ci_ub = fit.confidence_interval(0.95)
    pi_lb, pi_ub = fit.prediction_interval(0.95, method="metafor")
    tau2_lb, tau2_ub = fit.tau2_interval(0.95)
    numbers = (fit.estimate, fit.std_error, fit.statistic, fit.df, fit.p_value, ci_lb, ci_ub, fit.tau2, fit.i2, fit.h2)
    rest = (fit.q_statistic, fit.q_p_value, pi_lb, pi_ub, tau2_lb, tau2_ub)
    return dict(zip(QUANTITIES, (*numbers, *rest), strict=True))


def metafors(fit: Mapping[str, float | str | None]) -> Numbers:
    """The numbers of one fit as the R scripts write them; NaN where metafor gives none.

    metafor has no prediction interval and no interval of tau2 under equal effects.
    """
    numbers = {}
    for name in QUANTITIES:
        value = fit[name]
        numbers[name] = nan if value is None else float(value)
    if fit["test"] == "z":
        numbers["ddf"] = inf
    return numbers


def relative(a: float, b: float) -> float:
    """Difference relative to the larger number; 0 where both are the same, 1 where only one is 0 or NaN."""
    if a == b or (isnan(a) and isnan(b)):
        return 0.0
    if isnan(a) or isnan(b):
        return 1.0
    if max(abs(a), abs(b)) < SMALLEST_NORMAL:
        return 0.0
    return abs(a - b) / max(abs(a), abs(b))


def differing(mine: Numbers, theirs: Numbers, rtol: float) -> list[str]:
    """Names of the quantities that differ; those that `theirs` does not give are not compared."""
    given = [name for name in QUANTITIES if not isnan(theirs[name])]
    return [name for name in given if not isclose(mine[name], theirs[name], rel_tol=rtol, abs_tol=SMALLEST_NORMAL)]


def judge(yi: Sequence[float], vi: Sequence[float], fit: Mapping[str, Any], mine: Numbers | None = None) -> Verdict:
    """Hold the library against one metafor fit; where they differ by more than `RTOL`, 50 digits decide."""
    mine = ours(yi, vi, fit["method"], fit["test"]) if mine is None else mine
    theirs = metafors(fit)
    differ = differing(mine, theirs, RTOL)
    short_of_zero = (
        "tau2" in differ
        and mine["tau2"] == 0.0 < theirs["tau2"] <= fit["control"].get("threshold", 0.0)
        and not _rises_at_zero(yi, vi)
    )
    if short_of_zero:
        differ = [name for name in differ if name not in ("tau2", "I2")]
    settled = _settled(yi, vi, fit["method"], fit["test"], mine, differ) if differ else {}
    truth = {name: number for name, (number, _) in settled.items()}
    wrong = [name for name in differ if not settled[name][1]]
    agreeing = (name for name in QUANTITIES if name not in differ and not isnan(theirs[name]))
    beyond = ("tau2", "I2") if short_of_zero else ()
    return Verdict(
        wrong={name: (mine[name], theirs[name], truth[name]) for name in wrong},
        metafor_off={name: (mine[name], theirs[name], truth[name]) for name in differ if name not in wrong},
        short_of_zero=short_of_zero,
        worst=max(relative(mine[name], theirs[name]) for name in agreeing if name not in beyond),
    )


def _settled(
    yi: Sequence[float], vi: Sequence[float], method: str, test: str, mine: Numbers, names: Sequence[str]
) -> dict[str, tuple[float, bool]]:
    """Each number with 50 digits, and whether the library has it as sharply as the data allow.

    Sharp is a tenth of `RTOL`. No double arithmetic can do better than what changes when the effects and variances
    move by half a unit in their last place, so where that is more (a p value of 1e-276, a bound that is the small
    difference of two large numbers) the library must stay within 64 such changes.
    """
    truth = exact(yi, vi, method, test)
    rng = np.random.default_rng(0)
    moved = []
    for _ in range(4):
        y, v = (_jittered(values, rng) for values in (yi, vi))
        moved.append(_exact(y, v, method, test))
    found = {}
    for name in names:
        blur = max(abs(one[name] - truth[name]) for one in moved)
        found[name] = (truth[name], abs(mine[name] - truth[name]) <= max(0.1 * RTOL * abs(truth[name]), 64.0 * blur))
    return found


def _jittered(values: Sequence[float], rng: np.random.Generator) -> Effects:
    with mp.workdps(50):
        shifts = (mp.mpf(float(shift)) for shift in rng.choice([-1.1e-16, 1.1e-16], len(values)))
        return tuple(value * (1 + shift) for value, shift in zip(_as_exact(values), shifts, strict=True))


def exact(yi: Sequence[float], vi: Sequence[float], method: str, test: str) -> Numbers:
    """The same numbers with 50 digits, by bisection and sums a reader can check against the textbook.

    Nothing is shared with the library: the restricted likelihood is differentiated numerically, its maxima are
    bracketed on a grid and bisected, and the highest is taken; distributions are integrals of mpmath.
    """
    return _exact(_as_exact(yi), _as_exact(vi), method, test)


def _exact(y: Effects, v: Effects, method: str, test: str) -> Numbers:
    with mp.workdps(50):
        k = len(y)
        tau2 = _ESTIMATORS[method](y, v)
        weights = tuple(1 / (variance + tau2) for variance in v)
        mean, se = _mean(y, weights), 1 / mp.sqrt(mp.fsum(weights))
        if test in ("knha", "adhoc"):
            factor = mp.sqrt(_q(y, v, tau2) / (k - 1))
            se *= max(factor, mp.mpf(1)) if test == "adhoc" else factor
        df = mp.inf if test == "z" else mp.mpf(k - 1)
        q = _q(y, v, mp.mpf(0))
        half, half_new = (_critical(df) * spread for spread in (se, mp.sqrt(se**2 + tau2)))
        typical = _typical_variance(v)
        by_q = method == "EE"
        numbers = (
            *(mean, se, mean / se, df, _two_sided(mean / se, df), mean - half, mean + half, tau2),
            100 * max(mp.mpf(0), (q - (k - 1)) / q) if by_q else 100 * tau2 / (tau2 + typical),
            q / (k - 1) if by_q else tau2 / typical + 1,
            *(q, _chi2_upper(q, k - 1), mean - half_new, mean + half_new),
            *(_tau2_at(y, v, _chi2_quantile(k - 1, upper)) for upper in (mp.mpf("0.025"), mp.mpf("0.975"))),
        )
        return {name: float(number) for name, number in zip(QUANTITIES, numbers, strict=True)}


def log_likelihood(yi: Sequence[float], vi: Sequence[float], tau2: float) -> float:
    """Restricted log-likelihood of tau2, up to a constant, computed with 50 digits."""
    with mp.workdps(50):
        return float(_log_likelihood(_as_exact(yi), _as_exact(vi), mp.mpf(tau2)))


def maxima(yi: Sequence[float], vi: Sequence[float]) -> list[float]:
    """Every maximum of the restricted likelihood over tau2 >= 0 that a grid of 40 points a decade can tell apart."""
    with mp.workdps(50):
        return [float(tau2) for tau2 in _maxima(_as_exact(yi), _as_exact(vi))]


def _as_exact(values: Sequence[float]) -> Effects:
    return tuple(mp.mpf(float(value)) for value in values)


def _rises_at_zero(yi: Sequence[float], vi: Sequence[float]) -> bool:
    y, v = _as_exact(yi), _as_exact(vi)
    with mp.workdps(50):
        return bool(mp.diff(lambda tau2: _log_likelihood(y, v, tau2), 0) > 0)


def _maxima(y: Effects, v: Effects) -> list[Exact]:
    def slope(tau2: Exact) -> Exact:
        return mp.diff(lambda t: _log_likelihood(y, v, t), tau2)

    plain = mp.fsum(y) / len(y)
    top = mp.fsum((effect - plain) ** 2 for effect in y)  # no maximum lies above
    grid = [mp.mpf(0)] + [top * mp.mpf(10) ** (mp.mpf(step) / 40) for step in range(-14 * 40, 1)]
    rises = [slope(tau2) > 0 for tau2 in grid]
    found = [] if rises[0] else [mp.mpf(0)]
    for low, high, rises_low, rises_high in zip(grid, grid[1:], rises, rises[1:], strict=False):
        if rises_low and not rises_high:
            found.append(_bisect(slope, low, high))
    return found


@cache
def _reml_tau2(y: Effects, v: Effects) -> Exact:
    return max(_maxima(y, v), key=lambda tau2: _log_likelihood(y, v, tau2))


def _bisect(falling: Callable[[Exact], Exact], low: Exact, high: Exact) -> Exact:
    """Where a function that is above 0 at `low` and not at `high` passes 0, to 30 digits."""
    while high - low > mp.mpf(10) ** -30 * high:
        middle = (low + high) / 2
        if falling(middle) > 0:
            low = middle
        else:
            high = middle
    return high


def _log_likelihood(y: Effects, v: Effects, tau2: Exact) -> Exact:
    weights = tuple(1 / (variance + tau2) for variance in v)
    log_variances = mp.fsum(mp.log(variance + tau2) for variance in v)
    return -(log_variances + mp.log(mp.fsum(weights)) + _q(y, v, tau2)) / 2


def _mean(y: Effects, weights: Effects) -> Exact:
    return mp.fsum(w * effect for w, effect in zip(weights, y, strict=True)) / mp.fsum(weights)


def _q(y: Effects, v: Effects, tau2: Exact) -> Exact:
    weights = tuple(1 / (variance + tau2) for variance in v)
    mean = _mean(y, weights)
    return mp.fsum(w * (effect - mean) ** 2 for w, effect in zip(weights, y, strict=True))


def _no_tau2(y: Effects, v: Effects) -> Exact:
    return mp.mpf(0)


def _dl_tau2(y: Effects, v: Effects) -> Exact:
    weights = tuple(1 / variance for variance in v)
    scale = mp.fsum(weights) - mp.fsum(w**2 for w in weights) / mp.fsum(weights)
    return max(mp.mpf(0), (_q(y, v, mp.mpf(0)) - (len(y) - 1)) / scale)


_ESTIMATORS: dict[str, Callable[[Effects, Effects], Exact]] = {"EE": _no_tau2, "DL": _dl_tau2, "REML": _reml_tau2}


def _typical_variance(v: Effects) -> Exact:
    weights = tuple(1 / variance for variance in v)
    total = mp.fsum(weights)
    return (len(v) - 1) * total / (total**2 - mp.fsum(w**2 for w in weights))


@cache
def _tau2_at(y: Effects, v: Effects, quantile: Exact) -> Exact:
    """The tau2 at which Q falls to a quantile, 0 where it never was above."""

    def above(tau2: Exact) -> Exact:
        return _q(y, v, tau2) - quantile

    if above(mp.mpf(0)) <= 0:
        return mp.mpf(0)
    high = max(v)
    while above(high) > 0:
        high *= 2
    return _bisect(above, mp.mpf(0), high)


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
