"""What a robust fit prints: its table, its sentence, and the R code that repeats it."""

from __future__ import annotations

from collections.abc import Iterator
from math import isinf, isnan
from typing import TYPE_CHECKING

from alliance_meta._tables import SummaryTable, apa, number, p_cell, p_value
from alliance_meta.results._words import r_string
from alliance_meta.stats.robust import ADJUSTMENTS

if TYPE_CHECKING:
    from alliance_meta.results._robust import RobustFit, RobustTest

__all__ = ["apa_sentence", "r_code", "summary_table", "worded"]


def worded(test: RobustTest) -> str:
    """The statistic, its degrees of freedom and the p value."""
    if isnan(test.p_value):
        return f"no test: {test.note}"
    if test.method == "wild bootstrap":
        return f"bootstrap p {p_value(test.p_value)}"
    name = f"χ²({test.df1})" if isinf(test.df2) else f"F({test.df1}, {number(test.df2, 1)})"
    return f"{name} = {number(test.statistic, 2)}, p {p_value(test.p_value)}"


def _rows(fit: RobustFit, level: float = 0.95) -> Iterator[tuple[str, list[float]]]:
    """Each coefficient's name and the numbers of its row in `to_frame`."""
    frame = fit.to_frame(level)
    return zip(fit.names, frame.drop(columns="term").to_numpy(dtype=float).tolist(), strict=True)


def _shown(fit: RobustFit, level: float) -> tuple[float, float, float] | None:
    """A mean and its interval on the scale shown to people."""
    if len(fit.names) > 1 or fit.names[0] not in ("overall", "intercept"):
        return None
    low, high = fit.confidence_interval(level, display=True)
    return float(fit.effects.measure.to_display(fit.coefficients)[0]), low, high


def summary_table(fit: RobustFit) -> SummaryTable:
    """The result as a table for people, at 95 %."""
    own, caveat = fit.effects.measure, fit.effects.caveat
    rows = [
        (
            name,
            number(estimate, 3),
            number(std_error, 3),
            f"[{number(low, 3)}, {number(high, 3)}]",
            number(statistic, 2),
            number(df, 1),
            p_cell(p),
        )
        for name, (estimate, std_error, statistic, df, p, low, high) in _rows(fit)
    ]
    shown = _shown(fit, 0.95)
    on_display = (
        [f"{own.display_label}: {number(shown[0])}, 95% CI [{number(shown[1])}, {number(shown[2])}]"]
        if shown and own.scale != own.display_scale
        else []
    )
    joint = [f"Moderators: {fit.omnibus().text} (HTZ)"] if shown is None else []
    how = (
        f"standard errors by {fit.adjustment} ({ADJUSTMENTS[fit.adjustment]}); t with Satterthwaite's degrees of "
        "freedom; estimates and weights are the fit's"
    )
    return SummaryTable(
        title=f"Cluster-robust tests of {fit.k} effects in {fit.clusters} clusters ({_clusters(fit)})",
        header=("", own.label, "std. error", "95% CI", "t", "df", "p"),
        rows=tuple(rows),
        right=frozenset({1, 2, 3, 4, 5, 6}),
        notes=(*on_display, *joint, how, *fit.notes, *fit.effects.notes, *((caveat,) if caveat else ())),
    )


def _clusters(fit: RobustFit) -> str:
    column = fit.settings.cluster
    return "as given" if column == "given" else f"by {column}"


def apa_sentence(fit: RobustFit, level: float) -> str:
    """The mean, or each coefficient and the test of all moderators."""
    own, percent = fit.effects.measure, f"{100 * level:g}%"
    caveat = f" ({fit.effects.caveat})" if fit.effects.caveat else ""
    start = (
        f"With cluster-robust standard errors ({fit.adjustment}, {fit.clusters} clusters, Satterthwaite degrees of "
        f"freedom), k = {fit.k} effects gave"
    )
    shown = _shown(fit, level)
    rows = list(_rows(fit, level))
    if shown is not None:
        _, _, statistic, df, p, _, _ = rows[0][1]
        middle, low, high = (apa(value, 2, bounded=own.bounded) for value in shown)
        test = "" if isnan(p) else f", t({number(df, 1)}) = {apa(statistic)}, p {p_value(p)}"
        return f"{start} a pooled {own.display_scale} = {middle}, {percent} CI [{low}, {high}]{test}.{caveat}"
    parts = [
        f"{name}: b = {apa(estimate, 3)}, {percent} CI [{apa(low, 3)}, {apa(high, 3)}], t({number(df, 1)}) = "
        f"{apa(statistic)}, p {p_value(p)}"
        for name, (estimate, _, statistic, df, p, low, high) in rows
    ]
    return f"{start} {'; '.join(parts)}. Moderators: {fit.omnibus().text}.{caveat}"


def r_code(fit: RobustFit) -> str:
    """The fit's own code, then clubSandwich on it."""
    tested = [i + 1 for i, name in enumerate(fit.names) if name not in ("intercept", "overall")]
    lines = [
        "library(clubSandwich)",
        f"cluster <- c({', '.join(r_string(label) for label in fit.labels)})",
        f'robust <- vcovCR(fit, cluster = cluster, type = "{fit.adjustment}")',
        'print(coef_test(fit, vcov = robust, test = "Satterthwaite"), digits = 6)',
    ]
    if tested:
        columns = ", ".join(map(str, tested))
        lines.append(f'print(Wald_test(fit, constrain_zero(c({columns})), vcov = robust, test = "HTZ"), digits = 6)')
    return fit.fit.to_r() + "\n".join(lines) + "\n"
