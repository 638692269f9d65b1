"""Covariates and repeated measurements: to standardized mean differences in raw standard deviations.

Positive is in favour of the first group, or, for changes, an increase. All results are without small-sample
correction; `d_to_g` makes it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.conversions._domain import floats, formula, within
from alliance_meta.stats.conversions.groups import f_to_d, t_to_d

__all__ = [
    "adjusted_means_to_d",
    "ancova_f_to_d",
    "ancova_t_to_d",
    "change_to_d",
    "paired_t_to_d",
    "pre_post_to_d",
]


def _unadjusted_share(r_covariate: FloatArray) -> FloatArray:
    """What is left of the standard deviation when a covariate is taken out: sqrt(1 - r**2)."""
    return within(np.abs(r_covariate) < 1.0, np.sqrt((1.0 - r_covariate) * (1.0 + r_covariate)))


@formula
def adjusted_means_to_d(
    mean1: npt.ArrayLike, mean2: npt.ArrayLike, sd_adjusted: npt.ArrayLike, r_covariate: npt.ArrayLike
) -> FloatArray:
    """Difference of covariate-adjusted means in unadjusted standard deviations: (mean1 - mean2) sqrt(1 - r**2) / sd.

    Parameters
    ----------
    mean1, mean2 : array_like
        Means adjusted for the covariate.
    sd_adjusted : array_like
        Standard deviation left by the covariate, above 0: the root of the analysis of covariance's error mean
        square. With an unadjusted standard deviation, r_covariate is 0.
    r_covariate : array_like
        (Multiple) correlation of covariate and outcome within the groups, in (-1, 1).

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Borenstein, M. (2009). Effect sizes for continuous data. In H. Cooper, L. V. Hedges, & J. C. Valentine (Eds.),
    The handbook of research synthesis and meta-analysis (2nd ed.), 221-235.

    Examples
    --------
    >>> print(adjusted_means_to_d(103, 100, 5.5, 0.7).round(4))
    0.3895
    """
    mean1, mean2, sd_adjusted, r_covariate = floats(mean1, mean2, sd_adjusted, r_covariate)
    return within(sd_adjusted > 0.0, (mean1 - mean2) / sd_adjusted * _unadjusted_share(r_covariate))


@formula
def ancova_t_to_d(t: npt.ArrayLike, n1: npt.ArrayLike, n2: npt.ArrayLike, r_covariate: npt.ArrayLike) -> FloatArray:
    """Difference in unadjusted standard deviations, from the t of an analysis of covariance's group effect.

    t sqrt(1 / n1 + 1 / n2) sqrt(1 - r**2). It holds where the groups have about the same covariate means.

    Parameters
    ----------
    t : array_like
        t statistics of the adjusted difference.
    n1, n2 : array_like
        Group sizes, above 0.
    r_covariate : array_like
        (Multiple) correlation of covariate and outcome within the groups, in (-1, 1).

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Borenstein, M. (2009). Effect sizes for continuous data. In H. Cooper, L. V. Hedges, & J. C. Valentine (Eds.),
    The handbook of research synthesis and meta-analysis (2nd ed.), 221-235.

    Examples
    --------
    >>> print(ancova_t_to_d(2.0, 20, 30, 0.5).round(4))
    0.5
    """
    t, n1, n2, r_covariate = floats(t, n1, n2, r_covariate)
    return np.asarray(t_to_d(t, n1, n2) * _unadjusted_share(r_covariate))


@formula
def ancova_f_to_d(
    f: npt.ArrayLike,
    n1: npt.ArrayLike,
    n2: npt.ArrayLike,
    r_covariate: npt.ArrayLike,
    sign: npt.ArrayLike = 1.0,
) -> FloatArray:
    """Difference in unadjusted standard deviations, from the F of an analysis of covariance's group effect.

    Parameters
    ----------
    f : array_like
        F statistics with one numerator degree of freedom, 0 or above.
    n1, n2 : array_like
        Group sizes, above 0.
    r_covariate : array_like
        (Multiple) correlation of covariate and outcome within the groups, in (-1, 1).
    sign : array_like
        1 or -1, which F has lost.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Borenstein, M. (2009). Effect sizes for continuous data. In H. Cooper, L. V. Hedges, & J. C. Valentine (Eds.),
    The handbook of research synthesis and meta-analysis (2nd ed.), 221-235.

    Examples
    --------
    >>> print(ancova_f_to_d(4.0, 20, 30, 0.5, sign=-1).round(4))
    -0.5
    """
    f, n1, n2, r_covariate, sign = floats(f, n1, n2, r_covariate, sign)
    return np.asarray(f_to_d(f, n1, n2, sign) * _unadjusted_share(r_covariate))


def _change_share(r_pre_post: FloatArray) -> FloatArray:
    """SD of change over the SD of a measurement, both measurements having the same: sqrt(2 (1 - r))."""
    return within((r_pre_post >= -1.0) & (r_pre_post < 1.0), np.sqrt(2.0 * (1.0 - r_pre_post)))


@formula
def change_to_d(mean_change: npt.ArrayLike, sd_change: npt.ArrayLike, r_pre_post: npt.ArrayLike) -> FloatArray:
    """Mean change in standard deviations of a measurement: mean / sd of change, times sqrt(2 (1 - r)).

    Parameters
    ----------
    mean_change : array_like
        Mean changes (after minus before).
    sd_change : array_like
        Standard deviations of the changes, above 0.
    r_pre_post : array_like
        Correlations of the two measurements, in [-1, 1). 0.5 leaves the change in its own standard deviations.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Borenstein, M., Hedges, L. V., Higgins, J. P. T., & Rothstein, H. R. (2009). Introduction to meta-analysis,
    chapter 4.

    Examples
    --------
    >>> print(change_to_d(3.0, 5.5, 0.7).round(4))
    0.4225
    """
    mean_change, sd_change, r_pre_post = floats(mean_change, sd_change, r_pre_post)
    return within(sd_change > 0.0, mean_change / sd_change * _change_share(r_pre_post))


@formula
def paired_t_to_d(t: npt.ArrayLike, n: npt.ArrayLike, r_pre_post: npt.ArrayLike) -> FloatArray:
    """Mean change in standard deviations of a measurement, from a paired t test: t sqrt(2 (1 - r) / n).

    Parameters
    ----------
    t : array_like
        Paired t statistics, positive for an increase.
    n : array_like
        Pairs, above 0.
    r_pre_post : array_like
        Correlations of the two measurements, in [-1, 1).

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Dunlap, W. P., Cortina, J. M., Vaslow, J. B., & Burke, M. J. (1996). Meta-analysis of experiments with matched
    groups or repeated measures designs. Psychological Methods, 1, 170-177.

    Examples
    --------
    >>> print(paired_t_to_d(4.0, 25, 0.6).round(4))
    0.7155
    """
    t, n, r_pre_post = floats(t, n, r_pre_post)
    return within(n > 0.0, t / np.sqrt(n) * _change_share(r_pre_post))


@formula
def pre_post_to_d(mean_pre: npt.ArrayLike, mean_post: npt.ArrayLike, sd_pre: npt.ArrayLike) -> FloatArray:
    """Mean change in standard deviations of the first measurement: (mean_post - mean_pre) / sd_pre.

    Parameters
    ----------
    mean_pre, mean_post : array_like
        Means before and after.
    sd_pre : array_like
        Standard deviations before, above 0.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Becker, B. J. (1988). Synthesizing standardized mean-change measures. British Journal of Mathematical and
    Statistical Psychology, 41, 257-278; metafor's `escalc(measure="SMCR")`.

    Examples
    --------
    >>> print(pre_post_to_d(24.0, 15.0, 7.5).round(4))
    -1.2
    """
    mean_pre, mean_post, sd_pre = floats(mean_pre, mean_post, sd_pre)
    return within(sd_pre > 0.0, (mean_post - mean_pre) / sd_pre)
