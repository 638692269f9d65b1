"""What meta_regression() does, refuses and says; its numbers against computations by hand."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import FrozenInstanceError
from itertools import product
from math import isnan, nan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests  # type: ignore[import-untyped]

import alliance_meta as am
from alliance_meta.errors import FormulaError, InputError, UnknownNameError

# Rounding, through one more solution of the same equations.
CLOSE = 1e-9

TREATMENTS = ("cbt", "dynamic", "other")


def _frame(k: int = 24, seed: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "treatment": [TREATMENTS[i % 3] for i in range(k)],
            "rater": ["client" if i % 4 < 3 else "observer" for i in range(k)],
            "year": rng.integers(1980, 2020, k).astype(float),
            "v": rng.uniform(0.01, 0.1, k),
        },
        index=[f"study {i}" for i in range(k)],
    )
    frame["y"] = 0.2 + 0.2 * (frame["treatment"] == "other") + rng.normal(0.0, np.sqrt(frame["v"] + 0.05))
    return frame


def _effects(frame: pd.DataFrame) -> am.EffectSizes:
    return am.effect_sizes(frame, measure="GEN", effect="y", variance="v")


FRAME = _frame()
EFFECTS = _effects(FRAME)


def _least_squares(x: np.ndarray, y: np.ndarray, v: np.ndarray, tau2: float) -> tuple[np.ndarray, np.ndarray]:
    """The textbook's formulas."""
    w = np.diag(1.0 / (v + tau2))
    covariance = np.linalg.inv(x.T @ w @ x)
    return covariance @ x.T @ w @ y, covariance


# ---------------------------------------------------------------- errors


def test_effect_sizes_are_wanted() -> None:
    with pytest.raises(InputError, match=r"takes the result of effect_sizes\(\), not DataFrame"):
        am.meta_regression(FRAME, "year")  # type: ignore[arg-type]


@pytest.mark.parametrize(("method", "weights"), [("GENQ", None), ("REML", [1.0] * 24)])
def test_genq_and_its_weights_belong_together(method: str, weights: Any) -> None:
    with pytest.raises(InputError, match="'GENQ' needs q_weights, and no other method takes them"):
        am.meta_regression(EFFECTS, "year", tau2_method=method, q_weights=weights)


def test_genq_with_inverse_variances_is_dersimonian_laird() -> None:
    genq = am.meta_regression(EFFECTS, "year", tau2_method="GENQ", q_weights=1.0 / EFFECTS.variance)
    assert genq.tau2 == pytest.approx(am.meta_regression(EFFECTS, "year", tau2_method="DL").tau2, rel=CLOSE)


def test_as_many_coefficients_as_effects_are_refused() -> None:
    with pytest.raises(InputError, match="has 3 coefficients for 3 effects: none would be left"):
        am.meta_regression(_effects(FRAME[:3]), "treatment")


def test_more_coefficients_than_effects_are_refused_with_the_terms_that_have_them() -> None:
    with pytest.raises(InputError, match=r"asks for 4 coefficients of 3 rows: intercept \(1\), treatment \(2\), year"):
        am.meta_regression(_effects(FRAME[:3]), "treatment + year")


def test_coefficients_that_cannot_be_told_apart_are_named() -> None:
    frame = FRAME.assign(age=2020.0 - FRAME["year"])
    with pytest.raises(InputError, match="'age' is a combination of 'intercept' and 'year'"):
        am.meta_regression(_effects(frame), "year + age")


def test_empty_cells_of_a_moderator_are_named_with_their_rows() -> None:
    frame = FRAME.copy()
    frame.loc[["study 3", "study 7"], "year"] = nan
    with pytest.raises(InputError, match="column 'year' has empty cells") as caught:
        am.meta_regression(_effects(frame), "year")
    assert caught.value.column == "year"
    assert len(caught.value.rows) == 2


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"tau2_method": "reml"}, "tau2_method 'reml'. Did you mean 'REML'"),
        ({"test": "knha"}, "unknown test 'knha'"),
        ({"formula": "yaer"}, "column 'yaer'. Did you mean 'year'"),
    ],
)
def test_unknown_names_are_met_with_the_nearest(options: dict[str, str], what: str) -> None:
    with pytest.raises(UnknownNameError, match=what):
        am.meta_regression(EFFECTS, **{"formula": "year", **options})


