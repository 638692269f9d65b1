"""The functions of a formula. Those that look at all rows learn a few numbers once, and new rows are given the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
import pandas as pd

from alliance_meta import _checks
from alliance_meta.design._columns import numeric, shown
from alliance_meta.design._pieces import Arithmetic, Call, Column, Node, Number, columns_of
from alliance_meta.errors import InputError
from alliance_meta.stats._arrays import FloatArray

__all__ = ["Learned", "evaluate", "learn"]

Learned: TypeAlias = Mapping[Call, tuple[float, ...]]

_OPERATIONS: dict[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "**": np.power,
}


def learn(node: Node, frame: pd.DataFrame, label: str) -> dict[Call, tuple[float, ...]]:
    """What the functions in a tree keep from the rows they first see, the innermost first."""
    match node:
        case Arithmetic():
            return {**learn(node.left, frame, label), **learn(node.right, frame, label)}
        case Call():
            learned = learn(node.argument, frame, label)
            if node.function in _LEARN:
                x = _argument(node, frame, learned, label)
                with np.errstate(all="ignore"):
                    learned[node] = _LEARN[node.function](x, node)
            return learned
    return {}


def evaluate(node: Node, frame: pd.DataFrame, learned: Learned, label: str) -> FloatArray:
    """The columns of a tree, shape (k, m); m is 1 unless the tree is a polynomial or a spline.

    Parameters
    ----------
    node : Node
    frame : DataFrame
    learned : mapping of Call to numbers
        What `learn` returned for the rows of the design.
    label : str
        The piece, for messages about a value that stands in no column.
    """
    match node:
        case Number():
            return np.full((len(frame), 1), node.value)
        case Column():
            return numeric(frame, node.name)[:, None]
        case Arithmetic():
            left, right = evaluate(node.left, frame, learned, label), evaluate(node.right, frame, learned, label)
            # What comes out infinite or undefined is refused, with its rows, by whoever takes the value.
            with np.errstate(all="ignore"):
                return _OPERATIONS[node.symbol](left, right)
        case Call():
            x = _argument(node, frame, learned, label)
            if node.function == "bs":
                low, high = learned[node][:2]
                problem = f"must lie from {low:g} to {high:g}, where bs() knows the curve"
                remedy = "Leave those rows out; poly() and straight lines go on beyond the data, splines do not."
                _checks.refuse_rows(
                    _where(node, label), problem, remedy, (x < low) | (x > high), x.tolist(), frame.index
                )
            with np.errstate(all="ignore"):
                values = _APPLY[node.function](x, node, learned.get(node, ()))
            return values if values.ndim == 2 else values[:, None]


def _argument(node: Call, frame: pd.DataFrame, learned: Learned, label: str) -> FloatArray:
    """What a function is given, refused where it cannot take it."""
    x = evaluate(node.argument, frame, learned, label)[:, 0]
    problem, bad = "must be finite", ~np.isfinite(x)
    if node.function == "log":
        problem, bad = "must exceed 0 for its logarithm", bad | (x <= 0.0)
    elif node.function == "sqrt":
        problem, bad = "must not be negative for its square root", bad | (x < 0.0)
    remedy = "Correct the cells, or leave those rows out."
    _checks.refuse_rows(_where(node, label), problem, remedy, bad, shown(x), frame.index)
    return x


def _where(node: Call, label: str) -> str:
    return node.argument.name if isinstance(node.argument, Column) else label


def _learn_center(x: FloatArray, node: Call) -> tuple[float, ...]:
    del node
    return (float(np.mean(x)),)


def _learn_scale(x: FloatArray, node: Call) -> tuple[float, ...]:
    _distinct(x, 1, node)
    return float(np.mean(x)), float(np.std(x, ddof=1))


def _learn_poly(x: FloatArray, node: Call) -> tuple[float, ...]:
    """The mean; then, of what is left of x, the recurrence of its orthogonal polynomials: alphas, squared norms."""
    degree = _option(node, "degree")
    _distinct(x, degree, node)
    alpha, norm2 = [], [float(len(x))]
    mean = float(np.mean(x))
    x = x - mean
    before, now = np.zeros_like(x), np.ones_like(x)
    for i in range(degree):
        alpha.append(float(np.sum(x * now**2) / norm2[-1]))
        ratio = norm2[-1] / norm2[-2] if i else 0.0
        before, now = now, (x - alpha[-1]) * now - ratio * before
        norm2.append(float(np.sum(now**2)))
    return (mean, *alpha, *norm2)


def _learn_bs(x: FloatArray, node: Call) -> tuple[float, ...]:
    """The boundary knots, and the inner knots at quantiles."""
    df = _option(node, "df")
    _distinct(x, df, node)
    inner = df - _option(node, "degree")
    return float(np.min(x)), float(np.max(x)), *np.quantile(x, np.linspace(0, 1, inner + 2)[1:-1]).tolist()


def _distinct(x: FloatArray, needed: int, node: Call) -> None:
    there = len(np.unique(x))
    if there <= needed:
        name = next(columns_of(node), "")
        raise InputError(
            f"{node.function}() of column {name!r} needs more than {needed} different value"
            f"{'s' if needed > 1 else ''}, and there {'is' if there == 1 else 'are'} {there}",
            column=name,
        )


def _option(node: Call, name: str) -> int:
    return int(str(node.option(name)))


def _poly(x: FloatArray, node: Call, learned: tuple[float, ...]) -> FloatArray:
    degree = _option(node, "degree")
    x = x - learned[0]
    alpha, norm2 = learned[1 : degree + 1], learned[degree + 1 :]
    columns = [np.zeros_like(x), np.ones_like(x)]
    for i in range(degree):
        ratio = norm2[i] / norm2[i - 1] if i else 0.0
        columns.append((x - alpha[i]) * columns[-1] - ratio * columns[-2])
    return np.stack(columns[2:], axis=-1) / np.sqrt(norm2[1:])


def _bs(x: FloatArray, node: Call, learned: tuple[float, ...]) -> FloatArray:
    # Imported here because it takes a fifth of a second, and only splines need it.
    from scipy.interpolate import BSpline

    degree = _option(node, "degree")
    low, high, *inner = learned
    knots = np.array([low] * (degree + 1) + inner + [high] * (degree + 1))
    # Without the first, which the intercept makes up for.
    return np.asarray(BSpline.design_matrix(x, knots, degree).toarray()[:, 1:], dtype=float)


_LEARN: dict[str, Callable[[FloatArray, Call], tuple[float, ...]]] = {
    "bs": _learn_bs,
    "center": _learn_center,
    "poly": _learn_poly,
    "scale": _learn_scale,
}

_APPLY: dict[str, Callable[[FloatArray, Call, tuple[float, ...]], FloatArray]] = {
    "I": lambda x, _, __: x,
    "bs": _bs,
    "center": lambda x, _, learned: x - learned[0],
    "log": lambda x, _, __: np.log(x),
    "poly": _poly,
    "scale": lambda x, _, learned: (x - learned[0]) / learned[1],
    "sqrt": lambda x, _, __: np.sqrt(x),
}
