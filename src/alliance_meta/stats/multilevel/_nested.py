"""The likelihood of nested random effects, in time and memory linear in the number of effects.

Effects stand in groups within groups: V = diag(lambda + s0) + s1 Z1 Z1' + s2 Z2 Z2' + ... Sampling errors that are
correlated within the innermost groups are made independent by turning each group to the eigenvectors of its sampling
covariance, once. Adding a group's random effect changes the inverse of its block by one rank (Sherman and Morrison), so
every level costs one pass over its groups, and only sums of products are kept: of the columns of the design, the
effects and the group's own column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from alliance_meta.stats._arrays import FloatArray, IntArray
from alliance_meta.stats.multilevel._jet import Jet
from alliance_meta.stats.multilevel._profiled import Likelihood, Sums, profiled

__all__ = ["Likelihood", "Nested", "Sums", "by_group", "likelihood", "nested", "sums"]


@dataclass(frozen=True, slots=True)
class Nested:
    """Effects in the order of their groups.

    Attributes
    ----------
    products : ndarray, shape (m (m + 1) / 2, n)
        Of each two of the m = p + 2 columns: the design, the effects, the group's column.
    eigenvalues : ndarray, shape (n,)
        Of the sampling covariances; the sampling variances where errors are independent.
    starts : tuple of ndarray
        For each level, the innermost first, where its groups begin among the groups (or effects) of the level below.
    p : int
    """

    products: FloatArray
    eigenvalues: FloatArray
    starts: tuple[IntArray, ...]
    p: int

    @property
    def levels(self) -> int:
        """Number of variance components: the effects' own, and one a level of groups."""
        return 1 + len(self.starts)


def nested(
    effect: FloatArray,
    design: FloatArray,
    ones: FloatArray,
    eigenvalues: FloatArray,
    groups: Sequence[IntArray],
) -> Nested:
    """Prepare effects that stand in the order of their groups.

    Parameters
    ----------
    effect, ones, eigenvalues : ndarray, shape (n,)
        The effects, the groups' column of ones and the sampling variances, all turned to the eigenvectors.
    design : ndarray, shape (n, p)
    groups : sequence of ndarray of int, shape (n,)
        Group of each effect, the innermost level first; equal numbers stand together.
    """
    columns = np.concatenate([design.T, effect[None], ones[None]])
    left, right, _ = _pairs(len(columns))
    starts: list[IntArray] = []
    below = np.arange(effect.size)
    for group in groups:
        first = np.flatnonzero(np.concatenate([[True], group[1:] != group[:-1]]))
        starts.append(np.searchsorted(below, first))
        below = first
    return Nested(columns[left] * columns[right], eigenvalues, tuple(starts), design.shape[1])


@lru_cache(maxsize=64)
def _pairs(m: int) -> tuple[IntArray, IntArray, IntArray]:
    """Both columns of each pair, as in an upper triangle, and where the pairs with the last column stand."""
    left, right = np.triu_indices(m)
    return left, right, np.flatnonzero(right == m - 1)


def sums(data: Nested, components: FloatArray) -> Sums:
    """B'V^-1 B and log det V at some variance components, with derivatives with respect to them."""
    inner, log_det = by_group(data, components)
    m = data.p + 2
    return Sums(_square(inner.total(), m, *_pairs(m)[:2]), log_det)


def by_group(data: Nested, components: FloatArray) -> tuple[Jet, Jet]:
    """Sums of products of each outermost group, (pairs, groups), pairs as in an upper triangle; and log det V."""
    count = data.levels
    inner, log_det = _effects(data, float(components[0]), count)
    m = data.p + 2
    left, right, to_z = _pairs(m)
    for number in range(1, count):
        if number > 1:
            inner = _summed(inner, data.starts[number - 1])
        parameter = Jet.parameter(float(components[number]), number, count)
        inner, own = _with_group_effect(inner, parameter, to_z, left, right)
        log_det = log_det + own
    return inner, log_det


def _effects(data: Nested, own: float, count: int) -> tuple[Jet, Jet]:
    """The lowest level, where V is diagonal, summed over its groups."""
    a = 1.0 / (data.eigenvalues + own)
    starts = data.starts[0] if data.levels > 1 else np.zeros(1, dtype=np.intp)
    powers = np.add.reduceat(data.products * np.stack([a, -(a**2), 2.0 * a**3])[:, None], starts, axis=-1)
    first = np.zeros((count, *powers.shape[1:]))
    second = np.zeros((count, count, *powers.shape[1:]))
    first[0], second[0, 0] = powers[1], powers[2]
    slope, curvature = np.zeros(count), np.zeros((count, count))
    slope[0], curvature[0, 0] = a.sum(), -(a**2).sum()
    return Jet(powers[0], first, second), Jet(np.asarray(-np.log(a).sum()), slope, curvature)


def _with_group_effect(inner: Jet, own: Jet, to_z: IntArray, left: IntArray, right: IntArray) -> tuple[Jet, Jet]:
    """Sums of products (pairs, groups) once every group has a random effect with variance `own`; and log det's part."""
    own = _over_groups(own)
    last = int(to_z[-1])
    grown = own * Jet(inner.value[last], inner.first[:, last], inner.second[:, :, last])
    share = own * grown.inverse_of_1_plus()
    reduced = inner - _taken(share, _pick(inner, to_z[left]) * _pick(inner, to_z[right]))
    return reduced, grown.log1p().total()


def _over_groups(own: Jet) -> Jet:
    return Jet(own.value[None], own.first[:, None], own.second[:, :, None])


def _pick(z: Jet, which: IntArray) -> Jet:
    return Jet(z.value[which], z.first[:, which], z.second[:, :, which])


def _taken(one: Jet, other: Jet) -> Jet:
    """The product of numbers a group, or a pair and group, with numbers a pair and group."""
    if one.value.ndim < other.value.ndim:
        one = Jet(one.value[None], one.first[:, None], one.second[:, :, None])
    return one * other


def _summed(inner: Jet, starts: IntArray) -> Jet:
    return Jet(*(np.add.reduceat(part, starts, axis=-1) for part in (inner.value, inner.first, inner.second)))


def _square(packed: Jet, m: int, left: IntArray, right: IntArray) -> Jet:
    """Matrices from their upper triangles."""
    parts = []
    for part in (packed.value, packed.first, packed.second):
        full = np.empty((*part.shape[:-1], m, m))
        full[..., left, right] = part
        full[..., right, left] = part
        parts.append(full)
    return Jet(*parts)


def likelihood(data: Nested, components: FloatArray, *, restricted: bool) -> Likelihood:
    """Log-likelihood with the coefficients profiled out, up to a constant: see `profiled`."""
    return profiled(sums(data, components), data.p, restricted=restricted)
