"""Power: against simulated meta-analyses, R's power functions, and what must hold at its limits."""

from __future__ import annotations

from math import atanh, inf, sqrt
from typing import Any

import numpy as np
import pytest
from scipy import stats

import alliance_meta as am
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.planning import new_studies_needed, power, studies_needed
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.power import rejection_probability
from alliance_meta.stats.regression import regression

REPLICATES = 20_000
MONTE_CARLO = 3.0 * sqrt(0.25 / REPLICATES)
"""Three standard errors of a simulated proportion, at most."""

STUDIES: Any = {"variance": 0.04, "tau2": 0.05}


def draws(means: FloatArray, variance: float, tau2: float, seed: int) -> FloatArray:
    """Effects of REPLICATES meta-analyses."""
    rng = np.random.default_rng(seed)
    return rng.normal(means, sqrt(variance + tau2), (REPLICATES, len(means)))


# Against simulation


@pytest.mark.parametrize("tails", [1, 2])
@pytest.mark.parametrize("tau2_method", ["REML", "DL"])
@pytest.mark.parametrize(("effect", "k"), [(0.3, 5), (0.15, 20), (-0.25, 12)])
def test_the_mean_by_knapp_and_hartung(effect: float, k: int, tau2_method: str, tails: int) -> None:
    """Exact with equal sampling variances, whatever the estimator of tau2."""
    y = draws(np.full(k, effect), 0.04, 0.05, seed=k)
    fits = am.pool_many(y, np.full(k, 0.04), tau2_method=tau2_method)
    statistic = fits.estimate / fits.std_error
    critical = stats.t.ppf(1.0 - 0.05 / tails, k - 1)
    found = (np.abs(statistic) if tails == 2 else np.sign(effect) * statistic) > critical
    assert found.mean() == pytest.approx(power(effect=effect, k=k, tails=tails, **STUDIES).power, abs=MONTE_CARLO)


def test_the_mean_by_z_under_equal_effects() -> None:
    y = draws(np.full(8, 0.15), 0.04, 0.0, seed=2)
    fits = am.pool_many(y, np.full(8, 0.04), tau2_method="EE", test="z")
    found = np.abs(fits.estimate / fits.std_error) > stats.norm.ppf(0.975)
    planned = power(effect=0.15, k=8, variance=0.04, tau2=0, test="z")
    assert found.mean() == pytest.approx(planned.power, abs=MONTE_CARLO)


def test_the_mean_by_z_with_many_studies_of_unknown_tau2() -> None:
    """With 100 studies the estimated tau2 is nearly the true one: 0.01 is left for it."""
    y = draws(np.full(100, 0.07), 0.04, 0.05, seed=3)
    fits = am.pool_many(y, np.full(100, 0.04), tau2_method="DL", test="z")
    found = np.abs(fits.estimate / fits.std_error) > stats.norm.ppf(0.975)
    assert found.mean() == pytest.approx(power(effect=0.07, k=100, test="z", **STUDIES).power, abs=MONTE_CARLO + 0.01)


def test_the_mean_of_studies_that_are_not_alike() -> None:
    """With unequal variances, whose typical value the fit takes, power is nearly that: 0.015 is left for it."""
    v = np.array([0.01, 0.02, 0.02, 0.03, 0.04, 0.05, 0.05, 0.08, 0.10, 0.15, 0.02, 0.03])
    fit = am.pool(am.effect_sizes(measure="GEN", effect=np.linspace(-0.6, 0.9, 12), variance=v))
    planned = power(effect=0.3, fit=fit)
    rng = np.random.default_rng(4)
    y = rng.normal(0.3, np.sqrt(v + fit.tau2), (REPLICATES, 12))
    fits = am.pool_many(y, v, tau2_method="DL")
    found = np.abs(fits.estimate / fits.std_error) > stats.t.ppf(0.975, 11)
    assert found.mean() == pytest.approx(planned.power, abs=MONTE_CARLO + 0.015)
    assert planned.std_error == pytest.approx(1.0 / sqrt((1.0 / (v + fit.tau2)).sum()), rel=1e-12)


