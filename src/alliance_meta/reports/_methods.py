"""The words of a report: title, method and results of every kind of model, in APA style."""

from __future__ import annotations

import platform
from collections.abc import Hashable, Mapping
from functools import singledispatch
from importlib.metadata import version
from math import isinf, isnan
from typing import Any, cast

from alliance_meta._tables import apa, p_value
from alliance_meta.effects import EffectSizes
from alliance_meta.reports._kinds import Fit, has_moderators, shared
from alliance_meta.results import (
    MULTILEVEL_TESTS,
    RESTRICTIONS,
    SAMPLING_ERRORS,
    STRUCTURES,
    SUBGROUP_TAU2,
    TAU2_METHODS,
    TESTS,
    LocationScale,
    MetaRegression,
    Multilevel,
    Multivariate,
    PooledEffect,
    PsychometricResult,
    RobustFit,
    Subgroups,
    Tau2Method,
    TestMethod,
)
from alliance_meta.stats.robust import ADJUSTMENTS

__all__ = ["PACKAGES", "data", "methods", "results", "software", "title"]

PACKAGES = ("alliance-meta", "numpy", "scipy", "pandas", "matplotlib")

_INDEPENDENT = (
    "Some of these effects come from the same study, but this model treats all as independent: its standard errors are "
    "too small where effects of a study go together."
)


def software() -> str:
    """The program and its version."""
    libraries = ", ".join(f"{name} {version(name)}" for name in PACKAGES[1:4])
    return (
        f"Analyses were done with alliance_meta {version('alliance-meta')} in Python {platform.python_version()} "
        f"({libraries})."
    )


def data(effects: EffectSizes) -> str:
    """What was analysed."""
    own, studies = effects.measure, len({str(study) for study in effects.table["study"]})
    people = "" if isnan(effects.n) or shared(effects) else f" (N = {effects.n:,.0f})"
    shown = f" and are reported as {own.display_scale}" if own.scale != own.display_scale else ""
    routes = "; ".join(f"{row.route} (k = {row.k})" for row in effects.routes().itertuples() if str(row.route))
    made = f" Effects were computed from: {routes}." if routes else ""
    noun = "effect" if effects.k == 1 else "effects"
    return (
        f"The analysis includes k = {effects.k} {noun} from {_counted(studies, 'study', 'studies')}{people}. "
        f"Effects were analysed as {_lowered(own.label)}{shown}.{made}"
    )


def _lowered(label: str) -> str:
    """A label inside a sentence: names of people keep their capital."""
    return label if label.startswith(("Fisher", "Cohen", "Hedges", "Freeman")) else label[:1].lower() + label[1:]


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


# Titles


@singledispatch
def title(fit: object) -> str:
    """What the report is called, unless its author says."""
    raise TypeError(type(fit).__name__)  # pragma: no cover - report() has refused it


@title.register
def _(fit: PooledEffect) -> str:
    kind = "Equal" if fit.settings.tau2_method == "EE" else "Random"
    return f"{kind}-effects meta-analysis of {_counted(fit.k, 'effect', 'effects')}"


@title.register
def _(fit: MetaRegression) -> str:
    return f"Meta-regression of {fit.k} effects on {fit.settings.formula}"


@title.register
def _(fit: Subgroups) -> str:
    return f"Subgroup analysis of {fit.overall.k} effects by {fit.settings.by}"


@title.register
def _(fit: Multilevel) -> str:
    model = f" on {fit.settings.formula}" if has_moderators(fit.names) else ""
    return f"Multilevel meta-analysis of {fit.k} effects{model}"


@title.register
def _(fit: Multivariate) -> str:
    return f"Multivariate meta-analysis of {fit.k} effects of {_counted(len(fit.outcomes), 'outcome', 'outcomes')}"


@title.register
def _(fit: RobustFit) -> str:
    return f"{title(fit.fit)}, with cluster-robust tests"


@title.register
def _(fit: LocationScale) -> str:
    return f"Location-scale meta-analysis of {fit.k} effects"


@title.register
def _(fit: PsychometricResult) -> str:
    return f"Psychometric meta-analysis of {_counted(fit.k, 'correlation', 'correlations')}"


