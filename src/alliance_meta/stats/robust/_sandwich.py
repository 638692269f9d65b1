"""The cluster-robust (sandwich) covariance of weighted least squares, corrected for few clusters.

With weights W = R'R, the columns of R X are written Q T, Q'Q = 1 and T square. All that a cluster contributes is then
a few p-vectors and p x p matrices: with q its rows of Q and g its rows of what the adjustment turns them into,
coefficients have the covariance T^-1 (sum of g'e e'g) T'^-1, and for clusters i and j, under the working model,

    cov(g_i'e_i, g_j'e_j) = [i = j] g_i'F_i g_i + l_i'K l_j,    l = (q'g, q'F g),

where F are the variances of the errors multiplied by R (1 unless weights are not inverse variances).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.stats._arrays import BoolArray, FloatArray, IntArray
from alliance_meta.stats.robust._clusters import Block, Clusters, Whitened, scaled, whitened

__all__ = ["ADJUSTMENTS", "Sandwich", "sandwich"]

Adjustment = Literal["CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3"]

ADJUSTMENTS: dict[Adjustment, str] = {
    "CR0": "no correction",
    "CR1": "times S / (S - 1)",
    "CR1p": "times S / (S - p)",
    "CR1S": "times S (n - 1) / ((S - 1) (n - p))",
    "CR2": "bias-reduced linearization",
    "CR3": "the approximate jackknife",
}
"""Small-sample adjustments, for S clusters, n observations and p coefficients."""

_ABSORBED = 1e-10
"""A leverage this near 1 is 1: the coefficients fit that part of the cluster exactly, whatever it is."""


class Sandwich(NamedTuple):
    """A cluster-robust covariance, and what clusters contribute to it, of which its tests are made.

    Attributes
    ----------
    covariance : ndarray, shape (p, p)
        Of the coefficients.
    basis : ndarray, shape (p, p)
        T^-1: coefficients are ``basis`` times those of the orthonormal columns.
    score, plain_score : ndarray, shape (s, p)
        g'e and q'e.
    information : ndarray, shape (s, p, p)
        q'q.
    spread : ndarray, shape (s, p, p)
        g'F g.
    lever : ndarray, shape (s, r, p)
        l, whose first p rows are q'g; r is p, or 2p where weights are not inverse variances.
    kernel : ndarray, shape (r, r)
        K.
    factor : float
        What CR1, CR1p and CR1S multiply by; else 1.
    absorbed : ndarray of bool, shape (s,)
        Clusters of which some part has leverage 1.
    """

    covariance: FloatArray
    basis: FloatArray
    score: FloatArray
    plain_score: FloatArray
    information: FloatArray
    spread: FloatArray
    lever: FloatArray
    kernel: FloatArray
    factor: float
    absorbed: BoolArray


def sandwich(
    design: npt.ArrayLike,
    residual: npt.ArrayLike,
    cluster: npt.ArrayLike,
    working: npt.ArrayLike | Sequence[Block],
    *,
    weights: npt.ArrayLike | None = None,
    adjustment: str = "CR2",
) -> Sandwich:
    """Covariance of weighted least squares that holds whatever the covariance within clusters is.

    Parameters
    ----------
    design : array_like, shape (n, p)
        Columns, none of which is a combination of others.
    residual : array_like, shape (n,)
        Of the weighted least squares fit.
    cluster : array_like of int, shape (n,)
        The number of each observation's cluster: 0, 1, ..., in any order, none left out.
    working : array_like, shape (n,), or sequence of Block
        The working model: variances of independent errors, or covariances within blocks. Blocks must lie within
        clusters.
    weights : array_like, shape (n,), optional
        Of the fit, where they are not the inverse of the working covariance; for independent errors only.
    adjustment : {"CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3"}
        CR2 makes the covariance unbiased under the working model, by the symmetric square root; where a cluster has
        leverage 1, by its Moore-Penrose inverse.

    Returns
    -------
    Sandwich

    Raises
    ------
    InputError
        For one cluster, for blocks that do not lie within clusters or are not positive definite, and for CR1p with as
        many coefficients as clusters.

    References
    ----------
    Bell, R. M., & McCaffrey, D. F. (2002). Survey Methodology, 28, 169-181.
    Pustejovsky, J. E., & Tipton, E. (2018). Journal of Business & Economic Statistics, 36, 672-683.

    Examples
    --------
    Six effects of which pairs are alike say little more than three would:

    >>> y = np.array([0.1, 0.1, 0.4, 0.4, 0.7, 0.7])
    >>> found = sandwich(np.ones((6, 1)), y - 0.4, [0, 0, 1, 1, 2, 2], np.full(6, 0.09))
    >>> print(f"{np.sqrt(found.covariance[0, 0]):.3f} rather than {0.3 / 6**0.5:.3f}")
    0.173 rather than 0.122
    """
    x, e, index = np.asarray(design, float), np.asarray(residual, float), np.asarray(cluster, dtype=np.intp)
    clusters = Clusters.of(index)
    factor = _factor(adjustment, clusters.sizes.size, *x.shape)
    if isinstance(working, Sequence) and len(working) and isinstance(working[0], Block):
        white = whitened(x, e, working, clusters)  # type: ignore[arg-type]
    else:
        given = None if weights is None else np.asarray(weights, dtype=float)
        white = scaled(x, e, np.asarray(working, dtype=float), given)
    size = np.sqrt((white.design**2).sum(axis=0))
    q, triangle = np.linalg.qr(white.design / size)
    basis = np.linalg.inv(triangle) / size[:, None]
    return _assembled(white, q, basis, clusters, adjustment, factor)


def _factor(adjustment: str, s: int, n: int, p: int) -> float:
    if adjustment not in ADJUSTMENTS:
        raise UnknownNameError(f"unknown adjustment {adjustment!r}. Known: {', '.join(ADJUSTMENTS)}.")
    if s < 2:
        raise InputError("a cluster-robust covariance needs two clusters or more; there is one")
    if adjustment == "CR1p" and s <= p:
        raise InputError(f"adjustment='CR1p' divides by the {s} clusters less the {p} coefficients; take 'CR2'")
    if adjustment == "CR1":
        return s / (s - 1)
    if adjustment == "CR1p":
        return s / (s - p)
    return s * (n - 1) / ((s - 1) * (n - p)) if adjustment == "CR1S" else 1.0


def _assembled(
    white: Whitened, q: FloatArray, basis: FloatArray, clusters: Clusters, adjustment: str, factor: float
) -> Sandwich:
    s, p = clusters.sizes.size, q.shape[1]
    variance = white.variance
    middle = np.eye(p) if variance is None else q.T @ (variance[:, None] * q)
    score, plain = np.empty((s, p)), np.empty((s, p))
    information, spread = np.empty((s, p, p)), np.empty((s, p, p))
    lever = np.empty((s, p if variance is None else 2 * p, p))
    absorbed = np.zeros(s, dtype=bool)
    for number, (which, rows) in enumerate(clusters.groups()):
        own, own_t = q[rows], np.swapaxes(q[rows], -1, -2)
        information[which] = own_t @ own
        lost, roots = _absorbed_parts(information[which])
        absorbed[which] = lost > 0
        own_variance = None if variance is None else variance[rows]
        if adjustment == "CR2":
            stretch = white.spread[number] if isinstance(white.spread, list) else white.spread[rows]
            g = _bias_reduced(own, stretch, own_variance, middle, lost)
        else:
            g = _jackknife(own, information[which], roots) if adjustment == "CR3" else own
        moved = g if own_variance is None else own_variance[..., None] * g
        e = white.residual[rows][..., None]
        score[which], plain[which] = (np.swapaxes(g, -1, -2) @ e)[..., 0], (own_t @ e)[..., 0]
        spread[which] = np.swapaxes(g, -1, -2) @ moved
        lever[which, :p] = own_t @ g
        if variance is not None:
            lever[which, p:] = own_t @ moved
    total = basis @ score.T
    one = np.eye(p)
    return Sandwich(
        covariance=factor * total @ total.T,
        basis=basis,
        score=score,
        plain_score=plain,
        information=information,
        spread=spread,
        lever=lever,
        kernel=-one if variance is None else np.block([[middle, -one], [-one, np.zeros((p, p))]]),
        factor=factor,
        absorbed=absorbed,
    )


def _absorbed_parts(information: FloatArray) -> tuple[IntArray, IntArray]:
    """How many dimensions of each cluster have leverage 1, and which clusters have any."""
    lost = np.zeros(len(information), dtype=np.intp)
    trace = np.trace(information, axis1=-2, axis2=-1)
    near = np.flatnonzero(trace > 1.0 - _ABSORBED)
    if near.size:
        lost[near] = (np.linalg.eigvalsh(information[near]) > 1.0 - _ABSORBED).sum(axis=-1)
    return lost, np.flatnonzero(lost)


def _bias_reduced(
    q: FloatArray, stretch: FloatArray, variance: FloatArray | None, middle: FloatArray, lost: IntArray
) -> FloatArray:
    """What CR2 turns rows of Q into: N B^(+1/2) F^(1/2) q with B = N cov(e) N'."""
    q_t = np.swapaxes(q, -1, -2)
    m = q.shape[-2]
    if variance is None:
        covariance, scaled_q = np.eye(m) - q @ q_t, q
    else:
        crossed = (q @ q_t) * variance[:, None, :]
        covariance = q @ middle @ q_t - crossed - np.swapaxes(crossed, -1, -2)
        covariance[:, range(m), range(m)] += variance
        scaled_q = np.sqrt(variance)[..., None] * q
    diagonal = stretch.ndim == 2
    target = stretch[:, :, None] * covariance * stretch[:, None, :] if diagonal else stretch @ covariance @ stretch
    values, vectors = np.linalg.eigh(target)
    gone = np.arange(m) < lost[:, None]
    roots = np.where(gone, 0.0, 1.0 / np.sqrt(np.where(gone, 1.0, values)))
    rooted = vectors @ (roots[..., None] * (np.swapaxes(vectors, -1, -2) @ scaled_q))
    return np.asarray(stretch[..., None] * rooted if diagonal else stretch @ rooted)


def _jackknife(q: FloatArray, information: FloatArray, singular: IntArray) -> FloatArray:
    """What CR3 turns rows of Q into: (1 - q q')^-1 q = q (1 - q'q)^-1."""
    rest = np.eye(q.shape[-1]) - information
    rest[singular] = np.eye(q.shape[-1])
    inverse = np.linalg.inv(rest)
    if singular.size:
        values, vectors = np.linalg.eigh(information[singular])
        gone = values > 1.0 - _ABSORBED
        scale = np.where(gone, 0.0, 1.0 / np.where(gone, 1.0, 1.0 - values))
        inverse[singular] = (vectors * scale[:, None, :]) @ np.swapaxes(vectors, -1, -2)
    return np.asarray(q @ inverse)
