"""Plots of subgroups and of meta-regressions: what they show, where they draw it, and that labels stay text."""

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
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from matplotlib.text import Text

import alliance_meta as am
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.grouping import subgroups
from alliance_meta.plots import bubble_lines, bubble_points, coefficient_rows, forest_rows, mean_rows
from alliance_meta.results._subgroups import Subgroups

CAVEAT = "Simulated data: made by a program, not from real studies."
NASTY = [
    "costs $5 and $x_1$",
    "two\nlines",
    "<b>bold</b>",
    "עברית",
    "a_b^c",
    "A group whose name goes on and on and on, to no end",
]


@pytest.fixture(autouse=True)
def _no_window() -> Iterator[None]:
    mpl.use("Agg")
    plt.close("all")
    yield
    plt.close("all")


FARBER = am.effect_sizes(am.datasets.load("farber_doolin2011_effects"))
MUNDER = am.effect_sizes(am.datasets.load("munder2012"), measure="SMD")


@pytest.fixture(scope="module")
def found() -> Subgroups:
    return subgroups(FARBER, "predictor_rater")


@pytest.fixture(scope="module")
def allegiance() -> am.MetaRegression:
    return am.meta_regression(MUNDER, "researcher_allegiance")


@pytest.fixture(scope="module")
def rated() -> am.MetaRegression:
    return am.meta_regression(FARBER, "year * predictor_rater")


def ratios(caveat: str = "") -> am.EffectSizes:
    counts = {"events1": [10, 14, 30, 12, 9], "n1": [40, 40, 60, 50, 60], "events2": [5, 8, 15, 6, 12]}
    frame = pd.DataFrame({**counts, "n2": [40, 42, 60, 50, 55], "dose": [1.0, 2, 3, 4, 6], "arm": list("aabba")})
    return replace(am.effect_sizes(frame, measure="OR"), caveat=caveat)


def points_of(ax: Axes) -> np.ndarray[Any, np.dtype[np.float64]]:
    scatters = [item for item in ax.collections if isinstance(item, PathCollection)]
    return np.vstack([np.asarray(item.get_offsets(), dtype=float) for item in scatters])


def written(ax: Axes) -> list[Text]:
    return [text for text in ax.findobj(Text) if isinstance(text, Text) and text.get_text()]


# Forest plot of subgroups


def test_forest_rows_of_subgroups(found: Subgroups) -> None:
    rows = forest_rows(found)
    kinds = [kind for member in found.members for kind in ("group", *["study"] * member.k, "subgroup")]
    assert rows["kind"].tolist() == [*kinds, "summary", "prediction"]
    assert rows.loc[rows["kind"] == "group", "label"].tolist() == ["P", "R", "T"]
    means = rows[rows["kind"] == "subgroup"].reset_index(drop=True)
    shown = found.on_display_scale()
    for theirs, ours in (("effect", "estimate"), ("low", "ci_low"), ("high", "ci_high")):
        assert means[theirs].tolist() == pytest.approx(shown[ours].tolist(), rel=1e-14)
    assert means["label"].tolist() == ["P (k = 83, I² = 64%)", "R (k = 15, I² = 37%)", "T (k = 4, I² = 27%)"]
    assert means["text"][0] == ".17 [.14, .21]"
    studies = rows[rows["kind"] == "study"]
    assert studies["weight"].sum() == pytest.approx(100.0)
    assert means["weight"].sum() == pytest.approx(100.0)
    assert studies["label"].tolist()[:2] == ["Bachelor (1991)", "Conte, Ratto, Clutz & Karasu (1995)"]
    plain = forest_rows(found.overall).tail(2)
    pd.testing.assert_frame_equal(rows.tail(2).reset_index(drop=True), plain.reset_index(drop=True))


def test_order_is_within_groups(found: Subgroups) -> None:
    rows = forest_rows(found, order="effect")
    starts = np.flatnonzero(rows["kind"] == "group")
    for start, member in zip(starts, found.members, strict=True):
        own = rows.iloc[start + 1 : start + 1 + member.k]
        assert (own["kind"] == "study").all()
        assert own["effect"].is_monotonic_increasing


