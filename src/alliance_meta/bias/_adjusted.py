"""`limit_meta()`, `waap()` and `henmi_copas()`: means that small studies, and selection among them, move less."""

from __future__ import annotations

from numbers import Real

import numpy as np
from scipy import special

from alliance_meta import _checks
from alliance_meta.bias._conditions import dependent, few_studies, heterogeneous, similar_precision, variance_tied
from alliance_meta.effects import EffectSizes, given_effects
from alliance_meta.errors import ConvergenceError, InputError
from alliance_meta.pooling import pool
from alliance_meta.results import TAU2_METHODS, Tau2Method
from alliance_meta.results.bias._adjusted import AdequatelyPowered, HenmiCopasMean, LimitMeta
from alliance_meta.stats import henmi_copas as henmi_copas_kernel
from alliance_meta.stats import inference
from alliance_meta.stats import limit_meta as limit_kernel
from alliance_meta.stats import waap as waap_kernel

__all__ = ["ESTIMATED", "henmi_copas", "limit_meta", "waap"]

ESTIMATED: tuple[Tau2Method, ...] = tuple(name for name in TAU2_METHODS if name != "GENQ")
"""The estimators of tau2 that need no weights of their own."""

_LINE = 3
_PAIR = 2
_FEW_POWERED = 4
_SIGN_OF_MORE = 0.1


def limit_meta(effects: EffectSizes, *, tau2_method: Tau2Method | str = "REML") -> LimitMeta:
    """Limit meta-analysis: what studies without sampling error would be expected to find.

    The model is effect = beta + sqrt(variance + tau2) (alpha + error): a random-effects model in which small studies
    may lie off by alpha. Its limit, as the variance goes to 0, is beta + tau alpha.

    Parameters
    ----------
    effects : EffectSizes
        At least three, of standard errors that differ; taken as independent.
    tau2_method : str
        Any of `pool()`'s but ``"GENQ"``. tau2 is that of the model without alpha; with ``"EE"`` the limit is the
        intercept of the regression on standard errors (PET) with the variances taken as known.

    Returns
    -------
    LimitMeta
        With the paper's two other adjusted means, G2, and the tests of small-study effects and of what is left of Q.

    Raises
    ------
    UnknownNameError
        For an unknown method.
    InputError
        For fewer than three effects, or standard errors that do not differ.
    ConvergenceError
        If the estimator of tau2 does not reach its solution.

    Notes
    -----
    The intervals take tau2 as known and are normal. Those of the two other means, beta-lim and mu-lim, take the limit
    effects to have their studies' sampling errors and no others: where studies are heterogeneous they are too narrow.

    References
    ----------
    Rücker, G., Schwarzer, G., Carpenter, J. R., Binder, H., & Schumacher, M. (2011). Biostatistics, 12, 122-142.

    Examples
    --------
    >>> import alliance_meta as am
    >>> limit_meta(am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR"))
    <LimitMeta: r = 0.260, 95% CI [0.006, 0.483]; unadjusted 0.250, 95% CI [0.118, 0.373]>
    """
    given_effects(effects, "limit_meta", _LINE)
    method = _checks.known_name("tau2_method", tau2_method, ESTIMATED)
    fit = limit_kernel.limit_meta(effects.effect, effects.variance, tau2_method=method)
    if not fit.converged:
        raise ConvergenceError(f"{method} did not reach its solution for these effects; try tau2_method='DL'")
    if not np.isfinite(fit.std_error):
        raise InputError(
            "limit_meta() holds small studies against large ones, and all standard errors here are the same"
        )
    return _limit_meta(effects, method, fit)


def waap(effects: EffectSizes, *, power: float = 0.8) -> AdequatelyPowered:
    """Average the adequately powered effects alone, by unrestricted weighted least squares (WAAP-WLS).

    An effect is adequately powered if its standard error is at most abs(average of all) / (z(.975) + z(power)): a test
    at 5 % on two sides would find the average of all with that power. With fewer than two such effects, all are
    averaged.

    Parameters
    ----------
    effects : EffectSizes
        At least two; taken as independent.
    power : float
        Above .05 and below 1.

    Returns
    -------
    AdequatelyPowered

    Raises
    ------
    InputError
        For fewer than two effects, or another power.

    Notes
    -----
    Unrestricted weighted least squares gives the equal-effects mean, with a standard error multiplied by
    sqrt(Q / (k - 1)) and tested by t(k - 1): the same as ``pool(effects, tau2_method="EE")``.

    References
    ----------
    Stanley, T. D., Doucouliagos, H., & Ioannidis, J. P. A. (2017). Statistics in Medicine, 36, 1580-1598.

    Examples
    --------
    >>> import alliance_meta as am
    >>> waap(am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")).headline
    '1 of 16 adequately powered, so all are averaged: r = 0.249, 95% CI [0.114, 0.376]'
    """
    given_effects(effects, "waap", _PAIR)
    if isinstance(power, bool) or not isinstance(power, Real) or not 0.05 < power < 1.0:
        raise InputError(f"power must lie between .05 and 1, such as 0.8; got {power!r}")
    null = effects.measure.null
    found = waap_kernel.waap(effects.effect, effects.variance, power=float(power), null=null)
    every, chosen = found.everything, found.chosen
    found.powered.setflags(write=False)
    estimate, std_error, df = float(chosen.estimate), float(chosen.std_error), float(chosen.df)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = float((estimate - null) / np.float64(std_error))
    return AdequatelyPowered(
        estimate=estimate,
        std_error=std_error,
        statistic=statistic,
        df=df,
        p_value=float(inference.two_sided_p_value(statistic, df)),
        all_estimate=float(every.estimate),
        all_std_error=float(every.std_error),
        all_df=float(every.df),
        power=float(power),
        largest_error=float(found.largest_error),
        powered=found.powered,
        restricted=bool(found.restricted),
        effects=effects,
        cautions=(
            *few_studies(effects),
            *_few_powered(int(found.powered.sum())),
            *heterogeneous(effects),
            *variance_tied(effects),
            *dependent(effects),
        ),
        notes=() if std_error > 0.0 else ("The averaged effects are identical, so that their standard error is 0.",),
    )


