"""The test of excess significance: metafor's `tes`, all subsets counted, and integrals."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import alliance_meta as am
from alliance_meta.bias._significance import excess_significance
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.stats.excess_significance import (
    EXCESS_TESTS,
    at_least,
    excess,
    limit,
    power_of_studies,
    significant_studies,
)

REFERENCE: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "reference" / "significance.json").read_text(encoding="utf-8")
)
SETS = REFERENCE["sets"]
# With tau2 metafor integrates the power over -5 to 5 standard deviations, which leaves out 5.7e-7 of it.
LEFT_OUT = 5.8e-7
# metafor's limits come from uniroot() with its default tolerance, in standard errors of the largest study.
LIMIT = 2e-3


def _effects(y: Any, v: Any) -> am.EffectSizes:
    frame = pd.DataFrame({"study": [f"s{i}" for i in range(len(y))], "y": y, "v": v})
    return am.effect_sizes(frame, measure="GEN", effect="y", variance="v")


def _arrays(one: Any) -> tuple[Any, Any]:
    return np.array(one["yi"], dtype=float), np.array(one["vi"], dtype=float)


KOLDEN = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")


@pytest.mark.parametrize("one", SETS, ids=[one["name"] for one in SETS])
def test_metafors_tes(one: Any) -> None:
    y, v = _arrays(one)
    effects = _effects(y, v)
    for theirs in one["excess"]:
        asked = {"alternative": theirs["alternative"], "test": theirs["test"], "tau2_method": theirs["model"]}
        found = excess_significance(effects, **asked)
        assert found.observed == theirs["observed"]
        integrated = found.tau2 > 0.0
        assert found.expected == pytest.approx(theirs["expected"], abs=y.size * LEFT_OUT if integrated else 1e-12)
        # The slope of p in the expected number is at most about 10 here.
        assert found.p_value == pytest.approx(theirs["p_value"], abs=10.0 * LEFT_OUT if integrated else 1e-12)
        assert np.isnan(found.limit) == (theirs["limit"] is None)
        if theirs["limit"] is not None:
            assert found.limit == pytest.approx(theirs["limit"], abs=LIMIT * np.sqrt(v.min()))


@pytest.mark.parametrize("one", SETS, ids=[one["name"] for one in SETS])
def test_p_at_the_limit_is_a_tenth(one: Any) -> None:
    effects = _effects(*_arrays(one))
    for test, tau2_method in itertools.product(EXCESS_TESTS, ("EE", "DL")):
        asked: dict[str, Any] = {"test": test, "tau2_method": tau2_method}
        found = excess_significance(effects, **asked)
        if np.isfinite(found.limit):
            assert excess_significance(effects, effect=found.limit, **asked).p_value == pytest.approx(0.10, rel=1e-8)
        else:
            assert excess_significance(effects, effect=0.0, **asked).p_value > 0.10


# ---------------------------------------------------------------- second implementations


def test_exact_p_counts_all_subsets() -> None:
    rng = np.random.default_rng(7)
    for k in (1, 2, 5, 9):
        p = rng.uniform(0.02, 0.98, k)
        for count in range(k + 1):
            counted = sum(
                np.prod([p[i] if i in chosen else 1.0 - p[i] for i in range(k)])
                for size in range(count, k + 1)
                for chosen in itertools.combinations(range(k), size)
            )
            assert float(at_least(count, p)) == pytest.approx(counted, rel=1e-12)


def test_exact_is_binomial_where_powers_are_equal() -> None:
    power = np.full(200, 0.31)
    found = excess(np.arange(200) < 75, power)
    assert found.p_value[2] == pytest.approx(stats.binom.sf(74, 200, 0.31), rel=1e-11)
    assert found.p_value[1] == pytest.approx(found.p_value[2], rel=1e-11)


def test_chi_square_is_pearsons() -> None:
    significant, power = np.arange(40) < 17, np.linspace(0.1, 0.6, 40)
    found = excess(significant, power)
    expected = power.sum()
    statistic, both = stats.chisquare([17, 23], [expected, 40 - expected])
    assert found.statistic == pytest.approx(statistic)
    assert found.p_value[0] == pytest.approx(both / 2.0)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize("tau2", [0.01, 0.3])
def test_power_is_the_integral_over_true_effects(alternative: str, tau2: float) -> None:
    v = 0.04
    found = power_of_studies(0.25, [v], tau2, alpha=0.05, alternative=alternative)

    def integrand(theta: float) -> float:
        at = power_of_studies(theta, [v], 0.0, alpha=0.05, alternative=alternative)
        return float(at[0]) * float(stats.norm.pdf(theta, 0.25, np.sqrt(tau2)))

    width = 12.0 * np.sqrt(tau2)
    value = integrate.quad(integrand, 0.25 - width, 0.25 + width, epsabs=1e-12, epsrel=1e-12, limit=400)[0]
    assert float(found[0]) == pytest.approx(value, rel=1e-9)


def test_p_value_is_right_where_nothing_is_in_excess() -> None:
    """Simulated without selection: the exact test's p is below .10 in no more than 10 % of meta-analyses."""
    rng = np.random.default_rng(3)
    v = np.array([0.01, 0.02, 0.04, 0.05, 0.08, 0.1, 0.1, 0.2])
    y = rng.normal(0.3, np.sqrt(v), (20_000, 8))
    power = np.broadcast_to(power_of_studies(0.3, v), y.shape)
    p = excess(significant_studies(y, v), power).p_value[:, 2]
    assert 0.02 < (p <= 0.10).mean() <= 0.105
    whole = sum(stats.bernoulli.pmf(1, q) for q in power[0])
    assert significant_studies(y, v).sum(axis=-1).mean() == pytest.approx(whole, abs=0.04)


