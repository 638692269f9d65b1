"""What unreliability and range restriction make of a correlation, and the way back."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import FloatArray

__all__ = [
    "Correction",
    "Restriction",
    "attenuated",
    "corrected",
    "restricted_reliability",
    "true_score_u",
    "unrestricted_reliability",
]

Restriction = Literal["none", "direct", "indirect"]


class Correction(NamedTuple):
    """A corrected correlation: `value`, `factor` (observed / corrected) and `slope` (d corrected / d observed).

    The corrected correlation's sampling variance is slope**2 times that of the observed one. Without range
    restriction the slope is 1 / factor.
    """

    value: FloatArray
    factor: FloatArray
    slope: FloatArray


def unrestricted_reliability(reliability: npt.ArrayLike, u: npt.ArrayLike) -> FloatArray:
    """Reliability in the population, from that in the restricted sample: 1 - u**2 (1 - reliability).

    Holds where the errors of measurement vary as much in the sample as in the population.

    Parameters
    ----------
    reliability : array_like
        In the restricted sample.
    u : array_like
        Standard deviation in the sample over that in the population.

    References
    ----------
    Hunter, J. E., Schmidt, F. L., & Le, H. (2006). Journal of Applied Psychology, 91, 594-612.

    Examples
    --------
    >>> print(unrestricted_reliability(0.75, 0.8).round(3))
    0.84
    """
    return np.asarray(1.0 - np.asarray(u, dtype=float) ** 2 * (1.0 - np.asarray(reliability, dtype=float)))


def restricted_reliability(reliability: npt.ArrayLike, u: npt.ArrayLike) -> FloatArray:
    """Reliability in the restricted sample, from that in the population: 1 - (1 - reliability) / u**2.

    Parameters
    ----------
    reliability : array_like
        In the population.
    u : array_like
        Standard deviation in the sample over that in the population.

    References
    ----------
    Hunter, J. E., Schmidt, F. L., & Le, H. (2006). Journal of Applied Psychology, 91, 594-612.

    Examples
    --------
    >>> print(restricted_reliability(0.84, 0.8).round(3))
    0.75
    """
    return np.asarray(1.0 - (1.0 - np.asarray(reliability, dtype=float)) / np.asarray(u, dtype=float) ** 2)


def true_score_u(u: npt.ArrayLike, reliability: npt.ArrayLike) -> FloatArray:
    """Range restriction of true scores, from that of observed ones: sqrt((u**2 - 1 + reliability) / reliability).

    Parameters
    ----------
    u : array_like
        Standard deviation of the observed scores in the sample over that in the population.
    reliability : array_like
        In the population.

    Returns
    -------
    ndarray
        NaN where errors of measurement alone would make the observed scores vary more than `u` says.

    References
    ----------
    Hunter, J. E., Schmidt, F. L., & Le, H. (2006). Journal of Applied Psychology, 91, 594-612.

    Examples
    --------
    True scores are restricted more than the observed scores, whose errors are not:

    >>> print(true_score_u(0.8, 0.84).round(3))
    0.756
    """
    rxx = np.asarray(reliability, dtype=float)
    share = (np.asarray(u, dtype=float) ** 2 - (1.0 - rxx)) / rxx
    return np.sqrt(np.where(share > 0.0, share, np.nan))


class _Chain(NamedTuple):
    """From a true correlation to an observed one: times `outer`, restricted by `u`, times `inner`."""

    outer: FloatArray
    u: FloatArray
    inner: FloatArray


def _chain(rxx: npt.ArrayLike, ryy: npt.ArrayLike, u: npt.ArrayLike, restriction: Restriction) -> _Chain:
    rxx, ryy, u = (np.asarray(value, dtype=float) for value in (rxx, ryy, u))
    one = np.ones(())
    if restriction == "direct":
        return _Chain(np.sqrt(rxx), u, np.sqrt(ryy))
    if restriction == "indirect":
        in_sample = restricted_reliability(rxx, u)
        return _Chain(one, true_score_u(u, rxx), np.sqrt(np.where(in_sample > 0.0, in_sample, np.nan) * ryy))
    return _Chain(one, one, np.sqrt(rxx * ryy))


def corrected(
    r: npt.ArrayLike,
    *,
    reliability_x: npt.ArrayLike = 1.0,
    reliability_y: npt.ArrayLike = 1.0,
    u: npt.ArrayLike = 1.0,
    restriction: Restriction = "none",
) -> Correction:
    """Correct correlations for unreliability of both measures and for range restriction of x.

    Without restriction, r / sqrt(reliability_x reliability_y). With **direct** restriction (Thorndike's Case II: people
    were selected on x) r is corrected for the reliability of y, then for restriction, then for the reliability of x.
    With **indirect** restriction (Case IV: selected on something that is related to y through the true scores of x
    only) it is corrected for both reliabilities in the sample, then for the restriction of true scores.

    Parameters
    ----------
    r : array_like
        Observed correlations.
    reliability_x : array_like
        Reliability of x in the unrestricted population, in (0, 1].
    reliability_y : array_like
        Reliability of y in the sample, in (0, 1].
    u : array_like
        Standard deviation of x in the sample over that in the population; not used without restriction.
    restriction : {"none", "direct", "indirect"}

    Returns
    -------
    Correction
        NaN where a correlation with these artefacts cannot be.

    References
    ----------
    Spearman, C. (1904). American Journal of Psychology, 15, 72-101.
    Thorndike, R. L. (1949). Personnel selection, ch. 6.
    Hunter, J. E., Schmidt, F. L., & Le, H. (2006). Journal of Applied Psychology, 91, 594-612.

    Examples
    --------
    >>> print(f"{corrected(0.3, reliability_x=0.81, reliability_y=0.64).value:.4f}")
    0.4167
    >>> print(f"{corrected(0.3, u=0.5, restriction='direct').value:.4f}")
    0.5324
    """
    r = np.asarray(r, dtype=float)
    outer, ratio, inner = _chain(reliability_x, reliability_y, u, restriction)
    squared = ratio**2 + (1.0 - ratio**2) * (r / inner) ** 2
    squared = np.where(squared > 0.0, squared, np.nan)
    factor = outer * inner * np.sqrt(squared)
    return Correction(value=r / factor, factor=factor, slope=ratio**2 / squared / factor)


def attenuated(
    rho: npt.ArrayLike,
    *,
    reliability_x: npt.ArrayLike = 1.0,
    reliability_y: npt.ArrayLike = 1.0,
    u: npt.ArrayLike = 1.0,
    restriction: Restriction = "none",
) -> FloatArray:
    """What is observed of true correlations through the artefacts: the inverse of `corrected`.

    Parameters
    ----------
    rho : array_like
        Correlations of true scores in the population.
    reliability_x, reliability_y, u, restriction
        As in `corrected`.

    Returns
    -------
    ndarray

    Examples
    --------
    >>> print(attenuated(0.5, reliability_x=0.81, reliability_y=0.64).round(3))
    0.36
    """
    outer, ratio, inner = _chain(reliability_x, reliability_y, u, restriction)
    within = outer * np.asarray(rho, dtype=float)
    return np.asarray(inner * ratio * within / np.sqrt(1.0 + (ratio**2 - 1.0) * within**2))
