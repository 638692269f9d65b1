"""What multilevel() does, refuses and says; its numbers against computations by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError
from itertools import product
from math import inf, isnan
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tests.reference.dense_multilevel import dense

import alliance_meta as am
from alliance_meta.errors import FormulaError, InputError, UnknownNameError
from alliance_meta.studies import StudyTable

# Rounding, through one more solution of the same equations.
CLOSE = 1e-9
CAVEAT = "Simulated: not a finding."


def _frame(seed: int = 3) -> pd.DataFrame:
    """Eight laboratories of two studies, each with three effects; `x` and `g` differ within studies, `year` not."""
    rng = np.random.default_rng(seed)
    study, lab = np.repeat(np.arange(16), 3), np.repeat(np.arange(8), 6)
    frame = pd.DataFrame(
        {
            "study": [f"s{i}" for i in study],
            "lab": [f"l{i}" for i in lab],
            "x": rng.normal(size=48).round(3),
            "g": ["a", "b", "c"] * 16,
            "year": (1990.0 + rng.integers(0, 30, 16))[study],
            "country": np.array(["DE", "US"])[lab % 2],
            "rho": np.array([0.2, 0.5])[study % 2],
            "n": 50.0,
            "v": rng.uniform(0.02, 0.1, 48).round(4),
        },
        index=[f"row {i}" for i in range(48)],
    )
    y = 0.3 + 0.1 * frame["x"] + rng.normal(0.0, 0.3, 8)[lab] + rng.normal(0.0, 0.25, 16)[study]
    frame["y"] = (y + rng.normal(0.0, np.sqrt(frame["v"] + 0.03))).round(4)
    return frame


def _effects(frame: pd.DataFrame) -> am.EffectSizes:
    return am.effect_sizes(frame, measure="GEN", effect="y", variance="v")


FRAME = _frame()
EFFECTS = _effects(FRAME)
LABELS = [FRAME["study"].tolist(), FRAME["lab"].tolist()]


# ---------------------------------------------------------------- models at the edge


@pytest.mark.parametrize(("method", "test"), list(product(("REML", "ML"), ("t", "z"))))
@pytest.mark.parametrize("correlation", [None, 0.5])
def test_one_effect_a_study_is_pooling(method: str, test: str, correlation: float | None) -> None:
    effects = _effects(FRAME.assign(study=[f"s{i}" for i in range(48)]))
    fit = am.multilevel(effects, tau2_method=method, test=test, correlation=correlation)
    pooled = am.pool(effects, tau2_method=method, test=test)
    mine = [fit.estimate, fit.std_errors[0], fit.tau2, fit.q_residual, fit.i2[0], fit.dfs[0]]
    theirs = [pooled.estimate, pooled.std_error, pooled.tau2, pooled.q_statistic, pooled.i2, pooled.df]
    assert mine == pytest.approx(theirs, rel=CLOSE)
    assert tuple(fit.confidence_interval()) == pytest.approx(tuple(pooled.confidence_interval()), rel=CLOSE)
    assert fit.components.tolist() == [fit.tau2, 0.0]
    regression = am.meta_regression(effects, "1", tau2_method=method)
    assert fit.log_likelihood == pytest.approx(regression.log_likelihood, rel=CLOSE)
    assert fit.notes == (
        "Every study has one effect, so their variances cannot be told apart; this is the model of pool().",
    )
    assert fit.notes[0] in str(fit).replace("\n", " ")
    interval = fit.component_interval("study")
    assert isnan(interval.low)
    assert "'study' cannot be told from another level" in interval.note
    assert fit.level_tests()["level"].tolist() == ["effect"]


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_a_single_study_is_a_model_of_its_effects(method: str) -> None:
    effects = _effects(FRAME.assign(study="only"))
    fit = am.multilevel(effects, tau2_method=method, test="z")
    pooled = am.pool(effects, tau2_method=method, test="z")
    assert [fit.estimate, fit.std_errors[0], fit.tau2] == pytest.approx(
        [pooled.estimate, pooled.std_error, pooled.tau2], rel=CLOSE
    )
    assert fit.notes == ("There is one study only, so nothing tells how much they differ.",)
    assert fit.groups == (48, 1)


@pytest.mark.parametrize("test", ["t", "satterthwaite", "z"])
def test_a_single_study_has_tests_and_intervals_as_its_effects_alone_have(test: str) -> None:
    """The study's variance is not in the model, so the study cannot take its degrees of freedom."""
    fit = am.multilevel(_effects(FRAME.assign(study="only")), test=test)
    assert np.isfinite(fit.to_frame().drop(columns=["term", "df"]).to_numpy(dtype=float)).all()
    assert "nan" not in str(fit)
    if test == "t":
        assert fit.dfs.tolist() == [47.0]


