"""Large-sample standard errors of tau2, and the Wald intervals made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats._projection import Model
from alliance_meta.stats.inference import critical_value

__all__ = ["STD_ERRORS", "tau2_std_error", "tau2_wald_interval"]


def tau2_std_error(
    method: str,
    tau2: npt.ArrayLike,
    variance: npt.ArrayLike,
    include: npt.ArrayLike | None = None,
    design: npt.ArrayLike | None = None,
    *,
    weights: npt.ArrayLike | None = None,
) -> FloatArray:
    """Large-sample standard error of an estimate of tau2, taken at the estimate.

    REML and ML: from the expected information. DL, HE, HS, HSk and GENQ: the standard deviation of their quadratic
    form under normality, exact at the true tau2 but for the cut at 0. PM, EB and PMM: the standard deviation of the
    generalised Q, sqrt(2 (k - p)), over its slope, for which metafor takes (k - p) / k times the sum of weights.

    Parameters
    ----------
    method : {"REML", "ML", "DL", "HE", "HS", "HSk", "GENQ", "PM", "EB", "PMM"}
    tau2 : array_like, shape (...)
        The estimate by this method.
    variance : array_like, shape (..., k)
    include : array_like of 0 and 1, shape (..., k), optional
    design : array_like, shape (..., k, p), optional
        Moderators, the intercept included; the mean alone without it.
    weights : array_like, shape (..., k), optional
        Those that GENQ was given.

    Returns
    -------
    ndarray, shape (...)
        NaN without residual degrees of freedom.

    Raises
    ------
    UnknownNameError
        For a method without one: the two-step estimators and Sidik and Jonkman's take their weights from the effects.
    InputError
        For GENQ without weights.

    References
    ----------
    Viechtbauer, W. (2005). Journal of Educational and Behavioral Statistics, 30, 261-293.
    Jackson, D., Turner, R., Rhodes, K., & Viechtbauer, W. (2014). BMC Medical Research Methodology, 14, 103.

    Examples
    --------
    The larger tau2 is, the less is known about it:

    >>> v = [0.02, 0.03, 0.05]
    >>> print([round(float(tau2_std_error("REML", tau2, v)), 3) for tau2 in (0.0, 0.1, 0.5)])
    [0.03, 0.132, 0.533]
    """
    if method not in STD_ERRORS and method != "GENQ":
        known = ", ".join([*STD_ERRORS, "GENQ"])
        raise UnknownNameError(f"method {method!r} has no standard error of tau2; these have: {known}.")
    t = np.asarray(tau2, dtype=float)
    v = np.asarray(variance, dtype=float)
    v = np.broadcast_to(v, np.broadcast_shapes(v.shape, (*t.shape, 1)))
    model, shape = Model.of(0.0, v, include, design)
    t = np.broadcast_to(t, shape).reshape(-1)
    std_error = np.full(t.size, np.nan)
    rows = np.flatnonzero((model.df > 0.0) & np.isfinite(t + model.v.sum(axis=-1)))
    x = np.ones((*shape, model.y.shape[-1], 1)) if design is None else np.asarray(design, dtype=float)
    x = np.broadcast_to(x, (*shape, *x.shape[-2:])).reshape(-1, *x.shape[-2:])[rows]
    fit = _Fit(model.v[rows], model.used[rows], np.linalg.qr(x * model.used[rows, :, None]).Q, model.df[rows])
    t = t[rows]
    if method == "GENQ":
        if weights is None:
            raise InputError("method 'GENQ' needs the weights with which tau2 was estimated: weights=...")
        a = np.broadcast_to(np.asarray(weights, dtype=float), (*shape, model.y.shape[-1]))
        a = a.reshape(-1, a.shape[-1])[rows]
        std_error[rows] = _of_form(fit, t, np.where(fit.used > 0.0, a, 0.0))
    else:
        std_error[rows] = STD_ERRORS[method](fit, t)
    return std_error.reshape(shape)


def tau2_wald_interval(
    tau2: npt.ArrayLike, std_error: npt.ArrayLike, level: float = 0.95, *, log: bool = False
) -> tuple[FloatArray, FloatArray]:
    """Wald interval of tau2: some standard errors to each side, cut at 0, or as many on the logarithmic scale.

    Poor with few studies, since tau2 is far from normal: `tau2_profile_interval` and `q_profile_interval` are not.

    Parameters
    ----------
    tau2, std_error : array_like, broadcast together
    level : float
    log : bool
        Make the interval of log tau2, whose standard error is that of tau2 divided by tau2.

    Returns
    -------
    low, high : ndarray
        With `log`, NaN where tau2 is 0: its logarithm has no interval.

    References
    ----------
    Jackson, D., Turner, R., Rhodes, K., & Viechtbauer, W. (2014). BMC Medical Research Methodology, 14, 103.

    Examples
    --------
    >>> for log in (False, True):
    ...     low, high = tau2_wald_interval(0.1, 0.13, log=log)
    ...     print(f"[{low:.3f}, {high:.3f}]")
    [0.000, 0.355]
    [0.008, 1.278]
    """
    tau2, std_error = np.asarray(tau2, dtype=float), np.asarray(std_error, dtype=float)
    half = critical_value(level, np.inf) * std_error
    if not log:
        return np.asarray(np.maximum(tau2 - half, 0.0)), np.asarray(tau2 + half)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        factor = np.exp(np.where(tau2 > 0.0, half / tau2, np.nan))
        return np.asarray(tau2 / factor), np.asarray(tau2 * factor)


class _Fit(NamedTuple):
    """Variances and inclusion (B, k), a basis of the design's columns (B, k, p), and residual degrees of freedom."""

    v: FloatArray
    used: FloatArray
    x: FloatArray
    df: FloatArray

    def weight(self, tau2: FloatArray) -> FloatArray:
        """Inverse total variances."""
        return np.asarray(self.used / (self.v + tau2[:, None]))


