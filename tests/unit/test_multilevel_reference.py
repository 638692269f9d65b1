"""multilevel() against metafor's stored rma.mv fits of published and simulated sets, and against whole matrices."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.reference import multilevel_agreement as agreement
from tests.reference.dense_multilevel import profile_end

import alliance_meta as am

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "multilevel.json").read_text(encoding="utf-8"))
CASES: dict[str, Any] = {case["name"]: case for case in REFERENCE["cases"]}


def _fits() -> Iterator[tuple[str, str]]:
    for name, case in CASES.items():
        for fit in case["fits"]:
            yield name, fit["method"]


FITS = list(_fits())
SMALL = [(name, method) for name, method in FITS if len(CASES[name]["yi"]) < 300]
WITH_INTERVALS = [name for name, case in CASES.items() if "intervals" in case["fits"][0]]


@cache
def _mine(name: str, method: str, test: str = "t") -> am.Multilevel:
    return agreement.fitted(CASES[name], method, test)


def _theirs(name: str, method: str) -> dict[str, Any]:
    found: dict[str, Any] = next(fit for fit in CASES[name]["fits"] if fit["method"] == method)
    return found


# ---------------------------------------------------------------- metafor


def test_every_case_is_there() -> None:
    assert len(CASES) == 24
    assert len(FITS) == 2 * 24 - 1  # 1,653 effects by ML would take R an hour
    levels = {len(case["groups"]) for case in CASES.values()}
    assert levels == {1, 2, 3}
    assert tuple(REFERENCE["coefficient_numbers"]) == ("b", "se", "ddf", "tval", "pval", "ci_lb", "ci_ub")


@pytest.mark.parametrize(("name", "method"), FITS)
def test_every_fit_agrees_with_metafor_and_is_no_lower(name: str, method: str) -> None:
    """Coefficients, variances, log-likelihood, Q, I2 and degrees of freedom; see `multilevel_agreement`."""
    differences, what = agreement.wrong(_mine(name, method), _theirs(name, method))
    assert not what
    # Every number was compared, not only those at metafor's components: the optimizers stop 2e-10 short at worst.
    assert differences["metafor short by"] < 1e-8
    assert {*agreement.MAXIMUM} <= {*differences}


@pytest.mark.parametrize(("name", "method"), SMALL)
def test_likelihood_ratio_tests_of_levels_are_metafors(name: str, method: str) -> None:
    """`anova(fit, fit without the level)`; metafor's p value does not halve chi-square(1)."""
    fit = _mine(name, method)
    tests = fit.level_tests()
    assert tests["level"].tolist() == list(fit.levels)
    mine = zip(tests["statistic"].tolist(), tests["p_value"].tolist(), strict=True)
    for (statistic, p), (theirs, their_p) in zip(mine, _theirs(name, method)["level_tests"], strict=True):
        # Both log-likelihoods are short by up to 1e-9 in metafor: 4e-10 is the worst seen.
        assert statistic == pytest.approx(theirs, abs=1e-8, rel=1e-9)
        # At 0 the density of chi-square(1) is without bound: there 1e-8 in the statistic is 1e-4 of the p value.
        # A statistic of exactly 0, where the component is 0, has a p value of 1: nothing is to be halved.
        assert p == pytest.approx(0.5 * their_p if statistic > 0.0 else 1.0, abs=1e-4 if theirs < 1e-4 else 1e-7)


@pytest.mark.parametrize("name", WITH_INTERVALS)
def test_profile_intervals_are_metafors_or_those_of_whole_matrices(name: str) -> None:
    """`confint(fit, sigma2=)` gives no bound where one of its fits does not converge; whole matrices do."""
    fit, slow = _mine(name, "REML"), agreement.dense_of(CASES[name], _mine(name, "REML"))
    for which, (low, high) in enumerate(_theirs(name, "REML")["intervals"]):
        mine = fit.component_interval(fit.levels[which])
        for end, theirs in ((mine.low, low), (mine.high, high)):
            if theirs is not None:
                # metafor's root is sought to 1e-10 along a profile 1e-10 low: 4e-9 is the worst seen.
                assert end == pytest.approx(theirs, rel=1e-6)
        # How far the profile has fallen, and at 0 that it has not yet; L-BFGS-B leaves it short by 1e-9.
        fallen = profile_end(slow, fit.components, which, mine.high, restricted=True)
        assert fallen == pytest.approx(0.0, abs=1e-6)
        fallen = profile_end(slow, fit.components, which, mine.low, restricted=True)
        assert fallen == pytest.approx(0.0, abs=1e-6) if mine.low > 0.0 else fallen > 0.0


