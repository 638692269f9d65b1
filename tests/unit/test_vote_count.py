"""Vote counts: against integration, a general optimizer, ML pooling, a probit model, and data drawn from the model."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from math import isnan
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import statsmodels.api as sm  # type: ignore[import-untyped]
from scipy import integrate, optimize, stats

import alliance_meta as am
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.results._vote_count import VoteCount
from alliance_meta.stats import vote_count as kernel
from alliance_meta.studies import StudyTable
from alliance_meta.vote_counting import vote_count

FloatArray = npt.NDArray[np.float64]

WORDS = {1: "significant", 0: "not significant", -1: "significant negative"}
DROP = 0.5 * float(stats.chi2.ppf(0.95, 1))

# Seven rows of every kind, made up to be small enough for integration.
VERDICT = np.array([1, 0, 1, -1, 0, 9, 9])
VALUE = np.array([np.nan, np.nan, np.nan, np.nan, np.nan, 0.35, -0.05])
SIZE = np.array([60.0, 25.0, 200.0, 40.0, 90.0, 50.0, 120.0])
SMALL = kernel.reports(VERDICT, VALUE, SIZE, 0.05)

CORE = am.datasets.load("alliance_abstracts").table.query("scope == 'core'")


def drawn(
    rng: np.random.Generator, k: int, mean: float, tau: float, *, numbers: float = 0.0
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Verdict, printed z (NaN for most) and n of k studies, made as the model says."""
    n = np.exp(rng.uniform(np.log(15), np.log(600), k)).round()
    z = rng.normal(rng.normal(mean, tau, k), 1.0 / np.sqrt(n - 3.0))
    edge = stats.norm.ppf(0.975) / np.sqrt(n - 3.0)
    verdict = np.where(z > edge, 1.0, np.where(z < -edge, -1.0, 0.0))
    return verdict, np.where(rng.random(k) < numbers, z, np.nan), n


# ---------------------------------------------------------------- the likelihood, written out


def slow(mean: float, tau2: float, alpha: float = 0.05) -> float:
    """Each row's probability (or density) as an integral over its true effect."""
    total = 0.0
    for verdict, value, n in zip(VERDICT.tolist(), VALUE.tolist(), SIZE.tolist(), strict=True):
        se = (n - 3.0) ** -0.5
        edge = stats.norm.ppf(1.0 - alpha / 2.0) * se

        def given(
            theta: float, verdict: int = verdict, value: float = value, se: float = se, edge: float = edge
        ) -> float:
            if not isnan(value):
                return float(stats.norm.pdf(value, theta, se))
            above, below = stats.norm.sf(edge, theta, se), stats.norm.cdf(-edge, theta, se)
            return float({1: above, -1: below, 0: 1.0 - above - below}[verdict])

        reach, tau = 12.0, tau2**0.5
        density = integrate.quad(
            lambda u, given=given, tau=tau: given(mean + tau * u) * stats.norm.pdf(u),
            -reach,
            reach,
            epsabs=1e-13,
            limit=400,
        )[0]
        total += np.log(density)
    return total


@pytest.mark.parametrize("mean", [-0.3, 0.0, 0.2, 0.6])
@pytest.mark.parametrize("tau2", [0.0, 0.01, 0.3])
def test_the_likelihood_is_the_integral_over_true_effects(mean: float, tau2: float) -> None:
    assert float(kernel.log_likelihood(SMALL, mean, tau2)) == pytest.approx(slow(mean, tau2), abs=1e-8)  # quad


