"""`correlation_sweep()`, `reliability_sweep()` and `fragility()`: what assumptions, and few studies, do to a result."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from numbers import Integral, Real

import numpy as np
import numpy.typing as npt
import pandas as pd

from alliance_meta import _checks
from alliance_meta._tables import number
from alliance_meta.bias._conditions import dependent
from alliance_meta.dependence_reports import dependence_report
from alliance_meta.effects import EffectSizes, correct_attenuation, given_effects, subset
from alliance_meta.errors import InputError
from alliance_meta.pooling import pool
from alliance_meta.results import Tau2Method, TestMethod
from alliance_meta.results.sensitivity._sweeps import CorrelationSweep, Fragility, ReliabilitySweep
from alliance_meta.sensitivity._units import units, whole_fit
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.fragility import smallest_removal
from alliance_meta.stats.random_effects import random_effects

__all__ = ["correlation_sweep", "fragility", "reliability_sweep"]

_CORRELATIONS = tuple(round(0.1 * i, 1) for i in range(10))
_RELIABILITIES = (0.6, 0.7, 0.8, 0.9, 1.0)
_CURVES = ("one effect a study", "composites", "CHE", "CHE, robust")
_LEAST_DF = 4.0
_NEAR_ONE = 0.9
_SIDES = {1: "above", 0: "not told", -1: "below"}


def correlation_sweep(
    effects: EffectSizes, *, correlations: Sequence[float] | npt.NDArray[np.float64] = _CORRELATIONS
) -> CorrelationSweep:
    """Pool effects that share studies over assumed correlations within studies: `dependence_report` as curves.

    One effect a study, by generalized least squares and, for correlations, as composites; and the
    correlated-and-hierarchical-effects model (CHE), plain and with cluster-robust standard errors.

    Parameters
    ----------
    effects : EffectSizes
        Whose `study` column says which effects belong together.
    correlations : sequence of float
        Each from 0 up to, but not, 1.

    Returns
    -------
    CorrelationSweep

    Raises
    ------
    InputError
        If `effects` are not an `EffectSizes`, every effect has its own study, there is one study only, or a correlation
        is out of range or given twice.
    ConvergenceError
        If a likelihood has no maximum that can be reached.

    References
    ----------
    Pustejovsky, J. E., & Tipton, E. (2022). Prevention Science, 23, 425-438.

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("farber_doolin2011_effects"), measure="ZCOR")
    >>> correlation_sweep(effects, correlations=[0.2, 0.5, 0.8])
    <CorrelationSweep: r from 0.229 to 0.304 in 11 fits>
    """
    own = given_effects(effects, "correlation_sweep")
    asked = _numbers("correlations", correlations)
    report = dependence_report(own, asked)
    frame = report.to_frame()
    frame = frame[frame["model"].isin(_CURVES)].reset_index(drop=True)
    robust = frame.loc[frame["model"] == "CHE, robust", "df"]
    few = (
        f"the robust tests have as few as {robust.min():.2g} degrees of freedom: below {_LEAST_DF:g} they reject too "
        "often (Tipton, 2015).",
    )
    return CorrelationSweep(
        effects=own,
        cautions=few if len(robust) and robust.min() < _LEAST_DF else (),
        notes=report.notes,
        assumed=frame[["model", "correlation", "k"]],
        estimate=_locked(frame["estimate"].to_numpy(dtype=float, copy=True)),
        std_error=_locked(frame["std_error"].to_numpy(dtype=float, copy=True)),
        df=_locked(frame["df"].to_numpy(dtype=float, copy=True)),
        shared=sum(own.shared_studies().values()),
    )


def _locked(array: FloatArray) -> FloatArray:
    array.setflags(write=False)
    return array


def _numbers(name: str, values: Sequence[float] | npt.NDArray[np.float64]) -> list[float]:
    """One or more different numbers."""
    cells = list(np.ravel(np.asarray(values, dtype=object)))
    wrong = [each for each in cells if isinstance(each, bool) or not isinstance(each, Real)]
    if wrong or not cells:
        raise InputError(f"{name} must be one or more numbers; got {_checks.listed(wrong)}")
    found = [float(each) for each in cells]
    twice = sorted({each for each in found if found.count(each) > 1})
    if twice:
        raise InputError(f"{name} must differ; {_checks.listed(twice)} given more than once")
    return found


def reliability_sweep(
    effects: EffectSizes,
    *,
    reliability_x: Sequence[float] | npt.NDArray[np.float64] = _RELIABILITIES,
    reliability_y: Sequence[float] | npt.NDArray[np.float64] = _RELIABILITIES,
    tau2_method: Tau2Method | str = "REML",
    test: TestMethod | str = "knapp-hartung",
) -> ReliabilitySweep:
    """Pool correlations corrected for assumed reliabilities of the two measures, such as alliance and outcome.

    Each pair of reliabilities is taken to hold in every study; see `correct_attenuation` for reliabilities by study.

    Parameters
    ----------
    effects : EffectSizes
        Of measure ``COR`` or ``ZCOR``, not corrected already.
    reliability_x, reliability_y : sequence of float
        Each above 0 and not above 1.
    tau2_method : {"REML", "ML", "DL", "DL2", "HE", "CA2", "HS", "HSk", "SJ", "PM", "PMM", "EB", "EE"}
    test : {"knapp-hartung", "knapp-hartung-adhoc", "t", "z"}
        As in `pool`.

    Returns
    -------
    ReliabilitySweep
        NaN, with a note, where a correlation would become 1 or more.

    Raises
    ------
    InputError
        If `effects` are not an `EffectSizes` of correlations as reported, or a reliability is out of range or given
        twice.
    UnknownNameError
        For an unknown method or test.
    ConvergenceError
        If the estimator does not reach its solution for the effects as they are.

    References
    ----------
    Spearman, C. (1904). American Journal of Psychology, 15, 72-101.

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="COR")
    >>> reliability_sweep(effects, reliability_x=[0.8, 1.0], reliability_y=[0.7, 1.0]).grid().round(3).to_numpy()
    array([[0.33 , 0.276],
           [0.295, 0.247]])
    """
    own = given_effects(effects, "reliability_sweep")
    whole = whole_fit(own, tau2_method, test)
    grid = {"reliability_x": _reliabilities("reliability_x", reliability_x)}
    grid["reliability_y"] = _reliabilities("reliability_y", reliability_y)
    correct_attenuation(own, reliability_x=1.0, reliability_y=1.0)  # refuses what cannot be corrected at all
    pairs = list(product(*grid.values()))
    y, v = np.full((len(pairs), own.k), np.nan), np.full((len(pairs), own.k), np.nan)
    impossible = []
    for i, (one, other) in enumerate(pairs):
        try:
            corrected = correct_attenuation(own, reliability_x=one, reliability_y=other)
        except InputError:
            impossible.append(f"{one:g} and {other:g}")
            continue
        y[i], v[i] = corrected.effect, corrected.variance
    known = ~np.isnan(y[:, 0])
    numbers = np.full((3, len(pairs)), np.nan)
    if known.any():
        settings = whole.settings
        fit = random_effects(y[known], v[known], tau2_method=settings.tau2_method, test=settings.test)
        made = np.where(fit.converged, [fit.estimate, fit.std_error, fit.df], np.nan)
        numbers[:, known] = made
    return ReliabilitySweep(
        effects=own,
        cautions=(*dependent(own), *_near_one(own, y)),
        notes=_impossible(impossible),
        assumed=pd.DataFrame(pairs, columns=list(grid)).assign(k=own.k),
        estimate=_locked(numbers[0].copy()),
        std_error=_locked(numbers[1].copy()),
        df=_locked(numbers[2].copy()),
        uncorrected=whole,
    )


def _near_one(effects: EffectSizes, corrected: FloatArray) -> tuple[str, ...]:
    """Fisher's z, and its variance even more, grow without bound as a corrected correlation nears 1."""
    if effects.measure.code != "ZCOR" or np.isnan(corrected).all():
        return ()
    row, study = np.unravel_index(int(np.nanargmax(np.abs(corrected))), corrected.shape)
    largest = abs(float(effects.measure.to_display(corrected[row, study])))
    if largest < _NEAR_ONE:
        return ()
    return (
        f"corrected, the correlation of {effects.labels[int(study)]!r} gets as large as {number(largest, 2)}, where "
        "Fisher's z has a very large variance: such studies lose their weight, and the mean may fall where the "
        "correction is stronger. measure='COR' and psychometric() have no such trouble.",
    )


