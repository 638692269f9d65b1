"""`save()` keeps an analysis as it is: data, options, numbers; `verify()` runs it again and reports what moved."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from alliance_meta import _checks, measures
from alliance_meta._tables import SummaryTable
from alliance_meta.dependence import multilevel
from alliance_meta.effects import EffectSizes
from alliance_meta.errors import DataFileError, InputError, OutputError
from alliance_meta.grouping import subgroups
from alliance_meta.moderators import meta_regression
from alliance_meta.pooling import pool
from alliance_meta.results import MetaRegression, Multilevel, PooledEffect, RobustFit, Subgroups
from alliance_meta.robustness import robust

__all__ = ["Verification", "data_hash", "hash_of", "save", "verify"]

Fit = PooledEffect | MetaRegression | Multilevel | Subgroups | RobustFit

_SCHEMA = 1
_TOLERANCE = 1e-8
"""Share of a number (or of 1, for small ones) that it may move between versions and machines without drift."""
_PACKAGES = ("alliance-meta", "numpy", "scipy", "pandas")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Verification:
    """A saved analysis, run again.

    Attributes
    ----------
    path : Path
    data_changed : bool
        Whether the effects given now are others than those saved.
    versions : dict of str to (str, str)
        Packages whose version is another one: then, now.
    """

    path: Path
    data_changed: bool
    versions: Mapping[str, tuple[str, str]]
    _frame: pd.DataFrame

    @property
    def ok(self) -> bool:
        """Whether the data are the same and no number drifted."""
        return not self.data_changed and not bool(self._frame["drift"].any())

    def to_frame(self) -> pd.DataFrame:
        """One row a number: term, quantity, saved, now, difference, drift."""
        return self._frame.copy()

    def __repr__(self) -> str:
        moved = int(self._frame["drift"].sum())
        data = "; other data" if self.data_changed else ""
        return f"<Verification of {self.path.name}: {moved} of {len(self._frame)} numbers drifted{data}>"

    def __str__(self) -> str:
        return self._summary().to_text()

    def _repr_html_(self) -> str:
        return self._summary().to_html()

    def _summary(self) -> SummaryTable:
        moved = self._frame[self._frame["drift"]]
        rows = [
            (
                str(row["term"]),
                str(row["quantity"]),
                f"{row['saved']:.10g}",
                f"{row['now']:.10g}",
                f"{row['difference']:.2g}",
            )
            for row in moved.to_dict("records")
        ]
        notes = (
            f"{len(self._frame) - len(moved)} of {len(self._frame)} numbers are as saved, to {_TOLERANCE:g} of their "
            "size.",
            "The effects given are not those that were saved." if self.data_changed else "",
            *(f"{name} {then} then, {now} now" for name, (then, now) in self.versions.items()),
        )
        return SummaryTable(
            title=f"Verification of {self.path.name}",
            header=("term", "quantity", "saved", "now", "difference") if rows else ("", "", "", "", ""),
            rows=tuple(rows) or (("Nothing drifted.", "", "", "", ""),),
            right=frozenset({2, 3, 4}),
            notes=tuple(filter(None, notes)),
        )


def save(fit: Fit, path: str | os.PathLike[str], *, replace: bool = False) -> Path:
    """Keep a fit as JSON: its effects with a hash, its options, and what came out.

    Parameters
    ----------
    fit : PooledEffect, MetaRegression, Multilevel, Subgroups or RobustFit
    path : path
    replace : bool
        Overwrite a file that is there.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        For another kind of result, or clusters that are no column of the table.
    OutputError
        If the file is there already, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import alliance_meta as am
    >>> fit = am.pool(am.effect_sizes(am.datasets.load("kolden2011")))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     verify(save(fit, Path(folder) / "kolden.json"))
    <Verification of kolden.json: 0 of 9 numbers drifted>
    """
    target = Path(path)
    if target.exists() and not replace:
        raise OutputError(f"{target} is there already and is left alone; choose another name, or replace=True")
    kind, options = _asked(fit)
    data = _data(fit.effects)
    kept = {
        "schema_version": _SCHEMA,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {name: version(name) for name in _PACKAGES},
        "kind": kind,
        "options": options,
        "data": {"sha256": hash_of(data), **data},
        "numbers": _numbers(fit).assign(value=lambda frame: frame["value"].map(repr)).to_dict("list"),
    }
    try:
        target.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror}") from error
    return target


def verify(path: str | os.PathLike[str], effects: EffectSizes | None = None) -> Verification:
    """Run a saved analysis again and compare every number.

    Parameters
    ----------
    path : path
        A file that `save()` wrote.
    effects : EffectSizes, optional
        The effects as they are now; those in the file without it.

    Returns
    -------
    Verification

    Raises
    ------
    DataFileError
        If the file cannot be read, or its data are not those it was saved with.
    """
    source = Path(path)
    try:
        kept = json.loads(source.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataFileError(f"{source} cannot be read as a snapshot: {error}") from error
    keys = {
        "schema_version": int,
        "made": str,
        "versions": dict,
        "kind": str,
        "options": dict,
        "data": dict,
        "numbers": dict,
    }
    _checks.closed_table(kept, str(source), required=keys, error=DataFileError)
    if kept["schema_version"] != _SCHEMA or kept["kind"] not in _MODELS:
        raise DataFileError(f"{source} is no snapshot that this version reads")
    saved = dict(kept["data"])
    digest = saved.pop("sha256", "")
    if hash_of(saved) != digest:
        raise DataFileError(f"{source}: its effects are not those that it was saved with; their hash differs")
    now = _effects(saved) if effects is None else effects
    rerun = _MODELS[kept["kind"]](now, kept["options"])
    then = pd.DataFrame(kept["numbers"]).assign(value=lambda frame: frame["value"].map(float))
    versions = {name: (old, version(name)) for name, old in kept["versions"].items() if old != version(name)}
    changed = effects is not None and data_hash(effects) != digest
    return Verification(path=source, data_changed=changed, versions=versions, _frame=_compared(then, _numbers(rerun)))


def data_hash(effects: EffectSizes) -> str:
    """The sha256 of effects and their table, by which an analysis says what it was made of.

    Parameters
    ----------
    effects : EffectSizes

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> import alliance_meta as am
    >>> len(data_hash(am.effect_sizes(r=[0.3, 0.1], n=[40, 60])))
    64
    """
    return hash_of(_data(effects))


def _asked(fit: object) -> tuple[str, dict[str, Any]]:
    """The function that made a fit, and the options it was given."""
    if isinstance(fit, RobustFit):
        if fit.settings.cluster == "given":
            raise InputError("save() keeps clusters that are a column of the table, not ones given as an array")
        kind, options = _asked(fit.fit)
        return "robust", {"cluster": fit.settings.cluster, "adjustment": fit.settings.adjustment, kind: options}
    if isinstance(fit, PooledEffect):
        own = fit.settings
        weights = own.given_weights if own.given_weights is not None else "inverse-variance"
        return "pool", {
            "tau2_method": own.tau2_method,
            "test": own.test,
            "weights": weights,
            "q_weights": own.q_weights,
        }
    if isinstance(fit, MetaRegression):
        chosen = fit.settings
        return "meta_regression", {
            "formula": chosen.formula,
            "tau2_method": chosen.tau2_method,
            "test": chosen.test,
            "q_weights": chosen.q_weights,
        }
    if isinstance(fit, Multilevel):
        said, rho = fit.settings, fit._problem.correlation
        return "multilevel", {
            "formula": said.formula,
            "levels": said.levels,
            "crossed": said.crossed,
            "correlation": None if rho is None else rho.tolist(),
            "tau2_method": said.tau2_method,
            "test": said.test,
        }
    if isinstance(fit, Subgroups):
        grouped = fit.settings
        return "subgroups", {
            "by": grouped.by,
            "tau2": grouped.tau2,
            "tau2_method": grouped.tau2_method,
            "test": grouped.test,
        }
    raise InputError(
        "save() takes the result of pool(), meta_regression(), multilevel(), subgroups() or robust(), not "
        f"{type(fit).__name__}"
    )


def _robust(effects: EffectSizes, options: Mapping[str, Any]) -> Fit:
    kind = next(name for name in options if name in _MODELS)
    inner = _MODELS[kind](effects, options[kind])
    assert isinstance(inner, PooledEffect | MetaRegression | Multilevel)  # noqa: S101 - what robust() takes is what was saved
    return robust(inner, options["cluster"], adjustment=options["adjustment"])


def _multilevel(effects: EffectSizes, options: Mapping[str, Any]) -> Fit:
    innermost, *outer = options["levels"]
    rho = options["correlation"]
    return multilevel(
        effects,
        options["formula"],
        study=innermost,
        levels=outer,
        crossed=options["crossed"],
        correlation=rho if rho is None or isinstance(rho, float) else np.array(rho),
        tau2_method=options["tau2_method"],
        test=options["test"],
    )


_MODELS: dict[str, Callable[[EffectSizes, Mapping[str, Any]], Fit]] = {
    "pool": lambda effects, options: pool(effects, **options, dependent="allow"),
    "meta_regression": lambda effects, options: meta_regression(effects, **options, dependent="allow"),
    "multilevel": _multilevel,
    "subgroups": lambda effects, options: subgroups(effects, **options, dependent="allow"),
    "robust": _robust,
}
"""What runs each kind again."""


def _data(effects: EffectSizes) -> dict[str, Any]:
    """The effects as JSON: every number as the shortest text that gives it back."""
    table = effects.table
    columns = {}
    for name in table.columns:
        cells = table[name].astype(object)
        columns[str(name)] = [None if pd.isna(cell) else _plain(cell) for cell in cells]
    return {"measure": effects.measure.code, "caveat": effects.caveat, "columns": columns}


def _plain(cell: object) -> object:
    if isinstance(cell, np.generic):
        return cell.item()
    return cell if isinstance(cell, bool | int | float | str) else str(cell)


def hash_of(data: Mapping[str, Any]) -> str:
    """The sha256 of a table of plain values as canonical JSON."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _effects(data: Mapping[str, Any]) -> EffectSizes:
    frame = pd.DataFrame(data["columns"])
    effect, variance = (frame[name].to_numpy(dtype=float).copy() for name in ("effect", "variance"))
    for array in (effect, variance):
        array.setflags(write=False)
    n = (
        float(frame["n"].sum(skipna=False))
        if "n" in frame and pd.api.types.is_numeric_dtype(frame["n"])
        else float("nan")
    )
    return EffectSizes(
        measure=measures.measure(data["measure"]),
        effect=effect,
        variance=variance,
        n=n,
        caveat=data["caveat"],
        _frame=frame,
    )


