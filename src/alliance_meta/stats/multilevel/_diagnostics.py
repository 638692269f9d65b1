"""What a multilevel model is without each cluster of its effects, and the height of its profile likelihood.

With the components held, groups of the model are taken out of the sums of products along the way from their level to
the top: all of a level's groups in one pass over the effects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import BoolArray, FloatArray, IntArray
from alliance_meta.stats.multilevel._climb import climb
from alliance_meta.stats.multilevel._fit import Problem, prepared
from alliance_meta.stats.multilevel._nested import Likelihood, Nested, likelihood
from alliance_meta.stats.multilevel._shares import Effects, correlation_of, group_starts

__all__ = [
    "Influence",
    "components_without",
    "influence",
    "profile_heights",
]

_GONE = 1e-10
"""A coefficient of whose information all but this share is lost with a cluster cannot be told without it."""
_SETTLED = 1e-7
"""Of a component: a Newton step below it leaves an error of its square."""
_STEPS = 12


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
    told = np.isfinite(left).all(axis=(1, 2))
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
    told = np.isfinite(_coefficients(_all_without(effects, own, components, None), inner, p)).all(axis=1)
    found = np.full((int(own.max()) + 1, components.size), np.nan)
    for cluster, (data, _) in _parts(effects, own):
        if told[cluster] and data.eigenvalues.size > p:
            still = fixed | _indistinct(data)
            start = np.where(still, 0.0, components)
            function = partial(likelihood, data, restricted=restricted)
            found[cluster] = _settled(function, start, np.full(components.size, data.eigenvalues.min()), still)
    return found


def _indistinct(data: Nested) -> BoolArray:
    """Levels with the groups of the level below, or with one group only."""
    counts = [data.eigenvalues.size, *(starts.size for starts in data.starts)]
    return np.array([i > 0 and count in (1, counts[i - 1]) for i, count in enumerate(counts)])


def _settled(
    function: Callable[[FloatArray], Likelihood], start: FloatArray, scale: FloatArray, fixed: BoolArray
) -> FloatArray:
    """Newton's steps from near a maximum; the slower, safe climb where one of them does not go up."""
    here, height = start, -np.inf
    for _ in range(_STEPS):
        at = function(here)
        free = ~fixed & ((here > 0.0) | (at.first > 0.0))
        if at.value < height or np.linalg.eigvalsh(-at.second[np.ix_(free, free)]).min(initial=1.0) <= 0.0:
            break
        step = np.zeros(here.size)
        step[free] = np.linalg.solve(-at.second[np.ix_(free, free)], at.first[free])
        there, height = np.maximum(here + step, 0.0), at.value - 1e-12 * abs(at.value)
        size = float((np.abs(there - here) / (here + scale)).max())
        here = there
        if size <= _SETTLED:
            return here
    end = climb(function, start, scale, fixed)
    return end.components if end.converged else np.full(start.size, np.nan)


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
        end = climb(function, start, scale, still)
        found.append(end.at.value - top if end.converged else np.nan)
        start = end.components
    return np.array(found)
