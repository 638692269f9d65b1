"""Plots of means corrected for publication bias, and of Begg and Mazumdar's ranks."""

from __future__ import annotations

from math import nan

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from alliance_meta import _checks
from alliance_meta._tables import p_value
from alliance_meta.bias._checks import adjusted_mean
from alliance_meta.errors import InputError
from alliance_meta.plots._rows import draw_estimates, on_axis
from alliance_meta.plots._style import GREY, INK
from alliance_meta.pooling import pool
from alliance_meta.results import PooledEffect
from alliance_meta.results.bias import (
    AdequatelyPowered,
    BeggTest,
    BiasChecks,
    HenmiCopasMean,
    LimitMeta,
    PetPeese,
    SelectionModel,
    TrimAndFill,
)
from alliance_meta.robustness import robust
from alliance_meta.stats import small_study

__all__ = ["bias_check_rows", "bias_checks", "corrected", "corrected_rows", "rank_points", "ranks"]

_GAP = 0.5
_NOT_TO_BE_HAD = "not to be had"
_MANY = 200
"""Studies above which points are drawn smaller."""

Corrected = TrimAndFill | LimitMeta | AdequatelyPowered | HenmiCopasMean | PetPeese | SelectionModel
_Mean = tuple[float, float, float]


def bias_check_rows(result: BiasChecks) -> pd.DataFrame:
    """What the figure of the checks shows, as rows.

    Parameters
    ----------
    result : BiasChecks

    Returns
    -------
    DataFrame
        y, kind ("usual" without a correction, "analysis" with one, "group" a heading, "test"), label, bold, text (the
        mean with its interval, or what a test says), and estimate, low, high on the axis (the shown scale, the
        logarithm for ratios); NaN without a number.
    """
    frame = result.to_frame()
    corrections, tests = (frame["kind"] == kind for kind in ("mean", "test"))
    frame["kind"] = np.where(tests, "test", "analysis")
    frame.loc[frame.index[0], "kind"] = "usual"
    frame["label"] = frame["method"]
    frame["bold"] = False
    rows = on_axis(frame, result.effects.measure)
    said = [
        str(found).partition(";")[0] if np.isnan(p) else f"p {p_value(p)}"  # the p-curve has no p value of its own
        for p, found in zip(rows["p_value"], rows["found"], strict=True)
    ]
    rows["text"] = np.where(tests, said, rows["text"])
    rows.loc[rows["why"] != "", "text"] = _NOT_TO_BE_HAD
    parts: list[pd.DataFrame] = []
    for heading, part in (("Means", rows[corrections]), ("Tests of bias", rows[tests])):
        start = len(parts) * (int(corrections.sum()) + 1 + _GAP)
        whole = pd.concat([_heading(heading), part], ignore_index=True)
        parts.append(whole.assign(y=start + np.arange(len(whole))))
    columns = ["y", "kind", "label", "text", "bold", "estimate", "low", "high"]
    return pd.concat(parts, ignore_index=True)[columns]


def _heading(label: str) -> pd.DataFrame:
    numbers = dict.fromkeys(("estimate", "low", "high"), nan)
    return pd.DataFrame([{"kind": "group", "label": label, "text": "", "bold": True, **numbers}])


def bias_checks(result: BiasChecks, *, ax: Axes | None = None) -> Axes:
    """Draw the mean without and with each correction for publication bias, and name the tests' p values below.

    Parameters
    ----------
    result : BiasChecks
    ax : Axes, optional
        Where to draw; a new figure by default, as high as the rows need.

    Returns
    -------
    Axes
        x is the scale shown to people (a logarithm for ratios). The band is the interval without a correction.

    Examples
    --------
    >>> import alliance_meta as am
    >>> found = am.bias.checks(am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR"))
    >>> bias_checks(found).get_xlabel()
    'Correlation r'
    """
    interval = f"{result.effects.measure.display_scale} [{100 * result.level:g}% CI]"
    said = "Shaded: interval without a correction. Each method takes another kind of selection for granted."
    headings = {"label": "Method", "text": interval}
    return draw_estimates(bias_check_rows(result), result.effects, headings, (said,), ax=ax)