def _numbers(fit: Fit) -> pd.DataFrame:
    """Every number of a fit: term, quantity, value."""
    frame = fit.to_frame()
    terms = frame.iloc[:, 0].astype(str)
    numeric = frame.iloc[:, 1:].select_dtypes("number")
    long = numeric.assign(term=terms).melt(id_vars="term", var_name="quantity", value_name="value")
    inner = fit.fit if isinstance(fit, RobustFit) else fit
    extra: list[tuple[str, str, float]] = []
    if isinstance(inner, PooledEffect | MetaRegression):
        extra = [("model", "tau2", float(inner.tau2)), ("model", "i2", float(inner.i2))]
    elif isinstance(inner, Multilevel):
        extra = [(name, "tau2", float(value)) for name, value in zip(inner.levels, inner.components, strict=True)]
    more = pd.DataFrame(extra, columns=["term", "quantity", "value"])
    return (
        pd.concat([long.astype({"value": float}), more], ignore_index=True) if extra else long.astype({"value": float})
    )


def _compared(then: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """Both sets of numbers side by side; one that is missing on either side has drifted."""
    both = then.merge(now, on=["term", "quantity"], how="outer", suffixes=("_then", "_now"), sort=False)
    rows = []
    for term, quantity, saved, found in both.itertuples(index=False):
        same = (
            saved == found or (isnan(saved) and isnan(found)) or abs(found - saved) <= _TOLERANCE * max(1.0, abs(saved))
        )
        rows.append((term, quantity, saved, found, found - saved, not same))
    return pd.DataFrame(rows, columns=["term", "quantity", "saved", "now", "difference", "drift"])
