"""Plots of corrected means, power, fail-safe numbers, ranks, outliers and fragility: their rows, and what is drawn."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from scipy import stats

import alliance_meta as am
from alliance_meta.errors import InputError
from alliance_meta.plots import _bias as plots
from alliance_meta.plots import _fail_safe as drawers
from alliance_meta.plots import _outliers as forests
from alliance_meta.plots import _pet_peese as lines
from alliance_meta.plots import _power_funnel as power
from alliance_meta.stats import fail_safe as kernel
from alliance_meta.stats.excess_significance import power_of_studies

NASTY = [
    "<script>alert(1)</script>",
    "costs $5 and $x_1$",
    "two\nlines",
    "שלום עולם (2001)",
    "A very long label that goes on and on, as the titles of dissertations do (University of Nowhere, 1999)",
]
KOLDEN = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
FARBER = am.aggregate(am.effect_sizes(am.datasets.load("farber_doolin2011_effects"), measure="ZCOR"))
MADE = am.effect_sizes(am.simulate.literature(k=80, selection=0.3), measure="ZCOR")
RATIOS = am.effect_sizes(
    measure="OR", events1=[10, 8, 20, 12], n1=[50, 40, 90, 70], events2=[5, 6, 9, 10], n2=[50, 42, 88, 72]
)


def _nasty() -> am.EffectSizes:
    rng = np.random.default_rng(5)
    n = rng.integers(15, 200, 12)
    r = np.tanh(rng.normal(0.2, 0.4, 12))
    return am.effect_sizes(pd.DataFrame({"r": r, "n": n, "study": NASTY + [f"S{i}" for i in range(7)]}), measure="ZCOR")


LABELS = _nasty()
Draw = Callable[..., Axes]
DRAWN: dict[str, tuple[Draw, Callable[[am.EffectSizes], Any]]] = {
    "bias_checks": (plots.bias_checks, am.bias.checks),
    "corrected": (plots.corrected, am.bias.trim_and_fill),
    "ranks": (plots.ranks, am.bias.begg),
    "pet_peese": (lines.pet_peese, am.bias.pet_peese),
    "power_funnel": (power.power_funnel, am.bias.excess_significance),
    "power_funnel_waap": (power.power_funnel, am.bias.waap),
    "fail_safe": (drawers.fail_safe, am.bias.fail_safe_n),
    "outliers": (forests.outliers, am.sensitivity.outliers),
    "fragility": (forests.fragility, lambda effects: am.sensitivity.fragility(effects, most_fits=500)),
}


@pytest.fixture(autouse=True)
def _no_window() -> Iterator[None]:
    mpl.use("Agg")
    plt.close("all")
    yield
    plt.close("all")


def _said(ax: Axes) -> str:
    return "\n".join([ax.get_title(loc="left"), *(text.get_text() for text in ax.texts)])


def _drawn(ax: Axes) -> set[tuple[float, ...]]:
    """y, left and right of every horizontal line."""
    paths = [np.asarray(line.get_xydata()) for line in ax.lines]
    return {(path[0, 1], *path[:, 0]) for path in paths if len(path) == 2 and path[0, 1] == path[1, 1]}


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize(
    "effects", [KOLDEN, FARBER, MADE, LABELS, RATIOS], ids=["k16", "k15", "k80", "nasty", "ratios"]
)
def test_draws_only_on_the_axes_given(name: str, effects: am.EffectSizes) -> None:
    draw, analyse = DRAWN[name]
    current, result = plt.figure(), analyse(effects)
    figure = Figure(figsize=(12, 6))
    left, right = figure.subplots(1, 2)
    assert draw(result, ax=left) is left
    assert len(right.lines) == len(right.texts) == len(right.collections) == 0
    assert plt.get_fignums() == [current.number]
    figure.savefig(io.BytesIO())
    draw(result)
    assert len(plt.get_fignums()) == 2


@pytest.mark.parametrize("name", DRAWN)
def test_simulated_data_are_said_to_be_so(name: str) -> None:
    draw, analyse = DRAWN[name]
    assert "Simulated data" in _said(draw(analyse(MADE)))
    assert "Simulated data" not in _said(draw(analyse(KOLDEN)))


def test_checks_are_the_means_and_the_tests_under_headings() -> None:
    found = am.bias.checks(FARBER)
    rows, frame = plots.bias_check_rows(found), found.to_frame()
    assert rows.loc[rows["kind"] == "group", "label"].tolist() == ["Means", "Tests of bias"]
    drawn = rows[rows["kind"] != "group"].reset_index(drop=True)
    assert drawn["label"].tolist() == frame["method"].tolist()
    assert drawn["kind"].tolist() == ["usual", *["analysis"] * 6, *["test"] * 5]
    np.testing.assert_array_equal(drawn["low"], np.tanh(frame["ci_low"]))
    assert (np.diff(rows["y"]) >= 1.0).all()
    assert drawn.loc[drawn["label"] == "Begg's ranks", "text"].tolist() == ["p = .137"]
    assert drawn.loc[drawn["label"] == "p-curve", "text"].tolist() == ["evidential value"]


def test_checks_that_could_not_be_made_have_no_mark() -> None:
    found = am.bias.checks(am.effect_sizes(r=[0.3, 0.2], n=[30, 60]))
    rows = plots.bias_check_rows(found)
    absent = rows[rows["text"] == "not to be had"]
    assert set(found.failed) <= {"3PSM", *absent["label"]}
    assert absent["estimate"].isna().all()
    assert len(_drawn(plots.bias_checks(found))) == int(rows["estimate"].notna().sum())


@pytest.mark.parametrize(
    ("effects", "wide"),
    [(FARBER, ["WAAP-WLS"]), (RATIOS, ["PET-PEESE", "limit meta-analysis"]), (MADE, [])],
    ids=["r", "odds ratios", "k80"],
)
def test_every_interval_of_the_checks_is_drawn_at_its_row(effects: am.EffectSizes, wide: list[str]) -> None:
    found = am.bias.checks(effects)
    rows, ax = plots.bias_check_rows(found).dropna(subset=["low"]), plots.bias_checks(found)
    cut = {float(np.asarray(line.get_ydata())[0]) for line in ax.lines if line.get_marker() in ("<", ">")}
    whole = rows[~rows["y"].isin(list(cut))]
    assert {tuple(row) for row in whole[["y", "low", "high"]].to_numpy().tolist()} <= _drawn(ax)
    assert {row[0] for row in _drawn(ax)} == set(rows["y"])
    assert rows.loc[rows["y"].isin(list(cut)), "label"].tolist() == wide
    assert ax.get_xlabel() == effects.measure.display_label
    low, high = ax.get_xlim()
    assert low < whole["low"].min() < whole["high"].max() < high


@pytest.mark.parametrize(
    ("analyse", "method"),
    [
        (am.bias.trim_and_fill, "trim and fill"),
        (am.bias.pet_peese, "PET-PEESE"),
        (am.bias.selection_model, "3PSM"),
        (am.bias.limit_meta, "limit meta-analysis"),
        (am.bias.waap, "WAAP-WLS"),
        (am.bias.henmi_copas, "Henmi-Copas"),
    ],
)
def test_corrected_is_the_mean_of_the_checks(analyse: Callable[..., Any], method: str) -> None:
    rows = plots.corrected_rows(analyse(FARBER), level=0.9)
    frame = am.bias.checks(FARBER, level=0.9).to_frame().set_index("method")
    expected = np.tanh(frame.loc[method, ["ci_low", "estimate", "ci_high"]].to_numpy(dtype=float))
    np.testing.assert_allclose(rows.loc[1, ["low", "estimate", "high"]].to_numpy(dtype=float), expected, rtol=1e-12)
    assert rows["kind"].tolist() == ["usual", "adjusted"]
    assert rows["low"].notna().all()


def test_uncorrected_is_by_the_same_model() -> None:
    limit = am.bias.limit_meta(FARBER)
    rows = plots.corrected_rows(limit)
    expected = np.tanh([limit.unadjusted.estimate, *limit.unadjusted.confidence_interval()])
    np.testing.assert_allclose(rows.loc[0, ["estimate", "low", "high"]].to_numpy(dtype=float), expected)
    # Weighted least squares by hand: the mean with weights 1 / v and its residual variance.
    y, w = FARBER.effect, 1.0 / FARBER.variance
    mean = float((w * y).sum() / w.sum())
    error = np.sqrt((w * (y - mean) ** 2).sum() / (y.size - 1) / w.sum())
    half = stats.t.ppf(0.975, y.size - 1) * error
    rows = plots.corrected_rows(am.bias.pet_peese(FARBER))
    found = rows.loc[0, ["estimate", "low", "high"]].to_numpy(dtype=float)
    np.testing.assert_allclose(found, np.tanh([mean, mean - half, mean + half]), rtol=1e-10)


def test_uncorrected_of_the_robust_model_is_robust() -> None:
    effects = am.effect_sizes(am.datasets.load("farber_doolin2011_effects"), measure="ZCOR")
    row = plots.corrected_rows(am.bias.pet_peese(effects, model="robust")).iloc[0]
    fit = am.pool(effects, dependent="allow")
    expected = am.robust(fit).to_frame().iloc[0]
    assert row["low"] == pytest.approx(np.tanh(expected["ci_low"]))
    assert row["estimate"] == pytest.approx(np.tanh(fit.estimate))


def test_rows_are_named_for_what_was_done() -> None:
    few = am.bias.waap(am.effect_sizes(r=[0.1, 0.2, -0.1], n=[20, 30, 25]))
    assert plots.corrected_rows(few)["label"].tolist() == [
        "All effects (k = 3)",
        "None adequately powered: all effects",
    ]
    filled = plots.corrected_rows(am.bias.trim_and_fill(FARBER))["label"][1]
    found = am.bias.trim_and_fill(FARBER)
    assert filled == f"Trim and fill (k = {15 + found.missing}, {found.missing} filled in)"


def test_no_mean_is_refused_and_no_estimate_has_no_mark() -> None:
    with pytest.raises(InputError, match="not EggerTest"):
        plots.corrected_rows(am.bias.egger(KOLDEN))  # type: ignore[arg-type]
    moderated = am.bias.selection_model(KOLDEN, formula="1 + variance")
    with pytest.raises(InputError, match="moderators"):
        plots.corrected(moderated)
    model = am.bias.selection_model(KOLDEN)
    nothing = replace(model, coefficients=np.array([np.nan]), covariance=np.full((3, 3), np.nan), converged=False)
    rows = plots.corrected_rows(nothing)
    assert rows["text"][1] == "not to be had"
    plots.corrected(nothing)


def test_the_ranks_are_those_of_the_test() -> None:
    for effects in (KOLDEN, MADE):
        found = am.bias.begg(effects)
        points = plots.rank_points(found)
        assert stats.kendalltau(points["variance"], points["effect"]).statistic == pytest.approx(found.tau)
        assert points["variance"].sum() == points["effect"].sum() == effects.k * (effects.k + 1) / 2
    twins = am.effect_sizes(r=[0.1, 0.3, 0.3, 0.5], n=[90, 40, 40, 20])
    assert plots.rank_points(am.bias.begg(twins))["effect"].tolist()[1:3] == [2.5, 2.5]


def test_pet_and_peese_end_in_their_estimates() -> None:
    found = am.bias.pet_peese(FARBER)
    curves = lines.pet_peese_curves(found, 0.4)
    top = curves[curves["std_error"] == 0.0].set_index("method")
    assert top["effect"].to_dict() == pytest.approx({"PET": found.pet.estimate, "PEESE": found.peese.estimate})
    assert top["used"].to_dict() == {"PET": found.used == "PET", "PEESE": found.used == "PEESE"}
    last = curves[curves["std_error"] == 0.4].set_index("method")["effect"]
    assert last["PET"] == pytest.approx(found.pet.estimate + 0.4 * found.pet.regression.slope)
    assert last["PEESE"] == pytest.approx(found.peese.estimate + 0.16 * found.peese.regression.slope)


def test_the_chosen_estimate_is_drawn_with_its_interval() -> None:
    found = am.bias.pet_peese(FARBER)
    ax = lines.pet_peese(found, level=0.9)
    low, high = found.confidence_interval(0.9)
    assert (0.0, low, high) in _drawn(ax)
    assert ax.get_xlim()[0] <= low < high <= ax.get_xlim()[1]
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()][2:] == ["PET, used", "PEESE"]
    alone = lines.pet_peese(am.bias.peese(FARBER)).get_legend()
    assert alone is not None
    assert [text.get_text() for text in alone.get_texts()][2:] == ["PEESE"]


def test_power_is_that_of_the_result() -> None:
    for options in ({}, {"tau2_method": "REML"}, {"alternative": "greater", "alpha": 0.025}, {"effect": 0.1}):
        found = am.bias.excess_significance(KOLDEN, **options)
        points = power.power_points(found)
        np.testing.assert_allclose(points["power"], found.power)
        assert points["filled"].tolist() == found.significant.tolist()
    waap = am.bias.waap(MADE)
    points = power.power_points(waap)
    np.testing.assert_allclose(points.loc[waap.powered, "power"], waap.powered_frame["power"])
    assert (points["power"] >= 0.8).tolist() == waap.powered.tolist()


@pytest.mark.parametrize(
    "options", [{}, {"tau2_method": "DL"}, {"alternative": "less"}, {"effect": 0.0}], ids=["EE", "DL", "less", "null"]
)
def test_bands_leave_no_gap_and_hold_their_power(options: dict[str, Any]) -> None:
    found = am.bias.excess_significance(KOLDEN, **options)
    bands = power.power_bands(found, 0.3)
    assert bands["top"].tolist() == [0.0, *bands["bottom"].tolist()[:-1]]
    assert bands["bottom"].iloc[-1] == 0.3
    for top, bottom, least, most in bands.to_numpy().tolist():
        inside = np.linspace(top, bottom, 12)[1:-1] ** 2
        alpha, side = found.alpha, found.alternative
        held = power_of_studies(found.estimate, inside, found.tau2, alpha=alpha, alternative=side)
        assert (held > least - 1e-4).all()  # the edges are interpolated between 4001 standard errors
        assert (held < most + 1e-4).all()


def test_the_significant_stand_outside_the_dotted_lines_and_are_filled() -> None:
    found = am.bias.excess_significance(KOLDEN)
    ax = power.power_funnel(found)
    dots = [each for each in ax.collections if isinstance(each, PathCollection)]
    hollow, filled = (np.asarray(each.get_offsets()) for each in dots)
    assert len(filled) == found.observed
    dotted = [
        line for line in ax.lines if len(np.unique(line.get_ydata())) == 2 and len(np.unique(line.get_xdata())) == 2
    ]
    slope = max(float(np.ptp(line.get_xdata()) / np.ptp(line.get_ydata())) for line in dotted)
    assert slope == pytest.approx(stats.norm.ppf(0.975))
    assert (np.abs(filled[:, 0]) >= slope * filled[:, 1]).all()
    assert (np.abs(hollow[:, 0]) < slope * hollow[:, 1]).all()
    assert ax.get_ylim()[1] == 0.0
    assert "7 of 16 effects significant, 6.7 expected" in ax.get_title(loc="left")


def test_what_has_no_power_is_refused() -> None:
    with pytest.raises(InputError, match="not BeggTest"):
        power.power_funnel(am.bias.begg(KOLDEN))  # type: ignore[arg-type]
    unknown = replace(am.bias.excess_significance(KOLDEN), estimate=np.nan, notes=("REML did not reach its solution.",))
    with pytest.raises(InputError, match="REML did not"):
        power.power_funnel(unknown)


@pytest.mark.parametrize("effects", [KOLDEN, FARBER], ids=["k16", "k15"])
def test_fail_safe_curves_are_those_of_real_null_studies(effects: am.EffectSizes) -> None:
    """Each method's kernel on the effects and N studies of no effect, one N after another."""
    y, v = effects.effect, effects.variance
    average = 1.0 / np.mean(1.0 / v)
    for method, share in (("rosenthal", 1.0), ("rosenberg", average)):
        points = drawers.fail_safe_points(am.bias.fail_safe_n(effects, method=method)).iloc[::20]
        find = getattr(kernel, f"fail_safe_{method}")
        for added, value in points[["added", "value"]].to_numpy().tolist():
            zeros = np.zeros(int(added))
            again = find(np.append(y, zeros), np.append(v, zeros + share))
            assert value == pytest.approx(float(again.p_value), rel=1e-9)
    for weights, weight in (("equal", np.ones(y.size)), ("inverse-variance", 1.0 / v)):
        found = am.bias.fail_safe_n(effects, method="orwin", weights=weights)
        for added, value in drawers.fail_safe_points(found)[["added", "value"]].to_numpy().tolist():
            assert value == pytest.approx((weight * y).sum() / (weight.sum() + added * weight.mean()))


