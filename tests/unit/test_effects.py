"""`effect_sizes()`: what it refuses and how it says so, what it keeps, and the routes of a mean difference."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import pytest

import alliance_meta as am
from alliance_meta import _checks
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.stats import conversions
from alliance_meta.stats.effect_measures import KERNELS, Kernel

INF, NAN = math.inf, math.nan
ROWS = ("first", "second", "third")


@pytest.fixture
def nothing_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let any formula fail the test: input must be refused before a number is made of it."""

    def computed(*_: object) -> NoReturn:
        raise AssertionError("a formula was reached")

    for name in conversions.__all__:
        monkeypatch.setattr(conversions, name, computed)
    for code in KERNELS:
        monkeypatch.setitem(KERNELS, code, Kernel(computed))


def refused(measure: str, columns: dict[str, Any], column: str, rows: tuple[str, ...], match: str) -> InputError:
    """Check that the one error names the column, every row with its cell, and what to do."""
    k = len(next(iter(columns.values())))
    with pytest.raises(InputError, match=match) as caught:
        am.effect_sizes(pd.DataFrame(columns, index=pd.Index(ROWS[:k])), measure=measure)
    error, message = caught.value, str(caught.value)
    assert error.column == column
    assert error.rows == rows
    assert message.startswith(f"column {column!r} ")
    assert [row for row in ROWS if f"{row} (" in message] == list(rows)
    assert message.endswith(".")
    assert "\n" not in message
    return error


R, N, G, V = [0.2, 0.3, 0.4], [20, 30, 40], [0.1, 0.2, 0.3], [0.01, 0.02, 0.03]
ODD = ("first", "third")
NUMBERS = r"must hold numbers: .*\. Correct the cells, or leave those rows out before calling\.$"
FINITE = r"must be finite: .*\. Correct the cells, or leave those rows out\.$"
ABOVE_0 = r"must be greater than 0: .*\. Check whether another column was meant; .* cannot be pooled\.$"
SMD_ABOVE = r"must exceed {} for the variance of a standardized mean difference: .*\. {}\.$"
NO_NAME = r"has empty cells: .*\(empty\).*\. Give every row a name, or leave the column out\.$"

