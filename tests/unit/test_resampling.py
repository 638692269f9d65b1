"""Permutation tests against metafor and against loops; bootstraps: reproducible, and right in distribution."""

from __future__ import annotations

import itertools
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.stats.resampling import (
    Bootstrap,
    case_bootstrap,
    parametric_bootstrap,
    percentile_interval,
    permutation_interval,
    permutation_test,
)
from alliance_meta.stats.tau2 import ESTIMATORS, tau2_reml
from alliance_meta.stats.weighted import weighted_mean

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "mean_intervals.json").read_text(encoding="utf-8"))
BCG = REFERENCE["cases"]["bcg_RR"]
Y, V = np.array(BCG["yi"]), np.array(BCG["vi"])
TESTS = {"z": "z", "knha": "knapp-hartung"}


@pytest.mark.parametrize("case", REFERENCE["permutations"], ids=lambda case: f"{case['k']}-{case['method']}")
def test_permutations_as_metafor(case: Any) -> None:
    # permutest(rma(..., control=list(threshold=1e-10)), exact=TRUE, permci=, control=list(tol=1e-6)): the p value is a
    # count, equal to the last flip; 1e-6 is the tolerance with which uniroot looks for the ends.
    k, options = case["k"], {"tau2_method": case["method"], "test": TESTS[case["test"]]}
    result = permutation_test(Y[:k], V[:k], **options)
    assert result.exact
    assert result.replicates == 2**k
    assert result.failed == 0
    assert result.statistic == pytest.approx(case["statistic"], rel=1e-9)
    assert result.p_value == pytest.approx(case["p_value"], rel=1e-14)
    if case["interval"] is not None:
        interval = permutation_interval(Y[:k], V[:k], **options)
        np.testing.assert_allclose(interval[:2], case["interval"], rtol=0, atol=2e-6)


def statistic(y: Any, v: Any) -> float:
    mean = weighted_mean(y, v, tau2_reml(y, v).estimate)
    return float(mean.estimate / mean.std_error)


def test_every_flip_by_a_loop() -> None:
    # Counts, so equal; 0.3 is a null value with its own flips.
    for null in (0.0, -0.3):
        deviation = Y[:6] - null
        observed = abs(statistic(deviation, V[:6]))
        flips = [np.array(signs) for signs in itertools.product([1.0, -1.0], repeat=6)]
        extreme = [abs(statistic(signs * deviation, V[:6])) >= observed * (1 - 1e-9) for signs in flips]
        assert permutation_test(Y[:6], V[:6], null=null).p_value == np.mean(extreme)


@pytest.mark.parametrize("test", ["z", "knapp-hartung", "knapp-hartung-adhoc"])
@pytest.mark.parametrize("replicates", [10_000, 300])
def test_the_ends_of_the_interval_are_where_the_p_value_crosses(test: str, replicates: int) -> None:
    # Exact flips and random ones; 1e-6 to each side is more than the tolerance of 1e-8 standard errors. A p value of
    # exactly 0.1 rejects, though 1 - 0.9 is a little less.
    options: dict[str, Any] = {"tau2_method": "DL", "test": test, "replicates": replicates}
    interval = permutation_interval(Y[:9], V[:9], 0.9, **options)
    assert interval.exact == (replicates > 512)
    for end, outward in ((interval.low, -1e-6), (interval.high, 1e-6)):
        inside, outside = (permutation_test(Y[:9], V[:9], null=end + x, **options) for x in (-outward, outward))
        assert inside.p_value > 0.1 + 1e-9
        assert outside.p_value <= 0.1 + 1e-9


def test_a_z_and_a_t_statistic_are_the_same() -> None:
    assert permutation_test(Y[:8], V[:8], test="t") == permutation_test(Y[:8], V[:8], test="z")


def test_the_observed_effects_are_among_the_random_flips() -> None:
    # All effects far above 0: nothing but they, and their mirror image if drawn, is as extreme.
    y, v = np.full(40, 5.0) + np.linspace(-0.1, 0.1, 40), np.full(40, 0.01)
    result = permutation_test(y, v, replicates=200)
    assert (result.exact, result.replicates, result.p_value) == (False, 200, 1 / 200)


