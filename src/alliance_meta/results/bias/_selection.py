"""`SelectionModel`: effects as they were before publication depended on their p values."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import inf, isnan, nan
from typing import Literal

import numpy as np
import pandas as pd

from alliance_meta import _checks
from alliance_meta._tables import SummaryTable, number, p_cell, p_value, small
from alliance_meta.design import Design
from alliance_meta.results._finding import Finding
from alliance_meta.results._pooled import PooledEffect
from alliance_meta.results._regression import MetaRegression
from alliance_meta.results._tidy import tidy
from alliance_meta.stats._arrays import FloatArray, IntArray
from alliance_meta.stats.selection import profile_intervals

__all__ = ["Alternative", "SelectionModel", "SelectionSettings", "interval_names"]

Alternative = Literal["greater", "less", "two-sided"]

_TAILS: dict[Alternative, str] = {
    "greater": "one-sided, small for effects above 0",
    "less": "one-sided, small for effects below 0",
    "two-sided": "two-sided",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionSettings:
    """Every option a selection model was computed with.

    Attributes
    ----------
    steps : tuple of float
        Cut points of p, rising, without 1.
    alternative : {"greater", "less", "two-sided"}
    weights : str
        ``"estimated"``, ``"given"``, or the name of a published set.
    formula : str
    tau2_method : {"ML", "EE"}
    """

    steps: tuple[float, ...]
    alternative: Alternative
    weights: str
    formula: str
    tau2_method: Literal["ML", "EE"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SelectionModel(Finding):
    """A step-function selection model. All numbers are on the analysed scale (z for ``ZCOR``).

    Attributes
    ----------
    coefficients : ndarray, shape (p,)
        Of the effects before selection, in the order of `names`. Read-only, as are the arrays below.
    tau2 : float
        Their between-study variance.
    weights : ndarray, shape (J + 1,)
        Relative likelihood of publication of each interval of p, the first 1.
    counts : ndarray of int, shape (J + 1,)
        Effects in each.
    covariance : ndarray, shape (n, n)
        Of coefficients, tau2 and weights but the first. NaN for what is given or at its bound of 0, which then counts
        as known.
    log_likelihood, log_likelihood_unadjusted : float
        With and without selection, by maximum likelihood.
    lr_statistic, lr_df, lr_p_value : float
        Likelihood-ratio test that all weights are 1; NaN where they are given.
    converged : bool
        Where not, no finite estimates have the highest likelihood, and all numbers of the model are NaN.
    ridge : bool
        Whether estimates that run away have a likelihood higher than these, which are then only the best nearby.
    unadjusted : PooledEffect or MetaRegression
        The same model without selection, by maximum likelihood, with z tests.
    design : Design
    settings : SelectionSettings
    effects : EffectSizes
    cautions, notes : tuple of str
    """

    coefficients: FloatArray
    tau2: float
    weights: FloatArray
    counts: IntArray
    covariance: FloatArray
    log_likelihood: float
    log_likelihood_unadjusted: float
    lr_statistic: float
    lr_df: int
    lr_p_value: float
    converged: bool
    ridge: bool
    unadjusted: PooledEffect | MetaRegression
    design: Design
    settings: SelectionSettings

    @property
    def names(self) -> tuple[str, ...]:
        """The coefficients' names."""
        return self.design.names

    @property
    def std_errors(self) -> FloatArray:
        """Of coefficients, tau2 and weights but the first, (n,); NaN for what is given or at its bound of 0."""
        return np.asarray(np.sqrt(np.diagonal(self.covariance)))

    @property
    def estimated(self) -> bool:
        """Whether the weights were estimated."""
        return self.settings.weights == "estimated"

    @property
    def headline(self) -> str:
        """The mean with and without selection, and the test of selection."""
        if not self.converged:
            plain = f"unadjusted {_mean(self, adjusted=False)}" if self._mean_alone else self.settings.formula
            return f"no highest likelihood; {plain}"
        test = f"; {self._test}" if self.estimated else f"; weights {self.settings.weights}"
        if not self._mean_alone:
            return f"{self.settings.formula}, k = {self.effects.k}{test}"
        return f"{_mean(self)}, unadjusted {_mean(self, adjusted=False, named=False)}{test}"

    @property
    def sentence(self) -> str:
        """What was found, and what it can and cannot show."""
        if not self.converged:
            return (
                "These effects do not tell selection from a skewed distribution: the likelihood keeps rising while the "
                "mean moves away without end and τ² grows, so the model has no estimates. Fewer steps, "
                "tau2_method='EE' or given weights ask less of the effects."
            )
        what = (
            f"the mean of all studies, published or not, would be {_mean(self)}, against "
            f"{_mean(self, adjusted=False, named=False)} without selection"
            if self._mean_alone
            else "the coefficients of all studies, published or not, would be those of the table"
        )
        if not self.estimated:
            return (
                f"If studies had been published with the relative likelihoods given ({self.settings.weights}), {what}. "
                "This says how much selection of that kind would matter, not whether there was any."
            )
        shown = (
            "no selection by p would seldom lead to effects like these"
            if self.lr_p_value < 0.05
            else "the effects are compatible with no selection by p, which with few effects says little"
        )
        return (
            f"If publication depended on p in these steps and nothing else, {what}; {shown} ({self._test}). "
            "The model takes true effects to be normal, and any other reason for a shortage of some p values, or for "
            "a skewed distribution, looks to it like selection."
        )

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """One row a coefficient, tau2, and one row a weight.

        Parameters
        ----------
        level : float
            Coverage of the intervals.

        Returns
        -------
        DataFrame
            part ("effect", "tau2", "weight"), term, k (effects in the interval of p), estimate, std_error, statistic,
            df, p_value, ci_low, ci_high (Wald, not below 0 for tau2 and weights), profile_low, profile_high (profile
            likelihood). Coefficients are tested against 0 (a mean against the measure's null value), weights against
            1. NaN for what is not estimated. A weight's standard error shrinks with the weight, so that its z test
            claims too much: the profile interval and the likelihood-ratio test do not.
        """
        level, p = _checks.level(level), len(self.names)
        parts = ["effect"] * p + ["tau2"] + ["weight"] * len(self.weights)
        estimate = np.concatenate([self.coefficients, [self.tau2], self.weights])
        std_error = np.insert(self.std_errors, p + 1, nan)
        mean = [self.effects.measure.null] if self._mean_alone else [0.0] * p
        null = np.concatenate([mean, [nan], np.ones(len(self.weights))])
        frame = tidy(estimate, std_error, inf, level, null=null)
        bounded = np.array(parts) != "effect"
        frame.loc[bounded, "ci_low"] = frame.loc[bounded, "ci_low"].clip(lower=0.0)
        low, high = (np.insert(ends, p + 1, nan) for ends in self._profile(level))
        frame.insert(0, "part", parts)
        frame.insert(1, "term", [*self.names, "tau2", *interval_names(self.settings.steps)])
        frame.insert(2, "k", [nan] * (p + 1) + self.counts.tolist())
        return frame.assign(profile_low=low, profile_high=high)

    def _profile(self, level: float) -> tuple[FloatArray, FloatArray]:
        if not self.converged:
            unknown = np.full(len(self.covariance), nan)
            return unknown, unknown
        return profile_intervals(
            self.effects.effect,
            self.effects.variance,
            self.design.matrix,
            level,
            steps=self.settings.steps,
            alternative=self.settings.alternative,
            weights=None if self.estimated else self.weights,
            tau2_method=self.settings.tau2_method,
        )

    def summary(self) -> SummaryTable:
        """The table that printing shows; a mean stands on the scale shown to people."""
        own = self.effects.measure
        scale = own.display_scale if self._mean_alone else own.scale
        return SummaryTable(
            title=f"Selection model of {self.effects.k} effects: steps at p = {_listed(self.settings.steps)}",
            header=("", "k", scale, "std. error", "95% CI", "profile 95% CI", "p"),
            rows=(*_unadjusted_rows(self), *_rows(self)),
            right=frozenset(range(1, 7)),
            notes=(*_tests(self), *self.remarks),
        )

    @property
    def _mean_alone(self) -> bool:
        return self.names == ("intercept",)

    @property
    def _test(self) -> str:
        return f"χ²({self.lr_df}) = {number(self.lr_statistic, 2)}, p {p_value(self.lr_p_value)}"


