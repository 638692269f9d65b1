"""Bootstraps of the mean and tau2."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.resampling._blocks import BLOCK, Progress, estimator_named, in_blocks, studies
from alliance_meta.stats.tau2 import ESTIMATORS
from alliance_meta.stats.weighted import weighted_mean

__all__ = ["Bootstrap", "case_bootstrap", "parametric_bootstrap", "percentile_interval"]


class Bootstrap(NamedTuple):
    """Replicates of a fit: means and between-study variances, (R,) each, and how many refits failed (as NaN)."""

    estimate: FloatArray
    tau2: FloatArray
    failed: int


def parametric_bootstrap(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    include: npt.ArrayLike | None = None,
    *,
    tau2_method: str = "REML",
    replicates: int = 10_000,
    seed: int = 0,
    workers: int = 1,
    progress: Progress | None = None,
) -> Bootstrap:
    """Refit the model to effects drawn from it: normal, with the estimated mean and variances variance + tau2.

    Parameters
    ----------
    effect, variance : array_like, shape (k,)
    include : array_like of 0 and 1, shape (k,), optional
    tau2_method : str
        A name in `ESTIMATORS`.
    replicates, seed, workers : int
        The result does not depend on the number of threads, `workers`; more replicates continue the same series.
    progress : callable, optional

    Returns
    -------
    Bootstrap

    References
    ----------
    Efron, B., & Tibshirani, R. J. (1993). An introduction to the bootstrap.

    Examples
    --------
    With three studies, even true heterogeneity is often estimated as 0:

    >>> draws = parametric_bootstrap([0.1, 0.3, 0.9], [0.02, 0.03, 0.05], replicates=2000)
    >>> print(f"{(draws.tau2 == 0).mean():.2f}")
    0.19
    """
    y, v = studies(effect, variance, include)
    tau2 = estimator_named(tau2_method)(y, v).estimate
    mean, sd = weighted_mean(y, v, tau2).estimate, np.sqrt(v + tau2)

    def draw(random: np.random.Generator, size: int) -> tuple[FloatArray, FloatArray]:
        return mean + sd * random.standard_normal((size, y.size)), v

    return _bootstrap(draw, tau2_method, replicates, seed, workers, progress)


def case_bootstrap(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    include: npt.ArrayLike | None = None,
    *,
    tau2_method: str = "REML",
    replicates: int = 10_000,
    seed: int = 0,
    workers: int = 1,
    progress: Progress | None = None,
) -> Bootstrap:
    """Refit the model to studies drawn with replacement, each with its effect and its variance.

    Parameters and result as in `parametric_bootstrap`.

    References
    ----------
    Efron, B., & Tibshirani, R. J. (1993). An introduction to the bootstrap.

    Examples
    --------
    It makes no use of the variances being known, and draws far from the mean where one study is:

    >>> draws = case_bootstrap([0.1, 0.2, 0.3, 0.2, 2.0], [0.02, 0.02, 0.02, 0.02, 0.02], replicates=2000)
    >>> low, high = percentile_interval(draws.estimate)
    >>> print(f"[{low:.2f}, {high:.2f}]")
    [0.16, 1.30]
    """
    y, v = studies(effect, variance, include)
    estimator_named(tau2_method)

    def draw(random: np.random.Generator, size: int) -> tuple[FloatArray, FloatArray]:
        chosen = random.integers(0, y.size, (size, y.size))
        return y[chosen], v[chosen]

    return _bootstrap(draw, tau2_method, replicates, seed, workers, progress)


def percentile_interval(replicates: npt.ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """Interval between two quantiles of bootstrap replicates; failed ones, NaN, are left out.

    Parameters
    ----------
    replicates : array_like, shape (R,)
    level : float

    Returns
    -------
    low, high : float
        NaN where all failed.

    References
    ----------
    Efron, B., & Tibshirani, R. J. (1993). An introduction to the bootstrap, ch. 13.

    Examples
    --------
    >>> print("{:.1f} {:.1f}".format(*percentile_interval(range(101), 0.9)))
    5.0 95.0
    """
    values = np.asarray(replicates, dtype=float)
    values = values[~np.isnan(values)]
    if values.size == 0:
        return np.nan, np.nan
    low, high = np.quantile(values, [0.5 - level / 2.0, 0.5 + level / 2.0])
    return float(low), float(high)


def _bootstrap(
    draw: Callable[[np.random.Generator, int], tuple[FloatArray, FloatArray]],
    tau2_method: str,
    replicates: int,
    seed: int,
    workers: int,
    progress: Progress | None,
) -> Bootstrap:
    streams = np.random.SeedSequence(seed).spawn(-(-replicates // BLOCK))

    def work(block: int, part: slice) -> tuple[FloatArray, FloatArray]:
        y, v = draw(np.random.default_rng(streams[block]), part.stop - part.start)
        tau2 = ESTIMATORS[tau2_method](y, v).estimate
        return weighted_mean(y, v, tau2).estimate, tau2

    estimate, tau2 = np.empty((2, replicates))
    first = 0
    for means, variances in in_blocks(work, replicates, workers, progress):
        part = slice(first, first + means.size)
        estimate[part], tau2[part] = means, variances
        first = part.stop
    return Bootstrap(estimate, tau2, int(np.isnan(estimate).sum()))
