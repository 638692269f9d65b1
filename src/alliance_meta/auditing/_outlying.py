"""Checks for effects that do not look like the others, and for a mixture of kinds of effects."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from alliance_meta.auditing._check import Check, Finding, positions
from alliance_meta.auditing._columns import Columns
from alliance_meta.stats import conversions, sampling_variance
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.tau2 import tau2_dl
from alliance_meta.stats.weighted import weighted_mean

__all__ = ["CHECKS", "leave_one_out"]

_FEWEST = 5
_FEWEST_FOR_SPREAD = 8
_EXACT_UP_TO = 1_000
_FAR = 3.0
_FAR_ROBUST = 4.0
_UNUSUAL, _TYPICAL, _STRONG, _AGREEING = 2.0, 1.0, 1.96, 0.8
_NOT_ADJUSTED = {"", "0", "0.0", "no", "n", "none", "false", "raw", "unadjusted", "zero-order"}


class _Effects(NamedTuple):
    """The rows that have an effect of one kind with its variance, on the scale that is pooled."""

    role: str
    rows: npt.NDArray[np.intp]
    effect: FloatArray
    variance: FloatArray


def _effects(columns: Columns) -> _Effects:
    """The kind of effect that most rows have, turned by its direction."""
    n, n1, n2 = (columns.valid(role) for role in ("n", "n1", "n2"))
    n1, n2 = (np.where(np.isnan(n1 + n2), n / 2.0, one) for one in (n1, n2))
    variance = columns.valid("variance")
    error = columns.valid("std_error")
    sources = {
        "effect": (columns.valid("effect"), np.where(np.isnan(variance), error**2, variance)),
        "r": (conversions.r_to_z(columns.valid("r")), sampling_variance.variance_of_fisher_z(n)),
        "g": (columns.valid("g"), sampling_variance.variance_of_smd(columns.valid("g"), n1, n2)),
        "d": (columns.valid("d"), sampling_variance.variance_of_smd(columns.valid("d"), n1, n2)),
    }
    usable = {role: np.isfinite(y + 1.0 / v) & (v > 0.0) for role, (y, v) in sources.items()}
    role = max(sources, key=lambda one: int(usable[one].sum()))
    direction = columns.valid("direction")
    y, v = sources[role]
    y = np.where(direction == -1.0, -y, y)
    rows = np.flatnonzero(usable[role])
    return _Effects(role, rows, y[rows], v[rows])


def leave_one_out(effect: FloatArray, variance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What the other effects predict for each one: a random-effects mean, and its standard error as a new effect.

    DerSimonian and Laird's tau2, estimated again without each effect; beyond 1,000 effects, where one of them
    hardly moves it, estimated once from all.

    Returns
    -------
    mean, std_error : ndarray, shape (k,)
    """
    if len(effect) <= _EXACT_UP_TO:
        include = 1.0 - np.eye(len(effect))
        tau2 = tau2_dl(effect, variance, include).estimate
        others = weighted_mean(effect, variance, tau2, include)
        return others.estimate, np.sqrt(variance + tau2 + others.std_error**2)
    tau2 = tau2_dl(effect, variance).estimate
    weight = 1.0 / (variance + tau2)
    rest = weight.sum() - weight
    centre = weighted_mean(effect, variance, tau2).estimate
    mean = centre - weight * (effect - centre) / rest
    return mean, np.sqrt(variance + tau2 + 1.0 / rest)


def _too_few(columns: Columns) -> str:
    usable = len(_effects(columns).rows)
    return "" if usable >= _FEWEST else f"needs {_FEWEST} rows with an effect and its n or variance, has {usable}"


def _beyond(columns: Columns) -> Iterator[Finding]:
    found = _effects(columns)
    mean, error = leave_one_out(found.effect, found.variance)
    residual = (found.effect - mean) / error
    k = len(residual)
    by_chance = 2.0 * float(special.ndtr(-_FAR)) * k
    for j in positions(np.abs(residual) > _FAR):
        i = int(found.rows[j])
        seen = (
            f"{columns.words(i, found.role)} lies {residual[j]:+.1f} standard errors from what the other "
            f"{k - 1} effects predict ({_shown(found.role, mean[j]):.2f})"
        )
        advice = f"Check it, and pool with and without it. By chance, about {by_chance:.2g} of {k} would lie so far."
        yield Finding(i, "warning", seen, advice)


def _shown(role: str, value: float) -> float:
    return float(conversions.z_to_r(value)) if role == "r" else value


