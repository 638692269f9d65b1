"""Roots of many functions of one variable at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from alliance_meta.stats._arrays import BoolArray, FloatArray, IntArray

__all__ = ["Roots", "falling_root"]

_MAX_STEPS = 200
_NEAR = 1e-7
_EPS = float(np.finfo(float).eps)


class Roots(NamedTuple):
    """Where functions cross 0 from above, and whether each was found."""

    x: FloatArray
    converged: BoolArray


def falling_root(
    function: Callable[[FloatArray, IntArray], tuple[FloatArray, FloatArray]],
    low: FloatArray,
    high: FloatArray,
    start: FloatArray,
    scale: FloatArray,
) -> Roots:
    """Newton's method kept inside a bracket, for functions that are not below 0 at `low` nor above it at `high`.

    Parameters
    ----------
    function : callable
        ``function(x, rows)`` gives values and slopes of the functions with the indices `rows` at `x`.
    low, high, start : ndarray, shape (R,)
        A bracket for each function, and where to begin in it; all not below 0.
    scale : ndarray, shape (R,)
        The size of x below which its differences mean nothing: a root is accurate relative to x + scale.

    Returns
    -------
    Roots
        NaN where the function is, and where 200 steps do not reach the root.
    """
    x = np.full(start.shape, np.nan)
    converged = np.zeros(start.shape, dtype=bool)
    rows, here, before = np.arange(start.size), start, np.full(start.shape, np.nan)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        for _ in range(_MAX_STEPS):
            value, slope = function(here, rows)
            low = np.where(value >= 0.0, here, low)
            high = np.where(value <= 0.0, here, high)
            there = here - value / slope
            newton = (slope < 0.0) & (there >= low) & (there <= high)
            if not newton.all():
                there = np.where(newton, there, np.sqrt((low + scale) * (high + scale)) - scale)
            step = np.abs(there - here)
            fineness, shrinking = step / (here + scale), step / before
            # Newton's steps shrink quadratically, so this one and the last tell the next, until only rounding is left.
            fine = (fineness * shrinking * shrinking <= _EPS) | ((fineness <= _NEAR) & (shrinking >= 0.25))
            unknown, found = np.isnan(value), value == 0.0
            done = (newton & fine) | (fineness <= 2.0 * _EPS) | found | unknown
            if done.any():
                x[rows[done]] = np.where(unknown, np.nan, np.where(found, here, there))[done]
                converged[rows[done]] = True
                if done.all():
                    break
                left = ~done
                rows, there, step, newton = rows[left], there[left], step[left], newton[left]
                low, high, scale = low[left], high[left], scale[left]
            here, before = there, np.where(newton, step, np.nan)
    return Roots(x, converged)
