"""Pooling against metafor's stored numbers, against 50 digits, against statsmodels, and against itself in batches."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from itertools import product
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from statsmodels.stats.meta_analysis import combine_effects  # type: ignore[import-untyped]
from tests.reference import agreement

import alliance_meta as am
from alliance_meta.stats import heterogeneity, tau2, weighted

FloatArray = npt.NDArray[np.float64]

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "pooling.json").read_text(encoding="utf-8"))
CASES: dict[str, Any] = {case["name"]: case for case in REFERENCE["cases"]}

WEIGHTED: dict[str, Any] = {case["name"]: case for case in REFERENCE["weighted"]}

# Where metafor's number is not right to 1e-9: its restricted likelihood is lower than ours, by this much. Everything
# else agrees to 1e-9, and nothing is exempt from the check against 50 digits. See tests/reference/README.md.
METAFOR_IS_LOWER = {
    "two_maxima_metafor_at_the_far_one": 0.732039,
    "two_maxima_metafor_at_zero_k5": 0.992403,
    "two_maxima_metafor_at_zero_k6": 0.105255,
    "random85_k6_wild_tau2x5": 0.000183848,
}
METAFOR_DOES_NOT_CONVERGE = [("random117_k3_wild_tau2x10000", "ML")]


# ---------------------------------------------------------------- metafor


@pytest.mark.parametrize("name", CASES)
def test_every_number_agrees_with_metafor(name: str) -> None:
    case = CASES[name]
    for fit in agreement.fits_of(case):
        what = f"{name}, {fit['method']}, {fit['test']}"
        verdict = agreement.judge(case["yi"], case["vi"], fit)
        assert not verdict.wrong, f"{what} (ours, metafor's, with 50 digits): {verdict.wrong}"
        lower = fit["method"] == "REML" and name in METAFOR_IS_LOWER
        assert bool(verdict.metafor_off) == lower, f"{what}: {verdict}"
        assert not verdict.short_of_zero or fit["method"] in ("REML", "ML", "EB"), f"{what}: {verdict}"


@pytest.mark.parametrize("name", WEIGHTED)
def test_every_number_with_other_weights_agrees_with_metafor(name: str) -> None:
    """Weights of the mean (n, or all the same), of the generalised Q (n, 1 / sqrt(v)), and of both."""
    case = WEIGHTED[name]
    for fit in agreement.fits_of(case):
        verdict = agreement.judge(case["yi"], case["vi"], fit)
        what = f"{name}, {fit['method']}, {fit['test']}: {verdict}"
        assert not verdict.wrong, what
        assert not verdict.metafor_off, what


@pytest.mark.parametrize("name", METAFOR_IS_LOWER)
def test_where_metafor_ends_in_a_lower_maximum_ours_is_higher(name: str) -> None:
    case = CASES[name]
    theirs = next(fit["tau2"] for fit in case["fits"] if fit["method"] == "REML")
    mine = agreement.ours(case["yi"], case["vi"], "REML", "z")["tau2"]
    peaks = agreement.maxima(case["yi"], case["vi"])
    assert len(peaks) == 2
    set_to_0 = theirs == 0.0 and "Setting tau^2 = 0" in " ".join(case["metafor_warnings"])
    assert set_to_0 or any(theirs == pytest.approx(peak, rel=1e-9, abs=0.0) for peak in peaks)
    heights = [agreement.log_likelihood(case["yi"], case["vi"], value) for value in (mine, theirs)]
    assert heights[0] - heights[1] == pytest.approx(METAFOR_IS_LOWER[name], rel=1e-5)  # six digits are noted above


def test_every_fit_is_there_but_one_that_metafor_does_not_find() -> None:
    lost = [(name, method) for name, case in CASES.items() for method in case["not_converged"]]
    assert lost == METAFOR_DOES_NOT_CONVERGE
    assert sum(len(fit["tests"]) for case in CASES.values() for fit in case["fits"]) == (len(CASES) * 13 - 1) * 4
    assert sum(len(list(agreement.fits_of(case))) for case in WEIGHTED.values()) == 28 * (2 * 3 + 4) * 4
    assert tuple(REFERENCE["test_numbers"]) == agreement.TEST_NUMBERS


@pytest.mark.parametrize(("name", "method"), METAFOR_DOES_NOT_CONVERGE)
def test_where_metafor_does_not_converge_ours_is_right(name: str, method: str) -> None:
    yi, vi = CASES[name]["yi"], CASES[name]["vi"]
    for test in agreement.TESTS:
        mine, truth = (numbers(yi, vi, method, test) for numbers in (agreement.ours, agreement.exact))
        assert not agreement.differing(mine, truth, agreement.RTOL), test


@pytest.mark.parametrize("method", agreement.METHODS)
def test_a_number_off_by_more_than_the_tolerance_is_noticed(method: str) -> None:
    case = CASES["molloy2014_ZCOR"]
    fit = next(fit for fit in agreement.fits_of(case) if fit["method"] == method)
    right = agreement.ours(case["yi"], case["vi"], fit["method"], fit["test"])
    theirs = agreement.metafors(fit)
    for name in agreement.QUANTITIES:
        if right[name] != 0.0 and np.isfinite(theirs[name]):
            off = {**right, name: right[name] * (1.0 + 2.0 * agreement.RTOL)}
            assert list(agreement.judge(case["yi"], case["vi"], fit, off).wrong) == [name]


def test_a_lower_maximum_of_ours_would_be_noticed() -> None:
    case = CASES["two_maxima_zero_is_higher"]
    fit = next(fit for fit in agreement.fits_of(case) if fit["method"] == "REML")
    lower = max(agreement.maxima(case["yi"], case["vi"]))
    right = agreement.ours(case["yi"], case["vi"], "REML", fit["test"])
    assert "tau2" in agreement.judge(case["yi"], case["vi"], fit, {**right, "tau2": lower}).wrong


@pytest.mark.parametrize("method", agreement.METHODS)
def test_the_interval_of_tau2_does_not_depend_on_the_estimator(method: str) -> None:
    """So `agreement.ours` takes it once a set."""
    low, high = am.pool(_case_effects("bcg_RR"), tau2_method=method).tau2_interval(0.95)
    assert (low, high) == (_close(CASES["bcg_RR"]["tau2_lb"]), _close(CASES["bcg_RR"]["tau2_ub"]))


def _case_effects(name: str) -> am.EffectSizes:
    return am.effect_sizes(measure="GEN", effect=CASES[name]["yi"], variance=CASES[name]["vi"])


def _close(expected: float) -> Any:
    return pytest.approx(expected, rel=1e-9, abs=0.0)


def test_molloy2014_reml() -> None:
    # dat <- escalc(measure="ZCOR", ri=ri, ni=ni, data=dat.molloy2014)
    # fit <- rma(yi, vi, data=dat, method="REML", control=list(threshold=1e-12, maxiter=1000))
    # confint(fit, control=list(tol=1e-13, maxiter=10000))
    row = next(row for row in REFERENCE["escalc"] if row["n"][:3] == [109, 749, 55])
    fit = am.pool(am.effect_sizes(measure="ZCOR", r=row["r"], n=row["n"]), tau2_method="REML", test="z")
    assert fit.tau2 == _close(0.00810956082430392)
    assert fit.estimate == _close(0.1499171485175)
    assert fit.std_error == _close(0.0315599601659938)
    assert tuple(fit.tau2_interval(0.95)) == (_close(0.00169517401313937), _close(0.03777089841269056))


def test_bcg_dersimonian_laird() -> None:
    # dat <- escalc(measure="RR", ai=tpos, bi=tneg, ci=cpos, di=cneg, data=dat.bcg)
    # rma(yi, vi, data=dat, method="DL"); rma(yi, vi, data=dat, method="DL", test="knha")
    fit = am.pool(_case_effects("bcg_RR"), tau2_method="DL", test="z")
    assert fit.tau2 == _close(0.308760262862376)
    assert fit.estimate == _close(-0.714117222073227)
    knapp_hartung = am.pool(_case_effects("bcg_RR"), tau2_method="DL", test="knapp-hartung")
    assert knapp_hartung.std_error == _close(0.180696628335547)
    assert tuple(knapp_hartung.confidence_interval(0.95)) == (_close(-1.10782135416833), _close(-0.320413089978125))


@pytest.mark.parametrize(
    ("dataset", "measure", "method", "printed"),
    [
        # rma(yi, vi, method="DL"), predict(transf=transf.ztor) for ZCOR
        ("kolden2011", "COR", "DL", (0.244, 0.107, 0.382)),
        ("kolden2011", "ZCOR", "DL", (0.250, 0.118, 0.373)),
        ("farber_doolin2011", "ZCOR", "DL", (0.271, 0.159, 0.376)),  # 0.376498 in metafor too
        ("farber_doolin2011", "ZCOR", "REML", (0.271, 0.159, 0.377)),
    ],
)
def test_own_data_on_the_scale_of_r(
    dataset: str, measure: str, method: str, printed: tuple[float, float, float]
) -> None:
    fit = am.pool(am.effect_sizes(am.datasets.load(dataset), measure=measure), tau2_method=method, test="z")
    shown = fit.on_display_scale(0.95)
    assert (round(shown.estimate, 3), round(shown.ci_low, 3), round(shown.ci_high, 3)) == printed


@pytest.mark.parametrize("row", REFERENCE["escalc"], ids=lambda row: f"{row['measure']}-k{len(row['yi'])}")
def test_effects_and_variances_agree_with_escalc(row: dict[str, Any]) -> None:
    r, n, g, n1, n2 = (row.get(name) for name in ("r", "n", "g", "n1", "n2"))
    effects = am.effect_sizes(measure=row["measure"], r=r, n=n, g=g, n1=n1, n2=n2)
    np.testing.assert_allclose(effects.variance, row["vi"], rtol=1e-14, atol=0.0)
    np.testing.assert_allclose(effects.effect, row["yi"], rtol=1e-14, atol=1e-16)


# ---------------------------------------------------------------- 50 digits


def _small_sets() -> list[tuple[list[float], list[float]]]:
    rng = np.random.default_rng(2011)
    sets = []
    for k, spread, heterogeneity_ in zip(
        (2, 3, 3, 4, 4, 5, 6, 6, 7, 8, 9, 10), (0.0, 0.7, 3.0) * 4, (0.0, 1.0, 30.0, 0.2) * 3, strict=True
    ):
        v = 0.05 * np.exp(rng.normal(0.0, spread, k))
        y = rng.normal(0.3, np.sqrt(v + heterogeneity_ / np.mean(1.0 / v)))
        sets.append(([float(f"{x:.5g}") for x in y], [float(f"{x:.5g}") for x in v]))
    return sets


# How to weight: the model's own weights, and two other ways.
OTHER_WEIGHTS: list[tuple[str, Any, Any]] = [("REML", "n", None), ("HE", "equal", None), ("GENQ", None, "n")]


@pytest.mark.parametrize("number", range(12))
def test_every_number_agrees_with_50_digits(number: int) -> None:
    # Measured: 7e-13 for a bound of -0.0014, 5e-14 for p = 3e-30, 2e-14 for Q's p value, below 1e-14 for the rest.
    yi, vi = _small_sets()[number]
    sizes = [20.0 + 7.0 * i for i in range(len(yi))]
    ways = [(method, None, None) for method in agreement.METHODS] + OTHER_WEIGHTS
    for (method, weights, q_weights), test in product(ways, agreement.TESTS):
        how = (method, test, *(sizes if given == "n" else given for given in (weights, q_weights)))
        mine, truth = agreement.ours(yi, vi, *how), agreement.exact(yi, vi, *how)
        off = agreement.differing(mine, truth, agreement.EXACT_RTOL)
        assert not off, f"{how}: {[(name, mine[name], truth[name]) for name in off]}, {yi=}, {vi=}"


@pytest.mark.parametrize("restricted", [True, False])
def test_the_slope_of_50_digits_is_that_of_the_likelihood(restricted: bool) -> None:
    """What `agreement.maxima` finds is higher than what lies next to it."""
    for yi, vi in _small_sets():
        for peak in agreement.maxima(yi, vi, restricted=restricted):
            at, *beside = (
                agreement.log_likelihood(yi, vi, value, restricted=restricted)
                for value in (peak, peak * 0.999, peak * 1.001 + 1e-6)
            )
            assert at >= max(beside)


# ---------------------------------------------------------------- statsmodels


@pytest.mark.parametrize(
    "name", ["bcg_RR", "kolden2011_ZCOR", "farber_doolin2011_COR", "munder2012_SMD", "linde2005_RR"]
)
def test_moment_estimates_agree_with_statsmodels(name: str) -> None:
    yi, vi = np.array(CASES[name]["yi"]), np.array(CASES[name]["vi"])
    for use_t, test in ((False, "z"), (True, "t")):
        theirs = combine_effects(yi, vi, method_re="dl", use_t=use_t)
        random = am.pool(_case_effects(name), tau2_method="DL", test=test)
        equal = am.pool(_case_effects(name), tau2_method="EE", test=test)
        assert random.tau2 == _close(float(theirs.tau2))
        assert random.q_statistic == _close(float(theirs.q))
        assert (random.estimate, random.std_error) == (_close(theirs.mean_effect_re), _close(theirs.sd_eff_w_re))
        assert (equal.estimate, equal.std_error) == (_close(theirs.mean_effect_fe), _close(theirs.sd_eff_w_fe))
        fixed_hk, random_hk = (
            am.pool(_case_effects(name), tau2_method=method, test="knapp-hartung") for method in ("EE", "DL")
        )
        assert fixed_hk.std_error == _close(theirs.sd_eff_w_fe_hksj)
        assert random_hk.std_error == _close(theirs.sd_eff_w_re_hksj)
        fixed_ci, random_ci, fixed_hk_ci, random_hk_ci = theirs.conf_int()
        for fit, interval in ((equal, fixed_ci), (random, random_ci)):
            assert tuple(fit.confidence_interval(0.95)) == (_close(interval[0]), _close(interval[1]))
        if use_t:
            for fit, interval in ((fixed_hk, fixed_hk_ci), (random_hk, random_hk_ci)):
                assert tuple(fit.confidence_interval(0.95)) == (_close(interval[0]), _close(interval[1]))


# ---------------------------------------------------------------- batches

Kernel = Callable[[FloatArray, FloatArray, FloatArray | None], dict[str, npt.NDArray[Any]]]


def _weighted_mean(y: FloatArray, v: FloatArray, include: FloatArray | None) -> dict[str, npt.NDArray[Any]]:
    return dict(weighted.weighted_mean(y, v, include=include)._asdict())


def _weighted_mean_at_dl(y: FloatArray, v: FloatArray, include: FloatArray | None) -> dict[str, npt.NDArray[Any]]:
    mean = weighted.weighted_mean(y, v, tau2.tau2_dl(y, v, include).estimate, include)
    factors = {f"factor{adhoc}": weighted.knapp_hartung_factor(mean, adhoc=adhoc) for adhoc in (False, True)}
    return {**mean._asdict(), **factors}


def _dl(y: FloatArray, v: FloatArray, include: FloatArray | None) -> dict[str, npt.NDArray[Any]]:
    return dict(tau2.tau2_dl(y, v, include)._asdict())


def _reml(y: FloatArray, v: FloatArray, include: FloatArray | None) -> dict[str, npt.NDArray[Any]]:
    return dict(tau2.tau2_reml(y, v, include)._asdict())


def _heterogeneity(y: FloatArray, v: FloatArray, include: FloatArray | None) -> dict[str, npt.NDArray[Any]]:
    cochran = heterogeneity.cochran_q(y, v, include)
    from_q = heterogeneity.inconsistency_from_q(cochran)
    from_tau2 = heterogeneity.inconsistency_from_tau2(tau2.tau2_dl(y, v, include).estimate, v, include)
    return {**cochran._asdict(), "i2_q": from_q.i2, "h2_q": from_q.h2, "i2": from_tau2.i2, "h2": from_tau2.h2}


def _q_profile(y: FloatArray, v: FloatArray, include: FloatArray | None) -> dict[str, npt.NDArray[Any]]:
    low, high = heterogeneity.q_profile_interval(y, v, 0.95, include)
    return {"low": low, "high": high}


KERNELS: list[Kernel] = [_weighted_mean, _weighted_mean_at_dl, _dl, _reml, _heterogeneity, _q_profile]
TELLS_NOTHING_OF_ONE = [_dl, _reml, _q_profile]


@cache
def _batch(shape: tuple[int, ...]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Effects, variances and inclusion; some rows all excluded, some with one included, some complete."""
    rng = np.random.default_rng(20)
    v = 0.05 * np.exp(rng.normal(0.0, 0.8, shape))
    y = rng.normal(0.3, np.sqrt(v + 0.1 * rng.integers(0, 2, (*shape[:-1], 1))))
    include = (rng.random(shape) < 0.7).astype(float)
    rows = include.reshape(-1, shape[-1])
    rows[0], rows[1], rows[2], rows[3] = 0.0, 1.0, 0.0, 0.0
    rows[2, 4], rows[3, -1] = 1.0, 1.0
    return y, v, include


