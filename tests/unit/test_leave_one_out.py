"""Leave-one-out and cumulative analyses: metafor's numbers, fits one by one, orders, groups, hard and bad input."""

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
from alliance_meta.sensitivity._leaving_out import cumulative, leave_one_out
from alliance_meta.stats.influence import subset_fits

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "influence.json").read_text(encoding="utf-8"))
TESTS = {"z": "z", "knha": "knapp-hartung"}
# Relative to the largest value: metafor's Fisher scoring stops 1e-13 from the solution; 2e-11 is the most.
RTOL = 1e-10
NUMBERS = ("estimate", "std_error", "ci_low", "ci_high", "tau2", "i2", "h2", "q_statistic")
CASES = [
    pytest.param(made, fit, id=f"{made['name']}-{fit['tau2_method']}-{fit['test']}")
    for made in REFERENCE["sets"]
    for fit in made["fits"]
    if "without" in fit
]
KOLDEN = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
FARBER = am.effect_sizes(am.datasets.load("farber_doolin2011_effects"), measure="ZCOR")


def _effects(y: npt.ArrayLike, v: npt.ArrayLike, **columns: Any) -> am.EffectSizes:
    frame = pd.DataFrame({"y": y, "v": v, **columns})
    if "study" not in frame:
        frame["study"] = [f"S{i}" for i in range(len(frame))]
    return am.effect_sizes(frame, measure="GEN", effect="y", variance="v")


def _compare(frame: pd.DataFrame, theirs: Any, variances: float, first: int = 0) -> None:
    for name in NUMBERS:
        if not theirs[name]:  # metafor leaves tau2 and I2 out under equal effects
            continue
        mine, other = frame[name].to_numpy()[first:], np.array(theirs[name], dtype=float)[first:]
        if name == "tau2":  # may be 0 to metafor's rounding only
            mine, other = mine + variances, other + variances
        if name == "i2":
            mine, other = mine + 100.0, other + 100.0
        assert np.abs(mine - other).max() / np.abs(other).max() < RTOL, name


@pytest.mark.parametrize(("made", "fit"), CASES)
def test_metafors_leave1out(made: Any, fit: Any) -> None:
    effects = _effects(made["yi"], made["vi"])
    found = leave_one_out(effects, tau2_method=fit["tau2_method"], test=TESTS[fit["test"]])
    _compare(found.to_frame(), fit["without"], float(np.mean(made["vi"])))


@pytest.mark.parametrize(("made", "fit"), CASES)
def test_metafors_cumul(made: Any, fit: Any) -> None:
    effects = _effects(made["yi"], made["vi"], rank=fit["order"])
    found = cumulative(effects, by="rank", tau2_method=fit["tau2_method"], test=TESTS[fit["test"]])
    # with one study metafor turns to a z test and tau2 = 0, where pool() says that neither can be told
    _compare(found.to_frame(), fit["cumulative"], float(np.mean(made["vi"])), first=1)
    assert found.fits.estimate[0] == pytest.approx(fit["cumulative"]["estimate"][0], rel=1e-14)


@pytest.mark.parametrize("method", ["REML", "ML", "DL", "PM", "SJ", "EE"])
@pytest.mark.parametrize("test", ["knapp-hartung", "knapp-hartung-adhoc", "t", "z"])
def test_against_fits_one_by_one(method: str, test: str) -> None:
    found = leave_one_out(KOLDEN, tau2_method=method, test=test).to_frame(0.9)
    table = KOLDEN.table
    for i in range(KOLDEN.k):
        less = _effects(table["effect"].drop(i).to_numpy(), table["variance"].drop(i).to_numpy())
        fit = am.pool(less, tau2_method=method, test=test)
        expected = [*fit.to_frame(0.9).iloc[0, 1:].tolist(), fit.tau2, fit.i2, fit.h2, fit.q_statistic]
        names = ["estimate", "std_error", "statistic", "df", "p_value", "ci_low", "ci_high", "tau2", "i2", "h2"]
        assert found[[*names, "q_statistic"]].iloc[i].tolist() == pytest.approx(expected, rel=1e-9, abs=1e-14)


