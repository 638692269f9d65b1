"""The frozen results, and the words they print."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isinf, isnan
from typing import Literal

import numpy as np
import pandas as pd

from alliance_meta import _checks
from alliance_meta._tables import SummaryTable, apa, number, p_value, small
from alliance_meta.effects import EffectSizes
from alliance_meta.stats import heterogeneity
from alliance_meta.stats.inference import critical_value

__all__ = [
    "PREDICTION_METHODS",
    "QUANTITIES",
    "TAU2_METHODS",
    "TESTS",
    "TEST_NAMES",
    "DisplayScale",
    "Interval",
    "PoolSettings",
    "PooledEffect",
    "PredictionMethod",
    "Tau2Method",
    "TestMethod",
]

Tau2Method = Literal["REML", "DL", "EE"]
TestMethod = Literal["z", "t", "knapp-hartung", "knapp-hartung-adhoc"]
PredictionMethod = Literal["t(k-2)", "metafor"]

TAU2_METHODS: dict[Tau2Method, str] = {
    "REML": "restricted maximum likelihood",
    "DL": "DerSimonian-Laird",
    "EE": "the assumption of equal effects (tau² = 0)",
}
TESTS: dict[TestMethod, str] = {
    "z": "the normal distribution",
    "t": "the t distribution",
    "knapp-hartung": "the Knapp-Hartung method",
    "knapp-hartung-adhoc": "the Knapp-Hartung method with the ad hoc correction",
}
TEST_NAMES: dict[TestMethod, str] = {
    "z": "z test",
    "t": "t test",
    "knapp-hartung": "Knapp–Hartung test",
    "knapp-hartung-adhoc": "Knapp–Hartung test with ad hoc correction",
}
PREDICTION_METHODS: dict[PredictionMethod, str] = {
    "t(k-2)": "t distribution with k - 2 degrees of freedom",
    "metafor": "the distribution of the test",
}
_METAFOR_TESTS = {"z": "z", "t": "t", "knapp-hartung": "knha", "knapp-hartung-adhoc": "adhoc"}

QUANTITIES: dict[str, str] = {
    "estimate": "pooled effect",
    "std_error": "standard error",
    "statistic": "test statistic",
    "df": "degrees of freedom of the test",
    "p_value": "p value",
    "ci_low": "confidence interval, lower bound",
    "ci_high": "confidence interval, upper bound",
    "pi_low": "prediction interval, lower bound",
    "pi_high": "prediction interval, upper bound",
    "tau2": "between-study variance tau2",
    "tau2_low": "interval of tau2, lower bound",
    "tau2_high": "interval of tau2, upper bound",
    "i2": "I2 from tau2 (percent)",
    "h2": "H2 from tau2",
    "i2_q": "I2 from Q (percent)",
    "h2_q": "H2 from Q",
    "q_statistic": "Cochran's Q",
    "q_df": "degrees of freedom of Q",
    "q_p_value": "p value of Q",
    "k": "number of effects",
    "n": "total sample size",
}
"""One quantity, one name: the closed vocabulary of `quantities()`, reproduction files and reports."""

_ON_EFFECT_SCALE = ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")
_FRAME_COLUMNS = ("term", "estimate", "std_error", "statistic", "df", "p_value", "ci_low", "ci_high")


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An interval on the analysed scale; unpacks as ``low, high``.

    Attributes
    ----------
    low, high : float
        NaN where the interval does not exist; then `note` says why.
    level : float
    kind : str
        What it is an interval of: ``"confidence"``, ``"prediction"`` or ``"tau2"``.
    note : str
    """

    low: float
    high: float
    level: float
    kind: str
    note: str = ""

    def __iter__(self) -> Iterator[float]:
        return iter((self.low, self.high))

    def __repr__(self) -> str:
        note = f" ({self.note})" if self.note else ""
        return f"{100 * self.level:g}% {self.kind} interval [{number(self.low, 4)}, {number(self.high, 4)}]{note}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayScale:
    """A pooled effect on the scale shown to people, such as r for Fisher's z.

    Attributes
    ----------
    scale : str
    estimate, ci_low, ci_high, pi_low, pi_high : float
    level : float
    """

    scale: str
    estimate: float
    ci_low: float
    ci_high: float
    pi_low: float
    pi_high: float
    level: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    """Every option a pooled effect was computed with."""

    tau2_method: Tau2Method
    test: TestMethod


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PooledEffect:
    """The pooled effect of one set of studies. All numbers are on the analysed scale (z for ``ZCOR``).

    Attributes
    ----------
    estimate, std_error : float
    statistic, df, p_value : float
        Test of the measure's null value; `df` is infinite for a z test.
    tau2 : float
        Between-study variance; 0 by assumption under equal effects, NaN with one study.
    i2, h2 : float
        From tau2 (metafor's definition): I2 in percent, H2 a ratio.
    i2_q, h2_q : float
        From Cochran's Q: I2 in percent, H2 a ratio.
    q_statistic, q_df, q_p_value : float
        Cochran's Q.
    k : int
        Number of effects.
    n : float
        Total sample size, NaN where the table does not say.
    settings : PoolSettings
    effects : EffectSizes
    notes : tuple of str
        Why a number is NaN, and what else a reader must know.
    """

    estimate: float
    std_error: float
    statistic: float
    df: float
    p_value: float
    tau2: float
    i2: float
    h2: float
    i2_q: float
    h2_q: float
    q_statistic: float
    q_df: float
    q_p_value: float
    k: int
    n: float
    settings: PoolSettings
    effects: EffectSizes
    notes: tuple[str, ...]

    def confidence_interval(self, level: float = 0.95) -> Interval:
        """Interval of the mean effect, from the distribution of the chosen test.

        Parameters
        ----------
        level : float
            Coverage, between 0 and 1.

        Returns
        -------
        Interval
            On the analysed scale.
        """
        level = _checks.level(level)
        half = float(critical_value(level, self.df)) * self.std_error
        note = "one study leaves the t distribution no degrees of freedom" if isnan(half) else ""
        return Interval(low=self.estimate - half, high=self.estimate + half, level=level, kind="confidence", note=note)

    def prediction_interval(self, level: float = 0.95, *, method: PredictionMethod = "t(k-2)") -> Interval:
        """Interval for the true effect of a new study like these: estimate +- t sqrt(tau2 + std_error**2).

        Parameters
        ----------
        level : float
            Coverage, between 0 and 1.
        method : {"t(k-2)", "metafor"}
            Degrees of freedom of t: k - 2, or metafor's default (those of the test: infinite for a z test,
            k - 1 for the others).

        Returns
        -------
        Interval
            On the analysed scale; NaN where the degrees of freedom or tau2 do not exist.

        References
        ----------
        Higgins, J. P. T., Thompson, S. G., & Spiegelhalter, D. J. (2009). Journal of the Royal Statistical
        Society A, 172, 137-159, eq. 12.
        """
        level = _checks.level(level)
        method = _checks.known_name("prediction interval method", method, tuple(PREDICTION_METHODS))
        df = self.k - 2.0 if method == "t(k-2)" else self.df
        half = float(critical_value(level, df)) * float(np.sqrt(self.tau2 + self.std_error**2))
        note = ""
        if isnan(half):
            note = f"a prediction interval by {method} needs more than {self.k} studies"
        elif self.settings.tau2_method == "EE":
            note = "equal effects are assumed, so this is no wider than sampling error makes it"
        return Interval(low=self.estimate - half, high=self.estimate + half, level=level, kind="prediction", note=note)

    def tau2_interval(self, level: float = 0.95, *, method: Literal["q-profile"] = "q-profile") -> Interval:
        """Interval of the between-study variance, by profiling Q. It holds for every estimator of tau2.

        Parameters
        ----------
        level : float
            Coverage, between 0 and 1.
        method : {"q-profile"}

        Returns
        -------
        Interval
            In squared units of the effects; NaN with one study.

        References
        ----------
        Viechtbauer, W. (2007). Statistics in Medicine, 26, 37-52, section 2.6.
        """
        level = _checks.level(level)
        _checks.known_name("tau2 interval method", method, ("q-profile",))
        bounds = heterogeneity.q_profile_interval(self.effects.effect, self.effects.variance, level)
        low, high = (float(bound) for bound in bounds)
        note = ""
        if isnan(low) or isnan(high):
            note = "one study says nothing about differences between studies"
        elif high == 0.0:
            note = "the effects differ less than sampling error alone would let them; both bounds are set to 0"
        return Interval(low=low, high=high, level=level, kind="tau2", note=note)

    def on_display_scale(self, level: float = 0.95) -> DisplayScale:
        """The estimate and its intervals on the scale shown to people (r for Fisher's z).

        The back-transformed estimate is the median of the distribution of true effects, not its mean.
        """
        shown = self.quantities(level, display=True)
        numbers = {name: shown[name] for name in _ON_EFFECT_SCALE}
        return DisplayScale(scale=self.effects.measure.display_scale, level=_checks.level(level), **numbers)

    def quantities(self, level: float = 0.95, *, display: bool = False) -> dict[str, float]:
        """Every number of the result by its name in `QUANTITIES`.

        Parameters
        ----------
        level : float
            Coverage of the intervals.
        display : bool
            Give the estimate and its intervals on the scale shown to people; standard error and tau2 have no
            counterpart there and stay as analysed.

        Returns
        -------
        dict of str to float
        """
        numbers = {name: float(getattr(self, name)) for name in QUANTITIES if hasattr(self, name)}
        numbers["ci_low"], numbers["ci_high"] = self.confidence_interval(level)
        numbers["pi_low"], numbers["pi_high"] = self.prediction_interval(level)
        numbers["tau2_low"], numbers["tau2_high"] = self.tau2_interval(level)
        if display:
            shown = self.effects.measure.to_display([numbers[name] for name in _ON_EFFECT_SCALE])
            numbers.update(zip(_ON_EFFECT_SCALE, map(float, shown), strict=True))
        return {name: numbers[name] for name in QUANTITIES}

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """One tidy row: term, estimate, std_error, statistic, df, p_value, ci_low, ci_high (analysed scale)."""
        numbers = self.quantities(level)
        return pd.DataFrame([{"term": "overall", **{name: numbers[name] for name in _FRAME_COLUMNS[1:]}}])

    def to_apa(self, level: float = 0.95) -> str:
        """A sentence fit for a paper, in APA style."""
        return _apa_sentence(self, level)

    def to_r(self) -> str:
        """R code that repeats this fit with metafor, data included."""
        return _r_code(self)

    def __repr__(self) -> str:
        shown = self.on_display_scale()
        interval = f"[{number(shown.ci_low, 3)}, {number(shown.ci_high, 3)}]"
        how = f"{self.settings.tau2_method}, {self.settings.test}"
        return f"<PooledEffect: {shown.scale} = {number(shown.estimate, 3)}, 95% CI {interval}, k = {self.k} ({how})>"

    def __str__(self) -> str:
        return _summary(self).to_text()

    def _repr_html_(self) -> str:
        return _summary(self).to_html()

    def to_markdown(self) -> str:
        """The summary as a Markdown table."""
        return _summary(self).to_markdown()


