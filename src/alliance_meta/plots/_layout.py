"""What each plot shows, as frames of rows: pure functions, tested without drawing."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from alliance_meta import _checks
from alliance_meta._tables import apa
from alliance_meta.results import PooledEffect
from alliance_meta.stats.inference import critical_value

__all__ = ["Order", "forest_rows", "funnel_points"]

Order = Literal["given", "effect", "precision"]


def forest_rows(fit: PooledEffect, *, level: float = 0.95, order: Order = "given") -> pd.DataFrame:
    """Rows of a forest plot, from top to bottom, on the scale shown to people.

    Parameters
    ----------
    fit : PooledEffect
    level : float
        Coverage of all intervals.
    order : {"given", "effect", "precision"}
        Rows as in the table, from the smallest to the largest effect, or from the most to the least precise.

    Returns
    -------
    DataFrame
        kind ("study", "summary" or "prediction"), label, effect, low, high, weight (percent, studies only) and
        text. Study intervals are effect +- z sqrt(variance). The prediction row is left out where that interval
        does not exist.

    Examples
    --------
    >>> import alliance_meta as am
    >>> fit = am.pool(am.effect_sizes(am.datasets.load("kolden2011")))
    >>> print(forest_rows(fit)[["kind", "label", "text"]].tail(2).to_string(index=False, header=False))
       summary     Pooled effect (k = 16) .25 [.11, .38]
    prediction True effect of a new study    [−.25, .64]
    """
    effects = fit.effects
    order = _checks.known_name("order", order, ("given", "effect", "precision"))
    half = float(critical_value(_checks.level(level), np.inf)) * np.sqrt(effects.variance)
    to_display = effects.measure.to_display
    weight = 1.0 / (effects.variance + np.nan_to_num(fit.tau2))
    studies = pd.DataFrame(
        {
            "kind": "study",
            "label": effects.labels,
            "effect": to_display(effects.effect),
            "low": to_display(effects.effect - half),
            "high": to_display(effects.effect + half),
            "weight": 100.0 * weight / weight.sum(),
        }
    )
    if order != "given":
        studies = studies.sort_values("effect" if order == "effect" else "weight", ascending=order == "effect")
    shown = fit.on_display_scale(level)
    pooled = [("summary", f"Pooled effect (k = {fit.k})", shown.estimate, shown.ci_low, shown.ci_high)]
    if not np.isnan(shown.pi_low):
        pooled.append(("prediction", "True effect of a new study", np.nan, shown.pi_low, shown.pi_high))
    below = pd.DataFrame(pooled, columns=["kind", "label", "effect", "low", "high"]).assign(weight=np.nan)
    frame = pd.concat([studies, below], ignore_index=True)
    bounded = effects.measure.bounded
    frame["text"] = [
        _interval_text(effect, low, high, bounded)
        for effect, low, high in zip(frame["effect"], frame["low"], frame["high"], strict=True)
    ]
    return frame


def _interval_text(effect: float, low: float, high: float, bounded: bool) -> str:
    interval = "" if np.isnan(low) else f" [{apa(low, bounded=bounded)}, {apa(high, bounded=bounded)}]"
    return interval.strip() if np.isnan(effect) else f"{apa(effect, bounded=bounded)}{interval}"


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
