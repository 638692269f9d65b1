"""`psychometric()`: the mean of correlations and its variance, freed from sampling error and artefacts."""

from __future__ import annotations

from dataclasses import replace
from math import nan
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from alliance_meta import _checks
from alliance_meta._tables import number
from alliance_meta.effects import EffectSizes
from alliance_meta.effects._attenuation import artefact_values, as_column
from alliance_meta.errors import InputError
from alliance_meta.results._psychometric import (
    PSYCHOMETRIC_METHODS,
    RESTRICTIONS,
    SAMPLING_ERRORS,
    PsychometricMethod,
    PsychometricResult,
    PsychometricSettings,
    SamplingError,
)
from alliance_meta.stats import attenuation
from alliance_meta.stats import psychometric as kernels
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.attenuation import Restriction
from alliance_meta.studies import StudyTable, read_studies

__all__ = ["psychometric"]

_Columns = dict[str, str | npt.ArrayLike | None]
_WHERE: tuple[Literal["restricted", "unrestricted"], ...] = ("restricted", "unrestricted")


class _Artefacts(NamedTuple):
    """One value a row, NaN where a row has none; `reliability_x` is that in the unrestricted population."""

    reliability_x: FloatArray
    reliability_y: FloatArray
    u: FloatArray


class _Analysis(NamedTuple):
    found: kernels.Decomposition
    columns: dict[str, FloatArray]
    notes: list[str]


def psychometric(
    data: pd.DataFrame | StudyTable | EffectSizes | None = None,
    *,
    method: PsychometricMethod | str = "bare-bones",
    r: str | npt.ArrayLike | None = None,
    n: str | npt.ArrayLike | None = None,
    reliability_x: str | npt.ArrayLike | None = None,
    reliability_y: str | npt.ArrayLike | None = None,
    u: str | npt.ArrayLike | None = None,
    restriction: Restriction | str = "none",
    reliability_x_in: Literal["restricted", "unrestricted"] | str | None = None,
    sampling_error: SamplingError | str = "mean-n",
    study: str | npt.ArrayLike | None = None,
) -> PsychometricResult:
    """Meta-analyse correlations as Hunter and Schmidt do, weighted by sample size and corrected for artefacts.

    Parameters
    ----------
    data : DataFrame, Dataset or EffectSizes, optional
        One row a correlation, treated as independent. Of effects (``COR`` or ``ZCOR``) the correlations are taken.
    method : {"bare-bones", "individual", "artefact-distribution"}
        Take out sampling error only; correct each correlation by its own artefacts first; or correct the mean and
        the variance by the distributions of the artefacts, which some rows may lack.
    r, n : column name or array_like of length k
        Correlations and sample sizes; where not given, the columns that play these roles.
    reliability_x, reliability_y : column name, array_like of length k, or number in (0, 1]
        Of the two measures; a measure without one is taken to be free of error.
    u : column name, array_like of length k, or number above 0
        Standard deviation of x in the sample over that in the population that is of interest.
    restriction : {"none", "direct", "indirect"}
        Whether people were selected on x itself (Case II) or on something related to it (Case IV).
    reliability_x_in : {"restricted", "unrestricted"}, optional
        With range restriction: whether `reliability_x` was estimated in the study's own sample, or in the
        population. That of y is always the sample's.
    sampling_error : {"mean-n", "study-n"}
        Sample size in the sampling error variance (1 - mean r**2)**2 / (n - 1): the mean one, or each study's.
    study : column name or array_like, optional
        Names of the studies, shown in the result's table.

    Returns
    -------
    PsychometricResult

    Raises
    ------
    UnknownNameError
        For an unknown method, restriction or column.
    InputError
        For missing or impossible cells (the message names the rows), for artefacts that the method would ignore, and
        for a method without the artefacts it needs. No row is ever left out.

    References
    ----------
    Schmidt, F. L., & Hunter, J. E. (2015). Methods of meta-analysis (3rd ed.), ch. 3-5.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"r": [0.05, 0.25, 0.50], "n": [60, 150, 90], "alpha": [0.70, 0.80, 0.90]})
    >>> psychometric(frame)
    <PsychometricResult: mean ρ = 0.285, 80% credibility interval [0.118, 0.452], k = 3 (bare-bones)>
    >>> psychometric(frame, method="individual", reliability_x="alpha", reliability_y=0.8)
    <PsychometricResult: mean ρ = 0.362, 80% credibility interval [0.180, 0.545], k = 3 (individual)>
    """
    given = {"reliability_x": reliability_x, "reliability_y": reliability_y, "u": u}
    settings = _settings(method, given, restriction, reliability_x_in, sampling_error)
    columns = {role: as_column(value) for role, value in given.items()}
    studies = _read(data, {"r": r, "n": n, "study": study, **columns})
    correlations, sizes = _correlations(studies), _sizes(studies)
    artefacts = _artefacts(studies, given, settings)
    each_n = settings.sampling_error == "study-n"
    bare = kernels.bare_bones(correlations, sizes, each_n=each_n)
    if settings.method == "individual":
        analysis = _individual(correlations, sizes, artefacts, settings, studies)
    elif settings.method == "artefact-distribution":
        analysis = _distribution(bare, sizes, artefacts, settings)
    else:
        analysis = _Analysis(bare, {"weight": sizes}, [])
    return _result(studies, correlations, sizes, artefacts, settings, bare, analysis)


