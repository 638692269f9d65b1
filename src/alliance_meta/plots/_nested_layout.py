"""What plots of multilevel models show, as frames of rows: pure functions, tested without drawing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from alliance_meta import _checks
from alliance_meta.errors import InputError
from alliance_meta.plots._layout import Order, forest_text
from alliance_meta.results import Multilevel
from alliance_meta.results._diagnostics import effects_behind
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.inference import critical_value
from alliance_meta.stats.multilevel._diagnostics import profile_heights
from alliance_meta.stats.multilevel._shares import group_means, shares

__all__ = ["nested_places", "nested_rows", "profile_points"]

_STEP = 0.62  # rows from one effect to the next inside a study
_GAP = 0.35  # more above a study that follows effects
_SUMMARY_GAP = 0.6
_BEYOND = 0.35  # of an interval's length, that a profile goes on above it


def nested_rows(
    fit: Multilevel,
    *,
    level: float = 0.95,
    order: Order = "given",
    collapse: bool = False,
    inside: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Rows of a forest plot of effects in studies, from top to bottom, on the scale shown to people.

    Parameters
    ----------
    fit : Multilevel
        Without moderators.
    level : float
        Coverage of all intervals.
    order : {"given", "effect", "precision"}
        Of the studies, and of the effects in each: as in the table, from the smallest to the largest, or from the most
        to the least weight.
    collapse : bool
        Leave the effects out.
    inside : column or columns, optional
        What names effects inside their study; by default their labels where these differ, else their numbers.

    Returns
    -------
    DataFrame
        kind ("study", "effect", "summary" or "prediction"), label, k, effect, low, high, weight (percent of the mean),
        text. A study's row is its own mean by generalized least squares, given sampling errors and the variance between
        effects; its effects follow, effect +- z sqrt(variance), unless it has one only, which is its mean.

    Raises
    ------
    InputError
        For a model with moderators, or with crossed effects.

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("farber_doolin2011_effects"), measure="ZCOR")
    >>> rows = nested_rows(am.multilevel(effects, correlation=0.5), inside="outcome_measure")
    >>> print(rows[["kind", "label", "k", "text"]][2:5].to_string(index=False, header=False))
     study Conte, Ratto, Clutz & Karasu (1995) 12 .22 [.09, .35]
    effect                     Symptom Ratings  1 .44 [.29, .57]
    effect                                  SR  1 .44 [.29, .57]
    """
    order = _checks.known_name("order", order, ("given", "effect", "precision"))
    if fit.names != ("intercept",):
        raise InputError(
            f"forest() draws models of the mean alone, not of {fit.settings.formula!r}; fit multilevel(effects) for it"
        )
    members = _members(fit, float(critical_value(_checks.level(level), np.inf)), inside)
    studies = members.drop_duplicates("study")
    if order != "given":
        by = "mean" if order == "effect" else "share"
        studies = studies.sort_values(by, ascending=order == "effect", kind="stable")
    parts = []
    for row in studies.itertuples():
        own = members[members["study"] == row.study]
        mean = {"kind": "study", "label": row.name, "k": len(own), "effect": row.mean, "low": row.mean_low}
        parts.append(pd.DataFrame([{**mean, "high": row.mean_high, "weight": row.share}]))
        if len(own) > 1 and not collapse:
            sorts = {"effect": ("effect", True), "precision": ("weight", False)}
            parts.append(own if order == "given" else own.sort_values(sorts[order][0], ascending=sorts[order][1]))
    frame = pd.concat([*parts, _totals(fit, level)], ignore_index=True)
    frame = frame[["kind", "label", "k", "effect", "low", "high", "weight"]]
    numbers = frame[["effect", "low", "high"]].to_numpy(dtype=float).tolist()
    frame["text"] = [forest_text(*row, bounded=fit.effects.measure.bounded) for row in numbers]
    return frame


