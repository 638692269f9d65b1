"""Trim and fill: metafor, plain loops, and what the result says of effects that the method invents."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

import alliance_meta as am
from alliance_meta.bias._trim_fill import trim_and_fill
from alliance_meta.errors import ConvergenceError, InputError, UnknownNameError
from alliance_meta.stats.trim_fill import COUNTS, TrimFill, asymmetry, trim_fill

FloatArray = npt.NDArray[np.float64]

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "trim_fill.json").read_text(encoding="utf-8"))
CASES = REFERENCE["trim_fill"]
# Counts and ranks are exact; their functions of a few operations differ by rounding alone.
SAME = 1e-12
# rma() at threshold 1e-12 stops where tau2 changes by less, an absolute rule: 3e-9 of a small tau2 was the worst.
FITTED = 1e-7
STEEP = pd.DataFrame(
    {"study": list("abcdef"), "y": [0.10, 0.20, 0.25, 0.30, 0.55, 0.70], "v": [0.003, 0.005, 0.007, 0.01, 0.02, 0.04]}
)


def _of(name: str) -> tuple[FloatArray, FloatArray]:
    data = REFERENCE["data"][name]
    return np.array(data["yi"]), np.array(data["vi"])


def _effects(y: npt.ArrayLike, v: npt.ArrayLike, **more: Any) -> am.EffectSizes:
    frame = pd.DataFrame({"y": y, "v": v, **more})
    return am.effect_sizes(frame, measure="GEN", effect="y", variance="v")


STEEP_EFFECTS = am.effect_sizes(STEEP, measure="GEN", effect="y", variance="v")


def _run(case: dict[str, Any], y: FloatArray, v: FloatArray) -> tuple[TrimFill, str]:
    side = case["side_given"]
    if side is None:
        side = "right" if asymmetry(y, v, tau2_method=case["method"]) < 0.0 else "left"
    found = trim_fill(y, v, right=side == "right", estimator=case["estimator"], tau2_method=case["method"])
    return found, side


@pytest.mark.parametrize("estimator", ["L0", "R0", "Q0"])
@pytest.mark.parametrize("method", ["EE", "DL", "REML"])
def test_agrees_with_metafor(method: str, estimator: str) -> None:
    compared = 0
    for case in CASES:
        if (case["method"], case["estimator"]) != (method, estimator):
            continue
        y, v = _of(case["name"])
        found, side = _run(case, y, v)
        if "error" in case:  # metafor stops where Q0 has no value
            assert case["error"] == "missing value where TRUE/FALSE needed", case
            assert not found.converged
            assert np.isnan(found.missing)
            continue
        assert found.converged
        assert (int(found.missing), side) == (case["k0"], case["side"]), case["name"]
        assert np.flatnonzero(found.trimmed).tolist() == [i - 1 for i in case["trimmed"]]
        assert float(found.center) == pytest.approx(case["center"], rel=FITTED, abs=1e-12)
        if case["k0"] < len(y) - 1:  # else one effect is left, whose deviation from itself metafor finds not quite 0
            theirs = np.nan if case["se_k0"] is None else case["se_k0"]
            assert float(found.std_error) == pytest.approx(theirs, rel=SAME, nan_ok=True)
        if estimator == "R0":
            assert float(found.p_value) == pytest.approx(case["p_k0"], rel=SAME)
        compared += 1
    assert compared >= 20


@pytest.mark.parametrize("name", ["bcg", "molloy2014", "hackshaw1998", "mcdaniel1994", "raudenbush1985"])
def test_results_are_metafors(name: str) -> None:
    effects = _effects(*_of(name))
    for case in CASES:
        if case["name"] != name or "error" in case:
            continue
        found = trim_and_fill(effects, estimator=case["estimator"], side=case["side_given"], tau2_method=case["method"])
        after = found.after
        assert (found.missing, found.side, found.side_given) == (
            case["k0"],
            case["side"],
            case["side_given"] is not None,
        )
        mine, theirs = (
            (after.estimate, after.std_error, after.tau2),
            (case["estimate"], case["std_error"], case["tau2"]),
        )
        assert mine == pytest.approx(theirs, rel=FITTED, abs=1e-10)
        assert after.k == effects.k + case["k0"]


def _slowly(y: list[float], v: list[float], estimator: str) -> tuple[int, float]:
    """Duval and Tweedie's steps for effects missing on the left and equal effects, one number at a time."""
    pairs = sorted(zip(y, v, strict=True))
    n, missing = len(pairs), 0
    for _ in range(100):
        kept = pairs[: n - missing]
        center = sum(e / w for e, w in kept) / sum(1.0 / w for _, w in kept)
        ranked = sorted((e - center for e, _ in pairs), key=abs)
        above = sum(rank for rank, e in enumerate(ranked, 1) if e > 0.0)
        run = 0
        while run < n and ranked[n - 1 - run] > 0.0:
            run += 1
        root = 2 * n * n - 4 * above + 0.25
        if estimator == "Q0" and root < 0.0:
            break
        if estimator == "R0":
            number = run - 1.0
        elif estimator == "L0":
            number = (4 * above - n * (n + 1)) / (2 * n - 1)
        else:
            number = n - 0.5 - root**0.5
        now = max(0, round(number))
        if now == missing:
            return missing, center
        missing = now
    return -1, np.nan


