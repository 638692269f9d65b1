"""How many studies of no effect would undo a result: fail-safe numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from alliance_meta.stats._arrays import BoolArray, FloatArray, IntArray, batch, dot
from alliance_meta.stats.inference import two_sided_p_value
from alliance_meta.stats.random_effects import RandomEffects, random_effects

__all__ = [
    "FailSafe",
    "FileDrawer",
    "fail_safe_orwin",
    "fail_safe_random_effects",
    "fail_safe_rosenberg",
    "fail_safe_rosenthal",
    "whole",
    "with_null_studies",
]

_ROUNDING = 1e-9
_AT_ONCE = 24
_NUMBERS_AT_ONCE = 1 << 20
MOST = 100_000
"""The general number is not sought beyond this."""


class FailSafe(NamedTuple):
    """Fail-safe numbers; each field has the batch shape.

    Attributes
    ----------
    number : ndarray
        As a real number, 0 or more; `whole` makes it a count.
    estimate : ndarray
        What the null studies are to undo: Stouffer's z, or the mean less the null.
    p_value : ndarray
        Of the studies at hand; NaN for Orwin's.
    """

    number: FloatArray
    estimate: FloatArray
    p_value: FloatArray


class FileDrawer(NamedTuple):
    """The general fail-safe number.

    Attributes
    ----------
    number : float
        Infinite where more than `MOST` are needed.
    observed, drawer : RandomEffects
        The fit without, and with, that many null studies; arrays of shape ().
    """

    number: float
    observed: RandomEffects
    drawer: RandomEffects


def whole(number: npt.ArrayLike) -> FloatArray:
    """The smallest count that is not below `number`, forgiving what rounding added to a whole one.

    Examples
    --------
    >>> whole([0.0, 12.2, 13.000000000001]).tolist()
    [0.0, 13.0, 13.0]
    """
    n = np.asarray(number, dtype=float)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.ceil(n - _ROUNDING * np.maximum(1.0, np.where(np.isfinite(n), n, 1.0))) + 0.0)  # never -0


def fail_safe_rosenthal(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    include: npt.ArrayLike | None = None,
    *,
    alpha: float = 0.05,
) -> FailSafe:
    """Studies with z = 0 that bring Stouffer's combined z down to the one-sided `alpha`.

    Parameters
    ----------
    effect, variance : array_like, shape (..., k)
        Effects as differences from no effect.
    include : array_like of 0 and 1, shape (..., k), optional
    alpha : float
        One-sided.

    Returns
    -------
    FailSafe
        Its p value is one-sided, towards the side on which the effects are.

    References
    ----------
    Rosenthal, R. (1979). Psychological Bulletin, 86, 638-641.

    Examples
    --------
    >>> print(fail_safe_rosenthal([0.4, 0.5, 0.6], [0.04, 0.04, 0.04]).number.round(2))
    17.79
    """
    y, v, used = batch(effect, variance, include)
    total, k = dot(used, y / np.sqrt(v)), used.sum(axis=-1)
    combined = total / np.sqrt(k)
    number = (total / special.ndtri(1.0 - alpha)) ** 2 - k
    return FailSafe(np.maximum(0.0, number), combined, np.asarray(special.ndtr(-np.abs(combined))))


def fail_safe_orwin(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    include: npt.ArrayLike | None = None,
    *,
    target: npt.ArrayLike,
    weighted: bool = False,
) -> FailSafe:
    """Studies with effect 0 that bring the mean down to `target`.

    Parameters
    ----------
    effect, variance : array_like, shape (..., k)
        Effects as differences from no effect.
    include : array_like of 0 and 1, shape (..., k), optional
    target : array_like
        Of the sign of the mean; 0 makes the number infinite.
    weighted : bool
        Weight by 1 / variance, a null study counting as much as the average study; else all studies alike.

    Returns
    -------
    FailSafe

    References
    ----------
    Orwin, R. G. (1983). Journal of Educational Statistics, 8, 157-159.

    Examples
    --------
    >>> print(fail_safe_orwin([0.4, 0.5, 0.6], [0.04, 0.04, 0.04], target=0.1).number.round(2))
    12.0
    """
    y, v, used = batch(effect, variance, include)
    weight = used / v if weighted else used
    mean, k = dot(weight, y) / weight.sum(axis=-1), used.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        number = np.where(mean == 0.0, 0.0, k * (mean / target - 1.0))
    number = np.where(np.asarray(target) == 0.0, np.inf, number)
    return FailSafe(np.maximum(0.0, number), mean, np.full(mean.shape, np.nan))


def fail_safe_rosenberg(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    include: npt.ArrayLike | None = None,
    *,
    alpha: float = 0.05,
) -> FailSafe:
    """Studies with effect 0 and the average weight that bring the equal-effects mean down to the two-sided `alpha`.

    Parameters
    ----------
    effect, variance : array_like, shape (..., k)
        Effects as differences from no effect.
    include : array_like of 0 and 1, shape (..., k), optional
    alpha : float
        Two-sided, by the normal distribution.

    Returns
    -------
    FailSafe

    References
    ----------
    Rosenberg, M. S. (2005). Evolution, 59, 464-468.

    Examples
    --------
    >>> print(fail_safe_rosenberg([0.4, 0.5, 0.6], [0.04, 0.04, 0.04]).number.round(2))
    11.64
    """
    y, v, used = batch(effect, variance, include)
    weight, k = used / v, used.sum(axis=-1)
    total, of_weights = dot(weight, y), weight.sum(axis=-1)
    needed = (total / special.ndtri(1.0 - alpha / 2.0)) ** 2 - of_weights
    p_value = two_sided_p_value(total / np.sqrt(of_weights), np.inf)
    return FailSafe(np.maximum(0.0, k * needed / of_weights), total / of_weights, p_value)


def with_null_studies(
    effect: FloatArray, variance: FloatArray, tau2: float, numbers: IntArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The effects and each of several numbers of null studies: effects, variances and inclusion, (B, k + most).

    N null studies have effects that average 0, half of them above and half below, as far from it as studies with the
    heterogeneity `tau2` and the average precision are: a mean square of tau2 + v0, v0 the harmonic mean of the
    variances. Of an odd number one is at 0.
    """
    k, most = effect.size, int(numbers.max(initial=0))
    v0 = 1.0 / np.mean(1.0 / variance)
    count = numbers.astype(np.float64)[:, None]
    place = np.arange(most)[None, :]
    present = place < count
    odd = count % 2.0
    paired = np.maximum(count - odd, 1.0)
    away = np.sqrt((tau2 + v0) * count / paired)
    added = np.where(place < count - odd, np.where(place % 2 == 0, away, -away), 0.0)
    rows = (numbers.size, k)
    y = np.concatenate([np.broadcast_to(effect, rows), np.where(present, added, 0.0)], axis=1)
    v = np.concatenate([np.broadcast_to(variance, rows), np.full((numbers.size, most), v0)], axis=1)
    return y, v, np.concatenate([np.ones(rows), present.astype(np.float64)], axis=1)