def interval_names(steps: tuple[float, ...]) -> list[str]:
    """What the intervals of p between the steps are called."""
    ends = [*steps, 1.0]
    return [f"p ≤ {_p(ends[0])}", *(f"{_p(low)} < p ≤ {_p(high)}" for low, high in pairwise(ends))]


def _p(value: float) -> str:
    return f"{value:g}".removeprefix("0") if value < 1.0 else "1"


def _listed(steps: tuple[float, ...]) -> str:
    return ", ".join(_p(step) for step in steps)


def _mean(found: SelectionModel, *, adjusted: bool = True, named: bool = True) -> str:
    """A mean with its Wald interval, on the scale shown to people."""
    own, other = found.effects.measure, found.unadjusted
    if adjusted:
        estimate, error = float(found.coefficients[0]), float(found.std_errors[0])
    else:
        estimate, error = (float(array.ravel()[0]) for array in _of(other))
    row = tidy([estimate], [error], inf, 0.95).iloc[0]
    shown = own.to_display([row["estimate"], row["ci_low"], row["ci_high"]])
    value, low, high = (number(float(each)) for each in shown)
    text = f"{value}, 95% CI [{low}, {high}]"
    return f"{own.display_scale} = {text}" if named else text


def _of(fit: PooledEffect | MetaRegression) -> tuple[FloatArray, FloatArray]:
    """Coefficients and standard errors of the unadjusted model."""
    if isinstance(fit, PooledEffect):
        return np.array([fit.estimate]), np.array([fit.std_error])
    return fit.coefficients, np.asarray(np.sqrt(np.diagonal(fit.covariance)))


