"""Standardized mean differences: to and from correlations, and with or without small-sample bias."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.conversions._domain import floats, formula, over_hypotenuse, within

__all__ = [
    "d_to_g",
    "d_to_g_approximate",
    "d_to_point_biserial",
    "d_to_r",
    "d_to_r_unequal",
    "g_to_d",
    "g_to_d_approximate",
    "point_biserial_to_d",
    "r_to_d",
    "r_to_d_unequal",
    "small_sample_factor",
    "small_sample_factor_approximate",
]


def _r_to_d(r: FloatArray, spread: FloatArray | float) -> FloatArray:
    """Solve r = d / sqrt(d**2 + spread**2) for d."""
    return within(np.abs(r) <= 1.0, spread * r / np.sqrt((1.0 - r) * (1.0 + r)))


def _population_spread(n1: FloatArray, n2: FloatArray) -> FloatArray:
    """1 / sqrt(p q), which is 2 in equal groups."""
    return within((n1 > 0.0) & (n2 > 0.0), (n1 + n2) / np.sqrt(n1 * n2))


def _sample_spread(n1: FloatArray, n2: FloatArray) -> FloatArray:
    """sqrt(df / (n p q)): as in the population, but for the degrees of freedom of the pooled SD."""
    n = n1 + n2
    return within((n1 > 0.0) & (n2 > 0.0) & (n > 2.0), np.sqrt(n * (n - 2.0) / (n1 * n2)))


@formula
def r_to_d(r: npt.ArrayLike) -> FloatArray:
    """Standardized mean difference of a point-biserial r between two equal groups: 2 r / sqrt(1 - r**2).

    Parameters
    ----------
    r : array_like
        Correlations in [-1, 1]; +-1 give infinity.

    Returns
    -------
    ndarray
        Shaped as r; NaN outside the domain.

    References
    ----------
    Cohen, J. (1988). Statistical power analysis for the behavioral sciences, ch. 2, solved for d with equal groups.

    Examples
    --------
    The alliance's r of .278 as a difference between groups:

    >>> print(r_to_d(0.278).round(3))
    0.579
    """
    return _r_to_d(np.asarray(r, dtype=float), 2.0)


@formula
def d_to_r(d: npt.ArrayLike) -> FloatArray:
    """Point-biserial correlation of a standardized difference between two equal groups: d / sqrt(d**2 + 4).

    Parameters
    ----------
    d : array_like
        Differences; +-infinity gives +-1.

    Returns
    -------
    ndarray
        Shaped as d.

    References
    ----------
    Cohen, J. (1988). Statistical power analysis for the behavioral sciences, ch. 2, with equal groups.

    Examples
    --------
    >>> print(d_to_r(0.5).round(4))
    0.2425
    """
    return over_hypotenuse(np.asarray(d, dtype=float) / 2.0)


@formula
def r_to_d_unequal(r: npt.ArrayLike, n1: npt.ArrayLike, n2: npt.ArrayLike) -> FloatArray:
    """Standardized mean difference of a point-biserial r between groups that differ in size: r / sqrt(p q (1 - r**2)).

    Parameters
    ----------
    r : array_like
        Correlations in [-1, 1]; +-1 give infinity.
    n1, n2 : array_like
        Group sizes, above 0; only their ratio counts.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    McGrath, R. E., & Meyer, G. J. (2006). When effect sizes disagree: The case of r and d. Psychological Methods,
    11, 386-401.

    Examples
    --------
    >>> print(r_to_d_unequal(0.278, 20, 60).round(4))
    0.6684
    """
    r, n1, n2 = floats(r, n1, n2)
    return _r_to_d(r, _population_spread(n1, n2))


@formula
def d_to_r_unequal(d: npt.ArrayLike, n1: npt.ArrayLike, n2: npt.ArrayLike) -> FloatArray:
    """Point-biserial r of a standardized difference between groups that differ in size: d / sqrt(d**2 + 1 / (p q)).

    Parameters
    ----------
    d : array_like
        Differences; +-infinity gives +-1.
    n1, n2 : array_like
        Group sizes, above 0; only their ratio counts.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Borenstein, M., Hedges, L. V., Higgins, J. P. T., & Rothstein, H. R. (2009). Introduction to meta-analysis,
    chapter 7; McGrath, R. E., & Meyer, G. J. (2006). Psychological Methods, 11, 386-401.

    Examples
    --------
    >>> print(d_to_r_unequal(0.5, 20, 60).round(4))
    0.2116
    """
    d, n1, n2 = floats(d, n1, n2)
    return over_hypotenuse(d / _population_spread(n1, n2))


@formula
def point_biserial_to_d(r: npt.ArrayLike, n1: npt.ArrayLike, n2: npt.ArrayLike) -> FloatArray:
    """Cohen's d of a sample from its point-biserial r: exact, where `r_to_d_unequal` holds for large samples.

    Parameters
    ----------
    r : array_like
        Correlations of group and outcome in [-1, 1]; +-1 give infinity.
    n1, n2 : array_like
        Group sizes, above 0, above 2 together.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    McGrath, R. E., & Meyer, G. J. (2006). When effect sizes disagree: The case of r and d. Psychological Methods,
    11, 386-401.

    Examples
    --------
    >>> print(point_biserial_to_d(0.278, 20, 60).round(4))
    0.66
    """
    r, n1, n2 = floats(r, n1, n2)
    return _r_to_d(r, _sample_spread(n1, n2))


@formula
def d_to_point_biserial(d: npt.ArrayLike, n1: npt.ArrayLike, n2: npt.ArrayLike) -> FloatArray:
    """Point-biserial r of a sample from its Cohen's d: exact, where `d_to_r_unequal` holds for large samples.

    Parameters
    ----------
    d : array_like
        Differences in pooled standard deviations, without small-sample correction; +-infinity gives +-1.
    n1, n2 : array_like
        Group sizes, above 0, above 2 together.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    McGrath, R. E., & Meyer, G. J. (2006). When effect sizes disagree: The case of r and d. Psychological Methods,
    11, 386-401; metafor's `escalc(measure="RPB")`.

    Examples
    --------
    >>> print(d_to_point_biserial(0.5, 20, 60).round(4))
    0.2142
    """
    d, n1, n2 = floats(d, n1, n2)
    return over_hypotenuse(d / _sample_spread(n1, n2))


@formula
def small_sample_factor(df: npt.ArrayLike) -> FloatArray:
    """Hedges' J, which makes d unbiased: gamma(df / 2) / (sqrt(df / 2) gamma((df - 1) / 2)).

    Parameters
    ----------
    df : array_like
        Degrees of freedom of the standard deviation, above 1: n1 + n2 - 2 if it is pooled, n - 1 if it is one
        group's. Infinity gives 1.

    Returns
    -------
    ndarray
        Shaped as df, in (0, 1]; NaN outside the domain.

    References
    ----------
    Hedges, L. V. (1981). Distribution theory for Glass's estimator of effect size and related estimators. Journal
    of Educational Statistics, 6, 107-128.

    Examples
    --------
    >>> print(small_sample_factor(10).round(6))
    0.922746
    """
    df = np.asarray(df, dtype=float)
    exact = special.poch((df - 1.0) / 2.0, 0.5) / np.sqrt(df / 2.0)
    return within(df > 1.0, np.where(np.isposinf(df), 1.0, exact))


@formula
def small_sample_factor_approximate(df: npt.ArrayLike) -> FloatArray:
    """Approximation to Hedges' J: 1 - 3 / (4 df - 1).

    Parameters
    ----------
    df : array_like
        Degrees of freedom of the standard deviation, above 1.

    Returns
    -------
    ndarray
        Shaped as df, in (0, 1]; NaN outside the domain.

    References
    ----------
    Hedges, L. V. (1981). Distribution theory for Glass's estimator of effect size and related estimators. Journal
    of Educational Statistics, 6, 107-128.

    Examples
    --------
    >>> print(small_sample_factor_approximate(10).round(6))
    0.923077
    """
    df = np.asarray(df, dtype=float)
    return within(df > 1.0, 1.0 - 3.0 / (4.0 * df - 1.0))


@formula
def d_to_g(d: npt.ArrayLike, df: npt.ArrayLike) -> FloatArray:
    """Hedges' g of Cohen's d: d times the exact `small_sample_factor`.

    Parameters
    ----------
    d : array_like
        Differences in standard deviations, without small-sample correction.
    df : array_like
        Degrees of freedom of the standard deviation, above 1: n1 + n2 - 2 for two independent groups.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Hedges, L. V. (1981). Journal of Educational Statistics, 6, 107-128; metafor's `escalc(measure="SMD")`.

    Examples
    --------
    >>> print(d_to_g(0.5, 18).round(4))
    0.4788
    """
    d, df = floats(d, df)
    return np.asarray(d * small_sample_factor(df))


@formula
def g_to_d(g: npt.ArrayLike, df: npt.ArrayLike) -> FloatArray:
    """Cohen's d of Hedges' g: g over the exact `small_sample_factor`.

    Parameters
    ----------
    g : array_like
        Differences in standard deviations, with small-sample correction.
    df : array_like
        Degrees of freedom of the standard deviation, above 1: n1 + n2 - 2 for two independent groups.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Hedges, L. V. (1981). Journal of Educational Statistics, 6, 107-128.

    Examples
    --------
    >>> print(g_to_d(0.4788, 18).round(4))
    0.5
    """
    g, df = floats(g, df)
    return np.asarray(g / small_sample_factor(df))


@formula
def d_to_g_approximate(d: npt.ArrayLike, df: npt.ArrayLike) -> FloatArray:
    """Hedges' g of Cohen's d as most articles compute it: d (1 - 3 / (4 df - 1)).

    Parameters
    ----------
    d : array_like
        Differences in standard deviations, without small-sample correction.
    df : array_like
        Degrees of freedom of the standard deviation, above 1.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Hedges, L. V. (1981). Journal of Educational Statistics, 6, 107-128.

    Examples
    --------
    >>> print(d_to_g_approximate(0.5, 18).round(4))
    0.4789
    """
    d, df = floats(d, df)
    return np.asarray(d * small_sample_factor_approximate(df))


@formula
def g_to_d_approximate(g: npt.ArrayLike, df: npt.ArrayLike) -> FloatArray:
    """Cohen's d of a Hedges' g that was made by `d_to_g_approximate`.

    Parameters
    ----------
    g : array_like
        Differences in standard deviations, with small-sample correction.
    df : array_like
        Degrees of freedom of the standard deviation, above 1.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Hedges, L. V. (1981). Journal of Educational Statistics, 6, 107-128.

    Examples
    --------
    >>> print(g_to_d_approximate(0.4789, 18).round(4))
    0.5
    """
    g, df = floats(g, df)
    return np.asarray(g / small_sample_factor_approximate(df))
