"""Estimators of the between-study variance tau2 in the random-effects model."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import BoolArray, FloatArray, batch
from alliance_meta.stats.weighted import weighted_mean

__all__ = ["Tau2", "tau2_dl", "tau2_reml"]

_STARTS = np.linspace(0.0, 1.0, 40)
_MAX_STEPS = 500
_MAX_HALVINGS = 60
_NEAR = 1e-7
_EPS = float(np.finfo(float).eps)


class Tau2(NamedTuple):
    """A between-study variance; each field has the batch shape.

    Attributes
    ----------
    estimate : ndarray
        tau2 in squared units of the effects; NaN with fewer than two effects.
    converged : ndarray of bool
        Whether the estimator reached its optimum (always, where it has a closed form).
    """

    estimate: FloatArray
    converged: BoolArray


def tau2_dl(effect: npt.ArrayLike, variance: npt.ArrayLike, include: npt.ArrayLike | None = None) -> Tau2:
    """DerSimonian and Laird's moment estimator, truncated at 0.

    Parameters
    ----------
    effect, variance : array_like, shape (..., k)
    include : array_like of 0 and 1, shape (..., k), optional

    Returns
    -------
    Tau2

    References
    ----------
    DerSimonian, R., & Laird, N. (1986). Controlled Clinical Trials, 7, 177-188.

    Examples
    --------
    >>> print(tau2_dl([0.1, 0.3, 0.9], [0.02, 0.03, 0.05]).estimate.round(4))
    0.111
    """
    y, v, used = batch(effect, variance, include)
    common = weighted_mean(y, v, include=used)
    weight = used / v
    total = weight.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = total - (weight**2).sum(axis=-1) / total
        estimate = np.maximum((common.residual_ss - (common.k - 1.0)) / scale, 0.0)
    return Tau2(np.where(common.k > 1.0, estimate, np.nan), np.ones(estimate.shape, dtype=bool))


def tau2_reml(effect: npt.ArrayLike, variance: npt.ArrayLike, include: npt.ArrayLike | None = None) -> Tau2:
    """Restricted maximum likelihood, at the highest maximum found over a grid of starting points.

    Newton's method on the restricted log-likelihood, with Fisher scoring wherever the curve is not concave
    and the step halved until the likelihood does not fall; a maximum at the boundary is tau2 = 0.

    Parameters
    ----------
    effect, variance : array_like, shape (..., k)
    include : array_like of 0 and 1, shape (..., k), optional

    Returns
    -------
    Tau2

    References
    ----------
    Viechtbauer, W. (2005). Journal of Educational and Behavioral Statistics, 30, 261-293.
    Raudenbush, S. W. (2009). In Cooper, Hedges & Valentine (Eds.), Handbook of research synthesis, ch. 16.

    Examples
    --------
    >>> print(tau2_reml([0.1, 0.3, 0.9], [0.02, 0.03, 0.05]).estimate.round(4))
    0.1281
    """
    y, v, used = batch(effect, variance, include)
    shape = y.shape[:-1]
    k = y.shape[-1]
    y, v, used = (array.reshape(-1, k) for array in (y, v, used))
    enough = used.sum(axis=-1) > 1.0
    estimate = np.full(len(y), np.nan)
    converged = np.ones(len(y), dtype=bool)
    if enough.any():
        estimate[enough], converged[enough] = _reml_ascent(y[enough], v[enough], used[enough])
    return Tau2(estimate.reshape(shape), converged.reshape(shape))


def _reml_ascent(y: FloatArray, v: FloatArray, used: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Climb the restricted likelihood of each row of (B, k) arrays, updating only rows that still move."""
    count = used.sum(axis=-1)
    y = used * (y - ((used * y).sum(axis=-1) / count)[:, None])  # centred, so that a common offset costs no digits
    # Above this bound the score is negative: the spread of the effects exceeds any REML estimate.
    upper = (y**2).sum(axis=-1) / (count - 1.0)
    tau2 = _best_start(y, v, used, upper)
    height = _restricted_log_likelihood(y, v, used, tau2)
    last = np.full(len(y), np.inf)
    moving = np.arange(len(y))
    for _ in range(_MAX_STEPS):
        here, data = tau2[moving], (y[moving], v[moving], used[moving])
        step, flat = _ascent_step(*data, here)
        there, height[moving] = _climb(*data, here, height[moving], step)
        change, aim = np.abs(there - here), np.abs(step)
        # Newton's steps shrink until only rounding is left of them; `_climb` may have shortened this one.
        rounding = (aim <= _NEAR * there) & (aim >= 0.25 * last[moving])
        tau2[moving], last[moving] = there, aim
        moving = moving[~(flat | rounding | (change <= 2.0 * _EPS * there))]
        if moving.size == 0:
            break
    converged = np.ones(len(y), dtype=bool)
    converged[moving] = False
    return np.where(converged, tau2, np.nan), converged


