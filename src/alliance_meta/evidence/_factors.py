"""`common_factors()`: Wampold and Imel's picture of what matters in psychotherapy, from the rows there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from alliance_meta._answer import Answer
from alliance_meta._tables import SummaryTable, apa
from alliance_meta.errors import InputError
from alliance_meta.evidence._elements import TASK_FORCES, TaskForce
from alliance_meta.evidence._published import AS_D, cells_of, published, records
from alliance_meta.evidence._recomputed import Recomputed, recomputed
from alliance_meta.evidence._view import interval_text
from alliance_meta.results import MetaRegression, PooledEffect
from alliance_meta.stats import conversions

__all__ = ["PARTS", "CommonFactors", "common_factors", "d_text"]

_COMMON, _SPECIFIC, _THERAPIST = "common factors", "treatments and their ingredients", "therapists"
PARTS = (_COMMON, _THERAPIST, _SPECIFIC)


class _Factor(NamedTuple):
    """A factor, the row that prints it for each task force, and the data sets that it is recomputed from."""

    name: str
    part: str
    rows: Mapping[int, str]
    data_sets: Mapping[int, str]


def _factor(name: str, part: str, first: str = "", second: str = "", data: tuple[str, str] = ("", "")) -> _Factor:
    """`second` is `first` where there is but one row."""
    rows: dict[int, str] = dict(zip(TASK_FORCES, (first, second or first), strict=True)) if first else {}
    data_sets: dict[int, str] = {year: source for year, source in zip(TASK_FORCES, data, strict=True) if source}
    return _Factor(name, part, rows, data_sets)


_FACTORS = (
    _factor("Alliance", _COMMON, "horvath2011-overall", "fluckiger2018-overall"),
    _factor("Empathy", _COMMON, "elliott2011-overall", "elliott2018-overall"),
    _factor("Goal consensus", _COMMON, "tryon_winograd2011-goal-consensus", "tryon2018-goal-consensus"),
    _factor("Collaboration", _COMMON, "tryon_winograd2011-collaboration", "tryon2018-collaboration"),
    _factor(
        "Positive regard", _COMMON, "farber_doolin2011-overall", "farber2018-overall", data=("farber_doolin2011", "")
    ),
    _factor("Congruence", _COMMON, "kolden2011-overall", "kolden2018-overall", data=("kolden2011", "")),
    _factor("Expectations", _COMMON, "constantino2011-overall", "constantino2018_expectation-overall"),
    _factor("Cultural adaptation", _COMMON, "benish2011-unadapted", data=("benish2011", "benish2011")),
    _factor("Researcher allegiance", _COMMON, data=("munder2012-allegiance", "munder2012-allegiance")),
    _factor("Therapists, in trials", _THERAPIST),
    _factor("Therapists, in practice", _THERAPIST),
    _factor("Treatment differences", _SPECIFIC, "munder2012-overall", data=("munder2012", "munder2012")),
    _factor("Specific ingredients", _SPECIFIC, "laska2014-specific-ingredients"),
    _factor("Adherence to the protocol", _SPECIFIC),
    _factor("Competence in the treatment", _SPECIFIC, "laska2014-competence"),
)
_COLUMNS = (
    "effect_id",
    "label",
    "year",
    "metric",
    "printed",
    "printed_low",
    "printed_high",
    "d",
    "d_low",
    "d_high",
    "d_from",
    "d_printed",
    "r",
    "r_low",
    "r_high",
    "interval_from",
    "k",
    "flag",
    "second_hand",
    "locator",
    "doi",
    "note",
)
_NUMBERS = ("year", "d", "d_low", "d_high", "r", "r_low", "r_high", "k", "share", "share_low", "share_high")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class CommonFactors(Answer):
    """Effects (d) and shares of outcome variance of factors of psychotherapy, printed and recomputed.

    Attributes
    ----------
    task_force : {2011, 2018}
        Whose meta-analyses of the relationship factors are shown.
    fits : mapping of str to PooledEffect or MetaRegression
        What was recomputed, by data set; ``"munder2012-allegiance"`` is the regression on allegiance.
    cautions, notes : tuple of str
    """

    task_force: TaskForce
    fits: Mapping[str, PooledEffect | MetaRegression]
    _rows: pd.DataFrame

    @property
    def lacking(self) -> tuple[str, ...]:
        """Factors that the book's picture shows and no row of ours gives."""
        return tuple(self._rows.loc[self._rows["status"] == "lacking", "factor"])

    def to_frame(self) -> pd.DataFrame:
        """One row a number: printed, recomputed, or lacking (without numbers).

        Returns
        -------
        DataFrame
            factor, part, status; source (effect_id of ``relationship_meta_analyses``, or the data set recomputed);
            label, year, metric, printed, printed_low, printed_high; d, d_low, d_high, d_from, d_printed; r, r_low,
            r_high; share, share_low, share_high (of outcome variance, r squared), interval_from, k, flag, second_hand,
            locator, doi, note. Intervals are 95 % confidence intervals; NaN where there is none.
        """
        return self._rows.copy()

    def _of(self, status: str) -> pd.DataFrame:
        return self._rows[self._rows["status"] == status]

    @property
    def headline(self) -> str:
        """The range of the common factors and of the others."""
        printed = self._of("printed")
        ranges = []
        for part in (_COMMON, _SPECIFIC):
            chosen = printed[printed["part"] == part]
            d = f"d = {apa(float(chosen['d'].min()), 2)} to {apa(float(chosen['d'].max()), 2)}"
            share = f"{100 * chosen['share'].min():.1f} to {100 * chosen['share'].max():.1f}% of variance"
            ranges.append(f"{part} {d} ({share})")
        return f"{' and '.join(ranges)}, as printed; {len(self.lacking)} factors lacking"

    @property
    def sentence(self) -> str:
        """What was found, and what it can and cannot show."""
        return (
            f"{self.headline[0].upper()}{self.headline[1:]}. On one axis they can be seen together, but a larger d is "
            "not a stronger cause, and shares of variance overlap and must not be added."
        )

    def summary(self) -> SummaryTable:
        """The table that printing shows: each number with its source."""
        rows: list[tuple[str, ...]] = []
        for part in PARTS:
            rows.append((part[0].upper() + part[1:], *[""] * 4))
            rows += [_line(row) for row in records(self._rows[self._rows["part"] == part])]
        return SummaryTable(
            title="Common and specific factors: effect (d) and share of outcome variance",
            header=("factor", "d", "95% CI", "share", "source"),
            rows=tuple(rows),
            right=frozenset((1, 2, 3)),
            notes=("* quoted by another publication; – none printed, or not in the data sets.", *self.remarks),
        )


