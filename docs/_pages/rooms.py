"""The rooms of the library and who may look into whom, from the list that import-linter checks."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

from docs._pages._markdown import table

__all__ = ["layers", "pages"]


def layers(root: Path) -> list[list[str]]:
    """The layers, highest first, and the rooms of each."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    (found,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [layer.split(" | ") for layer in found]


def pages(root: Path) -> dict[str, str]:
    """A table to be included, with what each room says of itself."""
    package = root / "src" / "alliance_meta"
    rows = [
        (str(number) if first else "", f"`{room}`", _says(package, room))
        for number, layer in enumerate(layers(root), start=1)
        for first, room in zip([True, *[False] * len(layer)], sorted(layer), strict=False)
    ]
    return {"rooms.md": f"<!-- the table -->\n\n{table(('layer', 'room', 'what it says of itself'), rows)}"}


def _says(package: Path, room: str) -> str:
    """The first line of a room's docstring, read without importing it."""
    path = next(one for one in (package / room / "__init__.py", package / f"{room}.py") if one.exists())
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(said.partition("\n\n")[0].split()).replace("``", "`").replace(":class:", "").replace("|", "\\|")
