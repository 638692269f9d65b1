"""Colours, fonts and small helpers that all plots share."""

from __future__ import annotations

from functools import cache
from typing import Any

from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.text import Text
from matplotlib.transforms import Transform
from rich.cells import cell_len

__all__ = ["ACCENT", "GREY", "INK", "LIGHT", "PALETTE", "fonts", "plain_text", "shortened", "text_width"]

INK = "#1f2933"
GREY = "#7b8794"
LIGHT = "#e4e7eb"
ACCENT = "#0b6e99"

PALETTE = (ACCENT, "#c8501e", "#4f8a10", "#7b4fa6", "#a67c00", "#5b6770")
"""Colours of groups; told apart in the common kinds of colour blindness, and in grey by their line and marker."""

_FALLBACKS = (
    "DejaVu Sans",
    "Arial Unicode MS",
    "Noto Sans Hebrew",
    "Noto Sans Arabic",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Noto Emoji",
    "Segoe UI Emoji",
    "Symbola",
)


@cache
def fonts() -> tuple[str, ...]:
    """The installed fonts a label may need, first choice first."""
    installed = set(font_manager.get_font_names())
    return tuple(name for name in _FALLBACKS if name in installed)


def plain_text(ax: Axes, x: float, y: float, text: str, transform: Transform, **style: Any) -> Text:
    """Write text that is never read as mathematics, so that a label may hold dollar signs."""
    style = {"color": INK, "fontsize": 9, "va": "center", "family": fonts(), **style}
    return ax.text(x, y, text, transform=transform, parse_math=False, **style)


def text_width(texts: list[Text], ax: Axes) -> float:
    """Width of the widest text as a fraction of the axes."""
    return max(text.get_window_extent().width for text in texts) / ax.get_window_extent().width


def shortened(label: str, cells: int) -> str:
    """A label cut to a number of character cells, with an ellipsis where something is missing."""
    if cell_len(label) <= cells:
        return label
    kept = next(i for i in range(len(label), 0, -1) if cell_len(label[:i]) < cells)
    return f"{label[:kept].rstrip()}…"
