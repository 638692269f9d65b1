"""How a pooled effect was computed, from the effect of one study to the back-transformed mean."""

from __future__ import annotations

from math import isinf, isnan
from typing import TYPE_CHECKING

import numpy as np

from alliance_meta._tables import p_value
from alliance_meta.results import _words
from alliance_meta.results._explained_ends import interval_equations, on_shown_scale, quantile, remarks, step_of_test
from alliance_meta.results._explained_study import Sample, followed, of_one_study, shares
from alliance_meta.results._explained_tau2 import Between, Weighted, steps_of_tau2
from alliance_meta.results._explanation import Equation, Explanation, Step
from alliance_meta.results._formula_text import given, num, plain
from alliance_meta.stats._arrays import FloatArray

if TYPE_CHECKING:
    from alliance_meta.results._pooled import PooledEffect

__all__ = ["explain_mean"]

_MU, _SE = r"\hat{\mu}", "SE"


def explain_mean(fit: PooledEffect, study: str | None, level: float) -> Explanation:
    """The computation of a pooled effect."""
    sample = followed(fit.effects, study)
    between = Between(sample, np.ones((fit.k, 1)), fit.settings.tau2_method, fit.tau2, fit.settings.q_weights)
    steps = of_one_study(sample)
    if fit.k > 1:
        steps += [*_first_mean(fit, between), _cochran(fit, between), *steps_of_tau2(between)]
    random = between.at(1.0 / (sample.v + np.nan_to_num(fit.tau2)))
    a = random.weight if fit.settings.given_weights is None else np.asarray(fit.settings.given_weights, dtype=float)
    steps += _mean(fit, sample, a)
    steps += _std_error(fit, between, random, a)
    steps += [step_of_test("the mean", _MU, fit.estimate, fit.std_error, fit.statistic, fit.df, fit.p_value)]
    steps += [_interval(fit, level)]
    if fit.k > 1:
        steps += [_inconsistency(fit, sample)]
    if fit.k > 1 and fit.settings.tau2_method != "EE":
        steps += [_prediction(fit, level)]
    return Explanation(
        title=f"How the pooled effect of {fit.k} {'study' if fit.k == 1 else 'effects'} was computed: "
        f"{fit.effects.measure.label}",
        steps=(*steps, *_shown(fit, level)),
        conclusion=_words.apa_sentence(fit, level),
        level=level,
        notes=remarks(fit.notes, fit.effects.notes, fit.effects.caveat),
    )


# Equal effects


def _first_mean(fit: PooledEffect, between: Between) -> list[Step]:
    sample = between.sample
    plain_fit = between.at(1.0 / sample.v)
    weight, i = plain_fit.weight, sample.index
    words = (
        "A precise study should count more. So each study gets the weight w = 1 / v: a study with half the variance "
        "counts twice. The last column multiplies weights and effects."
    )
    table = sample.worksheet({"yᵢ": sample.y, "vᵢ": sample.v, "S:wᵢ = 1/vᵢ": weight, "S:wᵢ yᵢ": weight * sample.y})
    one = Equation(
        name="weight_equal_effects",
        tex=f"w_{i}",
        formula=rf"\frac{{1}}{{v_{i}}}",
        put_in=(rf"\frac{{1}}{{{num(sample.v[sample.row])}}}",),
        value=float(weight[sample.row]),
    )
    ahead = "" if fit.settings.tau2_method == "EE" else " It is needed to see how far the studies scatter."
    return [
        Step(title="Weights from the sampling variances", words=words, equations=(one,), worksheet=table),
        Step(
            title="A first mean, as if all studies had the same true effect",
            words=f"The weighted mean: the sum of weights times effects, divided by the sum of the weights.{ahead}",
            equations=(_weighted_mean(sample, weight, "w", r"\bar{y}", "estimate_equal_effects", _center(plain_fit)),),
        ),
    ]


def _center(fit: Weighted) -> float:
    return float(fit.fitted[0])


def _weighted_mean(sample: Sample, a: FloatArray, w: str, tex: str, name: str, value: float) -> Equation:
    top, bottom = float((a * sample.y).sum()), float(a.sum())
    long = rf"\frac{{{sample.products(a, sample.y)}}}{{{sample.total(a)}}}"
    return Equation(
        name=name,
        tex=tex,
        formula=rf"\frac{{\sum {w}_i\,y_i}}{{\sum {w}_i}}",
        put_in=(long, rf"\frac{{{num(top)}}}{{{num(bottom)}}}"),
        value=value,
    )


