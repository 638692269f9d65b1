"""`check()` and `check_table()`: hold the numbers an article prints against each other."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from alliance_meta import _checks
from alliance_meta.consistency._identities import IDENTITIES
from alliance_meta.consistency._identity import examine, impossible
from alliance_meta.consistency._record import ConsistencyCheck, ConsistencyTable, IdentityCheck
from alliance_meta.consistency._vocabulary import QUANTITIES, Printed, limits_of, read_printed
from alliance_meta.errors import InputError
from alliance_meta.studies import StudyTable

__all__ = ["check", "check_rows", "check_table"]

_NAMES = ("metric", *QUANTITIES)


def check(
    printed: Mapping[str, object] | pd.Series | pd.DataFrame | None = None, /, **quantities: object
) -> ConsistencyCheck:
    """Hold the numbers that a meta-analysis prints against each other, by identities they must obey.

    Nothing is computed from study data. Each printed number stands for all numbers that round to it, half a unit in
    the last printed place to both sides, and an identity is inconsistent only if no such numbers satisfy it, on any
    of its usual readings (an interval symmetric on r or on Fisher's z, a test with one tail or two, by z or by t).

    Parameters
    ----------
    printed : mapping, Series or DataFrame of one row, optional
        Quantity to printed text; None, NaN and empty text are not printed.
    **quantities : str or number
        The same as keywords. Give text as it is printed, for ``".40"`` says more than ``.4``: ``".28"``, ``"-0.32"``,
        ``"79.3%"``, ``"< .001"``, ``"ns"``, ``"> 14000"``. `quantities()` lists the names: metric, estimate, std_error,
        ci_low, ci_high, level, z, t, df, tails, p_value, k, k_studies, n, q_statistic, q_df, q_p_value, i2, h2, tau2,
        pi_low, pi_high, pi_level, r, d, variance_share, nnt.

    Returns
    -------
    ConsistencyCheck

    Raises
    ------
    InputError
        For text that is no number, a count that is not whole, a quantity given twice, or nothing given.
    UnknownNameError
        For an unknown quantity or metric.

    Notes
    -----
    Ranges are carried through each identity exactly where it rises or falls with each number, which all of them do;
    numbers that enter an identity twice are taken as free of each other, except for an interval and its estimate.
    Verdicts are of one identity at a time: numbers may satisfy each, and yet not all of them at once.

    References
    ----------
    Nuijten, M. B., Hartgerink, C. H. J., van Assen, M. A. L. M., Epskamp, S., & Wicherts, J. M. (2016). The prevalence
    of statistical reporting errors in psychology (1985-2013). Behavior Research Methods, 48, 1205-1226: the same idea,
    for single tests.

    Examples
    --------
    Group cohesion and outcome, as its abstract of 2018 prints it:

    >>> found = check(metric="r", estimate=".26", d=".56", k="55", q_statistic="260.84", q_df="54", i2="79.3%")
    >>> [(one.identity, one.verdict) for one in found.checks]
    [('r_and_d', 'inconsistent'), ('q_df_and_k', 'consistent'), ('i2_and_q', 'consistent')]
    >>> print(found.of("r_and_d").sentence.partition(". Wrong")[0])
    d = .56 does not fit: r = .26 allows 0.527 to 0.550. It fits if decimals were cut off instead of rounded
    """
    given = _given(printed)
    twice = [name for name in quantities if name in given]
    if twice:
        raise InputError(f"{_checks.listed(twice)} given twice: in the first argument and as keyword")
    return _checked(read_printed({**given, **quantities}), "", empty_ok=False)


def check_table(
    table: pd.DataFrame | StudyTable, *, label: str | None = None, columns: Mapping[str, str] | None = None
) -> ConsistencyTable:
    """Hold the printed numbers of many analyses against each other, one row an analysis.

    Parameters
    ----------
    table : DataFrame or StudyTable
        Columns named as `quantities()` are used, others are left aside. Read a CSV file with ``dtype=str``, which
        keeps printed decimals: a column of floats has lost its trailing zeros, which makes the check weaker, not wrong.
    label : str, optional
        Column that names the analyses; the index if not given.
    columns : mapping of quantity to column name, optional
        For columns of other names.

    Returns
    -------
    ConsistencyTable

    Raises
    ------
    InputError
        For a cell that cannot be read, labels that stand twice, or a table without any quantity.
    UnknownNameError
        For an unknown quantity, metric or column.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"study": ["A", "B"], "z": ["2.31", "2.31"], "p_value": [".021", ".21"]})
    >>> check_table(table, label="study").inconsistent[["row", "identity"]].values.tolist()
    [['B', 'z_and_p']]
    """
    if not isinstance(table, pd.DataFrame | StudyTable):
        raise InputError(f"check_table() takes a DataFrame or a data set, not {type(table).__name__}")
    frame = table if isinstance(table, pd.DataFrame) else table.frame
    names = [str(name) for name in frame.columns]
    renamed = dict(columns or {})
    for quantity, column in renamed.items():
        _checks.known_name("quantity", quantity, _NAMES)
        _checks.known_name("column", column, names)
    used = {name: renamed.get(name, name) for name in _NAMES if renamed.get(name, name) in names}
    if not used:
        raise InputError(f"the table has no column that can be checked; known quantities: {_checks.listed(_NAMES)}")
    cells = {
        name: frame[column].tolist() if isinstance(table, pd.DataFrame) else table.printed(column)
        for name, column in used.items()
    }
    rows = [{name: values[i] for name, values in cells.items()} for i in range(len(frame))]
    found = check_rows(dict(zip(_labels(frame, label, names), rows, strict=True)))
    lossy = [column for column in used.values() if frame[column].dtype.kind == "f"] if table is frame else []
    note = f"Numbers, not text, in {_checks.listed(lossy)}: zeros at their ends are lost." if lossy else ""
    return ConsistencyTable(rows=found, notes=(note,) if note else ())


def check_rows(rows: Mapping[str, Mapping[str, object]]) -> dict[str, ConsistencyCheck]:
    """Check each of several sets of printed numbers, named by their labels."""
    return {label: _checked(read_printed(row, f"{label}: "), label, empty_ok=True) for label, row in rows.items()}


def _labels(frame: pd.DataFrame, label: str | None, names: list[str]) -> list[str]:
    values = frame.index if label is None else frame[_checks.known_name("column", label, names)]
    labels = [str(value) for value in values]
    twice = sorted({one for one in labels if labels.count(one) > 1})
    if twice:
        raise InputError(f"labels must name one row each; these stand twice: {_checks.listed(twice[:20])}", rows=twice)
    return labels


def _given(printed: object) -> dict[str, object]:
    """The first argument as a dictionary."""
    if printed is None:
        return {}
    if isinstance(printed, pd.DataFrame):
        if len(printed) != 1:
            raise InputError(f"check() takes a table of one row, and this has {len(printed)}: use check_table()")
        printed = printed.iloc[0]
    if not isinstance(printed, pd.Series | Mapping):
        raise InputError(f"check() takes a mapping, a Series or a table of one row, not {type(printed).__name__}")
    return {str(name): value for name, value in printed.items()}


def _checked(printed: Printed, label: str, *, empty_ok: bool) -> ConsistencyCheck:
    if not (printed.numbers or printed.impossible or empty_ok):
        raise InputError("check() needs printed numbers, such as check(metric='r', estimate='.28', ci_low='.23')")
    found: list[IdentityCheck] = [
        impossible(printed, name, held, limits_of(name, printed.metric)) for name, held in printed.impossible.items()
    ]
    not_checkable = {}
    for identity in IDENTITIES:
        one = examine(identity, printed)
        if isinstance(one, str):
            not_checkable[identity.name] = one
        else:
            found.append(one)
    assumed = printed.has("ci_low", "ci_high") and not printed.has("level")
    notes = ("The interval is taken as 95%: no level is given.",) if assumed else ()
    return ConsistencyCheck(label=label, checks=tuple(found), not_checkable=not_checkable, notes=notes)
