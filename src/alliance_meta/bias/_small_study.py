"""`egger()` and `begg()`: whether small studies find other effects than large ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from alliance_meta import _checks
from alliance_meta.bias import _conditions as conditions
from alliance_meta.effects import EffectSizes, given_effects, sample_sizes
from alliance_meta.errors import ConvergenceError, InputError
from alliance_meta.results import TAU2_METHODS, TESTS, Tau2Method, TestMethod
from alliance_meta.results.bias._small_study import BeggTest, EggerSettings, EggerTest, SmallStudyModel
from alliance_meta.stats import small_study as kernel
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.inference import two_sided_p_value

__all__ = ["begg", "egger", "precision_regression", "regression_settings"]

Sizes = str | Sequence[float] | npt.NDArray[np.float64]

_ESTIMATORS = tuple(name for name in TAU2_METHODS if name != "GENQ")
LEAST = 3
_FEW_FOR_RANKS = 25
"""Effects below which the rank test finds little (Begg & Mazumdar, 1994)."""
_FEW_DF = 4.0
"""Degrees of freedom below which a cluster-robust t is not to be trusted (Tipton, 2015)."""


def egger(
    effects: EffectSizes,
    *,
    model: SmallStudyModel | str = "mixed",
    predictor: kernel.Predictor | str = "std_error",
    tau2_method: Tau2Method | str = "REML",
    test: TestMethod | str | None = None,
    n: Sizes | None = None,
) -> EggerTest:
    """Test whether effects change with the studies' precision or size (Egger's regression test).

    Parameters
    ----------
    effects : EffectSizes
    model : {"mixed", "classical", "robust"}
        ``"mixed"``: a meta-regression with between-study variance, which keeps its level where true effects differ.
        ``"classical"``: Egger's own, weighted least squares with variances known up to a factor; its slope is the
        intercept of effect / standard error on 1 / standard error. ``"robust"``: the mixed regression with
        cluster-robust standard errors (CR2) and Satterthwaite's degrees of freedom, for studies of several effects.
    predictor : {"std_error", "variance", "n", "1/n", "sqrt(n)", "1/sqrt(n)"}
        Those of the sample size are for measures whose variance is computed from the effect itself, such as g or the
        log odds ratio.
    tau2_method : str
        Estimator of the between-study variance, as in `pool()` (without ``"GENQ"``); not for the classical model.
    test : {"knapp-hartung", "knapp-hartung-adhoc", "t", "z"}, optional
        For the mixed model; Knapp and Hartung's by default.
    n : a column's name or k numbers, optional
        Sample sizes; by default the table's columns n, or n1 and n2. Effective sizes, 4 n1 n2 / (n1 + n2), may be
        given.

    Returns
    -------
    EggerTest
        With the effect that the line gives a study without sampling error, where the predictor goes to 0 with it.

    Raises
    ------
    InputError
        For fewer than three effects (or studies, for the robust model), a predictor that is the same for all effects,
        missing sample sizes, or options that the model does not have.
    UnknownNameError
        For an unknown model, predictor, method, test or column.
    ConvergenceError
        If the estimator of tau2 does not reach its solution.

    References
    ----------
    Egger, M., Davey Smith, G., Schneider, M., & Minder, C. (1997). BMJ, 315, 629-634.
    Sterne, J. A. C., & Egger, M. (2005). In Rothstein, Sutton & Borenstein (Eds.), Publication bias in meta-analysis.
    Rodgers, M. A., & Pustejovsky, J. E. (2021). Psychological Methods, 26, 141-160.

    Examples
    --------
    >>> import alliance_meta as am
    >>> egger(am.effect_sizes(am.datasets.load("farber_doolin2011"), measure="ZCOR")).text
    't(16) = 2.25, p = .039'
    """
    given_effects(effects, "egger", LEAST)
    settings = regression_settings(model, predictor, tau2_method, test)
    return precision_regression(effects, settings, n)


def begg(effects: EffectSizes) -> BeggTest:
    """Test whether effects and sampling variances go together, by their ranks (Begg and Mazumdar's test).

    Parameters
    ----------
    effects : EffectSizes

    Returns
    -------
    BeggTest
        Kendall's tau of the variances with the deviations from the inverse-variance mean, each divided by its standard
        error under equal effects. The p value is exact without ties (and with 500 effects at most), else normal.

    Raises
    ------
    InputError
        For fewer than three effects.

    References
    ----------
    Begg, C. B., & Mazumdar, M. (1994). Biometrics, 50, 1088-1101.

    Examples
    --------
    >>> import alliance_meta as am
    >>> begg(am.effect_sizes(am.datasets.load("farber_doolin2011"), measure="ZCOR")).headline
    "Kendall's tau = .22, p = .197, k = 18"
    """
    given_effects(effects, "begg", LEAST)
    found = kernel.rank_correlation(effects.effect, effects.variance)
    cautions = (
        *conditions.few_studies(effects, _FEW_FOR_RANKS),
        *conditions.heterogeneous(effects),
        *conditions.dependent(effects),
        *conditions.variance_tied(effects),
        *conditions.similar_precision(effects),
    )
    return BeggTest(
        tau=found.tau, p_value=found.p_value, exact=found.exact, effects=effects, cautions=cautions, notes=()
    )


def regression_settings(model: str, predictor: str, tau2_method: str, test: str | None) -> EggerSettings:
    """The options of a regression, checked against each other."""
    kind = _checks.known_name("model", model, get_args(SmallStudyModel))
    method = _checks.known_name("tau2_method", tau2_method, _ESTIMATORS)
    asked = None if test is None else _checks.known_name("test", test, tuple(TESTS))
    if kind != "mixed" and asked is not None:
        raise InputError(f"model={kind!r} has a test of its own; test={asked!r} is for model='mixed'")
    if kind == "classical" and method != "REML":
        raise InputError(f"model='classical' has no between-study variance; tau2_method={method!r} is for the others")
    return EggerSettings(
        model=kind,
        predictor=_checks.known_name("predictor", predictor, tuple(kernel.PREDICTORS)),
        tau2_method=None if kind == "classical" else method,
        test=(asked or "knapp-hartung") if kind == "mixed" else None,
    )


def _predictor(effects: EffectSizes, predictor: str, n: Sizes | None) -> FloatArray:
    if predictor in ("std_error", "variance"):
        if n is not None:
            raise InputError(f"n is for the predictors made of sample sizes, not for predictor={predictor!r}")
        return kernel.predictor_values(predictor, effects.variance)
    sizes = sample_sizes(effects) if n is None else np.array(_checks.weights("n", n, effects.table)[1])
    if sizes is None or not (sizes > 0.0).all():
        raise InputError(
            f"predictor={predictor!r} needs every effect's sample size in a column n, or in n1 and n2; or name the "
            "column: n='size'"
        )
    return kernel.predictor_values(predictor, effects.variance, sizes)


def precision_regression(effects: EffectSizes, settings: EggerSettings, n: Sizes | None = None) -> EggerTest:
    """The regression of three effects or more on their precision or size."""
    x = _predictor(effects, settings.predictor, n)
    y, v = effects.effect, effects.variance
    study, known = pd.factorize(effects.table["study"])
    if settings.model == "robust" and settings.tau2_method is not None:
        if len(known) < LEAST:
            raise InputError(f"model='robust' needs {LEAST} studies or more; the effects come from {len(known)}")
        line = kernel.robust_precision_line(y, v, x, study, tau2_method=settings.tau2_method)
    else:
        how = {"tau2_method": settings.tau2_method or "EE", "test": settings.test or "knapp-hartung"}
        line = kernel.precision_line(y, v, x, **how)
    if np.isnan(line.coefficients).any():
        raise InputError(
            f"all effects have the same {kernel.PREDICTORS[settings.predictor]}, so nothing can be said of how they "
            "change with it"
        )
    if not line.converged:
        raise ConvergenceError(f"{settings.tau2_method} did not reach its solution; try tau2_method='DL'")
    return _egger_test(effects, settings, line, len(known))


def _egger_test(effects: EffectSizes, settings: EggerSettings, line: kernel.PrecisionLine, studies: int) -> EggerTest:
    errors = np.sqrt(np.diagonal(line.covariance))
    slope, error, df = float(line.coefficients[1]), float(errors[1]), float(line.df[1])
    statistic = slope / error if error > 0.0 else np.nan
    classical = settings.model == "classical"
    why = (
        "One effect has nearly all the weight, so that standard errors cannot be told, and there is no test."
        if np.isnan(error)
        else "The effects lie on the line exactly: its standard errors are 0, and there is no test."
    )
    return EggerTest(
        slope=slope,
        std_error=error,
        statistic=statistic,
        df=df,
        p_value=float(two_sided_p_value(statistic, df)),
        intercept=float(line.coefficients[0]),
        intercept_std_error=float(errors[0]),
        intercept_df=float(line.df[0]),
        tau2=np.nan if classical else float(line.tau2),
        dispersion=float(line.dispersion) if classical else np.nan,
        studies=studies,
        settings=settings,
        effects=effects,
        cautions=_cautions(effects, settings, line),
        notes=() if error > 0.0 else (why,),
    )


def _cautions(effects: EffectSizes, settings: EggerSettings, line: kernel.PrecisionLine) -> tuple[str, ...]:
    by_variance = settings.predictor in ("std_error", "variance")
    robust = settings.model == "robust"
    few = [
        f"{name} {df:.1f}" for name, df in zip(("limit", "slope"), line.df.tolist(), strict=True) if not df >= _FEW_DF
    ]
    shared = (caution.removesuffix(".") + " or model='robust'." for caution in conditions.dependent(effects))
    untrusted = f"few degrees of freedom ({', '.join(few)}): below 4 a cluster-robust t is not to be trusted."
    return (
        *conditions.few_studies(effects),
        *conditions.heterogeneous(effects),
        *(() if robust else shared),
        *(conditions.variance_tied(effects) if by_variance else ()),
        *conditions.similar_precision(effects),
        *((untrusted,) if robust and few else ()),
    )