def _assert_rows_equal_single_fits(
    kernel: Kernel, y: FloatArray, v: FloatArray, include: FloatArray, got: dict[str, npt.NDArray[Any]]
) -> None:
    for row in np.ndindex(*include.shape[:-1]):
        used = include[row] == 1.0
        if not used.any():
            assert all(np.isnan(values[row]) for name, values in got.items() if name not in _DEFINED_WHEN_EMPTY), row
            continue
        alone = kernel(y[row][used], v[row][used], None)
        for name, values in got.items():
            assert values.shape == include.shape[:-1], name
            np.testing.assert_allclose(values[row], alone[name], rtol=1e-12, atol=1e-15, err_msg=f"{name} of {row}")


# Counts, and the flag that a closed form or an empty fit always converges.
_DEFINED_WHEN_EMPTY = {"k", "q_df", "converged"}


@pytest.mark.parametrize("shape", [(40, 12), (4, 10, 12)], ids=str)
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.__name__.strip("_"))
def test_a_batch_equals_the_loop_of_single_fits(kernel: Kernel, shape: tuple[int, ...]) -> None:
    y, v, include = _batch(shape)
    _assert_rows_equal_single_fits(kernel, y, v, include, kernel(y, v, include))


@pytest.mark.parametrize("left_out", [np.nan, np.inf, -1.0, 0.0])
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.__name__.strip("_"))
def test_what_stands_in_excluded_places_does_not_matter(kernel: Kernel, left_out: float) -> None:
    y, v, include = _batch((40, 12))
    clean = kernel(y, v, include)
    dirty = kernel(np.where(include == 1.0, y, left_out), np.where(include == 1.0, v, left_out), include)
    for name, values in clean.items():
        np.testing.assert_array_equal(dirty[name], values, err_msg=name)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.__name__.strip("_"))