def test_a_column_leaves_out_its_groups() -> None:
    found = leave_one_out(FARBER, by="study")
    table = FARBER.table
    assert found.labels == tuple(dict.fromkeys(table["study"]))
    assert found.fits.k.tolist() == [102 - (table["study"] == each).sum() for each in found.labels]
    assert "left out as a whole" in found.cautions[0]
    rest = table[table["study"] != found.labels[3]]
    fit = am.pool(_effects(rest["effect"].to_numpy(), rest["variance"].to_numpy()))
    assert found.fits.estimate[3] == pytest.approx(fit.estimate, rel=1e-12)
    assert "share a study" in leave_one_out(FARBER).cautions[0]
    assert len(set(leave_one_out(FARBER).labels)) == 102


def test_what_a_conclusion_hangs_on() -> None:
    effects = _effects([0.4, 0.1, 0.12, 0.02, 0.1, 0.1], [0.01] * 6)
    found = leave_one_out(effects, test="z", tau2_method="EE")
    assert found.changed() == ()
    assert "whichever is left out" in found.sentence
    assert "S0" in found.changed(0.999)
    hanging = leave_one_out(_effects([0.6, 0.02, 0.1, 0.05, 0.08], [0.02] * 5), test="z", tau2_method="EE")
    assert hanging.changed() == ("S0",)
    assert "but not without S0: a conclusion that hangs on one study is no stronger" in hanging.sentence
    assert "\n* S0" in str(hanging)
    frame = hanging.to_frame()
    assert frame["ci_low"][0] < 0.0 < frame["ci_low"][1]


def test_two_effects_leave_one() -> None:
    found = leave_one_out(_effects([0.1, 0.5], [0.01, 0.02]))
    assert found.fits.estimate.tolist() == pytest.approx([0.5, 0.1])
    assert found.to_frame()["ci_low"].isna().all()
    assert found.changed() == ()
    assert found.notes
    assert str(found)
    plain = leave_one_out(_effects([0.1, 0.5], [0.01, 0.02]), test="z")
    assert plain.fits.std_error.tolist() == pytest.approx([0.02**0.5, 0.1])


def test_identical_effects() -> None:
    found = leave_one_out(_effects([0.3] * 4, [0.02] * 4))
    assert found.fits.estimate.tolist() == pytest.approx([0.3] * 4, rel=1e-15)
    assert found.fits.std_error.tolist() == [0.0] * 4
    assert found.conclusions() == ["above"] * 4


def test_a_dominating_study_and_far_scales() -> None:
    y, v = np.array([0.5, 0.1, 0.2, 0.3]), np.array([1e-12, 1.0, 2.0, 1.0])
    found = leave_one_out(_effects(y, v), tau2_method="EE", test="z")
    assert found.fits.estimate[1:] == pytest.approx([0.5] * 3, abs=1e-9)
    assert found.fits.estimate[0] == pytest.approx(0.2)
    big = leave_one_out(_effects(1e9 * KOLDEN.effect, 1e18 * KOLDEN.variance))
    assert big.fits.estimate / 1e9 == pytest.approx(leave_one_out(KOLDEN).fits.estimate, rel=1e-9)


def test_subsets_in_pieces_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    include = 1.0 - np.eye(16)
    whole = subset_fits(KOLDEN.effect, KOLDEN.variance, include, tau2_method="REML", test="t")
    monkeypatch.setattr("alliance_meta.stats.influence._NUMBERS_AT_ONCE", 50)
    pieces = subset_fits(KOLDEN.effect, KOLDEN.variance, include, tau2_method="REML", test="t")
    for one, other in zip(whole, pieces, strict=True):
        assert one.astype(float) == pytest.approx(other.astype(float), rel=1e-12)


def test_cumulative_goes_up_and_down_and_keeps_ties_in_the_order_of_rows() -> None:
    effects = _effects([0.1, 0.2, 0.3, 0.4, 0.5], [0.01] * 5, year=[2001, 1999, 2001, 1999, 2000])
    assert cumulative(effects).labels == ("S1", "S3", "S4", "S0", "S2")
    assert cumulative(effects, descending=True).labels == ("S0", "S2", "S4", "S1", "S3")
    found = cumulative(effects)
    assert found.cells == (1999, 1999, 2000, 2001, 2001)
    assert found.rows == (1, 3, 4, 0, 2)
    assert "2 of 5 effects have the year" in found.notes[-1]
    assert found.fits.k.tolist() == [1, 2, 3, 4, 5]
    assert found.fits.estimate[-1] == pytest.approx(am.pool(effects).estimate, rel=1e-14)
    assert found.to_frame()["value"].tolist() == [1999, 1999, 2000, 2001, 2001]


