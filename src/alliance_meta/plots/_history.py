"""The history of a finding: pooled correlations by year."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from alliance_meta._tables import apa
from alliance_meta.evidence import History
from alliance_meta.evidence._history import bounds_text, estimate_text
from alliance_meta.evidence._published import records
from alliance_meta.plots._rows import (
    LONGEST_LABEL,
    finish_axis,
    padded,
    place_between,
    row_axes,
    write_columns,
)
from alliance_meta.plots._style import ACCENT, GREY, INK, LIGHT, plain_text, shortened, text_width

__all__ = ["history", "history_rows"]

_A_YEAR = 0.12
"""Rows that a year without meta-analyses takes."""
_UNDATED = 6
"""Years below the last at which those without a year stand."""
_LEAST, _MOST = 14.0, 200.0
"""Areas of points, in points squared."""
_GAP = 0.02
_WIDTH = 10.0
_LEAST_ROOM = 0.22
_LEAST_SHOWN = 0.1
"""A correlation that the axis always reaches."""


def history_rows(result: History) -> pd.DataFrame:
    """Where and how each meta-analysis is drawn.

    Returns
    -------
    DataFrame
        y (one a row, and a little for each year between), year (text; empty where it is that of the row above), name,
        population, estimate, low, high, area (of its point, as the number of studies, but never too small to see),
        hollow (second-hand), text, studies.
    """
    frame = result.to_frame()
    size = frame["size"].to_numpy(dtype=float)
    largest = float(np.nanmax(size)) if np.isfinite(size).any() else 1.0
    area = np.maximum(_LEAST, _MOST * np.nan_to_num(size) / largest)
    texts = [_text(row) for row in records(frame)]
    years = ["n.d." if np.isnan(year) else f"{year:.0f}" for year in frame["year"]]
    return pd.DataFrame(
        {
            "y": _places(frame["year"].to_numpy(dtype=float)),
            "year": [year if i == 0 or years[i - 1] != year else "" for i, year in enumerate(years)],
            "name": [label.removesuffix(f" ({year})") for label, year in zip(frame["label"], years, strict=True)],
            "population": frame["population"],
            "estimate": frame["estimate"],
            "low": frame["ci_low"],
            "high": frame["ci_high"],
            "area": area,
            "hollow": frame["second_hand"],
            "text": texts,
            "studies": [_studies(row) for row in records(frame)],
        }
    )


def _places(years: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[float]:
    last = np.nanmax(years) if np.isfinite(years).any() else 0.0
    dated = np.where(np.isnan(years), last + _UNDATED, years)
    steps = [1.0 + _A_YEAR * float(after - before) for before, after in pairwise(dated)]
    return [0.0, *np.cumsum(steps).tolist()]


def _text(row: dict[str, Any]) -> str:
    interval = bounds_text(row, row["ci_low"], row["ci_high"])
    marks = "†" if row["metric"] != "r" else "±" if row["turned"] else ""
    return f"{estimate_text(row)}{marks} {'' if interval == '–' else interval}".strip()


def _studies(row: dict[str, Any]) -> str:
    """The number of studies; in brackets that of effects or samples, where the studies are not printed."""
    k, studies = row["k"], row["k_studies"]
    if not np.isnan(studies):
        return f"{studies:.0f}"
    return "" if np.isnan(k) else f"({k:.0f})"


def history(result: History, *, ax: Axes | None = None) -> Axes:
    """The history of a finding: what each meta-analysis printed, down the years.

    Parameters
    ----------
    result : History
    ax : Axes, optional
        Where to draw; a new figure of fitting height by default.

    Returns
    -------
    Axes
        x is r; y runs down the years, one row a meta-analysis and a little for each year in which there was none. The
        area of a point goes by the number of studies; a second-hand one is hollow; without a line there is no interval.

    Examples
    --------
    >>> from alliance_meta.evidence import history as told
    >>> history(told("empathy")).get_xlabel()
    'Correlation with outcome, r'
    """
    rows = history_rows(result).assign(bold=False)
    lines = _lines(result, rows)
    own = ax is None
    ax = row_axes(ax, float(rows["y"].max()), lines=len(lines))
    if own and ax.figure is not None:
        ax.figure.set_figwidth(_WIDTH)  # type: ignore[union-attr]
    headings = {"studies": "Studies", "text": "r [95% CI]"}
    if len(set(rows["population"])) > 1:
        headings["population"] = "Population"
    start, end = _columns(ax, rows, headings)
    limits = padded([*rows["low"], *rows["high"], *rows["estimate"], 0.0, _LEAST_SHOWN])
    place_between(ax, limits, (start, end))
    _draw(ax, rows, limits)
    label = "Correlation with outcome, r" if result.related_to == "outcome" else "Correlation r"
    ticks = _ticks(limits)
    finish_axis(ax, limits, (ticks, [apa(tick, 1, bounded=True) if tick else "0" for tick in ticks]), label, lines)
    return ax


def _columns(ax: Axes, rows: pd.DataFrame, headings: dict[str, str]) -> tuple[float, float]:
    """Write the text; return where the room between it begins and ends. Narrow axes leave out the populations."""
    start, _ = write_columns(ax, rows.assign(bold=True), {"year": "Year"})
    start = _names(ax, rows, start)
    written = len(ax.texts)
    _, end = write_columns(ax, rows.assign(nothing=""), {"nothing": "", **headings})
    if end - start < _LEAST_ROOM and "population" in headings:
        for text in list(ax.texts)[written:]:
            text.remove()
        fewer = {name: heading for name, heading in headings.items() if name != "population"}
        _, end = write_columns(ax, rows.assign(nothing=""), {"nothing": "", **fewer})
    if end - start < _LEAST_ROOM:  # then the text runs under the effects
        start = max(end - 0.34, 0.0)
    return start, end


def _names(ax: Axes, rows: pd.DataFrame, start: float) -> float:
    """Write the meta-analyses' names beside the years; return where they end."""
    across = ax.get_yaxis_transform()
    texts = [
        plain_text(ax, start, y, shortened(name, LONGEST_LABEL), across)
        for name, y in zip(rows["name"], rows["y"], strict=True)
    ]
    texts.append(plain_text(ax, start, -1.1, "Meta-analysis", across, fontweight="bold", color=GREY))
    return start + text_width(texts, ax) + _GAP


