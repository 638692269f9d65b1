"""`install()`: a filled form is checked, and kept in the user's folder if it passes."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from alliance_meta import _checks
from alliance_meta._files import read_cells
from alliance_meta._tables import SummaryTable
from alliance_meta.auditing import Audit, audit
from alliance_meta.datasets._catalog import described, templates, values_of
from alliance_meta.datasets._installed import RECORD, folder_of
from alliance_meta.datasets._provenance import Aggregate, Column, Provenance
from alliance_meta.datasets._template import said
from alliance_meta.effects import EffectSizes, effect_sizes
from alliance_meta.errors import OutputError
from alliance_meta.stats.random_effects import random_effects
from alliance_meta.stats.weighted import weighted_mean

__all__ = ["Installation", "install"]

_ROWS_SHOWN = 40
_COUNTS = {"published": "yes", "unpublished": "no"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Installation:
    """What the checks of a filled form found, and whether it is kept.

    Attributes
    ----------
    id : str
    rows : int
    problems : DataFrame
        row (line of the file, empty where the whole table is meant), column, problem. Nothing may stand here.
    aggregates : DataFrame
        published, found, agrees: one row a published number.
    audit : Audit or None
        Of the cells that could be read; None where columns are missing.
    folder : Path or None
        Where the table is kept; None if it is not.
    forced : bool
        Whether it is kept although there are problems; every view of the data then says so.
    """

    id: str
    rows: int
    problems: pd.DataFrame
    aggregates: pd.DataFrame
    audit: Audit | None
    folder: Path | None
    forced: bool

    @property
    def ok(self) -> bool:
        """Whether every check passed."""
        return self.problems.empty

    def __repr__(self) -> str:
        state = f"kept in {self.folder}" if self.folder else "not kept"
        return f"<Installation of {self.id!r}: {self.rows} rows, {len(self.problems)} problems, {state}>"

    def __str__(self) -> str:
        return self._summary().to_text()

    def _repr_html_(self) -> str:
        return self._summary().to_html()

    def _summary(self) -> SummaryTable:
        shown = self.problems.head(_ROWS_SHOWN)
        rows = [(str(one.row), str(one.column), str(one.problem)) for one in shown.itertuples()]
        more = len(self.problems) - len(rows)
        checked = [f"{one.published}: found {one.found}" for one in self.aggregates.itertuples()]
        if self.folder is None:
            end = "Not kept. Correct the rows, or keep the table as it is with force=True, which every view will say."
        else:
            end = f"Kept in {self.folder}{', although checks failed (force)' if self.forced else ''}."
        return SummaryTable(
            title=f"Installing {self.id}: {self.rows} rows, {len(self.problems)} problems",
            header=("row", "column", "problem") if rows else ("", "", ""),
            rows=tuple(rows) or (("Every check passed.", "", ""),),
            notes=tuple(filter(None, (f"and {more} more: see .problems" if more else "", *checked, end))),
        )


class _Problem(NamedTuple):
    row: str
    column: str
    problem: str


def install(id: str, path: str | os.PathLike[str], *, force: bool = False) -> Installation:  # noqa: A002  the plan's name
    r"""Check a filled form and keep it, so that `load()` and `reproduce()` find it.

    Parameters
    ----------
    id : str
        One of `templates()`.
    path : path
        The form that `template()` wrote, filled in: ``.csv`` or ``.xlsx`` (its first sheet).
    force : bool
        Keep a table that fails checks of its content; every view of it will say so. Missing columns and cells that
        cannot be read are never kept.

    Returns
    -------
    Installation
        Row by row what is off.

    Raises
    ------
    UnknownNameError
        With the nearest known id.
    InputError
        If the file cannot be read as a table.
    OutputError
        If the user's folder cannot be written.

    Notes
    -----
    The overall r agrees if any method of the field gives it to the printed decimals: means of r weighted by n or not,
    equal or random effects (DerSimonian and Laird, REML) on r or on Fisher's z.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     form = Path(folder) / "form.csv"
    ...     _ = form.write_text("study,label,n,r,locator\na1980,A (1980),forty,.3,p. 1\n")
    ...     print(install("martin2000", form).problems.iloc[0].tolist())
    ['2', 'n', "'forty' is no whole number"]
    """
    about = described(_checks.known_name("template", id, tuple(templates())))
    source = Path(path)
    given = read_cells(source)
    unreadable = [*_columns(given, about)]
    cells = _completed(given, about)
    unreadable += _cells(cells, about)
    checked: list[tuple[str, str, bool]] = []
    found, doubts = None, list[_Problem]()
    if not unreadable and len(cells):
        found = audit(_typed(cells, about))
        doubts += _audited(found)
        checked = list(_aggregates(_typed(cells, about), about, sound=found.ok))
        doubts += [_Problem("", "", f"published: {what}; found {have}") for what, have, agrees in checked if not agrees]
    if not len(cells):
        unreadable.append(_Problem("", "", "the form has no rows"))
    problems = [*unreadable, *doubts]
    keep = not problems or (force and not unreadable)
    return Installation(
        id=about.id,
        rows=len(cells),
        problems=pd.DataFrame(problems, columns=_Problem._fields),
        aggregates=pd.DataFrame(checked, columns=["published", "found", "agrees"]),
        audit=found,
        folder=_keep(cells, about, source, len(problems)) if keep else None,
        forced=keep and bool(problems),
    )


def _columns(given: pd.DataFrame, about: Provenance) -> Iterator[_Problem]:
    known = [column.name for column in about.columns]
    for column in about.columns:
        if column.required and column.name not in given:
            yield _Problem("", column.name, "the form has no such column, which is needed")
    for name in given.columns:
        if name not in known:
            yield _Problem("", str(name), f"is no column of this form; its columns are {_checks.listed(known)}")


def _completed(given: pd.DataFrame, about: Provenance) -> pd.DataFrame:
    """All columns of the form in their order, with names for rows that have none."""
    cells = given.reindex(columns=[column.name for column in about.columns], fill_value="")
    number = cells.groupby("study").cumcount() + 1
    made = cells["study"].where(cells["study"] != "", "row") + "-" + number.astype(str)
    cells["effect_id"] = cells["effect_id"].where(cells["effect_id"] != "", made)
    return cells


def _cells(cells: pd.DataFrame, about: Provenance) -> Iterator[_Problem]:
    """Cells that break their column's description, and rows of the same name."""
    for column in about.columns:
        text = cells[column.name]
        for row in cells.index[values_of(text, column)[1].to_numpy(dtype=bool)]:
            yield _Problem(str(row), column.name, _wrong(str(text[row]), column))
    for row in cells.index[cells["effect_id"].duplicated()]:
        yield _Problem(str(row), "effect_id", f"{cells.loc[row, 'effect_id']!r} stands more than once")


