"""Where the true effects of other studies lie: Nagashima's interval, and the share beyond a threshold."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from alliance_meta.stats._arrays import FloatArray, batch
from alliance_meta.stats.generalised_q import tau2_distribution_quantile
from alliance_meta.stats.inference import critical_value
from alliance_meta.stats.weighted import knapp_hartung_factor, weighted_mean

__all__ = ["ProportionAbove", "nagashima_interval", "proportion_above"]

# Weights held at once.
_BLOCK = 1 << 21


class ProportionAbove(NamedTuple):
    """A proportion of true effects and the bounds of its interval; each field has the batch shape."""

    proportion: FloatArray
    low: FloatArray
    high: FloatArray


def nagashima_interval(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    level: float = 0.95,
    include: npt.ArrayLike | None = None,
    *,
    replicates: int,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """Prediction interval for the true effect of another study that allows for not knowing tau2.

    The quantiles of mu(tau2) + z sqrt(tau2) - t SE(tau2) over draws of tau2 from the exact confidence distribution of
    DerSimonian and Laird's estimator, cut off at 0, of a standard normal z, and of a t with k - 1 degrees of freedom;
    mu is the mean with weights 1 / (variance + tau2), SE Hartung's standard error of it.

    Parameters
    ----------
    effect, variance : array_like, shape (k,)
        One set of effects.
    level : float
    include : array_like of 0 and 1, shape (k,), optional
    replicates : int
        Draws; Nagashima et al. take 25,000 or more.
    rng : numpy.random.Generator
        Draws all tau2, then all z, then all t: a generator in the same state gives the same interval.

    Returns
    -------
    low, high : float
        NaN with fewer than two effects.

    References
    ----------
    Nagashima, K., Noma, H., & Furukawa, T. A. (2019). Statistical Methods in Medical Research, 28, 1689-1702.

    Examples
    --------
    With few studies, not knowing tau2 widens the interval well beyond the spread of the effects:

    >>> low, high = nagashima_interval([0.1, 0.3, 0.9, 0.6], [0.02, 0.03, 0.05, 0.04], replicates=5_000,
    ...                                rng=np.random.default_rng(1))
    >>> print(f"[{low:.1f}, {high:.1f}]")
    [-0.7, 1.8]
    """
    y, v, used = batch(effect, variance, include)
    y, v = y[used > 0.0], v[used > 0.0]
    if y.size < 2:
        return float("nan"), float("nan")
    tau2 = tau2_distribution_quantile(y, v, rng.random(replicates))
    z, t = rng.standard_normal(replicates), rng.standard_t(y.size - 1, replicates)
    drawn = np.empty(replicates)
    for rows in np.array_split(np.arange(replicates), 1 + replicates * y.size // _BLOCK):
        mean = weighted_mean(y, v, tau2[rows])
        std_error = mean.std_error * knapp_hartung_factor(mean)
        drawn[rows] = mean.estimate + z[rows] * np.sqrt(tau2[rows]) - t[rows] * std_error
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(drawn, [tail, 1.0 - tail])
    return float(low), float(high)


def proportion_above(
    estimate: npt.ArrayLike,
    std_error: npt.ArrayLike,
    tau2: npt.ArrayLike,
    tau2_std_error: npt.ArrayLike,
    threshold: npt.ArrayLike,
    level: float = 0.95,
) -> ProportionAbove:
    """Proportion of true effects above a threshold, were they normal, and its interval by the delta method.

    The proportion is Phi(x) with x = (estimate - threshold) / sqrt(tau2). The interval is one for x, taken through
    Phi, so it stays within 0 and 1; as in Mathur and VanderWeele, estimate and tau2 count as independent.

    Parameters
    ----------
    estimate, std_error : array_like, shape (...)
        The mean of the true effects.
    tau2, tau2_std_error : array_like, shape (...)
        Their variance, and its standard error.
    threshold : array_like, shape (...)
    level : float

    Returns
    -------
    ProportionAbove
        With tau2 = 0 all true effects are the estimate: the proportion is 0 or 1, or NaN if they are the threshold, and
        the bounds are NaN.

    References
    ----------
    Mathur, M. B., & VanderWeele, T. J. (2019). Statistics in Medicine, 38, 1336-1342.

    Examples
    --------
    A mean well above 0 need not mean that hardly any effects are below it:

    >>> found = proportion_above(0.30, 0.05, 0.06, 0.02, threshold=0.0)
    >>> print(f"{found.proportion:.0%} [{found.low:.0%}, {found.high:.0%}]")
    89% [75%, 96%]
    """
    mean, se, spread, spread_se, q = np.broadcast_arrays(
        *(np.asarray(value, dtype=float) for value in (estimate, std_error, tau2, tau2_std_error, threshold))
    )
    distance = mean - q
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        x = distance / np.sqrt(spread)
        se_x = np.sqrt(se**2 / spread + (0.5 * x * spread_se / spread) ** 2)
        half = critical_value(level, np.inf) * se_x
        low, high = x - half, x + half
    low, high = (np.where(spread > 0.0, special.ndtr(bound), np.nan) for bound in (low, high))
    return ProportionAbove(np.asarray(special.ndtr(x), dtype=float), low, high)
