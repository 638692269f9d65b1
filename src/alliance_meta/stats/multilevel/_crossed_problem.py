"""Effects with crossed random effects made ready for fitting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from alliance_meta.stats.multilevel._crossed import Crossed, Part, refuse_too_many, shares
from alliance_meta.stats.multilevel._fit import Problem, _ordered, _turned, nested_groups, prepared
from alliance_meta.stats.multilevel._nested import nested

__all__ = ["prepared_crossed"]


def prepared_crossed(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    design: npt.ArrayLike,
    groups: Sequence[npt.ArrayLike],
    factors: Sequence[npt.ArrayLike],
    correlation: npt.ArrayLike | None = None,
) -> Problem:
    """Sort effects by their groups and make correlated sampling errors independent, with crossed factors.

    Parameters
    ----------
    effect, variance, design, groups, correlation
        As for `prepared`.
    factors : sequence of array_like, shape (n,)
        Labels of each crossed factor's levels; equal labels have the same random effect wherever they stand.

    Returns
    -------
    Problem
        Its components are the effects' own, the groups', then the factors'.

    Raises
    ------
    InputError
        Where a group's correlations leave no positive definite matrix, or factors have too many levels.

    Examples
    --------
    Two measures used in each of three studies:

    >>> ready = prepared_crossed(
    ...     [0.1, 0.3, 0.2, 0.4, 0.3, 0.5], [0.01] * 6, [[1.0]] * 6, [[1, 1, 2, 2, 3, 3]], [["a", "b"] * 3]
    ... )
    >>> ready.data.levels
    3
    """
    plain = prepared(effect, variance, design, groups, correlation)
    order, rho = plain.order, plain.correlation
    labels = [np.unique(np.asarray(each), return_inverse=True)[1].astype(np.intp).ravel()[order] for each in factors]
    counts = tuple(int(each.max()) + 1 for each in labels)
    refuse_too_many(counts)
    y, v, x = (np.asarray(array, dtype=float)[order] for array in (effect, variance, design))
    codes = [code[order] for code in nested_groups(groups)]
    basis = np.linalg.qr(x).Q
    columns = np.column_stack([y - basis @ (basis.T @ y), np.ones(y.size)])
    sorted_rho = None if rho is None else _ordered(rho, order)
    parts = []
    for rows, indicators, levels in shares(codes[-1], labels):
        own, eigenvalues, inside = (
            np.hstack([basis[rows], indicators, columns[rows]]),
            v[rows],
            [c[rows] for c in codes],
        )
        if sorted_rho is not None:
            own, eigenvalues = _turned(own, eigenvalues, inside[0], _ordered(sorted_rho, rows))
        parts.append(Part(nested(own[:, -2], own[:, :-2], own[:, -1], eigenvalues, inside), levels))
    data = plain.data
    return replace(plain, data=Crossed(data.products, data.eigenvalues, data.starts, data.p, tuple(parts), counts))
