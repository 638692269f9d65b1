"""Henmi and Copas's interval: the equal-effects mean, with the uncertainty of heterogeneity in its width."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from alliance_meta.stats._arrays import FloatArray, IntArray
from alliance_meta.stats._projection import Model
from alliance_meta.stats._roots import falling_root
from alliance_meta.stats.tau2 import tau2_dl
from alliance_meta.stats.weighted import weighted_mean

__all__ = ["HenmiCopas", "henmi_copas"]

# The integrand falls with the normal density: this many standard deviations on, less than 1e-18 of it is left.
_REACH = 9.0
# The distribution of Q rises within this many standard deviations of its mean.
_RISE = 9.0
_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(96)


class HenmiCopas(NamedTuple):
    """A mean by Henmi and Copas's method; each field has the batch shape.

    Attributes
    ----------
    estimate : ndarray
        Mean with weights 1 / variance, on the scale of the effects.
    std_error : ndarray
        Its standard error in the random-effects model.
    low, high : ndarray
        Confidence interval: more than the normal quantile of standard errors to each side.
    tau2 : ndarray
        DerSimonian and Laird's between-study variance.
    """

    estimate: FloatArray
    std_error: FloatArray
    low: FloatArray
    high: FloatArray
    tau2: FloatArray


def henmi_copas(
    effect: npt.ArrayLike, variance: npt.ArrayLike, level: float = 0.95, include: npt.ArrayLike | None = None
) -> HenmiCopas:
    """Henmi and Copas's interval of the mean, which small studies and publication bias move less.

    The mean has the equal-effects weights; its standard error takes DerSimonian and Laird's tau2. Their ratio is not
    normal: its distribution is integrated over the mean's deviation, given which Q is taken for a gamma variable with
    its true mean and variance.

    Parameters
    ----------
    effect, variance : array_like, shape (..., k)
    level : float
    include : array_like of 0 and 1, shape (..., k), optional

    Returns
    -------
    HenmiCopas
        NaN with fewer than two effects.

    References
    ----------
    Henmi, M., & Copas, J. B. (2010). Statistics in Medicine, 29, 2969-2983.

    Examples
    --------
    A small outlying study counts as little as with equal effects, and still widens the interval:

    >>> fit = henmi_copas([0.10, 0.15, 0.20, 0.90], [0.002, 0.002, 0.003, 0.090])
    >>> print(f"{fit.estimate:.3f} [{fit.low:.3f}, {fit.high:.3f}], tau2 = {fit.tau2:.4f}")
    0.150 [-0.000, 0.300], tau2 = 0.0060
    """
    tau2 = tau2_dl(effect, variance, include).estimate
    common = weighted_mean(effect, variance, include=include)
    model, shape = Model.of(effect, variance, include)
    flat = tau2.reshape(-1)
    half, std_error = np.full((2, flat.size), np.nan)
    rows = np.flatnonzero(np.isfinite(flat))
    if rows.size:
        pivot = _Pivot(model.at(rows), flat[rows])
        std_error[rows] = pivot.spread / np.sqrt(pivot.total)
        half[rows] = std_error[rows] * pivot.quantile((1.0 - level) / 2.0)
    estimate = np.asarray(np.where(np.isfinite(tau2), common.estimate, np.nan))
    half = half.reshape(shape)
    low, high = np.asarray(estimate - half), np.asarray(estimate + half)
    return HenmiCopas(estimate, std_error.reshape(shape), low, high, tau2)


class _Pivot:
    """The estimate's deviation R = sqrt(sum w) (mean - truth) over its estimated standard deviation.

    That deviation is at least R / x where Q is at most (x**2 - 1) / share + df, for x at least 1; below, tau2 is cut
    at 0. Given R, Q has the mean `mean[0] + mean[1] R**2` and a variance of the same form.
    """

    def __init__(self, model: Model, tau2: FloatArray) -> None:
        w = model.used / model.v
        self.df, self.total = model.df, w.sum(axis=-1)
        squares = (w**2).sum(axis=-1)
        self.share = squares / (self.total**2 - squares)
        # z = sqrt(w) (y - truth) has the variances a, and covariances c with R; Q = z'z - R**2.
        a = model.used * (1.0 + tau2[:, None] * w)
        cc, cac = ((w * a**n).sum(axis=-1) / self.total for n in (2, 3))
        variance = (w * a).sum(axis=-1) / self.total
        self.spread = np.sqrt(variance)
        ratio = cc / variance
        self.mean = a.sum(axis=-1) - ratio, (w * a * (a - variance[:, None])).sum(axis=-1) / self.total / variance**2
        self.variance = (
            2.0 * ((a**2).sum(axis=-1) - 2.0 * cac / variance + ratio**2),
            4.0 * (cac - cc * ratio) / variance**2,
        )

    def quantile(self, tail: float) -> FloatArray:
        """The deviation exceeded with probability `tail`; with tau2 cut at 0, never above the normal one of R."""
        high = -special.ndtri(tail) * self.spread

        def function(t: FloatArray, rows: IntArray) -> tuple[FloatArray, FloatArray]:
            value, slope = self._exceeded(t, rows)
            return value / tail - 1.0, slope / tail

        return falling_root(function, 1e-6 * high, high, 0.9 * high, self.spread).x

    def _exceeded(self, t: FloatArray, rows: IntArray) -> tuple[FloatArray, FloatArray]:
        """The probability of a deviation above t, and its slope."""
        spread, share, df = (part[rows, None] for part in (self.spread, self.share, self.df))
        r, measure = self._nodes(t, rows)
        measure = measure * np.exp(-0.5 * (r / spread) ** 2) / (np.sqrt(2.0 * np.pi) * spread)
        x = r / t[:, None]
        shape, scale = self._gamma(r, rows)
        q = ((x**2 - 1.0) / share + df) / scale
        value = (measure * special.gammainc(shape, q)).sum(axis=-1)
        with np.errstate(under="ignore"):
            density = np.exp((shape - 1.0) * np.log(q) - q - special.gammaln(shape)) / scale
        moving = (measure * density * 2.0 * x**2 / (share * t[:, None])).sum(axis=-1)
        shape, scale = self._gamma(t[:, None], rows)
        edge = special.gammainc(shape, df / scale) * np.exp(-0.5 * (t[:, None] / spread) ** 2)
        return value, -moving - (edge / (np.sqrt(2.0 * np.pi) * spread))[:, 0]

    def _nodes(self, t: FloatArray, rows: IntArray) -> tuple[FloatArray, FloatArray]:
        """Nodes and weights of three panels from t on: before, in and after the rise of Q's distribution."""
        spread, share = self.spread[rows], self.share[rows]
        end = t + _REACH * spread
        shape, scale = (part[:, 0] for part in self._gamma((t * spread)[:, None], rows))
        x = np.sqrt(1.0 + share * np.maximum(shape * scale - self.df[rows], 0.0))
        width = _RISE * 0.5 * share * np.sqrt(shape) * scale / x
        edges = np.stack([t, np.clip(t * (x - width), t, end), np.clip(t * (x + width), t, end), end], axis=-1)
        length = np.diff(edges)[..., None]
        u = 0.5 * (1.0 + _NODES)  # squared, they crowd at the lower end, where few studies need it
        r = edges[:, :-1, None] + length * u**2
        return r.reshape(t.size, -1), (length * u * _NODE_WEIGHTS).reshape(t.size, -1)

    def _gamma(self, r: FloatArray, rows: IntArray) -> tuple[FloatArray, FloatArray]:
        """Shape and scale of Q given R = r."""
        mean, variance = (part[0][rows, None] + part[1][rows, None] * r**2 for part in (self.mean, self.variance))
        return mean**2 / variance, variance / mean