def test_leave_one_out_of_one_set_is_one_call(kernel: Kernel) -> None:
    y, v, _ = _batch((40, 12))
    include = 1.0 - np.eye(12)
    got = kernel(y[5], v[5], include)
    wide = np.broadcast_to(y[5], (12, 12)), np.broadcast_to(v[5], (12, 12))
    _assert_rows_equal_single_fits(kernel, *wide, include, got)


@pytest.mark.parametrize("kernel", TELLS_NOTHING_OF_ONE, ids=lambda kernel: kernel.__name__.strip("_"))
def test_one_included_effect_tells_nothing_of_tau2(kernel: Kernel) -> None:
    y, v, include = _batch((40, 12))
    alone = include.sum(axis=-1) == 1.0
    assert alone.sum() >= 2
    for name, values in kernel(y, v, include).items():
        assert name == "converged" or all(isnan(value) for value in values[alone]), name


def test_many_fits_in_one_call_do_not_touch_each_other() -> None:
    """A row that needs many steps, or ends at 0, leaves its neighbours as they would be alone."""
    cases = [case for case in CASES.values() if len(case["yi"]) <= 50]
    width = max(len(case["yi"]) for case in cases)
    y, v, include = (
        np.full((len(cases), width), np.nan),
        np.full((len(cases), width), np.nan),
        np.zeros((len(cases), width)),
    )
    for row, case in enumerate(cases):
        k = len(case["yi"])
        y[row, :k], v[row, :k], include[row, :k] = case["yi"], case["vi"], 1.0
    _assert_rows_equal_single_fits(_reml, y, v, include, _reml(y, v, include))
    _assert_rows_equal_single_fits(_q_profile, y, v, include, _q_profile(y, v, include))