IMPOSSIBLE: dict[str, tuple[str, dict[str, Any], str, tuple[str, ...], str]] = {
    "r beyond 1": (
        "ZCOR",
        {"r": [1.5, 0.3, -40.0], "n": N},
        "r",
        ODD,
        r"beyond -1 or 1, which cannot be: rows first \(1\.5\), third \(-40\.0\)\. .*divided by 100\.$",
    ),
    "r beyond 1, raw": ("COR", {"r": [0.2, 1.0000001, 0.4], "n": N}, "r", ("second",), "beyond -1 or 1.*: row second"),
    "r exactly 1": (
        "ZCOR",
        {"r": [1.0, 0.3, -1.0], "n": N},
        "r",
        ODD,
        r"exactly -1 or 1, whose sampling variance cannot be estimated: .*\. Check them against the article",
    ),
    "r exactly 1, raw": ("COR", {"r": [1, 0.3, -1], "n": N}, "r", ODD, "exactly -1 or 1"),
    "n of 3": (
        "ZCOR",
        {"r": R, "n": [3, 4, 2]},
        "n",
        ODD,
        r"must exceed 3 for Fisher's z: rows first \(3\), third \(2\)\. Leave .* or use measure='COR'\.$",
    ),
    "n negative": ("ZCOR", {"r": R, "n": [0, 30, -40]}, "n", ODD, "must exceed 3 for Fisher's z"),
    "n of 1": (
        "COR",
        {"r": R, "n": [1, 2, 0]},
        "n",
        ODD,
        r"must exceed 1 for the variance of a correlation: .*\. Leave those rows out\.$",
    ),
    "variance": ("GEN", {"effect": G, "variance": [0.0, 0.1, -0.1]}, "variance", ODD, ABOVE_0),
    "std_error": ("GEN", {"effect": G, "std_error": [-0.0, 0.1, -0.1]}, "std_error", ODD, ABOVE_0),
    "n1": (
        "SMD",
        {"g": G, "n1": [0, 9, -1], "n2": N},
        "n1",
        ODD,
        SMD_ABOVE.format(0, "Leave those rows out"),
    ),
    "n2": ("SMD", {"g": G, "n1": N, "n2": [9, 0, 9]}, "n2", ("second",), SMD_ABOVE.format(0, "Leave those rows out")),
    "n of 2 for two groups": (
        "SMD",
        {"g": G, "n": [2, 3, 1]},
        "n",
        ODD,
        SMD_ABOVE.format(2, "Leave those rows out"),
    ),
    "one group size without the other": (
        "SMD",
        {"g": G, "n1": [NAN, 9.0, 9.0], "n2": [9.0, 9.0, 9.0], "n": N},
        "n1",
        ("first",),
        SMD_ABOVE.format(0, "Give both group sizes, or neither and a total N"),
    ),
    "neither group sizes nor a total": (
        "SMD",
        {"g": G, "n1": [NAN, 9.0, NAN], "n2": [NAN, 9.0, NAN], "n": [NAN, 30, 2]},
        "n",
        ODD,
        r"must stand in for missing group sizes: .*\. Give the group sizes or a total N above 2, or leave",
    ),
    "infinite r": ("ZCOR", {"r": [INF, 0.3, -INF], "n": N}, "r", ODD, FINITE),
    "infinite n": ("ZCOR", {"r": R, "n": [INF, 30, INF]}, "n", ODD, FINITE),
    "infinite effect": ("GEN", {"effect": [0.1, -INF, 0.3], "variance": V}, "effect", ("second",), FINITE),
    "infinite variance": ("GEN", {"effect": G, "variance": [INF, 0.2, INF]}, "variance", ODD, FINITE),
    "infinite g": ("SMD", {"g": [INF, 0.2, INF], "n": N}, "g", ODD, FINITE),
    "infinity in words": ("ZCOR", {"r": ["inf", "0.3", "-inf"], "n": N}, "r", ODD, FINITE),
    "words": (
        "ZCOR",
        {"r": ["abc", "0.3", ""], "n": N},
        "r",
        ODD,
        r"must hold numbers: rows first \('abc'\), third \(''\)\. Correct the cells",
    ),
    "decimal comma": ("ZCOR", {"r": ["1,5", 0.3, "0,4"], "n": N}, "r", ODD, NUMBERS),
    "n in words": ("ZCOR", {"r": R, "n": ["many", 30, "few"]}, "n", ODD, NUMBERS),
    "variance in words": ("GEN", {"effect": G, "variance": ["?", "0.2", " "]}, "variance", ODD, NUMBERS),
    "words in a category": ("COR", {"r": R, "n": pd.Categorical(["x", "30", "y"])}, "n", ODD, NUMBERS),
    "not a number, in words": ("ZCOR", {"r": ["nan", "0.3", "NaN"], "n": N}, "r", ODD, NUMBERS),
    "a true among numbers": ("COR", {"r": [0.2, False, 0.4], "n": N}, "r", ("second",), "must hold numbers"),
    "missing r": (
        "ZCOR",
        {"r": [NAN, 0.3, None], "n": N},
        "r",
        ODD,
        r"has empty cells: rows first \(empty\), third \(empty\)\. .*frame\.dropna\(subset=\['r'\]\)\.$",
    ),
    "missing n": ("COR", {"r": R, "n": pd.array([None, 30, None], dtype="Int64")}, "n", ODD, "has empty cells"),
    "missing variance": ("GEN", {"effect": G, "variance": [NAN, 0.2, NAN]}, "variance", ODD, "has empty cells"),
    "missing std_error": ("GEN", {"effect": G, "std_error": [0.1, NAN, 0.3]}, "std_error", ("second",), "empty cells"),
    "missing g": ("SMD", {"g": [NAN, 0.2, NAN], "n": N}, "g", ODD, "has empty cells"),
    "missing n1 without a total": ("SMD", {"g": G, "n1": [NAN, 9, 9], "n2": N}, "n1", ("first",), "has empty cells"),
    "true and false": (
        "ZCOR",
        {"r": [True, False, True], "n": N},
        "r",
        ROWS,
        r"numbers, not true and false: .*\. Turn",
    ),
    "n true and false": ("COR", {"r": R, "n": [True, True, True]}, "n", ROWS, "numbers, not true and false"),
    "true and false of pandas": (
        "GEN",
        {"effect": G, "variance": pd.array([True, True, True], dtype="boolean")},
        "variance",
        ROWS,
        "must hold numbers",
    ),
    "dates": (
        "COR",
        {"r": R, "n": pd.to_datetime(["2001-01-01", "2002-01-01", "2003-01-01"])},
        "n",
        ROWS,
        "must hold numbers",
    ),
    "durations": ("COR", {"r": R, "n": pd.to_timedelta([1, 2, 3], unit="D")}, "n", ROWS, "must hold numbers"),
}


