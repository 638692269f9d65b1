"""Formulas at random: the space their columns span, new rows, and text that is no formula."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from alliance_meta.design import Design, design
from alliance_meta.errors import InputError

Array = npt.NDArray[np.float64]
Terms = set[frozenset[str]]

SETTINGS = settings(deadline=None, derandomize=True, max_examples=150)

_random = np.random.default_rng(7)
# Every combination of levels, several times, so that a design is only refused for what its formula says.
ROWS = pd.DataFrame(
    [(p, q, r) for p in "uvw" for q in "mn" for r in (False, True) for _ in range(6)], columns=["p", "q", "r"]
).assign(x=lambda rows: _random.normal(size=len(rows)), y=lambda rows: _random.normal(size=len(rows)) + 3.0)
LEVELS: dict[str, list[object]] = {"p": list("uvw"), "q": list("mn"), "r": [False, True]}


@st.composite
def formulas(draw: st.DrawFn) -> tuple[str, Terms]:
    """A formula and the terms it means, worked out by sets; the empty set is the intercept."""
    text, terms = draw(expressions(depth=2))
    intercept = draw(st.sampled_from(["", " - 1", "0 + "]))
    if intercept == "0 + ":
        return intercept + text, terms
    return text + intercept, terms | ({frozenset()} if not intercept else set())


@st.composite
def expressions(draw: st.DrawFn, depth: int) -> tuple[str, Terms]:
    if depth == 0 or draw(st.booleans()):
        name = draw(st.sampled_from("pqrxy"))
        return name, {frozenset(name)}
    (left, a), (right, b) = draw(expressions(depth - 1)), draw(expressions(depth - 1))
    operator = draw(st.sampled_from(["+", "-", "*", ":", "/"]))
    # A column times itself is refused, wherever it is written so.
    assume(not (operator in "*:" and left == right and len(left) == 1))
    # What nothing is nested in is refused too.
    assume(a or operator != "/")
    product = {one | other for one in a for other in b}
    together = frozenset(name for one in a for name in one)
    nested = {together | other for other in b}
    meaning: Terms = {"+": a | b, "-": a - b, "*": a | b | product, ":": product, "/": a | nested}[operator]
    return f"({left} {operator} {right})", meaning


def naive(terms: Terms) -> Array:
    """Every term with every level of every factor, redundant columns and all."""
    columns = []
    for term in terms:
        run = [np.ones(len(ROWS))]
        for name in sorted(term):
            cells = ROWS[name].to_numpy()
            own: list[Array] = (
                [np.asarray(cells == level, dtype=float) for level in LEVELS[name]] if name in LEVELS else [cells]
            )
            run = [old * new for old in run for new in own]
        columns += run
    return np.column_stack(columns)


def spanned(matrix: Array, by: Array) -> bool:
    fitted = by @ np.linalg.lstsq(by, matrix, rcond=None)[0]
    # Rounding leaves 1e-13 of columns of about 10; a missing direction leaves about 1.
    return bool(np.abs(fitted - matrix).max() < 1e-8)


@SETTINGS
@given(formulas())
def test_columns_span_what_the_terms_mean_and_are_independent(drawn: tuple[str, Terms]) -> None:
    formula, terms = drawn
    assume(terms)
    made = design(formula, ROWS)
    everything = naive(terms)
    assert spanned(made.matrix, everything)
    assert spanned(everything, made.matrix)
    assert np.linalg.matrix_rank(made.matrix) == made.matrix.shape[1] == len(set(made.names))
    labels = {frozenset(term.label.split(":")) if term.label != "intercept" else frozenset() for term in made.terms}
    assert labels == terms


@SETTINGS
@given(formulas(), st.lists(st.integers(0, len(ROWS) - 1), min_size=1, max_size=5))
def test_rows_chosen_from_the_table_get_the_rows_of_the_matrix(drawn: tuple[str, Terms], chosen: list[int]) -> None:
    assume(drawn[1])
    made = design(drawn[0], ROWS)
    assert made.matrix_for(ROWS).tolist() == made.matrix.tolist()
    assert made.matrix_for(ROWS.iloc[chosen]).tolist() == made.matrix[chosen].tolist()


CALLS = ["center(y)", "scale(x)", "log(y)", "poly(y, 3)", "bs(x, df=5)", "C(p, reference='v')", "I(x - y**2)", "{x*y}"]


@SETTINGS
@given(st.permutations(CALLS), st.integers(1, 4), st.lists(st.sampled_from(["+", "*", ":"]), min_size=3, max_size=3))
def test_functions_give_chosen_rows_what_they_gave_them_in_the_table(
    calls: list[str], used: int, operators: list[str]
) -> None:
    rows = ROWS.assign(y=np.exp(ROWS["y"]))
    formula = calls[0] + "".join(f" {sign} {call}" for sign, call in zip(operators, calls[1:used], strict=False))
    try:
        made = design(formula, rows)
    except InputError as error:
        # Too many for 72 rows, or not to be told apart.
        assert "coefficients" in str(error)  # noqa: PT017
        return
    assert made.matrix_for(rows).tolist() == made.matrix.tolist()
    # Splines are summed in another order in a shorter table.
    np.testing.assert_allclose(made.matrix_for(rows.iloc[[5, 3]]), made.matrix[[5, 3]], rtol=1e-12, atol=1e-12)


@SETTINGS
@given(st.integers(2, 30), st.integers(0, 2**32 - 1), st.floats(1e-6, 1e6), st.booleans())
def test_a_combination_of_columns_is_always_found(k: int, seed: int, unit: float, shifted: bool) -> None:
    random = np.random.default_rng(seed)
    x = (random.normal(size=(k + 4, 3)) + 100.0 * shifted) * [1.0, unit, 1.0 / unit]
    rows = pd.DataFrame(x, columns=["x", "y", "z"])
    assert design("x + y + z", rows).matrix.shape == (k + 4, 4)
    rows["sum"] = rows["x"] / np.ptp(rows["x"]) + rows["y"] / np.ptp(rows["y"])
    try:
        made = design("x + y + z + sum", rows)
    except InputError as error:
        assert "'sum' is a combination of" in str(error)  # noqa: PT017  the error is the outcome that is tested
    else:
        raise AssertionError(made)


WORDS = [*"pqxy102+-*:/^(){}]`~.'= \n\\", "**", "log(", "C(", "poly(", "I(", "bs(", ", ", "'u'"]
WORDS += ["reference=", "levels=[", "df="]


@settings(SETTINGS, max_examples=600)
@given(st.one_of(st.text(), st.lists(st.sampled_from(WORDS), max_size=14).map("".join)))
def test_any_text_is_a_formula_or_an_error_of_ours(text: str) -> None:
    try:
        made = design(text, ROWS)
    except InputError as error:
        assert str(error)  # noqa: PT017  any other error fails the test
    else:
        assert isinstance(made, Design)
        assert np.isfinite(made.matrix).all()


FUNCTIONS = [
    "x",
    "center(x)",
    "scale(x)",
    "log(x)",
    "sqrt(x)",
    "poly(x, 3)",
    "bs(x, 4)",
    "C(x)",
    "x:I(x**3)",
    "I(1 / x)",
]


@SETTINGS
@given(st.sampled_from(FUNCTIONS), st.lists(st.floats(), min_size=1, max_size=12))
def test_any_numbers_make_a_finite_design_or_an_error_of_ours(formula: str, cells: list[float]) -> None:
    rows = pd.DataFrame({"x": cells})
    try:
        made = design(formula, rows)
    except InputError as error:
        assert str(error)  # noqa: PT017  any other error, or a warning, fails the test
    else:
        assert np.isfinite(made.matrix).all()
        assert made.matrix_for(rows).tolist() == made.matrix.tolist()


def test_the_grammar_reaches_crossings_of_all_factors() -> None:
    every = [frozenset(part) for size in range(4) for part in combinations("pqr", size)]
    assert spanned(naive(set(every)), design("p * q * r", ROWS).matrix)
