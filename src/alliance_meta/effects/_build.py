"""`effect_sizes()`: a table of studies becomes effects with their sampling variances."""

from __future__ import annotations

from math import isfinite

import numpy as np
import numpy.typing as npt
import pandas as pd

from alliance_meta import _checks, measures
from alliance_meta.effects._record import EffectSizes
from alliance_meta.errors import InputError
from alliance_meta.measures import Measure, MeasureName
from alliance_meta.stats import conversions, sampling_variance
from alliance_meta.stats._arrays import BoolArray, FloatArray
from alliance_meta.studies import StudyTable, read_studies

__all__ = ["effect_sizes"]

_OWN_COLUMNS = ("effect_id", "study", "label", "effect", "variance", "route")


def effect_sizes(
    data: pd.DataFrame | StudyTable | None = None,
    *,
    measure: MeasureName | str = "ZCOR",
    study: str | npt.ArrayLike | None = None,
    label: str | npt.ArrayLike | None = None,
    effect_id: str | npt.ArrayLike | None = None,
    r: str | npt.ArrayLike | None = None,
    n: str | npt.ArrayLike | None = None,
    g: str | npt.ArrayLike | None = None,
    n1: str | npt.ArrayLike | None = None,
    n2: str | npt.ArrayLike | None = None,
    effect: str | npt.ArrayLike | None = None,
    variance: str | npt.ArrayLike | None = None,
    std_error: str | npt.ArrayLike | None = None,
) -> EffectSizes:
    """Turn a table of studies into effects with sampling variances.

    Every argument but `data` and `measure` gives a role its column: a column name, or an array of length k. A
    role not given is looked up in the data set's own description, then among columns of the same name.

    Parameters
    ----------
    data : DataFrame or Dataset, optional
        One row an effect.
    measure : {"ZCOR", "COR", "SMD", "GEN"}
        ``ZCOR`` Fisher's z and ``COR`` the raw correlation, from `r` and `n`; ``SMD`` from a reported `g` with
        `n1` and `n2`, or with `n` alone and equal groups assumed (then `route` says so); ``GEN`` from a
        ready-made `effect` with its `variance` or `std_error`.
    study, label, effect_id : column name or array_like
        Names of the study, what tables and plots call it, and a unique name of the row.
    r, n, g, n1, n2, effect, variance, std_error : column name or array_like
        The numbers the measure is made from; `n` also says how many people stand behind an effect.

    Returns
    -------
    EffectSizes
        Its `route` column says for each row how the effect was made; all other columns are kept.

    Raises
    ------
    UnknownNameError
        For an unknown measure or column.
    InputError
        For missing, non-numeric, infinite or impossible cells and duplicate effect ids: the message names the
        column and every row. No row is ever left out.

    References
    ----------
    Variances: Hedges & Olkin (1985); Fisher (1921); Hedges (1982). The same as metafor's ``escalc`` with its
    default ``vtype="LS"``.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"who": ["A", "B"], "corr": [0.3, -0.1], "size": [103, 53]})
    >>> effects = effect_sizes(frame, measure="ZCOR", r="corr", n="size", study="who")
    >>> print(effects.table[["study", "effect", "variance", "route"]].round(3).to_string(index=False))
    study  effect  variance route
        A    0.31      0.01  r, n
        B   -0.10      0.02  r, n
    """
    record = measures.measure(measure)
    studies = read_studies(
        data,
        study=study,
        label=label,
        effect_id=effect_id,
        r=r,
        n=n,
        g=g,
        n1=n1,
        n2=n2,
        effect=effect,
        variance=variance,
        std_error=std_error,
    )
    _refuse_missing_inputs(record, studies)
    y, v, route = _ROUTES[record.code](studies)
    y.flags.writeable = v.flags.writeable = False
    assumed = sum(text.endswith("assumed") for text in route)
    notes = (f"{assumed} of {len(y)} rows give only a total N: two equal groups are assumed" if assumed else "",)
    return EffectSizes(
        measure=record,
        effect=y,
        variance=v,
        n=_total_n(studies),
        notes=tuple(filter(None, notes)),
        caveat=studies.caveat,
        _frame=_effect_frame(record, studies, y, v, route),
    )


