"""Estimators of tau2 that set the generalised Q to its expectation or its median."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

from alliance_meta.stats._arrays import BoolArray, FloatArray, IntArray
from alliance_meta.stats._projection import Model
from alliance_meta.stats._roots import falling_root
from alliance_meta.stats.tau2._record import Tau2

__all__ = ["mean_of_q", "median_of_q", "tau2_pm", "tau2_pmm", "tau2_where_q_equals"]


def tau2_pm(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    include: npt.ArrayLike | None = None,
    design: npt.ArrayLike | None = None,
) -> Tau2:
    """Paule and Mandel's estimator: Q(tau2) equals its degrees of freedom. Morris's empirical Bayes (EB) is the same.

    Parameters
    ----------
    effect, variance : array_like, shape (..., k)
    include : array_like of 0 and 1, shape (..., k), optional
    design : array_like, shape (..., k, p), optional
        Moderators, the intercept included; the mean alone without it.

    Returns
    -------
    Tau2
        0 where Q(0) is already below its degrees of freedom.

    References
    ----------
    Paule, R. C., & Mandel, J. (1982). Journal of Research of the National Bureau of Standards, 87, 377-385.
    Morris, C. N. (1983). Journal of the American Statistical Association, 78, 47-55.

    Examples
    --------
    >>> print(tau2_pm([0.1, 0.3, 0.9], [0.02, 0.03, 0.05]).estimate.round(4))
    0.1342
    """
    model, shape = Model.of(effect, variance, include, design)
    return tau2_where_q_equals(model, mean_of_q(model), shape)


def tau2_pmm(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    include: npt.ArrayLike | None = None,
    design: npt.ArrayLike | None = None,
) -> Tau2:
    """The median-unbiased estimator: Q(tau2) equals the median of its chi-square distribution.

    Parameters and result as in `tau2_pm`.

    References
    ----------
    Viechtbauer, W. (2021). In Schmid, Stijnen & White (Eds.), Handbook of meta-analysis, ch. 11.

    Examples
    --------
    A median is below its mean, so tau2 is larger than Paule and Mandel's:

    >>> print(tau2_pmm([0.1, 0.3, 0.9], [0.02, 0.03, 0.05]).estimate.round(4))
    0.2109
    """
    model, shape = Model.of(effect, variance, include, design)
    return tau2_where_q_equals(model, median_of_q(model), shape)


def mean_of_q(model: Model) -> FloatArray:
    """The expectation of Q: its degrees of freedom, NaN where there are none."""
    return np.where(model.df > 0.0, model.df, np.nan)


def median_of_q(model: Model) -> FloatArray:
    """The median of Q, NaN without degrees of freedom."""
    return np.asarray(special.chdtri(mean_of_q(model), 0.5), dtype=float)


def tau2_where_q_equals(model: Model, target: FloatArray, shape: tuple[int, ...]) -> Tau2:
    """Solve Q(tau2) = target, or give 0 where Q(0) is already below it; NaN where the target is.

    1 / Q(tau2) is concave and nearly straight, so Newton's method from 0 rises to the root in a few steps.
    """
    at_0 = _q(model, np.zeros(len(target)))[0]
    tau2 = np.where(np.isnan(at_0 - target), np.nan, 0.0)
    above = np.flatnonzero(at_0 > target)
    converged: BoolArray = np.ones(len(tau2), dtype=bool)
    if above.size:
        there, aim = model.at(above), target[above]

        def function(x: FloatArray, rows: IntArray) -> tuple[FloatArray, FloatArray]:
            q, slope = _q(there if rows.size == above.size else there.at(rows), x)
            return 1.0 / aim[rows] - 1.0 / q, slope / q**2

        bound = there.spread() / aim
        roots = falling_root(function, np.zeros(above.size), bound, np.zeros(above.size), there.least_variance())
        tau2[above], converged[above] = roots.x, roots.converged
    return Tau2(tau2.reshape(shape), converged.reshape(shape))


def _q(model: Model, tau2: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The generalised Q of weights 1 / (v + tau2), and its slope."""
    w = model.weight(tau2)
    with np.errstate(invalid="ignore", divide="ignore"):
        u = w * model.space.project(w).residual(model.y)
    return np.asarray((u**2 / np.where(w > 0.0, w, 1.0)).sum(axis=-1)), np.asarray(-(u**2).sum(axis=-1))
