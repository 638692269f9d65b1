"""Tables of studies in CSV and Excel files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from alliance_meta.errors import InputError, OutputError

__all__ = ["read_cells", "read_table", "write_table"]

_EXCEL = (".xlsx", ".xlsm")


def read_cells(path: Path) -> pd.DataFrame:
    """Read a CSV or Excel file as text, cell by cell, with the printed decimals where the file has them.

    Rows that are empty throughout are left out; the others are named by their line.

    Raises
    ------
    InputError
        As `read_table`.
    """
    frame = _read(path, dtype=str, keep_default_na=False).map(str.strip)
    return frame[(frame != "").any(axis=1)]


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV or Excel file; rows are named by their line in it, so that a message points where to look.

    Raises
    ------
    InputError
        If the file is missing, is of another kind, or cannot be read as a table.
    """
    return _read(path)


def _read(path: Path, **how: Any) -> pd.DataFrame:
    try:
        if path.suffix.lower() in _EXCEL:
            frame: pd.DataFrame = pd.read_excel(path, **how)
        elif path.suffix.lower() == ".csv":
            frame = pd.read_csv(path, encoding="utf-8-sig", **how)
        else:
            raise InputError(f"{path} is neither .csv nor .xlsx; save the table as one of them")
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputError(f"{path} cannot be read as a table: {error}") from error
    frame.index = pd.RangeIndex(2, len(frame) + 2, name="line")
    return frame


def write_table(frame: pd.DataFrame, path: Path, *, replace: bool) -> None:
    """Write a CSV or Excel file.

    Raises
    ------
    OutputError
        If the file is there and may not be replaced, is of another kind, or cannot be written.
    """
    if path.suffix.lower() not in (".csv", *_EXCEL):
        raise OutputError(f"{path} is neither .csv nor .xlsx, the two kinds of table that can be written")
    if path.exists() and not replace:
        raise OutputError(f"{path} is there already and is left alone; choose another name, or add --force")
    try:
        if path.suffix.lower() in _EXCEL:
            frame.to_excel(path, index=False)
        else:
            frame.to_csv(path, index=False, encoding="utf-8", lineterminator="\n")
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from error
