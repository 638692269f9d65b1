"""Pooling against metafor's stored numbers, against 50 digits, against statsmodels, and against itself in batches."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
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

# Where metafor's number is not right to 1e-9. Everything else agrees to 1e-9, and nothing is exempt from the
# check against 50 digits. See tests/reference/README.md.
METAFOR_IN_LOWER_MAXIMUM = {
    "two_maxima_metafor_at_the_far_one",
    "two_maxima_metafor_at_zero_k5",
    "two_maxima_metafor_at_zero_k6",
}
METAFOR_STOPS_SHORT_OF_ZERO = {
    "random07_k6_mild_tau2x0.5",
    "random11_k10_wild_tau2x0",
    "random25_k4_wild_agreeing",
}


# ---------------------------------------------------------------- metafor


@pytest.mark.parametrize("name", CASES)
def test_every_number_agrees_with_metafor(name: str) -> None:
    case = CASES[name]
    for fit in case["fits"]:
        what = f"{name}, {fit['method']}, {fit['test']}"
        verdict = agreement.judge(case["yi"], case["vi"], fit)
        assert not verdict.wrong, f"{what} (ours, metafor's, with 50 digits): {verdict.wrong}"
        reml = fit["method"] == "REML"
        assert bool(verdict.metafor_off) == (reml and name in METAFOR_IN_LOWER_MAXIMUM), f"{what}: {verdict}"
        assert verdict.short_of_zero == (reml and name in METAFOR_STOPS_SHORT_OF_ZERO), f"{what}: {verdict}"


@pytest.mark.parametrize("name", sorted(METAFOR_IN_LOWER_MAXIMUM))
def test_where_metafor_ends_in_a_lower_maximum_ours_is_higher(name: str) -> None:
    case = CASES[name]
    theirs = next(fit["tau2"] for fit in case["fits"] if fit["method"] == "REML")
    mine = agreement.ours(case["yi"], case["vi"], "REML", "z")["tau2"]
    peaks = agreement.maxima(case["yi"], case["vi"])
    assert len(peaks) == 2
    assert any(theirs == pytest.approx(peak, rel=1e-9, abs=0.0) for peak in peaks)
    heights = [agreement.log_likelihood(case["yi"], case["vi"], value) for value in (mine, theirs)]
    assert heights[0] > heights[1] + 0.05


def test_metafor_converged_everywhere() -> None:
    assert [case["name"] for case in CASES.values() if case["not_converged"]] == []
    assert all(len(case["fits"]) == len(agreement.METHODS) * len(agreement.TESTS) for case in CASES.values())


def test_a_number_off_by_more_than_the_tolerance_is_noticed() -> None:
    case = CASES["molloy2014_ZCOR"]
    fit = case["fits"][0]
    right = agreement.ours(case["yi"], case["vi"], fit["method"], fit["test"])
    for name in agreement.QUANTITIES:
        if name != "ddf":
            off = {**right, name: right[name] * (1.0 + 2.0 * agreement.RTOL)}
            assert list(agreement.judge(case["yi"], case["vi"], fit, off).wrong) == [name]


def test_a_lower_maximum_of_ours_would_be_noticed() -> None:
    case = CASES["two_maxima_zero_is_higher"]
    fit = next(fit for fit in case["fits"] if fit["method"] == "REML")
    lower = max(agreement.maxima(case["yi"], case["vi"]))
    right = agreement.ours(case["yi"], case["vi"], "REML", fit["test"])
    assert "tau2" in agreement.judge(case["yi"], case["vi"], fit, {**right, "tau2": lower}).wrong


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


@pytest.mark.parametrize("number", range(12))
def test_every_number_agrees_with_50_digits(number: int) -> None:
    yi, vi = _small_sets()[number]
    for method in agreement.METHODS:
        for test in agreement.TESTS:
            mine, truth = (numbers(yi, vi, method, test) for numbers in (agreement.ours, agreement.exact))
            off = agreement.differing(mine, truth, agreement.EXACT_RTOL)
            assert not off, f"{method}, {test}: {[(name, mine[name], truth[name]) for name in off]}, {yi=}, {vi=}"


# The likelihood of these has two maxima, and the higher lies far below the spread of the effects.
@pytest.mark.parametrize(
    ("yi", "vi"),
    [
        ([-20.35182, -0.290345, 0.019483, -0.002013], [452.854, 0.0143341, 0.000104439, 3.03473e-05]),
        ([12.017267, -2.836607, -0.00366, 0.054435], [177.949, 0.850827, 4.70778e-06, 0.00141258]),
    ],
)
def test_reml_finds_a_higher_maximum_that_is_small_beside_the_spread(yi: list[float], vi: list[float]) -> None:
    assert len(agreement.maxima(yi, vi)) == 2
    assert agreement.ours(yi, vi, "REML", "z")["tau2"] == _close(agreement.exact(yi, vi, "REML", "z")["tau2"])


# One imprecise outlier far from two precise studies: rounding in the score must not keep REML from stopping.
@pytest.mark.parametrize(
    ("yi", "vi"),
    [
        (
            [5.3721677676857205, -0.04992464535715217, 0.016029712597630977],
            [79.23684901484356, 0.002635806120149529, 0.0012873816467453144],
        ),
        (
            [-9.205023119991278, -0.1023437885205101, -0.052066327384889415],
            [19.783546373517837, 0.00010582579918494572, 0.0015083403841462853],
        ),
    ],
)
def test_reml_stops_where_rounding_ends_the_climb(yi: list[float], vi: list[float]) -> None:
    assert agreement.ours(yi, vi, "REML", "z")["tau2"] == _close(agreement.exact(yi, vi, "REML", "z")["tau2"])


def test_reml_does_not_stop_at_a_step_that_rounding_in_the_likelihood_shortened() -> None:
    yi = [
        *(-0.02130082069983359, -0.06675606846418776, -0.021057050179483658, 0.4085625008992421, 0.0640621561678096),
        *(4.039034624188375, 21.326306792933753, -0.19941401617866633, -0.012276035672867475, 16.97099588865976),
    ]
    vi = [
        *(0.000544093370134199, 0.000979077937746401, 0.002760827066584156, 0.023209086517118463),
        *(0.029919025938131037, 110.53661853640385, 383.21285330222184, 0.026351565082021418),
        *(1.044900351953035e-06, 107.55262736448286),
    ]
    assert agreement.ours(yi, vi, "REML", "z")["tau2"] == _close(agreement.exact(yi, vi, "REML", "z")["tau2"])


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
