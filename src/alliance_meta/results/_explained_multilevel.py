"""How the mean of a multilevel model was computed: covariances of effects, weights from their inverse, the mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from alliance_meta.errors import InputError
from alliance_meta.results import _multilevel_words
from alliance_meta.results._explained_ends import interval_equations, on_shown_scale, quantile, remarks, step_of_test
from alliance_meta.results._explained_study import Sample, followed, of_one_study, shares
from alliance_meta.results._explanation import Equation, Explanation, Step, Worksheet
from alliance_meta.results._formula_text import num, plain
from alliance_meta.results._vocabulary import TAU2_METHODS
from alliance_meta.stats._arrays import FloatArray, IntArray
from alliance_meta.stats.multilevel import nested_groups, sampling_correlation

if TYPE_CHECKING:
    from alliance_meta.results._multilevel import Multilevel

__all__ = ["explain_multilevel"]

_MOST_EFFECTS = 5
_MU = r"\hat{\mu}"


def explain_multilevel(fit: Multilevel, study: str | None, level: float) -> Explanation:
    """The computation of a multilevel mean."""
    if fit.names != ("intercept",):
        raise InputError(
            f"explain() shows the multilevel model of the mean; {fit.settings.formula!r} has moderators. "
            "meta_regression(...).explain() shows how moderators work, with independent effects"
        )
    several = next(iter(fit.effects.shared_studies()), None)
    sample = followed(fit.effects, several if study is None else study)
    sampling, total, block = _covariances(fit, sample.row)
    weight = np.asarray(np.linalg.solve(total, np.ones(fit.k)), dtype=np.float64)
    steps = [
        *of_one_study(sample),
        _sampling(fit, sample, sampling, block),
        _components(fit),
        _model(fit, sample, total, block),
        _weights(fit, total, weight, block),
        *_mean(fit, sample, weight),
        *_intervals(fit, level),
        *_shown(fit, level),
    ]
    return Explanation(
        title=f"How the multilevel mean of {fit.k} effects was computed: {fit.effects.measure.label}",
        steps=tuple(steps),
        conclusion=_multilevel_words.apa_sentence(fit),
        level=level,
        notes=remarks(fit.notes, fit.effects.notes, fit.effects.caveat),
    )


def _covariances(fit: Multilevel, row: int) -> tuple[FloatArray, FloatArray, IntArray]:
    """Covariances of sampling errors, and of the effects in all, (k, k); the rows of the study that is followed."""
    table, k = fit.effects.table, fit.k
    codes = nested_groups([table[name].astype(str).to_numpy() for name in fit.settings.levels])
    crossed = [table[name].astype(str).to_numpy() for name in fit.settings.crossed]
    same = [np.eye(k, dtype=bool), *(code[:, None] == code for code in (*codes, *crossed))]
    root = np.sqrt(fit.effects.variance)
    r = sampling_correlation(fit.correlation, np.arange(k)[None, :])[0]
    if fit.correlation is not None and fit.correlation.ndim == 1:
        r = np.where(np.eye(k, dtype=bool), 1.0, fit.correlation[:, None])
    sampling = np.where(same[1], r * root[:, None] * root, 0.0)
    total = sampling + sum(part * each for part, each in zip(fit.components.tolist(), same, strict=True))
    return sampling, np.asarray(total), np.flatnonzero(same[1][row])


def _table(fit: Multilevel, matrix: FloatArray, block: IntArray, more: dict[str, FloatArray]) -> Worksheet:
    """The first rows and columns of a study's block."""
    at = block[:_MOST_EFFECTS]
    dots = len(block) > len(at)
    header = ("effect i", *(str(i + 1) for i in at), *(("…",) if dots else ()), *more)
    rows = [
        (
            f"{i + 1}  {fit.effects.labels[i]}",
            *(plain(num(float(matrix[i, j]))) for j in at),
            *(("…",) if dots else ()),
            *(plain(num(float(column[i]))) for column in more.values()),
        )
        for i in at
    ]
    return Worksheet(header=header, rows=(*rows, *((("…",) * len(header),) if dots else ())))


def _named(fit: Multilevel, sample: Sample, block: IntArray) -> str:
    name = str(fit.effects.table[fit.settings.levels[0]].iloc[sample.row])
    return f"{fit.settings.levels[0]} {name} has {len(block)} {'effect' if len(block) == 1 else 'effects'}"


