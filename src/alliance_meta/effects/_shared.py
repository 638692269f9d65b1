"""Effects that share a study, where a model takes them as independent."""

from __future__ import annotations

import warnings
from typing import Literal

from alliance_meta import _checks
from alliance_meta.effects._record import EffectSizes
from alliance_meta.errors import DependenceWarning

__all__ = ["DEPENDENT", "Dependent", "note_shared_studies"]

Dependent = Literal["warn", "allow"]
DEPENDENT: tuple[Dependent, ...] = ("warn", "allow")
_STUDIES_NAMED = 8


def note_shared_studies(effects: EffectSizes, caller: str, dependent: Dependent | str) -> tuple[str, ...]:
    """Warn where effects share a study, unless told to allow it; and give the note that a result carries.

    Parameters
    ----------
    effects : EffectSizes
    caller : str
        The function that takes effects as independent.
    dependent : {"warn", "allow"}

    Returns
    -------
    tuple of str
        One note, or none where every effect has its own study.
    """
    asked = _checks.known_name("dependent", dependent, DEPENDENT)
    shared = effects.shared_studies()
    if not shared:
        return ()
    counts = f"{sum(shared.values())} effects come from {len(shared)} studies that have more than one"
    if asked == "warn":
        largest_first = sorted(shared.items(), key=lambda item: -item[1])
        named = [f"{study!r} ({k})" for study, k in largest_first[:_STUDIES_NAMED]]
        more = f" and {len(shared) - len(named)} more" if len(shared) > len(named) else ""
        warnings.warn(
            f"{caller} takes effects as independent, but {counts}: {', '.join(named)}{more}. Use aggregate(effects) "
            "for one effect a study, multilevel(effects) to model them, robust(fit) for standard errors that allow for "
            "it, or say dependent='allow'.",
            DependenceWarning,
            stacklevel=3,
        )
    return (f"Effects count as independent, but {counts}.",)
