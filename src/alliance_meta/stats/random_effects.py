"""The random-effects model of the mean: tau2, the mean with it, and the standard error of a test, for any batch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import BoolArray, FloatArray, batch
from alliance_meta.stats._projection import Model
from alliance_meta.stats.tau2 import tau2_of
from alliance_meta.stats.weighted import knapp_hartung_factor, weighted_mean

__all__ = ["RandomEffects", "random_effects"]


class RandomEffects(NamedTuple):
    """A fitted random-effects model; each field has the batch shape.

    Attributes
    ----------
    estimate : ndarray
        The mean, on the scale of the effects.
    std_error : ndarray
        Its standard error by the chosen test.
    df : ndarray
        Degrees of freedom of the test: infinite for a z test, else k - 1.
    tau2 : ndarray
        Between-study variance; 0 under equal effects, NaN with one effect.
    k : ndarray
        Number of effects included.
    converged : ndarray of bool
        Whether the estimator of tau2 reached its optimum.
    """

    estimate: FloatArray
    std_error: FloatArray
    df: FloatArray
    tau2: FloatArray
    k: FloatArray
    converged: BoolArray


def random_effects(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    include: npt.ArrayLike | None = None,
    *,
    tau2_method: str,
    test: str,
    weights: npt.ArrayLike | None = None,
    q_weights: npt.ArrayLike | None = None,
) -> RandomEffects:
    """Fit the random-effects model of the mean.

    Parameters
    ----------
    effect, variance : array_like, shape (..., k)
    include : array_like of 0 and 1, shape (..., k), optional
    tau2_method : str
        A name in `ESTIMATORS`, ``"GENQ"`` or ``"EE"`` (tau2 = 0).
    test : {"knapp-hartung", "knapp-hartung-adhoc", "t", "z"}
    weights : array_like, shape (..., k), optional
        Weights of the mean; 1 / (variance + tau2) without them.
    q_weights : array_like, shape (..., k), optional
        Weights of the generalised Q, for ``"GENQ"``.

    Returns
    -------
    RandomEffects

    References
    ----------
    Raudenbush, S. W. (2009). In Cooper, Hedges & Valentine (Eds.), Handbook of research synthesis, ch. 16.
    Knapp, G., & Hartung, J. (2003). Statistics in Medicine, 22, 2693-2710.

    Examples
    --------
    The same three studies, and without the last one:

    >>> fit = random_effects(
    ...     [0.1, 0.3, 0.9], [0.02, 0.03, 0.05], [[1, 1, 1], [1, 1, 0]], tau2_method="REML", test="z"
    ... )
    >>> print(fit.estimate.round(3), fit.std_error.round(3))
    [0.408 0.18 ] [0.231 0.11 ]
    """
    model, shape = Model.of(effect, variance, include)
    between = tau2_of(model, tau2_method, q_weights)
    tau2 = between.estimate.reshape(shape)
    used = np.where(np.isnan(tau2), 0.0, tau2)
    mean = weighted_mean(effect, variance, used, include)
    estimate, std_error = mean.estimate, mean.std_error
    if weights is not None:
        estimate, std_error = _with_weights(effect, variance, used, include, weights)
    if test.startswith("knapp-hartung"):
        std_error = std_error * knapp_hartung_factor(mean, adhoc=test.endswith("adhoc"))
    df = np.full(mean.k.shape, np.inf) if test == "z" else mean.k - 1.0
    return RandomEffects(estimate, std_error, df, tau2, mean.k, between.converged.reshape(shape))


def _with_weights(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    tau2: FloatArray,
    include: npt.ArrayLike | None,
    weights: npt.ArrayLike,
) -> tuple[FloatArray, FloatArray]:
    """A mean with any weights, and the standard error that the model gives it."""
    y, v, used = batch(effect, variance, include)
    a = used * np.asarray(weights, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        a = a / a.sum(axis=-1, keepdims=True)
        std_error = np.sqrt((a**2 * (v + tau2[..., None])).sum(axis=-1))
    return np.asarray((a * y).sum(axis=-1)), std_error
