"""`check_dataset()`: the identities in a data set of published aggregates, one row an estimate."""

from __future__ import annotations

from alliance_meta import _checks
from alliance_meta.consistency._check import check_rows
from alliance_meta.consistency._record import ConsistencyTable
from alliance_meta.consistency._vocabulary import METRICS
from alliance_meta.errors import InputError
from alliance_meta.studies import StudyTable

__all__ = ["check_dataset"]

_COLUMNS = (
    "effect_id",
    "metric",
    "estimate",
    "ci_low",
    "ci_high",
    "std_error",
    "interval",
    "k",
    "k_studies",
    "n",
    "restates",
)
_OTHER_METRIC = {"d": "d", "r": "r", "variance_share": "variance_share"}


def check_dataset(dataset: StudyTable) -> ConsistencyTable:
    """Check every estimate of a data set of published aggregates, such as ``relationship_meta_analyses``.

    A row that restates another in a second metric is held against that row, and an interval is taken as what the
    column `interval` says it is.

    Parameters
    ----------
    dataset : Dataset
        With the columns of ``relationship_meta_analyses``: effect_id, metric, estimate, ci_low, ci_high, std_error,
        interval, k, k_studies, n, restates.

    Returns
    -------
    ConsistencyTable
        A row an estimate; restatements are within the row that they restate.

    Raises
    ------
    InputError
        If a column is missing, or a row restates another that is not there.

    Examples
    --------
    >>> import alliance_meta as am
    >>> found = check_dataset(am.datasets.load("relationship_meta_analyses"))
    >>> found.rows["igra2020-overall"].of("interval_symmetric").verdict
    'inconsistent'
    """
    absent = [name for name in _COLUMNS if name not in dataset.frame.columns]
    if absent:
        raise InputError(f"the data set lacks {_checks.listed(absent)}; use check_table() for other tables")
    columns = {name: dataset.printed(name) for name in _COLUMNS}
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    found = {row["effect_id"]: _quantities(row) for row in rows if not row["restates"]}
    for row in rows:
        if row["restates"]:
            if row["restates"] not in found:
                raise InputError(f"row {row['effect_id']!r} restates {row['restates']!r}, which is not in the data set")
            found[row["restates"]][_checks.known_name("metric", row["metric"], tuple(_OTHER_METRIC))] = row["estimate"]
    return ConsistencyTable(rows=check_rows(found), notes=())


def _quantities(row: dict[str, str]) -> dict[str, object]:
    """A row of the data set in the vocabulary of `check()`."""
    kind, _, level = row["interval"].partition(" ")
    prefix = "ci" if kind in ("", "confidence") else "pi"
    found: dict[str, object] = {name: row[name] for name in ("std_error", "k", "k_studies", "n")}
    found |= {f"{prefix}_low": row["ci_low"], f"{prefix}_high": row["ci_high"]}
    found["level" if prefix == "ci" else "pi_level"] = level
    if row["metric"] in METRICS:
        return {"metric": row["metric"], "estimate": row["estimate"], **found}
    return {row["metric"]: row["estimate"], **found}
