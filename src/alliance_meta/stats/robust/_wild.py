"""The cluster wild bootstrap: the residuals of whole clusters multiplied by random numbers, the hypothesis imposed."""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.stats._arrays import FloatArray, IntArray
from alliance_meta.stats.resampling._blocks import BLOCK, Progress, in_blocks
from alliance_meta.stats.robust._sandwich import Sandwich

__all__ = ["BOOTSTRAP_WEIGHTS", "WildBootstrap", "wild_bootstrap"]

BOOTSTRAP_WEIGHTS: dict[str, tuple[float, ...]] = {
    "rademacher": (-1.0, 1.0),
    "webb": (-np.sqrt(1.5), -1.0, -np.sqrt(0.5), np.sqrt(0.5), 1.0, np.sqrt(1.5)),
}
"""The equally likely multipliers of a cluster."""
# Statistics that differ by less, relative to themselves, count as tied: mirror images differ by rounding only.
_TIE = 1e-9
_SINGULAR = 1e-13
_NUMBERS_AT_ONCE = 1 << 18


class WildBootstrap(NamedTuple):
    """A wild bootstrap test.

    Attributes
    ----------
    statistic : float
        The Wald statistic divided by the number of contrasts, of the effects as they are.
    p_value : float
        The share of the replicates, the effects as they are among them, whose statistic is at least as large.
    replicates : int
    exact : bool
        Whether these are all that there are, or a random choice of them.
    """

    statistic: float
    p_value: float
    replicates: int
    exact: bool


def wild_bootstrap(
    fit: Sandwich,
    contrasts: npt.ArrayLike,
    gap: npt.ArrayLike,
    *,
    n: int = 2_000,
    weights: str = "rademacher",
    seed: int = 0,
    workers: int = 1,
    progress: Progress | None = None,
) -> WildBootstrap:
    """Test that all of several contrasts are what a hypothesis says, by the cluster wild bootstrap.

    Residuals of the model restricted to the hypothesis are multiplied by one random number a cluster; the model, at the
    weights it has, is refitted, and the same adjusted covariance gives the replicate's Wald statistic.

    Parameters
    ----------
    fit : Sandwich
    contrasts : array_like, shape (m, p)
        Of full row rank.
    gap : array_like, shape (m,)
        The contrasts' estimates less their hypothetical values.
    n : int
        Replicates. All distinct ones are made, each once, if they are at most n; else the first of n leaves the
        residuals as they are.
    weights : {"rademacher", "webb"}
    seed, workers : int
        The result does not depend on the number of threads, `workers`.
    progress : callable, optional

    Returns
    -------
    WildBootstrap
        NaN where the statistic of the effects as they are does not exist.

    References
    ----------
    Cameron, A. C., Gelbach, J. B., & Miller, D. L. (2008). Review of Economics and Statistics, 90, 414-427.
    Webb, M. D. (2014). Queen's Economics Department Working Paper 1315.
    Joshi, M., Pustejovsky, J. E., & Beretvas, S. N. (2022). Research Synthesis Methods, 13, 457-477.

    Examples
    --------
    Five clusters have 32 patterns of signs, of which mirror images give the same statistic: p is .0625 at least.

    >>> from alliance_meta.stats.robust import sandwich
    >>> y = np.array([0.5, 0.6, 0.7, 0.8, 0.9])
    >>> wild_bootstrap(sandwich(np.ones((5, 1)), y - 0.7, range(5), np.ones(5)), [[1]], [0.7]).p_value
    0.0625
    """
    if weights not in BOOTSTRAP_WEIGHTS:
        raise UnknownNameError(f"unknown bootstrap weights {weights!r}. Known: {', '.join(BOOTSTRAP_WEIGHTS)}.")
    if n < 1:
        raise InputError(f"n must be 1 or more, not {n}")
    support = np.array(BOOTSTRAP_WEIGHTS[weights])
    model = _Restricted.of(fit, np.atleast_2d(np.asarray(contrasts, dtype=float)), np.ravel(np.asarray(gap, float)))
    s = len(fit.score)
    every = len(support) ** s
    exact, total = every <= n, min(every, n)
    observed = model.statistics(np.ones((1, s)))[0]
    streams = () if exact else np.random.SeedSequence(seed).spawn(-(-total // BLOCK))

    def work(block: int, part: slice) -> int:
        drawn = support[_every(part, len(support), s) if exact else _random(streams[block], part, len(support), s)]
        if part.start == 0 and not exact:
            drawn[0] = 1.0
        # a replicate without a statistic counts as far out
        return int((~(model.statistics(drawn) < (1.0 - _TIE) * observed)).sum())

    extreme = sum(in_blocks(work, total, workers, progress))
    p_value = float("nan") if np.isnan(observed) else extreme / total
    return WildBootstrap(float(observed), p_value, total, exact)


def _every(part: slice, base: int, s: int) -> IntArray:
    """Some patterns by their numbers, written in that base."""
    return np.asarray(np.arange(part.start, part.stop)[:, None] // base ** np.arange(s) % base, dtype=np.intp)


def _random(stream: np.random.SeedSequence, part: slice, base: int, s: int) -> IntArray:
    return np.random.default_rng(stream).integers(base, size=(part.stop - part.start, s))


class _Restricted(NamedTuple):
    """What clusters contribute once the hypothesis holds, for the contrasts: p-vectors, from which replicates come.

    `pull` (s, p): to the coefficients of the orthonormal columns; `score` (m, s); `lever` (m, p, s).
    """

    pull: FloatArray
    score: FloatArray
    lever: FloatArray
    contrasts: FloatArray
    factor: float

    @classmethod
    def of(cls, fit: Sandwich, contrasts: FloatArray, gap: FloatArray) -> _Restricted:
        c = contrasts @ fit.basis
        size = np.sqrt((c**2).sum(axis=1))
        c, gap = c / size[:, None], gap / size
        away = np.linalg.lstsq(c, gap, rcond=None)[0]  # from the restricted coefficients to the fitted ones
        p = len(away)
        lever = fit.lever[:, :p]
        return cls(
            pull=fit.plain_score + fit.information @ away,
            score=c @ (fit.score + np.swapaxes(lever, -1, -2) @ away).T,
            lever=np.ascontiguousarray((lever @ c.T).transpose(2, 1, 0)),
            contrasts=c,
            factor=fit.factor,
        )

    def statistics(self, drawn: FloatArray) -> FloatArray:
        """Wald statistics, divided by the number of contrasts, of multipliers (B, s)."""
        size = max(1, _NUMBERS_AT_ONCE // self.score.size)
        return np.concatenate([self._statistics(drawn[i : i + size]) for i in range(0, len(drawn), size)])

    def _statistics(self, drawn: FloatArray) -> FloatArray:
        m = len(self.contrasts)
        moved = drawn @ self.pull
        left = [drawn * score - moved @ lever for score, lever in zip(self.score, self.lever, strict=True)]
        found = moved @ self.contrasts.T
        covariance = np.empty((len(drawn), m, m))
        for a, b in combinations_with_replacement(range(m), 2):
            covariance[:, a, b] = covariance[:, b, a] = self.factor * np.einsum("bs,bs->b", left[a], left[b])
        values, vectors = np.linalg.eigh(covariance)
        parts = (found[:, None, :] @ vectors)[:, 0, :] ** 2
        with np.errstate(divide="ignore", invalid="ignore"):
            wald = (parts / values).sum(axis=-1) / m
        return np.where(values[:, 0] > _SINGULAR * values[:, -1], wald, np.nan)
