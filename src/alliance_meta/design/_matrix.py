"""A plan, made once from the rows of a design, turns any rows into its columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
import pandas as pd

from alliance_meta import _checks
from alliance_meta.design._coding import Block, blocks
from alliance_meta.design._columns import (
    CategoricalVariable,
    NumericVariable,
    Variable,
    codes,
    has_columns,
    is_categorical,
    label_of,
    levels_of,
    numeric,
    shown,
)
from alliance_meta.design._formula import Parsed
from alliance_meta.design._pieces import Call, Column, Piece, columns_of
from alliance_meta.design._transforms import Learned, evaluate, learn
from alliance_meta.errors import FormulaError, InputError
from alliance_meta.stats._arrays import BoolArray, FloatArray

__all__ = ["Plan", "matrix_of", "names_of", "plan", "refuse_too_many"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a design knows of the rows it was made from.

    Attributes
    ----------
    intercept : bool
    terms : tuple of tuple of Piece
        Without the intercept.
    coded : tuple of tuple of Block
        The runs of columns of each term.
    factors : mapping of Piece to CategoricalVariable
    learned : mapping of Call to numbers
        What the functions keep: means, knots, polynomials.
    """

    intercept: bool
    terms: tuple[tuple[Piece, ...], ...]
    coded: tuple[tuple[Block, ...], ...]
    factors: Mapping[Piece, CategoricalVariable]
    learned: Learned

    def labels(self) -> list[str]:
        """The terms' labels."""
        return [":".join(self._label(piece) for piece in term) for term in self.terms]

    def _label(self, piece: Piece) -> str:
        return self.factors[piece].column if piece in self.factors else piece.label

    def width(self, piece: Piece, full: bool) -> int:
        """The number of columns of a piece."""
        if piece in self.factors:
            return len(self.factors[piece].levels) - (not full)
        node = piece.node
        option = {"poly": "degree", "bs": "df"}.get(node.function) if isinstance(node, Call) else None
        return int(str(node.option(option))) if isinstance(node, Call) and option else 1


def plan(parsed: Parsed, frame: pd.DataFrame) -> tuple[Plan, tuple[Variable, ...]]:
    """Look at the rows of a design: which columns are levels, and what the functions keep."""
    has_columns(frame, tuple(dict.fromkeys(name for piece in parsed.pieces for name in columns_of(piece.node))))
    used = [piece for piece in parsed.pieces if any(piece in term for term in parsed.terms)]
    factors = {piece: levels_of(frame, piece.node) for piece in used if _is_factor(piece, frame)}  # type: ignore[arg-type]
    _refuse_two_codings(factors)
    learned: dict[Call, tuple[float, ...]] = {}
    variables: dict[Variable, None] = {}
    for piece in used:
        if piece in factors:
            variables.setdefault(factors[piece])
            continue
        learned |= learn(piece.node, frame, piece.label)
        for name in columns_of(piece.node):
            values = numeric(frame, name)
            with np.errstate(over="ignore"):
                mean = float(values.mean())
            low, high = float(values.min()), float(values.max())
            variables.setdefault(NumericVariable(column=name, mean=mean, minimum=low, maximum=high))
    coded = tuple(tuple(runs) for runs in blocks(parsed.intercept, parsed.terms, factors))
    made = Plan(intercept=parsed.intercept, terms=parsed.terms, coded=coded, factors=factors, learned=learned)
    return made, tuple(variables)


def _is_factor(piece: Piece, frame: pd.DataFrame) -> bool:
    if isinstance(piece.node, Column):
        return is_categorical(frame, piece.node.name)
    return isinstance(piece.node, Call) and piece.node.function == "C"


def _refuse_two_codings(factors: Mapping[Piece, CategoricalVariable]) -> None:
    first: dict[str, Piece] = {}
    for piece, variable in factors.items():
        other = first.setdefault(variable.column, piece)
        if other is not piece:
            raise FormulaError(
                f"the formula has column {variable.column!r} both as {other.label!r} and as {piece.label!r}: "
                "write it in the same way every time",
                piece=piece.label,
            )


def names_of(plan: Plan) -> list[tuple[str, ...]]:
    """The names of the columns of each term."""
    named = []
    for runs in plan.coded:
        names: list[str] = []
        for block in runs:
            run = [""]
            for piece, full in block:
                run = [f"{old}:{new}" if old else new for new in _piece_names(piece, full, plan) for old in run]
            names += run
        named.append(tuple(names))
    every = [name for names in named for name in names]
    if "intercept" in (*every, *plan.labels()):
        raise FormulaError("'intercept' is the name of the constant: rename the column", piece="intercept")
    twice = sorted({name for name in every if every.count(name) > 1})
    if twice:
        raise FormulaError(
            f"two coefficients would both be called {_checks.listed(twice)}: rename the column or its levels",
            piece=twice[0],
        )
    return named


def _piece_names(piece: Piece, full: bool, plan: Plan) -> list[str]:
    variable = plan.factors.get(piece)
    if variable is None:
        width = plan.width(piece, full)
        return [piece.label] if width == 1 else [f"{piece.label}[{i + 1}]" for i in range(width)]
    return [f"{variable.column}[{label_of(level)}]" for level in variable.levels if full or level != variable.reference]


def matrix_of(plan: Plan, frame: pd.DataFrame) -> FloatArray:
    """The design's columns for any rows, shape (k, p)."""
    needed = dict.fromkeys(coded for runs in plan.coded for block in runs for coded in block)
    values = {(piece, full): _piece_values(piece, full, plan, frame) for piece, full in needed}
    columns = [np.ones((len(frame), 1))] if plan.intercept else []
    for runs in plan.coded:
        for block in runs:
            run = np.ones((len(frame), 1))
            for coded in block:
                with np.errstate(all="ignore"):
                    product = values[coded][:, :, None] * run[:, None, :]
                run = product.reshape(len(frame), product.shape[1] * product.shape[2])
            label = ":".join(piece.label for piece, _ in block)
            _refuse_infinite(label, run, frame)
            columns.append(run)
    return np.concatenate(columns, axis=1)


def _piece_values(piece: Piece, full: bool, plan: Plan, frame: pd.DataFrame) -> FloatArray:
    variable = plan.factors.get(piece)
    if variable is None:
        values = evaluate(piece.node, frame, plan.learned, piece.label)
        _refuse_infinite(piece.label, values, frame)
        return values
    place = codes(frame, variable)
    coded = [i for i, level in enumerate(variable.levels) if full or level != variable.reference]
    return np.asarray(place[:, None] == np.array(coded)[None, :], dtype=float)


def _refuse_infinite(label: str, values: FloatArray, frame: pd.DataFrame) -> None:
    bad: BoolArray = np.asarray(~np.isfinite(values).all(axis=1))
    remedy = "The formula overflows or divides by 0 there: rescale the column, or leave those rows out."
    with np.errstate(all="ignore"):
        sums = values.sum(axis=1)
    _checks.refuse_rows(label, "must be finite", remedy, bad, shown(sums), frame.index)


def refuse_too_many(plan: Plan, k: int) -> None:
    """Refuse more coefficients than rows, before the columns are made."""
    widths = [sum(prod(plan.width(*coded) for coded in block) for block in runs) for runs in plan.coded]
    p = plan.intercept + sum(widths)
    if p > k:
        each = [f"{label} ({width})" for label, width in zip(plan.labels(), widths, strict=True)]
        parts = ", ".join([*(["intercept (1)"] if plan.intercept else []), *each])
        raise InputError(f"the formula asks for {p} coefficients of {k} rows: {parts}. Leave terms out.")
