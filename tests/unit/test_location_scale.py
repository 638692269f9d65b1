"""Location-scale models: against metafor, against a general optimizer, and where no finite coefficients are best.

The numbers are metafor 3.8-1's (R 4.2), of its data sets dat.bangertdrowns2004 and dat.bcg:

    d <- dat.bangertdrowns2004
    d <- escalc(measure="RR", ai=tpos, bi=tneg, ci=cpos, di=cneg, data=dat.bcg)
    rma(yi, vi, mods = ~ ..., scale = ~ ..., data = d, method = "REML", control = list(optimizer = ...,
        hessianCtrl = list(r = 8)))

with BFGS and Nelder-Mead (reltol 1e-16), nlminb (1e-12) and bobyqa (rhoend 1e-12); the fit with the highest
log-likelihood is taken. Those optimizers agree with each other to 1e-7 relative, hence the tolerance of 1e-6.
"""

from __future__ import annotations

from math import exp, inf

import numpy as np
import pandas as pd
import pytest
from scipy import optimize

import alliance_meta as am
from alliance_meta.design import design
from alliance_meta.errors import ConvergenceError, InputError, UnknownNameError
from alliance_meta.location_scales import location_scale
from alliance_meta.stats import location_scale as kernel
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.location_scale import Outcome
from alliance_meta.stats.regression import full_log_likelihood, regression
from alliance_meta.stats.tau2 import tau2_ml, tau2_reml

# fmt: off
WRITING = pd.DataFrame({
    "effect": [
        0.65, -0.75, -0.21, -0.04, 0.23, 0.03, 0.26, 0.06, 0.06, 0.12, 0.77, 0, 0.52, 0.54, 0.2, 0.2, -0.16, 0.42, 0.6,
        0.51, 0.58, 0.54, 0.09, 0.37, -0.01, -0.13, 0.18, 0.27, -0.02, 0.33, 0.59, 0.84, -0.32, 0.12, 1.12, -0.12,
        -0.44, -0.07, 0.7, 0.49, 0.2, 0.58, 0.15, 0.63, 0.04, 1.46, 0.04, 0.25,
    ],
    "variance": [
        0.07, 0.126, 0.042, 0.019, 0.022, 0.009, 0.106, 0.007, 0.04, 0.052, 0.107, 0.021, 0.037, 0.083, 0.086, 0.091,
        0.167, 0.052, 0.091, 0.065, 0.073, 0.061, 0.1, 0.06, 0.083, 0.037, 0.069, 0.018, 0.009, 0.053, 0.017, 0.112,
        0.06, 0.044, 0.129, 0.023, 0.205, 0.033, 0.265, 0.039, 0.021, 0.067, 0.014, 0.168, 0.016, 0.099, 0.087, 0.072,
    ],
    "ni": [
        60, 34, 95, 209, 182, 462, 38, 542, 99, 77, 40, 190, 113, 50, 47, 44, 24, 78, 46, 64, 57, 68, 40, 68, 48, 107,
        58, 225, 446, 77, 243, 39, 67, 91, 36, 177, 20, 120, 16, 105, 195, 62, 289, 25, 250, 51, 46, 56,
    ],
    "imag": [int(i in (1, 20, 30)) for i in range(48)],
})
BCG = pd.DataFrame(
    [
        (4, 119, 11, 128, 44, 1948, "random"), (6, 300, 29, 274, 55, 1949, "random"),
        (3, 228, 11, 209, 42, 1960, "random"), (62, 13536, 248, 12619, 52, 1977, "random"),
        (33, 5036, 47, 5761, 13, 1973, "alternate"), (180, 1361, 372, 1079, 44, 1953, "alternate"),
        (8, 2537, 10, 619, 19, 1973, "random"), (505, 87886, 499, 87892, 13, 1980, "random"),
        (29, 7470, 45, 7232, 27, 1968, "random"), (17, 1699, 65, 1600, 42, 1961, "systematic"),
        (186, 50448, 141, 27197, 18, 1974, "systematic"), (5, 2493, 3, 2338, 33, 1969, "systematic"),
        (27, 16886, 29, 17825, 33, 1976, "systematic"),
    ],
    columns=["events1", "no1", "events2", "no2", "ablat", "year", "alloc"],
)
# fmt: on
BCG["n1"], BCG["n2"] = BCG["events1"] + BCG["no1"], BCG["events2"] + BCG["no2"]
EFFECTS = {"writing": am.effect_sizes(WRITING, measure="GEN"), "bcg": am.effect_sizes(BCG, measure="RR")}

