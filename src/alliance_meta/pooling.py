"""`pool()`: effects become one pooled effect."""

from __future__ import annotations

from math import inf, isfinite, nan

import numpy as np

from alliance_meta import _checks
from alliance_meta.effects import EffectSizes
from alliance_meta.errors import ConvergenceError, InputError
from alliance_meta.results import TAU2_METHODS, TESTS, PooledEffect, PoolSettings, Tau2Method, TestMethod
from alliance_meta.stats import heterogeneity, inference, tau2, weighted

__all__ = ["pool"]

_ESTIMATORS = {"DL": tau2.tau2_dl, "REML": tau2.tau2_reml}


def pool(
    effects: EffectSizes,
    *,
    tau2_method: Tau2Method | str = "REML",
    test: TestMethod | str = "knapp-hartung",
) -> PooledEffect:
    """Pool effects in a random-effects (or equal-effects) model.

    Parameters
    ----------
    effects : EffectSizes
        From `effect_sizes()`; treated as independent.
    tau2_method : {"REML", "DL", "EE"}
        Estimator of the between-study variance; ``"EE"`` assumes that there is none.
    test : {"knapp-hartung", "knapp-hartung-adhoc", "t", "z"}
        Distribution and standard error of the mean: Knapp and Hartung's with k - 1 degrees of freedom, the same
        never narrower than without it, the plain standard error with t(k - 1), or with the normal distribution.

    Returns
    -------
    PooledEffect

    Raises
    ------
    UnknownNameError
        For an unknown method or test.
    InputError
        If `effects` is not an `EffectSizes`.
    ConvergenceError
        If REML does not reach its maximum.

    References
    ----------
    Raudenbush, S. W. (2009). In Cooper, Hedges & Valentine (Eds.), Handbook of research synthesis, ch. 16.
    Knapp, G., & Hartung, J. (2003). Statistics in Medicine, 22, 2693-2710.

    Examples
    --------
    >>> import alliance_meta as am
    >>> fit = am.pool(am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR"))
    >>> fit
    <PooledEffect: r = 0.250, 95% CI [0.111, 0.379], k = 16 (REML, knapp-hartung)>
    """
    if not isinstance(effects, EffectSizes):
        raise InputError(
            f"pool() takes the result of effect_sizes(), not {type(effects).__name__}: "
            "pool(effect_sizes(frame, measure=...))"
        )
    settings = PoolSettings(
        tau2_method=_checks.known_name("tau2_method", tau2_method, tuple(TAU2_METHODS)),
        test=_checks.known_name("test", test, tuple(TESTS)),
    )
    between = _tau2(effects, settings.tau2_method)
    return _result(effects, settings, between)


def _tau2(effects: EffectSizes, method: Tau2Method) -> float:
    """Between-study variance; NaN when one study cannot tell it."""
    if method == "EE":
        return 0.0
    estimate = _ESTIMATORS[method](effects.effect, effects.variance)
    if not estimate.converged:
        raise ConvergenceError(
            f"{method} did not reach its maximum for these {effects.k} effects; try tau2_method='DL'"
        )
    return float(estimate.estimate)


def _result(effects: EffectSizes, settings: PoolSettings, between: float) -> PooledEffect:
    y, v, k = effects.effect, effects.variance, effects.k
    mean = weighted.weighted_mean(y, v, between if isfinite(between) else 0.0)
    std_error = float(mean.std_error)
    if settings.test.startswith("knapp-hartung"):
        std_error *= float(weighted.knapp_hartung_factor(mean, adhoc=settings.test.endswith("adhoc")))
    df = inf if settings.test == "z" else k - 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = float((mean.estimate - effects.measure.null) / np.float64(std_error)) if df > 0.0 else nan
    cochran = heterogeneity.cochran_q(y, v)
    from_q = heterogeneity.inconsistency_from_q(cochran)
    from_tau2 = from_q if settings.tau2_method == "EE" else heterogeneity.inconsistency_from_tau2(between, v)
    return PooledEffect(
        estimate=float(mean.estimate),
        std_error=std_error,
        statistic=statistic,
        df=df,
        p_value=float(inference.two_sided_p_value(statistic, df)),
        tau2=between,
        i2=float(from_tau2.i2),
        h2=float(from_tau2.h2),
        i2_q=float(from_q.i2),
        h2_q=float(from_q.h2),
        q_statistic=float(cochran.q_statistic),
        q_df=float(cochran.q_df),
        q_p_value=float(cochran.q_p_value),
        k=k,
        n=effects.n,
        settings=settings,
        effects=effects,
        notes=tuple(_notes(settings, k, std_error)),
    )


def _notes(settings: PoolSettings, k: int, std_error: float) -> list[str]:
    notes = []
    if k == 1:
        notes.append(
            "One study: the estimate is its effect, and heterogeneity, Q's p value and a prediction interval "
            "cannot be computed."
        )
        if settings.test != "z":
            notes.append(
                f"One study leaves test={settings.test!r} no degrees of freedom; test='z' gives the study's own "
                "interval."
            )
    if k == 2:
        notes.append("Two studies leave a prediction interval with t(k-2) no degrees of freedom.")
    if settings.tau2_method == "EE" and settings.test.startswith("knapp-hartung") and k > 1:
        notes.append(
            "Under equal effects Knapp-Hartung multiplies the standard error by sqrt(Q / (k - 1)), as in "
            "unrestricted weighted least squares; the classical choice is test='z'."
        )
    if std_error == 0.0:
        notes.append(
            "The effects are identical, so Knapp-Hartung's standard error is 0; test='knapp-hartung-adhoc' "
            "does not fall below sampling error."
        )
    return notes
