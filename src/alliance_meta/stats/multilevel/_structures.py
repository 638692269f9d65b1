"""Covariances of the true effects of a study's outcomes, as functions of a few parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from alliance_meta.stats._arrays import FloatArray

__all__ = ["Covariance", "Parameters", "StructureName", "parameters"]

StructureName = Literal["UN", "CS", "HCS", "DIAG"]
_CORRELATIONS = (0.0, 0.6, -0.6)
"""Where climbs begin; the negative one as a share of the least that is possible."""
_LITTLE = 0.05
"""Of the variances: another beginning."""


class Covariance(NamedTuple):
    """A covariance (q, q) and its derivatives (t, q, q), (t, t, q, q) with respect to t parameters."""

    value: FloatArray
    first: FloatArray
    second: FloatArray


class Parameters(NamedTuple):
    """Parameters of a structure.

    Attributes
    ----------
    covariance : callable
        Of the parameters (t,).
    starts : list of ndarray, shape (t,)
    unit : ndarray, shape (t,)
        The size of a change that counts.
    lower : ndarray, shape (t,)
        0 or minus infinity. Where a variance or a correlation may lie at its edge without a bound, the edge is a
        stationary point: parameters enter it squared.
    """

    covariance: Callable[[FloatArray], Covariance]
    starts: list[FloatArray]
    unit: FloatArray
    lower: FloatArray


def parameters(structure: StructureName, variances: FloatArray, unit: FloatArray) -> Parameters:
    """Parameters that make every covariance of a structure and no other, definite or at the edge.

    Parameters
    ----------
    structure : {"UN", "CS", "HCS", "DIAG"}
        Unstructured; one variance and one correlation; a variance an outcome and one correlation; no correlation.
    variances : ndarray, shape (q,)
        Where to begin.
    unit : ndarray, shape (q,)
        Standard deviations that count.
    """
    q = variances.size
    first = _CORRELATIONS[:1] if q == 1 or structure == "DIAG" else _CORRELATIONS
    begin = [np.where(np.eye(q, dtype=bool), 1.0, rho if rho >= 0.0 else rho / (q - 1)) for rho in first]
    begin = [each * np.sqrt(np.outer(variances, variances)) for each in begin]
    begin.append(_LITTLE * begin[0])
    if q == 1 or structure in ("UN", "DIAG"):
        return _triangle(begin, unit, full=structure == "UN")
    return _one_variance(begin, unit) if structure == "CS" else _one_correlation(begin, unit)


def _triangle(begin: list[FloatArray], unit: FloatArray, *, full: bool) -> Parameters:
    """G = LL', L a lower triangle or a diagonal."""
    q = unit.size
    rows, columns = np.tril_indices(q) if full else (np.arange(q), np.arange(q))
    t = rows.size
    moves = np.zeros((t, q, q))
    moves[np.arange(t), rows, columns] = 1.0
    crossed = moves[:, None] @ np.swapaxes(moves, -1, -2)[None]
    second = crossed + np.swapaxes(crossed, -1, -2)

    def covariance(theta: FloatArray) -> Covariance:
        lower = np.zeros((q, q))
        lower[rows, columns] = theta
        half = moves @ lower.T
        return Covariance(lower @ lower.T, half + np.swapaxes(half, -1, -2), second)

    starts = [np.asarray(np.linalg.cholesky(each)[rows, columns], dtype=np.float64) for each in begin]
    return Parameters(covariance, starts, unit[rows], np.full(t, -np.inf))


def _one_variance(begin: list[FloatArray], unit: FloatArray) -> Parameters:
    """G = a^2 (I - J/q) + b^2 J/q: its eigenvalues are the squares."""
    q = unit.size
    mean = np.full((q, q), 1.0 / q)
    parts = np.stack([np.eye(q) - mean, mean])
    second = np.zeros((2, 2, q, q))
    second[[0, 1], [0, 1]] = 2.0 * parts

    def covariance(theta: FloatArray) -> Covariance:
        value = theta[0] ** 2 * parts[0] + theta[1] ** 2 * parts[1]
        return Covariance(value, 2.0 * theta[:, None, None] * parts, second)

    starts = []
    for each in begin:
        own, shared = np.trace(each) / q, (each.sum() - np.trace(each)) / (q * (q - 1))
        starts.append(np.sqrt(np.array([own - shared, own + (q - 1) * shared])))
    return Parameters(covariance, starts, np.full(2, float(unit.mean())), np.full(2, -np.inf))


def _one_correlation(begin: list[FloatArray], unit: FloatArray) -> Parameters:
    """G = DCD, D of standard deviations and C with the correlation least + (1 - least) sin^2(angle)."""
    q = unit.size
    least, off = -1.0 / (q - 1), 1.0 - np.eye(q)
    rows = np.arange(q)

    def covariance(theta: FloatArray) -> Covariance:
        sd, angle = np.diag(theta[:q]), theta[q]
        c = np.eye(q) + (least + (1.0 - least) * np.sin(angle) ** 2) * off
        slope, bend = (1.0 - least) * np.sin(2.0 * angle) * off, 2.0 * (1.0 - least) * np.cos(2.0 * angle) * off
        first, second = np.zeros((q + 1, q, q)), np.zeros((q + 1, q + 1, q, q))
        for j in range(q):
            first[j, j] += (c @ sd)[j]
            first[j, :, j] += (sd @ c)[:, j]
            second[j, rows, j, rows] += c[j]
            second[j, rows, rows, j] += c[j]
            second[j, q, j] += (slope @ sd)[j]
            second[j, q, :, j] += (sd @ slope)[:, j]
            second[q, j] = second[j, q]
        first[q], second[q, q] = sd @ slope @ sd, sd @ bend @ sd
        return Covariance(sd @ c @ sd, first, second)

    starts = []
    for each in begin:
        sd = np.sqrt(np.diag(each))
        share = (each[1, 0] / (sd[1] * sd[0]) - least) / (1.0 - least)
        starts.append(np.append(sd, np.arcsin(np.sqrt(share))))
    return Parameters(covariance, starts, np.append(unit, 1.0), np.append(np.zeros(q), -np.inf))
