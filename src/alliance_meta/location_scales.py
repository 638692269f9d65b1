"""`location_scale()`: why studies differ, and why some kinds of studies differ more than others."""

from __future__ import annotations

import numpy as np

from alliance_meta import _checks
from alliance_meta.design import Design, design
from alliance_meta.effects import EffectSizes, given_effects
from alliance_meta.errors import ConvergenceError, InputError
from alliance_meta.results import TESTS, Tau2Method, TestMethod
from alliance_meta.results._location_scale import LocationScale, LocationScaleSettings
from alliance_meta.stats import location_scale as kernel
from alliance_meta.stats._arrays import FloatArray

__all__ = ["location_scale"]

_METHODS: tuple[Tau2Method, ...] = ("REML", "ML")
_NAMES_SHOWN = 20


def location_scale(
    effects: EffectSizes,
    formula: str = "1",
    scale: str = "1",
    *,
    tau2_method: Tau2Method | str = "REML",
    test: TestMethod | str = "z",
) -> LocationScale:
    """Regress effects on moderators, and the logarithm of their between-study variance on moderators too.

    Parameters
    ----------
    effects : EffectSizes
        From `effect_sizes()`; treated as independent. The moderators are columns of its table.
    formula : str
        Of the mean effect; see `alliance_meta.design.design`.
    scale : str
        Of log tau2, likewise. ``"1"``: one tau2 for all, the ordinary meta-regression.
    tau2_method : {"REML", "ML"}
    test : {"z", "t", "knapp-hartung", "knapp-hartung-adhoc"}
        Of the coefficients. Knapp and Hartung's factor concerns those of the location; those of the scale are then
        tested by t with k - q degrees of freedom.

    Returns
    -------
    LocationScale

    Raises
    ------
    FormulaError, UnknownNameError
        For a formula that cannot be read, an unknown column, method or test.
    InputError
        For a moderator with empty cells, coefficients that cannot be told apart, or as many of them as effects.
    ConvergenceError
        Where no finite coefficients are best, because tau2 of some studies goes to 0 (the message names them); and
        where the effects do not determine a coefficient.

    References
    ----------
    Viechtbauer, W., & Lopez-Lopez, J. A. (2022). Research Synthesis Methods, 13.

    Examples
    --------
    Studies of the second kind differ more, though they agree on the mean:

    >>> import pandas as pd
    >>> import alliance_meta as am
    >>> frame = pd.DataFrame({
    ...     "effect": [0.1, 0.4, 0.2, 0.5, 0.0, 0.3, -0.9, 1.2, 0.4, -0.5, 1.1, 0.6],
    ...     "variance": [0.02] * 12,
    ...     "kind": ["lab"] * 6 + ["field"] * 6,
    ... })
    >>> fit = location_scale(am.effect_sizes(frame, measure="GEN"), scale="kind")
    >>> print(fit.scale_test().text)
    χ²(1) = 8.73, p = .003
    """
    given_effects(effects, "location_scale")
    settings = LocationScaleSettings(
        formula=formula,
        scale=scale,
        tau2_method=_checks.known_name("tau2_method of a location-scale model", tau2_method, _METHODS),
        test=_checks.known_name("test", test, tuple(TESTS)),
    )
    made = {"formula": design(formula, effects.table), "scale": design(scale, effects.table)}
    crowded = [f"{name}={one.formula!r} has {len(one.names)}" for name, one in made.items()]
    if any(len(one.names) >= effects.k for one in made.values()):
        raise InputError(
            f"each formula must leave some of the {effects.k} effects over, and {' and '.join(crowded)} coefficients. "
            "Take fewer moderators, or merge levels."
        )
    return _result(effects, settings, made["formula"], made["scale"])


def _result(effects: EffectSizes, settings: LocationScaleSettings, location: Design, scale: Design) -> LocationScale:
    fit = kernel.location_scale(
        effects.effect,
        effects.variance,
        location.matrix,
        scale.matrix,
        tau2_method=settings.tau2_method,
        test=settings.test,
    )
    if fit.outcome != kernel.Outcome.CONVERGED:
        raise ConvergenceError(_reason(effects, settings, kernel.Outcome(int(fit.outcome)), fit.tau2))
    for array in fit[:5]:
        array.setflags(write=False)
    return LocationScale(
        coefficients=fit.coefficients,
        covariance=fit.covariance,
        df=float(fit.df),
        scale_coefficients=fit.scale_coefficients,
        scale_covariance=fit.scale_covariance,
        scale_df=float(fit.scale_df),
        tau2=fit.tau2,
        log_likelihood=float(fit.log_likelihood),
        k=effects.k,
        n=effects.n,
        effects=effects,
        design=location,
        scale_design=scale,
        settings=settings,
    )


def _reason(effects: EffectSizes, settings: LocationScaleSettings, outcome: kernel.Outcome, tau2: FloatArray) -> str:
    if outcome == kernel.Outcome.BOUNDARY:
        gone = np.flatnonzero(tau2 < 1e-6 * effects.variance).tolist()
        names = ", ".join(effects.labels[i] for i in gone[:_NAMES_SHOWN])
        more = f" and {len(gone) - _NAMES_SHOWN} more" if len(gone) > _NAMES_SHOWN else ""
        remedy = (
            "Pool them with pool() or meta_regression(), where tau2 may be 0."
            if settings.scale.strip() == "1"
            else "Take fewer moderators in scale, or merge levels, so that each kind of studies differs."
        )
        return (
            f"the {settings.tau2_method} likelihood rises as tau2 of {len(gone)} of {effects.k} studies goes to 0 "
            f"({names}{more}), so scale={settings.scale!r} has no finite coefficients. {remedy}"
        )
    if outcome == kernel.Outcome.FLAT:
        return (
            f"these {effects.k} effects do not determine all coefficients of scale={settings.scale!r} given "
            f"{settings.formula!r}: the likelihood is flat. A level with one study, or one that the location fits "
            "exactly, has no tau2 of its own: merge it with another."
        )
    return (
        f"{settings.tau2_method} did not reach its solution for scale={settings.scale!r}; take fewer moderators in it"
    )
