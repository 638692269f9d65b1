"""Input at the edges: few effects, equal variances, equal effects, very unequal, very large, very small; two maxima.

Where there is a number, it is held against a closed form or against `tests/reference/fifty_digits.py`.
"""

from __future__ import annotations

import json
import math
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from tests.reference import agreement

import alliance_meta as am
from alliance_meta.errors import InputError

FloatArray = npt.NDArray[np.float64]
Set = tuple[list[float], list[float]]

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "pooling.json").read_text(encoding="utf-8"))
CASES: dict[str, Any] = {case["name"]: case for case in REFERENCE["cases"]}


def pooled(effects: Set, method: str, test: str = "z") -> am.PooledEffect:
    yi, vi = effects
    return am.pool(am.effect_sizes(measure="GEN", effect=yi, variance=vi), tau2_method=method, test=test)


# Few effects


def test_no_effects_are_refused() -> None:
    with pytest.raises(InputError, match=r"has no rows, so there is nothing to analyse"):
        am.effect_sizes(measure="GEN", effect=[], variance=[])


@pytest.mark.parametrize("method", agreement.METHODS)
def test_no_effects_in_a_batch_are_nan(method: str) -> None:
    many = am.pool_many(np.empty((2, 0)), np.empty((2, 0)), tau2_method=method)
    assert np.isnan([many.estimate, many.std_error, many.tau2, *many.tau2_interval()]).all()
    assert many.k.tolist() == [0.0, 0.0]
    assert many.reasons().tolist() == ["no effect takes part"] * 2


@pytest.mark.parametrize("method", agreement.METHODS)
def test_one_effect_is_its_own_mean_and_says_nothing_of_tau2(method: str) -> None:
    fit = pooled(([0.3], [0.04]), method)
    assert (fit.estimate, fit.std_error) == pytest.approx((0.3, 0.2), rel=1e-15)
    assert fit.tau2 == 0.0 if method == "EE" else math.isnan(fit.tau2)


# Against 50 digits

EDGES: dict[str, Set] = {
    "two": ([0.1, 0.7], [0.04, 0.09]),
    "two that agree better than chance": ([0.1, 0.12], [0.04, 0.09]),
    "two, one variance a million times the other": ([0.1, 5.0], [0.04, 40_000.0]),
    "equal variances": ([0.1, 0.3, 0.9, 0.2, -0.4], [0.05] * 5),
    "equal variances, agreeing": ([0.1, 0.12, 0.09, 0.11, 0.1], [0.05] * 5),
    "one variance a million times the others": ([0.1, 0.3, 0.9, 0.2, -0.4], [0.05, 0.04, 0.06, 0.05, 50_000.0]),
    "the same, far away": ([0.1, 0.3, 0.9, 0.2, 900.0], [0.05, 0.04, 0.06, 0.05, 50_000.0]),
    "one variance a millionth of the others": ([0.1, 0.3, 0.9, 0.2, -0.4], [0.05, 0.04, 0.06, 0.05, 5e-8]),
    "effects of 1e8": ([1e8, 1.3e8, 0.9e8, -2e8], [1e14, 2e14, 3e15, 1e15]),
    "effects of 1e8, small variances": ([1e8, 1.3e8, 0.9e8, -2e8], [0.1, 0.2, 0.3, 0.15]),
    "effects of 1e8 that differ by 1": ([1e8 + 0.1, 1e8 + 0.7, 1e8 + 1.9, 1e8 - 0.3], [0.1, 0.2, 0.3, 0.15]),
    "variances of 1e-12": ([0.1, 0.3, 0.9, 0.2], [1e-12, 2e-12, 3e-12, 1.5e-12]),
    "variances of 1e-12, effects of 1e-6": ([1e-6, 3e-6, 2.5e-6, -2e-6], [1e-12, 2e-12, 3e-12, 1.5e-12]),
    "variances of 1e-12, agreeing": ([1e-7, 3e-7, 2.5e-7, -2e-7], [1e-12, 2e-12, 3e-12, 1.5e-12]),
    "everything at once": ([1e8, 0.3, 0.9, -2.0], [1e-12, 1e6, 1.0, 1e-12]),
}


def _tolerance(vi: list[float]) -> float:
    """1e-12, or what is left where one weight outweighs all others.

    DerSimonian and Laird's denominator, and the typical variance in I2, are the sum of weights less their sum of
    squares over it: digits are lost as in the difference of the sum of weights and the largest.
    """
    w = 1.0 / np.array(vi)
    return max(agreement.EXACT_RTOL, float(np.finfo(float).eps * w.sum() / np.delete(w, w.argmax()).sum()))