def _flipped(columns: Columns) -> Iterator[Finding]:
    found = _effects(columns)
    y, v = found.effect, found.variance
    mean, error = leave_one_out(y, v)
    k = len(y)
    like = np.where(mean > 0.0, np.count_nonzero(y > 0.0), np.count_nonzero(y < 0.0))
    agreeing = (like - (y * mean > 0.0)) / (k - 1.0)
    odd = (y * mean < 0.0) & (np.abs(y) > _STRONG * np.sqrt(v)) & (np.abs(y - mean) > _UNUSUAL * error)
    mirrored = np.abs(-y - mean) < _TYPICAL * error
    for j in positions(odd & mirrored & (agreeing >= _AGREEING)):
        i = int(found.rows[j])
        seen = (
            f"{columns.words(i, found.role)}, where {100 * agreeing[j]:.0f}% of the other {k - 1} effects have the "
            f"other sign and predict {_shown(found.role, mean[j]):.2f}; with its sign turned it would be typical"
        )
        yield Finding(i, "warning", seen, "Check the coding: a scale on which less is better turns the sign.")


def _far_from_rest(log: FloatArray) -> Iterator[tuple[int, float, float]]:
    """Rows far from the median in units of the spread, both robust: position, distance, median."""
    known = log[np.isfinite(log)]
    if len(known) < _FEWEST_FOR_SPREAD:
        return
    middle = float(np.median(known))
    spread = 1.4826 * float(np.median(np.abs(known - middle)))
    if spread == 0.0:
        return
    distance = (log - middle) / spread
    for i in positions(np.abs(np.where(np.isfinite(distance), distance, 0.0)) > _FAR_ROBUST):
        yield int(i), float(distance[i]), float(np.exp(middle))


def _sizes(columns: Columns) -> Iterator[Finding]:
    n, n1, n2 = (columns.valid(role) for role in ("n", "n1", "n2"))
    for i, distance, middle in _far_from_rest(np.log(np.where(np.isnan(n), n1 + n2, n))):
        held = columns.words(i, "n", "n1", "n2")
        seen = f"{held}, where the median is {middle:.4g} (robust z {distance:+.1f} on the log)"
        yield Finding(i, "note", seen, "Check for a lost or an extra digit; a large study may carry the result alone.")


def _precisions(columns: Columns) -> Iterator[Finding]:
    error, variance = columns.valid("std_error"), columns.valid("variance")
    for i, distance, middle in _far_from_rest(np.log(np.where(np.isnan(error), np.sqrt(variance), error))):
        held = columns.words(i, "std_error", "variance")
        seen = f"{held}, where the median standard error is {middle:.4g} (robust z {distance:+.1f} on the log)"
        yield Finding(i, "note", seen, "Check whether a standard deviation or a variance was copied instead.")


def _adjusting_columns(columns: Columns) -> list[str]:
    names = [name for name in columns.frame.columns if isinstance(name, str)]
    return [name for name in names if re.search(r"adjust|partial|(^|_)beta(_|\d|$)", name, flags=re.IGNORECASE)]


def _no_adjusting_column(columns: Columns) -> str:
    return "" if _adjusting_columns(columns) else "needs a column named like adjusted, partial or beta"


def _mixture(columns: Columns) -> Iterator[Finding]:
    for name in _adjusting_columns(columns):
        cells = columns.frame[name]
        texts = [str(cell).strip().casefold() for cell in cells.tolist()]
        flags = set(texts) <= {"0", "1", "0.0", "1.0", "nan", "none", "<na>", ""}
        gone = cells.isna().to_numpy(dtype=bool)
        number = ~np.isnan(columns.cells(name).numbers)
        marked = np.array([text not in _NOT_ADJUSTED for text in texts], dtype=bool) | (number & (not flags))
        rows = np.flatnonzero(marked & ~gone).tolist()
        if 0 < len(rows) < columns.k:
            seen = f"{name} is given in {len(rows)} of {columns.k} rows: {columns.rows(rows)}"
            advice = "Adjusted and raw effects answer different questions: compare them, or pool one kind only."
            yield Finding(rows[0], "note", seen, advice)


CHECKS: tuple[Check, ...] = (
    Check(
        name="effect_outlying",
        family="outlying",
        about="an effect over 3 standard errors from what all others predict (random effects, DerSimonian and Laird)",
        needs=(("r", "n"), ("g", "n"), ("g", "n1", "n2"), ("d", "n"), ("d", "n1", "n2"), ("effect",)),
        find=_beyond,
        lacks=_too_few,
    ),
    Check(
        name="sign_flipped",
        family="outlying",
        about="a strong effect against the sign of the others that would be typical with its sign turned",
        needs=(("r", "n"), ("g", "n"), ("g", "n1", "n2"), ("d", "n"), ("d", "n1", "n2"), ("effect",)),
        find=_flipped,
        lacks=_too_few,
    ),
    Check(
        name="n_outlying",
        family="outlying",
        about="a sample size far from the others on the logarithm (robust z over 4)",
        needs=(("n",), ("n1", "n2")),
        find=_sizes,
    ),
    Check(
        name="std_error_outlying",
        family="outlying",
        about="a standard error far from the others on the logarithm (robust z over 4)",
        needs=(("std_error",), ("variance",)),
        find=_precisions,
    ),
    Check(
        name="adjusted_and_raw",
        family="outlying",
        about="adjusted effects in some rows only",
        find=_mixture,
        lacks=_no_adjusting_column,
    ),
)
