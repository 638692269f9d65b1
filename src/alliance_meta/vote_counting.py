"""`vote_count()`: the mean effect behind verdicts of significance."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from alliance_meta import _checks
from alliance_meta._tables import apa, number
from alliance_meta.errors import InputError
from alliance_meta.results._vote_count import (
    VERDICTS,
    VOTE_ALTERNATIVES,
    VOTE_TAU2_METHODS,
    VoteAlternative,
    VoteCount,
    VoteSettings,
    VoteTau2Method,
)
from alliance_meta.stats import vote_count as kernel
from alliance_meta.stats._arrays import BoolArray, IntArray
from alliance_meta.studies import StudyTable, read_studies

__all__ = ["vote_count"]

_CODES = {"significant": 1, "not significant": 0, "significant negative": -1}
_NAMED = 8
_FEW_CLUSTERS = 20
_LEAST_OF_A_KIND = 5
_SIMILAR_N = 2.0
_YES = ("yes", "true", "1")


def vote_count(
    data: pd.DataFrame | StudyTable | None = None,
    *,
    outcome: str | Sequence[str] = "reported",
    n: str | npt.ArrayLike = "n",
    r: str | npt.ArrayLike | None = None,
    alpha: float = 0.05,
    alternative: VoteAlternative = "two-sided",
    cluster: str | npt.ArrayLike | None = None,
    zero_order: str | npt.ArrayLike | None = None,
    tau2_method: VoteTau2Method = "ML",
) -> VoteCount:
    """Estimate the mean correlation from effects that are only called significant or not, with any that are printed.

    A verdict with its n says on which side of the critical value the study's correlation lay. True effects are taken
    as normal on Fisher's z with mean mu and variance tau2, and study i's z as normal about its own with variance
    1 / (n_i - 3): verdicts are ranges of z, printed correlations are points, all in one likelihood.

    Parameters
    ----------
    data : DataFrame, Dataset or None
        One row an effect; None where everything is given as an array.
    outcome : column name or sequence of str
        What the source says: ``"significant"`` (in the expected direction), ``"not significant"``, ``"significant
        negative"``, ``"value"`` (a printed number) or ``"other"``. An empty cell counts as ``"other"``.
    n : column name or array_like
        Sample sizes. A row without one, or with 3 or fewer, is left out, counted and named.
    r : column name or array_like, optional
        Printed correlations; empty where there is none. Where there is one it is used, and not the verdict. By default
        no number is used.
    alpha : float
        Level of the tests behind the verdicts.
    alternative : {"two-sided", "greater"}
        With ``"greater"`` "not significant" only says that the correlation lay below the critical value.
    cluster : column name or array_like, optional
        Which sample each row is from. The estimate stays; its standard error is then also computed with the rows of a
        sample as dependent, by the sandwich of scores summed by sample, times m / (m - 1) for m samples.
    zero_order : column name or array_like, optional
        ``"yes"`` (or true) where an effect is a plain one, not adjusted for anything: the others are counted in a
        caution. It changes no number.
    tau2_method : {"ML", "EE"}
        Maximum likelihood, or equal effects (tau2 = 0), which is Hedges and Olkin's model. There is no restricted
        likelihood here.

    Returns
    -------
    VoteCount

    Raises
    ------
    InputError
        For unknown words, correlations outside (-1, 1), a negative verdict of a one-sided test, or no usable row.
    UnknownNameError
        For an unknown column or option.

    Notes
    -----
    If every verdict is "significant", the larger the mean the likelier they are: the estimate is infinite, and only the
    lower bound of its interval is a number. Means and tau beyond 5 on z (r = .9999) count as infinite.

    References
    ----------
    Hedges, L. V., & Olkin, I. (1980). Vote-counting methods in research synthesis. Psychological Bulletin, 88, 359-369.
    Bushman, B. J., & Wang, M. C. (1996). A procedure for combining sample standardized mean differences and vote
    counts to estimate the population standardized mean difference in fixed effects models. Psychological Methods, 1,
    66-80.

    Examples
    --------
    What abstracts say about the alliance and outcome, by their words alone:

    >>> import alliance_meta as am
    >>> table = am.datasets.load("alliance_abstracts").table
    >>> found = vote_count(table[table["scope"] == "core"], cluster="study")
    >>> print(found.headline)
    r = .26, 95% CI [.22, .31] from 108 significant, 73 not significant and 1 significant the other way
    """
    settings = VoteSettings(
        alpha=_alpha(alpha),
        alternative=_checks.known_name("alternative", alternative, tuple(VOTE_ALTERNATIVES)),
        tau2_method=_checks.known_name("tau2_method", tau2_method, tuple(VOTE_TAU2_METHODS)),
    )
    if n is None or outcome is None:
        raise InputError("outcome and n are needed: a verdict says nothing without the number of people")
    studies = read_studies(data, outcome=outcome, n=n, r=r, cluster=cluster, zero_order=zero_order)
    rows = _rows(studies, settings, uses_r=r is not None, knows_sample=cluster is not None)
    used = rows[rows["left_out"] == ""]
    if used.empty:
        raise InputError(f"no row can be used: {_reasons(rows)}")
    plain = None if zero_order is None else _plain(studies.column("zero_order"))[(rows["left_out"] == "").to_numpy()]
    return _estimated(rows, used, settings, plain, studies.caveat)


def _alpha(value: float) -> float:
    if isinstance(value, bool) or not (isinstance(value, Real) and 0.0 < value < 1.0):
        raise InputError(f"alpha must lie between 0 and 1, such as 0.05; got {value!r}")
    return float(value)


def _rows(studies: StudyTable, settings: VoteSettings, *, uses_r: bool, knows_sample: bool) -> pd.DataFrame:
    """The table as it is understood: see `VoteCount.rows`."""
    words = _words(studies, settings)
    size = studies.numbers("n", allow_missing=True)
    printed = studies.numbers("r", allow_missing=True) if uses_r else np.full(len(size), np.nan)
    beyond = np.abs(printed) >= 1.0
    column = studies.roles["r"] if uses_r else "r"
    remedy = "Correct them: a correlation lies between -1 and 1."
    _checks.refuse_rows(column, "must lie between -1 and 1", remedy, beyond, printed.tolist(), studies.index)
    known = np.isfinite(printed)
    verdict = np.isin(words, list(_CODES))
    why = np.full(len(size), "", dtype=object)
    why[np.nan_to_num(size, nan=99.0) <= 3.0] = "with n of 3 or fewer"
    why[np.isnan(size)] = "without n"
    silent = ~known & ~verdict
    why[silent] = "with neither a verdict nor a usable number"
    why[silent & (words == "value")] = (
        "with a number of which there is no r" if uses_r else "with a number, as r was not asked for"
    )
    named = studies.roles.get("effect_id")
    kept = why == ""
    with np.errstate(invalid="ignore", divide="ignore"):
        edge = kernel.threshold(size, settings.alpha, two_sided=settings.alternative == "two-sided")
    frame = pd.DataFrame(
        {
            "row": [str(name) for name in (studies.frame[named] if named else studies.index)],
            "verdict": words,
            "n": size,
            "r": np.where(kept, printed, np.nan),
            "critical_r": np.tanh(np.where(size > 3.0, edge, np.nan)),
            "counted_as": np.where(kept, np.where(known, "value", words), ""),
            "left_out": why,
        },
        index=studies.index,
    )
    if knows_sample:
        frame.insert(5, "sample", _samples(studies, kept))
    return frame


def _words(studies: StudyTable, settings: VoteSettings) -> npt.NDArray[np.object_]:
    column, cells = studies.roles["outcome"], studies.column("outcome")
    words = np.array(["other" if pd.isna(cell) or cell == "" else cell for cell in cells], dtype=object)
    strange = np.array([word not in VERDICTS for word in words], dtype=bool)
    remedy = f"Write one of {_checks.listed(VERDICTS)}."
    _checks.refuse_rows(column, "has words that are not known", remedy, strange, cells.tolist(), studies.index)
    if settings.alternative == "greater":
        opposite = np.asarray(words == "significant negative", dtype=np.bool_)
        remedy = "A one-sided test cannot find that: give 'not significant', or alternative='two-sided'."
        problem = "says 'significant negative', but alternative is 'greater'"
        _checks.refuse_rows(column, problem, remedy, opposite, cells.tolist(), studies.index)
    return words


def _samples(studies: StudyTable, kept: BoolArray) -> pd.Series[Any]:
    cells = studies.column("cluster")
    empty = (cells.isna() | (cells.astype(str) == "")).to_numpy(dtype=bool) & kept
    remedy = "Fill them in: a row of no known sample may be given a label of its own."
    _checks.refuse_rows(studies.roles["cluster"], "has empty cells", remedy, empty, cells.tolist(), studies.index)
    return cells


def _plain(cells: pd.Series[Any]) -> BoolArray:
    return np.array([not pd.isna(cell) and str(cell).lower() in _YES for cell in cells], dtype=bool)


def _reports(used: pd.DataFrame, settings: VoteSettings) -> kernel.Reports:
    return kernel.reports(
        [_CODES.get(str(word), 0) for word in used["counted_as"]],
        np.arctanh(used["r"].to_numpy()),
        used["n"].to_numpy(),
        settings.alpha,
        two_sided=settings.alternative == "two-sided",
    )


def _estimated(
    rows: pd.DataFrame, used: pd.DataFrame, settings: VoteSettings, plain: BoolArray | None, caveat: str
) -> VoteCount:
    equal = settings.tau2_method == "EE"
    reports = _reports(used, settings)
    found = kernel.fit(reports, equal_effects=equal)
    covariance = found.covariance()
    clusters: IntArray | None = None
    robust, count = np.nan, 0
    if "sample" in used:
        clusters = np.asarray(pd.factorize(used["sample"])[0], dtype=np.intp)
        count = int(clusters.max()) + 1
        robust = float(np.sqrt(found.robust_covariance(clusters)[0, 0]))
    statistic = kernel.mean_test(reports, found, equal_effects=equal) if not np.isnan(found.mean) else np.nan
    return VoteCount(
        estimate=found.mean,
        std_error=float(np.sqrt(covariance[0, 0])),
        robust_std_error=robust,
        clusters=count,
        tau2=found.tau2,
        tau2_std_error=float(np.sqrt(covariance[1, 1])) if len(covariance) == 2 else np.nan,
        log_likelihood=found.log_likelihood,
        statistic=statistic,
        p_value=float(special.chdtrc(1.0, statistic)),
        k=len(used),
        settings=settings,
        cautions=_cautions(used, settings, clusters, plain),
        notes=_notes(rows, found, settings, knows_sample=clusters is not None),
        caveat=caveat,
        _rows=rows,
        _data=reports,
        _found=found,
    )


def _cautions(
    used: pd.DataFrame,
    settings: VoteSettings,
    clusters: IntArray | None,
    plain: BoolArray | None,
) -> tuple[str, ...]:
    """The conditions that fail on these rows."""
    said: list[str] = []
    kinds = used["counted_as"].unique().tolist()
    if len(kinds) == 1 and kinds[0] != "value":
        what = "that the mean is small" if kinds[0] == "not significant" else "that the mean is not small"
        said.append(f"all rows are {kinds[0]!r}: they say {what}, and little more.")
    sizes = used.loc[used["counted_as"] != "value", "n"]
    if "value" not in kinds and settings.tau2_method == "ML" and sizes.max() < _SIMILAR_N * sizes.min():
        said.append("the samples are of much the same size: verdicts alone can then hardly tell spread from chance.")
    if clusters is not None:
        sizes_of = np.bincount(clusters)
        shared = int(sizes_of[sizes_of > 1].sum())
        if shared:
            said.append(
                f"{shared} of {len(used)} rows share a sample with others ({sizes_of.size} samples): the profile "
                "intervals and the test take them as independent, the cluster-robust interval does not."
            )
        if sizes_of.size < _FEW_CLUSTERS:
            said.append(
                f"only {sizes_of.size} samples: below {_FEW_CLUSTERS} the cluster-robust interval is too narrow."
            )
    if plain is not None and not plain.all():
        said.append(
            f"{int((~plain).sum())} of {len(used)} rows are not, or not surely, plain correlations (adjusted for other "
            "variables, or of another model): their mean need not be that of plain correlations."
        )
    return (*said, *_disagreement(used, settings), *_contradictions(used))


def _disagreement(used: pd.DataFrame, settings: VoteSettings) -> tuple[str, ...]:
    """Rows that should tell of one mean, and do not: words and numbers, small studies and large ones."""
    said: list[str] = []
    printed = (used["counted_as"] == "value").to_numpy()
    means = _differing(used, ~printed, settings)
    if means:
        said.append(
            f"verdicts and printed numbers disagree: r = {means[0]} by the {int((~printed).sum())} verdicts alone, "
            f"{means[1]} by the {int(printed.sum())} numbers alone."
        )
    middle = float(used["n"].median())
    means = _differing(used, (used["n"] <= middle).to_numpy(), settings)
    if means:
        said.append(
            f"small and large studies disagree: r = {means[0]} by rows of n up to {middle:g}, {means[1]} by those of "
            "more. Selective reporting looks like that where small studies say more."
        )
    return tuple(said)


def _differing(used: pd.DataFrame, which: BoolArray, settings: VoteSettings) -> tuple[str, str] | None:
    """Means of r by two parts of the rows, if they differ by more than chance (two-sided .05, rows independent)."""
    if min(int(which.sum()), int((~which).sum())) < _LEAST_OF_A_KIND:
        return None
    equal = settings.tau2_method == "EE"
    fits = [kernel.fit(_reports(used[part], settings), equal_effects=equal) for part in (which, ~which)]
    variance = sum(float(each.covariance()[0, 0]) for each in fits)
    if not abs(fits[0].mean - fits[1].mean) > 1.96 * variance**0.5:
        return None
    first, second = (apa(float(np.tanh(each.mean)), 2, bounded=True) for each in fits)
    return first, second


def _contradictions(used: pd.DataFrame) -> tuple[str, ...]:
    both = used[used["r"].notna() & used["verdict"].isin(list(_CODES))]
    passed = np.where(both["r"].abs() > both["critical_r"], np.sign(both["r"]), 0.0)
    wrong = both.loc[passed != both["verdict"].map(_CODES).to_numpy(), "row"].tolist()
    if not wrong:
        return ()
    return (f"{_counted(len(wrong))} with one thing in words and another in numbers: {_named(wrong)}.",)


def _notes(rows: pd.DataFrame, found: kernel.VoteFit, settings: VoteSettings, *, knows_sample: bool) -> tuple[str, ...]:
    said: list[str] = []
    for reason in rows.loc[rows["left_out"] != "", "left_out"].unique():
        lost = rows.loc[rows["left_out"] == reason, "row"].tolist()
        said.append(f"Left out: {_counted(len(lost))} {reason} ({_named(lost)}).")
    both = int((rows["r"].notna() & rows["verdict"].isin(list(_CODES))).sum())
    if both:
        said.append(f"{_counted(both)} have a verdict and a number: the number was used.")
    if not knows_sample:
        said.append("Which rows share a sample was not said (cluster): all count as independent.")
    if np.isinf(found.mean):
        said.append("The likelihood rises without end as the mean grows: only one bound of its interval is a number.")
    elif np.isnan(found.mean):
        said.append("The likelihood rises without end as the effects spread: neither mean nor tau² can be told.")
    elif settings.tau2_method == "ML" and found.tau2 == 0.0:
        said.append("tau² is 0: the rows differ no more than chance would let them.")
    return tuple(said)


def _reasons(rows: pd.DataFrame) -> str:
    counted = rows["left_out"].value_counts()
    return ", ".join(f"{count} {reason}" for reason, count in counted.items())


def _counted(count: int) -> str:
    return f"{number(count, 0)} {'row' if count == 1 else 'rows'}"


def _named(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more, in .rows" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"
