"""`StudyTable`: a table of studies and the roles of its columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from alliance_meta import _checks
from alliance_meta.errors import InputError

__all__ = ["ROLES", "StudyTable", "read_studies"]

ROLES: dict[str, str] = {
    "effect_id": "unique name of the row",
    "study": "study the effect comes from",
    "label": "study as printed, shown in tables and plots",
    "r": "correlation, positive when a better relationship goes with a better outcome",
    "n": "total sample size",
    "g": "Hedges' g as reported, positive in favour of the first group",
    "n1": "sample size of the first group",
    "n2": "sample size of the second group",
    "effect": "ready-made effect, on the scale that is to be analysed",
    "variance": "sampling variance of the ready-made effect",
    "std_error": "standard error of the ready-made effect",
}
"""The column roles, and what each holds. One vocabulary for `effect_sizes()` and for ``dataset.toml``."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudyTable:
    """A table of studies whose columns have known roles.

    Attributes
    ----------
    roles : mapping of role to column name
    caveat : str
        A sentence that every view of these studies must carry, such as that they are simulated; else empty.
    """

    roles: Mapping[str, str]
    caveat: str = ""
    _frame: pd.DataFrame = field(repr=False)

    @property
    def frame(self) -> pd.DataFrame:
        """A copy of the table."""
        return self._frame.copy()

    @property
    def index(self) -> pd.Index:
        """The row labels of the table, as given."""
        return self._frame.index

    def has(self, role: str) -> bool:
        """Whether a column plays this role."""
        return role in self.roles

    def column(self, role: str) -> pd.Series[Any]:
        """The column that plays a role, as it was given."""
        return self._frame[self.roles[role]]

    def numbers(self, role: str, *, allow_missing: bool = False) -> npt.NDArray[np.float64]:
        """The column that plays a role, as finite floats; an error names every cell that is not one."""
        return _checks.numbers(self.roles[role], self.column(role), allow_missing=allow_missing)


def read_studies(data: pd.DataFrame | StudyTable | None, **roles: str | npt.ArrayLike | None) -> StudyTable:
    """Give each role its column: as said, else as the data set says, else the column of the same name.

    Parameters
    ----------
    data : DataFrame, StudyTable or None
        None when every role is given as an array.
    **roles : column name or array_like of length k
        For each role in `ROLES`.

    Returns
    -------
    StudyTable

    Raises
    ------
    InputError
        For an unknown column, arrays of unequal length, a repeated column name, or a table without rows.
    """
    said = {role: value for role, value in roles.items() if value is not None}
    known: dict[str, str] = {}
    caveat = ""
    if isinstance(data, StudyTable):
        frame, known, caveat = data.frame, dict(data.roles), data.caveat
    elif isinstance(data, pd.DataFrame):
        frame = data.copy()
        _refuse_repeated_columns(frame)
        known = {role: role for role in ROLES if role in frame.columns}
    elif data is None:
        frame = pd.DataFrame()
    else:
        raise InputError(
            f"data must be a pandas DataFrame or a data set, not {type(data).__name__}; "
            "turn it into a table first: pandas.DataFrame(...)"
        )
    for one, other in (("variance", "std_error"), ("std_error", "variance")):
        if one in said and other not in said:
            known.pop(other, None)
    arrays = {role: value for role, value in said.items() if not isinstance(value, str)}
    for role, array in arrays.items():
        frame = _with_array(frame, role, array, first=data is None and role == next(iter(arrays)))
        known[role] = role
    names = tuple(name for name in frame.columns if isinstance(name, str))
    for role, value in said.items():
        if isinstance(value, str):
            known[role] = _checks.known_name(f"column for {role!r}", value, names)
    if len(frame) == 0:
        raise InputError("the table of studies has no rows, so there is nothing to analyse")
    return StudyTable(_frame=frame, roles=known, caveat=caveat)


def _refuse_repeated_columns(frame: pd.DataFrame) -> None:
    repeated = frame.columns[frame.columns.duplicated()].unique().tolist()
    if repeated:
        raise InputError(f"the table has more than one column named {_checks.listed(repeated)}; rename them")


def _with_array(frame: pd.DataFrame, role: str, value: Any, *, first: bool) -> pd.DataFrame:
    try:
        axes = np.ndim(value)
    except ValueError:  # lists of unequal length
        axes = 2
    if axes != 1:
        raise InputError(f"{role} must be a column name or a one-dimensional array of numbers or names")
    series = value if isinstance(value, pd.Series) else pd.Series(list(value))
    if first:
        return series.rename(role).to_frame()
    if len(series) != len(frame):
        raise InputError(f"{role} has {len(series)} values, but the table has {len(frame)} rows")
    if isinstance(value, pd.Series) and not value.index.equals(frame.index):
        raise InputError(
            f"{role} is a Series whose index is not the table's, so its rows cannot be told apart from another order; "
            f"pass {role}=series.to_numpy() if they stand in the same order"
        )
    return frame.assign(**{role: series.to_numpy()})
