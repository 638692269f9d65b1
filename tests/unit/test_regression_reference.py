"""Meta-regression against metafor's stored numbers, and where they differ against 50 digits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.reference import regression_agreement as agreement
from tests.reference.agreement import RTOL, relative

import alliance_meta as am
from alliance_meta.model_choice import compare, multimodel
from alliance_meta.stats.tau2 import tau2_std_error

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "regression.json").read_text(encoding="utf-8"))
CASES: dict[str, Any] = {case["name"]: case for case in REFERENCE["cases"]}
PUBLISHED = [name for name in CASES if not name.startswith("random")]

# Where metafor's numbers are not right to 1e-9 (1e-10 where tau2 does not iterate), and by how much at most; 50 digits
# say so of every single one. See tests/reference/README.md.
METAFOR_IS_OFF = {
    "bcg_ablat_no_constant": 2.0,
    # Years as they are, variances six orders of magnitude apart: X'WX is all but singular.
    "random024_k9_wild_tau2x1000": 1.2e-7,
    "random047_k9_wild_tau2x1": 6.0e-7,
    "random063_k100_wild_tau2x10": 4.7e-8,
    "random079_k40_wild_tau2x0": 5.0e-7,
    "random010_k10_wild_tau2x1": 2.8e-9,
    "random072_k60_wild_tau2x0": 6.3e-10,
    # R2 and p values that magnify the last digits of tau2, Q or z: p = 6e-182 and 5e-191 among them.
    "random015_k7_equal_tau2x1000": 2.9e-10,
    "random051_k100_mild_tau2x10": 1.4e-10,
    "random067_k20_wild_tau2x1000": 1.5e-10,
    "random092_k100_wild_tau2x0": 2.6e-10,
}

# ---------------------------------------------------------------- metafor


@pytest.mark.parametrize("name", CASES)
def test_every_number_agrees_with_metafor(name: str) -> None:
    case = CASES[name]
    for theirs in case["fits"]:
        for test in theirs["tests"]:
            what = f"{name} ({case['formula']}), {theirs['method']}, {test}"
            verdict = agreement.judge(case, theirs, test)
            assert not verdict.wrong, f"{what} (ours, metafor's, with 50 digits): {verdict.wrong}"
            beyond = {"tau2", "I2"} if verdict.short_of_zero else set()
            off = {key: numbers for key, numbers in verdict.metafor_off.items() if key not in beyond}
            for key, (mine, their_number, _) in off.items():
                assert relative(mine, their_number) <= METAFOR_IS_OFF.get(name, 0.0), f"{what}: {key} {off[key]}"
            assert not verdict.short_of_zero or theirs["method"] in ("REML", "ML", "EB"), what


def test_every_fit_is_there() -> None:
    assert [case["not_converged"] for case in CASES.values() if case["not_converged"]] == []
    assert [case["metafor_warnings"] for case in CASES.values() if case["metafor_warnings"]] == []
    assert len([case for case in CASES.values() if not case["formula"].startswith("0")]) == len(RATIOS) + 3
    assert len(CASES) == len(PUBLISHED) + 100 == 105
    for name, case in CASES.items():
        assert [fit["method"] for fit in case["fits"]] == list(agreement.METHODS)
        for fit in case["fits"]:
            assert len(fit["tests"]) == (4 if name in PUBLISHED else 1)


@pytest.mark.parametrize("method", agreement.METHODS)
def test_numbers_off_by_more_than_the_tolerance_are_noticed(method: str) -> None:
    case = CASES["bcg_ablat_alloc"]
    theirs = next(fit for fit in case["fits"] if fit["method"] == method)
    fit = agreement.fitted(case, method, "knha")
    right = agreement.numbers_of(fit, agreement.frame_of(case))
    off = {name: number * (1.0 + 2.0 * RTOL) for name, number in right.items()}
    found = agreement.judge(case, theirs, "knha", off).wrong
    assert set(found) == {name for name in agreement.theirs_of(theirs, "knha") if right[name] != 0.0}


def _close(expected: float) -> Any:
    return pytest.approx(expected, rel=RTOL, abs=0.0)


def test_bangertdrowns2004_reml() -> None:
    # rma(yi, vi, mods = ~ length + wic + feedback + info + pers + imag + meta, data = dat.bangertdrowns2004,
    #     control = list(threshold = 1e-12, maxiter = 1000)), 41 complete rows
    case = CASES["bangertdrowns2004"]
    fit = agreement.fitted(case, "REML", "z")
    assert fit.k == 41
    assert fit.tau2 == _close(0.0223318386786897)


def test_without_a_constant_metafors_q_is_that_of_centred_effects() -> None:
    """metafor 3.8 takes the mean off the effects before it computes tau2 and QE, whatever the columns are."""
    case = CASES["bcg_ablat_no_constant"]
    y, v, x = (np.array(numbers) for numbers in (case["yi"], case["vi"], case["data"]["ablat"]))
    slope = float(np.sum(x * y / v) / np.sum(x * x / v))
    assert agreement.fitted(case, "EE", "z").q_residual == _close(float(np.sum((y - slope * x) ** 2 / v)))
    assert agreement.fitted(case, "EE", "z").coefficients[0] == _close(slope)
    centred = y - y.mean()
    left = np.sum(centred**2 / v) - np.sum(x * centred / v) ** 2 / np.sum(x * x / v)
    for theirs in case["fits"]:
        assert theirs["Q"][0] == _close(float(left))


# With an intercept; in three designs metafor's fit without moderators does not converge at that threshold.
RATIOS = [name for name, case in CASES.items() if case["likelihood_ratio"][0] is not None]


@pytest.mark.parametrize("name", RATIOS)
def test_the_likelihood_ratio_test_agrees_with_metafors_anova(name: str) -> None:
    case = CASES[name]
    effects = agreement.effects_of(case)
    larger = am.meta_regression(effects, case["formula"], tau2_method="ML")
    found = larger.likelihood_ratio(am.meta_regression(effects, "1", tau2_method="ML"))
    statistic, p_value = case["likelihood_ratio"]
    # A difference of log-likelihoods: RTOL of their size, not of the difference's.
    size = abs(larger.log_likelihood)
    assert found.statistic == pytest.approx(statistic, rel=RTOL, abs=1e-13 * size)
    assert found.p_value == pytest.approx(p_value, rel=RTOL, abs=1e-13 * size)
    assert found.df1 == len(larger.names) - 1


# metafor's se.tau2 of those whose large-sample variance the library has: all but Sidik and Jonkman's and two-step.
STD_ERRORS = ("REML", "ML", "DL", "HE", "HS", "HSk", "PM", "PMM", "EB")


@pytest.mark.parametrize("name", CASES)
def test_the_standard_error_of_tau2_agrees_with_metafor(name: str) -> None:
    case = CASES[name]
    for theirs in case["fits"]:
        if theirs["method"] not in STD_ERRORS or name in METAFOR_IS_OFF:
            continue
        fit = agreement.fitted(case, theirs["method"], "z")
        if fit.tau2 == 0.0 < theirs["tau2"]:
            continue
        x = fit.design.matrix
        se = float(tau2_std_error(theirs["method"], fit.tau2, fit.effects.variance, design=x))
        assert se == _close(theirs["se_tau2"]), theirs["method"]


@pytest.mark.parametrize("row", REFERENCE["tau2_intervals"], ids=lambda row: row["name"])
def test_q_profile_intervals_of_residual_heterogeneity_agree_with_metafor(row: dict[str, Any]) -> None:
    # confint(fit, control = list(tol = 1e-14)): an absolute tolerance, which 1e-13 allows for.
    interval = agreement.fitted(CASES[row["name"]], "REML", "z").tau2_interval()
    assert interval.low == pytest.approx(row["ends"][0], rel=RTOL, abs=1e-13)
    assert interval.high == pytest.approx(row["ends"][1], rel=RTOL, abs=1e-13)


# ---------------------------------------------------------------- subsets of moderators


@pytest.fixture(scope="module")
def bangertdrowns() -> am.EffectSizes:
    return agreement.effects_of(CASES["bangertdrowns2004"])


def _in_order(models: Any) -> np.ndarray:
    """Where each of R's formulas stands among ours."""
    found = {frozenset(formula.split(" + ")): i for i, formula in enumerate(models.formulas)}
    return np.array([found[frozenset(each.split(" + "))] for each in REFERENCE["multimodel"]["formulas"]])


