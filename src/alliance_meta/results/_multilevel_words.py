"""What a multilevel model prints: its table, its sentence, and the R code that repeats it."""

from __future__ import annotations

from math import isinf
from typing import TYPE_CHECKING

import numpy as np

from alliance_meta._tables import SummaryTable, apa, number, p_cell, p_value, small
from alliance_meta.results._vocabulary import MULTILEVEL_TESTS, TAU2_METHODS
from alliance_meta.results._words import r_string, r_vector

if TYPE_CHECKING:
    from alliance_meta.results._multilevel import Multilevel

__all__ = ["apa_sentence", "counted", "r_code", "summary_table"]

_SHORT = {"REML": "restricted maximum likelihood", "ML": "maximum likelihood"}


def counted(fit: Multilevel) -> str:
    """The effects and the groups they are in: ``102 effects in 15 studies`` where the column is called study."""
    plural = {"study": "studies", "laboratory": "laboratories", "country": "countries"}
    names = (plural.get(name, f"{name}s") if n != 1 else name for n, name in zip(fit.groups, fit.levels, strict=True))
    parts = [f"{n} {name}" for n, name in zip(fit.groups, names, strict=True)]
    nested = 1 + len(fit.settings.levels)
    return ", crossed with ".join([" in ".join(parts[:nested]), *parts[nested:]])


def _numbers(fit: Multilevel) -> list[list[float]]:
    return [[float(x) for x in row] for row in fit.to_frame().drop(columns="term").to_numpy(dtype=float)]


def summary_table(fit: Multilevel) -> SummaryTable:
    """The result as a table for people, at 95 %."""
    own, settings = fit.effects.measure, fit.settings
    rows = [
        (
            name,
            number(estimate, 3),
            number(std_error, 3),
            f"[{number(low, 3)}, {number(high, 3)}]",
            f"z = {number(value, 2)}" if isinf(df) else f"t({df:.3g}) = {number(value, 2)}",
            p_cell(p),
        )
        for name, (estimate, std_error, value, df, p, low, high) in zip(fit.names, _numbers(fit), strict=True)
    ]
    shown = []
    if fit.names == ("intercept",) and own.scale != own.display_scale:
        interval = fit.confidence_interval()
        middle, low, high = own.to_display([fit.estimate, interval.low, interval.high]).tolist()
        shown.append(f"{own.display_label}: {number(middle)}, 95% CI [{number(low)}, {number(high)}]")
    model = [f"Moderators: {fit.omnibus().text}"] if set(fit.names) != {"intercept"} else []
    parts = ", ".join(
        f"{name} {small(float(c))} (I² {number(float(share), 0)}%)"
        for name, c, share in zip(fit.levels, fit.components, fit.i2, strict=True)
    )
    q = f"QE({fit.q_residual_df:.0f}) = {number(fit.q_residual, 2)}, p {p_value(fit.q_residual_p_value)}"
    errors = f"; sampling errors correlated: {settings.correlation}" if settings.correlation else ""
    how = f"tau² by {TAU2_METHODS[settings.tau2_method]}; tests by {MULTILEVEL_TESTS[settings.test]}{errors}"
    caveat = (fit.effects.caveat,) if fit.effects.caveat else ()
    return SummaryTable(
        title=f"Multilevel model of {counted(fit)}{'' if settings.formula == '1' else f' on {settings.formula}'}",
        header=("", own.label, "std. error", "95% CI", "test", "p"),
        rows=tuple(rows),
        right=frozenset({1, 2, 3, 4, 5}),
        notes=(*shown, *model, f"tau² of {parts}; {q}", how, *fit.notes, *fit.effects.notes, *caveat),
    )