ALLOC = "C(alloc, reference='alternate')"  # R's first level

# data, mods, scale, method: beta, se, alpha, se.alpha, QM, QS, logLik
METAFOR = [
    (
        ("writing", "1", "ni", "REML"),
        ([0.1560400286], [0.03963322148], [-1.961236585, -0.006936533878], [0.8989330805, 0.007044925192]),
        (15.50077078, 0.9694652614, -17.48248561),
    ),
    (
        ("writing", "1", "ni", "ML"),
        ([0.1474468749], [0.03776041664], [-1.838369535, -0.008375908244], [0.8649511126, 0.007239097537]),
        (15.24746304, 1.338736073, -17.08344314),
    ),
    (
        ("writing", "ni", "ni", "REML"),
        (
            [0.3016813622, -0.0005526633007],
            [0.06611615595, 0.0001975462192],
            [-1.920878526, -0.009174287988],
            [0.668982422, 0.005140647859],
        ),
        (7.826792287, 3.184996999, -14.650562),
    ),
    (
        ("writing", "ni", "ni", "ML"),
        (
            [0.3003185514, -0.0005499478063],
            [0.06506820965, 0.0001940075176],
            [-1.904955524, -0.009928539042],
            [0.6614200261, 0.005088758573],
        ),
        (8.035369102, 3.806685535, -13.23754381),
    ),
    (
        ("writing", "ni", "ni + imag", "REML"),
        (
            [0.2868901387, -0.0005499971529],
            [0.06166130395, 0.0001857647516],
            [-2.118761569, -0.01119873105, 2.369134197],
            [0.7539290173, 0.005779992802, 1.144795232],
        ),
        (8.765854548, 6.238625482, -12.29658132),
    ),
    (
        ("writing", "ni", "ni + imag", "ML"),
        (
            [0.2861777433, -0.0005493668054],
            [0.06086068195, 0.00018416359],
            [-2.146429743, -0.01159447593, 2.450987638],
            [0.7592975677, 0.00566018128, 1.151820503],
        ),
        (8.898509819, 6.801650503, -10.76168443),
    ),
    (
        ("bcg", "ablat", "ablat", "ML"),
        (
            [0.3044680361, -0.02977269144],
            [0.1437904061, 0.004983851113],
            [-4.95749077, 0.03859326099],
            [3.26758827, 0.07304257226],
        ),
        (35.68667399, 0.2791713425, -7.53929025),
    ),
    (
        ("bcg", "ablat", "year", "REML"),
        (
            [0.2053617445, -0.02753817427],
            [0.2888502121, 0.007922693613],
            [-72.89924877, 0.03580226326],
            [158.9485221, 0.08084923255],
        ),
        (12.08160313, 0.1960961918, -7.987878762),
    ),
    (
        ("bcg", "ablat", "year", "ML"),
        (
            [0.3448623798, -0.03170462228],
            [0.1363763487, 0.004399976206],
            [99.25221321, -0.052420932],
            [486.1748058, 0.2485520194],
        ),
        (51.92117487, 0.04448103503, -7.660348591),
    ),
    (
        ("bcg", "1", ALLOC, "REML"),
        (
            [-0.6596634595],
            [0.1511766941],
            [-2.645134667, 1.697337694, 1.480224926],
            [1.688424448, 1.825000066, 1.89492273],
        ),
        (19.04036056, 0.875284855, -11.75497869),
    ),
    (
        ("bcg", "1", ALLOC, "ML"),
        (
            [-0.6578529099],
            [0.1296201927],
            [-3.353184412, 2.350976813, 2.095985979],
            [2.186985614, 2.276455765, 2.440978792],
        ),
        (25.75800807, 1.069207795, -11.99731852),
    ),
]


def matrices(data: str, formula: str, scale: str) -> tuple[FloatArray, FloatArray]:
    table = EFFECTS[data].table
    return design(formula, table).matrix, design(scale, table).matrix


