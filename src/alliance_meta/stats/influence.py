"""What a random-effects fit becomes without each study, or with some studies only: all such fits in one batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alliance_meta.stats import heterogeneity
from alliance_meta.stats._arrays import BoolArray, FloatArray, dot
from alliance_meta.stats.random_effects import random_effects
from alliance_meta.stats.regression import regression

__all__ = ["Baujat", "Influence", "SubsetFits", "baujat", "influence", "subset_fits"]

_NUMBERS_AT_ONCE = 1 << 17
"""Effects in one piece of a batch: its arrays stay near the processor, and no batch needs much memory."""


class SubsetFits(NamedTuple):
    """Random-effects fits to some of the effects; each field has shape (B,).

    Attributes
    ----------
    estimate, std_error, df, tau2 : ndarray
        As of `random_effects`; NaN where the estimator did not reach its solution.
    i2, h2 : ndarray
        From tau2, or from Q under equal effects; I2 in percent.
    q_statistic : ndarray
        Cochran's Q.
    k : ndarray
    converged : ndarray of bool
    """

    estimate: FloatArray
    std_error: FloatArray
    df: FloatArray
    tau2: FloatArray
    i2: FloatArray
    h2: FloatArray
    q_statistic: FloatArray
    k: FloatArray
    converged: BoolArray


def subset_fits(
    effect: npt.ArrayLike, variance: npt.ArrayLike, include: npt.ArrayLike, *, tau2_method: str, test: str
) -> SubsetFits:
    """Fit the random-effects model to many subsets of the same effects.

    Parameters
    ----------
    effect, variance : array_like, shape (k,)
    include : array_like of 0 and 1, shape (B, k)
        One row a subset.
    tau2_method, test : str
        As of `random_effects`.

    Returns
    -------
    SubsetFits

    Examples
    --------
    >>> fits = subset_fits([0.1, 0.3, 0.9], [0.02, 0.03, 0.05], 1 - np.eye(3), tau2_method="DL", test="z")
    >>> print(fits.estimate.round(2), fits.q_statistic.round(2))
    [0.58 0.48 0.18] [4.5  9.14 0.8 ]
    """
    y, v = np.asarray(effect, dtype=float), np.asarray(variance, dtype=float)
    used = np.asarray(include, dtype=float)
    parts = []
    for piece in _pieces(*used.shape):
        fit = random_effects(y, v, used[piece], tau2_method=tau2_method, test=test)
        cochran = heterogeneity.cochran_q(y, v, used[piece])
        if tau2_method == "EE":
            share = heterogeneity.inconsistency_from_q(cochran)
        else:
            share = heterogeneity.inconsistency_from_tau2(fit.tau2, v, used[piece])
        estimate, std_error, tau2, i2, h2 = (
            np.where(fit.converged, each, np.nan) for each in (fit.estimate, fit.std_error, fit.tau2, *share)
        )
        parts.append((estimate, std_error, fit.df, tau2, i2, h2, cochran.q_statistic, fit.k, fit.converged))
    return SubsetFits(*(np.concatenate(each) for each in zip(*parts, strict=True)))


class Influence(NamedTuple):
    """What each of k effects does to a fit with p coefficients; each field begins with the axis of effects.

    Attributes
    ----------
    rstudent : ndarray, shape (k,)
        Externally studentized residual: the effect less its prediction without it, over that difference's standard
        error.
    dffits : ndarray, shape (k,)
        Change of the effect's prediction, in standard errors of it without the effect.
    cooks_distance : ndarray, shape (k,)
        d'S^-1 d for the change d of the coefficients and their covariance S with all effects.
    cov_ratio : ndarray, shape (k,)
        Determinant of the coefficients' covariance without the effect over that with all.
    tau2_deleted, q_deleted : ndarray, shape (k,)
        Between-study variance and Cochran's (residual) Q without the effect.
    hat, weight : ndarray, shape (k,)
        Diagonal of the hat matrix; share of the sum of weights (percent).
    dfbetas : ndarray, shape (k, p)
        Change of each coefficient over its standard error for all effects with `tau2_deleted`.
    coefficients_deleted : ndarray, shape (k, p)
    """

    rstudent: FloatArray
    dffits: FloatArray
    cooks_distance: FloatArray
    cov_ratio: FloatArray
    tau2_deleted: FloatArray
    q_deleted: FloatArray
    hat: FloatArray
    weight: FloatArray
    dfbetas: FloatArray
    coefficients_deleted: FloatArray


class _Fits(NamedTuple):
    """Fits to subsets, in an orthonormal basis of the design."""

    coefficients: FloatArray
    covariance: FloatArray
    tau2: FloatArray
    q: FloatArray


def influence(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    design: npt.ArrayLike | None = None,
    *,
    tau2_method: str,
    test: str,
    q_weights: npt.ArrayLike | None = None,
) -> Influence:
    """Take each effect out of a random- or mixed-effects fit in turn.

    Parameters
    ----------
    effect, variance : array_like, shape (k,)
    design : array_like, shape (k, p), optional
        Columns of moderators, of full rank, the intercept one of them; the mean alone without it.
    tau2_method, test : str
        As of `random_effects`. Covariances are by this test: multiplied by Knapp and Hartung's factor, squared.
    q_weights : array_like, shape (k,), optional
        For ``"GENQ"``.

    Returns
    -------
    Influence
        NaN where the model cannot be fitted without an effect.

    References
    ----------
    Viechtbauer, W., & Cheung, M. W.-L. (2010). Research Synthesis Methods, 1, 112-125.

    Examples
    --------
    >>> found = influence([0.1, 0.3, 0.2, 1.9], [0.02, 0.03, 0.02, 0.05], tau2_method="REML", test="z")
    >>> print(found.rstudent.round(2), found.hat.round(2))
    [-0.64 -0.36 -0.49  7.14] [0.25 0.25 0.25 0.24]
    """
    y, v = np.asarray(effect, dtype=float), np.asarray(variance, dtype=float)
    k = y.size
    x, back = (None, np.ones((1, 1))) if design is None else _orthonormal(np.asarray(design, dtype=float))
    asked = (tau2_method, test, q_weights)
    whole = _fits(y, v, x, np.ones((1, k)), asked)
    each = np.arange(k)
    pieces = [_fits(y, v, x, (each != each[piece, None]).astype(float), asked) for piece in _pieces(k, k * len(back))]
    without = _Fits(*(np.concatenate(part) for part in zip(*pieces, strict=True)))
    return _measures(y, v, np.ones((k, 1)) if x is None else x, back, whole, without)


def _orthonormal(design: FloatArray) -> tuple[FloatArray, FloatArray]:
    """An orthonormal basis of a design's columns, and what takes its coefficients to those of the columns."""
    q, r = np.linalg.qr(design)
    return np.asarray(q), np.asarray(np.linalg.inv(r))


