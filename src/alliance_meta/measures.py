"""The effect-size measures: what each is called, its null value, and the scale it is shown on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from alliance_meta import _checks
from alliance_meta.stats import conversions
from alliance_meta.stats._arrays import FloatArray

__all__ = ["MEASURES", "Measure", "MeasureName", "measure"]

MeasureName = Literal[
    "COR",
    "UCOR",
    "ZCOR",
    "PCOR",
    "ZPCOR",
    "SPCOR",
    "RPB",
    "ZPB",
    "RBIS",
    "MD",
    "SMD",
    "SMDH",
    "SMD1",
    "SMD1H",
    "ROM",
    "D2ORN",
    "D2ORL",
    "D2OR",
    "MC",
    "SMCC",
    "SMCR",
    "SMCRH",
    "ROMC",
    "PPC",
    "OR",
    "RR",
    "RD",
    "PHI",
    "OR2DN",
    "OR2DL",
    "OR2D",
    "ARAW",
    "AHW",
    "ABT",
    "GEN",
]
"""The codes of the measures: metafor's, and ``PPC``."""


def _same(values: npt.ArrayLike) -> FloatArray:
    return np.asarray(values, dtype=float)


def _ratio(values: npt.ArrayLike) -> FloatArray:
    """Ratio of a logarithm; infinite where it is too large for a number."""
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(np.asarray(values, dtype=float)))


def _alpha_of_cube_root(values: npt.ArrayLike) -> FloatArray:
    return np.asarray(1.0 - (1.0 - np.asarray(values, dtype=float)) ** 3)


def _alpha_of_logarithm(values: npt.ArrayLike) -> FloatArray:
    with np.errstate(over="ignore"):
        return np.asarray(-np.expm1(-np.asarray(values, dtype=float)))