@pytest.mark.parametrize("options", [{"target": 0.1}, {}, {"test": "z", "tau2_method": "DL"}])
def test_general_fail_safe_curve_passes_through_what_the_result_says(options: dict[str, Any]) -> None:
    found = am.bias.fail_safe_n(KOLDEN, method="general", **options)
    points = drawers.fail_safe_points(found).set_index("added")["value"]
    first, there = (found.estimate, found.estimate_with) if "target" in options else (found.p_value, found.p_value_with)
    assert points[0] == pytest.approx(first)
    assert points[int(found.number)] == pytest.approx(there)


def test_the_fail_safe_number_is_where_the_line_is_crossed() -> None:
    found = am.bias.fail_safe_n(KOLDEN)
    points = drawers.fail_safe_points(found).set_index("added")["value"]
    assert points[268] >= 0.05 > points[points.index < 268].iloc[-1]
    assert points.index.max() == 402
    ax = drawers.fail_safe(found)
    dots = [np.asarray(line.get_xydata()) for line in ax.lines if len(np.atleast_1d(line.get_xdata())) == 1]
    np.testing.assert_allclose(np.array(dots), [[[268.0, points[268]]]])
    assert "5k + 10 = 90" in _said(ax)


def test_nothing_to_undo_no_number_and_too_many() -> None:
    already = am.effect_sizes(r=[0.2, -0.2, 0.1, -0.1], n=[30, 30, 50, 50])
    assert drawers.fail_safe_points(am.bias.fail_safe_n(already))["added"].iloc[-1] == 33
    drawers.fail_safe(am.bias.fail_safe_n(already, method="general", target=0.1))
    endless = am.bias.fail_safe_n(KOLDEN, method="orwin", target=0.0)
    ax = drawers.fail_safe(endless)
    assert not any(len(np.atleast_1d(line.get_xdata())) == 1 for line in ax.lines)
    unknown = am.bias.fail_safe_n(am.effect_sizes(r=[0.3], n=[30]), method="general")
    with pytest.raises(InputError, match="no fail-safe number to draw"):
        drawers.fail_safe(unknown)