def _wrong(cell: str, column: Column) -> str:
    if cell == "":
        return "is empty, but needed"
    if column.choices:
        return f"{cell!r} is not one of {_checks.listed(column.choices)}"
    number = pd.to_numeric(cell, errors="coerce")
    kind = "whole number" if column.type == "integer" else "number"
    if not np.isfinite(number) or (column.type == "integer" and number % 1 != 0):
        return f"{cell!r} is no {kind}"
    return f"{cell} lies outside {column.minimum:g} to {column.maximum:g}"


def _typed(cells: pd.DataFrame, about: Provenance) -> pd.DataFrame:
    return pd.DataFrame({column.name: values_of(cells[column.name], column)[0] for column in about.columns})


def _audited(found: Audit) -> list[_Problem]:
    wrong = found.findings[found.findings["severity"] == "error"]
    return [_Problem(str(one.row), str(one.check), f"{one.seen}. {one.advice}") for one in wrong.itertuples()]


def _aggregates(frame: pd.DataFrame, about: Provenance, *, sound: bool) -> Iterator[tuple[str, str, bool]]:
    """Each published number in words, what the table gives, and whether that agrees."""
    for item in about.aggregates:
        rows = frame if item.where is None else frame[frame[item.where[0]] == item.where[1]]
        if item.quantity == "estimate":
            yield said(item), *(_overall(rows, item) if sound else ("not computed, because of the errors above", False))
            continue
        count = _count(rows, item.quantity)
        agrees = count > int(item.value) if item.quantity == "n_more_than" else count == int(item.value)
        yield said(item), str(count), agrees


def _count(rows: pd.DataFrame, quantity: str) -> int:
    if quantity == "k_effects":
        return len(rows)
    if quantity == "n_more_than":
        return int(rows.groupby("study")["n"].max().sum())
    wanted = _COUNTS.get(quantity.removeprefix("k_"))
    return int((rows if wanted is None else rows[rows["published"] == wanted])["study"].nunique())


def _overall(rows: pd.DataFrame, item: Aggregate) -> tuple[str, bool]:
    """The overall r by the method that comes nearest, and whether it rounds to the printed one."""
    if rows.empty:
        return "no such rows", False
    means = _means(rows)
    printed = float(item.value)
    decimals = len(item.value.partition(".")[2])
    nearest = min(means, key=lambda name: abs(means[name] - printed))
    agrees = abs(means[nearest] - printed) <= 0.5 * 10.0**-decimals * (1.0 + 1e-9)
    return f"{means[nearest]:.{decimals + 1}f} ({nearest}, the nearest of {len(means)} methods)", agrees


def _means(rows: pd.DataFrame) -> dict[str, float]:
    r, n = rows["r"].to_numpy(dtype=float), rows["n"].to_numpy(dtype=float)
    found = {"plain mean of r": float(r.mean()), "mean of r weighted by n": float(np.average(r, weights=n))}
    for measure in ("COR", "ZCOR"):
        effects: EffectSizes = effect_sizes(rows[["r", "n"]], measure=measure)
        y, v = effects.effect, effects.variance
        means: dict[str, Any] = {
            "equal effects": weighted_mean(y, v).estimate,
            **{name: random_effects(y, v, tau2_method=name, test="z").estimate for name in ("DL", "REML")},
        }
        for name, mean in means.items():
            found[f"{name} on {effects.measure.scale}"] = float(effects.measure.to_display(float(mean)))
    return found


def _keep(cells: pd.DataFrame, about: Provenance, source: Path, problems: int) -> Path:
    """Write table and record beside the place they are for, then move both there at once."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(cells.columns)
    writer.writerows(cells.to_numpy().tolist())
    raw = text.getvalue().encode()
    record = (
        f'sha256 = "{hashlib.sha256(raw).hexdigest()}"\ndate = "{dt.datetime.now(dt.UTC).date().isoformat()}"\n'
        f"file = {_toml_string(source.name)}\nproblems = {problems}\n"
    )
    folder = folder_of(about.id)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{about.id}-", dir=folder.parent))
        (fresh / "effects.csv").write_bytes(raw)
        (fresh / RECORD).write_text(record, encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        fresh.rename(folder)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror}") from error
    return folder


def _toml_string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
