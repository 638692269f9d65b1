"""Egger's and Begg's tests, PET and PEESE: metafor, clubSandwich, Egger's own regression, pairs counted one by one."""

from __future__ import annotations

import json
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

import alliance_meta as am
from alliance_meta.bias._small_study import begg, egger
from alliance_meta.bias._small_study_estimates import peese, pet, pet_peese
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.results.bias._small_study import EggerTest
from alliance_meta.robustness import robust
from alliance_meta.stats import small_study as kernel
from alliance_meta.stats.inference import critical_value, two_sided_p_value

FloatArray = npt.NDArray[np.float64]
REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "small_study.json").read_text(encoding="utf-8"))
SETS: dict[str, Any] = {case["name"]: case for case in REFERENCE["sets"]}
CLUSTERED = [name for name, case in SETS.items() if case["robust"]]
# Both solve the same equations; 6e-12 is the most that these sets show.
RTOL = 1e-10
# clubSandwich loses digits where a leverage is near 1: 7e-10 for one of the degrees of freedom.
RTOL_ROBUST = 1e-8


def _effects(case: Any) -> am.EffectSizes:
    frame = pd.DataFrame({"effect": case["yi"], "variance": case["vi"]}, dtype=float)
    if case["ni"]:
        frame["n"] = case["ni"]
    if case["cluster"]:
        frame["study"] = [f"S{number}" for number in case["cluster"]]
    return am.effect_sizes(frame, measure="GEN")


def _made(effect: Any, std_error: Any, **columns: Any) -> am.EffectSizes:
    return am.effect_sizes(pd.DataFrame({"effect": effect, "std_error": std_error, **columns}), measure="GEN")


def _agree(mine: Any, theirs: Any, rtol: float = RTOL) -> None:
    """Equal to rounding; metafor's degrees of freedom of a z test are none, ours infinite."""
    ours, other = (np.array(values, dtype=float) for values in (mine, theirs))
    other = np.where(np.isnan(other) & np.isposinf(ours), np.inf, other)
    np.testing.assert_allclose(ours, other, rtol=rtol, atol=0.0)


def _numbers(found: EggerTest) -> list[float]:
    low, high = found.limit_interval()
    variance = found.dispersion if found.settings.model == "classical" else found.tau2
    return [found.slope, found.std_error, found.statistic, found.df, found.p_value, found.limit, low, high, variance]


# ---------------------------------------------------------------- metafor 3.8-1, clubSandwich


@pytest.mark.parametrize("name", SETS)
def test_classical_regressions_agree_with_metafor(name: str) -> None:
    effects = _effects(SETS[name])
    for predictor, theirs in SETS[name]["classical"].items():
        _agree(_numbers(egger(effects, model="classical", predictor=predictor)), theirs)


@pytest.mark.parametrize("test", ["z", "knapp-hartung"])
@pytest.mark.parametrize("name", SETS)
def test_mixed_regressions_agree_with_metafor(name: str, test: str) -> None:
    effects = _effects(SETS[name])
    for method, fits in SETS[name]["mixed"].items():
        for predictor, theirs in fits[test].items():
            if theirs is not None:  # Fisher scoring did not converge
                _agree(_numbers(egger(effects, predictor=predictor, tau2_method=method, test=test)), theirs)


@pytest.mark.parametrize("name", CLUSTERED)
def test_robust_regressions_agree_with_clubsandwich(name: str) -> None:
    effects = _effects(SETS[name])
    for predictor, theirs in SETS[name]["robust"].items():
        found = egger(effects, model="robust", predictor=predictor)
        mine = [found.slope, found.std_error, found.df, found.p_value]
        _agree(mine, theirs[:4], RTOL_ROBUST)
        limit = [found.intercept, found.intercept_std_error, found.intercept_df]
        _agree(limit, theirs[4:7], RTOL_ROBUST)
        tested = two_sided_p_value(found.intercept / found.intercept_std_error, found.intercept_df)
        _agree(tested, theirs[7], RTOL_ROBUST)


@pytest.mark.parametrize("name", SETS)
def test_rank_correlations_agree_with_metafor(name: str) -> None:
    found = begg(_effects(SETS[name]))
    _agree([found.tau, found.p_value], SETS[name]["rank"])


# ---------------------------------------------------------------- slow and obvious


