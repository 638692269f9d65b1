"""What holds for every effect: however it is reported, it is the same; turned, it changes its sign only."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import alliance_meta as am

RS = st.floats(-0.9, 0.9).filter(lambda r: abs(r) > 1e-3)
SETTINGS = settings(deadline=None, derandomize=True, max_examples=60)
GROUP = st.integers(4, 300)
NAN = math.nan


def reports(r: float, n1: int, n2: int) -> pd.DataFrame:
    """One effect as ten articles would report it; statistics without a sign have it in the direction."""
    n, df = n1 + n2, n1 + n2 - 2
    t = r * math.sqrt(df / (1 - r**2))
    d = t * math.sqrt(1 / n1 + 1 / n2)
    p = 2 * float(stats.t.sf(abs(t), df))
    sign = math.copysign(1.0, r)
    rows: list[dict[str, float]] = [
        {"r": r},
        {"t": t, "df": df},
        {"t": t},
        {"f": t**2, "df": 1, "df2": df, "direction": sign},
        {"z": r * math.sqrt(n)},
        {"chi2": r**2 * n, "direction": sign},
        {"p": p, "direction": sign},
        {"p": p / 2, "tails": 1, "direction": sign},
        {"r2": r**2, "direction": sign},
        {"eta2": r**2, "direction": sign},
        {"d": d, "n1": n1, "n2": n2},
        {"mean1": d, "mean2": 0.0, "sd1": 1.0, "sd2": 1.0, "n1": n1, "n2": n2},
    ]
    return pd.DataFrame([{"n": n, **row} for row in rows]).assign(direction=lambda frame: frame.get("direction"))


@SETTINGS
@given(r=RS, n1=GROUP, n2=GROUP)
def test_an_effect_is_the_same_however_it_is_reported(r: float, n1: int, n2: int) -> None:
    frame = reports(r, n1, n2)
    effects = am.effect_sizes(frame)
    assert len(effects.routes()) == len(frame) - 1  # one- and two-tailed p take the same
    # 1e-8: r = .9 of 600 people has a p of 1e-217, whose quantile keeps the digits of its logarithm
    assert effects.effect == pytest.approx([math.atanh(r)] * len(frame), rel=1e-8)
    assert effects.variance == pytest.approx([1 / (n1 + n2 - 3)] * len(frame), rel=1e-12)
    assert effects.notes == ()


@SETTINGS
@given(r=RS, n1=GROUP, n2=GROUP)
def test_a_standardized_difference_is_the_same_however_it_is_reported(r: float, n1: int, n2: int) -> None:
    df = n1 + n2 - 2
    t = r * math.sqrt(df / (1 - r**2))
    d = t * math.sqrt(1 / n1 + 1 / n2)
    rows = [
        {"d": d},
        {"mean1": 5 + 2 * d, "mean2": 5.0, "sd1": 2.0, "sd2": 2.0},
        {"t": t},
        {"f": t**2, "direction": math.copysign(1.0, r)},
        {"p": 2 * float(stats.t.sf(abs(t), df)), "direction": math.copysign(1.0, r)},
        {"r": r},
    ]
    effects = am.effect_sizes(pd.DataFrame([{"n1": n1, "n2": n2, **row} for row in rows]), measure="SMD")
    assert len(effects.routes()) == len(rows)
    assert effects.effect == pytest.approx([effects.effect[0]] * len(rows), rel=1e-8)
    assert effects.variance == pytest.approx([effects.variance[0]] * len(rows), rel=1e-8)
    back = am.effect_sizes(measure="SMD", g=effects.effect, n1=[n1] * len(rows), n2=[n2] * len(rows))
    assert back.variance == pytest.approx(effects.variance.tolist(), rel=1e-13)


def numbers(effects: am.EffectSizes) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    return effects.effect, effects.variance


@SETTINGS
@given(r=RS, n1=GROUP, n2=GROUP, measure=st.sampled_from(["COR", "UCOR", "ZCOR"]))
def test_turning_every_row_changes_signs_only(r: float, n1: int, n2: int, measure: str) -> None:
    frame = reports(r, n1, n2)
    plain, v = numbers(am.effect_sizes(frame, measure=measure))
    turned, turned_v = numbers(
        am.effect_sizes(frame.assign(direction=-frame["direction"].fillna(1.0)), measure=measure)
    )
    assert turned.tolist() == (-plain).tolist()
    assert turned_v.tolist() == v.tolist()


TABLES = st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))


@SETTINGS
@given(table=TABLES, measure=st.sampled_from(["OR", "RR", "RD", "OR2D", "OR2DN"]))
def test_groups_that_change_places_turn_the_effect(table: tuple[int, int, int, int], measure: str) -> None:
    a, b, c, d = (cell + 1 for cell in table)
    cells = {"events1": [a, 0], "n1": [a + b, a + b], "events2": [c, c], "n2": [c + d, c + d]}
    swapped = {"events1": cells["events2"], "n1": cells["n2"], "events2": cells["events1"], "n2": cells["n1"]}
    y, v = numbers(am.effect_sizes(pd.DataFrame(cells), measure=measure))
    back, back_v = numbers(am.effect_sizes(pd.DataFrame(swapped), measure=measure))
    turned, _ = numbers(am.effect_sizes(pd.DataFrame(cells).assign(direction=-1), measure=measure))
    assert back == pytest.approx((-y).tolist(), rel=1e-11, abs=1e-14)
    assert back_v == pytest.approx(v.tolist(), rel=1e-12)
    assert turned.tolist() == (-y).tolist()


@SETTINGS
@given(
    values=st.lists(st.tuples(RS, st.integers(10, 400)), min_size=2, max_size=12),
    measure=st.sampled_from(["COR", "ZCOR"]),
)
def test_rows_do_not_depend_on_each_other(values: list[tuple[float, int]], measure: str) -> None:
    frame = pd.DataFrame(values, columns=["r", "n"])
    frame["t"] = frame["r"] * 3
    frame.loc[::2, "r"] = NAN
    together, v = numbers(am.effect_sizes(frame, measure=measure))
    for i in range(len(frame)):
        alone, alone_v = numbers(am.effect_sizes(frame.iloc[[i]].dropna(axis=1), measure=measure))
        assert (alone[0], alone_v[0]) == (together[i], v[i])
