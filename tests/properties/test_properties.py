"""What holds for every set of effects. Estimators are checked against slow, obvious ones written here."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

import alliance_meta as am
from alliance_meta.results import TAU2_METHODS, TESTS
from alliance_meta.stats import conversions, heterogeneity, tau2, weighted

METHODS = tuple(method for method in TAU2_METHODS if method != "GENQ")  # which needs weights of its own
Array = npt.NDArray[np.float64]

SETTINGS = settings(deadline=None, derandomize=True, max_examples=60)
EVERY_METHOD = pytest.mark.parametrize("method", METHODS)


@st.composite
def studies(draw: st.DrawFn, smallest: int = 2, largest: int = 12) -> tuple[Array, Array]:
    """Effects within -3 and 3 and variances within 0.001 and 1, rounded, so that ties and equal rows happen."""
    k = draw(st.integers(smallest, largest))
    effect = draw(st.lists(st.integers(-3000, 3000), min_size=k, max_size=k))
    variance = draw(st.lists(st.integers(1, 1000), min_size=k, max_size=k))
    return np.array(effect) / 1000.0, np.array(variance) / 1000.0


def fit_of(y: Array, v: Array, method: str = "REML", test: str = "knapp-hartung") -> am.PooledEffect:
    return am.pool(am.effect_sizes(measure="GEN", effect=y, variance=v), tau2_method=method, test=test)


def log_likelihood(y: Array, v: Array, t: float) -> float:
    """Restricted log-likelihood of tau2, from the density of the effects and the determinant of the mean."""
    total = v + t
    mean = np.sum(y / total) / np.sum(1.0 / total)
    return float(np.sum(stats.norm.logpdf(y, mean, np.sqrt(total))) - 0.5 * np.log(np.sum(1.0 / total)))


def q_at(y: Array, v: Array, t: float) -> float:
    weight = 1.0 / (v + t)
    return float(np.sum(weight * (y - np.sum(weight * y) / np.sum(weight)) ** 2))


def peaks(y: Array, v: Array) -> list[float]:
    """Heights of the restricted likelihood's maxima over a grid of tau2, highest first."""
    total = v + np.concatenate([[0.0], np.geomspace(1e-6, 50.0, 400)])[:, None]
    mean = (y / total).sum(axis=1) / (1.0 / total).sum(axis=1)
    logs = -0.5 * (np.log(total) + (y - mean[:, None]) ** 2 / total).sum(axis=1)
    padded = np.pad(logs - 0.5 * np.log((1.0 / total).sum(axis=1)), 1, constant_values=-math.inf)
    inner = padded[1:-1]
    return sorted(inner[(padded[:-2] < inner) & (inner > padded[2:])].tolist(), reverse=True)


def one_peaked(y: Array, v: Array, method: str = "REML") -> bool:
    """Whether no other maximum is nearly as high, so that rounding cannot choose between two estimates."""
    if method != "REML":
        return True
    heights = peaks(y, v)
    return len(heights) == 1 or heights[0] - heights[1] > 1e-4


def close(left: float, right: float, scale: float = 1.0) -> bool:
    return math.isclose(left, right, rel_tol=1e-6, abs_tol=1e-8 * scale)


@EVERY_METHOD
@SETTINGS
@given(data=studies(), shift=st.integers(-1000, 1000))
def test_adding_a_constant_moves_the_estimate_and_leaves_tau2(
    method: str, data: tuple[Array, Array], shift: int
) -> None:
    y, v = data
    assume(one_peaked(y, v, method))
    fit, moved = fit_of(y, v, method), fit_of(y + shift, v, method)
    assert close(moved.tau2, fit.tau2)
    assert close(moved.estimate, fit.estimate + shift, scale=abs(shift) + 1.0)
    assert close(moved.std_error, fit.std_error, scale=abs(shift) + 1.0)