def _draw(ax: Axes, rows: pd.DataFrame, limits: tuple[float, float]) -> None:
    bottom = float(rows["y"].max()) + 0.5
    for tick in _ticks(limits):
        ax.plot([tick, tick], [-0.6, bottom], color=LIGHT if tick else GREY, lw=0.8, zorder=0)
    ax.hlines(rows["y"], rows["low"], rows["high"], color=INK, lw=1.3, zorder=4)
    ends = pd.concat(
        [rows[["low", "y"]].set_axis(["x", "y"], axis=1), rows[["high", "y"]].set_axis(["x", "y"], axis=1)]
    )
    ax.plot(ends["x"], ends["y"], ls="", marker="|", ms=5, mew=1.3, color=INK, zorder=4)
    for hollow, face in ((False, ACCENT), (True, "white")):
        some = rows[rows["hollow"] == hollow]
        ax.scatter(
            some["estimate"], some["y"], s=some["area"], facecolors=face, edgecolors=ACCENT, linewidths=1.2, zorder=3
        )


def _ticks(limits: tuple[float, float]) -> list[float]:
    """Every tenth of r."""
    return [tenth / 10.0 for tenth in range(-10, 11) if limits[0] <= tenth / 10.0 <= limits[1]]


def _lines(result: History, rows: pd.DataFrame) -> list[str]:
    """What stands under the plot."""
    frame = result.to_frame()
    pieces = (
        ("area of a point: number of studies", True),
        ("in brackets of effects or samples", rows["studies"].str.startswith("(").any()),
        ("the smallest also where it is not printed", rows["studies"].eq("").any()),
        ("no line: no interval printed", rows["low"].isna().any()),
        ("hollow: quoted by another publication", rows["hollow"].any()),
    )
    marks = (("† d or g converted to r", (frame["metric"] != "r").any()), ("± sign turned", frame["turned"].any()))
    low, high = (apa(float(end), 2, bounded=True) for end in (rows["estimate"].min(), rows["estimate"].max()))
    shown = [text for text, holds in (*pieces, *marks) if holds]
    first, rest = "; ".join(shown[:4]), "; ".join(shown[4:])
    about = f"{result.construct} and {result.related_to}{f' ({result.population})' if result.population else ''}"
    several = len(rows) > 1
    counted = f"{len(rows)} meta-analyses, r = {low} to {high}." if several else f"1 meta-analysis, r = {low}."
    return [
        line
        for line in (
            f"{about[0].upper()}{about[1:]}: {counted}",
            "They share primary studies, so that agreement is partly the same data counted again." if several else "",
            f"{first[0].upper()}{first[1:]}{';' if rest else '.'}",
            f"{rest}." if rest else "",
        )
        if line
    ]