def test_maximum_and_intervals_are_those_of_a_general_optimizer() -> None:
    def height(mean: float, tau: float) -> float:
        return float(kernel.log_likelihood(SMALL, mean, tau * tau))

    found = kernel.fit(SMALL)

    def depth(x: FloatArray) -> float:
        return -height(float(x[0]), float(x[1]))

    best = optimize.minimize(depth, [0.1, 0.2], method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-13})
    assert found.log_likelihood == pytest.approx(-best.fun, abs=1e-11)
    assert [found.mean, found.tau2**0.5] == pytest.approx([best.x[0], abs(best.x[1])], abs=1e-6)  # a flat top

    def best_over(fixed: str, at: float) -> float:
        other = np.linspace(-2.0, 2.0, 401) if fixed == "tau" else np.linspace(0.0, 2.0, 401)

        def pick(x: float) -> float:
            return -height(x, at) if fixed == "tau" else -height(at, x)

        start = other[int(np.argmin([pick(x) for x in other]))]
        bounds = (max(start - 0.02, other[0]), min(start + 0.02, other[-1]))
        inside = optimize.minimize_scalar(pick, bounds=bounds, method="bounded", options={"xatol": 1e-10})
        return -min(float(inside.fun), float(pick(bounds[0])))

    level = found.log_likelihood - DROP
    low, high = kernel.mean_interval(SMALL, found, DROP)
    for bracket, bound in (((-1.0, found.mean), low), ((found.mean, 1.0), high)):
        root = optimize.brentq(lambda m: best_over("mean", m) - level, *bracket, xtol=1e-9)
        assert bound == pytest.approx(root, abs=1e-6)
    low, high = kernel.tau2_interval(SMALL, found, DROP)
    tau = found.tau2**0.5
    assert high**0.5 == pytest.approx(
        optimize.brentq(lambda t: best_over("tau", t) - level, tau, 2.0, xtol=1e-9), abs=1e-6
    )
    assert low**0.5 == pytest.approx(
        optimize.brentq(lambda t: best_over("tau", t) - level, 0.0, tau, xtol=1e-9), abs=1e-6
    )
    ratio = 2.0 * (found.log_likelihood - best_over("mean", 0.0))
    assert kernel.mean_test(SMALL, found) == pytest.approx(ratio, abs=1e-8)
    assert kernel.tau2_test(SMALL, found) == pytest.approx(
        2.0 * (found.log_likelihood - best_over("tau", 0.0)), abs=1e-8
    )


def test_scores_and_information_are_differences_of_the_likelihood() -> None:
    found = kernel.fit(SMALL)
    at, step = np.array([found.mean, found.tau2]), 1e-4

    def height(shift: FloatArray) -> float:
        return float(kernel.log_likelihood(SMALL, *(at + step * shift)))

    unit = np.eye(2)
    for i in range(2):
        for j in range(2):
            a, b = unit[i], unit[j]
            second = (height(a + b) - height(a - b) - height(b - a) + height(-a - b)) / (4.0 * step * step)
            assert found.information[i, j] == pytest.approx(-second, rel=1e-4)  # of differences
    assert found.scores.sum(axis=0) == pytest.approx([0.0, 0.0], abs=1e-8)
    for row in range(len(SIZE)):
        alone = kernel.reports(VERDICT[[row]], VALUE[[row]], SIZE[[row]], 0.05)
        by_mean = [float(kernel.log_likelihood(alone, found.mean + h, found.tau2)) for h in (1e-5, -1e-5)]
        by_tau2 = [float(kernel.log_likelihood(alone, found.mean, found.tau2 + h)) for h in (1e-5, -1e-5)]
        slopes = [(by_mean[0] - by_mean[1]) / 2e-5, (by_tau2[0] - by_tau2[1]) / 2e-5]
        assert found.scores[row] == pytest.approx(slopes, abs=1e-6)


def test_nothing_cancels_far_from_the_threshold() -> None:
    far = kernel.reports([1, 0, -1], [np.nan] * 3, [10_000, 10_000, 10_000], 0.05)
    # log P(|Z| < 1.96 at a mean 60 standard errors away), by the tail's own series: -x^2/2 - log(x sqrt(2 pi)) ...
    found = kernel.log_likelihood(far, 0.6, 0.0)
    x = 0.6 * np.sqrt(9997.0) - stats.norm.ppf(0.975)
    y = 0.6 * np.sqrt(9997.0) + stats.norm.ppf(0.975)
    assert float(found) == pytest.approx(
        stats.norm.logcdf(-x) + stats.norm.logcdf(-y) + stats.norm.logcdf(x), rel=1e-12
    )


