"""Effect sizes: from a table of studies to effects with their sampling variances."""

from alliance_meta.effects._build import effect_sizes
from alliance_meta.effects._record import EffectSizes

__all__ = ["EffectSizes", "effect_sizes"]
