"""How the between-study variance came about, by each estimator: its own formula, or the equation that it solves.

With moderators k - p stands in place of k - 1, residuals in place of deviations from a mean, and leverages
h_i = w_i x_i'(X'WX)^-1 x_i in place of w_i / sum(w).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import special

from alliance_meta.results._explained_study import Sample
from alliance_meta.results._explanation import Equation, Step
from alliance_meta.results._formula_text import num, plain, signed
from alliance_meta.results._vocabulary import TAU2_METHODS
from alliance_meta.stats._arrays import FloatArray

__all__ = ["Between", "Weighted", "steps_of_tau2", "weighted"]


class Weighted(NamedTuple):
    """A weighted mean or regression: weights, fitted values, residuals and leverages, each (k,)."""

    weight: FloatArray
    fitted: FloatArray
    residual: FloatArray
    leverage: FloatArray

    @property
    def residual_ss(self) -> float:
        """The weighted sum of squared residuals."""
        return float((self.weight * self.residual**2).sum())


def weighted(y: FloatArray, x: FloatArray, weight: FloatArray) -> Weighted:
    """Weighted least squares of y on the columns of x."""
    root = np.sqrt(weight)
    basis, triangle = np.linalg.qr(x * root[:, None])
    fitted = x @ np.linalg.solve(triangle, basis.T @ (y * root))
    fitted = fitted + x @ np.linalg.solve(triangle, basis.T @ ((y - fitted) * root))
    return Weighted(weight, fitted, y - fitted, np.asarray((basis**2).sum(axis=1)))


class Between(NamedTuple):
    """What tau2 is estimated from, and the estimate.

    Attributes
    ----------
    sample : Sample
    x : ndarray, shape (k, p)
        Columns of moderators; ones alone for the mean.
    method : str
    tau2 : float
    q_weights : tuple of float or None
    """

    sample: Sample
    x: FloatArray
    method: str
    tau2: float
    q_weights: tuple[float, ...] | None

    @property
    def alone(self) -> bool:
        """Whether there is a mean only, no moderators."""
        return self.x.shape[1] == 1 and bool((self.x == 1.0).all())

    @property
    def df(self) -> int:
        """The residual degrees of freedom."""
        return int(self.x.shape[0] - self.x.shape[1])

    @property
    def df_tex(self) -> str:
        """Their formula."""
        return "k - 1" if self.alone else "k - p"

    @property
    def df_numbers(self) -> str:
        """The formula with numbers."""
        return f"{self.x.shape[0]} - {self.x.shape[1]}"

    def at(self, weight: FloatArray) -> Weighted:
        """The mean or regression with some weights."""
        return weighted(self.sample.y, self.x, weight)

    def squares(self, fit: Weighted) -> str:
        """Weighted squared deviations, put in."""
        if self.alone:
            return self.sample.squares(fit.weight, self.sample.y, float(fit.fitted[0]))
        return self.sample.plus(lambda i: rf"{num(fit.weight[i])} \times {signed(fit.residual[i])}^2")


def steps_of_tau2(between: Between) -> list[Step]:
    """The steps to tau2."""
    how = _HOW.get(between.method)
    if how is None:
        words = (
            "All studies are taken to estimate one and the same true effect, so the variance between true effects is 0 "
            "by assumption, not by estimation."
        )
        return [Step(title=_TITLE, words=words, equations=(Equation(name="tau2", tex=_TAU2, value=0.0),))]
    return how(between)


_TITLE = "How much true effects differ: τ²"
_TAU2 = r"\tau^2"


def _intro(between: Between) -> str:
    left = "" if between.alone else " that the moderators leave"
    estimator = TAU2_METHODS[between.method].replace("tau²", "τ²")  # type: ignore[index]
    letters = "" if between.alone else (
        "In what follows e is a residual and h a study's leverage: its share in fixing its own fitted value. "
    )  # fmt: skip
    return (
        f"τ² is the variance of the studies' true effects{left}: how much they differ beyond sampling error. "
        f"The estimator here: {estimator}. {letters}"
    )


def _cut(between: Between, raw: float, formula: str, put_in: str, name: str = "tau2", tex: str = _TAU2) -> Equation:
    """A quotient that is taken to be 0 where it is negative."""
    if raw >= 0.0:
        return Equation(
            name=name, tex=tex, formula=formula, put_in=(put_in,), value=raw if name != "tau2" else between.tau2
        )
    lines = (put_in, rf"{num(raw)}, \text{{ below 0, so}}")
    return Equation(name=name, tex=tex, formula=formula, put_in=lines, value=0.0)


def _step(between: Between, words: str, *equations: Equation) -> Step:
    negative = any(r"\text{ below 0" in line for line in equations[-1].put_in)
    cut = " A variance cannot be negative, so a result below 0 counts as 0." if negative else ""
    return Step(title=_TITLE, words=_intro(between) + words + cut, equations=equations)


def _dersimonian_laird(between: Between) -> list[Step]:
    equations, value = _first_dl(between)
    words = (
        f"If {'all true effects were the same' if between.alone else 'the moderators explained all differences'}, Q "
        "would be about its degrees of freedom. What Q has more than that is divided by C, which turns it into the "
        "unit of the effects squared."
    )
    return [_step(between, words, *equations, _cut(between, *value))]


def _first_dl(between: Between) -> tuple[list[Equation], tuple[float, str, str]]:
    """The divisor C, and DerSimonian and Laird's quotient."""
    fit = between.at(1.0 / between.sample.v)
    divisor, total = _divisor(between, fit, "w", "C", "c")
    q = fit.residual_ss
    formula = rf"\frac{{Q - ({between.df_tex})}}{{C}}"
    return [divisor], ((q - between.df) / total, formula, rf"\frac{{{num(q)} - {between.df}}}{{{num(total)}}}")