@pytest.mark.usefixtures("nothing_computed")
@pytest.mark.parametrize(("measure", "columns", "column", "rows", "match"), IMPOSSIBLE.values(), ids=[*IMPOSSIBLE])
def test_an_impossible_number_is_refused_with_its_column_rows_and_remedy(
    measure: str, columns: dict[str, Any], column: str, rows: tuple[str, ...], match: str
) -> None:
    refused(measure, columns, column, rows, match)


@pytest.mark.parametrize(
    ("column", "names", "rows", "match"),
    [
        ("effect_id", ["a", "b", "a"], ODD, r"ids that stand more than once: .*'a'.*\. Give each row its own id\.$"),
        ("effect_id", [1, "1", 2], ("first", "second"), "ids that stand more than once"),
        ("effect_id", ["a", None, "b"], ("second",), NO_NAME),
        ("study", [None, "b", None], ODD, NO_NAME),
        ("label", ["a", "b", NAN], ("third",), NO_NAME),
    ],
)
def test_names_must_be_there_and_ids_unique(column: str, names: list[Any], rows: tuple[str, ...], match: str) -> None:
    refused("ZCOR", {"r": R, "n": N, column: names}, column, rows, match)


def test_every_offending_row_is_in_the_error_and_the_first_twenty_in_its_message() -> None:
    frame = pd.DataFrame({"r": [2.0] * 25 + [0.3], "n": [50] * 26}, index=[f"row{i:02}" for i in range(26)])
    with pytest.raises(InputError, match=r"row19 \(2\.0\) and 5 more, all of them in this error's `rows`\. ") as caught:
        am.effect_sizes(frame)
    assert caught.value.rows == tuple(f"row{i:02}" for i in range(25))
    assert "row20" not in str(caught.value)


def test_twenty_rows_are_all_in_the_message() -> None:
    with pytest.raises(InputError, match=r"19 \(2\.0\)\. Correct them") as caught:
        am.effect_sizes(r=[2.0] * 20, n=[50] * 20)
    assert caught.value.rows == tuple(str(i) for i in range(20))


def test_an_error_calls_a_column_what_the_caller_calls_it() -> None:
    frame = pd.DataFrame({"korrelation": [0.1, 1.1], "größe": [20, 30]}, index=[7, 9])
    with pytest.raises(InputError, match=r"^column 'korrelation' .*: row 9 \(1\.1\)\.") as caught:
        am.effect_sizes(frame, r="korrelation", n="größe")
    assert (caught.value.column, caught.value.rows) == ("korrelation", ("9",))


@pytest.mark.parametrize(("measure", "smallest"), [("COR", 2), ("ZCOR", 4)])
def test_the_smallest_sample_that_has_a_variance_is_accepted(measure: str, smallest: int) -> None:
    # By hand: (1 - 0.5**2)**2 / (2 - 1) = 0.5625, and 1 / (4 - 3) = 1.
    effects = am.effect_sizes(measure=measure, r=[0.5], n=[smallest])
    assert effects.variance.tolist() == [{"COR": 0.5625, "ZCOR": 1.0}[measure]]


@pytest.mark.parametrize(
    ("name", "hint"),
    [("zcor", "'ZCOR'"), ("CORR", "'COR'"), ("SMDX", "'SMD'"), ("gen", "'GEN'")],
)
def test_an_unknown_measure_gets_the_nearest_one(name: str, hint: str) -> None:
    message = rf"^unknown measure '{name}'\. Did you mean {hint}\? Known: 'COR', 'UCOR', 'ZCOR', .* and 'GEN'\.$"
    with pytest.raises(UnknownNameError, match=message):
        am.effect_sizes(pd.DataFrame({"r": R, "n": N}), measure=name)


def test_a_measure_like_none_other_gets_no_guess() -> None:
    with pytest.raises(UnknownNameError, match=r"^unknown measure 'xyzzy'\. Known: "):
        am.effect_sizes(pd.DataFrame({"r": R, "n": N}), measure="xyzzy")


def test_an_unknown_column_gets_the_nearest_one() -> None:
    frame = pd.DataFrame({"corr": R, "size": N})
    message = r"^unknown column for 'r' 'cor'\. Did you mean 'corr'\? Known: 'corr' and 'size'\.$"
    with pytest.raises(UnknownNameError, match=message):
        am.effect_sizes(frame, r="cor", n="size")


