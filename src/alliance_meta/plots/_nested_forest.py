"""The forest plot of effects inside studies."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Polygon

from alliance_meta._tables import apa, p_value
from alliance_meta.plots._nested_layout import nested_places
from alliance_meta.plots._rows import (
    effect_ticks,
    finish_axis,
    padded,
    place_between,
    row_axes,
    shown_null,
    write_columns,
)
from alliance_meta.plots._style import ACCENT, GREY, INK, LIGHT
from alliance_meta.results import Multilevel

__all__ = ["draw_nested"]


def draw_nested(fit: Multilevel, rows: pd.DataFrame, ax: Axes | None, level: float) -> Axes:
    """Draw rows from `nested_rows`."""
    measure = fit.effects.measure
    rows["y"] = nested_places(rows["kind"].tolist())
    rows["bold"], rows["light"] = rows["kind"] == "summary", rows["kind"] == "effect"
    of_study = rows["kind"] == "study"
    rows["share"] = [f"{weight:.1f}%" if own else "" for weight, own in zip(rows["weight"], of_study, strict=True)]
    rows["count"] = [str(k) if own else "" for k, own in zip(rows["k"], of_study, strict=True)]
    lines = _lines(fit)
    ax = row_axes(ax, float(rows["y"].max()), lines=len(lines))
    shown = f"{measure.display_scale} [{100 * level:g}% CI]"
    ends = write_columns(ax, rows, {"label": "Study", "share": "Weight", "count": "k", "text": shown})
    if measure.is_ratio:
        rows[["effect", "low", "high"]] = np.log(rows[["effect", "low", "high"]])
    null = shown_null(measure)
    limits = padded([*rows["low"], *rows["high"], *rows["effect"], null])
    place_between(ax, limits, ends)
    _draw_rows(ax, rows, null, limits)
    ticks = effect_ticks(limits, ratio=measure.is_ratio, bounded=measure.bounded)
    finish_axis(ax, limits, ticks, measure.display_label, lines)
    return ax


def _draw_rows(ax: Axes, rows: pd.DataFrame, null: float, limits: tuple[float, float]) -> None:
    summary = rows[rows["kind"] == "summary"].iloc[0]
    last = float(rows["y"].max()) + 0.5
    ax.plot([null, null], [-0.6, last], color=GREY, lw=0.8, zorder=1)
    ax.plot([summary["effect"]] * 2, [-0.6, last], color=ACCENT, lw=0.8, ls=(0, (2, 2)), zorder=1)
    effects = rows[rows["kind"] == "effect"]
    ax.hlines(effects["y"], effects["low"], effects["high"], color=GREY, lw=0.8, alpha=0.7, zorder=2)
    ax.scatter(effects["effect"], effects["y"], s=9.0, marker="s", color=GREY, zorder=3, linewidths=0)
    for _, row in rows[rows["kind"].isin(["study", "summary"])].iterrows():
        _draw_diamond(ax, row)
    for _, row in rows[rows["kind"] == "prediction"].iterrows():
        ax.hlines(row["y"], row["low"], row["high"], color=ACCENT, lw=3.0, alpha=0.55, zorder=2)
    ax.hlines(summary["y"] - 0.8, *limits, color=LIGHT, lw=0.8, zorder=0)


def _draw_diamond(ax: Axes, row: pd.Series) -> None:
    """The overall effect's is larger, and of another colour."""
    y, middle = row["y"], row["effect"]
    low, high = (middle, middle) if np.isnan(row["low"]) else (row["low"], row["high"])
    colour, half = (ACCENT, 0.32) if row["kind"] == "summary" else (INK, 0.24)
    corners = [(low, y), (middle, y - half), (high, y), (middle, y + half)]
    ax.add_patch(Polygon(corners, closed=True, facecolor=colour, edgecolor=colour, lw=0.8, zorder=4))


def _lines(fit: Multilevel) -> list[str]:
    """What stands under the plot."""
    parts = ", ".join(
        f"{name} {apa(float(c), 3)} (I² {apa(float(share), 0)}%)"
        for name, c, share in zip(fit.levels, fit.components, fit.i2, strict=True)
    )
    errors = f", sampling errors correlated: {fit.settings.correlation}" if fit.settings.correlation else ""
    q = f"QE({fit.q_residual_df:.0f}) = {apa(fit.q_residual)}, p {p_value(fit.q_residual_p_value)}"
    how = f"{fit.settings.tau2_method}{errors}. Diamonds: means of studies, and of all. tau² of {parts}"
    return [line for line in (how, q, fit.effects.caveat) if line]
