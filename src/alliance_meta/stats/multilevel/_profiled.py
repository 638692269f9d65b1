"""The likelihood of variance components once the coefficients are at their best."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.multilevel._jet import Jet

__all__ = ["Likelihood", "Sums", "profiled"]


class Sums(NamedTuple):
    """What the likelihood is made of: B'V^-1 B for the columns B, (m, m), and log det V; with their derivatives."""

    inner: Jet
    log_det: Jet


class Likelihood(NamedTuple):
    """Log-likelihood (restricted or not), with its slope (L,) and curvature (L, L), and the coefficients behind it.

    `covariance` (p, p) is that of the coefficients, `covariance_slopes` (L, p, p) how it changes with the components.
    """

    value: float
    first: FloatArray
    second: FloatArray
    coefficients: FloatArray
    covariance: FloatArray
    covariance_slopes: FloatArray


def profiled(found: Sums, p: int, *, restricted: bool) -> Likelihood:
    """Log-likelihood with the coefficients profiled out, up to a constant.

    Parameters
    ----------
    found : Sums
        B'V^-1 B for the columns B, the p of the design and the effects after them, and log det V; with derivatives.
    p : int
    restricted : bool

    Returns
    -------
    Likelihood
        The restricted one has half of log det X'V^-1 X taken off; half of log det X'X is for the caller to add.
    """
    inner, log_det = found
    m, dm, d2m = (part[..., :p, :p] for part in (inner.value, inner.first, inner.second))
    r, dr, d2r = (part[..., :p, p] for part in (inner.value, inner.first, inner.second))
    q, dq, d2q = (part[..., p, p] for part in (inner.value, inner.first, inner.second))
    covariance = np.asarray(np.linalg.inv(m), dtype=np.float64)
    b = covariance @ r
    # Slopes and curvatures of the residual sum of squares q - r'M^-1 r: the first of b does not count.
    off = dr - dm @ b
    slope = dq - 2.0 * dr @ b + (dm @ b) @ b
    curvature = d2q - 2.0 * d2r @ b + (d2m @ b) @ b - 2.0 * off @ covariance @ off.T
    value, first, second = log_det.value + q - r @ b, log_det.first + slope, log_det.second + curvature
    if restricted:
        moved = covariance @ dm
        value = value + np.linalg.slogdet(m).logabsdet
        first = first + np.trace(moved, axis1=-2, axis2=-1)
        crossed = np.einsum("iab,jba->ij", moved, moved)
        second = second + np.trace(covariance @ d2m, axis1=-2, axis2=-1) - crossed
    slopes = -covariance @ dm @ covariance
    return Likelihood(float(-0.5 * value), -0.5 * first, -0.5 * second, b, covariance, slopes)