R_NEEDS = r"one of: 'r' and 'n'; 't' and 'df'; 't' and 'n'; 'f' and 'df2'; .*; 'events1', 'n1', 'events2' and 'n2'"
G_NEEDS = r"one of: 'g', 'n1' and 'n2' \(or n\); 'd', 'n1' and 'n2' \(or n\); .*; 'events1', 'n1', 'events2' and 'n2'"
GEN_NEEDS = "'effect' and 'variance' or 'effect' and 'std_error' or 'effect', 'ci_low' and 'ci_high'"


@pytest.mark.parametrize(
    ("measure", "columns", "needs", "hint"),
    [
        ("ZCOR", ["g", "n1"], R_NEEDS, " Name the columns to use"),
        ("SMD", ["effect", "variance"], G_NEEDS, r" Its columns would do for measure='GEN'\."),
        ("GEN", ["r", "n"], GEN_NEEDS, r" Its columns would do for measure='COR', 'UCOR' or 'ZCOR'\."),
        ("COR", ["effect", "std_error"], R_NEEDS, r" Its columns would do for measure='GEN'\."),
        ("ZCOR", ["corr", "size"], R_NEEDS, " Name the columns to use"),
        ("SMD", ["g", "n1"], G_NEEDS, " Name the columns to use"),
        ("MC", ["g", "n"], ".*'mean_pre', .*, 'r_pre_post' and 'n'", r" Its columns would do for measure='SMD'\."),
    ],
)
def test_a_measure_without_its_columns_is_refused_with_one_that_would_do(
    measure: str, columns: list[str], needs: str, hint: str
) -> None:
    has = _checks.listed(columns)
    message = rf"^measure '{measure}' needs {needs}; this table has columns {has}\.{hint}"
    with pytest.raises(InputError, match=message) as caught:
        am.effect_sizes(pd.DataFrame({name: [0.5, 0.6] for name in columns}), measure=measure)
    assert f"effect_sizes(frame, measure={measure!r}, " in str(caught.value)


def test_variance_and_std_error_together_are_refused() -> None:
    with pytest.raises(InputError, match="the variance or the std_error of ready-made effects, not both"):
        am.effect_sizes(measure="GEN", effect=G, variance=V, std_error=V)
    with pytest.raises(InputError, match="the variance or the std_error of ready-made effects, not both"):
        am.effect_sizes(pd.DataFrame({"effect": G, "variance": V, "std_error": V}), measure="GEN")


def test_naming_the_variance_settles_which_of_two_columns_is_meant() -> None:
    frame = pd.DataFrame({"effect": G, "variance": V, "std_error": np.sqrt(V)})
    assert am.effect_sizes(frame, measure="GEN", variance="variance").variance.tolist() == V


def test_no_rows_are_refused() -> None:
    empty: tuple[dict[str, list[float]], ...] = ({"r": [], "n": []}, {})
    for columns in empty:
        with pytest.raises(InputError, match=r"^the table of studies has no rows, so there is nothing to analyse$"):
            am.effect_sizes(pd.DataFrame(columns))
    with pytest.raises(InputError, match="has no rows, so there is nothing to analyse"):
        am.effect_sizes(r=[], n=[])
    with pytest.raises(InputError, match="has no rows, so there is nothing to analyse"):
        am.effect_sizes()


# What comes out


def test_column_names_arrays_and_roles_of_the_same_name_give_the_same_effects() -> None:
    frame = pd.DataFrame({"r": R, "n": N, "study": ["A", "B", "C"]})
    ways = [
        am.effect_sizes(frame),
        am.effect_sizes(frame, r="r", n="n", study="study"),
        am.effect_sizes(frame.rename(columns=str.upper), r="R", n="N", study="STUDY"),
        am.effect_sizes(r=R, n=N, study=["A", "B", "C"]),
        am.effect_sizes(r=np.array(R), n=np.array(N), study=np.array(["A", "B", "C"])),
        am.effect_sizes(r=frame["r"], n=frame["n"], study=frame["study"]),
        am.effect_sizes(frame[["n", "study"]], r=R),
        am.effect_sizes(frame.astype({"r": str, "n": str})),
        am.effect_sizes(frame.astype({"r": "Float64", "n": "Int64"})),
    ]
    own = ["effect_id", "study", "label", "effect", "variance", "route"]
    for way in ways:
        assert way.effect.tolist() == np.arctanh(R).tolist()
        assert way.variance.tolist() == [1 / 17, 1 / 27, 1 / 37]  # 1 / (n - 3)
        assert (way.k, way.n, way.labels) == (3, 90.0, ["A", "B", "C"])
        pd.testing.assert_frame_equal(way.table[own], ways[0].table[own])


