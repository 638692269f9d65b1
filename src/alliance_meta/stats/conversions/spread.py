"""Standard deviations and standard errors, from what articles print in their place."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.conversions._domain import floats, formula, within
from alliance_meta.stats.conversions.significance import p_to_t

__all__ = [
    "ci_to_sd",
    "ci_to_se",
    "difference_se_to_sd",
    "p_to_se",
    "pre_post_to_sd_change",
    "sd_change_to_r_pre_post",
    "se_to_sd",
]


@formula
def se_to_sd(std_error: npt.ArrayLike, n: npt.ArrayLike) -> FloatArray:
    """Standard deviation of a mean's standard error: std_error sqrt(n).

    Parameters
    ----------
    std_error : array_like
        Standard errors of means, 0 or above.
    n : array_like
        Sample sizes, above 0.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Higgins, J. P. T., et al. (Eds.). Cochrane handbook for systematic reviews of interventions, ch. 6.

    Examples
    --------
    >>> print(se_to_sd(1.2, 25).round(4))
    6.0
    """
    std_error, n = floats(std_error, n)
    return within((std_error >= 0.0) & (n > 0.0), std_error * np.sqrt(n))


@formula
def difference_se_to_sd(std_error: npt.ArrayLike, n1: npt.ArrayLike, n2: npt.ArrayLike) -> FloatArray:
    """Pooled standard deviation, of the standard error of a difference of two means: over sqrt(1 / n1 + 1 / n2).

    Parameters
    ----------
    std_error : array_like
        Standard errors of differences of means, 0 or above.
    n1, n2 : array_like
        Group sizes, above 0.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Higgins, J. P. T., et al. (Eds.). Cochrane handbook for systematic reviews of interventions, ch. 6.

    Examples
    --------
    >>> print(difference_se_to_sd(1.2, 20, 30).round(4))
    4.1569
    """
    std_error, n1, n2 = floats(std_error, n1, n2)
    return within((std_error >= 0.0) & (n1 > 0.0) & (n2 > 0.0), std_error / np.sqrt(1.0 / n1 + 1.0 / n2))


@formula
def ci_to_se(
    ci_low: npt.ArrayLike, ci_high: npt.ArrayLike, level: npt.ArrayLike = 0.95, df: npt.ArrayLike = np.inf
) -> FloatArray:
    """Standard error behind a confidence interval: its width over twice the critical value.

    The bounds must be on the scale on which the interval is symmetric: logarithms for ratios, Fisher's z for
    correlations.

    Parameters
    ----------
    ci_low, ci_high : array_like
        Bounds, ci_low not above ci_high.
    level : array_like
        Coverage in (0, 1).
    df : array_like
        Degrees of freedom of t, above 0; infinity takes the normal distribution.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Higgins, J. P. T., et al. (Eds.). Cochrane handbook for systematic reviews of interventions, ch. 6.

    Examples
    --------
    >>> print(ci_to_se(0.10, 0.42).round(4))
    0.0816
    """
    ci_low, ci_high, level, df = floats(ci_low, ci_high, level, df)
    half = (ci_high - ci_low) / 2.0
    return within((level > 0.0) & (level < 1.0) & (half >= 0.0), half / p_to_t(1.0 - level, df))


@formula
def ci_to_sd(
    ci_low: npt.ArrayLike, ci_high: npt.ArrayLike, n: npt.ArrayLike, level: npt.ArrayLike = 0.95
) -> FloatArray:
    """Standard deviation behind a mean's confidence interval, by t with n - 1 degrees of freedom.

    Parameters
    ----------
    ci_low, ci_high : array_like
        Bounds, ci_low not above ci_high.
    n : array_like
        Sample sizes, above 1.
    level : array_like
        Coverage in (0, 1).

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Higgins, J. P. T., et al. (Eds.). Cochrane handbook for systematic reviews of interventions, ch. 6.

    Examples
    --------
    >>> print(ci_to_sd(30.0, 34.2, 25).round(4))
    5.0875
    """
    ci_low, ci_high, n, level = floats(ci_low, ci_high, n, level)
    return se_to_sd(ci_to_se(ci_low, ci_high, level, n - 1.0), n)


@formula
def p_to_se(
    effect: npt.ArrayLike, p: npt.ArrayLike, df: npt.ArrayLike = np.inf, tails: npt.ArrayLike = 2
) -> FloatArray:
    """Standard error of an effect that has a given p value against 0: the effect's size over its t (or z).

    Parameters
    ----------
    effect : array_like
        Effects on the scale on which they were tested (logarithms for ratios).
    p : array_like
        Exact p values: two-tailed in (0, 1], one-tailed in (0, 1).
    df : array_like
        Degrees of freedom of t, above 0; infinity takes the normal distribution.
    tails : array_like
        1 or 2.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain and for an effect of 0, of which p says nothing but 1. An
        effect that is not 0 has an infinite standard error at a p of 1.

    References
    ----------
    Higgins, J. P. T., et al. (Eds.). Cochrane handbook for systematic reviews of interventions, ch. 6.

    Examples
    --------
    >>> print(p_to_se(0.26, 0.002).round(4))
    0.0841
    """
    effect, p, df, tails = floats(effect, p, df, tails)
    return within(effect != 0.0, np.abs(effect) / np.abs(p_to_t(p, df, tails)))


@formula
def pre_post_to_sd_change(sd_pre: npt.ArrayLike, sd_post: npt.ArrayLike, r_pre_post: npt.ArrayLike) -> FloatArray:
    """Standard deviation of change: sqrt(sd_pre**2 + sd_post**2 - 2 r sd_pre sd_post).

    Parameters
    ----------
    sd_pre, sd_post : array_like
        Standard deviations before and after, 0 or above.
    r_pre_post : array_like
        Correlations of the two measurements, in [-1, 1].

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Higgins, J. P. T., et al. (Eds.). Cochrane handbook for systematic reviews of interventions, ch. 6.

    Examples
    --------
    >>> print(pre_post_to_sd_change(7.5, 9.0, 0.6).round(4))
    7.5
    """
    sd_pre, sd_post, r_pre_post = floats(sd_pre, sd_post, r_pre_post)
    # As a sum of squares, it cannot fall below 0 by rounding.
    variance = (sd_pre - sd_post) ** 2 + 2.0 * (1.0 - r_pre_post) * sd_pre * sd_post
    return within((sd_pre >= 0.0) & (sd_post >= 0.0) & (np.abs(r_pre_post) <= 1.0), np.sqrt(variance))


@formula
def sd_change_to_r_pre_post(sd_pre: npt.ArrayLike, sd_post: npt.ArrayLike, sd_change: npt.ArrayLike) -> FloatArray:
    """Correlation of two measurements, from the standard deviation of their difference.

    (sd_pre**2 + sd_post**2 - sd_change**2) / (2 sd_pre sd_post).

    Parameters
    ----------
    sd_pre, sd_post : array_like
        Standard deviations before and after, above 0.
    sd_change : array_like
        Standard deviations of the changes, 0 or above.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain, and where the three would give a correlation beyond +-1.

    References
    ----------
    Higgins, J. P. T., et al. (Eds.). Cochrane handbook for systematic reviews of interventions, ch. 6.

    Examples
    --------
    >>> print(sd_change_to_r_pre_post(7.5, 9.0, 7.5).round(4))
    0.6
    """
    sd_pre, sd_post, sd_change = floats(sd_pre, sd_post, sd_change)
    r = (sd_pre**2 + sd_post**2 - sd_change**2) / (2.0 * sd_pre * sd_post)
    return within((sd_pre > 0.0) & (sd_post > 0.0) & (sd_change >= 0.0) & (np.abs(r) <= 1.0), r)
