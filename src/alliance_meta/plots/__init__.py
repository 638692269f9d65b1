"""Forest, funnel and bubble plots, coefficients and means. Each takes `ax`, draws only there, and returns it."""

from alliance_meta.plots._bubble import bubble
from alliance_meta.plots._forest import forest
from alliance_meta.plots._funnel import funnel
from alliance_meta.plots._layout import forest_rows, funnel_points
from alliance_meta.plots._moderator_layout import bubble_lines, bubble_points, coefficient_rows, mean_rows
from alliance_meta.plots._moderators import coefficients, means

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
]
