"""`fail_safe_n()`: how many studies of no effect would undo a result."""

from __future__ import annotations

from math import inf, isinf, isnan, nan

import numpy as np

from alliance_meta import _checks
from alliance_meta._tables import number
from alliance_meta.bias._conditions import dependent, heterogeneous
from alliance_meta.bias._significance import significance_level
from alliance_meta.effects import EffectSizes, given_effects
from alliance_meta.errors import InputError
from alliance_meta.results import TAU2_METHODS, TESTS, Tau2Method, TestMethod
from alliance_meta.results.bias._fail_safe import FAIL_SAFE_METHODS, FailSafeMethod, FailSafeN
from alliance_meta.stats import fail_safe
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.inference import two_sided_p_value
from alliance_meta.stats.random_effects import RandomEffects, random_effects

__all__ = ["fail_safe_n"]

_WEIGHTS = ("equal", "inverse-variance")


def fail_safe_n(
    effects: EffectSizes,
    *,
    method: FailSafeMethod | str = "rosenthal",
    alpha: float = 0.05,
    target: float | None = None,
    weights: str = "equal",
    tau2_method: Tau2Method | str = "REML",
    test: TestMethod | str = "knapp-hartung",
) -> FailSafeN:
    """How many unpublished studies of no effect would undo a result.

    A historical measure: it asks what could be, not what is missing, and Becker (2005) advises against it.

    Parameters
    ----------
    effects : EffectSizes
        Treated as independent.
    method : {"rosenthal", "orwin", "rosenberg", "general"}
        Bring Stouffer's one-sided p up to `alpha`; the mean down to `target`; the two-sided p of the equal-effects
        mean up to `alpha`; or the random-effects mean to `target` or, without one, its p to `alpha`.
    alpha : float
        Below one half.
    target : float, optional
        The mean that would no longer matter, on the scale shown to people (an r for Fisher's z, a ratio for its
        logarithm), on the mean's side of no effect. Orwin's default, half of the mean on the analysed scale, is
        arbitrary and gives k.
    weights : {"equal", "inverse-variance"}
        Of Orwin's mean; with the second a null study counts as much as the average study.
    tau2_method, test : str
        For ``"general"``, as in `pool`. The null studies' effects average no effect and spread as much as effects with
        the observed tau2 and the average precision do; tau2 is estimated again with them.

    Returns
    -------
    FailSafeN

    Raises
    ------
    InputError
        If `effects` is not an `EffectSizes`, `alpha` is not between 0 and .5, or the target is on the other side of no
        effect than the mean, or goes with a method that has none.
    UnknownNameError
        For an unknown method, weights, estimator or test.

    References
    ----------
    Rosenthal, R. (1979). Psychological Bulletin, 86, 638-641.
    Orwin, R. G. (1983). Journal of Educational Statistics, 8, 157-159.
    Rosenberg, M. S. (2005). Evolution, 59, 464-468.
    Becker, B. J. (2005). In Rothstein, Sutton & Borenstein (Eds.), Publication bias in meta-analysis, ch. 7.

    Examples
    --------
    A p value is undone later than a mean:

    >>> import alliance_meta as am
    >>> from alliance_meta.bias._fail_safe import fail_safe_n
    >>> effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
    >>> fail_safe_n(effects)
    <FailSafeN: 268 studies of no effect to bring the combined one-sided p to .05 (rosenthal), k = 16>
    >>> fail_safe_n(effects, method="general", target=0.10)
    <FailSafeN: 23 studies of no effect to bring the mean r to 0.100 (general), k = 16>
    """
    given_effects(effects, "fail_safe_n")
    chosen = _checks.known_name("method", method, FAIL_SAFE_METHODS)
    level = significance_level(alpha)
    weighting = _checks.known_name("weights", weights, _WEIGHTS)
    estimator = _checks.known_name("tau2_method", tau2_method, tuple(name for name in TAU2_METHODS if name != "GENQ"))
    tested = _checks.known_name("test", test, tuple(TESTS))
    if target is not None and chosen in ("rosenthal", "rosenberg"):
        raise InputError(f"method={chosen!r} brings a p value to alpha and takes no target; 'orwin' and 'general' do")
    y, v = effects.effect - effects.measure.null, effects.variance
    aim = None
    if chosen == "orwin" or target is not None:
        mean = _mean(y, v, chosen, weighting, estimator)
        aim = 0.5 * mean if target is None else _target(effects, target, mean)
    numbers = (
        _general(y, v, level, aim, estimator, tested)
        if chosen == "general"
        else _classical(y, v, chosen, level, aim, weighting)
    )
    null = effects.measure.null
    moved = {} if chosen == "rosenthal" else {name: numbers[name] + null for name in ("estimate", "estimate_with")}
    return FailSafeN(
        effects=effects,
        cautions=_cautions(effects, chosen, weighting),
        notes=_notes(numbers, aim),
        method=chosen,
        k=effects.k,
        alpha=level if aim is None else nan,
        target=nan if aim is None else aim + null,
        weights=weighting,
        tau2_method=estimator,
        test=tested,
        **(numbers | moved),
    )


