"""Effects that were selected by their p values: the mean or regression, tau2, and the relative likelihoods."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from alliance_meta.stats._arrays import BoolArray, FloatArray, IntArray, batch
from alliance_meta.stats.regression import regression
from alliance_meta.stats.selection._climb import Climb, Outcome, climb
from alliance_meta.stats.selection._likelihood import NOTHING, Cuts, Problem

__all__ = ["Prepared", "SelectionFit", "p_values", "prepared", "step_selection"]

_AT_ONCE = 1 << 14
"""How many effects are computed together: few enough for the cache."""

_SAME = 1e-7
"""Log-likelihoods that close are of the same maximum."""


class SelectionFit(NamedTuple):
    """A fitted step-function selection model; each field begins with the batch shape.

    Attributes
    ----------
    coefficients : ndarray, shape (..., p)
        Of the effects before selection.
    tau2 : ndarray
        Their between-study variance.
    weights : ndarray, shape (..., J + 1)
        Relative likelihood of publication of each interval of p, the first 1.
    covariance : ndarray, shape (..., n, n)
        Of coefficients, tau2 and weights but the first: the inverse of the observed information. NaN for what is fixed
        or at a bound of 0, which then counts as known.
    counts : ndarray, shape (..., J + 1)
        Effects in each interval.
    log_likelihood : ndarray
        With every constant.
    ridge : ndarray of bool
        Whether the likelihood is higher still along a ridge, where the mean runs away and tau2 grows without end.
    outcome : ndarray of int8
        An `Outcome`. Unless it is ``CONVERGED`` the numbers above but `counts` are NaN.
    """

    coefficients: FloatArray
    tau2: FloatArray
    weights: FloatArray
    covariance: FloatArray
    counts: FloatArray
    log_likelihood: FloatArray
    ridge: BoolArray
    outcome: npt.NDArray[np.int8]


def p_values(effect: npt.ArrayLike, variance: npt.ArrayLike, alternative: str) -> FloatArray:
    """Of z tests of no effect, one-sided towards the alternative or two-sided.

    Parameters
    ----------
    effect, variance : array_like, broadcast together
    alternative : {"greater", "less", "two-sided"}

    Returns
    -------
    ndarray

    Examples
    --------
    >>> print(p_values(0.4, 0.04, "greater").round(4), p_values(0.4, 0.04, "two-sided").round(4))
    0.0228 0.0455
    """
    z = np.asarray(effect, dtype=float) / np.sqrt(np.asarray(variance, dtype=float))
    if alternative == "two-sided":
        return np.asarray(2.0 * special.ndtr(-np.abs(z)))
    return np.asarray(special.ndtr(-z if alternative == "greater" else z))


def step_selection(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    design: npt.ArrayLike | None = None,
    include: npt.ArrayLike | None = None,
    *,
    steps: npt.ArrayLike,
    alternative: str = "greater",
    weights: npt.ArrayLike | None = None,
    tau2_method: str = "ML",
) -> SelectionFit:
    """Fit effects ~ N(X b, variance + tau2), published with a likelihood that is a step function of p.

    Newton's method climbs from several starts; the highest maximum counts. An interval of p without effects has a
    relative likelihood of 0, its maximum.

    Parameters
    ----------
    effect, variance : array_like, shape (..., k)
    design : array_like, shape (..., k, p), optional
        The mean alone without it.
    include : array_like of 0 and 1, shape (..., k), optional
    steps : array_like, shape (J,)
        Rising cut points of p between 0 and 1; an interval holds its upper end.
    alternative : {"greater", "less", "two-sided"}
        Which p values.
    weights : array_like, shape (J + 1,), optional
        Relative likelihoods that are known; only their ratios count. Estimated without them.
    tau2_method : {"ML", "EE"}

    Returns
    -------
    SelectionFit

    References
    ----------
    Hedges, L. V. (1992). Statistical Science, 7, 246-255.
    Vevea, J. L., & Hedges, L. V. (1995). Psychometrika, 60, 419-435.

    Examples
    --------
    >>> effect = [0.5, 0.45, 0.6, 0.3, 0.7, 0.1, 0.55, 0.4, 0.2, 0.65]
    >>> fit = step_selection(effect, [0.04] * 10, steps=[0.025])
    >>> print(fit.coefficients.round(2), fit.weights.round(2), fit.counts)
    [0.36] [1.   0.34] [7. 3.]
    """
    made = prepared(effect, variance, design, include, steps=steps, alternative=alternative)
    free, fixed = made.freedom(weights, tau2_method == "EE")
    rows = len(made.problem.y)
    ends: list[tuple[Climb, BoolArray]] = []
    size = max(1, _AT_ONCE // max(made.problem.y.shape[-1], 1))
    for first in range(0, rows, size):
        part = np.arange(first, min(first + size, rows))
        ends.append(highest(made.problem.at(part), made.starts[:, part], free[part], fixed[part]))
    if not ends:
        nothing = Climb(made.starts[0], np.zeros(0), np.zeros(0, dtype=np.int8))
        return made.result(nothing, np.zeros(0, dtype=bool), free, weights)
    end = Climb._make(np.concatenate(field) for field in zip(*(each for each, _ in ends), strict=True))
    return made.result(end, np.concatenate([ridge for _, ridge in ends]), free, weights)


class Prepared(NamedTuple):
    """A problem in one batch axis, with its starts (S, R, n) and the way back to the caller's columns."""

    problem: Problem
    starts: FloatArray
    back: FloatArray
    full: BoolArray
    shape: tuple[int, ...]

    def freedom(self, weights: npt.ArrayLike | None, equal: bool) -> tuple[BoolArray, FloatArray]:
        """Which parameters are estimated, and what the others are: NaN for those estimated, (R, n)."""
        p, counts = self.problem.p, self.problem.counts
        fixed = np.full(self.starts.shape[1:], np.nan)
        if equal:
            fixed[:, p] = 0.0
        if weights is not None:
            given = np.asarray(weights, dtype=float)
            fixed[:, p + 1 :] = np.log(given[1:] / given[0])
        else:
            fixed[:, p + 1 :] = np.where(counts[:, 1:] > 0.0, np.nan, NOTHING)
        return np.isnan(fixed), fixed

    def result(self, end: Climb, ridge: BoolArray, free: BoolArray, weights: npt.ArrayLike | None) -> SelectionFit:
        """In the terms of the columns as given."""
        problem, p = self.problem, self.problem.p
        outcome = end.outcome.copy()
        if weights is None:
            outcome[problem.counts[:, 0] == 0.0] = Outcome.NO_REFERENCE
        outcome[(problem.used.sum(axis=-1) < p) | ~self.full] = Outcome.TOO_FEW
        known = np.where(outcome == Outcome.CONVERGED, 1.0, np.nan)
        logs = end.theta[:, p + 1 :]
        omega = np.where(logs <= NOTHING, 0.0, np.exp(logs))
        if weights is not None:
            given = np.asarray(weights, dtype=float)
            omega = np.broadcast_to(given[1:] / given[0], omega.shape)
        fields = (
            (self.back @ end.theta[:, :p, None])[..., 0] * known[:, None],
            problem.tau2(end.theta) * known,
            np.concatenate([np.ones((len(omega), 1)), omega], axis=1) * known[:, None],
            self._covariance(end.theta, free, omega, np.flatnonzero(outcome == Outcome.CONVERGED)),
            problem.counts,
            end.height * known,
            ridge,
            outcome,
        )
        return SelectionFit._make(field.reshape((*self.shape, *field.shape[1:])) for field in fields)

    def _covariance(self, theta: FloatArray, free: BoolArray, omega: FloatArray, rows: IntArray) -> FloatArray:
        p, n = self.problem.p, theta.shape[-1]
        found = np.full((len(theta), n, n), np.nan)
        if rows.size == 0:
            return found
        theta, part = theta[rows], self.problem.at(rows)
        inverse, told = inverse_information(part, theta, free[rows])
        both = told[:, :, None] & told[:, None, :]
        back = np.zeros((rows.size, n, n))
        back[:, :p, :p] = self.back[rows]
        back[:, p, p] = part.unit * np.exp(theta[:, p])
        back[:, range(p + 1, n), range(p + 1, n)] = omega[rows]
        found[rows] = np.where(both, back @ inverse @ np.swapaxes(back, -1, -2), np.nan)
        return found


