"""Coefficient alpha, each of its scales with its sampling variance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from alliance_meta.stats.effect_measures._common import Estimates, floats, quiet

__all__ = ["alpha", "alpha_bonett", "alpha_hakstian_whalen"]


@quiet
def alpha(alpha: npt.ArrayLike, n_items: npt.ArrayLike, n: npt.ArrayLike) -> Estimates:
    """Coefficient alpha as it is (ARAW), variance 2 m (1 - alpha)**2 / ((m - 1)(n - 2)).

    Parameters
    ----------
    alpha : array_like
        Below 1.
    n_items : array_like
        Items m of the scale, 2 or more.
    n : array_like
        Sample sizes, above 2.

    Returns
    -------
    effect, variance : ndarray

    References
    ----------
    Bonett, D. G. (2010). Varying coefficient meta-analytic methods for alpha reliability. Psychological Methods, 15,
    368-385.

    Examples
    --------
    >>> print(alpha(0.9, 12, 102)[1].round(6))
    0.000218
    """
    given, m, n = floats(alpha, n_items, n)
    return given, 2.0 * m * (1.0 - given) ** 2 / ((m - 1.0) * (n - 2.0))


@quiet
def alpha_hakstian_whalen(alpha: npt.ArrayLike, n_items: npt.ArrayLike, n: npt.ArrayLike) -> Estimates:
    """Coefficient alpha on Hakstian and Whalen's scale (AHW): 1 - (1 - alpha)**(1/3).

    Parameters
    ----------
    alpha, n_items, n : array_like
        As for `alpha`.

    Returns
    -------
    effect, variance : ndarray
        The variance is 18 m (n - 1)(1 - alpha)**(2/3) / ((m - 1)(9 n - 11)**2).

    References
    ----------
    Hakstian, A. R., & Whalen, T. E. (1976). A k-sample significance test for independent alpha coefficients.
    Psychometrika, 41, 219-231.

    Examples
    --------
    >>> print(alpha_hakstian_whalen(0.9, 12, 102)[0].round(4))
    0.5358
    """
    given, m, n = floats(alpha, n_items, n)
    root = np.cbrt(1.0 - given)
    return 1.0 - root, 18.0 * m * (n - 1.0) * root**2 / ((m - 1.0) * (9.0 * n - 11.0) ** 2)


@quiet
def alpha_bonett(alpha: npt.ArrayLike, n_items: npt.ArrayLike, n: npt.ArrayLike) -> Estimates:
    """Coefficient alpha on Bonett's scale (ABT): -log(1 - alpha), variance 2 m / ((m - 1)(n - 2)).

    Parameters
    ----------
    alpha, n_items, n : array_like
        As for `alpha`.

    Returns
    -------
    effect, variance : ndarray

    References
    ----------
    Bonett, D. G. (2002). Sample size requirements for testing and estimating coefficient alpha. Journal of
    Educational and Behavioral Statistics, 27, 335-340.

    Examples
    --------
    >>> print(alpha_bonett(0.9, 12, 102)[0].round(4))
    2.3026
    """
    given, m, n = floats(alpha, n_items, n)
    return -np.log1p(-given), 2.0 * m / ((m - 1.0) * (n - 2.0))
