"""The funnel plot with PET's line and PEESE's curve."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from alliance_meta import _checks
from alliance_meta.plots._funnel import explain, funnel, regression_points
from alliance_meta.plots._limit import draw_limit
from alliance_meta.plots._style import ACCENT, GREY, INK, PALETTE
from alliance_meta.pooling import pool
from alliance_meta.results.bias import PetPeese, SmallStudyEstimate

__all__ = ["pet_peese", "pet_peese_curves"]

_COLORS = {"PET": PALETTE[1], "PEESE": PALETTE[2]}


def pet_peese_curves(result: PetPeese | SmallStudyEstimate, deepest: float) -> pd.DataFrame:
    """The effect that PET and PEESE expect at each standard error.

    Parameters
    ----------
    result : PetPeese or SmallStudyEstimate
    deepest : float
        The largest standard error.

    Returns
    -------
    DataFrame
        method ("PET": a line, "PEESE": a parabola), used, std_error, from 0 to `deepest`, and effect on the analysed
        scale; each method's first row is its estimate.
    """
    used = _used(result)
    each = (result.pet, result.peese) if isinstance(result, PetPeese) else (result,)
    parts = [regression_points(one.regression, deepest).assign(method=one.method, used=one is used) for one in each]
    return pd.concat(parts, ignore_index=True)[["method", "used", "std_error", "effect"]]


def _used(result: PetPeese | SmallStudyEstimate) -> SmallStudyEstimate:
    return result.chosen if isinstance(result, PetPeese) else result


def pet_peese(result: PetPeese | SmallStudyEstimate, *, ax: Axes | None = None, level: float = 0.95) -> Axes:
    """Funnel plot with what PET and PEESE expect at each standard error: the estimate is where the curve ends.

    Parameters
    ----------
    result : PetPeese or SmallStudyEstimate
        Of `pet_peese()`, `pet()` or `peese()`.
    ax : Axes, optional
        Where to draw; a new figure by default.
    level : float
        Of the funnel, and coverage of the estimate's interval.

    Returns
    -------
    Axes
        x is the analysed scale (Fisher's z, labelled in r); y the standard error, 0 at the top. The funnel stands at
        the mean by the same model without standard errors.

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
    >>> pet_peese(am.bias.pet_peese(effects)).get_ylabel()
    'Standard error'
    """
    own_figure, used = ax is None, _used(result)
    low, high = used.confidence_interval(_checks.level(level))
    fit = pool(result.effects, tau2_method=used.regression.settings.tau2_method or "EE", test="z", dependent="allow")
    if ax is None:
        _, ax = plt.subplots(figsize=(7.4, 4.4), layout="constrained")
    funnel(fit, ax=ax, level=level)
    curves = pet_peese_curves(result, max(ax.get_ylim()))
    handles = [
        Line2D([], [], color=INK, marker="o", ls="", ms=5, mew=0, label="Study"),
        Line2D([], [], color=ACCENT, lw=1.0, label="Uncorrected mean"),
    ]
    said = ", used" if isinstance(result, PetPeese) else ""
    for method, curve in curves.groupby("method", sort=False):
        color, chosen = _COLORS[str(method)], bool(curve["used"].iloc[0])
        if chosen:
            draw_limit(ax, curve, (low, used.estimate, high), color)
        else:
            ax.plot(curve["effect"], curve["std_error"], color=color, lw=1.2, ls=(0, (6, 2)), zorder=3)
        how: dict[str, Any] = {"lw": 1.6, "marker": "D", "ms": 5} if chosen else {"lw": 1.2, "ls": (0, (6, 2))}
        handles.append(Line2D([], [], color=color, label=f"{method}{said if chosen else ''}", **how))
    explain(ax, handles, beside=own_figure)
    words = f"Diamond: effect expected without sampling error, with {100 * level:g}% CI"
    ax.set_title(f"{words}\n{ax.get_title(loc='left')}", fontsize=8, color=GREY, loc="left", pad=10.0)
    return ax
