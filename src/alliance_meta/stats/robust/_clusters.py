"""Observations in their clusters, equally large clusters together, with errors made independent where they are not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alliance_meta.errors import InputError
from alliance_meta.stats._arrays import FloatArray, IntArray

__all__ = ["Block", "Clusters", "Group", "Whitened", "blocks_of", "scaled", "whitened"]

_NUMBERS_AT_ONCE = 1 << 20
"""In the matrices of clusters that are worked on together."""


class Block(NamedTuple):
    """Equally large blocks of the working covariance: which observations, (b, m), and their covariances, (b, m, m)."""

    rows: IntArray
    covariance: FloatArray


class Group(NamedTuple):
    """Clusters of one size: their numbers, (s,), and their observations, (s, m)."""

    clusters: IntArray
    rows: IntArray


class Clusters(NamedTuple):
    """The cluster of each observation, 0, 1, ..., and the number of observations in each cluster."""

    of_row: IntArray
    sizes: IntArray

    @classmethod
    def of(cls, index: IntArray) -> Clusters:
        """Clusters by the number of each observation's."""
        return cls(index, np.bincount(index).astype(np.intp))

    def groups(self) -> Iterator[Group]:
        """Equally large clusters, as many at once as leave their matrices near the processor."""
        order = np.argsort(self.of_row, kind="stable")
        first = np.cumsum(self.sizes) - self.sizes
        for m in np.unique(self.sizes).tolist():
            alike = np.flatnonzero(self.sizes == m)
            step = max(1, _NUMBERS_AT_ONCE // m**2)
            for start in range(0, alike.size, step):
                some = alike[start : start + step]
                yield Group(some, order[first[some][:, None] + np.arange(m)])


def blocks_of(groups: npt.ArrayLike, covariance: Callable[[IntArray], FloatArray]) -> list[Block]:
    """The blocks of a working covariance whose outermost groups are these.

    Parameters
    ----------
    groups : array_like of int, shape (n,)
        The number of each observation's group: 0, 1, ..., none left out.
    covariance : callable
        Gives the covariances (b, m, m) of the observations of some groups, numbered in an array (b, m).

    Returns
    -------
    list of Block

    Examples
    --------
    A variance of 0.04 between studies, and of 0.1 within them:

    >>> made = blocks_of([0, 0, 1], lambda rows: 0.04 + 0.1 * np.eye(rows.shape[1]) + np.zeros((*rows.shape, 1)))
    >>> [block.covariance.shape for block in made]
    [(1, 1, 1), (1, 2, 2)]
    """
    return [
        Block(group.rows, covariance(group.rows)) for group in Clusters.of(np.asarray(groups, dtype=np.intp)).groups()
    ]


class Whitened(NamedTuple):
    """A model whose errors the weights make independent: W = R'R, and everything multiplied by R.

    Attributes
    ----------
    design : ndarray, shape (n, p)
    residual : ndarray, shape (n,)
    spread : ndarray, shape (n,), or list of ndarray, shape (s, m, m)
        D R^-1 for a root D of the working covariance (D'D): of each observation, or of the clusters in each group.
    variance : ndarray, shape (n,), or None
        Of the errors now, under the working model; None where all are 1.
    """

    design: FloatArray
    residual: FloatArray
    spread: FloatArray | list[FloatArray]
    variance: FloatArray | None


def scaled(design: FloatArray, residual: FloatArray, variance: FloatArray, weights: FloatArray | None) -> Whitened:
    """Independent errors: a variance, and a weight unless it is 1 / variance, for each observation."""
    if weights is None:
        root = np.sqrt(1.0 / variance)
        return Whitened(design * root[:, None], residual * root, variance, None)
    root = np.sqrt(weights)
    return Whitened(design * root[:, None], residual * root, np.sqrt(variance / weights), variance * weights)


def whitened(design: FloatArray, residual: FloatArray, blocks: Sequence[Block], clusters: Clusters) -> Whitened:
    """Errors correlated within blocks, which lie within clusters; the weights are the inverse covariance."""
    _check(blocks, clusters, len(design))
    x, e = np.empty_like(design), np.empty_like(residual)
    spread = []
    for group in clusters.groups():
        try:
            root = np.linalg.cholesky(_dense(group, blocks, clusters))
        except np.linalg.LinAlgError:
            raise InputError("a block of the working covariance is not positive definite") from None
        both = np.concatenate([design[group.rows], residual[group.rows][..., None]], axis=-1)
        solved = np.linalg.solve(root, both)
        x[group.rows], e[group.rows] = solved[..., :-1], solved[..., -1]
        spread.append(np.swapaxes(root, -1, -2) @ root)
    return Whitened(x, e, spread, None)


def _check(blocks: Sequence[Block], clusters: Clusters, n: int) -> None:
    if not np.array_equal(np.sort(np.concatenate([block.rows.ravel() for block in blocks])), np.arange(n)):
        raise InputError(f"the blocks of the working covariance must hold each of the {n} observations once")
    for block in blocks:
        of = clusters.of_row[block.rows]
        torn = block.rows[(of != of[:, :1]).any(axis=1)]
        if torn.size:
            raise InputError(
                "the working model correlates observations of different clusters, such as rows "
                f"{', '.join(map(str, torn[0].tolist()))}: clusters must contain the model's outermost groups"
            )


def _dense(group: Group, blocks: Sequence[Block], clusters: Clusters) -> FloatArray:
    """The working covariance of each cluster of a group, (s, m, m)."""
    s, m = group.rows.shape
    place = np.full((2, clusters.of_row.size), -1, dtype=np.intp)
    place[:, group.rows.ravel()] = np.divmod(np.arange(s * m), m)
    made = np.zeros((s, m, m))
    for block in blocks:
        own = place[0, block.rows[:, 0]] >= 0
        slot, inner = place[:, block.rows[own]]
        made[slot[:, :, None], inner[:, :, None], inner[:, None, :]] = block.covariance[own]
    return made
