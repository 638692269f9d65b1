"""Several outcomes of a study: against whole matrices, against metafor, and what is refused and said."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy import optimize

import alliance_meta as am
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.multivariate_outcomes import multivariate
from alliance_meta.results._multivariate import STRUCTURES, Multivariate
from alliance_meta.stats.multilevel import _multivariate as kernel
from alliance_meta.stats.multilevel._structures import StructureName, parameters

FloatArray = npt.NDArray[np.float64]

# Rounding, through inverses of 60 rows; differences of 1e-5 to each side leave 1e-9 of a slope.
CLOSE = 1e-10
SLOPES = 1e-7
# What metafor's optimizers leave, as the likelihoods show: none is higher than here by more than 1e-9.
METAFOR = 1e-5
NAMES: tuple[StructureName, ...] = ("UN", "CS", "HCS", "DIAG")

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "multilevel.json").read_text(encoding="utf-8"))
KALAIAN = next(case for case in REFERENCE["cases"] if case["name"] == "kalaian1996_che66")


def _effects(frame: pd.DataFrame) -> am.EffectSizes:
    return am.effect_sizes(frame, measure="GEN", effect="y", variance="v")


# ---------------------------------------------------------------- whole matrices


class Whole:
    """The model with n x n matrices: slow, short, and sharing no code with the library."""

    def __init__(self, seed: int, q: int, *, truth: float = 0.3) -> None:
        rng = np.random.default_rng(seed)
        self.study = np.repeat(np.arange(15), 4)[rng.permutation(60)]
        self.outcome = np.concatenate([np.arange(q), rng.integers(0, q, 60 - q)])
        self.v = rng.uniform(0.02, 0.1, 60)
        self.x = np.column_stack([self.outcome[:, None] == np.arange(q), rng.normal(size=60)]).astype(float)
        same = self.study[:, None] == self.study
        self.sampling = np.where(same, 0.5, 0.0) * np.sqrt(np.outer(self.v, self.v))
        np.fill_diagonal(self.sampling, self.v)
        self.same = same
        self.z = (self.outcome[:, None] == np.arange(q)).astype(float)
        true = rng.normal(size=(15, q)) * truth + rng.normal(size=(15, 1)) * truth
        self.y = true[self.study, self.outcome] + np.linalg.cholesky(self.sampling) @ rng.normal(size=60)
        self.problem = kernel.prepared_multivariate(self.y, self.v, self.x, self.study, self.outcome, 0.5)

    def height(self, between: FloatArray, *, restricted: bool) -> tuple[float, FloatArray, FloatArray]:
        w = np.linalg.inv(self.sampling + np.where(self.same, self.z @ between @ self.z.T, 0.0))
        cross = self.x.T @ w @ self.x
        b = np.linalg.solve(cross, self.x.T @ w @ self.y)
        off = self.y - self.x @ b
        value = -np.linalg.slogdet(w)[1] + off @ w @ off + len(self.y) * np.log(2.0 * np.pi)
        if restricted:
            value += np.linalg.slogdet(cross)[1] - np.linalg.slogdet(self.x.T @ self.x)[1]
            value -= self.x.shape[1] * np.log(2.0 * np.pi)
        return float(-0.5 * value), b, np.linalg.inv(cross)

    def highest(
        self, covariance: Callable[[FloatArray], FloatArray], starts: list[FloatArray], restricted: bool
    ) -> float:
        def fall(theta: FloatArray) -> float:
            return -self.height(covariance(theta), restricted=restricted)[0]

        return -min(float(optimize.minimize(fall, start, tol=1e-12).fun) for start in starts)


def _slow_covariance(structure: str, q: int) -> tuple[Callable[[FloatArray], FloatArray], list[FloatArray]]:
    """Another parameterization, with its own starts."""

    def made(theta: FloatArray) -> FloatArray:
        if structure == "UN":
            lower = np.zeros((q, q))
            lower[np.tril_indices(q)] = theta
            return lower @ lower.T
        sd = np.exp(theta[:q]) if structure != "CS" else np.full(q, np.exp(theta[0]))
        least = -1.0 / (q - 1)
        rho = 0.0 if structure == "DIAG" else least + (1.0 - least) / (1.0 + np.exp(-theta[-1]))
        return np.outer(sd, sd) * np.where(np.eye(q, dtype=bool), 1.0, rho)

    if structure == "UN":
        rows, columns = np.tril_indices(q)
        return made, [np.where(rows == columns, 0.3, share) for share in (0.0, 0.1)]
    size = {"CS": 2, "HCS": q + 1, "DIAG": q}[structure]
    return made, [np.full(size, -1.0), np.append(np.full(size - 1, -1.0), 0.5)]


@pytest.mark.parametrize(("structure", "q", "restricted"), list(product(NAMES, (1, 2, 3, 4), (True, False))))
def test_likelihood_and_its_derivatives(structure: StructureName, q: int, restricted: bool) -> None:
    whole = Whole(1, q)
    own = parameters(structure, whole.problem.variances, whole.problem.unit)
    at = own.starts[-1] * 1.1 + 0.01
    covariance = own.covariance(at)
    found = kernel.multivariate_likelihood(whole.problem, covariance, restricted=restricted)
    value, b, cov = whole.height(covariance.value, restricted=restricted)
    count = 60 - whole.x.shape[1] if restricted else 60
    assert found.value - 0.5 * count * np.log(2.0 * np.pi) == pytest.approx(value, rel=CLOSE)
    inverse = np.linalg.inv(whole.problem.triangle)
    assert inverse @ (found.coefficients + whole.problem.explained) == pytest.approx(b, rel=CLOSE)
    assert inverse @ found.covariance @ inverse.T == pytest.approx(cov, rel=CLOSE, abs=CLOSE)
    steps = 1e-5 * np.eye(at.size)

    def sides(of: Callable[[FloatArray], Any]) -> FloatArray:
        return np.array([(of(at + step) - of(at - step)) / 2e-5 for step in steps])

    slope = sides(lambda theta: whole.height(own.covariance(theta).value, restricted=restricted)[0])
    assert found.first == pytest.approx(slope, rel=SLOPES, abs=SLOPES * np.abs(slope).max())

    def likelihood(theta: FloatArray) -> Any:
        return kernel.multivariate_likelihood(whole.problem, own.covariance(theta), restricted=restricted)

    bend = sides(lambda theta: likelihood(theta).first)
    assert found.second == pytest.approx(bend, rel=SLOPES, abs=SLOPES * np.abs(bend).max())
    moves = sides(lambda theta: likelihood(theta).covariance)
    assert found.covariance_slopes == pytest.approx(moves, rel=SLOPES, abs=SLOPES * np.abs(moves).max())


@pytest.mark.parametrize(("structure", "q"), list(product(NAMES, (2, 3, 4))))
@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize(("seed", "truth"), [(1, 0.3), (2, 0.1)])
def test_fits_are_as_high_as_scipy_climbs(
    structure: StructureName, q: int, restricted: bool, seed: int, truth: float
) -> None:
    whole = Whole(seed, q, truth=truth)
    fit = kernel.multivariate(whole.problem, structure, restricted=restricted)
    assert fit.converged
    value, b, covariance = whole.height(fit.between, restricted=restricted)
    assert fit.log_likelihood == pytest.approx(value, rel=CLOSE)
    assert fit.coefficients == pytest.approx(b, rel=1e-7)
    assert fit.covariance == pytest.approx(covariance, rel=1e-7, abs=CLOSE)
    assert fit.log_likelihood >= whole.highest(*_slow_covariance(structure, q), restricted) - 1e-8
    assert np.linalg.eigvalsh(fit.between)[0] >= -1e-12


def test_structures_hold_what_their_names_say() -> None:
    whole = Whole(2, 3)
    fits = {each: kernel.multivariate(whole.problem, each, restricted=True) for each in NAMES}
    rho = {each: fit.between / np.sqrt(np.outer(*[np.diag(fit.between)] * 2)) for each, fit in fits.items()}
    off = np.triu_indices(3, 1)
    assert np.ptp(np.diag(fits["CS"].between)) == pytest.approx(0.0, abs=1e-12)
    for each in ("CS", "HCS"):
        assert np.ptp(rho[each][off]) == pytest.approx(0.0, abs=1e-9)
    assert (fits["DIAG"].between[off] == 0.0).all()
    heights = [fits[each].log_likelihood for each in ("CS", "HCS", "UN")]
    assert heights == sorted(heights)
    assert fits["UN"].log_likelihood >= fits["DIAG"].log_likelihood


def test_satterthwaite_with_the_information_of_the_covariance_itself() -> None:
    """Degrees of freedom do not depend on the parameters: here those of G, by differences of whole matrices."""
    whole = Whole(3, 2, truth=0.4)
    fit = kernel.multivariate(whole.problem, "UN", restricted=True)
    at = fit.between[[0, 1, 1], [0, 0, 1]]
    size = 1e-4 * np.eye(3)

    def of(theta: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        return whole.height(np.array([[theta[0], theta[1]], [theta[1], theta[2]]]), restricted=True)

    bend = np.array(
        [
            [of(at + i + j)[0] - of(at + i - j)[0] - of(at - i + j)[0] + of(at - i - j)[0] for j in size]
            for i in size
        ]
    ) / (4e-8)  # fmt: skip
    slopes = np.array([(of(at + i)[2] - of(at - i)[2]) / 2e-4 for i in size])
    spread = np.linalg.inv(-bend)
    for j in range(3):
        s = slopes[:, j, j]
        expected = 2.0 * fit.covariance[j, j] ** 2 / (s @ spread @ s)
        found = kernel.multivariate_satterthwaite_df(fit, np.eye(3)[[j]])[0]
        assert found == pytest.approx(expected, rel=1e-4)  # of differences of second order


@pytest.mark.parametrize("error", [1e-4, 1e-8, 1e-12])
def test_sampling_errors_that_are_nothing_leave_the_covariance_of_the_effects(error: float) -> None:
    """With as many effects as true effects, REML is the sample covariance less the sampling error's."""
    rng = np.random.default_rng(6)
    y = rng.normal(size=(40, 2)) @ np.array([[0.3, 0.1], [0.0, 0.2]])
    study, outcome = np.repeat(np.arange(40), 2), np.tile([0, 1], 40)
    ready = kernel.prepared_multivariate(y.ravel(), np.full(80, error), np.eye(2)[outcome], study, outcome, 0.5)
    fit = kernel.multivariate(ready, "UN", restricted=True)
    expected = np.cov(y.T) - error * np.array([[1.0, 0.5], [0.5, 1.0]])
    assert fit.between == pytest.approx(expected, rel=CLOSE)
    assert fit.coefficients == pytest.approx(y.mean(axis=0), rel=CLOSE)


