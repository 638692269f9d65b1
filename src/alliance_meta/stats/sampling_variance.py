"""Sampling variances of the effect-size measures."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import FloatArray

__all__ = ["variance_of_correlation", "variance_of_fisher_z", "variance_of_smd"]


def variance_of_correlation(r: npt.ArrayLike, n: npt.ArrayLike) -> FloatArray:
    """Large-sample variance of a correlation: (1 - r**2)**2 / (n - 1).

    Parameters
    ----------
    r : array_like
        Correlations.
    n : array_like
        Sample sizes, above 1.

    Returns
    -------
    ndarray

    References
    ----------
    Hedges, L. V., & Olkin, I. (1985). Statistical methods for meta-analysis;
    metafor's `escalc(measure="COR", vtype="LS")`.

    Examples
    --------
    >>> print(variance_of_correlation(0.5, 26))
    0.0225
    """
    return np.asarray((1.0 - np.asarray(r, dtype=float) ** 2) ** 2 / (np.asarray(n, dtype=float) - 1.0))


def variance_of_fisher_z(n: npt.ArrayLike) -> FloatArray:
    """Variance of Fisher's z: 1 / (n - 3), whatever the correlation.

    Parameters
    ----------
    n : array_like
        Sample sizes, above 3.

    Returns
    -------
    ndarray

    References
    ----------
    Fisher, R. A. (1921). Metron, 1, 3-32.

    Examples
    --------
    >>> print(variance_of_fisher_z(103))
    0.01
    """
    return np.asarray(1.0 / (np.asarray(n, dtype=float) - 3.0))


def variance_of_smd(g: npt.ArrayLike, n1: npt.ArrayLike, n2: npt.ArrayLike) -> FloatArray:
    """Large-sample variance of a standardized mean difference: 1/n1 + 1/n2 + g**2 / (2 (n1 + n2)).

    Parameters
    ----------
    g : array_like
        Hedges' g (bias-corrected difference in pooled standard deviations).
    n1, n2 : array_like
        Group sizes, above 0.

    Returns
    -------
    ndarray

    References
    ----------
    Hedges, L. V. (1982). Psychological Bulletin, 92, 490-499, eq. 8; metafor's
    `escalc(measure="SMD", vtype="LS")`.

    Examples
    --------
    >>> print(variance_of_smd(0.5, 20, 30).round(4))
    0.0858
    """
    g, n1, n2 = (np.asarray(value, dtype=float) for value in (g, n1, n2))
    return np.asarray(1.0 / n1 + 1.0 / n2 + g**2 / (2.0 * (n1 + n2)))
