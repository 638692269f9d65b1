"""Limit meta-analysis, the adequately powered, Henmi and Copas: R's lm(), metafor's hc(), and least squares by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy import stats

import alliance_meta as am
from alliance_meta.bias._adjusted import henmi_copas, limit_meta, waap
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.stats.limit_meta import limit_meta as limit_kernel
from alliance_meta.stats.waap import waap as waap_kernel

FloatArray = npt.NDArray[np.float64]

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "trim_fill.json").read_text(encoding="utf-8"))
CASES = REFERENCE["adjusted"]
NAMES = [f"{case['name']}-{case['method']}" for case in CASES]
# lm() and we solve the same equations in other ways, given tau2, which rma() finds to 1e-12, an absolute rule; REML's
# on hackshaw1998 (tau2 = 0.02) was the worst, 3e-10 off.
FITTED = 1e-8
# metafor's hc() integrates and finds its root by default tolerances.
METAFORS = 1e-4
STEEP = pd.DataFrame(
    {"study": list("abcdef"), "y": [0.10, 0.20, 0.25, 0.30, 0.55, 0.70], "v": [0.003, 0.005, 0.007, 0.01, 0.02, 0.04]}
)


def _effects(y: npt.ArrayLike, v: npt.ArrayLike, **more: Any) -> am.EffectSizes:
    frame = pd.DataFrame({"y": y, "v": v, **more})
    return am.effect_sizes(frame, measure="GEN", effect="y", variance="v")


STEEP_EFFECTS = am.effect_sizes(STEEP, measure="GEN", effect="y", variance="v")
Z_EFFECTS = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")


def _data(case: dict[str, Any]) -> tuple[FloatArray, FloatArray]:
    data = REFERENCE["data"][case["name"]]
    return np.array(data["yi"]), np.array(data["vi"])


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_limit_is_that_of_lm(case: dict[str, Any]) -> None:
    found = limit_meta(_effects(*_data(case)), tau2_method=case["method"])
    mine = {
        "estimate": found.estimate,
        "std_error": found.std_error,
        "alpha": found.alpha,
        "alpha_error": found.alpha_error,
        "beta": found.beta,
        "slope": found.limit_slope,
        "slope_error": found.limit_slope_error,
        "mean": found.limit_mean,
        "mean_error": found.limit_mean_error,
        "g2": found.g2,
        "q_residual": found.q_residual,
    }
    assert mine == pytest.approx(case["limit"], rel=FITTED, abs=1e-10)
    assert found.tau2 == pytest.approx(case["tau2"], rel=FITTED, abs=1e-12)


def _by_hand(y: FloatArray, v: FloatArray, tau2: float) -> dict[str, float]:
    """The paper's steps with plain least squares on the radial plots' points, one after another."""
    total = np.sqrt(v + tau2)
    points = np.column_stack([np.ones_like(y), 1.0 / total])
    alpha, beta = np.linalg.lstsq(points, y / total, rcond=None)[0]
    covariance = np.linalg.inv(points.T @ points)
    way = np.array([np.sqrt(tau2), 1.0])
    # Each study with its own error and heterogeneity, but a million million times as large.
    grown = beta + np.sqrt(v / 1e12 + tau2) * (y - beta) / total
    plot = np.column_stack([np.ones_like(y), 1.0 / np.sqrt(v)])
    z = grown / np.sqrt(v)
    line, rest = np.linalg.lstsq(plot, z, rcond=None)[:2]
    return {
        "estimate": float(beta + np.sqrt(tau2) * alpha),
        "std_error": float(np.sqrt(way @ covariance @ way)),
        "slope": float(line[1]),
        "mean": float((grown / v).sum() / (1.0 / v).sum()),
        "g2": float(100.0 * rest[0] / ((z - z.mean()) ** 2).sum()),
    }


def test_limit_is_that_of_studies_grown_beyond_measure() -> None:
    rng = np.random.default_rng(12)
    for _ in range(50):
        k = int(rng.integers(4, 40))
        v = np.exp(rng.normal(-3.0, 1.0, k))
        y = rng.normal(0.2, np.sqrt(v + 0.05)) + rng.choice([-1.0, 0.0, 2.0]) * np.sqrt(v)
        found = limit_kernel(y, v, tau2_method="DL")
        if found.tau2 < 1e-3:
            continue
        slow = _by_hand(y, v, float(found.tau2))
        # Growing by 1e12 leaves 1e-6 of each standard error, and sqrt(tau2 + v / 1e12) differs by less than 1e-8.
        assert {name: float(getattr(found, name)) for name in slow} == pytest.approx(slow, rel=1e-7, abs=1e-9)


def test_limit_without_heterogeneity_is_the_regression_on_standard_errors() -> None:
    found = limit_meta(STEEP_EFFECTS, tau2_method="EE")
    frame = STEEP.assign(se=np.sqrt(STEEP["v"]))
    line = am.meta_regression(
        am.effect_sizes(frame, measure="GEN", effect="y", variance="v"), "se", tau2_method="EE", test="z"
    )
    assert [found.estimate, found.alpha] == pytest.approx(line.coefficients.tolist())
    assert (found.g2, found.tau2) == (0.0, 0.0)
    assert found.limit_effects.tolist() == pytest.approx([found.estimate] * 6)
    assert found.limit_mean == pytest.approx(found.estimate)
    assert "for the equal-effects mean" in found.sentence


def test_limit_moves_with_the_effects_and_turns_with_their_sign() -> None:
    y, v = _data(CASES[0])
    plain, moved, turned = (limit_kernel(values, v, tau2_method="DL") for values in (y, y + 3.0, -y))
    assert float(moved.estimate) == pytest.approx(float(plain.estimate) + 3.0)
    assert float(moved.std_error) == pytest.approx(float(plain.std_error))
    assert float(turned.estimate) == pytest.approx(-float(plain.estimate))
    assert float(turned.q_residual) == pytest.approx(float(plain.q_residual))


def test_limit_batch_is_one_at_a_time() -> None:
    rng = np.random.default_rng(7)
    v = np.exp(rng.normal(-3.0, 1.0, (3, 4, 9)))
    y = rng.normal(0.2, np.sqrt(v + 0.02))
    include = rng.random(v.shape) < 0.8
    include[0, 0, 2:] = False
    include[0, 1] = False
    y[~include] = np.nan
    together = limit_kernel(y, v, include, tau2_method="REML")
    assert np.isnan(together.estimate[0, :2]).all()
    for at in [(i, j) for i in range(3) for j in range(4)][2:]:
        kept = include[at]
        alone = limit_kernel(y[at][kept], v[at][kept], tau2_method="REML")
        for name in alone._fields:
            mine = getattr(together, name)[at]
            mine = mine[kept] if name == "limit_effects" else mine
            np.testing.assert_allclose(mine, getattr(alone, name), rtol=1e-9, atol=1e-12, err_msg=name)


def test_limit_tests_split_cochrans_q() -> None:
    found = limit_meta(Z_EFFECTS)
    assert found.q_small_study + found.q_residual == pytest.approx(found.q_statistic)
    assert found.q_statistic == pytest.approx(found.unadjusted.q_statistic)
    assert found.q_small_study_p_value == pytest.approx(float(stats.chi2.sf(found.q_small_study, 1)))
    assert found.q_residual_p_value == pytest.approx(float(stats.chi2.sf(found.q_residual, 14)))
    assert found.p_value == pytest.approx(2.0 * float(stats.norm.sf(abs(found.statistic))))


def test_limit_curve_ends_in_the_limit() -> None:
    found = limit_meta(STEEP_EFFECTS, tau2_method="DL")
    assert float(found.curve(np.array([0.0]))[0]) == pytest.approx(found.estimate)
    curve = found.curve(np.sqrt(STEEP_EFFECTS.variance))
    assert np.corrcoef(curve, STEEP_EFFECTS.effect)[0, 1] > 0.95


def test_what_limit_meta_says() -> None:
    found = limit_meta(Z_EFFECTS)
    assert repr(found) == ("<LimitMeta: r = 0.260, 95% CI [0.006, 0.483]; unadjusted 0.250, 95% CI [0.118, 0.373]>")
    assert "no small-study effect shows at the 10% level" in found.sentence
    assert any("too small; egger(effects)" in caution for caution in found.cautions)
    frame = found.to_frame(0.9)
    assert frame["term"].tolist() == ["unadjusted", "limit", "limit-slope", "limit-mean"]
    assert frame.loc[1, "ci_high"] == pytest.approx(found.estimate + 1.6448536269514722 * found.std_error)
    assert "β-lim 0.237, μ-lim 0.258" in str(found).replace("\n", " ")
    steep = limit_meta(_effects([0.31, 0.45, 0.6, 0.9, 1.4], [0.01, 0.012, 0.02, 0.03, 0.05]))
    assert any("beyond every effect" in caution for caution in steep.cautions)
    assert "; a small-study effect shows" in steep.sentence


def test_limit_of_identical_effects_is_that_effect() -> None:
    found = limit_meta(_effects([0.3] * 5, [0.01, 0.02, 0.03, 0.04, 0.05]))
    assert found.estimate == pytest.approx(0.3)
    assert (found.g2, found.q_small_study) == (0.0, 0.0)


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_units_do_not_matter(scale: float) -> None:
    y, v = _data(CASES[0])
    plain, scaled = (limit_meta(_effects(u * y, u * u * v), tau2_method="DL") for u in (1.0, scale))
    assert scaled.estimate == pytest.approx(scale * plain.estimate)
    assert scaled.g2 == pytest.approx(plain.g2)
    powered, also = (waap(_effects(u * y, u * u * v)) for u in (1.0, scale))
    assert powered.powered.tolist() == also.powered.tolist()


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_waap_is_that_of_lm(case: dict[str, Any]) -> None:
    found = waap(_effects(*_data(case)))
    assert [found.all_estimate, found.all_std_error] == pytest.approx(case["uwls"], rel=1e-12)
    assert found.powered.tolist() == case["powered"]
    assert [found.estimate, found.std_error] == pytest.approx(case["waap"], rel=1e-12)
    assert found.restricted == (sum(case["powered"]) > 1)


def test_waap_is_pool_of_the_powered() -> None:
    found = waap(STEEP_EFFECTS)
    largest = abs(found.all_estimate) / (stats.norm.ppf(0.975) + stats.norm.ppf(0.8))
    kept = np.sqrt(STEEP["v"]) <= largest
    fit = am.pool(am.effect_sizes(STEEP[kept], measure="GEN", effect="y", variance="v"), tau2_method="EE")
    assert 2 <= kept.sum() < 6
    assert found.largest_error == pytest.approx(largest)
    mine = (found.estimate, found.std_error, found.df, found.p_value)
    assert mine == pytest.approx((fit.estimate, fit.std_error, fit.df, fit.p_value))
    assert found.powered_frame["label"].tolist() == STEEP["study"][kept].tolist()
    assert (found.powered_frame["power"] >= 0.8).all()
    assert found.to_frame()["k"].tolist() == [6, int(kept.sum())]


def test_waap_falls_back_on_all_effects() -> None:
    found = waap(Z_EFFECTS)
    assert (int(found.powered.sum()), found.restricted) == (1, False)
    assert (found.estimate, found.df) == (found.all_estimate, 15.0)
    assert "Only 1 of 16 effects has a power of 80%" in found.sentence
    assert "WAAP" not in "".join(row[0] for row in found.summary().rows)
    none = waap(_effects([0.1, -0.1, 0.05], [0.1, 0.2, 0.3]))
    assert not none.powered.any()
    assert none.sentence.startswith("None of 3 effects has")
    assert none.powered_frame.empty


def test_waap_power_moves_the_bar() -> None:
    counts = [int(waap(STEEP_EFFECTS, power=power).powered.sum()) for power in (0.3, 0.8, 0.99)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]


def test_waap_batch_is_one_at_a_time() -> None:
    rng = np.random.default_rng(8)
    v = np.exp(rng.normal(-3.0, 1.0, (12, 8)))
    y = rng.normal(0.4, np.sqrt(v))
    include = rng.random(v.shape) < 0.8
    include[0] = False
    y[~include] = np.nan
    together = waap_kernel(y, v, include, power=0.7)
    assert np.isnan(together.chosen.estimate[0])
    for i in range(1, 12):
        alone = waap_kernel(y[i][include[i]], v[i][include[i]], power=0.7)
        assert together.powered[i][include[i]].tolist() == alone.powered.tolist()
        np.testing.assert_allclose(together.chosen.estimate[i], alone.chosen.estimate, rtol=1e-12)
        np.testing.assert_allclose(together.chosen.std_error[i], alone.chosen.std_error, rtol=1e-9)


def test_waap_says_which_effects_it_is_of() -> None:
    found = waap(STEEP_EFFECTS)
    count = int(found.powered.sum())
    assert f"{count} of 6 adequately powered" in repr(found)
    text = str(found).replace("\n", " ")
    assert f"{count} of 6: {', '.join(found.powered_frame['label'])}." in text
    assert "thought less biased, not unbiased" in found.sentence
    many = waap(_effects([0.5] * 15 + [0.51] * 15, [0.001] * 30))
    assert "and 10 more" in str(many)


def test_waap_of_identical_effects_says_that_its_error_is_0() -> None:
    found = waap(_effects([0.3] * 4, [0.001, 0.002, 0.003, 0.004]))
    assert found.std_error == 0.0
    assert "standard error is 0" in str(found)


def test_measure_with_another_null_value() -> None:
    frame = pd.DataFrame({"y": [0.5, 0.6, 0.9, 1.0], "v": [0.001, 0.002, 0.02, 0.05]})
    away = waap_kernel(frame["y"] + 2.0, frame["v"], null=2.0)
    assert away.powered.tolist() == waap_kernel(frame["y"], frame["v"]).powered.tolist()


@pytest.mark.parametrize("case", CASES[::3], ids=NAMES[::3])
def test_henmi_copas_is_metafors(case: dict[str, Any]) -> None:
    found = henmi_copas(_effects(*_data(case)))
    frame = found.to_frame()
    estimate, std_error, low, high = case["hc"]
    assert (found.estimate, found.std_error) == pytest.approx((estimate, std_error), rel=1e-10)
    assert frame[["ci_low", "ci_high"]].to_numpy()[1].tolist() == pytest.approx([low, high], rel=METAFORS, abs=METAFORS)


def test_henmi_copas_is_the_interval_of_pool() -> None:
    found = henmi_copas(Z_EFFECTS)
    for level in (0.8, 0.95):
        low, high = am.pool(Z_EFFECTS, tau2_method="DL").confidence_interval(level, method="henmi-copas")
        assert found.to_frame(level)[["ci_low", "ci_high"]].to_numpy()[1].tolist() == [low, high]
    assert found.unadjusted.settings.tau2_method == "DL"
    assert "nothing is corrected" in found.sentence
    assert repr(found).startswith("<HenmiCopasMean: r = 0.249, 95% CI [0.089, 0.397]; random-effects mean 0.250")


@pytest.mark.parametrize("function", [limit_meta, waap, henmi_copas])
def test_dependent_effects_and_few_are_cautioned(function: Any) -> None:
    effects = _effects([0.1, 0.5, 0.6, 0.7], [0.01, 0.1, 0.1, 0.2], study=["a", "b", "b", "c"])
    cautions = " ".join(function(effects).cautions)
    assert "share a study" in cautions
    assert "only 4 effects" in cautions


@pytest.mark.parametrize("function", [limit_meta, waap, henmi_copas])
def test_every_view_carries_the_caveat(function: Any) -> None:
    simulated = replace(Z_EFFECTS, caveat="Simulated.")
    found = function(simulated)
    for view in (repr(found), str(found), found.to_markdown(), found._repr_html_()):
        assert "Simulated." in view


def test_wrong_input_is_refused() -> None:
    asked: list[tuple[Any, int]] = [(limit_meta, 3), (waap, 2), (henmi_copas, 2)]
    for function, least in asked:
        with pytest.raises(InputError, match=f"{function.__name__}\\(\\) takes the result of effect_sizes"):
            function([0.1, 0.2])
        with pytest.raises(InputError, match=f"at least {least} effects; there is 1"):
            function(_effects([0.1], [0.1]))
    with pytest.raises(InputError, match="all standard errors here are the same"):
        limit_meta(_effects([0.1, 0.3, 0.5], [0.1] * 3))
    with pytest.raises(UnknownNameError, match="tau2_method"):
        limit_meta(STEEP_EFFECTS, tau2_method="GENQ")
    for power in (0.0, 0.05, 1.0, float("nan"), "high", True):
        with pytest.raises(InputError, match="power must lie between"):
            waap(STEEP_EFFECTS, power=power)  # type: ignore[arg-type]


def test_two_effects_are_enough_for_two_of_them() -> None:
    two = _effects([0.1, 0.4], [0.01, 0.02])
    assert waap(two).to_frame().shape == (2, 9)
    assert henmi_copas(two).to_frame()["ci_low"].notna().all()
