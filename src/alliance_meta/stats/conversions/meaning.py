"""What effects mean to people: shares, probabilities, and patients to be treated.

Each takes the effect, and its parameters after it, so that `carried_interval` takes the bounds of its confidence
interval to the bounds of the meaning.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import special

from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.conversions._domain import floats, formula, within

__all__ = [
    "carried_interval",
    "common_language_to_d",
    "d_to_common_language",
    "d_to_nnt",
    "d_to_nnt_at_rate",
    "d_to_overlap",
    "d_to_u3",
    "r_to_besd",
    "r_to_common_language",
    "r_to_variance_share",
]


@formula
def r_to_variance_share(r: npt.ArrayLike) -> FloatArray:
    """Share of variance that a correlation explains: r**2, a proportion. Falls up to 0 and rises from it.

    Parameters
    ----------
    r : array_like
        Correlations in [-1, 1].

    Returns
    -------
    ndarray
        Shaped as r, in [0, 1]; NaN outside the domain.

    References
    ----------
    Cohen, J. (1988). Statistical power analysis for the behavioral sciences, chapter 3.

    Examples
    --------
    >>> print(r_to_variance_share(0.22).round(3))
    0.048
    """
    r = np.asarray(r, dtype=float)
    return within(np.abs(r) <= 1.0, r**2)


@formula
def r_to_besd(r: npt.ArrayLike) -> FloatArray:
    """Binomial effect size display: the success rate of the upper half, 0.5 + r / 2. Rising.

    The lower half's rate is what is missing to 1, so the two differ by r. It displays r as phi of a table whose
    margins are all one half; it is no prediction of a success rate.

    Parameters
    ----------
    r : array_like
        Correlations in [-1, 1].

    Returns
    -------
    ndarray
        Shaped as r, in [0, 1]; NaN outside the domain.

    References
    ----------
    Rosenthal, R., & Rubin, D. B. (1982). A simple, general purpose display of magnitude of experimental effect.
    Journal of Educational Psychology, 74, 166-169.

    Examples
    --------
    >>> print(r_to_besd(0.278).round(3))
    0.639
    """
    r = np.asarray(r, dtype=float)
    return within(np.abs(r) <= 1.0, 0.5 + 0.5 * r)


@formula
def r_to_common_language(r: npt.ArrayLike) -> FloatArray:
    """Probability that who is above the mean of one variable is above the mean of the other: asin(r) / pi + 0.5.

    For a bivariate normal population. Rising.

    Parameters
    ----------
    r : array_like
        Correlations in [-1, 1].

    Returns
    -------
    ndarray
        Shaped as r, in [0, 1]; NaN outside the domain.

    References
    ----------
    Dunlap, W. P. (1994). Generalizing the common language effect size indicator to bivariate normal correlations.
    Psychological Bulletin, 116, 509-511.

    Examples
    --------
    >>> print(r_to_common_language(0.278).round(3))
    0.59
    """
    return np.asarray(np.arcsin(np.asarray(r, dtype=float)) / math.pi + 0.5)


@formula
def d_to_u3(d: npt.ArrayLike) -> FloatArray:
    """Cohen's U3: share of the second group that is below the mean of the first, for normal groups. Rising.

    Parameters
    ----------
    d : array_like
        Standardized differences.

    Returns
    -------
    ndarray
        Shaped as d, in [0, 1].

    References
    ----------
    Cohen, J. (1988). Statistical power analysis for the behavioral sciences, chapter 2.

    Examples
    --------
    >>> print(d_to_u3(0.5).round(3))
    0.691
    """
    return np.asarray(special.ndtr(np.asarray(d, dtype=float)))


@formula
def d_to_common_language(d: npt.ArrayLike) -> FloatArray:
    """Probability that a random member of the first group exceeds one of the second, for normal groups. Rising.

    Also called probability of superiority and area under the curve.

    Parameters
    ----------
    d : array_like
        Standardized differences.

    Returns
    -------
    ndarray
        Shaped as d, in [0, 1].

    References
    ----------
    McGraw, K. O., & Wong, S. P. (1992). A common language effect size statistic. Psychological Bulletin, 111,
    361-365.

    Examples
    --------
    >>> print(d_to_common_language(0.5).round(3))
    0.638
    """
    return np.asarray(special.ndtr(np.asarray(d, dtype=float) / math.sqrt(2.0)))


@formula
def common_language_to_d(probability: npt.ArrayLike) -> FloatArray:
    """Standardized difference of normal groups with a probability of superiority (or area under the curve). Rising.

    Parameters
    ----------
    probability : array_like
        Probabilities in [0, 1]; 0 and 1 give infinities.

    Returns
    -------
    ndarray
        Shaped as probability; NaN outside the domain.

    References
    ----------
    McGraw, K. O., & Wong, S. P. (1992). Psychological Bulletin, 111, 361-365, solved for d; Ruscio, J. (2008).
    Psychological Methods, 13, 19-30.

    Examples
    --------
    >>> print(common_language_to_d(0.64).round(4))
    0.5069
    """
    return np.asarray(math.sqrt(2.0) * special.ndtri(np.asarray(probability, dtype=float)))


@formula
def d_to_overlap(d: npt.ArrayLike) -> FloatArray:
    """Overlapping coefficient: area that two normal densities share, 2 probability(-abs(d) / 2). Highest at 0.

    Parameters
    ----------
    d : array_like
        Standardized differences.

    Returns
    -------
    ndarray
        Shaped as d, in [0, 1].

    References
    ----------
    Inman, H. F., & Bradley, E. L. (1989). The overlapping coefficient as a measure of agreement between probability
    distributions. Communications in Statistics - Theory and Methods, 18, 3851-3874.

    Examples
    --------
    >>> print(d_to_overlap(0.5).round(3))
    0.803
    """
    return np.asarray(2.0 * special.ndtr(-0.5 * np.abs(np.asarray(d, dtype=float))))


@formula
def d_to_nnt(d: npt.ArrayLike) -> FloatArray:
    """Number needed to treat of a standardized difference: 1 / (2 probability(d / sqrt(2)) - 1).

    Success is having a better outcome than a random member of the other group. The number falls on either side of
    0, where it jumps: a d of 0 gives infinity (and -0.0 minus infinity); below 0 it is the number needed to harm,
    with a minus. Nothing is rounded.

    Parameters
    ----------
    d : array_like
        Standardized differences, positive in favour of the treatment.

    Returns
    -------
    ndarray
        Shaped as d, at least 1 or at most -1.

    References
    ----------
    Kraemer, H. C., & Kupfer, D. J. (2006). Size of treatment effects and their importance to clinical research and
    practice. Biological Psychiatry, 59, 990-996.

    Examples
    --------
    >>> print(d_to_nnt(0.5).round(2))
    3.62
    """
    return np.asarray(1.0 / special.erf(np.asarray(d, dtype=float) / 2.0))


@formula
def d_to_nnt_at_rate(d: npt.ArrayLike, control_rate: npt.ArrayLike) -> FloatArray:
    """Number needed to treat of a standardized difference, at the control group's success rate.

    1 / (probability(d + probit(rate)) - rate): for normal groups of which the successful are above one cut. The
    number falls on either side of 0, where it jumps: a d of 0 gives infinity (and -0.0 minus infinity); below 0 it
    is the number needed to harm, with a minus. For an event that is to be avoided, give the rate of its absence.

    Parameters
    ----------
    d : array_like
        Standardized differences, positive in favour of the treatment.
    control_rate : array_like
        Share of the control group with success, in (0, 1).

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Furukawa, T. A., & Leucht, S. (2011). How to obtain NNT from Cohen's d: Comparison of two methods. PLoS ONE, 6,
    e19070.

    Examples
    --------
    >>> print(d_to_nnt_at_rate(0.5, 0.2).round(2))
    6.01
    """
    d, control_rate = floats(d, control_rate)
    cut = special.ndtri(control_rate)
    # From the nearer end, so that a small gain is not lost in a rate near 1; and never of the wrong sign.
    gain = np.where(cut < 0.0, special.ndtr(cut + d) - special.ndtr(cut), special.ndtr(-cut) - special.ndtr(-cut - d))
    gain = np.copysign(np.abs(gain), d)
    return within((control_rate > 0.0) & (control_rate < 1.0) & ~np.isnan(d), 1.0 / gain)


def carried_interval(
    convert: Callable[[FloatArray], npt.ArrayLike],
    low: npt.ArrayLike,
    high: npt.ArrayLike,
    *,
    turn: float = 0.0,
) -> tuple[FloatArray, FloatArray]:
    """Take an effect's interval to another scale, by converting its bounds.

    The conversion may fall, so the bounds are put in order again. It may also turn at one point, at no effect
    unless another is named: the most it reaches there is then a bound, as 0 is of the variance that an r between
    -.1 and .3 explains. Where it is infinite at that point, as a number needed to treat is, the values between are
    those from the first bound up through infinity and from minus infinity to the second. Such an interval is
    returned as it is read, first bound above second: an NNT from 5 through infinity to -20 is a benefit in 5 or
    more, or a harm in 20 or more.

    Parameters
    ----------
    convert : callable
        Takes an array of effects to an array of the same shape, monotone on either side of `turn`; other parameters
        are bound before (``lambda d: d_to_nnt_at_rate(d, 0.3)``).
    low, high : array_like
        Bounds of the effect, low not above high.
    turn : float
        Where the conversion may turn or be infinite.

    Returns
    -------
    tuple of ndarray
        First and second bound, of the broadcast shape. NaN where a bound is NaN, or low above high, or the
        conversion is NaN at a bound.

    References
    ----------
    Altman, D. G. (1998). Confidence intervals for the number needed to treat. BMJ, 317, 1309-1312.

    Examples
    --------
    >>> first, second = carried_interval(d_to_nnt, [0.2, -0.1], [0.6, 0.4])
    >>> print(first.round(1), second.round(1))
    [3.  4.5] [  8.9 -17.7]
    """
    low, high = floats(low, high)
    # A bound on the turning point is reached from inside the interval: +0.0 from above, -0.0 from below.
    above, below = (turn, turn) if turn else (0.0, -0.0)
    from_above = np.where(low == turn, above, low)
    from_below = np.where(high == turn, np.where(low < turn, below, above), high)
    with np.errstate(all="ignore"):
        ends = np.asarray(convert(from_above), dtype=float), np.asarray(convert(from_below), dtype=float)
        at_turn = np.asarray(convert(np.full(low.shape, turn)), dtype=float)
    crossed = (low < turn) & (high > turn)
    through_infinity = crossed & np.isinf(at_turn)
    extreme = np.where(crossed & ~through_infinity, at_turn, ends[0])
    least, most = (pick(pick(*ends), extreme) for pick in (np.minimum, np.maximum))
    first, second = np.where(through_infinity, (most, least), (least, most))
    return within(low <= high, first), within(low <= high, second)
