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
    "n": "total sample size",
    "r": "correlation, positive when a better relationship goes with a better outcome",
    "t": "t statistic",
    "f": "F statistic",
    "df": "degrees of freedom of t, or the first degrees of freedom of F or chi-square",
    "df2": "second degrees of freedom of F",
    "chi2": "chi-square statistic",
    "z": "z statistic (standard normal)",
    "p": "p value",
    "tails": "1 or 2: the tails of the p value; 2 where the column is missing or empty",
    "d": "Cohen's d, without small-sample correction",
    "g": "Hedges' g as reported, positive in favour of the first group",
    "n1": "sample size of the first group",
    "n2": "sample size of the second group",
    "mean1": "mean of the first group",
    "mean2": "mean of the second group",
    "sd1": "standard deviation of the first group",
    "sd2": "standard deviation of the second group",
    "mean_pre": "mean before treatment",
    "mean_post": "mean after treatment",
    "sd_pre": "standard deviation before treatment",
    "sd_post": "standard deviation after treatment",
    "r_pre_post": "correlation of the measurements before and after treatment",
    "mean_pre1": "mean before treatment, first group",
    "mean_post1": "mean after treatment, first group",
    "sd_pre1": "standard deviation before treatment, first group",
    "sd_post1": "standard deviation after treatment, first group",
    "r_pre_post1": "correlation before and after, first group",
    "mean_pre2": "mean before treatment, second group",
    "mean_post2": "mean after treatment, second group",
    "sd_pre2": "standard deviation before treatment, second group",
    "sd_post2": "standard deviation after treatment, second group",
    "r_pre_post2": "correlation before and after, second group",
    "events1": "people with the event in the first group",
    "events2": "people with the event in the second group",
    "beta": "standardized regression coefficient",
    "r2": "squared (multiple) correlation; its sign is that of the direction column",
    "eta2": "eta squared of one degree of freedom",
    "odds_ratio": "odds ratio",
    "log_odds_ratio": "natural logarithm of an odds ratio",
    "alpha": "coefficient alpha",
    "n_items": "number of items of the scale",
    "ci_low": "lower bound of the effect's interval (95%)",
    "ci_high": "upper bound of the effect's interval (95%)",
    "direction": "1 or -1: multiplies the sign of the row's effect",
    "significance": "what the article says of an effect it does not print: 'ns'",
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

    def printed(self, column: str) -> list[str]:
        """A column's cells as text, empty where there is nothing; a number is written as short as it can be."""
        cells = self._frame[column]
        return [
            "" if gone else str(cell).removesuffix(".0") if isinstance(cell, float | np.floating) else str(cell)
            for gone, cell in zip(cells.isna(), cells.array, strict=True)
        ]

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