def test_a_level_with_the_groups_of_another_is_left_out_and_noted() -> None:
    plain = am.multilevel(EFFECTS)
    fit = am.multilevel(_effects(FRAME.assign(lab=FRAME["study"])), levels=["lab"])
    assert fit.components[:2] == pytest.approx(plain.components, rel=CLOSE)
    assert fit.components[2] == 0.0
    assert [fit.estimate, fit.std_errors[0]] == pytest.approx([plain.estimate, plain.std_errors[0]], rel=CLOSE)
    assert fit.notes == ("Every lab has one study, so their variances cannot be told apart.",)
    assert plain.notes == ()


def test_one_laboratory_only_is_noted() -> None:
    fit = am.multilevel(_effects(FRAME.assign(lab="only")), levels=["lab"], test="z")
    assert fit.components[2] == 0.0
    assert fit.notes == ("There is one lab only, so nothing tells how much they differ.",)


@pytest.mark.parametrize(("formula", "column"), [("lab", "lab"), ("country", "country"), ("0 + lab + x", "lab")])
def test_a_level_that_the_moderators_explain_whole_is_left_out_and_noted(formula: str, column: str) -> None:
    """Each group has a coefficient of its own: the restricted likelihood is the same whatever the level's variance."""
    fit = am.multilevel(EFFECTS, formula, levels=[column])
    without = am.multilevel(EFFECTS, formula)
    assert fit.components[2] == 0.0
    assert fit.components[:2] == pytest.approx(without.components, rel=1e-8)
    assert fit.std_errors == pytest.approx(without.std_errors, rel=1e-8)
    assert any(column in note for note in fit.notes)
    assert isnan(fit.component_interval(column).low)


def test_a_level_named_twice_is_refused() -> None:
    """Two rows of the same name in `levels` could not be asked about."""
    with pytest.raises(InputError, match="study"):
        am.multilevel(EFFECTS, levels=["study"])


def test_effects_that_agree_better_than_chance_have_variances_of_0() -> None:
    fit = am.multilevel(_effects(FRAME.assign(y=0.3, v=0.1)), levels=["lab"])
    assert fit.components.tolist() == [0.0, 0.0, 0.0]
    assert fit.i2.tolist() == [0.0, 0.0, 0.0]
    assert fit.estimate == pytest.approx(0.3, rel=CLOSE)
    assert fit.std_errors[0] == pytest.approx((0.1 / 48) ** 0.5, rel=CLOSE)
    for row in fit.level_tests().itertuples():
        assert (row.statistic, row.p_value) == (0.0, 1.0)
    for name in fit.levels:
        interval = fit.component_interval(name)
        assert interval.low == 0.0 < interval.high
    assert am.multilevel(_effects(FRAME.assign(y=0.3, v=0.1)), test="satterthwaite").dfs.tolist() == [inf]


def test_a_study_with_three_hundred_effects() -> None:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"study": ["big"] * 300 + ["b"] * 2 + ["c"] * 3, "v": rng.uniform(0.02, 0.1, 305).round(4)})
    frame["y"] = (0.2 + rng.normal(0.0, np.sqrt(frame["v"] + 0.1))).round(4)
    fit = am.multilevel(_effects(frame), correlation=0.5)
    slow = dense(frame["y"], frame["v"], np.ones((305, 1)), [frame["study"].tolist()], 0.5)
    found = slow.heights(fit.components, restricted=True)
    # Rounding, through one inverse of 305 rows.
    assert fit.log_likelihood == pytest.approx(found.value, rel=CLOSE)
    assert fit.estimate == pytest.approx(found.coefficients[0], rel=CLOSE)
    assert fit.std_errors[0] == pytest.approx(found.covariance[0, 0] ** 0.5, rel=CLOSE)
    size = float(frame["v"].mean())
    starts = [np.array(start) for start in ([0.1, 0.0], [0.1, 0.1], [0.01, 1.0])]
    assert fit.log_likelihood >= slow.highest(starts, restricted=True, size=size) - 1e-9


def test_two_effects_of_one_study_can_be_fitted_and_one_cannot() -> None:
    assert am.multilevel(_effects(FRAME[:2]), test="z").k == 2
    with pytest.raises(InputError, match="'1' has 1 coefficients for 1 effects: none would be left"):
        am.multilevel(_effects(FRAME[:1]))


# ---------------------------------------------------------------- bad input


