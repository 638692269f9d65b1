"""`pool_many()`: row by row the same as `pool()`, however it is cut up, and one bad row harms no other."""

from __future__ import annotations

import threading
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

import alliance_meta as am
from alliance_meta._parallel import available_workers, in_pieces
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.results import TAU2_METHODS, TESTS, PooledBatch

FloatArray = npt.NDArray[np.float64]

METHODS = tuple(method for method in TAU2_METHODS if method != "GENQ")
EVERY_WAY = list(product(METHODS, TESTS))
FIELDS = ("estimate", "std_error", "df", "tau2", "k", "problem")


def _random(shape: tuple[int, ...], seed: int = 4) -> tuple[FloatArray, FloatArray]:
    """Sets from homogeneous to very heterogeneous, with variances from equal to e^4 apart."""
    rng = np.random.default_rng(seed)
    wide = rng.choice([0.0, 0.5, 2.0], (*shape[:-1], 1))
    v = 0.05 * np.exp(wide * rng.normal(0.0, 1.0, shape))
    y = rng.normal(0.3, np.sqrt(v + rng.choice([0.0, 0.0, 0.05, 3.0], (*shape[:-1], 1))))
    return y, v


def _alone(y: FloatArray, v: FloatArray, method: str, test: str = "knapp-hartung") -> am.PooledEffect:
    effects = am.effect_sizes(measure="GEN", effect=y, variance=v)
    return am.pool(effects, tau2_method=method, test=test)


def _assert_same(one: PooledBatch, other: PooledBatch) -> None:
    for name in FIELDS:
        assert np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True), name


# Row by row


@pytest.mark.parametrize(("method", "test"), EVERY_WAY)
def test_a_row_is_the_fit_of_its_effects_alone(method: str, test: str) -> None:
    y, v = _random((25, 9))
    many = am.pool_many(y, v, tau2_method=method, test=test)
    intervals = (many.confidence_interval(0.9), many.prediction_interval(0.9), many.tau2_interval(0.9))
    q, i2 = many.cochran_q(), many.inconsistency()
    for row in range(25):
        one = _alone(y[row], v[row], method, test)
        mine = [many.estimate[row], many.std_error[row], many.df[row], many.tau2[row], many.k[row], i2.i2[row]]
        mine += [i2.h2[row], q.q_statistic[row], q.q_df[row], q.q_p_value[row], many.p_value()[row]]
        theirs = [one.estimate, one.std_error, one.df, one.tau2, one.k, one.i2, one.h2, one.q_statistic, one.q_df]
        theirs += [one.q_p_value, one.p_value]
        for (low, high), ask in zip(intervals, ("confidence", "prediction", "tau2"), strict=True):
            mine += [low[row], high[row]]
            theirs += [*getattr(one, f"{ask}_interval")(0.9)]
        # Bit for bit: both run the same kernel, and no sum in it goes over more than one row.
        assert [float(number) for number in mine] == theirs, row
    assert not many.problem.any()
    assert many.reasons().empty


@pytest.mark.parametrize("method", METHODS)
def test_leaving_out_is_refitting(method: str) -> None:
    y, v = _random((1, 9), seed=9)
    many = am.pool_many(y[0], v[0], 1.0 - np.eye(9), tau2_method=method)
    assert many.shape == (9,)
    for row in range(9):
        kept = np.arange(9) != row
        one = _alone(y[0][kept], v[0][kept], method)
        # A sum over nine numbers of which one is 0 may be added up in another order than one over eight.
        mine = [many.estimate[row], many.std_error[row], many.tau2[row], many.tau2_interval()[1][row]]
        assert mine == pytest.approx([one.estimate, one.std_error, one.tau2, one.tau2_interval().high], rel=1e-13)
        assert (many.k[row], many.df[row]) == (8.0, 7.0)