@pytest.mark.parametrize(("which", "coefficients", "tests"), METAFOR, ids=lambda part: "-".join(map(str, part))[:40])
def test_metafor_gives_the_same(
    which: tuple[str, str, str, str], coefficients: tuple[list[float], ...], tests: tuple[float, float, float]
) -> None:
    data, formula, scale, method = which
    fit = location_scale(EFFECTS[data], formula, scale, tau2_method=method)
    frame = fit.to_frame()
    location, spread = frame[frame["part"] == "location"], frame[frame["part"] == "scale"]
    ours = (location["estimate"], location["std_error"], spread["estimate"], spread["std_error"])
    for mine, theirs in zip(ours, coefficients, strict=True):
        assert mine.to_numpy() == pytest.approx(theirs, rel=1e-6)
    assert (fit.omnibus().statistic, fit.scale_omnibus().statistic) == pytest.approx(tests[:2], rel=1e-6)
    assert fit.log_likelihood == pytest.approx(tests[2], rel=1e-9)


def test_the_knapp_hartung_and_t_tests_are_metafors() -> None:
    # rma(yi, vi, mods=~ni, scale=~ni, test="knha"): se, QM, QMp, QS, QSp, ddf
    fit = location_scale(EFFECTS["writing"], "ni", "ni", test="knapp-hartung")
    assert np.sqrt(np.diagonal(fit.covariance)) == pytest.approx([0.06671815928, 0.0001993449246], rel=1e-6)
    one, two = fit.omnibus(), fit.scale_omnibus()
    numbers = (one.statistic, one.p_value, two.statistic, two.p_value)
    assert numbers == pytest.approx((7.686185958, 0.00800739131, 3.184996999, 0.08091282991), rel=1e-6)
    assert (one.df2, two.df2) == (46, 46)
    # rma(yi, vi, scale=~ni, test="t"): QMp, QSp, QMdf, QSdf
    fit = location_scale(EFFECTS["writing"], "1", "ni", test="t")
    one, two = fit.omnibus(), fit.scale_omnibus()
    assert (one.p_value, two.p_value) == pytest.approx((0.0002714043151, 0.3299643358), rel=1e-6)
    assert (one.df2, two.df2) == (47, 46)


def test_standard_errors_where_metafors_numerical_hessian_has_four_digits() -> None:
    # 60-digit arithmetic (mpmath) of the same restricted likelihood gives 3.41984890203965 and 0.0795758615873344;
    # metafor 3.8-1 3.419695 and 0.07957194.
    fit = location_scale(EFFECTS["bcg"], "ablat", "ablat")
    errors = np.sqrt(np.diagonal(fit.scale_covariance))
    assert errors == pytest.approx([3.41984890203965, 0.0795758615873344], rel=1e-10)
    # metafor's optimizers differ in the sixth digit of the slope, by 5e-6 of it
    assert fit.scale_coefficients == pytest.approx([-2.542501, -0.000730142], rel=1e-5)
    assert fit.log_likelihood == pytest.approx(-8.0872779252386, rel=1e-12)


@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize(
    ("data", "formula", "scale"),
    [("writing", "ni", "ni + imag"), ("bcg", "ablat", "year"), ("bcg", "1", ALLOC), ("bcg", "year", "ablat")],
)
def test_a_general_optimizer_finds_nothing_higher(data: str, formula: str, scale: str, method: str) -> None:
    """The likelihood written out with full matrices, and climbed without derivatives from ours and other places."""
    x, z = matrices(data, formula, scale)
    y, v = EFFECTS[data].effect, EFFECTS[data].variance
    fit = kernel.location_scale(y, v, x, z, tau2_method=method)
    centre, spread = z.mean(axis=0) * (z.std(axis=0) > 0), np.where(z.std(axis=0) > 0, z.std(axis=0), 1.0)

    def depth(a: FloatArray) -> float:
        return -height(a)

    def height(a: FloatArray) -> float:
        m = np.diag(v + np.exp(np.clip((z - centre) / spread @ a, -50, 50)))
        w = np.linalg.inv(m)
        b = np.linalg.solve(x.T @ w @ x, x.T @ w @ y)
        value = -0.5 * (np.linalg.slogdet(m)[1] + (y - x @ b) @ w @ (y - x @ b))
        if method == "ML":
            return float(value - 0.5 * len(y) * np.log(2 * np.pi))
        dets = np.linalg.slogdet(x.T @ w @ x)[1] - np.linalg.slogdet(x.T @ x)[1]
        return float(value - 0.5 * dets - 0.5 * (len(y) - x.shape[1]) * np.log(2 * np.pi))

    ours = fit.scale_coefficients * spread
    ours[0] += fit.scale_coefficients @ centre
    assert height(ours) == pytest.approx(float(fit.log_likelihood), rel=1e-10)  # X'X of years costs it digits
    rng = np.random.default_rng(1)
    for start in [ours, *(ours + rng.normal(0, 2, (6, len(ours))))]:
        found = optimize.minimize(depth, start, method="Nelder-Mead", options={"maxiter": 4000})
        assert -found.fun <= float(fit.log_likelihood) + 1e-9  # the rounding of the written-out likelihood


