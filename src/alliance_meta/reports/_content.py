"""What a report holds, before it is HTML or Word: sections of paragraphs, tables, pictures and code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from alliance_meta._tables import SummaryTable
from alliance_meta.reports._pictures import Picture, clean

__all__ = ["Block", "Code", "Document", "Paragraph", "Run", "Section", "Table", "numbered", "runs"]

_STATISTIC = re.compile(
    r"""(?<![\w.'’/-])(?:
        (?:QE|QM|SD|[rRztFQpkNnbgdMIH])(?=[²ρ]?(?:\([^()\s][^()]{0,24}\))?\ [=<>]\ )  # r = .25, t(15) = 3.9, p < .001
        | [IRH](?=²)
        | p(?=\ values?\b)
        | [tz](?=\ (?:distribution|tests?)\b)
        | Q[EM]?(?=\(\d+\)|\ tests\b)
        | (?<=Fisher's\ )z
        | (?<=difference\ )[dg]\b
        | (?<=profiling\ )Q
        | (?:(?<=reported\ as\ )|(?<=orrelation\ ))r\b
    )""",
    re.VERBOSE,
)
_HEADERS = frozenset({"r", "z", "t", "p", "k", "n", "N", "b", "df", "g", "d", "F", "Q", "SE"})
"""Headings of columns that are statistics."""


@dataclass(frozen=True, slots=True)
class Run:
    """A piece of a paragraph, italic where APA style wants a statistic so."""

    text: str
    italic: bool


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text; statistics in it are set in italics by the renderer."""

    text: str
    kind: Literal["plain", "caveat", "note"] = "plain"


@dataclass(frozen=True, slots=True)
class Table:
    """A table; its title is the caption."""

    table: SummaryTable
    label: str = ""


@dataclass(frozen=True, slots=True)
class Code:
    """Lines of a program."""

    text: str


Block = Paragraph | Table | Picture | Code


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it; `folded` where a page may hide it until asked."""

    heading: str
    blocks: tuple[Block, ...]
    folded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A report."""

    title: str
    author: str
    date: str
    caveat: str
    sections: tuple[Section, ...]


def runs(text: str, *, heading: bool = False) -> list[Run]:
    """Cut text where italics begin and end.

    Examples
    --------
    >>> [run.text for run in runs("a pooled r = .25, t(15) = 3.90, p = .001") if run.italic]
    ['r', 't', 'p']
    """
    text = clean(text)
    if heading and text in _HEADERS:
        return [Run(text, italic=True)]
    found, end = list[Run](), 0
    for match in _STATISTIC.finditer(text):
        found += [Run(text[end : match.start()], italic=False), Run(match.group(), italic=True)]
        end = match.end()
    return [run for run in (*found, Run(text[end:], italic=False)) if run.text]


def numbered(sections: Sequence[Section]) -> tuple[Section, ...]:
    """Give tables and figures their numbers, in the order of the report."""
    counts = {"Table": 0, "Figure": 0}
    done = []
    for section in sections:
        blocks: list[Block] = []
        for block in section.blocks:
            if isinstance(block, Table | Picture):
                kind = "Table" if isinstance(block, Table) else "Figure"
                counts[kind] += 1
                blocks.append(replace(block, label=f"{kind} {counts[kind]}"))
            else:
                blocks.append(block)
        done.append(replace(section, blocks=tuple(blocks)))
    return tuple(done)
