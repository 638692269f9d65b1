"""Influence, Baujat's plot and outliers: metafor's numbers, fits one by one, hard and bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

import alliance_meta as am
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.sensitivity._influence import baujat, influence, outliers
from alliance_meta.stats import influence as kernel

FloatArray = npt.NDArray[np.float64]

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "influence.json").read_text(encoding="utf-8"))
TESTS = {"z": "z", "knha": "knapp-hartung"}
MEASURES = ("rstudent", "dffits", "cooks_distance", "cov_ratio", "tau2_deleted", "q_deleted", "hat", "weight")
# Relative to the largest value of a measure: 2e-11 is the most without moderators, where metafor's Fisher scoring stops
# 1e-13 from the solution; 4e-10 with moderators, of which 'year' is not centred and costs metafor digits.
RTOL, RTOL_MODERATORS = 1e-10, 5e-9

CASES = [
    pytest.param(made, fit, id=f"{made['name']}-{fit['tau2_method']}-{fit['test']}")
    for made in REFERENCE["sets"]
    for fit in made["fits"]
]


def _effects(y: npt.ArrayLike, v: npt.ArrayLike, study: list[str] | None = None) -> am.EffectSizes:
    frame = pd.DataFrame({"y": y, "v": v})
    frame["study"] = study or [f"S{i}" for i in range(len(frame))]
    return am.effect_sizes(frame, measure="GEN", effect="y", variance="v")


def _design(made: Any) -> FloatArray | None:
    if not made["x"]:
        return None
    k = len(made["yi"])
    return np.column_stack([np.ones(k), np.array(made["x"], dtype=float).reshape(k, -1)])


def _apart(mine: FloatArray, theirs: Any) -> float:
    """The largest difference, relative to the largest value; what metafor could not fit does not count."""
    other = np.array(theirs, dtype=float).reshape(mine.shape)
    known = ~np.isnan(other)
    assert known.mean() > 0.9
    assert not np.isnan(mine[known]).any()
    return float(np.abs(mine - other)[known].max() / (np.abs(other[known]).max() or 1.0))


@pytest.mark.parametrize(("made", "fit"), CASES)
def test_metafor(made: Any, fit: Any) -> None:
    x = _design(made)
    found = kernel.influence(made["yi"], made["vi"], x, tau2_method=fit["tau2_method"], test=TESTS[fit["test"]])
    limit = RTOL if x is None else RTOL_MODERATORS
    for measure in MEASURES:
        mine = getattr(found, measure)
        if measure == "tau2_deleted":  # held against the sampling variances, since it may be 0 to metafor's rounding
            mine, theirs = mine + np.mean(made["vi"]), np.array(fit[measure], dtype=float) + np.mean(made["vi"])
            assert _apart(mine, theirs) < limit, measure
        else:
            assert _apart(mine, fit[measure]) < limit, measure
    assert _apart(found.dfbetas, fit["dfbetas"]) < limit


@pytest.mark.parametrize(
    ("made", "fit"),
    [
        pytest.param(made, fit, id=f"{made['name']}-{fit['tau2_method']}")
        for made in REFERENCE["sets"]
        for fit in made["fits"]
        if "baujat" in fit and fit["test"] == "z"  # the published plot has no Knapp-Hartung factor
    ],
)
def test_metafors_baujat(made: Any, fit: Any) -> None:
    found = kernel.baujat(made["yi"], made["vi"], tau2_method=fit["tau2_method"])
    assert _apart(found.heterogeneity, fit["baujat"]["heterogeneity"]) < RTOL
    assert _apart(found.influence, fit["baujat"]["influence"]) < RTOL


@pytest.mark.parametrize("name", ["bcg", "molloy2014", "hackshaw1998", "raudenbush1985", "bangertdrowns2004"])
def test_who_is_influential_is_metafors(name: str) -> None:
    made = next(each for each in REFERENCE["sets"] if each["name"] == name)
    effects = _effects(made["yi"], made["vi"])
    for fit in made["fits"]:
        found = influence(effects, tau2_method=fit["tau2_method"], test=TESTS[fit["test"]])
        starred = [bool(each) for each in fit["influential"]]
        assert found.to_frame()["influential"].tolist() == starred
        assert list(found.influential) == [f"S{i}" for i, each in enumerate(starred) if each]


@pytest.mark.parametrize("test", ["z", "t", "knapp-hartung", "knapp-hartung-adhoc"])
@pytest.mark.parametrize("method", ["REML", "ML", "PM", "SJ", "HE", "EE"])
def test_against_fits_one_by_one(method: str, test: str) -> None:
    rng = np.random.default_rng(4)
    k = 9
    y, v = rng.normal(0.3, 0.4, k), rng.uniform(0.01, 0.2, k)
    found = kernel.influence(y, v, tau2_method=method, test=test)
    whole = am.pool(_effects(y, v), tau2_method=method, test=test)
    for i in range(k):
        keep = np.arange(k) != i
        fit = am.pool(_effects(y[keep], v[keep]), tau2_method=method, test=test)
        plain = am.pool(_effects(y[keep], v[keep]), tau2_method=method, test="z").std_error
        factor = (fit.std_error / plain) ** 2
        all_at_that_tau2 = 1.0 / np.sqrt((1.0 / (v + fit.tau2)).sum())
        moved = whole.estimate - fit.estimate
        residual = (y[i] - fit.estimate) / np.sqrt(fit.std_error**2 + factor * (v[i] + fit.tau2))
        assert found.rstudent[i] == pytest.approx(residual, rel=1e-10)
        assert found.cooks_distance[i] == pytest.approx((moved / whole.std_error) ** 2, rel=1e-9)
        assert found.cov_ratio[i] == pytest.approx((fit.std_error / whole.std_error) ** 2, rel=1e-10)
        assert found.dfbetas[i, 0] == pytest.approx(moved / np.sqrt(factor) / all_at_that_tau2, rel=1e-9)
        assert found.tau2_deleted[i] == pytest.approx(fit.tau2, rel=1e-9, abs=1e-15)
        assert found.q_deleted[i] == pytest.approx(fit.q_statistic, rel=1e-12)


def test_a_fit_gives_what_its_effects_give_and_a_regression_of_nothing_too() -> None:
    effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
    first = influence(effects, tau2_method="PM", test="t")
    second = influence(am.pool(effects, tau2_method="PM", test="t"))
    third = influence(am.meta_regression(effects, "1", tau2_method="PM", test="t"))
    for other in (second, third):
        pd.testing.assert_frame_equal(first.to_frame(), other.to_frame(), rtol=1e-10, atol=1e-13)


def test_of_a_moderator_names_its_coefficients() -> None:
    effects = am.effect_sizes(am.datasets.load("munder2012"), measure="SMD")
    found = influence(am.meta_regression(effects, "researcher_allegiance"))
    frame = found.to_frame()
    assert {"dfbetas[intercept]", "dfbetas[researcher_allegiance]", "estimate[researcher_allegiance]"} <= set(frame)
    assert frame["hat"].sum() == pytest.approx(2.0)
    assert "Resick et al., 2002 (hat value)" in found.sentence
    assert "share a study" in found.cautions[0]
    assert all(len(line) <= 101 for line in str(found).splitlines())


def test_genq_takes_the_fits_weights() -> None:
    rng = np.random.default_rng(2)
    y, v, w = rng.normal(0.2, 0.3, 6), rng.uniform(0.01, 0.05, 6), rng.uniform(1.0, 2.0, 6)
    found = influence(am.pool(_effects(y, v), tau2_method="GENQ", q_weights=w))
    less = am.pool(_effects(y[1:], v[1:]), tau2_method="GENQ", q_weights=w[1:])
    assert found.numbers.tau2_deleted[0] == pytest.approx(less.tau2)


@pytest.mark.parametrize("k", [2, 3])
def test_few_effects(k: int) -> None:
    found = influence(_effects([0.1, 0.5, 0.2][:k], [0.01, 0.02, 0.03][:k]))
    assert "no hat value" in found.cautions[-1]
    if k == 2:
        assert found.to_frame()["cooks_distance"].notna().all()
        assert found.to_frame()["rstudent"].isna().all()
    assert str(found)


def test_identical_effects_move_nothing() -> None:
    found = influence(_effects([0.3] * 5, [0.02] * 5), test="z")
    assert found.numbers.rstudent.tolist() == [0.0] * 5
    assert found.numbers.cooks_distance.tolist() == [0.0] * 5
    assert found.influential == ()
    certain = influence(_effects([0.3] * 5, [0.02] * 5))
    assert np.isnan(certain.numbers.cooks_distance).all()
    assert "nothing to compare" in certain.notes[0]


def test_scale_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    y, v = rng.normal(0.2, 0.3, 8), rng.uniform(0.01, 0.05, 8)
    plain = kernel.influence(y, v, tau2_method="REML", test="z")
    for scale in (1e-8, 1e8):
        other = kernel.influence(scale * y, scale**2 * v, tau2_method="REML", test="z")
        for measure in ("rstudent", "dffits", "cooks_distance", "cov_ratio", "hat"):
            assert getattr(other, measure) == pytest.approx(getattr(plain, measure), rel=1e-9)


def test_a_dominating_study() -> None:
    y, v = np.array([0.5, 0.1, 0.12, 0.08, 0.1]), np.array([1e-9, 1.0, 1.0, 1.0, 1.0])
    found = influence(_effects(y, v), tau2_method="EE", test="z")
    assert found.numbers.hat[0] == pytest.approx(1.0)
    assert found.influential == ("S0",)
    assert np.isfinite(found.numbers.dffits).all()


def test_a_moderator_that_one_study_carries() -> None:
    y, v = np.array([0.5, 0.1, 0.12, 0.08, 0.1, 0.3]), np.full(6, 0.02)
    x = np.column_stack([np.ones(6), [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]])
    found = kernel.influence(y, v, x, tau2_method="REML", test="z")
    assert np.isnan(found.cooks_distance[0])
    assert np.isfinite(found.cooks_distance[1:]).all()


def test_many_effects_are_taken_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    y, v, x = rng.normal(size=40), rng.uniform(0.1, 1.0, 40), np.column_stack([np.ones(40), rng.normal(size=40)])
    whole = kernel.influence(y, v, x, tau2_method="REML", test="knapp-hartung")
    monkeypatch.setattr(kernel, "_NUMBERS_AT_ONCE", 100)
    for one, other in zip(whole, kernel.influence(y, v, x, tau2_method="REML", test="knapp-hartung"), strict=True):
        assert one == pytest.approx(other, rel=1e-12)


def test_baujat_shares_out_q() -> None:
    effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
    found = baujat(effects)
    assert found.to_frame()["heterogeneity"].sum() == pytest.approx(am.pool(effects).q_statistic)
    assert found.to_frame()["share"].sum() == pytest.approx(100.0)
    assert found.sentence.startswith("Of Q = 53.2, 44% comes from Hansen et al., 1968, then Garfield & Bergin, 1971")
    assert "pooled mean" in baujat(effects, tau2_method="REML").sentence
    flat = baujat(_effects([0.3] * 3, [0.02] * 3))
    assert "no heterogeneity" in flat.headline
    assert "no heterogeneity" in flat.sentence
    assert str(flat)


def test_outliers_by_interval_are_those_apart() -> None:
    effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
    found = outliers(effects)
    low, high = am.pool(effects).confidence_interval()
    half = 1.959963984540054 * np.sqrt(effects.variance)
    apart = (effects.effect + half < low) | (effects.effect - half > high)
    assert found.to_frame()["outlying"].tolist() == apart.tolist()
    assert found.names == ("Garfield & Bergin, 1971", "Hansen et al., 1968")
    assert found.without is not None
    assert found.without.k == 14
    assert found.with_all.estimate == am.pool(effects).estimate
    assert "true effects differ" in found.cautions[0]
    assert found.fits_frame()["k"].tolist() == [16, 14]
    wider = outliers(effects, level=0.99)
    assert set(wider.names) <= set(found.names)


def test_outliers_by_residual_and_their_adjustment() -> None:
    effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
    plain, holm = outliers(effects, rule="rstudent"), outliers(effects, rule="rstudent", adjust="holm")
    assert plain.outlying.tolist() == (np.abs(plain.rstudent) > 1.959963984540054).tolist()
    assert holm.names == ("Hansen et al., 1968",)
    order = np.argsort(plain.p_value)
    stepped = np.maximum.accumulate(plain.p_value[order] * np.arange(16, 0, -1))
    assert holm.p_value[order] == pytest.approx(np.minimum(stepped, 1.0))


def test_outliers_none_or_all() -> None:
    none = outliers(_effects([0.1, 0.2, 0.15], [0.02] * 3))
    assert none.without is None
    assert none.names == ()
    assert "no effect whose" in none.sentence
    far = outliers(_effects([-5.0, 5.0, 0.001], [1e-4] * 3), tau2_method="EE", test="z")
    assert far.without is None
    assert "Too few are left" in far.sentence
    assert far.notes
    assert str(none)
    assert str(far)


def test_labels_that_several_effects_have_are_told_apart() -> None:
    effects = am.effect_sizes(am.datasets.load("farber_doolin2011_effects"), measure="ZCOR")
    found = influence(effects)
    assert len(set(found.labels)) == effects.k


@pytest.mark.parametrize("call", [influence, baujat, outliers])
def test_what_is_no_set_of_effects(call: Any) -> None:
    with pytest.raises(InputError, match="takes the result of effect_sizes"):
        call([0.1, 0.2])
    with pytest.raises(InputError, match="needs at least 2 effects; there is 1"):
        call(_effects([0.1], [0.01]))
    with pytest.raises(UnknownNameError, match="tau2_method"):
        call(_effects([0.1, 0.2], [0.01, 0.01]), tau2_method="REMEL")


def test_bad_arguments() -> None:
    effects = _effects([0.1, 0.3, 0.2], [0.01, 0.02, 0.01])
    with pytest.raises(InputError, match="a fit has its own"):
        influence(am.pool(effects), test="z")
    with pytest.raises(InputError, match="weights='equal'"):
        influence(am.pool(effects, weights="equal"))
    with pytest.raises(UnknownNameError, match="unknown rule 'sd'"):
        outliers(effects, rule="sd")
    with pytest.raises(InputError, match="rule='interval' does not use"):
        outliers(effects, adjust="holm")
    with pytest.raises(UnknownNameError, match="unknown adjustment"):
        outliers(effects, rule="rstudent", adjust="bh")
    with pytest.raises(InputError, match="level must lie between"):
        outliers(effects, level=95)


def test_results_are_frozen_and_speak_on_the_shown_scale() -> None:
    effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
    found = outliers(effects)
    with pytest.raises(ValueError, match="read-only"):
        found.rstudent[0] = 1.0
    assert "r = 0.23 [0.13, 0.32]" in found.sentence
    assert repr(found).startswith("<Outliers: 2 of 16 effects outlying; r = 0.230 without")
    with pytest.raises(ValueError, match="read-only"):
        influence(effects).numbers.hat[0] = 0.0
