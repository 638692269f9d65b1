"""`consistency`: printed numbers held against each other.

Printed numbers are those of the data set ``relationship_meta_analyses``, and a few more of the same abstracts, which
stand beside the test that uses them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import alliance_meta as am
from alliance_meta.consistency import (
    ConsistencyCheck,
    ConsistencyTable,
    check,
    check_dataset,
    check_table,
    identities,
    quantities,
)
from alliance_meta.consistency._identities import IDENTITIES
from alliance_meta.consistency._rounded import Range, read_number
from alliance_meta.consistency._scales import statistic
from alliance_meta.errors import InputError, UnknownNameError


@pytest.fixture(scope="module")
def published() -> ConsistencyTable:
    return check_dataset(am.datasets.load("relationship_meta_analyses"))


def verdicts(**printed: object) -> dict[str, str]:
    return {one.identity: one.verdict for one in check(**printed).checks}


# --- reading printed numbers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        (".28", 0.275, 0.285),
        ("-0.32", -0.325, -0.315),
        ("−.32", -0.325, -0.315),
        ("–.32", -0.325, -0.315),
        ("6.54", 6.535, 6.545),
        ("= .04", 0.035, 0.045),
        ("12", 11.5, 12.5),
        ("0.40", 0.395, 0.405),
        ("1.2e-3", 0.00115, 0.00125),
        ("< .001", -math.inf, 0.001),
        ("≤.05", -math.inf, 0.05),
        ("> 0.05", 0.05, math.inf),
        ("ns", 0.05, math.inf),
        ("n.s.", 0.05, math.inf),
    ],
)
def test_a_printed_number_is_the_range_it_was_rounded_from(text: str, low: float, high: float) -> None:
    held = read_number(text)
    assert not isinstance(held, str)
    assert held.range == pytest.approx((low, high), rel=1e-12)


def test_percentages_are_in_the_unit_of_the_quantity() -> None:
    share, i2 = read_number("4.8%", percent=0.01), read_number("79.3 %", percent=1.0)
    assert not isinstance(share, str)
    assert not isinstance(i2, str)
    assert share.range == pytest.approx((0.0475, 0.0485))
    assert i2.range == pytest.approx((79.25, 79.35))


def test_counts_are_exact_and_may_have_commas() -> None:
    held = read_number("14,000", whole=True)
    assert not isinstance(held, str)
    assert held.range == (14000.0, 14000.0)


@pytest.mark.parametrize(
    ("printed", "message"),
    [
        ({"z": "abc"}, "z = 'abc' is no number"),
        ({"z": "6,54"}, "write a decimal point"),
        ({"z": "1,234"}, "write a decimal point"),
        ({"z": "1_0"}, "is no number"),
        ({"z": "nan"}, "is no number"),
        ({"z": np.inf}, "is no number"),
        ({"z": "5%"}, "is a percentage"),
        ({"z": "ns"}, "only a p value can be 'ns'"),
        ({"z": True}, "must be the printed text"),
        ({"z": [1.0]}, "must be the printed text"),
        ({"k": "12.5"}, "not a whole number"),
        ({"z": "1e100"}, "larger than any printed result"),
        ({"k": "> 20"}, "must be a number, not a bound"),
        ({"level": "0"}, "level must lie between 0 and 1"),
        ({"level": "200"}, "level must lie between 0 and 1"),
        ({"metric": "r", "estimate": ".2", "r": ".3"}, "give r once"),
        ({}, "needs printed numbers"),
        ({"metric": "r"}, "needs printed numbers"),
    ],
)
def test_what_cannot_be_read_is_refused(printed: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check(printed)


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'estimate'"):
        check(estimat=".2")
    with pytest.raises(UnknownNameError, match="unknown metric 'R'"):
        check(metric="R", estimate=".2")


def test_what_is_printed_may_come_in_several_shapes() -> None:
    printed = {"z": "2.31", "p_value": ".021", "n": None, "k": "", "i2": float("nan"), "tau2": pd.NA}
    shapes: list[Any] = [printed, pd.Series(printed, dtype=object), pd.DataFrame([printed])]
    frames = [check(one).to_frame() for one in shapes] + [check({"z": "2.31"}, p_value=".021").to_frame()]
    for frame in frames[1:]:
        pd.testing.assert_frame_equal(frame, frames[0])
    with pytest.raises(InputError, match="'z' given twice"):
        check({"z": "2.31"}, z="2.3")
    with pytest.raises(InputError, match="this has 2: use check_table"):
        check(pd.DataFrame([printed, printed]))
    with pytest.raises(InputError, match="not list"):
        check([1.0])  # type: ignore[arg-type]


def test_numbers_are_taken_with_the_decimals_they_show() -> None:
    assert check(z=2.31, p_value=0.021, k=np.int64(3), n=40.0).ok
    assert not check(z="2.40", p_value=".0183").ok  # two-sided .01640; 2.395 to 2.405 give .0162 to .0166
    assert check(z=2.4, p_value=0.0183).ok  # 2.35 to 2.45 give .0143 to .0188


# --- each identity, at hand-made numbers ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identity", "right", "wrong"),
    [
        ("r_and_d", {"r": ".278", "d": ".579"}, {"d": ".582"}),  # 2 x .2785 / sqrt(1 - .2785^2) = .5799
        ("variance_share", {"r": ".22", "variance_share": "4.8%"}, {"variance_share": "5.2%"}),  # .225^2 = .0506
        ("variance_share", {"d": "1.00", "variance_share": ".20"}, {"variance_share": ".22"}),  # d = 1: r^2 = 1 / 5
        ("nnt", {"d": ".50", "nnt": "3.6"}, {"nnt": "5.0"}),  # 1 / erf(.25) = 3.62; 1 / r = 4.12
        ("nnt", {"r": ".25", "nnt": "4"}, {"nnt": "6"}),
        ("interval_in_order", {"ci_low": ".1", "ci_high": ".3"}, {"ci_high": "-.1"}),
        ("interval_holds_estimate", {"estimate": ".24", "ci_low": ".12", "ci_high": ".36"}, {"estimate": ".38"}),
        ("interval_symmetric", {"estimate": ".50", "ci_low": ".30", "ci_high": ".70"}, {"estimate": ".55"}),
        (
            "interval_and_std_error",
            {"estimate": ".50", "ci_low": ".304", "ci_high": ".696", "std_error": ".100", "metric": "d"},
            {"std_error": ".110"},
        ),
        ("interval_and_z", {"ci_low": ".304", "ci_high": ".696", "z": "5.00", "metric": "d"}, {"z": "4.90"}),
        (
            "interval_and_t",  # t(10) at .975 is 2.228
            {"ci_low": ".277", "ci_high": ".723", "t": "5.00", "df": "10", "metric": "d"},
            {"df": "40"},
        ),
        ("interval_and_p", {"ci_low": "-.01", "ci_high": ".50", "p_value": ".06"}, {"p_value": ".02"}),
        ("z_and_p", {"z": "2.31", "p_value": ".021"}, {"p_value": ".031"}),
        ("t_and_p", {"t": "2.31", "df": "15", "p_value": ".035"}, {"p_value": ".021"}),
        ("std_error_and_z", {"estimate": ".50", "std_error": ".100", "z": "5.00", "metric": "d"}, {"z": "4.90"}),
        ("std_error_and_t", {"estimate": ".50", "std_error": ".100", "t": "5.00", "metric": "d"}, {"t": "4.90"}),
        (
            "std_error_and_p",
            {"estimate": ".50", "std_error": ".250", "p_value": ".046", "metric": "d"},
            {"p_value": ".035"},
        ),
        (
            "prediction_symmetric",
            {"estimate": ".50", "pi_low": ".10", "pi_high": ".90", "metric": "d"},
            {"pi_low": ".02"},
        ),
        ("q_df_and_k", {"q_df": "54", "k": "55"}, {"k": "54"}),
        ("q_and_p", {"q_statistic": "36.47", "k": "29", "q_p_value": ".131"}, {"q_p_value": ".151"}),
        ("i2_and_q", {"q_statistic": "36.47", "k": "29", "i2": "23.2"}, {"i2": "32.2"}),
        ("h2_and_q", {"q_statistic": "36.47", "k": "29", "h2": "1.30"}, {"h2": "1.50"}),
        ("h2_and_i2", {"h2": "2.00", "i2": "50.0"}, {"i2": "60.0"}),
        ("std_error_and_tau2", {"std_error": ".10", "tau2": ".04", "k": "10", "metric": "d"}, {"tau2": ".40"}),
        (
            "interval_and_tau2",
            {"ci_low": ".304", "ci_high": ".696", "tau2": ".04", "k": "10", "metric": "d"},
            {"tau2": ".40"},
        ),
        (
            "prediction_and_tau2",  # 1.96 sqrt(.04 + .01) = .438
            {
                "estimate": ".50",
                "pi_low": ".062",
                "pi_high": ".938",
                "std_error": ".100",
                "tau2": ".040",
                "metric": "d",
            },
            {"tau2": ".080"},
        ),
        ("std_error_and_n", {"metric": "z", "std_error": ".050", "n": "460", "k": "20"}, {"n": "400"}),
        ("interval_and_n", {"metric": "d", "ci_low": ".10", "ci_high": ".50", "n": "800", "k": "20"}, {"n": "150"}),
        ("interval_and_n", {"metric": "OR", "ci_low": "1.5", "ci_high": "2.5", "n": "1000", "k": "9"}, {"n": "300"}),
        ("n_and_k", {"metric": "r", "n": "64", "k": "16"}, {"n": "63"}),
        ("k_and_k_studies", {"k": "26", "k_studies": "24"}, {"k_studies": "27"}),
    ],
)
def test_each_identity_tells_right_numbers_from_wrong_ones(
    identity: str, right: dict[str, str], wrong: dict[str, str]
) -> None:
    good, bad = check(right).of(identity), check({**right, **wrong}).of(identity)
    assert good.verdict == "consistent", good.sentence
    assert bad.verdict == "inconsistent", bad.sentence
    assert set(good.quantities) <= {*right, "r", "d"}
    assert bad.sentence.endswith(".")


def test_every_identity_is_tried_above_and_described() -> None:
    table = identities()
    assert table["identity"].is_unique
    assert (table["about"].str.len() > 8).all()
    marks = test_each_identity_tells_right_numbers_from_wrong_ones.pytestmark  # type: ignore[attr-defined]
    assert set(table["identity"]) == {case[0] for case in marks[0].args[1]}
    named = set(quantities()["quantity"])
    for one in IDENTITIES:
        assert {*one.target, *one.helps, *(name for needs in one.needs for name in needs)} <= named


def test_bounds_for_p_values_are_taken_as_such() -> None:
    assert verdicts(z="3.50", p_value="< .001")["z_and_p"] == "consistent"
    assert verdicts(z="2.50", p_value="< .001")["z_and_p"] == "inconsistent"
    assert verdicts(z="1.20", p_value="ns")["z_and_p"] == "consistent"
    assert verdicts(z="2.20", p_value="ns", tails="2")["z_and_p"] == "inconsistent"
    assert verdicts(z="9.00", p_value=".000")["z_and_p"] == "consistent"


def test_tails_are_part_of_the_answer_or_of_the_question() -> None:
    one = check(z="1.70", p_value=".045").of("z_and_p")
    assert (one.verdict, one.reading) == ("consistent", ("one-sided",))
    assert verdicts(z="1.70", p_value=".045", tails="2")["z_and_p"] == "inconsistent"
    assert verdicts(z="1.70", p_value=".045", tails=1)["z_and_p"] == "consistent"


def test_the_scale_that_fits_is_part_of_the_answer() -> None:
    z = np.arctanh(0.7)
    low, high = np.tanh([z - 0.3, z + 0.3])
    fisher = check(metric="r", estimate=".700", ci_low=f"{low:.3f}", ci_high=f"{high:.3f}").of("interval_symmetric")
    assert fisher.reading == ("Fisher's z",)
    itself = check(metric="r", estimate=".700", ci_low=".500", ci_high=".900").of("interval_symmetric")
    assert itself.reading == ("r itself",)
    log = check(estimate="2.00", ci_low="1.00", ci_high="4.00").of("interval_symmetric")
    assert log.reading == ("its logarithm",)


def test_an_interval_by_t_fits_its_standard_error_only_by_t() -> None:
    half = 0.10 * stats.t.ppf(0.975, 7)
    printed = {"metric": "d", "estimate": ".500", "ci_low": f"{0.5 - half:.3f}", "ci_high": f"{0.5 + half:.3f}"}
    by_k = check(printed, std_error=".100", k="8").of("interval_and_std_error")
    assert (by_k.verdict, by_k.reading) == ("consistent", ("t(k − 1)",))
    assert check(printed, std_error=".100", df="7").of("interval_and_std_error").verdict == "consistent"
    assert check(printed, std_error=".100", z="5.00").of("interval_and_std_error").verdict == "inconsistent"


def test_small_slips_are_suggested() -> None:
    cut = check(r=".26", d=".56").of("r_and_d")
    assert "decimals were cut off" in cut.hint  # .2699 gives .5606
    level = check(metric="d", ci_low=".336", ci_high=".664", z="5.00").of("interval_and_z")
    assert level.hint == "It fits a 90% interval."
    sign = check(r=".28", d="-.58").of("r_and_d")
    assert sign.hint == "It fits with the other sign."


def test_levels_count() -> None:
    half = 0.1 * stats.norm.ppf(0.95)
    printed = {"metric": "d", "ci_low": f"{0.5 - half:.3f}", "ci_high": f"{0.5 + half:.3f}", "z": "5.00"}
    for level in ("90%", "90", ".90", 0.9):
        assert check(printed, level=level).of("interval_and_z").verdict == "consistent"
    assert check(printed).notes == ("The interval is taken as 95%: no level is given.",)


def test_i2_may_be_a_proportion() -> None:
    one = check(q_statistic="36.47", k="29", i2=".23").of("i2_and_q")
    assert (one.verdict, one.reading) == ("consistent", ("I² as a proportion",))
    assert verdicts(q_statistic="20", k="29", i2="0%")["i2_and_q"] == "consistent"


def test_impossible_numbers_are_found_and_held_against_nothing() -> None:
    found = check(metric="r", estimate="1.20", d=".5", p_value="1.4", i2="-3", z="2.0")
    assert [one.identity for one in found.checks] == ["possible"] * 3
    assert found.checks[0].sentence == "r = 1.20 is impossible: it can be −1 to 1."
    assert not found.ok
    assert "r_and_d" in found.not_checkable


def test_bounds_that_are_swapped_are_found_once() -> None:
    found = check(metric="d", estimate=".50", ci_low=".70", ci_high=".30", z="4.9")
    assert [one.identity for one in found.inconsistent] == ["interval_in_order"]


def test_bounds_on_precision_are_not_asked_of_t_tests_or_open_numbers() -> None:
    printed = {"metric": "z", "estimate": ".30", "ci_low": ".29", "ci_high": ".31", "k": "20"}
    assert verdicts(**printed, n="400")["interval_and_n"] == "inconsistent"
    for more in ({"n": "400", "t": "60"}, {"n": "400", "df": "19"}, {"n": "> 400"}):
        assert "no bound" in check({**printed, **more}).not_checkable["interval_and_n"]
    assert verdicts(**printed, n="400", k_studies="5")["interval_and_n"] == "inconsistent"


def test_numbers_without_partners_are_not_checkable_and_no_failure() -> None:
    found = check(z="6.54")
    assert found.ok
    assert not found.checks
    assert set(found.not_checkable) == set(identities()["identity"])
    assert found.not_checkable["z_and_p"] == "not printed: p_value"
    assert found.sentence == "Too few numbers are printed to hold any against another."
    assert "Nothing could be checked" in str(found)
    with pytest.raises(UnknownNameError, match="checked identity"):
        found.of("z_and_p")


def test_the_corners_of_a_strip() -> None:
    """Bounds 0 to 1 and 2 to 3, middle 1.2 to 1.4: sizes from 1.2 / 1.5 (at 0 and 2.4 half 1.2) by hand."""
    found = statistic(Range(0.0, 1.0), Range(2.0, 3.0), Range(1.2, 1.4))
    assert found is not None
    # Most: middle 1.4 with the narrowest half, bounds .8 and 2 or 1 and 1.8: the last is outside, so half .6.
    assert found.high == pytest.approx(1.4 / 0.6)
    # Least: middle 1.2 with the widest half, bounds 0 and 2.4: half 1.2.
    assert found.low == pytest.approx(1.2 / 1.2)
    assert statistic(Range(0.0, 1.0), Range(2.0, 3.0), Range(5.0, 6.0)) is None


@pytest.mark.parametrize(
    "printed",
    [
        # Bounds with different decimals, which look swapped and are not: .036 to .349.
        {"metric": "r", "estimate": "0.2", "ci_low": "0.0363", "ci_high": "0", "level": ".8", "std_error": "0.1280"},
        # A t interval with 1 degree of freedom: Fisher's z within 68 of 0, which is 1 to every decimal.
        {"metric": "r", "estimate": "-.352", "ci_low": "-1.000", "ci_high": "1.00", "std_error": "1.065", "df": "1"},
        # Odds ratios whose lower bound is 0 to two decimals.
        {"metric": "OR", "estimate": "2.030", "ci_low": "0.00", "ci_high": "3462.4", "std_error": ".59", "df": "1"},
        {"estimate": "2.030", "ci_low": "0.00", "ci_high": "3462.4", "std_error": ".59", "t": "1.21", "df": "1"},
        # Correlations pooled as they are: an upper bound above 1.
        {"metric": "r", "estimate": ".80", "ci_low": ".50", "ci_high": "1.10", "z": "5.2"},
    ],
)
def test_numbers_at_the_ends_of_their_scales(printed: dict[str, str]) -> None:
    found = check(printed)
    assert found.ok, str(found)
    assert len(found.checks) >= 4


# --- printed numbers of the field ----------------------------------------------------------------------------------


def test_the_interval_of_igra_cannot_belong_to_its_estimate(published: ConsistencyTable) -> None:
    found = published.rows["igra2020-overall"]
    assert {one.identity for one in found.inconsistent} == {"interval_holds_estimate", "interval_symmetric"}
    one = found.of("interval_symmetric")
    assert (one.allowed_low, one.allowed_high) == pytest.approx((0.6775, 0.7325))
    with_q = check(metric="d", estimate="-.46", ci_low=".31", ci_high="1.1", k="22", q_statistic="94.96", i2="77.9")
    assert with_q.of("i2_and_q").verdict == "consistent"  # Q and k as printed; I2 computed from them here


def test_kolden_is_consistent(published: ConsistencyTable) -> None:
    found = published.rows["kolden2011-overall"]
    assert found.ok
    assert found.of("interval_symmetric").reading == ("Fisher's z", "r itself")
    assert {"interval_and_n", "n_and_k", "k_and_k_studies"} <= {one.identity for one in found.checks}


def test_the_z_that_two_articles_on_cohesion_print(published: ConsistencyTable) -> None:
    """z = 6.54 fits r = .25 [.17, .32] of 2011. The abstract of 2018 prints it too, with r = .26, d = .56, Q and I2."""
    old = check(metric="r", estimate=".25", ci_low=".17", ci_high=".32", k="40", n="3323", z="6.54")
    assert old.ok
    assert old.of("interval_and_z").verdict == "consistent"
    new = check(metric="r", estimate=".26", d=".56", k="55", q_statistic="260.84", q_df="54", i2="79.3%", z="6.54")
    assert [one.identity for one in new.inconsistent] == ["r_and_d"]
    assert published.rows["burlingame2018-overall"].of("r_and_d").verdict == "inconsistent"


def test_the_z_statistics_of_couple_and_family_therapy() -> None:
    """Friedlander et al. (2011), whose z statistics stand in the article's results: one of three does not fit."""
    both = check(metric="r", estimate=".26", ci_low=".20", ci_high=".33", z="8.13", k="24", n="1416")
    couple = check(metric="r", estimate=".37", ci_low=".25", ci_high=".48", z="6.16", k="7", n="335")
    assert both.ok
    assert couple.ok
    family = check(metric="r", estimate=".24", ci_low=".16", ci_high=".30", z="6.55", k="17", n="1081")
    assert [one.identity for one in family.inconsistent] == ["interval_and_z"]
    # r of .235 to .236 is all that is in the middle of .155-.165 and .295-.305; on Fisher's z it gives 6.20 to 6.43.
    assert "decimals were cut off" in family.inconsistent[0].hint


