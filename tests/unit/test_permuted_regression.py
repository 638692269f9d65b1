"""Permutation tests of meta-regressions: against metafor, against a loop, and however the work is cut up."""

from __future__ import annotations

import itertools
import json
import math
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliance_meta as am
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.permutations import permutation_test
from alliance_meta.stats._projection import Model
from alliance_meta.stats.regression import regression, wald_statistic
from alliance_meta.stats.resampling import _permuted_regression as kernel
from alliance_meta.stats.resampling._permuted_regression import distinct_arrangements, permuted_regression
from alliance_meta.stats.tau2 import ESTIMATORS, tau2_genq
from alliance_meta.stats.tau2._of_model import tau2_of

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "mean_intervals.json").read_text(encoding="utf-8"))
BCG = REFERENCE["cases"]["bcg_RR"]
Y, V = np.array(BCG["yi"])[:8], np.array(BCG["vi"])[:8]
LATITUDE = np.array([44.0, 55.0, 42.0, 52.0, 13.0, 44.0, 19.0, 13.0])  # dat.bcg$ablat
RANDOM = np.array([1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0])  # dat.bcg$alloc == "random"
DESIGNS = {
    "~r": np.stack([np.ones(8), RANDOM], axis=1),
    "~ablat": np.stack([np.ones(8), LATITUDE], axis=1),
    "~ablat + r": np.stack([np.ones(8), LATITUDE, RANDOM], axis=1),
    "~0 + r + a": np.stack([RANDOM, 1.0 - RANDOM], axis=1),
    "~0 + ablat + r": np.stack([LATITUDE, RANDOM], axis=1),  # the mean is no part of it: metafor 3.8-1 is wrong there
}
TESTS = {"z": "z", "t": "t", "knha": "knapp-hartung", "adhoc": "knapp-hartung-adhoc"}
EVERY_TEST = pytest.mark.parametrize("test", TESTS.values())


def columns_of(formula: str) -> list[int]:
    return list(range("0" not in formula, DESIGNS[formula].shape[1]))


# metafor 3.8-1, R 4.2: dat <- escalc(measure="RR", ai=tpos, bi=tneg, ci=cpos, di=cneg, data=dat.bcg)[1:k, ];
# dat$r <- as.numeric(dat$alloc == "random"); dat$a <- 1 - dat$r;
# fit <- rma(yi, vi, mods = formula, data = dat, method =, test =, control = list(threshold = 1e-12, maxiter = 1000))
# (for PM tol = 1e-12)
# s <- permutest(fit, exact = TRUE); s$zval, s$QM, s$pval * s$exact.iter, s$QMp * s$exact.iter, s$exact.iter
METAFOR = [
    (8, "~r", "REML", "knha", [-1.26773996394, -1.13200973284], 1.28144603526, [22, 11], 11, 28),
    (8, "~r", "DL", "z", [-0.810511413452, -0.802743054911], 0.644396412209, [26, 15], 15, 28),
    (8, "~r", "EE", "z", [-9.21144801523, 4.5139647736], 20.3758779773, [10, 18], 18, 28),
    (8, "~r", "PM", "t", [-1.2815445363, -1.09000192447], 1.18810419535, [22, 11], 11, 28),
    (8, "~r", "ML", "adhoc", [-1.28795132204, -1.07025935662], 1.14545509044, [20, 11], 11, 28),
    (6, "~ablat", "REML", "knha", [0.812602920781, -4.10380444509], 16.8412109235, [266, 7], 7, 360),
    (7, "~ablat", "REML", "z", [-0.563100903472, -1.63751721223], 2.68146262035, [2311, 464], 464, 2520),
    (
        6,
        "~ablat + r",
        "REML",
        "knha",
        [0.305332115965, -5.71763632378, -6.63657315745],
        75.554216996,
        [640, 34, 30],
        9,
        720,
    ),
    (
        6,
        "~ablat + r",
        "HE",
        "z",
        [0.131334262288, -2.45935985555, -2.8546274505],
        27.9575949116,
        [686, 125, 135],
        9,
        720,
    ),
    (6, "~0 + r + a", "SJ", "z", [-6.22058977362, -2.67463359472], 45.8494019976, [1, 8], 1, 15),
    (8, "~0 + r + a", "REML", "knha", [-3.96359383854, -1.26773996394], 8.65862036654, [5, 22], 11, 28),
]