def test_forest_draws_each_group_and_its_diamond(found: Subgroups) -> None:
    ax = am.plots.forest(found)
    rows = forest_rows(found)
    diamonds = [patch for patch in ax.patches if isinstance(patch, Polygon)]
    assert len(diamonds) == 4
    means = rows[rows["kind"].isin(["subgroup", "summary"])]
    for diamond, (_, row) in zip(diamonds, means.iterrows(), strict=True):
        corners = np.asarray(diamond.get_xy())
        assert (corners[:, 0].min(), corners[:, 0].max()) == pytest.approx((row["low"], row["high"]))
        texts = {text.get_text(): text.get_position()[1] for text in ax.texts}
        assert texts[row["label"]] == pytest.approx(corners[0, 1])
    assert len(points_of(ax)) == 102
    footer = [text.get_text() for text in ax.texts][-1]
    assert "Between groups: F(2, 99) = 0.48, p = .622 (one tau² of 0.012 for all groups)" in footer
    assert "Heterogeneity of all effects" in footer
    separate = am.plots.forest(subgroups(FARBER, "predictor_rater", tau2="separate"))
    assert "χ²(2) = 1.44, p = .487 (each group with its own tau²)" in [text.get_text() for text in separate.texts][-1]


def test_groups_do_not_touch_and_columns_do_not_overlap() -> None:
    ax = am.plots.forest(subgroups(FARBER, "predictor_rater"))
    ax.figure.canvas.draw()
    rows = forest_rows(subgroups(FARBER, "predictor_rater"))
    low, high = (ax.transData.transform((value, 0.0))[0] for value in (rows["low"].min(), rows["high"].max()))
    labels = [text for text in ax.texts if text.get_text() in set(rows["label"])]
    numbers = [text for text in ax.texts if text.get_text() in set(rows["text"]) - {""}]
    assert max(text.get_window_extent().x1 for text in labels) < low
    assert min(text.get_window_extent().x0 for text in numbers) > high
    tops = sorted(text.get_window_extent().y0 for text in labels)
    assert min(np.diff(tops)) > 10.0  # pixels; a line of text is about that high


def test_a_group_of_one_study_is_drawn() -> None:
    frame = pd.DataFrame({"r": [0.1, 0.3, 0.2, 0.5], "n": [40, 50, 60, 70], "g": list("aaab")})
    for tau2 in ("pooled", "separate"):
        rows = forest_rows(subgroups(am.effect_sizes(frame), "g", tau2=tau2))
        assert rows.loc[rows["kind"] == "subgroup", "label"].tolist()[1] == "b (k = 1)"
        am.plots.forest(subgroups(am.effect_sizes(frame), "g", tau2=tau2)).figure.canvas.draw()


def test_of_a_long_group_name_the_end_is_cut_and_not_its_numbers() -> None:
    found = subgroups(nasty(), "group")
    label = forest_rows(found).query("kind == 'subgroup'")["label"].iloc[-1]
    assert label.startswith(f"{NASTY[-1]} (k = 3")
    drawn = [text.get_text() for text in am.plots.forest(found).texts]
    assert "A group whose name goes on a… (k = 3, I² = 0%)" in drawn
    assert label not in drawn


# Bubble plot


def test_bubble_points_and_line(allegiance: am.MetaRegression) -> None:
    points = bubble_points(allegiance, "researcher_allegiance")
    assert points["label"].tolist() == MUNDER.labels
    assert points["x"].tolist() == MUNDER.table["researcher_allegiance"].tolist()
    assert points["effect"].tolist() == MUNDER.effect.tolist()
    weight = 1.0 / (MUNDER.variance + allegiance.tau2)
    assert points["weight"].tolist() == pytest.approx((100.0 * weight / weight.sum()).tolist())
    line = bubble_lines(allegiance, "researcher_allegiance", level=0.9)
    assert (line["x"].min(), line["x"].max()) == (-3.25, 3.25)
    asked = allegiance.predict(line[["x"]].set_axis(["researcher_allegiance"], axis=1), 0.9)
    for name in ("estimate", "ci_low", "ci_high", "pi_low", "pi_high"):
        assert line[name].tolist() == pytest.approx(asked[name].tolist(), rel=1e-12)


