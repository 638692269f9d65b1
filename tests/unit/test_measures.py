"""Every effect measure against metafor's numbers, and what each is called and shown as."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import mpmath  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

import alliance_meta as am
from alliance_meta.effects._routes import ROUTES
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.measures import MEASURES, MeasureName
from alliance_meta.stats.effect_measures import KERNELS

STORED = json.loads((Path(__file__).parents[1] / "reference" / "measures.json").read_text(encoding="utf-8"))
CASES: list[dict[str, Any]] = STORED["cases"]
EDGES: list[dict[str, Any]] = [case for case in STORED["edges"] if "error" not in case]

# 1e-10: both compute in double precision, and metafor's numbers are stored with 17 digits.
CLOSE = 1e-10

GROUPS = {"m1i": "mean1", "m2i": "mean2", "sd1i": "sd1", "sd2i": "sd2", "n1i": "n1", "n2i": "n2", "di": "d", "ti": "t"}
# metafor's first measurement is the one after treatment; its sd1i is the standardizer, or goes with the first mean.
CHANGE = {"m1i": "mean_post", "m2i": "mean_pre", "ni": "n", "ri": "r_pre_post"}
ALPHA = {"ai": "alpha", "mi": "n_items", "ni": "n"}
BEFORE_FIRST = {"sd1i": "sd_pre", "sd2i": "sd_post"}
AFTER_FIRST = {"sd1i": "sd_post", "sd2i": "sd_pre"}


def columns(measure: str, given: dict[str, list[float]]) -> dict[str, npt.NDArray[np.float64]]:
    """metafor's arguments as columns named by their roles."""
    x = {name: np.array(values, dtype=float) for name, values in given.items()}
    if set(x) >= {"ai", "bi", "ci", "di"}:
        return {"events1": x["ai"], "n1": x["ai"] + x["bi"], "events2": x["ci"], "n2": x["ci"] + x["di"]}
    if measure in ("PCOR", "ZPCOR", "SPCOR"):
        more = {"r2": x["r2i"]} if measure == "SPCOR" else {}
        return {"t": x["ti"], "n": x["ni"], "df": x["ni"] - x["mi"] - 1, **more}
    names = {"ri": "r", "ni": "n"}
    if measure in ("MC", "SMCC", "SMCR", "SMCRH", "ROMC"):
        names = CHANGE | (AFTER_FIRST if measure == "ROMC" else BEFORE_FIRST)
    elif "n1i" in x:
        names = GROUPS
    elif "ai" in x:
        names = ALPHA
    return {names[name]: values for name, values in x.items()}


def computed(case: dict[str, Any], rows: npt.NDArray[np.intp]) -> am.EffectSizes:
    frame = pd.DataFrame(columns(case["measure"], case["inputs"])).iloc[rows]
    kinds = case["vtype"] if isinstance(case["vtype"], str) else [case["vtype"][i] for i in rows]
    return am.effect_sizes(frame, measure=case["measure"], variance_type=kinds)


