"""The picture of the start page: what meta-analyses of the alliance have printed since 1991."""

from __future__ import annotations

from io import BytesIO

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from alliance_meta import evidence, plots

__all__ = ["ADULTS", "pictures"]

ADULTS = "adult individual"


def pictures() -> dict[str, bytes]:
    """Every picture, by its path below docs/: for a wide screen all meta-analyses, for a narrow one those of adults."""
    wide = plots.history(evidence.history())
    _, narrow = plt.subplots(figsize=(6.4, 2.9))
    plots.history(evidence.history(population=ADULTS), ax=narrow)
    narrow.texts[-1].remove()  # what stands under the plot: too wide here, and said by the page
    return {"pictures/history.svg": _svg(wide), "pictures/history_narrow.svg": _svg(narrow)}


def _svg(ax: Axes) -> bytes:
    """The same bytes every time, so that pages are not made anew for nothing."""
    out = BytesIO()
    with mpl.rc_context({"svg.hashsalt": "alliance_meta"}):
        plt.figure(ax.figure.number).savefig(  # type: ignore[union-attr]
            out, format="svg", metadata={"Date": None}, bbox_inches="tight", facecolor="white"
        )
    plt.close(ax.figure.number)  # type: ignore[union-attr]
    return out.getvalue()
