"""Explanations: every number is computed again from the table, and every line of numbers gives its result."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError
from itertools import product
from math import exp, log, sqrt, tanh
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from matplotlib.mathtext import MathTextParser
from rich.cells import cell_len
from scipy import stats

import alliance_meta as am
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.results._explanation import Explanation
from alliance_meta.results._formula_text import given, latex_words, markdown_words, num, plain, sum_of
from alliance_meta.results._vocabulary import TAU2_METHODS, TESTS

FloatArray = npt.NDArray[np.float64]

# Both sides are sums of at most 300 products; estimators that iterate stop at rounding.
SAME: dict[str, Any] = {"rel": 1e-12, "abs": 1e-13}
# Numbers with four digits, put into formulas with a difference that loses one of them or two.
SHOWN = 2e-2
METHODS = tuple(TAU2_METHODS)


def _effects(k: int, seed: int = 1) -> am.EffectSizes:
    rng = np.random.default_rng(seed)
    n = rng.integers(20, 150, k)
    r = np.round(np.tanh(rng.normal(0.3, 0.25, k)), 2)
    frame = pd.DataFrame(
        {
            "study": [f"Study {i + 1}" for i in range(k)],
            "r": r,
            "n": n,
            "year": rng.integers(1970, 2020, k),
            "sessions": rng.integers(4, 50, k),
            "rater": np.where(np.arange(k) % 2 == 0, "client", "observer"),
        }
    )
    return am.effect_sizes(frame, measure="ZCOR")


KOLDEN = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")


def _pooled(effects: am.EffectSizes, **options: Any) -> Any:
    if options.get("tau2_method") == "GENQ":
        options["q_weights"] = np.sqrt(1.0 / effects.variance)
    return am.pool(effects, **options)


def _solve(k: int, p: int) -> dict[str, float]:
    return {"REML": k - p, "PM": k - p, "EB": k - p, "PMM": stats.chi2.median(k - p) if k > p else np.nan}


def _tau2_by_hand(fit: Any) -> dict[str, float]:
    """Every number of the step to tau2, but those of Q."""
    y, v, k, t = fit.effects.effect, fit.effects.variance, fit.k, float(np.nan_to_num(fit.tau2))
    w, ws = 1.0 / v, 1.0 / (v + t)
    own = (ws * y).sum() / ws.sum()
    first = (w * y).sum() / w.sum()
    q, c = (w * (y - first) ** 2).sum(), w.sum() - (w**2).sum() / w.sum()
    plain_mean = y.mean()
    crude = ((y - plain_mean) ** 2).sum() / k
    w_sj = 1.0 / (v + crude)
    m_sj = (w_sj * y).sum() / w_sj.sum()
    he = y.var(ddof=1) - v.mean() if k > 1 else np.nan
    start = {"DL2": (q - k + 1) / c if k > 1 else 0.0, "CA2": he}.get(fit.settings.tau2_method, 0.0)
    a_q = np.array(fit.settings.q_weights) if fit.settings.q_weights else 1.0 / (v + max(start, 0.0))
    m_q = (a_q * y).sum() / a_q.sum()
    left = (ws**2 * (y - own) ** 2).sum()
    right = ws.sum() - ((ws**2).sum() / ws.sum() if fit.settings.tau2_method == "REML" else 0.0)
    return {
        "plain_mean": plain_mean,
        "variance_of_effects": y.var(ddof=1) if k > 1 else np.nan,
        "mean_variance": v.mean(),
        "crude_tau2": crude,
        "sj_residual_ss": (w_sj * (y - m_sj) ** 2).sum(),
        "first_tau2": max(start, 0.0),
        "q_generalised": (a_q * (y - m_q) ** 2).sum(),
        "q_expected": (a_q * v * (1 - a_q / a_q.sum())).sum(),
        "c_generalised": a_q.sum() - (a_q**2).sum() / a_q.sum(),
        "q_at_tau2": (ws * (y - own) ** 2).sum(),
        "q_target": _solve(k, 1).get(fit.settings.tau2_method, np.nan),
        "likelihood_left": left,
        "likelihood_right": right,
    }


def _by_hand(fit: Any, level: float) -> dict[str, float]:
    """Every number of the explanation of a mean, from the effects, their variances and tau2."""
    y, v, k, t = fit.effects.effect, fit.effects.variance, fit.k, float(np.nan_to_num(fit.tau2))
    w, ws = 1.0 / v, 1.0 / (v + t)
    first = (w * y).sum() / w.sum()
    q = (w * (y - first) ** 2).sum()
    c = w.sum() - (w**2).sum() / w.sum()
    a = ws if fit.settings.given_weights is None else np.array(fit.settings.given_weights)
    mean, own = (a * y).sum() / a.sum(), (ws * y).sum() / ws.sum()
    se0 = np.sqrt((a**2 * (v + t)).sum()) / a.sum()
    kh = (ws * (y - own) ** 2).sum() / (k - 1) if k > 1 else np.nan
    factor = {"knapp-hartung": kh, "knapp-hartung-adhoc": max(kh, 1.0)}.get(fit.settings.test, 1.0)
    se = se0 * np.sqrt(factor)
    df = np.inf if fit.settings.test == "z" else k - 1
    dist = stats.norm if df == np.inf else stats.t(df)
    crit, wide = dist.ppf(0.5 + level / 2), stats.t(k - 2).ppf(0.5 + level / 2) if k > 2 else np.nan
    typical = (k - 1) * w.sum() / (w.sum() ** 2 - (w**2).sum()) if k > 1 else np.nan
    new = np.sqrt(t + se**2)
    equal = fit.settings.tau2_method == "EE"
    low, high, p_low, p_high = mean - crit * se, mean + crit * se, mean - wide * new, mean + wide * new
    return {
        "weight_equal_effects": w[0],
        "estimate_equal_effects": first,
        "q_statistic": q,
        "q_df": k - 1,
        "q_p_value": stats.chi2.sf(q, k - 1),
        "c": c,
        **_tau2_by_hand(fit),
        "tau2": t,
        "weight": a[0],
        "estimate": mean,
        "std_error_plain": se0,
        "knapp_hartung_q": kh,
        "std_error": se,
        "statistic": mean / se,
        "p_value": 2 * dist.sf(abs(mean / se)),
        "critical_value": crit,
        "ci_low": low,
        "ci_high": high,
        "typical_variance": typical,
        "i2": max(0.0, 100 * (q - k + 1) / q) if equal and k > 1 else 100 * t / (t + typical),
        "prediction_critical_value": wide,
        "prediction_std_error": new,
        "pi_low": p_low,
        "pi_high": p_high,
        "display_estimate": np.tanh(mean),
        "display_ci_low": np.tanh(low),
        "display_ci_high": np.tanh(high),
        "display_pi_low": np.tanh(p_low),
        "display_pi_high": np.tanh(p_high),
        "effect": y[0],
        "variance": v[0],
    }


# The numbers of a mean


@pytest.mark.parametrize(("method", "test"), [*product(METHODS, TESTS)])
def test_each_number_is_what_the_table_gives(method: str, test: str) -> None:
    fit = _pooled(KOLDEN, tau2_method=method, test=test)
    found, expected = fit.explain(level=0.9).quantities(), _by_hand(fit, 0.9)
    assert set(found) <= set(expected)
    for name, value in found.items():
        assert value == pytest.approx(expected[name], **SAME), name


@pytest.mark.parametrize(("method", "test"), [*product(METHODS, TESTS)])
def test_the_last_numbers_are_the_fits(method: str, test: str) -> None:
    fit = _pooled(KOLDEN, tau2_method=method, test=test)
    found, own = fit.explain().quantities(), fit.quantities()
    compared = set(found) & set(own)
    assert compared >= {"estimate", "std_error", "tau2", "ci_low", "ci_high", "i2", "q_statistic", "p_value"}
    for name in compared:
        assert found[name] == pytest.approx(own[name], rel=1e-12), name
    shown = fit.on_display_scale()
    assert found["display_estimate"] == pytest.approx(shown.estimate, rel=1e-12)


@pytest.mark.parametrize("method", ["REML", "ML", "PM", "EB", "PMM"])
def test_both_sides_of_the_estimating_equation_agree(method: str) -> None:
    found = am.pool(KOLDEN, tau2_method=method).explain().quantities()
    names = ("likelihood_left", "likelihood_right") if "likelihood_left" in found else ("q_at_tau2", "q_target")
    assert found[names[0]] == pytest.approx(found[names[1]], rel=1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_tau2_follows_from_its_formula(method: str) -> None:
    """Each closed formula with the numbers of its own step; the fit's value is shown, so this is no circle."""
    fit = _pooled(KOLDEN, tau2_method=method)
    n, k = _by_hand(fit, 0.95), fit.k
    w = (1.0 / KOLDEN.variance).sum()
    formulas = {
        "DL": (n["q_statistic"] - (k - 1)) / n["c"],
        "HE": n["variance_of_effects"] - n["mean_variance"],
        "HS": (n["q_statistic"] - k) / w,
        "HSk": k * (n["q_statistic"] / (k - 1) - 1) / w,
        "SJ": n["crude_tau2"] * n["sj_residual_ss"] / (k - 1),
        "EE": 0.0,
        **dict.fromkeys(("GENQ", "DL2", "CA2"), (n["q_generalised"] - n["q_expected"]) / n["c_generalised"]),
    }
    if method in formulas:
        assert fit.tau2 == pytest.approx(formulas[method], rel=1e-12)


