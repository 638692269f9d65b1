"""`PooledEffect` and the intervals it is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from alliance_meta import _checks
from alliance_meta._tables import number
from alliance_meta.effects import EffectSizes
from alliance_meta.results import _explained_mean, _intervals, _words
from alliance_meta.results._explanation import Explanation
from alliance_meta.results._interval import DisplayScale, Interval, Proportion
from alliance_meta.results._vocabulary import (
    QUANTITIES,
    MeanInterval,
    PredictionMethod,
    ProportionInterval,
    Tau2Interval,
    Tau2Method,
    TestMethod,
)

__all__ = ["PoolSettings", "PooledEffect"]

_ON_EFFECT_SCALE = ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")
_FRAME_COLUMNS = ("term", "estimate", "std_error", "statistic", "df", "p_value", "ci_low", "ci_high")


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

    def confidence_interval(
        self,
        level: float = 0.95,
        *,
        method: MeanInterval | str = "test",
        replicates: int = 10_000,
        seed: int = 1,
        workers: int | None = None,
    ) -> Interval:
        """Interval of the mean effect.

        Parameters
        ----------
        level : float
            Coverage, between 0 and 1.
        method : {"test", "henmi-copas", "profile", "permutation", "parametric-bootstrap", "case-bootstrap"}
            ``"test"`` takes the distribution of the chosen test. Henmi and Copas's is centred on the mean with
            equal-effects weights. The profile likelihood's is that of maximum likelihood. The permutation interval
            inverts the sign-flip test of the chosen test's statistic. The bootstraps refit the model to effects drawn
            from it, or to studies drawn with replacement, and give percentiles.
        replicates, seed, workers : int
            For the last three. The numbers do not depend on the number of threads.

        Returns
        -------
        Interval
            On the analysed scale.

        References
        ----------
        Henmi, M., & Copas, J. B. (2010). Statistics in Medicine, 29, 2969-2983.
        Hardy, R. J., & Thompson, S. G. (1996). Statistics in Medicine, 15, 619-629.
        Follmann, D. A., & Proschan, M. A. (1999). Biometrics, 55, 732-737.
        """
        how = _intervals.Resampling(replicates, seed, workers)
        return _intervals.mean_interval(self, _checks.level(level), method, how)

    def prediction_interval(
        self,
        level: float = 0.95,
        *,
        method: PredictionMethod | str = "t(k-2)",
        replicates: int = 25_000,
        seed: int = 1,
    ) -> Interval:
        """Interval for the true effect of a new study like these: estimate +- t sqrt(tau2 + std_error**2).

        Parameters
        ----------
        level : float
            Coverage, between 0 and 1.
        method : {"t(k-2)", "t(k-1)", "z", "metafor", "nagashima"}
            Degrees of freedom of t: k - 2, k - 1, infinite, or metafor's default (those of the test: infinite for a z
            test, k - 1 for the others). Nagashima's bootstrap also allows for the uncertainty of tau2, which it takes
            by DerSimonian and Laird.
        replicates, seed : int
            For Nagashima's bootstrap.

        Returns
        -------
        Interval
            On the analysed scale; NaN where the degrees of freedom or tau2 do not exist.

        References
        ----------
        Higgins, J. P. T., Thompson, S. G., & Spiegelhalter, D. J. (2009). Journal of the Royal Statistical
        Society A, 172, 137-159.
        Nagashima, K., Noma, H., & Furukawa, T. A. (2019). Statistical Methods in Medical Research, 28, 1689-1702.
        """
        how = _intervals.Resampling(replicates, seed, 1)
        return _intervals.prediction_interval(self, _checks.level(level), method, how)

    def tau2_interval(
        self,
        level: float = 0.95,
        *,
        method: Tau2Interval | str = "q-profile",
        replicates: int = 10_000,
        seed: int = 1,
        workers: int | None = None,
    ) -> Interval:
        """Interval of the between-study variance.

        Parameters
        ----------
        level : float
            Coverage, between 0 and 1.
        method : {"q-profile", "biggerstaff-jackson", "jackson", "profile", "wald", "wald-log", "bootstrap"}
            Profiling Q holds for every estimator of tau2, and so do the generalised Q's with weights 1 / variance
            (Biggerstaff and Jackson) and 1 / standard error (Jackson). The profile likelihood needs REML or ML. Wald's
            is a large-sample one, cut off at 0, or on the logarithm. The bootstrap is parametric.
        replicates, seed, workers : int
            For the bootstrap. The numbers do not depend on the number of threads.

        Returns
        -------
        Interval
            In squared units of the effects; NaN with one study.

        Raises
        ------
        InputError
            For a method that this fit's estimator has not.

        References
        ----------
        Viechtbauer, W. (2007). Statistics in Medicine, 26, 37-52.
        Biggerstaff, B. J., & Jackson, D. (2008). Statistics in Medicine, 27, 6093-6110.
        Jackson, D. (2013). Research Synthesis Methods, 4, 220-229.
        """
        how = _intervals.Resampling(replicates, seed, workers)
        return _intervals.tau2_interval(self, _checks.level(level), method, how)

    def i2_interval(self, level: float = 0.95, *, method: Tau2Interval | str = "q-profile") -> Interval:
        """Interval of I2 (percent): its definition from tau2, at the bounds of `tau2_interval`."""
        return _intervals.inconsistency_interval(self, self.tau2_interval(level, method=method), "i2")

    def h2_interval(self, level: float = 0.95, *, method: Tau2Interval | str = "q-profile") -> Interval:
        """Interval of H2: its definition from tau2, at the bounds of `tau2_interval`."""
        return _intervals.inconsistency_interval(self, self.tau2_interval(level, method=method), "h2")

    def proportion_above(
        self,
        threshold: float,
        level: float = 0.95,
        *,
        method: ProportionInterval | str = "delta",
        replicates: int = 10_000,
        seed: int = 1,
        workers: int | None = None,
    ) -> Proportion:
        """Proportion of true effects above a threshold, taking them as normal.

        Parameters
        ----------
        threshold : float
            On the scale shown to people: an r for Fisher's z.
        level : float
            Coverage of the interval, between 0 and 1.
        method : {"delta", "bootstrap"}
            The delta method needs a standard error of tau2, which DL2, CA2 and SJ have not. The bootstrap is
            parametric.
        replicates, seed, workers : int
            For the bootstrap. The numbers do not depend on the number of threads.

        Returns
        -------
        Proportion

        References
        ----------
        Mathur, M. B., & VanderWeele, T. J. (2019). Statistics in Medicine, 38, 1336-1342.
        """
        how = _intervals.Resampling(replicates, seed, workers)
        return _intervals.proportion_above(self, threshold, _checks.level(level), method, how)

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

    def explain(self, study: str | None = None, level: float = 0.95) -> Explanation:
        """The computation of this result, step by step: formula, these studies' numbers put in, result.

        Parameters
        ----------
        study : str, optional
            The label, study or effect id of the effect that is followed from what the study reports; the first
            without it.
        level : float
            Of the intervals, between 0 and 1.

        Returns
        -------
        Explanation
            Printing it gives text; a notebook shows formulas; `to_latex()` is for a handout.

        Examples
        --------
        >>> import alliance_meta as am
        >>> effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
        >>> explanation = am.pool(effects, tau2_method="DL").explain()
        >>> for line in str(explanation.steps[5]).splitlines()[-3:]:
        ...     print(line)
            τ² = (Q − (k − 1)) / C
               = (53.19 − 15) / 742.0
               = 0.05147
        """
        return _explained_mean.explain_mean(self, study, _checks.level(level))

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
