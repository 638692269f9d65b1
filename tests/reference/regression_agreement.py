"""Holds a meta-regression against metafor's; where they differ, 50 digits say who is right."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isnan, nan
from typing import Any

import mpmath as mp  # type: ignore[import-untyped]
import numpy as np
import pandas as pd
from tests.reference import fifty_digits_regression as fifty_digits
from tests.reference.agreement import RTOL, SMALLEST_NORMAL, TESTS, relative

import alliance_meta as am

__all__ = [
    "CLOSED_FORM",
    "GIVEN_TAU2_RTOL",
    "METHODS",
    "Numbers",
    "Verdict",
    "effects_of",
    "fitted",
    "frame_of",
    "judge",
    "kind",
    "numbers_of",
    "problem_of",
    "theirs_of",
]

Numbers = dict[str, float]
Case = Mapping[str, Any]

METHODS = ("REML", "ML", "DL", "DL2", "HE", "CA2", "HS", "HSk", "SJ", "PM", "PMM", "EB", "EE")
CLOSED_FORM = ("DL", "DL2", "HE", "CA2", "HS", "HSk", "SJ", "EE")
"""Estimators of tau2 that do not iterate, so that every number is a finite computation."""

GIVEN_TAU2_RTOL = 1e-10
"""How closely the library and metafor must agree where tau2 does not come from an iteration."""

COEFFICIENTS = ("se", "zval", "pval", "ci_lb", "ci_ub")
PREDICTIONS = ("pred", "pred_se", "pred_ci_lb", "pred_ci_ub", "pred_pi_lb", "pred_pi_ub")
ONCE = ("tau2", "I2", "H2", "R2", "log_likelihood", "aic", "bic", "aicc", "se_tau2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of holding one fit against metafor's.

    Attributes
    ----------
    wrong, metafor_off : dict of str to tuple
        Where they differ and 50 digits side with metafor, or with neither; and where they side with the library:
        (ours, metafor's, 50 digits).
    short_of_zero : bool
        metafor's tau2 is positive but below its stopping threshold, and ours is 0, where 50 digits have it too.
    differences : dict of str to float
        Relative differences of the numbers that agree.
    """

    wrong: dict[str, tuple[float, float, float]]
    metafor_off: dict[str, tuple[float, float, float]]
    short_of_zero: bool
    differences: Numbers


def kind(name: str) -> str:
    """``b[2]`` is a ``b``."""
    return name.partition("[")[0]


def effects_of(case: Case) -> am.EffectSizes:
    """The effects of a case, its moderators beside them; the last few cases are kept."""
    key = json.dumps([case["data"], case["yi"], case["vi"]])
    if key not in _MADE:
        while len(_MADE) >= _KEPT:
            del _MADE[next(iter(_MADE))]
        frame = pd.DataFrame({**case["data"], "effect_": case["yi"], "variance_": case["vi"]})
        _MADE[key] = am.effect_sizes(frame, measure="GEN", effect="effect_", variance="variance_")
    return _MADE[key]


_KEPT = 4
_MADE: dict[str, am.EffectSizes] = {}


def fitted(case: Case, method: str, test: str) -> am.MetaRegression:
    """The library's fit; `test` is metafor's name."""
    return am.meta_regression(effects_of(case), case["formula"], tau2_method=method, test=TESTS[test])


def numbers_of(fit: am.MetaRegression, new: pd.DataFrame) -> Numbers:
    """The library's numbers by metafor's names."""
    omnibus, frame = fit.omnibus(), fit.to_frame()
    found: Numbers = {"tau2": fit.tau2, "I2": fit.i2, "H2": fit.h2, "R2": fit.r2}
    found |= {"QE": fit.q_residual, "QEp": fit.q_residual_p_value, "QM": omnibus.statistic, "QMp": omnibus.p_value}
    found |= {"log_likelihood": fit.log_likelihood, "aic": fit.aic, "bic": fit.bic, "aicc": fit.aicc}
    columns = {"b": "estimate", "se": "std_error", "zval": "statistic", "pval": "p_value"}
    for name, column in {**columns, "ci_lb": "ci_low", "ci_ub": "ci_high"}.items():
        found |= _numbered(name, frame[column].tolist())
    predicted = fit.predict(new, method="metafor")
    shown = ("estimate", "std_error", "ci_low", "ci_high", "pi_low", "pi_high")
    for name, column in zip(PREDICTIONS, shown, strict=True):
        found |= _numbered(name, predicted[column].tolist())
    return found | _numbered("vif", fit.vif()["gvif"].tolist())


def _numbered(name: str, values: Sequence[float]) -> Numbers:
    return {f"{name}[{i}]": float(value) for i, value in enumerate(values)}


def theirs_of(fit: Mapping[str, Any], test: str) -> Numbers:
    """metafor's numbers, those that it gives."""
    own = fit["tests"][test]
    found: Numbers = {name: _number(fit.get(name)) for name in ONCE if name != "se_tau2"}
    found |= dict(zip(("QE", "QEp"), map(_number, fit["Q"]), strict=True))
    found |= dict(zip(("QM", "QMp"), map(_number, own["QM"]), strict=True))
    found |= _numbered("b", fit["b"]) | _numbered("vif", fit["vif"])
    for names, rows in ((COEFFICIENTS, own["coefficients"]), (PREDICTIONS, own["predictions"])):
        for name, row in zip(names, rows, strict=True):
            found |= _numbered(name, [_number(value) for value in row])
    if fit["method"] == "EE":
        del found["R2"]  # metafor's is then that of weighted least squares; the library has none
    return {name: number for name, number in found.items() if not isnan(number)}


