"""Permutation tests of the mean, and bootstraps of the mean and tau2."""

from alliance_meta.stats.resampling._bootstrap import (
    Bootstrap,
    case_bootstrap,
    parametric_bootstrap,
    percentile_interval,
)
from alliance_meta.stats.resampling._permutation import (
    PermutationInterval,
    PermutationTest,
    permutation_interval,
    permutation_test,
)

__all__ = [
    "Bootstrap",
    "PermutationInterval",
    "PermutationTest",
    "case_bootstrap",
    "parametric_bootstrap",
    "percentile_interval",
    "permutation_interval",
    "permutation_test",
]
