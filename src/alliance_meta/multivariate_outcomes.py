"""`multivariate()`: several outcomes of a study, whose true effects go together."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import is_numeric_dtype
from scipy import special

from alliance_meta import _checks
from alliance_meta.design import CategoricalVariable, Design, design
from alliance_meta.effects import EffectSizes, given_effects
from alliance_meta.effects._within_study import Groups, given_correlation, groups_of
from alliance_meta.errors import ConvergenceError, InputError
from alliance_meta.results import LIKELIHOOD_METHODS, MULTILEVEL_TESTS, LikelihoodMethod, MultilevelTest
from alliance_meta.results._multivariate import STRUCTURES, Multivariate, MultivariateSettings, Structure
from alliance_meta.stats._arrays import FloatArray, IntArray
from alliance_meta.stats.multilevel import SingularGroupsError, nested_groups
from alliance_meta.stats.multilevel import _multivariate as kernel

__all__ = ["multivariate"]

MOST_OUTCOMES = 10
_EDGE = 1e-6


def multivariate(
    effects: EffectSizes,
    formula: str = "",
    *,
    outcome: str = "outcome",
    study: str = "study",
    structure: Structure | str = "UN",
    correlation: float | str | npt.NDArray[np.float64] | pd.DataFrame | None = None,
    tau2_method: LikelihoodMethod | str = "REML",
    test: MultilevelTest | str = "t",
) -> Multivariate:
    """Fit several outcomes of a study at once: their means, and how their true effects vary and go together.

    Studies need not have all outcomes. Effects of the same study and outcome have the same true effect.

    Parameters
    ----------
    effects : EffectSizes
    formula : str
        Moderators, as for `meta_regression`; if empty, a mean for each outcome (``"0 + rater"``).
    outcome : str
        Column of the effects' table that names what was measured, or by whom.
    study : str
        Column that names the studies.
    structure : {"UN", "CS", "HCS", "DIAG"}
        Of the true effects' covariance: unstructured; one variance and one correlation; a variance for each outcome and
        one correlation; a variance for each outcome and no correlation.
    correlation : float, a column's name, or array_like of shape (k, k), optional
        Of sampling errors within a study: one number, a number for each study (the same in all of its rows), or a
        matrix, of which only the blocks within studies are read; a DataFrame is named by `effect_id`. Without it errors
        are independent.
    tau2_method : {"REML", "ML"}
    test : {"t", "satterthwaite", "z"}
        Of the coefficients: t with as many degrees of freedom as there are outcomes of studies, or studies, that tell a
        coefficient, less p ("containment"); with Satterthwaite's; or the normal distribution.

    Returns
    -------
    Multivariate

    Raises
    ------
    InputError
        For empty cells, correlations that leave no positive definite matrix, as many coefficients as effects, or a
        structure that these studies cannot tell.
    FormulaError
        For a formula that cannot be read.
    ConvergenceError
        If the likelihood has no maximum that can be reached.

    References
    ----------
    Jackson, D., Riley, R., & White, I. R. (2011). Statistics in Medicine, 30, 2481-2498.

    Examples
    --------
    >>> import alliance_meta as am
    >>> import pandas as pd
    >>> from alliance_meta.multivariate_outcomes import multivariate
    >>> frame = pd.DataFrame({
    ...     "study": ["a", "a", "b", "b", "c", "c", "d", "e"], "rater": ["client", "therapist"] * 3 + ["client"] * 2,
    ...     "r": [0.30, 0.20, 0.45, 0.35, 0.10, 0.05, 0.25, 0.40], "n": [60, 60, 80, 80, 75, 75, 50, 90],
    ... })
    >>> fit = multivariate(am.effect_sizes(frame, measure="ZCOR"), outcome="rater", correlation=0.5)
    >>> fit.means(display=True)[["rater", "estimate"]].round(2)
           rater  estimate
    0     client      0.31
    1  therapist      0.22
    """
    given_effects(effects, "multivariate")
    asked = _checks.known_name("structure", structure, tuple(STRUCTURES))
    method = _checks.known_name("tau2_method", tau2_method, tuple(LIKELIHOOD_METHODS))
    tested = _checks.known_name("test", test, tuple(MULTILEVEL_TESTS))
    table = effects.table
    cells = _cells(table, outcome, study)
    _refuse_what_cannot_be_told(cells, asked, outcome)
    made = _design(formula, outcome, cells, table)
    if made.matrix.shape[1] >= effects.k:
        raise InputError(
            f"{made.formula!r} has {made.matrix.shape[1]} coefficients for {effects.k} effects: none would be left to "
            "tell how much they differ"
        )
    problem, words = _problem(effects, made, cells, correlation, study)
    fit = kernel.multivariate(problem, asked, restricted=method == "REML")
    if not fit.converged:
        raise ConvergenceError(f"{method} did not reach a maximum of the likelihood of these {effects.k} effects")
    settings = MultivariateSettings(
        formula=made.formula,
        outcome=outcome,
        study=study,
        structure=asked,
        correlation=words,
        tau2_method=method,
        test=tested,
    )
    return _result(effects, made, cells, problem, fit, settings)


class _Cells(NamedTuple):
    """Which study and outcome each effect is of."""

    groups: Groups
    levels: tuple[str | int | float, ...]
    outcome: IntArray
    counts: IntArray
    """Effects of each study and outcome, (studies, q)."""


def _cells(table: pd.DataFrame, outcome: str, study: str) -> _Cells:
    names = tuple(str(each) for each in table.columns)
    groups = groups_of(table, _checks.known_name("column of studies", study, names))
    column = table[_checks.known_name("column of outcomes", outcome, names)]
    missing = column.isna().to_numpy(dtype=bool)
    remedy = f"Fill them in, or leave those rows out yourself: frame.dropna(subset=[{outcome!r}])."
    _checks.refuse_rows(outcome, "has empty cells", remedy, missing, column.tolist(), table.index)
    levels: tuple[str | int | float, ...]
    if len(set(column.tolist())) == 1:
        levels, codes = (column.iloc[0],), np.zeros(len(table), dtype=np.intp)
    else:
        variable = design(_each_outcome(column), table).variables[0]
        if not isinstance(variable, CategoricalVariable):
            raise InputError(f"column {outcome!r} must name outcomes")
        levels = variable.levels
        codes = np.asarray(pd.Index(levels).get_indexer(pd.Index(column.tolist())), dtype=np.intp)
    counts = np.zeros((len(groups.size), len(levels)), dtype=np.intp)
    np.add.at(counts, (groups.code, codes), 1)
    return _Cells(groups, levels, codes, counts)


def _each_outcome(column: pd.Series[Any]) -> str:
    name = str(column.name)
    quoted = name if name.isidentifier() else f"`{name}`"
    return f"0 + C({quoted})" if is_numeric_dtype(column) else f"0 + {quoted}"


def _design(formula: str, outcome: str, cells: _Cells, table: pd.DataFrame) -> Design:
    return design(formula or ("1" if len(cells.levels) == 1 else _each_outcome(table[outcome])), table)


def _refuse_what_cannot_be_told(cells: _Cells, structure: Structure, outcome: str) -> None:
    """Refuse structures with variances or correlations that no study says anything about."""
    q = len(cells.levels)
    if q > MOST_OUTCOMES:
        raise InputError(
            f"column {outcome!r} has {q} outcomes, more than {MOST_OUTCOMES}: their correlations would be too many. "
            "Join some of them, or take multilevel()"
        )
    there = cells.counts > 0
    if len(there) == 1:
        raise InputError("there is one study only, so nothing tells how much studies differ")
    alone = [each for each, k in zip(cells.levels, there.sum(axis=0).tolist(), strict=True) if k < 2]
    if alone and structure != "CS":
        raise InputError(
            f"one study only has {_checks.listed(alone)} in column {outcome!r}, which says nothing about how much "
            'studies differ there: leave it out, or take structure="CS", where all outcomes have the same variance'
        )
    together = there.T.astype(int) @ there
    none = [(i, j) for i in range(q) for j in range(i) if together[i, j] == 0]
    if none and structure == "UN":
        pairs = ", ".join(f"{cells.levels[j]!r} and {cells.levels[i]!r}" for i, j in none)
        raise InputError(
            f"no study has both {pairs} in column {outcome!r}, so nothing tells how they are correlated: take "
            'structure="HCS" or "CS", with one correlation for all, or "DIAG", with none'
        )
    if q > 1 and len(none) == q * (q - 1) // 2 and structure != "DIAG":
        raise InputError(
            f"no study has two outcomes in column {outcome!r}, so nothing tells how they are correlated: take "
            'structure="DIAG"'
        )


def _problem(
    effects: EffectSizes, made: Design, cells: _Cells, correlation: Any, study: str
) -> tuple[kernel.MultivariateProblem, str]:
    groups, rho, words = cells.groups, None, ""
    if correlation is not None:
        given = given_correlation(correlation, effects.table, groups)
        rho = given.number[groups.code] if given.matrix is None else given.matrix
        named = isinstance(correlation, str)
        words = f"column {correlation!r}" if named else "a matrix" if rho.ndim == 2 else f"{float(correlation):g}"
    try:
        problem = kernel.prepared_multivariate(
            effects.effect, effects.variance, made.matrix, groups.code, cells.outcome, rho
        )
    except SingularGroupsError as error:
        names = sorted(groups.names[each] for each in error.groups)
        raise InputError(
            f"correlation leaves no positive definite matrix for {study} {_checks.listed(names)}: effects whose errors "
            "say the same cannot both be used; leave one of them out, or give a smaller correlation",
            column=study,
            rows=names,
        ) from None
    return problem, words


def _result(
    effects: EffectSizes,
    made: Design,
    cells: _Cells,
    problem: kernel.MultivariateProblem,
    fit: kernel.MultivariateFit,
    settings: MultivariateSettings,
) -> Multivariate:
    for array in (fit.coefficients, fit.covariance, fit.between):
        array.setflags(write=False)
    q_residual, df = kernel.multivariate_q(problem), float(effects.k - len(made.names))
    there = cells.counts > 0
    return Multivariate(
        coefficients=fit.coefficients,
        covariance=fit.covariance,
        dfs=_degrees(settings.test, made.matrix, cells, fit),
        between=fit.between,
        outcomes=tuple(str(each) for each in cells.levels),
        effects_of=tuple(cells.counts.sum(axis=0).tolist()),
        studies_of=tuple(tuple(row) for row in (there.T.astype(int) @ there).tolist()),
        studies=len(there),
        q_residual=q_residual,
        q_residual_df=df,
        q_residual_p_value=float(special.chdtrc(df, q_residual)),
        log_likelihood=fit.log_likelihood,
        k=effects.k,
        n=effects.n,
        effects=effects,
        design=made,
        settings=settings,
        notes=tuple(_notes(cells, fit.between, settings)),
        _problem=problem,
        _fit=fit,
    )


def _degrees(test: MultilevelTest, matrix: FloatArray, cells: _Cells, fit: kernel.MultivariateFit) -> FloatArray:
    """Degrees of freedom of each coefficient."""
    p = matrix.shape[1]
    if test == "z":
        return np.full(p, np.inf)
    if test == "satterthwaite":
        return kernel.multivariate_satterthwaite_df(fit, np.eye(p))
    counts = np.full(p, float(len(matrix) - p))
    for code in nested_groups([cells.outcome, cells.groups.code]):
        first = np.unique(code, return_index=True)[1]
        constant = (matrix == matrix[first][code]).all(axis=0)
        counts = np.where(constant, float(first.size - p), counts)
    return np.where(counts > 0.0, counts, np.nan)


def _notes(cells: _Cells, between: FloatArray, settings: MultivariateSettings) -> list[str]:
    notes = []
    names = [str(each) for each in cells.levels]
    if len(names) == 1:
        same = " and one effect a study; this is the model of pool()" if cells.counts.max() == 1 else ""
        notes.append(f"There is one outcome only, {names[0]!r}{same}.")
    if cells.counts.max() > 1:
        notes.append(
            f"Studies have several effects of one outcome ({int((cells.counts > 1).sum())} times); they are taken to "
            "have the same true effect and to differ by sampling error only."
        )
    variance = np.diag(between)
    none = [name for name, own in zip(names, variance, strict=True) if own == 0.0]
    if none:
        notes.append(f"True effects do not vary between studies for {_checks.listed(none)}.")
    rest = np.flatnonzero(variance > 0.0)
    rho = between[np.ix_(rest, rest)] / np.sqrt(np.outer(variance[rest], variance[rest]))
    edge = [(i, j) for j in range(rest.size) for i in range(j) if abs(rho[i, j]) > 1.0 - _EDGE]
    if edge:
        pairs = [f"{names[rest[i]]} and {names[rest[j]]} ({'' if rho[i, j] > 0 else '−'}1)" for i, j in edge]
        notes.append(
            f"The likelihood is highest where true effects are perfectly correlated: {', '.join(pairs)}. These studies "
            "cannot tell how strongly."
        )
    elif rest.size > 1 and np.linalg.eigvalsh(rho)[0] < _EDGE:
        notes.append(
            f"The likelihood is highest at the edge of what {settings.structure} allows: a combination of the outcomes "
            "does not vary between studies."
        )
    return notes