def _fits(
    y: FloatArray, v: FloatArray, x: FloatArray | None, include: FloatArray, asked: tuple[str, str, object]
) -> _Fits:
    method, test, q_weights = asked
    options = {"tau2_method": method, "test": test, "q_weights": q_weights}
    if x is None:
        fit = random_effects(y, v, include, **options)  # type: ignore[arg-type]
        q = heterogeneity.cochran_q(y, v, include).q_statistic
        found = _Fits(fit.estimate[:, None], fit.std_error[:, None, None] ** 2, fit.tau2, q)
        known = fit.converged
    else:
        wide = regression(y, v, x, include, **options)  # type: ignore[arg-type]
        found = _Fits(wide.coefficients, wide.covariance, wide.tau2, wide.q_residual)
        known = wide.converged
    lost = np.flatnonzero(~known)
    for part in found[:3]:
        part[lost] = np.nan
    return found


def _measures(y: FloatArray, v: FloatArray, x: FloatArray, back: FloatArray, whole: _Fits, without: _Fits) -> Influence:
    """Compare fits without each effect (row i: without effect i) with the one of all."""
    k, p = x.shape
    moved = whole.coefficients - without.coefficients
    with np.errstate(invalid="ignore", divide="ignore"):
        own = np.einsum("ip,ipq,iq->i", x, without.covariance, x)  # variance of the prediction of effect i
        marginal = v + without.tau2
        weight = 1.0 / (v + np.nan_to_num(whole.tau2))
        hat = weight * np.einsum("ip,pq,iq->i", x, np.linalg.inv((x.T * weight) @ x), x)
        # X'WX of all effects at each tau2 without one, and the factor that the test puts on a covariance
        outer = (x[:, :, None] * x[:, None, :]).reshape(k, p * p)
        information = ((1.0 / (v + without.tau2[:, None])) @ outer).reshape(k, p, p)
        left = information - (outer / marginal[:, None]).reshape(k, p, p)
        factor = np.einsum("ipq,iqp->i", without.covariance, left) / p
        spread = np.einsum("jp,ipq,jq->ij", back, _inverse(information), back)
        return Influence(
            rstudent=(y - dot(x, without.coefficients)) / np.sqrt(own + factor * marginal),
            dffits=dot(x, moved) / np.sqrt(factor * hat * marginal),
            cooks_distance=_quadratic(whole.covariance[0], moved),
            cov_ratio=np.linalg.det(without.covariance) / np.linalg.det(whole.covariance[0]),
            tau2_deleted=without.tau2,
            q_deleted=without.q,
            hat=hat,
            weight=100.0 * weight / weight.sum(),
            dfbetas=moved @ back.T / np.sqrt(factor[:, None] * spread),
            coefficients_deleted=without.coefficients @ back.T,
        )


