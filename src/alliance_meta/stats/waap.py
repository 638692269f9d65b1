"""Unrestricted weighted least squares, and the same of the adequately powered effects alone, for any batch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from alliance_meta.stats._arrays import BoolArray, FloatArray, batch
from alliance_meta.stats.random_effects import RandomEffects, random_effects

__all__ = ["Waap", "waap"]


class Waap(NamedTuple):
    """Means by unrestricted weighted least squares; each field begins with the batch shape.

    Attributes
    ----------
    everything : RandomEffects
        Of all effects: the equal-effects mean, its standard error multiplied by sqrt(Q / (k - 1)).
    chosen : RandomEffects
        Of the adequately powered effects; of all where fewer than two are.
    largest_error : ndarray
        Largest standard error at which an effect is adequately powered.
    powered : ndarray of bool, shape (..., k)
    restricted : ndarray of bool
        Whether two or more effects are adequately powered.
    """

    everything: RandomEffects
    chosen: RandomEffects
    largest_error: FloatArray
    powered: BoolArray
    restricted: BoolArray


def waap(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    include: npt.ArrayLike | None = None,
    *,
    power: float = 0.8,
    null: float = 0.0,
) -> Waap:
    """Weighted average of the adequately powered: those whose test at 5 % would find the mean of all with `power`.

    Parameters
    ----------
    effect, variance : array_like, shape (..., k)
    include : array_like of 0 and 1, shape (..., k), optional
    power : float
    null : float
        Value of no effect.

    Returns
    -------
    Waap

    References
    ----------
    Stanley, T. D., Doucouliagos, H., & Ioannidis, J. P. A. (2017). Statistics in Medicine, 36, 1580-1598.

    Examples
    --------
    >>> found = waap([0.20, 0.25, 0.60, 0.90], [0.004, 0.005, 0.06, 0.12])
    >>> print(f"{found.everything.estimate:.3f} {found.chosen.estimate:.3f}", found.powered.astype(int))
    0.247 0.222 [1 1 0 0]
    """
    y, v, used = batch(effect, variance, include)
    everything = _least_squares(y, v, used)
    largest = np.abs(everything.estimate - null) / (special.ndtri(0.975) + special.ndtri(power))
    powered = (used > 0.0) & (np.sqrt(v) <= largest[..., None])
    restricted = powered.sum(axis=-1) > 1
    chosen = _least_squares(y, v, np.where(restricted[..., None], powered, used))
    return Waap(everything, chosen, np.asarray(largest), powered, restricted)


def _least_squares(y: FloatArray, v: FloatArray, used: npt.ArrayLike) -> RandomEffects:
    """Knapp and Hartung's factor at tau2 = 0 is the residual standard deviation of least squares."""
    return random_effects(y, v, used, tau2_method="EE", test="knapp-hartung")
