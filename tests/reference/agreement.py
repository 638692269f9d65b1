"""Holds the library's numbers against metafor's, with a slow second implementation to settle who is right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf, isclose, isnan, nan
from typing import Any

import numpy as np
from tests.reference.fifty_digits import Weights, exact, jittered, log_likelihood, maxima, rises_at_zero

import alliance_meta as am

__all__ = [
    "EXACT_RTOL",
    "METHODS",
    "QUANTITIES",
    "RTOL",
    "TESTS",
    "TEST_NUMBERS",
    "Numbers",
    "Verdict",
    "differing",
    "exact",
    "fits_of",
    "judge",
    "log_likelihood",
    "maxima",
    "metafors",
    "of_fit",
    "ours",
    "relative",
]

RTOL = 1e-9
"""How closely the library and metafor must agree, relative to the larger of the two numbers."""

EXACT_RTOL = 1e-12
"""How closely the library must agree with the same number computed with 50 digits."""

SMALLEST_NORMAL = float(np.finfo(float).tiny)
"""Below this, 2.2e-308, a double has fewer digits the smaller it is, down to none; two such p values are the same."""

METHODS = ("REML", "ML", "DL", "DL2", "HE", "CA2", "HS", "HSk", "SJ", "PM", "PMM", "EB", "EE")
TESTS = {"z": "z", "t": "t", "knha": "knapp-hartung", "adhoc": "knapp-hartung-adhoc"}
"""metafor's names of the tests, and the library's."""

QUANTITIES = (
    *("b", "se", "zval", "ddf", "pval", "ci_lb", "ci_ub", "tau2", "I2", "H2"),
    *("QE", "QEp", "pi_lb", "pi_ub", "tau2_lb", "tau2_ub"),
)
"""metafor's names of the numbers compared."""

TEST_NUMBERS = ("se", "zval", "ddf", "pval", "ci_lb", "ci_ub", "pi_lb", "pi_ub")
"""Those that depend on the test, in the order in which the R scripts write them."""