@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize("formula", ["1", "ablat"])
def test_a_constant_scale_is_the_ordinary_model(formula: str, method: str) -> None:
    effects = EFFECTS["bcg"]
    fit = location_scale(effects, formula, tau2_method=method)
    x = fit.design.matrix
    ordinary = regression(effects.effect, effects.variance, x, tau2_method=method, test="z")
    # Both reach their solution to rounding, on different scales of it: 1e-11 leaves room for the conditioning.
    assert fit.tau2 == pytest.approx([float(ordinary.tau2)] * 13, rel=1e-11)
    assert exp(fit.scale_coefficients[0]) == pytest.approx(float(ordinary.tau2), rel=1e-11)
    assert fit.coefficients == pytest.approx(ordinary.coefficients, rel=1e-11)
    assert fit.covariance == pytest.approx(ordinary.covariance, rel=1e-11)
    height = full_log_likelihood(effects.effect, effects.variance, ordinary.tau2, x, restricted=method == "REML")
    assert fit.log_likelihood == pytest.approx(float(height), rel=1e-13)


def test_groups_of_their_own_are_fitted_one_by_one() -> None:
    """With a mean and a tau2 for each group, the groups do not know of each other."""
    rng = np.random.default_rng(3)
    v = rng.uniform(0.02, 0.1, 30)
    group = np.repeat([0, 1, 2], 10)
    y = rng.normal(0.1 * group, np.sqrt(v + np.array([0.05, 0.2, 0.8])[group]))
    own = (group[:, None] == np.arange(3)).astype(float)
    for method, estimator in (("REML", tau2_reml), ("ML", tau2_ml)):
        fit = kernel.location_scale(y, v, own, own, tau2_method=method)
        alone = [float(estimator(y[group == g], v[group == g]).estimate) for g in range(3)]
        assert np.exp(fit.scale_coefficients) == pytest.approx(alone, rel=1e-11)


def test_units_do_not_matter() -> None:
    x, z = matrices("bcg", "ablat", "year")
    effects = EFFECTS["bcg"]
    plain = kernel.location_scale(effects.effect, effects.variance, x, z)
    stretched = kernel.location_scale(
        1e3 * effects.effect, 1e6 * effects.variance, x * [1, 1e-4], (z - [0, 1960]) * [1, 1e5]
    )
    assert stretched.coefficients == pytest.approx(1e3 * plain.coefficients * [1, 1e4], rel=1e-9)
    assert stretched.scale_coefficients[1] == pytest.approx(1e-5 * plain.scale_coefficients[1], rel=1e-9)
    assert stretched.tau2 == pytest.approx(1e6 * plain.tau2, rel=1e-9)


def test_a_batch_gives_each_row_its_own_fit_and_left_out_effects_have_no_say() -> None:
    x, z = matrices("writing", "ni", "ni")
    effects = EFFECTS["writing"]
    include = np.ones((3, 48))
    include[1, :5] = include[2, 30] = 0.0
    y = np.where(include == 1.0, effects.effect, np.nan)
    fits = kernel.location_scale(y, effects.variance, x, z, include, test="knapp-hartung")
    assert fits.outcome.tolist() == [0, 0, 0]
    for row, taken in enumerate(include == 1.0):
        alone = kernel.location_scale(
            effects.effect[taken], effects.variance[taken], x[taken], z[taken], test="knapp-hartung"
        )
        for name in ("coefficients", "covariance", "scale_coefficients", "scale_covariance", "log_likelihood"):
            assert getattr(fits, name)[row] == pytest.approx(getattr(alone, name), rel=1e-9, abs=1e-14), name
        assert (fits.df[row], fits.scale_df[row], fits.k[row]) == (alone.df, alone.scale_df, alone.k)
        assert np.isnan(fits.tau2[row][~taken]).all()


