"""Nagashima's prediction interval against a slow computation of its definition, and the share above a threshold."""

from __future__ import annotations

import math

import mpmath  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
import pytest
from scipy import optimize, stats

from alliance_meta.stats.prediction import nagashima_interval, proportion_above

FloatArray = npt.NDArray[np.float64]

EFFECT = np.array([-0.3, 0.1, 0.2, 0.5, 0.9, 1.1, 0.4])
VARIANCE = np.array([0.02, 0.05, 0.04, 0.01, 0.12, 0.07, 0.03])


def chance_of_larger_q(effect: FloatArray, variance: FloatArray, tau2: float) -> float:
    """P(Cochran's Q >= observed; tau2), by Talbot's inversion of the Laplace transform of its distribution."""
    weight = 1.0 / variance
    a = np.diag(weight) - np.outer(weight, weight) / weight.sum()
    eigenvalues = np.linalg.eigvals(a @ np.diag(variance + tau2)).real.tolist()

    def transform(s: mpmath.mpc) -> mpmath.mpc:
        return mpmath.fprod(1 / mpmath.sqrt(1 + 2 * w * s) for w in eigenvalues) / s

    with mpmath.workdps(20):
        return float(1 - mpmath.invertlaplace(transform, effect @ a @ effect, method="talbot"))


def slow_interval(effect: FloatArray, variance: FloatArray, level: float, replicates: int, seed: int) -> list[float]:
    """The definition, one draw after the other, from the same random numbers."""
    rng = np.random.default_rng(seed)
    k = effect.size
    chances, normals, students = (
        rng.random(replicates),
        rng.standard_normal(replicates),
        rng.standard_t(k - 1, replicates),
    )
    at_zero = chance_of_larger_q(effect, variance, 0.0)
    drawn = []
    for u, z, t in zip(chances, normals, students, strict=True):
        tau2 = 0.0
        if u > at_zero:
            tau2 = optimize.brentq(lambda x, u=u: chance_of_larger_q(effect, variance, x) - u, 0.0, 1e3, xtol=1e-13)
        weight = 1.0 / (variance + tau2)
        mu = np.average(effect, weights=weight)
        std_error = math.sqrt(np.average((effect - mu) ** 2, weights=weight) / (k - 1))
        drawn.append(mu + z * math.sqrt(tau2) - t * std_error)
    return [float(np.quantile(drawn, tail)) for tail in ((1 - level) / 2, (1 + level) / 2)]


def test_nagashima_agrees_with_its_definition_draw_by_draw() -> None:
    slow = slow_interval(EFFECT, VARIANCE, 0.8, 10, seed=11)
    fast = nagashima_interval(EFFECT, VARIANCE, 0.8, replicates=10, rng=np.random.default_rng(11))
    # The table gives tau2 to 1e-9 of itself plus a typical variance; a tau2 a hundred times smaller loses two digits.
    assert fast == pytest.approx(slow, rel=1e-7)


