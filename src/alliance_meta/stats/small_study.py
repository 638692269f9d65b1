"""Whether small studies find other effects than large ones: regression on precision or size, and rank correlation."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.regression import regression
from alliance_meta.stats.robust import contrast_covariance, sandwich, satterthwaite_df
from alliance_meta.stats.weighted import weighted_mean

__all__ = [
    "PREDICTORS",
    "PrecisionLine",
    "Predictor",
    "RankCorrelation",
    "precision_line",
    "predictor_values",
    "rank_correlation",
    "robust_precision_line",
    "standardised_deviations",
]

Predictor = Literal["std_error", "variance", "n", "1/n", "sqrt(n)", "1/sqrt(n)"]

PREDICTORS: dict[Predictor, str] = {
    "std_error": "standard error",
    "variance": "sampling variance",
    "n": "sample size n",
    "1/n": "1/n",
    "sqrt(n)": "√n",
    "1/sqrt(n)": "1/√n",
}
"""What effects are regressed on; all but ``"n"`` and ``"sqrt(n)"`` go to 0 as a study grows."""

_EXACT_UP_TO = 500
"""Effects for which the exact distribution of Kendall's tau is worked out, which takes time like their cube."""
_EXACT_FIT = 1e-13
"""Residuals below this share of the largest effect are what rounding leaves of an exact fit."""


class PrecisionLine(NamedTuple):
    """Effects as a straight line in the studies' precision or size; each field begins with the batch shape.

    Attributes
    ----------
    coefficients : ndarray, shape (..., 2)
        Intercept and slope, on the scale of the effects and per unit of the predictor.
    covariance : ndarray, shape (..., 2, 2)
    df : ndarray, shape (..., 2)
        Degrees of freedom of their tests, infinite for z.
    tau2 : ndarray
        Variance between studies that the line leaves.
    dispersion : ndarray
        Weighted residual sum of squares at tau2 = 0 divided by k - 2 (no unit).
    converged : ndarray of bool
    """

    coefficients: FloatArray
    covariance: FloatArray
    df: FloatArray
    tau2: FloatArray
    dispersion: FloatArray
    converged: npt.NDArray[np.bool_]


class RankCorrelation(NamedTuple):
    """Kendall's rank correlation.

    Attributes
    ----------
    tau : float
        tau-b; NaN where all of either variable are tied.
    p_value : float
        Two-sided.
    exact : bool
        From the exact distribution; else from the normal, with the variance for ties.
    """

    tau: float
    p_value: float
    exact: bool


def predictor_values(predictor: str, variance: npt.ArrayLike, n: npt.ArrayLike | None = None) -> FloatArray:
    """What the effects are regressed on.

    Parameters
    ----------
    predictor : str
        A name in `PREDICTORS`.
    variance : array_like, shape (..., k)
    n : array_like, shape (..., k), optional
        Sample sizes, for the predictors that are made of them.

    Returns
    -------
    ndarray, shape (..., k)

    Examples
    --------
    >>> predictor_values("1/sqrt(n)", [0.04, 0.01], [25, 100])
    array([0.2, 0.1])
    """
    if predictor in ("std_error", "variance"):
        v = np.asarray(variance, dtype=float)
        return np.sqrt(v) if predictor == "std_error" else v
    size = np.asarray(n, dtype=float)
    size = np.sqrt(size) if "sqrt" in predictor else size
    return np.asarray(1.0 / size if predictor.startswith("1/") else size)


def precision_line(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    predictor: npt.ArrayLike,
    include: npt.ArrayLike | None = None,
    *,
    tau2_method: str,
    test: str,
) -> PrecisionLine:
    """Regress effects on a measure of precision or size.

    Parameters
    ----------
    effect, variance, predictor : array_like, shape (..., k)
    include : array_like of 0 and 1, shape (..., k), optional
    tau2_method : str
        A name in `ESTIMATORS`, or ``"EE"`` (tau2 = 0), with which ``test="knapp-hartung"`` is unrestricted weighted
        least squares: variances are known up to a common factor.
    test : {"knapp-hartung", "knapp-hartung-adhoc", "t", "z"}

    Returns
    -------
    PrecisionLine
        NaN where the predictor is the same for all effects included.

    References
    ----------
    Egger, M., Davey Smith, G., Schneider, M., & Minder, C. (1997). BMJ, 315, 629-634.
    Thompson, S. G., & Sharp, S. J. (1999). Statistics in Medicine, 18, 2693-2708.

    Examples
    --------
    Egger's test: the slope on the standard error is the intercept of effect / standard error on 1 / standard error.

    >>> y, se = np.array([0.1, 0.3, 0.2, 0.6]), np.array([0.05, 0.1, 0.2, 0.4])
    >>> line = precision_line(y, se**2, se, tau2_method="EE", test="knapp-hartung")
    >>> slope, intercept = np.polyfit(1.0 / se, y / se, 1)
    >>> print(f"{line.coefficients[1]:.4f} {intercept:.4f}")
    1.4348 1.4348
    """
    x = np.asarray(predictor, dtype=float)
    design = np.stack([np.ones_like(x), x], axis=-1)
    fit = regression(effect, variance, design, include, tau2_method=tau2_method, test=test)
    with np.errstate(invalid="ignore", divide="ignore"):
        dispersion = np.where(fit.k > 2.0, fit.q_residual / (fit.k - 2.0), np.nan)
    df = np.repeat(fit.df[..., None], 2, axis=-1)
    return PrecisionLine(fit.coefficients, fit.covariance, df, fit.tau2, dispersion, fit.converged)