def _number(value: float | None) -> float:
    return nan if value is None else float(value)


@lru_cache(maxsize=4)
def _problem(yi: tuple[float, ...], vi: tuple[float, ...], x: bytes, new: bytes, p: int) -> fifty_digits.Problem:
    rows = (np.frombuffer(each).reshape(-1, p).tolist() for each in (x, new))
    return fifty_digits.Problem.of(yi, vi, *rows)


def problem_of(case: Case, fit: am.MetaRegression) -> fifty_digits.Problem:
    """The same for 50 digits, with the library's columns."""
    new = fit.design.matrix_for(frame_of(case))
    x = np.ascontiguousarray(fit.design.matrix)
    return _problem(tuple(case["yi"]), tuple(case["vi"]), x.tobytes(), new.tobytes(), x.shape[1])


def judge(case: Case, theirs: Mapping[str, Any], test: str, mine: Numbers | None = None) -> Verdict:
    """Hold the library against one of metafor's fits, with one of its tests."""
    method = theirs["method"]
    fit = fitted(case, method, test)
    if mine is None:
        mine = numbers_of(fit, frame_of(case))
    other = theirs_of(theirs, test)
    rtol = GIVEN_TAU2_RTOL if method in CLOSED_FORM else RTOL
    differences = {name: relative(mine[name], number) for name, number in other.items()}
    # Without heterogeneity to explain metafor's R2 is 0, or the quotient of two numbers below its threshold.
    unexplained = ("R2",) if isnan(mine["R2"]) and _nothing_to_explain(fit) else ()
    differ = [name for name, off in differences.items() if off > rtol and name not in unexplained]
    short = "tau2" in differ and mine["tau2"] == 0.0 < other["tau2"] <= theirs["control"].get("threshold", 0.0)
    settled = _settled(case, fit, method, test, mine, differ) if differ else {}
    compared = {name: (mine[name], other[name], settled[name][0]) for name in differ}
    return Verdict(
        wrong={name: numbers for name, numbers in compared.items() if not settled[name][1]},
        metafor_off={name: numbers for name, numbers in compared.items() if settled[name][1]},
        short_of_zero=short,
        differences={name: off for name, off in differences.items() if name not in (*differ, *unexplained)},
    )


def _nothing_to_explain(fit: am.MetaRegression) -> bool:
    pooled = am.pool(fit.effects, tau2_method=fit.settings.tau2_method, test="z")
    return pooled.tau2 == 0.0


def _settled(
    case: Case, fit: am.MetaRegression, method: str, test: str, mine: Numbers, names: Sequence[str]
) -> dict[str, tuple[float, bool]]:
    """Each number with 50 digits, and whether the library is within a tenth of `RTOL` of it.

    Where it moves by more than that when the data move by half a unit in their last place, the library must stay
    within 64 such moves.
    """
    problem = problem_of(case, fit)
    tested = [i for i, name in enumerate(fit.names) if name != "intercept"] or [0]
    constant = "intercept" in fit.names
    truth = _with_inflation(problem, fit, fifty_digits.exact(problem, method, test, tested, intercept=constant))
    found = {name: (truth[name], _near(mine[name], truth[name], 0.0)) for name in names}
    if all(right for _, right in found.values()):
        return found
    rng = np.random.default_rng(0)
    moved = []
    for _ in range(3):
        other = _moved(problem, rng)
        moved.append(_with_inflation(other, fit, fifty_digits.exact(other, method, test, tested, intercept=constant)))
    for name in names:
        blur = max(abs(one[name] - truth[name]) for one in moved)
        found[name] = (truth[name], _near(mine[name], truth[name], blur))
    return found


def _near(mine: float, truth: float, blur: float) -> bool:
    return abs(mine - truth) <= max(0.1 * RTOL * abs(truth), 64.0 * blur, SMALLEST_NORMAL)


def _moved(problem: fifty_digits.Problem, rng: np.random.Generator) -> fifty_digits.Problem:
    def moved(values: Sequence[Any]) -> list[Any]:
        shifts: list[float] = rng.choice([-1.1e-16, 1.1e-16], len(values)).tolist()
        with mp.workdps(fifty_digits.DIGITS):
            return [value * (1 + mp.mpf(shift)) for value, shift in zip(values, shifts, strict=True)]

    return problem._replace(y=tuple(moved(problem.y)), v=tuple(moved(problem.v)))


def _with_inflation(problem: fifty_digits.Problem, fit: am.MetaRegression, numbers: Numbers) -> Numbers:
    """Inflation of the terms' variances depends on tau2 alone."""
    with mp.workdps(fifty_digits.DIGITS):
        w = [1 / (v + mp.mpf(numbers["tau2"])) for v in problem.v]
        p = len(fit.names)
        cross = mp.matrix(
            [[mp.fsum(a * r[i] * r[j] for a, r in zip(w, problem.x, strict=True)) for j in range(p)] for i in range(p)]
        )
        covariance = cross**-1
        kept = [i for i, name in enumerate(fit.names) if name != "intercept"]

        def det(own: Sequence[int]) -> Any:
            return mp.det(mp.matrix([[covariance[i, j] for j in own] for i in own])) if own else mp.mpf(1)

        terms = [term for term in fit.design.terms if term.label != "intercept"]
        for i, term in enumerate(terms):
            own = list(range(term.columns.start, term.columns.stop))
            rest = [j for j in kept if j not in own]
            numbers[f"vif[{i}]"] = float(det(own) * det(rest) / det(kept))
    return numbers


def frame_of(case: Case) -> pd.DataFrame:
    """The rows at which metafor predicts."""
    return pd.DataFrame(case["new"], index=range(2))
