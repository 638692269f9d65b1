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
    inner, log_det = _effects(data, float(components[0]))
    for number in range(1, data.levels):
        if number > 1:
            inner = _summed(inner, data.starts[number - 1])
        inner, log_det = _with_group_effect(inner, log_det, float(components[number]), data.p + 2)
    return inner, log_det


def _effects(data: Nested, own: float) -> tuple[Jet, Jet]:
    """The lowest level, where V is diagonal, summed over its groups; with derivatives in its own component only."""
    a = 1.0 / (data.eigenvalues + own)
    starts = data.starts[0] if data.levels > 1 else np.zeros(1, dtype=np.intp)
    square = a * a
    powers = np.add.reduceat(data.products * np.stack([a, -square, 2.0 * square * a])[:, None], starts, axis=-1)
    log_det = Jet(np.asarray(-np.log(a).sum()), a.sum().reshape(1), -square.sum().reshape(1, 1))
    return Jet(powers[0], powers[1][None], powers[2][None, None]), log_det


def _with_group_effect(inner: Jet, log_det: Jet, own: float, m: int) -> tuple[Jet, Jet]:
    """Sums of products (pairs, groups) and log det V once every group has a random effect with variance `own`.

    With g = 1'V^-1 1 and b = V^-1 1 of a group, its products lose own / (1 + own g) bb', and log det V gains
    log(1 + own g). What comes in has no derivatives with respect to `own`; what goes out has them last.
    """
    left, right, to_z = _pairs(m)
    last = int(to_z[-1])
    g = Jet(inner.value[last], inner.first[:, last], inner.second[:, :, last])
    z = _pick(inner, to_z)
    b = _pick(z, left) * _pick(z, right)
    h = 1.0 / (1.0 + own * g.value)
    hh = h * h
    lost = _over_pairs(g.of(own * h, -(own**2) * hh, 2.0 * own**3 * hh * h)) * b
    shrunk = hh * b.value
    mixed = hh * b.first - (2.0 * own * h * g.first)[:, None] * shrunk
    reduced = _with_derivatives(inner - lost, -shrunk, -mixed, 2.0 * g.value * h * shrunk)
    gain, share = g.of(np.log1p(own * g.value), own * h, -(own**2) * hh).total(), g.value * h
    whole = _with_derivatives(log_det + gain, share.sum(), (hh * g.first).sum(axis=-1), -(share**2).sum())
    return reduced, whole


def _with_derivatives(found: Jet, slope: FloatArray, mixed: FloatArray, curvature: FloatArray) -> Jet:
    """One parameter more, after the others."""
    count = len(found.first)
    first = np.empty((count + 1, *found.value.shape))
    second = np.empty((count + 1, *first.shape))
    first[:count], first[count] = found.first, slope
    second[:count, :count], second[count, count] = found.second, curvature
    second[:count, count] = second[count, :count] = mixed
    return Jet(found.value, first, second)


def _over_pairs(one: Jet) -> Jet:
    return Jet(one.value[None], one.first[:, None], one.second[:, :, None])


def _pick(z: Jet, which: IntArray) -> Jet:
    return Jet(z.value.take(which, -2), z.first.take(which, -2), z.second.take(which, -2))


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
