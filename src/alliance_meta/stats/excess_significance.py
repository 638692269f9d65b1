"""Whether more studies are significant than their power lets expect."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from alliance_meta.stats._arrays import BoolArray, FloatArray, IntArray, batch
from alliance_meta.stats._roots import falling_root

__all__ = ["EXCESS_TESTS", "Excess", "at_least", "excess", "limit", "power_of_studies", "significant_studies"]

EXCESS_TESTS = ("chi2", "binomial", "exact")
_FAR = 10.0
_STEP = 1e-6


class Excess(NamedTuple):
    """An excess of significant studies; the first four fields have the batch shape.

    Attributes
    ----------
    observed, expected : ndarray
        Numbers of significant studies.
    statistic : ndarray
        Pearson's chi-square with one degree of freedom.
    k : ndarray
    p_value : ndarray, shape (..., 3)
        Of as many significant studies or more, by the tests in `EXCESS_TESTS`.
    """

    observed: FloatArray
    expected: FloatArray
    statistic: FloatArray
    k: FloatArray
    p_value: FloatArray


def _critical(alpha: float, alternative: str) -> float:
    return float(special.ndtri(1.0 - (alpha / 2.0 if alternative == "two-sided" else alpha)))


def significant_studies(
    effect: npt.ArrayLike, variance: npt.ArrayLike, *, alpha: float = 0.05, alternative: str = "two-sided"
) -> BoolArray:
    """Which effects are significant by a z test.

    Parameters
    ----------
    effect, variance : array_like, shape (..., k)
        Effects as differences from no effect.
    alpha : float
    alternative : {"two-sided", "greater", "less"}

    Returns
    -------
    ndarray of bool, shape (..., k)
    """
    z = np.asarray(effect, dtype=float) / np.sqrt(np.asarray(variance, dtype=float))
    turned = {"two-sided": np.abs(z), "greater": z, "less": -z}[alternative]
    return np.asarray(turned >= _critical(alpha, alternative))


def power_of_studies(
    mean: npt.ArrayLike,
    variance: npt.ArrayLike,
    tau2: npt.ArrayLike = 0.0,
    *,
    alpha: float = 0.05,
    alternative: str = "two-sided",
) -> FloatArray:
    """Probability that a study's z test is significant, its true effect being drawn from N(mean, tau2).

    Parameters
    ----------
    mean : array_like
        As a difference from no effect.
    variance : array_like, shape (..., k)
    tau2 : array_like
    alpha : float
    alternative : {"two-sided", "greater", "less"}

    Returns
    -------
    ndarray

    Examples
    --------
    >>> print(power_of_studies(0.5, [0.01, 0.04, 0.25]).round(2))
    [1.   0.71 0.17]
    """
    mu, v, between = (np.asarray(array, dtype=float) for array in (mean, variance, tau2))
    bound, spread = _critical(alpha, alternative) * np.sqrt(v), np.sqrt(v + between)
    above, below = special.ndtr((mu - bound) / spread), special.ndtr((-mu - bound) / spread)
    return np.asarray({"two-sided": above + below, "greater": above, "less": below}[alternative])


def at_least(count: npt.ArrayLike, probability: npt.ArrayLike) -> FloatArray:
    """Probability that at least `count` of k independent events happen, each with a probability of its own.

    Parameters
    ----------
    count : array_like of int, shape (...)
    probability : array_like, shape (..., k)

    Returns
    -------
    ndarray, shape (...)

    Examples
    --------
    >>> print(at_least(2, [0.5, 0.5, 0.2]).round(3))
    0.35
    """
    p = np.asarray(probability, dtype=float)
    k = p.shape[-1]
    mass = np.zeros((*p.shape[:-1], k + 1))
    mass[..., 0] = 1.0
    for i in range(k):
        mass[..., 1:] = mass[..., 1:] * (1.0 - p[..., i, None]) + mass[..., :-1] * p[..., i, None]
        mass[..., 0] *= 1.0 - p[..., i]
    counted = np.arange(k + 1) >= np.asarray(count)[..., None]
    return np.asarray(np.minimum(1.0, np.where(counted, mass, 0.0).sum(axis=-1)))


def excess(significant: npt.ArrayLike, power: npt.ArrayLike, include: npt.ArrayLike | None = None) -> Excess:
    """Compare the number of significant studies with the sum of their powers.

    Parameters
    ----------
    significant : array_like of bool, shape (..., k)
    power : array_like, shape (..., k)
    include : array_like of 0 and 1, shape (..., k), optional

    Returns
    -------
    Excess
        One-sided: p is small where more are significant than expected. The chi-square test's is that of its signed
        root.

    References
    ----------
    Ioannidis, J. P. A., & Trikalinos, T. A. (2007). Clinical Trials, 4, 245-253.
    Francis, G. (2013). Journal of Mathematical Psychology, 57, 153-169.
    """
    found, p, used = batch(np.asarray(significant, dtype=float), power, include)
    observed, expected, k = (used * found).sum(axis=-1), (used * p).sum(axis=-1), used.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (observed - expected) / np.sqrt(expected * (1.0 - expected / k))
        z = np.where(observed == expected, 0.0, z)
        share = expected / k
    # The incomplete beta function is the binomial distribution, also where nothing is expected.
    binomial = np.where(observed == 0.0, 1.0, special.betainc(np.maximum(observed, 1.0), k - observed + 1.0, share))
    exact = at_least(observed, used * p)
    return Excess(observed, expected, z**2, k, np.stack([special.ndtr(-z), binomial, exact], axis=-1))


def limit(
    significant: npt.ArrayLike,
    variance: npt.ArrayLike,
    tau2: float = 0.0,
    *,
    direction: float,
    alpha: float = 0.05,
    alternative: str = "two-sided",
    excess_alpha: float = 0.10,
) -> FloatArray:
    """Mean at which each test's p would be `excess_alpha`: nearer to no effect, the excess would be found.

    Parameters
    ----------
    significant : array_like of bool, shape (k,)
    variance : array_like, shape (k,)
    tau2 : float
    direction : {1.0, -1.0}
        Side of no effect on which it is sought.
    alpha, alternative
        Of the studies' tests.
    excess_alpha : float

    Returns
    -------
    ndarray, shape (3,)
        In the order of `EXCESS_TESTS`, as a difference from no effect; NaN where p is larger with no effect already.
    """
    v = np.asarray(variance, dtype=float)
    found = np.asarray(significant, dtype=bool)

    scale = np.full(3, np.sqrt(v.min()))

    def remaining(size: FloatArray, rows: IntArray) -> tuple[FloatArray, FloatArray]:
        step = _STEP * (size + scale[rows])  # Newton's method needs no exact slope
        both = direction * np.stack([size, size + step])
        power = power_of_studies(both[..., None], v, tau2, alpha=alpha, alternative=alternative)
        p = excess(np.broadcast_to(found, power.shape), power).p_value
        here, there = np.take_along_axis(p, rows[None, :, None], axis=-1)[..., 0]
        return excess_alpha - here, (here - there) / step

    sought = np.flatnonzero(remaining(np.zeros(3), np.arange(3))[0] >= 0.0)
    far = _critical(alpha, alternative) * np.sqrt(v.max()) + _FAR * np.sqrt(v.max() + tau2)
    low, high = np.zeros(sought.size), np.full(sought.size, far)
    limits = np.full(3, np.nan)
    if sought.size == 0:
        return limits
    root = falling_root(lambda size, rows: remaining(size, sought[rows]), low, high, 0.5 * high, scale[sought])
    limits[sought] = direction * root.x
    return limits