def test_a_hundred_thousand_effects() -> None:
    """A matrix of them would be 75 GiB; measured, 3 s."""
    rng = np.random.default_rng(4)
    n = 50_000
    study, outcome = np.repeat(np.arange(n), 2), np.tile([0, 1], n)
    v = rng.uniform(0.02, 0.1, 2 * n)
    true = rng.normal(size=(n, 2)) @ np.array([[0.3, 0.1], [0.0, 0.2]])
    y = true.ravel() + rng.normal(size=2 * n) * np.sqrt(v)
    began = time.perf_counter()
    ready = kernel.prepared_multivariate(y, v, np.eye(2)[outcome], study, outcome, None)
    fit = kernel.multivariate(ready, "UN", restricted=True)
    assert fit.converged
    assert time.perf_counter() - began < 60.0
    # Five standard errors, of about sqrt(2 / n) times a variance of 0.15 with sampling error.
    assert fit.between.ravel() == pytest.approx([0.09, 0.03, 0.03, 0.05], abs=0.005)


# ---------------------------------------------------------------- metafor


# rma.mv(yi, V, mods=~outcome-1, random=~outcome|trial, struct=, data=dat.berkey1998, method=, test="t", dfs="contain",
# control=list(rel.tol=1e-10, or 1e-12 where that converges)) of metafor 3.8-1, V of its v1i and v2i:
# (b of AL and PD, se, tau2, rho, log-likelihood)
BERKEY = pd.DataFrame(
    {
        "study": np.repeat([f"trial {i}" for i in range(1, 6)], 2),
        "outcome": ["PD", "AL"] * 5,
        "y": [0.47, -0.32, 0.20, -0.60, 0.40, -0.12, 0.26, -0.31, 0.56, -0.39],
        "v": [0.0075, 0.0077, 0.0057, 0.0008, 0.0021, 0.0014, 0.0029, 0.0015, 0.0148, 0.0304],
        "covariance": np.repeat([0.0030, 0.0009, 0.0007, 0.0009, 0.0072], 2),
    }
)
BERKEY_FITS = {
    ("REML", "UN"): [-0.33921516824, 0.35342816319, 0.08790515128, 0.05884863655, 0.03265134529, 0.01173302830,
                     0.60879904869, 3.69176769437],
    ("REML", "CS"): [-0.33796115571, 0.36359418113, 0.07817944937, 0.07876251358, 0.02502042689, 0.02502042689,
                     0.52904096133, 3.31056110974],
    ("REML", "HCS"): [-0.33921523882, 0.35342811446, 0.08790525672, 0.05884851227, 0.03265143296, 0.01173295855,
                      0.60879840590, 3.69176769434],
    ("REML", "DIAG"): [-0.35294778740, 0.36133884661, 0.08737129923, 0.05862491669, 0.03222858704, 0.01158825663,
                       0.0, 3.20124471499],
    ("ML", "UN"): [-0.337938115208, 0.344839256484, 0.079763209306, 0.049459933356, 0.026144559805, 0.007002038374,
                   0.699229534802, 5.840656884762],
    ("ML", "CS"): [-0.33680667729, 0.36047171102, 0.07059276324, 0.07159039988, 0.01973960990, 0.01973960990,
                   0.55306129431, 5.20555740701],
    ("ML", "HCS"): [-0.337938115128, 0.344839167846, 0.079763153455, 0.049459844470, 0.026144517451, 0.007001998434,
                    0.699230456444, 5.840656884775],
    ("ML", "DIAG"): [-0.35388862494, 0.35725526182, 0.07883442933, 0.04996158969, 0.02547340805, 0.00714553811,
                     0.0, 5.16541764120],
}  # fmt: skip


