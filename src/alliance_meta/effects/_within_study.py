"""Which effects belong to one study, and how they are correlated there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from alliance_meta import _checks
from alliance_meta.errors import InputError
from alliance_meta.stats import dependence
from alliance_meta.stats._arrays import BoolArray, FloatArray

__all__ = ["ROUNDING", "Given", "Groups", "and_others", "given_correlation", "groups_of"]

IndexArray = npt.NDArray[np.intp]
ROUNDING = 64.0 * np.finfo(float).eps


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Which study each row belongs to: codes by first appearance, each study's name, first row and size."""

    code: IndexArray
    names: list[str]
    first: IndexArray
    size: IndexArray

    def means(self, values: FloatArray) -> FloatArray:
        start = values[self.first]
        return np.asarray(start + np.bincount(self.code, weights=values - start[self.code]) / self.size)

    def differ(self, values: FloatArray) -> BoolArray:
        """Which rows' values are not those of the first row of their study; NaN differs from nothing."""
        start = values[self.first][self.code]
        return np.asarray(~np.isclose(values, start, rtol=1e-9, atol=0.0) & ~np.isnan(values) & ~np.isnan(start))

    def blocks(self) -> Iterator[tuple[IndexArray, IndexArray]]:
        """For each size above 1 the studies of that size, and their rows, shape (studies, size)."""
        order = np.argsort(self.code, kind="stable")
        start = np.cumsum(self.size) - self.size
        for m in np.unique(self.size[self.size > 1]):
            studies = np.flatnonzero(self.size == m)
            yield studies, order[start[studies][:, None] + np.arange(m)]


def _names(frame: pd.DataFrame) -> tuple[str, ...]:
    return tuple(name for name in frame.columns if isinstance(name, str))


