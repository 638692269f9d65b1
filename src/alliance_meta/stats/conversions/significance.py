"""Test statistics and p values to correlations.

F, chi-square, two-tailed p values and squares of correlations have no direction, so their functions take a sign.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.conversions._domain import floats, formula, is_sign, over_hypotenuse, within

__all__ = [
    "chi2_to_r",
    "f_to_r",
    "normal_to_r",
    "p_to_r",
    "p_to_t",
    "t_to_partial_r",
    "t_to_r",
    "t_to_semipartial_r",
    "u_to_r",
    "u_to_rank_biserial",
]


@formula
def t_to_r(t: npt.ArrayLike, df: npt.ArrayLike) -> FloatArray:
    """Correlation of a t statistic: t / sqrt(t**2 + df).

    Exact for the test of a correlation (df = n - 2) and for two independent groups, where it is the
    point-biserial correlation.

    Parameters
    ----------
    t : array_like
        t statistics, positive as the effect is.
    df : array_like
        Degrees of freedom, above 0.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Rosenthal, R. (1991). Meta-analytic procedures for social research (rev. ed.), chapter 2.

    Examples
    --------
    >>> print(t_to_r(2.0, 46).round(4))
    0.2828
    """
    t, df = floats(t, df)
    return within(df > 0.0, over_hypotenuse(t / np.sqrt(df)))


@formula
def t_to_partial_r(t: npt.ArrayLike, df: npt.ArrayLike) -> FloatArray:
    """Partial correlation of a predictor from its t in a regression: t / sqrt(t**2 + df).

    Parameters
    ----------
    t : array_like
        t statistics of the regression coefficients.
    df : array_like
        Residual degrees of freedom, n - predictors - 1, above 0.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Aloe, A. M., & Becker, B. J. (2012). An effect size for regression predictors in meta-analysis. Journal of
    Educational and Behavioral Statistics, 37, 278-297; metafor's `escalc(measure="PCOR")`.

    Examples
    --------
    >>> print(t_to_partial_r(2.1, 26).round(4))
    0.3808
    """
    return t_to_r(t, df)


@formula
def t_to_semipartial_r(t: npt.ArrayLike, df: npt.ArrayLike, r2: npt.ArrayLike) -> FloatArray:
    """Semipartial correlation of a predictor from its t in a regression: t sqrt((1 - r2) / df).

    Parameters
    ----------
    t : array_like
        t statistics of the regression coefficients.
    df : array_like
        Residual degrees of freedom, n - predictors - 1, above 0.
    r2 : array_like
        The whole model's squared multiple correlation in [0, 1].

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain, and where the three would give a correlation beyond +-1.

    References
    ----------
    Aloe, A. M., & Becker, B. J. (2012). An effect size for regression predictors in meta-analysis. Journal of
    Educational and Behavioral Statistics, 37, 278-297; metafor's `escalc(measure="SPCOR")`.

    Examples
    --------
    >>> print(t_to_semipartial_r(2.1, 26, 0.3).round(4))
    0.3446
    """
    t, df, r2 = floats(t, df, r2)
    r = t * np.sqrt((1.0 - r2) / df)
    return within((df > 0.0) & (r2 >= 0.0) & (r2 <= 1.0) & (np.abs(r) <= 1.0), r)


@formula
def f_to_r(f: npt.ArrayLike, df2: npt.ArrayLike, sign: npt.ArrayLike = 1.0) -> FloatArray:
    """Correlation of an F statistic with 1 and df2 degrees of freedom: sign * sqrt(f / (f + df2)).

    Parameters
    ----------
    f : array_like
        F statistics with one numerator degree of freedom, 0 or above.
    df2 : array_like
        Denominator degrees of freedom, above 0.
    sign : array_like
        1 or -1, which F has lost.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Rosenthal, R. (1991). Meta-analytic procedures for social research (rev. ed.), chapter 2.

    Examples
    --------
    >>> print(f_to_r(4.0, 46, sign=-1).round(4))
    -0.2828
    """
    f, df2, sign = floats(f, df2, sign)
    return within(is_sign(sign), sign * t_to_r(np.sqrt(f), df2))


@formula
def chi2_to_r(chi2: npt.ArrayLike, n: npt.ArrayLike, sign: npt.ArrayLike = 1.0) -> FloatArray:
    """Correlation (phi) of a chi-square with one degree of freedom: sign * sqrt(chi2 / n).

    Of a chi-square without continuity correction; a corrected one gives too small a correlation.

    Parameters
    ----------
    chi2 : array_like
        Chi-square statistics of one degree of freedom in [0, n].
    n : array_like
        Total sample sizes, above 0.
    sign : array_like
        1 or -1, which chi-square has lost.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Rosenthal, R. (1991). Meta-analytic procedures for social research (rev. ed.), chapter 2.

    Examples
    --------
    >>> print(chi2_to_r(5.2, 80).round(4))
    0.255
    """
    chi2, n, sign = floats(chi2, n, sign)
    return within((chi2 >= 0.0) & (chi2 <= n) & (n > 0.0) & is_sign(sign), sign * np.sqrt(chi2 / n))


@formula
def normal_to_r(z: npt.ArrayLike, n: npt.ArrayLike) -> FloatArray:
    """Correlation of a standard normal test statistic: z / sqrt(n), where Fisher's z is for `z_to_r`.

    Parameters
    ----------
    z : array_like
        Standard normal statistics in [-sqrt(n), sqrt(n)], positive as the effect is.
    n : array_like
        Total sample sizes, above 0.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Rosenthal, R. (1991). Meta-analytic procedures for social research (rev. ed.), chapter 2.

    Examples
    --------
    >>> print(normal_to_r(2.33, 60).round(4))
    0.3008
    """
    z, n = floats(z, n)
    return within((n > 0.0) & (z * z <= n), z / np.sqrt(n))


@formula
def p_to_t(p: npt.ArrayLike, df: npt.ArrayLike, tails: npt.ArrayLike = 2, sign: npt.ArrayLike = 1.0) -> FloatArray:
    """Statistic t (z, at infinite degrees of freedom) that has a given p value.

    A one-tailed p tests the direction of the sign, so above .5 it gives a t of the opposite sign.

    Parameters
    ----------
    p : array_like
        Exact p values: two-tailed in (0, 1], one-tailed in (0, 1). A p of 0 is a rounded one and gives NaN.
    df : array_like
        Degrees of freedom, above 0; infinity gives the normal distribution.
    tails : array_like
        1 or 2.
    sign : array_like
        1 or -1: the direction of the effect (two-tailed), or of the hypothesis (one-tailed).

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Rosenthal, R. (1991). Meta-analytic procedures for social research (rev. ed.), chapter 2.

    Examples
    --------
    >>> print(f"{p_to_t(0.05, 10):.3f} {p_to_t(0.05, 10, tails=1):.3f}")
    2.228 1.812
    """
    p, df, tails, sign = floats(p, df, tails, sign)
    one = tails == 1.0
    both_tails = np.where(one, 2.0 * np.minimum(p, 1.0 - p), p)
    direction = np.where(one & (p > 0.5), -sign, sign)
    # With x = df / (df + t**2), p is the distribution function of a beta variable at x.
    x = special.betaincinv(df / 2.0, 0.5, both_tails)
    one_minus_x = special.betainccinv(0.5, df / 2.0, both_tails)
    size = np.where(np.isposinf(df), -special.ndtri(both_tails / 2.0), np.sqrt(df * one_minus_x / x))
    possible = (p > 0.0) & np.where(one, p < 1.0, (p <= 1.0) & (tails == 2.0)) & (df > 0.0) & is_sign(sign)
    return within(possible, direction * size)


@formula
def p_to_r(p: npt.ArrayLike, n: npt.ArrayLike, tails: npt.ArrayLike = 2, sign: npt.ArrayLike = 1.0) -> FloatArray:
    """Correlation of n people that has a given p value, by way of t with n - 2 degrees of freedom.

    A p value that is only a bound ("p < .05") gives a bound.

    Parameters
    ----------
    p : array_like
        Exact p values: two-tailed in (0, 1], one-tailed in (0, 1).
    n : array_like
        Total sample sizes, above 2.
    tails : array_like
        1 or 2.
    sign : array_like
        1 or -1: the direction of the effect (two-tailed), or of the hypothesis (one-tailed).

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Rosenthal, R. (1991). Meta-analytic procedures for social research (rev. ed.), chapter 2.

    Examples
    --------
    >>> print(p_to_r(0.05, 48).round(4))
    0.2845
    """
    p, n, tails, sign = floats(p, n, tails, sign)
    return t_to_r(p_to_t(p, n - 2.0, tails, sign), n - 2.0)


@formula
def u_to_rank_biserial(u: npt.ArrayLike, n1: npt.ArrayLike, n2: npt.ArrayLike) -> FloatArray:
    """Rank-biserial correlation of a Mann-Whitney U: 2 u / (n1 n2) - 1.

    Parameters
    ----------
    u : array_like
        U of the first group, in [0, n1 n2]: the pairs in which its member is the higher, a tie counting half. The
        smaller of the two U's, which many articles print, always gives a result of 0 or below.
    n1, n2 : array_like
        Group sizes, above 0.

    Returns
    -------
    ndarray
        Of the broadcast shape, positive where the first group is the higher; NaN outside the domain.

    References
    ----------
    Wendt, H. W. (1972). Dealing with a common problem in social science: A simplified rank-biserial coefficient of
    correlation based on the U statistic. European Journal of Social Psychology, 2, 463-465.

    Examples
    --------
    >>> print(u_to_rank_biserial(130, 10, 20).round(4))
    0.3
    """
    u, n1, n2 = floats(u, n1, n2)
    pairs = n1 * n2
    return within((u >= 0.0) & (u <= pairs) & (n1 > 0.0) & (n2 > 0.0), 2.0 * u / pairs - 1.0)


@formula
def u_to_r(u: npt.ArrayLike, n1: npt.ArrayLike, n2: npt.ArrayLike) -> FloatArray:
    """Correlation of a Mann-Whitney U, by way of its normal approximation z / sqrt(n1 + n2).

    Without corrections for ties or continuity. It is the correlation of group and rank times
    sqrt(1 - 1 / (n1 + n2)), which stays below .87 however far the groups are apart.

    Parameters
    ----------
    u : array_like
        U of the first group, in [0, n1 n2]: the pairs in which its member is the higher, a tie counting half.
    n1, n2 : array_like
        Group sizes, above 0.

    Returns
    -------
    ndarray
        Of the broadcast shape, positive where the first group is the higher; NaN outside the domain.

    References
    ----------
    Mann, H. B., & Whitney, D. R. (1947). Annals of Mathematical Statistics, 18, 50-60 (mean and variance of U);
    Rosenthal, R. (1991). Meta-analytic procedures for social research (rev. ed.), chapter 2 (r of z).

    Examples
    --------
    >>> print(u_to_r(130, 10, 20).round(4))
    0.241
    """
    u, n1, n2 = floats(u, n1, n2)
    n = n1 + n2
    return np.asarray(u_to_rank_biserial(u, n1, n2) * np.sqrt(3.0 * n1 * n2 / (n * (n + 1.0))))
