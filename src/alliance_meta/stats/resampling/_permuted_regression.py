"""Permutation tests of a mixed-effects model: the rows of its design dealt anew among the effects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import factorial, prod
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.stats._arrays import FloatArray, IntArray
from alliance_meta.stats._projection import Columns, Model
from alliance_meta.stats.resampling._blocks import BLOCK, Progress, in_blocks
from alliance_meta.stats.tau2 import ESTIMATORS
from alliance_meta.stats.tau2._of_model import tau2_of

__all__ = ["PermutedRegression", "distinct_arrangements", "permuted_regression"]

_TESTS = ("z", "t", "knapp-hartung", "knapp-hartung-adhoc")
# Statistics that differ by less, relative to 1 plus themselves, count as tied.
_TIE = 1e-9
_ROUNDING = 64.0 * float(np.finfo(float).eps)
# Rows whose moderators differ by less, relative to the largest in their column, are the same row.
_DIGITS_OF_A_ROW = 12
_NUMBERS_AT_ONCE = 40_000
"""Effects refitted together: the arrays stay near the processor. The numbers do not depend on it."""


class PermutedRegression(NamedTuple):
    """A permutation test of the coefficients of a mixed-effects model.

    Attributes
    ----------
    statistics : ndarray, shape (p,)
        Those of the rows as they are: coefficients divided by their standard errors.
    p_values : ndarray, shape (p,)
        Shares of the arrangements, the rows as they are among them, whose statistic is at least as far from 0.
    omnibus : float
        The statistic of all tested coefficients together: QM under z tests, else F.
    omnibus_p_value : float
    exact : bool
        Whether all arrangements were made, or a random choice of them.
    arrangements : int
        Number of arrangements that the p values stand for.
    failed : int
        Refits without a statistic; they count as far from 0.
    """

    statistics: FloatArray
    p_values: FloatArray
    omnibus: float
    omnibus_p_value: float
    exact: bool
    arrangements: int
    failed: int


def distinct_arrangements(design: npt.ArrayLike) -> int:
    """In how many ways the rows of a design can be dealt among its studies, equal rows being interchangeable.

    Parameters
    ----------
    design : array_like, shape (k, p)

    Returns
    -------
    int

    Examples
    --------
    Two groups of 5 and 3 studies, and eight different years:

    >>> distinct_arrangements([[1, 0]] * 5 + [[1, 1]] * 3), distinct_arrangements([[1, year] for year in range(8)])
    (56, 40320)
    """
    return _Deck.of(np.asarray(design, dtype=float)).size


def permuted_regression(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    design: npt.ArrayLike,
    *,
    tested: Sequence[int],
    tau2_method: str = "REML",
    test: str = "z",
    q_weights: npt.ArrayLike | None = None,
    replicates: int = 10_000,
    seed: int = 0,
    workers: int = 1,
    progress: Progress | None = None,
) -> PermutedRegression:
    """Test coefficients by permuting the rows of the design against the effects and their variances.

    The model, tau2 included, is refitted to every arrangement. All distinct arrangements are made, each once, if they
    are at most `replicates`; else as many random ones, the first of which leaves the rows as they are.

    Parameters
    ----------
    effect, variance : array_like, shape (k,)
    design : array_like, shape (k, p)
        Columns of moderators; the intercept is one of them, or is not fitted.
    tested : sequence of int
        Columns that the omnibus test is about; without any, it is NaN.
    tau2_method : str
        A name in `ESTIMATORS`, ``"GENQ"`` or ``"EE"`` (tau2 = 0).
    test : {"z", "t", "knapp-hartung", "knapp-hartung-adhoc"}
        The statistic; the coefficients' "t" is their "z".
    q_weights : array_like, shape (k,), optional
        Weights of the generalised Q, for ``"GENQ"``; they stay with the effects.
    replicates, seed, workers : int
        The result does not depend on the number of threads, `workers`.
    progress : callable, optional

    Returns
    -------
    PermutedRegression
        NaN where the model cannot be fitted to the rows as they are.

    Notes
    -----
    Statistics s count as tied within 1e-9 (1 + |s|): arrangements that mirror each other give the same statistic but
    for rounding, which is near 1e-12, and must be counted together.

    References
    ----------
    Higgins, J. P. T., & Thompson, S. G. (2004). Statistics in Medicine, 23, 1663-1682.
    Viechtbauer, W., Lopez-Lopez, J. A., Sanchez-Meca, J., & Marin-Martinez, F. (2015). Psychological Methods, 20,
    360-374.

    Examples
    --------
    Two groups of three studies that do not overlap at all: 2 of 20 arrangements are as extreme as they are.

    >>> y, v, treated = [0.1, 0.2, 0.1, 0.7, 0.8, 0.9], [0.01] * 6, [0, 0, 0, 1, 1, 1]
    >>> result = permuted_regression(y, v, [[1, x] for x in treated], tested=[1])
    >>> print(f"z = {result.statistics[1]:.2f}, p = {result.p_values[1]}")
    z = 8.16, p = 0.1
    """
    refit = _Refit.of(effect, variance, design, tested, tau2_method, test, q_weights)
    deck = _Deck.of(np.asarray(design, dtype=float))
    observed = refit.statistics(np.arange(refit.y.size)[None])[0]
    exact = deck.size <= replicates
    total = deck.size if exact else replicates
    streams = () if exact else np.random.SeedSequence(seed).spawn(-(-total // BLOCK))

    def work(block: int, part: slice) -> IntArray:
        rows = deck.numbered(part) if exact else _shuffled(streams[block], refit.y.size, part)
        found = refit.statistics(rows)
        extreme = ~(np.abs(found) < (1.0 - _TIE) * np.abs(observed) - _TIE)
        return np.append(extreme.sum(axis=0), np.isnan(found[:, :-1]).any(axis=-1).sum())

    counts = np.sum(in_blocks(work, total, workers, progress), axis=0)
    p_values = np.where(np.isnan(observed), np.nan, counts[:-1] / total)
    place = np.argsort(refit.order)
    return PermutedRegression(
        statistics=observed[place],
        p_values=p_values[place],
        omnibus=float(observed[-1]),
        omnibus_p_value=float(p_values[-1]),
        exact=exact,
        arrangements=total,
        failed=int(counts[-1]),
    )


@dataclass(frozen=True, slots=True)
class _Deck:
    """The rows of a design as cards: one study that holds each card, and how many of each there are."""

    holder: IntArray
    counts: IntArray

    @classmethod
    def of(cls, x: FloatArray) -> _Deck:
        largest = np.abs(x).max(axis=0)
        rounded = np.round(x / np.where(largest > 0.0, largest, 1.0), _DIGITS_OF_A_ROW) + 0.0  # -0 is 0
        _, holder, counts = np.unique(rounded, axis=0, return_index=True, return_counts=True)
        return cls(holder, counts)

    @property
    def size(self) -> int:
        """Number of distinct arrangements."""
        return factorial(int(self.counts.sum())) // prod(factorial(count) for count in self.counts.tolist())

    def numbered(self, part: slice) -> IntArray:
        """Some arrangements by their numbers, as studies whose rows to take, in the order of a dictionary.

        Of n arrangements of what is left, card j comes next in n counts[j] / (number of cards left).
        """
        number = np.arange(part.start, part.stop)
        left = np.tile(self.counts, (number.size, 1))
        ways = np.full(number.size, self.size)
        cards = np.empty((number.size, int(self.counts.sum())), dtype=np.intp)
        each = np.arange(number.size)
        for place in range(cards.shape[1]):
            share = ways[:, None] * left // (cards.shape[1] - place)
            after = share.cumsum(axis=-1)
            card = (number[:, None] >= after).sum(axis=-1)
            cards[:, place], ways = card, share[each, card]
            number = number - after[each, card] + ways
            left[each, card] -= 1
        return self.holder[cards]


def _shuffled(stream: np.random.SeedSequence, k: int, part: slice) -> IntArray:
    """Random arrangements; the very first leaves the rows as they are."""
    rows = np.tile(np.arange(k), (part.stop - part.start, 1))
    shuffled = np.random.default_rng(stream).permuted(rows, axis=1)
    if part.start == 0:
        shuffled[0] = rows[0]
    return shuffled


@dataclass(frozen=True, slots=True)
class _Refit:
    """A model whose design can be permuted: an orthonormal basis of permuted columns is the permuted basis.

    Columns stand in `order`, the tested ones last: then the last basis columns carry the omnibus test alone.
    """

    y: FloatArray
    v: FloatArray
    basis: FloatArray
    inverse: FloatArray
    order: list[int]
    tested: int
    tau2: Callable[[Model], FloatArray]
    test: str

    @classmethod
    def of(
        cls,
        effect: npt.ArrayLike,
        variance: npt.ArrayLike,
        design: npt.ArrayLike,
        tested: Sequence[int],
        tau2_method: str,
        test: str,
        q_weights: npt.ArrayLike | None,
    ) -> _Refit:
        y, v, x = (np.asarray(array, dtype=float) for array in (effect, variance, design))
        if not (y.ndim == 1 and y.shape == v.shape and x.ndim == 2 and len(x) == y.size):
            raise InputError(
                f"effect and variance must be of shape (k,) and design of (k, p); got {y.shape}, {v.shape}, {x.shape}"
            )
        known = (*ESTIMATORS, "GENQ", "EE")
        for name, value, choices in (("tau2_method", tau2_method, known), ("test", test, _TESTS)):
            if value not in choices:
                raise UnknownNameError(f"unknown {name} {value!r}. Known: {', '.join(choices)}.")
        given = None if q_weights is None else np.asarray(q_weights, dtype=float)

        def tau2(model: Model) -> FloatArray:
            return tau2_of(
                model, tau2_method, None if given is None else np.broadcast_to(given, model.y.shape)
            ).estimate

        order = [*(j for j in range(x.shape[1]) if j not in set(tested)), *tested]
        scaled = x[:, order] / np.sqrt((x[:, order] ** 2).sum(axis=0))
        q, r = np.linalg.qr(scaled)
        return cls(y, v, np.ascontiguousarray(q.T), np.linalg.inv(r), order, len(tested), tau2, test)

    def statistics(self, rows: IntArray) -> FloatArray:
        """The statistics of arrangements (B, k): those of the coefficients in `order`, and the omnibus (B, p + 1)."""
        size = max(1, _NUMBERS_AT_ONCE // self.y.size)
        parts = [self._statistics(rows[first : first + size]) for first in range(0, len(rows), size)]
        return np.concatenate(parts)

    def _statistics(self, rows: IntArray) -> FloatArray:
        y, v, used = (np.broadcast_to(array, rows.shape) for array in (self.y, self.v, np.ones(rows.shape[1])))
        space = Columns(self.basis[:, rows].swapaxes(0, 1))
        model = Model(y, v, used, space)
        root = np.sqrt(model.weight(self.tau2(model)))
        standard = root * y
        triangle, fitted, residual = _solved(space, root, standard)
        inverse = _divided(self.inverse, triangle)
        rounding = _ROUNDING**2 * _dot(standard, standard)
        with np.errstate(invalid="ignore", divide="ignore"):
            z = (inverse * fitted).sum(axis=1) / np.sqrt((inverse**2).sum(axis=1))
            squares = np.vstack([z**2, (fitted[len(fitted) - self.tested :] ** 2).sum(axis=0)])
            squares[squares <= rounding] = 0.0
            factor = self._factor(np.where(residual <= rounding, 0.0, residual))
            squares = np.where(squares == 0.0, 0.0 * factor, squares / factor)
        if self.test != "z":
            squares[-1] /= max(self.tested, 1)
        found = np.sqrt(squares[:-1]) * np.sign(z)
        omnibus = squares[-1:] if self.tested else np.full((1, len(rows)), np.nan)
        return np.vstack([found, omnibus]).T

    def _factor(self, residual: FloatArray) -> FloatArray:
        """What the test multiplies variances by."""
        if not self.test.startswith("knapp-hartung"):
            return np.ones(residual.shape)
        factor = residual / (self.y.size - len(self.basis))
        return np.maximum(factor, 1.0) if self.test.endswith("adhoc") else factor


def _dot(left: FloatArray, right: FloatArray) -> FloatArray:
    return np.asarray(np.einsum("bk,bk->b", left, right))


def _solved(space: Columns, root: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Least squares on columns times roots of weights, by the modified Gram-Schmidt method.

    The triangle (p, p, B) of columns in the orthonormal ones, the coefficients (p, B) of those, and the sum of squares
    left of y (B,).
    """
    p, size = space.p, len(y)
    triangle, fitted = np.zeros((p, p, size)), np.zeros((p, size))
    done: list[FloatArray] = []
    for j in range(p):
        column = root * space.x[:, j]
        for i, other in enumerate(done):
            triangle[i, j] = _dot(other, column)
            column -= triangle[i, j][:, None] * other
        triangle[j, j] = np.sqrt(_dot(column, column))
        done.append(column / triangle[j, j][:, None])
    for _ in range(2):  # the second pass takes back what rounding left in the first
        for j, column in enumerate(done):
            more = _dot(column, y)
            y = y - more[:, None] * column
            fitted[j] += more
    return triangle, fitted, _dot(y, y)


def _divided(upper: FloatArray, triangle: FloatArray) -> FloatArray:
    """Upper (p, p) times the inverse of each triangle (p, p, B)."""
    found = np.zeros(triangle.shape)
    for j in range(len(upper)):
        rest = upper[:, j, None] - (found[:, :j] * triangle[:j, j]).sum(axis=1)
        found[:, j] = rest / triangle[j, j]
    return found
