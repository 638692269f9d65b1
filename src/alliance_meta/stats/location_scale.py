"""The location-scale model: moderators of the effects, and of how much the true effects differ."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import BoolArray, FloatArray, IntArray
from alliance_meta.stats._projection import Columns, Model, Projection
from alliance_meta.stats.tau2 import ESTIMATORS

__all__ = ["LocationScale", "Outcome", "location_scale"]

_MAX_STEPS = 200
_HALVINGS = 40
_NOTHING = 1e-13
"""A share of the information that is none, and a rise of the log-likelihood that no longer matters."""

_VANISHED = 1e-6
"""A tau2 that small beside the sampling variance is on its way to 0."""


class Outcome(IntEnum):
    """How the search for the highest likelihood ended."""

    CONVERGED = 0
    BOUNDARY = 1
    FLAT = 2
    NOT_REACHED = 3


class LocationScale(NamedTuple):
    """A fitted location-scale model; each field begins with the batch shape.

    Attributes
    ----------
    coefficients : ndarray, shape (..., p)
        Of the location, on the scale of the effects per unit of the column.
    covariance : ndarray, shape (..., p, p)
        Given the scale coefficients; by the chosen test, as in `regression`.
    scale_coefficients : ndarray, shape (..., q)
        Of log tau2, per unit of the column.
    scale_covariance : ndarray, shape (..., q, q)
        Inverse of the observed information.
    tau2 : ndarray, shape (..., k)
        Between-study variance of effects like each; NaN for effects left out.
    log_likelihood : ndarray
        With every constant; restricted for REML. Where the outcome is ``BOUNDARY``, the bound that it approaches.
    df, scale_df : ndarray
        Degrees of freedom of tests of location and scale: infinite for z tests, else k - p and k - q.
    k : ndarray
    outcome : ndarray of int8
        An `Outcome`. Unless it is ``CONVERGED`` the coefficients are NaN.
    """

    coefficients: FloatArray
    covariance: FloatArray
    scale_coefficients: FloatArray
    scale_covariance: FloatArray
    tau2: FloatArray
    log_likelihood: FloatArray
    df: FloatArray
    scale_df: FloatArray
    k: FloatArray
    outcome: npt.NDArray[np.int8]


def location_scale(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    design: npt.ArrayLike,
    scale_design: npt.ArrayLike,
    include: npt.ArrayLike | None = None,
    *,
    tau2_method: str = "REML",
    test: str = "z",
) -> LocationScale:
    """Fit effects ~ N(X b, variance + exp(Z a)) by restricted or full maximum likelihood.

    Newton's method climbs from several starts; the highest end counts. With few effects the likelihood may be higher
    still where the coefficients are infinite and tau2 of all but one or two effects is 0; that is not searched for.

    Parameters
    ----------
    effect, variance : array_like, shape (..., k)
    design : array_like, shape (..., k, p)
        X, of the location. An intercept is a column of it, or is not fitted.
    scale_design : array_like, shape (..., k, q)
        Z, of log tau2; likewise.
    include : array_like of 0 and 1, shape (..., k), optional
    tau2_method : {"REML", "ML"}
    test : {"knapp-hartung", "knapp-hartung-adhoc", "t", "z"}
        Knapp and Hartung's factor concerns the location only.

    Returns
    -------
    LocationScale
        ``BOUNDARY``: the likelihood keeps rising while tau2 of some effects goes to 0, so no finite coefficients are
        best. ``FLAT``: the effects do not say what some coefficient is.

    References
    ----------
    Viechtbauer, W., & Lopez-Lopez, J. A. (2022). Research Synthesis Methods, 13.

    Examples
    --------
    Six effects that agree better than six others; tau2 differs by a factor of 40:

    >>> effect = [0.1, 0.4, 0.2, 0.5, 0.0, 0.3, -0.9, 1.2, 0.4, -0.5, 1.1, 0.6]
    >>> scale = np.column_stack([np.ones(12), [0] * 6 + [1] * 6])
    >>> fit = location_scale(effect, [0.02] * 12, np.ones((12, 1)), scale)
    >>> print(fit.scale_coefficients.round(2), fit.tau2[[0, -1]].round(3))
    [-4.22  3.7 ] [0.015 0.594]
    """
    x, raw_z = np.asarray(design, dtype=float), np.asarray(scale_design, dtype=float)
    model, shape = Model.of(effect, variance, include, x)
    rows = (len(model.y), model.y.shape[-1], -1)
    x, raw_z = (np.broadcast_to(a, (*shape, *a.shape[-2:])).reshape(rows) for a in (x, raw_z))
    z, triangle = np.linalg.qr(raw_z * model.used[..., None])
    told_apart = _of_full_rank(raw_z * model.used[..., None], triangle) & (model.df > 0.0)
    problem = _Problem.of(model, z, restricted=tau2_method == "REML")
    pooled = ESTIMATORS[tau2_method](effect, variance, include, np.asarray(design)).estimate.reshape(-1)
    end = _highest(problem, _starts(problem, np.where(told_apart, pooled, np.nan)))
    outcome = np.where(told_apart, end.outcome, Outcome.FLAT).astype(np.int8)
    fitted = _Fitted(problem, end, outcome, _inverse(triangle, told_apart))
    fields = (
        *fitted.location(x, test),
        *fitted.scale(),
        fitted.tau2(),
        fitted.log_likelihood(),
        np.full(len(outcome), np.inf) if test == "z" else model.df,
        np.full(len(outcome), np.inf) if test == "z" else model.count - z.shape[-1],
        model.count,
    )
    return LocationScale._make(field.reshape((*shape, *field.shape[1:])) for field in (*fields, outcome))


class _Slopes(NamedTuple):
    """Derivatives of the log-likelihood by the coefficients of the scale: (R, q), and less the second, (R, q, q)."""

    gradient: FloatArray
    observed: FloatArray
    expected: FloatArray


class _Climb(NamedTuple):
    """Where climbs ended: coefficients (R, q), heights and outcomes (R,)."""

    x: FloatArray
    height: FloatArray
    outcome: npt.NDArray[np.int8]


class _Problem(NamedTuple):
    """Models (R,), orthonormal columns of their scale (R, k, q), and which likelihood is meant."""

    y: FloatArray
    v: FloatArray
    used: FloatArray
    space: Columns
    z: FloatArray
    restricted: bool

    @classmethod
    def of(cls, model: Model, z: FloatArray, *, restricted: bool) -> _Problem:
        assert isinstance(model.space, Columns)  # noqa: S101 - made with a design
        return cls(model.y, model.v, model.used, model.space, z, restricted)

    def at(self, rows: IntArray) -> _Problem:
        return _Problem(self.y[rows], self.v[rows], self.used[rows], self.space.at(rows), self.z[rows], self.restricted)

    def eta(self, x: FloatArray) -> FloatArray:
        return np.asarray((self.z @ x[..., None])[..., 0])

    def tau2(self, x: FloatArray) -> FloatArray:
        return np.asarray(self.used * np.exp(np.clip(self.eta(x), -600.0, 600.0)))

    def project(self, x: FloatArray) -> Projection:
        return self.space.project(self.used / (self.v + self.tau2(x)))

    def height(self, x: FloatArray) -> FloatArray:
        projection = self.project(x)
        squares = (projection.w * projection.residual(self.y) ** 2).sum(axis=-1)
        logs = (self.used * np.log(self.v + self.tau2(x))).sum(axis=-1)
        return np.asarray(-0.5 * (logs + squares + (projection.log_det if self.restricted else 0.0)))

    def slopes(self, x: FloatArray) -> _Slopes:
        """By the chain rule, from the derivatives by the k total variances: those hold P = W - E'E and u = Py."""
        projection = self.project(x)
        w = projection.w
        u = w * projection.residual(self.y)
        e = np.stack([w * q for q in projection.q], axis=-2)
        lost = (e * e).sum(axis=-2)
        first = -0.5 * (w - (lost if self.restricted else 0.0) - u * u)
        tz = self.tau2(x)[..., None] * self.z
        utz = u[..., None] * tz
        if self.restricted:  # half of the squared cells of P, without P
            pairs = (e[..., :, None, :] * e[..., None, :, :]).reshape(len(e), self.space.p**2, e.shape[-1])
            expected = 0.5 * (_cross(tz, (w * (w - 2.0 * lost))[..., None] * tz) + _cross(pairs @ tz, pairs @ tz))
        else:
            expected = 0.5 * _cross(tz, (w * w)[..., None] * tz)
        curved = _cross(utz, w[..., None] * utz) - _cross(e @ utz, e @ utz)
        return _Slopes(
            gradient=_cross(tz, first[..., None])[..., 0],
            observed=curved - expected - _cross(tz, first[..., None] * self.z),
            expected=expected,
        )


