"""`RobustFit`: a fit with standard errors that hold whatever the dependence within clusters is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from alliance_meta import _checks
from alliance_meta._parallel import available_workers
from alliance_meta._tables import number, p_value
from alliance_meta.design import Design
from alliance_meta.effects import EffectSizes
from alliance_meta.errors import InputError
from alliance_meta.results import _regression_intervals, _robust_words
from alliance_meta.results._interval import Interval
from alliance_meta.results._tidy import tidy
from alliance_meta.results._wald import of_term
from alliance_meta.stats import robust as kernel
from alliance_meta.stats._arrays import FloatArray

__all__ = [
    "BootstrapWeights",
    "ClusterAdjustment",
    "Fitted",
    "Hypothesis",
    "JointTestMethod",
    "RobustFit",
    "RobustSettings",
    "RobustTest",
]

ClusterAdjustment = Literal["CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3"]
JointTestMethod = Literal["HTZ", "naive-F", "naive-Fp", "chi-square"]
BootstrapWeights = Literal["rademacher", "webb"]
Hypothesis = Mapping[str, float] | Sequence[Mapping[str, float]] | npt.ArrayLike
_LEAST_REPLICATES = 100


class Fitted(Protocol):
    """What a robust fit asks of the fit that it was made from."""

    @property
    def effects(self) -> EffectSizes: ...

    @property
    def k(self) -> int: ...

    def to_r(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustSettings:
    """Every option a robust fit was computed with.

    Attributes
    ----------
    cluster : str
        The column that names the clusters, or ``"given"``.
    adjustment : str
    """

    cluster: str
    adjustment: ClusterAdjustment


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustTest:
    """A test of one or several linear hypotheses with a cluster-robust covariance.

    Attributes
    ----------
    hypothesis : str
        What is tested.
    method : str
        ``"HTZ"``, ``"naive-F"``, ``"naive-Fp"``, ``"chi-square"``, or ``"wild bootstrap"``.
    statistic : float
        F; chi-square where `df2` is infinite. Of a wild bootstrap the Wald statistic divided by `df1`.
    df1 : int
    df2 : float
        NaN for a wild bootstrap.
    p_value : float
    note : str
        Why there is no p value, or what it is a share of.
    """

    hypothesis: str
    method: str
    statistic: float
    df1: int
    df2: float
    p_value: float
    note: str = ""

    @property
    def text(self) -> str:
        """The test as it is printed: ``F(2, 11.3) = 3.20, p = .078``."""
        return _robust_words.worded(self)

    def __repr__(self) -> str:
        note = f" ({self.note})" if self.note and self.note not in self.text else ""
        return f"<RobustTest: {self.hypothesis}: {self.text}{note}>"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RobustFit:
    """A fit with a cluster-robust covariance. All numbers are on the analysed scale (z for ``ZCOR``).

    Attributes
    ----------
    coefficients : ndarray, shape (p,)
        Those of the fit.
    covariance : ndarray, shape (p, p)
        Cluster-robust; read-only.
    df : ndarray, shape (p,)
        Satterthwaite's degrees of freedom of each coefficient; read-only.
    names : tuple of str
        ``("overall",)`` for a pooled effect.
    clusters : int
    labels : tuple of str
        The cluster of each effect.
    null : float
        What the coefficients are tested against: the measure's null value for a pooled effect, else 0.
    fit : PooledEffect or MetaRegression
        What it was made from.
    design : Design or None
        The moderators, where there are any.
    settings : RobustSettings
    notes : tuple of str
    """

    coefficients: FloatArray
    covariance: FloatArray
    df: FloatArray
    names: tuple[str, ...]
    clusters: int
    labels: tuple[str, ...]
    null: float
    fit: Fitted
    design: Design | None
    settings: RobustSettings
    notes: tuple[str, ...]
    _sandwich: kernel.Sandwich

    @property
    def adjustment(self) -> ClusterAdjustment:
        """The small-sample adjustment."""
        return self.settings.adjustment

    @property
    def effects(self) -> EffectSizes:
        """The effects that were fitted."""
        return self.fit.effects

    @property
    def k(self) -> int:
        """Number of effects."""
        return self.fit.k

    @property
    def std_errors(self) -> FloatArray:
        """Cluster-robust standard errors of the coefficients."""
        return np.sqrt(np.diagonal(self.covariance))

    def coefficient(self, name: str) -> float:
        """One coefficient by its name."""
        return float(self.coefficients[self.names.index(_checks.known_name("coefficient", name, self.names))])

    def confidence_interval(self, level: float = 0.95, *, display: bool = False) -> Interval:
        """Interval of the mean effect, by t with Satterthwaite's degrees of freedom.

        Parameters
        ----------
        level : float
            Coverage, between 0 and 1.
        display : bool
            On the scale shown to people (r for Fisher's z) rather than the analysed one.

        Returns
        -------
        Interval

        Raises
        ------
        InputError
            For a fit with moderators, whose coefficients' intervals are in `to_frame`.
        """
        if len(self.names) > 1 or self.names[0] not in ("overall", "intercept"):
            raise InputError(
                f"this fit has no single mean but the coefficients {_checks.listed(self.names)}; to_frame() gives "
                "their intervals"
            )
        bounds = self.to_frame(level).loc[0, ["ci_low", "ci_high"]].to_numpy(dtype=float)
        low, high = map(float, self.effects.measure.to_display(bounds) if display else bounds)
        note = "" if not np.isnan(low) else "the working model leaves this standard error no degrees of freedom"
        return Interval(low=low, high=high, level=_checks.level(level), kind="confidence", note=note)

    # Tests

    def omnibus(self, *, test: JointTestMethod | str = "HTZ") -> RobustTest:
        """Test all moderators at once: every coefficient but the intercept's; without moderators, the mean.

        Parameters
        ----------
        test : {"HTZ", "naive-F", "naive-Fp", "chi-square"}
            Hotelling's T-squared with estimated degrees of freedom; or F with S - 1 or S - p of them for S clusters
            and p coefficients; or chi-square, which is for many clusters.
        """
        return self._test(*self._all_moderators(), test)

    def test_term(self, term: str, *, test: JointTestMethod | str = "HTZ") -> RobustTest:
        """Test all coefficients of one term of the formula, such as the levels of a categorical moderator."""
        if self.design is None:
            raise InputError("a pooled effect has no terms; omnibus() tests the mean")
        label, weights = of_term(self.design, term)
        return self._test(weights, label, test)

    def test_hypothesis(self, hypothesis: Hypothesis, *, test: JointTestMethod | str = "HTZ") -> RobustTest:
        """Test any linear combinations of coefficients to be 0.

        Parameters
        ----------
        hypothesis : mapping, sequence of mappings, or array_like of shape (p,) or (m, p)
            Weights of the coefficients, by their names or in their order: ``{"rater[client]": 1,
            "rater[observer]": -1}``.
        test : {"HTZ", "naive-F", "naive-Fp", "chi-square"}
            As in `omnibus`.

        Returns
        -------
        RobustTest

        References
        ----------
        Tipton, E., & Pustejovsky, J. E. (2015). Journal of Educational and Behavioral Statistics, 40, 604-634.
        """
        return self._test(*_regression_intervals.combinations(hypothesis, self.names), test)

    def wild_bootstrap(
        self,
        hypothesis: Hypothesis | None = None,
        *,
        n: int = 10_000,
        weights: BootstrapWeights | str = "rademacher",
        seed: int = 1,
        workers: int | None = None,
    ) -> RobustTest:
        """Test by the cluster wild bootstrap, with the hypothesis imposed and the weights of the fit kept.

        Parameters
        ----------
        hypothesis : mapping, sequence of mappings, or array_like, optional
            As in `test_hypothesis`; all moderators without it, or the mean where there are none.
        n : int
            Replicates, the effects as they are among them; all distinct ones, each once, where they are at most n.
        weights : {"rademacher", "webb"}
            What a cluster's residuals are multiplied by: a random sign, or one of Webb's six values, which give more
            distinct replicates with few clusters.
        seed : int
        workers : int, optional
            Threads; all processors without it. The numbers do not depend on it.

        Returns
        -------
        RobustTest

        References
        ----------
        Cameron, A. C., Gelbach, J. B., & Miller, D. L. (2008). Review of Economics and Statistics, 90, 414-427.
        Joshi, M., Pustejovsky, J. E., & Beretvas, S. N. (2022). Research Synthesis Methods, 13, 457-477.

        Examples
        --------
        >>> import alliance_meta as am
        >>> from alliance_meta.robustness import robust
        >>> effects = am.effect_sizes(am.datasets.load("farber_doolin2011_effects"))
        >>> found = robust(am.pool(effects, dependent="allow"))
        >>> print(found.omnibus().text, "but", found.wild_bootstrap(n=2**15).text)
        F(1, 1.9) = 24.05, p = .043 but bootstrap p = .177
        """
        threads = available_workers() if workers is None else workers
        for what, value, least in (("n", n, _LEAST_REPLICATES), ("seed", seed, 0), ("workers", threads, 1)):
            if value < least:
                raise InputError(f"{what} must be {least} or more, not {value}")
        kind = _checks.known_name("bootstrap weights", weights, tuple(kernel.BOOTSTRAP_WEIGHTS))
        combined, text = (
            self._all_moderators() if hypothesis is None else _regression_intervals.combinations(hypothesis, self.names)
        )
        gap = combined @ (self.coefficients - self.null)
        found = kernel.wild_bootstrap(self._sandwich, combined, gap, n=n, weights=kind, seed=seed, workers=threads)
        how = f"{'all' if found.exact else 'random'} {found.replicates:,} replicates, {kind} weights"
        return RobustTest(
            hypothesis=text,
            method="wild bootstrap",
            statistic=found.statistic,
            df1=len(combined),
            df2=np.nan,
            p_value=found.p_value,
            note=self._too_few(combined) if np.isnan(found.p_value) else how,
        )

    def _all_moderators(self) -> tuple[FloatArray, str]:
        tested = [i for i, name in enumerate(self.names) if name not in ("intercept", "overall")] or [0]
        what = {"intercept": "the intercept", "overall": "the mean"}.get(self.names[tested[0]], "all moderators")
        return np.eye(len(self.names))[tested], what

    def _test(self, weights: FloatArray, hypothesis: str, test: str) -> RobustTest:
        method = _checks.known_name("joint test", test, tuple(kernel.JOINT_TESTS))
        found = kernel.joint_test(self._sandwich, weights, weights @ (self.coefficients - self.null), method=method)
        return RobustTest(
            hypothesis=hypothesis,
            method=method,
            statistic=found.statistic,
            df1=len(weights),
            df2=found.df2,
            p_value=found.p_value,
            note=self._too_few(weights) if np.isnan(found.p_value) else "",
        )

    def _too_few(self, weights: FloatArray) -> str:
        return f"{self.clusters} clusters are too few to test {len(weights)} coefficients together"

    # Views

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """One tidy row a coefficient: term, estimate, std_error, statistic, df, p_value, ci_low, ci_high."""
        frame = self._numbers(np.eye(len(self.names)), level)
        frame.insert(0, "term", list(self.names))
        return frame

    def combinations(self, hypothesis: Hypothesis, level: float = 0.95) -> pd.DataFrame:
        """Estimates of linear combinations of coefficients, each with its own degrees of freedom.

        Parameters
        ----------
        hypothesis : mapping, sequence of mappings, or array_like of shape (p,) or (m, p)
            Weights, as in `test_hypothesis`: ``{"intercept": 1, "rater[client]": 1}`` is a mean of clients' ratings.
        level : float

        Returns
        -------
        DataFrame
            combination, estimate, std_error, statistic, df, p_value, ci_low, ci_high.
        """
        weights, text = _regression_intervals.combinations(hypothesis, self.names)
        frame = self._numbers(weights, level)
        frame.insert(0, "combination", text.removesuffix(" = 0").split("; "))
        return frame

    def _numbers(self, weights: FloatArray, level: float) -> pd.DataFrame:
        se = np.sqrt(np.diagonal(kernel.contrast_covariance(self._sandwich, weights)))
        df = kernel.satterthwaite_df(self._sandwich, weights)
        return tidy(
            weights @ self.coefficients,
            se,
            df,
            _checks.level(level),
            null=weights @ np.full(len(self.names), self.null),
        )

    def to_apa(self, level: float = 0.95) -> str:
        """A sentence fit for a paper, in APA style."""
        return _robust_words.apa_sentence(self, level)

    def to_r(self) -> str:
        """R code that repeats this fit with metafor and clubSandwich, data included."""
        return _robust_words.r_code(self)

    def __repr__(self) -> str:
        caveat = f"; {self.effects.caveat}" if self.effects.caveat else ""
        how = f"{self.clusters} clusters, {self.adjustment}"
        if len(self.names) == 1:
            row = self.to_frame().iloc[0]
            interval = f"[{number(row['ci_low'], 3)}, {number(row['ci_high'], 3)}]"
            what = f"{self.names[0]} = {number(row['estimate'], 3)}, 95% CI {interval}, p {p_value(row['p_value'])}"
        else:
            what = self.omnibus().text
        return f"<RobustFit: {what}, k = {self.k} ({how}){caveat}>"

    def __str__(self) -> str:
        return _robust_words.summary_table(self).to_text()

    def _repr_html_(self) -> str:
        return _robust_words.summary_table(self).to_html()

    def to_markdown(self) -> str:
        """The summary as a Markdown table."""
        return _robust_words.summary_table(self).to_markdown()
