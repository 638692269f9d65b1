"""The linear-time likelihood of nested effects against whole n x n matrices, and its maximum against scipy's."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from tests.reference.dense_multilevel import Dense, dense, profile_end

from alliance_meta.stats import multilevel as kernel
from alliance_meta.stats.multilevel._jet import Jet
from alliance_meta.stats.multilevel._nested import likelihood

FloatArray = npt.NDArray[np.float64]

# Rounding, through one n x n inverse of up to 80 rows: 3e-12 is the worst seen.
CLOSE = 1e-10

LEVELS = (1, 2, 3)
CORRELATIONS = ("none", "constant", "per study", "matrix")
KINDS = list(product(LEVELS, CORRELATIONS))


class Example(NamedTuple):
    """One random problem, for the library and in whole matrices."""

    y: FloatArray
    v: FloatArray
    x: FloatArray
    groups: list[list[int]]
    rho: Any
    problem: kernel.Problem
    slow: Dense


def _groups(rng: np.random.Generator, n: int, levels: int) -> list[list[int]]:
    """Labels that begin anew in every larger group, in no order; the innermost level first."""
    if levels == 1:
        return [rng.integers(0, n // 3, n).tolist()]
    outer = rng.integers(0, 5, n)
    middle = rng.integers(0, 3, n)
    inner = rng.integers(0, 2, n)
    return [each.tolist() for each in ((middle, outer) if levels == 2 else (inner, middle, outer))]


def _matrix(rng: np.random.Generator, n: int) -> FloatArray:
    a = rng.normal(size=(n, 4))
    covariance = a @ a.T + 2.0 * np.eye(n)
    sd = np.sqrt(np.diagonal(covariance))
    return np.asarray(covariance / np.outer(sd, sd))


def _example(seed: int, levels: int, correlation: str, n: int = 40, p: int = 2, between: float = 0.05) -> Example:
    rng = np.random.default_rng(seed)
    groups = _groups(rng, n, levels)
    inside = np.unique([hash(key) for key in zip(*groups, strict=True)], return_inverse=True)[1].ravel()
    v = 0.05 * np.exp(rng.normal(0.0, 0.8, n))
    x = np.column_stack([np.ones(n), rng.normal(size=(n, p - 1))])
    rho: Any = {
        "none": None,
        "constant": 0.6,
        "per study": rng.uniform(0.0, 0.9, n)[inside],
        "matrix": _matrix(rng, n),
    }[correlation]
    y = 0.3 + rng.normal(0.0, np.sqrt(v + between)) + rng.normal(0.0, np.sqrt(between), n)[inside]
    problem = kernel.prepared(y, v, x, groups, rho)
    return Example(y, v, x, groups, rho, problem, dense(y, v, x, groups, rho))


def _random_components(rng: np.random.Generator, levels: int, scale: float) -> FloatArray:
    return np.asarray(scale * np.exp(rng.normal(0.0, 1.5, levels + 1)) * (rng.uniform(size=levels + 1) > 0.2))


def _turned_back(example: Example, found: Any) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Coefficients of the design, their covariance and its slopes, out of those of the orthonormal columns."""
    inverse = np.linalg.inv(example.problem.triangle)
    b = inverse @ (found.coefficients + example.problem.explained)
    return b, inverse @ found.covariance @ inverse.T, inverse @ found.covariance_slopes @ inverse.T


# ---------------------------------------------------------------- the likelihood


@pytest.mark.parametrize(("levels", "correlation"), KINDS)
@pytest.mark.parametrize("restricted", [True, False])
def test_likelihood_slope_and_curvature_are_those_of_whole_matrices(
    levels: int, correlation: str, restricted: bool
) -> None:
    for seed in range(4):
        example = _example(seed, levels, correlation)
        rng = np.random.default_rng(seed)
        count = len(example.y) - (example.x.shape[1] if restricted else 0)
        for scale in (1e-3, 0.05, 3.0):
            components = _random_components(rng, levels, scale)
            mine = likelihood(example.problem.data, components, restricted=restricted)
            theirs = example.slow.heights(components, restricted=restricted)
            assert mine.value - 0.5 * count * np.log(2.0 * np.pi) == pytest.approx(theirs.value, rel=CLOSE)
            # Terms of a slope or a curvature cancel, so what counts is the largest of them.
            for own, other in ((mine.first, theirs.first), (mine.second, theirs.second)):
                assert own == pytest.approx(other, abs=CLOSE * float(np.abs(other).max()) + 1e-9 * len(example.y))
            b, covariance, slopes = _turned_back(example, mine)
            assert b == pytest.approx(theirs.coefficients, rel=CLOSE, abs=CLOSE)
            assert covariance == pytest.approx(theirs.covariance, rel=CLOSE, abs=CLOSE * covariance[0, 0])
            size = float(np.abs(theirs.covariance_slopes).max())
            # Taking a group's effect off costs the slopes digits where it is a thousand times what differs within the
            # group, here by 1e-8 at most; there 50 digits side with the whole matrices.
            assert slopes == pytest.approx(theirs.covariance_slopes, rel=CLOSE, abs=1e-7 * size)


