"""What the plots show, without drawing."""

from __future__ import annotations

import numpy as np
import pytest

import alliance_meta as am
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.plots import forest_rows, funnel_points


@pytest.fixture(scope="module")
def fit() -> am.PooledEffect:
    return am.pool(am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR"))


def test_forest_rows(fit: am.PooledEffect) -> None:
    rows = forest_rows(fit)
    assert list(rows["kind"]) == ["study"] * 16 + ["summary", "prediction"]
    first = rows.iloc[0]
    # Althay (1973): r = .24, n = 150; tanh(.244774 -+ 1.959964 / sqrt(147)) = tanh(.083119), tanh(.406429).
    assert first["label"] == "Althay, 1973"
    assert first[["effect", "low", "high"]].to_list() == pytest.approx([0.24, 0.0829, 0.3854], abs=5e-5)
    assert first["text"] == ".24 [.08, .39]"
    assert rows["weight"].sum() == pytest.approx(100.0)
    weights = 1.0 / (fit.effects.variance + fit.tau2)
    assert rows["weight"].to_numpy()[:16] == pytest.approx(100.0 * weights / weights.sum())
    shown = fit.on_display_scale()
    pooled, new_study = rows[["effect", "low", "high"]].to_numpy(dtype=float)[16:].tolist()
    assert pooled == [shown.estimate, shown.ci_low, shown.ci_high]
    assert new_study[1:] == [shown.pi_low, shown.pi_high]
    assert np.isnan(new_study[0])


def test_level_changes_all_intervals(fit: am.PooledEffect) -> None:
    wide, narrow = forest_rows(fit, level=0.99), forest_rows(fit, level=0.5)
    assert (wide["low"] < narrow["low"]).all()
    assert (wide["high"] > narrow["high"]).all()
    with pytest.raises(InputError, match="level must lie between 0 and 1"):
        forest_rows(fit, level=95)


def test_order(fit: am.PooledEffect) -> None:
    assert forest_rows(fit, order="effect")["effect"][:16].is_monotonic_increasing
    assert forest_rows(fit, order="precision")["weight"][:16].is_monotonic_decreasing
    assert sorted(forest_rows(fit, order="effect")["label"]) == sorted(forest_rows(fit)["label"])
    with pytest.raises(UnknownNameError, match="unknown order 'size'"):
        forest_rows(fit, order="size")  # type: ignore[arg-type]


def test_no_prediction_row_where_there_is_none() -> None:
    two = am.pool(am.effect_sizes(r=[0.1, 0.2], n=[30, 40]))
    assert list(forest_rows(two)["kind"]) == ["study", "study", "summary"]
    one = am.pool(am.effect_sizes(r=[0.1], n=[30]))
    assert list(forest_rows(one)["text"]) == [".10 [−.27, .44]", ".10"]  # z test intervals of .10 with n = 30


def test_funnel_points(fit: am.PooledEffect) -> None:
    points = funnel_points(fit)
    assert points["std_error"].to_numpy() == pytest.approx(np.sqrt(fit.effects.variance))
    assert points["effect"].to_numpy() == pytest.approx(fit.effects.effect)
    assert list(points["label"]) == fit.effects.labels