def groups_of(frame: pd.DataFrame, by: str) -> Groups:
    column = frame[_checks.known_name("column for 'by'", by, _names(frame))]
    text = column.astype(object).map(str, na_action="ignore")
    _checks.refuse_rows(
        by,
        "has empty cells",
        "Say for every row what it belongs to, or leave those rows out before effect_sizes().",
        (column.isna() | text.eq("")).to_numpy(dtype=bool),
        column.tolist(),
        frame.index,
    )
    code, names = pd.factorize(text)
    first = np.unique(code, return_index=True)[1]
    return Groups(code=code, names=[str(name) for name in names], first=first, size=np.bincount(code))


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The correlation: one number a study, shape (s,), or a matrix over all rows, shape (k, k)."""

    number: FloatArray
    matrix: FloatArray | None = None

    def block(self, studies: IndexArray, rows: IndexArray) -> FloatArray:
        """Correlation matrices of some studies of one size, shape (studies, size, size)."""
        if self.matrix is None:
            return dependence.equicorrelation(self.number[studies], rows.shape[1])
        return self.matrix[rows[:, :, None], rows[:, None, :]]


def given_correlation(correlation: Any, frame: pd.DataFrame, groups: Groups) -> Given:
    if isinstance(correlation, str):
        return Given(number=_from_column(correlation, frame, groups))
    if isinstance(correlation, pd.DataFrame):
        matrix = _from_named(correlation, frame, groups)
    elif isinstance(correlation, Real) and not isinstance(correlation, bool | np.bool_):
        if not -1.0 <= float(correlation) <= 1.0:
            raise InputError(f"correlation must lie between -1 and 1; got {correlation!r}")
        number = np.full(len(groups.size), float(correlation))
        _refuse_beyond(number, groups)
        return Given(number=number)
    else:
        matrix = _from_array(correlation, len(frame))
    _refuse_no_correlations(matrix, frame, groups)
    return Given(number=np.full(len(groups.size), np.nan), matrix=matrix)


def _from_column(name: str, frame: pd.DataFrame, groups: Groups) -> FloatArray:
    """One correlation a study; 0, which is never used, for a study with one effect."""
    column = frame[_checks.known_name("column for 'correlation'", name, _names(frame))]
    rho = _checks.numbers(name, column, allow_missing=True)
    several, cells = groups.size[groups.code] > 1, column.tolist()
    remedy = "Fill them in; a correlation that is not known can be assumed, and its influence tried out."
    missing = np.isnan(rho) & several
    _checks.refuse_rows(name, "has no correlation for some effects", remedy, missing, cells, frame.index)
    remedy = "Give one number a study, or a matrix as correlation."
    unlike = groups.differ(rho)
    _checks.refuse_rows(name, "holds different correlations within a study", remedy, unlike, cells, frame.index)
    number = np.where(groups.size > 1, rho[groups.first], 0.0)
    _refuse_beyond(number, groups)
    return number


def _refuse_beyond(number: FloatArray, groups: Groups) -> None:
    least = -1.0 / (np.maximum(groups.size, 2) - 1.0)
    bad = np.flatnonzero((groups.size > 1) & ~((number > least) & (number <= 1.0)))
    if len(bad):
        worst = bad[np.argmax(groups.size[bad])]
        raise InputError(
            f"{groups.size[worst]} effects cannot all be correlated {number[worst]:g} with each other: for study "
            f"{groups.names[worst]!r} the correlation must be above -1/(m - 1) = {least[worst]:.4g}, and at most 1"
            f"{and_others(len(bad))}"
        )


def and_others(count: int) -> str:
    return "" if count == 1 else f" (and likewise for {count - 1} other {'study' if count == 2 else 'studies'})"


def _from_array(correlation: Any, k: int) -> FloatArray:
    kinds = "a number, the name of a column, or a square matrix"
    try:
        matrix = np.asarray(correlation)
    except ValueError as error:  # lists of unequal length
        raise InputError(f"correlation must be {kinds}; got lists of unequal length") from error
    if matrix.ndim != 2 or matrix.dtype.kind not in "fiu":
        raise InputError(f"correlation must be {kinds}; got {type(correlation).__name__}")
    if matrix.shape != (k, k):
        raise InputError(
            f"correlation must be a matrix of {k} x {k}, a row and a column for each effect; got {matrix.shape[0]} x "
            f"{matrix.shape[1]}"
        )
    return matrix.astype(float)


def _from_named(correlation: pd.DataFrame, frame: pd.DataFrame, groups: Groups) -> FloatArray:
    """The cells of a DataFrame named by effect_id, in the order of the table's rows; NaN where it has none."""
    named = correlation.set_axis(correlation.index.map(str), axis=0).set_axis(correlation.columns.map(str), axis=1)
    for axis, labels in (("row", named.index), ("column", named.columns)):
        twice = labels[labels.duplicated()].unique().tolist()
        if twice:
            raise InputError(f"correlation has more than one {axis} named {_checks.listed(twice)}")
    ids = [str(name) for name in frame["effect_id"]]
    several = groups.size[groups.code] > 1
    absent = [name for name, used in zip(ids, several, strict=True) if used and name not in named.index]
    absent += [name for name in named.index if name in ids and name not in named.columns]
    if absent:
        raise InputError(
            f"correlation has no row or column for the effects {_checks.listed(absent[:20])}: a DataFrame must be "
            "named by effect_id both ways"
        )
    cells = named.reindex(index=ids, columns=ids)
    try:
        return cells.to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise InputError("correlation must hold numbers; the DataFrame has cells that are not") from error


def _refuse_no_correlations(matrix: FloatArray, frame: pd.DataFrame, groups: Groups) -> None:
    """Raise for the first study whose block of the matrix is not a correlation matrix."""
    ids = frame["effect_id"].tolist()
    for studies, rows in groups.blocks():
        block = matrix[rows[:, :, None], rows[:, None, :]]
        transposed = np.swapaxes(block, -2, -1)
        ones = np.eye(rows.shape[1], dtype=bool)
        checks = (
            ("is not a finite number", ~np.isfinite(block)),
            ("must be 1, as the correlation of an effect with itself", ones & ~np.isclose(block, 1.0, atol=1e-9)),
            ("differs from the one on the other side of the diagonal", ~np.isclose(block, transposed, atol=1e-9)),
        )
        for problem, bad in checks:
            if bad.any():
                study, i, j = (int(at[0]) for at in np.nonzero(bad))
                pair = f"{ids[rows[study, i]]!r} and {ids[rows[study, j]]!r}"
                raise InputError(
                    f"study {groups.names[studies[study]]!r}: the correlation of the effects {pair} {problem}; got "
                    f"{block[study, i, j]:g}"
                )
        impossible = np.linalg.eigvalsh(block)[..., 0] < -ROUNDING * rows.shape[1]
        if impossible.any():
            raise InputError(
                f"the correlations given for study {groups.names[studies[int(np.argmax(impossible))]]!r} cannot all "
                "hold at once: their matrix has a negative eigenvalue"
            )