def common_factors(task_force: TaskForce | int = 2018) -> CommonFactors:
    """Wampold and Imel's picture: effects of factors of psychotherapy (d) against shares of outcome variance.

    Only numbers whose source is in the data sets are shown; factors that the book's picture has and these lack are
    named without a number. Where the studies behind a printed mean are in a data set, the mean is recomputed (REML,
    Knapp and Hartung; cluster-robust by article where articles share patients) and stands beside it.

    Parameters
    ----------
    task_force : {2011, 2018}
        Whose meta-analyses of the relationship factors. The book of 2015 could only have those of 2011.

    Returns
    -------
    CommonFactors

    Raises
    ------
    InputError
        For another year.

    Notes
    -----
    d is as printed, else made of r as for two equal groups; the share is r squared, r = d / √(d² + 4). Of a printed
    share d is its root, whose sign is not known. Researcher allegiance is the slope of the differences between
    treatments on the balance of allegiance, times one standard deviation of that balance.

    References
    ----------
    Wampold, B. E., & Imel, Z. E. (2015). The great psychotherapy debate: The evidence for what makes psychotherapy work
    (2nd ed.). Routledge.

    Examples
    --------
    >>> rows = common_factors().to_frame()
    >>> rows.loc[rows["factor"] == "Cultural adaptation", ["status", "d"]].round(2).values.tolist()
    [['printed', 0.32], ['recomputed', 0.37]]
    """
    years = [year for year in TASK_FORCES if year == task_force]
    if not years:
        raise InputError(f"task_force must be 2011 or 2018; got {task_force!r}")
    wanted = {factor.data_sets[years[0]] for factor in _FACTORS if years[0] in factor.data_sets}
    fits = {name: recomputed(name) for name in sorted(wanted)}
    rows = _rows(years[0], fits)
    return CommonFactors(
        task_force=years[0],
        fits={name: found.fit for name, found in fits.items()},
        cautions=_cautions(rows, fits),
        notes=_notes(rows, fits),
        _rows=rows,
    )