def test_effect_sizes_are_wanted() -> None:
    with pytest.raises(InputError, match=r"takes the result of effect_sizes\(\), not DataFrame"):
        am.multilevel(FRAME)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"study": "stduy"}, "unknown column 'stduy'. Did you mean 'study'"),
        ({"levels": ["labb"]}, "unknown column 'labb'. Did you mean 'lab'"),
        ({"correlation": "roh"}, "unknown column of correlations 'roh'. Did you mean 'rho'"),
        ({"tau2_method": "DL"}, "unknown tau2_method 'DL'"),
        ({"test": "knapp-hartung"}, "unknown test 'knapp-hartung'"),
        ({"formula": "yaer"}, "Did you mean 'year'"),
    ],
)
def test_unknown_names_are_met_with_the_nearest(options: dict[str, Any], what: str) -> None:
    with pytest.raises(UnknownNameError, match=what):
        am.multilevel(EFFECTS, **options)


def test_a_formula_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(FormulaError):
        am.multilevel(EFFECTS, "x +")


@pytest.mark.parametrize("column", ["study", "lab"])
def test_effects_without_a_group_are_named(column: str) -> None:
    frame = FRAME.copy()
    frame.loc[["row 1", "row 5"], column] = None
    with pytest.raises(InputError, match=rf"column '{column}' has empty cells: rows row 1 \(empty\), row 5") as caught:
        am.multilevel(_effects(frame), levels=["lab"])
    assert (caught.value.column, caught.value.rows) == (column, ("row 1", "row 5"))


def test_as_many_coefficients_as_effects_are_refused() -> None:
    with pytest.raises(InputError, match="has 3 coefficients for 3 effects: none would be left"):
        am.multilevel(_effects(FRAME[:3]), "x + I(x**2)")


def test_coefficients_that_cannot_be_told_apart_are_named() -> None:
    with pytest.raises(InputError, match="'x2' is a multiple of 'x'"):
        am.multilevel(_effects(FRAME.assign(x2=2.0 * FRAME["x"])), "x + x2")


@pytest.mark.parametrize("correlation", [-0.5, -0.9])
def test_all_studies_that_a_correlation_makes_singular_are_named(correlation: float) -> None:
    """Three effects allow correlations above -1 / 2; single effects allow any."""
    frame = FRAME.assign(study=["one", "other", *FRAME["study"][2:]])
    with pytest.raises(
        InputError, match=r"no positive definite matrix for study 's1', 's10'.*between -1/\(m - 1\)"
    ) as e:
        am.multilevel(_effects(frame), correlation=correlation)
    assert e.value.column == "study"
    assert set(e.value.rows) == {f"s{i}" for i in range(1, 16)}


def test_studies_of_the_same_name_in_other_laboratories_are_their_own() -> None:
    """Two studies of six effects, not one of twelve: -0.19 is above -1 / 5, though not above -1 / 11."""
    frame = FRAME[:12].assign(study="same")
    fit = am.multilevel(_effects(frame), levels=["lab"], correlation=-0.19)
    assert fit.groups == (12, 2, 2)
    with pytest.raises(InputError, match="for study 'same'"):
        am.multilevel(_effects(frame), levels=["lab"], correlation=-0.21)


def test_studies_of_the_same_name_in_other_laboratories_may_have_their_own_correlations() -> None:
    frame = FRAME.assign(study=np.tile(np.repeat(["first", "second"], 3), 8), rho=np.repeat(np.arange(16) / 20, 3))
    fit = am.multilevel(_effects(frame), levels=["lab"], correlation="rho")
    other = am.multilevel(_effects(FRAME.assign(rho=frame["rho"])), levels=["lab"], correlation="rho")
    assert fit.components == pytest.approx(other.components, rel=CLOSE)
    assert fit.groups == (48, 16, 8)


@pytest.mark.parametrize("correlation", [1.0, -1.0, 2.0, np.nan, np.inf])
def test_a_correlation_beyond_1_is_refused(correlation: float) -> None:
    with pytest.raises(InputError, match="correlation must lie between -1 and 1, not"):
        am.multilevel(EFFECTS, correlation=correlation)


def _asymmetric() -> np.ndarray:
    matrix = np.eye(48)
    matrix[0, 1] = 0.5
    return matrix


@pytest.mark.parametrize(
    "matrix", [np.eye(3), np.eye(48)[:, :3], np.full(48, 0.5), _asymmetric(), np.full((48, 48), np.nan)]
)
def test_a_matrix_of_another_shape_or_without_symmetry_is_refused(matrix: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"a number, a column, or a symmetric matrix of shape \(48, 48\)"):
        am.multilevel(EFFECTS, correlation=matrix)


def test_a_matrix_that_is_singular_in_one_study_names_it() -> None:
    matrix = np.full((48, 48), 0.5)
    matrix[6:9, 6:9] = 1.0
    with pytest.raises(InputError, match="no positive definite matrix for study 's2'") as caught:
        am.multilevel(EFFECTS, correlation=matrix)
    assert caught.value.rows == ("s2",)


