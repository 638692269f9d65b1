"""The frozen results, and the words they print."""

from alliance_meta.results._batch import PooledBatch, Problem
from alliance_meta.results._dependence_report import DependenceReport
from alliance_meta.results._diagnostics import StudyDiagnostics
from alliance_meta.results._explanation import Explanation, Step
from alliance_meta.results._interval import DisplayScale, Interval, Proportion
from alliance_meta.results._location_scale import LocationScale, LocationScaleSettings
from alliance_meta.results._model_choice import ModelComparison, MultiModel, MultiModelSettings
from alliance_meta.results._multilevel import Multilevel, MultilevelSettings
from alliance_meta.results._multivariate import STRUCTURES, Multivariate, MultivariateSettings, Structure
from alliance_meta.results._permutation import PermutationResult, PermutationSettings
from alliance_meta.results._pooled import PooledEffect, PoolSettings
from alliance_meta.results._power import NewStudies, PowerResult
from alliance_meta.results._psychometric import (
    PSYCHOMETRIC_METHODS,
    PSYCHOMETRIC_QUANTITIES,
    RESTRICTIONS,
    SAMPLING_ERRORS,
    PsychometricMethod,
    PsychometricResult,
    PsychometricSettings,
    SamplingError,
)
from alliance_meta.results._regression import MetaRegression, RegressionSettings
from alliance_meta.results._regression_intervals import explained
from alliance_meta.results._robust import RobustFit, RobustSettings, RobustTest
from alliance_meta.results._subgroups import SUBGROUP_TAU2, Subgroup, Subgroups, SubgroupSettings, SubgroupTau2
from alliance_meta.results._vocabulary import (
    LIKELIHOOD_METHODS,
    MULTILEVEL_TESTS,
    PREDICTION_METHODS,
    QUANTITIES,
    TAU2_METHODS,
    TEST_NAMES,
    TESTS,
    LikelihoodMethod,
    MultilevelTest,
    PredictionMethod,
    Tau2Method,
    TestMethod,
)
from alliance_meta.results._vote_count import VoteCount
from alliance_meta.results._wald import WaldTest, wald_test

__all__ = [
    "LIKELIHOOD_METHODS",
    "MULTILEVEL_TESTS",
    "PREDICTION_METHODS",
    "PSYCHOMETRIC_METHODS",
    "PSYCHOMETRIC_QUANTITIES",
    "QUANTITIES",
    "RESTRICTIONS",
    "SAMPLING_ERRORS",
    "STRUCTURES",
    "SUBGROUP_TAU2",
    "TAU2_METHODS",
    "TESTS",
    "TEST_NAMES",
    "DependenceReport",
    "DisplayScale",
    "Explanation",
    "Interval",
    "LikelihoodMethod",
    "LocationScale",
    "LocationScaleSettings",
    "MetaRegression",
    "ModelComparison",
    "MultiModel",
    "MultiModelSettings",
    "Multilevel",
    "MultilevelSettings",
    "MultilevelTest",
    "Multivariate",
    "MultivariateSettings",
    "NewStudies",
    "PermutationResult",
    "PermutationSettings",
    "PoolSettings",
    "PooledBatch",
    "PooledEffect",
    "PowerResult",
    "PredictionMethod",
    "Problem",
    "Proportion",
    "PsychometricMethod",
    "PsychometricResult",
    "PsychometricSettings",
    "RegressionSettings",
    "RobustFit",
    "RobustSettings",
    "RobustTest",
    "SamplingError",
    "Step",
    "Structure",
    "StudyDiagnostics",
    "Subgroup",
    "SubgroupSettings",
    "SubgroupTau2",
    "Subgroups",
    "Tau2Method",
    "TestMethod",
    "VoteCount",
    "WaldTest",
    "explained",
    "wald_test",
]