@pytest.mark.parametrize("case", METAFOR, ids=lambda case: f"{case[1]}-{case[2]}-{case[3]}")
def test_as_metafor(case: Any) -> None:
    # Statistics are quoted to 12 digits; p values are counts, so equal.
    k, formula, method, test, statistics, omnibus, counts, omnibus_count, arrangements = case
    found = permuted_regression(
        Y[:k], V[:k], DESIGNS[formula][:k], tested=columns_of(formula), tau2_method=method, test=TESTS[test]
    )
    assert found.exact
    assert found.arrangements == arrangements
    assert found.failed == 0
    np.testing.assert_allclose(found.statistics, statistics, rtol=1e-9)
    assert found.omnibus == pytest.approx(omnibus, rel=1e-9)
    np.testing.assert_array_equal(found.p_values, np.array(counts) / arrangements)
    assert found.omnibus_p_value == omnibus_count / arrangements


def refitted(y: Any, v: Any, x: Any, formula: str, method: str, test: str) -> Any:
    """Statistics of the coefficients and the omnibus test for designs (..., k, p), by the general kernels."""
    fit = regression(y, v, x, tau2_method=method, test=test)
    own = columns_of(formula)
    omnibus = wald_statistic(fit.coefficients[..., own], fit.covariance[..., own, :][..., own])
    statistics = fit.coefficients / np.sqrt(np.diagonal(fit.covariance, axis1=-2, axis2=-1))
    return np.concatenate([statistics, omnibus[..., None] / (1 if test == "z" else len(own))], axis=-1)


@EVERY_TEST
@pytest.mark.parametrize("formula", DESIGNS)
@pytest.mark.parametrize("method", ["REML", "DL", "PMM"])
def test_every_permutation_by_brute_force(formula: str, method: str, test: str) -> None:
    # All 6! permutations, equal ones repeated; shares of counts, so equal.
    y, v, x = Y[2:], V[2:], DESIGNS[formula][2:]
    observed = refitted(y, v, x, formula, method, test)
    orders = np.array(list(itertools.permutations(range(6))))
    every = refitted(np.tile(y, (720, 1)), np.tile(v, (720, 1)), x[orders], formula, method, test)
    extreme = np.abs(every) >= np.abs(observed) - 1e-8 * (1.0 + np.abs(observed))
    found = permuted_regression(y, v, x, tested=columns_of(formula), tau2_method=method, test=test)
    np.testing.assert_allclose([*found.statistics, found.omnibus], observed, rtol=1e-9)
    np.testing.assert_allclose([*found.p_values, found.omnibus_p_value], extreme.mean(axis=0), rtol=1e-14)


# Arrangements