def _cochran(fit: PooledEffect, between: Between) -> Step:
    at = between.at(1.0 / between.sample.v)
    k = fit.k
    words = (
        "Cochran's Q adds up how far each study lies from that mean, squared and weighted. If only sampling error were "
        f"at work, Q would be about its degrees of freedom, k − 1 = {k - 1}. A value as large as this or larger would "
        f"then come about with probability p {p_value(fit.q_p_value)} (chi-square distribution)."
    )
    q = Equation(
        name="q_statistic",
        tex="Q",
        formula=r"\sum w_i (y_i - \bar{y})^2",
        put_in=(between.squares(at),),
        value=fit.q_statistic,
    )
    df = Equation(name="q_df", tex="df", formula="k - 1", put_in=(f"{k} - 1",), value=fit.q_df, shown=str(k - 1))
    p = Equation(name="q_p_value", tex="p_Q", formula=rf"P(\chi^2_{{{k - 1}}} > {num(fit.q_statistic)})",
                 value=fit.q_p_value)  # fmt: skip
    return Step(title="How far the studies scatter: Q", words=words, equations=(q, df, p), result="q_statistic")


# The mean and its standard error


def _mean(fit: PooledEffect, sample: Sample, a: FloatArray) -> list[Step]:
    row, i = sample.row, sample.index
    own = fit.settings.given_weights is None
    total = np.nan_to_num(fit.tau2)
    if fit.k == 1:
        equation = Equation(name="estimate", tex=_MU, formula=f"y_{i}", value=fit.estimate)
        return [Step(title="The mean", words="With one study there is nothing to pool.", equations=(equation,))]
    if not own:
        words = f"The weights of the mean are not those of the model but chosen ({fit.settings.weights})."
        one = Equation(name="weight", tex=f"a_{i}", value=float(a[row]), shown=given(float(a[row])))
    elif fit.settings.tau2_method == "EE":
        words = "Since τ² is 0, the weights stay as they are. The last column says what share of the mean a study has."
        one = Equation(name="weight", tex=f"w^*_{i}", formula=f"w_{i}", value=float(a[row]))
    else:
        words = (
            "A study's effect differs from the mean of all true effects by τ² and by sampling error. So the weights "
            "become w* = 1 / (v + τ²). The larger τ², the more alike they are; the last column says what share of the "
            "mean a study has."
        )
        one = Equation(
            name="weight",
            tex=f"w^*_{i}",
            formula=rf"\frac{{1}}{{v_{i} + \tau^2}}",
            put_in=(rf"\frac{{1}}{{{num(sample.v[row])} + {num(total)}}}",),
            value=float(a[row]),
        )
    w, head = ("w^*", "w*ᵢ") if own else ("a", "aᵢ")
    table = sample.worksheet(
        {"yᵢ": sample.y, "vᵢ": sample.v, f"S:{head}": a, f"S:{head} yᵢ": a * sample.y, "S:share in %": shares(a)}
    )
    mean = _weighted_mean(sample, a, w, _MU, "estimate", fit.estimate)
    kind = "true effect of all studies" if fit.settings.tau2_method == "EE" else "mean of the true effects"
    return [
        Step(title="The weights of the mean", words=words, equations=(one,), worksheet=table),
        Step(title="The mean", words=f"The pooled effect estimates the {kind}.", equations=(mean,)),
    ]


