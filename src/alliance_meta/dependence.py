"""`multilevel()`: several effects from one study, in one model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from alliance_meta import _checks
from alliance_meta.design import Design, design
from alliance_meta.effects import EffectSizes, given_effects
from alliance_meta.errors import ConvergenceError, InputError
from alliance_meta.results import (
    LIKELIHOOD_METHODS,
    MULTILEVEL_TESTS,
    LikelihoodMethod,
    Multilevel,
    MultilevelSettings,
    MultilevelTest,
)
from alliance_meta.stats import multilevel as kernel
from alliance_meta.stats._arrays import BoolArray, FloatArray, IntArray

__all__ = ["multilevel"]

Correlation = float | str | npt.NDArray[np.float64]


def multilevel(
    effects: EffectSizes,
    formula: str = "1",
    *,
    study: str = "study",
    levels: Sequence[str] = (),
    crossed: str | Sequence[str] = (),
    correlation: Correlation | None = None,
    tau2_method: LikelihoodMethod | str = "REML",
    test: MultilevelTest | str = "t",
) -> Multilevel:
    """Fit effects that stand in groups: effects in studies, and studies in larger groups.

    With `correlation`, sampling errors of a study's effects are correlated, which makes the correlated-and-
    hierarchical-effects (CHE) model; without it they are independent, the three-level model.

    Parameters
    ----------
    effects : EffectSizes
    formula : str
        Moderators, as for `meta_regression`; ``"1"`` for the mean alone.
    study : str
        Column of the effects' table that names the studies.
    levels : sequence of str
        Columns of larger groups, the nearest first: ``["laboratory", "country"]``.
    crossed : str or sequence of str
        Columns of crossed factors, such as the measures that many studies use: effects with the same label have the
        same random effect in whatever study they are.
    correlation : float, a column's name, or array_like of shape (k, k), optional
        Of sampling errors within a study: one number, a number for each study (the same in all of its rows), or a
        matrix, of which only the blocks within studies are read.
    tau2_method : {"REML", "ML"}
    test : {"t", "satterthwaite", "z"}
        Of the coefficients: t with as many degrees of freedom as there are groups that tell a coefficient, less p
        ("containment"); with Satterthwaite's; or the normal distribution.

    Returns
    -------
    Multilevel

    Raises
    ------
    InputError
        For groups with empty cells, correlations that leave no positive definite matrix, or as many coefficients as
        effects.
    FormulaError
        For a formula that cannot be read.
    ConvergenceError
        If the likelihood has no maximum that can be reached.

    References
    ----------
    Van den Noortgate, W., Lopez-Lopez, J. A., Marin-Martinez, F., & Sanchez-Meca, J. (2013). Behavior Research Methods,
    45, 576-594.
    Pustejovsky, J. E., & Tipton, E. (2022). Prevention Science, 23, 425-438.

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("farber_doolin2011_effects"), measure="ZCOR")
    >>> fit = am.multilevel(effects, correlation=0.5)
    >>> print(f"z = {fit.estimate:.3f} from {fit.groups[0]} effects in {fit.groups[1]} studies")
    z = 0.244 from 102 effects in 15 studies
    """
    given_effects(effects, "multilevel")
    method = _checks.known_name("tau2_method", tau2_method, tuple(LIKELIHOOD_METHODS))
    asked = _checks.known_name("test", test, tuple(MULTILEVEL_TESTS))
    table, columns = effects.table, (study, *levels)
    if len(set(columns)) < len(columns):
        raise InputError(f"levels must be other columns than study, each once; got {_checks.listed(columns)}")
    across = (crossed,) if isinstance(crossed, str) else tuple(crossed)
    if len({*columns, *across}) < len(columns) + len(across):
        raise InputError(f"crossed must be other columns than those of groups, each once; got {_checks.listed(across)}")
    groups = [_groups(table, column) for column in columns]
    factors = [_groups(table, column) for column in across]
    rho, words = _correlation(table, kernel.nested_groups(groups)[0], correlation)
    made = design(formula, table)
    if made.matrix.shape[1] >= effects.k:
        raise InputError(
            f"{formula!r} has {made.matrix.shape[1]} coefficients for {effects.k} effects: none would be left to tell "
            "how much they differ"
        )
    problem = _problem(effects, made.matrix, groups, factors, rho, study)
    structure = _structure(groups, columns, made.matrix)
    structure = _with_crossed(structure, groups, factors, (*columns, *across), made.matrix)
    fit = kernel.multilevel(problem, restricted=method == "REML", fixed=structure.fixed)
    if not fit.converged:
        raise ConvergenceError(f"{method} did not reach a maximum of the likelihood of these {effects.k} effects")
    settings = MultilevelSettings(
        formula=formula, levels=columns, correlation=words, tau2_method=method, test=asked, crossed=across
    )
    dfs = _degrees(asked, made.matrix, groups, factors, fit, structure)
    return _result(effects, settings, made, problem, fit, structure, dfs)


def _problem(
    effects: EffectSizes,
    matrix: FloatArray,
    groups: list[IntArray],
    factors: list[IntArray],
    correlation: FloatArray | None,
    study: str,
) -> kernel.Problem:
    """The effects made ready; correlations that cannot be are an error that names their studies."""
    try:
        if factors:
            return kernel.prepared_crossed(effects.effect, effects.variance, matrix, groups, factors, correlation)
        return kernel.prepared(effects.effect, effects.variance, matrix, groups, correlation)
    except kernel.SingularGroupsError as error:
        codes = kernel.nested_groups(groups)[0]
        first = [int(np.flatnonzero(codes == each)[0]) for each in error.groups]
        names = sorted({str(effects.table[study].iloc[row]) for row in first})
        raise InputError(
            f"correlation leaves no positive definite matrix for {study} {_checks.listed(names)}: with m effects "
            "it must lie between -1/(m - 1) and 1",
            column=study,
            rows=names,
        ) from None


def _result(
    effects: EffectSizes,
    settings: MultilevelSettings,
    made: Design,
    problem: kernel.Problem,
    fit: kernel.MultilevelFit,
    structure: _Structure,
    dfs: FloatArray,
) -> Multilevel:
    left = kernel.unexplained(problem)
    i2 = 100.0 * fit.components / (fit.components.sum() + left.typical_variance)
    for array in (fit.coefficients, fit.covariance, fit.components, dfs, i2):
        array.setflags(write=False)
    df = float(effects.k - len(made.names))
    return Multilevel(
        coefficients=fit.coefficients,
        covariance=fit.covariance,
        dfs=dfs,
        components=fit.components,
        levels=("effect", *settings.levels, *settings.crossed),
        groups=structure.counts,
        i2=i2,
        q_residual=left.q_residual,
        q_residual_df=df,
        q_residual_p_value=float(special.chdtrc(df, left.q_residual)),
        log_likelihood=fit.log_likelihood,
        k=effects.k,
        n=effects.n,
        effects=effects,
        design=made,
        settings=settings,
        notes=(*structure.notes, *_taken_as_known(settings, fit, structure)),
        _problem=problem,
        _fit=fit,
        _fixed=structure.fixed,
    )


def _groups(table: pd.DataFrame, column: str) -> IntArray:
    """Numbers of the groups that a column names."""
    name = _checks.known_name("column", column, tuple(str(each) for each in table.columns))
    cells = table[name]
    _checks.refuse_rows(
        name, "has empty cells", "Name the group of every effect.", cells.isna().to_numpy(), cells.tolist(), table.index
    )
    return np.asarray(pd.factorize(cells)[0], dtype=np.intp)


def _correlation(table: pd.DataFrame, studies: IntArray, given: Correlation | None) -> tuple[FloatArray | None, str]:
    """The correlations as the kernel takes them, and in words."""
    if given is None:
        return None, ""
    if isinstance(given, str):
        column = _checks.known_name("column of correlations", given, tuple(str(each) for each in table.columns))
        values = _checks.numbers(column, table[column])
        first = values[np.unique(studies, return_index=True)[1]][studies]
        _checks.refuse_rows(
            column,
            "must be the same in all rows of a study",
            "Give the study's correlation.",
            values != first,
            values.tolist(),
            table.index,
        )
        return values, f"column {column!r}"
    rho = np.asarray(given, dtype=float)
    if rho.ndim == 0:
        if not -1.0 < rho < 1.0:
            raise InputError(f"correlation must lie between -1 and 1, not {given!r}")
        return rho, f"{float(rho):g}"
    k = len(table)
    if rho.shape != (k, k) or not np.allclose(rho, rho.T, rtol=0.0, atol=1e-12) or not np.isfinite(rho).all():
        raise InputError(f"correlation must be a number, a column, or a symmetric matrix of shape ({k}, {k})")
    return rho, "a matrix"


def _taken_as_known(settings: MultilevelSettings, fit: kernel.MultilevelFit, structure: _Structure) -> tuple[str, ...]:
    """What Satterthwaite's degrees of freedom cannot see."""
    at_zero = ~structure.fixed & (fit.components == 0.0)
    if settings.test != "satterthwaite" or not at_zero.any():
        return ()
    return (
        "Satterthwaite's degrees of freedom take a variance estimated as 0 as known, and are too many if it is not 0: "
        "compare robust(fit).",
    )


