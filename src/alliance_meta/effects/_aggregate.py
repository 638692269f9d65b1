"""`aggregate()`: several effects of a study become one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from alliance_meta import _checks
from alliance_meta.effects._given import given_effects
from alliance_meta.effects._record import EffectSizes
from alliance_meta.effects._within_study import ROUNDING, Given, Groups, and_others, given_correlation, groups_of
from alliance_meta.errors import InputError
from alliance_meta.stats import conversions, dependence, sampling_variance
from alliance_meta.stats._arrays import BoolArray, FloatArray

__all__ = ["AggregateMethod", "aggregate"]

AggregateMethod = Literal["composite", "inverse-variance", "gleser-olkin", "mean"]

_WORDS: dict[AggregateMethod, str] = {
    "composite": "composite",
    "inverse-variance": "inverse-variance mean",
    "gleser-olkin": "Gleser-Olkin mean",
    "mean": "mean",
}
_ONLY_FOR: dict[str, tuple[str, ...]] = {"composite": ("COR", "ZCOR"), "gleser-olkin": ("SMD",)}
_OWN_COLUMNS = ("effect_id", "study", "label", "effect", "variance", "route")


def aggregate(
    effects: EffectSizes,
    *,
    by: str = "study",
    correlation: float | str | npt.ArrayLike | pd.DataFrame = 0.5,
    method: AggregateMethod | str = "composite",
) -> EffectSizes:
    """Combine the effects of each study into one, allowing for their correlation.

    Parameters
    ----------
    effects : EffectSizes
        From `effect_sizes()`.
    by : str
        The column of ``effects.table`` that says which effects belong together. Called the study below, whatever
        it holds.
    correlation : float, column name or square matrix
        How strongly the effects of a study are correlated: for ``"composite"`` and ``"gleser-olkin"`` the
        correlation of the measures, for the other two that of the sampling errors. One number for every pair of
        every study; the name of a column of ``effects.table`` with one number a study; or a matrix, either an
        array whose rows and columns are those of the table, or a DataFrame named by effect_id. Only cells that
        join two effects of one study are read. A number for m effects must exceed -1/(m - 1); 1 is possible with
        ``"composite"`` and ``"mean"``.
    method : {"composite", "inverse-variance", "gleser-olkin", "mean"}
        ``"composite"``, for ``COR`` and ``ZCOR``: the correlation with the sum of the standardized measures,
        sum(r) / sqrt(m + m (m - 1) rho), made from r and turned back into z for ``ZCOR``. It is further from 0
        than the mean of the correlations. Its variance is that of one correlation from the study's n; where n
        differs between the effects of a study, from their mean, as in the R package MAc (which rounds it).
        ``"mean"``: the plain mean, with the variance of a mean of correlated effects.
        ``"inverse-variance"``: generalized least squares with covariances rho sqrt(v_i v_j).
        ``"gleser-olkin"``, for ``SMD``: generalized least squares with the covariances of several outcomes
        measured in the same two groups, rho (1/n1 + 1/n2) + rho**2 g_i g_j / (2 (n1 + n2)); needs the columns n1
        and n2, or n where equal groups were assumed. Not meant for several treatments that share a control group.

    Returns
    -------
    EffectSizes
        One row a study, in the order of first appearance, with the study's name as effect_id. A study with one
        effect keeps effect, variance and route as they are; the others' `route` says what was done. Columns that
        differ within any study are dropped, which `notes` says.

    Raises
    ------
    UnknownNameError
        For an unknown method or column.
    InputError
        For a method that does not fit the measure, a missing or impossible correlation, a covariance matrix
        without an inverse, correlations that no measures could have, or empty cells in the column `by`. The
        message names the study.

    References
    ----------
    Composite: Hunter, J. E., & Schmidt, F. L. (2004). Methods of meta-analysis (2nd ed.). Mean:
    Borenstein, M., Hedges, L. V., Higgins, J. P. T., & Rothstein, H. R. (2009). Introduction to meta-analysis,
    ch. 24. Inverse variance: metafor's ``aggregate(x, cluster=, struct="CS", rho=)``. Gleser, L. J., & Olkin, I.
    (2009), in Cooper, Hedges & Valentine (Eds.), Handbook of research synthesis and meta-analysis (2nd ed.), ch. 19.

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(measure="COR", study=["A", "A", "B"], r=[0.29, 0.24, 0.40], n=[32, 32, 50])
    >>> both = aggregate(effects, correlation=0.5)
    >>> print(both.table[["study", "effect", "variance", "route"]].round(3).to_string(index=False))
    study  effect  variance                            route
        A   0.306     0.027 composite of 2 effects (r = .50)
        B   0.400     0.014                             r, n
    >>> print(aggregate(effects, method="mean").effect.round(3))
    [0.265 0.4  ]
    """
    given_effects(effects, "aggregate")
    chosen = _checks.known_name("method", method, tuple(_WORDS))
    _refuse_unfitting(chosen, effects.measure.code)
    frame = effects.table
    groups = groups_of(frame, by)
    given = given_correlation(correlation, frame, groups)
    y, v = _combined(effects, frame, groups, given, chosen)
    alone = groups.size == 1
    y, v = (np.where(alone, was[groups.first], now) for was, now in ((effects.effect, y), (effects.variance, v)))
    y.flags.writeable = v.flags.writeable = False
    n = _sizes(effects, frame)
    table, notes = _table(frame, groups, _routes(frame, groups, given, chosen), y, v)
    return replace(
        effects,
        effect=y,
        variance=v,
        n=float(groups.means(n).sum()),
        notes=(*effects.notes, *_notes(effects, groups, n, chosen), *notes),
        _frame=table,
    )


def _refuse_unfitting(method: str, code: str) -> None:
    if code in _ONLY_FOR.get(method, (code,)):
        return
    fitting = [name for name in _WORDS if code in _ONLY_FOR.get(name, (code,))]
    raise InputError(
        f"method={method!r} is for the measure {_checks.listed(_ONLY_FOR[method], last='or')}, and these effects are "
        f"{code!r}; use method={_checks.listed(fitting, last='or')}"
    )


# What they come to


def _combined(
    effects: EffectSizes, frame: pd.DataFrame, groups: Groups, given: Given, method: AggregateMethod
) -> tuple[FloatArray, FloatArray]:
    """Effect and variance a study; those of studies with one effect are not used."""
    if method == "composite":
        return _composite(effects, groups, given)
    if given.matrix is None and method != "gleser-olkin":
        if method == "mean":
            return dependence.unweighted_mean(effects.effect, effects.variance, groups.code, given.number)
        _refuse_singular((groups.size > 1) & (given.number == 1.0), groups.names)
        return dependence.weighted_mean_of_correlated(effects.effect, effects.variance, groups.code, given.number)
    y, v = np.empty(len(groups.size)), np.empty(len(groups.size))
    sizes = _group_sizes(frame, groups) if method == "gleser-olkin" else None
    for studies, rows in groups.blocks():
        effect, variance = effects.effect[rows], effects.variance[rows]
        correlation = given.block(studies, rows)
        if sizes is None:
            deviation = np.sqrt(variance)
            covariance = correlation * deviation[:, :, None] * deviation[:, None, :]
        else:
            n1, n2 = (n[rows[:, 0]] for n in sizes)
            covariance = dependence.covariance_of_smds(effect, variance, n1, n2, correlation)
        names = [groups.names[study] for study in studies]
        _refuse_singular(_no_inverse(covariance, total_only=method == "mean"), names)
        kernel = dependence.mean_from_covariance if method == "mean" else dependence.weighted_mean_from_covariance
        y[studies], v[studies] = kernel(effect, covariance)
    return y, v


def _no_inverse(covariance: FloatArray, *, total_only: bool) -> BoolArray:
    """Which matrices have no inverse; with `total_only`, which say that the mean has no sampling error."""
    deviation = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
    slack = ROUNDING * covariance.shape[-1]
    if total_only:
        return np.asarray(covariance.sum(axis=(-2, -1)) <= slack * deviation.sum(axis=-1) ** 2)
    scaled = covariance / (deviation[:, :, None] * deviation[:, None, :])
    return np.asarray(np.linalg.eigvalsh(scaled)[..., 0] <= slack)


def _refuse_singular(bad: BoolArray, names: list[str]) -> None:
    if bad.any():
        raise InputError(
            f"the covariance matrix of study {names[int(np.argmax(bad))]!r} is singular with this correlation, so its "
            f"effects cannot be combined{and_others(int(bad.sum()))}; give one that is further from 1 and -1"
        )


def _composite(effects: EffectSizes, groups: Groups, given: Given) -> tuple[FloatArray, FloatArray]:
    fisher = effects.measure.code == "ZCOR"
    r = conversions.z_to_r(effects.effect) if fisher else effects.effect
    if given.matrix is None:
        together = dependence.composite_correlation(r, groups.code, given.number)
    else:
        together = np.zeros(len(groups.size))
        for studies, rows in groups.blocks():
            block = given.block(studies, rows)
            cancelled = block.sum(axis=(-2, -1)) <= ROUNDING * rows.shape[1] ** 2
            _refuse_singular(cancelled, [groups.names[study] for study in studies])
            together[studies] = dependence.composite_from_matrix(r[rows], block)
    together = np.where(groups.size > 1, together, 0.0)
    beyond = np.flatnonzero(np.abs(together) >= 1.0)
    if len(beyond):
        worst = beyond[0]
        raise InputError(
            f"the {groups.size[worst]} correlations of study {groups.names[worst]!r} are too large for measures that "
            f"are correlated as given: their composite would be {together[worst]:.3f}{and_others(len(beyond))}; give "
            "a higher correlation, or use method='mean' or 'inverse-variance'"
        )
    n = groups.means(_implied_n(effects))
    if fisher:
        return conversions.r_to_z(together), sampling_variance.variance_of_fisher_z(n)
    return together, sampling_variance.variance_of_correlation(together, n)


# Sample sizes


def _implied_n(effects: EffectSizes) -> FloatArray:
    """Sample sizes of correlations, from their variances, so that it does not matter what n's column is called."""
    if effects.measure.code == "ZCOR":
        n = 1.0 / effects.variance + 3.0
    else:
        n = (1.0 - effects.effect**2) ** 2 / effects.variance + 1.0
    whole = np.rint(n)
    return np.where(np.isclose(n, whole, rtol=1e-9, atol=0.0), whole, n)