@pytest.mark.parametrize("name", EDGES)
def test_every_number_is_that_of_50_digits(name: str) -> None:
    # Measured: 1.8e-13 and less, but for the sets in which one weight is a million times the others: 3.2e-11.
    yi, vi = EDGES[name]
    for method, test in product(agreement.METHODS, agreement.TESTS):
        mine, truth = (numbers(yi, vi, method, test) for numbers in (agreement.ours, agreement.exact))
        assert not any(math.isnan(number) for number in mine.values()), (method, test, mine)
        off = agreement.differing(mine, truth, _tolerance(vi))
        assert not off, f"{method}, {test}: {[(each, mine[each], truth[each]) for each in off]}"


def test_one_weight_above_all_others_is_the_only_reason_for_less_than_twelve_digits() -> None:
    loose = {name for name, (_, vi) in EDGES.items() if _tolerance(vi) > agreement.EXACT_RTOL}
    assert loose == {"two, one variance a million times the other", "one variance a millionth of the others"}
    assert max(_tolerance(EDGES[name][1]) for name in loose) < 3e-10


# Closed forms


@pytest.mark.parametrize("variance", [0.05, 1e-12, 1e8])
@pytest.mark.parametrize("spread", [0.0, 0.3, 1.0, 2.0, 1e3], ids="spread{}".format)
def test_equal_variances_have_closed_forms(spread: float, variance: float) -> None:
    """With all variances v and S2 the plain variance of the effects, every estimator is a line or two."""
    scores = np.array([-1.2, 0.3, 0.1, 1.5, -0.4, 0.8])
    y = 0.7 * math.sqrt(variance) + spread * math.sqrt(variance) * scores
    k, s2 = len(y), float(np.var(y, ddof=1)) if spread else 0.0
    moment = max(0.0, s2 - variance)
    likelihood = max(0.0, s2 * (k - 1) / k - variance)
    crude = s2 * (k - 1) / k
    expected = dict.fromkeys(("REML", "DL", "DL2", "HE", "CA2", "HSk", "PM", "EB"), moment)
    expected |= dict.fromkeys(("ML", "HS"), likelihood)
    expected["SJ"] = crude * s2 / (crude + variance)
    expected["PMM"] = max(0.0, s2 * (k - 1) / float(stats.chi2.ppf(0.5, k - 1)) - variance)
    expected["EE"] = 0.0
    for method, tau2 in expected.items():
        fit = pooled((y.tolist(), [variance] * k), method)
        # The variance of the effects less v: an error relative to the sum of the two is all that can be asked.
        assert fit.tau2 == pytest.approx(tau2, rel=1e-13, abs=1e-13 * (variance + s2)), method
        assert (fit.tau2 == 0.0) == (tau2 == 0.0), method
        assert fit.estimate == pytest.approx(float(y.mean()), rel=1e-13), method
        assert fit.std_error == pytest.approx(math.sqrt((variance + tau2) / k), rel=1e-13), method


@pytest.mark.parametrize("method", agreement.METHODS)
@pytest.mark.parametrize("value", [0.0, 0.37, -1e8, 1e-12])
@pytest.mark.parametrize("vi", [[0.1] * 4, [0.1, 0.2, 0.3, 0.4], [1e-12, 2e-12, 1.0 / 27.0, 1e6], [0.1, 0.2]], ids=str)
def test_equal_effects_leave_nothing_to_tau2(method: str, value: float, vi: list[float]) -> None:
    effects = ([value] * len(vi), vi)
    fit = pooled(effects, method)
    assert (fit.tau2, fit.q_statistic, fit.i2, tuple(fit.tau2_interval())) == (0.0, 0.0, 0.0, (0.0, 0.0))
    assert fit.estimate == pytest.approx(value, rel=1e-15, abs=0.0)
    assert fit.std_error == pytest.approx(1.0 / math.sqrt(math.fsum(1.0 / v for v in vi)), rel=1e-14)
    assert fit.q_p_value == 1.0
    assert pooled(effects, method, "knapp-hartung").std_error == 0.0


