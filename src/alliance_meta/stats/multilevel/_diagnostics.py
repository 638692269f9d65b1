"""What a multilevel model is without each cluster of its effects, and the height of its profile likelihood.

With the components held, groups of the model are taken out of the sums of products along the way from their level to
the top: all of a level's groups in one pass over the effects.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import BoolArray, FloatArray, IntArray
from alliance_meta.stats.multilevel._climb import highest
from alliance_meta.stats.multilevel._fit import Problem, prepared
from alliance_meta.stats.multilevel._leaving_out import climbed_together
from alliance_meta.stats.multilevel._nested import Nested, likelihood
from alliance_meta.stats.multilevel._shares import Effects, correlation_of, group_starts

__all__ = [
    "Influence",
    "components_without",
    "influence",
    "profile_heights",
]

_GONE = 1e-10
"""A coefficient of whose information all but this share is lost with a cluster cannot be told without it."""


class _Pairs(NamedTuple):
    """The upper triangle of products of m columns, and where those with the last column stand."""

    left: IntArray
    right: IntArray
    to_last: IntArray

    @classmethod
    def of(cls, m: int) -> _Pairs:
        left, right = np.triu_indices(m)
        last = np.array([np.flatnonzero((left == i) & (right == m - 1))[0] for i in range(m)])
        return cls(left, right, last)

    def reduced(self, inner: FloatArray, own: float) -> FloatArray:
        """Sums of products (pairs, groups) once every group has a random effect with variance `own`."""
        z = inner[self.to_last]
        return np.asarray(inner - own / (1.0 + own * z[-1]) * z[self.left] * z[self.right])

    def square(self, packed: FloatArray) -> FloatArray:
        """Matrices (..., m, m) from triangles (pairs, ...)."""
        m = self.to_last.size
        full = np.empty((*packed.shape[1:], m, m))
        full[..., self.left, self.right] = full[..., self.right, self.left] = np.moveaxis(packed, 0, -1)
        return full


def _levels(data: Nested, components: FloatArray) -> list[FloatArray]:
    """Sums of products of the effects, and of each level's groups with their random effect."""
    pairs = _Pairs.of(data.p + 2)
    found = [data.products / (data.eigenvalues + components[0])]
    for starts, own in zip(data.starts, components[1:].tolist(), strict=True):
        found.append(pairs.reduced(np.add.reduceat(found[-1], starts, axis=-1), own))
    return found


def _crossed(data: Nested, components: FloatArray) -> FloatArray:
    """B'V^-1 B, (m, m)."""
    return _Pairs.of(data.p + 2).square(_levels(data, components)[-1].sum(axis=-1))


def _without_groups(data: Nested, components: FloatArray, level: int) -> FloatArray:
    """B'V^-1 B (groups, m, m) of all effects but those of each group of a level."""
    pairs, found = _Pairs.of(data.p + 2), _levels(data, components)
    gone = found[level]
    at = np.arange(gone.shape[-1])
    for above in range(level, data.levels - 1):
        starts = data.starts[above]
        at = (np.searchsorted(starts, at, side="right") - 1).astype(np.intp)
        kept = np.add.reduceat(found[above], starts, axis=-1)[:, at] - gone
        gone = found[above + 1][:, at] - pairs.reduced(kept, float(components[above + 1]))
    return pairs.square(found[-1].sum(axis=-1)[:, None] - gone)


def _matching_level(effects: Effects, clusters: IntArray) -> int | None:
    """The level whose groups are the clusters; effects whose sampling errors are correlated cannot be taken out so."""
    lowest = 0 if effects.correlation is None else 1
    codes = [np.arange(clusters.size), *effects.codes]
    for level in range(lowest, len(codes)):
        joint = np.unique(np.stack([codes[level], clusters]), axis=1).shape[1]
        if joint == np.unique(codes[level]).size == np.unique(clusters).size:
            return level
    return None


class _Part(NamedTuple):
    """Some of the effects; `back` (m, m) makes the whole problem's columns of this one's, where they are others."""

    data: Nested
    back: FloatArray | None = None

    def crossed(self, components: FloatArray) -> FloatArray:
        """B'V^-1 B, (m, m), for the columns of the whole problem."""
        found = _crossed(self.data, components)
        return found if self.back is None else self.back.T @ found @ self.back


