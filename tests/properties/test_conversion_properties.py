"""What holds for conversions of any numbers: round trips, order, signs, ranges, intervals that keep their members."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy import special

from alliance_meta import conversions as c

Array = npt.NDArray[np.float64]
Convert = Callable[..., Array]

GAUSS_LEGENDRE = np.polynomial.legendre.leggauss(200)
SETTINGS = settings(deadline=None, derandomize=True, max_examples=60)

correlations = st.floats(-0.999, 0.999)
effects = st.floats(-6.0, 6.0)
sizes = st.integers(2, 5000)
signs = st.sampled_from([-1.0, 1.0])
shares = st.floats(0.001, 0.999)


def there_and_back(there: Convert, back: Convert, value: float, *rest: float, tolerance: float = 1e-9) -> None:
    assert float(back(there(value, *rest), *rest)) == pytest.approx(value, rel=tolerance, abs=tolerance)


# --- round trips -------------------------------------------------------------------------------------------------


@SETTINGS
@given(r=correlations, n1=sizes, n2=sizes)
def test_correlations_come_back(r: float, n1: int, n2: int) -> None:
    there_and_back(c.r_to_z, c.z_to_r, r)
    there_and_back(c.r_to_d, c.d_to_r, r)
    there_and_back(c.r_to_d_unequal, c.d_to_r_unequal, r, n1, n2)
    there_and_back(c.point_biserial_to_d, c.d_to_point_biserial, r, n1, n2)
    there_and_back(c.point_biserial_to_biserial, c.biserial_to_point_biserial, r, n1, n2)
    sign = 1.0 if r >= 0.0 else -1.0
    assert float(c.r2_to_r(c.r_to_variance_share(r), sign)) == pytest.approx(r, rel=1e-12)


@SETTINGS
@given(d=effects, df=st.floats(1.01, 1e9), n1=sizes, n2=sizes)
def test_differences_come_back(d: float, df: float, n1: int, n2: int) -> None:
    there_and_back(c.d_to_r, c.r_to_d, d)
    there_and_back(c.d_to_r_unequal, c.r_to_d_unequal, d, n1, n2)
    there_and_back(c.d_to_point_biserial, c.point_biserial_to_d, d, n1, n2)
    there_and_back(c.d_to_g, c.g_to_d, d, df)
    there_and_back(c.d_to_g_approximate, c.g_to_d_approximate, d, df)
    there_and_back(c.d_to_log_odds_ratio, c.log_odds_ratio_to_d, d)
    there_and_back(c.d_to_log_odds_ratio_cox, c.log_odds_ratio_to_d_cox, d)
    there_and_back(c.d_to_common_language, c.common_language_to_d, d, tolerance=1e-6)  # a share near 1 has lost digits


@SETTINGS
@given(r=st.floats(-0.95, 0.95), n=st.integers(4, 2000), sign=signs)
def test_test_statistics_of_a_correlation_come_back(r: float, n: int, sign: float) -> None:
    t = r * np.sqrt((n - 2) / (1.0 - r**2))
    assert float(c.t_to_r(t, n - 2)) == pytest.approx(r, rel=1e-12)
    assert float(c.f_to_r(t**2, n - 2, sign)) == pytest.approx(sign * abs(r), rel=1e-12)
    p = 2.0 * special.stdtr(n - 2, -abs(t))
    assume(1e-290 < p < 1.0)
    # A p next to 1 has lost digits of a small r.
    assert float(c.p_to_r(p, n, 2, sign)) == pytest.approx(sign * abs(r), rel=1e-9, abs=1e-9)
    assert float(c.p_to_r(p / 2.0, n, 1, sign)) == pytest.approx(sign * abs(r), rel=1e-9, abs=1e-9)


@SETTINGS
@given(p=st.floats(1e-6, 0.999999), df=st.floats(1.0, 1e6))
def test_one_tailed_p_values_are_half_of_two_tailed_ones_and_mirror(p: float, df: float) -> None:
    assert float(c.p_to_t(p / 2.0, df, 1)) == float(c.p_to_t(p, df, 2))
    # 1 - p is rounded, by up to 1e-16 of a p that may be 1e-6.
    assert float(c.p_to_t(1.0 - p, df, 1)) == pytest.approx(-float(c.p_to_t(p, df, 1)), rel=1e-9, abs=1e-9)


@SETTINGS
@given(mean=st.floats(-50, 50), se=st.floats(0.001, 50), n=st.integers(2, 999), level=st.floats(0.5, 0.999), d=effects)
def test_spreads_come_back(mean: float, se: float, n: int, level: float, d: float) -> None:
    half = se * special.stdtrit(n - 1, 0.5 + level / 2.0)
    # Older versions of SciPy know the critical value in `half` to 1e-8.
    assert float(c.ci_to_se(mean - half, mean + half, level, n - 1)) == pytest.approx(se, rel=1e-7)
    assert float(c.ci_to_sd(mean - half, mean + half, n, level)) == pytest.approx(float(c.se_to_sd(se, n)), rel=1e-7)
    assume(abs(d) > 0.01)
    p = 2.0 * special.ndtr(-abs(d))
    assert float(c.p_to_se(d * se, p)) == pytest.approx(se, rel=1e-9)


@SETTINGS
@given(sd_pre=st.floats(0.1, 20), ratio=st.floats(0.2, 5), r=st.floats(-1.0, 1.0))
def test_correlations_of_measurements_come_back(sd_pre: float, ratio: float, r: float) -> None:
    sd_post = sd_pre * ratio
    sd_change = float(c.pre_post_to_sd_change(sd_pre, sd_post, r))
    assert abs(sd_pre - sd_post) * (1 - 1e-12) <= sd_change <= (sd_pre + sd_post) * (1 + 1e-12)
    assume(abs(r) < 0.999)  # at +-1, rounding may leave the domain
    assert float(c.sd_change_to_r_pre_post(sd_pre, sd_post, sd_change)) == pytest.approx(r, rel=1e-9, abs=1e-9)


# --- order, signs and ranges -------------------------------------------------------------------------------------

MONOTONE: list[tuple[str, Convert, float, int]] = [
    *[(name, getattr(c, name), 1.0, 1) for name in (
        "r_to_z", "r_to_d", "spearman_to_r", "kendall_to_r", "r_to_besd", "r_to_common_language")],
    ("beta_to_r", c.beta_to_r, 0.5, 1),
    *[(name, getattr(c, name), 6.0, 1) for name in (
        "z_to_r", "d_to_r", "d_to_log_odds_ratio", "log_odds_ratio_to_d_cox", "d_to_u3", "d_to_common_language")],
    ("t_to_r", lambda t: c.t_to_r(t, 20), 9.0, 1),
    ("d_to_r_unequal", lambda d: c.d_to_r_unequal(d, 5, 30), 6.0, 1),
    ("d_to_g", lambda d: c.d_to_g(d, 9), 6.0, 1),
    ("u_to_r", lambda x: c.u_to_r(50 + 50 * x, 10, 10), 1.0, 1),
    ("p_to_r, one-tailed", lambda x: c.p_to_r(0.5 + 0.5 * x, 30, tails=1), 0.999, -1),
    ("probit", lambda x: c.proportions_to_d_probit(0.5 + 0.5 * x, 0.3), 1.0, 1),
    ("arcsine", lambda x: c.proportions_to_d_arcsine(0.3, 0.5 + 0.5 * x), 1.0, -1),
    ("tetrachoric", lambda x: c.events_to_tetrachoric(15 + 14 * x, 30, 20, 50), 1.0, 1),
    ("digby", lambda x: c.odds_ratio_to_tetrachoric_digby(np.exp(x)), 6.0, 1),
]  # fmt: skip


@pytest.mark.parametrize(("convert", "reach", "direction"), [m[1:] for m in MONOTONE], ids=[m[0] for m in MONOTONE])
@SETTINGS
@given(pair=st.tuples(st.floats(-1.0, 1.0), st.floats(-1.0, 1.0)))
def test_monotone_functions_keep_or_turn_the_order(
    convert: Convert, reach: float, direction: int, pair: tuple[float, float]
) -> None:
    low, high = sorted(pair)
    at_low, at_high = convert(reach * low), convert(reach * high)
    assert direction * at_low <= direction * at_high or at_low == pytest.approx(float(at_high), rel=1e-12)
    if high - low > 1e-6 and np.isfinite([at_low, at_high]).all():
        assert direction * at_low < direction * at_high


@SETTINGS
@given(d=st.floats(0.001, 6.0), more=st.floats(0.001, 3.0), rate=shares)
def test_more_effect_needs_fewer_to_treat_and_overlaps_less(d: float, more: float, rate: float) -> None:
    assert 1.0 <= c.d_to_nnt(d + more) <= c.d_to_nnt(d)
    assert 1.0 <= c.d_to_nnt_at_rate(d + more, rate) <= c.d_to_nnt_at_rate(d, rate)
    assert c.d_to_overlap(d + more) < c.d_to_overlap(d)
    assert c.d_to_nnt(-d) == -c.d_to_nnt(d)
    # Harm at a rate is what benefit is at the other.
    assert float(c.d_to_nnt_at_rate(-d, 1.0 - rate)) == pytest.approx(-float(c.d_to_nnt_at_rate(d, rate)), rel=1e-9)
    assert c.d_to_overlap(-d) == c.d_to_overlap(d)


@SETTINGS
@given(
    a=st.integers(0, 60),
    b=st.integers(0, 60),
    e=st.integers(0, 60),
    f=st.integers(0, 60),
    add=st.sampled_from([0, 0.5]),
)
@example(a=0, b=0, e=0, f=0, add=0)
@example(a=7, b=0, e=0, f=7, add=0)
def test_tables_agree_on_direction_and_stay_in_range(a: int, b: int, e: int, f: int, add: float) -> None:
    tetrachoric = c.events_to_tetrachoric(a, a + b, e, e + f, add)
    phi = c.events_to_phi(a + add, a + b + 2 * add, e + add, e + f + 2 * add)
    margins = min(a + b, e + f, a + e, b + f) + add
    assert np.isnan(tetrachoric) == np.isnan(phi) == (margins == 0)
    if margins > 0:
        assert -1.0 <= tetrachoric <= 1.0
        assert -1.0 <= phi <= 1.0
        # The latent correlation is never the smaller; signs agree, but for rounding at no association.
        assert abs(tetrachoric) >= abs(phi) - 1e-12
        assert tetrachoric * phi > 0.0 or max(abs(phi), abs(tetrachoric)) < 1e-12
        assert float(c.events_to_tetrachoric(e, e + f, a, a + b, add)) == pytest.approx(-float(tetrachoric), abs=1e-9)
        assert float(c.events_to_tetrachoric(a, a + e, b, b + f, add)) == pytest.approx(float(tetrachoric), abs=1e-9)


@SETTINGS
@given(r=correlations, row=shares, column=shares)
def test_tetrachoric_solves_its_equation(r: float, row: float, column: float) -> None:
    # The probability of both, by the arc-sine integral of the correlation from 0 to r, 200 Gauss-Legendre points.
    h, k = special.ndtri(row), special.ndtri(column)
    node, weight = GAUSS_LEGENDRE
    angle = np.arcsin(r) * (node + 1.0) / 2.0
    density = np.exp(-0.5 * (h**2 + k**2 - 2.0 * h * k * np.sin(angle)) / np.cos(angle) ** 2)
    both = row * column + np.arcsin(r) / 2.0 * float(weight @ density) / (2.0 * np.pi)
    assume(min(both, row - both, column - both, 1.0 - row - column + both) > 1e-5)
    found = c.events_to_tetrachoric(both, row, column - both, 1.0 - row)
    assert float(found) == pytest.approx(r, abs=1e-7)


@SETTINGS
@given(
    values=st.lists(st.floats(-100, 100), min_size=5, max_size=5).map(sorted),
    n=st.integers(2, 5000),
    shift=st.floats(-50, 50),
    scale=st.floats(0.1, 10),
)
def test_estimates_from_quantiles_follow_shift_and_scale(
    values: list[float], n: int, shift: float, scale: float
) -> None:
    x = np.array(values)
    moved = np.sort(x * scale + shift)
    means: list[tuple[list[int], Convert]] = [
        ([0, 2, 4], c.range_to_mean),
        ([1, 2, 3], c.quartiles_to_mean),
        ([0, 1, 2, 3, 4], c.five_numbers_to_mean),
    ]
    for numbers, mean in means:
        found = float(mean(*x[numbers], n))
        assert x[0] - 1e-9 <= found <= x[4] + 1e-9
        assert float(mean(*moved[numbers], n)) == pytest.approx(found * scale + shift, abs=1e-9)
    spreads: list[tuple[list[int], Convert]] = [
        ([0, 4], c.range_to_sd),
        ([1, 3], c.quartiles_to_sd),
        ([0, 1, 3, 4], c.five_numbers_to_sd),
    ]
    for numbers, sd in spreads:
        assert float(sd(*moved[numbers], n)) == pytest.approx(float(sd(*x[numbers], n)) * scale, abs=1e-8)


# --- intervals ---------------------------------------------------------------------------------------------------

MEANINGS: list[tuple[str, Convert, float]] = [
    *[(name, getattr(c, name), 1.0) for name in ("r_to_variance_share", "r_to_besd", "r_to_common_language", "r_to_d")],
    *[
        (name, getattr(c, name), 6.0)
        for name in ("d_to_u3", "d_to_common_language", "d_to_overlap", "d_to_nnt", "z_to_r")
    ],
    ("d_to_nnt_at_rate", lambda d: c.d_to_nnt_at_rate(d, 0.3), 6.0),
    ("u3 of a negative", lambda d: c.d_to_u3(-d), 6.0),
]


@pytest.mark.parametrize(("convert", "reach"), [m[1:] for m in MEANINGS], ids=[m[0] for m in MEANINGS])
@SETTINGS
@given(pair=st.tuples(st.floats(-1.0, 1.0), st.floats(-1.0, 1.0)), place=st.floats(0.0, 1.0))
@example(pair=(0.0, 0.4), place=0.0)
@example(pair=(-0.4, 0.0), place=0.5)
@example(pair=(0.0, 0.0), place=0.5)
@example(pair=(-0.1, 0.4), place=0.2)
def test_what_is_in_the_interval_stays_in_it(
    convert: Convert, reach: float, pair: tuple[float, float], place: float
) -> None:
    low, high = sorted(reach * bound for bound in pair)
    inside = min(max(low + place * (high - low), low), high)
    first, second = (float(bound) for bound in c.carried_interval(convert, low, high))
    value = float(convert(inside))

    def below(x: float, y: float) -> bool:
        return x <= y or x == pytest.approx(y, rel=1e-9, abs=1e-12)

    if first <= second:
        # Infinity, at no effect exactly, has either sign.
        assert (below(first, value) and below(value, second)) or np.isinf(value)
    else:
        assert below(first, value) or below(value, second)
    # The bounds are attained at the bounds, at no effect, or at the infinity of either sign.
    attained: list[Any] = [float(convert(x)) for x in (low, high, 0.0)]
    assert all(bound in attained or np.isinf(bound) for bound in (first, second))
