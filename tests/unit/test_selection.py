"""Step-function selection models: metafor, an integral instead of normal probabilities, and sets at the edge."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy import integrate, optimize, special, stats

import alliance_meta as am
from alliance_meta.bias._selection import STEPS, WEIGHTS, selection_model
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.results.bias._selection import SelectionModel, interval_names
from alliance_meta.stats.selection import Outcome, p_values, profile_intervals, step_selection
from alliance_meta.stats.selection._climb import climb
from alliance_meta.stats.selection._fit import prepared
from alliance_meta.stats.selection._likelihood import Cuts

FloatArray = npt.NDArray[np.float64]

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "selection.json").read_text(encoding="utf-8"))
CASES = {case["name"]: case for case in [*REFERENCE["published"], *REFERENCE["random"]]}
REFUSED = "random24"  # no effect has p <= .025, and metafor stops at its bound of 100

# The best of three optimizers of metafor stops within 1e-9 of the maximum, or below it.
HEIGHT = 1e-9
# A log-likelihood to 1e-10 tells a parameter to 1e-5 of its standard error; metafor comes to within 1.1e-5.
PARAMETERS: dict[str, Any] = {"rel": 2e-5, "abs": 2e-5}
# metafor's Hessian is numerical, at a point as far from the maximum as said above; 9.6e-5 is the most that shows.
ERRORS = 1.5e-4
# uniroot(tol = 1e-9) on metafor's own maximum.
BOUNDS = 1e-6


def _fit(case: dict[str, Any], **more: Any) -> Any:
    return step_selection(case["yi"], case["vi"], np.array(case["x"]).T, **_options(case), **more)


def _options(case: dict[str, Any]) -> dict[str, Any]:
    steps = [step for step in case["steps"] if step < 1.0]
    kept = {"alternative": case["alternative"], "tau2_method": case["tau2_method"]}
    return {**kept, "steps": steps, "weights": case["given"]}


def _numbers(values: list[Any]) -> FloatArray:
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def _selected(rows: int, k: int, share: float = 0.2, seed: int = 1) -> tuple[FloatArray, FloatArray]:
    """Effects of mean 0.2 and tau 0.2, of which a share of those with p > .025 was published."""
    rng = np.random.default_rng(seed)
    v = 4.0 / rng.integers(20, 200, (rows, 40 * k))
    y = rng.normal(0.2, np.sqrt(v + 0.04))
    kept = rng.random(y.shape) < np.where(p_values(y, v, "greater") <= 0.025, 1.0, share)
    first = np.argsort(~kept, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(y, first, 1), np.take_along_axis(v, first, 1)


def _effects(y: npt.ArrayLike, v: npt.ArrayLike, **columns: Any) -> am.EffectSizes:
    return am.effect_sizes(pd.DataFrame({"effect": y, "variance": v, **columns}), measure="GEN")


BCG = _effects(CASES["bcg"]["yi"], CASES["bcg"]["vi"])


# ---------------------------------------------------------------- metafor 3.8-1


@pytest.mark.parametrize("name", [name for name in CASES if name != REFUSED])
def test_estimates_are_metafors(name: str) -> None:
    case = CASES[name]
    fit = _fit(case)
    assert fit.outcome == Outcome.CONVERGED
    higher = float(fit.log_likelihood) - case["log_likelihood"]
    assert higher >= -HEIGHT
    assert higher < 1e-5
    assert fit.coefficients == pytest.approx(_numbers(case["b"]), **PARAMETERS)
    assert float(fit.tau2) == pytest.approx(case["tau2"], **PARAMETERS)
    assert fit.weights == pytest.approx(_numbers(case["delta"]), **PARAMETERS)


@pytest.mark.parametrize("name", [name for name in CASES if name != REFUSED])
def test_standard_errors_are_metafors(name: str) -> None:
    case = CASES[name]
    fit = _fit(case)
    p, errors = len(case["b"]), np.sqrt(np.diagonal(fit.covariance))
    assert errors[:p] == pytest.approx(_numbers(case["se"]), rel=ERRORS)
    if fit.tau2 > 0.0:
        assert errors[p] == pytest.approx(case["se_tau2"], rel=ERRORS)
    if case["given"] is None:
        assert errors[p + 1 :] == pytest.approx(_numbers(case["se_delta"])[1:], rel=ERRORS)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case["intervals"]])
def test_profile_intervals_are_metafors(name: str) -> None:
    case = CASES[name]
    low, high = profile_intervals(case["yi"], case["vi"], np.array(case["x"]).T, **_options(case))
    theirs = np.array([_numbers(bounds) for bounds in case["intervals"]])
    known = ~np.isnan(theirs)
    ours = np.column_stack([low, high])[1:]
    assert ours[known] == pytest.approx(theirs[known], rel=BOUNDS, abs=BOUNDS)


def test_likelihood_ratio_test_is_metafors() -> None:
    case = CASES["bcg"]
    found = selection_model(BCG, alternative="less")
    assert found.lr_statistic == pytest.approx(case["LRT"], rel=1e-9)
    assert found.lr_df == case["LRTdf"]
    assert found.lr_p_value == pytest.approx(case["LRTp"], rel=1e-9)


def test_metafors_bound_is_refused() -> None:
    case = CASES[REFUSED]
    assert _fit(case).outcome == Outcome.NO_REFERENCE
    assert case["delta"][1] > 99.0


# ---------------------------------------------------------------- an integral instead of normal probabilities


def _slow_height(y: FloatArray, v: FloatArray, b: float, tau2: float, weights: FloatArray, cuts: FloatArray) -> float:
    """Log-likelihood: each density times its weight, over the integral of the same product."""
    total = 0.0
    for one, variance in zip(y, v, strict=True):

        def density(at: float, variance: float = variance) -> float:
            weight = weights[np.searchsorted(cuts, stats.norm.sf(at / np.sqrt(variance)), side="left")]
            return float(weight * stats.norm.pdf(at, b, np.sqrt(variance + tau2)))

        ends = np.sqrt(variance) * stats.norm.isf(cuts)
        spread = 9.0 * np.sqrt(variance + tau2)
        places = np.sort(np.clip([*ends, b - spread, b + spread], b - spread, b + spread))
        whole = sum(integrate.quad(density, low, high, epsabs=1e-13)[0] for low, high in pairwise(places) if high > low)
        total += np.log(density(float(one)) / whole)
    return float(total)


def test_likelihood_is_that_of_an_integral() -> None:
    y, v = (array[0] for array in _selected(1, 8))
    made = prepared(y, v, None, None, steps=[0.025, 0.5], alternative="greater")
    tau2, weights = 0.03, np.array([1.0, 0.4, 0.2])
    theta = np.array([[0.1 / made.back[0, 0, 0], np.log1p(tau2 / made.problem.unit[0]), *np.log(weights[1:])]])
    slow = _slow_height(y, v, 0.1, tau2, weights, np.array([0.025, 0.5]))
    assert made.problem.height(theta)[0] == pytest.approx(slow, abs=1e-9)


def test_maximum_is_that_of_a_simplex() -> None:
    """Nelder and Mead's search of the likelihood, written with probabilities of p instead of cut points of effects."""
    y, v = (array[0] for array in _selected(1, 40))
    fit = step_selection(y, v, steps=[0.05], alternative="two-sided")
    cut = np.sqrt(v) * stats.norm.isf(0.025)
    small = np.abs(y) >= cut

    def loss(x: FloatArray) -> float:
        spread, weight = np.sqrt(v + np.exp(x[1])), np.exp(x[2])
        inside = stats.norm.cdf(cut, x[0], spread) - stats.norm.cdf(-cut, x[0], spread)
        each = stats.norm.logpdf(y, x[0], spread) + np.where(small, 0.0, x[2])
        return float(-(each - np.log(1.0 - inside + weight * inside)).sum())

    found = optimize.minimize(loss, [0.2, -3.0, -1.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-13})
    assert float(fit.log_likelihood) == pytest.approx(-found.fun, abs=1e-9)
    assert [*fit.coefficients, *fit.weights[1:]] == pytest.approx([found.x[0], np.exp(found.x[2])], rel=1e-5)


