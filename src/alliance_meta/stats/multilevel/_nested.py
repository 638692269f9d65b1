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
from typing import NamedTuple

import numpy as np

from alliance_meta.stats._arrays import FloatArray, IntArray
from alliance_meta.stats.multilevel._jet import Jet

__all__ = ["Likelihood", "Nested", "Sums", "likelihood", "nested", "sums"]


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


class Sums(NamedTuple):
    """What the likelihood is made of: B'V^-1 B for the columns B, (m, m), and log det V; with their derivatives."""

    inner: Jet
    log_det: Jet


class Likelihood(NamedTuple):
    """Log-likelihood (restricted or not), with its slope (L,) and curvature (L, L), and the coefficients behind it.

    `covariance` (p, p) is that of the coefficients, `covariance_slopes` (L, p, p) how it changes with the components.
    """

    value: float
    first: FloatArray
    second: FloatArray
    coefficients: FloatArray
    covariance: FloatArray
    covariance_slopes: FloatArray


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
    left, right = np.triu_indices(len(columns))
    starts: list[IntArray] = []
    below = np.arange(effect.size)
    for group in groups:
        first = np.flatnonzero(np.concatenate([[True], group[1:] != group[:-1]]))
        starts.append(np.searchsorted(below, first))
        below = first
    return Nested(columns[left] * columns[right], eigenvalues, tuple(starts), design.shape[1])


def sums(data: Nested, components: FloatArray) -> Sums:
    """B'V^-1 B and log det V at some variance components, with derivatives with respect to them."""
    count = data.levels
    parameters = [Jet.parameter(float(value), i, count) for i, value in enumerate(components)]
    inner, log_det = _effects(data, float(components[0]), count)
    m = data.p + 2
    left, right = np.triu_indices(m)
    to_z = np.array([np.flatnonzero((left == i) & (right == m - 1))[0] for i in range(m)])
    for number, starts in enumerate(data.starts[1:] if data.levels > 1 else (), start=1):
        inner, own = _with_group_effect(inner, parameters[number], to_z, left, right)
        log_det = log_det + own
        inner = _summed(inner, starts)
    if data.levels > 1:
        inner, own = _with_group_effect(inner, parameters[-1], to_z, left, right)
        log_det = log_det + own
    return Sums(_square(inner.total(), m, left, right), log_det)


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
    z = Jet(inner.value[to_z], inner.first[:, to_z], inner.second[:, :, to_z])
    grown = own * Jet(z.value[-1], z.first[:, -1], z.second[:, :, -1])
    share = own * grown.inverse_of_1_plus()
    reduced = inner - _taken(share, _taken(_pick(z, left), _pick(z, right)))
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
    """Log-likelihood with the coefficients profiled out, up to a constant.

    The restricted one has, as elsewhere in the library, half of log det X'V^-1 X taken off; half of log det X'X is for
    the caller to add.
    """
    inner, log_det = sums(data, components)
    p = data.p
    m, dm, d2m = (part[..., :p, :p] for part in (inner.value, inner.first, inner.second))
    r, dr, d2r = (part[..., :p, p] for part in (inner.value, inner.first, inner.second))
    q, dq, d2q = (part[..., p, p] for part in (inner.value, inner.first, inner.second))
    covariance = np.linalg.inv(m)
    b = covariance @ r
    # Slopes and curvatures of the residual sum of squares q - r'M^-1 r: the first of b does not count.
    off = dr - dm @ b
    residual = q - r @ b
    slope = dq - 2.0 * dr @ b + (dm @ b) @ b
    curvature = d2q - 2.0 * d2r @ b + (d2m @ b) @ b - 2.0 * off @ covariance @ off.T
    value, first, second = log_det.value + residual, log_det.first + slope, log_det.second + curvature
    if restricted:
        moved = covariance @ dm
        value = value + np.linalg.slogdet(m).logabsdet
        first = first + np.trace(moved, axis1=-2, axis2=-1)
        crossed = np.einsum("iab,jba->ij", moved, moved)
        second = second + np.trace(covariance @ d2m, axis1=-2, axis2=-1) - crossed
    return Likelihood(
        float(-0.5 * value),
        -0.5 * first,
        -0.5 * second,
        b,
        np.asarray(covariance, dtype=np.float64),
        -covariance @ dm @ covariance,
    )
