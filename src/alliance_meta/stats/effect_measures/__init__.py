"""One function for each effect measure: summary statistics in, effects and their sampling variances out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.effect_measures import (
    correlations,
    mean_differences,
    pre_post,
    reliabilities,
    two_by_two,
)
from alliance_meta.stats.effect_measures._common import Estimates, ready_made

__all__ = ["KERNELS", "Kernel"]


@dataclass(frozen=True, slots=True)
class Kernel:
    """The function of a measure.

    Attributes
    ----------
    function : callable
        Takes float arrays of one shape, and `variance_type` where it has more than one.
    variance_types : tuple of str
        metafor's codes of the sampling variances it can give, the default first.
    """

    function: Callable[..., Estimates]
    variance_types: tuple[str, ...] = ("LS",)

    def __call__(self, inputs: Sequence[FloatArray], variance_type: Sequence[str]) -> Estimates:
        """Effects and variances of k rows, each row with its own type of variance."""
        if len(self.variance_types) == 1:
            return self.function(*inputs)
        kinds = np.asarray(variance_type)
        effect, variance = np.full(kinds.shape, np.nan), np.full(kinds.shape, np.nan)
        for kind in dict.fromkeys(variance_type):
            effect, of_kind = self.function(*inputs, variance_type=kind)
            variance = np.where(kinds == kind, of_kind, variance)
        return effect, variance


KERNELS: dict[str, Kernel] = {
    "COR": Kernel(correlations.correlation, ("LS", "AV")),
    "UCOR": Kernel(correlations.unbiased_correlation, ("LS", "UB", "AV")),
    "ZCOR": Kernel(correlations.fisher_z),
    "PCOR": Kernel(correlations.partial_correlation, ("LS", "AV")),
    "ZPCOR": Kernel(correlations.partial_fisher_z),
    "SPCOR": Kernel(correlations.semipartial_correlation, ("LS", "AV")),
    "RPB": Kernel(correlations.point_biserial, ("LS", "ST", "CS")),
    "ZPB": Kernel(correlations.point_biserial_fisher_z, ("LS", "ST", "CS")),
    "RBIS": Kernel(correlations.biserial),
    "MD": Kernel(mean_differences.mean_difference, ("LS", "UB", "HO")),
    "SMD": Kernel(mean_differences.standardized_difference, ("LS", "LS2", "UB", "AV")),
    "SMDH": Kernel(mean_differences.standardized_difference_unequal_variances, ("LS", "LS2")),
    "SMD1": Kernel(mean_differences.glass_delta, ("LS", "LS2", "UB", "AV")),
    "SMD1H": Kernel(mean_differences.glass_delta_unequal_variances),
    "ROM": Kernel(mean_differences.log_ratio_of_means, ("LS", "HO", "AV", "AVHO")),
    "D2ORN": Kernel(mean_differences.d_as_log_odds_ratio_cox),
    "D2ORL": Kernel(mean_differences.d_as_log_odds_ratio),
    "D2OR": Kernel(mean_differences.d_as_log_odds_ratio),
    "MC": Kernel(pre_post.mean_change),
    "SMCC": Kernel(pre_post.standardized_change, ("LS", "LS2")),
    "SMCR": Kernel(pre_post.standardized_change_raw, ("LS", "LS2")),
    "SMCRH": Kernel(pre_post.standardized_change_raw_unequal_variances),
    "ROMC": Kernel(pre_post.log_ratio_of_change),
    "PPC": Kernel(pre_post.difference_of_changes),
    "OR": Kernel(two_by_two.log_odds_ratio),
    "RR": Kernel(two_by_two.log_risk_ratio),
    "RD": Kernel(two_by_two.risk_difference, ("LS", "UB", "AV")),
    "PHI": Kernel(two_by_two.phi, ("LS", "ST", "CS")),
    "OR2DN": Kernel(two_by_two.log_odds_ratio_as_d_cox),
    "OR2DL": Kernel(two_by_two.log_odds_ratio_as_d),
    "OR2D": Kernel(two_by_two.log_odds_ratio_as_d),
    "ARAW": Kernel(reliabilities.alpha),
    "AHW": Kernel(reliabilities.alpha_hakstian_whalen),
    "ABT": Kernel(reliabilities.alpha_bonett),
    "GEN": Kernel(ready_made),
}
"""The function of each measure."""
