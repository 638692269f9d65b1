"""`PooledEffect` and the intervals it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isnan
from typing import Literal

import numpy as np
import pandas as pd

from alliance_meta import _checks
from alliance_meta._tables import number
from alliance_meta.effects import EffectSizes
from alliance_meta.results import _words
from alliance_meta.results._vocabulary import (
    PREDICTION_METHODS,
    QUANTITIES,
    PredictionMethod,
    Tau2Method,
    TestMethod,
)
from alliance_meta.stats import heterogeneity
from alliance_meta.stats.inference import critical_value

__all__ = ["DisplayScale", "Interval", "PoolSettings", "PooledEffect"]

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
    """Every option a pooled effect was computed with.

    Attributes
    ----------
    tau2_method, test : str
    weights : str
        What weights the mean has: ``"inverse-variance"``, ``"equal"``, ``"column 'n'"`` or ``"given"``.
    given_weights : tuple of float or None
        The weights, where they are not the model's own.
    q_weights : tuple of float or None
        Weights of the generalised Q statistic, for ``"GENQ"``.
    """

    tau2_method: Tau2Method
    test: TestMethod
    weights: str = "inverse-variance"
    given_weights: tuple[float, ...] | None = None
    q_weights: tuple[float, ...] | None = None


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
        Society A, 172, 137-159.
        """
        level = _checks.level(level)
        method = _checks.known_name("prediction interval method", method, tuple(PREDICTION_METHODS))
        df = self.k - 2.0 if method == "t(k-2)" else self.df
        half = float(critical_value(level, df)) * float(np.sqrt(self.tau2 + self.std_error**2))
        note = ""
        if isnan(half):
            least = "2 studies" if method == "t(k-2)" else "1 study"
            note = f"a prediction interval by {method} needs more than {least}"
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
        Viechtbauer, W. (2007). Statistics in Medicine, 26, 37-52.
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
        return _words.apa_sentence(self, level)

    def to_r(self) -> str:
        """R code that repeats this fit with metafor, data included."""
        return _words.r_code(self)

    def __repr__(self) -> str:
        shown = self.on_display_scale()
        interval = f"[{number(shown.ci_low, 3)}, {number(shown.ci_high, 3)}]"
        how = f"{self.settings.tau2_method}, {self.settings.test}"
        caveat = f"; {self.effects.caveat}" if self.effects.caveat else ""
        numbers = f"{shown.scale} = {number(shown.estimate, 3)}, 95% CI {interval}, k = {self.k} ({how})"
        return f"<PooledEffect: {numbers}{caveat}>"

    def __str__(self) -> str:
        return _words.summary_table(self).to_text()

    def _repr_html_(self) -> str:
        return _words.summary_table(self).to_html()

    def to_markdown(self) -> str:
        """The summary as a Markdown table."""
        return _words.summary_table(self).to_markdown()
