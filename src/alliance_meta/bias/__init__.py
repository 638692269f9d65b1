"""Publication bias: tests of it, means corrected for it, and what each can and cannot show. `checks` asks them all."""

from alliance_meta.bias._adjusted import henmi_copas, limit_meta, waap
from alliance_meta.bias._checks import checks
from alliance_meta.bias._fail_safe import fail_safe_n
from alliance_meta.bias._selection import selection_model
from alliance_meta.bias._significance import excess_significance, p_curve
from alliance_meta.bias._small_study import begg, egger
from alliance_meta.bias._small_study_estimates import peese, pet, pet_peese
from alliance_meta.bias._trim_fill import trim_and_fill
from alliance_meta.results.bias import (
    AdequatelyPowered,
    BeggTest,
    BiasChecks,
    EggerTest,
    ExcessSignificance,
    FailSafeN,
    HenmiCopasMean,
    LimitMeta,
    PCurve,
    PetPeese,
    SelectionModel,
    SmallStudyEstimate,
    TrimAndFill,
)

__all__ = [
    "AdequatelyPowered",
    "BeggTest",
    "BiasChecks",
    "EggerTest",
    "ExcessSignificance",
    "FailSafeN",
    "HenmiCopasMean",
    "LimitMeta",
    "PCurve",
    "PetPeese",
    "SelectionModel",
    "SmallStudyEstimate",
    "TrimAndFill",
    "begg",
    "checks",
    "egger",
    "excess_significance",
    "fail_safe_n",
    "henmi_copas",
    "limit_meta",
    "p_curve",
    "peese",
    "pet",
    "pet_peese",
    "selection_model",
    "trim_and_fill",
    "waap",
]