def inverse_information(problem: Problem, theta: FloatArray, free: BoolArray) -> tuple[FloatArray, BoolArray]:
    """The inverse of the observed information, 0 for what is fixed or at a bound, and which parameters are neither."""
    told = free.copy()
    told[:, problem.p] &= theta[:, problem.p] > 0.0
    both = told[:, :, None] & told[:, None, :]
    held = np.where(told, 0.0, 1.0)[:, :, None] * np.eye(theta.shape[-1])
    inverse = np.linalg.inv(np.where(both, -problem.slopes(theta).hessian, 0.0) + held)
    return np.where(both, inverse, 0.0), told


def prepared(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    design: npt.ArrayLike | None,
    include: npt.ArrayLike | None,
    *,
    steps: npt.ArrayLike,
    alternative: str,
) -> Prepared:
    """Effects with orthogonal columns of length sqrt(k), and where to climb from."""
    y, v, used = batch(effect, variance, include)
    shape, k = y.shape[:-1], y.shape[-1]
    x = np.ones((k, 1)) if design is None else np.asarray(design, dtype=float)
    rows = prod(shape)
    y, v, used = (array.reshape(rows, k) for array in (y, v, used))
    x = np.broadcast_to(x, (*shape, *x.shape[-2:])).reshape(rows, k, x.shape[-1])
    alpha = np.asarray(steps, dtype=float)
    interval = np.searchsorted(alpha, p_values(y, v, alternative), side="left")
    counts = np.stack([(used * (interval == j)).sum(axis=-1) for j in range(alpha.size + 1)], axis=-1)
    sign = -1.0 if alternative == "less" else 1.0
    count = np.maximum(used.sum(axis=-1), 1.0)
    unit = count / (used / v).sum(axis=-1)
    q, triangle = np.linalg.qr(x * used[..., None])
    root = np.sqrt(count)[:, None, None]
    scale = np.sqrt(unit)[:, None, None]
    full = (np.abs(np.diagonal(triangle, axis1=-2, axis2=-1)) > 1e-10 * np.sqrt((x * x).sum(axis=-2))).all(axis=-1)
    back = sign * scale * root * np.linalg.inv(np.where(full[:, None, None], triangle, np.eye(x.shape[-1])))
    cuts = Cuts.of(alpha, two_sided=alternative == "two-sided")
    problem = Problem(sign * y, v, used, q * root * scale, counts, unit, cuts)
    return Prepared(problem, _starts(problem), back, full, shape)


