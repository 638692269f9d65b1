"""Generalised Q intervals of tau2 against metafor, a printed example, and a slow computation of their definition."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import integrate, optimize, stats

from alliance_meta.stats.generalised_q import generalised_q_interval, tau2_distribution_quantile

FloatArray = npt.NDArray[np.float64]

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "pooling.json").read_text(encoding="utf-8"))
CASES: dict[str, Any] = {case["name"]: case for case in REFERENCE["cases"]}

# Jackson, Turner, Rhodes & Viechtbauer (2014), BMC Medical Research Methodology 14:103, example 1
JACKSON = """
    0.0267 0.1285 0   0.8242 0.0315 0   0.3930 0.0931 0   2.4405 2.0967 0   2.1401 1.0539 0   1.2528 0.1602 0
    2.4849 1.0235 0   0.3087 0.0218 0   1.4246 0.5277 0   0.1823 0.0556 0   1.1378 0.3304 1   1.2321 0.1721 1
    2.0695 0.4901 1   4.0237 2.0200 1   1.4383 0.3399 1   1.6021 0.1830 1
"""
JACKSON_EFFECT, JACKSON_VARIANCE, JACKSON_X = np.array(JACKSON.split(), dtype=float).reshape(-1, 3).T
JACKSON_DESIGN = np.column_stack([np.ones(16), JACKSON_X])


def chance_of_larger_q(effect: FloatArray, variance: FloatArray, weights: FloatArray, tau2: float) -> float:
    """P(Q >= observed; tau2) by Imhof's integral of the characteristic function, from the form's own eigenvalues."""
    a = np.diag(weights) - np.outer(weights, weights) / weights.sum()
    observed = effect @ a @ effect
    w = np.linalg.eigvals(a @ np.diag(variance + tau2)).real / observed

    def integrand(u: float) -> float:
        angle = 0.5 * (np.arctan(w * u).sum() - u)
        return float(np.sin(angle) / (u * np.prod(1.0 + (w * u) ** 2) ** 0.25))

    area, _ = integrate.quad(integrand, 0.0, np.inf, limit=2_000, epsabs=1e-10, epsrel=1e-10)
    return float(0.5 + area / np.pi)


# R 4.2.2, metafor 3.8.1: rma(c * yi, c^2 * vi, weights = 1 / vi^power, method = "GENQ"), then
# confint(level = , control = list(tau2.max = 1000 * c^2 * mean(vi))) / c^2 with c = 1e6 / sqrt(mean(vi)): its
# tolerance is absolute and not to be set. CompQuadForm not being at hand, its farebrother() was Ruben's series
# written in R for this purpose.
METAFOR = [
    ("bcg_RR", 1.0, 0.95, (0.101050069452037, 1.63608820107477)),
    ("bcg_RR", 1.0, 0.80, (0.156467715117179, 0.982638021885953)),
    ("bcg_RR", 0.5, 0.95, (0.122045538351885, 1.13995802168042)),
    ("molloy2014_ZCOR", 1.0, 0.95, (0.00178708652238437, 0.0328922023561641)),
    ("molloy2014_ZCOR", 0.5, 0.95, (0.00149091132912266, 0.0338499245088947)),
    ("raudenbush1985_GEN", 1.0, 0.95, (0.00350042771385884, 0.0995298962695394)),
    ("raudenbush1985_GEN", 0.5, 0.80, (0.022953583141499, 0.105810661181809)),
    ("hackshaw1998_GEN", 1.0, 0.95, (0.0, 0.074139982963606)),
    ("hackshaw1998_GEN", 1.0, 0.80, (0.000322593496656783, 0.0492999990116251)),
    ("normand1999_MD", 1.0, 0.95, (59.8051191012816, 1494.29292398401)),
    ("normand1999_MD", 0.5, 0.95, (158.780570705259, 1903.2654259953)),
]


@pytest.mark.parametrize(("name", "power", "level", "expected"), METAFOR)
def test_agrees_with_metafor(name: str, power: float, level: float, expected: tuple[float, float]) -> None:
    effect, variance = np.array(CASES[name]["yi"]), np.array(CASES[name]["vi"])
    # 1e-13 at most when measured; metafor's absolute tolerance is about 1e-16 of the mean variance here.
    found = generalised_q_interval(effect, variance, level, weights=variance**-power)
    assert found == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize(("power", "printed"), [(1.0, (0.0029, 0.6907)), (0.5, (0.0, 1.1245))])
def test_jackson_s_printed_intervals_with_a_moderator(power: float, printed: tuple[float, float]) -> None:
    weights = JACKSON_VARIANCE**-power
    low, high = generalised_q_interval(JACKSON_EFFECT, JACKSON_VARIANCE, weights=weights, design=JACKSON_DESIGN)
    # Printed with four decimals; the upper bound with 1 / sqrt(v) is 1.12456 here, and 1.1245 in print.
    assert (low, high) == pytest.approx(printed, abs=1e-4)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_the_bounds_have_the_tails_by_imhof_s_integral(power: float) -> None:
    effect, variance = JACKSON_EFFECT, JACKSON_VARIANCE
    weights = variance**-power
    low, high = generalised_q_interval(effect, variance, 0.8, weights=weights)
    assert low > 0.0
    # quad gives some ten digits of this slowly falling, oscillating integrand.
    assert chance_of_larger_q(effect, variance, weights, float(low)) == pytest.approx(0.1, abs=1e-9)
    assert chance_of_larger_q(effect, variance, weights, float(high)) == pytest.approx(0.9, abs=1e-9)


def test_equal_variances_by_hand() -> None:
    # Q = S / .04 with S = sum of squares; given tau2 it is chi-square(k - 1) times 1 + tau2 / .04.
    effect = np.array([-0.6, -0.1, 0.0, 0.3, 0.9])
    squares = ((effect - effect.mean()) ** 2).sum()
    expected = [squares / stats.chi2.isf(tail, 4) - 0.04 for tail in (0.025, 0.975)]
    assert generalised_q_interval(effect, 0.04, weights=3.0) == pytest.approx(expected, rel=1e-12)
    quantiles = tau2_distribution_quantile(effect, 0.04, [0.3, 0.975])
    # The table is good to 1e-9 of tau2.
    assert quantiles == pytest.approx([squares / stats.chi2.isf(0.3, 4) - 0.04, expected[1]], abs=1e-9 * expected[1])


def test_weights_have_no_unit_and_a_shift_changes_nothing() -> None:
    effect, variance = JACKSON_EFFECT, JACKSON_VARIANCE
    base = generalised_q_interval(effect, variance, weights=1 / variance)
    # A shift by 100 leaves 14 digits of the effects.
    shifted = generalised_q_interval(effect + 100.0, variance, weights=1e6 / variance)
    np.testing.assert_allclose(shifted, base, rtol=1e-10)


def test_a_constant_design_is_no_design_and_a_repeated_column_counts_once() -> None:
    effect, variance = JACKSON_EFFECT, JACKSON_VARIANCE
    base = generalised_q_interval(effect, variance, weights=1 / variance)
    same = generalised_q_interval(effect, variance, weights=1 / variance, design=np.full((16, 2), 5.0))
    np.testing.assert_allclose(same, base, rtol=1e-11)


def test_effects_left_out_leave_no_trace() -> None:
    effect, variance, weights = JACKSON_EFFECT.copy(), JACKSON_VARIANCE.copy(), 1 / JACKSON_VARIANCE
    design = JACKSON_DESIGN.copy()
    effect[3], variance[3], weights[3], design[3] = np.nan, np.nan, np.nan, np.nan
    used = np.arange(16) != 3
    found = generalised_q_interval(effect, variance, include=used, weights=weights, design=design)
    alone = generalised_q_interval(effect[used], variance[used], weights=weights[used], design=design[used])
    np.testing.assert_allclose(found, alone, rtol=1e-11)


def test_a_batch_is_its_rows() -> None:
    rng = np.random.default_rng(8)
    variance = rng.gamma(2.0, 0.05, size=(3, 2, 9)) + 0.01
    effect = rng.normal(0.0, np.sqrt(variance + np.array([0.0, 0.1, 1.0])[:, None, None]))
    used = np.ones((2, 9))
    used[0, 5:] = 0.0
    low, high = generalised_q_interval(effect, variance, include=used, weights=1 / variance)
    assert low.shape == high.shape == (3, 2)
    for i, j in np.ndindex(3, 2):
        rows = used[j] > 0.0
        alone = generalised_q_interval(effect[i, j, rows], variance[i, j, rows], weights=1 / variance[i, j, rows])
        np.testing.assert_allclose((low[i, j], high[i, j]), alone, rtol=1e-11)


def test_bounds_at_zero_and_where_there_are_none() -> None:
    identical = generalised_q_interval([0.3] * 5, [0.1, 0.2, 0.3, 0.4, 0.5], weights=[10.0, 5.0, 3.3, 2.5, 2.0])
    np.testing.assert_array_equal(identical, (0.0, 0.0))
    for effect in ([0.3], [np.nan, 0.1]):
        assert np.isnan(generalised_q_interval(effect, 0.1, weights=1.0)).all()
    saturated = generalised_q_interval([0.3, 0.4], 0.1, weights=1.0, design=[[1.0, 0.0], [1.0, 1.0]])
    assert np.isnan(saturated).all()
    assert np.isnan(generalised_q_interval([0.3, 0.4], 0.1, include=[1, 0], weights=1.0)).all()


def test_extreme_heterogeneity_is_followed() -> None:
    # At tau2 = 0 the chance of such a Q underflows to 0.
    effect, variance = np.array([0.0, 50.0, -70.0, 20.0]), np.array([1e-4, 2e-4, 3e-4, 1e-4])
    low, high = generalised_q_interval(effect, variance, weights=[1.0, 1.0, 1.0, 1.0])
    # tau2 is all: with equal weights Q / tau2 is chi-square(3) but for 1e-4 / tau2.
    squares = ((effect - effect.mean()) ** 2).sum()
    expected = (squares / stats.chi2.isf(0.025, 3), squares / stats.chi2.isf(0.975, 3))
    assert (low, high) == pytest.approx(expected, rel=1e-6)


# ---------------------------------------------------------------- quantiles


@pytest.mark.parametrize("name", ["bcg_RR", "molloy2014_ZCOR", "hackshaw1998_GEN", "random18_k50_equal_tau2x0.5"])
def test_quantiles_are_the_ends_of_the_intervals(name: str) -> None:
    effect, variance = np.array(CASES[name]["yi"]), np.array(CASES[name]["vi"])
    levels = [0.05, 0.5, 0.9, 0.999]
    tails = np.array([(0.5 - level / 2.0, 0.5 + level / 2.0) for level in levels])
    direct = np.array([generalised_q_interval(effect, variance, level, weights=1 / variance) for level in levels])
    # The table is good to 1e-9 of tau2 plus a typical variance, which the mean variance is not below.
    found = tau2_distribution_quantile(effect, variance, tails)
    assert np.all(np.abs(found - direct) <= 1e-9 * (direct + variance.mean()))


def test_quantiles_by_brentq_on_imhof_s_integral() -> None:
    effect, variance = JACKSON_EFFECT, JACKSON_VARIANCE
    probabilities = [0.2, 0.6, 0.95]
    slow = [
        optimize.brentq(lambda t, p=p: chance_of_larger_q(effect, variance, 1 / variance, t) - p, 0.0, 4.0, xtol=1e-12)
        for p in probabilities
    ]
    # quad's ten digits of the probability are some nine of tau2.
    assert tau2_distribution_quantile(effect, variance, probabilities) == pytest.approx(slow, rel=1e-7)


def test_quantiles_at_the_edges() -> None:
    effect, variance = JACKSON_EFFECT, JACKSON_VARIANCE
    p = [[0.0, 1e-9, 1.0], [np.nan, -0.1, 1.1]]
    found = tau2_distribution_quantile(effect, variance, p)
    np.testing.assert_array_equal(found, [[0.0, 0.0, np.inf], [np.nan] * 3])
    assert np.isnan(tau2_distribution_quantile([0.1], [0.1], [0.2, 0.8])).all()
    np.testing.assert_array_equal(tau2_distribution_quantile([0.1, 0.1], [0.1, 0.2], [0.2, 0.8]), [0.0, 0.0])
    assert tau2_distribution_quantile(effect, variance, []).shape == (0,)


def test_quantiles_rise_with_the_probability() -> None:
    p = np.sort(np.random.default_rng(2).random(20_000))
    tau2 = tau2_distribution_quantile(JACKSON_EFFECT, JACKSON_VARIANCE, p)
    assert np.all(np.diff(tau2) >= 0.0)
    assert tau2[0] == 0.0
    assert tau2[-1] > 1.0