def test_a_correlation_that_differs_within_a_study_names_the_rows() -> None:
    rho = FRAME["rho"].copy()
    rho["row 4"], rho["row 11"] = 0.9, 0.8
    with pytest.raises(InputError, match="column 'rho' must be the same in all rows of a study: rows row 4") as caught:
        am.multilevel(_effects(FRAME.assign(rho=rho)), correlation="rho")
    assert (caught.value.column, caught.value.rows) == ("rho", ("row 4", "row 11"))


def test_empty_cells_of_a_column_of_correlations_are_named() -> None:
    rho = FRAME["rho"].copy()
    rho["row 4"] = np.nan
    with pytest.raises(InputError, match="column 'rho' has empty cells: row row 4") as caught:
        am.multilevel(_effects(FRAME.assign(rho=rho)), correlation="rho")
    assert caught.value.rows == ("row 4",)


def test_a_column_of_correlations_beyond_1_names_the_studies() -> None:
    rho = FRAME["rho"].mask(FRAME["study"] == "s3", 1.5)
    with pytest.raises(InputError, match="for study 's3':") as caught:
        am.multilevel(_effects(FRAME.assign(rho=rho)), correlation="rho")
    assert caught.value.rows == ("s3",)


# ---------------------------------------------------------------- correlations


def test_a_number_a_column_and_a_matrix_say_the_same() -> None:
    frame = FRAME.assign(rho=0.4)
    given: list[Any] = [0.4, "rho", np.full((48, 48), 0.4)]
    fits = [am.multilevel(_effects(frame), correlation=each) for each in given]
    for fit in fits[1:]:
        assert fit.components == pytest.approx(fits[0].components, rel=CLOSE)
        assert fit.log_likelihood == pytest.approx(fits[0].log_likelihood, rel=1e-12)
    assert [fit.settings.correlation for fit in fits] == ["0.4", "column 'rho'", "a matrix"]
    for fit, words in zip(fits, ("correlated: 0.4", "correlated: column 'rho'", "correlated: a matrix"), strict=True):
        assert words in str(fit).replace("\n", " ")


def test_a_correlation_of_0_is_independence() -> None:
    none, zero = am.multilevel(EFFECTS), am.multilevel(EFFECTS, correlation=0.0)
    assert zero.components == pytest.approx(none.components, rel=CLOSE)
    assert (none.settings.correlation, zero.settings.correlation) == ("", "0")


def test_correlations_of_studies_are_those_of_whole_matrices() -> None:
    fit = am.multilevel(EFFECTS, "x", levels=["lab"], correlation="rho")
    found = dense(FRAME["y"], FRAME["v"], fit.design.matrix, LABELS, FRAME["rho"].tolist()).heights(
        fit.components, restricted=True
    )
    assert fit.coefficients == pytest.approx(found.coefficients, rel=CLOSE)
    assert fit.covariance == pytest.approx(found.covariance, rel=CLOSE)
    assert fit.log_likelihood == pytest.approx(found.value, rel=CLOSE)


# ---------------------------------------------------------------- what must hold


def test_more_correlation_leaves_less_variance_between_studies() -> None:
    between = [am.multilevel(EFFECTS, correlation=rho).components[1] for rho in (0.0, 0.3, 0.6, 0.9)]
    assert between == sorted(between, reverse=True)
    assert between[0] > between[-1]


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_a_constant_added_to_all_effects_moves_only_the_intercept(method: str) -> None:
    fit = am.multilevel(EFFECTS, "year + g", levels=["lab"], tau2_method=method)
    moved = am.multilevel(_effects(FRAME.assign(y=FRAME["y"] + 10.0)), "year + g", levels=["lab"], tau2_method=method)
    # Adding 10 costs the effects two digits, and the intercept is at year 0: a thousand times its size at the mean.
    assert moved.components == pytest.approx(fit.components, rel=1e-8)
    assert moved.coefficients[1:] == pytest.approx(fit.coefficients[1:], rel=1e-8)
    assert moved.coefficients[0] == pytest.approx(fit.coefficients[0] + 10.0, rel=1e-9)