def test_a_tau2_that_goes_to_0_is_said_and_not_reported_as_a_coefficient() -> None:
    # metafor 3.8-1 gives alpha = -37.2, 35.0, 35.3 with standard errors of 189170, and a log-likelihood of -7.23, where
    # -6.27 can be had.
    message = (
        r"^the ML likelihood rises as tau2 of 7 of 13 studies goes to 0 \(Study 1, .*\), so scale='alloc' has no "
        r"finite coefficients\. Take fewer moderators"
    )
    with pytest.raises(ConvergenceError, match=message):
        location_scale(EFFECTS["bcg"], "ablat", "alloc", tau2_method="ML")
    x, z = matrices("bcg", "ablat", "alloc")
    fit = kernel.location_scale(EFFECTS["bcg"].effect, EFFECTS["bcg"].variance, x, z, tau2_method="ML")
    assert fit.outcome == Outcome.BOUNDARY
    assert np.isnan(fit.scale_coefficients).all()
    assert fit.log_likelihood == pytest.approx(-6.270836944, abs=1e-8)  # ours; the bound is approached, not reached


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_without_differences_a_constant_scale_refers_to_the_ordinary_model(method: str) -> None:
    same = am.effect_sizes(measure="GEN", effect=[0.1, 0.2, 0.15, 0.12], variance=[0.1] * 4)
    with pytest.raises(ConvergenceError, match=r"tau2 of 4 of 4 studies goes to 0 .* Pool them with pool\(\)"):
        location_scale(same, tau2_method=method)
    fit = kernel.location_scale(same.effect, same.variance, np.ones((4, 1)), np.ones((4, 1)), tau2_method=method)
    height = full_log_likelihood(same.effect, same.variance, 0.0, np.ones((4, 1)), restricted=method == "REML")
    assert fit.log_likelihood == pytest.approx(float(height), rel=1e-12)


def test_a_study_that_the_location_fits_exactly_says_nothing_of_its_tau2() -> None:
    table = EFFECTS["bcg"].table.assign(lone=["x"] + ["y"] * 12)
    effects = am.effect_sizes(table[["effect", "variance", "lone"]], measure="GEN")
    with pytest.raises(ConvergenceError, match=r"do not determine all coefficients of scale='lone' given 'lone'"):
        location_scale(effects, "lone", "lone")


def test_the_likelihood_ratio_test() -> None:
    # 2 * (logLik(f) - logLik(f0)) of metafor, f0 without scale and with threshold = 1e-14
    assert location_scale(EFFECTS["writing"], "ni", "ni").scale_test().statistic == pytest.approx(4.274886258, rel=1e-8)
    fit = location_scale(EFFECTS["writing"], "ni", "ni + imag", tau2_method="ML")
    every, one = fit.scale_test(), fit.scale_test("imag")
    assert every.statistic == pytest.approx(10.49664553, rel=1e-8)
    assert (every.df1, every.df2, one.df1) == (2, inf, 1)
    # 2 * (-10.7616844269646 + 13.2375438105271), the log-likelihoods of the two fits above
    assert one.statistic == pytest.approx(4.951718767, rel=1e-8)


def test_levels_without_an_intercept_are_the_same_model() -> None:
    with_it, without = (location_scale(EFFECTS["bcg"], "ablat", scale) for scale in ("alloc", "0 + alloc"))
    assert without.scale_test().statistic == pytest.approx(with_it.scale_test().statistic, rel=1e-9)
    assert without.tau2 == pytest.approx(with_it.tau2, rel=1e-9)


