"""Plots of what single studies and assumptions do to a pooled effect: leave-one-out, cumulative, sweeps."""

from __future__ import annotations

from typing import Literal

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from alliance_meta import _checks
from alliance_meta._tables import apa
from alliance_meta.plots._layout import forest_text
from alliance_meta.plots._rows import draw_estimates, effect_ticks, padded, shown_null
from alliance_meta.plots._style import GREY, INK, PALETTE
from alliance_meta.results import TEST_NAMES, PooledEffect
from alliance_meta.results.sensitivity._leaving_out import Cumulative, LeaveOneOut
from alliance_meta.results.sensitivity._shown import cell_text
from alliance_meta.results.sensitivity._sweeps import CorrelationSweep, ReliabilitySweep

__all__ = ["cumulative", "cumulative_rows", "leave_one_out", "leave_one_out_rows", "sweep", "sweep_points"]

SubsetOrder = Literal["given", "estimate"]

_GAP = 0.6
_DECIMALS = 3  # one study seldom moves the second
_MARKERS = ("o", "s", "^", "D", "v", "P")
_DODGE = 0.012


def leave_one_out_rows(result: LeaveOneOut, *, level: float = 0.95, order: SubsetOrder | str = "given") -> pd.DataFrame:
    """Rows of a leave-one-out plot, from top to bottom, on the scale shown to people.

    Parameters
    ----------
    result : LeaveOneOut
    level : float
    order : {"given", "estimate"}
        As in the table, or from the smallest to the largest estimate.

    Returns
    -------
    DataFrame
        kind ("study", and "summary" for all), name, estimate, low, high, changed (the conclusion is not that of all),
        text, i2, y, bold.

    Examples
    --------
    >>> import alliance_meta as am
    >>> from alliance_meta.sensitivity._leaving_out import leave_one_out as without_each
    >>> effects = am.effect_sizes(r=[0.3, 0.1, 0.2], n=[28, 103, 50], study=["A", "B", "C"])
    >>> print(leave_one_out_rows(without_each(effects))[["name", "text", "y"]].to_string(index=False, header=False))
                  A .132 [−.441, .629] 0.0
                  B .235 [−.385, .709] 1.0
                  C .141 [−.726, .835] 2.0
    Nothing (k = 3) .157 [−.073, .372] 3.6
    """
    order = _checks.known_name("order", order, ("given", "estimate"))
    frame = result.on_display_scale(_checks.level(level)).rename(columns={"without": "name"})
    frame["changed"] = [label in set(result.changed(level)) for label in result.labels]
    frame["kind"] = "study"
    if order == "estimate":
        frame = frame.sort_values("estimate", kind="stable")
    rows = pd.concat([_subset_rows(frame), _whole_row(result.whole, level, "Nothing")], ignore_index=True)
    return _finished(rows, result.effects.measure.bounded)


def _subset_rows(frame: pd.DataFrame) -> pd.DataFrame:
    named = frame.rename(columns={"ci_low": "low", "ci_high": "high"})
    return named[
        [each for each in ("kind", "name", "estimate", "low", "high", "changed", "i2", "value") if each in named]
    ]


def _whole_row(fit: PooledEffect, level: float, name: str) -> pd.DataFrame:
    shown = fit.on_display_scale(level)
    row = {"kind": "summary", "name": f"{name} (k = {fit.k})", "estimate": shown.estimate, "low": shown.ci_low}
    return pd.DataFrame([{**row, "high": shown.ci_high, "changed": False, "i2": fit.i2}])


def _finished(rows: pd.DataFrame, bounded: bool) -> pd.DataFrame:
    """Texts and places."""
    numbers = rows[["estimate", "low", "high"]].to_numpy(dtype=float).tolist()
    rows["text"] = [forest_text(*row, bounded=bounded, decimals=_DECIMALS) for row in numbers]
    rows["i2"] = ["–" if np.isnan(i2) else f"{apa(i2, 0)}%" for i2 in rows["i2"]]
    summary = (rows["kind"] == "summary").to_numpy()
    rows["y"] = np.arange(len(rows)) + _GAP * np.cumsum(summary)
    rows["bold"] = summary
    return rows