def _berkey(**options: Any) -> Multivariate:
    own = BERKEY.groupby("study")["v"].transform("prod")
    return multivariate(_effects(BERKEY.assign(rho=BERKEY["covariance"] / np.sqrt(own))), correlation="rho", **options)


def _agrees(fit: Multivariate, names: list[str], expected: list[float], q: int) -> None:
    at = [fit.names.index(f"{fit.settings.outcome}[{name}]") for name in names]
    outcomes = [fit.outcomes.index(name) for name in names]
    assert fit.coefficients[at] == pytest.approx(expected[:q], rel=METAFOR)
    assert fit.std_errors[at] == pytest.approx(expected[q : 2 * q], rel=METAFOR)
    # metafor leaves 5e-12 where a variance is 0
    assert fit.tau2[outcomes] == pytest.approx(expected[2 * q : 3 * q], rel=METAFOR, abs=1e-10)
    assert fit.log_likelihood == pytest.approx(expected[-1], rel=1e-9)
    assert fit.log_likelihood >= expected[-1] - 1e-9


@pytest.mark.parametrize(("method", "structure"), list(BERKEY_FITS))
def test_metafor_on_berkey(method: str, structure: str) -> None:
    fit = _berkey(tau2_method=method, structure=structure)
    expected = BERKEY_FITS[method, structure]
    _agrees(fit, ["AL", "PD"], expected, 2)
    assert fit.correlations[0, 1] == pytest.approx(expected[6], rel=METAFOR)
    # rma.mv's QE and, by dfs="contain", ddf
    assert fit.q_residual == pytest.approx(128.2267, rel=1e-6)
    assert fit.dfs.tolist() == [8.0, 8.0]


