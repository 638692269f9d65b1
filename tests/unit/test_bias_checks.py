"""All checks for bias at once: each row is what its own function gives, and the answer is what the rows say."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pytest

import alliance_meta as am
from alliance_meta import bias
from alliance_meta.errors import InputError
from alliance_meta.results._finding import Finding

KOLDEN = am.effect_sizes(am.datasets.load("kolden2011"))
FOUND = bias.checks(KOLDEN)


def row(method: str, found: bias.BiasChecks = FOUND) -> dict[Hashable, Any]:
    frame = found.to_frame()
    return frame[frame["method"] == method].iloc[0].to_dict()


def test_each_row_is_what_its_own_function_gives() -> None:
    plain = am.pool(KOLDEN)
    assert row("uncorrected")["estimate"] == plain.estimate
    assert (row("uncorrected")["ci_low"], row("uncorrected")["ci_high"]) == tuple(plain.confidence_interval())
    assert row("trim and fill")["estimate"] == bias.trim_and_fill(KOLDEN).after.estimate
    assert row("PET-PEESE")["estimate"] == bias.pet_peese(KOLDEN).estimate
    model = bias.selection_model(KOLDEN)
    assert row("3PSM")["estimate"] == float(model.coefficients[0])
    assert row("3PSM, likelihood ratio")["p_value"] == model.lr_p_value
    limit = bias.limit_meta(KOLDEN)
    assert (row("limit meta-analysis")["estimate"], row("limit meta-analysis")["p_value"]) == (
        limit.estimate,
        limit.p_value,
    )
    assert row("WAAP-WLS")["estimate"] == bias.waap(KOLDEN).estimate
    assert row("Henmi-Copas")["estimate"] == bias.henmi_copas(KOLDEN).estimate
    assert row("Egger's regression")["p_value"] == bias.egger(KOLDEN).p_value
    assert row("Begg's ranks")["p_value"] == bias.begg(KOLDEN).p_value
    excess = bias.excess_significance(KOLDEN)
    assert row("excess significance")["p_value"] == excess.p_values[2]


@pytest.mark.parametrize("level", [0.8, 0.99])
def test_the_level_is_that_of_every_interval(level: float) -> None:
    found = bias.checks(KOLDEN, level=level)
    for method, low in (
        ("uncorrected", am.pool(KOLDEN).confidence_interval(level).low),
        ("PET-PEESE", bias.pet_peese(KOLDEN).confidence_interval(level).low),
        ("WAAP-WLS", bias.waap(KOLDEN).to_frame(level)["ci_low"].iloc[-1]),
        ("limit meta-analysis", bias.limit_meta(KOLDEN).to_frame(level)["ci_low"].iloc[1]),
    ):
        assert row(method, found)["ci_low"] == pytest.approx(low, rel=1e-12)


def test_what_cannot_be_made_says_why() -> None:
    few = bias.checks(am.effect_sizes(r=[0.3, 0.2], n=[30, 60]))
    assert set(few.failed) == {
        "trim and fill",
        "PET-PEESE",
        "3PSM",
        "limit meta-analysis",
        "Egger's regression",
        "Begg's ranks",
    }
    assert row("trim and fill", few)["why"] == "trim_and_fill() needs at least 3 effects; there are 2"
    assert "no effect has p" in str(row("3PSM", few)["why"])
    assert few.findings.keys() == {"WAAP-WLS", "Henmi-Copas", "excess significance", "p-curve"}
    with pytest.raises(InputError, match="checks\\(\\) needs at least 2 effects; there is 1"):
        bias.checks(am.effect_sizes(r=[0.3], n=[30]))


def test_the_answer_counts_intervals() -> None:
    assert FOUND.sentence.startswith(
        "The interval excludes r = 0 without a correction; with PET-PEESE it includes it. r = 0.25 without"
    )
    strong = am.effect_sizes(r=np.linspace(0.5, 0.6, 12), n=np.arange(100, 220, 10))
    assert bias.checks(strong).sentence.startswith("The interval excludes r = 0 without a correction and with each one")
    none = am.effect_sizes(r=[0.1, -0.1] * 8, n=np.arange(40, 200, 10))
    assert bias.checks(none).sentence.startswith("The interval includes r = 0 without a correction")


def test_significance_is_looked_for_on_the_side_of_the_mean() -> None:
    turned = am.effect_sizes(r=-KOLDEN.table["r"].to_numpy(), n=KOLDEN.table["n"].to_numpy())
    other = bias.checks(turned)
    for method in (
        "uncorrected",
        "trim and fill",
        "PET-PEESE",
        "3PSM",
        "limit meta-analysis",
        "WAAP-WLS",
        "Henmi-Copas",
    ):
        assert row(method, other)["estimate"] == pytest.approx(-row(method)["estimate"], rel=1e-6)


def test_cautions_of_the_data_are_said_once() -> None:
    several = am.effect_sizes(am.datasets.load("munder2012"), measure="SMD")
    found = bias.checks(several)
    assert len(found.cautions) == 3
    text = " ".join(str(found).split())
    for words in ("strong heterogeneity", "share a study", "grows with its square"):
        assert text.count(words) == 1


def test_views_are_those_of_a_finding() -> None:
    assert repr(FOUND).startswith("<BiasChecks: r from 0.24 to 0.26 over 7 means; 0 of 4 tests with p < .10")
    assert "3PSM" in FOUND._repr_html_()
    assert "| trim and fill |" in FOUND.to_markdown()
    assert FOUND.to_frame() is not FOUND.to_frame()


@pytest.mark.parametrize(
    "kind", [each for each in vars(bias).values() if isinstance(each, type)], ids=lambda each: each.__name__
)
def test_every_result_shows_its_headline(kind: type) -> None:
    assert issubclass(kind, Finding)
    assert kind.__repr__ is Finding.__repr__
