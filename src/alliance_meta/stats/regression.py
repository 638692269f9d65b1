"""The mixed-effects model: coefficients of moderators with the variance that they leave unexplained, for any batch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import BoolArray, FloatArray
from alliance_meta.stats._projection import Columns, Model
from alliance_meta.stats.tau2 import log_likelihood, tau2_of

__all__ = ["Regression", "full_log_likelihood", "regression", "wald_statistic"]

_ROUNDING = 1e-28
"""A residual sum of squares below this share of the effects' own is what rounding leaves of an exact fit."""


class Regression(NamedTuple):
    """A fitted mixed-effects model; each field begins with the batch shape.

    Attributes
    ----------
    coefficients : ndarray, shape (..., p)
        In the order of the design's columns, on the scale of the effects per unit of the column.
    covariance : ndarray, shape (..., p, p)
        By the chosen test: multiplied by Knapp and Hartung's factor, squared, where that is asked for.
    df : ndarray
        Degrees of freedom of tests of the coefficients: infinite for z tests, else k - p.
    tau2 : ndarray
        Between-study variance that the moderators leave; NaN without residual degrees of freedom.
    q_residual : ndarray
        Cochran's Q of the residuals (QE).
    k : ndarray
        Number of effects included.
    converged : ndarray of bool
    """

    coefficients: FloatArray
    covariance: FloatArray
    df: FloatArray
    tau2: FloatArray
    q_residual: FloatArray
    k: FloatArray
    converged: BoolArray


def regression(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    design: npt.ArrayLike,
    include: npt.ArrayLike | None = None,
    *,
    tau2_method: str,
    test: str,
    q_weights: npt.ArrayLike | None = None,
) -> Regression:
    """Fit the mixed-effects model.

    Parameters
    ----------
    effect, variance : array_like, shape (..., k)
    design : array_like, shape (..., k, p)
        Columns of moderators; the intercept is one of them, or is not fitted.
    include : array_like of 0 and 1, shape (..., k), optional
    tau2_method : str
        A name in `ESTIMATORS`, ``"GENQ"`` or ``"EE"`` (tau2 = 0).
    test : {"knapp-hartung", "knapp-hartung-adhoc", "t", "z"}
    q_weights : array_like, shape (..., k), optional
        Weights of the generalised Q, for ``"GENQ"``.

    Returns
    -------
    Regression
        NaN where columns depend on each other among the effects included.

    References
    ----------
    Raudenbush, S. W. (2009). In Cooper, Hedges & Valentine (Eds.), Handbook of research synthesis, ch. 16.
    Knapp, G., & Hartung, J. (2003). Statistics in Medicine, 22, 2693-2710.

    Examples
    --------
    Effects that grow by 0.1 with each step of a moderator:

    >>> fit = regression(
    ...     [0.1, 0.2, 0.3, 0.4], [0.01] * 4, [[1, 0], [1, 1], [1, 2], [1, 3]], tau2_method="REML", test="z"
    ... )
    >>> print(fit.coefficients.round(3), fit.tau2)
    [0.1 0.1] 0.0
    """
    x = np.asarray(design, dtype=float)
    model, shape = Model.of(effect, variance, include, x)
    between = tau2_of(model, tau2_method, q_weights)
    used = np.where(np.isnan(between.estimate), 0.0, between.estimate)
    raw = np.broadcast_to(x, (*shape, *x.shape[-2:])).reshape(-1, *x.shape[-2:])
    w = model.weight(used)
    coefficients, covariance = _least_squares(model, w, raw)
    df = model.df
    if test.startswith("knapp-hartung"):
        left = (w * model.space.project(w).residual(model.y) ** 2).sum(axis=-1)
        left = np.where(left > _ROUNDING * (w * model.y**2).sum(axis=-1), left, 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            factor = np.where(df > 0.0, left / df, np.nan)
        covariance = covariance * (np.maximum(factor, 1.0) if test.endswith("adhoc") else factor)[:, None, None]
    w0 = model.used / model.v
    q = (w0 * model.space.project(w0).residual(model.y) ** 2).sum(axis=-1)
    p = x.shape[-1]
    return Regression(
        coefficients=coefficients.reshape(*shape, p),
        covariance=covariance.reshape(*shape, p, p),
        df=np.full(shape, np.inf) if test == "z" else df.reshape(shape),
        tau2=between.estimate.reshape(shape),
        q_residual=q.reshape(shape),
        k=model.count.reshape(shape),
        converged=between.converged.reshape(shape),
    )


def wald_statistic(coefficients: FloatArray, covariance: FloatArray) -> FloatArray:
    """B' S^-1 b, for testing that all of some coefficients (or contrasts) are 0.

    Parameters
    ----------
    coefficients : ndarray, shape (..., m)
    covariance : ndarray, shape (..., m, m)

    Returns
    -------
    ndarray, shape (...)
        Chi-square with m degrees of freedom under z tests; divided by m, F with m and k - p under the others.
    """
    scale = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
    correlation = covariance / (scale[..., :, None] * scale[..., None, :])
    unit = coefficients / scale
    return np.asarray((unit * np.linalg.solve(correlation, unit[..., None])[..., 0]).sum(axis=-1))


def full_log_likelihood(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    tau2: npt.ArrayLike,
    design: npt.ArrayLike,
    *,
    restricted: bool,
) -> FloatArray:
    """Log-likelihood with every constant, as metafor gives it: the restricted one adds half of log det X'X.

    Parameters
    ----------
    effect, variance : array_like, shape (..., k)
    tau2 : array_like, shape (...)
    design : array_like, shape (..., k, p)
    restricted : bool

    Returns
    -------
    ndarray, shape (...)

    References
    ----------
    Harville, D. A. (1974). Biometrika, 61, 383-385.
    """
    model, shape = Model.of(effect, variance, None, design)
    # The columns of the model are orthonormal, so log det X'X is 0 for them: the constant that Harville adds.
    height = log_likelihood(model, np.asarray(tau2, dtype=float).reshape(-1), restricted=restricted)
    count = model.df if restricted else model.count
    return np.asarray(height - 0.5 * count * np.log(2.0 * np.pi)).reshape(shape)


def _least_squares(model: Model, w: FloatArray, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Coefficients of the columns as given, and the inverse of X'WX."""
    assert isinstance(model.space, Columns)  # noqa: S101 - made so by `regression`
    projection = model.space.project(w)
    q = np.stack(projection.q, axis=-2)  # (B, p, k), orthonormal in w
    q_w = q * w[:, None, :]
    triangle = q_w @ (x * model.used[..., None])  # X = Q' R, so R = Q W X
    inverse = np.linalg.inv(triangle)
    fitted = (q_w @ model.y[..., None])[..., 0]
    fitted = fitted + (q_w @ (model.y - (fitted[:, None, :] @ q)[:, 0, :])[..., None])[..., 0]
    coefficients = (inverse @ fitted[..., None])[..., 0]
    left = model.used * (model.y - (x @ coefficients[..., None])[..., 0])
    coefficients = coefficients + (inverse @ (q_w @ left[..., None]))[..., 0]  # takes back what rounding left
    return np.asarray(coefficients), np.asarray(inverse @ np.swapaxes(inverse, -1, -2))
