"""The GOSH plot: I2 against the estimate, over subsets of the studies."""

from __future__ import annotations

from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm, to_rgb
from matplotlib.patches import Patch
from rich.cells import cell_len

from alliance_meta.errors import InputError
from alliance_meta.plots._rows import effect_ticks, padded
from alliance_meta.plots._style import ACCENT, GREY, INK, PALETTE, fonts, shortened
from alliance_meta.results.sensitivity._gosh import Gosh
from alliance_meta.stats._arrays import FloatArray

__all__ = ["GoshCells", "gosh", "gosh_cells"]

_FEWEST_BINS, _MOST_BINS = 40, 220
_ROOM = (3.0, 2.4)
"""Inches across and up from which the axes have room for marginal histograms."""
_MARGIN = 0.17
_LONGEST_LABEL = 44
_WITH, _WITHOUT = PALETTE[1], ACCENT
_DENSITY = LinearSegmentedColormap.from_list("subsets", ["#c9dfe8", ACCENT, "#04222f"])


class GoshCells(NamedTuple):
    """How many subsets fall into each cell of the picture.

    Attributes
    ----------
    x_edges : ndarray, shape (nx + 1,)
        Of the estimates as shown; logarithms of ratios.
    y_edges : ndarray, shape (ny + 1,)
        Of I2, 0 to 100.
    counts : ndarray, shape (ny, nx)
    counts_with : ndarray, shape (ny, nx)
        Of the subsets that have the study asked for; zeros without one.
    """

    x_edges: FloatArray
    y_edges: FloatArray
    counts: FloatArray
    counts_with: FloatArray


def gosh_cells(result: Gosh, study: str | None = None) -> GoshCells:
    """Count the subsets of two or more studies, in cells as fine as their number allows.

    Parameters
    ----------
    result : Gosh
    study : str, optional
        One of `result.labels`.

    Returns
    -------
    GoshCells

    Raises
    ------
    InputError
        If no subset has two studies and an estimate, or `study` is not a label.
    """
    used, measure = result.compared, result.effects.measure
    if not used.any():
        raise InputError("none of the subsets has two or more effects and an estimate: there is nothing to draw")
    here = result.estimate[used]
    x = here if measure.is_ratio else measure.to_display(here)
    n = int(np.clip(3.0 * x.size**0.36, _FEWEST_BINS, _MOST_BINS))
    x_edges, y_edges = (
        np.linspace(*padded([float(x.min()), float(x.max())]), n + 1),
        np.linspace(0.0, 100.0, n // 2 + 1),
    )
    column = ((x - x_edges[0]) * (n / (x_edges[-1] - x_edges[0]))).astype(np.int32)
    row = np.minimum((result.i2[used] * (len(y_edges) - 1) / 100.0).astype(np.int32), len(y_edges) - 2)
    cell = row * n + np.clip(column, 0, n - 1)
    shape = (len(y_edges) - 1, n)

    def counted(cells: npt.NDArray[np.int32]) -> FloatArray:
        return np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)

    with_it = np.zeros(shape) if study is None else counted(cell[result.included(study)[used]])
    return GoshCells(x_edges, y_edges, counted(cell), with_it)


def gosh(result: Gosh, *, study: str | None = None, ax: Axes | None = None) -> Axes:
    """GOSH plot: I2 against the pooled effect of each subset of two or more studies, the darker the more subsets.

    One compact cloud is what studies of one kind give. A cloud in two parts says that some studies are of another
    kind; colour by `study` shows whether one alone does it.

    Parameters
    ----------
    result : Gosh
    study : str, optional
        One of `result.labels`, whose presence gives the colour.
    ax : Axes, optional
        Where to draw; a new figure by default. Histograms of both numbers stand above and to the right of it, where it
        is large enough.

    Returns
    -------
    Axes
        x is the shown scale, or the logarithm of a ratio; y is I2 in percent.

    Raises
    ------
    InputError
        If no subset has two studies and an estimate, or `study` is not a label.

    References
    ----------
    Olkin, I., Dahabreh, I. J., & Trikalinos, T. A. (2012). Research Synthesis Methods, 3, 214-223.

    Examples
    --------
    >>> import alliance_meta as am
    >>> from alliance_meta.sensitivity._gosh import gosh as fits_of_subsets
    >>> effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
    >>> gosh(fits_of_subsets(effects, tau2_method="DL"), study="Hansen et al., 1968").get_ylabel()
    'I² (%)'
    """
    cells = gosh_cells(result, study)
    if ax is None:
        _, ax = plt.subplots(figsize=(6.4, 5.2), layout="constrained")
    colours: FloatArray | np.ma.MaskedArray[tuple[int, ...], np.dtype[np.float64]]
    if study is None:
        colours = np.ma.masked_equal(cells.counts, 0.0)
        norm = LogNorm(1.0, max(2.0, float(cells.counts.max())))
        ax.pcolormesh(cells.x_edges, cells.y_edges, colours, cmap=_DENSITY, norm=norm, rasterized=True)
    else:
        ax.pcolormesh(cells.x_edges, cells.y_edges, _mixed(cells), rasterized=True)
        _legend(ax, cells, study)
    if result.exhaustive:
        _mark_all(ax, result)
    ax.set_xlim(cells.x_edges[0], cells.x_edges[-1])
    ax.set_ylim(0.0, 100.0)
    box = ax.get_window_extent()
    room = box.width >= _ROOM[0] * ax.figure.dpi and box.height >= _ROOM[1] * ax.figure.dpi
    if room:
        _marginals(ax, cells, study)
    _describe(ax, result, cells, room=room)
    return ax