# ---------------------------------------------------------------- special cases that others compute


def test_printed_numbers_alone_are_pooled_by_maximum_likelihood() -> None:
    kolden = am.datasets.load("kolden2011")
    table = kolden.table
    found = vote_count(table.assign(reported="value"), r="r")
    fit = am.pool(am.effect_sizes(kolden, measure="ZCOR"), tau2_method="ML", test="z")
    assert found.estimate == pytest.approx(fit.estimate, abs=1e-9)
    assert found.tau2 == pytest.approx(fit.tau2, abs=1e-9)
    assert tuple(found.confidence_interval()) == pytest.approx(
        tuple(fit.confidence_interval(method="profile")), abs=1e-7
    )
    assert tuple(found.tau2_interval()) == pytest.approx(tuple(fit.tau2_interval(method="profile")), abs=1e-7)
    equal = vote_count(table.assign(reported="value"), r="r", tau2_method="EE")
    pooled = am.pool(am.effect_sizes(kolden, measure="ZCOR"), tau2_method="EE", test="z")
    assert [equal.estimate, equal.std_error] == pytest.approx([pooled.estimate, pooled.std_error], rel=1e-12)
    assert tuple(equal.confidence_interval()) == pytest.approx(tuple(pooled.confidence_interval()), abs=1e-10)


def test_one_sided_verdicts_of_equal_effects_are_a_probit_model() -> None:
    verdict, _, n = drawn(np.random.default_rng(4), 300, 0.15, 0.0)
    critical = stats.norm.ppf(0.95)
    passed = np.where(verdict == 1, 1, 0)  # passed .025, so that .05 one-sided is another threshold: simply data here
    model = sm.GLM(
        passed,
        np.sqrt(n - 3.0)[:, None],
        family=sm.families.Binomial(sm.families.links.Probit()),
        offset=np.full(n.size, -critical),
    ).fit(tol=1e-14)
    words = np.where(passed == 1, "significant", "not significant")
    found = vote_count(outcome=words.tolist(), n=n, alternative="greater", tau2_method="EE")
    assert found.estimate == pytest.approx(float(model.params[0]), rel=1e-9)
    assert found.log_likelihood == pytest.approx(float(model.llf), rel=1e-12)


# ---------------------------------------------------------------- what abstracts say


@pytest.mark.parametrize(
    ("r", "k", "estimate", "tau"),
    # Made beforehand with scipy's Nelder-Mead on the same likelihood: r = .26 and tau = .20 by the words, .23 and .14
    # with every r that could be derived from a number.
    [(None, 182, 0.2592976, 0.1983670), ("r_derived", 213, 0.2297290, 0.1400371)],
)
def test_core_rows_of_the_abstracts(r: str | None, k: int, estimate: float, tau: float) -> None:
    found = vote_count(CORE, r=r, cluster="study")
    assert found.k == k
    assert np.tanh(found.estimate) == pytest.approx(estimate, abs=1e-6)
    assert found.tau2**0.5 == pytest.approx(tau, abs=1e-6)
    assert found.k + sum(found.left_out.values()) == len(CORE) == 274
    assert any("small and large studies disagree" in caution for caution in found.cautions)


def test_plain_correlations_only() -> None:
    plain = CORE.assign(r=CORE["r_derived"].where(CORE["r_plain"] == "yes"))
    found = vote_count(plain, r="r")
    assert found.counts == {"significant": 108, "not significant": 73, "significant negative": 1, "value": 7}
    assert np.tanh(found.estimate) == pytest.approx(0.2557107, abs=1e-6)  # Nelder-Mead, as above


# ---------------------------------------------------------------- data drawn from the model