def test_batches_and_left_out_effects() -> None:
    significant, power = [[1, 1, 0], [1, 0, 0]], [[0.5, 0.2, 0.9], [0.5, 0.5, 0.5]]
    both = excess(significant, power, [[1, 1, 0], [1, 1, 1]])
    first, second = excess([1, 1], [0.5, 0.2]), excess([1, 0, 0], [0.5] * 3)
    assert both.p_value == pytest.approx(np.stack([first.p_value, second.p_value]))
    assert both.k.tolist() == [2.0, 3.0]


# ---------------------------------------------------------------- the public function


def test_given_effect_is_on_the_shown_scale() -> None:
    found = excess_significance(KOLDEN, effect=0.1)
    assert found.estimate == pytest.approx(np.arctanh(0.1))
    assert found.power == pytest.approx(power_of_studies(np.arctanh(0.1), KOLDEN.variance))
    assert found.given
    assert "if the true effect is r = 0.100 everywhere, as given" in found.sentence
    assert found.p_value < 0.01


def test_power_averages_over_tau2() -> None:
    fit = am.pool(KOLDEN, tau2_method="DL", test="z")
    found = excess_significance(KOLDEN, tau2_method="DL")
    assert (found.estimate, found.tau2) == pytest.approx((fit.estimate, fit.tau2))
    assert found.power == pytest.approx(power_of_studies(fit.estimate, KOLDEN.variance, fit.tau2))
    assert found.cautions == ()
    assert "strong heterogeneity" in excess_significance(KOLDEN).cautions[0]


def test_no_significant_effect_is_no_excess() -> None:
    found = excess_significance(_effects([0.1, 0.0, -0.1], [0.04] * 3))
    assert found.observed == 0
    assert found.p_values[1:] == (1.0, 1.0)
    assert np.isnan(found.limits).all()
    assert "even with no effect" in str(found)


