"""The coefficients of a meta-regression: a line's from weighted sums, others' in matrix form."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from alliance_meta.results._explained_study import Sample
from alliance_meta.results._explanation import Equation, Step, Worksheet
from alliance_meta.results._formula_text import given, minus, num, plain, signed
from alliance_meta.stats._arrays import FloatArray

if TYPE_CHECKING:
    from alliance_meta.results._regression import MetaRegression

__all__ = ["column_of", "is_line", "line_steps", "matrix_steps", "symbol_of"]

_MOST_COLUMNS = 4
_PRECISION = "Precise studies, and moderators that differ much between studies, make coefficients precise."


def is_line(fit: MetaRegression) -> bool:
    """Whether there is one moderator's column beside the intercept."""
    return len(fit.names) == 2 and fit.names[0] == "intercept"


def symbol_of(fit: MetaRegression, j: int) -> str:
    """A coefficient's symbol: b_0 is the intercept's."""
    return f"b_{{{j if 'intercept' in fit.names else j + 1}}}"


def column_of(fit: MetaRegression, j: int) -> str:
    """A column's symbol."""
    return symbol_of(fit, j).replace("b", "x")


class _Line(NamedTuple):
    """Weighted means of a moderator and the effects, and sums of squares and products about them."""

    w: FloatArray
    x: FloatArray
    y: FloatArray
    mean_x: float
    mean_y: float
    s_xx: float
    s_xy: float


def _line(x: FloatArray, y: FloatArray, w: FloatArray) -> _Line:
    total = w.sum()
    mean_x, mean_y = float((w * x).sum() / total), float((w * y).sum() / total)
    s_xx, s_xy = float((w * (x - mean_x) ** 2).sum()), float((w * (x - mean_x) * (y - mean_y)).sum())
    return _Line(w, x, y, mean_x, mean_y, s_xx, s_xy)


def line_steps(fit: MetaRegression, sample: Sample, w: FloatArray) -> list[Step]:
    """Slope and intercept of one moderator, and their standard errors, from weighted sums."""
    line = _line(fit.design.matrix[:, 1], sample.y, w)
    slope = Equation(
        name=f"coefficient[{fit.names[1]}]",
        tex="b_1",
        formula=r"\frac{S_{xy}}{S_{xx}}",
        put_in=(rf"\frac{{{num(line.s_xy)}}}{{{num(line.s_xx)}}}",),
        value=float(fit.coefficients[1]),
    )
    intercept = Equation(
        name="coefficient[intercept]",
        tex="b_0",
        formula=r"\bar{y} - b_1 \bar{x}",
        put_in=(rf"{num(line.mean_y)} - {signed(slope.value)} \times {signed(line.mean_x, given)}",),
        value=float(fit.coefficients[0]),
    )
    words = (
        "The line that lies closest to the effects, in weighted squares, goes through both weighted means. Its slope "
        "is how effects and moderator deviate from their means together, by how much the moderator deviates by itself. "
        "This solves the normal equations: Σ w* e = 0 and Σ w* x e = 0 for the residuals e."
    )
    return [
        Step(title="Weighted means, squares and products", words=words, equations=_sums(sample, line)),
        Step(title="The coefficients", words="The slope, then the intercept.", equations=(slope, intercept)),
        Step(title="Their standard errors", words=_PRECISION, equations=_errors_of_line(fit, line)),
    ]


def _sums(sample: Sample, line: _Line) -> tuple[Equation, ...]:
    w, x, y, mean_x, mean_y, s_xx, s_xy = line

    def mean(name: str, letter: str, values: FloatArray, value: float) -> Equation:
        write = given if letter == "x" else num
        products = sample.plus(lambda i: rf"{num(w[i])} \times {signed(values[i], write)}")
        top = rf"\frac{{{products}}}{{{sample.total(w)}}}"
        short = rf"\frac{{{num(float((w * values).sum()))}}}{{{num(float(w.sum()))}}}"
        formula = rf"\frac{{\sum w^*_i {letter}_i}}{{\sum w^*_i}}"
        return Equation(name=name, tex=rf"\bar{{{letter}}}", formula=formula, put_in=(top, short), value=value,
                        shown=given(value) if letter == "x" else "")  # fmt: skip

    square = Equation(
        name="sum_xx",
        tex="S_{xx}",
        formula=r"\sum w^*_i (x_i - \bar{x})^2",
        put_in=(sample.plus(lambda i: f"{num(w[i])} {minus(x[i], mean_x, given)}^2"),),
        value=s_xx,
    )
    product = Equation(
        name="sum_xy",
        tex="S_{xy}",
        formula=r"\sum w^*_i (x_i - \bar{x}) (y_i - \bar{y})",
        put_in=(sample.plus(lambda i: f"{num(w[i])} {minus(x[i], mean_x, given)} {minus(y[i], mean_y)}"),),
        value=s_xy,
    )
    return mean("mean_x", "x", x, mean_x), mean("mean_y", "y", y, mean_y), square, product


