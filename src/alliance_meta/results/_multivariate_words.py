"""What a model of several outcomes prints: its table, its sentence, and the R code that repeats it."""

from __future__ import annotations

from math import isinf
from typing import TYPE_CHECKING

import numpy as np

from alliance_meta._tables import SummaryTable, apa, number, p_cell, p_value, small
from alliance_meta.results._vocabulary import MULTILEVEL_TESTS, TAU2_METHODS
from alliance_meta.results._words import r_string, r_vector
from alliance_meta.stats.multilevel._structures import StructureName

if TYPE_CHECKING:
    from alliance_meta.results._multivariate import Multivariate

__all__ = ["STRUCTURES", "apa_sentence", "counted", "r_code", "summary_table"]

STRUCTURES: dict[StructureName, str] = {
    "UN": "unstructured",
    "CS": "one variance and one correlation",
    "HCS": "a variance for each outcome and one correlation",
    "DIAG": "a variance for each outcome and no correlation",
}
_V = "V <- R * sqrt(outer(vi, vi))"


def counted(fit: Multivariate) -> str:
    """``10 effects of 2 outcomes in 5 studies``."""
    q = len(fit.outcomes)
    return f"{fit.k} effects of {q} outcome{'s' if q > 1 else ''} in {fit.studies} studies"


def _numbers(fit: Multivariate) -> list[list[float]]:
    return [[float(x) for x in row] for row in fit.to_frame().drop(columns="term").to_numpy(dtype=float)]


def _test(df: float, value: str) -> str:
    return f"z = {value}" if isinf(df) else f"t({df:.3g}) = {value}"


def summary_table(fit: Multivariate) -> SummaryTable:
    """The result as a table for people, at 95 %."""
    own, settings = fit.effects.measure, fit.settings
    rows = [
        (
            name,
            number(estimate, 3),
            number(std_error, 3),
            f"[{number(low, 3)}, {number(high, 3)}]",
            _test(df, number(value, 2)),
            p_cell(p),
        )
        for name, (estimate, std_error, value, df, p, low, high) in zip(fit.names, _numbers(fit), strict=True)
    ]
    q = f"QE({fit.q_residual_df:.0f}) = {number(fit.q_residual, 2)}, p {p_value(fit.q_residual_p_value)}"
    errors = f"; sampling errors correlated: {settings.correlation}" if settings.correlation else ""
    how = (
        f"Covariance {STRUCTURES[settings.structure]}, by {TAU2_METHODS[settings.tau2_method]}; tests by "
        f"{MULTILEVEL_TESTS[settings.test]}{errors}"
    )
    caveat = (fit.effects.caveat,) if fit.effects.caveat else ()
    return SummaryTable(
        title=f"Multivariate model of {counted(fit)} on {settings.formula}",
        header=("", own.label, "std. error", "95% CI", "test", "p"),
        rows=tuple(rows),
        right=frozenset({1, 2, 3, 4, 5}),
        notes=(
            *_shown(fit),
            *([f"Equal means: {fit.equal_means().text}"] if _compared(fit) else []),
            *_between(fit),
            q,
            how,
            *fit.notes,
            *fit.effects.notes,
            *caveat,
        ),
    )


def _compared(fit: Multivariate) -> bool:
    return len(fit.outcomes) > 1 and fit.settings.outcome in {each.column for each in fit.design.variables}


def _shown(fit: Multivariate) -> list[str]:
    """Outcomes' means on the scale shown to people, where that is another."""
    own = fit.effects.measure
    if own.scale == own.display_scale or not _compared(fit):
        return []
    rows = fit.means(display=True)[["estimate", "ci_low", "ci_high"]].to_numpy(dtype=float).tolist()
    parts = (
        f"{name} {number(middle)}, 95% CI [{number(low)}, {number(high)}]"
        for name, (middle, low, high) in zip(fit.outcomes, rows, strict=True)
    )
    return [f"{own.display_label}: {'; '.join(parts)}"]


def _between(fit: Multivariate) -> list[str]:
    """Variances and correlations of true effects."""
    frame = fit.outcomes_frame()
    variances = ", ".join(
        f"{name} {small(float(tau2))} ({_studies(studies)})"
        for name, tau2, studies in zip(frame["outcome"], frame["tau2"], frame["studies"], strict=True)
    )
    if len(fit.outcomes) == 1 or fit.settings.structure == "DIAG":
        return [f"tau² of {variances}"]
    pairs = fit.correlations_frame()
    correlations = ", ".join(
        f"{first} and {second} {number(float(rho), 2)} ({_studies(studies)})"
        for first, second, rho, studies in zip(
            pairs["first"], pairs["second"], pairs["correlation"], pairs["studies"], strict=True
        )
    )
    return [f"tau² of {variances}", f"True effects correlated: {correlations}"]