def test_heterogeneity_of_printed_abstracts() -> None:
    assert check(q_statistic="36.47", q_df="28", k="29", i2="23.2%").ok  # Alldredge et al. (2021)
    assert check(q_statistic="260.84", q_df="54", k="55", i2="79.3").ok  # Burlingame et al. (2018)
    assert check(q_statistic="6.10", q_df="16", k="17").ok  # Diener and Monroe (2011)


def test_the_whole_data_set(published: ConsistencyTable) -> None:
    """Every row that is inconsistent is known, and its note or its reproduction says so."""
    found = published.inconsistent
    assert sorted(set(found["row"])) == [
        "benish2011-heterogeneous-controls",
        "burlingame2018-overall",
        "gelso2018-overall",
        "igra2020-overall",
        "levy2011-anxiety",
        "levy2011-avoidance",
        "levy2011-security",
    ]
    counts = published.counts.set_index("identity").T
    assert list(counts["r_and_d"]) == [15, 2]
    assert list(counts["interval_symmetric"]) == [52, 2]
    assert counts.to_numpy().sum() == len(published.to_frame())
    restating = am.datasets.load("relationship_meta_analyses").frame["restates"].ne("")
    assert len(published.rows) == int((~restating).sum())
    assert published.rows["fluckiger2018-overall"].of("r_and_d").verdict == "consistent"
    assert published.rows["martin2000-overall"].of("variance_share").verdict == "consistent"
    welmers = published.rows["welmers2018-change"].of("interval_and_std_error")
    assert welmers.verdict == "consistent"


