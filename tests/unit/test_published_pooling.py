"""Worked examples printed in books and articles; a number agrees when it rounds to what is printed there.

Data and numbers are copied from the sources named above each. bcg and raudenbush1985 are data sets of the R package
metadat, copied from it.
"""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pandas as pd
import pytest
from tests.reference import agreement

import alliance_meta as am


def generic(effect: list[float], variance: list[float]) -> am.EffectSizes:
    return am.effect_sizes(measure="GEN", effect=effect, variance=variance)


def assert_printed(value: float, printed: float, decimals: int) -> None:
    """Equal to within half a unit of the last printed place (and the rounding of that half unit itself)."""
    assert abs(value - printed) <= 0.5 * 10.0**-decimals * (1.0 + 1e-9), f"{value} is printed as {printed}"


# Lipsey & Wilson (2001), Practical Meta-Analysis, Exhibits 7.3-7.7

LIPSEY_WILSON = generic(
    [-0.33, 0.32, 0.39, 0.31, 0.17, 0.64, -0.33, 0.15, -0.02, 0.00],
    [0.084, 0.035, 0.017, 0.034, 0.072, 0.117, 0.102, 0.093, 0.012, 0.067],
)


def test_lipsey_and_wilson_equal_effects() -> None:
    fit = am.pool(LIPSEY_WILSON, tau2_method="EE", test="z")
    assert_printed(fit.estimate, 0.1549, 4)
    assert_printed(fit.std_error, 0.0609, 4)
    assert_printed(fit.q_statistic, 14.764, 3)


def test_lipsey_and_wilson_random_effects() -> None:
    fit = am.pool(LIPSEY_WILSON, tau2_method="DL", test="z")
    assert_printed(fit.estimate, 0.1534, 4)
    assert_printed(fit.std_error, 0.0858, 4)
    assert_printed(fit.tau2, 0.025955, 6)


# DerSimonian & Kacker (2007), Contemporary Clinical Trials 28, 105-114: the CLASP trials, Tables 3 and 4, pp. 111-112

CLASP = am.effect_sizes(
    pd.DataFrame(
        {
            "events1": [5, 5, 12, 69, 9, 313],
            "n1": [156, 303, 565, 1570, 103, 4659],
            "events2": [8, 17, 9, 94, 11, 352],
            "n2": [74, 303, 477, 1565, 105, 4650],
        }
    ),
    measure="OR",
)


@pytest.mark.parametrize(
    ("method", "printed"),
    [  # tau, mean, standard error
        ("PM", (0.3681, -0.3811, 0.2060)),
        ("HE", (0.4410, -0.4035, 0.2327)),  # there "Cochran ANOVA"
        ("DL", (0.2323, -0.3240, 0.1540)),
        ("CA2", (0.3831, -0.3861, 0.2115)),
        ("DL2", (0.3254, -0.3655, 0.1901)),
    ],
)
def test_dersimonian_and_kacker(method: str, printed: tuple[float, float, float]) -> None:
    fit = am.pool(CLASP, tau2_method=method, test="z")
    for value, number in zip((sqrt(fit.tau2), fit.estimate, fit.std_error), printed, strict=True):
        assert_printed(value, number, 4)


@pytest.mark.parametrize(
    ("method", "printed"),
    [  # the same trials and columns by later software (metafor), for estimators that the article does not have
        ("EB", (0.3681, -0.3811, 0.2060)),
        ("REML", (0.1843, -0.2980, 0.1343)),
        ("HS", (0.1330, -0.2666, 0.1125)),
        ("SJ", (0.4572, -0.4079, 0.2386)),
        ("HSk", (0.1644, -0.2863, 0.1259)),
        ("PMM", (0.4341, -0.4016, 0.2302)),
    ],
)
def test_dersimonian_and_kackers_trials_by_later_software(method: str, printed: tuple[float, float, float]) -> None:
    fit = am.pool(CLASP, tau2_method=method, test="z")
    for value, number in zip((sqrt(fit.tau2), fit.estimate, fit.std_error), printed, strict=True):
        assert_printed(value, number, 4)