def stored(case: dict[str, Any]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Effects and variances, NaN where metafor has none."""
    return np.array(case["yi"], dtype=float), np.array(case["vi"], dtype=float)


def name_of(case: dict[str, Any]) -> str:
    kind = case["vtype"] if isinstance(case["vtype"], str) else "mixed"
    return f"{case['measure']}-{kind}-{'-'.join(case['inputs'])}-{len(case['yi'])}"


# Other treatments of empty cells than metafor's default are not offered.
OFFERED = [case for case in CASES if "options" not in case]


@pytest.mark.parametrize("case", OFFERED, ids=map(name_of, OFFERED))
def test_effects_and_variances_are_metafors(case: dict[str, Any]) -> None:
    yi, vi = stored(case)
    rows = np.flatnonzero(np.isfinite(yi) & (vi > 1e-15))  # phi of -1 or 1 has no variance but rounding
    effects = computed(case, rows)
    np.testing.assert_allclose(effects.effect, yi[rows], rtol=CLOSE, atol=1e-15)  # 1e-15: effects of 0
    # "UB" divides by 1 - (m - 2) / (m J^2), in which metafor's J, a difference of log gammas, has lost digits.
    close = 1e-9 if case["vtype"] == "UB" and case["measure"] == "SMD" else CLOSE
    np.testing.assert_allclose(effects.variance, vi[rows], rtol=close, atol=0.0)


def test_every_measure_and_every_type_of_variance_is_held_against_metafor() -> None:
    held = {(case["measure"], case["vtype"]) for case in OFFERED if isinstance(case["vtype"], str)}
    offered = {(code, kind) for code, kernel in KERNELS.items() for kind in kernel.variance_types}
    elsewhere = {("ZPB", kind) for kind in ("LS", "ST", "CS")}  # not in metafor 3.8-1: held against RPB, below
    assert offered - held == {("PPC", "LS"), ("GEN", "LS")} | elsewhere
    assert held - offered == set()


@pytest.mark.parametrize("case", [case for case in OFFERED if None in case["yi"]], ids=name_of)
def test_rows_without_a_number_are_refused(case: dict[str, Any]) -> None:
    yi, vi = stored(case)
    lost = np.flatnonzero(np.isnan(yi) | (vi <= 1e-15))
    with pytest.raises(InputError, match="no effect with a sampling variance above 0 comes of") as caught:
        computed(case, np.arange(len(yi)))
    assert caught.value.rows == tuple(str(i) for i in lost)


@pytest.mark.parametrize("case", EDGES, ids=name_of)
def test_the_smallest_samples_have_metafors_numbers_or_are_refused(case: dict[str, Any]) -> None:
    yi, vi = stored(case)
    for row in range(len(yi)):
        try:
            effects = computed(case, np.array([row]))
        except InputError:
            continue
        if case["measure"] == "COR" and not np.isfinite(vi[row]):
            assert case["inputs"]["ni"][row] in (2, 3)  # metafor 3.8-1 asks for 4; the formula holds from 2
            continue
        assert effects.effect[0] == pytest.approx(yi[row], rel=CLOSE)
        assert effects.variance[0] == pytest.approx(vi[row], rel=CLOSE)


@pytest.mark.parametrize("n", [5, 20, 37, 38, 39, 40, 41, 256, 1500, 100_000])
def test_the_correlation_without_bias_to_fourteen_digits(n: int) -> None:
    # Olkin and Pratt (1958), eq. 2.3, by mpmath's hypergeometric function at 30 digits.
    r = [0.0, 0.001, -0.26, 0.5, 0.99]
    with mpmath.workdps(30):
        exact = [float(x * mpmath.hyp2f1(0.5, 0.5, mpmath.mpf(n - 2) / 2, 1 - mpmath.mpf(x) ** 2)) for x in r]
    effects = am.effect_sizes(measure="UCOR", r=r, n=[n] * len(r))
    np.testing.assert_allclose(effects.effect, exact, rtol=2e-14, atol=0.0)  # with 5 people it is steep near r = 0


# Morris (2008), Organizational Research Methods, 11, Table 5, p. 382
MORRIS = pd.DataFrame(
    {
        "mean_pre1": [30.6, 23.5, 0.5, 53.4, 35.6],
        "mean_post1": [38.5, 26.8, 0.7, 75.9, 36.0],
        "sd_pre1": [15.0, 3.1, 0.1, 14.5, 4.7],
        "r_pre_post1": [0.47, 0.64, 0.77, 0.89, 0.44],
        "n1": [20, 50, 9, 10, 14],
        "mean_pre2": [23.1, 24.9, 0.6, 55.7, 34.8],
        "mean_post2": [19.7, 25.3, 0.6, 60.7, 33.4],
        "sd_pre2": [13.8, 4.1, 0.2, 17.3, 3.1],
        "r_pre_post2": [0.47, 0.64, 0.77, 0.89, 0.44],
        "n2": [20, 42, 9, 11, 14],
    }
)


def test_changes_of_two_groups_are_morriss() -> None:
    effects = am.effect_sizes(MORRIS, measure="PPC")
    # Morris (2008), Table 5, p. 382, d_ppc2, to the four decimals printed
    assert effects.effect.round(4).tolist() == [0.7684, 0.801, 1.2045, 1.0476, 0.4389]


def test_the_variance_of_changes_of_two_groups_by_hand() -> None:
    # Morris (2008), eq. 25, first row of Table 5, with J(38) = 0.98010995 (gamma functions, scipy):
    # 2 J^2 (1 - .47)(40/400)(38/36)(1 + d^2 / (2 (1 - .47)(40/400))) - d^2, d = 0.76844765.
    factor, d, rho = math.exp(math.lgamma(19) - math.lgamma(18.5)) / math.sqrt(19), 0.7684476491, 0.47
    by_hand = 2 * factor**2 * (1 - rho) * 0.1 * 38 / 36 * (1 + d**2 / (2 * (1 - rho) * 0.1)) - d**2
    effects = am.effect_sizes(MORRIS.iloc[:1], measure="PPC")
    assert effects.variance[0] == pytest.approx(by_hand, rel=1e-7)  # d is given to ten digits
    turned = am.effect_sizes(MORRIS.iloc[:1].assign(direction=-1), measure="PPC")
    assert (turned.effect[0], turned.variance[0]) == (-effects.effect[0], effects.variance[0])


# Types of variance


def test_an_unknown_type_of_variance_names_those_of_the_measure() -> None:
    message = (
        r"^unknown variance_type for measure 'SMD' 'LS3'\. Did you mean 'LS'\? Known: 'LS', 'LS2', 'UB' and 'AV'\.$"
    )
    with pytest.raises(UnknownNameError, match=message):
        am.effect_sizes(measure="SMD", variance_type="LS3", g=[0.1], n=[20])
    with pytest.raises(UnknownNameError, match=r"^unknown variance_type for measure 'ZCOR' 'AV'\..* Known: 'LS'\.$"):
        am.effect_sizes(variance_type="AV", r=[0.1], n=[20])


def test_a_type_of_variance_a_row_needs_as_many_as_there_are_rows() -> None:
    with pytest.raises(InputError, match=r"^variance_type has 2 values, but the table has 1 rows$"):
        am.effect_sizes(measure="COR", variance_type=["LS", "AV"], r=[0.1], n=[20])


# Records


def test_each_measure_has_a_record_a_function_and_routes() -> None:
    assert list(MEASURES) == list(KERNELS) == list(ROUTES) == list(get_args(MeasureName))
    for code, record in MEASURES.items():
        assert record.code == code
        own = {role for role in record.inputs[0] if role not in ("n1", "n2")}
        assert own <= set(ROUTES[code][0].needs)


TO_DISPLAY: dict[str, tuple[Callable[[float], float], tuple[float, ...]]] = {
    **dict.fromkeys(("ZCOR", "ZPCOR", "ZPB"), (math.tanh, (-2.0, 0.3))),
    **dict.fromkeys(("OR", "RR", "ROM", "ROMC", "D2OR", "D2ORN", "D2ORL"), (math.exp, (-1.0, 0.7))),
    "AHW": (lambda y: 1 - (1 - y) ** 3, (-0.5, 0.4, 0.9)),
    "ABT": (lambda y: 1 - math.exp(-y), (-0.5, 0.4, 2.9)),
}


@pytest.mark.parametrize("code", MEASURES)
def test_the_shown_scale(code: str) -> None:
    record = MEASURES[code]
    back, values = TO_DISPLAY.get(code, (lambda y: y, (-0.4, 0.3)))
    assert record.to_display(values) == pytest.approx([back(y) for y in values], rel=1e-14)
    assert (record.display_scale == record.scale) == (code not in TO_DISPLAY)
    steps = record.to_display(np.linspace(-1.0, 0.99, 200))
    assert (np.diff(steps) > 0.0).all()


def test_no_effect_is_shown_as_1_for_ratios_and_as_0_for_all_others() -> None:
    ratios = {code for code, record in MEASURES.items() if float(record.to_display(record.null)) == 1.0}
    assert ratios == {"OR", "RR", "ROM", "ROMC", "D2OR", "D2ORN", "D2ORL"}
    assert {float(MEASURES[code].to_display(MEASURES[code].null)) for code in set(MEASURES) - ratios} == {0.0}


def test_alpha_comes_back_from_its_scales() -> None:
    frame = pd.DataFrame({"alpha": [0.7, 0.95, -0.3], "n_items": [10, 5, 4], "n": [100, 40, 20]})
    for code in ("ARAW", "AHW", "ABT"):
        effects = am.effect_sizes(frame, measure=code)
        assert effects.measure.to_display(effects.effect) == pytest.approx(frame["alpha"].tolist(), rel=1e-12)


def test_a_ratio_pools_and_prints_as_a_ratio() -> None:
    frame = pd.DataFrame({"events1": [12, 8, 20], "n1": [40, 30, 60], "events2": [6, 5, 11], "n2": [41, 29, 60]})
    fit = am.pool(am.effect_sizes(frame, measure="OR"))
    assert fit.on_display_scale().estimate == pytest.approx(math.exp(fit.estimate), rel=1e-14)
    assert repr(fit).startswith("<PooledEffect: OR = ")


@pytest.mark.parametrize("variance_type", ["LS", "ST", "CS"])
def test_fisher_z_of_the_point_biserial_is_the_delta_method_on_rpb(variance_type: str) -> None:
    """ZPB is not in metafor 3.8-1: held against RPB, which is, with the slope of atanh taken numerically."""
    frame = pd.DataFrame({"mean1": [10.0, 5.0], "mean2": [8.0, 7.0], "sd1": [3.0, 2.0], "sd2": [4.0, 2.5]})
    frame[["n1", "n2"]] = [[20, 30], [45, 15]]
    r, z = (am.effect_sizes(frame, measure=code, variance_type=variance_type) for code in ("RPB", "ZPB"))
    assert z.effect == pytest.approx(np.arctanh(r.effect), rel=1e-14)
    slope = (np.arctanh(r.effect + 1e-6) - np.arctanh(r.effect - 1e-6)) / 2e-6
    assert z.variance == pytest.approx(r.variance * slope**2, rel=1e-8)
    assert z.measure.to_display(z.effect) == pytest.approx(r.effect, rel=1e-14)


def test_variance_of_zpb_is_that_of_simulated_samples() -> None:
    """40,000 samples of two groups, 60 and 90 people, half a standard deviation apart: sd of a variance is 0.7 %."""
    rng = np.random.default_rng(1954)
    first, second = rng.normal(0.5, 1.0, (40_000, 60)), rng.normal(0.0, 1.0, (40_000, 90))
    mean1, mean2 = first.mean(axis=1), second.mean(axis=1)
    sd1, sd2 = first.std(axis=1, ddof=1), second.std(axis=1, ddof=1)
    n1, n2 = np.full(40_000, 60), np.full(40_000, 90)
    made = am.effect_sizes(measure="ZPB", mean1=mean1, mean2=mean2, sd1=sd1, sd2=sd2, n1=n1, n2=n2)
    assert made.variance.mean() == pytest.approx(made.effect.var(), rel=0.035)  # the formula is for large samples
