"""The closed table of what a reproduction file can ask for, and how each kind is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import log
from typing import NamedTuple

import numpy as np

from alliance_meta import _checks, datasets
from alliance_meta._tables import apa
from alliance_meta.datasets import Dataset
from alliance_meta.dependence import multilevel
from alliance_meta.effects import EffectSizes, effect_sizes
from alliance_meta.errors import SpecError
from alliance_meta.pooling import pool
from alliance_meta.reproductions._spec import Analysis, half_unit
from alliance_meta.results import QUANTITIES, TEST_NAMES, PooledEffect
from alliance_meta.robustness import robust
from alliance_meta.stats import conversions
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.inference import critical_value
from alliance_meta.vote_counting import vote_count

__all__ = ["KINDS", "Outcome", "Recomputed", "needs_rows", "resolve"]

Scale = Callable[[float], float]


class Recomputed(NamedTuple):
    """A recomputed number, and the range it may have because what it was computed from is itself rounded."""

    value: float
    low: float
    high: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an analysis gave.

    Attributes
    ----------
    recomputed : mapping of (quantity, scale) to Recomputed
        The scale is empty for quantities that have none.
    how : str
        The method, in a few words.
    detail : str
        What else the numbers say.
    source : str
        The publication, where the analysis has one of its own; else empty.
    fit : PooledEffect or None
    """

    recomputed: Mapping[tuple[str, str], Recomputed]
    how: str
    detail: str = ""
    source: str = ""
    fit: PooledEffect | None = None


def resolve(analysis: Analysis, dataset: Dataset) -> Outcome:
    """Compute what an analysis asks for."""
    return _RESOLVERS[analysis.kind](analysis, dataset)


def needs_rows(kind: str) -> bool:
    """Whether a kind of analysis starts from studies, and not from other printed numbers."""
    return kind not in ("convert", "interval")


def _exactly(value: float, label: str) -> Recomputed:
    return Recomputed(value, value, value, label)


def _picked(analysis: Analysis, dataset: Dataset) -> Dataset:
    """The data set with the rows that the analysis is about."""
    if analysis.where is None:
        return dataset
    column, value = analysis.where
    frame = dataset.table
    picked = (
        frame[_checks.known_name(f"column of {dataset.provenance.id}", column, [str(name) for name in frame])] == value
    )
    if not picked.any():
        raise SpecError(f"no row of {dataset.provenance.id} has {column} = {value!r}")
    return replace(dataset, _frame=frame[picked])


def _effects(analysis: Analysis, dataset: Dataset) -> EffectSizes:
    """The effects of the rows that the analysis is about."""
    dataset = _picked(analysis, dataset)
    return effect_sizes(dataset, measure=analysis.measure)


_EFFECT_LABELS = {
    "estimate": "pooled {}",
    "std_error": "standard error of {}",
    "ci_low": "95% CI of {}, lower bound",
    "ci_high": "95% CI of {}, upper bound",
    "pi_low": "95% PI of {}, lower bound",
    "pi_high": "95% PI of {}, upper bound",
    "tau2": "tau² of {}",
    "tau2_low": "95% CI of tau² of {}, lower bound",
    "tau2_high": "95% CI of tau² of {}, upper bound",
}
_SHOWN = ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")


def _pool(analysis: Analysis, dataset: Dataset) -> Outcome:
    effects = _effects(analysis, dataset)
    options = analysis.options
    # Published analyses are repeated as they were done, also where effects share a study.
    fit = pool(effects, tau2_method=options["tau2_method"], test=options["test"], dependent="allow")
    own = effects.measure
    analysed, shown = fit.quantities(), fit.quantities(display=True)
    recomputed = {}
    for name in QUANTITIES:
        if name not in _EFFECT_LABELS:
            recomputed[name, ""] = _exactly(analysed[name], QUANTITIES[name])
            continue
        label = _EFFECT_LABELS[name]
        recomputed[name, own.scale] = _exactly(analysed[name], label.format(own.scale))
        if name in _SHOWN:
            recomputed[name, own.display_scale] = _exactly(shown[name], label.format(own.display_scale))
    how = f"{own.label}, {fit.settings.tau2_method}, {TEST_NAMES[fit.settings.test]}"
    return Outcome(recomputed=recomputed, how=how, fit=fit)