@pytest.mark.parametrize(("levels", "correlation"), KINDS)
@pytest.mark.parametrize("restricted", [True, False])
def test_slope_and_curvature_are_differences_of_the_likelihood(levels: int, correlation: str, restricted: bool) -> None:
    example = _example(9, levels, correlation)
    components = np.linspace(0.03, 0.08, levels + 1)
    here = likelihood(example.problem.data, components, restricted=restricted)
    h = 1e-5
    for i in range(levels + 1):
        step = h * (np.arange(levels + 1) == i)
        up, down = (
            likelihood(example.problem.data, components + side * step, restricted=restricted) for side in (1, -1)
        )
        # Central differences: h^2 of the third derivative and eps / h of the value, both near 1e-8 of their sizes.
        assert here.first[i] == pytest.approx((up.value - down.value) / (2.0 * h), rel=1e-5, abs=1e-5)
        curvature = (up.first - down.first) / (2.0 * h)
        assert here.second[i] == pytest.approx(curvature, rel=1e-5, abs=1e-5 * float(np.abs(here.second).max()))
        covariances = (up.covariance - down.covariance) / (2.0 * h)
        assert here.covariance_slopes[i] == pytest.approx(covariances, rel=1e-5, abs=1e-6)


def test_with_no_correlation_and_no_variance_the_likelihood_is_the_fixed_effects_models() -> None:
    example = _example(3, 1, "none", p=1)
    found = likelihood(example.problem.data, np.zeros(2), restricted=True)
    w = 1.0 / example.v
    b, covariance, _ = _turned_back(example, found)
    assert b[0] == pytest.approx(np.average(example.y, weights=w), rel=CLOSE)
    assert covariance[0, 0] == pytest.approx(1.0 / w.sum(), rel=CLOSE)


@pytest.mark.parametrize("shift", [0.0, 1e3, 1e6])
def test_a_constant_added_to_all_effects_does_not_cost_the_components_their_digits(shift: float) -> None:
    example = _example(5, 2, "constant")
    # 1e6 leaves the effects themselves 1e-10 of their digits.
    y = example.y + shift
    moved = kernel.multilevel(
        kernel.prepared(y - 0.0, example.v, example.x, example.groups, example.rho), restricted=True
    )
    fit = kernel.multilevel(
        kernel.prepared(y - shift, example.v, example.x, example.groups, example.rho), restricted=True
    )
    assert moved.components == pytest.approx(fit.components, rel=1e-7, abs=1e-12)
    assert moved.coefficients[0] - shift == pytest.approx(fit.coefficients[0], abs=1e-15 * shift + 1e-9)
    assert moved.log_likelihood == pytest.approx(fit.log_likelihood, rel=1e-8)


# ---------------------------------------------------------------- the maximum


@pytest.mark.parametrize(("levels", "correlation"), KINDS)
@pytest.mark.parametrize("restricted", [True, False])
def test_no_start_of_scipys_climbs_higher(levels: int, correlation: str, restricted: bool) -> None:
    for seed, between in ((0, 0.0), (1, 0.02), (2, 1.0)):
        example = _example(seed, levels, correlation, n=24, between=between)
        fit = kernel.multilevel(example.problem, restricted=restricted)
        assert fit.converged
        size = float(np.mean(example.v))
        rng = np.random.default_rng(seed)
        starts = [_random_components(rng, levels, scale * size) for scale in (0.1, 1.0, 10.0)]
        theirs = example.slow.highest([*starts, np.zeros(levels + 1)], restricted=restricted, size=size)
        # Rounding of two sums of n logarithms.
        assert fit.log_likelihood >= theirs - 1e-10 * max(1.0, abs(theirs))
        own = example.slow.heights(fit.components, restricted=restricted)
        assert fit.log_likelihood == pytest.approx(own.value, rel=CLOSE)
        # Nothing is to be gained: the slope is flat where a component is above 0, and falls where it is 0.
        flat = own.first * (fit.components + size)
        assert np.abs(flat[fit.components > 0.0]).max(initial=0.0) < 1e-8 * len(example.y)
        assert flat[fit.components == 0.0].max(initial=-1.0) <= 1e-8


