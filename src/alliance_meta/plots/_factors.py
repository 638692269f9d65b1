"""Wampold and Imel's picture: effects of factors of psychotherapy against shares of outcome variance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from alliance_meta.evidence import CommonFactors
from alliance_meta.evidence._factors import PARTS, d_text
from alliance_meta.evidence._published import records
from alliance_meta.evidence._view import interval_text
from alliance_meta.plots._rows import effect_ticks, finish_axis, padded, place_between, row_axes, write_columns
from alliance_meta.plots._style import ACCENT, GREY, INK, LIGHT, PALETTE, fonts, plain_text
from alliance_meta.stats import conversions

__all__ = ["common_factors", "factor_rows", "share_ticks"]

_SHARES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
_RECOMPUTED = PALETTE[1]
_WIDTH = 10.5
_LACKING = "no number in the data"
_BETWEEN = 0.4


def factor_rows(result: CommonFactors) -> pd.DataFrame:
    """Where and how each number is drawn: parts one below the other, the largest printed d first.

    Returns
    -------
    DataFrame
        y, kind (``"part"``, ``"printed"``, ``"recomputed"`` or ``"lacking"``), name (of a recomputed value below its
        printed one, that it is), light (whether it is), d, low, high, share, hollow (second-hand), text, share_text,
        source.
    """
    frame = result.to_frame()
    lines: list[dict[str, object]] = []
    y = 0.0
    empty = {"d": np.nan, "low": np.nan, "high": np.nan, "share": np.nan, "hollow": False, "light": False}
    words = {"text": "", "share_text": "", "source": ""}
    for part in PARTS:
        some = frame[frame["part"] == part]
        if some.empty:
            continue
        y += _BETWEEN if lines else 0.0
        lines.append({"y": y, "kind": "part", "name": f"{part[0].upper()}{part[1:]}", **empty, **words})
        first = some.groupby("factor")["d"].transform("first").fillna(-np.inf)
        for row in some.assign(first=first).sort_values("first", ascending=False, kind="stable").pipe(records):
            y += 1.0
            again = row["factor"] == lines[-1].get("factor")
            lines.append({"y": y, "factor": row["factor"], "light": again} | _cells(row))
            lines[-1]["name"] = "recomputed" if again else row["factor"]
        y += 1.0
    return pd.DataFrame(lines).drop(columns="factor")


def _cells(row: dict[str, Any]) -> dict[str, object]:
    lacking = row["status"] == "lacking"
    d, low, high, share = (float(row[name]) for name in ("d", "d_low", "d_high", "share"))
    interval = interval_text(low, high)
    return {
        "kind": row["status"],
        "d": d,
        "low": low,
        "high": high,
        "share": share,
        "hollow": bool(row["second_hand"]),
        "text": "" if lacking else f"{d_text(row)} {'' if interval == '–' else interval}".strip(),
        "share_text": "" if lacking else f"{100 * share:.1f}%",
        "source": str(row["label"]).removesuffix(", recomputed"),
    }


def share_ticks(limits: tuple[float, float]) -> tuple[list[float], list[str]]:
    """Places of d on an axis at which round shares of variance lie, from 0 upwards, and their names.

    Examples
    --------
    >>> places, names = share_ticks((-0.3, 0.75))
    >>> [round(place, 2) for place in places], names
    ([0.0, 0.2, 0.29, 0.46, 0.67], ['0%', '1%', '2%', '5%', '10%'])
    """
    found = [(float(conversions.r_to_d(conversions.r2_to_r(share))), f"{100 * share:.0f}%") for share in _SHARES]
    least = 0.08 * (limits[1] - limits[0])
    places: list[float] = []
    names: list[str] = []
    for place, name in found:
        if place <= limits[1] and (not places or place - places[-1] >= least):
            places.append(place)
            names.append(name)
    return places, names


def common_factors(result: CommonFactors, *, ax: Axes | None = None) -> Axes:
    """Effects of factors of psychotherapy against shares of outcome variance, with what is lacking named.

    Parameters
    ----------
    result : CommonFactors
    ax : Axes, optional
        Where to draw; a new figure of fitting height by default.

    Returns
    -------
    Axes
        x is d below, the share of variance d² / (d² + 4) above; one unit of y is one row, counted from the top. Printed
        values are circles (hollow where second-hand), recomputed ones diamonds; without a line there is no interval.

    Examples
    --------
    >>> from alliance_meta.evidence import common_factors as factors
    >>> common_factors(factors()).get_xlabel()
    'Effect, d'
    """
    rows = factor_rows(result)
    rows["bold"] = rows["kind"] == "part"
    lines = _lines()
    own = ax is None
    ax = row_axes(ax, float(rows["y"].max()), lines=len(lines))
    if own and ax.figure is not None:
        ax.figure.set_figwidth(_WIDTH)  # type: ignore[union-attr]
    ends = write_columns(ax, rows, {"name": "Factor", "source": "Source", "share_text": "Share", "text": "d [95% CI]"})
    limits = padded([*rows["low"], *rows["high"], *rows["d"], 0.0])
    place_between(ax, limits, ends)
    _draw(ax, rows, sum(limits) / 2.0)
    _top(ax, rows, limits)
    finish_axis(ax, limits, effect_ticks(limits), "Effect, d", lines)
    _legend(ax, rows)
    return ax


def _draw(ax: Axes, rows: pd.DataFrame, middle: float) -> None:
    for y in rows.loc[rows["kind"] == "lacking", "y"]:
        patch = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
        plain_text(
            ax, middle, y, _LACKING, ax.transData, ha="center", fontsize=8, color=GREY, style="italic", bbox=patch
        )
    for kind, marker, colour in (("printed", "o", ACCENT), ("recomputed", "D", _RECOMPUTED)):
        some = rows[rows["kind"] == kind]
        ax.barh(some["y"], some["d"], height=0.56, color=colour, alpha=0.16, lw=0, zorder=1)
        ax.hlines(some["y"], some["low"], some["high"], color=colour, lw=1.5, zorder=2)
        face = ["white" if hollow else colour for hollow in some["hollow"]]
        size = 44 if kind == "printed" else 32
        ax.scatter(some["d"], some["y"], s=size, marker=marker, facecolors=face, edgecolors=colour, lw=1.3, zorder=3)


def _top(ax: Axes, rows: pd.DataFrame, limits: tuple[float, float]) -> None:
    """The axis of shares above the rows, with lines down through them."""
    bottom = float(rows["y"].max()) + 0.5
    places, names = share_ticks(limits)
    for place, name in zip(places, names, strict=True):
        ax.plot([place, place], [-0.45, bottom], color=GREY if place == 0.0 else LIGHT, lw=0.8, zorder=0)
        plain_text(ax, place, -0.8, name, ax.transData, ha="center", fontsize=8)
    middle = (places[0] + places[-1]) / 2.0
    plain_text(ax, middle, -1.5, "Share of outcome variance", ax.transData, ha="center", fontsize=9)


def _legend(ax: Axes, rows: pd.DataFrame) -> None:
    """What the marks mean, under the columns of text."""
    kinds = set(rows["kind"])
    marks = (
        ("printed", "o", ACCENT, ACCENT, "printed"),
        ("hollow", "o", "white", ACCENT, "printed, second-hand"),
        ("recomputed", "D", _RECOMPUTED, _RECOMPUTED, "recomputed from its studies"),
    )
    handles = [
        Line2D([], [], ls="", marker=marker, mfc=face, mec=edge, ms=6, label=label)
        for kind, marker, face, edge, label in marks
        if kind in kinds or (kind == "hollow" and rows["hollow"].any())
    ]
    legend = ax.legend(
        handles=handles,
        loc="upper right",
        bbox_to_anchor=(1.0, 0.0),
        bbox_transform=ax.transAxes,
        borderaxespad=0.6,
        frameon=False,
        fontsize=8,
        labelspacing=0.3,
        handletextpad=0.3,
        borderpad=0.0,
    )
    for text in legend.get_texts():
        text.set(color=INK, family=fonts())


def _lines() -> list[str]:
    return [
        "A larger d is no stronger cause: relationship factors are correlations with outcome, the others mostly "
        "compare treatments. Shares overlap and must not be added.",
        "Treatment differences are a mean whose sign is arbitrary; allegiance is what one SD of its balance goes with.",
        "Bars start at no effect; without a line there is no interval.",
    ]
