"""The funnel plot over the power that each study has: the 'sunset' funnel."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from alliance_meta._tables import apa, number
from alliance_meta.errors import InputError
from alliance_meta.plots._funnel import explain, label_funnel
from alliance_meta.plots._rows import padded
from alliance_meta.plots._style import ACCENT, GREY, INK, plain_text
from alliance_meta.results.bias import AdequatelyPowered, ExcessSignificance
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.excess_significance import power_of_studies
from alliance_meta.stats.inference import critical_value

__all__ = ["power_bands", "power_funnel", "power_points"]

_EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_SUNSET = ("#f2a477", "#f8cdb0", "#fbe9dc", "#dfeaf1", "#b5d2e2")
"""From the least power to the most."""
_STEPS = 4001
_MARKS = 4
"""Entries of the legend before those of the bands."""
_THINNEST = 0.05
"""Of the axes' height, a band that has room for its name."""
_MANY = 200
"""Studies above which points are drawn smaller."""

Powered = ExcessSignificance | AdequatelyPowered


def power_points(result: Powered) -> pd.DataFrame:
    """Points of the figure.

    Parameters
    ----------
    result : ExcessSignificance or AdequatelyPowered

    Returns
    -------
    DataFrame
        label, effect (analysed scale), std_error, power (to find the pooled mean), filled: the adequately powered, or
        the significant ones of a test of excess significance.

    Raises
    ------
    InputError
        For another result, or without a mean that power could be computed for.
    """
    if not isinstance(result, Powered):
        raise InputError(
            f"power_funnel() draws the result of excess_significance() or waap(), not {type(result).__name__}"
        )
    effects = result.effects
    error = np.sqrt(effects.variance)
    power = _power(result, error)
    if np.isnan(power).any():
        raise InputError(f"the power of these effects is not known: {' '.join(result.notes)}")
    return pd.DataFrame(
        {
            "label": effects.labels,
            "effect": effects.effect,
            "std_error": error,
            "power": power,
            "filled": result.powered if isinstance(result, AdequatelyPowered) else result.significant,
        }
    )


def power_bands(result: Powered, deepest: float) -> pd.DataFrame:
    """Ranges of standard errors between which the power is of one fifth.

    Parameters
    ----------
    result : ExcessSignificance or AdequatelyPowered
    deepest : float
        The largest standard error.

    Returns
    -------
    DataFrame
        top, bottom (standard errors, from 0 to `deepest` without a gap), least, most (power).

    Examples
    --------
    >>> import alliance_meta as am
    >>> found = am.bias.waap(am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR"))
    >>> print(power_bands(found, 0.3).round(3).to_string(index=False))
      top  bottom  least  most
    0.000   0.091    0.8   1.0
    0.091   0.115    0.6   0.8
    0.115   0.149    0.4   0.6
    0.149   0.229    0.2   0.4
    0.229   0.300    0.0   0.2
    """
    error = np.linspace(0.0, deepest, _STEPS)
    power = _power(result, np.maximum(error, 1e-12 * deepest))
    band = np.clip(np.searchsorted(_EDGES, power, side="right") - 1, 0, len(_SUNSET) - 1)
    last = np.flatnonzero(np.diff(band))
    between = [_crossing(error[i : i + 2], power[i : i + 2]) for i in last.tolist()]
    which = band[[*last, _STEPS - 1]]
    edges = np.asarray(_EDGES)
    return pd.DataFrame(
        {
            "top": [0.0, *between],
            "bottom": [*between, deepest],
            "least": edges[which],
            "most": edges[which + 1],
        }
    )


def _crossing(error: FloatArray, power: FloatArray) -> float:
    """Where the power passes an edge between two neighbouring standard errors."""
    edge = next(each for each in _EDGES if min(power) <= each <= max(power))
    return float(np.interp(edge, np.sort(power), error[np.argsort(power)]))


def _power(result: Powered, error: FloatArray) -> FloatArray:
    null = result.effects.measure.null
    if isinstance(result, AdequatelyPowered):
        return power_of_studies(result.all_estimate - null, error**2)
    alpha, side = result.alpha, result.alternative
    return power_of_studies(result.estimate - null, error**2, result.tau2, alpha=alpha, alternative=side)


