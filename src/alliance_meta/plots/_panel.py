"""The panel: a forest of analyses instead of studies."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from alliance_meta._tables import apa
from alliance_meta.plots._rows import draw_estimates
from alliance_meta.results.sensitivity import Panel

__all__ = ["panel", "panel_rows"]

_GAP = 0.5


def panel_rows(result: Panel) -> pd.DataFrame:
    """What the panel's figure shows, as rows.

    Parameters
    ----------
    result : Panel

    Returns
    -------
    DataFrame
        y, kind ("group", "usual" or "analysis"), label, text, bold, and low, estimate, high on the axis (the shown
        scale, the logarithm for ratios); NaN without a number.
    """
    own = result.effects.measure
    frame = result.to_frame() if own.is_ratio else result.on_display_scale()
    shown = result.on_display_scale()
    rows: list[dict[str, object]] = []
    y, group = 0.0, ""
    for place, (row, text) in enumerate(zip(frame.to_dict("records"), shown.to_dict("records"), strict=True)):
        if row["group"] != group:
            y += _GAP if group else 0.0
            group = str(row["group"])
            rows.append({"y": y, "kind": "group", "label": group, "text": "", "bold": True})
            y += 1.0
        rows.append(
            {
                "y": y,
                "kind": "usual" if place == 0 else "analysis",
                "label": f"   {row['analysis']}",
                "text": _text(text, bounded=own.bounded),
                "bold": False,
                "low": row["ci_low"],
                "estimate": row["estimate"],
                "high": row["ci_high"],
            }
        )
        y += 1.0
    return pd.DataFrame(rows)


def _text(row: Mapping[Hashable, Any], *, bounded: bool) -> str:
    if row["why"]:
        return "not to be had"
    estimate, low, high = (apa(float(row[name]), 2, bounded=bounded) for name in ("estimate", "ci_low", "ci_high"))
    return f"{estimate} [{low}, {high}]"


def panel(result: Panel, *, ax: Axes | None = None) -> Axes:
    """Draw the mean of each analysis with its interval, grouped by what the analysis allows for.

    Parameters
    ----------
    result : Panel
    ax : Axes, optional
        Where to draw; a new figure by default, as high as the rows need.

    Returns
    -------
    Axes
        x is the scale shown to people (a logarithm for ratios).

    Examples
    --------
    >>> import alliance_meta as am
    >>> found = am.sensitivity.panel(am.effect_sizes(am.datasets.load("kolden2011")))
    >>> panel(found).get_xlabel()
    'Correlation r'
    """
    interval = f"{result.effects.measure.display_scale} [{100 * result.level:g}% CI]"
    said = "Shaded: interval of the usual model; dashed: its mean."
    headings = {"label": "Analysis", "text": interval}
    return draw_estimates(panel_rows(result), result.effects, headings, (said,), ax=ax)
