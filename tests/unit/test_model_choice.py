"""compare() and multimodel(): weights, averages, and what they refuse."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from math import exp, log

import numpy as np
import pandas as pd
import pytest

import alliance_meta as am
from alliance_meta.errors import FormulaError, InputError, UnknownNameError
from alliance_meta.model_choice import compare, multimodel


def _effects(k: int = 30, seed: int = 3) -> am.EffectSizes:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "rater": [("client", "observer", "therapist")[i % 3] for i in range(k)],
            "a": rng.normal(0.0, 1.0, k),
            "b": rng.normal(0.0, 1.0, k),
            "v": rng.uniform(0.01, 0.1, k),
        }
    )
    frame["y"] = 0.3 + 0.2 * frame["a"] + rng.normal(0.0, np.sqrt(frame["v"] + 0.02))
    return am.effect_sizes(frame, measure="GEN", effect="y", variance="v")


EFFECTS = _effects()


def _fit(formula: str, method: str = "ML", effects: am.EffectSizes = EFFECTS) -> am.MetaRegression:
    return am.meta_regression(effects, formula, tau2_method=method, test="z")


# ---------------------------------------------------------------- compare


@pytest.mark.parametrize("criterion", ["aicc", "aic", "bic"])
def test_the_table_by_hand(criterion: str) -> None:
    fits = [_fit("1"), _fit("a"), _fit("a + rater")]
    found = compare(fits, criterion=criterion)
    frame = found.to_frame()
    assert frame.columns.tolist() == [
        *("formula", "tau2_method", "p", "log_likelihood"),
        *(criterion, "delta", "weight", "evidence_ratio"),
    ]
    assert frame[criterion].is_monotonic_increasing
    by_formula = frame.set_index("formula")
    for fit in fits:
        row = by_formula.loc[fit.settings.formula]
        m, k = len(fit.names) + 1, fit.k
        penalty = {"aic": 2 * m, "bic": m * log(k), "aicc": 2 * m * k / (k - m - 1)}[criterion]
        # Sums of a few numbers: rounding only.
        assert row[criterion] == pytest.approx(penalty - 2.0 * fit.log_likelihood, rel=1e-12)
        assert row["p"] == len(fit.names)
    best = float(frame[criterion].min())
    likelihoods = [exp(-0.5 * (value - best)) for value in frame[criterion]]
    assert frame["delta"].tolist() == pytest.approx([value - best for value in frame[criterion]], abs=1e-12)
    assert frame["weight"].tolist() == pytest.approx([each / sum(likelihoods) for each in likelihoods], rel=1e-12)
    assert frame["evidence_ratio"].tolist() == pytest.approx([1.0 / each for each in likelihoods], rel=1e-12)
    assert found.best.settings.formula == frame["formula"][0]


def test_equal_effects_may_be_one_of_the_models() -> None:
    frame = compare([_fit("a"), _fit("a", "EE")]).to_frame()
    assert sorted(frame["tau2_method"]) == ["EE", "ML"]


def test_far_apart_criteria_do_not_overflow() -> None:
    from alliance_meta.results._model_choice import akaike_weights

    assert akaike_weights([0.0, 1e6]).tolist() == [1.0, 0.0]
    assert akaike_weights([-1e6, -1e6]).tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("fits", "what"),
    [
        ([_fit("a")], r"two or more results of meta_regression\(\), not 1"),
        ([_fit("a"), "b"], "not 'str'"),
        ([_fit("a", "REML"), _fit("1", "REML")], "refit 'a' and '1' with tau2_method='ML'.*restricted likelihoods"),
        ([_fit("a", "DL"), _fit("1")], "refit 'a' with tau2_method='ML'.*not 'DL': .*maximum of the likelihood"),
        ([_fit("a"), _fit("1", effects=_effects(29))], r"other effects \(29\) than 'a' \(30\)"),
        ([_fit("a"), _fit("1", effects=_effects(seed=4))], "is a fit of other effects"),
        ([_fit("a"), _fit("1"), _fit("a")], "'a' and 'a' are the same model"),
        ([_fit("a"), _fit("center(a)")], "'a' and 'center\\(a\\)' are the same model"),
        ([_fit("rater"), _fit("0 + C(rater, reference='therapist')")], "are the same model"),
    ],
)
def test_fits_that_cannot_be_compared_are_refused(fits: list[am.MetaRegression], what: str) -> None:
    with pytest.raises(InputError, match=what):
        compare(fits)


def test_an_unknown_criterion_is_met_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown criterion 'AICc'\. Did you mean 'aicc'"):
        compare([_fit("1"), _fit("a")], criterion="AICc")
    with pytest.raises(UnknownNameError, match="unknown criterion 'waic'"):
        multimodel(EFFECTS, ["a"], criterion="waic")


# ---------------------------------------------------------------- multimodel


def test_a_model_with_an_interaction_has_its_main_effects() -> None:
    models = multimodel(EFFECTS, ["a:rater", "a", "rater", "b"])
    assert models.settings.terms == ("a", "rater", "b", "a:rater")
    without_b = {formula.removesuffix(" + b") for formula in models.formulas if "a:rater" not in formula}
    assert len(models.formulas) == 10
    assert sum("a:rater" in formula for formula in models.formulas) == 2
    assert {"1", "a", "rater", "a + rater"} <= without_b | {"1"}
    for i, formula in enumerate(models.formulas):
        fit = _fit(formula)
        present = [name for name, value in zip(models.names, models.estimates[i], strict=True) if not np.isnan(value)]
        assert present == list(fit.names)
        # The same kernel in a batch: rounding, in a coefficient near 0 too.
        assert models.estimates[i, ~np.isnan(models.estimates[i])] == pytest.approx(fit.coefficients, rel=1e-8)
        assert models.to_frame()["aicc"][i] == pytest.approx(fit.aicc, rel=1e-10)


def test_three_way_interactions_need_all_that_lies_within_them() -> None:
    with pytest.raises(InputError, match="'a:b:rater' is an interaction without 'a:b', 'a:rater' and 'b:rater'"):
        multimodel(EFFECTS, ["a", "b", "rater", "a:b:rater"])
    terms = ["a", "b", "rater", "a:b", "a:rater", "b:rater", "a:b:rater"]
    # The simplicial complexes on three points, the empty one among them: 1 + 3 + 3 + 1 without interactions, ...
    assert len(multimodel(EFFECTS, terms).formulas) == 19


def test_importance_counts_the_models() -> None:
    models = multimodel(EFFECTS, ["a", "b"])
    frame = models.importance()
    assert frame["models"].tolist() == [2, 2]
    with_a = np.array(["a" in formula for formula in models.formulas])
    assert frame["importance"][0] == pytest.approx(float(models.weights[with_a].sum()), rel=1e-12)
    assert models.coefficients().set_index("term").loc["intercept", "importance"] == pytest.approx(1.0, rel=1e-12)


def test_averages_are_shrunk_and_their_errors_hold_what_the_models_disagree_about() -> None:
    models = multimodel(EFFECTS, ["a", "b"])
    first, revised = (models.coefficients(std_error=how) for how in ("burnham-anderson-2002", "burnham-anderson-2004"))
    assert first["estimate"].tolist() == revised["estimate"].tolist()
    assert (revised["std_error"] >= first["std_error"]).all()  # a root of a mean is never below the mean of roots
    assert abs(first["estimate"][2]) < abs(np.nanmax(np.abs(models.estimates[:, 2])))
    half = 1.959963984540054 * first["std_error"]  # the normal distribution's .975 quantile
    assert first["ci_high"].to_numpy() == pytest.approx((first["estimate"] + half).to_numpy(), rel=1e-12)
    narrow = models.coefficients(0.5)
    assert (narrow["ci_high"] < first["ci_high"]).all()
    with pytest.raises(UnknownNameError, match="standard error of averages"):
        models.coefficients(std_error="buckland")


def test_the_best_models_are_those_within_two() -> None:
    models = multimodel(EFFECTS, ["a", "b", "rater"])
    best = models.best()
    assert (best["delta"] <= 2.0).all()
    assert len(best) == int((models.to_frame()["delta"] <= 2.0).sum())
    assert best["formula"][0] == models.formulas[0]
    assert len(models.best(np.inf)) == 8


@pytest.mark.parametrize("method", ["ML", "EE"])
def test_weights_are_those_of_compare(method: str) -> None:
    models = multimodel(EFFECTS, ["a", "rater"], tau2_method=method, criterion="bic")
    found = compare([_fit(formula, method) for formula in models.formulas], criterion="bic")
    assert models.weights == pytest.approx(found.weights, rel=1e-10)


def test_twelve_terms_are_the_most() -> None:
    with pytest.raises(InputError, match="terms must be 1 to 12, not 13, whose subsets would be 8,192 models"):
        multimodel(EFFECTS, [f"x{i}" for i in range(13)])


@pytest.mark.parametrize(
    ("terms", "what"),
    [
        ([], "terms must be 1 to 12, not 0"),
        ("a", "terms must be a list of texts"),
        (["a * b"], "must be one term of a formula; 'a \\* b' has 'a', 'b' and 'a:b'"),
        (["0 + a"], "must be one term"),
        (["1"], "must be one term of a formula; '1' has none"),
        (["a", "b", "a"], "'a' and 'a' are the same term|terms"),
        (["a", "b", "a:b", "b:a"], "'b:a' and 'a:b' are the same term"),
        (["a", "a:b"], "'a:b' is an interaction without 'b': add them to terms"),
        (["a", "I(2 * a)"], r"'I\(2 \* a\)' is a multiple of 'a'"),
    ],
)
def test_terms_that_cannot_be_combined_are_refused(terms: list[str], what: str) -> None:
    with pytest.raises(InputError, match=what):
        multimodel(EFFECTS, terms)


def test_other_refusals() -> None:
    with pytest.raises(InputError, match=r"takes the result of effect_sizes\(\), not DataFrame"):
        multimodel(EFFECTS.table, ["a"])  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"needs tau2_method='ML' \(or 'EE'\), not 'REML': restricted likelihoods"):
        multimodel(EFFECTS, ["a"], tau2_method="REML")
    with pytest.raises(InputError, match="not 'DL': an information criterion needs the maximum"):
        multimodel(EFFECTS, ["a"], tau2_method="DL")
    with pytest.raises(InputError, match="has 5 coefficients for 5 effects"):
        multimodel(_effects(5), ["a", "b", "rater"])
    with pytest.raises(FormulaError):
        multimodel(EFFECTS, ["__import__('os')"])


def test_results_are_frozen_and_print_the_same_twice() -> None:
    models, comparison = multimodel(EFFECTS, ["a", "b"]), compare([_fit("1"), _fit("a")])
    for result in (models, comparison):
        before = (repr(result), str(result), result.to_markdown(), result._repr_html_())
        result.to_frame()
        assert before == (repr(result), str(result), result.to_markdown(), result._repr_html_())
    with pytest.raises(FrozenInstanceError):
        models.tau2 = models.tau2  # type: ignore[misc]
    for array in (models.estimates, models.std_errors, models.tau2, models.log_likelihood, models.included):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0
    assert "importance" in str(models)
    assert "evidence ratio" in str(comparison)
    assert repr(models).startswith("<MultiModel: 4 models of 2 terms; the best, 'a")
