"""Means and standard deviations of normal samples, from their medians, quartiles and ranges.

They hold for samples from a normal distribution. Where the quantiles are visibly skewed, no mean can be told.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import special

from alliance_meta.stats._arrays import BoolArray, FloatArray
from alliance_meta.stats.conversions._domain import floats, formula, within

__all__ = [
    "five_numbers_to_mean",
    "five_numbers_to_sd",
    "quartiles_to_mean",
    "quartiles_to_sd",
    "range_to_mean",
    "range_to_sd",
]


def _ordered(*values: FloatArray) -> BoolArray:
    """Whether each row's values are in ascending order, ties allowed."""
    return np.asarray(np.all([low <= high for low, high in pairwise(values)], axis=0))


def _range_in_sds(n: FloatArray) -> FloatArray:
    """Range of n normal values in standard deviations, about its expectation."""
    return within(n > 1.0, 2.0 * special.ndtri((n - 0.375) / (n + 0.25)))


def _quartile_range_in_sds(n: FloatArray) -> FloatArray:
    """Interquartile range of n normal values in standard deviations, about its expectation."""
    return within(n > 1.0, 2.0 * special.ndtri((0.75 * n - 0.125) / (n + 0.25)))


@formula
def range_to_sd(minimum: npt.ArrayLike, maximum: npt.ArrayLike, n: npt.ArrayLike) -> FloatArray:
    """Standard deviation of a normal sample from its range.

    The range over 2 probit((n - 0.375) / (n + 0.25)), about the range that n standard normal values have.

    Parameters
    ----------
    minimum, maximum : array_like
        Smallest and largest value, in this order.
    n : array_like
        Sample sizes, above 1.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Wan, X., Wang, W., Liu, J., & Tong, T. (2014). Estimating the sample mean and standard deviation from the sample
    size, median, range and/or interquartile range. BMC Medical Research Methodology, 14, 135.

    Examples
    --------
    >>> print(range_to_sd(8, 41, 50).round(4))
    7.3551
    """
    minimum, maximum, n = floats(minimum, maximum, n)
    return within(_ordered(minimum, maximum), (maximum - minimum) / _range_in_sds(n))


@formula
def quartiles_to_sd(q1: npt.ArrayLike, q3: npt.ArrayLike, n: npt.ArrayLike) -> FloatArray:
    """Standard deviation of a normal sample from its interquartile range.

    q3 - q1 over 2 probit((0.75 n - 0.125) / (n + 0.25)), which approaches 1.349 in large samples.

    Parameters
    ----------
    q1, q3 : array_like
        First and third quartile, in this order. (Of an interquartile range alone: 0 and the range.)
    n : array_like
        Sample sizes, above 1.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Wan, X., Wang, W., Liu, J., & Tong, T. (2014). Estimating the sample mean and standard deviation from the sample
    size, median, range and/or interquartile range. BMC Medical Research Methodology, 14, 135.

    Examples
    --------
    >>> print(quartiles_to_sd(18, 28, 50).round(4))
    7.633
    """
    q1, q3, n = floats(q1, q3, n)
    return within(_ordered(q1, q3), (q3 - q1) / _quartile_range_in_sds(n))


@formula
def five_numbers_to_sd(
    minimum: npt.ArrayLike, q1: npt.ArrayLike, q3: npt.ArrayLike, maximum: npt.ArrayLike, n: npt.ArrayLike
) -> FloatArray:
    """Standard deviation of a normal sample from its range and quartiles: the mean of the two estimates.

    Parameters
    ----------
    minimum, q1, q3, maximum : array_like
        Smallest value, first and third quartile, largest value, in this order.
    n : array_like
        Sample sizes, above 1.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Wan, X., Wang, W., Liu, J., & Tong, T. (2014). Estimating the sample mean and standard deviation from the sample
    size, median, range and/or interquartile range. BMC Medical Research Methodology, 14, 135.

    Examples
    --------
    >>> print(five_numbers_to_sd(8, 18, 28, 41, 50).round(4))
    7.4941
    """
    minimum, q1, q3, maximum, n = floats(minimum, q1, q3, maximum, n)
    both = 0.5 * (range_to_sd(minimum, maximum, n) + quartiles_to_sd(q1, q3, n))
    return within(_ordered(minimum, q1, q3, maximum), both)


