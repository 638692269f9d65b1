"""What the effect measures share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import FloatArray

__all__ = ["Estimates", "floats", "mean_over_rows", "pooled_sd", "quiet", "ready_made"]

Estimates = tuple[FloatArray, FloatArray]
"""Effects and their sampling variances, of one shape."""

quiet = np.errstate(all="ignore")
"""What cannot be computed is NaN or infinite, without a warning."""


def floats(*values: npt.ArrayLike) -> tuple[FloatArray, ...]:
    """Broadcast values to float arrays of one shape."""
    return tuple(np.broadcast_arrays(*(np.asarray(value, dtype=float) for value in values)))


def mean_over_rows(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Weighted mean over the last axis of the values that are there; what an "AV" variance takes for each row's own."""
    there = ~np.isnan(values)
    total = np.sum(np.where(there, weights, 0.0), axis=-1, keepdims=values.ndim > 0)
    return np.asarray(np.sum(np.where(there, values * weights, 0.0), axis=-1, keepdims=values.ndim > 0) / total)


def pooled_sd(sd1: FloatArray, sd2: FloatArray, n1: FloatArray, n2: FloatArray) -> FloatArray:
    """Pool the standard deviation within two groups."""
    return np.sqrt(((n1 - 1.0) * sd1**2 + (n2 - 1.0) * sd2**2) / (n1 + n2 - 2.0))


def ready_made(effect: npt.ArrayLike, variance: npt.ArrayLike) -> Estimates:
    """Effects and variances as they are given (GEN)."""
    effect, variance = floats(effect, variance)
    return effect, variance