Numbers = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of holding one fit against metafor's.

    Attributes
    ----------
    wrong : dict of str to tuple
        Where the library is off: quantity -> (ours, metafor's, with 50 digits).
    metafor_off : dict of str to tuple
        Where they differ by more than `RTOL` and 50 digits side with the library: the same.
    short_of_zero : bool
        metafor's tau2 is positive but below its own stopping threshold, ours is 0, and 50 digits say that there is
        nothing above 0 to be found.
    differences : dict of str to float
        Relative differences of the quantities that agree.
    """

    wrong: dict[str, tuple[float, float, float]]
    metafor_off: dict[str, tuple[float, float, float]]
    short_of_zero: bool
    differences: Numbers


def ours(
    yi: Sequence[float],
    vi: Sequence[float],
    method: str,
    test: str,
    weights: Weights = None,
    q_weights: Weights = None,
) -> Numbers:
    """The library's numbers under metafor's names; `test` too is metafor's."""
    asked = "inverse-variance" if weights is None else weights
    effects, interval = _effects(tuple(yi), tuple(vi))
    fit = am.pool(effects, tau2_method=method, test=TESTS[test], weights=asked, q_weights=q_weights)
    return of_fit(fit, interval)


@lru_cache(maxsize=8)
def _effects(yi: tuple[float, ...], vi: tuple[float, ...]) -> tuple[am.EffectSizes, tuple[float, float]]:
    """The effects, and the interval of tau2, which is the same whatever the fit; both take time to make."""
    effects = am.effect_sizes(measure="GEN", effect=np.array(yi), variance=np.array(vi))
    low, high = am.pool(effects, tau2_method="EE").tau2_interval(0.95)
    return effects, (low, high)


def of_fit(fit: am.PooledEffect, tau2_interval: tuple[float, float] | None = None) -> Numbers:
    """A result's numbers under metafor's names; the interval of tau2 can be given."""
    ci_lb, ci_ub = fit.confidence_interval(0.95)
    pi_lb, pi_ub = fit.prediction_interval(0.95, method="metafor")
    tau2_lb, tau2_ub = fit.tau2_interval(0.95) if tau2_interval is None else tau2_interval
    numbers = (fit.estimate, fit.std_error, fit.statistic, fit.df, fit.p_value, ci_lb, ci_ub, fit.tau2, fit.i2, fit.h2)
    rest = (fit.q_statistic, fit.q_p_value, pi_lb, pi_ub, tau2_lb, tau2_ub)
    return dict(zip(QUANTITIES, (*numbers, *rest), strict=True))


def fits_of(case: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every fit of a case as the R scripts write it, with all its numbers: one for each estimator and test.

    metafor has no interval of tau2 under equal effects.
    """
    for fit in case["fits"]:
        once = {name: fit.get(name, case.get(name)) for name in QUANTITIES if name not in TEST_NUMBERS}
        if fit["method"] == "EE":
            once |= {"tau2_lb": None, "tau2_ub": None}
        given = {name: case.get(name) for name in ("weights", "q_weights")}
        for test, row in fit["tests"].items():
            numbers = dict(zip(TEST_NUMBERS, row, strict=True))
            yield {"method": fit["method"], "test": test, "control": fit["control"], **given, **once, **numbers}


def metafors(fit: Mapping[str, Any]) -> Numbers:
    """The numbers of one of `fits_of`; NaN where metafor gives none, such as a prediction interval of equal effects."""
    numbers = {name: nan if fit[name] is None else float(fit[name]) for name in QUANTITIES}
    if fit["test"] == "z":
        numbers["ddf"] = inf
    return numbers


def relative(a: float, b: float) -> float:
    """Difference relative to the larger number; 0 where both are the same, 1 where only one is 0 or NaN."""
    if a == b or (isnan(a) and isnan(b)):
        return 0.0
    if isnan(a) or isnan(b):
        return 1.0
    if max(abs(a), abs(b)) < SMALLEST_NORMAL:
        return 0.0
    return abs(a - b) / max(abs(a), abs(b))


def differing(mine: Numbers, theirs: Numbers, rtol: float) -> list[str]:
    """Names of the quantities that differ; those that `theirs` does not give are not compared."""
    given = [name for name in QUANTITIES if not isnan(theirs[name])]
    return [name for name in given if not isclose(mine[name], theirs[name], rel_tol=rtol, abs_tol=SMALLEST_NORMAL)]


def judge(yi: Sequence[float], vi: Sequence[float], fit: Mapping[str, Any], mine: Numbers | None = None) -> Verdict:
    """Hold the library against one metafor fit; where they differ by more than `RTOL`, 50 digits decide."""
    how = tuple(fit.get(name) for name in ("method", "test", "weights", "q_weights"))
    mine = ours(yi, vi, *how) if mine is None else mine  # type: ignore[arg-type]
    theirs = metafors(fit)
    differ = differing(mine, theirs, RTOL)
    short_of_zero = (
        "tau2" in differ
        and mine["tau2"] == 0.0 < theirs["tau2"] <= fit["control"].get("threshold", 0.0)
        and not rises_at_zero(yi, vi, fit["method"])
    )
    beyond = ("tau2", "I2") if short_of_zero else ()
    differ = [name for name in differ if name not in beyond]
    settled = _settled(yi, vi, how, mine, differ) if differ else {}
    compared = {name: (mine[name], theirs[name], settled[name][0]) for name in differ}
    agreeing = (name for name in QUANTITIES if name not in (*differ, *beyond) and not isnan(theirs[name]))
    return Verdict(
        wrong={name: numbers for name, numbers in compared.items() if not settled[name][1]},
        metafor_off={name: numbers for name, numbers in compared.items() if settled[name][1]},
        short_of_zero=short_of_zero,
        differences={name: relative(mine[name], theirs[name]) for name in agreeing},
    )


def _settled(
    yi: Sequence[float], vi: Sequence[float], how: tuple[Any, ...], mine: Numbers, names: Sequence[str]
) -> dict[str, tuple[float, bool]]:
    """Each number with 50 digits, and whether the library has it as sharply as the data allow.

    Sharp is a tenth of `RTOL`. No double arithmetic can do better than what changes when the effects and variances
    move by half a unit in their last place, so where that is more (a p value of 1e-276, a bound that is the small
    difference of two large numbers) the library must stay within 64 such changes.
    """
    truth = exact(yi, vi, *how)
    rng = np.random.default_rng(0)
    moved = [exact(jittered(yi, rng), jittered(vi, rng), *how) for _ in range(4)]
    found = {}
    for name in names:
        blur = max(abs(one[name] - truth[name]) for one in moved)
        found[name] = (truth[name], abs(mine[name] - truth[name]) <= max(0.1 * RTOL * abs(truth[name]), 64.0 * blur))
    return found
