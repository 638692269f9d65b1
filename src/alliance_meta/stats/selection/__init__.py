"""Selection models: effects whose publication depended on their p values."""

from alliance_meta.stats.selection._climb import Outcome
from alliance_meta.stats.selection._fit import SelectionFit, p_values, step_selection
from alliance_meta.stats.selection._profile import profile_intervals

__all__ = ["Outcome", "SelectionFit", "p_values", "profile_intervals", "step_selection"]