def test_all_subsets_agree_with_a_loop_in_metafor(bangertdrowns: am.EffectSizes) -> None:
    stored = REFERENCE["multimodel"]
    models = multimodel(bangertdrowns, stored["terms"])
    assert len(models.formulas) == 2**7
    order = _in_order(models)
    np.testing.assert_allclose(models.values[order], stored["aicc"], rtol=RTOL)
    # Weights are exponentials of differences of AICc, which is about 20 here: 1e-9 of it is 1e-8 of a weight.
    np.testing.assert_allclose(models.weights[order], stored["weights"], rtol=1e-8)
    np.testing.assert_allclose(models.tau2[order], stored["tau2"], rtol=RTOL, atol=1e-12)
    np.testing.assert_allclose(models.importance()["importance"], stored["importance"], rtol=1e-8)
    for how, name in (("burnham-anderson-2002", "se_of_roots"), ("burnham-anderson-2004", "se_revised")):
        frame = models.coefficients(std_error=how)
        np.testing.assert_allclose(frame["estimate"], stored["averaged"], rtol=1e-8)
        np.testing.assert_allclose(frame["std_error"], stored[name], rtol=1e-8)


@pytest.mark.parametrize("criterion", ["aicc", "aic", "bic"])
def test_all_subsets_agree_with_a_loop_of_meta_regression(bangertdrowns: am.EffectSizes, criterion: str) -> None:
    terms = REFERENCE["multimodel"]["terms"][:4]
    models = multimodel(bangertdrowns, terms, test="z", criterion=criterion)
    fits = [am.meta_regression(bangertdrowns, formula, tau2_method="ML", test="z") for formula in models.formulas]
    # The same kernel one at a time: rounding only.
    for i, fit in enumerate(fits):
        assert models.values[i] == pytest.approx(getattr(fit, criterion), rel=1e-12)
        assert models.tau2[i] == pytest.approx(fit.tau2, rel=1e-10)
        present = [models.names.index(name) for name in fit.names]
        np.testing.assert_allclose(models.estimates[i, present], fit.coefficients, rtol=1e-9)
        np.testing.assert_allclose(models.std_errors[i, present], fit.std_errors, rtol=1e-10)
    weights = compare(fits, criterion=criterion).weights
    np.testing.assert_allclose(models.weights, weights, rtol=1e-10)
    slope = np.array([fit.coefficient("wic") if "wic" in fit.names else 0.0 for fit in fits])
    own = np.array([fit.std_errors[fit.names.index("wic")] if "wic" in fit.names else 0.0 for fit in fits])
    mean = float(weights @ slope)
    row = models.coefficients().set_index("term").loc["wic"]
    assert row["estimate"] == pytest.approx(mean, rel=1e-10)
    assert row["std_error"] == pytest.approx(float(weights @ np.sqrt(own**2 + (slope - mean) ** 2)), rel=1e-10)
    assert row["importance"] == pytest.approx(float(weights @ (slope != 0.0)), rel=1e-10)