def _numbers(frame: pd.DataFrame, name: str) -> FloatArray:
    """A column as numbers; NaN where it has none, or is not there."""
    if name not in frame.columns:
        return np.full(len(frame), np.nan)
    return pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=float, na_value=np.nan)


def _sizes(effects: EffectSizes, frame: pd.DataFrame) -> FloatArray:
    """Sample size of each effect, from the first source whose sum is the effects' own total; else NaN."""
    sources = [_numbers(frame, "n"), _numbers(frame, "n1") + _numbers(frame, "n2")]
    if effects.measure.code in _ONLY_FOR["composite"]:
        sources.append(_implied_n(effects))
    for n in sources:
        if np.isclose(n.sum(), effects.n, rtol=1e-9, atol=0.0):
            return n
    return np.full(effects.k, np.nan)


def _group_sizes(frame: pd.DataFrame, groups: Groups) -> tuple[FloatArray, FloatArray]:
    """Sizes of the two groups of each row; halves of the total where equal groups were assumed."""
    half = _numbers(frame, "n") / 2.0
    n1, n2 = (_numbers(frame, name) for name in ("n1", "n2"))
    halved = np.isnan(n1) & np.isnan(n2)
    n1, n2 = np.where(halved, half, n1), np.where(halved, half, n2)
    several = groups.size[groups.code] > 1
    unknown = several & ~((n1 > 0.0) & (n2 > 0.0))
    if unknown.any():
        name = groups.names[groups.code[np.argmax(unknown)]]
        raise InputError(
            f"method='gleser-olkin' needs the group sizes of study {name!r}, in columns named 'n1' and 'n2', or 'n' "
            "for two equal groups; rename the columns before effect_sizes()"
        )
    differ = groups.differ(n1) | groups.differ(n2)
    if differ.any():
        name = groups.names[groups.code[np.argmax(differ)]]
        raise InputError(
            "method='gleser-olkin' is for outcomes of the same people, but the group sizes differ between the effects "
            f"of study {name!r}; use method='inverse-variance'"
        )
    return n1, n2


