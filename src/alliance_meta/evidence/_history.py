"""`history()`: what meta-analyses of one construct found, in the order in which they appeared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from alliance_meta import _checks
from alliance_meta._answer import Answer
from alliance_meta._tables import SummaryTable, apa
from alliance_meta.errors import InputError
from alliance_meta.evidence._published import AS_D, cells_of, known_populations, published, records
from alliance_meta.evidence._view import interval_text, people_text

__all__ = ["SHARED", "History", "bounds_text", "estimate_text", "history", "one_each"]

SHARED = (
    "The meta-analyses share primary studies (an update usually contains those of the meta-analysis it updates), so "
    "their estimates are not independent, and agreement among them is partly the same data counted again."
)
_COLUMNS = (
    "effect_id",
    "study",
    "label",
    "year",
    "construct",
    "related_to",
    "population",
    "r",
    "r_low",
    "r_high",
    "r_from",
    "interval_from",
    "k",
    "k_studies",
    "size",
    "n",
    "more_people",
    "metric",
    "printed",
    "printed_low",
    "printed_high",
    "turned",
    "flag",
    "second_hand",
    "locator",
    "doi",
    "note",
)
_RENAMED = {"r": "estimate", "r_low": "ci_low", "r_high": "ci_high", "r_from": "estimate_from"}
_OF_SEVERAL = "another estimate of the same meta-analysis is shown: {}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class History(Answer):
    """The pooled correlations that meta-analyses of one construct print, one row a meta-analysis, in order of year.

    Attributes
    ----------
    construct, related_to : str
    population : str or None
        None for all.
    cautions, notes : tuple of str
    """

    construct: str
    related_to: str
    population: str | None
    _rows: pd.DataFrame
    _left_out: pd.DataFrame

    @property
    def k(self) -> int:
        """Number of meta-analyses."""
        return len(self._rows)

    @property
    def left_out(self) -> pd.DataFrame:
        """Rows of the construct that are not shown: effect_id, label, year, population, metric, printed, reason."""
        return self._left_out.copy()

    def to_frame(self) -> pd.DataFrame:
        """One row a meta-analysis, in order of year.

        Returns
        -------
        DataFrame
            effect_id, study, label, year, construct, related_to, population; estimate, ci_low, ci_high (r, positive
            for a better outcome; 95 %); estimate_from and interval_from (printed, or how it was made; empty where there
            is no interval); k, k_studies, size (k_studies, or k where it is not printed), n, more_people (n is printed
            as more than this); metric, printed, printed_low and printed_high (as the source has
            them); turned; flag, second_hand,
            locator, doi, note.
        """
        return self._rows.copy()

    @property
    def headline(self) -> str:
        """How many meta-analyses, and between what correlations."""
        low, high = (apa(float(end), 2, bounded=True) for end in (self._rows.estimate.min(), self._rows.estimate.max()))
        between = f"r = {low} to {high}" if self.k > 1 else f"r = {low}"
        return f"{_counted(self.k)} of {self._about}{_years(self._rows)}: {between}"

    @property
    def _about(self) -> str:
        of = f" ({self.population})" if self.population else ""
        return f"{self.construct} and {self.related_to}{of}"

    @property
    def sentence(self) -> str:
        """What was found, and what it can and cannot show."""
        middle = apa(float(self._rows["estimate"].median()), 2, bounded=True)
        median = f", with a median of {middle}" if self.k > 2 else ""
        bare = int(self._rows["interval_from"].eq("").sum())
        bare_words = f" {bare} of {self.k} {_have(bare)} no interval that could be read." if bare else ""
        return (
            f"{self.headline}{median}.{bare_words} The numbers show what was reported when; a change over the years "
            "may be one of populations, methods or studies, and repeated agreement is not repeated confirmation."
        )

    def summary(self) -> SummaryTable:
        """The table that printing shows: one row a meta-analysis, with its marks."""
        header = ("meta-analysis", "population", "r", "95% CI", "k", "studies", "N")
        return SummaryTable(
            title=f"History of a finding: {self._about}",
            header=header,
            rows=tuple(_row(row) for row in records(self._rows)),
            right=frozenset(range(2, len(header))),
            notes=(_legend(self._rows), *self.remarks),
        )


def history(construct: str = "alliance", population: str | None = None, *, related_to: str = "outcome") -> History:
    """What meta-analyses of a construct found, from the first to the latest: one row a meta-analysis.

    Overall estimates only, on the scale of r: r as printed; d, g and standardized mean differences by ``d_to_r`` where
    no r is printed. Signs are turned where a source codes a better outcome as negative. An interval is the printed 95 %
    confidence interval, or the one that a printed standard error implies; where there is neither there is none.

    Parameters
    ----------
    construct : str
        As in the column of the data set ``relationship_meta_analyses``: ``"alliance"``, ``"empathy"``, ...
    population : str, optional
        ``"adult individual"``, ``"youth"``, ...; all by default.
    related_to : str
        What it was related to.

    Returns
    -------
    History

    Raises
    ------
    UnknownNameError
        For an unknown construct, relation or population.
    InputError
        If there is no overall estimate on a scale that becomes r.

    Notes
    -----
    Of several overall estimates of one meta-analysis the one that the data set names overall is shown, else its first;
    estimates adjusted for publication bias are not. `History.left_out` has all others with the reason.

    References
    ----------
    Flückiger, C., Del Re, A. C., Wampold, B. E., & Horvath, A. O. (2018). Psychotherapy, 55(4), 316-340.

    Examples
    --------
    >>> found = history("alliance", "adult individual")
    >>> found.to_frame()[["year", "estimate"]].values.tolist()
    [[1991.0, 0.26], [2000.0, 0.22], [2002.0, 0.21], [2011.0, 0.275], [2018.0, 0.278]]
    """
    table = published()
    name = _checks.known_name("construct", construct, tuple(sorted(set(table["construct"]))))
    table = table[table["construct"] == name]
    relation = _checks.known_name("relation", related_to, tuple(dict.fromkeys(table["related_to"])))
    table = known_populations(population, table)
    shown, left_out = one_each(table, relation)
    if shown.empty:
        where = f" in {population}" if population else ""
        reasons = "; ".join(dict.fromkeys(left_out["reason"]))
        raise InputError(f"no overall estimate of {name} and {relation}{where} can be shown as r: {reasons}")
    rows = cells_of(shown, _COLUMNS).rename(columns=_RENAMED)
    rows["year"] = rows["year"].astype("Float64").to_numpy(dtype=float, na_value=float("nan"))
    return History(
        construct=name,
        related_to=relation,
        population=population,
        cautions=(*((SHARED,) if len(rows) > 1 else ()), *_second_hand(rows)),
        notes=_notes(rows, left_out),
        _rows=rows,
        _left_out=left_out,
    )


def one_each(table: pd.DataFrame, related_to: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The overall estimate of each meta-analysis on the scale of r, and the other rows with the reason.

    Returns
    -------
    tuple of DataFrame
        Rows of `published()`; and effect_id, label, year, population, metric, printed, reason.
    """
    reasons = {index: _reason(row, related_to) for index, row in table.iterrows()}
    candidates = table[[reasons[index] == "" for index in table.index]]
    keys = candidates["study"] + "|" + candidates["construct"] + "|" + candidates["population"]
    for _, several in candidates.groupby(keys, sort=False):
        named = several[several["effect_id"].str.endswith("-overall")]
        kept = (named if len(named) else several).iloc[0]
        for index in several.index[several["effect_id"] != kept["effect_id"]]:
            reasons[index] = _OF_SEVERAL.format(kept["effect_id"])
    out = [bool(reasons[index]) for index in table.index]
    columns = ["effect_id", "label", "year", "population", "metric", "printed"]
    told = pd.Series(reasons, dtype=object).loc[table.index]
    left_out = table.loc[out, columns].assign(reason=told[out])
    return table[[not each for each in out]], left_out.reset_index(drop=True)


