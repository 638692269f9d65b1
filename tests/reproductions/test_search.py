"""`search()`: the field's choices of method, ranked by the printed numbers they give."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import alliance_meta as am
from alliance_meta.errors import InputError, NeedsDataError, UnknownNameError
from alliance_meta.reproductions import Search, search
from alliance_meta.reproductions._search import _chance


@pytest.fixture(scope="module")
def kolden() -> Search:
    return search("kolden2011-congruence")


def test_kolden_comes_out_with_the_variance_of_a_t_test_only(kolden: Search) -> None:
    found = kolden.agreeing
    assert set(found["effects"]) == {"r, variance of its t test, (1-r^2)/(n-2)"}
    assert found["tau2_method"].tolist() == ["SJ", "ML", "HS"]
    assert set(found["test"]) == {"z"}
    assert kolden.printed == {"estimate": "0.24", "ci_low": "0.12", "ci_high": "0.36", "k": "16"}
    assert "3 of 4896 choices give" in kolden.sentence


@pytest.mark.parametrize("measure", ["COR", "ZCOR"])
@pytest.mark.parametrize("tau2_method", ["EE", "DL", "REML", "SJ"])
@pytest.mark.parametrize("test", ["z", "knapp-hartung"])
@pytest.mark.parametrize("left_out", ["", "hansen1968"])
def test_each_choice_is_what_pool_gives(
    kolden: Search, measure: str, tau2_method: str, test: str, left_out: str
) -> None:
    frame = kolden.to_frame()
    label = {"COR": "r", "ZCOR": "Fisher's z"}[measure]
    asked = {"effects": label, "tau2_method": tau2_method, "test": test, "left_out": left_out}
    row = frame[(frame[[*asked, "weights"]] == [*asked.values(), "inverse-variance"]).all(axis=1)].iloc[0]
    studies = am.datasets.load("kolden2011").table
    effects = am.effect_sizes(studies[studies["effect_id"] != left_out], measure=measure, r="r", n="n")
    fit = am.pool(effects, tau2_method=tau2_method, test=test)
    shown = fit.on_display_scale()
    assert row["estimate"] == pytest.approx(shown.estimate, rel=1e-10)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((shown.ci_low, shown.ci_high), rel=1e-10)
    assert row["tau2"] == pytest.approx(fit.tau2, rel=1e-9, abs=1e-15)
    assert row["k"] == fit.k
    assert row["q_statistic"] == pytest.approx(fit.q_statistic, rel=1e-12)
    assert row["i2"] == pytest.approx(fit.i2_q, rel=1e-12)


def test_weights_are_those_of_pool(kolden: Search) -> None:
    frame = kolden.to_frame()
    asked = {"effects": "r", "tau2_method": "DL", "test": "z", "left_out": "", "weights": "n"}
    row = frame[(frame[[*asked]] == [*asked.values()]).all(axis=1)].iloc[0]
    effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="COR")
    assert row["estimate"] == pytest.approx(am.pool(effects, tau2_method="DL", test="z", weights="n").estimate)


def test_rows_are_ranked_and_count_what_agrees(kolden: Search) -> None:
    frame = kolden.to_frame()
    assert frame["agree"].is_monotonic_decreasing
    for row in frame.iloc[[0, 5, 100, 3000]].to_dict("records"):
        off = [abs(float(row[name]) - float(value)) for name, value in kolden.printed.items()]
        half = [0.005, 0.005, 0.005, 0.5]
        assert row["agree"] == sum(a <= b * (1 + 1e-9) for a, b in zip(off, half, strict=True))
        assert row["distance"] == pytest.approx(max(a / b for a, b in zip(off, half, strict=True)))
    assert ((frame["distance"] <= 1.0 + 1e-9) == (frame["agree"] == 4)).all()


def test_a_deviation_is_tried_both_ways() -> None:
    found = search("farber_doolin2011-as-printed", leave_out=False)
    frame = found.to_frame()
    assert set(frame["as_printed"]) == {"", "litter2004 n = 8"}
    assert (frame["left_out"] == "").all()
    dl = frame[(frame["effects"] == "Fisher's z") & (frame["tau2_method"] == "DL")]
    plain = dl[dl["weights"] == "inverse-variance"].set_index("as_printed")["estimate"]
    assert plain["litter2004 n = 8"] == pytest.approx(0.254, abs=0.0005)  # facts of the data set: metafor 3.8-1
    assert plain[""] == pytest.approx(0.271, abs=0.0005)


def test_studies_with_several_rows_are_also_combined() -> None:
    frame = search("munder2012-direct-comparisons", leave_out=False).to_frame()
    assert set(frame["aggregation"]) == {
        "",
        "mean a study, r = 0.5",
        "inverse-variance a study, r = 0.5",
        "inverse-variance a study, r = 0.8",
    }
    assert set(frame.loc[frame["aggregation"] != "", "k"]) == {20}


def test_what_does_not_come_out_says_so() -> None:
    found = search("benish2011-cultural-adaptation")
    assert found.agreeing.empty
    assert found.sentence.startswith("None of 2496 choices gives estimate 0.32, k 21")


def test_chance_is_counted_over_all_moved_numbers() -> None:
    units = np.array([[0.2, 0.0], [1.1, 0.0], [0.9, 0.3], [-5.4, 2.0], [-5.6, 0.0], [3.0, -3.0]])
    counted = np.array([True, True, True, True, True, False])
    mean, share = _chance(units, counted)
    # Row 0 rounds to the printed numbers, 4 is out of reach, 5 is not counted: three choices in two sets of 11**2 - 1.
    assert mean == pytest.approx(3 / 120)
    assert share == pytest.approx(2 / 120)


def test_views(kolden: Search) -> None:
    assert repr(kolden) == "<Search 'kolden2011-congruence': 3 of 4896 choices agree>"
    text = str(kolden)
    assert "printed" in text
    assert "4 of 4" in text
    assert kolden.to_frame() is not kolden.to_frame()
    assert "<table" in kolden._repr_html_()
    assert isinstance(kolden.agreeing, pd.DataFrame)


def test_what_cannot_be_searched() -> None:
    with pytest.raises(UnknownNameError, match="unknown reproduction 'kolden'"):
        search("kolden")
    with pytest.raises(UnknownNameError, match="unknown analysis of kolden2011-congruence 'all'"):
        search("kolden2011-congruence", "all")
    with pytest.raises(InputError, match="not 'convert'"):
        search("fluckiger2018-r-as-d", "identity")
    with pytest.raises(NeedsDataError, match="not shipped"):
        search("martin2000-overall")
