"""R code of results without a model of metafor's own; test_live_to_r.py runs it in R."""

from __future__ import annotations

import pandas as pd
import pytest

import alliance_meta as am
from alliance_meta.errors import InputError
from alliance_meta.results import PermutationResult, PermutationSettings

FRAME = pd.DataFrame(
    {"r": [0.05, 0.25, 0.5], "n": [60, 150, 90], "alpha": [0.7, None, 0.9], "study": ['a "b"', "c\\d", "e"]}
)


def test_bare_bones_are_plain_arithmetic() -> None:
    code = am.psychometric(FRAME).to_r()
    assert "library" not in code
    assert 'study <- c("a \\"b\\"", "c\\\\d", "e")' in code
    assert "rxx" not in code
    assert "error <- (1 - mean_r^2)^2 / (rep(mean(n), k) - 1)" in code
    assert "error <- (1 - mean_r^2)^2 / (n - 1)" in am.psychometric(FRAME, sampling_error="study-n").to_r()


def test_artefacts_that_rows_lack_are_missing_in_r() -> None:
    code = am.psychometric(FRAME, method="artefact-distribution", reliability_x="alpha").to_r()
    assert "rxx <- c(0.7, NA, 0.9)\n" in code
    assert "ryy <- rep(1, length(r))" in code
    assert "\nu <- " not in code


def test_reliabilities_are_said_to_be_those_of_the_population() -> None:
    fit = am.psychometric(
        FRAME.assign(alpha=0.8), method="individual", reliability_x="alpha", u=0.8, restriction="indirect",
        reliability_x_in="unrestricted",
    )  # fmt: skip
    assert "rxx <- c(0.8, 0.8, 0.8)  # in the unrestricted population" in fit.to_r()


def test_a_caveat_is_a_comment() -> None:
    effects = am.effect_sizes(FRAME, measure="COR")
    object.__setattr__(effects, "caveat", "Simulated data:\nnot real.")
    assert am.psychometric(effects).to_r().startswith("# Simulated data:\n# not real.\n")


# Permutations


def _effects(k: int = 6) -> am.EffectSizes:
    frame = pd.DataFrame({"effect": [0.1 * i * (-1) ** i + 0.3 for i in range(k)], "variance": 0.01, "x": range(k)})
    return am.effect_sizes(frame.assign(label="tau2 = tau2"), measure="GEN")


def test_permutest_follows_the_fit() -> None:
    fit = am.pool(_effects())
    code = am.permutation_test(fit, exact=True).to_r()
    assert code.startswith(fit.to_r())
    assert "permutest(fit, exact = TRUE, progbar = FALSE)\n" in code
    assert "set.seed" not in code


def test_random_arrangements_are_said_to_be_others() -> None:
    code = am.permutation_test(am.meta_regression(_effects(9), "x"), n=150).to_r()
    assert "set.seed(1)\npermuted <- permutest(fit, exact = FALSE, iter = 150, progbar = FALSE)  # other random" in code


@pytest.mark.parametrize(("formula", "method"), [("x", "DL2"), ("x", "CA2"), ("0 + x", "REML"), ("", "DL2")])
def test_a_tau2_that_metafor_would_keep_is_refused(formula: str, method: str) -> None:
    effects = _effects()
    fit = am.meta_regression(effects, formula, tau2_method=method) if formula else am.pool(effects, tau2_method=method)
    with pytest.raises(InputError, match=f"would not estimate tau2 by {method} anew"):
        am.permutation_test(fit, exact=True).to_r()


def test_a_result_without_its_fit_has_no_code() -> None:
    settings = PermutationSettings(scheme="signs", n=100, exact="auto", seed=1, tau2_method="DL", test="z")
    bare = PermutationResult(
        names=("overall",), statistics=(1.0,), p_values=(0.5,), omnibus_statistic=1.0, omnibus_p_value=0.5,
        arrangements=4, exact=True, failed=0, k=2, settings=settings,
    )  # fmt: skip
    with pytest.raises(InputError, match="does not hold the fit"):
        bare.to_r()


def test_regressions_without_a_constant_compute_their_residual_q() -> None:
    assert "QE without the mean" in am.meta_regression(_effects(), "0 + x").to_r()
    assert "QE without the mean" not in am.meta_regression(_effects(), "x").to_r()
