"""What the plots of a meta-regression show, as frames of rows: pure functions, tested without drawing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pandas as pd

from alliance_meta import _checks
from alliance_meta.design import CategoricalVariable, NumericVariable
from alliance_meta.design._columns import label_of
from alliance_meta.errors import InputError
from alliance_meta.plots._layout import forest_text
from alliance_meta.results import MetaRegression
from alliance_meta.results._margins import intervals

__all__ = ["bubble_lines", "bubble_points", "coefficient_rows", "labelled", "mean_rows"]

_STEPS = 101


def bubble_points(fit: MetaRegression, moderator: str, *, by: str | None = None, display: bool = True) -> pd.DataFrame:
    """Points of a bubble plot: label, x, effect, weight (percent), and the group they are drawn in.

    Parameters
    ----------
    fit : MetaRegression
    moderator : str
        A numeric moderator of the regression.
    by : str, optional
        A categorical one; without it `group` is empty.
    display : bool
        Give effects on the scale shown to people (r for Fisher's z).

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("munder2012"), measure="SMD")
    >>> points = bubble_points(am.meta_regression(effects, "researcher_allegiance"), "researcher_allegiance")
    >>> print(points.nlargest(2, "weight").drop(columns="group").round(2).to_string(index=False))
                  label     x  effect  weight
       Foa et al., 2005 -0.25    0.00    5.02
    Resick et al., 2002  3.25    0.42    4.94
    """
    effects = fit.effects
    numeric = _numeric(fit, moderator)
    split = _split(fit, by)
    weight = 1.0 / (effects.variance + fit.tau2)
    return pd.DataFrame(
        {
            "label": effects.labels,
            "x": _checks.numbers(numeric.column, effects.table[numeric.column]),
            "effect": effects.measure.to_display(effects.effect) if display else effects.effect,
            "weight": 100.0 * weight / weight.sum(),
            "group": "" if split is None else [_name(split, cell) for cell in effects.table[split.column]],
        }
    )


def bubble_lines(
    fit: MetaRegression, moderator: str, *, by: str | None = None, level: float = 0.95, display: bool = True
) -> pd.DataFrame:
    """Lines of a bubble plot: group, x over its range, estimate, ci_low, ci_high, pi_low, pi_high.

    The other numeric moderators stand at their mean; over the levels of the categorical ones the mean is taken, each
    level counting the same, as for marginal means.

    Parameters
    ----------
    fit : MetaRegression
    moderator : str
    by : str, optional
        One line for each level of this moderator, over the range of that level's own effects.
    level : float
        Coverage of both intervals.
    display : bool
        As in `bubble_points`.

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("munder2012"), measure="SMD")
    >>> line = bubble_lines(am.meta_regression(effects, "researcher_allegiance"), "researcher_allegiance")
    >>> print(line[["x", "estimate", "ci_low", "ci_high"]].iloc[[0, -1]].round(2).to_string(index=False))
        x  estimate  ci_low  ci_high
    -3.25     -0.30   -0.65     0.04
     3.25      0.31   -0.13     0.76
    """
    numeric, split = _numeric(fit, moderator), _split(fit, by)
    level = _checks.level(level)
    points = bubble_points(fit, moderator, by=by, display=display)
    parts = []
    for group in (None,) if split is None else split.levels:
        own = points["x"] if group is None else points.loc[points["group"] == label_of(group), "x"]
        x = np.linspace(own.min(), own.max(), _STEPS)
        rows = fit.design.matrix_for(_grid(fit, numeric, x, split, group))
        weights = rows.reshape(len(x), -1, rows.shape[1]).mean(axis=1)
        numbers = intervals(fit, weights, level, display=display).drop(columns="std_error")
        numbers.insert(0, "x", x)
        numbers.insert(0, "group", "" if group is None else label_of(group))
        parts.append(numbers)
    return pd.concat(parts, ignore_index=True)


def _grid(
    fit: MetaRegression,
    numeric: NumericVariable,
    x: Sequence[float] | np.ndarray[tuple[int], np.dtype[np.float64]],
    split: CategoricalVariable | None,
    group: object,
) -> pd.DataFrame:
    """Rows in runs of equal x, each run holding every combination of the other moderators' levels."""
    choices: dict[str, Sequence[object]] = {numeric.column: list(x)}
    for variable in fit.design.variables:
        if variable.column == numeric.column:
            continue
        own = variable.levels if isinstance(variable, CategoricalVariable) else (variable.mean,)
        choices[variable.column] = (group,) if variable is split else own
    return pd.DataFrame(list(product(*choices.values())), columns=list(choices))


