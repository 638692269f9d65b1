"""The plot of a p-curve."""

from __future__ import annotations

import io
from collections.abc import Iterator

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import alliance_meta as am
from alliance_meta.bias._significance import p_curve as curve
from alliance_meta.plots._p_curve import p_curve, p_curve_points
from alliance_meta.studies import StudyTable


@pytest.fixture(autouse=True)
def _no_window() -> Iterator[None]:
    mpl.use("Agg")
    plt.close("all")
    yield
    plt.close("all")


def _with_p(p_values: list[float]) -> am.EffectSizes:
    z = stats.norm.isf(np.array(p_values) / 2.0)
    frame = pd.DataFrame({"study": [f"costs ${i}$" for i in range(z.size)], "y": z, "v": 1.0})
    return am.effect_sizes(frame, measure="GEN", effect="y", variance="v")


P_VALUES = [0.001, 0.004, 0.0099, 0.012, 0.031, 0.049, 0.2, 0.9]


def test_points_are_shares_of_the_significant() -> None:
    points = p_curve_points(curve(_with_p(P_VALUES)))
    assert points["k"].tolist() == [3, 1, 0, 1, 1]
    assert points["observed"].tolist() == pytest.approx([50.0, 100.0 / 6.0, 0.0, 100.0 / 6.0, 100.0 / 6.0])
    assert points["no_effect"].tolist() == pytest.approx([20.0] * 5)
    assert points["power_33"].sum() == pytest.approx(100.0)
    assert (np.diff(points["power_33"]) < 0.0).all()
    assert points["high"].tolist() == [0.01, 0.02, 0.03, 0.04, 0.05]


def test_three_lines_and_the_counts() -> None:
    result = curve(_with_p(P_VALUES))
    ax = p_curve(result)
    drawn = {line.get_label(): np.asarray(line.get_ydata()) for line in ax.get_lines()}
    points = p_curve_points(result)
    assert list(drawn) == ["expected without effect", "expected with 33% power", "observed (6 of 8 effects)"]
    for values, column in zip(drawn.values(), ("no_effect", "power_33", "observed"), strict=True):
        assert values == pytest.approx(points[column])
    assert [text.get_text() for text in ax.texts] == ["3", "1", "0", "1", "1"]
    assert [label.get_text() for label in ax.get_xticklabels()] == [".01", ".02", ".03", ".04", ".05"]


def test_draws_on_the_axes_given() -> None:
    figure, (left, right) = plt.subplots(1, 2)
    assert p_curve(curve(_with_p(P_VALUES)), ax=right) is right
    assert not left.has_data()
    figure.savefig(io.BytesIO(), format="png")
    assert len(plt.get_fignums()) == 1


def test_nothing_significant_is_said() -> None:
    result = curve(_with_p([0.2, 0.3]))
    assert p_curve_points(result)["observed"].isna().all()
    ax = p_curve(result)
    assert [text.get_text() for text in ax.texts] == ["no significant effect"]
    plt.gcf().savefig(io.BytesIO(), format="png")


def test_all_in_one_bin_stays_inside() -> None:
    ax = p_curve(curve(_with_p([0.001] * 5)))
    assert ax.get_ylim()[1] > 100.0
    plt.gcf().savefig(io.BytesIO(), format="png")


def test_simulated_data_say_so() -> None:
    frame = pd.DataFrame({"r": [0.4, 0.5, 0.2], "n": [40, 50, 60]})
    caveat = "Simulated data: made by a program, not from real studies, at $0."
    effects = am.effect_sizes(StudyTable(roles={"r": "r", "n": "n"}, caveat=caveat, _frame=frame))
    ax = p_curve(curve(effects))
    assert ax.get_title(loc="left") == caveat
    plt.gcf().savefig(io.BytesIO(), format="png")