@formula
def range_to_mean(
    minimum: npt.ArrayLike, median: npt.ArrayLike, maximum: npt.ArrayLike, n: npt.ArrayLike
) -> FloatArray:
    """Mean of a normal sample from its range and median, weighted by what each knows at the sample's size.

    w (minimum + maximum) / 2 + (1 - w) median, with w = 4 / (4 + n**0.75).

    Parameters
    ----------
    minimum, median, maximum : array_like
        Smallest value, median, largest value, in this order.
    n : array_like
        Sample sizes, above 1.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Luo, D., Wan, X., Liu, J., & Tong, T. (2018). Optimally estimating the sample mean from the sample size, median,
    mid-range, and/or mid-quartile range. Statistical Methods in Medical Research, 27, 1785-1805.

    Examples
    --------
    >>> print(range_to_mean(8, 22, 41, 50).round(4))
    22.4385
    """
    minimum, median, maximum, n = floats(minimum, median, maximum, n)
    weight = 4.0 / (4.0 + n**0.75)
    mean = weight * 0.5 * (minimum + maximum) + (1.0 - weight) * median
    return within(_ordered(minimum, median, maximum) & (n > 1.0), mean)


@formula
def quartiles_to_mean(q1: npt.ArrayLike, median: npt.ArrayLike, q3: npt.ArrayLike, n: npt.ArrayLike) -> FloatArray:
    """Mean of a normal sample from its quartiles, weighted by what each knows at the sample's size.

    w (q1 + q3) / 2 + (1 - w) median, with w = 0.7 + 0.39 / n. (Wan et al., 2014, take the mean of the three.)

    Parameters
    ----------
    q1, median, q3 : array_like
        First quartile, median, third quartile, in this order.
    n : array_like
        Sample sizes, above 1.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Luo, D., Wan, X., Liu, J., & Tong, T. (2018). Optimally estimating the sample mean from the sample size, median,
    mid-range, and/or mid-quartile range. Statistical Methods in Medical Research, 27, 1785-1805.

    Examples
    --------
    >>> print(quartiles_to_mean(18, 22, 28, 50).round(4))
    22.7078
    """
    q1, median, q3, n = floats(q1, median, q3, n)
    weight = 0.7 + 0.39 / n
    mean = weight * 0.5 * (q1 + q3) + (1.0 - weight) * median
    return within(_ordered(q1, median, q3) & (n > 1.0), mean)


@formula
def five_numbers_to_mean(
    minimum: npt.ArrayLike,
    q1: npt.ArrayLike,
    median: npt.ArrayLike,
    q3: npt.ArrayLike,
    maximum: npt.ArrayLike,
    n: npt.ArrayLike,
) -> FloatArray:
    """Mean of a normal sample from its five-number summary, weighted by what each knows at the sample's size.

    w (minimum + maximum) / 2 + v (q1 + q3) / 2 + (1 - w - v) median, with w = 2.2 / (2.2 + n**0.75) and
    v = 0.7 - 0.72 / n**0.55.

    Parameters
    ----------
    minimum, q1, median, q3, maximum : array_like
        Smallest value, first quartile, median, third quartile, largest value, in this order.
    n : array_like
        Sample sizes, above 1.

    Returns
    -------
    ndarray
        Of the broadcast shape; NaN outside the domain.

    References
    ----------
    Luo, D., Wan, X., Liu, J., & Tong, T. (2018). Optimally estimating the sample mean from the sample size, median,
    mid-range, and/or mid-quartile range. Statistical Methods in Medical Research, 27, 1785-1805.

    Examples
    --------
    >>> print(five_numbers_to_mean(8, 18, 22, 28, 41, 50).round(4))
    22.8781
    """
    minimum, q1, median, q3, maximum, n = floats(minimum, q1, median, q3, maximum, n)
    outer = 2.2 / (2.2 + n**0.75)
    inner = 0.7 - 0.72 / n**0.55
    mean = outer * 0.5 * (minimum + maximum) + inner * 0.5 * (q1 + q3) + (1.0 - outer - inner) * median
    return within(_ordered(minimum, q1, median, q3, maximum) & (n > 1.0), mean)
