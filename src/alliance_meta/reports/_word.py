"""A document as a Word file, by python-docx."""

from __future__ import annotations

import datetime as dt
import io
from types import ModuleType
from typing import Any

from alliance_meta._tables import SummaryTable
from alliance_meta.errors import OutputError
from alliance_meta.reports._content import Block, Code, Document, Paragraph, Table, runs
from alliance_meta.reports._pictures import Picture, clean

__all__ = ["need_docx", "to_docx"]

_TEXT_WIDTH, _TALLEST = 6.5, 8.2  # inches on a sheet, beside margins and caption
_SMALL, _CODE = 9, 7.5  # points


def need_docx() -> ModuleType:
    """Import python-docx, which is an extra.

    Raises
    ------
    OutputError
        Where it is not installed.
    """
    try:
        import docx
    except ImportError as error:
        raise OutputError(
            "a Word file needs python-docx, which is not installed: pip install alliance-meta[word]; or write .html"
        ) from error
    return docx


def to_docx(document: Document) -> bytes:
    """The file's bytes."""
    file = need_docx().Document()
    about = file.core_properties
    about.title, about.author, about.comments = clean(document.title)[:255], clean(document.author)[:255], ""
    about.created = about.modified = dt.datetime.fromisoformat(document.date)
    file.add_heading(clean(document.title), level=0)
    byline = ", ".join(filter(None, (document.author, document.date)))
    file.add_paragraph(clean(byline))
    if document.caveat:
        _write(file.add_paragraph(), document.caveat, bold=True)
    for section in document.sections:
        file.add_heading(clean(section.heading), level=1)
        for block in section.blocks:
            _add(file, block)
    buffer = io.BytesIO()
    file.save(buffer)
    return buffer.getvalue()


def _add(file: Any, block: Block) -> None:
    if isinstance(block, Paragraph):
        _write(file.add_paragraph(), block.text, bold=block.kind == "caveat")
    elif isinstance(block, Table):
        _add_table(file, block.table, block.label)
    elif isinstance(block, Picture):
        _add_picture(file, block)
    elif isinstance(block, Code):
        _add_code(file, block.text)


def _write(paragraph: Any, text: str, *, bold: bool = False, size: float | None = None, heading: bool = False) -> None:
    from docx.shared import Pt

    for run in runs(text, heading=heading):
        written = paragraph.add_run(run.text)
        written.italic, written.bold = run.italic or None, bold or None
        if size is not None:
            written.font.size = Pt(size)


def _add_table(file: Any, table: SummaryTable, label: str) -> None:
    caption = file.add_paragraph()
    caption.paragraph_format.keep_with_next = True
    _write(caption, f"{label}. ", bold=True)
    _write(caption, table.title)
    header = [table.header] if any(table.header) else []
    grid = file.add_table(rows=0, cols=len(table.header))
    grid.autofit = True
    for number, line in enumerate([*header, *table.rows]):
        row = grid.add_row()
        for i, cell in enumerate(line):
            _fill(row.cells[i], cell, right=i in table.right, heading=bool(header) and number == 0)
    _rule(grid, bool(header))
    for note in table.notes:
        _write(file.add_paragraph(), note, size=_SMALL)
    file.add_paragraph()


def _fill(cell: Any, text: str, *, right: bool, heading: bool) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Inches, Pt

    paragraph = cell.paragraphs[0]
    paragraph.paragraph_format.space_after = Pt(1)
    if text.startswith("  "):
        paragraph.paragraph_format.left_indent = Inches(0.12)
    if right:
        paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    _write(paragraph, text.strip(), bold=heading, size=_SMALL, heading=heading)


def _rule(grid: Any, header: bool) -> None:
    """Lines above and below the table and under its header, which every page repeats."""
    if not grid.rows:
        return
    _line(grid.rows[0], "top")
    _line(grid.rows[-1], "bottom")
    if header:
        _line(grid.rows[0], "bottom")
        grid.rows[0]._tr.get_or_add_trPr().append(_element("w:tblHeader", {"w:val": "true"}))


def _line(row: Any, side: str) -> None:
    for cell in row.cells:
        properties = cell._tc.get_or_add_tcPr()
        borders = properties.find(_name("w:tcBorders"))
        if borders is None:
            borders = _element("w:tcBorders", {})
            properties.append(borders)
        if borders.find(_name(f"w:{side}")) is None:
            borders.append(_element(f"w:{side}", {"w:val": "single", "w:sz": "6", "w:color": "1F2933"}))


def _name(name: str) -> str:
    from docx.oxml.ns import qn

    return str(qn(name))


def _element(name: str, attributes: dict[str, str]) -> Any:
    from docx.oxml import OxmlElement

    made = OxmlElement(name)
    for key, value in attributes.items():
        made.set(_name(key), value)
    return made


def _add_picture(file: Any, picture: Picture) -> None:
    from docx.shared import Inches

    data, (width, height) = picture.png()
    scale = min(1.0, _TEXT_WIDTH / width, _TALLEST / height)
    shape = file.add_picture(io.BytesIO(data), width=Inches(scale * width))
    shape._inline.docPr.set("descr", clean(picture.alt))
    shape._inline.docPr.set("title", picture.label)
    file.paragraphs[-1].paragraph_format.keep_with_next = True
    caption = file.add_paragraph()
    _write(caption, f"{picture.label}. ", bold=True)
    _write(caption, picture.caption)


def _add_code(file: Any, text: str) -> None:
    from docx.shared import Pt

    written = file.add_paragraph().add_run(clean(text.rstrip("\n")))
    written.font.name, written.font.size = "Consolas", Pt(_CODE)
