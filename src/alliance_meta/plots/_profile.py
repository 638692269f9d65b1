"""The profile likelihood of a variance component."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from alliance_meta._tables import small
from alliance_meta.plots._nested_layout import profile_points
from alliance_meta.plots._style import ACCENT, GREY, INK, LIGHT
from alliance_meta.results import Multilevel
from alliance_meta.stats.inference import critical_value

__all__ = ["profile"]

_DEEPEST = 3.0
"""How far down the curve is shown, in units of the drop that ends the interval."""


def profile(fit: Multilevel, level_of: str, *, ax: Axes | None = None, level: float = 0.95) -> Axes:
    """Profile log-likelihood of a level's variance component, with the interval it gives.

    A single peak that falls on both sides, or from 0, says that the component can be told; a flat curve that it cannot.

    Parameters
    ----------
    fit : Multilevel
    level_of : str
        A name in `fit.levels`.
    ax : Axes, optional
        Where to draw; a new figure by default.
    level : float
        Coverage of the interval.

    Returns
    -------
    Axes
        x is the variance component, y the log-likelihood less its maximum.

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("farber_doolin2011_effects"), measure="ZCOR")
    >>> profile(am.multilevel(effects), "study").get_xlabel()
    'Variance component of study (τ²)'
    """
    points = profile_points(fit, level_of, level=level)
    interval = fit.component_interval(level_of, level)
    estimate = float(fit.components[fit.levels.index(level_of)])
    drop = 0.5 * float(critical_value(level, np.inf)) ** 2
    if ax is None:
        _, ax = plt.subplots(figsize=(6.0, 4.0), layout="constrained")
    ax.axhline(-drop, color=GREY, lw=0.8, ls=(0, (4, 3)), zorder=1)
    ax.axvspan(interval.low, interval.high, color=LIGHT, lw=0, zorder=0)
    ax.plot(points["component"], points["log_likelihood"], color=ACCENT, lw=1.8, zorder=3)
    ax.plot([estimate], [0.0], marker="o", ms=5, color=INK, zorder=4, clip_on=False)
    ax.set_xlim(0.0, float(points["component"].max()))
    ax.set_ylim(max(float(points["log_likelihood"].min()), -_DEEPEST * drop) * 1.04, 0.12 * drop)
    ax.set_xlabel(f"Variance component of {level_of} (τ²)", color=INK, fontsize=9, parse_math=False)
    ax.set_ylabel("Profile log-likelihood, less its maximum", color=INK, fontsize=9)
    shown = f"{small(estimate)}, {100 * level:g}% CI [{small(interval.low)}, {small(interval.high)}]"
    ax.set_title(shown, color=INK, fontsize=9, loc="left")
    ax.tick_params(colors=INK, labelsize=8)
    ax.spines[["top", "right"]].set_visible(False)
    return ax
