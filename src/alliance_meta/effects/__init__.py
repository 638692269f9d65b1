"""Effect sizes: from a table of studies to effects with their sampling variances."""

from alliance_meta.effects._aggregate import aggregate
from alliance_meta.effects._attenuation import correct_attenuation
from alliance_meta.effects._build import effect_sizes
from alliance_meta.effects._given import given_effects
from alliance_meta.effects._record import EffectSizes
from alliance_meta.effects._rows import clusters_of, sample_sizes, subset
from alliance_meta.effects._shared import DEPENDENT, Dependent, note_shared_studies

__all__ = [
    "DEPENDENT",
    "Dependent",
    "EffectSizes",
    "aggregate",
    "clusters_of",
    "correct_attenuation",
    "effect_sizes",
    "given_effects",
    "note_shared_studies",
    "sample_sizes",
    "subset",
]
