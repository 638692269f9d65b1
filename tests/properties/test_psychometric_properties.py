"""What holds for every set of correlations and artefacts, slow obvious copies of the methods, and simulations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alliance_meta.psychometrics import psychometric
from alliance_meta.results import PsychometricResult
from alliance_meta.stats import attenuation
from alliance_meta.stats import psychometric as kernels
from alliance_meta.stats.attenuation import Restriction

Array = npt.NDArray[np.float64]

SETTINGS = settings(deadline=None, derandomize=True, max_examples=60)
EVERY_RESTRICTION = pytest.mark.parametrize("restriction", ["none", "direct", "indirect"])
EVERY_ERROR = pytest.mark.parametrize("error", ["mean-n", "study-n"])
EITHER: tuple[Restriction, ...] = ("direct", "indirect")
SEED = 20240607


@st.composite
def tables(draw: st.DrawFn, smallest: int = 2, largest: int = 10) -> dict[str, Array]:
    """Correlations within -.8 and .8 with artefacts that can go together: u^2 > 1 - reliability_x."""
    k = draw(st.integers(smallest, largest))

    def column(low: int, high: int) -> Array:
        return np.array(draw(st.lists(st.integers(low, high), min_size=k, max_size=k)), dtype=float)

    return {
        "r": column(-800, 800) / 1000.0,
        "n": column(5, 400),
        "reliability_x": column(70, 100) / 100.0,
        "reliability_y": column(70, 100) / 100.0,
        "u": column(70, 100) / 100.0,
    }


def analysed(table: dict[str, Array], restriction: Restriction = "none", **options: Any) -> PsychometricResult:
    """Corrected for everything the restriction allows."""
    ranged: dict[str, Any] = {} if restriction == "none" else {"u": table["u"], "reliability_x_in": "unrestricted"}
    return psychometric(
        r=table["r"],
        n=table["n"],
        reliability_x=table["reliability_x"],
        reliability_y=table["reliability_y"],
        restriction=restriction,
        **{"method": "individual", **ranged, **options},
    )


def numbers(fit: PsychometricResult) -> Array:
    return np.array(list(fit.quantities().values()))


# Slow, obvious copies


def slow_correction(r: float, rxx: float, ryy: float, u: float, restriction: Restriction) -> float:
    """One step after the other, as a person would, in the order of the book."""
    big_u = 1.0 / u
    if restriction == "none":
        return r / math.sqrt(rxx) / math.sqrt(ryy)
    if restriction == "direct":
        true_y = r / math.sqrt(ryy)
        unrestricted = big_u * true_y / math.sqrt((big_u**2 - 1.0) * true_y**2 + 1.0)
        return unrestricted / math.sqrt(rxx)
    in_sample = 1.0 - big_u**2 * (1.0 - rxx)
    true = r / math.sqrt(in_sample) / math.sqrt(ryy)
    big_u = 1.0 / math.sqrt((u**2 - (1.0 - rxx)) / rxx)
    return big_u * true / math.sqrt((big_u**2 - 1.0) * true**2 + 1.0)


def slow_individual(table: dict[str, Array], restriction: Restriction, error: str) -> list[float]:
    """Mean, observed, sampling and residual variance of the corrected correlations, in loops."""
    names = ("r", "n", "reliability_x", "reliability_y", "u")
    rows = list(zip(*(table[name].tolist() for name in names), strict=True))
    total = sum(row[1] for row in rows)
    mean_r = sum(row[1] * row[0] for row in rows) / total
    values, weights, errors = [], [], []
    for r, n, rxx, ryy, u in rows:

        def corrected(r: float, rxx: float = rxx, ryy: float = ryy, u: float = u) -> float:
            return slow_correction(r, rxx, ryy, u, restriction)

        rho = corrected(r)
        small = 1e-7  # the slope by a small step, and A at r = 0 as its limit
        factor = r / rho if r != 0.0 else small / corrected(small)
        size = n if error == "study-n" else total / len(rows)
        values.append(rho)
        weights.append(n * factor**2)
        errors.append(
            (1.0 - mean_r**2) ** 2 / (size - 1.0) * ((corrected(r + small) - corrected(r - small)) / (2.0 * small)) ** 2
        )
    mean = sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)
    observed = sum(w * (v - mean) ** 2 for w, v in zip(weights, values, strict=True)) / sum(weights)
    sampling = sum(w * e for w, e in zip(weights, errors, strict=True)) / sum(weights)
    return [mean, observed, sampling, observed - sampling]


@EVERY_ERROR
@EVERY_RESTRICTION
@SETTINGS
@given(table=tables())
def test_individual_corrections_are_those_of_a_slow_loop(
    restriction: Restriction, error: str, table: dict[str, Array]
) -> None:
    fit = analysed(table, restriction, sampling_error=error)
    found = [fit.mean_rho, fit.variance_observed, fit.variance_sampling, fit.variance_residual]
    # 1e-6: the small step's error in the slope
    assert found == pytest.approx(slow_individual(table, restriction, error), rel=1e-6, abs=1e-9)


@EVERY_RESTRICTION
@SETTINGS
@given(table=tables())
def test_artefact_distributions_follow_from_small_steps(restriction: Restriction, table: dict[str, Array]) -> None:
    """The Taylor series by differences of the attenuation itself, instead of its derivatives."""
    fit = analysed(table, restriction, method="artefact-distribution")
    x, y, u = np.sqrt(table["reliability_x"]), np.sqrt(table["reliability_y"]), table["u"]
    at = [fit.mean_rho, x.mean(), y.mean(), u.mean() if restriction != "none" else 1.0]

    def observed(rho: float, q_x: float, q_y: float, ratio: float) -> float:
        return float(
            attenuation.attenuated(rho, reliability_x=q_x**2, reliability_y=q_y**2, u=ratio, restriction=restriction)
        )

    slopes = []
    for i in range(4):
        up, down = list(at), list(at)
        up[i] += 1e-5
        down[i] -= 1e-5
        slopes.append((observed(*up) - observed(*down)) / 2e-5)
    assert observed(*at) == pytest.approx(fit.mean_r, rel=1e-12, abs=1e-14)
    artefact = slopes[1] ** 2 * x.var() + slopes[2] ** 2 * y.var() + slopes[3] ** 2 * u.var()
    assert fit.variance_artefact == pytest.approx(artefact, rel=1e-6, abs=1e-12)
    residual = max(fit.variance_observed - fit.variance_sampling - artefact, 0.0)
    assert fit.sd_rho == pytest.approx(math.sqrt(residual) / slopes[0], rel=1e-5, abs=1e-6)
    assert fit.std_error == pytest.approx(fit.sd_r / math.sqrt(fit.k) / slopes[0], rel=1e-7)


# Identities


@EVERY_RESTRICTION
@EVERY_ERROR
@pytest.mark.parametrize("method", ["individual", "artefact-distribution"])
@SETTINGS
@given(table=tables(smallest=1))
def test_without_artefacts_everything_is_bare_bones_exactly(
    restriction: Restriction, error: str, method: str, table: dict[str, Array]
) -> None:
    ones = np.ones_like(table["r"])
    perfect = {**table, "reliability_x": ones, "reliability_y": ones, "u": ones}
    bare = psychometric(r=table["r"], n=table["n"], sampling_error=error)
    assert np.array_equal(
        numbers(analysed(perfect, restriction, method=method, sampling_error=error)), numbers(bare), equal_nan=True
    )


@EVERY_RESTRICTION
@SETTINGS
@given(table=tables(), rho=st.integers(-990, 990))
def test_correcting_undoes_attenuation(restriction: Restriction, table: dict[str, Array], rho: int) -> None:
    artefacts = {name: table[name] for name in ("reliability_x", "reliability_y", "u")}
    observed = attenuation.attenuated(rho / 1000.0, **artefacts, restriction=restriction)
    found = attenuation.corrected(observed, **artefacts, restriction=restriction)
    assert found.value == pytest.approx(np.full(len(table["r"]), rho / 1000.0), rel=1e-12, abs=1e-15)
    assert np.all(np.abs(observed) <= abs(rho) / 1000.0 + 1e-15)


@SETTINGS
@given(table=tables())
def test_with_a_perfect_x_direct_and_indirect_restriction_are_one(table: dict[str, Array]) -> None:
    perfect = {**table, "reliability_x": np.ones_like(table["r"])}
    for method in ("individual", "artefact-distribution"):
        direct, indirect = (numbers(analysed(perfect, restriction, method=method)) for restriction in EITHER)
        assert direct == pytest.approx(indirect, rel=1e-9, abs=1e-12, nan_ok=True)


@SETTINGS
@given(table=tables())
def test_with_the_same_reliabilities_both_methods_agree(table: dict[str, Array]) -> None:
    same = {**table, "reliability_x": np.full_like(table["r"], 0.81), "reliability_y": np.full_like(table["r"], 0.64)}
    one, other = analysed(same), analysed(same, method="artefact-distribution")
    for name in ("mean_rho", "sd_rho", "std_error", "percent_accounted"):
        scale = 1e-7 if name == "sd_rho" else 1e-12  # the root of a difference that can be 0
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-9, abs=scale, nan_ok=True)
    assert one.mean_rho == pytest.approx(one.mean_r / 0.72, rel=1e-12, abs=1e-15)  # .9 x .8


@EVERY_RESTRICTION
@pytest.mark.parametrize("method", ["individual", "artefact-distribution"])
@SETTINGS
@given(table=tables(), data=st.data())
def test_components_add_up_and_neither_order_nor_sign_matters(
    restriction: Restriction, method: str, table: dict[str, Array], data: st.DataObject
) -> None:
    fit = analysed(table, restriction, method=method)
    parts = fit.variance_sampling + fit.variance_artefact + fit.variance_residual
    assert parts == pytest.approx(fit.variance_observed, rel=1e-9, abs=1e-15)
    assert fit.sd_rho >= 0.0
    assert (fit.sd_rho == 0.0) == (fit.variance_residual <= 0.0)
    if not math.isnan(fit.percent_accounted) and abs(fit.variance_residual) > 1e-12:
        assert (fit.percent_accounted > 100.0) == (fit.variance_residual < 0.0)
    order = np.array(data.draw(st.permutations(range(fit.k))))
    turned = analysed({name: column[order] for name, column in table.items()}, restriction, method=method)
    mirrored = analysed({**table, "r": -table["r"]}, restriction, method=method)
    assert turned.mean_rho == pytest.approx(fit.mean_rho, rel=1e-10, abs=1e-13)
    assert mirrored.mean_rho == pytest.approx(-fit.mean_rho, rel=1e-10, abs=1e-13)
    for other in (turned, mirrored):
        assert other.variance_residual == pytest.approx(fit.variance_residual, rel=1e-8, abs=1e-12)
        assert other.std_error == pytest.approx(fit.std_error, rel=1e-8, abs=1e-9)


@SETTINGS
@given(table=tables(), n=st.integers(5, 500))
def test_with_equal_sizes_both_sampling_errors_are_one_and_the_mean_is_plain(table: dict[str, Array], n: int) -> None:
    equal = np.full_like(table["r"], float(n))
    mean, own = (psychometric(r=table["r"], n=equal, sampling_error=error) for error in ("mean-n", "study-n"))
    assert numbers(mean) == pytest.approx(numbers(own), rel=1e-9, abs=1e-12, nan_ok=True)
    assert mean.mean_r == pytest.approx(float(table["r"].mean()), rel=1e-12, abs=1e-15)
    assert mean.variance_observed == pytest.approx(float(table["r"].var()), rel=1e-9, abs=1e-15)


@EVERY_RESTRICTION
@SETTINGS
@given(tables=st.lists(tables(smallest=6, largest=6), min_size=3, max_size=3), data=st.data())
def test_a_batch_with_rows_left_out_is_its_fits_one_by_one(
    restriction: Restriction, tables: list[dict[str, Array]], data: st.DataObject
) -> None:
    drawn = data.draw(st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=3, max_size=3))
    include = np.array(drawn, dtype=float)
    include[:, :2] = 1.0
    stacked = {name: np.stack([table[name] for table in tables]) for name in tables[0]}
    artefacts = {name: stacked[name] for name in ("reliability_x", "reliability_y", "u")}
    correction = attenuation.corrected(stacked["r"], **artefacts, restriction=restriction)
    batch = kernels.individual_corrections(stacked["r"], stacked["n"], correction, include, each_n=True)
    bare = kernels.bare_bones(stacked["r"], stacked["n"], include)
    moments = [kernels.artefact_moments(stacked[name] ** power, include) for name, power in _ROOTS]
    distribution = kernels.artefact_distribution(bare, *moments, restriction=restriction)
    for i, table in enumerate(tables):
        kept = {name: column[include[i] == 1.0] for name, column in table.items()}
        one = analysed(kept, restriction, sampling_error="study-n")
        other = analysed(kept, restriction, method="artefact-distribution")
        for found, fit in ((batch, one), (distribution, other)):
            expected = [fit.mean_rho, fit.variance_observed, fit.variance_residual, fit.std_error]
            got = [found.mean[i], found.variance_observed[i], found.variance_residual[i], found.std_error[i]]
            assert got == pytest.approx(expected, rel=1e-8, abs=1e-9)


_ROOTS = (("reliability_x", 0.5), ("reliability_y", 0.5), ("u", 1.0))


# Simulations


def test_selected_people_give_back_the_correlation_of_the_unselected() -> None:
    """Two million people with true scores, errors of measurement, and a selection of the upper part."""
    rng = np.random.default_rng(SEED)
    people, rho, rxx, ryy = 2_000_000, 0.5, 0.8, 0.7
    true_x = rng.standard_normal(people)
    true_y = rho * true_x + math.sqrt(1 - rho**2) * rng.standard_normal(people)
    x = true_x + math.sqrt(1 / rxx - 1) * rng.standard_normal(people)
    y = true_y + math.sqrt(1 / ryy - 1) * rng.standard_normal(people)
    suitability = true_x + 0.7 * rng.standard_normal(people)  # related to y through true x only
    for restriction, criterion in zip(EITHER, (x, suitability), strict=True):
        chosen = criterion > np.quantile(criterion, 0.6)
        r = np.corrcoef(x[chosen], y[chosen])[0, 1]
        u = x[chosen].std() / x.std()
        in_sample = true_y[chosen].var() / y[chosen].var()  # reliability of y among the chosen
        found = attenuation.corrected(r, reliability_x=rxx, reliability_y=in_sample, u=u, restriction=restriction)
        # 800,000 chosen: r has a standard error of .001, and the correction multiplies it by its slope
        assert found.value == pytest.approx(rho, abs=4 * 0.0011 * float(found.slope))
        naive = attenuation.corrected(r, reliability_x=rxx, reliability_y=ryy).value
        assert abs(naive - rho) > 0.1  # the restriction matters here
    restricted = true_x[chosen].var() / x[chosen].var()  # chosen indirectly: errors are as large as before
    assert attenuation.unrestricted_reliability(restricted, u) == pytest.approx(rxx, abs=0.003)
    assert attenuation.true_score_u(u, rxx) == pytest.approx(true_x[chosen].std(), abs=0.003)


def sampled_correlations(rng: np.random.Generator, rho: Array, n: Array) -> Array:
    """Correlations of n pairs from a bivariate normal distribution, by Bartlett's decomposition of its covariance."""
    below = rho * np.sqrt(rng.chisquare(n - 1)) + np.sqrt(1 - rho**2) * rng.standard_normal(rho.shape)
    beside = np.sqrt((1 - rho**2) * rng.chisquare(n - 2))
    return np.asarray(below / np.hypot(below, beside))


