"""p-curves: pypcurve, integrals over densities, and tests simulated at known power."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import alliance_meta as am
from alliance_meta.bias._significance import p_curve
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.stats.p_curve import curve_tests, log_reached, noncentrality, power_at, shares, stouffer

FULL, HALF = stats.norm.isf(0.025), stats.norm.isf(0.0125)

# pypcurve 0.1.1 (PyPI, Quentin Andre, MIT), a port of the authors' app: PCurve([f"z={z}" for z in ...]) its
# get_stouffer_tests() ('null-full', 'null-half', '33%-full'), get_binomial_tests() ('null', '33%'), estimate_power(),
# has_evidential_value. '33%-half' is left out: see test_half_curve_of_tests_with_low_power_is_standard_normal. The
# interval of the power is cut at .99, and found to about 1e-7.
PYPCURVE: list[tuple[list[float], list[float], list[float], list[float], bool]] = [
    (
        [2.1, 2.5, 3.3, 1.98, 4.4, 2.2, 2.8],
        [-1.9433967306, -2.9655662015, 0.1796087383],
        [0.5, 0.321033671],
        [0.3825458, 0.0663485, 0.7779542],
        True,
    ),
    (
        [2.0, 2.05, 2.3, 1.97, 2.6, 2.1],
        [1.5091343156, 0.5281130916, -2.686586129],
        [0.890625, 0.0597873775],
        [0.05, 0.05, 0.0616296],
        False,
    ),
    (
        [3.1, 2.9, 4.8, 5.3, 2.7, 3.9, 2.3, 6.1],
        [-7.5747044742, -6.459281098, 5.033701691],
        [0.00390625, 1.0],
        [0.9666749, 0.8790443, 0.99],
        True,
    ),
    ([2.41, 2.32], [-0.4992845391, 0.8801772674, -0.379324984], [0.25, 1.0], [0.156595, 0.05, 0.8672738], False),
    (
        [2.42, 3.136, 2.11, 2.749, 3.635, 2.273, 3.6, 2.203, 2.553, 2.41, 2.83, 2.021, 1.962, 2.225],
        [-1.8197542698, -1.9063947749, -0.5802545462],
        [0.2119750977, 0.3696977773],
        [0.2254624, 0.0562109, 0.5458737],
        True,
    ),
]


def _effects(z: Any, v: Any = 1.0) -> am.EffectSizes:
    frame = pd.DataFrame({"study": [f"s{i}" for i in range(len(z))], "y": z, "v": v})
    return am.effect_sizes(frame, measure="GEN", effect="y", variance="v")


KOLDEN = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")


@pytest.mark.parametrize(("z", "stouffers", "binomials", "powers", "evidential"), PYPCURVE)
def test_pypcurve(
    z: list[float], stouffers: list[float], binomials: list[float], powers: list[float], evidential: bool
) -> None:
    found = p_curve(_effects(z))
    assert [found.skew_full, found.skew_half, found.flat_full] == pytest.approx(stouffers, abs=1e-9)
    assert [found.skew_binomial, found.flat_binomial] == pytest.approx(binomials, abs=1e-9)
    low, high = found.power_interval()
    assert [found.power, low, min(high, 0.99)] == pytest.approx(powers, abs=2e-6)
    assert found.evidential_value is evidential


# ---------------------------------------------------------------- second implementations


def _pp(z: float, mean: float, bound: float) -> float:
    """Probability of a z as near to `bound` or nearer, among those beyond it, by integration of both tails."""

    def between(low: float, high: float) -> float:
        return sum(
            integrate.quad(lambda x, s=sign: stats.norm.pdf(s * x, mean), low, high, epsabs=1e-14, epsrel=1e-12)[0]
            for sign in (1.0, -1.0)
        )

    return between(bound, z) / between(bound, mean + 12.0)


def test_pp_values_by_integration() -> None:
    z = [2.0, 2.3, 2.6, 3.4]
    weak = float(noncentrality(1.0 / 3.0))
    for mean in (0.0, weak, 2.5):
        for bound, alpha in ((FULL, 0.05), (HALF, 0.025)):
            used = [each for each in z if each > bound]
            quantiles = np.asarray(stats.norm.ppf([_pp(each, mean, bound) for each in used]))
            found = stouffer(used, np.ones(len(used), dtype=bool), mean, alpha)
            assert float(found) == pytest.approx(quantiles.sum() / np.sqrt(len(used)), rel=1e-8)


def test_noncentrality_has_the_power_asked_for() -> None:
    for power in (0.06, 1.0 / 3.0, 0.5, 0.99, 1.0 - 1e-9):
        mean = float(noncentrality(power))
        assert stats.norm.sf(FULL - mean) + stats.norm.cdf(-FULL - mean) == pytest.approx(power, rel=1e-12)
    assert noncentrality([0.05, 0.01]).tolist() == [0.0, 0.0]


def test_shares_by_integration() -> None:
    edges = np.array([0.0, 0.01, 0.02, 0.03, 0.04, 0.05])
    found = shares(edges, noncentrality(1.0 / 3.0))
    bounds = stats.norm.isf(np.maximum(edges, 1e-300) / 2.0)
    mean = float(noncentrality(1.0 / 3.0))
    for i in range(5):
        inside = sum(
            integrate.quad(lambda x, s=sign: stats.norm.pdf(s * x, mean), bounds[i + 1], min(bounds[i], 12.0))[0]
            for sign in (1.0, -1.0)
        )
        assert found[i] == pytest.approx(3.0 * inside, rel=1e-8)
    assert found.sum() == pytest.approx(1.0)
    assert shares(edges, 0.0) == pytest.approx([0.2] * 5)


@pytest.mark.parametrize("power", [0.05, 1.0 / 3.0])
def test_half_curve_of_tests_with_low_power_is_standard_normal(power: float) -> None:
    """Both halves of each test, on 4,000 simulated curves at its hypothesis.

    The 33 % test of the half curve needs P(p < .025) = .238 in its denominator; pypcurve 0.1.1 has P(p < .025 |
    p < .05) = .714 there, so that its pp values never fall below two thirds.
    """
    rng = np.random.default_rng(11)
    z = rng.normal(float(noncentrality(power)), 1.0, (4_000, 60))
    found = curve_tests(z)
    tests = (found.skew_full, found.skew_half) if power == 0.05 else (found.flat_full, found.flat_half)
    for statistic in tests:
        assert stats.kstest(statistic[np.isfinite(statistic)], "norm").pvalue > 0.01
    binomial = found.skew_binomial if power == 0.05 else found.flat_binomial
    assert np.nanmean(binomial <= 0.05) <= 0.055


def test_interval_of_power_covers() -> None:
    """2,000 curves of 12 significant tests with a power of 60 %: 90 % of the intervals hold it."""
    rng = np.random.default_rng(4)
    mean = float(noncentrality(0.6))
    z = np.abs(rng.normal(mean, 1.0, (2_000, 80)))
    rows = [row[row > FULL][:12] for row in z]
    found = stouffer(np.array(rows), np.ones((2_000, 12), dtype=bool), np.full(2_000, mean), 0.05)
    inside = np.abs(found) <= stats.norm.isf(0.05)
    assert inside.mean() == pytest.approx(0.90, abs=0.02)
    for row, holds in zip(rows[:100], inside[:100], strict=True):
        low, high = power_at(row, [1.6448536269514722, -1.6448536269514722])
        assert (low <= 0.6 <= high) == holds


def test_stouffers_z_at_the_power_found() -> None:
    z = np.array([2.2, 2.9, 3.1, 4.0])
    quantiles = np.array([1.0, 0.0, -1.0])
    for power, quantile in zip(power_at(z, quantiles), quantiles, strict=True):
        mean = noncentrality(power)
        assert float(stouffer(z, np.ones(4, dtype=bool), mean, 0.05)) == pytest.approx(quantile, abs=1e-8)


def test_batches_and_left_out_effects() -> None:
    z = np.array([[2.1, 3.0, 9.0, 0.4], [-2.5, 2.2, 2.7, 3.1]])
    both = curve_tests(z, [[1, 1, 0, 1], [1, 1, 1, 1]])
    first, second = curve_tests([2.1, 3.0, 0.4]), curve_tests(z[1])
    for pair, one, other in zip(both, first, second, strict=True):
        assert pair.tolist() == pytest.approx([float(one), float(other)])


# ---------------------------------------------------------------- edges


def test_no_significant_effect() -> None:
    found = p_curve(_effects([0.1, -1.2]))
    assert (found.k_significant, found.k_half) == (0, 0)
    assert not found.evidential_value
    assert not found.inadequate
    assert np.isnan([found.power, found.skew_full, found.flat_binomial, *found.power_interval()]).all()
    assert "no p-curve" in found.sentence
    assert repr(found) == "<PCurve: none of 2 effects is significant>"
    assert str(found)
    assert found.to_frame()["p_value"].isna().all()


@pytest.mark.parametrize("k", [1, 2, 3])
def test_few_effects(k: int) -> None:
    found = p_curve(_effects([3.0] * k))
    assert found.k_significant == k
    one = stats.norm.ppf(2.0 * stats.norm.sf(3.0) / 0.05)
    assert found.skew_full == pytest.approx(np.sqrt(k) * one)
    assert f"only {k} of {k}" in found.cautions[0]


def test_just_significant_effects_are_flat() -> None:
    found = p_curve(_effects(np.linspace(1.97, 2.2, 12)))
    assert found.inadequate
    assert not found.evidential_value
    assert found.power == 0.05
    assert "little or no evidence" in found.sentence
    at_the_bound = p_curve(_effects([FULL + 1e-15, FULL * (1.0 + 1e-15)]))
    assert np.isfinite([at_the_bound.skew_full, at_the_bound.flat_full]).all()


def test_enormous_statistics_stay_finite() -> None:
    found = p_curve(_effects([10.0, 40.0, 300.0, 2.0]))
    tests = [found.skew_full, found.skew_half, found.flat_full, found.flat_half, found.power, *found.power_interval()]
    assert np.isfinite(tests).all()
    assert found.evidential_value
    assert log_reached(300.0, 0.0) < -44_000.0


def test_low_but_not_nil_power_is_both() -> None:
    rng = np.random.default_rng(1)
    found = p_curve(_effects(np.abs(rng.normal(0.8, 1.0, 3_000))))
    assert found.evidential_value
    assert found.inadequate
    assert 0.05 < found.power < 1.0 / 3.0
    assert "too little power" in found.sentence


def test_sides() -> None:
    z = [2.5, 3.0, -2.8, 0.1, 2.2, 2.3, 4.0]
    both, above, below = (p_curve(_effects(z), alternative=side) for side in (None, "greater", "less"))
    assert (both.k_significant, above.k_significant, below.k_significant) == (6, 5, 1)
    assert "both signs" in both.cautions[-1]
    assert "1 of 6" in both.cautions[-1]
    assert above.cautions == ()
    assert above.effects_frame()["entered"].tolist() == [True, True, False, False, True, True, True]
    assert "above no effect" in str(above)


def test_units_and_signs_do_not_matter() -> None:
    z = np.array([2.5, 3.0, 2.8, 0.1, 2.2])
    for scale in (1e-8, 1e8, -1.0):
        other = p_curve(_effects(z * scale, scale**2))
        assert other.skew_full == pytest.approx(p_curve(_effects(z)).skew_full)
        assert other.power == pytest.approx(p_curve(_effects(z)).power)


def test_correlations_are_tested_by_fishers_z() -> None:
    found = p_curve(KOLDEN)
    assert found.statistics == pytest.approx(KOLDEN.effect / np.sqrt(KOLDEN.variance))
    assert found.p_values == pytest.approx(2.0 * stats.norm.sf(np.abs(found.statistics)))
    assert "z = effect / standard error" in found.notes[0]


def test_effects_of_one_study_are_a_caution() -> None:
    frame = pd.DataFrame({"study": ["a", "a", "b", "c", "d", "e"], "y": [3.0, 2.5, 2.6, 2.7, 2.8, 2.9], "v": 1.0})
    found = p_curve(am.effect_sizes(frame, measure="GEN", effect="y", variance="v"))
    assert "2 of 6 effects share a study" in found.cautions[0]


def test_words() -> None:
    found = p_curve(KOLDEN)
    assert repr(found) == (
        "<PCurve: 7 of 16 significant, right skew p < .001, half curve p < .001; power 89%, 90% CI [65%, 97%]>"
    )
    assert found.sentence == (
        "7 of 16 effects are significant. By the rule of Simonsohn et al. (2015) the p values are right-skewed: "
        "unlikely if none of these studies had a true effect to find and the significant results were only selected. "
        "How large an effect, and in which of them, this does not say."
    )
    unclear = p_curve(_effects([2.1, 2.3, 2.5, 2.6, 2.2]))
    assert "neither right-skewed nor flatter" in unclear.sentence
    frame = found.to_frame()
    assert frame["term"].tolist() == [
        "right_skew_full",
        "right_skew_half",
        "right_skew_binomial",
        "flatness_full",
        "flatness_half",
        "flatness_binomial",
        "power",
    ]
    assert frame["p_value"].tolist()[0] == pytest.approx(stats.norm.cdf(found.skew_full))
    assert frame["p_value"].tolist()[2] == found.skew_binomial
    narrow, wide = found.to_frame(level=0.5).iloc[-1], frame.iloc[-1]
    assert wide["ci_low"] < narrow["ci_low"] < narrow["estimate"] < narrow["ci_high"] < wide["ci_high"]
    assert "<table" in found._repr_html_()
    assert "p-curve" in found.to_markdown()
    with pytest.raises(ValueError, match="read-only"):
        found.statistics[0] = 1.0


def test_bad_input() -> None:
    with pytest.raises(InputError, match=r"p_curve\(\) takes the result of effect_sizes\(\), not list"):
        p_curve([0.04])  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="unknown alternative 'two-sided'"):
        p_curve(KOLDEN, alternative="two-sided")
    with pytest.raises(InputError, match="level must lie between 0 and 1"):
        p_curve(KOLDEN).power_interval(90)
