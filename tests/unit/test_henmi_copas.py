"""Henmi and Copas's interval against metafor, against 20-digit arithmetic from the covariance matrix, and its edges."""

from __future__ import annotations

import json
from pathlib import Path

import mpmath as mp  # type: ignore[import-untyped]
import numpy as np
import pytest

from alliance_meta.stats.henmi_copas import henmi_copas

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "mean_intervals.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", list(REFERENCE["cases"]))
def test_metafor(name: str) -> None:
    # Relative to the estimate's distance from 0 or the interval's width, whichever is larger. 1e-7: metafor's hc()
    # integrates with R's default tolerance, which cannot be set; 20 digits (below) are on our side by up to 1e-8.
    case = REFERENCE["cases"][name]
    estimate, std_error, low, high, tau2 = case["henmi_copas"]
    fit = henmi_copas(case["yi"], case["vi"])
    np.testing.assert_allclose([fit.estimate, fit.std_error], [estimate, std_error], rtol=1e-13)
    np.testing.assert_allclose(fit.tau2, tau2, rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose([fit.low, fit.high], [low, high], rtol=0, atol=1e-7 * (high - low))


def mpmath_quantile(variance: list[float], tau2: float, tail: str) -> mp.mpf:
    """The pivot's quantile, with the moments of Q given R from the conditional covariance matrix written out."""
    v, t2 = [mp.mpf(x) for x in variance], mp.mpf(tau2)
    k, w = len(v), [1 / x for x in v]
    w1, w2 = sum(w), sum(x * x for x in w)
    sd = mp.sqrt(1 + t2 * w2 / w1)
    total = [1 + t2 * x for x in w]
    with_r = [mp.sqrt(x) * d / mp.sqrt(w1) for x, d in zip(w, total, strict=True)]
    cells = [(i, j) for i in range(k) for j in range(k)]
    cov = {(i, j): (total[i] if i == j else 0) - with_r[i] * with_r[j] / sd**2 for i, j in cells}
    trace, squares = sum(cov[i, i] for i in range(k)), sum(cov[cell] ** 2 for cell in cells)
    mean = [x / sd**2 for x in with_r]
    shift, bent = sum(x * x for x in mean), sum(mean[i] * cov[i, j] * mean[j] for i, j in cells)
    share = w2 / (w1**2 - w2)

    def exceeded(t: mp.mpf) -> mp.mpf:
        def integrand(r: mp.mpf) -> mp.mpf:
            expected, variance = trace + (shift - 1) * r**2, 2 * squares + 4 * bent * r**2
            q = ((r / t) ** 2 - 1) / share + k - 1
            below = mp.gammainc(expected**2 / variance, 0, q * expected / variance, regularized=True)
            return below * mp.npdf(r, 0, sd)

        return mp.quad(integrand, [t, t * mp.mpf("1.2"), t + sd, t + 3 * sd, t + 6 * sd, t + 12 * sd]) - mp.mpf(tail)

    high = 2 * sd
    return mp.findroot(exceeded, (high / 20, high), solver="anderson", tol=1e-19, verify=False)


@pytest.mark.parametrize("name", ["hackshaw1998_GEN", "normand1999_SMD", "hine1989_RD"])
def test_20_digits(name: str) -> None:
    # 1e-12: Gauss's rule and the root are exact to rounding; the half-width of 96 and of 768 nodes differs by 1e-13.
    case = REFERENCE["cases"][name]
    fit = henmi_copas(case["yi"], case["vi"])
    with mp.workdps(20):
        quantile = mpmath_quantile(case["vi"], float(fit.tau2), "0.025")
    assert float(fit.high - fit.estimate) == pytest.approx(float(quantile * float(fit.std_error)), rel=1e-12)


def test_the_interval_covers_by_simulation() -> None:
    # 2,000 sets of 10 studies at tau2 = 0.1: a 95 % interval covers 0.95 +- 0.0049 (one standard error). Henmi and
    # Copas found theirs to be near, not at, its level: within 0.03.
    random = np.random.default_rng(7)
    v = random.uniform(0.02, 0.3, (2000, 10))
    fit = henmi_copas(random.standard_normal(v.shape) * np.sqrt(v + 0.1), v)
    assert abs(((fit.low < 0.0) & (fit.high > 0.0)).mean() - 0.95) < 0.03


@pytest.mark.parametrize("k", [2, 20_000])
def test_few_and_many_studies(k: int) -> None:
    # Many studies know tau2, so the pivot is normal (1.9599...) but for terms of order 1 / k; with two, tau2 is cut at
    # 0 or overestimated, so its quantile is not above the normal one times the deviation's true spread.
    random = np.random.default_rng(5)
    v = random.uniform(0.01, 0.1, k)
    fit = henmi_copas(random.standard_normal(k) * np.sqrt(v + 0.05), v)
    quantile = (fit.high - fit.estimate) / fit.std_error
    if k == 2:
        spread = fit.std_error * np.sqrt((1.0 / v).sum())
        assert 0.0 < quantile <= 1.959963984540054 * spread
    else:
        assert quantile == pytest.approx(1.959963984540054, rel=1e-3)


def test_equal_effects() -> None:
    fit = henmi_copas([0.4, 0.4, 0.4], [0.1, 0.2, 0.3])
    assert float(fit.tau2) == 0.0
    assert float(fit.estimate) == pytest.approx(0.4, rel=1e-15)
    assert float(fit.high - 0.4) == pytest.approx(float(0.4 - fit.low), rel=1e-14)
    assert float(fit.std_error) == pytest.approx((10.0 + 5.0 + 10.0 / 3.0) ** -0.5, rel=1e-14)


def test_too_few_studies_and_nan_give_nan() -> None:
    assert np.isnan(henmi_copas([0.4], [0.1])).all()
    fit = henmi_copas([[0.4, np.nan], [0.4, 0.8]], [0.1, 0.1])
    assert np.isnan(np.array(fit)[:, 0]).all()
    assert np.isfinite(np.array(fit)[:, 1]).all()


def test_batches_and_inclusion() -> None:
    y = np.array([[0.1, 0.3, 0.9, np.nan], [0.2, 0.1, -0.4, 0.3]])
    v = np.array([[0.02, 0.03, 0.05, np.nan], [0.2, 0.1, 0.4, 0.3]])
    both = henmi_copas(y, v, 0.9, [[1, 1, 1, 0], [1, 1, 1, 1]])
    for row, kept in ((0, 3), (1, 4)):
        one = henmi_copas(y[row, :kept], v[row, :kept], 0.9)
        np.testing.assert_allclose(np.array(both)[:, row], np.array(one), rtol=1e-13)


def test_a_higher_level_is_wider() -> None:
    width = [
        float(np.subtract(*henmi_copas([0.1, 0.3, 0.9], [0.02, 0.03, 0.05], level)[3:1:-1])) for level in (0.5, 0.9)
    ]
    assert 0.0 < width[0] < width[1]