@SETTINGS
@given(data=studies())
def test_a_million_added_to_effects_leaves_reml_alone(data: tuple[Array, Array]) -> None:
    y, v = data
    assume(one_peaked(y, v))
    y = np.round(y * 2.0**20) / 2.0**20  # so that adding a million is exact
    alone, moved = (tau2.tau2_reml(effect, v).estimate for effect in (y, y + 1e6))
    assert math.isclose(alone, moved, rel_tol=1e-6, abs_tol=1e-10)


@EVERY_METHOD
@SETTINGS
@given(data=studies(), factor=st.sampled_from([-100.0, -1.0, -0.01, 0.001, 0.1, 2.0, 7.0, 1000.0]))
def test_other_units_scale_everything(method: str, data: tuple[Array, Array], factor: float) -> None:
    y, v = data
    assume(one_peaked(y, v, method))
    fit, scaled = fit_of(y, v, method), fit_of(y * factor, v * factor**2, method)
    assert close(scaled.tau2 / factor**2, fit.tau2)
    assert close(scaled.estimate / factor, fit.estimate)
    assert close(scaled.std_error / abs(factor), fit.std_error)
    assert close(scaled.q_statistic, fit.q_statistic)
    assert close(scaled.i2, fit.i2, scale=100.0)
    low, high = sorted(bound / factor for bound in scaled.confidence_interval())
    assert close(low, fit.confidence_interval().low)
    assert close(high, fit.confidence_interval().high)
    for ours, theirs in zip(scaled.tau2_interval(), fit.tau2_interval(), strict=True):
        assert close(ours / factor**2, theirs)


@EVERY_METHOD
@SETTINGS
@given(data=studies(), seed=st.integers(0, 99))
def test_the_order_of_the_studies_does_not_matter(method: str, data: tuple[Array, Array], seed: int) -> None:
    y, v = data
    assume(one_peaked(y, v, method))
    order = np.random.default_rng(seed).permutation(len(y))
    fit, shuffled = fit_of(y, v, method), fit_of(y[order], v[order], method)
    for name, value in fit.quantities().items():
        other = shuffled.quantities()[name]
        if name in ("statistic", "p_value") and fit.std_error < 1e-12:
            continue  # identical effects: a quotient of rounding errors
        assert (math.isnan(value) and math.isnan(other)) or close(value, other, scale=100.0), name


@EVERY_METHOD
@SETTINGS
@given(data=studies(smallest=1))
def test_the_estimate_is_among_the_effects_and_tau2_is_not_negative(method: str, data: tuple[Array, Array]) -> None:
    y, v = data
    fit = fit_of(y, v, method)
    assert y.min() - 1e-12 <= fit.estimate <= y.max() + 1e-12
    assert fit.tau2 >= 0.0 or (math.isnan(fit.tau2) and len(y) == 1)
    assert fit.q_statistic >= 0.0


@SETTINGS
@given(data=studies(), parts=st.integers(2, 4))
def test_splitting_each_study_into_identical_parts_keeps_the_equal_effects_mean(
    data: tuple[Array, Array], parts: int
) -> None:
    y, v = data
    whole = fit_of(y, v, "EE", "z")
    split = fit_of(np.tile(y, parts), np.tile(v * parts, parts), "EE", "z")
    assert close(split.estimate, whole.estimate)
    assert close(split.std_error, whole.std_error)
    assert close(split.q_statistic, whole.q_statistic)


@SETTINGS
@given(data=studies(), level=st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99]))
def test_q_meets_its_quantiles_at_the_bounds_of_tau2(data: tuple[Array, Array], level: float) -> None:
    y, v = data
    low, high = (float(bound) for bound in heterogeneity.q_profile_interval(y, v, level))
    assert 0.0 <= low <= high
    df = len(y) - 1
    for bound, tail in ((low, (1.0 + level) / 2.0), (high, (1.0 - level) / 2.0)):
        quantile = float(stats.chi2.ppf(tail, df))
        if bound > 0.0:
            assert math.isclose(q_at(y, v, bound), quantile, rel_tol=1e-8)
        else:
            assert q_at(y, v, 0.0) <= quantile * (1.0 + 1e-9)


