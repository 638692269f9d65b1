"""Standard errors of tau2 against metafor and against their definition, and the Wald intervals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.stats.tau2 import ESTIMATORS, tau2_genq, tau2_reml
from alliance_meta.stats.tau2._std_error import STD_ERRORS, tau2_std_error, tau2_wald_interval

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "mean_intervals.json").read_text(encoding="utf-8"))
METHODS = [*STD_ERRORS, "GENQ"]

# Jackson, Turner, Rhodes & Viechtbauer (2014), BMC Med Res Methodol 14:103, example 1, with one moderator.
JACKSON = {
    "effect": [
        *(0.0267, 0.8242, 0.393, 2.4405, 2.1401, 1.2528, 2.4849, 0.3087),
        *(1.4246, 0.1823, 1.1378, 1.2321, 2.0695, 4.0237, 1.4383, 1.6021),
    ],
    "variance": [
        *(0.1285, 0.0315, 0.0931, 2.0967, 1.0539, 0.1602, 1.0235, 0.0218),
        *(0.5277, 0.0556, 0.3304, 0.1721, 0.4901, 2.02, 0.3399, 0.183),
    ],
}
JACKSON_DESIGN = np.column_stack([np.ones(16), [0.0] * 10 + [1.0] * 6])


def estimate(method: str, y: Any, v: Any, design: Any = None) -> tuple[Any, dict[str, Any]]:
    if method == "GENQ":
        weights = {"weights": 1.0 / np.sqrt(v)}
        return tau2_genq(y, v, design=design, **weights).estimate, weights
    return ESTIMATORS[method](y, v, design=design).estimate, {}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", list(REFERENCE["cases"]))
def test_metafor(name: str, method: str) -> None:
    # 1e-10: both are closed forms of tau2, which metafor's iterations give to about 1e-12 of it.
    case = REFERENCE["cases"][name]
    tau2, weights = estimate(method, case["yi"], case["vi"])
    std_error = tau2_std_error(method, tau2, case["vi"], **weights)
    np.testing.assert_allclose([tau2, std_error], case["std_errors"][method], rtol=1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_metafor_with_moderators(method: str) -> None:
    case = REFERENCE["with_moderators"]
    design = np.column_stack([np.ones(13), np.reshape(case["mods"], (2, 13)).T])
    tau2, weights = estimate(method, case["yi"], case["vi"], design)
    std_error = tau2_std_error(method, tau2, case["vi"], design=design, **weights)
    np.testing.assert_allclose([tau2, std_error], case["std_errors"][method], rtol=1e-10)


def test_the_variance_of_a_quadratic_form_by_simulation() -> None:
    # DerSimonian and Laird's estimator before it is cut at 0, at tau2 = 1 where it almost never is. 200,000 draws have
    # a standard deviation known to about 0.3 %; 1.5 % is five times that.
    v = np.array([0.02, 0.05, 0.1, 0.3, 0.08, 0.04, 0.2, 0.15])
    w = 1.0 / v
    y = np.random.default_rng(1).standard_normal((200_000, 8)) * np.sqrt(v + 1.0)
    q = (w * (y - (y @ w)[:, None] / w.sum()) ** 2).sum(axis=-1)
    untruncated = (q - 7.0) / (w.sum() - (w**2).sum() / w.sum())
    assert float(tau2_std_error("DL", 1.0, v)) == pytest.approx(untruncated.std(), rel=0.015)


def test_reml_by_the_projection_matrix() -> None:
    # 2 / tr PP with P written out; 1e-13 is rounding.
    v, tau2 = np.array(JACKSON["variance"]), 0.2
    w = np.diag(1.0 / (v + tau2))
    x = JACKSON_DESIGN
    p = w - w @ x @ np.linalg.inv(x.T @ w @ x) @ x.T @ w
    expected = np.sqrt(2.0 / np.trace(p @ p))
    np.testing.assert_allclose(tau2_std_error("REML", tau2, v, design=x), expected, rtol=1e-13)


def test_batches_and_inclusion() -> None:
    v = np.array([[0.02, 0.03, 0.05, np.nan], [0.2, 0.1, 0.4, 0.3]])
    include = np.array([[1, 1, 1, 0], [1, 1, 1, 1]])
    for method in METHODS:
        weights = {"weights": np.ones(4)} if method == "GENQ" else {}
        both = tau2_std_error(method, [0.1, 0.2], v, include, **weights)
        one = tau2_std_error(method, 0.1, v[0, :3], **({"weights": np.ones(3)} if weights else {}))
        two = tau2_std_error(method, 0.2, v[1], **weights)
        np.testing.assert_allclose(both, [one, two], rtol=1e-14)


def test_one_set_of_variances_serves_many_estimates() -> None:
    many = tau2_std_error("REML", [0.0, 0.1, 0.5], [0.02, 0.03, 0.05])
    assert many.shape == (3,)
    assert (np.diff(many) > 0.0).all()


def test_no_degrees_of_freedom_and_nan_give_nan() -> None:
    for method in STD_ERRORS:
        assert np.isnan(tau2_std_error(method, 0.1, [0.2]))
        assert np.isnan(tau2_std_error(method, np.nan, [0.2, 0.3]))
        assert np.isnan(tau2_std_error(method, 0.1, [0.2, np.nan]))
        assert np.isfinite(tau2_std_error(method, 0.0, [0.2, 0.3]))


@pytest.mark.parametrize("method", ["SJ", "DL2", "CA2", "reml"])
def test_a_method_without_one_is_refused(method: str) -> None:
    with pytest.raises(UnknownNameError, match=r"these have: REML, ML, DL, HE, HS, HSk, PM, EB, PMM, GENQ"):
        tau2_std_error(method, 0.1, [0.2, 0.3])


def test_genq_needs_its_weights() -> None:
    with pytest.raises(InputError, match="needs the weights"):
        tau2_std_error("GENQ", 0.1, [0.2, 0.3])


def test_published_wald_interval_on_the_log_scale() -> None:
    # Printed as [0.011, 0.633]; half a unit of the last digit.
    tau2 = tau2_reml(JACKSON["effect"], JACKSON["variance"], design=JACKSON_DESIGN).estimate
    std_error = tau2_std_error("REML", tau2, JACKSON["variance"], design=JACKSON_DESIGN)
    np.testing.assert_allclose(tau2_wald_interval(tau2, std_error, log=True), [0.011, 0.633], atol=5e-4)


def test_wald_intervals_by_hand() -> None:
    # 1.6448536269514722 is the normal quantile of .95.
    z = 1.6448536269514722
    low, high = tau2_wald_interval([0.1, 0.5], 0.13, 0.90)
    np.testing.assert_allclose(low, [0.0, 0.5 - 0.13 * z], rtol=1e-14)
    np.testing.assert_allclose(high, [0.1 + 0.13 * z, 0.5 + 0.13 * z], rtol=1e-14)
    low, high = tau2_wald_interval([0.1, 0.0], 0.13, 0.90, log=True)
    np.testing.assert_allclose([low[0], high[0]], 0.1 * np.exp([-1.3 * z, 1.3 * z]), rtol=1e-14)
    assert np.isnan([low[1], high[1]]).all()