def _studies_text(fit: PooledEffect) -> str:
    people = "" if isnan(fit.n) else f" (N = {fit.n:,.0f})"
    return f"{fit.k} {'study' if fit.k == 1 else 'effects'}{people}"


def _summary(fit: PooledEffect) -> SummaryTable:
    own, shown, settings = fit.effects.measure, fit.on_display_scale(), fit.settings
    model = "Equal-effects" if settings.tau2_method == "EE" else "Random-effects"
    statistic = "z" if isinf(fit.df) else f"t({fit.df:.0f})"
    tau2 = fit.tau2_interval()
    rows = [
        (
            own.display_label,
            number(shown.estimate),
            f"95% CI [{number(shown.ci_low)}, {number(shown.ci_high)}]",
        ),
        ("  true effect of a new study", "", f"95% PI [{number(shown.pi_low)}, {number(shown.pi_high)}]"),
        ("  test of no effect", f"{statistic} = {number(fit.statistic, 2)}", f"p {p_value(fit.p_value)}"),
    ]
    if own.scale != own.display_scale:
        low, high = fit.confidence_interval()
        rows.insert(1, (f"  {own.label}", number(fit.estimate), f"95% CI [{number(low)}, {number(high)}]"))
    rows += [
        (
            "Heterogeneity tau²",
            small(fit.tau2),
            f"95% CI [{small(tau2.low)}, {small(tau2.high)}]",
        ),
        ("  I² from tau², from Q", f"{number(fit.i2, 1)}%", f"{number(fit.i2_q, 1)}%"),
        ("  H² from tau², from Q", number(fit.h2, 2), number(fit.h2_q, 2)),
        (f"  Q({fit.q_df:.0f})", number(fit.q_statistic, 2), f"p {p_value(fit.q_p_value)}"),
    ]
    how = f"tau² by {TAU2_METHODS[settings.tau2_method]}; mean tested by {TESTS[settings.test]}"
    caveat = (fit.effects.caveat,) if fit.effects.caveat else ()
    return SummaryTable(
        title=f"{model} meta-analysis of {_studies_text(fit)}",
        header=("", "estimate", "interval or test"),
        rows=tuple(rows),
        right=frozenset({1}),
        notes=(how, *fit.notes, *fit.effects.notes, *caveat),
    )


