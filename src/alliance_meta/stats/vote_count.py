"""Random-effects likelihood of effects that are only known to lie in a range: significant, or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from alliance_meta.stats._arrays import BoolArray, FloatArray, IntArray
from alliance_meta.stats._ranged import Reports, log_likelihood, reports, terms_of, threshold
from alliance_meta.stats._roots import falling_root

__all__ = [
    "Reports",
    "VoteFit",
    "fit",
    "log_likelihood",
    "mean_interval",
    "mean_test",
    "reports",
    "share_significant",
    "tau2_interval",
    "tau2_test",
    "threshold",
]

_SMALLEST_TAU = 1e-4
_GRID = 49
_SECTIONS = 9


class VoteFit(NamedTuple):
    """Maximum of the likelihood.

    Attributes
    ----------
    mean : float
        Infinite where the likelihood rises without end with it; NaN where tau does so that no mean can be told.
    tau2 : float
        Infinite or NaN likewise.
    log_likelihood : float
        The bound that is approached, where the mean or tau is infinite.
    information : ndarray, shape (2, 2)
        Observed information of the mean and tau2; of the mean alone (the rest 0) where tau2 is 0 or held.
    scores : ndarray, shape (k, 2)
        Each effect's derivatives of the log-likelihood by the mean and tau2.
    """

    mean: float
    tau2: float
    log_likelihood: float
    information: FloatArray
    scores: FloatArray

    @property
    def finite(self) -> bool:
        """Whether the likelihood has a maximum."""
        return bool(np.isfinite(self.mean) and np.isfinite(self.tau2))

    @property
    def _free(self) -> int:
        return 2 if self.information[1, 1] != 0.0 else 1

    def covariance(self) -> FloatArray:
        """Inverse information of what was estimated, (1, 1) or (2, 2); NaN where there is no maximum."""
        free = self._free
        part = self.information[:free, :free]
        if not self.finite or np.linalg.matrix_rank(part) < free:
            return np.full((free, free), np.nan)
        return np.asarray(np.linalg.inv(part), dtype=np.float64)

    def robust_covariance(self, clusters: IntArray) -> FloatArray:
        """The sandwich: scores summed by cluster between inverse informations, times m / (m - 1) for m clusters."""
        count, free = int(clusters.max()) + 1, self._free
        sums = np.zeros((count, free))
        np.add.at(sums, clusters, self.scores[:, :free])
        bread = self.covariance()
        if count < 2:
            return np.full_like(bread, np.nan)
        return np.asarray(bread @ (sums.T @ sums) @ bread * (count / (count - 1.0)), dtype=np.float64)


def _best_means(data: Reports, tau: FloatArray) -> FloatArray:
    """The mean of highest likelihood for each tau: the likelihood is log-concave in the mean."""
    reach, tau2 = data.farthest, tau * tau

    def slope(shifted: FloatArray, rows: IntArray) -> tuple[FloatArray, FloatArray]:
        terms = terms_of(data, shifted - reach, tau2[rows])
        return terms.m.sum(axis=-1), terms.mm.sum(axis=-1)

    everywhere = np.arange(tau.size)
    low, high = np.zeros(tau.size), np.full(tau.size, 2.0 * reach)
    rising, falling = slope(high, everywhere)[0] > 0.0, slope(low, everywhere)[0] < 0.0
    found = falling_root(slope, low, high, np.full(tau.size, reach), np.ones(tau.size)).x - reach
    return np.where(rising, reach, np.where(falling, -reach, found))


def _profile(data: Reports, tau: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Best mean, log-likelihood, and its derivative by tau2, for each tau."""
    mean = _best_means(data, tau)
    terms = terms_of(data, mean, tau * tau)
    slope = (terms.s / (2.0 * np.sqrt(tau[:, None] ** 2 + data.variance))).sum(axis=-1)
    return mean, terms.value.sum(axis=-1), slope


def _taus(data: Reports) -> FloatArray:
    return np.concatenate([[0.0], np.geomspace(_SMALLEST_TAU, data.farthest, _GRID - 1)])