def _sampling(fit: Multilevel, sample: Sample, sampling: FloatArray, block: IntArray) -> Step:
    if fit.settings.correlation:
        how = (
            "Effects of one study come from the same people, so their sampling errors go together. With the assumed "
            f"correlation ({fit.settings.correlation}), two of them have the covariance: correlation times the roots "
            "of both variances."
        )
    else:
        how = "The sampling errors of effects of one study are taken to be independent, so all covariances are 0."
    words = f"{_named(fit, sample, block)}. {how} The table has variances on its diagonal, covariances beside it."
    title = "Covariances of sampling errors within a study: V"
    return Step(title=title, words=words, worksheet=_table(fit, sampling, block, {}))


def _tex(at: int) -> str:
    return rf"\sigma^2_{{{at + 1}}}"


def _components(fit: Multilevel) -> Step:
    parts = [f"{plain(_tex(at))} for each {name}" for at, name in enumerate(fit.levels)]
    words = (
        f"True effects differ at several levels, and each has a variance of its own: {', '.join(parts)}. The estimator "
        f"here: {TAU2_METHODS[fit.settings.tau2_method]}. There is no closed formula: a computer tries values until "
        "the effects found are as likely as can be, that is, until ℓ, the logarithm of the likelihood, is highest."
    )
    equations = tuple(
        Equation(name=f"component[{name}]", tex=_tex(at), value=float(fit.components[at]))
        for at, name in enumerate(fit.levels)
    )
    height = Equation(name="log_likelihood", tex=r"\ell", value=fit.log_likelihood)
    return Step(title="How much true effects differ at each level", words=words, equations=(height, *equations))


def _model(fit: Multilevel, sample: Sample, total: FloatArray, block: IntArray) -> Step:
    row = sample.row
    shared = " + ".join(_tex(at) for at in range(len(fit.levels)))
    put_in = " + ".join(num(float(part)) for part in (sample.v[row], *fit.components))
    one = Equation(
        name="total_variance",
        tex=rf"m_{sample.index}",
        formula=rf"v_{sample.index} + {shared}",
        put_in=(put_in,),
        value=float(total[row, row]),
    )
    words = (
        "An effect differs from the mean by its sampling error and by the differences at every level, so its variance "
        "is the sum of all these. Two effects of the same study share what belongs to their study: their covariance is "
        "that of their sampling errors plus the variances of the levels they share."
    )
    table = _table(fit, total, block, {})
    return Step(title="Covariances of the effects of this study: M", words=words, equations=(one,), worksheet=table)


def _weights(fit: Multilevel, total: FloatArray, weight: FloatArray, block: IntArray) -> Step:
    names = ", ".join(f"a_{{{i + 1}}}" for i in block[:_MOST_EFFECTS]) if len(block) > 1 else ""
    words = (
        "The weight of an effect is the sum of its row in the inverse of M. An effect alone in its study would have "
        "just 1 / variance. Effects that share much with others of their study count less: they repeat each other."
    )
    if fit.settings.crossed:
        words += " Crossed factors tie effects of different studies, so M is inverted for all effects at once."
    together = float(weight[block].sum())
    equation = Equation(
        name="study_weight",
        tex="A",
        formula=r"\sum a_i",
        put_in=(_sum_over(weight, block),) if names else (),
        value=together,
    )
    table = _table(fit, np.asarray(np.linalg.inv(total), dtype=np.float64), block, {"aᵢ": weight})
    title = "The weights of this study's effects: rows of the inverse of M"
    return Step(
        title=title, words=f"{words} A is what the study weighs in all.", equations=(equation,), worksheet=table
    )


def _sum_over(values: FloatArray, rows: IntArray) -> str:
    """A sum over some rows, the middle ones as dots."""
    shown = [num(float(values[i])) for i in rows]
    return " + ".join(shown if len(shown) <= _MOST_EFFECTS else [*shown[:2], r"\cdots", shown[-1]]).replace("+ -", "- ")