@pytest.mark.parametrize("estimator", list(COUNTS))
def test_plain_loops_find_the_same(estimator: str) -> None:
    rng = np.random.default_rng(5)
    rested = 0
    for _ in range(150):
        k = int(rng.integers(5, 30))
        v = np.exp(rng.normal(-3.0, 1.0, k))
        y = rng.normal(0.2, np.sqrt(v)) + rng.choice([0.0, 1.5]) * np.sqrt(v)
        found = trim_fill(y, v, right=False, estimator=estimator, tau2_method="EE")
        missing, center = _slowly(y.tolist(), v.tolist(), estimator)
        if found.converged:
            assert int(found.missing) == missing
            assert float(found.center) == pytest.approx(center, rel=SAME)
            rested += 1
        else:
            assert missing == -1
    assert rested > 100


def test_sides_mirror_each_other() -> None:
    y, v = _of("molloy2014")
    left = trim_fill(y, v, right=False, estimator="L0", tau2_method="REML")
    right = trim_fill(-y, v, right=True, estimator="L0", tau2_method="REML")
    assert left.missing == right.missing
    assert (left.trimmed == right.trimmed).all()
    assert float(left.center) == -float(right.center)


def test_a_batch_is_one_at_a_time() -> None:
    rng = np.random.default_rng(6)
    v = np.exp(rng.normal(-3.0, 1.0, (2, 10, 14)))
    y = rng.normal(0.2, np.sqrt(v)) + 1.5 * np.sqrt(v)
    include = rng.random(v.shape) < 0.8
    include[0, 0], include[0, 1, 1:] = False, False
    y[~include] = np.nan
    right = rng.random((2, 10)) < 0.5
    together = trim_fill(y, v, include, right=right, estimator="L0", tau2_method="DL")
    assert np.isnan(together.missing[0, :2]).all()
    assert not together.converged[0, :2].any()
    for at in [(i, j) for i in range(2) for j in range(10)][2:]:
        kept = include[at]
        alone = trim_fill(y[at][kept], v[at][kept], right=right[at], estimator="L0", tau2_method="DL")
        for name in ("missing", "std_error", "unrounded", "center", "iterations", "converged"):
            mine, other = float(getattr(together, name)[at]), float(getattr(alone, name))
            assert mine == pytest.approx(other, rel=SAME, nan_ok=True), name
        assert together.trimmed[at][kept].tolist() == alone.trimmed.tolist()
        assert not together.trimmed[at][~kept].any()


def test_filled_effects_are_marked_as_invented() -> None:
    effects = _effects(STEEP["y"], STEEP["v"], study=STEEP["study"], n=[300, 200, 150, 100, 50, 25], country=["x"] * 6)
    found = trim_and_fill(effects)
    after = found.after.effects
    center = found.center
    assert found.missing == 3
    assert found.imputed["effect"].tolist() == pytest.approx((2.0 * center - STEEP["y"][3:]).tolist())
    assert found.imputed["label"].tolist() == ["mirror image of d", "mirror image of e", "mirror image of f"]
    assert found.imputed["variance"].tolist() == STEEP["v"][3:].tolist()
    assert (after.table["route"] == "filled").sum() == 3
    assert after.table["effect_id"].is_unique
    assert not after.shared_studies()
    assert list(after.table) == list(effects.table)
    assert np.isnan(after.n)
    assert not after.effect.flags.writeable
    assert after.k == 9
    assert effects.k == 6
    invented = "3 of 9 effects were invented by trim and fill"
    assert invented in after.caveat
    for view in (str(found.after), repr(found.after), repr(after)):
        assert "invented by trim and fill" in view.replace("\n", " ")
    assert "The 3 effects that are filled in were invented by the method" in str(found)


def test_a_study_called_filled_keeps_its_name() -> None:
    named = STEEP.assign(study=["filled 1", *"bcdef"])
    found = trim_and_fill(am.effect_sizes(named, measure="GEN", effect="y", variance="v"))
    assert not found.after.effects.shared_studies()
    assert found.after.effects.table["effect_id"].is_unique


def test_what_the_result_says() -> None:
    found = trim_and_fill(STEEP_EFFECTS)
    assert repr(found).startswith("<TrimAndFill: 3 missing on the left (L0), effect = ")
    assert "takes 3 effects to be missing on the left" in found.sentence
    assert "is not a corrected estimate" in found.sentence
    assert any("only 6 effects" in caution for caution in found.cautions)
    frame = found.to_frame(0.9)
    assert frame["term"].tolist() == ["observed", "filled"]
    assert frame["k"].tolist() == [6, 9]
    low, high = found.after.confidence_interval(0.9)
    assert frame[["ci_low", "ci_high"]].to_numpy()[1].tolist() == [low, high]
    text = str(found)
    assert "chosen by the slope" in text
    assert "test that none is missing" not in text
    assert "<table" in found._repr_html_()
    with pytest.raises(FrozenInstanceError):
        found.missing = 1  # type: ignore[misc]
    with pytest.raises(InputError, match="level"):
        found.to_frame(2.0)