def _divisor(between: Between, fit: Weighted, w: str, tex: str, name: str) -> tuple[Equation, float]:
    """The trace of P: by what a weighted sum of squares grows with tau2."""
    value = float((fit.weight * (1.0 - fit.leverage)).sum())
    if between.alone:
        total, square = float(fit.weight.sum()), float((fit.weight**2).sum())
        square_of = f"({w}_i)^2" if "^" in w else f"{w}_i^2"
        formula = rf"\sum {w}_i - \frac{{\sum {square_of}}}{{\sum {w}_i}}"
        put_in = (rf"{num(total)} - \frac{{{num(square)}}}{{{num(total)}}}",)
    else:
        formula = rf"\sum {w}_i (1 - h_i)"
        put_in = (between.sample.plus(lambda i: f"{num(fit.weight[i])} (1 - {num(fit.leverage[i])})"),)
    return Equation(name=name, tex=tex, formula=formula, put_in=put_in, value=value), value


def _hedges(between: Between) -> list[Step]:
    equations, value = _first_he(between)
    words = (
        "The effects scatter by the differences between true effects plus sampling error. So the mean sampling "
        "variance is taken off the plain, unweighted variance of the effects."
    )
    return [_step(between, words, *equations, _cut(between, *value))]


def _first_he(between: Between) -> tuple[list[Equation], tuple[float, str, str]]:
    """The plain variance of the effects, the mean sampling variance, and their difference."""
    fit, sample = between.at(np.ones(len(between.sample.y))), between.sample
    spread = float((fit.residual**2).sum()) / between.df
    expected = float((sample.v * (1.0 - fit.leverage)).sum()) / between.df
    if between.alone:
        mean = float(fit.fitted[0])
        centre = [
            Equation(
                name="plain_mean",
                tex=r"\bar{y}",
                formula=r"\frac{\sum y_i}{k}",
                put_in=(rf"\frac{{{sample.total(sample.y)}}}{{{len(sample.y)}}}",),
                value=mean,
            )
        ]
        left, above = r"\frac{\sum (y_i - \bar{y})^2}{k - 1}", sample.squares(None, sample.y, mean)
        right, below, size = r"\frac{\sum v_i}{k}", sample.total(sample.v), str(len(sample.y))
    else:
        centre = []
        left, above = r"\frac{\sum e_i^2}{k - p}", sample.plus(lambda i: f"{signed(fit.residual[i])}^2")
        right, size = r"\frac{\sum v_i (1 - h_i)}{k - p}", between.df_numbers
        below = sample.plus(lambda i: f"{num(sample.v[i])} (1 - {num(fit.leverage[i])})")
    variance = Equation(
        name="variance_of_effects",
        tex="s^2",
        formula=left,
        put_in=(rf"\frac{{{above}}}{{{between.df_numbers}}}",),
        value=spread,
    )
    error = Equation(
        name="mean_variance", tex=r"\bar{v}", formula=right, put_in=(rf"\frac{{{below}}}{{{size}}}",), value=expected
    )
    quotient = (spread - expected, r"s^2 - \bar{v}", f"{num(spread)} - {num(expected)}")
    return [*centre, variance, error], quotient


