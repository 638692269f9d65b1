"""`VoteCount`: the mean effect behind verdicts of significance."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, isfinite, isinf, isnan, nan, sqrt, tanh
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from alliance_meta import _checks
from alliance_meta._answer import Answer
from alliance_meta._tables import SummaryTable, apa, number, p_value, small
from alliance_meta.results._interval import Interval
from alliance_meta.stats import vote_count as kernel
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.inference import critical_value, two_sided_p_value

__all__ = [
    "VERDICTS",
    "VOTE_ALTERNATIVES",
    "VOTE_INTERVALS",
    "VOTE_TAU2_METHODS",
    "Verdict",
    "VoteAlternative",
    "VoteCount",
    "VoteInterval",
    "VoteSettings",
    "VoteTau2Method",
]

Verdict = Literal["significant", "not significant", "significant negative", "value", "other"]
VoteAlternative = Literal["two-sided", "greater"]
VoteTau2Method = Literal["ML", "EE"]
VoteInterval = Literal["profile", "robust"]

VERDICTS: dict[Verdict, str] = {
    "significant": "significant in the expected direction",
    "not significant": "not significant",
    "significant negative": "significant in the other direction",
    "value": "a printed number",
    "other": "neither a verdict nor a number",
}
VOTE_ALTERNATIVES: dict[VoteAlternative, str] = {
    "two-sided": "two-sided tests",
    "greater": "one-sided tests of a positive effect",
}
VOTE_TAU2_METHODS: dict[VoteTau2Method, str] = {
    "ML": "maximum likelihood",
    "EE": "the assumption of equal effects (tau² = 0)",
}
VOTE_INTERVALS: dict[VoteInterval, str] = {
    "profile": "the profile likelihood, rows independent",
    "robust": "cluster-robust standard error, t distribution with m - 1 degrees of freedom for m samples",
}
_ASSUMED = (
    "Assumed: every verdict is of a {tails} test at {alpha} on all n people (a correlation, or an effect as precise as "
    "one), and which effects are mentioned does not depend on how they came out. Where results that failed are passed "
    "over, the estimate is too high; where adjusted effects are among them, it is not that of plain correlations."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteSettings:
    """Every option a vote count was computed with.

    Attributes
    ----------
    alpha : float
        Level of the tests that the verdicts are of.
    alternative : {"two-sided", "greater"}
    tau2_method : {"ML", "EE"}
    """

    alpha: float
    alternative: VoteAlternative
    tau2_method: VoteTau2Method


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class VoteCount(Answer):
    """Mean and spread of true effects behind verdicts and printed numbers. All numbers are on Fisher's z.

    Attributes
    ----------
    estimate : float
        Mean effect; infinite where all verdicts are "significant" one way, NaN where none can be told.
    std_error : float
        From the observed information, with rows as independent; NaN where the estimate is not finite.
    robust_std_error : float
        With rows of one sample as dependent (sandwich by sample); NaN without samples.
    clusters : int
        Number of samples; 0 where they are not known.
    tau2 : float
        Variance of true effects; 0 by assumption for ``tau2_method="EE"``.
    tau2_std_error : float
        NaN where tau2 is 0 or not finite.
    log_likelihood : float
        At its maximum, or the bound it approaches.
    statistic, p_value : float
        Likelihood-ratio test of a mean of 0: chi-square with `df` 1.
    df : float
    k : int
        Number of rows used.
    settings : VoteSettings
    cautions : tuple of str
        The method's conditions that fail on these rows, a sentence each; empty where all hold.
    notes : tuple of str
        Rows left out, what hit a bound, what was used where a row says two things.
    caveat : str
        A sentence every view must carry (simulated data say so here), else empty.
    """

    estimate: float
    std_error: float
    robust_std_error: float
    clusters: int
    tau2: float
    tau2_std_error: float
    log_likelihood: float
    statistic: float
    p_value: float
    k: int
    settings: VoteSettings
    caveat: str = ""
    df: float = 1.0
    _rows: pd.DataFrame = field(repr=False)
    _data: kernel.Reports = field(repr=False)
    _found: kernel.VoteFit = field(repr=False)

    @property
    def rows(self) -> pd.DataFrame:
        """Every row that was given, as it was understood.

        Returns
        -------
        DataFrame
            In the order and with the index of the table: row (its name), verdict, n, r (where printed and used),
            critical_r (from which a correlation of n people is significant), sample (where known), counted_as (its
            verdict, or ``"value"``; empty where left out) and left_out (why; else empty).
        """
        return self._rows.copy()

    @property
    def counts(self) -> dict[Verdict, int]:
        """Number of rows used of each kind."""
        counted = self._rows["counted_as"].value_counts()
        return {kind: int(counted.get(kind, 0)) for kind in VERDICTS if kind != "other"}

    @property
    def left_out(self) -> dict[str, int]:
        """Number of rows left out for each reason."""
        why = self._rows["left_out"]
        return {str(reason): int(count) for reason, count in why[why != ""].value_counts().items()}

    def confidence_interval(self, level: float = 0.95, *, method: VoteInterval = "profile") -> Interval:
        """Interval of the mean.

        Parameters
        ----------
        level : float
        method : {"profile", "robust"}
            By the profile likelihood, which takes rows as independent, or by `robust_std_error` and t with
            ``clusters - 1`` degrees of freedom.
        """
        _checks.level(level)
        if _checks.known_name("method", method, tuple(VOTE_INTERVALS)) == "robust":
            note = "" if isfinite(self.robust_std_error) else "samples are not known, or the mean is not finite"
            half = float(critical_value(level, max(self.clusters - 1, 0))) * self.robust_std_error
            return Interval(
                low=self.estimate - half if not note else nan,
                high=self.estimate + half if not note else nan,
                level=level,
                kind="confidence",
                note=note,
            )
        low, high = kernel.mean_interval(
            self._data, self._found, _drop(level), equal_effects=self.settings.tau2_method == "EE"
        )
        return Interval(low=low, high=high, level=level, kind="confidence")

    def tau2_interval(self, level: float = 0.95) -> Interval:
        """Interval of tau2 by the profile likelihood; from the lowest to the highest value that is not rejected."""
        _checks.level(level)
        if self.settings.tau2_method == "EE":
            return Interval(low=nan, high=nan, level=level, kind="tau2", note="tau² is 0 by assumption")
        low, high = kernel.tau2_interval(self._data, self._found, _drop(level))
        return Interval(low=low, high=high, level=level, kind="tau2")

    def share_significant(self, n: npt.ArrayLike) -> FloatArray:
        """Share of studies of n people that the fit expects to be significant in the expected direction."""
        return kernel.share_significant(
            self.estimate, self.tau2, n, self.settings.alpha, two_sided=self.settings.alternative == "two-sided"
        )

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """The numbers as a tidy table, on Fisher's z.

        Returns
        -------
        DataFrame
            One row each for the mean by its likelihood, the mean with its cluster-robust standard error (where samples
            are known) and tau2: term, method, estimate, std_error, statistic, df, p_value, ci_low, ci_high. The
            statistics are chi-square (likelihood ratio; for tau2 the p value is halved) and t.
        """
        ci, tau2 = self.confidence_interval(level), self.tau2_interval(level)
        tests = (self.statistic, self.df, self.p_value)
        lines = [("mean", "likelihood", self.estimate, self.std_error, *tests, ci.low, ci.high)]
        if self.clusters:
            wald, df = self.confidence_interval(level, method="robust"), float(self.clusters - 1)
            t = self.estimate / self.robust_std_error if isfinite(self.robust_std_error) else nan
            p = float(two_sided_p_value(t, df))
            lines.append(("mean", "robust", self.estimate, self.robust_std_error, t, df, p, wald.low, wald.high))
        if self.settings.tau2_method != "EE":
            ratio = nan if isnan(self.tau2) else kernel.tau2_test(self._data, self._found)
            p = 0.5 * float(special.chdtrc(1.0, ratio)) if ratio > 0.0 else 1.0 if ratio == 0.0 else nan
            lines.append(("tau2", "likelihood", self.tau2, self.tau2_std_error, ratio, 1.0, p, tau2.low, tau2.high))
        columns = ["term", "method", "estimate", "std_error", "statistic", "df", "p_value", "ci_low", "ci_high"]
        return pd.DataFrame(lines, columns=columns)

    @property
    def headline(self) -> str:
        """The result in a few words and numbers."""
        shown = f"r = {_r(self.estimate)}, 95% CI {_r_interval(self.confidence_interval())}"
        return f"{shown} from {_kinds(self.counts)}"

    @property
    def sentence(self) -> str:
        """What was found, and what it can and cannot show."""
        tails = "two-sided" if self.settings.alternative == "two-sided" else "one-sided"
        assumed = _ASSUMED.format(tails=tails, alpha=apa(self.settings.alpha, 3, bounded=True).rstrip("0"))
        rows = f"{self.k} {'row' if self.k == 1 else 'rows'} ({_kinds(self.counts)})"
        if not isfinite(self.estimate):
            known = (
                "" if isnan(self.estimate) else f"; its 95% interval is r = {_r_interval(self.confidence_interval())}"
            )
            return f"From {rows} no mean effect can be computed{known}. {assumed}"
        spread = ""
        if self.settings.tau2_method != "EE":
            tau = apa(sqrt(self.tau2), 2, bounded=True)
            spread = f", with true effects that differ by a standard deviation of {tau} on Fisher's z"
        return (
            f"{rows} are most likely if the mean correlation is r = {_r(self.estimate)}, 95% CI "
            f"{_r_interval(self.confidence_interval())}{spread}. {assumed}"
        )

    def summary(self) -> SummaryTable:
        """The table that printing shows."""
        ci = self.confidence_interval()
        rows = [
            ("Mean correlation r", _r(self.estimate, 3), f"95% CI {_r_interval(ci, 3)}"),
            ("  Fisher's z", number(self.estimate), f"95% CI [{number(ci.low)}, {number(ci.high)}]"),
        ]
        if self.clusters:
            robust = _r_interval(self.confidence_interval(method="robust"), 3)
            rows.append((f"  rows of {self.clusters} samples as dependent", "", f"95% CI {robust}"))
        rows.append(("  test of no effect", f"χ²(1) = {number(self.statistic, 2)}", f"p {p_value(self.p_value)}"))
        rows += self._spread_rows()
        rows.append(("Rows used", str(self.k), _kinds(self.counts)))
        reasons = [f"{count} {reason}" for reason, count in self.left_out.items()]
        rows += [("Rows left out", str(sum(self.left_out.values())), "; ".join(reasons))] if reasons else []
        return SummaryTable(
            title="Vote count: the mean effect behind verdicts of significance",
            header=("", "", ""),
            rows=tuple(rows),
            right=frozenset({1}),
            notes=self.remarks,
        )

    def _spread_rows(self) -> list[tuple[str, str, str]]:
        if self.settings.tau2_method == "EE":
            return [("Heterogeneity tau²", "0", "by assumption")]
        low, high = self.tau2_interval()
        rows = [("Heterogeneity tau² (on z)", small(self.tau2), f"95% CI [{small(low)}, {small(high)}]")]
        if isfinite(self.tau2) and isfinite(self.estimate):
            reach = float(critical_value(0.95, inf)) * sqrt(self.tau2)
            ends = Interval(low=self.estimate - reach, high=self.estimate + reach, level=0.95, kind="prediction")
            rows.append(("  95% of true correlations", "", f"{_r_interval(ends, 3)}, if mean and τ² were known"))
        return rows

    @property
    def data_caveat(self) -> str:
        """That of the table of reports."""
        return self.caveat


def _drop(level: float) -> float:
    return 0.5 * float(critical_value(level, np.inf)) ** 2


def _r(z: float, decimals: int = 2) -> str:
    return number(z, 0).replace("∞", "1") if isinf(z) else apa(tanh(z), decimals, bounded=True)


def _r_interval(interval: Interval, decimals: int = 2) -> str:
    return f"[{_r(interval.low, decimals)}, {_r(interval.high, decimals)}]"


def _kinds(counts: dict[Verdict, int]) -> str:
    words: dict[Verdict, str] = {
        "significant": "significant",
        "not significant": "not significant",
        "significant negative": "significant the other way",
        "value": "printed as a number",
    }
    parts = [f"{counts[kind]} {text}" for kind, text in words.items() if counts[kind]]
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
