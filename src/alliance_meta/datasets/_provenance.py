"""What is known about a data set: read from ``dataset.toml`` and checked key by key."""

from __future__ import annotations

import datetime as dt
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from alliance_meta import _checks
from alliance_meta._tables import SummaryTable
from alliance_meta.errors import DataFileError
from alliance_meta.studies import ROLES

__all__ = [
    "AGGREGATES",
    "CAVEATS",
    "KINDS",
    "Aggregate",
    "Column",
    "Deviation",
    "Provenance",
    "Reference",
    "read_provenance",
    "read_toml",
]

Kind = Literal["transcribed", "second-hand", "published-aggregates", "simulated", "template"]
ColumnType = Literal["text", "integer", "number"]

KINDS: dict[Kind, str] = {
    "transcribed": "copied from the publication itself",
    "second-hand": "copied from a source that copied the publication",
    "published-aggregates": "pooled results as their publications print them",
    "simulated": "made by a program; no real studies",
    "template": "a form: the table cannot be shipped, and whoever holds the publication installs it",
}
CAVEATS: dict[Kind, str] = {"simulated": "Simulated data: made by a program, not from real studies."}
AGGREGATES: dict[str, str] = {
    "k_studies": "studies",
    "k_effects": "effects",
    "k_published": "published studies",
    "k_unpublished": "unpublished studies",
    "n_more_than": "patients, more than",
    "estimate": "overall r",
}
"""Published numbers that an installed table is checked against."""
_TYPES: tuple[ColumnType, ...] = ("text", "integer", "number")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A publication: its citation key, short form, full reference and DOI (empty where none was verified)."""

    key: str
    short: str
    reference: str
    doi: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a data set: its type, role, whether cells may be empty, range and meaning; for a form, an example."""

    name: str
    type: ColumnType
    role: str
    required: bool
    minimum: float
    maximum: float
    choices: tuple[str, ...]
    description: str
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """A cell that differs from the source: what is printed there, what is used here, and why."""

    row: str
    column: str
    printed: str
    used: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """A number that the publication of a template prints: one of `AGGREGATES`, as printed, of the rows `where` picks.

    `where` is a column and its value, or None for all rows.
    """

    quantity: str
    value: str
    locator: str
    where: tuple[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a data set comes from and what was done to it.

    Attributes
    ----------
    id, version, title, kind, licence, sha256, description : str or int
        `kind` is one of `KINDS`; `sha256` is that of ``effects.csv``, empty for a template that is not installed.
    source : Reference or None
        The publication the numbers describe; None where each row names its own.
    via : Reference or None
        Where they were copied from, if not from the publication itself.
    locator : str
        Where they stand in that source.
    columns : tuple of Column
    deviations : tuple of Deviation
    revisions : tuple of str
        One line a version, newest last.
    aggregates : tuple of Aggregate
        What is published about the table of a template.
    installed : str
        By whom and when the table of a template was installed; else empty.
    """

    id: str
    version: int
    title: str
    kind: Kind
    licence: str
    sha256: str
    description: str
    source: Reference | None
    via: Reference | None
    locator: str
    columns: tuple[Column, ...]
    deviations: tuple[Deviation, ...]
    revisions: tuple[str, ...]
    aggregates: tuple[Aggregate, ...] = ()
    installed: str = ""

    def __str__(self) -> str:
        return self._summary().to_text()

    def _repr_html_(self) -> str:
        return self._summary().to_html()

    def _summary(self) -> SummaryTable:
        rows = [
            ("kind", f"{self.kind}: {KINDS[self.kind]}"),
            *([("publication", _with_doi(self.source))] if self.source else []),
            *([("copied from", _with_doi(self.via))] if self.via else []),
            ("where", self.locator),
            ("licence", self.licence),
            *([("installed", self.installed)] if self.installed else []),
            ("version", f"{self.version}{f', sha256 {self.sha256[:12]}…' if self.sha256 else ''}"),
            *(
                (
                    "deviation",
                    f"{item.row}, {item.column}: source {item.printed}, used {item.used}. {item.reason}",
                )
                for item in self.deviations
            ),
        ]
        return SummaryTable(
            title=f"Provenance of {self.id}: {self.title}",
            header=("", ""),
            rows=tuple(rows),
            notes=(self.description,),
        )


def _with_doi(reference: Reference) -> str:
    return f"{reference.reference} https://doi.org/{reference.doi}" if reference.doi else reference.reference


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file, or raise `DataFileError` naming it."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataFileError(f"{path} cannot be read: {error}") from error


def read_provenance(path: Path, references: dict[str, Reference]) -> Provenance:
    """Read and check a ``dataset.toml``.

    Raises
    ------
    DataFileError
        For an unknown or missing key, a wrong type, an unknown kind, role, column or citation.
    """
    table = _checks.closed_table(
        read_toml(path),
        str(path),
        required={
            "schema_version": int,
            "id": str,
            "version": int,
            "title": str,
            "kind": str,
            "licence": str,
            "description": str,
            "source": dict,
            "columns": dict,
            "revision": list,
        },
        optional={"sha256": str, "deviation": list, "aggregate": list},
        error=DataFileError,
    )
    source = _checks.closed_table(
        table["source"],
        f"[source] of {path}",
        required={"locator": str},
        optional={"citation": str, "via": str},
        error=DataFileError,
    )
    columns = tuple(_column(name, body, path) for name, body in table["columns"].items())
    revisions = [_revision(body, path) for body in table["revision"]]
    _refuse_contradictions(table, columns, path)
    return Provenance(
        id=table["id"],
        version=table["version"],
        title=table["title"],
        kind=table["kind"],
        licence=table["licence"],
        sha256=table.get("sha256", ""),
        description=" ".join(table["description"].split()),
        source=_cited(source["citation"], references, path) if "citation" in source else None,
        via=_cited(source["via"], references, path) if "via" in source else None,
        locator=source["locator"],
        columns=columns,
        deviations=tuple(_deviation(body, path) for body in table.get("deviation", [])),
        revisions=tuple(revisions),
        aggregates=tuple(_aggregate(body, path) for body in table.get("aggregate", [])),
    )


def _refuse_contradictions(table: dict[str, Any], columns: tuple[Column, ...], path: Path) -> None:
    """What keys and types alone do not show."""
    if table["schema_version"] != 1:
        raise DataFileError(f"{path}: schema_version {table['schema_version']} is not 1, the one this version reads")
    roles = [column.role for column in columns if column.role]
    for role in roles:
        if roles.count(role) > 1:
            raise DataFileError(f"{path}: role {role!r} is given to more than one column")
    if "effect_id" not in table["columns"]:
        raise DataFileError(f"{path} describes no column 'effect_id'")
    if table["id"] != path.parent.name:
        raise DataFileError(f"{path}: id {table['id']!r} must be the name of its folder")
    if table["kind"] not in KINDS:
        raise DataFileError(f"{path}: kind {table['kind']!r} is not one of {_checks.listed(KINDS)}")
    for key, form in (("sha256", False), ("aggregate", True)):
        if (key in table) != ((table["kind"] == "template") == form):
            raise DataFileError(
                f"{path}: {key!r} is for {'a template' if form else 'a set with rows'}, and needed there"
            )


def _cited(key: str, references: dict[str, Reference], path: Path) -> Reference:
    if key not in references:
        raise DataFileError(f"{path} cites {key!r}, which is not in references.toml")
    return references[key]


def _column(name: str, body: object, path: Path) -> Column:
    where = f"[columns.{name}] of {path}"
    table = _checks.closed_table(
        body,
        where,
        required={"type": str, "description": str},
        optional={
            "role": str,
            "required": bool,
            "minimum": (int, float),
            "maximum": (int, float),
            "choices": list,
            "example": str,
        },
        error=DataFileError,
    )
    if table["type"] not in _TYPES:
        raise DataFileError(f"{where}: type {table['type']!r} is not one of {_checks.listed(_TYPES)}")
    if table.get("role", "") not in ("", *ROLES):
        raise DataFileError(f"{where}: role {table['role']!r} is not one of {_checks.listed(ROLES)}")
    return Column(
        name=name,
        type=table["type"],
        role=table.get("role", ""),
        required=table.get("required", False),
        minimum=float(table.get("minimum", "-inf")),
        maximum=float(table.get("maximum", "inf")),
        choices=tuple(table.get("choices", ())),
        description=table["description"],
        example=table.get("example", ""),
    )


def _aggregate(body: object, path: Path) -> Aggregate:
    where = f"[[aggregate]] of {path}"
    keys = {"quantity": str, "value": str, "locator": str}
    table = _checks.closed_table(body, where, required=keys, optional={"where": dict}, error=DataFileError)
    if table["quantity"] not in AGGREGATES:
        raise DataFileError(f"{where}: quantity {table['quantity']!r} is not one of {_checks.listed(AGGREGATES)}")
    picked = next(iter(table["where"].items())) if "where" in table else None
    return Aggregate(quantity=table["quantity"], value=table["value"], locator=table["locator"], where=picked)


def _deviation(body: object, path: Path) -> Deviation:
    keys = {"row": str, "column": str, "printed": str, "used": str, "reason": str}
    return Deviation(**_checks.closed_table(body, f"[[deviation]] of {path}", required=keys, error=DataFileError))


def _revision(body: object, path: Path) -> str:
    keys = {"version": int, "date": dt.date, "note": str}
    table = _checks.closed_table(body, f"[[revision]] of {path}", required=keys, error=DataFileError)
    return f"{table['version']} ({table['date'].isoformat()}): {table['note']}"