def _reason(row: pd.Series, related_to: str) -> str:
    """Why a row is no overall estimate of r; empty where it is."""
    if row["related_to"] != related_to:
        return f"relates it to {row['related_to']}"
    if row["restates"]:
        return f"restates {row['restates']} in another metric"
    if row["level_of"]:
        return f"only for {row['level_of']}"
    if row["flag"] == "adjusted":
        return "adjusted for publication bias"
    if row["metric"] not in ("r", *AS_D):
        return f"printed as {row['metric']}"
    return ""


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        f"{row['label']}{_marks(row)}",
        str(row["population"]),
        estimate_text(row),
        bounds_text(row, row["ci_low"], row["ci_high"]),
        people_text(row["k"]),
        people_text(row["k_studies"]),
        people_text(row["n"], at_least=row["more_people"]),
    )


def estimate_text(row: dict[str, Any]) -> str:
    """The correlation with its printed decimals, two where it was converted."""
    decimals = len(row["printed"].partition(".")[2]) if row["metric"] == "r" else 2
    return apa(row["estimate"], decimals, bounded=True)


def bounds_text(row: dict[str, Any], low: float, high: float) -> str:
    """The interval of r with its printed decimals, two where it was converted or implied."""
    as_printed = row["metric"] == "r" and row["interval_from"] == "printed"
    ends = (row["printed_low"], row["printed_high"]) if as_printed else ("0.00", "0.00")
    decimals = max(len(end.partition(".")[2]) for end in ends)
    return interval_text(low, high, decimals, bounded=True)