@pytest.mark.parametrize(("mean", "tau", "numbers"), [(0.25, 0.15, 0.0), (0.0, 0.1, 0.0), (0.3, 0.2, 0.3)])
def test_recovers_what_made_the_data(mean: float, tau: float, numbers: float) -> None:
    rng = np.random.default_rng(7)
    sets = 40
    means, errors, taus = np.empty(sets), np.empty(sets), np.empty(sets)
    for i in range(sets):
        found = kernel.fit(kernel.reports(*drawn(rng, 250, mean, tau, numbers=numbers), 0.05))
        means[i], errors[i], taus[i] = found.mean, found.covariance()[0, 0] ** 0.5, found.tau2**0.5
    noise = means.std(ddof=1) / sets**0.5
    assert abs(means.mean() - mean) < 3.5 * noise
    assert abs(taus.mean() - tau) < 0.02 + 3.5 * taus.std(ddof=1) / sets**0.5  # ML is a little low
    assert errors.mean() == pytest.approx(means.std(ddof=1), rel=0.35)  # 40 sets tell a standard deviation to 11 %


def test_intervals_cover_the_truth() -> None:
    rng = np.random.default_rng(11)
    covered = 0
    for _ in range(40):
        data = kernel.reports(*drawn(rng, 80, 0.2, 0.15), 0.05)
        low, high = kernel.mean_interval(data, kernel.fit(data), DROP)
        covered += low <= 0.2 <= high
    assert covered >= 33  # 38 expected, standard deviation 1.4


def test_samples_that_repeat_themselves_widen_the_robust_error() -> None:
    rng = np.random.default_rng(3)
    verdict, _, n = drawn(rng, 120, 0.2, 0.15)
    words = [WORDS[int(each)] for each in verdict]
    once = vote_count(outcome=words, n=n, cluster=np.arange(120))
    twice = vote_count(outcome=words * 2, n=np.tile(n, 2), cluster=np.tile(np.arange(120), 2))
    assert twice.estimate == pytest.approx(once.estimate, abs=1e-9)
    assert twice.robust_std_error == pytest.approx(once.robust_std_error, rel=1e-7)
    assert twice.std_error == pytest.approx(once.std_error / 2**0.5, rel=1e-7)
    assert once.robust_std_error == pytest.approx(once.std_error, rel=0.2)


def test_the_sandwich_written_out() -> None:
    found = kernel.fit(SMALL)
    clusters = np.array([0, 0, 1, 2, 2, 2, 3])
    bread = np.linalg.inv(found.information)
    meat = np.zeros((2, 2))
    for each in range(4):
        total = found.scores[clusters == each].sum(axis=0)
        meat += np.outer(total, total)
    assert found.robust_covariance(clusters) == pytest.approx(bread @ meat @ bread * 4 / 3, rel=1e-12)


# ---------------------------------------------------------------- properties


def test_turning_every_sign_turns_the_result() -> None:
    verdict, z, n = drawn(np.random.default_rng(5), 90, 0.2, 0.2, numbers=0.2)
    one, other = kernel.reports(verdict, z, n, 0.05), kernel.reports(-verdict, -z, n, 0.05)
    here, there = kernel.fit(one), kernel.fit(other)
    assert [there.mean, there.tau2] == pytest.approx([-here.mean, here.tau2], abs=1e-9)
    low, high = kernel.mean_interval(one, here, DROP)
    assert kernel.mean_interval(other, there, DROP) == pytest.approx((-high, -low), abs=1e-9)


def test_the_order_of_rows_does_not_matter() -> None:
    shuffled = CORE.sample(frac=1.0, random_state=1)
    one, other = vote_count(CORE, cluster="study"), vote_count(shuffled, cluster="study")
    assert [other.estimate, other.tau2, other.robust_std_error] == pytest.approx(
        [one.estimate, one.tau2, one.robust_std_error], rel=1e-9
    )


def test_stricter_tests_with_the_same_verdicts_mean_larger_effects() -> None:
    means = [vote_count(CORE, alpha=alpha).estimate for alpha in (0.2, 0.1, 0.05, 0.01, 0.001)]
    assert means == sorted(means)


def test_a_wider_level_is_a_wider_interval() -> None:
    found = vote_count(CORE)
    inner, outer = found.confidence_interval(0.5), found.confidence_interval(0.99)
    assert outer.low < inner.low < found.estimate < inner.high < outer.high
    inner, outer = found.tau2_interval(0.5), found.tau2_interval(0.99)
    assert outer.low < inner.low < found.tau2 < inner.high < outer.high