def _lost(fit: _Fit, a: FloatArray, d: FloatArray) -> FloatArray:
    """The matrix C X'DX, with C = (X'AX)^-1 and D diagonal."""
    left = np.swapaxes(fit.x, -1, -2)
    return np.asarray(np.linalg.solve(left @ (a[..., None] * fit.x), left @ (d[..., None] * fit.x)))


def _trace(fit: _Fit, a: FloatArray) -> FloatArray:
    """The trace of P, made of the weights a."""
    return np.asarray(a.sum(axis=-1) - np.trace(_lost(fit, a, a**2), axis1=-2, axis2=-1))


def _trace_of_square(fit: _Fit, a: FloatArray, s: FloatArray | float) -> FloatArray:
    """The trace of (PS)^2, with P made of the weights a and S diagonal."""
    once, twice = _lost(fit, a, a**2 * s), _lost(fit, a, a**3 * s**2)
    squared = (once * np.swapaxes(once, -1, -2)).sum(axis=(-1, -2))
    return np.asarray(((a * s) ** 2).sum(axis=-1) - 2.0 * np.trace(twice, axis1=-2, axis2=-1) + squared)


def _deviation(fit: _Fit, tau2: FloatArray, a: FloatArray) -> FloatArray:
    """The standard deviation of y'Py with P made of the weights a."""
    return np.asarray(np.sqrt(2.0 * _trace_of_square(fit, a, fit.v + tau2[:, None])))


def _of_form(fit: _Fit, tau2: FloatArray, a: FloatArray) -> FloatArray:
    """An estimator that divides y'Py, less its expectation at tau2 = 0, by tr P."""
    return np.asarray(_deviation(fit, tau2, a) / _trace(fit, a))


def _reml(fit: _Fit, tau2: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(2.0 / _trace_of_square(fit, fit.weight(tau2), 1.0)))


def _ml(fit: _Fit, tau2: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(2.0 / (fit.weight(tau2) ** 2).sum(axis=-1)))


def _dersimonian_laird(fit: _Fit, tau2: FloatArray) -> FloatArray:
    return _of_form(fit, tau2, fit.used / fit.v)


def _hedges(fit: _Fit, tau2: FloatArray) -> FloatArray:
    return _of_form(fit, tau2, fit.used)


def _hunter_schmidt(fit: _Fit, tau2: FloatArray) -> FloatArray:
    w = fit.used / fit.v
    return np.asarray(_deviation(fit, tau2, w) / w.sum(axis=-1))


def _hunter_schmidt_corrected(fit: _Fit, tau2: FloatArray) -> FloatArray:
    return np.asarray(_hunter_schmidt(fit, tau2) * fit.used.sum(axis=-1) / fit.df)


def _where_q_equals(fit: _Fit, tau2: FloatArray) -> FloatArray:
    k = fit.used.sum(axis=-1)
    return np.asarray(np.sqrt(2.0 * k**2 / fit.df) / fit.weight(tau2).sum(axis=-1))


STD_ERRORS: dict[str, Callable[[_Fit, FloatArray], FloatArray]] = {
    "REML": _reml,
    "ML": _ml,
    "DL": _dersimonian_laird,
    "HE": _hedges,
    "HS": _hunter_schmidt,
    "HSk": _hunter_schmidt_corrected,
    "PM": _where_q_equals,
    "EB": _where_q_equals,
    "PMM": _where_q_equals,
}
"""By the estimators' names; GENQ is not among them, since it needs weights."""