def test_classical_slope_is_the_intercept_of_eggers_own_regression() -> None:
    """Standardised effects on precision by plain least squares, with its t test."""
    effects = _effects(SETS["molloy2014"])
    se = np.sqrt(effects.variance)
    x, y = np.column_stack([np.ones(se.size), 1.0 / se]), effects.effect / se
    inverse = np.linalg.inv(x.T @ x)
    b = inverse @ x.T @ y
    variance = ((y - x @ b) ** 2).sum() / (se.size - 2)
    found = egger(effects, model="classical")
    errors = np.sqrt(variance * np.diagonal(inverse))
    assert [found.slope, found.limit] == pytest.approx(b.tolist(), rel=1e-10)
    assert [found.std_error, found.limit_std_error] == pytest.approx(errors.tolist(), rel=1e-10)
    assert found.dispersion == pytest.approx(variance, rel=1e-10)
    assert (found.df, found.intercept_df) == (14.0, 14.0)


def test_robust_is_robust_of_a_meta_regression() -> None:
    effects = am.effect_sizes(am.datasets.load("farber_doolin2011_effects"), measure="ZCOR")
    frame = effects.table.assign(error=np.sqrt(effects.variance))
    again = am.effect_sizes(
        frame[["study", "effect", "variance", "error"]].reset_index(drop=True), measure="GEN", effect="effect"
    )
    expected = robust(am.meta_regression(again, "error", dependent="allow")).to_frame()
    found = egger(effects, model="robust").to_frame()
    for column in ("estimate", "std_error", "df", "p_value", "ci_low", "ci_high"):
        assert found[column].tolist() == pytest.approx(expected[column].tolist()[::-1], rel=1e-9)


def _pairs_counted(x: FloatArray, y: FloatArray) -> float:
    """Kendall's tau-b, pair by pair."""
    signs = [(np.sign(x[i] - x[j]), np.sign(y[i] - y[j])) for i, j in combinations(range(len(x)), 2)]
    concordant = sum(a * b for a, b in signs)
    return float(concordant / np.sqrt(sum(a != 0 for a, _ in signs) * sum(b != 0 for _, b in signs)))


@pytest.mark.parametrize("tied", [False, True])
def test_kendalls_tau_is_what_pairs_and_permutations_say(tied: bool) -> None:
    rng = np.random.default_rng(4)
    y, v = rng.normal(size=7), rng.uniform(0.01, 0.2, 7)
    if tied:
        y[3], v[3], v[5] = y[2], v[2], v[0]
    mean = (y / v).sum() / (1.0 / v).sum()
    deviations = (y - mean) / np.sqrt(v - 1.0 / (1.0 / v).sum())
    if tied:
        deviations[3] = deviations[2]
    found = kernel.rank_correlation(y, v)
    assert found.tau == pytest.approx(_pairs_counted(deviations, v), rel=1e-12)
    assert found.exact is not tied
    if not tied:
        values = [_pairs_counted(np.array(order, dtype=float), np.arange(7.0)) for order in permutations(range(7))]
        beyond = np.mean(np.abs(values) >= abs(found.tau) - 1e-9)
        assert found.p_value == pytest.approx(beyond, rel=1e-12)


def test_standardised_deviations_are_beggs() -> None:
    rng = np.random.default_rng(5)
    y, v = rng.normal(size=(3, 9)), rng.uniform(0.01, 0.2, (3, 9))
    total = (1.0 / v).sum(axis=1, keepdims=True)
    expected = (y - (y / v).sum(axis=1, keepdims=True) / total) / np.sqrt(v - 1.0 / total)
    np.testing.assert_allclose(kernel.standardised_deviations(y, v), expected, rtol=1e-11)


def test_a_dominating_study_keeps_its_digits() -> None:
    """With all but 1e-18 of the weight, v - 1 / sum of weights is 0 in floating point, and the mean is its effect."""
    deviations = kernel.standardised_deviations([1.0, 0.0, 3.0], [1e-18, 1.0, 1.0])
    assert deviations == pytest.approx([(1.0 - 1.5) * np.sqrt(2.0), -1.0, 2.0], rel=1e-12)
    effects = _made([1.0, 0.5, 3.0, 0.1], [1e-9, 1.0, 1.1, 1.2])
    assert np.isfinite([begg(effects).tau, pet(effects, model="mixed").estimate]).all()
    assert pet(effects).estimate == pytest.approx(1.0, abs=1e-6)