@pytest.mark.parametrize("method", agreement.METHODS)
def test_effects_that_differ_by_next_to_nothing(method: str) -> None:
    """Their squares are at the end of the range of doubles, and must not come out as a warning or NaN."""
    for difference in (5e-324, 1e-200, 1.123e-154, 1e-100):
        fit = pooled(([0.0, difference], [1.0, 1.0]), method)
        assert 0.0 <= fit.estimate <= difference
        assert fit.std_error == pytest.approx(math.sqrt(0.5), rel=1e-15)
        assert fit.tau2 <= difference**2


# The highest maximum


# The likelihood of these has two maxima, and the higher lies far below the spread of the effects.
@pytest.mark.parametrize(
    ("yi", "vi"),
    [
        ([-20.35182, -0.290345, 0.019483, -0.002013], [452.854, 0.0143341, 0.000104439, 3.03473e-05]),
        ([12.017267, -2.836607, -0.00366, 0.054435], [177.949, 0.850827, 4.70778e-06, 0.00141258]),
    ],
)
def test_reml_finds_a_higher_maximum_that_is_small_beside_the_spread(yi: list[float], vi: list[float]) -> None:
    assert len(agreement.maxima(yi, vi)) == 2
    assert agreement.ours(yi, vi, "REML", "z")["tau2"] == pytest.approx(
        agreement.exact(yi, vi, "REML", "z")["tau2"], rel=1e-9, abs=0.0
    )


# One imprecise outlier far from two precise studies: rounding in the score must not keep REML from stopping.
@pytest.mark.parametrize(
    ("yi", "vi"),
    [
        (
            [5.3721677676857205, -0.04992464535715217, 0.016029712597630977],
            [79.23684901484356, 0.002635806120149529, 0.0012873816467453144],
        ),
        (
            [-9.205023119991278, -0.1023437885205101, -0.052066327384889415],
            [19.783546373517837, 0.00010582579918494572, 0.0015083403841462853],
        ),
    ],
)
def test_reml_stops_where_rounding_ends_the_climb(yi: list[float], vi: list[float]) -> None:
    assert agreement.ours(yi, vi, "REML", "z")["tau2"] == pytest.approx(
        agreement.exact(yi, vi, "REML", "z")["tau2"], rel=1e-9, abs=0.0
    )


def test_reml_does_not_stop_at_a_step_that_rounding_in_the_likelihood_shortened() -> None:
    yi = [
        *(-0.02130082069983359, -0.06675606846418776, -0.021057050179483658, 0.4085625008992421, 0.0640621561678096),
        *(4.039034624188375, 21.326306792933753, -0.19941401617866633, -0.012276035672867475, 16.97099588865976),
    ]
    vi = [
        *(0.000544093370134199, 0.000979077937746401, 0.002760827066584156, 0.023209086517118463),
        *(0.029919025938131037, 110.53661853640385, 383.21285330222184, 0.026351565082021418),
        *(1.044900351953035e-06, 107.55262736448286),
    ]
    assert agreement.ours(yi, vi, "REML", "z")["tau2"] == pytest.approx(
        agreement.exact(yi, vi, "REML", "z")["tau2"], rel=1e-9, abs=0.0
    )


# The likelihood (not the restricted one) of these has a maximum at 0 and a higher one below the least variance.
@pytest.mark.parametrize(
    ("yi", "vi"),
    [
        ([-4.49978, -20.0843], [11.7466, 57.0697]),
        (
            [0.08487426145789889, 0.02250356159577222, -0.016346124538565467],
            [0.002475190678086816, 0.01099541189526358, 0.0005451205453106781],
        ),
        (
            [0.003342649, -0.001028651, -0.006692768, -0.031082003, -0.009609693],
            [7.8080843e-06, 0.0012322394, 0.00021306829, 0.0069669614, 4.1782910e-05],
        ),
        (
            [-0.06575162, 0.73718355, -0.0037197343, -0.065832186, 0.23675291, 0.25272533],
            [0.00111463953, 4.42183493, 0.000187604898, 0.00184560727, 0.086612804, 0.04339715],
        ),
    ],
)
def test_ml_finds_a_higher_maximum_below_the_least_variance(yi: list[float], vi: list[float]) -> None:
    low, high = agreement.maxima(yi, vi, restricted=False)
    assert low == 0.0 < high < min(vi)
    heights = [agreement.log_likelihood(yi, vi, peak, restricted=False) for peak in (low, high)]
    assert heights[1] > heights[0] + 5e-4
    assert agreement.ours(yi, vi, "ML", "z")["tau2"] == pytest.approx(high, rel=1e-9, abs=0.0)


