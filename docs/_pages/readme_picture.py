"""The picture of the README, which is committed: python docs/_pages/readme_picture.py makes it anew."""

from __future__ import annotations

from pathlib import Path

import alliance_meta as am

__all__ = ["draw"]

PICTURE = Path(__file__).parents[1] / "_static" / "kolden2011.png"


def draw(path: Path = PICTURE) -> None:
    """The forest plot of the README's example."""
    fit = am.pool(am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR"))
    am.plots.forest(fit).get_figure(root=True).savefig(path, dpi=110, facecolor="white")  # type: ignore[union-attr]


if __name__ == "__main__":
    draw()
