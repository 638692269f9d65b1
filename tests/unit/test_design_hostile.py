"""Formulas that must be refused: by name, quickly, and without running anything."""

from __future__ import annotations

import builtins
import os
import re
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
import pytest

from alliance_meta.design import design
from alliance_meta.errors import FormulaError

LETTERS = "abcdefghijklmnop"
ROWS = pd.DataFrame({letter: np.random.default_rng(i).random(30) for i, letter in enumerate(LETTERS)})

# The formula, the offending piece, and words of the message.
CODE = {
    "__import__('os').system('touch x')": (".", "cannot be read"),
    "log(__import__('os'))": ("__import__('os')", "unknown function '__import__'"),
    "eval('1')": ("eval('1')", "unknown function 'eval'"),
    "exp(a)": ("exp(a)", "Known: 'C', 'I', 'bs', 'center', 'log', 'poly', 'scale' and 'sqrt'"),
    "logg(a)": ("logg(a)", "Did you mean 'log'"),
    "a.real": (".", "name with a dot in back quotes"),
    "I(a.__class__.__mro__)": ("a.__class__.__mro__", "a dot (attribute access)"),
    "I(a[0])": ("a[0]", "square brackets"),
    "a[0]": ("[", "square brackets"),
    "log(a)[0]": ("[", "square brackets"),
    "I((lambda: 1)())": ("(lambda: 1)()", "is not allowed"),
    "log(lambda: a)": ("lambda: a", "a lambda"),
    "I(a)(b)": ("(", "operator such as + is missing between 'I(a)' and '('"),
    "I([x for x in a])": ("[x for x in a]", "a comprehension"),
    "I(sum(x for x in a))": ("sum(x for x in a)", "unknown function 'sum'"),
    "{ {x: 1 for x in a} }": ("{x: 1 for x in a}", "a comprehension"),
    "I((q := a))": ("q := a", "an assignment"),
    "I(f'{a}')": ("f'{a}'", "an f-string"),
    "log('a')": ("'a'", "is not allowed"),
    "I(b'a' * a)": ("b'a'", "is not allowed"),
    "I(a > 1)": ("a > 1", "a comparison"),
    "I(a and b)": ("a and b", "a logical operator"),
    "I(a if b else c)": ("a if b else c", "a condition"),
    "I(not a)": ("not a", "is not allowed"),
    "I(a // b)": ("a // b", "is not allowed"),
    "I(a @ b)": ("a @ b", "is not allowed"),
    "I(a << 9)": ("a << 9", "is not allowed"),
    "I(*a)": ("*a", "a star"),
    "I(await a)": ("await a", "is not allowed"),
    "I((yield))": ("yield", "is not allowed"),
    "I(True * a)": ("True", "is not allowed"),
    "I(...)": ("...", "is not allowed"),
    "I(1j * a)": ("1j", "is not allowed"),
    "C(a, reference=b)": ("b", "is not allowed"),
    "C(a, reference=open('x'))": ("open('x')", "is not allowed"),
    "C(a, levels=[[1]])": ("[1]", "a list"),
    "C(a, **b)": ("C(a, **b)", "cannot take '**'"),
    "C(a, contrast='x')": ("C(a, contrast='x')", "cannot take 'contrast' here. Options: 'reference' and 'levels'"),
    "log(a, base=2)": ("log(a, base=2)", "takes no options"),
    "I(`a b`.real)": ("`a b` .real", "a dot"),
}
LARGE = {
    "(" * 10_000 + "a" + ")" * 10_000: "has 20001 characters; 2000 are allowed",
    "(" * 900 + "a" + ")" * 900: "more than 20 brackets inside each other",
    "I(" + "(" * 900 + "a" + ")" * 900 + ")": "more than 20 brackets inside each other",
    "I(" + "-" * 1_900 + "a)": "nested too deeply",
    "I(" + "a + " * 450 + "a)": "nested too deeply",
    "{" + "2 ** " * 390 + "2}": "an exponent must be a number from -10 to 10, not '2 ** 2",
    "log('" + "x" * 1_900 + "')": "is not allowed",
    "x" * 1_900 + "(a)": "unknown function 'xxx",
    "I(9**9**9)": "an exponent must be a number from -10 to 10, not '9**9'",
    "I(a**9**9)": "an exponent must be a number from -10 to 10, not '9**9'",
    "I(a**-11)": "an exponent must be a number from -10 to 10, not '-11'",
    "I(a**True)": "an exponent must be a number",
    "I(a**b)": "an exponent must be a number",
    "I(a * 1e999)": "the number '1e999' in the formula is too large",
    "I(a * " + "9" * 1_500 + ")": "9 ...' in the formula is too large",
    "C(a, reference=1e999)": "the number '1e999' in the formula is too large",
    "poly(a, 1000000000)": "degree of poly() must be a whole number from 1 to 100",
    "bs(a, df=10**9)": "df of bs() must be a whole number from 1 to 100, not '10**9'",
    "(a + b)**99999999": "a whole number from 1 to 10, not '99999999'",
    "(a + b)**" + "9" * 1_500: "a whole number from 1 to 10",
    "((a + b)**9)**9": "multiplies out to more than 1000 products",
    "(a + b)**2**2": "a power of a power in the formula: '2**'",
    " * ".join(LETTERS): "multiplies out to more than 1000 products",
    "(" + " + ".join(LETTERS) + ")**10": "multiplies out to more than 1000 products",
    ":".join(LETTERS[:7]): "the interaction 'a:b:c:d:e:f:g' has 7 variables; 6 are allowed",
}
MEANINGLESS = {
    "": "the formula is empty; '1' asks for the intercept alone",
    " \n\t ": "the formula is empty",
    "y ~ a": "the left-hand side is the effect sizes already: leave it and the tilde out",
    "~ a": "leave it and the tilde out",
    ".": "name every column you want",
    "a | b": "a formula has one part only",
    "'a'": "text belongs to C(column, reference='...') only",
    "`a": "the back quote is never closed",
    "``": "two back quotes in the formula have no column name between them",
    "a %in% b": "'%in% b' cannot be read",
    "a, b": "', b' cannot be read",
    "a\x00": "cannot be read",
    "I(a\x00)": "cannot be read",
    "I(\ud800)": "cannot be read: it is too deep for Python, or not text",
    "I(a'b')": "cannot be read: invalid syntax",
    "I(a # b)": "cannot be read",
    "a b": "an operator such as + is missing between 'a' and 'b'",
    "(a)(b)": "an operator such as + is missing between ')' and '('",
    "a +": "a column is missing after '+' at the end",
    "a + * b": "a column is missing between '+' and '*'",
    "a - -b": "a column is missing between '-' and '-'",
    "* a": "a column is missing between 'the beginning' and '*'",
    "()": "a column is missing between '(' and ')'",
    "(a": "is never closed",
    "a)": "that was never opened",
    "log(a": "is never closed",
    "log('a)": "is never closed",
    "{a": "is never closed",
    "{}": "lacks the column",
    "I(2)": "'I(2)' in the formula names no column",
    "log()": "'log()' lacks the column it is of",
    "log(a, 2)": "has too many arguments; options go by name",
    "C(a, 'x')": "has too many arguments; options go by name",
    "poly(a)": "lacks its degree: poly(year, 2)",
    "poly(a, 2, degree=2)": "poly() cannot take 'degree' here",
    "poly(a, 0)": "degree of poly() must be a whole number from 1 to 100, not '0'",
    "poly(a, True)": "degree of poly() must be a whole number",
    "bs(a)": "needs df, the number of its columns, at least its degree: bs(year, df=4)",
    "bs(a, 2)": "needs df",
    "C(a + b)": "C() takes the name of a column, not 'C(a + b)'",
    "C(a, reference=['x'])": "C() takes one level as reference, and a list as levels",
    "C(a, levels='x')": "C() takes one level as reference, and a list as levels",
    "I(C(a))": "'C(a)' cannot stand inside another function or a sum",
    "I(poly(a, 2) + 1)": "'poly(a, 2)' cannot stand inside another function or a sum",
    "a**2": "for a square of 'a' write I(a**2) or poly(a, 2)",
    "b + (a)^2": "for a square of 'a' write I(a**2) or poly(a, 2)",
    "a:a": "a column times itself is only itself",
    "log(a) * log( a )": "a column times itself is only itself",
    "(a + b)**0": "a whole number from 1 to 10, not '0'",
    "(a + b)**c": "a whole number from 1 to 10, not 'c'",
    "2 * a": "the number '2' cannot stand there",
    "1:a": "the number '1' cannot stand there",
    "(a - 1)": "the number '1' cannot stand there",
    "(a - 1 + b):c": "and not inside brackets",
    "1e0 + a": "the number '1e0' cannot stand there",
    "0": "leaves no coefficient to estimate",
    "(a - a) / b": "cannot be multiplied out: a bracket takes away everything it adds",
    "a - a - 1": "leaves no coefficient to estimate",
}