def test_batches_and_inclusion_are_fits_one_by_one() -> None:
    rng = np.random.default_rng(6)
    y, v = rng.normal(0.3, 0.2, (4, 10)), rng.uniform(0.01, 0.1, (4, 10))
    include = (rng.random((4, 10)) < 0.8).astype(float)
    batch = kernel.precision_line(y, v, np.sqrt(v), include, tau2_method="REML", test="knapp-hartung")
    for i in range(4):
        some = include[i] == 1.0
        alone = kernel.precision_line(
            y[i, some], v[i, some], np.sqrt(v[i, some]), tau2_method="REML", test="knapp-hartung"
        )
        for mine, other in zip(batch, alone, strict=True):
            np.testing.assert_allclose(
                np.asarray(mine[i], dtype=float), np.asarray(other, dtype=float), rtol=1e-8, atol=1e-14
            )


# ---------------------------------------------------------------- PET and PEESE


@pytest.mark.parametrize("model", ["classical", "mixed", "robust"])
def test_pet_and_peese_are_the_limits_of_the_regressions(model: str) -> None:
    effects = _effects(SETS["konstantopoulos2011"])
    for adjusted, predictor in ((pet, "std_error"), (peese, "variance")):
        found, line = adjusted(effects, model=model), egger(effects, model=model, predictor=predictor)
        assert found.estimate == line.limit
        assert found.std_error == line.limit_std_error
        assert tuple(found.confidence_interval(0.9)) == tuple(line.limit_interval(0.9))
        assert found.p_value == pytest.approx(two_sided_p_value(line.limit / line.limit_std_error, line.intercept_df))
        mean = am.pool(effects, tau2_method="EE" if model == "classical" else "REML", dependent="allow").estimate
        assert found.unadjusted == pytest.approx(mean, rel=1e-12)


def test_pet_of_metafors_reference() -> None:
    """regtest(yi, vi, model="lm") gives PET's estimate and interval, with predictor="vi" PEESE's."""
    effects = _effects(SETS["bangertdrowns2004"])
    for adjusted, predictor in ((pet, "std_error"), (peese, "variance")):
        found = adjusted(effects)
        mine = [found.estimate, *found.confidence_interval()]
        _agree(mine, SETS["bangertdrowns2004"]["classical"][predictor][5:8])


def test_pet_peese_follows_pets_one_sided_test() -> None:
    rng = np.random.default_rng(8)
    se = np.linspace(0.05, 0.4, 40)
    noise = rng.normal(0.0, se)
    strong, none = _made(0.5 + noise, se), _made(noise - noise.mean() + 1.0 * se, se)
    found = pet_peese(strong)
    assert (found.used, found.direction) == ("PEESE", "positive")
    assert found.estimate == peese(strong).estimate
    assert found.one_sided_p_value == pytest.approx(pet(strong).p_value / 2.0)
    assert pet_peese(none).used == "PET"
    assert pet_peese(none).estimate == pet(none).estimate
    turned = _made(-(0.5 + noise), se)
    assert (pet_peese(turned).used, pet_peese(turned).direction) == ("PEESE", "negative")
    wrong_side = pet_peese(turned, direction="positive")
    assert wrong_side.used == "PET"
    assert wrong_side.one_sided_p_value == pytest.approx(1.0 - pet(turned).p_value / 2.0)


def test_pet_peese_has_its_level_on_one_side() -> None:
    effects = _effects(SETS["molloy2014"])
    one_sided = pet_peese(effects).one_sided_p_value
    assert pet_peese(effects, alpha=2.0 * one_sided * 1.001).used == "PEESE"
    assert pet_peese(effects, alpha=2.0 * one_sided * 0.999).used == "PET"


# ---------------------------------------------------------------- edges


@pytest.mark.parametrize("k", [1, 2])
def test_one_or_two_effects_are_too_few(k: int) -> None:
    effects = _made([0.1, 0.3][:k], [0.1, 0.2][:k])
    for asked in (egger, begg, pet, peese, pet_peese):
        with pytest.raises(InputError, match=f"needs at least 3 effects; there {'is 1' if k == 1 else 'are 2'}"):
            asked(effects)