def power_funnel(result: Powered, *, ax: Axes | None = None) -> Axes:
    """Funnel plot over bands of power: how likely each study was to find the pooled mean.

    Many significant effects among studies of little power are more than the mean explains.

    Parameters
    ----------
    result : ExcessSignificance or AdequatelyPowered
        Of `excess_significance()`, whose significant effects are filled, or `waap()`, whose adequately powered are.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes
        x is the analysed scale (Fisher's z, labelled in r); y the standard error, 0 at the top. Effects outside the
        dotted lines are significant.

    Raises
    ------
    InputError
        For another result.

    References
    ----------
    Kossmeier, M., Tran, U. S., & Voracek, M. (2020). Zeitschrift für Psychologie, 228, 43-49.

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
    >>> power_funnel(am.bias.excess_significance(effects)).get_ylabel()
    'Standard error'
    """
    points, own_figure = power_points(result), ax is None
    deepest = 1.08 * float(points["std_error"].max())
    if ax is None:
        _, ax = plt.subplots(figsize=(7.4, 4.4), layout="constrained")
    null, mean = result.effects.measure.null, _mean(result)
    for top, bottom, least, most in power_bands(result, deepest).to_numpy(dtype=float).tolist():
        ax.axhspan(top, bottom, color=_SUNSET[_EDGES.index(least)], lw=0, zorder=0)
        if not own_figure and bottom - top > _THINNEST * deepest:  # a legend of all bands would cover studies
            text, across = f"Power {100 * least:.0f}–{100 * most:.0f}%", ax.get_yaxis_transform()
            plain_text(ax, 0.99, (top + bottom) / 2.0, text, across, ha="right", fontsize=7.5)
    for foot in _feet(result, deepest):
        ax.plot([null, null + foot], [0.0, deepest], color=INK, lw=0.9, ls=(0, (1, 2)), zorder=1)
    ax.axvline(null, color=GREY, lw=0.8, zorder=1)
    ax.axvline(mean, color=ACCENT, lw=1.2, zorder=1)
    if isinstance(result, AdequatelyPowered) and result.largest_error < deepest:
        ax.axhline(result.largest_error, color=INK, lw=0.8, zorder=1)
    size = 28 if len(points) <= _MANY else 12
    for filled, part in points.groupby("filled"):
        face = INK if filled else "white"
        ax.scatter(part["effect"], part["std_error"], s=size, facecolor=face, edgecolors=INK, linewidths=0.9, zorder=3)
    ax.set_xlim(*padded([*points["effect"], null, mean]))
    ax.set_ylim(deepest, 0.0)
    label_funnel(ax, result.effects.measure, [_said(result, points), result.effects.caveat])
    handles = _handles(result)
    explain(ax, handles if own_figure else handles[:_MARKS], beside=own_figure)
    return ax


def _mean(result: Powered) -> float:
    return result.all_estimate if isinstance(result, AdequatelyPowered) else result.estimate


def _feet(result: Powered, deepest: float) -> list[float]:
    """How far from no effect an effect with the largest standard error is significant, on each side that counts."""
    if isinstance(result, AdequatelyPowered):
        alpha, side = 0.05, "two-sided"
    else:
        alpha, side = result.alpha, result.alternative
    foot = deepest * float(critical_value(1.0 - (alpha if side == "two-sided" else 2.0 * alpha), np.inf))
    return {"two-sided": [-foot, foot], "greater": [foot], "less": [-foot]}[side]


def _said(result: Powered, points: pd.DataFrame) -> str:
    median = f"median power {number(100.0 * float(points['power'].median()), 0)}%"
    if isinstance(result, AdequatelyPowered):
        least = f"with {100.0 * result.power:g}% power or more to find the mean"
        return f"{int(result.powered.sum())} of {result.effects.k} effects {least}; {median}"
    return f"{result.observed} of {result.k} effects significant, {number(result.expected, 1)} expected; {median}"


def _handles(result: Powered) -> list[Line2D | Patch]:
    waap = isinstance(result, AdequatelyPowered)
    names = ("Adequately powered", "Less power") if waap else ("Significant", "Not significant")
    alpha, given = (0.05, False) if isinstance(result, AdequatelyPowered) else (result.alpha, result.given)
    level = apa(alpha, 2 if round(100.0 * alpha, 9).is_integer() else 3, bounded=True)
    lines: list[Line2D | Patch] = [
        Line2D([], [], marker="o", ls="", ms=5, mfc=face, mec=INK, mew=0.9, label=name)
        for face, name in zip((INK, "white"), names, strict=True)
    ]
    lines.append(Line2D([], [], color=ACCENT, lw=1.2, label="Mean given" if given else "Pooled mean"))
    lines.append(Line2D([], [], color=INK, lw=0.9, ls=(0, (1, 2)), label=f"p = {level}"))
    bands = [
        Patch(facecolor=color, edgecolor=GREY, lw=0.5, label=f"Power {100 * least:.0f}–{100 * most:.0f}%")
        for color, least, most in zip(_SUNSET, _EDGES[:-1], _EDGES[1:], strict=True)
    ]
    return [*lines, *bands[::-1]]
