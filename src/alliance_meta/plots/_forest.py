"""The forest plot."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Polygon
from matplotlib.ticker import MaxNLocator

from alliance_meta._tables import apa, p_value
from alliance_meta.plots._layout import Order, forest_rows
from alliance_meta.plots._style import ACCENT, GREY, INK, LIGHT, plain_text, shortened, text_width
from alliance_meta.results import TEST_NAMES, PooledEffect

__all__ = ["forest"]

_GAP = 0.6  # rows left free between the studies and the pooled effect
_MARGIN = 0.02  # of the axes' width, between columns
_MOST_TICKS = 8
_LONGEST_LABEL = 46  # character cells; forest_rows() keeps the whole label


def forest(fit: PooledEffect, *, ax: Axes | None = None, level: float = 0.95, order: Order = "given") -> Axes:
    """Forest plot: each study's effect with its interval, the pooled effect and the prediction interval.

    Parameters
    ----------
    fit : PooledEffect
    ax : Axes, optional
        Where to draw; a new figure of fitting height by default. Labels and numbers are placed inside it, left
        and right of the effects, in columns as wide as their text.
    level : float
        Coverage of all intervals.
    order : {"given", "effect", "precision"}
        Rows as in the table, by effect, or by precision.

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
    rows = forest_rows(fit, level=level, order=order)
    rows["y"] = np.arange(len(rows)) + np.where(rows["kind"] == "study", 0.0, _GAP)
    bottom = float(rows["y"].max())
    if ax is None:
        _, ax = plt.subplots(figsize=(8.0, 0.27 * (bottom + 2.0) + 1.0))
        ax.figure.subplots_adjust(left=0.02, right=0.98, top=0.98, bottom=0.95 / (0.27 * (bottom + 2.0) + 1.0))
    ax.set_ylim(bottom + 0.8, -1.9)
    left, right = _columns(ax, fit, rows, level)
    if fit.effects.measure.is_ratio:
        rows[["effect", "low", "high"]] = np.log(rows[["effect", "low", "high"]])
    low, high = _limits(rows, fit)
    scale = (high - low) / (right - left)
    ax.set_xlim(low - left * scale, high + (1.0 - right) * scale)
    _draw_rows(ax, rows, fit, (low, high))
    _finish(ax, fit, (low, high))
    return ax


def _columns(ax: Axes, fit: PooledEffect, rows: pd.DataFrame, level: float) -> tuple[float, float]:
    """Write the columns of text; return where, in fractions of the axes, the room between them begins and ends."""
    across = ax.get_yaxis_transform()
    labels, texts, weights = [], [], []
    cells: list[dict[str, Any]] = [{str(name): cell for name, cell in row.items()} for row in rows.to_dict("records")]
    styles = [{"fontweight": "bold"} if cell["kind"] == "summary" else {} for cell in cells]
    for cell, style in zip(cells, styles, strict=True):
        label = shortened(" ".join(cell["label"].split()), _LONGEST_LABEL)
        labels.append(plain_text(ax, 0.0, cell["y"], label, across, ha="left", **style))
        weight = f"{cell['weight']:.1f}%" if cell["kind"] == "study" else ""
        weights.append(plain_text(ax, 1.0, cell["y"], weight, across, ha="right"))
    heading = {"fontweight": "bold", "color": GREY}
    labels.append(plain_text(ax, 0.0, -1.1, "Study", across, ha="left", **heading))
    weights.append(plain_text(ax, 1.0, -1.1, "Weight", across, ha="right", **heading))
    right = 1.0 - text_width(weights, ax) - _MARGIN
    for cell, style in zip(cells, styles, strict=True):
        texts.append(plain_text(ax, right, cell["y"], cell["text"], across, ha="right", **style))
    shown = f"{fit.effects.measure.display_scale} [{100 * level:g}% CI]"
    texts.append(plain_text(ax, right, -1.1, shown, across, ha="right", **heading))
    ends = text_width(labels, ax) + _MARGIN, right - text_width(texts, ax) - _MARGIN
    # In narrow axes the text may leave no room: then the effects keep a third of the axes and the text runs under them.
    return (ends[0], ends[1]) if ends[1] - ends[0] >= 0.2 else (max(ends[1] - 0.34, 0.0), ends[1])


def _null(fit: PooledEffect) -> float:
    """Where no effect stands on the axis, which is logarithmic for ratios."""
    measure = fit.effects.measure
    return measure.null if measure.is_ratio else float(measure.to_display(measure.null))


