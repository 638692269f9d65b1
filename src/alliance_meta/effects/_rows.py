"""Rows of effects: some of them, their sample sizes, and what they belong to."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import numpy as np
import pandas as pd

from alliance_meta import _checks
from alliance_meta.effects._record import EffectSizes
from alliance_meta.errors import InputError
from alliance_meta.stats._arrays import BoolArray, FloatArray, IntArray

__all__ = ["clusters_of", "sample_sizes", "subset"]


def subset(effects: EffectSizes, rows: BoolArray) -> EffectSizes:
    """Some of the effects."""
    effect, variance = effects.effect[rows], effects.variance[rows]
    for array in (effect, variance):
        array.setflags(write=False)
    sizes = sample_sizes(effects)
    return replace(
        effects,
        effect=effect,
        variance=variance,
        n=nan if sizes is None else float(sizes[rows].sum()),
        _frame=effects.table[rows],
    )


def sample_sizes(effects: EffectSizes) -> FloatArray | None:
    """The rows' sample sizes, if the columns that usually hold them add up to the total."""
    table = effects.table
    for columns in (["n"], ["n1", "n2"]):
        if set(columns) <= set(table.columns):
            sizes = table[columns].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float).sum(axis=1)
            if sizes.sum() == effects.n:
                return np.asarray(sizes)
    return None


def clusters_of(effects: EffectSizes, by: str) -> tuple[IntArray, tuple[str, ...]]:
    """The number of each effect's study, and the studies' labels in the order of their first effects."""
    table = effects.table
    if by == "effect":
        found, known = np.arange(effects.k), list(effects.labels)
    else:
        column = _checks.known_name("by", by, ("effect", *(name for name in table if isinstance(name, str))))
        cells = table[column]
        remedy = "Fill them in: an effect of no known study may be given a label of its own."
        _checks.refuse_rows(column, "has empty cells", remedy, cells.isna().to_numpy(), cells.tolist(), table.index)
        found, named = pd.factorize(cells)
        known = [str(each) for each in named]
    if len(known) < 2:
        raise InputError(f"by={by!r} has one group only, {known[0]!r}: nothing is left without it", column=by)
    return np.asarray(found, dtype=np.intp), tuple(known)
