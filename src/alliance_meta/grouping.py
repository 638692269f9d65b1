"""`subgroups()`: groups of studies pooled and compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf, nan

import numpy as np
import pandas as pd

from alliance_meta import _checks
from alliance_meta.design import CategoricalVariable, design
from alliance_meta.design._pieces import Level
from alliance_meta.effects import Dependent, EffectSizes, given_effects, note_shared_studies, subset
from alliance_meta.errors import ConvergenceError, InputError
from alliance_meta.moderators import meta_regression
from alliance_meta.pooling import pool
from alliance_meta.results import (
    TAU2_METHODS,
    TESTS,
    MetaRegression,
    PooledEffect,
    Tau2Method,
    TestMethod,
    WaldTest,
    wald_test,
)
from alliance_meta.results._subgroups import SUBGROUP_TAU2, Subgroup, Subgroups, SubgroupSettings, SubgroupTau2
from alliance_meta.stats import heterogeneity, inference

__all__ = ["subgroups"]


def subgroups(
    effects: EffectSizes,
    by: str,
    *,
    tau2: SubgroupTau2 | str = "pooled",
    tau2_method: Tau2Method | str = "REML",
    test: TestMethod | str = "knapp-hartung",
    dependent: Dependent | str = "warn",
) -> Subgroups:
    """Pool groups of studies, and test whether their mean effects differ.

    Parameters
    ----------
    effects : EffectSizes
        From `effect_sizes()`; treated as independent.
    by : str
        The column of its table that holds the groups; numbers count as names.
    tau2 : {"pooled", "separate"}
        ``"pooled"``: the groups share one between-study variance, that of `meta_regression` on the groups, which also
        tests them. ``"separate"``: each group is pooled by itself, and Q between = sum w (mean - grand mean)**2 with
        w = 1 / std_error**2 is held against chi-square with one degree of freedom less than there are groups.
    tau2_method : {"REML", "ML", "DL", "DL2", "HE", "CA2", "HS", "HSk", "SJ", "PM", "PMM", "EB", "EE"}
        Estimator of the between-study variance; ``"EE"`` assumes that there is none.
    test : {"knapp-hartung", "knapp-hartung-adhoc", "t", "z"}
        As in `pool`.
    dependent : {"warn", "allow"}
        What to do where effects share a study, though they are taken as independent: a `DependenceWarning`, or only a
        note in the result.

    Returns
    -------
    Subgroups

    Raises
    ------
    InputError
        For empty cells in `by`, a single group, or, with ``tau2="pooled"``, as many groups as effects.
    UnknownNameError
        For an unknown column, method or test.
    ConvergenceError
        If an iterative estimator does not reach its solution.

    Notes
    -----
    With few studies a group, its own tau2 is uncertain, and a common one is the better estimate unless the groups are
    known to differ in it. Q between takes the groups' standard errors as known, Knapp and Hartung's too, so it rejects
    too often with small groups; the F test of ``tau2="pooled"`` allows for them.

    References
    ----------
    Borenstein, M., & Higgins, J. P. T. (2013). Prevention Science, 14, 134-143.
    Knapp, G., & Hartung, J. (2003). Statistics in Medicine, 22, 2693-2710.

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("farber_doolin2011_effects"))
    >>> found = subgroups(effects, "predictor_rater", dependent="allow")
    >>> for group in found.members:
    ...     print(f"{group.label}: r = {group.on_display_scale().estimate:.2f} from {group.k} effects")
    P: r = 0.17 from 83 effects
    R: r = 0.13 from 15 effects
    T: r = 0.24 from 4 effects
    >>> found.between.text
    'F(2, 99) = 0.48, p = .622'
    """
    given_effects(effects, "subgroups")
    table = effects.table
    settings = SubgroupSettings(
        by=_checks.known_name("column of groups", by, [name for name in table.columns if isinstance(name, str)]),
        tau2=_checks.known_name("tau2", tau2, tuple(SUBGROUP_TAU2)),
        tau2_method=_checks.known_name(
            "tau2_method", tau2_method, tuple(name for name in TAU2_METHODS if name != "GENQ")
        ),
        test=_checks.known_name("test", test, tuple(TESTS)),
    )
    names = _names(table, by)
    parts = [subset(effects, (table[by] == name).to_numpy(dtype=bool)) for name in names]
    note_shared_studies(effects, "subgroups()", dependent)
    overall = pool(effects, tau2_method=settings.tau2_method, test=settings.test, dependent="allow")
    made = _separate if settings.tau2 == "separate" else _pooled
    return made(settings, names, parts, overall)


def _formula(by: str) -> str:
    if "`" in by:
        raise InputError(
            f"column {by!r} has a back quote in its name, so that no formula can name it: rename it", column=by
        )
    return f"C(`{by}`)"


def _names(table: pd.DataFrame, by: str) -> tuple[Level, ...]:
    """The groups, in the order of the data or of the categories."""
    column = table[by]
    blank = np.array([isinstance(cell, str) and not cell.strip() for cell in column.tolist()], dtype=bool)
    remedy = f"Fill them in, or leave those rows out yourself: frame.dropna(subset=[{by!r}])."
    _checks.refuse_rows(
        by, "has empty cells", remedy, blank | column.isna().to_numpy(dtype=bool), column.tolist(), table.index
    )
    if len({repr(cell) for cell in column.tolist()}) == 1:
        raise InputError(
            f"column {by!r} holds one group only, {column.iloc[0]!r}: there is nothing to compare. pool() pools it.",
            column=by,
        )
    (variable,) = design(_formula(by), table[[by]]).variables
    assert isinstance(variable, CategoricalVariable)  # noqa: S101 - C() makes one
    return variable.levels


def _separate(
    settings: SubgroupSettings,
    names: Sequence[Level],
    parts: Sequence[EffectSizes],
    overall: PooledEffect,
) -> Subgroups:
    """Each group pooled by itself."""
    fits = tuple(_own_fit(settings, name, part) for name, part in zip(names, parts, strict=True))
    members = tuple(
        Subgroup(
            name=name,
            estimate=fit.estimate,
            std_error=fit.std_error,
            statistic=fit.statistic,
            df=fit.df,
            p_value=fit.p_value,
            prediction_df=fit.k - 2.0,
            tau2=fit.tau2,
            i2=fit.i2,
            h2=fit.h2,
            q_statistic=fit.q_statistic,
            q_df=fit.q_df,
            q_p_value=fit.q_p_value,
            k=fit.k,
            n=fit.n,
            effects=fit.effects,
        )
        for name, fit in zip(names, fits, strict=True)
    )
    return Subgroups(
        members=members,
        between=_between(settings.by, members),
        overall=overall,
        fits=fits,
        regression=None,
        settings=settings,
        notes=tuple(_notes(settings, members)),
    )


def _own_fit(settings: SubgroupSettings, name: Level, part: EffectSizes) -> PooledEffect:
    test = settings.test if part.k > 1 else "z"
    try:
        return pool(part, tau2_method=settings.tau2_method, test=test, dependent="allow")
    except ConvergenceError as error:
        raise ConvergenceError(f"group {name!r} of column {settings.by!r}: {error}") from None


def _hypothesis(by: str) -> str:
    return f"differences between the groups of {by!r}"


def _between(by: str, members: Sequence[Subgroup]) -> WaldTest:
    """Q between: the groups' means compared, their standard errors taken as known."""
    estimates = np.array([member.estimate for member in members])
    std_errors = np.array([member.std_error for member in members])
    if not std_errors.all():
        return WaldTest(hypothesis=_hypothesis(by), statistic=nan, df1=len(members) - 1, df2=inf, p_value=nan)
    against_first = np.eye(len(members))[1:] - np.eye(len(members))[0]
    return wald_test(_hypothesis(by), against_first, estimates, np.diag(std_errors**2), inf)


