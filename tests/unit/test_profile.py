"""Profile-likelihood intervals against metafor, against 30-digit arithmetic, and on likelihoods with two maxima."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mpmath as mp  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
import pytest
from scipy import optimize

from alliance_meta.stats.profile import mean_profile_interval, tau2_profile_interval
from alliance_meta.stats.tau2 import tau2_ml, tau2_reml

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "mean_intervals.json").read_text(encoding="utf-8"))
CASES = REFERENCE["cases"]
QUANTILE = 3.841458820694124  # chi-square(1), .95

# At 95 % the values of tau2 that the full likelihood admits are those to 0.006, and those from 0.26 to 50.
IN_PIECES = ([0.4, -7.83, -3.11, 0.06], [0.001, 9.996, 1.264, 18.444])


@pytest.mark.parametrize("restricted", [False, True])
@pytest.mark.parametrize("name", list(CASES))
def test_tau2_as_metafor(name: str, restricted: bool) -> None:
    # confint(rma(yi, vi, method=), type="PL") with uniroot's tolerance at 1e-15, which is absolute: 1e-11 of the upper
    # end covers it.
    case = CASES[name]
    expected = case["profile_reml" if restricted else "profile_ml"]
    found = tau2_profile_interval(case["yi"], case["vi"], restricted=restricted)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11 * expected[1])


def height(y: list[mp.mpf], v: list[mp.mpf], tau2: mp.mpf, restricted: bool, mean: mp.mpf | None = None) -> mp.mpf:
    """Twice the log-likelihood, written out."""
    w = [1 / (x + tau2) for x in v]
    middle = sum(a * b for a, b in zip(w, y, strict=True)) / sum(w) if mean is None else mean
    squares = sum(a * (b - middle) ** 2 for a, b in zip(w, y, strict=True))
    return sum(mp.log(a) for a in w) - squares - (mp.log(sum(w)) if restricted else 0)


def top(y: list[mp.mpf], v: list[mp.mpf], near: float, restricted: bool) -> mp.mpf:
    tau2 = mp.findroot(lambda x: mp.diff(lambda t: height(y, v, t, restricted), x), near) if near > 0.0 else mp.mpf(0)
    return height(y, v, tau2, restricted)


@pytest.mark.parametrize("restricted", [False, True])
@pytest.mark.parametrize("name", ["molloy2014_ZCOR", "bcg_RR", "raudenbush1985_GEN", "hine1989_RD"])
def test_tau2_to_30_digits(name: str, restricted: bool) -> None:
    # 1e-12: the likelihood is a sum of logarithms of the size of 100, known to 1e-14.
    case = CASES[name]
    low, high = (float(x) for x in tau2_profile_interval(case["yi"], case["vi"], restricted=restricted))
    estimate = float((tau2_reml if restricted else tau2_ml)(case["yi"], case["vi"]).estimate)
    with mp.workdps(30):
        y, v = [mp.mpf(x) for x in case["yi"]], [mp.mpf(x) for x in case["vi"]]
        floor = top(y, v, estimate, restricted) - 2 * mp.erfinv(mp.mpf("0.95")) ** 2

        def spare(tau2: mp.mpf) -> mp.mpf:
            return height(y, v, tau2, restricted) - floor

        assert high == pytest.approx(float(mp.findroot(spare, high)), rel=1e-12)
        if low > 0.0:
            assert low == pytest.approx(float(mp.findroot(spare, low)), rel=1e-12)
        else:
            assert spare(mp.mpf(0)) >= 0


@pytest.mark.parametrize("name", ["molloy2014_ZCOR", "bcg_RR", "raudenbush1985_GEN", "normand1999_SMD"])
def test_mean_to_30_digits(name: str) -> None:
    # Two equations at each end: the likelihood is at its floor, and has no slope in tau2. 1e-12 of the width.
    case = CASES[name]
    low, high = (float(x) for x in mean_profile_interval(case["yi"], case["vi"]))
    estimate = float(tau2_ml(case["yi"], case["vi"]).estimate)
    with mp.workdps(30):
        y, v = [mp.mpf(x) for x in case["yi"]], [mp.mpf(x) for x in case["vi"]]
        floor = top(y, v, estimate, False) - 2 * mp.erfinv(mp.mpf("0.95")) ** 2

        def equations(mean: mp.mpf, tau2: mp.mpf) -> list[mp.mpf]:
            slope = mp.diff(lambda t: height(y, v, t, False, mean), tau2)
            return [height(y, v, tau2, False, mean) - floor, slope]

        for end in (low, high):
            solved = mp.findroot(equations, (end, 1.5 * estimate))
            assert abs(end - float(solved[0])) <= 1e-12 * (high - low)


def plain(y: Any, v: Any, mean: float) -> float:
    """Twice the log-likelihood of a mean, maximised over tau2 by scipy from the best point of a grid."""

    def twice(tau2: float) -> float:
        return float((np.log(v + tau2) + (y - mean) ** 2 / (v + tau2)).sum())

    grid = np.concatenate([[0.0], np.geomspace(1e-6, 1e3, 400)])
    best = int(np.argmin([twice(x) for x in grid]))
    around = grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)]
    inner = optimize.minimize_scalar(twice, bounds=around, method="bounded", options={"xatol": 1e-12})
    return -min(twice(0.0), float(inner.fun))


@pytest.mark.parametrize("name", ["hine1989_RD", "hart1999_IRR", "lee2004_OR", "linde2005_RR"])
def test_mean_as_scipy(name: str) -> None:
    # With tau2 at 0 at the estimate (the first two), and not. scipy's minimum is flat to about 1e-8 in tau2, its
    # height good to 1e-12, so the ends to about 1e-9 of the width.
    y, v = (np.array(CASES[name][key]) for key in ("yi", "vi"))
    low, high = (float(x) for x in mean_profile_interval(y, v))
    peak = optimize.minimize_scalar(
        lambda m: -plain(y, v, m), bounds=(low, high), method="bounded", options={"xatol": 1e-12}
    )
    floor = -float(peak.fun) - QUANTILE
    for inside, outside, found in ((peak.x, low - (high - low), low), (peak.x, high + (high - low), high)):
        end = optimize.brentq(lambda m: plain(y, v, m) - floor, inside, outside, xtol=1e-13)
        assert abs(end - found) <= 1e-9 * (high - low)


def profile_on(y: Any, v: Any, tau2: npt.NDArray[np.float64], restricted: bool) -> npt.NDArray[np.float64]:
    w = 1.0 / (np.asarray(v) + tau2[:, None])
    mean = (w * y).sum(axis=-1) / w.sum(axis=-1)
    twice = np.log(w).sum(axis=-1) - (w * (np.asarray(y) - mean[:, None]) ** 2).sum(axis=-1)
    return np.asarray(twice - restricted * np.log(w.sum(axis=-1)))


def test_where_the_admitted_values_lie_in_pieces_the_interval_reaches_over_all() -> None:
    # Against a plain grid, whose points are 1.0002 apart.
    grid = np.concatenate([[0.0], np.geomspace(1e-7, 1e4, 130_000)])
    heights = profile_on(*IN_PIECES, grid, False)
    admitted = np.flatnonzero(heights.max() - heights <= QUANTILE)
    assert (np.diff(admitted) > 1).any(), "the example no longer is one"
    low, high = tau2_profile_interval(*IN_PIECES, restricted=False)
    np.testing.assert_allclose([low, high], grid[admitted[[0, -1]]], rtol=2e-4)


@pytest.mark.parametrize("restricted", [False, True])
def test_wild_variances_as_a_plain_grid(restricted: bool) -> None:
    # Variances over five orders of magnitude, where likelihoods have several maxima. 3e-4 is the grid's step.
    random = np.random.default_rng(3)
    v = 10 ** random.uniform(-3, 2, (40, 5))
    y = random.standard_normal((40, 5)) * np.sqrt(v + random.choice([0.0, 0.01, 1.0], (40, 1)))
    low, high = tau2_profile_interval(y, v, restricted=restricted)
    grid = np.concatenate([[0.0], np.geomspace(1e-8, 1e8, 125_000)])
    for row in range(40):
        heights = profile_on(y[row], v[row], grid, restricted)
        admitted = np.flatnonzero(heights.max() - heights <= QUANTILE)
        np.testing.assert_allclose([low[row], high[row]], grid[admitted[[0, -1]]], rtol=3e-4, atol=1e-8)


def test_mean_of_wild_variances_as_a_plain_grid() -> None:
    # The same for the mean, the likelihood maximised over a grid of tau2; 1.05 steps of the grid of means.
    random = np.random.default_rng(4)
    v = 10 ** random.uniform(-3, 2, (40, 5))
    y = random.standard_normal((40, 5)) * np.sqrt(v + random.choice([0.0, 0.01, 1.0], (40, 1)))
    low, high = mean_profile_interval(y, v)
    tau2 = np.concatenate([[0.0], np.geomspace(1e-5, 1e5, 1500)])
    for row in range(40):
        total = v[row, :, None] + tau2
        logs = np.log(total).sum(axis=0)
        around = 0.3 * (high[row] - low[row])
        means = np.linspace(low[row] - around, high[row] + around, 801)
        heights = np.array([-(logs + ((y[row, :, None] - m) ** 2 / total).sum(axis=0)).min() for m in means])
        admitted = means[heights.max() - heights <= QUANTILE]
        step = means[1] - means[0]
        np.testing.assert_allclose([low[row], high[row]], admitted[[0, -1]], rtol=0, atol=1.05 * step)


def test_ends_of_the_design_with_moderators_are_at_the_floor() -> None:
    # The likelihood written out with matrices; 1e-9 in a likelihood of the size of 10.
    case = REFERENCE["with_moderators"]
    y, v = np.array(case["yi"]), np.array(case["vi"])
    x = np.column_stack([np.ones(13), np.reshape(case["mods"], (2, 13)).T])

    def twice(tau2: float, restricted: bool) -> float:
        w = np.diag(1.0 / (v + tau2))
        cross = x.T @ w @ x
        e = y - x @ np.linalg.solve(cross, x.T @ w @ y)
        return float(np.log(np.diag(w)).sum() - e @ w @ e - restricted * np.linalg.slogdet(cross)[1])

    for restricted, estimator in ((False, tau2_ml), (True, tau2_reml)):
        peak = twice(float(estimator(y, v, design=x).estimate), restricted)
        low, high = (float(end) for end in tau2_profile_interval(y, v, design=x, restricted=restricted))
        assert peak - twice(high, restricted) == pytest.approx(QUANTILE, abs=1e-9)
        if low > 0.0:
            assert peak - twice(low, restricted) == pytest.approx(QUANTILE, abs=1e-9)
        else:
            assert peak - twice(0.0, restricted) <= QUANTILE


def test_scale_and_offset() -> None:
    # Effects in thousandths and 1,000 away from 0: 1e-9, for an offset of 1,000 costs effects four digits of sixteen.
    y, v = np.array(CASES["bcg_RR"]["yi"]), np.array(CASES["bcg_RR"]["vi"])
    for restricted in (False, True):
        there = np.array(tau2_profile_interval(y, v, restricted=restricted))
        here = np.array(tau2_profile_interval(1e-3 * y + 1.0, 1e-6 * v, restricted=restricted))
        np.testing.assert_allclose(here, 1e-6 * there, rtol=1e-9)
    mean = np.array(mean_profile_interval(y, v))
    np.testing.assert_allclose(mean_profile_interval(1e-3 * y + 1.0, 1e-6 * v), 1e-3 * mean + 1.0, rtol=1e-11)


def test_equal_effects() -> None:
    # tau2 = 0; with equal variances v the mean's likelihood at distance d has tau2 = max(0, d^2 - v) and the drop
    # k (log(d^2 / v) + 1) beyond d^2 = v: d^2 = v exp(quantile / k - 1) for quantile > k, else v quantile / k.
    y, v = np.full(3, 0.5), np.full(3, 0.2)
    low, high = mean_profile_interval(y, v)
    d = np.sqrt(0.2 * np.exp(QUANTILE / 3.0 - 1.0))
    np.testing.assert_allclose([low, high], [0.5 - d, 0.5 + d], rtol=1e-12)
    low, high = mean_profile_interval(np.full(8, 0.5), np.full(8, 0.2))
    d = np.sqrt(0.2 * QUANTILE / 8.0)
    np.testing.assert_allclose([low, high], [0.5 - d, 0.5 + d], rtol=1e-12)
    # tau2: the drop of the full likelihood is 3 log((v + tau2) / v), of the restricted one 2 log(...).
    for restricted, n in ((False, 3.0), (True, 2.0)):
        low, high = tau2_profile_interval(y, v, restricted=restricted)
        assert float(low) == 0.0
        assert float(high) == pytest.approx(0.2 * np.expm1(QUANTILE / n), rel=1e-12)


def test_two_studies() -> None:
    # Equal variances v, effects d apart: REML has the one residual d / sqrt(2), of variance v + tau2, so with its
    # maximum at v + tau2 = d^2 / 2 the ends solve log u + 1 / u = 1 + quantile, u = (v + tau2) / (d^2 / 2).
    v, d = 0.1, 4.0
    low, high = tau2_profile_interval([1.0, 1.0 + d], [v, v], restricted=True)
    ends = [
        optimize.brentq(lambda u: np.log(u) + 1.0 / u - 1.0 - QUANTILE, *around) for around in ((0.01, 1), (1, 1e4))
    ]
    np.testing.assert_allclose([low, high], [u * d**2 / 2.0 - v for u in ends], rtol=1e-11)
    mean = mean_profile_interval([1.0, 1.0 + d], [v, v])
    assert float(mean[0] + mean[1]) == pytest.approx(2.0 + d, rel=1e-12)
    assert float(mean[0]) < 1.0 < 5.0 < float(mean[1])


def test_too_few_studies_and_nan_give_nan() -> None:
    for restricted in (False, True):
        assert np.isnan(tau2_profile_interval([0.4], [0.1], restricted=restricted)).all()
        ends = np.array(tau2_profile_interval([[0.4, np.nan], [0.4, 0.8]], [0.1, 0.1], restricted=restricted))
        assert np.isnan(ends[:, 0]).all()
        assert np.isfinite(ends[:, 1]).all()
    assert np.isnan(mean_profile_interval([0.4], [0.1])).all()
    ends = np.array(mean_profile_interval([[0.4, np.nan], [0.4, 0.8]], [0.1, 0.1]))
    assert np.isnan(ends[:, 0]).all()
    assert np.isfinite(ends[:, 1]).all()


def test_batches_and_inclusion() -> None:
    y = np.array([[0.1, 0.3, 0.9, np.nan], [0.2, 0.1, -0.4, 0.3]])
    v = np.array([[0.02, 0.03, 0.05, np.nan], [0.2, 0.1, 0.4, 0.3]])
    include = [[1, 1, 1, 0], [1, 1, 1, 1]]
    mean = np.array(mean_profile_interval(y, v, 0.9, include))
    tau2 = np.array(tau2_profile_interval(y, v, 0.9, include, restricted=True))
    for row, kept in ((0, 3), (1, 4)):
        one = y[row, :kept], v[row, :kept], 0.9
        np.testing.assert_allclose(mean[:, row], mean_profile_interval(*one), rtol=1e-12)
        np.testing.assert_allclose(tau2[:, row], tau2_profile_interval(*one, restricted=True), rtol=1e-12)
