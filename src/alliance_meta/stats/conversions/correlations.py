"""Correlations of one kind to correlations of another, and Fisher's z."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import special

from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.conversions._domain import floats, formula, is_sign, within

__all__ = [
    "beta_to_r",
    "biserial_to_point_biserial",
    "eta2_to_r",
    "kendall_to_r",
    "point_biserial_to_biserial",
    "r2_to_r",
    "r_to_z",
    "spearman_to_r",
    "z_to_r",
]


@formula
def r_to_z(r: npt.ArrayLike) -> FloatArray:
    """Fisher's z of a correlation: atanh(r).

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
    Fisher, R. A. (1921). Metron, 1, 3-32.

    Examples
    --------
    >>> print(r_to_z(0.5).round(4))
    0.5493
    """
    return np.asarray(np.arctanh(np.asarray(r, dtype=float)))


@formula
def z_to_r(z: npt.ArrayLike) -> FloatArray:
    """Correlation of a Fisher's z: tanh(z).

    Parameters
    ----------
    z : array_like
        Any real number; +-infinity gives +-1.

    Returns
    -------
    ndarray
        Shaped as z.

    References
    ----------
    Fisher, R. A. (1921). Metron, 1, 3-32.

    Examples
    --------
    >>> print(z_to_r(0.5493).round(4))
    0.5
    """
    return np.asarray(np.tanh(np.asarray(z, dtype=float)))


@formula
def r2_to_r(r2: npt.ArrayLike, sign: npt.ArrayLike = 1.0) -> FloatArray:
    """Correlation of a squared correlation: sign * sqrt(r2).

    With several predictors r2 is a squared multiple correlation, and its root has no direction of its own.

    Parameters
    ----------
    r2 : array_like
        Shares of variance in [0, 1].
    sign : array_like
        1 or -1, which the square has lost.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Rosenthal, R. (1991). Meta-analytic procedures for social research (rev. ed.), chapter 2.

    Examples
    --------
    >>> print(r2_to_r(0.0784, sign=-1).round(4))
    -0.28
    """
    r2, sign = floats(r2, sign)
    return within((r2 >= 0.0) & (r2 <= 1.0) & is_sign(sign), sign * np.sqrt(r2))


@formula
def eta2_to_r(eta2: npt.ArrayLike, sign: npt.ArrayLike = 1.0) -> FloatArray:
    """Correlation of an eta squared with one degree of freedom: sign * sqrt(eta2).

    A partial eta squared gives a partial correlation. With more than one degree of freedom eta is no correlation.

    Parameters
    ----------
    eta2 : array_like
        Shares of variance in [0, 1].
    sign : array_like
        1 or -1, which the square has lost.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Rosenthal, R. (1991). Meta-analytic procedures for social research (rev. ed.), chapter 2.

    Examples
    --------
    >>> print(eta2_to_r(0.06).round(4))
    0.2449
    """
    return r2_to_r(eta2, sign)


@formula
def beta_to_r(beta: npt.ArrayLike) -> FloatArray:
    """Correlation imputed from a standardized regression coefficient: beta + 0.05 where beta >= 0, else beta.

    An empirical rule, found in published pairs of beta and r; it jumps by 0.05 at 0, so that it is not
    antisymmetric. With a single predictor beta is r, and nothing is to be imputed.

    Parameters
    ----------
    beta : array_like
        Standardized coefficients in [-0.5, 0.5].

    Returns
    -------
    ndarray
        Shaped as beta; NaN outside the domain.

    References
    ----------
    Peterson, R. A., & Brown, S. P. (2005). On the use of beta coefficients in meta-analysis. Journal of Applied
    Psychology, 90, 175-181.

    Examples
    --------
    >>> print(beta_to_r([-0.2, 0.2]).round(4))
    [-0.2   0.25]
    """
    beta = np.asarray(beta, dtype=float)
    return within(np.abs(beta) <= 0.5, beta + 0.05 * (beta >= 0.0))


@formula
def spearman_to_r(rho: npt.ArrayLike) -> FloatArray:
    """Pearson's r of a bivariate normal population with Spearman's rho: 2 sin(pi rho / 6).

    Parameters
    ----------
    rho : array_like
        Rank correlations in [-1, 1].

    Returns
    -------
    ndarray
        Shaped as rho; NaN outside the domain.

    References
    ----------
    Kruskal, W. H. (1958). Ordinal measures of association. Journal of the American Statistical Association, 53,
    814-861.

    Examples
    --------
    >>> print(spearman_to_r(0.3).round(4))
    0.3129
    """
    rho = np.asarray(rho, dtype=float)
    # 2 sin(pi / 6) is 1 but for rounding, which must not leave the domain of a correlation.
    return within(np.abs(rho) <= 1.0, np.clip(2.0 * np.sin(math.pi * rho / 6.0), -1.0, 1.0))


@formula
def kendall_to_r(tau: npt.ArrayLike) -> FloatArray:
    """Pearson's r of a bivariate normal population with Kendall's tau: sin(pi tau / 2).

    Parameters
    ----------
    tau : array_like
        Rank correlations in [-1, 1].

    Returns
    -------
    ndarray
        Shaped as tau; NaN outside the domain.

    References
    ----------
    Kruskal, W. H. (1958). Ordinal measures of association. Journal of the American Statistical Association, 53,
    814-861.

    Examples
    --------
    >>> print(kendall_to_r(0.2).round(4))
    0.309
    """
    tau = np.asarray(tau, dtype=float)
    return within(np.abs(tau) <= 1.0, np.sin(math.pi * tau / 2.0))


def _biserial_ratio(n1: FloatArray, n2: FloatArray) -> FloatArray:
    """Biserial over point-biserial correlation: sqrt(p q) over the normal density at the cut."""
    p = n1 / (n1 + n2)
    density = np.exp(-0.5 * special.ndtri(p) ** 2) / math.sqrt(2.0 * math.pi)
    return within((n1 > 0.0) & (n2 > 0.0), np.sqrt(p * (1.0 - p)) / density)


@formula
def point_biserial_to_biserial(r: npt.ArrayLike, n1: npt.ArrayLike, n2: npt.ArrayLike) -> FloatArray:
    """Correlation with the normal variable that was cut into two groups, from the correlation with the groups.

    A sample's point-biserial correlation can be larger than a cut normal variable allows; the biserial
    correlation is then beyond +-1 and is given as such, as it says that the assumption fails.

    Parameters
    ----------
    r : array_like
        Point-biserial correlations in [-1, 1].
    n1, n2 : array_like
        Group sizes, above 0; only their ratio counts.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Jacobs, P., & Viechtbauer, W. (2017). Estimation of the biserial correlation and its sampling variance for use
    in meta-analysis. Research Synthesis Methods, 8, 161-180; metafor's `escalc(measure="RBIS")`.

    Examples
    --------
    >>> print(point_biserial_to_biserial(0.3, 20, 30).round(4))
    0.3804
    """
    r, n1, n2 = floats(r, n1, n2)
    return within(np.abs(r) <= 1.0, r * _biserial_ratio(n1, n2))


@formula
def biserial_to_point_biserial(r: npt.ArrayLike, n1: npt.ArrayLike, n2: npt.ArrayLike) -> FloatArray:
    """Correlation with two groups, from the correlation with the normal variable that was cut into them.

    Parameters
    ----------
    r : array_like
        Biserial correlations. Beyond +-1 they are taken, for `point_biserial_to_biserial` may give them, as long
        as the result is a correlation.
    n1, n2 : array_like
        Group sizes, above 0; only their ratio counts.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Jacobs, P., & Viechtbauer, W. (2017). Estimation of the biserial correlation and its sampling variance for use
    in meta-analysis. Research Synthesis Methods, 8, 161-180.

    Examples
    --------
    >>> print(biserial_to_point_biserial(0.5, 25, 25).round(4))
    0.3989
    """
    r, n1, n2 = floats(r, n1, n2)
    point_biserial = r / _biserial_ratio(n1, n2)
    return within(np.abs(point_biserial) <= 1.0, point_biserial)