@pytest.mark.parametrize("alternative", ["greater", "two-sided"])
def test_derivatives_are_differences(alternative: str) -> None:
    rng = np.random.default_rng(3)
    y, v = _selected(2, 15)
    design = np.stack([np.ones((2, 15)), rng.normal(size=(2, 15))], -1)
    problem = prepared(y, v, design, None, steps=[0.05, 0.3, 0.6], alternative=alternative).problem
    theta = np.array([[0.1, 0.2, 0.5, -0.3, -1.0, -0.5], [0.3, -0.1, 0.2, 0.3, 0.5, -2.0]])
    slopes, h = problem.slopes(theta), 1e-5
    for i, e in enumerate(h * np.eye(6)):
        gradient = (problem.height(theta + e) - problem.height(theta - e)) / (2.0 * h)
        hessian = (problem.slopes(theta + e).gradient - problem.slopes(theta - e).gradient) / (2.0 * h)
        assert slopes.gradient[:, i] == pytest.approx(gradient, rel=1e-6, abs=1e-6)
        assert slopes.hessian[:, i] == pytest.approx(hessian, rel=1e-6, abs=1e-6)


def test_profile_bounds_are_where_the_likelihood_falls_by_half_the_quantile() -> None:
    """Each bound held while the others are maximised by a general optimizer."""
    case = CASES["bcg"]
    y, v = -_numbers(case["yi"]), _numbers(case["vi"])
    low, high = profile_intervals(y, v, np.ones((13, 1)), 0.9, steps=[0.025])
    made = prepared(y, v, None, None, steps=[0.025], alternative="greater")
    top = float(step_selection(y, v, steps=[0.025]).log_likelihood)
    scale = [1.0 / made.back[0, 0, 0], 1.0, 1.0]
    for j, bound in [(j, float(end[j])) for j in range(3) for end in (low, high)]:
        held = [bound * scale[0], np.log1p(bound / made.problem.unit[0]), np.log(max(bound, 1e-9))][j]

        def loss(x: FloatArray, j: int = j, held: float = held) -> float:
            theta = np.insert(x, j, held)
            return 1e6 if theta[1] < 0.0 else -float(made.problem.height(theta[None])[0])

        start = np.delete(np.array([0.5, 1.0, -0.5]), j)
        found = optimize.minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-12})
        assert 2.0 * (top + found.fun) == pytest.approx(special.chdtri(1.0, 0.1), abs=1e-6)