def test_means_of_a_fail_safe_number_are_on_the_scale_shown() -> None:
    ax = drawers.fail_safe(am.bias.fail_safe_n(KOLDEN, method="general", target=0.1))
    levels = [line.get_ydata() for line in ax.lines if len(set(np.asarray(line.get_ydata()).tolist())) == 1]
    assert any(np.allclose(np.asarray(each, dtype=float), 0.1) for each in levels)
    assert ax.get_ylabel() == "Mean: Correlation r"


@pytest.mark.parametrize("rule", ["interval", "rstudent"])
def test_outliers_are_marked_above_both_means(rule: str) -> None:
    found = am.sensitivity.outliers(FARBER, rule=rule)
    rows = forests.outlier_rows(found)
    assert rows.loc[rows["kind"] == "marked", "label"].tolist() == list(found.names)
    means = rows[rows["bold"]]
    assert means["kind"].tolist() == ["usual", "adjusted"][: len(means)]
    np.testing.assert_allclose(np.arctanh(means["low"]), found.fits_frame()["ci_low"])
    ax = forests.outliers(found)
    assert {tuple(row) for row in rows[["y", "low", "high"]].to_numpy().tolist()} <= _drawn(ax)


def test_no_outliers_leave_one_mean() -> None:
    found = am.sensitivity.outliers(am.effect_sizes(r=[0.2, 0.22, 0.18], n=[30, 40, 50]))
    assert forests.outlier_rows(found)["kind"].tolist() == ["analysis"] * 3 + ["usual"]
    assert "No effect is outlying" in _said(forests.outliers(found))