def _errors_of_line(fit: MetaRegression, line: _Line) -> tuple[Equation, ...]:
    total = float(line.w.sum())
    of_slope, of_intercept = line.s_xx**-0.5, (1.0 / total + line.mean_x**2 / line.s_xx) ** 0.5
    return (
        _std_error(fit, 1, r"\frac{1}{\sqrt{S_{xx}}}", rf"\frac{{1}}{{\sqrt{{{num(line.s_xx)}}}}}", of_slope),
        _std_error(
            fit,
            0,
            r"\sqrt{\frac{1}{\sum w^*_i} + \frac{\bar{x}^2}{S_{xx}}}",
            rf"\sqrt{{\frac{{1}}{{{num(total)}}} + \frac{{{signed(line.mean_x, given)}^2}}{{{num(line.s_xx)}}}}}",
            of_intercept,
        ),
    )


def _std_error(fit: MetaRegression, j: int, formula: str, put_in: str, value: float) -> Equation:
    """The standard error that the weights give a coefficient: the fit's own, unless Knapp and Hartung's comes yet."""
    hartung = fit.settings.test.startswith("knapp-hartung")
    return Equation(
        name=f"std_error{'_plain' if hartung else ''}[{fit.names[j]}]",
        tex=rf"SE{'_0' if hartung else ''}({symbol_of(fit, j)})",
        formula=formula,
        put_in=(put_in,),
        value=value if hartung else float(fit.std_errors[j]),
    )


def matrix_steps(fit: MetaRegression, sample: Sample, w: FloatArray) -> list[Step]:
    """Coefficients and standard errors in matrix form, with the matrices as tables."""
    x, y, p = fit.design.matrix, sample.y, len(fit.names)
    left, right = x.T @ (w[:, None] * x), x.T @ (w * y)
    root = np.linalg.qr(np.sqrt(w)[:, None] * x)[1]
    back = np.linalg.inv(root)
    inverse = back @ back.T
    words = (
        "The coefficients solve p equations, X'WX b = X'Wy. Each cell on the left is a sum over studies of w* times "
        "the numbers of two columns; the right side has w* times a column times the effect. A row of the table is an "
        "equation."
    )
    solved = (
        "The inverse C of the left side solves them: each coefficient is a row of C times the right side; the root of "
        "C's diagonal is the standard error."
    )
    coefficients = tuple(
        Equation(
            name=f"coefficient[{name}]",
            tex=symbol_of(fit, j),
            formula=r"\sum_m C_{jm} (X^{\top} W y)_m",
            put_in=(" + ".join(rf"{signed(inverse[j, m])} \times {signed(right[m])}" for m in range(p)),),
            value=float(fit.coefficients[j]),
        )
        for j, name in enumerate(fit.names)
    )
    errors = tuple(
        _std_error(fit, j, r"\sqrt{C_{jj}}", rf"\sqrt{{{num(inverse[j, j])}}}", float(np.sqrt(inverse[j, j])))
        for j in range(p)
    )
    return [
        Step(title="The normal equations", words=words, worksheet=_table(fit, left, ("right side", right))),
        Step(title="The coefficients", words=solved, equations=coefficients, worksheet=_table(fit, inverse)),
        Step(title="Their standard errors", words=_PRECISION, equations=errors),
    ]


def _table(fit: MetaRegression, matrix: FloatArray, *more: tuple[str, FloatArray]) -> Worksheet:
    """A matrix with a row and a column for each coefficient, and further columns."""
    shown = range(min(len(matrix), _MOST_COLUMNS))
    dots = ("…",) if len(matrix) > len(shown) else ()
    symbols = [plain(symbol_of(fit, j)) for j in range(len(matrix))]
    rows = [
        (
            f"{symbols[j]}  {name}",
            *(plain(num(float(matrix[j, m]))) for m in shown),
            *dots,
            *(plain(num(float(each[j]))) for _, each in more),
        )
        for j, name in enumerate(fit.names)
    ]
    header = ("", *(symbols[m] for m in shown), *dots, *(head for head, _ in more))
    return Worksheet(header=header, rows=tuple(rows))
