"""The correlation of a bivariate normal distribution, from the probabilities of its four quadrants."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from alliance_meta.stats._arrays import FloatArray

__all__ = ["latent_correlation", "lower_quadrant"]

_ANGLE_TOLERANCE = 1e-14
_MOST_STEPS = 200  # halving alone needs fewer than 60


def lower_quadrant(h: FloatArray, k: FloatArray, angle: FloatArray) -> FloatArray:
    """Probability that two standard normals of correlation sin(angle) are below h and k, both of them below 0.

    By Owen's (1956) T function. Both cuts being negative, his formula needs no case distinction.
    """
    rho, rest = np.sin(angle), np.cos(angle)
    return np.asarray(
        0.5 * (special.ndtr(h) + special.ndtr(k))
        - special.owens_t(h, (k / h - rho) / rest)
        - special.owens_t(k, (h / k - rho) / rest)
    )


def _slope(h: FloatArray, k: FloatArray, angle: FloatArray) -> FloatArray:
    """Derivative of the probability by the angle: the bivariate density without its 1 / cos(angle)."""
    square = (h - k * np.sin(angle)) ** 2 / np.cos(angle) ** 2 + k**2
    return np.asarray(np.exp(-0.5 * square) / (2.0 * math.pi))


def _solve(h: FloatArray, k: FloatArray, both: FloatArray) -> FloatArray:
    """Angle at which the lower quadrant has probability both: Newton's method, kept within halving brackets."""
    found = np.zeros_like(h)
    low, high = np.full_like(h, -0.5 * math.pi), np.full_like(h, 0.5 * math.pi)
    todo = np.arange(len(h))
    for _ in range(_MOST_STEPS):
        angle, cut_h, cut_k = found[todo], h[todo], k[todo]
        excess = lower_quadrant(cut_h, cut_k, angle) - both[todo]
        high[todo] = np.where(excess >= 0.0, angle, high[todo])
        low[todo] = np.where(excess <= 0.0, angle, low[todo])
        newton = angle - excess / _slope(cut_h, cut_k, angle)
        inside = (newton > low[todo]) & (newton < high[todo])
        found[todo] = np.where(inside, newton, 0.5 * (low[todo] + high[todo]))
        todo = todo[np.abs(found[todo] - angle) > _ANGLE_TOLERANCE]
        if not len(todo):
            break
    return found


def latent_correlation(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> FloatArray:
    """Tetrachoric correlation of tables ((a, b), (c, d)) of one shape; NaN where a margin is 0."""
    shape = a.shape
    a, b, c, d = (cell.ravel() for cell in (a, b, c, d))
    # Turn every table so that its first row and first column are the rarer: accurate, and Owen's simplest case.
    turned = a + b > c + d
    a, b, c, d = np.where(turned, (c, d, a, b), (a, b, c, d))
    swapped = a + c > b + d
    a, b, c, d = np.where(swapped, (b, a, d, c), (a, b, c, d))
    total = a + b + c + d
    # A cut at the median stays a hair below it, since Owen's formula divides by the cuts.
    h, k = (np.minimum(special.ndtri(margin / total), -1e-300) for margin in (a + b, a + c))
    rho = np.where((a == 0.0) | (d == 0.0), -1.0, 1.0)
    inner = (a > 0.0) & (b > 0.0) & (c > 0.0) & (d > 0.0)
    rho[inner] = np.sin(_solve(h[inner], k[inner], (a / total)[inner]))
    degenerate = ((a == 0.0) | (d == 0.0)) & ((b == 0.0) | (c == 0.0))
    known = np.where(degenerate | ~np.isfinite(total), np.nan, rho)
    return np.asarray(np.where(turned != swapped, 0.0 - known, known).reshape(shape))