def fail_safe_random_effects(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    *,
    alpha: float = 0.05,
    target: float | None = None,
    tau2_method: str = "REML",
    test: str = "z",
) -> FileDrawer:
    """Null studies that bring a random-effects mean down to `target`, or its two-sided p value up to `alpha`.

    Parameters
    ----------
    effect, variance : array_like, shape (k,)
        Effects as differences from no effect.
    alpha : float
        Not used with a target.
    target : float, optional
        Of the sign of the mean.
    tau2_method, test : str
        As in `random_effects`; tau2 is estimated again with the null studies, which `with_null_studies` makes.

    Returns
    -------
    FileDrawer

    Examples
    --------
    >>> found = fail_safe_random_effects([0.4, 0.5, 0.6], [0.04, 0.04, 0.04], tau2_method="EE")
    >>> print(found.number, found.drawer.estimate.round(3))
    12.0 0.1
    """
    y, v = np.asarray(effect, dtype=float), np.asarray(variance, dtype=float)

    def fitted(numbers: IntArray) -> RandomEffects:
        data = with_null_studies(y, v, tau2, numbers)
        return random_effects(*data, tau2_method=tau2_method, test=test)

    def undone(fit: RandomEffects) -> BoolArray:
        if target is not None:
            return np.asarray(np.abs(fit.estimate) <= abs(target) * (1.0 + _ROUNDING))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(two_sided_p_value(fit.estimate / fit.std_error, fit.df) >= alpha)

    observed = random_effects(y, v, tau2_method=tau2_method, test=test)
    tau2 = float(np.nan_to_num(observed.tau2))
    number = None if target == 0.0 else _first(lambda numbers: undone(fitted(numbers)), y.size)
    if number is None:
        return FileDrawer(np.inf, observed, observed)
    return FileDrawer(float(number), observed, RandomEffects(*(part[0] for part in fitted(np.array([number])))))


def _first(undone: Callable[[IntArray], BoolArray], k: int) -> int | None:
    """The least number of null studies that undoes a result, none beyond `MOST`."""
    low, numbers = -1, np.arange(_AT_ONCE)
    while True:
        yes = undone(numbers)
        if yes.any():
            first = int(np.argmax(yes))
            low, high = int(numbers[first - 1]) if first else low, int(numbers[first])
            if high - low == 1:
                return high
            numbers = _spaced(np.linspace(low + 1, high, _points(k + high)))
        else:
            low = int(numbers[-1])
            if low >= MOST:
                return None
            high = min(10 * low, MOST)
            numbers = _spaced(np.geomspace(low + 1, high, _points(k + high)))


def _points(size: int) -> int:
    return int(np.clip(_NUMBERS_AT_ONCE // size, 4, _AT_ONCE))


def _spaced(numbers: FloatArray) -> IntArray:
    return np.unique(np.rint(numbers).astype(np.intp))