# Methods


@singledispatch
def methods(fit: object) -> list[str]:
    """What was done: model, estimator, tests and intervals; a paragraph a string."""
    raise TypeError(type(fit).__name__)  # pragma: no cover - report() has refused it


def _tested(what: str, test: TestMethod) -> str:
    cited = " (Knapp & Hartung, 2003)" if test.startswith("knapp") else ""
    if what.endswith("mean"):
        return f"{what} was tested, and its 95% confidence interval computed, by {TESTS[test]}{cited}"
    return f"{what} were tested, and their 95% confidence intervals computed, by {TESTS[test]}{cited}"


def _heterogeneity(method: Tau2Method, *, residual: bool) -> str:
    if method == "EE":
        return "The model assumes that studies do not differ in their true effects (τ² = 0)"
    which = "The between-study variance that the moderators leave, τ²," if residual else "The between-study variance τ²"
    return f"{which} was estimated by {TAU2_METHODS[method]}"


@methods.register
def _(fit: PooledEffect) -> list[str]:
    settings, equal = fit.settings, fit.settings.tau2_method == "EE"
    if fit.k == 1:
        return ["With one effect there is nothing to pool: it is given as it is, and says nothing of differences."]
    model = "an equal-effects" if equal else "a random-effects"
    weights = (
        "inverse-variance weights" if settings.weights == "inverse-variance" else f"other weights ({settings.weights})"
    )
    parts = [
        f"Effects were pooled in {model} model with {weights}.",
        f"{_heterogeneity(settings.tau2_method, residual=False)}.",
        f"{_tested('The mean', settings.test)}.",
    ]
    if not equal:
        parts.append(
            "The 95% prediction interval, where the true effect of a new study like these is expected, takes the t "
            "distribution with k − 2 degrees of freedom (Higgins et al., 2009). The interval of τ² was found by "
            "profiling Q (Viechtbauer, 2007)."
        )
    source = "Q" if equal else "τ²"
    share = (
        f"I² is the share of the total variance that is between studies, computed from {source} (Higgins & Thompson, "
    )
    parts.append(f"{share}2002).")
    return _with_warning(" ".join(parts), fit.effects)


def _with_warning(text: str, effects: EffectSizes) -> list[str]:
    return [text, _INDEPENDENT] if shared(effects) else [text]


@methods.register
def _(fit: MetaRegression) -> list[str]:
    settings = fit.settings
    share = (
        " R² is the share of the between-study variance that the moderators explain."
        if settings.tau2_method != "EE"
        else ""
    )
    together = (
        "the moderators together by the omnibus test of all coefficients but the intercept's"
        if has_moderators(fit.names)
        else "the mean by its own coefficient"
    )
    text = (
        f"Effects were regressed on moderators in a mixed-effects model (formula: {settings.formula}). "
        f"{_heterogeneity(settings.tau2_method, residual=True)}. {_tested('Coefficients', settings.test)}; {together}. "
        f"QE tests whether effects differ beyond sampling error and the moderators.{share}"
    )
    return _with_warning(text, fit.effects)


@methods.register
def _(fit: Subgroups) -> list[str]:
    settings = fit.settings
    common = fit.regression is not None
    how = (
        "the regression on the groups"
        if common
        else "comparing the groups' means, their standard errors taken as known"
    )
    model = (
        "an equal-effects model (τ² = 0)"
        if settings.tau2_method == "EE"
        else f"a random-effects model with {SUBGROUP_TAU2[settings.tau2]}, estimated by "
        f"{TAU2_METHODS[settings.tau2_method]}"
    )
    text = (
        f"Effects were pooled in each group of {settings.by} by {model}. {_tested('Means', settings.test)}. "
        "Differences between "
        f"groups were tested by {how}. A difference between groups of studies is no experiment: the groups may differ "
        "in other ways."
    )
    return _with_warning(text, fit.effects)


def _levels(fit: Multilevel) -> str:
    nested = " in ".join(["effects", *(_plural(name) for name in fit.settings.levels)])
    crossed = "".join(f", crossed with {_plural(name)}" for name in fit.settings.crossed)
    return f"{nested}{crossed}"