def test_an_array_overrides_the_column_of_the_same_name() -> None:
    frame = pd.DataFrame({"r": [0.9, 0.9, 0.9], "n": N})
    assert am.effect_sizes(frame, measure="COR", r=R).effect.tolist() == R


def test_variance_and_std_error_are_two_ways_to_the_same_effects() -> None:
    by_variance = am.effect_sizes(measure="GEN", effect=G, variance=[0.25, 1.0, 4.0])
    by_error = am.effect_sizes(measure="GEN", effect=G, std_error=[0.5, 1.0, 2.0])
    assert by_variance.effect.tolist() == by_error.effect.tolist() == G
    assert by_variance.variance.tolist() == by_error.variance.tolist() == [0.25, 1.0, 4.0]
    assert set(by_variance.table["route"]) == {"effect, variance"}
    assert set(by_error.table["route"]) == {"effect, std_error"}


def test_the_callers_index_and_extra_columns_are_kept_and_its_frame_unchanged() -> None:
    frame = pd.DataFrame(
        {"r": R, "n": N, "country": ["CH", "US", "NL"], "blinded": [True, False, True]},
        index=pd.Index(["x", "y", "z"], name="key"),
    )
    before = frame.copy(deep=True)
    effects = am.effect_sizes(frame)
    pd.testing.assert_frame_equal(frame, before)
    table = effects.table
    pd.testing.assert_index_equal(table.index, frame.index)
    pd.testing.assert_frame_equal(table[list(frame.columns)], frame)
    assert [*table.columns] == ["effect_id", "study", "label", "effect", "variance", "route", *frame.columns]


def test_an_index_with_repeated_labels_gives_one_row_an_effect() -> None:
    frame = pd.DataFrame({"r": R, "n": N, "study": ["A", "B", "C"]}, index=[0, 0, 1])
    effects = am.effect_sizes(frame)
    assert effects.table["n"].tolist() == N
    assert effects.labels == ["A", "B", "C"]


@pytest.mark.parametrize("clashing", ["route", "effect", "variance"])
def test_a_column_with_the_name_of_a_result_is_kept_as_given(clashing: str) -> None:
    frame = pd.DataFrame({"r": R, "n": N, clashing: [7.0, 8.0, 9.0]})
    table = am.effect_sizes(frame).table
    assert table[f"{clashing}_given"].tolist() == [7.0, 8.0, 9.0]
    assert table["effect"].tolist() == np.arctanh(R).tolist()


def test_keeping_a_clashing_column_never_makes_two_of_one_name() -> None:
    frame = pd.DataFrame({"r": R, "n": N, "route": [1, 2, 3], "route_given": [4, 5, 6]})
    table = am.effect_sizes(frame).table
    assert table.columns.is_unique
    assert {(1, 2, 3), (4, 5, 6)} <= {tuple(table[name]) for name in table.columns}


def test_editing_a_copy_of_the_table_changes_nothing() -> None:
    effects = am.effect_sizes(r=R, n=N)
    fit = am.pool(effects)
    table = effects.table
    table.loc[:, "effect"] = 99.0
    table.loc[:, "label"] = "changed"
    assert effects.effect.tolist() == np.arctanh(R).tolist()
    assert effects.table["effect"].tolist() == np.arctanh(R).tolist()
    assert effects.labels == ["Study 1", "Study 2", "Study 3"]
    assert am.pool(effects).quantities() == fit.quantities()


@pytest.mark.parametrize("measure", ["COR", "ZCOR", "SMD", "GEN"])
def test_arrays_are_read_only(measure: str) -> None:
    effects = am.effect_sizes(pd.DataFrame({"r": R, "n": N, "g": G, "effect": G, "variance": V}), measure=measure)
    for array in (effects.effect, effects.variance):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0


def test_changing_the_callers_frame_or_arrays_afterwards_changes_nothing() -> None:
    y, v = np.array(G), np.array(V)
    frame = pd.DataFrame({"effect": y, "variance": v})
    from_frame = am.effect_sizes(frame, measure="GEN")
    from_arrays = am.effect_sizes(measure="GEN", effect=y, variance=v)
    y[:] = v[:] = 5.0
    frame.loc[:, "effect"] = 5.0
    for effects in (from_frame, from_arrays):
        assert (effects.effect.tolist(), effects.variance.tolist()) == (G, V)


