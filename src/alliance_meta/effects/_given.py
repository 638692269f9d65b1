"""The one check of what a function on effects is given."""

from __future__ import annotations

from alliance_meta.effects._record import EffectSizes
from alliance_meta.errors import InputError

__all__ = ["given_effects"]


def given_effects(effects: object, caller: str, least: int = 1) -> EffectSizes:
    """Return `effects` if that is what they are, and enough of them.

    Parameters
    ----------
    effects : object
    caller : str
        The function's name, without brackets.
    least : int
        The fewest effects it can work on.

    Raises
    ------
    InputError
        Naming the caller.
    """
    if not isinstance(effects, EffectSizes):
        raise InputError(
            f"{caller}() takes the result of effect_sizes(), not {type(effects).__name__}: "
            f"{caller}(effect_sizes(frame, measure=...))"
        )
    if effects.k < least:
        raise InputError(
            f"{caller}() needs at least {least} effects; there {'is' if effects.k == 1 else 'are'} {effects.k}"
        )
    return effects
