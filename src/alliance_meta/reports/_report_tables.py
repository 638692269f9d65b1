"""The tables of a report: estimates, heterogeneity, means and studies of every kind of model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import singledispatch
from math import floor, inf, isinf, isnan, log10
from typing import Any, cast

import numpy as np
import pandas as pd

from alliance_meta._tables import SummaryTable, apa, p_cell, p_value, small
from alliance_meta.design import CategoricalVariable
from alliance_meta.effects import EffectSizes
from alliance_meta.measures import Measure
from alliance_meta.reports._kinds import Fit, has_moderators
from alliance_meta.results import (
    PSYCHOMETRIC_QUANTITIES,
    LocationScale,
    MetaRegression,
    Multilevel,
    Multivariate,
    PooledEffect,
    PsychometricResult,
    RobustFit,
    Subgroup,
    Subgroups,
)
from alliance_meta.stats.inference import critical_value

__all__ = ["moderators_of", "studies_table", "tables"]

_HEADER = ("", "b", "SE", "95% CI", "test", "p")
_LONGEST_CELL = 200
_Row = tuple[str, ...]


@singledispatch
def tables(fit: object) -> list[SummaryTable]:
    """Estimates and heterogeneity; a mean is given on the analysed scale and on the one shown to people."""
    raise TypeError(type(fit).__name__)  # pragma: no cover - report() has refused it


@tables.register
def _(fit: PooledEffect) -> list[SummaryTable]:
    own, shown = fit.effects.measure, fit.on_display_scale()
    frame = fit.to_frame()
    rows = _coefficients(frame.assign(term=f"Pooled effect, {own.label}"))
    if own.scale != own.display_scale:
        rows.append(_shown_row(own, shown.estimate, shown.ci_low, shown.ci_high))
    if not isnan(shown.pi_low) and fit.settings.tau2_method != "EE":
        rows.append(("True effect of a new study, " + own.display_label, "", "", _prediction(own, shown), "", ""))
    return [_table("Pooled effect", ("", "estimate", *_HEADER[2:]), rows), *_pooled_heterogeneity(fit)]


def _pooled_heterogeneity(fit: PooledEffect) -> list[SummaryTable]:
    if fit.k == 1:
        return []
    q = (f"Q({fit.q_df:.0f})", apa(fit.q_statistic), "", _p(fit.q_p_value))
    header = ("", "estimate", "95% CI", "p")
    if fit.settings.tau2_method == "EE":
        rows = [("τ², by assumption", "0", "", ""), ("I² from Q", f"{apa(fit.i2_q, 1)}%", "", ""), q]
        return [_table("Heterogeneity", header, rows)]
    rows = [
        ("τ²", small(fit.tau2), _bounds(*map(small, fit.tau2_interval())), ""),
        ("τ", apa(np.sqrt(fit.tau2), 3), _bounds(*(apa(np.sqrt(x), 3) for x in fit.tau2_interval())), ""),
        ("I²", f"{apa(fit.i2, 1)}%", _bounds(*(f"{apa(x, 1)}%" for x in fit.i2_interval())), ""),
        ("H²", apa(fit.h2), _bounds(*map(apa, fit.h2_interval())), ""),
        q,
    ]
    return [_table("Heterogeneity", header, rows)]


@tables.register
def _(fit: MetaRegression) -> list[SummaryTable]:
    coefficients = _table(f"Coefficients ({fit.effects.measure.label})", _HEADER, _coefficients(fit.to_frame()))
    test = f". All moderators: {fit.omnibus().text}" if has_moderators(fit.names) else ""
    return [coefficients, _residual(fit, test), *_means(fit)]


def _residual(fit: MetaRegression, test: str = "") -> SummaryTable:
    q = (f"QE({fit.q_residual_df:.0f})", f"{apa(fit.q_residual)}, p {p_value(fit.q_residual_p_value)}")
    if fit.settings.tau2_method == "EE":
        rows = [("τ², by assumption", "0"), q]
    else:
        rows = [("τ²", small(fit.tau2)), ("I²", _percent(fit.i2)), q]
    if has_moderators(fit.names) and not isnan(fit.r2):
        rows.append(("R²", _percent(fit.r2)))
    return _table(f"Residual heterogeneity{test}", ("", "value"), rows)


@tables.register
def _(fit: Subgroups) -> list[SummaryTable]:
    own = fit.effects.measure
    every: list[tuple[str, Subgroup | PooledEffect]] = [(member.label, member) for member in fit.members]
    rows = []
    for label, part in (*every, ("All effects", fit.overall)):
        shown = part.on_display_scale()
        rows.append(
            (
                label,
                str(part.k),
                _effect(own, shown.estimate),
                _interval(own, shown.ci_low, shown.ci_high),
                _interval(own, shown.pi_low, shown.pi_high),
                _p(part.p_value),
                small(part.tau2),
                _percent(part.i2),
            )
        )
    header = (fit.settings.by, "k", own.display_scale, "95% CI", "95% PI", "p", "τ²", "I²")
    differences = fit.contrasts().rename(columns={"contrast": "term"})
    differences["p_value"] = differences["p_adjusted"]
    found = [_table(f"Groups of {fit.settings.by}. Between groups: {fit.between.text}", header, rows)]
    more = f"Differences between groups ({own.label}); p values adjusted by Holm's method"
    return [*found, _table(more, _HEADER, _coefficients(differences))] if len(differences) else found


@tables.register
def _(fit: Multilevel) -> list[SummaryTable]:
    own = fit.effects.measure
    rows = _coefficients(fit.to_frame())
    if not has_moderators(fit.names):
        shown = fit.on_display_scale()
        if own.scale != own.display_scale:
            rows.append(_shown_row(own, shown.estimate, shown.ci_low, shown.ci_high))
        new = f"True effect in a new study, {own.display_label}"
        rows.append((new, "", "", _prediction(own, shown), "", ""))
    test = f". All moderators: {fit.omnibus().text}" if has_moderators(fit.names) else ""
    return [_table(f"Coefficients ({own.label})", _HEADER, rows), _levels(fit, test), *_means(fit)]


def _levels(fit: Multilevel, test: str = "") -> SummaryTable:
    frame = fit.levels_frame()
    rows = [
        (str(name), f"{groups}", small(c), _bounds(small(low), small(high)), _percent(i2))
        for name, groups, c, low, high, i2 in frame.itertuples(index=False)
    ]
    q = f"QE({fit.q_residual_df:.0f}) = {apa(fit.q_residual)}, p {p_value(fit.q_residual_p_value)}"
    return _table(f"Heterogeneity by level. {q}{test}", ("level", "groups", "τ²", "95% CI", "I²"), rows)


@tables.register
def _(fit: Multivariate) -> list[SummaryTable]:
    own = fit.effects.measure
    coefficients = _table(f"Coefficients ({own.label})", _HEADER, _coefficients(fit.to_frame()))
    frame, pairs = fit.outcomes_frame(), fit.correlations_frame()
    variances = [
        (str(row["outcome"]), str(row["studies"]), small(float(row["tau2"]))) for row in frame.to_dict("records")
    ]
    between = _table("Variances of true effects", ("outcome", "studies", "τ²"), variances)
    together = [
        (f"{row['first']} with {row['second']}", str(row["studies"]), apa(float(row["correlation"]), bounded=True))
        for row in pairs.to_dict("records")
    ]
    more = [_table("Correlations of true effects", ("", "studies", "ρ"), together)] if together else []
    known = fit.settings.outcome in {variable.column for variable in fit.design.variables}
    means = [_mean_table(fit, fit.settings.outcome, fit.means(display=True))] if known and len(frame) > 1 else []
    return [coefficients, *means, between, *more]


@tables.register
def _(fit: RobustFit) -> list[SummaryTable]:
    own, frame = fit.effects.measure, fit.to_frame()
    rows = _coefficients(frame)
    if not has_moderators(fit.names) and own.scale != own.display_scale:
        low, high = fit.confidence_interval(display=True)
        rows.append(_shown_row(own, float(own.to_display(fit.coefficients)[0]), low, high))
    joint = f". All moderators: {fit.omnibus().text}" if has_moderators(fit.names) else ""
    title = f"Cluster-robust estimates ({own.label}), {fit.clusters} clusters{joint}"
    inner = cast("Fit", fit.fit)
    if isinstance(inner, Multilevel):
        rest = [_levels(inner)]
    elif isinstance(inner, PooledEffect):
        rest = _pooled_heterogeneity(inner)
    else:
        rest = [_residual(inner)] if isinstance(inner, MetaRegression) else []
    return [_table(title, _HEADER, rows), *rest]


@tables.register
def _(fit: LocationScale) -> list[SummaryTable]:
    frame = fit.to_frame()
    titles = {"location": f"Mean effect ({fit.effects.measure.label})", "scale": "Logarithm of τ²"}
    found = [
        _table(titles[part], _HEADER, _coefficients(frame[frame["part"] == part].drop(columns="part")))
        for part in titles
    ]
    low, high = float(fit.tau2.min()), float(fit.tau2.max())
    spread = [("τ² of the studies, smallest", small(low)), ("τ² of the studies, largest", small(high))]
    return [*found, _table("Heterogeneity", ("", "value"), spread)]


@tables.register
def _(fit: PsychometricResult) -> list[SummaryTable]:
    numbers = fit.quantities()
    plain = {"k": f"{fit.k}", "n": f"{fit.n:,.0f}", "percent_accounted": _percent(fit.percent_accounted)}
    rows = [
        (
            f"{text[0].upper()}{text[1:]}".replace("mean_rho", "the mean ρ"),
            plain.get(name)
            or (small(numbers[name]) if name.startswith("variance") else apa(numbers[name], 3, bounded=True)),
        )
        for name, text in PSYCHOMETRIC_QUANTITIES.items()
    ]
    return [_table("Psychometric meta-analysis (95% confidence, 80% credibility interval)", ("", "value"), rows)]


def _means(fit: MetaRegression | Multilevel) -> list[SummaryTable]:
    """Marginal means of each categorical moderator, on the scale shown to people."""
    columns = [variable.column for variable in fit.design.variables if isinstance(variable, CategoricalVariable)]
    return [_mean_table(fit, column, fit.means(column, display=True)) for column in columns]


def _mean_table(fit: MetaRegression | Multilevel | Multivariate, column: str, means: pd.DataFrame) -> SummaryTable:
    own = fit.effects.measure
    rows = [
        (
            str(row[means.columns[0]]),
            str(row["k"]),
            _effect(own, row["estimate"]),
            _interval(own, row["ci_low"], row["ci_high"]),
            _interval(own, row["pi_low"], row["pi_high"]),
        )
        for row in means.to_dict("records")
    ]
    return _table(f"Mean effects by {column}", (column, "k", own.display_scale, "95% CI", "95% PI"), rows)


# Studies


def studies_table(fit: Fit) -> SummaryTable:
    """One row an effect, with its interval by its own sampling variance, and what the model takes from the table."""
    if isinstance(fit, PsychometricResult):
        return _correlations_table(fit)
    effects = fit.effects
    own, table = effects.measure, effects.table
    half = float(critical_value(0.95, inf)) * np.sqrt(effects.variance)
    shown, low, high = (own.to_display(x) for x in (effects.effect, effects.effect - half, effects.effect + half))
    analysed = own.scale != own.display_scale
    columns = moderators_of(fit)
    plain = [name for name in ("year", "n") if name in table.columns and name not in columns]
    header = ("Study", *plain, own.display_scale, "95% CI", *((own.scale,) if analysed else ()), "SE", *columns)
    rows = [
        (
            label,
            *(_cell(table[name].iloc[i]) for name in plain),
            _effect(own, shown[i]),
            _interval(own, low[i], high[i]),
            *((apa(effects.effect[i], 3),) if analysed else ()),
            apa(float(np.sqrt(effects.variance[i])), 3),
            *(_cell(table[name].iloc[i]) for name in columns),
        )
        for i, label in enumerate(effects.labels)
    ]
    right = frozenset(range(1, len(header) - len(columns)))
    return SummaryTable(title=f"Effects of the studies (k = {effects.k})", header=header, rows=tuple(rows), right=right)


def _correlations_table(fit: PsychometricResult) -> SummaryTable:
    table = fit.table
    columns = [str(name) for name in table.columns if name != "study"]
    rows = [
        (str(row["study"]), *(_cell(row[name]) if name == "n" else apa(float(row[name]), 3) for name in columns))
        for row in table.to_dict("records")
    ]
    header = ("Study", *(name.replace("_", " ") for name in columns))
    return _table(f"Correlations, as used (k = {fit.k})", header, rows)


def moderators_of(fit: Fit) -> list[str]:
    """Columns that a model uses beside the effects: its groups and its moderators."""
    found: list[str] = []
    if isinstance(fit, RobustFit):
        found += moderators_of(cast("Fit", fit.fit))
        found += [] if fit.settings.cluster in ("given", "study") else [fit.settings.cluster]
    if isinstance(fit, Multilevel):
        found += [*fit.settings.levels, *fit.settings.crossed]
    if isinstance(fit, Multivariate):
        found += [fit.settings.study, fit.settings.outcome]
    if isinstance(fit, Subgroups):
        found.append(fit.settings.by)
    if isinstance(fit, MetaRegression | Multilevel | Multivariate | LocationScale):
        found += [variable.column for variable in fit.design.variables]
    if isinstance(fit, LocationScale):
        found += [variable.column for variable in fit.scale_design.variables]
    labels = None if isinstance(fit, PsychometricResult) else fit.effects
    return [name for name in dict.fromkeys(found) if not _repeats(labels, name)]


def _repeats(effects: EffectSizes | None, column: str) -> bool:
    """Whether a column tells rows apart just as the studies' labels do."""
    if effects is None:
        return False
    pairs = set(zip(map(str, effects.table[column]), effects.labels, strict=True))
    return len(pairs) == len({cell for cell, _ in pairs}) == len({label for _, label in pairs})


