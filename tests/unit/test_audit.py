"""`audit()`: for every check, a table that sets it off and one that only just does not."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest

from alliance_meta.auditing import _run, audit

INF = math.inf
CHECKS = {check.name: check for check in _run.CHECKS}


@dataclass
class Case:
    """A check, the table it finds something in, how grave that is, what it says, and the table it passes."""

    check: str
    bad: dict[str, Any]
    severity: str
    seen: str
    fine: dict[str, Any]


ROUNDED = {"t": ["2.31"], "df": [40]}  # 2.305 to 2.315 with 40 df: p from .02644 to .02583 (scipy)
F_1 = {"f": ["5.40"], "df": [1], "df2": [40]}  # 5.395 to 5.405: p from .02537 to .02524 (scipy)
CHI2 = {"chi2": ["7.00"], "df": [3]}  # 6.995 to 7.005: p from .07206 to .07174 (scipy)
Z = {"z": ["1.96"]}  # 1.955 to 1.965: p from .05058 to .04941 (scipy)
R_50 = {"r": ["0.30"], "n": [50]}  # .295 to .305: p from .03755 to .03126 (scipy)
# Pooled SD 2 and a difference of 1: d = .50; each mean and SD is .05 wide either way: .9 / 2.05 to 1.1 / 1.95.
MEANS = {"mean1": ["5.0"], "mean2": ["4.0"], "sd1": ["2.0"], "sd2": ["2.0"], "n1": [20], "n2": [20]}
NINE = {"variance": [0.01] * 10}  # nine effects at 0 predict 0 with sqrt(.01 + .01 / 9) = .10541
SD_TYPICAL = [9.5, 10.0, 10.5, 9.8, 10.2]  # with one lower: the median is sqrt(9.8 * 10) = 9.8995, a third is 3.2998
# The median of nine is 60 and of their distances on the log .1054, of 54; 60 * exp(4 * 1.4826 * .1054) = 112.1.
SPREAD_OUT = [48, 50, 54, 57, 60, 63, 66, 70]

CASES = [
    Case("not_a_number", {"r": [0.3, "high"]}, "error", r"r holds 'high', which is no number", {"r": [0.3, "0.4"]}),
    Case("infinite", {"r": [0.3, -INF]}, "error", r"r = -inf, which is not finite", {"r": [0.3, 1e308]}),
    Case(
        "row_incomplete",
        {"r": [0.3, 0.4], "n": [30, None]},
        "warning",
        r"n missing of r, n: no effect size",
        {"r": [0.3, None], "n": [30, None], "t": [None, 2.0]},  # t may do, though not by this table's columns
    ),
    Case("column_gaps", {"r": [0.3, None]}, "note", r"r is empty in 1 of 2 rows: 1", {"r": [0.3, 0.0]}),
    Case(
        "effect_id_repeated",
        {"effect_id": ["a", "b", "a"]},
        "error",
        r"effect_id 'a' also names row 0",
        {"effect_id": ["a", "b", "A"]},
    ),
    Case("name_missing", {"study": ["a", " "]}, "error", r"study is empty", {"study": ["a", "0"]}),
    Case("stray_whitespace", {"label": ["A", "B\u00a0C "]}, "warning", r"'B\\xa0C '", {"label": ["A", "B C"]}),
    Case("correlation_beyond_1", {"r": [0.3, 1.01]}, "error", r"r = 1\.01, but .* -1 and 1", {"r": [0.3, 1.0]}),
    Case("correlation_of_1", {"r": [0.3, -1.0]}, "error", r"r = -1, but", {"r": [0.3, -0.999]}),
    Case("n_too_small", {"n": [30, 3]}, "error", r"n = 3, but .* above 3", {"n": [30, 4]}),
    Case("group_too_small", {"n1": [9, 0]}, "error", r"n1 = 0, but .* at least 1", {"n1": [9, 1]}),
    Case("items_too_few", {"n_items": [9, 1]}, "error", r"n_items = 1, but .* 2 items", {"n_items": [9, 2]}),
    Case("count_not_whole", {"n": [30, 30.5]}, "error", r"n = 30\.5, but .* whole", {"n": [30, 31.0]}),
    Case("count_negative", {"events1": [3, -1]}, "error", r"events1 = -1, but .* 0", {"events1": [3, 0]}),
    Case("p_outside_0_1", {"p": [0.3, 1.001]}, "error", r"p = 1\.001, but .* 0 and 1", {"p": [0.0, 1.0]}),
    Case("sd_not_positive", {"sd1": [2, 0]}, "error", r"sd1 = 0, but .* exceeds 0", {"sd1": [2, 0.01]}),
    Case("statistic_negative", {"f": [2, -0.1]}, "error", r"f = -0\.1, but .* below 0", {"f": [2, 0.0]}),
    Case("df_not_positive", {"df": [2, 0]}, "error", r"df = 0, but .* exceed 0", {"df": [2, 0.5]}),
    Case("alpha_outside_0_1", {"alpha": [0.8, 0]}, "error", r"alpha = 0, but .* 1", {"alpha": [0.8, 1.0]}),
    Case("spread_not_positive", {"variance": [0.1, 0]}, "error", r"variance = 0, but", {"variance": [0.1, 1e-9]}),
    Case("share_outside_0_1", {"r2": [0.1, 1.2]}, "error", r"r2 = 1\.2, but .* 0 and 1", {"r2": [0, 1.0]}),
    Case("odds_not_positive", {"odds_ratio": [2, 0]}, "error", r"odds_ratio = 0, but", {"odds_ratio": [2, 0.01]}),
    Case("direction_unknown", {"direction": [1, 0]}, "error", r"direction = 0, but .* 1 or -1", {"direction": [1, -1]}),
    Case("tails_unknown", {"tails": [1, 3]}, "error", r"tails = 3, but .* 1 tail or 2", {"tails": [1, 2]}),
    Case(
        "groups_and_n",
        {"n": [41, 39], "n1": [20, 20], "n2": [21, 20]},
        "error",
        r"n1 = 20, n2 = 20, n = 39: the groups have 1 more people than the total",
        {"n": [41, 40], "n1": [20, 20], "n2": [21, 20]},
    ),
    Case(
        "events_beyond_group",
        {"events1": [3, 21], "n1": [20, 20]},
        "error",
        r"events1 = 21, n1 = 20: more events",
        {"events1": [3, 20], "n1": [20, 20]},
    ),
    Case(
        "interval_reversed",
        {"ci_low": [0.1, 0.3], "ci_high": [0.2, 0.2]},
        "error",
        r"ci_low = 0\.3, ci_high = 0\.2",
        {"ci_low": [0.1, 0.2], "ci_high": [0.2, 0.2]},
    ),
    Case(
        "effect_outside_interval",  # .30 may be .295, and .28 may be .285: below it
        {"g": ["0.30"], "ci_low": ["0.10"], "ci_high": ["0.28"]},
        "error",
        r"g = 0\.30, ci_low = 0\.10, ci_high = 0\.28: .* outside",
        {"g": ["0.30"], "ci_low": ["0.10"], "ci_high": ["0.29"]},
    ),
    Case("correlation_large", {"r": [0.3, 0.91]}, "warning", r"r = 0\.91", {"r": [0.3, 0.9]}),
    Case("difference_large", {"d": [0.3, -3.01]}, "warning", r"d = -3\.01", {"d": [0.3, -3.0]}),
    Case("n_large", {"n": [30, 10_001]}, "warning", r"n = 10001: .* 10,000", {"n": [30, 10_000]}),
    Case("alpha_low", {"alpha": [0.8, 0.49]}, "warning", r"alpha = 0\.49", {"alpha": [0.8, 0.5]}),
    Case("year_out_of_range", {"year": [2001, 1899]}, "warning", r"year = 1899, .* 1900", {"year": [2001, 1900]}),
    Case(
        "year_not_in_label",
        {"year": [1996], "label": ["Smith, 1986 (n = 1996)"]},
        "warning",
        r"year = 1996, but the label 'Smith, 1986 \(n = 1996\)' says 1986",
        {"year": [1996], "label": ["Smith, 1986/1996"]},
    ),
    Case(
        "sd_like_std_error",
        {"sd1": [*SD_TYPICAL, 3.29], "n1": [9] * 6},
        "warning",
        r"sd1 = 3\.29 with 9 people, where 9\.9 is typical: times the root of 9 it is 9\.87",
        {"sd1": [*SD_TYPICAL, 3.31], "n1": [9] * 6},
    ),
    Case(
        "p_and_t",
        {**ROUNDED, "p": ["0.030"]},
        "error",
        r"p = 0\.030, but t = 2\.31, df = 40 give p = 0\.02583 to 0\.02644",
        {**ROUNDED, "p": ["0.026"]},
    ),
    Case("p_and_f", {**F_1, "p": [".027"]}, "error", r"df2 = 40 give p = 0\.02524 to 0\.02537", {**F_1, "p": [".025"]}),
    Case("p_and_chi2", {**CHI2, "p": [0.075]}, "error", r"give p = 0\.07174 to 0\.07206", {**CHI2, "p": [0.072]}),
    Case("p_and_z", {**Z, "p": ["0.060"]}, "error", r"z = 1\.96 give p = 0\.04941 to 0\.05058", {**Z, "p": ["0.051"]}),
    Case("p_and_r", {**R_50, "p": ["0.06"]}, "warning", r"0\.03126 to 0\.03755", {**R_50, "p": ["0.038"]}),
    Case(
        "t_and_r",  # 2.31 / sqrt(2.31 ** 2 + 40) = .343
        {**ROUNDED, "r": ["0.35"]},
        "warning",
        r"r = 0\.35, but t = 2\.31, df = 40 give \|r\| = 0\.3424 to 0\.3437",
        {**ROUNDED, "r": ["-0.34"]},
    ),
    Case(
        "f_and_t",  # 2.305 ** 2 = 5.313, 2.315 ** 2 = 5.359
        {"t": ["2.31"], "f": ["5.37"]},
        "error",
        r"f = 5\.37, but t = 2\.31, whose square is 5\.313 to 5\.359",
        {"t": ["-2.31"], "f": ["5.36"]},
    ),
    Case("d_and_means", {**MEANS, "d": ["0.58"]}, "warning", r"0\.439 to 0\.5641", {**MEANS, "d": ["-0.56"]}),
    Case(
        "d_and_t",  # 2.31 * sqrt(2 / 20) = .7305, and .7289 to .7321 from 2.305 to 2.315
        {"t": ["2.31"], "n1": [20], "n2": [20], "d": ["0.74"]},
        "warning",
        r"d = 0\.74, but t = 2\.31, n1 = 20, n2 = 20 give \|d\| = 0\.7289 to 0\.7321",
        {"t": ["2.31"], "n1": [20], "n2": [20], "d": ["-0.73"]},
    ),
    Case(
        "g_and_d",  # with 38 df, Hedges' correction is .98011 exactly and .98013 by the usual approximation
        {"d": ["0.500"], "g": ["0.500"], "n1": [20], "n2": [20]},
        "warning",
        r"g = 0\.500, but d = 0\.500, n1 = 20, n2 = 20 give g = 0\.4896 to 0\.4906",
        {"d": ["0.500"], "g": ["0.490"], "n1": [20], "n2": [20]},
    ),
    Case(
        "variance_and_std_error",  # .245 ** 2 = .0600, .255 ** 2 = .0650
        {"variance": ["0.0660"], "std_error": ["0.25"]},
        "error",
        r"variance = 0\.0660, std_error = 0\.25, whose square is 0\.06002 to 0\.06502",
        {"variance": ["0.0650"], "std_error": ["0.25"]},
    ),
    Case(
        "odds_ratio_and_log",  # exp(.685) = 1.984, exp(.695) = 2.004
        {"odds_ratio": ["2.02"], "log_odds_ratio": ["0.69"]},
        "error",
        r"log_odds_ratio = 0\.69, which is an odds ratio of 1\.984 to 2\.004",
        {"odds_ratio": ["2.00"], "log_odds_ratio": ["0.69"]},
    ),
    Case(
        "interval_not_symmetric",  # the middle is .43, .425 to .435
        {"g": ["0.41"], "ci_low": ["0.38"], "ci_high": ["0.48"]},
        "warning",
        r"g = 0\.41, .*: the middle of the interval is 0\.43,",
        {"g": ["0.42"], "ci_low": ["0.38"], "ci_high": ["0.48"]},
    ),
    Case(
        "interval_and_std_error",  # half the interval is .30: 3 standard errors of .100; 1.96 with n = 1000
        {"g": ["0.50"], "ci_low": ["0.20"], "ci_high": ["0.80"], "std_error": ["0.100"], "n": [1000]},
        "warning",
        r"half the interval is 0\.3, 3 standard errors, not 1\.96 to 1\.96",
        {"g": ["0.50"], "ci_low": ["0.30"], "ci_high": ["0.70"], "std_error": ["0.100"], "n": [1000]},
    ),
    Case(
        "rows_identical",
        {"effect_id": ["a", "b", "c"], "r": [0.3, 0.4, 0.3], "note": [["x"], "", ["x"]]},
        "warning",
        r"2 rows hold the same cells: a, c",
        {"effect_id": ["a", "b", "c"], "r": [0.3, 0.4, 0.3], "note": [["x"], "", ["y"]]},
    ),
    Case(
        "study_named_twice",
        {"study": ["a", "b", "c"], "label": ["Truax, 1971 (n = 34)", "TRUAX et al. 1971", "Truax, 1966"]},
        "warning",
        r"2 rows of 2 studies are all 'truax 1971': 0, 1",
        {"study": ["a", "a", "c"], "label": ["Truax, 1971 (n = 34)", "TRUAX et al. 1971", "Truax, 1966"]},
    ),
    Case(
        "sample_counted_twice",
        {"study": ["a", "b", "c"], "r": [0.31, 0.31, 0.2], "n": [30, 30, 50]},
        "warning",
        r"n = 30, r = 0\.31 in 2 rows of different studies: 0, 1",
        {"study": ["a", "b", "c"], "r": [0.31, 0.31, 0.0], "n": [30, 31, 50]},
    ),
    Case(
        "several_effects",
        {"study": ["a", "b", "b", "b"]},
        "note",
        r"1 of 2 studies give several effects, 3 in all; most: b with 3",
        {"study": ["a", "b", "c", "d"]},
    ),
    Case(
        "effect_outlying",  # 3 * .10541 = .31623
        {"effect": [0.0] * 9 + [0.317], **NINE},
        "warning",
        r"effect = 0\.317 lies \+3\.0 standard errors from what the other 9 effects predict \(0\.00\)",
        {"effect": [0.0] * 9 + [0.316], **NINE},
    ),
    Case(
        "sign_flipped",  # 1.96 * sqrt(.01) = .196, and .3 - .197 is under one standard error of prediction
        {"effect": [0.3] * 9 + [-0.197], **NINE},
        "warning",
        r"effect = -0\.197, where 100% of the other 9 effects have the other sign and predict 0\.30",
        {"effect": [0.3] * 9 + [-0.195], **NINE},
    ),
    Case(
        "n_outlying",
        {"n": [*SPREAD_OUT, 113]},
        "note",
        r"n = 113, where the median is 60 \(robust z \+4\.1 on the log\)",
        {"n": [*SPREAD_OUT, 112]},
    ),
    Case(
        "std_error_outlying",
        {"variance": [one**2 for one in (*SPREAD_OUT, 113)]},
        "note",
        r"variance = 12769, where the median standard error is 60 \(robust z \+4\.1 on the log\)",
        {"variance": [one**2 for one in (*SPREAD_OUT, 112)]},
    ),
    Case(
        "adjusted_and_raw",
        {"adjusted": ["no", "yes", None]},
        "note",
        r"adjusted is given in 1 of 3 rows: 1",
        {"adjusted": [1, 1, 1]},
    ),
    Case(
        "rechecked_differs",  # .31 was at least .305, .3044 at most .30445; .3 stands for .30, as its column has it
        {"r": [0.3, 0.31, 0.32], "r_rechecked": [None, 0.3044, 0.3152]},
        "note",
        r"r = 0\.31, rechecked 0\.3044",
        {"r": [0.3, 0.31, 0.32], "r_rechecked": [0.3049, 0.3051, 0.3152]},
    ),
]


def found(table: dict[str, Any], check: str) -> pd.DataFrame:
    result = audit(pd.DataFrame(table))
    ran = result.checks.set_index("check").loc[check]
    assert ran["ran"], ran["why_not"]
    findings = result.findings
    return findings[findings["check"] == check]


def test_every_check_has_a_case() -> None:
    assert {case.check for case in CASES} == {*CHECKS}
    assert len(CHECKS) == len(_run.CHECKS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.check)
def test_a_check_finds_what_it_looks_for_and_says_so(case: Case) -> None:
    first = found(case.bad, case.check).iloc[0]
    assert first["severity"] == case.severity
    assert re.search(case.seen, first["seen"]), first["seen"]
    assert re.search(r"\d|'|inf|empty|missing", first["seen"])
    assert first["advice"].endswith(".")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.check)
def test_a_check_passes_what_only_just_can_be(case: Case) -> None:
    assert found(case.fine, case.check)["seen"].tolist() == []
