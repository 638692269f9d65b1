"""The rows of ``relationship_meta_analyses`` on the scales of r and d, with where each number comes from."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
import pandas as pd

from alliance_meta import _checks, datasets
from alliance_meta.stats import conversions
from alliance_meta.stats.inference import critical_value

__all__ = ["AS_D", "DATASET", "cells_of", "interval_of", "known_populations", "published", "records"]

DATASET = "relationship_meta_analyses"
AS_D = ("d", "g", "SMD")
"""Metrics that are taken as a standardized difference; g without undoing its small-sample correction."""
_MORE_THAN = re.compile(r"n printed as more than [\d,]+")
_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class _Bounds:
    """An interval and where it comes from."""

    low: float
    high: float
    source: str


def published() -> pd.DataFrame:
    """Every row of the data set, in order of year, those without a year last.

    Returns
    -------
    DataFrame
        The columns of the data set, and printed, printed_low, printed_high (the cells as text), turned (whether the
        sign was, so that positive is a better outcome), r and r_from, r_low, r_high, d and d_from, d_low, d_high,
        d_printed (d of a row that restates this one), interval_from, size (k_studies, or k where it is not printed),
        more_people (whether n is printed as more than it says), second_hand. Numbers that cannot be had are NaN.
    """
    dataset = datasets.load(DATASET)
    table = dataset.table.assign(
        printed=dataset.printed("estimate"),
        printed_low=dataset.printed("ci_low"),
        printed_high=dataset.printed("ci_high"),
    )
    restated = {
        row["restates"]: (row["estimate"], row["printed"])
        for row in records(table)
        if row["restates"] and row["metric"] == "d"
    }
    added = pd.DataFrame([_on_both_scales(row, restated) for row in records(table)], index=table.index)
    table = pd.concat([table, added], axis=1)
    table["size"] = table["k_studies"].fillna(table["k"])
    table["more_people"] = table["n"].notna() & table["note"].map(lambda note: bool(_MORE_THAN.search(note)))
    table["second_hand"] = table["flag"] == "second-hand"
    return table.sort_values("year", kind="stable", na_position="last").reset_index(drop=True)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows, each as a mapping of column to cell."""
    return [{str(name): cell for name, cell in row.items()} for row in table.to_dict("records")]


def cells_of(table: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    """Some columns, counts as floats so that what is lacking is NaN."""
    chosen = table.loc[:, list(columns)].copy()
    for name in ("k", "k_studies", "n", "size"):
        if name in chosen:
            chosen[name] = chosen[name].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    return chosen.reset_index(drop=True)


def known_populations(population: str | None, table: pd.DataFrame) -> pd.DataFrame:
    """The rows of one population, or all for None.

    Raises
    ------
    UnknownNameError
        With the populations that there are.
    """
    if population is None:
        return table
    known = tuple(dict.fromkeys(table["population"].tolist()))
    chosen: pd.DataFrame = table[table["population"] == _checks.known_name("population", population, known)]
    return chosen


def interval_of(row: dict[str, Any]) -> tuple[float, float, str]:
    """The 95 % confidence interval of a row, in its own metric, and where it comes from: nothing is made up.

    A printed standard error is that of Fisher's z for r, of the estimate itself for other metrics.
    """
    if not pd.isna(row["ci_low"]):
        printed = row["interval"] == "confidence 95%"
        return (row["ci_low"], row["ci_high"], "printed") if printed else (nan, nan, "")
    if pd.isna(row["std_error"]) or row["metric"] not in ("r", *AS_D):
        return nan, nan, ""
    half = float(critical_value(_LEVEL, np.inf)) * row["std_error"]
    if row["metric"] == "r":
        z = conversions.r_to_z(row["estimate"])
        low, high = (float(conversions.z_to_r(end)) for end in (z - half, z + half))
    else:
        low, high = row["estimate"] - half, row["estimate"] + half
    return low, high, "implied by the printed standard error"


def _on_both_scales(row: dict[str, Any], restated: dict[str, tuple[float, str]]) -> dict[str, object]:
    found: dict[str, object] = {"r": nan, "r_from": "", "d": nan, "d_from": "", "turned": False, "d_printed": ""}
    found |= dict.fromkeys(("r_low", "r_high", "d_low", "d_high"), nan) | {"interval_from": ""}
    metric = row["metric"]
    if metric == "variance_share":
        r = conversions.r2_to_r(row["estimate"])
        own = {"r": float(r), "d": float(conversions.r_to_d(r))}
        return found | own | {"r_from": "variance share", "d_from": "variance share"}
    if metric not in ("r", *AS_D):
        return found
    turned = row["flag"] == "sign-convention" and row["related_to"] == "outcome"
    sign = -1.0 if turned else 1.0
    low, high, source = interval_of(row)
    bounds = _Bounds(min(sign * low, sign * high), max(sign * low, sign * high), source)
    own_scale, other, convert = ("r", "d", conversions.r_to_d) if metric == "r" else ("d", "r", conversions.d_to_r)
    found |= _scale(own_scale, sign * row["estimate"], bounds, "printed" if metric in "rd" else f"{metric} as printed")
    found |= _scale(other, *_converted(convert, sign * row["estimate"], bounds), f"converted from {metric}")
    if row["effect_id"] in restated and own_scale == "r":
        value, text = restated[row["effect_id"]]
        found |= {"d": value, "d_from": "printed", "d_printed": text}
    return found | {"turned": turned, "interval_from": source}


def _scale(name: str, value: float, bounds: _Bounds, source: str) -> dict[str, object]:
    return {name: value, f"{name}_low": bounds.low, f"{name}_high": bounds.high, f"{name}_from": source}


def _converted(convert: Callable[..., Any], value: float, bounds: _Bounds) -> tuple[float, _Bounds]:
    low, high = float(convert(bounds.low)), float(convert(bounds.high))
    return float(convert(value)), _Bounds(low, high, bounds.source)