# The table and what is said about it


def _routes(frame: pd.DataFrame, groups: Groups, given: Given, method: AggregateMethod) -> list[str]:
    routes = frame["route"].tolist()
    return [
        str(routes[first])
        if m == 1
        else f"{_WORDS[method]} of {m} effects (r {_apa(rho) if given.matrix is None else 'as given'})"
        for first, m, rho in zip(groups.first.tolist(), groups.size.tolist(), given.number.tolist(), strict=True)
    ]


def _apa(rho: float) -> str:
    """``= .50``: two decimals, or as many as are needed up to four, without the leading zero."""
    text = f"{rho:.4f}"
    text = text[:-2] + text[-2:].rstrip("0")
    return f"= {text.replace('0.', '.', 1) if abs(rho) < 1.0 else text}"


def _table(
    frame: pd.DataFrame, groups: Groups, routes: list[str], y: FloatArray, v: FloatArray
) -> tuple[pd.DataFrame, list[str]]:
    """One row a study, and a note on the columns that it cannot keep."""
    first = frame.iloc[groups.first].reset_index(drop=True)
    own: dict[str, Any] = {"effect_id": groups.names}
    for name in ("study", "label"):
        unlike = _unlike(frame[name], groups)
        own[name] = np.where(unlike, np.array(groups.names, dtype=object), first[name].to_numpy(dtype=object)).tolist()
    own |= {"effect": y, "variance": v, "route": routes}
    others = [name for name in frame.columns if name not in _OWN_COLUMNS]
    dropped = [name for name in others if _unlike(frame[name], groups).any()]
    kept = first[[name for name in others if name not in dropped]]
    notes = [f"Columns left out, as they differ within a study: {', '.join(map(str, dropped))}"] if dropped else []
    return pd.concat([pd.DataFrame(own), kept], axis=1), notes


