"""The routes of `effect_sizes()`: each by hand, their order, direction, rows that say "ns", and what is refused."""

from __future__ import annotations

import math
from typing import Any, get_type_hints

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import alliance_meta as am
from alliance_meta.effects._roles import Roles
from alliance_meta.effects._routes import ROUTES
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.stats import conversions
from alliance_meta.studies import ROLES

NAN = math.nan


def one(measure: str = "COR", **cells: float) -> am.EffectSizes:
    return am.effect_sizes(pd.DataFrame({role: [value] for role, value in cells.items()}), measure=measure)


def route(effects: am.EffectSizes) -> list[str]:
    return [str(name) for name in effects.table["route"]]


T_05 = float(stats.t.isf(0.025, 48))  # two-tailed .05 with 48 degrees of freedom
PHI = (30 * 30 - 20 * 10) / math.sqrt(50 * 40 * 40 * 50)  # the table 30, 20 / 10, 30
POOLED = math.sqrt((19 * 9 + 29 * 16) / 48)  # of standard deviations 3 (20 people) and 4 (30)
D_MEANS = 2 / POOLED
H = 48 / 20 + 48 / 30  # r = d / sqrt(d^2 + H), exact for two groups
A = 50**2 / (20 * 30)  # in the population
LOGIT = math.log(2.5) * math.sqrt(3) / math.pi
J = float(conversions.small_sample_factor(48))

# name: (cells, r by hand, n, route)
TO_R: dict[str, tuple[dict[str, float], float, float, str]] = {
    "r": ({"r": -0.3, "n": 50}, -0.3, 50, "r, n"),
    "r, n of groups": ({"r": -0.3, "n1": 20, "n2": 30}, -0.3, 50, "r, n"),
    "t, df": ({"t": -2.0, "df": 46}, -2 / math.sqrt(50), 48, "t, df -> r"),
    "t, df, n": ({"t": -2.0, "df": 46, "n": 60}, -2 / math.sqrt(50), 60, "t, df -> r"),
    "t, df, groups": ({"t": -2.0, "df": 46, "n1": 20, "n2": 30}, -2 / math.sqrt(50), 50, "t, df -> r"),
    "t, n": ({"t": 2.0, "n": 50}, 2 / math.sqrt(52), 50, "t, n -> r"),
    "f": ({"f": 4.0, "df": 1, "df2": 46}, 2 / math.sqrt(50), 48, "F(1), df2 -> r"),
    "f, n": ({"f": 4.0, "df2": 46, "n": 60}, 2 / math.sqrt(50), 60, "F(1), df2 -> r"),
    "z": ({"z": -2.0, "n": 64}, -0.25, 64, "z, n -> r"),
    "chi2": ({"chi2": 4.0, "n": 64}, 0.25, 64, "chi2(1), n -> r"),
    "p": ({"p": 0.05, "n": 50}, T_05 / math.sqrt(T_05**2 + 48), 50, "p, n -> r"),
    "p, one tail": ({"p": 0.025, "tails": 1, "n": 50}, T_05 / math.sqrt(T_05**2 + 48), 50, "p, n -> r"),
    "beta above 0": ({"beta": 0.2, "n": 50}, 0.25, 50, "beta, n -> r"),  # Peterson & Brown (2005): beta + .05
    "beta below 0": ({"beta": -0.2, "n": 50}, -0.2, 50, "beta, n -> r"),
    "r2": ({"r2": 0.09, "n": 50}, 0.3, 50, "r2, n -> r"),
    "eta2": ({"eta2": 0.16, "n": 50}, 0.4, 50, "eta2, n -> r"),
    "d": ({"d": 0.5, "n1": 20, "n2": 30}, 0.5 / math.sqrt(0.25 + H), 50, "d, n1, n2 -> r"),
    "d, n": ({"d": 0.5, "n": 50}, 0.5 / math.sqrt(0.25 + 48 / 12.5), 50, "d, n -> r: equal groups assumed"),
    "g": ({"g": 0.5 * J, "n1": 20, "n2": 30}, 0.5 / math.sqrt(0.25 + H), 50, "g, n1, n2 -> r"),
    "means": (
        {"mean1": 10, "mean2": 8, "sd1": 3, "sd2": 4, "n1": 20, "n2": 30},
        D_MEANS / math.sqrt(D_MEANS**2 + H),
        50,
        "means, SDs, n1, n2 -> r",
    ),
    "odds ratio": (
        {"odds_ratio": 2.5, "n1": 20, "n2": 30},
        LOGIT / math.sqrt(LOGIT**2 + A),
        50,
        "odds ratio, n1, n2 -> d -> r",
    ),
    "odds ratio, n": (
        {"odds_ratio": 2.5, "n": 50},
        LOGIT / math.sqrt(LOGIT**2 + 4),
        50,
        "odds ratio, n -> d -> r: equal groups assumed",
    ),
    "log odds ratio": (
        {"log_odds_ratio": -math.log(2.5), "n": 50},
        -LOGIT / math.sqrt(LOGIT**2 + 4),
        50,
        "log odds ratio, n -> d -> r: equal groups assumed",
    ),
    "events": ({"events1": 30, "n1": 50, "events2": 10, "n2": 40}, PHI, 90, "events, n1, n2 -> phi"),
}