def _part(effects: Effects, keep: BoolArray) -> _Part:
    data, codes = effects.problem.data, [code[keep] for code in effects.codes]
    whole = np.isin(effects.codes[0][keep], effects.codes[0][~keep], invert=True).all()
    if effects.correlation is not None and not whole:  # the eigenvectors of groups that are cut are others
        rho = correlation_of(effects.correlation, np.flatnonzero(keep))
        anew = prepared(effects.residual[keep], effects.variance[keep], effects.basis[keep], codes, rho)
        back = np.eye(data.p + 2)
        back[: data.p, : data.p], back[: data.p, data.p] = anew.triangle, anew.explained
        return _Part(anew.data, back)
    starts, below = list[IntArray](), np.arange(int(keep.sum()))
    for code in codes:
        first = group_starts(code)
        starts.append(np.searchsorted(below, first))
        below = first
    return _Part(Nested(data.products[:, keep], data.eigenvalues[keep], tuple(starts), data.p))


def _parts(effects: Effects, clusters: IntArray) -> Iterator[tuple[int, _Part]]:
    for cluster in range(int(clusters.max()) + 1):
        keep = clusters != cluster
        if keep.any():
            yield cluster, _part(effects, keep)


# The model without a cluster


class Influence(NamedTuple):
    """The model without each cluster.

    Attributes
    ----------
    coefficients : ndarray, shape (S, p)
        NaN where they cannot be told without the cluster.
    cooks_distance : ndarray, shape (S,)
        d'M d for the change d of the coefficients and the inverse M of their covariance with all effects.
    dfbetas : ndarray, shape (S, p)
        Change over the standard error, with all effects but the components without the cluster.
    """

    coefficients: FloatArray
    cooks_distance: FloatArray
    dfbetas: FloatArray


def influence(
    effects: Effects, clusters: npt.ArrayLike, components: FloatArray, without: FloatArray | None = None
) -> Influence:
    """Take out each cluster of effects in turn.

    Parameters
    ----------
    effects : Effects
    clusters : array_like of int, shape (n,)
        Numbers 0, 1, ..., in the order of the table.
    components : ndarray, shape (L,)
        Of the whole model.
    without : ndarray, shape (S, L), optional
        Of the model without each cluster; those of the whole model by default.

    References
    ----------
    Cook, R. D., & Weisberg, S. (1982). Residuals and influence in regression.
    Viechtbauer, W., & Cheung, M. W.-L. (2010). Research Synthesis Methods, 1, 112-125.
    """
    problem = effects.problem
    data, p = problem.data, problem.data.p
    own = np.asarray(clusters, dtype=np.intp)[problem.order]
    whole = _crossed(data, components)
    inner = whole[:p, :p]
    left = _all_without(effects, own, components, without)
    turned = _coefficients(left, inner, p)
    change = np.linalg.solve(inner, whole[:p, p]) - turned
    inverse = np.linalg.inv(problem.triangle)
    if without is None:
        spread = np.broadcast_to(np.linalg.inv(inner), (len(left), p, p))
    else:
        known = np.isfinite(without).all(axis=1)
        spread = np.full((len(left), p, p), np.nan)
        for i in np.flatnonzero(known).tolist():
            spread[i] = np.linalg.inv(_crossed(data, without[i])[:p, :p])
    std_errors = np.sqrt(np.einsum("ij,sjk,ik->si", inverse, spread, inverse))
    return Influence(
        (turned + problem.explained) @ inverse.T,
        np.asarray(np.einsum("si,ij,sj->s", change, inner, change)),
        change @ inverse.T / std_errors,
    )


def _all_without(
    effects: Effects, clusters: IntArray, components: FloatArray, without: FloatArray | None
) -> FloatArray:
    """B'V^-1 B (S, m, m) without each cluster; NaN where the components are."""
    count, m = int(clusters.max()) + 1, effects.basis.shape[1] + 2
    found = np.zeros((count, m, m))
    level = _matching_level(effects, clusters) if without is None else None
    if level is not None:
        first = np.unique(effects.codes[level - 1] if level else np.arange(clusters.size), return_index=True)[1]
        found[clusters[np.sort(first)]] = _without_groups(effects.problem.data, components, level)
        return found
    for cluster, part in _parts(effects, clusters):
        here = components if without is None else without[cluster]
        found[cluster] = part.crossed(here) if np.isfinite(here).all() else np.nan
    return found


