"""What a subgroup analysis prints: its table, its sentences, and the R code that repeats it."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

import numpy as np

from alliance_meta._tables import SummaryTable, apa, number, p_value, small
from alliance_meta.results._vocabulary import APA_TAU2_METHODS, TAU2_METHODS, TEST_NAMES, TESTS
from alliance_meta.results._words import ITERATIVE, METAFOR_TESTS, TWO_STEP, r_string, r_vector

if TYPE_CHECKING:
    from alliance_meta.results._pooled import PooledEffect
    from alliance_meta.results._subgroups import Subgroup, Subgroups

__all__ = ["apa_sentence", "r_code", "summary_table"]


def summary_table(found: Subgroups) -> SummaryTable:
    """The groups and the overall effect as a table for people, at 95 %."""
    own, settings = found.effects.measure, found.settings
    every: list[tuple[str, Subgroup | PooledEffect]] = [(member.label, member) for member in found.members]
    rows = [_row(label, part) for label, part in (*every, ("All effects", found.overall))]
    people = "" if isnan(found.overall.n) else f" (N = {found.overall.n:,.0f})"
    how = f"tau² by {TAU2_METHODS[settings.tau2_method]}; means tested by {TESTS[settings.test]}"
    caveat = (found.effects.caveat,) if found.effects.caveat else ()
    return SummaryTable(
        title=f"Subgroups of {found.overall.k} effects{people} by {settings.by}",
        header=(settings.by, "k", own.display_scale, "95% CI", "95% PI", "tau²", "I²"),
        rows=tuple(rows),
        right=frozenset(range(1, 7)),
        notes=(
            f"Between groups: {found.between.text}",
            _model(found),
            how,
            *found.notes,
            *found.effects.notes,
            *caveat,
        ),
    )


def _row(label: str, part: Subgroup | PooledEffect) -> tuple[str, ...]:
    shown = part.on_display_scale()
    return (
        label,
        f"{part.k}",
        number(shown.estimate),
        _bounds(shown.ci_low, shown.ci_high),
        _bounds(shown.pi_low, shown.pi_high),
        small(part.tau2),
        "–" if isnan(part.i2) else f"{number(part.i2, 1)}%",
    )


def _model(found: Subgroups) -> str:
    if found.regression is None:
        return "Each group has its own tau²; between groups, the standard errors of their means are taken as known"
    r2 = found.regression.r2
    explained = "" if isnan(r2) else f"; the groups explain R² = {number(r2, 0)}% of the tau² of all effects"
    return f"One tau² is common to the groups{explained}"


def _bounds(low: float, high: float) -> str:
    return "–" if isnan(low) else f"[{number(low)}, {number(high)}]"


def apa_sentence(found: Subgroups, level: float) -> str:
    """Each group's mean, the test between groups and the heterogeneity within them."""
    own, settings = found.effects.measure, found.settings
    percent = f"{100 * level:g}%"

    def effect(value: float) -> str:
        return apa(value, 2, bounded=own.bounded)

    parts = []
    for member in found.members:
        shown = member.on_display_scale(level)
        interval = "" if isnan(shown.ci_low) else f", {percent} CI [{effect(shown.ci_low)}, {effect(shown.ci_high)}]"
        parts.append(f"{member.label}: k = {member.k}, {own.display_scale} = {effect(shown.estimate)}{interval}")
    methods = ", ".join(filter(None, (APA_TAU2_METHODS[settings.tau2_method], TEST_NAMES[settings.test])))
    people = "" if isnan(found.overall.n) else f" (N = {found.overall.n:,.0f})"
    caveat = f" ({found.effects.caveat})" if found.effects.caveat else ""
    return (
        f"A subgroup analysis by {settings.by} ({methods}) of k = {found.overall.k} effects{people} gave "
        f"{'; '.join(parts)}. Test between groups: {found.between.text}. {_heterogeneity(found)}.{caveat}"
    )