@pytest.mark.parametrize("name", TO_R)
def test_each_route_to_a_correlation_by_hand(name: str) -> None:
    cells, r, n, called = TO_R[name]
    cor, zcor = one("COR", **cells), one("ZCOR", **cells)
    # 1e-12: a dozen roundings, and scipy's quantile of t
    assert cor.effect[0] == pytest.approx(r, rel=1e-12)
    assert cor.variance[0] == pytest.approx((1 - r**2) ** 2 / (n - 1), rel=1e-12)
    assert zcor.effect[0] == pytest.approx(math.atanh(r), rel=1e-12)
    assert zcor.variance[0] == pytest.approx(1 / (n - 3), rel=1e-12)
    assert route(cor) == route(zcor) == route(one("UCOR", **cells)) == [called]


D_OF_R = -0.3 * math.sqrt(48 * (1 / 20 + 1 / 30) / (1 - 0.09))
LOG_OR = math.log(30 * 30 / (20 * 10))

# name: (cells, g by hand, variance where it is not 1/n1 + 1/n2 + g^2 / (2 n), route)
TO_G: dict[str, tuple[dict[str, float], float, float | None, str]] = {
    "g": ({"g": 0.4}, 0.4, None, "g, n1, n2"),
    "d": ({"d": 0.4}, 0.4 * J, None, "d, n1, n2 -> g"),
    "means": ({"mean1": 10, "mean2": 8, "sd1": 3, "sd2": 4}, D_MEANS * J, None, "means, SDs, n1, n2 -> g"),
    "t": ({"t": -2.0}, -2 * math.sqrt(1 / 20 + 1 / 30) * J, None, "t, n1, n2 -> g"),
    "f": ({"f": 4.0, "df": 1}, 2 * math.sqrt(1 / 20 + 1 / 30) * J, None, "F(1), n1, n2 -> g"),
    "p": ({"p": 0.05}, T_05 * math.sqrt(1 / 20 + 1 / 30) * J, None, "p, n1, n2 -> g"),
    "r": ({"r": -0.3}, D_OF_R * J, None, "r, n1, n2 -> d -> g"),
    "odds ratio": ({"odds_ratio": 2.5}, LOGIT, None, "odds ratio, n1, n2 -> g"),
    "log odds ratio": ({"log_odds_ratio": -math.log(2.5)}, -LOGIT, None, "log odds ratio, n1, n2 -> g"),
    "events": (
        {"events1": 30, "events2": 10, "n1": 50, "n2": 40},
        LOG_OR * math.sqrt(3) / math.pi,
        (1 / 30 + 1 / 20 + 1 / 10 + 1 / 30) * 3 / math.pi**2,
        "events, n1, n2 -> log odds ratio -> g",
    ),
}


