"""`leave_one_out()` and `cumulative()`: the pooled effect without each study, and as studies are added."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from alliance_meta import _checks
from alliance_meta.bias._conditions import dependent
from alliance_meta.effects import EffectSizes, given_effects
from alliance_meta.errors import InputError
from alliance_meta.results import Tau2Method, TestMethod
from alliance_meta.results.sensitivity._leaving_out import Cumulative, LeaveOneOut
from alliance_meta.sensitivity._units import failures, units, whole_fit
from alliance_meta.stats._arrays import FloatArray, IntArray
from alliance_meta.stats.influence import SubsetFits, subset_fits

__all__ = ["cumulative", "leave_one_out"]


def leave_one_out(
    effects: EffectSizes,
    *,
    tau2_method: Tau2Method | str = "REML",
    test: TestMethod | str = "knapp-hartung",
    by: str = "effect",
) -> LeaveOneOut:
    """Pool the effects without each study in turn.

    Parameters
    ----------
    effects : EffectSizes
        Taken as independent.
    tau2_method : {"REML", "ML", "DL", "DL2", "HE", "CA2", "HS", "HSk", "SJ", "PM", "PMM", "EB", "EE"}
    test : {"knapp-hartung", "knapp-hartung-adhoc", "t", "z"}
        As in `pool`.
    by : str
        ``"effect"``, or a column of the effects' table whose groups are left out, such as ``"study"``.

    Returns
    -------
    LeaveOneOut
        Estimates on the analysed scale; I2 in percent.

    Raises
    ------
    InputError
        If `effects` are not an `EffectSizes`, the column has empty cells, or there is one group only.
    UnknownNameError
        For an unknown method, test or column.
    ConvergenceError
        If the estimator does not reach its solution for all effects; without one, a note says so.

    References
    ----------
    Viechtbauer, W., & Cheung, M. W.-L. (2010). Research Synthesis Methods, 1, 112-125.

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
    >>> leave_one_out(effects)
    <LeaveOneOut: r from 0.204 to 0.281 without one of 16 effects>
    """
    own = given_effects(effects, "leave_one_out")
    whole = whole_fit(own, tau2_method, test)
    found, labels = units(own, by)
    include = (found != np.arange(len(labels))[:, None]).astype(float)
    fits = _frozen(own, include, whole.settings.tau2_method, whole.settings.test)
    small = () if fits.k.min() > 1 else ("One effect is left where there are two: no heterogeneity can be told.",)
    return LeaveOneOut(
        effects=own,
        cautions=dependent(own) if by == "effect" else _mixed(own, by),
        notes=(*small, *failures(labels, fits.converged, "Without")),
        by=by,
        labels=labels,
        fits=fits,
        whole=whole,
    )


def _mixed(effects: EffectSizes, by: str) -> tuple[str, ...]:
    """Studies are left out as wholes, but the fits take their effects as independent."""
    if not effects.shared_studies():
        return ()
    return (f"each {by} is left out as a whole, but effects count as independent: diagnose(multilevel(effects)).",)


def _frozen(effects: EffectSizes, include: FloatArray, method: str, test: str) -> SubsetFits:
    fits = subset_fits(effects.effect, effects.variance, include, tau2_method=method, test=test)
    for array in fits:
        array.setflags(write=False)
    return fits


def cumulative(
    effects: EffectSizes,
    *,
    by: str = "year",
    descending: bool = False,
    tau2_method: Tau2Method | str = "REML",
    test: TestMethod | str = "knapp-hartung",
) -> Cumulative:
    """Pool the first effect, the first two, and so on, in the order of a column.

    Parameters
    ----------
    effects : EffectSizes
        Taken as independent.
    by : str
        A column of the effects' table: the year of publication, or ``"variance"`` for the most precise effects first.
        Effects with the same cell are added in the order of their rows.
    descending : bool
        Begin with the largest cell.
    tau2_method : {"REML", "ML", "DL", "DL2", "HE", "CA2", "HS", "HSk", "SJ", "PM", "PMM", "EB", "EE"}
    test : {"knapp-hartung", "knapp-hartung-adhoc", "t", "z"}
        As in `pool`. All but z leave the first effect without an interval.

    Returns
    -------
    Cumulative

    Raises
    ------
    InputError
        If `effects` are not an `EffectSizes`, or cells of the column are empty or cannot be put in order.
    UnknownNameError
        For an unknown method, test or column.
    ConvergenceError
        If the estimator does not reach its solution for all effects; of an earlier step, a note says so.

    References
    ----------
    Lau, J., Antman, E. M., Jimenez-Silva, J., Kupelnick, B., Mosteller, F., & Chalmers, T. C. (1992). New England
    Journal of Medicine, 327, 248-254.

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
    >>> cumulative(effects)
    <Cumulative: by year, r from 0.250 (k = 1) to 0.250 (k = 16)>
    """
    own = given_effects(effects, "cumulative")
    whole = whole_fit(own, tau2_method, test)
    table = own.table
    column = _checks.known_name("by", by, tuple(name for name in table if isinstance(name, str)))
    cells = table[column]
    remedy = "Fill them in, or leave those effects out before calling."
    _checks.refuse_rows(column, "has empty cells", remedy, cells.isna().to_numpy(), cells.tolist(), table.index)
    order = _order(column, cells, descending)
    include = np.zeros((own.k, own.k))
    for step, row in enumerate(order.tolist()):
        include[step:, row] = 1.0
    fits = _frozen(own, include, whole.settings.tau2_method, whole.settings.test)
    labels = tuple(own.labels[i] for i in order.tolist())
    added = tuple(cells.iloc[order].tolist())
    ties = sum(a == b for a, b in pairwise(added))
    tied = f"{ties} of {own.k} effects have the {column} of the one before: they are added in the order of their rows."
    alone = "The first effect has no interval: one study leaves this test no degrees of freedom."
    notes = (*((alone,) if whole.settings.test != "z" else ()), *((tied,) if ties else ()))
    return Cumulative(
        effects=own,
        cautions=dependent(own),
        notes=(*notes, *failures(labels, fits.converged, "When it comes to")),
        by=column,
        descending=descending,
        labels=labels,
        cells=added,
        rows=tuple(order.tolist()),
        fits=fits,
        whole=whole,
    )


def _order(column: str, cells: pd.Series, descending: bool) -> IntArray:
    """Positions from the smallest cell to the largest; equal cells as they come."""
    kinds = sorted({type(cell).__name__ for cell in cells.tolist()})
    try:
        if "str" in kinds and len(kinds) > 1:  # pandas would put numbers before words
            raise TypeError
        codes, _ = pd.factorize(cells, sort=True)
    except TypeError:
        raise InputError(
            f"column {column!r} holds cells of kinds that have no common order: {_checks.listed(kinds)}. Make them of "
            "one kind.",
            column=column,
        ) from None
    return np.asarray(np.argsort(-codes if descending else codes, kind="stable"), dtype=np.intp)