class _Structure(NamedTuple):
    """Which levels can be told apart, how many groups they have, and what to say about it."""

    fixed: BoolArray
    counts: tuple[int, ...]
    notes: tuple[str, ...]


def _structure(groups: list[IntArray], columns: tuple[str, ...], matrix: FloatArray) -> _Structure:
    codes = kernel.nested_groups(groups)
    basis = np.linalg.qr(matrix)[0]
    counts = (len(codes[0]), *(int(code.max()) + 1 for code in codes))
    fixed, notes = np.zeros(len(counts), dtype=bool), []
    for level, column in enumerate(columns, start=1):
        if counts[level] == counts[level - 1]:
            fixed[level] = True
            below = "effect" if level == 1 else columns[level - 2]
            same = "; this is the model of pool()" if counts[-1] == counts[0] else ""
            notes.append(f"Every {column} has one {below}, so their variances cannot be told apart{same}.")
        elif counts[level] == 1:
            fixed[level] = True
            notes.append(f"There is one {column} only, so nothing tells how much they differ.")
        elif _explained(basis, codes[level - 1]):
            fixed[level] = True
            notes.append(
                f"The moderators tell every {column} from all others, so nothing is left to vary between them."
            )
    return _Structure(fixed, counts, tuple(notes))


def _explained(basis: FloatArray, code: IntArray) -> bool:
    """Whether each group's column of ones is a combination of the design's columns."""
    sums = np.zeros((code.max() + 1, basis.shape[1]))
    np.add.at(sums, code, basis)
    return bool(np.allclose((sums**2).sum(axis=1), np.bincount(code), rtol=1e-9, atol=0.0))


