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
    low, high, x = low.copy(), high.copy(), start.copy()
    last = np.full(x.shape, np.nan)
    converged = np.ones(x.shape, dtype=bool)
    moving = np.arange(x.size)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        for _ in range(_MAX_STEPS):
            here, size, before = x[moving], scale[moving], last[moving]
            value, slope = function(here, moving)
            bottom = np.where(value >= 0.0, here, low[moving])
            top = np.where(value <= 0.0, here, high[moving])
            low[moving], high[moving] = bottom, top
            there = here - value / slope
            newton = (slope < 0.0) & (there >= bottom) & (there <= top)
            if not newton.all():
                there = np.where(newton, there, np.sqrt((bottom + size) * (top + size)) - size)
            step = np.abs(there - here)
            fineness, shrinking = step / (here + size), step / before
            # Newton's steps shrink quadratically, so this one and the last tell the next, until only rounding is left.
            fine = (fineness * shrinking**2 <= _EPS) | ((fineness <= _NEAR) & (shrinking >= 0.25))
            settled = (newton & fine) | (fineness <= 2.0 * _EPS) | (value == 0.0) | np.isnan(value)
            x[moving] = np.where(value == 0.0, here, np.where(np.isnan(value), np.nan, there))
            last[moving] = np.where(newton, step, np.nan)
            moving = moving[~settled]
            if moving.size == 0:
                break
    converged[moving] = False
    x[moving] = np.nan
    return Roots(x, converged)