@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("two_maxima")])
def test_stored_sets_with_two_maxima(name: str, method: str) -> None:
    yi, vi = CASES[name]["yi"], CASES[name]["vi"]
    restricted = method == "REML"
    peaks = agreement.maxima(yi, vi, restricted=restricted)
    highest = max(peaks, key=lambda peak: agreement.log_likelihood(yi, vi, peak, restricted=restricted))
    assert len(peaks) == 2 or not restricted
    assert agreement.ours(yi, vi, method, "z")["tau2"] == pytest.approx(highest, rel=1e-12, abs=0.0)


def _log_likelihoods(y: FloatArray, v: FloatArray, tau2: FloatArray, *, restricted: bool) -> FloatArray:
    """Of sets (B, k) at points (B, g), by the textbook; in doubles, for speed."""
    w = 1.0 / (v[:, None, :] + tau2[:, :, None])
    total = w.sum(axis=-1)
    mean = (w * y[:, None, :]).sum(axis=-1) / total
    q = (w * (y[:, None, :] - mean[..., None]) ** 2).sum(axis=-1)
    lost = np.log(total) if restricted else 0.0
    return np.asarray(-0.5 * (q - np.log(w).sum(axis=-1) + lost))


def _assert_nothing_is_higher(y: FloatArray, v: FloatArray, method: str, points: int) -> None:
    """No point of a dense grid, from a thousandth of the least variance to beyond all maxima, has a higher likelihood.

    Up to 1e-9 of its size: that is rounding in sums of a few squares and logarithms, times a thousand.
    """
    found = am.pool_many(y, v, tau2_method=method)
    assert not found.problem.any()
    low = v.min(axis=-1, keepdims=True) / 1000.0
    top = 2.0 * ((y - y.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1, keepdims=True)
    steps = low * np.maximum(top / low, 1.0) ** np.linspace(0.0, 1.0, points)
    grid = np.concatenate([np.zeros((len(y), 1)), steps], axis=1)
    restricted = method == "REML"
    best = _log_likelihoods(y, v, grid, restricted=restricted).max(axis=-1)
    mine = _log_likelihoods(y, v, found.tau2[:, None], restricted=restricted)[:, 0]
    short = np.flatnonzero(~(mine >= best - 1e-9 * (1.0 + np.abs(best))))
    assert short.size == 0, [(y[i].tolist(), v[i].tolist(), found.tau2[i], mine[i], best[i]) for i in short[:3]]


@pytest.mark.parametrize("k", [2, 3, 4, 6, 10])
@pytest.mark.parametrize("method", ["REML", "ML"])
def test_no_point_of_a_dense_grid_is_higher_in_random_sets(method: str, k: int) -> None:
    """Variances nine orders of magnitude apart and heavy tails, which make second maxima."""
    rng = np.random.default_rng(k)
    v = 10.0 ** rng.uniform(-6.0, 3.0, (1500, k))
    between = 10.0 ** rng.uniform(-7.0, 3.0, (1500, 1)) * rng.integers(0, 2, (1500, 1))
    _assert_nothing_is_higher(rng.standard_t(3, (1500, k)) * np.sqrt(v + between), v, method, 400)


@given(
    data=st.lists(
        # the effect in standard errors, and log10 of its variance
        st.tuples(st.integers(-6000, 6000).map(lambda x: x / 1000.0), st.floats(-6.0, 3.0)),
        min_size=2,
        max_size=7,
    )
)
@settings(deadline=None, derandomize=True, max_examples=150)
@pytest.mark.parametrize("method", ["REML", "ML"])
def test_no_point_of_a_dense_grid_is_higher(method: str, data: list[tuple[float, float]]) -> None:
    scores, logs = np.array(data).T
    v = 10.0 ** logs[None, :]
    _assert_nothing_is_higher(scores[None, :] * np.sqrt(v), v, method, 3000)


def test_a_lower_maximum_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES["two_maxima_metafor_at_zero_k5"]
    y, v = np.array([case["yi"]]), np.array([case["vi"]])
    _assert_nothing_is_higher(y, v, "REML", 400)
    equal = am.pool_many(y, v, tau2_method="EE")  # its tau2 of 0 is the lower maximum
    monkeypatch.setattr(am, "pool_many", lambda *_args, **_kwargs: equal)
    with pytest.raises(AssertionError):
        _assert_nothing_is_higher(y, v, "REML", 400)
