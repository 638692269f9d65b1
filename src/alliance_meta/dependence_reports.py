"""`dependence_report()`: whether a conclusion hangs on how the dependence of effects is modelled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pandas as pd

from alliance_meta import _checks
from alliance_meta.dependence import multilevel
from alliance_meta.effects import EffectSizes, aggregate, given_effects
from alliance_meta.errors import InputError
from alliance_meta.pooling import pool
from alliance_meta.results import DependenceReport, Multilevel, PooledEffect
from alliance_meta.robustness import robust

__all__ = ["dependence_report"]

_CORRELATIONS = (0.0, 0.2, 0.4, 0.6, 0.8)


class _Analysis(NamedTuple):
    """One fit, with the correlation that it assumes."""

    model: str
    correlation: float
    fit: PooledEffect | Multilevel
    cluster: bool


def dependence_report(
    effects: EffectSizes, correlations: Sequence[float] = _CORRELATIONS, *, level: float = 0.95
) -> DependenceReport:
    """Pool effects that share studies by every usual model, over a range of assumed correlations.

    As independent, with and without cluster-robust standard errors; one effect a study, by generalized least squares
    and, for correlations, as composites; three-level; and the correlated-and-hierarchical-effects model, plain and
    robust. The estimator is REML; pooled effects have Knapp and Hartung's test, robust ones CR2 with Satterthwaite's.

    Parameters
    ----------
    effects : EffectSizes
        Whose `study` column says which effects belong together.
    correlations : sequence of float
        Of the effects of a study; each from 0 up to, but not, 1.
    level : float

    Returns
    -------
    DependenceReport

    Raises
    ------
    InputError
        If every effect has its own study, there is one study only, or a correlation is out of range.

    References
    ----------
    Pustejovsky, J. E., & Tipton, E. (2022). Prevention Science, 23, 425-438.

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("farber_doolin2011_effects"), measure="ZCOR")
    >>> print(am.dependence_report(effects, [0.2, 0.8]).sentence)
    All 11 analyses give an interval above 0; r from 0.17 to 0.27.
    """
    given_effects(effects, "dependence_report")
    level = _checks.level(level)
    wrong = [rho for rho in correlations if not 0.0 <= rho < 1.0]
    if wrong or not len(correlations):
        raise InputError(
            f"correlations must be one or more numbers from 0 up to, but not, 1; got {_checks.listed(wrong)}"
        )
    counts = effects.table["study"].value_counts()
    if counts.max() == 1 or len(counts) == 1:
        what = "every effect has a study of its own" if counts.max() == 1 else "all effects are of one study"
        raise InputError(f"{what}, so there is nothing to compare: pool(effects) pools them")
    composites, notes = _composites(effects, correlations)
    rows = [_row(analysis, level) for analysis in _analyses(effects, correlations, composites)]
    return DependenceReport(
        effects=effects,
        level=level,
        studies=len(counts),
        largest=(str(counts.index[0]), int(counts.iloc[0])),
        notes=notes,
        _frame=pd.DataFrame(rows),
    )


def _composites(
    effects: EffectSizes, correlations: Sequence[float]
) -> tuple[list[tuple[float, EffectSizes]], tuple[str, ...]]:
    """Composites of a study's correlations, and a note on those that cannot be: their composite would be 1 or more."""
    made, impossible = [], []
    for rho in correlations if effects.measure.code in ("COR", "ZCOR") else ():
        try:
            made.append((rho, aggregate(effects, correlation=rho, method="composite")))
        except InputError as error:
            impossible.append((rho, str(error)))
    if not impossible:
        return made, ()
    which = ", ".join(f"{rho:g}" for rho, _ in impossible)
    return made, (f"No composites with a correlation of {which}: {impossible[-1][1]}",)


def _analyses(
    effects: EffectSizes, correlations: Sequence[float], composites: Sequence[tuple[float, EffectSizes]]
) -> Iterator[_Analysis]:
    none = float("nan")
    plain = pool(effects, dependent="allow")
    yield _Analysis("independent", none, plain, False)
    yield _Analysis("independent, robust", none, plain, True)
    for rho in correlations:
        averaged = aggregate(effects, correlation=rho, method="inverse-variance")
        yield _Analysis("one effect a study", rho, pool(averaged), False)
    for rho, composed in composites:
        yield _Analysis("composites", rho, pool(composed), False)
    levels = multilevel(effects)
    yield _Analysis("three-level", none, levels, False)
    yield _Analysis("three-level, robust", none, levels, True)
    hierarchical = [(rho, multilevel(effects, correlation=rho)) for rho in correlations]
    for rho, fit in hierarchical:
        yield _Analysis("CHE", rho, fit, False)
    for rho, fit in hierarchical:
        yield _Analysis("CHE, robust", rho, fit, True)


def _row(analysis: _Analysis, level: float) -> dict[str, object]:
    fit = robust(analysis.fit) if analysis.cluster else analysis.fit
    first = fit.to_frame(level).iloc[0]
    null = analysis.fit.effects.measure.null
    low, high = float(first["ci_low"]), float(first["ci_high"])
    return {
        "model": analysis.model,
        "correlation": analysis.correlation,
        "k": analysis.fit.k,
        **{name: float(first[name]) for name in ("estimate", "std_error", "df", "p_value")},
        "ci_low": low,
        "ci_high": high,
        "conclusion": "above" if low > null else "below" if high < null else "not told",
    }
