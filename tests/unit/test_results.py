"""The frozen results: their shapes, their words, and that looking at them changes nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliance_meta as am
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.results import QUANTITIES, TAU2_METHODS, TESTS, Interval
from alliance_meta.studies import StudyTable

METHODS = tuple(method for method in TAU2_METHODS if method != "GENQ")  # which needs weights of its own
EVERY_WAY = [pytest.param(*way, id="-".join(way)) for way in product(METHODS, TESTS)]
ON_EFFECT_SCALE = ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")
VIEWS: dict[str, Callable[[am.PooledEffect], str]] = {
    "str": str,
    "repr": repr,
    "_repr_html_": am.PooledEffect._repr_html_,
    "to_markdown": am.PooledEffect.to_markdown,
    "to_apa": am.PooledEffect.to_apa,
    "to_r": am.PooledEffect.to_r,
}


def generic(effect: list[float], variance: list[float]) -> am.EffectSizes:
    return am.effect_sizes(measure="GEN", effect=effect, variance=variance)


THREE = generic([0.0, 1.0, 2.0], [0.1, 0.1, 0.1])
KOLDEN = am.effect_sizes(am.datasets.load("kolden2011"))
BENISH = am.effect_sizes(am.datasets.load("benish2011"), measure="SMD")


def same_numbers(left: dict[str, float], right: dict[str, float]) -> bool:
    return left.keys() == right.keys() and np.array_equal([*left.values()], [*right.values()], equal_nan=True)


@pytest.mark.parametrize(("tau2_method", "test"), EVERY_WAY)
@pytest.mark.parametrize("effects", [generic([0.3], [0.04]), THREE, KOLDEN], ids=["k1", "k3", "k16"])
def test_quantities_are_the_closed_vocabulary_in_order(effects: am.EffectSizes, tau2_method: str, test: str) -> None:
    fit = am.pool(effects, tau2_method=tau2_method, test=test)
    for display in (False, True):
        numbers = fit.quantities(display=display)
        assert [*numbers] == [*QUANTITIES]
        assert {type(value) for value in numbers.values()} == {float}


@pytest.mark.parametrize(("tau2_method", "test"), EVERY_WAY)
def test_the_tidy_row_has_these_columns_and_the_same_numbers(tau2_method: str, test: str) -> None:
    fit = am.pool(KOLDEN, tau2_method=tau2_method, test=test)
    row = fit.to_frame(level=0.9)
    assert [*row.columns] == ["term", "estimate", "std_error", "statistic", "df", "p_value", "ci_low", "ci_high"]
    assert len(row) == 1
    assert row.loc[0, "term"] == "overall"
    numbers = fit.quantities(level=0.9)
    assert row.iloc[0, 1:].tolist() == [numbers[name] for name in row.columns[1:]]


def test_display_back_transforms_the_effects_and_nothing_else() -> None:
    fit = am.pool(KOLDEN)
    analysed, shown = fit.quantities(), fit.quantities(display=True)
    for name in QUANTITIES:
        assert shown[name] == (float(np.tanh(analysed[name])) if name in ON_EFFECT_SCALE else analysed[name]), name
    display = fit.on_display_scale()
    assert display.scale == "r"
    assert [getattr(display, name) for name in ON_EFFECT_SCALE] == [shown[name] for name in ON_EFFECT_SCALE]


@pytest.mark.parametrize("effects", [THREE, BENISH, am.effect_sizes(am.datasets.load("kolden2011"), measure="COR")])
def test_measures_without_a_back_transformation_are_shown_as_analysed(effects: am.EffectSizes) -> None:
    fit = am.pool(effects)
    assert fit.quantities() == fit.quantities(display=True)
    assert fit.on_display_scale().scale == effects.measure.scale


def test_an_interval_unpacks_and_prints() -> None:
    interval = Interval(low=-0.12345, high=0.5, level=0.9, kind="confidence")
    low, high = interval
    assert (low, high) == (-0.12345, 0.5)
    assert repr(interval) == "90% confidence interval [−0.1235, 0.5000]"  # −0.12345 is nearer −0.1235 in binary
    empty = Interval(low=math.nan, high=math.nan, level=0.95, kind="prediction", note="too few")
    assert repr(empty) == "95% prediction interval [–, –] (too few)"


def test_intervals_carry_their_level_and_kind() -> None:
    fit = am.pool(KOLDEN)
    for interval, kind in (
        (fit.confidence_interval(0.8), "confidence"),
        (fit.prediction_interval(0.8), "prediction"),
        (fit.tau2_interval(0.8), "tau2"),
    ):
        assert (interval.level, interval.kind, interval.note) == (0.8, kind, "")


LEVELLED: dict[str, Callable[[am.PooledEffect, float], object]] = {
    "confidence_interval": am.PooledEffect.confidence_interval,
    "prediction_interval": am.PooledEffect.prediction_interval,
    "tau2_interval": am.PooledEffect.tau2_interval,
    "on_display_scale": am.PooledEffect.on_display_scale,
    "quantities": am.PooledEffect.quantities,
    "to_frame": am.PooledEffect.to_frame,
    "to_apa": am.PooledEffect.to_apa,
}


@pytest.mark.parametrize("ask", LEVELLED.values(), ids=[*LEVELLED])
@pytest.mark.parametrize("level", [0, 1, 95, -0.95, math.nan])
def test_a_level_that_is_no_proportion_is_refused(
    ask: Callable[[am.PooledEffect, float], object], level: float
) -> None:
    with pytest.raises(InputError, match=r"^level must lie between 0 and 1, such as 0.95 for a 95% interval; got"):
        ask(am.pool(THREE), level)


def test_unknown_interval_methods_are_refused() -> None:
    fit: Any = am.pool(THREE)
    with pytest.raises(
        UnknownNameError, match=r"^unknown prediction interval method 't'\. Known: 't\(k-2\)', 't\(k-1\)', 'z'"
    ):
        fit.prediction_interval(method="t")
    with pytest.raises(UnknownNameError, match=r"^unknown tau2 interval method 'qprofile'\. Did you mean 'q-profile'"):
        fit.tau2_interval(method="qprofile")


def test_effects_that_agree_too_well_have_a_tau2_interval_of_0_and_a_note() -> None:
    # Q = 0.0002 / 0.1 = 0.002, below the 2.5% point of chi-square(2), -2 log(0.975) = 0.0506.
    interval = am.pool(generic([0.20, 0.21, 0.22], [0.1, 0.1, 0.1])).tau2_interval()
    assert (interval.low, interval.high) == (0.0, 0.0)
    assert interval.note.startswith("the effects differ less than sampling error alone would let them")


def test_a_prediction_interval_under_equal_effects_says_it_is_none() -> None:
    fit = am.pool(THREE, tau2_method="EE", test="z")
    assert fit.prediction_interval().note == (
        "equal effects are assumed, so this is no wider than sampling error makes it"
    )
    assert [*fit.prediction_interval(method="metafor")] == [*fit.confidence_interval()]


@pytest.mark.parametrize(("tau2_method", "test"), EVERY_WAY)
@pytest.mark.parametrize("effects", [generic([0.3], [0.04]), KOLDEN, BENISH], ids=["k1", "ZCOR", "SMD"])
def test_looking_at_a_result_changes_nothing(effects: am.EffectSizes, tau2_method: str, test: str) -> None:
    fit = am.pool(effects, tau2_method=tau2_method, test=test)
    table = effects.table
    before = fit.quantities()
    first = {name: view(fit) for name, view in VIEWS.items()}
    fit.to_frame(0.5)
    fit.on_display_scale(0.5)
    fit.prediction_interval(0.5, method="metafor")
    str(effects)
    repr(effects)
    effects._repr_html_()
    assert {name: view(fit) for name, view in VIEWS.items()} == first
    assert same_numbers(fit.quantities(), before)
    pd.testing.assert_frame_equal(effects.table, table)


@pytest.mark.parametrize(
    ("thing", "field"),
    [
        (am.pool(THREE), "estimate"),
        (am.pool(THREE), "notes"),
        (am.pool(THREE).settings, "test"),
        (am.pool(THREE).confidence_interval(), "low"),
        (am.pool(THREE).on_display_scale(), "estimate"),
        (THREE, "effect"),
        (THREE.measure, "null"),
    ],
)
def test_results_are_frozen(thing: object, field: str) -> None:
    with pytest.raises(FrozenInstanceError, match=f"cannot assign to field '{field}'"):
        setattr(thing, field, 0.0)


def test_changing_a_dict_of_quantities_changes_no_result() -> None:
    fit = am.pool(THREE)
    fit.quantities()["estimate"] = 99.0
    assert fit.quantities()["estimate"] == fit.estimate == pytest.approx(1.0)


def test_one_line_is_what_repr_prints() -> None:
    assert "\n" not in repr(am.pool(KOLDEN))
    # By hand: se = sqrt(1 / 3) under Knapp and Hartung, t(2; .975) = 4.3027, so 1 -+ 2.484.
    assert repr(am.pool(THREE)) == "<PooledEffect: effect = 1.000, 95% CI [−1.484, 3.484], k = 3 (REML, knapp-hartung)>"


# APA sentences. Effects 0, 1, 2 with variance 0.1 can be done by hand: s2 = 1, so tau2 = 0.9 and I2 = 0.9 / 1.0; the
# mean 1 has se = sqrt(1 / 3); Q = 2 / 0.1; the bounds of tau2 solve 2 / (0.1 + tau2) = -2 log(0.025), -2 log(0.975);
# the prediction interval is 1 -+ 12.706 sqrt(0.9 + 1 / 3).


def test_apa_of_a_random_effects_z_test() -> None:
    assert am.pool(THREE, test="z").to_apa() == (
        "A random-effects meta-analysis (restricted maximum likelihood, z test) of k = 3 effects gave a pooled "
        "effect = 1.00, 95% CI [−0.13, 2.13], z = 1.73, p = .083; true effects of comparable studies are expected "
        "between −13.11 and 15.11 (95% prediction interval). Heterogeneity: Q(2) = 20.00, p < .001, τ² = 0.900, "
        "95% CI [0.171, 39.398], I² = 90%."
    )


def test_apa_of_equal_effects() -> None:
    # By hand: se = sqrt(0.1 / 3) = 0.1826, so 1 -+ 0.358 and z = 5.48.
    assert am.pool(THREE, tau2_method="EE", test="z").to_apa() == (
        "An equal-effects meta-analysis (z test) of k = 3 effects gave a pooled effect = 1.00, 95% CI [0.64, 1.36], "
        "z = 5.48, p < .001. Heterogeneity: Q(2) = 20.00, p < .001, I² = 90%."
    )


def test_apa_of_knapp_hartung_at_another_level() -> None:
    # By hand: t(2; .95) = 2.9200, times sqrt(1 / 3); 6.3138 sqrt(1.2333); tau2 from -2 log(.05) and -2 log(.95).
    assert am.pool(THREE, tau2_method="DL").to_apa(level=0.9) == (
        "A random-effects meta-analysis (DerSimonian–Laird estimator, Knapp–Hartung test) of k = 3 effects gave a "
        "pooled effect = 1.00, 90% CI [−0.69, 2.69], t(2) = 1.73, p = .225; true effects of comparable studies are "
        "expected between −6.01 and 8.01 (90% prediction interval). Heterogeneity: Q(2) = 20.00, p < .001, τ² = 0.900, "
        "90% CI [0.234, 19.396], I² = 90%."
    )


def test_apa_of_correlations_drops_the_zero_before_the_point() -> None:
    # By hand: z = atanh(.5) = 0.5493, se = sqrt(0.01 / 3), so tanh(0.5493 -+ 0.1132).
    fit = am.pool(am.effect_sizes(r=[0.5, 0.5, 0.5], n=[103, 103, 103]), tau2_method="EE", test="z")
    assert fit.to_apa() == (
        "An equal-effects meta-analysis (z test) of k = 3 effects (N = 309) gave a pooled r = .50, 95% CI [.41, .58], "
        "z = 9.51, p < .001. Heterogeneity: Q(2) = 0.00, p = 1.000, I² = 0%."
    )


def test_apa_of_negative_correlations_keeps_a_true_minus() -> None:
    fit = am.pool(am.effect_sizes(r=[-0.5, -0.5], n=[103, 103]), tau2_method="EE", test="z")
    assert "a pooled r = −.50, 95% CI [−.60, −.39], z = −7.77, p < .001." in fit.to_apa()  # se = sqrt(0.01 / 2)


def test_apa_of_a_standardized_mean_difference_keeps_the_zero() -> None:
    # By hand: v = 1/20 + 1/20 + 0.25/80 each, so se = sqrt(0.103125 / 2) = 0.2271.
    frame = pd.DataFrame({"g": [0.5, 0.5], "n1": [20, 20], "n2": [20, 20]})
    fit = am.pool(am.effect_sizes(frame, measure="SMD"), tau2_method="EE", test="z")
    assert fit.to_apa().startswith(
        "An equal-effects meta-analysis (z test) of k = 2 effects (N = 80) gave a pooled g = 0.50, "
        "95% CI [0.05, 0.95], z = 2.20, p = .028."
    )


@pytest.mark.parametrize(
    ("test", "words"),
    [
        ("z", "A random-effects meta-analysis (restricted maximum likelihood, z test) of k = 1 effect (N = 28) gave a "
              "pooled r = .50, 95% CI [.16, .74], z = 2.75, p = .006; heterogeneity cannot be estimated "
              "from one study."),
        ("t", "A random-effects meta-analysis (restricted maximum likelihood, t test) of k = 1 effect (N = 28) gave a "
              "pooled r = .50; heterogeneity cannot be estimated from one study."),
    ],
)  # fmt: skip
def test_apa_of_one_study(test: str, words: str) -> None:
    # By hand: z = 0.5493, se = 1 / sqrt(28 - 3) = 0.2.
    assert am.pool(am.effect_sizes(r=[0.5], n=[28]), test=test).to_apa() == words


def test_apa_of_two_studies_leaves_the_prediction_interval_out() -> None:
    assert "prediction" not in am.pool(generic([0.0, 1.0], [0.1, 0.1])).to_apa()


@pytest.mark.parametrize(
    "effects",
    [
        # Q = 2 / v = 2.006, so I2 = 0.006 / 2.006 = 0.3%.
        pytest.param(generic([0.0, 1.0, 2.0], [2 / 2.006] * 3), id="small I2"),
        pytest.param(am.effect_sizes(measure="COR", r=[0.004, 0.005], n=[30, 40]), id="small r"),
        pytest.param(generic([0.001, -0.002, 0.002], [0.1, 0.2, 0.3]), id="small effect"),
    ],
)
def test_apa_sentences_round_small_numbers_and_never_use_powers_of_ten(effects: am.EffectSizes) -> None:
    for tau2_method, test in product(METHODS, TESTS):
        sentence = am.pool(effects, tau2_method=tau2_method, test=test).to_apa()
        assert "e-0" not in sentence, sentence


# R code


def test_r_code_repeats_the_fit_with_every_digit() -> None:
    for tau2_method, test in product(METHODS, TESTS):
        fit = am.pool(KOLDEN, tau2_method=tau2_method, test=test)
        lines = fit.to_r().splitlines()
        values = {name: line for line in lines for name in ("yi", "vi") if line.startswith(f"{name} <- c(")}
        for name, array in (("yi", KOLDEN.effect), ("vi", KOLDEN.variance)):
            numbers = values[name].removeprefix(f"{name} <- c(").removesuffix(")").split(", ")
            assert [float(number) for number in numbers] == array.tolist()
        call = next(line for line in lines if line.startswith("fit <- rma("))
        codes = {"z": "z", "t": "t", "knapp-hartung": "knha", "knapp-hartung-adhoc": "adhoc"}  # metafor's rma.uni
        two_steps = tau2_method in {"DL2", "CA2"}  # metafor has none of its own
        model = "tau2 = tau2" if two_steps else f'method = "{tau2_method}"'
        assert f'{model}, test = "{codes[test]}"' in call
        assert ("control = list(" in call) == (tau2_method in {"REML", "ML", "PM", "PMM", "EB"})
        assert any(line.startswith("print(confint(") for line in lines) == (tau2_method != "EE" and not two_steps)
        assert "print(predict(fit, transf = transf.ztor), digits = 6)" in lines


def test_r_code_of_one_study_asks_for_no_interval_of_tau2() -> None:
    code = am.pool(am.effect_sizes(measure="COR", r=[0.3], n=[40])).to_r()
    assert "confint" not in code
    assert "ztor" not in code


def test_r_code_quotes_labels() -> None:
    labels = ['say "hi"', "back\\slash", "two\nlines", "it's"]
    code = am.pool(am.effect_sizes(r=[0.1, 0.2, 0.3, 0.4], n=[20, 30, 40, 50], study=labels)).to_r()
    assert r'slab <- c("say \"hi\"", "back\\slash", "two\nlines", "it' + "'" + 's")' in code.splitlines()


# A caveat is in every view

CAVEAT = "Simulated data: made by a program, not from real studies."


def simulated(k: int) -> am.EffectSizes:
    frame = pd.DataFrame({"r": [0.1, 0.3, 0.2][:k], "n": [40, 50, 60][:k]})
    return am.effect_sizes(StudyTable(roles={"r": "r", "n": "n"}, caveat=CAVEAT, _frame=frame))


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("tau2_method", METHODS)
def test_a_caveat_is_in_every_view(k: int, tau2_method: str) -> None:
    effects = simulated(k)
    fit = am.pool(effects, tau2_method=tau2_method, test="z")
    views = {name: view(fit) for name, view in VIEWS.items() if name != "repr"}
    views |= {"effects": str(effects), "effects html": effects._repr_html_()}
    assert [name for name, view in views.items() if CAVEAT not in view] == []
    assert effects.caveat == CAVEAT


def test_real_data_carry_no_caveat() -> None:
    fit = am.pool(KOLDEN)
    assert fit.effects.caveat == ""
    assert not [name for name, view in VIEWS.items() if "simulated" in view(fit).lower()]
