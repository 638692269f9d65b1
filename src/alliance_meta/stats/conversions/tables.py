"""Two-by-two tables to correlations and odds ratios.

Every function takes the people with the event and the people altogether, in the first and in the second group: the
table's rows are the groups, its columns are the event and its absence. A result is positive where the event is
more frequent in the first group. Exchanging the groups, or the event and its absence, turns the sign (but see
`events_to_tetrachoric_bonett_price`).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.conversions._domain import floats, formula, within
from alliance_meta.stats.conversions._latent import latent_correlation

__all__ = [
    "events_to_log_odds_ratio",
    "events_to_phi",
    "events_to_tetrachoric",
    "events_to_tetrachoric_bonett_price",
    "odds_ratio_to_tetrachoric_digby",
]


def _cells(
    events1: npt.ArrayLike, n1: npt.ArrayLike, events2: npt.ArrayLike, n2: npt.ArrayLike, add: npt.ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Give the cells (event, none) of the first and of the second group; NaN where one is impossible."""
    events1, n1, events2, n2, add = floats(events1, n1, events2, n2, add)
    possible = (events1 >= 0.0) & (events1 <= n1) & (events2 >= 0.0) & (events2 <= n2) & (add >= 0.0)
    cells = (events1, n1 - events1, events2, n2 - events2)
    a, b, c, d = (within(possible, cell + add) for cell in cells)
    return a, b, c, d


@formula
def events_to_log_odds_ratio(
    events1: npt.ArrayLike, n1: npt.ArrayLike, events2: npt.ArrayLike, n2: npt.ArrayLike, add: npt.ArrayLike = 0.0
) -> FloatArray:
    """Natural logarithm of the odds ratio of two groups.

    Parameters
    ----------
    events1, events2 : array_like
        People with the event, in [0, n1] and [0, n2].
    n1, n2 : array_like
        Group sizes.
    add : array_like
        Added to each of the four cells, 0 or above. 0.5 is usual where one of them is 0; without it, an empty cell
        gives +-infinity, and two in one row or column NaN.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Haldane, J. B. S. (1956). The estimation and significance of the logarithm of a ratio of frequencies. Annals of
    Human Genetics, 20, 309-311 (adding 0.5); metafor's `escalc(measure="OR")`.

    Examples
    --------
    >>> print(events_to_log_odds_ratio(40, 60, 15, 50).round(4))
    1.5404
    """
    a, b, c, d = _cells(events1, n1, events2, n2, add)
    return np.asarray(np.log(a) - np.log(b) - np.log(c) + np.log(d))


@formula
def events_to_phi(events1: npt.ArrayLike, n1: npt.ArrayLike, events2: npt.ArrayLike, n2: npt.ArrayLike) -> FloatArray:
    """Phi: Pearson's r of group and event, (a d - b c) / sqrt((a + b)(c + d)(a + c)(b + d)).

    Parameters
    ----------
    events1, events2 : array_like
        People with the event, in [0, n1] and [0, n2].
    n1, n2 : array_like
        Group sizes.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain, and where a group is empty or all or none have the event.

    References
    ----------
    Yule, G. U. (1912). On the methods of measuring association between two attributes. Journal of the Royal
    Statistical Society, 75, 579-652; metafor's `escalc(measure="PHI")`.

    Examples
    --------
    >>> print(events_to_phi(40, 60, 15, 50).round(4))
    0.3651
    """
    a, b, c, d = _cells(events1, n1, events2, n2, 0.0)
    margins = np.sqrt(a + b) * np.sqrt(c + d) * np.sqrt(a + c) * np.sqrt(b + d)
    return within(margins > 0.0, np.clip((a * d - b * c) / margins, -1.0, 1.0))


@formula
def events_to_tetrachoric(
    events1: npt.ArrayLike, n1: npt.ArrayLike, events2: npt.ArrayLike, n2: npt.ArrayLike, add: npt.ArrayLike = 0.0
) -> FloatArray:
    """Tetrachoric correlation: r of the two normal variables that were cut to make the table.

    It is solved for numerically, to about 1e-10 in tables that are not extreme; being as many as the free
    proportions, the correlation and the two cuts reproduce the table, so this is the maximum likelihood estimate.

    Parameters
    ----------
    events1, events2 : array_like
        People with the event, in [0, n1] and [0, n2].
    n1, n2 : array_like
        Group sizes.
    add : array_like
        Added to each of the four cells, 0 or above. Without it, an empty cell gives +-1.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain, and where a group is empty or all or none have the event.

    References
    ----------
    Pearson, K. (1900). Philosophical Transactions of the Royal Society A, 195, 1-47; Owen, D. B. (1956). Tables for
    computing bivariate normal probabilities. Annals of Mathematical Statistics, 27, 1075-1090; metafor's
    `escalc(measure="RTET")`.

    Examples
    --------
    >>> print(events_to_tetrachoric(40, 60, 15, 50).round(4))
    0.5442
    """
    return latent_correlation(*_cells(events1, n1, events2, n2, add))


@formula
def events_to_tetrachoric_bonett_price(
    events1: npt.ArrayLike, n1: npt.ArrayLike, events2: npt.ArrayLike, n2: npt.ArrayLike
) -> FloatArray:
    """Bonett and Price's approximation to the tetrachoric correlation: cos(pi / (1 + w**c)).

    w is the odds ratio with 0.5 added to every cell; c falls below 1/2 with the difference of the two margins and
    with the distance of the most extreme margin from 1/2. Empty cells need no treatment of their own.

    It is made for positive association. Exchanging the groups changes the difference of the margins, and so more
    than the sign; a table of negative association is better approximated by exchanging them and turning the sign.

    Parameters
    ----------
    events1, events2 : array_like
        People with the event, in [0, n1] and [0, n2].
    n1, n2 : array_like
        Group sizes.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Bonett, D. G., & Price, R. M. (2005). Inferential methods for the tetrachoric correlation coefficient. Journal
    of Educational and Behavioral Statistics, 30, 213-225, p. 216.

    Examples
    --------
    >>> print(events_to_tetrachoric_bonett_price(40, 60, 15, 50).round(4))
    0.5316
    """
    a, b, c, d = _cells(events1, n1, events2, n2, 0.5)
    total = a + b + c + d
    rarest = np.minimum(np.minimum(a + b, c + d), np.minimum(a + c, b + d)) / total
    power = 0.5 * (1.0 - np.abs(b - c) / (5.0 * total) - (0.5 - rarest) ** 2)
    return np.asarray(np.cos(math.pi / (1.0 + (a * d / (b * c)) ** power)))


@formula
def odds_ratio_to_tetrachoric_digby(odds_ratio: npt.ArrayLike) -> FloatArray:
    """Digby's approximation to the tetrachoric correlation: (w**0.75 - 1) / (w**0.75 + 1) of an odds ratio w.

    Parameters
    ----------
    odds_ratio : array_like
        Odds ratios (not their logarithms), 0 or above; 0 gives -1, infinity gives 1.

    Returns
    -------
    ndarray
        Shaped as odds_ratio; NaN outside the domain.

    References
    ----------
    Digby, P. G. N. (1983). Approximating the tetrachoric correlation coefficient. Biometrics, 39, 753-757.

    Examples
    --------
    >>> print(odds_ratio_to_tetrachoric_digby(4.6667).round(4))
    0.521
    """
    odds_ratio = np.asarray(odds_ratio, dtype=float)
    return within(odds_ratio >= 0.0, np.tanh(0.375 * np.log(odds_ratio)))