def test_bubble_line_averages_over_the_other_moderators() -> None:
    fit = am.meta_regression(FARBER, "year + outcome_rater")
    line = bubble_lines(fit, "year", display=False)
    levels = list(dict.fromkeys(FARBER.table["outcome_rater"]))
    at = line["x"][30]
    rows = pd.DataFrame({"year": [at] * len(levels), "outcome_rater": levels})
    assert line["estimate"][30] == pytest.approx(fit.predict(rows)["estimate"].mean(), rel=1e-12)
    shown = bubble_lines(fit, "year")
    assert shown["estimate"].tolist() == pytest.approx(np.tanh(line["estimate"]).tolist(), rel=1e-14)
    two = am.meta_regression(FARBER, "year + n")
    at_mean = pd.DataFrame({"year": [1990.0, 2006.0], "n": [FARBER.table["n"].mean()] * 2})
    ends = bubble_lines(two, "year", display=False)["estimate"].iloc[[0, -1]].tolist()
    assert ends == pytest.approx(two.predict(at_mean)["estimate"].tolist(), rel=1e-10)


def test_bubble_by_levels(rated: am.MetaRegression) -> None:
    lines = bubble_lines(rated, "year", by="predictor_rater")
    table = FARBER.table
    for group, line in lines.groupby("group"):
        own = table.loc[table["predictor_rater"] == group, "year"]
        assert (line["x"].min(), line["x"].max()) == (own.min(), own.max())  # no further than its own effects
    assert bubble_points(rated, "year", by="predictor_rater")["group"].tolist() == table["predictor_rater"].tolist()
    ax = am.plots.bubble(rated, "year", by="predictor_rater")
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["P", "R", "T"]
    assert "dashed" not in ax.get_title(loc="left")
    assert len(points_of(ax)) == 102


def test_bubble_draws_points_line_and_bands(allegiance: am.MetaRegression) -> None:
    ax = am.plots.bubble(allegiance, "researcher_allegiance")
    points = bubble_points(allegiance, "researcher_allegiance")
    assert points_of(ax) == pytest.approx(points[["x", "effect"]].to_numpy())
    scatter = next(item for item in ax.collections if isinstance(item, PathCollection))
    assert np.asarray(scatter.get_sizes()).argmax() == points["weight"].argmax()
    line = bubble_lines(allegiance, "researcher_allegiance")
    drawn = [np.asarray(item.get_ydata(), dtype=float) for item in ax.lines]
    for name in ("estimate", "pi_low", "pi_high"):
        assert any(len(data) == len(line) and np.allclose(data, line[name]) for data in drawn), name
    assert ax.get_xlabel() == "researcher_allegiance"
    assert ax.get_ylabel() == "Standardized mean difference g"
    assert ax.get_title(loc="left").startswith("Shaded: 95% CI of the mean; dashed: 95% interval")


def test_bubble_on_the_analysed_scale() -> None:
    fit = am.meta_regression(FARBER, "year")
    analysed, shown = am.plots.bubble(fit, "year", display=False), am.plots.bubble(fit, "year")
    assert points_of(analysed)[:, 1] == pytest.approx(FARBER.effect)
    assert points_of(shown)[:, 1] == pytest.approx(np.tanh(FARBER.effect))
    assert (analysed.get_ylabel(), shown.get_ylabel()) == ("Fisher's z of the correlation", "Correlation r")


def test_bubble_of_ratios_has_a_logarithmic_axis() -> None:
    fit = am.meta_regression(ratios(), "dose")
    ax = am.plots.bubble(fit, "dose")
    assert points_of(ax)[:, 1] == pytest.approx(ratios().effect)
    ticks = dict(zip([label.get_text() for label in ax.get_yticklabels()], ax.get_yticks(), strict=True))
    assert ticks["1"] == 0.0
    assert ticks["2"] == pytest.approx(np.log(2.0))


