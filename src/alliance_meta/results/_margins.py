"""Predictions, marginal means, contrasts and slopes of a meta-regression: all of them weights of its coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product
from math import inf
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd

from alliance_meta import _checks
from alliance_meta.design import CategoricalVariable, NumericVariable
from alliance_meta.errors import InputError
from alliance_meta.results._tidy import tidy
from alliance_meta.results._vocabulary import ADJUSTMENTS, GRID_WEIGHTS, REGRESSION_PREDICTIONS
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.inference import critical_value

if TYPE_CHECKING:
    from alliance_meta.results._multilevel import Multilevel
    from alliance_meta.results._multivariate import Multivariate
    from alliance_meta.results._regression import MetaRegression

    Fit: TypeAlias = MetaRegression | Multilevel | Multivariate

__all__ = ["adjusted", "categorical", "contrasts", "intervals", "mean_weights", "means", "slopes"]

_NO_PART = 1e-9
"""A coefficient with less than this share of the largest weight is there by rounding only."""
_STEP = 1e-3
"""Of a numeric moderator's range: how far to each side its slope is taken."""


def intervals(
    fit: Fit, weights: FloatArray, level: float, *, method: str = "t(k-p-1)", display: bool = False
) -> pd.DataFrame:
    """Estimates of combinations of coefficients, (m, p), with both intervals."""
    method = _checks.known_name("prediction interval method", method, tuple(REGRESSION_PREDICTIONS))
    estimate, std_error = weights @ fit.coefficients, _std_errors(fit, weights)
    of_test = _dfs(fit, weights)
    half = critical_value(level, of_test) * std_error
    df = of_test if method == "metafor" else inf if method == "z" else fit.k - len(fit.names) - 1.0
    wide = critical_value(level, df) * np.sqrt(fit.tau2 + std_error**2)
    frame = pd.DataFrame(
        {
            "estimate": estimate,
            "std_error": std_error,
            "ci_low": estimate - half,
            "ci_high": estimate + half,
            "pi_low": estimate - wide,
            "pi_high": estimate + wide,
        }
    )
    if display:
        shown = [name for name in frame.columns if name != "std_error"]
        frame[shown] = fit.effects.measure.to_display(frame[shown].to_numpy())
    return frame


def means(fit: Fit, term: str, level: float, weights: str, display: bool, *, method: str = "t(k-p-1)") -> pd.DataFrame:
    """Marginal means of a categorical moderator's levels."""
    variable = categorical(fit, term)
    rows = mean_weights(fit, variable, weights)
    numbers = intervals(fit, rows, level, method=method, display=display)
    found = fit.effects.table[variable.column]
    counts = [int((found == each).sum()) for each in variable.levels]
    return pd.concat([pd.DataFrame({variable.column: list(variable.levels), "k": counts}), numbers], axis=1)


def contrasts(fit: Fit, term: str, level: float, adjust: str, weights: str) -> pd.DataFrame:
    """Pairwise differences of marginal means."""
    adjust = _checks.known_name("adjustment", adjust, ADJUSTMENTS)
    variable = categorical(fit, term)
    rows = mean_weights(fit, variable, weights)
    pairs = list(combinations(range(len(variable.levels)), 2))
    frame = _tests(fit, np.array([rows[j] - rows[i] for i, j in pairs]), level)
    names = [f"{variable.levels[j]} - {variable.levels[i]}" for i, j in pairs]
    frame.insert(0, "contrast", names)
    frame.insert(list(frame.columns).index("ci_low"), "p_adjusted", adjusted(frame["p_value"], adjust))
    return frame


def slopes(fit: Fit, name: str, level: float, by: str | None) -> pd.DataFrame:
    """Derivatives of the mean effect with respect to a numeric moderator."""
    numeric = {each.column: each for each in fit.design.variables if isinstance(each, NumericVariable)}
    variable = numeric[_checks.known_name("numeric moderator", name, tuple(numeric))]
    split = None if by is None else categorical(fit, by)
    groups: Sequence[object] = (None,) if split is None else split.levels
    step = _STEP * (variable.maximum - variable.minimum)
    rows = []
    for each in groups:
        grid = _grid(fit, {} if split is None else {split.column: each})
        up, down = (
            fit.design.matrix_for(grid.assign(**{name: variable.mean + side * step})).mean(axis=0)
            for side in (1.0, -1.0)
        )
        rows.append((up - down) / (2.0 * step))
    frame = _tests(fit, np.array(rows), level)
    if split is not None:
        frame.insert(0, split.column, list(groups))
    return frame


def _std_errors(fit: Fit, weights: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(np.maximum(((weights @ fit.covariance) * weights).sum(axis=-1), 0.0)))


def _dfs(fit: Fit, weights: FloatArray) -> FloatArray:
    """Degrees of freedom of combinations: the fewest of the coefficients that take part."""
    own = np.broadcast_to(getattr(fit, "dfs", fit.df), len(fit.names))
    scaled = np.abs(weights) * np.sqrt(np.diagonal(fit.covariance))
    takes_part = scaled > _NO_PART * scaled.max(axis=-1, keepdims=True)
    return np.asarray(np.where(takes_part, own, inf).min(axis=-1))


def _tests(fit: Fit, weights: FloatArray, level: float) -> pd.DataFrame:
    """Combinations of coefficients tested to be 0."""
    return tidy(weights @ fit.coefficients, _std_errors(fit, weights), _dfs(fit, weights), level)


def adjusted(p_values: pd.Series[float], adjust: str) -> FloatArray:
    """P values adjusted for their number, as they are where one of them is NaN."""
    from statsmodels.stats.multitest import multipletests  # type: ignore[import-untyped]  # half a second that most sessions need not wait for

    p = np.asarray(p_values, dtype=np.float64)
    if adjust == "none" or np.isnan(p).any():
        return p
    return np.asarray(multipletests(p, method=adjust)[1], dtype=float)


def categorical(fit: Fit, name: str) -> CategoricalVariable:
    """A categorical moderator of a fit, by its column."""
    known = {each.column: each for each in fit.design.variables if isinstance(each, CategoricalVariable)}
    if not known:
        raise InputError(f"{fit.settings.formula!r} has no categorical moderator; C(column) makes one of numbers")
    return known[_checks.known_name("categorical moderator", name, tuple(known))]


def mean_weights(fit: Fit, variable: CategoricalVariable, weights: str) -> FloatArray:
    """For each level, the coefficients' weights in its marginal mean, (levels, p)."""
    weights = _checks.known_name("weights of marginal means", weights, tuple(GRID_WEIGHTS))
    rows = []
    for each in variable.levels:
        if weights == "equal":
            grid = _grid(fit, {variable.column: each})
        else:
            table = fit.effects.table[[other.column for other in fit.design.variables]]
            grid = table.assign(**{variable.column: [each] * len(table)})
        rows.append(fit.design.matrix_for(grid).mean(axis=0))
    return np.array(rows)


def _grid(fit: Fit, fixed: dict[str, object]) -> pd.DataFrame:
    """Every combination of the categorical moderators' levels, numbers at their mean, some moderators fixed."""
    choices: dict[str, Sequence[object]] = {}
    for variable in fit.design.variables:
        own = variable.levels if isinstance(variable, CategoricalVariable) else (variable.mean,)
        choices[variable.column] = (fixed[variable.column],) if variable.column in fixed else own
    return pd.DataFrame(list(product(*choices.values())), columns=list(choices))