def cumulative_rows(result: Cumulative, *, level: float = 0.95) -> pd.DataFrame:
    """Rows of a cumulative forest plot, from top to bottom, on the scale shown to people.

    Returns
    -------
    DataFrame
        kind ("study", and "summary" for the last step), name (what is added), value (of the ordering column), estimate,
        low, high, changed (the conclusion is not that of all), text, i2, y, bold.

    Examples
    --------
    >>> import alliance_meta as am
    >>> from alliance_meta.sensitivity._leaving_out import cumulative as adding_up
    >>> effects = am.effect_sizes(r=[0.3, 0.1, 0.2], n=[28, 103, 50], study=["A", "B", "C"])
    >>> print(cumulative_rows(adding_up(effects, by="variance"))[["name", "text"]].to_string(index=False, header=False))
      B               .100
    + C .132 [−.441, .629]
    + A .157 [−.073, .372]
    """
    frame = result.on_display_scale(_checks.level(level)).rename(columns={"added": "name"})
    found = result.conclusions(level)
    frame["changed"] = [side != "" and side != found[-1] for side in found]
    frame["kind"] = ["study"] * (len(frame) - 1) + ["summary"]
    frame["name"] = [f"{'+ ' if i else ''}{name}" for i, name in enumerate(frame["name"])]
    frame["value"] = [cell_text(cell) for cell in result.cells]
    rows = _finished(_subset_rows(frame).reset_index(drop=True), result.effects.measure.bounded)
    return rows.assign(y=np.arange(len(rows), dtype=float))


def leave_one_out(
    result: LeaveOneOut, *, ax: Axes | None = None, level: float = 0.95, order: SubsetOrder | str = "given"
) -> Axes:
    """Forest plot of the pooled effect without each study in turn.

    Parameters
    ----------
    result : LeaveOneOut
    ax : Axes, optional
        Where to draw; a new figure of fitting height by default.
    level : float
        Coverage of all intervals.
    order : {"given", "estimate"}
        Rows as in the table, or by estimate.

    Returns
    -------
    Axes
        x is the scale shown to people, or its logarithm for ratios; one unit of y is one row. The band is the interval
        with all; without the study of a coloured row the conclusion changes.

    Examples
    --------
    >>> import alliance_meta as am
    >>> from alliance_meta.sensitivity._leaving_out import leave_one_out as without_each
    >>> effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
    >>> leave_one_out(without_each(effects)).get_xlabel()
    'Correlation r'
    """
    rows = leave_one_out_rows(result, level=level, order=order)
    shown = f"{result.effects.measure.display_scale} [{100 * level:g}% CI]"
    headings = {"name": "Left out", "text": shown, "i2": "I²"}
    colour = (
        "Coloured: without it the conclusion changes (interval above, below or around no effect)"
        if rows["changed"].any()
        else ""
    )
    return _forest(rows, result.whole, ax, headings, colour)


def cumulative(result: Cumulative, *, ax: Axes | None = None, level: float = 0.95) -> Axes:
    """Forest plot of the pooled effect as studies are added, from top to bottom.

    Parameters
    ----------
    result : Cumulative
    ax : Axes, optional
        Where to draw; a new figure of fitting height by default.
    level : float
        Coverage of all intervals.

    Returns
    -------
    Axes
        x is the scale shown to people, or its logarithm for ratios; one unit of y is one row. The band is the interval
        of all effects. Intervals that leave the picture end at its edge in an arrow.

    Examples
    --------
    >>> import alliance_meta as am
    >>> from alliance_meta.sensitivity._leaving_out import cumulative as adding_up
    >>> effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
    >>> cumulative(adding_up(effects)).get_xlabel()
    'Correlation r'
    """
    rows = cumulative_rows(result, level=level)
    shown = f"{result.effects.measure.display_scale} [{100 * level:g}% CI]"
    headings = {"name": "Added", "text": shown, "value": result.by}
    colour = (
        "Coloured: the conclusion is not yet that of all (interval above, below or around no effect)"
        if rows["changed"].any()
        else ""
    )
    return _forest(rows, result.whole, ax, headings, colour)


def _forest(rows: pd.DataFrame, whole: PooledEffect, ax: Axes | None, headings: dict[str, str], colour: str) -> Axes:
    settings, summary = whole.settings, rows["kind"] == "summary"
    how = f"{settings.tau2_method}, {TEST_NAMES[settings.test]}. Band: interval of all {whole.k} effects"
    kinds = np.where(summary, "usual", np.where(rows["changed"], "marked", "analysis"))
    if whole.effects.measure.is_ratio:
        rows[["estimate", "low", "high"]] = np.log(rows[["estimate", "low", "high"]])
    return draw_estimates(rows.assign(kind=kinds), whole.effects, headings, (how, colour), ax=ax)


