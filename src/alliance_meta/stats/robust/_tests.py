"""Tests with a cluster-robust covariance: Satterthwaite's degrees of freedom, and Hotelling's T2 for several."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from alliance_meta.errors import UnknownNameError
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.robust._sandwich import Sandwich

__all__ = ["JOINT_TESTS", "JointTest", "contrast_covariance", "joint_test", "satterthwaite_df"]

JOINT_TESTS: dict[str, str] = {
    "HTZ": "Hotelling's T² with estimated degrees of freedom (HTZ)",
    "naive-F": "F with S - 1 degrees of freedom",
    "naive-Fp": "F with S - p degrees of freedom",
    "chi-square": "chi-square",
}
_DEPENDENT = 1e-10
"""Contrasts whose estimated correlations have an eigenvalue this small cannot be tested together."""


class JointTest(NamedTuple):
    """A test that several contrasts are 0; NaN where it does not exist.

    Attributes
    ----------
    statistic : float
        F, or chi-square where `df2` is infinite.
    df1, df2 : float
    p_value : float
    """

    statistic: float
    df1: float
    df2: float
    p_value: float


def contrast_covariance(fit: Sandwich, contrasts: npt.ArrayLike) -> FloatArray:
    """Covariance of contrasts (m, p) of the coefficients, without the loss of a detour over that of the coefficients.

    Parameters
    ----------
    fit : Sandwich
    contrasts : array_like, shape (m, p)

    Returns
    -------
    ndarray, shape (m, m)
    """
    scores = (np.atleast_2d(np.asarray(contrasts, dtype=float)) @ fit.basis) @ fit.score.T
    return np.asarray(fit.factor * scores @ scores.T)


def satterthwaite_df(fit: Sandwich, contrasts: npt.ArrayLike) -> FloatArray:
    """Degrees of freedom of t for contrasts of the coefficients: 2 E(V)^2 / var(V) under the working model.

    Parameters
    ----------
    fit : Sandwich
    contrasts : array_like, shape (m, p)

    Returns
    -------
    ndarray, shape (m,)
        Each contrast's own; NaN where the working model leaves no variance.

    References
    ----------
    Bell, R. M., & McCaffrey, D. F. (2002). Survey Methodology, 28, 169-181.
    Tipton, E. (2015). Psychological Methods, 20, 375-393.

    Examples
    --------
    Ten clusters, but only two of them have the moderator:

    >>> from alliance_meta.stats.robust import sandwich
    >>> x = np.column_stack([np.ones(20), np.arange(20) < 4])
    >>> y = np.sin(np.arange(20.0))
    >>> y -= x @ np.linalg.lstsq(x, y, rcond=None)[0]
    >>> fit = sandwich(x, y, np.arange(20) // 2, np.ones(20))
    >>> satterthwaite_df(fit, np.eye(2)).round(1)
    array([7. , 1.5])
    """
    c = np.atleast_2d(np.asarray(contrasts, dtype=float)) @ fit.basis
    spread = ((fit.spread @ c.T) * c.T).sum(axis=1)  # (s, m)
    levers = fit.lever @ c.T  # (s, r, m)
    inner = ((fit.kernel @ levers) * levers).sum(axis=1)
    gram = levers.transpose(2, 1, 0) @ levers.transpose(2, 0, 1)
    turned = fit.kernel @ gram
    across = (turned * turned.swapaxes(-1, -2)).sum(axis=(-1, -2))
    expected = (spread + inner).sum(axis=0)
    squares = (spread * (spread + 2.0 * inner)).sum(axis=0) + across
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(expected**2 / squares)


def joint_test(fit: Sandwich, contrasts: npt.ArrayLike, gap: npt.ArrayLike, *, method: str = "HTZ") -> JointTest:
    """Test that all of several contrasts are what a hypothesis says.

    Parameters
    ----------
    fit : Sandwich
    contrasts : array_like, shape (m, p)
        Of full row rank.
    gap : array_like, shape (m,)
        The contrasts' estimates less their hypothetical values.
    method : {"HTZ", "naive-F", "naive-Fp", "chi-square"}

    Returns
    -------
    JointTest
        NaN with as many contrasts as clusters, and, for HTZ, with too few estimated degrees of freedom.

    References
    ----------
    Tipton, E., & Pustejovsky, J. E. (2015). Journal of Educational and Behavioral Statistics, 40, 604-634.

    Examples
    --------
    For a single contrast it is the square of t with Satterthwaite's degrees of freedom:

    >>> from alliance_meta.stats.robust import sandwich
    >>> y = np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.7])
    >>> fit = sandwich(np.ones((6, 1)), y - y.mean(), [0, 0, 1, 1, 2, 2], np.ones(6))
    >>> test = joint_test(fit, [[1]], [y.mean()])
    >>> print(f"F({test.df1:g}, {test.df2:g}) = {test.statistic:.2f}")
    F(1, 2) = 6.96
    """
    if method not in JOINT_TESTS:
        raise UnknownNameError(f"unknown joint test {method!r}. Known: {', '.join(JOINT_TESTS)}.")
    c, gaps = np.atleast_2d(np.asarray(contrasts, dtype=float)), np.ravel(np.asarray(gap, dtype=float))
    m, s = len(c), len(fit.score)
    wald = _wald(contrast_covariance(fit, c), gaps)
    if method == "chi-square":
        return JointTest(wald, m, np.inf, float(special.chdtrc(m, wald)))
    if method == "HTZ":
        eta = _hotelling_df(fit, c @ fit.basis)
        df2, scale = eta - m + 1.0, (eta - m + 1.0) / eta
    else:
        df2, scale = float(s - (1 if method == "naive-F" else c.shape[1])), 1.0
    if not df2 > 0.0:
        return JointTest(np.nan, m, df2, np.nan)
    statistic = scale * wald / m
    return JointTest(statistic, m, df2, float(special.fdtrc(m, df2, statistic)))


def _wald(covariance: FloatArray, gap: FloatArray) -> float:
    """The quadratic form of gaps with the inverse covariance, NaN where there is none."""
    size = np.sqrt(np.diagonal(covariance))
    if not (size > 0.0).all():
        return np.nan
    values, vectors = np.linalg.eigh(covariance / np.outer(size, size))
    return float(((vectors.T @ (gap / size)) ** 2 / values).sum()) if values[0] > _DEPENDENT else np.nan


def _hotelling_df(fit: Sandwich, c: FloatArray) -> float:
    """Degrees of freedom of the Wishart matrix whose elements vary, in sum, as those of the covariance of contrasts.

    m (m + 1) / (sum of the variances of its elements), for contrasts that its expectation makes uncorrelated.
    """
    inner = _sandwiched(fit.kernel, fit.lever @ c.T)
    expected = (c @ fit.spread @ c.T + inner).sum(axis=0)
    size = np.sqrt(np.diagonal(expected))
    try:
        root = np.linalg.cholesky(expected / np.outer(size, size))
    except np.linalg.LinAlgError:
        return np.nan
    c = np.linalg.solve(root, c / size[:, None])
    levers = fit.lever @ c.T
    inner, spread = _sandwiched(fit.kernel, levers), c @ fit.spread @ c.T
    traces = [np.trace(each, axis1=-2, axis2=-1) for each in (spread, inner)]
    own = traces[0] * (traces[0] + 2.0 * traces[1]) + (spread * (spread + 2.0 * inner)).sum(axis=(-1, -2))
    m, r = len(c), len(fit.kernel)
    flat = levers.transpose(0, 2, 1).reshape(-1, m * r)
    gram = (flat.T @ flat).reshape(m, r, m, r).transpose(0, 2, 1, 3)  # of contrasts a and b: sum of l_a l_b'
    turned = fit.kernel @ gram @ fit.kernel
    across = ((gram + gram.swapaxes(-1, -2)) * turned).sum()
    return float(m * (m + 1.0) / (own.sum() + across))


def _sandwiched(kernel: FloatArray, levers: FloatArray) -> FloatArray:
    return np.asarray(levers.swapaxes(-1, -2) @ kernel @ levers)
