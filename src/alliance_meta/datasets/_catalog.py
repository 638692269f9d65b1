"""Loading the data sets."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from alliance_meta import _checks
from alliance_meta.datasets._installed import installation_of, is_installed
from alliance_meta.datasets._locate import data_folder
from alliance_meta.datasets._provenance import (
    CAVEATS,
    Column,
    Provenance,
    Reference,
    read_provenance,
    read_toml,
)
from alliance_meta.errors import DataFileError
from alliance_meta.studies import StudyTable

__all__ = ["Dataset", "catalog", "described", "load", "names", "references", "templates", "values_of"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset(StudyTable):
    """A curated table of studies and where it comes from.

    Attributes
    ----------
    provenance : Provenance
    roles : mapping of role to column name
    caveat : str
        A sentence every view must carry; not empty for simulated data.
    """

    provenance: Provenance
    _cells: pd.DataFrame = field(repr=False)

    @property
    def table(self) -> pd.DataFrame:
        """A copy of the table, one row a reported effect."""
        return self.frame

    def printed(self, column: str) -> list[str]:
        """A column's cells as the file writes them, with their printed decimals; empty where nothing is printed."""
        return self._cells[column].tolist()

    def cell(self, effect_id: str, column: str) -> str:
        """A cell as its file writes it, with the printed number of decimals; empty if nothing is printed.

        Raises
        ------
        UnknownNameError
            For an unknown row or column.
        """
        rows = self._cells.set_index("effect_id", drop=False)
        row = _checks.known_name(f"row of {self.provenance.id}", effect_id, tuple(rows.index))
        name = _checks.known_name(f"column of {self.provenance.id}", column, tuple(rows.columns))
        return str(rows.loc[row, name])

    def __repr__(self) -> str:
        return f"<Dataset {self.provenance.id!r}: {len(self.index)} rows, {self.provenance.kind}>"

    def __str__(self) -> str:
        return f"{self.table.to_string(max_rows=40, max_colwidth=40)}\n\n{self.provenance}"

    def _repr_html_(self) -> str:
        shown = self.table.astype(object).where(self.table.notna(), "")
        table = shown.to_html(max_rows=40, border=0, index=False, justify="left")
        return f'{self.provenance._repr_html_()}<div style="overflow-x:auto">{table}</div>'


def names() -> list[str]:
    """The ids of the data sets that can be loaded: those shipped, and templates whose table is installed.

    Examples
    --------
    >>> "kolden2011" in names()
    True
    """
    return [name for name, about in _described().items() if about.kind != "template" or is_installed(name)]


def templates() -> list[str]:
    """The ids of the data sets whose tables cannot be shipped, installed or not.

    Examples
    --------
    >>> templates()
    ['fluckiger2018', 'horvath2011', 'horvath_symonds1991', 'martin2000']
    """
    return [name for name, about in _described().items() if about.kind == "template"]


def described(id: str) -> Provenance:  # noqa: A002  the plan's name for it
    """What is known about a data set, without loading it.

    Raises
    ------
    UnknownNameError
        With the nearest known id.

    Examples
    --------
    >>> [(item.quantity, item.value) for item in described("martin2000").aggregates][0]
    ('k_studies', '79')
    """
    known = _checks.known_name("data set", id, _ids())
    return read_provenance(data_folder() / "datasets" / known / "dataset.toml", references())


def _ids() -> tuple[str, ...]:
    return tuple(sorted(path.parent.name for path in (data_folder() / "datasets").glob("*/dataset.toml")))


def _described() -> dict[str, Provenance]:
    return {name: described(name) for name in _ids()}


def references() -> dict[str, Reference]:
    """The publications that data sets and reproductions cite, by citation key.

    Examples
    --------
    >>> references()["kolden2011"].doi
    '10.1037/a0022064'
    """
    path = data_folder() / "references.toml"
    keys: dict[str, type] = {"short": str, "reference": str}
    optional: dict[str, type] = {"doi": str, "doi_seen": str, "pmid": str}
    found = {}
    for key, body in read_toml(path).items():
        where = f"[{key}] of {path}"
        table = _checks.closed_table(body, where, required=keys, optional=optional, error=DataFileError)
        found[key] = Reference(key=key, short=table["short"], reference=table["reference"], doi=table.get("doi", ""))
    return found


def catalog() -> pd.DataFrame:
    """The data sets: id, title, kind, rows, publication, licence. A template has no rows until it is installed.

    Examples
    --------
    >>> catalog().loc["kolden2011", "rows"].item()
    16
    """
    rows, loadable = [], names()
    for name, about in _described().items():
        rows.append(
            {
                "id": about.id,
                "title": about.title,
                "kind": about.kind,
                "rows": len(load(name).index) if name in loadable else 0,
                "publication": about.source.short if about.source else "each row names its own",
                "licence": about.licence,
            }
        )
    return pd.DataFrame(rows).set_index("id")


