"""`Interval`, `DisplayScale` and `Proportion`: answers with bounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alliance_meta._tables import number

__all__ = ["DisplayScale", "Interval", "Proportion"]

_KINDS = {"tau2": "τ²", "i2": "I² (percent)", "h2": "H²", "r2": "R² (percent)"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An interval on the analysed scale; unpacks as ``low, high``.

    Attributes
    ----------
    low, high : float
        NaN where the interval does not exist; then `note` says why.
    level : float
    kind : str
        What it is an interval of: ``"confidence"``, ``"prediction"`` or ``"tau2"``.
    note : str
    """

    low: float
    high: float
    level: float
    kind: str
    note: str = ""

    def __iter__(self) -> Iterator[float]:
        return iter((self.low, self.high))

    def __repr__(self) -> str:
        note = f" ({self.note})" if self.note else ""
        decimals = 1 if self.kind in ("i2", "r2") else 4
        bounds = f"[{number(self.low, decimals)}, {number(self.high, decimals)}]"
        return f"{100 * self.level:g}% {_KINDS.get(self.kind, self.kind)} interval {bounds}{note}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayScale:
    """A pooled effect on the scale shown to people, such as r for Fisher's z.

    Attributes
    ----------
    scale : str
    estimate, ci_low, ci_high, pi_low, pi_high : float
    level : float
    """

    scale: str
    estimate: float
    ci_low: float
    ci_high: float
    pi_low: float
    pi_high: float
    level: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Proportion:
    """A proportion of true effects, and its interval.

    Attributes
    ----------
    estimate : float
    low, high : float
        NaN where the interval does not exist; then `note` says why.
    threshold : float
        On the scale shown to people.
    level : float
    note : str
    """

    estimate: float
    low: float
    high: float
    threshold: float
    level: float
    note: str = ""

    def __repr__(self) -> str:
        note = f" ({self.note})" if self.note else ""
        bounds = f"[{number(self.low, 3)}, {number(self.high, 3)}]"
        share = number(self.estimate, 3)
        return f"{share} of true effects above {self.threshold:g}, {100 * self.level:g}% interval {bounds}{note}"