class _Fitted(NamedTuple):
    """The end of the climb, in the terms of the columns as given."""

    problem: _Problem
    end: _Climb
    outcome: npt.NDArray[np.int8]
    back: FloatArray

    @property
    def known(self) -> FloatArray:
        return np.where(self.outcome == Outcome.CONVERGED, 1.0, np.nan)

    def location(self, x: FloatArray, test: str) -> tuple[FloatArray, FloatArray]:
        """Coefficients of the columns as given, and the inverse of X'WX, by QR."""
        problem, known = self.problem, self.known
        root = np.sqrt(problem.used / (problem.v + problem.tau2(self.end.x)))
        q, triangle = np.linalg.qr(np.where(np.isnan(known)[:, None, None], 0.0, root[..., None] * x))
        inverse = _inverse(triangle, ~np.isnan(known))
        coefficients = (inverse @ (np.swapaxes(q, -1, -2) @ (root * problem.y)[..., None]))[..., 0]
        covariance = inverse @ np.swapaxes(inverse, -1, -2)
        if test.startswith("knapp-hartung"):
            residual = problem.y - (x @ coefficients[..., None])[..., 0]
            factor = ((root * residual) ** 2).sum(axis=-1) / (problem.used.sum(axis=-1) - x.shape[-1])
            covariance = covariance * (np.maximum(factor, 1.0) if test.endswith("adhoc") else factor)[:, None, None]
        return coefficients * known[:, None], covariance * known[:, None, None]

    def scale(self) -> tuple[FloatArray, FloatArray]:
        known = self.known
        sound = np.flatnonzero(~np.isnan(known))
        covariance = np.full(self.back.shape, np.nan)
        back = self.back[sound]
        information = self.problem.at(sound).slopes(self.end.x[sound]).observed
        covariance[sound] = back @ np.linalg.inv(information) @ np.swapaxes(back, -1, -2)
        return (self.back @ self.end.x[..., None])[..., 0] * known[:, None], covariance

    def tau2(self) -> FloatArray:
        there = (self.problem.used == 1.0) & (self.outcome <= Outcome.BOUNDARY)[:, None]
        return np.where(there, self.problem.tau2(self.end.x), np.nan)

    def log_likelihood(self) -> FloatArray:
        count = self.problem.used.sum(axis=-1) - (self.problem.space.p if self.problem.restricted else 0)
        height = self.end.height - 0.5 * count * np.log(2.0 * np.pi)
        return np.where(self.outcome <= Outcome.BOUNDARY, height, np.nan)