# ---------------------------------------------------------------- where there is no maximum, and other edges


def given(*words: str, n: Any = None, **options: Any) -> VoteCount:
    return vote_count(outcome=list(words), n=list(range(30, 30 + 10 * len(words), 10)) if n is None else n, **options)


@pytest.mark.parametrize("tau2_method", ["ML", "EE"])
def test_all_significant_bounds_the_mean_on_one_side(tau2_method: Any) -> None:
    found = given(*["significant"] * 6, tau2_method=tau2_method)
    assert found.estimate == np.inf
    low, high = found.confidence_interval()
    assert (high, found.log_likelihood) == (np.inf, 0.0)
    assert 0.2 < low < 1.0
    assert isnan(found.std_error)
    # At the bound the likelihood is down by the drop, for the best tau.
    best = max(
        float(kernel.log_likelihood(found._data, low, tau2))
        for tau2 in (np.linspace(0.0, 2.0, 2001) ** 2 if tau2_method == "ML" else [0.0])
    )
    assert best == pytest.approx(-DROP, abs=1e-5)  # tau by steps of .001
    assert any("rises without end" in note for note in found.notes)
    assert "no mean effect can be computed; its 95% interval is r = [." in found.sentence
    turned = given(*["significant negative"] * 6, tau2_method=tau2_method)
    assert tuple(turned.confidence_interval()) == pytest.approx((-np.inf, -low))
    assert "all rows are 'significant'" in found.cautions[0]


def test_two_significant_rows_bound_nothing() -> None:
    assert tuple(given("significant", "significant").confidence_interval()) == (-np.inf, np.inf)


def test_all_not_significant_is_a_mean_of_zero() -> None:
    found = given(*["not significant"] * 8)
    assert (found.estimate, found.tau2, found.statistic) == (0.0, 0.0, 0.0)
    low, high = found.confidence_interval()
    assert low == pytest.approx(-high)
    assert "they say that the mean is small" in found.cautions[0]


def test_significant_in_both_directions_and_nothing_between() -> None:
    found = given("significant", "significant negative", "significant")
    assert isnan(found.estimate)
    assert found.tau2 == np.inf
    assert tuple(found.confidence_interval()) == (-np.inf, np.inf)
    assert found.tau2_interval().low > 0.0
    assert isnan(found.p_value)
    assert "neither mean nor tau² can be told" in str(found)
    equal = given("significant", "significant negative", "significant", tau2_method="EE")
    assert 0.0 < equal.estimate < 0.5


def test_one_sided_verdicts_at_one_n_cannot_tell_spread() -> None:
    found = given("significant", "not significant", n=[50, 50], alternative="greater")
    assert isnan(found.estimate)
    equal = given("significant", "not significant", n=[50, 50], alternative="greater", tau2_method="EE")
    assert equal.estimate == pytest.approx(stats.norm.ppf(0.95) / 47**0.5)  # half of them pass the threshold


@pytest.mark.parametrize("word", [*WORDS.values()])
def test_one_row(word: str) -> None:
    found = given(word)
    assert found.k == 1
    assert len(found.to_frame()) == 2
    assert str(found)


def test_a_printed_number_makes_the_mean_finite() -> None:
    found = vote_count(outcome=["significant"] * 5 + ["value"], n=[50] * 6, r=[np.nan] * 5 + [0.4])
    assert np.isfinite(found.estimate)
    assert found.counts["value"] == 1


def test_huge_and_tiny_samples_together() -> None:
    found = given("significant", "not significant", "significant", "not significant", n=[4, 5, 10_000_000, 1000])
    assert np.isfinite(found.estimate)
    assert found.confidence_interval().low < found.estimate < found.confidence_interval().high


# ---------------------------------------------------------------- rows, and what is said of them