def apa_sentence(fit: Multivariate) -> str:
    """Coefficients, and how true effects vary and go together."""
    parts = [
        f"{name}: b = {apa(estimate, 3)}, 95% CI [{apa(low, 3)}, {apa(high, 3)}], "
        f"{_test(df, apa(value))}, p {p_value(p)}"
        for name, (estimate, _, value, df, p, low, high) in zip(fit.names, _numbers(fit), strict=True)
    ]
    variances = "; ".join(
        f"{name}: τ² = {apa(float(tau2), 3)}" for name, tau2 in zip(fit.outcomes, fit.tau2, strict=True)
    )
    pairs = fit.correlations_frame() if fit.settings.structure != "DIAG" else fit.correlations_frame()[:0]
    correlations = "".join(
        f"; {first} with {second}: ρ = {apa(float(rho), bounded=True)}"
        for first, second, rho in zip(pairs["first"], pairs["second"], pairs["correlation"], strict=True)
    )
    method = TAU2_METHODS[fit.settings.tau2_method]
    errors = f", sampling errors correlated ({fit.settings.correlation})" if fit.settings.correlation else ""
    caveat = f" ({fit.effects.caveat})" if fit.effects.caveat else ""
    return (
        f"A multivariate meta-analysis ({method}{errors}) of {counted(fit)} gave {'; '.join(parts)}. True effects: "
        f"{variances}{correlations}. QE({fit.q_residual_df:.0f}) = {apa(fit.q_residual)}, "
        f"p {p_value(fit.q_residual_p_value)}.{caveat}"
    )


def r_code(fit: Multivariate) -> str:
    """The design and the sampling covariances go in as numbers."""
    effects, settings = fit.effects, fit.settings
    table = effects.table
    names = ", ".join(r_string(name) for name in fit.names)
    shape = f"nrow = {fit.k}, dimnames = list(NULL, c({names}))"
    levels = ", ".join(r_string(name) for name in fit.outcomes)
    random = "~ outcome | study" if len(fit.outcomes) > 1 else "~ 1 | study"
    tested = {"t": ', test = "t", dfs = "contain"', "satterthwaite": ', test = "t"', "z": ""}[settings.test]
    structure = f', struct = "{settings.structure}"' if len(fit.outcomes) > 1 else ""
    lines = [
        "library(metafor)",
        *(f"# {line}" for line in effects.caveat.splitlines()),
        f"# {effects.measure.label} on {settings.formula}",
        f"yi <- {r_vector(effects.effect.tolist())}",
        f"vi <- {r_vector(effects.variance.tolist())}",
        f"study <- c({', '.join(r_string(str(each)) for each in table[settings.study])})",
        f"outcome <- factor(c({', '.join(r_string(str(each)) for each in table[settings.outcome])}), c({levels}))",
        f"X <- matrix({r_vector(fit.design.matrix.T.ravel().tolist())}, {shape})",
        *_sampling_covariance(fit),
        f"fit <- rma.mv(yi, V, mods = X, intercept = FALSE, random = {random}{structure}, "
        f'method = "{settings.tau2_method}"{tested}, control = list(rel.tol = 1e-10))',
        "print(fit, digits = 6)",
    ]
    return "\n".join(lines) + "\n"


def _sampling_covariance(fit: Multivariate) -> list[str]:
    rho = fit._problem.correlation
    if rho is None:
        return ["V <- vi"]
    study = fit.effects.table[fit.settings.study].astype(str).to_numpy()
    if rho.ndim == 2:
        within = np.where(study[:, None] == study, np.where(np.eye(fit.k, dtype=bool), 1.0, rho), 0.0)
        return [f"R <- matrix({r_vector(within.ravel().tolist())}, nrow = {fit.k})", _V]
    return [f"rho <- {r_vector(rho.tolist())}", "R <- rho * outer(study, study, '=='); diag(R) <- 1", _V]


def _studies(count: int) -> str:
    return "1 study" if count == 1 else f"{count} studies"
