"""`Evidence`: what every result about published meta-analyses can be asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import isnan

import pandas as pd

from alliance_meta._tables import SummaryTable, apa

__all__ = ["Evidence", "interval_text", "people_text"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence(ABC):
    """What meta-analyses print, arranged, with what that can and cannot show.

    Attributes
    ----------
    cautions : tuple of str
        What speaks against reading the numbers as they stand; every view shows them.
    notes : tuple of str
        How the numbers were made, and what was left out.
    """

    cautions: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    @abstractmethod
    def headline(self) -> str:
        """The result in a few words and numbers."""

    @property
    @abstractmethod
    def sentence(self) -> str:
        """What was found, and what it can and cannot show."""

    @abstractmethod
    def to_frame(self) -> pd.DataFrame:
        """The numbers as a tidy table, each with the row of the data set that it comes from."""

    @abstractmethod
    def summary(self) -> SummaryTable:
        """The table that printing shows."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """The lines under the table: the sentence, the cautions, the notes."""
        return (self.sentence, *(f"Caution: {caution}" for caution in self.cautions), *self.notes)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.headline}>"

    def __str__(self) -> str:
        return self.summary().to_text()

    def _repr_html_(self) -> str:
        return self.summary().to_html()

    def to_markdown(self) -> str:
        """The summary as a Markdown table."""
        return self.summary().to_markdown()


def interval_text(low: float, high: float, decimals: int = 2, *, bounded: bool = False) -> str:
    """An interval in brackets, or a dash where there is none."""
    if isnan(low) or isnan(high):
        return "–"
    return f"[{apa(low, decimals, bounded=bounded)}, {apa(high, decimals, bounded=bounded)}]"


def people_text(n: float, *, at_least: bool = False) -> str:
    """A count, with the "more than" that it is printed with."""
    return "–" if isnan(n) else f"{'> ' if at_least else ''}{n:,.0f}"
