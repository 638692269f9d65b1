"""Plots of single studies and of assumptions: what their rows hold, and what is drawn of them."""

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
from matplotlib.figure import Figure

import alliance_meta as am
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.plots import _influence as influence_plots
from alliance_meta.plots import _sensitivity as plots
from alliance_meta.sensitivity._influence import baujat, influence
from alliance_meta.sensitivity._leaving_out import cumulative, leave_one_out
from alliance_meta.sensitivity._sweeps import correlation_sweep, reliability_sweep

NASTY = [
    "<script>alert(1)</script>",
    "costs $5 and $x_1$",
    "two\nlines",
    "שלום עולם (2001)",
    "A very long label that goes on and on, as the titles of dissertations do (University of Nowhere, 1999)",
]
KOLDEN = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
FARBER = am.effect_sizes(am.datasets.load("farber_doolin2011_effects"), measure="ZCOR")


def _rendered(ax: Axes) -> None:
    figure = ax.figure
    assert isinstance(figure, Figure)
    figure.savefig(io.BytesIO())


def _large(k: int = 80) -> am.EffectSizes:
    rng = np.random.default_rng(5)
    n = rng.integers(15, 200, k)
    r = np.tanh(rng.normal(0.08, 0.25, k) + rng.normal(0.0, 1.0 / np.sqrt(n - 3.0)))
    study = NASTY + [f"Study {i}" for i in range(k - len(NASTY))]
    return am.effect_sizes(pd.DataFrame({"r": r, "n": n, "study": study, "year": np.arange(k)}), measure="ZCOR")


LARGE = _large()
DRAWN: list[Any] = [
    pytest.param(plots.leave_one_out, leave_one_out, id="leave_one_out"),
    pytest.param(plots.cumulative, cumulative, id="cumulative"),
    pytest.param(influence_plots.influence, influence, id="influence"),
    pytest.param(influence_plots.baujat, baujat, id="baujat"),
]


@pytest.fixture(autouse=True)
def _no_window() -> Iterator[None]:
    mpl.use("Agg")
    plt.close("all")
    yield
    plt.close("all")


@pytest.mark.parametrize(("draw", "analyse"), DRAWN)
@pytest.mark.parametrize("effects", [KOLDEN, LARGE], ids=["16", "80"])
def test_draws_only_on_the_axes_given(draw: Any, analyse: Any, effects: am.EffectSizes) -> None:
    current = plt.figure()
    figure = Figure(figsize=(9, 6))
    left, right = figure.subplots(1, 2)
    assert draw(analyse(effects), ax=left) is left
    assert len(right.lines) == len(right.texts) == len(right.collections) == 0
    assert plt.get_fignums() == [current.number]
    figure.savefig(io.BytesIO())


@pytest.mark.parametrize(("draw", "analyse"), DRAWN)
def test_draws_its_own_figure(draw: Any, analyse: Any) -> None:
    ax = draw(analyse(LARGE))
    _rendered(ax)
    shown = " ".join(text.get_text() for each in (ax, *ax.child_axes) for text in each.texts)
    assert "alert(1)" in shown or draw is influence_plots.baujat
    assert plt.get_fignums()


def test_rows_without_each() -> None:
    result = leave_one_out(KOLDEN)
    rows = plots.leave_one_out_rows(result)
    frame = result.on_display_scale()
    assert rows["name"].tolist() == [*KOLDEN.labels, "Nothing (k = 16)"]
    assert rows["estimate"].tolist()[:-1] == frame["estimate"].tolist()
    assert rows["low"].tolist()[:-1] == frame["ci_low"].tolist()
    assert rows["y"].tolist() == [*map(float, range(16)), 16.6]
    assert rows["text"].iloc[-1] == ".250 [.111, .379]"
    ordered = plots.leave_one_out_rows(result, order="estimate")["estimate"].to_numpy()[:-1]
    assert (np.diff(ordered) >= 0.0).all()
    assert plots.leave_one_out_rows(leave_one_out(LARGE))["changed"].sum() == len(leave_one_out(LARGE).changed())
    with pytest.raises(UnknownNameError, match="order"):
        plots.leave_one_out_rows(result, order="size")


def test_rows_of_steps() -> None:
    rows = plots.cumulative_rows(cumulative(KOLDEN))
    assert rows["name"].iloc[0] == "Fretz, 1966"
    assert rows["name"].iloc[1] == "+ Truax, 1966"
    assert rows["value"].tolist()[:3] == ["1966", "1966", "1968"]
    assert rows["text"].iloc[0] == ".250"
    assert rows["changed"].tolist() == [False] + [True] * 7 + [False] * 8
    assert rows["kind"].tolist() == ["study"] * 15 + ["summary"]