def fit(data: Reports, *, equal_effects: bool = False) -> VoteFit:
    """Maximum-likelihood mean and between-study variance.

    Parameters
    ----------
    data : Reports
        At least one.
    equal_effects : bool
        Hold tau2 at 0.

    References
    ----------
    Hedges, L. V., & Olkin, I. (1980). Vote-counting methods in research synthesis. Psychological Bulletin, 88, 359-369.
    Bushman, B. J., & Wang, M. C. (1996). A procedure for combining sample standardized mean differences and vote
    counts to estimate the population standardized mean difference in fixed effects models. Psychological Methods, 1,
    66-80.
    """
    endless = _endless(data)
    if endless is not None:
        mean, tau2 = endless
        if equal_effects and not np.isinf(mean):
            mean, tau2 = float(_best_means(data, np.zeros(1))[0]), 0.0
        elif equal_effects:
            tau2 = 0.0
        if not (np.isfinite(mean) and np.isfinite(tau2)):
            return _without_maximum(data, mean, tau2)
        return _at(data, mean, tau2, held=True)
    tau = 0.0 if equal_effects else _best_tau(data)
    mean = float(_best_means(data, np.array([tau]))[0])
    if tau >= data.farthest or abs(mean) >= data.farthest:
        return _without_maximum(data, np.nan, np.inf)
    return _at(data, mean, tau * tau, held=equal_effects or tau == 0.0)


def _endless(data: Reports) -> tuple[float, float] | None:
    """Mean and tau2 where every effect is known on one side only, so that the likelihood has no maximum."""
    up, down = np.isinf(data.high) & np.isfinite(data.low), np.isinf(data.low) & np.isfinite(data.high)
    if up.all():
        return np.inf, np.nan
    if down.all():
        return -np.inf, np.nan
    # Significant in either direction and nothing in between: the more spread, the likelier.
    apart = (up | down).all() and data.low[up].min() >= data.high[down].max()
    return (np.nan, np.inf) if apart else None


def _without_maximum(data: Reports, mean: float, tau2: float) -> VoteFit:
    tau = _taus(data)
    bound = 0.0 if np.isinf(mean) else float(_profile(data, tau)[1].max())
    return VoteFit(mean, tau2, bound, np.zeros((2, 2)), np.full((data.low.size, 2), np.nan))


def _at(data: Reports, mean: float, tau2: float, *, held: bool) -> VoteFit:
    terms = terms_of(data, np.asarray(mean), np.asarray(tau2))
    s = np.sqrt(tau2 + data.variance)
    by_tau2 = terms.s / (2.0 * s)
    information = np.zeros((2, 2))
    information[0, 0] = -terms.mm.sum()
    if not held:
        information[0, 1] = information[1, 0] = -(terms.ms / (2.0 * s)).sum()
        information[1, 1] = -(terms.ss / (4.0 * s**2) - terms.s / (4.0 * s**3)).sum()
    return VoteFit(mean, tau2, float(terms.value.sum()), information, np.stack([terms.m, by_tau2], axis=-1))


