"""What becomes of a result as studies of no effect are added, up to its fail-safe number and beyond."""

from __future__ import annotations

from math import isfinite, isnan, nan

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from scipy import special

from alliance_meta import _checks
from alliance_meta.errors import InputError
from alliance_meta.plots._rows import effect_ticks, padded, shown_null
from alliance_meta.plots._style import ACCENT, GREY, INK, LIGHT, PALETTE
from alliance_meta.results.bias import FailSafeN
from alliance_meta.stats._arrays import FloatArray, IntArray
from alliance_meta.stats.fail_safe import with_null_studies
from alliance_meta.stats.inference import critical_value, two_sided_p_value
from alliance_meta.stats.random_effects import random_effects

__all__ = ["fail_safe", "fail_safe_points"]

_POINTS = 121
_NUMBERS_AT_ONCE = 1 << 20
_BEYOND = 1.5
_P_NAMES = {"rosenthal": "Combined p, one-sided", "rosenberg": "Equal-effects p", "general": "Random-effects p"}


def fail_safe_points(result: FailSafeN, *, level: float = 0.95) -> pd.DataFrame:
    """The mean or the p value with ever more studies of no effect.

    Parameters
    ----------
    result : FailSafeN
    level : float
        Of the interval of the general method's mean.

    Returns
    -------
    DataFrame
        added, from 0 to half as many again as the fail-safe number, which is one of them; value: the p value, or, where
        there is a target, the mean on the analysed scale; low, high: its interval, NaN but for ``"general"``.

    Raises
    ------
    InputError
        Where there is no fail-safe number, since there is no p value to undo.

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
    >>> points = fail_safe_points(am.bias.fail_safe_n(effects)).set_index("added")
    >>> print(f"{points['value'][0]:.1e} {points['value'][268]:.3f}")
    2.1e-12 0.050
    """
    if isnan(result.number):
        raise InputError(f"there is no fail-safe number to draw. {result.sentence}")
    added = _numbers(result)
    if result.method == "general":
        value, low, high = _general(result, added, _checks.level(level))
    else:
        value = _classical(result, added)
        low = high = np.full(value.shape, nan)
    return pd.DataFrame({"added": added, "value": value, "low": low, "high": high})


def _numbers(result: FailSafeN) -> IntArray:
    found = isfinite(result.number)
    end = _BEYOND * result.number if found else 2.0 * result.tolerance
    end = max(end, result.k, 1.1 * result.tolerance if result.method == "rosenthal" else 0.0)
    most = _POINTS if result.method != "general" else int(np.clip(_NUMBERS_AT_ONCE // (result.k + end), 6, _POINTS))
    known = [result.number] if found else []
    return np.unique(np.rint([*np.linspace(0.0, end, most), *known]).astype(np.intp))


def _classical(result: FailSafeN, added: IntArray) -> FloatArray:
    """N studies of no effect shrink Orwin's mean by k / (k + N), and the others' z by the root of it."""
    share, null = result.k / (result.k + added), result.effects.measure.null
    if result.method == "orwin":
        return np.asarray(null + (result.estimate - null) * share)
    if result.method == "rosenthal":
        return np.asarray(special.ndtr(-np.abs(result.estimate * np.sqrt(share))))
    z = (result.estimate - null) * np.sqrt((1.0 / result.effects.variance).sum())
    return two_sided_p_value(z * np.sqrt(share), np.inf)


def _general(result: FailSafeN, added: IntArray, level: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    effects, null = result.effects, result.effects.measure.null
    tau2 = float(np.nan_to_num(result.tau2))
    data = with_null_studies(effects.effect - null, effects.variance, tau2, added)
    fit = random_effects(*data, tau2_method=result.tau2_method, test=result.test)
    if isnan(result.target):
        none = np.full(added.shape, nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            return two_sided_p_value(fit.estimate / fit.std_error, fit.df), none, none
    half = critical_value(level, fit.df) * fit.std_error
    return fit.estimate + null, fit.estimate - half + null, fit.estimate + half + null


def fail_safe(result: FailSafeN, *, ax: Axes | None = None, level: float = 0.95) -> Axes:
    """Draw how the mean or the p value moves as studies of no effect are added.

    Parameters
    ----------
    result : FailSafeN
    ax : Axes, optional
        Where to draw; a new figure by default.
    level : float
        Of the band about the general method's mean.

    Returns
    -------
    Axes
        x is the number of studies added; y the p value, or the mean on the scale shown to people (a logarithm for
        ratios). The dashed line is what the studies are to bring about, the dot where they do.

    Raises
    ------
    InputError
        Where there is no fail-safe number.

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
    >>> fail_safe(am.bias.fail_safe_n(effects)).get_ylabel()
    'Combined p, one-sided'
    """
    points, mean = fail_safe_points(result, level=level), not isnan(result.target)
    own, goal = result.effects.measure, result.alpha
    if mean:
        goal = float(_place(result, np.array(result.target)))
        for name in ("value", "low", "high"):
            points[name] = _place(result, points[name].to_numpy(dtype=float))
    if ax is None:
        _, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    ax.fill_between(points["added"], points["low"], points["high"], color=LIGHT, lw=0, zorder=0)
    ax.plot(points["added"], points["value"], color=ACCENT, lw=1.8, zorder=3)
    ax.axhline(goal, color=PALETTE[1], lw=1.0, ls=(0, (4, 3)), zorder=2)
    if result.method == "rosenthal":
        ax.axvline(result.tolerance, color=GREY, lw=0.9, ls=(0, (1, 2)), zorder=1)
    ax.set_xlim(0.0, float(points["added"].max()))
    if mean:
        ax.axhline(shown_null(own), color=GREY, lw=0.8, zorder=1)
        ax.set_ylim(*padded([*points["value"], *points["low"], *points["high"], goal, shown_null(own)]))
        ax.set_yticks(*effect_ticks(ax.get_ylim(), ratio=own.is_ratio, bounded=own.bounded))
    else:
        ax.set_ylim(0.0, 1.08 * max(float(points["value"].max()), goal))
    if isfinite(result.number):
        there = points.loc[points["added"] == int(result.number), "value"].iloc[0]
        ax.vlines(result.number, ax.get_ylim()[0], there, color=GREY, lw=0.8, zorder=1)
        ax.plot([result.number], [there], marker="o", ms=6, color=INK, zorder=4, clip_on=False)
    _describe(ax, result, level, mean=mean)
    return ax


def _place(result: FailSafeN, values: FloatArray) -> FloatArray:
    own = result.effects.measure
    return values if own.is_ratio else np.asarray(own.to_display(values))


def _describe(ax: Axes, result: FailSafeN, level: float, *, mean: bool) -> None:
    ax.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
    ax.set_xlabel("Studies of no effect added", color=INK, fontsize=9)
    label = f"Mean: {result.effects.measure.display_label}" if mean else _P_NAMES[result.method]
    ax.set_ylabel(label, color=INK, fontsize=9, parse_math=False)
    ax.tick_params(colors=INK, labelsize=8)
    ax.spines[["right", "top"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GREY)
    legend = {
        "rosenthal": f"Dotted: Rosenthal's rule of thumb, 5k + 10 = {result.tolerance}",
        "general": f"Shaded: {100 * level:g}% interval of the mean" if mean else "",
    }.get(result.method, "")
    notes = [result.headline, legend, result.effects.caveat]
    ax.set_title("\n".join(filter(None, notes)), fontsize=8, color=GREY, loc="left", parse_math=False)
