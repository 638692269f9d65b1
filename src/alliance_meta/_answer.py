"""`Answer`: a result that says what it found and what speaks against taking it at its word."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import pandas as pd

from alliance_meta._tables import Shown

__all__ = ["Answer"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer(Shown):
    """A result with its own words. A dataclass made of it needs ``repr=False`` to keep them.

    Attributes
    ----------
    cautions : tuple of str
        What makes the answer doubtful here, a sentence each; empty where nothing does.
    notes : tuple of str
        Why a number is NaN, which bound was hit, what was left out.
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
        """The numbers as a tidy table."""

    @property
    def data_caveat(self) -> str:
        """A sentence about the data that every view carries, such as that they are simulated; else empty."""
        return ""

    @property
    def about_data(self) -> tuple[str, ...]:
        """What to know about the data, the caveat last."""
        return (self.data_caveat,) if self.data_caveat else ()

    @property
    def remarks(self) -> tuple[str, ...]:
        """The lines under the table: the sentence, the cautions, the notes, and what to know about the data."""
        return (self.sentence, *(f"Caution: {caution}" for caution in self.cautions), *self.notes, *self.about_data)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.headline}{f'; {self.data_caveat}' if self.data_caveat else ''}>"
