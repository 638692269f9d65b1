"""Correlations of several kinds, each with its sampling variance."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import special

from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.effect_measures._common import Estimates, floats, mean_over_rows, pooled_sd, quiet

__all__ = [
    "biserial",
    "correlation",
    "fisher_z",
    "partial_correlation",
    "partial_fisher_z",
    "point_biserial",
    "point_biserial_fisher_z",
    "semipartial_correlation",
    "unbiased_correlation",
]

_LARGE = 19.0
_TERMS = 80  # at c = 19 and x = 1 the next one is below 1e-17


@quiet
def correlation(r: npt.ArrayLike, n: npt.ArrayLike, *, variance_type: str = "LS") -> Estimates:
    """Pearson's r (COR).

    Parameters
    ----------
    r : array_like, shape (k,)
        Correlations in [-1, 1].
    n : array_like, shape (k,)
        Sample sizes, above 1.
    variance_type : {"LS", "AV"}
        (1 - r**2)**2 / (n - 1), with each row's own r or with their mean, weighted by n.

    Returns
    -------
    effect, variance : ndarray

    References
    ----------
    Borenstein, M. (2009). In Cooper, Hedges & Valentine (Eds.), Handbook of research synthesis, eq. 12.27.

    Examples
    --------
    >>> print(correlation(0.5, 26)[1])
    0.0225
    """
    r, n = floats(r, n)
    return r, _variance_around(r, n, n - 1.0, variance_type)


def _variance_around(r: FloatArray, n: FloatArray, df: FloatArray, variance_type: str) -> FloatArray:
    centre = mean_over_rows(r, n) if variance_type == "AV" else r
    return (1.0 - centre**2) ** 2 / df


@quiet
def unbiased_correlation(r: npt.ArrayLike, n: npt.ArrayLike, *, variance_type: str = "LS") -> Estimates:
    """Pearson's r without bias (UCOR): r F(1/2, 1/2; (n - 2)/2; 1 - r**2).

    Parameters
    ----------
    r : array_like, shape (k,)
        Correlations in [-1, 1].
    n : array_like, shape (k,)
        Sample sizes, above 4; others give NaN.
    variance_type : {"LS", "UB", "AV"}
        As for `correlation`, from the unbiased r; or ("UB") its square less the unbiased estimate of rho**2, which
        can be 0 or below.

    Returns
    -------
    effect, variance : ndarray

    References
    ----------
    Olkin, I., & Pratt, J. W. (1958). Unbiased estimation of certain correlation coefficients. Annals of Mathematical
    Statistics, 29, 201-211, eq. 2.3. Hedges, L. V. (1989). Journal of Educational Statistics, 14 (UB).

    Examples
    --------
    >>> print(unbiased_correlation(0.5, 26)[0].round(4))
    0.5084
    """
    r, n = floats(r, n)
    n = np.where(n > 4.0, n, np.nan)
    rest = 1.0 - r**2
    unbiased = r * _hypergeometric(0.5, (n - 2.0) / 2.0, rest)
    if variance_type == "UB":
        squared = 1.0 - (n - 3.0) / (n - 2.0) * rest * _hypergeometric(1.0, n / 2.0, rest)
        return unbiased, unbiased**2 - squared
    return unbiased, _variance_around(unbiased, n, n - 1.0, variance_type)


def _hypergeometric(a: float, c: FloatArray, x: FloatArray) -> FloatArray:
    """F(a, a; c; x) for x in [0, 1]: scipy's has no number for large c and x near 1, where the series is short."""
    total, term = np.ones_like(x), np.ones_like(x)
    for i in range(_TERMS):
        term = term * (i + a) ** 2 / ((i + c) * (i + 1.0)) * x
        total = total + term
    return np.where(c < _LARGE, special.hyp2f1(a, a, np.minimum(c, _LARGE), x), total)


@quiet
def fisher_z(r: npt.ArrayLike, n: npt.ArrayLike) -> Estimates:
    """Fisher's z of a correlation (ZCOR), variance 1 / (n - 3).

    Parameters
    ----------
    r : array_like
        Correlations in (-1, 1).
    n : array_like
        Sample sizes, above 3.

    Returns
    -------
    effect, variance : ndarray

    References
    ----------
    Fisher, R. A. (1921). Metron, 1, 3-32.

    Examples
    --------
    >>> z, variance = fisher_z(0.5, 103)
    >>> print(z.round(4), variance)
    0.5493 0.01
    """
    r, n = floats(r, n)
    return np.arctanh(r), 1.0 / (n - 3.0)


