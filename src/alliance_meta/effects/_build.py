"""`effect_sizes()`: a table of studies becomes effects with their sampling variances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite
from typing import Unpack

import numpy as np
import numpy.typing as npt
import pandas as pd

from alliance_meta import _checks, measures
from alliance_meta.effects._cells import Cells, read, used_by
from alliance_meta.effects._choice import Choice, choose
from alliance_meta.effects._not_significant import RULES, NotSignificant
from alliance_meta.effects._record import EffectSizes
from alliance_meta.effects._roles import Roles
from alliance_meta.effects._routes import TURNED, UNSIGNED
from alliance_meta.errors import InputError
from alliance_meta.measures import Measure, MeasureName
from alliance_meta.stats._arrays import BoolArray, FloatArray
from alliance_meta.stats.effect_measures import KERNELS
from alliance_meta.studies import ROLES, StudyTable, read_studies

__all__ = ["effect_sizes"]

_OWN_COLUMNS = ("effect_id", "study", "label", "effect", "variance", "route")
_OPTIONS = ("data", "measure", "variance_type", "not_significant")
_HALF_ADDED = ("OR", "RR", "RD", "OR2DN", "OR2DL", "OR2D", "SMD")


def effect_sizes(
    data: pd.DataFrame | StudyTable | None = None,
    *,
    measure: MeasureName | str = "ZCOR",
    variance_type: str | Sequence[str] = "LS",
    not_significant: NotSignificant | str | None = None,
    **roles: Unpack[Roles],
) -> EffectSizes:
    """Turn a table of studies into effects with sampling variances.

    Each row takes the first route to the measure for which it has the cells, so a table can mix what its articles
    report: correlations, t, F and chi-square statistics, p values, means and standard deviations, odds ratios.

    Parameters
    ----------
    data : DataFrame or Dataset, optional
        One row an effect.
    measure : str
        A code of `alliance_meta.measures.MEASURES`, metafor's: ``"ZCOR"`` Fisher's z and ``"COR"`` the correlation,
        ``"SMD"`` Hedges' g, ``"OR"`` the log odds ratio, ..., ``"GEN"`` a ready-made effect.
    variance_type : str or sequence of str
        metafor's code of the sampling variance, for all rows or one a row: ``"LS"`` the usual large-sample variance,
        ``"AV"`` the same with the mean effect, ``"UB"`` unbiased; each measure names those it has.
    not_significant : {"exclude", "zero", "bounded"}, optional
        What to do with rows whose `significance` is "ns" and that no route can make: leave them out, take the null,
        or spread them over the effects that are not significant. Without it they are an error.
    **roles : column name or array_like of length k
        Which column plays a role of `alliance_meta.studies.ROLES`: `study`, `label`, `effect_id`, `r`, `n`, `t`, `df`,
        `mean1`, ... A role not given is looked up in the data set's own description, then among columns of the same
        name. `direction` (1 or -1) multiplies the row's effect.

    Returns
    -------
    EffectSizes
        Its `route` column says for each row how the effect was made; all other columns are kept.

    Raises
    ------
    UnknownNameError
        For an unknown measure, type of variance, role or column.
    InputError
        For missing, non-numeric, infinite or impossible cells and duplicate effect ids: the message names the
        column and every row. No row is ever left out unless `not_significant` says so.

    References
    ----------
    `docs/conventions.md` has the routes in their order. The functions of the measures and of the conversions, in
    `alliance_meta.stats.effect_measures` and `alliance_meta.stats.conversions`, name their sources.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"who": ["A", "B"], "corr": [0.3, None], "t": [None, -0.72], "size": [103, 53]})
    >>> effects = effect_sizes(frame, measure="ZCOR", r="corr", n="size", study="who")
    >>> print(effects.table[["study", "effect", "variance", "route"]].round(3).to_string(index=False))
    study  effect  variance     route
        A   0.310      0.01      r, n
        B  -0.101      0.02 t, n -> r
    """
    record = measures.measure(measure)
    for name in roles:
        _checks.known_name("argument of effect_sizes()", name, (*ROLES, *_OPTIONS))
    rule = None if not_significant is None else _checks.known_name("not_significant", not_significant, tuple(RULES))
    studies = read_studies(data, **roles)
    kinds = _variance_types(variance_type, record.code, len(studies.index))
    if record.code == "GEN":
        _refuse_two_spreads(studies)
    choice = choose(studies, record.code, rule)
    cells = _read_cells(studies, record.code, choice)
    kept = np.flatnonzero(choice.which >= 0)
    if len(kept) == 0:
        raise InputError("no row is left: all of them say only that their effect is not significant")
    y, v = _estimates(record.code, choice, cells, kept, kinds)
    route = _route_names(choice, cells)
    _refuse_no_numbers(studies, y, v, route, kept)
    frame = _effect_frame(record, studies, y, v, route, turned=bool((cells.turn < 0.0).any())).iloc[kept]
    y, v = y[kept], v[kept]
    y.flags.writeable = v.flags.writeable = False
    return EffectSizes(
        measure=record,
        effect=y,
        variance=v,
        n=_total_n(replace(studies, _frame=studies.frame.iloc[kept])),
        notes=tuple(_notes(record.code, choice, cells, rule)),
        caveat=studies.caveat,
        _frame=frame,
    )


def _variance_types(given: str | Sequence[str], code: str, k: int) -> list[str]:
    kinds = [given] * k if isinstance(given, str) else list(given)
    if len(kinds) != k:
        raise InputError(f"variance_type has {len(kinds)} values, but the table has {k} rows")
    for kind in dict.fromkeys(kinds):
        _checks.known_name(f"variance_type for measure {code!r}", kind, KERNELS[code].variance_types)
    return kinds


def _refuse_two_spreads(studies: StudyTable) -> None:
    both = ("variance", "std_error")
    if all(studies.has(role) for role in both) and _all_filled(studies, both).any():
        raise InputError("give the variance or the std_error of ready-made effects, not both")


def _all_filled(studies: StudyTable, roles: Sequence[str]) -> BoolArray:
    return np.asarray(np.all([studies.column(role).notna().to_numpy(dtype=bool) for role in roles], axis=0))


def _read_cells(studies: StudyTable, code: str, choice: Choice) -> Cells:
    """The cells of all routes together, so that an error names all rows of a column."""
    used: dict[str, BoolArray] = {}
    for i, route in enumerate(choice.routes):
        rows = choice.which == i
        signed = code not in UNSIGNED and not (rows & choice.stood_in).any()
        takes = (*route.takes, "direction") if signed else route.takes
        for role, mask in used_by(studies, route.needs, takes, rows).items():
            used[role] = used[role] | mask if role in used else mask
    return read(studies, used, code)


def _estimates(
    code: str, choice: Choice, cells: Cells, kept: npt.NDArray[np.intp], kinds: list[str]
) -> tuple[FloatArray, FloatArray]:
    """Effects and variances; NaN in the rows that are left out."""
    k = len(choice.which)
    inputs: list[FloatArray] = []
    for i, route in enumerate(choice.routes):
        rows = choice.takers(i)
        if len(rows) == 0:
            continue
        made = route.make(cells.rows(rows))
        inputs = inputs or [np.full(k, np.nan) for _ in made]
        for whole, part in zip(inputs, made, strict=True):
            whole[rows] = part
    for i in TURNED.get(code, ()):
        inputs[i] = inputs[i] * cells.turn
    y, v = np.full(k, np.nan), np.full(k, np.nan)
    y[kept], v[kept] = KERNELS[code]([values[kept] for values in inputs], [kinds[i] for i in kept])
    return (y if code in TURNED or code in UNSIGNED else y * cells.turn), v


def _route_names(choice: Choice, cells: Cells) -> list[str]:
    names = np.empty(len(choice.which), dtype=object)
    for i, route in enumerate(choice.routes):
        rows = choice.takers(i)
        names[rows] = np.where(cells.halved[rows], route.called(halved=True), route.called(halved=False))
    return names.tolist()


def _refuse_no_numbers(
    studies: StudyTable, y: FloatArray, v: FloatArray, route: list[str], kept: npt.NDArray[np.intp]
) -> None:
    bad = [i for i in kept.tolist() if not (isfinite(y[i]) and isfinite(v[i]) and v[i] > 0.0)]
    if bad:
        shown = ", ".join(f"{studies.index[i]!s} ({route[i]})" for i in bad[:20])
        more = f" and {len(bad) - 20} more, all of them in this error's `rows`" if len(bad) > 20 else ""
        raise InputError(
            f"no effect with a sampling variance above 0 comes of {'row' if len(bad) == 1 else 'rows'} {shown}{more}. "
            "Check their cells (often the sample is too small), or leave those rows out.",
            rows=[studies.index[i] for i in bad],
        )


def _notes(code: str, choice: Choice, cells: Cells, rule: NotSignificant | None) -> list[str]:
    k, notes = len(choice.which), []
    if rule is not None and choice.stood_in.any():
        notes.append(RULES[rule].format(m=int(choice.stood_in.sum()), k=k))
    if cells.halved.any():
        notes.append(f"{int(cells.halved.sum())} of {k} rows give only a total N: two equal groups are assumed")
    signless = np.isin(choice.which, [i for i, route in enumerate(choice.routes) if route.signless])
    unsaid = int((signless & np.isnan(cells.columns.get("direction", np.full(k, np.nan)))).sum())
    if unsaid:
        notes.append(f"{unsaid} of {k} rows have a statistic without a sign and no direction: they count as positive")
    empty = int(_with_empty_cell(cells).sum()) if code in _HALF_ADDED else 0
    if empty:
        notes.append(f"{empty} of {k} rows have an empty cell in their table: 1/2 is added to each of its four")
    return notes


def _with_empty_cell(cells: Cells) -> BoolArray:
    if "events1" not in cells.columns:
        return np.zeros(0, dtype=bool)
    counts = [cells.columns[role] for role in ("events1", "events2")]
    rest = [cells.columns[f"n{group}"] - cells.columns[f"events{group}"] for group in (1, 2)]
    return np.asarray(np.any([cell == 0.0 for cell in (*counts, *rest)], axis=0))


def _total_n(studies: StudyTable) -> float:
    """Sum of the sample sizes; NaN where a row has none."""
    roles = ("n",) if studies.has("n") else ("n1", "n2")
    if not all(studies.has(role) for role in roles):
        return float("nan")
    columns = [pd.to_numeric(studies.column(role), errors="coerce") for role in roles]
    total = float(sum(column.to_numpy(dtype=float, na_value=np.nan).sum() for column in columns))
    return total if isfinite(total) else float("nan")


def _effect_frame(
    record: Measure, studies: StudyTable, y: FloatArray, v: FloatArray, route: list[str], *, turned: bool
) -> pd.DataFrame:
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
    shown = {"effect_id", "study", "label"}.union(*(() if turned else record.inputs))
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