TABLE = pd.DataFrame(
    {
        "reported": [
            "significant",
            "not significant",
            "value",
            "value",
            "other",
            "",
            "significant",
            "significant",
            None,
        ],
        "n": [60, 40, 80, 90, 50, 50, np.nan, 3, 70],
        "r": [np.nan, np.nan, 0.3, np.nan, np.nan, 0.1, 0.2, np.nan, np.nan],
        "sample": ["a", "a", "b", "c", "d", "e", "f", "g", "h"],
    },
    index=list("ABCDEFGHI"),
)


def test_every_row_is_used_or_named() -> None:
    found = vote_count(TABLE, r="r", cluster="sample")
    assert found.counts == {"significant": 1, "not significant": 1, "significant negative": 0, "value": 2}
    rows = found.rows
    assert rows.index.tolist() == TABLE.index.tolist()
    assert rows["left_out"].to_dict() == {
        **dict.fromkeys("ABCF", ""),
        "D": "with a number of which there is no r",
        "E": "with neither a verdict nor a usable number",
        "G": "without n",
        "H": "with n of 3 or fewer",
        "I": "with neither a verdict nor a usable number",
    }
    assert "Left out: 2 rows with neither a verdict nor a usable number (E, I)." in found.notes
    assert rows["critical_r"]["A"] == pytest.approx(np.tanh(stats.norm.ppf(0.975) / 57**0.5))
    assert "2 of 4 rows share a sample with others (3 samples)" in found.cautions[0]
    assert "only 3 samples" in found.cautions[1]


def test_without_r_no_number_is_used() -> None:
    found = vote_count(TABLE)
    assert found.counts["value"] == 0
    assert found.left_out["with a number, as r was not asked for"] == 2
    assert any("all count as independent" in note for note in found.notes)


def test_a_number_goes_before_a_verdict_and_contradictions_are_named() -> None:
    found = vote_count(
        outcome=["significant", "not significant", "not significant"], n=[50, 50, 50], r=[0.5, 0.6, np.nan]
    )
    assert found.counts["value"] == 2
    assert "2 rows have a verdict and a number: the number was used." in found.notes
    assert found.cautions[-1] == "1 row with one thing in words and another in numbers: 1."


def test_adjusted_rows_are_counted() -> None:
    found = vote_count(TABLE.assign(plain=["yes", "no", "yes", *["unclear"] * 6]), r="r", zero_order="plain")
    assert any(caution.startswith("2 of 4 rows are not, or not surely, plain") for caution in found.cautions)
    assert not any("plain" in caution for caution in vote_count(TABLE, zero_order=[True] * 9).cautions)


def test_words_and_numbers_that_disagree_are_a_caution() -> None:
    rng = np.random.default_rng(2)
    verdict, _, n = drawn(rng, 60, 0.3, 0.05)
    outcome = [*(WORDS[int(each)] for each in verdict), *["value"] * 20]
    r = [*[np.nan] * 60, *np.tanh(rng.normal(-0.1, 0.05, 20))]
    found = vote_count(outcome=outcome, n=[*n, *[100] * 20], r=r)
    assert any("verdicts and printed numbers disagree" in caution for caution in found.cautions)


