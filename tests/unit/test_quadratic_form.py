"""Weighted sums of chi-square variables against closed forms and a series in 60 and more digits, and against R."""

from __future__ import annotations

from typing import Any

import mpmath  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from alliance_meta.stats.quadratic_form import weighted_chi2_cdf, weighted_chi2_sf

FloatArray = npt.NDArray[np.float64]


def exact_of_pairs(q: float, weights: FloatArray) -> tuple[float, float]:
    """P(Q <= q) and P(Q > q) where each weight comes twice: a sum of exponential variables, by partial fractions."""
    with mpmath.workdps(400):  # the terms alternate, and cancel by hundreds of digits
        w = [mpmath.mpf(x) for x in weights.tolist()]
        upper = mpmath.mpf(0)
        for i, own in enumerate(w):
            others = mpmath.fprod(own / (own - other) for j, other in enumerate(w) if j != i)
            upper += others * mpmath.exp(-mpmath.mpf(q) / (2 * own))
        return float(1 - upper), float(upper)


def ruben_series(q: float, weights: FloatArray) -> tuple[float, float]:
    """P(Q <= q) and P(Q > q) by Ruben's mixture of chi-square distributions, to 60 digits."""
    with mpmath.workdps(60):
        w = [mpmath.mpf(x) for x in weights.tolist()]
        least, half = min(w), mpmath.mpf(len(w)) / 2
        away = [1 - least / x for x in w]
        powers = [mpmath.mpf(1)] * len(w)
        mixture = [mpmath.sqrt(mpmath.fprod(least / x for x in w))]
        sums: list[Any] = []
        y = mpmath.mpf(q) / (2 * least)
        lower, left = mpmath.mpf(0), mpmath.mpf(1)
        while left > mpmath.mpf(10) ** -40:
            lower += mixture[-1] * mpmath.gammainc(half + len(mixture) - 1, 0, y, regularized=True)
            left -= mixture[-1]
            powers = [p * a for p, a in zip(powers, away, strict=True)]
            sums.append(mpmath.fsum(powers))
            n = len(mixture)
            mixture.append(mpmath.fsum(sums[n - 1 - r] * mixture[r] for r in range(n)) / (2 * n))
        return float(lower), float(1 - lower)


@pytest.mark.parametrize("m", [1, 2, 3, 10, 50, 300])
def test_equal_weights_are_chi_square_with_m_degrees_of_freedom(m: int) -> None:
    tails = np.array([1e-280, 1e-100, 1e-30, 1e-10, 1e-3, 0.1, 0.3, 0.45, 0.49])
    below, above = stats.chi2.ppf(tails, m), stats.chi2.isf(tails, m)
    below = below[below > 0.0]
    weights = np.full(m, 0.7)
    exact_below = [float(mpmath.gammainc(m / 2, 0, x / 2, regularized=True)) for x in below]
    exact_above = [float(mpmath.gammainc(m / 2, x / 2, regularized=True)) for x in above]
    # Rounding of the exponent, which grows with m and with the logarithm of the tail: 7e-13 at most when measured.
    np.testing.assert_allclose(weighted_chi2_cdf(0.7 * below, weights), exact_below, rtol=2e-12)
    np.testing.assert_allclose(weighted_chi2_sf(0.7 * above, weights), exact_above, rtol=2e-12)


@pytest.mark.parametrize("spread", [0.3, 2.0, 8.0])
def test_pairs_of_weights_agree_with_partial_fractions(spread: float) -> None:
    rng = np.random.default_rng(20)
    for _ in range(25):
        weights = np.exp(rng.uniform(-spread, spread, rng.integers(1, 12))) * 10.0 ** rng.uniform(-6, 6)
        q = 2.0 * weights.sum() * np.exp(rng.normal() * rng.choice([0.01, 0.3, 1.5]))
        lower, upper = exact_of_pairs(q, weights)
        both = np.repeat(weights, 2)
        # 2e-14 at most when measured on 400 such sums, whatever the tail.
        assert weighted_chi2_cdf(q, both) == pytest.approx(lower, rel=2e-13)
        assert weighted_chi2_sf(q, both) == pytest.approx(upper, rel=2e-13)