def _std_error(fit: PooledEffect, between: Between, random: Weighted, a: FloatArray) -> list[Step]:
    sample, hartung = between.sample, fit.settings.test.startswith("knapp-hartung")
    own = fit.settings.given_weights is None
    total = float(a.sum())
    if own:
        value = 1.0 / total**0.5
        formula = r"\frac{1}{\sqrt{\sum w^*_i}}" if fit.k > 1 else rf"\sqrt{{v_{sample.index}}}"
        put_in = rf"\frac{{1}}{{\sqrt{{{num(total)}}}}}" if fit.k > 1 else rf"\sqrt{{{num(sample.v[0])}}}"
        words = "The weights are inverse variances, so together they say how precise the mean is."
        words = words if fit.k > 1 else "It is the root of the study's sampling variance."
    else:
        spread = sample.v + np.nan_to_num(fit.tau2)
        value = float(np.sqrt(((a / total) ** 2 * spread).sum()))
        top = sample.plus(lambda i: rf"{given(float(a[i]))}^2 \times {num(spread[i])}")
        formula = r"\frac{\sqrt{\sum a_i^2 (v_i + \tau^2)}}{\sum a_i}"
        put_in = rf"\frac{{\sqrt{{{top}}}}}{{{num(total)}}}"
        words = "It follows from the variances v + τ² of the effects and the weights that were chosen."
    title = "The standard error of the mean"
    name, tex = ("std_error_plain", _SE + "_0") if hartung else ("std_error", _SE)
    first = Equation(name=name, tex=tex, formula=formula, put_in=(put_in,), value=value)
    step = Step(title=title, words=words, equations=(first,))
    if not hartung:
        return [step]
    if fit.k == 1:
        missing = "Knapp and Hartung's method compares studies; one study has none to be compared with."
        return [step, Step(title="Knapp and Hartung's factor", words=missing)]
    return [step, _knapp_hartung(fit, between, random, value)]


def _knapp_hartung(fit: PooledEffect, between: Between, random: Weighted, plain_error: float) -> Step:
    adhoc, factor = fit.settings.test.endswith("adhoc"), random.residual_ss / between.df
    words = (
        "τ² is itself only estimated. Knapp and Hartung look how far the studies really scatter about the mean, with "
        "the new weights: the factor q is about 1 if the weights are right. Its root multiplies the standard error."
    )
    if adhoc:
        words += " With the ad hoc correction q is not let below 1, so that the standard error never shrinks."
    mean = "" if fit.settings.given_weights is None else f" about their own mean {plain(num(_center(random)))}"
    if mean:
        words += f" The factor takes the model's weights 1 / (v + τ²), and the scatter{mean}."
    q = Equation(
        name="knapp_hartung_q",
        tex="q",
        formula=r"\frac{\sum w^*_i (y_i - \hat{\mu})^2}{k - 1}",
        put_in=(
            rf"\frac{{{between.squares(random)}}}{{{fit.k} - 1}}",
            rf"\frac{{{num(random.residual_ss)}}}{{{fit.k - 1}}}",
        ),
        value=factor,
    )
    inside, largest = (r"\max(1, q)", rf"\max(1, {num(factor)})") if adhoc else ("q", num(factor))
    error = Equation(
        name="std_error",
        tex=_SE,
        formula=rf"\sqrt{{{inside}}} \times SE_0",
        put_in=(rf"\sqrt{{{largest}}} \times {num(plain_error)}",),
        value=fit.std_error,
    )
    return Step(title="Knapp and Hartung's factor", words=words, equations=(q, error))


# Test and intervals


def _interval(fit: PooledEffect, level: float) -> Step:
    title = f"The {100 * level:g}% confidence interval of the mean"
    low, high = fit.confidence_interval(level)
    if isnan(low):
        words = "There is none: one study leaves the t distribution no degrees of freedom. test='z' gives one."
        return Step(title=title, words=words)
    factor = quantile(level, fit.df, "critical_value")
    source = "normal distribution" if isinf(fit.df) else f"t distribution with k − 1 = {fit.df:g} degrees of freedom"
    words = (
        f"From the mean go as many standard errors to each side as leaves {100 * (1 - level) / 2:g}% of the {source} "
        f"beyond each end. Intervals made like this hold the true mean {100 * level:g} times in 100."
    )
    half = _SE, num(fit.std_error), fit.std_error
    numbers = (factor.tex, num(factor.value))
    bounds = interval_equations(_MU, fit.estimate, half, numbers, (low, high), ("ci_low", "ci_high"))
    return Step(title=title, words=words, equations=(factor, *bounds))


