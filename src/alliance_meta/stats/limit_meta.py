"""Limit meta-analysis: the mean that studies of unlimited precision would have, were small-study effects linear."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import BoolArray, FloatArray, batch
from alliance_meta.stats.random_effects import random_effects
from alliance_meta.stats.regression import Regression, regression
from alliance_meta.stats.weighted import weighted_mean

__all__ = ["LimitFit", "limit_meta"]


class LimitFit(NamedTuple):
    """A limit meta-analysis; each field begins with the batch shape.

    Attributes
    ----------
    estimate, std_error : ndarray
        beta + tau alpha: the expected effect of a study without sampling error.
    slope, slope_error : ndarray
        The slope of the radial plot of the limit effects, small-study effects allowed for (beta-lim).
    mean, mean_error : ndarray
        The mean of the limit effects, weighted by 1 / variance (mu-lim).
    alpha, alpha_error : ndarray
        Small-study effect: how far effects lie off, in standard deviations sqrt(variance + tau2).
    beta : ndarray
        What the effects approach as that standard deviation goes to 0.
    tau2 : ndarray
    g2 : ndarray
        Share of the radial plot of limit effects that its line leaves unexplained, in percent.
    q_statistic : ndarray
        Cochran's Q, k - 1 degrees of freedom.
    q_residual : ndarray
        What a line through the radial plot leaves of it, k - 2 degrees of freedom.
    limit_effects : ndarray, shape (..., k)
        Each study's effect at unlimited precision.
    k : ndarray
    converged : ndarray of bool
    """

    estimate: FloatArray
    std_error: FloatArray
    slope: FloatArray
    slope_error: FloatArray
    mean: FloatArray
    mean_error: FloatArray
    alpha: FloatArray
    alpha_error: FloatArray
    beta: FloatArray
    tau2: FloatArray
    g2: FloatArray
    q_statistic: FloatArray
    q_residual: FloatArray
    limit_effects: FloatArray
    k: FloatArray
    converged: BoolArray


def limit_meta(
    effect: npt.ArrayLike, variance: npt.ArrayLike, include: npt.ArrayLike | None = None, *, tau2_method: str
) -> LimitFit:
    """Fit effect = beta + sqrt(variance + tau2) (alpha + error) and take it to studies without sampling error.

    tau2 is that of the random-effects model without alpha, and taken as known.

    Parameters
    ----------
    effect, variance : array_like, shape (..., k)
    include : array_like of 0 and 1, shape (..., k), optional
    tau2_method : str
        A name in `ESTIMATORS` or ``"EE"`` (tau2 = 0).

    Returns
    -------
    LimitFit
        NaN with fewer than three effects, or all of the same variance.

    References
    ----------
    Rücker, G., Schwarzer, G., Carpenter, J. R., Binder, H., & Schumacher, M. (2011). Biostatistics, 12, 122-142.

    Examples
    --------
    Effects that fall as studies grow have a limit below their mean:

    >>> fit = limit_meta([0.15, 0.30, 0.35, 0.60, 0.90], [0.002, 0.01, 0.02, 0.06, 0.12], tau2_method="DL")
    >>> print(f"{fit.estimate:.3f}, mean of limit effects {fit.mean:.3f}, alpha {fit.alpha:.2f}")
    0.157, mean of limit effects 0.142, alpha 3.28
    """
    y, v, used = batch(effect, variance, include)
    tau2 = random_effects(y, v, used, tau2_method=tau2_method, test="z")
    between = np.where(np.isfinite(tau2.tau2), tau2.tau2, 0.0)[..., None]
    tau = np.sqrt(between[..., 0])
    radial = _radial(y, v + between, used)
    beta, alpha = radial.coefficients[..., 0], radial.coefficients[..., 1]
    spread = radial.covariance
    from_both = spread[..., 0, 0] + 2.0 * tau * spread[..., 0, 1] + tau**2 * spread[..., 1, 1]
    limit = beta[..., None] + np.sqrt(between / (v + between)) * (y - beta[..., None])
    limit = np.where(used > 0.0, limit, np.nan)
    line = _radial(limit, v, used)
    mean = weighted_mean(limit, v, include=used)
    return LimitFit(
        estimate=beta + tau * alpha,
        std_error=np.sqrt(from_both),
        slope=line.coefficients[..., 0],
        slope_error=np.sqrt(line.covariance[..., 0, 0]),
        mean=mean.estimate,
        mean_error=np.where(np.isnan(mean.estimate), np.nan, mean.std_error),
        alpha=alpha,
        alpha_error=np.sqrt(spread[..., 1, 1]),
        beta=beta,
        tau2=tau2.tau2,
        g2=_unexplained(limit, v, used, line, tau),
        q_statistic=weighted_mean(y, v, include=used).residual_ss,
        q_residual=_radial(y, v, used).q_residual,
        limit_effects=limit,
        k=tau2.k,
        converged=tau2.converged,
    )


def _radial(y: FloatArray, v: FloatArray, used: FloatArray) -> Regression:
    """The line of the radial plot of y: its slope is the constant here, and its intercept the slope on sqrt(v)."""
    design = np.stack([np.ones(v.shape), np.sqrt(v)], axis=-1)
    fit = regression(y, v, design, used, tau2_method="EE", test="z")
    enough = fit.k > 2.0
    return fit._replace(
        coefficients=np.where(enough[..., None], fit.coefficients, np.nan),
        covariance=np.where(enough[..., None, None], fit.covariance, np.nan),
        q_residual=np.where(enough, fit.q_residual, np.nan),
    )


def _unexplained(limit: FloatArray, v: FloatArray, used: FloatArray, line: Regression, tau: FloatArray) -> FloatArray:
    """G2 in percent; 0 where there is no heterogeneity and the limit effects are all one number."""
    z = np.where(used > 0.0, limit / np.sqrt(v), 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        center = z.sum(axis=-1) / used.sum(axis=-1)
        total = (used * (z - center[..., None]) ** 2).sum(axis=-1)
        share = 100.0 * line.q_residual / total
    return np.where((tau == 0.0) & np.isfinite(line.q_residual), 0.0, share)