@pytest.mark.parametrize("name", TO_G)
def test_each_route_to_a_standardized_difference_by_hand(name: str) -> None:
    cells, g, variance, called = TO_G[name]
    sizes = {"n1": 20.0, "n2": 30.0} | cells
    effects = one("SMD", **sizes)
    assert effects.effect[0] == pytest.approx(g, rel=1e-12)
    by_hand = 1 / 20 + 1 / 30 + g**2 / 100 if variance is None else variance
    assert effects.variance[0] == pytest.approx(by_hand, rel=1e-12)
    assert route(effects) == [called]


def test_two_equal_groups_are_assumed_where_only_a_total_is_given() -> None:
    effects = one("SMD", t=2.0, n=50)
    assert effects.effect[0] == pytest.approx(2 * math.sqrt(2 / 25) * J, rel=1e-12)
    assert route(effects) == ["t, n -> g: equal groups assumed"]
    assert "1 of 1 rows give only a total N: two equal groups are assumed" in effects.notes


def test_every_route_is_held_by_hand() -> None:
    def plain(name: str) -> str:
        return name.split(":")[0].replace("n1, n2", "n")

    assert {plain(called) for *_, called in TO_R.values()} == {plain(entry.name) for entry in ROUTES["ZCOR"]}
    assert {plain(called) for *_, called in TO_G.values()} == {plain(entry.name) for entry in ROUTES["SMD"]}


# A table that mixes routes

MIXED = pd.DataFrame(
    {
        "r": [0.3, NAN, NAN, NAN, NAN],
        "t": [9.9, -2.0, NAN, NAN, NAN],
        "df": [9.9, 46, 1, NAN, NAN],
        "f": [NAN, NAN, 4.0, NAN, NAN],
        "df2": [NAN, NAN, 46, NAN, NAN],
        "p": [0.9, 0.9, 0.9, 0.05, NAN],
        "d": [NAN, NAN, NAN, NAN, 0.5],
        "n": [50, NAN, NAN, 50, NAN],
        "n1": [NAN, NAN, NAN, NAN, 20],
        "n2": [NAN, NAN, NAN, NAN, 30],
    },
    index=list("abcde"),
)
MIXED_ROUTES = ["r, n", "t, df -> r", "F(1), df2 -> r", "p, n -> r", "d, n1, n2 -> r"]


def test_each_row_takes_the_first_route_that_it_has_the_cells_for() -> None:
    effects = am.effect_sizes(MIXED, measure="COR")
    assert route(effects) == MIXED_ROUTES
    by_hand = [0.3, *(TO_R[name][1] for name in ("t, df", "f", "p", "d"))]
    assert effects.effect == pytest.approx(by_hand, rel=1e-12)
    assert effects.table.index.tolist() == list("abcde")
    assert effects.notes == ("2 of 5 rows have a statistic without a sign and no direction: they count as positive",)


def test_the_order_of_rows_does_not_matter() -> None:
    order = [3, 0, 4, 2, 1]
    effects, shuffled = (am.effect_sizes(frame) for frame in (MIXED, MIXED.iloc[order]))
    assert shuffled.effect.tolist() == effects.effect[order].tolist()
    assert route(shuffled) == [MIXED_ROUTES[i] for i in order]


def test_routes_are_counted() -> None:
    frame = pd.DataFrame({"r": [NAN, 0.1, NAN, 0.2, NAN], "t": [1.0, NAN, 2.0, NAN, 0.5], "n": [50] * 5})
    counted = am.effect_sizes(frame).routes()
    assert counted.to_dict("list") == {"route": ["t, n -> r", "r, n"], "k": [3, 2]}


def test_cells_that_no_route_uses_may_hold_anything() -> None:
    frame = pd.DataFrame({"r": [0.3, NAN], "t": ["see text", "2"], "df": ["?", "46"], "p": [7.0, -3.0], "n": [50, 50]})
    assert route(am.effect_sizes(frame)) == ["r, n", "t, df -> r"]


# Direction


def test_direction_multiplies_every_signed_effect() -> None:
    direction = [-1, 1, -1, -1, NAN]
    plain, turned = am.effect_sizes(MIXED), am.effect_sizes(MIXED.assign(direction=direction))
    signs = np.array([-1, 1, -1, -1, 1])
    assert turned.effect.tolist() == (plain.effect * signs).tolist()
    assert turned.variance.tolist() == plain.variance.tolist()
    assert turned.notes == ()  # both statistics without a sign have a direction


