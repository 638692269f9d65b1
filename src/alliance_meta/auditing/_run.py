"""`audit()`: asks every check of a table of studies."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from alliance_meta import _checks
from alliance_meta.auditing import (
    _cells,
    _contradictions,
    _duplicates,
    _implausible,
    _impossible,
    _intervals,
    _outlying,
    _rechecked,
)
from alliance_meta.auditing._check import SEVERITIES, Check, Finding
from alliance_meta.auditing._columns import Columns
from alliance_meta.auditing._record import Audit
from alliance_meta.auditing._rules import NUMBER_ROLES, TEXT_ROLES, YEAR
from alliance_meta.studies import StudyTable, read_studies

__all__ = ["CHECKS", "audit"]

CHECKS: tuple[Check, ...] = (
    *_cells.CHECKS,
    *_impossible.CHECKS,
    *_implausible.CHECKS,
    *_contradictions.CHECKS,
    *_intervals.CHECKS,
    *_duplicates.CHECKS,
    *_outlying.CHECKS,
    *_rechecked.CHECKS,
)
"""Every check, in the order in which they are listed and run."""


def audit(data: pd.DataFrame | StudyTable | None = None, **roles: str | npt.ArrayLike | None) -> Audit:
    """Look a table of studies over before anything is computed from it.

    Cells that cannot be used are reported, never refused, and nothing is changed. Where numbers contradict each
    other, only what rounding cannot explain is reported. How many decimals were printed is known for a shipped
    data set and for columns of text; a float counts as printed in its shortest form, 0.30 as 0.3.

    Parameters
    ----------
    data : DataFrame or Dataset, optional
        One row an effect.
    **roles : column name or array_like of length k
        For each role in `studies.ROLES`, and for ``year``. A role not given is looked up in the data set's own
        description, then among columns of the same name.

    Returns
    -------
    Audit

    Raises
    ------
    UnknownNameError
        For an unknown role or column.
    InputError
        For what is not a table, has no rows, or repeats a column name.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"study": ["A", "B"], "r": [0.31, 31.0], "n": [103, 53]})
    >>> found = audit(frame)
    >>> found
    <Audit of 2 rows: 1 error, 0 warnings, 0 notes>
    >>> print(found.findings.loc[0, "seen"])
    r = 31, but a correlation lies between -1 and 1
    """
    known = (*NUMBER_ROLES, *TEXT_ROLES)
    for role in roles:
        _checks.known_name("role", role, known)
    columns = _columns(data, roles)
    found: list[tuple[Finding, str]] = []
    listed = []
    with np.errstate(all="ignore"):
        for check in CHECKS:
            why_not = check.why_not(columns)
            new = [] if why_not else list(check.find(columns))
            found.extend((finding, check.name) for finding in new)
            listed.append((check.name, check.family, check.about, not why_not, why_not, len(new)))
    return Audit(
        k=columns.k,
        caveat=columns.studies.caveat,
        _findings=_findings(columns, found),
        _checks=pd.DataFrame(listed, columns=["check", "family", "about", "ran", "why_not", "found"]),
    )


def _columns(data: pd.DataFrame | StudyTable | None, roles: dict[str, str | npt.ArrayLike | None]) -> Columns:
    studies = read_studies(data, **roles)
    frame = studies.frame
    names = dict(studies.roles)
    if YEAR in frame.columns:
        names.setdefault(YEAR, YEAR)
    return Columns(
        studies=studies,
        source=data if isinstance(data, StudyTable) else studies,
        names=names,
        arrays={role for role, value in roles.items() if value is not None and not isinstance(value, str)},
        frame=frame,
    )


def _findings(columns: Columns, found: list[tuple[Finding, str]]) -> pd.DataFrame:
    """The findings as a table, by severity and row."""
    ordered = sorted(found, key=lambda one: (SEVERITIES.index(one[0].severity), one[0].row))
    ids = columns.texts("effect_id")
    labels = columns.texts("label" if columns.has("label") else "study")
    return pd.DataFrame(
        {
            "row": pd.Series([columns.frame.index[one.row] for one, _ in ordered], dtype=object),
            "effect_id": pd.Series([ids[one.row] for one, _ in ordered], dtype=str),
            "label": pd.Series([labels[one.row] for one, _ in ordered], dtype=str),
            "check": pd.Series([name for _, name in ordered], dtype=str),
            "severity": pd.Series([one.severity for one, _ in ordered], dtype=str),
            "seen": pd.Series([one.seen for one, _ in ordered], dtype=str),
            "advice": pd.Series([one.advice for one, _ in ordered], dtype=str),
        }
    )