@quiet
def partial_correlation(
    t: npt.ArrayLike, df: npt.ArrayLike, n: npt.ArrayLike, *, variance_type: str = "LS"
) -> Estimates:
    """Partial correlation of a predictor (PCOR): t / sqrt(t**2 + df).

    Parameters
    ----------
    t : array_like, shape (k,)
        t statistics of the regression coefficients.
    df : array_like, shape (k,)
        Residual degrees of freedom, n - predictors - 1, above 0.
    n : array_like, shape (k,)
        Sample sizes, which weight the mean of "AV".
    variance_type : {"LS", "AV"}
        (1 - r**2)**2 / df, with each row's own r or with their mean.

    Returns
    -------
    effect, variance : ndarray

    References
    ----------
    Aloe, A. M., & Thompson, C. G. (2013). The synthesis of partial effect sizes. Journal of the Society for Social
    Work and Research, 4, 390-405.

    Examples
    --------
    >>> print(partial_correlation(2.1, 26, 30)[0].round(4))
    0.3808
    """
    t, df, n = floats(t, df, n)
    r = t / np.sqrt(t**2 + df)
    return r, _variance_around(r, n, df, variance_type)


@quiet
def partial_fisher_z(t: npt.ArrayLike, df: npt.ArrayLike) -> Estimates:
    """Fisher's z of a partial correlation (ZPCOR), variance 1 / df as in metafor 3.8-1.

    Anderson (2003, section 4.3.3) has 1 / (df - 1).

    Parameters
    ----------
    t : array_like
        t statistics of the regression coefficients.
    df : array_like
        Residual degrees of freedom, n - predictors - 1, above 0.

    Returns
    -------
    effect, variance : ndarray

    References
    ----------
    Aloe, A. M., & Thompson, C. G. (2013). Journal of the Society for Social Work and Research, 4, 390-405.
    Anderson, T. W. (2003). An introduction to multivariate statistical analysis (3rd ed.).

    Examples
    --------
    >>> print(partial_fisher_z(2.1, 26)[0].round(4))
    0.401
    """
    t, df = floats(t, df)
    return np.arcsinh(t / np.sqrt(df)), 1.0 / df


@quiet
def semipartial_correlation(
    t: npt.ArrayLike, df: npt.ArrayLike, r2: npt.ArrayLike, n: npt.ArrayLike, *, variance_type: str = "LS"
) -> Estimates:
    """Semi-partial correlation of a predictor (SPCOR): t sqrt((1 - r2) / df).

    Parameters
    ----------
    t : array_like, shape (k,)
        t statistics of the regression coefficients.
    df : array_like, shape (k,)
        Residual degrees of freedom, above 0.
    r2 : array_like, shape (k,)
        Squared multiple correlations of the whole models.
    n : array_like, shape (k,)
        Sample sizes.
    variance_type : {"LS", "AV"}
        (r2**2 - 2 r2 + s + 1 - s**2) / n, where s is r2 less the square of each row's own effect, or of their mean.

    Returns
    -------
    effect, variance : ndarray

    References
    ----------
    Aloe, A. M., & Becker, B. J. (2012). An effect size for regression predictors in meta-analysis. Journal of
    Educational and Behavioral Statistics, 37, 278-297.

    Examples
    --------
    >>> print(semipartial_correlation(2.1, 26, 0.3, 30)[0].round(4))
    0.3446
    """
    t, df, r2, n = floats(t, df, r2, n)
    effect = t * np.sqrt((1.0 - r2) / df)
    centre = mean_over_rows(effect, n) if variance_type == "AV" else effect
    without = r2 - centre**2
    return effect, (r2**2 - 2.0 * r2 + without + 1.0 - without**2) / n


