"""What each effect counts in a multilevel model, and the mean of each group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import FloatArray, IntArray
from alliance_meta.stats.multilevel._fit import Problem, nested_groups, sampling_correlation

__all__ = ["Effects", "GroupMeans", "Shares", "correlation_of", "effects_of", "group_means", "group_starts", "shares"]


class Effects(NamedTuple):
    """Effects in the order of a problem.

    Attributes
    ----------
    problem : Problem
    basis : ndarray, shape (n, p)
        The orthonormal columns, and what they leave of the effects, before any turning.
    residual, variance : ndarray, shape (n,)
    codes : list of ndarray of int, shape (n,)
        The group of each effect, the innermost level first.
    correlation : ndarray or None
    """

    problem: Problem
    basis: FloatArray
    residual: FloatArray
    variance: FloatArray
    codes: list[IntArray]
    correlation: FloatArray | None


def effects_of(
    problem: Problem,
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    design: npt.ArrayLike,
    groups: Sequence[npt.ArrayLike],
) -> Effects:
    """The effects behind a problem, from the arguments that `prepared` made it of.

    Parameters
    ----------
    problem : Problem
    effect, variance : array_like, shape (n,)
    design : array_like, shape (n, p)
    groups : sequence of array_like, shape (n,)
    """
    order = problem.order
    y, v, x = (np.asarray(array, dtype=float)[order] for array in (effect, variance, design))
    basis = np.asarray(np.linalg.solve(problem.triangle.T, x.T).T, dtype=np.float64)
    rho = problem.correlation
    return Effects(
        problem,
        basis,
        y - basis @ problem.explained,
        v,
        [code[order] for code in nested_groups(groups)],
        None if rho is None else correlation_of(rho, order),
    )


def correlation_of(correlation: FloatArray, rows: IntArray) -> FloatArray:
    """Correlations, given in any of the ways that `prepared` takes, of some effects."""
    return correlation[(rows,) if correlation.ndim == 1 else np.ix_(*[rows] * correlation.ndim)]


class Shares(NamedTuple):
    """Of each effect, in the order of the table: the diagonal of the hat matrix, and its weight in the mean (sum 1)."""

    hat: FloatArray
    weight: FloatArray


def shares(effects: Effects, components: FloatArray) -> Shares:
    """Hat values, and the row sums of V^-1 over their total, in time linear in the number of groups.

    Parameters
    ----------
    effects : Effects
    components : ndarray, shape (L,)

    Examples
    --------
    Two effects of one study share what a single effect of another has alone, if only studies differ:

    >>> from alliance_meta.stats.multilevel import prepared
    >>> made = ([0.1, 0.2, 0.5], [0.02, 0.02, 0.01], [[1.0]] * 3, [[1, 1, 2]])
    >>> shares(effects_of(prepared(*made), *made), np.array([0.0, 0.04])).weight.round(3)
    array([0.25, 0.25, 0.5 ])
    """
    p = effects.basis.shape[1]
    columns = np.column_stack([effects.basis, np.ones(len(effects.basis))])
    solved = _over_lowest(effects, float(components[0]), columns)
    for code, own in zip(effects.codes, components[1:].tolist(), strict=True):
        sums = np.add.reduceat(solved, group_starts(code), axis=0)
        share = own / (1.0 + own * sums[:, -1])
        solved = solved - solved[:, -1:] * (share[:, None] * sums)[_numbered(code)]
    inverse = np.linalg.inv(effects.basis.T @ solved[:, :p])
    hat, weight = np.empty(len(columns)), np.empty(len(columns))
    hat[effects.problem.order] = ((effects.basis @ inverse) * solved[:, :p]).sum(axis=1)
    weight[effects.problem.order] = solved[:, -1] / solved[:, -1].sum()
    return Shares(hat, weight)


def _over_lowest(effects: Effects, own: float, columns: FloatArray) -> FloatArray:
    """Columns multiplied by the inverse of the sampling covariance plus the effects' own variance."""
    if effects.correlation is None:
        return np.asarray(columns / (effects.variance + own)[:, None])
    solved = np.empty_like(columns)
    first = group_starts(effects.codes[0])
    sizes = np.diff(np.append(first, len(columns)))
    for size in np.unique(sizes).tolist():
        rows = first[sizes == size][:, None] + np.arange(size)
        sd = np.sqrt(effects.variance[rows])
        block = sampling_correlation(effects.correlation, rows) * sd[:, :, None] * sd[:, None, :] + own * np.eye(size)
        solved[rows] = np.linalg.solve(block, columns[rows])
    return solved


def group_starts(code: IntArray) -> IntArray:
    """Where groups that stand together begin."""
    return np.flatnonzero(np.concatenate([[True], code[1:] != code[:-1]]))


def _numbered(code: IntArray) -> IntArray:
    """0, 1, ... for groups that stand together."""
    return np.cumsum(np.concatenate([[False], code[1:] != code[:-1]])).astype(np.intp)


class GroupMeans(NamedTuple):
    """Mean of each innermost group given the covariance of its effects, its variance, and a row of the table in it."""

    mean: FloatArray
    variance: FloatArray
    row: IntArray


def group_means(effects: Effects, own: float) -> GroupMeans:
    """Generalized least squares within each innermost group: sampling covariance plus the effects' own variance.

    Parameters
    ----------
    effects : Effects
    own : float
        The variance component of effects.
    """
    y = effects.residual + effects.basis @ effects.problem.explained
    first = group_starts(effects.codes[0])
    weight = _over_lowest(effects, own, np.ones((len(y), 1)))[:, 0]
    total = np.add.reduceat(weight, first)
    return GroupMeans(np.add.reduceat(weight * y, first) / total, 1.0 / total, effects.problem.order[first])
