"""The likelihood of effects that were selected by a step function of their p values, with its derivatives.

An effect is normal with mean m = x'b and variance s = v + tau2, and is published with a relative likelihood that is
constant within each interval of p: its density is divided by A, the expected likelihood of publication. Every
derivative of A is a sum over the cut points, since derivatives by s are half of the second ones by m.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from alliance_meta.stats._arrays import BoolArray, FloatArray, IntArray

__all__ = ["NOTHING", "Cuts", "Problem", "Slopes"]

NOTHING = -700.0
"""The logarithm of a relative likelihood that counts as 0."""

_FAR = 10.0

_ROOT_2_PI = float(np.sqrt(2.0 * np.pi))


class Cuts(NamedTuple):
    """Where a step function of p cuts the line of z = effect / standard error.

    Attributes
    ----------
    z : ndarray, shape (C,)
        Rising.
    interval : ndarray of int, shape (C + 1,)
        Which interval of p each piece of the line belongs to, from the lowest z up.
    """

    z: FloatArray
    interval: IntArray

    @classmethod
    def of(cls, steps: npt.ArrayLike, *, two_sided: bool) -> Cuts:
        """Of rising cut points of p between 0 and 1."""
        alpha = np.asarray(steps, dtype=float)
        count = alpha.size
        upper = -special.ndtri(alpha / 2.0 if two_sided else alpha)
        down = np.arange(count, -1, -1)
        if not two_sided:
            return cls(upper[::-1].copy(), down)
        return cls(np.concatenate([-upper, upper[::-1]]), np.concatenate([np.arange(count), down]))

    @property
    def ends(self) -> FloatArray:
        """(J, C): 1 where the piece below a cut belongs to interval j = 1 ... J, -1 where the piece above it does."""
        j = np.arange(1, int(self.interval.max()) + 1)[:, None]
        return np.asarray(1.0 * (self.interval[:-1] == j) - 1.0 * (self.interval[1:] == j))


class Slopes(NamedTuple):
    """Gradient (R, n) and Hessian (R, n, n) of the log-likelihood."""

    gradient: FloatArray
    hessian: FloatArray


class Problem(NamedTuple):
    """Effects (R, k) with their designs (R, k, p), how many effects each interval of p has, and a unit of tau2.

    Parameters are b, eta = log(1 + tau2 / unit) and the logarithms of the relative likelihoods of all intervals but
    the first: n = p + 1 + J of them.
    """

    y: FloatArray
    v: FloatArray
    used: FloatArray
    x: FloatArray
    counts: FloatArray
    unit: FloatArray
    cuts: Cuts

    def at(self, rows: IntArray | BoolArray) -> Problem:
        """Some rows of the batch."""
        y, v, used, x, counts, unit = (array[rows] for array in self[:6])
        return Problem(y, v, used, x, counts, unit, self.cuts)

    @property
    def p(self) -> int:
        """Number of coefficients."""
        return int(self.x.shape[-1])

    def tau2(self, theta: FloatArray) -> FloatArray:
        """Between-study variance, (R,)."""
        return np.asarray(self.unit * np.expm1(theta[:, self.p]))

    def far(self) -> FloatArray:
        """A length of the coefficients at which fitted means are far beyond all effects, (R,)."""
        return np.asarray(_FAR * (np.abs(self.used * self.y).max(axis=-1) / np.sqrt(self.unit) + _FAR))

    def lost(self, theta: FloatArray) -> BoolArray:
        """Whether the coefficients are longer than that, where only a ridge of the likelihood leads, (R,)."""
        return np.asarray((theta[:, : self.p] ** 2).sum(axis=-1) > self.far() ** 2)

    def height(self, theta: FloatArray) -> FloatArray:
        """Log-likelihood with every constant, (R,)."""
        mean, s = self._mean(theta), self.v + self.tau2(theta)[:, None]
        omega = _omega(theta[:, self.p + 1 :])
        u = self._distances(mean, s)
        with np.errstate(divide="ignore", invalid="ignore"):
            log_a = np.log(_expected(omega, self._pieces(u), self.cuts.interval))
            each = self.used * (np.log(_ROOT_2_PI**2 * s) + (self.y - mean) ** 2 / s + 2.0 * log_a)
        known = (self.counts[:, 1:] * theta[:, self.p + 1 :]).sum(axis=-1)
        height = known - 0.5 * each.sum(axis=-1)
        return np.where(np.isfinite(height), height, -np.inf)

    def slopes(self, theta: FloatArray) -> Slopes:
        """First and second derivatives of the log-likelihood; not finite where it is too low for numbers."""
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            return self._slopes(theta)

    def _slopes(self, theta: FloatArray) -> Slopes:
        mean, s = self._mean(theta), self.v + self.tau2(theta)[:, None]
        omega = _omega(theta[:, self.p + 1 :])
        u = self._distances(mean, s)
        pieces = self._pieces(u)
        a = _expected(omega, pieces, self.cuts.interval)
        density = np.exp(-0.5 * u * u) / _ROOT_2_PI
        root = np.sqrt(s)
        hermite = (density / root, u * density / s)
        drop = omega[self.cuts.interval[:-1]] - omega[self.cuts.interval[1:]]
        u2 = u * u
        powers = (*hermite, (u2 - 1.0) * density / (s * root), (u2 - 3.0) * u * density / (s * s))
        g1, g2, g3, g4 = (-(drop[:, :, None] * part).sum(axis=0) / a for part in powers)
        relative = omega[1:, :, None] / a
        share = relative * _by_interval(pieces, self.cuts.interval)
        ends = self.cuts.ends
        share_m, share_s = (
            -relative * np.tensordot(ends, part, axes=1) * f for part, f in zip(hermite, (1.0, 0.5), strict=True)
        )
        r = (self.y - mean) / s
        return self._assembled(
            theta,
            m=r - g1,
            s=0.5 * (r * r - 1.0 / s - g2),
            mm=g1 * g1 - g2 - 1.0 / s,
            ms=0.5 * (g1 * g2 - g3) - r / s,
            ss=0.25 * (g2 * g2 - g4) + (0.5 / s - r * r) / s,
            share=share,
            share_m=share * g1 - share_m,
            share_s=0.5 * share * g2 - share_s,
        )

    def _assembled(self, theta: FloatArray, **by: FloatArray) -> Slopes:
        """Derivatives by the parameters, from those by each effect's mean, variance and interval."""
        p, n, used = self.p, theta.shape[-1], self.used
        dt = (self.unit * np.exp(theta[:, p]))[:, None]
        xt = np.swapaxes(self.x, -1, -2)
        m, s, mm, ms, ss = (used * by[name] for name in ("m", "s", "mm", "ms", "ss"))
        share, share_m, share_s = (np.moveaxis(used * by[name], 0, -1) for name in ("share", "share_m", "share_s"))
        gradient = np.empty((len(theta), n))
        gradient[:, :p] = (xt @ m[..., None])[..., 0]
        gradient[:, p] = dt[:, 0] * s.sum(axis=-1)
        expected = share.sum(axis=-2)
        gradient[:, p + 1 :] = self.counts[:, 1:] - expected
        hessian = np.empty((len(theta), n, n))
        hessian[:, :p, :p] = xt @ (mm[..., None] * self.x)
        hessian[:, :p, p] = dt * (xt @ ms[..., None])[..., 0]
        hessian[:, p, p] = dt[:, 0] ** 2 * ss.sum(axis=-1) + gradient[:, p]
        hessian[:, :p, p + 1 :] = xt @ share_m
        hessian[:, p, p + 1 :] = dt * share_s.sum(axis=-2)
        hessian[:, p + 1 :, p + 1 :] = np.swapaxes(share, -1, -2) @ share - expected[:, :, None] * np.eye(n - p - 1)
        hessian[:, p, :p] = hessian[:, :p, p]
        hessian[:, p + 1 :, : p + 1] = np.swapaxes(hessian[:, : p + 1, p + 1 :], -1, -2)
        return Slopes(gradient, hessian)

    def _mean(self, theta: FloatArray) -> FloatArray:
        return np.asarray((self.x @ theta[:, : self.p, None])[..., 0])

    def _distances(self, mean: FloatArray, s: FloatArray) -> FloatArray:
        """How far each cut lies above the mean, in total standard deviations: (C, R, k)."""
        return np.asarray((self.cuts.z[:, None, None] * np.sqrt(self.v) - mean) / np.sqrt(s))

    def _pieces(self, u: FloatArray) -> list[FloatArray]:
        """The probability of each piece of the line, none by a difference of numbers near 1."""
        below, above = special.ndtr(u), special.ndtr(-u)
        between = [np.where(u[c] > 0.0, above[c] - above[c + 1], below[c + 1] - below[c]) for c in range(len(u) - 1)]
        return [below[0], *between, above[-1]]


def _omega(logs: FloatArray) -> FloatArray:
    """Relative likelihoods (J + 1, R), the first 1."""
    return np.concatenate([np.ones((1, len(logs))), np.exp(logs.T)])


def _expected(omega: FloatArray, pieces: list[FloatArray], interval: IntArray) -> FloatArray:
    """A, (R, k)."""
    return np.asarray(sum(omega[j][:, None] * piece for j, piece in zip(interval.tolist(), pieces, strict=True)))


def _by_interval(pieces: list[FloatArray], interval: IntArray) -> FloatArray:
    """The probability of each interval of p but the first, (J, R, k)."""
    found = np.zeros((int(interval.max()), *pieces[0].shape))
    for j, piece in zip(interval.tolist(), pieces, strict=True):
        if j:
            found[j - 1] += piece
    return found
