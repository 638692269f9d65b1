"""Cluster-robust covariances and tests: clubSandwich, robumeta, the definitions written out, and 50 digits."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from tests.reference.dense_robust import dense, fifty_digits, wild_statistic

import alliance_meta as am
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.robustness import robust
from alliance_meta.stats.robust import (
    ADJUSTMENTS,
    BOOTSTRAP_WEIGHTS,
    Block,
    blocks_of,
    contrast_covariance,
    joint_test,
    sandwich,
    satterthwaite_df,
    wild_bootstrap,
)

FloatArray = npt.NDArray[np.float64]
REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "robust.json").read_text(encoding="utf-8"))
INDEPENDENT: dict[str, Any] = {case["name"]: case for case in REFERENCE["independent"]}
RTOL = 1e-9
JOINT = {"HTZ": "HTZ", "Naive-F": "naive-F", "Naive-Fp": "naive-Fp", "chi-sq": "chi-square"}
# A column of years beside an intercept: clubSandwich forms X (X'WX)^-1 X', which cancels; 50 digits side with us.
CANCELS = {"random04": 1e-8, "random19": 1e-8, "random39": 1e-7}


def _close(expected: Any, rtol: float = RTOL) -> Any:
    return pytest.approx(np.asarray(expected, dtype=float), rel=rtol, abs=0.0)


def _columns(case: Any) -> tuple[FloatArray, FloatArray, FloatArray, npt.NDArray[np.intp]]:
    x, y, v = (np.array(case[name], dtype=float) for name in ("x", "yi", "vi"))
    return x.T, y, v, np.array(case["cluster"], dtype=np.intp) - 1


def _fitted(case: Any) -> am.PooledEffect | am.MetaRegression:
    x, y, v, cluster = _columns(case)
    names = [f"x{j}" for j in range(1, x.shape[1])]
    frame = pd.DataFrame({"effect": y, "variance": v, "group": cluster, **dict(zip(names, x.T[1:], strict=True))})
    effects = am.effect_sizes(frame, measure="GEN")
    if names:
        return am.meta_regression(effects, " + ".join(names), tau2_method="DL")
    weights = case["weights"] or "inverse-variance"
    return am.pool(effects, tau2_method="DL", weights=weights)


# ---------------------------------------------------------------- clubSandwich


@pytest.mark.parametrize("name", INDEPENDENT)
def test_every_number_agrees_with_clubsandwich(name: str) -> None:
    case = INDEPENDENT[name]
    fit = _fitted(case)
    for adjustment, theirs in case["fits"].items():
        rtol = CANCELS.get(name, RTOL)
        found = robust(fit, "group", adjustment=adjustment)
        p = len(found.names)
        frame = found.to_frame()
        assert found.coefficients == _close(case["b"])
        variances = np.array(theirs["covariance"]).reshape(p, p)
        assert found.std_errors == _close(np.sqrt(np.diagonal(variances)), rtol)
        size = np.sqrt(np.outer(np.diagonal(variances), np.diagonal(variances)))
        np.testing.assert_allclose(found.covariance / size, variances / size, atol=rtol, rtol=0.0)
        assert found.df == _close(theirs["df"], rtol)
        assert frame["p_value"].to_numpy() == _close(theirs["p_values"], 10 * rtol)
        for their_test, ours in JOINT.items() if p > 1 else ():
            statistic, df1, df2, p_value = (np.nan if x is None else x for x in theirs["joint"][their_test])
            test = found.omnibus(test=ours)
            assert test.df1 == df1
            if ours == "chi-square":
                statistic, df2 = statistic * df1, np.inf  # clubSandwich divides it, as an F
            if np.isnan(p_value):
                assert np.isnan(test.p_value)
                continue
            assert test.statistic == pytest.approx(statistic, rel=rtol), their_test
            assert test.df2 == pytest.approx(df2, rel=rtol), their_test
            assert test.p_value == pytest.approx(p_value, rel=50 * rtol, abs=1e-300), their_test


def test_every_case_is_there() -> None:
    random = [name for name in INDEPENDENT if name.startswith("random")]
    assert (len(INDEPENDENT) - len(random), len(random)) == (11, 40)
    kinds = [adjustment for case in INDEPENDENT.values() for adjustment in case["fits"]]
    # Where a cluster has leverage 1, clubSandwich inverts a matrix for CR3 that is singular but for rounding.
    assert {kind: kinds.count(kind) for kind in ADJUSTMENTS} == COUNTS


COUNTS = {"CR0": 51, "CR1": 51, "CR1p": 51, "CR1S": 51, "CR2": 51, "CR3": 44}


def test_the_published_numbers_of_the_districts() -> None:
    # coef_test(rma(yi, vi, mods = ~year, data = dat.konstantopoulos2011), vcov = "CR2",
    #     cluster = dat.konstantopoulos2011$district)$SE, whose REML stops when tau2 moves by less than 1e-5
    fit = _fitted(INDEPENDENT["konstantopoulos2011_year"])
    found = robust(am.meta_regression(fit.effects, "x1"), "group")
    assert found.clusters == 11
    assert found.std_errors == _close([17.95196201878164, 0.00901070775026], 1e-5)


@pytest.mark.parametrize("name", CANCELS)
def test_fifty_digits_decide_where_clubsandwich_cancels(name: str) -> None:
    case = INDEPENDENT[name]
    x, y, v, cluster = _columns(case)
    working = v + case["tau2"]
    tested = list(range(1, x.shape[1]))
    truth, f = fifty_digits(x, y, working, cluster, tested)
    root = np.sqrt(1.0 / working)
    b = np.linalg.lstsq(x * root[:, None], y * root, rcond=None)[0]
    found = sandwich(x, y - x @ b, cluster, working)
    test = joint_test(found, np.eye(len(b))[tested], b[tested])
    # Years have a condition of 1e3 to 1e4 beside an intercept, which costs as many digits of 1e-16 and of b.
    np.testing.assert_allclose(np.diagonal(found.covariance), np.diagonal(truth.covariance), rtol=1e-10)
    np.testing.assert_allclose(satterthwaite_df(found, np.eye(len(b))), truth.df, rtol=1e-10)
    assert test.df2 == pytest.approx(truth.htz_df, rel=1e-10)
    assert test.statistic == pytest.approx(f, rel=1e-10)


# ---------------------------------------------------------------- correlated errors


def _covariance_of(case: Any, v: FloatArray, cluster: npt.NDArray[np.intp]) -> Any:
    inner = np.array(case["inner"])
    outer_variance, inner_variance = case["sigma2"]

    def covariance(rows: npt.NDArray[np.intp]) -> FloatArray:
        def alike(labels: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
            return np.asarray(labels[rows][:, :, None] == labels[rows][:, None, :])

        errors = np.sqrt(v[rows][:, :, None] * v[rows][:, None, :])
        errors *= np.where(np.eye(rows.shape[1], dtype=bool), 1.0, case["rho"] * alike(inner))
        return np.asarray(errors + outer_variance * alike(cluster) + inner_variance * alike(inner), dtype=float)

    return covariance


@pytest.mark.parametrize("case", REFERENCE["correlated"], ids=lambda case: case["name"])
def test_correlated_errors_agree_with_clubsandwich(case: Any) -> None:
    # Working covariances of rma.mv(yi, V, random = list(~ 1 | cluster, ~ 1 | inner), sigma2 = fixed)
    x, y, v, cluster = _columns(case)
    inner = np.unique(case["inner"], return_inverse=True)[1]
    groups = cluster if case["sigma2"][0] else inner
    blocks = blocks_of(groups, _covariance_of(case, v, cluster))
    b = np.array(case["b"])
    for adjustment, theirs in case["fits"].items():
        found = sandwich(x, y - x @ b, cluster, blocks, adjustment=adjustment)
        variances = np.array(theirs["covariance"]).reshape(b.size, b.size)
        assert np.diagonal(found.covariance) == _close(np.diagonal(variances))
        assert satterthwaite_df(found, np.eye(b.size)) == _close(theirs["df"])
        if b.size > 1:
            test = joint_test(found, np.eye(b.size)[1:], b[1:])
            assert (test.statistic, test.df1, test.df2, test.p_value) == _close(theirs["joint"]["HTZ"])


def test_blocks_must_lie_within_clusters_and_hold_every_row_once() -> None:
    x, e = np.ones((4, 1)), np.array([0.1, -0.1, 0.2, -0.2])
    made = blocks_of([0, 0, 1, 1], lambda rows: np.eye(2) + np.zeros((len(rows), 2, 2)))
    with pytest.raises(InputError, match="rows 0, 1: clusters must contain the model's outermost groups"):
        sandwich(x, e, [0, 1, 1, 0], made)
    with pytest.raises(InputError, match="must hold each of the 4 observations once"):
        sandwich(x, e, [0, 0, 1, 1], made * 2)
    with pytest.raises(InputError, match="not positive definite"):
        sandwich(x, e, [0, 0, 1, 1], [Block(made[0].rows, np.ones((2, 2, 2)))])


# ---------------------------------------------------------------- robumeta


@pytest.mark.parametrize("case", REFERENCE["robumeta"], ids=lambda case: case["name"])
def test_given_robumetas_weights_its_tables_come_out(case: Any) -> None:
    # robu(..., small = TRUE) of robumeta's correlated and hierarchical effects, and of Tipton and Pustejovsky's example
    x, y, _, cluster = _columns(case)
    w = np.array(case["r_weights"])
    b = np.linalg.lstsq(x * np.sqrt(w)[:, None], y * np.sqrt(w), rcond=None)[0]
    found = sandwich(x, y - x @ b, cluster, 1.0 / w)
    assert b == _close(case["b"])
    assert np.sqrt(np.diagonal(found.covariance)) == _close(case["se"])
    assert satterthwaite_df(found, np.eye(b.size)) == _close(case["df"])
    for theirs in case["tests"]:
        chosen = np.array(theirs["tested"], dtype=int) - 1
        test = joint_test(found, np.eye(b.size)[chosen], b[chosen])
        assert (test.statistic, test.df1, test.df2, test.p_value) == _close(theirs["HTZ"])


# ---------------------------------------------------------------- definitions written out


def _random_model(seed: int, s: int = 7, p: int = 3) -> tuple[FloatArray, FloatArray, FloatArray, Any]:
    rng = np.random.default_rng(seed)
    cluster = rng.permutation(np.repeat(np.arange(s), rng.integers(1, 6, s)))
    x = np.column_stack([np.ones(cluster.size), rng.normal(size=(cluster.size, p - 1))])
    y = rng.normal(size=cluster.size) + rng.normal(size=s)[cluster]
    return x, y, rng.uniform(0.5, 3.0, cluster.size), cluster


def _residual(x: FloatArray, y: FloatArray, w: FloatArray) -> tuple[FloatArray, FloatArray]:
    b = np.asarray(np.linalg.solve(x.T @ w @ x, x.T @ w @ y), dtype=np.float64)
    return b, y - x @ b


@pytest.mark.parametrize("adjustment", ADJUSTMENTS)
@pytest.mark.parametrize("kind", ["inverse-variance", "given weights", "blocks"])
def test_structure_gives_what_full_matrices_give(adjustment: str, kind: str) -> None:
    for seed in range(5):
        x, y, v, cluster = _random_model(seed)
        n, p = x.shape
        phi = np.diag(v)
        working: Any = v
        weights = None
        if kind == "given weights":
            weights = np.random.default_rng(seed).uniform(0.2, 2.0, n)
        if kind == "blocks":
            phi = np.where(cluster[:, None] == cluster, 0.7, 0.0) + np.diag(v)
            groups = [np.flatnonzero(cluster == c) for c in range(cluster.max() + 1)]
            working = [Block(rows[None], phi[np.ix_(rows, rows)][None]) for rows in groups]
        w = np.asarray(np.linalg.inv(phi) if weights is None else np.diag(weights), dtype=np.float64)
        b, e = _residual(x, y, w)
        found = sandwich(x, e, cluster, working, weights=weights, adjustment=adjustment)
        truth = dense(x, e, phi, w, cluster, adjustment, [1, 2])
        np.testing.assert_allclose(found.covariance, truth.covariance, rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(satterthwaite_df(found, np.eye(p)), truth.df, rtol=1e-10)
        assert joint_test(found, np.eye(p)[1:], b[1:]).df2 == pytest.approx(truth.htz_df, rel=1e-10)


def test_a_cluster_that_coefficients_fit_exactly() -> None:
    x, y, v, cluster = _random_model(3)
    x = np.column_stack([x, cluster == 2])
    phi, w = np.diag(v), np.diag(1.0 / v)
    _, e = _residual(x, y, w)
    for adjustment in ADJUSTMENTS:
        found = sandwich(x, e, cluster, v, adjustment=adjustment)
        truth = dense(x, e, phi, w, cluster, adjustment, [1, 2])
        assert found.absorbed.tolist() == [i == 2 for i in range(7)]
        np.testing.assert_allclose(found.covariance, truth.covariance, rtol=1e-9, atol=1e-13)
        np.testing.assert_allclose(satterthwaite_df(found, np.eye(4)), truth.df, rtol=1e-8)


@pytest.mark.parametrize("weights", [None, "given"])
def test_cr2_is_unbiased_under_the_working_model(weights: str | None) -> None:
    x, y, v, cluster = _random_model(11)
    own = None if weights is None else np.random.default_rng(0).uniform(0.2, 2.0, v.size)
    w = np.diag(1.0 / v if own is None else own)
    bread = np.linalg.inv(x.T @ w @ x)
    truth = bread @ x.T @ w @ np.diag(v) @ w @ x @ bread
    found = sandwich(x, _residual(x, y, w)[1], cluster, v, weights=own)
    inner = np.swapaxes(found.lever, -1, -2) @ found.kernel @ found.lever
    expected = found.basis @ (found.spread + inner).sum(axis=0) @ found.basis.T
    np.testing.assert_allclose(expected, truth, rtol=1e-11)


def test_nothing_depends_on_the_order_of_rows_or_the_units_of_columns() -> None:
    x, y, v, cluster = _random_model(5)
    order = np.random.default_rng(1).permutation(len(y))
    units = np.array([1.0, 1e6, 1e-4])
    _, e = _residual(x, y, np.diag(1.0 / v))
    plain = sandwich(x, e, cluster, v)
    moved = sandwich((x * units)[order], e[order], cluster[order], v[order])
    np.testing.assert_allclose(moved.covariance * np.outer(units, units), plain.covariance, rtol=1e-11)
    np.testing.assert_allclose(satterthwaite_df(moved, np.eye(3)), satterthwaite_df(plain, np.eye(3)), rtol=1e-11)
    np.testing.assert_allclose(contrast_covariance(plain, np.eye(3)), plain.covariance, rtol=1e-12)


# ---------------------------------------------------------------- wild bootstrap


@pytest.mark.parametrize(("weights", "s"), [("rademacher", 7), ("webb", 4)])
@pytest.mark.parametrize("adjustment", ["CR0", "CR1", "CR2"])
@pytest.mark.parametrize("contrasts", [np.eye(3)[1:2], np.eye(3)[1:]], ids=["one", "two"])
def test_all_replicates_are_those_of_refitting(weights: str, s: int, adjustment: str, contrasts: FloatArray) -> None:
    x, y, v, cluster = _random_model(s, s)
    phi, w = np.diag(v), np.diag(1.0 / v)
    b, e = _residual(x, y, w)
    null = np.full(len(contrasts), 0.1)
    fit = sandwich(x, e, cluster, v, adjustment=adjustment)
    found = wild_bootstrap(fit, contrasts, contrasts @ b - null, n=1300, weights=weights)
    refitted = np.array(
        [
            wild_statistic(x, y, phi, w, cluster, adjustment, contrasts, null, np.array(each))
            for each in product(BOOTSTRAP_WEIGHTS[weights], repeat=s)
        ]
    )
    observed = wild_statistic(x, y, phi, w, cluster, adjustment, contrasts, null, np.ones(s))
    assert found.exact
    assert found.replicates == len(refitted)
    assert found.statistic == pytest.approx(observed, rel=1e-10)
    assert found.p_value == pytest.approx((refitted > observed * (1.0 - 1e-9)).mean(), rel=1e-14)


def test_random_replicates_do_not_depend_on_threads_and_are_near_all_of_them() -> None:
    x, y, v, cluster = _random_model(2, 12)
    b, e = _residual(x, y, np.diag(1.0 / v))
    fit = sandwich(x, e, cluster, v)
    every = wild_bootstrap(fit, np.eye(3)[1:], b[1:], n=2**12)
    some = [wild_bootstrap(fit, np.eye(3)[1:], b[1:], n=4_000, seed=4, workers=workers) for workers in (1, 2)]
    other = wild_bootstrap(fit, np.eye(3)[1:], b[1:], n=4_000, seed=5)
    assert every.exact
    assert not some[0].exact
    assert some[0] == some[1] != other
    assert some[0].p_value == pytest.approx(every.p_value, abs=5 * 0.5 / 4_000**0.5)


# ---------------------------------------------------------------- what people see


@pytest.fixture(scope="module")
def effects() -> am.EffectSizes:
    return am.effect_sizes(am.datasets.load("farber_doolin2011_effects"))


def test_a_pooled_mean_on_both_scales(effects: am.EffectSizes) -> None:
    found = robust(am.pool(effects))
    row = found.to_frame().iloc[0]
    assert row["term"] == "overall"
    assert tuple(found.confidence_interval()) == (row["ci_low"], row["ci_high"])
    shown = found.confidence_interval(display=True)
    assert shown.low == pytest.approx(np.tanh(row["ci_low"]))
    assert found.omnibus().statistic == pytest.approx(row["statistic"] ** 2)
    assert found.omnibus().p_value == pytest.approx(row["p_value"])
    assert found.omnibus().hypothesis == "the mean"
    assert "102 effects in 15 clusters (by study)" in str(found)
    assert "Correlation r: 0.172, 95% CI [0.014, 0.321]" in str(found)
    assert "Degrees of freedom below 4 (overall 1.9)" in found.notes[0]
    assert repr(found) == "<RobustFit: overall = 0.173, 95% CI [0.014, 0.333], p = .043, k = 102 (15 clusters, CR2)>"
    assert found.to_apa() == (
        "With cluster-robust standard errors (CR2, 15 clusters, Satterthwaite degrees of freedom), k = 102 effects "
        "gave a pooled r = .17, 95% CI [.01, .32], t(1.9) = 4.90, p = .043."
    )
    assert "<table" in found._repr_html_()
    assert found.to_markdown().startswith("**Cluster-robust tests")
    with pytest.raises(InputError, match="no terms"):
        found.test_term("x")


def test_a_meta_regression(effects: am.EffectSizes) -> None:
    fit = am.meta_regression(effects, "predictor_rater")
    found = robust(fit)
    assert found.names == fit.names
    np.testing.assert_array_equal(found.coefficients, fit.coefficients)
    assert found.coefficient("predictor_rater[T]") == fit.coefficient("predictor_rater[T]")
    same = found.test_hypothesis([{"predictor_rater[R]": 1}, {"predictor_rater[T]": 1}])
    assert same.p_value == pytest.approx(found.omnibus().p_value)
    assert found.test_term("predictor_rater").p_value == found.omnibus().p_value
    mean = found.combinations({"intercept": 1, "predictor_rater[T]": 1}).iloc[0]
    assert mean["combination"] == "intercept + predictor_rater[T]"
    assert mean["estimate"] == pytest.approx(fit.coefficients[0] + fit.coefficients[2])
    assert mean["std_error"] ** 2 == pytest.approx(found.covariance[[0, 0, 2, 2], [0, 2, 0, 2]].sum())
    assert "Moderators: F(2, 1.5) = 0.06, p = .946 (HTZ)" in str(found)
    assert repr(found) == "<RobustFit: F(2, 1.5) = 0.06, p = .946, k = 102 (15 clusters, CR2)>"
    assert found.to_apa().endswith("Moderators: F(2, 1.5) = 0.06, p = .946.")
    assert 'Wald_test(fit, constrain_zero(c(2, 3)), vcov = robust, test = "HTZ")' in found.to_r()
    with pytest.raises(InputError, match=r"no single mean .* to_frame\(\)"):
        found.confidence_interval()
    with pytest.raises(ValueError, match="read-only"):
        found.covariance[0, 0] = 1.0


def test_labels_given_and_one_effect_a_cluster(effects: am.EffectSizes) -> None:
    fit = am.pool(effects)
    by_column, by_labels = robust(fit), robust(fit, effects.table["study"].to_numpy())
    assert by_labels.settings.cluster == "given"
    assert by_labels.std_errors == pytest.approx(by_column.std_errors, rel=1e-14)
    alone = robust(fit, range(fit.k))
    assert alone.clusters == 102
    w = 1.0 / (effects.variance + fit.tau2)
    e = effects.effect - fit.estimate
    share = w / w.sum()
    assert alone.covariance[0, 0] == pytest.approx((share**2 * e**2 / (1.0 - share)).sum(), rel=1e-12)


def test_the_wild_bootstrap_of_a_fit(effects: am.EffectSizes) -> None:
    found = robust(am.pool(effects))
    test = found.wild_bootstrap(n=40_000)
    assert test.text == "bootstrap p = .177"
    assert test.note == "all 32,768 replicates, rademacher weights"
    assert test.df1 == 1
    assert np.isnan(test.df2)
    assert test.statistic == pytest.approx(found.omnibus().statistic)
    assert found.wild_bootstrap(n=500, weights="webb").note == "random 500 replicates, webb weights"
    with pytest.raises(InputError, match="n must be 100 or more, not 5"):
        found.wild_bootstrap(n=5)
    with pytest.raises(UnknownNameError, match="bootstrap weights 'gauss'"):
        found.wild_bootstrap(weights="gauss")


def test_weights_of_ones_own_and_equal_effects(effects: am.EffectSizes) -> None:
    equal = robust(am.pool(effects, weights="equal"))
    sums = pd.Series(effects.effect - equal.coefficients[0]).groupby(effects.table["study"].to_numpy()).sum()
    plain = robust(am.pool(effects, weights="equal"), adjustment="CR0")
    assert plain.covariance[0, 0] == pytest.approx((sums**2).sum() / effects.k**2)
    assert equal.covariance[0, 0] > plain.covariance[0, 0]
    assert np.isfinite(robust(am.pool(effects, tau2_method="EE")).covariance).all()


def test_too_few_clusters_for_a_joint_test_is_nan_and_says_so() -> None:
    frame = pd.DataFrame({"study": [*"aabbcc"], "effect": [0.1, 0.4, 0.2, 0.6, 0.3, 0.2], "variance": 0.02})
    frame["x"], frame["z"], frame["u"] = [1, 2, 4, 3, 2, 1], [0, 1, 0, 0, 1, 1], [1, 0, 0, 2, 0, 1]
    found = robust(am.meta_regression(am.effect_sizes(frame, measure="GEN"), "x + z + u"))
    test = found.omnibus()
    assert np.isnan(test.p_value)
    assert repr(test) == f"<RobustTest: all moderators: no test: {test.note}>"
    singular = robust(found.fit, adjustment="CR0").wild_bootstrap()  # type: ignore[arg-type]
    assert singular.text == test.text
    assert test.note == "3 clusters are too few to test 3 coefficients together"
    assert f"Moderators: no test: {test.note} (HTZ)" in str(found)


def test_a_moderator_of_one_cluster_is_noted() -> None:
    frame = pd.DataFrame({"study": [*"aabbccdd"], "effect": [0.1, 0.4, 0.2, 0.6, 0.3, 0.2, 0.5, 0.1], "variance": 0.02})
    frame["x"] = (frame["study"] == "a").astype(float)
    found = robust(am.meta_regression(am.effect_sizes(frame, measure="GEN"), "x"))
    assert "fit a part of 1 cluster exactly" in found.notes[-1]
    assert "Moore-Penrose" in found.notes[-1]


def test_bad_input(effects: am.EffectSizes) -> None:
    fit = am.pool(effects)
    with pytest.raises(InputError, match=r"robust\(\) takes the result of pool\(\)"):
        robust(effects)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match=r"unknown column of clusters 'studdy'\. Did you mean 'study'"):
        robust(fit, "studdy")
    with pytest.raises(UnknownNameError, match="unknown adjustment 'CR4'"):
        robust(fit, adjustment="CR4")
    with pytest.raises(InputError, match="one label for each of the 102 effects, not 3"):
        robust(fit, [1, 2, 3])
    with pytest.raises(InputError, match="holds one cluster only, 'x'"):
        robust(fit, ["x"] * 102)
    with pytest.raises(InputError, match="'cluster' has empty cells: rows") as caught:
        robust(fit, [None, " ", np.nan, *range(99)])
    assert caught.value.rows == ("0", "1", "2")
    one_each = pd.DataFrame({"study": [*"aabb"], "effect": [0.1, 0.4, 0.2, 0.6], "variance": 0.02, "x": [1, 2, 1, 3]})
    with pytest.raises(InputError, match="CR1p' divides by the 2 clusters less the 2 coefficients"):
        robust(am.meta_regression(am.effect_sizes(one_each, measure="GEN"), "x"), adjustment="CR1p")
    with pytest.raises(UnknownNameError, match="joint test 'HTA'"):
        robust(fit).omnibus(test="HTA")