@pytest.mark.parametrize("weights", ["equal", "n", "given"])
@pytest.mark.parametrize("test", TESTS)
def test_chosen_weights(weights: str, test: str) -> None:
    given_weights = np.arange(1.0, 17.0) if weights == "given" else weights
    fit = am.pool(KOLDEN, weights=given_weights, test=test)
    found, expected = fit.explain().quantities(), _by_hand(fit, 0.95)
    for name, value in found.items():
        assert value == pytest.approx(expected[name], **SAME), name


@pytest.mark.parametrize("k", [1, 2, 3, 300])
@pytest.mark.parametrize("method", METHODS)
def test_few_and_many_studies(k: int, method: str) -> None:
    for test in TESTS:
        fit = _pooled(_effects(k), tau2_method=method, test=test)
        found, expected = fit.explain().quantities(), _by_hand(fit, 0.95)
        for name, value in found.items():
            assert value == pytest.approx(expected[name], **SAME), name
        text = str(fit.explain())
        assert ("…" in text) == (k > 3)
        assert max(map(cell_len, text.splitlines())) <= 100


# What is shown

_UP = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


def _evaluated(line: str) -> float:
    """A line of numbers as a terminal shows it, read as a calculation."""
    text = re.sub(r"([⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+)", lambda m: f"**({m[1].translate(_UP)})", line)
    text = text.replace("−", "-").replace("×", "*").replace("½", "0.5").replace("e^", "exp")
    text = re.sub(r"√([\d.]+)", r"sqrt(\1)", text).replace("√", "sqrt")
    text = re.sub(r"max\(1, ([\d.]+)\)", r"max(1, \1)", text)
    text = re.sub(r"(?<=[\d)]) (?=\(|\d|ln)", " * ", text)
    functions = {"sqrt": sqrt, "ln": log, "tanh": tanh, "exp": exp, "max": max}
    return float(eval(text, {"__builtins__": {}}, functions))  # noqa: S307 - our own formulas


