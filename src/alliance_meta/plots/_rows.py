"""Plots made of rows: text in columns, and between them an axis of effects."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from alliance_meta._tables import apa
from alliance_meta.effects import EffectSizes
from alliance_meta.measures import Measure
from alliance_meta.plots._layout import forest_text
from alliance_meta.plots._style import ACCENT, GREY, INK, LIGHT, PALETTE, plain_text, shortened, text_width

__all__ = [
    "LONGEST_LABEL",
    "draw_estimates",
    "effect_ticks",
    "finish_axis",
    "on_axis",
    "padded",
    "place_between",
    "row_axes",
    "shown_null",
    "write_columns",
]

LONGEST_LABEL = 46
"""Of a label in a plot, in character cells; the layout keeps the whole label."""


_ROW = 0.27  # inches
_BELOW = 0.95  # inches under the rows, for the axis and the notes
_ABOVE = 0.05
_MARGIN = 0.02  # of the axes' width, between columns
_HEADING = -1.1
_MOST_TICKS = 8
_FURTHEST = 1.5
"""How far intervals reach beyond all estimates before they are cut off, in typical widths."""
_MARKS = {"usual": ("D", ACCENT), "analysis": ("o", INK), "marked": ("o", PALETTE[1]), "adjusted": ("D", PALETTE[1])}
"""Of the kinds of estimates; rows of other kinds are text alone."""
Limits = tuple[float, float]


def row_axes(ax: Axes | None, bottom: float, *, lines: int = 2) -> Axes:
    """Axes for rows from 0 to `bottom`, with a line of headings above and `lines` of notes below."""
    if ax is None:
        below = _BELOW + 0.14 * max(lines - 2, 0)
        height = _ROW * (bottom + 2.7) + below + _ABOVE
        _, ax = plt.subplots(figsize=(8.0, height))
        ax.figure.subplots_adjust(left=0.02, right=0.98, top=1.0 - _ABOVE / height, bottom=below / height)
    ax.set_ylim(bottom + 0.8, -1.9)
    return ax


def write_columns(ax: Axes, rows: pd.DataFrame, headings: Mapping[str, str]) -> tuple[float, float]:
    """Write columns of text; return where, in fractions of the axes, the room between them begins and ends.

    Parameters
    ----------
    ax : Axes
    rows : DataFrame
        y, bold, light where some rows stand back (small, grey and set in), and the columns of text.
    headings : mapping of column to heading
        The first column stands at the left, the others from the right end inwards.
    """
    across = ax.get_yaxis_transform()
    lights = rows["light"] if "light" in rows else [False] * len(rows)

    def column(name: str, x: float, side: str) -> float:
        cells = [" ".join(str(cell).split()) for cell in rows[name]]
        texts = [
            plain_text(
                ax,
                x + (_MARGIN if light and side == "left" else 0.0),
                y,
                shortened(cell, LONGEST_LABEL),
                across,
                ha=side,
                **_style(bold, light),
            )
            for cell, y, bold, light in zip(cells, rows["y"], rows["bold"], lights, strict=True)
        ]
        heading = shortened(" ".join(headings[name].split()), LONGEST_LABEL)
        texts.append(plain_text(ax, x, _HEADING, heading, across, ha=side, fontweight="bold", color=GREY))
        set_in = _MARGIN if side == "left" and any(lights) else 0.0
        return text_width(texts, ax) + _MARGIN + set_in

    first, *others = headings
    start, end = column(first, 0.0, "left"), 1.0
    for name in others:
        end -= column(name, end, "right")
    # In narrow axes the text may leave no room: then the effects keep a third of the axes and the text runs under them.
    return (start, end) if end - start >= 0.2 else (max(end - 0.34, 0.0), end)


def _style(bold: bool, light: bool) -> dict[str, Any]:
    return {"fontweight": "bold"} if bold else {"fontsize": 7.5, "color": GREY} if light else {}


def place_between(ax: Axes, limits: Limits, ends: tuple[float, float]) -> None:
    """Make `limits` of the data lie at these fractions of the axes."""
    (low, high), (left, right) = limits, ends
    scale = (high - low) / (right - left)
    ax.set_xlim(low - left * scale, high + (1.0 - right) * scale)


def padded(values: Sequence[float]) -> Limits:
    """From the smallest to the largest value, NaN left out, and a little more."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    pad = 0.04 * (high - low) or 0.5
    return low - pad, high + pad


