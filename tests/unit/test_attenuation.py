"""Unreliability and range restriction of single correlations, and `correct_attenuation()`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliance_meta as am
from alliance_meta.effects import correct_attenuation
from alliance_meta.errors import InputError
from alliance_meta.stats import attenuation

THREE = pd.DataFrame({"r": [0.1, 0.3, 0.5], "n": [50, 100, 150]}, index=["A", "B", "C"])


# Corrections of single correlations, by hand


def test_unreliability_by_hand() -> None:
    found = attenuation.corrected(0.24, reliability_x=0.64, reliability_y=0.25)
    # A = sqrt(.64 x .25) = .4; .24 / .4
    assert (found.value, found.factor, found.slope) == pytest.approx((0.6, 0.4, 2.5), rel=1e-14)


def test_direct_range_restriction_by_hand() -> None:
    # .24 / sqrt(.64) = .3; U = 1 / .5 = 2: 2 x .3 / sqrt(1 + 3 x .09) = .6 / sqrt(1.27); over sqrt(.81)
    found = attenuation.corrected(0.24, reliability_x=0.81, reliability_y=0.64, u=0.5, restriction="direct")
    assert found.value == pytest.approx(0.6 / math.sqrt(1.27) / 0.9, rel=1e-14)
    assert found.factor == pytest.approx(0.24 * 0.9 * math.sqrt(1.27) / 0.6, rel=1e-14)
    # a = 1 / (1 + 3 x .09): the correction steepens less at higher correlations
    assert found.slope == pytest.approx(1 / 1.27 / found.factor, rel=1e-14)


def test_indirect_range_restriction_by_hand() -> None:
    # In the sample: 1 - (1 - .84) / .64 = .75. True scores: u^2 = (.64 - .16) / .84 = 4/7.
    assert attenuation.restricted_reliability(0.84, 0.8) == pytest.approx(0.75, rel=1e-14)
    assert attenuation.true_score_u(0.8, 0.84) == pytest.approx(math.sqrt(4 / 7), rel=1e-14)
    # .3 / sqrt(.75 x .75) = .4; .4 / sqrt(4/7 + 3/7 x .16) = .4 / sqrt(.64)
    found = attenuation.corrected(0.3, reliability_x=0.84, reliability_y=0.75, u=0.8, restriction="indirect")
    assert found.value == pytest.approx(0.5, rel=1e-14)
    # slope: a / A with A = .3 / .5 and a = (4/7) / .64
    assert found.slope == pytest.approx(4 / 7 / 0.64 / 0.6, rel=1e-14)


def test_the_two_reliabilities_are_each_others_inverse_by_hand() -> None:
    # 1 - .64 x (1 - .75) = .84
    assert attenuation.unrestricted_reliability(0.75, 0.8) == pytest.approx(0.84, rel=1e-14)


# correct_attenuation()


RELIABLE = THREE.assign(rel=[0.64, 0.81, 1.0])
FACTOR = np.array([0.56, 0.63, 0.7])  # .8, .9 and 1, times the root of .49


def test_correcting_correlations_by_hand() -> None:
    effects = am.effect_sizes(RELIABLE, measure="COR")
    found = correct_attenuation(effects, reliability_x="rel", reliability_y=0.49)
    assert found.effect == pytest.approx(np.array([0.1, 0.3, 0.5]) / FACTOR, rel=1e-14)
    assert found.variance == pytest.approx(effects.variance / FACTOR**2, rel=1e-14)
    assert found.table["attenuation"].tolist() == pytest.approx(FACTOR.tolist(), rel=1e-14)
    assert found.table["effect"].tolist() == found.effect.tolist()
    assert found.table["variance"].tolist() == found.variance.tolist()
    assert found.table["route"].tolist() == ["r, n / attenuation corrected"] * 3
    assert found.table.index.tolist() == ["A", "B", "C"]
    assert (found.measure, found.n, found.k) == (effects.measure, 300.0, 3)
    # (.56 + .63 + .7) / 3
    note = (
        "Corrected for unreliability of x and y: r is divided by 0.630 on average; the reliabilities are taken as "
        "known."
    )
    assert found.notes == (note,)
    assert note in " ".join(str(am.pool(found)).split())
    assert not found.effect.flags.writeable
    assert not found.variance.flags.writeable
    assert effects.effect.tolist() == [0.1, 0.3, 0.5]  # the given effects stay


def test_correcting_fishers_z_by_hand() -> None:
    effects = am.effect_sizes(RELIABLE, measure="ZCOR")
    found = correct_attenuation(effects, reliability_x="rel", reliability_y=0.49)
    r = np.array([0.1, 0.3, 0.5])
    assert found.effect == pytest.approx(np.arctanh(r / FACTOR), rel=1e-14)
    # dz'/dz = (1 - r^2) / (A (1 - (r / A)^2)), by the chain rule z -> r -> r / A -> z'
    slope = (1 - r**2) / (FACTOR * (1 - (r / FACTOR) ** 2))
    assert found.variance == pytest.approx(slope**2 / (np.array([50, 100, 150]) - 3), rel=1e-12)
    # and by a small step
    step = 1e-6
    ahead = np.arctanh(np.tanh(effects.effect + step) / FACTOR)
    assert found.variance == pytest.approx(effects.variance * ((ahead - found.effect) / step) ** 2, rel=1e-4)


def test_perfect_reliability_changes_no_effect() -> None:
    for measure in ("COR", "ZCOR"):
        effects = am.effect_sizes(THREE, measure=measure)
        found = correct_attenuation(effects, reliability_x=1.0, reliability_y=[1, 1, 1])
        assert found.effect == pytest.approx(effects.effect, rel=1e-15)
        assert found.variance == pytest.approx(effects.variance, rel=1e-14)


def test_one_reliability_says_which_and_the_other_is_taken_as_perfect() -> None:
    effects = am.effect_sizes(THREE, measure="COR")
    for role, letter in (("reliability_x", "x"), ("reliability_y", "y")):
        found = correct_attenuation(effects, **{role: 0.81})
        assert found.effect == pytest.approx(effects.effect / 0.9, rel=1e-14)
        assert f"unreliability of {letter}: r" in found.notes[0]


def test_a_column_named_attenuation_is_kept() -> None:
    effects = am.effect_sizes(THREE.assign(attenuation=["low", "low", "high"]), measure="COR")
    table = correct_attenuation(effects, reliability_x=0.81).table
    assert table["attenuation"].tolist() == ["low", "low", "high"]
    assert table["attenuation_factor"].tolist() == pytest.approx([0.9] * 3)


@pytest.mark.parametrize("measure", ["COR", "ZCOR"])
def test_corrected_correlations_of_one_or_more_name_their_rows(measure: str) -> None:
    effects = am.effect_sizes(THREE.assign(r=[-0.6, 0.3, 0.5]), measure=measure)
    # over the root of .25: -1.2, .6 and 1
    message = r"^column 'effect' would hold correlations of 1 or more .* rows A \(-1\.2\), C \(1\.0\)\. Check their"
    with pytest.raises(InputError, match=message) as info:
        correct_attenuation(effects, reliability_y=0.25)
    assert info.value.rows == ("A", "C")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"correct_attenuation\(\) needs a reliability: give reliability_x, reliability_y or both$"),
        ({"reliability_x": 0}, r"reliability_x must lie above 0 and not above 1, as a reliability does; got 0$"),
        ({"reliability_x": "rell"}, r"unknown column for 'reliability_x' 'rell'\. Did you mean 'rel'\?"),
        ({"reliability_x": [0.8, 0.9]}, r"reliability_x has 2 values, but the table has 3 rows$"),
        (
            {"reliability_y": [0.8, 1.2, 0.9]},
            r"column 'reliability_y' must lie above 0 and not above 1, .* row B \(1\.2\)",
        ),
        (
            {"reliability_y": [0.8, None, 0.9]},
            r"column 'reliability_y' has empty cells: row B \(empty\)\. Fill them in, ",
        ),
        ({"reliability_y": ["a", "b", "c"]}, r"column 'reliability_y' must hold numbers: rows A \('a'\), B \('b'\), C"),
    ],
)
def test_reliabilities_that_are_none_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        correct_attenuation(am.effect_sizes(RELIABLE, measure="COR"), **options)


def test_effects_that_cannot_be_corrected_are_refused() -> None:
    generic = am.effect_sizes(measure="GEN", effect=[0.1], variance=[0.1])
    with pytest.raises(InputError, match=r"^correct_attenuation\(\) corrects correlations, .* these are 'GEN'$"):
        correct_attenuation(generic, reliability_x=0.8)
    once = correct_attenuation(am.effect_sizes(THREE, measure="COR"), reliability_x=0.8)
    with pytest.raises(InputError, match=r"^these effects are corrected for attenuation already; correct the original"):
        correct_attenuation(once, reliability_y=0.8)
    frame: Any = THREE
    with pytest.raises(
        InputError, match=r"^correct_attenuation\(\) takes the result of effect_sizes\(\), not DataFrame: "
    ):
        correct_attenuation(frame, reliability_x=0.8)
