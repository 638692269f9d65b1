"""Forms for tables that cannot be shipped: written, filled with a made-up table, checked, kept, used and refused.

The tables here are made up: they agree with published numbers because they were made to, and are not the articles'.
"""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pandas as pd
import pytest

import alliance_meta as am
from alliance_meta.cli import main
from alliance_meta.datasets import Installation
from alliance_meta.errors import DataFileError, InputError, NeedsDataError, OutputError, UnknownNameError

CAVEAT = "This table of martin2000 was installed by its user although"


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder of this test's own."""
    monkeypatch.setenv("ALLIANCE_META_DATA", str(tmp_path / "kept"))
    return tmp_path / "kept"


def made_up() -> pd.DataFrame:
    """79 studies, 58 of them published, whose correlations scatter evenly about .22."""
    numbers = range(79)
    return pd.DataFrame(
        {
            "effect_id": "",
            "study": [f"study{i}" for i in numbers],
            "label": [f"Study & “{i}”, Ltd" for i in numbers],
            "year": [str(1960 + i % 40) for i in numbers],
            "n": "60",
            "r": [f"{0.22 + 0.1 * ((i % 3) - 1) * (i < 78):.2f}" for i in numbers],
            "treatment": "",
            "alliance_measure": "WAI",
            "alliance_rater": ["client" if i % 2 else "therapist" for i in numbers],
            "outcome_measure": "",
            "outcome_rater": "",
            "time": "early",
            "published": ["yes" if i < 58 else "no" for i in numbers],
            "locator": "made up for a test",
        }
    )


def filled(folder: Path, frame: pd.DataFrame, name: str = "form.csv") -> Path:
    path = folder / name
    frame.to_csv(path, index=False) if path.suffix == ".csv" else frame.to_excel(path, index=False)
    return path


def problems(found: Installation) -> set[tuple[str, str]]:
    return set(zip(found.problems["row"], found.problems["column"], strict=True))


# Forms


@pytest.mark.parametrize("name", am.datasets.templates())
def test_a_form_has_the_columns_of_its_description_and_a_guide_that_explains_each(name: str, tmp_path: Path) -> None:
    form = am.datasets.template(name, tmp_path / "form.csv")
    about = am.datasets.described(name)
    assert pd.read_csv(form).columns.tolist() == [column.name for column in about.columns]
    guide = (tmp_path / "form-guide.md").read_text()
    assert about.source is not None
    assert about.source.reference in guide
    for column in about.columns:
        assert f"| {column.name} |" in guide
        assert column.description in guide
    for item in about.aggregates:
        assert item.value in guide


def test_a_workbook_has_form_and_guide_as_sheets(tmp_path: Path) -> None:
    form = am.datasets.template("horvath2011", tmp_path / "form.xlsx")
    book = openpyxl.load_workbook(form)
    assert book.sheetnames == ["studies", "guide", "checked against"]
    assert [cell.value for cell in book["studies"][1]][:4] == ["effect_id", "study", "label", "year"]
    assert book["studies"].max_row == 1
    said = [row[0].value for row in book["checked against"]]
    assert said[1:] == ["190 effects (abstract)", "more than 14000 patients (abstract)", "r = 0.275 overall (abstract)"]


def test_a_form_never_overwrites(tmp_path: Path) -> None:
    am.datasets.template("martin2000", tmp_path / "form.csv")
    with pytest.raises(OutputError, match=r"form\.csv and .*form-guide\.md is there already"):
        am.datasets.template("martin2000", tmp_path / "form.csv")
    am.datasets.template("martin2000", tmp_path / "form.csv", replace=True)
    with pytest.raises(InputError, match=r"neither \.csv nor \.xlsx"):
        am.datasets.template("martin2000", tmp_path / "form.ods")
    with pytest.raises(UnknownNameError, match=r"unknown template 'kolden2011'"):
        am.datasets.template("kolden2011", tmp_path / "other.csv")


# Without the table


def test_what_is_not_installed_says_how_to_install_it(kept: Path) -> None:
    with pytest.raises(NeedsDataError, match=r"Martin, Garske & Davis \(2000\) is not shipped.*datasets\.install"):
        am.datasets.load("martin2000")
    assert "martin2000" not in am.datasets.names()
    row = am.datasets.catalog().loc["martin2000"]
    assert (row["kind"], row["rows"]) == ("template", 0)
    result = am.reproductions.reproduce("martin2000-overall")
    assert {(row.tier, row.verdict, row.surprise) for row in result.comparisons} == {
        ("needs data", "needs data", False)
    }
    assert "datasets.template('martin2000'" in result.comparisons[0].why
    assert not kept.exists()


# With it


@pytest.mark.parametrize("name", ["form.csv", "form.xlsx"])
def test_a_table_that_passes_is_kept_and_used(name: str, tmp_path: Path, kept: Path) -> None:
    found = am.datasets.install("martin2000", filled(tmp_path, made_up(), name))
    assert found.ok, str(found)
    assert not found.forced
    assert found.folder == kept / "datasets" / "martin2000"
    assert found.aggregates["agrees"].all()
    assert found.aggregates["found"].tolist()[:3] == ["79", "58", "21"]
    assert "Every check passed." in str(found)

    dataset = am.datasets.load("martin2000")
    assert len(dataset.table) == 79
    assert dataset.table.loc[0, "label"] == "Study & “0”, Ltd"
    assert dataset.table.loc[0, "effect_id"] == "study0-1"
    assert dataset.caveat == ""
    assert f"from {name}" in dataset.provenance.installed
    assert "by the user" in str(dataset.provenance)
    assert am.datasets.catalog().loc["martin2000", "rows"] == 79
    assert "martin2000" in am.datasets.names()

    result = am.reproductions.reproduce("martin2000-overall")
    assert {row.tier for row in result.comparisons} == {"recomputed"}
    by = {row.quantity: row for row in result.comparisons}
    assert by["k"].verdict == "match"
    assert by["estimate"].recomputed == pytest.approx(0.22, abs=0.01)


