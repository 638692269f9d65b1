"""Where the shipped data are: inside an installed wheel, or in the checkout's ``data/``."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from alliance_meta.errors import DataFileError

__all__ = ["data_folder"]


def data_folder() -> Path:
    """The folder that holds ``datasets/``, ``reproductions/`` and ``references.toml``."""
    package = Path(str(files("alliance_meta")))
    for folder in (package / "_data", package.parents[1] / "data"):
        if (folder / "datasets").is_dir():
            return folder
    raise DataFileError(f"the library's data are missing: neither {package / '_data'} nor a checkout's data/ exists")