def robust_precision_line(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    predictor: npt.ArrayLike,
    study: npt.ArrayLike,
    *,
    tau2_method: str,
) -> PrecisionLine:
    """The same line with standard errors (CR2) that let effects of a study depend on each other in any way.

    Parameters
    ----------
    effect, variance, predictor : array_like, shape (k,)
    study : array_like of int, shape (k,)
        The number of each effect's study: 0, 1, ..., none left out.
    tau2_method : str
        Estimator of the working model's variance between effects.

    Returns
    -------
    PrecisionLine
        Each coefficient has its own Satterthwaite degrees of freedom. The covariance is NaN where one effect has nearly
        all the weight.

    Raises
    ------
    InputError
        For one study.

    References
    ----------
    Pustejovsky, J. E., & Tipton, E. (2018). Journal of Business & Economic Statistics, 36, 672-683.
    Rodgers, M. A., & Pustejovsky, J. E. (2021). Psychological Methods, 26, 141-160.

    Examples
    --------
    Three studies of two effects each leave fewer degrees of freedom than six effects:

    >>> y, se = [0.1, 0.2, 0.3, 0.4, 0.6, 0.6], np.array([0.1, 0.1, 0.2, 0.2, 0.3, 0.3])
    >>> line = robust_precision_line(y, se**2, se, [0, 0, 1, 1, 2, 2], tau2_method="DL")
    >>> line.df.round(1)
    array([1., 1.])
    """
    y, v, x = (np.asarray(values, dtype=float) for values in (effect, variance, predictor))
    plain = precision_line(y, v, x, tau2_method=tau2_method, test="z")
    design = np.column_stack([np.ones_like(x), x])
    left = y - design @ plain.coefficients
    left = np.where(np.abs(left) > _EXACT_FIT * np.abs(y).max(), left, 0.0)
    total = v + np.nan_to_num(plain.tau2)
    middle = float(weighted_mean(x, total).estimate)  # about it the columns are not parallel, whatever the weights are
    centred, back = np.column_stack([np.ones_like(x), x - middle]), np.array([[1.0, -middle], [0.0, 1.0]])
    try:
        with np.errstate(invalid="ignore", divide="ignore"):
            found = sandwich(centred, left, study, total)
            covariance, df = contrast_covariance(found, back), satterthwaite_df(found, back)
    except np.linalg.LinAlgError:
        covariance, df = np.full((2, 2), np.nan), np.full(2, np.nan)
    return plain._replace(covariance=covariance, df=df)


def standardised_deviations(effect: npt.ArrayLike, variance: npt.ArrayLike) -> FloatArray:
    """Deviations from the inverse-variance mean, divided by their standard errors under equal effects.

    Parameters
    ----------
    effect, variance : array_like, shape (..., k)

    Returns
    -------
    ndarray, shape (..., k)
        (y - mean) / sqrt(v - 1 / sum of weights), by way of the mean of the others, which loses no digits where one
        study has nearly all the weight. NaN for one effect.

    References
    ----------
    Begg, C. B., & Mazumdar, M. (1994). Biometrics, 50, 1088-1101.

    Examples
    --------
    >>> standardised_deviations([0.1, 0.2, 0.6], [0.01, 0.01, 0.04]).round(2)
    array([-1.34,  0.  ,  2.12])
    """
    y, v = np.broadcast_arrays(np.asarray(effect, dtype=float), np.asarray(variance, dtype=float))
    w = 1.0 / v
    apart = y - weighted_mean(y, v).estimate[..., None]
    others = _sum_of_others(w)
    with np.errstate(invalid="ignore", divide="ignore"):
        from_others = apart - _sum_of_others(w * apart) / others
        return np.asarray(from_others * np.sqrt(others * w / (w + others)))


def rank_correlation(effect: npt.ArrayLike, variance: npt.ArrayLike) -> RankCorrelation:
    """Kendall's tau of standardised deviations with sampling variances.

    Parameters
    ----------
    effect, variance : array_like, shape (k,)

    Returns
    -------
    RankCorrelation
        Exact without ties and with 500 effects at most.

    References
    ----------
    Begg, C. B., & Mazumdar, M. (1994). Biometrics, 50, 1088-1101.
    Kendall, M. G. (1970). Rank correlation methods (4th ed.).

    Examples
    --------
    >>> found = rank_correlation([0.1, 0.2, 0.6, 0.5], [0.01, 0.02, 0.04, 0.09])
    >>> print(f"{found.tau:.3f}, p = {found.p_value:.3f}")
    0.667, p = 0.333
    """
    from scipy.stats import kendalltau  # slow to load, and nothing else needs it

    y, v = np.asarray(effect, dtype=float), np.asarray(variance, dtype=float)
    k = v.size
    _, first, which = np.unique(np.stack([y, v]), axis=1, return_index=True, return_inverse=True)
    deviations = standardised_deviations(y, v)[first[which.ravel()]]  # equal effects tie, whatever rounding does
    distinct = [np.unique(values).size for values in (deviations, v)]
    if np.isnan(deviations).any() or min(distinct) < 2:
        return RankCorrelation(np.nan, np.nan, False)
    exact = k <= _EXACT_UP_TO and min(distinct) == k
    found = kendalltau(deviations, v, method="exact" if exact else "asymptotic")
    return RankCorrelation(float(found.statistic), float(found.pvalue), exact)


def _sum_of_others(values: FloatArray) -> FloatArray:
    """For each number the sum of all but itself, without taking it off the total."""
    before = np.cumsum(values, axis=-1)
    after = np.cumsum(values[..., ::-1], axis=-1)[..., ::-1]
    none = np.zeros_like(values[..., :1])
    shifted = np.concatenate([none, before[..., :-1]], axis=-1)
    return np.asarray(shifted + np.concatenate([after[..., 1:], none], axis=-1))