def corrected_rows(result: Corrected, *, level: float = 0.95) -> pd.DataFrame:
    """The mean without and with a correction, as two rows.

    Parameters
    ----------
    result : TrimAndFill, LimitMeta, AdequatelyPowered, HenmiCopasMean, PetPeese or SelectionModel
    level : float
        Coverage of the intervals.

    Returns
    -------
    DataFrame
        y, kind ("usual", "adjusted"), label, text, bold, and estimate, low, high on the axis.

    Raises
    ------
    InputError
        For another result, or a selection model with moderators, which has no mean.
    """
    if not isinstance(result, Corrected):
        raise InputError(f"corrected() draws a mean corrected for publication bias, not {type(result).__name__}")
    share = _checks.level(level)
    before, after = _before(result, share), adjusted_mean(result, share)
    frame = pd.DataFrame([before, after[:3]], columns=["estimate", "ci_low", "ci_high"], dtype=float)
    frame["label"] = _names(result)
    frame["kind"], frame["bold"], frame["y"] = ["usual", "adjusted"], False, [0.0, 1.0]
    rows = on_axis(frame, result.effects.measure)
    rows.loc[rows["estimate"].isna(), "text"] = _NOT_TO_BE_HAD
    return rows[["y", "kind", "label", "text", "bold", "estimate", "low", "high"]]


def _before(result: Corrected, level: float) -> _Mean:
    """The mean by the method's own model, without its correction."""
    if isinstance(result, AdequatelyPowered):
        row = result.to_frame(level).iloc[0]
        return float(row["estimate"]), float(row["ci_low"]), float(row["ci_high"])
    if isinstance(result, PetPeese):
        return _without_predictor(result, level)
    fit = result.before if isinstance(result, TrimAndFill) else result.unadjusted
    if not isinstance(fit, PooledEffect):
        raise InputError("corrected() draws a mean, and this selection model has moderators: print it instead")
    return _of(fit, level)


def _without_predictor(result: PetPeese, level: float) -> _Mean:
    """Weighted least squares without a predictor are equal effects with Knapp and Hartung's factor."""
    settings = result.pet.regression.settings
    fit = pool(
        result.effects,
        tau2_method=settings.tau2_method or "EE",
        test=settings.test or "knapp-hartung",
        dependent="allow",
    )
    if settings.model != "robust":
        return _of(fit, level)
    row = robust(fit).to_frame(level).iloc[0]
    return float(row["estimate"]), float(row["ci_low"]), float(row["ci_high"])


def _of(fit: PooledEffect, level: float) -> _Mean:
    low, high = fit.confidence_interval(level)
    return fit.estimate, low, high


def _names(result: Corrected) -> list[str]:
    """What the two rows are called."""
    k = result.effects.k
    if isinstance(result, TrimAndFill):
        return [f"As observed (k = {k})", f"Trim and fill (k = {result.after.k}, {result.missing} filled in)"]
    if isinstance(result, PetPeese):
        return [f"Uncorrected (k = {k})", f"PET-PEESE, {result.used} used"]
    if isinstance(result, SelectionModel):
        return [f"Without selection (k = {k})", "Selection model, before selection"]
    if isinstance(result, LimitMeta):
        return [f"Uncorrected (k = {k})", "Limit meta-analysis"]
    if isinstance(result, HenmiCopasMean):
        return [f"Random effects (k = {k})", "Henmi-Copas"]
    powered = int(result.powered.sum())
    too_few = f"{'Only 1' if powered else 'None'} adequately powered: all effects"
    kept = f"Adequately powered (k = {powered})" if result.restricted else too_few
    return [f"All effects (k = {k})", kept]