def test_all_significant() -> None:
    found = excess_significance(_effects([2.0] * 6, [0.01] * 6))
    assert found.observed == 6
    assert found.expected == pytest.approx(6.0)
    assert found.p_values[1:] == pytest.approx((1.0, 1.0))
    assert np.isfinite(found.limits).all()
    assert str(found)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_few_effects(k: int) -> None:
    found = excess_significance(_effects([0.5] * k, [0.04] * k))
    assert found.observed == k
    assert found.p_value == pytest.approx(float(found.power[0]) ** k)
    assert f"only {k} effects" in found.cautions[0]
    for method in ("DL", "REML"):
        assert excess_significance(_effects([0.5] * k, [0.04] * k), tau2_method=method).tau2 == 0.0


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_units_do_not_matter(scale: float) -> None:
    y, v = _arrays(SETS[0])
    plain, scaled = excess_significance(_effects(y, v)), excess_significance(_effects(y * scale, v * scale**2))
    assert scaled.p_values == pytest.approx(plain.p_values, rel=1e-9)
    assert [each / scale for each in scaled.limits] == pytest.approx(list(plain.limits), rel=1e-9)


@pytest.mark.parametrize("variances", [[1e-8, 1.0, 1.0, 1.0], [1e-12] * 4, [1e12] * 4])
def test_one_dominating_study_and_extreme_variances(variances: list[float]) -> None:
    for method in ("EE", "REML"):
        found = excess_significance(_effects([0.4, 0.1, 0.3, -0.2], variances), tau2_method=method)
        assert np.isfinite([found.expected, *found.p_values]).all()
        assert str(found)


def test_limits_turn_with_the_signs() -> None:
    y, v = _arrays(SETS[0])
    there, back = excess_significance(_effects(y, v)), excess_significance(_effects(-y, v))
    assert back.limits == pytest.approx([-each for each in there.limits])
    greater = limit(significant_studies(-y, v, alternative="greater"), v, direction=1.0, alternative="greater")
    less = limit(significant_studies(y, v, alternative="less"), v, direction=-1.0, alternative="less")
    assert greater == pytest.approx(-less)


def test_words() -> None:
    found = excess_significance(KOLDEN)
    assert repr(found) == "<ExcessSignificance: 7 significant, 6.7 expected, p = .529 (exact), k = 16>"
    assert found.sentence == (
        "7 of 16 effects are significant (two-sided, α = .05); from the studies' power 6.7 are expected if the true "
        "effect is r = 0.249 everywhere, the pooled one (exact test, p = .529). That is no excess; it does not rule "
        "one out, since the test has little power, and a pooled effect that selection has inflated makes too many seem "
        "expected."
    )
    assert found.ratio == pytest.approx(7.0 / found.expected)
    frame = found.to_frame()
    assert frame["test"].tolist() == ["chi2", "binomial", "exact"]
    assert frame["p_value"].tolist() == list(found.p_values)
    each = found.effects_frame()
    assert each["significant"].sum() == 7
    assert each["power"].sum() == pytest.approx(found.expected)
    assert "<table" in found._repr_html_()
    excessive = excess_significance(KOLDEN, effect=0.1)
    assert "selective reporting can bring that about, and so can true effects that differ" in excessive.sentence
    with pytest.raises(ValueError, match="read-only"):
        found.power[0] = 1.0


def test_rough_chi_square_is_a_caution() -> None:
    effects = _effects([0.1 * i for i in range(12)], [0.5] * 12)
    assert any("chi-square test is rough" in each for each in excess_significance(effects, test="chi2").cautions)
    assert not any("rough" in each for each in excess_significance(effects).cautions)


def test_bad_input() -> None:
    with pytest.raises(
        InputError, match=r"excess_significance\(\) takes the result of effect_sizes\(\), not DataFrame"
    ):
        excess_significance(pd.DataFrame())  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"alpha must lie between 0 and 0\.5"):
        excess_significance(KOLDEN, alpha=0.9)
    with pytest.raises(UnknownNameError, match="unknown alternative 'larger'"):
        excess_significance(KOLDEN, alternative="larger")
    with pytest.raises(UnknownNameError, match=r"unknown test 'binom'.*Did you mean 'binomial'"):
        excess_significance(KOLDEN, test="binom")
    with pytest.raises(UnknownNameError, match="unknown tau2_method"):
        excess_significance(KOLDEN, tau2_method="GENQ")
    for effect in (1.0, np.nan, "x", True):
        with pytest.raises(InputError, match="effect must be a value of r that the measure can have"):
            excess_significance(KOLDEN, effect=effect)  # type: ignore[arg-type]