# The same of the 47 studies of Kalaian and Raudenbush (1996), of which 20 have both outcomes, V with correlations .66:
# (b of math and verbal, se, tau2, rho, log-likelihood). The correlation's best value is its edge.
KALAIAN_FITS = {
    ("REML", "UN"): [0.137576141678, 0.116715414158, 0.0433924973074, 0.0337423178836, 0.01222048327256,
                     0.00257087022889, -1.0, 5.832915744932],
    ("REML", "CS"): [0.136296234590, 0.116224585189, 0.0393955034100, 0.0358665495792, 0.00604078578201,
                     0.00604078578201, -1.0, 5.4967218994561],
    ("REML", "DIAG"): [0.139452415474, 0.118696517778, 0.0475977808800, 0.0317462033173, 0.0207192530522,
                       0.0, np.nan, 4.9795996177566],
    ("ML", "UN"): [0.137729246995, 0.116707031236, 0.0426432269261, 0.0336430722041, 0.01098093764316,
                   0.00242314056914, -1.0, 7.0555213245556],
    ("ML", "DIAG"): [0.139583234416, 0.118762122012, 0.0465723498669, 0.0317267766149, 0.0186580029699,
                     0.0, np.nan, 6.217868347783],
}  # fmt: skip


def _kalaian(**options: Any) -> Multivariate:
    frame = pd.DataFrame(
        {
            "y": KALAIAN["yi"],
            "v": KALAIAN["vi"],
            "study": KALAIAN["groups"]["study"],
            "outcome": KALAIAN["data"]["outcome"],
        }
    )
    return multivariate(_effects(frame), correlation=0.66, **options)