def _mean(y: FloatArray, v: FloatArray, method: str, weights: str, tau2_method: str) -> float:
    if method == "general":
        return float(random_effects(y, v, tau2_method=tau2_method, test="z").estimate)
    return float(np.average(y, weights=1.0 / v if weights == "inverse-variance" else None))


def _target(effects: EffectSizes, target: float, mean: float) -> float:
    """The target as a difference from no effect on the analysed scale, on the mean's side."""
    own = effects.measure
    given = float(own.from_display(target)) if isinstance(target, int | float) and not isinstance(target, bool) else nan
    if not np.isfinite(given):
        raise InputError(f"target must be a value of {own.display_scale} that the measure can have, not {target!r}")
    aim = given - own.null
    if aim * mean < 0.0:
        shown, other = (float(own.to_display(value)) for value in (mean + own.null, own.null - aim))
        raise InputError(
            f"target={target!r} lies on the other side of no effect than the mean, {number(shown)}: "
            f"give one between them, such as {number(other)}"
        )
    return aim


def _classical(
    y: FloatArray, v: FloatArray, method: str, alpha: float, aim: float | None, weights: str
) -> dict[str, float]:
    if method == "rosenthal":
        found = fail_safe.fail_safe_rosenthal(y, v, alpha=alpha)
    elif method == "rosenberg":
        found = fail_safe.fail_safe_rosenberg(y, v, alpha=alpha)
    else:
        found = fail_safe.fail_safe_orwin(y, v, target=aim or 0.0, weighted=weights == "inverse-variance")
    exact, estimate, p_value = (float(part) for part in found)
    unknown = dict.fromkeys(("tau2", "estimate_with", "p_value_with", "tau2_with"), nan)
    return {
        "number": float(fail_safe.whole(exact)),
        "exact": exact,
        "estimate": estimate,
        "p_value": p_value,
        **unknown,
    }


def _general(
    y: FloatArray, v: FloatArray, alpha: float, aim: float | None, tau2_method: str, test: str
) -> dict[str, float]:
    found = fail_safe.fail_safe_random_effects(y, v, alpha=alpha, target=aim, tau2_method=tau2_method, test=test)
    p_value = _p_value(found.observed)
    unknown = isnan(float(found.observed.estimate)) or (aim is None and isnan(p_value))
    many = unknown or isinf(found.number)
    return {
        "number": nan if unknown else found.number,
        "exact": nan,
        "estimate": float(found.observed.estimate),
        "p_value": p_value,
        "tau2": float(found.observed.tau2),
        "estimate_with": nan if many else float(found.drawer.estimate),
        "p_value_with": nan if many else _p_value(found.drawer),
        "tau2_with": nan if many else float(found.drawer.tau2),
    }


def _p_value(fit: RandomEffects) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(two_sided_p_value(np.float64(fit.estimate) / np.float64(fit.std_error), fit.df))


def _cautions(effects: EffectSizes, method: str, weights: str) -> tuple[str, ...]:
    one_effect = method in ("rosenthal", "rosenberg") or (method == "orwin" and weights == "inverse-variance")
    differing = (
        "the effects differ by more than sampling error explains, and this method takes them as estimates of one "
        "effect; method='general' lets them differ.",
    )
    return (*dependent(effects), *(differing if one_effect and heterogeneous(effects) else ()))


def _notes(numbers: dict[str, float], aim: float | None) -> tuple[str, ...]:
    if isnan(numbers["number"]):
        return ("The mean or its p value cannot be computed from these effects, so there is nothing to undo.",)
    if numbers["number"] == inf:
        return () if aim == 0.0 else (f"The number was not sought beyond {fail_safe.MOST:,}.",)
    return ()
