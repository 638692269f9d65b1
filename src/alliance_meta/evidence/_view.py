"""Intervals and counts of people as text."""

from __future__ import annotations

from math import isnan

from alliance_meta._tables import apa

__all__ = ["interval_text", "people_text"]


def interval_text(low: float, high: float, decimals: int = 2, *, bounded: bool = False) -> str:
    """An interval in brackets, or a dash where there is none."""
    if isnan(low) or isnan(high):
        return "–"
    return f"[{apa(low, decimals, bounded=bounded)}, {apa(high, decimals, bounded=bounded)}]"


def people_text(n: float, *, at_least: bool = False) -> str:
    """A count, with the "more than" that it is printed with."""
    return "–" if isnan(n) else f"{'> ' if at_least else ''}{n:,.0f}"
