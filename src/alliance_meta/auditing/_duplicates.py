"""Checks for what is counted twice."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pandas as pd

from alliance_meta.auditing._check import Check, Finding
from alliance_meta.auditing._columns import Columns
from alliance_meta.auditing._implausible import YEARS
from alliance_meta.auditing._rules import YEAR
from alliance_meta.auditing._spans import EFFECT_ROLES

__all__ = ["CHECKS"]

_ONCE = "Keep one of them, or give them one study id if one sample stands behind them."
_BY_CHANCE = 1.0


def _groups(keys: pd.Series[str]) -> Iterator[list[int]]:
    """Positions that share a key, in the order of the table; an empty key is shared with none."""
    kept = keys[(keys != "") & keys.duplicated(keep=False)]
    for _, same in kept.groupby(kept, sort=False):
        yield [int(i) for i in same.index]


def _identical(columns: Columns) -> Iterator[Finding]:
    frame = columns.frame.drop(columns=columns.names["effect_id"]) if columns.has("effect_id") else columns.frame
    if frame.shape[1] == 0:
        return
    # Mixed cells as text, so that lists, huge integers and the like can be compared too.
    plain = frame.apply(lambda column: column.map(str) if column.dtype == object else column)
    marks = pd.util.hash_pandas_object(plain, index=False)
    for same in _groups(pd.Series(marks.astype(str).tolist(), dtype=object)):
        seen = f"{len(same)} rows hold the same cells: {columns.rows(same)}"
        yield Finding(same[0], "warning", seen, "Leave all but one of them out, unless they are different effects.")


def _studies(columns: Columns) -> list[str]:
    """Which study each row is of; without the role, each row is one of its own."""
    if columns.has("study"):
        return [text or f"row {i}" for i, text in enumerate(columns.texts("study"))]
    return [f"row {i}" for i in range(columns.k)]


def _stem(text: str, year: float) -> str:
    """Authors and year of a label, without what usually varies: ``truax 1971`` for "Truax, 1971 (n = 34)"."""
    named = YEARS.search(text)
    when = named.group() if named else f"{year:.0f}" if not np.isnan(year) else ""
    authors = re.sub(r"\bet al\b|\band\b|\(.*?\)|[\W_]+", " ", text[: named.start()] if named else text, flags=re.I)
    who = " ".join(authors.casefold().split())
    return f"{who} {when}" if who and when else ""


def _same_name(columns: Columns) -> Iterator[Finding]:
    role = "label" if columns.has("label") else "study"
    years = columns.finite(YEAR)
    stems = [_stem(text, year) for text, year in zip(columns.texts(role), years, strict=True)]
    study = _studies(columns)
    for same in _groups(pd.Series(stems, dtype=object)):
        ids = {study[i] for i in same}
        if len(ids) > 1:
            seen = f"{len(same)} rows of {len(ids)} studies are all {stems[same[0]]!r}: {columns.rows(same)}"
            yield Finding(same[0], "warning", seen, f"Look whether they share people. {_ONCE}")


def _total(columns: Columns) -> pd.Series[float]:
    n, n1, n2 = (columns.valid(role) for role in ("n", "n1", "n2"))
    return pd.Series(np.where(np.isnan(n), n1 + n2, n))


def _pairs(keys: pd.Series[str]) -> float:
    count = keys.value_counts()
    return float((count * (count - 1) / 2).sum())


def _same_numbers(columns: Columns) -> Iterator[Finding]:
    """Equal n and equal effect in two studies, unless as many pairs are to be expected by chance."""
    study = _studies(columns)
    for role in filter(columns.has, EFFECT_ROLES):
        table = pd.DataFrame({"n": _total(columns), "effect": columns.valid(role)})
        table = table[(table["effect"] != 0.0) & table.notna().all(axis=1)]
        if len(table) < 2:
            continue
        n, effect = table["n"].map("{:.17g}".format), table["effect"].map("{:.17g}".format)
        both = n + " " + effect
        twice = [same for same in _groups(both) if len({study[i] for i in same}) > 1]
        if not twice:
            continue
        pairs, same_n, same_effect = _pairs(both), _pairs(n), _pairs(effect)
        neither = len(table) * (len(table) - 1) / 2.0 - same_n - same_effect + pairs
        by_chance = (same_n - pairs) * (same_effect - pairs) / max(neither, 1.0)
        if by_chance >= _BY_CHANCE:
            seen = f"{pairs:g} pairs of rows share n and {columns.names[role]}; about {by_chance:.1f} would by chance"
            yield Finding(twice[0][0], "note", seen, "Nothing, unless there are many more than chance explains.")
            continue
        for same in twice:
            held = columns.words(same[0], *(("n",) if columns.has("n") else ("n1", "n2")), role)
            seen = f"{held} in {len(same)} rows of different studies: {columns.rows(same)}"
            yield Finding(same[0], "warning", seen, f"Look whether one sample was published twice. {_ONCE}")


def _several(columns: Columns) -> Iterator[Finding]:
    study = pd.Series(columns.texts("study"), dtype=object)
    groups = sorted(_groups(study), key=len, reverse=True)
    if groups:
        rows, most = sum(map(len, groups)), groups[0]
        seen = (
            f"{len(groups)} of {study[study != ''].nunique()} studies give several effects, {rows} in all; "
            f"most: {study[most[0]]} with {len(most)}"
        )
        advice = "Effects of one study depend on each other: combine them, or say that they are taken as independent."
        yield Finding(most[0], "note", seen, advice)


CHECKS: tuple[Check, ...] = (
    Check(
        name="rows_identical",
        family="duplicates",
        about="rows that differ in no cell but the effect id",
        find=_identical,
    ),
    Check(
        name="study_named_twice",
        family="duplicates",
        about="the same authors and year in different studies",
        needs=(("label",), ("study",)),
        find=_same_name,
    ),
    Check(
        name="sample_counted_twice",
        family="duplicates",
        about="the same n and the same effect, not 0, in different studies",
        needs=tuple((role, *size) for role in EFFECT_ROLES for size in (("n",), ("n1", "n2"))),
        find=_same_numbers,
    ),
    Check(
        name="several_effects",
        family="duplicates",
        about="studies with more than one effect",
        needs=(("study",),),
        find=_several,
    ),
)