@pytest.mark.parametrize(
    "weights",
    [[0.6, 0.3, 0.1], [1.0, 0.5, 0.4, 0.2, 0.2], [1.0, *[0.2] * 30], [1.0, 1.0, 1.0, 0.3]],
    ids=["three", "five", "one_over_many", "four"],
)
def test_odd_sums_agree_with_ruben_s_series(weights: list[float]) -> None:
    w = np.array(weights)
    for q in w.sum() * np.array([0.2, 0.8, 1.0, 1.3, 3.0]):
        lower, upper = ruben_series(q, w)
        assert weighted_chi2_cdf(q, w) == pytest.approx(lower, rel=2e-13)
        assert weighted_chi2_sf(q, w) == pytest.approx(upper, rel=2e-13)


# R 4.2.2, mgcv::psum.chisq(q, lb, tol = 1e-13, nlim = 1e8): Davies's inversion of the characteristic function
@pytest.mark.parametrize(
    ("q", "weights", "expected"),
    [
        (2.0, [0.6, 0.3, 0.1], 0.12395907416234),
        (0.1, [0.6, 0.3, 0.1], 0.945786153932956),
        (10.0, [3.0, 1.0, 0.4, 0.2, 0.2, 0.05], 0.108754206467241),
        (40.0, [5.0, 4.0, 3.0, 2.0, 1.0], 0.0303237594185465),
        (3.0, [1.0, *[0.05] * 20], 0.161608117239625),
    ],
)
def test_agrees_with_davies_in_r(q: float, weights: list[float], expected: float) -> None:
    # R is asked for 1e-13 absolutely.
    assert weighted_chi2_sf(q, weights) == pytest.approx(expected, abs=2e-13)


def test_one_large_weight_over_hundreds_of_small_ones() -> None:
    # Two scales at once, where a contour that leans too far turns too fast: with the angle pi / 4 and a step of .17,
    # ample elsewhere, 9 digits are left here.
    q = (1.0 + 392 * 0.057) * 1.0012

    def given_the_large_one(z: mpmath.mpf) -> mpmath.mpf:
        rest = mpmath.gammainc(196, max(q - z**2, 0) / 0.114, regularized=True)
        return rest * mpmath.exp(-(z**2) / 2)

    with mpmath.workdps(25):
        breaks = [0, 1, 2, 3, 4, mpmath.sqrt(q), 7, 12]
        expected = mpmath.quad(given_the_large_one, breaks) * mpmath.sqrt(2 / mpmath.pi)
    assert weighted_chi2_sf(q, [1.0, *[0.057] * 392]) == pytest.approx(float(expected), rel=1e-12)


def test_where_nothing_needs_computing() -> None:
    some, none = [1.0, 0.5], [0.0, 0.0]
    q = [-1.0, 0.0, np.inf]
    np.testing.assert_array_equal(weighted_chi2_sf(q, some), [1.0, 1.0, 0.0])
    np.testing.assert_array_equal(weighted_chi2_cdf(q, some), [0.0, 0.0, 1.0])
    np.testing.assert_array_equal(weighted_chi2_sf([-1.0, 0.0, 1.0], none), [1.0, 0.0, 0.0])
    np.testing.assert_array_equal(weighted_chi2_cdf([-1.0, 0.0, 1.0], none), [0.0, 1.0, 1.0])
    assert weighted_chi2_sf(1e9, some) == 0.0
    assert weighted_chi2_cdf(5e-324, some) < 1e-280


@pytest.mark.parametrize(
    ("q", "weights"), [(np.nan, [1.0]), (1.0, [np.nan, 1.0]), (1.0, [-0.1, 1.0]), (1.0, [np.inf, 1.0])]
)
def test_nan_in_nan_out(q: float, weights: list[float]) -> None:
    assert np.isnan(weighted_chi2_sf(q, weights))
    assert np.isnan(weighted_chi2_cdf(q, weights))


def test_a_batch_is_its_rows_and_zeros_change_nothing() -> None:
    rng = np.random.default_rng(3)
    weights, q = rng.gamma(0.5, size=(3, 2, 6)), rng.gamma(2.0, size=(2, 1, 2))
    batch = weighted_chi2_sf(q, weights)
    assert batch.shape == (2, 3, 2)
    for index in np.ndindex(batch.shape):
        alone = weighted_chi2_sf(q[index[0], 0, index[2]], np.r_[0.0, weights[index[1:]], 0.0])
        # One sum, added in another order.
        assert batch[index] == pytest.approx(alone, rel=1e-13)


def test_many_rows_are_worked_in_blocks() -> None:
    # 4,000 rows of 20 weights are eleven blocks; chi-square(20) is the answer to each.
    q = np.linspace(0.5, 80.0, 4_000)
    np.testing.assert_allclose(weighted_chi2_sf(q, np.ones(20)), stats.chi2.sf(q, 20), rtol=1e-12)
