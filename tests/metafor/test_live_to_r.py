"""The R code that every kind of model prints, run in R on fresh random data: it gives the library's numbers.

What a single kind does elsewhere is not repeated: pooled effects in test_live.py, nested levels in
test_live_multilevel.py, robust tests of pooled effects and regressions in test_live_robust.py.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

import alliance_meta as am

pytestmark = pytest.mark.metafor

PACKAGES = ("metafor", "clubSandwich")
# metafor's own iterations stop a thousandth of a millionth short where the code asks for 1e-12 of the scale.
CLOSED = 1e-8
# nlminb and optim stop a little below the maximum: in variances by 1e-5 of their sum, hence the rest by less.
CLIMBED = 1e-4


class Asked(NamedTuple):
    """Printed code, the R expression of what it left behind, and our numbers of the same."""

    what: str
    code: str
    expression: str
    ours: list[float]


@pytest.fixture(scope="module")
def seed() -> int:
    """A new seed each run, unless ALLIANCE_META_SEED names one."""
    given = os.environ.get("ALLIANCE_META_SEED")
    number = int(given) if given else int(np.random.SeedSequence().generate_state(1)[0])
    print(f"\nALLIANCE_META_SEED={number}")
    return number


def _answers(rscript: str, asked: Sequence[Asked], folder: Path) -> list[list[float]]:
    """Run all in one R, each with nothing left of the others."""
    script = folder / "printed.R"
    parts = []
    for i, one in enumerate(asked):
        out = (folder / f"answer{i}.txt").as_posix()
        parts.append(
            f'{one.code}cat(sprintf("%.17g", as.numeric({one.expression})), file = "{out}")\nrm(list = ls())\n'
        )
    script.write_text("".join(parts), encoding="utf-8")
    utf8 = {**os.environ, "LC_ALL": "C.UTF-8"}
    done = subprocess.run([rscript, str(script)], capture_output=True, text=True, timeout=300, check=False, env=utf8)
    assert done.returncode == 0, f"{done.stderr[-3000:]}"
    texts = [(folder / f"answer{i}.txt").read_text(encoding="utf-8") for i in range(len(asked))]
    return [[float("nan") if each == "NA" else float(each) for each in text.split()] for text in texts]


def _compare(rscript: str, seed: int, asked: Sequence[Asked], folder: Path, rtol: float, atol: float = 1e-10) -> None:
    for one, theirs in zip(asked, _answers(rscript, asked, folder), strict=True):
        message = f"ALLIANCE_META_SEED={seed}: {one.what}\n{one.code}"
        np.testing.assert_allclose(theirs, one.ours, rtol=rtol, atol=atol, err_msg=message)


def _independent(seed: int, k: int = 24) -> am.EffectSizes:
    """Effects with a number, two factors (one with names that R would trip over) and sample sizes."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "label": [f'st"udy {i}' for i in range(k)],
            "x": rng.normal(size=k).round(4),
            "rater": [("cli\\ent", "it's", "$o <b>")[i % 3] for i in range(k)],
            "design": [("rct", "cohort")[i // 3 % 2] for i in range(k)],
            "n": rng.integers(20, 200, k),
            "v": rng.uniform(0.01, 0.1, k).round(5),
        }
    )
    frame["y"] = (0.2 + 0.1 * frame["x"] + rng.normal(0.0, np.sqrt(frame["v"] + 0.04))).round(5)
    return am.effect_sizes(frame, measure="GEN", effect="y", variance="v", n="n")


def _dependent(seed: int) -> am.EffectSizes:
    """Three to five effects in each of 14 studies, of three outcomes, by four crossed measures."""
    rng = np.random.default_rng(seed)
    study = np.repeat(np.arange(14), rng.integers(3, 6, 14))
    k = len(study)
    first = np.unique(study, return_index=True)[1][study]
    frame = pd.DataFrame(
        {
            "study": [f'Müller & S{i} "x"' for i in study],
            "outcome": np.array(["symptoms", "func\\tion", "it's well"])[(np.arange(k) - first) % 3],
            "instrument": [f"m{i}" for i in rng.integers(0, 4, k)],
            "x": rng.normal(size=k).round(4),
            "v": rng.uniform(0.02, 0.08, k).round(5),
        }
    )
    shared = rng.normal(0.0, 0.3, 14)[study] + rng.normal(0.0, 0.25, 4)[pd.factorize(frame["instrument"])[0]]
    own = rng.normal(0.0, 0.25, k) + rng.normal(0.0, np.sqrt(frame["v"]))
    frame["y"] = (0.3 + shared + own).round(5)
    return am.effect_sizes(frame, measure="GEN", effect="y", variance="v")


# Regressions

REGRESSIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("x + rater", {"tau2_method": "REML"}),
    ("x * design", {"tau2_method": "PM", "test": "z"}),
    ("rater", {"tau2_method": "GENQ", "q_weights": "n", "test": "t"}),
    ("x + design", {"tau2_method": "DL2"}),
    ("rater:design", {"tau2_method": "ML", "test": "knapp-hartung-adhoc"}),
    ("0 + rater + x", {"tau2_method": "SJ", "test": "t"}),
    ("0 + x", {"tau2_method": "HE", "test": "z"}),
    ("center(x) + rater", {"tau2_method": "CA2"}),
    ("x", {"tau2_method": "EE", "test": "z"}),
    ("x", {"tau2_method": "HSk"}),
)


