"""Forest plots of effects inside studies, and profiles of variance components."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

import alliance_meta as am
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.plots import forest, nested_places, nested_rows, profile, profile_points
from alliance_meta.study_diagnostics import diagnose

NASTY = ["<b>A & B</b>", "costs $5 and $x_1$", "two\nlines", "שלום (2001)", "A label that goes on " * 5]


@pytest.fixture(autouse=True)
def _no_window() -> Iterator[None]:
    mpl.use("Agg")
    plt.close("all")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def fit() -> am.Multilevel:
    effects = am.effect_sizes(am.datasets.load("farber_doolin2011_effects"), measure="ZCOR")
    return am.multilevel(effects, correlation=0.5)


def _simulated(**columns: Any) -> am.EffectSizes:
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"study": np.repeat(list("dcba"), [3, 2, 1, 4]), "y": rng.normal(0.2, 0.4, 10), "v": 0.02})
    return am.effect_sizes(frame.assign(**columns), measure="GEN", effect="y", variance="v")


# ---------------------------------------------------------------- rows


def test_rows_of_effects_under_their_studies(fit: am.Multilevel) -> None:
    rows = nested_rows(fit)
    # Two studies have one effect each, and a third (Quintana & Meara) too: no rows of their own below the study's.
    assert rows["kind"].value_counts().to_dict() == {"effect": 99, "study": 15, "summary": 1, "prediction": 1}
    studies = rows[rows["kind"] == "study"]
    assert studies["k"].sum() == 102
    assert list(studies["weight"]) == pytest.approx(list(diagnose(fit, refit=False).weight))
    under = rows["kind"].eq("study").cumsum()[rows["kind"] == "effect"]
    sizes = studies["k"].to_numpy()
    assert under.value_counts().to_dict() == {i + 1: int(k) for i, k in enumerate(sizes) if k > 1}
    shown = fit.predict(display=True).iloc[0]
    summary = rows[rows["kind"] == "summary"].iloc[0]
    assert [summary["effect"], summary["low"], summary["high"]] == [shown[c] for c in ("estimate", "ci_low", "ci_high")]
    assert summary["label"] == "Pooled effect (102 effects, 15 studies)"
    assert rows.iloc[-1][["low", "high"]].tolist() == [shown["pi_low"], shown["pi_high"]]


def test_a_study_of_one_effect_is_that_effect(fit: am.Multilevel) -> None:
    """Bachelor (1991): r = .49, n = 47; tanh(.535926 -+ 1.959964 sqrt(1/44 + .0119575)) = tanh(.170852), tanh(.901)."""
    first = nested_rows(fit).iloc[0]
    assert (first["kind"], first["label"], first["k"]) == ("study", "Bachelor (1991)", 1)
    half = 1.959963984540054 * np.sqrt(1.0 / 44.0 + fit.components[0])
    z = np.arctanh(0.489897949)
    assert first[["effect", "low", "high"]].to_list() == pytest.approx(np.tanh([z, z - half, z + half]), rel=1e-9)


def test_collapsed_rows_are_the_studies(fit: am.Multilevel) -> None:
    rows, all_rows = nested_rows(fit, collapse=True), nested_rows(fit)
    pd.testing.assert_frame_equal(rows, all_rows[all_rows["kind"] != "effect"].reset_index(drop=True))


def test_order(fit: am.Multilevel) -> None:
    by_effect, by_weight = nested_rows(fit, order="effect"), nested_rows(fit, order="precision")
    assert by_effect[by_effect["kind"] == "study"]["effect"].is_monotonic_increasing
    assert by_weight[by_weight["kind"] == "study"]["weight"].is_monotonic_decreasing
    inside = by_effect["kind"].eq("study").cumsum()
    for _, own in by_effect[by_effect["kind"] == "effect"].groupby(inside):
        assert own["effect"].is_monotonic_increasing
    with pytest.raises(UnknownNameError, match="unknown order 'size'"):
        nested_rows(fit, order="size")  # type: ignore[arg-type]


def test_names_inside_studies(fit: am.Multilevel) -> None:
    numbered = nested_rows(fit)
    assert list(numbered["label"][2:6]) == ["Conte, Ratto, Clutz & Karasu (1995)", "1", "2", "3"]
    named = nested_rows(fit, inside=["predictor_measure", "outcome_measure"])
    assert named["label"][3] == "TSS: Liked me, Symptom Ratings"
    with pytest.raises(UnknownNameError, match="unknown inside 'outcome'"):
        nested_rows(fit, inside="outcome")
    labelled = nested_rows(am.multilevel(_simulated(label=[f"effect {i}" for i in range(10)])))
    assert list(labelled["label"][:5]) == ["d", "effect 0", "effect 1", "effect 2", "c"]


def test_studies_in_laboratories() -> None:
    """Studies of the same name in different laboratories are different studies."""
    effects = _simulated(study=list("aabbaabbcc"), lab=[1, 1, 1, 1, 2, 2, 2, 2, 3, 3])
    rows = nested_rows(am.multilevel(effects, levels=["lab"]), collapse=True)
    assert list(rows["label"][:5]) == ["a", "b", "a", "b", "c"]
    assert rows["weight"][:5].sum() == pytest.approx(100.0)


def test_what_is_refused(fit: am.Multilevel) -> None:
    with pytest.raises(InputError, match="models of the mean alone, not of 'year'"):
        forest(am.multilevel(fit.effects, "year"))
    with pytest.raises(InputError, match="collapse and inside are for the result of multilevel"):
        forest(am.pool(fit.effects), collapse=True)


def test_places() -> None:
    kinds = ["study", "study", "effect", "effect", "study", "summary", "prediction"]
    steps = np.diff(nested_places(kinds))
    assert steps[0] == 1.0
    assert steps[2] < steps[1] < 1.0 < steps[3]
    assert steps[5] == 1.0


# ---------------------------------------------------------------- drawing


def test_drawn_where_the_layout_says(fit: am.Multilevel) -> None:
    ax = forest(fit)
    rows = nested_rows(fit)
    effects = rows[rows["kind"] == "effect"]
    squares = next(item for item in ax.collections if isinstance(item, PathCollection))
    assert np.asarray(squares.get_offsets())[:, 0] == pytest.approx(effects["effect"].to_numpy())
    diamonds = [patch for patch in ax.patches if isinstance(patch, Polygon)]
    assert len(diamonds) == 16
    means = rows[rows["kind"].isin(["study", "summary"])]
    for diamond, (_, row) in zip(diamonds, means.iterrows(), strict=True):
        x = diamond.get_xy()[:, 0]
        assert [x.min(), x.max()] == pytest.approx([row["low"], row["high"]])
    texts = [text.get_text() for text in ax.texts]
    assert {"Study", "k", "Weight", "r [95% CI]", "12.0%"} <= set(texts)
    assert texts.count("52") == 2  # of the study, and of its last effect


def test_a_page_tall_enough(fit: am.Multilevel) -> None:
    """No two lines of text in the first column overlap."""
    figure = forest(fit).figure
    assert isinstance(figure, Figure)
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts if text.get_position()[0] < 0.1]
    boxes.sort(key=lambda box: -box.y0)
    assert all(below.y1 <= above.y0 + 1.0 for above, below in pairwise(boxes))


def test_labels_end_before_the_effects(fit: am.Multilevel) -> None:
    ax = forest(fit, inside=["predictor_measure", "outcome_measure"])
    ax.figure.canvas.draw()
    rows = nested_rows(fit, inside=["predictor_measure", "outcome_measure"])
    left = ax.transData.transform((rows["low"].min(), 0.0))[0]
    labels = [text for text in ax.texts if text.get_text() in set(rows["label"])]
    assert len(labels) > 80  # others are the same twice, or cut
    assert max(text.get_window_extent().x1 for text in labels) < left


def test_draws_only_on_the_axes_given(fit: am.Multilevel) -> None:
    left, right = Figure(figsize=(12, 6)).subplots(1, 2)
    assert forest(fit, ax=left, collapse=True) is left
    assert len(right.lines) == len(right.texts) == len(right.patches) == 0
    assert profile(fit, "study", ax=right) is right
    assert plt.get_fignums() == []


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_nasty_labels_are_drawn(kind: str) -> None:
    names = np.repeat(NASTY, 2)
    ax = forest(am.multilevel(_simulated(study=names, label=names, what=names[::-1])), inside="what")
    buffer = io.BytesIO()
    assert isinstance(ax.figure, Figure)
    ax.figure.savefig(buffer, format=kind)  # a missing glyph would warn, and warnings are errors here
    assert len(buffer.getvalue()) > 1000


def test_ratios_stand_on_a_logarithmic_axis() -> None:
    counts = {"events1": [10, 20, 15, 8, 30], "events2": [20, 25, 10, 9, 33], "n1": [100] * 5, "n2": [100] * 5}
    effects = am.effect_sizes(pd.DataFrame(counts).assign(study=list("aabbc")), measure="OR")
    fit = am.multilevel(effects)
    ax = forest(fit)
    squares = next(item for item in ax.collections if isinstance(item, PathCollection))
    rows = nested_rows(fit)
    assert np.asarray(squares.get_offsets())[:, 0] == pytest.approx(np.log(rows["effect"][rows["kind"] == "effect"]))


# ---------------------------------------------------------------- profiles


@pytest.mark.parametrize("level_of", ["effect", "study"])
def test_profile_drops_to_the_interval(fit: am.Multilevel, level_of: str) -> None:
    points = profile_points(fit, level_of).set_index("component")["log_likelihood"]
    interval = fit.component_interval(level_of)
    estimate = fit.components[fit.levels.index(level_of)]
    assert points[estimate] == pytest.approx(0.0, abs=1e-10)
    assert points.max() <= 1e-10
    assert points.index[0] == 0.0
    for end in interval:
        assert points[end] == pytest.approx(-0.5 * 1.959963984540054**2, abs=1e-8)  # half of chi-square(1) at .95
    assert points[points.index < estimate].is_monotonic_increasing
    assert points[points.index > estimate].is_monotonic_decreasing


def test_profile_at_0_is_the_model_without_the_level(fit: am.Multilevel) -> None:
    tests = fit.level_tests().set_index("level")["statistic"]
    for name in fit.levels:
        assert -2.0 * profile_points(fit, name)["log_likelihood"][0] == pytest.approx(tests[name], rel=1e-8)


def test_profile_is_drawn(fit: am.Multilevel) -> None:
    ax = profile(fit, "study", level=0.9)
    assert ax.get_xlabel() == "Variance component of study (τ²)"
    assert ax.get_title(loc="left").startswith("0.0184, 90% CI [")


def test_no_profile_of_a_level_that_cannot_be_told() -> None:
    alone = am.multilevel(_simulated(study=list("abcdefghij")))
    with pytest.raises(InputError, match="level_of='study' has no profile: 'study' cannot be told"):
        profile(alone, "study")
    with pytest.raises(UnknownNameError, match="unknown level 'lab'"):
        profile(alone, "lab")
