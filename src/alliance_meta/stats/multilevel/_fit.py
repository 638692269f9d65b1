"""Multilevel models: effects nested in studies, studies in laboratories, with correlated sampling errors or without."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from alliance_meta.errors import InputError
from alliance_meta.stats._arrays import BoolArray, FloatArray, IntArray
from alliance_meta.stats._roots import falling_root
from alliance_meta.stats.multilevel._climb import Climb, climb, highest
from alliance_meta.stats.multilevel._crossed import likelihood, sums
from alliance_meta.stats.multilevel._nested import Likelihood, Nested, nested
from alliance_meta.stats.tau2 import tau2_dl

__all__ = [
    "MultilevelFit",
    "Problem",
    "component_interval",
    "multilevel",
    "nested_groups",
    "prepared",
    "satterthwaite_df",
    "unexplained",
]

_SINGULAR = 1e-10
_SHARES = (0.5, 0.9, 0.1)
"""Shares of the between-effects variance that the lowest level starts with."""
_AT_ONCE = 1 << 22


@dataclass(frozen=True, slots=True)
class Problem:
    """Effects made ready for fitting.

    Attributes
    ----------
    data : Nested
        With orthonormal columns in place of the design, and what these leave of the effects; `Crossed` with crossed
        factors.
    order : ndarray of int, shape (n,)
        Rows in the order of their groups.
    eigenvalues : ndarray, shape (n,)
        Of the sampling covariances, in that order.
    triangle : ndarray, shape (p, p)
        The design is the orthonormal columns times this.
    explained : ndarray, shape (p,)
        Coefficients of the orthonormal columns that were taken off the effects.
    residual : ndarray, shape (n,)
        What is left of the effects.
    correlation : ndarray or None
        As given, in the order of the table.
    """

    data: Nested
    order: IntArray
    eigenvalues: FloatArray
    triangle: FloatArray
    explained: FloatArray
    residual: FloatArray
    correlation: FloatArray | None


class MultilevelFit(NamedTuple):
    """A fitted multilevel model.

    Attributes
    ----------
    components : ndarray, shape (L,)
        Variance components: the effects' own, then one a level of groups, the innermost first.
    coefficients, covariance : ndarray, shape (p,), (p, p)
    covariance_slopes : ndarray, shape (L, p, p)
        Derivatives of the covariance with respect to the components.
    log_likelihood : float
        Restricted or full, with all constants.
    curvature : ndarray, shape (L, L)
        Second derivatives of the log-likelihood with respect to the components.
    converged : bool
    """

    components: FloatArray
    coefficients: FloatArray
    covariance: FloatArray
    covariance_slopes: FloatArray
    log_likelihood: float
    curvature: FloatArray
    converged: bool


def nested_groups(groups: Sequence[npt.ArrayLike]) -> list[IntArray]:
    """Numbers for groups within groups, the innermost first, so that equal labels in different outer groups differ."""
    codes: list[IntArray] = []
    outer: IntArray | None = None
    for labels in reversed(groups):
        own = np.unique(np.asarray(labels), return_inverse=True)[1].astype(np.intp).ravel()
        if outer is not None:
            own = np.unique(outer * (own.max() + 1) + own, return_inverse=True)[1].astype(np.intp).ravel()
        codes.append(own)
        outer = own
    return codes[::-1]


def prepared(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    design: npt.ArrayLike,
    groups: Sequence[npt.ArrayLike],
    correlation: npt.ArrayLike | None = None,
) -> Problem:
    """Sort effects by their groups and make correlated sampling errors independent.

    Parameters
    ----------
    effect, variance : array_like, shape (n,)
    design : array_like, shape (n, p)
    groups : sequence of array_like, shape (n,)
        Labels of the groups, the innermost level first.
    correlation : array_like, shape () or (n,) or (n, n), optional
        Of the sampling errors within an innermost group: one number, one a row (the same within a group), or a matrix,
        of which only the blocks within groups are read.

    Raises
    ------
    InputError
        Where a group's correlations leave no positive definite matrix.
    """
    y, v, x = (np.asarray(array, dtype=float) for array in (effect, variance, design))
    codes = nested_groups(groups)
    order = np.lexsort(codes)
    y, v, x, codes = y[order], v[order], x[order], [code[order] for code in codes]
    basis, triangle = np.linalg.qr(x)
    offset = basis @ (basis.T @ y)  # what the columns explain costs no digits once it is taken off
    columns = np.column_stack([basis, y - offset, np.ones(y.size)])
    rho = None if correlation is None else np.asarray(correlation, dtype=float)
    if rho is not None:
        columns, v = _turned(columns, v, codes[0], _ordered(rho, order))
    data = nested(columns[:, -2], columns[:, :-2], columns[:, -1], v, codes)
    return Problem(data, order, v, triangle, basis.T @ y, columns[:, -2], rho)


def _ordered(correlation: FloatArray, order: IntArray) -> FloatArray:
    return (
        correlation[np.ix_(order, order)]
        if correlation.ndim == 2
        else correlation[order]
        if correlation.ndim
        else correlation
    )


def _turned(
    columns: FloatArray, v: FloatArray, group: IntArray, correlation: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The columns turned to the eigenvectors of their group's sampling covariance, and its eigenvalues."""
    starts = np.flatnonzero(np.concatenate([[True], group[1:] != group[:-1]]))
    sizes = np.diff(np.append(starts, group.size))
    turned, eigenvalues, singular = columns.copy(), v.copy(), list[int]()
    for size in np.unique(sizes[sizes > 1]).tolist():
        first = starts[sizes == size]
        at_once = max(1, _AT_ONCE // size**2)
        for part in (first[i : i + at_once] for i in range(0, first.size, at_once)):
            rows = part[:, None] + np.arange(size)
            sd = np.sqrt(v[rows])
            own = sampling_correlation(correlation, rows) * sd[:, :, None] * sd[:, None, :]
            values, vectors = np.linalg.eigh(own)
            singular += group[part][values.min(axis=-1) <= _SINGULAR * v[rows].max(axis=-1)].tolist()
            turned[rows] = np.swapaxes(vectors, -1, -2) @ columns[rows]
            eigenvalues[rows] = values
    if singular:
        raise SingularGroupsError(singular)
    return turned, eigenvalues


def sampling_correlation(correlation: FloatArray | None, rows: IntArray) -> FloatArray:
    """Correlations (groups, m, m) of the sampling errors of effects of the same innermost group.

    Parameters
    ----------
    correlation : ndarray, shape () or (n,) or (n, n), or None
        As for `prepared`; None for independent errors.
    rows : ndarray of int, shape (groups, m)
    """
    one = np.eye(rows.shape[1], dtype=bool)
    if correlation is None:
        r: FloatArray = np.zeros((1, 1, 1))
    elif correlation.ndim == 2:
        r = correlation[rows[:, :, None], rows[:, None, :]]
    else:
        r = correlation[rows[:, 0]][:, None, None] if correlation.ndim else correlation.reshape(1, 1, 1)
    return np.where(one, 1.0, r)


class SingularGroupsError(InputError):
    """Groups whose sampling correlations leave no positive definite matrix, as numbers in `groups`."""

    def __init__(self, groups: list[int]) -> None:
        super().__init__("the correlations of sampling errors leave no positive definite matrix in some groups")
        self.groups = groups


def multilevel(problem: Problem, *, restricted: bool, fixed: BoolArray | None = None) -> MultilevelFit:
    """Fit the variance components of a multilevel model by (restricted) maximum likelihood.

    Parameters
    ----------
    problem : Problem
        From `prepared`.
    restricted : bool
    fixed : ndarray of bool, shape (L,), optional
        Components that are 0.

    Returns
    -------
    MultilevelFit

    References
    ----------
    Van den Noortgate, W., Lopez-Lopez, J. A., Marin-Martinez, F., & Sanchez-Meca, J. (2013). Behavior Research Methods,
    45, 576-594.

    Examples
    --------
    Two effects of each of four studies, which differ more than the effects within them:

    >>> y = [0.1, 0.2, 0.5, 0.6, 0.3, 0.4, 0.8, 0.9]
    >>> ready = prepared(y, [0.01] * 8, [[1.0]] * 8, [[1, 1, 2, 2, 3, 3, 4, 4]])
    >>> multilevel(ready, restricted=True).components.round(3)
    array([0.   , 0.084])
    """
    data = problem.data
    still = np.zeros(data.levels, dtype=bool) if fixed is None else fixed
    function, scale, starts = _function(problem, restricted), _scale(problem), _starts(problem, still)
    if data.levels > 2:  # the more levels, the more maxima at which all but one are 0
        starts += _alone(function, starts, scale, still)
    end = highest(function, starts, scale, still)
    return _result(problem, end, restricted)


def _function(problem: Problem, restricted: bool) -> partial[Likelihood]:
    return partial(likelihood, problem.data, restricted=restricted)


def _scale(problem: Problem) -> FloatArray:
    return np.full(problem.data.levels, problem.eigenvalues.min())


def _starts(problem: Problem, fixed: BoolArray) -> list[FloatArray]:
    """The variance between effects, as if they were independent, shared out in some ways, all at one level, or none."""
    levels = problem.data.levels
    y, v = problem.residual, problem.eigenvalues
    typical = float(np.median(v))
    total = max(float(tau2_dl(y, v).estimate) if y.size > 1 else 0.0, 0.1 * typical)
    shares = [np.append(lowest, np.full(levels - 1, (1.0 - lowest) / max(levels - 1, 1))) for lowest in _SHARES]
    alone = typical * np.eye(levels)
    return [np.where(fixed, 0.0, start) for start in (*(total * share for share in shares), *alone, np.zeros(levels))]


def _alone(
    function: Callable[[FloatArray], Likelihood], starts: list[FloatArray], scale: FloatArray, fixed: BoolArray
) -> list[FloatArray]:
    """For each level, its component where all others are held at 0."""
    found = []
    for level in np.flatnonzero(~fixed):
        others = np.arange(fixed.size) != level
        end = climb(function, np.where(others, 0.0, starts[0].sum()), scale, others)
        found += [end.components] if end is not None else []
    return found


def _result(problem: Problem, end: Climb, restricted: bool) -> MultilevelFit:
    inverse = np.linalg.inv(problem.triangle)
    covariance = inverse @ end.at.covariance @ inverse.T
    n, p = problem.eigenvalues.size, problem.data.p
    count = n - p if restricted else n
    return MultilevelFit(
        components=end.components,
        coefficients=inverse @ (end.at.coefficients + problem.explained),
        covariance=0.5 * (covariance + covariance.T),
        covariance_slopes=inverse @ end.at.covariance_slopes @ inverse.T,
        log_likelihood=end.at.value - 0.5 * count * float(np.log(2.0 * np.pi)),
        curvature=end.at.second,
        converged=end.converged,
    )


def component_interval(
    problem: Problem, fit: MultilevelFit, which: int, level: float, *, restricted: bool, fixed: BoolArray | None = None
) -> tuple[float, float]:
    """Interval of a variance component by the profile likelihood, the others at their best for each of its values.

    Parameters
    ----------
    problem : Problem
    fit : MultilevelFit
        At the maximum.
    which : int
    level : float
    restricted : bool
    fixed : ndarray of bool, shape (L,), optional
        Components that are 0 in the model.

    Returns
    -------
    low, high : float
        The low end is 0 where 0 is not rejected.
    """
    still = np.zeros(problem.data.levels, dtype=bool) if fixed is None else fixed.copy()
    still[which] = True
    function, scale = _function(problem, restricted), _scale(problem)
    best, floor = fit.components, -0.5 * float(special.chdtri(1.0, 1.0 - level))
    top = function(best).value

    def spare(value: float) -> tuple[float, float]:
        start = best.copy()
        start[which] = value
        end = climb(function, start, scale, still)
        assert end is not None  # noqa: S101 - only known maxima end a climb
        return end.at.value - top - floor, float(end.at.first[which])

    def ends(low: float, high: float, side: float) -> float:
        def batch(x: FloatArray, _rows: IntArray) -> tuple[FloatArray, FloatArray]:
            value, slope = spare(float(x[0]))
            return np.array([side * value]), np.array([side * slope])

        root = falling_root(batch, np.array([low]), np.array([high]), np.array([0.5 * (low + high)]), scale[:1])
        return float(root.x[0])

    own = float(best[which])
    low = 0.0 if own == 0.0 or spare(0.0)[0] >= 0.0 else ends(0.0, own, -1.0)
    step = max(own, float(scale[which]))
    while spare(own + step)[0] >= 0.0:
        step *= 2.0
    return low, ends(own + 0.5 * step if step > max(own, float(scale[which])) else own, own + step, 1.0)


def satterthwaite_df(fit: MultilevelFit, weights: FloatArray, fixed: BoolArray) -> FloatArray:
    """Degrees of freedom of combinations of coefficients, from the uncertainty of the variance components.

    2 V^2 / var(V) with V the variance of the combination and var(V) by the delta method, from the observed information
    of the components that are not at 0.

    Parameters
    ----------
    fit : MultilevelFit
    weights : ndarray, shape (m, p)
    fixed : ndarray of bool, shape (L,)

    Returns
    -------
    ndarray, shape (m,)
        Infinite where no component is above 0.

    References
    ----------
    Satterthwaite, F. E. (1946). Biometrics Bulletin, 2, 110-114.
    """
    free = ~fixed & (fit.components > 0.0)
    if not free.any():
        return np.full(len(weights), np.inf)
    spread = np.linalg.inv(-fit.curvature[np.ix_(free, free)])
    variance = np.einsum("mi,ij,mj->m", weights, fit.covariance, weights)
    slopes = np.einsum("mi,lij,mj->ml", weights, fit.covariance_slopes[free], weights)
    return np.asarray(2.0 * variance**2 / np.einsum("ml,lk,mk->m", slopes, spread, slopes))


class Unexplained(NamedTuple):
    """What sampling error alone leaves: Cochran's Q of the residuals, and the typical sampling variance."""

    q_residual: float
    typical_variance: float


def unexplained(problem: Problem) -> Unexplained:
    """Q and the typical sampling variance (k - p) / tr P, both with the sampling covariances only.

    Parameters
    ----------
    problem : Problem

    References
    ----------
    Higgins, J. P. T., & Thompson, S. G. (2002). Statistics in Medicine, 21, 1539-1558.
    """
    p, n = problem.data.p, problem.eigenvalues.size
    found = sums(problem.data, np.zeros(problem.data.levels))
    m, r, q = found.inner.value[:p, :p], found.inner.value[:p, p], found.inner.value[p, p]
    # The slopes with respect to the lowest component are those of V^-1: -V^-2.
    trace = found.log_det.first[0] + np.trace(np.linalg.solve(m, found.inner.first[0, :p, :p]))
    return Unexplained(float(q - r @ np.linalg.solve(m, r)), float((n - p) / trace))
