"""Effects of two-by-two tables. A table with an empty cell gets 1/2 in each of its four, but for phi."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.effect_measures._common import Estimates, floats, mean_over_rows, quiet

__all__ = [
    "log_odds_ratio",
    "log_odds_ratio_as_d",
    "log_odds_ratio_as_d_cox",
    "log_risk_ratio",
    "phi",
    "risk_difference",
]


def _cells(
    events1: npt.ArrayLike, n1: npt.ArrayLike, events2: npt.ArrayLike, n2: npt.ArrayLike, add: float = 0.5
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Give the cells (event, none) of the first and of the second group, `add` added to tables with an empty one."""
    events1, n1, events2, n2 = floats(events1, n1, events2, n2)
    a, b, c, d = events1, n1 - events1, events2, n2 - events2
    more = add * ((a == 0.0) | (b == 0.0) | (c == 0.0) | (d == 0.0))
    return a + more, b + more, c + more, d + more


@quiet
def log_odds_ratio(events1: npt.ArrayLike, n1: npt.ArrayLike, events2: npt.ArrayLike, n2: npt.ArrayLike) -> Estimates:
    """Log odds ratio (OR), variance the sum of the cells' reciprocals.

    Parameters
    ----------
    events1, n1, events2, n2 : array_like
        People with the event and group sizes.

    Returns
    -------
    effect, variance : ndarray

    References
    ----------
    Woolf, B. (1955). On estimating the relation between blood group and disease. Annals of Human Genetics, 19,
    251-253.

    Examples
    --------
    >>> print(log_odds_ratio(40, 60, 15, 50)[0].round(4))
    1.5404
    """
    a, b, c, d = _cells(events1, n1, events2, n2)
    return np.log(a) - np.log(b) - np.log(c) + np.log(d), 1.0 / a + 1.0 / b + 1.0 / c + 1.0 / d


@quiet
def log_risk_ratio(events1: npt.ArrayLike, n1: npt.ArrayLike, events2: npt.ArrayLike, n2: npt.ArrayLike) -> Estimates:
    """Log risk ratio (RR).

    Parameters
    ----------
    events1, n1, events2, n2 : array_like
        People with the event and group sizes.

    Returns
    -------
    effect, variance : ndarray

    References
    ----------
    Katz, D., Baptista, J., Azen, S. P., & Pike, M. C. (1978). Obtaining confidence intervals for the risk ratio in
    cohort studies. Biometrics, 34, 469-474.

    Examples
    --------
    >>> print(log_risk_ratio(40, 60, 15, 50)[0].round(4))
    0.7985
    """
    a, b, c, d = _cells(events1, n1, events2, n2)
    return np.log(a / (a + b)) - np.log(c / (c + d)), b / (a * (a + b)) + d / (c * (c + d))


@quiet
def risk_difference(
    events1: npt.ArrayLike,
    n1: npt.ArrayLike,
    events2: npt.ArrayLike,
    n2: npt.ArrayLike,
    *,
    variance_type: str = "LS",
) -> Estimates:
    """Difference of two risks (RD).

    Parameters
    ----------
    events1, n1, events2, n2 : array_like, shape (k,)
        People with the event and group sizes.
    variance_type : {"LS", "UB", "AV"}
        p (1 - p) over n of each group; over n - 1; or with the mean p of each group over the tables.

    Returns
    -------
    effect, variance : ndarray

    References
    ----------
    Fleiss, J. L., & Berlin, J. A. (2009). In Cooper, Hedges & Valentine (Eds.), Handbook of research synthesis, ch. 13.

    Examples
    --------
    >>> print(risk_difference(40, 60, 15, 50)[0].round(4))
    0.3667
    """
    a, b, c, d = _cells(events1, n1, events2, n2)
    size1, size2 = a + b, c + d
    p1, p2 = a / size1, c / size2
    effect = p1 - p2
    if variance_type == "UB":
        return effect, p1 * (1.0 - p1) / (size1 - 1.0) + p2 * (1.0 - p2) / (size2 - 1.0)
    if variance_type == "AV":
        p1, p2 = mean_over_rows(p1, size1), mean_over_rows(p2, size2)
    return effect, p1 * (1.0 - p1) / size1 + p2 * (1.0 - p2) / size2


