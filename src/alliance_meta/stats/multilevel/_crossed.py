"""The likelihood of nested random effects together with crossed ones, such as measures that many studies use.

V = V0 + s1 C1 C1' + s2 C2 C2' + ... with V0 of the nested effects and C the 0/1 columns of a crossed factor's levels. The
sums of products with V0^-1 are taken with the columns C among them; each factor is then eliminated from these small
matrices (Woodbury), so that nothing is ever as large as the square of the number of effects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from alliance_meta.errors import InputError
from alliance_meta.stats._arrays import FloatArray, IntArray
from alliance_meta.stats.multilevel import _nested
from alliance_meta.stats.multilevel._jet import Jet
from alliance_meta.stats.multilevel._nested import Likelihood, Nested, Sums
from alliance_meta.stats.multilevel._profiled import profiled

__all__ = ["MOST_LEVELS", "Crossed", "crossed", "indicators", "likelihood", "refuse_too_large", "sums"]

MOST_LEVELS = 500
"""Of all crossed factors together."""
_MOST_PRODUCTS = 1 << 26
_AT_ONCE = 1 << 22


@dataclass(frozen=True, slots=True)
class Crossed(Nested):
    """Effects in the order of their groups, with crossed factors.

    Of `products` the columns are: the design, the factors' levels, the effects, the groups' column.

    Attributes
    ----------
    factors : tuple of int
        How many levels each factor has.
    """

    factors: tuple[int, ...] = ()

    @property
    def levels(self) -> int:
        """Number of variance components: the effects' own, one a level of groups, one a crossed factor."""
        return 1 + len(self.starts) + len(self.factors)


def indicators(labels: IntArray) -> FloatArray:
    """Columns (n, levels) that are 1 where an effect has a level."""
    return np.asarray(labels[:, None] == np.arange(labels.max() + 1), dtype=np.float64)


def refuse_too_large(factors: Sequence[int], p: int, n: int) -> None:
    """Refuse crossed factors whose sums of products would not fit into memory.

    Raises
    ------
    InputError
    """
    count, m = sum(factors), p + sum(factors) + 2
    if count > MOST_LEVELS or m * (m + 1) // 2 * n > _MOST_PRODUCTS:
        room = int(np.sqrt(2.0 * _MOST_PRODUCTS / max(n, 1))) - p - 3
        most = max(min(MOST_LEVELS, room), 0)
        raise InputError(
            f"crossed effects have {count} levels; with {n} effects and {p} coefficients there is room for {most}. "
            "Name a column with fewer, or make it a level of nested groups"
        )


def crossed(
    effect: FloatArray,
    design: FloatArray,
    ones: FloatArray,
    eigenvalues: FloatArray,
    groups: Sequence[IntArray],
    columns: Sequence[FloatArray],
) -> Crossed:
    """Prepare effects that stand in the order of their groups.

    Parameters
    ----------
    effect, design, ones, eigenvalues, groups
        As for `nested`, turned to the eigenvectors of the sampling covariances.
    columns : sequence of ndarray, shape (n, levels)
        For each crossed factor its `indicators`, turned likewise.

    Raises
    ------
    InputError
        For more levels than there is room for.
    """
    factors = tuple(each.shape[1] for each in columns)
    refuse_too_large(factors, design.shape[1], effect.size)
    plain = _nested.nested(effect, np.hstack([design, *columns]), ones, eigenvalues, groups)
    return Crossed(plain.products, plain.eigenvalues, plain.starts, design.shape[1], factors)


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
    """The sums with V0 of all columns; over some of the outermost groups at a time where they would need much room."""
    p = data.p + sum(data.factors)
    n = data.eigenvalues.size
    begins = _first_rows(data)
    parts = max(1, min(begins.size, len(data.products) * n // _AT_ONCE))
    cuts = np.unique(np.append(begins[np.arange(parts) * begins.size // parts], n)).tolist()
    inner, log_det = _nested.sums(_slice(data, cuts[0], cuts[1], p), components)
    for low, high in pairwise(cuts[1:]):
        more = _nested.sums(_slice(data, low, high, p), components)
        inner, log_det = inner + more.inner, log_det + more.log_det
    return Sums(inner, log_det)


def _first_rows(data: Crossed) -> IntArray:
    """The first effect of each outermost group."""
    rows: IntArray = np.arange(data.eigenvalues.size)
    for starts in data.starts:
        rows = rows[starts]
    return rows


def _slice(data: Crossed, low: int, high: int, p: int) -> Nested:
    """The effects of some whole outermost groups."""
    rows, starts = slice(low, high), list[IntArray]()
    for each in data.starts:
        first, last = (int(at) for at in np.searchsorted(each, [low, high]))
        starts.append(each[first:last] - low)
        low, high = first, last
    return Nested(data.products[:, rows], data.eigenvalues[rows], tuple(starts), p)


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
    inverse = _inverse(grown)
    across = _block(inner, rest, levels)
    taken = own * _product(_product(across, inverse), _transposed(across))
    return _block(inner, rest, rest) - taken, log_det + _log_det(grown, inverse.value)


def _block(inner: Jet, rows: Sequence[int], columns: Sequence[int]) -> Jet:
    at = (..., np.asarray(rows)[:, None], np.asarray(columns)[None, :])
    return Jet(inner.value[at], inner.first[at], inner.second[at])


def _transposed(a: Jet) -> Jet:
    return Jet(*(np.swapaxes(part, -1, -2) for part in (a.value, a.first, a.second)))


def _product(a: Jet, b: Jet) -> Jet:
    """The product of matrices."""
    mixed = a.first[:, None] @ b.first[None, :]
    second = a.second @ b.value + mixed + np.swapaxes(mixed, 0, 1) + a.value @ b.second
    return Jet(a.value @ b.value, a.first @ b.value + a.value @ b.first, second)


def _inverse(a: Jet) -> Jet:
    value = np.linalg.inv(a.value)
    moved = value @ a.first
    mixed = moved[:, None] @ moved[None, :]
    second = (mixed + np.swapaxes(mixed, 0, 1) - value @ a.second) @ value
    return Jet(value, -moved @ value, second)


def _log_det(a: Jet, inverse: FloatArray) -> Jet:
    moved = inverse @ a.first
    second = np.einsum("ab,ijba->ij", inverse, a.second) - np.einsum("iab,jba->ij", moved, moved)
    return Jet(np.asarray(np.linalg.slogdet(a.value).logabsdet), np.trace(moved, axis1=-2, axis2=-1), second)
