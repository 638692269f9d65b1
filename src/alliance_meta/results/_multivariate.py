"""`Multivariate`: several outcomes of a study, whose true effects go together."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isinf

import numpy as np
import pandas as pd

from alliance_meta import _checks
from alliance_meta._tables import number
from alliance_meta.design import Design
from alliance_meta.effects import EffectSizes
from alliance_meta.results import _margins, _multivariate_words
from alliance_meta.results._tidy import tidy
from alliance_meta.results._vocabulary import Adjustment, GridWeights, LikelihoodMethod, MultilevelTest
from alliance_meta.results._wald import WaldTest, of_moderators, of_term, wald_test
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.multilevel import _multivariate as kernel
from alliance_meta.stats.multilevel._structures import StructureName as Structure

__all__ = ["STRUCTURES", "Multivariate", "MultivariateSettings", "Structure"]

STRUCTURES = _multivariate_words.STRUCTURES


@dataclass(frozen=True, slots=True, kw_only=True)
class MultivariateSettings:
    """Every option a model of several outcomes was computed with.

    Attributes
    ----------
    formula : str
    outcome, study : str
        Columns.
    structure : str
        Of the true effects' covariance.
    correlation : str
        Of the sampling errors within studies, in words; empty where they are independent.
    tau2_method, test : str
    """

    formula: str
    outcome: str
    study: str
    structure: Structure
    correlation: str
    tau2_method: LikelihoodMethod
    test: MultilevelTest


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Multivariate:
    """A model of several outcomes of a study. All numbers are on the analysed scale (z for ``ZCOR``).

    Attributes
    ----------
    coefficients : ndarray, shape (p,)
        Read-only, in the order of `names`.
    covariance : ndarray, shape (p, p)
    dfs : ndarray, shape (p,)
        Degrees of freedom of the coefficients' tests.
    between : ndarray, shape (q, q)
        Covariance of the true effects of a study's outcomes, in the order of `outcomes`.
    outcomes : tuple of str
    effects_of : tuple of int
        Number of effects of each outcome.
    studies_of : tuple of tuple of int
        Number of studies that have both of two outcomes; on the diagonal, that have one.
    studies : int
    q_residual, q_residual_df, q_residual_p_value : float
        Cochran's Q of the residuals, with the sampling errors' correlations.
    log_likelihood : float
        Restricted for REML, else the full one, with all constants.
    k : int
        Number of effects.
    n : float
        Total sample size, NaN where the table does not say; studies count once for every effect.
    effects : EffectSizes
    design : Design
    settings : MultivariateSettings
    notes : tuple of str
    """

    coefficients: FloatArray
    covariance: FloatArray
    dfs: FloatArray
    between: FloatArray
    outcomes: tuple[str, ...]
    effects_of: tuple[int, ...]
    studies_of: tuple[tuple[int, ...], ...]
    studies: int
    q_residual: float
    q_residual_df: float
    q_residual_p_value: float
    log_likelihood: float
    k: int
    n: float
    effects: EffectSizes
    design: Design
    settings: MultivariateSettings
    notes: tuple[str, ...]
    _problem: kernel.MultivariateProblem = field(repr=False)
    _fit: kernel.MultivariateFit = field(repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The coefficients' names."""
        return self.design.names

    @property
    def df(self) -> float:
        """The smallest degrees of freedom of the coefficients: those of means, contrasts and joint tests."""
        return float(self.dfs.min())

    @property
    def tau2(self) -> FloatArray:
        """The variance of true effects of each outcome, shape (q,)."""
        return np.array(np.diagonal(self.between))

    @property
    def correlations(self) -> FloatArray:
        """Correlations of the true effects of a study's outcomes, (q, q); NaN where an outcome does not vary."""
        sd = np.sqrt(self.tau2)
        with np.errstate(invalid="ignore", divide="ignore"):
            found: FloatArray = np.clip(self.between / np.outer(sd, sd), -1.0, 1.0)
        found[np.diag_indices(len(sd))] = 1.0
        return found

    @property
    def std_errors(self) -> FloatArray:
        """Standard errors of the coefficients."""
        return np.sqrt(np.diagonal(self.covariance))

    def coefficient(self, name: str) -> float:
        """One coefficient by its name."""
        return float(self.coefficients[self.names.index(_checks.known_name("coefficient", name, self.names))])

    # Tests of coefficients

    def omnibus(self) -> WaldTest:
        """Test that all coefficients but the intercept's are 0: without an intercept, that every outcome's mean is."""
        what = "the intercept" if self.names == ("intercept",) else "all coefficients"
        return self._test(what, of_moderators(self.names))

    def test_term(self, term: str) -> WaldTest:
        """Test all coefficients of one term of the formula."""
        return self._test(*of_term(self.design, term))

    def equal_means(self) -> WaldTest:
        """Test that all outcomes have the same mean, the other moderators held the same."""
        variable = _margins.categorical(self, self.settings.outcome)
        rows = _margins.mean_weights(self, variable, "equal")
        return self._test(f"equal means of {self.settings.outcome}", rows[1:] - rows[0])

    def _test(self, hypothesis: str, weights: FloatArray) -> WaldTest:
        used = (weights != 0.0).any(axis=0)
        return wald_test(hypothesis, weights, self.coefficients, self.covariance, float(self.dfs[used].min()))

    # Outcomes

    def means(
        self, level: float = 0.95, *, weights: GridWeights | str = "equal", display: bool = False
    ) -> pd.DataFrame:
        """Mean effect of each outcome, with intervals of the mean and for a new study.

        Parameters
        ----------
        level : float
            Coverage, between 0 and 1.
        weights : {"equal", "proportional"}
            Over the levels of the other moderators.
        display : bool
            On the scale shown to people.

        Returns
        -------
        DataFrame
            One row an outcome: its name, k, estimate, std_error, ci_low, ci_high, pi_low, pi_high.
        """
        return _margins.means(self, self.settings.outcome, _checks.level(level), weights, display, method="metafor")

    def contrasts(
        self, level: float = 0.95, *, adjust: Adjustment | str = "holm", weights: GridWeights | str = "equal"
    ) -> pd.DataFrame:
        """All pairwise differences of the outcomes' means, as `MetaRegression.contrasts`."""
        return _margins.contrasts(self, self.settings.outcome, _checks.level(level), adjust, weights)

    # Views

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """One tidy row a coefficient: term, estimate, std_error, statistic, df, p_value, ci_low, ci_high."""
        frame = tidy(self.coefficients, self.std_errors, self.dfs, _checks.level(level))
        frame.insert(0, "term", list(self.names))
        return frame

    def outcomes_frame(self) -> pd.DataFrame:
        """One row an outcome: outcome, effects, studies, tau2, tau."""
        return pd.DataFrame(
            {
                "outcome": list(self.outcomes),
                "effects": list(self.effects_of),
                "studies": [row[i] for i, row in enumerate(self.studies_of)],
                "tau2": self.tau2,
                "tau": np.sqrt(self.tau2),
            }
        )

    def correlations_frame(self) -> pd.DataFrame:
        """One row a pair of outcomes: first, second, studies that have both, covariance and correlation between."""
        rho = self.correlations
        pairs = [(i, j) for i in range(len(self.outcomes)) for j in range(i + 1, len(self.outcomes))]
        rows = [
            (self.outcomes[i], self.outcomes[j], self.studies_of[i][j], float(self.between[i, j]), float(rho[i, j]))
            for i, j in pairs
        ]
        return pd.DataFrame(rows, columns=["first", "second", "studies", "covariance", "correlation"])

    def to_apa(self) -> str:
        """A sentence fit for a paper, in APA style."""
        return _multivariate_words.apa_sentence(self)

    def to_r(self) -> str:
        """R code that repeats this fit with metafor's `rma.mv`, data and design included."""
        return _multivariate_words.r_code(self)

    def __repr__(self) -> str:
        caveat = f"; {self.effects.caveat}" if self.effects.caveat else ""
        parts = ", ".join(
            f"tau2({name}) = {number(float(own), 4)}" for name, own in zip(self.outcomes, self.tau2, strict=True)
        )
        first = self.to_frame().iloc[0]
        statistic = "z" if isinf(float(first["df"])) else "t"
        return (
            f"<Multivariate {self.settings.formula!r}: {first['term']} = {number(float(first['estimate']), 3)} "
            f"({statistic} = {number(float(first['statistic']), 2)}), {parts}; "
            f"{_multivariate_words.counted(self)}{caveat}>"
        )

    def __str__(self) -> str:
        return _multivariate_words.summary_table(self).to_text()

    def _repr_html_(self) -> str:
        return _multivariate_words.summary_table(self).to_html()

    def to_markdown(self) -> str:
        """The summary as a Markdown table."""
        return _multivariate_words.summary_table(self).to_markdown()
