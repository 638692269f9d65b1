"""`selection_model()`: what the effects were before publication depended on their p values."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import nan
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special

from alliance_meta import _checks
from alliance_meta.bias._conditions import dependent, few_studies, heterogeneous
from alliance_meta.design import Design, design
from alliance_meta.effects import EffectSizes, given_effects
from alliance_meta.errors import InputError
from alliance_meta.moderators import meta_regression
from alliance_meta.pooling import pool
from alliance_meta.results import MetaRegression, PooledEffect
from alliance_meta.results.bias._selection import Alternative, SelectionModel, SelectionSettings, interval_names
from alliance_meta.stats import selection as kernel
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.regression import full_log_likelihood

__all__ = ["STEPS", "WEIGHTS", "selection_model"]

STEPS: dict[str, tuple[float, ...]] = {"3PSM": (0.025,), "4PSM": (0.025, 0.5)}
"""Cut points of the three- and the four-parameter selection model, of one-sided p values."""

_WOODS = (0.005, 0.01, 0.05, 0.10, 0.25, 0.35, 0.50, 0.65, 0.75, 0.90, 0.95, 0.99, 0.995)

WEIGHTS: dict[str, tuple[float, ...]] = {
    "severe one-sided": (1.0, 0.99, 0.90, 0.75, 0.60, 0.50, 0.40, 0.35, 0.30, 0.25, 0.10, 0.10, 0.10, 0.10),
    "moderate two-sided": (1.0, 0.99, 0.95, 0.90, 0.80, 0.75, 0.60, 0.60, 0.75, 0.80, 0.90, 0.95, 0.99, 1.00),
    "severe two-sided": (1.0, 0.99, 0.90, 0.75, 0.60, 0.50, 0.25, 0.25, 0.50, 0.60, 0.75, 0.90, 0.99, 1.00),
}
"""Vevea and Woods's (2005) examples, as metafor's help page of ``selmodel`` prints them, for one-sided p values.

