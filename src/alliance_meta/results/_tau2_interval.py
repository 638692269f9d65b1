"""Intervals of the between-study variance, of pooled effects and of meta-regressions."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.stats import heterogeneity, profile
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.generalised_q import generalised_q_interval
from alliance_meta.stats.tau2 import tau2_std_error, tau2_wald_interval

if TYPE_CHECKING:
    from alliance_meta.results._pooled import PooledEffect
    from alliance_meta.results._regression import MetaRegression

    Fit: TypeAlias = PooledEffect | MetaRegression

__all__ = ["note_on", "std_error_of_tau2", "tau2_bounds"]


def tau2_bounds(fit: Fit, level: float, method: str, design: FloatArray | None = None) -> tuple[float, float]:
    """Both bounds by a method of `TAU2_INTERVALS` other than the bootstrap.

    Parameters
    ----------
    fit : PooledEffect or MetaRegression
    level : float
    method : str
        A known name.
    design : ndarray, shape (k, p), optional
        Of a meta-regression.
    """
    y, v = fit.effects.effect, fit.effects.variance
    if method == "q-profile":
        bounds = heterogeneity.q_profile_interval(y, v, level, design=design)
    elif method in ("biggerstaff-jackson", "jackson"):
        weights = 1.0 / v if method == "biggerstaff-jackson" else 1.0 / np.sqrt(v)
        bounds = generalised_q_interval(y, v, level, weights=weights, design=design)
    elif method == "profile":
        estimator = fit.settings.tau2_method
        if estimator not in ("REML", "ML"):
            raise InputError(
                f"a profile likelihood interval of tau2 needs tau2_method='REML' or 'ML', not {estimator!r}"
            )
        bounds = profile.tau2_profile_interval(y, v, level, design=design, restricted=estimator == "REML")
    else:
        bounds = tau2_wald_interval(fit.tau2, std_error_of_tau2(fit, design), level, log=method == "wald-log")
    return float(bounds[0]), float(bounds[1])


def std_error_of_tau2(fit: Fit, design: FloatArray | None = None) -> float:
    """Large-sample standard error of tau2, or an error that says that the estimator has none."""
    own = fit.settings
    try:
        found = tau2_std_error(own.tau2_method, fit.tau2, fit.effects.variance, design=design, weights=own.q_weights)
    except UnknownNameError:
        raise InputError(
            f"tau2 by {own.tau2_method} has no large-sample standard error; choose another method"
        ) from None
    return float(found)


def note_on(low: float, high: float, what: str) -> str:
    """What a reader must know about the bounds of tau2; `what` differ so little where both are 0."""
    if isnan(low):
        return "an estimate of 0 has no logarithm"
    if high == 0.0:
        return f"{what} differ less than sampling error alone would let them; both bounds are set to 0"
    return ""
