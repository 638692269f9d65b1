"""Intervals by the profile likelihood of every parameter of a selection model."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

from alliance_meta.stats._arrays import BoolArray, FloatArray, IntArray
from alliance_meta.stats._roots import falling_root
from alliance_meta.stats.selection._climb import Outcome
from alliance_meta.stats.selection._fit import Prepared, highest, inverse_information, prepared
from alliance_meta.stats.selection._likelihood import NOTHING, Problem

__all__ = ["profile_intervals"]

_DOUBLINGS = 24
_FARTHEST = 40.0
"""How far a logarithm (of a relative likelihood, or of tau2 over its unit) is followed before its bound is infinite."""
_LOW_LOG = -30.0
"""The logarithm of a relative likelihood from which that of an interval without effects is followed upwards."""


def profile_intervals(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    design: npt.ArrayLike,
    level: float = 0.95,
    *,
    steps: npt.ArrayLike,
    alternative: str = "greater",
    weights: npt.ArrayLike | None = None,
    tau2_method: str = "ML",
) -> tuple[FloatArray, FloatArray]:
    """Every value that the likelihood-ratio test does not reject, of coefficients, tau2 and relative likelihoods.

    From the estimate outwards the bound is the first value that is rejected.

    Parameters
    ----------
    effect, variance : array_like, shape (k,)
    design : array_like, shape (k, p)
    level : float
    steps, alternative, weights, tau2_method
        As in `step_selection`.

    Returns
    -------
    low, high : ndarray, shape (p + 1 + J,)
        In the order of `SelectionFit.covariance`. NaN for what is fixed, and all of them where there is no highest
        likelihood; infinite where no value is rejected.

    References
    ----------
    Hardy, R. J., & Thompson, S. G. (1996). Statistics in Medicine, 15, 619-629.

    Examples
    --------
    >>> effect = [0.5, 0.45, 0.6, 0.3, 0.7, 0.1, 0.55, 0.4, 0.2, 0.65]
    >>> low, high = profile_intervals(effect, [0.04] * 10, np.ones((10, 1)), steps=[0.025])
    >>> print(low.round(2), high.round(2))
    [0.07 0.   0.03] [0.56 0.08 2.72]
    """
    x = np.asarray(design, dtype=float)
    made = prepared(effect, variance, x, None, steps=steps, alternative=alternative)
    free, fixed = made.freedom(weights, tau2_method == "EE")
    end, _ = highest(made.problem, made.starts, free, fixed)
    p, n = x.shape[1], free.shape[1]
    low, high = np.full((2, n), np.nan)
    if end.outcome[0] != Outcome.CONVERGED or (weights is None and not made.problem.counts[0, 0]):
        return low, high
    parameters = np.flatnonzero(free[0] | ((fixed[0] == NOTHING) if weights is None else False))
    walk = _Walk.of(made, x, end.theta[0], end.height[0], free[0], parameters, float(special.chdtri(1.0, 1.0 - level)))
    reached = walk.ends()
    for j, (down, up), factor in zip(parameters.tolist(), reached.reshape(-1, 2), walk.factor[::2], strict=True):
        if j < p:
            low[j], high[j] = sorted((down * factor, up * factor))
        elif j == p:
            low[j], high[j] = (float(made.problem.unit[0] * np.expm1(end)) for end in (down, up))
        else:
            low[j], high[j] = np.exp(down) if down > _LOW_LOG else 0.0, np.exp(up)
    return low, high


class _Walk:
    """From the estimate of each parameter down and up: two rows a parameter, each with the parameter held."""

    def __init__(
        self, problem: Problem, theta: FloatArray, free: BoolArray, held: IntArray, factor: FloatArray, floor: float
    ) -> None:
        self.problem, self.start, self.free, self.held, self.factor, self.floor = (
            problem, theta, free, held, factor, floor,
        )  # fmt: skip
        self.last = theta.copy()
        self.side = np.tile([-1.0, 1.0], len(held) // 2)

    @classmethod
    def of(
        cls,
        made: Prepared,
        x: FloatArray,
        theta: FloatArray,
        height: float,
        free: BoolArray,
        parameters: IntArray,
        quantile: float,
    ) -> _Walk:
        """With the columns in such an order that a coefficient is the last orthogonal column's, times a factor."""
        p = x.shape[1]
        problem, rows = made.problem, np.repeat(parameters, 2)
        columns, thetas = np.tile(problem.x, (rows.size, 1, 1)), np.tile(theta, (rows.size, 1))
        factor, held = np.ones(rows.size), rows.copy()
        fitted = problem.x[0] @ theta[:p]
        for i, j in enumerate(rows.tolist()):
            if j < p:
                q, triangle = np.linalg.qr(np.column_stack([np.delete(x, j, axis=1), x[:, j]]))
                length = np.sqrt((problem.x[0, :, 0] ** 2).sum())
                columns[i] = q * length
                thetas[i, :p] = q.T @ fitted / length
                sign = np.sign((made.back[0] @ theta[:p])[j] * triangle[-1, -1] * thetas[i, p - 1]) or 1.0
                factor[i], held[i] = sign * length / triangle[-1, -1], p - 1
        thetas[np.arange(rows.size), held] = np.maximum(
            thetas[np.arange(rows.size), held], np.where(held > p, _LOW_LOG, -np.inf)
        )
        loose = np.tile(free, (rows.size, 1))
        loose[np.arange(rows.size), held] = False
        many = problem.at(np.zeros(rows.size, dtype=np.intp))._replace(x=columns)
        return cls(many, thetas, loose, held, factor, 2.0 * height - quantile)

    def ends(self) -> FloatArray:
        """The parameters' values at the bounds."""
        each = np.arange(self.held.size)
        estimate = self.start[each, self.held]
        reach = self._reach(estimate)
        low, high = np.zeros(each.size), np.minimum(self._typical(), reach)
        crossed, open_ = np.zeros(each.size, dtype=bool), reach > 0.0
        for _ in range(_DOUBLINGS):
            rows = np.flatnonzero(open_)
            if rows.size == 0:
                break
            spare = self._spare(high[rows], rows)[0]
            below = spare < 0.0
            crossed[rows[below]] = True
            going = rows[~below]
            open_[rows[below | np.isnan(spare) | (high[rows] >= reach[rows])]] = False
            low[going] = np.where(high[going] < reach[going], high[going], low[going])
            high[going] = np.minimum(2.0 * high[going], reach[going])
        found = reach.copy()
        rows = np.flatnonzero(crossed)
        if rows.size:
            guess = 0.5 * (low[rows] + high[rows])
            root = falling_root(lambda d, some: self._spare(d, rows[some]), low[rows], high[rows], guess, high[rows])
            found[rows] = np.where(np.isnan(root.x), reach[rows], root.x)
            crossed[rows[np.isnan(root.x)]] = False
        endless = ~crossed & ((self.side > 0.0) | (self.held < self.problem.p))
        return np.where(endless, self.side * np.inf, estimate + self.side * found)

    def _reach(self, estimate: FloatArray) -> FloatArray:
        """How far each parameter can be followed: tau2 to 0, others to where they are as good as infinite."""
        p = self.problem.p
        far = self.problem.far()
        up, down = self.side > 0.0, self.side < 0.0
        far[(self.held >= p) & up] = _FARTHEST
        far[(self.held == p) & down] = estimate[(self.held == p) & down]
        empty = (self.held > p) & (estimate <= _LOW_LOG)
        far[empty & down] = 0.0
        far[empty & up] -= _LOW_LOG
        return far

    def _typical(self) -> FloatArray:
        """Two standard errors where there are any."""
        loose = self.free.copy()
        loose[np.arange(self.held.size), self.held] = True
        inverse, _ = inverse_information(self.problem, self.start, loose)
        square = np.diagonal(inverse, axis1=-2, axis2=-1)[np.arange(self.held.size), self.held]
        return np.where((square > 1e-12) & (square < 100.0), 2.0 * np.sqrt(np.abs(square)), 1.0)

    def _spare(self, distance: FloatArray, rows: IntArray) -> tuple[FloatArray, FloatArray]:
        """Twice the profile log-likelihood over the floor of the interval at some distance, and its slope.

        NaN where it is above the floor on a ridge that leads away without end: no value further out is rejected.
        """
        part, held, side = self.problem.at(rows), self.held[rows], self.side[rows]
        at = self.start[rows, held] + side * distance
        starts = np.stack([self.last[rows], self.start[rows]])
        starts[:, np.arange(rows.size), held] = at
        end, _ = highest(part, starts, self.free[rows], np.full(starts.shape[1:], np.nan))
        self.last[rows] = end.theta
        slope = part.slopes(end.theta).gradient[np.arange(rows.size), held]
        spare = 2.0 * end.height - self.floor
        return np.where((end.outcome != Outcome.CONVERGED) & (spare >= 0.0), np.nan, spare), 2.0 * side * slope
