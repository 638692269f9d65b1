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
    end = p + 1
    m, r, q = inner.value[:p, :p], inner.value[:p, p], inner.value[p, p]
    d, d2 = inner.first[:, :end, :end], inner.second[:, :, :end, :end]
    covariance = np.asarray(np.linalg.inv(m), dtype=np.float64)
    b = covariance @ r
    # The residual sum of squares is u'Su with u = (-b, 1) and S the products of columns and effects; as it is smallest
    # at b, the first derivative of b does not count in its slope.
    u = np.append(-b, 1.0)
    turned = d @ u
    off = turned[:, :p]
    value = log_det.value + q - r @ b
    first = log_det.first + turned @ u
    second = log_det.second + (d2 @ u) @ u - 2.0 * (off @ covariance @ off.T)
    dm = d[:, :p, :p]
    moved = covariance @ dm
    if restricted:
        value = value + np.linalg.slogdet(m)[1]
        first = first + np.einsum("iaa->i", moved)
        crossed = np.einsum("iab,jba->ij", moved, moved)
        second = second + np.einsum("ab,ijba->ij", covariance, d2[:, :, :p, :p]) - crossed
    slopes = -moved @ covariance
    return Likelihood(float(-0.5 * value), -0.5 * first, -0.5 * second, b, covariance, slopes)