def _rows(year: int, fits: Mapping[str, Recomputed]) -> pd.DataFrame:
    known = {row["effect_id"]: row for row in records(cells_of(published(), _COLUMNS))}
    lines: list[dict[str, Any]] = []
    for factor in _FACTORS:
        about = {"factor": factor.name, "part": factor.part}
        if year in factor.rows:
            cells = known[factor.rows[year]]
            lines.append(about | cells | {"status": "printed", "source": cells["effect_id"]})
        if year in factor.data_sets:
            found = fits[factor.data_sets[year]]
            lines.append(about | found.cells | {"status": "recomputed", "source": factor.data_sets[year]})
        if year not in factor.rows and year not in factor.data_sets:
            lines.append(about | {"status": "lacking", "source": ""})
    rows = pd.DataFrame(lines)
    r_interval = rows["r_low"].to_numpy(dtype=float), rows["r_high"].to_numpy(dtype=float)
    rows["share"] = conversions.r_to_variance_share(rows["r"].to_numpy(dtype=float))
    rows["share_low"], rows["share_high"] = conversions.carried_interval(conversions.r_to_variance_share, *r_interval)
    rows["second_hand"] = rows["second_hand"].eq(True)
    texts = [str(name) for name in rows if name not in (*_NUMBERS, "second_hand")]
    rows[texts] = rows[texts].fillna("")
    rows[list(_NUMBERS)] = rows[list(_NUMBERS)].astype("Float64").astype(float)
    first = ["factor", "part", "status", "source"]
    rest = [name for name in rows if name not in (*first, "effect_id")]
    return rows.reindex(columns=[*first, *rest])


def _cautions(rows: pd.DataFrame, fits: Mapping[str, Recomputed]) -> tuple[str, ...]:
    found = [
        "The relationship factors are correlations of what happened in treatment with its outcome; cultural adaptation "
        "and treatment differences compare treatments. They answer different questions."
    ]
    for name, text in (("munder2012", _DIFFERENCES), ("munder2012-allegiance", _ALLEGIANCE)):
        found.append(text.format(**fits[name].words))
    quoted = rows.loc[rows["second_hand"], "factor"].tolist()
    if quoted:
        found.append(f"Seen only as quoted by another publication: {'; '.join(quoted)}.")
    return tuple(found)


_DIFFERENCES = (
    "Treatment differences: which of two treatments is taken first is arbitrary, so their mean is near 0 whatever the "
    "treatments do. How far treatments differ is the spread of the true differences, here τ = {tau} on d."
)
_ALLEGIANCE = (
    "Researcher allegiance: d is what the regression expects of one standard deviation ({sd}) of the balance of "
    "allegiance: slope {slope} a point, Knapp-Hartung 95% CI {plain}, cluster-robust {robust}. It is no group "
    "difference, the source does not document the sign of the balance, and R² = {r2}% is of τ², not of outcome."
)


def _notes(rows: pd.DataFrame, fits: Mapping[str, Recomputed]) -> tuple[str, ...]:
    pairs = []
    for factor, both in rows.groupby("factor", sort=False):
        if len(both) == 2:
            printed, ours = both.iloc[0], both.iloc[1]
            metric = "r" if printed["metric"] == "r" else "d"
            value = printed["printed"].replace("-", "\u2212")
            pairs.append(f"{factor} {value} printed, {apa(ours[metric], 3)} recomputed")
    lacking = "; ".join(rows.loc[rows["status"] == "lacking", "factor"])
    return (
        f"Printed against recomputed ({'r or g, as printed'}): {'; '.join(pairs)}.",
        f"In the book's picture, but in none of the data sets, so without a number: {lacking}.",
        "d of r: 2r / √(1 − r²); share of d: d² / (d² + 4); g is taken as d. The share of a printed share is its own.",
        *dict.fromkeys(f"{name.partition('-')[0]}: {note}" for name, found in fits.items() for note in found.notes),
    )


def _line(row: dict[str, Any]) -> tuple[str, ...]:
    if row["status"] == "lacking":
        return (f"  {row['factor']}", "–", "–", "–", "lacking")
    mark = " *" if row["second_hand"] else ""
    return (
        f"  {row['factor']}{mark}",
        d_text(row),
        interval_text(row["d_low"], row["d_high"]),
        f"{100 * row['share']:.1f}%",
        row["label"],
    )


def d_text(row: dict[str, Any]) -> str:
    """The effect d with its printed decimals, two where it was made of another metric or recomputed."""
    printed = row["d_printed"] or (row["printed"] if row["metric"] in AS_D and row["status"] == "printed" else "")
    return apa(row["d"], len(printed.partition(".")[2]) if printed else 2)