def _starts(problem: Problem) -> FloatArray:
    """The fit without selection, and fits that took more and more of the effects' size to be selection."""
    p, n = problem.p, problem.p + problem.counts.shape[-1]
    start = []
    for method in ("ML", "EE"):
        fit = regression(problem.y, problem.v, problem.x, problem.used, tau2_method=method, test="z")
        theta = np.zeros((len(problem.y), n))
        theta[:, :p] = np.nan_to_num(fit.coefficients)
        theta[:, p] = np.log1p(np.nan_to_num(fit.tau2) / problem.unit)
        start.append(theta)
    level = (np.swapaxes(problem.x, -1, -2) @ problem.used[..., None])[..., 0]
    level /= (np.maximum(problem.used.sum(axis=-1), 1.0) * np.sqrt(problem.unit))[:, None]
    apart = np.exp(0.5 * start[0][:, p])[:, None]  # a total standard deviation
    ml, equal = start
    for theta, down, wider, log in ((ml, 0.7, 0.0, -1.0), (ml, 2.0, 1.5, -2.5), (equal, 0.5, 0.0, -1.0)):
        other = theta.copy()
        other[:, :p] -= down * apart * level
        other[:, p] += wider
        other[:, p + 1 :] = log
        start.append(other)
    return np.stack([start[0], *start[2:]])


def highest(problem: Problem, starts: FloatArray, free: BoolArray, fixed: FloatArray) -> tuple[Climb, BoolArray]:
    """The highest end of each row's climbs, of those that arrived if any did; and whether a ridge is higher."""
    number, rows, n = starts.shape
    begun = np.where(np.isnan(fixed), starts, fixed).reshape(-1, n)
    again = np.tile(np.arange(rows), number)
    end = climb(problem.at(again), begun, free[again])
    height = np.where(np.isnan(end.height), -np.inf, end.height).reshape(number, rows)
    outcome = end.outcome.reshape(number, rows)
    best = np.lexsort((-height, outcome != Outcome.CONVERGED), axis=0)[0]
    chosen = best * rows + np.arange(rows)
    ridge = ((outcome == Outcome.RIDGE) & (height > end.height[chosen] + _SAME)).any(axis=0)
    return Climb(end.theta[chosen], end.height[chosen], end.outcome[chosen]), ridge
