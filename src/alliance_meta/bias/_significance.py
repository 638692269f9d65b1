"""`excess_significance()` and `p_curve()`: what the significant results give away."""

from __future__ import annotations

from numbers import Real

import numpy as np
from scipy import special

from alliance_meta import _checks
from alliance_meta.bias._conditions import dependent, few_studies, heterogeneous
from alliance_meta.effects import EffectSizes, given_effects
from alliance_meta.errors import InputError
from alliance_meta.results import TAU2_METHODS, Tau2Method
from alliance_meta.results.bias._significance import (
    ALTERNATIVES,
    Alternative,
    ExcessSignificance,
    ExcessTest,
    PCurve,
)
from alliance_meta.stats import excess_significance as kernel
from alliance_meta.stats import p_curve as curve
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.random_effects import random_effects

__all__ = ["excess_significance", "p_curve", "significance_level"]

_FEW_SIGNIFICANT = 5
_ROUGH = 5.0
_TESTS: tuple[ExcessTest, ...] = ("chi2", "binomial", "exact")


def significance_level(alpha: float) -> float:
    """Return a level of significance that lies strictly between 0 and one half."""
    if not (isinstance(alpha, Real) and 0.0 < alpha < 0.5):
        raise InputError(f"alpha must lie between 0 and 0.5, such as 0.05; got {alpha!r}")
    return float(alpha)


def excess_significance(
    effects: EffectSizes,
    *,
    alpha: float = 0.05,
    alternative: Alternative | str = "two-sided",
    effect: float | None = None,
    tau2_method: Tau2Method | str = "EE",
    test: ExcessTest | str = "exact",
) -> ExcessSignificance:
    """Test whether more effects are significant than their studies' power lets expect.

    Parameters
    ----------
    effects : EffectSizes
        Treated as independent.
    alpha : float
        Of the effects' z tests, below one half.
    alternative : {"two-sided", "greater", "less"}
        Of the effects' z tests; greater than no effect for ``"greater"``.
    effect : float, optional
        The true mean, on the scale shown to people; the pooled one without it.
    tau2_method : str
        As in `pool`; ``"EE"`` takes the true effects as the same, any other averages the power over N(mean, tau2).
    test : {"exact", "chi2", "binomial"}
        By which the result is put in words: all three are computed. The exact one knows that powers differ.

    Returns
    -------
    ExcessSignificance

    Raises
    ------
    InputError
        If `effects` is not an `EffectSizes`, `alpha` is not between 0 and .5, or `effect` is none the measure can have.
    UnknownNameError
        For an unknown alternative, estimator or test.

    Notes
    -----
    With tau2 the expected power has a closed form here; metafor's ``tes`` integrates from -5 to 5 standard deviations.

    References
    ----------
    Ioannidis, J. P. A., & Trikalinos, T. A. (2007). Clinical Trials, 4, 245-253.
    Francis, G. (2013). Journal of Mathematical Psychology, 57, 153-169.

    Examples
    --------
    >>> import alliance_meta as am
    >>> from alliance_meta.bias._significance import excess_significance
    >>> excess_significance(am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR"))
    <ExcessSignificance: 7 significant, 6.7 expected, p = .529 (exact), k = 16>
    """
    given_effects(effects, "excess_significance")
    level = significance_level(alpha)
    side = _checks.known_name("alternative", alternative, ALTERNATIVES)
    estimator = _checks.known_name("tau2_method", tau2_method, tuple(name for name in TAU2_METHODS if name != "GENQ"))
    chosen = _checks.known_name("test", test, _TESTS)
    y, v, null = effects.effect - effects.measure.null, effects.variance, effects.measure.null
    fit = random_effects(y, v, tau2_method=estimator, test="z")
    tau2 = float(np.nan_to_num(fit.tau2))
    mean = float(fit.estimate) if effect is None else _on_analysed_scale(effects, effect) - null
    significant = kernel.significant_studies(y, v, alpha=level, alternative=side)
    power = kernel.power_of_studies(mean, v, tau2, alpha=level, alternative=side)
    found = kernel.excess(significant, power)
    direction = {"two-sided": -1.0 if mean < 0.0 else 1.0, "greater": 1.0, "less": -1.0}[side]
    limits = kernel.limit(significant, v, tau2, direction=direction, alpha=level, alternative=side) + null
    for array in (significant, power):
        array.setflags(write=False)
    return ExcessSignificance(
        effects=effects,
        cautions=(
            *few_studies(effects),
            *dependent(effects),
            *(heterogeneous(effects) if estimator == "EE" else ()),
            *_rough(float(found.expected), effects.k, chosen),
        ),
        notes=_unfitted(bool(fit.converged), estimator),
        k=effects.k,
        observed=int(found.observed),
        expected=float(found.expected),
        statistic=float(found.statistic),
        p_values=_three(found.p_value),
        test=chosen,
        estimate=mean + null,
        given=effect is not None,
        tau2=tau2,
        limits=_three(limits),
        alpha=level,
        alternative=side,
        significant=significant,
        power=power,
    )