def _inverse(matrices: FloatArray) -> FloatArray:
    """Inverses of symmetric matrices (B, p, p); NaN where one holds NaN."""
    known = np.isfinite(matrices).all(axis=(-2, -1))
    found = np.full(matrices.shape, np.nan)
    found[known] = np.linalg.inv(matrices[known])
    return found


def _quadratic(covariance: FloatArray, moved: FloatArray) -> FloatArray:
    """d'S^-1 d of each row d; NaN where S says that the coefficients are certain, or not known."""
    if not (np.diagonal(covariance) > 0.0).all():
        return np.full(len(moved), np.nan)
    return dot(moved, np.asarray(np.linalg.solve(covariance, moved.T).T, dtype=float))


class Baujat(NamedTuple):
    """Each study's part in the heterogeneity and in the result; both of shape (k,).

    Attributes
    ----------
    heterogeneity : ndarray
        Squared standardized deviation from the pooled effect; under equal effects they add up to Cochran's Q.
    influence : ndarray
        Squared difference of the pooled effect with and without the study, over its variance without it.
    """

    heterogeneity: FloatArray
    influence: FloatArray


def baujat(effect: npt.ArrayLike, variance: npt.ArrayLike, *, tau2_method: str = "EE") -> Baujat:
    """Where each study stands in Baujat's plot.

    Parameters
    ----------
    effect, variance : array_like, shape (k,)
    tau2_method : str
        ``"EE"`` for the definition of the article; another estimator for that of its random-effects model.

    Returns
    -------
    Baujat

    References
    ----------
    Baujat, B., Mahe, C., Pignon, J.-P., & Hill, C. (2002). Statistics in Medicine, 21, 2641-2652.

    Examples
    --------
    >>> found = baujat([0.1, 0.3, 0.9], [0.02, 0.03, 0.05])
    >>> print(found.heterogeneity.round(2), found.influence.round(2))
    [2.41 0.01 6.74] [2.26 0.01 1.62]
    """
    y, v = np.asarray(effect, dtype=float), np.asarray(variance, dtype=float)
    k = y.size
    whole = subset_fits(y, v, np.ones((1, k)), tau2_method=tau2_method, test="z")
    each = np.arange(k)
    without = [
        subset_fits(y, v, each != each[piece, None], tau2_method=tau2_method, test="z") for piece in _pieces(k, k)
    ]
    estimate, std_error = (
        np.concatenate([getattr(part, name) for part in without]) for name in ("estimate", "std_error")
    )
    between = np.nan_to_num(whole.tau2)
    return Baujat((y - whole.estimate) ** 2 / (v + between), (whole.estimate - estimate) ** 2 / std_error**2)


def _pieces(rows: int, numbers: int) -> Iterator[slice]:
    """Slices of rows of so many numbers each."""
    size = max(1, _NUMBERS_AT_ONCE // max(numbers, 1))
    return (slice(first, min(first + size, rows)) for first in range(0, rows, size))
