"""The log-likelihood of effects that are only known to lie in a range, and its derivatives."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from alliance_meta.stats._arrays import FloatArray

__all__ = ["Reports", "Terms", "log_likelihood", "reports", "terms_of", "threshold"]

_FARTHEST = 5.0
"""Fisher's z (r = .9999) beyond which a mean or tau counts as infinite; printed effects lie within it or widen it."""
_LOG_ROOT_2PI = 0.5 * float(np.log(2.0 * np.pi))


class Reports(NamedTuple):
    """What is known of each effect on Fisher's z: the ends of the range it lies in, equal where it is printed.

    Attributes
    ----------
    low, high : ndarray, shape (k,)
    variance : ndarray, shape (k,)
        Sampling variance, 1 / (n - 3).
    """

    low: FloatArray
    high: FloatArray
    variance: FloatArray

    @property
    def farthest(self) -> float:
        """How far the mean and tau are looked for."""
        printed = self.low[self.low == self.high]
        return _FARTHEST + (float(np.abs(printed).max()) if printed.size else 0.0)


def threshold(n: npt.ArrayLike, alpha: float, *, two_sided: bool = True) -> FloatArray:
    """Fisher's z from which a correlation of n people is significant: the normal quantile over sqrt(n - 3)."""
    critical = -special.ndtri(alpha / 2.0 if two_sided else alpha)
    return np.asarray(critical / np.sqrt(np.asarray(n, dtype=float) - 3.0), dtype=np.float64)


def reports(
    verdict: npt.ArrayLike, value: npt.ArrayLike, n: npt.ArrayLike, alpha: float, *, two_sided: bool = True
) -> Reports:
    """Turn verdicts and printed effects into ranges.

    Parameters
    ----------
    verdict : array_like of int, shape (k,)
        1 significant, 0 not significant, -1 significant in the other direction. Not looked at where `value` is known.
    value : array_like, shape (k,)
        Fisher's z as printed, or NaN.
    n : array_like, shape (k,)
        Sample sizes above 3.
    alpha : float
        Level of the tests that the verdicts are of.
    two_sided : bool
        One-sided tests look for positive effects only.
    """
    said, z, size = np.asarray(verdict), np.asarray(value, dtype=float), np.asarray(n, dtype=float)
    edge = threshold(size, alpha, two_sided=two_sided)
    low = np.where(said == 1, edge, -np.inf)
    high = np.where(said == 1, np.inf, np.where(said == -1, -edge, edge))
    if two_sided:
        low = np.where(said == 0, -edge, low)
    known = np.isfinite(z)
    return Reports(np.where(known, z, low), np.where(known, z, high), 1.0 / (size - 3.0))


class Terms(NamedTuple):
    """Log-likelihood of each effect and its derivatives by the mean m and by the total standard deviation s."""

    value: FloatArray
    m: FloatArray
    mm: FloatArray
    s: FloatArray
    ms: FloatArray
    ss: FloatArray


def terms_of(data: Reports, mean: FloatArray, tau2: FloatArray) -> Terms:
    """At means and variances of any one shape; effects come as a last axis."""
    s = np.sqrt(tau2[..., None] + data.variance)
    a, b = (data.low - mean[..., None]) / s, (data.high - mean[..., None]) / s
    known = data.low == data.high
    log_p = np.where(known, 0.0, _log_difference(np.where(known, -1.0, a), np.where(known, 1.0, b)))
    p, q = (np.exp(-0.5 * x * x - _LOG_ROOT_2PI - log_p) for x in (a, b))
    a, b = (np.where(np.isfinite(x), x, 0.0) for x in (a, b))  # an infinite end has density 0
    ap, bq = a * p, b * q
    one, first, two, three = p - q, ap - bq, a * ap - b * bq, a * a * ap - b * b * bq
    s2 = s * s
    return Terms(
        np.where(known, -0.5 * a * a - np.log(s) - _LOG_ROOT_2PI, log_p),
        np.where(known, a, one) / s,
        np.where(known, -1.0, first - one * one) / s2,
        np.where(known, a * a - 1.0, first) / s,
        np.where(known, -2.0 * a, two - one * first - one) / s2,
        np.where(known, 1.0 - 3.0 * a * a, three - 2.0 * first - first * first) / s2,
    )


def _log_difference(low: FloatArray, high: FloatArray) -> FloatArray:
    """log(Phi(high) - Phi(low)) in the tail where both are small, so that nothing cancels."""
    turn = low + high > 0.0
    low, high = np.where(turn, -high, low), np.where(turn, -low, high)
    above, below = special.log_ndtr(high), special.log_ndtr(low)
    return np.asarray(above + np.log(-np.expm1(below - above)), dtype=np.float64)


def log_likelihood(data: Reports, mean: npt.ArrayLike, tau2: npt.ArrayLike) -> FloatArray:
    """Log-likelihood at means and between-study variances of any one shape."""
    m, t = np.broadcast_arrays(np.asarray(mean, dtype=float), np.asarray(tau2, dtype=float))
    return np.asarray(terms_of(data, m, t).value.sum(axis=-1), dtype=np.float64)