def _marks(row: dict[str, Any]) -> str:
    converted, implied = row["metric"] != "r", str(row["interval_from"]).startswith("implied")
    pairs = (
        ("*", row["second_hand"]),
        ("†", converted),
        ("±", row["turned"]),
        ("§", implied),
        ("!", row["flag"] == "odd"),
    )
    return " " + " ".join(mark for mark, holds in pairs if holds) if any(holds for _, holds in pairs) else ""


def _legend(rows: pd.DataFrame) -> str:
    """What the marks mean that stand in the table."""
    implied = rows["interval_from"].str.startswith("implied")
    meanings = (
        ("* quoted by another publication", rows["second_hand"].any()),
        ("† d or g converted to r", (rows["metric"] != "r").any()),
        ("± sign turned", rows["turned"].any()),
        ("§ interval implied by the standard error", implied.any()),
        ("! odd as printed, see note", (rows["flag"] == "odd").any()),
        ("– not printed", True),
    )
    return "; ".join(text for text, holds in meanings if holds) + ". Sources: to_frame(), locator and doi."


def _second_hand(rows: pd.DataFrame) -> tuple[str, ...]:
    quoted = rows.loc[rows["second_hand"], "label"].tolist()
    if not quoted:
        return ()
    return (f"{'; '.join(quoted)}: seen only as quoted by another publication, not in the meta-analysis itself.",)


def _notes(rows: pd.DataFrame, left_out: pd.DataFrame) -> tuple[str, ...]:
    other = left_out[~left_out["reason"].str.startswith(("restates", "relates"))]
    notes = []
    if (rows["metric"] != "r").any():
        notes.append(
            "Converted by r = d / √(d² + 4), which is for two equal groups; g is taken as d, its small-sample "
            "correction left in."
        )
    if len(other):
        notes.append(
            f"{len(other)} other {'row' if len(other) == 1 else 'rows'} (subgroups, adjusted or further estimates, "
            "other metrics) left out, each with its reason in .left_out."
        )
    elsewhere = int(left_out["reason"].str.startswith("relates").sum())
    if elsewhere:
        notes.append(f"{elsewhere} more relate it to something else, such as one kind of symptom: see .left_out.")
    return tuple(notes)


def _counted(k: int) -> str:
    return f"{k} meta-analys{'is' if k == 1 else 'es'}"


def _have(count: int) -> str:
    return "has" if count == 1 else "have"


def _years(rows: pd.DataFrame) -> str:
    years = rows["year"].dropna()
    if years.empty:
        return ""
    first, last = int(years.min()), int(years.max())
    return f", {first}" if first == last else f", {first} to {last}"
