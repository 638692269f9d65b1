"""`checks()`: all of it at once."""

from __future__ import annotations

from collections.abc import Callable
from math import nan
from typing import NamedTuple

import pandas as pd

from alliance_meta import _checks
from alliance_meta._tables import number
from alliance_meta.bias._adjusted import henmi_copas, limit_meta, waap
from alliance_meta.bias._conditions import dependent, few_studies, heterogeneous, variance_tied
from alliance_meta.bias._selection import selection_model
from alliance_meta.bias._significance import excess_significance, p_curve
from alliance_meta.bias._small_study import begg, egger
from alliance_meta.bias._small_study_estimates import pet_peese
from alliance_meta.bias._trim_fill import trim_and_fill
from alliance_meta.effects import EffectSizes, given_effects
from alliance_meta.errors import ConvergenceError, InputError
from alliance_meta.pooling import pool
from alliance_meta.results._finding import Finding
from alliance_meta.results.bias import (
    AdequatelyPowered,
    BeggTest,
    BiasChecks,
    EggerTest,
    ExcessSignificance,
    HenmiCopasMean,
    LimitMeta,
    PCurve,
    PetPeese,
    SelectionModel,
    TrimAndFill,
)

__all__ = ["about", "adjusted_mean", "checks", "corrections"]


class Mean(NamedTuple):
    """A mean on the analysed scale, with its interval and its test of no effect."""

    estimate: float
    low: float
    high: float
    p_value: float


def checks(effects: EffectSizes, *, level: float = 0.95) -> BiasChecks:
    """Ask every check for publication bias of the same effects.

    Means by the usual model, by trim and fill, PET-PEESE, a selection model with one step (3PSM), the limit
    meta-analysis, WAAP-WLS and Henmi and Copas's interval; tests by Egger's regression, Begg and Mazumdar's ranks, the
    selection model's likelihood ratio and the excess of significant effects; and what the p-curve speaks for.

    Parameters
    ----------
    effects : EffectSizes
        Taken as independent, but for what a caution says: combine the effects of each study first (`aggregate`).
    level : float
        Coverage of the intervals.

    Returns
    -------
    BiasChecks
        A method that cannot be used on these effects is in the table with the reason.

    Raises
    ------
    InputError
        If `effects` is not an `EffectSizes`, or has a single effect.
    ConvergenceError
        If the usual model has no solution.

    Examples
    --------
    >>> import alliance_meta as am
    >>> found = checks(am.effect_sizes(am.datasets.load("kolden2011")))
    >>> found
    <BiasChecks: r from 0.24 to 0.26 over 7 means; 0 of 4 tests with p < .10>
    """
    given_effects(effects, "checks", 2)
    level = _checks.level(level)
    asked: dict[str, Callable[[], Finding]] = {
        **corrections(effects),
        "Henmi-Copas": lambda: henmi_copas(effects),
        "Egger's regression": lambda: egger(effects),
        "Begg's ranks": lambda: begg(effects),
        "excess significance": lambda: excess_significance(effects),
        "p-curve": lambda: p_curve(effects),
    }
    found: dict[str, Finding] = {}
    failed: dict[str, str] = {}
    for name, ask in asked.items():
        try:
            found[name] = ask()
        except (InputError, ConvergenceError) as error:  # said in the table: the others still have an answer
            failed[name] = str(error)
    return BiasChecks(
        findings=found,
        failed=failed,
        level=level,
        effects=effects,
        cautions=(
            *few_studies(effects),
            *heterogeneous(effects),
            *dependent(effects),
            *variance_tied(effects),
        ),
        notes=(),
        _frame=_frame(effects, found, failed, level),
    )


def corrections(effects: EffectSizes) -> dict[str, Callable[[], Finding]]:
    """The methods that correct a mean, by their names; selection is looked for on the side of the uncorrected mean."""
    mean = pool(effects, test="z", dependent="allow").estimate
    side = "greater" if mean >= effects.measure.null else "less"
    return {
        "trim and fill": lambda: trim_and_fill(effects),
        "PET-PEESE": lambda: pet_peese(effects),
        "3PSM": lambda: selection_model(effects, alternative=side),
        "limit meta-analysis": lambda: limit_meta(effects),
        "WAAP-WLS": lambda: waap(effects),
    }


