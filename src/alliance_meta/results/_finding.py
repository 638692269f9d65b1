"""`Finding`: an answer about effects."""

from __future__ import annotations

from dataclasses import dataclass

from alliance_meta._answer import Answer
from alliance_meta.effects import EffectSizes

__all__ = ["Finding"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Finding(Answer):
    """What a check of effects found; its cautions are the method's conditions that fail on them.

    Attributes
    ----------
    effects : EffectSizes
        What was analysed.
    cautions, notes : tuple of str
    """

    effects: EffectSizes

    @property
    def data_caveat(self) -> str:
        """The effects' own."""
        return self.effects.caveat

    @property
    def about_data(self) -> tuple[str, ...]:
        """How the effects were made, and their caveat."""
        return (*self.effects.notes, *((self.data_caveat,) if self.data_caveat else ()))
