"""The multilevel model with whole n x n matrices: slow, short, and sharing no code with the library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

__all__ = ["Dense", "Heights", "correlations", "dense", "profile_end"]

FloatArray = npt.NDArray[np.float64]


class Heights(NamedTuple):
    """Log-likelihood with all constants, its slope (L,) and curvature (L, L); coefficients and their covariance."""

    value: float
    first: FloatArray
    second: FloatArray
    coefficients: FloatArray
    covariance: FloatArray
    covariance_slopes: FloatArray


@dataclass(frozen=True)
class Dense:
    """Effects, design and matrices: `shared[l]` is 1 where two effects are in the same group of level l."""

    y: FloatArray
    x: FloatArray
    sampling: FloatArray
    shared: tuple[FloatArray, ...]

    def heights(self, components: Sequence[float] | FloatArray, *, restricted: bool) -> Heights:
        """The (restricted) likelihood by the projection P = W - W X (X'WX)^-1 X'W."""
        v = self.sampling + sum(float(s) * z for s, z in zip(components, self.shared, strict=True))
        w = np.linalg.inv(v)
        cross = self.x.T @ w @ self.x
        covariance = np.linalg.inv(cross)
        b = covariance @ self.x.T @ w @ self.y
        off = w @ (self.y - self.x @ b)
        p = w - w @ self.x @ covariance @ self.x.T @ w
        inside = p if restricted else w
        n, count = len(self.y), self.x.shape[1] if restricted else 0
        value = np.linalg.slogdet(v)[1] + (self.y - self.x @ b) @ off + (n - count) * np.log(2.0 * np.pi)
        if restricted:
            value += np.linalg.slogdet(cross)[1] - np.linalg.slogdet(self.x.T @ self.x)[1]
        pz = [inside @ z for z in self.shared]
        first = [np.trace(m) - off @ z @ off for m, z in zip(pz, self.shared, strict=True)]
        second = [
            [-np.sum(pz[i] * pz[j].T) + 2.0 * off @ zi @ p @ zj @ off for j, zj in enumerate(self.shared)]
            for i, zi in enumerate(self.shared)
        ]
        wx = w @ self.x @ covariance
        slopes = np.array([wx.T @ z @ wx for z in self.shared])
        return Heights(
            float(-0.5 * value),
            -0.5 * np.array(first),
            -0.5 * np.array(second),
            b,
            np.asarray(covariance, float),
            slopes,
        )

    def highest(self, starts: Sequence[FloatArray], *, restricted: bool, size: float) -> float:
        """The highest log-likelihood that scipy climbs to, with components in units of `size`."""

        def fall(t: FloatArray) -> tuple[float, FloatArray]:
            found = self.heights(t * size, restricted=restricted)
            return -found.value, -found.first * size

        return -min(_lowest(fall, start / size) for start in starts)

    def satterthwaite(self, components: FloatArray, weights: FloatArray, *, restricted: bool) -> float:
        """2 V^2 / var(V) of one combination of coefficients, from the components above 0."""
        found = self.heights(components, restricted=restricted)
        free = np.flatnonzero(components > 0.0)
        spread = np.linalg.inv(-found.second[np.ix_(free, free)])
        slopes = np.array([weights @ found.covariance_slopes[i] @ weights for i in free])
        return float(2.0 * (weights @ found.covariance @ weights) ** 2 / (slopes @ spread @ slopes))

    def unexplained(self) -> tuple[float, float]:
        """Cochran's Q of the residuals and the typical sampling variance (k - p) / tr P."""
        w = np.linalg.inv(self.sampling)
        p = w - w @ self.x @ np.linalg.inv(self.x.T @ w @ self.x) @ self.x.T @ w
        return float(self.y @ p @ self.y), float((len(self.y) - self.x.shape[1]) / np.trace(p))


def _lowest(function: Callable[[FloatArray], tuple[float, FloatArray]], start: FloatArray) -> float:
    """The lowest value that L-BFGS-B finds where nothing is below 0."""
    minimize: Any = optimize.minimize
    options = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 2000}
    bounds = [(0.0, None)] * start.size
    return float(minimize(function, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options).fun)


def profile_end(
    problem: Dense, components: FloatArray, which: int, end: float, *, restricted: bool, level: float = 0.95
) -> float:
    """By how much the profile likelihood at `end` is above the one that the level asks for; 0 at an interval's end."""
    size = float(np.mean(np.diagonal(problem.sampling)))
    others = [i for i in range(len(components)) if i != which]

    def whole(t: FloatArray) -> FloatArray:
        full = np.empty(len(components))
        full[others], full[which] = t * size, end
        return full

    def fall(t: FloatArray) -> tuple[float, FloatArray]:
        found = problem.heights(whole(t), restricted=restricted)
        return -found.value, -found.first[others] * size

    starts = [components[others] / size, components[others] / size + 1.0, np.full(len(others), 0.01)]
    best = -min(_lowest(fall, start) for start in starts)
    top = problem.heights(components, restricted=restricted).value
    return float(best - top + 0.5 * stats.chi2.ppf(level, 1))


def correlations(study: Sequence[object], rho: float | Sequence[float] | FloatArray | None) -> FloatArray:
    """The n x n matrix: 1 on the diagonal, 0 between studies."""
    names = np.asarray([str(each) for each in study])
    given = np.zeros(()) if rho is None else np.asarray(rho, dtype=float)
    full = given if given.ndim == 2 else np.ones((len(names), len(names))) * (given[:, None] if given.ndim else given)
    found = np.where(names[:, None] == names[None, :], full, 0.0)
    np.fill_diagonal(found, 1.0)
    return found


def dense(
    y: npt.ArrayLike,
    v: npt.ArrayLike,
    x: npt.ArrayLike,
    groups: Sequence[Sequence[object]],
    rho: float | Sequence[float] | FloatArray | None = None,
) -> Dense:
    """Effects in groups, the innermost level first; a group is told by its own label and those around it."""
    effect, variance, design = (np.asarray(each, dtype=float) for each in (y, v, x))
    labels = [
        ["|".join(str(level[i]) for level in groups[at:]) for i in range(len(effect))] for at in range(len(groups))
    ]
    alike = [np.equal.outer(np.array(each), np.array(each)).astype(float) for each in labels]
    sd = np.sqrt(variance)
    sampling = correlations(labels[0], rho) * np.outer(sd, sd)
    return Dense(effect, design, sampling, (np.eye(len(effect)), *alike))