def _refuse_missing_inputs(record: Measure, studies: StudyTable) -> None:
    if any(all(studies.has(role) for role in route) for route in record.inputs):
        return
    ways = " or ".join(_checks.listed(route) for route in record.inputs)
    fitting = [
        code
        for code, other in measures.MEASURES.items()
        if any(all(studies.has(role) for role in route) for route in other.inputs)
    ]
    hint = f" Its columns would do for measure={_checks.listed(fitting, last='or')}." if fitting else ""
    raise InputError(
        f"measure {record.code!r} needs {ways}; this table has columns "
        f"{_checks.listed(list(studies.frame.columns))}.{hint} Name the columns to use, such as "
        f"effect_sizes(frame, measure={record.code!r}, {record.inputs[0][0]}='my_column', ...)."
    )


def _correlations(studies: StudyTable) -> FloatArray:
    r = studies.numbers("r")
    column, cells = studies.roles["r"], studies.column("r").tolist()
    _checks.refuse_rows(
        column,
        "holds correlations beyond -1 or 1, which cannot be",
        "Correct them; percentages must be divided by 100.",
        np.abs(r) > 1.0,
        cells,
        studies.index,
    )
    _checks.refuse_rows(
        column,
        "holds correlations of exactly -1 or 1, whose sampling variance cannot be estimated",
        "Check them against the article, or leave those rows out.",
        np.abs(r) == 1.0,
        cells,
        studies.index,
    )
    return r


def _sizes(studies: StudyTable, role: str, above: float, why: str, remedy: str) -> FloatArray:
    n = studies.numbers(role)
    _checks.refuse_rows(
        studies.roles[role],
        f"must exceed {above:g} {why}",
        remedy,
        n <= above,
        studies.column(role).tolist(),
        studies.index,
    )
    return n


def _cor(studies: StudyTable) -> tuple[FloatArray, FloatArray, list[str]]:
    r = _correlations(studies)
    n = _sizes(studies, "n", 1, "for the variance of a correlation", "Leave those rows out.")
    return r, sampling_variance.variance_of_correlation(r, n), ["r, n"] * len(r)


def _zcor(studies: StudyTable) -> tuple[FloatArray, FloatArray, list[str]]:
    r = _correlations(studies)
    n = _sizes(studies, "n", 3, "for Fisher's z", "Leave those rows out, or use measure='COR'.")
    return conversions.r_to_z(r), sampling_variance.variance_of_fisher_z(n), ["r, n"] * len(r)


def _smd(studies: StudyTable) -> tuple[FloatArray, FloatArray, list[str]]:
    g = studies.numbers("g")
    n1, n2, halved = _group_sizes(studies)
    route = np.where(halved, "g, n: equal groups assumed", "g, n1, n2").tolist()
    return g, sampling_variance.variance_of_smd(g, n1, n2), route


