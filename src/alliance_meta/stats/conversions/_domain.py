"""What every conversion starts and ends with: float arrays of one shape, silence, and NaN outside the domain."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import BoolArray, FloatArray

__all__ = ["floats", "formula", "is_sign", "over_hypotenuse", "within"]

P = ParamSpec("P")


def formula(function: Callable[P, FloatArray]) -> Callable[P, FloatArray]:
    """Let a function divide by 0 or leave its domain in silence, since what comes of it is documented."""

    @functools.wraps(function)
    def silent(*args: P.args, **kwargs: P.kwargs) -> FloatArray:
        with np.errstate(all="ignore"):
            return function(*args, **kwargs)

    return silent


def floats(*values: npt.ArrayLike) -> tuple[FloatArray, ...]:
    """Broadcast values to float arrays of one shape."""
    return tuple(np.broadcast_arrays(*(np.asarray(value, dtype=float) for value in values)))


def within(domain: Any, value: Any) -> FloatArray:
    """Give value where the inputs are in the domain, NaN elsewhere.

    An input that is NaN is in no domain, since no comparison holds for it.
    """
    return np.where(domain, np.asarray(value, dtype=float), np.nan)


def is_sign(sign: FloatArray) -> BoolArray:
    """Whether each sign is 1 or -1."""
    return np.asarray(np.abs(sign) == 1.0)


def over_hypotenuse(x: FloatArray) -> FloatArray:
    """X / sqrt(1 + x**2), which is 1 at infinity and does not overflow before it."""
    return np.asarray(np.where(np.isinf(x), np.sign(x), x / np.hypot(1.0, x)))