def load(id: str, *, as_printed: bool = False) -> Dataset:  # noqa: A002  the plan's name for it
    """Load a data set, checking its hash and every cell against its own description.

    Parameters
    ----------
    id : str
        One of `names()`, or of `templates()` once its table is installed.
    as_printed : bool
        Undo the deviations: give each such cell as the source prints it.

    Returns
    -------
    Dataset

    Raises
    ------
    UnknownNameError
        With the nearest known id.
    NeedsDataError
        For a template whose table is not installed; it says how to install it.
    DataFileError
        If the file's hash is wrong, or a cell breaks the data set's description.

    Examples
    --------
    One study's n differs from the source's table, and the provenance says why:

    >>> used, printed = load("farber_doolin2011"), load("farber_doolin2011", as_printed=True)
    >>> print(used.cell("litter2004", "n"), printed.cell("litter2004", "n"))
    48 8
    """
    provenance = described(id)
    folder, doubt = data_folder() / "datasets" / provenance.id, ""
    if provenance.kind == "template":
        record = installation_of(provenance)
        folder, doubt = record.folder, record.doubt
        provenance = replace(provenance, sha256=record.sha256, installed=record.origin)
    cells = _read_cells(folder / "effects.csv", provenance)
    _check_deviations(cells, provenance, folder)
    if as_printed:
        for item in provenance.deviations:
            cells.loc[cells["effect_id"] == item.row, item.column] = item.printed
    frame = pd.DataFrame({column.name: _typed(cells, column, folder) for column in provenance.columns})
    return Dataset(
        provenance=provenance,
        roles=MappingProxyType({column.role: column.name for column in provenance.columns if column.role}),
        caveat=CAVEATS.get(provenance.kind, doubt),
        _frame=frame,
        _cells=cells,
    )


def _read_cells(path: Path, provenance: Provenance) -> pd.DataFrame:
    """All cells as text, after checking the file's hash, columns, ids and locators."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataFileError(f"{path} cannot be read: {error}") from error
    digest = hashlib.sha256(raw).hexdigest()
    if digest != provenance.sha256:
        raise DataFileError(
            f"{path} is not the file that dataset.toml describes: its sha256 is {digest}, expected "
            f"{provenance.sha256}. Restore the file, or raise the version and write the new hash."
        )
    try:
        header, *rows = list(csv.reader(StringIO(raw.decode("utf-8"), newline=""), strict=True)) or [[]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataFileError(f"{path} cannot be read: {error}") from error
    expected = [column.name for column in provenance.columns]
    if header != expected:
        raise DataFileError(f"{path} has columns {_checks.listed(header)}; expected {_checks.listed(expected)}")
    ragged = [row[0] if row else "an empty line" for row in rows if len(row) != len(header)]
    if ragged:
        raise DataFileError(f"{path}: {_checks.listed(ragged)} has not {len(header)} cells")
    cells = pd.DataFrame(rows, columns=header, dtype=str)
    repeated = cells["effect_id"][cells["effect_id"].duplicated()].tolist()
    if repeated:
        raise DataFileError(f"{path}: effect_id {_checks.listed(repeated)} stands more than once")
    return cells


def _check_deviations(cells: pd.DataFrame, provenance: Provenance, folder: Path) -> None:
    for item in provenance.deviations:
        row = cells["effect_id"] == item.row
        if item.column not in cells or not row.any():
            raise DataFileError(f"{folder}: a deviation points at {item.row}, {item.column}, which is no cell")
        cell = cells.loc[row, item.column].iloc[0]
        if cell != item.used:
            raise DataFileError(
                f"{folder}: a deviation says {item.row}, {item.column} is {item.used!r}, but the cell holds {cell!r}"
            )


def _typed(cells: pd.DataFrame, column: Column, folder: Path) -> pd.Series[Any]:
    """A column in its type, or one error with every cell that breaks its description."""
    values, bad = values_of(cells[column.name], column)
    if bad.any():
        text = cells[column.name]
        offenders = ", ".join(f"{row} ({cell!r})" for row, cell in zip(cells["effect_id"][bad], text[bad], strict=True))
        raise DataFileError(f"{folder}: column {column.name!r} breaks its description in rows {offenders}")
    return values


def values_of(text: pd.Series[Any], column: Column) -> tuple[pd.Series[Any], pd.Series[bool]]:
    """A column's cells in their type, and which of them break its description."""
    empty = text == ""
    bad = empty & column.required
    if column.type == "text":
        return text, bad | ~(text.isin(column.choices) | empty) if column.choices else bad
    values: pd.Series[Any] = pd.to_numeric(text.where(~empty), errors="coerce")
    bad = bad | ((values.isna() | np.isinf(values)) & ~empty)
    bad = bad | (values < column.minimum) | (values > column.maximum)
    if column.type == "integer":
        bad = bad | ((values % 1 != 0) & values.notna())
        values = values.where(~bad).astype("Int64") if values.isna().any() else values.where(~bad, 0).astype("int64")
    return values, bad