@pytest.mark.parametrize(("method", "structure"), list(KALAIAN_FITS))
def test_metafor_where_a_correlation_is_at_its_edge_and_studies_lack_outcomes(method: str, structure: str) -> None:
    fit = _kalaian(tau2_method=method, structure=structure)
    expected = KALAIAN_FITS[method, structure]
    _agrees(fit, ["math", "verbal"], expected, 2)
    assert fit.correlations[0, 1] == pytest.approx(expected[6], rel=1e-6, nan_ok=True)
    assert fit.q_residual == pytest.approx(72.2607657149, rel=1e-9)
    assert fit.studies_of == ((38, 20), (20, 29))
    if structure == "DIAG":
        assert fit.notes == ("True effects do not vary between studies for 'verbal'.",)
    else:
        assert fit.notes[0].startswith(
            "The likelihood is highest where true effects are perfectly correlated: verbal and math (−1)."
        )
        assert fit.notes[0] in str(fit).replace("\n", " ")


# rma.mv(yi, V, mods=~rater+x-1, random=~rater|study, struct=, ...), V with correlations .5, of these made-up effects:
# (b of client, observer, therapist and x, se, tau2, log-likelihood). A study has two effects of one outcome.
MADE_UP = pd.DataFrame(
    {
        "y": [0.30, 0.22, 0.41, 0.55, 0.10, 0.05, 0.18, 0.62, 0.35, 0.20, 0.44, 0.27, 0.15, 0.33],
        "v": [0.02, 0.03, 0.025, 0.02, 0.04, 0.03, 0.03, 0.015, 0.02, 0.02, 0.05, 0.03, 0.02, 0.04],
        "study": list("aaabbcccddeffg"),
        "rater": ["client", "therapist", "observer", "client", "therapist", "client", "client", "observer",
                  "therapist", "observer", "client", "client", "observer", "therapist"],
        "x": [1.0, 1.0, 1.0, 0.0, 0.0, 2.0, 2.0, 2.0, 1.0, 1.0, 3.0, 0.0, 0.0, 2.0],
    }
)  # fmt: skip
MADE_UP_FITS = {
    ("REML", "DIAG"): [0.24328852362, 0.26651847689, 0.18052147162, 0.08578703947, 0.15784667282, 0.13571998539,
                       0.11936642402, 0.08092639887, 5.340693713e-02, 2.626491166e-02, 0.0, 2.975424231275],
    ("ML", "DIAG"): [0.23159219358, 0.26189251435, 0.17475045224, 0.09435956103, 0.14441073473, 0.11984954393,
                     0.11525169788, 0.07519664026, 4.068512587e-02, 1.350427600e-02, 0.0, 5.334183983491],
    ("REML", "UN"): [0.28477405456, 0.23553448280, 0.16870788380, 0.08163408624, 0.14293695956, 0.12302643670,
                     0.11050826741, 0.06771821947, 0.0468252483589, 0.0246289447342, 0.0003756859786, 3.677149415937],
}  # fmt: skip


@pytest.mark.parametrize(("method", "structure"), list(MADE_UP_FITS))
def test_metafor_with_a_moderator_and_several_effects_of_an_outcome(method: str, structure: str) -> None:
    fit = multivariate(
        _effects(MADE_UP), "0 + rater + x", outcome="rater", correlation=0.5, tau2_method=method, structure=structure
    )
    b, se, tau2, height = np.split(np.array(MADE_UP_FITS[method, structure]), [4, 8, 11])
    order = [*(fit.names.index(f"rater[{each}]") for each in ("client", "observer", "therapist")), fit.names.index("x")]
    # metafor stops early where three correlations are at their edge: its likelihood is lower by 1e-9
    assert fit.coefficients[order] == pytest.approx(b, rel=1e-4)
    assert fit.std_errors[order] == pytest.approx(se, rel=1e-4)
    outcomes = [fit.outcomes.index(each) for each in ("client", "observer", "therapist")]
    assert fit.tau2[outcomes] == pytest.approx(tau2, rel=1e-3, abs=1e-6)
    assert fit.log_likelihood == pytest.approx(height[0], abs=1e-7)
    assert fit.log_likelihood >= height[0] - 1e-9
    assert fit.dfs[order].tolist() == [9.0, 9.0, 9.0, 3.0]  # ddf of dfs="contain"
    assert any(
        "several effects of one outcome (1 times); they are taken to have the same true effect" in note
        for note in fit.notes
    )


def test_equal_correlations_stay_where_a_covariance_exists() -> None:
    """struct="HCS" of metafor goes to -1 with three outcomes, which no covariance has; it ends at a lower UN."""
    fit = multivariate(_effects(MADE_UP), "0 + rater + x", outcome="rater", correlation=0.5, structure="HCS")
    assert fit.correlations[0, 1] == pytest.approx(-0.5, abs=1e-6)
    assert np.linalg.eigvalsh(fit.between)[0] == pytest.approx(0.0, abs=1e-9)
    assert fit.notes[-1].startswith("The likelihood is highest at the edge of what HCS allows")


