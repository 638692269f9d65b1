"""How a meta-regression was computed: moderators as columns, tau2, the normal equations, each coefficient."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

from alliance_meta.results import _regression_words
from alliance_meta.results._explained_coefficients import (
    column_of,
    is_line,
    line_steps,
    matrix_steps,
    symbol_of,
)
from alliance_meta.results._explained_ends import interval_equations, on_shown_scale, quantile, remarks, step_of_test
from alliance_meta.results._explained_study import Sample, followed, of_one_study
from alliance_meta.results._explained_tau2 import Between, Weighted, steps_of_tau2
from alliance_meta.results._explanation import Equation, Explanation, Step
from alliance_meta.results._formula_text import given, num, plain, signed
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.random_effects import random_effects

if TYPE_CHECKING:
    from alliance_meta.results._regression import MetaRegression

__all__ = ["explain_regression"]

_MOST_COLUMNS = 4
_LONGEST_NAME = 20


def explain_regression(fit: MetaRegression, study: str | None, level: float) -> Explanation:
    """The computation of a meta-regression."""
    sample, x = followed(fit.effects, study), fit.design.matrix
    between = Between(sample, x, fit.settings.tau2_method, fit.tau2, fit.settings.q_weights)
    random = between.at(1.0 / (sample.v + fit.tau2))
    normal = line_steps if is_line(fit) else matrix_steps
    steps = [
        *of_one_study(sample),
        _columns(fit, sample),
        _cochran(fit, between),
        *steps_of_tau2(between),
        _weights(fit, sample, random.weight),
        *normal(fit, sample, random.weight),
        *_knapp_hartung(fit, between, random),
        *(_coefficient(fit, j, level) for j in range(x.shape[1])),
        _predicted(fit, sample),
        *_shares(fit, between),
    ]
    return Explanation(
        title=f"How the meta-regression of {fit.k} effects on {fit.settings.formula} was computed",
        steps=tuple(steps),
        conclusion=_regression_words.apa_sentence(fit),
        level=level,
        notes=remarks(fit.notes, fit.effects.notes, fit.effects.caveat),
    )


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _columns(fit: MetaRegression, sample: Sample) -> Step:
    named = "; ".join(f"{plain(symbol_of(fit, j))} belongs to {name!r}" for j, name in enumerate(fit.names))
    words = (
        f"Each moderator becomes a column of numbers, and each column gets a coefficient: {named}. A category is a "
        "column of 1 and 0, so its coefficient is a difference between groups; the intercept is a column of 1."
    )
    at = [j for j, name in enumerate(fit.names) if name != "intercept"][:_MOST_COLUMNS]
    columns = {plain(column_of(fit, j) + "{}").strip(): fit.design.matrix[:, j] for j in at}
    if len(fit.names) - len(at) > 1:
        words += " Only the first columns are shown."
    return Step(
        title="The moderators",
        words=words,
        worksheet=sample.worksheet({"yᵢ": sample.y, "vᵢ": sample.v, **columns}, as_given=tuple(columns)),
    )


def _cochran(fit: MetaRegression, between: Between) -> Step:
    at = between.at(1.0 / between.sample.v)
    words = (
        "A first regression with weights w = 1 / v, as if nothing but the moderators and sampling error made effects "
        f"differ, leaves residuals e. Their weighted squares add up to Q, to be held against k − p = {between.df} "
        f"(p is the number of coefficients, {len(fit.names)})."
    )
    q = Equation(
        name="q_residual",
        tex="Q",
        formula=r"\sum w_i e_i^2",
        put_in=(between.squares(at),),
        value=fit.q_residual,
    )
    p = Equation(
        name="q_residual_p_value",
        tex="p_Q",
        formula=rf"P(\chi^2_{{{between.df}}} > {num(fit.q_residual)})",
        value=fit.q_residual_p_value,
    )
    title = "How far the studies scatter about the regression: Q"
    return Step(title=title, words=words, equations=(q, p), result="q_residual")


def _weights(fit: MetaRegression, sample: Sample, w: FloatArray) -> Step:
    words = "The weights of the regression take in what the moderators leave, τ²: a precise study counts more."
    columns = {"yᵢ": sample.y, "S:w*ᵢ": w, "S:w*ᵢ yᵢ": w * sample.y}
    if is_line(fit):
        x = fit.design.matrix[:, 1]
        columns |= {"xᵢ": x, "S:w*ᵢ xᵢ": w * x}
    i, row = sample.index, sample.row
    one = Equation(
        name="weight",
        tex=f"w^*_{i}",
        formula=rf"\frac{{1}}{{v_{i} + \tau^2}}",
        put_in=(rf"\frac{{1}}{{{num(sample.v[row])} + {num(fit.tau2)}}}",),
        value=float(w[row]),
    )
    return Step(
        title="The weights of the regression",
        words=words,
        equations=(one,),
        worksheet=sample.worksheet(columns, as_given=("xᵢ",)),
    )


# The coefficients


def _knapp_hartung(fit: MetaRegression, between: Between, random: Weighted) -> list[Step]:
    if not fit.settings.test.startswith("knapp-hartung"):
        return []
    adhoc, factor = fit.settings.test.endswith("adhoc"), random.residual_ss / between.df
    words = (
        "τ² is itself only estimated. Knapp and Hartung look how far the effects really lie from the regression, with "
        "these weights: the factor q is about 1 if the weights are right. Its root multiplies each standard error."
    )
    if adhoc:
        words += " With the ad hoc correction q is not let below 1."
    q = Equation(
        name="knapp_hartung_q",
        tex="q",
        formula=r"\frac{\sum w^*_i e_i^2}{k - p}",
        put_in=(
            rf"\frac{{{between.squares(random)}}}{{{between.df_numbers}}}",
            rf"\frac{{{num(random.residual_ss)}}}{{{between.df}}}",
        ),
        value=factor,
    )
    inside, number = (r"\max(1, q)", rf"\max(1, {num(factor)})") if adhoc else ("q", num(factor))
    used = max(1.0, factor) if adhoc else factor
    errors = tuple(
        Equation(
            name=f"std_error[{name}]",
            tex=rf"SE({symbol_of(fit, j)})",
            formula=rf"\sqrt{{{inside}}} \times SE_0({symbol_of(fit, j)})",
            put_in=(rf"\sqrt{{{number}}} \times {num(error / used**0.5 if used else 0.0)}",),
            value=error,
        )
        for j, (name, error) in enumerate(zip(fit.names, fit.std_errors.tolist(), strict=True))
    )
    return [Step(title="Knapp and Hartung's factor", words=words, equations=(q, *errors))]


def _coefficient(fit: MetaRegression, j: int, level: float) -> Step:
    """Test and interval of one coefficient."""
    name, tex = fit.names[j], symbol_of(fit, j)
    row = fit.to_frame(level).iloc[j]
    numbers = [float(row[key]) for key in ("estimate", "std_error", "statistic", "df", "p_value")]
    test = step_of_test(f"{plain(tex)} ({name})", tex, *numbers, suffix=f"[{name}]")
    factor = quantile(level, fit.df, f"critical_value[{name}]")
    half = rf"SE({tex})", num(numbers[1]), numbers[1]
    names = (f"ci_low[{name}]", f"ci_high[{name}]")
    bounds = interval_equations(
        tex, numbers[0], half, (factor.tex, num(factor.value)), (float(row["ci_low"]), float(row["ci_high"])), names
    )
    words = (
        f"{test.words} The {100 * level:g}% interval goes from the coefficient to each side by the quantile times SE."
    )
    title = f"Test and interval of {plain(tex)} ({name})"
    return Step(title=title, words=words, equations=(*test.equations, factor, *bounds), result=test.result)


def _predicted(fit: MetaRegression, sample: Sample) -> Step:
    """The mean effect at the moderators of the study that is followed."""
    values = fit.design.matrix[sample.row]
    fitted = float(values @ fit.coefficients)
    terms = [
        symbol_of(fit, j) if name == "intercept" else rf"{symbol_of(fit, j)} {column_of(fit, j)}"
        for j, name in enumerate(fit.names)
    ]
    numbers = [
        signed(float(b)) if name == "intercept" else rf"{signed(float(b))} \times {signed(float(value), given)}"
        for name, b, value in zip(fit.names, fit.coefficients, values, strict=True)
    ]
    predicted = Equation(
        name="predicted",
        tex=rf"\hat{{\mu}}_{sample.index}",
        formula=" + ".join(terms),
        put_in=(" + ".join(numbers),),
        value=fitted,
    )
    words = (
        "What the regression says: the mean of the true effects of studies with the same moderators as "
        f"{sample.label}. That study's own effect was {plain(num(float(sample.y[sample.row])))}."
    )
    own = fit.effects.measure
    if own.scale == own.display_scale:
        return Step(title="The mean effect of such studies", words=words, equations=(predicted,))
    source = predicted.tex, fitted
    tex = r"\mathrm{shown}" if own.display_scale != "r" else "r"
    shown = on_shown_scale(fit, "display_predicted", tex, source, float(own.to_display(fitted)))
    words += f" The last lines take it back to the scale of {own.display_scale}; coefficients cannot be taken back."
    return Step(title="The mean effect of such studies", words=words, equations=(predicted, shown), result="predicted")


def _shares(fit: MetaRegression, between: Between) -> list[Step]:
    """I2 and R2."""
    if fit.settings.tau2_method == "EE":
        return []
    at = between.at(1.0 / between.sample.v)
    below = float((at.weight * (1.0 - at.leverage)).sum())
    typical = between.df / below
    tau2 = num(fit.tau2)
    i2 = (
        Equation(
            name="typical_variance",
            tex="s^2",
            formula=r"\frac{k - p}{\sum w_i (1 - h_i)}",
            put_in=(rf"\frac{{{between.df}}}{{{num(below)}}}",),
            value=typical,
        ),
        Equation(
            name="i2",
            tex="I^2",
            formula=r"100 \times \frac{\tau^2}{\tau^2 + s^2}",
            put_in=(rf"100 \times \frac{{{tau2}}}{{{tau2} + {num(typical)}}}",),
            value=fit.i2,
            shown=rf"{num(fit.i2)}\%",
        ),
    )
    words = (
        "I² is the share of what the moderators leave that is due to differences between true effects, for a study "
        "with the typical sampling variance s². Weights and leverages are those of the first regression, w = 1 / v."
    )
    steps = [Step(title="The share of heterogeneity that is left: I²", words=words, equations=i2)]
    return steps if isnan(fit.r2) else [*steps, _explained(fit, between)]


def _explained(fit: MetaRegression, between: Between) -> Step:
    sample = between.sample
    alone = float(
        random_effects(
            sample.y,
            sample.v,
            tau2_method=fit.settings.tau2_method,
            test="z",
            q_weights=fit.settings.q_weights,
        ).tau2
    )
    raw = 100.0 * (alone - fit.tau2) / alone
    cut = (rf"{num(raw)}, \text{{ below 0, so}}",) if raw < 0.0 else ()
    words = (
        "How much smaller is τ² than without the moderators? τ₀² is τ² of the mean alone, by the same estimator. With "
        "few studies this share is very uncertain."
    )
    first = Equation(name="tau2_alone", tex=r"\tau_0^2", value=alone)
    share = Equation(
        name="r2",
        tex="R^2",
        formula=r"100 \times \frac{\tau_0^2 - \tau^2}{\tau_0^2}",
        put_in=(rf"100 \times \frac{{{num(alone)} - {num(fit.tau2)}}}{{{num(alone)}}}", *cut),
        value=fit.r2,
        shown=rf"{num(fit.r2)}\%",
    )
    return Step(title="What the moderators explain: R²", words=words, equations=(first, share))
