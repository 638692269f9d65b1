"""The figures of a report, with their captions and the text that stands for them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, singledispatch
from math import isnan
from typing import cast

import pandas as pd
from matplotlib.axes import Axes

from alliance_meta import plots
from alliance_meta._tables import apa
from alliance_meta.dependence import multilevel
from alliance_meta.design import NumericVariable
from alliance_meta.effects import EffectSizes
from alliance_meta.plots._estimates import estimates
from alliance_meta.pooling import pool
from alliance_meta.reports._kinds import Fit, correlations_of, has_moderators, shared
from alliance_meta.reports._pictures import Picture
from alliance_meta.results import (
    LocationScale,
    MetaRegression,
    Multilevel,
    Multivariate,
    PooledEffect,
    PsychometricResult,
    RobustFit,
    Subgroups,
)

__all__ = ["figures"]

_LEAST_FOR_FUNNEL = 3
_MOST_BUBBLES = 4
_MANY = 40
"""Rows beyond which a nested forest on paper shows studies only."""
_DIAMOND = (
    "Each study's effect with its 95% interval; the diamond is the pooled effect, the bar below it the range expected "
    "for the true effect of a new study."
)


@singledispatch
def figures(fit: object) -> list[Picture]:
    """Forest and funnel plots, and those of the moderators."""
    raise TypeError(type(fit).__name__)  # pragma: no cover - report() has refused it


@figures.register
def _(fit: PooledEffect) -> list[Picture]:
    return [_forest(fit, _DIAMOND), *_funnel(fit)]


@figures.register
def _(fit: Subgroups) -> list[Picture]:
    own = fit.effects.measure
    means = "; ".join(
        f"{member.label} {own.display_scale} = {apa(member.on_display_scale().estimate, 2, bounded=own.bounded)}, "
        f"k = {member.k}"
        for member in fit.members
    )
    forest = Picture(
        draw=partial(plots.forest, fit),
        alt=f"Forest plot of {fit.overall.k} effects in groups of {fit.settings.by}: {means}.",
        caption=f"Effects with their 95% intervals in groups of {fit.settings.by}; hollow diamonds are the means of "
        "the groups, the filled one that of all effects.",
    )
    return [forest, *_funnel(fit.overall)]


@figures.register
def _(fit: MetaRegression) -> list[Picture]:
    method = "REML" if fit.settings.tau2_method == "GENQ" else fit.settings.tau2_method
    without = pool(fit.effects, tau2_method=method, test=fit.settings.test, dependent="allow")
    found = [*_bubbles(fit)]
    if has_moderators(fit.names):
        what = f"Coefficients of the regression on {fit.settings.formula}"
        found.append(_coefficients(partial(plots.coefficients, fit), fit.to_frame(), what))
    forest = _forest(without, f"{_DIAMOND} Without moderators.")
    return [*found, forest, *_funnel(without)]


def _bubbles(fit: MetaRegression) -> list[Picture]:
    columns = [each.column for each in fit.design.variables if isinstance(each, NumericVariable)]
    own = fit.effects.measure
    return [
        Picture(
            draw=partial(plots.bubble, fit, column),
            alt=f"Bubble plot of {fit.k} effects ({own.display_scale}) against {column}, with the line of the "
            f"regression on {fit.settings.formula}.",
            caption=f"Effects against {column}; larger points weigh more. The line is the mean effect that the "
            "regression expects, shaded its 95% interval, dashed that for the true effect of a new study.",
        )
        for column in columns[:_MOST_BUBBLES]
    ]


@figures.register
def _(fit: Multilevel) -> list[Picture]:
    found = []
    if has_moderators(fit.names):
        found.append(_model_coefficients(fit.to_frame(), fit.effects, f"the model on {fit.settings.formula}"))
    return [*found, _nested(fit), *_funnel(_as_independent(fit.effects))]


def _nested(fit: Multilevel, more: str = "") -> Picture:
    """Studies and their effects under the mean of a model without moderators and crossed factors."""
    settings, mean = fit.settings, fit
    if settings.crossed or has_moderators(fit.names):
        mean = multilevel(
            fit.effects,
            study=settings.levels[0],
            levels=settings.levels[1:],
            correlation=fit.correlation,
            tau2_method=settings.tau2_method,
            test=settings.test,
        )
        left = [
            *(["moderators"] if has_moderators(fit.names) else []),
            *(["crossed factors"] if settings.crossed else []),
        ]
        more = f"{more} Of the model without {' and '.join(left)}."
    return Picture(
        draw=partial(plots.forest, mean),
        brief=partial(plots.forest, mean, collapse=True) if mean.k > _MANY else None,
        alt=f"Forest plot of {mean.k} effects in {mean.groups[1]} groups of {settings.levels[0]}: {_pooled(mean)}.",
        caption="Effects inside their studies, with 95% intervals; dark diamonds are the studies' own means, the last "
        f"diamond is that of all.{more}",
    )


@figures.register
def _(fit: Multivariate) -> list[Picture]:
    what = f"the model of the outcomes of {fit.settings.outcome}"
    coefficients = _model_coefficients(fit.to_frame(), fit.effects, what)
    return [coefficients, *_plain(fit.effects, "All outcomes together, pooled as if they were independent.")]


@figures.register
def _(fit: RobustFit) -> list[Picture]:
    inner = cast("Fit", fit.fit)
    found = []
    if has_moderators(fit.names):
        what = "the model (cluster-robust)"
        found.append(_model_coefficients(fit.to_frame(), fit.effects, what))
    own = " The interval of the mean is that of the working model, not the cluster-robust one."
    if isinstance(inner, Multilevel):
        return [*found, _nested(inner, own), *_funnel(_as_independent(fit.effects))]
    if isinstance(inner, PooledEffect):
        return [_forest(inner, f"{_DIAMOND}{own}"), *_funnel(inner)]
    rest = [picture for picture in figures(inner) if not picture.alt.startswith("Coefficients")]
    return [*found, *rest]


@figures.register
def _(fit: LocationScale) -> list[Picture]:
    found = []
    for part, what in (("location", "the mean effect"), ("scale", "the logarithm of τ²")):
        frame = fit.to_frame().query(f"part == {part!r}")
        design = fit.design if part == "location" else fit.scale_design
        if has_moderators(design.names):
            found.append(_model_coefficients(frame, fit.effects, what))
    return [*found, *_plain(fit.effects, "Pooled without moderators, with one τ² for all studies.")]


@figures.register
def _(fit: PsychometricResult) -> list[Picture]:
    effects = correlations_of(fit)
    if effects is None:
        return []
    return _plain(effects, "The observed correlations, not corrected, pooled by a random-effects model for comparison.")


def _plain(effects: EffectSizes, note: str) -> list[Picture]:
    fit = _as_independent(effects)
    return [_forest(fit, f"{_DIAMOND} {note}"), *_funnel(fit)]


def _as_independent(effects: EffectSizes) -> PooledEffect:
    return pool(effects, dependent="allow")


def _forest(fit: PooledEffect, caption: str) -> Picture:
    return Picture(draw=partial(plots.forest, fit), alt=f"Forest plot of {_about(fit)}.", caption=caption)


def _funnel(fit: PooledEffect) -> list[Picture]:
    if fit.k < _LEAST_FOR_FUNNEL:
        return []
    together = " Effects of the same study are shown as if they were independent." if shared(fit.effects) else ""
    return [
        Picture(
            draw=partial(plots.funnel, fit),
            alt=f"Funnel plot of {_about(fit)}: effects against their standard errors.",
            caption="Each effect against its standard error. Small studies that scatter to one side only are a sign "
            f"that others are missing, or that small studies differ.{together}",
        )
    ]


def _about(fit: PooledEffect) -> str:
    return f"{'1 effect' if fit.k == 1 else f'{fit.k} effects'}, {_pooled(fit)}"


def _pooled(fit: PooledEffect | Multilevel) -> str:
    shown, own = fit.on_display_scale(), fit.effects.measure
    middle, low, high = (apa(value, 2, bounded=own.bounded) for value in (shown.estimate, shown.ci_low, shown.ci_high))
    return f"pooled {shown.scale} = {middle}{'' if isnan(shown.ci_low) else f', 95% CI [{low}, {high}]'}"


def _model_coefficients(frame: pd.DataFrame, effects: EffectSizes, what: str) -> Picture:
    """The coefficients but the intercept's, which is no difference."""
    rows = frame[frame["term"] != "intercept"]
    label = f"Coefficient ({effects.measure.label})" if "τ²" not in what else "Coefficient (logarithm of τ²)"
    lines = [effects.caveat] if effects.caveat else []
    draw = partial(estimates, rows, label, lines=lines)
    return _coefficients(draw, rows, f"Coefficients of {what}")


def _coefficients(draw: Callable[[], Axes], frame: pd.DataFrame, what: str) -> Picture:
    rows = frame[frame["term"] != "intercept"].to_dict("records")
    numbers = "; ".join(
        f"{row['term']} {apa(row['estimate'], 3)} [{apa(row['ci_low'], 3)}, {apa(row['ci_high'], 3)}]" for row in rows
    )
    return Picture(
        draw=draw,
        alt=f"{what}: {numbers}.",
        caption=f"{what}, with 95% intervals. Their lengths can be compared only where the units can.",
    )
