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

MeasureName = Literal["COR", "ZCOR", "SMD", "GEN"]


def _same(values: npt.ArrayLike) -> FloatArray:
    return np.asarray(values, dtype=float)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """An effect-size measure.

    Attributes
    ----------
    code : str
        metafor's code.
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
        The column roles that make it, one tuple a route, first choice first.
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


MEASURES: dict[str, Measure] = {
    record.code: record
    for record in (
        Measure(
            code="COR",
            label="Correlation r",
            scale="r",
            display_label="Correlation r",
            display_scale="r",
            bounded=True,
            inputs=(("r", "n"),),
        ),
        Measure(
            code="ZCOR",
            label="Fisher's z of the correlation",
            scale="z",
            display_label="Correlation r",
            display_scale="r",
            bounded=True,
            inputs=(("r", "n"),),
            to_display=conversions.z_to_r,
        ),
        Measure(
            code="SMD",
            label="Standardized mean difference g",
            scale="g",
            display_label="Standardized mean difference g",
            display_scale="g",
            inputs=(("g", "n1", "n2"), ("g", "n")),
        ),
        Measure(
            code="GEN",
            label="Effect",
            scale="effect",
            display_label="Effect",
            display_scale="effect",
            inputs=(("effect", "variance"), ("effect", "std_error")),
        ),
    )
}


def measure(code: str) -> Measure:
    """Look up a measure by its code.

    Parameters
    ----------
    code : str
        ``"COR"``, ``"ZCOR"``, ``"SMD"`` or ``"GEN"``.

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
