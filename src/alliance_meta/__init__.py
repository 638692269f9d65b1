"""Reproduce and extend the meta-analyses of the therapeutic alliance and treatment outcome.

>>> import alliance_meta as am
>>> studies = am.datasets.load("kolden2011")
>>> fit = am.pool(am.effect_sizes(studies, measure="ZCOR"))
>>> print(f"r = {fit.on_display_scale().estimate:.2f} from {fit.k} studies")
r = 0.25 from 16 studies
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from alliance_meta import (
    bias,
    consistency,
    conversions,
    datasets,
    errors,
    evidence,
    reproductions,
    sensitivity,
    simulate,
    snapshot,
)
from alliance_meta.auditing import Audit, audit
from alliance_meta.dependence import multilevel
from alliance_meta.dependence_reports import dependence_report
from alliance_meta.effects import EffectSizes, aggregate, correct_attenuation, effect_sizes
from alliance_meta.grouping import subgroups
from alliance_meta.location_scales import location_scale
from alliance_meta.model_choice import compare, multimodel
from alliance_meta.moderators import meta_regression
from alliance_meta.multivariate_outcomes import multivariate
from alliance_meta.permutations import permutation_test
from alliance_meta.planning import new_studies_needed, power, studies_needed
from alliance_meta.pooling import pool, pool_many
from alliance_meta.psychometrics import psychometric
from alliance_meta.results import (
    DependenceReport,
    LocationScale,
    MetaRegression,
    ModelComparison,
    Multilevel,
    MultiModel,
    Multivariate,
    NewStudies,
    PermutationResult,
    PooledBatch,
    PooledEffect,
    PowerResult,
    PsychometricResult,
    RobustFit,
    StudyDiagnostics,
    Subgroups,
    VoteCount,
)
from alliance_meta.robustness import robust
from alliance_meta.study_diagnostics import diagnose
from alliance_meta.vote_counting import vote_count

if TYPE_CHECKING:
    from alliance_meta import plots, reports
    from alliance_meta.reports import report

__version__ = "0.1.0"

__all__ = [
    "Audit",
    "DependenceReport",
    "EffectSizes",
    "LocationScale",
    "MetaRegression",
    "ModelComparison",
    "MultiModel",
    "Multilevel",
    "Multivariate",
    "NewStudies",
    "PermutationResult",
    "PooledBatch",
    "PooledEffect",
    "PowerResult",
    "PsychometricResult",
    "RobustFit",
    "StudyDiagnostics",
    "Subgroups",
    "VoteCount",
    "aggregate",
    "audit",
    "bias",
    "compare",
    "consistency",
    "conversions",
    "correct_attenuation",
    "datasets",
    "dependence_report",
    "diagnose",
    "effect_sizes",
    "errors",
    "evidence",
    "location_scale",
    "meta_regression",
    "multilevel",
    "multimodel",
    "multivariate",
    "new_studies_needed",
    "permutation_test",
    "plots",
    "pool",
    "pool_many",
    "power",
    "psychometric",
    "report",
    "reports",
    "reproductions",
    "robust",
    "sensitivity",
    "simulate",
    "snapshot",
    "studies_needed",
    "subgroups",
    "vote_count",
]

_DRAWING = ("plots", "reports")


def __getattr__(name: str) -> object:
    """Import what needs matplotlib when it is first asked for."""
    if name in _DRAWING:
        return import_module(f"alliance_meta.{name}")
    if name == "report":
        return import_module("alliance_meta.reports").report
    raise AttributeError(f"module 'alliance_meta' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