def _lines(explained: Explanation) -> list[tuple[str, str, float]]:
    return [
        (equation.name, plain(line), equation.value)
        for step in explained.steps
        for equation in step.equations
        for line in equation.put_in
        if not re.search(r"[…a-df-km-zA-Zμτσₘ]", plain(line).replace("tanh", "").replace("max", "").replace("ln", ""))
    ]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("test", TESTS)
def test_each_line_of_numbers_gives_its_result(method: str, test: str) -> None:
    """What the terminal shows, brackets and all, is a calculation that comes to the number."""
    explained = _pooled(_effects(3, seed=4), tau2_method=method, test=test).explain()
    lines = _lines(explained)
    assert len(lines) >= 20
    for name, line, value in lines:
        if name == "tau2" and value == 0.0:  # cut off
            continue
        assert _evaluated(line) == pytest.approx(value, rel=SHOWN, abs=2e-3), (name, line)


def test_each_line_of_a_regression_gives_its_result() -> None:
    for formula in ("center(year)", "rater", "center(year) + center(sessions)", "0 + rater"):
        effects = _effects(6, seed=2)
        explained = am.meta_regression(effects, formula, tau2_method="DL").explain()
        full = [line for line in _lines(explained) if line[2] or line[0] not in ("tau2", "r2")]
        assert len(full) > 10
        for name, line, value in full:
            assert _evaluated(line) == pytest.approx(value, rel=SHOWN, abs=5e-3), (name, line)