@pytest.mark.parametrize("left_out", [np.nan, np.inf, -1.0, 0.0, 1e300])
@pytest.mark.parametrize("method", METHODS)
def test_what_stands_in_left_out_places_has_no_influence(method: str, left_out: float) -> None:
    y, v = _random((12, 8))
    include = (np.random.default_rng(1).random((12, 8)) < 0.7).astype(float)
    clean = am.pool_many(y, v, include, tau2_method=method)
    dirty_y, dirty_v = (np.where(include == 1.0, array, left_out) for array in (y, v))
    dirty = am.pool_many(dirty_y, dirty_v, include, tau2_method=method)
    _assert_same(clean, dirty)
    for mine, theirs in zip(clean.tau2_interval(), dirty.tau2_interval(), strict=True):
        assert np.array_equal(mine, theirs, equal_nan=True)
    pd.testing.assert_frame_equal(clean.to_frame(), dirty.to_frame())


# However it is cut up


@pytest.mark.parametrize("method", METHODS)
def test_neither_pieces_nor_threads_change_a_number(method: str) -> None:
    y, v = _random((53, 7))
    include = (np.random.default_rng(2).random((53, 7)) < 0.8).astype(float)
    whole = am.pool_many(y, v, include, tau2_method=method, chunk_size=53, workers=1)
    for chunk_size, workers in [(1, 1), (1, 3), (7, 2), (10, 1), (52, 8), (1000, 4), (None, None)]:
        cut = am.pool_many(y, v, include, tau2_method=method, chunk_size=chunk_size, workers=workers)
        _assert_same(whole, cut)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4), (1,), (0,), (2, 0)], ids=str)
def test_a_batch_has_any_shape(shape: tuple[int, ...]) -> None:
    y, v = _random((*shape, 6))
    many = am.pool_many(y, v, chunk_size=5)
    assert many.shape == shape
    flat = am.pool_many(y.reshape(-1, 6), v.reshape(-1, 6))
    for name in FIELDS:
        assert np.array_equal(np.ravel(getattr(many, name)), getattr(flat, name)), name
    assert len(many.to_frame()) == int(np.prod(shape))
    assert many.confidence_interval()[0].shape == many.tau2_interval()[1].shape == many.p_value().shape == shape


def test_effects_variances_and_inclusion_broadcast() -> None:
    y, v = _random((4, 6))
    include = (np.random.default_rng(3).random((5, 4, 6)) < 0.7).astype(float)
    many = am.pool_many(y[0], v[:, :], include)
    wide = am.pool_many(*(np.broadcast_to(a, (5, 4, 6)).copy() for a in (y[0], v, include)))
    assert many.shape == (5, 4)
    _assert_same(many, wide)
    _assert_same(am.pool_many(y[0], 0.1), am.pool_many(y[0], np.full(6, 0.1)))
    resampled = am.pool_many(y[0], v[0], include.reshape(20, 6), chunk_size=3, workers=2)
    assert np.array_equal(resampled.estimate, am.pool_many(y[0], v[0], include).estimate.ravel(), equal_nan=True)


# Rows that cannot be pooled


