"""Effects with crossed random effects made ready for fitting."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from alliance_meta.stats.multilevel._crossed import crossed, indicators, refuse_too_large
from alliance_meta.stats.multilevel._fit import Problem, _ordered, _turned, nested_groups

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
    y, v, x = (np.asarray(array, dtype=float) for array in (effect, variance, design))
    codes = nested_groups(groups)
    order = np.lexsort(codes)
    labels = [np.unique(np.asarray(each), return_inverse=True)[1].astype(np.intp).ravel()[order] for each in factors]
    refuse_too_large([int(each.max()) + 1 for each in labels], x.shape[1], y.size)
    y, v, x, codes = y[order], v[order], x[order], [code[order] for code in codes]
    basis, triangle = np.linalg.qr(x)
    offset = basis @ (basis.T @ y)
    columns = np.column_stack([basis, *(indicators(each) for each in labels), y - offset, np.ones(y.size)])
    rho = None if correlation is None else np.asarray(correlation, dtype=float)
    if rho is not None:
        columns, v = _turned(columns, v, codes[0], _ordered(rho, order))
    p = x.shape[1]
    ends = p + np.cumsum([0, *(int(each.max()) + 1 for each in labels)])
    between = [columns[:, low:high] for low, high in zip(ends[:-1], ends[1:], strict=True)]
    data = crossed(columns[:, -2], columns[:, :p], columns[:, -1], v, codes, between)
    return Problem(data, order, v, triangle, basis.T @ y, columns[:, -2], rho)