SIGNLESS: dict[str, dict[str, dict[str, list[float]]]] = {
    "COR": {
        "f": {"f": [4.0, 4.0], "df2": [46, 46]},
        "chi2": {"chi2": [4.0, 4.0], "n": [64, 64]},
        "p": {"p": [0.05, 0.05], "n": [50, 50]},
        "r2": {"r2": [0.09, 0.09], "n": [50, 50]},
        "eta2": {"eta2": [0.16, 0.16], "n": [50, 50]},
    },
    "SMD": {"f": {"f": [4.0, 4.0], "n": [50, 50]}, "p": {"p": [0.05, 0.05], "n": [50, 50]}},
}


@pytest.mark.parametrize(
    ("measure", "columns"), [(measure, cells) for measure, kinds in SIGNLESS.items() for cells in kinds.values()]
)
def test_statistics_without_a_sign_count_as_positive_with_a_note(measure: str, columns: dict[str, list[float]]) -> None:
    note = "{} of 2 rows have a statistic without a sign and no direction: they count as positive"
    effects = am.effect_sizes(pd.DataFrame(columns), measure=measure)
    assert (effects.effect > 0.0).all()
    assert note.format(2) in effects.notes
    half = am.effect_sizes(pd.DataFrame(columns).assign(direction=[NAN, -1]), measure=measure)
    assert half.effect.tolist() == [effects.effect[0], -effects.effect[0]]
    assert note.format(1) in half.notes


def test_no_other_route_is_without_a_sign() -> None:
    for measure, routes in ROUTES.items():
        signless = {entry.needs[0] for entry in routes if entry.signless}
        assert signless == set(SIGNLESS.get("COR" if measure in ("UCOR", "ZCOR") else measure, {}))


def test_direction_turns_beta_before_it_is_converted() -> None:
    assert one(beta=-0.2, n=50, direction=-1).effect[0] == pytest.approx(0.25, rel=1e-15)
    assert one(beta=0.2, n=50, direction=-1).effect[0] == pytest.approx(-0.2, rel=1e-15)


def test_direction_inverts_a_ratio_and_leaves_a_reliability() -> None:
    cells: dict[str, float] = {"events1": 30, "n1": 50, "events2": 10, "n2": 40}
    assert one("OR", **cells, direction=-1).effect[0] == -one("OR", **cells).effect[0]
    assert one("ARAW", alpha=0.8, n_items=5, n=40, direction=-1).effect[0] == 0.8
    given = one("GEN", effect=0.3, variance=0.1, direction=-1)
    assert given.effect.tolist() == [-0.3]
    assert given.table["effect_given"].tolist() == [0.3]


def test_a_ready_made_effect_that_is_turned_is_kept_as_given_in_every_row() -> None:
    frame = pd.DataFrame({"effect": [0.3, 0.2], "variance": [0.1, 0.1], "direction": [-1, 1]})
    effects = am.effect_sizes(frame, measure="GEN")
    assert effects.effect.tolist() == [-0.3, 0.2]
    assert effects.table["effect_given"].tolist() == [0.3, 0.2]


@pytest.mark.parametrize(("measure", "kind"), [("COR", "AV"), ("SMD", "AV"), ("SMD1", "AV"), ("PCOR", "AV")])
def test_a_variance_around_the_mean_effect_takes_the_turned_effects(measure: str, kind: str) -> None:
    frame = pd.DataFrame(
        {"r": [0.3, -0.5], "n": [50, 50], "g": [0.3, -0.5], "t": [1.0, -2.0], "df": [40, 40], "n1": [20, 30]}
    ).assign(mean1=[1.0, -2.0], mean2=[0.0, 0.0], sd2=[1.0, 2.0], n2=[30, 20])
    turned = am.effect_sizes(frame.assign(direction=[1, -1]), measure=measure, variance_type=kind)
    signs = {"r": [0.3, 0.5], "g": [0.3, 0.5], "t": [1.0, 2.0], "mean1": [1.0, 2.0]}
    said = am.effect_sizes(frame.assign(**signs), measure=measure, variance_type=kind)
    assert turned.effect.tolist() == said.effect.tolist()
    assert turned.variance.tolist() == said.variance.tolist()


