"""Estimators of tau2 in closed form: a quadratic form of the effects set to its expectation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import FloatArray, dot
from alliance_meta.stats._projection import Model
from alliance_meta.stats.tau2._record import Tau2, truncated

__all__ = [
    "MOMENTS",
    "tau2_ca2",
    "tau2_dl",
    "tau2_dl2",
    "tau2_genq",
    "tau2_he",
    "tau2_hs",
    "tau2_hsk",
    "tau2_sj",
    "weighted_moment",
]


def tau2_genq(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    include: npt.ArrayLike | None = None,
    design: npt.ArrayLike | None = None,
    *,
    weights: npt.ArrayLike,
) -> Tau2:
    """Moment estimator of the generalised Q statistic, with any fixed weights.

    Parameters
    ----------
    effect, variance : array_like, shape (..., k)
    include : array_like of 0 and 1, shape (..., k), optional
    design : array_like, shape (..., k, p), optional
        Moderators, the intercept included; the mean alone without it.
    weights : array_like, shape (..., k)
        Positive; 1 / variance gives DerSimonian and Laird's estimator, equal weights Hedges'.

    Returns
    -------
    Tau2

    References
    ----------
    DerSimonian, R., & Kacker, R. (2007). Contemporary Clinical Trials, 28, 105-114.

    Examples
    --------
    Between Hedges' weights and DerSimonian and Laird's:

    >>> y, v = [0.1, 0.3, 0.9], [0.02, 0.03, 0.05]
    >>> print([round(float(tau2_genq(y, v, weights=[x**-p for x in v]).estimate), 4) for p in (0.0, 0.5, 1.0)])
    [0.14, 0.1264, 0.111]
    """
    model, shape = Model.of(effect, variance, include, design)
    a = np.broadcast_to(np.asarray(weights, dtype=float), (*shape, model.y.shape[-1])).reshape(model.y.shape)
    return truncated(weighted_moment(model, a), model, shape)


def tau2_he(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    include: npt.ArrayLike | None = None,
    design: npt.ArrayLike | None = None,
) -> Tau2:
    """Hedges' estimator: the plain variance of the effects less the mean sampling variance.

    Parameters and result as in `tau2_genq`. Also called Cochran's ANOVA or variance component estimator.

    References
    ----------
    Hedges, L. V., & Olkin, I. (1985). Statistical methods for meta-analysis, ch. 9.

    Examples
    --------
    >>> print(tau2_he([0.1, 0.3, 0.9], [0.02, 0.03, 0.05]).estimate.round(4))
    0.14
    """
    model, shape = Model.of(effect, variance, include, design)
    return truncated(_hedges(model), model, shape)


def tau2_dl(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    include: npt.ArrayLike | None = None,
    design: npt.ArrayLike | None = None,
) -> Tau2:
    """DerSimonian and Laird's estimator, from Cochran's Q.

    Parameters and result as in `tau2_genq`.

    References
    ----------
    DerSimonian, R., & Laird, N. (1986). Controlled Clinical Trials, 7, 177-188.

    Examples
    --------
    >>> print(tau2_dl([0.1, 0.3, 0.9], [0.02, 0.03, 0.05]).estimate.round(4))
    0.111
    """
    model, shape = Model.of(effect, variance, include, design)
    return truncated(_dersimonian_laird(model), model, shape)


def tau2_dl2(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    include: npt.ArrayLike | None = None,
    design: npt.ArrayLike | None = None,
) -> Tau2:
    """Two-step estimator: weights 1 / (variance + tau2), with tau2 by DerSimonian and Laird first.

    Parameters and result as in `tau2_genq`.

    References
    ----------
    DerSimonian, R., & Kacker, R. (2007). Contemporary Clinical Trials, 28, 105-114.

    Examples
    --------
    >>> print(tau2_dl2([0.1, 0.3, 0.9], [0.02, 0.03, 0.05]).estimate.round(4))
    0.1333
    """
    model, shape = Model.of(effect, variance, include, design)
    return truncated(_two_step(model, _dersimonian_laird(model)), model, shape)


def tau2_ca2(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    include: npt.ArrayLike | None = None,
    design: npt.ArrayLike | None = None,
) -> Tau2:
    """Two-step estimator: weights 1 / (variance + tau2), with tau2 by Hedges (Cochran's ANOVA) first.

    Parameters and result as in `tau2_genq`.

    References
    ----------
    DerSimonian, R., & Kacker, R. (2007). Contemporary Clinical Trials, 28, 105-114.

    Examples
    --------
    >>> print(tau2_ca2([0.1, 0.3, 0.9], [0.02, 0.03, 0.05]).estimate.round(4))
    0.1344
    """
    model, shape = Model.of(effect, variance, include, design)
    return truncated(_two_step(model, _hedges(model)), model, shape)


def tau2_hs(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    include: npt.ArrayLike | None = None,
    design: npt.ArrayLike | None = None,
) -> Tau2:
    """Hunter and Schmidt's estimator: (Q - k) / sum of weights; too small with few studies.

    Parameters and result as in `tau2_genq`. Their own method works on correlations and sample sizes: `am.psychometric`.

    References
    ----------
    Schmidt, F. L., & Hunter, J. E. (2015). Methods of meta-analysis (3rd ed.).
    Viechtbauer, W. (2005). Journal of Educational and Behavioral Statistics, 30, 261-293.

    Examples
    --------
    >>> print(tau2_hs([0.1, 0.3, 0.9], [0.02, 0.03, 0.05]).estimate.round(4))
    0.0596
    """
    model, shape = Model.of(effect, variance, include, design)
    return truncated(_hunter_schmidt(model), model, shape)


def tau2_hsk(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    include: npt.ArrayLike | None = None,
    design: npt.ArrayLike | None = None,
) -> Tau2:
    """Hunter and Schmidt's estimator with the small-sample correction k / (k - p) of Q.

    Parameters and result as in `tau2_genq`.

    References
    ----------
    Brannick, M. T., Potter, S. M., Benitez, B., & Morris, S. B. (2019). Organizational Research Methods, 22, 490-514.

    Examples
    --------
    >>> print(tau2_hsk([0.1, 0.3, 0.9], [0.02, 0.03, 0.05]).estimate.round(4))
    0.104
    """
    model, shape = Model.of(effect, variance, include, design)
    return truncated(_hunter_schmidt_corrected(model), model, shape)


def tau2_sj(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    include: npt.ArrayLike | None = None,
    design: npt.ArrayLike | None = None,
) -> Tau2:
    """Sidik and Jonkman's estimator; never 0 unless all effects are equal.

    Parameters and result as in `tau2_genq`. The crude first value is the plain variance of the effects, divided by k.

    References
    ----------
    Sidik, K., & Jonkman, J. N. (2005). Applied Statistics, 54, 367-384.

    Examples
    --------
    Positive even where the effects differ less than sampling error lets them:

    >>> y, v = [0.10, 0.20, 0.30], [0.02, 0.03, 0.05]
    >>> print(f"{tau2_dl(y, v).estimate:.3f} {tau2_sj(y, v).estimate:.3f}")
    0.000 0.002
    """
    model, shape = Model.of(effect, variance, include, design)
    return truncated(_sidik_jonkman(model), model, shape)


def weighted_moment(model: Model, weights: FloatArray) -> FloatArray:
    """The generalised Q's estimate, negative where it is, with fixed weights of the model's shape."""
    return _generalised(model, np.where(model.used > 0.0, weights, 0.0))


def _generalised(model: Model, a: FloatArray) -> FloatArray:
    """(y'Py - tr PV) / tr P, with P made of the weights a."""
    with np.errstate(invalid="ignore", divide="ignore"):
        projection = model.space.project(a)
        q = (a * projection.residual(model.y) ** 2).sum(axis=-1)
        expected = (a * model.v).sum(axis=-1) - projection.lost(a**2 * model.v)
        return np.asarray((q - expected) / (a.sum(axis=-1) - projection.lost(a**2)))


def _dersimonian_laird(model: Model) -> FloatArray:
    """`_generalised` with weights 1 / v, where tr PV is the degrees of freedom."""
    w = model.used / model.v
    with np.errstate(invalid="ignore", divide="ignore"):
        projection = model.space.project(w)
        e = projection.residual(model.y)
        return np.asarray((dot(w * e, e) - model.df) / (w.sum(axis=-1) - projection.lost(w * w)))


def _cochran(model: Model) -> tuple[FloatArray, FloatArray]:
    """Cochran's Q and the sum of its weights."""
    w = model.used / model.v
    with np.errstate(invalid="ignore", divide="ignore"):
        e = model.space.project(w).residual(model.y)
        return np.asarray((w * e**2).sum(axis=-1)), np.asarray(w.sum(axis=-1))


def _hedges(model: Model) -> FloatArray:
    return _generalised(model, model.used)


def _two_step(model: Model, first: FloatArray) -> FloatArray:
    return _generalised(model, model.weight(np.maximum(first, 0.0)))


def _hunter_schmidt(model: Model) -> FloatArray:
    q, total = _cochran(model)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((q - model.count) / total)


def _hunter_schmidt_corrected(model: Model) -> FloatArray:
    q, total = _cochran(model)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(model.count * (q / model.df - 1.0) / total)


def _sidik_jonkman(model: Model) -> FloatArray:
    mean = (model.used * model.y).sum(axis=-1) / model.count
    with np.errstate(invalid="ignore", divide="ignore"):
        crude = (model.used * (model.y - mean[:, None]) ** 2).sum(axis=-1) / model.count
        w = model.weight(crude)
        residual_ss = (w * model.space.project(w).residual(model.y) ** 2).sum(axis=-1)
        return np.asarray(crude * residual_ss / model.df)


MOMENTS: dict[str, Callable[[Model], FloatArray]] = {
    "DL": _dersimonian_laird,
    "DL2": lambda model: _two_step(model, _dersimonian_laird(model)),
    "HE": _hedges,
    "CA2": lambda model: _two_step(model, _hedges(model)),
    "HS": _hunter_schmidt,
    "HSk": _hunter_schmidt_corrected,
    "SJ": _sidik_jonkman,
}
"""Estimates, negative where they are, of a model."""