def _multilevel(analysis: Analysis, dataset: Dataset) -> Outcome:
    """Effects in studies; `correlation` is that of the sampling errors, ``"none"`` or a number; `robust` likewise."""
    effects = _effects(analysis, dataset)
    options = analysis.options
    rho = _number_or_none(options["correlation"], "correlation")
    fit = multilevel(effects, correlation=rho, tau2_method=options["tau2_method"])
    wanted = options["robust"]
    tested = fit if wanted == "none" else robust(fit, adjustment=wanted)
    row = tested.to_frame().iloc[0]
    own = effects.measure
    recomputed = {
        ("k", ""): _exactly(float(fit.k), QUANTITIES["k"]),
        ("std_error", own.scale): _exactly(float(row["std_error"]), _EFFECT_LABELS["std_error"].format(own.scale)),
        ("p_value", ""): _exactly(float(row["p_value"]), QUANTITIES["p_value"]),
    }
    for name in ("estimate", "ci_low", "ci_high"):
        label = _EFFECT_LABELS[name]
        value = float(row[name])
        recomputed[name, own.scale] = _exactly(value, label.format(own.scale))
        recomputed[name, own.display_scale] = _exactly(float(own.to_display(value)), label.format(own.display_scale))
    errors = "independent sampling errors" if rho is None else f"sampling errors correlated {rho:g} within studies"
    how = f"{own.label}, effects in studies, {errors}, {options['tau2_method']}"
    return Outcome(recomputed=recomputed, how=how if wanted == "none" else f"{how}, {wanted} by study")


def _number_or_none(text: str, option: str) -> float | None:
    try:
        return None if text == "none" else float(text)
    except ValueError:
        raise SpecError(f'{option} must be a number in quotes or "none", not {text!r}') from None


_CONVERSIONS: dict[str, tuple[Callable[[float], FloatArray], str, str, str]] = {
    "r_to_d": (conversions.r_to_d, "r", "d", "d = 2r / √(1 − r²)"),
    "r_to_variance_share": (conversions.r_to_variance_share, "r", "variance_share", "share of variance = r²"),
}


def _convert(analysis: Analysis, dataset: Dataset) -> Outcome:
    row = analysis.options["row"]
    name = _checks.known_name("conversion", analysis.options["conversion"], tuple(_CONVERSIONS))
    convert, from_metric, to_metric, formula = _CONVERSIONS[name]
    if dataset.cell(row, "metric") != from_metric:
        raise SpecError(f"{name} converts {from_metric!r}, but row {row!r} is a {dataset.cell(row, 'metric')!r}")
    printed = dataset.cell(row, "estimate")
    value, slack = float(printed), half_unit(printed)
    ends = sorted(float(convert(end)) for end in (value - slack, value + slack))
    text = apa(value, len(printed.partition(".")[2]), bounded=True)
    label = f"{from_metric} = {text} as {to_metric.replace('_', ' ')}"
    found = Recomputed(float(convert(value)), ends[0], ends[1], label)
    low, high = (apa(end, 3, bounded=to_metric != "d") for end in ends)
    return Outcome(
        recomputed={("estimate", to_metric): found},
        how=formula,
        detail=f"the rounding of {from_metric} allows {low} to {high}",
        source=dataset.cell(row, "label"),
    )


_AXES: dict[str, tuple[tuple[str, Scale, Scale], ...]] = {
    "r": (("z", lambda x: float(np.arctanh(x)), lambda x: float(np.tanh(x))), ("r", float, float)),
    "OR": (("log OR", log, lambda x: float(np.exp(x))),),
}


class _Symmetry(NamedTuple):
    """How far a printed interval is from symmetric about its printed estimate, on one scale."""

    scale: str
    middle: Recomputed
    std_error: float
    distance: float


