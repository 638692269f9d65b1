"""Trim and fill: how many studies one side of the funnel lacks, by the ranks of their deviations, for any batch."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import BoolArray, FloatArray, IntArray, batch
from alliance_meta.stats.random_effects import random_effects
from alliance_meta.stats.regression import regression

__all__ = ["COUNTS", "TrimFill", "asymmetry", "trim_fill"]


class TrimFill(NamedTuple):
    """What trim and fill makes of a set of effects; each field begins with the batch shape.

    Attributes
    ----------
    missing : ndarray
        Estimated number of missing effects, a whole number; NaN where the estimator has no value.
    std_error : ndarray
        Its standard error, at the number before it is rounded; NaN where that is too far below 0.
    unrounded : ndarray
        The number before it is rounded, and before one below 0 becomes 0.
    p_value : ndarray
        Of the test that none is missing, which only ``"R0"`` has.
    center : ndarray
        Mean of the effects that are left when the most extreme ones are trimmed.
    trimmed : ndarray of bool, shape (..., k)
        The most extreme effects, whose mirror images about `center` are to be filled in.
    iterations : ndarray of int
    converged : ndarray of bool
        Whether the number came to rest, with every tau2 on the way at its optimum.
    """

    missing: FloatArray
    std_error: FloatArray
    unrounded: FloatArray
    p_value: FloatArray
    center: FloatArray
    trimmed: BoolArray
    iterations: IntArray
    converged: BoolArray


def asymmetry(
    effect: npt.ArrayLike, variance: npt.ArrayLike, include: npt.ArrayLike | None = None, *, tau2_method: str
) -> FloatArray:
    """Slope of the effects on their standard errors, with the weights of the model: above 0, small studies lie high.

    Parameters
    ----------
    effect, variance : array_like, shape (..., k)
    include : array_like of 0 and 1, shape (..., k), optional
    tau2_method : str

    Returns
    -------
    ndarray, shape (...)
        NaN where all standard errors are the same, or tau2 does not reach its optimum.

    References
    ----------
    Sterne, J. A. C., & Egger, M. (2005). In Rothstein, Sutton & Borenstein (Eds.), Publication bias in meta-analysis.

    Examples
    --------
    >>> print(asymmetry([0.1, 0.2, 0.5], [0.01, 0.02, 0.09], tau2_method="EE").round(2))
    2.03
    """
    error = np.sqrt(np.asarray(variance, dtype=float))
    design = np.stack([np.ones(error.shape), error], axis=-1)
    fit = regression(effect, variance, design, include, tau2_method=tau2_method, test="z")
    return np.where(fit.converged, fit.coefficients[..., 1], np.nan)


def trim_fill(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    include: npt.ArrayLike | None = None,
    *,
    right: npt.ArrayLike,
    estimator: str,
    tau2_method: str,
    max_iterations: int = 100,
) -> TrimFill:
    """Estimate the number of missing effects on one side, trimming the other until the number comes to rest.

    Parameters
    ----------
    effect, variance : array_like, shape (..., k)
    include : array_like of 0 and 1, shape (..., k), optional
    right : array_like of bool, shape (...)
        Whether effects are missing among the largest, rather than the smallest.
    estimator : {"L0", "R0", "Q0"}
    tau2_method : str
        Of the mean about which effects are ranked: a name in `ESTIMATORS` or ``"EE"``.
    max_iterations : int

    Returns
    -------
    TrimFill

    References
    ----------
    Duval, S., & Tweedie, R. (2000a). Journal of the American Statistical Association, 95, 89-98.
    Duval, S., & Tweedie, R. (2000b). Biometrics, 56, 455-463.

    Examples
    --------
    The three largest effects, of small studies, have no counterpart below:

    >>> y, v = [0.10, 0.20, 0.25, 0.30, 0.55, 0.70], [0.003, 0.005, 0.007, 0.010, 0.020, 0.040]
    >>> found = trim_fill(y, v, right=False, estimator="L0", tau2_method="EE")
    >>> print(found.missing, found.center.round(2), found.trimmed.astype(int))
    3.0 0.16 [0 0 0 1 1 1]
    """
    y, v, used = batch(effect, variance, include)
    shape, k = y.shape[:-1], y.shape[-1]
    rows = prod(shape)
    y, v, taken = (array.reshape(rows, k) for array in (y, v, used))
    sign = np.where(np.broadcast_to(np.asarray(right, dtype=bool), shape).reshape(rows), -1.0, 1.0)
    up = np.where(taken > 0.0, sign[:, None] * y, np.inf)
    order = np.argsort(up, axis=-1, kind="stable")  # of the same effects, the first in the table is the smaller
    place = np.argsort(order, axis=-1, kind="stable")
    n = taken.sum(axis=-1)
    found = _iterate(np.where(taken > 0.0, up, 0.0), v, place, n, estimator, tau2_method, max_iterations)
    missing, unrounded, center, iterations, converged = found
    with np.errstate(invalid="ignore", divide="ignore"):
        std_error = COUNTS[estimator].std_error(n, unrounded)
    p_value = 0.5 ** (missing + 1.0) if estimator == "R0" else np.full(rows, np.nan)
    trimmed = (place < n[:, None]) & (place >= (n - missing)[:, None])
    return TrimFill(
        missing.reshape(shape),
        std_error.reshape(shape),
        unrounded.reshape(shape),
        p_value.reshape(shape),
        (sign * center).reshape(shape),
        trimmed.reshape(*shape, k),
        iterations.reshape(shape),
        converged.reshape(shape),
    )


def _iterate(
    up: FloatArray,
    v: FloatArray,
    place: IntArray,
    n: FloatArray,
    estimator: str,
    tau2_method: str,
    max_iterations: int,
) -> tuple[FloatArray, FloatArray, FloatArray, IntArray, BoolArray]:
    """The number of missing effects, the same unrounded, the mean without as many, the steps, and if it rests."""
    count = COUNTS[estimator].missing
    missing = np.where(n > 1.0, 0.0, np.nan)
    unrounded, center = np.full((2, *n.shape), np.nan)
    steps, at_rest = np.zeros(n.shape, dtype=np.intp), np.zeros(n.shape, dtype=bool)
    left = np.flatnonzero(n > 1.0)
    for _ in range(max_iterations):
        if not left.size:
            break
        kept = place[left] < (n - missing)[left, None]
        fit = random_effects(up[left], v[left], kept, tau2_method=tau2_method, test="z")
        center[left] = fit.estimate
        steps[left] += 1
        ranks = _signed_ranks(up[left] - fit.estimate[:, None], place[left], n[left])
        unrounded[left] = np.where(fit.converged | (fit.k == 1.0), count(ranks, n[left]), np.nan)
        # One effect at least stays, as the mean of none is none.
        now = np.minimum(np.maximum(np.rint(unrounded[left]), 0.0), n[left] - 1.0)
        same = now == missing[left]
        missing[left] = now
        at_rest[left[same]] = True
        left = left[~same & ~np.isnan(now)]
    missing[left] = unrounded[left] = np.nan
    return missing, unrounded, center, steps, at_rest


def _signed_ranks(deviation: FloatArray, place: IntArray, n: FloatArray) -> FloatArray:
    """Ranks of the sizes of deviations, from 1, with their signs; of equal ones the smaller effect comes first."""
    taken = place < n[:, None]
    size = np.where(taken, np.abs(deviation), np.inf)
    rank = np.argsort(np.lexsort((place, size), axis=-1), axis=-1, kind="stable") + 1.0
    return np.asarray(np.where(taken, np.sign(deviation) * rank, 0.0))


def _rank_sum(ranks: FloatArray) -> FloatArray:
    """Wilcoxon's statistic: the sum of the ranks above the mean."""
    return np.asarray(np.maximum(ranks, 0.0).sum(axis=-1))


