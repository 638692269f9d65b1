"""Plots of influence: a panel for each measure beside the studies' names, and Baujat's plot."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from alliance_meta import _checks
from alliance_meta.errors import InputError
from alliance_meta.plots._bubble import write_labels
from alliance_meta.plots._rows import padded
from alliance_meta.plots._style import GREY, INK, LIGHT, PALETTE, fonts, plain_text, shortened, text_width
from alliance_meta.results.sensitivity._influence import Baujat, Influence

__all__ = ["baujat", "influence", "influence_points"]

_PANELS = {
    "rstudent": "Studentized\nresidual",
    "dffits": "DFFITS",
    "cooks_distance": "Cook's\ndistance",
    "cov_ratio": "Covariance\nratio",
    "tau2_deleted": "τ² without",
    "q_deleted": "Q without",
    "hat": "Hat value",
}
_ROW = 0.2  # inches
_LONGEST = 34
_WIDE = 1.96
_FAR = 2.5
"""A cutoff so many times beyond the largest value is not drawn: it would squeeze the points."""


def influence_points(result: Influence) -> pd.DataFrame:
    """Points of the panels of influence.

    Returns
    -------
    DataFrame
        One row an effect and measure: label, y (the row, from the top), measure, value, marked (beyond the measure's
        cutoff; a studentized residual beyond 1.96).

    Examples
    --------
    >>> import alliance_meta as am
    >>> from alliance_meta.sensitivity._influence import influence as take_out
    >>> found = take_out(am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR"))
    >>> points = influence_points(found)
    >>> points.loc[points["marked"], ["label", "measure"]].values.tolist()[:2]
    [['Garfield & Bergin, 1971', 'rstudent'], ['Hansen et al., 1968', 'rstudent']]
    """
    frame, marks = result.to_frame(), result.marks
    marks["rstudent"] = np.abs(frame["rstudent"]) > _WIDE
    parts = [
        pd.DataFrame(
            {
                "label": frame["label"],
                "y": np.arange(len(frame), dtype=float),
                "measure": measure,
                "value": frame[measure],
                "marked": marks.get(measure, False),
            }
        )
        for measure in _PANELS
    ]
    return pd.concat(parts, ignore_index=True)


def influence(result: Influence, *, ax: Axes | None = None) -> Axes:
    """Every measure of influence in a panel of its own, one row a study.

    Parameters
    ----------
    result : Influence
    ax : Axes, optional
        Where to draw; a new figure of fitting height by default. The panels are axes inside it (``ax.child_axes``).

    Returns
    -------
    Axes
        One unit of y is one row, counted from the top. Solid lines are the values with all studies (or no change),
        dashed ones the cutoffs; coloured points are beyond theirs.

    References
    ----------
    Viechtbauer, W., & Cheung, M. W.-L. (2010). Research Synthesis Methods, 1, 112-125.

    Examples
    --------
    >>> import alliance_meta as am
    >>> from alliance_meta.sensitivity._influence import influence as take_out
    >>> ax = influence(take_out(am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")))
    >>> len(ax.child_axes)
    7
    """
    points = influence_points(result)
    k = len(result.labels)
    if ax is None:
        height = _ROW * k + 1.35
        figure, ax = plt.subplots(figsize=(11.0, height))
        figure.subplots_adjust(left=0.01, right=0.985, top=1.0 - 0.6 / height, bottom=0.7 / height)
    ax.set_ylim(k - 0.4, -0.6)
    ax.set_xlim(0.0, 1.0)
    ax.set_axis_off()
    marked = points.groupby("y")["marked"].any().to_numpy()
    start = _write_names(ax, result.labels, marked)
    lines = _reference_lines(result)
    width = (1.0 - start) / len(_PANELS)
    for i, (measure, heading) in enumerate(_PANELS.items()):
        panel = ax.inset_axes((start + i * width + 0.1 * width, 0.0, 0.8 * width, 1.0))
        _draw_panel(panel, points[points["measure"] == measure], lines[measure], k)
        panel.set_title(heading, fontsize=8, color=INK, pad=4)
    notes = [
        "Dashed: cutoffs (residuals: ±1.96), where they are near the points. Coloured: beyond one",
        result.effects.caveat,
    ]
    ax.annotate(
        "\n".join(filter(None, notes)),
        xy=(0.0, 0.0),
        xytext=(0, -22),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=8,
        color=GREY,
        va="top",
        annotation_clip=False,
        parse_math=False,
    )
    return ax


def _write_names(ax: Axes, labels: Sequence[str], marked: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
    """The studies' names at the left; where the room for panels begins, in fractions of the axes."""
    texts = [
        plain_text(
            ax,
            0.0,
            float(y),
            shortened(" ".join(label.split()), _LONGEST),
            ax.get_yaxis_transform(),
            fontsize=8,
            color=PALETTE[1] if mark else INK,
        )
        for y, (label, mark) in enumerate(zip(labels, marked.tolist(), strict=True))
    ]
    return min(text_width(texts, ax) + 0.005, 0.4)


def _reference_lines(result: Influence) -> dict[str, tuple[float, tuple[float, ...]]]:
    """Of each measure, its value where nothing moves, and its cutoffs."""
    limits = result.cutoffs
    fit = result.fit
    q = float(getattr(fit, "q_statistic", np.nan))
    q = float(getattr(fit, "q_residual", q))
    return {
        "rstudent": (0.0, (-_WIDE, _WIDE)),
        "dffits": (0.0, (-limits["dffits"], limits["dffits"])),
        "cooks_distance": (0.0, (limits["cooks_distance"],)),
        "cov_ratio": (1.0, ()),
        "tau2_deleted": (float(fit.tau2), ()),
        "q_deleted": (q, ()),
        "hat": (len(result.names) / len(result.labels), (limits["hat"],)),
    }


def _draw_panel(ax: Axes, points: pd.DataFrame, lines: tuple[float, tuple[float, ...]], k: int) -> None:
    middle, cutoffs = lines
    values = points["value"].to_numpy(dtype=float)
    known = values[np.isfinite(values)]
    largest = float(np.abs(known).max()) if known.size else 1.0
    shown = [cutoff for cutoff in cutoffs if abs(cutoff) <= _FAR * largest]
    inside = [each for each in (middle, *shown) if np.isfinite(each)]
    ax.set_xlim(*padded([*known.tolist(), *(inside or [0.0])]))
    ax.set_ylim(k - 0.4, -0.6)
    ax.hlines(points["y"], *ax.get_xlim(), color=LIGHT, lw=0.5, zorder=0)
    if np.isfinite(middle):
        ax.axvline(middle, color=GREY, lw=0.8, zorder=1)
        ax.hlines(points["y"], middle, points["value"], color=GREY, lw=0.8, zorder=1)
    for cutoff in shown:
        ax.axvline(cutoff, color=PALETTE[1], lw=0.9, ls=(0, (4, 3)), zorder=1)
    colors = [PALETTE[1] if mark else INK for mark in points["marked"]]
    ax.scatter(points["value"], points["y"], s=16, color=colors, linewidths=0, zorder=2)
    ax.set_yticks([])
    ax.xaxis.set_major_locator(MaxNLocator(nbins=3))
    ax.tick_params(axis="x", colors=INK, labelsize=7)
    ax.spines[["left", "right", "top"]].set_visible(False)
    ax.spines["bottom"].set_color(GREY)


def baujat(result: Baujat, *, ax: Axes | None = None, labels: int | Sequence[str] = 5) -> Axes:
    """Baujat's plot: each study's contribution to heterogeneity against its influence on the pooled effect.

    Parameters
    ----------
    result : Baujat
    ax : Axes, optional
        Where to draw; a new figure by default.
    labels : int or sequence of str
        Name so many studies, those furthest from the origin, or these.

    Returns
    -------
    Axes

    References
    ----------
    Baujat, B., Mahe, C., Pignon, J.-P., & Hill, C. (2002). Statistics in Medicine, 21, 2641-2652.

    Examples
    --------
    >>> import alliance_meta as am
    >>> from alliance_meta.sensitivity._influence import baujat as contributions
    >>> found = contributions(am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR"))
    >>> baujat(found).get_xlabel()
    'Contribution to Q'
    """
    points = _baujat_points(result, labels)
    if ax is None:
        _, ax = plt.subplots(figsize=(6.4, 4.6), layout="constrained")
    ax.scatter(points["x"], points["effect"], s=points["size"], color=INK, alpha=0.75, linewidths=0, zorder=2)
    for axis, name in (("x", "x"), ("y", "effect")):
        high = float(np.nanmax(points[name])) or 1.0
        getattr(ax, f"set_{axis}lim")(-0.03 * high, 1.12 * high)
    equal = result.tau2_method == "EE"
    ax.set_xlabel("Contribution to Q" if equal else "Squared standardized residual", fontsize=9, color=INK)
    ax.set_ylabel(f"Influence on the {'equal-effects' if equal else 'pooled'} mean", fontsize=9, color=INK)
    ax.tick_params(colors=INK, labelsize=8)
    ax.spines[["right", "top"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GREY)
    notes = ["Influence: squared change of the mean without the study, over its variance", result.effects.caveat]
    ax.set_title("\n".join(filter(None, notes)), fontsize=8, color=GREY, loc="left", parse_math=False, family=fonts())
    if points["marked"].any():
        write_labels(ax, points, pd.DataFrame({"x": [0.0], "estimate": [0.0]}), 0.0)
    return ax


def _baujat_points(result: Baujat, labels: int | Sequence[str]) -> pd.DataFrame:
    """label, x, effect (y), size, weight (distance from the origin, both axes scaled to 1), marked."""
    frame = result.to_frame()
    x, y = frame["heterogeneity"].to_numpy(), frame["influence"].to_numpy()
    with np.errstate(invalid="ignore", divide="ignore"):
        away = np.nan_to_num(np.hypot(x / np.nanmax(x), y / np.nanmax(y)))
    if isinstance(labels, int):
        if isinstance(labels, bool) or labels < 0:
            raise InputError(f"labels must be a number of studies, 0 or more, or their labels; got {labels!r}")
        marked = np.zeros(len(frame), dtype=bool)
        marked[np.argsort(-away, kind="stable")[:labels]] = True
    else:
        known = set(frame["label"])
        marked = frame["label"].isin([_checks.known_name("label", each, known) for each in labels]).to_numpy()
    marked = marked & ~np.isnan(x + y)
    return pd.DataFrame({"label": frame["label"], "x": x, "effect": y, "size": 26.0, "weight": away, "marked": marked})
