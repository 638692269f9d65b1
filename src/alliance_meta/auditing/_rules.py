"""What a number of a role cannot be. One table: the checks report it, and every other check leaves such cells out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from alliance_meta.stats._arrays import BoolArray, FloatArray
from alliance_meta.studies import ROLES

__all__ = ["NUMBER_ROLES", "RULES", "TEXT_ROLES", "YEAR", "Rule", "possible"]

YEAR = "year"
"""The one role the audit knows beyond `studies.ROLES`."""
TEXT_ROLES = ("effect_id", "study", "label", "significance")
NUMBER_ROLES = (*(role for role in ROLES if role not in TEXT_ROLES), YEAR)

_CORRELATIONS = ("r", "r_pre_post", "r_pre_post1", "r_pre_post2")
_DEVIATIONS = tuple(role for role in ROLES if role.startswith("sd"))
_COUNTS = ("n", "n1", "n2", "events1", "events2", "n_items")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A kind of number that cannot be: in which roles, what is wrong with it, and what to do."""

    name: str
    roles: tuple[str, ...]
    bad: Callable[[FloatArray], BoolArray] = field(repr=False)
    problem: str
    advice: str

    def broken(self, values: FloatArray) -> BoolArray:
        """Where there is a number, and it cannot be."""
        return self.bad(values) & ~np.isnan(values)


RULES: tuple[Rule, ...] = (
    Rule(
        name="correlation_beyond_1",
        roles=_CORRELATIONS,
        bad=lambda x: np.abs(x) > 1.0,
        problem="a correlation lies between -1 and 1",
        advice="Correct it; a percentage must be divided by 100.",
    ),
    Rule(
        name="correlation_of_1",
        roles=_CORRELATIONS,
        bad=lambda x: np.abs(x) == 1.0,
        problem="a correlation of exactly -1 or 1 has no sampling variance",
        advice="Check it against the article: a sum of scores may have been correlated with its own part.",
    ),
    Rule(
        name="n_too_small",
        roles=("n",),
        bad=lambda x: x <= 3.0,
        problem="the variance of Fisher's z, 1 / (n - 3), needs n above 3",
        advice="Check whether n counts people; leave the row out if it does.",
    ),
    Rule(
        name="group_too_small",
        roles=("n1", "n2"),
        bad=lambda x: x < 1.0,
        problem="a group has at least 1 person",
        advice="Correct it, or leave the cell empty if the article does not say.",
    ),
    Rule(
        name="items_too_few",
        roles=("n_items",),
        bad=lambda x: x < 2.0,
        problem="coefficient alpha needs at least 2 items",
        advice="Check the number of items.",
    ),
    Rule(
        name="count_not_whole",
        roles=_COUNTS,
        bad=lambda x: x % 1.0 != 0.0,
        problem="a count is a whole number",
        advice="Check whether it is a mean, a percentage, or the number of another column.",
    ),
    Rule(
        name="count_negative",
        roles=("events1", "events2"),
        bad=lambda x: x < 0.0,
        problem="a count is not below 0",
        advice="Correct it.",
    ),
    Rule(
        name="p_outside_0_1",
        roles=("p",),
        bad=lambda x: (x < 0.0) | (x > 1.0),
        problem="a p value lies between 0 and 1",
        advice="Check for a lost decimal point, or a test statistic in its place.",
    ),
    Rule(
        name="sd_not_positive",
        roles=_DEVIATIONS,
        bad=lambda x: x <= 0.0,
        problem="a standard deviation exceeds 0",
        advice="Correct it, or leave the cell empty if the article does not print one.",
    ),
    Rule(
        name="statistic_negative",
        roles=("f", "chi2"),
        bad=lambda x: x < 0.0,
        problem="F and chi-square are not below 0",
        advice="Check whether it is a t; the direction of an effect belongs in the column direction.",
    ),
    Rule(
        name="df_not_positive",
        roles=("df", "df2"),
        bad=lambda x: x <= 0.0,
        problem="degrees of freedom exceed 0",
        advice="Correct it, or leave the cell empty if the article does not print them.",
    ),
    Rule(
        name="alpha_outside_0_1",
        roles=("alpha",),
        bad=lambda x: (x <= 0.0) | (x > 1.0),
        problem="a coefficient alpha to be pooled lies above 0 and not above 1",
        advice="Check it; an alpha below 0 means that items were not reversed.",
    ),
    Rule(
        name="spread_not_positive",
        roles=("variance", "std_error"),
        bad=lambda x: x <= 0.0,
        problem="an effect without sampling error cannot be weighted",
        advice="Check for a rounded value, or another column in its place.",
    ),
    Rule(
        name="share_outside_0_1",
        roles=("r2", "eta2"),
        bad=lambda x: (x < 0.0) | (x > 1.0),
        problem="a share of variance lies between 0 and 1",
        advice="Check whether it is a correlation, or a percentage that must be divided by 100.",
    ),
    Rule(
        name="odds_not_positive",
        roles=("odds_ratio",),
        bad=lambda x: x <= 0.0,
        problem="an odds ratio exceeds 0",
        advice="Check whether it is a logarithm: that belongs in log_odds_ratio.",
    ),
    Rule(
        name="direction_unknown",
        roles=("direction",),
        bad=lambda x: np.abs(x) != 1.0,
        problem="a direction is 1 or -1",
        advice="Write 1 to keep the sign of the row's effect, -1 to turn it.",
    ),
    Rule(
        name="tails_unknown",
        roles=("tails",),
        bad=lambda x: (x != 1.0) & (x != 2.0),
        problem="a p value has 1 tail or 2",
        advice="Write 1 or 2, or leave the cell empty for 2.",
    ),
)


def possible(role: str, values: FloatArray) -> FloatArray:
    """The values, NaN where they are not finite or break a rule of their role."""
    kept = np.where(np.isfinite(values), values, np.nan)
    for rule in RULES:
        if role in rule.roles:
            kept = np.where(rule.broken(kept), np.nan, kept)
    return kept