@pytest.mark.parametrize("formula", ["", "y ~ year", "year +", "year year", "np.log(year)", "exp(year)"])
def test_formulas_that_cannot_be_read_are_refused(formula: str) -> None:
    with pytest.raises(FormulaError):
        am.meta_regression(EFFECTS, formula)


@pytest.mark.parametrize(
    "formula",
    [
        "__import__('pathlib').Path('{0}').touch()",
        "I(__import__('pathlib').Path('{0}').touch() or year)",
        "C(year, reference=open('{0}', 'w'))",
        "{{open('{0}', 'w')}}",
        "year + poly(year, (lambda: open('{0}', 'w'))())",
    ],
)
def test_a_hostile_formula_runs_nothing(formula: str, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    with pytest.raises(FormulaError):
        am.meta_regression(EFFECTS, formula.format(mark.as_posix()))
    assert not mark.exists()


# ---------------------------------------------------------------- notes


def test_knapp_hartung_under_equal_effects_is_noted() -> None:
    fit = am.meta_regression(EFFECTS, "year", tau2_method="EE")
    assert "Under equal effects Knapp-Hartung" in fit.notes[0]
    assert "Under equal effects Knapp-Hartung" in str(fit)
    assert am.meta_regression(EFFECTS, "year", tau2_method="EE", test="z").notes == ()
    assert (fit.tau2, isnan(fit.r2)) == (0.0, True)


def test_moderators_that_fit_exactly_are_noted() -> None:
    frame = pd.DataFrame({"y": [0.0, 0.0, 0.0, 0.0], "v": [0.1] * 4, "x": [1.0, 2.0, 4.0, 8.0]})
    fit = am.meta_regression(_effects(frame), "x")
    assert "fit the effects exactly" in fit.notes[0]
    assert am.meta_regression(_effects(frame), "x", test="knapp-hartung-adhoc").notes == ()


# ---------------------------------------------------------------- what must hold


@pytest.mark.parametrize(
    ("method", "test"), list(product(("REML", "ML", "DL", "SJ", "PM", "EE"), ("z", "knapp-hartung")))
)
def test_an_intercept_alone_is_the_pooled_effect(method: str, test: str) -> None:
    fit, pooled = (
        am.meta_regression(EFFECTS, "1", tau2_method=method, test=test),
        am.pool(EFFECTS, tau2_method=method, test=test),
    )
    row = fit.to_frame().iloc[0]
    mine = [row["estimate"], row["std_error"], row["p_value"], fit.tau2, fit.h2, fit.q_residual, fit.q_residual_p_value]
    theirs = [pooled.estimate, pooled.std_error, pooled.p_value, pooled.tau2, pooled.h2]
    assert mine == pytest.approx([*theirs, pooled.q_statistic, pooled.q_p_value], rel=CLOSE)
    assert fit.i2 == pytest.approx(pooled.i2, rel=CLOSE)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(tuple(pooled.confidence_interval()), rel=CLOSE)
    assert (fit.df, isnan(fit.r2)) == (pooled.df, True)
    assert fit.omnibus().hypothesis == "the intercept"
    q_profile, theirs_too = fit.tau2_interval(), pooled.tau2_interval()
    assert tuple(q_profile) == pytest.approx(tuple(theirs_too), rel=CLOSE)


@pytest.mark.parametrize("method", ["REML", "DL", "EE"])
def test_a_categorical_moderators_coefficients_are_differences_of_subgroup_means(method: str) -> None:
    fit = am.meta_regression(EFFECTS, "treatment", tau2_method=method, test="z")
    w = 1.0 / (FRAME["v"] + fit.tau2)
    means = [float(np.average(FRAME["y"][rows], weights=w[rows])) for rows in _rows_of_treatments()]
    assert fit.coefficient("intercept") == pytest.approx(means[0], rel=CLOSE)
    for name, mean in zip(TREATMENTS[1:], means[1:], strict=True):
        assert fit.coefficient(f"treatment[{name}]") == pytest.approx(mean - means[0], rel=CLOSE)
    alone = am.meta_regression(EFFECTS, "0 + treatment", tau2_method=method, test="z")
    assert alone.coefficients == pytest.approx(means, rel=CLOSE)
    errors = [float(w[rows].sum()) ** -0.5 for rows in _rows_of_treatments()]
    assert alone.std_errors == pytest.approx(errors, rel=CLOSE)
    assert alone.log_likelihood == pytest.approx(fit.log_likelihood, rel=CLOSE)


def _rows_of_treatments() -> list[pd.Series[bool]]:
    return [FRAME["treatment"] == name for name in TREATMENTS]


@pytest.mark.parametrize("method", ["REML", "ML", "DL", "HE", "HS", "SJ", "PM", "EE"])
def test_a_constant_added_to_all_effects_moves_only_the_intercept(method: str) -> None:
    fit = am.meta_regression(EFFECTS, "year + treatment", tau2_method=method)
    moved = am.meta_regression(_effects(FRAME.assign(y=FRAME["y"] + 10.0)), "year + treatment", tau2_method=method)
    # Adding 10 costs the effects a digit or two, and the intercept is at year 0: about 40 times its size at the mean.
    assert moved.tau2 == pytest.approx(fit.tau2, rel=1e-9)
    assert moved.coefficients[1:] == pytest.approx(fit.coefficients[1:], rel=1e-9)
    assert moved.coefficients[0] == pytest.approx(fit.coefficients[0] + 10.0, rel=1e-9)
    assert moved.covariance == pytest.approx(fit.covariance, rel=1e-8)


def test_a_moderator_in_other_units_has_its_slope_in_them() -> None:
    fit = am.meta_regression(EFFECTS, "year")
    decades = am.meta_regression(_effects(FRAME.assign(year=FRAME["year"] / 10.0)), "year")
    assert decades.coefficient("year") == pytest.approx(10.0 * fit.coefficient("year"), rel=CLOSE)
    assert decades.std_errors[1] == pytest.approx(10.0 * fit.std_errors[1], rel=CLOSE)
    mine, other = ((each.tau2, each.omnibus().statistic, each.r2) for each in (fit, decades))
    assert tuple(mine) == pytest.approx(tuple(other), rel=CLOSE)


@pytest.mark.parametrize("test", ["z", "t", "knapp-hartung", "knapp-hartung-adhoc"])
def test_coefficients_and_tests_are_the_textbooks(test: str) -> None:
    fit = am.meta_regression(EFFECTS, "year + treatment", test=test)
    y, v, x = FRAME["y"].to_numpy(), FRAME["v"].to_numpy(), fit.design.matrix
    b, covariance = _least_squares(x, y, v, fit.tau2)
    if test.startswith("knapp"):
        factor = float(((y - x @ b) ** 2 / (v + fit.tau2)).sum()) / (24 - 4)
        covariance = covariance * (max(factor, 1.0) if test.endswith("adhoc") else factor)
    # The plain normal equations lose digits to years around 2000: their condition number is 1e9.
    assert fit.coefficients == pytest.approx(b, rel=1e-6)
    assert fit.covariance == pytest.approx(covariance, rel=1e-6)
    statistic = b / np.sqrt(np.diagonal(covariance))
    p = 2.0 * (stats.norm.sf(abs(statistic)) if test == "z" else stats.t.sf(abs(statistic), 20))
    assert fit.to_frame()["p_value"].to_numpy() == pytest.approx(p, rel=1e-5)


# ---------------------------------------------------------------- tests


def test_a_terms_test_is_that_of_its_coefficients() -> None:
    fit = am.meta_regression(EFFECTS, "year + treatment")
    found = fit.test_term("treatment")
    b, covariance = fit.coefficients[2:], fit.covariance[2:, 2:]
    f = float(b @ np.linalg.solve(covariance, b)) / 2.0
    assert (found.df1, found.df2, found.hypothesis) == (2, 20.0, "treatment")
    assert found.statistic == pytest.approx(f, rel=CLOSE)
    assert found.p_value == pytest.approx(float(stats.f.sf(f, 2, 20)), rel=CLOSE)
    z = am.meta_regression(EFFECTS, "year + treatment", test="z").test_term("treatment")
    assert z.p_value == pytest.approx(float(stats.chi2.sf(z.statistic, 2)), rel=CLOSE)
    with pytest.raises(UnknownNameError, match=r"unknown term 'treatmant'\. Did you mean 'treatment'"):
        fit.test_term("treatmant")


def test_a_test_of_one_coefficient_is_its_t_squared() -> None:
    fit = am.meta_regression(EFFECTS, "year + treatment")
    row = fit.to_frame().set_index("term").loc["year"]
    found = fit.test_hypothesis({"year": 1.0})
    assert (found.statistic, found.p_value) == pytest.approx((row["statistic"] ** 2, row["p_value"]), rel=CLOSE)
    assert found.hypothesis == "year = 0"


def test_hypotheses_by_name_and_by_number_are_the_same() -> None:
    fit = am.meta_regression(EFFECTS, "year + treatment")
    named = fit.test_hypothesis({"treatment[dynamic]": 1.0, "treatment[other]": -1.0})
    c = np.array([0.0, 0.0, 1.0, -1.0])
    by_hand = float(c @ fit.coefficients) ** 2 / float(c @ fit.covariance @ c)
    assert named.statistic == pytest.approx(by_hand, rel=CLOSE)
    assert fit.test_hypothesis(c).p_value == named.p_value
    assert named.hypothesis == "treatment[dynamic] - treatment[other] = 0"
    both = fit.test_hypothesis([{"treatment[dynamic]": 1.0}, {"treatment[other]": 1.0}])
    assert both.statistic == pytest.approx(fit.test_term("treatment").statistic, rel=CLOSE)
    assert both.df1 == 2


@pytest.mark.parametrize(
    ("hypothesis", "what"),
    [
        ({"yaer": 1.0}, "coefficient 'yaer'. Did you mean 'year'"),
        ([1.0, 0.0], "must weigh 2 coefficients|must weigh 4 coefficients"),
        (np.zeros(4), "one of them is all 0"),
        ([{"year": 1.0}, {"year": 2.0}], "depend on each other"),
        ([[nan, 0.0, 0.0, 0.0]], "must weigh 4 coefficients"),
    ],
)
def test_hypotheses_that_make_no_sense_are_refused(hypothesis: Any, what: str) -> None:
    with pytest.raises(InputError, match=what):
        am.meta_regression(EFFECTS, "year + treatment").test_hypothesis(hypothesis)


def test_likelihood_ratio_by_hand() -> None:
    large, small = (am.meta_regression(EFFECTS, f, tau2_method="ML") for f in ("year + treatment", "year"))
    found = large.likelihood_ratio(small)
    statistic = 2.0 * (_log_likelihood(large) - _log_likelihood(small))
    assert found.statistic == pytest.approx(statistic, rel=1e-8)
    assert found.df1 == 2
    assert found.p_value == pytest.approx(float(stats.chi2.sf(statistic, 2)), rel=1e-8)


def _log_likelihood(fit: am.MetaRegression) -> float:
    mean = fit.design.matrix @ fit.coefficients
    return float(np.sum(stats.norm.logpdf(EFFECTS.effect, mean, np.sqrt(EFFECTS.variance + fit.tau2))))


def test_likelihoods_that_cannot_be_compared_are_refused() -> None:
    def fit(formula: str, method: str = "ML", effects: am.EffectSizes = EFFECTS) -> am.MetaRegression:
        return am.meta_regression(effects, formula, tau2_method=method)

    for one, other in ((("year", "REML"), ("1", "REML")), (("year", "ML"), ("1", "EE")), (("year", "DL"), ("1", "DL"))):
        with pytest.raises(InputError, match="needs two fits with tau2_method='ML'"):
            fit(*one).likelihood_ratio(fit(*other))
    with pytest.raises(InputError, match="of the same effects"):
        fit("year").likelihood_ratio(fit("1", effects=_effects(_frame(seed=6))))
    for one_formula, other_formula in (
        ("year", "treatment"),
        ("1", "year"),
        ("year", "year"),
        ("year", "center(year)"),
    ):
        with pytest.raises(InputError, match="is not nested in"):
            fit(one_formula).likelihood_ratio(fit(other_formula))


# ---------------------------------------------------------------- predictions, means, slopes


def test_predictions_at_new_moderators() -> None:
    fit = am.meta_regression(EFFECTS, "center(year) + treatment")
    new = pd.DataFrame({"year": [1990.0, 2030.0], "treatment": ["other", "cbt"], "note": ["a", "b"]})
    found = fit.predict(new, 0.9)
    rows = np.array([[1.0, 1990.0 - FRAME["year"].mean(), 0.0, 1.0], [1.0, 2030.0 - FRAME["year"].mean(), 0.0, 0.0]])
    se = np.sqrt(np.diagonal(rows @ fit.covariance @ rows.T))
    assert found["estimate"].to_numpy() == pytest.approx(rows @ fit.coefficients, rel=CLOSE)
    assert found["std_error"].to_numpy() == pytest.approx(se, rel=CLOSE)
    half, wide = stats.t.ppf(0.95, 20) * se, stats.t.ppf(0.95, 19) * np.sqrt(fit.tau2 + se**2)
    assert found["ci_high"].to_numpy() == pytest.approx(rows @ fit.coefficients + half, rel=CLOSE)
    assert found["pi_low"].to_numpy() == pytest.approx(rows @ fit.coefficients - wide, rel=CLOSE)
    own = fit.predict()
    assert own["estimate"].to_numpy() == pytest.approx(fit.design.matrix @ fit.coefficients, rel=CLOSE)
    assert list(own["year"]) == list(FRAME["year"])
    with pytest.raises(InputError, match="level"):
        fit.predict(new.assign(treatment="none"))


def test_marginal_means_equal_and_proportional_by_hand() -> None:
    fit = am.meta_regression(EFFECTS, "treatment + rater + year")
    year = FRAME["year"].mean()
    share = {"equal": 0.5, "proportional": float((FRAME["rater"] == "observer").mean())}
    for weights, observers in share.items():
        found = fit.means("treatment", weights=weights)
        rows = np.array([[1.0, t == "dynamic", t == "other", observers, year] for t in TREATMENTS], dtype=float)
        assert found["estimate"].to_numpy() == pytest.approx(rows @ fit.coefficients, rel=1e-7)
        se = np.sqrt(np.diagonal(rows @ fit.covariance @ rows.T))
        assert found["std_error"].to_numpy() == pytest.approx(se, rel=1e-7)
        assert found["treatment"].tolist() == list(TREATMENTS)
        assert found["k"].tolist() == [8, 8, 8]
    alone = am.meta_regression(EFFECTS, "0 + treatment")
    assert alone.means("treatment")["estimate"].to_numpy() == pytest.approx(alone.coefficients, rel=CLOSE)


def test_contrasts_and_their_adjusted_p_values() -> None:
    fit = am.meta_regression(EFFECTS, "treatment + rater")
    found = fit.contrasts("treatment")
    assert found["contrast"].tolist() == ["dynamic - cbt", "other - cbt", "other - dynamic"]
    c = np.array([[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, -1.0, 1.0, 0.0]])
    difference, se = c @ fit.coefficients, np.sqrt(np.diagonal(c @ fit.covariance @ c.T))
    p = 2.0 * stats.t.sf(np.abs(difference / se), 20)
    assert found["estimate"].to_numpy() == pytest.approx(difference, rel=CLOSE)
    assert found["p_value"].to_numpy() == pytest.approx(p, rel=CLOSE)
    assert found["p_adjusted"].to_numpy() == pytest.approx(multipletests(p, method="holm")[1], rel=CLOSE)
    assert fit.contrasts("treatment", adjust="none")["p_adjusted"].to_numpy() == pytest.approx(p, rel=CLOSE)
    with pytest.raises(InputError, match="has no categorical moderator"):
        am.meta_regression(EFFECTS, "year").contrasts("year")


def test_slopes_by_level_by_hand() -> None:
    fit = am.meta_regression(EFFECTS, "year * treatment")
    names = list(fit.names)
    found = fit.slopes("year", by="treatment")
    for row, level in zip(found.itertuples(index=False), TREATMENTS, strict=True):
        c = np.zeros(len(names))
        c[names.index("year")] = 1.0
        if level != "cbt":
            c[names.index(f"year:treatment[{level}]")] = 1.0
        assert row.treatment == level
        # A difference of two predictions 0.08 years apart, at years around 2000.
        assert row.estimate == pytest.approx(float(c @ fit.coefficients), rel=1e-7)
        assert row.std_error == pytest.approx(float(np.sqrt(c @ fit.covariance @ c)), rel=1e-7)
    curved = am.meta_regression(EFFECTS, "center(year) + I((year - 2000)**2)")
    at = 2.0 * (FRAME["year"].mean() - 2000.0)
    wanted = curved.coefficients[1] + at * curved.coefficients[2]
    assert curved.slopes("year")["estimate"][0] == pytest.approx(wanted, rel=1e-7)


def test_inflation_of_two_numbers_is_that_of_their_correlation() -> None:
    frame = FRAME.assign(size=FRAME["year"] - 2000.0 + np.arange(24.0) % 7)
    fit = am.meta_regression(_effects(frame), "center(year) + center(size)", tau2_method="HE")
    w = 1.0 / (frame["v"] + fit.tau2)
    r = np.cov(frame["year"], frame["size"], aweights=w)
    expected = 1.0 / (1.0 - r[0, 1] ** 2 / (r[0, 0] * r[1, 1]))
    assert fit.vif()["gvif"].to_numpy() == pytest.approx([expected, expected], rel=CLOSE)
    with pytest.raises(InputError, match="has no moderators"):
        am.meta_regression(EFFECTS, "1").vif()


# ---------------------------------------------------------------- R2


def test_r2_is_the_share_of_tau2() -> None:
    fit = am.meta_regression(EFFECTS, "treatment", tau2_method="DL")
    alone = am.pool(EFFECTS, tau2_method="DL").tau2
    assert fit.r2 == pytest.approx(100.0 * max(0.0, 1.0 - fit.tau2 / alone), rel=CLOSE)


def test_the_interval_of_r2_is_the_same_for_any_number_of_workers() -> None:
    fit = am.meta_regression(EFFECTS, "treatment", tau2_method="DL")
    intervals = [fit.r2_interval(replicates=2_500, seed=3, workers=workers) for workers in (1, 2, 3)]
    assert len({tuple(each) for each in intervals}) == 1
    assert tuple(fit.r2_interval(replicates=2_500, seed=4, workers=2)) != tuple(intervals[0])
    assert 0.0 <= intervals[0].low <= intervals[0].high <= 100.0


def test_an_interval_of_r2_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InputError, match="has no R2"):
        am.meta_regression(EFFECTS, "0 + treatment").r2_interval()
    with pytest.raises(InputError, match="replicates must be 100 or more, not 10"):
        am.meta_regression(EFFECTS, "treatment").r2_interval(replicates=10)


