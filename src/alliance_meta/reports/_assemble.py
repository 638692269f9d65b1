"""A fit becomes a document: its sections in order, whatever file they will be written to."""

from __future__ import annotations

import datetime as dt
import platform
import re
import sys
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

from alliance_meta._tables import SummaryTable
from alliance_meta.datasets import Dataset
from alliance_meta.effects import EffectSizes
from alliance_meta.errors import AllianceMetaError
from alliance_meta.reports import _methods
from alliance_meta.reports._content import Block, Code, Document, Paragraph, Section, Table, numbered
from alliance_meta.reports._figures import figures
from alliance_meta.reports._kinds import Fit, effects_of
from alliance_meta.reports._pictures import Picture
from alliance_meta.reports._references import references
from alliance_meta.reports._report_tables import studies_table, tables
from alliance_meta.results import PsychometricResult, RobustFit
from alliance_meta.snapshot import data_hash, hash_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from alliance_meta.results.sensitivity import Panel

__all__ = ["assembled"]

_NO_ZERO = re.compile(r"(?<![\d.])0\.(?=\d)")


def assembled(fit: Fit, *, title: str | None, author: str | None, data: Dataset | None, chosen: str) -> Document:
    """Everything a report says.

    Parameters
    ----------
    fit : Fit
    title, author : str, optional
    data : Dataset, optional
        Where the effects come from.
    chosen : str
        Why this model, where the report and not its author chose it; empty otherwise.
    """
    effects = None if isinstance(fit, PsychometricResult) else fit.effects
    caveat = fit.caveat if isinstance(fit, PsychometricResult) else fit.effects.caveat
    method = [*([_methods.data(effects)] if effects is not None else []), *([chosen] if chosen else [])]
    method += [*_methods.methods(fit), _methods.software()]
    sections = [
        Section("Method", _paragraphs(method)),
        Section("Results", (*_paragraphs(_methods.results(fit)), *map(_table, tables(fit)))),
        *_figures(fit),
        *_sensitivity(fit),
        *_notes(fit, caveat),
        *([_source(data)] if data is not None else []),
        Section("Studies", (_table(studies_table(fit)),), folded=True),
        *_cited(method),
        Section("The same in R", (*_paragraphs([_r_words(fit)]), Code(fit.to_r())), folded=True),
        _session(fit),
    ]
    return Document(
        title=title or _methods.title(fit),
        author=author or "",
        date=_today(),
        caveat=caveat or (data.caveat if data is not None else ""),
        sections=numbered(sections),
    )


def _today() -> str:
    return dt.datetime.now(dt.UTC).date().isoformat()


def _paragraphs(texts: list[str]) -> tuple[Block, ...]:
    return tuple(Paragraph(text) for text in texts)


def _table(table: SummaryTable) -> Block:
    return Table(table)


def _figures(fit: Fit) -> list[Section]:
    found: list[Block] = [*figures(fit)]
    if not found:
        found.append(Paragraph("No figures: a correlation of −1 or 1 has no sampling variance to draw.", kind="note"))
    return [Section("Figures", tuple(found))]


def _notes(fit: Fit, caveat: str) -> list[Section]:
    """What a reader must know of the data and of this fit."""
    inner = [fit.fit] if isinstance(fit, RobustFit) else []
    own: list[str] = [caveat, *getattr(fit, "notes", ())]
    for each in inner:
        own += getattr(each, "notes", ())
    own += () if isinstance(fit, PsychometricResult) else fit.effects.notes
    texts = [_sentence(text) for text in dict.fromkeys(filter(None, own))]
    return (
        [Section("Notes on the data and the analysis", tuple(Paragraph(t, kind="note") for t in texts))]
        if texts
        else []
    )


def _sentence(text: str) -> str:
    """A note as a sentence; a name of a column or an option at its head stays as it is."""
    first = text.split(" ", 1)[0]
    head = text[:1] if "_" in first or len(first) == 1 else text[:1].upper()
    return f"{head}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}"


def _cited(method: list[str]) -> list[Section]:
    found = references(method)
    return [Section("References", _paragraphs(found))] if found else []