def _coefficients(left: FloatArray, inner: FloatArray, p: int) -> FloatArray:
    """Coefficients (S, p) from the sums without each cluster; NaN where a part of them has lost its information."""
    root = np.linalg.inv(np.linalg.cholesky(inner))
    scaled = root @ left[:, :p, :p] @ root.T
    told = np.asarray(np.isfinite(left).all(axis=(1, 2)))
    told[told] = np.linalg.eigvalsh(scaled[told])[:, 0] > _GONE
    found = np.full((len(left), p), np.nan)
    solved = np.linalg.solve(scaled[told], (left[told, :p, p] @ root.T)[..., None])
    found[told] = solved[..., 0] @ root
    return found


def components_without(
    effects: Effects, clusters: npt.ArrayLike, components: FloatArray, fixed: BoolArray, *, restricted: bool
) -> FloatArray:
    """Variance components without each cluster, climbing from those of the whole model.

    Parameters
    ----------
    effects : Effects
    clusters : array_like of int, shape (n,)
        Numbers 0, 1, ..., in the order of the table.
    components : ndarray, shape (L,)
    fixed : ndarray of bool, shape (L,)
        Components that are 0 in the model; those of levels that cannot be told apart without a cluster join them.
    restricted : bool

    Returns
    -------
    ndarray, shape (S, L)
        NaN where too few effects are left, coefficients cannot be told, or the climb does not end.
    """
    own = np.asarray(clusters, dtype=np.intp)[effects.problem.order]
    p = effects.basis.shape[1]
    inner = _crossed(effects.problem.data, components)[:p, :p]
    left = _all_without(effects, own, components, None)
    told = np.asarray(np.isfinite(_coefficients(left, inner, p)).all(axis=1))
    found = np.full((int(own.max()) + 1, components.size), np.nan)
    enough = own.size - np.bincount(own) > p
    todo = np.flatnonzero(told & enough)
    keep = own != todo[:, None]
    still = np.array([fixed | _indistinct(effects, each) for each in keep]).reshape(-1, fixed.size)
    start = np.where(still, 0.0, components)
    scale = np.where(keep, effects.problem.data.eigenvalues, np.inf).min(axis=1, initial=np.inf)
    settled = np.zeros(todo.size, dtype=bool)
    if _whole_groups(effects, own):
        found[todo], settled = climbed_together(effects.problem.data, keep, start, still, scale, restricted=restricted)
    for i in np.flatnonzero(~settled).tolist():
        function = partial(likelihood, _part(effects, keep[i]).data, restricted=restricted)
        end = highest(function, [start[i]], np.full(fixed.size, scale[i]), still[i])
        found[todo[i]] = end.components if end.converged else np.nan
    return found


def _whole_groups(effects: Effects, clusters: IntArray) -> bool:
    """Whether effects can be left out of the sums of products as they are."""
    if effects.correlation is None:
        return True
    first = group_starts(effects.codes[0])
    return bool((clusters == np.repeat(clusters[first], np.diff(np.append(first, clusters.size)))).all())


def _indistinct(effects: Effects, keep: BoolArray) -> BoolArray:
    """Levels with the groups of the level below, or with one group only, among some of the effects."""
    counts = [int(keep.sum()), *(group_starts(code[keep]).size for code in effects.codes)]
    return np.array([i > 0 and count in (1, counts[i - 1]) for i, count in enumerate(counts)])


def profile_heights(
    problem: Problem,
    components: FloatArray,
    which: int,
    values: Sequence[float] | FloatArray,
    *,
    restricted: bool,
    fixed: BoolArray,
) -> FloatArray:
    """The profile log-likelihood of a component below its maximum, at some values; NaN where the climb does not end.

    Parameters
    ----------
    problem : Problem
    components : ndarray, shape (L,)
        At the maximum.
    which : int
        Of the component.
    values : sequence of float
    restricted : bool
    fixed : ndarray of bool, shape (L,)
    """
    still = fixed.copy()
    still[which] = True
    function = partial(likelihood, problem.data, restricted=restricted)
    scale = np.full(components.size, problem.eigenvalues.min())
    top, found, start = function(components).value, [], components.copy()
    for value in values:
        start = start.copy()
        start[which] = value
        end = highest(function, [start], scale, still)
        found.append(end.at.value - top if end.converged else np.nan)
        start = end.components
    return np.array(found)