def shown_null(measure: Measure) -> float:
    """Where no effect stands on the axis, which is logarithmic for ratios."""
    return measure.null if measure.is_ratio else float(measure.to_display(measure.null))


def on_axis(frame: pd.DataFrame, measure: Measure, *, decimals: int = 2) -> pd.DataFrame:
    """Replace estimate, ci_low and ci_high (analysed scale) by estimate, low, high (of the axis) and text.

    Examples
    --------
    >>> import alliance_meta as am
    >>> measure = am.effect_sizes(r=[0.3], n=[28], measure="ZCOR").measure
    >>> frame = pd.DataFrame({"estimate": [0.5], "ci_low": [0.1], "ci_high": [0.9]})
    >>> on_axis(frame, measure).round(3).to_dict("records")
    [{'estimate': 0.462, 'low': 0.1, 'high': 0.716, 'text': '.46 [.10, .72]'}]
    """
    numbers = frame[["estimate", "ci_low", "ci_high"]].to_numpy(dtype=float)
    shown = np.asarray(measure.to_display(numbers), dtype=float)
    rows = frame.drop(columns=["ci_low", "ci_high"])
    rows[["estimate", "low", "high"]] = numbers if measure.is_ratio else shown
    rows["text"] = [forest_text(*row, bounded=measure.bounded, decimals=decimals) for row in shown.tolist()]
    return rows