def test_maximum_likelihood_of_dersimonian_and_kackers_trials_is_0() -> None:
    """Later software prints tau = 0.0023: its tau2 of 5e-6 is below its stopping threshold of 1e-5, on the way to 0."""
    fit = am.pool(CLASP, tau2_method="ML", test="z")
    assert fit.tau2 == 0.0
    yi, vi = CLASP.effect.tolist(), CLASP.variance.tolist()
    assert agreement.maxima(yi, vi, restricted=False) == [0.0]
    heights = [agreement.log_likelihood(yi, vi, tau2, restricted=False) for tau2 in (0.0, 0.0023**2)]
    assert heights[0] > heights[1]
    assert_printed(fit.std_error, 0.0694, 4)
    # It prints the mean at its own tau2, which rounds otherwise than the mean at 0.
    assert_printed(float(np.average(yi, weights=1.0 / (CLASP.variance + 0.0023**2))), -0.1974, 4)
    assert_printed(fit.estimate, -0.1973, 4)


# Berkey et al. (1995), Statistics in Medicine 14, 395-411, p. 408: the BCG trials (dat.bcg)

BCG = np.array(
    [  # vaccinated: with and without tuberculosis; not vaccinated: with and without
        *([4, 119, 11, 128], [6, 300, 29, 274], [3, 228, 11, 209], [62, 13536, 248, 12619], [33, 5036, 47, 5761]),
        *([180, 1361, 372, 1079], [8, 2537, 10, 619], [505, 87886, 499, 87892], [29, 7470, 45, 7232]),
        *([17, 1699, 65, 1600], [186, 50448, 141, 27197], [5, 2493, 3, 2338], [27, 16886, 29, 17825]),
    ],
    dtype=float,
)


def _bcg() -> am.EffectSizes:
    a, b, c, d = BCG.T
    return am.effect_sizes(measure="RR", events1=a, n1=a + b, events2=c, n2=c + d)


def test_berkey_random_effects() -> None:
    # The article takes log risk ratios with variances in which each arm's risk is smoothed over the trials,
    # the mean over trials of (1 - risk) / risk divided by the arm's size, and Morris's empirical Bayes estimator.
    a, b, c, d = BCG.T
    variance = np.mean(b / a) / (a + b) + np.mean(d / c) / (c + d)
    fit = am.pool(generic(_bcg().effect.tolist(), variance.tolist()), tau2_method="EB", test="z")
    assert_printed(fit.estimate, -0.5429, 4)
    assert_printed(fit.std_error, 0.1842, 4)
    assert_printed(fit.tau2, 0.2682, 4)


def test_paule_and_mandel_of_the_bcg_trials() -> None:
    # metafor: rma(yi, vi, data=escalc(measure="RR", ...), method="PM", control=list(tol=1e-300)); to 1e-9 as all others
    fit = am.pool(_bcg(), tau2_method="PM")
    assert fit.tau2 == pytest.approx(0.318068452205024, rel=1e-9, abs=0.0)
    a, b, c, d = BCG[0]
    assert fit.effects.effect[0] == pytest.approx(log((a / (a + b)) / (c / (c + d))), rel=1e-14)


# Raudenbush (2009), Handbook of Research Synthesis and Meta-Analysis, ch. 16, Tables 16.2-16.3 (dat.raudenbush1985)

RAUDENBUSH = generic(
    [
        *(0.03, 0.12, -0.14, 1.18, 0.26, -0.06, -0.02, -0.32, 0.27, 0.8),
        *(0.54, 0.18, -0.02, 0.23, -0.18, -0.06, 0.3, 0.07, -0.07),
    ],
    [
        *(0.0156, 0.0216, 0.0279, 0.1391, 0.1362, 0.0106, 0.0106, 0.0484, 0.0269, 0.063),
        *(0.0912, 0.0497, 0.0835, 0.0841, 0.0253, 0.0279, 0.0193, 0.0088, 0.0303),
    ],
)


def test_raudenbush_equal_effects() -> None:
    fit = am.pool(RAUDENBUSH, tau2_method="EE", test="z")
    assert_printed(fit.estimate, 0.0604, 4)
    assert_printed(fit.q_statistic, 35.8295, 4)
    assert_printed(fit.statistic, 1.6553, 4)


def test_raudenbush_random_effects() -> None:
    fit = am.pool(RAUDENBUSH, tau2_method="REML", test="z")
    assert_printed(fit.tau2, 0.0188, 4)
    assert_printed(fit.estimate, 0.0837, 4)
    assert_printed(fit.statistic, 1.6208, 4)
    low, high = fit.prediction_interval(method="metafor")
    assert_printed(low, -0.2036, 4)
    # The printed interval is not symmetric about the printed estimate: its middle is 0.08375, half a unit higher,
    # so that the upper bound is known to a unit and a half of its last place. 0.3710 here.
    assert high == pytest.approx(0.3711, abs=1.5e-4)