def _group_sizes(studies: StudyTable) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Group sizes, and where they are half of a total because the table gives no others."""
    rows = len(studies.index)
    why = "for the variance of a standardized mean difference"
    if not (studies.has("n1") and studies.has("n2")):
        half = _sizes(studies, "n", 2, why, "Leave those rows out.") / 2.0
        return half, half, np.ones(rows, dtype=bool)
    if not studies.has("n"):
        n1 = _sizes(studies, "n1", 0, why, "Leave those rows out.")
        return n1, _sizes(studies, "n2", 0, why, "Leave those rows out."), np.zeros(rows, dtype=bool)
    n1, n2 = (studies.numbers(role, allow_missing=True) for role in ("n1", "n2"))
    halved = np.isnan(n1) & np.isnan(n2)
    for role, sizes in (("n1", n1), ("n2", n2)):
        bad = ~halved & ~(sizes > 0.0)
        remedy = "Give both group sizes, or neither and a total N."
        cells = studies.column(role).tolist()
        _checks.refuse_rows(studies.roles[role], f"must exceed 0 {why}", remedy, bad, cells, studies.index)
    if not halved.any():
        return n1, n2, halved
    total = studies.numbers("n", allow_missing=True)
    remedy = "Give the group sizes or a total N above 2, or leave those rows out."
    _checks.refuse_rows(
        studies.roles["n"],
        "must stand in for missing group sizes",
        remedy,
        halved & ~(total > 2.0),
        studies.column("n").tolist(),
        studies.index,
    )
    return np.where(halved, total / 2.0, n1), np.where(halved, total / 2.0, n2), halved


def _gen(studies: StudyTable) -> tuple[FloatArray, FloatArray, list[str]]:
    if studies.has("variance") and studies.has("std_error"):
        raise InputError("give the variance or the std_error of ready-made effects, not both")
    y = studies.numbers("effect").copy()
    role = "variance" if studies.has("variance") else "std_error"
    spread = studies.numbers(role)
    _checks.refuse_rows(
        studies.roles[role],
        "must be greater than 0",
        "Check whether another column was meant; an effect without sampling error cannot be pooled.",
        ~(spread > 0.0),
        studies.column(role).tolist(),
        studies.index,
    )
    v = spread.copy() if role == "variance" else spread**2
    return y, v, [f"effect, {role}"] * len(y)


_ROUTES = {"COR": _cor, "ZCOR": _zcor, "SMD": _smd, "GEN": _gen}


def _total_n(studies: StudyTable) -> float:
    """Sum of the sample sizes; NaN where a row has none."""
    roles = ("n",) if studies.has("n") else ("n1", "n2")
    if not all(studies.has(role) for role in roles):
        return float("nan")
    columns = [pd.to_numeric(studies.column(role), errors="coerce") for role in roles]
    total = float(sum(column.to_numpy(dtype=float, na_value=np.nan).sum() for column in columns))
    return total if isfinite(total) else float("nan")


def _effect_frame(record: Measure, studies: StudyTable, y: FloatArray, v: FloatArray, route: list[str]) -> pd.DataFrame:
    frame = studies.frame
    study = _names(studies, "study", [f"Study {i + 1}" for i in range(len(y))])
    label = _names(studies, "label", study)
    ids = _names(studies, "effect_id", [str(i + 1) for i in range(len(y))])
    repeated = pd.Series(ids).duplicated(keep=False).to_numpy()
    if studies.has("effect_id"):
        remedy = "Give each row its own id."
        _checks.refuse_rows(
            studies.roles["effect_id"],
            "has ids that stand more than once",
            remedy,
            repeated,
            ids,
            studies.index,
        )
    own = pd.DataFrame(
        {"effect_id": ids, "study": study, "label": label, "effect": y, "variance": v, "route": route},
        index=frame.index,
    )
    shown = {"effect_id", "study", "label"}.union(*record.inputs)
    replaced = [name for name in _OWN_COLUMNS if studies.roles.get(name) == name and name in shown]
    kept = frame.drop(columns=replaced)
    return pd.concat(
        [own, kept.rename(columns={name: _free_name(name, kept.columns) for name in _OWN_COLUMNS})], axis=1
    )


def _free_name(name: str, taken: pd.Index) -> str:
    """What a given column is called beside the result of the same name."""
    given = f"{name}_given"
    while given in taken:
        given += "_given"
    return given


def _names(studies: StudyTable, role: str, default: list[str]) -> list[str]:
    if not studies.has(role):
        return default
    column = studies.column(role)
    remedy = "Give every row a name, or leave the column out."
    _checks.refuse_rows(
        studies.roles[role],
        "has empty cells",
        remedy,
        column.isna().to_numpy(),
        column.tolist(),
        studies.index,
    )
    return [str(name) for name in column]
