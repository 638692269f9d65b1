"""The funnel plot of a limit meta-analysis."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

import alliance_meta as am
from alliance_meta.bias._adjusted import limit_meta
from alliance_meta.errors import InputError
from alliance_meta.plots._limit import limit_curve, limit_funnel

mpl.use("Agg")

RESULT = limit_meta(am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR"))


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    plt.close("all")


def test_the_curve_begins_in_the_limit() -> None:
    curve = limit_curve(RESULT, 0.3)
    assert curve.columns.tolist() == ["std_error", "effect"]
    assert curve.iloc[0].tolist() == pytest.approx([0.0, RESULT.estimate])
    assert curve["std_error"].max() == pytest.approx(0.3)
    np.testing.assert_allclose(
        curve["effect"], RESULT.beta + RESULT.alpha * np.hypot(curve["std_error"], RESULT.tau2**0.5)
    )


def test_it_draws_on_the_axes_given_and_returns_them() -> None:
    _, (one, other) = plt.subplots(1, 2)
    assert limit_funnel(RESULT, ax=one) is one
    assert not other.lines
    lines = {tuple(np.round(np.asarray(line.get_xdata(), dtype=float), 6)) for line in one.lines}
    assert (round(RESULT.estimate, 6),) in lines
    assert one.get_ylim()[1] == 0.0
    assert "limit with 95% CI" in one.get_title(loc="left")


def test_all_of_the_curve_and_the_interval_is_in_view() -> None:
    effects = am.effect_sizes(r=[0.05, 0.1, 0.9, 0.95], n=[5000, 4500, 12, 9])
    found = limit_meta(effects, tau2_method="EE")
    ax = limit_funnel(found, level=0.99)
    frame = found.to_frame(0.99)
    left, right = ax.get_xlim()
    curve = limit_curve(found, max(ax.get_ylim()))
    assert left <= min(frame.loc[1, "ci_low"], curve["effect"].min())
    assert right >= max(frame.loc[1, "ci_high"], curve["effect"].max())
    assert "99% CI" in ax.get_title(loc="left")


def test_a_level_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="level"):
        limit_funnel(RESULT, level=95)
