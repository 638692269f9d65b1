"""multilevel(crossed=...): against metafor, and what it refuses and says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliance_meta as am
from alliance_meta.errors import InputError, UnknownNameError

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "multilevel.json").read_text(encoding="utf-8"))
CASES: dict[str, dict[str, Any]] = {case["name"]: case for case in REFERENCE["cases"]}
# What metafor's optimizers leave at rel.tol=1e-12.
METAFOR = 1e-5


def _frame(name: str) -> pd.DataFrame:
    case = CASES[name]
    study = next(iter(case["groups"].values()))
    return pd.DataFrame({"y": case["yi"], "v": case["vi"], "study": study, **case["data"]})


def _effects(frame: pd.DataFrame) -> am.EffectSizes:
    return am.effect_sizes(frame, measure="GEN", effect="y", variance="v")


FARBER = _frame("farber_doolin2011_raters")
EFFECTS = _effects(FARBER)
RATERS = ["outcome_rater", "predictor_rater"]


def test_metafor_with_one_crossed_factor_and_two() -> None:
    # rma.mv(yi, V, random=list(~1|id, ~1|study, ~1|outcome_rater), test="t", dfs="contain",
    # control=list(rel.tol=1e-12)) of metafor 3.8-1, V with correlations of .6 within studies
    fit = am.multilevel(EFFECTS, crossed="outcome_rater", correlation=0.6)
    assert fit.estimate == pytest.approx(0.243438468837, rel=METAFOR)
    assert fit.std_errors[0] == pytest.approx(0.0874593926247, rel=METAFOR)
    assert fit.components == pytest.approx([0.00848986650654, 0.03592383590629, 0.02053414808372], rel=METAFOR)
    assert fit.log_likelihood == pytest.approx(50.99666717171, rel=1e-10)
    assert fit.q_residual == pytest.approx(483.444663836, rel=1e-9)
    assert fit.dfs.tolist() == [6.0]
    assert fit.levels == ("effect", "study", "outcome_rater")
    assert fit.groups == (102, 15, 7)
    # with ~1|predictor_rater besides: sigma2 of 5.4e-11, ddf 2
    both = am.multilevel(EFFECTS, crossed=RATERS, correlation=0.6)
    assert both.components == pytest.approx([*fit.components, 0.0], rel=1e-6)
    assert both.dfs.tolist() == [2.0]


def test_metafor_with_a_moderator() -> None:
    # rma.mv(yi, V, mods=~year, random=list(~1|id, ~1|study, ~1|deltype), ...), V with correlations of .6
    fit = am.multilevel(_effects(_frame("assink2016_che6_moderators")), "year", crossed="deltype", correlation=0.6)
    assert fit.coefficients == pytest.approx([0.165326152478, -0.034755744674], rel=METAFOR)
    assert fit.components == pytest.approx([0.1315626618588, 0.0529129632960, 0.0924545106846], rel=METAFOR)
    assert fit.dfs.tolist() == [1.0, 98.0]


def test_intervals_and_tests_of_a_crossed_factor() -> None:
    fit = am.multilevel(EFFECTS, crossed="outcome_rater")
    interval = fit.component_interval("outcome_rater")
    assert 0.0 < interval.low < fit.components[2] < interval.high
    without = am.multilevel(EFFECTS)
    tested = fit.level_tests().set_index("level")["statistic"]
    assert tested["outcome_rater"] == pytest.approx(2.0 * (fit.log_likelihood - without.log_likelihood), rel=1e-8)
    assert np.isfinite(am.multilevel(EFFECTS, crossed="outcome_rater", test="satterthwaite").df)


def test_factors_that_cannot_be_told_apart_are_left_out_and_noted() -> None:
    plain = am.multilevel(EFFECTS)
    for column, note in (
        ("twin", "Every twin is one study, so their variances cannot be told apart."),
        ("row", "Every row is one effect, so their variances cannot be told apart."),
        ("only", "There is one only only, so nothing tells how much they differ."),
    ):
        frame = FARBER.assign(twin="x" + FARBER["study"].astype(str), row=np.arange(102), only="a")
        fit = am.multilevel(_effects(frame), crossed=column)
        assert fit.notes == (note,)
        assert fit.components == pytest.approx([*plain.components, 0.0], rel=1e-6)
        assert np.isnan(fit.component_interval(column).low)
    explained = am.multilevel(EFFECTS, "predictor_rater", crossed="predictor_rater")
    assert explained.notes == (
        "The moderators tell every predictor_rater from all others, so nothing is left to vary between them.",
    )


def test_names_that_are_not_known_or_named_twice_are_refused() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown column 'outcome_ratr'\. Did you mean 'outcome_rater'"):
        am.multilevel(EFFECTS, crossed="outcome_ratr")
    for crossed in ("study", RATERS[:1] * 2):
        with pytest.raises(InputError, match="crossed must be other columns than those of groups"):
            am.multilevel(EFFECTS, crossed=crossed)
    frame = FARBER.assign(outcome_rater=FARBER["outcome_rater"].where(FARBER.index > 0))
    with pytest.raises(InputError, match="column 'outcome_rater' has empty cells"):
        am.multilevel(_effects(frame), crossed=RATERS)


def test_groups_that_are_not_independent_have_no_robust_tests() -> None:
    with pytest.raises(InputError, match=r"robust\(\) needs groups that are independent; with 'outcome_rater' crossed"):
        am.robust(am.multilevel(EFFECTS, crossed="outcome_rater"))


def test_words_and_r_code() -> None:
    fit = am.multilevel(EFFECTS, crossed=RATERS)
    counted = "102 effects in 15 studies, crossed with 7 outcome_raters, crossed with 3 predictor_raters"
    assert counted in str(fit).replace("\n", " ")
    code = fit.to_r()
    assert "random = list(~ 1 | g0/id, ~ 1 | c0, ~ 1 | c1), " in code
    assert code.count("c1 <- c(") == 1
    left_out = am.multilevel(EFFECTS, "predictor_rater", crossed=RATERS).to_r()
    assert "sigma2 = c(NA, NA, NA, 0)" in left_out