SEVERAL_MAXIMA = {
    # Found among random sets: 5 effects with variances 1 to 2,000 and correlation 0.95; highest where all are 0.
    "zero": (
        [-0.17, -0.53, -0.029, 0.02, -0.038],
        [0.056, 0.31, 0.0035, 0.048, 0.00014],
        [-0.92, 1.3, 1.3, 0.91, -0.48],
        [[1, 0, 0, 0, 0]],
        0.95,
        False,
    ),
    # Four levels of six effects; highest where the third alone is above 0, and the second alone is a maximum, too.
    "another level": (
        [-1.2, -0.54, -0.55, -0.75, -0.6, -1.1],
        [0.031, 0.01, 0.017, 0.035, 0.016, 0.0097],
        [0.5, 1.2, -0.75, 1.5, -1.1, 2.9],
        [[1, 1, 1, 1, 0, 1], [1, 0, 0, 0, 1, 1], [0, 0, 1, 1, 1, 1]],
        None,
        True,
    ),
    # Ten effects with variances 1 to 2,700; highest where all are 0.
    "zero again": (
        [-0.17, -0.14, -0.26, 0.6, 0.21, -0.18, -0.29, -0.0039, -0.27, 0.067],
        [0.11, 0.046, 0.022, 0.89, 0.14, 0.075, 0.021, 0.00033, 0.038, 0.0063],
        None,
        [[0, 0, 1, 1, 0, 0, 0, 1, 1, 0]],
        0.3,
        False,
    ),
}


@pytest.mark.parametrize("name", SEVERAL_MAXIMA)
def test_of_several_maxima_the_highest_is_found(name: str) -> None:
    y, v, x, groups, rho, restricted = SEVERAL_MAXIMA[name]
    design = np.column_stack([np.ones(len(y)), *([] if x is None else [x])])
    fit = kernel.multilevel(kernel.prepared(y, v, design, groups, rho), restricted=restricted)
    slow, size, count = dense(y, v, design, groups, rho), float(np.median(v)), len(groups) + 1
    starts = [np.zeros(count), *(scale * np.eye(count)[i] * size for i in range(count) for scale in (1.0, 10.0))]
    # The lower maxima are lower by 1.7, 0.03 and 0.19.
    assert fit.log_likelihood >= slow.highest(starts, restricted=restricted, size=size) - 1e-9


@pytest.mark.parametrize("scale", [1e-8, 1e-3, 1.0, 1e6])
@pytest.mark.parametrize("levels", LEVELS)
def test_effects_in_other_units_have_components_in_them(scale: float, levels: int) -> None:
    example = _example(6, levels, "constant")
    fit = kernel.multilevel(example.problem, restricted=True)
    ready = kernel.prepared(scale * example.y, scale**2 * example.v, example.x, example.groups, example.rho)
    other = kernel.multilevel(ready, restricted=True)
    # A component is known to the root of what its likelihood is known to only where it is next to 0.
    size = float(fit.components.sum())
    assert other.components / scale**2 == pytest.approx(fit.components, rel=1e-9, abs=1e-9 * size)
    assert other.coefficients / scale == pytest.approx(fit.coefficients, rel=1e-9)


@pytest.mark.parametrize(("levels", "correlation"), KINDS)
def test_the_order_of_rows_and_the_names_of_groups_do_not_matter(levels: int, correlation: str) -> None:
    example = _example(7, levels, correlation)
    fit = kernel.multilevel(example.problem, restricted=True)
    rng = np.random.default_rng(7)
    order = rng.permutation(len(example.y))
    labels = [f"group {i}" for i in rng.permutation(40)]
    groups = [[labels[each[i]] for i in order] for each in example.groups]
    rho = example.rho
    if correlation == "matrix":
        rho = rho[np.ix_(order, order)]
    elif correlation == "per study":
        rho = rho[order]
    ready = kernel.prepared(example.y[order], example.v[order], example.x[order], groups, rho)
    other = kernel.multilevel(ready, restricted=True)
    assert other.components == pytest.approx(fit.components, rel=1e-8, abs=1e-10)
    assert other.coefficients == pytest.approx(fit.coefficients, rel=1e-9)
    assert other.covariance == pytest.approx(fit.covariance, rel=1e-8, abs=1e-12)
    assert other.log_likelihood == pytest.approx(fit.log_likelihood, rel=CLOSE)