def _tex(explained: Explanation) -> list[str]:
    return [
        part
        for step in explained.steps
        for equation in step.equations
        for part in (equation.tex, *equation.lines)
        if part != "–"
    ]


def test_each_formula_is_latex_that_a_renderer_takes() -> None:
    parser: Any = MathTextParser("path")
    fits = [
        _pooled(KOLDEN, tau2_method=method, test=test) for method in METHODS for test in ("z", "knapp-hartung-adhoc")
    ]
    fits += [am.meta_regression(KOLDEN, formula) for formula in ("year", "year + n")]
    fits += [am.multilevel(FARBER, correlation=0.5), am.pool(_odds(), weights="equal")]
    for part in dict.fromkeys(part for fit in fits for part in _tex(fit.explain())):
        parser.parse(f"${part}$")


def test_numbers_have_four_digits() -> None:
    assert [num(x) for x in (0.24477, 147.0, 123456.7, 0.0, -0.05, 0.00999999)] == [
        *("0.2448", "147.0", "123457", "0", "-0.05000", "0.01000"),
    ]
    assert num(3.584e-6) == r"3.584 \times 10^{-6}"
    assert [given(x) for x in (0.24, 150.0, 1980.746, 1234567.0)] == ["0.24", "150", "1980.75", "1234567"]
    assert sum_of((0, 1, 7), str) == r"0 + 1 + \cdots + 7"
    assert sum_of((2, 7), str) == r"\cdots + 2 + \cdots + 7"


def test_plain_text_keeps_what_a_bar_or_a_root_holds_together() -> None:
    assert plain(r"\frac{a + b}{c\,d}") == "(a + b) / (c d)"
    assert plain(r"\frac{\sum w_i\,y_i}{\sum w_i}") == "Σ wᵢ yᵢ / Σ wᵢ"
    assert plain(r"\frac{\frac{1}{2}}{x}") == "½ / x"
    assert plain(r"\frac{(a) (b + c)}{(d) (e)}") == "(a) (b + c) / ((d) (e))"
    assert plain(r"\sqrt{\frac{q}{2}} \times \hat{\mu}_{12}^2") == "√(q / 2) × μ̂₁₂²"


# Which study is followed


def test_a_study_in_the_middle_is_shown_with_dots_on_both_sides() -> None:
    label = KOLDEN.labels[7]
    explained = am.pool(KOLDEN, tau2_method="DL").explain(label)
    assert f"Study 8 of 16 is {label}." in explained.steps[0].words
    assert explained.steps[0].symbol == "z₈"
    assert explained.value("effect") == KOLDEN.effect[7]
    assert str(explained).count("  …") >= 2
    again = am.pool(KOLDEN).explain(str(KOLDEN.table["effect_id"].iloc[7]))
    assert again.value("variance") == KOLDEN.variance[7]


def test_unknown_study_and_bad_level() -> None:
    fit = am.pool(KOLDEN)
    with pytest.raises(UnknownNameError, match=r"unknown study 'Fretz, 1967'\. Did you mean 'Fretz, 1966'"):
        fit.explain("Fretz, 1967")
    with pytest.raises(InputError, match="level must lie between 0 and 1"):
        fit.explain(level=95)
    with pytest.raises(UnknownNameError, match="Did you mean 'tau2'"):
        fit.explain().value("tau")


# How the effect of one study was made


def _odds(**changed: list[int]) -> am.EffectSizes:
    cells = {"events1": [4, 6, 0], "n1": [123, 306, 231], "events2": [11, 29, 11], "n2": [139, 303, 220], **changed}
    return am.effect_sizes(pd.DataFrame(cells), measure="OR", study=list("abc"))


def _first(explained: Explanation) -> dict[str, tuple[str, ...]]:
    return {each.name: tuple(map(plain, each.lines)) for step in explained.steps[:2] for each in step.equations}