def _settings(
    method: str, given: _Columns, restriction: str, where: str | None, sampling_error: str
) -> PsychometricSettings:
    chosen = _checks.known_name("method", method, tuple(PSYCHOMETRIC_METHODS))
    case = _checks.known_name("restriction", restriction, tuple(RESTRICTIONS))
    error = _checks.known_name("sampling_error", sampling_error, tuple(SAMPLING_ERRORS))
    population = None if where is None else _checks.known_name("reliability_x_in", where, _WHERE)
    artefacts = tuple(role for role, value in given.items() if value is not None)
    if chosen == "bare-bones" and artefacts:
        raise InputError(
            f"method='bare-bones' would ignore {_checks.listed(artefacts)}; choose method='individual' or "
            "method='artefact-distribution'"
        )
    if chosen != "bare-bones" and not artefacts:
        raise InputError(
            f"method={chosen!r} has nothing to correct for: give reliability_x, reliability_y or u, or choose "
            "method='bare-bones'"
        )
    _refuse_half_a_restriction(case, artefacts, population)
    known = population if case != "none" and "reliability_x" in artefacts else None
    return PsychometricSettings(
        method=chosen, corrected_for=artefacts, restriction=case, reliability_x_in=known, sampling_error=error
    )


def _refuse_half_a_restriction(case: Restriction, artefacts: tuple[str, ...], population: str | None) -> None:
    if case == "none" and "u" in artefacts:
        raise InputError("u is given without a kind of range restriction: add restriction='direct' or 'indirect'")
    if case != "none" and "u" not in artefacts:
        raise InputError(
            f"restriction={case!r} needs u, the standard deviation of x in the sample over that in the population"
        )
    if case == "indirect" and "reliability_x" not in artefacts:
        raise InputError(
            "restriction='indirect' needs reliability_x, to tell the restriction of true scores from u; with "
            "reliability_x=1 it is restriction='direct'"
        )
    if case != "none" and "reliability_x" in artefacts and population is None:
        raise InputError(
            "with range restriction the reliability of x differs between sample and population: say which was given, "
            "reliability_x_in='restricted' (estimated in the study's own sample) or 'unrestricted'"
        )


def _read(data: pd.DataFrame | StudyTable | EffectSizes | None, roles: _Columns) -> StudyTable:
    studies = _read_effects(data, roles) if isinstance(data, EffectSizes) else read_studies(data, **roles)
    missing = [role for role in ("r", "n") if not studies.has(role)]
    if missing:
        raise InputError(
            f"psychometric() needs {_checks.listed(missing)}; this table has columns "
            f"{_checks.listed(list(studies.frame.columns))}. Name the columns to use, such as "
            f"psychometric(frame, {missing[0]}='my_column', ...)."
        )
    return studies