def _climb(
    y: FloatArray, v: FloatArray, used: FloatArray, here: FloatArray, height: FloatArray, step: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Go `step` up from `here`, halving it in the rows where the likelihood would fall beyond rounding."""
    there = np.maximum(here + step, 0.0)
    risen = _restricted_log_likelihood(y, v, used, there)
    rounding = 8.0 * _EPS * np.maximum(np.abs(height), 1.0)
    # Steps this short gain less than the likelihood's own rounding, which must not shorten them.
    falls = np.flatnonzero((risen < height - rounding) & (np.abs(step) > _NEAR * there))
    for _ in range(_MAX_HALVINGS):
        if falls.size == 0:
            break
        there[falls] = 0.5 * (here[falls] + there[falls])
        risen[falls] = _restricted_log_likelihood(y[falls], v[falls], used[falls], there[falls])
        falls = falls[risen[falls] < height[falls] - rounding[falls]]
    there[falls], risen[falls] = here[falls], height[falls]
    return there, risen


def _best_start(y: FloatArray, v: FloatArray, used: FloatArray, upper: FloatArray) -> FloatArray:
    """The highest of 0 and 40 points, spaced evenly on the logarithm from far below the smallest variance."""
    lowest = np.log(1e-3 * np.min(np.where(used > 0.0, v, np.inf), axis=-1))
    highest = np.maximum(np.log(np.maximum(upper, np.finfo(float).tiny)), lowest)
    points = np.exp(lowest[:, None] + (highest - lowest)[:, None] * _STARTS)
    grid = np.concatenate([np.zeros((len(y), 1)), points], axis=-1)
    heights = _restricted_log_likelihood(y[:, None, :], v[:, None, :], used[:, None, :], grid)
    return np.take_along_axis(grid, heights.argmax(axis=-1)[:, None], axis=-1)[:, 0]


def _restricted_log_likelihood(y: FloatArray, v: FloatArray, used: FloatArray, tau2: FloatArray) -> FloatArray:
    """Restricted log-likelihood of tau2 with the mean profiled out, up to a constant."""
    marginal = v + tau2[..., None]
    weight = used / marginal
    total = weight.sum(axis=-1)
    mean = (weight * y).sum(axis=-1) / total
    residual_ss = (weight * (y - mean[..., None]) ** 2).sum(axis=-1)
    return np.asarray(-0.5 * ((used * np.log(marginal)).sum(axis=-1) + np.log(total) + residual_ss))


def _ascent_step(y: FloatArray, v: FloatArray, used: FloatArray, tau2: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Newton step (Fisher scoring where not concave), and whether the score is 0 to rounding."""
    w = used / (v + tau2[:, None])
    s1, s2, s3 = w.sum(axis=-1), (w**2).sum(axis=-1), (w**3).sum(axis=-1)
    e = y - ((w * y).sum(axis=-1) / s1)[:, None]
    e = e - ((w * e).sum(axis=-1) / s1)[:, None]  # takes back what rounding left in the mean
    w2e2 = (w**2 * e**2).sum(axis=-1)
    score = 0.5 * (-s1 + s2 / s1 + w2e2)
    expected = 0.5 * (s2 - 2.0 * s3 / s1 + (s2 / s1) ** 2)
    observed = (
        -0.5 * s2 + s3 / s1 - 0.5 * (s2 / s1) ** 2 + (w**3 * e**2).sum(axis=-1) - (w**2 * e).sum(axis=-1) ** 2 / s1
    )
    step = score / np.where(observed > 1e-8 * expected, observed, expected)
    flat = (np.abs(score) <= 4.0 * _EPS * (s1 + w2e2)) | ((tau2 == 0.0) & (score <= 0.0))
    return step, flat