def test_rows_in_another_order_give_the_same_fit() -> None:
    order = np.random.default_rng(0).permutation(48)
    fit = am.multilevel(EFFECTS, "x + g", levels=["lab"], correlation="rho")
    # The first level of g is the one that comes first, so rows move within what is the same after them.
    frame = FRAME.iloc[order].assign(g=pd.Categorical(FRAME["g"].iloc[order], ["a", "b", "c"]))
    other = am.multilevel(_effects(frame), "x + g", levels=["lab"], correlation="rho")
    mine, theirs = (dict(zip(each.names, each.coefficients.tolist(), strict=True)) for each in (fit, other))
    means, others = (each.means("g").set_index("g")["estimate"] for each in (fit, other))
    assert mine["x"] == pytest.approx(theirs["x"], rel=CLOSE)
    assert others[list("abc")].tolist() == pytest.approx(means[list("abc")].tolist(), rel=CLOSE)
    assert other.components == pytest.approx(fit.components, rel=1e-8)
    assert other.log_likelihood == pytest.approx(fit.log_likelihood, rel=1e-12)


@pytest.mark.parametrize("correlation", [None, 0.5, "rho"])
def test_i2_and_q_are_those_of_whole_matrices(correlation: Any) -> None:
    fit = am.multilevel(EFFECTS, "x", levels=["lab"], correlation=correlation)
    rho = FRAME["rho"].tolist() if correlation == "rho" else correlation
    q, typical = dense(FRAME["y"], FRAME["v"], fit.design.matrix, LABELS, rho).unexplained()
    assert fit.q_residual == pytest.approx(q, rel=CLOSE)
    assert fit.q_residual_df == 46
    assert fit.q_residual_p_value == pytest.approx(stats.chi2.sf(q, 46), rel=CLOSE)
    assert fit.i2 == pytest.approx(100.0 * fit.components / (fit.tau2 + typical), rel=CLOSE)


# ---------------------------------------------------------------- degrees of freedom


def test_degrees_of_freedom_count_the_largest_groups_that_tell_a_coefficient() -> None:
    """`x` and `g` differ within studies, `year` between studies of a laboratory, `country` between laboratories."""
    fit = am.multilevel(EFFECTS, "x + g + year + country", levels=["lab"])
    assert fit.names == ("intercept", "x", "g[b]", "g[c]", "year", "country[US]")
    assert fit.dfs.tolist() == [8.0 - 6, 48.0 - 6, 48.0 - 6, 48.0 - 6, 16.0 - 6, 8.0 - 6]
    assert fit.df == 2.0
    assert am.multilevel(EFFECTS, "x", test="z").dfs.tolist() == [inf, inf]


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_satterthwaites_degrees_of_freedom_are_those_of_whole_matrices(method: str) -> None:
    fit = am.multilevel(EFFECTS, "x + year", levels=["lab"], correlation=0.3, tau2_method=method, test="satterthwaite")
    slow = dense(FRAME["y"], FRAME["v"], fit.design.matrix, LABELS, 0.3)
    restricted = method == "REML"
    theirs = [slow.satterthwaite(fit.components, row, restricted=restricted) for row in np.eye(3)]
    assert fit.dfs == pytest.approx(theirs, rel=1e-7)  # `year` in thousands costs two digits
    assert (fit.dfs > 1.0).all()


# ---------------------------------------------------------------- levels


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_an_interval_has_the_component_in_it_and_0_where_it_is_not_rejected(method: str) -> None:
    fit = am.multilevel(EFFECTS, levels=["lab"], tau2_method=method)
    p_values: dict[str, float] = fit.level_tests().set_index("level")["p_value"].to_dict()  # type: ignore[assignment]
    rejected = []
    for name, own in zip(fit.levels, fit.components, strict=True):
        interval = fit.component_interval(name)
        assert interval.low <= own <= interval.high
        # The interval asks chi-square(1), the test half of it.
        rejected.append(2.0 * p_values[name] < 0.05)
        assert (interval.low > 0.0) == rejected[-1]
        wide = fit.component_interval(name, 0.99)
        assert wide.low <= interval.low
        assert wide.high > interval.high
    assert any(rejected)
    assert not all(rejected)


def test_the_interval_of_a_lone_component_is_pools_profile() -> None:
    effects = _effects(FRAME.assign(study=[f"s{i}" for i in range(48)]))
    mine = am.multilevel(effects).component_interval("effect")
    theirs = am.pool(effects, tau2_method="REML").tau2_interval(method="profile")
    assert tuple(mine) == pytest.approx(tuple(theirs), rel=1e-8)  # both stop at the root's rounding


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_levels_are_tested_by_the_fit_without_them(method: str) -> None:
    fit = am.multilevel(EFFECTS, "x", tau2_method=method)
    rows = fit.level_tests().set_index("level")
    without = am.meta_regression(EFFECTS, "x", tau2_method=method)
    statistic = 2.0 * (fit.log_likelihood - without.log_likelihood)
    assert rows.loc["study", "statistic"] == pytest.approx(statistic, rel=1e-8)  # a difference of nearby numbers
    assert rows.loc["study", "p_value"] == pytest.approx(0.5 * stats.chi2.sf(statistic, 1), rel=1e-7)
    assert rows["component"].tolist() == fit.components.tolist()
    assert list(rows.columns) == ["component", "statistic", "p_value"]


