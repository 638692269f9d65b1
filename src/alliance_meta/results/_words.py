"""What a pooled effect prints: its table, its sentence, and the R code that repeats it."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite, isinf, isnan
from typing import TYPE_CHECKING

import numpy as np

from alliance_meta._tables import SummaryTable, apa, number, p_value, small
from alliance_meta.results._vocabulary import APA_TAU2_METHODS, TAU2_METHODS, TEST_NAMES, TESTS

if TYPE_CHECKING:
    from alliance_meta.results._pooled import PooledEffect, PoolSettings
    from alliance_meta.results._regression import MetaRegression, RegressionSettings

__all__ = [
    "METAFOR_TESTS",
    "apa_sentence",
    "r_code",
    "r_control",
    "r_estimator",
    "r_string",
    "r_vector",
    "summary_table",
]

TWO_STEP = {"DL2": "DL", "CA2": "HE"}
METAFOR_TESTS = {"z": "z", "t": "t", "knapp-hartung": "knha", "knapp-hartung-adhoc": "adhoc"}
ITERATIVE = {
    "REML": "threshold = {0:.1e}, maxiter = 1000",
    "ML": "threshold = {0:.1e}, maxiter = 1000",
    "PM": "tol = {0:.1e}, maxiter = 1000",
    "PMM": "tol = {0:.1e}, maxiter = 1000",
    "EB": "threshold = {0:.1e}, maxiter = 1000",
}
"""Where metafor iterates: how to make it go on to the solution."""


def _studies_text(fit: PooledEffect) -> str:
    people = "" if isnan(fit.n) else f" (N = {fit.n:,.0f})"
    return f"{fit.k} {'study' if fit.k == 1 else 'effects'}{people}"


def summary_table(fit: PooledEffect) -> SummaryTable:
    """The result as a table for people, at 95 %."""
    settings = fit.settings
    equal = settings.tau2_method == "EE"
    tau2 = fit.tau2_interval()
    caveat = (fit.effects.caveat,) if fit.effects.caveat else ()
    weighted = "" if settings.weights == "inverse-variance" else f"; weights of the mean: {settings.weights}"
    how = f"tau² by {TAU2_METHODS[settings.tau2_method]}; mean tested by {TESTS[settings.test]}{weighted}"
    unusual = (f"Interval of tau²: {tau2.note}",) if tau2.note and fit.k > 1 else ()
    return SummaryTable(
        title=f"{'Equal' if equal else 'Random'}-effects meta-analysis of {_studies_text(fit)}",
        header=("", "estimate", "interval or test"),
        rows=(*_effect_rows(fit), *_heterogeneity_rows(fit)),
        right=frozenset({1}),
        notes=(how, *fit.notes, *unusual, *fit.effects.notes, *caveat),
    )


def _effect_rows(fit: PooledEffect) -> list[tuple[str, str, str]]:
    own, shown = fit.effects.measure, fit.on_display_scale()
    rows = [(own.display_label, number(shown.estimate), _interval("CI", shown.ci_low, shown.ci_high))]
    if own.scale != own.display_scale:
        rows.append((f"  {own.label}", number(fit.estimate), _interval("CI", *fit.confidence_interval())))
    if fit.settings.tau2_method != "EE":
        rows.append(("  true effect of a new study", "", _interval("PI", shown.pi_low, shown.pi_high)))
    statistic = "z" if isinf(fit.df) else f"t({fit.df:.0f})"
    test = (f"{statistic} = {number(fit.statistic, 2)}", f"p {p_value(fit.p_value)}")
    return [*rows, ("  test of no effect", *(("–", "–") if isnan(fit.statistic) else test))]


def _heterogeneity_rows(fit: PooledEffect) -> list[tuple[str, str, str]]:
    q = (f"  Q({fit.q_df:.0f})", number(fit.q_statistic, 2), f"p {p_value(fit.q_p_value)}")
    if fit.k == 1:
        return [("Heterogeneity", "–", "one study")]
    if fit.settings.tau2_method == "EE":
        return [
            ("Heterogeneity tau²", "0", "by assumption"),
            ("  I² from Q", f"{number(fit.i2_q, 1)}%", ""),
            ("  H² from Q", number(fit.h2_q, 2), ""),
            q,
        ]
    tau2 = fit.tau2_interval()
    return [
        ("Heterogeneity tau²", small(fit.tau2), f"95% CI [{small(tau2.low)}, {small(tau2.high)}]"),
        ("  I² from tau², from Q", f"{number(fit.i2, 1)}%", f"{number(fit.i2_q, 1)}%"),
        ("  H² from tau², from Q", number(fit.h2, 2), number(fit.h2_q, 2)),
        q,
    ]


def _interval(kind: str, low: float, high: float) -> str:
    return "–" if isnan(low) else f"95% {kind} [{number(low)}, {number(high)}]"


def apa_sentence(fit: PooledEffect, level: float) -> str:
    own, shown, settings = fit.effects.measure, fit.on_display_scale(level), fit.settings
    percent = f"{100 * level:g}%"

    def effect(value: float) -> str:
        return apa(value, 2, bounded=own.bounded)

    model = "An equal-effects" if settings.tau2_method == "EE" else "A random-effects"
    methods = ", ".join(filter(None, (APA_TAU2_METHODS[settings.tau2_method], TEST_NAMES[settings.test])))
    statistic = "z" if isinf(fit.df) else f"t({fit.df:.0f})"
    sentence = (
        f"{model} meta-analysis{f' ({methods})' if methods else ''} of k = {fit.k} "
        f"{'effect' if fit.k == 1 else 'effects'}{'' if isnan(fit.n) else f' (N = {fit.n:,.0f})'} gave a pooled "
        f"{shown.scale} = {effect(shown.estimate)}"
    )
    if not isnan(shown.ci_low):
        sentence += f", {percent} CI [{effect(shown.ci_low)}, {effect(shown.ci_high)}]"
    caveat = f" ({fit.effects.caveat})" if fit.effects.caveat else ""
    if isfinite(fit.statistic):
        sentence += f", {statistic} = {apa(fit.statistic)}, p {p_value(fit.p_value)}"
    if fit.k == 1:
        return f"{sentence}; heterogeneity cannot be estimated from one study.{caveat}"
    if not isnan(shown.pi_low) and settings.tau2_method != "EE":
        sentence += (
            f"; true effects of comparable studies are expected between {effect(shown.pi_low)} and "
            f"{effect(shown.pi_high)} ({percent} prediction interval)"
        )
    low, high = fit.tau2_interval(level)
    tau2 = (
        f"τ² = {apa(fit.tau2, 3)}, {percent} CI [{apa(low, 3)}, {apa(high, 3)}], "
        if settings.tau2_method != "EE"
        else ""
    )
    return (
        f"{sentence}. Heterogeneity: Q({fit.q_df:.0f}) = {apa(fit.q_statistic)}, p {p_value(fit.q_p_value)}, "
        f"{tau2}I² = {apa(fit.i2, 0)}%.{caveat}"
    )


def r_code(fit: PooledEffect) -> str:
    """The data and the call; two-step estimators take two calls, since metafor has none of its own."""
    settings, effects = fit.settings, fit.effects
    labels = ", ".join(r_string(label) for label in effects.labels)
    before, estimator = r_estimator(settings)
    asked = [estimator, f'test = "{METAFOR_TESTS[settings.test]}"', "slab = slab"]
    if settings.given_weights is not None:
        asked.append(f"weights = {r_vector(settings.given_weights)}")
    asked += r_control(fit)
    lines = [
        "library(metafor)",
        *(f"# {line}" for line in effects.caveat.splitlines()),
        f"# {effects.measure.label}",
        f"yi <- {r_vector(effects.effect.tolist())}",
        f"vi <- {r_vector(effects.variance.tolist())}",
        f"slab <- c({labels})",
        *before,
        f"fit <- rma(yi, vi, {', '.join(asked)})",
        "print(fit, digits = 6)",
    ]
    if fit.k > 1 and settings.tau2_method != "EE" and not before:  # metafor has none for a fixed tau2
        lines.append(f"print(confint(fit, control = list(tol = {r_fineness(fit):.1e}, maxiter = 10000)), digits = 6)")
    if effects.measure.code == "ZCOR":
        lines.append("print(predict(fit, transf = transf.ztor), digits = 6)")
    return "\n".join(lines) + "\n"


def r_estimator(settings: PoolSettings | RegressionSettings, model: str = "") -> tuple[list[str], str]:
    """Lines that compute tau2 beforehand, where metafor has no such estimator, and what the call says of it.

    `model` holds the moderators' arguments, each followed by a comma.
    """
    method, before = settings.tau2_method, list[str]()
    if method == "GENQ":
        weights = r_vector(settings.q_weights or ())
        before.append(f'tau2 <- rma(yi, vi, {model}method = "GENQ", weights = {weights})$tau2')
    elif method in TWO_STEP:
        before += [
            f'first <- rma(yi, vi, {model}method = "{TWO_STEP[method]}")$tau2  # {method}: two steps',
            f'tau2 <- rma(yi, vi, {model}method = "GENQ", weights = 1 / (vi + first))$tau2',
        ]
    return before, "tau2 = tau2" if before else f'method = "{method}"'


def r_fineness(fit: PooledEffect | MetaRegression) -> float:
    """How closely metafor must iterate: its own thresholds are absolute."""
    return 1e-12 * float(np.nan_to_num(fit.tau2) + np.median(fit.effects.variance))


def r_control(fit: PooledEffect | MetaRegression) -> list[str]:
    """The argument that makes metafor go on to the solution, for estimators that iterate."""
    method = fit.settings.tau2_method
    return [f"control = list({ITERATIVE[method].format(r_fineness(fit))})"] if method in ITERATIVE else []


def r_vector(values: Iterable[float]) -> str:
    """Numbers as R reads them, with every digit."""
    return f"c({', '.join(repr(float(value)) for value in values)})"


def r_string(text: str) -> str:
    """Text as R reads it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'
