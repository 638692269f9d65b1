"""Forest, funnel, bubble and profile plots, coefficients, means. Each takes `ax`, draws only there, and returns it."""

from alliance_meta.plots._bubble import bubble
from alliance_meta.plots._forest import forest
from alliance_meta.plots._funnel import funnel
from alliance_meta.plots._layout import forest_rows, funnel_points
from alliance_meta.plots._moderator_layout import bubble_lines, bubble_points, coefficient_rows, mean_rows
from alliance_meta.plots._moderators import coefficients, means
from alliance_meta.plots._nested_layout import nested_places, nested_rows, profile_points
from alliance_meta.plots._profile import profile
from alliance_meta.plots._vote_count import vote_bins, vote_count, vote_curve

__all__ = [
    "bubble",
    "bubble_lines",
    "bubble_points",
    "coefficient_rows",
    "coefficients",
    "forest",
    "forest_rows",
    "funnel",
    "funnel_points",
    "mean_rows",
    "means",
    "nested_places",
    "nested_rows",
    "profile",
    "profile_points",
    "vote_bins",
    "vote_count",
    "vote_curve",
]
