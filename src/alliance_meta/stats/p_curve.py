"""The distribution of significant p values: right-skewed where studies have power, flat where there is no effect."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from alliance_meta.stats._arrays import FloatArray, IntArray
from alliance_meta.stats._roots import falling_root

__all__ = ["CurveTests", "critical", "curve_tests", "log_reached", "noncentrality", "power_at", "shares", "stouffer"]

ALPHA = 0.05
HALF = 0.025
LOW_POWER = 1.0 / 3.0
_FAR = 10.0
_STEP = 1e-6


class CurveTests(NamedTuple):
    """Tests of p-curves; each field has the batch shape.

    Attributes
    ----------
    k, k_half : ndarray
        Numbers of p values below .05 and .025.
    skew_full, skew_half : ndarray
        Stouffer's z of the hypothesis of no effect: below 0 where small p values prevail.
    flat_full, flat_half : ndarray
        Stouffer's z of the hypothesis that all tests have 33 % power: below 0 where the curve is flatter than that.
    skew_binomial, flat_binomial : ndarray
        p values: of as many p below .025 or more with no effect; of as few or fewer with 33 % power.
    """

    k: FloatArray
    k_half: FloatArray
    skew_full: FloatArray
    skew_half: FloatArray
    flat_full: FloatArray
    flat_half: FloatArray
    skew_binomial: FloatArray
    flat_binomial: FloatArray


def critical(alpha: float) -> float:
    """The absolute z at which the two-sided p is `alpha`."""
    return float(-special.ndtri(alpha / 2.0))


def log_reached(bound: npt.ArrayLike, mean: npt.ArrayLike) -> FloatArray:
    """Logarithm of the probability that the absolute value of a z with this mean exceeds `bound`."""
    b, mu = np.asarray(bound, dtype=float), np.asarray(mean, dtype=float)
    return np.asarray(np.logaddexp(special.log_ndtr(mu - b), special.log_ndtr(-mu - b)))


def noncentrality(power: npt.ArrayLike, alpha: float = ALPHA) -> FloatArray:
    """Mean of a z whose two-sided test has this power; 0 where the power is not above `alpha`.

    Examples
    --------
    >>> print(noncentrality([0.05, 1 / 3, 0.8]).round(3))
    [0.    1.529 2.802]
    """
    asked = np.atleast_1d(np.asarray(power, dtype=float))
    bound = critical(alpha)

    def missing(mean: FloatArray, rows: IntArray) -> tuple[FloatArray, FloatArray]:
        slope = np.exp(-0.5 * (bound - mean) ** 2) - np.exp(-0.5 * (bound + mean) ** 2)
        return asked[rows] - np.exp(log_reached(bound, mean)), -slope / np.sqrt(2.0 * np.pi)

    high = np.maximum(bound + special.ndtri(np.minimum(asked, 1.0 - 1e-16)), 0.0) + 1.0
    found = falling_root(missing, np.zeros(asked.size), high, 0.5 * high, np.ones(asked.size)).x
    return np.where(asked <= alpha, 0.0, found).reshape(np.shape(power))


def stouffer(
    z: npt.ArrayLike, include: npt.ArrayLike, mean: npt.ArrayLike, alpha: float, *, upper: bool = False
) -> FloatArray:
    """Stouffer's z of the pp values of significant tests.

    A pp value is the probability of a result as large or larger (`upper`), or smaller, given that it is significant at
    `alpha` and that z has the mean `mean`. Taken through logarithms, so that no p is too small.

    Parameters
    ----------
    z : array_like, shape (..., k)
        Absolute statistics.
    include : array_like of bool, shape (..., k)
        Only significant ones.
    mean : array_like, shape (...)
    alpha : float
    upper : bool

    Returns
    -------
    ndarray, shape (...)
        NaN where nothing is included.
    """
    used, bound, size = np.asarray(include, dtype=bool), critical(alpha), np.asarray(z, dtype=float)
    mu = np.asarray(mean, dtype=float)[..., None]
    log_upper = np.minimum(0.0, log_reached(np.where(used, size, bound), mu) - log_reached(bound, mu))
    sign = 1.0 if upper else -1.0
    with np.errstate(invalid="ignore", divide="ignore"):
        quantile = special.ndtri_exp(log_upper)
        # log_upper rounds to 0 at the bound itself, where the quantile is far up.
        quantile = np.where(np.isposinf(quantile), -special.ndtri(np.finfo(float).eps), quantile)
        return np.asarray(sign * np.where(used, quantile, 0.0).sum(axis=-1) / np.sqrt(used.sum(axis=-1)))


def shares(edges: npt.ArrayLike, mean: npt.ArrayLike, alpha: float = ALPHA) -> FloatArray:
    """Share of significant p values in each bin between two edges (rising, the last at most `alpha`).

    Examples
    --------
    >>> print(shares([0.0, 0.01, 0.02, 0.03, 0.04, 0.05], noncentrality(1 / 3)).round(2))
    [0.44 0.2  0.14 0.12 0.1 ]
    """
    p = np.asarray(edges, dtype=float)
    bound = -special.ndtri(np.maximum(p, np.finfo(float).tiny) / 2.0)
    reached = np.where(p > 0.0, np.exp(log_reached(bound, mean) - log_reached(critical(alpha), mean)), 0.0)
    return np.diff(reached)


def curve_tests(z: npt.ArrayLike, include: npt.ArrayLike | None = None) -> CurveTests:
    """Test p-curves for right skew and for being flatter than that of tests with 33 % power.

    Parameters
    ----------
    z : array_like, shape (..., k)
        Statistics; their signs do not matter.
    include : array_like of 0 and 1, shape (..., k), optional

    Returns
    -------
    CurveTests

    References
    ----------
    Simonsohn, U., Nelson, L. D., & Simmons, J. P. (2014). Journal of Experimental Psychology: General, 143, 534-547.
    Simonsohn, U., Simmons, J. P., & Nelson, L. D. (2015). Journal of Experimental Psychology: General, 144, 1146-1152.

    Examples
    --------
    >>> found = curve_tests([2.1, 2.5, 3.3, 1.2, 4.4])
    >>> print(found.k, found.skew_full.round(3))
    4.0 -2.85
    """
    size = np.abs(np.asarray(z, dtype=float))
    allowed = np.ones(size.shape, dtype=bool) if include is None else np.asarray(include, dtype=float) != 0.0
    size = np.where(allowed, size, 0.0)
    full, half = size > critical(ALPHA), size > critical(HALF)
    k, k_half = full.sum(axis=-1).astype(float), half.sum(axis=-1).astype(float)
    none = np.zeros(k.shape)
    weak = none + noncentrality(LOW_POWER)
    share = float(np.exp(log_reached(critical(HALF), noncentrality(LOW_POWER)))) / LOW_POWER
    return CurveTests(
        k=k,
        k_half=k_half,
        skew_full=stouffer(size, full, none, ALPHA, upper=True),
        skew_half=stouffer(size, half, none, HALF, upper=True),
        flat_full=stouffer(size, full, weak, ALPHA),
        flat_half=stouffer(size, half, weak, HALF),
        skew_binomial=_many(k_half, k, 0.5),
        flat_binomial=_many(k - k_half, k, 1.0 - share),
    )


def _many(count: FloatArray, k: FloatArray, probability: float) -> FloatArray:
    """Probability of `count` or more successes in k; NaN for k = 0."""
    tail = np.where(count == 0.0, 1.0, special.betainc(np.maximum(count, 1.0), k - count + 1.0, probability))
    return np.where(k == 0.0, np.nan, tail)


def power_at(z: npt.ArrayLike, quantile: npt.ArrayLike) -> FloatArray:
    """Power of a set of significant tests at which Stouffer's z of their pp values is each of some quantiles.

    Quantile 0 gives the estimate, and those of the normal distribution the bounds of an interval.

    Parameters
    ----------
    z : array_like, shape (k,)
        Significant statistics.
    quantile : array_like, shape (m,)

    Returns
    -------
    ndarray, shape (m,)
        .05 where even no effect makes such small statistics unlikely; NaN without statistics.

    Examples
    --------
    >>> print(power_at([2.1, 2.5, 3.3, 4.4], [1.645, 0.0, -1.645]).round(2))
    [0.24 0.74 0.96]
    """
    size, asked = np.abs(np.asarray(z, dtype=float)), np.asarray(quantile, dtype=float)
    if size.size == 0:
        return np.full(asked.shape, np.nan)

    def above(mean: FloatArray, rows: IntArray) -> tuple[FloatArray, FloatArray]:
        both = np.stack([mean, mean + _STEP])  # Newton's method needs no exact slope
        here, there = stouffer(size, np.ones((2, rows.size, size.size), dtype=bool), both, ALPHA)
        return here - asked[rows], (there - here) / _STEP

    power = np.full(asked.shape, ALPHA)
    sought = np.flatnonzero(above(np.zeros(asked.size), np.arange(asked.size))[0] > 0.0)
    if sought.size == 0:
        return power
    none, high = np.zeros(sought.size), np.full(sought.size, float(size.max()) + _FAR)
    root = falling_root(lambda mean, rows: above(mean, sought[rows]), none, high, 0.5 * high, np.ones(sought.size))
    power[sought] = np.exp(log_reached(critical(ALPHA), root.x))
    return power