def test_regressions(rscript: str, seed: int, tmp_path: Path) -> None:
    effects = _independent(seed)
    asked = []
    for formula, options in REGRESSIONS:
        fit = am.meta_regression(effects, formula, **options)
        ours = [*fit.coefficients, *fit.std_errors, fit.q_residual, fit.tau2]
        # metafor takes the mean off effects of which these columns have none: the code computes QE itself
        q = "sum(e^2 / vi)" if formula == "0 + x" else "fit$QE"
        asked.append(Asked(f"{formula} {options}", fit.to_r(), f"c(fit$beta, fit$se, {q}, fit$tau2)", ours))
    _compare(rscript, seed, asked, tmp_path, 1e-7, 1e-9)


def test_location_scale(rscript: str, seed: int, tmp_path: Path) -> None:
    effects = _independent(seed, 60)
    asked = []
    for formula, scale, options in (
        ("x", "x", {}),
        ("rater", "design", {"tau2_method": "ML"}),
        ("x + design", "x", {"test": "knapp-hartung"}),
    ):
        fit = am.location_scale(effects, formula, scale=scale, **options)
        ours = [*fit.coefficients, *fit.scale_coefficients, fit.log_likelihood]
        asked.append(Asked(f"{formula}, {scale}", fit.to_r(), "c(fit$beta, fit$alpha, logLik(fit))", ours))
    _compare(rscript, seed, asked, tmp_path, CLIMBED, CLIMBED)


# Subgroups


def test_subgroups(rscript: str, seed: int, tmp_path: Path) -> None:
    effects = _independent(seed)
    asked = []
    for method, test in (("REML", "knapp-hartung"), ("PM", "t"), ("CA2", "z"), ("HE", "knapp-hartung-adhoc")):
        common = am.subgroups(effects, "rater", tau2="pooled", tau2_method=method, test=test)
        fit = common.regression
        assert fit is not None
        ours = [fit.tau2, common.between.statistic, common.between.p_value, common.members[0].estimate]
        expression = "c(fit$tau2, fit$QM, fit$QMp, fit$beta[1])"
        asked.append(Asked(f"common, {method}, {test}", common.to_r(), expression, ours))
        apart = am.subgroups(effects, "rater", tau2="separate", tau2_method=method, test=test)
        every = [[each.estimate, each.std_error, each.tau2] for each in apart.members]
        ours = [number for three in every for number in three]
        expression = "sapply(fits, function(each) c(each$beta, each$se, each$tau2))"
        asked.append(Asked(f"apart, {method}, {test}", apart.to_r(), expression, ours))
    _compare(rscript, seed, asked, tmp_path, 1e-7, 1e-9)


# Several effects a study


def test_crossed_factors(rscript: str, seed: int, tmp_path: Path) -> None:
    effects = _dependent(seed)
    asked = []
    for formula, options in (
        ("1", {}),
        ("x + outcome", {"correlation": 0.5}),
        ("x", {"tau2_method": "ML", "test": "z"}),
    ):
        fit = am.multilevel(effects, formula, crossed="instrument", **options)
        effect, study, crossed = fit.components.tolist()
        ours = [study, effect, crossed, *fit.coefficients, *fit.std_errors, fit.log_likelihood]
        expression = "c(fit$sigma2, fit$beta, fit$se, logLik(fit))"
        asked.append(Asked(f"{formula} {options}", fit.to_r(), expression, ours))
    _compare(rscript, seed, asked, tmp_path, CLIMBED, 2e-5)


def test_correlated_and_hierarchical_effects_with_robust_tests(rscript: str, seed: int, tmp_path: Path) -> None:
    effects = _dependent(seed)
    fit = am.multilevel(effects, "x + outcome", correlation=0.6)
    asked = []
    for adjustment in ("CR2", "CR0", "CR1", "CR1S"):
        found = am.robust(fit, adjustment=adjustment)
        joint = found.omnibus()
        ours = [*found.std_errors, *found.df, joint.statistic, joint.df2, joint.p_value]
        expression = (
            "c(coef_test(fit, vcov = robust)$SE, coef_test(fit, vcov = robust)$df_Satt, unlist(Wald_test(fit, "
            'constrain_zero(c(2, 3, 4)), vcov = robust, test = "HTZ")[c("Fstat", "df_denom", "p_val")]))'
        )
        asked.append(Asked(adjustment, found.to_r(), expression, ours))
    _compare(rscript, seed, asked, tmp_path, 1e-3, 1e-5)