def _with_crossed(
    structure: _Structure,
    groups: list[IntArray],
    factors: list[IntArray],
    columns: tuple[str, ...],
    matrix: FloatArray,
) -> _Structure:
    """The structure with crossed factors, of which those that group effects as another level does are left out."""
    basis = np.linalg.qr(matrix)[0]
    known = [np.arange(structure.counts[0]), *kernel.nested_groups(groups)]
    fixed, counts, notes = structure.fixed.tolist(), list(structure.counts), list(structure.notes)
    for factor, column in zip(factors, columns[len(groups) :], strict=True):
        count = int(factor.max()) + 1
        same = [at for at, code in enumerate(known) if _same_groups(code, factor)]
        if count == 1:
            notes.append(f"There is one {column} only, so nothing tells how much they differ.")
        elif same:
            other = ("effect", *columns)[same[0]]
            notes.append(f"Every {column} is one {other}, so their variances cannot be told apart.")
        elif _explained(basis, factor):
            notes.append(
                f"The moderators tell every {column} from all others, so nothing is left to vary between them."
            )
        fixed.append(count == 1 or bool(same) or _explained(basis, factor))
        counts.append(count)
        known.append(factor)
    return _Structure(np.array(fixed), tuple(counts), tuple(notes))


def _same_groups(one: IntArray, other: IntArray) -> bool:
    pairs = len(np.unique(one * (other.max() + 1) + other))
    return bool(pairs == one.max() + 1 == other.max() + 1)


def _degrees(
    test: MultilevelTest,
    matrix: FloatArray,
    groups: list[IntArray],
    factors: list[IntArray],
    fit: kernel.MultilevelFit,
    structure: _Structure,
) -> FloatArray:
    """Degrees of freedom of each coefficient."""
    p = matrix.shape[1]
    if test == "z":
        return np.full(p, np.inf)
    if test == "satterthwaite":
        return kernel.satterthwaite_df(fit, np.eye(p), structure.fixed)
    codes = kernel.nested_groups(groups)
    counts = [float(len(matrix) - p)] * p
    nested = len(groups) + 1
    for j in range(p):
        # The outermost level within whose groups the column does not vary counts, of those that the model tells apart.
        for code, still in zip(codes, structure.fixed[1:nested], strict=True):
            if not still and not _varies(matrix[:, j], code):
                counts[j] = float(code.max() + 1 - p)
        for factor, still in zip(factors, structure.fixed[nested:], strict=True):
            if not still and not _varies(matrix[:, j], factor):
                counts[j] = min(counts[j], float(factor.max() + 1 - p))
    return np.array([count if count > 0.0 else np.nan for count in counts])


def _varies(column: FloatArray, group: IntArray) -> bool:
    low, high = np.full(group.max() + 1, np.inf), np.full(group.max() + 1, -np.inf)
    np.minimum.at(low, group, column)
    np.maximum.at(high, group, column)
    return bool((high > low).any())