def sweep_points(result: CorrelationSweep | ReliabilitySweep, *, level: float = 0.95) -> pd.DataFrame:
    """Points of a sweep, on the scale shown to people (logarithms of ratios).

    Returns
    -------
    DataFrame
        curve (the model, or the reliability of y), x (the correlation, or the reliability of x), estimate, low, high.
        Where cluster-robust intervals stand beside those of the same model, these are left out.
    """
    shown = result.on_display_scale(level).rename(columns={"ci_low": "low", "ci_high": "high"})
    if isinstance(result, CorrelationSweep):
        shown = shown.rename(columns={"model": "curve", "correlation": "x"})
        shown = shown[(shown["curve"] != "CHE") | ("CHE, robust" not in set(shown["curve"]))]
    else:
        shown = shown.rename(columns={"reliability_x": "x"})
        shown["curve"] = [f"{each:g}" for each in shown["reliability_y"]]
    points = shown[["curve", "x", "estimate", "low", "high"]].reset_index(drop=True)
    if result.effects.measure.is_ratio:
        columns = ["estimate", "low", "high"]
        points[columns] = np.log(points[columns])
    return points


def sweep(result: CorrelationSweep | ReliabilitySweep, *, ax: Axes | None = None, level: float = 0.95) -> Axes:
    """Curves of the pooled effect over what is assumed.

    Parameters
    ----------
    result : CorrelationSweep or ReliabilitySweep
    ax : Axes, optional
        Where to draw; a new figure by default.
    level : float
        Coverage of the bars.

    Returns
    -------
    Axes
        x is the assumed correlation, or the reliability of x; y the scale shown to people, or the logarithm of a ratio.

    Examples
    --------
    >>> import alliance_meta as am
    >>> from alliance_meta.sensitivity._sweeps import reliability_sweep
    >>> effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="COR")
    >>> sweep(reliability_sweep(effects)).get_xlabel()
    'Assumed reliability of x'
    """
    points = sweep_points(result, level=level)
    own_figure = ax is None
    if ax is None:
        _, ax = plt.subplots(figsize=(7.6, 4.6), layout="constrained")
    curves = list(dict.fromkeys(points["curve"]))
    span = float(np.ptp(points["x"])) or 1.0
    for i, curve in enumerate(curves):
        part = points[(points["curve"] == curve) & points["estimate"].notna()]
        color = PALETTE[i % len(PALETTE)]
        x = part["x"] + (i - (len(curves) - 1) / 2.0) * _DODGE * span
        ax.vlines(x, part["low"], part["high"], color=color, lw=1.0, alpha=0.55, zorder=1)
        marker = _MARKERS[i % len(_MARKERS)]
        ax.plot(x, part["estimate"], color=color, lw=1.6, marker=marker, ms=4.5, label=curve, zorder=2)
    _describe_sweep(ax, result, points, level)
    place = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)} if own_figure else {"loc": "best"}
    title = "" if isinstance(result, CorrelationSweep) else "Reliability of y"
    legend = ax.legend(fontsize=8, frameon=False, title=title, title_fontsize=8, **place)
    for text in legend.get_texts():
        text.set_color(INK)
    return ax


def _describe_sweep(ax: Axes, result: CorrelationSweep | ReliabilitySweep, points: pd.DataFrame, level: float) -> None:
    measure = result.effects.measure
    null = shown_null(measure)
    ax.axhline(null, color=GREY, lw=0.8, zorder=0)
    ax.set_ylim(*padded([*points["low"], *points["high"], *points["estimate"], null]))
    ax.set_yticks(*effect_ticks(ax.get_ylim(), ratio=measure.is_ratio, bounded=measure.bounded))
    ax.set_xticks(sorted(set(points["x"])))
    correlations = isinstance(result, CorrelationSweep)
    ax.set_xlabel(
        "Assumed correlation within studies" if correlations else "Assumed reliability of x", color=INK, fontsize=9
    )
    ax.set_ylabel(measure.display_label, color=INK, fontsize=9)
    ax.tick_params(colors=INK, labelsize=8)
    ax.spines[["right", "top"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GREY)
    robust = "; those of CHE are cluster-robust" if "CHE, robust" in set(points["curve"]) else ""
    lines = [f"Bars: {100 * level:g}% intervals{robust}", result.effects.caveat]
    ax.set_title("\n".join(filter(None, lines)), fontsize=8, color=GREY, loc="left", parse_math=False)
