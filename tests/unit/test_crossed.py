"""Crossed random effects: the likelihood and its derivatives against whole matrices, and fits against metafor."""

from __future__ import annotations

import json
import time
import tracemalloc
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.reference.dense_multilevel import Dense, dense

from alliance_meta.errors import InputError
from alliance_meta.stats.multilevel import MultilevelFit, Problem, SingularGroupsError, _fit, prepared
from alliance_meta.stats.multilevel._climb import highest
from alliance_meta.stats.multilevel._crossed import Crossed, likelihood, sums
from alliance_meta.stats.multilevel._crossed_problem import prepared_crossed

FloatArray = npt.NDArray[np.float64]

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "multilevel.json").read_text(encoding="utf-8"))
CASES: dict[str, dict[str, Any]] = {case["name"]: case for case in REFERENCE["cases"]}

# Rounding, through inverses of 40 rows; measured, 4e-11 where a variance is 500 sampling variances, else 5e-14.
CLOSE = 1e-9
# What metafor's optimizers leave at rel.tol=1e-12: 1.6e-6 of a variance where the likelihood is lower than here.
METAFOR = 1e-5


def _same(labels: npt.ArrayLike) -> FloatArray:
    own = np.asarray(labels)
    return np.asarray(own[:, None] == own, dtype=float)