# Cells


def _table(title: str, header: tuple[str, ...], rows: Sequence[_Row]) -> SummaryTable:
    return SummaryTable(title=title, header=header, rows=tuple(rows), right=frozenset(range(1, len(header))))


def _coefficients(frame: pd.DataFrame) -> list[_Row]:
    rows = []
    for row in frame.to_dict("records"):
        places = _decimals(row["std_error"])
        numbers = [apa(row[name], places) for name in ("estimate", "std_error", "ci_low", "ci_high")]
        interval = "–" if isnan(row["ci_low"]) else _bounds(*numbers[2:])
        rows.append((str(row["term"]), *numbers[:2], interval, _statistic(row), _p(row["p_value"])))
    return rows


def _p(value: float) -> str:
    """A p value in a column of its own: without the sign of equality."""
    return p_cell(value)


def _decimals(std_error: float) -> int:
    """Two digits of the standard error: coefficients of years and of sample sizes are small."""
    return 3 if not 0.0 < std_error < inf else min(max(1 - floor(log10(std_error)), 3), 9)


def _statistic(row: Mapping[Any, Any]) -> str:
    if isnan(row["statistic"]):
        return "–"
    return f"z = {apa(row['statistic'])}" if isinf(row["df"]) else f"t({row['df']:.3g}) = {apa(row['statistic'])}"


def _shown_row(own: Measure, estimate: float, low: float, high: float) -> _Row:
    return (f"Pooled effect, {own.display_label}", _effect(own, estimate), "", _interval(own, low, high), "", "")


def _prediction(own: Measure, shown: Any) -> str:
    return f"95% PI {_interval(own, shown.pi_low, shown.pi_high)}"


def _effect(own: Measure, value: float) -> str:
    return apa(float(value), 2, bounded=own.bounded)


def _interval(own: Measure, low: float, high: float) -> str:
    return "–" if isnan(low) else _bounds(_effect(own, low), _effect(own, high))


def _bounds(low: str, high: str) -> str:
    return "–" if low == "–" else f"[{low}, {high}]"


def _percent(value: float) -> str:
    return "–" if isnan(value) else f"{apa(value, 1)}%"


def _cell(value: object) -> str:
    """A cell of the table of studies as text; whole numbers without decimals."""
    if value is None or value is pd.NA or (isinstance(value, float) and isnan(value)):
        return ""
    if isinstance(value, float | np.floating):
        return f"{float(value):.6g}"
    text = str(value)
    return text if len(text) <= _LONGEST_CELL else f"{text[:_LONGEST_CELL]}…"