def test_random_flips_approach_the_exact_test() -> None:
    # p of 4,096 flips and of 4,000 random ones of them: a share's standard error is below 0.008, 0.03 is four of them.
    y, v = Y[1:13] + 0.5, V[1:13]
    exact = permutation_test(y, v, tau2_method="DL", replicates=4096)
    chance = permutation_test(y, v, tau2_method="DL", replicates=4000, seed=3)
    assert exact.exact
    assert not chance.exact
    assert chance.p_value == pytest.approx(exact.p_value, abs=0.03)
    assert chance.p_value != permutation_test(y, v, tau2_method="DL", replicates=4000, seed=4).p_value


def test_too_few_studies_to_reject_have_an_infinite_interval() -> None:
    # 2 of 2**5 flips are 0.0625.
    assert permutation_interval(Y[:5], V[:5])[:2] == (-np.inf, np.inf)
    assert np.isfinite(permutation_interval(Y[:6], V[:6])[:2]).all()
    assert np.isfinite(permutation_interval(Y[:5], V[:5], 0.9)[:2]).all()


def test_equal_effects() -> None:
    result = permutation_test(np.ones(8), np.ones(8), test="knapp-hartung")
    assert (result.statistic, result.p_value) == (np.inf, 2 / 256)
    assert permutation_test(np.ones(8), np.ones(8), null=1.0).p_value == 1.0
    np.testing.assert_allclose(permutation_interval(np.ones(8), np.ones(8))[:2], 1.0, atol=1e-7)


@pytest.mark.parametrize(
    ("y", "v"), [([], []), ([1.0], [1.0]), ([1.0, np.nan], [1.0, 1.0]), ([1.0, 2.0], [1.0, np.nan])]
)
def test_too_few_studies_and_nan_give_nan(y: list[float], v: list[float]) -> None:
    result = permutation_test(y, v)
    assert np.isnan([result.statistic, result.p_value]).all()
    assert np.isnan(permutation_interval(y, v)[:2]).all()
    draws = parametric_bootstrap(y, v, replicates=10)
    assert np.isnan(draws.estimate).all()
    assert draws.failed == 10
    assert np.isnan(percentile_interval(draws.estimate)).all()


def test_left_out_effects_do_not_matter() -> None:
    y, v = np.append(Y[:7], np.nan), np.append(V[:7], np.nan)
    include = [1] * 7 + [0]
    assert permutation_test(y, v, include) == permutation_test(Y[:7], V[:7])
    assert permutation_interval(y, v, 0.9, include) == permutation_interval(Y[:7], V[:7], 0.9)
    for bootstrap in (parametric_bootstrap, case_bootstrap):
        same(bootstrap(y, v, include, replicates=50), bootstrap(Y[:7], V[:7], replicates=50))


def same(one: Bootstrap, other: Bootstrap) -> None:
    np.testing.assert_array_equal(one.estimate, other.estimate)
    np.testing.assert_array_equal(one.tau2, other.tau2)


@pytest.mark.parametrize("bootstrap", [parametric_bootstrap, case_bootstrap])
def test_bootstraps_do_not_depend_on_threads_and_continue_a_series(bootstrap: Any) -> None:
    many = bootstrap(Y, V, replicates=3500, workers=1)
    same(many, bootstrap(Y, V, replicates=3500, workers=3))
    fewer = bootstrap(Y, V, replicates=1200)
    np.testing.assert_array_equal(fewer.estimate, many.estimate[:1200])
    assert not np.array_equal(fewer.estimate, bootstrap(Y, V, replicates=1200, seed=1).estimate)


def test_permutations_do_not_depend_on_threads() -> None:
    assert permutation_test(Y, V, tau2_method="DL", workers=3) == permutation_test(Y, V, tau2_method="DL")


