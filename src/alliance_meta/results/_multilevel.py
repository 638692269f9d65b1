"""`Multilevel`: effects in studies, and studies in larger groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isinf

import numpy as np
import pandas as pd
from scipy import special

from alliance_meta import _checks
from alliance_meta._tables import number
from alliance_meta.design import Design
from alliance_meta.effects import EffectSizes
from alliance_meta.errors import InputError
from alliance_meta.results import _explained_multilevel, _margins, _multilevel_words
from alliance_meta.results._explanation import Explanation
from alliance_meta.results._interval import DisplayScale, Interval
from alliance_meta.results._tidy import tidy
from alliance_meta.results._vocabulary import (
    Adjustment,
    GridWeights,
    LikelihoodMethod,
    MultilevelTest,
    RegressionPrediction,
)
from alliance_meta.results._wald import WaldTest, of_moderators, of_term, wald_test
from alliance_meta.stats import multilevel as kernel
from alliance_meta.stats._arrays import BoolArray, FloatArray
from alliance_meta.stats.inference import critical_value

__all__ = ["Multilevel", "MultilevelSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MultilevelSettings:
    """Every option a multilevel model was computed with.

    Attributes
    ----------
    formula : str
    levels : tuple of str
        Columns that name the groups, the innermost first.
    crossed : tuple of str
        Columns of crossed factors.
    correlation : str
        Of the sampling errors within the innermost groups, in words; empty where they are independent.
    tau2_method, test : str
    """

    formula: str
    levels: tuple[str, ...]
    correlation: str
    tau2_method: LikelihoodMethod
    test: MultilevelTest
    crossed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Multilevel:
    """A multilevel model of effects in groups. All numbers are on the analysed scale (z for ``ZCOR``).

    Attributes
    ----------
    coefficients : ndarray, shape (p,)
        Read-only, in the order of `names`.
    covariance : ndarray, shape (p, p)
    dfs : ndarray, shape (p,)
        Degrees of freedom of the coefficients' tests.
    components : ndarray, shape (L,)
        Variances between effects of the same group, then between groups, the innermost level first, as `levels` names
        them; 0 where a level cannot be told from another.
    levels : tuple of str
        ``"effect"``, the columns of the groups, and those of crossed factors.
    groups : tuple of int
        Number of effects, then of groups of each level.
    i2 : ndarray, shape (L,)
        Share of the variance of an effect that is due to each level (percent).
    q_residual, q_residual_df, q_residual_p_value : float
        Cochran's Q of the residuals, as if effects were independent where `correlation` is not given.
    log_likelihood : float
        Restricted for REML, else the full one, with all constants.
    k : int
        Number of effects.
    n : float
        Total sample size, NaN where the table does not say; studies count once for every effect.
    effects : EffectSizes
    design : Design
    settings : MultilevelSettings
    notes : tuple of str
    """

    coefficients: FloatArray
    covariance: FloatArray
    dfs: FloatArray
    components: FloatArray
    levels: tuple[str, ...]
    groups: tuple[int, ...]
    i2: FloatArray
    q_residual: float
    q_residual_df: float
    q_residual_p_value: float
    log_likelihood: float
    k: int
    n: float
    effects: EffectSizes
    design: Design
    settings: MultilevelSettings
    notes: tuple[str, ...]
    _problem: kernel.Problem = field(repr=False)
    _fit: kernel.MultilevelFit = field(repr=False)
    _fixed: BoolArray = field(repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The coefficients' names."""
        return self.design.names

    @property
    def df(self) -> float:
        """The smallest degrees of freedom of the coefficients: those of predictions, means and joint tests."""
        return float(self.dfs.min())

    @property
    def tau2(self) -> float:
        """The variance of true effects in all: the sum of the components."""
        return float(self.components.sum())

    @property
    def correlation(self) -> FloatArray | None:
        """Correlations of sampling errors within studies: one number, (k,) or (k, k); None for independent errors."""
        return self._problem.correlation

    @property
    def estimate(self) -> float:
        """The pooled effect, of a model without moderators."""
        return self.coefficient("intercept")

    @property
    def std_errors(self) -> FloatArray:
        """Standard errors of the coefficients."""
        return np.sqrt(np.diagonal(self.covariance))

    def coefficient(self, name: str) -> float:
        """One coefficient by its name."""
        return float(self.coefficients[self.names.index(_checks.known_name("coefficient", name, self.names))])

    def refuse_crossed(self, caller: str) -> None:
        """Refuse, for a function that needs independent groups, a model with crossed factors."""
        if self.settings.crossed:
            raise InputError(
                f"{caller} needs groups that are independent; with {_checks.listed(self.settings.crossed)} crossed, "
                "effects of different groups go together. Fit multilevel() without crossed"
            )

    # Levels

    def component_interval(self, level_of: str, level: float = 0.95) -> Interval:
        """Interval of a level's variance component by the profile likelihood.

        Parameters
        ----------
        level_of : str
            A name in `levels`.
        level : float
            Coverage, between 0 and 1.

        Returns
        -------
        Interval
            NaN where the level cannot be told from another.
        """
        which = self.levels.index(_checks.known_name("level", level_of, self.levels))
        level = _checks.level(level)
        if self._fixed[which]:
            note = f"{level_of!r} cannot be told from another level here"
            return Interval(low=np.nan, high=np.nan, level=level, kind="tau2", note=note)
        low, high = kernel.component_interval(
            self._problem, self._fit, which, level, restricted=self.settings.tau2_method == "REML", fixed=self._fixed
        )
        return Interval(low=low, high=high, level=level, kind="tau2")

    def level_tests(self) -> pd.DataFrame:
        """Test each level by the likelihood ratio against the model without its variance.

        Returns
        -------
        DataFrame
            One row a level that is estimated: level, component, statistic, p_value. A variance of 0 lies at the edge,
            so the p value is half that of chi-square(1) (Self & Liang 1987).
        """
        rows = []
        for which, name in enumerate(self.levels):
            if self._fixed[which]:
                continue
            without = self._fixed.copy()
            without[which] = True
            smaller = kernel.multilevel(self._problem, restricted=self.settings.tau2_method == "REML", fixed=without)
            statistic = max(2.0 * (self.log_likelihood - smaller.log_likelihood), 0.0)
            p = 0.5 * float(special.chdtrc(1.0, statistic)) if statistic > 0.0 else 1.0
            rows.append({"level": name, "component": self.components[which], "statistic": statistic, "p_value": p})
        return pd.DataFrame(rows)

    # Tests of coefficients

    def omnibus(self) -> WaldTest:
        """Test all moderators at once: every coefficient but the intercept's."""
        what = "the intercept" if self.names == ("intercept",) else "all moderators"
        return self._test(what, of_moderators(self.names))

    def test_term(self, term: str) -> WaldTest:
        """Test all coefficients of one term of the formula."""
        return self._test(*of_term(self.design, term))

    def _test(self, hypothesis: str, weights: FloatArray) -> WaldTest:
        used = (weights != 0.0).any(axis=0)
        return wald_test(hypothesis, weights, self.coefficients, self.covariance, float(self.dfs[used].min()))

    # Predictions

    def confidence_interval(self, level: float = 0.95) -> Interval:
        """Interval of the pooled effect, of a model without moderators."""
        at = self.names.index(_checks.known_name("coefficient", "intercept", self.names))
        half = float(critical_value(_checks.level(level), self.dfs[at]) * self.std_errors[at])
        return Interval(low=self.estimate - half, high=self.estimate + half, level=level, kind="confidence")

    def on_display_scale(self, level: float = 0.95) -> DisplayScale:
        """The pooled effect of a model without moderators, and its intervals, on the scale shown to people.

        The prediction interval is for a new effect in a new study.
        """
        if self.names != ("intercept",):
            raise InputError(
                f"{self.settings.formula!r} has moderators: predict(frame, display=True) gives means at their values"
            )
        row = _margins.intervals(self, np.ones((1, 1)), _checks.level(level), method="metafor", display=True).iloc[0]
        names = ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")
        scale = self.effects.measure.display_scale
        return DisplayScale(scale=scale, level=level, **{name: float(row[name]) for name in names})

    def predict(
        self,
        frame: pd.DataFrame | None = None,
        level: float = 0.95,
        *,
        method: RegressionPrediction | str = "metafor",
        display: bool = False,
    ) -> pd.DataFrame:
        """Mean effects at given moderators, with intervals of the mean and for a new effect in a new study.

        Parameters and result as for `MetaRegression.predict`; here the degrees of freedom of the prediction interval
        are those of the test unless asked otherwise.
        """
        table = self.effects.table[[v.column for v in self.design.variables]] if frame is None else frame
        matrix = self.design.matrix if frame is None else self.design.matrix_for(frame)
        numbers = _margins.intervals(self, matrix, _checks.level(level), method=method, display=display)
        return pd.concat([table, numbers.set_axis(table.index)], axis=1)

    def means(
        self, term: str, level: float = 0.95, *, weights: GridWeights | str = "equal", display: bool = False
    ) -> pd.DataFrame:
        """Marginal means of a categorical moderator's levels, as `MetaRegression.means`."""
        return _margins.means(self, term, _checks.level(level), weights, display, method="metafor")

    def contrasts(
        self,
        term: str,
        level: float = 0.95,
        *,
        adjust: Adjustment | str = "holm",
        weights: GridWeights | str = "equal",
    ) -> pd.DataFrame:
        """All pairwise differences of marginal means, as `MetaRegression.contrasts`."""
        return _margins.contrasts(self, term, _checks.level(level), adjust, weights)

    def slopes(self, variable: str, level: float = 0.95, *, by: str | None = None) -> pd.DataFrame:
        """Change of the mean effect with a numeric moderator, as `MetaRegression.slopes`."""
        return _margins.slopes(self, variable, _checks.level(level), by)

    # Views

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """One tidy row a coefficient: term, estimate, std_error, statistic, df, p_value, ci_low, ci_high."""
        frame = tidy(self.coefficients, self.std_errors, self.dfs, _checks.level(level))
        frame.insert(0, "term", list(self.names))
        return frame

    def levels_frame(self, level: float = 0.95) -> pd.DataFrame:
        """One row a level: level, groups, component, ci_low, ci_high (profile likelihood), i2."""
        intervals = [self.component_interval(name, level) for name in self.levels]
        return pd.DataFrame(
            {
                "level": list(self.levels),
                "groups": list(self.groups),
                "component": self.components,
                "ci_low": [interval.low for interval in intervals],
                "ci_high": [interval.high for interval in intervals],
                "i2": self.i2,
            }
        )

    def explain(self, study: str | None = None, level: float = 0.95) -> Explanation:
        """The computation of the mean of a model without moderators, step by step, with these studies' numbers.

        Parameters
        ----------
        study : str, optional
            The label, study or effect id of the effect that is followed from what the study reports; without it the
            first of a study with several.
        level : float
            Of the intervals, between 0 and 1.

        Returns
        -------
        Explanation
            Printing it gives text; a notebook shows formulas; `to_latex()` is for a handout.
        """
        return _explained_multilevel.explain_multilevel(self, study, _checks.level(level))

    def to_apa(self) -> str:
        """A sentence fit for a paper, in APA style."""
        return _multilevel_words.apa_sentence(self)

    def to_r(self) -> str:
        """R code that repeats this fit with metafor's `rma.mv`, data and design included."""
        return _multilevel_words.r_code(self)

    def __repr__(self) -> str:
        caveat = f"; {self.effects.caveat}" if self.effects.caveat else ""
        parts = ", ".join(
            f"tau2({name}) = {number(float(c), 4)}" for name, c in zip(self.levels, self.components, strict=True)
        )
        first = self.to_frame().iloc[0]
        statistic = "z" if isinf(float(first["df"])) else "t"
        return (
            f"<Multilevel {self.settings.formula!r}: {first['term']} = {number(float(first['estimate']), 3)} "
            f"({statistic} = {number(float(first['statistic']), 2)}), {parts}; "
            f"{_multilevel_words.counted(self)}{caveat}>"
        )

    def __str__(self) -> str:
        return _multilevel_words.summary_table(self).to_text()

    def _repr_html_(self) -> str:
        return _multilevel_words.summary_table(self).to_html()

    def to_markdown(self) -> str:
        """The summary as a Markdown table."""
        return _multilevel_words.summary_table(self).to_markdown()