def _inconsistency(fit: PooledEffect, sample: Sample) -> Step:
    title, weight = "The share of heterogeneity: I²", 1.0 / sample.v
    if fit.settings.tau2_method == "EE":
        words = "I² is the share of Q above its degrees of freedom; 0 where Q is below them."
        top = rf"{num(fit.q_statistic)} - {fit.k - 1}"
        cut = (r"\text{below 0, so}",) if fit.q_statistic < fit.q_df else ()
        equation = Equation(
            name="i2",
            tex="I^2",
            formula=r"100 \times \frac{Q - (k - 1)}{Q}",
            put_in=(rf"100 \times \frac{{{top}}}{{{num(fit.q_statistic)}}}", *cut),
            value=fit.i2,
            shown=rf"{num(fit.i2)}\%",
        )
        return Step(title=title, words=words, equations=(equation,))
    total, square = float(weight.sum()), float((weight**2).sum())
    typical = (fit.k - 1.0) * total / (total**2 - square)
    words = (
        "I² says what share of the scatter of the effects is due to differences between true effects, for a study with "
        "the typical sampling variance s². It is no measure of how large those differences are: that is τ²."
    )
    variance = Equation(
        name="typical_variance",
        tex="s^2",
        formula=r"\frac{(k - 1) \sum w_i}{(\sum w_i)^2 - \sum w_i^2}",
        put_in=(rf"\frac{{{fit.k - 1} \times {num(total)}}}{{{num(total)}^2 - {num(square)}}}",),
        value=typical,
    )
    tau2 = num(fit.tau2)
    equation = Equation(
        name="i2",
        tex="I^2",
        formula=r"100 \times \frac{\tau^2}{\tau^2 + s^2}",
        put_in=(rf"100 \times \frac{{{tau2}}}{{{tau2} + {num(typical)}}}",),
        value=fit.i2,
        shown=rf"{num(fit.i2)}\%",
    )
    return Step(title=title, words=words, equations=(variance, equation))


def _prediction(fit: PooledEffect, level: float) -> Step:
    title = f"The {100 * level:g}% prediction interval"
    if fit.k == 2:
        return Step(title=title, words="There is none: two studies leave k − 2 = 0 degrees of freedom.")
    low, high = fit.prediction_interval(level)
    factor = quantile(level, fit.k - 2.0, "prediction_critical_value")
    words = (
        "Where would the true effect of a new study lie? True effects scatter with variance τ² about the mean, and the "
        f"mean is uncertain by SE². Both are added, and the root is multiplied by the quantile of t with k − 2 = "
        f"{fit.k - 2} degrees of freedom."
    )
    value = float(np.sqrt(fit.tau2 + fit.std_error**2))
    spread = Equation(
        name="prediction_std_error",
        tex="s_{new}",
        formula=r"\sqrt{\tau^2 + SE^2}",
        put_in=(rf"\sqrt{{{num(fit.tau2)} + {num(fit.std_error)}^2}}",),
        value=value,
    )
    half = "s_{new}", num(value), value
    bounds = interval_equations(
        _MU, fit.estimate, half, (factor.tex, num(factor.value)), (low, high), ("pi_low", "pi_high")
    )
    return Step(title=title, words=words, equations=(factor, spread, *bounds))


# The scale that is shown


def _shown(fit: PooledEffect, level: float) -> list[Step]:
    own = fit.effects.measure
    if own.scale == own.display_scale:
        return []
    scale = fit.on_display_scale(level)
    letter = {"r": "r", "OR": r"\mathrm{OR}", "RR": r"\mathrm{RR}", "alpha": r"\alpha"}.get(
        own.display_scale, r"\mathrm{ratio}"
    )
    ci, pi = fit.confidence_interval(level), fit.prediction_interval(level)
    equal = fit.settings.tau2_method == "EE"
    parts = [("display_estimate", letter, (_MU, fit.estimate), scale.estimate)]
    for kind, bounds in (("CI", ci), ("PI", pi)):
        for side, bound in zip(("low", "high"), bounds, strict=True):
            symbol, name = rf"\mathrm{{{kind}}}_{{\mathrm{{{side}}}}}", f"{kind.lower()}_{side}"
            shown = rf"{letter} \text{{ of }} {symbol}"
            parts.append((f"display_{name}", shown, (symbol, bound), getattr(scale, name)))
    equations = tuple(
        on_shown_scale(fit, name, tex, source, value)
        for name, tex, source, value in parts
        if not (isnan(value) or (equal and name.startswith("display_pi")))
    )
    words = (
        f"Everything so far is on the scale that was analysed ({own.scale}). The same transformation backwards gives "
        f"{own.display_scale}, for the mean and for each end of the intervals. A standard error cannot be taken back "
        "like this."
    )
    return [Step(title=f"Back to {own.display_scale}", words=words, equations=equations)]
