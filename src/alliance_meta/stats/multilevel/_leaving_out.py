"""Newton's steps towards the variance components of many parts of the same effects, taken together.

Effects of a part that are left out have no weight, so that all parts have the same groups and arrays of the same shape.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from alliance_meta.stats._arrays import BoolArray, FloatArray, IntArray
from alliance_meta.stats.multilevel._jet import Jet
from alliance_meta.stats.multilevel._nested import Nested

__all__ = ["Climbed", "climbed_together", "heights"]

_STEPS = 12
_SETTLED = 1e-7
"""Of a component: a Newton step below it leaves an error of its square."""
_NUMBERS_AT_ONCE = 1 << 15


class Heights(NamedTuple):
    """Log-likelihoods (B,) up to a constant, with their slopes (B, L) and curvatures (B, L, L)."""

    value: FloatArray
    first: FloatArray
    second: FloatArray


class Climbed(NamedTuple):
    """Components (B, L) of each part, and whether Newton's plain steps reached them."""

    components: FloatArray
    settled: BoolArray


def climbed_together(
    data: Nested, keep: BoolArray, start: FloatArray, fixed: BoolArray, scale: FloatArray, *, restricted: bool
) -> Climbed:
    """Newton's steps from near the maxima; parts where one of them does not go up are given up.

    Parameters
    ----------
    data : Nested
    keep : ndarray of bool, shape (B, n)
        The effects of each part.
    start : ndarray, shape (B, L)
    fixed : ndarray of bool, shape (B, L)
        Components that keep their value.
    scale : ndarray, shape (B,)
        Size below which differences of a component mean nothing.
    restricted : bool
    """
    here, settled = start.copy(), np.zeros(len(start), dtype=bool)
    pairs, n = data.products.shape
    at_once = max(1, _NUMBERS_AT_ONCE // (pairs * n))
    for first in range(0, len(start), at_once):
        some = slice(first, first + at_once)
        here[some], settled[some] = _climb(data, keep[some], start[some], fixed[some], scale[some], restricted)
    return Climbed(here, settled)


def _climb(
    data: Nested, keep: BoolArray, start: FloatArray, fixed: BoolArray, scale: FloatArray, restricted: bool
) -> Climbed:
    here, settled = start.copy(), np.zeros(len(start), dtype=bool)
    floor = np.full(len(start), -np.inf)
    going = np.arange(len(start))
    for _ in range(_STEPS):
        at = heights(data, keep[going], here[going], restricted=restricted)
        step, uphill = _steps(at, here[going], fixed[going])
        good = uphill & (at.value >= floor[going])
        going, step, value = going[good], step[good], at.value[good]
        if not going.size:
            break
        floor[going] = value - 1e-12 * np.abs(value)
        there = np.maximum(here[going] + step, 0.0)
        size = (np.abs(there - here[going]) / (here[going] + scale[going, None])).max(axis=1)
        here[going] = there
        settled[going[size <= _SETTLED]] = True
        going = going[size > _SETTLED]
        if not going.size:
            break
    return Climbed(here, settled)


def _steps(at: Heights, here: FloatArray, fixed: BoolArray) -> tuple[FloatArray, BoolArray]:
    """Newton's steps of components that may move, and where the likelihood is concave in these."""
    free = ~fixed & ((here > 0.0) | (at.first > 0.0))
    both = free[:, :, None] & free[:, None, :]
    bend = np.where(both, -at.second, np.eye(here.shape[1]))
    concave = np.asarray(np.isfinite(bend).all(axis=(1, 2)) & np.isfinite(at.first).all(axis=1), dtype=np.bool_)
    concave[concave] = np.linalg.eigvalsh(bend[concave])[:, 0] > 0.0
    step = np.zeros(here.shape)
    step[concave] = np.linalg.solve(bend[concave], np.where(free, at.first, 0.0)[concave][..., None])[..., 0]
    return step, concave


def heights(data: Nested, keep: BoolArray, components: FloatArray, *, restricted: bool) -> Heights:
    """Log-likelihoods of parts of the effects, each at its own components, the coefficients profiled out.

    Parameters
    ----------
    data : Nested
    keep : ndarray of bool, shape (B, n)
        With correlated sampling errors whole innermost groups only.
    components : ndarray, shape (B, L)
    restricted : bool
    """
    p, count = data.p, components.shape[1]
    m = p + 2
    left, right = np.triu_indices(m)
    to_z = np.array([np.flatnonzero((left == i) & (right == m - 1))[0] for i in range(m)])
    inner, log_det = _effects(data, keep, components[:, :1], count)
    for number, starts in enumerate(data.starts, start=1):
        if number > 1:
            inner = Jet(*(np.add.reduceat(part, starts, axis=-1) for part in (inner.value, inner.first, inner.second)))
        inner, more = _with_group_effect(inner, components[:, number], number, (left, right, to_z))
        log_det = log_det + more
    total = inner.total()
    found = Jet(*(_square(part, m) for part in (total.value, total.first, total.second)))
    found = _profiled(found, log_det, p, restricted)
    first, second = np.moveaxis(found.first, 0, -1), np.moveaxis(found.second, (0, 1), (-2, -1))
    return Heights(-0.5 * found.value, -0.5 * first, -0.5 * second)


def _square(packed: FloatArray, m: int) -> FloatArray:
    """Matrices (..., B, m, m) from upper triangles (..., pairs, B)."""
    left, right = np.triu_indices(m)
    full = np.empty((*packed.shape[:-2], packed.shape[-1], m, m))
    full[..., left, right] = full[..., right, left] = np.moveaxis(packed, -2, -1)
    return full


def _effects(data: Nested, keep: BoolArray, own: FloatArray, count: int) -> tuple[Jet, Jet]:
    """Sums over the innermost groups, (pairs, B, groups), and log det V (B,), where V is diagonal."""
    whole = 1.0 / (data.eigenvalues + own)
    a = keep * whole
    starts = data.starts[0] if data.starts else np.zeros(1, dtype=np.intp)
    powers = [np.add.reduceat(data.products[:, None] * each, starts, axis=-1) for each in (a, -(a**2), 2.0 * a**3)]
    first, second = np.zeros((count, *powers[0].shape)), np.zeros((count, count, *powers[0].shape))
    first[0], second[0, 0] = powers[1], powers[2]
    slope, curvature = np.zeros((count, len(own))), np.zeros((count, count, len(own)))
    slope[0], curvature[0, 0] = a.sum(axis=-1), -(a**2).sum(axis=-1)
    return Jet(powers[0], first, second), Jet(-(keep * np.log(whole)).sum(axis=-1), slope, curvature)


def _with_group_effect(
    inner: Jet, values: FloatArray, number: int, pairs: tuple[IntArray, IntArray, IntArray]
) -> tuple[Jet, Jet]:
    """Sums of products once every group has a random effect with the variance of its part; and log det's share."""
    left, right, to_z = pairs
    count, parts = len(inner.first), len(values)
    first = np.zeros((count, parts, 1))
    first[number] = 1.0
    own = Jet(values[:, None], first, np.zeros((count, count, parts, 1)))
    grown = own * _picked(inner, int(to_z[-1]))
    share = own * grown.inverse_of_1_plus()
    share = Jet(share.value[None], share.first[:, None], share.second[:, :, None])
    taken = share * (_picked(inner, to_z[left]) * _picked(inner, to_z[right]))
    return inner - taken, grown.log1p().total()


def _picked(inner: Jet, which: int | IntArray) -> Jet:
    return Jet(inner.value[which], inner.first[:, which], inner.second[:, :, which])


def _profiled(inner: Jet, log_det: Jet, p: int, restricted: bool) -> Jet:
    """Minus twice the log-likelihoods (B,), from matrices (B, m, m)."""
    parts = (inner.value, inner.first, inner.second)
    m, dm, d2m = (part[..., :p, :p] for part in parts)
    r, dr, d2r = (part[..., :p, p] for part in parts)
    q, dq, d2q = (part[..., p, p] for part in parts)
    covariance = np.linalg.inv(m)
    b = np.einsum("zij,zj->zi", covariance, r)
    # Slopes and curvatures of the residual sum of squares q - r'M^-1 r: the first of b does not count.
    off = dr - np.einsum("lzij,zj->lzi", dm, b)
    slope = dq - 2.0 * np.einsum("lzi,zi->lz", dr, b) + np.einsum("zi,lzij,zj->lz", b, dm, b)
    curvature = d2q - 2.0 * np.einsum("klzi,zi->klz", d2r, b) + np.einsum("zi,klzij,zj->klz", b, d2m, b)
    curvature = curvature - 2.0 * np.einsum("kzi,zij,lzj->klz", off, covariance, off)
    found = log_det + Jet(q - (r * b).sum(axis=-1), slope, curvature)
    if not restricted:
        return found
    moved = covariance @ dm
    traces = np.einsum("zij,klzji->klz", covariance, d2m) - np.einsum("kzij,lzji->klz", moved, moved)
    return found + Jet(np.linalg.slogdet(m).logabsdet, np.trace(moved, axis1=-2, axis2=-1), traces)