# ---------------------------------------------------------------- what must hold


def test_equal_weights_are_no_selection() -> None:
    y, v = (array[0] for array in _selected(1, 30))
    fit = step_selection(y, v, steps=[0.025, 0.5], weights=[2.0, 2.0, 2.0])
    plain = am.pool(_effects(y, v), tau2_method="ML", test="z")
    assert [*fit.coefficients, fit.tau2] == pytest.approx([plain.estimate, plain.tau2], rel=1e-9)


def test_less_is_greater_turned_round() -> None:
    y, v = _selected(5, 20)
    one, other = (step_selection(s * y, v, steps=[0.025], alternative=a) for s, a in ((1, "greater"), (-1, "less")))
    assert other.coefficients == pytest.approx(-one.coefficients, rel=1e-12)
    assert other.covariance[:, 0, 1:] == pytest.approx(-one.covariance[:, 0, 1:], rel=1e-9)
    assert other.covariance[:, 1:, 1:] == pytest.approx(one.covariance[:, 1:, 1:], rel=1e-9)


@pytest.mark.parametrize("scale", [1e-6, 1e5])
def test_units_do_not_matter(scale: float) -> None:
    y, v = _selected(20, 25)
    one = step_selection(y, v, steps=[0.025])
    other = step_selection(scale * y, scale * scale * v, steps=[0.025])
    assert other.coefficients == pytest.approx(scale * one.coefficients, rel=1e-7)
    assert other.tau2 == pytest.approx(scale * scale * one.tau2, rel=1e-7, abs=1e-9 * scale * scale)
    assert other.weights == pytest.approx(one.weights, rel=1e-7)


def test_other_columns_of_the_same_space() -> None:
    y, v = (array[0] for array in _selected(1, 30))
    x = np.column_stack([np.ones(30), 1980.0 + np.arange(30)])
    centred = x - [0.0, 1995.0]
    far, near = (step_selection(y, v, design, steps=[0.025]) for design in (x, centred))
    assert far.log_likelihood == pytest.approx(near.log_likelihood, rel=1e-12)
    assert far.coefficients[1] == pytest.approx(near.coefficients[1], rel=1e-8)
    assert far.covariance[1:, 1:] == pytest.approx(near.covariance[1:, 1:], rel=1e-6)
    one, other = (profile_intervals(y, v, design, steps=[0.025]) for design in (x, centred))
    assert np.array(one)[:, 1:] == pytest.approx(np.array(other)[:, 1:], rel=1e-6)


