"""What is known of a planned meta-analysis but its size, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isnan, sqrt
from numbers import Real
from typing import NamedTuple

import numpy as np

from alliance_meta import _checks
from alliance_meta.errors import InputError
from alliance_meta.measures import Measure
from alliance_meta.measures import measure as measure_named
from alliance_meta.results import PooledEffect
from alliance_meta.results._power import POWER_TARGETS, POWER_TESTS, PowerResult, PowerTarget, PowerTest
from alliance_meta.stats.power import rejection_probability

__all__ = ["Plan", "between", "refuse_unfit", "studies"]


class Plan(NamedTuple):
    """What is known of a planned meta-analysis but its size.

    `effect` is on the scale shown to people; `distance` is how far it is from the null hypothesis, as analysed.
    """

    target: PowerTarget
    effect: tuple[float, ...]
    distance: float
    measure: str
    variance: float
    tau2: float
    alpha: float
    tails: int
    test: PowerTest

    @classmethod
    def of(
        cls,
        target: str,
        effect: float | Sequence[float],
        measure: str | None,
        variance: float | None,
        n: float | None,
        tau2: float | None,
        i2: float | None,
        fit: PooledEffect | None,
        alpha: float,
        tails: int,
        test: str,
    ) -> Plan:
        """Check every setting; a fit fills in what is not given."""
        if fit is not None:
            refuse_unfit(fit)
        what = _checks.known_name("target", target, tuple(POWER_TARGETS))
        own = _measure(measure, fit)
        shown, distance = _effects(what, effect, own)
        if tails not in (1, 2):
            raise InputError(f"tails must be 2 (two-sided) or 1 (one-sided towards the effect), not {tails!r}")
        typical = _variance(own.code, variance, n, fit)
        return cls(
            what,
            shown,
            abs(distance),
            own.code,
            typical,
            _tau2(tau2, i2, typical, fit),
            between("alpha", alpha, 0.0, 0.5),
            int(tails),
            _checks.known_name("test", test, tuple(POWER_TESTS)),
        )

    def rejection(self, std_error: float, df: float) -> float:
        """Probability of a significant result."""
        return float(rejection_probability(self.distance / std_error, df, self.alpha, tails=self.tails))

    def result(self, k: tuple[int, ...]) -> PowerResult:
        """Power with k studies, or with these numbers of them in two subgroups."""
        total = self.variance + self.tau2
        std_error = sqrt(total * sum(1.0 / count for count in k))
        df = sum(k) - (1.0 if self.target == "mean" else 2.0) if self.test == "knapp-hartung" else inf
        return PowerResult(
            power=self.rejection(std_error, df),
            target=self.target,
            effect=self.effect,
            measure=self.measure,
            k=k,
            variance=self.variance,
            tau2=self.tau2,
            i2=100.0 * self.tau2 / total,
            alpha=self.alpha,
            tails=self.tails,
            test=self.test,
            std_error=std_error,
            noncentrality=self.distance / std_error,
            df=df,
        )


def refuse_unfit(fit: PooledEffect) -> None:
    """Refuse what does not say how studies like these differ."""
    if not isinstance(fit, PooledEffect):
        raise InputError(f"fit must be the result of pool(), not {type(fit).__name__}")
    if isnan(fit.tau2):
        raise InputError("this fit of one study has no tau2; give variance, k and tau2 without fit")
    if fit.settings.weights != "inverse-variance":
        raise InputError(
            f"this fit has weights {fit.settings.weights}; power is that of inverse-variance weights: pool the effects "
            "with those"
        )


def _measure(measure: str | None, fit: PooledEffect | None) -> Measure:
    own = None if fit is None else fit.effects.measure
    if own is not None and measure not in (None, own.code):
        raise InputError(f"measure={measure!r} is not that of the fit, {own.code!r}; leave measure out")
    return own or measure_named(measure or "GEN")


def _effects(target: PowerTarget, effect: float | Sequence[float], own: Measure) -> tuple[tuple[float, ...], float]:
    """The effects as given, and how far they are from the null hypothesis on the analysed scale."""
    wanted = 1 if target == "mean" else 2
    try:
        values = np.atleast_1d(np.asarray(effect, dtype=float))
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.shape != (wanted,):
        what = {
            "mean": "one number",
            "difference": "two numbers, the effects of the two subgroups",
            "slope": "two numbers, the effects of two studies that are a standard deviation of the moderator apart",
        }[target]
        raise InputError(f"effect must be {what}, for target={target!r}; got {effect!r}")
    analysed = np.asarray(own.from_display(values))
    if not np.isfinite(analysed).all():
        raise InputError(f"effect must be possible for measure {own.code!r} ({own.display_label}); got {effect!r}")
    distance = analysed[0] - (own.null if target == "mean" else analysed[1])
    return tuple(values.tolist()), float(distance)


def _variance(code: str, variance: float | None, n: float | None, fit: PooledEffect | None) -> float:
    if variance is not None and n is not None:
        raise InputError("give either variance or n, not both")
    if variance is not None:
        return between("variance", variance, 0.0, inf)
    if n is not None:
        if code != "ZCOR":
            raise InputError(f"n gives the sampling variance of Fisher's z, measure='ZCOR', not of {code!r}: variance=")
        return 1.0 / (between("n", n, 3.0, inf) - 3.0)
    if fit is None:
        raise InputError("give the studies' precision: variance=, or for measure='ZCOR' n=, or fit=")
    # The variance that gives k equal studies the same weight together as these have.
    return float(fit.k / (1.0 / (fit.effects.variance + fit.tau2)).sum() - fit.tau2)


def _tau2(tau2: float | None, i2: float | None, variance: float, fit: PooledEffect | None) -> float:
    if tau2 is not None and i2 is not None:
        raise InputError("give either tau2 or i2, not both")
    if i2 is not None:
        if not (isinstance(i2, Real) and 0.0 <= i2 < 100.0):
            raise InputError(f"i2 must be a percentage from 0 to below 100; got {i2!r}")
        return variance * float(i2) / (100.0 - float(i2))
    if tau2 is not None:
        if not (isinstance(tau2, Real) and 0.0 <= tau2 < inf):
            raise InputError(f"tau2 must be a variance, 0 or more; got {tau2!r}")
        return float(tau2)
    if fit is None:
        raise InputError("say how much the true effects differ: tau2= or i2= (0 for equal effects), or fit=")
    return fit.tau2


def studies(target: PowerTarget, k: int | Sequence[int] | None, fit: PooledEffect | None) -> tuple[int, ...]:
    """Numbers of studies: one, or one for each of two subgroups."""
    groups = 2 if target == "difference" else 1
    if k is None and fit is not None and groups == 1:
        k = fit.k
    if k is None:
        raise InputError("give k, the number of studies" + (" in each subgroup" if groups == 2 else ""))
    counts = tuple(np.atleast_1d(np.asarray(k)).tolist())
    if len(counts) == 1:
        counts *= groups
    if len(counts) != groups or not all(isinstance(count, int) and count >= 1 for count in counts):
        what = "a whole number of studies, or one for each of two subgroups" if groups == 2 else "a whole number"
        raise InputError(f"k must be {what}, 1 or more; got {k!r}")
    return counts


def between(name: str, value: float | None, low: float, high: float) -> float:
    """Return a number that lies strictly between two bounds."""
    if not (isinstance(value, Real) and low < value < high):
        bounds = f"exceed {low:g}" if high == inf else f"lie between {low:g} and {high:g}"
        raise InputError(f"{name} must {bounds}; got {value!r}")
    return float(value)