@SETTINGS
@given(data=studies(), level=st.sampled_from([0.5, 0.8, 0.95]))
def test_the_interval_of_tau2_holds_the_value_where_q_is_its_median(data: tuple[Array, Array], level: float) -> None:
    y, v = data
    low, high = (float(bound) for bound in heterogeneity.q_profile_interval(y, v, level))
    inner_low, inner_high = (float(bound) for bound in heterogeneity.q_profile_interval(y, v, 1e-9))
    assert low <= inner_low * (1.0 + 1e-9)
    assert inner_high <= high * (1.0 + 1e-9)
    assert inner_high - inner_low <= 1e-6 * (1.0 + inner_high)


@SETTINGS
@given(r=st.floats(-0.9999, 0.9999), n=st.integers(4, 10**6))
def test_fishers_z_goes_back_to_its_correlation(r: float, n: int) -> None:
    effects = am.effect_sizes(measure="ZCOR", r=[r], n=[n])
    assert float(effects.measure.to_display(effects.effect)[0]) == pytest.approx(r, rel=1e-11, abs=1e-15)
    assert float(conversions.z_to_r(conversions.r_to_z(r))) == pytest.approx(r, rel=1e-11, abs=1e-15)
    shown = am.pool(effects, test="z").on_display_scale()
    assert shown.estimate == pytest.approx(r, rel=1e-11, abs=1e-15)
    assert -1.0 <= shown.ci_low <= shown.estimate <= shown.ci_high <= 1.0


@pytest.mark.parametrize("test", TESTS)
@SETTINGS
@given(data=studies(smallest=3), levels=st.lists(st.floats(0.01, 0.999), min_size=2, max_size=2, unique=True))
def test_intervals_nest_with_their_level(test: str, data: tuple[Array, Array], levels: list[float]) -> None:
    fit = fit_of(*data, test=test)
    inner, outer = sorted(levels)
    for ask in (fit.confidence_interval, fit.prediction_interval, fit.tau2_interval):
        narrow, wide = ask(inner), ask(outer)
        slack = 1e-9 * (1.0 + abs(narrow.high))
        assert wide.low - slack <= narrow.low <= narrow.high <= wide.high + slack


@pytest.mark.parametrize("test", TESTS)
@EVERY_METHOD
@SETTINGS
@given(data=studies(smallest=3), level=st.sampled_from([0.5, 0.9, 0.95]))
def test_a_prediction_interval_is_at_least_as_wide_as_a_confidence_interval_with_its_t(
    method: str, test: str, data: tuple[Array, Array], level: float
) -> None:
    fit = fit_of(*data, method, test)
    low, high = fit.prediction_interval(level)
    half = float(stats.t.ppf(0.5 + level / 2.0, fit.k - 2)) * fit.std_error
    assert high - low >= 2.0 * half * (1.0 - 1e-9)
    confidence = fit.confidence_interval(level)
    own = fit.prediction_interval(level, method="metafor")
    assert own.low <= confidence.low + 1e-12
    assert own.high >= confidence.high - 1e-12


@SETTINGS
@given(data=studies())
def test_no_tau2_is_likelier_than_reml(data: tuple[Array, Array]) -> None:
    y, v = data
    estimate = float(tau2.tau2_reml(y, v).estimate)
    height = log_likelihood(y, v, estimate)
    spread = float(np.var(y, ddof=1))
    for other in [0.0, *np.geomspace(1e-8, 2.0 * spread + 1.0, 300), estimate * 0.999, estimate * 1.001]:
        assert height >= log_likelihood(y, v, float(other)) - 1e-9 * (1.0 + abs(height)), other