def _from_run(ranks: FloatArray, n: FloatArray) -> FloatArray:
    """R0: the run of the largest deviations that all lie above the mean, less 1."""
    return np.asarray(n - np.maximum(-ranks, 0.0).max(axis=-1) - 1.0)


def _from_sum(ranks: FloatArray, n: FloatArray) -> FloatArray:
    """L0: linear in the rank sum."""
    return np.asarray((4.0 * _rank_sum(ranks) - n * (n + 1.0)) / (2.0 * n - 1.0))


def _from_root(ranks: FloatArray, n: FloatArray) -> FloatArray:
    """Q0: the root of a quadratic in the rank sum, which has none where nearly all ranks lie above the mean."""
    with np.errstate(invalid="ignore"):
        return np.asarray(n - 0.5 - np.sqrt(2.0 * n**2 - 4.0 * _rank_sum(ranks) + 0.25))


def _rank_sum_error(n: FloatArray, m: FloatArray) -> FloatArray:
    """Standard error of the rank sum of n effects, m others being missing."""
    most = n * (n + 1.0) * (2.0 * n + 1.0)
    more = 10.0 * m**3 + 27.0 * m**2 + 17.0 * m - 18.0 * n * m**2 - 18.0 * n * m + 6.0 * n**2 * m
    return np.asarray(np.sqrt((most + more) / 24.0))


class _Count(NamedTuple):
    """An estimator of the number of missing effects."""

    missing: Callable[[FloatArray, FloatArray], FloatArray]
    std_error: Callable[[FloatArray, FloatArray], FloatArray]


COUNTS: dict[str, _Count] = {
    "L0": _Count(_from_sum, lambda n, m: np.asarray(4.0 * _rank_sum_error(n, m) / (2.0 * n - 1.0))),
    "R0": _Count(_from_run, lambda _, m: np.asarray(np.sqrt(2.0 * np.maximum(m, 0.0) + 2.0))),
    "Q0": _Count(_from_root, lambda n, m: np.asarray(2.0 * _rank_sum_error(n, m) / (n - m - 0.5))),
}
"""The estimators of Duval and Tweedie by their names."""