def test_three_effects_have_one_degree_of_freedom() -> None:
    effects = _made([0.1, 0.3, 0.2], [0.1, 0.2, 0.3])
    assert egger(effects).df == egger(effects, model="classical").df == 1.0
    assert np.isfinite(egger(effects).p_value)
    assert begg(effects).p_value >= 1.0 / 3.0


@pytest.mark.parametrize("model", ["classical", "mixed", "robust"])
def test_identical_effects_have_no_test(model: str) -> None:
    effects = _made([0.3] * 5, [0.1, 0.2, 0.3, 0.4, 0.5])
    found = egger(effects, model=model)
    assert found.slope == pytest.approx(0.0, abs=1e-14)
    assert (found.std_error, np.isnan(found.p_value)) == (0.0, True)
    assert found.to_frame()[["statistic", "p_value"]].isna().all(axis=None)
    assert "no test" in found.notes[0]
    assert "no test" in found.headline
    assert "no test" in str(found)
    adjusted = pet_peese(effects, model=model)
    assert adjusted.estimate == pytest.approx(0.3)
    assert (adjusted.used, np.isnan(adjusted.one_sided_p_value)) == ("PET", True)
    assert "no test" in str(adjusted)
    assert "no ranks" in begg(effects).sentence


def test_identical_effects_with_a_z_test_keep_theirs() -> None:
    found = egger(_made([0.3] * 5, [0.1, 0.2, 0.3, 0.4, 0.5]), test="z")
    assert found.std_error > 0.0
    assert found.p_value == pytest.approx(1.0)
    assert found.notes == ()


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_unit_of_measurement_does_not_matter(scale: float) -> None:
    case = SETS["molloy2014"]
    y, se = scale * np.array(case["yi"]), scale * np.sqrt(case["vi"])
    for model in ("classical", "mixed"):
        found, expected = egger(_made(y, se), model=model), egger(_effects(case), model=model)
        assert found.slope == pytest.approx(expected.slope, rel=1e-7)
        assert found.p_value == pytest.approx(expected.p_value, rel=1e-7)
        assert found.limit / scale == pytest.approx(expected.limit, rel=1e-6)
    assert begg(_made(y, se)).tau == begg(_effects(case)).tau


def test_a_predictor_without_a_limit_says_so() -> None:
    effects = _effects(SETS["bcg"])
    for predictor in ("n", "sqrt(n)"):
        found = egger(effects, predictor=predictor)
        assert np.isnan([found.limit, found.limit_std_error]).all()
        assert "does not go to 0" in found.limit_interval().note
        assert found.to_frame().loc[1, ["estimate", "ci_low", "p_value"]].isna().all()
        assert "effect as" not in str(found)
        assert np.isfinite(found.at(100.0))


def test_many_effects_take_the_normal_approximation() -> None:
    rng = np.random.default_rng(9)
    found = kernel.rank_correlation(rng.normal(size=501), rng.uniform(0.01, 0.2, 501))
    assert not found.exact
    assert 0.0 < found.p_value < 1.0


# ---------------------------------------------------------------- sample sizes


def test_sizes_come_from_n_or_from_groups_or_as_given() -> None:
    y, se, n1, n2 = [0.1, 0.4, 0.2, 0.5], [0.1, 0.2, 0.15, 0.3], [60, 20, 30, 10], [50, 20, 35, 12]
    total = np.add(n1, n2)
    expected = egger(_made(y, se, n=total), predictor="1/sqrt(n)").slope
    assert egger(_made(y, se, n1=n1, n2=n2), predictor="1/sqrt(n)").slope == expected
    assert egger(_made(y, se, size=total), predictor="1/sqrt(n)", n="size").slope == expected
    assert egger(_made(y, se), predictor="1/sqrt(n)", n=total.astype(float)).slope == expected


def test_sizes_are_asked_for() -> None:
    with pytest.raises(InputError, match=r"needs every effect's sample size .* n='size'"):
        egger(_made([0.1, 0.2, 0.4], [0.1, 0.2, 0.3]), predictor="1/n")
    with pytest.raises(InputError, match="not for predictor='variance'"):
        egger(_made([0.1, 0.2, 0.4], [0.1, 0.2, 0.3]), predictor="variance", n=[10, 20, 30])
    with pytest.raises(InputError, match="one number for each of the 3 effects"):
        egger(_made([0.1, 0.2, 0.4], [0.1, 0.2, 0.3]), predictor="n", n=[10, 20])


