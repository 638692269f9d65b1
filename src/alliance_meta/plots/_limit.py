"""The funnel plot with the curve of a limit meta-analysis."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from alliance_meta import _checks
from alliance_meta.plots._funnel import funnel
from alliance_meta.plots._style import GREY, PALETTE
from alliance_meta.results.bias._adjusted import LimitMeta

__all__ = ["draw_limit", "limit_curve", "limit_funnel"]

_POINTS = 101
_ADJUSTED = PALETTE[1]


def limit_curve(result: LimitMeta, deepest: float) -> pd.DataFrame:
    """The effect that the model expects at each standard error.

    Parameters
    ----------
    result : LimitMeta
    deepest : float
        The largest standard error.

    Returns
    -------
    DataFrame
        std_error, from 0 to `deepest`, and effect on the analysed scale; the first row is the limit.
    """
    error = np.linspace(0.0, deepest, _POINTS)
    return pd.DataFrame({"std_error": error, "effect": result.curve(error)})


def limit_funnel(result: LimitMeta, *, ax: Axes | None = None, level: float = 0.95) -> Axes:
    """Funnel plot with the curve of a limit meta-analysis: how effects are expected to change with precision.

    Parameters
    ----------
    result : LimitMeta
    ax : Axes, optional
        Where to draw; a new figure by default.
    level : float
        Of the funnel, and coverage of the interval of the limit.

    Returns
    -------
    Axes
        x is the analysed scale (Fisher's z, labelled in r); y the standard error, 0 at the top. The curve ends there in
        the limit, drawn with its interval.

    Examples
    --------
    >>> import alliance_meta as am
    >>> from alliance_meta.bias._adjusted import limit_meta
    >>> effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
    >>> limit_funnel(limit_meta(effects)).get_ylabel()
    'Standard error'
    """
    low, high = result.to_frame(_checks.level(level))[["ci_low", "ci_high"]].to_numpy(dtype=float)[1].tolist()
    ax = funnel(result.unadjusted, ax=ax, level=level)
    draw_limit(ax, limit_curve(result, max(ax.get_ylim())), (low, result.estimate, high), _ADJUSTED)
    words = f"Curve: expected effect; diamond: its limit with {100 * level:g}% CI"
    ax.set_title(f"{words}\n{ax.get_title(loc='left')}", fontsize=8, color=GREY, loc="left", pad=10.0)
    return ax


def draw_limit(ax: Axes, curve: pd.DataFrame, limit: tuple[float, float, float], color: str) -> None:
    """Draw a curve of effects in a funnel, and at its top the estimate with its bounds: all of it comes into view."""
    low, estimate, high = limit
    ax.plot(curve["effect"], curve["std_error"], color=color, lw=1.6, zorder=3)
    ax.plot([low, high], [0.0, 0.0], color=color, lw=2.4, zorder=4, clip_on=False, solid_capstyle="butt")
    ax.plot([estimate], [0.0], marker="D", ms=6, color=color, zorder=5, clip_on=False)
    left, right = ax.get_xlim()
    least = float(np.nanmin([low, curve["effect"].min()]))
    most = float(np.nanmax([high, curve["effect"].max()]))
    margin = 0.04 * (max(right, most) - min(left, least))
    ax.set_xlim(left if left <= least else least - margin, right if right >= most else most + margin)
