"""What a cell of each role can hold, and how a table is told of one that cannot be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from alliance_meta import _checks
from alliance_meta.stats._arrays import BoolArray, FloatArray
from alliance_meta.studies import StudyTable

__all__ = ["SMALLEST", "check", "check_group", "check_halves", "check_together"]

_LEAVE = "Leave those rows out."
_ARTICLE = "Check them against the article, or leave those rows out."


class _Rule(NamedTuple):
    bad: Callable[[FloatArray], BoolArray]
    problem: str
    remedy: str = _ARTICLE


def _above_0(values: FloatArray) -> BoolArray:
    return ~(values > 0.0)


_CORRELATION = (
    _Rule(
        lambda r: np.abs(r) > 1.0,
        "holds correlations beyond -1 or 1, which cannot be",
        "Correct them; percentages must be divided by 100.",
    ),
    _Rule(
        lambda r: np.abs(r) == 1.0,
        "holds correlations of exactly -1 or 1, whose sampling variance cannot be estimated",
    ),
)
_SD = (_Rule(_above_0, "must be greater than 0, being a standard deviation"),)
_DF = (_Rule(_above_0, "must be greater than 0, being degrees of freedom"),)
_SQUARE = (_Rule(lambda x: (x < 0.0) | (x >= 1.0), "must lie from 0 to below 1, being a share of variance"),)
_NOT_NEGATIVE = (_Rule(lambda x: x < 0.0, "cannot be below 0"),)
_EVENTS = (_Rule(lambda x: x < 0.0, "cannot be below 0, being a number of people"),)
_SPREAD = (
    _Rule(
        _above_0,
        "must be greater than 0",
        "Check whether another column was meant; an effect without sampling error cannot be pooled.",
    ),
)

_RULES: dict[str, tuple[_Rule, ...]] = {
    "r": _CORRELATION,
    **dict.fromkeys(("r_pre_post", "r_pre_post1", "r_pre_post2"), _CORRELATION),
    **dict.fromkeys(("sd1", "sd2", "sd_pre", "sd_post", "sd_pre1", "sd_pre2"), _SD),
    **dict.fromkeys(("df", "df2"), _DF),
    **dict.fromkeys(("r2", "eta2"), _SQUARE),
    **dict.fromkeys(("f", "chi2"), _NOT_NEGATIVE),
    **dict.fromkeys(("events1", "events2"), _EVENTS),
    **dict.fromkeys(("variance", "std_error"), _SPREAD),
    "p": (
        _Rule(lambda p: (p < 0.0) | (p > 1.0), "holds p values outside 0 to 1, which cannot be"),
        _Rule(
            lambda p: p == 0.0,
            "holds p values of 0, which are rounded",
            "Put in the bound that the article gives, such as 0.001, or leave those rows out.",
        ),
    ),
    "tails": (_Rule(lambda x: ~np.isin(x, (1.0, 2.0)), "must be 1 or 2", "An empty cell stands for 2."),),
    "direction": (_Rule(lambda x: ~np.isin(x, (1.0, -1.0)), "must be 1 or -1", "An empty cell stands for 1."),),
    "beta": (
        _Rule(
            lambda b: np.abs(b) > 0.5,
            "holds coefficients beyond -0.5 and 0.5, for which Peterson and Brown (2005) give no correlation",
            "Find the correlations themselves, or leave those rows out.",
        ),
    ),
    "odds_ratio": (_Rule(_above_0, "must be greater than 0, being an odds ratio"),),
    "alpha": (_Rule(lambda a: a >= 1.0, "must be below 1, or its sampling variance cannot be estimated"),),
    "n_items": (_Rule(lambda m: m < 2.0, "must be 2 or more, or there is no coefficient alpha"),),
}

SMALLEST: dict[str, tuple[float, str, str]] = {
    "COR": (1.0, "for the variance of a correlation", _LEAVE),
    "UCOR": (4.0, "for the correlation without bias", "Leave those rows out, or use measure='COR'."),
    "ZCOR": (3.0, "for Fisher's z", "Leave those rows out, or use measure='COR'."),
    **dict.fromkeys(("MC", "ROMC"), (1.0, "for the variance of a change", _LEAVE)),
    **dict.fromkeys(("SMCC", "SMCR", "SMCRH"), (2.0, "for the variance of a standardized change", _LEAVE)),
    **dict.fromkeys(("ARAW", "AHW", "ABT"), (2.0, "for the variance of coefficient alpha", _LEAVE)),
}
"""What n must exceed, by measure."""


def _refuse(studies: StudyTable, role: str, problem: str, remedy: str, bad: BoolArray) -> None:
    column = studies.column(role).tolist()
    _checks.refuse_rows(studies.roles[role], problem, remedy, bad, column, studies.index)


def check(studies: StudyTable, role: str, values: FloatArray, rows: BoolArray, code: str) -> None:
    """Refuse what a column cannot hold in the rows that use it."""
    if role == "n":
        above, why, remedy = SMALLEST.get(code, (0.0, "", _LEAVE))
        _refuse(studies, role, f"must exceed {above:g} {why}".rstrip(), remedy, rows & (values <= above))
    for rule in _RULES.get(role, ()):
        _refuse(studies, role, rule.problem, rule.remedy, rows & rule.bad(values))


def _why(code: str) -> str:
    return "for the variance of a standardized mean difference" if code == "SMD" else "for two groups"


def check_group(studies: StudyTable, role: str, values: FloatArray, rows: BoolArray, code: str) -> None:
    """Refuse a group without people."""
    remedy = "Give both group sizes, or neither and a total N." if studies.has("n") else _LEAVE
    _refuse(studies, role, f"must exceed 0 {_why(code)}", remedy, rows & _above_0(values))


def check_halves(studies: StudyTable, values: FloatArray, rows: BoolArray, code: str) -> None:
    """Refuse a total that cannot be two groups."""
    bad = rows & ~(values > 2.0)
    if studies.has("n1") and studies.has("n2"):
        remedy = "Give the group sizes or a total N above 2, or leave those rows out."
        _refuse(studies, "n", "must stand in for missing group sizes", remedy, bad)
    else:
        _refuse(studies, "n", f"must exceed 2 {_why(code)}", _LEAVE, bad)


def check_together(studies: StudyTable, values: Mapping[str, FloatArray], used: Mapping[str, BoolArray]) -> None:
    """Refuse cells that contradict others of their row."""
    for group in ("1", "2"):
        if f"events{group}" in used:
            problem = f"holds more people with the event than are in the group (n{group})"
            _refuse(studies, f"events{group}", problem, _ARTICLE, values[f"events{group}"] > values[f"n{group}"])
    if "df" in used and ("f" in used or "chi2" in used):
        numerator = np.any([used[role] for role in ("f", "chi2") if role in used], axis=0)
        problem = "must be 1 where F or chi-square is to become an effect: a test of more has no direction"
        _refuse(studies, "df", problem, _ARTICLE, numerator & used["df"] & (values["df"] != 1.0))
    if "chi2" in used:
        _refuse(studies, "chi2", "must be below n, or it is no correlation", _ARTICLE, values["chi2"] >= values["n"])
    if "z" in used:
        problem = "is too large for n: z / sqrt(n) would be no correlation"
        _refuse(studies, "z", problem, _ARTICLE, values["z"] ** 2 >= values["n"])
    if "p" in used:
        problem = "holds a one-tailed p value of 1, from which no effect follows"
        _refuse(studies, "p", problem, _ARTICLE, (values["p"] == 1.0) & (values["tails"] == 1.0))
    if "ci_low" in used:
        low, high, effect = values["ci_low"], values["ci_high"], values["effect"]
        problem = "must be below ci_high, with the effect between them"
        bad = used["ci_low"] & ~((low < high) & (low <= effect) & (effect <= high))
        _refuse(studies, "ci_low", problem, "Check whether the columns are on the scale of the effect.", bad)
