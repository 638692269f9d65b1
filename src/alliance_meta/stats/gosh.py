"""Every subset of a set of studies, pooled: the numbers behind a GOSH plot.

A subset is a row of bytes, bit j of byte i standing for study 8i + j. The sums that a subset needs are those of its
parts: tables for a few studies are joined by Chan's rule for means and sums of squares, which adds positive terms only,
so that no digits are lost between effects that nearly agree.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.random_effects import random_effects

__all__ = [
    "BLOCK",
    "SubsetFits",
    "SubsetSums",
    "SubsetTables",
    "all_subsets",
    "block_fits",
    "packed_fits",
    "random_subsets",
    "subset_sums",
    "subset_tables",
    "unpacked",
]

Packed = npt.NDArray[np.uint8]

BLOCK_STUDIES = 13
BLOCK = 1 << BLOCK_STUDIES
"""Subsets of one block: its arrays stay in the cache."""

_QUICK = ("DL", "EE")
_TINY = 1e-300
"""Keeps the share of one empty part in another at 0; no sum of weights notices it."""


class SubsetSums(NamedTuple):
    """What is summed over the studies of each subset; each field has the batch shape.

    Attributes
    ----------
    k : ndarray
        Number of studies.
    weight : ndarray
        Sum of w = 1 / variance.
    pairs : ndarray
        Sum of w_i w_j over pairs of studies.
    mean : ndarray
        Weighted mean; 0 of the empty subset.
    q_statistic : ndarray
        Weighted sum of squares about it.
    """

    k: FloatArray
    weight: FloatArray
    pairs: FloatArray
    mean: FloatArray
    q_statistic: FloatArray


class SubsetTables(NamedTuple):
    """What the subsets of one set of studies share.

    Attributes
    ----------
    effect, variance : ndarray, shape (k,)
    centre : float
        The weighted mean of all, from which the effects are taken.
    low, high : SubsetSums
        Of all subsets of the first 13 studies, and of all subsets of those after them; of fewer, if only some are asked
        for.
    taken : ndarray, shape (13, 2**13)
        Which of the first studies are in each entry of `low`, as 0 and 1.
    by_byte : tuple of SubsetSums
        Of all subsets of each eight studies.
    """

    effect: FloatArray
    variance: FloatArray
    centre: float
    low: SubsetSums
    high: SubsetSums
    taken: FloatArray
    by_byte: tuple[SubsetSums, ...]


class SubsetFits(NamedTuple):
    """Fits of subsets; each field has shape (n,).

    Attributes
    ----------
    estimate : ndarray
        NaN of the empty subset, and where the estimator of tau2 did not reach its solution.
    tau2, i2 : ndarray
        As `pool` gives them: NaN of a single study, but tau2 is 0 under equal effects.
    q_statistic : ndarray
    k : ndarray
    """

    estimate: FloatArray
    tau2: FloatArray
    i2: FloatArray
    q_statistic: FloatArray
    k: FloatArray


def subset_sums(effect: FloatArray, variance: FloatArray) -> SubsetSums:
    """Sums of all 2**m subsets of m studies; entry i holds the studies whose bits are set in i.

    Parameters
    ----------
    effect, variance : ndarray, shape (m,)

    Returns
    -------
    SubsetSums
        Each field of shape (2**m,).

    References
    ----------
    Chan, T. F., Golub, G. H., & LeVeque, R. J. (1983). The American Statistician, 37, 242-247.

    Examples
    --------
    >>> sums = subset_sums(np.array([0.1, 0.3]), np.array([0.02, 0.02]))
    >>> print(sums.k, sums.mean.round(2), sums.q_statistic.round(2))
    [0. 1. 1. 2.] [0.  0.1 0.3 0.2] [0. 0. 0. 1.]
    """
    found = SubsetSums(*(np.zeros(1) for _ in SubsetSums._fields))
    for y, v in zip(effect, variance, strict=True):
        one = SubsetSums(*(np.array(value) for value in (1.0, 1.0 / v, 0.0, y, 0.0)))
        found = SubsetSums(*map(np.concatenate, zip(found, _joined(found, one), strict=True)))
    return found


def _joined(left: SubsetSums, right: SubsetSums) -> SubsetSums:
    weight = left.weight + right.weight
    step = right.mean - left.mean
    share = right.weight / (weight + _TINY)
    moved = step * share
    pairs = left.pairs + right.pairs + left.weight * right.weight
    apart = left.q_statistic + right.q_statistic + step * moved * left.weight
    return SubsetSums(left.k + right.k, weight, pairs, left.mean + moved, apart)


def subset_tables(effect: FloatArray, variance: FloatArray, *, every: bool) -> SubsetTables:
    """Tables for `block_fits` and `packed_fits`.

    Parameters
    ----------
    effect, variance : ndarray, shape (k,)
    every : bool
        Whether all subsets will be asked for: then the second table has an entry for each block.
    """
    by_byte = tuple(subset_sums(effect[i : i + 8], variance[i : i + 8]) for i in range(0, effect.size, 8))
    whole = SubsetSums(*(field[-1] for field in by_byte[0]))
    for part in by_byte[1:]:
        whole = _joined(whole, SubsetSums(*(field[-1] for field in part)))
    low = min(effect.size, BLOCK_STUDIES)
    taken = (np.arange(1 << low) >> np.arange(low)[:, None]) & 1
    rest = slice(low, None) if every else slice(0)
    return SubsetTables(
        effect=effect,
        variance=variance,
        centre=float(whole.mean),
        low=subset_sums(effect[:low], variance[:low]),
        high=subset_sums(effect[rest], variance[rest]),
        taken=taken.astype(np.float64),
        by_byte=by_byte,
    )


def block_fits(tables: SubsetTables, number: int, method: str) -> SubsetFits:
    """Fits of the subsets number * 2**13 and on, as many as `tables.low` has entries; the very first is empty.

    Parameters
    ----------
    tables : SubsetTables
    number : int
    method : {"DL", "EE"}

    Returns
    -------
    SubsetFits
    """
    sums = _joined(tables.low, SubsetSums(*(field[number] for field in tables.high)))
    low = len(tables.taken)
    columns: list[tuple[int, FloatArray | float]] = list(enumerate(tables.taken))
    columns += [(low + j, 1.0) for j in range(tables.effect.size - low) if number >> j & 1]
    return _quick(tables, sums, columns, method)


def packed_fits(tables: SubsetTables, packed: Packed, method: str) -> SubsetFits:
    """Fits of any subsets.

    Parameters
    ----------
    tables : SubsetTables
    packed : ndarray of uint8, shape (n, ceil(k / 8))
    method : str
        As in `random_effects`.

    Returns
    -------
    SubsetFits

    Examples
    --------
    >>> tables = subset_tables(np.array([0.1, 0.3, 0.9]), np.array([0.02, 0.03, 0.05]), every=False)
    >>> print(packed_fits(tables, np.array([[0b111], [0b011]], dtype=np.uint8), "DL").estimate.round(3))
    [0.405 0.18 ]
    """
    sums = _looked_up(tables.by_byte[0], packed[:, 0])
    for i, table in enumerate(tables.by_byte[1:], start=1):
        sums = _joined(sums, _looked_up(table, packed[:, i]))
    taken = unpacked(packed, tables.effect.size)
    if method in _QUICK:
        return _quick(tables, sums, list(enumerate(np.ascontiguousarray(taken.T, dtype=np.float64))), method)
    fit = random_effects(tables.effect, tables.variance, taken.astype(np.float64), tau2_method=method, test="z")
    estimate = np.where(fit.converged, fit.estimate, np.nan)
    tau2 = np.where(fit.converged & (fit.k > 1.0), fit.tau2, np.nan)
    return SubsetFits(estimate, tau2, _i2(tau2, sums), sums.q_statistic, sums.k)


def _looked_up(table: SubsetSums, byte: Packed) -> SubsetSums:
    return SubsetSums(*(field[byte] for field in table))


def _quick(
    tables: SubsetTables, sums: SubsetSums, columns: list[tuple[int, FloatArray | float]], method: str
) -> SubsetFits:
    """Equal effects, or DerSimonian and Laird's model; of one study tau2 and I2 are 0 / 0."""
    df = sums.k - 1.0
    if method == "EE":
        estimate = np.where(sums.k > 0.0, sums.mean, np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            i2 = 100.0 * np.fmax(1.0 - df / sums.q_statistic, 0.0)
        return SubsetFits(estimate, np.zeros(df.shape), np.where(df > 0.0, i2, np.nan), sums.q_statistic, sums.k)
    with np.errstate(invalid="ignore", divide="ignore"):
        tau2 = np.maximum((sums.q_statistic - df) * sums.weight / (2.0 * sums.pairs), 0.0)
    tau2[df < 1.0] = np.nan
    estimate = _mean_at(np.fmax(tau2, 0.0), tables, columns)
    return SubsetFits(estimate, tau2, _i2(tau2, sums), sums.q_statistic, sums.k)


def _mean_at(tau2: FloatArray, tables: SubsetTables, columns: list[tuple[int, FloatArray | float]]) -> FloatArray:
    """Means with weights 1 / (variance + tau2) and each subset's own tau2: one division a study, no table has them."""
    total, moment, weight = np.zeros(tau2.shape), np.zeros(tau2.shape), np.empty(tau2.shape)
    distance, variance = (tables.effect - tables.centre).tolist(), tables.variance.tolist()
    for i, taken in columns:
        np.add(tau2, variance[i], out=weight)
        np.divide(taken, weight, out=weight)
        total += weight
        weight *= distance[i]
        moment += weight
    with np.errstate(invalid="ignore"):  # the empty subset
        moment /= total
    moment += tables.centre
    return moment


def _i2(tau2: FloatArray, sums: SubsetSums) -> FloatArray:
    """As `heterogeneity.inconsistency_from_tau2` has it, with sum(w)**2 - sum(w**2) = 2 sum of pairs."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(100.0 * tau2 / (tau2 + (sums.k - 1.0) * sums.weight / (2.0 * sums.pairs)))


def all_subsets(k: int) -> Packed:
    """All 2**k - 1 subsets of one study or more, in the order of their numbers.

    Parameters
    ----------
    k : int
        At most 32.

    Returns
    -------
    ndarray of uint8, shape (2**k - 1, ceil(k / 8))

    Examples
    --------
    >>> all_subsets(2)[:, 0].tolist()
    [1, 2, 3]
    """
    numbers = np.arange(1, 1 << k, dtype="<u4")
    return np.ascontiguousarray(numbers.view(np.uint8).reshape(-1, 4)[:, : -(-k // 8)])


def random_subsets(k: int, n: int, seed: int) -> Packed:
    """Subsets drawn independently, each of the 2**k - 1 with the same chance; the same one may come again.

    Parameters
    ----------
    k, n, seed : int

    Returns
    -------
    ndarray of uint8, shape (n, ceil(k / 8))

    Examples
    --------
    >>> random_subsets(40, 2, seed=1).shape
    (2, 5)
    """
    generator = np.random.default_rng(seed)
    size = -(-k // 8)
    last = np.uint8(0xFF >> (8 * size - k))
    packed, empty = np.zeros((n, size), dtype=np.uint8), np.arange(n)
    while empty.size:
        packed[empty] = generator.integers(0, 256, (empty.size, size), dtype=np.uint8)
        packed[:, -1] &= last
        empty = empty[~packed[empty].any(axis=1)]
    return packed


def unpacked(packed: Packed, k: int) -> Packed:
    """Subsets as rows of 0 and 1, shape (n, k).

    Examples
    --------
    >>> unpacked(np.array([[5]], dtype=np.uint8), 3).tolist()
    [[1, 0, 1]]
    """
    return np.unpackbits(packed, axis=1, count=k, bitorder="little")
