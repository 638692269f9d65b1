"""How much a pooled effect rests on single studies and choices. `panel` puts the usual analyses side by side."""

from alliance_meta.results.sensitivity import (
    Baujat,
    CorrelationSweep,
    Cumulative,
    Fragility,
    Gosh,
    Influence,
    LeaveOneOut,
    Outliers,
    Panel,
    ReliabilitySweep,
)
from alliance_meta.sensitivity._gosh import gosh
from alliance_meta.sensitivity._influence import baujat, influence, outliers
from alliance_meta.sensitivity._leaving_out import cumulative, leave_one_out
from alliance_meta.sensitivity._panel import panel
from alliance_meta.sensitivity._sweeps import correlation_sweep, fragility, reliability_sweep

__all__ = [
    "Baujat",
    "CorrelationSweep",
    "Cumulative",
    "Fragility",
    "Gosh",
    "Influence",
    "LeaveOneOut",
    "Outliers",
    "Panel",
    "ReliabilitySweep",
    "baujat",
    "correlation_sweep",
    "cumulative",
    "fragility",
    "gosh",
    "influence",
    "leave_one_out",
    "outliers",
    "panel",
    "reliability_sweep",
]
