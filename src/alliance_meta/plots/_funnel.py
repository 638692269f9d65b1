"""The funnel plot."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from alliance_meta import _checks
from alliance_meta._tables import apa
from alliance_meta.errors import InputError
from alliance_meta.measures import Measure
from alliance_meta.plots._layout import funnel_points
from alliance_meta.plots._style import ACCENT, GREY, INK, LIGHT, PALETTE, fonts
from alliance_meta.results import PooledEffect
from alliance_meta.results.bias._small_study import EggerTest
from alliance_meta.stats import conversions
from alliance_meta.stats.inference import critical_value

__all__ = ["Region", "contour_regions", "explain", "funnel", "label_funnel", "regression_points"]

_R_TICKS = np.array([-0.99, -0.95, -0.9, -0.8, -0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99])
_SHADES = {
    1: ("#ffffff", "#dce1e7"),
    2: ("#ffffff", "#c3cad3", "#e6eaef"),
    3: ("#ffffff", "#c3cad3", "#dce1e7", "#eff2f5"),
}
"""Of p values from the largest to the smallest, for each number of contours."""
_MOST_CONTOURS = max(_SHADES)
_MANY = 200
"""Studies above which points are drawn smaller."""
_STEPS = 101


class Filled(Protocol):
    """A result that has studies it added, such as that of trim and fill."""

    @property
    def imputed(self) -> pd.DataFrame:
        """Columns effect (analysed scale) and variance."""


def funnel(
    fit: PooledEffect,
    *,
    ax: Axes | None = None,
    level: float = 0.95,
    contours: Sequence[float] = (),
    egger: EggerTest | None = None,
    filled: Filled | pd.DataFrame | None = None,
) -> Axes:
    """Funnel plot: each effect against its standard error, with the region sampling error alone would fill.

    Small studies that scatter to one side only are a sign that others are missing, or that small studies differ.

    Parameters
    ----------
    fit : PooledEffect
    ax : Axes, optional
        Where to draw; a new figure by default.
    level : float
        Share of studies that the region would hold if all had the pooled effect.
    contours : sequence of up to three levels
        Shade where a study differs from no effect with such confidence, in place of the region: with
        ``(0.90, 0.95, 0.99)`` by p of .10, .05 and .01. Studies that seem to be missing where p is large speak for
        publication bias; missing where p is small, for other reasons.
    egger : EggerTest, optional
        Its line, for the predictors std_error and variance.
    filled : result of trim and fill, or DataFrame, optional
        Added studies, drawn hollow: an object with such a frame as `imputed`, or the frame, with the columns effect
        (analysed scale) and variance.

    Returns
    -------
    Axes
        x is the analysed scale (Fisher's z, labelled in r); y the standard error, 0 at the top.

    Raises
    ------
    InputError
        For more than three contours or contours that do not increase, a regression on sample sizes or of other
        effects, or added studies without effect and variance.

    References
    ----------
    Sterne, J. A. C., & Egger, M. (2001). Journal of Clinical Epidemiology, 54, 1046-1055.
    Peters, J. L., Sutton, A. J., Jones, D. R., Abrams, K. R., & Rushton, L. (2008). Journal of Clinical Epidemiology,
    61, 991-996.

    Examples
    --------
    >>> import alliance_meta as am
    >>> fit = am.pool(am.effect_sizes(r=[0.3, 0.1, 0.2], n=[28, 103, 50], study=["A", "B", "C"]))
    >>> funnel(fit).get_ylabel()
    'Standard error'
    """
    points, added = funnel_points(fit), _added(filled)
    critical = float(critical_value(_checks.level(level), np.inf))
    deepest = 1.08 * float(pd.concat([points["std_error"], added["std_error"]]).max())
    regions = contour_regions(fit, contours, deepest)
    line = _line(fit, egger, deepest)
    own_figure, explained = ax is None, bool(regions) or egger is not None or filled is not None
    if ax is None:
        _, ax = plt.subplots(figsize=(7.4 if explained else 5.6, 4.4), layout="constrained")
    foot = critical * deepest
    sides = [fit.estimate - foot, fit.estimate + foot]
    reached = np.concatenate([points["effect"], added["effect"], line["effect"], sides])
    if regions:
        null = fit.effects.measure.null
        reached = np.append(reached, null)
        _shade(ax, regions, null, deepest)
    else:
        ax.fill([fit.estimate, *sides], [0.0, deepest, deepest], color=LIGHT, zorder=0)
    for side in sides:
        ax.plot([fit.estimate, side], [0.0, deepest], color=GREY, lw=0.8, ls=(0, (3, 2)), zorder=1)
    ax.axvline(fit.estimate, color=ACCENT, lw=1.0, zorder=1)
    ax.plot(line["effect"], line["std_error"], color=PALETTE[1], lw=1.6, ls=(0, (6, 2)), zorder=4)
    size = 26 if fit.k <= _MANY else 10
    ax.scatter(points["effect"], points["std_error"], s=size, color=INK, alpha=0.85, linewidths=0, zorder=3)
    ax.scatter(added["effect"], added["std_error"], s=24, facecolors="white", edgecolors=INK, linewidths=1.0, zorder=3)
    low, high = float(reached.min()), float(reached.max())
    ax.set_xlim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    ax.set_ylim(deepest, 0.0)
    _label(ax, fit, level, shaded=not regions)
    if explained:
        _legend(ax, regions, egger=egger is not None, filled=filled is not None, beside=own_figure)
    return ax


class Region(NamedTuple):
    """Effects and standard errors at which a study's p value of no effect is this large: all within the triangle.

    Attributes
    ----------
    low, high : float
        The triangle's foot (its top is no effect at standard error 0); infinite for the whole plane.
    text : str
        What the legend says of what narrower triangles leave of it.
    color : str
    """

    low: float
    high: float
    text: str
    color: str


def contour_regions(fit: PooledEffect, contours: Sequence[float], deepest: float) -> list[Region]:
    """Triangles in which studies do not differ from no effect at a level, the widest first.

    Parameters
    ----------
    fit : PooledEffect
    contours : sequence of up to three levels, increasing
    deepest : float
        The standard error of their feet.

    Examples
    --------
    >>> import alliance_meta as am
    >>> fit = am.pool(am.effect_sizes(r=[0.3, 0.1], n=[28, 103]))
    >>> [(round(region.high, 2), region.text) for region in contour_regions(fit, (0.9, 0.95), 0.2)]
    [(inf, 'p < .05'), (0.39, '.05 < p < .10'), (0.33, 'p > .10')]
    """
    levels = [_checks.level(level) for level in contours]
    if len(levels) > _MOST_CONTOURS or any(b <= a for a, b in pairwise(levels)):
        raise InputError(
            f"contours must be up to {_MOST_CONTOURS} increasing levels, such as (0.90, 0.95, 0.99); got {contours!r}"
        )
    if not levels:
        return []
    tails = [_tail(1.0 - level) for level in levels]
    texts = [f"p > {tails[0]}", *(f"{b} < p < {a}" for a, b in pairwise(tails)), f"p < {tails[-1]}"]
    feet = [*(deepest * float(critical_value(level, np.inf)) for level in levels), np.inf]
    null = fit.effects.measure.null
    found = [
        Region(null - foot, null + foot, *rest) for foot, *rest in zip(feet, texts, _SHADES[len(levels)], strict=True)
    ]
    return found[::-1]


def _tail(p: float) -> str:
    """A p value with two decimals, or as many as it has."""
    digits = f"{p:.10f}".rstrip("0")[1:]
    return digits.ljust(3, "0")


def regression_points(egger: EggerTest, deepest: float) -> pd.DataFrame:
    """The line of a regression on standard errors or variances: effect, std_error.

    Examples
    --------
    >>> import alliance_meta as am
    >>> from alliance_meta.bias._small_study import egger
    >>> test = egger(am.effect_sizes(am.datasets.load("farber_doolin2011"), measure="ZCOR"))
    >>> regression_points(test, 0.3).iloc[[0, -1]].round(2).values.tolist()
    [[-0.01, 0.0], [0.56, 0.3]]
    """
    predictor = egger.settings.predictor
    if predictor not in ("std_error", "variance"):
        raise InputError(
            f"a funnel plot shows standard errors, and egger is a regression on {predictor}; take predictor='std_error'"
        )
    errors = np.linspace(0.0, deepest, _STEPS)
    effect = [egger.at(error if predictor == "std_error" else error**2) for error in errors.tolist()]
    return pd.DataFrame({"effect": effect, "std_error": errors})


def _line(fit: PooledEffect, egger: EggerTest | None, deepest: float) -> pd.DataFrame:
    if egger is None:
        return pd.DataFrame({"effect": [], "std_error": []}, dtype=float)
    if not isinstance(egger, EggerTest):
        raise InputError(f"egger must be a result of egger(), not {type(egger).__name__}")
    pairs = zip((egger.effects.effect, egger.effects.variance), (fit.effects.effect, fit.effects.variance), strict=True)
    if not all(np.array_equal(theirs, own) for theirs, own in pairs):
        raise InputError("egger must be a regression of the effects that were pooled")
    return regression_points(egger, deepest)


def _added(filled: Filled | pd.DataFrame | None) -> pd.DataFrame:
    """The added studies: effect, std_error."""
    if filled is None:
        return pd.DataFrame({"effect": [], "std_error": []}, dtype=float)
    frame = filled if isinstance(filled, pd.DataFrame) else getattr(filled, "imputed", None)
    if not isinstance(frame, pd.DataFrame) or not {"effect", "variance"} <= set(frame.columns):
        raise InputError(
            "filled must be the result of trim and fill, or a DataFrame with the columns effect and variance; got "
            f"{type(filled).__name__}"
        )
    effect, variance = (_checks.numbers(name, frame[name]) for name in ("effect", "variance"))
    problem, remedy = "must be positive", "A variance is a squared standard error."
    _checks.refuse_rows("variance", problem, remedy, variance <= 0.0, variance.tolist(), frame.index)
    return pd.DataFrame({"effect": effect, "std_error": np.sqrt(variance)})


def _shade(ax: Axes, regions: Sequence[Region], top: float, deepest: float) -> None:
    """The plane, then ever narrower triangles over it."""
    ax.set_facecolor(regions[0].color)
    for order, region in enumerate(regions[1:]):
        corners = [top, region.low, region.high], [0.0, deepest, deepest]
        ax.fill(*corners, color=region.color, lw=0, zorder=-1.0 + 0.01 * order)


def _legend(ax: Axes, regions: Sequence[Region], *, egger: bool, filled: bool, beside: bool) -> None:
    """What the marks mean: beside axes that have their figure to themselves, else where it covers least."""
    mark: dict[str, Any] = {"marker": "o", "ls": "", "ms": 5}
    handles: list[Line2D | Patch] = [Line2D([], [], color=INK, mew=0, label="Study", **mark)]
    if filled:
        handles.append(Line2D([], [], mfc="white", mec=INK, label="Added study", **mark))
    handles.append(Line2D([], [], color=ACCENT, lw=1.0, label="Pooled effect"))
    if egger:
        handles.append(Line2D([], [], color=PALETTE[1], lw=1.6, ls=(0, (6, 2)), label="Regression line"))
    handles += [Patch(facecolor=region.color, edgecolor=GREY, lw=0.5, label=region.text) for region in regions[::-1]]
    explain(ax, handles, beside=beside)


def explain(ax: Axes, handles: Sequence[Line2D | Patch], *, beside: bool) -> None:
    """A legend beside axes that have their figure to themselves, else where it covers least."""
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)} if beside else {"loc": "best"}
    legend = ax.legend(handles=list(handles), fontsize=8, frameon=not beside, framealpha=0.9, edgecolor="none", **place)
    for text in legend.get_texts():
        text.set(parse_math=False, color=INK, family=fonts())


def _label(ax: Axes, fit: PooledEffect, level: float, *, shaded: bool) -> None:
    where = "Shaded" if shaded else "Between dashes"
    about = "" if shaded else "Shaded by a study's own two-sided p"
    notes = [f"{where}: {100 * level:g}% of studies, if all shared the pooled effect", about, fit.effects.caveat]
    label_funnel(ax, fit.effects.measure, notes)


def label_funnel(ax: Axes, measure: Measure, notes: Sequence[str]) -> None:
    """Axes of effects against standard errors, and notes above them."""
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
    ax.set_title("\n".join(filter(None, notes)), fontsize=8, color=GREY, loc="left")
