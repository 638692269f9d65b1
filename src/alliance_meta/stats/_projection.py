"""What is left of effects once the mean, or the part that moderators explain, is taken out.

With weights W and design X, the residual projection is P = W - W X C X'W, C = (X'WX)^-1. Every estimator of tau2 is
made of a few numbers of P: y'Py, y'PPy, y'PPPy, tr P, tr PP, log det X'WX. `Mean` gives the projection for the mean
alone, `Columns` for any design; both work on arrays (..., k).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import BoolArray, FloatArray, IntArray, batch, dot

__all__ = ["Columns", "Mean", "Model", "Projection", "orthonormal"]

Rows = IntArray | BoolArray | tuple[slice, None]
"""Some rows of a batch, or a slice of them with one more axis before the last."""

_DEPENDENT = 1e-10
"""A column of which others explain all but this share is none of its own."""


@dataclass(frozen=True, slots=True)
class Projection:
    """The projection for weights w, as columns q that are orthonormal in them: P = W - W Q Q'W."""

    w: FloatArray
    q: Sequence[FloatArray]
    log_det: FloatArray

    def residual(self, y: FloatArray) -> FloatArray:
        """What weighted least squares on the columns leaves of y."""
        e = y
        for _ in range(2):  # the second pass takes back what rounding left in the first
            u = self.w * e
            for q in self.q:
                e = e - dot(u, q)[..., None] * q
        return e

    def lost(self, d: FloatArray) -> FloatArray:
        """The trace of C X'DX, D diagonal."""
        return np.asarray(sum(dot(d * q, q) for q in self.q))

    def traces(self) -> tuple[FloatArray, FloatArray]:
        """The traces of P and PP."""
        w2 = self.w * self.w
        w2q = [w2 * q for q in self.q]
        again = sum(dot(left, right) ** 2 for left in w2q for right in self.q)
        trace = self.w.sum(axis=-1) - sum(dot(left, right) for left, right in zip(w2q, self.q, strict=True))
        return np.asarray(trace), np.asarray(w2.sum(axis=-1) - 2.0 * self.lost(w2 * self.w) + again)

    def explained(self, u: FloatArray) -> FloatArray:
        """The quadratic form u'X C X'u."""
        return np.asarray(sum(dot(u, q) ** 2 for q in self.q))


@dataclass(frozen=True, slots=True)
class MeanProjection:
    """The projection for weights w of the mean alone, where every q is 1 / sqrt(sum of w)."""

    w: FloatArray
    total: FloatArray

    @property
    def log_det(self) -> FloatArray:
        """The logarithm of det X'WX."""
        return np.asarray(np.log(self.total))

    def residual(self, y: FloatArray) -> FloatArray:
        """What the weighted mean leaves of y."""
        e: FloatArray = y - (dot(self.w, y) / self.total)[..., None]
        e -= (dot(self.w, e) / self.total)[..., None]  # takes back what rounding left in the mean
        return e

    def lost(self, d: FloatArray) -> FloatArray:
        """The trace of C X'DX, D diagonal."""
        return np.asarray(d.sum(axis=-1) / self.total)

    def traces(self) -> tuple[FloatArray, FloatArray]:
        """The traces of P and PP."""
        w2 = self.w * self.w
        s2 = w2.sum(axis=-1)
        ratio = s2 / self.total
        return self.total - ratio, s2 - 2.0 * (w2 * self.w).sum(axis=-1) / self.total + ratio * ratio

    def explained(self, u: FloatArray) -> FloatArray:
        """The quadratic form u'X C X'u."""
        return np.asarray(u.sum(axis=-1) ** 2 / self.total)


