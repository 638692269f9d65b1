"""The bubble plot: effects against a numeric moderator, and the regression's line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation, Text

from alliance_meta.design import NumericVariable
from alliance_meta.plots._moderator_layout import bubble_lines, bubble_points, labelled
from alliance_meta.plots._rows import effect_ticks, padded, shown_null
from alliance_meta.plots._style import GREY, INK, PALETTE, fonts, shortened
from alliance_meta.results import MetaRegression
from alliance_meta.stats._arrays import FloatArray

__all__ = ["bubble", "write_labels"]

_MARKERS = ("o", "s", "^", "D", "v", "P")
_DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)))
_LONGEST_LABEL = 34  # character cells
_AROUND = tuple((np.cos(angle), np.sin(angle)) for angle in np.deg2rad([0, 180, 90, 270, 35, 145, 215, 325]))
_AWAY = (3.0, 10.0, 20.0, 32.0)  # points between a marker's edge and its label
_LED = 5.0  # from this distance on a thin line leads from the marker to its label
_LABELS_COUNT = 4  # times as much as points, where a new label would cover them
_SIDES = {1: "left", 0: "center", -1: "right"}
_EDGES = {1: "bottom", 0: "center", -1: "top"}
Style = tuple[str, str, str | tuple[int, tuple[float, ...]]]


def bubble(
    fit: MetaRegression,
    moderator: str,
    *,
    ax: Axes | None = None,
    display: bool = True,
    level: float = 0.95,
    labels: int | Sequence[str] | None = None,
    by: str | None = None,
) -> Axes:
    """Bubble plot: each effect against a numeric moderator, and the mean effect that the regression expects.

    Parameters
    ----------
    fit : MetaRegression
    moderator : str
        A numeric moderator of the regression. The others are held at their mean, or averaged over their levels; the
        points are the effects as they are.
    ax : Axes, optional
        Where to draw; a new figure by default.
    display : bool
        Draw effects on the scale shown to people (r for Fisher's z), where the line may be curved. A ratio's axis is
        logarithmic.
    level : float
        Coverage of the shaded interval of the mean, and of the dashed one for the true effect of a new study.
    labels : int or sequence of str, optional
        Label so many points, those of the largest weights, or these studies.
    by : str, optional
        A categorical moderator: a colour and a line for each level, over the range of that level's own effects,
        without intervals for new studies.

    Returns
    -------
    Axes
        x is the moderator; y the shown or analysed scale, or the logarithm of a ratio.

    References
    ----------
    Thompson, S. G., & Higgins, J. P. T. (2002). Statistics in Medicine, 21, 1559-1573.

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("munder2012"), measure="SMD")
    >>> fit = am.meta_regression(effects, "researcher_allegiance")
    >>> bubble(fit, "researcher_allegiance").get_ylabel()
    'Standardized mean difference g'
    """
    measure = fit.effects.measure
    points = bubble_points(fit, moderator, by=by, display=display)
    lines = bubble_lines(fit, moderator, by=by, level=level, display=display)
    points["marked"] = labelled(points, labels)
    ratio = measure.is_ratio and display
    if ratio:
        points["effect"] = np.log(points["effect"])
        lines[lines.columns[2:]] = np.log(lines[lines.columns[2:]])
    points["size"] = 14.0 + 180.0 * points["weight"] / points["weight"].max()
    own_figure = ax is None
    if ax is None:
        _, ax = plt.subplots(figsize=(7.0 if by is None else 8.2, 4.8), layout="constrained")
    _draw(ax, points, lines, new_study=by is None)
    _limits(ax, points, lines, new_study=by is None)
    if ratio:
        ax.set_yticks(*effect_ticks(ax.get_ylim(), ratio=True))
    elif display:
        ax.set_yticks(*effect_ticks(ax.get_ylim(), bounded=measure.bounded))
    null = shown_null(measure) if display else measure.null
    ax.axhline(null, color=GREY, lw=0.8, zorder=0)
    _describe(ax, fit, moderator, by, (level, display))
    if by is not None:
        _legend(ax, by, list(dict.fromkeys(lines["group"])), beside=own_figure)
    if points["marked"].any():
        write_labels(ax, points, lines, null)
    return ax


def _draw(ax: Axes, points: pd.DataFrame, lines: pd.DataFrame, *, new_study: bool) -> None:
    styles = _styles(dict.fromkeys(lines["group"]))
    for group, (color, marker, dash) in styles.items():
        line, own = lines[lines["group"] == group], points[points["group"] == group]
        ax.fill_between(line["x"], line["ci_low"], line["ci_high"], color=color, alpha=0.16, lw=0, zorder=1)
        if new_study:
            for bound in ("pi_low", "pi_high"):
                ax.plot(line["x"], line[bound], color=color, lw=0.9, ls=(0, (4, 3)), zorder=1)
        ax.plot(line["x"], line["estimate"], color=color, lw=1.8, ls=dash, zorder=2)
        ax.scatter(
            own["x"],
            own["effect"],
            s=own["size"],
            color=INK if new_study else color,
            marker=marker,
            alpha=0.6,
            edgecolors="white",
            linewidths=0.6,
            zorder=3,
        )


def _styles(groups: Iterable[str]) -> dict[str, Style]:
    return {
        group: (PALETTE[i % len(PALETTE)], _MARKERS[i % len(_MARKERS)], _DASHES[i % len(_DASHES)])
        for i, group in enumerate(groups)
    }


def _limits(ax: Axes, points: pd.DataFrame, lines: pd.DataFrame, *, new_study: bool) -> None:
    """All points and means; intervals for new studies may leave the picture when they are far wider."""
    ax.set_xlim(*padded(points["x"].tolist()))
    low, high = padded([*points["effect"], *lines["ci_low"], *lines["ci_high"]])
    if new_study and lines["pi_low"].notna().all():
        room = 0.5 * (high - low)
        low = min(low, max(float(lines["pi_low"].min()), low - room))
        high = max(high, min(float(lines["pi_high"].max()), high + room))
    ax.set_ylim(low, high)


def _describe(ax: Axes, fit: MetaRegression, moderator: str, by: str | None, shown: tuple[float, bool]) -> None:
    level, display = shown
    measure = fit.effects.measure
    ax.set_xlabel(moderator, fontsize=9, color=INK, parse_math=False, family=fonts())
    ax.set_ylabel(measure.display_label if display else measure.label, fontsize=9, color=INK)
    ax.tick_params(colors=INK, labelsize=8)
    ax.spines[["right", "top"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GREY)
    new = "" if by else f"; dashed: {100 * level:g}% interval for the true effect of a new study"
    others = [each for each in fit.design.variables if each.column not in (moderator, by)]
    numbers = ", ".join(each.column for each in others if isinstance(each, NumericVariable))
    levels = ", ".join(each.column for each in others if not isinstance(each, NumericVariable))
    held = [f"at the mean of {numbers}" if numbers else "", f"averaged over {levels}" if levels else ""]
    drawn = "; ".join(filter(None, held))
    lines = [f"Shaded: {100 * level:g}% CI of the mean{new}", f"Line: {drawn}" if drawn else "", fit.effects.caveat]
    title = "\n".join(" ".join(line.split()) for line in lines if line)
    ax.set_title(title, fontsize=8, color=GREY, loc="left", parse_math=False, family=fonts())


def _legend(ax: Axes, by: str, groups: Sequence[str], *, beside: bool) -> None:
    """What the colours mean: beside axes that have their figure to themselves, else where it covers least."""
    handles = [
        ax.plot([], [], color=color, marker=marker, ls=dash, lw=1.8, ms=5)[0]
        for color, marker, dash in _styles(groups).values()
    ]
    names = [shortened(" ".join(group.split()), _LONGEST_LABEL) for group in groups]
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)} if beside else {"loc": "best"}
    title = shortened(" ".join(by.split()), _LONGEST_LABEL)
    legend = ax.legend(handles, names, title=title, fontsize=8, title_fontsize=8, frameon=False, **place)
    for text in (*legend.get_texts(), legend.get_title()):
        text.set(parse_math=False, color=INK, family=fonts())


def write_labels(ax: Axes, points: pd.DataFrame, lines: pd.DataFrame, null: float) -> None:
    """Labels beside their points, where they cover the fewest other things; the largest points choose first."""
    ax.figure.figure.draw_without_rendering()  # the layout must stand before places are compared
    scale = ax.figure.dpi / 72.0
    centres = ax.transData.transform(points[["x", "effect"]].to_numpy(dtype=float))
    radii = scale * (0.5 * np.sqrt(points["size"].to_numpy(dtype=float)) + 0.6)
    means = ax.transData.transform(lines[["x", "estimate"]].to_numpy(dtype=float))
    across = np.linspace(*ax.get_xlim(), 2 * len(means))
    none = ax.transData.transform(np.column_stack([across, np.full(len(across), null)]))
    middles = np.vstack([centres, means, none])
    half = np.concatenate([radii, np.full(len(means) + len(none), 3.0 * scale)])[:, np.newaxis]
    taken = np.hstack([middles - half, middles + half])
    legend = ax.get_legend()
    if legend is not None:
        taken = np.vstack([taken, *[legend.get_window_extent().extents] * _LABELS_COUNT])
    for i in points.index[points["marked"]][np.argsort(-points.loc[points["marked"], "weight"], kind="stable")]:
        text = shortened(" ".join(points["label"].iloc[i].split()), _LONGEST_LABEL)
        note = ax.annotate(
            text,
            xy=tuple(points[["x", "effect"]].iloc[i]),
            xytext=(0.0, 0.0),
            textcoords="offset points",
            fontsize=7.5,
            color=INK,
            family=fonts(),
            parse_math=False,
            arrowprops={"arrowstyle": "-", "color": GREY, "lw": 0.6, "shrinkA": 1.0, "shrinkB": 0.0},
            path_effects=[withStroke(linewidth=2.0, foreground="white", alpha=0.7)],
            zorder=4,
        )
        own = _place(ax, note, (centres[i], radii[i]), taken)
        taken = np.vstack([taken, *[own] * _LABELS_COUNT])


def _place(ax: Axes, note: Annotation, point: tuple[FloatArray, float], taken: FloatArray) -> FloatArray:
    """Move a label to the best of some places around its point; return the box it then fills, in pixels."""
    (x, y), radius = point
    scale = ax.figure.dpi / 72.0
    size = Text.get_window_extent(note)  # an annotation's own would include its line
    frame = np.atleast_2d(ax.get_window_extent().extents)
    best, lowest = np.empty(4), np.inf
    for away in _AWAY:
        for right, up in _AROUND:
            # A label is held by its side towards the point, so that it keeps its distance at any resolution.
            side, edge = (int(np.sign(round(part, 6))) for part in (right, up))
            distance = radius + away * scale
            left = x + right * distance + (side - 1) / 2.0 * size.width
            bottom = y + up * distance + (edge - 1) / 2.0 * size.height
            box = np.array([left, bottom, left + size.width, bottom + size.height])
            outside = size.width * size.height - _overlap(box, frame)
            cost = _overlap(box, taken) + 4.0 * outside + 0.12 * away * scale * size.height
            if cost < lowest:
                best, lowest = box, cost
                note.set_position((right * distance / scale, up * distance / scale))
                note.set(ha=_SIDES[side], va=_EDGES[edge])
                if note.arrow_patch is not None:
                    note.arrow_patch.set_visible(away > _LED)
    return best


def _overlap(box: FloatArray, others: FloatArray) -> float:
    """Area of a box (left, bottom, right, top) that others cover, each counted by itself."""
    shared = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    return float(np.prod(np.maximum(shared, 0.0), axis=1).sum())
