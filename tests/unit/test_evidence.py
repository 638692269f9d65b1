"""What published meta-analyses say together: every number held against the cells of the data files, read by `csv`."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from math import atanh, erf, isnan, sqrt, tanh
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliance_meta as am
from alliance_meta.datasets._locate import data_folder
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.evidence import (
    CommonFactors,
    Elements,
    History,
    SecondOrder,
    common_factors,
    elements,
    history,
    second_order,
)
from alliance_meta.evidence._published import interval_of, published, records

Z975 = 1.959963984540054  # qnorm(0.975)
EXACT = 1e-12  # the same formula in other words, in double precision


def cells(name: str) -> dict[str, dict[str, str]]:
    """A data file as text, by effect_id."""
    with (data_folder() / "datasets" / name / "effects.csv").open(encoding="utf-8", newline="") as file:
        return {row["effect_id"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def source() -> dict[str, dict[str, str]]:
    return cells("relationship_meta_analyses")


@pytest.fixture(scope="module")
def alliance() -> History:
    return history()


@pytest.fixture(scope="module")
def both() -> Elements:
    return elements()


@pytest.fixture(scope="module")
def factors() -> CommonFactors:
    return common_factors()


def number(text: str) -> float:
    return float(text) if text else float("nan")


def same(value: float, expected: float) -> bool:
    return (isnan(value) and isnan(expected)) or value == pytest.approx(expected, abs=EXACT)


# History


def test_every_alliance_row_is_a_cell_of_the_file(alliance: History, source: dict[str, dict[str, str]]) -> None:
    frame = alliance.to_frame()
    assert alliance.k == len(frame) == 19
    for row in records(frame):
        cell = source[row["effect_id"]]
        sign = -1.0 if cell["flag"] == "sign-convention" else 1.0
        assert (cell["construct"], cell["related_to"], cell["level_of"]) == ("alliance", "outcome", "")
        assert (cell["metric"], cell["restates"]) == ("r", "")
        assert row["estimate"] == sign * float(cell["estimate"])
        bounds = sorted(sign * number(cell[name]) for name in ("ci_low", "ci_high"))
        assert all(same(row[name], end) for name, end in zip(("ci_low", "ci_high"), bounds, strict=True))
        assert all(same(row[name], number(cell[name])) for name in ("year", "k", "k_studies", "n"))
        assert all(row[name] == cell[name] for name in ("label", "population", "locator", "doi", "flag", "note"))
        assert row["second_hand"] is (cell["flag"] == "second-hand")
        assert row["interval_from"] == ("printed" if cell["ci_low"] else "")


def test_history_is_in_order_of_year_one_row_a_meta_analysis(alliance: History) -> None:
    frame = alliance.to_frame()
    assert frame["year"].is_monotonic_increasing
    assert not frame["study"].duplicated().any()


def test_no_row_of_the_construct_is_lost(alliance: History, source: dict[str, dict[str, str]]) -> None:
    own = {name for name, cell in source.items() if cell["construct"] == "alliance"}
    assert {*alliance.to_frame()["effect_id"], *alliance.left_out["effect_id"]} == own
    assert alliance.k + len(alliance.left_out) == len(own)
    assert (alliance.left_out["reason"] != "").all()


def test_no_interval_is_made_up(alliance: History) -> None:
    frame = alliance.to_frame()
    assert frame.loc[frame["interval_from"] == "", ["ci_low", "ci_high"]].isna().all(axis=None)
    assert "8 of 19 have no interval" in alliance.sentence


def test_a_negative_better_outcome_is_turned_and_marked(alliance: History) -> None:
    row = alliance.to_frame().set_index("effect_id").loc["lococo2022-three-level"]
    assert (row["estimate"], row["ci_low"], row["ci_high"], row["turned"]) == (0.215, 0.178, 0.252, True)
    assert "Lo Coco et al. (2022) ±" in str(alliance)


def test_d_is_converted_where_no_r_is_printed_and_said_so(source: dict[str, dict[str, str]]) -> None:
    found = history("positive regard")
    row = found.to_frame().set_index("effect_id").loc["farber2018-overall"]
    d = float(source["farber2018-overall"]["estimate"])
    assert row["estimate"] == pytest.approx(d / sqrt(d**2 + 4.0), abs=EXACT)
    assert row["estimate_from"] == "converted from g"
    assert "†" in str(found)
    reasons = found.left_out.set_index("effect_id")["reason"]
    assert reasons["farber2018-multilevel"] == "another estimate of the same meta-analysis is shown: farber2018-overall"


def test_adjusted_and_restating_rows_are_left_out() -> None:
    reasons = history("cultural adaptation").left_out.set_index("effect_id")["reason"]
    assert reasons["soto2018-adaptation-adjusted"] == "adjusted for publication bias"
    assert reasons["benish2011-unadapted"] == "only for comparison=unadapted psychotherapy"
    assert (
        history("expectations")
        .left_out.set_index("effect_id")["reason"]["constantino2011-overall-d"]
        .startswith("restates")
    )


def test_rows_without_a_year_come_last() -> None:
    frame = history("cultural adaptation").to_frame()
    assert frame["year"].isna().tolist() == [False, True]


def test_a_standard_error_implies_an_interval_on_fishers_z() -> None:
    row: dict[str, Any] = {"metric": "r", "estimate": 0.3, "std_error": 0.05, "ci_low": np.nan, "interval": ""}
    low, high, how = interval_of(row)
    assert [low, high] == pytest.approx([tanh(atanh(0.3) + side * Z975 * 0.05) for side in (-1, 1)], abs=EXACT)
    assert how == "implied by the printed standard error"
    low, high, _ = interval_of(row | {"metric": "d"})
    assert [low, high] == pytest.approx([0.3 - Z975 * 0.05, 0.3 + Z975 * 0.05], abs=EXACT)
    assert interval_of(row | {"metric": "OR"})[2] == ""
    assert interval_of(row | {"std_error": np.nan})[2] == ""


def test_an_interval_of_credibility_is_no_confidence_interval() -> None:
    rows = published().set_index("effect_id")
    assert rows.loc["levy2011-security", "interval"] == "credibility 80%"
    assert rows.loc["levy2011-security", ["r_low", "d_low"]].isna().all()
    assert rows.loc["levy2011-security", "interval_from"] == ""


def test_more_than_is_kept(alliance: History, source: dict[str, dict[str, str]]) -> None:
    frame = alliance.to_frame().set_index("effect_id")
    more = frame.index[frame["more_people"]].tolist()
    assert more == ["horvath2011-overall", "fluckiger2018-overall"]
    assert all("n printed as more than" in source[name]["note"] for name in more)
    assert "> 30,000" in str(alliance)


def test_population_and_words(alliance: History) -> None:
    youth = history("alliance", "youth")
    assert set(youth.to_frame()["population"]) == {"youth"}
    middle = median(alliance.to_frame()["estimate"])
    assert f"a median of .{round(100 * middle)}" in alliance.sentence
    assert "share primary studies" in alliance.cautions[0]
    assert "Horvath & Symonds (1991)" in alliance.cautions[1]
    assert history("split alliance", "youth and family").cautions == ()


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("aliance",), "Did you mean 'alliance'"),
        (("alliance", "youths"), "Did you mean 'youth'"),
    ],
)
def test_unknown_names(arguments: tuple[str, ...], match: str) -> None:
    with pytest.raises(UnknownNameError, match=match):
        history(*arguments)


def test_nothing_to_show() -> None:
    with pytest.raises(UnknownNameError, match="relation"):
        history("empathy", related_to="dropout")
    with pytest.raises(InputError, match="printed as variance_share"):
        history("specific ingredients")
    with pytest.raises(InputError, match="printed as OR"):
        history("preferences", related_to="dropout")


# Second order


def test_second_order_takes_the_variances_that_intervals_imply(source: dict[str, dict[str, str]]) -> None:
    rows = second_order().meta_analyses
    for row in records(rows):
        cell = source[row["effect_id"]]
        low, high = (atanh(float(cell[name])) for name in ("ci_low", "ci_high"))
        assert row["variance"] == pytest.approx(((high - low) / (2 * Z975)) ** 2, rel=1e-10)
        assert row["z"] == pytest.approx(atanh(abs(float(cell["estimate"]))), abs=EXACT)


def test_two_meta_analyses_by_hand() -> None:
    # Cells of horvath2011-overall and fluckiger2018-overall; Q < 1, so tau2 is 0 and the mean is the weighted one.
    z = np.arctanh([0.275, 0.278])
    se = (np.arctanh([0.30, 0.299]) - np.arctanh([0.25, 0.256])) / (2 * Z975)
    weight = se**-2 / (se**-2).sum()
    found = second_order("alliance", "adult individual")
    assert list(found.fits) == ["adult individual"]
    assert found.fits["adult individual"].tau2 == 0.0
    mean = float(weight @ z)
    assert found.fits["adult individual"].estimate == pytest.approx(mean, abs=1e-10)
    for overlap, error in ((0.0, (se**-2).sum() ** -0.5), (1.0, float(weight @ se))):
        expected = [tanh(mean + side * Z975 * error) for side in (-1, 1)]
        assert list(found.confidence_interval(overlap=overlap)) == pytest.approx(expected, abs=1e-10)


def test_overlap_is_the_double_sum() -> None:
    found = second_order()
    fit = found.fits["all"]
    v, tau2 = fit.effects.variance, fit.tau2
    w = 1 / (v + tau2) / (1 / (v + tau2)).sum()
    for overlap in (0.0, 0.3, 1.0):
        shared = np.where(np.eye(fit.k, dtype=bool), 1.0, overlap) * np.sqrt(np.outer(v, v))
        error = sqrt(w @ (shared + tau2 * np.eye(fit.k)) @ w)
        expected = [tanh(fit.estimate + side * Z975 * error) for side in (-1, 1)]
        assert list(found.confidence_interval("all", overlap=overlap)) == pytest.approx(expected, abs=1e-10)
    # With no overlap it is the fit's own interval.
    assert list(found.confidence_interval()) == pytest.approx(np.tanh(list(fit.confidence_interval())), abs=1e-10)


def test_populations_are_pooled_apart_and_singles_are_not() -> None:
    found = second_order()
    frame = found.to_frame().set_index("population")
    assert frame.index.tolist()[-1] == "all"
    assert frame.loc["all", "k"] == len(found.meta_analyses) == 11
    assert frame.loc["all", "left_out"] == len(found.left_out) == 8
    assert frame.index[frame["pooled"]].tolist() == ["adult individual", "youth", "all"]
    single = frame.loc["internet"]
    assert (single["estimate"], single["ci_low"], single["ci_high"]) == (0.252, 0.19, 0.31)
    assert single[["tau2", "overlap_low"]].isna().all()
    assert (frame["overlap_low"].dropna() < frame.loc[frame["pooled"], "ci_low"]).all()


def test_every_view_says_that_studies_are_shared() -> None:
    found = second_order()
    for view in (repr(found), str(found), found._repr_html_(), found.to_markdown(), found.sentence):
        assert "shared no primary studies" in view.replace("\n", " ")
    assert found.cautions[0].startswith("Do not quote these means")
    listed = " ".join(str(found).split())
    assert all(label in listed for label in found.left_out["label"])


def test_one_meta_analysis_is_not_pooled() -> None:
    found = second_order("alliance", "internet")
    assert not found.fits
    assert "nothing to pool" in found.headline
    assert found.cautions == ()
    assert "Probst" in str(found)


def test_second_order_refuses() -> None:
    with pytest.raises(InputError, match="none of 2 meta-analyses of positive regard"):
        second_order("positive regard")
    found = second_order()
    with pytest.raises(InputError, match="overlap must lie"):
        found.confidence_interval(overlap=1.2)
    with pytest.raises(UnknownNameError, match="group"):
        found.confidence_interval("internet")
    with pytest.raises(InputError, match="level"):
        found.confidence_interval(level=95)
    with pytest.raises(UnknownNameError, match="REML"):
        second_order(tau2_method="RELM")


# Elements


def test_elements_are_cells_and_identities(both: Elements, source: dict[str, dict[str, str]]) -> None:
    d_of = {cell["restates"]: cell["estimate"] for cell in source.values() if cell["metric"] == "d"}
    for row in records(both.to_frame()):
        if not row["effect_id"]:
            continue
        cell = source[row["effect_id"]]
        printed = float(cell["estimate"])
        if cell["metric"] == "r":
            r, d = printed, number(d_of.get(row["effect_id"], "")) if row["effect_id"] in d_of else np.nan
            d = 2 * r / sqrt(1 - r**2) if isnan(d) else d
        else:
            r, d = printed / sqrt(printed**2 + 4), printed
        assert [row["r"], row["d"]] == pytest.approx([r, d], abs=EXACT)
        assert row["variance_share"] == pytest.approx(r**2, abs=EXACT)
        assert row["nnt"] == pytest.approx(1 / erf(d / 2), rel=1e-10)  # 2 Phi(d / sqrt 2) - 1 = erf(d / 2)
        assert all(same(row[name], number(cell[name])) for name in ("k", "n"))
        if cell["interval"] == "confidence 95%" and cell["metric"] == "r":
            low, high = float(cell["ci_low"]), float(cell["ci_high"])
            assert [row["r_low"], row["r_high"]] == [low, high]
            assert row["d_low"] == pytest.approx(2 * low / sqrt(1 - low**2), abs=EXACT)
            assert row["share_high"] == pytest.approx(max(low**2, high**2), abs=EXACT)
            assert row["share_low"] == pytest.approx(0 if low < 0 < high else min(low**2, high**2), abs=EXACT)


def test_each_element_is_of_its_task_force(both: Elements) -> None:
    references = am.datasets.references()
    volumes = {
        2011: ("Psychotherapy, 48", "Journal of Clinical Psychology, 67", "In Session, 67", "(2nd ed."),
        2018: ("Psychotherapy, 55(4)", "Journal of Clinical Psychology, 74", "Journal of Clinical Psychology."),
    }
    table = am.datasets.load("relationship_meta_analyses").table.set_index("effect_id")
    for row in records(both.to_frame()):
        if row["effect_id"]:
            reference = references[table.loc[row["effect_id"], "study"]].reference
            assert any(volume in reference for volume in volumes[row["task_force"]]), reference


def test_what_is_lacking_is_named_and_has_no_numbers(both: Elements) -> None:
    frame = both.to_frame()
    absent = frame[frame["effect_id"] == ""]
    assert list(zip(absent["element"], absent["task_force"], strict=True)) == [
        ("Client feedback", 2018),
        ("Self-disclosure and immediacy", 2018),
        ("Coping style", 2018),
        ("Attachment style", 2018),
        ("Culture", 2011),
    ]
    assert absent[["r", "d", "nnt", "variance_share", "k", "n"]].isna().all(axis=None)
    lacking = both.lacking.set_index("effect_id")["lacking"]
    assert lacking["kolden2018-overall"] == "interval"
    assert lacking["swift2018-outcome"] == "k, N, interval"
    assert "lacking" in str(both)


def test_identities_that_cannot_hold_are_shown(both: Elements) -> None:
    wrong = both.inconsistent
    assert set(wrong.loc[wrong["identity"] == "r_and_d", "effect_id"]) == {
        "burlingame2018-overall",
        "gelso2018-overall",
    }
    # By hand: r = .38 may be .375 to .385, which are d = 0.809 to 0.834; printed is 0.80, at most 0.805.
    assert 2 * 0.375 / sqrt(1 - 0.375**2) > 0.805
    assert "Real relationship !" in str(both)
    # And what fits: r = .278 may be .2775 to .2785, d 0.5777 to 0.5800; printed .579.
    assert both.checks["fluckiger2018-overall"].ok


def test_elements_of_one_task_force(both: Elements) -> None:
    first, second = elements(2011), elements(2018)
    assert len(first.to_frame()) + len(second.to_frame()) == len(both.to_frame())
    assert (first.task_force, both.task_force) == (2011, None)
    assert "27 estimates of 21 elements" in first.headline
    assert not any("does not replicate" in caution for caution in first.cautions)
    assert any("does not replicate" in caution for caution in both.cautions)
    with pytest.raises(InputError, match="2011 or 2018"):
        elements(2002)


def test_an_nnt_whose_interval_holds_no_effect_runs_through_infinity(both: Elements) -> None:
    row = both.to_frame().set_index("effect_id").loc["eubanks2018-training"]
    assert row["r_low"] < 0 < row["r_high"]
    assert row["nnt_low"] > 0 > row["nnt_high"]


# Common factors


def test_printed_factors_are_cells(factors: CommonFactors, source: dict[str, dict[str, str]]) -> None:
    frame = factors.to_frame()
    for row in records(frame[frame["status"] == "printed"]):
        cell = source[row["source"]]
        assert row["printed"] == cell["estimate"]
        value = float(cell["estimate"])
        to_r: dict[str, Callable[[float], float]] = {
            "r": lambda r: r,
            "d": lambda d: d / sqrt(d**2 + 4),
            "g": lambda d: d / sqrt(d**2 + 4),
            "variance_share": sqrt,
        }
        r = to_r[cell["metric"]](value)
        assert row["share"] == pytest.approx(r**2, abs=EXACT)
        if not row["d_printed"]:
            assert row["d"] == pytest.approx(2 * r / sqrt(1 - r**2), abs=EXACT)
        else:
            assert row["d"] == float(source[f"{row['source']}-d"]["estimate"])
        assert row["second_hand"] is (cell["flag"] == "second-hand")
        assert row["locator"] == cell["locator"]


def test_recomputed_stands_beside_printed_and_says_so(factors: CommonFactors) -> None:
    frame = factors.to_frame()
    ours = frame[frame["status"] == "recomputed"].set_index("source")
    assert ours.index.tolist() == ["benish2011", "munder2012-allegiance", "munder2012"]
    assert ours["label"].str.endswith(", recomputed").all()
    for name in ("benish2011", "munder2012"):
        effects = am.effect_sizes(am.datasets.load(name), measure="SMD")
        fit = am.pool(effects, dependent="allow")
        table = am.robust(fit).to_frame().iloc[0]
        row = ours.loc[name]
        assert row["d"] == pytest.approx(fit.estimate, abs=EXACT)
        assert [row["d_low"], row["d_high"]] == pytest.approx([table["ci_low"], table["ci_high"]], abs=EXACT)
        assert row["k"] == len(cells(name)) == fit.k
    assert "Cultural adaptation 0.32 printed, 0.370 recomputed" in " ".join(str(factors).split())


def test_cultural_adaptation_by_hand(factors: CommonFactors) -> None:
    # g and both group sizes as in the file: the mean by the REML tau2 of the fit, metafor's variance of g (LS).
    rows = list(cells("benish2011").values())
    g = np.array([float(row["g"]) for row in rows])
    n1, n2 = (np.array([float(row[name]) for row in rows]) for name in ("n1", "n2"))
    variance = 1 / n1 + 1 / n2 + g**2 / (2 * (n1 + n2))
    fit = factors.fits["benish2011"]
    weight = 1 / (variance + fit.tau2)
    found = factors.to_frame().set_index("source").loc["benish2011", "d"]
    assert found == pytest.approx(float(weight @ g / weight.sum()), abs=1e-10)


def test_allegiance_is_the_slope_times_one_standard_deviation(factors: CommonFactors) -> None:
    rows = list(cells("munder2012").values())
    g, n, x = (np.array([float(row[name]) for row in rows]) for name in ("g", "n", "researcher_allegiance"))
    variance = 4 / n + g**2 / (2 * n)  # two equal groups, of which the file has only the total
    fit = factors.fits["munder2012-allegiance"]
    weight = 1 / (variance + fit.tau2)
    matrix = np.column_stack([np.ones_like(x), x])
    slope = np.linalg.solve(matrix.T @ (weight[:, None] * matrix), matrix.T @ (weight * g))[1]
    row = factors.to_frame().set_index("source").loc["munder2012-allegiance"]
    # Half a unit of odd totals: the library splits 71 as 35.5 and 35.5 too.
    assert row["d"] == pytest.approx(slope * x.std(ddof=1), abs=1e-8)
    assert slope == pytest.approx(0.094, abs=0.0005)  # DL and REML agree on .094
    assert any("slope 0.094 a point" in caution for caution in factors.cautions)


def test_lacking_factors_have_names_and_no_numbers(factors: CommonFactors) -> None:
    assert factors.lacking == ("Therapists, in trials", "Therapists, in practice", "Adherence to the protocol")
    frame = factors.to_frame()
    absent = frame[frame["status"] == "lacking"]
    assert absent[["d", "r", "share", "k", "d_low", "d_high"]].isna().all(axis=None)
    assert (absent["source"] == "").all()


def test_factors_of_2011_have_their_studies_recomputed() -> None:
    found = common_factors(2011)
    frame = found.to_frame()
    ours = frame[frame["status"] == "recomputed"].set_index("source")
    for name in ("farber_doolin2011", "kolden2011"):
        fit = am.pool(am.effect_sizes(am.datasets.load(name), measure="ZCOR"))
        assert ours.loc[name, "r"] == pytest.approx(tanh(fit.estimate), abs=EXACT)
    with pytest.raises(InputError, match="2011 or 2018"):
        common_factors(2015)


# All


@pytest.fixture(scope="module", params=[history, second_order, elements, common_factors])
def any_of(request: pytest.FixtureRequest) -> History | SecondOrder | Elements | CommonFactors:
    return request.param()  # type: ignore[no-any-return]


def test_views(any_of: History | SecondOrder | Elements | CommonFactors) -> None:
    frame = any_of.to_frame()
    first = frame.columns[0]
    changed = any_of.to_frame()
    changed[first] = "changed"
    assert any_of.to_frame().equals(frame)
    text = " ".join(str(any_of).split())
    assert " ".join(any_of.sentence.split()) in text
    assert all(" ".join(caution.split()) in text for caution in any_of.cautions)
    assert any_of.headline in repr(any_of)
    lines = [line for line in any_of.to_markdown().splitlines() if line.startswith("|")]
    assert len(lines) == len(any_of.summary().rows) + 2
    assert "<table" in any_of._repr_html_()
    with pytest.raises(AttributeError):
        any_of.cautions = ()  # type: ignore[misc]


def test_text_is_no_wider_than_a_terminal(any_of: History | SecondOrder | Elements | CommonFactors) -> None:
    assert max(len(line) for line in str(any_of).splitlines()) <= 104


def test_nothing_is_shown_that_is_not_finite_or_absent(
    any_of: History | SecondOrder | Elements | CommonFactors,
) -> None:
    assert not re.search(r"\bnan\b", str(any_of))
    assert not np.isinf(any_of.to_frame().select_dtypes("number").to_numpy(dtype=float)).any()
    assert isinstance(any_of.to_frame(), pd.DataFrame)