def notes_of(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_bubble_labels(allegiance: am.MetaRegression) -> None:
    assert notes_of(am.plots.bubble(allegiance, "researcher_allegiance")) == []
    points = bubble_points(allegiance, "researcher_allegiance")
    ax = am.plots.bubble(allegiance, "researcher_allegiance", labels=5)
    assert set(notes_of(ax)) == set(points.nlargest(5, "weight")["label"])
    ax = am.plots.bubble(allegiance, "researcher_allegiance", labels=["Lee et al., 2002", "Foa et al., 2005"])
    assert sorted(notes_of(ax)) == ["Foa et al., 2005", "Lee et al., 2002"]
    assert len(notes_of(am.plots.bubble(allegiance, "researcher_allegiance", labels=1000))) == 29
    with pytest.raises(UnknownNameError, match=r"unknown study label 'Foa 2005'.*Did you mean 'Foa et al., 2005'"):
        am.plots.bubble(allegiance, "researcher_allegiance", labels=["Foa 2005"])
    with pytest.raises(InputError, match="studies that the plot has not: 'A' and 'B'"):
        am.plots.bubble(allegiance, "researcher_allegiance", labels=["A", "Lee et al., 2002", "B"])
    for bad in (-1, True):
        with pytest.raises(InputError, match="labels must be a number of points to label, 0 or more"):
            am.plots.bubble(allegiance, "researcher_allegiance", labels=bad)


def test_bubble_labels_are_apart_and_inside(allegiance: am.MetaRegression) -> None:
    ax = am.plots.bubble(allegiance, "researcher_allegiance", labels=8)
    ax.figure.canvas.draw()
    boxes = [Text.get_window_extent(text) for text in ax.texts]
    frame = ax.get_window_extent()
    for i, box in enumerate(boxes):
        assert frame.x0 <= box.x0 < box.x1 <= frame.x1
        assert frame.y0 <= box.y0 < box.y1 <= frame.y1
        assert not any(box.overlaps(other) for other in boxes[:i])


def test_what_cannot_be_a_bubble_plot_is_refused(allegiance: am.MetaRegression, rated: am.MetaRegression) -> None:
    levels = am.meta_regression(FARBER, "predictor_rater")
    with pytest.raises(InputError, match=r"no numeric moderator to draw effects against; means\(\)"):
        am.plots.bubble(levels, "predictor_rater")
    with pytest.raises(UnknownNameError, match=r"unknown numeric moderator 'predictor_rater'\. .*'year'"):
        am.plots.bubble(rated, "predictor_rater")
    with pytest.raises(InputError, match=r"no categorical moderator to split by"):
        am.plots.bubble(allegiance, "researcher_allegiance", by="year")
    with pytest.raises(UnknownNameError, match="unknown categorical moderator 'rater'"):
        am.plots.bubble(rated, "year", by="rater")
    with pytest.raises(InputError, match="level must lie between 0 and 1"):
        am.plots.bubble(rated, "year", level=95)


# Coefficients and means


def test_coefficient_rows(rated: am.MetaRegression) -> None:
    rows, frame = coefficient_rows(rated, level=0.9), rated.to_frame(0.9).iloc[1:]
    assert rows["label"].tolist() == frame["term"].tolist()
    for theirs, ours in (("effect", "estimate"), ("low", "ci_low"), ("high", "ci_high")):
        assert rows[theirs].tolist() == frame[ours].tolist()
    alone = coefficient_rows(am.meta_regression(FARBER, "1"))
    assert alone["label"].tolist() == ["intercept"]
    small = coefficient_rows(am.meta_regression(FARBER, "I(n * 1000)"))["text"][0]
    assert "0.000 " not in small  # as many decimals as the number needs


def test_mean_rows_are_the_marginal_means() -> None:
    fit = am.meta_regression(FARBER, "year + predictor_rater")
    rows, frame = mean_rows(fit, "predictor_rater", level=0.9), fit.means("predictor_rater", 0.9, display=True)
    assert rows["label"].tolist() == ["P", "R", "T"]
    assert rows["k"].tolist() == [83, 15, 4]
    assert rows["effect"].tolist() == frame["estimate"].tolist()
    assert rows["pi_high"].tolist() == frame["pi_high"].tolist()


def test_means_draws_intervals_where_the_rows_say() -> None:
    fit = am.meta_regression(FARBER, "predictor_rater")
    ax = am.plots.means(fit, "predictor_rater")
    rows = mean_rows(fit, "predictor_rater")
    assert points_of(ax)[:, 0] == pytest.approx(rows["effect"].to_numpy())
    thin, thick = (
        np.array(item.get_segments())[:, :, 0] for item in ax.collections if isinstance(item, LineCollection)
    )
    assert thin == pytest.approx(rows[["pi_low", "pi_high"]].to_numpy())
    assert thick == pytest.approx(rows[["low", "high"]].to_numpy())
    texts = notes_of(ax)
    assert {*rows["label"], *rows["text"], "predictor_rater", "r [95% CI]", "k", "83"} <= set(texts)
    ratio = am.meta_regression(ratios(), "arm")
    ax = am.plots.means(ratio, "arm")
    assert points_of(ax)[:, 0] == pytest.approx(ratio.means("arm")["estimate"].to_numpy())
    assert ax.get_xlabel() == "Odds ratio"


def test_coefficients_stand_on_the_analysed_scale() -> None:
    fit = am.meta_regression(ratios(), "dose + arm", test="z")
    ax = am.plots.coefficients(fit)
    assert points_of(ax)[:, 0] == pytest.approx(fit.coefficients[1:])
    assert ax.get_xlabel() == "Coefficient (Log odds ratio)"


# All of them


PLOTS: dict[str, Callable[..., Axes]] = {
    "forest": lambda effects, **how: am.plots.forest(subgroups(effects, "group"), **how),
    "bubble": lambda effects, **how: am.plots.bubble(am.meta_regression(effects, "dose"), "dose", labels=99, **how),
    "bubble by": lambda effects, **how: am.plots.bubble(
        am.meta_regression(effects, "dose + group"), "dose", by="group", labels=99, **how
    ),
    "coefficients": lambda effects, **how: am.plots.coefficients(am.meta_regression(effects, "dose + group"), **how),
    "means": lambda effects, **how: am.plots.means(am.meta_regression(effects, "group"), "group", **how),
}


def nasty(measure: str = "ZCOR", caveat: str = "") -> am.EffectSizes:
    k = 3 * len(NASTY)
    frame = pd.DataFrame({"r": np.linspace(-0.3, 0.6, k), "n": [40 + i % 7 for i in range(k)], "study": NASTY * 3})
    frame = frame.assign(group=[name for name in NASTY for _ in range(3)], dose=np.sin(np.arange(k)))
    return replace(am.effect_sizes(frame, measure=measure), caveat=caveat)


@pytest.mark.parametrize("plot", PLOTS.values(), ids=[*PLOTS])
def test_draws_only_on_the_axes_given(plot: Callable[..., Axes]) -> None:
    current = plt.figure()
    figure = Figure(figsize=(9, 6))
    left, right = figure.subplots(1, 2)
    assert plot(nasty(), ax=left) is left
    assert len(right.lines) == len(right.texts) == len(right.collections) == len(right.patches) == 0
    assert plt.get_fignums() == [current.number]
    assert not current.axes
    part = np.ravel(np.asarray(Figure(figsize=(9, 6)).subfigures(1, 2)))[0].subplots()
    assert plot(nasty(), ax=part) is part


@pytest.mark.parametrize("plot", PLOTS.values(), ids=[*PLOTS])
@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_nasty_labels_are_drawn_as_they_are(plot: Callable[..., Axes], kind: str) -> None:
    ax = plot(nasty())
    assert not any(text.get_parse_math() and "$" in text.get_text() for text in written(ax))
    buffer = io.BytesIO()
    ax.figure.figure.savefig(buffer, format=kind)  # a missing glyph would warn, and warnings are errors here
    assert len(buffer.getvalue()) > 1000


@pytest.mark.parametrize("plot", PLOTS.values(), ids=[*PLOTS])
def test_a_dollar_sign_in_a_column_is_a_dollar_sign(plot: Callable[..., Axes]) -> None:
    effects = nasty()
    table = effects.table.rename(columns={"dose": "dose in $m_1$", "group": "group $x$"})
    named = replace(effects, _frame=table)
    by, number = "group $x$", "dose in $m_1$"
    fit = am.meta_regression(named, f"`{number}` + `{by}`")
    for ax in (
        am.plots.bubble(fit, number, by=by),
        am.plots.coefficients(fit),
        am.plots.means(fit, by),
        am.plots.forest(subgroups(named, by)),
    ):
        assert not any(text.get_parse_math() and "$" in text.get_text() for text in written(ax))
        ax.figure.canvas.draw()


@pytest.mark.parametrize("plot", PLOTS.values(), ids=[*PLOTS])
def test_simulated_data_say_so(plot: Callable[..., Axes]) -> None:
    ax = plot(nasty(caveat=CAVEAT))
    assert any(CAVEAT in text.get_text() for text in written(ax))


@pytest.mark.parametrize("plot", PLOTS.values(), ids=[*PLOTS])
@pytest.mark.parametrize("measure", ["COR", "ZCOR"])
@pytest.mark.parametrize("level", [0.5, 0.99])
def test_any_level_and_scale(plot: Callable[..., Axes], measure: str, level: float) -> None:
    ax = plot(nasty(measure), level=level)
    ax.figure.canvas.draw()
    assert np.isfinite([*ax.get_xlim(), *ax.get_ylim()]).all()
    with pytest.raises(InputError, match="level must lie between 0 and 1"):
        plot(nasty(measure), level=95)