def test_a_data_set_of_other_columns_is_refused() -> None:
    with pytest.raises(InputError, match="the data set lacks"):
        check_dataset(am.datasets.load("kolden2011"))


# --- tables --------------------------------------------------------------------------------------------------------

TABLE = pd.DataFrame(
    {
        "study": ["A", "B", "C"],
        "mean_r": [".24", ".31", ""],
        "ci_low": [".12", ".20", None],
        "ci_high": [".36", ".52", None],
        "z": ["3.8", "2.1", "1.0"],
        "doi": ["10.1/a", "10.1/b", "10.1/c"],
    }
)


def test_a_table_is_checked_row_by_row() -> None:
    found = check_table(TABLE, label="study", columns={"estimate": "mean_r"})
    assert list(found.rows) == ["A", "B", "C"]
    alone = check(estimate=".31", ci_low=".20", ci_high=".52", z="2.1").to_frame()
    frame = found.to_frame()
    pd.testing.assert_frame_equal(frame[frame["row"] == "B"].drop(columns="row").reset_index(drop=True), alone)
    assert not found.ok
    assert set(found.inconsistent["row"]) == {"B"}
    assert "2 of 3 analyses could be checked, 1 inconsistent: B" in found.sentence
    assert found.notes == ()


def test_a_table_of_floats_says_what_it_has_lost() -> None:
    found = check_table(pd.DataFrame({"z": [2.4, 1.0], "p_value": [0.016, 0.32], "k": [3, 4]}))
    assert list(found.rows) == ["0", "1"]
    assert found.ok
    assert found.notes == ("Numbers, not text, in 'z' and 'p_value': zeros at their ends are lost.",)