def _d_and_spread(
    mean1: FloatArray, mean2: FloatArray, sd1: FloatArray, sd2: FloatArray, n1: FloatArray, n2: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Cohen's d, and h for which the point-biserial correlation is d / sqrt(d**2 + h)."""
    df = n1 + n2 - 2.0
    return (mean1 - mean2) / pooled_sd(sd1, sd2, n1, n2), df / n1 + df / n2


@quiet
def point_biserial(
    mean1: npt.ArrayLike,
    mean2: npt.ArrayLike,
    sd1: npt.ArrayLike,
    sd2: npt.ArrayLike,
    n1: npt.ArrayLike,
    n2: npt.ArrayLike,
    *,
    variance_type: str = "LS",
) -> Estimates:
    """Point-biserial correlation of group and outcome (RPB).

    Parameters
    ----------
    mean1, mean2, sd1, sd2 : array_like
        Means and standard deviations.
    n1, n2 : array_like
        Group sizes.
    variance_type : {"LS", "ST", "CS"}
        Group sizes fixed by design ("ST", and "LS"), or random ("CS").

    Returns
    -------
    effect, variance : ndarray

    References
    ----------
    Tate, R. F. (1954). Correlation between a discrete and a continuous variable. Annals of Mathematical Statistics,
    25, 603-607.

    Examples
    --------
    >>> print(point_biserial(10, 8, 3, 4, 20, 30)[0].round(4))
    0.2651
    """
    mean1, mean2, sd1, sd2, n1, n2 = floats(mean1, mean2, sd1, sd2, n1, n2)
    d, spread = _d_and_spread(mean1, mean2, sd1, sd2, n1, n2)
    r, total = d / np.sqrt(d**2 + spread), n1 + n2
    if variance_type == "CS":
        odds = total**2 / (4.0 * n1 * n2)
        return r, (1.0 - r**2) ** 2 * (1.0 - 1.5 * r**2 + r**2 * odds) / total
    return r, spread**2 / (spread + d**2) ** 3 * (1.0 / n1 + 1.0 / n2 + d**2 / (2.0 * total))


@quiet
def point_biserial_fisher_z(
    mean1: npt.ArrayLike,
    mean2: npt.ArrayLike,
    sd1: npt.ArrayLike,
    sd2: npt.ArrayLike,
    n1: npt.ArrayLike,
    n2: npt.ArrayLike,
    *,
    variance_type: str = "LS",
) -> Estimates:
    """Fisher's z of the point-biserial correlation (ZPB), with the variance of RPB carried through by the delta method.

    z does not make this variance free of the correlation, as it does for two normal variables.

    Parameters
    ----------
    mean1, mean2, sd1, sd2 : array_like
        Means and standard deviations.
    n1, n2 : array_like
        Group sizes.
    variance_type : {"LS", "ST", "CS"}
        Group sizes fixed by design ("ST", and "LS"), or random ("CS").

    Returns
    -------
    effect, variance : ndarray
        atanh(r) and var(r) / (1 - r**2)**2.

    References
    ----------
    Tate, R. F. (1954), as `point_biserial`; Fisher, R. A. (1921). Metron, 1, 3-32.

    Examples
    --------
    >>> print(point_biserial_fisher_z(10, 8, 3, 4, 20, 30)[0].round(4))
    0.2716
    """
    r, variance = point_biserial(mean1, mean2, sd1, sd2, n1, n2, variance_type=variance_type)
    return np.arctanh(r), variance / (1.0 - r**2) ** 2


@quiet
def biserial(
    mean1: npt.ArrayLike,
    mean2: npt.ArrayLike,
    sd1: npt.ArrayLike,
    sd2: npt.ArrayLike,
    n1: npt.ArrayLike,
    n2: npt.ArrayLike,
) -> Estimates:
    """Biserial correlation of the outcome with the normal variable behind the groups (RBIS), Soper's variance.

    Parameters
    ----------
    mean1, mean2, sd1, sd2 : array_like
        Means and standard deviations.
    n1, n2 : array_like
        Group sizes.

    Returns
    -------
    effect, variance : ndarray
        Effects can lie beyond -1 and 1.

    References
    ----------
    Jacobs, P., & Viechtbauer, W. (2017). Estimation of the biserial correlation and its sampling variance for use in
    meta-analysis. Research Synthesis Methods, 8, 161-180.

    Examples
    --------
    >>> print(biserial(10, 8, 3, 4, 20, 30)[0].round(4))
    0.3362
    """
    mean1, mean2, sd1, sd2, n1, n2 = floats(mean1, mean2, sd1, sd2, n1, n2)
    d, spread = _d_and_spread(mean1, mean2, sd1, sd2, n1, n2)
    total = n1 + n2
    p, q = n1 / total, n2 / total
    cut = special.ndtri(q)
    density = np.exp(-(cut**2) / 2.0) / math.sqrt(2.0 * math.pi)
    effect = d / np.sqrt(d**2 + spread) * np.sqrt(p * q) / density
    slope = (1.0 - p * cut / density) * (1.0 + q * cut / density)
    return effect, (p * q / density**2 - (1.5 + slope) * effect**2 + effect**4) / (total - 1.0)