def apa_sentence(fit: Multilevel) -> str:
    """Coefficients, and the variances of the levels."""
    parts = [
        f"{name}: b = {apa(estimate, 3)}, 95% CI [{apa(low, 3)}, {apa(high, 3)}], "
        f"{'z' if isinf(df) else f't({df:.3g})'} = {apa(value)}, p {p_value(p)}"
        for name, (estimate, _, value, df, p, low, high) in zip(fit.names, _numbers(fit), strict=True)
    ]
    variances = "; ".join(
        f"{name}: τ² = {apa(float(c), 3)}, I² = {apa(float(share), 0)}%"
        for name, c, share in zip(fit.levels, fit.components, fit.i2, strict=True)
    )
    errors = f", sampling errors correlated ({fit.settings.correlation})" if fit.settings.correlation else ""
    caveat = f" ({fit.effects.caveat})" if fit.effects.caveat else ""
    return (
        f"A multilevel meta-analysis ({_SHORT[fit.settings.tau2_method]}{errors}) of {counted(fit)} gave "
        f"{'; '.join(parts)}. Variances: {variances}. QE({fit.q_residual_df:.0f}) = {apa(fit.q_residual)}, "
        f"p {p_value(fit.q_residual_p_value)}.{caveat}"
    )


def r_code(fit: Multilevel) -> str:
    """The design and the sampling covariances go in as numbers."""
    effects, settings = fit.effects, fit.settings
    table = effects.table
    names = ", ".join(r_string(name) for name in fit.names)
    shape = f"nrow = {fit.k}, dimnames = list(NULL, c({names}))"
    factors = [f"g{i}" for i in range(len(settings.levels))]
    labels = [
        f"{factor} <- c({', '.join(r_string(str(value)) for value in table[column])})"
        for factor, column in zip(factors, settings.levels, strict=True)
    ]
    asked = {"t": ', test = "t", dfs = "contain"', "satterthwaite": ', test = "t"', "z": ""}[settings.test]
    crossed = [f"c{i}" for i in range(len(settings.crossed))]
    labels += [
        f"{factor} <- c({', '.join(r_string(str(value)) for value in table[column])})"
        for factor, column in zip(crossed, settings.crossed, strict=True)
    ]
    nested = "~ 1 | " + "/".join([*reversed(factors), "id"])
    random = f"list({', '.join([nested, *(f'~ 1 | {each}' for each in crossed)])})" if crossed else nested
    lines = [
        "library(metafor)",
        *(f"# {line}" for line in effects.caveat.splitlines()),
        f"# {effects.measure.label} on {settings.formula}",
        f"yi <- {r_vector(effects.effect.tolist())}",
        f"vi <- {r_vector(effects.variance.tolist())}",
        *labels,
        "id <- seq_along(yi)",
        f"X <- matrix({r_vector(fit.design.matrix.T.ravel().tolist())}, {shape})",
        *_sampling_covariance(fit),
        f"fit <- rma.mv(yi, V, mods = X, intercept = FALSE, random = {random}{_left_out(fit)}, "
        f'method = "{settings.tau2_method}"{asked}, control = list(rel.tol = 1e-10))',
        "print(fit, digits = 6)",
    ]
    return "\n".join(lines) + "\n"


def _left_out(fit: Multilevel) -> str:
    """Components that are 0 in the model, the outermost first and crossed ones last, as `random` has them."""
    if not fit._fixed.any():
        return ""
    nested = 1 + len(fit.settings.levels)
    still = [*fit._fixed[:nested][::-1], *fit._fixed[nested:]]
    return f", sigma2 = c({', '.join('0' if each else 'NA' for each in still)})"


def _sampling_covariance(fit: Multilevel) -> list[str]:
    rho = fit.correlation
    if rho is None:
        return ["V <- vi"]
    if rho.ndim == 2:
        within = np.where(np.eye(fit.k, dtype=bool), 1.0, rho)
        return [f"R <- matrix({r_vector(within.ravel().tolist())}, nrow = {fit.k})", "R[outer(g0, g0, '!=')] <- 0", _V]
    filled = r_vector(np.broadcast_to(rho, (fit.k,)).tolist())
    return [f"rho <- {filled}", "R <- rho * outer(g0, g0, '=='); diag(R) <- 1", _V]


_V = "V <- R * sqrt(outer(vi, vi))"
