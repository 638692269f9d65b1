"""Newton's method towards the highest likelihood under selection, for many sets of effects at once."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import BoolArray, FloatArray
from alliance_meta.stats.selection._likelihood import Problem

__all__ = ["Climb", "Outcome", "climb"]

_MAX_STEPS = 120
_HALVINGS = 30
_LONGEST = 2.0
_ARRIVED = 1e-13
"""The square of a step in standard errors after which Newton's method leaves nothing but rounding."""
_STUCK = 1e-7
_FLAT = 1e-11
"""A curvature that small beside the largest is none: some mix of the parameters may be anything."""
_DRIFT = 0.25
_ZERO = 1e-13
"""A tau2 below this share of its unit is 0."""


class Outcome(IntEnum):
    """How the search for the highest likelihood ended."""

    CONVERGED = 0
    RIDGE = 1
    NOT_REACHED = 2
    NO_REFERENCE = 3
    TOO_FEW = 4


class Climb(NamedTuple):
    """Where climbs ended: parameters (R, n), log-likelihoods and outcomes (R,)."""

    theta: FloatArray
    height: FloatArray
    outcome: npt.NDArray[np.int8]


def climb(problem: Problem, start: FloatArray, free: BoolArray) -> Climb:
    """Climb from `start` (R, n), moving the parameters that are `free` (R, n), with tau2 not below 0.

    Returns
    -------
    Climb
        ``RIDGE``: the likelihood levels off while a parameter runs away. ``NOT_REACHED``: the climb did not end.
    """
    theta = start.copy()
    height = problem.height(theta)
    outcome = np.full(len(theta), Outcome.NOT_REACHED, dtype=np.int8)
    moving = np.flatnonzero(np.isfinite(height))
    part, p = problem.at(moving), problem.p
    for _ in range(_MAX_STEPS):
        if moving.size == 0:
            break
        here = theta[moving]
        step, rise, sound = _newton(part, here, free[moving], p)
        size = np.abs(step).max(axis=-1)
        ended = sound & (rise <= _ARRIVED)
        ridge = (rise <= _FLAT) & ~(ended & (size <= _DRIFT)) & (~sound | (size > _DRIFT))
        ridge |= part.lost(here) & free[moving, :p].all(axis=-1)
        step *= np.minimum(1.0, _LONGEST / np.maximum(size, 1e-300))[:, None]
        there, new, risen = _line_search(part, here, height[moving], step)
        theta[moving], height[moving] = there, new
        # Near the top rounding may hide a rise that is there.
        ended |= ~risen & sound & (rise <= _STUCK)
        outcome[moving[ended]] = Outcome.CONVERGED
        outcome[moving[ridge]] = Outcome.RIDGE
        left = ~(ended | ridge | ~risen)
        if not left.all():
            moving, part = moving[left], part.at(left)
    return Climb(theta, height, outcome)


def _newton(problem: Problem, theta: FloatArray, free: BoolArray, p: int) -> tuple[FloatArray, FloatArray, BoolArray]:
    """A step upwards that keeps tau2 at or above 0, the rise it promises (twice), and whether the top is a peak."""
    slopes = problem.slopes(theta)
    at_0 = theta[:, p] <= 0.0
    moves = free.copy()
    moves[:, p] &= ~(at_0 & (slopes.gradient[:, p] <= 0.0))
    step, rise, sound = _solved(slopes.gradient, slopes.hessian, moves)
    outwards = at_0 & (step[:, p] < 0.0)
    if outwards.any():
        rows = np.flatnonzero(outwards)
        moves[rows, p] = False
        step[rows], rise[rows], sound[rows] = _solved(slopes.gradient[rows], slopes.hessian[rows], moves[rows])
    down = np.minimum(step[:, p], 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = np.where(down < -theta[:, p], theta[:, p] / -down, 1.0)
    return step * reach[:, None], rise, sound & (reach == 1.0)


def _solved(gradient: FloatArray, hessian: FloatArray, moves: BoolArray) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Newton's step of the parameters that move; where the likelihood curves upwards, by the curvature's size."""
    g = np.where(moves, gradient, 0.0)
    information = np.where(moves[:, :, None] & moves[:, None, :], -hessian, 0.0)
    held = np.where(moves, 0.0, 1.0)
    unit = np.sqrt(np.abs(np.diagonal(information, axis1=-2, axis2=-1)) + held)
    unit = np.where(unit > 0.0, unit, 1.0)
    scaled = information / (unit[:, :, None] * unit[:, None, :]) + held[:, :, None] * np.eye(g.shape[-1])
    sane = np.isfinite(scaled).all(axis=(-2, -1)) & np.isfinite(g).all(axis=-1)
    g = np.where(sane[:, None], g, 0.0)
    values, vectors = np.linalg.eigh(np.where(sane[:, None, None], scaled, np.eye(g.shape[-1])))
    along = (np.swapaxes(vectors, -1, -2) @ (g / unit)[..., None])[..., 0]
    least = 1e-8 * np.abs(values).max(axis=-1, keepdims=True)
    across = along / np.maximum(np.abs(values), least)
    step = (vectors @ across[..., None])[..., 0] / unit
    sound = sane & (values[:, 0] > _FLAT * values[:, -1])
    return np.where(sane[:, None] & moves, step, 0.0), (along * across).sum(axis=-1), sound


def _line_search(
    problem: Problem, theta: FloatArray, height: FloatArray, step: FloatArray
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Halve steps until they rise; what rounding makes of a step at the top counts as a rise."""
    theta, height = theta.copy(), height.copy()
    slack = 1e-13 * (1.0 + np.abs(height))
    trying = np.arange(len(theta))
    part = problem
    for halving in range(_HALVINGS):
        share = 0.5**halving
        there = theta[trying] + share * step[trying]
        there[there[:, problem.p] < _ZERO, problem.p] = 0.0
        value = part.height(there)
        rises = value >= height[trying] - slack[trying]
        theta[trying[rises]], height[trying[rises]] = there[rises], value[rises]
        trying = trying[~rises]
        if trying.size == 0:
            break
        part = part.at(~rises)
    risen = np.ones(len(theta), dtype=bool)
    risen[trying] = False
    return theta, height, risen
