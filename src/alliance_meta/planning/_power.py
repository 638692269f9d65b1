"""`power()`, `studies_needed()`, `new_studies_needed()`: what a meta-analysis can show before it is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, sqrt

from alliance_meta import _checks
from alliance_meta.errors import InputError
from alliance_meta.measures import MeasureName
from alliance_meta.planning._plan import Plan, between, refuse_unfit, studies
from alliance_meta.results import PooledEffect
from alliance_meta.results._power import NewStudies, PowerResult, PowerTarget, PowerTest
from alliance_meta.stats.inference import critical_value

__all__ = ["new_studies_needed", "power", "studies_needed"]

_MOST_STUDIES = 10_000_000


def power(
    target: PowerTarget | str = "mean",
    *,
    effect: float | Sequence[float],
    k: int | Sequence[int] | None = None,
    measure: MeasureName | str | None = None,
    variance: float | None = None,
    n: float | None = None,
    tau2: float | None = None,
    i2: float | None = None,
    fit: PooledEffect | None = None,
    alpha: float = 0.05,
    tails: int = 2,
    test: PowerTest | str = "knapp-hartung",
) -> PowerResult:
    """Power of a random-effects meta-analysis of studies that are alike in precision.

    Parameters
    ----------
    target : {"mean", "difference", "slope"}
        What is tested to be 0: the pooled mean, the difference of two subgroups' means, or the slope of a
        meta-regression on one moderator.
    effect : float or pair of floats
        True effect, on the scale shown to people: an r for ``ZCOR``, an odds ratio for ``OR``. For a difference the
        two subgroups' effects; for a slope the effects of two studies that are one standard deviation of the
        moderator apart (a standard deviation of the k studies, divided by k).
    k : int or pair of ints, optional
        Number of studies; for a difference in each subgroup.
    measure : str, optional
        A code in `MEASURES`; ``"GEN"`` (effects as analysed) without one.
    variance, n : float, optional
        Typical sampling variance on the analysed scale; or, for ``ZCOR``, a typical sample size, of variance
        1 / (n - 3).
    tau2, i2 : float, optional
        Between-study variance within subgroups, or left by the moderator; or its share of the total variance, in
        percent. 0 for equal effects.
    fit : PooledEffect, optional
        Measure, k (not for a difference), variance and tau2 are its own where they are not given: studies like these.
    alpha : float
    tails : {2, 1}
        Two-sided, or one-sided towards the effect.
    test : {"knapp-hartung", "z"}
        t with as many degrees of freedom as studies less coefficients, or the normal distribution.

    Returns
    -------
    PowerResult

    Raises
    ------
    InputError
        For a setting that is missing, given twice or impossible.
    UnknownNameError
        For an unknown target, test or measure.

    Notes
    -----
    With equal sampling variances the Knapp-Hartung test is an ordinary t test, and its power here is exact. The power
    of the z test takes tau2 as known; with few studies and an estimated tau2 it rejects too often, under the null
    hypothesis too.

    References
    ----------
    Hedges, L. V., & Pigott, T. D. (2001). Psychological Methods, 6.
    Hedges, L. V., & Pigott, T. D. (2004). Psychological Methods, 9.
    Jackson, D., & Turner, R. (2017). Research Synthesis Methods, 8.

    Examples
    --------
    Twenty studies of 60 people are ample for a mean of .20, and too few for a difference of .15:

    >>> like = {"measure": "ZCOR", "n": 60, "i2": 50}
    >>> power("mean", effect=0.20, k=20, **like)
    <PowerResult: power = 0.996 for the pooled mean, r = 0.20, k = 20, tau2 = 0.0175 (t(19), alpha = 0.05, two-sided)>
    >>> print(f"{power('difference', effect=(0.15, 0.30), k=10, **like).power:.2f}")
    0.43
    """
    plan = Plan.of(target, effect, measure, variance, n, tau2, i2, fit, alpha, tails, test)
    return plan.result(studies(plan.target, k, fit))


def studies_needed(
    target: PowerTarget | str = "mean",
    *,
    effect: float | Sequence[float],
    power: float = 0.80,
    measure: MeasureName | str | None = None,
    variance: float | None = None,
    n: float | None = None,
    tau2: float | None = None,
    i2: float | None = None,
    fit: PooledEffect | None = None,
    alpha: float = 0.05,
    tails: int = 2,
    test: PowerTest | str = "knapp-hartung",
) -> PowerResult:
    """The smallest number of studies (in each subgroup) with a given power.

    Parameters
    ----------
    target, effect, measure, variance, n, tau2, i2, fit, alpha, tails, test
        As in `power`.
    power : float
        Above `alpha` and below 1.

    Returns
    -------
    PowerResult
        Its `k` is the answer, its `power` the one reached.

    Raises
    ------
    InputError
        As in `power`; and where no number of studies up to ten million has the power.

    Examples
    --------
    True differences between studies cost more studies than small samples do:

    >>> [studies_needed(effect=0.20, measure="ZCOR", n=50, tau2=tau2).k for tau2 in (0.0, 0.05, 0.10)]
    [(7,), (16,), (26,)]
    """
    plan = Plan.of(target, effect, measure, variance, n, tau2, i2, fit, alpha, tails, test)
    goal = between("power", power, plan.alpha, 1.0)
    groups = 2 if plan.target == "difference" else 1
    if plan.distance == 0.0:
        raise InputError("effect is that of the null hypothesis: no number of studies has power to detect it")
    fewest = 3 if plan.target == "slope" else 2
    found = _smallest(lambda count: plan.result((count,) * groups).power >= goal, fewest)
    if found is None:
        raise InputError(f"no number of studies up to {_MOST_STUDIES:,} has power {goal:g}; take a larger effect")
    return plan.result((found,) * groups)


def new_studies_needed(
    fit: PooledEffect,
    *,
    effect: float | None = None,
    power: float = 0.80,
    half_width: float | None = None,
    level: float = 0.95,
    variance: float | None = None,
    n: float | None = None,
    alpha: float = 0.05,
    tails: int = 2,
    test: PowerTest | str = "knapp-hartung",
) -> NewStudies:
    """How many new studies a meta-analysis lacks for a power, or for an interval as short as asked.

    The old studies keep their own sampling variances; tau2 is taken to stay what it was estimated to be, and the
    standard error to be the one the model expects, without Knapp and Hartung's factor.

    Parameters
    ----------
    fit : PooledEffect
        With inverse-variance weights.
    effect : float, optional
        True mean to be detected with the given `power`, on the scale shown to people. Either this or `half_width`.
    power : float
    half_width : float, optional
        Half the length of the mean's interval on the scale shown to people (r for Fisher's z), around the estimate,
        which is taken to stay.
    level : float
        Of the interval.
    variance, n : float, optional
        Of a new study, as in `power`; without either, the typical variance of the old ones.
    alpha, tails, test
        As in `power`; `test` also gives the interval its distribution.

    Returns
    -------
    NewStudies

    Raises
    ------
    InputError
        As in `power`; and where no number of studies up to ten million suffices.

    Examples
    --------
    >>> import alliance_meta as am
    >>> fit = am.pool(am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR"))
    >>> new_studies_needed(fit, half_width=0.05)
    <NewStudies: 92 new, k = 108, half-width 0.050 (asked: 0.05)>
    """
    if (effect is None) == (half_width is None):
        raise InputError("give either effect (with power) or half_width, and not both")
    refuse_unfit(fit)
    own, by_power = fit.effects.measure, effect is not None
    shown = float(own.to_display(fit.estimate)) if effect is None else effect
    plan = Plan.of("mean", shown, own.code, variance, n, None, None, fit, alpha, tails, test)
    asked = between("power", power, plan.alpha, 1.0) if by_power else between("half_width", half_width, 0.0, inf)

    def reached(new: int) -> float:
        expected = _with_new(fit, plan, new)
        return plan.rejection(*expected) if by_power else _half_width(fit, _checks.level(level), *expected)

    def enough(new: int) -> bool:
        return reached(new) >= asked if by_power else reached(new) <= asked

    found = None if by_power and plan.distance == 0.0 else _smallest(enough, 0)
    if found is None:
        raise InputError(f"no number of new studies up to {_MOST_STUDIES:,} suffices; ask for less")
    return NewStudies(
        new=found,
        k=fit.k + found,
        reached=reached(found),
        goal="power" if by_power else "half-width",
        asked=asked,
        effect=float(shown),
        measure=plan.measure,
        variance=plan.variance,
        tau2=plan.tau2,
    )


def _with_new(fit: PooledEffect, plan: Plan, new: int) -> tuple[float, float]:
    """Standard error and degrees of freedom of the mean of old and new studies."""
    old = float((1.0 / (fit.effects.variance + plan.tau2)).sum())
    std_error = 1.0 / sqrt(old + new / (plan.variance + plan.tau2))
    return std_error, fit.k + new - 1.0 if plan.test == "knapp-hartung" else inf


def _half_width(fit: PooledEffect, level: float, std_error: float, df: float) -> float:
    half = float(critical_value(level, df)) * std_error
    low, high = fit.effects.measure.to_display([fit.estimate - half, fit.estimate + half])
    return float(high - low) / 2.0


def _smallest(enough: Callable[[int], bool], least: int) -> int | None:
    """The smallest count, not below `least`, that is enough; what is enough stays so with more."""
    low, high = least, max(least, 1)
    if enough(least):
        return least
    while not enough(high):
        if high >= _MOST_STUDIES:
            return None
        low, high = high, min(2 * high, _MOST_STUDIES)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
