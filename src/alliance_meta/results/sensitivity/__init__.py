"""The results of looking at how much a pooled effect rests on single studies and choices."""

from alliance_meta.results.sensitivity._gosh import Gosh
from alliance_meta.results.sensitivity._influence import Baujat, Influence
from alliance_meta.results.sensitivity._leaving_out import Cumulative, LeaveOneOut
from alliance_meta.results.sensitivity._outliers import Outliers
from alliance_meta.results.sensitivity._panel import Panel
from alliance_meta.results.sensitivity._sweeps import CorrelationSweep, Fragility, ReliabilitySweep

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
]