def test_effects_several_a_study_get_names(tmp_path: Path, kept: Path) -> None:
    frame = made_up()
    frame.loc[1, "study"] = "study0"
    found = am.datasets.install("martin2000", filled(tmp_path, frame), force=True)
    assert found.folder is not None
    assert am.datasets.load("martin2000").table["effect_id"].tolist()[:3] == ["study0-1", "study0-2", "study2-1"]


def test_what_is_off_is_named_row_by_row_and_nothing_is_kept(tmp_path: Path, kept: Path) -> None:
    frame = made_up()
    frame.loc[3, "r"] = "1.20"
    frame.loc[4, "n"] = "forty"
    frame.loc[5, "alliance_rater"] = "clent"
    frame.loc[6, "locator"] = ""
    frame.loc[7, "year"] = "1999.5"
    found = am.datasets.install("martin2000", filled(tmp_path, frame), force=True)
    assert problems(found) == {("5", "r"), ("6", "n"), ("7", "alliance_rater"), ("8", "locator"), ("9", "year")}
    said = found.problems.set_index("column")["problem"]
    assert said["r"] == "1.20 lies outside -1 to 1"
    assert said["n"] == "'forty' is no whole number"
    assert said["alliance_rater"] == "'clent' is not one of 'client', 'therapist', 'observer' and 'other'"
    assert said["locator"] == "is empty, but needed"
    assert said["year"] == "'1999.5' is no whole number"
    assert found.folder is None
    assert not kept.exists()


def test_published_numbers_that_do_not_come_out_are_named(tmp_path: Path, kept: Path) -> None:
    frame = made_up().iloc[:-1]
    frame["r"] = "0.40"
    found = am.datasets.install("martin2000", filled(tmp_path, frame))
    assert found.folder is None
    assert not found.aggregates.set_index("published").loc["79 studies (abstract)", "agrees"]
    assert any("found 0.400 (" in text for text in found.problems["problem"])
    assert "Not kept" in str(found)
    with pytest.raises(NeedsDataError):
        am.datasets.load("martin2000")

    forced = am.datasets.install("martin2000", filled(tmp_path, frame), force=True)
    assert forced.forced
    dataset = am.datasets.load("martin2000")
    assert dataset.caveat.startswith(CAVEAT)
    effects = am.effect_sizes(dataset)
    for view in (repr(effects), str(am.pool(effects)), am.pool(effects)._repr_html_()):
        assert CAVEAT in " ".join(view.split())


def test_columns_are_checked(tmp_path: Path, kept: Path) -> None:
    frame = made_up().drop(columns=["n"]).rename(columns={"time": "tmie"})
    found = am.datasets.install("martin2000", filled(tmp_path, frame), force=True)
    assert ("", "n") in problems(found)
    assert ("", "tmie") in problems(found)
    assert found.folder is None


def test_a_wrong_sign_or_a_repeated_row_is_seen(tmp_path: Path, kept: Path) -> None:
    frame = made_up()
    frame["effect_id"] = "same"
    found = am.datasets.install("martin2000", filled(tmp_path, frame))
    assert sum("stands more than once" in text for text in found.problems["problem"]) == 78


def test_an_empty_form_is_no_table(tmp_path: Path, kept: Path) -> None:
    form = am.datasets.template("martin2000", tmp_path / "form.csv")
    found = am.datasets.install("martin2000", form, force=True)
    assert found.problems["problem"].tolist() == ["the form has no rows"]
    assert found.folder is None


def test_a_part_has_its_own_published_numbers(tmp_path: Path, kept: Path) -> None:
    frame = made_up().assign(format=["internet" if i < 23 else "face-to-face" for i in range(79)])
    found = am.datasets.install("fluckiger2018", filled(tmp_path, frame))
    said = found.aggregates.set_index("published")
    assert said.loc["23 effects where format is internet (abstract)", "agrees"]
    assert not said.loc["295 studies (abstract)", "agrees"]


def test_a_new_table_takes_the_place_of_the_old_one(tmp_path: Path, kept: Path) -> None:
    am.datasets.install("martin2000", filled(tmp_path, made_up()))
    frame = made_up().assign(treatment="other")
    am.datasets.install("martin2000", filled(tmp_path, frame))
    assert set(am.datasets.load("martin2000").table["treatment"]) == {"other"}
    assert [path.name for path in (kept / "datasets").iterdir()] == ["martin2000"]


def test_a_kept_table_that_was_changed_is_refused(tmp_path: Path, kept: Path) -> None:
    found = am.datasets.install("martin2000", filled(tmp_path, made_up()))
    assert found.folder is not None
    path = found.folder / "effects.csv"
    path.write_text(path.read_text().replace("0.22", "0.92", 1))
    with pytest.raises(DataFileError, match="is not the file that"):
        am.datasets.load("martin2000")


# The command line


def test_template_and_install_on_the_command_line(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> int:
        monkeypatch.setattr("sys.argv", ["alliance-meta", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    form = tmp_path / "form.csv"
    assert run("template", "martin2000", str(form)) == 0
    assert "alliance-meta install martin2000" in " ".join(capsys.readouterr().out.split())
    assert run("install", "martin2000", str(form)) == 1
    made_up().to_csv(form, index=False)
    assert run("install", "martin2000", str(form)) == 0
    assert "Every check passed." in capsys.readouterr().out
    assert run("template", "martin2000", str(form)) == 2
    assert "is there already" in capsys.readouterr().err
