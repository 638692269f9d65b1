"""A plot of any estimates with their intervals, one row each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from alliance_meta.plots._layout import forest_text
from alliance_meta.plots._rows import effect_ticks, finish_axis, padded, place_between, row_axes, write_columns
from alliance_meta.plots._style import ACCENT, GREY, INK

__all__ = ["estimates"]


def estimates(
    frame: pd.DataFrame, label: str, *, ax: Axes | None = None, null: float = 0.0, lines: Sequence[str] = ()
) -> Axes:
    """Plot estimates with their intervals.

    Parameters
    ----------
    frame : DataFrame
        term, estimate, ci_low, ci_high; bounds may be NaN.
    label : str
        Name of the axis.
    ax : Axes, optional
        Where to draw; a new figure by default.
    null : float
        Where no effect stands.
    lines : sequence of str
        Notes under the axis.

    Returns
    -------
    Axes
        x is the scale of the estimates; one unit of y is one row.

    Examples
    --------
    >>> frame = pd.DataFrame({"term": ["year"], "estimate": [0.2], "ci_low": [0.1], "ci_high": [0.3]})
    >>> estimates(frame, "Coefficient").get_xlabel()
    'Coefficient'
    """
    rows = pd.DataFrame({"label": frame["term"].astype(str), "y": np.arange(len(frame), dtype=float), "bold": False})
    rows[["effect", "low", "high"]] = frame[["estimate", "ci_low", "ci_high"]].to_numpy(dtype=float)
    numbers = rows[["effect", "low", "high"]].to_numpy(dtype=float)
    decimals = _decimals(numbers)
    rows["text"] = [forest_text(*row, decimals=decimals) for row in numbers.tolist()]
    ax = row_axes(ax, float(len(rows) - 1), lines=len(lines))
    ends = write_columns(ax, rows, {"label": "", "text": "estimate [95% CI]"})
    limits = padded([*numbers.ravel().tolist(), null])
    place_between(ax, limits, ends)
    ax.plot([null, null], [-0.6, len(rows) - 0.5], color=GREY, lw=0.8, zorder=1)
    ax.hlines(rows["y"], rows["low"], rows["high"], color=ACCENT, lw=3.0, zorder=2)
    ax.scatter(rows["effect"], rows["y"], s=34, color=INK, zorder=3, linewidths=0)
    finish_axis(ax, limits, effect_ticks(limits), label, list(lines))
    return ax


def _decimals(numbers: np.ndarray) -> int:
    """Three, or as many as leave two digits of the row whose numbers are smallest."""
    sizes = np.nanmax(np.abs(numbers), axis=1)
    smallest = float(sizes[sizes > 0.0].min(initial=1.0))
    return int(np.clip(1 - np.floor(np.log10(smallest)), 3, 8))
