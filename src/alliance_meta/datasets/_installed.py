"""What is kept of a table that the user installed."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import NamedTuple

from alliance_meta import _checks
from alliance_meta.datasets._locate import user_folder
from alliance_meta.datasets._provenance import Provenance
from alliance_meta.errors import DataFileError, NeedsDataError

__all__ = ["RECORD", "Installed", "folder_of", "installation_of", "is_installed"]

RECORD = "installed.toml"


class Installed(NamedTuple):
    """A kept table: its folder, hash, where it comes from, and a sentence where it did not pass its checks."""

    folder: Path
    sha256: str
    origin: str
    doubt: str


def folder_of(name: str) -> Path:
    """Where the table of a template is kept."""
    return user_folder() / "datasets" / name


def is_installed(name: str) -> bool:
    """Whether the table of a template is kept."""
    return (folder_of(name) / RECORD).is_file()


def installation_of(about: Provenance) -> Installed:
    """What is kept of a template.

    Raises
    ------
    NeedsDataError
        Where nothing is.
    DataFileError
        For a damaged record.
    """
    folder = folder_of(about.id)
    path = folder / RECORD
    if not is_installed(about.id):
        publication = about.source.short if about.source else about.id
        raise NeedsDataError(
            f"the study table of {publication} is not shipped: it belongs to the publication. If you hold that, "
            f"datasets.template({about.id!r}, 'form.xlsx') writes a form for it and datasets.install({about.id!r}, "
            "'form.xlsx') checks and keeps the filled form"
        )
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataFileError(f"{path} cannot be read: {error}") from error
    keys = {"sha256": str, "date": str, "file": str, "problems": int}
    table = _checks.closed_table(raw, str(path), required=keys, error=DataFileError)
    origin = f"by the user, {table['date']}, from {table['file']}, sha256 {table['sha256'][:12]}…"
    count = table["problems"]
    doubt = (
        f"This table of {about.id} was installed by its user although {count} of its checks failed." if count else ""
    )
    return Installed(folder, table["sha256"], origin, doubt)
