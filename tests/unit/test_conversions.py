"""Conversions: against raw data, integrals, simulations, SciPy, and metafor's numbers; domains, limits and signs."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable
from typing import Any

import mpmath  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
import pytest
from scipy import integrate, special, stats
from statsmodels.stats.proportion import proportion_effectsize  # type: ignore[import-untyped]

from alliance_meta import conversions as c

Array = npt.NDArray[np.float64]
INF, NAN = math.inf, math.nan
EXACT = 1e-12  # the same quantity by another route: rounding only
PUBLIC: dict[str, Callable[..., Array]] = {name: getattr(c, name) for name in c.__all__}

# Arguments in the interior of every function's domain.
INSIDE: dict[str, tuple[float, ...]] = {
    "adjusted_means_to_d": (103.0, 100.0, 5.5, 0.7),
    "ancova_f_to_d": (4.0, 20.0, 30.0, 0.5, -1.0),
    "ancova_t_to_d": (2.0, 20.0, 30.0, 0.5),
    "beta_to_r": (0.2,),
    "biserial_to_point_biserial": (0.4, 20.0, 30.0),
    "change_to_d": (3.0, 5.5, 0.7),
    "chi2_to_r": (5.2, 80.0, -1.0),
    "ci_to_sd": (30.0, 34.0, 25.0, 0.9),
    "ci_to_se": (0.1, 0.4, 0.9, 20.0),
    "common_language_to_d": (0.6,),
    "d_to_common_language": (0.5,),
    "d_to_g": (0.5, 18.0),
    "d_to_g_approximate": (0.5, 18.0),
    "d_to_log_odds_ratio": (0.5,),
    "d_to_log_odds_ratio_cox": (0.5,),
    "d_to_nnt": (0.5,),
    "d_to_nnt_at_rate": (0.5, 0.3),
    "d_to_overlap": (0.5,),
    "d_to_point_biserial": (0.5, 20.0, 30.0),
    "d_to_r": (0.5,),
    "d_to_r_unequal": (0.5, 20.0, 30.0),
    "d_to_u3": (0.5,),
    "difference_se_to_sd": (1.2, 20.0, 30.0),
    "eta2_to_r": (0.1, -1.0),
    "events_to_d": (40.0, 60.0, 15.0, 50.0, 0.5),
    "events_to_d_cox": (40.0, 60.0, 15.0, 50.0, 0.5),
    "events_to_log_odds_ratio": (40.0, 60.0, 15.0, 50.0, 0.5),
    "events_to_phi": (40.0, 60.0, 15.0, 50.0),
    "events_to_tetrachoric": (40.0, 60.0, 15.0, 50.0, 0.5),
    "events_to_tetrachoric_bonett_price": (40.0, 60.0, 15.0, 50.0),
    "f_to_d": (4.0, 20.0, 30.0, -1.0),
    "f_to_r": (4.0, 46.0, -1.0),
    "five_numbers_to_mean": (8.0, 18.0, 22.0, 28.0, 41.0, 50.0),
    "five_numbers_to_sd": (8.0, 18.0, 28.0, 41.0, 50.0),
    "g_to_d": (0.5, 18.0),
    "g_to_d_approximate": (0.5, 18.0),
    "kendall_to_r": (0.2,),
    "log_odds_ratio_to_d": (0.9,),
    "log_odds_ratio_to_d_cox": (0.9,),
    "means_to_d": (10.0, 8.0, 3.0, 4.0, 20.0, 30.0),
    "normal_to_r": (2.3, 60.0),
    "odds_ratio_to_tetrachoric_digby": (2.0,),
    "p_to_d": (0.04, 20.0, 30.0, 2.0, -1.0),
    "p_to_r": (0.04, 50.0, 2.0, -1.0),
    "p_to_se": (0.3, 0.04, 20.0, 2.0),
    "p_to_t": (0.04, 20.0, 2.0, -1.0),
    "paired_t_to_d": (4.0, 25.0, 0.6),
    "point_biserial_to_biserial": (0.3, 20.0, 30.0),
    "point_biserial_to_d": (0.3, 20.0, 30.0),
    "pre_post_to_d": (24.0, 15.0, 7.5),
    "pre_post_to_sd_change": (7.5, 9.0, 0.6),
    "proportions_to_d_arcsine": (0.6, 0.4),
    "proportions_to_d_probit": (0.6, 0.4),
    "quartiles_to_mean": (18.0, 22.0, 28.0, 50.0),
    "quartiles_to_sd": (18.0, 28.0, 50.0),
    "r2_to_r": (0.1, -1.0),
    "r_to_besd": (0.3,),
    "r_to_common_language": (0.3,),
    "r_to_d": (0.3,),
    "r_to_d_unequal": (0.3, 20.0, 30.0),
    "r_to_variance_share": (0.3,),
    "r_to_z": (0.3,),
    "range_to_mean": (8.0, 22.0, 41.0, 50.0),
    "range_to_sd": (8.0, 41.0, 50.0),
    "sd_change_to_r_pre_post": (7.5, 9.0, 7.0),
    "se_to_sd": (1.2, 25.0),
    "small_sample_factor": (18.0,),
    "small_sample_factor_approximate": (18.0,),
    "spearman_to_r": (0.3,),
    "t_to_d": (2.0, 20.0, 30.0),
    "t_to_partial_r": (2.0, 46.0),
    "t_to_r": (2.0, 46.0),
    "t_to_semipartial_r": (2.0, 46.0, 0.3),
    "u_to_d": (130.0, 10.0, 20.0),
    "u_to_r": (130.0, 10.0, 20.0),
    "u_to_rank_biserial": (130.0, 10.0, 20.0),
    "z_to_r": (0.3,),
}
EVERY = pytest.mark.parametrize("name", INSIDE)


def close(found: Any, wanted: Any, tolerance: float = EXACT) -> None:
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)


def same(found: Any, wanted: Any) -> None:
    """Compare one computation's numbers for arrays and scalars: NumPy's code for the two differs in the last place."""
    np.testing.assert_allclose(found, wanted, rtol=1e-13)


# --- what holds for every function -------------------------------------------------------------------------------


def test_every_function_but_the_one_for_intervals_is_tried() -> None:
    assert set(INSIDE) == set(c.__all__) - {"carried_interval"}


@pytest.mark.parametrize("name", c.__all__)
def test_names_and_documentation(name: str) -> None:
    assert "_to_" in name or name in {"carried_interval", "small_sample_factor", "small_sample_factor_approximate"}
    text = inspect.getdoc(PUBLIC[name]) or ""
    for section in ("Parameters", "Returns", "References", "Examples"):
        assert f"\n{section}\n{'-' * len(section)}\n" in text, section
    assert re.search(r"\n>>> .*\n(>>> .*\n)*[-\[ 0-9.]+", text), "an example that prints a number"
    for parameter in inspect.signature(PUBLIC[name]).parameters:
        assert re.search(rf"^(\w+, )*{parameter}(, \w+)* : ", text, flags=re.MULTILINE), parameter


@EVERY
def test_scalars_give_one_float_without_axes(name: str) -> None:
    found = PUBLIC[name](*INSIDE[name])
    assert isinstance(found, np.ndarray)
    assert found.shape == ()
    assert found.dtype == np.float64
    assert np.isfinite(found)


@EVERY
def test_integers_and_lists_are_numbers(name: str) -> None:
    rounded = [round(value) for value in INSIDE[name]]
    as_floats = PUBLIC[name](*map(float, rounded))
    np.testing.assert_array_equal(PUBLIC[name](*rounded), as_floats)
    same(PUBLIC[name](*([value] for value in rounded)), [as_floats])


@EVERY
def test_arguments_broadcast(name: str) -> None:
    inside = INSIDE[name]
    whole = PUBLIC[name](*inside)
    for place in range(len(inside)):
        arguments: list[Any] = list(inside)
        arguments[place] = np.full((3, 1), inside[place])
        if len(inside) > 1:
            arguments[place - 1] = np.full((1, 4), inside[place - 1])
        found = PUBLIC[name](*arguments)
        assert found.shape == ((3, 4) if len(inside) > 1 else (3, 1))
        same(found, np.full(found.shape, whole))


@EVERY
def test_missing_stays_missing_and_touches_nothing_else(name: str) -> None:
    inside = INSIDE[name]
    for place in range(len(inside)):
        arguments: list[Any] = list(inside)
        arguments[place] = [inside[place], NAN, inside[place]]
        found = PUBLIC[name](*arguments)
        assert np.isnan(found).tolist() == [False, True, False], f"argument {place}"


@EVERY
def test_no_rows_give_no_rows(name: str) -> None:
    assert PUBLIC[name](*(np.empty(0) for _ in INSIDE[name])).shape == (0,)


@EVERY
def test_a_hundred_thousand_rows_are_what_single_rows_are(name: str) -> None:
    rng = np.random.default_rng(20)
    inside = INSIDE[name]
    # The first argument varies by 2%, which stays inside every domain.
    first = inside[0] * rng.uniform(0.98, 1.0, 100_000)
    rest = [np.full(100_000, value) for value in inside[1:]]
    given = first.copy()
    found = PUBLIC[name](first, *rest)
    np.testing.assert_array_equal(first, given)
    assert np.isfinite(found).all()
    for row in (0, 1, 54_321, 99_999):
        same(found[row], PUBLIC[name](first[row], *inside[1:]))


@EVERY
def test_anything_at_all_is_taken_in_silence(name: str) -> None:
    odd = np.array([-INF, -1e308, -2.0, -1.0, -0.5, -0.0, 0.0, 5e-324, 0.5, 1.0, 2.0, 3.0, 1e308, INF, NAN])
    rng = np.random.default_rng(21)
    with np.errstate(all="raise"):
        PUBLIC[name](*(rng.choice(odd, 5_000) for _ in INSIDE[name]))


# --- domains, limits, signs --------------------------------------------------------------------------------------

OUTSIDE: list[tuple[str, tuple[float, ...]]] = [
    *[(name, (1.0001,)) for name in ("r_to_z", "r_to_d", "r_to_besd", "r_to_variance_share", "r_to_common_language")],
    *[(name, (-1.0001,)) for name in ("r_to_z", "r_to_d", "spearman_to_r", "kendall_to_r", "r_to_besd")],
    *[(name, (1.0001,)) for name in ("spearman_to_r", "kendall_to_r", "common_language_to_d")],
    *[(name, (value,)) for name in ("r2_to_r", "eta2_to_r") for value in (-0.01, 1.01)],
    *[("beta_to_r", (value,)) for value in (-0.5001, 0.5001)],
    ("common_language_to_d", (-0.01,)),
    ("odds_ratio_to_tetrachoric_digby", (-0.01,)),
    *[(name, (2.0, value)) for name in ("t_to_r", "t_to_partial_r", "f_to_r", "chi2_to_r") for value in (0.0, -1.0)],
    ("f_to_r", (-0.1, 20.0)),
    ("chi2_to_r", (-0.1, 20.0)),
    ("chi2_to_r", (20.1, 20.0)),
    ("chi2_to_r", (0.0, 0.0)),
    ("normal_to_r", (5.1, 26.0)),
    ("normal_to_r", (0.0, 0.0)),
    *[("t_to_semipartial_r", (1.0, 10.0, value)) for value in (-0.1, 1.1)],
    ("t_to_semipartial_r", (9.0, 10.0, 0.1)),
    ("t_to_semipartial_r", (1.0, 0.0, 0.1)),
    *[("p_to_t", (value, 10.0)) for value in (-0.1, 0.0, 1.1)],
    *[("p_to_t", (value, 10.0, 1.0)) for value in (0.0, 1.0)],
    *[("p_to_t", (0.05, 10.0, tails)) for tails in (0.0, 1.5, 3.0, -2.0)],
    *[("p_to_t", (0.05, value)) for value in (0.0, -1.0)],
    *[("p_to_r", (0.05, value)) for value in (2.0, 1.0)],
    ("p_to_d", (0.05, 1.0, 1.0)),
    ("p_to_d", (0.05, 0.0, 9.0)),
    *[(name, (value, 4.0, 5.0)) for name in ("u_to_r", "u_to_rank_biserial", "u_to_d") for value in (-0.5, 20.5)],
    *[(name, (0.0, 0.0, 5.0)) for name in ("u_to_r", "u_to_rank_biserial", "u_to_d")],
    *[(name, (0.3, 0.0, 5.0)) for name in ("point_biserial_to_biserial", "biserial_to_point_biserial")],
    *[(name, (0.3, 5.0, -1.0)) for name in ("r_to_d_unequal", "d_to_r_unequal", "t_to_d")],
    *[(name, (0.3, 1.0, 1.0)) for name in ("point_biserial_to_d", "d_to_point_biserial")],
    *[(name, (1.01, 5.0, 5.0)) for name in ("point_biserial_to_biserial", "point_biserial_to_d", "r_to_d_unequal")],
    ("biserial_to_point_biserial", (1.3, 5.0, 5.0)),
    *[(f"small_sample_factor{kind}", (value,)) for kind in ("", "_approximate") for value in (1.0, 0.5, -3.0)],
    *[(name, (0.5, 1.0)) for name in ("d_to_g", "g_to_d", "d_to_g_approximate", "g_to_d_approximate")],
    ("means_to_d", (1.0, 0.0, 0.0, 0.0, 9.0, 9.0)),
    ("means_to_d", (1.0, 0.0, -1.0, 1.0, 9.0, 9.0)),
    ("means_to_d", (1.0, 0.0, 1.0, 1.0, 0.5, 9.0)),
    ("means_to_d", (1.0, 0.0, 1.0, 1.0, 1.0, 1.0)),
    ("f_to_d", (-1.0, 9.0, 9.0)),
    *[("adjusted_means_to_d", (1.0, 0.0, 1.0, value)) for value in (1.0, -1.0, 1.2)],
    ("adjusted_means_to_d", (1.0, 0.0, 0.0, 0.5)),
    *[("change_to_d", (1.0, 1.0, value)) for value in (1.0, 1.1, -1.1)],
    ("change_to_d", (1.0, 0.0, 0.5)),
    ("paired_t_to_d", (1.0, 0.0, 0.5)),
    ("pre_post_to_d", (1.0, 2.0, 0.0)),
    *[("events_to_phi", value) for value in ((5.0, 4.0, 1.0, 4.0), (-1.0, 4.0, 1.0, 4.0), (0.0, 4.0, 0.0, 4.0))],
    *[("events_to_tetrachoric", value) for value in ((5.0, 4.0, 1.0, 4.0), (4.0, 4.0, 5.0, 5.0), (0.0, 0.0, 1.0, 4.0))],
    ("events_to_tetrachoric_bonett_price", (5.0, 4.0, 1.0, 4.0)),
    ("events_to_log_odds_ratio", (2.0, 4.0, 1.0, 4.0, -0.5)),
    ("events_to_log_odds_ratio", (0.0, 4.0, 0.0, 4.0)),
    *[(name, (1.1, 0.5)) for name in ("proportions_to_d_probit", "proportions_to_d_arcsine")],
    *[(name, (0.5, -0.1)) for name in ("proportions_to_d_probit", "proportions_to_d_arcsine")],
    ("proportions_to_d_probit", (1.0, 1.0)),
    *[("d_to_nnt_at_rate", (0.5, value)) for value in (0.0, 1.0, -0.2, 1.2)],
    ("se_to_sd", (-1.0, 9.0)),
    ("se_to_sd", (1.0, 0.0)),
    ("difference_se_to_sd", (1.0, 9.0, 0.0)),
    ("ci_to_se", (0.5, 0.4)),
    *[("ci_to_se", (0.1, 0.4, value)) for value in (0.0, 1.0, 95.0)],
    ("ci_to_se", (0.1, 0.4, 0.95, 0.0)),
    ("ci_to_sd", (0.1, 0.4, 1.0)),
    ("p_to_se", (0.0, 0.5)),
    ("p_to_se", (0.3, 0.0)),
    ("pre_post_to_sd_change", (1.0, 1.0, 1.01)),
    ("pre_post_to_sd_change", (-1.0, 1.0, 0.5)),
    ("sd_change_to_r_pre_post", (1.0, 1.0, 2.01)),
    ("sd_change_to_r_pre_post", (0.0, 1.0, 1.0)),
    *[("range_to_sd", value) for value in ((2.0, 1.0, 9.0), (1.0, 2.0, 1.0), (1.0, 2.0, 0.0))],
    *[("quartiles_to_sd", value) for value in ((2.0, 1.0, 9.0), (1.0, 2.0, 1.0), (1.0, 2.0, -3.0))],
    ("five_numbers_to_sd", (1.0, 0.9, 3.0, 4.0, 9.0)),
    ("range_to_mean", (1.0, 0.9, 3.0, 9.0)),
    ("quartiles_to_mean", (1.0, 3.1, 3.0, 9.0)),
    ("five_numbers_to_mean", (1.0, 2.0, 3.0, 4.0, 3.9, 9.0)),
]


@pytest.mark.parametrize(("name", "arguments"), OUTSIDE)
def test_outside_its_domain_a_function_is_nan(name: str, arguments: tuple[float, ...]) -> None:
    assert np.isnan(PUBLIC[name](*arguments))


@pytest.mark.parametrize(
    ("name", "arguments", "limit"),
    [
        ("r_to_z", (1.0,), INF),
        ("z_to_r", (-INF,), -1.0),
        ("r_to_d", (-1.0,), -INF),
        ("d_to_r", (INF,), 1.0),
        ("d_to_r", (1e300,), 1.0),
        ("r_to_d_unequal", (1.0, 3.0, 9.0), INF),
        ("d_to_r_unequal", (-INF, 3.0, 9.0), -1.0),
        ("d_to_point_biserial", (INF, 3.0, 9.0), 1.0),
        ("t_to_r", (-INF, 9.0), -1.0),
        ("t_to_r", (1e200, 9.0), 1.0),
        ("f_to_r", (INF, 9.0), 1.0),
        ("f_to_r", (0.0, 9.0), 0.0),
        ("chi2_to_r", (9.0, 9.0), 1.0),
        ("normal_to_r", (-5.0, 25.0), -1.0),
        ("p_to_t", (1.0, 10.0), 0.0),
        ("p_to_t", (0.5, 10.0, 1.0), 0.0),
        ("p_to_r", (1.0, 10.0), 0.0),
        ("u_to_rank_biserial", (20.0, 4.0, 5.0), 1.0),
        ("u_to_rank_biserial", (10.0, 4.0, 5.0), 0.0),
        ("u_to_d", (20.0, 4.0, 5.0), INF),
        ("spearman_to_r", (1.0,), 1.0),
        ("spearman_to_r", (-1.0,), -1.0),
        ("kendall_to_r", (1.0,), 1.0),
        ("beta_to_r", (0.0,), 0.05),
        ("beta_to_r", (0.5,), 0.55),
        ("beta_to_r", (-0.5,), -0.5),
        ("small_sample_factor", (INF,), 1.0),
        ("small_sample_factor_approximate", (INF,), 1.0),
        ("events_to_phi", (6.0, 6.0, 0.0, 9.0), 1.0),
        ("events_to_log_odds_ratio", (6.0, 6.0, 1.0, 9.0), INF),
        ("events_to_log_odds_ratio", (0.0, 6.0, 1.0, 9.0), -INF),
        ("events_to_tetrachoric", (6.0, 6.0, 1.0, 9.0), 1.0),
        ("events_to_tetrachoric", (0.0, 6.0, 1.0, 9.0), -1.0),
        ("events_to_tetrachoric", (3.0, 6.0, 5.0, 10.0), 0.0),
        ("odds_ratio_to_tetrachoric_digby", (0.0,), -1.0),
        ("odds_ratio_to_tetrachoric_digby", (1.0,), 0.0),
        ("odds_ratio_to_tetrachoric_digby", (INF,), 1.0),
        ("proportions_to_d_probit", (1.0, 0.5), INF),
        ("proportions_to_d_arcsine", (1.0, 0.0), math.pi),
        ("r_to_variance_share", (-1.0,), 1.0),
        ("r_to_besd", (-1.0,), 0.0),
        ("r_to_common_language", (1.0,), 1.0),
        ("d_to_u3", (0.0,), 0.5),
        ("d_to_common_language", (INF,), 1.0),
        ("common_language_to_d", (0.0,), -INF),
        ("d_to_overlap", (0.0,), 1.0),
        ("d_to_overlap", (INF,), 0.0),
        ("d_to_nnt", (0.0,), INF),
        ("d_to_nnt", (-0.0,), -INF),
        ("d_to_nnt", (INF,), 1.0),
        ("d_to_nnt", (-INF,), -1.0),
        ("d_to_nnt_at_rate", (0.0, 0.3), INF),
        ("d_to_nnt_at_rate", (-0.0, 0.3), -INF),
        ("d_to_nnt_at_rate", (INF, 0.75), 4.0),
        ("d_to_nnt_at_rate", (-INF, 0.25), -4.0),
        ("se_to_sd", (0.0, 9.0), 0.0),
        ("ci_to_se", (0.3, 0.3), 0.0),
        ("p_to_se", (0.3, 1.0), INF),
        ("pre_post_to_sd_change", (2.0, 3.0, 1.0), 1.0),
        ("pre_post_to_sd_change", (2.0, 3.0, -1.0), 5.0),
        ("sd_change_to_r_pre_post", (2.0, 3.0, 1.0), 1.0),
        ("quartiles_to_sd", (4.0, 4.0, 9.0), 0.0),
        ("means_to_d", (3.0, 1.0, 0.0, 2.0, 1.0, 5.0), 1.0),
    ],
)
def test_limits(name: str, arguments: tuple[float, ...], limit: float) -> None:
    found = float(PUBLIC[name](*arguments))
    assert found == pytest.approx(limit, rel=1e-15, abs=1e-15)
    assert limit != 0.0 or math.copysign(1.0, found) == 1.0 or name.startswith("p_to")


SIGNED = [name for name in INSIDE if "sign" in inspect.signature(PUBLIC[name]).parameters]


@pytest.mark.parametrize("name", SIGNED)
def test_the_sign_that_a_statistic_has_lost_is_given_back(name: str) -> None:
    unsigned = INSIDE[name][:-1]
    up, unsaid, down = (PUBLIC[name](*unsigned, **sign) for sign in ({"sign": 1}, {}, {"sign": -1}))
    assert up == unsaid == -down
    assert up > 0.0
    for impossible in (0, 2, -0.5, NAN):
        assert np.isnan(PUBLIC[name](*unsigned, sign=impossible))


ODD_FUNCTIONS = [
    "r_to_z", "z_to_r", "r_to_d", "d_to_r", "r_to_d_unequal", "d_to_r_unequal", "point_biserial_to_d",
    "d_to_point_biserial", "point_biserial_to_biserial", "biserial_to_point_biserial", "spearman_to_r", "kendall_to_r",
    "t_to_r", "t_to_partial_r", "t_to_semipartial_r", "normal_to_r", "t_to_d", "ancova_t_to_d", "paired_t_to_d",
    "change_to_d", "d_to_g", "g_to_d", "d_to_g_approximate", "g_to_d_approximate", "d_to_log_odds_ratio",
    "log_odds_ratio_to_d", "d_to_log_odds_ratio_cox", "log_odds_ratio_to_d_cox", "d_to_nnt",
]  # fmt: skip


@pytest.mark.parametrize("name", ODD_FUNCTIONS)
def test_the_opposite_effect_gives_the_opposite_number(name: str) -> None:
    first, *rest = INSIDE[name]
    assert PUBLIC[name](-first, *rest) == -PUBLIC[name](first, *rest)


@pytest.mark.parametrize(
    "name",
    ["events_to_phi", "events_to_tetrachoric", "events_to_log_odds_ratio", "events_to_d", "events_to_d_cox"],
)
def test_exchanging_the_groups_or_the_event_turns_the_sign(name: str) -> None:
    straight = PUBLIC[name](40, 60, 15, 50)
    assert straight > 0.0
    close(PUBLIC[name](15, 50, 40, 60), -straight)
    close(PUBLIC[name](20, 60, 35, 50), -straight)


# --- correlations ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data() -> tuple[Array, Array, Array]:
    """Give an outcome, a predictor and a covariate of 40 people, of no particular distribution."""
    rng = np.random.default_rng(7)
    x = rng.gamma(2.0, 1.0, 40)
    w = 0.5 * x + rng.normal(size=40)
    return 0.6 * x - 0.4 * w + rng.normal(size=40), x, w


def two_groups(y: Array, n1: int = 15) -> tuple[Array, Array, Array]:
    """First group, second group, and the 1/0 variable of belonging to the first."""
    return y[:n1], y[n1:], (np.arange(len(y)) < n1).astype(float)


def explained(y: Array, *predictors: Array) -> tuple[float, Any, Any]:
    """R squared, coefficients and their standard errors of a regression with intercept."""
    x = np.column_stack([np.ones(len(y)), *predictors])
    b = np.linalg.lstsq(x, y, rcond=None)[0]
    rest = float(np.sum((y - x @ b) ** 2))
    errors = np.sqrt(np.diag(np.linalg.inv(x.T @ x)) * rest / (len(y) - x.shape[1]))
    return 1.0 - rest / float(np.sum((y - y.mean()) ** 2)), b, errors


def test_t_f_p_and_r2_of_a_correlation_give_it_back(data: tuple[Array, Array, Array]) -> None:
    y, x, _ = data
    r, p = stats.pearsonr(-x, y)
    assert r < 0.0
    r2, b, errors = explained(y, -x)
    t = b[1] / errors[1]
    close(c.t_to_r(t, 38), r)
    close(c.f_to_r(t**2, 38, sign=-1), r)
    close(c.r2_to_r(r2, sign=-1), r)
    close(c.eta2_to_r(t**2 / (t**2 + 38), sign=-1), r)
    close(c.p_to_r(p, 40, sign=-1), r, 1e-10)
    less = stats.pearsonr(-x, y, alternative="less").pvalue
    greater = stats.pearsonr(-x, y, alternative="greater").pvalue
    close(c.p_to_r(less, 40, tails=1, sign=-1), r, 1e-10)
    assert greater > 0.5
    # A p next to 1 has lost digits of its distance from 1: here it is 0.99991..., known to 1e-16.
    close(c.p_to_r(greater, 40, tails=1), r, 1e-9)


def test_chi_square_gives_phi_and_its_root_as_z_the_same() -> None:
    table = np.array([[40, 20], [15, 35]])
    chi2 = stats.chi2_contingency(table, correction=False).statistic
    rows = np.repeat([1.0, 1.0, 0.0, 0.0], table.ravel())
    event = np.repeat([1.0, 0.0, 1.0, 0.0], table.ravel())
    phi = stats.pearsonr(rows, event)[0]
    close(c.events_to_phi(40, 60, 15, 50), phi)
    close(c.chi2_to_r(chi2, 110), phi)
    close(c.normal_to_r(math.sqrt(chi2), 110), phi)


@pytest.mark.parametrize("p", [1e-100, 1e-30, 1e-8, 0.001, 0.05, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("df", [1.0, 2.5, 10.0, 300.0, 1e5])
def test_t_of_a_p_value_has_that_p_value(p: float, df: float) -> None:
    # The t of a tiny p is an enormous number at few degrees of freedom, so the p is compared, by its logarithm.
    with mpmath.workdps(40):
        t = mpmath.mpf(float(c.p_to_t(p, df)))
        both_tails = mpmath.betainc(df / 2, 0.5, 0, df / (df + t**2), regularized=True)
        assert float(mpmath.log(both_tails / p)) == pytest.approx(0.0, abs=1e-9)


def test_t_of_a_p_value_at_infinite_df_is_z() -> None:
    close(c.p_to_t([0.05, 0.8], INF), stats.norm.isf([0.025, 0.4]))
    close(c.p_to_t([0.05, 0.8], INF, tails=1), stats.norm.isf([0.05, 0.8]))
    close(c.p_to_t([0.05, 0.8], 1e12), stats.norm.isf([0.025, 0.4]), 1e-10)


def test_partial_and_semipartial_correlations_are_those_of_residuals(data: tuple[Array, Array, Array]) -> None:
    y, x, w = data
    r2, b, errors = explained(y, x, w)
    t = b[1] / errors[1]
    design = np.column_stack([np.ones(40), w])
    y_left, x_left = (v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (y, x))
    close(c.t_to_partial_r(t, 37), stats.pearsonr(y_left, x_left)[0])
    close(c.t_to_semipartial_r(t, 37, r2), stats.pearsonr(y, x_left)[0])
    close(c.t_to_semipartial_r(t, 37, r2) ** 2, r2 - explained(y, w)[0])


def test_rank_biserial_counts_pairs_and_r_of_u_is_scipys_z(data: tuple[Array, Array, Array]) -> None:
    first, second, member = two_groups(data[0])
    u = stats.mannwhitneyu(first, second).statistic
    close(c.u_to_rank_biserial(u, 15, 25), np.sign(first[:, None] - second).mean())
    p = stats.mannwhitneyu(first, second, method="asymptotic", use_continuity=False).pvalue
    z = np.sign(u - 15 * 25 / 2) * stats.norm.isf(p / 2)
    close(c.u_to_r(u, 15, 25), z / math.sqrt(40), 1e-10)
    close(c.u_to_r(u, 15, 25), stats.pearsonr(member, stats.rankdata(data[0]))[0] * math.sqrt(39 / 40))


def test_d_of_u_is_d_in_normal_groups() -> None:
    # All pairs of normal quantiles stand for the populations; their discreteness costs about 1 / size.
    quantiles = stats.norm.ppf((np.arange(2000) + 0.5) / 2000)
    u = np.searchsorted(quantiles, quantiles + 0.7).sum()
    close(c.u_to_d(u, 2000, 2000), 0.7, 2e-3)
    close(c.u_to_d(130, 10, 20), math.sqrt(2.0) * stats.norm.ppf(0.65))


@pytest.mark.parametrize("r", [-0.95, -0.4, 0.0, 0.1, 0.6, 0.99])
def test_rank_correlations_of_a_bivariate_normal(r: float) -> None:
    rest = math.sqrt(1.0 - r**2)
    # Spearman's rho is 12 E[F(X) F(Y)] - 3; given X = x, E[F(Y)] is the chance that N(rx, 1 - r**2 + 1) exceeds 0.
    mean_product = integrate.quad(
        lambda x: stats.norm.pdf(x) * stats.norm.cdf(x) * stats.norm.cdf(r * x / math.sqrt(2.0 - r**2)), -9.0, 9.0
    )[0]
    close(c.spearman_to_r(12.0 * mean_product - 3.0), r, 1e-7)
    # Kendall's tau is 4 P(X > 0, Y > 0) - 1, the difference of two pairs being distributed as one.
    quadrant = integrate.quad(lambda x: stats.norm.pdf(x) * stats.norm.cdf(r * x / rest), 0.0, 9.0)[0]
    close(c.kendall_to_r(4.0 * quadrant - 1.0), r, 1e-7)
    # Dunlap's probability is that quadrant's, given X > 0.
    close(c.r_to_common_language(r), 2.0 * quadrant, 1e-7)


@pytest.mark.parametrize("share", [0.5, 0.2, 0.93])
def test_biserial_is_the_correlation_before_the_cut(share: float) -> None:
    rho = 0.6
    cut = stats.norm.isf(share)
    covariance = rho * integrate.quad(lambda y: y * stats.norm.pdf(y), cut, 12.0)[0]
    point_biserial = covariance / math.sqrt(share * (1.0 - share))
    close(c.point_biserial_to_biserial(point_biserial, 100 * share, 100 * (1 - share)), rho, 1e-9)
    close(c.biserial_to_point_biserial(rho, 100 * share, 100 * (1 - share)), point_biserial, 1e-9)


def test_a_biserial_beyond_1_is_given_and_goes_back() -> None:
    found = c.point_biserial_to_biserial(0.95, 30, 30)
    assert found > 1.0
    close(c.biserial_to_point_biserial(found, 30, 30), 0.95)


def test_beta_rule_adds_a_twentieth_to_what_is_not_negative() -> None:
    close(c.beta_to_r([-0.5, -0.2, -1e-9, 0.0, 0.2, 0.5]), [-0.5, -0.2, -1e-9, 0.05, 0.25, 0.55])


# --- two-by-two tables -------------------------------------------------------------------------------------------


def quadrant(h: float, k: float, rho: float) -> float:
    """P(X < h, Y < k), by integration over X."""
    rest = math.sqrt(1.0 - rho**2)
    turn = min(max(k / rho if rho else 0.0, -11.9), h - 1e-9)  # where the integrand is steepest
    parts = [(-12.0, turn), (turn, h)]
    return sum(
        float(integrate.quad(lambda x: special.ndtr((k - rho * x) / rest) * stats.norm.pdf(x), *part, epsabs=1e-14)[0])
        for part in parts
    )


@pytest.mark.parametrize("rho", [-0.9, -0.6, -0.1, 0.0, 0.3, 0.75, 0.9])
@pytest.mark.parametrize(("h", "k"), [(0.0, 0.0), (0.0, -0.8), (-0.7, 0.4), (1.2, 0.9), (-1.3, -1.1), (-0.5, -0.5)])
def test_tetrachoric_is_the_correlation_behind_the_table(rho: float, h: float, k: float) -> None:
    both, row, column = quadrant(h, k, rho), stats.norm.cdf(h), stats.norm.cdf(k)
    # The integral is good to 1e-13 or so, which small cells, here down to 1e-9, magnify.
    close(c.events_to_tetrachoric(both, row, column - both, 1.0 - row), rho, 1e-6)


def test_tetrachoric_of_median_cuts_is_sheppards_sine() -> None:
    both = np.linspace(0.0, 0.5, 101)
    close(c.events_to_tetrachoric(both, 0.5, 0.5 - both, 0.5), np.sin(2.0 * math.pi * (both - 0.25)), 1e-12)


def test_tetrachoric_of_the_transposed_table_is_the_same() -> None:
    close(c.events_to_tetrachoric(40, 60, 15, 50), c.events_to_tetrachoric(40, 55, 20, 55))


def test_tetrachoric_of_many_random_tables_reproduces_them() -> None:
    rng = np.random.default_rng(3)
    n1, n2 = rng.integers(8, 90, (2, 300))
    events1, events2 = rng.integers(1, n1), rng.integers(1, n2)
    rho = c.events_to_tetrachoric(events1, n1, events2, n2)
    total = n1 + n2
    for i in range(0, 300, 10):
        h, k = stats.norm.ppf(n1[i] / total[i]), stats.norm.ppf((events1[i] + events2[i]) / total[i])
        close(quadrant(h, k, float(rho[i])), events1[i] / total[i], 1e-9)


@pytest.mark.parametrize("approximation", ["bonett-price", "digby"])
def test_approximations_are_near_the_tetrachoric_correlation(approximation: str) -> None:
    # Positive correlations up to .8, margins from .2 to .8, no cell below .01, 10**8 people. The approximations' own
    # errors, found here; the largest are at the smallest cells.
    worst = 0.0
    for rho in (0.2, 0.5, 0.8):
        for h in (-0.84, 0.0, 0.5):
            for k in (-0.5, 0.0, 0.84):
                table = np.array([quadrant(h, k, rho), stats.norm.cdf(h)]) * 1e8
                other = np.array([stats.norm.cdf(k) * 1e8 - table[0], 1e8 - table[1]])
                if min(table[0], table[1] - table[0], other[0], other[1] - other[0]) < 1e6:
                    continue
                if approximation == "digby":
                    found = c.odds_ratio_to_tetrachoric_digby(np.exp(c.events_to_log_odds_ratio(*table, *other)))
                else:
                    found = c.events_to_tetrachoric_bonett_price(*table, *other)
                worst = max(worst, abs(float(found) - rho))
    assert 0.005 < worst < {"bonett-price": 0.03, "digby": 0.06}[approximation]


def test_digby_by_hand() -> None:
    # 16 to the power of 3/4 is 8.
    close(c.odds_ratio_to_tetrachoric_digby([16.0, 1.0 / 16.0]), [7.0 / 9.0, -7.0 / 9.0])


def test_bonett_and_price_by_hand() -> None:
    # Cells 40, 20, 15, 35 of 110: w = 40.5 * 35.5 / (20.5 * 15.5), rarest margin (50 + 1) / 112, margins 5 apart.
    power = (1.0 - 5.0 / (5.0 * 112.0) - (0.5 - 51.0 / 112.0) ** 2) / 2.0
    wanted = math.cos(math.pi / (1.0 + (40.5 * 35.5 / (20.5 * 15.5)) ** power))
    close(c.events_to_tetrachoric_bonett_price(40, 60, 15, 50), wanted)
    # Exchanging both groups and event changes nothing.
    close(c.events_to_tetrachoric_bonett_price(35, 50, 20, 60), wanted)


def test_log_odds_ratio_is_scipys() -> None:
    ratio = stats.contingency.odds_ratio([[40, 20], [15, 35]], kind="sample").statistic
    close(c.events_to_log_odds_ratio(40, 60, 15, 50), math.log(ratio))
    close(c.events_to_log_odds_ratio(0, 6, 1, 9, add=0.5), math.log(0.5 * 8.5 / (6.5 * 1.5)))


# --- differences -------------------------------------------------------------------------------------------------


def test_two_groups_by_every_route(data: tuple[Array, Array, Array]) -> None:
    first, second, member = two_groups(data[0])
    n1, n2 = len(first), len(second)
    d = c.means_to_d(first.mean(), second.mean(), first.std(ddof=1), second.std(ddof=1), n1, n2)
    pooled = math.sqrt((np.sum((first - first.mean()) ** 2) + np.sum((second - second.mean()) ** 2)) / (n1 + n2 - 2))
    close(d, (first.mean() - second.mean()) / pooled)
    t, p = stats.ttest_ind(first, second)
    close(c.t_to_d(t, n1, n2), d)
    f, same_p = stats.f_oneway(first, second)
    close(same_p, p)
    close(c.f_to_d(f, n1, n2, sign=np.sign(t)), d)
    close(c.p_to_d(p, n1, n2, sign=np.sign(t)), d, 1e-10)
    close(c.p_to_d(stats.ttest_ind(first, second, alternative="greater").pvalue, n1, n2, tails=1), d, 1e-10)
    r = stats.pearsonr(member, data[0])[0]
    close(c.d_to_point_biserial(d, n1, n2), r)
    close(c.point_biserial_to_d(r, n1, n2), d)
    close(c.t_to_r(t, n1 + n2 - 2), r)


@pytest.mark.parametrize("share", [0.5, 0.1, 0.75])
def test_r_of_d_is_the_correlation_in_the_mixture(share: float) -> None:
    d, other = 0.8, 1.0 - share
    # Group means d and 0, variance 1 in both: moments of the mixture.
    mean = share * d
    variance = share * (1.0 + (d - mean) ** 2) + other * (1.0 + mean**2)
    r = share * (d - mean) / math.sqrt(share * other * variance)
    close(c.d_to_r_unequal(d, share, other), r)
    close(c.r_to_d_unequal(r, share, other), d)
    close(c.d_to_point_biserial(d, share * 1e9, other * 1e9), r, 1e-8)
    if share == 0.5:
        close(c.d_to_r(d), r)
        close(c.r_to_d(r), d)


@pytest.mark.parametrize("df", [1.01, 2.0, 3.5, 18.0, 500.0, 19_000.0, 21_000.0, 1e6, 1e12])
def test_small_sample_factor_is_the_ratio_of_gamma_functions(df: float) -> None:
    with mpmath.workdps(60):
        half = mpmath.mpf(df) / 2
        wanted = mpmath.exp(mpmath.loggamma(half) - mpmath.loggamma(half - 0.5)) / mpmath.sqrt(half)
    close(c.small_sample_factor(df), float(wanted), 1e-11)


@pytest.mark.parametrize("df", [3, 8, 40])
def test_g_is_unbiased(df: int) -> None:
    # d of two groups of size n is a noncentral t over sqrt(n / 2), with noncentrality delta sqrt(n / 2).
    delta, scale = 0.6, math.sqrt((df + 2) / 4.0)
    mean_d = stats.nct(df, delta * scale).mean() / scale
    close(c.d_to_g(mean_d, df), delta, 1e-8)
    # The approximate factor is off by up to .007 (from 2 degrees of freedom on).
    close(c.d_to_g_approximate(mean_d, df), delta, 0.007)


def test_the_approximate_factor_is_near_the_exact_one() -> None:
    df = np.arange(2, 500)
    close(c.d_to_g_approximate(0.5, 18.0), 0.5 * 68.0 / 71.0)
    close(c.g_to_d_approximate(0.5, 18.0), 0.5 * 71.0 / 68.0)
    assert np.max(np.abs(c.small_sample_factor(df) - c.small_sample_factor_approximate(df))) < 0.0075
    assert np.max(np.abs(c.small_sample_factor(df[8:]) - c.small_sample_factor_approximate(df[8:]))) < 0.00035


@pytest.mark.parametrize("cut", [-2.0, 0.0, 1.3])
def test_logistic_groups_have_one_log_odds_ratio_at_every_cut(cut: float) -> None:
    d = 0.7
    shift = d * stats.logistic.std()
    upper, lower = stats.logistic.sf(cut, shift), stats.logistic.sf(cut)
    close(c.d_to_log_odds_ratio(d), special.logit(upper) - special.logit(lower), 1e-12)
    close(c.events_to_d(upper, 1, lower, 1), d, 1e-12)
    close(c.log_odds_ratio_to_d(special.logit(upper) - special.logit(lower)), d, 1e-12)


def test_coxs_constant_is_near_for_normal_groups() -> None:
    # Groups d apart cut half-way: Cox's 1.65 d is an approximation, within 4% up to d = 1.2.
    d = np.array([0.1, 0.5, 0.8, 1.2])
    log_odds_ratio = 2.0 * special.logit(stats.norm.cdf(d / 2.0))
    np.testing.assert_allclose(c.log_odds_ratio_to_d_cox(log_odds_ratio), d, rtol=0.04)


def test_probit_is_exact_for_normal_groups_and_the_arcsine_is_statsmodels() -> None:
    cuts = np.array([-0.4, 0.9])
    upper, lower = special.ndtr(0.5 - cuts), special.ndtr(-cuts)
    close(c.proportions_to_d_probit(upper, lower), [0.5, 0.5])
    close(c.proportions_to_d_arcsine(upper, lower), proportion_effectsize(upper, lower))


def test_adjusted_means_and_tests_of_covariance_analysis() -> None:
    # Both groups have the same covariate values, so that the adjusted means are the raw ones.
    rng = np.random.default_rng(11)
    w = np.tile(rng.normal(size=30), 2)
    member = np.repeat([1.0, 0.0], 30)
    y = 0.5 * member + 0.8 * w + rng.normal(size=60)
    _, b, errors = explained(y, member, w)
    within_y, within_w = (v - np.where(member == 1.0, v[:30].mean(), v[30:].mean()) for v in (y, w))
    r = stats.pearsonr(within_y, within_w)[0]
    raw_sd = math.sqrt(np.sum(within_y**2) / 58)
    sd_adjusted = math.sqrt(np.sum((y - np.column_stack([np.ones(60), member, w]) @ b) ** 2) / 57)
    # One degree of freedom is spent on the slope, which the formula does not know of.
    wanted = b[1] / raw_sd * math.sqrt(57 / 58)
    close(c.adjusted_means_to_d(y[:30].mean(), y[30:].mean(), sd_adjusted, r), wanted)
    t = b[1] / errors[1]
    close(c.ancova_t_to_d(t, 30, 30, r), wanted)
    close(c.ancova_f_to_d(t**2, 30, 30, r, sign=np.sign(t)), wanted)


def test_changes_by_every_route() -> None:
    rng = np.random.default_rng(12)
    pre = stats.zscore(rng.normal(size=25), ddof=1)
    post = 0.6 * pre + rng.normal(size=25)
    post = stats.zscore(post, ddof=1) + 0.8  # so that both measurements have SD 1 and d is 0.8
    r = stats.pearsonr(pre, post)[0]
    change = post - pre
    close(c.change_to_d(change.mean(), change.std(ddof=1), r), 0.8)
    close(c.paired_t_to_d(stats.ttest_rel(post, pre).statistic, 25, r), 0.8)
    close(c.pre_post_to_d(pre.mean(), post.mean(), pre.std(ddof=1)), 0.8)
    close(c.pre_post_to_sd_change(1.0, 1.0, r), change.std(ddof=1))
    close(c.sd_change_to_r_pre_post(3 * pre.std(ddof=1), 3 * post.std(ddof=1), 3 * change.std(ddof=1)), r)


# --- standard deviations, errors and means -----------------------------------------------------------------------


def test_intervals_give_back_the_standard_deviation_of_a_sample(data: tuple[Array, Array, Array]) -> None:
    y = data[0]
    for level in (0.8, 0.95, 0.99):
        low, high = stats.ttest_1samp(y, 0.0).confidence_interval(level)
        # Older versions of SciPy know the critical value of t to 1e-8.
        close(c.ci_to_sd(low, high, 40, level), y.std(ddof=1), 1e-7)
        close(c.ci_to_se(low, high, level, df=39), stats.sem(y), 1e-7)
        close(c.ci_to_se(*stats.norm.interval(level, 0.3, 0.07), level), 0.07)
    close(c.se_to_sd(stats.sem(y), 40), y.std(ddof=1))


def test_a_difference_gives_back_the_pooled_standard_deviation(data: tuple[Array, Array, Array]) -> None:
    first, second, _ = two_groups(data[0])
    test = stats.ttest_ind(first, second)
    gap = first.mean() - second.mean()
    std_error = gap / test.statistic
    close(c.difference_se_to_sd(std_error, 15, 25), gap / c.t_to_d(test.statistic, 15, 25))
    close(c.p_to_se(gap, test.pvalue, df=38), std_error, 1e-10)
    close(c.p_to_se(gap, stats.ttest_ind(first, second, alternative="less").pvalue, 38, tails=1), std_error, 1e-10)
    close(c.p_to_se([0.3, -0.3], 2.0 * stats.norm.sf(3.0)), [0.1, 0.1])


# Wan et al. (2014), table 1: the expected range of n standard normal values.
EXPECTED_RANGE = {2: 1.128, 5: 2.326, 10: 3.078, 20: 3.735, 30: 4.086, 50: 4.498}


@pytest.mark.parametrize(("n", "expected"), EXPECTED_RANGE.items())
def test_range_in_standard_deviations(n: int, expected: float) -> None:
    by_integration = integrate.quad(lambda x: 1.0 - stats.norm.cdf(x) ** n - stats.norm.sf(x) ** n, -9.0, 9.0)[0]
    assert by_integration == pytest.approx(expected, abs=6e-4)  # printed to three places
    # The formula takes Blom's approximation of the expected range: 5% off at n = 2, under 2% from n = 5 on.
    assert float(c.range_to_sd(0.0, by_integration, n)) == pytest.approx(1.0, rel=0.05 if n == 2 else 0.02)


def test_quartiles_in_standard_deviations() -> None:
    close(c.quartiles_to_sd(stats.norm.ppf(0.25), stats.norm.ppf(0.75), 1e12), 1.0, 1e-10)
    close(1.0 / c.quartiles_to_sd(0.0, 1.0, 1e12), 1.349, 5e-4)


@pytest.mark.parametrize("n", [5, 25, 101])
def test_five_numbers_of_normal_samples(n: int) -> None:
    # 20000 samples of mean 3 and SD 2, n = 4m + 1, so that the quartiles are order statistics.
    samples = np.sort(np.random.default_rng(n).normal(3.0, 2.0, (20_000, n)), axis=1)
    low, q1, median, q3, high = samples[:, [0, (n - 1) // 4, (n - 1) // 2, 3 * (n - 1) // 4, n - 1]].T
    for sd in (c.range_to_sd(low, high, n), c.quartiles_to_sd(q1, q3, n), c.five_numbers_to_sd(low, q1, q3, high, n)):
        # Monte-Carlo error is below 0.5%; the formulas approximate order statistics, best in larger samples.
        assert sd.mean() == pytest.approx(2.0, rel=0.04 if n == 5 else 0.02)
    mid_range, mid_quartiles = (low + high) / 2.0, (q1 + q3) / 2.0
    candidates = np.linspace(0.0, 1.0, 101)[:, None]
    for mean, spread in (
        (c.range_to_mean(low, median, high, n), mid_range),
        (c.quartiles_to_mean(q1, median, q3, n), mid_quartiles),
    ):
        assert abs(mean.mean() - 3.0) < 4.0 * mean.std() / math.sqrt(20_000)
        # No other weight of the two does much better: the published one is a fitted curve.
        best = np.mean((candidates * spread + (1.0 - candidates) * median - 3.0) ** 2, axis=1).min()
        assert np.mean((mean - 3.0) ** 2) < 1.02 * best
    mean = c.five_numbers_to_mean(low, q1, median, q3, high, n)
    assert abs(mean.mean() - 3.0) < 4.0 * mean.std() / math.sqrt(20_000)
    covariance = np.linalg.inv(np.cov([mid_range, mid_quartiles, median]))
    assert mean.var() < 1.02 / covariance.sum()  # the variance of the best weighted mean


def test_quantile_formulas_as_printed_at_50_people() -> None:
    range_divisor = 2.0 * stats.norm.ppf(49.625 / 50.25)
    quartile_divisor = 2.0 * stats.norm.ppf(37.375 / 50.25)
    close(c.range_to_sd(8, 41, 50), 33.0 / range_divisor)
    close(c.quartiles_to_sd(18, 28, 50), 10.0 / quartile_divisor)
    close(c.five_numbers_to_sd(8, 18, 28, 41, 50), 33.0 / (2.0 * range_divisor) + 10.0 / (2.0 * quartile_divisor))
    root = 50.0**0.75
    close(c.range_to_mean(8, 22, 41, 50), (4.0 * 24.5 + root * 22.0) / (4.0 + root))
    close(c.quartiles_to_mean(18, 22, 28, 50), 22.0 + 0.7078 * 1.0)
    outer, inner = 2.2 / (2.2 + root), 0.7 - 0.72 / 50.0**0.55
    close(c.five_numbers_to_mean(8, 18, 22, 28, 41, 50), 22.0 + outer * 2.5 + inner * 1.0)


def test_symmetric_quantiles_have_their_centre_as_mean() -> None:
    close(c.range_to_mean(2, 5, 8, 30), 5.0)
    close(c.quartiles_to_mean(4, 5, 6, 30), 5.0)
    close(c.five_numbers_to_mean(2, 4, 5, 6, 8, 30), 5.0)


# --- meaning -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [-1.5, -0.2, 0.3, 0.8, 2.5])
def test_meanings_of_d_by_integration(d: float) -> None:
    def integral(f: Callable[[float], Any]) -> float:
        return float(integrate.quad(f, -10.0, 10.0, points=[d / 2.0], epsabs=1e-12, limit=200)[0])

    overlap = integral(lambda x: min(stats.norm.pdf(x), stats.norm.pdf(x, d)))
    superior = integral(lambda x: stats.norm.pdf(x, d) * stats.norm.cdf(x))
    inferior = integral(lambda x: stats.norm.pdf(x) * stats.norm.cdf(x, d))
    close(c.d_to_overlap(d), overlap, 1e-9)
    close(c.d_to_common_language(d), superior, 1e-9)
    close(c.common_language_to_d(superior), d, 1e-8)
    close(c.d_to_u3(d), stats.norm.cdf(d), 1e-12)
    close(c.d_to_nnt(d), 1.0 / (superior - inferior), 1e-8)
    for rate in (0.001, 0.2, 0.5, 0.9, 0.9999):
        cut = stats.norm.isf(rate)
        close(c.d_to_nnt_at_rate(d, rate), 1.0 / (stats.norm.sf(cut, d) - rate), 1e-8)


def test_success_rates_display_r_as_the_phi_of_an_even_table() -> None:
    r = 0.278
    close(c.events_to_phi(c.r_to_besd(r), 1.0, 1.0 - c.r_to_besd(r), 1.0), r)


def test_small_differences_keep_their_digits_in_numbers_needed_to_treat() -> None:
    with mpmath.workdps(40):
        for d in (1e-3, 1e-9, 1e-15):
            assert float(c.d_to_nnt(d)) == pytest.approx(float(1 / mpmath.erf(mpmath.mpf(d) / 2)), rel=1e-14)
        gain = mpmath.ncdf(mpmath.mpf(0.3) - mpmath.mpf(6)) - mpmath.ncdf(-6)
    assert float(c.d_to_nnt_at_rate(0.3, stats.norm.cdf(-6.0))) == pytest.approx(float(1 / gain), rel=1e-12)


# --- intervals ---------------------------------------------------------------------------------------------------


def carried(convert: Callable[[Array], npt.ArrayLike], low: Any, high: Any, **options: float) -> list[float]:
    return [float(bound) for bound in c.carried_interval(convert, low, high, **options)]


def test_rising_and_falling_conversions_keep_the_bounds_in_order() -> None:
    assert carried(c.z_to_r, -0.3, 0.5) == [float(c.z_to_r(-0.3)), float(c.z_to_r(0.5))]
    assert carried(np.negative, -0.3, 0.5) == [-0.5, 0.3]
    assert carried(c.d_to_nnt, 0.2, 0.6) == [float(c.d_to_nnt(0.6)), float(c.d_to_nnt(0.2))]
    assert carried(c.d_to_nnt, -0.6, -0.2) == [float(c.d_to_nnt(-0.2)), float(c.d_to_nnt(-0.6))]


def test_a_turning_point_inside_the_interval_is_a_bound() -> None:
    assert carried(c.r_to_variance_share, -0.1, 0.3) == [0.0, pytest.approx(0.09)]
    assert carried(c.r_to_variance_share, 0.1, 0.3) == [pytest.approx(0.01), pytest.approx(0.09)]
    assert carried(c.d_to_overlap, -0.4, 0.1) == [float(c.d_to_overlap(-0.4)), 1.0]
    assert carried(lambda x: (x - 2.0) ** 2, 1.0, 5.0, turn=2.0) == [0.0, 9.0]


def test_a_number_needed_to_treat_across_0_runs_through_infinity() -> None:
    benefit, harm = carried(c.d_to_nnt, -0.1, 0.4)
    assert (benefit, harm) == (float(c.d_to_nnt(0.4)), float(c.d_to_nnt(-0.1)))
    assert benefit > 0.0 > harm
    at_rate = carried(lambda d: c.d_to_nnt_at_rate(d, 0.3), -0.1, 0.4)
    assert at_rate == [float(c.d_to_nnt_at_rate(0.4, 0.3)), float(c.d_to_nnt_at_rate(-0.1, 0.3))]
    # A pole of the other direction: minus its inverse rises through infinity.
    assert carried(lambda x: -1.0 / x, -0.5, 0.25) == [2.0, -4.0]
    assert carried(lambda x: 1.0 / (x - 1.0), 0.0, 3.0, turn=1.0) == [0.5, -1.0]


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_a_bound_of_0_is_reached_from_inside_the_interval(zero: float) -> None:
    assert carried(c.d_to_nnt, zero, 0.4) == [float(c.d_to_nnt(0.4)), INF]
    assert carried(c.d_to_nnt, -0.4, zero) == [-INF, float(c.d_to_nnt(-0.4))]
    assert carried(c.d_to_nnt, zero, zero) == [INF, INF]
    assert carried(c.d_to_nnt, -zero, zero) == [INF, INF]


def test_intervals_that_are_none_are_nan() -> None:
    assert np.isnan(carried(c.z_to_r, 0.5, -0.3)).all()
    assert np.isnan(carried(c.z_to_r, NAN, 0.3)).all()
    assert np.isnan(carried(c.z_to_r, 0.3, NAN)).all()
    assert np.isnan(carried(c.r_to_z, 0.3, 1.3)).all()


def test_intervals_broadcast_and_rows_do_not_mix() -> None:
    low, high = c.carried_interval(c.d_to_nnt, np.array([[0.2], [-0.1], [-0.5]]), [0.6, 0.4])
    assert low.shape == high.shape == (3, 2)
    for i, a in enumerate((0.2, -0.1, -0.5)):
        for j, b in enumerate((0.6, 0.4)):
            assert [low[i, j], high[i, j]] == carried(c.d_to_nnt, a, b)


# --- metafor -----------------------------------------------------------------------------------------------------
# metafor 3.8-1 in R 4.2.2; every line is the call's $yi to 15 digits, with
#   a <- c(40,10,3,120); b <- c(20,30,47,80); c <- c(15,12,9,60); d <- c(35,8,41,240)
#   m1 <- c(10,5.2,-1); m2 <- c(8,5.9,-1.5); s1 <- c(3,2,.4); s2 <- c(4,2.5,.6); n1 <- c(20,35,8); n2 <- c(30,15,40)

TABLES = ([40, 10, 3, 120], [60, 40, 50, 200], [15, 12, 9, 60], [50, 20, 50, 300])
M1, M2, SD1, SD2, N1, N2 = [10, 5.2, -1], [8, 5.9, -1.5], [3, 2, 0.4], [4, 2.5, 0.6], [20, 35, 8], [30, 15, 40]


@pytest.mark.parametrize(
    ("found", "metafor"),
    [
        # escalc(measure="PHI", ai=a, bi=b, ci=c, di=d)
        (c.events_to_phi(*TABLES), [0.365148371670111, -0.342381191631163, -0.184637236468999, 0.408248290463863]),
        # escalc(measure="OR", ai=a, bi=b, ci=c, di=d)
        (
            c.events_to_log_odds_ratio(*TABLES),
            [1.54044504094715, -1.50407739677627, -1.23518782367386, 1.79175946922805],
        ),
        # escalc(measure="OR2DL", ai=a, bi=b, ci=c, di=d)
        (c.events_to_d(*TABLES), [0.849291862883369, -0.829241329793548, -0.680994738464557, 0.987848769031040]),
        # escalc(measure="OR2DN", ai=a, bi=b, ci=c, di=d)
        (c.events_to_d_cox(*TABLES), [0.933603055119484, -0.911562058652287, -0.748598681014461, 1.085914829835185]),
        # escalc(measure="PBIT", ai=a, bi=b, ci=c, di=d)
        (
            c.proportions_to_d_probit(np.divide(*TABLES[:2]), np.divide(*TABLES[2:])),
            [0.955127812003498, -0.927836853331881, -0.639408506754039, 1.094968336708714],
        ),
        # escalc(measure="SMD", m1i=m1, m2i=m2, sd1i=s1, sd2i=s2, n1i=n1, n2i=n2)
        (
            c.d_to_g(c.means_to_d(M1, M2, SD1, SD2, N1, N2), 48 - np.array([0, 0, 2])),
            [0.541230371277473, -0.319299547016134, 0.856671091704391],
        ),
        # escalc(measure="RPB", m1i=m1, m2i=m2, sd1i=s1, sd2i=s2, n1i=n1, n2i=n2)
        (
            c.d_to_point_biserial(c.means_to_d(M1, M2, SD1, SD2, N1, N2), N1, N2),
            [0.265100329083602, -0.150007106919045, 0.314720714869025],
        ),
        # escalc(measure="RBIS", m1i=m1, m2i=m2, sd1i=s1, sd2i=s2, n1i=n1, n2i=n2)
        (
            c.point_biserial_to_biserial([0.265100329083602, -0.150007106919045, 0.314720714869025], N1, N2),
            [0.336157932713875, -0.197708807769582, 0.469437838046516],
        ),
        # escalc(measure="D2ORL", m1i=m1, m2i=m2, sd1i=s1, sd2i=s2, n1i=n1, n2i=n2)
        (
            c.d_to_log_odds_ratio(c.means_to_d(M1, M2, SD1, SD2, N1, N2)),
            [0.997362412644991, -0.588395225893929, 1.579750730510387],
        ),
        # escalc(measure="D2ORN", m1i=m1, m2i=m2, sd1i=s1, sd2i=s2, n1i=n1, n2i=n2)
        (
            c.d_to_log_odds_ratio_cox(c.means_to_d(M1, M2, SD1, SD2, N1, N2)),
            [0.907293283542981, -0.535258828439867, 1.437087671735200],
        ),
        # escalc(measure="SMCR", m1i=m1, m2i=m2, sd1i=s1, ri=c(.5,.6,.7), ni=c(20,30,40))
        (
            c.d_to_g(c.pre_post_to_d(M2, M1, SD1), [19, 29, 39]),
            [0.639940235282835, -0.340856244608854, 1.225780298350423],
        ),
        # escalc(measure="ZCOR", ri=c(-.9,.1,.278), ni=c(20,30,40))
        (c.r_to_z([-0.9, 0.1, 0.278]), [-1.472219489583220, 0.100335347731076, 0.285513248022327]),
        # escalc(measure="PCOR", ti=c(2.1,-1,4), ni=c(30,40,50), mi=c(3,5,1))
        (c.t_to_partial_r([2.1, -1, 4], [26, 34, 48]), [0.380812402838812, -0.169030850945703, 0.5]),
        # escalc(measure="SPCOR", ti=c(2.1,-1,4), ni=c(30,40,50), mi=c(3,5,1), r2i=c(.3,.2,.5))
        (
            c.t_to_semipartial_r([2.1, -1, 4], [26, 34, 48], [0.3, 0.2, 0.5]),
            [0.344573314739794, -0.153392997769474, 0.408248290463863],
        ),
        # metafor:::.cmicalc(c(2, 3, 5, 10, 48, 1000))
        (
            c.small_sample_factor([2, 3, 5, 10, 48, 1000]),
            [0.5641895835477563, 0.7236012545582677, 0.8407486824596893, 0.922745608053087, 0.9842794262959235,
             0.999249781179478],
        ),
    ],
    ids=["PHI", "OR", "OR2DL", "OR2DN", "PBIT", "SMD", "RPB", "RBIS", "D2ORL", "D2ORN", "SMCR", "ZCOR", "PCOR", "SPCOR",
         "J"],
)  # fmt: skip
def test_metafor_computes_the_same(found: Array, metafor: list[float]) -> None:
    np.testing.assert_allclose(found, metafor, rtol=1e-12)


def test_metafor_estimates_the_same_tetrachoric_correlation() -> None:
    # escalc(measure="RTET", ai=a, bi=b, ci=c, di=d): a Nelder-Mead search of the likelihood, good to about 1e-4.
    metafor = [0.544181366261969, -0.524382762953701, -0.380138436147545, 0.606275378959455]
    np.testing.assert_allclose(c.events_to_tetrachoric(*TABLES), metafor, atol=2e-4)