@pytest.mark.parametrize(
    ("array", "value", "reason"),
    [
        *(("effect", value, "an effect is NaN or infinite") for value in (np.nan, np.inf, -np.inf)),
        *(
            ("variance", value, "a sampling variance is not a positive, finite number")
            for value in (np.nan, np.inf, -np.inf, 0.0, -0.1)
        ),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_a_number_that_cannot_be_used_spoils_its_row_only(method: str, array: str, value: float, reason: str) -> None:
    y, v = _random((6, 5))
    sound = am.pool_many(y, v, tau2_method=method)
    spoilt = {"effect": y.copy(), "variance": v.copy()}
    spoilt[array][2, 3] = value
    many = am.pool_many(spoilt["effect"], spoilt["variance"], tau2_method=method, chunk_size=4)
    _assert_only_row_2_is_spoilt(many, sound, reason)
    assert many.k[2] == 5.0


def _assert_only_row_2_is_spoilt(many: PooledBatch, sound: PooledBatch, reason: str) -> None:
    others = np.arange(len(many.estimate)) != 2
    assert many.reasons().to_dict() == {2: reason}
    for name in ("estimate", "std_error", "tau2"):
        assert np.isnan(getattr(many, name)[2]), name
        assert np.array_equal(getattr(many, name)[others], getattr(sound, name)[others]), name
    frame, clean = many.to_frame(), sound.to_frame()
    numbers = frame.drop(columns=["k", "df", "q_df", "reason"]).loc[2]
    assert numbers.isna().all(), numbers
    assert frame.loc[2, "reason"] == reason
    pd.testing.assert_frame_equal(frame[others], clean[others])
    for mine, theirs in zip(many.tau2_interval(), sound.tau2_interval(), strict=True):
        assert np.isnan(mine[2])
        assert np.array_equal(mine[others], theirs[others])


@pytest.mark.parametrize("method", METHODS)
def test_a_row_without_effects_is_empty(method: str) -> None:
    y, v = _random((6, 5))
    include = np.ones((6, 5))
    sound = am.pool_many(y, v, include, tau2_method=method)
    many = am.pool_many(y, v, include * (np.arange(6) != 2)[:, None], tau2_method=method)
    _assert_only_row_2_is_spoilt(many, sound, "no effect takes part")
    assert many.k[2] == 0.0


@pytest.mark.parametrize(("method", "test"), EVERY_WAY)
def test_a_row_of_one_effect_is_what_pool_makes_of_one_study(method: str, test: str) -> None:
    y, v = _random((3, 5))
    include = np.ones((3, 5))
    include[1, 1:] = 0.0
    many = am.pool_many(y, v, include, tau2_method=method, test=test)
    one = _alone(y[1, :1], v[1, :1], method, test)
    mine = [many.estimate[1], many.std_error[1], many.df[1], many.tau2[1], many.p_value()[1], *_row(many, 1)]
    theirs = [one.estimate, one.std_error, one.df, one.tau2, one.p_value, *one.confidence_interval()]
    assert np.array_equal(mine, theirs, equal_nan=True)
    assert list(many.reasons().index) == [1]
    assert many.reasons()[1].startswith("one effect says nothing about tau2")


def _row(many: PooledBatch, row: int) -> tuple[float, float]:
    low, high = many.confidence_interval()
    return float(low[row]), float(high[row])


def test_reasons_name_the_place_in_a_batch_of_more_axes() -> None:
    y, v = _random((2, 3, 5))
    y[1, 0, 0], v[0, 2, 1] = np.nan, 0.0
    reasons = am.pool_many(y, v).reasons()
    assert reasons.index.tolist() == [(0, 2), (1, 0)]
    assert reasons[1, 0] == "an effect is NaN or infinite"


def test_reasons_of_a_single_fit() -> None:
    """A batch of shape () has a reason too, and no place to name."""
    many = am.pool_many([0.1, np.nan], [0.1, 0.1])
    assert many.shape == ()
    assert np.isnan(many.estimate)
    assert many.reasons().tolist() == ["an effect is NaN or infinite"]


def test_the_text_says_how_many_rows_have_nan() -> None:
    y, v = _random((3, 4))
    assert repr(am.pool_many(y, v)) == "<PooledBatch: 3 meta-analyses, shape (3,) (REML, knapp-hartung)>"
    y[0, 0] = np.nan
    assert "; 1 with NaN: see .reasons()" in repr(am.pool_many(y, v))


def test_to_frame_has_the_numbers_of_the_batch() -> None:
    y, v = _random((2, 3, 5))
    many = am.pool_many(y, v, tau2_method="PM", test="t")
    frame = many.to_frame(0.8)
    low, high = many.confidence_interval(0.8)
    q = many.cochran_q()
    expected: dict[str, Any] = {
        "estimate": many.estimate,
        "std_error": many.std_error,
        "statistic": many.estimate / many.std_error,
        "df": many.df,
        "p_value": many.p_value(),
        "ci_low": low,
        "ci_high": high,
        "tau2": many.tau2,
        "i2": many.inconsistency().i2,
        "q_statistic": q.q_statistic,
        "q_df": q.q_df,
        "q_p_value": q.q_p_value,
        "k": many.k,
    }
    assert frame.columns.tolist() == [*expected, "reason"]
    for name, values in expected.items():
        assert frame[name].tolist() == values.ravel().tolist(), name
    assert frame["reason"].tolist() == [""] * 6


# What is refused

THREE = np.array([0.1, 0.3, 0.9])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variance": [0.1, 0.2]}, r"^effect, variance and include must be arrays of numbers that fit together: "),
        ({"include": [1, 0]}, r"^effect, variance and include must be arrays of numbers that fit together: "),
        ({"variance": ["a", "b", "c"]}, r"^effect, variance and include must be arrays of numbers"),
        ({"effect": 0.1, "variance": 0.1}, r"^effect must have at least one axis"),
        ({"include": [1, 2, 0]}, r"^include must hold 0 \(left out\) and 1 \(takes part\) only$"),
        ({"include": [1, 0.5, 0]}, r"^include must hold 0 "),
        ({"include": [1, np.nan, 0]}, r"^include must hold 0 "),
        ({"chunk_size": 0}, r"^chunk_size must be 1 or more, not 0$"),
        ({"chunk_size": -3}, r"^chunk_size must be 1 or more, not -3$"),
        ({"workers": 0}, r"^workers must be 1 or more, not 0$"),
    ],
)
def test_what_does_not_fit_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        am.pool_many(**{"effect": THREE, "variance": THREE, **arguments})