def _data(n: int = 40, seed: int = 1) -> dict[str, Any]:
    """Effects of studies in laboratories, of five measures in two languages; rows in no order."""
    rng = np.random.default_rng(seed)
    study, measure = rng.integers(0, max(n // 4, 2), n), rng.integers(0, 5, n)
    y = 0.2 + rng.normal(0.0, 0.3, 5)[measure] + rng.normal(0.0, 0.2, n)[study] + rng.normal(0.0, 0.3, n)
    return {
        "y": y,
        "v": rng.uniform(0.02, 0.1, n),
        "x": np.column_stack([np.ones(n), rng.normal(size=n)]),
        "groups": [study, study // 3],
        "factors": [measure, rng.integers(0, 3, n)],
    }


def _both(data: dict[str, Any], correlation: Any = None) -> tuple[Problem, Dense]:
    problem = prepared_crossed(
        data["y"], data["v"], data["x"], data["groups"], data["factors"], correlation=correlation
    )
    plain = dense(data["y"], data["v"], data["x"], [np.asarray(each).tolist() for each in data["groups"]], correlation)
    return problem, Dense(plain.y, plain.x, plain.sampling, (*plain.shared, *map(_same, data["factors"])))


def _fitted(problem: Problem, restricted: bool = True) -> MultilevelFit:
    fixed = np.zeros(problem.data.levels, dtype=bool)
    function = partial(likelihood, problem.data, restricted=restricted)
    end = highest(function, _fit._starts(problem, fixed), _fit._scale(problem), fixed)
    return _fit._result(problem, end, restricted)


@pytest.mark.parametrize(
    ("components", "restricted", "correlation"),
    list(
        product(
            ([0.02, 0.03, 0.01, 0.05, 0.02], [0.0, 0.03, 0.0, 0.05, 0.0], [0.1, 0.0, 0.0, 0.0, 10.0], [0.0] * 5),
            (True, False),
            (None, 0.5),
        )
    ),
)
def test_likelihood_slope_and_curvature_are_those_of_whole_matrices(
    components: list[float], restricted: bool, correlation: float | None
) -> None:
    problem, slow = _both(_data(), correlation)
    at = np.array(components)
    found, expected = likelihood(problem.data, at, restricted=restricted), slow.heights(at, restricted=restricted)
    count = 38 if restricted else 40
    assert found.value - 0.5 * count * np.log(2.0 * np.pi) == pytest.approx(expected.value, rel=CLOSE)
    assert found.first == pytest.approx(expected.first, rel=CLOSE, abs=CLOSE * np.abs(expected.first).max())
    assert found.second == pytest.approx(expected.second, rel=CLOSE, abs=CLOSE * np.abs(expected.second).max())
    inverse = np.linalg.inv(problem.triangle)
    assert inverse @ (found.coefficients + problem.explained) == pytest.approx(expected.coefficients, rel=CLOSE)
    slopes = inverse @ found.covariance_slopes @ inverse.T
    largest = float(np.abs(expected.covariance_slopes).max())
    assert slopes == pytest.approx(expected.covariance_slopes, rel=CLOSE, abs=CLOSE * largest)


def test_correlations_of_each_study_and_as_a_matrix() -> None:
    data = _data()
    study = data["groups"][0]
    column = np.where(study % 2 == 0, 0.3, 0.6)
    matrix = np.where(_same(study) > 0.0, np.sqrt(np.outer(column, column)), 0.0)
    np.fill_diagonal(matrix, 1.0)
    at = np.array([0.02, 0.03, 0.01, 0.05, 0.02])
    found = [likelihood(_both(data, rho)[0].data, at, restricted=True) for rho in (column, matrix)]
    assert found[0].value == pytest.approx(found[1].value, rel=CLOSE)
    assert found[0].second == pytest.approx(found[1].second, rel=1e-9)


@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_fits_are_as_high_as_scipy_climbs_on_whole_matrices(seed: int, restricted: bool) -> None:
    data = _data(seed=seed)
    problem, slow = _both(data, 0.5)
    fit = _fitted(problem, restricted)
    assert fit.converged
    starts = [np.full(5, 0.02), np.full(5, 0.05), np.array([0.05, 0.0, 0.0, 0.05, 0.0])]
    # Rounding of the likelihood of 40 effects.
    assert fit.log_likelihood >= slow.highest(starts, restricted=restricted, size=0.05) - 1e-9


def test_a_factor_whose_variance_is_0_changes_nothing() -> None:
    data = _data()
    plain = prepared(data["y"], data["v"], data["x"], data["groups"], 0.5)
    problem = prepared_crossed(data["y"], data["v"], data["x"], data["groups"], data["factors"], 0.5)
    at = np.array([0.02, 0.03, 0.01])
    mine = sums(problem.data, np.append(at, [0.0, 0.0]))
    theirs = sums(plain.data, at)
    assert mine.log_det.value == pytest.approx(theirs.log_det.value, rel=CLOSE)
    assert mine.inner.value == pytest.approx(theirs.inner.value[:3, :3], rel=1e-9, abs=1e-9)
    assert mine.log_det.first[:3] == pytest.approx(theirs.log_det.first, rel=CLOSE)


def test_the_order_of_rows_and_the_names_of_levels_do_not_matter() -> None:
    data = _data()
    turn = np.random.default_rng(8).permutation(40)
    other = {
        "y": data["y"][turn],
        "v": data["v"][turn],
        "x": data["x"][turn],
        "groups": [each[turn] for each in data["groups"]],
        "factors": [[f"level {9 - each}" for each in data["factors"][0][turn]], data["factors"][1][turn]],
    }
    one, two = (_fitted(prepared_crossed(*each.values())) for each in (data, other))
    assert one.log_likelihood == pytest.approx(two.log_likelihood, rel=CLOSE)
    assert one.components == pytest.approx(two.components, rel=1e-6, abs=1e-9)


def test_a_factor_with_one_effect_a_level_is_the_effects_own_level() -> None:
    data = _data()
    data["factors"] = [np.arange(40)]
    problem, slow = _both(data)
    one = likelihood(problem.data, np.array([0.03, 0.02, 0.0, 0.02]), restricted=True)
    two = likelihood(problem.data, np.array([0.05, 0.02, 0.0, 0.0]), restricted=True)
    assert one.value == pytest.approx(two.value, rel=CLOSE)
    assert one.first == pytest.approx(slow.heights([0.03, 0.02, 0.0, 0.02], restricted=True).first, rel=1e-9)


def test_singular_correlations_and_too_many_levels_are_refused() -> None:
    data = _data()
    with pytest.raises(SingularGroupsError):
        prepared_crossed(data["y"], data["v"], data["x"], data["groups"], data["factors"], 1.0)
    n = 501
    with pytest.raises(InputError, match=r"have 501 levels, more than 500: name a column with fewer"):
        prepared_crossed(np.zeros(n), np.ones(n), np.ones((n, 1)), [np.arange(n)], [np.arange(n)])


# rma.mv(yi, V, random=list(~1|id, ~1|study, ~1|outcome_rater), method=, control=list(rel.tol=1e-12)) of metafor 3.8-1
# with V <- vi, or correlations rho within studies; data of tests/reference/multilevel.json
# (b, se, sigma2 of id, study and rater, log-likelihood)
FARBER = {
    ("REML", None): [0.267028763423, 0.0900063123881, 0.00443649980004, 0.04977645021596, 0.02195515344534,
                     49.601981395182],
    ("REML", 0.6): [0.243438468837, 0.0874593926247, 0.00848986650654, 0.03592383590629, 0.02053414808372,
                    50.99666717171],
    ("ML", None): [0.265058079186, 0.0853977889228, 0.00445871683318, 0.04571528875789, 0.01871676929143,
                   48.805105459186],
    ("ML", 0.6): [0.240034404333, 0.0825402552943, 0.00852954201991, 0.03159178405397, 0.01741850739731,
                  50.231065562641],
}  # fmt: skip
# The same with ~1|predictor_rater besides, whose sigma2 metafor gives as 4.1e-11, 5.4e-11, 3.5e-11 and 5.1e-11.


@pytest.mark.parametrize(("method", "rho"), list(FARBER))
@pytest.mark.parametrize("second", [False, True])
def test_metafor_on_farber_and_doolin(method: str, rho: float | None, second: bool) -> None:
    case = CASES["farber_doolin2011_raters"]
    raters = [case["data"]["outcome_rater"], case["data"]["predictor_rater"]]
    study = next(iter(case["groups"].values()))
    k = len(case["yi"])
    problem = prepared_crossed(case["yi"], case["vi"], np.ones((k, 1)), [study], raters[: 1 + second], rho)
    fit = _fitted(problem, method == "REML")
    b, se, *components, height = FARBER[method, rho]
    assert fit.coefficients[0] == pytest.approx(b, rel=METAFOR)
    assert fit.covariance[0, 0] ** 0.5 == pytest.approx(se, rel=METAFOR)
    assert fit.components[:3] == pytest.approx(components, rel=METAFOR)
    assert fit.components[3:].tolist() == [0.0] * second
    assert fit.log_likelihood == pytest.approx(height, rel=1e-10)
    assert fit.log_likelihood >= height - 1e-10


# rma.mv(yi, V, mods=~year, random=list(~1|id, ~1|study, ~1|deltype), ...), V with correlations of .6 within studies
# (b, b of year, their se, sigma2 of id, study and deltype, log-likelihood)
ASSINK = {
    "REML": [0.165326152478, -0.034755744674, 0.206543449695, 0.015877018168, 0.1315626618588, 0.0529129632960,
             0.0924545106846, -66.477721131067],
    "ML": [0.1871002345328, -0.0352885614214, 0.1713531079262, 0.0152682666907, 0.1316767744186, 0.0426680021528,
           0.0559686980208, -68.803043218993],
}  # fmt: skip


@pytest.mark.parametrize("method", list(ASSINK))
def test_metafor_on_assink_and_wibbelink(method: str) -> None:
    case = CASES["assink2016_che6_moderators"]
    design = np.column_stack([np.ones(len(case["yi"])), case["data"]["year"]])
    study = next(iter(case["groups"].values()))
    problem = prepared_crossed(case["yi"], case["vi"], design, [study], [case["data"]["deltype"]], 0.6)
    fit = _fitted(problem, method == "REML")
    expected = ASSINK[method]
    assert fit.coefficients == pytest.approx(expected[:2], rel=METAFOR)
    assert np.sqrt(np.diag(fit.covariance)) == pytest.approx(expected[2:4], rel=METAFOR)
    assert fit.components == pytest.approx(expected[4:7], rel=METAFOR)
    assert fit.log_likelihood == pytest.approx(expected[-1], rel=1e-10)


def _large(n: int, levels: int) -> dict[str, Any]:
    rng = np.random.default_rng(4)
    study, measure = np.sort(rng.integers(0, n // 5, n)), rng.integers(0, levels, n)
    v = rng.uniform(0.02, 0.1, n)
    y = 0.2 + rng.normal(0.0, 0.3, levels)[measure] + rng.normal(0.0, 0.2, n)[study]
    y = y + rng.normal(0.0, np.sqrt(v + 0.09))
    return {"y": y, "v": v, "x": np.ones((n, 1)), "groups": [study], "factors": [measure]}


def test_ten_thousand_effects_of_fifty_measures() -> None:
    """A matrix of 10,000 x 10,000 would be 763 MiB; measured, 0.3 s, or 2 s traced."""
    data = _large(10_000, 50)
    tracemalloc.start()
    began = time.perf_counter()
    fit = _fitted(prepared_crossed(*data.values()))
    taken, peak = time.perf_counter() - began, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert fit.converged
    # Five standard errors: of 2,000 studies and, most of all, 50 measures.
    assert fit.components == pytest.approx([0.09, 0.04, 0.09], abs=0.09)
    assert peak < 1 << 28  # a quarter of a GiB
    assert taken < 60.0


def test_a_crossed_problem_knows_its_levels_and_parts() -> None:
    data = _data().copy()
    problem = prepared_crossed(*data.values())
    assert isinstance(problem.data, Crossed)
    assert problem.data.levels == 5
    assert problem.data.factors == (5, 3)
    groups = sum(len(part.columns) for part in problem.data.parts)
    assert groups == len(np.unique(data["groups"][1]))
    assert sum(part.data.eigenvalues.size for part in problem.data.parts) == 40