def test_names_default_to_the_row_number_and_labels_to_the_study() -> None:
    plain = am.effect_sizes(r=R, n=N).table
    assert plain["effect_id"].tolist() == ["1", "2", "3"]
    assert plain["study"].tolist() == plain["label"].tolist() == ["Study 1", "Study 2", "Study 3"]
    named = am.effect_sizes(r=R, n=N, study=["A", "B", "B"], effect_id=[10, 20, 30]).table
    assert named["label"].tolist() == ["A", "B", "B"]
    assert named["effect_id"].tolist() == ["10", "20", "30"]


# Standardized mean differences: a route a row


def test_group_sizes_and_totals_make_routes_row_by_row() -> None:
    frame = pd.DataFrame({"g": [0.5, 0.5, 0.5], "n1": [20, NAN, 25], "n2": [30, NAN, 25], "n": [50, 50, 50]})
    effects = am.effect_sizes(frame, measure="SMD")
    assert effects.table["route"].tolist() == ["g, n1, n2", "g, n: equal groups assumed", "g, n1, n2"]
    assert effects.notes == ("1 of 3 rows give only a total N: two equal groups are assumed",)
    # By hand: 1/20 + 1/30 + 0.25/100 and 1/25 + 1/25 + 0.25/100.
    assert effects.variance == pytest.approx([0.0858333333333, 0.0825, 0.0825], rel=1e-11)
    assert effects.variance[1] == effects.variance[2]
    assert effects.n == 150.0


def test_group_sizes_alone_leave_no_note_and_give_the_total() -> None:
    effects = am.effect_sizes(pd.DataFrame({"g": G, "n1": [10, 20, 30], "n2": [11, 21, 31]}), measure="SMD")
    assert set(effects.table["route"]) == {"g, n1, n2"}
    assert effects.notes == ()
    assert effects.n == 123.0


def test_totals_alone_say_so_in_every_row_and_in_a_note() -> None:
    effects = am.effect_sizes(pd.DataFrame({"g": G, "n": N}), measure="SMD")
    assert set(effects.table["route"]) == {"g, n: equal groups assumed"}
    assert effects.notes == ("3 of 3 rows give only a total N: two equal groups are assumed",)
    assert effects.notes[0] in str(effects)
    assert effects.notes[0] in str(am.pool(effects))


SMD_TOTALS: dict[str, Callable[[], Any]] = {
    "float": lambda: [NAN, 30.0],
    "Int64": lambda: pd.array([None, 30], dtype="Int64"),
    "object": lambda: np.array([None, 30], dtype=object),
}


@pytest.mark.parametrize("total", SMD_TOTALS.values(), ids=[*SMD_TOTALS])
def test_a_total_may_be_missing_where_the_group_sizes_are_given(total: Callable[[], Any]) -> None:
    frame = pd.DataFrame({"g": [0.1, 0.2], "n1": [10, NAN], "n2": [10, NAN], "n": total()})
    effects = am.effect_sizes(frame, measure="SMD")
    assert effects.table["route"].tolist() == ["g, n1, n2", "g, n: equal groups assumed"]
    assert math.isnan(effects.n)


def test_sample_sizes_that_a_measure_does_not_need_may_be_missing() -> None:
    frame = pd.DataFrame({"effect": G, "variance": V, "n1": [10, NAN, 12], "n2": [10, 11, 12]})
    assert math.isnan(am.effect_sizes(frame, measure="GEN").n)
    assert math.isnan(am.effect_sizes(frame[["effect", "variance"]], measure="GEN").n)


def test_only_forty_rows_are_shown_and_the_rest_counted() -> None:
    effects = am.effect_sizes(r=[0.1] * 41, n=[20] * 41)
    assert "and 1 more: see .table" in str(effects)
    assert "Study 40 " in str(effects)
    assert "Study 41 " not in str(effects)
    assert "more rows" not in str(am.effect_sizes(r=[0.1] * 40, n=[20] * 40))


def test_what_effects_print_in_one_line() -> None:
    assert repr(am.effect_sizes(r=R, n=N)) == "<EffectSizes: 3 effects, measure ZCOR (Fisher's z of the correlation)>"