def _best_tau(data: Reports) -> float:
    """The highest of the maxima of the profile likelihood of tau: a scan, then ever finer sections."""
    taus = _taus(data)
    for narrowing in range(18):
        _, value, slope = _profile(data, taus)
        best = int(value.argmax()) if narrowing < 4 else max(int((slope > 0.0).sum()) - 1, 0)
        if best == 0 and taus[0] == 0.0 and slope[0] <= 0.0:
            return 0.0
        if narrowing == 0 and best == taus.size - 1:
            return data.farthest
        first = best if narrowing >= 4 or slope[best] > 0.0 else best - 1
        first = min(max(first, 0), taus.size - 2)
        if taus[first + 1] - taus[first] <= 4e-16 * taus[first + 1]:
            break
        taus = np.linspace(taus[first], taus[first + 1], _SECTIONS)
    return float(taus[taus.size // 2])


def tau2_interval(data: Reports, found: VoteFit, drop: float) -> tuple[float, float]:
    """The lowest and highest tau2 whose profile log-likelihood is within `drop` of the maximum."""
    if np.isnan(found.tau2):
        return 0.0, np.inf
    level = found.log_likelihood - drop
    taus = _taus(data)
    if np.isfinite(found.tau2):
        taus = np.unique(np.append(taus, np.sqrt(found.tau2)))
    within = np.flatnonzero(_profile(data, taus)[1] >= level)
    if not within.size:
        return np.nan, np.nan
    first, last = int(within[0]), int(within[-1])
    low = 0.0 if first == 0 else _crossing(data, level, taus[first - 1], taus[first])
    high = np.inf if last == taus.size - 1 else _crossing(data, level, taus[last], taus[last + 1])
    return low**2, high**2


def _crossing(data: Reports, level: float, low: float, high: float) -> float:
    """Where the profile likelihood of tau crosses a level once between two values."""
    for _ in range(13):
        taus = np.linspace(low, high, _SECTIONS)
        within = _profile(data, taus)[1] >= level
        change = int((within == within[0]).sum())
        if not 0 < change < taus.size:
            break
        low, high = float(taus[change - 1]), float(taus[change])
    return 0.5 * (low + high)


def mean_interval(data: Reports, found: VoteFit, drop: float, *, equal_effects: bool = False) -> tuple[float, float]:
    """The lowest and highest mean whose profile log-likelihood is within `drop` of the maximum."""
    if np.isnan(found.mean):
        return -np.inf, np.inf
    level = found.log_likelihood - drop
    bounds = (0.0, 0.0) if equal_effects else tau2_interval(data, found, drop)
    turned = Reports(-data.high, -data.low, data.variance)
    low = -np.inf if found.mean == -np.inf else _lowest_mean(data, level, bounds)
    high = np.inf if found.mean == np.inf else -_lowest_mean(turned, level, bounds)
    return low, high


def _lowest_mean(data: Reports, level: float, bounds: tuple[float, float]) -> float:
    """The lowest mean at which some tau within bounds keeps the log-likelihood at a level."""
    ends = np.sqrt(np.minimum(bounds, data.farthest**2))
    taus = np.linspace(ends[0], ends[1], 2 * _SECTIONS) if np.isfinite(bounds[1]) else _taus(data)
    least = np.inf
    for _ in range(7):
        lows = _lows(data, level, taus)
        if np.isneginf(lows).any():
            return -np.inf
        best = int(np.nan_to_num(lows, nan=np.inf).argmin())
        if np.isinf(bounds[1]) and taus[best] >= data.farthest:
            return -np.inf
        least = min(least, float(np.nan_to_num(lows, nan=np.inf)[best]))
        taus = np.linspace(taus[max(best - 1, 0)], taus[min(best + 1, taus.size - 1)], _SECTIONS)
    return least


def _lows(data: Reports, level: float, taus: FloatArray) -> FloatArray:
    """For each tau, the lower mean at which the log-likelihood is at a level; NaN where it is below throughout."""
    best, value, _ = _profile(data, taus)
    within = value >= level
    if not within.any():
        return np.full(taus.size, np.nan)
    top, tau2 = best[within], taus[within] ** 2

    def above(down: FloatArray, rows: IntArray) -> tuple[FloatArray, FloatArray]:
        terms = terms_of(data, top[rows] - down, tau2[rows])
        return terms.value.sum(axis=-1) - level, -terms.m.sum(axis=-1)

    everywhere = np.arange(top.size)
    deepest = top + data.farthest
    open_ended: BoolArray = above(deepest, everywhere)[0] > 0.0
    curvature = -terms_of(data, top, tau2).mm.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        guess = np.sqrt(2.0 * (value[within] - level) / curvature)
    start = np.where(np.isfinite(guess), np.minimum(guess, 0.5 * deepest), 0.5 * deepest)
    root = falling_root(above, np.zeros(top.size), deepest, start, np.full(top.size, 1e-3)).x
    lows = np.full(taus.size, np.nan)
    lows[within] = np.where(open_ended, -np.inf, top - root)
    return lows


def mean_test(data: Reports, found: VoteFit, *, equal_effects: bool = False) -> float:
    """Likelihood-ratio statistic of a mean of 0, chi-square with one degree of freedom."""
    if equal_effects:
        null = float(log_likelihood(data, 0.0, 0.0))
    else:
        null = _highest(lambda taus: log_likelihood(data, np.zeros_like(taus), taus * taus), _taus(data))
    return max(2.0 * (found.log_likelihood - null), 0.0)


def _highest(function: Callable[[FloatArray], FloatArray], taus: FloatArray) -> float:
    for _ in range(8):
        values = function(taus)
        best = int(values.argmax())
        taus = np.linspace(taus[max(best - 1, 0)], taus[min(best + 1, taus.size - 1)], _SECTIONS)
    return float(values.max())


def tau2_test(data: Reports, found: VoteFit) -> float:
    """Likelihood-ratio statistic of no variance between studies."""
    return max(2.0 * (found.log_likelihood - float(_profile(data, np.zeros(1))[1][0])), 0.0)


def share_significant(
    mean: npt.ArrayLike, tau2: npt.ArrayLike, n: npt.ArrayLike, alpha: float, *, two_sided: bool = True
) -> FloatArray:
    """Share of studies of n people expected to find a significant positive effect."""
    edge = threshold(n, alpha, two_sided=two_sided)
    spread = np.sqrt(np.asarray(tau2, dtype=float) + 1.0 / (np.asarray(n, dtype=float) - 3.0))
    return np.asarray(special.ndtr((np.asarray(mean, dtype=float) - edge) / spread), dtype=np.float64)
