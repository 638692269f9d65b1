"""How likely publication was, against p."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from alliance_meta import _checks
from alliance_meta._tables import number
from alliance_meta.errors import InputError
from alliance_meta.plots._style import ACCENT, GREY, INK, LIGHT
from alliance_meta.results.bias._selection import SelectionModel
from alliance_meta.stats.selection import p_values

__all__ = ["selection_points", "selection_weights"]

_TICKS = (0.001, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
_APART = 0.045
"""Least distance of two tick labels, on the square roots of p."""
_FOOT = 0.12
"""Height of the strip below 0 that shows the effects."""


def selection_points(found: SelectionModel, level: float = 0.95) -> pd.DataFrame:
    """The steps of a selection model, one row an interval of p.

    Parameters
    ----------
    found : SelectionModel
    level : float
        Coverage of the profile-likelihood intervals.

    Returns
    -------
    DataFrame
        p_low, p_high, k, weight, ci_low, ci_high. The bounds of the first weight, which is 1, and of given weights are
        NaN.

    Examples
    --------
    >>> import alliance_meta as am
    >>> from alliance_meta.bias._selection import selection_model
    >>> found = selection_model(am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR"))
    >>> selection_points(found)[["p_low", "p_high", "k"]].values.tolist()
    [[0.0, 0.025, 7.0], [0.025, 1.0, 9.0]]
    """
    frame = found.to_frame(level)
    rows = frame[frame["part"] == "weight"]
    ends = [0.0, *found.settings.steps, 1.0]
    return pd.DataFrame(
        {
            "p_low": ends[:-1],
            "p_high": ends[1:],
            "k": found.counts,
            "weight": found.weights,
            "ci_low": rows["profile_low"].to_numpy(),
            "ci_high": rows["profile_high"].to_numpy(),
        }
    )


def selection_weights(found: SelectionModel, *, ax: Axes | None = None, level: float = 0.95) -> Axes:
    """Relative likelihood of publication against p, with profile-likelihood intervals and the effects' p values.

    Parameters
    ----------
    found : SelectionModel
    ax : Axes, optional
        Where to draw; a new figure by default.
    level : float
        Coverage of the intervals.

    Returns
    -------
    Axes
        x is p, spaced by its square root; y the likelihood of publication relative to the smallest p values. A small
        line at the foot is an effect.

    Raises
    ------
    InputError
        Where the model has no estimates.

    Examples
    --------
    >>> import alliance_meta as am
    >>> from alliance_meta.bias._selection import selection_model
    >>> found = selection_model(am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR"))
    >>> selection_weights(found).get_xlabel()
    'p, one-sided (spaced by its square root)'
    """
    level = _checks.level(level)
    if not found.converged:
        raise InputError("the selection model has no estimates to draw: its likelihood has no highest point")
    points = selection_points(found, level)
    top = _top(points)
    if ax is None:
        _, ax = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    ax.set_xscale("function", functions=(lambda p: np.sqrt(np.maximum(p, 0.0)), np.square))
    ax.axhline(1.0, color=GREY, lw=0.8, ls=(0, (4, 3)), zorder=1)
    for row in points.itertuples():
        low, high, below, above = (float(str(getattr(row, name))) for name in ("p_low", "p_high", "ci_low", "ci_high"))
        if not np.isnan(below):
            ax.fill_between([low, high], below, min(above, top), color=LIGHT, lw=0, zorder=0)
        if above > top and _roomy(low, high):
            ax.text(
                _middle(low, high), 0.985 * top, f"↑ {number(above, 1)}", ha="center", va="top", fontsize=7, color=GREY
            )
    ends = [*points["p_low"].tolist(), 1.0]
    ax.stairs(points["weight"].to_numpy(), ends, baseline=None, color=ACCENT, lw=1.8, zorder=3)
    _effects(ax, found, points)
    ax.set_xlim(0.0, 1.0)
    ax.set_ylim(-_FOOT * top, top)
    ax.set_yticks([tick for tick in ax.get_yticks() if 0.0 <= tick <= top])
    _label(ax, found, ends, level, bands=bool(points["ci_low"].notna().any()))
    return ax


def _top(points: pd.DataFrame) -> float:
    """The upper end of the axis: intervals are cut off at twice the largest weight."""
    largest = max(1.0, float(points["weight"].max()))
    above = float(points["ci_high"].max())
    return 1.08 * (largest if np.isnan(above) else min(max(largest, above), 2.0 * largest))


def _effects(ax: Axes, found: SelectionModel, points: pd.DataFrame) -> None:
    """A small line at the foot for each effect, and their number in each interval that has room for it."""
    p = p_values(found.effects.effect, found.effects.variance, found.settings.alternative)
    ax.axhline(0.0, color=GREY, lw=0.8, zorder=1)
    ax.vlines(p, 0.0, 0.035, transform=ax.get_xaxis_transform(), color=INK, lw=0.9, alpha=0.7, zorder=2)
    for row in points.itertuples():
        low, high = float(str(row.p_low)), float(str(row.p_high))
        if _roomy(low, high):
            at = _middle(low, high)
            ax.text(at, 0.05, f"{row.k}", transform=ax.get_xaxis_transform(), ha="center", fontsize=8, color=GREY)


def _roomy(low: float, high: float) -> bool:
    return bool(np.sqrt(high) - np.sqrt(low) >= _APART)


def _middle(low: float, high: float) -> float:
    """The middle of an interval as it is drawn."""
    return float(np.square(0.5 * (np.sqrt(low) + np.sqrt(high))))


def _label(ax: Axes, found: SelectionModel, ends: list[float], level: float, *, bands: bool) -> None:
    ticks = [0.0, 1.0]
    for value in sorted({*ends[1:], *_TICKS}, key=lambda each: (each not in ends, each)):
        if all(abs(np.sqrt(value) - np.sqrt(other)) >= _APART for other in ticks):
            ticks.append(value)
    ticks.sort()
    ax.set_xticks(ticks, [f"{tick:g}".removeprefix("0") or "0" for tick in ticks])
    ax.xaxis.set_minor_locator(NullLocator())
    sides = "two-sided" if found.settings.alternative == "two-sided" else "one-sided"
    ax.set_xlabel(f"p, {sides} (spaced by its square root)", color=INK, fontsize=9)
    ax.set_ylabel("Relative likelihood of publication", color=INK, fontsize=9)
    kind = f"weights given ({found.settings.weights})" if not found.estimated else ""
    shaded = f"Shaded: {100 * level:g}% profile-likelihood intervals. " if bands else ""
    foot = "At the foot: the effects, and how many lie in each interval."
    lines = [f"{kind[:1].upper()}{kind[1:]}", f"{shaded}{foot}", found.effects.caveat]
    ax.set_title("\n".join(filter(None, lines)), fontsize=8, color=GREY, loc="left", parse_math=False)
    ax.tick_params(colors=INK, labelsize=8)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GREY)