def test_a_batch_is_its_rows_and_left_out_effects_do_not_count() -> None:
    y, v = _selected(40, 20)
    include = np.ones(y.shape)
    include[::2, 15:] = 0.0
    spoilt = np.where(include == 1.0, y, np.nan)
    many = step_selection(spoilt, v, include=include, steps=[0.025, 0.5])
    for i in range(6):
        k = int(include[i].sum())
        one = step_selection(y[i, :k], v[i, :k], steps=[0.025, 0.5])
        assert one.outcome == many.outcome[i]
        assert many.coefficients[i] == pytest.approx(one.coefficients, rel=1e-9, nan_ok=True)
        assert many.covariance[i] == pytest.approx(one.covariance, rel=1e-7, nan_ok=True)
    shaped = step_selection(y.reshape(8, 5, 20), v.reshape(8, 5, 20), steps=[0.025])
    assert shaped.weights.shape == (8, 5, 2)
    assert step_selection(np.zeros((0, 5)), np.ones((0, 5)), steps=[0.025]).tau2.shape == (0,)


def test_selection_is_recovered() -> None:
    """Means over 200 sets of 200 effects: mean 0.2, tau2 0.04, weight 0.2; without selection the mean is above 0.3."""
    y, v = _selected(200, 200)
    fit = step_selection(y, v, steps=[0.025])
    assert (fit.outcome == Outcome.CONVERGED).all()
    # Three standard errors of the means, and the weight's skewness.
    assert fit.coefficients.mean() == pytest.approx(0.2, abs=0.015)
    assert fit.tau2.mean() == pytest.approx(0.04, abs=0.005)
    assert np.median(fit.weights[:, 1]) == pytest.approx(0.2, abs=0.02)
    errors = np.sqrt(np.diagonal(fit.covariance, axis1=-2, axis2=-1))[:, 0]
    covered = np.abs(fit.coefficients[:, 0] - 0.2) < 1.96 * errors
    assert 0.89 < covered.mean() <= 1.0


def test_starts_do_not_matter_in_ordinary_sets() -> None:
    y, v = _selected(300, 20)
    made = prepared(y, v, None, None, steps=[0.025, 0.5], alternative="greater")
    free, fixed = made.freedom(None, False)
    fit = step_selection(y, v, steps=[0.025, 0.5])
    rng = np.random.default_rng(4)
    for _ in range(6):
        start = made.starts[0] + rng.normal(0.0, 1.5, made.starts[0].shape)
        start[:, 1] = np.abs(start[:, 1])
        end = climb(made.problem, np.where(np.isnan(fixed), start, fixed), free)
        arrived = (end.outcome == Outcome.CONVERGED) & (fit.outcome == Outcome.CONVERGED)
        assert (end.height[arrived] <= fit.log_likelihood[arrived] + 1e-7).all()


def test_cuts() -> None:
    assert Cuts.of([0.025, 0.5], two_sided=False).interval.tolist() == [2, 1, 0]
    two = Cuts.of([0.05, 0.3], two_sided=True)
    assert two.interval.tolist() == [0, 1, 2, 1, 0]
    assert two.z == pytest.approx([-1.959964, -1.036433, 1.036433, 1.959964], abs=1e-6)


# ---------------------------------------------------------------- at the edge


def test_an_interval_without_effects_has_weight_0() -> None:
    y, v = [0.5, 0.45, 0.6, 0.4, 0.7, 0.55, 0.2, 0.15], [0.02] * 8
    found = selection_model(_effects(y, v), steps="4PSM")
    assert found.counts.tolist() == [6, 2, 0]
    assert found.weights[2] == 0.0
    assert np.isnan(found.std_errors[-1])
    row = found.to_frame().iloc[-1]
    assert row["profile_low"] == 0.0
    assert row["profile_high"] > 0.0
    assert any("no effect has .5 < p ≤ 1" in caution for caution in found.cautions)