# ---------------------------------------------------------------- models at the edge


def test_one_outcome_is_the_model_of_pool() -> None:
    frame = BERKEY[BERKEY["outcome"] == "AL"]
    fit, pooled = multivariate(_effects(frame), test="z"), am.pool(_effects(frame), test="z")
    mine = [fit.coefficients[0], fit.std_errors[0], fit.tau2[0], fit.q_residual]
    assert mine == pytest.approx([pooled.estimate, pooled.std_error, pooled.tau2, pooled.q_statistic], rel=1e-8)
    assert fit.notes == ("There is one outcome only, 'AL' and one effect a study; this is the model of pool().",)
    assert fit.correlations_frame().empty
    assert "There is one outcome only" in str(fit)
    assert fit.names == ("intercept",)
    for structure in STRUCTURES:
        same = multivariate(_effects(frame), structure=structure)
        assert same.log_likelihood == pytest.approx(fit.log_likelihood, rel=1e-12)


def test_no_correlation_anywhere_is_two_models_of_pool() -> None:
    fit = multivariate(_effects(BERKEY), structure="DIAG", tau2_method="ML", test="z")
    for name in ("AL", "PD"):
        own = am.pool(_effects(BERKEY[BERKEY["outcome"] == name]), tau2_method="ML", test="z")
        at = fit.outcomes.index(name)
        mine = [fit.coefficients[at], fit.std_errors[at], fit.tau2[at]]
        assert mine == pytest.approx([own.estimate, own.std_error, own.tau2], rel=1e-7)


def test_perfectly_correlated_true_effects_of_one_variance_are_the_multilevel_model_of_studies() -> None:
    """With no variance of its own left to the effects, one study effect serves both outcomes."""
    rng = np.random.default_rng(7)
    frame = pd.DataFrame({"study": np.repeat(np.arange(12), 2).astype(str), "outcome": ["a", "b"] * 12, "v": 0.05})
    shared = np.repeat(rng.normal(0.0, 0.5, 12), 2)
    frame["y"] = (shared + np.tile([0.1, 0.2], 12) + np.tile([0.05, -0.05], 12)).round(3)
    mine = multivariate(_effects(frame), structure="CS", test="z")
    theirs = am.multilevel(_effects(frame), "0 + outcome", test="z")
    assert theirs.components[0] == 0.0
    assert mine.tau2[0] == pytest.approx(theirs.components[1], rel=1e-7)
    assert mine.log_likelihood == pytest.approx(theirs.log_likelihood, rel=1e-10)
    assert mine.correlations[0, 1] == pytest.approx(1.0, abs=1e-9)
    assert "perfectly correlated: a and b (1)" in mine.notes[0]


def test_effects_that_agree_better_than_chance_do_not_vary() -> None:
    fit = multivariate(_effects(BERKEY.assign(y=[0.4, -0.3] * 5, v=0.1)))
    assert fit.between.tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert fit.coefficients.tolist() == pytest.approx([0.4, -0.3], rel=1e-9)
    assert np.isnan(fit.correlations[0, 1])
    assert "do not vary between studies for 'PD' and 'AL'" in fit.notes[0]
    assert "–" in str(fit)
    assert multivariate(_effects(BERKEY.assign(y=[0.4, -0.3] * 5, v=0.1)), test="satterthwaite").df > 100.0


def test_the_order_of_rows_does_not_matter() -> None:
    one, two = _berkey(), None
    turned = BERKEY.sample(frac=1.0, random_state=3)
    own = turned.groupby("study")["v"].transform("prod")
    two = multivariate(_effects(turned.assign(rho=turned["covariance"] / np.sqrt(own))), correlation="rho")
    at = [two.names.index(name) for name in one.names]
    assert two.coefficients[at] == pytest.approx(one.coefficients, rel=1e-7)
    assert two.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-10)


def test_correlations_as_a_number_a_column_and_a_matrix_are_the_same() -> None:
    study = BERKEY["study"].to_numpy()
    matrix = np.where(study[:, None] == study, 0.5, 0.0)
    np.fill_diagonal(matrix, 1.0)
    effects = _effects(BERKEY.assign(rho=0.5))
    fits = [multivariate(effects, correlation=each) for each in (0.5, "rho", matrix)]
    assert [each.settings.correlation for each in fits] == ["0.5", "column 'rho'", "a matrix"]
    for each in fits[1:]:
        assert each.log_likelihood == pytest.approx(fits[0].log_likelihood, rel=CLOSE)
        assert each.between == pytest.approx(fits[0].between, rel=1e-6)