def _plural(name: str) -> str:
    return {"study": "studies", "laboratory": "laboratories", "country": "countries"}.get(name, f"groups of {name}")


@methods.register
def _(fit: Multilevel) -> list[str]:
    settings = fit.settings
    model = f" with moderators (formula: {settings.formula})" if has_moderators(fit.names) else ""
    errors = (
        f"Sampling errors of effects of the same study were taken as correlated ({settings.correlation}), which makes "
        "this a correlated-and-hierarchical-effects model (Pustejovsky & Tipton, 2022)."
        if settings.correlation
        else "Sampling errors were taken as independent."
    )
    return [
        f"Effects were analysed in a multilevel random-effects model of {_levels(fit)}{model}, so that effects of the "
        f"same study may resemble each other. {errors} The variances τ² of the levels were estimated by "
        f"{TAU2_METHODS[settings.tau2_method]}, their 95% intervals found by the profile likelihood; I² is the share "
        f"of the total variance at a level. Coefficients were tested, and their 95% confidence intervals computed, by "
        f"{MULTILEVEL_TESTS[settings.test]}."
    ]


@methods.register
def _(fit: Multivariate) -> list[str]:
    settings = fit.settings
    errors = (
        f"Sampling errors of a study's effects were taken as correlated ({settings.correlation})."
        if settings.correlation
        else "Sampling errors were taken as independent."
    )
    return [
        f"The outcomes of {settings.outcome} were analysed together in a multivariate random-effects model "
        f"(Jackson et al., 2011; formula: {settings.formula}), in which the true effects of a study go together. Their "
        f"covariance between studies was {STRUCTURES[settings.structure]}, estimated by "
        f"{TAU2_METHODS[settings.tau2_method]}. {errors} Coefficients were tested, and their 95% confidence intervals "
        f"computed, by {MULTILEVEL_TESTS[settings.test]}."
    ]


@methods.register
def _(fit: RobustFit) -> list[str]:
    cluster = "the clusters given" if fit.settings.cluster == "given" else fit.settings.cluster
    cited = "Pustejovsky & Tipton, 2018"
    joint = (
        " All moderators together were tested by Hotelling's T² with estimated degrees of freedom (HTZ; Tipton & "
        "Pustejovsky, 2015)."
        if has_moderators(fit.names)
        else ""
    )
    inner = [text for text in methods(fit.fit) if text != _INDEPENDENT]
    return [
        *inner,
        "That model served as the working model: it gave the estimates and the weights. Standard errors are "
        f"cluster-robust, by {cluster} ({fit.adjustment}, {ADJUSTMENTS[fit.adjustment]}; {cited}), and hold whatever "
        "the dependence of effects of the same cluster is; tests and 95% confidence intervals take the t distribution "
        f"with Satterthwaite's degrees of freedom (Bell & McCaffrey, 2002).{joint} They replace the tests and "
        "intervals of the working model.",
    ]


@methods.register
def _(fit: LocationScale) -> list[str]:
    settings = fit.settings
    text = (
        "Effects were analysed in a location-scale model (Viechtbauer & López-López, 2022), in which moderators may "
        f"explain both the mean effect (formula: {settings.formula}) and, through its logarithm, the between-study "
        f"variance τ² (formula: {settings.scale}). It was fitted by {TAU2_METHODS[settings.tau2_method]}. "
        f"{_tested('Coefficients', settings.test)}; moderators of τ² together by the likelihood-ratio test against one "
        "τ² for all studies, where that is a case of the model."
    )
    return _with_warning(text, fit.effects)