# ---------------------------------------------------------------- bad input


def test_bad_input_is_named() -> None:
    effects = _made([0.1, 0.2, 0.4, 0.3], [0.1, 0.2, 0.3, 0.4])
    with pytest.raises(InputError, match=r"egger\(\) takes the result of effect_sizes\(\), not list"):
        egger([0.1, 0.2, 0.3])  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"peese\(\) takes the result"):
        peese(None)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match=r"unknown model 'mixd'. Did you mean 'mixed'"):
        egger(effects, model="mixd")
    with pytest.raises(UnknownNameError, match="unknown predictor 'se'"):
        egger(effects, predictor="se")
    with pytest.raises(UnknownNameError, match="unknown tau2_method 'GENQ'"):
        egger(effects, tau2_method="GENQ")
    with pytest.raises(UnknownNameError, match="unknown test"):
        egger(effects, test="F")
    with pytest.raises(InputError, match="model='robust' has a test of its own"):
        egger(effects, model="robust", test="z")
    with pytest.raises(InputError, match="no between-study variance"):
        pet(effects, tau2_method="DL")
    with pytest.raises(InputError, match="level must lie between 0 and 1"):
        egger(effects).to_frame(95)
    for alpha in (0.0, 1.0, 5, "x"):
        with pytest.raises(InputError, match="alpha must lie between 0 and 1"):
            pet_peese(effects, alpha=alpha)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="unknown direction"):
        pet_peese(effects, direction="up")


def test_studies_of_one_precision_cannot_be_compared() -> None:
    same = _made([0.1, 0.2, 0.4, 0.3], [0.1] * 4)
    for asked in (egger, pet, pet_peese):
        with pytest.raises(InputError, match="all effects have the same standard error"):
            asked(same)
    with pytest.raises(InputError, match="all effects have the same sampling variance"):
        peese(same)
    found = begg(same)
    assert np.isnan(found.tau)
    assert "no ranks" in found.sentence
    assert any("same precision" in caution for caution in found.cautions)


def test_the_robust_model_needs_three_studies() -> None:
    with pytest.raises(InputError, match="needs 3 studies or more; the effects come from 2"):
        egger(_made([0.1, 0.2, 0.4, 0.3], [0.1, 0.2, 0.3, 0.4], study=list("AABB")), model="robust")


# ---------------------------------------------------------------- words


