"""Intervals of tau2 and of the mean by profiling the likelihood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from alliance_meta.stats._arrays import BoolArray, FloatArray, IntArray
from alliance_meta.stats._projection import Mean, Model
from alliance_meta.stats._roots import falling_root
from alliance_meta.stats.tau2 import log_likelihood, tau2_ml, tau2_reml

__all__ = ["mean_profile_interval", "tau2_profile_interval"]

_AT_ONCE = 1 << 16
"""How many numbers a pass over the grid holds."""


def tau2_profile_interval(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    level: float = 0.95,
    include: npt.ArrayLike | None = None,
    design: npt.ArrayLike | None = None,
    *,
    restricted: bool,
) -> tuple[FloatArray, FloatArray]:
    """Interval of tau2 by the profile likelihood: every tau2 that the likelihood-ratio test does not reject.

    It holds each tau2 whose log-likelihood is at most half the chi-square(1) quantile below the highest. Where these
    lie in separate pieces, it reaches from the lowest to the highest of them, so it always holds the estimate.

    Parameters
    ----------
    effect, variance : array_like, shape (..., k)
    level : float
    include : array_like of 0 and 1, shape (..., k), optional
    design : array_like, shape (..., k, p), optional
        Moderators, the intercept included; the mean alone without it.
    restricted : bool
        Restricted likelihood, as REML maximises it, or the full one of ML.

    Returns
    -------
    low, high : ndarray, shape (...)
        The low end is 0 where the test does not reject 0. NaN without residual degrees of freedom.

    References
    ----------
    Hardy, R. J., & Thompson, S. G. (1996). Statistics in Medicine, 15, 619-629.
    Viechtbauer, W. (2007). Statistics in Medicine, 26, 37-52.

    Examples
    --------
    The full likelihood takes the mean for known, and so promises too much:

    >>> for restricted in (False, True):
    ...     low, high = tau2_profile_interval([0.1, 0.3, 0.9], [0.02, 0.03, 0.05], restricted=restricted)
    ...     print(f"[{low:.3f}, {high:.2f}]")
    [0.000, 0.91]
    [0.000, 2.89]
    """
    estimator = tau2_reml if restricted else tau2_ml
    estimate = estimator(effect, variance, include, design).estimate
    model, shape = Model.of(effect, variance, include, design)
    low, high = np.full((2, len(model.y)), np.nan)
    rows = np.flatnonzero(np.isfinite(estimate.reshape(-1)))
    if rows.size:
        quantile = float(special.chdtri(1.0, 1.0 - level))
        low[rows], high[rows] = _Tau2Profile(
            model.at(rows).reduced(), estimate.reshape(-1)[rows], quantile, restricted
        ).ends()
    return low.reshape(shape), high.reshape(shape)


def mean_profile_interval(
    effect: npt.ArrayLike, variance: npt.ArrayLike, level: float = 0.95, include: npt.ArrayLike | None = None
) -> tuple[FloatArray, FloatArray]:
    """Interval of the mean by the profile likelihood: at each mean, tau2 is the one that suits it best.

    It holds each mean whose log-likelihood, maximised over tau2, is at most half the chi-square(1) quantile below the
    highest. Where these lie in separate pieces, it reaches from the lowest to the highest of them.

    Parameters
    ----------
    effect, variance : array_like, shape (..., k)
    level : float
    include : array_like of 0 and 1, shape (..., k), optional

    Returns
    -------
    low, high : ndarray, shape (...)
        NaN with fewer than two effects.

    References
    ----------
    Hardy, R. J., & Thompson, S. G. (1996). Statistics in Medicine, 15, 619-629.

    Examples
    --------
    Unlike a Wald interval, it leans to the side of the outlying effect, which a larger tau2 would explain:

    >>> low, high = mean_profile_interval([0.1, 0.3, 0.9], [0.02, 0.03, 0.05])
    >>> print(f"[{low:.3f}, {high:.3f}]")
    [-0.105, 0.950]
    """
    tau2 = tau2_ml(effect, variance, include).estimate
    model, shape = Model.of(effect, variance, include)
    low, high = np.full((2, len(model.y)), np.nan)
    rows = np.flatnonzero(np.isfinite(tau2.reshape(-1)))
    if rows.size:
        quantile = float(special.chdtri(1.0, 1.0 - level))
        low[rows], high[rows] = _mean_ends(model.at(rows), tau2.reshape(-1)[rows], quantile)
    return low.reshape(shape), high.reshape(shape)


class _Tau2Profile:
    """Twice the log-likelihood's height over the lowest that the interval admits, as a function of tau2."""

    def __init__(self, model: Model, estimate: FloatArray, quantile: float, restricted: bool) -> None:
        self.model, self.estimate, self.restricted = model, estimate, restricted
        self.floor = 2.0 * log_likelihood(model, estimate, restricted=restricted) - quantile

    def ends(self) -> tuple[FloatArray, FloatArray]:
        grid = self._grid()
        inside = self._spare_on(grid) >= 0.0
        inside |= grid == self.estimate[:, None]
        first = np.argmax(inside, axis=1)
        last = grid.shape[1] - 1 - np.argmax(inside[:, ::-1], axis=1)
        low, high = np.zeros(len(grid)), np.full(len(grid), np.nan)
        rows = np.flatnonzero(first > 0)
        low[rows] = self._cross(rows, grid[rows, first[rows] - 1], grid[rows, first[rows]], -1.0)
        rows = np.flatnonzero(last < grid.shape[1] - 1)
        high[rows] = self._cross(rows, grid[rows, last[rows]], grid[rows, last[rows] + 1], 1.0)
        return low, high

    def _bound(self) -> FloatArray:
        """A tau2 above the interval: the residuals' part of the likelihood left out, the rest is below the floor."""
        largest = np.max(np.where(self.model.used > 0.0, self.model.v, 0.0), axis=-1)
        if not self.restricted:
            return np.asarray(np.exp(-self.floor / self.model.count) + largest)
        p = self.model.space.p
        unweighted = self.model.space.project(self.model.used).log_det
        return np.asarray(np.exp((p * np.log(2.0) - self.floor - unweighted) / self.model.df) + largest)

    def _grid(self) -> FloatArray:
        """0, the estimate, and four points to each doubling of tau2 + the least variance up to the bound."""
        least, bound = self.model.least_variance(), self._bound()
        doublings = np.log2(bound / least).max() + 3.0
        points = least[:, None] * 2.0 ** np.arange(-3.0, doublings - 2.0, 0.25)
        grid = np.concatenate([np.zeros((len(least), 1)), np.minimum(points, bound[:, None])], axis=1)
        return np.sort(np.concatenate([grid, self.estimate[:, None], 2.0 * bound[:, None]], axis=1), axis=1)

    def _spare_on(self, grid: FloatArray) -> FloatArray:
        spare = np.empty(grid.shape)
        rows_at_once = max(1, _AT_ONCE // (grid.shape[1] * self.model.y.shape[-1]))
        for start in range(0, len(grid), rows_at_once):
            part = slice(start, start + rows_at_once)
            height = log_likelihood(self.model.at((part, None)), grid[part], restricted=self.restricted)
            spare[part] = 2.0 * height - self.floor[part, None]
        return spare

    def _cross(self, rows: IntArray, low: FloatArray, high: FloatArray, side: float) -> FloatArray:
        """Where the likelihood, followed to larger tau2, falls to the floor (side 1) or rises to it (side -1)."""
        model, floor = self.model.at(rows), self.floor[rows]

        def function(tau2: FloatArray, part: IntArray) -> tuple[FloatArray, FloatArray]:
            here = model.at(part)
            spare = 2.0 * log_likelihood(here, tau2, restricted=self.restricted) - floor[part]
            w = here.weight(tau2)
            projection = here.space.project(w)
            slope = ((w * projection.residual(here.y)) ** 2).sum(axis=-1) - w.sum(axis=-1)
            if self.restricted:
                slope = slope + projection.lost(w * w)
            return side * spare, side * slope

        return falling_root(function, low, high, 0.5 * (low + high), model.least_variance()).x


def _mean_ends(model: Model, tau2: FloatArray, quantile: float) -> tuple[FloatArray, FloatArray]:
    """Both ends at once: the first half of the batch goes down from the estimate, the second up."""
    w = model.weight(tau2)
    total = w.sum(axis=-1)
    estimate = model.y[:, 0] + (w * (model.y - model.y[:, :1])).sum(axis=-1) / total
    from_estimate = Model(model.used * (model.y - estimate[:, None]), model.v, model.used, Mean())
    floor = 2.0 * log_likelihood(from_estimate, tau2, restricted=False) - quantile
    both = np.tile(np.arange(len(estimate)), 2)
    side = np.repeat([-1.0, 1.0], len(estimate))
    there = from_estimate.at(both)
    there = Model(side[:, None] * there.y, there.v, there.used, Mean())
    scale = 1.0 / np.sqrt(total[both])
    low, high = _mean_bracket(there, floor[both], scale)

    def function(distance: FloatArray, rows: IntArray) -> tuple[FloatArray, FloatArray]:
        height, slope = _mean_profile(there.at(rows), distance)
        return height - floor[both[rows]], slope

    end = falling_root(function, low, high, 0.5 * (low + high), scale).x
    down, up = end.reshape(2, -1)
    return estimate - down, estimate + up


def _mean_bracket(model: Model, floor: FloatArray, scale: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The last of growing distances from the estimate that the interval admits, and the next one."""
    bound = _mean_bound(model, floor)
    steps = int(np.ceil(2.0 * np.log2(np.maximum(bound / scale, 1.0)).max())) + 2
    growing = np.minimum(scale[:, None] * 2.0 ** (0.5 * np.arange(steps)), bound[:, None])
    grid = np.concatenate([np.zeros((len(scale), 1)), growing, 2.0 * bound[:, None] + scale[:, None]], axis=1)
    rows = np.repeat(np.arange(len(grid)), grid.shape[1])
    height = _mean_profile(model.at(rows), grid.reshape(-1))[0].reshape(grid.shape)
    inside = height >= floor[:, None]
    inside[:, 0] = True
    last = grid.shape[1] - 1 - np.argmax(inside[:, ::-1], axis=1)
    last = np.minimum(last, grid.shape[1] - 2)
    each = np.arange(len(grid))
    return grid[each, last], grid[each, last + 1]


def _mean_bound(model: Model, floor: FloatArray) -> FloatArray:
    """A distance above the interval.

    With u = tau2 + the largest variance, each log(v + tau2) is at least log u + log(least / largest), and the
    residuals' part at least k d2 / u for d the distance from the plain mean; what is left has its minimum at u = d2.
    """
    k = model.count
    largest = np.max(np.where(model.used > 0.0, model.v, 0.0), axis=-1)
    squared = np.exp(-floor / k - 1.0) * largest / model.least_variance()
    return np.asarray(np.abs((model.used * model.y).sum(axis=-1) / k) + np.sqrt(squared))


def _mean_profile(model: Model, mean: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Twice the log-likelihood of a mean, maximised over tau2, and its slope in the mean."""
    known = _KnownMean(model.y - mean[:, None], model.v, model.used)
    tau2, height = known.highest()
    return height, 2.0 * (known.weight(tau2) * known.e).sum(axis=-1)


@dataclass(frozen=True, slots=True)
class _KnownMean:
    """The full likelihood of tau2 where the mean is known: deviations from it, variances and inclusion (R, k)."""

    e: FloatArray
    v: FloatArray
    used: FloatArray

    def at(self, rows: IntArray | slice) -> _KnownMean:
        return _KnownMean(self.e[rows], self.v[rows], self.used[rows])

    def weight(self, tau2: FloatArray) -> FloatArray:
        return self.used / (self.v + tau2[:, None])

    def height(self, tau2: FloatArray) -> FloatArray:
        """Twice the log-likelihood."""
        twice = self.used * np.log(self.v + tau2[:, None]) + self.weight(tau2) * self.e**2
        return np.asarray(-twice.sum(axis=-1))

    def highest(self) -> tuple[FloatArray, FloatArray]:
        """The best tau2, 0 or one of the points where the score falls through 0, and the height there."""
        grid = self._grid()
        rising = self._rising(grid)
        row, cell = np.nonzero(rising[:, :-1] & ~rising[:, 1:])
        low, high = grid[row, cell], grid[row, cell + 1]
        there = self.at(row)
        least = np.min(np.where(there.used > 0.0, there.v, np.inf), axis=-1, initial=np.inf)
        maxima = falling_root(lambda x, rows: there.at(rows).slack(x), low, high, 0.5 * (low + high), least).x
        tau2 = np.zeros(len(grid))
        height = self.height(tau2)
        row, maxima = np.concatenate([np.arange(len(grid)), row]), np.concatenate([tau2, maxima])
        heights = np.concatenate([height, there.height(maxima[len(grid) :])])
        order = np.argsort(heights, kind="stable")
        tau2[row[order]], height[row[order]] = maxima[order], heights[order]  # the last to be written is the highest
        return tau2, height

    def slack(self, tau2: FloatArray) -> tuple[FloatArray, FloatArray]:
        """One less the ratio of the squared deviations' expectation to them, which has the score's sign; its slope."""
        w = self.weight(tau2)
        squares = (w * self.e) ** 2
        total = squares.sum(axis=-1)
        ratio = w.sum(axis=-1) / total
        return 1.0 - ratio, ((w**2).sum(axis=-1) - 2.0 * ratio * (w * squares).sum(axis=-1)) / total

    def _grid(self) -> FloatArray:
        """0 and three points to each doubling of tau2 + the least variance, up to a bound above all maxima."""
        least = np.min(np.where(self.used > 0.0, self.v, np.inf), axis=-1)[:, None]
        bound = np.max(self.used * np.maximum(self.e**2 - self.v, 0.0), axis=-1)[:, None]
        points = 2 + int(np.ceil(3.0 * np.log2((least + bound) / least).max()))
        return np.asarray(np.minimum(least * np.expm1(np.arange(points) * (np.log(2.0) / 3.0)), bound))

    def _rising(self, grid: FloatArray) -> BoolArray:
        """Whether the likelihood rises at the points of the grid; at the last it does not, whatever rounding says."""
        rising = np.zeros(grid.shape, dtype=bool)
        rows_at_once = max(1, _AT_ONCE // (grid.shape[1] * self.e.shape[-1]))
        for start in range(0, len(grid), rows_at_once):
            part = slice(start, start + rows_at_once)
            w = self.used[part, None] / (self.v[part, None] + grid[part, :, None])
            rising[part] = ((w * self.e[part, None]) ** 2).sum(axis=-1) > w.sum(axis=-1)
        rising[:, -1] = False
        return rising