# ---------------------------------------------------------------- views


def test_asking_and_printing_change_nothing() -> None:
    fit = am.meta_regression(EFFECTS, "year + treatment")
    before = (fit.to_frame(), fit.quantities(), repr(fit), str(fit))
    fit.predict(), fit.means("treatment"), fit.contrasts("treatment"), fit.slopes("year"), fit.vif()
    fit.r2_interval(replicates=100), fit.tau2_interval(), fit.to_apa(), fit.to_r(), fit.to_markdown(), fit._repr_html_()
    assert before[1:] == (fit.quantities(), repr(fit), str(fit))
    pd.testing.assert_frame_equal(before[0], fit.to_frame())


def test_a_result_is_frozen() -> None:
    fit = am.meta_regression(EFFECTS, "year")
    with pytest.raises(FrozenInstanceError):
        fit.tau2 = 0.0  # type: ignore[misc]
    for array in (fit.coefficients, fit.covariance, fit.design.matrix):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0


def test_the_sentence_for_a_paper() -> None:
    frame = pd.DataFrame({"y": [0.1, 0.3, 0.2, 0.6, 0.5], "v": [0.02] * 5, "x": [0.0, 1.0, 1.0, 2.0, 3.0]})
    fit = am.meta_regression(_effects(frame), "x", test="z")
    slope = fit.to_frame().iloc[1]
    # Equal variances and no heterogeneity: ordinary least squares, slope 0.82 / 5.2, standard error sqrt(0.02 / 5.2).
    assert (slope["estimate"], slope["std_error"]) == pytest.approx((0.82 / 5.2, (0.02 / 5.2) ** 0.5), rel=CLOSE)
    assert fit.to_apa() == (
        "A mixed-effects meta-regression (restricted maximum likelihood, z test) of k = 5 effects on x, χ²(1) = 6.47, "
        "p = .011, gave intercept: b = 0.119, 95% CI [−0.091, 0.330], z = 1.11, p = .267; x: b = 0.158, 95% CI "
        "[0.036, 0.279], z = 2.54, p = .011. Residual heterogeneity: QE(3) = 2.13, p = .545, τ² = 0.000, I² = 0%, "
        "R² = 100%."
    )


@pytest.mark.metafor
def test_the_printed_r_code_gives_our_numbers() -> None:
    rscript = shutil.which("Rscript")
    if rscript is None:
        reason = "Rscript is not on PATH; install R and the R package metafor"
        if os.environ.get("ALLIANCE_META_REQUIRE_R"):
            pytest.fail(reason)
        pytest.skip(reason)
    for method, test in (
        ("REML", "knapp-hartung"),
        ("CA2", "z"),
        ("PM", "t"),
        ("EE", "z"),
        ("ML", "knapp-hartung-adhoc"),
    ):
        fit = am.meta_regression(EFFECTS, "center(year) + treatment", tau2_method=method, test=test)
        done = subprocess.run([rscript, "-e", fit.to_r()], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        for number in (*fit.coefficients.tolist(), *fit.std_errors.tolist(), fit.q_residual):
            assert f"{number:.6f}" in done.stdout, f"{method}, {test}: {number}\n{done.stdout}"