# Rows that only say "ns"

SILENT = pd.DataFrame(
    {
        "r": [0.3, NAN, NAN, NAN, 0.1],
        "n": [50, 40, 60, 80, 30],
        "significance": [None, "ns", " NS ", "n.s.", "ns"],
    }
)


def test_silent_rows_are_refused_with_the_choices() -> None:
    message = (
        r"^column 'significance' marks rows as not significant .*: rows 1 \('ns'\), 2 \(' NS '\), 3 \('n\.s\.'\)\. "
        r"Say what to do .*'exclude' leaves them out, 'zero' takes the null, 'bounded' spreads them"
    )
    with pytest.raises(InputError, match=message) as caught:
        am.effect_sizes(SILENT)
    assert caught.value.rows == ("1", "2", "3")


def test_silent_rows_can_be_left_out() -> None:
    effects = am.effect_sizes(SILENT, measure="COR", not_significant="exclude")
    assert effects.effect.tolist() == [0.3, 0.1]
    assert effects.table["effect_id"].tolist() == ["1", "5"]
    assert effects.n == 80.0
    assert effects.notes == ("3 of 5 rows say only that their effect is not significant: they are left out",)
    with pytest.raises(InputError, match="no row is left: all of them say only that their effect is not significant"):
        am.effect_sizes(SILENT.iloc[1:4], not_significant="exclude")


def test_silent_rows_can_be_no_effect() -> None:
    effects = am.effect_sizes(SILENT, not_significant="zero")
    assert effects.effect[1:4].tolist() == [0.0, 0.0, 0.0]
    assert effects.variance[1:4].tolist() == [1 / 37, 1 / 57, 1 / 77]  # 1 / (n - 3)
    assert route(effects)[1:] == ["not significant, n -> 0"] * 3 + ["r, n"]
    assert effects.notes == ("3 of 5 rows say only that their effect is not significant: they count as no effect",)


def test_silent_rows_can_be_spread_over_what_is_not_significant() -> None:
    effects = am.effect_sizes(SILENT, measure="COR", not_significant="bounded")
    df = np.array([38.0, 78.0])
    t = np.asarray(stats.t.isf(0.025, df))
    critical = t / np.sqrt(t**2 + df)
    # (2 j - 1) / 3 - 1 for j = 1, 2, 3: -2/3, 0, 2/3
    assert effects.effect[[1, 3]] == pytest.approx([-2 / 3 * critical[0], 2 / 3 * critical[1]], rel=1e-12)
    assert effects.effect[2] == pytest.approx(0.0, abs=1e-16)
    assert "spread evenly over the effects that would not be" in effects.notes[0]
    assert route(effects)[1] == "not significant, n -> within the critical value"


def test_what_is_spread_over_both_signs_is_not_turned() -> None:
    plain = am.effect_sizes(SILENT, not_significant="bounded")
    turned = am.effect_sizes(SILENT.assign(direction=[-1, -1, -1, 1, -1]), not_significant="bounded")
    assert turned.effect.tolist() == (plain.effect * [-1, 1, 1, 1, -1]).tolist()


def test_what_says_ns_may_be_a_category() -> None:
    frame = SILENT.assign(significance=SILENT["significance"].astype("category"))
    assert am.effect_sizes(frame, not_significant="zero").effect[1] == 0.0


def test_one_silent_row_is_put_in_the_middle() -> None:
    assert am.effect_sizes(SILENT.iloc[:2], not_significant="bounded").effect[1] == 0.0


def test_silent_standardized_differences() -> None:
    frame = pd.DataFrame({"g": [0.3, NAN, NAN], "n": [50, 50, NAN], "n1": [NAN, NAN, 20], "n2": [NAN, NAN, 30]})
    frame["significance"] = ["", "ns", "ns"]
    zero = am.effect_sizes(frame, measure="SMD", not_significant="zero")
    assert zero.variance[1:] == pytest.approx([2 / 25, 1 / 20 + 1 / 30], rel=1e-15)
    assert route(zero)[1:] == ["not significant, n -> 0: equal groups assumed", "not significant, n1, n2 -> 0"]
    bounded = am.effect_sizes(frame, measure="SMD", not_significant="bounded")
    critical = T_05 * np.sqrt([2 / 25, 1 / 20 + 1 / 30]) * J
    assert bounded.effect[1:] == pytest.approx([-critical[0] / 2, critical[1] / 2], rel=1e-12)