def _mean(fit: Multilevel, sample: Sample, weight: FloatArray) -> list[Step]:
    top, bottom = float((weight * sample.y).sum()), float(weight.sum())
    table = sample.worksheet(
        {"yᵢ": sample.y, "S:aᵢ": weight, "S:aᵢ yᵢ": weight * sample.y, "S:share in %": shares(weight)}
    )
    mean = Equation(
        name="estimate",
        tex=_MU,
        formula=r"\frac{\sum a_i\,y_i}{\sum a_i}",
        put_in=(
            rf"\frac{{{sample.products(weight, sample.y)}}}{{{sample.total(weight)}}}",
            rf"\frac{{{num(top)}}}{{{num(bottom)}}}",
        ),
        value=fit.estimate,
    )
    error = Equation(
        name="std_error",
        tex="SE",
        formula=r"\frac{1}{\sqrt{\sum a_i}}",
        put_in=(rf"\frac{{1}}{{\sqrt{{{num(bottom)}}}}}",),
        value=float(fit.std_errors[0]),
    )
    words = (
        "All studies get their weights like this; the mean is the sum of weights times effects over that of weights."
    )
    precise = "The weights say how precise the mean is."
    return [
        Step(title="The mean", words=words, equations=(mean,), worksheet=table),
        Step(title="The standard error of the mean", words=precise, equations=(error,)),
    ]


def _intervals(fit: Multilevel, level: float) -> list[Step]:
    row = fit.to_frame(level).iloc[0]
    df, error = float(row["df"]), float(row["std_error"])
    test = step_of_test("the mean", _MU, fit.estimate, error, float(row["statistic"]), df, float(row["p_value"]))
    factor = quantile(level, df, "critical_value")
    low, high = fit.confidence_interval(level)
    bounds = interval_equations(
        _MU,
        fit.estimate,
        ("SE", num(error), error),
        (factor.tex, num(factor.value)),
        (low, high),
        ("ci_low", "ci_high"),
    )
    counted = {
        "t": "The degrees of freedom are the number of the outermost groups less 1.",
        "satterthwaite": "The degrees of freedom are Satterthwaite's: they allow for the uncertainty of the variances.",
        "z": "The test takes the variances as known, so the distribution is normal.",
    }[fit.settings.test]
    words = f"From the mean go as many standard errors to each side as the quantile says. {counted}"
    interval = Step(
        title=f"The {100 * level:g}% confidence interval of the mean", words=words, equations=(factor, *bounds)
    )
    value = float(np.sqrt(fit.tau2 + error**2))
    inside = " + ".join(_tex(at) for at in range(len(fit.levels)))
    spread = Equation(
        name="prediction_std_error",
        tex="s_{new}",
        formula=rf"\sqrt{{{inside} + SE^2}}",
        put_in=(rf"\sqrt{{{' + '.join(num(float(part)) for part in fit.components)} + {num(error)}^2}}",),
        value=value,
    )
    half = "s_{new}", num(value), value
    ends = (fit.estimate - factor.value * value, fit.estimate + factor.value * value)
    outer = interval_equations(_MU, fit.estimate, half, (factor.tex, num(factor.value)), ends, ("pi_low", "pi_high"))
    wide = "Where would the true effect found by one measure in a new study lie? The variances of all levels count."
    prediction = Step(title=f"The {100 * level:g}% prediction interval", words=wide, equations=(spread, *outer))
    return [test, interval, prediction]


def _shown(fit: Multilevel, level: float) -> list[Step]:
    own = fit.effects.measure
    if own.scale == own.display_scale:
        return []
    scale = fit.on_display_scale(level)
    tex = r"r" if own.display_scale == "r" else r"\mathrm{shown}"
    low, high = fit.confidence_interval(level)
    parts = (
        ("display_estimate", tex, (_MU, fit.estimate), scale.estimate),
        ("display_ci_low", rf"{tex} \text{{ of }} \mathrm{{CI}}_{{\mathrm{{low}}}}",
         (r"\mathrm{CI}_{\mathrm{low}}", low), scale.ci_low),
        ("display_ci_high", rf"{tex} \text{{ of }} \mathrm{{CI}}_{{\mathrm{{high}}}}",
         (r"\mathrm{CI}_{\mathrm{high}}", high), scale.ci_high),
    )  # fmt: skip
    equations = tuple(on_shown_scale(fit, *part) for part in parts)
    words = f"The analysed scale is {own.scale}; this takes the mean and its interval back to {own.display_scale}."
    return [Step(title=f"Back to {own.display_scale}", words=words, equations=equations)]
