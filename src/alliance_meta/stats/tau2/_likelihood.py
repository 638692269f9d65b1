"""Estimators of tau2 by maximum likelihood, at the highest maximum."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import BoolArray, FloatArray, IntArray, dot
from alliance_meta.stats._projection import Mean, Model
from alliance_meta.stats._roots import falling_root
from alliance_meta.stats.tau2._record import Tau2

__all__ = ["highest_maximum", "log_likelihood", "tau2_ml", "tau2_reml"]

_CLOSELY = 16
_AT_ONCE = 1 << 14
"""How many numbers a pass over the grid holds: few enough for the cache, enough to make one fit one pass."""


def tau2_reml(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    include: npt.ArrayLike | None = None,
    design: npt.ArrayLike | None = None,
) -> Tau2:
    """Restricted maximum likelihood, at the highest maximum found.

    The score is scanned from 0 to a bound above all maxima, at every doubling of the least total variance and more
    closely where it is not monotone; each descent through 0 is followed to rounding, and the likelihood chooses
    between them and tau2 = 0.

    Parameters
    ----------
    effect, variance : array_like, shape (..., k)
    include : array_like of 0 and 1, shape (..., k), optional
    design : array_like, shape (..., k, p), optional
        Moderators, the intercept included; the mean alone without it.

    Returns
    -------
    Tau2

    References
    ----------
    Viechtbauer, W. (2005). Journal of Educational and Behavioral Statistics, 30, 261-293.
    Raudenbush, S. W. (2009). In Cooper, Hedges & Valentine (Eds.), Handbook of research synthesis, ch. 16.

    Examples
    --------
    >>> print(tau2_reml([0.1, 0.3, 0.9], [0.02, 0.03, 0.05]).estimate.round(4))
    0.1281
    """
    return highest_maximum(*Model.of(effect, variance, include, design), restricted=True)


def tau2_ml(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    include: npt.ArrayLike | None = None,
    design: npt.ArrayLike | None = None,
) -> Tau2:
    """Maximum likelihood, at the highest maximum found; too small with few studies.

    Parameters and result as in `tau2_reml`.

    References
    ----------
    Hardy, R. J., & Thompson, S. G. (1996). Statistics in Medicine, 15, 619-629.

    Examples
    --------
    It takes no account of having estimated the mean, as REML does:

    >>> y, v = [0.1, 0.3, 0.9], [0.02, 0.03, 0.05]
    >>> print(f"{tau2_ml(y, v).estimate:.4f} {tau2_reml(y, v).estimate:.4f}")
    0.0696 0.1281
    """
    return highest_maximum(*Model.of(effect, variance, include, design), restricted=False)


def log_likelihood(model: Model, tau2: FloatArray, *, restricted: bool) -> FloatArray:
    """(Restricted) log-likelihood of tau2 with the coefficients profiled out, up to a constant."""
    marginal = model.v + tau2[..., None]
    w = model.used / marginal
    projection = model.space.project(w)
    twice = (model.used * np.log(marginal)).sum(axis=-1) + (w * projection.residual(model.y) ** 2).sum(axis=-1)
    return np.asarray(-0.5 * (twice + projection.log_det if restricted else twice))


def highest_maximum(model: Model, shape: tuple[int, ...], *, restricted: bool) -> Tau2:
    """The tau2 of the highest (restricted) likelihood of a batch of models."""
    estimate = np.full(len(model.y), np.nan)
    converged = np.ones(len(model.y), dtype=bool)
    enough = np.flatnonzero(model.usable)
    if enough.size:
        there = model if enough.size == len(model.y) else model.at(enough)
        estimate[enough], converged[enough] = _ascend(there.reduced(), restricted)
    return Tau2(estimate.reshape(shape), converged.reshape(shape))


class _Descents(NamedTuple):
    """Where the score falls through 0: the row, a bracket, and a first guess in it."""

    row: IntArray
    low: FloatArray
    high: FloatArray
    start: FloatArray


def _ascend(model: Model, restricted: bool) -> tuple[FloatArray, BoolArray]:
    """The highest maximum of each row: 0, or one of the points where the score falls through 0."""
    found, falls_at_0 = _descents(model, restricted)
    row, each = found.row, np.arange(len(model.y))
    there = model if np.array_equal(row, each) else model.at(row)

    def function(tau2: FloatArray, rows: IntArray) -> tuple[FloatArray, FloatArray]:
        return _slack_and_slope(there if rows.size == row.size else there.at(rows), tau2, restricted)

    roots = falling_root(function, found.low, found.high, found.start, there.least_variance())
    estimate, converged = np.zeros(each.size), np.ones(each.size, dtype=bool)
    estimate[row], converged[row[~roots.converged]] = roots.x, False
    maxima = np.bincount(row, minlength=each.size) + falls_at_0
    contested = np.flatnonzero(maxima[row] > 1)
    if contested.size:
        _settle(model, estimate, row[contested], roots.x[contested], restricted)
    return estimate, converged


def _settle(model: Model, estimate: FloatArray, row: IntArray, maxima: FloatArray, restricted: bool) -> None:
    """Put the highest of several maxima into `estimate`; 0 takes part, for where it is none it is not the highest."""
    rows = np.unique(row)
    row, maxima = np.concatenate([rows, row]), np.concatenate([np.zeros(rows.size), maxima])
    height = log_likelihood(model.at(row), maxima, restricted=restricted)
    order = np.argsort(height, kind="stable")
    estimate[row[order]] = maxima[order]  # the last to be written is the highest


def _descents(model: Model, restricted: bool) -> tuple[_Descents, BoolArray]:
    """Where the score of each row falls through 0, and whether it falls at 0 already."""
    grid, slack = _scan(model, restricted, 1)
    found, falls_at_0 = _crossings(grid, slack), slack[:, 0] <= 0.0
    wavy = np.flatnonzero((slack[:, 1:] > slack[:, :-1]).any(axis=-1) | _rises_at_0(model, falls_at_0, restricted))
    if wavy.size == 0:
        return found, falls_at_0
    # Few rows have a second maximum, and those that might are looked at closely.
    closely = _crossings(*_scan(model.at(wavy), restricted, _CLOSELY))
    closely = closely._replace(row=wavy[closely.row])
    plain = ~np.isin(found.row, wavy)
    both = (np.concatenate([field[plain], more]) for field, more in zip(found, closely, strict=True))
    return _Descents(*both), falls_at_0


def _rises_at_0(model: Model, falls_at_0: BoolArray, restricted: bool) -> BoolArray:
    """Where the score is below 0 at tau2 = 0 but on its way up, so that it may cross 0 twice before the next point."""
    rises = np.zeros(len(falls_at_0), dtype=bool)
    rows = np.flatnonzero(falls_at_0)
    if rows.size:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            rises[rows] = _slack_and_slope(model.at(rows), np.zeros(rows.size), restricted)[1] > 0.0
    return rises


def _crossings(grid: FloatArray, slack: FloatArray) -> _Descents:
    rising = slack > 0.0
    rising[:, -1] = False  # the bound is above all maxima, whatever rounding says
    row, cell = np.nonzero(rising[:, :-1] & ~rising[:, 1:])
    low, high = grid[row, cell], grid[row, cell + 1]
    above, below = slack[row, cell], np.minimum(slack[row, cell + 1], 0.0)
    return _Descents(row, low, high, np.maximum(low + (high - low) * above / (above - below), low))


def _scan(model: Model, restricted: bool, steps: int) -> tuple[FloatArray, FloatArray]:
    """Points from 0 to a bound above all maxima, `steps` to a doubling of the least total variance, and `_slack`."""
    least, bound = model.least_variance(), _bound(model)
    points = 2 + int(np.ceil(steps * np.log2((least + bound) / least).max()))
    grid = np.minimum(least[:, None] * np.expm1(np.arange(points) * (np.log(2.0) / steps)), bound[:, None])
    slack = np.empty(grid.shape)
    rows_at_once = max(1, _AT_ONCE // (points * model.y.shape[-1]))
    for first in range(0, len(grid), rows_at_once):
        part = slice(first, first + rows_at_once)
        some = model.at((part, None))
        slack[part] = (
            _slack(some, grid[part], restricted)
            if isinstance(some.space, Mean)
            else _quick_slack(some, some.space.x, grid[part], restricted)
        )
    return grid, slack


def _bound(model: Model) -> FloatArray:
    """A tau2 above which the score is negative.

    With S the sum of squares of the plain residuals, y'PPy is at most S / (tau2 + least v)^2, and each of its terms
    below that of tr P where tau2 > S; and tr P is at least df / (tau2 + greatest v).
    """
    least, greatest, total = model.least_variance(), np.max(model.used * model.v, axis=-1), model.spread()
    mean = total / model.df
    crossing = 0.5 * mean - least + np.sqrt(mean * (0.25 * mean + (greatest - least)))
    return np.asarray(np.minimum(total, np.maximum(crossing, 0.0)))


def _slack(model: Model, tau2: FloatArray, restricted: bool) -> FloatArray:
    """1 - tr P / y'PPy (tr W in place of tr P for ML): the sign of the score, but nearly straight in tau2."""
    w = model.weight(tau2)
    projection = model.space.project(w)
    expected = w.sum(axis=-1)
    if restricted:
        expected = expected - projection.lost(w * w)
    u = w * projection.residual(model.y)
    with np.errstate(divide="ignore", over="ignore"):
        return np.asarray(1.0 - expected / (u * u).sum(axis=-1))


