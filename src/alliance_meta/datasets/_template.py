"""`template()`: an empty form for a study table that cannot be shipped, and a guide to filling it in."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from alliance_meta import _checks
from alliance_meta.datasets._catalog import described, templates
from alliance_meta.datasets._provenance import AGGREGATES, Aggregate, Column, Provenance
from alliance_meta.errors import InputError, OutputError

__all__ = ["said", "template"]

_EXCEL = ".xlsx"


def template(id: str, path: str | os.PathLike[str], *, replace: bool = False) -> Path:  # noqa: A002  the plan's name for it
    """Write a form for the study table of a publication, with a guide.

    Parameters
    ----------
    id : str
        One of `templates()`.
    path : path
        A ``.xlsx`` file gets the form and the guide as two sheets; beside a ``.csv`` file the guide becomes
        ``<name>-guide.md``.
    replace : bool
        Overwrite files that are there.

    Returns
    -------
    Path
        The form.

    Raises
    ------
    UnknownNameError
        With the nearest known id.
    InputError
        For another kind of file.
    OutputError
        If a file is there already, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     form = template("martin2000", Path(folder) / "martin.csv")
    ...     print(form.read_text().split(",")[:4], sorted(each.name for each in Path(folder).iterdir()))
    ['effect_id', 'study', 'label', 'year'] ['martin-guide.md', 'martin.csv']
    """
    about = described(_checks.known_name("template", id, tuple(templates())))
    form = Path(path)
    kind = form.suffix.lower()
    if kind not in (".csv", _EXCEL):
        raise InputError(f"{form} is neither .csv nor .xlsx, the two kinds of form")
    guide = form if kind == _EXCEL else form.with_name(f"{form.stem}-guide.md")
    taken = [str(file) for file in dict.fromkeys((form, guide)) if file.exists() and not replace]
    if taken:
        raise OutputError(f"{' and '.join(taken)} is there already and is left alone; choose another name, or replace")
    try:
        if kind == _EXCEL:
            _write_workbook(about, form)
        else:
            form.write_text(",".join(column.name for column in about.columns) + "\n", encoding="utf-8")
            guide.write_text(_guide(about), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{form} cannot be written: {error.strerror}") from error
    return form


def _write_workbook(about: Provenance, path: Path) -> None:
    empty = pd.DataFrame(columns=[column.name for column in about.columns])
    checks = pd.DataFrame({"published": [said(item) for item in about.aggregates]})
    with pd.ExcelWriter(path, engine="openpyxl") as book:
        empty.to_excel(book, sheet_name="studies", index=False)
        _columns(about).to_excel(book, sheet_name="guide", index=False)
        checks.to_excel(book, sheet_name="checked against", index=False)
        for sheet in book.sheets.values():
            sheet.freeze_panes = "A2"
            for cells in sheet.columns:
                widest = max(len(str(cell.value or "")) for cell in cells)
                sheet.column_dimensions[cells[0].column_letter].width = min(max(widest + 2, 10), 70)


def _columns(about: Provenance) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "column": [column.name for column in about.columns],
            "needed": ["yes" if column.required else "" for column in about.columns],
            "cells": [_cells(column) for column in about.columns],
            "meaning": [column.description for column in about.columns],
            "example (made up)": [column.example for column in about.columns],
        }
    )


def _cells(column: Column) -> str:
    if column.choices:
        return " / ".join(column.choices)
    if column.type == "text":
        return "text"
    kind = "whole number" if column.type == "integer" else "number"
    ends = [f"{value:g}" if abs(value) < float("inf") else "" for value in (column.minimum, column.maximum)]
    if all(ends):
        return f"{kind}, {ends[0]} to {ends[1]}"
    return f"{kind}, {ends[0]} or more" if ends[0] else f"{kind}, up to {ends[1]}" if ends[1] else kind


def said(item: Aggregate) -> str:
    """A published number in words: ``58 published studies (abstract)``."""
    of = f" where {item.where[0]} is {item.where[1]}" if item.where else ""
    number = f"r = {item.value} overall" if item.quantity == "estimate" else f"{item.value} {AGGREGATES[item.quantity]}"
    if item.quantity == "n_more_than":
        number = f"more than {item.value} patients"
    return f"{number}{of} ({item.locator})"


def _guide(about: Provenance) -> str:
    columns = _columns(about)
    rows = ["| " + " | ".join(map(str, row)) + " |" for row in columns.itertuples(index=False)]
    head = ["| " + " | ".join(columns.columns) + " |", "|" + "---|" * len(columns.columns)]
    checks = [f"- {said(item)}" for item in about.aggregates]
    source = about.source.reference if about.source else ""
    return "\n".join(
        [
            f"# How to fill in the form of {about.id}",
            "",
            source,
            "",
            about.description,
            "",
            "One row a reported correlation, numbers as printed, empty cells for what is not reported. "
            "The example is made up.",
            "",
            *head,
            *rows,
            "",
            "The filled form is checked against what is published:",
            "",
            *checks,
            "",
            f"Then: `alliance_meta.datasets.install({about.id!r}, 'this file')`.",
            "",
        ]
    )
