"""Checks for numbers that can be, but seldom are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date

import numpy as np

from alliance_meta.auditing._check import Check, Finding, positions
from alliance_meta.auditing._columns import Columns
from alliance_meta.auditing._rules import YEAR
from alliance_meta.stats._arrays import BoolArray, FloatArray

__all__ = ["CHECKS", "YEARS"]

YEARS = re.compile(r"(?<!\d)(?<!n = )(?<!n=)(?:18|19|20)\d\d(?!\d)", flags=re.IGNORECASE)
"""A year in a label; not a sample size."""

_FIRST_YEAR = 1900
_SD_ROWS = 6
_SD_BELOW = 3.0
_SD_ALIKE = 1.5
_GROUP_OF = {
    "sd1": "n1",
    "sd2": "n2",
    "sd_pre": "n",
    "sd_post": "n",
    "sd_pre1": "n1",
    "sd_post1": "n1",
    "sd_pre2": "n2",
    "sd_post2": "n2",
}


def _where(
    roles: tuple[str, ...], odd: Callable[[FloatArray], BoolArray], problem: str, advice: str
) -> Callable[[Columns], Iterator[Finding]]:
    def find(columns: Columns) -> Iterator[Finding]:
        for role in filter(columns.has, roles):
            for i in positions(odd(columns.valid(role))):
                yield Finding(i, "warning", f"{columns.words(i, role)}: {problem}", advice)

    return find


def _year_out_of_range(columns: Columns) -> Iterator[Finding]:
    year, last = columns.finite(YEAR), date.today().year + 1
    for i in positions((year < _FIRST_YEAR) | (year > last) | (year % 1.0 != 0.0) & ~np.isnan(year)):
        seen = f"{columns.words(i, YEAR)}, not a year from {_FIRST_YEAR} to {last}"
        yield Finding(i, "warning", seen, "Correct the year.")


def _year_not_in_label(columns: Columns) -> Iterator[Finding]:
    role = "label" if columns.has("label") else "study"
    for i, (year, text) in enumerate(zip(columns.finite(YEAR), columns.texts(role), strict=True)):
        named = YEARS.findall(text)
        if named and not np.isnan(year) and f"{year:.0f}" not in named:
            seen = f"{columns.words(i, YEAR)}, but the {role} {text!r} says {' and '.join(named)}"
            yield Finding(i, "warning", seen, "Correct one of them.")


def _sd_like_se(columns: Columns) -> Iterator[Finding]:
    """SDs far below otherwise similar ones that would be typical if multiplied by the root of n."""
    for role, group in _GROUP_OF.items():
        sd, n = columns.valid(role), columns.valid(group)
        n = np.where(np.isnan(n), columns.valid("n") / 2.0, n) if group != "n" else n
        log = np.log(sd)
        known = ~np.isnan(log)
        if known.sum() < _SD_ROWS:
            continue
        typical = float(np.median(log[known]))
        if 1.4826 * float(np.median(np.abs(log[known] - typical))) > np.log(_SD_ALIKE):
            continue  # the studies use scales too different to say what is typical
        low = log < typical - np.log(_SD_BELOW)
        for i in positions(low & (np.abs(log + 0.5 * np.log(n) - typical) < np.log(_SD_ALIKE))):
            seen = (
                f"{columns.words(i, role)} with {n[i]:g} people, where {np.exp(typical):.3g} is typical: "
                f"times the root of {n[i]:g} it is {sd[i] * np.sqrt(n[i]):.3g}"
            )
            advice = "A suspicion only: it may be a standard error. Look whether the article prints SE or SD."
            yield Finding(i, "warning", seen, advice)


CHECKS: tuple[Check, ...] = (
    Check(
        name="correlation_large",
        family="implausible",
        about="|r| above .9",
        needs=(("r",),),
        find=_where(
            ("r",),
            lambda x: np.abs(x) > 0.9,
            "two different measures seldom correlate so highly",
            "Check for a lost decimal point, a reliability in its place, or one score that is part of the other.",
        ),
    ),
    Check(
        name="difference_large",
        family="implausible",
        about="|d| or |g| above 3",
        needs=(("d",), ("g",)),
        find=_where(
            ("d", "g"),
            lambda x: np.abs(x) > 3.0,
            "treatments seldom differ by three standard deviations",
            "Check whether a standard error was taken for a standard deviation, or a t for a d.",
        ),
    ),
    Check(
        name="n_large",
        family="implausible",
        about="n above 10,000",
        needs=(("n",), ("n1",), ("n2",)),
        find=_where(
            ("n", "n1", "n2"),
            lambda x: x > 10_000.0,
            "studies of psychotherapy seldom have over 10,000 people",
            "Check for an extra digit, sessions counted as people, or the total of a review.",
        ),
    ),
    Check(
        name="alpha_low",
        family="implausible",
        about="alpha below .5",
        needs=(("alpha",),),
        find=_where(
            ("alpha",),
            lambda x: x < 0.5,
            "scales in use are seldom so unreliable",
            "Check for items that were not reversed, or a correlation in its place.",
        ),
    ),
    Check(
        name="year_out_of_range",
        family="implausible",
        about=f"a year before {_FIRST_YEAR} or after next year",
        needs=((YEAR,),),
        find=_year_out_of_range,
    ),
    Check(
        name="year_not_in_label",
        family="implausible",
        about="a year that is not the one in the label",
        needs=((YEAR, "label"), (YEAR, "study")),
        find=_year_not_in_label,
    ),
    Check(
        name="sd_like_std_error",
        family="implausible",
        about="a standard deviation that may be a standard error",
        needs=tuple((sd, size) for sd, group in _GROUP_OF.items() for size in dict.fromkeys((group, "n"))),
        find=_sd_like_se,
    ),
)