def test_fishers_z() -> None:
    lines = _first(am.pool(KOLDEN).explain())
    assert lines["effect"] == ("½ ln((1 + r₁) / (1 − r₁))", "½ ln((1 + 0.24) / (1 − 0.24))", "0.2448")
    assert lines["variance"] == ("1 / (n₁ − 3)", "1 / (150 − 3)", "0.006803")


def test_a_test_statistic_becomes_r_first() -> None:
    frame = pd.DataFrame({"t": [-2.0, 1.5], "df": [28, 40], "who": ["a", "b"]})
    lines = _first(am.pool(am.effect_sizes(frame, measure="ZCOR", study="who")).explain())
    assert lines["r"] == ("t / √(t² + df)", "−2 / √((−2)² + 28)", "−0.3536")
    assert lines["effect"][1] == "½ ln((1 − 0.3536) / (1 + 0.3536))"
    assert lines["variance"][1] == "1 / (30 − 3)"


def test_correlation_difference_and_odds() -> None:
    frame = pd.DataFrame({"r": [-0.3, 0.2], "n": [40, 50]})
    lines = _first(am.pool(am.effect_sizes(frame, measure="COR")).explain())
    assert lines["variance"] == ("(1 − r₁²)² / (n₁ − 1)", "(1 − (−0.3000)²)² / (40 − 1)", "0.02123")
    means = pd.DataFrame({"d": [0.3, -0.2], "n1": [20, 30], "n2": [22, 33]})
    lines = _first(am.pool(am.effect_sizes(means, measure="SMD")).explain())
    assert lines["effect"][1] == "J(40) × 0.3"
    assert lines["variance"][1] == "1 / 20 + 1 / 22 + 0.2943² / (2 × 42)"
    assert _first(am.pool(_odds()).explain())["effect"][1] == "ln(4 × 128 / (119 × 11))"
    third = am.pool(_odds()).explain("c")
    assert "½ is added" in third.steps[0].words
    assert _first(third)["variance"][1] == "1 / 0.5 + 1 / 231.5 + 1 / 11.5 + 1 / 209.5"


def test_ready_made_effects() -> None:
    frame = pd.DataFrame({"effect": [0.3, -0.2], "std_error": [0.1, 0.2]})
    assert _first(am.pool(am.effect_sizes(frame, measure="GEN")).explain())["variance"] == ("SE₁²", "0.1²", "0.01000")
    bounds = pd.DataFrame({"effect": [0.3, -0.2], "ci_low": [-0.1, -0.5], "ci_high": [0.7, 0.1]})
    lines = _first(am.pool(am.effect_sizes(bounds, measure="GEN")).explain())
    assert lines["variance"][1] == "((0.7 − (−0.1)) / (2 × 1.960))²"
    plain_frame = pd.DataFrame({"effect": [0.3, -0.2], "variance": [0.1, 0.2]})
    explained = am.pool(am.effect_sizes(plain_frame, measure="GEN")).explain()
    assert _first(explained)["variance"] == ("0.1000",)
    assert not any("Back to" in step.title for step in explained.steps)


def test_a_formula_that_does_not_give_the_effect_is_not_shown() -> None:
    """Corrected effects have not the variance 1 / (n - 3), whatever their measure says."""
    frame = pd.DataFrame({"r": [0.3, 0.2], "n": [40, 50], "rel": [0.8, 0.7]})
    effects = am.effect_sizes(frame, measure="COR", variance_type="AV")
    lines = _first(am.pool(effects).explain())
    assert lines["variance"] == (num(float(effects.variance[0])),)


@pytest.mark.parametrize("code", ["OR", "ARAW", "ABT", "AHW", "COR", "SMD", "MD", "PHI", "RR"])
def test_every_scale_is_taken_back(code: str) -> None:
    cells = {
        "events1": [14, 16, 10],
        "n1": [123, 306, 231],
        "events2": [11, 29, 11],
        "n2": [139, 303, 220],
        "alpha": [0.8, 0.85, 0.9],
        "n_items": [12, 12, 12],
        "n": [100, 80, 60],
        "r": [0.2, 0.3, -0.1],
        "mean1": [1.0, 2, 3],
        "mean2": [0.5, 2.5, 2],
        "sd1": [1.0, 2, 1],
        "sd2": [1.5, 2, 1],
    }
    roles = {"COR": ("r", "n"), "SMD": ("mean1", "mean2", "sd1", "sd2", "n1", "n2")}.get(
        code, am.measures.measure(code).inputs[0]
    )
    effects = am.effect_sizes(pd.DataFrame({role: cells[role] for role in roles}), measure=code)
    fit = am.pool(effects)
    found = fit.explain().quantities()
    shown = fit.on_display_scale()
    assert ("display_estimate" in found) == (effects.measure.scale != effects.measure.display_scale)
    for name in ("estimate", "ci_low", "ci_high", "pi_low", "pi_high"):
        if "display_estimate" in found:
            assert found[f"display_{name}"] == pytest.approx(getattr(shown, name), rel=1e-12)
        assert found[name] == pytest.approx(fit.quantities()[name], rel=1e-12)