def _read_effects(effects: EffectSizes, roles: _Columns) -> StudyTable:
    if effects.measure.code not in ("COR", "ZCOR"):
        raise InputError(
            f"psychometric() takes correlations, measure 'COR' or 'ZCOR'; these effects are {effects.measure.code!r}"
        )
    if any("attenuation corrected" in str(route) for route in effects.table["route"]):
        raise InputError(
            "these effects are corrected for attenuation already; give psychometric() the original ones, with their "
            "reliabilities"
        )
    r = effects.measure.to_display(effects.effect) if roles["r"] is None else roles["r"]
    return replace(read_studies(effects.table, **{**roles, "r": r}), caveat=effects.caveat)


def _correlations(studies: StudyTable) -> FloatArray:
    r = studies.numbers("r")
    _checks.refuse_rows(
        studies.roles["r"],
        "holds correlations beyond -1 or 1, which cannot be",
        "Correct them; percentages must be divided by 100.",
        np.abs(r) > 1.0,
        studies.column("r").tolist(),
        studies.index,
    )
    return r


def _sizes(studies: StudyTable) -> FloatArray:
    n = studies.numbers("n")
    problem, remedy = "must exceed 1 for the sampling error of a correlation", "Leave those rows out."
    _checks.refuse_rows(studies.roles["n"], problem, remedy, n <= 1.0, studies.column("n").tolist(), studies.index)
    return n


def _artefacts(studies: StudyTable, given: _Columns, settings: PsychometricSettings) -> _Artefacts:
    remedy = "Fill them in, give one number for all rows, or choose method='artefact-distribution'."
    some = settings.method == "artefact-distribution"
    values = {
        role: artefact_values(studies, role, value, remedy=remedy, allow_missing=some) for role, value in given.items()
    }
    for role, array in values.items():
        if np.isnan(array).all():
            raise InputError(f"column {studies.roles[role]!r} holds no value at all; leave {role} out or give a number")
    found = _Artefacts(**values)
    if settings.reliability_x_in != "restricted":
        return found
    filled = np.where(np.isnan(found.u), np.nanmean(found.u), found.u)
    in_population = attenuation.unrestricted_reliability(found.reliability_x, filled)
    _checks.refuse_rows(
        studies.roles.get("reliability_x", "reliability_x"),
        "would be 0 or less in the population, given u",
        "Check whether u is the sample's standard deviation over the population's, and not the other way round.",
        in_population <= 0.0,
        found.reliability_x.tolist(),
        studies.index,
    )
    return found._replace(reliability_x=in_population)


def _individual(
    r: FloatArray, n: FloatArray, artefacts: _Artefacts, settings: PsychometricSettings, studies: StudyTable
) -> _Analysis:
    if settings.restriction == "indirect":
        bad = np.isnan(attenuation.true_score_u(artefacts.u, artefacts.reliability_x))
        problem = "is too small for the reliability of x: errors of measurement alone would make x vary more"
        remedy = "Check both; was the reliability estimated in the sample (reliability_x_in='restricted')?"
        _checks.refuse_rows(studies.roles.get("u", "u"), problem, remedy, bad, artefacts.u.tolist(), studies.index)
    correction = attenuation.corrected(r, **artefacts._asdict(), restriction=settings.restriction)
    impossible = np.isnan(correction.value)
    remedy = "Check the reliabilities, and whether u is the sample's standard deviation over the population's."
    _checks.refuse_rows(
        studies.roles["r"], "cannot be with these artefacts", remedy, impossible, r.tolist(), studies.index
    )
    found = kernels.individual_corrections(r, n, correction, each_n=settings.sampling_error == "study-n")
    typical = float(kernels.bare_bones(r, n).mean)
    error = (1.0 - typical**2) ** 2 / (n - 1.0)
    columns = {
        "attenuation": correction.factor,
        "r_corrected": correction.value,
        "variance_corrected": error * correction.slope**2,
        "weight": n * correction.factor**2,
    }
    beyond = studies.index[np.abs(correction.value) > 1.0].tolist()
    notes = (
        [
            f"{len(beyond)} of {len(r)} corrected correlations lie beyond -1 or 1 (row {', '.join(map(str, beyond))}): "
            "they are kept, since leaving out the highest would bias the mean."
        ]
        if beyond
        else []
    )
    return _Analysis(found, columns, notes)