def test_an_unknown_level_is_met_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown level 'studdy'\. Did you mean 'study'"):
        am.multilevel(EFFECTS).component_interval("studdy")


@pytest.mark.parametrize("level", [0.0, 1.0, 95])
def test_levels_of_coverage_lie_between_0_and_1(level: float) -> None:
    fit = am.multilevel(EFFECTS, "g")
    questions: list[Callable[[], object]] = [
        lambda: fit.to_frame(level),
        lambda: fit.levels_frame(level),
        lambda: fit.predict(level=level),
        lambda: fit.means("g", level),
        lambda: fit.contrasts("g", level),
        lambda: fit.component_interval("study", level),
        lambda: fit.confidence_interval(level),
    ]
    for ask in questions:
        with pytest.raises(InputError, match="level must lie between 0 and 1"):
            ask()


def test_the_levels_frame_says_what_the_parts_say() -> None:
    fit = am.multilevel(EFFECTS, levels=["lab"])
    frame = fit.levels_frame(0.9)
    assert list(frame.columns) == ["level", "groups", "component", "ci_low", "ci_high", "i2"]
    assert frame["level"].tolist() == ["effect", "study", "lab"]
    assert frame["groups"].tolist() == [48, 16, 8]
    assert frame["component"].tolist() == fit.components.tolist()
    assert frame["i2"].tolist() == fit.i2.tolist()
    ends = frame[["ci_low", "ci_high"]].to_numpy()
    assert ends[2].tolist() == list(fit.component_interval("lab", 0.9))


# ---------------------------------------------------------------- coefficients


FIT = am.multilevel(EFFECTS, "x + g", levels=["lab"])


def test_the_frame_of_coefficients_is_the_textbooks() -> None:
    frame = FIT.to_frame(0.9)
    se = np.sqrt(np.diagonal(FIT.covariance))
    half = stats.t.ppf(0.95, FIT.dfs) * se
    assert frame["term"].tolist() == list(FIT.names)
    assert frame["std_error"].tolist() == pytest.approx(se.tolist(), rel=CLOSE)
    assert frame["statistic"].tolist() == pytest.approx((FIT.coefficients / se).tolist(), rel=CLOSE)
    p = np.array([2.0 * stats.t.sf(abs(z), df) for z, df in zip(FIT.coefficients / se, FIT.dfs, strict=True)])
    assert frame["p_value"].tolist() == pytest.approx(p.tolist(), rel=CLOSE)
    assert frame["ci_low"].tolist() == pytest.approx((FIT.coefficients - half).tolist(), rel=CLOSE)
    assert frame["ci_high"].tolist() == pytest.approx((FIT.coefficients + half).tolist(), rel=CLOSE)
    assert frame["df"].tolist() == FIT.dfs.tolist()


def _wald(rows: slice) -> tuple[float, int]:
    b, covariance = FIT.coefficients[rows], FIT.covariance[rows, rows]
    return float(b @ np.linalg.solve(covariance, b)) / len(b), len(b)


@pytest.mark.parametrize(("term", "rows"), [("x", slice(1, 2)), ("g", slice(2, 4)), (None, slice(1, 4))])
def test_tests_of_terms_are_walds(term: str | None, rows: slice) -> None:
    found = FIT.omnibus() if term is None else FIT.test_term(term)
    statistic, df1 = _wald(rows)
    df2 = float(FIT.dfs[rows].min())
    assert found.hypothesis == (term or "all moderators")
    assert (found.df1, found.df2) == (df1, df2)
    assert found.statistic == pytest.approx(statistic, rel=CLOSE)
    assert found.p_value == pytest.approx(stats.f.sf(statistic, df1, df2), rel=CLOSE)


def test_without_moderators_the_omnibus_test_is_of_the_intercept() -> None:
    fit = am.multilevel(EFFECTS)
    assert fit.omnibus().hypothesis == "the intercept"
    assert fit.omnibus().statistic == pytest.approx((fit.estimate / fit.std_errors[0]) ** 2, rel=CLOSE)
    with pytest.raises(UnknownNameError, match="'x'"):
        fit.test_term("x")