def _three(values: FloatArray) -> tuple[float, float, float]:
    first, second, third = values.tolist()
    return first, second, third


def _on_analysed_scale(effects: EffectSizes, effect: float) -> float:
    own = effects.measure
    usable = isinstance(effect, Real) and not isinstance(effect, bool)
    found = float(own.from_display(float(effect))) if usable else np.nan
    if not np.isfinite(found):
        raise InputError(f"effect must be a value of {own.display_scale} that the measure can have, not {effect!r}")
    return found


def _rough(expected: float, k: int, test: str) -> tuple[str, ...]:
    if test != "chi2" or min(expected, k - expected) >= _ROUGH:
        return ()
    return ("fewer than five effects are expected to be significant, or not to be: the chi-square test is rough.",)


def _unfitted(converged: bool, estimator: str) -> tuple[str, ...]:
    return () if converged else (f"{estimator} did not reach its solution, so power is not known; use another.",)


def p_curve(effects: EffectSizes, *, alternative: Alternative | str | None = None) -> PCurve:
    """Test whether the significant p values are mostly very small, or as many of them close to .05.

    Parameters
    ----------
    effects : EffectSizes
        Treated as independent: one p value a study, of the finding it was made for.
    alternative : {"greater", "less"}, optional
        Take only effects above, or below, no effect; without it the significant ones of both signs.

    Returns
    -------
    PCurve

    Raises
    ------
    InputError
        If `effects` is not an `EffectSizes`.
    UnknownNameError
        For an unknown alternative.

    Notes
    -----
    The articles take the studies' own t, F or chi-square. Here each effect's z = (effect - no effect) / standard error
    is taken for all measures: for correlations Fisher's z times sqrt(n - 3), whose p is near that of t; for
    standardized mean differences z is below t, since their variance grows with the effect. Significant is a
    two-sided p below .05. pp values are computed through logarithms and have no smallest value.

    In the half curve, 33 % power is conditioned on p < .025, which makes pp uniform under that hypothesis.

    References
    ----------
    Simonsohn, U., Nelson, L. D., & Simmons, J. P. (2014). Journal of Experimental Psychology: General, 143, 534-547.
    Simonsohn, U., Simmons, J. P., & Nelson, L. D. (2015). Journal of Experimental Psychology: General, 144, 1146-1152.

    Examples
    --------
    >>> import alliance_meta as am
    >>> from alliance_meta.bias._significance import p_curve
    >>> p_curve(am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR"))
    <PCurve: 7 of 16 significant, right skew p < .001, half curve p < .001; power 89%, 90% CI [65%, 97%]>
    """
    given_effects(effects, "p_curve")
    sides: tuple[Alternative, ...] = ("greater", "less")
    side = None if alternative is None else _checks.known_name("alternative", alternative, sides)
    z = (effects.effect - effects.measure.null) / np.sqrt(effects.variance)
    allowed = np.ones(z.shape, dtype=bool) if side is None else z > 0.0 if side == "greater" else z < 0.0
    entered = allowed & (np.abs(z) > curve.critical(curve.ALPHA))
    found = curve.curve_tests(z, entered)
    p_values = 2.0 * special.ndtr(-np.abs(z))
    for array in (z, p_values, entered):
        array.setflags(write=False)
    tests = {name: float(value) for name, value in found._asdict().items() if name not in ("k", "k_half")}
    return PCurve(
        effects=effects,
        cautions=(*_few_significant(int(entered.sum()), effects.k), *dependent(effects), *_both_signs(z[entered])),
        notes=("p values are those of z = effect / standard error, not those of the studies' own tests.",),
        k=effects.k,
        k_significant=int(found.k),
        k_half=int(found.k_half),
        power=float(curve.power_at(z[entered], [0.0])[0]),
        alternative=side,
        statistics=z,
        p_values=p_values,
        entered=entered,
        **tests,
    )


def _few_significant(count: int, k: int) -> tuple[str, ...]:
    if count == 0 or count >= _FEW_SIGNIFICANT:
        return ()
    return (f"only {count} of {k} effects {'is' if count == 1 else 'are'} significant: a curve of so few says little.",)


def _both_signs(z: FloatArray) -> tuple[str, ...]:
    fewer = int(min((z > 0.0).sum(), (z < 0.0).sum()))
    if fewer == 0:
        return ()
    return (
        f"significant effects of both signs enter ({fewer} of {z.size} against the others): a p-curve is for one "
        "hypothesis; choose a side with alternative=.",
    )