def test_fixed_components_stay_at_0_and_the_rest_is_at_its_highest() -> None:
    example = _example(2, 3, "none", between=0.1)
    fixed = np.array([False, True, False, True])
    fit = kernel.multilevel(example.problem, restricted=True, fixed=fixed)
    assert (fit.components[fixed] == 0.0).all()
    kept = Dense(example.slow.y, example.slow.x, example.slow.sampling, tuple(example.slow.shared[i] for i in (0, 2)))
    theirs = kept.highest([np.full(2, s) for s in (0.01, 0.1, 1.0)], restricted=True, size=0.05)
    assert fit.log_likelihood >= theirs - 1e-10
    assert fit.log_likelihood <= kernel.multilevel(example.problem, restricted=True).log_likelihood + 1e-10
    none = kernel.multilevel(example.problem, restricted=True, fixed=np.ones(4, dtype=bool))
    assert none.log_likelihood == pytest.approx(example.slow.heights(np.zeros(4), restricted=True).value, rel=CLOSE)


@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_intervals_end_where_the_profile_has_fallen_far_enough(seed: int, restricted: bool) -> None:
    example = _example(seed, 2, "constant", between=(0.0, 0.03, 0.3)[seed])
    fit = kernel.multilevel(example.problem, restricted=restricted)
    zero_rejected = 0
    for which in range(3):
        low, high = kernel.component_interval(example.problem, fit, which, 0.95, restricted=restricted)
        assert 0.0 <= low <= fit.components[which] <= high
        # L-BFGS-B leaves the others' best short by about 1e-12.
        off = profile_end(example.slow, fit.components, which, high, restricted=restricted)
        assert off == pytest.approx(0.0, abs=1e-7)
        off = profile_end(example.slow, fit.components, which, low, restricted=restricted)
        zero_rejected += low > 0.0
        assert off == pytest.approx(0.0, abs=1e-7) if low > 0.0 else off >= -1e-7
    assert zero_rejected == (0, 0, 2)[seed] or seed == 1


@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize(("levels", "correlation"), KINDS)
def test_satterthwaites_degrees_of_freedom_are_those_of_whole_matrices(
    levels: int, correlation: str, restricted: bool
) -> None:
    example = _example(8, levels, correlation, between=0.3)
    fit = kernel.multilevel(example.problem, restricted=restricted)
    weights = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, -2.0]])
    mine = kernel.satterthwaite_df(fit, weights, np.zeros(levels + 1, dtype=bool))
    theirs = [example.slow.satterthwaite(fit.components, row, restricted=restricted) for row in weights]
    assert (fit.components > 0.0).any()
    assert mine == pytest.approx(theirs, rel=1e-8)  # an inverse of a curvature more


def test_satterthwaites_degrees_of_freedom_are_infinite_without_variance() -> None:
    y = [0.1, 0.1, 0.1, 0.1]
    ready = kernel.prepared(y, [0.1] * 4, [[1.0]] * 4, [[1, 1, 2, 2]])
    fit = kernel.multilevel(ready, restricted=True)
    assert fit.components.tolist() == [0.0, 0.0]
    assert kernel.satterthwaite_df(fit, np.eye(1), np.zeros(2, dtype=bool)).tolist() == [np.inf]


@pytest.mark.parametrize(("levels", "correlation"), KINDS)
def test_what_sampling_error_leaves_is_that_of_whole_matrices(levels: int, correlation: str) -> None:
    example = _example(4, levels, correlation)
    assert tuple(kernel.unexplained(example.problem)) == pytest.approx(example.slow.unexplained(), rel=CLOSE)


# ---------------------------------------------------------------- groups, correlations


def test_equal_labels_in_different_larger_groups_are_different_groups() -> None:
    codes = kernel.nested_groups([["a", "b", "a", "a"], ["x", "x", "y", "x"]])
    assert codes[0][0] == codes[0][3] != codes[0][2]
    assert [int(code.max()) + 1 for code in codes] == [3, 2]


