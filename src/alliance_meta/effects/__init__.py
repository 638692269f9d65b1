"""Effect sizes: from a table of studies to effects with their sampling variances."""

from alliance_meta.effects._aggregate import aggregate
from alliance_meta.effects._attenuation import correct_attenuation
from alliance_meta.effects._build import effect_sizes
from alliance_meta.effects._record import EffectSizes

__all__ = ["EffectSizes", "aggregate", "correct_attenuation", "effect_sizes"]
