"""Log odds ratios and proportions to and from standardized mean differences.

Positive is a higher proportion, or higher odds, in the first group. Odds ratios go in and come out as natural
logarithms.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import special

from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.conversions._domain import floats, formula
from alliance_meta.stats.conversions.tables import events_to_log_odds_ratio

__all__ = [
    "d_to_log_odds_ratio",
    "d_to_log_odds_ratio_cox",
    "events_to_d",
    "events_to_d_cox",
    "log_odds_ratio_to_d",
    "log_odds_ratio_to_d_cox",
    "proportions_to_d_arcsine",
    "proportions_to_d_probit",
]

_LOGISTIC_SD = math.pi / math.sqrt(3.0)
_COX = 1.65


@formula
def d_to_log_odds_ratio(d: npt.ArrayLike) -> FloatArray:
    """Log odds ratio of two logistic distributions d standard deviations apart: d pi / sqrt(3).

    Parameters
    ----------
    d : array_like
        Any real number.

    Returns
    -------
    ndarray
        Shaped as d.

    References
    ----------
    Hasselblad, V., & Hedges, L. V. (1995). Meta-analysis of screening and diagnostic tests. Psychological Bulletin,
    117, 167-178; metafor's `escalc(measure="D2ORL")`.

    Examples
    --------
    >>> print(d_to_log_odds_ratio(0.5).round(4))
    0.9069
    """
    return np.asarray(np.asarray(d, dtype=float) * _LOGISTIC_SD)


@formula
def log_odds_ratio_to_d(log_odds_ratio: npt.ArrayLike) -> FloatArray:
    """Standardized difference behind a log odds ratio, if the outcome is logistic: log_odds_ratio sqrt(3) / pi.

    Parameters
    ----------
    log_odds_ratio : array_like
        Natural logarithms of odds ratios; any real number.

    Returns
    -------
    ndarray
        Shaped as log_odds_ratio.

    References
    ----------
    Hasselblad, V., & Hedges, L. V. (1995). Psychological Bulletin, 117, 167-178; Chinn, S. (2000). A simple method
    for converting an odds ratio to effect size for use in meta-analysis. Statistics in Medicine, 19, 3127-3131.

    Examples
    --------
    >>> print(log_odds_ratio_to_d(0.9069).round(4))
    0.5
    """
    return np.asarray(np.asarray(log_odds_ratio, dtype=float) / _LOGISTIC_SD)


@formula
def d_to_log_odds_ratio_cox(d: npt.ArrayLike) -> FloatArray:
    """Log odds ratio of two normal distributions d standard deviations apart, by Cox's approximation: 1.65 d.

    Parameters
    ----------
    d : array_like
        Any real number.

    Returns
    -------
    ndarray
        Shaped as d.

    References
    ----------
    Cox, D. R., & Snell, E. J. (1989). Analysis of binary data (2nd ed.); metafor's `escalc(measure="D2ORN")`.

    Examples
    --------
    >>> print(d_to_log_odds_ratio_cox(0.5).round(4))
    0.825
    """
    return np.asarray(np.asarray(d, dtype=float) * _COX)


@formula
def log_odds_ratio_to_d_cox(log_odds_ratio: npt.ArrayLike) -> FloatArray:
    """Standardized difference behind a log odds ratio, if the outcome is normal: log_odds_ratio / 1.65.

    Parameters
    ----------
    log_odds_ratio : array_like
        Natural logarithms of odds ratios; any real number.

    Returns
    -------
    ndarray
        Shaped as log_odds_ratio.

    References
    ----------
    Sánchez-Meca, J., Marín-Martínez, F., & Chacón-Moscoso, S. (2003). Effect-size indices for dichotomized outcomes
    in meta-analysis. Psychological Methods, 8, 448-467.

    Examples
    --------
    >>> print(log_odds_ratio_to_d_cox(0.825).round(4))
    0.5
    """
    return np.asarray(np.asarray(log_odds_ratio, dtype=float) / _COX)


@formula
def events_to_d(
    events1: npt.ArrayLike, n1: npt.ArrayLike, events2: npt.ArrayLike, n2: npt.ArrayLike, add: npt.ArrayLike = 0.0
) -> FloatArray:
    """Standardized difference behind a 2x2 table, if the outcome is logistic: its log odds ratio times sqrt(3) / pi.

    Parameters
    ----------
    events1, events2 : array_like
        People with the event, in [0, n1] and [0, n2].
    n1, n2 : array_like
        Group sizes.
    add : array_like
        Added to each of the four cells, 0 or above; see `events_to_log_odds_ratio`.

    Returns
    -------
    ndarray
        Of the broadcast shape, positive where the event is more frequent in the first group; NaN outside the
        domain.

    References
    ----------
    Hasselblad, V., & Hedges, L. V. (1995). Psychological Bulletin, 117, 167-178; metafor's `escalc(measure="OR2DL")`.

    Examples
    --------
    >>> print(events_to_d(40, 60, 15, 50).round(4))
    0.8493
    """
    return log_odds_ratio_to_d(events_to_log_odds_ratio(events1, n1, events2, n2, add))


@formula
def events_to_d_cox(
    events1: npt.ArrayLike, n1: npt.ArrayLike, events2: npt.ArrayLike, n2: npt.ArrayLike, add: npt.ArrayLike = 0.0
) -> FloatArray:
    """Standardized difference behind a 2x2 table, if the outcome is normal: its log odds ratio over 1.65.

    Parameters
    ----------
    events1, events2 : array_like
        People with the event, in [0, n1] and [0, n2].
    n1, n2 : array_like
        Group sizes.
    add : array_like
        Added to each of the four cells, 0 or above; see `events_to_log_odds_ratio`.

    Returns
    -------
    ndarray
        Of the broadcast shape, positive where the event is more frequent in the first group; NaN outside the
        domain.

    References
    ----------
    Sánchez-Meca, J., Marín-Martínez, F., & Chacón-Moscoso, S. (2003). Psychological Methods, 8, 448-467; metafor's
    `escalc(measure="OR2DN")`.

    Examples
    --------
    >>> print(events_to_d_cox(40, 60, 15, 50).round(4))
    0.9336
    """
    return log_odds_ratio_to_d_cox(events_to_log_odds_ratio(events1, n1, events2, n2, add))


@formula
def proportions_to_d_probit(p1: npt.ArrayLike, p2: npt.ArrayLike) -> FloatArray:
    """Standardized difference of two normal groups of which p1 and p2 are above one cut: probit(p1) - probit(p2).

    Parameters
    ----------
    p1, p2 : array_like
        Proportions of the first and of the second group, in [0, 1]; 0 and 1 give infinities.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain, and where both are 0 or both are 1.

    References
    ----------
    Sánchez-Meca, J., Marín-Martínez, F., & Chacón-Moscoso, S. (2003). Psychological Methods, 8, 448-467; metafor's
    `escalc(measure="PBIT")`.

    Examples
    --------
    >>> print(proportions_to_d_probit(0.6, 0.4).round(4))
    0.5067
    """
    p1, p2 = floats(p1, p2)
    return np.asarray(special.ndtri(p1) - special.ndtri(p2))


@formula
def proportions_to_d_arcsine(p1: npt.ArrayLike, p2: npt.ArrayLike) -> FloatArray:
    """Difference of arcsine-transformed proportions, Cohen's h: 2 asin(sqrt(p1)) - 2 asin(sqrt(p2)).

    It estimates d only roughly, and too small where the proportions are extreme.

    Parameters
    ----------
    p1, p2 : array_like
        Proportions of the first and of the second group, in [0, 1].

    Returns
    -------
    ndarray
        Of the broadcast shape, in [-pi, pi]; NaN outside the domain.

    References
    ----------
    Cohen, J. (1988). Statistical power analysis for the behavioral sciences, chapter 6; Lipsey, M. W., & Wilson,
    D. B. (2001). Practical meta-analysis, appendix B.

    Examples
    --------
    >>> print(proportions_to_d_arcsine(0.6, 0.4).round(4))
    0.4027
    """
    p1, p2 = floats(p1, p2)
    return np.asarray(2.0 * (np.arcsin(np.sqrt(p1)) - np.arcsin(np.sqrt(p2))))