@SETTINGS
@given(data=studies(), variance=st.integers(1, 3000))
def test_with_equal_variances_every_estimator_has_its_closed_form(data: tuple[Array, Array], variance: int) -> None:
    y, v = data[0], np.full(len(data[0]), variance / 1000.0)
    between = max(0.0, float(np.var(y, ddof=1)) - variance / 1000.0)
    for method in ("REML", "DL"):
        fit = fit_of(y, v, method, "z")
        assert math.isclose(fit.tau2, between, rel_tol=1e-9, abs_tol=1e-12)
        assert math.isclose(fit.estimate, float(np.mean(y)), rel_tol=1e-12, abs_tol=1e-14)
        assert math.isclose(fit.std_error, math.sqrt((variance / 1000.0 + between) / len(y)), rel_tol=1e-9)


@SETTINGS
@given(data=studies())
def test_with_equal_variances_knapp_hartung_is_the_t_test_of_the_effects(data: tuple[Array, Array]) -> None:
    # Whatever tau2 is: weights are equal, so the standard error is the sample's s / sqrt(k).
    y = data[0]
    assume(np.ptp(y) > 0.0)
    expected = stats.ttest_1samp(y, 0.0)
    for method in METHODS:
        fit = fit_of(y, np.full(len(y), 0.04), method)
        assert math.isclose(fit.statistic, float(expected.statistic), rel_tol=1e-8, abs_tol=1e-9)
        assert math.isclose(fit.p_value, float(expected.pvalue), rel_tol=1e-7, abs_tol=1e-12)


@SETTINGS
@given(data=studies(smallest=3), mask=st.lists(st.booleans(), min_size=12, max_size=12))
def test_leaving_studies_out_by_mask_is_dropping_them(data: tuple[Array, Array], mask: list[bool]) -> None:
    y, v = data
    keep = np.array(mask[: len(y)])
    assume(keep.sum() >= 1)
    assume(keep.sum() < 2 or one_peaked(y[keep], v[keep]))
    masked = np.where(keep, y, np.nan)
    for estimator in (tau2.tau2_reml, tau2.tau2_dl):
        one, other = estimator(masked, v, keep), estimator(y[keep], v[keep])
        np.testing.assert_allclose(one.estimate, other.estimate, rtol=1e-9, atol=1e-12)
        assert bool(one.converged) == bool(other.converged) is True
    for ours, theirs in (
        (weighted.weighted_mean(masked, v, 0.3, keep), weighted.weighted_mean(y[keep], v[keep], 0.3)),
        (heterogeneity.cochran_q(masked, v, keep), heterogeneity.cochran_q(y[keep], v[keep])),
        (heterogeneity.inconsistency_from_tau2(0.3, v, keep), heterogeneity.inconsistency_from_tau2(0.3, v[keep])),
        (
            heterogeneity.q_profile_interval(masked, v, 0.9, keep),
            heterogeneity.q_profile_interval(y[keep], v[keep], 0.9),
        ),
    ):
        np.testing.assert_allclose(np.array(ours), np.array(theirs), rtol=1e-9, atol=1e-12)


@SETTINGS
@given(sets=st.lists(studies(smallest=5, largest=5), min_size=1, max_size=6))
def test_many_fits_at_once_are_the_same_as_one_by_one(sets: list[tuple[Array, Array]]) -> None:
    y, v = np.stack([data[0] for data in sets]), np.stack([data[1] for data in sets])
    reml, dl = tau2.tau2_reml(y, v).estimate, tau2.tau2_dl(y, v).estimate
    low, high = heterogeneity.q_profile_interval(y, v)
    for i in range(len(sets)):
        np.testing.assert_allclose(reml[i], tau2.tau2_reml(y[i], v[i]).estimate, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(dl[i], tau2.tau2_dl(y[i], v[i]).estimate, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose((low[i], high[i]), heterogeneity.q_profile_interval(y[i], v[i]), rtol=1e-12)
