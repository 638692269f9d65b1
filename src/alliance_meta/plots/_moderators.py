"""Plots of a meta-regression's coefficients and marginal means."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from alliance_meta._tables import apa
from alliance_meta.plots._moderator_layout import coefficient_rows, mean_rows
from alliance_meta.plots._rows import (
    effect_ticks,
    finish_axis,
    padded,
    place_between,
    row_axes,
    shown_null,
    write_columns,
)
from alliance_meta.plots._style import ACCENT, GREY, INK
from alliance_meta.results import TEST_NAMES, MetaRegression

__all__ = ["coefficients", "means"]


def coefficients(fit: MetaRegression, *, ax: Axes | None = None, level: float = 0.95) -> Axes:
    """Plot a meta-regression's coefficients with their intervals; the intercept is left out.

    Each is the change of the mean effect for one unit of its moderator, or from the reference to another level, so the
    lengths of two intervals can be compared only where the units can.

    Parameters
    ----------
    fit : MetaRegression
    ax : Axes, optional
        Where to draw; a new figure by default.
    level : float
        Coverage of the intervals.

    Returns
    -------
    Axes
        x is the analysed scale (Fisher's z for ``ZCOR``, logarithms of ratios); one unit of y is one row.

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("farber_doolin2011_effects"))
    >>> ax = coefficients(am.meta_regression(effects, "center(year) + predictor_rater"))
    >>> [text.get_text() for text in ax.texts[:3]]
    ['center(year)', 'predictor_rater[R]', 'predictor_rater[T]']
    """
    rows = _placed(coefficient_rows(fit, level=level))
    lines = _lines(fit)
    ax = row_axes(ax, float(rows["y"].max()), lines=len(lines))
    ends = write_columns(ax, rows, {"label": "Moderator", "text": f"b [{100 * level:g}% CI]"})
    limits = padded([*rows["effect"], *rows["low"], *rows["high"], 0.0])
    place_between(ax, limits, ends)
    _draw(ax, rows, 0.0)
    label = f"Coefficient ({fit.effects.measure.label})"
    finish_axis(ax, limits, effect_ticks(limits), label, lines)
    return ax


def means(fit: MetaRegression, term: str, *, ax: Axes | None = None, level: float = 0.95) -> Axes:
    """Plot the marginal means of a categorical moderator: thick their intervals, thin those for a new study.

    Parameters
    ----------
    fit : MetaRegression
    term : str
        The moderator's column. The other moderators are averaged over, as by `MetaRegression.means`.
    ax : Axes, optional
        Where to draw; a new figure by default.
    level : float
        Coverage of both intervals.

    Returns
    -------
    Axes
        x is the scale shown to people (r for Fisher's z), or its logarithm for ratios; one unit of y is one row.

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("farber_doolin2011_effects"))
    >>> ax = means(am.meta_regression(effects, "predictor_rater"), "predictor_rater")
    >>> [text.get_text() for text in ax.texts[:3]]
    ['P', 'R', 'T']
    """
    measure = fit.effects.measure
    rows = _placed(mean_rows(fit, term, level=level))
    lines = [f"Thick: {100 * level:g}% CI of the mean; thin: {100 * level:g}% interval for a new study", *_lines(fit)]
    ax = row_axes(ax, float(rows["y"].max()), lines=len(lines))
    shown = f"{measure.display_scale} [{100 * level:g}% CI]"
    ends = write_columns(ax, rows, {"label": term, "text": shown, "k": "k"})
    if measure.is_ratio:
        numbers = ["effect", "low", "high", "pi_low", "pi_high"]
        rows[numbers] = np.log(rows[numbers])
    null = shown_null(measure)
    limits = padded([*rows["effect"], *rows["low"], *rows["high"], *rows["pi_low"], *rows["pi_high"], null])
    place_between(ax, limits, ends)
    ax.hlines(rows["y"], rows["pi_low"], rows["pi_high"], color=ACCENT, lw=1.0, zorder=2)
    _draw(ax, rows, null)
    ticks = effect_ticks(limits, ratio=measure.is_ratio, bounded=measure.bounded)
    finish_axis(ax, limits, ticks, measure.display_label, lines)
    return ax


def _placed(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(y=np.arange(len(rows), dtype=float), bold=False)


def _draw(ax: Axes, rows: pd.DataFrame, null: float) -> None:
    ax.plot([null, null], [-0.6, float(rows["y"].max()) + 0.5], color=GREY, lw=0.8, zorder=1)
    ax.hlines(rows["y"], rows["low"], rows["high"], color=ACCENT, lw=3.0, zorder=2)
    ax.scatter(rows["effect"], rows["y"], s=34, color=INK, zorder=3, linewidths=0)


def _lines(fit: MetaRegression) -> list[str]:
    """What stands under the plot."""
    settings = fit.settings
    tau2 = "" if settings.tau2_method == "EE" else f", residual tau² = {apa(fit.tau2, 3)}"
    model = f"{settings.formula}: k = {fit.k}; {settings.tau2_method}, {TEST_NAMES[settings.test]}{tau2}"
    omnibus = f"Moderators: {fit.omnibus().text}" if set(fit.names) != {"intercept"} else ""
    return [line for line in (" ".join(model.split()), omnibus, fit.effects.caveat) if line]