The steps are .005, .01, .05, .1, .25, .35, .5, .65, .75, .9, .95, .99 and .995. Their "moderate one-sided" is left out,
because the copies of it that could be seen differ.
"""

_ALTERNATIVES: tuple[Alternative, ...] = ("greater", "less", "two-sided")
_METHODS: tuple[Literal["ML", "EE"], ...] = ("ML", "EE")
_NEARLY_EMPTY = 3


def selection_model(
    effects: EffectSizes,
    *,
    steps: str | float | Sequence[float] = (0.025,),
    alternative: Alternative | str = "greater",
    weights: str | Sequence[float] | npt.NDArray[np.float64] | None = None,
    formula: str = "1",
    tau2_method: str = "ML",
) -> SelectionModel:
    """Fit effects whose likelihood of publication was a step function of their p values.

    Effects are normal, with the mean of `formula` and variance tau2 + sampling variance; those with p in an interval
    between two steps were published with a relative likelihood (weight) of their own, and the first interval's is 1.

    Parameters
    ----------
    effects : EffectSizes
        Taken as independent.
    steps : {"3PSM", "4PSM"} or numbers between 0 and 1
        Cut points of p, rising; an interval holds its upper end. ``"3PSM"`` is (.025,), ``"4PSM"`` (.025, .5).
    alternative : {"greater", "less", "two-sided"}
        Which p: one-sided, small for effects above 0 or for effects below 0, or two-sided.
    weights : numbers, or a name in `WEIGHTS`, optional
        Relative likelihoods of all intervals from the smallest p, which are then known and not estimated; only their
        ratios count. A name brings its own steps, of one-sided p values.
    formula : str
        Of the mean; see `alliance_meta.design.design`.
    tau2_method : {"ML", "EE"}
        ``"EE"`` assumes that true effects do not differ.

    Returns
    -------
    SelectionModel
        Where no finite estimates are best, `converged` is False and the estimates are NaN.

    Raises
    ------
    InputError
        For steps or weights that do not fit, no effect in the first interval of p, as many coefficients as effects, or
        a moderator with empty cells.
    FormulaError, UnknownNameError
        For a formula that cannot be read, an unknown column or name.

    Notes
    -----
    p is that of effect / standard error against 0, not the one that a study printed. An interval without effects has a
    weight of 0, and weights and tau2 that are 0 count as known in standard errors.

    References
    ----------
    Hedges, L. V. (1992). Statistical Science, 7, 246-255.
    Vevea, J. L., & Hedges, L. V. (1995). Psychometrika, 60, 419-435.
    Vevea, J. L., & Woods, C. M. (2005). Psychological Methods, 10, 428-443.

    Examples
    --------
    >>> import alliance_meta as am
    >>> found = selection_model(am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR"))
    >>> print(f"{found.counts.tolist()} effects, weights {found.weights.round(2).tolist()}")
    [7, 9] effects, weights [1.0, 0.88]
    """
    given_effects(effects, "selection_model")
    method = _checks.known_name("tau2_method of a selection model", tau2_method, _METHODS)
    tail = _checks.known_name("alternative", alternative, _ALTERNATIVES)
    cuts, given, label = _function(steps, weights, tail)
    made = design(formula, effects.table)
    if made.matrix.shape[1] >= effects.k:
        p = len(made.names)
        raise InputError(
            f"{formula!r} has {p} {'coefficient' if p == 1 else 'coefficients'} for {effects.k} "
            f"{'effect' if effects.k == 1 else 'effects'}: none would be left to tell how they were selected."
        )
    settings = SelectionSettings(steps=cuts, alternative=tail, weights=label, formula=formula, tau2_method=method)
    fit = kernel.step_selection(
        effects.effect,
        effects.variance,
        made.matrix,
        steps=cuts,
        alternative=tail,
        weights=given,
        tau2_method=method,
    )
    if fit.outcome == kernel.Outcome.NO_REFERENCE:
        raise InputError(_no_reference(settings, fit.counts))
    return _result(effects, settings, made, fit)


def _function(
    steps: str | float | Sequence[float],
    weights: str | Sequence[float] | npt.NDArray[np.float64] | None,
    tail: Alternative,
) -> tuple[tuple[float, ...], tuple[float, ...] | None, str]:
    """Steps, weights if they are known, and what to call them."""
    if isinstance(weights, str):
        name = _checks.known_name("weights", weights, tuple(WEIGHTS))
        if tail == "two-sided":
            raise InputError(f"weights={name!r} are of one-sided p values: take alternative='greater' or 'less'")
        return _WOODS, WEIGHTS[name], name
    cuts = _steps(steps)
    if weights is None:
        return cuts, None, "estimated"
    try:
        found = tuple(float(weight) for weight in weights)
    except (TypeError, ValueError):
        found = (nan,)
    if len(found) != len(cuts) + 1 or not all(0.0 < weight < np.inf for weight in found):
        raise InputError(
            f"weights must be {len(cuts) + 1} positive numbers, one for each interval of p that the steps make, the "
            f"smallest p first; got {weights!r}"
        )
    return cuts, found, "given"


def _steps(steps: str | float | Sequence[float]) -> tuple[float, ...]:
    if isinstance(steps, str):
        return STEPS[_checks.known_name("steps", steps, tuple(STEPS))]
    try:
        found = (float(steps),) if isinstance(steps, int | float) else tuple(float(step) for step in steps)
    except (TypeError, ValueError):
        found = (nan,)
    if found and found[-1] == 1.0:
        found = found[:-1]  # metafor's way of closing the last interval
    rising = all(low < high for low, high in pairwise(found))
    if not found or not rising or not all(0.0 < step < 1.0 for step in found):
        raise InputError(
            f"steps must be rising numbers between 0 and 1, or one of {_checks.listed(STEPS)}; got {steps!r}"
        )
    return found


def _no_reference(settings: SelectionSettings, counts: FloatArray) -> str:
    first = settings.steps[0]
    other = {"greater": "less", "less": "greater"}.get(settings.alternative)
    turn = f", or alternative={other!r} if that is where effects were favoured" if other else ""
    return (
        f"no effect has p ≤ {first:g} (alternative={settings.alternative!r}), so there is nothing that the likelihood "
        f"of publishing the {counts.sum():.0f} others could be compared with. Take a larger first step{turn}, or give "
        "weights."
    )


def _result(
    effects: EffectSizes, settings: SelectionSettings, made: Design, fit: kernel.SelectionFit
) -> SelectionModel:
    unadjusted = _unadjusted(effects, settings, made)
    plain = float(full_log_likelihood(effects.effect, effects.variance, unadjusted.tau2, made.matrix, restricted=False))
    height, df = float(fit.log_likelihood), len(settings.steps)
    test = settings.weights == "estimated" and fit.outcome == kernel.Outcome.CONVERGED
    statistic = max(2.0 * (height - plain), 0.0) if test else nan
    counts = fit.counts.astype(np.intp)
    for array in (fit.coefficients, fit.weights, fit.covariance, counts):
        array.setflags(write=False)
    return SelectionModel(
        coefficients=fit.coefficients,
        tau2=float(fit.tau2),
        weights=fit.weights,
        counts=counts,
        covariance=fit.covariance,
        log_likelihood=height,
        log_likelihood_unadjusted=plain,
        lr_statistic=statistic,
        lr_df=df,
        lr_p_value=float(special.chdtrc(df, statistic)),
        converged=bool(fit.outcome == kernel.Outcome.CONVERGED),
        ridge=bool(fit.ridge),
        unadjusted=unadjusted,
        design=made,
        settings=settings,
        effects=effects,
        cautions=_cautions(effects, settings, fit),
        notes=(),
    )


def _unadjusted(effects: EffectSizes, settings: SelectionSettings, made: Design) -> PooledEffect | MetaRegression:
    if made.names == ("intercept",):
        return pool(effects, tau2_method=settings.tau2_method, test="z", dependent="allow")
    return meta_regression(effects, settings.formula, tau2_method=settings.tau2_method, test="z", dependent="allow")


def _cautions(effects: EffectSizes, settings: SelectionSettings, fit: kernel.SelectionFit) -> tuple[str, ...]:
    found = [*few_studies(effects), *heterogeneous(effects), *dependent(effects)]
    converged = fit.outcome == kernel.Outcome.CONVERGED
    if settings.weights == "estimated":
        found += _thin(settings.steps, fit.counts, converged=bool(converged))
    if converged and settings.tau2_method == "ML" and fit.tau2 == 0.0:
        found.append("τ² is at its bound of 0, and the standard errors take it as known.")
    if converged and fit.ridge:
        found.append(
            "the likelihood is higher still where the mean runs away and τ² grows without end; the estimates are the "
            "best of those nearby."
        )
    return tuple(found)


def _thin(steps: tuple[float, ...], counts: FloatArray, *, converged: bool) -> list[str]:
    """Intervals of p with no effects, or so few that their weight hangs on them."""
    names = interval_names(steps)
    empty = [name for name, count in zip(names[1:], counts[1:], strict=True) if count == 0.0]
    few = [f"{count:.0f} in {name}" for name, count in zip(names, counts, strict=True) if 0 < count <= _NEARLY_EMPTY]
    found = []
    if empty:
        has = f"no effect has {' or '.join(empty)}"
        bound = ", so that weight is at its bound of 0 and counts as known" if converged else ""
        found.append(
            f"{has}{bound}; with steps that leave no interval empty the test of selection is more to be trusted."
        )
    if few:
        found.append(
            f"few effects lie in some intervals of p ({'; '.join(few)}): the weights hang on them; take fewer steps."
        )
    return found