@pytest.mark.parametrize(
    ("target", "effect", "k", "moderator"),
    [
        ("difference", (0.1, 0.4), (6, 9), [0.0] * 6 + [1.0] * 9),
        ("slope", (0.0, 0.2), 14, list(range(14))),
    ],
)
def test_a_difference_and_a_slope(target: str, effect: tuple[float, float], k: Any, moderator: list[float]) -> None:
    x = np.asarray(moderator, dtype=float)
    steps = x if target == "difference" else (x - x.mean()) / x.std()
    y = draws(effect[0] + (effect[1] - effect[0]) * steps, 0.04, 0.05, seed=5)
    design = np.column_stack([np.ones(len(x)), steps])
    fits = regression(y, np.full(len(x), 0.04), design, tau2_method="DL", test="knapp-hartung")
    statistic = fits.coefficients[:, 1] / np.sqrt(fits.covariance[:, 1, 1])
    found = np.abs(statistic) > stats.t.ppf(0.975, len(x) - 2)
    planned = power(target, effect=effect, k=k, **STUDIES)
    assert found.mean() == pytest.approx(planned.power, abs=MONTE_CARLO)
    assert planned.df == len(x) - 2


# Against R


@pytest.mark.parametrize(
    ("noncentrality", "df", "expected"),
    [
        # R 4.2: power.t.test(n=n, delta=delta, sd=1, type="one.sample", strict=TRUE)$power, n = df + 1
        (0.5 * sqrt(20), 19, 0.564504418439925),
        (1.0 * sqrt(6), 5, 0.506841979958778),
    ],
)
def test_power_is_that_of_a_t_test(noncentrality: float, df: float, expected: float) -> None:
    assert float(rejection_probability(noncentrality, df)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("df", [1, 3, 30, 1000, inf])
def test_at_no_effect_power_is_alpha(df: float) -> None:
    for tails in (1, 2):
        assert float(rejection_probability(0.0, df, 0.01, tails=tails)) == pytest.approx(0.01, rel=1e-9)


def test_t_becomes_normal_and_power_1_and_nothing_comes_of_no_degrees_of_freedom() -> None:
    numbers = rejection_probability([0.5, 2.8, 4.0], 1e8)
    assert numbers == pytest.approx(rejection_probability([0.5, 2.8, 4.0], inf), rel=1e-6)
    assert rejection_probability([40.0, 60.0, 500.0], [5, 5000, 1e6]).tolist() == [1.0, 1.0, 1.0]
    assert np.isnan(rejection_probability(2.0, 0.0))


# What is planned


def test_everything_at_once() -> None:
    planned = power(effect=0.2, k=20, measure="ZCOR", n=60, i2=50, test="z")
    z = atanh(0.2) / sqrt((2 / 57) / 20)
    assert planned.noncentrality == pytest.approx(z, rel=1e-12)
    assert planned.power == pytest.approx(stats.norm.sf(1.959963984540054 - z), abs=1e-9)
    assert (planned.tau2, planned.variance, planned.i2) == pytest.approx((1 / 57, 1 / 57, 50.0), rel=1e-12)
    assert (planned.effect, planned.k, planned.df, planned.measure) == ((0.2,), (20,), inf, "ZCOR")


def test_an_effect_is_on_the_scale_shown_to_people() -> None:
    ratio = power(effect=2.0, k=10, measure="OR", **STUDIES)
    assert ratio.power == power(effect=float(np.log(2.0)), k=10, **STUDIES).power
    assert power(effect=0.5, k=10, measure="OR", **STUDIES).power == pytest.approx(ratio.power, rel=1e-12)


def test_a_difference_needs_four_times_the_studies_of_a_mean() -> None:
    mean = power("mean", effect=0.2, k=10, test="z", **STUDIES)
    assert power("difference", effect=(0.1, 0.3), k=20, test="z", **STUDIES).power == pytest.approx(mean.power)
    assert power("difference", effect=(0.1, 0.3), k=(20, 20), **STUDIES).k == (20, 20)


@pytest.mark.parametrize("test", ["z", "knapp-hartung"])
@pytest.mark.parametrize("tails", [1, 2])
@pytest.mark.parametrize(
    ("target", "effect"), [("mean", 0.1), ("mean", -2.0), ("difference", (0.1, 0.3)), ("slope", (0.1, 0.2))]
)
def test_the_number_of_studies_is_the_smallest(target: str, effect: Any, tails: int, test: str) -> None:
    settings: Any = {"effect": effect, "tails": tails, "test": test, **STUDIES}
    needed = studies_needed(target, power=0.9, **settings)
    assert needed.power >= 0.9
    assert power(target, k=needed.k, **settings) == needed
    fewer = needed.k[0] - 1
    if fewer >= (3 if target == "slope" else 2):
        assert power(target, k=fewer, **settings).power < 0.9


def test_a_fit_gives_what_is_not_given() -> None:
    fit = am.pool(am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR"))
    own = power(effect=0.2, fit=fit)
    total = (1.0 / (fit.effects.variance + fit.tau2)).sum()
    assert own.std_error == pytest.approx(1.0 / sqrt(total), rel=1e-12)
    assert (own.k, own.measure, own.tau2) == ((16,), "ZCOR", fit.tau2)
    other = power(effect=0.2, fit=fit, k=40, n=103, tau2=0.01)
    assert (other.k, other.variance, other.tau2) == ((40,), 0.01, 0.01)
    assert studies_needed(effect=0.2, fit=fit).variance == own.variance


def test_new_studies_for_power() -> None:
    fit = am.pool(am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR"))
    needed = new_studies_needed(fit, effect=0.10, power=0.8, n=50)
    assert needed.k == 16 + needed.new

    def by_hand(new: int) -> float:
        total = (1.0 / (fit.effects.variance + fit.tau2)).sum() + new / (1.0 / 47.0 + fit.tau2)
        return float(rejection_probability(atanh(0.10) * sqrt(total), 15 + new))

    assert needed.reached == pytest.approx(by_hand(needed.new), rel=1e-12)
    assert by_hand(needed.new - 1) < 0.8 <= by_hand(needed.new)
    assert new_studies_needed(fit, effect=0.9).new == 0


def test_one_study_under_equal_effects_has_no_interval_until_there_are_two() -> None:
    one = am.pool(am.effect_sizes(measure="GEN", effect=[0.1], variance=[0.1]), tau2_method="EE")
    assert new_studies_needed(one, half_width=10.0).new == 1
    assert new_studies_needed(one, effect=50.0).new == 1


@pytest.mark.parametrize("half_width", [0.03, 0.05])
def test_new_studies_for_an_interval(half_width: float) -> None:
    fit = am.pool(am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR"))
    needed = new_studies_needed(fit, half_width=half_width, level=0.90, test="z")

    def by_hand(new: int) -> float:
        total = (16 + new) / (needed.variance + fit.tau2)
        half = stats.norm.ppf(0.95) / sqrt(total)
        return float(np.tanh(fit.estimate + half) - np.tanh(fit.estimate - half)) / 2.0

    assert needed.reached == pytest.approx(by_hand(needed.new), rel=1e-12)
    assert by_hand(needed.new) <= half_width < by_hand(needed.new - 1)
    assert needed.goal == "half-width"


def test_what_they_say() -> None:
    planned = power("slope", effect=(0.2, 0.3), k=24, measure="ZCOR", n=60, i2=50)
    assert repr(planned) == (
        "<PowerResult: power = 0.761 for a slope, r = 0.20 and 0.30, k = 24, tau2 = 0.0175 (t(22), alpha = 0.05, "
        "two-sided)>"
    )
    assert str(planned) == (
        "With k = 24 studies of typical sampling variance 0.0175 and τ² = 0.0175 (I² = 50%), the power to detect a "
        "slope from r = 0.20 and 0.30 in a standard deviation of the moderator is 76% (Knapp–Hartung test, two-sided, "
        "α = .05)."
    )
    fit = am.pool(am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR"))
    assert str(new_studies_needed(fit, half_width=0.05)) == (
        f"With 92 new studies (k = 108), the interval around r = 0.25 shrinks to ±0.050, if τ² stays {fit.tau2:.3g}."
    )


# What is refused

GOOD: dict[str, Any] = {"effect": 0.2, "k": 10, "variance": 0.04, "tau2": 0.05}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"effect": (0.1, 0.2)}, "effect must be one number, for target='mean'; got (0.1, 0.2)"),
        ({"effect": "much"}, "effect must be one number"),
        ({"target": "difference"}, "effect must be two numbers, the effects of the two subgroups"),
        ({"target": "slope"}, "effect must be two numbers, the effects of two studies that are a standard deviation"),
        ({"effect": 1.0, "measure": "ZCOR"}, "effect must be possible for measure 'ZCOR'"),
        ({"k": None}, "give k, the number of studies"),
        ({"k": 2.5}, "k must be a whole number, 1 or more; got 2.5"),
        ({"k": (5, 5)}, "k must be a whole number, 1 or more; got (5, 5)"),
        ({"k": 0}, "k must be a whole number, 1 or more; got 0"),
        ({"variance": None}, "give the studies' precision: variance=, or for measure='ZCOR' n=, or fit="),
        ({"variance": 0.0}, "variance must exceed 0; got 0.0"),
        ({"n": 50}, "give either variance or n, not both"),
        ({"n": 50, "variance": None}, "n gives the sampling variance of Fisher's z, measure='ZCOR', not of 'GEN'"),
        ({"n": 3, "variance": None, "measure": "ZCOR"}, "n must exceed 3; got 3"),
        ({"tau2": None}, "say how much the true effects differ: tau2= or i2= (0 for equal effects), or fit="),
        ({"tau2": -0.1}, "tau2 must be a variance, 0 or more; got -0.1"),
        ({"i2": 50}, "give either tau2 or i2, not both"),
        ({"i2": 100, "tau2": None}, "i2 must be a percentage from 0 to below 100; got 100"),
        ({"alpha": 0.5}, "alpha must lie between 0 and 0.5; got 0.5"),
        ({"tails": 3}, "tails must be 2 (two-sided) or 1 (one-sided towards the effect), not 3"),
        ({"fit": "kolden"}, "fit must be the result of pool(), not str"),
    ],
)
def test_settings_that_cannot_be(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        power(**{**GOOD, **change})
    assert str(caught.value).startswith(message)


def test_unknown_names_get_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown target 'means'\. Did you mean 'mean'\?"):
        power("means", **GOOD)
    with pytest.raises(UnknownNameError, match="unknown test 't'"):
        power(**GOOD, test="t")
    with pytest.raises(UnknownNameError, match="'ZCORR'"):
        power(**GOOD, measure="ZCORR")


def test_what_no_number_of_studies_can_do() -> None:
    with pytest.raises(InputError, match="effect is that of the null hypothesis"):
        studies_needed(effect=0.0, **STUDIES)
    with pytest.raises(InputError, match=r"no number of studies up to 10,000,000 has power 0\.8"):
        studies_needed(effect=1e-6, **STUDIES)
    with pytest.raises(InputError, match=r"power must lie between 0\.05 and 1; got 0\.01"):
        studies_needed(effect=0.2, power=0.01, **STUDIES)


def test_fits_that_cannot_be_planned_with() -> None:
    effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
    fit = am.pool(effects)
    with pytest.raises(InputError, match="measure='COR' is not that of the fit, 'ZCOR'"):
        power(effect=0.2, fit=fit, measure="COR")
    with pytest.raises(InputError, match="this fit has weights equal"):
        power(effect=0.2, fit=am.pool(effects, weights="equal"))
    with pytest.raises(InputError, match="give k, the number of studies in each subgroup"):
        power("difference", effect=(0.2, 0.3), fit=fit)
    with pytest.raises(InputError, match="this fit of one study has no tau2"):
        power(effect=0.2, fit=am.pool(am.effect_sizes(measure="GEN", effect=[0.1], variance=[0.1])))
    for both in ({}, {"effect": 0.2, "half_width": 0.05}):
        with pytest.raises(InputError, match=r"give either effect \(with power\) or half_width"):
            new_studies_needed(fit, **both)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no number of new studies up to 10,000,000 suffices"):
        new_studies_needed(fit, half_width=1e-6)
    with pytest.raises(InputError, match="no number of new studies"):
        new_studies_needed(fit, effect=0.0)
    with pytest.raises(InputError, match="half_width must exceed 0; got -1"):
        new_studies_needed(fit, half_width=-1)
