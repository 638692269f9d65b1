"""`psychometric()`: worked by hand, held against metafor, its edges, and what it shows."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliance_meta as am
from alliance_meta.errors import InputError
from alliance_meta.psychometrics import psychometric
from alliance_meta.results import PSYCHOMETRIC_QUANTITIES, PsychometricResult
from alliance_meta.stats import attenuation
from alliance_meta.stats import psychometric as kernels

THREE = pd.DataFrame({"r": [0.1, 0.3, 0.5], "n": [50, 100, 150]}, index=["A", "B", "C"])
TWO = pd.DataFrame({"r": [0.24, 0.48], "n": [100, 200], "rel": [0.64, 0.36]})
Z95, Z80 = 1.959964, 1.281552  # normal tables


# Bare bones, by hand


def test_bare_bones_by_hand() -> None:
    fit = psychometric(THREE)
    # mean = (50 x .1 + 100 x .3 + 150 x .5) / 300 = 110 / 300
    assert fit.mean_r == fit.mean_rho == pytest.approx(110 / 300, rel=1e-14)
    # deviations -.8/3, -.2/3, .4/3: variance (50 x .64 + 100 x .04 + 150 x .16) / 9 / 300 = 60 / 2700
    assert fit.variance_observed == pytest.approx(60 / 2700, rel=1e-13)
    # mean n = 100: (1 - (11/30)^2)^2 / 99 = (779/900)^2 / 99
    sampling = (779 / 900) ** 2 / 99
    assert fit.variance_sampling == pytest.approx(sampling, rel=1e-14)
    assert fit.variance_artefact == 0.0
    assert fit.variance_residual == pytest.approx(60 / 2700 - sampling, rel=1e-12)
    assert fit.percent_accounted == pytest.approx(100 * sampling * 45, rel=1e-12)  # 60 / 2700 = 1 / 45
    assert fit.percent_accounted == pytest.approx(34.05, abs=0.01)
    assert fit.sd_r == pytest.approx(math.sqrt(1 / 45), rel=1e-13)
    assert fit.sd_rho == pytest.approx(math.sqrt(1 / 45 - sampling), rel=1e-12)
    assert fit.std_error == pytest.approx(math.sqrt(1 / 45 / 3), rel=1e-13)  # SD over sqrt(k)
    assert (fit.k, fit.n, fit.notes, fit.caveat) == (3, 300.0, (), "")


def test_each_studys_own_n_in_the_sampling_error_by_hand() -> None:
    # Weighted by n: (779/900)^2 (50/49 + 100/99 + 150/149) / 300
    expected = (779 / 900) ** 2 * (50 / 49 + 100 / 99 + 150 / 149) / 300
    fit = psychometric(THREE, sampling_error="study-n")
    assert fit.variance_sampling == pytest.approx(expected, rel=1e-14)
    assert fit.settings.sampling_error == "study-n"


def test_the_intervals_are_normal_and_use_their_own_spread() -> None:
    fit = psychometric(THREE)
    low, high = fit.confidence_interval()
    assert (low, high) == pytest.approx((fit.mean_rho - Z95 * fit.std_error, fit.mean_rho + Z95 * fit.std_error), 1e-6)
    low, high = fit.credibility_interval()
    assert (low, high) == pytest.approx((fit.mean_rho - Z80 * fit.sd_rho, fit.mean_rho + Z80 * fit.sd_rho), 1e-6)
    wide = fit.credibility_interval(0.95)
    assert (wide.kind, wide.level, wide.note) == ("credibility", 0.95, "")
    assert wide.high - wide.low == pytest.approx(2 * Z95 * fit.sd_rho, rel=1e-6)
    assert fit.confidence_interval(0.80).high < fit.confidence_interval().high


# metafor 3.8.1 (R 4.2.2):
#   d <- escalc(measure="COR", ri=c(.20,.35,.10,.45), ni=c(50,120,80,200), vtype="AV")
FOUR = pd.DataFrame({"r": [0.20, 0.35, 0.10, 0.45], "n": [50, 120, 80, 200]})


def test_mean_and_sampling_error_are_metafors() -> None:
    fit = psychometric(FOUR)
    # coef(rma(yi, vi, data=d, method="HS", weights=ni))
    assert fit.mean_r == pytest.approx(0.33333333333333326, rel=1e-14)
    # length(d$vi) / sum(1 / d$vi): the mean n - 1 is behind the harmonic mean of these variances
    assert fit.variance_sampling == pytest.approx(0.007086309029507834, rel=1e-13)
    own = psychometric(FOUR, sampling_error="study-n")
    assert own.variance_sampling == pytest.approx(0.007104956713237571, rel=1e-13)  # weighted.mean(d$vi, ni)


def test_the_residual_variance_is_metafors_tau2_where_the_weights_are() -> None:
    # metafor's method "HS" weights by n - 1 where Hunter and Schmidt weight by n: the same when all n are equal.
    # d <- escalc(measure="COR", ri=c(.20,.35,.10,.45), ni=rep(101, 4), vtype="AV")
    # rma(yi, vi, data=d, method="HS", weights=rep(101, 4)): b, tau2, and vt, the variance of one study
    fit = psychometric(FOUR.assign(n=101))
    assert fit.mean_r == pytest.approx(0.275, rel=1e-14)
    assert fit.variance_residual == pytest.approx(0.009580308593749996, rel=1e-12)
    assert fit.variance_sampling == pytest.approx(0.008544691406250001, rel=1e-13)


# Individual corrections, by hand


def test_individual_corrections_by_hand() -> None:
    fit = psychometric(TWO, method="individual", reliability_x="rel")
    # A = .8 and .6: corrected .3 and .8; weights 100 x .64 = 64 and 200 x .36 = 72
    assert fit.mean_rho == pytest.approx((64 * 0.3 + 72 * 0.8) / 136, rel=1e-14)
    # two values half a unit apart: 64 x 72 / 136^2 x .25
    observed = 64 * 72 / 136**2 * 0.25
    assert fit.variance_observed == pytest.approx(observed, rel=1e-13)
    # mean r = (24 + 96) / 300 = .4; (1 - .16)^2 / 149 each, over A^2; weighted, the A^2 cancel: x 300 / 136
    sampling = 0.84**2 / 149 * 300 / 136
    assert fit.variance_sampling == pytest.approx(sampling, rel=1e-13)
    assert fit.sd_rho == pytest.approx(math.sqrt(observed - sampling), rel=1e-12)
    assert fit.std_error == pytest.approx(math.sqrt(observed / 2), rel=1e-13)
    assert fit.mean_r == pytest.approx(0.4, rel=1e-14)
    assert fit.sd_r == pytest.approx(math.sqrt(100 * 200 / 300**2) * 0.24, rel=1e-13)  # .24 and .48 apart
    assert fit.variance_artefact == 0.0


def test_the_table_shows_what_was_done_to_each_correlation() -> None:
    fit = psychometric(TWO, method="individual", reliability_x="rel", study=["one", "two"])
    table = fit.table
    assert list(table) == [
        "study",
        "r",
        "n",
        "reliability_x",
        "attenuation",
        "r_corrected",
        "variance_corrected",
        "weight",
    ]
    assert table["study"].tolist() == ["one", "two"]
    assert table["r_corrected"].tolist() == pytest.approx([0.3, 0.8])  # .24 / .8, .48 / .6
    assert table["weight"].tolist() == pytest.approx([64.0, 72.0])
    # (1 - .4^2)^2 / 99 / .64 and / 199 / .36: each with its own n
    assert table["variance_corrected"].tolist() == pytest.approx([0.7056 / 99 / 0.64, 0.7056 / 199 / 0.36])
    table["r"] = 0.0
    assert fit.table["r"].tolist() == [0.24, 0.48]


def test_with_direct_restriction_in_each_study_by_hand() -> None:
    # As in the single correction: r .24, rxx .81, ryy .64, u .5 gives .6 / sqrt(1.27) / .9, twice.
    frame = pd.DataFrame({"r": [0.24, 0.24], "n": [60, 140]})
    fit = psychometric(
        frame,
        method="individual",
        reliability_x=0.81,
        reliability_y=0.64,
        u=0.5,
        restriction="direct",
        reliability_x_in="unrestricted",
    )
    rho = 0.6 / math.sqrt(1.27) / 0.9
    assert fit.mean_rho == pytest.approx(rho, rel=1e-14)
    # sampling: (1 - .24^2)^2 / 99 x (a / A)^2, with A = .24 / rho and a = 1 / 1.27
    assert fit.variance_sampling == pytest.approx((1 - 0.0576) ** 2 / 99 * (rho / 0.24 / 1.27) ** 2, rel=1e-13)


def test_the_samples_reliability_is_taken_to_the_population() -> None:
    # u .8 and .75 in the sample is .84 in the population (worked above).
    given: dict[str, Any] = {"method": "individual", "reliability_y": 0.75, "u": 0.8}
    for restriction in ("direct", "indirect"):
        sample = psychometric(
            THREE, **given, reliability_x=0.75, restriction=restriction, reliability_x_in="restricted"
        )
        population = psychometric(
            THREE, **given, reliability_x=0.84, restriction=restriction, reliability_x_in="unrestricted"
        )
        assert sample.mean_rho == pytest.approx(population.mean_rho, rel=1e-14)
        assert sample.sd_rho == pytest.approx(population.sd_rho, rel=1e-12)
        assert sample.table["reliability_x"].tolist() == pytest.approx([0.84] * 3)


# Artefact distributions, by hand


def test_artefact_distributions_by_hand() -> None:
    frame = pd.DataFrame({"r": [0.1, 0.3, 0.5], "n": [101] * 3, "rel": [0.49, math.nan, 0.81], "crit": [0.64] * 3})
    fit = psychometric(frame, method="artefact-distribution", reliability_x="rel", reliability_y="crit")
    # roots .7 and .9: mean .8, variance .01; of y .8. Compound factor .64, mean r .3
    assert fit.mean_rho == pytest.approx(0.3 / 0.64, rel=1e-13)
    # mean^2 A^2 V = .3^2 x (.01 / .8^2)
    assert fit.variance_artefact == pytest.approx(0.09 * 0.01 / 0.64, rel=1e-12)
    observed, sampling = 0.08 / 3, 0.91**2 / 100
    assert fit.variance_observed == pytest.approx(observed, rel=1e-13)
    residual = observed - sampling - 0.09 * 0.01 / 0.64
    assert fit.variance_residual == pytest.approx(residual, rel=1e-12)
    assert fit.sd_rho == pytest.approx(math.sqrt(residual) / 0.64, rel=1e-12)
    assert fit.std_error == pytest.approx(math.sqrt(observed / 3) / 0.64, rel=1e-12)
    assert fit.percent_accounted == pytest.approx(100 * (sampling + 0.09 * 0.01 / 0.64) / observed, rel=1e-12)
    # mean of .49 and .81, and half their distance
    assert fit.notes[0] == "reliability_x from 2 of 3 rows: mean 0.650, SD 0.160"
    assert fit.notes[1] == "reliability_y from 3 of 3 rows: mean 0.640, SD 0.000"


def test_a_reliability_without_u_is_taken_to_the_population_with_the_mean_u() -> None:
    frame = THREE.assign(rel=[0.75, 0.75, math.nan], u=[0.8, math.nan, 0.8])
    fit = psychometric(
        frame,
        method="artefact-distribution",
        reliability_x="rel",
        u="u",
        restriction="indirect",
        reliability_x_in="restricted",
    )
    assert fit.table["reliability_x"].tolist() == pytest.approx([0.84, 0.84, math.nan], nan_ok=True)  # worked above
    assert fit.notes[0] == "reliability_x from 2 of 3 rows: mean 0.840 in the population, SD 0.000"
    assert fit.variance_artefact == pytest.approx(0.0, abs=1e-30)  # no artefact differs


# The edges


def test_more_than_all_of_the_variance_leaves_no_sd_and_says_so() -> None:
    fit = psychometric(pd.DataFrame({"r": [0.29, 0.31], "n": [50, 50]}))
    # observed .01^2; sampling (1 - .09)^2 / 49 = .0169: 169 times as much
    assert fit.percent_accounted == pytest.approx(100 * 0.91**2 / 49 / 1e-4, rel=1e-9)
    assert fit.variance_residual < 0.0
    assert fit.sd_rho == 0.0
    assert "more than 100% of the variance accounted for), so SD of ρ is 0" in fit.notes[0]
    assert fit.credibility_interval().note.startswith("no variance is left beyond sampling error and artefacts")
    assert tuple(fit.credibility_interval()) == (fit.mean_rho, fit.mean_rho)
    assert fit.notes[0] in " ".join(str(fit).split())


def test_identical_correlations_have_no_variance_to_account_for() -> None:
    fit = psychometric(pd.DataFrame({"r": [0.3] * 7, "n": [50, 60, 70, 80, 90, 31, 33]}))
    assert (fit.mean_rho, fit.variance_observed, fit.sd_rho, fit.std_error) == (0.3, 0.0, 0.0, 0.0)
    assert math.isnan(fit.percent_accounted)
    assert fit.notes == ("The correlations are identical: there is no variance to account for, and SD of ρ is 0.",)
    assert fit.confidence_interval().note == "the correlations are identical, so their standard error is 0"
    assert "nan" not in (str(fit) + repr(fit) + fit.to_apa()).lower()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"method": "individual", "reliability_x": 0.8},
        {"method": "artefact-distribution", "reliability_x": 0.8},
    ],
    ids=["bare-bones", "individual", "artefact-distribution"],
)
def test_one_correlation_is_its_own_mean_and_says_what_cannot_be_computed(options: dict[str, Any]) -> None:
    fit = psychometric(THREE.iloc[:1], **options)
    assert fit.mean_rho == pytest.approx(0.1 / math.sqrt(0.8) if options else 0.1)
    known = {"k", "n", "mean_r", "mean_rho", "variance_sampling"}
    assert {name for name, value in fit.quantities().items() if not math.isnan(value)} == known
    assert fit.notes[0] == "One correlation: differences between studies and intervals cannot be computed."
    assert fit.confidence_interval().note == "one correlation has no standard deviation to take a standard error from"
    assert fit.credibility_interval().note == "one correlation says nothing about differences between studies"
    assert fit.to_apa().endswith("differences between studies cannot be estimated from one.")
    assert "nan" not in (str(fit) + repr(fit) + fit.to_apa()).lower()


def test_correlations_beyond_one_are_kept_and_named() -> None:
    frame = pd.DataFrame({"r": [0.9, 0.3, 0.2], "n": [30, 90, 90]}, index=["high", "b", "c"])
    fit = psychometric(frame, method="individual", reliability_x=0.64)
    assert fit.k == 3
    assert fit.table["r_corrected"].tolist() == pytest.approx([1.125, 0.375, 0.25])  # over .8
    assert "1 of 3 corrected correlations lie beyond -1 or 1 (row high): they are kept" in fit.notes[0]


def test_a_mean_beyond_one_is_shown_and_noted() -> None:
    fit = psychometric(THREE, method="artefact-distribution", reliability_x=0.1)
    assert fit.mean_rho > 1.0  # .367 / sqrt(.1)
    assert any(
        note.startswith("The corrected mean lies beyond -1 or 1: the reliabilities or u are") for note in fit.notes
    )


def test_a_sample_that_varies_more_than_the_population_is_noted() -> None:
    fit = psychometric(THREE, method="individual", u=[1.2, 0.8, 1.1], restriction="direct")
    assert fit.notes[0].startswith("u exceeds 1 in 2 of 3 rows: there x varies more in the sample")


def test_dependent_correlations_are_noted() -> None:
    fit = psychometric(THREE, study=["one", "one", "two"])
    assert fit.notes == ("The 3 correlations come from 2 studies, but are treated as independent.",)


# Ways in, ways out


def test_columns_arrays_data_sets_and_effects_give_the_same() -> None:
    studies = am.datasets.load("kolden2011")
    named = studies.frame[[studies.roles["r"], studies.roles["n"]]].set_axis(["corr", "size"], axis=1)
    ways = [
        psychometric(studies),
        psychometric(named, r="corr", n="size"),
        psychometric(r=named["corr"].to_numpy(), n=named["size"].tolist()),
        psychometric(am.effect_sizes(studies, measure="COR"), n=studies.roles["n"]),
        psychometric(am.effect_sizes(studies, measure="ZCOR"), n=studies.roles["n"]),
    ]
    for fit in ways:
        assert fit.quantities() == pytest.approx(ways[0].quantities(), rel=1e-12)
    assert ways[0].k == 16  # the rows of kolden2011


def test_an_artefact_is_a_column_an_array_or_a_number() -> None:
    frame = THREE.assign(alpha=0.8)
    ways: list[Any] = ["alpha", [0.8] * 3, np.full(3, 0.8), frame["alpha"], 0.8, np.float64(0.8)]
    fits = [psychometric(frame, method="individual", reliability_y=way) for way in ways]
    assert {fit.mean_rho for fit in fits} == {fits[0].mean_rho}
    assert fits[0].settings.corrected_for == ("reliability_y",)


def test_the_caveat_of_the_data_goes_along() -> None:
    studies = dataclasses.replace(am.studies.read_studies(THREE), caveat="These data are simulated.")
    for data in (studies, am.effect_sizes(studies, measure="COR")):
        fit = psychometric(data)
        assert fit.caveat == "These data are simulated."
        for view in (repr(fit), str(fit), fit._repr_html_(), fit.to_markdown(), fit.to_apa()):
            assert "These data are simulated." in view


def test_the_result_is_frozen_and_its_quantities_are_the_vocabulary() -> None:
    fit = psychometric(THREE)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'k'"):
        fit.k = 4  # type: ignore[misc]
    assert list(fit.quantities()) == list(PSYCHOMETRIC_QUANTITIES)
    frame = fit.to_frame(0.90, credibility_level=0.5)
    assert list(frame) == ["term", "method", *PSYCHOMETRIC_QUANTITIES]
    assert (len(frame), frame["method"].item()) == (1, "bare-bones")
    assert frame["cr_high"].item() == fit.credibility_interval(0.5).high
    assert frame["ci_low"].item() == fit.confidence_interval(0.9).low


@pytest.fixture(scope="module")
def full() -> PsychometricResult:
    frame = pd.DataFrame({"r": [0.05, 0.25, 0.50], "n": [60, 150, 90], "alpha": [0.70, 0.80, 0.90]})
    return psychometric(
        frame,
        method="artefact-distribution",
        reliability_x="alpha",
        reliability_y=0.8,
        u=0.75,
        restriction="direct",
        reliability_x_in="unrestricted",
    )


def test_every_view_says_what_was_corrected_for(full: PsychometricResult) -> None:
    for view in (str(full), full._repr_html_(), full.to_markdown()):
        assert "Corrected for unreliability of x and y and direct range restriction of x (Case II)" in view
        assert "differences in artefacts" in view
        assert "80% credibility interval [" in view
    assert max(map(len, str(full).splitlines())) <= 100  # the width of every summary


def test_the_sentence(full: PsychometricResult) -> None:
    assert psychometric(THREE).to_apa() == (
        "A psychometric meta-analysis (bare-bones) of k = 3 correlations (N = 300) gave a mean r = .37, 95% CI "
        "[.20, .54], SDρ = .12, 80% credibility interval [.21, .52]. Sampling error accounts for 34% of the variance "
        "of the correlations."
    )  # the numbers worked above: .3667 +- 1.96 x .0861 and +- 1.28 x .1211
    assert "a mean corrected ρ = ." in full.to_apa()
    assert "Sampling error and artefacts account for" in full.to_apa()


@pytest.mark.parametrize("level", [0.0, 1.0, 95])
def test_a_level_that_is_none_is_refused(level: float) -> None:
    fit = psychometric(THREE)
    for ask in (fit.confidence_interval, fit.credibility_interval):
        with pytest.raises(InputError, match=r"^level must lie between 0 and 1"):
            ask(level)


# Kernels


def test_a_fit_without_correlations_is_nan_and_warns_of_nothing() -> None:
    found = kernels.bare_bones([[0.1, 0.2], [0.1, 0.2]], [50, 60], [[1, 1], [0, 0]])
    assert np.isfinite(found.mean[0])
    assert all(np.isnan(values[1]) for name, values in found._asdict().items() if name != "k")


def test_what_stands_in_left_out_rows_cannot_leak_in() -> None:
    found = kernels.bare_bones([0.1, math.nan, 0.5], [50, math.nan, 150], [1, 0, 1], each_n=True)
    alone = kernels.bare_bones([0.1, 0.5], [50, 150], each_n=True)
    assert list(map(float, found)) == pytest.approx(list(map(float, alone)), rel=1e-14)
    correction = attenuation.corrected([0.1, math.nan, 0.5], reliability_x=[0.8, math.nan, 0.5])
    found = kernels.individual_corrections([0.1, math.nan, 0.5], [50, math.nan, 150], correction, [1, 0, 1])
    correction = attenuation.corrected([0.1, 0.5], reliability_x=[0.8, 0.5])
    alone = kernels.individual_corrections([0.1, 0.5], [50, 150], correction)
    assert list(map(float, found)) == pytest.approx(list(map(float, alone)), rel=1e-14)
    moments = kernels.artefact_moments([0.8, 5.0, math.nan, 0.6], [1, 0, 1, 1])
    assert list(map(float, moments)) == pytest.approx([0.7, 0.01, 2.0], rel=1e-12)  # .8 and .6
    assert np.isnan(kernels.artefact_moments([math.nan]).mean)