@pytest.mark.parametrize(("rho", "bad"), [(1.0, [1, 2]), (-0.4, []), (-0.5, [2]), (-0.99, [2]), (-1.0, [1, 2])])
def test_groups_whose_correlations_are_singular_are_all_named(rho: float, bad: list[int]) -> None:
    """m effects allow correlations above -1 / (m - 1): three effects -0.5, two -1."""
    groups = [0, 1, 1, 2, 2, 2]
    what = ([0.1] * 6, [0.1, 0.2, 0.3, 0.1, 5.0, 0.2], [[1.0]] * 6, [groups], rho)
    if not bad:
        assert kernel.multilevel(kernel.prepared(*what), restricted=True).converged
        return
    with pytest.raises(kernel.SingularGroupsError) as caught:
        kernel.prepared(*what)
    assert sorted(caught.value.groups) == bad


def test_the_parts_of_a_matrix_between_groups_and_its_diagonal_are_not_read() -> None:
    example = _example(1, 1, "matrix")
    groups = np.array(example.groups[0])
    other = np.where(np.equal.outer(groups, groups), example.rho, 17.0)
    np.fill_diagonal(other, -3.0)
    mine, same = (
        kernel.multilevel(kernel.prepared(example.y, example.v, example.x, example.groups, rho), restricted=True)
        for rho in (example.rho, other)
    )
    assert mine.components.tolist() == same.components.tolist()


# ---------------------------------------------------------------- jets


def test_jets_have_the_derivatives_of_differences() -> None:
    def composed(at: FloatArray) -> Jet:
        a, b = (Jet.parameter(float(value), i, 2) for i, value in enumerate(at))
        return (a * b + a).log1p() * (b - a * a).inverse_of_1_plus() + a

    def plain(a: float, b: float) -> float:
        return float(np.log1p(a * b + a) / (1.0 + b - a * a) + a)

    at = np.array([0.4, 0.9])
    jet = composed(at)
    assert jet.value == pytest.approx(plain(0.4, 0.9), rel=1e-15)
    h = 1e-5  # central differences: errors near h^2 and eps / h
    for i in range(2):
        step = h * (np.arange(2) == i)
        up, down = composed(at + step), composed(at - step)
        assert jet.first[i] == pytest.approx((plain(*(at + step)) - plain(*(at - step))) / (2.0 * h), rel=1e-8)
        assert jet.second[i] == pytest.approx((up.first - down.first) / (2.0 * h), rel=1e-8)
    assert jet.second[0, 1] == pytest.approx(jet.second[1, 0], rel=1e-14)


def test_a_jet_of_many_numbers_is_summed_with_its_derivatives() -> None:
    one = Jet.parameter(2.0, 0, 1)
    many = Jet(one.value[None], one.first[:, None], one.second[:, :, None]) * Jet(
        np.array([1.0, 2.0, 3.0]), np.zeros((1, 3)), np.zeros((1, 1, 3))
    )
    total = many.total()
    assert (float(total.value), total.first.tolist(), total.second.tolist()) == (12.0, [6.0], [[0.0]])


# ---------------------------------------------------------------- size


def _large(n: int, studies: int) -> tuple[FloatArray, FloatArray, FloatArray, Sequence[npt.NDArray[np.intp]]]:
    rng = np.random.default_rng(1)
    group = rng.integers(0, studies, n)
    v = rng.uniform(0.01, 0.1, n)
    y = 0.2 + rng.normal(0.0, 0.2, studies)[group] + rng.normal(0.0, np.sqrt(v + 0.03))
    return y, v, np.column_stack([np.ones(n), rng.normal(size=n)]), [group]


def test_a_hundred_thousand_effects_take_little_memory() -> None:
    """One n x n matrix of them would be 75 GiB; measured, 106 MiB and, traced, 2 s."""
    y, v, x, groups = _large(100_000, 30_000)
    tracemalloc.start()
    began = time.perf_counter()
    fit = kernel.multilevel(kernel.prepared(y, v, x, groups, 0.5), restricted=True)
    taken, peak = time.perf_counter() - began, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert fit.converged
    # Five standard errors of variances 0.03 and 0.04: sampling errors are drawn independent, so a correlation of 0.5
    # takes half a sampling variance from the one and gives it to the other.
    v_mean = float(np.mean(v))
    assert fit.components.sum() == pytest.approx(0.07, abs=0.005 + 0.1 * v_mean)
    assert peak < 1 << 28  # a quarter of a GiB
    assert taken < 60.0  # any quadratic step would take hours


def test_memory_grows_with_the_number_of_effects_and_no_faster() -> None:
    peaks = []
    for n in (10_000, 40_000):
        y, v, x, groups = _large(n, n // 4)
        tracemalloc.start()
        kernel.multilevel(kernel.prepared(y, v, x, groups), restricted=True)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 5.0 * peaks[0]