def _unlike(column: pd.Series[Any], groups: Groups) -> BoolArray:
    """Which studies' cells are not all the same; empty cells are the same as each other."""
    try:
        codes = pd.factorize(column)[0]
    except TypeError:  # lists and the like
        codes = pd.factorize(column.map(repr))[0]
    return np.bincount(groups.code, weights=codes != codes[groups.first][groups.code]) > 0


def _notes(effects: EffectSizes, groups: Groups, n: FloatArray, method: AggregateMethod) -> list[str]:
    several = groups.size[groups.size > 1]
    if not len(several):
        return ["Each study has one effect, so there was nothing to combine"]
    alone = len(groups.size) - len(several)
    spread = f"{several.min()}" if several.min() == several.max() else f"{several.min()} to {several.max()}"
    stays = f"; {alone} with one effect {'stays' if alone == 1 else 'stay'} as before" if alone else ""
    notes = [
        f"{effects.k} effects of {len(groups.size)} studies were combined into one a study: {len(several)} with "
        f"{spread} effects{stays}"
    ]
    unlike = np.unique(groups.code[groups.differ(n)])
    if len(unlike):
        used = "its variance comes from their mean" if method == "composite" else "their mean counts as its n"
        one = "1 study has effects" if len(unlike) == 1 else f"{len(unlike)} studies have effects"
        notes.append(f"{one} with different n: {used}")
    return notes