def test_cautions_are_those_that_fail() -> None:
    rng = np.random.default_rng(10)
    se = np.linspace(0.05, 0.5, 40)
    sound = _made(1.0 + rng.normal(0.0, se), se)
    assert egger(sound).cautions == begg(sound).cautions == pet(sound).cautions == ()
    few = _made(rng.normal(0.0, 0.3, 8), np.linspace(0.10, 0.12, 8))
    words = " ".join(pet(few).cautions)
    assert "below 20" in words
    assert "same precision" in words
    assert "less than 80% power" in words
    assert "below 10" in " ".join(egger(few).cautions)
    assert "below 25" in " ".join(begg(few).cautions)
    shared = _made(rng.normal(0.0, 0.1, 12), np.linspace(0.05, 0.3, 12), study=[i // 2 for i in range(12)])
    assert "model='robust'" in " ".join(egger(shared).cautions)
    assert not any("share a study" in caution for caution in egger(shared, model="robust").cautions)
    g = am.effect_sizes(g=rng.normal(0.3, 0.2, 12), n1=np.arange(10, 130, 10), n2=np.arange(10, 130, 10), measure="SMD")
    assert any("standardized mean difference" in caution for caution in egger(g).cautions)
    assert not any("standardized mean difference" in caution for caution in egger(g, predictor="1/sqrt(n)").cautions)
    assert any("standardized mean difference" in caution for caution in begg(g).cautions)


@pytest.mark.parametrize("predictor", ["std_error", "variance", "n", "1/n", "sqrt(n)", "1/sqrt(n)"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_sentence_says_which_way_small_studies_differ(predictor: str, sign: float) -> None:
    n = np.arange(20, 420, 20)
    noise = np.random.default_rng(11).normal(0.0, 0.02, n.size)
    effects = _made(sign * 3.0 / np.sqrt(n) + noise, 1.0 / np.sqrt(n), n=n)
    sentence = egger(effects, predictor=predictor).sentence
    by_size = predictor not in ("std_error", "variance")
    assert sentence.startswith("Smaller" if by_size else "Less precise")
    assert f"studies show {'higher' if sign > 0.0 else 'lower'} effects" in sentence
    assert "publication bias" in sentence
    assert f"show {'higher' if sign > 0.0 else 'lower'}" in begg(effects).sentence


def test_nothing_found_is_not_all_clear() -> None:
    effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
    for found in (egger(effects), begg(effects)):
        assert "does not rule bias out" in found.sentence
    assert "<EggerTest: slope on standard error = " in repr(egger(effects))


def test_an_estimate_past_no_effect_is_not_an_effect_the_other_way() -> None:
    se = np.linspace(0.1, 0.5, 30)
    effects = _made(2.0 * se - 0.1 + np.random.default_rng(12).normal(0.0, 0.02, 30), se)
    found = pet(effects)
    assert found.estimate < 0.0 < found.unadjusted
    assert "no evidence of one" in found.sentence


def test_words_are_on_the_shown_scale_and_frames_on_the_analysed() -> None:
    effects = am.effect_sizes(am.datasets.load("farber_doolin2011"), measure="ZCOR")
    found = pet_peese(effects)
    shown = float(np.tanh(found.estimate))
    assert f"r = {shown:.3f}" in found.headline
    assert f"r = {shown:.3f}" in found.sentence
    frame = found.to_frame()
    assert frame["method"].tolist() == ["PET", "PEESE"]
    assert frame["used"].tolist() == [True, False]
    assert frame["estimate"][0] == found.estimate
    half = float(critical_value(0.95, found.pet.df)) * found.std_error
    assert tuple(found.confidence_interval()) == pytest.approx((found.estimate - half, found.estimate + half))
    low, high = found.confidence_interval(display=True)
    assert (low, high) == pytest.approx(np.tanh([found.estimate - half, found.estimate + half]).tolist())
    assert found.to_frame(0.5)["ci_low"][0] > frame["ci_low"][0]
    ratios = am.effect_sizes(
        pd.DataFrame(
            {
                "events1": [4, 6, 30, 62],
                "n1": [123, 306, 231, 700],
                "events2": [11, 29, 40, 90],
                "n2": [139, 303, 220, 690],
            }
        ),
        measure="OR",
    )
    assert "an effect below 1 " in pet_peese(ratios).sentence


def test_every_view_can_be_printed() -> None:
    effects = am.effect_sizes(am.datasets.load("farber_doolin2011"), measure="ZCOR")
    for found in (
        egger(effects),
        egger(effects, predictor="n", test="z"),
        begg(effects),
        pet(effects),
        peese(effects, model="mixed"),
        pet_peese(effects, model="robust"),
    ):
        text = str(found)
        assert all(len(line) <= 100 for line in text.splitlines())
        assert found.sentence.split()[0] in text
        assert found._repr_html_().startswith("<div")
        assert found.to_markdown().startswith("**")
        assert isinstance(found.to_frame(), pd.DataFrame)
        assert not any(field in text for field in ("nan", "None"))


def test_a_slope_per_person_keeps_its_digits() -> None:
    effects = am.effect_sizes(am.datasets.load("farber_doolin2011"), measure="ZCOR")
    assert "slope on sample size n = −0.0015" in egger(effects, predictor="n").headline


def test_a_robust_model_with_one_overwhelming_effect_says_so() -> None:
    """An effect of 1e-24 of the others' variance: a number or NaN with its reason, never an exception."""
    y, se = [0.3, 0.5, 0.1, 0.9, 0.4, 0.6], [1e-12, 0.9, 1.0, 1.1, 1.2, 1.3]
    effects = _made(y, se, study=list("ABCDEF"))
    for found in (egger(effects, model="robust", tau2_method="EE"), egger(effects, model="robust")):
        assert found.notes or np.isfinite(found.p_value)
        assert found.limit == pytest.approx(0.3, abs=0.5)
        assert str(found)
