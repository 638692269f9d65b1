"""Cluster-robust covariance with matrices of n x n, as it is defined; and with 50 digits. No code of the library."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

import mpmath as mp  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt

__all__ = ["Dense", "dense", "fifty_digits", "wild_statistic"]

FloatArray = npt.NDArray[np.float64]
DIGITS = 50


class Dense(NamedTuple):
    """Covariance, degrees of freedom of each coefficient, and of HTZ for some of them."""

    covariance: FloatArray
    df: FloatArray
    htz_df: float


def _pseudo_power(b: FloatArray, power: float, size: float) -> FloatArray:
    """A power of the eigenvalues that are not next to nothing beside `size`."""
    values, vectors = np.linalg.eigh(b)
    kept = values > 1e-10 * size
    return np.asarray((vectors[:, kept] * values[kept] ** power) @ vectors[:, kept].T)


def _adjusted(
    x: FloatArray, phi: FloatArray, w: FloatArray, cluster: npt.NDArray[np.intp], adjustment: str
) -> list[FloatArray]:
    """For each cluster, the rows (p, n) that turn residuals into its part of the coefficients' error."""
    bread = np.linalg.inv(x.T @ w @ x)
    rest = np.eye(len(x)) - x @ bread @ x.T @ w
    errors = rest @ phi @ rest.T
    rows = []
    for which in range(cluster.max() + 1):
        own = np.flatnonzero(cluster == which)
        square = np.ix_(own, own)
        a = np.eye(own.size)
        if adjustment == "CR2":
            root = np.linalg.cholesky(phi[square]).T
            size = np.linalg.norm(root @ phi[square] @ root.T)
            a = root.T @ _pseudo_power(root @ errors[square] @ root.T, -0.5, float(size)) @ root
        if adjustment == "CR3":
            root = np.linalg.cholesky(np.linalg.inv(w[square]))  # on whose scale the matrix is symmetric
            a = root @ _pseudo_power(np.linalg.solve(root, rest[square] @ root), -1.0, 1.0) @ np.linalg.inv(root)
        row = np.zeros((x.shape[1], len(x)))
        row[:, own] = bread @ x[own].T @ w[square] @ a
        rows.append(row)
    return rows


def dense(
    x: FloatArray,
    e: FloatArray,
    phi: FloatArray,
    w: FloatArray,
    cluster: npt.NDArray[np.intp],
    adjustment: str,
    tested: Sequence[int],
) -> Dense:
    """The definitions, for residuals e, working covariance phi and weights w, both (n, n)."""
    rows = _adjusted(x, phi, w, cluster, adjustment)
    s, (n, p) = len(rows), x.shape
    factor = {"CR1": s / (s - 1), "CR1p": s / max(s - p, 1e-300), "CR1S": s * (n - 1) / ((s - 1) * (n - p))}
    covariance = factor.get(adjustment, 1.0) * sum((row @ np.outer(e, e) @ row.T for row in rows), np.zeros((p, p)))
    rest = np.eye(n) - x @ np.linalg.inv(x.T @ w @ x) @ x.T @ w
    errors = rest @ phi @ rest.T
    crossed = np.array([[i @ errors @ j.T for j in rows] for i in rows])  # (s, s, p, p)
    alone = np.array([crossed[:, :, j, j] for j in range(p)])
    df = np.trace(alone, axis1=1, axis2=2) ** 2 / (alone**2).sum(axis=(1, 2))
    chosen = crossed[:, :, tested][..., tested]
    root = np.linalg.inv(np.linalg.cholesky(np.einsum("iiab->ab", chosen)))
    chosen = root @ chosen @ root.T
    q = len(tested)
    total = sum(
        (chosen[:, :, a, a] * chosen[:, :, b, b] + chosen[:, :, a, b] * chosen[:, :, b, a]).sum()
        for a, b in product(range(q), repeat=2)
    )
    return Dense(covariance, df, q * (q + 1) / float(total) - q + 1)