def _pooled(
    settings: SubgroupSettings,
    names: Sequence[Level],
    parts: Sequence[EffectSizes],
    overall: PooledEffect,
) -> Subgroups:
    """One regression on the groups."""
    effects = overall.effects
    if len(names) == effects.k:
        raise InputError(
            f"column {settings.by!r} has as many groups as there are effects, {effects.k}: none would be left to tell "
            "how much the effects of a group differ. Merge groups.",
            column=settings.by,
        )
    fit = meta_regression(
        effects, _formula(settings.by), tau2_method=settings.tau2_method, test=settings.test, dependent="allow"
    )
    rows = fit.design.matrix_for(pd.DataFrame({settings.by: list(names)}))
    estimates, variances = rows @ fit.coefficients, ((rows @ fit.covariance) * rows).sum(axis=1)
    members = tuple(
        _member(fit, name, part, float(estimate), float(np.sqrt(max(variance, 0.0))))
        for name, part, estimate, variance in zip(names, parts, estimates, variances, strict=True)
    )
    return Subgroups(
        members=members,
        between=_omnibus(fit, settings, members),
        overall=overall,
        fits=(),
        regression=fit,
        settings=settings,
        notes=tuple(dict.fromkeys([*_notes(settings, members), *fit.notes])),
    )