def _interval(analysis: Analysis, dataset: Dataset) -> Outcome:
    row = analysis.options["row"]
    metric = dataset.cell(row, "metric")
    printed = [dataset.cell(row, column) for column in ("estimate", "ci_low", "ci_high")]
    if "" in printed:
        raise SpecError(f"row {row!r} of {dataset.provenance.id} prints no interval")
    kind, _, percent = dataset.cell(row, "interval").partition(" ")
    level = float(percent.rstrip("%")) / 100.0
    about = _about(dataset, row)
    checks = [
        _symmetry(printed, level, axis, f"{metric} in the middle of its interval")
        for axis in _AXES.get(metric, ((metric, float, float),))
    ]
    nearest = min(checks, key=lambda check: check.distance)
    spread = "SE" if kind == "confidence" else "SD of true effects"
    agreeing = [check.scale for check in checks if check.distance <= 0.0]
    detail = f"symmetric on {' and on '.join(agreeing)}; " if agreeing else "symmetric on no scale tried; "
    detail += ", ".join(f"{spread} {check.std_error:.3f} on {check.scale}" for check in checks)
    return Outcome(
        recomputed={
            ("estimate", metric): nearest.middle._replace(label=about),
            **{
                ("std_error", check.scale): _exactly(check.std_error, f"{about}: {spread} on {check.scale}")
                for check in checks
            },
        },
        how=f"middle of the printed {percent} {kind} interval",
        detail=detail,
        source=dataset.cell(row, "label"),
    )


def _about(dataset: Dataset, row: str) -> str:
    parts = [dataset.cell(row, column) for column in ("construct", "related_to", "level_of")]
    construct, related, level_of = parts
    part = f" ({level_of.replace('=', ': ')})" if level_of else ""
    return f"{construct} × {related}{part}"


def _symmetry(printed: list[str], level: float, axis: tuple[str, Scale, Scale], label: str) -> _Symmetry:
    """Middle of an interval on an axis, with the range that the rounding of its bounds allows."""
    scale, forward, back = axis
    estimate, low, high = map(float, printed)
    slack_low, slack_high = half_unit(printed[1]), half_unit(printed[2])
    middle = back((forward(low) + forward(high)) / 2.0)
    lowest = back((forward(low - slack_low) + forward(high - slack_high)) / 2.0)
    highest = back((forward(low + slack_low) + forward(high + slack_high)) / 2.0)
    distance = max(lowest - estimate, estimate - highest) - half_unit(printed[0]) - 1e-12
    std_error = (forward(high) - forward(low)) / (2.0 * float(critical_value(level, np.inf)))
    return _Symmetry(scale, Recomputed(middle, lowest, highest, label), std_error, distance)


_ELSEWHERE = "relationship_meta_analyses"
"""The data set whose row a vote count is held against: a meta-analysis of other studies."""


def _vote_count(analysis: Analysis, dataset: Dataset) -> Outcome:
    options = analysis.options
    fit = vote_count(
        _picked(analysis, dataset),
        outcome=options["outcome"],
        r=options["r"] or None,
        cluster=options["cluster"],
        tau2_method=options["tau2_method"],  # type: ignore[arg-type]  # checked there
    )
    robust = fit.confidence_interval(method="robust")
    low, high = (apa(float(np.tanh(end)), 2, bounded=True) for end in robust)
    counts = fit.counts
    about = f" of rows with {analysis.where[0]} = {analysis.where[1]}" if analysis.where else ""
    what = f"{fit.k - counts['value']} verdicts" + (f" and {counts['value']} numbers" if counts["value"] else "")
    return Outcome(
        recomputed={
            ("estimate", "z"): _exactly(fit.estimate, f"mean z of {what}"),
            ("estimate", "r"): _exactly(float(np.tanh(fit.estimate)), f"mean r of {what}"),
            ("tau2", "z"): _exactly(fit.tau2, f"tau² of z of {what}"),
            ("k", ""): _exactly(float(fit.k), QUANTITIES["k"]),
        },
        how=f"vote count{about}, {fit.settings.tau2_method}: {what}",
        detail=f"cluster-robust 95% CI [{low}, {high}], tau = {apa(fit.tau2**0.5, 2, bounded=True)} on z",
        source=datasets.load(_ELSEWHERE).cell(options["compared_with"], "label"),
    )


KINDS: dict[str, tuple[str, ...]] = {
    "pool": ("tau2_method", "test"),
    "multilevel": ("tau2_method", "correlation", "robust"),
    "convert": ("row", "conversion"),
    "interval": ("row",),
    "vote_count": ("outcome", "r", "cluster", "tau2_method", "compared_with"),
}
_RESOLVERS: dict[str, Callable[[Analysis, Dataset], Outcome]] = {
    "pool": _pool,
    "multilevel": _multilevel,
    "convert": _convert,
    "interval": _interval,
    "vote_count": _vote_count,
}