def test_a_data_set_is_read_with_its_printed_decimals() -> None:
    data = am.datasets.load("farber_doolin2011")
    found = check_table(data, label="effect_id", columns={"n": "n"})
    assert len(found.rows) == len(data.index)
    assert found.to_frame().empty
    assert found.inconsistent.empty
    assert found.counts.empty
    assert found.ok
    assert "Nothing is inconsistent" in str(found)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label": "nobody"}, "unknown column"),
        ({"columns": {"estimate": "nobody"}}, "unknown column"),
        ({"columns": {"effect": "mean_r"}}, "unknown quantity"),
    ],
)
def test_unknown_columns_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        check_table(TABLE, **options)


def test_tables_that_cannot_be_checked_are_refused() -> None:
    with pytest.raises(InputError, match="stand twice: 'A'"):
        check_table(pd.DataFrame({"study": ["A", "A"], "z": ["1", "2"]}), label="study")
    with pytest.raises(InputError, match="no column that can be checked"):
        check_table(pd.DataFrame({"study": ["A"]}))
    with pytest.raises(InputError, match="B: z = 'x' is no number"):
        check_table(pd.DataFrame({"z": ["1", "x"]}, index=["A", "B"]))
    with pytest.raises(InputError, match="not dict"):
        check_table({"z": ["1"]})  # type: ignore[arg-type]


