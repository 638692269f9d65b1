"""Psychometric meta-analysis: mean correlations, and their variance without sampling error and artefacts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import FloatArray, batch
from alliance_meta.stats.attenuation import Correction, Restriction, corrected

__all__ = [
    "Decomposition",
    "Moments",
    "artefact_distribution",
    "artefact_moments",
    "bare_bones",
    "individual_corrections",
]


class Decomposition(NamedTuple):
    """The mean of correlations and where their variance comes from; each field has the batch shape.

    Attributes
    ----------
    mean : ndarray
        Mean correlation; corrected for the artefacts, where the method corrects for any.
    std_error : ndarray
        Of `mean`: the standard deviation of the correlations over sqrt(k), on the scale of `mean`.
    variance_observed, variance_sampling, variance_artefact, variance_residual : ndarray
        The first is the sum of the other three; the last can fall below 0. In squared units of the correlations
        that were averaged: the corrected ones for `individual_corrections`, else the observed ones.
    percent_accounted : ndarray
        100 (sampling + artefact) / observed; NaN where the correlations do not vary.
    sd_rho : ndarray
        Standard deviation of the population correlations, on the scale of `mean`; 0 where the residual is below 0.
    k : ndarray
        Number of correlations.
    """

    mean: FloatArray
    std_error: FloatArray
    variance_observed: FloatArray
    variance_sampling: FloatArray
    variance_artefact: FloatArray
    variance_residual: FloatArray
    percent_accounted: FloatArray
    sd_rho: FloatArray
    k: FloatArray


class Moments(NamedTuple):
    """Mean and variance (over k, not k - 1) of an artefact, and how many values tell them."""

    mean: FloatArray
    variance: FloatArray
    k: FloatArray


def bare_bones(
    r: npt.ArrayLike, n: npt.ArrayLike, include: npt.ArrayLike | None = None, *, each_n: bool = False
) -> Decomposition:
    """Mean of correlations weighted by n, and their variance with and without sampling error.

    Sampling error variance is (1 - mean**2)**2 / (mean n - 1), or, with `each_n`, the mean of
    (1 - mean**2)**2 / (n - 1) weighted by n.

    Parameters
    ----------
    r, n : array_like, shape (..., k)
        Correlations and sample sizes, above 1.
    include : array_like of 0 and 1, shape (..., k), optional
        Correlations that take part.
    each_n : bool
        Take each study's own n in the sampling error variance.

    Returns
    -------
    Decomposition
        With fewer than two correlations only `mean` and `variance_sampling` are numbers.

    References
    ----------
    Schmidt, F. L., & Hunter, J. E. (2015). Methods of meta-analysis (3rd ed.), ch. 3.

    Examples
    --------
    >>> found = bare_bones([0.1, 0.3, 0.5], [101, 101, 101])
    >>> print(f"{found.mean:.2f} {found.variance_observed:.5f} {found.variance_sampling:.5f}")
    0.30 0.02667 0.00828
    """
    y, size, used = batch(r, n, include)
    size = np.where(used == 0.0, 2.0, size)
    mean = _weighted_mean(y, used * size)
    error = _sampling_variance(mean, size, used, each_n=each_n)
    return _decomposition(y, used * size, used, _weighted_mean(error, used * size))


def individual_corrections(
    r: npt.ArrayLike,
    n: npt.ArrayLike,
    correction: Correction,
    include: npt.ArrayLike | None = None,
    *,
    each_n: bool = False,
) -> Decomposition:
    """Mean and variance of correlations that were corrected one by one, weighted by n factor**2.

    A corrected correlation's sampling variance is that of `bare_bones` times the square of the correction's slope.

    Parameters
    ----------
    r, n : array_like, shape (..., k)
        Observed correlations and sample sizes, above 1.
    correction : Correction
        From `corrected`, of the same shape.
    include : array_like of 0 and 1, shape (..., k), optional
    each_n : bool
        As in `bare_bones`.

    Returns
    -------
    Decomposition
        On the scale of the corrected correlations.

    References
    ----------
    Schmidt, F. L., & Hunter, J. E. (2015). Methods of meta-analysis (3rd ed.), ch. 3: corrections of correlations
    individually.

    Examples
    --------
    With one reliability for all, everything is the bare-bones result, divided by the factor:

    >>> r, n = [0.1, 0.3, 0.5], [101, 101, 101]
    >>> found = individual_corrections(r, n, corrected(r, reliability_x=0.64))
    >>> print(f"{found.mean:.3f} {found.variance_observed:.5f}")
    0.375 0.04167
    """
    y, size, used = batch(r, n, include)
    size = np.where(used == 0.0, 2.0, size)
    value, slope, _ = batch(correction.value, correction.slope, include)
    factor, _, _ = batch(correction.factor, 1.0, include)
    mean_r = _weighted_mean(y, used * size)
    weight = used * size * factor**2
    error = _sampling_variance(mean_r, size, used, each_n=each_n) * slope**2
    return _decomposition(value, weight, used, _weighted_mean(error, weight))


def _sampling_variance(mean_r: FloatArray, size: FloatArray, used: FloatArray, *, each_n: bool) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        shared = ((used * size).sum(axis=-1) / used.sum(axis=-1))[..., None]
        typical = np.where(used == 0.0, 0.0, (1.0 - mean_r[..., None] ** 2) ** 2)
        return np.asarray(typical / ((size if each_n else shared) - 1.0))


def _weighted_mean(values: FloatArray, weight: FloatArray) -> FloatArray:
    total = weight.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):  # an empty fit is NaN, not an error
        first = (weight * values).sum(axis=-1) / total
        # A second pass leaves no rounding error that could pass for spread between identical correlations.
        return np.asarray(first + (weight * (values - first[..., None])).sum(axis=-1) / total)


def _decomposition(values: FloatArray, weight: FloatArray, used: FloatArray, sampling: FloatArray) -> Decomposition:
    mean = _weighted_mean(values, weight)
    k = used.sum(axis=-1)
    observed = np.where(k > 1.0, _weighted_mean((values - mean[..., None]) ** 2, weight), np.nan)
    return _finished(mean, observed, sampling, np.zeros_like(mean), np.ones_like(mean), k)


def _finished(
    mean: FloatArray, observed: FloatArray, sampling: FloatArray, artefact: FloatArray, slope: FloatArray, k: FloatArray
) -> Decomposition:
    """Fill the record; `slope` takes a deviation of the averaged correlations to the scale of the mean."""
    residual = observed - sampling - artefact
    with np.errstate(invalid="ignore", divide="ignore"):
        percent = np.where(observed > 0.0, 100.0 * (sampling + artefact) / observed, np.nan)
        std_error = slope * np.sqrt(observed / k)
    return Decomposition(
        mean=mean,
        std_error=std_error,
        variance_observed=observed,
        variance_sampling=sampling,
        variance_artefact=np.where(np.isnan(observed), np.nan, artefact),
        variance_residual=residual,
        percent_accounted=percent,
        sd_rho=slope * np.sqrt(np.maximum(residual, 0.0)),
        k=k,
    )


def artefact_moments(values: npt.ArrayLike, include: npt.ArrayLike | None = None) -> Moments:
    """Mean and variance of an artefact over the studies that report it, each counted once.

    Parameters
    ----------
    values : array_like, shape (..., k)
        NaN where a study does not report it.
    include : array_like of 0 and 1, shape (..., k), optional

    Returns
    -------
    Moments
        NaN where no study reports it.

    Examples
    --------
    >>> found = artefact_moments([0.8, float("nan"), 0.9])
    >>> print(f"{found.mean:.2f} {found.variance:.4f} {found.k:.0f}")
    0.85 0.0025 2
    """
    array = np.asarray(values, dtype=float)
    known = np.where(np.isnan(array), 0.0, 1.0 if include is None else np.asarray(include, dtype=float))
    array = np.where(known == 0.0, 0.0, array)
    mean = _weighted_mean(array, known)
    return Moments(mean, _weighted_mean((array - mean[..., None]) ** 2, known), known.sum(axis=-1))


def artefact_distribution(
    bare: Decomposition, q_x: Moments, q_y: Moments, u: Moments, *, restriction: Restriction = "none"
) -> Decomposition:
    """Correct a bare-bones result for the distributions of the artefacts, without knowing each study's own.

    The mean is corrected at the mean artefacts. How much differences in artefacts add to the variance, and what a
    unit of rho is worth in units of r, come from the first-order Taylor series of the observed correlation there.
    Without restriction that is the multiplicative model: the compound factor A is the product of the mean artefacts,
    and the variance they add is mean**2 A**2 times the sum of their squared coefficients of variation.

    Parameters
    ----------
    bare : Decomposition
        From `bare_bones`.
    q_x : Moments
        Of the square root of the reliability of x in the unrestricted population.
    q_y : Moments
        Of the square root of the reliability of y in the sample.
    u : Moments
        Of the standard deviation of x in the sample over that in the population.
    restriction : {"none", "direct", "indirect"}

    Returns
    -------
    Decomposition
        `mean`, `std_error` and `sd_rho` corrected, the variances those of the observed correlations.

    References
    ----------
    Raju, N. S., & Burke, M. J. (1983). Journal of Applied Psychology, 68, 382-395 (procedure TSA 2).
    Schmidt, F. L., & Hunter, J. E. (2015). Methods of meta-analysis (3rd ed.), ch. 4.

    Examples
    --------
    >>> bare = bare_bones([0.1, 0.3, 0.5], [101, 101, 101])
    >>> always = artefact_moments([1.0])
    >>> found = artefact_distribution(bare, artefact_moments([0.7, 0.9]), always, always)
    >>> print(f"{found.mean:.3f} {found.variance_artefact:.5f}")
    0.375 0.00141
    """
    found = corrected(
        bare.mean, reliability_x=q_x.mean**2, reliability_y=q_y.mean**2, u=u.mean, restriction=restriction
    )
    by_x, by_y, by_u = _sensitivities(found, q_x.mean, q_y.mean, u.mean, restriction)
    artefact = by_x**2 * q_x.variance + by_y**2 * q_y.variance + by_u**2 * u.variance
    return _finished(found.value, bare.variance_observed, bare.variance_sampling, artefact, found.slope, bare.k)


def _sensitivities(
    found: Correction, q_x: FloatArray, q_y: FloatArray, u: FloatArray, restriction: Restriction
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Derivatives of the observed correlation by the roots of the reliabilities and by u, at a corrected one.

    Direct:   r = q_y u h / sqrt(1 + (u**2 - 1) h**2), where h = q_x rho.
    Indirect: r = q_y rho t / (u sqrt(e)), where t = u**2 - 1 + q_x**2 and e = q_x**2 + (u**2 - 1) rho**2.
    """
    rho = found.value
    r = rho * found.factor
    if restriction == "direct":
        spread = 1.0 + (u**2 - 1.0) * (q_x * rho) ** 2
        return r / (q_x * spread), r / q_y, r * (1.0 - (q_x * rho) ** 2) / (u * spread)
    if restriction == "indirect":
        t, e = u**2 - 1.0 + q_x**2, q_x**2 + (u**2 - 1.0) * rho**2
        return r * q_x * (2.0 / t - 1.0 / e), r / q_y, r * (2.0 * u / t - 1.0 / u - u * rho**2 / e)
    return r / q_x, r / q_y, np.zeros_like(rho)
