"""Differences of two groups' means, each with its sampling variance."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from alliance_meta.stats import conversions
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.effect_measures._common import Estimates, floats, mean_over_rows, pooled_sd, quiet

__all__ = [
    "d_as_log_odds_ratio",
    "d_as_log_odds_ratio_cox",
    "glass_delta",
    "glass_delta_unequal_variances",
    "log_ratio_of_means",
    "mean_difference",
    "standardized_difference",
    "standardized_difference_unequal_variances",
]


@quiet
def mean_difference(
    mean1: npt.ArrayLike,
    mean2: npt.ArrayLike,
    sd1: npt.ArrayLike,
    sd2: npt.ArrayLike,
    n1: npt.ArrayLike,
    n2: npt.ArrayLike,
    *,
    variance_type: str = "LS",
) -> Estimates:
    """Difference of two means (MD).

    Parameters
    ----------
    mean1, mean2, sd1, sd2 : array_like, shape (k,)
        Means and standard deviations.
    n1, n2 : array_like, shape (k,)
        Group sizes.
    variance_type : {"LS", "UB", "HO"}
        Each group with its own standard deviation ("LS", and "UB"), or both with the pooled one ("HO").

    Returns
    -------
    effect, variance : ndarray

    References
    ----------
    Borenstein, M. (2009). In Cooper, Hedges & Valentine (Eds.), Handbook of research synthesis, ch. 12.

    Examples
    --------
    >>> effect, variance = mean_difference(10, 8, 3, 4, 20, 40)
    >>> print(effect, variance.round(2))
    2.0 0.85
    """
    mean1, mean2, sd1, sd2, n1, n2 = floats(mean1, mean2, sd1, sd2, n1, n2)
    if variance_type == "HO":
        return mean1 - mean2, pooled_sd(sd1, sd2, n1, n2) ** 2 * (1.0 / n1 + 1.0 / n2)
    return mean1 - mean2, sd1**2 / n1 + sd2**2 / n2


@quiet
def standardized_difference(
    g: npt.ArrayLike,
    n1: npt.ArrayLike,
    n2: npt.ArrayLike,
    known: npt.ArrayLike = math.nan,
    *,
    variance_type: str = "LS",
) -> Estimates:
    """Hedges' g (SMD), corrected for small-sample bias already.

    Parameters
    ----------
    g : array_like, shape (k,)
    n1, n2 : array_like, shape (k,)
        Group sizes.
    known : array_like, shape (k,)
        Variances to take where they are not NaN: of effects that were not made from means.
    variance_type : {"LS", "LS2", "UB", "AV"}
        1/n1 + 1/n2 + g**2 / (2 n), n = n1 + n2; J**2 times the same with d = g / J for g; the unbiased one; or as "LS"
        with the mean of g, weighted by n.

    Returns
    -------
    effect, variance : ndarray

    References
    ----------
    Hedges, L. V. (1982). Psychological Bulletin, 92, 490-499, eq. 8 (LS). Borenstein, M. (2009). In Cooper, Hedges &
    Valentine (Eds.), Handbook of research synthesis, eqs. 12.17 and 12.24 (LS2). Hedges, L. V. (1983). Psychological
    Bulletin, 93, 388-395, eq. 9 (UB).

    Examples
    --------
    >>> print(standardized_difference(0.5, 20, 30)[1].round(4))
    0.0858
    """
    g, n1, n2, known = floats(g, n1, n2, known)
    variance = _variance_of_g(g, n1, n2, n1 + n2 - 2.0, n1 + n2, variance_type)
    return g, np.where(np.isnan(known), variance, known)


def _variance_of_g(
    g: FloatArray, n1: FloatArray, n2: FloatArray, df: FloatArray, size: FloatArray, variance_type: str
) -> FloatArray:
    base = 1.0 / n1 + 1.0 / n2
    if variance_type == "LS2":
        return conversions.small_sample_factor(df) ** 2 * base + g**2 / (2.0 * size)
    if variance_type == "UB":
        return base + (1.0 - (df - 2.0) / (df * conversions.small_sample_factor(df) ** 2)) * g**2
    centre = mean_over_rows(g, n1 + n2) if variance_type == "AV" else g
    return np.where(np.isnan(g), np.nan, base + centre**2 / (2.0 * size))


@quiet
def standardized_difference_unequal_variances(
    mean1: npt.ArrayLike,
    mean2: npt.ArrayLike,
    sd1: npt.ArrayLike,
    sd2: npt.ArrayLike,
    n1: npt.ArrayLike,
    n2: npt.ArrayLike,
    *,
    variance_type: str = "LS",
) -> Estimates:
    """Difference standardized by sqrt((sd1**2 + sd2**2) / 2) (SMDH), corrected for bias.

    Parameters
    ----------
    mean1, mean2, sd1, sd2 : array_like, shape (k,)
        Means and standard deviations.
    n1, n2 : array_like, shape (k,)
        Group sizes.
    variance_type : {"LS", "LS2"}
        J**2 times Bonett's variance; or (sd1**2/n1 + sd2**2/n2)(1/s**2 + g**2 / (8 s**4)) as in metafor 3.8-1, which
        depends on the unit of measurement.

    Returns
    -------
    effect, variance : ndarray

    References
    ----------
    Bonett, D. G. (2008). Confidence intervals for standardized linear contrasts of means. Psychological Methods, 13,
    99-109, eq. 5.

    Examples
    --------
    >>> print(standardized_difference_unequal_variances(10, 8, 3, 4, 20, 30)[0].round(4))
    0.5568
    """
    mean1, mean2, sd1, sd2, n1, n2 = floats(mean1, mean2, sd1, sd2, n1, n2)
    square = (sd1**2 + sd2**2) / 2.0
    factor = conversions.small_sample_factor(n1 + n2 - 2.0)
    g = factor * (mean1 - mean2) / np.sqrt(square)
    if variance_type == "LS2":
        return g, (sd1**2 / n1 + sd2**2 / n2) * (1.0 / square + g**2 / (8.0 * square**2))
    shape = (sd1**4 / (n1 - 1.0) + sd2**4 / (n2 - 1.0)) / (8.0 * square**2)
    return g, factor**2 * (g**2 * shape + (sd1**2 / (n1 - 1.0) + sd2**2 / (n2 - 1.0)) / square)


@quiet
def glass_delta(
    mean1: npt.ArrayLike,
    mean2: npt.ArrayLike,
    sd2: npt.ArrayLike,
    n1: npt.ArrayLike,
    n2: npt.ArrayLike,
    *,
    variance_type: str = "LS",
) -> Estimates:
    """Difference in standard deviations of the second group (SMD1), corrected for bias.

    Parameters
    ----------
    mean1, mean2, sd2 : array_like, shape (k,)
        Means, and the standard deviation of the second group.
    n1, n2 : array_like, shape (k,)
        Group sizes.
    variance_type : {"LS", "LS2", "UB", "AV"}
        As for `standardized_difference`, with n2 - 1 degrees of freedom and 2 n2 in place of 2 n.

    Returns
    -------
    effect, variance : ndarray

    References
    ----------
    Hedges, L. V. (1981). Distribution theory for Glass's estimator of effect size and related estimators. Journal of
    Educational Statistics, 6, 107-128.

    Examples
    --------
    >>> print(glass_delta(10, 8, 4, 20, 30)[0].round(4))
    0.4869
    """
    mean1, mean2, sd2, n1, n2 = floats(mean1, mean2, sd2, n1, n2)
    g = conversions.small_sample_factor(n2 - 1.0) * (mean1 - mean2) / sd2
    return g, _variance_of_g(g, n1, n2, n2 - 1.0, n2, variance_type)


@quiet
def glass_delta_unequal_variances(
    mean1: npt.ArrayLike,
    mean2: npt.ArrayLike,
    sd1: npt.ArrayLike,
    sd2: npt.ArrayLike,
    n1: npt.ArrayLike,
    n2: npt.ArrayLike,
) -> Estimates:
    """Glass's delta without equal variances (SMD1H): sd1**2 / (sd2**2 n1) + 1/n2 + g**2 / (2 n2).

    Parameters
    ----------
    mean1, mean2, sd1, sd2 : array_like, shape (k,)
        Means and standard deviations.
    n1, n2 : array_like, shape (k,)
        Group sizes.

    Returns
    -------
    effect, variance : ndarray

    References
    ----------
    Bonett, D. G. (2008). Psychological Methods, 13, 99-109, eq. 13.

    Examples
    --------
    >>> print(glass_delta_unequal_variances(10, 8, 3, 4, 20, 30)[1].round(4))
    0.0654
    """
    mean1, mean2, sd1, sd2, n1, n2 = floats(mean1, mean2, sd1, sd2, n1, n2)
    g = conversions.small_sample_factor(n2 - 1.0) * (mean1 - mean2) / sd2
    return g, (sd1 / sd2) ** 2 / n1 + 1.0 / n2 + g**2 / (2.0 * n2)


@quiet
def log_ratio_of_means(
    mean1: npt.ArrayLike,
    mean2: npt.ArrayLike,
    sd1: npt.ArrayLike,
    sd2: npt.ArrayLike,
    n1: npt.ArrayLike,
    n2: npt.ArrayLike,
    *,
    variance_type: str = "LS",
) -> Estimates:
    """Log ratio of two means of one sign (ROM).

    Parameters
    ----------
    mean1, mean2, sd1, sd2 : array_like, shape (k,)
        Means and standard deviations.
    n1, n2 : array_like, shape (k,)
        Group sizes.
    variance_type : {"LS", "HO", "AV", "AVHO"}
        cv1**2/n1 + cv2**2/n2, cv = sd / mean; with the pooled standard deviation; with each group's mean cv over the
        rows; with the mean cv of both groups.

    Returns
    -------
    effect, variance : ndarray

    References
    ----------
    Hedges, L. V., Gurevitch, J., & Curtis, P. S. (1999). The meta-analysis of response ratios in experimental ecology.
    Ecology, 80, 1150-1156, eq. 1.

    Examples
    --------
    >>> print(log_ratio_of_means(10, 8, 3, 4, 20, 30)[0].round(4))
    0.2231
    """
    mean1, mean2, sd1, sd2, n1, n2 = floats(mean1, mean2, sd1, sd2, n1, n2)
    if variance_type == "HO":
        sd1 = sd2 = pooled_sd(sd1, sd2, n1, n2)
    cv1, cv2 = sd1 / mean1, sd2 / mean2
    if variance_type == "AV":
        cv1, cv2 = mean_over_rows(cv1, n1), mean_over_rows(cv2, n2)
    if variance_type == "AVHO":
        cv1 = cv2 = mean_over_rows((n1 * cv1 + n2 * cv2) / (n1 + n2), n1 + n2)
    return np.log(mean1 / mean2), cv1**2 / n1 + cv2**2 / n2


@quiet
def d_as_log_odds_ratio(
    mean1: npt.ArrayLike,
    mean2: npt.ArrayLike,
    sd1: npt.ArrayLike,
    sd2: npt.ArrayLike,
    n1: npt.ArrayLike,
    n2: npt.ArrayLike,
) -> Estimates:
    """Log odds ratio of logistic variables that differ by Cohen's d, not corrected for bias (D2OR, D2ORL).

    Parameters
    ----------
    mean1, mean2, sd1, sd2 : array_like, shape (k,)
        Means and standard deviations.
    n1, n2 : array_like, shape (k,)
        Group sizes.

    Returns
    -------
    effect, variance : ndarray

    References
    ----------
    Hasselblad, V., & Hedges, L. V. (1995). Psychological Bulletin, 117, 167-178.

    Examples
    --------
    >>> print(d_as_log_odds_ratio(10, 8, 3, 4, 20, 30)[0].round(4))
    0.9974
    """
    mean1, mean2, sd1, sd2, n1, n2 = floats(mean1, mean2, sd1, sd2, n1, n2)
    d = (mean1 - mean2) / pooled_sd(sd1, sd2, n1, n2)
    scale = math.pi / math.sqrt(3.0)
    return d * scale, (1.0 / n1 + 1.0 / n2 + d**2 / (2.0 * (n1 + n2))) * scale**2


@quiet
def d_as_log_odds_ratio_cox(
    mean1: npt.ArrayLike,
    mean2: npt.ArrayLike,
    sd1: npt.ArrayLike,
    sd2: npt.ArrayLike,
    n1: npt.ArrayLike,
    n2: npt.ArrayLike,
) -> Estimates:
    """Log odds ratio of normal variables that differ by Cohen's d, not corrected for bias (D2ORN).

    Parameters
    ----------
    mean1, mean2, sd1, sd2 : array_like, shape (k,)
        Means and standard deviations.
    n1, n2 : array_like, shape (k,)
        Group sizes.

    Returns
    -------
    effect, variance : ndarray

    References
    ----------
    Cox, D. R., & Snell, E. J. (1989). Analysis of binary data (2nd ed.).

    Examples
    --------
    >>> print(d_as_log_odds_ratio_cox(10, 8, 3, 4, 20, 30)[0].round(4))
    0.9073
    """
    mean1, mean2, sd1, sd2, n1, n2 = floats(mean1, mean2, sd1, sd2, n1, n2)
    d = (mean1 - mean2) / pooled_sd(sd1, sd2, n1, n2)
    scale = 1.65
    return d * scale, (1.0 / n1 + 1.0 / n2 + d**2 / (2.0 * (n1 + n2))) * scale**2