def _r_words(fit: Fit) -> str:
    if isinstance(fit, PsychometricResult):
        return "This code repeats the analysis in R, without any package."
    packages = "metafor and clubSandwich" if isinstance(fit, RobustFit) else "metafor"
    return f"This code repeats the analysis in R with {packages}; the data are in it."


# Sensitivity


def _panel(effects: EffectSizes) -> Panel:
    from alliance_meta.sensitivity import panel  # all the methods of bias come with it

    return panel(effects)


def _draw_panel(found: Panel) -> Axes:
    from alliance_meta.plots._panel import panel

    return panel(found)


def _sensitivity(fit: Fit) -> list[Section]:
    """The panel of estimates under other methods; why there is none, where it cannot be made."""
    effects = effects_of(fit)
    if effects is None:
        return []
    try:
        found = _panel(effects)
    except AllianceMetaError as error:
        why = _sentence(f"the sensitivity panel cannot be made of these effects: {error}")
        return [Section("Sensitivity", (Paragraph(why, kind="note"),))]
    words = "The mean of the same effects, without moderators, by the usual other methods and assumptions."
    picture = Picture(
        draw=partial(_draw_panel, found),
        alt=f"Pooled effects by other methods. {found.sentence}",
        caption="The pooled effect by other methods and assumptions, with 95% intervals.",
    )
    remarks = [*(f"Caution: {text}" for text in found.cautions), *found.notes]
    blocks = (
        *_paragraphs([words, found.sentence]),
        Table(_bare(found.summary(), bounded=effects.measure.bounded)),
        picture,
        *(Paragraph(text, kind="note") for text in remarks),
    )
    return [Section("Sensitivity", blocks)]


def _bare(table: SummaryTable, *, bounded: bool) -> SummaryTable:
    """A printed table without its notes, and as APA style wants numbers that cannot exceed 1."""
    if not bounded:
        return replace(table, notes=())
    rows = tuple(
        tuple(_NO_ZERO.sub(".", cell) if i in table.right else cell for i, cell in enumerate(row)) for row in table.rows
    )
    return replace(table, rows=rows, notes=())


# Where it comes from


def _source(data: Dataset) -> Section:
    about = data.provenance
    rows = [
        ("data set", f"{about.id}, version {about.version}"),
        ("kind", about.kind),
        ("source", about.source.reference if about.source else "each row names its own"),
        *([("doi", about.source.doi)] if about.source and about.source.doi else []),
        *([("copied from", about.via.reference)] if about.via else []),
        ("where", about.locator),
        ("licence", about.licence),
        ("sha256 of the file", about.sha256),
        ("about", about.description),
        *(
            (
                "deviation",
                f"{each.row}, column {each.column}: the source has {each.printed}; used here is {each.used}. "
                f"{each.reason}",
            )
            for each in about.deviations
        ),
    ]
    filled = tuple((name, str(value)) for name, value in rows if value)
    return Section("Where the data come from", (Table(SummaryTable(title=about.title, header=("", ""), rows=filled)),))


def _session(fit: Fit) -> Section:
    rows = [
        ("made on", _today()),
        ("Python", f"{platform.python_version()} ({sys.platform})"),
        *((name, version(name)) for name in _methods.PACKAGES),
        ("sha256 of the data", _digest(fit)),
    ]
    table = SummaryTable(title="Program and data", header=("", ""), rows=tuple(rows))
    words = "The hash is that of the effects as analysed: the same effects have the same hash on every machine."
    return Section("Session", (Paragraph(words), Table(table)), folded=False)


def _digest(fit: Fit) -> str:
    """The hash that `snapshot.save` writes for the same effects; of a psychometric result that of its table."""
    if not isinstance(fit, PsychometricResult):
        return data_hash(fit.effects)
    frame = fit.table
    columns = {str(name): [None if cell != cell else cell for cell in frame[name].tolist()] for name in frame.columns}
    return hash_of({"measure": "r", "caveat": fit.caveat, "columns": columns})
