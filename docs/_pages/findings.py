"""The page of published findings: every number as printed beside what comes out, computed while the page is made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache

from docs._pages._markdown import plain, table

from alliance_meta import reproductions
from alliance_meta.reproductions import Comparison, Reproduction

__all__ = ["pages", "results"]

_INTRODUCTION = """# Published findings, recomputed

Every number below was computed while this page was made, by `am.reproductions.reproduce(id)`, from files in
`data/reproductions` that name the method and the printed numbers. `alliance-meta reproduce` does the same on your
machine.

| tier | what was done |
|---|---|
| recomputed | computed again from the studies' own numbers |
| consistency | held against other numbers that were printed with it |
| needs data | waits for a study table that cannot be shipped: [how to install it](how_to/install_a_template.md) |

A number *matches* when it agrees to half a unit in its last printed place. Where it differs, the file says so
beforehand and says why; a verdict that is not the expected one is called a surprise, and fails the build.

"""


@cache
def results() -> tuple[Reproduction, ...]:
    """Every shipped finding, recomputed once."""
    return tuple(reproductions.reproduce(name) for name in reproductions.names())


def pages() -> dict[str, str]:
    """One page for all findings.

    Raises
    ------
    RuntimeError
        For a verdict that is not the expected one.
    """
    surprising = [result.id for result in results() if result.surprises]
    if surprising:
        raise RuntimeError(f"surprises in {', '.join(surprising)}: run alliance-meta reproduce")
    return {"reproductions.md": _INTRODUCTION + _overview(results()) + "\n" + "\n".join(map(_finding, results()))}


def _overview(found: Sequence[Reproduction]) -> str:
    rows = [
        (
            f"[{plain(result.title)}](#{result.id.replace('_', '-')})",
            _tiers(result),
            ", ".join(
                f"{verdict}: {count}" for verdict, count in sorted(_counted(result).items(), key=_agreeing_first)
            ),
        )
        for result in found
    ]
    return "## All of them\n\n" + table(("finding", "tier", "numbers"), rows)


def _agreeing_first(counted: tuple[str, int]) -> bool:
    return counted[0] not in ("match", "consistent")


def _tiers(result: Reproduction) -> str:
    return ", ".join(dict.fromkeys(row.tier for row in result.comparisons))


def _counted(result: Reproduction) -> Counter[str]:
    return Counter(row.verdict for row in result.comparisons)


def _finding(result: Reproduction) -> str:
    header = ("quantity", "published", "recomputed", "difference", "tier", "verdict")
    rows = [
        (
            plain(row.label if result.source else f"{row.source}: {row.label}"),
            plain(row.published_text),
            "" if row.tier == "needs data" else plain(row.recomputed_text),
            "" if row.tier == "needs data" else plain(row.difference_text),
            row.tier,
            row.verdict,
        )
        for row in result.comparisons
    ]
    data = (
        f"Data: [{result.dataset.provenance.id}](data_sets/{result.dataset.provenance.id}.md). "
        if result.dataset
        else ""
    )
    source = plain(result.source) + " " if result.source else ""
    notes = [
        *_once("Method", (row.how for row in result.comparisons)),
        *_once("What else the numbers say", (_told(row) for row in result.comparisons)),
        *_once("Why", (row.why for row in result.comparisons)),
    ]
    return "\n".join(
        [
            f"({result.id.replace('_', '-')})=\n## {plain(result.title)}\n",
            f'{source}{data}`reproduce("{result.id}")`\n',
            table(header, rows, right=(1, 2, 3)),
            "\n".join(notes),
            "",
        ]
    )


def _told(row: Comparison) -> str:
    return f"{row.label}: {row.detail}" if row.detail else ""


def _once(word: str, said: Iterable[str]) -> list[str]:
    return [f"**{word}.** {plain(text)}\n" for text in dict.fromkeys(said) if text]
