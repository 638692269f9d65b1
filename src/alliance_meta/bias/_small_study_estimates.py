"""`pet()`, `peese()`, `pet_peese()`: the effect of a study without sampling error, by regression on precision."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from alliance_meta import _checks
from alliance_meta.bias import _conditions as conditions
from alliance_meta.bias._small_study import LEAST, precision_regression, regression_settings
from alliance_meta.effects import EffectSizes, given_effects
from alliance_meta.errors import InputError
from alliance_meta.results import Tau2Method
from alliance_meta.results.bias._small_study import SmallStudyModel
from alliance_meta.results.bias._small_study_estimates import Direction, PetPeese, SmallStudyEstimate
from alliance_meta.stats.random_effects import random_effects

__all__ = ["peese", "pet", "pet_peese"]

_FEW = 20
"""Effects below which PET and PEESE are unreliable (Stanley, 2017)."""
_POWER_80 = 2.8
"""Effect in standard errors that a two-sided test at .05 finds with 80 % probability."""


def pet(
    effects: EffectSizes, *, model: SmallStudyModel | str = "classical", tau2_method: Tau2Method | str = "REML"
) -> SmallStudyEstimate:
    """Estimate the effect of a study without sampling error by a line in standard errors (PET).

    Parameters
    ----------
    effects : EffectSizes
    model : {"classical", "mixed", "robust"}
        As in `egger()`. The classical one is the authors': under selection, its weights leave less bias than those of
        the mixed model, which give small studies more to say.
    tau2_method : str
        As in `egger()`.

    Returns
    -------
    SmallStudyEstimate

    Raises
    ------
    InputError, UnknownNameError, ConvergenceError
        As `egger()`.

    References
    ----------
    Stanley, T. D., & Doucouliagos, H. (2014). Research Synthesis Methods, 5, 60-78.
    Stanley, T. D. (2017). Social Psychological and Personality Science, 8, 581-591.

    Examples
    --------
    >>> import alliance_meta as am
    >>> pet(am.effect_sizes(am.datasets.load("farber_doolin2011"), measure="ZCOR")).headline
    'r = 0.024, 95% CI [−0.220, 0.265], k = 18 (PET, classical)'
    """
    return _estimate(effects, "PET", model, tau2_method)


def peese(
    effects: EffectSizes, *, model: SmallStudyModel | str = "classical", tau2_method: Tau2Method | str = "REML"
) -> SmallStudyEstimate:
    """Estimate the effect of a study without sampling error by a line in sampling variances (PEESE).

    Parameters
    ----------
    effects : EffectSizes
    model : {"classical", "mixed", "robust"}
        As in `pet()`.
    tau2_method : str
        As in `egger()`.

    Returns
    -------
    SmallStudyEstimate

    Raises
    ------
    InputError, UnknownNameError, ConvergenceError
        As `egger()`.

    References
    ----------
    Stanley, T. D., & Doucouliagos, H. (2014). Research Synthesis Methods, 5, 60-78.

    Examples
    --------
    Where there is an effect, PEESE corrects it less than PET:

    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("farber_doolin2011"), measure="ZCOR")
    >>> print(f"{peese(effects).estimate:.3f} {pet(effects).estimate:.3f}")
    0.144 0.024
    """
    return _estimate(effects, "PEESE", model, tau2_method)


def pet_peese(
    effects: EffectSizes,
    *,
    model: SmallStudyModel | str = "classical",
    tau2_method: Tau2Method | str = "REML",
    alpha: float = 0.10,
    direction: Direction | str = "mean",
) -> PetPeese:
    """Estimate the effect of a study without sampling error by PEESE if PET finds an effect, else by PET.

    PET is the better of both where there is no effect, PEESE where there is one.

    Parameters
    ----------
    effects : EffectSizes
    model : {"classical", "mixed", "robust"}
        As in `pet()`.
    tau2_method : str
        As in `egger()`.
    alpha : float
        Two-sided level of PET's test, of which one side counts: with 0.10 PEESE is used where the one-sided p value of
        PET's estimate is below .05.
    direction : {"mean", "positive", "negative"}
        Which side: that of the unadjusted mean, or above or below no effect.

    Returns
    -------
    PetPeese

    Raises
    ------
    InputError, UnknownNameError, ConvergenceError
        As `egger()`; and for an alpha that does not lie between 0 and 1.

    References
    ----------
    Stanley, T. D., & Doucouliagos, H. (2014). Research Synthesis Methods, 5, 60-78.
    Stanley, T. D. (2017). Social Psychological and Personality Science, 8, 581-591.

    Examples
    --------
    >>> import alliance_meta as am
    >>> pet_peese(am.effect_sizes(am.datasets.load("farber_doolin2011"), measure="ZCOR")).headline
    'r = 0.024, 95% CI [−0.220, 0.265], k = 18 (PET used, classical)'
    """
    if not (isinstance(alpha, float) and 0.0 < alpha < 1.0):
        raise InputError(f"alpha must lie between 0 and 1, such as 0.10 for a one-sided test at .05; got {alpha!r}")
    asked = _checks.known_name("direction", direction, get_args(Direction))
    first, second = (_estimate(effects, method, model, tau2_method) for method in ("PET", "PEESE"))
    expected = (first.unadjusted >= effects.measure.null) if asked == "mean" else asked == "positive"
    side: Literal["positive", "negative"] = "positive" if expected else "negative"
    half = 0.5 * first.p_value
    one_sided = half if (first.statistic > 0.0) == expected else 1.0 - half
    cautions = tuple(dict.fromkeys((*first.cautions, *second.cautions)))
    return PetPeese(
        pet=first,
        peese=second,
        used="PEESE" if one_sided < 0.5 * alpha else "PET",
        one_sided_p_value=one_sided,
        alpha=alpha,
        direction=side,
        effects=effects,
        cautions=cautions,
        notes=tuple(dict.fromkeys((*first.notes, *second.notes))),
    )


def _estimate(
    effects: EffectSizes, method: Literal["PET", "PEESE"], model: str, tau2_method: str
) -> SmallStudyEstimate:
    given_effects(effects, method.lower(), LEAST)
    settings = regression_settings(model, "std_error" if method == "PET" else "variance", tau2_method, None)
    line = precision_regression(effects, settings)
    mean = random_effects(effects.effect, effects.variance, tau2_method=settings.tau2_method or "EE", test="z")
    unadjusted = float(mean.estimate)
    few = conditions.few_studies(effects, _FEW)
    rest = tuple(caution for caution in line.cautions if caution not in conditions.few_studies(effects))
    return SmallStudyEstimate(
        method=method,
        regression=line,
        unadjusted=unadjusted,
        effects=effects,
        cautions=(*few, *rest, *_all_weak(effects, unadjusted)),
        notes=line.notes,
    )


def _all_weak(effects: EffectSizes, mean: float) -> tuple[str, ...]:
    """Even the most precise study can hardly have found the mean, so that none shows where the line should end."""
    sharpest = float(np.sqrt(effects.variance.min()))
    if abs(mean - effects.measure.null) >= _POWER_80 * sharpest:
        return ()
    return (
        "even the most precise study had less than 80% power to find the unadjusted mean, so that the line is extended "
        "far beyond what the studies show.",
    )
