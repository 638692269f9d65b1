"""`audit()`: what its checks say in different situations, what it gives back, and that right tables pass."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from alliance_meta import datasets
from alliance_meta.auditing import Audit, audit
from alliance_meta.auditing._outlying import leave_one_out
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.stats.tau2 import tau2_dl
from alliance_meta.stats.weighted import weighted_mean
from alliance_meta.studies import ROLES, StudyTable

INF, NAN = math.inf, math.nan
ROUNDED = {"t": ["2.31"], "df": [40]}  # 2.305 to 2.315 with 40 df: p from .02644 to .02583 (scipy)


def found(table: dict[str, Any], check: str) -> pd.DataFrame:
    result = audit(pd.DataFrame(table))
    ran = result.checks.set_index("check").loc[check]
    assert ran["ran"], ran["why_not"]
    findings = result.findings
    return findings[findings["check"] == check]


# What one check says in different situations


@pytest.mark.parametrize(
    ("cell", "advice"),
    [
        ("< .05", "An inequality is no number"),
        ("12%", "Divide the percentage by 100"),
        ("−.30", "Write the minus sign as a plain hyphen"),
        ("0,30", "Write a decimal point"),
        ("0.30*", "Leave the mark after the number out"),
        (True, "Correct the cell"),
        ([0.3], "Correct the cell"),
        ("1_000", "Correct the cell"),
    ],
)
def test_what_is_no_number_gets_its_own_advice(cell: object, advice: str) -> None:
    one = found({"p": pd.Series([cell], dtype=object)}, "not_a_number").iloc[0]
    assert str(cell) in one["seen"]
    assert one["advice"].startswith(advice)


@pytest.mark.parametrize("cell", ["0.30", Decimal("0.30"), np.float32(0.3), 0.3, " .30 "])
def test_numbers_of_every_kind_are_read(cell: object) -> None:
    table = {"r": pd.Series([cell], dtype=object), "n": [30]}
    assert audit(pd.DataFrame(table)).findings["seen"].tolist() == []


@pytest.mark.parametrize(
    ("p", "tails", "severity", "seen"),
    [
        ("0.013", None, "warning", "it is right with 1 tail$"),  # half of .02613
        ("0.026", 1, "warning", "it is right with 2 tails$"),
        ("0.013", 1, None, ""),
        ("0.987", 1, None, ""),  # the other tail: 1 - .013
        ("0.05", None, "warning", "0.02583 to 0.02644$"),  # as if "p < .05" had been entered
        ("0.025", None, "warning", "its decimals may have been cut off$"),  # .02583 cut after three decimals
        ("0.0001", None, "error", "0.02583 to 0.02644$"),  # p < .0001 it is not
    ],
)
def test_a_p_value_off_by_habit_is_a_warning(p: str, tails: int | None, severity: str | None, seen: str) -> None:
    rows = found({**ROUNDED, "p": [p], "tails": [tails]}, "p_and_t")
    assert rows["severity"].tolist() == ([severity] if severity else [])
    assert all(re.search(seen, text) for text in rows["seen"])


@pytest.mark.parametrize(
    ("d", "severity", "seen"),
    [
        ("0.730", None, ""),  # 2.31 * sqrt(1 / 10 + 1 / 40) = .817; 2 * 2.31 / sqrt(48) = .667
        ("0.817", None, ""),
        ("0.667", "note", "it fits 2 t / sqrt"),
        ("0.804", "note", "it fits Hedges' g"),  # .817 * .9843, the correction with 48 df
        ("0.900", "warning", "give"),
    ],
)
def test_a_d_by_another_formula_is_a_note(d: str, severity: str | None, seen: str) -> None:
    rows = found({"t": ["2.31"], "n1": [10], "n2": [40], "d": [d]}, "d_and_t")
    expected = [severity] if severity else [] if d == "0.817" else ["warning"]
    assert rows["severity"].tolist() == expected
    assert all(seen in text for text in rows["seen"])


def test_a_row_is_whole_by_any_set_of_columns() -> None:
    table = {"r": [0.3, None, None, None], "n": [None, None, 30, 30], "g": [None, 0.4, 0.4, None]}
    rows = found({**table, "n1": [15, 15, None, None], "n2": [15, 15, None, None]}, "row_incomplete")
    assert rows[["row", "seen"]].to_numpy().tolist() == [[3, "r missing of r, n: no effect size"]]


def test_people_in_neither_group_are_a_warning() -> None:
    rows = found({"n": [60], "n1": [20], "n2": [21]}, "groups_and_n")
    assert rows[["severity", "seen"]].to_numpy().tolist() == [
        ["warning", "n1 = 20, n2 = 21, n = 60: 19 people are in neither group"]
    ]


@pytest.mark.parametrize(
    ("effect", "low", "high"),
    [
        ("r", "0.29", "0.66"),  # tanh(.549 -+ 1.96 / sqrt(65 - 3)): .292 to .663, about .50 on Fisher's z only
        ("odds_ratio", "0.25", "1.00"),  # 2 times .5, and .5 divided by 2
    ],
)
def test_an_interval_may_be_symmetric_on_the_scale_of_its_effect(effect: str, low: str, high: str) -> None:
    rows = found({effect: ["0.50"], "ci_low": [low], "ci_high": [high]}, "interval_not_symmetric")
    assert rows["seen"].tolist() == []
    bounds = {"g": ["0.50"], "ci_low": [low], "ci_high": [high]}
    assert len(found(bounds, "interval_not_symmetric")) == 1


def test_df_of_an_f_is_not_taken_for_that_of_t() -> None:
    # t(40) = 2.31 and F(1, 40) = 5.34 are one test: p = .026, r = .34
    table = {"t": ["2.31"], "f": ["5.34"], "df": [1], "df2": [40], "p": ["0.026"], "r": ["0.34"]}
    assert audit(pd.DataFrame(table)).findings["check"].tolist() == []


def test_pairs_that_chance_explains_are_one_note() -> None:
    generator = np.random.default_rng(3)
    k = 400  # 79,800 pairs; with 20 sizes and 10 effects, about 1 in 200 shares both
    table = {"n": generator.integers(20, 40, k), "r": generator.integers(1, 11, k) / 100.0}
    rows = found({**table, "study": [f"s{i}" for i in range(k)]}, "sample_counted_twice")
    assert rows["severity"].tolist() == ["note"]
    assert "by chance" in rows["seen"].iloc[0]


def test_a_direction_turns_the_sign_before_signs_are_compared() -> None:
    table = {"r": [0.3] * 9 + [-0.3], "n": [103] * 10}
    assert len(found(table, "sign_flipped")) == 1
    assert len(found({**table, "direction": [1] * 9 + [-1]}, "sign_flipped")) == 0


# Leaving one out


def test_leaving_one_out_is_a_fit_of_all_the_others() -> None:
    generator = np.random.default_rng(1)
    y, v = generator.normal(0.3, 0.3, 12), generator.uniform(0.01, 0.1, 12)
    mean, error = leave_one_out(y, v)
    for i in range(12):
        rest = np.arange(12) != i
        tau2 = tau2_dl(y[rest], v[rest]).estimate
        fit = weighted_mean(y[rest], v[rest], tau2)
        assert mean[i] == pytest.approx(fit.estimate)
        assert error[i] == pytest.approx(math.sqrt(v[i] + tau2 + fit.std_error**2))


def test_beyond_a_thousand_effects_tau2_is_estimated_once() -> None:
    generator = np.random.default_rng(2)
    y, v = generator.normal(0.3, 0.3, 1001), generator.uniform(0.01, 0.1, 1001)
    mean, error = leave_one_out(y, v)
    tau2 = tau2_dl(y, v).estimate
    fit = weighted_mean(y[1:], v[1:], tau2)
    assert mean[0] == pytest.approx(fit.estimate)
    assert error[0] == pytest.approx(math.sqrt(v[0] + tau2 + fit.std_error**2))
    exact = leave_one_out(y[:1000], v[:1000])
    assert np.abs(mean[:1000] - exact[0]).max() < 0.003  # one effect more or less in a thousand moves nothing


# The result


CLEAN = pd.DataFrame(
    {
        "effect_id": ["a", "b", "c", "d", "e"],
        "study": ["a", "b", "c", "d", "e"],
        "label": ["Ay (1991)", "Bee (1992)", "Cee (1993)", "Dee (1994)", "Ee (1995)"],
        "year": [1991, 1992, 1993, 1994, 1995],
        "r": [0.3, 0.21, 0.25, 0.4, 0.1],
        "n": [50, 61, 83, 40, 102],
    },
    index=[f"row {i}" for i in range(5)],
)


def test_a_clean_table_gives_nothing() -> None:
    result = audit(CLEAN)
    assert (result.ok, result.counts) == (True, {"error": 0, "warning": 0, "note": 0})
    assert repr(result) == "<Audit of 5 rows: 0 errors, 0 warnings, 0 notes>"
    assert "Nothing was found." in str(result)
    assert "Nothing was found." in result._repr_html_()
    columns = ["row", "effect_id", "label", "check", "severity", "seen", "advice"]
    assert result.findings.columns.tolist() == columns


def test_findings_are_named_counted_and_sorted() -> None:
    result = audit(CLEAN.assign(r=[0.95, 0.21, 30.0, 0.4, NAN], n=[50, 61, 83, 3, 102]))
    assert result.findings["severity"].tolist() == ["error", "error", "warning", "warning", "note"]
    assert result.findings["row"].tolist() == ["row 2", "row 3", "row 0", "row 4", "row 4"]
    assert result.findings["effect_id"].tolist() == ["c", "d", "a", "e", "e"]
    assert result.findings["label"].tolist()[:2] == ["Cee (1993)", "Dee (1994)"]
    assert (result.ok, result.counts) == (False, {"error": 2, "warning": 2, "note": 1})
    assert result.checks["found"].sum() == 5
    for view in (str(result), result._repr_html_()):
        assert "Audit of 5 rows: 2 errors, 2 warnings, 1 note" in view
        assert "r = 30, but a correlation lies between -1 and 1" in " ".join(view.split())


def test_checks_say_why_they_did_not_run() -> None:
    checks = audit(CLEAN.head(4)).checks.set_index("check")
    assert checks.columns.tolist() == ["family", "about", "ran", "why_not", "found"]
    assert checks.loc["p_and_t", "why_not"] == "needs p, t, df"
    assert checks.loc["effect_outlying", "why_not"] == "needs 5 rows with an effect and its n or variance, has 4"
    assert checks.loc["rechecked_differs", "why_not"] == "needs a column and its twin named .._rechecked"
    assert (checks["ran"] == (checks["why_not"] == "")).all()
    assert checks["about"].str.len().between(8, 150).all()


def test_nasty_names_are_escaped_and_stay_in_their_line() -> None:
    nasty = "<script>alert('x')</script>\n| **b** & $x$ \u200b"
    result = audit(CLEAN.assign(effect_id=[nasty, *"bcde"], label=nasty, study=nasty, r=[2.0, *[0.1] * 4]))
    assert "<script>" not in result._repr_html_()
    assert "&lt;script&gt;" in result._repr_html_()
    assert not any(line.startswith("| **b**") for line in str(result).splitlines())


def test_long_lists_are_cut_and_say_so() -> None:
    result = audit(pd.DataFrame({"r": [2.0] * 50}))
    assert "and 11 more: see .findings" in str(result)  # 50 errors and one note of identical rows, 40 shown
    assert "50 rows hold the same cells: 0, 1, 2, 3, 4, 5 and 44 more" in result.findings["seen"].tolist()


def test_a_caveat_is_carried() -> None:
    table = StudyTable(_frame=CLEAN, roles={"r": "r", "n": "n"}, caveat="Simulated data.")
    result = audit(table)
    assert result.caveat == "Simulated data."
    for view in (repr(result), str(result), result._repr_html_()):
        assert "Simulated data." in view


def test_the_table_and_the_result_cannot_be_changed() -> None:
    frame = CLEAN.assign(r=pd.Series(["0.3 ", None, "x", INF, True], index=CLEAN.index, dtype=object))
    before = frame.copy(deep=True)
    result = audit(frame)
    pd.testing.assert_frame_equal(frame, before)
    findings = result.findings
    findings.loc[:, "severity"] = "note"
    assert result.counts["error"] == 3  # "x", infinity and true


def test_roles_are_given_by_column_or_array() -> None:
    frame = pd.DataFrame({"who": ["A", "B"], "corr": [0.3, 3.0]})
    assert audit(frame, r="corr", n=[30, 3]).findings["check"].tolist() == ["correlation_beyond_1", "n_too_small"]
    assert audit(r=[0.3, 3.0], n=[30, 40]).findings["row"].tolist() == [1]


@pytest.mark.parametrize(
    ("data", "roles", "error", "match"),
    [
        (CLEAN, {"R": "r"}, UnknownNameError, r"^unknown role 'R'\. Did you mean 'r'\?"),
        (CLEAN, {"r": "corr"}, UnknownNameError, r"^unknown column for 'r' 'corr'"),
        ([1, 2], {}, InputError, r"^data must be a pandas DataFrame or a data set, not list"),
        (CLEAN.head(0), {}, InputError, r"^the table of studies has no rows"),
        (CLEAN, {"n": [1, 2]}, InputError, r"^n has 2 values, but the table has 5 rows$"),
    ],
)
def test_a_call_that_cannot_be_answered_is_refused(data: Any, roles: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        audit(data, **roles)


# Printed decimals


def test_a_data_set_is_held_to_its_printed_decimals() -> None:
    dataset = datasets.load("relationship_meta_analyses")
    column = dict(zip(dataset.table["effect_id"], dataset.printed("estimate"), strict=True))
    assert column["levy2011-anxiety"] == "-0.460" == dataset.cell("levy2011-anxiety", "estimate")  # as in its file
    assert dataset.printed("ci_low").count("") == dataset.table["ci_low"].isna().sum()


def test_a_table_is_printed_as_short_as_it_can_be() -> None:
    cells = pd.Series([0.30, 2.0, None, "2.0", Decimal("0.10"), np.float32(0.3), 7], dtype=object)
    table = StudyTable(_frame=pd.DataFrame({"x": cells, "y": [1.0, 0.25, 1e-7, 4, 5, 6, 7]}), roles={})
    assert table.printed("x") == ["0.3", "2", "", "2.0", "0.10", "0.3", "7"]
    assert table.printed("y") == ["1", "0.25", "1e-07", "4", "5", "6", "7"]


# Tables that are right


@st.composite
def right_tables(draw: st.DrawFn) -> pd.DataFrame:
    """Two-group studies whose statistics follow from their means; some empty (not r: the interval is its own)."""
    k = draw(st.integers(1, 8))
    rows = draw(
        st.lists(
            st.tuples(st.integers(3, 400), st.integers(3, 400), st.floats(-1.5, 1.5), st.floats(0.5, 30.0)),
            min_size=k,
            max_size=k,
        )
    )
    n1, n2, mean, sd = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    df = n1 + n2 - 2.0
    mean1, sd1, sd2 = mean * sd, sd, sd * 1.25
    d = mean1 / np.sqrt(((n1 - 1.0) * sd1**2 + (n2 - 1.0) * sd2**2) / df)
    t = d / np.sqrt(1.0 / n1 + 1.0 / n2)
    r = t / np.sqrt(t**2 + df)
    p = 2.0 * stats.t.sf(np.abs(t), df)
    error = 1.0 / np.sqrt(n1 + n2 - 3.0)
    exact = np.exp(special.gammaln(df / 2.0) - special.gammaln((df - 1.0) / 2.0)) / np.sqrt(df / 2.0)
    j = exact if draw(st.booleans()) else 1.0 - 3.0 / (4.0 * df - 1.0)
    low, high = (np.tanh(np.arctanh(r) + side * 1.959964 * error) for side in (-1.0, 1.0))
    numbers = {"mean1": mean1, "mean2": 0.0 * d, "sd1": sd1, "sd2": sd2, "d": d, "g": d * j, "t": t, "r": r, "p": p}
    numbers.update({"f": t**2, "ci_low": low, "ci_high": high}, std_error=error, variance=error**2)
    frame = pd.DataFrame({**numbers, "n1": n1, "n2": n2, "n": n1 + n2, "df": np.ones(k), "df2": df})
    decimals = draw(st.sampled_from([None, 1, 2, 3, 6]))
    written = draw(st.booleans())  # as text, with its zeros, or as a float without them
    for name in numbers:
        if decimals is not None:
            text = [f"{value:.{decimals}f}" for value in frame[name]]
            frame[name] = pd.Series(text if written else [float(one) for one in text], dtype=object)
    for name in draw(st.sets(st.sampled_from([*numbers, "n"]), max_size=4)) - {"r"}:
        frame[name] = frame[name].where(np.array([draw(st.booleans()) for _ in range(k)]))
    return frame


@settings(deadline=None, derandomize=True, max_examples=150)
@given(frame=right_tables())
def test_what_follows_from_the_same_numbers_is_never_a_contradiction(frame: pd.DataFrame) -> None:
    result: Audit = audit(frame)
    families = result.checks.set_index("check")["family"]
    bad = result.findings[result.findings["check"].map(families) == "contradictions"]
    assert bad[["check", "seen"]].to_numpy().tolist() == []
    rounded_away = {"spread_not_positive", "sd_not_positive", "correlation_of_1"}  # .04 with one decimal is 0.0
    assert set(result.findings.loc[result.findings["severity"] == "error", "check"]) <= rounded_away


# Tables that are anything

CELLS: tuple[object, ...] = (
    *(None, NAN, INF, -INF, pd.NA, pd.NaT, True, "", " ", "x", "< .05", "0.30", "1e400", 10**400, 1j, [1, 2], b"x"),
    *(0.0, -0.0, 1.0, -1.0, 0.3, 2.5, 3, 40, 1998, 1e300, -1e300, 1e-300, Decimal("0.10"), np.float32(0.3), "a\nb"),
)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(data=st.data(), k=st.integers(1, 9))
def test_no_cell_makes_the_audit_fail_or_warn(data: st.DataObject, k: int) -> None:
    roles = data.draw(st.lists(st.sampled_from([*ROLES, "year", "r_rechecked", "adjusted"]), min_size=1, unique=True))
    cells = st.lists(st.sampled_from(CELLS), min_size=k, max_size=k)
    frame = pd.DataFrame({role: pd.Series(data.draw(cells), dtype=object) for role in roles})
    result = audit(frame)  # every warning is an error in this suite
    assert len(result.findings) == result.checks["found"].sum() == sum(result.counts.values())
    assert result.findings["row"].isin(frame.index).all()
    for view in (repr(result), str(result), result._repr_html_()):
        assert view