def test_nagashima_comes_again_from_the_same_seed_and_only_from_it() -> None:
    one, again, other = (
        nagashima_interval(EFFECT, VARIANCE, replicates=2_000, rng=np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    assert one == again
    assert one != other
    # 2,000 draws leave a standard error of some .05 in either bound.
    assert one == pytest.approx(other, abs=0.3)


def test_nagashima_with_equal_variances_against_its_own_distribution() -> None:
    # With all variances .1, Q ~ (1 + tau2 / .1) chi2(k - 1): tau2 = max(0, S / chi2 - .1), whose chi2 can be drawn.
    effect = np.array([-0.9, 0.1, 0.4, 1.5, 2.2, 0.7, -0.2, 1.0])
    k, n = effect.size, 400_000
    rng = np.random.default_rng(99)
    squares = ((effect - effect.mean()) ** 2).sum()
    tau2 = np.maximum(squares / rng.chisquare(k - 1, n) - 0.1, 0.0)
    std_error = math.sqrt(squares / (k * (k - 1)))
    drawn = effect.mean() + rng.standard_normal(n) * np.sqrt(tau2) - rng.standard_t(k - 1, n) * std_error
    found = nagashima_interval(effect, 0.1, replicates=n, rng=np.random.default_rng(1))
    # The standard error of a 2.5% quantile of 400,000 draws is .01 here; four of them, of a difference of two.
    assert found == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.05)


def test_nagashima_covers_new_effects_nearly_as_often_as_it_says() -> None:
    # 100 meta-analyses of 8 studies with tau2 = .1; the chance that each interval holds a new true effect is exact.
    rng = np.random.default_rng(4)
    chances = []
    for _ in range(100):
        variance = rng.uniform(0.02, 0.2, 8)
        effect = rng.normal(0.3, np.sqrt(0.1 + variance))
        low, high = nagashima_interval(effect, variance, 0.8, replicates=1_000, rng=rng)
        chances.append(stats.norm.cdf(high, 0.3, math.sqrt(0.1)) - stats.norm.cdf(low, 0.3, math.sqrt(0.1)))
    # 1,200 such meta-analyses gave .774 with a standard error of .006; the formula for equal variances, drawn without
    # this library, gives .77 too. The chances have a standard deviation of .21: three standard errors of 100.
    assert np.mean(chances) == pytest.approx(0.774, abs=0.063)


def test_nagashima_leaves_out_and_gives_up() -> None:
    used = np.array([1, 1, 0, 1, 1, 1, 0])
    effect = np.where(used == 1, EFFECT, np.nan)
    part = nagashima_interval(effect, VARIANCE, include=used, replicates=500, rng=np.random.default_rng(2))
    alone = nagashima_interval(EFFECT[used == 1], VARIANCE[used == 1], replicates=500, rng=np.random.default_rng(2))
    assert part == alone
    for few in ([0.3], []):
        assert np.isnan(nagashima_interval(few, [0.1] * len(few), replicates=10, rng=np.random.default_rng(2))).all()


def test_nagashima_of_identical_effects_is_their_value() -> None:
    # Q = 0, so every tau2 is 0, and so is Hartung's standard error; the mean itself may be off in its last digit.
    same = nagashima_interval([0.3] * 5, [0.1, 0.2, 0.1, 0.3, 0.2], replicates=500, rng=np.random.default_rng(2))
    assert same == pytest.approx((0.3, 0.3), rel=1e-13)


# ---------------------------------------------------------------- proportion


def test_proportion_by_hand() -> None:
    found = proportion_above(0.5, 0.06, 0.04, 0.016, threshold=0.3)
    # x = .2 / .2 = 1; its variance .0036 / .04 + .2^2 x .016^2 / (4 x .04^3) = .09 + .04 = .13
    half = stats.norm.isf(0.025) * math.sqrt(0.13)
    expected = [stats.norm.cdf(x) for x in (1.0, 1.0 - half, 1.0 + half)]
    assert found == pytest.approx(expected, rel=1e-12)


def test_proportion_narrows_with_the_level_and_stays_between_0_and_1() -> None:
    wide, narrow = (proportion_above(1.0, 0.2, 0.04, 0.08, 0.3, level) for level in (0.99, 0.5))
    assert 0.0 < wide.low < narrow.low < narrow.proportion < narrow.high < wide.high <= 1.0


def test_proportion_above_and_below_mirror_each_other() -> None:
    above, below = proportion_above(0.2, 0.1, 0.05, 0.02, 0.1), proportion_above(-0.2, 0.1, 0.05, 0.02, -0.1)
    mirrored = (1.0 - below.proportion, 1.0 - below.high, 1.0 - below.low)
    assert above == pytest.approx(mirrored, rel=1e-13)


def test_proportion_without_heterogeneity() -> None:
    found = proportion_above(0.3, 0.1, 0.0, 0.1, threshold=[0.2, 0.3, 0.4])
    np.testing.assert_array_equal(found.proportion, [1.0, np.nan, 0.0])
    assert np.isnan(found.low).all()
    assert np.isnan(found.high).all()


def test_proportion_broadcasts_and_passes_nan_on() -> None:
    found = proportion_above([[0.1], [np.nan]], 0.1, [0.01, 0.04, np.nan], 0.02, 0.0)
    assert found.proportion.shape == found.low.shape == found.high.shape == (2, 3)
    np.testing.assert_array_equal(np.isnan(found.low), [[False, False, True], [True, True, True]])
    np.testing.assert_allclose(found.proportion[0, :2], stats.norm.cdf([1.0, 0.5]), rtol=1e-14)
