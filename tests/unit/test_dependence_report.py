"""Every usual model of dependence side by side: each row is that model's own answer."""

from __future__ import annotations

import math

import pytest

import alliance_meta as am
from alliance_meta.errors import DependenceWarning, InputError

FARBER = am.effect_sizes(am.datasets.load("farber_doolin2011_effects"), measure="ZCOR")
REPORT = am.dependence_report(FARBER, [0.2, 0.8])


def row(model: str, correlation: float = math.nan) -> dict[str, float]:
    frame = REPORT.to_frame()
    same = frame["correlation"].isna() if math.isnan(correlation) else frame["correlation"] == correlation
    (found,) = frame[(frame["model"] == model) & same].to_dict("records")
    return {str(name): value for name, value in found.items()}


def test_each_row_is_its_models_own_answer() -> None:
    plain = am.pool(FARBER, dependent="allow")
    assert row("independent")["estimate"] == plain.estimate
    assert row("independent, robust")["ci_low"] == am.robust(plain).to_frame()["ci_low"][0]
    averaged = am.pool(am.aggregate(FARBER, correlation=0.8, method="inverse-variance"))
    assert row("one effect a study", 0.8)["std_error"] == averaged.std_error
    composed = am.pool(am.aggregate(FARBER, correlation=0.8, method="composite"))
    assert row("composites", 0.8)["estimate"] == composed.estimate
    assert row("three-level")["df"] == 14.0
    che = am.multilevel(FARBER, correlation=0.2)
    assert row("CHE", 0.2)["estimate"] == che.estimate
    assert row("CHE, robust", 0.2)["p_value"] == am.robust(che).to_frame()["p_value"][0]


def test_composites_that_cannot_be_are_said() -> None:
    # With a correlation of .2 the four effects of one study would make a composite correlation above 1.
    assert [note[:44] for note in REPORT.notes] == ["No composites with a correlation of 0.2: the"]
    assert "No composites with a correlation of 0.2" in str(REPORT).replace("\n", " ")


def test_all_analyses_agree_and_the_sentence_says_so() -> None:
    assert REPORT.conclusions == ("above",)
    assert REPORT.flips().empty
    assert REPORT.sentence == "All 11 analyses give an interval above 0; r from 0.17 to 0.27."
    assert "'zuroff2006' gives 52 of the effects" in str(REPORT)


def test_a_conclusion_that_flips_is_named() -> None:
    strict = am.dependence_report(FARBER, [0.2, 0.8], level=0.99)
    # Taken as independent with robust errors there are 1.9 degrees of freedom: at 99 % the interval includes 0.
    assert strict.flips()["model"].tolist() == ["independent, robust"]
    assert strict.sentence.startswith(
        "10 of 11 analyses give an interval above 0; the conclusion is another with: indep"
    )


def test_standardized_mean_differences_have_no_composites() -> None:
    report = am.dependence_report(am.effect_sizes(am.datasets.load("munder2012"), measure="SMD"), [0.5])
    assert "composites" not in report.to_frame()["model"].tolist()
    assert report.notes == ()
    assert report.sentence == "All 7 analyses give an interval that includes 0; g from −0.05 to −0.03."


def test_the_display_scale_is_r() -> None:
    frame, shown = REPORT.to_frame(), REPORT.on_display_scale()
    assert shown["estimate"].tolist() == pytest.approx([math.tanh(z) for z in frame["estimate"]], rel=1e-14)
    assert "std_error" not in shown


@pytest.mark.parametrize("wrong", [[], [1.0], [-0.1, 0.5]])
def test_correlations_out_of_range_are_refused(wrong: list[float]) -> None:
    with pytest.raises(InputError, match=r"^correlations must be one or more numbers from 0 up to, but not, 1; got "):
        am.dependence_report(FARBER, wrong)


def test_there_must_be_something_to_compare() -> None:
    with pytest.raises(InputError, match=r"^every effect has a study of its own, so there is nothing to compare"):
        am.dependence_report(am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR"))
    with pytest.raises(InputError, match=r"^all effects are of one study"):
        am.dependence_report(am.effect_sizes(measure="COR", r=[0.1, 0.2], n=[40, 40], study=["a", "a"]))


@pytest.mark.parametrize("call", ["pool", "meta_regression", "subgroups"])
def test_models_of_independent_effects_warn_once_and_name_the_studies(call: str) -> None:
    asked = {"pool": (), "meta_regression": ("year",), "subgroups": ("predictor_rater",)}[call]
    message = rf"^{call}\(\) takes effects as independent, but 9\d effects come from \d+ studies.*'zuroff2006' \(52\)"
    with pytest.warns(DependenceWarning, match=message) as caught:
        fit = getattr(am, call)(FARBER, *asked)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert any(note.startswith("Effects count as independent, but 9") for note in fit.notes) or call == "subgroups"


def test_a_reader_who_knows_is_not_warned(recwarn: pytest.WarningsRecorder) -> None:
    fit = am.pool(FARBER, dependent="allow")
    assert not [warning for warning in recwarn if issubclass(warning.category, DependenceWarning)]
    assert fit.notes[-1].startswith("Effects count as independent")
