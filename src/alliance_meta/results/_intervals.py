"""The intervals a pooled effect is asked for: each method by its name."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isnan, nan
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import special

from alliance_meta import _checks
from alliance_meta._parallel import available_workers, progress_bar
from alliance_meta.errors import InputError
from alliance_meta.results._interval import Interval, Proportion
from alliance_meta.results._tau2_interval import note_on, std_error_of_tau2, tau2_bounds
from alliance_meta.results._vocabulary import MEAN_INTERVALS, PREDICTION_METHODS, PROPORTION_INTERVALS, TAU2_INTERVALS
from alliance_meta.stats import heterogeneity, prediction, profile, resampling
from alliance_meta.stats.henmi_copas import henmi_copas
from alliance_meta.stats.inference import critical_value

if TYPE_CHECKING:
    from alliance_meta.results._pooled import PooledEffect

__all__ = [
    "Resampling",
    "inconsistency_interval",
    "mean_interval",
    "prediction_interval",
    "proportion_above",
    "tau2_interval",
]

_ONE = "one study says nothing about differences between studies"
Bounds = tuple[float, float]


class Resampling(NamedTuple):
    """How to resample: how often, from which seed, on how many threads."""

    replicates: int
    seed: int
    workers: int | None

    def checked(self) -> Resampling:
        """The same, with a number of threads; refused where a number is not one that can be used."""
        workers = available_workers() if self.workers is None else self.workers
        for name, value, least in (
            ("replicates", self.replicates, 100),
            ("workers", workers, 1),
            ("seed", self.seed, 0),
        ):
            if value < least:
                raise InputError(f"{name} must be {least} or more, not {value}")
        return self._replace(workers=workers)


def mean_interval(fit: PooledEffect, level: float, method: str, how: Resampling) -> Interval:
    """Interval of the mean effect."""
    method = _checks.known_name("confidence interval method", method, tuple(MEAN_INTERVALS))
    if method == "test":
        half = float(critical_value(level, fit.df)) * fit.std_error
        note = "one study leaves the t distribution no degrees of freedom" if isnan(half) else ""
        bounds = (fit.estimate - half, fit.estimate + half)
        return Interval(low=bounds[0], high=bounds[1], level=level, kind="confidence", note=note)
    if fit.settings.weights != "inverse-variance":
        raise InputError(f"method {method!r} is for inverse-variance weights; this mean has {fit.settings.weights}")
    if fit.k == 1:
        return Interval(low=nan, high=nan, level=level, kind="confidence", note=_ONE)
    low, high = _MEAN[method](fit, level, how.checked())
    note = "even the most extreme means are not rejected: the level asks for more studies" if high == inf else ""
    return Interval(low=low, high=high, level=level, kind="confidence", note=note)


def _henmi_copas(fit: PooledEffect, level: float, _how: Resampling) -> Bounds:
    found = henmi_copas(fit.effects.effect, fit.effects.variance, level)
    return float(found.low), float(found.high)


def _profile(fit: PooledEffect, level: float, _how: Resampling) -> Bounds:
    low, high = profile.mean_profile_interval(fit.effects.effect, fit.effects.variance, level)
    return float(low), float(high)


def _permutation(fit: PooledEffect, level: float, how: Resampling) -> Bounds:
    found = resampling.permutation_interval(
        fit.effects.effect,
        fit.effects.variance,
        level,
        tau2_method=_resampled(fit),
        test=fit.settings.test,
        replicates=how.replicates,
        seed=how.seed,
        workers=how.workers or 1,
    )
    return found.low, found.high


def _resampled(fit: PooledEffect) -> str:
    if fit.settings.tau2_method == "GENQ":
        raise InputError("tau2_method='GENQ' has weights of its own and is not resampled; pool with another method")
    return fit.settings.tau2_method


def _bootstrap(kind: Callable[..., resampling.Bootstrap], fit: PooledEffect, how: Resampling) -> resampling.Bootstrap:
    with progress_bar(how.replicates, "fit") as bar:
        return kind(
            fit.effects.effect,
            fit.effects.variance,
            tau2_method=_resampled(fit),
            replicates=how.replicates,
            seed=how.seed,
            workers=how.workers,
            progress=bar.update,
        )


def _parametric(fit: PooledEffect, level: float, how: Resampling) -> Bounds:
    return resampling.percentile_interval(_bootstrap(resampling.parametric_bootstrap, fit, how).estimate, level)


def _cases(fit: PooledEffect, level: float, how: Resampling) -> Bounds:
    return resampling.percentile_interval(_bootstrap(resampling.case_bootstrap, fit, how).estimate, level)


_MEAN: dict[str, Callable[[PooledEffect, float, Resampling], Bounds]] = {
    "henmi-copas": _henmi_copas,
    "profile": _profile,
    "permutation": _permutation,
    "parametric-bootstrap": _parametric,
    "case-bootstrap": _cases,
}


def prediction_interval(fit: PooledEffect, level: float, method: str, how: Resampling) -> Interval:
    """Interval for the true effect of a new study."""
    method = _checks.known_name("prediction interval method", method, tuple(PREDICTION_METHODS))
    if method == "nagashima":
        rng = np.random.default_rng(how.checked().seed)
        low, high = prediction.nagashima_interval(
            fit.effects.effect, fit.effects.variance, level, replicates=how.replicates, rng=rng
        )
    else:
        df = {"t(k-2)": fit.k - 2.0, "t(k-1)": fit.k - 1.0, "z": inf, "metafor": fit.df}[method]
        half = float(critical_value(level, df)) * float(np.sqrt(fit.tau2 + fit.std_error**2))
        low, high = fit.estimate - half, fit.estimate + half
    note = ""
    if isnan(low):
        note = f"a prediction interval by {method} needs more than {'2 studies' if method == 't(k-2)' else '1 study'}"
    elif fit.settings.tau2_method == "EE" and method != "nagashima":
        note = "equal effects are assumed, so this is no wider than sampling error makes it"
    return Interval(low=low, high=high, level=level, kind="prediction", note=note)


def tau2_interval(fit: PooledEffect, level: float, method: str, how: Resampling) -> Interval:
    """Interval of the between-study variance."""
    method = _checks.known_name("tau2 interval method", method, tuple(TAU2_INTERVALS))
    if fit.k == 1:
        return Interval(low=nan, high=nan, level=level, kind="tau2", note=_ONE)
    if method == "bootstrap":
        draws = _bootstrap(resampling.parametric_bootstrap, fit, how.checked()).tau2
        low, high = resampling.percentile_interval(draws, level)
    else:
        low, high = tau2_bounds(fit, level, method)
    return Interval(low=low, high=high, level=level, kind="tau2", note=note_on(low, high, "the effects"))


def inconsistency_interval(fit: PooledEffect, tau2: Interval, quantity: str) -> Interval:
    """Interval of I2 or H2 from one of tau2."""
    bounds = heterogeneity.inconsistency_from_tau2(np.array([tau2.low, tau2.high]), fit.effects.variance)
    low, high = (float(bound) for bound in (bounds.i2 if quantity == "i2" else bounds.h2))
    return Interval(low=low, high=high, level=tau2.level, kind=quantity, note=tau2.note)


def proportion_above(fit: PooledEffect, threshold: float, level: float, method: str, how: Resampling) -> Proportion:
    """Proportion of true effects above a threshold on the scale shown to people."""
    method = _checks.known_name("method of a proportion's interval", method, tuple(PROPORTION_INTERVALS))
    own = fit.effects.measure
    bound = float(own.from_display(threshold))
    if isnan(bound):
        raise InputError(f"threshold must be a value of {own.display_scale}, not {threshold!r}")
    if fit.k == 1:
        return Proportion(estimate=nan, low=nan, high=nan, threshold=threshold, level=level, note=_ONE)
    std_error = nan if method == "bootstrap" else std_error_of_tau2(fit)
    found = prediction.proportion_above(fit.estimate, fit.std_error, fit.tau2, std_error, bound, level)
    low, high = float(found.low), float(found.high)
    if method == "bootstrap":
        draws = _bootstrap(resampling.parametric_bootstrap, fit, how.checked())
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = special.ndtr((draws.estimate - bound) / np.sqrt(draws.tau2))
        low, high = resampling.percentile_interval(shares, level)
    note = "tau2 is 0, so all true effects count as the same" if isnan(low) else ""
    return Proportion(estimate=float(found.proportion), low=low, high=high, threshold=threshold, level=level, note=note)
