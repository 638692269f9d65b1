"""`trim_and_fill()`: what the mean would be if the funnel's missing side were filled with mirror images."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import numpy as np
import pandas as pd

from alliance_meta import _checks
from alliance_meta._tables import number
from alliance_meta.bias._adjusted import ESTIMATED
from alliance_meta.bias._conditions import dependent, few_studies, heterogeneous, similar_precision, variance_tied
from alliance_meta.effects import EffectSizes, given_effects
from alliance_meta.errors import ConvergenceError, InputError
from alliance_meta.pooling import pool
from alliance_meta.results import TESTS, PooledEffect, Tau2Method, TestMethod
from alliance_meta.results.bias._trim_fill import MISSING_COUNTS, MissingCount, Side, TrimAndFill
from alliance_meta.stats import trim_fill as kernel

__all__ = ["trim_and_fill"]

_LEAST = 3
_CONDITIONS = (few_studies, heterogeneous, variance_tied, similar_precision, dependent)


def trim_and_fill(
    effects: EffectSizes,
    *,
    estimator: MissingCount | str = "L0",
    side: Side | str | None = None,
    tau2_method: Tau2Method | str = "REML",
    test: TestMethod | str = "knapp-hartung",
    max_iterations: int = 100,
) -> TrimAndFill:
    """Trim and fill: count the effects that one side of the funnel lacks, and add mirror images in their place.

    Parameters
    ----------
    effects : EffectSizes
        At least three; taken as independent.
    estimator : {"L0", "R0", "Q0"}
        Of the number of missing effects. ``"R0"`` also tests that none is missing; ``"Q0"`` does not always exist.
    side : {"left", "right"}, optional
        Where effects are missing: among the smallest or among the largest. Without it, opposite to where small studies
        lie: on the left if effects rise with their standard errors in a meta-regression, else on the right.
    tau2_method : str
        Any of `pool()`'s but ``"GENQ"``; in the search for the missing effects and in both results.
    test : str
        As in `pool()`, for the two results.
    max_iterations : int
        How often to trim and count before giving up.

    Returns
    -------
    TrimAndFill

    Raises
    ------
    UnknownNameError
        For an unknown estimator, side, method or test.
    InputError
        For fewer than three effects, or no side where the effects do not tell one.
    ConvergenceError
        If the number of missing effects does not come to rest or does not exist, or an estimator of tau2 does not
        reach its solution.

    Notes
    -----
    The numbers are those of metafor's ``trimfill``, the standard error at the unrounded number of missing effects
    included. `after` holds the filled effects as an `EffectSizes`, whose caveat says in every view that they are
    invented.

    References
    ----------
    Duval, S., & Tweedie, R. (2000a). Journal of the American Statistical Association, 95, 89-98.
    Duval, S., & Tweedie, R. (2000b). Biometrics, 56, 455-463.

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(r=[0.1, 0.2, 0.25, 0.3, 0.5, 0.6], n=[400, 200, 150, 100, 50, 30])
    >>> found = trim_and_fill(effects)
    >>> found
    <TrimAndFill: 3 missing on the left (L0), r = 0.291, 95% CI [0.088, 0.470] becomes 0.174, 95% CI [−0.061, 0.390]>
    >>> print(found.imputed.round(2).to_string(index=False, header=False))
    mirror image of Study 4  0.03 0.01
    mirror image of Study 5 -0.21 0.02
    mirror image of Study 6 -0.35 0.04
    """
    given_effects(effects, "trim_and_fill", _LEAST)
    count = _checks.known_name("estimator", estimator, tuple(MISSING_COUNTS))
    method = _checks.known_name("tau2_method", tau2_method, ESTIMATED)
    asked = _checks.known_name("test", test, tuple(TESTS))
    if isinstance(max_iterations, bool) or not isinstance(max_iterations, int) or max_iterations < 1:
        raise InputError(f"max_iterations must be a whole number from 1, not {max_iterations!r}")
    where = _side(effects, method) if side is None else _checks.known_name("side", side, ("left", "right"))
    found = kernel.trim_fill(
        effects.effect,
        effects.variance,
        right=where == "right",
        estimator=count,
        tau2_method=method,
        max_iterations=max_iterations,
    )
    if not found.converged:
        raise ConvergenceError(_stuck(count, float(found.unrounded), int(found.iterations), max_iterations))
    missing = int(found.missing)
    before = pool(effects, tau2_method=method, test=asked, dependent="allow")
    after = pool(_filled(effects, found), tau2_method=method, test=asked, dependent="allow") if missing else before
    return TrimAndFill(
        estimator=count,
        side=where,
        side_given=side is not None,
        missing=missing,
        missing_error=float(found.std_error),
        p_value=float(found.p_value),
        center=float(found.center),
        iterations=int(found.iterations),
        before=before,
        after=after,
        effects=effects,
        cautions=tuple(caution for condition in _CONDITIONS for caution in condition(effects)),
        notes=_notes(effects, after, found),
    )


def _side(effects: EffectSizes, method: Tau2Method) -> Side:
    """Where effects are missing, if those of small studies lie on the other side."""
    slope = float(kernel.asymmetry(effects.effect, effects.variance, tau2_method=method))
    if np.isnan(slope):
        raise InputError(
            "side must be given, 'left' or 'right': these standard errors differ too little for the slope of the "
            "effects on them to tell it"
        )
    return "right" if slope < 0.0 else "left"


def _stuck(estimator: str, unrounded: float, iterations: int, limit: int) -> str:
    if iterations >= limit:
        return (
            f"{estimator}: the number of missing effects does not come to rest in max_iterations={limit}; try another "
            "estimator or tau2_method"
        )
    if np.isnan(unrounded) and estimator == "Q0":
        return "Q0 has no value for these effects, as nearly all ranks lie on one side; try estimator='L0'"
    return "tau2 does not reach its solution for a trimmed set of these effects; try tau2_method='DL'"


def _filled(effects: EffectSizes, found: kernel.TrimFill) -> EffectSizes:
    """The effects with the mirror images of the trimmed ones below them, each a study of its own."""
    table = effects.table
    trimmed = table[found.trimmed]
    mark = "filled"
    while any(str(cell).startswith(mark) for name in ("effect_id", "study") for cell in table[name]):
        mark += "+"
    names = [f"{mark} {i + 1}" for i in range(len(trimmed))]
    mirrored = pd.DataFrame(
        {
            "effect_id": names,
            "study": names,
            "label": [f"mirror image of {label}" for label in trimmed["label"]],
            "effect": 2.0 * float(found.center) - trimmed["effect"].to_numpy(dtype=float),
            "variance": trimmed["variance"].to_numpy(dtype=float),
            "route": "filled",
        }
    )
    frame = pd.concat([table, mirrored], ignore_index=True)
    effect, variance = (np.array(frame[name], dtype=float) for name in ("effect", "variance"))
    effect.setflags(write=False)
    variance.setflags(write=False)
    invented = (
        f"{len(trimmed)} of {len(frame)} effects were invented by trim and fill: mirror images of effects that were "
        "found, not results of studies."
    )
    caveat = " ".join(filter(None, (effects.caveat, invented)))
    return replace(effects, effect=effect, variance=variance, n=nan, caveat=caveat, _frame=frame)


def _notes(effects: EffectSizes, after: PooledEffect, found: kernel.TrimFill) -> tuple[str, ...]:
    measure, missing = effects.measure, int(found.missing)
    notes = []
    if missing:
        notes.append(
            f"{'The effect that is' if missing == 1 else f'The {missing} effects that are'} filled in "
            f"{'was' if missing == 1 else 'were'} invented by the method: no study found "
            f"{'it' if missing == 1 else 'them'}."
        )
    if np.isnan(found.std_error):
        notes.append(
            f"The number of missing effects before rounding is {number(float(found.unrounded), 1)}, so far below 0 "
            "that it has no standard error."
        )
    beyond = int((np.abs(after.effects.effect[effects.k :]) > 1.0).sum())
    if measure.bounded and measure.scale == measure.display_scale and beyond:
        notes.append(f"{beyond} of the filled-in effects lie outside -1 to 1, where no {measure.scale} can be.")
    if missing == effects.k - 1:
        notes.append("All effects but one were trimmed, so the funnel's centre is that one effect.")
    return tuple(notes)