def test_only_small_p_values_are_a_truncated_normal() -> None:
    """All p below .025, by the likelihood of a normal distribution cut off at its lower end."""
    y, v = np.array([0.5, 0.45, 0.6, 0.4, 0.7, 0.9, 0.45, 0.52, 0.6, 1.1]), np.full(10, 0.02)
    fit = step_selection(y, v, steps=[0.025])
    cut = np.sqrt(v) * stats.norm.isf(0.025)

    def loss(x: FloatArray) -> float:
        spread = np.sqrt(v + np.exp(x[1]))
        return float(-(stats.norm.logpdf(y, x[0], spread) - stats.norm.logsf(cut, x[0], spread)).sum())

    found = optimize.minimize(loss, [0.5, -4.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-13})
    assert fit.outcome == Outcome.CONVERGED
    assert float(fit.log_likelihood) == pytest.approx(-found.fun, abs=1e-8)


def test_a_ridge_has_no_estimates() -> None:
    """Effects just above the step, ever fewer away from it: an exponential distribution, the end of the ridge."""
    y = 0.28 + 0.2 * stats.expon.ppf((np.arange(12) + 0.5) / 12) ** 1.3
    found = selection_model(_effects(y, [0.02] * 12))
    assert not found.converged
    assert np.isnan(found.coefficients).all()
    assert np.isnan(found.to_frame()[["ci_low", "profile_low"]].to_numpy(dtype=float)).all()
    assert "no estimates" in found.sentence
    assert "no highest likelihood" in repr(found)
    assert str(found)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("steps", ["3PSM", "4PSM"])
def test_two_or_three_effects_end_one_way_or_the_other(k: int, steps: str) -> None:
    for y in ([0.5, 0.1, 0.3], [0.5, 0.5, 0.5], [0.9, -0.9, 0.2]):
        found = selection_model(_effects(y[:k], [0.03] * k), steps=steps)
        assert np.isfinite(found.coefficients).all() == found.converged
        assert str(found)


@pytest.mark.parametrize("v", [[0.02] * 12, [1e-9] + [0.02] * 11, [1e9] + [0.02] * 11, list(np.logspace(-8, 3, 12))])
def test_wild_variances(v: list[float]) -> None:
    rng = np.random.default_rng(6)
    y = np.append(rng.normal(0.3, 0.1, 10), [0.01, 0.02]) if v[0] == v[1] else rng.normal(0.3, np.sqrt(v))
    fit = step_selection(np.abs(y), v, steps=[0.3])
    assert int(fit.outcome) in {Outcome.CONVERGED, Outcome.RIDGE}
    if fit.outcome == Outcome.CONVERGED:
        assert np.isfinite(fit.coefficients).all()
        assert np.isfinite(float(fit.log_likelihood))


def test_identical_effects() -> None:
    found = selection_model(_effects([0.4] * 12, np.linspace(0.01, 0.1, 12)))
    assert found.converged
    assert found.tau2 == 0.0
    assert np.isnan(found.std_errors[1])
    assert any("τ² is at its bound" in caution for caution in found.cautions)


def test_dependent_and_few_effects_are_cautions() -> None:
    y, v = (array[0] for array in _selected(1, 8))
    found = selection_model(_effects(y, v, study=["a", "a", *"bcdefg"]))
    assert any("share a study" in caution for caution in found.cautions)
    assert any("only 8 effects" in caution for caution in found.cautions)


# ---------------------------------------------------------------- the result


def test_frame_summary_and_sentence() -> None:
    found = selection_model(BCG, alternative="less")
    frame = found.to_frame(0.9)
    assert frame["part"].tolist() == ["effect", "tau2", "weight", "weight"]
    assert frame["term"].tolist() == ["intercept", "tau2", "p ≤ .025", ".025 < p ≤ 1"]
    assert frame["k"].tolist()[2:] == found.counts.tolist()
    assert (frame["ci_low"].dropna()[1:] >= 0.0).all()
    wide = found.to_frame(0.99)
    assert (wide["profile_low"].dropna() <= frame["profile_low"].dropna()).all()
    assert repr(found).startswith("<SelectionModel: effect = −0.621")
    for text in ("Without selection", "Before selection", "Weights, estimated", "Likelihood-ratio test"):
        assert text in str(found)
    assert "taken to be" not in found.sentence
    assert found._repr_html_().startswith("<div")
    assert found.to_markdown().startswith("**Selection model")
    assert not found.coefficients.flags.writeable


