"""The funnel plot."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from alliance_meta import _checks
from alliance_meta._tables import apa
from alliance_meta.plots._layout import funnel_points
from alliance_meta.plots._style import ACCENT, GREY, INK, LIGHT
from alliance_meta.results import PooledEffect
from alliance_meta.stats import conversions
from alliance_meta.stats.inference import critical_value

__all__ = ["funnel"]

_R_TICKS = np.array([-0.99, -0.95, -0.9, -0.8, -0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99])


def funnel(fit: PooledEffect, *, ax: Axes | None = None, level: float = 0.95) -> Axes:
    """Funnel plot: each effect against its standard error, with the region sampling error alone would fill.

    Small studies that scatter to one side only are a sign that others are missing, or that small studies differ.

    Parameters
    ----------
    fit : PooledEffect
    ax : Axes, optional
        Where to draw; a new figure by default.
    level : float
        Share of studies that the region would hold if all had the pooled effect.

    Returns
    -------
    Axes
        x is the analysed scale (Fisher's z, labelled in r); y the standard error, 0 at the top.

    References
    ----------
    Sterne, J. A. C., & Egger, M. (2001). Journal of Clinical Epidemiology, 54, 1046-1055.

    Examples
    --------
    >>> import alliance_meta as am
    >>> fit = am.pool(am.effect_sizes(r=[0.3, 0.1, 0.2], n=[28, 103, 50], study=["A", "B", "C"]))
    >>> funnel(fit).get_ylabel()
    'Standard error'
    """
    points = funnel_points(fit)
    critical = float(critical_value(_checks.level(level), np.inf))
    if ax is None:
        _, ax = plt.subplots(figsize=(5.6, 4.4), layout="constrained")
    deepest = 1.08 * float(points["std_error"].max())
    foot = critical * deepest
    ax.fill([fit.estimate, fit.estimate - foot, fit.estimate + foot], [0.0, deepest, deepest], color=LIGHT, zorder=0)
    for side in (-foot, foot):
        ax.plot([fit.estimate, fit.estimate + side], [0.0, deepest], color=GREY, lw=0.8, ls=(0, (3, 2)), zorder=1)
    ax.axvline(fit.estimate, color=ACCENT, lw=1.0, zorder=1)
    ax.scatter(points["effect"], points["std_error"], s=26, color=INK, alpha=0.85, linewidths=0, zorder=2)
    low = min(float(points["effect"].min()), fit.estimate - foot)
    high = max(float(points["effect"].max()), fit.estimate + foot)
    ax.set_xlim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    ax.set_ylim(deepest, 0.0)
    _label(ax, fit, level)
    return ax


def _label(ax: Axes, fit: PooledEffect, level: float) -> None:
    measure = fit.effects.measure
    label = measure.label
    if measure.scale == "z":
        ends = ax.get_xlim()
        ticks = [r for r in _R_TICKS if ends[0] <= float(conversions.r_to_z(r)) <= ends[1]]
        names = [apa(r, 2 if abs(r) > 0.9 else 1, bounded=True) if r else "0" for r in ticks]
        ax.set_xticks(conversions.r_to_z(ticks), names)
        label = f"{measure.display_label} (spaced as Fisher's z)"
    ax.set_xlabel(label, fontsize=9, color=INK)
    ax.set_ylabel("Standard error", fontsize=9, color=INK)
    ax.tick_params(colors=INK, labelsize=8)
    ax.spines[["right", "top"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GREY)
    notes = [f"Shaded: {100 * level:g}% of studies, if all shared the pooled effect", fit.effects.caveat]
    ax.set_title("\n".join(filter(None, notes)), fontsize=8, color=GREY, loc="left")