def test_cumulative_by_words_and_by_precision() -> None:
    effects = _effects([0.1, 0.2, 0.3], [0.03, 0.01, 0.02], phase=["c", "a", "b"])
    assert cumulative(effects, by="phase").labels == ("S1", "S2", "S0")
    assert cumulative(effects, by="variance").labels == ("S1", "S2", "S0")
    assert "0.01" in str(cumulative(effects, by="variance"))


def test_since_when_it_is_settled_and_decided() -> None:
    found = cumulative(KOLDEN)
    low, high = found.whole.confidence_interval()
    inside = (found.fits.estimate >= low) & (found.fits.estimate <= high)
    assert inside[found.settled() - 1 :].all()
    assert not inside[found.settled() - 2]
    assert found.conclusions()[found.decided() - 1 :] == ["above"] * (17 - found.decided())
    assert found.conclusions()[found.decided() - 2] == "not told"
    assert "from the 9th on, the interval lies above 0" in found.sentence
    assert "drift" in found.sentence


def test_cumulative_of_few() -> None:
    one = cumulative(_effects([0.2], [0.01], year=[2000]), test="z")
    assert one.to_frame()["ci_low"].tolist() == pytest.approx([0.2 - 0.1959963984540054])
    assert "Too few" in one.sentence
    assert str(cumulative(_effects([0.2], [0.01], year=[2000])))
    two = cumulative(_effects([0.2, 0.3], [0.01, 0.01], year=[2000, 2001]))
    assert np.isnan(two.to_frame()["ci_low"][0])
    assert "no interval" in two.notes[0]


def test_long_tables_are_cut() -> None:
    rng = np.random.default_rng(1)
    effects = _effects(rng.normal(0.2, 0.2, 60), [0.02] * 60, year=range(60))
    assert "and 40 more that move it less" in str(leave_one_out(effects))
    assert "and 20 earlier steps" in str(cumulative(effects))


@pytest.mark.parametrize("call", [leave_one_out, cumulative])
def test_bad_input(call: Any) -> None:
    with pytest.raises(InputError, match=r"takes the result of effect_sizes\(\), not list"):
        call([0.1])
    with pytest.raises(UnknownNameError, match="tau2_method"):
        call(KOLDEN, tau2_method="GENQ")
    with pytest.raises(UnknownNameError, match="test"):
        call(KOLDEN, test="wald")
    with pytest.raises(UnknownNameError, match="by 'yeer'"):
        call(KOLDEN, by="yeer")
    with pytest.raises(InputError, match="level must lie"):
        call(KOLDEN).to_frame(95)


def test_bad_columns() -> None:
    with pytest.raises(InputError, match="'year' has empty cells: row 1"):
        cumulative(_effects([0.1, 0.2], [0.01, 0.01], year=[2000, np.nan]))
    with pytest.raises(InputError, match="no common order: 'int' and 'str'"):
        cumulative(_effects([0.1, 0.2], [0.01, 0.01], year=[2000, "in press"]))
    with pytest.raises(InputError, match="one group only"):
        leave_one_out(_effects([0.1, 0.2], [0.01, 0.01], lab=["a", "a"]), by="lab")
    with pytest.raises(InputError, match="one group only"):
        leave_one_out(_effects([0.1], [0.01]))
    with pytest.raises(InputError, match="has empty cells"):
        leave_one_out(_effects([0.1, 0.2], [0.01, 0.01], lab=["a", None]), by="lab")


def test_numbers_are_read_only_and_shown_in_r() -> None:
    found = leave_one_out(KOLDEN)
    with pytest.raises(ValueError, match="read-only"):
        found.fits.estimate[0] = 1.0
    assert found.on_display_scale()["estimate"].tolist() == pytest.approx(np.tanh(found.fits.estimate))
    assert "std_error" not in found.on_display_scale()
    assert "0.20 (without Hansen et al., 1968)" in found.sentence
    assert "<table" in found._repr_html_()
    assert found.to_markdown().startswith("**Pooled effect with one effect left out")


def test_an_odds_ratio_is_held_against_one() -> None:
    frame = pd.DataFrame({"e1": [12, 5, 30], "n1": [100, 60, 300], "e2": [24, 12, 55], "n2": [100, 60, 300]})
    frame["study"] = ["a", "b", "c"]
    effects = am.effect_sizes(frame, measure="OR", events1="e1", events2="e2")
    found = leave_one_out(effects, tau2_method="EE", test="z")
    assert "lies below 1" in found.sentence
