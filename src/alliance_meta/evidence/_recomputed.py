"""Means and slopes that are recomputed from the studies of a data set, to stand beside printed ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan, sqrt
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from alliance_meta import datasets
from alliance_meta._tables import apa
from alliance_meta.effects import EffectSizes, effect_sizes
from alliance_meta.evidence._view import interval_text
from alliance_meta.moderators import meta_regression
from alliance_meta.pooling import pool
from alliance_meta.results import MetaRegression, PooledEffect
from alliance_meta.robustness import robust
from alliance_meta.stats import conversions

__all__ = ["Recomputed", "recomputed"]

_MEASURES = {"benish2011": "SMD", "munder2012": "SMD", "farber_doolin2011": "ZCOR", "kolden2011": "ZCOR"}
_ALLEGIANCE = "munder2012-allegiance"
_BALANCE = "researcher_allegiance"
_Ends = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recomputed:
    """What a data set gives.

    Attributes
    ----------
    fit : PooledEffect or MetaRegression
    cells : mapping
        The cells of its row.
    words : mapping of str to str
        Numbers for sentences.
    notes : tuple of str
    """

    fit: PooledEffect | MetaRegression
    cells: dict[str, Any]
    words: Mapping[str, str]
    notes: tuple[str, ...]


class _Number(NamedTuple):
    value: float
    low: float
    high: float


def recomputed(name: str) -> Recomputed:
    """Recompute a data set's mean by REML and Knapp-Hartung, or the slope on allegiance.

    Where articles have several effects the interval is cluster-robust (CR2), by article.
    """
    data_set = name.partition("-")[0]
    dataset = datasets.load(data_set)
    effects = effect_sizes(dataset, measure=_MEASURES[data_set])
    if name == _ALLEGIANCE:
        fit = meta_regression(effects, _BALANCE, dependent="allow")
        found, words = _slope(fit)
        cells = _cells(dataset, effects, found, f"slope on {_BALANCE} × 1 SD")
        return Recomputed(fit=fit, cells=cells, words=words, notes=effects.notes)
    mean = pool(effects, dependent="allow")
    low, high = _interval(mean, "overall") if effects.shared_studies() else mean.confidence_interval()
    cells = _cells(dataset, effects, _Number(mean.estimate, low, high), "mean")
    return Recomputed(fit=mean, cells=cells, words={"tau": apa(sqrt(mean.tau2), 2)}, notes=effects.notes)


def _cells(dataset: datasets.Dataset, effects: EffectSizes, found: _Number, how: str) -> dict[str, Any]:
    source = dataset.provenance.source
    label = source.short if source else dataset.provenance.id
    if effects.measure.code == "ZCOR":
        r = _Number(*(float(conversions.z_to_r(end)) for end in found))
        d = _Number(*(float(conversions.r_to_d(end)) for end in r))
    else:
        d, r = found, _Number(*(float(conversions.d_to_r(end)) for end in found))
    method = "REML, " + ("cluster-robust (CR2) by article" if effects.shared_studies() else "Knapp-Hartung")
    return {
        "label": f"{label}, recomputed",
        "year": _year(label),
        "metric": "r" if effects.measure.code == "ZCOR" else "g",
        "d": d.value,
        "d_low": d.low,
        "d_high": d.high,
        "r": r.value,
        "r_low": r.low,
        "r_high": r.high,
        "d_from": f"recomputed: {how}, {method}",
        "interval_from": f"recomputed: {method}",
        "k": float(effects.k),
        "locator": f"data set {dataset.provenance.id}, version {dataset.provenance.version}",
        "doi": source.doi if source else "",
        "note": how,
    }


def _year(label: str) -> float:
    """Of a citation such as ``Munder et al. (2012)``."""
    digits = label.rpartition("(")[2].rstrip(")")
    return float(digits) if digits.isdigit() else nan


def _interval(fit: PooledEffect | MetaRegression, term: str) -> _Ends:
    """Of one coefficient, by article."""
    return _ends(robust(fit, "study").to_frame(), term)


def _ends(table: pd.DataFrame, term: str) -> _Ends:
    row = table[table["term"] == term].iloc[0].to_dict()
    return float(row["ci_low"]), float(row["ci_high"])


def _slope(fit: MetaRegression) -> tuple[_Number, dict[str, str]]:
    """What one standard deviation of the balance of allegiance goes with."""
    slope = float(fit.coefficients[fit.names.index(_BALANCE)])
    plain, (low, high) = _ends(fit.to_frame(), _BALANCE), _interval(fit, _BALANCE)
    spread = float(np.std(fit.effects.table[_BALANCE].to_numpy(dtype=float), ddof=1))
    words = {
        "sd": apa(spread, 2),
        "slope": apa(slope, 3),
        "plain": interval_text(*plain, 3),
        "robust": interval_text(low, high, 3),
        "r2": apa(fit.r2, 0),
    }
    return _Number(spread * slope, spread * low, spread * high), words
