"""Weighted means and their standard errors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import FloatArray, batch, dot

__all__ = ["WeightedMean", "knapp_hartung_factor", "weighted_mean"]


class WeightedMean(NamedTuple):
    """An inverse-variance weighted mean; each field has the batch shape.

    Attributes
    ----------
    estimate : ndarray
        Weighted mean, on the scale of the effects.
    std_error : ndarray
        Its standard error when the weights are true inverse variances: 1 / sqrt(sum of weights).
    residual_ss : ndarray
        Weighted sum of squared deviations from the mean, Q(tau2) (no unit).
    k : ndarray
        Number of effects included.
    """

    estimate: FloatArray
    std_error: FloatArray
    residual_ss: FloatArray
    k: FloatArray


def weighted_mean(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    tau2: npt.ArrayLike = 0.0,
    include: npt.ArrayLike | None = None,
) -> WeightedMean:
    """Mean of effects with weights 1 / (variance + tau2).

    Parameters
    ----------
    effect, variance : array_like, shape (..., k)
        Effects and their sampling variances (squared units of the effects).
    tau2 : array_like, shape (...)
        Between-study variance, one number a fit.
    include : array_like of 0 and 1, shape (..., k), optional
        Effects that take part.

    Returns
    -------
    WeightedMean

    References
    ----------
    Hedges, L. V., & Olkin, I. (1985). Statistical methods for meta-analysis, ch. 6 and 9.

    Examples
    --------
    Adding heterogeneity moves the mean toward the unweighted one and widens its standard error:

    >>> fixed, random = (weighted_mean([0.1, 0.5], [0.01, 0.04], tau2) for tau2 in (0.0, 1.0))
    >>> print(f"{fixed.estimate:.3f} {random.estimate:.3f}")
    0.180 0.297
    """
    y, v, used = batch(effect, variance, include)
    weight = used / (v + np.asarray(tau2, dtype=float)[..., None])
    total = weight.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):  # an empty fit is NaN, not an error
        first = dot(weight, y) / total
        # A second pass leaves no rounding error that could pass for spread between identical effects.
        estimate = first + dot(weight, y - first[..., None]) / total
        std_error = 1.0 / np.sqrt(total)
    deviation = y - estimate[..., None]
    return WeightedMean(
        estimate=estimate,
        std_error=np.where(total > 0.0, std_error, np.nan),
        residual_ss=dot(weight * deviation, deviation),
        k=used.sum(axis=-1),
    )


def knapp_hartung_factor(mean: WeightedMean, *, adhoc: bool = False) -> FloatArray:
    """Factor by which Knapp and Hartung's method multiplies the standard error.

    sqrt(Q(tau2) / (k - 1)); with `adhoc`, never below 1, so the interval is never narrower than without it.

    Parameters
    ----------
    mean : WeightedMean
        Taken at the tau2 that the method is to account for.
    adhoc : bool
        Apply the ad hoc correction.

    Returns
    -------
    ndarray, shape (...)
        NaN where fewer than two effects are included.

    References
    ----------
    Knapp, G., & Hartung, J. (2003). Statistics in Medicine, 22, 2693-2710.
    Sidik, K., & Jonkman, J. N. (2002). Statistics in Medicine, 21, 3153-3159.

    Examples
    --------
    Effects that agree better than chance alone would let them shrink the standard error, unless `adhoc`:

    >>> mean = weighted_mean([0.20, 0.21, 0.22], [0.01, 0.01, 0.01])
    >>> print(f"{knapp_hartung_factor(mean):.2f} {knapp_hartung_factor(mean, adhoc=True):.2f}")
    0.10 1.00
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        factor = np.sqrt(mean.residual_ss / (mean.k - 1.0))
    factor = np.where(mean.k > 1.0, factor, np.nan)
    return np.maximum(factor, 1.0) if adhoc else factor
