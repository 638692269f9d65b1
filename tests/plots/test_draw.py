"""Drawing: only on the axes given, with every number where the layout says, and with any label."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

import alliance_meta as am
from alliance_meta.plots import forest_rows
from alliance_meta.studies import StudyTable

NASTY = [
    "<script>alert(1)</script>",
    "A & B",
    "\"double\" and 'single'",
    "emoji 😀",
    "שלום עולם (2001)",
    "السلام عليكم",
    "costs $5 and $x_1$",
    "two\nlines",
    "A very long label that goes on and on, as the titles of dissertations do (University of Nowhere, 1999)",
]


@pytest.fixture(autouse=True)
def _no_window() -> Iterator[None]:
    mpl.use("Agg")
    plt.close("all")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def fit() -> am.PooledEffect:
    return am.pool(am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR"))


@pytest.fixture(scope="module")
def nasty() -> am.PooledEffect:
    return am.pool(am.effect_sizes(r=np.linspace(-0.2, 0.6, len(NASTY)), n=[50] * len(NASTY), study=NASTY))


def test_draws_only_on_the_axes_given(fit: am.PooledEffect) -> None:
    current = plt.figure()
    figure = Figure(figsize=(8, 6))
    left, right = figure.subplots(1, 2)
    assert am.plots.forest(fit, ax=left) is left
    assert len(right.lines) == len(right.texts) == len(right.collections) == 0
    assert am.plots.funnel(fit, ax=right) is right
    assert plt.get_fignums() == [current.number]
    assert not current.axes


def test_forest_puts_each_study_where_the_layout_says(fit: am.PooledEffect) -> None:
    ax = am.plots.forest(fit)
    squares = next(item for item in ax.collections if isinstance(item, PathCollection))
    rows = forest_rows(fit)
    offsets = np.asarray(squares.get_offsets())
    assert offsets[:, 0] == pytest.approx(rows["effect"].to_numpy()[:16])
    assert offsets[:, 1] == pytest.approx(np.arange(16))
    sizes = squares.get_sizes()
    assert sizes.argmax() == rows["weight"][:16].to_numpy().argmax()
    texts = [text.get_text() for text in ax.texts]
    for expected in (*rows["label"], *rows["text"], "Study", "r [95% CI]", "Weight"):
        assert expected in texts
    assert ax.get_xlabel() == "Correlation r"


def test_columns_do_not_overlap(fit: am.PooledEffect) -> None:
    """Labels end left of every interval, and the numbers begin right of them."""
    ax = am.plots.forest(fit)
    ax.figure.canvas.draw()
    rows = forest_rows(fit)
    low, high = (
        ax.transData.transform((rows[side].agg(how), 0.0))[0] for side, how in (("low", "min"), ("high", "max"))
    )
    labels = [text for text in ax.texts if text.get_text() in set(rows["label"])]
    numbers = [text for text in ax.texts if text.get_text() in set(rows["text"])]
    assert len(labels) == len(numbers) == 18
    assert max(text.get_window_extent().x1 for text in labels) < low
    assert min(text.get_window_extent().x0 for text in numbers) > high


def test_funnel_points_and_sides(fit: am.PooledEffect) -> None:
    ax = am.plots.funnel(fit)
    points = next(item for item in ax.collections if isinstance(item, PathCollection))
    offsets = np.asarray(points.get_offsets())
    assert offsets == pytest.approx(np.column_stack([fit.effects.effect, np.sqrt(fit.effects.variance)]))
    for line in ax.lines[:2]:
        (x0, x1), (y0, y1) = (np.asarray(data, dtype=float) for data in line.get_data())
        assert (x0, y0) == (fit.estimate, 0.0)
        assert abs(x1 - x0) == pytest.approx(1.959964 * y1, rel=1e-6)
    assert ax.get_ylim()[1] == 0.0
    assert ax.get_ylim()[0] > 0.0
    ticks = {label.get_text(): tick for label, tick in zip(ax.get_xticklabels(), ax.get_xticks(), strict=True)}
    assert ticks[".4"] == pytest.approx(np.arctanh(0.4))


@pytest.mark.parametrize("plot", ["forest", "funnel"])
@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_nasty_labels_are_drawn(nasty: am.PooledEffect, plot: str, kind: str) -> None:
    ax = getattr(am.plots, plot)(nasty)
    buffer = io.BytesIO()
    ax.figure.savefig(buffer, format=kind)  # a missing glyph would warn, and warnings are errors here
    assert len(buffer.getvalue()) > 1000


def test_labels_are_plain_text_and_cut_only_in_the_plot(nasty: am.PooledEffect) -> None:
    texts = [text.get_text() for text in am.plots.forest(nasty).texts]
    assert "costs $5 and $x_1$" in texts
    assert "two lines" in texts
    assert "A very long label that goes on and on, as the…" in texts
    assert NASTY[-1] in list(forest_rows(nasty)["label"])


@pytest.mark.parametrize("k", [1, 2, 3, 60])
@pytest.mark.parametrize("measure", ["COR", "ZCOR", "GEN"])
def test_any_number_of_studies(k: int, measure: str) -> None:
    columns: dict[str, Any] = {"r": np.linspace(-0.3, 0.6, k), "n": np.full(k, 40)}
    if measure == "GEN":
        columns = {"effect": np.linspace(-3.0, 6.0, k), "variance": np.full(k, 0.5)}
    fitted = am.pool(am.effect_sizes(measure=measure, **columns))
    for ax in (am.plots.forest(fitted), am.plots.funnel(fitted)):
        ax.figure.canvas.draw()
        assert np.isfinite([*ax.get_xlim(), *ax.get_ylim()]).all()


def test_simulated_data_say_so_under_every_plot() -> None:
    frame = pd.DataFrame({"r": [0.1, 0.3, 0.2], "n": [40, 50, 60]})
    caveat = "Simulated data: made by a program, not from real studies."
    table = StudyTable(roles={"r": "r", "n": "n"}, caveat=caveat, _frame=frame)
    fitted = am.pool(am.effect_sizes(table))
    assert any(caveat in text.get_text() for text in am.plots.forest(fitted).texts)
    assert caveat in am.plots.funnel(fitted).get_title(loc="left")


def test_ratios_stand_on_a_logarithmic_axis() -> None:
    counts = {"events1": [10, 14, 30, 12], "n1": [40, 40, 60, 50], "events2": [5, 8, 15, 6], "n2": [40, 42, 60, 50]}
    fitted = am.pool(am.effect_sizes(pd.DataFrame(counts), measure="OR"))
    ax = am.plots.forest(fitted)
    squares = next(item for item in ax.collections if isinstance(item, PathCollection))
    assert np.asarray(squares.get_offsets())[:, 0] == pytest.approx(fitted.effects.effect)
    ticks = dict(zip([label.get_text() for label in ax.get_xticklabels()], ax.get_xticks(), strict=True))
    assert ticks["1"] == 0.0
    assert ticks["2"] == pytest.approx(np.log(2.0))
    # By hand: (10 x 35) / (30 x 5) = 2.33.
    assert any(text.get_text().startswith("2.33 [") for text in ax.texts)
