"""Fail-safe numbers: metafor's, null studies added one by one in R, and the sums they are defined by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import alliance_meta as am
from alliance_meta.bias._fail_safe import fail_safe_n
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.stats.fail_safe import (
    MOST,
    fail_safe_orwin,
    fail_safe_random_effects,
    fail_safe_rosenberg,
    fail_safe_rosenthal,
    whole,
    with_null_studies,
)
from alliance_meta.stats.random_effects import random_effects

REFERENCE: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "reference" / "significance.json").read_text(encoding="utf-8")
)
SETS = REFERENCE["sets"]
# metafor's REML iterates to 1e-12 of tau2; all else is closed form.
SAME = 1e-8


def _effects(y: Any, v: Any, **more: Any) -> am.EffectSizes:
    frame = pd.DataFrame({"study": [f"s{i}" for i in range(len(y))], "y": y, "v": v, **more})
    return am.effect_sizes(frame, measure="GEN", effect="y", variance="v")


def _arrays(one: Any) -> tuple[Any, Any]:
    return np.array(one["yi"], dtype=float), np.array(one["vi"], dtype=float)


def _set(name: str) -> am.EffectSizes:
    return _effects(*_arrays(next(one for one in SETS if one["name"] == name)))


KOLDEN = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")


@pytest.mark.parametrize("one", SETS, ids=[one["name"] for one in SETS])
def test_metafors_fsn(one: Any) -> None:
    y, v = _arrays(one)
    theirs = one["fail_safe"]
    mine = {
        "rosenthal": fail_safe_rosenthal(y, v).number,
        "rosenthal_01": fail_safe_rosenthal(y, v, alpha=0.01).number,
        "rosenberg": fail_safe_rosenberg(y, v).number,
        "orwin": fail_safe_orwin(y, v, target=0.5 * y.mean()).number,
        "orwin_third": fail_safe_orwin(y, v, target=y.mean() / 3.3).number,
        "orwin_weighted": fail_safe_orwin(y, v, target=np.average(y, weights=1.0 / v) / 5.7, weighted=True).number,
    }
    assert {name: float(whole(number)) for name, number in mine.items()} == {name: theirs[name] for name in mine}
    assert float(fail_safe_rosenthal(y, v).p_value) == pytest.approx(theirs["rosenthal_p"], rel=1e-9, abs=1e-300)
    assert float(fail_safe_rosenberg(y, v).p_value) == pytest.approx(theirs["rosenberg_p"], rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("one", SETS, ids=[one["name"] for one in SETS])
@pytest.mark.parametrize("kind", ["REML_z", "REML_knha", "DL_z", "DL_target"])
def test_null_studies_added_one_by_one_in_r(one: Any, kind: str) -> None:
    y, v = _arrays(one)
    theirs = one["general"][kind]
    method, _, how = kind.partition("_")
    asked: dict[str, Any] = {"tau2_method": method, "test": "knapp-hartung" if how == "knha" else "z"}
    if how == "target":
        asked["target"] = float(random_effects(y, v, tau2_method="DL", test="z").estimate) / 3.0
    found = fail_safe_random_effects(y, v, **asked)
    if theirs["number"] is None:  # R tried no more
        assert 250.0 < found.number < MOST
        return
    assert found.number == theirs["number"]
    drawer = found.drawer if found.number else found.observed
    assert float(drawer.estimate) == pytest.approx(theirs["estimate"], rel=SAME)
    assert float(drawer.tau2) == pytest.approx(theirs["tau2"], rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("one", REFERENCE["monte_carlo"], ids=lambda one: f"{one['name']} {one['target']}")
def test_near_metafors_random_null_studies(one: Any) -> None:
    """metafor 3.8 draws the null studies at random and averages the estimates: one study more or less is its error."""
    effects = _set(one["name"])
    found = fail_safe_n(effects, method="general", target=one["target"], tau2_method="DL", test="z")
    assert found.number == pytest.approx(one["number"], abs=1)


# ---------------------------------------------------------------- what the numbers mean


@pytest.mark.parametrize("name", ["bcg", "raudenbush1985", "molloy2014", "random07"])
def test_added_studies_do_what_the_number_says(name: str) -> None:
    """Rosenthal: studies with z = 0. Rosenberg and weighted Orwin: studies with effect 0 and the mean weight."""
    y, v = _arrays(next(one for one in SETS if one["name"] == name))
    n = float(fail_safe_rosenthal(y, v).number)
    if n > 0.0:
        z = abs((y / np.sqrt(v)).sum()) / np.sqrt(y.size + n)
        assert stats.norm.sf(z) == pytest.approx(0.05, rel=1e-12)
    n = float(fail_safe_rosenberg(y, v).number)
    weight = 1.0 / v
    if n > 0.0:
        total = weight.sum() + n * weight.mean()
        assert 2.0 * stats.norm.sf(abs(weight @ y) / np.sqrt(total)) == pytest.approx(0.05, rel=1e-12)
    target = float(np.average(y, weights=weight)) / 4.0
    n = float(fail_safe_orwin(y, v, target=target, weighted=True).number)
    assert weight @ y / (weight.sum() + n * weight.mean()) == pytest.approx(target, rel=1e-12)


def test_general_is_rosenbergs_and_orwins_under_equal_effects() -> None:
    effects = _set("bcg")
    assert fail_safe_n(effects, method="general", tau2_method="EE", test="z").number == 370.0
    assert fail_safe_n(effects, method="rosenberg").number == 370.0
    weighted = fail_safe_n(effects, method="orwin", target=-0.1, weights="inverse-variance")
    assert fail_safe_n(effects, method="general", target=-0.1, tau2_method="EE", test="z").number == weighted.number


@pytest.mark.parametrize("n", [0, 1, 2, 3, 8, 15])
def test_null_studies_average_nothing_and_spread_as_asked(n: int) -> None:
    v = np.array([0.01, 0.04, 0.05])
    y, variance, include = with_null_studies(np.array([0.3, 0.4, 0.2]), v, 0.02, np.array([n, 20]))
    added = y[0, 3:][include[0, 3:] == 1.0]
    assert added.size == n
    assert include[1].sum() == 23.0
    if n:
        v0 = 1.0 / np.mean(1.0 / v)
        assert variance[0, 3:] == pytest.approx(v0)
        assert added.mean() == pytest.approx(0.0, abs=1e-15)
    if n > 1:
        assert (added**2).mean() == pytest.approx(0.02 + v0, rel=1e-12)


def test_one_study_fewer_does_not_suffice() -> None:
    y, v = _arrays(next(one for one in SETS if one["name"] == "raudenbush1985"))
    for asked in ({"target": 0.03}, {"alpha": 0.2}):
        found = fail_safe_random_effects(y, v, tau2_method="DL", test="z", **asked)
        if found.number == 0.0:
            continue
        numbers = np.array([int(found.number) - 1, int(found.number)])
        data = with_null_studies(y, v, float(found.observed.tau2), numbers)
        fit = random_effects(*data, tau2_method="DL", test="z")
        reached = (
            np.abs(fit.estimate) <= 0.03
            if "target" in asked
            else 2.0 * stats.norm.sf(np.abs(fit.estimate / fit.std_error)) >= 0.2
        )
        assert reached.tolist() == [False, True]


def test_batches_and_left_out_effects() -> None:
    y, v = np.array([[0.4, 0.5, 9.0], [0.1, 0.2, 0.3]]), np.full((2, 3), 0.04)
    include = [[1, 1, 0], [1, 1, 1]]
    for function in (fail_safe_rosenthal, fail_safe_rosenberg):
        both = function(y, v, include)
        first, second = function(y[0, :2], v[0, :2]), function(y[1], v[1])
        assert both.number.tolist() == pytest.approx([float(first.number), float(second.number)])
    orwin = fail_safe_orwin(y, v, include, target=0.1)
    assert orwin.number.tolist() == pytest.approx([7.0, 3.0])


# ---------------------------------------------------------------- the public function


def test_target_is_on_the_shown_scale() -> None:
    found = fail_safe_n(KOLDEN, method="orwin", target=0.10)
    assert found.target == pytest.approx(np.arctanh(0.10), rel=1e-12)
    assert found.exact == pytest.approx(16.0 * (KOLDEN.effect.mean() / np.arctanh(0.10) - 1.0), rel=1e-12)
    ratios = am.effect_sizes(
        pd.DataFrame({"study": ["a", "b"], "a": [30, 40], "n1": [100, 120], "c": [10, 22], "n2": [100, 115]}),
        measure="RR",
        events1="a",
        n1="n1",
        events2="c",
        n2="n2",
    )
    ratio = fail_safe_n(ratios, method="orwin", target=1.2)
    assert ratio.target == pytest.approx(np.log(1.2), rel=1e-12)
    assert "1.200" in ratio.sentence


def test_orwins_default_is_half_the_mean_and_gives_k() -> None:
    found = fail_safe_n(KOLDEN, method="orwin")
    assert found.number == 16.0
    assert found.target == pytest.approx(0.5 * KOLDEN.effect.mean())


def test_general_has_pools_p_value() -> None:
    found = fail_safe_n(KOLDEN, method="general")
    fit = am.pool(KOLDEN)
    assert (found.estimate, found.p_value, found.tau2) == pytest.approx((fit.estimate, fit.p_value, fit.tau2))
    assert found.p_value_with >= 0.05
    assert abs(found.estimate_with) < abs(found.estimate)


def test_nothing_to_undo() -> None:
    effects = _effects([0.1, -0.1, 0.02], [0.04, 0.04, 0.04])
    for method in ("rosenthal", "rosenberg", "general"):
        found = fail_safe_n(effects, method=method)
        assert found.number == 0.0
        assert "already" in found.sentence
    assert fail_safe_n(KOLDEN, method="orwin", target=0.9).number == 0.0


def test_no_number_brings_a_mean_to_no_effect() -> None:
    for method in ("orwin", "general"):
        found = fail_safe_n(KOLDEN, method=method, target=0.0)
        assert found.number == np.inf
        assert found.sentence.endswith("mean r to 0.000, which is no effect itself.")
        assert str(found)


def test_more_than_is_sought() -> None:
    found = fail_safe_n(_effects(10.0 + 0.001 * np.arange(50), np.full(50, 0.01)), method="general")
    assert found.number == np.inf
    assert f"{MOST:,}" in found.notes[0]
    assert "More than 100,000 unpublished studies" in found.sentence


def test_one_two_and_three_effects() -> None:
    one = fail_safe_n(_effects([1.0], [0.04]), method="general")
    assert np.isnan(one.number)
    assert "cannot be computed" in one.notes[0]
    assert "no fail-safe number" in one.sentence.lower()
    assert fail_safe_n(_effects([1.0], [0.04]), method="general", test="z").number > 0.0
    for k in (1, 2, 3):
        effects = _effects([1.0] * k, [0.04] * k)
        assert fail_safe_n(effects).exact == pytest.approx(k * (k * 25.0 / stats.norm.isf(0.05) ** 2 - 1.0))
        assert fail_safe_n(effects, method="orwin", target=0.25).number == 3 * k


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_units_do_not_matter(scale: float) -> None:
    y, v = _arrays(next(one for one in SETS if one["name"] == "bcg"))
    plain, scaled = _effects(y, v), _effects(y * scale, v * scale**2)
    for asked in ({}, {"method": "rosenberg"}, {"method": "general", "tau2_method": "DL"}):
        assert fail_safe_n(scaled, **asked).number == fail_safe_n(plain, **asked).number  # type: ignore[arg-type]


@pytest.mark.parametrize("variances", [[1e-8, 1.0, 1.0, 1.0], [1e-12] * 4, [1e12] * 4])
def test_one_dominating_study_and_extreme_variances(variances: list[float]) -> None:
    effects = _effects([0.4, 0.1, 0.3, -0.2], variances)
    for method in ("rosenthal", "orwin", "rosenberg", "general"):
        found = fail_safe_n(effects, method=method)
        assert found.number >= 0.0
        assert str(found)


def test_sign_does_not_matter() -> None:
    y, v = _arrays(next(one for one in SETS if one["name"] == "raudenbush1985"))
    for method in ("rosenthal", "orwin", "rosenberg", "general"):
        there, back = fail_safe_n(_effects(y, v), method=method), fail_safe_n(_effects(-y, v), method=method)
        assert there.number == back.number


def test_words() -> None:
    found = fail_safe_n(KOLDEN)
    assert found.tolerance == 90
    assert repr(found) == (
        "<FailSafeN: 268 studies of no effect to bring the combined one-sided p to .05 (rosenthal), k = 16>"
    )
    assert found.sentence == (
        "268 unpublished studies averaging no effect would bring the combined one-sided p to .05. Rosenthal's rule of "
        "thumb calls a result tolerant of unpublished studies above 5k + 10 = 90. The number does not say how many "
        "such studies there are; if they point the other way, fewer suffice."
    )
    assert "method='general'" in found.cautions[0]
    assert "Fail-safe number of 16 effects" in str(found)
    assert "<table" in found._repr_html_()
    assert "Stouffer" in found.to_markdown()
    row = found.to_frame().iloc[0]
    assert (row["method"], row["number"], row["k"], row["tolerance"]) == ("rosenthal", 268.0, 16, 90)


def test_effects_of_one_study_are_a_caution() -> None:
    effects = _effects([0.4, 0.5, 0.6], [0.04] * 3)
    assert fail_safe_n(effects).cautions == ()
    frame = effects.table.assign(study=["a", "a", "b"])
    shared = am.effect_sizes(frame, measure="GEN", effect="effect", variance="variance")
    assert "2 of 3 effects share a study" in fail_safe_n(shared).cautions[0]


def test_bad_input() -> None:
    with pytest.raises(InputError, match=r"fail_safe_n\(\) takes the result of effect_sizes\(\), not list"):
        fail_safe_n([0.1])  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="Did you mean 'rosenthal'"):
        fail_safe_n(KOLDEN, method="rosental")
    for alpha in (0.0, 0.5, np.nan, "x"):
        with pytest.raises(InputError, match=r"alpha must lie between 0 and 0\.5"):
            fail_safe_n(KOLDEN, alpha=alpha)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="takes no target"):
        fail_safe_n(KOLDEN, target=0.1)
    for method in ("orwin", "general"):
        with pytest.raises(InputError, match=r"other side of no effect than the mean, 0\.2.*such as 0\.100"):
            fail_safe_n(KOLDEN, method=method, target=-0.1)
    for target in (1.5, np.nan, True, "x"):
        with pytest.raises(InputError, match="target must be a value of r that the measure can have"):
            fail_safe_n(KOLDEN, method="orwin", target=target)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="unknown weights"):
        fail_safe_n(KOLDEN, method="orwin", weights="n")
    with pytest.raises(UnknownNameError, match="unknown tau2_method 'GENQ'"):
        fail_safe_n(KOLDEN, method="general", tau2_method="GENQ")
    with pytest.raises(UnknownNameError, match="unknown test"):
        fail_safe_n(KOLDEN, method="general", test="f")


@pytest.mark.parametrize(
    ("name", "target", "printed"),
    [("raudenbush1985", 0.05, 4), ("hackshaw1998", 0.049, 103), ("mcdaniel1994", 0.15, 64)],
)
def test_becker_2005_weighted_orwin(name: str, target: float, printed: int) -> None:
    """Becker's (2005) numbers, as the comments of metafor's own tests (test_misc_fsn.r) quote them; she rounds."""
    found = fail_safe_n(_set(name), method="orwin", target=target, weights="inverse-variance")
    assert round(found.exact) == printed
