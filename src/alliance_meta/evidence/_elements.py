"""`elements()`: the task forces' table of relationship elements and adaptations, rebuilt from what was printed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan, nan
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import pandas as pd

from alliance_meta import datasets
from alliance_meta._answer import Answer
from alliance_meta._tables import SummaryTable, apa
from alliance_meta.consistency import ConsistencyCheck, check_dataset
from alliance_meta.errors import InputError
from alliance_meta.evidence._history import bounds_text
from alliance_meta.evidence._published import DATASET, cells_of, published, records
from alliance_meta.evidence._view import people_text
from alliance_meta.stats import conversions

__all__ = ["Elements", "TaskForce", "elements"]

TaskForce = Literal[2011, 2018]
TASK_FORCES: tuple[TaskForce, ...] = get_args(TaskForce)
_RELATIONSHIP, _ADAPTATION = "relationship", "adaptation"


class _Element(NamedTuple):
    """An element and the rows of the data set that give it, by task force; no rows: known, but lacking."""

    name: str
    part: str
    rows: Mapping[int, tuple[str, ...]]


def _same(name: str, part: str, first: str, second: str) -> _Element:
    return _Element(name, part, {2011: (first,), 2018: (second,)})


_ELEMENTS = (
    _same("Alliance, adult individual", _RELATIONSHIP, "horvath2011-overall", "fluckiger2018-overall"),
    _same("Alliance, child and adolescent", _RELATIONSHIP, "shirk2011-overall", "karver2018-overall"),
    _same("Alliance, couple and family", _RELATIONSHIP, "friedlander2011-overall", "friedlander2018-overall"),
    _same("Collaboration", _RELATIONSHIP, "tryon_winograd2011-collaboration", "tryon2018-collaboration"),
    _same("Goal consensus", _RELATIONSHIP, "tryon_winograd2011-goal-consensus", "tryon2018-goal-consensus"),
    _same("Cohesion in groups", _RELATIONSHIP, "burlingame2011-overall", "burlingame2018-overall"),
    _same("Empathy", _RELATIONSHIP, "elliott2011-overall", "elliott2018-overall"),
    _same("Positive regard", _RELATIONSHIP, "farber_doolin2011-overall", "farber2018-overall"),
    _same("Congruence", _RELATIONSHIP, "kolden2011-overall", "kolden2018-overall"),
    _Element("Real relationship", _RELATIONSHIP, {2018: ("gelso2018-overall",)}),
    _Element(
        "Emotional expression", _RELATIONSHIP, {2018: ("peluso_freund2018-client", "peluso_freund2018-therapist")}
    ),
    _Element("Expectations", _ADAPTATION, {2011: ("constantino2011-overall",)}),
    _Element("Expectations", _RELATIONSHIP, {2018: ("constantino2018_expectation-overall",)}),
    _Element("Credibility", _RELATIONSHIP, {2018: ("constantino2018_credibility-overall",)}),
    _same(
        "Managing countertransference", _RELATIONSHIP, "hayes2011-management-outcome", "hayes2018-management-outcome"
    ),
    _same("Countertransference reactions", _RELATIONSHIP, "hayes2011-reactions-outcome", "hayes2018-reactions-outcome"),
    _same("Repairing ruptures", _RELATIONSHIP, "safran2011-episodes", "eubanks2018-episodes"),
    _same("Training in rupture repair", _RELATIONSHIP, "safran2011-training", "eubanks2018-training"),
    _Element(
        "Client feedback",
        _RELATIONSHIP,
        {
            2011: tuple(
                f"lambert_shimokawa2011-{system}"
                for system in ("oq-feedback", "oq-patient-therapist", "oq-support-tools", "pcoms")
            ),
            2018: (),
        },
    ),
    _Element("Self-disclosure and immediacy", _RELATIONSHIP, {2018: ()}),
    _same("Reactance", _ADAPTATION, "beutler2011_reactance-overall", "beutler2018-overall"),
    _Element("Coping style", _ADAPTATION, {2011: ("beutler2011_coping-overall",), 2018: ()}),
    _Element(
        "Attachment style",
        _ADAPTATION,
        {2011: ("levy2011-anxiety", "levy2011-avoidance", "levy2011-security"), 2018: ()},
    ),
    _Element("Culture", _ADAPTATION, {2011: (), 2018: ("soto2018-adaptation",)}),
    _same("Preferences", _ADAPTATION, "swift2011-outcome", "swift2018-outcome"),
    _Element(
        "Religion, spirituality",
        _ADAPTATION,
        {
            2011: ("worthington2011-alternate-psychological", "worthington2011-alternate-spiritual"),
            2018: ("captari2018-alternate-psychological", "captari2018-alternate-spiritual"),
        },
    ),
    _same("Stages of change", _ADAPTATION, "norcross2011_stages-overall", "krebs2018-overall"),
)
_COLUMNS = (
    "effect_id",
    "label",
    "population",
    "related_to",
    "level_of",
    "metric",
    "printed",
    "printed_low",
    "printed_high",
    "r",
    "r_low",
    "r_high",
    "r_from",
    "d",
    "d_low",
    "d_high",
    "d_from",
    "d_printed",
    "interval_from",
    "k",
    "k_studies",
    "size",
    "n",
    "more_people",
    "flag",
    "second_hand",
    "locator",
    "doi",
    "note",
)
_TEXTS = frozenset(
    {*_COLUMNS}
    - {"r", "r_low", "r_high", "d", "d_low", "d_high", "k", "k_studies", "size", "n"}
    - {"more_people", "second_hand"}
)
_CELLS = {"k": "k", "n": "N", "r_low": "interval"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Elements(Answer):
    """What the task forces on evidence-based relationships found, one row an element and estimate.

    Attributes
    ----------
    task_force : {2011, 2018} or None
        None for both.
    checks : mapping of str to ConsistencyCheck
        By effect_id: the identities between the numbers that its source prints.
    cautions, notes : tuple of str
    """

    task_force: TaskForce | None
    checks: Mapping[str, ConsistencyCheck]
    _rows: pd.DataFrame

    @property
    def lacking(self) -> pd.DataFrame:
        """What is not there: element, task_force, effect_id (empty where the whole row lacks), lacking."""
        rows = self._rows[self._rows["lacking"] != ""]
        return rows[["element", "task_force", "effect_id", "lacking"]].reset_index(drop=True)

    @property
    def inconsistent(self) -> pd.DataFrame:
        """Identities that no values within rounding satisfy: element, effect_id, identity, sentence."""
        named = self._rows.set_index("effect_id")["element"].to_dict()
        found = [
            {"element": named[name], "effect_id": name, "identity": one.identity, "sentence": one.sentence}
            for name, check in self.checks.items()
            for one in check.inconsistent
        ]
        return pd.DataFrame(found, columns=["element", "effect_id", "identity", "sentence"])

    def to_frame(self) -> pd.DataFrame:
        """One row an element and estimate; lacking elements have a row without numbers.

        Returns
        -------
        DataFrame
            element, part (relationship or adaptation), task_force, effect_id, label, population, related_to, level_of;
            metric and printed (as the source has it); r, r_low, r_high, r_from; d, d_low, d_high, d_from, d_printed;
            variance_share, share_low, share_high; nnt, nnt_low, nnt_high; k, k_studies, size, n, more_people;
            interval_from; identities, inconsistent (numbers of them); lacking; flag, second_hand, locator, doi, note.
            Intervals are 95 % confidence intervals; NaN where none is printed. An NNT's first bound may be above its
            second: then it runs through infinity.
        """
        return self._rows.copy()

    @property
    def headline(self) -> str:
        """How many elements, and how many numbers of them can be trusted as printed."""
        there = self._rows[self._rows["effect_id"] != ""]
        of = "both task forces" if self.task_force is None else f"the task force of {self.task_force}"
        wrong = len(set(self.inconsistent["effect_id"]))
        absent = int((self._rows["effect_id"] == "").sum())
        return (
            f"{len(there)} estimates of {there['element'].nunique()} elements of {of}; {absent} "
            f"element{'' if absent == 1 else 's'} lacking; of {wrong} the numbers cannot all be right"
        )

    @property
    def sentence(self) -> str:
        """What was found, and what it can and cannot show."""
        median = apa(float(self._rows["r"].abs().median()), 2, bounded=True)
        return (
            f"{self.headline}. The median size is r = {median}. Most are correlations of an element with outcome, so "
            "d, the share of variance and the NNT restate their size; they do not say what changing the element would "
            "do, and shares of related elements overlap and must not be added."
        )

    def summary(self) -> SummaryTable:
        """The table that printing shows: r, d, share of variance and NNT of each."""
        header: tuple[str, ...] = ("element", "of", "r", "95% CI", "d", "share", "NNT", "k", "N")
        rows: list[tuple[str, ...]] = []
        for part in (_RELATIONSHIP, _ADAPTATION):
            chosen = self._rows[self._rows["part"] == part]
            if len(chosen):
                rows.append((f"{part.capitalize()}s" if part == _ADAPTATION else "Relationship", *[""] * 8))
                rows += [_line(row) for row in records(chosen)]
        title = "Elements of the therapy relationship"
        if self.task_force is not None:  # its year need not stand in every row
            title = f"{title}, task force of {self.task_force}"
            header, *rows = ((*cells[:1], *cells[2:]) for cells in (header, *rows))
        return SummaryTable(
            title=title,
            header=header,
            rows=tuple(rows),
            right=frozenset(range(len(header) - 7, len(header))),
            notes=(_LEGEND, *self.remarks),
        )


_LEGEND = (
    "† converted: d = 2r / √(1 − r²), r = d / √(d² + 4); * quoted by another publication; ! not all numbers can be "
    "right, see .inconsistent; – not printed, or not in the data set."
)


def elements(task_force: TaskForce | int | None = None) -> Elements:
    """The task forces' table of relationship elements, rebuilt from the published numbers: r, d, share, NNT, k, N.

    r and d are as printed, the one that is not printed is made of the other, for two equal groups. The share of
    variance is r squared; the NNT is Kraemer and Kupfer's, 1 / (2 probability(d / √2) − 1), which assumes two normal
    groups of equal spread and compares with a random member of the other group. All identities between the numbers
    that a source prints are checked by `consistency`.

    Parameters
    ----------
    task_force : {2011, 2018}, optional
        Both by default.

    Returns
    -------
    Elements

    Raises
    ------
    InputError
        For another year.

    References
    ----------
    Norcross, J. C. (Ed.). (2011). Psychotherapy relationships that work: Evidence-based responsiveness (2nd ed.).
    Kraemer, H. C., & Kupfer, D. J. (2006). Biological Psychiatry, 59, 990-996.

    Examples
    --------
    >>> row = elements(2018).to_frame().iloc[0]
    >>> print(row["printed"], row["d_printed"], row["variance_share"].round(3), row["nnt"].round(1))
    0.278 0.579 0.077 3.1
    """
    years = tuple(year for year in TASK_FORCES if task_force in (None, year))
    if not years:
        raise InputError(f"task_force must be 2011 or 2018, or None for both; got {task_force!r}")
    rows = _rows(years)
    ids = [name for name in rows["effect_id"] if name]
    table = check_dataset(datasets.load(DATASET))
    checks = {name: table.rows[name] for name in ids}
    rows["identities"] = [len(checks[name].checks) if name else 0 for name in rows["effect_id"]]
    rows["inconsistent"] = [len(checks[name].inconsistent) if name else 0 for name in rows["effect_id"]]
    return Elements(
        task_force=years[0] if len(years) == 1 else None,
        checks=checks,
        cautions=_cautions(rows),
        notes=_notes(rows, checks),
        _rows=rows,
    )


def _rows(years: tuple[int, ...]) -> pd.DataFrame:
    known = {row["effect_id"]: row for row in records(cells_of(published(), _COLUMNS))}
    lines: list[dict[str, Any]] = []
    for element in _ELEMENTS:
        for year in years:
            about = {"element": element.name, "part": element.part, "task_force": year}
            for name in element.rows.get(year, ()):
                cells = known[name]
                lines.append(about | cells | {"lacking": _lacking(cells)})
            if element.rows.get(year) == ():
                empty = dict.fromkeys(_COLUMNS, nan) | dict.fromkeys(_TEXTS, "")
                lines.append(about | empty | {"more_people": False, "second_hand": False, "lacking": "whole row"})
    rows = pd.DataFrame(lines)
    d_interval = rows["d_low"].to_numpy(dtype=float), rows["d_high"].to_numpy(dtype=float)
    r_interval = rows["r_low"].to_numpy(dtype=float), rows["r_high"].to_numpy(dtype=float)
    rows["variance_share"] = conversions.r_to_variance_share(rows["r"])
    rows["share_low"], rows["share_high"] = conversions.carried_interval(conversions.r_to_variance_share, *r_interval)
    rows["nnt"] = conversions.d_to_nnt(rows["d"])
    rows["nnt_low"], rows["nnt_high"] = conversions.carried_interval(conversions.d_to_nnt, *d_interval)
    return rows


def _lacking(cells: dict[str, Any]) -> str:
    return ", ".join(words for name, words in _CELLS.items() if np.isnan(cells[name]))


def _cautions(rows: pd.DataFrame) -> tuple[str, ...]:
    found = []
    wrong = rows[rows["inconsistent"] > 0]
    if len(wrong):
        named = _named(wrong)
        found.append(f"Numbers that cannot all be right, or need another convention: {named}. See .inconsistent.")
    quoted = rows[rows["second_hand"]]
    if len(quoted):
        found.append(f"Seen only as quoted by another publication: {_named(quoted)}.")
    before_after = rows[rows["related_to"].str.endswith("pre to post")]
    if len(before_after):
        found.append(f"A change from before to after, without a group to compare with: {_named(before_after)}.")
    if len(set(rows["task_force"])) > 1:
        found.append("The two task forces share primary studies: a row of 2018 does not replicate that of 2011.")
    return tuple(found)


def _named(rows: pd.DataFrame) -> str:
    return "; ".join(dict.fromkeys(f"{row['element']}, {row['label']}" for row in records(rows)))


def _notes(rows: pd.DataFrame, checks: Mapping[str, ConsistencyCheck]) -> tuple[str, ...]:
    total, wrong = int(rows["identities"].sum()), int(rows["inconsistent"].sum())
    pairs = [one for check in checks.values() for one in check.checks if one.identity == "r_and_d"]
    agree = sum(one.verdict == "consistent" for one in pairs)
    notes = [
        f"Identities checked within rounding: {total}, of which {wrong} cannot hold; printed d is that of printed r in "
        f"{agree} of {len(pairs)}. Intervals of credibility are not shown.",
        "NNT: two normal groups of equal size and spread, success as doing better than a random member of the other "
        "group; negative is a number needed to harm. g is taken as d.",
    ]
    absent = rows[rows["effect_id"] == ""]
    if len(absent):
        named = "; ".join(f"{row['element']} ({row['task_force']})" for row in records(absent))
        notes.append(f"Lacking, because no number could be read at its source: {named}.")
    return tuple(notes)


def _line(row: dict[str, Any]) -> tuple[str, ...]:
    """An element's row; what is converted has a dagger."""
    name, year = str(row["element"]), f"{row['task_force']}"
    detail = row["level_of"].partition("; ")[0].rpartition("=")[2].removesuffix(" feedback")
    detail = row["related_to"].replace("outcome", "").strip() or detail
    marks = "".join(mark for mark, holds in ((" *", row["second_hand"]), (" !", row.get("inconsistent", 0))) if holds)
    label = f"  {name}{f': {detail}' if detail else ''}{marks}"
    if not row["effect_id"]:
        return (f"{label} – lacking", year, *["–"] * 7)
    return (
        label,
        year,
        _number(row["r"], row["printed"] if row["metric"] == "r" else "", bounded=True),
        bounds_text(row, row["r_low"], row["r_high"]),
        _number(row["d"], row["d_printed"] or (row["printed"] if row["metric"] != "r" else "")),
        f"{100 * row['variance_share']:.1f}%",
        "–" if isnan(row["nnt"]) else apa(row["nnt"], 1),
        people_text(row["k"]),
        people_text(row["n"], at_least=row["more_people"]),
    )


def _number(value: float, printed: str, *, bounded: bool = False) -> str:
    """With its printed decimals, or two and a dagger where it was converted."""
    if isnan(value):
        return "–"
    decimals = len(printed.partition(".")[2]) if printed else 2
    return f"{apa(value, decimals, bounded=bounded)}{'' if printed else '†'}"
