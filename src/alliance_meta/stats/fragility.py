"""How few studies must go for a conclusion to change: found one by one, then by every set that is smaller."""

from __future__ import annotations

from itertools import combinations, islice
from math import comb
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import FloatArray, IntArray
from alliance_meta.stats.inference import critical_value
from alliance_meta.stats.random_effects import random_effects

__all__ = ["Removal", "smallest_removal"]

_NUMBERS_AT_ONCE = 1 << 17
_LEAST_LEFT = 2


class Removal(NamedTuple):
    """The fewest units whose removal changes the conclusion.

    Attributes
    ----------
    units : ndarray of int
        Those of the clearest change found, in the order of their removal where they were found one by one; empty
        where none was.
    exact : bool
        Whether no smaller set does it. Without units: whether no set at all does it.
    tried_below : int
        All sets of fewer units than this were looked at, and none of them does it.
    sets : int
        Number of sets of this size that change the conclusion; -1 where they were not all looked at.
    side_before, side_after : int
        1 where the interval is above the null value, -1 where it is below it, 0 where it includes it.
    failed : int
        Fits of every kind that could not be made; they count as no change.
    """

    units: IntArray
    exact: bool
    tried_below: int
    sets: int
    side_before: int
    side_after: int
    failed: int


class _Question:
    """The fits without some units, and how near each is to another conclusion."""

    def __init__(
        self, y: FloatArray, v: FloatArray, units: IntArray, null: float, level: float, method: str, test: str
    ) -> None:
        self.y, self.v, self.units = y, v, units
        self.null, self.level, self.method, self.test = null, level, method, test
        self.count = int(units.max()) + 1
        self.side = 0
        self.failed = 0
        low, high, _ = self._bounds(np.empty((1, 0), dtype=np.intp))
        self.side = int(self._sides(low, high)[0])

    def _bounds(self, removed: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Interval without each row's units, less the null value; and the number of effects left."""
        gone = np.zeros((len(removed), self.count), dtype=bool)
        np.put_along_axis(gone, removed, True, axis=1)
        left = ~gone[:, self.units]
        used = left.any(axis=0)  # effects that no row has left are no work
        fit = random_effects(self.y[used], self.v[used], left[:, used], tau2_method=self.method, test=self.test)
        half = critical_value(self.level, fit.df) * fit.std_error
        known = fit.converged & ~np.isnan(half) & (fit.k >= _LEAST_LEFT)
        self.failed += int((~fit.converged).sum())
        low = np.where(known, fit.estimate - half - self.null, np.nan)
        return low, np.where(known, fit.estimate + half - self.null, np.nan), fit.k

    def _sides(self, low: FloatArray, high: FloatArray) -> IntArray:
        return np.where(low > 0.0, 1, np.where(high < 0.0, -1, np.where(np.isnan(low), self.side, 0))).astype(np.intp)

    def ask(self, removed: IntArray, way: int) -> tuple[IntArray, FloatArray]:
        """Conclusions without the units of each row, and how far a bound is on its way `way`: the more the nearer."""
        rows_at_once = max(1, _NUMBERS_AT_ONCE // self.y.size)
        sides, nearness = np.empty(len(removed), dtype=np.intp), np.empty(len(removed))
        for first in range(0, len(removed), rows_at_once):
            piece = slice(first, first + rows_at_once)
            low, high, _ = self._bounds(removed[piece])
            sides[piece] = self._sides(low, high)
            if self.side == 0:
                nearness[piece] = low if way > 0 else -high
            else:
                nearness[piece] = -low if self.side > 0 else high
        return sides, nearness

    @property
    def ways(self) -> tuple[int, ...]:
        """Where the interval can go: an interval that includes the null value can leave it upwards or downwards."""
        return (1, -1) if self.side == 0 else (1,)


def smallest_removal(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    units: npt.ArrayLike,
    *,
    null: float,
    level: float,
    tau2_method: str,
    test: str,
    most_fits: int,
) -> Removal:
    """Find the fewest units without which the interval of the mean stands elsewhere to the null value.

    Units are taken away one by one, always that which brings the bound furthest; this gives a number that is enough.
    Then all smaller sets are tried, as long as there are no more than `most_fits`. Two effects are always left.

    Parameters
    ----------
    effect, variance : array_like, shape (k,)
    units : array_like of int, shape (k,)
        Which unit, from 0, each effect belongs to.
    null, level : float
    tau2_method, test : str
        As of `random_effects`.
    most_fits : int

    Returns
    -------
    Removal

    Examples
    --------
    >>> found = smallest_removal(
    ...     [0.3, 0.3, 0.3, -0.3], [0.02] * 4, range(4), null=0.0, level=0.95, tau2_method="DL", test="z", most_fits=100
    ... )
    >>> found.units.tolist(), found.exact, found.side_before, found.side_after
    ([3], True, 0, 1)
    """
    y, v = np.asarray(effect, dtype=float), np.asarray(variance, dtype=float)
    question = _Question(y, v, np.asarray(units, dtype=np.intp), null, level, tau2_method, test)
    paths = [_one_by_one(question, way) for way in question.ways]
    best = min(paths, key=lambda path: len(path[0]) if path[1] is not None else question.count + 1)
    enough = best[0] if best[1] is not None else np.empty(0, dtype=np.intp)
    return _every_smaller_set(question, enough, best[1], most_fits)


def _one_by_one(question: _Question, way: int) -> tuple[IntArray, int | None]:
    """Units taken away until the conclusion changes, and what it then is; None where it never does."""
    gone = np.empty(0, dtype=np.intp)
    while gone.size < question.count - 1:
        rest = np.setdiff1d(np.arange(question.count), gone)
        trials = np.column_stack([np.broadcast_to(gone, (rest.size, gone.size)), rest])
        sides, nearness = question.ask(trials, way)
        if np.isnan(nearness).all():
            break
        changed = sides != question.side
        chosen = int(np.nanargmax(np.where(changed, nearness, np.nan) if changed.any() else nearness))
        gone = trials[chosen]
        if changed.any():
            return gone, int(sides[chosen])
    return gone, None


def _every_smaller_set(question: _Question, enough: IntArray, side: int | None, most_fits: int) -> Removal:
    """Sets of one unit, of two, and so on, up to the size that is known to be enough."""
    before, spent = question.side, 0
    largest = enough.size if side is not None else question.count - 1
    for size in range(1, largest + 1):
        sets = comb(question.count, size)
        if spent + sets > most_fits:
            exact = side is not None and size == enough.size
            return Removal(enough, exact, size, -1, before, before if side is None else side, question.failed)
        spent += sets
        changed, clearest, after = _sets_of(question, size)
        if changed:
            return Removal(clearest, True, size, changed, before, after, question.failed)
    return Removal(np.empty(0, dtype=np.intp), True, question.count, 0, before, before, question.failed)


def _sets_of(question: _Question, size: int) -> tuple[int, IntArray, int]:
    """How many sets of a size change the conclusion, the one that does it most clearly, and what it then is."""
    changed, best, after, clearest = 0, -np.inf, question.side, np.empty(0, dtype=np.intp)
    rows_at_once = max(1, 4 * _NUMBERS_AT_ONCE // max(question.y.size, size))
    every = combinations(range(question.count), size)
    while some := list(islice(every, rows_at_once)):
        trials = np.array(some, dtype=np.intp)
        for way in question.ways:
            sides, nearness = question.ask(trials, way)
            # An interval that leaves the null value leaves it one way, so no set is counted twice.
            own = sides == way if question.side == 0 else sides != question.side
            changed += int(own.sum())
            if (
                own.any()
                and (most := int(np.nanargmax(np.where(own, nearness, np.nan)))) >= 0
                and nearness[most] > best
            ):
                best, after, clearest = float(nearness[most]), int(sides[most]), trials[most]
    return changed, clearest, after
