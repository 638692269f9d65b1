"""docs/validation.md holds exactly what tests/simulation/results.json gives, and a small cell gives it again."""

from __future__ import annotations

from math import isfinite, sqrt

import numpy as np
import pytest
from scipy import stats
from tests.simulation import coverage, page

RESULTS = page.Results.stored()
FEW = 400
FEW_OF_SLOW = {"predictions": 25, "tau2_intervals": 100}
# Of the hundred numbers compared below, chance lets about one in a hundred runs exceed this; the seed is fixed.
STANDARD_ERRORS = 4.0


def test_the_tables_are_those_of_the_results() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.rendered(text, RESULTS) == text


def test_the_results_are_of_all_cells_with_the_replicates_said() -> None:
    source = RESULTS.source
    assert (source["replicates"], source["replicates_generalised_q"], source["seed"]) == (
        coverage.REPLICATES,
        coverage.REPLICATES_OF_SLOW,
        coverage.SEED,
    )
    for design in coverage.DESIGNS:
        expected = [(cell.tau2, cell.k) for cell in coverage.CELLS if cell.design == design]
        assert RESULTS.cells(design) == expected


@pytest.mark.parametrize("cell", coverage.CELLS, ids=str)
def test_no_interval_is_missing(cell: coverage.Cell) -> None:
    for part in ("mean_intervals", "tau2_intervals", "predictions"):
        for method in RESULTS.methods(part):
            assert RESULTS.row(cell.design, cell.k, cell.tau2, part, method)["missing"] == 0.0


@pytest.mark.parametrize("part", coverage.PARTS)
def test_a_small_cell_gives_the_stored_numbers_again(part: str) -> None:
    """Within Monte-Carlo error: fewer replicates from the same seed are other draws."""
    cell = coverage.Cell("normal", 5, 0.0144)
    replicates = FEW_OF_SLOW.get(part, FEW)
    for row in coverage.measured((cell, part), replicates):
        stored = RESULTS.row(cell.design, cell.k, cell.tau2, part, str(row["method"]))
        for name in ("coverage", "bias", "rmse", "zero"):
            if name not in stored:
                continue
            new, error, stored_error = (
                float(str(numbers)) for numbers in (row[name], row[f"{name}_se"], stored[f"{name}_se"])
            )
            # A share of exactly 1 in few replicates looks free of error.
            allowed = STANDARD_ERRORS * sqrt(error**2 + stored_error**2) + 1.0 / replicates
            assert isfinite(new)
            assert abs(new - stored[name]) <= allowed, (row["method"], name)


def test_a_cell_repeated_alone_is_the_same() -> None:
    cell = coverage.Cell("correlation", 10, 0.0144)
    first, again = coverage.drawn(cell, 3), coverage.drawn(cell, 3)
    np.testing.assert_array_equal(first, again)
    assert len({tuple(cell.seed) for cell in coverage.CELLS}) == len(coverage.CELLS)


def test_study_sizes_are_those_described() -> None:
    n = coverage.study_sizes(np.random.default_rng(1), (20_000,))
    assert n.min() == coverage.SIZE_LEAST
    assert n.max() <= coverage.SIZE_MOST
    assert (n == np.rint(n)).all()
    # Cut at 10 and 400, the median moves from 43 to 44.1.
    assert np.median(n) == pytest.approx(44.1, abs=1.0)


def test_drawn_correlations_are_those_of_pairs() -> None:
    rng = np.random.default_rng(1)
    n, rho = 12, 0.5
    pairs = rng.multivariate_normal([0.0, 0.0], [[1.0, rho], [rho, 1.0]], (4_000, n))
    centred = pairs - pairs.mean(axis=1, keepdims=True)
    products = np.einsum("rni,rnj->rij", centred, centred)
    of_pairs = products[:, 0, 1] / np.sqrt(products[:, 0, 0] * products[:, 1, 1])
    ours = coverage.correlations(rng, np.full(4_000, rho), np.full(4_000, float(n)))
    assert stats.ks_2samp(of_pairs, ours).pvalue > 0.01


def _range(
    part: str, method: str, *, tau2: tuple[float, ...] = (0.0, 0.005, 0.0144, 0.04), k: int = 0
) -> tuple[float, float]:
    """Lowest and highest coverage, in percent, of cells with these tau2 and at least k studies."""
    found = RESULTS.numbers(part, method, "coverage")
    chosen = [100.0 * value for (of_tau2, of_k), value in found.items() if of_tau2 in tau2 and of_k >= k]
    return min(chosen), max(chosen)


def test_what_the_page_says_in_words() -> None:
    heterogeneous = (0.005, 0.0144, 0.04)
    low, high = _range("mean_intervals", "REML knapp-hartung")
    assert (round(low, 1), round(high, 1)) == (93.2, 95.2)
    assert _range("mean_intervals", "REML knapp-hartung-adhoc")[0] > 94.6
    low, high = _range("mean_intervals", "SJ knapp-hartung")
    assert (round(low, 1), round(high, 1)) == (94.1, 96.1)
    for method in ("profile likelihood", "Henmi-Copas"):
        assert _range("mean_intervals", method)[0] < 91.0
        assert _range("mean_intervals", method, k=20)[0] > 93.4
    low, high = _range("mean_intervals", "EE z", tau2=heterogeneous[1:])
    assert (round(low), round(high)) == (62, 82)
    low, high = _range("tau2_intervals", "Q-profile", tau2=heterogeneous)
    assert (round(low, 1), round(high, 1)) == (94.5, 95.4)
    assert _range("tau2_intervals", "profile REML")[0] > 94.0
    assert _range("tau2_intervals", "Wald REML")[0] < 80.0
    for of_tau2, expected in ((0.005, (83, 91)), (0.0144, (85, 93))):
        low, high = _range("predictions", "REML knapp-hartung t(k-2)", tau2=(of_tau2,))
        assert (round(low), round(high)) == expected
    bias = RESULTS.numbers("tau2", "REML", "bias")
    assert max(abs(bias[at]) for at in bias if at[0] >= 0.0144 and at[1] >= 10) < 0.0013
    assert min(RESULTS.numbers("tau2", "SJ", "bias").values()) > 0.0088