def test_silent_rows_of_other_measures_and_without_a_size_are_refused() -> None:
    frame = pd.DataFrame({"effect": [0.3, NAN], "variance": [0.1, NAN], "significance": ["", "ns"]})
    with pytest.raises(
        InputError, match=r"not_significant='zero' is for correlations .* use not_significant='exclude'"
    ):
        am.effect_sizes(frame, measure="GEN", not_significant="zero")
    assert am.effect_sizes(frame, measure="GEN", not_significant="exclude").k == 1
    with pytest.raises(InputError, match=r"that have no sample size, .*: row 1 \('ns'\)\. Fill in 'n'"):
        am.effect_sizes(SILENT.assign(n=[50, NAN, 60, 80, 30]), not_significant="zero")
    with pytest.raises(UnknownNameError, match=r"^unknown not_significant 'null'\. .*'exclude', 'zero' and 'bounded'"):
        am.effect_sizes(SILENT, not_significant="null")


# Ready-made effects, empty cells


def test_a_standard_error_from_a_95_percent_interval() -> None:
    half = float(stats.norm.isf(0.025)) * 0.2
    frame = pd.DataFrame({"effect": [0.5, 0.1, 0.3], "std_error": [NAN, 0.1, NAN], "variance": [NAN, NAN, 0.09]})
    frame = frame.assign(ci_low=0.5 - half, ci_high=0.5 + half)
    effects = am.effect_sizes(frame, measure="GEN")
    assert effects.variance == pytest.approx([0.04, 0.01, 0.09], rel=1e-14)
    assert route(effects) == ["effect, ci_low, ci_high", "effect, std_error", "effect, variance"]


def test_one_row_with_a_variance_and_a_standard_error_is_refused() -> None:
    frame = pd.DataFrame({"effect": [0.5, 0.1], "std_error": [0.3, NAN], "variance": [0.09, 0.1]})
    with pytest.raises(InputError, match="the variance or the std_error of ready-made effects, not both"):
        am.effect_sizes(frame, measure="GEN")


@pytest.mark.parametrize("cells", [(0, 3), (10, 3), (4, 0), (4, 12)])
def test_any_of_the_four_cells_can_be_the_empty_one(cells: tuple[int, int]) -> None:
    effects = one("OR", events1=cells[0], n1=10, events2=cells[1], n2=12)
    a, c = (count + 0.5 for count in cells)
    assert effects.effect[0] == pytest.approx(math.log(a * (13 - c) / ((11 - a) * c)), rel=1e-13)
    assert effects.notes == ("1 of 1 rows have an empty cell in their table: 1/2 is added to each of its four",)


def test_a_half_is_added_to_the_cells_of_a_table_with_an_empty_one() -> None:
    frame = pd.DataFrame({"events1": [0, 5], "n1": [10, 10], "events2": [3, 4], "n2": [12, 9]})
    effects = am.effect_sizes(frame, measure="OR")
    assert effects.effect[0] == pytest.approx(math.log(0.5 * 9.5 / (10.5 * 3.5)), rel=1e-14)
    assert effects.effect[1] == pytest.approx(math.log(5 * 5 / (5 * 4)), rel=1e-14)
    note = "1 of 2 rows have an empty cell in their table: 1/2 is added to each of its four"
    assert effects.notes == am.effect_sizes(frame, measure="SMD").notes == (note,)
    assert am.effect_sizes(frame, measure="PHI").notes == am.effect_sizes(frame).notes == ()


# What is refused


def test_rows_that_no_route_can_make_are_listed_with_what_they_have() -> None:
    frame = pd.DataFrame({"r": [0.3, NAN, NAN], "t": [NAN, 2.0, NAN], "n": [50, NAN, 40]}, index=["a", "b", "c"])
    message = (
        r"^measure 'ZCOR' needs 'r' and 'n' or 't' and 'n'; this cannot be found in rows b \(has 't'\), c \(has 'n'\)\."
        r" Fill in the cells, or leave those rows out before calling\.$"
    )
    with pytest.raises(InputError, match=message) as caught:
        am.effect_sizes(frame)
    assert caught.value.rows == ("b", "c")