def test_predictions_are_the_coefficients_sums() -> None:
    new = pd.DataFrame({"x": [0.5, -1.0], "g": ["a", "c"]})
    weights = np.array([[1.0, 0.5, 0.0, 0.0], [1.0, -1.0, 0.0, 1.0]])
    frame = FIT.predict(new)
    estimate, se = weights @ FIT.coefficients, np.sqrt(np.diagonal(weights @ FIT.covariance @ weights.T))
    t = stats.t.ppf(0.975, FIT.df)
    assert frame["estimate"].tolist() == pytest.approx(estimate.tolist(), rel=CLOSE)
    assert frame["std_error"].tolist() == pytest.approx(se.tolist(), rel=CLOSE)
    assert frame["ci_low"].tolist() == pytest.approx((estimate - t * se).tolist(), rel=CLOSE)
    wide = t * np.sqrt(se**2 + FIT.components.sum())
    assert frame["pi_low"].tolist() == pytest.approx((estimate - wide).tolist(), rel=CLOSE)
    assert frame["pi_high"].tolist() == pytest.approx((estimate + wide).tolist(), rel=CLOSE)
    fitted = FIT.predict()
    assert fitted["estimate"].tolist() == pytest.approx((FIT.design.matrix @ FIT.coefficients).tolist(), rel=CLOSE)
    assert fitted.index.tolist() == FRAME.index.tolist()
    normal = FIT.predict(new, method="z")
    assert normal["pi_high"].tolist() == pytest.approx(
        (estimate + stats.norm.ppf(0.975) * wide / t).tolist(), rel=CLOSE
    )


def test_means_contrasts_and_slopes_are_the_coefficients_sums() -> None:
    mean = float(FRAME["x"].mean())
    b, covariance, t = FIT.coefficients, FIT.covariance, stats.t.ppf(0.975, FIT.df)
    weights = np.array([[1.0, mean, 0.0, 0.0], [1.0, mean, 1.0, 0.0], [1.0, mean, 0.0, 1.0]])
    means = FIT.means("g")
    assert means["g"].tolist() == ["a", "b", "c"]
    assert means["k"].tolist() == [16, 16, 16]
    assert means["estimate"].tolist() == pytest.approx((weights @ b).tolist(), rel=CLOSE)
    se = np.sqrt(np.diagonal(weights @ covariance @ weights.T))
    assert means["ci_high"].tolist() == pytest.approx((weights @ b + t * se).tolist(), rel=CLOSE)
    contrasts = FIT.contrasts("g", adjust="none").set_index("contrast")
    assert contrasts.loc["b - a", "estimate"] == pytest.approx(b[2], rel=CLOSE)
    difference = np.array([0.0, 0.0, -1.0, 1.0])
    row = contrasts.loc["c - b"]
    assert row["estimate"] == pytest.approx(b[3] - b[2], rel=CLOSE)
    assert row["std_error"] == pytest.approx((difference @ covariance @ difference) ** 0.5, rel=CLOSE)
    assert row["p_value"] == pytest.approx(2.0 * stats.t.sf(abs(row["statistic"]), row["df"]), rel=CLOSE)
    holm = FIT.contrasts("g")
    assert holm["p_adjusted"].tolist() >= holm["p_value"].tolist()
    slope = FIT.slopes("x").iloc[0]
    assert slope["estimate"] == pytest.approx(b[1], rel=1e-8)  # a difference of predictions close together
    assert slope["std_error"] == pytest.approx(FIT.std_errors[1], rel=1e-8)


def test_the_slope_of_a_moderator_is_tested_as_its_coefficient_is() -> None:
    """Degrees of freedom are those of the coefficients that a slope or contrast is made of."""
    row = FIT.to_frame().set_index("term").loc["x"]
    slope = FIT.slopes("x").iloc[0]
    assert slope["df"] == row["df"]
    assert slope["p_value"] == pytest.approx(row["p_value"], rel=1e-7)
    difference = FIT.contrasts("g").set_index("contrast").loc["b - a"]
    assert difference["df"] == FIT.to_frame().set_index("term").loc["g[b]", "df"]


def test_coefficients_by_name_and_unknown_names() -> None:
    assert FIT.coefficient("x") == FIT.coefficients[1]
    with pytest.raises(UnknownNameError, match=r"unknown coefficient 'g\[d\]'"):
        FIT.coefficient("g[d]")
    with pytest.raises(UnknownNameError, match="intercept"):
        _ = am.multilevel(EFFECTS, "0 + g").estimate


# ---------------------------------------------------------------- results are finished and say what they are