_APA_ESTIMATORS = {"REML": "restricted maximum likelihood", "DL": "DerSimonian–Laird estimator", "EE": ""}


def _apa_sentence(fit: PooledEffect, level: float) -> str:
    own, shown, settings = fit.effects.measure, fit.on_display_scale(level), fit.settings
    percent = f"{100 * level:g}%"

    def effect(value: float) -> str:
        return apa(value, 2, bounded=own.bounded)

    model = "An equal-effects" if settings.tau2_method == "EE" else "A random-effects"
    methods = ", ".join(filter(None, (_APA_ESTIMATORS[settings.tau2_method], TEST_NAMES[settings.test])))
    statistic = "z" if isinf(fit.df) else f"t({fit.df:.0f})"
    sentence = (
        f"{model} meta-analysis{f' ({methods})' if methods else ''} of k = {fit.k} "
        f"{'effect' if fit.k == 1 else 'effects'}{'' if isnan(fit.n) else f' (N = {fit.n:,.0f})'} gave a pooled "
        f"{shown.scale} = {effect(shown.estimate)}, {percent} CI [{effect(shown.ci_low)}, {effect(shown.ci_high)}]"
    )
    if not isnan(fit.p_value):
        sentence += f", {statistic} = {apa(fit.statistic)}, p {p_value(fit.p_value)}"
    if fit.k == 1:
        return f"{sentence}; heterogeneity cannot be estimated from one study."
    if not isnan(shown.pi_low) and settings.tau2_method != "EE":
        sentence += (
            f"; true effects of comparable studies are expected between {effect(shown.pi_low)} and "
            f"{effect(shown.pi_high)} ({percent} prediction interval)"
        )
    low, high = fit.tau2_interval(level)
    tau2 = (
        f"τ² = {apa(fit.tau2, 3)}, {percent} CI [{apa(low, 3)}, {apa(high, 3)}], "
        if settings.tau2_method != "EE"
        else ""
    )
    return (
        f"{sentence}. Heterogeneity: Q({fit.q_df:.0f}) = {apa(fit.q_statistic)}, p {p_value(fit.q_p_value)}, "
        f"{tau2}I² = {apa(fit.i2, 0)}%." + (f" ({fit.effects.caveat})" if fit.effects.caveat else "")
    )


def _r_code(fit: PooledEffect) -> str:
    def vector(values: np.ndarray) -> str:
        return f"c({', '.join(repr(float(value)) for value in values)})"

    settings, effects = fit.settings, fit.effects
    labels = ", ".join(_r_string(label) for label in effects.labels)
    control = ", control = list(threshold = 1e-12, maxiter = 1000)" if settings.tau2_method == "REML" else ""
    lines = [
        "library(metafor)",
        *([f"# {effects.caveat}"] if effects.caveat else []),
        f"# {effects.measure.label}",
        f"yi <- {vector(effects.effect)}",
        f"vi <- {vector(effects.variance)}",
        f"slab <- c({labels})",
        f'fit <- rma(yi, vi, method = "{settings.tau2_method}", test = "{_METAFOR_TESTS[settings.test]}", '
        f"slab = slab{control})",
        "print(fit, digits = 6)",
    ]
    if fit.k > 1 and settings.tau2_method != "EE":
        lines.append("print(confint(fit, control = list(tol = 1e-13)), digits = 6)")
    if effects.measure.code == "ZCOR":
        lines.append("print(predict(fit, transf = transf.ztor), digits = 6)")
    return "\n".join(lines) + "\n"


def _r_string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'
