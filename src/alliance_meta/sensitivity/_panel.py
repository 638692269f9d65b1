"""`panel()`: the usual ways in which a pooled effect is put to the test, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from math import nan
from typing import NamedTuple

import numpy as np
import pandas as pd

from alliance_meta import _checks
from alliance_meta.bias._checks import about, adjusted_mean, corrections
from alliance_meta.bias._conditions import few_studies, heterogeneous
from alliance_meta.dependence import multilevel
from alliance_meta.effects import EffectSizes, aggregate, given_effects, subset
from alliance_meta.errors import ConvergenceError, InputError
from alliance_meta.pooling import pool
from alliance_meta.results import Multilevel, PooledEffect, RobustFit
from alliance_meta.results.sensitivity import Panel
from alliance_meta.robustness import robust
from alliance_meta.sensitivity._influence import influence, outliers
from alliance_meta.stats._arrays import BoolArray

__all__ = ["panel"]

USUAL, SEVERAL, SINGLE, SELECTED = (
    "The usual model",
    "Several effects a study",
    "Single studies",
    "Selective publication",
)


class _Answer(NamedTuple):
    """A mean with its interval and test, of k effects, and what was done in a few words."""

    k: int
    estimate: float
    low: float
    high: float
    p_value: float
    found: str = ""


class _Analysis(NamedTuple):
    group: str
    name: str
    ask: Callable[[], _Answer]


def panel(effects: EffectSizes, *, correlation: float = 0.6, level: float = 0.95) -> Panel:
    """Analyse the same effects in all the usual ways: one table, one figure, one paragraph.

    The random-effects model of all effects; where effects share a study, one effect a study (generalized least
    squares), each study's lowest and highest effect, a three-level model, and correlated and hierarchical effects with
    cluster-robust tests (CHE + CR2); without outliers and without influential effects; and the means of trim and fill,
    PET-PEESE, a selection model (3PSM), the limit meta-analysis and WAAP-WLS.

    Parameters
    ----------
    effects : EffectSizes
    correlation : float
        Assumed between the sampling errors of a study's effects, 0 or more and below 1.
    level : float
        Coverage of the intervals.

    Returns
    -------
    Panel
        An analysis that cannot be made of these effects is in the table with the reason.

    Raises
    ------
    InputError
        If `effects` is not an `EffectSizes`, has a single effect, or for a correlation out of its range.
    ConvergenceError
        If the usual model has no solution.

    Examples
    --------
    >>> import alliance_meta as am
    >>> panel(am.effect_sizes(am.datasets.load("kolden2011")))
    <Panel: r from 0.20 to 0.26 over 8 analyses, 7 of one conclusion>
    """
    given_effects(effects, "panel", 2)
    level = _checks.level(level)
    if not 0.0 <= correlation < 1.0:
        raise InputError(f"correlation must be 0 or more and below 1, not {correlation!r}")
    shared = bool(effects.shared_studies())
    single = aggregate(effects, correlation=correlation, method="inverse-variance") if shared else effects
    usual = _Analysis(
        USUAL, "all effects, as if independent" if shared else "all effects", lambda: _pooled(effects, level)
    )
    analyses = [
        usual,
        *(_several(effects, single, correlation, level) if shared else ()),
        *_without(single, level),
        *_selected(single, level),
    ]
    base = usual.ask()
    return Panel(
        effects=effects,
        correlation=correlation,
        level=level,
        cautions=(*few_studies(single), *heterogeneous(single)),
        notes=_notes(effects, single, correlation),
        _frame=pd.DataFrame([_row(analysis, base if analysis is usual else None, effects) for analysis in analyses]),
    )


def _notes(effects: EffectSizes, single: EffectSizes, correlation: float) -> tuple[str, ...]:
    if single is effects:
        return ("Every effect has a study of its own, so models of several effects a study are the usual model.",)
    return (
        f"Outliers, influence and selective publication are looked at with one effect a study ({single.k}), combined "
        f"by generalized least squares with sampling errors correlated {correlation:g}.",
    )


def _row(analysis: _Analysis, known: _Answer | None, effects: EffectSizes) -> dict[str, object]:
    """The answer of an analysis, or why there is none."""
    why = ""
    try:
        answer = known or analysis.ask()
    except (InputError, ConvergenceError) as error:  # said in the table: the others still have an answer
        answer, why = _Answer(0, nan, nan, nan, nan), str(error)
    if not why and np.isnan(answer.estimate):
        why = "no estimate"
    null = effects.measure.null
    conclusion = "" if why else "above" if answer.low > null else "below" if answer.high < null else "not told"
    return {
        "group": analysis.group,
        "analysis": analysis.name,
        "k": answer.k,
        "estimate": answer.estimate,
        "ci_low": answer.low,
        "ci_high": answer.high,
        "p_value": answer.p_value,
        "conclusion": conclusion,
        "found": answer.found,
        "why": why,
    }


def _pooled(effects: EffectSizes, level: float, found: str = "") -> _Answer:
    return _fitted(pool(effects, dependent="allow"), level, found)


def _fitted(fit: PooledEffect | Multilevel | RobustFit, level: float, found: str = "") -> _Answer:
    row = fit.to_frame(level).iloc[0]
    estimate, low, high, p = (float(row[name]) for name in ("estimate", "ci_low", "ci_high", "p_value"))
    return _Answer(fit.effects.k, estimate, low, high, p, found)


def _several(effects: EffectSizes, single: EffectSizes, correlation: float, level: float) -> Iterator[_Analysis]:
    def extreme(highest: bool) -> EffectSizes:
        ranked = effects.table.groupby("study")["effect"].rank(method="first", ascending=not highest)
        return subset(effects, (ranked == 1.0).to_numpy(dtype=bool))

    assumed = f"sampling errors correlated {correlation:g}"
    yield _Analysis(SEVERAL, "one effect a study", lambda: _pooled(single, level, assumed))
    yield _Analysis(SEVERAL, "each study's lowest effect", lambda: _pooled(extreme(False), level))
    yield _Analysis(SEVERAL, "each study's highest effect", lambda: _pooled(extreme(True), level))
    yield _Analysis(SEVERAL, "three-level", lambda: _fitted(multilevel(effects), level))
    yield _Analysis(
        SEVERAL, "CHE + CR2", lambda: _fitted(robust(multilevel(effects, correlation=correlation)), level, assumed)
    )


def _without(effects: EffectSizes, level: float) -> Iterator[_Analysis]:
    def left(out: BoolArray) -> _Answer:
        names = [label for label, gone in zip(effects.labels, out.tolist(), strict=True) if gone]
        what = "nothing" if not names else f"{len(names)}: {', '.join(names[:2])}{', ...' if len(names) > 2 else ''}"
        return _pooled(subset(effects, ~out), level, f"leaves out {what}")

    def marked() -> BoolArray:
        return np.asarray(influence(effects).marks.any(axis=1).to_numpy(dtype=bool))

    yield _Analysis(SINGLE, "without outliers", lambda: left(outliers(effects, level=level).outlying))
    yield _Analysis(SINGLE, "without influential effects", lambda: left(marked()))


def _selected(effects: EffectSizes, level: float) -> Iterator[_Analysis]:
    asked = corrections(effects)

    def answer(name: str) -> _Answer:
        found = asked[name]()
        mean, (k, said) = adjusted_mean(found, level), about(found)
        return _Answer(k, mean.estimate, mean.low, mean.high, mean.p_value, said)

    for name in asked:
        yield _Analysis(SELECTED, name, partial(answer, name))