@pytest.mark.parametrize(
    ("option", "value"), [("tau2_method", "reml"), ("tau2_method", "GENQ"), ("tau2_method", ""), ("test", "knha")]
)
def test_an_unknown_name_is_refused(option: str, value: str) -> None:
    arguments: dict[str, Any] = {option: value}
    with pytest.raises(UnknownNameError, match=rf"^unknown {option} '{value}'"):
        am.pool_many(THREE, THREE, **arguments)


def test_the_arrays_are_left_alone() -> None:
    y, v = _random((4, 5))
    include = np.ones((4, 5))
    y[0, 0], v[1, 1], include[2, 2] = np.nan, -1.0, 0.0
    before = y.copy(), v.copy(), include.copy()
    am.pool_many(y, v, include).to_frame()
    for array, kept in zip((y, v, include), before, strict=True):
        assert np.array_equal(array, kept, equal_nan=True)


def test_what_is_done_to_the_arrays_afterwards_does_not_reach_the_result() -> None:
    """A result is finished when it is made, though a simulation may write the next effects over these."""
    y, v = _random((4, 5))
    many = am.pool_many(y, v)
    before = many.to_frame(), many.tau2_interval()
    y[:], v[:] = 0.0, 1.0
    pd.testing.assert_frame_equal(many.to_frame(), before[0])
    assert np.array_equal(many.tau2_interval(), before[1])


# The pieces


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_every_piece_is_done_once(workers: int) -> None:
    done = np.zeros(23, dtype=int)

    def work(piece: slice) -> None:
        done[piece] += 1

    in_pieces(work, 23, 4, workers=workers, unit="fit")
    assert done.tolist() == [1] * 23


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
@pytest.mark.parametrize("workers", [1, 3])
def test_an_interrupt_in_a_piece_is_raised_and_leaves_no_thread(workers: int, error: type[BaseException]) -> None:
    begun: list[int] = []

    def work(piece: slice) -> None:
        begun.append(piece.start)
        if piece.start == 2:
            raise error

    before = threading.active_count()
    with pytest.raises(error):
        in_pieces(work, 10_000, 1, workers=workers, unit="fit")
    assert threading.active_count() == before
    assert len(begun) < 10_000  # those not begun were dropped


def test_there_is_a_processor_to_work_on() -> None:
    assert available_workers() >= 1
