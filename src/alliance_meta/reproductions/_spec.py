"""Reading a reproduction file: a published finding as data."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from alliance_meta import _checks
from alliance_meta.errors import SpecError

__all__ = ["Analysis", "Published", "Spec", "read_spec"]

Expectation = Literal["match", "differs"]

SCHEMA_VERSION = 1
_EXPECTATIONS: tuple[Expectation, ...] = ("match", "differs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A number as its publication prints it, and whether recomputing is expected to give it.

    Attributes
    ----------
    quantity : str
    scale : str
        Empty for quantities that have none, such as k.
    value : str
        As printed: half a unit in its last place is the tolerance.
    locator : str
        Where it stands in the publication.
    expect : {"match", "differs"}
    reason : str
        Why it differs, and what comes closest; empty for a match.
    """

    quantity: str
    scale: str
    value: str
    locator: str
    expect: Expectation
    reason: str

    @property
    def number(self) -> float:
        """The printed value."""
        return float(self.value)

    @property
    def tolerance(self) -> float:
        """Half a unit in the last printed place."""
        return half_unit(self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What is computed: the effect sizes, the model (its `kind` and that kind's options), and what was printed.

    `where` is a column and the value that a row must have to take part; None for all rows.
    """

    id: str
    measure: str
    where: tuple[str, str] | None
    kind: str
    options: dict[str, str]
    published: tuple[Published, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A reproduction file. `citation` and `locator` are empty where each analysis has a publication of its own."""

    id: str
    title: str
    dataset: str
    dataset_version: int
    as_printed: bool
    citation: str
    locator: str
    analyses: tuple[Analysis, ...]


def half_unit(printed: str) -> float:
    """Half a unit in the last printed place of a number: 0.005 for ``"0.24"``."""
    decimals = len(printed.partition(".")[2])
    return 0.5 * 10.0**-decimals


def read_spec(path: Path, kinds: dict[str, tuple[str, ...]]) -> Spec:
    """Read and check a reproduction file.

    Parameters
    ----------
    path : Path
    kinds : dict
        The model kinds known, each with the options it takes (all of them required).

    Raises
    ------
    SpecError
        For an unknown or missing key, a wrong type, or an unknown kind.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"{path} cannot be read: {error}") from error
    where = path.name
    table = _checks.closed_table(
        raw,
        where,
        required={"schema_version": int, "id": str, "title": str, "dataset": dict, "analysis": list},
        optional={"publication": dict},
        error=SpecError,
    )
    if table["schema_version"] != SCHEMA_VERSION:
        raise SpecError(f"{where}: schema_version must be {SCHEMA_VERSION}, not {table['schema_version']}")
    if table["id"] != path.stem:
        raise SpecError(f"{where}: id {table['id']!r} must be the file's name")
    dataset = _checks.closed_table(
        table["dataset"],
        f"dataset in {where}",
        required={"id": str, "version": int},
        optional={"as_printed": bool},
        error=SpecError,
    )
    publication = _checks.closed_table(
        table.get("publication", {"citation": "", "locator": ""}),
        f"publication in {where}",
        required={"citation": str, "locator": str},
        error=SpecError,
    )
    return Spec(
        id=table["id"],
        title=table["title"],
        dataset=dataset["id"],
        dataset_version=dataset["version"],
        as_printed=dataset.get("as_printed", False),
        citation=publication["citation"],
        locator=publication["locator"],
        analyses=_analyses(table["analysis"], kinds, where),
    )


def _analyses(bodies: list[Any], kinds: dict[str, tuple[str, ...]], where: str) -> tuple[Analysis, ...]:
    analyses = tuple(_analysis(body, kinds, f"[[analysis]] {i} of {where}") for i, body in enumerate(bodies, 1))
    ids = [analysis.id for analysis in analyses]
    repeated = sorted({name for name in ids if ids.count(name) > 1})
    if repeated or not ids:
        raise SpecError(f"{where}: each analysis needs an id of its own; repeated: {_checks.listed(repeated)}")
    return analyses


def _analysis(body: object, kinds: dict[str, tuple[str, ...]], where: str) -> Analysis:
    table = _checks.closed_table(
        body,
        where,
        required={"id": str, "model": dict, "published": list},
        optional={"effect_size": dict},
        error=SpecError,
    )
    kind = table["model"].get("kind")
    if kind not in kinds:
        raise SpecError(f"model of {where}: kind {kind!r} is not one of {_checks.listed(kinds)}")
    options = _checks.closed_table(
        table["model"],
        f"model of {where}",
        required={"kind": str, **dict.fromkeys(kinds[kind], str)},
        error=SpecError,
    )
    effect_size = _checks.closed_table(
        table.get("effect_size", {"measure": ""}),
        f"effect_size of {where}",
        required={"measure": str},
        optional={"where": dict},
        error=SpecError,
    )
    picked = [*effect_size.get("where", {}).items()]
    if len(picked) > 1 or not all(isinstance(value, str) for _, value in picked):
        raise SpecError(f"effect_size of {where}: where takes one column and one value, a text")
    published = tuple(
        _published(item, f"[[analysis.published]] {i} of {where}") for i, item in enumerate(table["published"], 1)
    )
    return Analysis(
        id=table["id"],
        measure=effect_size["measure"],
        where=picked[0] if picked else None,
        kind=options.pop("kind"),
        options=options,
        published=published,
    )


def _published(body: object, where: str) -> Published:
    table = _checks.closed_table(
        body,
        where,
        required={"quantity": str, "value": str, "locator": str, "expect": str},
        optional={"scale": str, "reason": str},
        error=SpecError,
    )
    if table["expect"] not in _EXPECTATIONS:
        raise SpecError(f"{where}: expect must be {_checks.listed(_EXPECTATIONS, last='or')}, not {table['expect']!r}")
    if (table["expect"] == "differs") != bool(table.get("reason")):
        raise SpecError(f"{where}: a number expected to differ needs a reason, and only such a number has one")
    try:
        float(table["value"])
    except ValueError as error:
        raise SpecError(f"{where}: value {table['value']!r} is not a number") from error
    return Published(**{"scale": "", "reason": "", **table})
