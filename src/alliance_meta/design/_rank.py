"""Which columns of a design are combinations of the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from alliance_meta._checks import listed
from alliance_meta.errors import InputError
from alliance_meta.stats._arrays import FloatArray

__all__ = ["refuse_aliased"]

# What is left of a column of length 1 once the columns before it are taken out. Rounding leaves about 1e-15; the cubic
# of a year around 2000, a poor but honest column, leaves 1e-4 once its mean is taken out.
_NOTHING = 1e-10


def refuse_aliased(matrix: FloatArray, names: Sequence[str]) -> None:
    """Raise one error that names every column that is a combination of columns before it, and of which.

    Neither the unit of a column nor, where there is an intercept, its origin changes the verdict.
    """
    scaled = matrix / np.where(peak := np.abs(matrix).max(axis=0), peak, 1.0)
    whole, kept, aliased = np.zeros(matrix.shape, order="F"), list[int](), list[int]()
    for j, column in enumerate(scaled.T):
        basis = whole[:, : len(kept)]
        # The first pass, mostly the mean; then again with what is left, of length 1, so that no origin hides it.
        rest = _unit(column - basis[:, :1] @ (basis[:, :1].T @ column), column)
        left = rest - basis @ (basis.T @ rest)
        left = left - basis @ (basis.T @ left)  # twice: where little is left, once leaves some of the others in it
        length = float(np.linalg.norm(left))
        if length > _NOTHING:
            whole[:, len(kept)] = left / length
        (kept if length > _NOTHING else aliased).append(j)
    if aliased:
        parts = [_relation(j, scaled, kept, names) for j in aliased]
        raise InputError(
            f"the coefficients cannot be told apart: {'; '.join(parts)}. Leave one of the terms out.",
            column=names[aliased[0]],
        )


def _unit(rest: FloatArray, column: FloatArray) -> FloatArray:
    length, before = float(np.linalg.norm(rest)), float(np.linalg.norm(column))
    return rest / length if length > _NOTHING * before else np.zeros_like(rest)


def _relation(j: int, scaled: FloatArray, kept: Sequence[int], names: Sequence[str]) -> str:
    before = [i for i in kept if i < j]
    if not scaled[:, j].any():
        return f"{names[j]!r} is 0 in every row"
    weights = np.linalg.lstsq(scaled[:, before], scaled[:, j], rcond=None)[0]
    used = [names[i] for i, weight in zip(before, weights, strict=True) if abs(weight) > 1e-8 * np.abs(weights).max()]
    return f"{names[j]!r} is a {'multiple' if len(used) == 1 else 'combination'} of {listed(used)}"
