"""Relative likelihoods of publication against p: where they are drawn, and only there."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

import alliance_meta as am
from alliance_meta.bias._selection import selection_model
from alliance_meta.errors import InputError
from alliance_meta.plots._selection import selection_points, selection_weights
from alliance_meta.results.bias._selection import SelectionModel


@pytest.fixture(autouse=True)
def _no_window() -> Iterator[None]:
    mpl.use("Agg")
    plt.close("all")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def found() -> SelectionModel:
    return selection_model(am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR"), steps=(0.025, 0.5))


def _some(effects: list[float], caveat_free: float = 0.02) -> am.EffectSizes:
    frame = pd.DataFrame({"effect": effects, "variance": [caveat_free] * len(effects)})
    return am.effect_sizes(frame, measure="GEN")


def test_points_are_the_models(found: SelectionModel) -> None:
    points, frame = selection_points(found, 0.9), found.to_frame(0.9)
    assert points["p_low"].tolist() == [0.0, 0.025, 0.5]
    assert points["p_high"].tolist() == [0.025, 0.5, 1.0]
    assert points["k"].sum() == found.effects.k
    assert points["weight"].tolist() == found.weights.tolist()
    rows = frame[frame["part"] == "weight"]
    assert np.array_equal(points["ci_high"], rows["profile_high"], equal_nan=True)
    assert np.isnan(points["ci_low"][0])


def test_draws_only_on_the_axes_given(found: SelectionModel) -> None:
    current = plt.figure()
    left, right = Figure(figsize=(8, 4)).subplots(1, 2)
    assert selection_weights(found, ax=left) is left
    assert len(right.lines) == len(right.texts) == len(right.collections) == 0
    assert plt.get_fignums() == [current.number]
    assert not current.axes


def test_steps_bands_and_effects(found: SelectionModel) -> None:
    ax = selection_weights(found)
    (stairs,) = (patch for patch in ax.patches if isinstance(patch, StepPatch))
    values, edges, _ = stairs.get_data()
    assert list(values) == found.weights.tolist()
    assert list(edges) == [0.0, 0.025, 0.5, 1.0]
    assert sum(isinstance(each, PolyCollection) for each in ax.collections) == 2
    (rug,) = (each for each in ax.collections if isinstance(each, LineCollection))
    assert len(rug.get_segments()) == found.effects.k
    shown = {text.get_text() for text in ax.texts}
    assert {str(count) for count in found.counts} <= shown
    assert any(text.startswith("↑ ") for text in shown)  # a bound above the axis is said
    assert ax.get_xlabel().startswith("p, one-sided")
    labels = [label.get_text() for label in ax.get_xticklabels()]
    assert {"0", ".025", ".5", "1"} <= set(labels)


def test_given_weights_have_no_bands() -> None:
    effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
    ax = selection_weights(selection_model(effects, weights="severe two-sided"))
    assert not any(isinstance(each, PolyCollection) for each in ax.collections)
    assert "Weights given (severe two-sided)" in ax.get_title(loc="left")
    assert "Shaded" not in ax.get_title(loc="left")


def test_two_sided_and_a_weight_of_0() -> None:
    effects = _some([0.5, 0.45, 0.6, 0.4, 0.7, 0.55, 0.26, 0.25])
    ax = selection_weights(selection_model(effects, alternative="two-sided", steps=(0.05, 0.5)))
    assert ax.get_xlabel().startswith("p, two-sided")
    ax.figure.canvas.draw()


def test_no_estimates_is_an_error() -> None:
    lonely = selection_model(_some([0.29, 0.3, 0.31, 0.33, 0.4, 0.55, 0.9, 1.6]))
    assert not lonely.converged
    with pytest.raises(InputError, match="no estimates to draw"):
        selection_weights(lonely)


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_bad_level(found: SelectionModel, level: float) -> None:
    with pytest.raises(InputError, match="level"):
        selection_weights(found, level=level)
