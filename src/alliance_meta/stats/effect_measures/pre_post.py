"""Changes from before to after treatment, each with its sampling variance. Positive where the mean rises."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from alliance_meta.stats import conversions
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.effect_measures._common import Estimates, floats, pooled_sd, quiet

__all__ = [
    "difference_of_changes",
    "log_ratio_of_change",
    "mean_change",
    "standardized_change",
    "standardized_change_raw",
    "standardized_change_raw_unequal_variances",
]


def _variance_of_changes(sd_pre: FloatArray, sd_post: FloatArray, r: FloatArray) -> FloatArray:
    return sd_pre**2 + sd_post**2 - 2.0 * r * sd_pre * sd_post


def _variance_of_g(g: FloatArray, first: FloatArray, n: FloatArray, factor: FloatArray, kind: str) -> FloatArray:
    if kind == "LS2":
        return factor**2 * first / n + g**2 / (2.0 * n)
    return first / n + g**2 / (2.0 * n)


@quiet
def mean_change(
    mean_pre: npt.ArrayLike,
    mean_post: npt.ArrayLike,
    sd_pre: npt.ArrayLike,
    sd_post: npt.ArrayLike,
    r_pre_post: npt.ArrayLike,
    n: npt.ArrayLike,
) -> Estimates:
    """Mean change (MC), variance that of the changes over n.

    Parameters
    ----------
    mean_pre, mean_post, sd_pre, sd_post : array_like
        Means and standard deviations.
    r_pre_post : array_like
        Correlations of the two measurements.
    n : array_like
        Sample sizes.

    Returns
    -------
    effect, variance : ndarray

    References
    ----------
    Viechtbauer, W. (2010). Conducting meta-analyses in R with the metafor package. Journal of Statistical Software,
    36(3).

    Examples
    --------
    >>> effect, variance = mean_change(10, 8, 3, 4, 0.5, 26)
    >>> print(effect, variance)
    -2.0 0.5
    """
    mean_pre, mean_post, sd_pre, sd_post, r, n = floats(mean_pre, mean_post, sd_pre, sd_post, r_pre_post, n)
    return mean_post - mean_pre, _variance_of_changes(sd_pre, sd_post, r) / n


@quiet
def standardized_change(
    mean_pre: npt.ArrayLike,
    mean_post: npt.ArrayLike,
    sd_pre: npt.ArrayLike,
    sd_post: npt.ArrayLike,
    r_pre_post: npt.ArrayLike,
    n: npt.ArrayLike,
    *,
    variance_type: str = "LS",
) -> Estimates:
    """Mean change in standard deviations of the changes (SMCC), corrected for bias.

    Parameters
    ----------
    mean_pre, mean_post, sd_pre, sd_post : array_like
        Means and standard deviations.
    r_pre_post : array_like
        Correlations of the two measurements.
    n : array_like
        Sample sizes.
    variance_type : {"LS", "LS2"}
        1/n + g**2 / (2 n), or J**2 times the same with g / J for g.

    Returns
    -------
    effect, variance : ndarray

    References
    ----------
    Gibbons, R. D., Hedeker, D. R., & Davis, J. M. (1993). Estimation of effect size from a series of experiments
    involving paired comparisons. Journal of Educational Statistics, 18, 271-279.

    Examples
    --------
    >>> print(standardized_change(10, 8, 3, 4, 0.5, 26)[0].round(4))
    -0.5379
    """
    mean_pre, mean_post, sd_pre, sd_post, r, n = floats(mean_pre, mean_post, sd_pre, sd_post, r_pre_post, n)
    factor = conversions.small_sample_factor(n - 1.0)
    g = factor * (mean_post - mean_pre) / np.sqrt(_variance_of_changes(sd_pre, sd_post, r))
    return g, _variance_of_g(g, np.ones_like(g), n, factor, variance_type)


@quiet
def standardized_change_raw(
    mean_pre: npt.ArrayLike,
    mean_post: npt.ArrayLike,
    sd_pre: npt.ArrayLike,
    r_pre_post: npt.ArrayLike,
    n: npt.ArrayLike,
    *,
    variance_type: str = "LS",
) -> Estimates:
    """Mean change in standard deviations before treatment (SMCR), corrected for bias.

    Parameters
    ----------
    mean_pre, mean_post, sd_pre : array_like
        Means, and the standard deviation before treatment.
    r_pre_post : array_like
        Correlations of the two measurements.
    n : array_like
        Sample sizes.
    variance_type : {"LS", "LS2"}
        2 (1 - r) / n + g**2 / (2 n), or J**2 times the same with g / J for g.

    Returns
    -------
    effect, variance : ndarray

    References
    ----------
    Becker, B. J. (1988). Synthesizing standardized mean-change measures. British Journal of Mathematical and
    Statistical Psychology, 41, 257-278, eq. 13.

    Examples
    --------
    >>> print(standardized_change_raw(10, 8, 3, 0.5, 26)[0].round(4))
    -0.6464
    """
    mean_pre, mean_post, sd_pre, r, n = floats(mean_pre, mean_post, sd_pre, r_pre_post, n)
    factor = conversions.small_sample_factor(n - 1.0)
    g = factor * (mean_post - mean_pre) / sd_pre
    return g, _variance_of_g(g, 2.0 * (1.0 - r), n, factor, variance_type)


@quiet
def standardized_change_raw_unequal_variances(
    mean_pre: npt.ArrayLike,
    mean_post: npt.ArrayLike,
    sd_pre: npt.ArrayLike,
    sd_post: npt.ArrayLike,
    r_pre_post: npt.ArrayLike,
    n: npt.ArrayLike,
) -> Estimates:
    """Mean change in standard deviations before treatment, without equal variances (SMCRH).

    Parameters
    ----------
    mean_pre, mean_post, sd_pre, sd_post : array_like
        Means and standard deviations.
    r_pre_post : array_like
        Correlations of the two measurements.
    n : array_like
        Sample sizes.

    Returns
    -------
    effect, variance : ndarray

    References
    ----------
    Bonett, D. G. (2008). Psychological Methods, 13, 99-109, eq. 17.

    Examples
    --------
    >>> print(standardized_change_raw_unequal_variances(10, 8, 3, 4, 0.5, 26)[1].round(4))
    0.0622
    """
    mean_pre, mean_post, sd_pre, sd_post, r, n = floats(mean_pre, mean_post, sd_pre, sd_post, r_pre_post, n)
    factor = conversions.small_sample_factor(n - 1.0)
    g = factor * (mean_post - mean_pre) / sd_pre
    changes = _variance_of_changes(sd_pre, sd_post, r) / sd_pre**2
    return g, factor**2 * (changes + g**2 / 2.0) / (n - 1.0)


@quiet
def log_ratio_of_change(
    mean_pre: npt.ArrayLike,
    mean_post: npt.ArrayLike,
    sd_pre: npt.ArrayLike,
    sd_post: npt.ArrayLike,
    r_pre_post: npt.ArrayLike,
    n: npt.ArrayLike,
) -> Estimates:
    """Log ratio of the means after and before treatment (ROMC), of one sign.

    Parameters
    ----------
    mean_pre, mean_post, sd_pre, sd_post : array_like
        Means and standard deviations.
    r_pre_post : array_like
        Correlations of the two measurements.
    n : array_like
        Sample sizes.

    Returns
    -------
    effect, variance : ndarray

    References
    ----------
    Lajeunesse, M. J. (2011). On the meta-analysis of response ratios for studies with correlated and multi-group
    designs. Ecology, 92, 2049-2055, eq. 4.

    Examples
    --------
    >>> print(log_ratio_of_change(10, 8, 3, 4, 0.5, 26)[0].round(4))
    -0.2231
    """
    mean_pre, mean_post, sd_pre, sd_post, r, n = floats(mean_pre, mean_post, sd_pre, sd_post, r_pre_post, n)
    cv_pre, cv_post = sd_pre / mean_pre, sd_post / mean_post
    return np.log(mean_post / mean_pre), _variance_of_changes(cv_pre, cv_post, r) / n


@quiet
def difference_of_changes(
    mean_pre1: npt.ArrayLike,
    mean_post1: npt.ArrayLike,
    sd_pre1: npt.ArrayLike,
    r_pre_post1: npt.ArrayLike,
    n1: npt.ArrayLike,
    mean_pre2: npt.ArrayLike,
    mean_post2: npt.ArrayLike,
    sd_pre2: npt.ArrayLike,
    r_pre_post2: npt.ArrayLike,
    n2: npt.ArrayLike,
) -> Estimates:
    """Difference of two groups' changes in pooled standard deviations before treatment (PPC, Morris's d_ppc2).

    Parameters
    ----------
    mean_pre1, mean_post1, sd_pre1, mean_pre2, mean_post2, sd_pre2 : array_like
        Means, and standard deviations before treatment, of the first (treated) and the second group.
    r_pre_post1, r_pre_post2 : array_like
        Correlations of the two measurements; the variance takes their mean, weighted by degrees of freedom.
    n1, n2 : array_like
        Group sizes, above 4 together.

    Returns
    -------
    effect, variance : ndarray
        Corrected for bias by the exact factor, as the numbers that Morris prints are.

    References
    ----------
    Morris, S. B. (2008). Estimating effect sizes from pretest-posttest-control group designs. Organizational Research
    Methods, 11, 364-386, eqs. 8-10 and 25.

    Examples
    --------
    >>> print(difference_of_changes(30.6, 38.5, 15.0, 0.47, 20, 23.1, 19.7, 13.8, 0.47, 20)[0].round(4))
    0.7684
    """
    pre1, post1, sd1, r1, n1 = floats(mean_pre1, mean_post1, sd_pre1, r_pre_post1, n1)
    pre2, post2, sd2, r2, n2 = floats(mean_pre2, mean_post2, sd_pre2, r_pre_post2, n2)
    df = n1 + n2 - 2.0
    factor = conversions.small_sample_factor(df)
    effect = factor * ((post1 - pre1) - (post2 - pre2)) / pooled_sd(sd1, sd2, n1, n2)
    r = ((n1 - 1.0) * r1 + (n2 - 1.0) * r2) / df
    base = 2.0 * (1.0 - r) * (1.0 / n1 + 1.0 / n2)
    inflation = np.where(df > 2.0, df / (df - 2.0), np.nan)
    return effect, factor**2 * inflation * (base + effect**2) - effect**2
