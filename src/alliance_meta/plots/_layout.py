"""What each plot shows, as frames of rows: pure functions, tested without drawing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from alliance_meta import _checks
from alliance_meta._tables import apa
from alliance_meta.effects import EffectSizes
from alliance_meta.results import DisplayScale, PooledEffect
from alliance_meta.results._subgroups import Subgroups
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.inference import critical_value

__all__ = ["Order", "forest_rows", "forest_text", "funnel_points", "row_places"]

Order = Literal["given", "effect", "precision"]

_GAP = 0.6  # rows left free above the overall effect
_GROUP_GAP = 0.5  # and above a group


def forest_rows(fit: PooledEffect | Subgroups, *, level: float = 0.95, order: Order = "given") -> pd.DataFrame:
    """Rows of a forest plot, from top to bottom, on the scale shown to people.

    Parameters
    ----------
    fit : PooledEffect or Subgroups
    level : float
        Coverage of all intervals.
    order : {"given", "effect", "precision"}
        Rows as in the table, from the smallest to the largest effect, or from the most to the least precise; within
        groups, where there are any.

    Returns
    -------
    DataFrame
        kind ("study", "summary" or "prediction"; with subgroups also "group", a heading, and "subgroup", the mean below
        its studies), label, effect, low, high, weight (percent of the overall mean; a group's is that of its studies
        together) and text. Study intervals are effect +- z sqrt(variance). The prediction row is left out where that
        interval does not exist.

    Examples
    --------
    >>> import alliance_meta as am
    >>> fit = am.pool(am.effect_sizes(am.datasets.load("kolden2011")))
    >>> print(forest_rows(fit)[["kind", "label", "text"]].tail(2).to_string(index=False, header=False))
       summary     Pooled effect (k = 16) .25 [.11, .38]
    prediction True effect of a new study    [−.25, .64]
    """
    order = _checks.known_name("order", order, ("given", "effect", "precision"))
    overall = fit if isinstance(fit, PooledEffect) else fit.overall
    effects, tau2 = overall.effects, float(np.nan_to_num(overall.tau2))
    total = float((1.0 / (effects.variance + tau2)).sum())
    critical = float(critical_value(_checks.level(level), np.inf))
    if isinstance(fit, PooledEffect):
        parts = [_study_rows(effects, critical, tau2, total, order)]
    else:
        parts = []
        for member in fit.members:
            studies = _study_rows(member.effects, critical, tau2, total, order)
            i2 = "" if np.isnan(member.i2) else f", I² = {apa(member.i2, 0)}%"
            mean = _mean_row("subgroup", f"{member.label} (k = {member.k}{i2})", member.on_display_scale(level))
            heading = pd.DataFrame({"kind": ["group"], "label": [member.label]})
            parts += [heading, studies, mean.assign(weight=studies["weight"].sum())]
    shown = overall.on_display_scale(level)
    parts.append(_mean_row("summary", f"Pooled effect (k = {overall.k})", shown))
    if not np.isnan(shown.pi_low):
        new = {"kind": "prediction", "label": "True effect of a new study", "low": shown.pi_low, "high": shown.pi_high}
        parts.append(pd.DataFrame([new]))
    columns = ["kind", "label", "effect", "low", "high", "weight"]
    cells = [row for part in parts for row in part.reindex(columns=columns).to_numpy(dtype=object).tolist()]
    frame = pd.DataFrame(cells, columns=columns).astype(dict.fromkeys(columns[2:], float))
    bounded = effects.measure.bounded
    numbers = frame[["effect", "low", "high"]].to_numpy(dtype=float).tolist()
    frame["text"] = [forest_text(*row, bounded=bounded) for row in numbers]
    return frame


def _study_rows(effects: EffectSizes, critical: float, tau2: float, total: float, order: Order) -> pd.DataFrame:
    half = critical * np.sqrt(effects.variance)
    to_display = effects.measure.to_display
    studies = pd.DataFrame(
        {
            "kind": "study",
            "label": effects.labels,
            "effect": to_display(effects.effect),
            "low": to_display(effects.effect - half),
            "high": to_display(effects.effect + half),
            "weight": 100.0 / (effects.variance + tau2) / total,
        }
    )
    if order == "given":
        return studies
    return studies.sort_values("effect" if order == "effect" else "weight", ascending=order == "effect")


def _mean_row(kind: str, label: str, shown: DisplayScale) -> pd.DataFrame:
    row = {"kind": kind, "label": label, "effect": shown.estimate, "low": shown.ci_low, "high": shown.ci_high}
    return pd.DataFrame([row])


def forest_text(effect: float, low: float, high: float, *, bounded: bool = False, decimals: int = 2) -> str:
    """An effect with its interval as it is printed beside a row; empty where there is neither."""
    bounds = [apa(bound, decimals, bounded=bounded) for bound in (low, high)]
    parts = [
        "" if np.isnan(effect) else apa(effect, decimals, bounded=bounded),
        "" if np.isnan(low) else f"[{', '.join(bounds)}]",
    ]
    return " ".join(filter(None, parts))


def row_places(kinds: Sequence[str]) -> FloatArray:
    """Where each row of a forest plot stands, counted from the top, with room above groups and the overall effect.

    Examples
    --------
    >>> row_places(["group", "study", "subgroup", "group", "study", "subgroup", "summary", "prediction"]).tolist()
    [0.0, 1.0, 2.0, 3.5, 4.5, 5.5, 7.1, 8.1]
    """
    gaps = [_GAP if kind == "summary" else _GROUP_GAP if kind == "group" and i else 0.0 for i, kind in enumerate(kinds)]
    return np.asarray(np.arange(len(gaps)) + np.cumsum(gaps), dtype=float)


def funnel_points(fit: PooledEffect) -> pd.DataFrame:
    """Points of a funnel plot: label, effect (analysed scale), std_error.

    Examples
    --------
    >>> import alliance_meta as am
    >>> fit = am.pool(am.effect_sizes(r=[0.3, 0.1], n=[28, 103], study=["A", "B"]))
    >>> print(funnel_points(fit).round(2).to_string(index=False))
    label  effect  std_error
        A    0.31        0.2
        B    0.10        0.1
    """
    effects = fit.effects
    return pd.DataFrame({"label": effects.labels, "effect": effects.effect, "std_error": np.sqrt(effects.variance)})
