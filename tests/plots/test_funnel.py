"""The funnel plot's contours, regression line and added studies: where they stand, and what the legend says."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

import alliance_meta as am
from alliance_meta.bias._small_study import egger
from alliance_meta.errors import InputError
from alliance_meta.plots._funnel import contour_regions, funnel, regression_points
from alliance_meta.stats.inference import critical_value

FILLED = pd.DataFrame({"effect": [-0.2, 0.0], "variance": [0.25, 0.01], "label": ["costs $5 and $x_1$", "two\nlines"]})


@pytest.fixture(autouse=True)
def _no_window() -> Iterator[None]:
    mpl.use("Agg")
    plt.close("all")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def effects() -> am.EffectSizes:
    return am.effect_sizes(am.datasets.load("farber_doolin2011"), measure="ZCOR")


@pytest.fixture(scope="module")
def fit(effects: am.EffectSizes) -> am.PooledEffect:
    return am.pool(effects)


def _said(ax: Axes) -> list[str]:
    legend = ax.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def _scattered(ax: Axes) -> list[np.ndarray]:
    return [np.asarray(item.get_offsets()) for item in ax.collections if isinstance(item, PathCollection)]


def _triangles(ax: Axes) -> list[np.ndarray]:
    return [np.asarray(patch.get_xy())[:3] for patch in ax.patches if isinstance(patch, Polygon)]


def test_without_options_it_is_as_before(fit: am.PooledEffect) -> None:
    ax = funnel(fit)
    assert ax.get_legend() is None
    assert ax.get_title(loc="left") == "Shaded: 95% of studies, if all shared the pooled effect"
    assert to_hex(ax.get_facecolor()) == "#ffffff"
    assert len(_triangles(ax)) == 1
    assert tuple(ax.figure.figure.get_size_inches()) == (5.6, 4.4)


def test_contours_are_the_critical_effects_about_no_effect(fit: am.PooledEffect) -> None:
    ax = funnel(fit, contours=(0.90, 0.95, 0.99))
    triangles = _triangles(ax)
    assert len(triangles) == 3
    for triangle, level in zip(triangles, (0.99, 0.95, 0.90), strict=True):
        assert triangle[0].tolist() == [0.0, 0.0]
        reach = float(critical_value(level, np.inf)) * triangle[1, 1]
        assert triangle[1:, 0].tolist() == pytest.approx([-reach, reach])
    assert _said(ax) == ["Study", "Pooled effect", "p > .10", ".05 < p < .10", ".01 < p < .05", "p < .01"]
    low, high = ax.get_xlim()
    assert low < 0.0 < high
    assert ax.get_title(loc="left").startswith("Between dashes: 95% of studies")
    drawn = [to_hex(patch.get_facecolor()) for patch in ax.patches]
    assert len({*drawn, to_hex(ax.get_facecolor())}) == 4


def test_regions_hold_the_studies_of_their_p_values(fit: am.PooledEffect) -> None:
    """Each study lies in the triangles of the levels at which it does not differ from no effect."""
    y, se = fit.effects.effect, np.sqrt(fit.effects.variance)
    regions = contour_regions(fit, (0.90, 0.95, 0.99), 1.0)
    assert [region.text for region in regions] == ["p < .01", ".01 < p < .05", ".05 < p < .10", "p > .10"]
    for region, level in zip(regions[1:], (0.99, 0.95, 0.90), strict=True):
        within = (y / se > region.low) & (y / se < region.high)
        assert (within == (np.abs(y / se) < critical_value(level, np.inf))).all()


@pytest.mark.parametrize(
    ("levels", "texts"),
    [((0.95,), ["p > .05", "p < .05"]), ((0.5, 0.999), ["p > .50", ".001 < p < .50", "p < .001"]), ((), [])],
)
def test_fewer_contours(fit: am.PooledEffect, levels: tuple[float, ...], texts: list[str]) -> None:
    assert [region.text for region in contour_regions(fit, levels, 1.0)][::-1] == texts


@pytest.mark.parametrize("levels", [(0.95, 0.90), (0.95, 0.95), (0.5, 0.8, 0.9, 0.95)])
def test_contours_that_make_no_sense(fit: am.PooledEffect, levels: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="contours must be up to 3 increasing levels"):
        funnel(fit, contours=levels)


def test_contours_in_percent_are_refused(fit: am.PooledEffect) -> None:
    with pytest.raises(InputError, match="level must lie between 0 and 1"):
        funnel(fit, contours=(90, 95))


@pytest.mark.parametrize("predictor", ["std_error", "variance"])
def test_the_regression_line_is_the_tests(fit: am.PooledEffect, effects: am.EffectSizes, predictor: str) -> None:
    test = egger(effects, predictor=predictor)
    ax = funnel(fit, egger=test)
    x, y = (np.asarray(values, dtype=float) for values in ax.lines[3].get_data())
    assert x[0] == pytest.approx(test.limit)
    assert x == pytest.approx(test.intercept + test.slope * (y if predictor == "std_error" else y**2))
    assert y[-1] == pytest.approx(ax.get_ylim()[0])
    assert ax.get_xlim()[0] < x.min()
    assert x.max() < ax.get_xlim()[1]
    assert _said(ax) == ["Study", "Pooled effect", "Regression line"]
    assert regression_points(test, 0.2)["std_error"].max() == 0.2


def test_a_regression_that_has_no_line_here(fit: am.PooledEffect, effects: am.EffectSizes) -> None:
    with pytest.raises(InputError, match="regression on n; take predictor='std_error'"):
        funnel(fit, egger=egger(effects, predictor="n"))
    others = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
    with pytest.raises(InputError, match="of the effects that were pooled"):
        funnel(fit, egger=egger(others))
    with pytest.raises(InputError, match="egger must be a result of egger"):
        funnel(fit, egger=True)  # type: ignore[arg-type]


class _TrimAndFill:
    def __init__(self, imputed: pd.DataFrame) -> None:
        self.imputed = imputed


@pytest.mark.parametrize("filled", [FILLED, _TrimAndFill(FILLED)])
def test_added_studies_are_hollow_and_inside(fit: am.PooledEffect, filled: Any) -> None:
    ax = funnel(fit, filled=filled)
    _, added = _scattered(ax)
    assert added == pytest.approx(np.column_stack([FILLED["effect"], np.sqrt(FILLED["variance"])]))
    assert ax.get_ylim()[0] > 0.5  # the standard error of the first, larger than any study's
    hollow = [item for item in ax.collections if isinstance(item, PathCollection)][1]
    assert to_hex(np.asarray(hollow.get_facecolor())[0]) == "#ffffff"
    assert _said(ax) == ["Study", "Added study", "Pooled effect"]


def test_nothing_added_can_be_shown(fit: am.PooledEffect) -> None:
    for empty in (FILLED.iloc[:0], pd.DataFrame({"label": [], "effect": [], "variance": []})):
        ax = funnel(fit, filled=_TrimAndFill(empty))
        assert len(_scattered(ax)[1]) == 0
        assert np.isfinite([*ax.get_xlim(), *ax.get_ylim()]).all()


@pytest.mark.parametrize("filled", [3, pd.DataFrame({"effect": [1.0]}), _TrimAndFill(pd.DataFrame())])
def test_what_cannot_be_added(fit: am.PooledEffect, filled: Any) -> None:
    with pytest.raises(InputError, match="filled must be the result of trim and fill, or a DataFrame"):
        funnel(fit, filled=filled)


def test_added_studies_need_variances(fit: am.PooledEffect) -> None:
    with pytest.raises(InputError, match="'variance' must be positive"):
        funnel(fit, filled=pd.DataFrame({"effect": [0.1], "variance": [-1.0]}))


def test_draws_only_on_the_axes_given(fit: am.PooledEffect, effects: am.EffectSizes) -> None:
    current = plt.figure()
    left, right = Figure(figsize=(10, 5)).subplots(1, 2)
    assert funnel(fit, ax=left, contours=(0.9, 0.95, 0.99), egger=egger(effects), filled=FILLED) is left
    assert len(right.lines) == len(right.patches) == len(right.collections) == 0
    assert plt.get_fignums() == [current.number]
    assert not current.axes


def test_the_legend_beside_its_own_axes_covers_nothing(fit: am.PooledEffect, effects: am.EffectSizes) -> None:
    ax = funnel(fit, contours=(0.9, 0.95, 0.99), egger=egger(effects), filled=FILLED)
    ax.figure.canvas.draw()
    legend = ax.get_legend()
    assert legend is not None
    frame, whole = legend.get_window_extent(), ax.figure.get_window_extent()
    assert frame.x0 >= ax.get_window_extent().x1
    assert frame.x1 <= whole.x1
    assert frame.y0 >= whole.y0


@pytest.mark.parametrize("k", [3, 250])
@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_any_number_of_studies_is_drawn(k: int, kind: str) -> None:
    rng = np.random.default_rng(k)
    frame = pd.DataFrame({"effect": rng.normal(0.3, 0.3, k), "variance": rng.uniform(0.01, 0.3, k)})
    effects = am.effect_sizes(frame, measure="GEN")
    ax = funnel(am.pool(effects), contours=(0.90, 0.95, 0.99), egger=egger(effects), filled=FILLED)
    buffer = io.BytesIO()
    ax.figure.figure.savefig(buffer, format=kind)
    assert len(buffer.getvalue()) > 1000
    sizes = next(item for item in ax.collections if isinstance(item, PathCollection)).get_sizes()
    assert float(sizes[0]) == (26.0 if k == 3 else 10.0)