@quiet
def phi(
    events1: npt.ArrayLike,
    n1: npt.ArrayLike,
    events2: npt.ArrayLike,
    n2: npt.ArrayLike,
    *,
    variance_type: str = "LS",
) -> Estimates:
    """Phi, the correlation of group and event (PHI); nothing is added to empty cells.

    Parameters
    ----------
    events1, n1, events2, n2 : array_like
        People with the event and group sizes.
    variance_type : {"LS", "CS", "ST"}
        All counts random ("CS", and "LS"), or group sizes fixed by design ("ST").

    Returns
    -------
    effect, variance : ndarray
        NaN where all or none have the event.

    References
    ----------
    Bishop, Y. M. M., Fienberg, S. E., & Holland, P. W. (1975). Discrete multivariate analysis, section 11.3.3.

    Examples
    --------
    >>> print(phi(40, 60, 15, 50)[0].round(4))
    0.3651
    """
    a, b, c, d = _cells(events1, n1, events2, n2, add=0.0)
    size1, size2, total = a + b, c + d, a + b + c + d
    rows, columns = size1 * size2 / total**2, (a + c) * (b + d) / total**2
    effect = (a * d - b * c) / total**2 / np.sqrt(rows * columns)
    row_skew, column_skew = (size1 - size2) / total, (a + c - b - d) / total
    if variance_type == "ST":
        # The delta method on phi = sqrt(rows) (p1 - p2) / sqrt(P (1 - P)), P the risk in both groups together.
        p1, p2 = a / size1, c / size2
        slope = (p2 - p1) * column_skew / (2.0 * columns)
        by_p1 = np.sqrt(rows / columns) * (1.0 - slope * size1 / total)
        by_p2 = np.sqrt(rows / columns) * (-1.0 - slope * size2 / total)
        return effect, by_p1**2 * p1 * (1.0 - p1) / size1 + by_p2**2 * p2 * (1.0 - p2) / size2
    skewed = effect * (1.0 + effect**2 / 2.0) * row_skew * column_skew / np.sqrt(rows * columns)
    margins = 0.75 * effect**2 * (row_skew**2 / rows + column_skew**2 / columns)
    return effect, (1.0 - effect**2 + skewed - margins) / total


@quiet
def log_odds_ratio_as_d(
    events1: npt.ArrayLike, n1: npt.ArrayLike, events2: npt.ArrayLike, n2: npt.ArrayLike
) -> Estimates:
    """Standardized mean difference of logistic variables that were cut into the events (OR2D, OR2DL).

    Parameters
    ----------
    events1, n1, events2, n2 : array_like
        People with the event and group sizes.

    Returns
    -------
    effect, variance : ndarray
        The log odds ratio times sqrt(3) / pi, and its variance times 3 / pi**2.

    References
    ----------
    Hasselblad, V., & Hedges, L. V. (1995). Psychological Bulletin, 117, 167-178. Chinn, S. (2000). Statistics in
    Medicine, 19, 3127-3131.

    Examples
    --------
    >>> print(log_odds_ratio_as_d(40, 60, 15, 50)[0].round(4))
    0.8493
    """
    effect, variance = log_odds_ratio(events1, n1, events2, n2)
    return effect * (math.sqrt(3.0) / math.pi), variance * (3.0 / math.pi**2)


@quiet
def log_odds_ratio_as_d_cox(
    events1: npt.ArrayLike, n1: npt.ArrayLike, events2: npt.ArrayLike, n2: npt.ArrayLike
) -> Estimates:
    """Standardized mean difference of normal variables that were cut into the events (OR2DN).

    Parameters
    ----------
    events1, n1, events2, n2 : array_like
        People with the event and group sizes.

    Returns
    -------
    effect, variance : ndarray
        The log odds ratio over 1.65, and its variance over 1.65**2.

    References
    ----------
    Cox, D. R., & Snell, E. J. (1989). Analysis of binary data (2nd ed.).

    Examples
    --------
    >>> print(log_odds_ratio_as_d_cox(40, 60, 15, 50)[0].round(4))
    0.9336
    """
    effect, variance = log_odds_ratio(events1, n1, events2, n2)
    return effect / 1.65, variance / 1.65**2
