"""`meta_regression()`: why studies differ."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan

import numpy as np
import numpy.typing as npt
from scipy import special

from alliance_meta import _checks
from alliance_meta.design import Design, design
from alliance_meta.effects import Dependent, EffectSizes, given_effects, note_shared_studies
from alliance_meta.errors import ConvergenceError, InputError
from alliance_meta.results import (
    TAU2_METHODS,
    TESTS,
    MetaRegression,
    RegressionSettings,
    Tau2Method,
    TestMethod,
    explained,
)
from alliance_meta.stats import heterogeneity
from alliance_meta.stats.random_effects import random_effects
from alliance_meta.stats.regression import Regression, full_log_likelihood, regression

__all__ = ["meta_regression"]


def meta_regression(
    effects: EffectSizes,
    formula: str,
    *,
    tau2_method: Tau2Method | str = "REML",
    test: TestMethod | str = "knapp-hartung",
    q_weights: str | Sequence[float] | npt.NDArray[np.float64] | None = None,
    dependent: Dependent | str = "warn",
) -> MetaRegression:
    """Regress effects on moderators in a mixed-effects model.

    Parameters
    ----------
    effects : EffectSizes
        From `effect_sizes()`; treated as independent. The moderators are columns of its table.
    formula : str
        R's, without a left-hand side: ``"year + C(rater, reference='client') + n_sessions:treatment"``. It is read,
        never run; see `alliance_meta.design.design`.
    tau2_method : {"REML", "ML", "DL", "DL2", "HE", "CA2", "HS", "HSk", "SJ", "PM", "PMM", "EB", "GENQ", "EE"}
        Estimator of the between-study variance that the moderators leave; ``"EE"`` assumes that there is none.
    test : {"knapp-hartung", "knapp-hartung-adhoc", "t", "z"}
        Of the coefficients: Knapp and Hartung's with k - p degrees of freedom, the same never narrower than without it,
        the plain standard error with t(k - p), or with the normal distribution.
    q_weights : a column's name or k numbers, optional
        Weights of the generalised Q statistic; needed for, and only for, ``"GENQ"``.
    dependent : {"warn", "allow"}
        What to do where effects share a study, though they are taken as independent: a `DependenceWarning`, or only a
        note in the result.

    Returns
    -------
    MetaRegression

    Raises
    ------
    FormulaError
        For a formula that cannot be read, or asks for something outside the closed list.
    InputError
        For a moderator with empty cells, coefficients that cannot be told apart, or as many of them as effects.
    UnknownNameError
        For an unknown column, method or test.
    ConvergenceError
        If an iterative estimator does not reach its solution.

    References
    ----------
    Raudenbush, S. W. (2009). In Cooper, Hedges & Valentine (Eds.), Handbook of research synthesis, ch. 16.
    Knapp, G., & Hartung, J. (2003). Statistics in Medicine, 22, 2693-2710.

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("munder2012"), measure="SMD")
    >>> fit = am.meta_regression(effects, "researcher_allegiance", dependent="allow")
    >>> print(f"{fit.coefficient('researcher_allegiance'):.3f} a point of allegiance, {fit.omnibus().text}")
    0.094 a point of allegiance, F(1, 27) = 3.22, p = .084
    """
    given_effects(effects, "meta_regression")
    method = _checks.known_name("tau2_method", tau2_method, tuple(TAU2_METHODS))
    if (method == "GENQ") != (q_weights is not None):
        raise InputError("tau2_method='GENQ' needs q_weights, and no other method takes them")
    settings = RegressionSettings(
        formula=formula,
        tau2_method=method,
        test=_checks.known_name("test", test, tuple(TESTS)),
        q_weights=None if q_weights is None else _checks.weights("q_weights", q_weights, effects.table)[1],
    )
    made = design(formula, effects.table)
    if made.matrix.shape[1] >= effects.k:
        raise InputError(
            f"{formula!r} has {made.matrix.shape[1]} coefficients for {effects.k} effects: none would be left to tell "
            "how much they differ. Take fewer moderators, or merge levels."
        )
    return _result(effects, settings, made, note_shared_studies(effects, "meta_regression()", dependent))


def _result(effects: EffectSizes, settings: RegressionSettings, made: Design, notes: tuple[str, ...]) -> MetaRegression:
    y, v, x = effects.effect, effects.variance, made.matrix
    fit = regression(y, v, x, tau2_method=settings.tau2_method, test=settings.test, q_weights=settings.q_weights)
    if not fit.converged:
        raise ConvergenceError(
            f"{settings.tau2_method} did not reach its solution for {settings.formula!r}; try tau2_method='DL'"
        )
    for array in (fit.coefficients, fit.covariance):
        array.setflags(write=False)
    tau2, q = float(fit.tau2), float(fit.q_residual)
    df = effects.k - len(made.names)
    inconsistency = (
        heterogeneity.inconsistency_from_q(heterogeneity.Cochran(fit.q_residual, np.asarray(float(df)), fit.q_residual))
        if settings.tau2_method == "EE"
        else heterogeneity.inconsistency_from_tau2(tau2, v, design=x)
    )
    restricted = settings.tau2_method == "REML"
    return MetaRegression(
        coefficients=fit.coefficients,
        covariance=fit.covariance,
        df=float(fit.df),
        tau2=tau2,
        i2=float(inconsistency.i2),
        h2=float(inconsistency.h2),
        r2=_r2(effects, settings, made, tau2),
        q_residual=q,
        q_residual_df=float(df),
        q_residual_p_value=float(special.chdtrc(df, q)),
        log_likelihood=float(full_log_likelihood(y, v, tau2, x, restricted=restricted)),
        k=effects.k,
        n=effects.n,
        effects=effects,
        design=made,
        settings=settings,
        notes=(*_notes(settings, fit), *notes),
    )


def _r2(effects: EffectSizes, settings: RegressionSettings, made: Design, tau2: float) -> float:
    """Share of tau2 that the moderators explain, in percent."""
    if settings.tau2_method == "EE" or "intercept" not in made.names or len(made.names) == 1:
        return nan
    alone = random_effects(
        effects.effect,
        effects.variance,
        tau2_method=settings.tau2_method,
        test="z",
        q_weights=settings.q_weights,
    )
    return float(explained(alone.tau2, tau2))


def _notes(settings: RegressionSettings, fit: Regression) -> list[str]:
    notes = []
    if settings.tau2_method == "EE" and settings.test.startswith("knapp-hartung"):
        notes.append(
            "Under equal effects Knapp-Hartung multiplies the standard errors by sqrt(QE / (k - p)), as in "
            "unrestricted weighted least squares; the classical choice is test='z'."
        )
    if not np.diagonal(fit.covariance).all():
        notes.append(
            "The moderators fit the effects exactly, so Knapp-Hartung's standard errors are 0; "
            "test='knapp-hartung-adhoc' does not fall below sampling error."
        )
    return notes