def _heterogeneity(found: Subgroups) -> str:
    fit = found.regression
    if found.settings.tau2_method == "EE":
        within = [(f"{member.label} ", member) for member in found.members]
    elif fit is not None:
        q = f"QE({fit.q_residual_df:.0f}) = {apa(fit.q_residual)}, p {p_value(fit.q_residual_p_value)}"
        return f"Heterogeneity within groups: {q}, τ² = {apa(fit.tau2, 3)}, I² = {apa(fit.i2, 0)}%"
    else:
        within = [(f"{member.label} τ² = {apa(member.tau2, 3)}, ", member) for member in found.members]
    texts = [
        f"{text}I² = {apa(member.i2, 0)}%" if member.k > 1 else f"{member.label} one study" for text, member in within
    ]
    return f"Heterogeneity within groups: {'; '.join(texts)}"


def r_code(found: Subgroups) -> str:
    """The data and the calls; a common tau2 is that of a regression, else the groups' means are compared."""
    effects = found.effects
    column = [_place(found, cell) for cell in effects.table[found.settings.by].tolist()]
    labels = ", ".join(map(r_string, found.groups))
    lines = [
        "library(metafor)",
        *(f"# {line}" for line in effects.caveat.splitlines()),
        f"# {effects.measure.label}",
        f"yi <- {r_vector(effects.effect.tolist())}",
        f"vi <- {r_vector(effects.variance.tolist())}",
        f"group <- c({labels})[c({', '.join(map(str, column))})]",
        f"group <- factor(group, levels = unique(c({labels})))",
        *(_separate(found) if found.regression is None else _common(found)),
    ]
    return "\n".join(lines) + "\n"


def _place(found: Subgroups, cell: object) -> int:
    return 1 + next(i for i, member in enumerate(found.members) if member.name == cell)


def _asked(found: Subgroups, tau2: str = "") -> str:
    settings = found.settings
    fineness = 1e-12 * float(np.nan_to_num(found.overall.tau2) + np.median(found.effects.variance))
    asked = [tau2 or f'method = "{settings.tau2_method}"', f'test = "{METAFOR_TESTS[settings.test]}"']
    if settings.tau2_method in ITERATIVE:
        asked.append(f"control = list({ITERATIVE[settings.tau2_method].format(fineness)})")
    return ", ".join(asked)


def _two_step(found: Subgroups, data: str) -> list[str]:
    """What gives metafor the tau2 of a two-step estimator."""
    if found.settings.tau2_method not in TWO_STEP:
        return []
    return [
        f'first <- rma({data}, method = "{TWO_STEP[found.settings.tau2_method]}")$tau2',
        f'tau2 <- rma({data}, method = "GENQ", weights = 1 / ({data.split(", ")[1]} + first))$tau2',
    ]


def _common(found: Subgroups) -> list[str]:
    before = _two_step(found, "yi, vi, mods = ~ group")
    asked = _asked(found, "tau2 = tau2" if before else "")
    return [
        *before,
        f"fit <- rma(yi, vi, mods = ~ group, {asked})",
        "print(fit, digits = 6)  # the test of moderators is the one between groups",
        f"print(rma(yi, vi, mods = ~ 0 + group, {asked}), digits = 6)",
    ]


def _separate(found: Subgroups) -> list[str]:
    before = _two_step(found, "yi[i], vi[i]")
    call = f"rma(yi[i], vi[i], {_asked(found, 'tau2 = tau2' if before else '')})"
    alone = 'rma(yi[i], vi[i], method = "EE")'
    body = (
        [*before, call]
        if min(member.k for member in found.members) > 1
        else [
            f"if (length(i) == 1) return({alone})",
            *before,
            call,
        ]
    )
    return [
        "fits <- lapply(split(seq_along(yi), group), function(i) {",
        *(f"  {line}" for line in body),
        "})",
        "print(fits, digits = 6)",
        "b <- sapply(fits, function(fit) fit$b[1])",
        "se <- sapply(fits, function(fit) fit$se)",
        'print(rma(b, sei = se, mods = ~ factor(names(fits), levels = names(fits)), method = "FE"), digits = 6)',
    ]
