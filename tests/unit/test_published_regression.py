"""Worked examples of meta-regression printed in books and articles.

A number agrees when it rounds to what is printed. Data and numbers are copied from the sources named above each; bcg
and raudenbush1985 are data sets of the R package metadat, copied from it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import alliance_meta as am


def generic(frame: pd.DataFrame) -> am.EffectSizes:
    return am.effect_sizes(frame, measure="GEN", effect="d", variance="v")


def assert_printed(value: float, printed: float, decimals: int) -> None:
    """Equal to within half a unit of the last printed place (and the rounding of that half unit itself)."""
    assert abs(value - printed) <= 0.5 * 10.0**-decimals * (1.0 + 1e-9), f"{value} is printed as {printed}"


# Lipsey & Wilson (2001), Practical Meta-Analysis, Exhibits 7.3-7.7

LIPSEY_WILSON = generic(
    pd.DataFrame(
        {
            "d": [-0.33, 0.32, 0.39, 0.31, 0.17, 0.64, -0.33, 0.15, -0.02, 0.00],
            "v": [0.084, 0.035, 0.017, 0.034, 0.072, 0.117, 0.102, 0.093, 0.012, 0.067],
            "random": [0, 0, 0, 0, 0, 0, 1, 1, 1, 1],
            "intensity": [7, 3, 7, 5, 7, 7, 4, 4, 5, 6],
        }
    )
)


@pytest.mark.parametrize("formula", ["random", "C(random)"])
def test_lipsey_and_wilson_groups_under_equal_effects(formula: str) -> None:
    # The book prints 7.0738, later software 7.0739: it is 7.07387...
    between = am.meta_regression(LIPSEY_WILSON, formula, tau2_method="EE", test="z").omnibus()
    assert_printed(between.statistic, 7.0739, 4)
    assert_printed(between.p_value, 0.0078, 4)
    assert between.df1 == 1


def test_lipsey_and_wilson_regression_under_equal_effects() -> None:
    model = am.meta_regression(LIPSEY_WILSON, "random + intensity", tau2_method="EE", test="z").omnibus()
    assert_printed(model.statistic, 7.0807, 4)
    assert_printed(model.p_value, 0.029, 3)


def test_lipsey_and_wilson_regression_with_random_effects() -> None:
    # The book prints QM = 5.5709, from a tau2 rounded to five decimals; later software 5.5711.
    fit = am.meta_regression(LIPSEY_WILSON, "random + intensity", tau2_method="DL", test="z")
    assert_printed(fit.tau2, 0.00488, 5)
    assert_printed(fit.omnibus().statistic, 5.5711, 4)
    assert_printed(fit.omnibus().p_value, 0.0617, 4)
    assert_printed(fit.r2, 81.2, 1)


# Berkey et al. (1995), Statistics in Medicine 14, 395-411, p. 408: the BCG trials (dat.bcg)

BCG = np.array(
    [  # vaccinated: with and without tuberculosis; not vaccinated: with and without; latitude
        *([4, 119, 11, 128, 44], [6, 300, 29, 274, 55], [3, 228, 11, 209, 42], [62, 13536, 248, 12619, 52]),
        *([33, 5036, 47, 5761, 13], [180, 1361, 372, 1079, 44], [8, 2537, 10, 619, 19], [505, 87886, 499, 87892, 13]),
        *([29, 7470, 45, 7232, 27], [17, 1699, 65, 1600, 42], [186, 50448, 141, 27197, 18], [5, 2493, 3, 2338, 33]),
        [27, 16886, 29, 17825, 33],
    ],
    dtype=float,
)


def test_berkey_latitude_by_empirical_bayes() -> None:
    # The article takes log risk ratios with variances in which each arm's risk is smoothed over the trials, the mean
    # over trials of (1 - risk) / risk divided by the arm's size, and latitude less its mean, 33.46.
    a, b, c, d, latitude = BCG.T
    frame = pd.DataFrame(
        {
            "d": np.log(a / (a + b)) - np.log(c / (c + d)),
            "v": np.mean(b / a) / (a + b) + np.mean(d / c) / (c + d),
            "latitude": latitude - 33.46,
        }
    )
    fit = am.meta_regression(generic(frame), "latitude", tau2_method="EB", test="z")
    # -0.6303 by later software; the article has -0.6304.
    for estimate, printed in zip(fit.coefficients.tolist(), (-0.6303, -0.0268), strict=True):
        assert_printed(estimate, printed, 4)
    for std_error, printed in zip(fit.std_errors.tolist(), (0.1591, 0.0110), strict=True):
        assert_printed(std_error, printed, 4)
    assert_printed(fit.tau2, 0.1572, 4)


# Raudenbush (2009), Handbook of Research Synthesis and Meta-Analysis, ch. 16, Tables 16.2-16.3 (dat.raudenbush1985):
# weeks of contact before the expectation was induced, those above 3 set to 3

RAUDENBUSH = generic(
    pd.DataFrame(
        {
            "d": [
                *(0.03, 0.12, -0.14, 1.18, 0.26, -0.06, -0.02, -0.32, 0.27, 0.8),
                *(0.54, 0.18, -0.02, 0.23, -0.18, -0.06, 0.3, 0.07, -0.07),
            ],
            "v": [
                *(0.0156, 0.0216, 0.0279, 0.1391, 0.1362, 0.0106, 0.0106, 0.0484, 0.0269, 0.063),
                *(0.0912, 0.0497, 0.0835, 0.0841, 0.0253, 0.0279, 0.0193, 0.0088, 0.0303),
            ],
            "weeks": [min(weeks, 3) for weeks in (2, 21, 19, 0, 0, 3, 17, 24, 0, 1, 0, 0, 1, 2, 17, 5, 1, 2, 7)],
        }
    )
)


def test_raudenbush_weeks_of_contact() -> None:
    fit = am.meta_regression(RAUDENBUSH, "weeks", tau2_method="REML", test="z")
    for estimate, printed in zip(fit.coefficients.tolist(), (0.4072, -0.1572), strict=True):
        assert_printed(estimate, printed, 4)
    assert fit.tau2 == 0.0
    assert_printed(fit.q_residual, 16.5708, 4)


# Jackson, Turner, Rhodes & Viechtbauer (2014), BMC Medical Research Methodology 14:103, example 1

JACKSON = generic(
    pd.DataFrame(
        {
            "d": [
                *(0.0267, 0.8242, 0.393, 2.4405, 2.1401, 1.2528, 2.4849, 0.3087),
                *(1.4246, 0.1823, 1.1378, 1.2321, 2.0695, 4.0237, 1.4383, 1.6021),
            ],
            "v": [
                *(0.1285, 0.0315, 0.0931, 2.0967, 1.0539, 0.1602, 1.0235, 0.0218),
                *(0.5277, 0.0556, 0.3304, 0.1721, 0.4901, 2.02, 0.3399, 0.183),
            ],
            "x": [0.0] * 10 + [1.0] * 6,
        }
    )
)


@pytest.mark.parametrize(
    ("method", "low", "high", "decimals"),
    [
        ("wald-log", 0.011, 0.633, 3),
        ("biggerstaff-jackson", 0.0029, 0.6907, 4),
    ],
)
def test_jackson_intervals_of_residual_heterogeneity(method: str, low: float, high: float, decimals: int) -> None:
    interval = am.meta_regression(JACKSON, "x", tau2_method="REML", test="z").tau2_interval(method=method)
    assert_printed(interval.low, low, decimals)
    assert_printed(interval.high, high, decimals)


def test_jackson_interval_with_weights_of_standard_errors() -> None:
    # It prints [0, 1.1245], of a search that stops within 1.2e-4. The bound is 1.12456: there Imhof's integral gives
    # the quadratic form a probability of .975000000, and at 1.1245 one of .974994999.
    interval = am.meta_regression(JACKSON, "x", tau2_method="REML", test="z").tau2_interval(method="jackson")
    assert interval.low == 0.0
    assert interval.high == pytest.approx(1.1245, abs=1.2e-4)
    assert_printed(interval.high, 1.12456, 5)