# ---------------------------------------------------------------- what is refused


def _refused(frame: pd.DataFrame, message: str, **options: Any) -> None:
    with pytest.raises(InputError, match=message):
        multivariate(_effects(frame), **options)


def test_effect_sizes_are_wanted() -> None:
    with pytest.raises(InputError, match=r"takes the result of effect_sizes\(\), not DataFrame"):
        multivariate(BERKEY)  # type: ignore[arg-type]


def test_names_that_are_not_known() -> None:
    effects = _effects(BERKEY)
    for options, message in (
        ({"outcome": "outcom"}, "unknown column of outcomes 'outcom'. Did you mean 'outcome'"),
        ({"study": "trial"}, "unknown column of studies 'trial'"),
        ({"structure": "AR"}, "unknown structure 'AR'"),
        ({"tau2_method": "DL"}, "unknown tau2_method 'DL'"),
        ({"test": "f"}, "unknown test 'f'"),
        ({"correlation": "rho"}, "unknown column for 'correlation' 'rho'"),
    ):
        with pytest.raises(UnknownNameError, match=re.escape(message)):
            multivariate(effects, **options)


def test_empty_cells_are_refused() -> None:
    _refused(
        BERKEY.assign(outcome=BERKEY["outcome"].where(BERKEY.index > 0)), "column 'outcome' has empty cells: row 0"
    )
    _refused(
        BERKEY.assign(lab=BERKEY["study"].where(BERKEY.index > 0)), "column 'lab' has empty cells: row 0", study="lab"
    )


@pytest.mark.parametrize("rho", [1.0, np.ones((10, 10))])
def test_singular_correlations_are_refused_by_the_names_of_their_studies(rho: Any) -> None:
    _refused(BERKEY, "no positive definite matrix for study 'trial 1', 'trial 2'", correlation=rho)


def test_structures_that_no_study_tells_are_refused() -> None:
    apart = BERKEY.assign(study=[f"s{i}" for i in range(10)])
    _refused(apart, "no study has both 'PD' and 'AL' in column 'outcome'.*structure=\"HCS\"")
    _refused(apart, 'no study has two outcomes.*take structure="DIAG"', structure="CS")
    assert multivariate(_effects(apart), structure="DIAG").studies == 10
    alone = BERKEY.assign(outcome=["PD", "AL"] * 4 + ["PD", "CAL"])
    for structure in ("UN", "HCS", "DIAG"):
        _refused(alone, "one study only has 'CAL'.*structure=\"CS\"", structure=structure)
    assert multivariate(_effects(alone), structure="CS").outcomes == ("PD", "AL", "CAL")
    _refused(BERKEY.assign(study="one"), "one study only, so nothing tells how much studies differ")
    _refused(BERKEY[:4].assign(x=[1.0, 2.0, 3.0, 5.0], w=[1.0, 0.0, 2.0, 1.0]), "4 coefficients for 4 effects",
             formula="0 + outcome + x + w", structure="CS")  # fmt: skip
    many = pd.DataFrame({"y": 0.1, "v": 0.1, "study": ["a"] * 11 + ["b"] * 11, "outcome": [*"abcdefghijk"] * 2})
    _refused(many, "has 11 outcomes, more than 10")


# ---------------------------------------------------------------- what it says


FIT = _berkey()


def test_a_fit_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        FIT.k = 3  # type: ignore[misc]
    for array in (FIT.coefficients, FIT.covariance, FIT.between):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0


def test_means_and_contrasts_are_those_of_the_coefficients() -> None:
    means, contrast = FIT.means(), FIT.contrasts().iloc[0]
    assert means["outcome"].tolist() == list(FIT.outcomes) == ["PD", "AL"]
    assert means["estimate"].tolist() == pytest.approx(FIT.coefficients.tolist(), rel=1e-12)
    wide = means["pi_high"] - means["pi_low"]
    assert wide.to_numpy() == pytest.approx(2.0 * 2.306004135 * np.sqrt(FIT.tau2 + FIT.std_errors**2), rel=1e-8)
    assert contrast["contrast"] == "AL - PD"
    c = FIT.covariance
    assert contrast["std_error"] == pytest.approx((c[0, 0] + c[1, 1] - 2.0 * c[0, 1]) ** 0.5, rel=1e-12)
    assert FIT.equal_means().statistic == pytest.approx(contrast["statistic"] ** 2, rel=1e-10)
    assert FIT.equal_means().hypothesis == "equal means of outcome"
    assert FIT.omnibus().df1 == 2
    assert FIT.test_term("outcome").statistic == pytest.approx(FIT.omnibus().statistic, rel=1e-12)
    # anova(fit, X=rbind(c(1, -1))) is the test of the contrast; here by hand
    assert FIT.coefficient("outcome[AL]") == FIT.coefficients[1]