def _omnibus(fit: MetaRegression, settings: SubgroupSettings, members: Sequence[Subgroup]) -> WaldTest:
    found = replace(fit.omnibus(), hypothesis=_hypothesis(settings.by))
    # The standard errors are then 0 but for rounding, and so would be the test.
    return replace(found, statistic=nan, p_value=nan) if _nothing_within(settings, members) else found


def _nothing_within(settings: SubgroupSettings, members: Sequence[Subgroup]) -> bool:
    return settings.test == "knapp-hartung" and all(np.ptp(member.effects.effect) == 0.0 for member in members)


def _member(fit: MetaRegression, name: Level, part: EffectSizes, estimate: float, std_error: float) -> Subgroup:
    cochran = heterogeneity.cochran_q(part.effect, part.variance)
    inconsistency = (
        heterogeneity.inconsistency_from_q(cochran)
        if fit.settings.tau2_method == "EE"
        else heterogeneity.inconsistency_from_tau2(fit.tau2, part.variance)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = float((estimate - part.measure.null) / np.float64(std_error))
    return Subgroup(
        name=name,
        estimate=estimate,
        std_error=std_error,
        statistic=statistic,
        df=fit.df,
        p_value=float(inference.two_sided_p_value(statistic, fit.df)),
        prediction_df=fit.k - len(fit.names) - 1.0,
        tau2=fit.tau2,
        i2=float(inconsistency.i2),
        h2=float(inconsistency.h2),
        q_statistic=float(cochran.q_statistic),
        q_df=float(cochran.q_df),
        q_p_value=float(cochran.q_p_value),
        k=part.k,
        n=part.n,
        effects=part,
    )


def _notes(settings: SubgroupSettings, members: Sequence[Subgroup]) -> list[str]:
    notes = []
    single = [member.label for member in members if member.k == 1]
    if single:
        who = f"{'Group' if len(single) == 1 else 'Groups'} of one study ({', '.join(single)}): "
        notes.append(
            f"{who}tau² cannot be estimated there and counts as 0; the interval is the study's own, by the normal "
            "distribution, and it weighs too much between groups. tau2='pooled' gives it the tau² of all groups."
            if settings.tau2 == "separate" and settings.tau2_method != "EE"
            else f"{who}I², H² and the p value of Q cannot be computed there."
        )
    if settings.tau2 == "pooled" and _nothing_within(settings, members):
        notes.append(
            "The effects are identical within every group, so Knapp-Hartung's standard errors are 0 and the groups "
            "cannot be compared; test='knapp-hartung-adhoc' does not fall below sampling error."
        )
    if settings.tau2 == "separate":
        alike = [member.label for member in members if member.std_error == 0.0]
        if alike:
            notes.append(
                f"The effects are identical within {', '.join(alike)}, so Knapp-Hartung's standard error is 0 and the "
                "groups cannot be compared; test='knapp-hartung-adhoc' does not fall below sampling error."
            )
        if settings.tau2_method == "EE" and settings.test.startswith("knapp-hartung"):
            notes.append(
                "Under equal effects Knapp-Hartung multiplies the standard errors by sqrt(Q / (k - 1)), as in "
                "unrestricted weighted least squares; the classical choice is test='z'."
            )
    return notes
