"""Pieces of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

__all__ = ["escaped", "plain", "table", "toctree"]

_MARKS = re.compile(r"([\\`*_{}\[\]<>|$#])")


def escaped(text: str) -> str:
    """Text none of whose characters is markup."""
    return _MARKS.sub(r"\\\1", text)


def plain(text: object) -> str:
    """Text as it stands: no character of it is markup, and it is one line."""
    return escaped(" ".join(str(text).split()))


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """A table of cells that are Markdown already; columns of numbers are set to the right."""
    rule = ["---:" if place in right else "---" for place in range(len(header))]
    return "".join(f"| {' | '.join(row)} |\n" for row in (header, rule, *rows))


def toctree(names: Iterable[str], *, hidden: bool = False) -> str:
    """The pages below this one, in their order."""
    options = ":hidden:\n" if hidden else ":maxdepth: 1\n"
    return f"```{{toctree}}\n{options}\n" + "".join(f"{name}\n" for name in names) + "```\n"
