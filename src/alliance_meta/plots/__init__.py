"""Forest and funnel plots. Each takes `ax`, draws only there, and returns it."""

from alliance_meta.plots._forest import forest
from alliance_meta.plots._funnel import funnel
from alliance_meta.plots._layout import forest_rows, funnel_points

__all__ = ["forest", "forest_rows", "funnel", "funnel_points"]