# Meta-regression


@pytest.mark.parametrize(
    "formula", ["year", "center(year)", "rater", "year + sessions", "0 + rater", "rater * sessions"]
)
@pytest.mark.parametrize("method", METHODS)
def test_regression(formula: str, method: str) -> None:
    effects = _effects(12, seed=3)
    y, v = effects.effect, effects.variance
    q_weights = np.sqrt(1 / v) if method == "GENQ" else None
    for test in TESTS:
        fit = am.meta_regression(effects, formula, tau2_method=method, test=test, q_weights=q_weights)
        found, x = fit.explain().quantities(), fit.design.matrix
        k, p = x.shape
        w, ws = 1 / v, 1 / (v + fit.tau2)
        frame = fit.to_frame()
        inverse = np.linalg.inv(x.T @ (ws[:, None] * x))
        b = inverse @ x.T @ (ws * y)
        e = y - x @ b
        expected = {"tau2": fit.tau2, "knapp_hartung_q": (ws * e**2).sum() / (k - p), "q_residual": fit.q_residual}
        if method != "EE":
            middle = np.diag(w) - (w[:, None] * x) @ np.linalg.solve(x.T @ (w[:, None] * x), x.T * w)
            expected |= {"typical_variance": (k - p) / np.trace(middle), "i2": fit.i2, "r2": fit.r2}
        for name, row in zip(fit.names, frame.itertuples(), strict=True):
            for key in ("std_error", "statistic", "p_value", "ci_low", "ci_high"):
                expected[f"{key}[{name}]"] = getattr(row, key)
            expected[f"coefficient[{name}]"] = row.estimate
        for j, name in enumerate(fit.names):
            expected[f"std_error_plain[{name}]"] = float(np.sqrt(inverse[j, j]))
        expected["predicted"] = float(x[0] @ b)
        if formula == "year" or formula == "rater":
            xbar = (ws * x[:, 1]).sum() / ws.sum()
            expected |= {"mean_x": xbar, "sum_xx": (ws * (x[:, 1] - xbar) ** 2).sum()}
            expected |= {"sum_xy": (ws * (x[:, 1] - xbar) * y).sum(), "mean_y": (ws * y).sum() / ws.sum()}
        for name in set(found) & set(expected):
            # the plain normal equations of years lose about six of sixteen digits
            assert found[name] == pytest.approx(expected[name], rel=1e-7, abs=1e-10), name
        own = {name for name in expected if name.split("[")[0] in ("std_error", "ci_low", "ci_high", "coefficient")}
        assert own <= set(found)
        for name in own:
            assert found[name] == pytest.approx(expected[name], rel=1e-12), name
        lost = {n for n in found if n.split("[")[0] in ("likelihood_left", "likelihood_right")}
        if lost and fit.tau2 > 0:
            assert found["likelihood_left"] == pytest.approx(found["likelihood_right"], rel=1e-8)


@pytest.mark.parametrize("method", ["DL", "HE", "HS", "HSk", "SJ", "GENQ", "DL2", "CA2"])
def test_tau2_of_a_regression_follows_from_its_numbers(method: str) -> None:
    effects = _effects(12, seed=3)
    w = 1 / effects.variance
    q_weights = np.sqrt(w) if method == "GENQ" else None
    fit = am.meta_regression(effects, "year", tau2_method=method, q_weights=q_weights)
    n = fit.explain().quantities()
    k, p = 12, 2
    general = lambda: (n["q_generalised"] - n["q_expected"]) / n["c_generalised"]  # noqa: E731
    formulas: dict[str, Any] = {
        "DL": lambda: (n["q_residual"] - (k - p)) / n["c"],
        "HE": lambda: n["variance_of_effects"] - n["mean_variance"],
        "HS": lambda: (n["q_residual"] - k) / w.sum(),
        "HSk": lambda: k * (n["q_residual"] / (k - p) - 1) / w.sum(),
        "SJ": lambda: n["crude_tau2"] * n["sj_residual_ss"] / (k - p),
        **dict.fromkeys(("GENQ", "DL2", "CA2"), general),
    }
    assert fit.tau2 > 0
    assert fit.tau2 == pytest.approx(formulas[method](), rel=1e-9)


