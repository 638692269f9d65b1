"""What every kernel starts with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["BoolArray", "FloatArray", "IntArray", "batch", "dot"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.intp]


def batch(
    effect: npt.ArrayLike, variance: npt.ArrayLike, include: npt.ArrayLike | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Broadcast effects, variances and inclusion to one shape (..., k).

    Left-out effects get effect 0 and variance 1, so that whatever stood there, NaN included, cannot leak in.
    """
    y, v = np.asarray(effect, dtype=float), np.asarray(variance, dtype=float)
    if include is None:
        y, v = (y, v) if y.shape == v.shape else np.broadcast_arrays(y, v)
        return y, v, np.ones(y.shape)
    y, v, used = np.broadcast_arrays(y, v, np.asarray(include, dtype=float))
    left_out = used == 0.0
    return np.where(left_out, 0.0, y), np.where(left_out, 1.0, v), used


def dot(left: FloatArray, right: FloatArray) -> FloatArray:
    """Sums of products along the last axis, in a third of the time that ``(left * right).sum(axis=-1)`` takes."""
    return np.asarray(np.einsum("...k,...k->...", left, right))