def test_equal_sizes_are_a_caution() -> None:
    assert any("much the same size" in caution for caution in given("significant", "not significant").cautions)
    assert given("significant", "not significant", "significant", n=[20, 100, 400]).cautions == ()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"outcome": "said"}, UnknownNameError, "unknown column for 'outcome' 'said'"),
        ({"n": "size"}, UnknownNameError, "unknown column for 'n'"),
        ({"r": "rr"}, UnknownNameError, "unknown column for 'r'"),
        ({"alpha": 0.0}, InputError, "alpha must lie between 0 and 1"),
        ({"alpha": True}, InputError, "alpha must lie between 0 and 1"),
        ({"alternative": "less"}, UnknownNameError, "unknown alternative 'less'"),
        ({"tau2_method": "REML"}, UnknownNameError, "unknown tau2_method 'REML'"),
        ({"n": None}, InputError, "outcome and n are needed"),
        ({"outcome": ["ns"] * 9}, InputError, r"column 'outcome' has words that are not known: rows A \('ns'\)"),
        ({"n": ["x"] * 9}, InputError, "column 'n' must hold numbers"),
        ({"r": [1.0, *[0.1] * 8]}, InputError, r"column 'r' must lie between -1 and 1: row A \(1.0\)"),
        ({"n": [2] * 9}, InputError, "no row can be used: .* with n of 3 or fewer"),
        ({"cluster": ["a", None, *["b"] * 7]}, InputError, r"column 'cluster' has empty cells: row B \(empty\)"),
        (
            {"outcome": ["significant negative"] * 9, "alternative": "greater"},
            InputError,
            "alternative is 'greater': rows A",
        ),
    ],
)
def test_bad_input(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        vote_count(TABLE, **options)


def test_bad_questions() -> None:
    found = given("significant", "not significant", "not significant")
    with pytest.raises(InputError, match="level must lie between"):
        found.confidence_interval(1.0)
    with pytest.raises(UnknownNameError, match="unknown method 'wald'"):
        found.confidence_interval(method="wald")  # type: ignore[arg-type]
    assert "samples are not known" in found.confidence_interval(method="robust").note


# ---------------------------------------------------------------- views


def test_frame() -> None:
    found = vote_count(CORE, cluster="study")
    table = found.to_frame()
    assert table[["term", "method"]].to_numpy().tolist() == [
        ["mean", "likelihood"], ["mean", "robust"], ["tau2", "likelihood"],
    ]  # fmt: skip
    assert table["p_value"].between(0.0, 1.0).all()
    wider = found.to_frame(0.99)
    assert (wider["ci_high"] - wider["ci_low"] > table["ci_high"] - table["ci_low"]).all()
    assert given("significant", "not significant", tau2_method="EE").to_frame()["term"].tolist() == ["mean"]


def test_views_carry_the_caveat_and_escape_names() -> None:
    table = pd.DataFrame(
        {"effect_id": ["<b>", "b", "c"], "reported": ["other", "significant", "not significant"], "n": [30, 40, 90]}
    )
    caveat = "Simulated data: made by a program, not from real studies."
    found = vote_count(StudyTable(_frame=table, roles={"effect_id": "effect_id"}, caveat=caveat))
    for view in (str(found), repr(found), found._repr_html_(), found.to_markdown()):
        assert caveat in view.replace("\n", " ")
    assert "<b>" not in found._repr_html_()
    assert found.sentence in str(found).replace("\n", " ")
    with pytest.raises(FrozenInstanceError):
        found.tau2 = 0.0  # type: ignore[misc]


def test_the_expected_share_is_the_models() -> None:
    found = vote_count(CORE)
    rng = np.random.default_rng(1)
    z = rng.normal(found.estimate, (found.tau2 + 1 / 97) ** 0.5, 200_000)
    share = float((z > stats.norm.ppf(0.975) / 97**0.5).mean())
    assert float(found.share_significant(100)) == pytest.approx(share, abs=0.005)


# ---------------------------------------------------------------- beside published meta-analyses


def test_the_reproduction_quotes_the_data_set_and_gives_the_same_numbers() -> None:
    published = am.datasets.load("relationship_meta_analyses")
    rows = am.reproductions.reproduce("alliance_abstracts-vote-count").comparisons
    assert len(rows) == 10
    for row in rows:
        key = row.analysis.rpartition("-")[2]
        assert published.cell(f"{key}-overall", "estimate") == row.published
        assert published.cell(f"{key}-overall", "label") == row.source
        assert row.locator in published.cell(f"{key}-overall", "locator")
        by_words = row.analysis.startswith("words-") and "numbers" not in row.analysis
        estimate = vote_count(CORE, r=None if by_words else "r_derived").estimate
        assert row.recomputed == pytest.approx(np.tanh(estimate), abs=1e-12)


def test_the_reasons_quote_what_the_cautions_say() -> None:
    for r in (None, "r_derived"):
        assert any("small and large studies disagree" in each for each in vote_count(CORE, r=r).cautions)
