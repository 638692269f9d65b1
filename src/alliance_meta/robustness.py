"""`robust()`: standard errors and tests that hold whatever the dependence within clusters is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from alliance_meta import _checks
from alliance_meta.design import Design
from alliance_meta.effects import EffectSizes
from alliance_meta.errors import InputError
from alliance_meta.results import MetaRegression, Multilevel, PooledEffect
from alliance_meta.results._robust import ClusterAdjustment, RobustFit, RobustSettings
from alliance_meta.stats._arrays import FloatArray, IntArray
from alliance_meta.stats.multilevel import nested_groups, sampling_correlation
from alliance_meta.stats.robust import ADJUSTMENTS, Block, Sandwich, blocks_of, sandwich, satterthwaite_df

__all__ = ["robust"]

_FEW = 4.0
"""Degrees of freedom below which t is not to be trusted (Tipton 2015)."""


class _Model(NamedTuple):
    """What a fit is to the kernel: columns, coefficients, and the model of the errors."""

    columns: FloatArray
    coefficients: FloatArray
    names: tuple[str, ...]
    working: FloatArray | Sequence[Block]
    weights: FloatArray | None = None
    null: float = 0.0
    design: Design | None = None


def robust(
    fit: PooledEffect | MetaRegression | Multilevel,
    cluster: str | Sequence[object] | npt.NDArray[np.generic] = "study",
    *,
    adjustment: ClusterAdjustment | str = "CR2",
) -> RobustFit:
    """Test a fit with standard errors that allow effects of the same cluster to depend on each other in any way.

    Estimates, weights and tau2 are the fit's; only their uncertainty is judged anew, from how residuals go together
    within clusters. Clusters must be independent.

    Parameters
    ----------
    fit : PooledEffect, MetaRegression or Multilevel
        From `pool()`, `meta_regression()` or `multilevel()`. The variances and covariances that it gives the effects
        are the working model, which need not be true.
    cluster : a column's name, or one label an effect
        Effects with the same label are of the same cluster. One effect a cluster gives standard errors that are robust
        to wrong variances alone.
    adjustment : {"CR2", "CR0", "CR1", "CR1p", "CR1S", "CR3"}
        For few clusters. CR2 is unbiased under the working model; CR0 corrects nothing; CR1, CR1p and CR1S multiply CR0
        by S / (S - 1), S / (S - p) and S (k - 1) / ((S - 1)(k - p)), for S clusters, k effects and p coefficients; CR3
        is near the jackknife and too large on average.

    Returns
    -------
    RobustFit

    Raises
    ------
    InputError
        For another kind of fit, empty labels, a number of labels other than k, a single cluster, or CR1p with as many
        coefficients as clusters.
    UnknownNameError
        For an unknown column or adjustment.

    Notes
    -----
    The matrix square root of CR2 is the symmetric one, on the scale of the working model. Where coefficients fit a part
    of a cluster exactly (a moderator that differs in one cluster only), that part says nothing about their error: CR2
    and CR3 take the Moore-Penrose inverse, and a note says so.

    References
    ----------
    Hedges, L. V., Tipton, E., & Johnson, M. C. (2010). Research Synthesis Methods, 1, 39-65.
    Tipton, E. (2015). Psychological Methods, 20, 375-393.
    Pustejovsky, J. E., & Tipton, E. (2018). Journal of Business & Economic Statistics, 36, 672-683.

    Examples
    --------
    102 effects of 15 studies are not 102 studies:

    >>> import alliance_meta as am
    >>> fit = am.pool(am.effect_sizes(am.datasets.load("farber_doolin2011_effects")), dependent="allow")
    >>> found = robust(fit)
    >>> print(f"{found.std_errors[0]:.3f} rather than {fit.std_error:.3f}, with {found.df[0]:.1f} rather than 101 df")
    0.035 rather than 0.016, with 1.9 rather than 101 df
    """
    if not isinstance(fit, PooledEffect | MetaRegression | Multilevel):
        raise InputError(
            f"robust() takes the result of pool(), meta_regression() or multilevel(), not {type(fit).__name__}: "
            "robust(pool(effects))"
        )
    method = _checks.known_name("adjustment", adjustment, tuple(ADJUSTMENTS))
    column, index, labels = _clusters(cluster, fit.effects)
    model = _model(fit)
    found = sandwich(
        model.columns,
        fit.effects.effect - model.columns @ model.coefficients,
        index,
        model.working,
        weights=model.weights,
        adjustment=method,
    )
    df = satterthwaite_df(found, np.eye(len(model.names)))
    for array in (found.covariance, df):
        array.setflags(write=False)
    return RobustFit(
        coefficients=model.coefficients,
        covariance=found.covariance,
        df=df,
        names=model.names,
        clusters=int(index.max()) + 1,
        labels=labels,
        null=model.null,
        fit=fit,
        design=model.design,
        settings=RobustSettings(cluster=column, adjustment=method),
        notes=tuple(_notes(found, df, model.names, method)),
        _sandwich=found,
    )


def _model(fit: PooledEffect | MetaRegression | Multilevel) -> _Model:
    if isinstance(fit, Multilevel):
        fit.refuse_crossed("robust()")
        return _Model(fit.design.matrix, fit.coefficients, fit.names, _blocks(fit), design=fit.design)
    working = fit.effects.variance + fit.tau2
    if isinstance(fit, MetaRegression):
        return _Model(fit.design.matrix, fit.coefficients, fit.names, working, design=fit.design)
    mean = np.array([fit.estimate])
    mean.setflags(write=False)
    own = fit.settings.given_weights
    return _Model(
        columns=np.ones((fit.k, 1)),
        coefficients=mean,
        names=("overall",),
        working=working,
        weights=None if own is None else np.array(own),
        null=fit.effects.measure.null,
    )


def _blocks(fit: Multilevel) -> list[Block]:
    """The covariances of the effects in each outermost group, as the model has them."""
    v, components = fit.effects.variance, fit.components
    codes = nested_groups([fit.effects.table[name] for name in fit.settings.levels])

    def covariance(rows: IntArray) -> FloatArray:
        def alike(code: IntArray) -> FloatArray:
            return np.asarray(code[rows][:, :, None] == code[rows][:, None, :], dtype=float)

        one = np.eye(rows.shape[1])
        deviations = np.sqrt(v[rows])
        errors = deviations[:, :, None] * deviations[:, None, :] * sampling_correlation(fit.correlation, rows)
        total = errors * np.maximum(alike(codes[0]), one) + components[0] * one
        for component, code in zip(components[1:], codes, strict=True):
            total = total + component * alike(code)
        return np.asarray(total)

    return blocks_of(codes[-1], covariance)


def _clusters(
    cluster: str | Sequence[object] | npt.NDArray[np.generic], effects: EffectSizes
) -> tuple[str, IntArray, tuple[str, ...]]:
    """What to call the clusters, the number of each effect's, and its label."""
    table = effects.table
    if isinstance(cluster, str):
        column = _checks.known_name("column of clusters", cluster, [name for name in table if isinstance(name, str)])
        labels, name = table[column], column
    else:
        given = list(cluster)
        if len(given) != len(table):
            raise InputError(f"cluster must be one label for each of the {len(table)} effects, not {len(given)}")
        labels, name, column = pd.Series(given, index=table.index, dtype=object), "cluster", "given"
    blank = np.array([isinstance(cell, str) and not cell.strip() for cell in labels.tolist()], dtype=bool)
    remedy = "Fill them in: an effect of no known cluster may be given a label of its own."
    empty = blank | labels.isna().to_numpy(dtype=bool)
    _checks.refuse_rows(name, "has empty cells", remedy, empty, labels.tolist(), table.index)
    index, known = pd.factorize(labels)
    if len(known) < 2:
        raise InputError(
            f"column {name!r} holds one cluster only, {known[0]!r}: how much clusters differ cannot be seen. Clusters "
            "are usually the studies.",
            column=name,
        )
    return column, np.asarray(index, dtype=np.intp), tuple(str(label) for label in labels)


def _notes(found: Sandwich, df: FloatArray, names: tuple[str, ...], adjustment: str) -> list[str]:
    notes = []
    few = [f"{name} {value:.1f}" for name, value in zip(names, df.tolist(), strict=True) if not value >= _FEW]
    if few:
        notes.append(
            f"Degrees of freedom below 4 ({', '.join(few)}): the t test is not to be trusted there; wild_bootstrap() "
            "needs none."
        )
    alone = int(found.absorbed.sum())
    if alone:
        how = "; by the Moore-Penrose inverse" if adjustment in ("CR2", "CR3") else ""
        notes.append(
            f"The coefficients fit a part of {alone} {'cluster' if alone == 1 else 'clusters'} exactly, which says "
            f"nothing about their error{how}; standard errors that hang on it are too small."
        )
    return notes
