"""`correct_attenuation()`: correlations as perfectly reliable measures would have given them."""

from __future__ import annotations

from dataclasses import replace
from numbers import Real

import numpy as np
import numpy.typing as npt

from alliance_meta import _checks
from alliance_meta.effects._given import given_effects
from alliance_meta.effects._record import EffectSizes
from alliance_meta.errors import InputError
from alliance_meta.stats import attenuation, conversions
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.studies import StudyTable, read_studies

__all__ = ["artefact_values", "as_column", "correct_attenuation"]

_CORRECTED = " / attenuation corrected"
_HIGHEST = {"reliability_x": 1.0, "reliability_y": 1.0, "u": float("inf")}
_RANGE = {
    "reliability_x": "must lie above 0 and not above 1, as a reliability does",
    "reliability_y": "must lie above 0 and not above 1, as a reliability does",
    "u": "must exceed 0, as a ratio of standard deviations does",
}


def correct_attenuation(
    effects: EffectSizes,
    *,
    reliability_x: str | npt.ArrayLike | None = None,
    reliability_y: str | npt.ArrayLike | None = None,
) -> EffectSizes:
    """Correct correlations for unreliability of measurement, each by its own reliabilities.

    r becomes r / A, where A = sqrt(reliability_x reliability_y), and the sampling variance of r is divided by A**2.
    Fisher's z is taken to r, corrected and taken back; its variance is multiplied by the squared derivative of the
    new z by the old one, (1 - r**2) / (A (1 - (r / A)**2)) (delta method). The reliabilities are taken as known.

    Parameters
    ----------
    effects : EffectSizes
        Of measure ``COR`` or ``ZCOR``.
    reliability_x, reliability_y : column name, array_like of length k, or number in (0, 1]
        Of the two measures that were correlated, such as coefficient alpha; a column of ``effects.table``. At least
        one; the other measure is then taken to be free of error.

    Returns
    -------
    EffectSizes
        On the same scale; a note and each `route` say so, and the table's column ``attenuation`` holds A.

    Raises
    ------
    UnknownNameError
        For an unknown column.
    InputError
        For another measure, effects that are corrected already, a missing or impossible reliability, or a corrected
        correlation of 1 or more: the message names the rows. No row is ever left out.

    References
    ----------
    Spearman, C. (1904). American Journal of Psychology, 15, 72-101.
    Schmidt, F. L., & Hunter, J. E. (2015). Methods of meta-analysis (3rd ed.), ch. 3.

    Examples
    --------
    >>> import pandas as pd
    >>> from alliance_meta.effects import effect_sizes
    >>> frame = pd.DataFrame({"r": [0.30, 0.20], "n": [101, 51], "alpha_x": [0.81, 0.64]})
    >>> effects = correct_attenuation(effect_sizes(frame, measure="COR"), reliability_x="alpha_x", reliability_y=0.64)
    >>> print(effects.table[["effect", "variance", "attenuation"]].round(4).to_string(index=False))
     effect  variance  attenuation
     0.4167     0.016         0.72
     0.3125     0.045         0.64
    """
    _refuse_what_cannot_be_corrected(effects)
    given = {"reliability_x": reliability_x, "reliability_y": reliability_y}
    if all(value is None for value in given.values()):
        raise InputError("correct_attenuation() needs a reliability: give reliability_x, reliability_y or both")
    studies = read_studies(effects.table, **{role: as_column(value) for role, value in given.items()})
    remedy = "Fill them in, give one number for all, or leave those rows out before effect_sizes()."
    reliabilities = [artefact_values(studies, role, value, remedy=remedy) for role, value in given.items()]
    r = effects.measure.to_display(effects.effect)
    found = attenuation.corrected(r, reliability_x=reliabilities[0], reliability_y=reliabilities[1])
    _refuse_impossible(found.value, studies)
    measures = " and ".join(role[-1] for role, value in given.items() if value is not None)
    return _with_correction(effects, r, found, measures)


def _refuse_what_cannot_be_corrected(effects: EffectSizes) -> None:
    given_effects(effects, "correct_attenuation")
    if effects.measure.code not in ("COR", "ZCOR"):
        raise InputError(
            f"correct_attenuation() corrects correlations, measure 'COR' or 'ZCOR'; these are {effects.measure.code!r}"
        )
    if any(str(route).endswith(_CORRECTED) for route in effects.table["route"]):
        raise InputError(
            "these effects are corrected for attenuation already; correct the original ones, giving both reliabilities "
            "in one call"
        )


def as_column(value: str | npt.ArrayLike | None) -> str | npt.ArrayLike | None:
    """What `read_studies` is to know of an artefact: a column name or an array, but no single number."""
    return None if isinstance(value, Real) else value


def artefact_values(
    studies: StudyTable, role: str, value: str | npt.ArrayLike | None, *, remedy: str, allow_missing: bool = False
) -> FloatArray:
    """Read an artefact: 1 where none was given, one number for all rows, or a column.

    Parameters
    ----------
    studies : StudyTable
        Read with `as_column(value)`.
    role : {"reliability_x", "reliability_y", "u"}
    value : column name, array_like, number or None
        As the caller gave it.
    remedy : str
        What to do about empty cells.
    allow_missing : bool
        Let empty cells through as NaN.

    Returns
    -------
    ndarray, shape (k,)
    """
    rows = len(studies.index)
    if value is None:
        return np.ones(rows)
    if isinstance(value, Real):
        if isinstance(value, bool) or not 0.0 < float(value) <= _HIGHEST[role] or np.isinf(float(value)):
            raise InputError(f"{role} {_RANGE[role]}; got {value!r}")
        return np.full(rows, float(value))
    column, cells = studies.roles[role], studies.column(role).tolist()
    numbers = studies.numbers(role, allow_missing=True)
    outside = (numbers <= 0.0) | (numbers > _HIGHEST[role])
    correct = "Correct them; percentages must be divided by 100." if role != "u" else "Correct them."
    _checks.refuse_rows(column, _RANGE[role], correct, outside, cells, studies.index)
    if not allow_missing:
        _checks.refuse_rows(column, "has empty cells", remedy, np.isnan(numbers), cells, studies.index)
    return numbers


def _refuse_impossible(value: FloatArray, studies: StudyTable) -> None:
    _checks.refuse_rows(
        "effect",
        "would hold correlations of 1 or more (or -1 or less) after the correction",
        "Check their reliabilities; psychometric(method='individual') can use such rows, since it averages over them.",
        np.abs(value) >= 1.0,
        value.round(3).tolist(),
        studies.index,
    )


def _with_correction(effects: EffectSizes, r: FloatArray, found: attenuation.Correction, measures: str) -> EffectSizes:
    slope = found.slope
    effect = found.value
    if effects.measure.code == "ZCOR":
        slope = slope * (1.0 - r**2) / (1.0 - effect**2)
        effect = conversions.r_to_z(effect)
    variance = effects.variance * slope**2
    effect.flags.writeable = variance.flags.writeable = False
    table = effects.table
    name = "attenuation"
    while name in table.columns:
        name = f"{name}_factor"
    table = table.assign(effect=effect, variance=variance, route=table["route"] + _CORRECTED)
    table[name] = found.factor
    note = (
        f"Corrected for unreliability of {measures}: r is divided by {found.factor.mean():.3f} on average; the "
        "reliabilities are taken as known."
    )
    return replace(effects, effect=effect, variance=variance, notes=(*effects.notes, note), _frame=table)
