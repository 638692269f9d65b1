"""Where the data are: the shipped ones in a wheel or the checkout's ``data/``, the user's own in their folder."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

from platformdirs import user_data_path

from alliance_meta.errors import DataFileError

__all__ = ["data_folder", "user_folder"]

_VARIABLE = "ALLIANCE_META_DATA"


def data_folder() -> Path:
    """The folder that holds ``datasets/``, ``reproductions/`` and ``references.toml``."""
    package = Path(str(files("alliance_meta")))
    for folder in (package / "_data", package.parents[1] / "data"):
        if (folder / "datasets").is_dir():
            return folder
    raise DataFileError(f"the library's data are missing: neither {package / '_data'} nor a checkout's data/ exists")


def user_folder() -> Path:
    """The folder of the tables that the user installed; the variable ``ALLIANCE_META_DATA`` overrides it."""
    own = os.environ.get(_VARIABLE)
    return Path(own).expanduser() if own else user_data_path("alliance_meta", appauthor=False)