def _limits(rows: pd.DataFrame, fit: PooledEffect) -> tuple[float, float]:
    null = _null(fit)
    studies = rows[rows["kind"] != "prediction"]
    low = float(np.nanmin([*rows["low"], *studies["effect"], null]))
    high = float(np.nanmax([*rows["high"], *studies["effect"], null]))
    pad = 0.04 * (high - low) or 0.5
    return low - pad, high + pad


def _draw_rows(ax: Axes, rows: pd.DataFrame, fit: PooledEffect, limits: tuple[float, float]) -> None:
    null = _null(fit)
    studies = rows[rows["kind"] == "study"]
    last = float(rows["y"].max()) + 0.5
    ax.plot([null, null], [-0.6, last], color=GREY, lw=0.8, zorder=1)
    summary = rows[rows["kind"] == "summary"].iloc[0]
    ax.plot([summary["effect"]] * 2, [-0.6, last], color=ACCENT, lw=0.8, ls=(0, (2, 2)), zorder=1)
    ax.hlines(studies["y"], studies["low"], studies["high"], color=INK, lw=1.1, zorder=2)
    size = 12.0 + 90.0 * studies["weight"] / studies["weight"].max()
    ax.scatter(studies["effect"], studies["y"], s=size, marker="s", color=INK, zorder=3, linewidths=0)
    _draw_diamond(ax, summary)
    for _, row in rows[rows["kind"] == "prediction"].iterrows():
        ax.hlines(row["y"], row["low"], row["high"], color=ACCENT, lw=3.0, alpha=0.55, zorder=2)
    ax.hlines(float(studies["y"].max()) + 0.5 + _GAP / 2, *limits, color=LIGHT, lw=0.8, zorder=0)


def _draw_diamond(ax: Axes, summary: pd.Series) -> None:
    y, middle = summary["y"], summary["effect"]
    low, high = (middle, middle) if np.isnan(summary["low"]) else (summary["low"], summary["high"])
    corners = [(low, y), (middle, y - 0.32), (high, y), (middle, y + 0.32)]
    ax.add_patch(Polygon(corners, closed=True, facecolor=ACCENT, edgecolor=ACCENT, zorder=3))


def _finish(ax: Axes, fit: PooledEffect, limits: tuple[float, float]) -> None:
    ax.set_yticks([])
    ax.spines[["left", "right", "top"]].set_visible(False)
    ax.set_xticks(*_ticks(fit, limits))
    ax.spines["bottom"].set_bounds(*limits)
    ax.spines["bottom"].set_color(GREY)
    ax.tick_params(axis="x", colors=INK, labelsize=8)
    ax.set_xlabel(fit.effects.measure.display_label, fontsize=9, color=INK)
    middle = (sum(limits) / 2.0 - ax.get_xlim()[0]) / (ax.get_xlim()[1] - ax.get_xlim()[0])
    ax.xaxis.set_label_coords(middle, -32 / max(ax.get_window_extent().height, 1.0))
    lines = [_heterogeneity(fit), fit.effects.caveat]
    ax.annotate(
        "\n".join(filter(None, lines)),
        xy=(0.0, 0.0),
        xytext=(0, -40),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=8,
        color=GREY,
        va="top",
    )


def _ticks(fit: PooledEffect, limits: tuple[float, float]) -> tuple[list[float], list[str]]:
    """Places on the axis and what is written there."""
    measure = fit.effects.measure
    if measure.is_ratio:
        steps = (1.0, 2.0, 5.0) if limits[1] - limits[0] < 5.0 else (1.0,)
        ratios = [step * 10.0**power for power in range(-9, 10) for step in steps]
        shown = [ratio for ratio in ratios if limits[0] <= np.log(ratio) <= limits[1]]
        apart, one = 1 + len(shown) // _MOST_TICKS, shown.index(1.0)  # the null, 1, always has its tick
        shown = shown[one % apart :: apart]
        return [float(np.log(ratio)) for ratio in shown], [f"{ratio:g}" for ratio in shown]
    ticks = [float(tick) for tick in MaxNLocator(nbins=6).tick_values(*limits) if limits[0] <= tick <= limits[1]]
    decimals = max(len(f"{tick:.6f}".rstrip("0").partition(".")[2]) for tick in ticks)
    return ticks, [apa(tick, decimals, bounded=measure.bounded) if tick else "0" for tick in ticks]


def _heterogeneity(fit: PooledEffect) -> str:
    method = f"{fit.settings.tau2_method}, {TEST_NAMES[fit.settings.test]}"
    if fit.k == 1:
        return method
    return (
        f"{method}. Heterogeneity: tau² = {apa(fit.tau2, 3)}, I² = {apa(fit.i2, 0)}%, "
        f"Q({fit.q_df:.0f}) = {apa(fit.q_statistic)}, p {p_value(fit.q_p_value)}"
    )