def _unadjusted_rows(found: SelectionModel) -> list[tuple[str, ...]]:
    estimate, error = _of(found.unadjusted)
    null = found.effects.measure.null if found._mean_alone else 0.0
    frame = tidy(estimate, error, inf, 0.95, null=null)
    names = ("mean",) if found._mean_alone else found.names
    rows = [
        (f"  {name}", "", *_effect_cells(found, row), "", p_cell(float(row["p_value"])))
        for name, (_, row) in zip(names, frame.iterrows(), strict=True)
    ]
    tau2 = [] if found.settings.tau2_method == "EE" else [("  τ²", "", small(found.unadjusted.tau2), "", "", "", "")]
    return [("Without selection", "", "", "", "", "", ""), *rows, *tau2]


def _effect_cells(found: SelectionModel, row: pd.Series[float]) -> tuple[str, str, str]:
    """Estimate, standard error and Wald interval, a mean's on the scale shown to people."""
    numbers = row[["estimate", "ci_low", "ci_high"]].to_numpy(dtype=float)
    shown = found.effects.measure.to_display(numbers) if found._mean_alone else numbers
    own = found.effects.measure
    error = "" if found._mean_alone and own.scale != own.display_scale else number(float(row["std_error"]))
    return number(float(shown[0])), error, _range(float(shown[1]), float(shown[2]))


def _range(low: float, high: float) -> str:
    if isnan(low) or isnan(high):
        return ""
    return f"[{number(low, 3 if abs(low) < 100.0 else 0)}, {number(high, 3 if abs(high) < 100.0 else 0)}]"


def _rows(found: SelectionModel) -> list[tuple[str, ...]]:
    """Estimates of the model. Wald intervals and tests of tau2 and weights mislead, so that they are not shown."""
    if not found.converged:
        return []
    rows: list[tuple[str, ...]] = [("Before selection", "", "", "", "", "", "")]
    frame = found.to_frame()
    for i, row in frame.iterrows():
        ends = (float(row["profile_low"]), float(row["profile_high"]))
        if row["part"] == "effect":
            shown = found.effects.measure.to_display(ends) if found._mean_alone else ends
            name = "mean" if found._mean_alone else str(row["term"])
            cells = (*_effect_cells(found, row), _range(float(shown[0]), float(shown[1])))
            rows.append((f"  {name}", "", *cells, p_cell(float(row["p_value"]))))
            continue
        error = "" if isnan(row["std_error"]) else number(float(row["std_error"]))
        if row["part"] == "tau2":
            tau2 = "0" if found.settings.tau2_method == "EE" else small(found.tau2)
            rows.append(("  τ²", "", tau2, error, "", _range(*ends), ""))
            rows.append((f"Weights, {found.settings.weights}", "", "", "", "", "", ""))
        else:
            estimate = "1" if i == len(found.names) + 1 else number(float(row["estimate"]))
            rows.append((f"  {row['term']}", f"{row['k']:.0f}", estimate, error, "", _range(*ends), ""))
    return rows


def _tests(found: SelectionModel) -> list[str]:
    explained = (
        "Weight: likelihood of publication, relative to the smallest p values. p is that of effect / standard error, "
        f"{_TAILS[found.settings.alternative]}."
    )
    if not found.converged or not found.estimated:
        return [explained]
    return [
        explained,
        f"Likelihood-ratio test that all weights are 1: {found._test} (log-likelihood "
        f"{number(found.log_likelihood, 2)}, without selection {number(found.log_likelihood_unadjusted, 2)}).",
    ]