def adjusted_mean(found: Finding, level: float) -> Mean:
    """The corrected mean of a finding that has one."""
    if isinstance(found, TrimAndFill):
        low, high = found.after.confidence_interval(level)
        return Mean(found.after.estimate, low, high, found.after.p_value)
    if isinstance(found, PetPeese):
        low, high = found.confidence_interval(level)
        return Mean(found.estimate, low, high, found.chosen.p_value)
    if isinstance(found, SelectionModel):
        row = found.to_frame(level).iloc[0]
        return Mean(*(float(row[name]) for name in ("estimate", "ci_low", "ci_high", "p_value")))
    assert isinstance(found, LimitMeta | AdequatelyPowered | HenmiCopasMean)  # noqa: S101 - the others have no mean
    row = found.to_frame(level).iloc[1 if not isinstance(found, AdequatelyPowered) or found.restricted else 0]
    p = float(row["p_value"]) if "p_value" in row else nan  # Henmi and Copas give an interval and no test
    return Mean(float(row["estimate"]), float(row["ci_low"]), float(row["ci_high"]), p)


def _frame(effects: EffectSizes, found: dict[str, Finding], failed: dict[str, str], level: float) -> pd.DataFrame:
    fit = pool(effects, dependent="allow")
    low, high = fit.confidence_interval(level)
    rows = [_row("uncorrected", "mean", effects.k, Mean(fit.estimate, low, high, fit.p_value), "REML, Knapp-Hartung")]
    for name in ("trim and fill", "PET-PEESE", "3PSM", "limit meta-analysis", "WAAP-WLS", "Henmi-Copas"):
        one = found.get(name)
        if one is None:
            rows.append(_row(name, "mean", effects.k, None, "", why=failed[name]))
            continue
        k, said = about(one)
        mean = adjusted_mean(one, level)
        why = "" if mean.estimate == mean.estimate else "no estimate: see its notes"
        rows.append(_row(name, "mean", k, mean, said, len(one.cautions), why))
    rows += _tests(effects, found, failed)
    return pd.DataFrame(rows)


def _row(
    method: str, kind: str, k: int, mean: Mean | None, said: str, cautions: int = 0, why: str = ""
) -> dict[str, object]:
    estimate, low, high, p = mean if mean is not None else (nan, nan, nan, nan)
    numbers = {"estimate": estimate, "ci_low": low, "ci_high": high, "p_value": p}
    return {"method": method, "kind": kind, "k": k, **numbers, "found": said, "cautions": cautions, "why": why}


def about(found: Finding) -> tuple[int, str]:
    """Effects behind a corrected mean, and what the method did, in a few words."""
    k = found.effects.k
    if isinstance(found, TrimAndFill):
        side = f" on the {found.side}" if found.missing else ""
        return k + found.missing, f"{found.missing} filled in{side}"
    if isinstance(found, PetPeese):
        return k, f"{found.used} by its rule"
    if isinstance(found, SelectionModel):
        weight = float(found.weights[-1])
        return k, f"relative publication {weight:.2f} above p = .025" if found.converged else "no highest likelihood"
    if isinstance(found, AdequatelyPowered):
        count = int(found.powered.sum())
        return (count if found.restricted else k), f"{count} of {k} adequately powered"
    if isinstance(found, LimitMeta):
        return k, "effect without sampling error"
    return k, "weights of equal effects"


def _tests(effects: EffectSizes, found: dict[str, Finding], failed: dict[str, str]) -> list[dict[str, object]]:
    """The tests' rows: their p values stand where the means' stand."""
    rows = []
    for name in ("Egger's regression", "Begg's ranks", "3PSM", "excess significance", "p-curve"):
        one = found.get(name)
        label = "3PSM, likelihood ratio" if name == "3PSM" else name
        if one is None:
            rows.append(_row(label, "test", effects.k, None, "", why=failed[name]))
            continue
        p, said = _tested(one)
        rows.append(_row(label, "test", effects.k, Mean(nan, nan, nan, p), said, len(one.cautions)))
    return rows


def _tested(found: Finding) -> tuple[float, str]:
    if isinstance(found, EggerTest):
        return found.p_value, f"slope {number(found.slope, 2)} on standard errors"
    if isinstance(found, BeggTest):
        return found.p_value, f"Kendall's tau {number(found.tau, 2)}"
    if isinstance(found, SelectionModel):
        return found.lr_p_value, f"χ²({found.lr_df}) = {number(found.lr_statistic, 2)}"
    if isinstance(found, ExcessSignificance):
        which = ("chi2", "binomial", "exact").index(found.test)
        return found.p_values[which], f"{found.observed} significant, {found.expected:.1f} expected"
    assert isinstance(found, PCurve)  # noqa: S101 - the last of them
    if found.power != found.power:
        return nan, "no significant effects to draw it from"
    speaks = "evidential value" if found.evidential_value else "no evidential value shown"
    return nan, f"{speaks}; {found.k_significant} significant effects, power {100 * found.power:.0f}%"