def test_konstantopoulos2011() -> None:
    # rma.mv(yi, vi, random = ~ 1 | district/school, data = dat.konstantopoulos2011, control = list(rel.tol = 1e-12))
    fit = _mine("konstantopoulos2011", "REML")
    # metafor prints eight decimals and stops 1e-8 short.
    assert fit.components == pytest.approx([0.03273652, 0.06506194], abs=2e-8)
    assert [fit.estimate, fit.std_errors[0]] == pytest.approx([0.18471316, 0.08455592], abs=1e-8)
    assert fit.groups == (56, 11)


def test_assink2016_with_correlated_sampling_errors() -> None:
    # V <- vcalc(vi, cluster = study, obs = esid, rho = 0.6); rma.mv(yi, V, random = ~ 1 | study/esid)
    fit = _mine("assink2016_che6", "REML")
    assert fit.estimate == pytest.approx(0.367754886, abs=1e-8)
    assert fit.components == pytest.approx([0.15454321, 0.08073299], abs=2e-8)


def test_a_number_off_by_more_than_its_tolerance_is_noticed() -> None:
    fit, theirs = _mine("assink2016_che6", "REML"), _theirs("assink2016_che6", "REML")
    assert not agreement.wrong(fit, theirs)[1]
    for row, name in enumerate(("b", "se")):
        rows = [list(each) for each in theirs["coefficients"]]
        rows[row][0] += 3.0 * agreement.MAXIMUM[name] * rows[1][0]
        assert f"{name} " in agreement.wrong(fit, {**theirs, "coefficients": rows})[1]
    for name, changed in (
        ("log_likelihood", theirs["log_likelihood"] + 1e-7),
        ("QE", [theirs["QE"][0] * (1.0 + 1e-9), theirs["QE"][1]]),
        ("i2", [each + 1e-6 for each in theirs["i2"]]),
        ("covariance", [each * (1.0 + 1e-6) for each in theirs["covariance"]]),
    ):
        assert name in agreement.wrong(fit, {**theirs, name: changed})[1]


# ---------------------------------------------------------------- whole matrices


@pytest.mark.parametrize(("name", "method"), SMALL)
def test_the_maximum_is_one_for_whole_matrices(name: str, method: str) -> None:
    fit, restricted = _mine(name, method), method == "REML"
    slow = agreement.dense_of(CASES[name], fit)
    found = slow.heights(fit.components, restricted=restricted)
    assert fit.log_likelihood == pytest.approx(found.value, rel=1e-10, abs=1e-10)
    # Gains of a step of the components' own size: flat where above 0, falling where at 0.
    size = fit.components + float(np.mean(CASES[name]["vi"]))
    gain = found.first * size
    assert np.abs(gain[fit.components > 0.0]).max(initial=0.0) < 1e-7
    assert gain[fit.components == 0.0].max(initial=-1.0) < 0.0
    above = np.flatnonzero(fit.components > 0.0)
    assert np.linalg.eigvalsh(found.second[np.ix_(above, above)]).max(initial=-1.0) < 0.0


@pytest.mark.parametrize(("name", "method"), SMALL)
def test_satterthwaites_degrees_of_freedom_are_those_of_whole_matrices(name: str, method: str) -> None:
    fit = _mine(name, method, "satterthwaite")
    slow = agreement.dense_of(CASES[name], fit)
    rows = np.eye(len(fit.names))
    theirs = [slow.satterthwaite(fit.components, row, restricted=method == "REML") for row in rows]
    # Inverses of two matrices, one of them (a year about 2000 beside an intercept) with a condition of 1e10.
    assert fit.dfs == pytest.approx(theirs, rel=1e-5 if "year" in CASES[name]["formula"] else 1e-8)
