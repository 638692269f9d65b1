"""A page for each data set, from its ``dataset.toml``."""

from __future__ import annotations

from math import isfinite

from docs._pages._markdown import plain, table, toctree

from alliance_meta import datasets, reproductions
from alliance_meta.datasets import Column, Provenance, Reference
from alliance_meta.datasets._locate import data_folder
from alliance_meta.datasets._provenance import AGGREGATES, KINDS
from alliance_meta.reproductions._models import KINDS as MODEL_KINDS
from alliance_meta.reproductions._spec import read_spec

__all__ = ["ids", "page", "pages"]

_INDEX = """# Data sets

Every number here has a source. What differs from it, cell by cell, is said on the data set's page, and
`am.datasets.load(id, as_printed=True)` takes it back. A *template* is a form: its table stands in an article under
copyright, and whoever holds the article can [fill it in](../how_to/install_a_template.md).

"""


def ids() -> list[str]:
    """Every data set, those that cannot be shipped included."""
    return sorted({*datasets.templates(), *datasets.names()})


def pages() -> dict[str, str]:
    """One page a data set, and one that lists them."""
    known = {name: datasets.described(name) for name in ids()}
    rows = [
        (
            f"[{name}]({name}.md)",
            plain(about.title),
            about.kind,
            str(len(datasets.load(name).table)) if about.kind != "template" else "",
        )
        for name, about in known.items()
    ]
    kinds = [(f"**{kind}**", said) for kind, said in KINDS.items()]
    index = (
        _INDEX
        + table(("id", "what", "kind", "rows"), rows, right=(3,))
        + "\n## Kinds\n\n"
        + table(("kind", "meaning"), kinds)
        + "\n"
        + toctree(known, hidden=True)
    )
    return {"data_sets/index.md": index} | {f"data_sets/{name}.md": page(about) for name, about in known.items()}


def page(about: Provenance) -> str:
    """What is known about a data set."""
    form = about.kind == "template"
    facts = [
        ("id", f"`{about.id}`"),
        ("kind", f"**{about.kind}**: {KINDS[about.kind]}"),
        *([("publication", _cited(about.source))] if about.source else []),
        *([("copied from", _cited(about.via))] if about.via else []),
        ("where", plain(about.locator)),
        *([] if form else [("rows", str(len(datasets.load(about.id).table)))]),
        ("licence", plain(about.licence)),
        ("version", str(about.version)),
        *([("sha256 of `effects.csv`", f"`{about.sha256[:16]}…`")] if about.sha256 and not form else []),
    ]
    parts = [
        f"# {plain(about.title)}\n",
        f"{plain(about.description)}\n",
        table(("about", "this data set"), facts),
        _how_to_install(about) if form else _how_to_load(about),
        _columns(about),
        _deviations(about) if not form else _aggregates(about),
        _findings(about),
        "## Revisions\n\n" + "".join(f"- {plain(line)}\n" for line in reversed(about.revisions)),
    ]
    return "\n".join(part for part in parts if part)


def _cited(reference: Reference) -> str:
    link = f" [doi:{reference.doi}](https://doi.org/{reference.doi})" if reference.doi else ""
    return plain(reference.reference) + link


def _how_to_load(about: Provenance) -> str:
    return f"""```python
import alliance_meta as am

studies = am.datasets.load("{about.id}")
studies.table       # a pandas DataFrame
studies.provenance  # this page
```
"""


def _how_to_install(about: Provenance) -> str:
    return f"""## How to install it

The table itself is not here. Whoever holds the publication writes the form, copies the study table into it, and
installs it; every cell and every published number below is checked before the table is kept
([more](../how_to/install_a_template.md)).

```sh
alliance-meta template {about.id} {about.id}.xlsx
alliance-meta install {about.id} {about.id}.xlsx
```
"""


def _columns(about: Provenance) -> str:
    form = about.kind == "template"
    header = ("column", "meaning", "type", "role", "cells", *(("example (made up)",) if form else ()))
    rows = [
        (
            f"`{column.name}`",
            plain(column.description),
            column.type,
            f"`{column.role}`" if column.role else "",
            _cells(column),
            *((plain(column.example),) if form else ()),
        )
        for column in about.columns
    ]
    return f"## Columns\n\n{table(header, rows)}"


def _cells(column: Column) -> str:
    said = ["required" if column.required else "may be empty"]
    if isfinite(column.minimum) and isfinite(column.maximum):
        said.append(f"{column.minimum:g} to {column.maximum:g}")
    elif isfinite(column.minimum):
        said.append(f"at least {column.minimum:g}")
    elif isfinite(column.maximum):
        said.append(f"at most {column.maximum:g}")
    if column.choices:
        said.append("one of " + ", ".join(plain(choice) for choice in column.choices))
    return "; ".join(said)


def _deviations(about: Provenance) -> str:
    if not about.deviations:
        return "## Deviations from the source\n\nNone is known: every cell is as the source has it.\n"
    rows = [
        (f"`{item.row}`", f"`{item.column}`", plain(item.printed), plain(item.used), plain(item.reason))
        for item in about.deviations
    ]
    header = ("row", "column", "the source has", "used here", "why")
    return f"## Deviations from the source\n\n{table(header, rows)}"


def _aggregates(about: Provenance) -> str:
    rows = [
        (
            AGGREGATES[item.quantity] + (f", {item.where[0]} = {plain(item.where[1])}" if item.where else ""),
            item.value,
            plain(item.locator),
        )
        for item in about.aggregates
    ]
    return f"## Published numbers it is checked against\n\n{table(('number', 'printed', 'where'), rows, right=(1,))}"


def _findings(about: Provenance) -> str:
    folder = data_folder() / "reproductions"
    used = [
        name for name in reproductions.names() if read_spec(folder / f"{name}.toml", MODEL_KINDS).dataset == about.id
    ]
    if not used:
        return ""
    links = "".join(f"- [{name}](../reproductions.md#{name.replace('_', '-')})\n" for name in used)
    return f"## Findings recomputed from it\n\n{links}"
