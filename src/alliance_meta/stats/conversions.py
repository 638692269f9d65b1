"""From one effect-size metric to another: one published formula a function."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import FloatArray

__all__ = ["r_to_d", "r_to_variance_share", "r_to_z", "z_to_r"]


def r_to_z(r: npt.ArrayLike) -> FloatArray:
    """Fisher's z of a correlation: atanh(r).

    Parameters
    ----------
    r : array_like
        Correlations in (-1, 1); +-1 give infinity.

    References
    ----------
    Fisher, R. A. (1921). Metron, 1, 3-32.

    Examples
    --------
    >>> print(r_to_z(0.5).round(4))
    0.5493
    """
    with np.errstate(divide="ignore"):
        return np.asarray(np.arctanh(np.asarray(r, dtype=float)))


def z_to_r(z: npt.ArrayLike) -> FloatArray:
    """Correlation of a Fisher's z: tanh(z).

    Parameters
    ----------
    z : array_like

    References
    ----------
    Fisher, R. A. (1921). Metron, 1, 3-32.

    Examples
    --------
    >>> print(z_to_r(0.5493).round(4))
    0.5
    """
    return np.asarray(np.tanh(np.asarray(z, dtype=float)))


def r_to_d(r: npt.ArrayLike) -> FloatArray:
    """Standardized mean difference of a point-biserial r between two equal groups: 2 r / sqrt(1 - r**2).

    Parameters
    ----------
    r : array_like
        Correlations in (-1, 1).

    References
    ----------
    Cohen, J. (1988). Statistical power analysis for the behavioral sciences, eq. 2.2.6 solved for d, with p = q.

    Examples
    --------
    The alliance's r of .278 as a difference between groups:

    >>> print(r_to_d(0.278).round(3))
    0.579
    """
    r = np.asarray(r, dtype=float)
    with np.errstate(divide="ignore"):
        return np.asarray(2.0 * r / np.sqrt(1.0 - r**2))


def r_to_variance_share(r: npt.ArrayLike) -> FloatArray:
    """Share of variance that a correlation explains: r**2, a proportion.

    Parameters
    ----------
    r : array_like
        Correlations in [-1, 1].

    Examples
    --------
    >>> print(r_to_variance_share(0.22).round(3))
    0.048
    """
    return np.asarray(np.asarray(r, dtype=float) ** 2)
