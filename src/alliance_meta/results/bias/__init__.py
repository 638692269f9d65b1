"""The results of checks for publication bias."""

from alliance_meta.results.bias._adjusted import AdequatelyPowered, HenmiCopasMean, LimitMeta
from alliance_meta.results.bias._checks import BiasChecks
from alliance_meta.results.bias._fail_safe import FailSafeN
from alliance_meta.results.bias._selection import SelectionModel, SelectionSettings
from alliance_meta.results.bias._significance import ExcessSignificance, PCurve
from alliance_meta.results.bias._small_study import BeggTest, EggerSettings, EggerTest
from alliance_meta.results.bias._small_study_estimates import PetPeese, SmallStudyEstimate
from alliance_meta.results.bias._trim_fill import TrimAndFill

__all__ = [
    "AdequatelyPowered",
    "BeggTest",
    "BiasChecks",
    "EggerSettings",
    "EggerTest",
    "ExcessSignificance",
    "FailSafeN",
    "HenmiCopasMean",
    "LimitMeta",
    "PCurve",
    "PetPeese",
    "SelectionModel",
    "SelectionSettings",
    "SmallStudyEstimate",
    "TrimAndFill",
]