# Multilevel


FARBER = am.effect_sizes(am.datasets.load("farber_doolin2011_effects"), measure="ZCOR")


@pytest.mark.parametrize("correlation", [None, 0.5, "rho", "matrix"])
def test_multilevel(correlation: Any) -> None:
    table = FARBER.table
    effects, rho = FARBER, correlation
    k, same = effects.k, table["study"].to_numpy()[:, None] == table["study"].to_numpy()
    r = np.where(np.eye(k, dtype=bool), 1.0, 0.5 if correlation else 0.0)
    if correlation == "rho":
        frame = FARBER.table
        values = np.where(table["study"] == table["study"].iloc[-1], 0.2, 0.6)
        effects = am.effect_sizes(
            pd.DataFrame({"study": table["study"], "r": frame["r"], "n": frame["n"], "rho": values}), measure="ZCOR"
        )
        r = np.where(np.eye(k, dtype=bool), 1.0, values[:, None])
    elif correlation == "matrix":
        rho = r
    fit = am.multilevel(effects, correlation=rho)
    root = np.sqrt(effects.variance)
    total = np.where(same, r * root[:, None] * root + fit.components[1], 0.0) + np.eye(k) * fit.components[0]
    a = np.linalg.inv(total).sum(axis=1)
    found = fit.explain().quantities()
    low, high = fit.confidence_interval()
    shown = fit.on_display_scale()
    assert (a * effects.effect).sum() / a.sum() == pytest.approx(fit.estimate, rel=1e-11)
    assert 1 / np.sqrt(a.sum()) == pytest.approx(fit.std_errors[0], rel=1e-11)
    assert found["estimate"] == fit.estimate
    assert found["std_error"] == fit.std_errors[0]
    assert (found["ci_low"], found["ci_high"]) == (low, high)
    assert np.tanh(found["pi_low"]) == pytest.approx(shown.pi_low, rel=1e-12)
    assert found["display_ci_low"] == pytest.approx(shown.ci_low, rel=1e-12)
    row = int(np.flatnonzero(table["study"].duplicated(keep=False))[0])
    assert found["total_variance"] == pytest.approx(effects.variance[row] + fit.components.sum(), rel=1e-12)
    assert found["study_weight"] == pytest.approx(a[same[row]].sum(), rel=1e-9)


def test_multilevel_with_crossed_factors_and_more_levels() -> None:
    frame = FARBER.table.assign(lab=lambda t: t["study"].astype(str).str[0], kind=np.arange(FARBER.k) % 3)
    effects = am.effect_sizes(frame[["study", "label", "lab", "kind", "r", "n"]], measure="ZCOR")
    for options in ({"crossed": "kind"}, {"levels": ("lab",)}):
        fit = am.multilevel(effects, **options)
        explained = fit.explain()
        weights = explained.steps[6].worksheet
        assert weights is not None
        assert float(weights.rows[-1][2]) == pytest.approx(1 / fit.std_errors[0] ** 2, rel=1e-3)
        assert max(map(cell_len, str(explained).splitlines())) <= 100


def test_multilevel_with_moderators_is_refused() -> None:
    with pytest.raises(InputError, match="has moderators"):
        am.multilevel(FARBER, "n").explain()


# The record


def test_record() -> None:
    explained = am.pool(KOLDEN, tau2_method="DL").explain()
    with pytest.raises(FrozenInstanceError):
        explained.level = 0.9  # type: ignore[misc]
    frame = explained.to_frame()
    assert list(frame.columns) == ["step", "title", "name", "symbol", "value"]
    assert frame["name"].is_unique
    by_name = {step.name: step for step in explained.steps}
    assert (by_name["q_statistic"].symbol, by_name["tau2"].symbol) == ("Q", "τ²")
    assert by_name["tau2"].value == explained.value("tau2")
    assert repr(explained).startswith("<Explanation: How the pooled effect of 16 effects was computed")
    assert explained._repr_markdown_() == explained.to_markdown()
    assert "computed unrounded" in " ".join(str(explained).split())


