"""What articles print about two independent groups, to standardized mean differences.

Positive is in favour of the first group. F and two-tailed p values have no direction, so their functions take a
sign. All results are without small-sample correction; `d_to_g` makes it.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import special

from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.conversions._domain import floats, formula, is_sign, within
from alliance_meta.stats.conversions.significance import p_to_t

__all__ = [
    "f_to_d",
    "means_to_d",
    "p_to_d",
    "t_to_d",
    "u_to_d",
]


@formula
def means_to_d(
    mean1: npt.ArrayLike,
    mean2: npt.ArrayLike,
    sd1: npt.ArrayLike,
    sd2: npt.ArrayLike,
    n1: npt.ArrayLike,
    n2: npt.ArrayLike,
) -> FloatArray:
    """Cohen's d of two independent groups: the difference of the means in pooled standard deviations.

    Parameters
    ----------
    mean1, mean2 : array_like
        Means.
    sd1, sd2 : array_like
        Standard deviations, 0 or above, not both 0.
    n1, n2 : array_like
        Group sizes, 1 or above, above 2 together.

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
    >>> print(means_to_d(10, 8, 3, 4, 20, 30).round(4))
    0.5499
    """
    mean1, mean2, sd1, sd2, n1, n2 = floats(mean1, mean2, sd1, sd2, n1, n2)
    pooled = np.sqrt(((n1 - 1.0) * sd1**2 + (n2 - 1.0) * sd2**2) / (n1 + n2 - 2.0))
    possible = (sd1 >= 0.0) & (sd2 >= 0.0) & (n1 >= 1.0) & (n2 >= 1.0) & (pooled > 0.0)
    return within(possible, (mean1 - mean2) / pooled)


@formula
def t_to_d(t: npt.ArrayLike, n1: npt.ArrayLike, n2: npt.ArrayLike) -> FloatArray:
    """Cohen's d of a t test of two independent groups: t sqrt(1 / n1 + 1 / n2).

    Parameters
    ----------
    t : array_like
        t statistics, with pooled variance.
    n1, n2 : array_like
        Group sizes, above 0.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Lipsey, M. W., & Wilson, D. B. (2001). Practical meta-analysis, appendix B.

    Examples
    --------
    >>> print(t_to_d(2.0, 20, 30).round(4))
    0.5774
    """
    t, n1, n2 = floats(t, n1, n2)
    return within((n1 > 0.0) & (n2 > 0.0), t * np.sqrt(1.0 / n1 + 1.0 / n2))


@formula
def f_to_d(f: npt.ArrayLike, n1: npt.ArrayLike, n2: npt.ArrayLike, sign: npt.ArrayLike = 1.0) -> FloatArray:
    """Cohen's d of a one-way F test of two independent groups: sign * sqrt(f (1 / n1 + 1 / n2)).

    Parameters
    ----------
    f : array_like
        F statistics with one numerator degree of freedom, 0 or above.
    n1, n2 : array_like
        Group sizes, above 0.
    sign : array_like
        1 or -1, which F has lost.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Lipsey, M. W., & Wilson, D. B. (2001). Practical meta-analysis, appendix B.

    Examples
    --------
    >>> print(f_to_d(4.0, 20, 30).round(4))
    0.5774
    """
    f, n1, n2, sign = floats(f, n1, n2, sign)
    return within(is_sign(sign), sign * t_to_d(np.sqrt(f), n1, n2))


@formula
def p_to_d(
    p: npt.ArrayLike,
    n1: npt.ArrayLike,
    n2: npt.ArrayLike,
    tails: npt.ArrayLike = 2,
    sign: npt.ArrayLike = 1.0,
) -> FloatArray:
    """Cohen's d of the p value of a t test of two independent groups, by way of t with n1 + n2 - 2 df.

    Parameters
    ----------
    p : array_like
        Exact p values: two-tailed in (0, 1], one-tailed in (0, 1).
    n1, n2 : array_like
        Group sizes, above 0, above 2 together.
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
    Lipsey, M. W., & Wilson, D. B. (2001). Practical meta-analysis, appendix B.

    Examples
    --------
    >>> print(p_to_d(0.05, 20, 30).round(4))
    0.5804
    """
    p, n1, n2, tails, sign = floats(p, n1, n2, tails, sign)
    return t_to_d(p_to_t(p, n1 + n2 - 2.0, tails, sign), n1, n2)


@formula
def u_to_d(u: npt.ArrayLike, n1: npt.ArrayLike, n2: npt.ArrayLike) -> FloatArray:
    """Standardized difference of two normal groups of one variance, from a Mann-Whitney U: sqrt(2) probit(u / (n1 n2)).

    Parameters
    ----------
    u : array_like
        U of the first group, in [0, n1 n2]: the pairs in which its member is the higher, a tie counting half. The
        ends give +-infinity.
    n1, n2 : array_like
        Group sizes, above 0.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Ruscio, J. (2008). A probability-based measure of effect size: Robustness to base rates and other factors.
    Psychological Methods, 13, 19-30.

    Examples
    --------
    >>> print(u_to_d(130, 10, 20).round(4))
    0.5449
    """
    u, n1, n2 = floats(u, n1, n2)
    return within((n1 > 0.0) & (n2 > 0.0), math.sqrt(2.0) * special.ndtri(u / (n1 * n2)))
