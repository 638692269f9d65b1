"""Saved analyses: what is kept, and what running it again reports."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import alliance_meta as am
from alliance_meta import snapshot
from alliance_meta.errors import DataFileError, InputError, OutputError

KOLDEN = am.effect_sizes(am.datasets.load("kolden2011"))
SEVERAL = am.effect_sizes(am.datasets.load("farber_doolin2011_effects"))
LABS = am.effect_sizes(
    am.datasets.load("farber_doolin2011_effects").table.assign(lab=lambda frame: frame["study_number"] % 6),
    r="r",
    n="n",
)
FITS: dict[str, snapshot.Fit] = {
    "pool": am.pool(KOLDEN),
    "weights": am.pool(KOLDEN, weights="n", tau2_method="DL", test="z"),
    "genq": am.pool(KOLDEN, tau2_method="GENQ", q_weights="n", test="z"),
    "regression": am.meta_regression(KOLDEN, "center(year)"),
    "multilevel": am.multilevel(SEVERAL, "predictor_rater", correlation=0.5),
    "three-level": am.multilevel(SEVERAL),
    "labs": am.multilevel(LABS, levels=("lab",)),
    "crossed": am.multilevel(SEVERAL, crossed="predictor_rater"),
    "subgroups": am.subgroups(SEVERAL, "predictor_rater"),
    "robust": am.robust(am.multilevel(SEVERAL, correlation=0.5)),
    "robust pool": am.robust(am.pool(SEVERAL), adjustment="CR1"),
}


@pytest.mark.parametrize("name", FITS)
def test_a_fit_verifies_on_its_own_data_and_on_the_effects_given(name: str, tmp_path: Path) -> None:
    fit = FITS[name]
    path = snapshot.save(fit, tmp_path / "kept.json")
    for found in (snapshot.verify(path), snapshot.verify(path, fit.effects)):
        assert found.ok, str(found)
        assert len(found.to_frame()) >= 8
        assert found.versions == {}
        assert "Nothing drifted." in str(found)


def test_every_number_of_the_fit_is_kept(tmp_path: Path) -> None:
    fit = am.pool(KOLDEN)
    frame = snapshot.verify(snapshot.save(fit, tmp_path / "kept.json")).to_frame().set_index("quantity")["saved"]
    shown = fit.to_frame().iloc[0]
    for name in ("estimate", "std_error", "statistic", "df", "p_value", "ci_low", "ci_high"):
        assert frame[name] == shown[name]
    assert (frame["tau2"], frame["i2"]) == (fit.tau2, fit.i2)


def test_other_data_and_what_they_move_are_reported(tmp_path: Path) -> None:
    path = snapshot.save(am.pool(KOLDEN), tmp_path / "kept.json")
    frame = am.datasets.load("kolden2011").table
    frame["r"] = frame["r"] + 0.01 * (frame.index == 0)
    found = snapshot.verify(path, am.effect_sizes(frame, r="r", n="n"))
    assert found.data_changed
    assert not found.ok
    moved = found.to_frame().query("drift")["quantity"].tolist()
    assert "estimate" in moved
    assert "df" not in moved
    assert "The effects given are not those that were saved." in str(found)
    assert "other data" in repr(found)
    assert "<table" in found._repr_html_()


def test_a_number_that_drifts_is_reported(tmp_path: Path) -> None:
    path = snapshot.save(am.pool(KOLDEN), tmp_path / "kept.json")
    kept = json.loads(path.read_text())
    at = kept["numbers"]["quantity"].index("estimate")
    kept["numbers"]["value"][at] = repr(float(kept["numbers"]["value"][at]) + 2e-8)
    kept["versions"]["numpy"] = "0.1"
    path.write_text(json.dumps(kept))
    found = snapshot.verify(path)
    assert found.to_frame().query("drift")["quantity"].tolist() == ["estimate"]
    assert not found.ok
    assert found.versions["numpy"][0] == "0.1"
    assert "numpy 0.1 then" in str(found)


def test_a_number_that_is_gone_has_drifted(tmp_path: Path) -> None:
    path = snapshot.save(am.pool(KOLDEN), tmp_path / "kept.json")
    kept = json.loads(path.read_text())
    for column in kept["numbers"].values():
        column.append("nan" if column is kept["numbers"]["value"] else "extra")
    kept["numbers"]["value"][-1] = "1.0"
    path.write_text(json.dumps(kept))
    assert snapshot.verify(path).to_frame().query("drift")["quantity"].tolist() == ["extra"]


def test_changed_effects_in_the_file_are_refused(tmp_path: Path) -> None:
    path = snapshot.save(am.pool(KOLDEN), tmp_path / "kept.json")
    kept = json.loads(path.read_text())
    kept["data"]["columns"]["effect"][0] += 1e-12
    path.write_text(json.dumps(kept))
    with pytest.raises(DataFileError, match="their hash differs"):
        snapshot.verify(path)


def test_caveats_stay_with_the_effects(tmp_path: Path) -> None:
    made = am.pool(am.effect_sizes(am.simulate.literature(k=8)))
    kept = json.loads(snapshot.save(made, tmp_path / "kept.json").read_text())
    assert kept["data"]["caveat"].startswith("Simulated data")


def test_what_cannot_be_saved_or_read(tmp_path: Path) -> None:
    path = snapshot.save(am.pool(KOLDEN), tmp_path / "kept.json")
    with pytest.raises(OutputError, match=r"kept\.json is there already"):
        snapshot.save(am.pool(KOLDEN), path)
    snapshot.save(am.pool(KOLDEN), path, replace=True)
    with pytest.raises(OutputError, match="cannot be written"):
        snapshot.save(am.pool(KOLDEN), tmp_path / "none" / "kept.json")
    with pytest.raises(InputError, match="not DataFrame"):
        snapshot.save(pd.DataFrame(), tmp_path / "other.json")  # type: ignore[arg-type]
    given = am.robust(am.multilevel(SEVERAL), SEVERAL.table["study"].to_numpy())
    with pytest.raises(InputError, match="clusters that are a column"):
        snapshot.save(given, tmp_path / "other.json")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(DataFileError, match="cannot be read as a snapshot"):
        snapshot.verify(tmp_path / "broken.json")
    kept = json.loads(path.read_text())
    (tmp_path / "new.json").write_text(json.dumps({**kept, "kind": "none"}))
    with pytest.raises(DataFileError, match="no snapshot that this version reads"):
        snapshot.verify(tmp_path / "new.json")
    (tmp_path / "key.json").write_text(json.dumps({**kept, "extra": 1}))
    with pytest.raises(DataFileError, match="unknown key 'extra'"):
        snapshot.verify(tmp_path / "key.json")