def _mixed(cells: GoshCells) -> FloatArray:
    """A colour a cell: the hue by the share of subsets that have the study, the opacity by the number of subsets."""
    most = np.log(max(2.0, float(cells.counts.max())))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.nan_to_num(cells.counts_with / cells.counts)[..., None]
        opacity = np.where(cells.counts > 0.0, 0.3 + 0.7 * np.log(cells.counts) / most, 0.0)[..., None]
    return np.concatenate([share * to_rgb(_WITH) + (1.0 - share) * to_rgb(_WITHOUT), opacity], axis=-1)


def _mark_all(ax: Axes, result: Gosh) -> None:
    """A ring where all studies together are; their subset is the last."""
    measure, estimate, i2 = result.effects.measure, result.estimate[-1], result.i2[-1]
    if np.isfinite(estimate) and np.isfinite(i2):
        at = estimate if measure.is_ratio else float(measure.to_display(estimate))
        ax.plot([at], [i2], marker="o", ms=8, mfc="none", mec="white", mew=3.0, zorder=4, clip_on=False)
        ax.plot([at], [i2], marker="o", ms=8, mfc="none", mec=INK, mew=1.2, zorder=5, clip_on=False)


def _marginals(ax: Axes, cells: GoshCells, study: str | None) -> None:
    top = ax.inset_axes((0.0, 1.02, 1.0, _MARGIN), sharex=ax)
    side = ax.inset_axes((1.015, 0.0, 0.8 * _MARGIN, 1.0), sharey=ax)
    without = cells.counts - cells.counts_with
    layers = [(without, _WITHOUT), (cells.counts_with, _WITH)] if study is not None else [(cells.counts, ACCENT)]
    for counts, color in layers:
        top.stairs(counts.sum(axis=0), cells.x_edges, fill=True, color=color, alpha=0.55)
        side.stairs(counts.sum(axis=1), cells.y_edges, orientation="horizontal", fill=True, color=color, alpha=0.55)
    for each in (top, side):
        each.axis("off")


def _legend(ax: Axes, cells: GoshCells, study: str) -> None:
    """Which colour is which, in the corner that covers fewest subsets."""
    name = shortened(" ".join(study.split()), _LONGEST_LABEL)
    width = 0.18 + 0.0125 * cell_len(name)
    rows, columns = (round(share * n) for share, n in zip((0.18, width), cells.counts.shape, strict=True))
    corners: dict[Any, FloatArray] = {
        "upper left": cells.counts[-rows:, :columns],
        "upper right": cells.counts[-rows:, -columns:],
        "lower left": cells.counts[1:rows, :columns],
        "lower right": cells.counts[1:rows, -columns:],
    }
    place = min(corners, key=lambda name: np.count_nonzero(corners[name]))
    handles = [Patch(color=color, alpha=0.8, lw=0) for color in (_WITH, _WITHOUT)]
    above_0 = {"bbox_to_anchor": (0.0, 0.03, 1.0, 0.97)}  # the many subsets whose I2 is 0 stay in sight
    names = [f"with {name}", "without it"]
    legend = ax.legend(handles, names, loc=place, fontsize=8, framealpha=0.8, edgecolor="none", **above_0)
    for text in legend.get_texts():
        text.set(parse_math=False, color=INK, family=fonts())


def _describe(ax: Axes, result: Gosh, cells: GoshCells, *, room: bool) -> None:
    measure = result.effects.measure
    limits = (float(cells.x_edges[0]), float(cells.x_edges[-1]))
    ax.set_xticks(*effect_ticks(limits, ratio=measure.is_ratio, bounded=measure.bounded))
    ax.set_xlabel(f"{measure.display_label}{', pooled in each subset' if room else ''}", fontsize=9, color=INK)
    ax.set_ylabel("I² (%)", fontsize=9, color=INK)
    ax.tick_params(colors=INK, labelsize=8)
    ax.spines[["right", "top"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GREY)
    n, kind = f"{int(cells.counts.sum()):,}", "" if result.exhaustive else "random "
    ring = "ring: all effects" if result.exhaustive else ""
    if room:
        first = f"{n} {kind}subsets of two or more of {result.effects.k} effects ({result.tau2_method})"
        second = "; ".join(filter(None, ["Darker: more subsets, on a log scale", ring]))
    else:
        first, second = (
            f"{n} {kind}subsets of {result.effects.k}",
            f"({result.tau2_method}{'; ' if ring else ''}{ring})",
        )
    title = "\n".join(filter(None, [first, second, result.effects.caveat]))
    above = 1.0 + 1.15 * _MARGIN if room else 1.0
    ax.set_title(title, fontsize=8 if room else 7, color=GREY, loc="left", y=above, parse_math=False, family=fonts())
