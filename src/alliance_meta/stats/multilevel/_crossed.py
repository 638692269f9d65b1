"""The likelihood of nested random effects together with crossed ones, such as measures that many studies use.

V = V0 + s1 C1 C1' + s2 C2 C2' + ... with V0 of the nested effects and C the 0/1 columns of a crossed factor's levels.
The sums of products with V0^-1 are taken with the columns C among them, in each outermost group only those of levels
that it has; each factor is then eliminated from these small matrices (Woodbury), so that nothing is ever as large as
the square of the number of effects.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from alliance_meta.errors import InputError
from alliance_meta.stats._arrays import FloatArray, IntArray
from alliance_meta.stats.multilevel import _nested
from alliance_meta.stats.multilevel._jet import Jet
from alliance_meta.stats.multilevel._nested import Likelihood, Nested, Sums
from alliance_meta.stats.multilevel._profiled import profiled

__all__ = ["MOST_LEVELS", "Crossed", "Part", "Share", "likelihood", "refuse_too_many", "shares", "sums"]

MOST_LEVELS = 500
"""Of all crossed factors together."""
_AT_ONCE = 1 << 21


class Part(NamedTuple):
    """Some outermost groups.

    `data` has columns for the design, some crossed levels, the effects and the groups; `columns` (groups, c) says which
    levels these are in each group, or one too many where a group has fewer.
    """

    data: Nested
    columns: IntArray


@dataclass(frozen=True, slots=True)
class Crossed(Nested):
    """Effects in the order of their groups, with crossed factors. As `Nested`, it is the model without these.

    Attributes
    ----------
    parts : tuple of Part
    factors : tuple of int
        How many levels each factor has.
    """

    parts: tuple[Part, ...] = ()
    factors: tuple[int, ...] = ()

    @property
    def levels(self) -> int:
        """Number of variance components: the effects' own, one a level of groups, one a crossed factor."""
        return 1 + len(self.starts) + len(self.factors)


class Share(NamedTuple):
    """Which rows make a part, the 0/1 columns (rows, c) of their levels, and which levels these are (groups, c)."""

    rows: IntArray
    indicators: FloatArray
    columns: IntArray


def refuse_too_many(factors: Sequence[int]) -> None:
    """Refuse crossed factors with so many levels that matrices of their size are too large.

    Raises
    ------
    InputError
    """
    if sum(factors) > MOST_LEVELS:
        raise InputError(
            f"crossed effects have {sum(factors)} levels, more than {MOST_LEVELS}: name a column with fewer, or make "
            "it a level of nested groups"
        )


