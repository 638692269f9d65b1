"""The models that a report can be written about, and what all of them are asked."""

from __future__ import annotations

import pandas as pd

from alliance_meta.effects import EffectSizes, effect_sizes
from alliance_meta.results import (
    LocationScale,
    MetaRegression,
    Multilevel,
    Multivariate,
    PooledEffect,
    PsychometricResult,
    RobustFit,
    Subgroups,
)

__all__ = ["Fit", "correlations_of", "effects_of", "has_moderators", "shared"]

Fit = (
    PooledEffect
    | MetaRegression
    | Subgroups
    | Multilevel
    | Multivariate
    | RobustFit
    | LocationScale
    | PsychometricResult
)


def effects_of(fit: Fit) -> EffectSizes | None:
    """The effects behind a fit; None where they cannot be pooled (see `correlations_of`)."""
    return correlations_of(fit) if isinstance(fit, PsychometricResult) else fit.effects


def correlations_of(fit: PsychometricResult) -> EffectSizes | None:
    """The observed correlations of a psychometric meta-analysis as effects.

    None where one of them has no sampling variance: r of -1 or 1.
    """
    table = fit.table
    if (table["r"].abs() >= 1.0).any():
        return None
    frame = pd.DataFrame({"r": table["r"], "n": table["n"], "study": table["study"].astype(str)})
    return effect_sizes(frame, measure="COR")


def has_moderators(names: tuple[str, ...]) -> bool:
    """Whether a model has more than a mean."""
    return names not in (("intercept",), ("overall",))


def shared(effects: EffectSizes) -> bool:
    """Whether effects share a study."""
    return bool(effects.shared_studies())
