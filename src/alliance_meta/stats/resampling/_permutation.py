"""Permutation tests of the mean by sign flips, and the intervals that they invert to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alliance_meta.errors import UnknownNameError
from alliance_meta.stats._arrays import BoolArray, FloatArray, IntArray
from alliance_meta.stats.resampling._blocks import Progress, estimator_named, in_blocks, studies
from alliance_meta.stats.tau2 import ESTIMATORS
from alliance_meta.stats.weighted import knapp_hartung_factor, weighted_mean

__all__ = ["PermutationInterval", "PermutationTest", "permutation_interval", "permutation_test"]

_TESTS = ("z", "t", "knapp-hartung", "knapp-hartung-adhoc")
# Statistics that differ by less, relative to themselves, count as tied.
_TIE = 1e-9
_MOST_DOUBLINGS = 60
_FULL_STEPS = 4


class PermutationTest(NamedTuple):
    """A permutation test of the mean.

    Attributes
    ----------
    statistic : float
        That of the effects as they are.
    p_value : float
        Share of the flips, the effects as they are among them, whose statistic is at least as far from 0.
    exact : bool
        Whether all flips were made, or a random choice of them.
    replicates : int
        Number of flips that the p value stands for.
    failed : int
        Refits that did not converge; they count as far from 0.
    """

    statistic: float
    p_value: float
    exact: bool
    replicates: int
    failed: int


class PermutationInterval(NamedTuple):
    """The means that a permutation test does not reject; infinite where the flips are too few to reject any."""

    low: float
    high: float
    exact: bool
    replicates: int


def permutation_test(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    include: npt.ArrayLike | None = None,
    *,
    null: float = 0.0,
    tau2_method: str = "REML",
    test: str = "z",
    replicates: int = 10_000,
    seed: int = 0,
    workers: int = 1,
    progress: Progress | None = None,
) -> PermutationTest:
    """Test the mean by flipping the signs of the effects' deviations from its null value.

    The model, tau2 included, is refitted to every flip. All 2**k flips are made if they are at most `replicates`,
    else as many random ones.

    Parameters
    ----------
    effect, variance : array_like, shape (k,)
    include : array_like of 0 and 1, shape (k,), optional
    null : float
        The mean to test, on the scale of the effects.
    tau2_method : str
        A name in `ESTIMATORS`.
    test : {"z", "t", "knapp-hartung", "knapp-hartung-adhoc"}
        The statistic; "t" has that of "z".
    replicates, seed, workers : int
        The result does not depend on the number of threads, `workers`.
    progress : callable, optional

    Returns
    -------
    PermutationTest
        NaN with fewer than two effects.

    References
    ----------
    Follmann, D. A., & Proschan, M. A. (1999). Biometrics, 55, 732-737.

    Examples
    --------
    Five studies that agree in sign cannot be significant at .05: 2 of 32 flips are as extreme as they are.

    >>> result = permutation_test([0.3, 0.4, 0.5, 0.3, 0.4], [0.01, 0.02, 0.01, 0.02, 0.01])
    >>> print(f"z = {result.statistic:.2f}, p = {result.p_value}")
    z = 7.75, p = 0.0625
    """
    flips = _Flips.of(effect, variance, include, tau2_method, test, replicates, seed, workers)
    statistic = flips.observed(null)
    every = flips.statistics(null, np.arange(len(flips.signs)), progress)
    failed = int(np.isnan(every).sum()) * flips.each
    p_value = float(_as_extreme(every, statistic).mean()) if not np.isnan(statistic) else np.nan
    return PermutationTest(statistic, p_value, flips.exact, len(flips.signs) * flips.each, failed)


def permutation_interval(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    level: float = 0.95,
    include: npt.ArrayLike | None = None,
    *,
    tau2_method: str = "REML",
    test: str = "z",
    replicates: int = 10_000,
    seed: int = 0,
    workers: int = 1,
    tolerance: float = 1e-8,
) -> PermutationInterval:
    """Interval of the mean: the null values that `permutation_test`, always with the same flips, does not reject.

    From the estimate outward in doubling steps to the first value rejected, then back by halving. After four halvings
    only flips whose verdicts differ between the ends of the bracket are refitted.

    Parameters
    ----------
    effect, variance, include, tau2_method, test, replicates, seed, workers
        As in `permutation_test`.
    level : float
    tolerance : float
        Accuracy of the ends, in standard errors of the mean.

    Returns
    -------
    PermutationInterval
        Infinite where even the most extreme null value is not rejected: 0.95 asks for 6 studies at least.

    References
    ----------
    Follmann, D. A., & Proschan, M. A. (1999). Biometrics, 55, 732-737.

    Examples
    --------
    >>> y, v = [0.31, 0.42, 0.58, 0.33, 0.45, 0.12], [0.01, 0.02, 0.01, 0.02, 0.01, 0.02]
    >>> for level in (0.95, 0.99):
    ...     interval = permutation_interval(y, v, level)
    ...     print(f"[{interval.low:.3f}, {interval.high:.3f}]")
    [0.120, 0.580]
    [-inf, inf]
    """
    flips = _Flips.of(effect, variance, include, tau2_method, test, replicates, seed, workers)
    tau2 = ESTIMATORS[tau2_method](flips.y, flips.v).estimate
    mean = weighted_mean(flips.y, flips.v, tau2)
    middle, step = float(mean.estimate), float(mean.std_error)
    low, high = np.nan, np.nan
    if np.isfinite(step):
        alpha = 1.0 - level + _TIE  # 1 - 0.9 is below 0.1, which a share of flips can be
        low, high = (flips.end(middle, side * step, alpha, tolerance * step) for side in (-1.0, 1.0))
    return PermutationInterval(low, high, flips.exact, len(flips.signs) * flips.each)


@dataclass(frozen=True, slots=True)
class _Flips:
    """Flips of a set of effects: rows of 1 and -1, the first all 1; each stands for itself and, if exact, its mirror.

    A mirror image has the same statistic but for its sign, so that of the exact flips half are enough.
    """

    y: FloatArray
    v: FloatArray
    signs: npt.NDArray[np.int8]
    exact: bool
    tau2_method: str
    test: str
    workers: int

    @classmethod
    def of(
        cls,
        effect: npt.ArrayLike,
        variance: npt.ArrayLike,
        include: npt.ArrayLike | None,
        tau2_method: str,
        test: str,
        replicates: int,
        seed: int,
        workers: int,
    ) -> _Flips:
        estimator_named(tau2_method)
        if test not in _TESTS:
            raise UnknownNameError(f"unknown test {test!r}. Known: {', '.join(_TESTS)}.")
        y, v = studies(effect, variance, include)
        exact = 2.0**y.size <= replicates
        signs = _all_signs(y.size) if exact else _random_signs(y.size, replicates, seed)
        return cls(y, v, signs, exact, tau2_method, test, workers)

    @property
    def each(self) -> int:
        """How many flips a row stands for."""
        return 2 if self.exact else 1

    def observed(self, null: float) -> float:
        """The statistic of the effects as they are."""
        return float(_statistic(self.y - null, self.v, self.tau2_method, self.test))

    def statistics(self, null: float, rows: IntArray, progress: Progress | None = None) -> FloatArray:
        """The statistics of some flips."""
        deviation = self.y - null

        def work(part: slice) -> FloatArray:
            return _statistic(self.signs[rows[part]] * deviation, self.v, self.tau2_method, self.test)

        parts = in_blocks(lambda _, part: work(part), rows.size, self.workers, progress, self.each)
        return np.concatenate([np.empty(0), *parts])

    def extreme(self, null: float, rows: IntArray) -> BoolArray:
        """Which of some flips are as far from 0 as the effects as they are."""
        return _as_extreme(self.statistics(null, rows), self.observed(null))

    def end(self, middle: float, step: float, alpha: float, tolerance: float) -> float:
        """The null value, from `middle` on in the direction of `step`, from which on the test rejects."""
        every = np.arange(len(self.signs))
        far = np.abs(self.signs.sum(axis=-1, dtype=float)) == self.y.size  # no other flip is extreme at infinity
        inside, at_inside = middle, np.ones(every.size, dtype=bool)
        for _ in range(_MOST_DOUBLINGS if far.mean() <= alpha else 0):
            outside = middle + step
            at_outside = self.extreme(outside, every)
            if at_outside.mean() <= alpha:
                break
            inside, at_inside, step = outside, at_outside, 2.0 * step
        else:
            return float(np.copysign(np.inf, step))
        halvings = 0
        while abs(outside - inside) > tolerance:
            here, at_here = 0.5 * (inside + outside), at_inside.copy()
            open_ = every if halvings < _FULL_STEPS else np.flatnonzero(at_inside != at_outside)
            at_here[open_] = self.extreme(here, open_)
            halvings += 1
            if at_here.mean() > alpha:
                inside, at_inside = here, at_here
            else:
                outside, at_outside = here, at_here
        return 0.5 * (inside + outside)


def _as_extreme(statistics: FloatArray, observed: float) -> BoolArray:
    """Which statistics are at least as far from 0 as the observed one; those of failed fits count as such."""
    return np.asarray(~(np.abs(statistics) < (1.0 - _TIE) * np.abs(observed)))


def _statistic(y: FloatArray, v: FloatArray, tau2_method: str, test: str) -> FloatArray:
    mean = weighted_mean(y, v, ESTIMATORS[tau2_method](y, v).estimate)
    std_error = mean.std_error
    if test.startswith("knapp-hartung"):
        std_error = std_error * knapp_hartung_factor(mean, adhoc=test.endswith("adhoc"))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(mean.estimate == 0.0, 0.0 * std_error, mean.estimate / std_error))


def _all_signs(k: int) -> npt.NDArray[np.int8]:
    """Half of all flips: those that leave the first effect as it is."""
    bits = (np.arange(2 ** (k - 1))[:, None] >> np.arange(k)[::-1]) & 1
    return (1 - 2 * bits).astype(np.int8)


def _random_signs(k: int, replicates: int, seed: int) -> npt.NDArray[np.int8]:
    """The effects as they are, and random flips."""
    bits = np.random.default_rng(seed).integers(0, 2, (replicates, k), dtype=np.int8)
    bits[0] = 0
    return np.asarray(1 - 2 * bits)
