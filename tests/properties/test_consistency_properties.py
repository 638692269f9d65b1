"""What holds for every meta-analysis: its rounded numbers are never called inconsistent; changed ones are."""

from __future__ import annotations

import math
import warnings
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from scipy import special

import alliance_meta as am
from alliance_meta.consistency import check
from alliance_meta.consistency._identities import IDENTITIES
from alliance_meta.consistency._rounded import Range, read_number
from alliance_meta.consistency._scales import statistic
from alliance_meta.consistency._vocabulary import METRICS as METRICS_KNOWN
from alliance_meta.consistency._vocabulary import QUANTITIES, read_printed
from alliance_meta.errors import InputError
from alliance_meta.stats import conversions

SETTINGS = settings(
    deadline=None, derandomize=True, max_examples=150, suppress_health_check=[HealthCheck.filter_too_much]
)
decimals = st.integers(0, 5)


def printed(value: float, places: int) -> str:
    """A number as an article prints it, rounded half up or half to even, whichever Python's formatting does."""
    return f"{value:.{places}f}"


@st.composite
def analyses(draw: st.DrawFn) -> am.PooledEffect:
    """A random-effects analysis of correlations, of mean differences, or of odds ratios, by a z test or a t test."""
    k = draw(st.integers(2, 10))
    method = draw(st.sampled_from(["DL", "REML", "PM", "EE"]))
    test = draw(st.sampled_from(["z", "t", "knapp-hartung"]))
    kind = draw(st.sampled_from(["ZCOR", "COR", "SMD", "OR"]))

    def several(of: st.SearchStrategy[int]) -> np.ndarray:
        return np.array(draw(st.lists(of, min_size=k, max_size=k)), dtype=float)

    if kind in ("ZCOR", "COR"):
        n = several(st.integers(5, 300))
        effects = am.effect_sizes(measure=kind, r=several(st.integers(-90, 90)) / 100.0, n=n)
    elif kind == "SMD":
        n1, n2 = several(st.integers(3, 100)), several(st.integers(3, 100))
        means = several(st.integers(-200, 300)) / 100.0
        ones = np.ones(k)
        effects = am.effect_sizes(measure="SMD", mean1=means, mean2=0.0 * ones, sd1=ones, sd2=ones, n1=n1, n2=n2)
    else:
        n1, n2 = several(st.integers(10, 100)), several(st.integers(10, 100))
        events1, events2 = (several(st.integers(2, 8)) for _ in range(2))
        effects = am.effect_sizes(measure="OR", events1=events1, events2=events2, n1=n1, n2=n2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return am.pool(effects, tau2_method=method, test=test)


METRICS = {"ZCOR": "r", "COR": "r", "SMD": "g", "OR": "OR"}


def numbers(fit: am.PooledEffect, level: float = 0.95) -> dict[str, float]:
    """What such an analysis has to print, unrounded."""
    shown, analysed = fit.quantities(display=True), fit.quantities()
    code = fit.effects.measure.code
    interval = fit.confidence_interval(level)
    low, high = (float(fit.effects.measure.to_display(end)) for end in (interval.low, interval.high))
    found = {"estimate": shown["estimate"], "ci_low": low, "ci_high": high, "level": level}
    found |= {
        name: analysed[name] for name in ("std_error", "tau2", "p_value", "k", "q_statistic", "q_df", "q_p_value")
    }
    found |= {"i2": analysed["i2_q"], "h2": analysed["h2_q"]}
    if math.isinf(analysed["df"]):
        found["z"] = analysed["statistic"]
    else:
        found |= {"t": analysed["statistic"], "df": analysed["df"]}
    if not math.isnan(shown["pi_low"]):
        found |= {name: shown[name] for name in ("pi_low", "pi_high")}
    if code == "ZCOR":  # pooled as they are, high correlations are more precise than N of them as Fisher's z can be
        found["n"] = analysed["n"]
    if code in ("ZCOR", "COR"):
        found |= {"d": float(conversions.r_to_d(shown["estimate"])), "variance_share": shown["estimate"] ** 2}
    return {name: value for name, value in found.items() if math.isfinite(value)}


COUNTS = {"k", "n", "q_df", "df"}


@SETTINGS
@given(fit=analyses(), data=st.data())
def test_true_analyses_are_never_called_inconsistent(fit: am.PooledEffect, data: st.DataObject) -> None:
    level = data.draw(st.sampled_from([0.8, 0.9, 0.95, 0.99]))
    true = numbers(fit, level)
    given_ = {"metric": METRICS[fit.effects.measure.code]}
    for name, value in true.items():
        if name in COUNTS or name == "level":
            given_[name] = f"{value:g}"
        elif name in ("p_value", "q_p_value") and data.draw(st.booleans()):
            bound = next((one for one in (0.0001, 0.001, 0.01, 0.05) if value < one), None)
            given_[name] = "ns" if bound is None else f"< {bound}"
        else:
            given_[name] = printed(value, data.draw(decimals))
    found = check(given_)
    assert found.ok, f"{given_}\n{true}\n{found}"
    assert len(found.checks) > 10


@SETTINGS
@given(fit=analyses(), data=st.data())
def test_true_analyses_without_a_metric_are_never_called_inconsistent(
    fit: am.PooledEffect, data: st.DataObject
) -> None:
    names = ("estimate", "ci_low", "ci_high", "z", "t", "df", "p_value", "std_error", "k", "q_statistic", "i2")
    true = {name: value for name, value in numbers(fit).items() if name in names}
    given_ = {
        name: f"{value:g}" if name in COUNTS else printed(value, data.draw(st.integers(2, 5)))
        for name, value in true.items()
        if name not in ("df",) or "t" in true
    }
    assume(
        not any(abs(true[name]) > 0.97 for name in ("estimate", "ci_low", "ci_high"))
        or METRICS[fit.effects.measure.code] != "r"
    )
    assert check(given_).ok, f"{given_}\n{check(given_)}"


CHANGED = (
    "r_and_d",
    "variance_share",
    "interval_symmetric",
    "interval_and_std_error",
    "interval_and_z",
    "interval_and_t",
    "interval_and_p",
    "z_and_p",
    "t_and_p",
    "std_error_and_z",
    "std_error_and_p",
    "q_and_p",
    "i2_and_q",
)
"""Identities with one target, whose readings do not depend on it: a target beyond all readings must be found."""
LARGEST = {"estimate": 1.0, "i2": 100.0, "p_value": 1.0, "q_p_value": 1.0, "variance_share": 1.0}


@SETTINGS
@given(fit=analyses(), identity=st.sampled_from(CHANGED), beyond=st.floats(0.0003, 0.3))
def test_a_number_changed_by_more_than_rounding_permits_is_found(
    fit: am.PooledEffect, identity: str, beyond: float
) -> None:
    given_: dict[str, object] = {"metric": METRICS[fit.effects.measure.code]}
    given_ |= {name: f"{value:g}" if name in COUNTS else printed(value, 4) for name, value in numbers(fit).items()}
    known = read_printed(given_)
    one = next(one for one in IDENTITIES if one.name == identity)
    assume(not one.lacks(known))
    readings = tuple(one.read(known))
    assume(readings)
    name = one.target[0]
    # More than half a unit of four decimals beyond what any reading allows, so that no rounding brings it back.
    changed = max(reading.allowed.high for reading in readings) + beyond
    assume(changed < LARGEST.get(name, 1e9))
    assume(name != "i2" or changed > 1.5)  # below, it may be a proportion
    found = check({**given_, name: printed(changed, 4)})
    assert identity in {wrong.identity for wrong in found.inconsistent}, str(found)


@SETTINGS
@given(value=st.decimals(-1000, 1000, allow_nan=False, places=6), places=st.integers(0, 5))
def test_a_rounded_number_holds_what_was_rounded(value: Decimal, places: int) -> None:
    for text in (f"{value:.{places}f}", str(value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP))):
        held = read_number(text)
        assert not isinstance(held, str)
        assert held.range.low - 1e-12 <= float(value) <= held.range.high + 1e-12
        assert held.range.high - held.range.low == pytest.approx(10.0**-places)
    cut = str(abs(value).quantize(Decimal(1).scaleb(-places), rounding="ROUND_DOWN"))
    held = read_number(cut)
    assert not isinstance(held, str)
    assert held.cut.low - 1e-12 <= abs(float(value)) <= held.cut.high + 1e-12