def test_one_group_alone_is_no_total() -> None:
    frame = pd.DataFrame({"r": [0.1, 0.2, 0.3], "t": [NAN] * 3, "n1": [20, NAN, 20], "n2": [30, 30, NAN]})
    with pytest.raises(InputError, match=r"in rows 1 \(has 'r' and 'n2'\), 2 \(has 'r' and 'n1'\)\."):
        am.effect_sizes(frame)


def test_the_largest_cells_that_can_be_are_accepted() -> None:
    assert one(beta=0.5, n=50).effect[0] == pytest.approx(0.55, rel=1e-15)  # Peterson and Brown (2005): from -.5 to .5
    assert one(p=1.0, n=50).effect[0] == 0.0
    assert one("RD", events1=10, n1=10, events2=0, n2=12).k == 1


def test_of_many_rows_that_no_route_can_make_twenty_are_named() -> None:
    frame = pd.DataFrame({"r": [0.3] + [NAN] * 25, "t": [NAN] * 26, "n": [50] + [NAN] * 25})
    with pytest.raises(InputError, match=r"20 \(has none of them\) and 5 more, all of them in .*`rows`\.") as caught:
        am.effect_sizes(frame)
    assert len(caught.value.rows) == 25


REFUSED: dict[str, tuple[str, dict[str, list[Any]], str, str]] = {
    "df of F": ("COR", {"f": [4.0, 4.0], "df": [2, 1], "df2": [46, 46]}, "df", r"must be 1 where F .*: row 0 \(2\)\."),
    "df of chi2": ("COR", {"chi2": [4.0, 4.0], "df": [1, 3], "n": [46, 46]}, "df", r"must be 1 where .*: row 1 \(3\)"),
    "chi2": ("COR", {"chi2": [4.0, 46.0], "n": [46, 46]}, "chi2", r"must be below n, .*: row 1 \(46\.0\)"),
    "chi2 below 0": ("COR", {"chi2": [-4.0, 6.0], "n": [46, 46]}, "chi2", r"cannot be below 0: row 0"),
    "f below 0": ("SMD", {"f": [-4.0, 6.0], "n": [46, 46]}, "f", r"cannot be below 0: row 0"),
    "z": ("COR", {"z": [2.0, -8.0], "n": [64, 64]}, "z", r"is too large for n.*: row 1 \(-8\.0\)"),
    "p": ("COR", {"p": [1.2, -0.1], "n": [64, 64]}, "p", r"p values outside 0 to 1.*: rows 0 \(1\.2\), 1 \(-0\.1\)"),
    "p of 0": ("SMD", {"p": [0.5, 0.0], "n": [64, 64]}, "p", r"p values of 0, which are rounded: row 1 .*bound"),
    "p of 1": ("COR", {"p": [1.0, 1.0], "tails": [2, 1], "n": [9, 9]}, "p", r"one-tailed p value of 1, .*: row 1"),
    "tails": ("COR", {"p": [0.1, 0.1], "tails": [3, NAN], "n": [9, 9]}, "tails", r"must be 1 or 2: row 0 \(3\.0\)"),
    "direction": ("COR", {"r": [0.1, 0.2], "direction": [0, 1], "n": [9, 9]}, "direction", r"must be 1 or -1: row 0"),
    "beta": ("COR", {"beta": [0.1, 0.6], "n": [9, 9]}, "beta", r"beyond -0\.5 and 0\.5, .*: row 1 \(0\.6\)"),
    "r2": ("COR", {"r2": [0.1, 1.0], "n": [9, 9]}, "r2", r"must lie from 0 to below 1, .*: row 1 \(1\.0\)"),
    "df below 0": ("COR", {"t": [0.1, 1.0], "df": [0, 9]}, "df", r"must be greater than 0, .*: row 0 \(0\)"),
    "odds ratio": ("COR", {"odds_ratio": [0, 1.0], "n": [9, 9]}, "odds_ratio", r"must be greater than 0, .*: row 0"),
    "sd": (
        "SMD",
        {"mean1": [1, 2], "mean2": [1, 1], "sd1": [1, 1], "sd2": [0, -1], "n": [9, 9]},
        "sd2",
        r"must be greater than 0, being a standard deviation: rows 0 \(0\), 1 \(-1\)",
    ),
    "events": (
        "OR",
        {"events1": [11, 2], "n1": [10, 10], "events2": [1, 1], "n2": [10, 10]},
        "events1",
        r"more people with the event than are in the group \(n1\): row 0 \(11\)",
    ),
    "events below 0": (
        "OR",
        {"events1": [1, 2], "n1": [10, 10], "events2": [-1, 1], "n2": [10, 10]},
        "events2",
        "cannot be below 0, being a number of people: row 0",
    ),
    "alpha": ("ABT", {"alpha": [0.8, 1.0], "n_items": [4, 4], "n": [9, 9]}, "alpha", r"must be below 1, .*: row 1"),
    "items": ("ABT", {"alpha": [0.8, 0.9], "n_items": [4, 1], "n": [9, 9]}, "n_items", r"must be 2 or more.*: row 1"),
    "interval": (
        "GEN",
        {"effect": [0.2, 0.5], "ci_low": [0.1, 0.6], "ci_high": [0.3, 0.7]},
        "ci_low",
        r"must be below ci_high, with the effect between them: row 1 \(0\.6\)",
    ),
    "words": ("COR", {"r": [NAN, NAN], "t": ["a", "2"], "n": [9, 9]}, "t", r"must hold numbers: row 0 \('a'\)"),
    "n of several routes": ("ZCOR", {"r": [0.1, NAN], "t": [NAN, 1.0], "n": [3, 2]}, "n", r"rows 0 \(3\), 1 \(2\)"),
    "one group of a total": ("ZCOR", {"r": [0.1, 0.2], "n1": [NAN, 9], "n2": [9, 9]}, "n1", r"has empty cells: row 0"),
    "no second group": ("COR", {"d": [0.1, 0.2], "n1": [9, 9], "n2": [9, NAN], "n": [9, 9]}, "n2", "must exceed 0 for"),
    "one group": ("COR", {"d": [0.1, 0.2], "n1": [NAN, 9], "n2": [9, 9], "n": [9, 9]}, "n1", "must exceed 0 for two"),
}


