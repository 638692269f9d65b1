"""What `psychometric()` refuses, and how it says so."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

import alliance_meta as am
from alliance_meta.effects import correct_attenuation
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.psychometrics import psychometric

THREE = pd.DataFrame({"r": [0.1, 0.3, 0.5], "n": [50, 100, 150]}, index=["A", "B", "C"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "artifact-distribution"}, r"unknown method .* Did you mean 'artefact-distribution'\? Known: "),
        ({"method": "Individual"}, r"unknown method 'Individual'\. Did you mean 'individual'\?"),
        ({"restriction": "indirekt"}, r"unknown restriction 'indirekt'\. Did you mean 'indirect'\?"),
        ({"sampling_error": "mean_n"}, r"unknown sampling_error 'mean_n'\. Did you mean 'mean-n'\?"),
        ({"reliability_x_in": "sample"}, r"unknown reliability_x_in 'sample'\. Known: 'restricted' and 'unrestricted'"),
        ({"r": "corr"}, r"unknown column for 'r' 'corr'\."),
        ({"method": "individual", "reliability_x": "alfa"}, r"unknown column for 'reliability_x' 'alfa'\."),
    ],
)
def test_unknown_names_get_the_nearest_one(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UnknownNameError, match=f"^{message}"):
        psychometric(THREE, **options)


@pytest.mark.parametrize("value", [0.0, -0.5, 1.0001, 80, math.nan, math.inf, True])
@pytest.mark.parametrize("role", ["reliability_x", "reliability_y"])
def test_one_number_that_is_no_reliability_is_refused(role: str, value: float) -> None:
    given: dict[str, Any] = {role: value}
    with pytest.raises(
        InputError, match=f"^{role} must lie above 0 and not above 1, as a reliability does; got {value}"
    ):
        psychometric(THREE, method="individual", **given)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_one_number_that_is_no_u_is_refused(value: float) -> None:
    with pytest.raises(InputError, match=r"^u must exceed 0, as a ratio of standard deviations does; got "):
        psychometric(THREE, method="individual", u=value, restriction="direct")


@pytest.mark.parametrize("method", ["individual", "artefact-distribution"])
def test_cells_that_are_no_artefacts_name_their_rows(method: str) -> None:
    frame = THREE.assign(alpha=[0.8, 80, -0.1], ratio=[0.0, 0.5, -2.0])
    with pytest.raises(
        InputError, match=r"^column 'alpha' must lie above 0 and not above 1, .* rows B \(80\.0\), C "
    ) as info:
        psychometric(frame, method=method, reliability_x="alpha")
    assert (info.value.column, info.value.rows) == ("alpha", ("B", "C"))
    with pytest.raises(InputError, match=r"^column 'ratio' must exceed 0, .* rows A \(0\.0\), C \(-2\.0\)") as info:
        psychometric(frame, method=method, u="ratio", restriction="direct")
    assert info.value.rows == ("A", "C")


def test_missing_artefacts_are_refused_with_both_remedies_or_used_as_available() -> None:
    frame = THREE.assign(alpha=[0.8, math.nan, math.nan])
    message = (
        r"^column 'alpha' has empty cells: rows B \(empty\), C \(empty\)\. Fill them in, give one number for all rows, "
        r"or choose method='artefact-distribution'\.$"
    )
    with pytest.raises(InputError, match=message) as info:
        psychometric(frame, method="individual", reliability_x="alpha")
    assert info.value.rows == ("B", "C")
    fit = psychometric(frame, method="artefact-distribution", reliability_x="alpha")
    assert fit.mean_rho == pytest.approx(110 / 300 / math.sqrt(0.8), rel=1e-13)
    with pytest.raises(InputError, match=r"^column 'alpha' holds no value at all; leave reliability_x out or give a"):
        psychometric(frame.assign(alpha=math.nan), method="artefact-distribution", reliability_x="alpha")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reliability_x": 0.8}, r"method='bare-bones' would ignore 'reliability_x'; choose method='individual' or"),
        (
            {"method": "individual"},
            r"method='individual' has nothing to correct for: give reliability_x, reliability_y",
        ),
        (
            {"method": "individual", "u": 0.8},
            r"u is given without a kind of range restriction: add restriction='direct'",
        ),
        ({"method": "individual", "reliability_x": 0.8, "restriction": "direct"}, r"restriction='direct' needs u, "),
        (
            {"method": "individual", "u": 0.8, "restriction": "indirect"},
            r"restriction='indirect' needs reliability_x, to tell the restriction of true scores from u",
        ),
        (
            {"method": "individual", "u": 0.8, "reliability_x": 0.8, "restriction": "direct"},
            r"with range restriction the reliability of x differs .* reliability_x_in='restricted'",
        ),
    ],
)
def test_half_a_question_is_refused_with_the_other_half(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        psychometric(THREE, **options)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (
            THREE.assign(r=[0.1, 1.1, -2]),
            r"column 'r' holds correlations beyond -1 or 1, which cannot be: rows B \(1\.1\)",
        ),
        (
            THREE.assign(n=[50, 1, 0]),
            r"column 'n' must exceed 1 for the sampling error of a correlation: rows B \(1\), C",
        ),
        (THREE.assign(r=[0.1, math.nan, 0.2]), r"column 'r' has empty cells: row B \(empty\)"),
        (THREE.drop(columns="n"), r"psychometric\(\) needs 'n'; this table has columns 'r'\. Name the columns to use"),
        (THREE.iloc[:0], r"the table of studies has no rows"),
    ],
)
def test_impossible_correlations_and_sizes_name_their_rows(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        psychometric(frame)


def test_artefacts_that_contradict_each_other_name_their_rows() -> None:
    # Errors of measurement alone are 1 - .8 = .2 of the population's variance; u^2 = .16 and .25.
    with pytest.raises(InputError, match=r"^column 'u' is too small for the reliability of x: .* row A \(0\.4\)"):
        psychometric(
            THREE,
            method="individual",
            u=[0.4, 0.5, 0.9],
            reliability_x=0.8,
            restriction="indirect",
            reliability_x_in="unrestricted",
        )
    # 1 - 4 x (1 - .7) < 0
    with pytest.raises(
        InputError, match=r"^column 'reliability_x' would be 0 or less in the population, given u: rows A"
    ):
        psychometric(
            THREE,
            method="artefact-distribution",
            u=2.0,
            reliability_x=0.7,
            restriction="direct",
            reliability_x_in="restricted",
        )
    # ryy = .1: .5 / sqrt(.1) = 1.58, and 4 + (1 - 4) x 1.58^2 < 0
    with pytest.raises(InputError, match=r"^column 'r' cannot be with these artefacts: row C \(0\.5\)\. Check the "):
        psychometric(THREE, method="individual", u=2.0, reliability_y=0.1, restriction="direct")
    with pytest.raises(InputError, match=r"^the mean correlation cannot be with the mean artefacts; check the "):
        psychometric(THREE, method="artefact-distribution", u=2.0, reliability_y=0.05, restriction="direct")


def test_effects_that_are_no_correlations_or_are_corrected_already_are_refused() -> None:
    with pytest.raises(InputError, match=r"^psychometric\(\) takes correlations, .* these effects are 'GEN'$"):
        psychometric(am.effect_sizes(measure="GEN", effect=[0.1], variance=[0.1]), n=[50])
    corrected = correct_attenuation(am.effect_sizes(THREE, measure="COR"), reliability_x=0.8)
    with pytest.raises(
        InputError, match=r"^these effects are corrected for attenuation already; give psychometric\(\)"
    ):
        psychometric(corrected)