@EVERY_RESTRICTION
def test_known_means_and_standard_deviations_are_recovered(restriction: Restriction) -> None:
    """3,000 meta-analyses of 100 studies: mean rho .40, SD .10, all artefacts differing."""
    rng = np.random.default_rng(SEED)
    shape, k = (3_000, 100), 100
    n = rng.integers(60, 200, shape).astype(float)
    rho = 0.4 + 0.1 * rng.standard_normal(shape)
    artefacts = {
        "reliability_x": rng.uniform(0.75, 0.95, shape),
        "reliability_y": rng.uniform(0.70, 0.90, shape),
        "u": rng.uniform(0.65, 0.90, shape),
    }
    r = sampled_correlations(rng, attenuation.attenuated(rho, **artefacts, restriction=restriction), n)
    bare = kernels.bare_bones(r, n)
    one_by_one = kernels.individual_corrections(r, n, attenuation.corrected(r, **artefacts, restriction=restriction))
    some = rng.random(shape) < 0.4  # the artefacts that studies report
    moments = [kernels.artefact_moments(np.where(some, artefacts[name] ** power, np.nan)) for name, power in _ROOTS]
    distributions = kernels.artefact_distribution(bare, *moments, restriction=restriction)
    worth = (distributions.std_error / bare.std_error) ** 2  # of a squared unit of r in those of rho
    for found, variance in (
        (one_by_one, one_by_one.variance_residual),
        (distributions, distributions.variance_residual * worth),
    ):
        # Monte Carlo error of either mean: four standard errors, below .002 and .0004. Known bias of the methods:
        # r is biased by -rho (1 - rho^2) / 2n, about -.0015, and the weights of `individual` follow r (up to +.004
        # with restriction); a variance over k is 1 / k too small, and Taylor's series stops early (5 % in all).
        noise = 4 * float(found.mean.std()) / math.sqrt(shape[0])
        assert noise < 0.002
        assert float(found.mean.mean()) == pytest.approx(0.4, abs=noise + 0.004)
        noise = 4 * float(variance.std()) / math.sqrt(shape[0])
        assert noise < 0.0004
        assert float(variance.mean()) * k / (k - 1) == pytest.approx(0.01, abs=noise + 0.0005)
        # The standard error is that of the mean, if a little small: it takes what varies as known
        assert 0.85 < float(found.std_error.mean() / found.mean.std()) < 1.05
    assert float(bare.mean.mean()) < 0.35  # what would be found without corrections


def test_without_differences_sampling_error_accounts_for_all_of_the_variance() -> None:
    """3,000 meta-analyses of 50 studies that share rho = .5 and their reliabilities."""
    rng = np.random.default_rng(SEED)
    shape, k = (3_000, 50), 50
    n = rng.integers(80, 160, shape).astype(float)
    r = sampled_correlations(rng, np.full(shape, 0.5 * math.sqrt(0.8 * 0.7)), n)
    found = kernels.individual_corrections(r, n, attenuation.corrected(r, reliability_x=0.8, reliability_y=0.7))
    residual = found.variance_observed * k / (k - 1) - found.variance_sampling
    noise = 4 * float(residual.std()) / math.sqrt(shape[0])
    # population r^2 = .25 x .56 = .14; .86^2 / 118.5 (mean n 119.5) / .56. Terms of order 1 / n^2 are left out of
    # this variance, so 1 % of it may stay unexplained
    assert float(found.variance_sampling.mean()) == pytest.approx(0.86**2 / 118.5 / 0.56, rel=0.01)
    assert noise < 0.0003
    assert float(residual.mean()) == pytest.approx(0.0, abs=noise + 0.00011)