def test_robust_tests_of_weighted_means_and_given_clusters(rscript: str, seed: int, tmp_path: Path) -> None:
    effects = _dependent(seed)
    weights = np.random.default_rng(seed).uniform(1.0, 3.0, effects.k).round(3)
    clusters = [f"c{number % 7}" for number in pd.factorize(effects.table["study"])[0]]
    asked = []
    for what, found in (
        ("weighted mean", am.robust(am.pool(effects, weights=weights, test="z"))),
        ("clusters as given", am.robust(am.pool(effects, tau2_method="DL"), clusters)),
    ):
        expression = "unlist(coef_test(fit, vcov = robust)[c('SE', 'df_Satt')])"
        asked.append(Asked(what, found.to_r(), expression, [*found.std_errors, *found.df]))
    _compare(rscript, seed, asked, tmp_path, 1e-7)


def test_several_outcomes(rscript: str, seed: int, tmp_path: Path) -> None:
    effects = _dependent(seed)
    for structure, options in (
        ("UN", {"correlation": 0.5}),
        ("HCS", {}),
        ("CS", {"correlation": 0.3, "tau2_method": "ML"}),
        ("DIAG", {"test": "z"}),
    ):
        fit = am.multivariate(effects, outcome="outcome", structure=structure, **options)
        ours = [*fit.coefficients, *fit.std_errors, fit.log_likelihood]
        asked = [Asked(f"{structure} {options}", fit.to_r(), "c(fit$beta, fit$se, logLik(fit))", ours)]
        (theirs,) = _answers(rscript, asked, tmp_path)
        message = f"ALLIANCE_META_SEED={seed}: {structure}\n{fit.to_r()}"
        # Where correlations are at their edge metafor's optimizer may end lower, never higher.
        assert fit.log_likelihood >= theirs[-1] - 1e-6, message
        if fit.log_likelihood < theirs[-1] + 1e-6:
            np.testing.assert_allclose(theirs, ours, rtol=3e-3, atol=3e-4, err_msg=message)


# Without a model of metafor's


@pytest.mark.parametrize("sampling_error", ["mean-n", "study-n"])
def test_psychometric_arithmetic(rscript: str, seed: int, tmp_path: Path, sampling_error: str) -> None:
    rng = np.random.default_rng(seed)
    k = 12
    frame = pd.DataFrame({"study": [f'st"udy\\ {i}' for i in range(k)], "r": rng.uniform(-0.1, 0.6, k).round(3)})
    frame["n"] = rng.integers(30, 300, k)
    frame["alpha"], frame["beta"] = rng.uniform(0.7, 0.95, k).round(3), rng.uniform(0.7, 0.95, k).round(3)
    frame["u"] = rng.uniform(0.7, 1.1, k).round(3)
    some = frame.assign(alpha=frame["alpha"].where(np.arange(k) % 3 > 0))
    both = {"reliability_x": "alpha", "reliability_y": "beta"}
    cases: list[tuple[pd.DataFrame, dict[str, Any]]] = [(frame, {}), (frame.head(1), {})]
    for method, table in (("individual", frame), ("artefact-distribution", some)):
        cases.append((table, {"method": method, **both}))
        cases.append((table, {"method": method, "reliability_y": 0.8}))
        cases.append((table, {"method": method, "u": "u", "restriction": "direct"}))
        for where in ("restricted", "unrestricted"):
            for restriction in ("direct", "indirect"):
                given = {"u": "u", "restriction": restriction, "reliability_x_in": where, **both}
                cases.append((table, {"method": method, **given}))
    asked = []
    for table, options in cases:
        fit = am.psychometric(table, sampling_error=sampling_error, **options)
        asked.append(Asked(f"{options}", fit.to_r(), "result", list(fit.quantities().values())))
    _compare(rscript, seed, asked, tmp_path, 1e-11, 1e-13)


def test_permutation_tests(rscript: str, seed: int, tmp_path: Path) -> None:
    effects = _independent(seed, 7)
    asked = []
    for method, test in (("REML", "knapp-hartung"), ("DL", "z"), ("HE", "t")):
        mean = am.permutation_test(am.pool(effects, tau2_method=method, test=test), exact=True)
        asked.append(Asked(f"signs, {method}", mean.to_r(), "permuted$pval", list(mean.p_values)))
    for formula, method in (("design", "DL"), ("rater", "REML")):
        rows = am.permutation_test(am.meta_regression(effects, formula, tau2_method=method), exact=True)
        expression = "c(permuted$pval, permuted$QMp)"
        asked.append(Asked(f"{formula}, {method}", rows.to_r(), expression, [*rows.p_values, rows.omnibus_p_value]))
    _compare(rscript, seed, asked, tmp_path, CLOSED)


def test_random_permutations_agree_within_their_error(rscript: str, seed: int, tmp_path: Path) -> None:
    found = am.permutation_test(am.meta_regression(_independent(seed, 12), "x", tau2_method="DL", test="z"), n=2000)
    assert not found.exact
    asked = [Asked("random", found.to_r(), "c(permuted$pval, permuted$QMp)", [])]
    (theirs,) = _answers(rscript, asked, tmp_path)
    p = np.array([*found.p_values, found.omnibus_p_value])
    # five standard errors of a difference of two shares of 2000
    assert (np.abs(p - theirs) <= 5.0 * np.sqrt(2.0 * (p * (1.0 - p) + 1e-3) / 2000.0)).all()