def _members(fit: Multilevel, critical: float, inside: str | Sequence[str] | None) -> pd.DataFrame:
    """Each effect as a row, with the number, name, mean and share of its study."""
    effects, to_display = fit.effects, fit.effects.measure.to_display
    behind = effects_behind(fit)
    means = group_means(behind, float(fit.components[0]))
    own = np.empty(effects.k, dtype=np.intp)
    own[fit._problem.order] = behind.codes[0]
    study = pd.Series(own)
    weight = 100.0 * shares(behind, fit.components).weight
    half, mean_half = critical * np.sqrt(effects.variance), critical * np.sqrt(means.variance)
    labels = pd.Series(list(effects.labels), dtype=object)
    differ = labels.groupby(own).transform("nunique") > 1
    column = pd.Series([str(cell) for cell in effects.table[fit.settings.levels[0]]], dtype=object)
    return pd.DataFrame(
        {
            "kind": "effect",
            "label": _names(fit, labels, study, differ, inside),
            "k": 1,
            "effect": to_display(effects.effect),
            "low": to_display(effects.effect - half),
            "high": to_display(effects.effect + half),
            "weight": weight,
            "study": own,
            "name": column.where(differ.to_numpy(), labels),
            "mean": to_display(means.mean)[own],
            "mean_low": to_display(means.mean - mean_half)[own],
            "mean_high": to_display(means.mean + mean_half)[own],
            "share": np.bincount(own, weight)[own],
        }
    )


def _names(
    fit: Multilevel, labels: pd.Series, study: pd.Series, differ: pd.Series, inside: str | Sequence[str] | None
) -> list[str]:
    """What effects are called inside their study."""
    if inside is None:
        numbers = (study.groupby(study).cumcount() + 1).astype(str)
        return [str(name) for name in labels.where(differ, numbers)]
    table = fit.effects.table
    known = [name for name in table if isinstance(name, str)]
    columns = [_checks.known_name("inside", name, known) for name in ([inside] if isinstance(inside, str) else inside)]
    cells = table[columns].astype(object).where(table[columns].notna(), "")
    return [", ".join(filter(None, (str(cell) for cell in row))) for row in cells.to_numpy(dtype=object)]


def _totals(fit: Multilevel, level: float) -> pd.DataFrame:
    """The overall effect, and the true effect of a new effect in a new study."""
    shown = fit.predict(level=level, display=True).iloc[0]
    overall = {"effect": shown["estimate"], "low": shown["ci_low"], "high": shown["ci_high"]}
    rows = [{"kind": "summary", "label": f"Pooled effect ({_counts(fit)})", "k": fit.k, **overall}]
    if not np.isnan(shown["pi_low"]):
        new = {"kind": "prediction", "label": "True effect in a new study", "k": 0, "effect": np.nan}
        rows.append({**new, "low": shown["pi_low"], "high": shown["pi_high"]})
    return pd.DataFrame(rows).assign(weight=np.nan)


def _counts(fit: Multilevel) -> str:
    groups = fit.groups[1]
    return f"{fit.k} effects, {groups} {'study' if groups == 1 else 'studies'}"


def nested_places(kinds: Sequence[str]) -> FloatArray:
    """Where each row stands, counted from the top: effects close together, room above what follows them.

    Examples
    --------
    >>> nested_places(["study", "effect", "effect", "study", "study", "summary"]).round(2).tolist()
    [0.0, 0.81, 1.43, 2.78, 3.78, 5.38]
    """
    places = [0.0]
    for above, kind in pairwise(kinds):
        if kind == "effect":
            step = _STEP if above == "effect" else 0.5 * (1.0 + _STEP)
        else:
            step = 1.0 + (_SUMMARY_GAP if kind == "summary" else _GAP if above == "effect" else 0.0)
        places.append(places[-1] + step)
    return np.array(places)


def profile_points(fit: Multilevel, level_of: str, *, level: float = 0.95, points: int = 61) -> pd.DataFrame:
    """The profile likelihood of a variance component, from 0 to beyond its interval.

    Parameters
    ----------
    fit : Multilevel
    level_of : str
        A name in `fit.levels`.
    level : float
        Of the interval; its ends and the estimate are among the points.
    points : int
        At least.

    Returns
    -------
    DataFrame
        component, and log_likelihood less its maximum, the other components and the coefficients at their best.

    Raises
    ------
    InputError
        For a level that cannot be told from another.
    """
    interval = fit.component_interval(level_of, level)
    if np.isnan(interval.high):
        raise InputError(f"level_of={level_of!r} has no profile: {interval.note}")
    which = fit.levels.index(level_of)
    end = interval.high + _BEYOND * (interval.high - interval.low)
    marks = [float(fit.components[which]), interval.low, interval.high]
    values = np.unique(np.concatenate([end * np.linspace(0.0, 1.0, points) ** 2, marks]))
    heights = profile_heights(
        fit._problem,
        fit.components,
        which,
        values,
        restricted=fit.settings.tau2_method == "REML",
        fixed=fit._fixed,
    )
    return pd.DataFrame({"component": values, "log_likelihood": heights})
