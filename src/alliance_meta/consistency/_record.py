"""What was found when printed numbers were held against each other: of one identity, one analysis, one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import pandas as pd

from alliance_meta._checks import known_name
from alliance_meta._tables import Shown, SummaryTable
from alliance_meta.consistency._rounded import Range

__all__ = ["ConsistencyCheck", "ConsistencyTable", "IdentityCheck", "Verdict"]

Verdict = Literal["consistent", "inconsistent"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
_ROWS_SHOWN = 40
_COLUMNS = (
    "row",
    "identity",
    "verdict",
    "printed",
    "against",
    "reading",
    "printed_low",
    "printed_high",
    "allowed_low",
    "allowed_high",
    "sentence",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityCheck:
    """One identity held against printed numbers.

    Attributes
    ----------
    identity, about : str
        Its name, a key of `identities()`, and what it says.
    quantities : tuple of str
        The printed quantities it was held against, the one that is compared first.
    verdict : {"consistent", "inconsistent"}
        Inconsistent: no values that round to the printed numbers satisfy it, on any reading.
    reading : tuple of str
        The readings that fit, such as ``"Fisher's z"`` or ``"one-sided"``, the most usual first; empty where there is
        but one, or none fits.
    readings : int
        How many readings were tried.
    printed, against : str
        The number that is compared, and the others, as printed.
    printed_low, printed_high : float
        What the printed number may have been before it was rounded.
    allowed_low, allowed_high : float
        What the others allow it to have been, on the first reading that fits, else on the nearest.
    compared : str
        What is compared, where that is not the printed number itself.
    nearest : str
        The reading that comes nearest, where none fits.
    hint : str
        What small slip would explain numbers that do not fit; often empty.
    unless : str
        What would excuse them.
    """

    identity: str
    about: str
    quantities: tuple[str, ...]
    verdict: Verdict
    reading: tuple[str, ...]
    readings: int
    printed: str
    against: str
    printed_low: float
    printed_high: float
    allowed_low: float
    allowed_high: float
    compared: str
    nearest: str
    hint: str
    unless: str

    @property
    def sentence(self) -> str:
        """What was found, in plain words."""
        fits = self.verdict == "consistent"
        allowed = Range(self.allowed_low, self.allowed_high).words()
        if not self.against:
            return f"{self.printed} is impossible: it can be {allowed}."
        held = Range(self.printed_low, self.printed_high).words()
        read = _some(self.reading) if fits else self.nearest
        of_reading = f" ({read})" if read else ""
        allow = f"{self.against} {_agree('allow', self.against)} {allowed}{of_reading}"
        if self.compared:
            found = f"{self.printed}: {self.compared} is {held}, {'and' if fits else 'but'} {allow}."
        else:
            found = f"{self.printed} {_agree('fit' if fits else 'do', self.printed)}"
            found += f": {allow}." if fits else f" not fit: {allow}."
        if fits:
            return found
        tried = f"None of {self.readings} readings fits; this is the nearest." if self.readings > 1 else ""
        excuse = f"Wrong, unless {self.unless}." if self.unless else ""
        return " ".join(filter(None, (found, tried, self.hint, excuse)))


def _some(readings: tuple[str, ...]) -> str:
    """Readings as prose; of many, the first."""
    more = len(readings) - 1
    return f"{readings[0]}, and {more} other readings" if more > 1 else " or ".join(readings)


def _agree(verb: str, subject: str) -> str:
    """The verb in the number of its subject; several quantities stand with commas."""
    return verb if ", " in subject else {"do": "does"}.get(verb, f"{verb}s")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ConsistencyCheck(Shown):
    """What the numbers that one analysis prints say about each other.

    Attributes
    ----------
    label : str
        The analysis, where it was named.
    checks : tuple of IdentityCheck
        The identities that could be held against the numbers.
    not_checkable : mapping of str to str
        The identities that could not, and why; this is no fault of the numbers.
    notes : tuple of str
        What had to be assumed.
    """

    label: str
    checks: tuple[IdentityCheck, ...]
    not_checkable: Mapping[str, str]
    notes: tuple[str, ...]

    @property
    def inconsistent(self) -> tuple[IdentityCheck, ...]:
        """The identities that no values within rounding satisfy."""
        return tuple(one for one in self.checks if one.verdict == "inconsistent")

    @property
    def ok(self) -> bool:
        """Whether nothing is inconsistent, which it also is where nothing could be checked."""
        return not self.inconsistent

    def of(self, identity: str) -> IdentityCheck:
        """The check of one identity.

        Raises
        ------
        UnknownNameError
            If it was not checked.
        """
        name = known_name("checked identity", identity, self._names)
        return next(one for one in self.checks if one.identity == name)

    @property
    def _gravest_first(self) -> tuple[IdentityCheck, ...]:
        return (*self.inconsistent, *(one for one in self.checks if one.verdict == "consistent"))

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(one.identity for one in self.checks)

    @property
    def sentence(self) -> str:
        """What was found, and what it can and cannot show."""
        if not self.checks:
            return "Too few numbers are printed to hold any against another."
        count, wrong = len(self.checks), self.inconsistent
        if not wrong:
            agree = "agrees" if count == 1 else "all agree"
            return (
                f"{_counted(count, 'identity')} could be checked, and {agree} with the printed numbers within their "
                "rounding; numbers that agree may still be wrong together."
            )
        named = ", ".join(dict.fromkeys(one.identity for one in wrong))
        return (
            f"{len(wrong)} of {_counted(count, 'identity')} cannot hold, whatever was rounded away: {named}. At least "
            "one number of each is misprinted, miscopied, or of another analysis; which one, identities cannot tell."
        )

    @property
    def headline(self) -> str:
        """The counts, in a few words."""
        return f"{_counted(len(self.checks), 'identity')} checked, {len(self.inconsistent)} inconsistent"

    def to_frame(self) -> pd.DataFrame:
        """One row an identity: identity, verdict, printed, against, reading, the ranges, and the sentence."""
        return _frame(self).drop(columns="row")

    def summary(self) -> SummaryTable:
        """The table that printing shows: what is inconsistent first."""
        return SummaryTable(
            title=f"Consistency of printed numbers{f': {self.label}' if self.label else ''}",
            header=("identity", "verdict", "what the numbers say") if self.checks else ("", "", ""),
            rows=tuple((one.identity, one.verdict, one.sentence) for one in self._gravest_first)
            or (("Nothing could be checked.", "", ""),),
            notes=(
                self.sentence,
                *self.notes,
                f"{len(self.not_checkable)} identities need other numbers: .not_checkable.",
            ),
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}{f' of {self.label}' if self.label else ''}: {self.headline}>"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ConsistencyTable(Shown):
    """What the numbers of many analyses say about each other, each analysis for itself.

    Attributes
    ----------
    rows : mapping of str to ConsistencyCheck
        By label, in the order of the table.
    notes : tuple of str
    """

    rows: Mapping[str, ConsistencyCheck]
    notes: tuple[str, ...]

    @property
    def inconsistent(self) -> pd.DataFrame:
        """The rows of `to_frame()` that no values within rounding satisfy."""
        frame = self.to_frame()
        return frame[frame["verdict"] == "inconsistent"].reset_index(drop=True)

    @property
    def ok(self) -> bool:
        """Whether nothing is inconsistent."""
        return all(one.ok for one in self.rows.values())

    @property
    def counts(self) -> pd.DataFrame:
        """How many analyses each identity was held against: identity, consistent, inconsistent."""
        frame = self.to_frame()
        names = pd.Index(dict.fromkeys(frame["identity"]), name="identity")
        counted = pd.crosstab(frame["identity"], frame["verdict"]).reindex(index=names, columns=VERDICTS, fill_value=0)
        return counted.rename_axis(columns=None).reset_index()

    @property
    def headline(self) -> str:
        """The counts, in a few words."""
        checked = sum(bool(one.checks) for one in self.rows.values())
        wrong = sum(not one.ok for one in self.rows.values())
        return f"{checked} of {_counted(len(self.rows), 'analysis')} could be checked, {wrong} inconsistent"

    @property
    def sentence(self) -> str:
        """What was found, and what it can and cannot show."""
        wrong = [label for label, one in self.rows.items() if not one.ok]
        named = f": {', '.join(wrong[:_ROWS_SHOWN])}{', ...' if len(wrong) > _ROWS_SHOWN else ''}" if wrong else ""
        return (
            f"{self.headline}{named}. Numbers are called inconsistent only where no values that round to them "
            "satisfy an identity; numbers that agree may still be wrong together."
        )

    def to_frame(self) -> pd.DataFrame:
        """One row an analysis and identity: row, identity, verdict, printed, against, reading, ranges, sentence."""
        frames = [_frame(one, label) for label, one in self.rows.items() if one.checks]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(_COLUMNS))

    def summary(self) -> SummaryTable:
        """The table that printing shows: what is inconsistent."""
        found = [(label, one) for label, row in self.rows.items() for one in row.inconsistent]
        more = len(found) - _ROWS_SHOWN
        return SummaryTable(
            title=f"Consistency of printed numbers: {self.headline}",
            header=("analysis", "identity", "what the numbers say") if found else ("", "", ""),
            rows=tuple((label, one.identity, one.sentence) for label, one in found[:_ROWS_SHOWN])
            or (("Nothing is inconsistent.", "", ""),),
            notes=(*((f"and {more} more: see .inconsistent",) if more > 0 else ()), self.sentence, *self.notes),
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.headline}>"


def _frame(found: ConsistencyCheck, label: str = "") -> pd.DataFrame:
    rows = [
        {name: getattr(one, name, label) for name in _COLUMNS} | {"reading": "; ".join(one.reading)}
        for one in found.checks
    ]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _counted(count: int, noun: str) -> str:
    plural = {"identity": "identities", "analysis": "analyses"}[noun]
    return f"{count} {noun if count == 1 else plural}"
