"""What every estimator of tau2 returns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from alliance_meta.stats._arrays import BoolArray, FloatArray
from alliance_meta.stats._projection import Model

__all__ = ["Tau2", "truncated"]


class Tau2(NamedTuple):
    """A between-study variance; each field has the batch shape.

    Attributes
    ----------
    estimate : ndarray
        tau2 in squared units of the effects, not below 0; NaN where no residual degree of freedom is left.
    converged : ndarray of bool
        Whether the estimator reached its optimum (always, where it has a closed form).
    """

    estimate: FloatArray
    converged: BoolArray


def truncated(estimate: FloatArray, model: Model, shape: tuple[int, ...]) -> Tau2:
    """A closed-form estimate in the batch's shape: 0 where negative, NaN without residual degrees of freedom."""
    kept = np.where(model.df > 0.0, np.maximum(estimate, 0.0), np.nan).reshape(shape)
    return Tau2(kept, np.ones(shape, dtype=bool))