def test_nothing_missing_is_said_without_comfort() -> None:
    found = trim_and_fill(STEEP_EFFECTS, side="right", estimator="R0")
    assert (found.missing, found.after is found.before, len(found.imputed)) == (0, True, 0)
    assert "does not show that none is missing" in found.sentence
    assert "as asked" in str(found)
    assert found.p_value == 0.5
    assert "test that none is missing: p = .500" in str(found)
    assert "filled in" not in str(found)


def test_one_effect_missing_is_singular() -> None:
    rng = np.random.default_rng(3)
    v = np.exp(rng.normal(-3.0, 1.0, 12))
    sets = [_effects(rng.normal(0.2, np.sqrt(v)), v) for _ in range(40)]
    one = next(found for found in map(trim_and_fill, sets) if found.missing == 1)
    assert "takes 1 effect to be missing" in one.sentence
    assert "with a mirror image of the most extreme effect in its place" in one.sentence
    assert "The effect that is filled in was invented" in str(one)


def test_the_correlation_is_shown_as_r() -> None:
    effects = am.effect_sizes(r=[0.1, 0.2, 0.25, 0.3, 0.5, 0.6], n=[400, 200, 150, 100, 50, 30])
    assert "r = 0.291" in trim_and_fill(effects).headline
    raw = am.effect_sizes(r=[0.5, 0.6, 0.65, 0.2, -0.5, -0.8], n=[400, 200, 150, 30, 9, 8], measure="COR")
    found = trim_and_fill(raw, side="right", tau2_method="EE")
    beyond = int((found.after.effects.effect[6:] > 1.0).sum())
    assert beyond
    assert f"{beyond} of the filled-in effects lie outside -1 to 1" in str(found)


def test_a_number_far_below_0_has_no_standard_error() -> None:
    y = [0.9, 0.2, 0.25, -0.9, -1.2, -1.0, -0.8, -0.6]
    found = trim_and_fill(_effects(y, [0.01, 0.01, 0.02, 0.3, 0.4, 0.3, 0.3, 0.2]), side="left", tau2_method="EE")
    assert found.missing == 0
    assert np.isnan(found.missing_error)
    assert "so far below 0 that it has no standard error" in str(found)


def test_identical_effects_have_none_missing() -> None:
    found = trim_and_fill(_effects([0.3] * 5, [0.01, 0.02, 0.03, 0.04, 0.05]), side="left")
    assert found.missing == 0
    assert found.after.estimate == pytest.approx(0.3)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_units_do_not_matter(scale: float) -> None:
    y, v = _of("bangertdrowns2004")
    plain, scaled = (trim_fill(u * y, u * u * v, right=False, estimator="L0", tau2_method="REML") for u in (1.0, scale))
    assert plain.missing == scaled.missing
    assert float(scaled.center) == pytest.approx(scale * float(plain.center), rel=1e-9)


def test_one_dominating_study_and_dependent_effects() -> None:
    effects = _effects([0.1, 0.5, 0.6, 0.7], [1e-8, 0.1, 0.1, 0.2], study=["a", "b", "b", "c"])
    found = trim_and_fill(effects, tau2_method="EE")
    assert found.missing == 2
    assert found.center == pytest.approx(0.1, abs=1e-6)
    assert any("share a study" in caution for caution in found.cautions)


def test_wrong_input_is_refused() -> None:
    with pytest.raises(InputError, match="takes the result of effect_sizes"):
        trim_and_fill(STEEP)  # type: ignore[arg-type]
    for k, verb in ((1, "is 1"), (2, "are 2")):
        with pytest.raises(InputError, match=f"at least 3 effects; there {verb}"):
            trim_and_fill(_effects([0.1] * k, [0.1] * k))
    for wrong in ({"estimator": "L1"}, {"side": "top"}, {"tau2_method": "GENQ"}, {"test": "f"}):
        with pytest.raises(UnknownNameError):
            trim_and_fill(STEEP_EFFECTS, **wrong)  # type: ignore[arg-type]
    for limit in (0, 1.5, True):
        with pytest.raises(InputError, match="max_iterations"):
            trim_and_fill(STEEP_EFFECTS, max_iterations=limit)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="side must be given"):
        trim_and_fill(_effects([0.1, 0.2, 0.5], [0.1] * 3))


def test_what_does_not_come_to_rest_is_said() -> None:
    with pytest.raises(ConvergenceError, match="does not come to rest in max_iterations=1"):
        trim_and_fill(STEEP_EFFECTS, max_iterations=1)
    with pytest.raises(ConvergenceError, match="Q0 has no value"):
        trim_and_fill(_effects([0.1, 0.5, 0.6, 0.7], [1e-8, 0.1, 0.1, 0.2]), estimator="Q0")
