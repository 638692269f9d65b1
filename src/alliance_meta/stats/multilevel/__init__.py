"""Multilevel models with nested random effects: likelihood, variance components and their intervals."""

from alliance_meta.stats.multilevel._fit import (
    MultilevelFit,
    Problem,
    SingularGroupsError,
    component_interval,
    multilevel,
    nested_groups,
    prepared,
    sampling_correlation,
    satterthwaite_df,
    unexplained,
)

__all__ = [
    "MultilevelFit",
    "Problem",
    "SingularGroupsError",
    "component_interval",
    "multilevel",
    "nested_groups",
    "prepared",
    "sampling_correlation",
    "satterthwaite_df",
    "unexplained",
]