def _numeric(fit: MetaRegression, name: str) -> NumericVariable:
    known = {each.column: each for each in fit.design.variables if isinstance(each, NumericVariable)}
    if not known:
        raise InputError(
            f"{fit.settings.formula!r} has no numeric moderator to draw effects against; means() draws levels"
        )
    return known[_checks.known_name("numeric moderator", name, tuple(known))]


def _split(fit: MetaRegression, name: str | None) -> CategoricalVariable | None:
    if name is None:
        return None
    known = {each.column: each for each in fit.design.variables if isinstance(each, CategoricalVariable)}
    if not known:
        raise InputError(f"{fit.settings.formula!r} has no categorical moderator to split by; C(column) makes one")
    return known[_checks.known_name("categorical moderator", name, tuple(known))]


def _name(variable: CategoricalVariable, cell: object) -> str:
    return next(label_of(level) for level in variable.levels if level == cell)


def labelled(points: pd.DataFrame, labels: int | Sequence[str] | None) -> pd.Series:
    """Which points of a bubble plot get their label: those of the largest weights, or of the studies named.

    Parameters
    ----------
    points : DataFrame
        From `bubble_points`.
    labels : int, sequence of str or None
        How many, which, or none.

    Returns
    -------
    Series of bool
    """
    if labels is None:
        return pd.Series(False, index=points.index)
    if isinstance(labels, int):
        if isinstance(labels, bool) or labels < 0:
            raise InputError(f"labels must be a number of points to label, 0 or more, or their labels; got {labels!r}")
        return points["weight"].rank(method="first", ascending=False) <= labels
    wanted = [labels] if isinstance(labels, str) else list(labels)
    known = set(points["label"])
    absent = [label for label in wanted if label not in known]
    if len(absent) == 1:
        _checks.known_name("study label", absent[0], tuple(dict.fromkeys(points["label"])))
    if absent:
        raise InputError(f"labels names studies that the plot has not: {_checks.listed(absent)}")
    return points["label"].isin(wanted)


def coefficient_rows(fit: MetaRegression, *, level: float = 0.95) -> pd.DataFrame:
    """Rows of a plot of coefficients: label, effect, low, high, text; on the analysed scale, without the intercept.

    Parameters
    ----------
    fit : MetaRegression
    level : float

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("munder2012"), measure="SMD")
    >>> print(coefficient_rows(am.meta_regression(effects, "researcher_allegiance"))["text"][0])
    0.094 [−0.014, 0.202]
    """
    frame = fit.to_frame(level).rename(columns={"term": "label", "estimate": "effect", "ci_low": "low"})
    frame = frame.rename(columns={"ci_high": "high"})[["label", "effect", "low", "high"]]
    moderators = frame[frame["label"] != "intercept"]
    rows = (moderators if len(moderators) else frame).reset_index(drop=True)
    numbers = rows[["effect", "low", "high"]].to_numpy(dtype=float)
    rows["text"] = [forest_text(*row, decimals=_decimals(row)) for row in numbers.tolist()]
    return rows


def _decimals(row: Sequence[float]) -> int:
    """Three, or as many as leave two digits of the largest number."""
    largest = np.nanmax(np.abs(row))
    return 3 if largest == 0.0 else int(np.clip(1 - np.floor(np.log10(largest)), 3, 8))


def mean_rows(fit: MetaRegression, term: str, *, level: float = 0.95) -> pd.DataFrame:
    """Rows of a plot of marginal means: label, k, effect, low, high, pi_low, pi_high, text; as shown to people.

    Parameters
    ----------
    fit : MetaRegression
    term : str
        A categorical moderator.
    level : float

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("farber_doolin2011_effects"))
    >>> rows = mean_rows(am.meta_regression(effects, "predictor_rater"), "predictor_rater")
    >>> print(rows[["label", "k", "text"]].to_string(index=False, header=False))
    P 83 .17 [.14, .21]
    R 15 .13 [.01, .24]
    T  4 .24 [.01, .44]
    """
    found = fit.means(term, level, display=True)
    rows = pd.DataFrame({"label": [label_of(cell) for cell in found.iloc[:, 0].tolist()]})
    rows["k"] = found.iloc[:, 1].to_numpy()
    names = {"estimate": "effect", "ci_low": "low", "ci_high": "high", "pi_low": "pi_low", "pi_high": "pi_high"}
    for theirs, ours in names.items():
        rows[ours] = found[theirs].to_numpy(dtype=float)
    bounded = fit.effects.measure.bounded
    numbers = rows[["effect", "low", "high"]].to_numpy(dtype=float)
    rows["text"] = [forest_text(*row, bounded=bounded) for row in numbers.tolist()]
    return rows