def test_what_cannot_be_tested_is_refused() -> None:
    constant = location_scale(EFFECTS["bcg"])
    for test in (constant.scale_test, constant.scale_omnibus):
        with pytest.raises(InputError, match=r"^tau2 has no moderators to test"):
            test()
    fit = location_scale(EFFECTS["writing"], "ni", "0 + ni")
    with pytest.raises(InputError, match="has no intercept, so one tau2 for all studies is no case of it"):
        fit.scale_test()
    with pytest.raises(InputError, match="without 'ni' nothing is left"):
        fit.scale_test("ni")
    assert "likelihood-ratio" not in str(fit)
    with pytest.raises(UnknownNameError, match=r"unknown term 'no'"):
        location_scale(EFFECTS["writing"], "1", "ni").scale_test("no")


def test_input_that_cannot_be_used() -> None:
    effects = EFFECTS["bcg"]
    with pytest.raises(InputError, match=r"takes the result of effect_sizes\(\), not DataFrame"):
        location_scale(BCG)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match=r"unknown tau2_method of a location-scale model 'DL'.*Known: 'REML'"):
        location_scale(effects, tau2_method="DL")
    with pytest.raises(UnknownNameError, match="unknown test 'wald'"):
        location_scale(effects, test="wald")
    few = am.effect_sizes(BCG.head(3), measure="RR")
    with pytest.raises(InputError, match=r"each formula must leave some of the 3 effects over, and formula='1' has 1"):
        location_scale(few, scale="poly(ablat, 2)")


def test_what_it_prints() -> None:
    fit = location_scale(EFFECTS["writing"], "ni", "ni")
    assert repr(fit) == (
        "<LocationScale 'ni', scale 'ni': location χ²(1) = 7.83, p = .005, scale χ²(1) = 4.27, p = .039, k = 48 "
        "(REML, z)>"
    )
    text = str(fit)
    assert "Location-scale model of 48 effects: ni; log tau² on ni" in text
    assert "  ni              −0.00055     0.00020  [−0.00094, −0.00017]  −2.80  = .005" in text
    assert "Scale, likelihood-ratio test against one tau²: χ²(1) = 4.27, p = .039" in text
    assert "Scale: log tau²" in fit._repr_html_()
    assert "| ni" in fit.to_markdown().replace("  ", "")
    frame = fit.to_frame(0.90)
    assert list(frame.columns) == [
        "part", "term", "estimate", "std_error", "statistic", "df", "p_value", "ci_low", "ci_high"
    ]  # fmt: skip
    assert frame[["part", "term"]].to_numpy().tolist() == [
        ["location", "intercept"], ["location", "ni"], ["scale", "intercept"], ["scale", "ni"]
    ]  # fmt: skip
    half = 1.6448536269514722 * frame["std_error"]
    assert frame["ci_high"].to_numpy() == pytest.approx((frame["estimate"] + half).to_numpy(), rel=1e-12)
    assert "mods = ~ 0 + X, scale = ~ 0 + Z" in fit.to_r()


def test_it_is_frozen() -> None:
    fit = location_scale(EFFECTS["writing"])
    for array in (fit.coefficients, fit.covariance, fit.scale_coefficients, fit.scale_covariance, fit.tau2):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0.0


def test_simulated_coefficients_are_recovered_and_intervals_cover() -> None:
    """2,000 meta-analyses of 100 studies, 90 % of which lie within 1.645 standard errors.

    Three Monte-Carlo standard errors are 0.020; the intervals' own large-sample error is about as large. A logarithm is
    concave, so that of an unbiased tau2 is too low on average, by about half its squared standard error of 0.25.
    """
    rng = np.random.default_rng(7)
    moderator = np.linspace(-1, 1, 100)
    z = np.column_stack([np.ones(100), moderator])
    v = np.full(100, 0.02)
    tau2 = np.exp(-2.5 + 1.0 * moderator)
    y = rng.normal(0.3, np.sqrt(v + tau2), (2000, 100))
    fits = kernel.location_scale(y, v, np.ones((100, 1)), z)
    assert (fits.outcome == Outcome.CONVERGED).all()
    error = fits.scale_coefficients - [-2.5, 1.0]
    assert np.abs(error.mean(axis=0)).max() < 0.05
    covered = np.abs(error) <= 1.6448536 * np.sqrt(np.diagonal(fits.scale_covariance, axis1=-2, axis2=-1))
    assert covered.mean(axis=0) == pytest.approx([0.90, 0.90], abs=0.04)
