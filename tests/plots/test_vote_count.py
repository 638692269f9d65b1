"""The picture of a vote count: its bins, its curve, and what is drawn where."""

from __future__ import annotations

import io
from collections.abc import Iterator

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

import alliance_meta as am
from alliance_meta.errors import InputError
from alliance_meta.plots._vote_count import vote_bins, vote_curve
from alliance_meta.plots._vote_count import vote_count as draw
from alliance_meta.results._vote_count import VoteCount
from alliance_meta.vote_counting import vote_count


@pytest.fixture(autouse=True)
def _no_window() -> Iterator[None]:
    mpl.use("Agg")
    plt.close("all")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def found() -> VoteCount:
    table = am.datasets.load("alliance_abstracts").table
    return vote_count(table[table["scope"] == "core"], r="r_derived")


@pytest.fixture
def tiny() -> VoteCount:
    return vote_count(outcome=["significant"] * 3, n=[20, 30, 80])


def test_bins_hold_every_row_once_and_people_of_one_n_together(found: VoteCount) -> None:
    bins = vote_bins(found)
    assert bins["k"].sum() == found.k == 213
    assert 2 <= len(bins) <= 6
    assert bins["n"].is_monotonic_increasing
    assert (bins["ci_low"] <= bins["share"]).all()
    assert (bins["share"] <= bins["ci_high"]).all()
    assert bins["ci_low"].min() >= 0.0
    assert bins["ci_high"].max() <= 1.0
    assert (vote_bins(found, 0.5)["ci_low"] >= bins["ci_low"]).all()


def test_wilson_interval_of_a_bin(tiny: VoteCount) -> None:
    (row,) = vote_bins(tiny).to_dict("records")
    # Wilson (1927): all of 3 with z = 1.959964 gives [3 / (3 + z^2), 1].
    assert [row["ci_low"], row["ci_high"]] == pytest.approx([3 / (3 + 1.959964**2), 1.0], abs=1e-6)
    assert row["n"] == pytest.approx((20 * 30 * 80) ** (1 / 3))


def test_the_curve_is_the_fits(found: VoteCount, tiny: VoteCount) -> None:
    curve = vote_curve(found)
    assert curve["share"].to_numpy() == pytest.approx(found.share_significant(curve["n"].to_numpy()))
    assert curve["chance"].unique().tolist() == [0.025]
    assert vote_curve(tiny)["share"].isna().all()


def test_draws_only_on_the_axes_given(found: VoteCount) -> None:
    current = plt.figure()
    figure = Figure(figsize=(10, 5))
    left, right = figure.subplots(1, 2)
    assert draw(found, ax=left) is left
    assert len(right.lines) == len(right.texts) == len(right.collections) == 0
    assert plt.get_fignums() == [current.number]
    assert not left.child_axes


def test_a_mark_for_every_row(found: VoteCount) -> None:
    ax = draw(found)
    marks = [line for line in ax.lines if line.get_marker() == "|"]
    assert sum(len(np.asarray(line.get_xdata())) for line in marks) == found.k
    assert ax.get_title(loc="left").startswith("Mean r = .23, 95% CI [.20, .26], τ = .14 on z; 128 of 213")


def test_published_values_stand_in_a_panel(found: VoteCount) -> None:
    ax = draw(
        found, published={"Horvath et al. (2011)": 0.275, "costs $5 and $x_1$\nand a long, long, long name": -0.1}
    )
    (panel,) = ax.child_axes
    dots = next(line for line in panel.lines if line.get_marker() == "o")
    assert np.asarray(dots.get_xdata()).tolist() == [0.275, -0.1]
    assert [text.get_text() for text in panel.texts][:2] == ["this estimate", "Horvath et al. (2011)"]
    plt.savefig(io.BytesIO())


def test_published_values_must_be_correlations(found: VoteCount) -> None:
    with pytest.raises(InputError, match="between -1 and 1"):
        draw(found, published={"A": 1.0})


def test_without_an_estimate_there_is_no_line_and_the_title_says_so(tiny: VoteCount) -> None:
    ax = draw(tiny)
    assert ax.get_title(loc="left").startswith("No mean effect; 95% CI r = [.35, 1.00]")
    assert any("no estimate, so no line" in text.get_text() for text in ax.texts)
    plt.savefig(io.BytesIO())