@pytest.mark.parametrize(("measure", "cells", "column", "match"), REFUSED.values(), ids=[*REFUSED])
def test_an_impossible_cell_is_refused_with_its_column_and_rows(
    measure: str, cells: dict[str, list[Any]], column: str, match: str
) -> None:
    with pytest.raises(InputError, match=rf"^column '{column}' .*{match}") as caught:
        am.effect_sizes(pd.DataFrame(cells), measure=measure)
    assert caught.value.column == column


def test_a_sample_too_small_for_its_route_is_refused() -> None:
    message = r"no effect with a sampling variance above 0 comes of row 1 \(t, df -> r\)\. Check their cells"
    with pytest.raises(InputError, match=message):
        am.effect_sizes(t=[1.0, 1.0], df=[10, 1])


# Roles


def test_the_typed_roles_are_the_roles() -> None:
    assert list(get_type_hints(Roles)) == list(ROLES)


def test_an_unknown_argument_gets_the_nearest_one() -> None:
    message = r"^unknown argument of effect_sizes\(\) 'mean_1'\. Did you mean 'mean1'\? Known: 'effect_id', "
    with pytest.raises(UnknownNameError, match=message):
        am.effect_sizes(mean_1=[1.0])  # type: ignore[call-arg]
    with pytest.raises(UnknownNameError, match="Did you mean 'variance_type'"):
        am.effect_sizes(r=[0.1], n=[20], variance_typ="LS")  # type: ignore[call-arg]


def test_an_array_can_play_any_role() -> None:
    assert am.effect_sizes(t=[2.0], df=np.array([46]), measure="COR").effect[0] == pytest.approx(2 / math.sqrt(50))