def test_a_result_is_frozen_and_its_arrays_are_read_only() -> None:
    with pytest.raises(FrozenInstanceError):
        FIT.k = 3  # type: ignore[misc]
    for name in ("coefficients", "covariance", "dfs", "components", "i2"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(FIT, name)[0] = 1.0


def test_asking_and_printing_change_nothing() -> None:
    fit = am.multilevel(EFFECTS, "x + g", levels=["lab"], correlation="rho")
    first = (str(fit), repr(fit), fit._repr_html_(), fit.to_markdown(), fit.to_apa(), fit.to_r())
    numbers = [getattr(fit, name).copy() for name in ("coefficients", "covariance", "dfs", "components", "i2")]
    fit.levels_frame(0.8), fit.level_tests(), fit.predict(level=0.5), fit.means("g"), fit.contrasts("g")
    fit.slopes("x"), fit.omnibus(), fit.to_frame(0.5)
    assert (str(fit), repr(fit), fit._repr_html_(), fit.to_markdown(), fit.to_apa(), fit.to_r()) == first
    for name, before in zip(("coefficients", "covariance", "dfs", "components", "i2"), numbers, strict=True):
        assert np.array_equal(getattr(fit, name), before)
    assert _frame().equals(FRAME)


@pytest.mark.parametrize(
    "view", [str, repr, am.Multilevel._repr_html_, am.Multilevel.to_markdown, am.Multilevel.to_apa, am.Multilevel.to_r]
)
def test_every_view_of_simulated_studies_says_so(view: Any) -> None:
    frame = pd.DataFrame({"study": list("AABBCC"), "r": [0.1, 0.3, 0.2, 0.4, 0.0, 0.2], "n": [40] * 6})
    effects = am.effect_sizes(
        StudyTable(roles={"r": "r", "n": "n", "study": "study"}, caveat=CAVEAT, _frame=frame), measure="ZCOR"
    )
    assert CAVEAT in view(am.multilevel(effects))
    assert "Simulated" not in view(am.multilevel(am.effect_sizes(frame, measure="ZCOR")))


def _small() -> am.Multilevel:
    """Six effects made up for their words."""
    frame = pd.DataFrame(
        {
            "study": ["11", "11", "12", "12", "18", "18"],
            "y": [0.18, 0.22, 0.13, 0.26, 0.65, 0.48],
            "v": [0.018, 0.018, 0.044, 0.014, 0.023, 0.043],
        }
    )
    return am.multilevel(_effects(frame), correlation=0.5)


def test_what_a_fit_says_about_itself() -> None:
    fit = _small()
    shown = str(fit)
    assert shown.startswith("Multilevel model of 6 effects in 3 studies\n")
    assert f"{fit.estimate:.3f}" in shown
    assert "sampling errors correlated: 0.5" in shown.replace("\n", " ")
    assert "restricted maximum likelihood" in shown
    assert repr(fit).startswith(f"<Multilevel '1': intercept = {fit.estimate:.3f} (t = ")
    assert repr(fit).endswith("; 6 effects in 3 studies>")
    sentence = fit.to_apa()
    assert sentence.startswith(
        "A multilevel meta-analysis (restricted maximum likelihood, sampling errors correlated (0.5)) of 6 effects in "
        "3 studies gave intercept: b = "
    )
    row = fit.to_frame().iloc[0]
    assert f"t(2) = {row['statistic']:.2f}" in sentence
    for name, component, share in zip(fit.levels, fit.components, fit.i2, strict=True):
        assert f"{name}: τ² = {component:.3f}, I² = {share:.0f}%" in sentence


def test_the_printed_r_code_has_the_data_and_the_model() -> None:
    code = _small().to_r().splitlines()
    assert code[0] == "library(metafor)"
    assert "yi <- c(0.18, 0.22, 0.13, 0.26, 0.65, 0.48)" in code
    assert "vi <- c(0.018, 0.018, 0.044, 0.014, 0.023, 0.043)" in code
    assert 'g0 <- c("11", "11", "12", "12", "18", "18")' in code
    assert "R <- rho * outer(g0, g0, '=='); diag(R) <- 1" in code
    assert "V <- R * sqrt(outer(vi, vi))" in code
    assert any("random = ~ 1 | g0/id" in line and 'method = "REML"' in line for line in code)


def test_the_printed_r_code_asks_for_the_same_test() -> None:
    """metafor's `rma.mv` tests with the normal distribution unless told otherwise."""
    code = am.multilevel(EFFECTS, "x").to_r()
    assert 'test = "t"' in code
    assert 'dfs = "contain"' in code
    assert 'test = "t"' not in am.multilevel(EFFECTS, "x", test="z").to_r()


def test_satterthwaite_says_what_it_takes_as_known() -> None:
    effects = am.effect_sizes(
        measure="GEN",
        study=["a", "a", "b", "b", "c", "c", "d", "d"],
        effect=[0.10, 0.11, 0.12, 0.10, 0.11, 0.12, 0.10, 0.12],
        variance=[0.02] * 8,
    )
    fit = am.multilevel(effects, test="satterthwaite")
    assert fit.components.tolist() == [0.0, 0.0]
    assert any("take a variance estimated as 0 as known" in note for note in fit.notes)
    assert not any("estimated as 0" in note for note in am.multilevel(effects).notes)
