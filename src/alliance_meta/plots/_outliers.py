"""Forests of effects that lie outside, and of the mean as the studies go that hold it where it is."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from alliance_meta._tables import number
from alliance_meta.plots._rows import draw_estimates, on_axis
from alliance_meta.results.sensitivity import Fragility, Outliers
from alliance_meta.results.sensitivity._shown import counted, sides
from alliance_meta.sensitivity._units import units
from alliance_meta.stats.inference import critical_value
from alliance_meta.stats.random_effects import random_effects

__all__ = ["fragility", "fragility_rows", "outlier_rows", "outliers"]

_GAP = 0.6
_DECIMALS = 3  # a bound that passes 0 has done so by little
_COLUMNS = ["y", "kind", "label", "text", "bold", "estimate", "low", "high"]


def outlier_rows(result: Outliers) -> pd.DataFrame:
    """Rows of a forest plot with the outlying effects told apart.

    Parameters
    ----------
    result : Outliers

    Returns
    -------
    DataFrame
        y, kind ("analysis" an effect, "marked" one that lies outside, "usual" the mean of all, "adjusted" that without
        those outside), label, text, bold, estimate, low, high on the axis (the shown scale, the logarithm for ratios),
        rstudent (text).
    """
    studies = result.to_frame().rename(columns={"effect": "estimate"})
    studies["kind"] = np.where(studies["outlying"], "marked", "analysis")
    studies["rstudent"] = [number(float(each), 2, signed=True) for each in studies["rstudent"]]
    fits = result.fits_frame()
    fits["kind"] = np.where(fits["fit"] == "all", "usual", "adjusted")
    names = {"all": "All", "without": "Without those outlying"}
    fits["label"] = [f"{names[fit]} (k = {k})" for fit, k in zip(fits["fit"], fits["k"], strict=True)]
    columns = ["kind", "label", "estimate", "ci_low", "ci_high"]
    frame = pd.concat([studies[[*columns, "rstudent"]], fits[columns].assign(rstudent="")], ignore_index=True)
    frame["bold"] = frame["kind"].isin(["usual", "adjusted"])
    frame["y"] = np.arange(len(frame)) + _GAP * frame["bold"]
    return on_axis(frame, result.effects.measure)[[*_COLUMNS, "rstudent"]]


def outliers(result: Outliers, *, ax: Axes | None = None) -> Axes:
    """Forest plot with the outlying effects marked, above the mean with and without them.

    Parameters
    ----------
    result : Outliers
    ax : Axes, optional
        Where to draw; a new figure of fitting height by default.

    Returns
    -------
    Axes
        x is the scale shown to people (a logarithm for ratios); one unit of y is one row. The band is the interval of
        the mean of all.

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
    >>> outliers(am.sensitivity.outliers(effects)).get_xlabel()
    'Correlation r'
    """
    shown = f"{result.effects.measure.display_scale} [{100 * result.level:g}% CI]"
    headings = {"label": "Study", "rstudent": "Residual", "text": shown}
    rule = {
        "interval": "Coloured: the effect's own interval does not touch that of the mean",
        "rstudent": f"Coloured: the studentized residual is significant at {100 * (1.0 - result.level):.3g}%",
    }[result.rule]
    few = " Too few are left to pool." if result.names and result.without is None else ""
    said = f"{rule if result.names else 'No effect is outlying'}.{few} Shaded: interval of the mean of all."
    return draw_estimates(outlier_rows(result), result.effects, headings, (said,), ax=ax)


def fragility_rows(result: Fragility) -> pd.DataFrame:
    """The mean with all, and as the studies named go one after another.

    Parameters
    ----------
    result : Fragility

    Returns
    -------
    DataFrame
        y, kind ("usual" with all, "analysis" with some gone, "marked" where the conclusion is another), label, text,
        bold, estimate, low, high on the axis (the shown scale, the logarithm for ratios), left (effects that are left).
        NaN where the estimator of tau2 did not reach its solution.
    """
    effects, settings = result.effects, result.with_all.settings
    number_of, labels = units(effects, result.by)
    order = [labels.index(name) for name in result.removed]
    include = np.array([~np.isin(number_of, order[:gone]) for gone in range(len(order) + 1)], dtype=float)
    fit = random_effects(
        effects.effect, effects.variance, include, tau2_method=settings.tau2_method, test=settings.test
    )
    error = np.where(fit.converged, critical_value(result.level, fit.df) * fit.std_error, np.nan)
    middle = np.where(fit.converged, fit.estimate, np.nan)
    low, high = middle - error, middle + error
    found = sides(low, high, effects.measure.null)
    frame = pd.DataFrame({"estimate": middle, "ci_low": low, "ci_high": high})
    frame["kind"] = ["usual", *("marked" if side not in ("", result.before) else "analysis" for side in found[1:])]
    frame["label"] = [f"All {counted(result.units, result.by)}", *(f"\u2212 {name}" for name in result.removed)]
    frame["bold"] = frame.index == 0
    frame["y"] = np.arange(len(frame), dtype=float)
    frame["left"] = [f"{k:.0f}" for k in fit.k]
    return on_axis(frame, effects.measure, decimals=_DECIMALS)[[*_COLUMNS, "left"]]


def fragility(result: Fragility, *, ax: Axes | None = None) -> Axes:
    """Forest plot of the mean as the fewest studies go whose removal changes the conclusion, one after another.

    Parameters
    ----------
    result : Fragility
    ax : Axes, optional
        Where to draw; a new figure of fitting height by default.

    Returns
    -------
    Axes
        x is the scale shown to people (a logarithm for ratios); one unit of y is one row. Each row is without its own
        study and all above it. The band is the interval with all.

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
    >>> fragility(am.sensitivity.fragility(effects)).get_xlabel()
    'Correlation r'
    """
    shown = f"{result.effects.measure.display_scale} [{100 * result.level:g}% CI]"
    headline = f"{result.headline[0].upper()}{result.headline[1:]}."
    said = "Coloured: another conclusion (interval above, below or around no effect)." if result.removed else ""
    headings = {"label": "Left out, one after another", "left": "k left", "text": shown}
    return draw_estimates(fragility_rows(result), result.effects, headings, (headline, said), ax=ax)