@SETTINGS
@given(
    middle=st.floats(-2.0, 2.0),
    half=st.floats(0.01, 1.0),
    places=st.integers(1, 3),
    known=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_the_statistic_of_an_interval_is_that_of_a_fine_search(
    middle: float, half: float, places: int, known: bool, seed: int
) -> None:
    def around(value: float) -> Range:
        held = read_number(printed(value, places))
        assert not isinstance(held, str)
        return held.range

    low, high, estimate = around(middle - half), around(middle + half), around(middle)
    if not known:
        estimate = Range(-math.inf, math.inf)
    assume(high.low > low.high)
    found = statistic(low, high, estimate)
    assert found is not None
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(low.low, low.high, 4000), rng.uniform(high.low, high.high, 4000)
    inside = (estimate.low <= (a + b) / 2.0) & ((a + b) / 2.0 <= estimate.high)
    sizes = np.abs(a + b)[inside] / (b - a)[inside]
    assert (sizes >= found.low * (1.0 - 1e-9) - 1e-12).all()
    assert (sizes <= found.high * (1.0 + 1e-9)).all()
    if sizes.size > 2000:  # the strip is most of the rectangle, so that random points come near its corners
        assert sizes.max() >= found.low + 0.8 * (found.high - found.low)


@SETTINGS
@given(q=st.floats(0.01, 500.0), k=st.integers(2, 200), places=st.integers(1, 3))
def test_q_gives_the_p_of_the_chi_square_distribution(q: float, k: int, places: int) -> None:
    p = float(special.chdtrc(k - 1, q))
    found = check(q_statistic=printed(q, places), k=k, q_p_value=printed(p, 3)).of("q_and_p")
    assert found.verdict == "consistent"
    assert found.allowed_low <= p * (1.0 + 1e-12)
    assert p <= found.allowed_high * (1.0 + 1e-12)


SPECIAL = ["0", "-0.0", "1", ".999", "1e99", "1e-300", "< .001", "> 14000", "< 0", "> 1", "50%", "ns", "-1"]
texts = st.one_of(st.decimals(-5, 5, allow_nan=False, places=2).map(str), st.sampled_from(SPECIAL))
counts = st.sampled_from([-1, 0, 1, 2, 3, 5, 50, 10**9]).map(str)
quantity = st.sampled_from(tuple(QUANTITIES))
pairs = quantity.flatmap(lambda name: st.tuples(st.just(name), counts if QUANTITIES[name].whole else texts))


@settings(SETTINGS, max_examples=200)
@given(
    given_=st.lists(pairs, min_size=1, max_size=12).map(dict),
    metric=st.sampled_from(["", *METRICS_KNOWN]),
)
def test_any_numbers_are_checked_or_refused_in_words(given_: dict[str, str], metric: str) -> None:
    try:
        found = check(given_, metric=metric)
    except InputError:
        return
    assert {one.identity for one in found.checks}.isdisjoint(found.not_checkable)
    for one in found.checks:
        assert not any(map(math.isnan, (one.printed_low, one.printed_high, one.allowed_low, one.allowed_high)))
        assert "nan" not in one.sentence
    assert str(found)
    assert found.to_frame().shape[0] == len(found.checks)
