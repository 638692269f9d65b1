"""`diagnose()`: what each study counts in a fit, and what the fit is without it."""

from __future__ import annotations

from dataclasses import fields
from typing import NamedTuple

import numpy as np

from alliance_meta import _checks
from alliance_meta.effects import EffectSizes, clusters_of
from alliance_meta.errors import InputError
from alliance_meta.results import MetaRegression, Multilevel, PooledEffect
from alliance_meta.results._diagnostics import StudyDiagnostics, effects_behind
from alliance_meta.stats import multilevel as kernel
from alliance_meta.stats._arrays import BoolArray, FloatArray, IntArray
from alliance_meta.stats._projection import Model
from alliance_meta.stats.multilevel._diagnostics import components_without, influence
from alliance_meta.stats.multilevel._shares import Effects, effects_of, shares
from alliance_meta.stats.tau2 import tau2_of

__all__ = ["diagnose"]

_NUMBERS_AT_ONCE = 1 << 21
_NAMED = 10


def diagnose(
    fit: Multilevel | PooledEffect | MetaRegression, by: str = "study", *, refit: bool = True
) -> StudyDiagnostics:
    """Take each study out of a fit in turn: weights, hat values, Cook's distances and DFBETAS by study.

    Parameters
    ----------
    fit : Multilevel, PooledEffect or MetaRegression
        A pooled effect must have the weights of its model.
    by : str
        Column of the effects' table whose groups are taken out; ``"effect"`` for one effect at a time.
    refit : bool
        Estimate the variance components again without each study, as the fit did, from where they are; otherwise hold
        them, which takes one pass over the effects.

    Returns
    -------
    StudyDiagnostics

    Raises
    ------
    InputError
        For another kind of fit, weights that are not the model's, crossed effects, a single study, or empty cells.
    UnknownNameError
        For an unknown column.

    Notes
    -----
    Distances are by the model's own covariance: not multiplied by Knapp and Hartung's factor. For a multilevel model
    they are those of metafor's ``cooks.distance`` and ``dfbetas`` for `rma.mv` with ``cluster``.

    References
    ----------
    Cook, R. D., & Weisberg, S. (1982). Residuals and influence in regression.
    Viechtbauer, W., & Cheung, M. W.-L. (2010). Research Synthesis Methods, 1, 112-125.

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("farber_doolin2011_effects"), measure="ZCOR")
    >>> found = diagnose(am.multilevel(effects, correlation=0.5))
    >>> found.to_frame().nlargest(1, "cooks_distance")[["study", "k", "weight", "estimate"]].round(2).values.tolist()
    [['litter2004', 2, 6.87, 0.22]]
    """
    if not isinstance(fit, Multilevel | PooledEffect | MetaRegression):
        raise InputError(
            f"diagnose() takes the result of multilevel(), pool() or meta_regression(), not {type(fit).__name__}"
        )
    clusters, labels = clusters_of(fit.effects, by)
    model = _model(fit, clusters)
    without = _without(fit, model, clusters) if refit and not model.fixed.all() else None
    return _result(fit.effects, model, by, clusters, labels, without, refit)


class _Model(NamedTuple):
    """A fit as the kernel takes it."""

    effects: Effects
    components: FloatArray
    fixed: BoolArray
    names: tuple[str, ...]
    coefficients: FloatArray
    levels: tuple[str, ...]


def _model(fit: Multilevel | PooledEffect | MetaRegression, clusters: IntArray) -> _Model:
    y, v = fit.effects.effect, fit.effects.variance
    if isinstance(fit, Multilevel):
        effects = effects_behind(fit)
        return _Model(effects, fit.components, fit._fixed, fit.names, fit.coefficients, fit.levels)
    if isinstance(fit, PooledEffect) and fit.settings.given_weights is not None:
        raise InputError(f"diagnose() takes means by their model's weights, not weights={fit.settings.weights!r}")
    if isinstance(fit, MetaRegression):
        matrix, names, coefficients = fit.design.matrix, fit.names, fit.coefficients
    else:
        matrix, names, coefficients = np.ones((fit.k, 1)), ("intercept",), np.array([fit.estimate])
    effects = effects_of(kernel.prepared(y, v, matrix, [clusters]), y, v, matrix, [clusters])
    components = np.array([np.nan_to_num(fit.tau2), 0.0])  # the groups have no variance of their own
    fixed = np.array([fit.settings.tau2_method == "EE", True])
    return _Model(effects, components, fixed, names, coefficients, ("effect",))


def _without(fit: Multilevel | PooledEffect | MetaRegression, model: _Model, clusters: IntArray) -> FloatArray:
    """Variance components without each study, by the fit's estimator."""
    if isinstance(fit, Multilevel):
        restricted = fit.settings.tau2_method == "REML"
        return components_without(model.effects, clusters, model.components, model.fixed, restricted=restricted)
    y, v, settings = fit.effects.effect, fit.effects.variance, fit.settings
    x = fit.design.matrix if isinstance(fit, MetaRegression) else None
    count = int(clusters.max()) + 1
    found = np.zeros((count, 2))
    at_once = max(1, _NUMBERS_AT_ONCE // (y.size * len(model.names)))
    for first in range(0, count, at_once):
        some = np.arange(first, min(first + at_once, count))
        batch, _ = Model.of(y, v, clusters != some[:, None], x)
        tau2 = tau2_of(batch, settings.tau2_method, settings.q_weights)
        found[some, 0] = np.where(tau2.converged & batch.usable, tau2.estimate, np.nan)
    return found


def _result(
    effects: EffectSizes,
    model: _Model,
    by: str,
    clusters: IntArray,
    labels: tuple[str, ...],
    without: FloatArray | None,
    refit: bool,
) -> StudyDiagnostics:
    moved, counted = (
        influence(model.effects, clusters, model.components, without),
        shares(model.effects, model.components),
    )
    weights = 100.0 * counted.weight if model.names == ("intercept",) else np.full(effects.k, np.nan)
    largest = np.zeros(len(labels))
    np.maximum.at(largest, clusters, counted.hat)
    size = len(model.levels)
    held = np.broadcast_to(model.components, (len(labels), len(model.components)))
    result = StudyDiagnostics(
        by=by,
        labels=labels,
        k=np.bincount(clusters).astype(np.intp),
        weight=np.bincount(clusters, weights).astype(np.float64),
        hat_sum=np.bincount(clusters, counted.hat).astype(np.float64),
        hat_max=largest,
        names=model.names,
        coefficients=model.coefficients,
        coefficients_without=moved.coefficients,
        levels=model.levels,
        components=model.components[:size],
        components_without=(held if without is None else without)[:, :size].copy(),
        cooks_distance=moved.cooks_distance,
        dfbetas=moved.dfbetas,
        effect_weights=weights,
        effect_hats=counted.hat,
        effects=effects,
        refit=refit,
        notes=_notes(by, labels, moved.cooks_distance),
        _clusters=clusters,
    )
    for value in (getattr(result, each.name) for each in fields(result)):
        if isinstance(value, np.ndarray):
            value.setflags(write=False)
    return result


def _notes(by: str, labels: tuple[str, ...], distances: FloatArray) -> tuple[str, ...]:
    lost = [labels[i] for i in np.flatnonzero(np.isnan(distances)).tolist()]
    if not lost:
        return ()
    more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
    which = f"{by} {_checks.listed(lost[:_NAMED])}{more}"
    return (f"Without {which} the model cannot be fitted: too little is left to tell its coefficients or variances.",)