@pytest.fixture(autouse=True)
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let whatever would run text as code fail the test."""

    def refuse(*words: Any, **more: Any) -> None:
        pytest.fail(f"a formula was run: {words}")

    # Imported before eval is taken away, because formulaic's own modules may use it.
    design("a", ROWS)
    monkeypatch.setattr(builtins, "eval", refuse)
    monkeypatch.setattr(os, "system", refuse)


def refused(formula: Any, message: str) -> FormulaError:
    started = perf_counter()
    with pytest.raises(FormulaError, match=re.escape(message)) as caught:
        design(formula, ROWS)
    # Milliseconds on any machine; what blows up takes minutes.
    assert perf_counter() - started < 5.0
    assert len(str(caught.value)) < 600
    return caught.value


@pytest.mark.parametrize("formula", CODE)
def test_code_is_refused_and_the_piece_named(formula: str) -> None:
    piece, message = CODE[formula]
    assert refused(formula, message).piece == piece


@pytest.mark.parametrize("formula", LARGE, ids=lambda formula: formula[:30])
def test_what_would_blow_up_is_refused(formula: str) -> None:
    refused(formula, LARGE[formula])


@pytest.mark.parametrize("formula", MEANINGLESS, ids=ascii)
def test_what_has_no_meaning_is_refused(formula: str) -> None:
    refused(formula, MEANINGLESS[formula])


@pytest.mark.parametrize("formula", [None, 3, b"a", ["a"]])
def test_a_formula_is_text(formula: Any) -> None:
    refused(formula, "formula must be text, such as 'year + rater', not ")


@pytest.mark.parametrize(
    "formula",
    [
        "a + " * 450 + "a",
        "(" * 20 + "a" + ")" * 20,
        "I(" + "(" * 18 + "a" + ")" * 18 + ")",
        "I(" + "-" * 38 + "a)",
        "I(a**-10 / 1e300)",
        "(a + b + c + d)**4 - a:b:c:d",
        "a +\n  b",
        "I(a\n * 2)",
        "+ a",
        "- 1 + a",
    ],
)
def test_what_is_only_just_allowed_is_allowed(formula: str) -> None:
    made = design(formula, ROWS)
    assert made.matrix_for(ROWS).tolist() == made.matrix.tolist()
