"""The intervals a pooled effect is asked for: each is its kernel's, for this fit's estimator, test and data."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

import alliance_meta as am
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.measures import MEASURES
from alliance_meta.results import Interval
from alliance_meta.results._vocabulary import MEAN_INTERVALS, PREDICTION_METHODS, TAU2_INTERVALS
from alliance_meta.stats import generalised_q, henmi_copas, heterogeneity, prediction, profile, resampling
from alliance_meta.stats.tau2 import tau2_std_error

KOLDEN = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
FIT = am.pool(KOLDEN)
Y, V = KOLDEN.effect, KOLDEN.variance
ONE = am.pool(am.effect_sizes(measure="COR", r=[0.3], n=[40]), test="z")
ALIKE = am.pool(am.effect_sizes(measure="GEN", effect=[0.20, 0.21, 0.22], variance=[0.02, 0.03, 0.05]))
DRAWS: dict[str, Any] = {"replicates": 500, "seed": 7}


def bounds(interval: Interval | Iterable[Any]) -> tuple[float, float]:
    low, high = interval
    return float(low), float(high)


@pytest.mark.parametrize("method", MEAN_INTERVALS)
def test_every_interval_of_the_mean_is_about_the_estimate_and_grows_with_the_level(method: str) -> None:
    narrow, wide = (FIT.confidence_interval(level, method=method, **DRAWS) for level in (0.8, 0.95))
    assert wide.low < narrow.low < FIT.estimate < narrow.high < wide.high
    assert (narrow.level, narrow.kind, narrow.note) == (0.8, "confidence", "")


def test_intervals_of_the_mean_are_those_of_their_kernels() -> None:
    hc = henmi_copas.henmi_copas(Y, V, 0.9)
    assert bounds(FIT.confidence_interval(0.9, method="henmi-copas")) == bounds((hc.low, hc.high))
    assert bounds(FIT.confidence_interval(0.9, method="profile")) == bounds(profile.mean_profile_interval(Y, V, 0.9))
    flips = resampling.permutation_interval(Y, V, 0.9, tau2_method="REML", test="knapp-hartung", **DRAWS)
    assert bounds(FIT.confidence_interval(0.9, method="permutation", **DRAWS)) == (flips.low, flips.high)
    for method, kernel in (
        ("parametric-bootstrap", resampling.parametric_bootstrap),
        ("case-bootstrap", resampling.case_bootstrap),
    ):
        draws = kernel(Y, V, tau2_method="REML", **DRAWS).estimate
        expected = bounds(np.quantile(draws, [0.05, 0.95]))
        assert bounds(FIT.confidence_interval(0.9, method=method, **DRAWS)) == pytest.approx(expected, rel=1e-14)


def test_the_estimator_and_the_test_of_the_fit_are_those_resampled() -> None:
    other = am.pool(KOLDEN, tau2_method="DL", test="z")
    for method in ("permutation", "case-bootstrap"):
        assert bounds(other.confidence_interval(method=method, **DRAWS)) != bounds(
            FIT.confidence_interval(method=method, **DRAWS)
        )


@pytest.mark.parametrize("method", ["permutation", "parametric-bootstrap", "case-bootstrap"])
def test_resampling_repeats_itself_with_a_seed_for_any_number_of_workers(method: str) -> None:
    one, two = (FIT.confidence_interval(method=method, workers=workers, **DRAWS) for workers in (1, 3))
    other = FIT.confidence_interval(method=method, replicates=500, seed=8)
    assert bounds(one) == bounds(two) != bounds(other)


@pytest.mark.parametrize(("option", "value"), [("replicates", 99), ("workers", 0), ("seed", -1)])
def test_resampling_refuses_numbers_it_cannot_use(option: str, value: int) -> None:
    with pytest.raises(InputError, match=rf"^{option} must be \d+ or more, not {value}$"):
        FIT.confidence_interval(method="case-bootstrap", **{option: value})


def test_too_few_studies_for_a_permutation_interval_say_so() -> None:
    five = am.pool(am.effect_sizes(measure="GEN", effect=[0.3, 0.4, 0.5, 0.3, 0.4], variance=[0.01] * 5))
    interval = five.confidence_interval(method="permutation")
    assert bounds(interval) == (-math.inf, math.inf)  # 2 of 32 flips are as extreme, p = .0625
    assert interval.note == "even the most extreme means are not rejected: the level asks for more studies"


def test_other_weights_have_only_the_interval_of_the_test() -> None:
    plain = am.pool(KOLDEN, weights="equal")
    assert plain.confidence_interval().low < plain.estimate
    with pytest.raises(InputError, match=r"^method 'profile' is for inverse-variance weights; this mean has equal$"):
        plain.confidence_interval(method="profile")


def test_intervals_of_tau2_are_those_of_their_kernels() -> None:
    assert bounds(FIT.tau2_interval()) == bounds(heterogeneity.q_profile_interval(Y, V))
    for method, weights in (("biggerstaff-jackson", 1 / V), ("jackson", 1 / np.sqrt(V))):
        expected = bounds(generalised_q.generalised_q_interval(Y, V, weights=weights))
        assert bounds(FIT.tau2_interval(method=method)) == expected
    for name in ("REML", "ML"):
        fit = am.pool(KOLDEN, tau2_method=name)
        expected = bounds(profile.tau2_profile_interval(Y, V, restricted=name == "REML"))
        assert bounds(fit.tau2_interval(method="profile")) == expected
    se = float(tau2_std_error("REML", FIT.tau2, V))
    assert FIT.tau2_interval(method="wald").high == pytest.approx(FIT.tau2 + 1.959963984540054 * se, rel=1e-13)
    assert FIT.tau2_interval(method="wald-log").low == pytest.approx(
        FIT.tau2 * math.exp(-1.959963984540054 * se / FIT.tau2), rel=1e-12
    )
    draws = resampling.parametric_bootstrap(Y, V, tau2_method="REML", **DRAWS).tau2
    expected = bounds(np.quantile(draws, [0.025, 0.975]))
    assert bounds(FIT.tau2_interval(method="bootstrap", **DRAWS)) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize(
    ("name", "method"), [("DL", "profile"), ("PM", "profile"), ("SJ", "wald"), ("CA2", "wald-log")]
)
def test_an_interval_that_the_estimator_has_not_is_refused(name: str, method: str) -> None:
    fit = am.pool(KOLDEN, tau2_method=name)
    with pytest.raises(InputError, match=r"needs tau2_method='REML' or 'ML'|has no large-sample standard error"):
        fit.tau2_interval(method=method)


def test_genq_is_not_resampled_and_its_own_weights_make_its_standard_error() -> None:
    fit = am.pool(KOLDEN, tau2_method="GENQ", q_weights="n")
    se = float(tau2_std_error("GENQ", fit.tau2, V, weights=KOLDEN.table["n"]))
    assert fit.tau2_interval(method="wald").high == pytest.approx(fit.tau2 + 1.959963984540054 * se, rel=1e-13)
    with pytest.raises(InputError, match=r"^tau2_method='GENQ' has weights of its own and is not resampled"):
        fit.tau2_interval(method="bootstrap")


@pytest.mark.parametrize("method", TAU2_INTERVALS)
def test_i2_and_h2_follow_the_interval_of_tau2(method: str) -> None:
    tau2, i2, h2 = FIT.tau2_interval(method=method), FIT.i2_interval(method=method), FIT.h2_interval(method=method)
    typical = FIT.tau2 * (100.0 / FIT.i2 - 1.0)  # I2 = 100 tau2 / (tau2 + s2)
    for t, percent, ratio in zip(bounds(tau2), bounds(i2), bounds(h2), strict=True):
        assert percent == pytest.approx(100.0 * t / (t + typical), rel=1e-12)
        assert ratio == pytest.approx(t / typical + 1.0, rel=1e-12)
    assert (i2.kind, h2.kind) == ("i2", "h2")


def test_effects_that_differ_too_little_say_so_in_every_interval() -> None:
    assert bounds(ALIKE.tau2_interval()) == (0.0, 0.0)
    assert ALIKE.i2_interval().note == ALIKE.tau2_interval().note != ""
    log = ALIKE.tau2_interval(method="wald-log")
    assert math.isnan(log.low)
    assert log.note == "an estimate of 0 has no logarithm"


def test_prediction_intervals_differ_in_their_degrees_of_freedom() -> None:
    spread = math.hypot(math.sqrt(FIT.tau2), FIT.std_error)
    # qt(.975, c(14, 15)) and qnorm(.975) in R
    for method, t in (("t(k-2)", 2.144786687916928), ("t(k-1)", 2.131449545559323), ("z", 1.959963984540054)):
        interval = FIT.prediction_interval(method=method)
        assert bounds(interval) == pytest.approx((FIT.estimate - t * spread, FIT.estimate + t * spread), rel=1e-12)
    rng = np.random.default_rng(7)
    expected = prediction.nagashima_interval(Y, V, replicates=1000, rng=rng)
    assert bounds(FIT.prediction_interval(method="nagashima", replicates=1000, seed=7)) == expected


def test_the_proportion_above_takes_its_threshold_on_the_shown_scale() -> None:
    se = float(tau2_std_error("REML", FIT.tau2, V))
    expected = prediction.proportion_above(FIT.estimate, FIT.std_error, FIT.tau2, se, math.atanh(0.1))
    found = FIT.proportion_above(0.1)
    assert (found.estimate, found.low, found.high) == pytest.approx(tuple(map(float, expected)), rel=1e-13)
    drawn = FIT.proportion_above(0.1, method="bootstrap", **DRAWS)
    assert drawn.estimate == found.estimate
    assert 0.0 < drawn.low < drawn.estimate < drawn.high <= 1.0
    assert repr(found).startswith("0.752 of true effects above 0.1, 95% interval [")


def test_a_threshold_that_no_effect_can_have_is_refused() -> None:
    with pytest.raises(InputError, match=r"^threshold must be a value of r, not 1\.5$"):
        FIT.proportion_above(1.5)


def test_a_proportion_without_heterogeneity_is_all_or_nothing() -> None:
    found = ALIKE.proportion_above(0.1)
    assert found.estimate == 1.0
    assert math.isnan(found.low)
    assert found.note == "tau2 is 0, so all true effects count as the same"


def test_one_study_has_none_of_them_and_says_why() -> None:
    why = "one study says nothing about differences between studies"
    for method in set(MEAN_INTERVALS) - {"test"}:
        interval = ONE.confidence_interval(method=method)
        assert math.isnan(interval.low)
        assert interval.note == why
    for of_tau2 in TAU2_INTERVALS:
        assert math.isnan(ONE.tau2_interval(method=of_tau2).high)
    for of_new in set(PREDICTION_METHODS) - {"z", "metafor"}:
        assert math.isnan(ONE.prediction_interval(method=of_new).low)
    assert ONE.proportion_above(0.1).note == why


@pytest.mark.parametrize("question", ["confidence_interval", "prediction_interval", "tau2_interval", "i2_interval"])
def test_unknown_methods_get_the_nearest_one(question: str) -> None:
    with pytest.raises(UnknownNameError, match=r"^unknown .*interval method 'profil'\. .*Known: "):
        getattr(FIT, question)(method="profil")


@pytest.mark.parametrize("code", MEASURES)
def test_the_way_back_from_the_shown_scale(code: str) -> None:
    values = np.array([-0.6, 0.0, 0.3, 0.9])
    # Where a scale bends, its inverse loses up to three digits.
    np.testing.assert_allclose(MEASURES[code].from_display(MEASURES[code].to_display(values)), values, atol=1e-13)