def test_case_bootstrap_by_a_loop() -> None:
    # The documented stream: one child of the seed for each 1,000 replicates. 1e-13: sums over k in another order.
    draws = case_bootstrap(Y, V, replicates=1003, seed=5)
    streams = [np.random.default_rng(child) for child in np.random.SeedSequence(5).spawn(2)]
    chosen = np.concatenate([streams[0].integers(0, 13, (1000, 13)), streams[1].integers(0, 13, (3, 13))])
    for i in (0, 17, 999, 1000, 1002):
        y, v = Y[chosen[i]], V[chosen[i]]
        tau2 = tau2_reml(y, v).estimate
        assert draws.tau2[i] == pytest.approx(float(tau2), rel=1e-12)
        assert draws.estimate[i] == pytest.approx(float(weighted_mean(y, v, tau2).estimate), rel=1e-12)


def test_parametric_bootstrap_has_the_distribution_of_the_model() -> None:
    # With the Hedges-Olkin estimator and equal variances v, the estimate is a plain mean: normal with the variance
    # (v + tau2) / k; and tau2 + v is s2, whose mean is v + tau2. 40,000 draws: five standard errors each.
    v = np.full(12, 0.01)
    y = Y[:12]
    tau2 = y.var(ddof=1) - 0.01
    draws = parametric_bootstrap(y, v, tau2_method="HE", replicates=40_000)
    sd = np.sqrt((0.01 + tau2) / 12)
    assert draws.failed == 0
    assert draws.estimate.mean() == pytest.approx(y.mean(), abs=5 * sd / 200)
    assert draws.estimate.std() == pytest.approx(sd, rel=5 / np.sqrt(80_000))
    assert (draws.tau2 + 0.01).mean() == pytest.approx(tau2 + 0.01, rel=5 * np.sqrt(2 / 11) / 200)


@pytest.mark.parametrize("method", list(ESTIMATORS))
def test_every_estimator(method: str) -> None:
    draws = parametric_bootstrap(Y, V, tau2_method=method, replicates=200)
    assert np.isfinite(draws.estimate).all()
    assert (draws.tau2 >= 0.0).all()
    assert 0.0 < permutation_test(Y[:6], V[:6], tau2_method=method).p_value <= 1.0


def test_percentile_interval_leaves_out_failures() -> None:
    values = [*range(101), np.nan, np.nan]
    np.testing.assert_allclose(percentile_interval(values, 0.9), [5.0, 95.0], rtol=1e-14)


@pytest.mark.parametrize("workers", [1, 2])
def test_progress_adds_up_in_the_calling_thread(workers: int) -> None:
    finished: list[int] = []
    threads = set()

    def progress(count: int) -> None:
        finished.append(count)
        threads.add(threading.get_ident())

    parametric_bootstrap(Y, V, tau2_method="DL", replicates=2500, workers=workers, progress=progress)
    assert finished == [1000, 1000, 500]
    finished.clear()
    permutation_test(Y, V, tau2_method="DL", workers=workers, progress=progress)
    assert sum(finished) == 2**13
    assert threads == {threading.get_ident()}


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupt_stops_it(workers: int) -> None:
    # A million refits would take seconds; those begun when it comes are finished, the others dropped.
    before = threading.active_count()
    calls: list[int] = []

    def interrupt(count: int) -> None:
        calls.append(count)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        parametric_bootstrap(Y, V, replicates=1_000_000, workers=workers, progress=interrupt)
    assert calls == [1000]
    assert threading.active_count() == before


def test_what_is_refused() -> None:
    for function in (permutation_test, permutation_interval, parametric_bootstrap, case_bootstrap):
        with pytest.raises(UnknownNameError, match=r"unknown tau2_method 'reml'\. Known: REML, ML"):
            function(Y, V, tau2_method="reml")
        with pytest.raises(InputError, match=r"one set of effects, of shape \(k,\); got shape \(2, 13\)"):
            function(np.stack([Y, Y]), V)
    with pytest.raises(UnknownNameError, match=r"unknown test 'knha'\. Known: z, t"):
        permutation_test(Y, V, test="knha")
