"""The figure of the panel: its rows, and what is drawn of them."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

import alliance_meta as am
from alliance_meta import plots

PANEL = am.sensitivity.panel(am.effect_sizes(am.datasets.load("farber_doolin2011_effects")))


@pytest.fixture(autouse=True)
def closed() -> object:
    yield
    plt.close("all")


def test_rows_are_the_analyses_under_their_groups() -> None:
    rows = plots.panel_rows(PANEL)
    frame = PANEL.on_display_scale()
    assert rows.loc[rows["kind"] == "group", "label"].tolist() == list(dict.fromkeys(frame["group"]))
    drawn = rows[rows["kind"] != "group"]
    assert drawn["label"].str.strip().tolist() == frame["analysis"].tolist()
    assert drawn["estimate"].tolist() == frame["estimate"].tolist()
    assert rows["y"].is_monotonic_increasing
    assert drawn["text"].iloc[0] == ".17 [.14, .20]"


def test_every_interval_is_drawn_at_its_row() -> None:
    ax = plots.panel(PANEL)
    rows = plots.panel_rows(PANEL)
    paths = [np.asarray(line.get_xydata()) for line in ax.lines]
    drawn = {path[0, 1]: tuple(path[:, 0]) for path in paths if len(path) == 2 and path[0, 1] == path[1, 1]}
    cut = {path[0, 1] for path, line in zip(paths, ax.lines, strict=True) if line.get_marker() in ("<", ">")}
    for row in rows[rows["kind"] != "group"].to_dict("records"):
        low, high = drawn[row["y"]]
        assert (low, high) == (row["low"], row["high"]) or row["y"] in cut
        assert row["low"] <= low < row["estimate"] < high <= row["high"]
    assert rows.loc[rows["y"].isin(list(cut)), "label"].str.strip().tolist() == ["WAAP-WLS"]
    assert ax.get_xlabel() == "Correlation r"


def test_it_draws_where_it_is_told_and_says_what_the_data_are() -> None:
    _, (left, right) = plt.subplots(1, 2)
    made = am.sensitivity.panel(am.effect_sizes(am.simulate.literature(k=12)))
    assert plots.panel(made, ax=right) is right
    assert not left.lines
    assert any("Simulated data" in text.get_text() for text in right.texts)


def test_what_could_not_be_made_has_no_mark() -> None:
    few = am.sensitivity.panel(am.effect_sizes(r=[0.3, 0.2], n=[30, 60]))
    rows = plots.panel_rows(few)
    assert (rows["text"] == "not to be had").sum() == 5
    plots.panel(few)


def test_ratios_stand_on_a_logarithmic_axis() -> None:
    one, other = [10, 8, 20, 12], [5, 6, 9, 10]
    effects = am.effect_sizes(measure="OR", events1=one, n1=[50, 40, 90, 70], events2=other, n2=[50, 42, 88, 72])
    found = am.sensitivity.panel(effects)
    rows = plots.panel_rows(found)
    assert rows["estimate"].dropna().iloc[0] == found.to_frame()["estimate"].iloc[0]
    assert plots.panel(found).get_xlabel() == "Odds ratio"