# --- what is printed -----------------------------------------------------------------------------------------------


def test_what_a_check_shows() -> None:
    found = check(metric="r", estimate=".26", d=".56", k="55", q_statistic="260.84", i2="79.3%")
    assert repr(found) == "<ConsistencyCheck: 2 identities checked, 1 inconsistent>"
    text = str(found)
    assert "d = .56 does not fit: r = .26 allows 0.527 to 0.550." in " ".join(text.split())
    assert "1 of 2 identities cannot hold" in text
    assert list(found.to_frame().columns)[:3] == ["identity", "verdict", "printed"]
    assert "<table" in found._repr_html_()
    assert found.to_markdown().startswith("**Consistency of printed numbers**")
    right = check(q_statistic="36.47", k="29", i2="23.2%")
    assert right.sentence == (
        "1 identity could be checked, and agrees with the printed numbers within their rounding; numbers that agree "
        "may still be wrong together."
    )
    assert isinstance(right, ConsistencyCheck)


def test_what_a_table_shows(published: ConsistencyTable) -> None:
    assert repr(published) == f"<ConsistencyTable: {published.headline}>"
    assert "igra2020-overall" in str(published)
    assert "<table" in published._repr_html_()
    assert "| igra2020-overall |" in published.to_markdown()


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.235, 0.245, "0.235 to 0.245"),
        (0.0335, math.inf, "at least 0.0335"),
        (64.0, math.inf, "at least 64"),
        (-math.inf, 0.001, "at most 0.00100"),
        (-math.inf, math.inf, "any number"),
        (0.0, 0.0, "0"),
        (1.0, 26.0, "1 to 26"),
        (-1.149, -0.46, "−1.149 to −0.460"),
        (1e-7, 2e-7, "1.0e-07 to 2.0e-07"),
    ],
)
def test_ranges_as_prose(low: float, high: float, words: str) -> None:
    assert Range(low, high).words() == words