@dataclass(frozen=True, slots=True)
class Mean:
    """The design of the mean alone: one column of ones."""

    p: int = 1

    def at(self, _rows: Rows) -> Mean:
        """The same for some rows of a batch."""
        return self

    def project(self, w: FloatArray) -> MeanProjection:
        """The projection for weights (..., k)."""
        return MeanProjection(w, w.sum(axis=-1))


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a design, orthonormal without weights: an array (..., p, k)."""

    x: FloatArray

    @property
    def p(self) -> int:
        """Number of coefficients."""
        return int(self.x.shape[-2])

    def at(self, rows: Rows) -> Columns:
        """The same for some rows of a batch."""
        return Columns(self.x[rows])

    def project(self, w: FloatArray) -> Projection:
        """The projection for weights (..., k), by the modified Gram-Schmidt method."""
        q: list[FloatArray] = []
        log_det = np.zeros(np.broadcast_shapes(w.shape[:-1], self.x.shape[:-2]))
        for j in range(self.p):
            column = self.x[..., j, :]
            for done in q:
                column = column - dot(w * done, column)[..., None] * done
            square = dot(w * column, column)
            q.append(column / np.sqrt(square)[..., None])
            log_det = log_det + np.log(square)
        return Projection(w, q, log_det)


@dataclass(frozen=True, slots=True)
class Model:
    """A batch of random-effects models: effects, variances, inclusion (B, k), and what is fitted to them."""

    y: FloatArray
    v: FloatArray
    used: FloatArray
    space: Mean | Columns

    @classmethod
    def of(
        cls,
        effect: npt.ArrayLike,
        variance: npt.ArrayLike,
        include: npt.ArrayLike | None,
        design: npt.ArrayLike | None = None,
    ) -> tuple[Model, tuple[int, ...]]:
        """The model with the batch axes made one, and the shape they had."""
        y, v, used = batch(effect, variance, include)
        shape, k = y.shape[:-1], y.shape[-1]
        rows = prod(shape)  # which -1 would not be where k is 0
        y, v, used = (array.reshape(rows, k) for array in (y, v, used))
        if design is None:
            return cls(y, v, used, Mean()), shape
        x = np.asarray(design, dtype=float)
        x = np.broadcast_to(x, (*shape, *x.shape[-2:])).reshape(rows, *x.shape[-2:])
        return cls(y, v, used, Columns(orthonormal(x * used[..., None]))), shape

    @property
    def count(self) -> FloatArray:
        """Number of effects included, (B,)."""
        return np.asarray(self.used.sum(axis=-1))

    @property
    def usable(self) -> BoolArray:
        """Rows with residual degrees of freedom, finite numbers and columns that do not depend on each other, (B,)."""
        known = np.isfinite((self.y + self.v).sum(axis=-1))
        if isinstance(self.space, Columns):
            known = known & np.isfinite(self.space.x).all(axis=(-2, -1))
        return np.asarray((self.df > 0.0) & known)

    @property
    def df(self) -> FloatArray:
        """Residual degrees of freedom, (B,)."""
        return np.asarray(self.count - self.space.p)

    def at(self, rows: Rows) -> Model:
        """Some rows of the batch."""
        return Model(self.y[rows], self.v[rows], self.used[rows], self.space.at(rows))

    def reduced(self) -> Model:
        """The effects less what plain least squares explains: it has no say in tau2, and left in it costs digits."""
        left = self.used * self.space.project(self.used).residual(self.y)
        return Model(left, self.v, self.used, self.space)

    def weight(self, tau2: FloatArray) -> FloatArray:
        """Inverse total variances, 0 for effects left out."""
        return self.used / (self.v + tau2[..., None])

    def spread(self) -> FloatArray:
        """Sum of squared unweighted residuals: no likelihood or moment equation is solved by a tau2 above it."""
        return np.asarray((self.used * self.space.project(self.used).residual(self.y) ** 2).sum(axis=-1))

    def least_variance(self) -> FloatArray:
        """The smallest sampling variance of each row."""
        return np.asarray(np.min(np.where(self.used > 0.0, self.v, np.inf), axis=-1, initial=np.inf))


def orthonormal(x: FloatArray) -> FloatArray:
    """An orthonormal basis (..., p, k) of the columns of designs (..., k, p); NaN where they depend on each other."""
    with np.errstate(invalid="ignore"):  # a column of zeros is none
        scaled = x / np.sqrt((x**2).sum(axis=-2, keepdims=True))
    q, r = np.linalg.qr(scaled)
    independent = (np.abs(np.diagonal(r, axis1=-2, axis2=-1)) > _DEPENDENT).all(axis=-1)
    return np.where(independent[..., None, None], np.swapaxes(q, -1, -2), np.nan)
