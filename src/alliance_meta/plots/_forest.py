"""The forest plot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Polygon

from alliance_meta._tables import apa, p_value
from alliance_meta.errors import InputError
from alliance_meta.plots._layout import Order, forest_rows, row_places
from alliance_meta.plots._nested_forest import draw_nested
from alliance_meta.plots._nested_layout import nested_rows
from alliance_meta.plots._rows import (
    LONGEST_LABEL,
    effect_ticks,
    finish_axis,
    padded,
    place_between,
    row_axes,
    shown_null,
    write_columns,
)
from alliance_meta.plots._style import ACCENT, GREY, INK, LIGHT, shortened
from alliance_meta.results import TEST_NAMES, Multilevel, PooledEffect
from alliance_meta.results._subgroups import Subgroups

__all__ = ["forest"]

_BOLD = ("group", "subgroup", "summary")


def forest(
    fit: PooledEffect | Subgroups | Multilevel,
    *,
    ax: Axes | None = None,
    level: float = 0.95,
    order: Order = "given",
    collapse: bool = False,
    inside: str | Sequence[str] | None = None,
) -> Axes:
    """Forest plot: each study's effect with its interval, the pooled effect and the prediction interval.

    Parameters
    ----------
    fit : PooledEffect, Subgroups or Multilevel
        Subgroups are drawn one below the other, each with its own mean, above the overall effect. Of a multilevel model
        without moderators, each study is a diamond, its own mean, above its effects.
    ax : Axes, optional
        Where to draw; a new figure of fitting height by default. Labels and numbers are placed inside it, left
        and right of the effects, in columns as wide as their text.
    level : float
        Coverage of all intervals.
    order : {"given", "effect", "precision"}
        Rows as in the table, by effect, or by precision; within groups.
    collapse : bool
        Of a multilevel model draw the studies only.
    inside : column or columns, optional
        What names the effects of a multilevel model inside their study; see `nested_rows`.

    Returns
    -------
    Axes
        x is the scale shown to people (r for Fisher's z), or its logarithm for ratios; one unit of y is one row,
        counted from the top.

    Examples
    --------
    >>> import alliance_meta as am
    >>> fit = am.pool(am.effect_sizes(r=[0.3, 0.1, 0.2], n=[28, 103, 50], study=["A", "B", "C"]))
    >>> forest(fit).get_xlabel()
    'Correlation r'
    """
    if isinstance(fit, Multilevel):
        rows = nested_rows(fit, level=level, order=order, collapse=collapse, inside=inside)
        return draw_nested(fit, rows, ax, level)
    if collapse or inside is not None:
        raise InputError("collapse and inside are for the result of multilevel(), whose effects stand inside studies")
    rows = forest_rows(fit, level=level, order=order)
    rows["y"] = row_places(rows["kind"].tolist())
    rows["bold"] = rows["kind"].isin(_BOLD)
    rows["share"] = ["" if np.isnan(weight) else f"{weight:.1f}%" for weight in rows["weight"]]
    overall = fit if isinstance(fit, PooledEffect) else fit.overall
    measure = overall.effects.measure
    lines = _lines(fit, overall)
    ax = row_axes(ax, float(rows["y"].max()), lines=len(lines))
    shown = f"{measure.display_scale} [{100 * level:g}% CI]"
    rows["name"] = [_name(kind, label) for kind, label in zip(rows["kind"], rows["label"], strict=True)]
    ends = write_columns(ax, rows, {"name": "Study", "share": "Weight", "text": shown})
    if measure.is_ratio:
        rows[["effect", "low", "high"]] = np.log(rows[["effect", "low", "high"]])
    null = shown_null(measure)
    limits = padded([*rows["low"], *rows["high"], *rows["effect"], null])
    place_between(ax, limits, ends)
    _draw_rows(ax, rows, null, limits)
    ticks = effect_ticks(limits, ratio=measure.is_ratio, bounded=measure.bounded)
    finish_axis(ax, limits, ticks, measure.display_label, lines)
    return ax


def _name(kind: str, label: str) -> str:
    """A label as it is drawn: of a long group name the end is cut off, not what is said of the group."""
    if kind != "subgroup":
        return label
    name, mark, rest = label.rpartition(" (k = ")
    return f"{shortened(' '.join(name.split()), LONGEST_LABEL - len(mark + rest))}{mark}{rest}"


def _draw_rows(ax: Axes, rows: pd.DataFrame, null: float, limits: tuple[float, float]) -> None:
    studies = rows[rows["kind"] == "study"]
    summary = rows[rows["kind"] == "summary"].iloc[0]
    last = float(rows["y"].max()) + 0.5
    ax.plot([null, null], [-0.6, last], color=GREY, lw=0.8, zorder=1)
    ax.plot([summary["effect"]] * 2, [-0.6, last], color=ACCENT, lw=0.8, ls=(0, (2, 2)), zorder=1)
    ax.hlines(studies["y"], studies["low"], studies["high"], color=INK, lw=1.1, zorder=2)
    size = 12.0 + 90.0 * studies["weight"] / studies["weight"].max()
    ax.scatter(studies["effect"], studies["y"], s=size, marker="s", color=INK, zorder=3, linewidths=0)
    for _, row in rows[rows["kind"].isin(["subgroup", "summary"])].iterrows():
        _draw_diamond(ax, row)
    for _, row in rows[rows["kind"] == "prediction"].iterrows():
        ax.hlines(row["y"], row["low"], row["high"], color=ACCENT, lw=3.0, alpha=0.55, zorder=2)
    ax.hlines(summary["y"] - 0.8, *limits, color=LIGHT, lw=0.8, zorder=0)


def _draw_diamond(ax: Axes, row: pd.Series) -> None:
    """The overall effect's is filled, a group's hollow."""
    y, middle = row["y"], row["effect"]
    low, high = (middle, middle) if np.isnan(row["low"]) else (row["low"], row["high"])
    corners = [(low, y), (middle, y - 0.32), (high, y), (middle, y + 0.32)]
    inside = ACCENT if row["kind"] == "summary" else "white"
    ax.add_patch(Polygon(corners, closed=True, facecolor=inside, edgecolor=ACCENT, lw=1.2, zorder=3))


def _lines(fit: PooledEffect | Subgroups, overall: PooledEffect) -> list[str]:
    """What stands under the plot."""
    between = []
    if not isinstance(fit, PooledEffect):
        own = "each group with its own tau²"
        how = own if fit.regression is None else f"one tau² of {apa(fit.regression.tau2, 3)} for all groups"
        between = [f"Between groups: {fit.between.text} ({how})"]
    return [
        line
        for line in (*between, _heterogeneity(overall, " of all effects" if between else ""), overall.effects.caveat)
        if line
    ]


def _heterogeneity(fit: PooledEffect, of: str) -> str:
    method = f"{fit.settings.tau2_method}, {TEST_NAMES[fit.settings.test]}"
    if fit.k == 1:
        return method
    return (
        f"{method}. Heterogeneity{of}: tau² = {apa(fit.tau2, 3)}, I² = {apa(fit.i2, 0)}%, "
        f"Q({fit.q_df:.0f}) = {apa(fit.q_statistic)}, p {p_value(fit.q_p_value)}"
    )
