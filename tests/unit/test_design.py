"""Design matrices: against R's model.matrix, and what is refused of the data."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import FrozenInstanceError
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from alliance_meta.design import CategoricalVariable, NumericVariable, Term, check_rank, design
from alliance_meta.errors import FormulaError, InputError, UnknownNameError

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "design.json").read_text(encoding="utf-8"))
CASES: dict[str, Any] = {case["formula"]: case for case in REFERENCE["cases"]}
SEEN, NEW = pd.DataFrame(REFERENCE["seen"]), pd.DataFrame(REFERENCE["new"])


def table(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame(columns, index=[f"s{i}" for i in range(len(next(iter(columns.values()))))])


# ---------------------------------------------------------------- R


def assert_columns_agree(mine: Any, theirs: Any) -> None:
    """To 1e-12 of each column's largest value: rounding only. Measured: 2.7e-14, in R's polynomials of degree 4."""
    difference, size = np.abs(np.subtract(mine, theirs)).max(axis=0), np.abs(theirs).max(axis=0)
    assert (difference <= 1e-12 * size).all(), difference / size


@pytest.mark.parametrize("formula", CASES)
def test_the_matrix_is_that_of_r(formula: str) -> None:
    assert_columns_agree(design(formula, SEEN).matrix, CASES[formula]["matrix"])


@pytest.mark.parametrize("formula", CASES)
def test_new_rows_are_turned_into_columns_as_r_does(formula: str) -> None:
    assert_columns_agree(design(formula, SEEN).matrix_for(NEW), CASES[formula]["new"])


@pytest.mark.parametrize("formula", [name for name in CASES if "(" not in name.replace("(year + n + treatment)", "")])
def test_coefficients_are_named_as_in_r_but_for_brackets(formula: str) -> None:
    mine = [name.replace("[True]", "TRUE").replace("[", "").replace("]", "") for name in design(formula, SEEN).names]
    assert ["(Intercept)" if name == "intercept" else name for name in mine] == CASES[formula]["names"]


@pytest.mark.parametrize("formula", CASES)
def test_terms_own_the_columns_that_r_assigns_to_them(formula: str) -> None:
    made, assign = design(formula, SEEN), np.array(CASES[formula]["assign"])
    mine = [list(range(*term.columns.indices(len(made.names)))) for term in made.terms]
    assert mine == [np.flatnonzero(assign == i).tolist() for i in sorted(set(assign.tolist()))]
    assert (made.terms[0].label == "intercept") == (0 in assign)


# ---------------------------------------------------------------- what a design says of itself


def test_names_terms_and_variables() -> None:
    rows = table(n=[4.0, 6.0, 8.0, 2.0, 5.0], rater=["t", "c", "t", "o", "c"])
    made = design("n + C(rater, reference='c')", rows)
    assert made.names == ("intercept", "n", "rater[t]", "rater[o]")
    assert made.terms == (
        Term(label="intercept", columns=slice(0, 1)),
        Term(label="n", columns=slice(1, 2)),
        Term(label="rater", columns=slice(2, 4)),
    )
    assert made.variables == (
        NumericVariable(column="n", mean=5.0, minimum=2.0, maximum=8.0),
        CategoricalVariable(column="rater", levels=("t", "c", "o"), reference="c"),
    )
    assert repr(made).startswith("<Design \"n + C(rater, reference='c')\": 5 rows, 4 coefficients: intercept, n, rat")


def test_a_design_cannot_be_changed() -> None:
    made = design("n", table(n=[1, 2, 4]))
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'names'"):
        made.names = ()  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        made.matrix[0, 0] = 2.0


def test_the_intercept_alone() -> None:
    made = design("1", table(n=[1, 2, 4]))
    assert (made.names, made.matrix.tolist(), made.variables) == (("intercept",), [[1.0]] * 3, ())
    assert made.matrix_for(pd.DataFrame(index=[0, 1])).tolist() == [[1.0], [1.0]]


def test_a_formula_twice_over_is_the_same_formula() -> None:
    rows = table(a=[1, 2, 4, 3], b=[3.0, 1.0, 2.0, 2.5])
    assert design("a + b + I( a*2-b**2 ) + a + {a*2 - b**2}", rows).names == (
        "intercept",
        "a",
        "b",
        "I(a * 2 - b ** 2)",
    )
    assert design("b:a + a", rows).names == (*design("a + b:a", rows).names[:2], "b:a")


def test_names_in_back_quotes() -> None:
    rows = pd.DataFrame({"n sessions": [1.0, 4.0, 9.0], "a.b": [1, 5, 2], "x`": [1, 2, 3]})
    made = design("sqrt(`n sessions`) + `a.b`", rows)
    assert made.names == ("intercept", "sqrt(`n sessions`)", "a.b")
    assert made.matrix[:, 1].tolist() == [1.0, 2.0, 3.0]


def test_a_quote_or_bracket_in_a_level_is_text() -> None:
    rows = table(x=["a)", "b`c", "it's", "a)"])
    assert design("""C(x, reference="b`c")""", rows).names == ("intercept", "x[a)]", "x[it's]")
    assert design("C(x, reference='a)')", rows).names == ("intercept", "x[b`c]", "x[it's]")
    assert design('C(x, reference="it\'s")', rows).names == ("intercept", "x[a)]", "x[b`c]")


def test_letters_are_taken_as_written() -> None:
    # Python reads the ligature as two letters; the column is called by the ligature.
    assert design("I(ﬁ * 2)", pd.DataFrame({"ﬁ": [1, 2, 4]})).matrix[:, 1].tolist() == [2.0, 4.0, 8.0]


# ---------------------------------------------------------------- levels


@pytest.mark.parametrize(
    ("cells", "formula", "names"),
    [
        (["b", "a", "b", "c"], "x", ["x[a]", "x[c]"]),
        (pd.Categorical(["b", "a", "b", "c"], categories=["c", "never", "a", "b"]), "x", ["x[a]", "x[b]"]),
        ([True, False, True, True], "x", ["x[True]"]),
        (pd.array([True, False, True, True], dtype="boolean"), "x", ["x[True]"]),
        (pd.array(["b", "a", "b", "c"], dtype="string"), "x", ["x[a]", "x[c]"]),
        (np.array([True, False, True, True], dtype=object), "x", ["x[True]"]),
        ([3, 1, 3, 2], "C(x)", ["x[1]", "x[2]"]),
        ([3.0, 1.0, 3.0, 2.5], "C(x, reference=1)", ["x[3]", "x[2.5]"]),
        ([3, -1, 3, 2], "C(x, reference=-1, levels=[2, -1, 3])", ["x[2]", "x[3]"]),
        ([True, False, True, True], "C(x, reference=True)", ["x[False]"]),
        (["b", "a", "b", "c"], "C(x, levels=['a', 'b', 'c'])", ["x[b]", "x[c]"]),
        (["b", "a", "b", "c"], "0 + C(x, levels=('a', 'b', 'c'))", ["x[a]", "x[b]", "x[c]"]),
    ],
)
def test_levels_stand_in_the_order_of_the_data_or_as_given(cells: Any, formula: str, names: list[str]) -> None:
    made = design(formula, pd.DataFrame({"x": cells}))
    assert [name for name in made.names if name != "intercept"] == names
    for j, name in enumerate(made.names):
        shown = [f"x[{int(cell) if isinstance(cell, float) and cell.is_integer() else cell}]" for cell in list(cells)]
        assert made.matrix[:, j].tolist() == [float(name in ("intercept", cell)) for cell in shown]


@pytest.mark.parametrize(
    "cells", [[1, 2, 4], np.array([1, 2, 4], dtype=object), pd.array([1, 2, 4], dtype="Int64"), [Decimal(1), 2, 4.0]]
)
def test_numbers_stay_numbers(cells: Any) -> None:
    assert design("x", pd.DataFrame({"x": cells})).matrix.tolist() == [[1.0, 1.0], [1.0, 2.0], [1.0, 4.0]]


def test_a_crossing_without_its_main_effects_has_no_redundant_column() -> None:
    # R's a:b has seven columns of rank six here.
    made = design("rater:treatment", SEEN)
    assert made.matrix.shape[1] == np.linalg.matrix_rank(made.matrix) == 6
    assert [(term.label, term.columns) for term in made.terms] == [
        ("intercept", slice(0, 1)),
        ("rater:treatment", slice(1, 6)),
    ]


@pytest.mark.parametrize(
    ("formula", "error", "message"),
    [
        ("C(x, reference='B')", UnknownNameError, "reference 'B'. Did you mean 'b'. Known: 'b', 'a' and 'c'"),
        ("C(x, levels=['a', 'b'])", InputError, "'x' has unknown levels: row s3 .'c'.. Known: 'a' and 'b'"),
        ("C(x, levels=['a', 'b', 'c', 'd', 'e'])", InputError, "no row of column 'x' has the level 'd' or 'e'"),
        ("C(x, levels=['a', 'b', 'c', 'a'])", InputError, "levels of column 'x' name a level twice"),
        ("C(n, reference='1')", InputError, "'n' has numbers as levels: write the reference without quotes"),
        ("x + n:C(x)", FormulaError, r"column 'x' both as 'x' and as 'C\(x\)': write it in the same way"),
        ("same", InputError, "'same' has one level only, 'z': it cannot explain any difference. Leave it out"),
        ("log(x)", InputError, r"'x' must hold numbers here, not text: rows s0 \('b'\), s1 .*s3"),
        ("center(truth)", InputError, "'truth' must hold numbers, not true and false: rows s0"),
        ("mixed", InputError, "'mixed' mixes numbers, text, or true and false; the fewest: row s2 .'x'.*Correct"),
        ("when", InputError, "'when' must hold numbers, text, or true and false: rows s0"),
        ("C(when)", InputError, "'when' must hold text, numbers, or true and false: rows s0"),
    ],
)
def test_levels_that_are_refused(formula: str, error: type[Exception], message: str) -> None:
    rows = table(x=["b", "a", "b", "c"], n=[1, 2, 3, 1], same=["z"] * 4, truth=[True, False, True, True],
                 mixed=[1, 2, "x", 4], when=pd.to_datetime(["2001", "2002", "2003", "2004"]))  # fmt: skip
    with pytest.raises(error, match=message):
        design(formula, rows)


# ---------------------------------------------------------------- cells and columns


@pytest.mark.parametrize("formula", ["x", "n:x", "C(x)", "log(x)", "I(2 + x)", "poly(x, 1)"])
@pytest.mark.parametrize("cells", [[1.0, np.nan, 3.0, np.nan, 2.0], pd.array([1, None, 3, None, 2], dtype="Int64")])
def test_empty_cells_are_refused_with_all_their_rows(formula: str, cells: Any) -> None:
    with pytest.raises(InputError, match=r"^column 'x' has empty cells: rows s1 \(empty\), s3 \(empty\)\.") as caught:
        design(formula, table(x=cells, n=[1, 2, 3, 4, 6]))
    assert (caught.value.column, caught.value.rows) == ("x", ("s1", "s3"))


@pytest.mark.parametrize("cells", [["a", None, "b", np.nan, "a"], pd.Categorical(["a", None, "b", None, "a"])])
def test_empty_levels_are_refused_with_all_their_rows(cells: Any) -> None:
    with pytest.raises(InputError, match=r"^column 'x' has empty cells: rows s1 \(empty\), s3 \(empty\)\."):
        design("x", table(x=cells))


def test_rows_that_are_empty_only_where_nothing_is_used_are_kept() -> None:
    assert design("x", table(x=[1, 2, 4], y=[None, None, 1])).matrix.shape == (3, 2)
    assert design("x + y - y", table(x=[1, 2, 4], y=[None, None, 1])).names == ("intercept", "x")


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("far", r"'far' must be finite: row s1 \(inf\)"),
        ("C(far)", r"'far' must hold text, numbers, or true and false: row s1 \(inf\)"),
        ("log(x)", r"'x' must exceed 0 for its logarithm: rows s0 \(-1.0\), s1 \(0.0\)\. Correct"),
        ("sqrt(x)", r"'x' must not be negative for its square root: row s0 \(-1.0\)\. Correct"),
        ("log(x - 3)", r"'log\(x - 3\)' must exceed 0 for its logarithm: rows s0 \(-4.0\), s1 \(-3.0\), s2 \(-1.0\)"),
        ("I(1 / x)", r"'I\(1 / x\)' must be finite: row s1 \(inf\)"),
        ("scale(1 / x)", r"'scale\(1 / x\)' must be finite: row s1 \(inf\)"),
        ("I(x ** 0.5)", r"'I\(x \*\* 0.5\)' must be finite: row s0 \('undefined'\)"),
        ("big:I(big * 3)", r"'big:I\(big \* 3\)' must be finite: rows s0 \(inf\), s1 \(inf\), s2 \(inf\), s3 \(inf\)"),
        ("poly(x, 4)", r"poly\(\) of column 'x' needs more than 4 different values, and there are 4"),
        ("bs(x, 4)", r"bs\(\) of column 'x' needs more than 4 different values, and there are 4"),
        ("scale(one)", r"scale\(\) of column 'one' needs more than 1 different value, and there is 1"),
    ],
)
def test_values_a_function_cannot_take_are_refused_with_their_rows(formula: str, message: str) -> None:
    rows = table(x=[-1, 0, 2, 4], far=[1, np.inf, 2, 3], big=[1e200, 2e200, 3e200, 5e200], one=[7, 7, 7, 7])
    with pytest.raises(InputError, match=message):
        design(formula, rows)


def test_unknown_columns_are_named_beside_those_there_are() -> None:
    rows = table(year=[1, 2, 4], n=[3, 1, 2])
    with pytest.raises(UnknownNameError, match=r"^unknown column 'yaer'. Did you mean 'year'. Known: 'year' and 'n'.$"):
        design("n + log(yaer)", rows)
    with pytest.raises(UnknownNameError, match=r"does not have: 'a' and 'b'. Known: 'year' and 'n'.$"):
        design("n + a:b", rows)
    with pytest.raises(UnknownNameError, match="unknown column 'typo'"):
        design("n + year - typo", rows)


def test_a_column_that_is_there_twice_is_refused() -> None:
    rows = pd.DataFrame([[1, 2, 3], [4, 5, 7]], columns=["x", "x", "y"])
    assert design("y", rows).names == ("intercept", "y")
    with pytest.raises(InputError, match="more than one column called 'x': rename all but one"):
        design("x", rows)


def test_errors_call_rows_what_the_caller_does() -> None:
    rows = pd.DataFrame({"x": [1.0, np.nan, 3.0]})
    with pytest.raises(InputError, match=r"has empty cells: row Horvath 1994 \(empty\)"):
        design("x", rows, rows=["Bordin 1979", "Horvath 1994", "Wampold 2001"])
    with pytest.raises(InputError, match=r"^rows names 2 rows, and moderators has 3$"):
        design("x", rows, rows=["a", "b"])
    assert rows.index.tolist() == [0, 1, 2]


@pytest.mark.parametrize("moderators", [None, {"x": [1, 2]}, np.ones((3, 2))])
def test_moderators_must_be_a_frame(moderators: Any) -> None:
    with pytest.raises(InputError, match=r"^moderators must be a pandas DataFrame, not "):
        design("x", moderators)


def test_no_rows_are_refused() -> None:
    with pytest.raises(InputError, match=r"^moderators has no rows$"):
        design("x", pd.DataFrame({"x": []}))


def test_two_coefficients_of_one_name_are_refused() -> None:
    rows = pd.DataFrame({"x": ["a", "b", "c", "a"], "x[b]": [1, 2, 4, 5], "intercept": [3, 1, 2, 9]})
    with pytest.raises(FormulaError, match=r"both be called 'x\[b\]': rename the column or its levels"):
        design("x + `x[b]`", rows)
    for formula in ("intercept", "0 + intercept", "0 + C(intercept)"):
        with pytest.raises(FormulaError, match="'intercept' is the name of the constant: rename the column"):
            design(formula, rows)


# ---------------------------------------------------------------- rank


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("x + I(2 * x - 3) + y", r"apart: 'I\(2 \* x - 3\)' is a combination of 'intercept' and 'x'\. Leave one"),
        ("0 + x + I(2 * x) + y", r"'I\(2 \* x\)' is a multiple of 'x'"),
        ("x + y + total", "'total' is a combination of 'x' and 'y'"),
        ("one", "'one' is a multiple of 'intercept'"),
        ("0 + zero + x", "'zero' is 0 in every row"),
        ("one + total + x + y", "'one' is a multiple of 'intercept'; 'y' is a combination of 'total' and 'x'"),
        ("a + b", r"'b\[v\]' is a multiple of 'a\[q\]'"),
        ("a * c", r"'a\[q\]:c\[n\]' is 0 in every row"),
    ],
)
@pytest.mark.parametrize("unit", [1.0, 1e-9, 1e9])
def test_aliased_columns_are_named_in_any_unit(formula: str, message: str, unit: float) -> None:
    x, y = np.array([1.0, 2.0, 4.0, 7.0, 3.0, 5.0]), np.array([3.0, 1.0, 2.0, 9.0, 4.0, 0.5])
    rows = pd.DataFrame(
        {"x": x, "y": y * unit, "total": x + y, "one": 7.0 * unit, "zero": 0.0,
         "a": ["p", "q", "p", "q", "p", "q"], "b": ["u", "v", "u", "v", "u", "v"], "c": ["m", "m", "n", "m", "n", "m"]}
    )  # fmt: skip
    with pytest.raises(InputError, match=message):
        design(formula, rows)


def test_a_far_origin_is_not_taken_for_dependence() -> None:
    year = np.array([1979.0, 1985.0, 1991.0, 1994.0, 2001.0, 2011.0])
    made = design("year + I(year**2) + I(year**3)", pd.DataFrame({"year": year}))
    assert made.matrix.shape == (6, 4)
    assert design("big", pd.DataFrame({"big": 1e9 + year})).names == ("intercept", "big")


def test_more_coefficients_than_rows_are_counted_by_term() -> None:
    rows = pd.DataFrame({"x": ["a", "b", "c"], "n": [1.0, 2.0, 4.0]})
    assert design("x", rows).matrix.shape == (3, 3)
    with pytest.raises(InputError, match=r"asks for 6 coefficients of 3 rows: intercept \(1\), x \(2\), n \(1\), x:n"):
        design("x * n", rows)


def test_a_crossing_of_many_levels_is_refused_before_it_is_made() -> None:
    many = [str(i) for i in range(3000)]
    with pytest.raises(InputError, match="asks for 9000000 coefficients of 3000 rows"):
        design("0 + x:y", pd.DataFrame({"x": many, "y": many}))


def test_check_rank_lets_a_made_design_pass() -> None:
    check_rank(design("year * rater", SEEN))


# ---------------------------------------------------------------- new rows


@pytest.mark.parametrize(
    ("frame", "error", "message"),
    [
        (pd.DataFrame({"year": [2000], "n": [30]}), UnknownNameError, "unknown column 'rater'"),
        (pd.DataFrame({"year": [2000], "n": [30], "rater": ["parent"]}), InputError,
         r"'rater' has unknown levels: row 0 \('parent'\)\. Known: 'client', 'therapist' and 'observer'"),
        (pd.DataFrame({"year": [2000], "n": [30], "rater": [None]}), InputError, "'rater' has empty cells: row 0"),
        (pd.DataFrame({"year": [np.nan], "n": [30], "rater": ["client"]}), InputError, "'year' has empty cells: row 0"),
        (pd.DataFrame({"year": [2000] * 3, "n": [30, 95, 1], "rater": ["client"] * 3}), InputError,
         r"'n' must lie from 5.2 to 84.4, where bs\(\) knows the curve: rows 1 \(95.0\), 2 \(1.0\)"),
        ({"year": 2000}, InputError, "^frame must be a pandas DataFrame, not dict$"),
    ],
)  # fmt: skip
def test_new_rows_that_are_refused(frame: Any, error: type[Exception], message: str) -> None:
    made = design("scale(year) + bs(n, df=4) + rater", SEEN)
    with pytest.raises(error, match=message):
        made.matrix_for(frame)


def test_a_single_new_row_is_coded_with_the_levels_of_the_design() -> None:
    made = design("rater", SEEN)
    assert made.matrix_for(pd.DataFrame({"rater": ["observer"]})).tolist() == [[1.0, 0.0, 1.0]]
    assert made.matrix_for(pd.DataFrame({"rater": []})).shape == (0, 3)


# ---------------------------------------------------------------- import


def test_importing_the_library_does_not_import_formulaic() -> None:
    code = "import sys, alliance_meta, alliance_meta.design; assert 'formulaic' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