def _distribution(
    bare: kernels.Decomposition, n: FloatArray, artefacts: _Artefacts, settings: PsychometricSettings
) -> _Analysis:
    q_x, q_y = (kernels.artefact_moments(np.sqrt(artefacts[i])) for i in (0, 1))
    found = kernels.artefact_distribution(
        bare, q_x, q_y, kernels.artefact_moments(artefacts.u), restriction=settings.restriction
    )
    if np.isnan(found.mean):
        raise InputError(
            "the mean correlation cannot be with the mean artefacts; check the reliabilities, and whether u is the "
            "sample's standard deviation over the population's"
        )
    notes = []
    for role in settings.corrected_for:
        values = kernels.artefact_moments(getattr(artefacts, role))
        where = " in the population" if role == "reliability_x" and settings.reliability_x_in else ""
        spread = number(float(np.sqrt(values.variance)))
        notes.append(
            f"{role} from {values.k:.0f} of {len(n)} rows: mean {number(float(values.mean))}{where}, SD {spread}"
        )
    return _Analysis(found, {"weight": n}, notes)


def _result(
    studies: StudyTable,
    r: FloatArray,
    n: FloatArray,
    artefacts: _Artefacts,
    settings: PsychometricSettings,
    bare: kernels.Decomposition,
    analysis: _Analysis,
) -> PsychometricResult:
    found = analysis.found
    names = studies.column("study").tolist() if studies.has("study") else [f"Study {i + 1}" for i in range(len(r))]
    used = {role: values for role, values in artefacts._asdict().items() if role in settings.corrected_for}
    frame = pd.DataFrame({"study": names, "r": r, "n": n, **used, **analysis.columns}, index=studies.index)
    shared = {name: float(getattr(found, name)) for name in found._fields if name not in ("mean", "k")}
    return PsychometricResult(
        k=len(r),
        n=float(n.sum()),
        mean_r=float(bare.mean),
        sd_r=float(np.sqrt(bare.variance_observed)) if len(r) > 1 else nan,
        mean_rho=float(found.mean),
        **shared,
        settings=settings,
        notes=(*_notes(found, artefacts, len(set(names))), *analysis.notes),
        caveat=studies.caveat,
        _frame=frame,
    )


def _notes(found: kernels.Decomposition, artefacts: _Artefacts, studies: int) -> list[str]:
    notes = []
    k = int(found.k)
    if k == 1:
        notes.append("One correlation: differences between studies and intervals cannot be computed.")
    elif found.variance_observed == 0.0:
        notes.append("The correlations are identical: there is no variance to account for, and SD of ρ is 0.")
    elif found.variance_residual < 0.0:
        notes.append(
            "Sampling error and artefacts would make the correlations differ more than they do (more than 100% of the "
            "variance accounted for), so SD of ρ is 0."
        )
    if abs(found.mean) > 1.0:
        notes.append(
            "The corrected mean lies beyond -1 or 1: the reliabilities or u are too low for these correlations."
        )
    if (wider := int((artefacts.u > 1.0).sum())) > 0:
        notes.append(
            f"u exceeds 1 in {wider} of {k} rows: there x varies more in the sample than in the population, and the "
            "correction lowers the correlation."
        )
    if studies < k:
        notes.append(f"The {k} correlations come from {studies} studies, but are treated as independent.")
    return notes
