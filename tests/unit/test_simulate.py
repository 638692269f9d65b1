"""Simulated literatures: the truth comes back, selection distorts it as it must, and every view says simulated."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.text import Text
from scipy import integrate, stats

import alliance_meta as am
from alliance_meta import plots
from alliance_meta.errors import InputError
from alliance_meta.simulate import Dependence, literature

CAVEAT = "Simulated data: made by a program, not from real studies."


def test_the_truth_comes_back_from_a_large_literature() -> None:
    made = literature(k=20_000, rho=0.3, tau=0.15, n=(40, 200), seed=5)
    fit = am.pool(am.effect_sizes(made))
    # Fisher's z of a sample lies rho / (2 (n - 1)) too high: about 0.0015 here; four standard errors of the mean.
    assert fit.estimate == pytest.approx(np.arctanh(0.3) + 0.0015, abs=4.0 * fit.std_error)
    assert fit.tau2 == pytest.approx(0.15**2, abs=0.001)
    assert made.truth.conducted == made.truth.published == 20_000
    assert made.unpublished.empty


def test_correlations_have_the_distribution_of_samples_of_pairs() -> None:
    made = literature(k=40_000, rho=0.5, tau=0.0, n=12, seed=2)
    rng = np.random.default_rng(9)
    x = rng.standard_normal((40_000, 12))
    y = 0.5 * x + np.sqrt(0.75) * rng.standard_normal(x.shape)
    x, y = x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True)
    drawn = (x * y).sum(1) / np.sqrt((x * x).sum(1) * (y * y).sum(1))
    assert stats.ks_2samp(made.table["r"], drawn).pvalue > 0.001


def test_selection_publishes_what_it_says() -> None:
    made = literature(k=4_000, rho=0.1, tau=0.1, n=60, selection=0.25, seed=4)
    critical, spread = stats.norm.ppf(0.975) / np.sqrt(57.0), np.sqrt(0.01 + 1.0 / 57.0)
    significant = stats.norm.sf(critical, np.arctanh(0.1), spread)
    share = significant + 0.25 * (1.0 - significant)
    se = np.sqrt(share * (1.0 - share) / made.truth.conducted)
    assert made.truth.published / made.truth.conducted == pytest.approx(share, abs=5.0 * se)
    assert len(made.unpublished) == made.truth.conducted - 4_000
    assert (np.arctanh(made.unpublished["r"]) < critical).all()

    def weight(z: float) -> float:
        return float(stats.norm.pdf(z, np.arctanh(0.1), spread)) * (1.0 if z > critical else 0.25)

    expected = integrate.quad(lambda z: z * weight(z), -1.5, 1.5, points=[critical])[0] / share
    assert np.arctanh(made.table["r"]).mean() == pytest.approx(expected, abs=0.01)


def test_a_negative_truth_is_selected_on_its_own_side() -> None:
    made = literature(k=500, rho=-0.2, selection=0.1, seed=1)
    assert made.table["r"].mean() < -0.2


def test_dependence_comes_back() -> None:
    made = literature(
        k=3_000, rho=0.2, tau=0.15, n=80, dependence=Dependence(effects=(2, 5), correlation=0.7, tau=0.1), seed=8
    )
    effects = am.effect_sizes(made)
    assert set(effects.shared_studies().values()) == {2, 3, 4, 5}
    fit = am.multilevel(effects, correlation=0.7)
    assert fit.components == pytest.approx([0.01, 0.0225], abs=0.0015)


def test_moderators_have_their_slopes() -> None:
    made = literature(k=5_000, moderators={"allegiance": 0.1, "noise": 0.0}, seed=6)
    fit = am.meta_regression(am.effect_sizes(made), "allegiance + noise")
    assert fit.coefficients[1:] == pytest.approx([0.1, 0.0], abs=0.01)
    assert dict(made.truth.slopes) == {"allegiance": 0.1, "noise": 0.0}


@pytest.mark.parametrize("n", [50, (10, 90), None])
def test_sample_sizes(n: int | tuple[int, int] | None) -> None:
    sizes = literature(k=400, n=n).table["n"]
    low, high = {50: (50, 50), (10, 90): (10, 90), None: (10, 10_000)}[n]
    assert sizes.between(low, high).all()
    assert literature(k=3, n=[10, 20, 30]).table["n"].tolist() == [10, 20, 30]


def test_the_seed_decides_everything() -> None:
    one, two, three = (literature(k=30, selection=0.3, seed=seed) for seed in (1, 1, 2))
    assert one.table.equals(two.table)
    assert one.unpublished.equals(two.unpublished)
    assert not one.table.equals(three.table)


@pytest.mark.parametrize("k", [1, 2, 7, 79])
def test_as_many_studies_as_asked_for_are_published(k: int) -> None:
    made = literature(k=k, selection=0.2, dependence=Dependence(), seed=k)
    assert made.table["study"].nunique() == k
    assert made.table["effect_id"].is_unique
    assert made.truth.published == len(made.table)
    assert made.truth.conducted == len(made.table) + len(made.unpublished)


def test_every_view_says_that_they_are_simulated() -> None:
    made = literature(k=6)
    effects = am.effect_sizes(made)
    fit = am.pool(effects)
    for view in (repr(made), str(made), made._repr_html_(), str(effects), repr(fit), str(fit), fit._repr_html_()):
        assert CAVEAT in " ".join(view.split())
    figure = plots.forest(fit).get_figure()
    assert figure is not None
    assert any(CAVEAT in text.get_text() for text in figure.findobj(Text))
    assert "middle of the true correlations" in str(made)
    assert "chance to publish" in str(literature(k=6, selection=0.5))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"k": 0}, "k must be a whole number"),
        ({"rho": 1.0}, "rho must lie between -1 and 1"),
        ({"tau": -0.1}, "tau must be a finite number"),
        ({"selection": 0.0}, "selection must lie between 0 and 1"),
        ({"n": 3}, "n must be a whole number from 4 up"),
        ({"n": (20, 10)}, "n must be a whole number from 4 up"),
        ({"n": [10, 20]}, "n must be a whole number, two, or 79 of them"),
        ({"n": [30] * 79, "selection": 0.5}, "selection draws more of them"),
        ({"dependence": Dependence(effects=(3, 2))}, "fewest and most"),
        ({"dependence": Dependence(correlation=1.0)}, "correlation must lie between"),
        ({"moderators": {"r": 0.1}}, "moderators may not be called"),
        ({"moderators": {"x": float("nan")}}, "slopes of moderators must be finite"),
    ],
)
def test_numbers_out_of_range(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        literature(**arguments)  # type: ignore[arg-type]
