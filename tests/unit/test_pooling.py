"""`pool()`: what it refuses, one study, two studies, and what Knapp and Hartung's method does at its edges."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliance_meta as am
from alliance_meta.errors import ConvergenceError, InputError, UnknownNameError
from alliance_meta.results import TAU2_METHODS, TESTS
from alliance_meta.stats import random_effects
from alliance_meta.stats.tau2 import Tau2

METHODS = tuple(method for method in TAU2_METHODS if method != "GENQ")  # which needs weights of its own
EVERY_WAY = [pytest.param(*way, id="-".join(way)) for way in product(METHODS, TESTS)]


def generic(effect: list[float], variance: list[float]) -> am.EffectSizes:
    return am.effect_sizes(measure="GEN", effect=effect, variance=variance)


THREE = generic([0.0, 1.0, 2.0], [0.1, 0.1, 0.1])


def test_the_defaults_are_reml_and_knapp_hartung() -> None:
    settings = am.pool(THREE).settings
    assert (settings.tau2_method, settings.test) == ("REML", "knapp-hartung")


@pytest.mark.parametrize(
    ("name", "hint"),
    [("reml", "'REML'"), ("REM", "'REML'"), ("dl", "'DL'"), ("ee", "'EE'")],
)
def test_an_unknown_estimator_gets_the_nearest_one(name: str, hint: str) -> None:
    message = rf"^unknown tau2_method '{name}'\. Did you mean {hint}\? Known: 'REML', 'ML', .* and 'EE'\.$"
    with pytest.raises(UnknownNameError, match=message):
        am.pool(THREE, tau2_method=name)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("knapp_hartung", "'knapp-hartung'"),
        ("Knapp-Hartung", "'knapp-hartung'"),
        ("knapp-hartung-ad-hoc", "'knapp-hartung-adhoc'"),
    ],
)
def test_an_unknown_test_gets_the_nearest_one(name: str, hint: str) -> None:
    with pytest.raises(UnknownNameError, match=rf"^unknown test '{name}'\. Did you mean {hint}\? Known: 'z', 't', "):
        am.pool(THREE, test=name)


@pytest.mark.parametrize(("option", "value"), [("tau2_method", "Q"), ("test", "F"), ("test", "")])
def test_a_name_like_none_other_gets_no_guess(option: str, value: str) -> None:
    with pytest.raises(UnknownNameError, match=rf"^unknown {option} '{value}'\. Known: "):
        am.pool(THREE, **{option: value})


@pytest.mark.parametrize(
    "effects",
    [
        pd.DataFrame({"r": [0.1, 0.2], "n": [20, 30]}),
        am.datasets.load("kolden2011"),
        [0.1, 0.2],
        None,
    ],
    ids=["DataFrame", "Dataset", "list", "None"],
)
def test_anything_but_effect_sizes_is_refused_with_the_missing_step(effects: Any) -> None:
    message = (
        rf"^pool\(\) takes the result of effect_sizes\(\), not {type(effects).__name__}: "
        r"pool\(effect_sizes\(frame, measure=\.\.\.\)\)$"
    )
    with pytest.raises(InputError, match=message):
        am.pool(effects)


def test_an_estimator_that_does_not_converge_says_what_else_to_try(monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = Tau2(np.array([math.nan]), np.array([False]))
    monkeypatch.setattr(random_effects, "tau2_of", lambda *_: stuck)
    with pytest.raises(
        ConvergenceError, match=r"^REML did not reach its solution for these 3 effects; try tau2_method='DL'$"
    ):
        am.pool(THREE)


# One study


@pytest.mark.parametrize(("tau2_method", "test"), EVERY_WAY)
def test_one_study_is_its_own_estimate_and_says_what_cannot_be_computed(tau2_method: str, test: str) -> None:
    fit = am.pool(generic([0.3], [0.04]), tau2_method=tau2_method, test=test)
    q = fit.quantities()
    assert (fit.k, fit.estimate, fit.df) == (1, 0.3, math.inf if test == "z" else 0.0)
    assert q["tau2"] == 0.0 if tau2_method == "EE" else math.isnan(q["tau2"])
    never = {"pi_low", "pi_high", "tau2_low", "tau2_high", "i2", "h2", "i2_q", "h2_q", "q_p_value", "n"}
    untested = {"statistic", "p_value", "ci_low", "ci_high"} if test != "z" else set()
    unscaled = {"std_error"} if test.startswith("knapp-hartung") else set()
    unknown = {"tau2"} if tau2_method != "EE" else set()
    assert {name for name, value in q.items() if math.isnan(value)} == never | untested | unscaled | unknown
    assert (fit.q_statistic, fit.q_df) == (0.0, 0.0)
    if not unscaled:
        assert fit.std_error == pytest.approx(0.2, rel=1e-15)  # sqrt(0.04)
    assert fit.notes[0].startswith("One study: the estimate is its effect, and heterogeneity, ")
    lost = f"One study leaves test={test!r} no degrees of freedom; test='z' gives the study's own interval."
    assert fit.notes[1:] == (() if test == "z" else (lost,))
    for view in (str(fit), fit._repr_html_().replace("&#x27;", "'"), fit.to_markdown()):
        assert "One study: the estimate is its effect" in view
    assert "nan" not in (str(fit) + repr(fit) + fit.to_apa() + fit.to_markdown()).lower()
    assert fit.to_frame().shape == (1, 8)


def test_the_z_interval_of_one_study_is_its_own() -> None:
    low, high = am.pool(generic([0.3], [0.04]), test="z").confidence_interval()
    assert (low, high) == pytest.approx((0.3 - 1.959964 * 0.2, 0.3 + 1.959964 * 0.2), abs=1e-6)  # normal tables


def test_the_intervals_of_one_study_say_why_they_are_empty() -> None:
    fit = am.pool(generic([0.3], [0.04]))
    assert fit.confidence_interval().note == "one study leaves the t distribution no degrees of freedom"
    assert fit.tau2_interval().note == "one study says nothing about differences between studies"
    assert "t(k-2) needs more than" in fit.prediction_interval().note
    assert "metafor needs more than 1 " in fit.prediction_interval(method="metafor").note


def test_the_note_of_an_empty_prediction_interval_names_a_number_of_studies_that_would_do() -> None:
    # t(k-2) needs three studies, whether there are one or two.
    for fit in (am.pool(generic([0.3], [0.04])), am.pool(generic([0.3, 0.5], [0.04, 0.05]))):
        note = fit.prediction_interval().note
        assert "more than 2 studies" in note or "at least 3 studies" in note


# Two studies


@pytest.mark.parametrize(("tau2_method", "test"), EVERY_WAY)
def test_two_studies_leave_no_t_prediction_interval_but_metafors(tau2_method: str, test: str) -> None:
    fit = am.pool(generic([0.0, 1.0], [0.1, 0.1]), tau2_method=tau2_method, test=test)
    interval = fit.prediction_interval()
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)
    assert interval.note == "a prediction interval by t(k-2) needs more than 2 studies"
    assert "Two studies leave a prediction interval with t(k-2) no degrees of freedom." in fit.notes
    wide = fit.prediction_interval(method="metafor")
    narrow = fit.confidence_interval()
    assert wide.low <= narrow.low < fit.estimate < narrow.high <= wide.high
    assert {name for name, value in fit.quantities().items() if math.isnan(value)} == {"pi_low", "pi_high", "n"}
    assert "nan" not in (str(fit) + repr(fit) + fit.to_apa() + fit.to_markdown()).lower()


def test_two_studies_by_hand() -> None:
    # Equal variances v: tau2 = s2 - v = 0.5 - 0.1; se**2 = (v + tau2) / 2; metafor's interval with z is
    # 0.5 +- 1.959964 sqrt(0.4 + 0.25).
    fit = am.pool(generic([0.0, 1.0], [0.1, 0.1]), test="z")
    assert fit.tau2 == pytest.approx(0.4, rel=1e-12)
    assert fit.std_error == pytest.approx(0.5, rel=1e-12)
    low, high = fit.prediction_interval(method="metafor")
    assert (low, high) == pytest.approx((-1.0801735, 2.0801735), abs=1e-6)


# Knapp and Hartung


@pytest.mark.parametrize("tau2_method", METHODS)
@pytest.mark.parametrize(
    ("effect", "variance"),
    [
        ([0.5, 0.5, 0.5], [0.25, 0.25, 0.25]),
        ([0.3, 0.3, 0.3], [0.03, 0.07, 0.11]),
        ([0.37, 0.37, 0.37], [1 / 27, 1 / 30, 1 / 50]),
        ([-0.67, -0.67], [0.31, 0.32]),
    ],
)
def test_identical_effects_have_a_standard_error_of_0_and_a_note(
    effect: list[float], variance: list[float], tau2_method: str
) -> None:
    fit = am.pool(generic(effect, variance), tau2_method=tau2_method)
    assert fit.estimate == pytest.approx(effect[0], rel=1e-15)
    assert fit.std_error == 0.0
    assert fit.p_value == 0.0
    assert any(
        note.startswith("The effects are identical, so Knapp-Hartung's standard error is 0") for note in fit.notes
    )
    careful = am.pool(generic(effect, variance), tau2_method=tau2_method, test="knapp-hartung-adhoc")
    assert careful.std_error == am.pool(generic(effect, variance), tau2_method=tau2_method, test="t").std_error > 0.0
    assert not any("identical" in note for note in careful.notes)


def test_identical_effects_at_the_null_have_no_test() -> None:
    fit = am.pool(generic([0.0, 0.0, 0.0], [0.1, 0.2, 0.3]))
    assert fit.std_error == 0.0
    assert math.isnan(fit.statistic)
    assert math.isnan(fit.p_value)
    assert "t(2)" not in fit.to_apa()


@pytest.mark.parametrize("test", ["knapp-hartung", "knapp-hartung-adhoc"])
def test_knapp_hartung_under_equal_effects_says_what_it_does(test: str) -> None:
    fit = am.pool(THREE, tau2_method="EE", test=test)
    assert any(
        note.startswith("Under equal effects Knapp-Hartung multiplies the standard error by ") for note in fit.notes
    )
    # By hand: se = sqrt(0.1 / 3), Q = 2 / 0.1 = 20, df = 2, so sqrt(0.1 / 3) sqrt(10) = sqrt(1 / 3).
    assert fit.std_error == pytest.approx(math.sqrt(1 / 3), rel=1e-14)
    for other in ("z", "t"):
        assert am.pool(THREE, tau2_method="EE", test=other).notes == ()


@pytest.mark.parametrize("tau2_method", METHODS)
@pytest.mark.parametrize(
    "effects",
    [
        pytest.param(THREE, id="spread"),
        pytest.param(generic([0.20, 0.21, 0.22], [0.01, 0.01, 0.01]), id="close"),
        pytest.param(generic([0.1, 0.9, 0.5, -0.3], [0.5, 0.5, 0.01, 0.2]), id="mixed"),
        pytest.param(am.effect_sizes(am.datasets.load("kolden2011")), id="kolden2011"),
        pytest.param(am.effect_sizes(am.datasets.load("benish2011"), measure="SMD"), id="benish2011"),
    ],
)
def test_the_ad_hoc_correction_is_never_narrower_than_the_plain_t_test(
    effects: am.EffectSizes, tau2_method: str
) -> None:
    plain, scaled, adhoc = (
        am.pool(effects, tau2_method=tau2_method, test=test).std_error
        for test in ("t", "knapp-hartung", "knapp-hartung-adhoc")
    )
    assert adhoc == max(plain, scaled)


def test_effects_closer_than_chance_narrow_knapp_hartung_only_without_the_correction() -> None:
    # By hand: Q(0) / (k - 1) = 0.0002 / 0.01 / 2 = 0.01, so the standard error shrinks to a tenth.
    effects = generic([0.20, 0.21, 0.22], [0.01, 0.01, 0.01])
    plain, scaled, adhoc = (am.pool(effects, test=test) for test in ("t", "knapp-hartung", "knapp-hartung-adhoc"))
    assert scaled.std_error == pytest.approx(plain.std_error / 10.0, rel=1e-10)
    assert adhoc.std_error == plain.std_error


def test_pooling_leaves_the_effects_alone() -> None:
    effects = am.effect_sizes(am.datasets.load("kolden2011"))
    before = (effects.effect.copy(), effects.variance.copy(), effects.table)
    for tau2_method, test in product(METHODS, TESTS):
        am.pool(effects, tau2_method=tau2_method, test=test)
    assert effects.effect.tolist() == before[0].tolist()
    assert effects.variance.tolist() == before[1].tolist()
    pd.testing.assert_frame_equal(effects.table, before[2])
