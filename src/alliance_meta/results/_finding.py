"""`Finding`: what every result about bias and sensitivity can be asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import pandas as pd

from alliance_meta._tables import SummaryTable
from alliance_meta.effects import EffectSizes

__all__ = ["Finding"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Finding(ABC):
    """A result that says what it found, what that can and cannot show, and what in these effects makes it doubtful.

    Attributes
    ----------
    effects : EffectSizes
        What was analysed.
    cautions : tuple of str
        The method's conditions that fail on these effects, a sentence each; empty where all hold.
    notes : tuple of str
        Why a number is NaN, which bound was hit, what was left out.
    """

    effects: EffectSizes
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
        """The numbers as a tidy table, on the analysed scale."""

    @abstractmethod
    def summary(self) -> SummaryTable:
        """The table that printing shows."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """The lines under the table: the sentence, the cautions, the notes, and where the data come from."""
        cautions = (f"Caution: {caution}" for caution in self.cautions)
        caveat = (self.effects.caveat,) if self.effects.caveat else ()
        return (self.sentence, *cautions, *self.notes, *self.effects.notes, *caveat)

    def __repr__(self) -> str:
        caveat = f"; {self.effects.caveat}" if self.effects.caveat else ""
        return f"<{type(self).__name__}: {self.headline}{caveat}>"

    def __str__(self) -> str:
        return self.summary().to_text()

    def _repr_html_(self) -> str:
        return self.summary().to_html()

    def to_markdown(self) -> str:
        """The summary as a Markdown table."""
        return self.summary().to_markdown()
