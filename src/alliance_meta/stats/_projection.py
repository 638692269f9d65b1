"""What is left of effects once the mean, or the part that moderators explain, is taken out.

With weights W and design X, the residual projection is P = W - W X C X'W, C = (X'WX)^-1. Every estimator of tau2 is
made of a few numbers of P: y'Py, y'PPy, y'PPPy, tr P, tr PP, log det X'WX. `Mean` has what they need in closed form for
the mean alone, `Columns` for any design; both work on arrays (..., k).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import BoolArray, FloatArray, IntArray, batch

__all__ = ["Columns", "Mean", "Model"]

Rows = IntArray | BoolArray | tuple[slice, None]
"""Some rows of a batch, or a slice of them with one more axis before the last."""


@dataclass(frozen=True, slots=True)
class Mean:
    """The design of the mean alone: one column of ones."""

    p: int = 1

    def at(self, _rows: Rows) -> Mean:
        """The same for some rows of a batch."""
        return self

    def residual(self, w: FloatArray, y: FloatArray) -> FloatArray:
        """What the weighted mean leaves of y."""
        total = w.sum(axis=-1)
        e: FloatArray = y - ((w * y).sum(axis=-1) / total)[..., None]
        e -= ((w * e).sum(axis=-1) / total)[..., None]  # takes back what rounding left in the mean
        return e

    def lost(self, w: FloatArray, d: FloatArray) -> FloatArray:
        """The trace of C X'DX, D diagonal."""
        return np.asarray(d.sum(axis=-1) / w.sum(axis=-1))

    def traces(self, w: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The traces of P and PP."""
        w2 = w * w
        s1, s2 = w.sum(axis=-1), w2.sum(axis=-1)
        ratio = s2 / s1
        return s1 - ratio, s2 - 2.0 * (w2 * w).sum(axis=-1) / s1 + ratio * ratio

    def explained(self, w: FloatArray, u: FloatArray) -> FloatArray:
        """The quadratic form u'X C X'u."""
        return np.asarray(u.sum(axis=-1) ** 2 / w.sum(axis=-1))

    def log_det(self, w: FloatArray) -> FloatArray:
        """The logarithm of det X'WX."""
        return np.asarray(np.log(w.sum(axis=-1)))


@dataclass(frozen=True, slots=True)
class Columns:
    """A design matrix (..., k, p)."""

    x: FloatArray

    @property
    def p(self) -> int:
        """Number of coefficients."""
        return int(self.x.shape[-1])

    def at(self, rows: Rows) -> Columns:
        """The same for some rows of a batch."""
        return Columns(self.x[rows])

    def residual(self, w: FloatArray, y: FloatArray) -> FloatArray:
        """What weighted least squares on the columns leaves of y."""
        e = y
        for _ in range(2):  # the second pass takes back what rounding left in the first
            e = e - (self.x @ self._solve(w, w * e)[..., None])[..., 0]
        return e

    def lost(self, w: FloatArray, d: FloatArray) -> FloatArray:
        """The trace of C X'DX, D diagonal."""
        return np.asarray(np.trace(np.linalg.solve(self._cross(w), self._cross(d)), axis1=-2, axis2=-1))

    def traces(self, w: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The traces of P and PP."""
        cross, w2 = self._cross(w), w * w
        once, twice = (np.linalg.solve(cross, self._cross(d)) for d in (w2, w2 * w))
        first = w.sum(axis=-1) - np.trace(once, axis1=-2, axis2=-1)
        again = (once * np.swapaxes(once, -1, -2)).sum(axis=(-1, -2))
        return np.asarray(first), np.asarray(w2.sum(axis=-1) - 2.0 * np.trace(twice, axis1=-2, axis2=-1) + again)

    def explained(self, w: FloatArray, u: FloatArray) -> FloatArray:
        """The quadratic form u'X C X'u."""
        return np.asarray((self._product(u) * self._solve(w, u)).sum(axis=-1))

    def log_det(self, w: FloatArray) -> FloatArray:
        """The logarithm of det X'WX."""
        return np.asarray(np.linalg.slogdet(self._cross(w)).logabsdet)

    def _cross(self, d: FloatArray) -> FloatArray:
        return np.asarray(np.swapaxes(self.x, -1, -2) @ (d[..., None] * self.x))

    def _product(self, u: FloatArray) -> FloatArray:
        return np.asarray((u[..., None, :] @ self.x)[..., 0, :])

    def _solve(self, w: FloatArray, u: FloatArray) -> FloatArray:
        return np.asarray(np.linalg.solve(self._cross(w), self._product(u)[..., None])[..., 0])


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
        space: Mean | Columns = Mean()
        if design is not None:
            x = np.asarray(design, dtype=float)
            space = Columns(np.broadcast_to(x, (*shape, *x.shape[-2:])).reshape(-1, *x.shape[-2:]))
        y, v, used = (array.reshape(-1, k) for array in (y, v, used))
        return cls(y, v, used, space), shape

    @property
    def count(self) -> FloatArray:
        """Number of effects included, (B,)."""
        return np.asarray(self.used.sum(axis=-1))

    @property
    def df(self) -> FloatArray:
        """Residual degrees of freedom, (B,)."""
        return np.asarray(self.count - self.space.p)

    def at(self, rows: Rows) -> Model:
        """Some rows of the batch."""
        return Model(self.y[rows], self.v[rows], self.used[rows], self.space.at(rows))

    def centred(self) -> Model:
        """The effects less their plain mean, so that a common offset costs no digits (needs a fitted mean)."""
        mean = (self.used * self.y).sum(axis=-1) / self.count
        return Model(self.used * (self.y - mean[:, None]), self.v, self.used, self.space)

    def weight(self, tau2: FloatArray) -> FloatArray:
        """Inverse total variances, 0 for effects left out."""
        return self.used / (self.v + tau2[..., None])

    def spread(self) -> FloatArray:
        """Sum of squared unweighted residuals: no likelihood or moment equation is solved by a tau2 above it."""
        return np.asarray((self.used * self.space.residual(self.used, self.y) ** 2).sum(axis=-1))

    def least_variance(self) -> FloatArray:
        """The smallest sampling variance of each row."""
        return np.asarray(np.min(np.where(self.used > 0.0, self.v, np.inf), axis=-1))
