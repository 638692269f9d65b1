"""What a meta-regression prints: its table, its sentence, and the R code that repeats it."""

from __future__ import annotations

from collections.abc import Iterator
from math import isinf, isnan
from typing import TYPE_CHECKING

import numpy as np

from alliance_meta._tables import SummaryTable, apa, number, p_cell, p_value, small
from alliance_meta.results._vocabulary import APA_TAU2_METHODS, TAU2_METHODS, TEST_NAMES, TESTS
from alliance_meta.results._words import METAFOR_TESTS, r_control, r_estimator, r_string, r_vector

if TYPE_CHECKING:
    from alliance_meta.results._regression import MetaRegression

__all__ = ["apa_sentence", "r_code", "summary_table"]


def summary_table(fit: MetaRegression) -> SummaryTable:
    """The result as a table for people, at 95 %."""
    own, settings = fit.effects.measure, fit.settings
    statistic = "z" if isinf(fit.df) else f"t({fit.df:g})"
    rows = [
        (
            name,
            number(estimate, 3),
            number(std_error, 3),
            f"[{number(low, 3)}, {number(high, 3)}]",
            number(value, 2),
            p_cell(p),
        )
        for name, (estimate, std_error, value, _, p, low, high) in _coefficients(fit)
    ]
    people = "" if isnan(fit.n) else f" (N = {fit.n:,.0f})"
    how = f"tau² by {TAU2_METHODS[settings.tau2_method]}; coefficients tested by {TESTS[settings.test]}"
    model = [f"Moderators: {fit.omnibus().text}"] if set(fit.names) != {"intercept"} else []
    caveat = (fit.effects.caveat,) if fit.effects.caveat else ()
    return SummaryTable(
        title=f"Meta-regression of {fit.k} effects{people} on {settings.formula}",
        header=("", own.label, "std. error", "95% CI", statistic, "p"),
        rows=tuple(rows),
        right=frozenset({1, 2, 3, 4, 5}),
        notes=(*model, _heterogeneity(fit), how, *fit.notes, *fit.effects.notes, *caveat),
    )


def _coefficients(fit: MetaRegression) -> Iterator[tuple[str, list[float]]]:
    """Each coefficient's name and the numbers of its row in `to_frame`."""
    frame = fit.to_frame()
    return zip(fit.names, frame.drop(columns="term").to_numpy(dtype=float).tolist(), strict=True)


def _heterogeneity(fit: MetaRegression) -> str:
    q = f"QE({fit.q_residual_df:.0f}) = {number(fit.q_residual, 2)}, p {p_value(fit.q_residual_p_value)}"
    if fit.settings.tau2_method == "EE":
        return f"Residual heterogeneity: {q}; tau² is 0 by assumption"
    r2 = "" if isnan(fit.r2) else f"; the moderators explain R² = {number(fit.r2, 0)}% of tau²"
    return f"Residual heterogeneity: tau² = {small(fit.tau2)}, I² = {number(fit.i2, 1)}%, {q}{r2}"


def apa_sentence(fit: MetaRegression) -> str:
    """The omnibus test, each coefficient and the residual heterogeneity."""
    settings = fit.settings
    methods = ", ".join(filter(None, (APA_TAU2_METHODS[settings.tau2_method], TEST_NAMES[settings.test])))
    people = "" if isnan(fit.n) else f" (N = {fit.n:,.0f})"
    statistic = "z" if isinf(fit.df) else f"t({fit.df:g})"
    parts = [
        f"{name}: b = {apa(estimate, 3)}, 95% CI [{apa(low, 3)}, {apa(high, 3)}], {statistic} = {apa(value)}, "
        f"p {p_value(p)}"
        for name, (estimate, _, value, _, p, low, high) in _coefficients(fit)
    ]
    r2 = "" if isnan(fit.r2) else f", R² = {apa(fit.r2, 0)}%"
    omnibus = f", {fit.omnibus().text}" if set(fit.names) != {"intercept"} else ""
    caveat = f" ({fit.effects.caveat})" if fit.effects.caveat else ""
    return (
        f"A mixed-effects meta-regression ({methods}) of k = {fit.k} effects{people} on {settings.formula}{omnibus}, "
        f"gave {'; '.join(parts)}. Residual heterogeneity: QE({fit.q_residual_df:.0f}) = {apa(fit.q_residual)}, p "
        f"{p_value(fit.q_residual_p_value)}, τ² = {apa(fit.tau2, 3)}, I² = {apa(fit.i2, 0)}%{r2}.{caveat}"
    )


def r_code(fit: MetaRegression) -> str:
    """The design goes in as numbers, so that nothing hangs on how R would code it."""
    settings, effects = fit.settings, fit.effects
    names = ", ".join(r_string(name) for name in fit.names)
    shape = f"nrow = {fit.k}, dimnames = list(NULL, c({names}))"
    model = "mods = X, intercept = FALSE"
    before, estimator = r_estimator(settings, f"{model}, ")
    if not before and not _holds_the_mean(fit):
        before.append(
            f"tau2 <- {fit.tau2!r}  # metafor's own takes the mean off effects, which these columns do not hold"
        )
        estimator = "tau2 = tau2"
    asked = [estimator, f'test = "{METAFOR_TESTS[settings.test]}"', *r_control(fit)]
    lines = [
        "library(metafor)",
        *(f"# {line}" for line in effects.caveat.splitlines()),
        f"# {effects.measure.label} on {settings.formula}",
        f"yi <- {r_vector(effects.effect.tolist())}",
        f"vi <- {r_vector(effects.variance.tolist())}",
        f"X <- matrix({r_vector(fit.design.matrix.T.ravel().tolist())}, {shape})",
        *before,
        f"fit <- rma(yi, vi, {', '.join([model, *asked])})",
        "print(fit, digits = 6)",
        *([] if _holds_the_mean(fit) else _RESIDUAL),
    ]
    return "\n".join(lines) + "\n"


_RESIDUAL = [
    "e <- yi - X %*% solve(crossprod(X / vi, X), crossprod(X / vi, yi))",
    'cat("QE without the mean:", sum(e^2 / vi), "\\n")  # metafor\'s QE, too, takes the mean off effects',
]


def _holds_the_mean(fit: MetaRegression) -> bool:
    """Whether some combination of the columns is 1 in every row."""
    x = fit.design.matrix
    left = np.ones(fit.k) - x @ np.linalg.lstsq(x, np.ones(fit.k), rcond=None)[0]
    return bool(np.abs(left).max() < 1e-8)