def test_a_reference_outcome_gives_the_same_model() -> None:
    other = _berkey(formula="outcome")
    assert other.log_likelihood == pytest.approx(FIT.log_likelihood, rel=1e-9)
    assert other.means()["estimate"].tolist() == pytest.approx(FIT.means()["estimate"].tolist(), rel=1e-8)
    assert other.equal_means().statistic == pytest.approx(other.omnibus().statistic, rel=1e-9)


def test_outcomes_that_are_numbers_or_have_spaces_in_their_columns_name() -> None:
    frame = BERKEY.assign(time=[1, 2] * 5).rename(columns={"outcome": "the outcome"})
    assert multivariate(_effects(frame), outcome="time").names == ("time[1]", "time[2]")
    assert multivariate(_effects(frame), outcome="the outcome").names == ("the outcome[PD]", "the outcome[AL]")


def test_frames() -> None:
    outcomes, pairs = FIT.outcomes_frame(), FIT.correlations_frame()
    assert outcomes.columns.tolist() == ["outcome", "effects", "studies", "tau2", "tau"]
    assert outcomes["studies"].tolist() == [5, 5]
    assert pairs.iloc[0].tolist()[:3] == ["PD", "AL", 5]
    assert pairs["correlation"][0] == pytest.approx(0.6087987, rel=1e-6)
    assert FIT.to_frame().columns.tolist() == [
        *("term", "estimate", "std_error", "statistic", "df", "p_value", "ci_low", "ci_high"),
    ]


def test_words() -> None:
    assert repr(FIT) == (
        "<Multivariate '0 + outcome': outcome[PD] = 0.353 (t = 6.01), tau2(PD) = 0.0117, tau2(AL) = 0.0327; "
        "10 effects of 2 outcomes in 5 studies>"
    )
    text = str(FIT)
    for piece in (
        "Multivariate model of 10 effects of 2 outcomes in 5 studies on 0 + outcome",
        "Equal means: F(1, 8) = ",
        "tau² of PD 0.0117 (5 studies), AL 0.0327 (5 studies)",
        "True effects correlated: PD and AL 0.61 (5 studies)",
        "sampling errors correlated: column 'rho'",
    ):
        assert piece in text.replace("\n", " ")
    assert "<table" in FIT._repr_html_()
    assert FIT.to_markdown().startswith("**Multivariate model")
    assert "PD: τ² = 0.012; AL: τ² = 0.033; PD with AL: ρ = .61." in FIT.to_apa()
    escaped = multivariate(_effects(BERKEY.assign(outcome=["<b>", "AL"] * 5)))
    assert "<b>[" not in escaped._repr_html_()


def test_back_transformed_means_are_shown() -> None:
    frame = pd.DataFrame(
        {"study": list("aabbccde"), "rater": ["client", "therapist"] * 3 + ["client"] * 2,
         "n": [60, 60, 80, 80, 75, 75, 50, 90], "r": [0.30, 0.20, 0.45, 0.35, 0.10, 0.05, 0.25, 0.40]}
    )  # fmt: skip
    fit = multivariate(am.effect_sizes(frame, measure="ZCOR"), outcome="rater", correlation=0.5)
    shown = np.tanh(fit.means()["estimate"].to_numpy())
    assert fit.means(display=True)["estimate"].to_numpy() == pytest.approx(shown, rel=1e-12)
    assert f"client {shown[0]:.3f}, 95% CI" in str(fit)


def test_r_code_names_its_model() -> None:
    code = FIT.to_r()
    assert 'random = ~ outcome | study, struct = "UN", method = "REML", test = "t", dfs = "contain"' in code
    assert "V <- R * sqrt(outer(vi, vi))" in code
    assert _kalaian(test="z").to_r().count('test = "t"') == 0
    matrix = multivariate(_effects(BERKEY), correlation=np.full((10, 10), 0.2) + 0.8 * np.eye(10)).to_r()
    assert "R <- matrix(c(1.0, 0.2, 0.0" in matrix