def henmi_copas(effects: EffectSizes) -> HenmiCopasMean:
    """Henmi and Copas's interval: the weights of equal effects, the uncertainty of random ones.

    Parameters
    ----------
    effects : EffectSizes
        At least two; taken as independent.

    Returns
    -------
    HenmiCopasMean

    Raises
    ------
    InputError
        For fewer than two effects.

    References
    ----------
    Henmi, M., & Copas, J. B. (2010). Statistics in Medicine, 29, 2969-2983.

    Examples
    --------
    >>> import alliance_meta as am
    >>> henmi_copas(am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR"))
    <HenmiCopasMean: r = 0.249, 95% CI [0.089, 0.397]; random-effects mean 0.250, 95% CI [0.118, 0.373]>
    """
    given_effects(effects, "henmi_copas", _PAIR)
    found = henmi_copas_kernel.henmi_copas(effects.effect, effects.variance)
    unadjusted = pool(effects, tau2_method="DL", test="z", dependent="allow")
    return HenmiCopasMean(
        estimate=float(found.estimate),
        std_error=float(found.std_error),
        tau2=float(found.tau2),
        unadjusted=unadjusted,
        effects=effects,
        cautions=(*few_studies(effects), *similar_precision(effects), *dependent(effects)),
        notes=(),
    )


def _limit_meta(effects: EffectSizes, method: Tau2Method, fit: limit_kernel.LimitFit) -> LimitMeta:
    numbers = {name: float(value) for name, value in fit._asdict().items() if np.ndim(value) == 0}
    fit.limit_effects.setflags(write=False)
    statistic = (numbers["estimate"] - effects.measure.null) / numbers["std_error"]
    small_study = max(numbers["q_statistic"] - numbers["q_residual"], 0.0)
    k = effects.k
    return LimitMeta(
        **{name: numbers[name] for name in ("estimate", "std_error", "alpha", "alpha_error", "beta", "tau2", "g2")},
        statistic=statistic,
        p_value=float(inference.two_sided_p_value(statistic, np.inf)),
        limit_slope=numbers["slope"],
        limit_slope_error=numbers["slope_error"],
        limit_mean=numbers["mean"],
        limit_mean_error=numbers["mean_error"],
        tau2_method=method,
        q_statistic=numbers["q_statistic"],
        q_df=k - 1.0,
        q_p_value=float(special.chdtrc(k - 1.0, numbers["q_statistic"])),
        q_small_study=small_study,
        q_small_study_p_value=float(special.chdtrc(1.0, small_study)),
        q_residual=numbers["q_residual"],
        q_residual_df=k - 2.0,
        q_residual_p_value=float(special.chdtrc(k - 2.0, numbers["q_residual"])),
        limit_effects=fit.limit_effects,
        unadjusted=pool(effects, tau2_method=method, test="z", dependent="allow"),
        effects=effects,
        cautions=(
            *few_studies(effects),
            *variance_tied(effects),
            *similar_precision(effects),
            *_beyond_all(effects, numbers["estimate"]),
            *_left(numbers["q_residual"], k - 2.0),
            *dependent(effects),
        ),
        notes=(),
    )


def _beyond_all(effects: EffectSizes, limit: float) -> tuple[str, ...]:
    """The limit lies outside the range of the effects."""
    if effects.effect.min() <= limit <= effects.effect.max():
        return ()
    return ("the limit lies beyond every effect that was found, so that it rests on the trend alone.",)


def _left(q_residual: float, df: float) -> tuple[str, ...]:
    """Heterogeneity is left, which the test of small-study effects takes no account of."""
    if not special.chdtrc(df, q_residual) < _SIGN_OF_MORE:
        return ()
    return (
        "heterogeneity is left beyond small-study effects (Q′), and the p value of Q − Q′, which does not allow for "
        "it, is too small; egger(effects) allows for it.",
    )


def _few_powered(count: int) -> tuple[str, ...]:
    """The average of the adequately powered is that of two or three effects."""
    if not _PAIR <= count < _FEW_POWERED:
        return ()
    return (f"only {count} effects are adequately powered, so that their average hangs on each of them.",)
