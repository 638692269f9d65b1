"""The p-curve."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from alliance_meta._tables import apa
from alliance_meta.plots._style import ACCENT, GREY, INK, PALETTE
from alliance_meta.results.bias._significance import PCurve
from alliance_meta.stats import p_curve as kernel

__all__ = ["p_curve", "p_curve_points"]

_COUNT: dict[str, Any] = {
    "ha": "center",
    "fontsize": 8,
    "color": INK,
    "bbox": {"boxstyle": "square,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.8},
}
_EDGES = np.array([0.0, 0.01, 0.02, 0.03, 0.04, 0.05])


def p_curve_points(result: PCurve) -> pd.DataFrame:
    """The points of a p-curve: shares of the significant p values in five bins.

    Parameters
    ----------
    result : PCurve

    Returns
    -------
    DataFrame
        low, high (the bin), k, and percentages: observed (NaN without significant effects), no_effect, power_33.
    """
    counts = np.histogram(result.p_values[result.entered], bins=_EDGES)[0]
    weak = float(kernel.noncentrality(kernel.LOW_POWER))
    return pd.DataFrame(
        {
            "low": _EDGES[:-1],
            "high": _EDGES[1:],
            "k": counts,
            "observed": 100.0 * counts / result.k_significant if result.k_significant else np.nan,
            "no_effect": 100.0 * np.diff(_EDGES) / kernel.ALPHA,
            "power_33": 100.0 * kernel.shares(_EDGES, weak),
        }
    )


def p_curve(result: PCurve, *, ax: Axes | None = None) -> Axes:
    """Shares of significant p values in five bins, with those expected without effect and with 33 % power.

    A curve that falls from the left speaks for a true effect; a flat one for none; a rising one for p values pushed
    just below .05. With few significant effects its shape is mostly chance.

    Parameters
    ----------
    result : PCurve
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes
        x is the p value, y the percentage of significant effects.

    References
    ----------
    Simonsohn, U., Nelson, L. D., & Simmons, J. P. (2014). Journal of Experimental Psychology: General, 143, 534-547.

    Examples
    --------
    >>> import alliance_meta as am
    >>> from alliance_meta.bias._significance import p_curve as test
    >>> effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
    >>> p_curve(test(effects)).get_ylabel()
    'Significant effects (%)'
    """
    points = p_curve_points(result)
    x = points["high"].to_numpy()
    if ax is None:
        _, ax = plt.subplots(figsize=(6.0, 4.0), layout="constrained")
    ax.plot(x, points["no_effect"], color=GREY, lw=1.2, ls=(0, (4, 3)), zorder=1, label="expected without effect")
    ax.plot(
        x, points["power_33"], color=PALETTE[1], lw=1.2, ls=(0, (1, 1.5)), zorder=1, label="expected with 33% power"
    )
    counted = f"observed ({result.k_significant} of {result.k} effects)"
    ax.plot(x, points["observed"], color=ACCENT, lw=1.8, marker="o", ms=5, zorder=3, label=counted, clip_on=False)
    for place, share, k in zip(x, points["observed"], points["k"], strict=True):
        if np.isfinite(share):
            ax.annotate(f"{k}", (place, share), (0, 7), textcoords="offset points", **_COUNT)
    if not result.k_significant:
        ax.text(0.03, 50.0, "no significant effect", ha="center", fontsize=9, color=INK)
    ax.set_xticks(x, [apa(value, 2, bounded=True) for value in x])
    ax.set_xlim(0.005, 0.055)
    ax.set_ylim(0.0, 108.0)
    ax.set_yticks([0, 20, 40, 60, 80, 100])
    ax.set_xlabel("p value (each point: the hundredth up to it)", color=INK, fontsize=9)
    ax.set_ylabel("Significant effects (%)", color=INK, fontsize=9)
    ax.legend(loc="upper right", frameon=False, fontsize=8, labelcolor=INK)
    ax.tick_params(colors=INK, labelsize=8)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GREY)
    if result.effects.caveat:
        ax.set_title(result.effects.caveat, fontsize=8, color=GREY, loc="left", parse_math=False)
    return ax