def _reliabilities(name: str, values: Sequence[float] | npt.NDArray[np.float64]) -> list[float]:
    found = _numbers(name, values)
    wrong = [each for each in found if not 0.0 < each <= 1.0]
    if wrong:
        raise InputError(f"{name} must lie above 0 and not above 1, as reliabilities do; got {_checks.listed(wrong)}")
    return found


def _impossible(pairs: list[str]) -> tuple[str, ...]:
    if not pairs:
        return ()
    return (f"Some study's correlation would be 1 or more with reliabilities of {'; '.join(pairs)}: not pooled.",)


def fragility(
    effects: EffectSizes,
    *,
    level: float = 0.95,
    by: str = "effect",
    tau2_method: Tau2Method | str = "REML",
    test: TestMethod | str = "knapp-hartung",
    most_fits: int = 50_000,
) -> Fragility:
    """Find the fewest studies whose removal changes the conclusion.

    The conclusion is whether the interval of the mean lies above, below, or on both sides of no effect. Studies are
    removed one by one, always the one that brings a bound furthest towards a change; that gives a number which is
    enough. Then all sets of fewer studies are tried, the smallest first, as far as `most_fits` allows: if it allows all
    of them, the number is exact, else an upper bound. Two effects are always left.

    Parameters
    ----------
    effects : EffectSizes
        Taken as independent.
    level : float
        Of the interval.
    by : str
        ``"effect"``, or a column of the effects' table whose groups are removed, such as ``"study"``.
    tau2_method : {"REML", "ML", "DL", "DL2", "HE", "CA2", "HS", "HSk", "SJ", "PM", "PMM", "EB", "EE"}
    test : {"knapp-hartung", "knapp-hartung-adhoc", "t", "z"}
        As in `pool`.
    most_fits : int
        How many sets may be tried.

    Returns
    -------
    Fragility

    Raises
    ------
    InputError
        If `effects` are not an `EffectSizes`, there are fewer than three, one group only, empty cells in the column,
        or a level or number of fits out of range.
    UnknownNameError
        For an unknown method, test or column.
    ConvergenceError
        If the estimator does not reach its solution for all effects.

    Notes
    -----
    Not the fragility index of meta-analyses of two-by-two tables, which changes events inside the studies.

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
    >>> fragility(effects)
    <Fragility: removing 5 of 16 effects changes the conclusion (exact)>
    """
    own = given_effects(effects, "fragility", 3)
    level = _checks.level(level)
    if isinstance(most_fits, bool) or not isinstance(most_fits, Integral) or most_fits < 1:
        raise InputError(f"most_fits must be a whole number of 1 or more, not {most_fits!r}")
    whole = whole_fit(own, tau2_method, test)
    found, labels = units(own, by)
    settings = whole.settings
    removal = smallest_removal(
        own.effect,
        own.variance,
        found,
        null=own.measure.null,
        level=level,
        tau2_method=settings.tau2_method,
        test=settings.test,
        most_fits=int(most_fits),
    )
    without = None
    if removal.units.size:
        rest = subset(own, ~np.isin(found, removal.units))
        without = pool(rest, tau2_method=settings.tau2_method, test=settings.test, dependent="allow")
    failed = f"{removal.failed} fits did not reach their solution; they count as no change."
    return Fragility(
        effects=own,
        cautions=dependent(own),
        notes=(failed,) if removal.failed else (),
        level=level,
        by=by,
        units=len(labels),
        removed=tuple(labels[i] for i in removal.units.tolist()),
        exact=removal.exact,
        at_least=removal.tried_below,
        sets=None if removal.sets < 0 else removal.sets,
        before=_SIDES[removal.side_before],
        after=_SIDES[removal.side_after],
        with_all=whole,
        without=without,
    )
