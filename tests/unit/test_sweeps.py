"""Sweeps over assumed correlations and reliabilities, and how few studies a conclusion hangs on."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

import alliance_meta as am
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.sensitivity._sweeps import correlation_sweep, fragility, reliability_sweep
from alliance_meta.stats import fragility as kernel

KOLDEN = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
KOLDEN_R = am.effect_sizes(am.datasets.load("kolden2011"), measure="COR")
FARBER = am.effect_sizes(am.datasets.load("farber_doolin2011_effects"), measure="ZCOR")


def _effects(y: npt.ArrayLike, v: npt.ArrayLike, study: Any = None) -> am.EffectSizes:
    frame = pd.DataFrame({"y": y, "v": v})
    frame["study"] = [f"S{i}" for i in range(len(frame))] if study is None else study
    return am.effect_sizes(frame, measure="GEN", effect="y", variance="v")


# ---------------------------------------------------------------- correlations


def test_a_sweep_is_the_dependence_report_as_curves() -> None:
    found = correlation_sweep(FARBER, correlations=[0.3, 0.6])
    report = am.dependence_report(FARBER, [0.3, 0.6]).to_frame()
    report = report[report["model"].isin(found.models)].reset_index(drop=True)
    frame = found.to_frame()
    assert found.models == ("one effect a study", "composites", "CHE", "CHE, robust")
    for name in ("model", "correlation", "k", "conclusion"):
        assert frame[name].tolist() == report[name].tolist()
    for name in ("estimate", "std_error", "df", "ci_low", "ci_high", "p_value"):
        assert frame[name].to_numpy() == pytest.approx(report[name].to_numpy(), rel=1e-12)


def test_a_sweep_by_hand() -> None:
    found = correlation_sweep(FARBER, correlations=np.array([0.2, 0.5])).to_frame(0.9)
    che = am.multilevel(FARBER, correlation=0.5)
    row = found[(found["model"] == "CHE") & (found["correlation"] == 0.5)].iloc[0]
    assert row["estimate"] == pytest.approx(che.estimate)
    assert row["ci_low"] == pytest.approx(che.to_frame(0.9)["ci_low"].iloc[0])
    one = am.pool(am.aggregate(FARBER, correlation=0.2, method="inverse-variance"))
    assert found.iloc[0]["estimate"] == pytest.approx(one.estimate)


def test_a_sweep_says_how_far_each_model_moves() -> None:
    found = correlation_sweep(FARBER, correlations=[0.2, 0.5, 0.8])
    spans = found.spans()
    assert spans[spans["model"] == "CHE"][["at_low", "at_high"]].to_numpy().tolist() == [[0.8, 0.2]]
    assert "CHE 0.23 to 0.25" in found.sentence
    assert "in all 11 fits" in found.sentence
    assert "No composites with a correlation of 0.2" in found.notes[0]
    assert found.shared == 99


def test_robust_tests_of_few_studies_are_a_caution() -> None:
    rng = np.random.default_rng(3)
    effects = _effects(rng.normal(0.3, 0.2, 8), [0.02] * 8, study=list("aaabbccd"))
    assert "degrees of freedom" in correlation_sweep(effects, correlations=[0.5]).cautions[0]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "one or more numbers"),
        ([0.5, 0.5], "must differ"),
        ([1.0], "up to, but not, 1"),
        ([-0.1], "from 0"),
        ([np.nan], "from 0"),
        (["a"], "one or more numbers; got 'a'"),
        ([True], "got True"),
    ],
)
def test_bad_correlations(given: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        correlation_sweep(FARBER, correlations=given)


def test_nothing_shares_a_study() -> None:
    with pytest.raises(InputError, match="study of its own"):
        correlation_sweep(KOLDEN)


# ---------------------------------------------------------------- reliabilities


@pytest.mark.parametrize("effects", [KOLDEN, KOLDEN_R], ids=["z", "r"])
@pytest.mark.parametrize("method", ["REML", "DL", "EE"])
def test_each_cell_is_a_pooled_corrected_set(effects: am.EffectSizes, method: str) -> None:
    found = reliability_sweep(
        effects, reliability_x=[0.8, 1.0], reliability_y=[0.9, 0.7], tau2_method=method, test="t"
    ).to_frame()
    assert found["reliability_x"].tolist() == [0.8, 0.8, 1.0, 1.0]
    for row in found.to_dict("records"):
        corrected = am.correct_attenuation(
            effects, reliability_x=row["reliability_x"], reliability_y=row["reliability_y"]
        )
        fit = am.pool(corrected, tau2_method=method, test="t").to_frame().iloc[0]
        for name in ("estimate", "std_error", "statistic", "df", "p_value", "ci_low", "ci_high"):
            assert row[name] == pytest.approx(fit[name], rel=1e-10)


def test_r_is_stretched_and_no_surer() -> None:
    found = reliability_sweep(KOLDEN_R, reliability_x=[1.0, 0.64], reliability_y=[1.0]).to_frame()
    assert found["estimate"][1] == pytest.approx(found["estimate"][0] / 0.8, rel=1e-9)
    assert found["statistic"][1] == pytest.approx(found["statistic"][0], rel=1e-9)


def test_impossible_pairs_are_not_pooled() -> None:
    found = reliability_sweep(KOLDEN)
    lost = found.to_frame()["estimate"].isna()
    product = found.assumed["reliability_x"] * found.assumed["reliability_y"]
    assert lost.tolist() == (np.sqrt(product) <= np.tanh(np.abs(KOLDEN.effect)).max()).tolist()
    assert "0.6 and 0.6; 0.6 and 0.7; 0.7 and 0.6" in found.notes[0]
    assert "gets as large as 1.00" in found.cautions[0] or "gets as large as 0.99" in found.cautions[0]
    assert np.isnan(found.grid().to_numpy()).sum() == 3
    assert found.grid().to_numpy()[-1, -1] == pytest.approx(float(np.tanh(am.pool(KOLDEN).estimate)))
    assert "–" in str(found)
    nothing = reliability_sweep(KOLDEN, reliability_x=[0.3], reliability_y=[0.3])
    assert "No assumed pair" in nothing.sentence


def test_bad_reliabilities() -> None:
    with pytest.raises(InputError, match="reliability_y must lie above 0 and not above 1"):
        reliability_sweep(KOLDEN, reliability_y=[0.5, 80])
    with pytest.raises(InputError, match="must differ"):
        reliability_sweep(KOLDEN, reliability_x=[0.5, 0.5])
    with pytest.raises(InputError, match="corrects correlations"):
        reliability_sweep(_effects([0.1, 0.2], [0.01, 0.01]))
    with pytest.raises(InputError, match="corrected for attenuation already"):
        reliability_sweep(am.correct_attenuation(KOLDEN, reliability_x=0.9))
    with pytest.raises(InputError, match="takes the result"):
        reliability_sweep([0.1])  # type: ignore[arg-type]


# ---------------------------------------------------------------- fragility


def _side(y: Any, v: Any, keep: Any, options: Any, level: float = 0.95) -> int:
    fit = am.pool(_effects(y[keep], v[keep]), **options)
    low, high = fit.confidence_interval(level)
    return 1 if low > 0.0 else -1 if high < 0.0 else 0


def _slowly(y: Any, v: Any, options: Any) -> tuple[int, int]:
    """The fewest, and how many sets of that size: every set, fitted one by one."""
    k = len(y)
    side = _side(y, v, np.arange(k), options)
    for size in range(1, k - 1):
        rests = [np.setdiff1d(np.arange(k), gone) for gone in combinations(range(k), size)]
        changed = sum(_side(y, v, rest, options) != side for rest in rests)
        if changed:
            return size, changed
    return 0, 0


@pytest.mark.parametrize("seed", range(12))
def test_the_fewest_are_the_fewest(seed: int) -> None:
    rng = np.random.default_rng(seed)
    k = int(rng.integers(3, 8))
    v = rng.uniform(0.01, 0.1, k)
    y = rng.normal(rng.choice([-0.5, 0.0, 0.4]), np.sqrt(v + 0.02))
    options = {"tau2_method": str(rng.choice(["DL", "REML", "EE"])), "test": str(rng.choice(["z", "knapp-hartung"]))}
    found = fragility(_effects(y, v), tau2_method=options["tau2_method"], test=options["test"])
    size, sets = _slowly(y, v, options)
    assert (found.count or 0, found.sets) == (size, sets)
    assert found.exact
    if size:
        rest = ~np.isin([f"S{i}" for i in range(k)], found.removed)
        after = _side(y, v, rest, options)
        assert {1: "above", 0: "not told", -1: "below"}[after] == found.after != found.before
        assert found.without is not None
        assert found.without.k == k - size


def test_one_by_one_is_an_upper_bound() -> None:
    bound = fragility(KOLDEN, most_fits=20)
    assert bound.count is not None
    assert not bound.exact
    assert bound.sets is None
    assert bound.at_least == 2
    exact = fragility(KOLDEN)
    assert exact.count is not None
    assert exact.exact
    assert bound.count >= exact.count == 5
    assert exact.sets == 62
    assert exact.share == pytest.approx(31.25)
    assert "an upper bound; at least 2" in repr(bound)
    assert "though fewer might do (at least 2)" in bound.sentence


def test_one_by_one_can_be_beaten_and_every_set_says_so() -> None:
    # A random set (numpy's default_rng, seed 74), the first in which taking the worst study first leads astray.
    y = [0.23, 0.07, 0.5, 0.81, 0.56, 0.03, 0.17, 0.31, 0.27]
    v = [0.179, 0.107, 0.137, 0.135, 0.115, 0.107, 0.006, 0.151, 0.194]
    bound = fragility(_effects(y, v), tau2_method="DL", most_fits=9)
    exact = fragility(_effects(y, v), tau2_method="DL")
    assert (bound.count, bound.exact, bound.at_least) == (4, False, 2)
    assert (exact.count, exact.exact, exact.sets) == (3, True, 6)


def test_an_interval_around_no_effect_can_leave_it_either_way() -> None:
    up = fragility(_effects([0.3, 0.3, 0.3, -0.3], [0.02] * 4), test="z", tau2_method="DL")
    assert (up.before, up.after, up.removed) == ("not told", "above", ("S3",))
    down = fragility(_effects([-0.3, -0.3, -0.3, 0.3], [0.02] * 4), test="z", tau2_method="DL")
    assert (down.after, down.removed) == ("below", ("S3",))
    assert "1 is enough to change that, the fewest there can be" in down.sentence


def test_nothing_changes_it() -> None:
    found = fragility(_effects([1.0, 1.1, 0.9, 1.0], [0.001] * 4), test="z")
    assert found.count is None
    assert found.exact
    assert np.isnan(found.share)
    assert "whatever is left out" in found.sentence
    assert found.to_frame()["fit"].tolist() == ["all"]
    assert str(found)
    unsure = fragility(_effects([1.0, 1.1, 0.9, 1.0], [0.001] * 4), test="z", most_fits=3)
    assert not unsure.exact
    assert "in every removal tried" in unsure.sentence


def test_identical_effects() -> None:
    found = fragility(_effects([0.1] * 6, [0.02] * 6), test="z", tau2_method="EE")
    assert found.before == "not told"
    assert found.count is None


def test_studies_go_as_wholes() -> None:
    found = fragility(FARBER, by="study")
    assert found.units == 15
    assert found.exact
    table = FARBER.table
    assert found.without is not None
    assert found.without.k == (~table["study"].isin(found.removed)).sum()
    assert found.sets is not None
    assert "share a study" in found.cautions[0]


def test_the_level_counts() -> None:
    counts = [fragility(KOLDEN, level=level).count or 99 for level in (0.99, 0.95, 0.8)]
    assert counts == sorted(counts)


def test_a_dominating_study() -> None:
    found = fragility(_effects([0.5, 0.01, -0.02, 0.03], [1e-4, 0.05, 0.05, 0.05]), tau2_method="EE", test="z")
    assert found.removed == ("S0",)


def test_pieces_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fragility(KOLDEN)
    monkeypatch.setattr(kernel, "_NUMBERS_AT_ONCE", 40)
    pieces = fragility(KOLDEN)
    assert (whole.removed, whole.sets) == (pieces.removed, pieces.sets)


def test_bad_arguments() -> None:
    with pytest.raises(InputError, match="needs at least 3 effects; there are 2"):
        fragility(_effects([0.1, 0.2], [0.01, 0.01]))
    with pytest.raises(InputError, match="most_fits must be a whole number"):
        fragility(KOLDEN, most_fits=0)
    with pytest.raises(InputError, match="level must lie"):
        fragility(KOLDEN, level=1.0)
    with pytest.raises(UnknownNameError, match="tau2_method"):
        fragility(KOLDEN, tau2_method="reml")
    with pytest.raises(InputError, match="takes the result"):
        fragility(None)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="by 'lab'"):
        fragility(KOLDEN, by="lab")