def test_intervals_that_leave_the_picture_end_in_arrows() -> None:
    ax = plots.cumulative(cumulative(LARGE))
    arrows = [line for line in ax.lines if line.get_marker() in ("<", ">")]
    assert arrows
    low, high = ax.get_xlim()
    for line in arrows:
        assert low <= float(np.asarray(line.get_xdata())[0]) <= high


def test_a_row_that_changes_the_conclusion_is_coloured() -> None:
    result = leave_one_out(LARGE)
    ax = plots.leave_one_out(result)
    coloured = [line for line in ax.lines if line.get_color() == "#c8501e" and line.get_marker() == "o"]
    assert len(coloured) == len(result.changed()) > 0
    assert any("Coloured" in text.get_text() for text in ax.texts)


def test_a_single_step_and_two_effects_can_be_drawn() -> None:
    two = am.effect_sizes(r=[0.1, 0.3], n=[30, 50], study=["A", "B"])
    _rendered(plots.leave_one_out(leave_one_out(two)))
    _rendered(plots.cumulative(cumulative(two, by="variance")))
    _rendered(influence_plots.influence(influence(two)))
    _rendered(influence_plots.baujat(baujat(two)))


def test_identical_effects_can_be_drawn() -> None:
    same = am.effect_sizes(r=[0.2] * 4, n=[40] * 4, study=list("ABCD"))
    _rendered(plots.leave_one_out(leave_one_out(same)))
    _rendered(influence_plots.influence(influence(same)))
    _rendered(influence_plots.baujat(baujat(same)))


def test_a_ratio_has_a_logarithmic_axis() -> None:
    effects = am.effect_sizes(measure="OR", study=list("ABC"), events1=[12, 5, 30], n1=[100, 60, 300],
                              events2=[24, 12, 55], n2=[100, 60, 300])  # fmt: skip
    ax = plots.leave_one_out(leave_one_out(effects, test="z"))
    assert "1" in [tick.get_text() for tick in ax.get_xticklabels()]
    assert plots.leave_one_out_rows(leave_one_out(effects, test="z"))["estimate"].min() > 0.0


def test_panels_of_influence() -> None:
    result = influence(KOLDEN)
    points = influence_plots.influence_points(result)
    assert len(points) == 7 * 16
    dffits = points[points["measure"] == "dffits"]
    assert dffits["value"].tolist() == result.numbers.dffits.tolist()
    assert dffits.loc[dffits["marked"], "label"].tolist() == ["Hansen et al., 1968"]
    ax = influence_plots.influence(result)
    assert len(ax.child_axes) == 7
    drawn = np.asarray(ax.child_axes[1].collections[-1].get_offsets())
    assert drawn[:, 0] == pytest.approx(result.numbers.dffits)
    assert drawn[:, 1].tolist() == list(range(16))


def test_panels_of_a_regression() -> None:
    effects = am.effect_sizes(am.datasets.load("munder2012"), measure="SMD")
    ax = influence_plots.influence(influence(am.meta_regression(effects, "researcher_allegiance")))
    assert len(ax.child_axes) == 7


def test_baujats_labels() -> None:
    result = baujat(KOLDEN)
    ax = influence_plots.baujat(result, labels=2)
    assert {text.get_text() for text in ax.texts} == {"Hansen et al., 1968", "Jones & Zoppel, 1982"}
    assert not influence_plots.baujat(result, labels=0).texts
    ax = influence_plots.baujat(result, labels=["Fretz, 1966"])
    assert [text.get_text() for text in ax.texts] == ["Fretz, 1966"]
    with pytest.raises(UnknownNameError, match="label 'Nobody'"):
        influence_plots.baujat(result, labels=["Nobody"])
    with pytest.raises(InputError, match="labels must be a number"):
        influence_plots.baujat(result, labels=-1)
    assert influence_plots.baujat(baujat(KOLDEN, tau2_method="DL")).get_xlabel() == "Squared standardized residual"


def test_sweeps() -> None:
    correlations = correlation_sweep(FARBER, correlations=[0.3, 0.6])
    points = plots.sweep_points(correlations)
    assert list(dict.fromkeys(points["curve"])) == ["one effect a study", "composites", "CHE, robust"]
    ax = plots.sweep(correlations)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(dict.fromkeys(points["curve"]))  # type: ignore[union-attr]
    assert "cluster-robust" in ax.get_title(loc="left")
    _rendered(ax)
    reliabilities = reliability_sweep(KOLDEN)
    drawn = plots.sweep(reliabilities)
    assert len(drawn.lines) == 6  # five curves, and no effect
    _rendered(drawn)
    one = plots.sweep(reliability_sweep(KOLDEN, reliability_x=[0.9], reliability_y=[0.9]))
    _rendered(one)