def _cross(left: FloatArray, right: FloatArray) -> FloatArray:
    """The product of left, transposed, and right."""
    return np.asarray(np.swapaxes(left, -1, -2) @ right)


def _of_full_rank(columns: FloatArray, triangle: FloatArray) -> BoolArray:
    length = np.sqrt((columns**2).sum(axis=-2))
    return np.asarray((np.abs(np.diagonal(triangle, axis1=-2, axis2=-1)) > 1e-10 * length).all(axis=-1))


def _inverse(triangle: FloatArray, sound: BoolArray) -> FloatArray:
    return np.asarray(np.linalg.inv(np.where(sound[:, None, None], triangle, np.eye(triangle.shape[-1]))))


def _starts(problem: _Problem, pooled: FloatArray) -> FloatArray:
    """Coefficients (S, R, q) to climb from: tau2 constant at three heights, by squared residuals, and tilted."""
    count = problem.used.sum(axis=-1)
    residual = problem.used * problem.space.project(problem.used).residual(problem.y)
    typical = (problem.used * problem.v).sum(axis=-1) / count
    spread = (residual**2).sum(axis=-1) / count
    levels = [np.maximum(pooled, 0.05 * typical), 0.1 * typical, np.maximum(spread, typical)]
    logs = [np.broadcast_to(np.log(level)[:, None], problem.y.shape) for level in levels]
    logs.append(np.log(residual**2 + 0.1 * typical[:, None]))
    along = np.stack([(np.swapaxes(problem.z, -1, -2) @ eta[..., None])[..., 0] for eta in logs])
    tilt = 1.5 * np.sqrt(count)[:, None] * np.eye(problem.z.shape[-1])[:, None, :]
    return np.concatenate([along, *(along[0] + share * tilt for share in (-3.0, -1.0, 1.0, 3.0))])


