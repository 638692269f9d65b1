"""Checks for what cannot be: a number out of its range, or two that exclude each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from alliance_meta.auditing._check import Check, Finding, positions
from alliance_meta.auditing._columns import Columns
from alliance_meta.auditing._rules import RULES, Rule
from alliance_meta.auditing._spans import EFFECT_ROLES, above, span

__all__ = ["CHECKS"]


def _broken(rule: Rule) -> Callable[[Columns], Iterator[Finding]]:
    def find(columns: Columns) -> Iterator[Finding]:
        for role in filter(columns.has, rule.roles):
            for i in positions(rule.broken(columns.finite(role))):
                yield Finding(i, "error", f"{columns.words(i, role)}, but {rule.problem}", rule.advice)

    return find


def _groups(columns: Columns) -> Iterator[Finding]:
    n, n1, n2 = (columns.valid(role) for role in ("n", "n1", "n2"))
    for i in positions((n1 + n2 > n) | (n1 + n2 < n)):
        held = columns.words(i, "n1", "n2", "n")
        if n1[i] + n2[i] > n[i]:
            seen = f"{held}: the groups have {n1[i] + n2[i] - n[i]:g} more people than the total"
            yield Finding(i, "error", seen, "Correct the sample sizes.")
        else:
            seen = f"{held}: {n[i] - n1[i] - n2[i]:g} people are in neither group"
            yield Finding(i, "warning", seen, "Look for a third group, or people who left before the end.")


def _events(columns: Columns) -> Iterator[Finding]:
    for events, size in (("events1", "n1"), ("events2", "n2")):
        for i in positions(columns.valid(events) > columns.valid(size)):
            seen = f"{columns.words(i, events, size)}: more events than people"
            yield Finding(i, "error", seen, "Check whether events were counted instead of people who had one.")


def _reversed(columns: Columns) -> Iterator[Finding]:
    for i in positions(columns.finite("ci_low") > columns.finite("ci_high")):
        seen = f"{columns.words(i, 'ci_low', 'ci_high')}: the lower bound is above the upper one"
        yield Finding(i, "error", seen, "Swap the bounds, or look for a lost minus sign.")


def _outside(columns: Columns) -> Iterator[Finding]:
    low, high = span(columns, "ci_low"), span(columns, "ci_high")
    ordered = columns.finite("ci_low") <= columns.finite("ci_high")
    roles = [role for role in EFFECT_ROLES if columns.has(role)]
    effects = [span(columns, role) for role in roles]
    given = np.array([~np.isnan(effect.low) for effect in effects])
    outside = np.array([above(effect, high) | above(low, effect) for effect in effects])
    for i in positions(ordered & given.any(axis=0) & (outside | ~given).all(axis=0)):
        role = roles[int(given[:, i].argmax())]
        seen = f"{columns.words(i, role, 'ci_low', 'ci_high')}: the effect lies outside its interval"
        yield Finding(i, "error", seen, "Check all three against the article, and whether they share a scale.")


CHECKS: tuple[Check, ...] = (
    *(
        Check(
            name=rule.name,
            family="impossible",
            about=f"{rule.problem}: {', '.join(rule.roles)}",
            needs=tuple((role,) for role in rule.roles),
            find=_broken(rule),
        )
        for rule in RULES
    ),
    Check(
        name="groups_and_n",
        family="impossible",
        about="group sizes whose sum is not the total",
        needs=(("n", "n1", "n2"),),
        find=_groups,
    ),
    Check(
        name="events_beyond_group",
        family="impossible",
        about="more events than people in a group",
        needs=(("events1", "n1"), ("events2", "n2")),
        find=_events,
    ),
    Check(
        name="interval_reversed",
        family="impossible",
        about="a lower bound above the upper one",
        needs=(("ci_low", "ci_high"),),
        find=_reversed,
    ),
    Check(
        name="effect_outside_interval",
        family="impossible",
        about="an effect outside its interval, beyond rounding",
        needs=tuple((role, "ci_low", "ci_high") for role in EFFECT_ROLES),
        find=_outside,
    ),
)