@pytest.mark.parametrize(
    ("cards", "size"), [("aaaaabbb", 56), ("abcdef", 720), ("aabbc", 30), ("aaaa", 1), ("abbbbbbb", 8)]
)
def test_each_distinct_arrangement_once(cards: str, size: int) -> None:
    x = np.array([[1.0, ord(card)] for card in cards])
    deck = kernel._Deck.of(x)
    assert deck.size == distinct_arrangements(x) == size
    halves = [deck.numbered(slice(0, size // 2)), deck.numbered(slice(size // 2, size))]
    found = ["".join(cards[i] for i in rows) for rows in np.concatenate(halves)]
    assert sorted(found) == sorted(set(map("".join, itertools.permutations(cards))))


def test_rows_that_differ_by_rounding_are_the_same() -> None:
    x = np.array([[1.0, 0.3], [1.0, 0.1 + 0.2], [1.0, 0.5], [1.0, -0.0], [1.0, 0.0]])
    assert distinct_arrangements(x) == math.factorial(5) // 4


def test_one_study_apart_of_sixteen() -> None:
    # Of 16 arrangements only the observed one puts the outlying study alone.
    y = [*np.linspace(0.0, 0.3, 15), 2.0]
    x = [[1.0, float(i == 15)] for i in range(16)]
    found = permuted_regression(y, [0.01] * 16, x, tested=[1], test="knapp-hartung")
    assert found.arrangements == 16
    assert found.p_values[1] == 0.0625


@EVERY_TEST
@pytest.mark.parametrize("offset", [0.0, 100.0])
@pytest.mark.parametrize("method", ["REML", "ML", "DL", "PM"])
def test_mirror_images_are_tied(method: str, test: str, offset: float) -> None:
    # Swapping the names of two groups of four leaves |t|, so each count is even; z near 0 has few correct digits.
    rng = np.random.default_rng(3)
    for _ in range(20):
        v = rng.uniform(0.01, 0.5, 8)
        y = offset + rng.normal(0.0, np.sqrt(v + 0.1))
        x = np.stack([np.ones(8), np.repeat([0.0, 1.0], 4)], axis=1)
        found = permuted_regression(y, v, x, tested=[1], tau2_method=method, test=test)
        assert round(found.p_values[1] * 70) % 2 == 0
        assert found.p_values[1] == found.omnibus_p_value


# Random arrangements, threads and pieces


def large(k: int = 20, seed: int = 1) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    v = rng.uniform(0.01, 0.2, k)
    x = np.stack([np.ones(k), rng.normal(size=k), rng.normal(size=k)], axis=1)
    return 0.1 * x[:, 1] + rng.normal(0.0, np.sqrt(v + 0.05)), v, x


def same(one: kernel.PermutedRegression, other: kernel.PermutedRegression) -> bool:
    return all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in zip(one, other, strict=True))


def test_threads_and_pieces_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    y, v, x = large()
    options: dict[str, Any] = {"tested": [1, 2], "test": "knapp-hartung", "replicates": 2500}
    first = permuted_regression(y, v, x, **options)
    assert not first.exact
    assert first.arrangements == 2500
    assert same(first, permuted_regression(y, v, x, workers=3, **options))
    monkeypatch.setattr(kernel, "_NUMBERS_AT_ONCE", 700)
    assert same(first, permuted_regression(y, v, x, workers=2, **options))
    assert not same(first, permuted_regression(y, v, x, seed=9, **options))


def test_the_observed_rows_are_among_the_random_ones() -> None:
    # Two groups of ten that do not overlap: no random arrangement comes near.
    y = np.repeat([0.0, 5.0], 10) + np.tile(np.linspace(0.0, 0.1, 10), 2)
    x = np.stack([np.ones(20), np.repeat([0.0, 1.0], 10)], axis=1)
    found = permuted_regression(y, [0.01] * 20, x, tested=[1], replicates=500)
    assert found.p_values[1] == 1 / 500


def test_random_arrangements_approach_the_exact_test() -> None:
    y, v, x = Y[:7], V[:7], DESIGNS["~ablat + r"][:7]
    exact = permuted_regression(y, v, x, tested=[1, 2])
    assert exact.arrangements == 5040
    random = permuted_regression(y, v, x, tested=[1, 2], replicates=5000)
    assert not random.exact
    # Four binomial standard errors of 5000 draws.
    np.testing.assert_allclose(random.p_values, exact.p_values, atol=4 * np.sqrt(0.25 / 5000))


@pytest.mark.parametrize("workers", [1, 2])
def test_progress_adds_up_in_the_calling_thread(workers: int) -> None:
    y, v, x = large()
    seen: list[tuple[int, int]] = []
    permuted_regression(
        *(y, v, x),
        tested=[1],
        tau2_method="DL",
        replicates=2300,
        workers=workers,
        progress=lambda count: seen.append((count, threading.get_ident())),
    )
    assert [count for count, _ in seen] == [1000, 1000, 300]
    assert {thread for _, thread in seen} == {threading.get_ident()}


def test_an_interrupt_stops_it() -> None:
    y, v, x = large()

    def interrupt(_count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        permuted_regression(y, v, x, tested=[1], replicates=10**6, workers=2, progress=interrupt)


# Estimators, failures, degenerate effects


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_likelihood_without_the_mean_among_the_columns(method: str) -> None:
    # Effects that a column explains exactly but for noise far below their variances leave no tau2, however far their
    # mean is from 0.
    x = np.array([[44.0], [55.0], [42.0], [52.0], [13.0]])
    y = 0.5 * x[:, 0] + np.array([0.01, -0.02, 0.01, 0.02, -0.01])
    assert ESTIMATORS[method](y, np.full(5, 0.1), None, x).estimate == 0.0


@pytest.mark.parametrize("method", [*ESTIMATORS, "GENQ", "EE"])
def test_every_estimator_of_a_model(method: str) -> None:
    rng = np.random.default_rng(8)
    v = rng.uniform(0.01, 0.3, (30, 9))
    y = rng.normal(0.0, np.sqrt(v + 0.05))
    x = rng.normal(size=(30, 9, 2))
    weights = rng.uniform(0.5, 2.0, (30, 9))
    model, _ = Model.of(y, v, None, x)
    found = tau2_of(model, method, weights).estimate
    if method == "EE":
        expected = np.zeros(30)
    elif method == "GENQ":
        expected = tau2_genq(y, v, None, x, weights=weights).estimate
    else:
        expected = ESTIMATORS[method](y, v, None, x).estimate
    assert np.array_equal(found, expected)


def test_weights_of_genq_stay_with_the_effects() -> None:
    # Weights 1 / v are DerSimonian and Laird's.
    y, v, x = Y, V, DESIGNS["~r"]
    found = permuted_regression(y, v, x, tested=[1], tau2_method="GENQ", q_weights=1.0 / v)
    expected = permuted_regression(y, v, x, tested=[1], tau2_method="DL")
    np.testing.assert_allclose(found.statistics, expected.statistics, rtol=1e-12)
    assert np.array_equal(found.p_values, expected.p_values)


def test_failed_refits_count_as_extreme(monkeypatch: pytest.MonkeyPatch) -> None:
    y = [*np.linspace(0.0, 0.3, 15), 2.0]
    x = [[1.0, float(i == 15)] for i in range(16)]

    def fails(model: Model, method: str, q_weights: Any = None) -> Any:
        found = tau2_of(model, method, q_weights)
        alone = np.argmax(np.abs(model.space.x[:, 1] - np.median(model.space.x[:, 1])), axis=-1)  # type: ignore[union-attr]
        found.estimate[alone < 3] = np.nan
        return found

    monkeypatch.setattr(kernel, "tau2_of", fails)
    found = permuted_regression(y, [0.01] * 16, x, tested=[1])
    assert found.failed == 3
    assert found.p_values[1] == 4 / 16


def test_an_observed_fit_that_fails_has_no_p_value() -> None:
    y, v = [0.1, np.nan, 0.3, 0.4, 0.5], [0.1] * 5
    found = permuted_regression(y, v, [[1.0, i] for i in range(5)], tested=[1])
    assert np.isnan([*found.p_values, found.omnibus_p_value]).all()


@EVERY_TEST
def test_equal_effects_and_effects_on_a_line(test: str) -> None:
    years = np.array([0.0, 1.0, 2.0, 3.5, 5.0])
    x = np.stack([np.ones(5), years], axis=1)
    equal = permuted_regression([0.3] * 5, [0.02, 0.03, 0.01, 0.05, 0.02], x, tested=[1], test=test)
    assert equal.statistics[1] == 0.0
    assert equal.p_values[1] == equal.omnibus_p_value == 1.0
    # With equal variances no other order of five unevenly spaced years comes as near to a line.
    line = permuted_regression(0.3 + 0.1 * years, [0.02] * 5, x, tested=[1], test=test)
    assert np.isinf(line.statistics[1]) == (test == "knapp-hartung")
    assert line.p_values[1] == line.omnibus_p_value == 1 / 120


def test_what_the_kernel_refuses() -> None:
    with pytest.raises(UnknownNameError, match="unknown tau2_method 'reml'"):
        permuted_regression(Y, V, DESIGNS["~r"], tested=[1], tau2_method="reml")
    with pytest.raises(UnknownNameError, match="unknown test 'F'"):
        permuted_regression(Y, V, DESIGNS["~r"], tested=[1], test="F")
    with pytest.raises(InputError, match=r"got \(8,\), \(8,\), \(7, 2\)"):
        permuted_regression(Y, V, DESIGNS["~r"][:7], tested=[1])


# The public function


def effects(k: int = 8) -> am.EffectSizes:
    frame = pd.DataFrame({"effect": Y, "variance": V, "latitude": LATITUDE, "random": RANDOM})
    return am.effect_sizes(frame.head(k), measure="GEN")


def test_a_meta_regression() -> None:
    fit = am.meta_regression(effects(), "random")
    result = permutation_test(fit)
    assert result.names == fit.names
    assert result.exact
    assert result.arrangements == 28
    assert result.p_values == (22 / 28, 11 / 28)  # metafor's, above
    assert result.p_value("random") == result.omnibus_p_value == 11 / 28
    assert result.omnibus_statistic == pytest.approx(fit.omnibus().statistic, rel=1e-12)
    frame = result.to_frame()
    assert frame["term"].tolist() == ["intercept", "random", "omnibus"]
    assert "All 28 arrangements" in str(result)
    assert "<table" in result._repr_html_()
    assert "all moderators (F)" in result.to_markdown()
    with pytest.raises(UnknownNameError, match="latitude"):
        result.p_value("latitude")


@EVERY_TEST
def test_the_omnibus_statistic_is_that_of_the_fit(test: str) -> None:
    for formula in ("latitude + random", "0 + latitude + random"):
        fit = am.meta_regression(effects(6), formula, test=test)
        result = permutation_test(fit, n=100)
        assert not result.exact
        assert result.omnibus_statistic == pytest.approx(fit.omnibus().statistic, rel=1e-9)
        assert permutation_test(fit, n=100, exact=True).arrangements == 720
        assert result == permutation_test(fit, n=100, workers=2)


def test_a_mean_has_its_signs_flipped() -> None:
    # Five effects of one sign: 2 of 32 flips.
    made = am.effect_sizes(measure="GEN", effect=[0.3, 0.4, 0.5, 0.3, 0.4], variance=[0.01, 0.02, 0.01, 0.02, 0.01])
    result = permutation_test(am.pool(made, test="z"))
    assert result.names == ("overall",)
    assert result.p_values == (0.0625,)
    assert result.arrangements == 32
    assert repr(result) == "<PermutationResult: overall: p = .062 (all 32 arrangements, k = 5)>"
    assert result.to_frame()["term"].tolist() == ["overall"]
    assert "flips of the effects' signs" in str(result)
    alone = permutation_test(am.meta_regression(made, "1", test="z"))
    assert alone.names == ("intercept",)
    assert alone.p_values == (0.0625,)
    assert math.isnan(alone.omnibus_p_value)


def test_random_flips_and_one_study() -> None:
    rng = np.random.default_rng(2)
    made = am.effect_sizes(measure="GEN", effect=rng.normal(0.0, 0.3, 30), variance=np.full(30, 0.05))
    result = permutation_test(am.pool(made, tau2_method="DL"), n=500, seed=4)
    assert (result.exact, result.arrangements) == (False, 500)
    assert "Random 500 flips" in str(result)
    one = permutation_test(am.pool(am.effect_sizes(measure="GEN", effect=[0.3], variance=[0.1])))
    assert math.isnan(one.p_values[0])
    assert "One study" in one.notes[0]


def test_a_caveat_is_in_every_view() -> None:
    result = permutation_test(am.meta_regression(effects(), "random"))
    warned = type(result)(
        **{name: getattr(result, name) for name in result.__slots__ if name != "caveat"}, caveat="FAKE"
    )
    assert all("FAKE" in view for view in (repr(warned), str(warned), warned._repr_html_(), warned.to_markdown()))


def test_what_is_refused() -> None:
    fit = am.meta_regression(effects(), "random")
    many = am.effect_sizes(measure="GEN", effect=np.linspace(0, 1, 24), variance=np.full(24, 0.1))
    with pytest.raises(InputError, match="not EffectSizes"):
        permutation_test(effects())  # type: ignore[arg-type]
    with pytest.raises(InputError, match="exact must be 'auto' or True, not False"):
        permutation_test(fit, exact=False)  # type: ignore[arg-type]
    for name, value in (("n", 99), ("seed", -1), ("workers", 0)):
        with pytest.raises(InputError, match=f"{name} must be"):
            permutation_test(fit, **{name: value})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="asks for 16,777,216 arrangements, and at most 1,048,576"):
        permutation_test(am.pool(many), exact=True)
    frame = pd.DataFrame({"effect": np.linspace(0, 1, 20), "variance": 0.1, "year": range(20)})
    wide = am.meta_regression(am.effect_sizes(frame, measure="GEN"), "year")
    with pytest.raises(InputError, match="2,432,902,008,176,640,000 arrangements, and at most 10,000,000"):
        permutation_test(wide, exact=True)
    with pytest.raises(InputError, match="this mean has equal"):
        permutation_test(am.pool(effects(), weights="equal"))
    with pytest.raises(InputError, match="tau2_method='EE'"):
        permutation_test(am.pool(effects(), tau2_method="EE"))
