"""The GOSH plot: its cells, its colours, where it draws, and that labels stay text."""

from __future__ import annotations

import io
from collections.abc import Iterator

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import QuadMesh

import alliance_meta as am
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.plots._gosh import gosh as draw
from alliance_meta.plots._gosh import gosh_cells
from alliance_meta.sensitivity._gosh import gosh

KOLDEN = gosh(am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR"), tau2_method="DL")
OUTLIER = KOLDEN.labels[int(KOLDEN.to_frame()["estimate_share"].argmax())]
NASTY = ["costs $5 and $x_1$", "two\nlines", "עברית", "A study whose name goes on and on and on, to no end at all"]


@pytest.fixture(autouse=True)
def _no_window() -> Iterator[None]:
    mpl.use("Agg")
    yield
    plt.close("all")


def _ratios(labels: list[str]) -> am.EffectSizes:
    k = len(labels)
    counts = {"events1": np.arange(4, 4 + k), "n1": 40, "events2": np.arange(12, 12 + k)[::-1], "n2": 40}
    return am.effect_sizes(pd.DataFrame({"study": labels, **counts}), measure="OR")


def test_every_subset_of_two_or_more_is_counted_once() -> None:
    cells = gosh_cells(KOLDEN, OUTLIER)
    assert cells.counts.sum() == 2**16 - 1 - 16
    assert cells.counts_with.sum() == 2**15 - 1
    assert (cells.counts_with <= cells.counts).all()
    assert cells.counts.shape == (len(cells.y_edges) - 1, len(cells.x_edges) - 1)
    used = KOLDEN.compared
    expected, _, _ = np.histogram2d(KOLDEN.i2[used], np.tanh(KOLDEN.estimate[used]), bins=cells[1::-1])
    assert np.abs(expected - cells.counts).sum() <= 20  # rounding at the edges of cells
    assert not gosh_cells(KOLDEN).counts_with.any()


def test_cells_follow_the_number_of_subsets() -> None:
    few = gosh_cells(gosh(_ratios(["a", "b", "c", "d"]), tau2_method="EE"))
    assert few.counts.sum() == 11
    assert few.counts.shape[1] < gosh_cells(KOLDEN).counts.shape[1]


def test_identical_effects_have_a_picture() -> None:
    table = pd.DataFrame({"study": list("abcd"), "effect": 0.3, "variance": 0.1})
    found = gosh(am.effect_sizes(table, measure="GEN", effect="effect", variance="variance"), tau2_method="EE")
    ax = draw(found, study="a")
    assert ax.get_xlim()[0] < 0.3 < ax.get_xlim()[1]


def test_nothing_to_draw() -> None:
    table = pd.DataFrame({"study": list("abc"), "effect": [0.1, 0.2, 0.3], "variance": 0.1})
    effects = am.effect_sizes(table, measure="GEN", effect="effect", variance="variance")
    single = next(each for seed in range(99) if not (each := gosh(effects, subsets=1, seed=seed)).compared.any())
    assert "nothing to compare" in single.sentence
    assert "none to compare" in repr(single)
    assert "–" in str(single)
    with pytest.raises(InputError, match="nothing to draw"):
        draw(single)


def test_draws_on_its_axes_only() -> None:
    _, (left, right) = plt.subplots(1, 2)
    assert draw(KOLDEN, ax=left) is left
    assert not right.has_data()
    assert len([each for each in left.collections if isinstance(each, QuadMesh)]) == 1
    assert left.get_ylim() == (0.0, 100.0)
    assert left.get_legend() is None


def test_marginals_where_there_is_room() -> None:
    assert len(draw(KOLDEN).child_axes) == 2
    _, axes = plt.subplots(2, 3, figsize=(9.0, 5.0))
    ax = draw(KOLDEN, ax=axes[0, 0])
    assert not ax.child_axes
    assert "65,519 subsets of 16" in ax.get_title(loc="left")


def test_a_study_gives_the_colours() -> None:
    ax = draw(KOLDEN, study=OUTLIER)
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [f"with {OUTLIER}", "without it"]
    colours = next(each for each in ax.collections if isinstance(each, QuadMesh)).get_array()
    cells = gosh_cells(KOLDEN, OUTLIER)
    assert colours is not None
    shown = np.asarray(colours).reshape(*cells.counts.shape, 4)
    assert (shown[cells.counts == 0.0][:, 3] == 0.0).all()
    only = shown[(cells.counts_with == cells.counts) & (cells.counts > 0.0)]
    np.testing.assert_allclose(only[:, :3] - mpl.colors.to_rgb("#c8501e"), 0.0, atol=1e-12)
    with pytest.raises(UnknownNameError, match="unknown study"):
        draw(KOLDEN, study="Hansen")


def test_the_ring_is_where_all_studies_are() -> None:
    fit = am.pool(KOLDEN.effects, tau2_method="DL")
    ax = draw(KOLDEN)
    at = np.asarray(ax.lines[-1].get_xydata(), dtype=float)[0].tolist()
    assert at == [pytest.approx(np.tanh(fit.estimate)), pytest.approx(fit.i2)]
    sampled = gosh(KOLDEN.effects, tau2_method="DL", subsets=500)
    other = draw(sampled)
    assert not other.lines
    assert "random subsets" in other.get_title(loc="left")


@pytest.mark.parametrize("study", [0, 1, 2, 3])
def test_labels_are_text_and_ratios_have_their_ticks(study: int) -> None:
    found = gosh(_ratios(NASTY), tau2_method="EE")
    ax = draw(found, study=found.labels[study])
    ax.figure.figure.savefig(io.BytesIO(), format="png", dpi=40)
    legend = ax.get_legend()
    assert legend is not None
    assert not any(text.get_parse_math() for text in legend.get_texts())
    assert len(legend.get_texts()[0].get_text()) < 60
    assert "\n" not in legend.get_texts()[0].get_text()
    ticks = {label.get_text(): x for label, x in zip(ax.get_xticklabels(), ax.get_xticks(), strict=True)}
    assert all(x == pytest.approx(np.log(float(text))) for text, x in ticks.items())