def _quick_slack(model: Model, columns: FloatArray, tau2: FloatArray, restricted: bool) -> FloatArray:
    """`_slack` with columns (..., p, k), in a third of the time: one pass of Gram-Schmidt, digits enough for a sign."""
    w = model.weight(tau2)
    e, done, expected = model.y, list[tuple[FloatArray, FloatArray]](), np.einsum("...k->...", w)
    with np.errstate(divide="ignore", invalid="ignore"):
        for j in range(columns.shape[-2]):
            q = columns[..., j, :]
            for other, weighted in done:
                q = q - dot(weighted, q)[..., None] * other
            weighted = w * q
            scale = 1.0 / np.sqrt(dot(weighted, q))[..., None]
            q, weighted = q * scale, weighted * scale
            done.append((q, weighted))
            e = e - dot(weighted, e)[..., None] * q
            if restricted:
                expected = expected - dot(weighted, weighted)
        u = w * e
        return np.asarray(1.0 - expected / dot(u, u))


def _slack_and_slope(model: Model, tau2: FloatArray, restricted: bool) -> tuple[FloatArray, FloatArray]:
    w = model.weight(tau2)
    projection = model.space.project(w)
    u = w * projection.residual(model.y)
    u2 = u * u
    squares = u2.sum(axis=-1)
    expected, falling = projection.traces() if restricted else (w.sum(axis=-1), (w * w).sum(axis=-1))
    shrinking = 2.0 * ((w * u2).sum(axis=-1) - projection.explained(w * u))
    ratio = expected / squares
    return 1.0 - ratio, (falling - ratio * shrinking) / squares
