"""`influence()`, `baujat()` and `outliers()`: which studies move a fit, feed its heterogeneity, or lie outside it."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from alliance_meta import _checks
from alliance_meta._tables import number
from alliance_meta.bias._conditions import dependent
from alliance_meta.effects import EffectSizes, given_effects, subset
from alliance_meta.errors import InputError
from alliance_meta.pooling import pool
from alliance_meta.results import MetaRegression, PooledEffect, Tau2Method, TestMethod
from alliance_meta.results._margins import adjusted
from alliance_meta.results._vocabulary import ADJUSTMENTS, Adjustment
from alliance_meta.results.sensitivity._influence import Baujat, Influence
from alliance_meta.results.sensitivity._outliers import Outliers
from alliance_meta.sensitivity._units import distinct, model_names, whole_fit
from alliance_meta.stats import heterogeneity
from alliance_meta.stats import influence as kernel
from alliance_meta.stats._arrays import BoolArray, FloatArray
from alliance_meta.stats.inference import critical_value, two_sided_p_value

__all__ = ["OutlierRule", "baujat", "influence", "outliers"]

OutlierRule = Literal["interval", "rstudent"]

_RULES: tuple[OutlierRule, ...] = ("interval", "rstudent")
_STRONG_I2 = 50.0


def influence(
    fit: EffectSizes | PooledEffect | MetaRegression,
    *,
    tau2_method: Tau2Method | str | None = None,
    test: TestMethod | str | None = None,
) -> Influence:
    """Take each effect out of a fit in turn: residuals, DFFITS, Cook's distances, covariance ratios, DFBETAS.

    Parameters
    ----------
    fit : EffectSizes, PooledEffect or MetaRegression
        Effects are pooled first. The weights of a mean must be those of its model.
    tau2_method, test : str, optional
        As in `pool`, for effects only; REML and Knapp and Hartung's test without them. A fit has its own.

    Returns
    -------
    Influence
        Numbers as of metafor's ``influence()``: where the test is Knapp and Hartung's, every covariance, and the
        variance of a studentized residual, has their factor.

    Raises
    ------
    InputError
        For another kind of fit, weights that are not the model's, one effect only, or `tau2_method` or `test` beside a
        fit that has its own.
    UnknownNameError
        For an unknown method or test.

    See Also
    --------
    alliance_meta.diagnose : whole studies, multilevel models.

    References
    ----------
    Viechtbauer, W., & Cheung, M. W.-L. (2010). Research Synthesis Methods, 1, 112-125.

    Examples
    --------
    >>> import alliance_meta as am
    >>> found = influence(am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR"))
    >>> found.to_frame().nlargest(2, "cooks_distance")[["label", "rstudent", "cooks_distance"]].round(2).values.tolist()
    [['Hansen et al., 1968', 3.25, 0.53], ['Garfield & Bergin, 1971', -2.17, 0.25]]
    """
    whole = _fitted(fit, tau2_method, test)
    effects, settings = whole.effects, whole.settings
    given_effects(effects, "influence", 2)
    found = kernel.influence(
        effects.effect,
        effects.variance,
        whole.design.matrix if isinstance(whole, MetaRegression) else None,
        tau2_method=settings.tau2_method,
        test=settings.test,
        q_weights=settings.q_weights,
    )
    for array in found:
        array.setflags(write=False)
    labels = distinct(effects)
    return Influence(
        effects=effects,
        cautions=(*dependent(effects), *_nothing_can_be_marked(effects.k, found.dfbetas.shape[1])),
        notes=_lost(labels, np.isnan(found.cooks_distance)),
        fit=whole,
        labels=labels,
        names=whole.names if isinstance(whole, MetaRegression) else ("intercept",),
        numbers=found,
    )


def _fitted(fit: object, tau2_method: str | None, test: str | None) -> PooledEffect | MetaRegression:
    if isinstance(fit, EffectSizes):
        return whole_fit(fit, tau2_method or "REML", test or "knapp-hartung")
    if not isinstance(fit, PooledEffect | MetaRegression):
        raise InputError(
            f"influence() takes the result of effect_sizes(), pool() or meta_regression(), not {type(fit).__name__}; "
            "diagnose() takes that of multilevel()"
        )
    if tau2_method is not None or test is not None:
        raise InputError("influence() takes tau2_method and test with effects; a fit has its own: leave them out")
    if isinstance(fit, PooledEffect) and fit.settings.given_weights is not None:
        raise InputError(f"influence() takes means by their model's weights, not weights={fit.settings.weights!r}")
    return fit


def _nothing_can_be_marked(k: int, p: int) -> tuple[str, ...]:
    if k > 3 * p:
        return ()
    return (f"with {k} effects and {p} coefficient{'s' if p > 1 else ''} no hat value can exceed its cutoff, 3p/k.",)


def _lost(labels: tuple[str, ...], lost: BoolArray) -> tuple[str, ...]:
    if not lost.any():
        return ()
    names = [labels[i] for i in np.flatnonzero(lost).tolist()]
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    which = f"{_checks.listed(names[:10])}{more}"
    return (f"Without {which} the model cannot be fitted, or leaves nothing to compare: its numbers are NaN.",)


def baujat(effects: EffectSizes, *, tau2_method: Tau2Method | str = "EE") -> Baujat:
    """Each study's part in the heterogeneity, and in the pooled effect.

    Parameters
    ----------
    effects : EffectSizes
        Taken as independent.
    tau2_method : str
        As in `pool`. ``"EE"`` gives the plot as it was published: contributions to Cochran's Q, and squared changes of
        the equal-effects mean. Others give squared residuals and changes of that random-effects model.

    Returns
    -------
    Baujat

    Raises
    ------
    InputError
        If `effects` are not an `EffectSizes`, or there is one only.
    UnknownNameError
        For an unknown method.

    References
    ----------
    Baujat, B., Mahe, C., Pignon, J.-P., & Hill, C. (2002). Statistics in Medicine, 21, 2641-2652.

    Examples
    --------
    >>> import alliance_meta as am
    >>> baujat(am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR"))
    <Baujat: 44% of Q from Hansen et al., 1968>
    """
    own = given_effects(effects, "baujat", 2)
    method, _ = model_names(tau2_method, "z")
    found = kernel.baujat(own.effect, own.variance, tau2_method=method)
    for array in found:
        array.setflags(write=False)
    labels = distinct(own)
    return Baujat(
        effects=own,
        cautions=dependent(own),
        notes=_lost(labels, np.isnan(found.influence)),
        labels=labels,
        numbers=found,
        tau2_method=method,
        q_statistic=float(heterogeneity.cochran_q(own.effect, own.variance).q_statistic),
    )


def outliers(
    effects: EffectSizes,
    *,
    rule: OutlierRule | str = "interval",
    adjust: Adjustment | str = "none",
    level: float = 0.95,
    tau2_method: Tau2Method | str = "REML",
    test: TestMethod | str = "knapp-hartung",
) -> Outliers:
    """Find effects that lie outside, and pool the others.

    Parameters
    ----------
    effects : EffectSizes
        Taken as independent.
    rule : {"interval", "rstudent"}
        Outside is an effect whose own interval (normal distribution) does not touch the interval of the mean, or one
        whose externally studentized residual is significant by the normal distribution.
    adjust : str
        Of the residuals' p values for their number: ``"none"``, ``"holm"``, or another of `ADJUSTMENTS`. For
        ``rule="rstudent"``.
    level : float
        Of both intervals; of the residuals, 1 - level is the significance level.
    tau2_method : {"REML", "ML", "DL", "DL2", "HE", "CA2", "HS", "HSk", "SJ", "PM", "PMM", "EB", "EE"}
    test : {"knapp-hartung", "knapp-hartung-adhoc", "t", "z"}
        As in `pool`.

    Returns
    -------
    Outliers

    Raises
    ------
    InputError
        If `effects` are not an `EffectSizes`, there is one only, the level is not between 0 and 1, or p values are
        to be adjusted that the rule does not use.
    UnknownNameError
        For an unknown rule, adjustment, method or test.
    ConvergenceError
        If the estimator does not reach its solution.

    References
    ----------
    Viechtbauer, W., & Cheung, M. W.-L. (2010). Research Synthesis Methods, 1, 112-125.
    Harrer, M., Cuijpers, P., Furukawa, T. A., & Ebert, D. D. (2021). Doing meta-analysis with R, ch. 5.

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
    >>> outliers(effects, rule="rstudent", adjust="holm")
    <Outliers: 1 of 16 effects outlying; r = 0.204 without, 0.250 with them>
    """
    own = given_effects(effects, "outliers", 2)
    chosen = _checks.known_name("rule", rule, _RULES)
    how = _checks.known_name("adjustment", adjust, ADJUSTMENTS)
    level = _checks.level(level)
    if chosen == "interval" and how != "none":
        raise InputError(f"adjust={how!r} adjusts p values of residuals, which rule='interval' does not use")
    whole = whole_fit(own, tau2_method, test)
    method, tested = whole.settings.tau2_method, whole.settings.test
    residual = kernel.influence(own.effect, own.variance, tau2_method=method, test=tested).rstudent
    p_value = adjusted(pd.Series(two_sided_p_value(residual, np.inf)), how)
    half = critical_value(level, np.inf) * np.sqrt(own.variance)
    low, high = own.effect - half, own.effect + half
    outlying = _apart(whole, low, high, level) if chosen == "interval" else p_value < 1.0 - level
    without, notes = _pooled_without(own, outlying, method, tested)
    for array in (residual, p_value, low, high, outlying):
        array.setflags(write=False)
    return Outliers(
        effects=own,
        cautions=(*dependent(own), *(_expected_apart(whole) if chosen == "interval" else ())),
        notes=notes,
        rule=chosen,
        level=level,
        adjust=how,
        labels=distinct(own),
        ci_low=low,
        ci_high=high,
        rstudent=residual,
        p_value=p_value,
        outlying=outlying,
        with_all=whole,
        without=without,
    )


def _apart(whole: PooledEffect, low: FloatArray, high: FloatArray, level: float) -> BoolArray:
    ends = whole.confidence_interval(level)
    return np.asarray((high < ends.low) | (low > ends.high))


def _pooled_without(
    effects: EffectSizes, outlying: BoolArray, method: str, test: str
) -> tuple[PooledEffect | None, tuple[str, ...]]:
    left = int((~outlying).sum())
    if left == effects.k:
        return None, ()
    if left < 2:
        return None, ("Without those outlying fewer than two effects would be left.",)
    return pool(subset(effects, ~outlying), tau2_method=method, test=test, dependent="allow"), ()


def _expected_apart(whole: PooledEffect) -> tuple[str, ...]:
    """True effects differ, so that precise studies must lie apart from the mean."""
    if not whole.i2 >= _STRONG_I2:
        return ()
    return (
        f"true effects differ (I² = {number(whole.i2, 0)}%), so that precise studies lie outside the interval of the "
        "mean without being out of place; rule='rstudent' allows for that.",
    )