def corrected(result: Corrected, *, ax: Axes | None = None, level: float = 0.95) -> Axes:
    """Draw the mean without and with a correction for publication bias.

    Parameters
    ----------
    result : TrimAndFill, LimitMeta, AdequatelyPowered, HenmiCopasMean, PetPeese or SelectionModel
    ax : Axes, optional
        Where to draw; a new figure by default.
    level : float
        Coverage of the intervals.

    Returns
    -------
    Axes
        x is the scale shown to people (a logarithm for ratios).

    Raises
    ------
    InputError
        For another result, or a selection model with moderators, which has no mean.

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
    >>> corrected(am.bias.trim_and_fill(effects)).get_xlabel()
    'Correlation r'
    """
    rows = corrected_rows(result, level=level)
    headings = {"label": "Mean", "text": f"{result.effects.measure.display_scale} [{100 * level:g}% CI]"}
    return draw_estimates(rows, result.effects, headings, ("Shaded: interval without the correction.",), ax=ax)


def rank_points(result: BeggTest) -> pd.DataFrame:
    """The ranks that Begg and Mazumdar's test correlates.

    Parameters
    ----------
    result : BeggTest

    Returns
    -------
    DataFrame
        label, variance (rank of the sampling variance, 1 the most precise), effect (rank of the standardised deviation
        from the equal-effects mean, 1 the lowest). Ties share their average rank.

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(r=[0.1, 0.2, 0.6, 0.4], n=[90, 60, 30, 20], study=["A", "B", "C", "D"])
    >>> rank_points(am.bias.begg(effects)).values.tolist()
    [['A', 1.0, 1.0], ['B', 2.0, 2.0], ['C', 3.0, 4.0], ['D', 4.0, 3.0]]
    """
    effects = result.effects
    standardised = pd.Series(small_study.standardised_deviations(effects.effect, effects.variance))
    # Equal effects of equal variance tie, whatever rounding does.
    same = pd.DataFrame({"effect": effects.effect, "variance": effects.variance})
    standardised = standardised.groupby([same["effect"], same["variance"]]).transform("first")
    return pd.DataFrame(
        {
            "label": effects.labels,
            "variance": pd.Series(effects.variance).rank().to_numpy(),
            "effect": standardised.rank().to_numpy(),
        }
    )


def ranks(result: BeggTest, *, ax: Axes | None = None) -> Axes:
    """Draw the ranks of standardised effects against those of sampling variances.

    Points that rise say that imprecise studies find more; without a connection they fill the square.

    Parameters
    ----------
    result : BeggTest
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
    >>> ranks(am.bias.begg(effects)).get_xlabel()
    'Rank of the sampling variance (1 = most precise)'
    """
    points = rank_points(result)
    if ax is None:
        _, ax = plt.subplots(figsize=(5.0, 4.8), layout="constrained")
    size = 30 if len(points) <= _MANY else 10
    ax.scatter(points["variance"], points["effect"], s=size, color=INK, alpha=0.85, linewidths=0, zorder=3)
    middle = (len(points) + 1) / 2.0
    ax.axhline(middle, color=GREY, lw=0.8, ls=(0, (3, 2)), zorder=1)
    ax.axvline(middle, color=GREY, lw=0.8, ls=(0, (3, 2)), zorder=1)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=9, integer=True))
    ends = 0.5 - 0.02 * len(points), len(points) + 0.5 + 0.02 * len(points)
    ax.set(xlim=ends, ylim=ends)
    ax.set_xlabel("Rank of the sampling variance (1 = most precise)", color=INK, fontsize=9)
    ax.set_ylabel("Rank of the standardised effect (1 = lowest)", color=INK, fontsize=9)
    ax.tick_params(colors=INK, labelsize=8)
    ax.spines[["right", "top"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GREY)
    notes = [f"{result.headline}. Dashed: middle ranks", result.effects.caveat]
    ax.set_title("\n".join(filter(None, notes)), fontsize=8, color=GREY, loc="left", parse_math=False)
    return ax