def test_what_is_simulated_says_so_in_every_view() -> None:
    effects = am.effect_sizes(am.simulate.literature(k=5, seed=1), measure="ZCOR")
    assert effects.caveat
    for fit in (am.pool(effects), am.meta_regression(effects, "1"), am.multilevel(effects)):
        explained = fit.explain()
        assert effects.caveat in explained.notes
        for view in (str(explained), explained.to_markdown(), explained.to_latex()):
            assert effects.caveat.split()[0] in view


NASTY = [
    r"A & B_1 $x$",
    r"C\(d\) {e}",
    "<script>alert(1)</script>",
    "F|g* [h](i)",
    "Łódź ~ 10% #1 ^2 `x`",
    "two\nlines",
]


def test_labels_are_text_in_every_view() -> None:
    frame = pd.DataFrame({"study": NASTY, "r": np.linspace(-0.2, 0.6, 6), "n": [40, 50, 60, 70, 80, 90]})
    fit = am.pool(am.effect_sizes(frame, measure="ZCOR"))
    for label in NASTY:
        explained = fit.explain(label)
        latex, markdown = explained.to_latex(), explained.to_markdown()
        assert "<script>" not in markdown
        assert latex_words(label) in latex
        assert markdown_words(label) in markdown
        assert max(map(cell_len, str(explained).splitlines())) <= 100


def test_escapes() -> None:
    assert latex_words(NASTY[0]) == r"A \& B\_1 \$x\$"
    assert latex_words(NASTY[1]) == r"C\textbackslash{}(d\textbackslash{}) \{e\}"
    assert latex_words("τ² = 10%") == r"$\tau$$^{2}$ = 10\%"
    assert "$" not in markdown_words(NASTY[0])
    assert "\\(" not in markdown_words(NASTY[1])
    assert markdown_words(NASTY[3]) == r"F\|g\* \[h\](i)"


def test_exact_and_equal_effects() -> None:
    frame = pd.DataFrame({"effect": [0.2, 0.2, 0.2], "variance": [0.01, 0.02, 0.03]})
    effects = am.effect_sizes(frame, measure="GEN")
    for test in TESTS:
        text = str(am.pool(effects, test=test).explain())
        assert "nan" not in text.lower().replace("nance", "")
    tiny = am.effect_sizes(frame.assign(effect=[1e-7, 2e-7, 3e-7], variance=1e-15), measure="GEN")
    assert "× 10⁻⁷" in str(am.pool(tiny).explain())


def test_many_moderators_fit_into_a_terminal() -> None:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"r": rng.uniform(-0.2, 0.6, 30), "n": rng.integers(30, 90, 30)})
    for name in "abcdefgh":
        frame[f"a rather long name of a moderator, {name}"] = rng.normal(size=30)
    formula = " + ".join(f"`a rather long name of a moderator, {name}`" for name in "abcdefgh")
    explained = am.meta_regression(am.effect_sizes(frame, measure="ZCOR"), formula).explain()
    assert max(map(cell_len, str(explained).splitlines())) <= 100


def test_a_step_by_itself() -> None:
    step = am.pool(KOLDEN, tau2_method="DL").explain().steps[8]
    assert str(step).splitlines()[0] == "The standard error of the mean"
    assert step._repr_markdown_().startswith("**The standard error of the mean**")


def test_latex_has_no_character_that_latex_does_not_know() -> None:
    fits = [_pooled(KOLDEN, tau2_method=method) for method in METHODS]
    fits += [am.meta_regression(KOLDEN, formula) for formula in ("year", "year + n")]
    for fit in [*fits, am.multilevel(FARBER, correlation=0.5)]:
        assert {c for c in fit.explain().to_latex() if ord(c) > 127} == set()
    assert latex_words("μ̂₁ = ȳ · 10⁻⁵") == r"$\hat{\mu}$$_{1}$ = $\bar{y}$ $\cdot$ 10$^{-}$$^{5}$"