@pytest.mark.parametrize("effects", [KOLDEN, LABELS, RATIOS], ids=["k16", "nasty", "ratios"])
def test_the_mean_goes_from_that_of_all_to_that_of_the_rest(effects: am.EffectSizes) -> None:
    found = am.sensitivity.fragility(effects, most_fits=500)
    rows = forests.fragility_rows(found)
    ends = found.to_frame()
    shown = effects.measure.display_scale == "r"
    expected = np.tanh(ends[["ci_low", "ci_high"]]) if shown else ends[["ci_low", "ci_high"]]
    np.testing.assert_allclose(rows[["low", "high"]].iloc[[0, -1]], expected, atol=1e-7)  # two runs of REML
    assert rows["label"].tolist()[1:] == [f"\u2212 {name}" for name in found.removed]
    assert rows["left"].tolist() == [str(effects.k - gone) for gone in range(len(rows))]
    assert rows["kind"].iloc[-1] == "marked"


def test_fragility_by_study_and_without_a_change() -> None:
    effects = am.effect_sizes(am.datasets.load("farber_doolin2011_effects"), measure="ZCOR")
    found = am.sensitivity.fragility(effects, by="study", most_fits=500)
    rows = forests.fragility_rows(found)
    assert rows["label"][0] == "All 15 studies"
    assert int(rows["left"].iloc[-1]) == found.to_frame()["k"].iloc[-1]
    firm = am.sensitivity.fragility(am.effect_sizes(r=[0.50, 0.52, 0.51], n=[900, 950, 800]), test="z")
    assert firm.removed == ()
    assert forests.fragility_rows(firm)["kind"].tolist() == ["usual"]
    assert "No removal" in _said(forests.fragility(firm))


def test_levels_that_are_none_are_refused() -> None:
    asked: tuple[tuple[Draw, Any], ...] = (
        (plots.corrected, am.bias.limit_meta(KOLDEN)),
        (lines.pet_peese, am.bias.pet_peese(KOLDEN)),
        (drawers.fail_safe, am.bias.fail_safe_n(KOLDEN, method="general")),
    )
    for draw, found in asked:
        with pytest.raises(InputError, match="level"):
            draw(found, level=95)


def test_in_axes_of_others_the_bands_are_named_where_they_are() -> None:
    _, ax = plt.subplots()
    legend = power.power_funnel(am.bias.waap(FARBER), ax=ax).get_legend()
    assert legend is not None
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["Adequately powered", "Less power", "Pooled mean", "p = .05"]
    assert {"Power 0–20%", "Power 80–100%"} <= {text.get_text() for text in ax.texts}
