"""What tells subsets of studies apart: the presence of each study, and the clusters that a number of them forms."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import BoolArray, FloatArray

__all__ = ["Contrast", "Peaks", "contrast", "density_peaks"]

Packed = npt.NDArray[np.uint8]

_SAME = 1e-13
"""Values that differ by less than this share of the largest do so by rounding only."""

_BINS_A_WIDTH = 8
_WIDTH = 0.15
_REACH = 6.0
_SHALLOW = 0.8
_SMALL = 0.05


class Contrast(NamedTuple):
    """Subsets with each study against those without it; each field has shape (k,).

    Attributes
    ----------
    mean_with, mean_without : ndarray
    difference : ndarray
        Of the two means, in standard deviations within the two groups.
    share : ndarray
        Of the variance over all subsets that lies between the two groups, 0 to 1.
    """

    mean_with: FloatArray
    mean_without: FloatArray
    difference: FloatArray
    share: FloatArray


def contrast(values: FloatArray, packed: Packed | None, k: int, used: BoolArray) -> Contrast:
    """What the presence of each study makes of a number of each subset.

    Parameters
    ----------
    values : ndarray, shape (n,)
    packed : ndarray of uint8, shape (n, ceil(k / 8)), or None
        None for all subsets in the order of `all_subsets`, which takes a tenth of the time.
    k : int
    used : ndarray of bool, shape (n,)
        The subsets that take part.

    Returns
    -------
    Contrast
        NaN where all subsets, or none, have the study, or the values do not differ.
    """
    count = np.float64(np.count_nonzero(used))
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = np.sum(values, where=used) / count
        distance = np.where(used, values - centre, 0.0)
        number, total = _sums_with(used.astype(np.float64), packed, k), _sums_with(distance, packed, k)
        whole = np.sum(distance * distance)
        if not whole > count * (_SAME * np.max(np.abs(values), where=used, initial=0.0)) ** 2:
            whole = np.float64(np.nan)
        rest = np.sum(distance) - total
        own, others = total / number, rest / (count - number)
        between = own * total + others * rest
        share = np.clip(between / whole, 0.0, 1.0)
        within = np.sqrt((whole - between).clip(0.0) / (count - 2.0))
        return Contrast(centre + own, centre + others, (own - others) / within, share)


def _sums_with(values: FloatArray, packed: Packed | None, k: int) -> FloatArray:
    """Sums over the subsets that have each study."""
    if packed is not None:
        bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
        by_byte = [np.bincount(column, values, minlength=256) @ bits for column in packed.T]
        return np.asarray(np.concatenate(by_byte)[:k])
    sums, left = np.empty(k), np.concatenate([[0.0], values])
    for i in reversed(range(k)):  # the upper half has study i; folded onto the lower, it is done with
        without, have = left[: 1 << i], left[1 << i :]
        sums[i] = have.sum()
        left = without + have
    return sums


class Peaks(NamedTuple):
    """Where values gather, in rising order.

    Attributes
    ----------
    at : ndarray, shape (m,)
    share : ndarray, shape (m,)
        Of the values between the valleys on both sides.
    """

    at: FloatArray
    share: FloatArray


def density_peaks(values: FloatArray) -> Peaks:
    """The peaks of a density that a smooth curve of a fixed width makes of values.

    A normal kernel of 0.15 standard deviations. Two peaks are one where the density between them does not fall below
    80 % of the lower, and a peak that has less than 5 % of the values is none: conventions of this library, which ask
    for clusters that the eye would see, not a test.

    Parameters
    ----------
    values : ndarray, shape (n,)

    Returns
    -------
    Peaks
        One where the values do not differ; those beyond 6 standard deviations count for the outermost peaks.

    Examples
    --------
    >>> values = np.concatenate([np.linspace(0.0, 1.0, 300), np.linspace(3.0, 4.0, 700)])
    >>> print(density_peaks(values).share.round(2))
    [0.3 0.7]
    """
    centre, spread = float(values.mean()), float(values.std())
    if not spread > 1e-12 * max(1.0, abs(centre)):
        return Peaks(np.array([centre]), np.ones(1))
    step = spread * _WIDTH / _BINS_A_WIDTH
    half = int(_REACH * spread / step)
    cells = np.clip(np.rint((values - centre) / step), -half, half).astype(np.intp) + half
    counts = np.bincount(cells, minlength=2 * half + 1).astype(np.float64)
    offsets = np.arange(-4 * _BINS_A_WIDTH, 4 * _BINS_A_WIDTH + 1) / _BINS_A_WIDTH
    density = np.convolve(counts, np.exp(-0.5 * offsets * offsets), mode="same")
    edge = np.concatenate([[-1.0], density, [-1.0]])
    tops = np.flatnonzero((edge[1:-1] > edge[:-2]) & (edge[1:-1] >= edge[2:]) & (density > 0.0)).tolist()
    tops, share = _merged(density, counts / values.size, tops)
    return Peaks(centre + step * (np.array(tops) - half), share)


def _merged(density: FloatArray, counts: FloatArray, tops: list[int]) -> tuple[list[int], FloatArray]:
    """The tops that remain once shallow valleys are filled and small peaks joined to a neighbour."""
    while True:
        ends = [(low, low + int(density[low:high].argmin()), high) for low, high in pairwise(tops)]
        share = np.add.reduceat(counts, [0, *(valley for _, valley, _ in ends)])
        depth = [density[valley] / min(density[low], density[high]) for low, valley, high in ends]
        if ends and max(depth) > _SHALLOW:
            low, _, high = ends[int(np.argmax(depth))]
            tops.remove(low if density[low] < density[high] else high)
        elif ends and share.min() < _SMALL:
            tops.pop(int(share.argmin()))
        else:
            return tops, share
