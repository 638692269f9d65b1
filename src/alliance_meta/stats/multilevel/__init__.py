"""Multilevel models with nested random effects: likelihood, variance components and their intervals."""

from alliance_meta.stats.multilevel._crossed_problem import prepared_crossed
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
    "prepared_crossed",
    "sampling_correlation",
    "satterthwaite_df",
    "unexplained",
]
