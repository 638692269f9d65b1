"""`PooledBatch`: many meta-analyses pooled at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import numpy.typing as npt
import pandas as pd

from alliance_meta import _checks
from alliance_meta.results._pooled import PoolSettings
from alliance_meta.stats import heterogeneity
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.inference import critical_value, two_sided_p_value

__all__ = ["PooledBatch", "Problem"]


class Problem(IntEnum):
    """Why numbers of a meta-analysis are NaN."""

    NONE = 0
    NOTHING = 1
    EFFECT = 2
    VARIANCE = 3
    CONVERGENCE = 4
    ONE_EFFECT = 5


_REASONS = {
    Problem.NOTHING: "no effect takes part",
    Problem.EFFECT: "an effect is NaN or infinite",
    Problem.VARIANCE: "a sampling variance is not a positive, finite number",
    Problem.CONVERGENCE: "the estimator of tau2 did not reach its solution",
    Problem.ONE_EFFECT: "one effect says nothing about tau2 and leaves k - 1 = 0 degrees of freedom",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PooledBatch:
    """Many pooled effects; every array has the batch shape, all numbers are on the analysed scale.

    Attributes
    ----------
    estimate, std_error : ndarray
    df : ndarray
        Degrees of freedom of the test; infinite for a z test.
    tau2 : ndarray
        Between-study variances.
    k : ndarray
        Numbers of effects that take part.
    problem : ndarray of int8
        0, or why numbers are NaN; `reasons()` has it in words.
    settings : PoolSettings
    """

    estimate: FloatArray
    std_error: FloatArray
    df: FloatArray
    tau2: FloatArray
    k: FloatArray
    problem: npt.NDArray[np.int8]
    settings: PoolSettings
    effect: FloatArray = field(repr=False)
    variance: FloatArray = field(repr=False)
    include: FloatArray = field(repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """The batch shape."""
        return self.estimate.shape

    def p_value(self, null: float = 0.0) -> FloatArray:
        """Two-sided p values of the test that the mean is `null`."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return two_sided_p_value((self.estimate - null) / self.std_error, self.df)

    def confidence_interval(self, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
        """Intervals of the means, low and high, from the distribution of the chosen test."""
        half = critical_value(_checks.level(level), self.df) * self.std_error
        return self.estimate - half, self.estimate + half

    def prediction_interval(self, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
        """Intervals for the true effect of a new study, low and high, with t(k - 2)."""
        half = critical_value(_checks.level(level), self.k - 2.0) * np.sqrt(self.tau2 + self.std_error**2)
        return self.estimate - half, self.estimate + half

    def tau2_interval(self, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
        """Q-profile intervals of tau2, low and high."""
        effect, variance, include = self._data()
        return heterogeneity.q_profile_interval(effect, variance, _checks.level(level), include)

    def cochran_q(self) -> heterogeneity.Cochran:
        """Cochran's Q, its degrees of freedom and p values."""
        return heterogeneity.cochran_q(*self._data())

    def inconsistency(self) -> heterogeneity.Inconsistency:
        """I2 (percent) and H2 from tau2; from Q under equal effects."""
        if self.settings.tau2_method == "EE":
            return heterogeneity.inconsistency_from_q(self.cochran_q())
        return heterogeneity.inconsistency_from_tau2(self.tau2, *self._data()[1:])

    def reasons(self) -> pd.Series[str]:
        """Why numbers are NaN, in words: one entry for each meta-analysis that has any, by its place in the batch."""
        problem = np.atleast_1d(self.problem)
        where = np.nonzero(problem)
        if len(where) == 1:
            index: pd.Index = pd.Index(where[0])
        else:
            index = pd.MultiIndex.from_arrays(list(where))
        words = [_REASONS[Problem(code)] for code in problem[where].tolist()]
        return pd.Series(words, index=index, name="reason", dtype="object")

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """One row a meta-analysis, in the order of the batch (its axes made one).

        Columns: estimate, std_error, statistic, df, p_value, ci_low, ci_high, tau2, i2, q_statistic, q_df, q_p_value,
        k, reason (empty where nothing is NaN).
        """
        low, high = self.confidence_interval(level)
        q = self.cochran_q()
        with np.errstate(divide="ignore", invalid="ignore"):
            statistic = self.estimate / self.std_error
        columns = {
            "estimate": self.estimate,
            "std_error": self.std_error,
            "statistic": statistic,
            "df": self.df,
            "p_value": self.p_value(),
            "ci_low": low,
            "ci_high": high,
            "tau2": self.tau2,
            "i2": self.inconsistency().i2,
            "q_statistic": q.q_statistic,
            "q_df": q.q_df,
            "q_p_value": q.q_p_value,
            "k": self.k,
        }
        frame = pd.DataFrame({name: np.ravel(values) for name, values in columns.items()})
        frame["k"] = frame["k"].astype(int)
        frame["reason"] = [_REASONS.get(Problem(code), "") for code in self.problem.ravel().tolist()]
        return frame

    def __repr__(self) -> str:
        flawed = int(np.count_nonzero(self.problem))
        without = f"; {flawed} with NaN: see .reasons()" if flawed else ""
        how = f"{self.settings.tau2_method}, {self.settings.test}"
        return f"<PooledBatch: {self.estimate.size} meta-analyses, shape {self.shape} ({how}){without}>"

    def _data(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Effects, variances and inclusion, with NaN effects where numbers cannot be used."""
        flawed = np.isin(self.problem, (Problem.EFFECT, Problem.VARIANCE))[..., None]
        if not flawed.any():
            return self.effect, self.variance, self.include
        return np.where(flawed, np.nan, self.effect), np.where(flawed, 1.0, self.variance), self.include