def _hunter_schmidt(between: Between) -> list[Step]:
    fit, k = between.at(1.0 / between.sample.v), len(between.sample.y)
    total, q = float(fit.weight.sum()), fit.residual_ss
    if between.method == "HS":
        words = "It takes Q less the number of studies k and divides by the sum of the weights."
        value = (q - k) / total, r"\frac{Q - k}{\sum w_i}", rf"\frac{{{num(q)} - {k}}}{{{num(total)}}}"
    else:
        words = "It takes Q over its degrees of freedom, less 1, times k, and divides by the sum of the weights."
        value = (
            k * (q / between.df - 1.0) / total,
            rf"\frac{{k \left(\frac{{Q}}{{{between.df_tex}}} - 1\right)}}{{\sum w_i}}",
            rf"\frac{{{k} \left(\frac{{{num(q)}}}{{{between.df}}} - 1\right)}}{{{num(total)}}}",
        )
    return [_step(between, words, _cut(between, *value))]


def _sidik_jonkman(between: Between) -> list[Step]:
    sample, k = between.sample, len(between.sample.y)
    mean = float(sample.y.mean())
    crude = float(((sample.y - mean) ** 2).sum()) / k
    fit = between.at(1.0 / (sample.v + crude))
    first = Equation(
        name="crude_tau2",
        tex=r"\tau_0^2",
        formula=r"\frac{\sum (y_i - \bar{y})^2}{k}",
        put_in=(rf"\frac{{{sample.squares(None, sample.y, mean)}}}{{{k}}}",),
        value=crude,
    )
    residual = r"(y_i - \bar{y}_0)^2" if between.alone else "e_i^2"
    ratio = Equation(
        name="sj_residual_ss",
        tex="Q_0",
        formula=rf"\sum \frac{{{residual}}}{{v_i + \tau_0^2}}",
        put_in=(between.squares(fit),),
        value=fit.residual_ss,
    )
    last = Equation(
        name="tau2",
        tex=_TAU2,
        formula=rf"\tau_0^2 \times \frac{{Q_0}}{{{between.df_tex}}}",
        put_in=(rf"{num(crude)} \times \frac{{{num(fit.residual_ss)}}}{{{between.df}}}",),
        value=between.tau2,
    )
    centre = (
        f"ȳ₀ = {plain(num(float(fit.fitted[0])))} is the mean with these weights"
        if between.alone
        else "e belongs to these"
    )
    words = (
        f"A crude value τ₀², the plain variance of the effects about their mean {plain(num(mean))}, makes first "
        f"weights 1 / (v + τ₀²); {centre}. How the effects scatter with these weights corrects the crude value."
    )
    return [_step(between, words, first, ratio, last)]


def _generalised(between: Between) -> list[Step]:
    """GENQ, DL2 and CA2: the moment estimator with any weights a."""
    sample, before = between.sample, list[Step]()
    if between.method == "GENQ":
        a = np.asarray(between.q_weights, dtype=float)
        words = "It works as DerSimonian and Laird's does, with the weights a that were given in place of 1 / v. "
    else:
        equations, value = (_first_dl if between.method == "DL2" else _first_he)(between)
        first = max(value[0], 0.0)
        named = "DerSimonian and Laird" if between.method == "DL2" else "Hedges"
        equation = _cut(between, *value, name="first_tau2", tex=r"\tau_1^2")
        words = f"{_intro(between)}In the first step τ² is estimated by {named}."
        before = [Step(title="A first value of τ²", words=words, equations=(*equations, equation))]
        a = 1.0 / (sample.v + first)
        words = f"The second step takes weights a = 1 / (v + τ₁²) with the first τ₁² = {plain(num(first))}. "
    fit = between.at(a)
    expected = float((a * sample.v * (1.0 - fit.leverage)).sum())
    share = r"\frac{a_i}{\sum a_i}" if between.alone else "h_i"
    q = Equation(
        name="q_generalised",
        tex="Q_a",
        formula=r"\sum a_i (y_i - \bar{y}_a)^2" if between.alone else r"\sum a_i e_i^2",
        put_in=(between.squares(fit),),
        value=fit.residual_ss,
    )
    error = Equation(
        name="q_expected",
        tex="E_a",
        formula=rf"\sum a_i v_i \left(1 - {share}\right)",
        put_in=(sample.plus(lambda i: rf"{num(a[i])} \times {num(sample.v[i])} (1 - {num(fit.leverage[i])})"),),
        value=expected,
    )
    divisor, total = _divisor(between, fit, "a", "C_a", "c_generalised")
    quotient = rf"\frac{{{num(fit.residual_ss)} - {num(expected)}}}{{{num(total)}}}"
    last = _cut(between, (fit.residual_ss - expected) / total, r"\frac{Q_a - E_a}{C_a}", quotient)
    centre = f" ȳₐ = {plain(num(float(fit.fitted[0])))} is the mean with these weights." if between.alone else ""
    words += f"Q is what the effects scatter, E what sampling error alone would let it be.{centre}"
    return [*before, _step(between, words, q, error, divisor, last)]


