"""The variance components of the highest likelihood: Newton's method where no component may fall below 0."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from alliance_meta.stats._arrays import BoolArray, FloatArray
from alliance_meta.stats.multilevel._nested import Likelihood

__all__ = ["Climb", "climb", "highest"]

_MAX_STEPS = 200
_MAX_HALVINGS = 40
_SAME = 0.5
"""Within this share of a known maximum's components a climb, or its next step, is taken to lead there."""
_EPS = float(np.finfo(float).eps)


class Climb(NamedTuple):
    """Where a climb ended."""

    components: FloatArray
    at: Likelihood
    converged: bool


def highest(
    function: Callable[[FloatArray], Likelihood], starts: list[FloatArray], scale: FloatArray, fixed: BoolArray
) -> Climb:
    """The highest of the maxima climbed to from several starts; a climb that comes near a known one ends there."""
    ends: list[Climb] = []
    for start in starts:
        end = climb(function, start, scale, fixed, [known.components for known in ends if known.converged])
        if end is not None:
            ends.append(end)
    return max(ends, key=lambda end: (end.converged, end.at.value))


def climb(
    function: Callable[[FloatArray], Likelihood],
    start: FloatArray,
    scale: FloatArray,
    fixed: BoolArray,
    known: Sequence[FloatArray] = (),
) -> Climb | None:
    """Climb a likelihood of variance components from a start.

    Parameters
    ----------
    function : callable
        Likelihood, slope and curvature at components (L,).
    start : ndarray, shape (L,)
    scale : ndarray, shape (L,)
        Sizes below which differences of a component mean nothing.
    fixed : ndarray of bool, shape (L,)
        Components that keep their value.
    known : sequence of ndarray, shape (L,)
        Maxima that need not be climbed again.

    Returns
    -------
    Climb or None
        None where the climb comes near a known maximum; else at a point where no free component can gain: its slope is
        0 to rounding, or it is 0 and would fall.
    """
    here, at = start.copy(), function(start)
    last = np.inf
    for _ in range(_MAX_STEPS):
        if _near(here, known, scale):
            return None
        free = ~fixed & ((here > 0.0) | (at.first > 0.0))
        if not free.any():
            return Climb(here, at, True)
        step = np.zeros(here.size)
        step[free] = _step(at.first[free], at.second[free][:, free], here[free] + scale[free])
        if _near(np.maximum(here + step, 0.0), known, scale):
            return None
        there, new, moved = _go(function, here, at, step)
        size = float((np.abs(there - here) / (here + scale)).max())
        here, at = (there, new) if moved else (here, at)
        # Newton's steps shrink quadratically until only rounding is left of them; the next would be below rounding.
        if not moved or size <= 4.0 * _EPS or (size <= 1e-7 and (size >= 0.25 * last or size**3 <= _EPS * last**2)):
            return Climb(here, at, bool(size <= 1e-6))
        last = size
    return Climb(here, at, False)


def _near(here: FloatArray, known: Sequence[FloatArray], scale: FloatArray) -> bool:
    return any(bool((np.abs(here - end) <= _SAME * (end + scale)).all()) for end in known)


def _step(slope: FloatArray, curvature: FloatArray, size: FloatArray) -> FloatArray:
    """Newton's step in units of `size`; where the likelihood is not concave, against its curvature's magnitude."""
    values, vectors = np.linalg.eigh(-curvature * size[:, None] * size)
    bend = np.maximum(np.abs(values), 1e-8 * np.abs(values).max() + np.finfo(float).tiny)
    return np.asarray(size * (vectors @ ((vectors.T @ (slope * size)) / bend)))


def _go(
    function: Callable[[FloatArray], Likelihood], here: FloatArray, at: Likelihood, step: FloatArray
) -> tuple[FloatArray, Likelihood, bool]:
    """Go a step, stopping components at 0, halved until the likelihood does not fall beyond rounding."""
    rounding = 16.0 * _EPS * max(abs(at.value), 1.0)
    share = 1.0
    for _ in range(_MAX_HALVINGS):
        there = np.maximum(here + share * step, 0.0)
        new = function(there)
        if new.value >= at.value - rounding:
            return there, new, True
        share *= 0.5
    return here, at, False