def fifty_digits(
    x: FloatArray, y: FloatArray, v: FloatArray, cluster: npt.NDArray[np.intp], tested: Sequence[int]
) -> tuple[Dense, float]:
    """CR2 for independent errors of variance v and inverse-variance weights; and HTZ's F."""
    with mp.workdps(DIGITS):
        xs, ys, vs = mp.matrix(x.tolist()), mp.matrix(y.tolist()), [mp.mpf(value) for value in v.tolist()]
        p, q = x.shape[1], len(tested)
        wx = mp.diag([1 / value for value in vs]) * xs
        bread = (xs.T * wx) ** -1
        b = bread * (wx.T * ys)
        e = ys - xs * b
        covariance, spread, lever = mp.matrix(p, p), [], []
        for which in range(int(cluster.max()) + 1):
            own = np.flatnonzero(cluster == which).tolist()
            part, variance = _rows(xs, own), [vs[i] for i in own]
            g = _bias_reduced(part, variance, bread)
            score = g.T * _rows(e, own)
            covariance += score * score.T
            spread.append(g.T * mp.diag(variance) * g)
            lever.append(part.T * g)
        cross = {
            (i, j): (spread[i] if i == j else mp.matrix(p, p)) - lever[i].T * bread * lever[j]
            for i, j in product(range(len(lever)), repeat=2)
        }
        own_cross = [cross[i, i] for i in range(len(lever))]
        df = [
            mp.fsum(each[j, j] for each in own_cross) ** 2 / mp.fsum(each[j, j] ** 2 for each in cross.values())
            for j in range(p)
        ]
        pick = mp.matrix(q, p)
        for row, column in enumerate(tested):
            pick[row, column] = 1
        eta = _hotelling(pick, list(cross.values()), own_cross)
        chosen = pick * b
        wald = (chosen.T * (pick * covariance * pick.T) ** -1 * chosen)[0]
        made = Dense(_floats(covariance), np.array([float(value) for value in df]), float(eta - q + 1))
        return made, float((eta - q + 1) / (eta * q) * wald)


def _rows(matrix: Any, rows: Sequence[int]) -> Any:
    return mp.matrix([[matrix[i, j] for j in range(matrix.cols)] for i in rows])


def _bias_reduced(part: Any, variance: Sequence[Any], bread: Any) -> Any:
    """A W X (X'WX)^-1 of one cluster."""
    root = mp.diag([mp.sqrt(value) for value in variance])
    values, vectors = mp.eigsy(root * (mp.diag(variance) - part * bread * part.T) * root)
    a = root * vectors * mp.diag([1 / mp.sqrt(value) for value in values]) * vectors.T * root
    return a * mp.diag([1 / value for value in variance]) * part * bread


def _hotelling(pick: Any, cross: Sequence[Any], own: Sequence[Any]) -> Any:
    q = pick.rows
    expected = sum((pick * each * pick.T for each in own), mp.matrix(q, q))
    turn = mp.cholesky(expected) ** -1 * pick
    turned = [turn * each * turn.T for each in cross]
    pairs = list(product(range(q), repeat=2))
    return q * (q + 1) / mp.fsum(each[a, a] * each[c, c] + each[a, c] * each[c, a] for each in turned for a, c in pairs)


def _floats(matrix: Any) -> FloatArray:
    return np.array(matrix.tolist(), dtype=float)


def wild_statistic(
    x: FloatArray,
    y: FloatArray,
    phi: FloatArray,
    w: FloatArray,
    cluster: npt.NDArray[np.intp],
    adjustment: str,
    contrasts: FloatArray,
    null: FloatArray,
    multipliers: FloatArray,
) -> float:
    """One replicate of the wild bootstrap by refitting: Wald's statistic divided by the number of contrasts."""
    bread = np.linalg.inv(x.T @ w @ x)
    b = bread @ x.T @ w @ y
    meat = contrasts @ bread @ contrasts.T
    restricted = b - bread @ contrasts.T @ np.linalg.solve(meat, contrasts @ b - null)
    drawn = x @ restricted + multipliers[cluster] * (y - x @ restricted)
    refitted = bread @ x.T @ w @ drawn
    found = dense(x, drawn - x @ refitted, phi, w, cluster, adjustment, [0])
    gap = contrasts @ refitted - null
    return float(gap @ np.linalg.solve(contrasts @ found.covariance @ contrasts.T, gap)) / len(contrasts)