def _highest(problem: _Problem, starts: FloatArray) -> _Climb:
    """The highest end of the climbs of each row; of equally high ones one that converged, then one on a flat."""
    number, rows, q = starts.shape
    end = _climb(problem.at(np.tile(np.arange(rows), number)), starts.reshape(-1, q))
    height = np.where(np.isnan(end.height), -np.inf, end.height).reshape(number, rows)
    outcome = end.outcome.reshape(number, rows)
    top = height.max(axis=0)
    with np.errstate(invalid="ignore"):
        candidate = height >= top - 1e-9 * (1.0 + np.abs(top))
    rank = np.array([0, 2, 1, 3])[outcome]  # a tau2 that may be anything may also be 0
    best = np.lexsort((-height, rank, ~candidate), axis=0)[0]
    chosen = best * rows + np.arange(rows)
    return _Climb(end.x[chosen], end.height[chosen], end.outcome[chosen])


def _climb(problem: _Problem, start: FloatArray) -> _Climb:
    """Newton's method with a line search; rows that have arrived are left alone."""
    x, height = start.copy(), problem.height(start)
    outcome = np.full(len(x), Outcome.NOT_REACHED, dtype=np.int8)
    last = np.full(len(x), np.inf)
    moving = np.flatnonzero(np.isfinite(height))
    for number in range(_MAX_STEPS):
        if moving.size == 0:
            break
        part = problem.at(moving)
        step, gain, curved = _newton(part.slopes(x[moving]))
        change = np.abs(part.eta(step)).max(axis=-1)
        settled = (change <= 1e-12) | ((change <= 1e-6) & (change >= 0.5 * last[moving]))
        # Where tau2 goes to 0 the log-likelihood levels off like exp(log tau2): each of Newton's steps is 1 or more.
        drifting = (gain <= _NOTHING) & (change >= 0.3)
        vanished = ((part.tau2(x[moving]) < _VANISHED * part.v) & (part.used == 1.0)).any(axis=-1)
        lost = np.where(vanished, Outcome.BOUNDARY, Outcome.FLAT)
        ended = np.where(drifting | (curved == 0), lost, np.where(curved > 0, Outcome.CONVERGED, Outcome.NOT_REACHED))
        stop = settled | drifting
        outcome[moving[stop]] = ended[stop]
        last[moving] = change
        step *= np.minimum(1.0, 4.0 * 1.5 ** max(number - 10, 0) / np.maximum(change, 1e-300))[:, None]
        moving, part, step, gain = moving[~stop], part.at(np.flatnonzero(~stop)), step[~stop], gain[~stop]
        x[moving], height[moving], risen = _line_search(part, x[moving], height[moving], step, gain)
        moving = moving[risen]
    return _Climb(x, height, outcome)


def _newton(slopes: _Slopes) -> tuple[FloatArray, FloatArray, IntArray]:
    """A step upwards, the rise it promises (twice), and whether the top is a peak (1), a ridge (0) or a saddle (-1)."""
    observed, expected = np.linalg.eigh(slopes.observed), np.linalg.eigh(slopes.expected)
    share = observed.eigenvalues[:, 0] / np.maximum(np.abs(observed.eigenvalues).max(axis=-1), 1e-300)
    curved = np.where(share > _NOTHING, 1, np.where(share >= -_NOTHING, 0, -1))
    values = np.where((curved == 1)[:, None], observed.eigenvalues, expected.eigenvalues)
    vectors = np.where((curved == 1)[:, None, None], observed.eigenvectors, expected.eigenvectors)
    along = (np.swapaxes(vectors, -1, -2) @ slopes.gradient[..., None])[..., 0]
    known = values > _NOTHING * values[:, -1:]
    along_step = np.where(known, along / np.where(known, values, 1.0), 0.0)
    return (vectors @ along_step[..., None])[..., 0], (along * along_step).sum(axis=-1), curved


def _line_search(
    problem: _Problem, x: FloatArray, height: FloatArray, step: FloatArray, gain: FloatArray
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Halve steps until they rise; what rounding makes of a step at the top counts as a rise."""
    x, height = x.copy(), height.copy()
    slack = 1e-12 * (1.0 + np.abs(height))
    trying = np.arange(len(x))
    for halving in range(_HALVINGS):
        share = 0.5**halving
        there = x[trying] + share * step[trying]
        value = problem.at(trying).height(there)
        rises = value >= height[trying] + 1e-4 * share * gain[trying] - slack[trying]
        x[trying[rises]], height[trying[rises]] = there[rises], value[rises]
        trying = trying[~rises]
        if trying.size == 0:
            break
    risen = np.ones(len(x), dtype=bool)
    risen[trying] = False
    return x, height, risen