def _paule_mandel(between: Between) -> list[Step]:
    fit = between.at(1.0 / (between.sample.v + between.tau2))
    median = between.method == "PMM"
    target = float(special.chdtri(float(between.df), 0.5)) if median else float(between.df)
    aim = f"the median of chi-square with {between.df} degrees of freedom, {plain(num(target))}" if median else (
        f"its degrees of freedom, {between.df}")  # fmt: skip
    residual = r"(y_i - \hat{\mu})^2" if between.alone else "e_i^2"
    side = Equation(
        name="q_at_tau2",
        tex=r"Q(\tau^2)",
        formula=rf"\sum \frac{{{residual}}}{{v_i + \tau^2}}",
        put_in=(between.squares(fit),),
        value=fit.residual_ss,
    )
    goal = Equation(name="q_target", tex=r"\chi^2_{0.5}" if median else between.df_tex, value=target,
                    shown="" if median else str(between.df))  # fmt: skip
    return [_solved(between, side, goal, f"τ² is the value at which Q, with the weights 1 / (v + τ²), equals {aim}. ")]


def _likelihood(between: Between) -> list[Step]:
    fit, sample = between.at(1.0 / (between.sample.v + between.tau2)), between.sample
    restricted = between.method == "REML"
    squares = sample.plus(lambda i: rf"{num(fit.weight[i])}^2 \times {signed(fit.residual[i])}^2")
    side = Equation(
        name="likelihood_left",
        tex="A",
        formula=r"\sum (w^*_i)^2 (y_i - \hat{\mu})^2" if between.alone else r"\sum (w^*_i)^2 e_i^2",
        put_in=(squares,),
        value=float((fit.weight**2 * fit.residual**2).sum()),
    )
    if restricted:
        goal, _ = _divisor(between, fit, "w^*", "B", "likelihood_right")
    else:
        total = float(fit.weight.sum())
        goal = Equation(
            name="likelihood_right", tex="B", formula=r"\sum w^*_i", put_in=(sample.total(fit.weight),), value=total
        )
    which = (
        "restricted likelihood, which takes into account that the mean is estimated too" if restricted else "likelihood"
    )
    which = which if between.alone else which.replace("mean is", "coefficients are")
    mean = (
        f"μ̂ = {plain(num(float(fit.fitted[0])))} is the mean with them" if between.alone else "e and h belong to them"
    )
    words = (
        f"There is no closed formula: τ² is the value that makes the effects found as likely as can be (the highest "
        f"{which}). There the likelihood is level, which is so when A = B, with weights w* = 1 / (v + τ²); {mean}. "
    )
    return [_solved(between, side, goal, words)]


def _solved(between: Between, side: Equation, goal: Equation, words: str) -> Step:
    """The equation that an iterative estimator solves, both sides at its solution."""
    if between.tau2 > 0.0:
        end = "A computer tries values until both sides agree; here they are at the value found."
    else:
        end = (
            f"Here {side.symbol} is not above {goal.symbol} even at τ² = 0: the effects scatter no more than sampling "
            "error lets them, so τ² is 0."
        )
    last = Equation(name="tau2", tex=_TAU2, value=between.tau2)
    return _step(between, words + end, side, goal, last)


_HOW: dict[str, Callable[[Between], list[Step]]] = {
    "DL": _dersimonian_laird,
    "HE": _hedges,
    "HS": _hunter_schmidt,
    "HSk": _hunter_schmidt,
    "SJ": _sidik_jonkman,
    "GENQ": _generalised,
    "DL2": _generalised,
    "CA2": _generalised,
    "PM": _paule_mandel,
    "EB": _paule_mandel,
    "PMM": _paule_mandel,
    "REML": _likelihood,
    "ML": _likelihood,
}