_INVERSES: dict[Callable[[npt.ArrayLike], FloatArray], Callable[[npt.ArrayLike], FloatArray]] = {
    _same: _same,
    conversions.z_to_r: conversions.r_to_z,
    _ratio: lambda values: np.asarray(np.log(np.asarray(values, dtype=float))),
    _alpha_of_cube_root: lambda values: np.asarray(1.0 - np.cbrt(1.0 - np.asarray(values, dtype=float))),
    _alpha_of_logarithm: lambda values: np.asarray(-np.log1p(-np.asarray(values, dtype=float))),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """An effect-size measure.

    Attributes
    ----------
    code : str
        metafor's code; ``PPC`` is not in metafor.
    label : str
        What the analysed number is.
    scale : str
        Short name of the scale that is analysed: ``"z"`` for Fisher's z.
    display_label : str
        What is shown to people.
    display_scale : str
        Short name of the scale shown to people: ``"r"`` for Fisher's z.
    null : float
        Value of no effect, on the analysed scale.
    bounded : bool
        Whether the shown number stays within -1 and 1, so that APA style drops its leading zero.
    inputs : tuple of tuple of str
        The column roles that it is made from directly, first choice first; `effect_sizes()` has more routes to some.
    to_display : callable
        From the analysed to the shown scale; strictly increasing.
    """

    code: str
    label: str
    scale: str
    display_label: str
    display_scale: str
    null: float = 0.0
    bounded: bool = False
    inputs: tuple[tuple[str, ...], ...]
    to_display: Callable[[npt.ArrayLike], FloatArray] = field(default=_same, repr=False)

    def from_display(self, values: npt.ArrayLike) -> FloatArray:
        """From the shown to the analysed scale: the inverse of `to_display`; NaN where nothing is shown as that."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return _INVERSES[self.to_display](values)

    @property
    def is_ratio(self) -> bool:
        """Whether a logarithm is analysed and the ratio is shown."""
        return self.scale.startswith("log ")


_GROUPS = ("mean1", "mean2", "sd1", "sd2", "n1", "n2")
_PRE_POST = ("mean_pre", "mean_post", "sd_pre", "sd_post", "r_pre_post", "n")
_TABLE = ("events1", "n1", "events2", "n2")
_ALPHA = ("alpha", "n_items", "n")


def _record(
    code: str,
    label: str,
    scale: str,
    *inputs: tuple[str, ...],
    shown: tuple[str, str] = ("", ""),
    bounded: bool = False,
    to_display: Callable[[npt.ArrayLike], FloatArray] = _same,
) -> Measure:
    return Measure(
        code=code,
        label=label,
        scale=scale,
        display_label=shown[0] or label,
        display_scale=shown[1] or scale,
        bounded=bounded,
        inputs=inputs,
        to_display=to_display,
    )


def _correlation(code: str, label: str, *inputs: tuple[str, ...], scale: str = "r", bounded: bool = True) -> Measure:
    return _record(code, label, scale, *inputs, bounded=bounded)


def _fisher(code: str, label: str, shown: str, *inputs: tuple[str, ...]) -> Measure:
    return _record(code, label, "z", *inputs, shown=(shown, "r"), bounded=True, to_display=conversions.z_to_r)


def _log(code: str, what: str, short: str, inputs: tuple[str, ...]) -> Measure:
    label = f"Log {what}"
    return _record(code, label, f"log {short}", inputs, shown=(what.capitalize(), short), to_display=_ratio)


_RECORDS = (
    _correlation("COR", "Correlation r", ("r", "n")),
    _correlation("UCOR", "Correlation r, without bias", ("r", "n")),
    _fisher("ZCOR", "Fisher's z of the correlation", "Correlation r", ("r", "n")),
    _correlation("PCOR", "Partial correlation r", ("t", "df", "n")),
    _fisher("ZPCOR", "Fisher's z of the partial correlation", "Partial correlation r", ("t", "df")),
    _correlation("SPCOR", "Semi-partial correlation r", ("t", "df", "r2", "n")),
    _correlation("RPB", "Point-biserial correlation r", _GROUPS),
    _fisher("ZPB", "Fisher's z of the point-biserial correlation", "Point-biserial correlation r", _GROUPS),
    _correlation("RBIS", "Biserial correlation r", _GROUPS, bounded=False),
    _record("MD", "Mean difference", "difference", _GROUPS),
    _record("SMD", "Standardized mean difference g", "g", ("g", "n1", "n2"), ("g", "n")),
    _record("SMDH", "Standardized mean difference, unequal variances", "g", _GROUPS),
    _record("SMD1", "Glass's delta", "delta", ("mean1", "mean2", "sd2", "n1", "n2")),
    _record("SMD1H", "Glass's delta, unequal variances", "delta", _GROUPS),
    _log("ROM", "ratio of means", "ratio", _GROUPS),
    _log("D2ORN", "odds ratio of d (normal)", "OR", _GROUPS),
    _log("D2ORL", "odds ratio of d (logistic)", "OR", _GROUPS),
    _log("D2OR", "odds ratio of d", "OR", _GROUPS),
    _record("MC", "Mean change", "change", _PRE_POST),
    _record("SMCC", "Standardized mean change", "g", _PRE_POST),
    _record("SMCR", "Standardized mean change, raw", "g", ("mean_pre", "mean_post", "sd_pre", "r_pre_post", "n")),
    _record("SMCRH", "Standardized mean change, raw, unequal variances", "g", _PRE_POST),
    _log("ROMC", "ratio of means after and before", "ratio", _PRE_POST),
    _record(
        "PPC",
        "Difference of standardized mean changes",
        "g",
        tuple(f"{role}{group}" for group in (1, 2) for role in ("mean_pre", "mean_post", "sd_pre", "r_pre_post", "n")),
    ),
    _log("OR", "odds ratio", "OR", _TABLE),
    _log("RR", "risk ratio", "RR", _TABLE),
    _record("RD", "Risk difference", "RD", _TABLE, bounded=True),
    _correlation("PHI", "Phi coefficient", _TABLE, scale="phi"),
    _record("OR2DN", "Standardized mean difference of the odds ratio (normal)", "d", _TABLE),
    _record("OR2DL", "Standardized mean difference of the odds ratio (logistic)", "d", _TABLE),
    _record("OR2D", "Standardized mean difference of the odds ratio", "d", _TABLE),
    _record("ARAW", "Coefficient alpha", "alpha", _ALPHA, bounded=True),
    _record(
        "AHW",
        "Coefficient alpha, 1 - (1 - alpha)^(1/3)",
        "cube root",
        _ALPHA,
        shown=("Coefficient alpha", "alpha"),
        bounded=True,
        to_display=_alpha_of_cube_root,
    ),
    _record(
        "ABT",
        "Coefficient alpha, -log(1 - alpha)",
        "log",
        _ALPHA,
        shown=("Coefficient alpha", "alpha"),
        bounded=True,
        to_display=_alpha_of_logarithm,
    ),
    _record(
        "GEN", "Effect", "effect", ("effect", "variance"), ("effect", "std_error"), ("effect", "ci_low", "ci_high")
    ),
)

MEASURES: dict[str, Measure] = {record.code: record for record in _RECORDS}
"""The measures by their codes."""


def measure(code: str) -> Measure:
    """Look up a measure by its code.

    Parameters
    ----------
    code : str
        One of `MEASURES`, such as ``"ZCOR"`` or ``"SMD"``.

    Raises
    ------
    UnknownNameError
        With the nearest known code.

    Examples
    --------
    >>> measure("ZCOR").display_label
    'Correlation r'
    """
    return MEASURES[_checks.known_name("measure", code, tuple(MEASURES))]