def draw_estimates(
    rows: pd.DataFrame,
    effects: EffectSizes,
    headings: Mapping[str, str],
    lines: Sequence[str],
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw estimates with their intervals, a row each, over the band of the usual one.

    Parameters
    ----------
    rows : DataFrame
        y, kind, bold, low, estimate, high (on the axis) and the columns of text. Of the kinds, ``"usual"`` stands in
        one row and draws the band, ``"analysis"``, ``"marked"`` and ``"adjusted"`` in any, and others are text. Of much
        wider intervals than the others the ends are cut off.
    effects : EffectSizes
        What the estimates are of.
    headings : mapping of column to heading
    lines : sequence of str
        Notes below the axis; the data's caveat follows them.
    ax : Axes, optional
    """
    own, notes = effects.measure, [line for line in (*lines, effects.caveat) if line]
    bottom = float(rows["y"].max())
    ax = row_axes(ax, bottom, lines=len(notes))
    ends = write_columns(ax, rows, headings)
    known = rows[rows["kind"].isin(list(_MARKS))].dropna(subset=["estimate"])
    null = shown_null(own)
    limits = _reach(known, null)
    place_between(ax, limits, ends)
    top, last = -0.6, bottom + 0.6
    ax.plot([null, null], [top, last], color=GREY, lw=0.8, zorder=1)
    for usual in known[known["kind"] == "usual"].to_dict("records"):
        ax.fill_betweenx([top, known["y"].max() + 0.6], usual["low"], usual["high"], color=LIGHT, lw=0, zorder=0)
        ax.plot([usual["estimate"]] * 2, [top, last], color=ACCENT, lw=0.8, ls=(0, (4, 3)), zorder=1)
    for row in known.to_dict("records"):
        _draw_row(ax, row, limits)
    ticks = effect_ticks(limits, ratio=own.is_ratio, bounded=own.bounded)
    finish_axis(ax, limits, ticks, own.display_label, notes)
    return ax


def _reach(rows: pd.DataFrame, null: float) -> Limits:
    """All estimates and most intervals: the widest, of a few rows, may leave the picture."""
    middle, bounds = [*rows["estimate"], null], rows[["low", "high"]].dropna()
    if bounds.empty:
        return padded(middle)
    typical = float((bounds["high"] - bounds["low"]).median())
    low = max(float(bounds["low"].min()), float(np.nanmin(middle)) - _FURTHEST * typical)
    high = min(float(bounds["high"].max()), float(np.nanmax(middle)) + _FURTHEST * typical)
    return padded([*middle, low, high])


def _draw_row(ax: Axes, row: Mapping[Hashable, Any], limits: Limits) -> None:
    """An estimate and its interval, which ends in an arrow where it leaves the picture."""
    (marker, color), y = _MARKS[row["kind"]], row["y"]
    mean = marker == "D"
    if not np.isnan(row["low"]):
        ends = max(row["low"], limits[0]), min(row["high"], limits[1])
        ax.plot(ends, [y, y], color=color, lw=1.7 if mean else 1.2, solid_capstyle="butt", zorder=2)
        for end, bound, arrow in ((ends[0], row["low"], "<"), (ends[1], row["high"], ">")):
            if end != bound:
                ax.plot([end], [y], marker=arrow, ms=4, color=color, zorder=2)
    ax.plot([row["estimate"]], [y], marker=marker, ms=6 if mean else 5, color=color, zorder=3)


def finish_axis(
    ax: Axes, limits: Limits, ticks: tuple[list[float], list[str]], label: str, lines: Sequence[str]
) -> None:
    """The axis under the rows, its name, and notes below it."""
    ax.set_yticks([])
    ax.spines[["left", "right", "top"]].set_visible(False)
    ax.set_xticks(*ticks)
    ax.spines["bottom"].set_bounds(*limits)
    ax.spines["bottom"].set_color(GREY)
    ax.tick_params(axis="x", colors=INK, labelsize=8)
    ax.set_xlabel(label, fontsize=9, color=INK, parse_math=False)
    middle = (sum(limits) / 2.0 - ax.get_xlim()[0]) / (ax.get_xlim()[1] - ax.get_xlim()[0])
    ax.xaxis.set_label_coords(middle, -32 / max(ax.get_window_extent().height, 1.0))
    ax.annotate(
        "\n".join(filter(None, lines)),
        xy=(0.0, 0.0),
        xytext=(0, -40),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=8,
        color=GREY,
        va="top",
        parse_math=False,
    )


def effect_ticks(limits: Limits, *, ratio: bool = False, bounded: bool = False) -> tuple[list[float], list[str]]:
    """Places on an axis of effects and what is written there; the logarithm of a ratio is labelled as the ratio."""
    if ratio:
        return _ratio_ticks(limits)
    ticks = _round_numbers(limits)
    decimals = max(len(f"{tick:.6f}".rstrip("0").partition(".")[2]) for tick in ticks)
    return ticks, [apa(tick, decimals, bounded=bounded) if tick else "0" for tick in ticks]


def _ratio_ticks(limits: Limits) -> tuple[list[float], list[str]]:
    steps = (1.0, 2.0, 5.0) if limits[1] - limits[0] < 5.0 else (1.0,)
    ratios = [step * 10.0**power for power in range(-9, 10) for step in steps]
    shown = [ratio for ratio in ratios if limits[0] <= np.log(ratio) <= limits[1]]
    if len(shown) < 2:
        shown = _round_numbers((float(np.exp(limits[0])), float(np.exp(limits[1]))))
    apart = 1 + len(shown) // _MOST_TICKS
    one = shown.index(1.0) if 1.0 in shown else 0  # the null, 1, always has its tick
    shown = shown[one % apart :: apart]
    return [float(np.log(ratio)) for ratio in shown], [f"{ratio:g}" for ratio in shown]


def _round_numbers(limits: Limits) -> list[float]:
    return [float(tick) for tick in MaxNLocator(nbins=6).tick_values(*limits) if limits[0] <= tick <= limits[1]]