def shares(outer: IntArray, labels: Sequence[IntArray]) -> Iterator[Share]:
    """Share effects out so that groups with about as many crossed levels are together, in parts of limited size.

    Parameters
    ----------
    outer : ndarray of int, shape (n,)
        Outermost group of each effect, equal numbers together.
    labels : sequence of ndarray of int, shape (n,)
        For each factor the level of each effect, from 0.
    """
    counts = [int(each.max()) + 1 for each in labels]
    count = sum(counts)
    ids = np.stack(labels, axis=1) + np.cumsum([0, *counts[:-1]])
    group = np.cumsum(np.concatenate([[False], outer[1:] != outer[:-1]]))
    found, place = np.unique(group[:, None] * count + ids, return_inverse=True)
    sizes = np.bincount(found // count)
    begins = np.cumsum(sizes) - sizes
    local = place.reshape(ids.shape) - begins[group][:, None]
    width = 2 ** np.ceil(np.log2(sizes)).astype(np.intp)
    effects = np.bincount(group)
    for c in np.unique(width).tolist():
        own = np.flatnonzero(width == c)
        piece = np.cumsum(effects[own]) // max(1, _AT_ONCE // (c + 2) ** 2)
        for members in (own[piece == each] for each in np.unique(piece)):
            rows = np.flatnonzero(np.isin(group, members))
            indicators = (local[rows][:, :, None] == np.arange(c)).any(axis=1).astype(np.float64)
            at = begins[members][:, None] + np.arange(c)
            inside = np.arange(c) < sizes[members][:, None]
            yield Share(rows, indicators, np.where(inside, found[np.minimum(at, found.size - 1)] % count, count))


def sums(data: Nested, components: FloatArray) -> Sums:
    """B'V^-1 B and log det V at some variance components, with derivatives with respect to them.

    Parameters
    ----------
    data : Nested or Crossed
    components : ndarray, shape (L,)
        The effects' own, the groups', the crossed factors'.
    """
    if not isinstance(data, Crossed):
        return _nested.sums(data, components)
    nested = len(data.starts) + 1
    inner, log_det = (_widened(part, data.levels) for part in _nested_sums(data, components[:nested]))
    p = data.p
    for number, count in enumerate(data.factors):
        left = sum(data.factors[number + 1 :])
        rest = [*range(p), *range(p + count, p + count + left + 1)]
        own = Jet.parameter(float(components[nested + number]), nested + number, data.levels)
        inner, log_det = _eliminated(inner, log_det, own, rest, range(p, p + count))
    return Sums(inner, log_det)


def likelihood(data: Nested, components: FloatArray, *, restricted: bool) -> Likelihood:
    """Log-likelihood with the coefficients profiled out, up to a constant, as that of nested effects.

    Parameters
    ----------
    data : Nested or Crossed
    components : ndarray, shape (L,)
    restricted : bool
    """
    return profiled(sums(data, components), data.p, restricted=restricted)


def _nested_sums(data: Crossed, components: FloatArray) -> Sums:
    """The sums with V0 of the design, all levels and the effects."""
    found = [_placed(part, _nested.by_group(part.data, components), data) for part in data.parts]
    inner, log_det = found[0]
    for more in found[1:]:
        inner, log_det = inner + more.inner, log_det + more.log_det
    return Sums(inner, log_det)


def _placed(part: Part, found: tuple[Jet, Jet], data: Crossed) -> Sums:
    """Groups' sums added up where their levels belong among all."""
    inner, log_det = found
    p, count = data.p, sum(data.factors)
    groups = len(part.columns)
    size = p + count + 2  # the last is for levels that are none
    where = np.column_stack(
        [
            np.broadcast_to(np.arange(p), (groups, p)),
            np.where(part.columns == count, p + count + 1, p + part.columns),
            np.full(groups, p + count),
        ]
    )
    left, right = np.triu_indices(part.data.p + 2)
    used = right < part.data.p + 1
    at = (where[:, left[used]] * size + where[:, right[used]]).T.ravel()

    def total(packed: FloatArray) -> FloatArray:
        """(pairs, groups) to a square."""
        summed = np.bincount(at, packed[used].ravel(), size * size).astype(np.float64)
        square = summed.reshape(size, size)[:-1, :-1]
        return square + square.T - np.diag(np.diag(square))

    first = np.stack([total(each) for each in inner.first])
    second = np.stack([[total(each) for each in row] for row in inner.second])
    return Sums(Jet(total(inner.value), first, second), log_det)


def _widened(part: Jet, count: int) -> Jet:
    """The same number as one of more parameters, which it does not depend on."""
    more = count - len(part.first)
    beside = [(0, 0)] * part.value.ndim
    first = np.pad(part.first, [(0, more), *beside])
    return Jet(part.value, first, np.pad(part.second, [(0, more), (0, more), *beside]))


def _eliminated(inner: Jet, log_det: Jet, own: Jet, rest: Sequence[int], levels: Sequence[int]) -> tuple[Jet, Jet]:
    """Sums of products of the other columns once a factor's levels have random effects with the variance `own`."""
    own = Jet(own.value, own.first[:, None, None], own.second[:, :, None, None])
    grown = own * _block(inner, levels, levels)
    grown = Jet(grown.value + np.eye(len(levels)), grown.first, grown.second)
    inverse = np.asarray(np.linalg.inv(grown.value), dtype=np.float64)
    taken = own * _quadratic(_block(inner, rest, levels), grown, inverse)
    return _block(inner, rest, rest) - taken, log_det + _log_det(grown, inverse)


def _block(inner: Jet, rows: Sequence[int], columns: Sequence[int]) -> Jet:
    at = (..., np.asarray(rows)[:, None], np.asarray(columns)[None, :])
    return Jet(inner.value[at], inner.first[at], inner.second[at])


def _quadratic(a: Jet, k: Jet, inverse: FloatArray) -> Jet:
    """A K^-1 A' of matrices (r, c) and (c, c)."""
    solved = inverse @ a.value.T
    half = a.first @ solved
    off = a.first - solved.T @ k.first
    mixed = np.stack([[one @ inverse @ other.T for other in off] for one in off])
    bent = a.second @ solved
    second = bent + np.swapaxes(bent, -1, -2) - solved.T @ (k.second @ solved) + mixed + np.swapaxes(mixed, -1, -2)
    return Jet(a.value @ solved, half + np.swapaxes(half, -1, -2) - solved.T @ k.first @ solved, second)


def _log_det(k: Jet, inverse: FloatArray) -> Jet:
    moved = np.stack([inverse @ each for each in k.first])
    second = np.tensordot(k.second, inverse, axes=2) - np.tensordot(moved, np.swapaxes(moved, -1, -2), ((1, 2), (1, 2)))
    return Jet(np.asarray(np.linalg.slogdet(k.value).logabsdet), np.trace(moved, axis1=-2, axis2=-1), second)
