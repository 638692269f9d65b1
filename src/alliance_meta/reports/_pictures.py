"""Pictures of reports: drawn when asked for, as SVG for a page and as PNG for Word."""

from __future__ import annotations

import base64
import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

__all__ = ["Picture", "clean"]

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
"""Characters that neither HTML nor XML, of drawings and of Word, may hold."""

_DPI = 200


def clean(text: str) -> str:
    """Text without characters that files cannot hold, each shown as a replacement character."""
    return _FORBIDDEN.sub("\ufffd", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A figure, with the text that stands for it where it cannot be seen.

    Attributes
    ----------
    draw : callable
        Draws on a new figure and returns the axes.
    alt, caption : str
    label : str
        ``"Figure 1"``.
    brief : callable, optional
        Draws the same with fewer rows, for a sheet of paper.
    """

    draw: Callable[[], Axes]
    alt: str
    caption: str
    label: str = ""
    brief: Callable[[], Axes] | None = None

    @property
    def address(self) -> str:
        """The drawing as a data address."""
        return self._svg(self.draw)

    @property
    def brief_address(self) -> str:
        """The drawing with fewer rows as a data address; empty where there is none."""
        return self._svg(self.brief) if self.brief else ""

    def _svg(self, draw: Callable[[], Axes]) -> str:
        # Text stays text, so that the browser's fonts and writing directions serve names of every language.
        with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "alliance_meta"}), warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font", UserWarning)
            drawn, _ = _saved(draw, format="svg", metadata={"Date": None, "Title": escape(clean(self.alt))})
        data = clean(drawn.decode("utf-8", "surrogateescape")).encode()
        return f"data:image/svg+xml;base64,{base64.b64encode(data).decode('ascii')}"

    def png(self) -> tuple[bytes, tuple[float, float]]:
        """The picture at 200 dots an inch, and its width and height in inches."""
        return _saved(self.brief or self.draw, format="png", dpi=_DPI, metadata={"Software": None})


def _saved(draw: Callable[[], Axes], **how: Any) -> tuple[bytes, tuple[float, float]]:
    with plt.ioff():
        figure = draw().get_figure(root=True)
    assert figure is not None  # noqa: S101 - axes that were just drawn are on a figure
    buffer = io.BytesIO()
    try:
        figure.savefig(buffer, **how)
        width, height = map(float, figure.get_size_inches())
    finally:
        plt.close(figure)
    return buffer.getvalue(), (width, height)
