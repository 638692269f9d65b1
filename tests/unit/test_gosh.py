"""Every subset of a set of studies: metafor's gosh(), pool_many(), and sums taken one subset at a time."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

import alliance_meta as am
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.results.sensitivity._gosh import Gosh
from alliance_meta.sensitivity._gosh import gosh
from alliance_meta.stats import gosh as kernel
from alliance_meta.stats import heterogeneity
from alliance_meta.stats.random_effects import random_effects
from alliance_meta.stats.subset_contrasts import density_peaks

FloatArray = npt.NDArray[np.float64]

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "gosh.json").read_text(encoding="utf-8"))["bcg"]
METHODS = ("REML", "ML", "DL", "DL2", "HE", "CA2", "HS", "HSk", "SJ", "PM", "PMM", "EB", "EE")
NAMES = ("estimate", "tau2", "i2", "q_statistic")
# The same sums in another order.
SAME = 1e-12


def _effects(y: npt.ArrayLike, v: npt.ArrayLike, study: list[str] | None = None) -> am.EffectSizes:
    y = np.asarray(y, dtype=float)
    labels = study or [f"s{i}" for i in range(y.size)]
    frame = pd.DataFrame({"study": labels, "effect": y, "variance": np.broadcast_to(v, y.shape)})
    return am.effect_sizes(frame, measure="GEN", effect="effect", variance="variance")


def _random(k: int, seed: int = 1, outlier: float = 0.0) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    v = np.exp(rng.normal(-3.5, 0.5, k))
    y = rng.normal(0.3, np.sqrt(v + 0.01))
    y[0] += outlier
    return y, v


KOLDEN = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
BCG = _effects(REFERENCE["yi"], REFERENCE["vi"])


# ---------------------------------------------------------------- against metafor


@pytest.mark.parametrize("method", ["EE", "DL", "REML"])
def test_all_subsets_of_bcg(method: str) -> None:
    theirs, found = REFERENCE["fits"][method], gosh(BCG, tau2_method=method)
    assert found.estimate.size == theirs["subsets"] == 2**13 - 1
    some = {name: np.array(values, dtype=float) for name, values in theirs["some"].items()}
    at = some["number"].astype(int) - 1
    np.testing.assert_array_equal(found.k[at], some["k"])
    two = found.k[at] > 1
    # metafor prints 15 digits, and stops its scoring where a step is below 1e-13 of the mean variance.
    for ours, other in (("estimate", "estimate"), ("tau2", "tau2"), ("i2", "I2"), ("q_statistic", "QE")):
        mine = getattr(found, ours)
        np.testing.assert_allclose(mine[at][two], some[other][two], rtol=1e-11, atol=1e-11)
        mean = theirs["mean_of_two_or_more"][other]
        assert mine[found.k > 1].mean() == pytest.approx(mean, rel=1e-11)
    # One study: its effect; metafor has tau2 = I2 = 0 there.
    np.testing.assert_allclose(found.estimate[at][~two], some["estimate"][~two], rtol=1e-14)
    assert np.isnan(found.i2[found.k == 1]).all()


# ---------------------------------------------------------------- against the obvious


def _one_by_one(y: FloatArray, v: FloatArray, include: FloatArray, method: str) -> dict[str, FloatArray]:
    fits = am.pool_many(y, v, include, tau2_method=method, test="z")
    cochran = heterogeneity.cochran_q(y, v, include)
    from_tau2 = heterogeneity.inconsistency_from_tau2(fits.tau2, v, include).i2
    i2 = heterogeneity.inconsistency_from_q(cochran).i2 if method == "EE" else from_tau2
    return {"estimate": fits.estimate, "tau2": fits.tau2, "i2": i2, "q_statistic": cochran.q_statistic}


def _included(found: Gosh) -> FloatArray:
    return np.stack([found.included(label) for label in found.labels], axis=1).astype(float)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("k", [3, 9])
def test_all_subsets_are_those_of_pool_many(method: str, k: int) -> None:
    y, v = _random(k, outlier=1.0)
    found = gosh(_effects(y, v), tau2_method=method)
    include = _included(found)
    assert len(np.unique(include, axis=0)) == len(include) == 2**k - 1
    np.testing.assert_array_equal(found.k, include.sum(axis=1))
    for name, values in _one_by_one(y, v, include, method).items():
        np.testing.assert_allclose(getattr(found, name), values, rtol=SAME, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("method", ["DL", "EE"])
def test_more_studies_than_one_block_holds(method: str) -> None:
    y, v = _random(16, outlier=1.0)
    found = gosh(_effects(y, v), tau2_method=method)
    some = np.arange(5, 2**16 - 1, 97)
    for name, values in _one_by_one(y, v, _included(found)[some], method).items():
        np.testing.assert_allclose(getattr(found, name)[some], values, rtol=SAME, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("method", ["DL", "EE", "PM"])
@pytest.mark.parametrize("k", [12, 23, 40, 300])
def test_random_subsets_are_those_of_pool_many(method: str, k: int) -> None:
    y, v = _random(k)
    found = gosh(_effects(y, v), tau2_method=method, subsets=300)
    include = _included(found)
    assert not found.exhaustive
    assert found.packed.shape == (300, -(-k // 8))
    np.testing.assert_array_equal(found.k, include.sum(axis=1))
    for name, values in _one_by_one(y, v, include, method).items():
        np.testing.assert_allclose(getattr(found, name), values, rtol=SAME, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("method", ["DL", "EE"])
def test_no_digits_are_lost_between_unequal_variances(method: str) -> None:
    """Against exact fractions: a sum of squares less the square of a sum would have no digit left."""
    y, v = [1e4, 1e4 + 2**-10, 1e4 - 2**-9, 7.0], [2.0**-40, 2.0**-30, 1.0, 2.0**20]
    found = gosh(_effects(y, v), tau2_method=method)
    for row, include in enumerate(_included(found)):
        if include.sum() < 2:
            continue
        w = [1 / Fraction(each) if used else Fraction(0) for each, used in zip(v, include, strict=True)]
        total = sum(w, Fraction(0))
        mean = sum(a * Fraction(b) for a, b in zip(w, y, strict=True)) / total
        q = sum(a * (Fraction(b) - mean) ** 2 for a, b in zip(w, y, strict=True))
        tau2 = max(Fraction(0), (q - int(include.sum()) + 1) / (total - sum(a * a for a in w) / total))
        assert found.q_statistic[row] == pytest.approx(float(q), rel=1e-8)  # the difference of two effects has 1e-12
        if method == "EE":
            assert found.estimate[row] == pytest.approx(float(mean), rel=1e-15)
            continue
        assert found.tau2[row] == pytest.approx(float(tau2), rel=1e-8)
        w = [Fraction(int(used)) / (Fraction(each) + tau2) for each, used in zip(v, include, strict=True)]
        mean = sum(a * Fraction(b) for a, b in zip(w, y, strict=True)) / sum(w, Fraction(0))
        assert found.estimate[row] == pytest.approx(float(mean), rel=1e-8)


# ---------------------------------------------------------------- the same numbers however they are computed


@pytest.mark.parametrize(("method", "subsets"), [("DL", None), ("EE", None), ("DL", 5000), ("REML", 3000), ("PM", 999)])
def test_numbers_do_not_depend_on_chunks_or_workers(method: str, subsets: int | None) -> None:
    effects = _effects(*_random(15, outlier=1.0))
    first = gosh(effects, tau2_method=method, subsets=subsets, workers=1)
    for workers, chunk_size in ((1, 1000), (2, 777), (3, 1 << 14)):
        again = gosh(effects, tau2_method=method, subsets=subsets, workers=workers, chunk_size=chunk_size)
        for name in (*NAMES, "k", "packed", "peak_estimates"):
            np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
        pd.testing.assert_frame_equal(first.to_frame(), again.to_frame(), check_exact=True)


def test_the_seed_draws_the_subsets() -> None:
    effects = _effects(*_random(30))
    one, same, other = (gosh(effects, tau2_method="EE", subsets=500, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.packed, same.packed)
    assert (one.packed != other.packed).any()


def test_random_subsets_have_the_same_chance() -> None:
    drawn = kernel.random_subsets(3, 70_000, seed=5)[:, 0]
    counts = np.bincount(drawn, minlength=8)
    assert counts[0] == 0
    # 10,000 expected of each, with a standard deviation of 93.
    assert np.abs(counts[1:] - 10_000).max() < 400


def test_how_many_subsets() -> None:
    effects = _effects(*_random(10))
    assert gosh(effects, tau2_method="EE", subsets=1022).exhaustive is False
    assert gosh(effects, tau2_method="EE", subsets=1023).exhaustive is True
    assert gosh(effects, tau2_method="EE", subsets=10**7).estimate.size == 1023
    found = gosh(_effects(*_random(23)), tau2_method="EE")
    assert not found.exhaustive
    assert found.estimate.size == 1_000_000


def test_an_interrupt_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(kernel, "packed_fits", interrupted)
    with pytest.raises(KeyboardInterrupt):
        gosh(_effects(*_random(12)), tau2_method="PM", workers=2, chunk_size=100)


# ---------------------------------------------------------------- which study explains the clusters


@pytest.mark.parametrize("subsets", [None, 700])
def test_contrasts_are_those_of_two_groups(subsets: int | None) -> None:
    found = gosh(_effects(*_random(10, outlier=1.0)), tau2_method="DL", subsets=subsets)
    used, frame = found.compared, found.to_frame().set_index("study")
    assert used.sum() == (found.k > 1).sum()
    for name, values in (("estimate", found.estimate), ("i2", found.i2)):
        for label in found.labels:
            own, others = values[used & found.included(label)], values[used & ~found.included(label)]
            within = ((own - own.mean()) ** 2).sum() + ((others - others.mean()) ** 2).sum()
            d = (own.mean() - others.mean()) / np.sqrt(within / (used.sum() - 2))
            share = np.corrcoef(values[used], found.included(label)[used])[0, 1] ** 2
            expected = [own.mean(), others.mean(), d, share]
            columns = [f"{name}_{part}" for part in ("with", "without", "difference", "share")]
            np.testing.assert_allclose(frame.loc[label, columns].to_numpy(float), expected, rtol=1e-9, atol=1e-12)


def test_an_outlier_is_named() -> None:
    found = gosh(_effects(*_random(14, outlier=3.0)), tau2_method="EE")
    frame = found.to_frame()
    assert frame["study"][frame["estimate_share"].argmax()] == "s0"
    assert found.peak_estimates.size == 2
    assert "form 2 clusters" in found.sentence
    assert "whether s0 is in them" in found.sentence
    assert "s0 moves it most" in found.headline
    assert found.peak_shares.sum() == pytest.approx(1.0)


def test_alike_studies_form_one_cluster() -> None:
    found = gosh(_effects(*_random(14)), tau2_method="EE")
    assert found.peak_estimates.size == 1
    assert "form one cluster" in found.sentence


def test_two_kinds_of_studies_need_no_single_one() -> None:
    y = np.repeat([0.0, 3.0], 5) + 0.01 * np.arange(10)
    found = gosh(_effects(y, 0.01), tau2_method="EE")
    assert "which do not come down to any single effect" in found.sentence or "one cluster" in found.sentence


def test_peaks_of_known_densities() -> None:
    rng = np.random.default_rng(3)
    near, far = rng.normal(0.0, 1.0, 60_000), rng.normal(6.0, 1.0, 40_000)
    assert density_peaks(near).at.size == 1
    peaks = density_peaks(np.concatenate([near, far]))
    np.testing.assert_allclose(peaks.at, [0.0, 6.0], atol=0.3)
    np.testing.assert_allclose(peaks.share, [0.6, 0.4], atol=0.01)
    assert density_peaks(np.concatenate([near, far[:1000]])).at.size == 1  # too few for a cluster
    assert density_peaks(np.concatenate([near, rng.normal(1.5, 1.0, 60_000)])).at.size == 1
    assert density_peaks(np.full(200, 0.3)).share.tolist() == [1.0]
    assert density_peaks(1e6 + 1e-3 * np.concatenate([near, far])).at.size == 2


# ---------------------------------------------------------------- edges


@pytest.mark.parametrize("method", ["DL", "EE", "REML"])
def test_identical_effects(method: str) -> None:
    found = gosh(_effects(np.full(8, 0.3), np.linspace(0.01, 0.3, 8)), tau2_method=method)
    np.testing.assert_allclose(found.estimate, 0.3, rtol=1e-15)
    assert (found.tau2[found.compared] == 0.0).all()
    assert (found.i2[found.compared] == 0.0).all()
    assert found.to_frame()[["estimate_share", "i2_share", "estimate_difference"]].isna().all(axis=None)
    assert "all the same" in found.sentence
    assert "I² is 0% in every one" in found.sentence
    assert "–" in str(found)


def test_three_effects() -> None:
    found = gosh(_effects([0.1, 0.3, 0.9], 0.02), tau2_method="DL")
    assert found.estimate.size == 7
    assert found.compared.sum() == 4
    assert found.peak_estimates.size == 0
    assert "for clusters they are too few" in found.sentence


def test_labels_that_come_again_are_numbered() -> None:
    found = gosh(_effects([0.1, 0.3, 0.9], 0.02, ["A", "B", "A"]), tau2_method="EE")
    assert found.labels == ("A [1]", "B", "A [2]")
    assert found.included("A [2]").tolist() == [False, False, False, True, True, True, True]
    assert any("share a study" in caution for caution in found.cautions)
    with pytest.raises(UnknownNameError, match="Did you mean 'A"):
        found.included("a [1]x")


def test_failed_fits_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*args: Any, **options: Any) -> Any:
        fit = random_effects(*args, **options)
        return fit._replace(converged=fit.k < 5.0)

    monkeypatch.setattr(kernel, "random_effects", failing)
    found = gosh(_effects(*_random(5)), tau2_method="REML")
    assert np.isnan(found.estimate).sum() == 1
    assert found.notes == ("In 1 subsets REML did not reach its solution; they are NaN and left out.",)


def test_a_result_cannot_be_changed() -> None:
    found = gosh(KOLDEN, tau2_method="EE")
    with pytest.raises(FrozenInstanceError):
        found.seed = 3  # type: ignore[misc]
    for name in (*NAMES, "k", "packed", "peak_estimates"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(found, name)[0] = 1


def test_words_on_the_shown_scale() -> None:
    found = gosh(KOLDEN, tau2_method="DL")
    assert repr(found) == (
        "<Gosh: r from −.149 to .613 over 65,535 subsets of 16 effects (DL); Hansen et al., 1968 moves it most (38% of "
        "its variance)>"
    )
    assert "r = .290 on average with it and .203 without (38% of their variance)" in found.sentence
    assert "cannot be read from it" in found.sentence
    assert found.to_frame()["estimate_with"].max() == pytest.approx(np.arctanh(0.290), abs=1e-3)
    assert "and 4 more of smaller shares: see to_frame()" in str(found)
    assert list(found.subsets_frame()) == ["k", "q_statistic", "i2", "tau2", "estimate"]
    sampled = gosh(KOLDEN, tau2_method="DL", subsets=2000, seed=9)
    assert "A random sample (seed 9) of all 65,535 subsets" in str(sampled)
    assert "2,000 random subsets" in sampled.headline


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subsets": 0}, "subsets must be a whole number from 1 to 33,554,432, not 0"),
        ({"subsets": 10**9}, "subsets must be a whole number from 1"),
        ({"subsets": 2.5}, "subsets must be a whole number"),
        ({"seed": -1}, "seed must be a whole number of 0 or more, not -1"),
        ({"workers": 0}, "workers must be a whole number of 1 or more"),
        ({"chunk_size": True}, "chunk_size must be a whole number"),
        ({"tau2_method": "GENQ"}, "unknown tau2_method 'GENQ'"),
        ({"tau2_method": "dl"}, "Did you mean 'DL'"),
    ],
)
def test_bad_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        gosh(KOLDEN, **options)


def test_bad_effects() -> None:
    with pytest.raises(InputError, match="takes the result of effect_sizes"):
        gosh([0.1, 0.2])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="three or more effects, whose subsets can differ; there are 2"):
        gosh(_effects([0.1, 0.2], 0.1))