@methods.register
def _(fit: PsychometricResult) -> list[str]:
    settings = fit.settings
    how = {
        "bare-bones": "their variance was corrected for sampling error only (bare bones)",
        "individual": "each was corrected for its own artefacts first (individual corrections)",
        "artefact-distribution": "their mean and variance were corrected by the distributions of the artefacts (Raju & "
        "Burke, 1983)",
    }[settings.method]
    names = {"reliability_x": "the reliability of x", "reliability_y": "the reliability of y", "u": "range restriction"}
    artefacts = ", ".join(names[role] for role in settings.corrected_for)
    corrected = f" Artefacts: {artefacts}; {RESTRICTIONS[settings.restriction]}." if artefacts else ""
    return [
        f"The analysis includes k = {fit.k} {'correlation' if fit.k == 1 else 'correlations'} (N = {fit.n:,.0f}). They "
        f"were weighted by sample size, and {how}, as Hunter and Schmidt do (Schmidt & Hunter, 2015).{corrected} The "
        f"sampling error variance was {SAMPLING_ERRORS[settings.sampling_error]}. The 95% confidence interval of the "
        "mean takes the standard deviation of the correlations over √k; the 80% credibility interval says where that "
        "share of the population correlations lies, if they are normal."
    ]


# Results


@singledispatch
def results(fit: object) -> list[str]:
    """What came out; a paragraph a string."""
    return [fit.to_apa()]  # type: ignore[attr-defined] # every other model has it


@results.register
def _(fit: Multilevel) -> list[str]:
    return [fit.to_apa(), *_mean_as_shown(fit, confidence=True)]


def _mean_as_shown(fit: Multilevel, *, confidence: bool) -> list[str]:
    """The mean of a model without moderators on the scale shown to people."""
    if has_moderators(fit.names):
        return []
    own, shown = fit.effects.measure, fit.on_display_scale()
    middle, low, high, new_low, new_high = (
        apa(value, 2, bounded=own.bounded)
        for value in (shown.estimate, shown.ci_low, shown.ci_high, shown.pi_low, shown.pi_high)
    )
    mean = f"The pooled effect is {own.display_scale} = {middle}, 95% CI [{low}, {high}]. " if confidence else ""
    return [
        f"{mean}A new true effect in a new study is expected between {new_low} and {new_high} (95% "
        f"prediction interval{'' if confidence else ' of the working model'})."
    ]


@results.register
def _(fit: RobustFit) -> list[str]:
    inner = cast("Fit", fit.fit)
    if isinstance(inner, Multilevel):
        parts = "; ".join(
            f"{name}: τ² = {apa(float(c), 3)}, I² = {apa(float(share), 0)}%"
            for name, c, share in zip(inner.levels, inner.components, inner.i2, strict=True)
        )
        q = f"QE({inner.q_residual_df:.0f}) = {apa(inner.q_residual)}"
        variances = f"Variances of the working model: {parts}; {q}."
        return [fit.to_apa(), variances, *_mean_as_shown(inner, confidence=False)]
    if isinstance(inner, MetaRegression | PooledEffect):
        tau2 = f"τ² = {apa(inner.tau2, 3)}, I² = {apa(inner.i2, 0)}%"
        return [fit.to_apa(), f"Heterogeneity in the working model: {tau2}."]
    return [fit.to_apa()]


@results.register
def _(fit: LocationScale) -> list[str]:
    frame = fit.to_frame()
    sentences = []
    for part, what in (("location", "The mean effect"), ("scale", "The logarithm of τ²")):
        rows = frame[frame["part"] == part].to_dict("records")
        sentences.append(f"{what}: {'; '.join(map(_coefficient, rows))}.")
    tests = [f"Moderators of the mean: {fit.omnibus().text}."] if has_moderators(fit.names) else []
    if has_moderators(fit.scale_names) and fit.spans_constant:
        tests.append(f"Moderators of τ², likelihood-ratio test: {fit.scale_test().text}.")
    caveat = [f"({fit.effects.caveat})"] if fit.effects.caveat else []
    counted = f"A location-scale model ({TAU2_METHODS[fit.settings.tau2_method]}) of k = {fit.k} effects was fitted."
    return [" ".join([counted, *sentences, *tests, *caveat])]


def _coefficient(row: Mapping[Hashable, Any]) -> str:
    statistic = "z" if isinf(row["df"]) else f"t({row['df']:g})"
    return (
        f"{row['term']}: b = {apa(row['estimate'], 3)}, 95% CI [{apa(row['ci_low'], 3)}, {apa(row['ci_high'], 3)}], "
        f"{statistic} = {apa(row['statistic'])}, p {p_value(row['p_value'])}"
    )
