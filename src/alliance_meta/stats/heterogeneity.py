"""How much studies differ: Q, I2, H2, and the Q-profile interval of tau2."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats._projection import Model
from alliance_meta.stats.tau2 import tau2_where_q_equals
from alliance_meta.stats.weighted import weighted_mean

__all__ = [
    "Cochran",
    "Inconsistency",
    "cochran_q",
    "inconsistency_from_q",
    "inconsistency_from_tau2",
    "q_profile_interval",
]


class Cochran(NamedTuple):
    """Cochran's test that all studies share one true effect; each field has the batch shape."""

    q_statistic: FloatArray
    q_df: FloatArray
    q_p_value: FloatArray


class Inconsistency(NamedTuple):
    """I2 (percent) and H2 (ratio); each field has the batch shape."""

    i2: FloatArray
    h2: FloatArray


def cochran_q(effect: npt.ArrayLike, variance: npt.ArrayLike, include: npt.ArrayLike | None = None) -> Cochran:
    """Cochran's Q, its degrees of freedom k - 1 and its chi-square p value.

    Parameters
    ----------
    effect, variance : array_like, shape (..., k)
    include : array_like of 0 and 1, shape (..., k), optional

    Returns
    -------
    Cochran
        The p value is NaN with fewer than two effects.

    References
    ----------
    Cochran, W. G. (1954). Biometrics, 10, 101-129.

    Examples
    --------
    >>> q = cochran_q([0.1, 0.3, 0.9], [0.02, 0.03, 0.05])
    >>> print(f"Q({q.q_df:.0f}) = {q.q_statistic:.2f}, p = {q.q_p_value:.3f}")
    Q(2) = 9.16, p = 0.010
    """
    common = weighted_mean(effect, variance, include=include)
    df = common.k - 1.0
    p_value = np.where(df > 0.0, special.chdtrc(df, common.residual_ss), np.nan)
    return Cochran(common.residual_ss, df, p_value)


def inconsistency_from_q(cochran: Cochran) -> Inconsistency:
    """I2 and H2 from Cochran's Q: I2 = max(0, (Q - df) / Q), H2 = Q / df.

    Parameters
    ----------
    cochran : Cochran

    Returns
    -------
    Inconsistency
        NaN with fewer than two effects; I2 is 0 where Q is 0.

    References
    ----------
    Higgins, J. P. T., & Thompson, S. G. (2002). Statistics in Medicine, 21, 1539-1558.

    Examples
    --------
    >>> inconsistency = inconsistency_from_q(cochran_q([0.1, 0.3, 0.9], [0.02, 0.03, 0.05]))
    >>> print(f"I2 = {inconsistency.i2:.1f}%, H2 = {inconsistency.h2:.2f}")
    I2 = 78.2%, H2 = 4.58
    """
    q, df = cochran.q_statistic, cochran.q_df
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        i2 = np.where(q > df, 100.0 * (q - df) / q, np.where(np.isnan(q), np.nan, 0.0))
        h2 = q / df
    return Inconsistency(np.where(df > 0.0, i2, np.nan), np.where(df > 0.0, h2, np.nan))


def inconsistency_from_tau2(
    tau2: npt.ArrayLike,
    variance: npt.ArrayLike,
    include: npt.ArrayLike | None = None,
    design: npt.ArrayLike | None = None,
) -> Inconsistency:
    """I2 and H2 from an estimate of tau2: I2 = tau2 / (tau2 + s2), H2 = tau2 / s2 + 1.

    s2 is Higgins and Thompson's typical sampling variance, (k - 1) sum(w) / (sum(w)**2 - sum(w**2)) with
    w = 1 / variance; with moderators (k - p) / tr P. This is the definition metafor prints; with DerSimonian and
    Laird's tau2 it equals the one from Q.

    Parameters
    ----------
    tau2 : array_like, shape (...)
    variance : array_like, shape (..., k)
    include : array_like of 0 and 1, shape (..., k), optional
    design : array_like, shape (..., k, p), optional
        Moderators, the intercept included; the mean alone without it.

    Returns
    -------
    Inconsistency

    References
    ----------
    Higgins, J. P. T., & Thompson, S. G. (2002). Statistics in Medicine, 21, 1539-1558.

    Examples
    --------
    >>> inconsistency = inconsistency_from_tau2(0.1, [0.02, 0.03, 0.05])
    >>> print(f"I2 = {inconsistency.i2:.1f}%, H2 = {inconsistency.h2:.2f}")
    I2 = 76.3%, H2 = 4.23
    """
    model, shape = Model.of(variance, variance, include, design)  # the effects play no part
    tau2 = np.broadcast_to(np.asarray(tau2, dtype=float), np.broadcast_shapes(np.shape(tau2), shape))
    w = model.used / model.v
    with np.errstate(invalid="ignore", divide="ignore"):
        trace = w.sum(axis=-1) - model.space.project(w).lost(w**2)
        typical = np.where(model.df > 0.0, model.df / trace, np.nan).reshape(shape)
        return Inconsistency(100.0 * tau2 / (tau2 + typical), tau2 / typical + 1.0)


def q_profile_interval(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    level: float = 0.95,
    include: npt.ArrayLike | None = None,
    design: npt.ArrayLike | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Interval of tau2 by profiling Q: the tau2 at which Q(tau2) meets its chi-square quantiles.

    Exact under normality, for any estimator of tau2. A bound below 0 is given as 0; where both
    are, the effects agree better than sampling error alone would let them.

    Parameters
    ----------
    effect, variance : array_like, shape (..., k)
    level : float
    include : array_like of 0 and 1, shape (..., k), optional
    design : array_like, shape (..., k, p), optional
        Moderators, the intercept included; the mean alone without it.

    Returns
    -------
    low, high : ndarray, shape (...)
        NaN without residual degrees of freedom.

    References
    ----------
    Viechtbauer, W. (2007). Statistics in Medicine, 26, 37-52.

    Examples
    --------
    >>> low, high = q_profile_interval([0.1, 0.3, 0.9], [0.02, 0.03, 0.05])
    >>> print(f"[{low:.3f}, {high:.2f}]")
    [0.009, 6.81]
    """
    model, shape = Model.of(effect, variance, include, design)
    df = np.where(model.df > 0.0, model.df, np.nan)
    tail = (1.0 - level) / 2.0
    low, high = (
        tau2_where_q_equals(model, np.asarray(special.chdtri(df, upper), dtype=float), shape).estimate
        for upper in (tail, 1.0 - tail)
    )
    return low, high
