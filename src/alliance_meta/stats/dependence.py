"""Several effects of one study and their correlation: what they come to together.

Two forms of each kernel. The grouped ones take one correlation a study and all effects in one row, `group` saying
which study each belongs to; they are sums over groups. The others take whole matrices, shape (..., m, m), and
broadcast over studies of the same size.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import FloatArray

__all__ = [
    "DependentMean",
    "composite_correlation",
    "composite_from_matrix",
    "covariance_of_smds",
    "equicorrelation",
    "mean_from_covariance",
    "unweighted_mean",
    "weighted_mean_from_covariance",
    "weighted_mean_of_correlated",
]


class DependentMean(NamedTuple):
    """Means of correlated effects and their sampling variances, one a study.

    Attributes
    ----------
    estimate : ndarray
        On the scale of the effects.
    variance : ndarray
        Squared units of the effects.
    """

    estimate: FloatArray
    variance: FloatArray


def _sums(values: FloatArray, group: npt.NDArray[np.intp]) -> FloatArray:
    return np.bincount(group, weights=values).astype(float)


def _products(left: FloatArray, right: FloatArray, group: npt.NDArray[np.intp]) -> tuple[FloatArray, FloatArray]:
    """Each group's sum of products about the means, and the product of its sums divided by its size.

    With these two no quadratic form of an equicorrelation matrix subtracts large numbers from each other.
    """
    size = np.bincount(group)
    sum_left, sum_right = _sums(left, group), _sums(right, group)
    about = _sums((left - (sum_left / size)[group]) * (right - (sum_right / size)[group]), group)
    return about, sum_left * sum_right / size


def unweighted_mean(
    effect: npt.ArrayLike, variance: npt.ArrayLike, group: npt.ArrayLike, correlation: npt.ArrayLike
) -> DependentMean:
    """Plain mean of each study's effects, any two of which are correlated alike.

    Parameters
    ----------
    effect, variance : array_like, shape (k,)
        Effects and their sampling variances (squared units of the effects).
    group : array_like of int, shape (k,)
        The study of each effect: 0 to s - 1, each of them at least once.
    correlation : array_like, shape (s,) or ()
        Correlation of the sampling errors of any two effects of a study.

    Returns
    -------
    DependentMean
        Shape (s,).

    References
    ----------
    Borenstein, M., Hedges, L. V., Higgins, J. P. T., & Rothstein, H. R. (2009). Introduction to meta-analysis,
    ch. 24.

    Examples
    --------
    Two effects of one study tell less than two studies would, and as much as one if they are correlated 1:

    >>> for rho in (0.0, 0.5, 1.0):
    ...     print(unweighted_mean([0.2, 0.4], [0.04, 0.04], [0, 0], rho).variance.round(3))
    [0.02]
    [0.03]
    [0.04]
    """
    y, group = np.asarray(effect, dtype=float), np.asarray(group, dtype=np.intp)
    rho, size = np.asarray(correlation, dtype=float), np.bincount(group)
    deviation = np.sqrt(np.asarray(variance, dtype=float))
    about, product = _products(deviation, deviation, group)
    total = (1.0 - rho) * about + (1.0 + (size - 1.0) * rho) * product
    start = y[np.unique(group, return_index=True)[1]]  # so that the mean of identical effects is exactly theirs
    return DependentMean(start + _sums(y - start[group], group) / size, total / size**2)


def weighted_mean_of_correlated(
    effect: npt.ArrayLike, variance: npt.ArrayLike, group: npt.ArrayLike, correlation: npt.ArrayLike
) -> DependentMean:
    """Generalized least squares mean of each study's effects, any two of which are correlated alike.

    The weights are the row sums of the inverse of the covariance matrix with entries rho sqrt(v_i v_j). An effect
    much less precise than the others of its study can get a negative weight.

    Parameters
    ----------
    effect, variance : array_like, shape (k,)
        Effects and their sampling variances (squared units of the effects).
    group : array_like of int, shape (k,)
        The study of each effect: 0 to s - 1, each of them at least once.
    correlation : array_like, shape (s,) or ()
        Correlation of the sampling errors of any two effects of a study, within -1/(m - 1) and 1 for m effects,
        neither included.

    Returns
    -------
    DependentMean
        Shape (s,); NaN where a correlation of 1 leaves no inverse.

    References
    ----------
    Hedges, L. V., & Olkin, I. (1985). Statistical methods for meta-analysis, ch. 10. The same as metafor's
    ``aggregate(x, cluster=, struct="CS", rho=)``.

    Examples
    --------
    >>> mean = weighted_mean_of_correlated([0.2, 0.5], [0.01, 0.04], [0, 0], 0.25)
    >>> print(mean.estimate.round(4), mean.variance.round(4))
    [0.2375] [0.0094]
    """
    y, group = np.asarray(effect, dtype=float), np.asarray(group, dtype=np.intp)
    rho, size = np.asarray(correlation, dtype=float), np.bincount(group)
    start = y[np.unique(group, return_index=True)[1]]
    one = 1.0 / np.sqrt(np.asarray(variance, dtype=float))
    share = (1.0 - rho) / (1.0 + (size - 1.0) * rho)
    about, product = _products(one, one, group)
    total = about + share * product
    about, product = _products(one, (y - start[group]) * one, group)
    with np.errstate(invalid="ignore", divide="ignore"):
        return DependentMean(start + (about + share * product) / total, (1.0 - rho) / total)


def composite_correlation(r: npt.ArrayLike, group: npt.ArrayLike, correlation: npt.ArrayLike) -> FloatArray:
    """Correlation of something with the sum of m standardized measures, from its correlation with each.

    sum(r) / sqrt(m + m (m - 1) rho). It is further from 0 than the mean of the correlations, unless rho is 1.

    Parameters
    ----------
    r : array_like, shape (k,)
        Correlations.
    group : array_like of int, shape (k,)
        The study of each correlation: 0 to s - 1, each of them at least once.
    correlation : array_like, shape (s,) or ()
        Correlation of any two of the measures that are summed, above -1/(m - 1).

    Returns
    -------
    ndarray, shape (s,)
        Beyond -1 or 1 where no measures could have these correlations.

    References
    ----------
    Hunter, J. E., & Schmidt, F. L. (2004). Methods of meta-analysis (2nd ed.).

    Examples
    --------
    >>> print(composite_correlation([0.29, 0.24], [0, 0], 0.5).round(3))
    [0.306]
    """
    group = np.asarray(group, dtype=np.intp)
    rho, size = np.asarray(correlation, dtype=float), np.bincount(group)
    return np.asarray(_sums(np.asarray(r, dtype=float), group) / np.sqrt(size * (1.0 + (size - 1.0) * rho)))


def equicorrelation(correlation: npt.ArrayLike, m: int) -> FloatArray:
    """Correlation matrices with one and the same number off the diagonal.

    Parameters
    ----------
    correlation : array_like, shape (...)
    m : int
        Number of effects.

    Returns
    -------
    ndarray, shape (..., m, m)

    Examples
    --------
    >>> print(equicorrelation(0.5, 2))
    [[1.  0.5]
     [0.5 1. ]]
    """
    return np.where(np.eye(m, dtype=bool), 1.0, np.asarray(correlation, dtype=float)[..., None, None])


def covariance_of_smds(
    g: npt.ArrayLike, variance: npt.ArrayLike, n1: npt.ArrayLike, n2: npt.ArrayLike, correlation: npt.ArrayLike
) -> FloatArray:
    """Covariance of standardized mean differences on several outcomes of the same two groups.

    rho_ij (1/n1 + 1/n2) + rho_ij**2 g_i g_j / (2 (n1 + n2)) off the diagonal, the given variances on it.

    Parameters
    ----------
    g, variance : array_like, shape (..., m)
        Standardized mean differences and their sampling variances.
    n1, n2 : array_like, shape (...)
        Group sizes.
    correlation : array_like, shape (..., m, m)
        Correlations of the outcomes within the groups.

    Returns
    -------
    ndarray, shape (..., m, m)

    References
    ----------
    Gleser, L. J., & Olkin, I. (2009). Stochastically dependent effect sizes. In Cooper, Hedges & Valentine (Eds.),
    Handbook of research synthesis and meta-analysis (2nd ed.), ch. 19: multiple-endpoint studies.

    Examples
    --------
    >>> print(covariance_of_smds([0.4, 0.8], [0.102, 0.108], 20, 20, equicorrelation(0.5, 2)))
    [[0.102 0.051]
     [0.051 0.108]]
    """
    g, rho = np.asarray(g, dtype=float), np.asarray(correlation, dtype=float)
    n1, n2 = (np.asarray(n, dtype=float)[..., None, None] for n in (n1, n2))
    products = g[..., :, None] * g[..., None, :]
    covariance = rho * (1.0 / n1 + 1.0 / n2) + rho**2 * products / (2.0 * (n1 + n2))
    return np.where(np.eye(g.shape[-1], dtype=bool), np.asarray(variance, dtype=float)[..., None], covariance)


def mean_from_covariance(effect: npt.ArrayLike, covariance: npt.ArrayLike) -> DependentMean:
    """Plain mean of effects with a known covariance matrix.

    Parameters
    ----------
    effect : array_like, shape (..., m)
    covariance : array_like, shape (..., m, m)

    Returns
    -------
    DependentMean
        Shape (...).

    References
    ----------
    Borenstein, M., Hedges, L. V., Higgins, J. P. T., & Rothstein, H. R. (2009). Introduction to meta-analysis,
    ch. 24.

    Examples
    --------
    >>> mean = mean_from_covariance([0.2, 0.4], [[0.04, 0.02], [0.02, 0.04]])
    >>> print(mean.estimate.round(3), mean.variance.round(3))
    0.3 0.03
    """
    y, covariance = np.asarray(effect, dtype=float), np.asarray(covariance, dtype=float)
    start = y[..., :1]
    mean = start[..., 0] + (y - start).mean(axis=-1)
    return DependentMean(np.asarray(mean), covariance.sum(axis=(-2, -1)) / y.shape[-1] ** 2)


def weighted_mean_from_covariance(effect: npt.ArrayLike, covariance: npt.ArrayLike) -> DependentMean:
    """Generalized least squares mean of effects with a known covariance matrix.

    Parameters
    ----------
    effect : array_like, shape (..., m)
    covariance : array_like, shape (..., m, m)
        Positive definite.

    Returns
    -------
    DependentMean
        Shape (...).

    Raises
    ------
    numpy.linalg.LinAlgError
        If a matrix has no inverse.

    References
    ----------
    Hedges, L. V., & Olkin, I. (1985). Statistical methods for meta-analysis, ch. 10. The same as metafor's
    ``aggregate(x, cluster=, V=)``.

    Examples
    --------
    >>> mean = weighted_mean_from_covariance([0.2, 0.5], [[0.01, 0.005], [0.005, 0.04]])
    >>> print(mean.estimate.round(4), mean.variance.round(4))
    0.2375 0.0094
    """
    y, covariance = np.asarray(effect, dtype=float), np.asarray(covariance, dtype=float)
    start = y[..., :1]
    deviation = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))  # solved as correlations: no lost digits
    correlations = covariance / (deviation[..., :, None] * deviation[..., None, :])
    asked = np.stack([1.0 / deviation, (y - start) / deviation], axis=-1)
    solved = np.linalg.solve(correlations, asked)
    products = np.swapaxes(asked[..., :1], -2, -1) @ solved
    total, moved = products[..., 0, 0], products[..., 0, 1]
    return DependentMean(start[..., 0] + moved / total, 1.0 / total)


def composite_from_matrix(r: npt.ArrayLike, correlation: npt.ArrayLike) -> FloatArray:
    """Correlation of something with the sum of standardized measures whose correlations are known.

    sum(r) divided by the root of the sum of all entries of the correlation matrix.

    Parameters
    ----------
    r : array_like, shape (..., m)
        Correlations.
    correlation : array_like, shape (..., m, m)
        Correlations of the measures that are summed.

    Returns
    -------
    ndarray, shape (...)

    References
    ----------
    Hunter, J. E., & Schmidt, F. L. (2004). Methods of meta-analysis (2nd ed.).

    Examples
    --------
    >>> print(composite_from_matrix([0.29, 0.24], [[1.0, 0.5], [0.5, 1.0]]).round(3))
    0.306
    """
    total = np.asarray(correlation, dtype=float).sum(axis=(-2, -1))
    return np.asarray(np.asarray(r, dtype=float).sum(axis=-1) / np.sqrt(total))
