"""Tests and critical values of a t distribution that becomes the normal at infinite degrees of freedom."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

from alliance_meta.stats._arrays import FloatArray

__all__ = ["critical_value", "two_sided_p_value"]


def critical_value(level: float, df: npt.ArrayLike) -> FloatArray:
    """Two-sided critical value: the half-width of an interval in standard errors.

    Parameters
    ----------
    level : float
        Coverage, such as 0.95.
    df : array_like
        Degrees of freedom; infinity gives the normal distribution, 0 or less gives NaN.

    Returns
    -------
    ndarray

    Examples
    --------
    >>> print(f"{critical_value(0.95, np.inf):.3f} {critical_value(0.95, 4):.3f}")
    1.960 2.776
    """
    dof = np.asarray(df, dtype=float)
    upper = 0.5 + level / 2.0
    student = special.stdtrit(np.where(np.isfinite(dof) & (dof > 0.0), dof, 1.0), upper)
    return np.where(dof > 0.0, np.where(np.isposinf(dof), special.ndtri(upper), student), np.nan)


def two_sided_p_value(statistic: npt.ArrayLike, df: npt.ArrayLike) -> FloatArray:
    """Two-sided p value of a t (or, at infinite df, z) statistic.

    Parameters
    ----------
    statistic, df : array_like, broadcast together

    Returns
    -------
    ndarray
        NaN where df is 0 or less.

    Examples
    --------
    >>> print(f"{two_sided_p_value(1.96, np.inf):.4f}")
    0.0500
    """
    dof = np.asarray(df, dtype=float)
    tail = -np.abs(np.asarray(statistic, dtype=float))
    student = special.stdtr(np.where(np.isfinite(dof) & (dof > 0.0), dof, 1.0), tail)
    return np.where(dof > 0.0, 2.0 * np.where(np.isposinf(dof), special.ndtr(tail), student), np.nan)
