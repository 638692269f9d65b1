"""How often studies of different size are significant, and the mean effect that makes it so."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from alliance_meta._tables import apa
from alliance_meta.errors import InputError
from alliance_meta.plots._style import ACCENT, GREY, INK, LIGHT, PALETTE, plain_text, shortened
from alliance_meta.results._vote_count import VoteCount
from alliance_meta.stats.inference import critical_value

__all__ = ["vote_bins", "vote_count", "vote_curve"]

_BINS = 6
_LEAST_IN_BIN = 8
_POINTS = 200
_LABEL_CELLS = 38
_MARKS = 1.09
"""Where the ticks of single rows stand, above 100 % and as far below 0."""


def vote_bins(result: VoteCount, level: float = 0.95) -> pd.DataFrame:
    """Observed share of significant verdicts among rows of about the same n.

    Returns
    -------
    DataFrame
        One row a bin of about equally many verdicts: n (their geometric mean), k, significant, share, and its Wilson
        interval ci_low, ci_high. Printed numbers count by whether they pass their own critical value.
    """
    rows = _judged(result)
    count = max(1, min(_BINS, len(rows) // _LEAST_IN_BIN))
    order = rows.sort_values("n", kind="stable").reset_index(drop=True)
    # People of one n stay together.
    bin_of = order.groupby("n")["n"].transform(lambda same: same.index[0] * count // len(order)).astype(int)
    grouped = order.groupby(bin_of)
    k, hits = grouped.size().to_numpy(), grouped["significant"].sum().to_numpy(dtype=float)
    z2 = float(critical_value(level, np.inf)) ** 2
    middle = (hits + z2 / 2.0) / (k + z2)
    half = np.sqrt(z2) / (k + z2) * np.sqrt(hits * (k - hits) / k + z2 / 4.0)
    return pd.DataFrame(
        {
            "n": np.exp(grouped["n"].apply(lambda sizes: np.log(sizes).mean()).to_numpy()),
            "k": k,
            "significant": hits.astype(int),
            "share": hits / k,
            "ci_low": middle - half,
            "ci_high": middle + half,
        }
    )


def vote_curve(result: VoteCount) -> pd.DataFrame:
    """Share of significant studies that the fit expects for each n, and what chance alone would give.

    Returns
    -------
    DataFrame
        n, share (NaN where the fit has no mean), and chance: the share if every true effect were 0.
    """
    sizes = _judged(result)["n"]
    n = np.geomspace(float(sizes.min()) / 1.15, float(sizes.max()) * 1.15, _POINTS)
    n = np.maximum(n, 3.5)
    alpha = result.settings.alpha
    chance = alpha / 2.0 if result.settings.alternative == "two-sided" else alpha
    found = isfinite(result.estimate) and isfinite(result.tau2)
    share = result.share_significant(n) if found else np.full(n.size, np.nan)
    return pd.DataFrame({"n": n, "share": share, "chance": chance})


def _judged(result: VoteCount) -> pd.DataFrame:
    rows = result.rows
    rows = rows[rows["left_out"] == ""]
    by_number = rows["r"] > rows["critical_r"]
    return rows.assign(
        significant=np.where(rows["counted_as"] == "value", by_number, rows["counted_as"] == "significant")
    )


def vote_count(
    result: VoteCount, *, ax: Axes | None = None, level: float = 0.95, published: Mapping[str, float] | None = None
) -> Axes:
    """Share of studies that are significant, by their size: as observed, and as the estimated mean effect expects.

    The larger a study, the smaller the correlation that is significant in it. If there were no effect, only chance
    would be: 2.5 % in the expected direction, at any size. How fast the share rises with n tells the mean effect; how
    far it stays from 100 % in large studies tells how much true effects differ.

    Parameters
    ----------
    result : VoteCount
    ax : Axes, optional
        Where to draw; a new figure by default.
    level : float
        Of the intervals.
    published : mapping of label to r, optional
        Mean correlations found elsewhere, set beside the estimate in a small panel.

    Returns
    -------
    Axes
        x is n (logarithmic), y the share. Marks above and below stand for single rows, significant or not.

    Raises
    ------
    InputError
        For published values outside -1 to 1.

    Examples
    --------
    >>> from alliance_meta.vote_counting import vote_count as count
    >>> found = count(outcome=["significant", "not significant", "significant"], n=[90, 40, 60])
    >>> vote_count(found).get_xlabel()
    'People in the study, n (logarithmic)'
    """
    beside = dict(published or {})
    if any(not -1.0 < value < 1.0 for value in beside.values()):
        raise InputError("published values must be correlations between -1 and 1")
    if ax is None:
        _, ax = plt.subplots(figsize=(9.2 if beside else 6.6, 4.8), layout="constrained")
    bins, curve, rows = vote_bins(result, level), vote_curve(result), _judged(result)
    ax.plot(curve["n"], curve["chance"], color=GREY, lw=1.0, ls=(0, (4, 3)), zorder=1)
    ax.plot(curve["n"], curve["share"], color=ACCENT, lw=2.0, zorder=3)
    spread = [bins["share"] - bins["ci_low"], bins["ci_high"] - bins["share"]]
    ax.errorbar(bins["n"], bins["share"], spread, fmt="o", ms=5, color=INK, ecolor=GREY, elinewidth=1.2, zorder=4)
    for place, which, colour in ((_MARKS, True, ACCENT), (1.0 - _MARKS, False, PALETTE[1])):
        sizes = rows.loc[rows["significant"] == which, "n"]
        ax.plot(sizes, np.full(len(sizes), place), ls="", marker="|", ms=8, mew=0.9, color=colour, alpha=0.6, zorder=2)
    _scales(ax, curve)
    _words(ax, result, bins, curve, level)
    if beside:
        _means(ax, result, beside, level)
    return ax


def _scales(ax: Axes, curve: pd.DataFrame) -> None:
    low, high = float(curve["n"].iloc[0]), float(curve["n"].iloc[-1])
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    ax.set_ylim(1.0 - _MARKS - 0.06, _MARKS + 0.06)
    steps = (1, 2, 3, 5) if high < 40.0 * low else (1, 3) if high < 1000.0 * low else (1,)
    ticks = [step * 10**power for power in range(10) for step in steps if low <= step * 10**power <= high]
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticklabels([f"{tick:,}" for tick in ticks])
    ax.set_yticks(np.linspace(0.0, 1.0, 6), [f"{share:.0%}" for share in np.linspace(0.0, 1.0, 6)])
    ax.set_xlabel("People in the study, n (logarithmic)", fontsize=9, color=INK, labelpad=3)
    ax.set_ylabel("Significant in the expected direction", fontsize=9, color=INK)
    ax.tick_params(colors=INK, labelsize=8)
    ax.spines[["right", "top"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GREY)
    for edge in (0.0, 1.0):
        ax.axhline(edge, color=LIGHT, lw=0.8, zorder=0)


def _words(ax: Axes, result: VoteCount, bins: pd.DataFrame, curve: pd.DataFrame, level: float) -> None:
    chance = float(curve["chance"].iloc[0])
    ax.annotate(
        f"if there were no effect: {100 * chance:g}%",
        (float(curve["n"].iloc[-1]), chance),
        (-4, 3),
        textcoords="offset points",
        ha="right",
        fontsize=8,
        color=GREY,
    )
    hits = int(bins["significant"].sum())
    fitted = "line: expected from the estimate" if curve["share"].notna().all() else "no estimate, so no line"
    ax.set_title(f"{_mean(result, level)}; {hits} of {result.k} effects significant", fontsize=9, color=INK, loc="left")
    lines = (
        f"Points: rows of about the same n, with {100 * level:g}% intervals; {fitted}",
        "Ticks: single rows, significant above, the others below",
        result.caveat,
    )
    ax.annotate(
        "\n".join(filter(None, lines)),
        (0, 0),
        (0, -34),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=8,
        color=GREY,
        va="top",
        linespacing=1.35,
    )


def _mean(result: VoteCount, level: float) -> str:
    low, high = (apa(float(np.tanh(end)), 2, bounded=True) for end in result.confidence_interval(level))
    percent = f"{100 * level:g}%"
    if not isfinite(result.estimate):
        return f"No mean effect; {percent} CI r = [{low}, {high}]"
    mean, tau = (apa(float(value), 2, bounded=True) for value in (np.tanh(result.estimate), result.tau2**0.5))
    return f"Mean r = {mean}, {percent} CI [{low}, {high}], τ = {tau} on z"


def _means(ax: Axes, result: VoteCount, beside: dict[str, float], level: float) -> None:
    """A panel at the right: the estimated mean beside what was published elsewhere."""
    low, high = np.tanh(tuple(result.confidence_interval(level)))
    names = ["this estimate", *(shortened(" ".join(name.split()), _LABEL_CELLS) for name in beside)]
    values = np.array([np.tanh(result.estimate), *beside.values()])
    panel = ax.inset_axes((1.05, 0.1, 0.42, min(0.1 + 0.12 * len(names), 0.85)))
    panel.axvspan(low, high, color=LIGHT, lw=0, zorder=0)
    panel.plot([low, high], [0.0, 0.0], color=ACCENT, lw=1.6, solid_capstyle="butt")
    if isfinite(result.estimate):
        panel.plot(values[0], 0.0, marker="D", ms=5, color=ACCENT)
    panel.plot(values[1:], np.arange(1, values.size), ls="", marker="o", ms=4, color=INK)
    panel.set_ylim(len(names) - 0.6, -0.8)
    ends = np.array([low, high, *values[1:], 0.0, 0.4])
    panel.set_xlim(ends.min() - 0.02, ends.max() + 0.02)
    panel.set_yticks([])
    for place, name in enumerate(names):
        plain_text(panel, 0.0, place - 0.36, name, panel.get_yaxis_transform(), fontsize=7.5)
    panel.tick_params(axis="x", colors=INK, labelsize=7, length=2)
    panel.set_xlabel("Mean correlation r", fontsize=7.5, color=INK)
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.spines["bottom"].set_color(GREY)
