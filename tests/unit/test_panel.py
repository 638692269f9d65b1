"""The panel: each row is what its own function gives, and the paragraph is what the rows say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliance_meta as am
from alliance_meta import bias, sensitivity
from alliance_meta.errors import InputError
from alliance_meta.results._finding import Finding

KOLDEN = am.effect_sizes(am.datasets.load("kolden2011"))
SEVERAL = am.effect_sizes(am.datasets.load("farber_doolin2011_effects"))
ALONE, TOGETHER = sensitivity.panel(KOLDEN), sensitivity.panel(SEVERAL, correlation=0.5)


def row(found: sensitivity.Panel, name: str) -> pd.Series[Any]:
    frame = found.to_frame()
    return frame[frame["analysis"] == name].iloc[0]


def same(found: pd.Series[Any], fit: am.PooledEffect | am.Multilevel | am.RobustFit, level: float = 0.95) -> bool:
    first = fit.to_frame(level).iloc[0]
    return all(found[name] == first[name] for name in ("estimate", "ci_low", "ci_high", "p_value"))


def test_models_of_several_effects_are_what_their_functions_give() -> None:
    assert same(row(TOGETHER, "all effects, as if independent"), am.pool(SEVERAL))
    single = am.aggregate(SEVERAL, correlation=0.5, method="inverse-variance")
    assert same(row(TOGETHER, "one effect a study"), am.pool(single))
    assert same(row(TOGETHER, "three-level"), am.multilevel(SEVERAL))
    assert same(row(TOGETHER, "CHE + CR2"), am.robust(am.multilevel(SEVERAL, correlation=0.5)))
    table = SEVERAL.table
    for name, places in (
        ("each study's lowest effect", table.groupby("study")["effect"].idxmin()),
        ("each study's highest effect", table.groupby("study")["effect"].idxmax()),
    ):
        extreme = am.effect_sizes(table.loc[places], measure="GEN", effect="effect", variance="variance")
        found = row(TOGETHER, name)
        assert found["estimate"] == pytest.approx(am.pool(extreme).estimate, rel=1e-12)
        assert found["k"] == table["study"].nunique()


def test_without_outliers_and_influential_effects() -> None:
    out = sensitivity.outliers(KOLDEN)
    assert out.without is not None
    assert same(row(ALONE, "without outliers"), out.without)
    marked = sensitivity.influence(KOLDEN).influential
    assert marked == ("Hansen et al., 1968",)
    rest = am.datasets.load("kolden2011").table.query("effect_id != 'hansen1968'")
    assert row(ALONE, "without influential effects")["estimate"] == pytest.approx(
        am.pool(am.effect_sizes(rest, r="r", n="n")).estimate, rel=1e-12
    )


def test_corrected_means_are_those_of_the_checks_for_bias() -> None:
    single = am.aggregate(SEVERAL, correlation=0.5, method="inverse-variance")
    for found, effects in ((ALONE, KOLDEN), (TOGETHER, single)):
        asked = bias.checks(effects).to_frame().set_index("method")
        for name in ("trim and fill", "PET-PEESE", "3PSM", "limit meta-analysis", "WAAP-WLS"):
            ours, theirs = row(found, name), asked[asked["kind"] == "mean"].loc[name]
            for number in ("k", "estimate", "ci_low", "ci_high", "p_value"):
                assert ours[number] == theirs[number]


def test_effects_of_studies_of_their_own_have_no_models_of_several() -> None:
    assert len(ALONE.to_frame()) == 8
    assert "Several effects a study" not in set(ALONE.to_frame()["group"])
    assert any("study of its own" in note for note in ALONE.notes)


@pytest.mark.parametrize("level", [0.8, 0.99])
def test_level(level: float) -> None:
    found = sensitivity.panel(KOLDEN, level=level)
    assert same(row(found, "all effects"), am.pool(KOLDEN), level)
    assert row(found, "PET-PEESE")["ci_low"] == bias.pet_peese(KOLDEN).confidence_interval(level).low


def test_the_paragraph_counts_conclusions() -> None:
    assert ALONE.sentence.startswith(
        "7 of 8 analyses give an interval above r = 0, an interval that includes r = 0 with PET-PEESE; "
        "r from 0.20 to 0.26."
    )
    assert ALONE.flips()["analysis"].tolist() == ["PET-PEESE"]
    strong = am.effect_sizes(r=np.linspace(0.5, 0.6, 12), n=np.arange(100, 220, 10))
    assert sensitivity.panel(strong).sentence.startswith("All 8 analyses give an interval above r = 0;")
    mixed = am.effect_sizes(r=[0.2, -0.2] * 8, n=np.arange(40, 200, 10))
    assert "an interval that includes r = 0" in sensitivity.panel(mixed).sentence


def test_what_cannot_be_made_says_why() -> None:
    found = sensitivity.panel(am.effect_sizes(r=[0.3, 0.2], n=[30, 60]))
    reason = row(found, "trim and fill")
    assert reason["why"] == "trim_and_fill() needs at least 3 effects; there are 2"
    assert reason["conclusion"] == ""
    assert np.isnan(reason["estimate"])
    assert "needs at least 3 effects" in str(found)
    with pytest.raises(InputError, match=r"panel\(\) needs at least 2 effects; there is 1"):
        sensitivity.panel(am.effect_sizes(r=[0.3], n=[30]))
    with pytest.raises(InputError, match=r"correlation must be 0 or more and below 1, not 1\.0"):
        sensitivity.panel(SEVERAL, correlation=1.0)


def test_views_and_caveats() -> None:
    assert repr(ALONE) == "<Panel: r from 0.20 to 0.26 over 8 analyses, 7 of one conclusion>"
    text = str(TOGETHER)
    for words in ("The usual model", "  CHE + CR2", "Selective publication", "leaves out 1: Chisholm (1998)"):
        assert words in text
    shown = TOGETHER.on_display_scale()
    assert shown["estimate"].to_numpy() == pytest.approx(np.tanh(TOGETHER.to_frame()["estimate"].to_numpy(dtype=float)))
    made = sensitivity.panel(am.effect_sizes(am.simulate.literature(k=10)))
    assert "Simulated data" in str(made)
    assert "Simulated data" in repr(made)


@pytest.mark.parametrize(
    "kind", [each for each in vars(sensitivity).values() if isinstance(each, type)], ids=lambda each: each.__name__
)
def test_every_result_shows_its_headline(kind: type) -> None:
    assert issubclass(kind, Finding)
    assert kind.__repr__ is Finding.__repr__
