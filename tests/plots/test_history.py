"""The pictures of the history of a finding and of the common factors: their layout, and what is drawn."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import combinations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from alliance_meta.evidence import CommonFactors, History, common_factors, history
from alliance_meta.plots._factors import common_factors as draw_factors
from alliance_meta.plots._factors import factor_rows, share_ticks
from alliance_meta.plots._history import history as draw_history
from alliance_meta.plots._history import history_rows


@pytest.fixture(autouse=True)
def _no_window() -> Iterator[None]:
    mpl.use("Agg")
    plt.close("all")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def told() -> History:
    return history()


@pytest.fixture(scope="module")
def factors() -> CommonFactors:
    return common_factors()


def texts_do_not_overlap(ax: Axes) -> None:
    ax.figure.canvas.draw()
    boxes = [(text.get_text(), text.get_window_extent()) for text in ax.texts if text.get_text().strip()]
    for (one, first), (other, second) in combinations(boxes, 2):
        assert not first.overlaps(second), (one, other)


def points(ax: Axes) -> list[PathCollection]:
    return [found for found in ax.collections if isinstance(found, PathCollection)]


def places(found: PathCollection) -> npt.NDArray[np.float64]:
    return np.asarray(found.get_offsets(), dtype=float)


def is_white(found: PathCollection) -> npt.NDArray[np.bool_]:
    return np.asarray((np.asarray(found.get_facecolor()) == to_rgba("white")).all(axis=1))


def test_history_rows_are_the_results(told: History) -> None:
    rows, frame = history_rows(told), told.to_frame()
    assert rows["estimate"].tolist() == frame["estimate"].tolist()
    assert rows["low"].equals(frame["ci_low"].rename("low"))
    assert rows["hollow"].tolist() == frame["second_hand"].tolist()
    assert rows["year"].tolist()[:6] == ["1991", "2000", "2002", "2011", "", ""]
    assert rows["name"].tolist()[0] == "Horvath & Symonds"


def test_years_without_meta_analyses_leave_room(told: History) -> None:
    rows, years = history_rows(told), told.to_frame()["year"].to_numpy()
    expected = np.arange(len(years)) + 0.12 * (years - years[0])
    assert rows["y"].to_numpy() == pytest.approx(expected)


def test_area_goes_by_the_number_of_studies(told: History) -> None:
    rows, size = history_rows(told), told.to_frame()["size"].to_numpy()
    assert rows["area"].to_numpy()[np.nanargmax(size)] == rows["area"].max() == 200.0
    large = size > 20
    assert rows["area"].to_numpy()[large] / size[large] == pytest.approx(200.0 / np.nanmax(size))
    assert rows["area"].min() == 14.0


def test_studies_that_are_effects_stand_in_brackets(told: History) -> None:
    rows = history_rows(told).set_index("name")["studies"]
    assert (rows["Horvath & Bedi"], rows["Horvath & Symonds"], rows["Cameron, Rodgers & Dagnan"]) == ("(100)", "24", "")


def test_history_draws_a_point_each_and_a_line_where_there_is_an_interval(told: History) -> None:
    ax = draw_history(told)
    filled, hollow = points(ax)
    frame = told.to_frame()
    assert places(hollow).shape[0] == frame["second_hand"].sum()
    assert places(filled).shape[0] + places(hollow).shape[0] == told.k
    assert is_white(hollow).all()
    (lines,) = [found for found in ax.collections if isinstance(found, LineCollection)]
    ends = np.array([np.asarray(path.vertices)[:, 0] for path in lines.get_paths()])
    drawn = ends[np.isfinite(ends).all(axis=1)]
    assert drawn == pytest.approx(frame[["ci_low", "ci_high"]].dropna().to_numpy())


@pytest.mark.parametrize(
    "construct", ["alliance", "empathy", "cultural adaptation", "cohesion", "treatment differences"]
)
def test_history_texts_never_overlap(construct: str) -> None:
    texts_do_not_overlap(draw_history(history(construct)))


def test_history_says_what_its_marks_mean(told: History) -> None:
    caption = " ".join(text.get_text() for text in draw_history(told).texts)
    for words in ("share primary studies", "hollow: quoted", "no line: no interval", "± sign turned"):
        assert words in caption
    other = " ".join(text.get_text() for text in draw_history(history("empathy")).texts)
    assert "hollow" not in other
    assert "Population" not in other


def test_narrow_axes_leave_out_the_populations(told: History) -> None:
    figure = Figure(figsize=(7, 6))
    ax = draw_history(told, ax=figure.add_axes((0.02, 0.2, 0.96, 0.78)))
    written = [text.get_text() for text in ax.texts]
    assert "Population" not in written
    assert "adult individual" not in written
    assert "Horvath & Symonds" in written
    texts_do_not_overlap(ax)


def test_one_meta_analysis_shares_nothing() -> None:
    ax = draw_history(history("treatment differences"))
    caption = ax.texts[-1].get_text()
    assert "1 meta-analysis, r = .00." in caption
    assert "share" not in caption
    assert ax.get_xlim()[1] > 0.1


def test_factor_rows_are_the_results(factors: CommonFactors) -> None:
    rows, frame = factor_rows(factors), factors.to_frame()
    assert sorted(rows["d"].dropna()) == sorted(frame["d"].dropna())
    assert rows["kind"].value_counts().to_dict() == {**frame["status"].value_counts().to_dict(), "part": 3}
    assert rows["y"].is_monotonic_increasing
    again = rows[rows["light"]]
    assert again["name"].eq("recomputed").all()
    assert rows.loc[again.index - 1, "name"].tolist() == ["Cultural adaptation", "Treatment differences"]
    assert rows.loc[rows["kind"] == "lacking", ["text", "share_text", "source"]].agg("".join, axis=1).eq("").all()


def test_nothing_is_drawn_for_what_is_lacking(factors: CommonFactors) -> None:
    ax, frame = draw_factors(factors), factors.to_frame()
    drawn = sum(places(found).shape[0] for found in points(ax))
    assert drawn == frame["d"].notna().sum()
    assert sum(text.get_text() == "no number in the data" for text in ax.texts) == len(factors.lacking)


def test_hollow_means_second_hand(factors: CommonFactors) -> None:
    printed = points(draw_factors(factors))[0]
    frame = factors.to_frame()
    assert is_white(printed).sum() == frame.loc[frame["status"] == "printed", "second_hand"].sum()


def test_shares_stand_where_d_squared_over_d_squared_plus_4_is() -> None:
    places, names = share_ticks((-0.3, 1.1))
    assert [f"{100 * d**2 / (d**2 + 4):.0f}%" for d in places] == names


@pytest.mark.parametrize("task_force", [2011, 2018])
def test_factor_texts_never_overlap(task_force: int) -> None:
    texts_do_not_overlap(draw_factors(common_factors(task_force)))


def test_draw_only_on_the_axes_given(told: History, factors: CommonFactors) -> None:
    current = plt.figure()
    figure = Figure(figsize=(12, 8))
    left, right = figure.subplots(1, 2)
    assert draw_history(told, ax=left) is left
    assert len(right.lines) == len(right.texts) == len(right.collections) == 0
    assert draw_factors(factors, ax=right) is right
    assert figure.get_size_inches().tolist() == [12.0, 8.0]
    assert plt.get_fignums() == [current.number]
    figure.savefig(io.BytesIO(), format="png")
