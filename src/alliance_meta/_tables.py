"""`SummaryTable`: one list of cells, shown as text, HTML or Markdown; `Shown`: what is printed as such a table."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import zip_longest
from math import isfinite, isnan
from re import sub

from rich.cells import cell_len, chop_cells

__all__ = ["Shown", "SummaryTable", "apa", "number", "p_cell", "p_value", "small", "wrapped"]

TEXT_WIDTH = 100
_NARROWEST_FIRST_COLUMN = 36
_NARROWEST_LAST_COLUMN = 30
_MINUS = "\u2212"


def number(value: float, decimals: int = 3, *, signed: bool = False) -> str:
    """Write a number with fixed decimals and a true minus sign; NaN becomes a dash, and 0 has no sign."""
    if isnan(value):
        return "–"
    if not isfinite(value):
        return f"{_MINUS if value < 0 else ''}∞"
    text = f"{abs(value):.{decimals}e}" if abs(value) >= 1e9 else f"{abs(value):.{decimals}f}"
    if float(text) == 0.0:
        return text
    return f"{_MINUS if value < 0.0 else '+' if signed else ''}{text}"


def small(value: float) -> str:
    """Write a variance, whose unit may be tiny: four decimals, or two digits and a power of ten."""
    return f"{value:.1e}" if 0.0 < value < 0.00005 else number(value, 4)


def apa(value: float, decimals: int = 2, *, bounded: bool = False) -> str:
    """Write a number as APA style asks: no zero before the point where it cannot exceed 1."""
    text = number(value, decimals)
    return text.replace("0.", ".", 1) if bounded and text.lstrip(_MINUS).startswith("0.") else text


def p_value(value: float) -> str:
    """Write a p value with its sign: ``= .012`` or ``< .001``."""
    if isnan(value):
        return "= –"
    return "< .001" if value < 0.0005 else f"= {apa(value, 3, bounded=True)}"


def p_cell(value: float) -> str:
    """Write a p value for a column headed p: ``.012`` or ``< .001``; NaN is a dash."""
    return p_value(value).removeprefix("= ")


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryTable:
    """A small table of words and formatted numbers.

    Attributes
    ----------
    title : str
    header : tuple of str
    rows : tuple of tuple of str
        Each as long as `header`.
    right : frozenset of int
        Columns aligned to the right.
    notes : tuple of str
        Lines shown under the table.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[int] = frozenset()
    notes: tuple[str, ...] = ()

    def to_text(self) -> str:
        """Aligned plain text; the first and the last column are wrapped where it would exceed `TEXT_WIDTH`."""
        lines = [[_one_line(cell) for cell in line] for line in (self.header, *self.rows)]
        widths = [max(cell_len(line[i]) for line in lines) for i in range(len(self.header))]
        gaps = 2 * (len(widths) - 1)
        for i, narrowest in ((0, _NARROWEST_FIRST_COLUMN), (-1, _NARROWEST_LAST_COLUMN)):
            excess = max(sum(widths) + gaps - TEXT_WIDTH, 0)
            widths[i] = max(widths[i] - excess, min(widths[i], narrowest))
        header, *body = [self._text_lines(line, widths) for line in lines]
        rule = "─" * (sum(widths) + gaps)
        notes = [line for note in self.notes for line in wrapped(note, TEXT_WIDTH)]
        title = wrapped(self.title, TEXT_WIDTH)
        top = [*title, rule, *header, rule] if any(self.header) else [*title, rule]
        return "\n".join([*top, *(line for lines in body for line in lines), rule, *notes])

    def _text_lines(self, cells: Sequence[str], widths: Sequence[int]) -> list[str]:
        """One row as lines: each cell that is too wide continues below."""
        parts = [wrapped(cell, width) for cell, width in zip(cells, widths, strict=True)]
        return [self._text_line(line, widths) for line in zip_longest(*parts, fillvalue="")]

    def _text_line(self, cells: Sequence[str], widths: Sequence[int]) -> str:
        padded = []
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True)):
            gap = " " * max(width - cell_len(cell), 0)
            padded.append(gap + cell if i in self.right else cell + gap)
        return "  ".join(padded).rstrip()

    def to_html(self) -> str:
        """An HTML table; every cell is escaped."""

        def line(cells: Sequence[str], tag: str) -> str:
            styled = (
                f'<{tag} style="text-align:{"right" if i in self.right else "left"};padding:2px 12px 2px '
                f'{"16px" if cell.startswith("  ") else "0"}">{escape(cell.strip())}</{tag}>'
                for i, cell in enumerate(cells)
            )
            return f"<tr>{''.join(styled)}</tr>"

        caption = f'<caption style="text-align:left;font-weight:bold">{escape(self.title)}</caption>'
        head = f"<thead>{line(self.header, 'th')}</thead>" if any(self.header) else ""
        body = "".join(line(row, "td") for row in self.rows)
        notes = "".join(f"<p><small>{escape(note)}</small></p>" for note in self.notes)
        return f'<div class="alliance-meta"><table dir="auto">{caption}{head}<tbody>{body}</tbody></table>{notes}</div>'

    def to_markdown(self) -> str:
        """A pipe table, for a README or a Quarto page."""

        def line(cells: Sequence[str]) -> str:
            return "| " + " | ".join(_markdown_cell(cell) for cell in cells) + " |"

        marks = ["---:" if i in self.right else "---" for i in range(len(self.header))]
        notes = [f"\n*{_markdown_cell(note)}*" for note in self.notes]
        title = f"**{_markdown_cell(self.title)}**\n"
        return "\n".join([title, line(self.header), line(marks), *map(line, self.rows), *notes])


class Shown(ABC):
    """What is printed, in a terminal, a notebook or a page, as its summary."""

    __slots__ = ()

    @abstractmethod
    def summary(self) -> SummaryTable:
        """The table that printing shows."""

    def __str__(self) -> str:
        return self.summary().to_text()

    def _repr_html_(self) -> str:
        return self.summary().to_html()

    def to_markdown(self) -> str:
        """The summary as a Markdown table."""
        return self.summary().to_markdown()


def _one_line(text: str) -> str:
    return sub(r"[\r\n]+", " ", text)


def wrapped(text: str, width: int) -> list[str]:
    """Lines no wider than a terminal's `width` cells, broken at spaces where that is possible."""
    text = _one_line(text)
    if cell_len(text) <= width:
        return [text]
    lines = [""]
    for word in text.split():
        for part in chop_cells(word, width):
            longer = f"{lines[-1]} {part}" if lines[-1] else part
            lines = [*lines[:-1], longer] if cell_len(longer) <= width else [*lines, part]
    return lines


def _markdown_cell(text: str) -> str:
    escaped = sub(r"([\\|*_`])", r"\\\1", escape(_one_line(text), quote=False))
    return escaped.replace("](", "]\\(")
