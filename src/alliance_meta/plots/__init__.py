"""The pictures of results. Each function takes a result and `ax`, draws only there, and returns it."""

from alliance_meta.plots._bias import bias_check_rows, bias_checks, corrected, corrected_rows, rank_points, ranks
from alliance_meta.plots._bubble import bubble
from alliance_meta.plots._factors import common_factors, factor_rows
from alliance_meta.plots._fail_safe import fail_safe, fail_safe_points
from alliance_meta.plots._forest import forest
from alliance_meta.plots._funnel import Region, contour_regions, funnel, regression_points
from alliance_meta.plots._gosh import GoshCells, gosh, gosh_cells
from alliance_meta.plots._history import history, history_rows
from alliance_meta.plots._influence import baujat, influence, influence_points
from alliance_meta.plots._layout import forest_rows, funnel_points
from alliance_meta.plots._limit import limit_curve, limit_funnel
from alliance_meta.plots._moderator_layout import bubble_lines, bubble_points, coefficient_rows, mean_rows
from alliance_meta.plots._moderators import coefficients, means
from alliance_meta.plots._nested_layout import nested_places, nested_rows, profile_points
from alliance_meta.plots._outliers import fragility, fragility_rows, outlier_rows, outliers
from alliance_meta.plots._p_curve import p_curve, p_curve_points
from alliance_meta.plots._panel import panel, panel_rows
from alliance_meta.plots._pet_peese import pet_peese, pet_peese_curves
from alliance_meta.plots._power_funnel import power_bands, power_funnel, power_points
from alliance_meta.plots._profile import profile
from alliance_meta.plots._selection import selection_points, selection_weights
from alliance_meta.plots._sensitivity import (
    cumulative,
    cumulative_rows,
    leave_one_out,
    leave_one_out_rows,
    sweep,
    sweep_points,
)
from alliance_meta.plots._vote_count import vote_bins, vote_count, vote_curve

__all__ = [
    "GoshCells",
    "Region",
    "baujat",
    "bias_check_rows",
    "bias_checks",
    "bubble",
    "bubble_lines",
    "bubble_points",
    "coefficient_rows",
    "coefficients",
    "common_factors",
    "contour_regions",
    "corrected",
    "corrected_rows",
    "cumulative",
    "cumulative_rows",
    "factor_rows",
    "fail_safe",
    "fail_safe_points",
    "forest",
    "forest_rows",
    "fragility",
    "fragility_rows",
    "funnel",
    "funnel_points",
    "gosh",
    "gosh_cells",
    "history",
    "history_rows",
    "influence",
    "influence_points",
    "leave_one_out",
    "leave_one_out_rows",
    "limit_curve",
    "limit_funnel",
    "mean_rows",
    "means",
    "nested_places",
    "nested_rows",
    "outlier_rows",
    "outliers",
    "p_curve",
    "p_curve_points",
    "panel",
    "panel_rows",
    "pet_peese",
    "pet_peese_curves",
    "power_bands",
    "power_funnel",
    "power_points",
    "profile",
    "profile_points",
    "rank_points",
    "ranks",
    "regression_points",
    "selection_points",
    "selection_weights",
    "sweep",
    "sweep_points",
    "vote_bins",
    "vote_count",
    "vote_curve",
]
