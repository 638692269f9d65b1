"""The frozen results, and the words they print."""

from alliance_meta.results._batch import PooledBatch, Problem
from alliance_meta.results._interval import Interval, Proportion
from alliance_meta.results._location_scale import LocationScale, LocationScaleSettings
from alliance_meta.results._pooled import DisplayScale, PooledEffect, PoolSettings
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
from alliance_meta.results._vocabulary import (
    PREDICTION_METHODS,
    QUANTITIES,
    TAU2_METHODS,
    TEST_NAMES,
    TESTS,
    PredictionMethod,
    Tau2Method,
    TestMethod,
)
from alliance_meta.results._wald import WaldTest, wald_test

__all__ = [
    "PREDICTION_METHODS",
    "PSYCHOMETRIC_METHODS",
    "PSYCHOMETRIC_QUANTITIES",
    "QUANTITIES",
    "RESTRICTIONS",
    "SAMPLING_ERRORS",
    "TAU2_METHODS",
    "TESTS",
    "TEST_NAMES",
    "DisplayScale",
    "Interval",
    "LocationScale",
    "LocationScaleSettings",
    "MetaRegression",
    "NewStudies",
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
    "SamplingError",
    "Tau2Method",
    "TestMethod",
    "WaldTest",
    "explained",
    "wald_test",
]
