"""The pages that a program can write: reference, data sets, reproductions, rooms, tutorials, the first picture."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from docs._pages import data_sets, findings, notebooks, pictures, reference, rooms

__all__ = ["cache_of_outputs", "library_digest", "texts", "write"]

FOLDERS = ("data_sets", "pictures", "reference", "tutorials")
"""Folders of docs/ that hold nothing else, so that what is no longer made is taken away."""


def texts(root: Path) -> dict[str, str]:
    """Every page that is written, by its path below docs/."""
    return {
        **reference.pages(),
        **data_sets.pages(),
        **findings.pages(),
        **rooms.pages(root),
        **notebooks.pages(root / "notebooks"),
    }


def write(root: Path) -> None:
    """Write what has changed, and take away what is made no more."""
    docs = root / "docs"
    made = texts(root)
    for path, text in made.items():
        _write(docs / path, text.encode())
    drawn = pictures.pictures()
    for path, picture in drawn.items():
        _write(docs / path, picture)
    for folder in FOLDERS:
        for old in (docs / folder).iterdir():
            if old.is_dir():
                shutil.rmtree(old)
            elif old.relative_to(docs).as_posix() not in {*made, *drawn}:
                old.unlink()


def _write(path: Path, content: bytes) -> None:
    """Leave a file alone that is as it should be: Sphinx reads again what is newer than its page."""
    if not path.exists() or path.read_bytes() != content:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)


def cache_of_outputs(root: Path) -> Path:
    """Where the outputs of notebooks are kept: a folder for this library and these data, and no older one."""
    folder = root / "docs" / "_build" / ".jupyter_cache"
    own = folder / library_digest(root)
    for old in folder.glob("*"):
        if old != own:
            shutil.rmtree(old)
    return own


def library_digest(root: Path) -> str:
    """A name that changes with the library and its data."""
    digest = hashlib.sha256()
    for path in _sources(root):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _sources(root: Path) -> Iterator[Path]:
    for folder, kinds in (("src", {".py", ".html", ".css"}), ("data", {".csv", ".toml"})):
        yield from (path for path in sorted((root / folder).rglob("*")) if path.suffix in kinds)