def test_a_weights_wald_test_is_not_shown() -> None:
    """Weights of .19 and .02 are 5 and 21 standard errors below 1, where the likelihood-ratio test has p = .081."""
    case = CASES["molloy2014 two steps"]
    found = selection_model(_effects(case["yi"], case["vi"]), steps="4PSM")
    frame = found.to_frame()
    assert (frame["p_value"][3:] < 1e-6).all()
    assert found.lr_p_value == pytest.approx(0.081, abs=5e-4)
    cells = {row[0].strip(): row for row in found.summary().rows}
    assert cells[".5 < p ≤ 1"][4] == cells[".5 < p ≤ 1"][6] == ""
    assert cells["mean"][6]


def test_a_mean_is_shown_as_r() -> None:
    effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
    found = selection_model(effects)
    assert f"r = {np.tanh(found.coefficients[0]):.3f}" in found.headline
    assert isinstance(found.unadjusted, am.PooledEffect)
    assert found.unadjusted.settings.tau2_method == "ML"


def test_moderators() -> None:
    case = CASES["bcg ablat"]
    effects = _effects(case["yi"], case["vi"], ablat=np.array(case["x"][1]))
    found = selection_model(effects, formula="ablat", alternative="less")
    assert found.names == ("intercept", "ablat")
    assert found.coefficients == pytest.approx(case["b"], **PARAMETERS)
    assert isinstance(found.unadjusted, am.MetaRegression)
    assert "ablat" in str(found)


@pytest.mark.parametrize("kind", sorted(WEIGHTS))
def test_published_weights(kind: str) -> None:
    case = CASES[f"cohen1981 {kind}"]
    found = selection_model(_effects(case["yi"], case["vi"]), weights=kind)
    assert found.coefficients == pytest.approx(case["b"], **PARAMETERS)
    assert found.settings.weights == kind
    assert np.isnan(found.lr_statistic)
    assert "whether there was any" in found.sentence
    assert found.weights.tolist() == list(WEIGHTS[kind])


def test_steps_by_name_and_with_a_closing_1() -> None:
    assert STEPS == {"3PSM": (0.025,), "4PSM": (0.025, 0.5)}
    one, other = (selection_model(BCG, steps=s, alternative="less") for s in ("4PSM", (0.025, 0.5, 1.0)))
    assert one.settings == other.settings
    assert selection_model(BCG, steps=0.025, alternative="less").settings.steps == (0.025,)
    assert interval_names((0.025, 0.5)) == ["p ≤ .025", ".025 < p ≤ .5", ".5 < p ≤ 1"]


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": ()}, "steps must be rising numbers between 0 and 1"),
        ({"steps": (0.5, 0.025)}, "steps must be rising"),
        ({"steps": (0.0, 0.5)}, "between 0 and 1"),
        ({"steps": 1.0}, "between 0 and 1"),
        ({"steps": ["x"]}, "got \\['x'\\]"),
        ({"weights": [1.0]}, "weights must be 2 positive numbers"),
        ({"weights": [1.0, 0.0]}, "weights must be 2 positive numbers"),
        ({"weights": [1.0, np.inf]}, "weights must be 2 positive numbers"),
        ({"weights": "severe one-sided", "alternative": "two-sided"}, "are of one-sided p values"),
        ({"alternative": "greater", "steps": 1e-6}, "no effect has p ≤ 1e-06"),
        ({"formula": "1 + effect_id"}, "coefficients for 13 effects"),
    ],
)
def test_bad_input(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        selection_model(BCG, **options)


@pytest.mark.parametrize(
    "options", [{"steps": "5PSM"}, {"alternative": "two.sided"}, {"weights": "severe"}, {"tau2_method": "REML"}]
)
def test_unknown_names(options: dict[str, Any]) -> None:
    with pytest.raises(UnknownNameError, match="unknown"):
        selection_model(BCG, **options)


def test_not_effects() -> None:
    with pytest.raises(InputError, match="takes the result of effect_sizes"):
        selection_model([0.1, 0.2])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="1 coefficient for 1 effect"):
        selection_model(_effects([0.5], [0.01]))


def test_result_is_frozen() -> None:
    found = selection_model(BCG, alternative="less")
    assert isinstance(found, SelectionModel)
    with pytest.raises(AttributeError):
        found.tau2 = 0.0  # type: ignore[misc]
