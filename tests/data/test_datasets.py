"""Every shipped data set against its own description, and what a damaged one is refused for."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

import alliance_meta as am
from alliance_meta.datasets import _catalog, _locate
from alliance_meta.datasets._provenance import KINDS
from alliance_meta.errors import DataFileError, UnknownNameError
from alliance_meta.studies import ROLES

ROOT = Path(__file__).parents[2]
DATA = ROOT / "data"
NAMES = am.datasets.names()
DOI = re.compile(r"10\.\d{4,9}/\S+")


def text_of(name: str, file: str) -> str:
    return (DATA / "datasets" / name / file).read_bytes().decode("utf-8")


# What is shipped


def test_these_data_sets_are_shipped() -> None:
    assert NAMES == [
        "alliance_abstracts",
        "benish2011",
        "farber_doolin2011",
        "farber_doolin2011_effects",
        "kolden2011",
        "munder2012",
        "relationship_meta_analyses",
    ]
    assert am.datasets.catalog().index.tolist() == sorted(NAMES + am.datasets.templates())


def test_a_checkout_has_no_second_copy_of_its_data() -> None:
    assert not (ROOT / "src" / "alliance_meta" / "_data").exists()


@pytest.mark.parametrize(
    ("name", "rows", "measure"),
    # Numbers of effects in the abstracts: Kolden et al. (2011) also 863 people; Maassen et al. (2020) list the others.
    [
        ("kolden2011", 16, "ZCOR"),
        ("farber_doolin2011", 18, "ZCOR"),
        ("benish2011", 21, "SMD"),
        ("munder2012", 29, "SMD"),
    ],
)
def test_a_data_set_has_as_many_effects_as_its_publication(name: str, rows: int, measure: str) -> None:
    fit = am.pool(am.effect_sizes(am.datasets.load(name), measure=measure))
    assert (fit.k, len(am.datasets.load(name).table), am.datasets.catalog().loc[name, "rows"]) == (rows, rows, rows)


def test_kolden2011_has_863_people() -> None:
    assert am.effect_sizes(am.datasets.load("kolden2011")).n == 863.0  # abstract of Kolden et al. (2011)


@pytest.mark.parametrize("name", NAMES)
def test_a_data_set_is_what_its_description_says(name: str) -> None:
    dataset = am.datasets.load(name)
    about, table = dataset.provenance, dataset.table
    assert about.id == name
    assert about.kind in KINDS
    assert about.sha256 == hashlib.sha256(text_of(name, "effects.csv").encode()).hexdigest()
    assert [column.name for column in about.columns] == [*table.columns]
    assert table["effect_id"].is_unique
    assert not table["locator"].str.strip().eq("").any()
    assert {*dataset.roles} <= {*ROLES}
    assert {column.role for column in about.columns if column.role} == {*dataset.roles}
    for column in about.columns:
        assert column.description.endswith("."), column.name
        if column.type == "text":
            assert not column.choices or set(table[column.name]) <= {*column.choices, ""}
        else:
            cells = pd.to_numeric(table[column.name]).dropna()
            assert cells.between(column.minimum, column.maximum).all(), column.name
            assert column.type == "number" or (cells % 1 == 0).all(), column.name
        if column.required:
            assert not table[column.name].isna().any(), column.name
            assert not table[column.name].astype(str).eq("").any(), column.name
    assert dataset.caveat == ""
    assert re.match(rf"{about.version} \(\d{{4}}-\d\d-\d\d\): .", about.revisions[-1])
    assert [int(line.split()[0]) for line in about.revisions] == [*range(1, about.version + 1)]


@pytest.mark.parametrize("name", NAMES)
def test_every_deviation_is_a_cell_and_can_be_undone(name: str) -> None:
    used, printed = am.datasets.load(name), am.datasets.load(name, as_printed=True)
    deviating = {(item.row, item.column): item for item in used.provenance.deviations}
    assert len(deviating) == len(used.provenance.deviations)
    for (row, column), item in deviating.items():
        assert used.cell(row, column) == item.used != item.printed == printed.cell(row, column)
        assert item.reason.endswith(".")
        for text in (item.used, item.printed, item.reason):
            assert text in str(used.provenance).replace("\n", " ").replace("             ", "")
    ids, columns = used.table["effect_id"], used.table.columns
    differ = (used._cells != printed._cells).to_numpy()
    assert {(ids[i], columns[j]) for i, j in zip(*differ.nonzero(), strict=True)} == {*deviating}


def test_what_deviates_from_the_sources() -> None:
    deviations = {
        (name, item.row, item.column, item.printed, item.used)
        for name in NAMES
        for item in am.datasets.load(name).provenance.deviations
    }
    assert deviations == {
        ("benish2011", "szapocznik1986", "year", "1996", "1986"),
        ("farber_doolin2011", "litter2004", "n", "8", "48"),
        (
            "kolden2011",
            "maramarosh2009",
            "primary_doi",
            "0022-0167/09/$12.00 DOI: 10.1037/a0015169",
            "10.1037/a0015169",
        ),
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_file_is_plain_utf8_csv_that_its_cells_write_again(name: str) -> None:
    dataset = am.datasets.load(name)
    again = io.StringIO()
    writer = csv.writer(again, lineterminator="\n")
    writer.writerow(dataset._cells.columns)
    writer.writerows(dataset._cells.itertuples(index=False))
    assert again.getvalue() == text_of(name, "effects.csv")


@pytest.mark.parametrize("path", sorted(DATA.rglob("*")), ids=lambda path: path.relative_to(DATA).as_posix())
def test_every_data_file_is_utf8_with_unix_lines_and_no_private_path(path: Path) -> None:
    if path.is_dir():
        assert any(path.iterdir())
        return
    raw = path.read_bytes()
    text = raw.decode("utf-8")
    assert b"\r" not in raw
    assert raw.endswith(b"\n")
    assert not raw.startswith(b"\xef\xbb\xbf")
    assert not re.search(r"shared/facts|/work/|/home/|/tmp/", text)
    assert [link for link in re.findall(r"https?://\S*", text) if not link.startswith("https://doi.org/10.")] == []
    assert "sci-hub" not in text


@pytest.mark.parametrize("name", NAMES)
def test_every_identifier_called_doi_is_one(name: str) -> None:
    table = am.datasets.load(name).table
    found = {(column, doi) for column in table.columns if "doi" in column for doi in table[column] if doi}
    assert {(column, doi) for column, doi in found if not DOI.fullmatch(doi)} == set()


def test_references_are_complete() -> None:
    references = am.datasets.references()
    for key, reference in references.items():
        assert reference.key == key
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*(\d{4}|_nd)(_[a-z]+)?", key), key
        assert reference.short
        assert reference.reference.endswith((".", ".)")), key
        assert reference.doi == "" or DOI.fullmatch(reference.doi), key
    with_doi = [reference.doi for reference in references.values() if reference.doi]
    assert len(with_doi) == len({doi.lower() for doi in with_doi})
    raw = tomllib.loads((DATA / "references.toml").read_text(encoding="utf-8"))
    assert [key for key, body in raw.items() if ("doi" in body) != ("doi_seen" in body)] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_citation_is_a_reference(name: str) -> None:
    references = am.datasets.references()
    source = tomllib.loads(text_of(name, "dataset.toml"))["source"]
    about = am.datasets.load(name).provenance
    for key, found in (("citation", about.source), ("via", about.via)):
        assert found == (references[source[key]] if key in source else None)


# The table of published pooled estimates


def test_estimates_name_their_publication_and_its_doi() -> None:
    references, table = am.datasets.references(), am.datasets.load("relationship_meta_analyses").table
    for row in table.to_dict("records"):
        assert row["study"] in references, row
        assert row["doi"] == references[row["study"]].doi, row
        assert row["label"] == references[row["study"]].short, row
        assert row["effect_id"].startswith(f"{row['study']}-"), row


def test_estimates_that_restate_another_point_at_one_that_does_not() -> None:
    table = am.datasets.load("relationship_meta_analyses").table.set_index("effect_id")
    restating = table[table["restates"] != ""]
    assert len(restating) > 0
    for name, row in restating.iterrows():
        target = table.loc[row["restates"]]
        assert target["restates"] == "", name
        assert target["study"] == row["study"], name
        assert target["metric"] != row["metric"], name


def test_flagged_estimates_say_why() -> None:
    table = am.datasets.load("relationship_meta_analyses").table
    flagged = table[table["flag"] != ""]
    assert len(flagged) > 0
    assert flagged[flagged["note"].str.len() < 10]["effect_id"].tolist() == []


def test_intervals_are_in_order_hold_their_estimate_and_have_a_kind() -> None:
    table = am.datasets.load("relationship_meta_analyses").table
    has = table["ci_low"].notna()
    assert (has == table["ci_high"].notna()).all()
    assert (has == (table["interval"] != "")).all()
    bounded = table[has]
    assert (bounded["ci_low"] <= bounded["ci_high"]).all()
    outside = bounded[~bounded["estimate"].between(bounded["ci_low"], bounded["ci_high"])]
    assert outside[outside["flag"] != "odd"]["effect_id"].tolist() == []


def test_estimates_are_possible_in_their_metric() -> None:
    table = am.datasets.load("relationship_meta_analyses").table
    assert table[table["metric"] == "r"]["estimate"].abs().lt(1.0).all()
    assert table[table["metric"] == "variance_share"]["estimate"].between(0.0, 1.0).all()
    assert table[table["metric"] == "OR"]["estimate"].gt(0.0).all()
    both = table[table["k"].notna() & table["k_studies"].notna()]
    assert both[both["k_studies"] > both["k"]]["effect_id"].tolist() == []


# Looking things up


@pytest.mark.parametrize(
    ("asked", "hint"), [("kolden", "kolden2011"), ("Kolden2011", "kolden2011"), ("farber2011", "farber_doolin2011")]
)
def test_an_unknown_data_set_gets_the_nearest_one(asked: str, hint: str) -> None:
    first = "'alliance_abstracts', 'benish2011'"
    with pytest.raises(
        UnknownNameError, match=rf"^unknown data set '{asked}'\. Did you mean '{hint}'\? Known: {first}"
    ):
        am.datasets.load(asked)


def test_a_cell_is_given_as_its_file_writes_it() -> None:
    dataset = am.datasets.load("relationship_meta_analyses")
    assert dataset.cell("levy2011-anxiety", "estimate") == "-0.460"  # three decimals, as the row in the file
    assert dataset.cell("martin2000-overall", "ci_low") == ""
    with pytest.raises(UnknownNameError, match=r"^unknown row of kolden2011 'truax'\. Did you mean 'truax"):
        am.datasets.load("kolden2011").cell("truax", "n")
    with pytest.raises(UnknownNameError, match=r"^unknown column of kolden2011 'N'\. Did you mean 'n'\?"):
        am.datasets.load("kolden2011").cell("truax1966", "N")


def test_a_data_set_cannot_be_changed_from_outside() -> None:
    dataset = am.datasets.load("kolden2011")
    table = dataset.table
    table.loc[:, "r"] = 0.9
    assert dataset.table["r"].max() == am.datasets.load("kolden2011").table["r"].max() == 0.69  # Hansen et al. (1968)
    with pytest.raises(TypeError, match="does not support item assignment"):
        dataset.roles["r"] = "n"  # type: ignore[index]


def test_what_a_data_set_prints() -> None:
    dataset = am.datasets.load("kolden2011")
    assert repr(dataset) == "<Dataset 'kolden2011': 16 rows, second-hand>"
    for view in (str(dataset), dataset._repr_html_()):
        assert "Hansen et al., 1968" in view
        assert "second-hand: copied from a source that copied the publication" in view


# Damaged copies


@dataclass
class Copy:
    """A copy of ``data/`` that the library reads instead."""

    folder: Path

    def file(self, name: str, file: str) -> Path:
        return self.folder / "datasets" / name / file

    def edit(self, name: str, file: str, old: str, new: str) -> None:
        path = self.file(name, file)
        text = path.read_bytes().decode("utf-8")
        assert text.count(old) >= 1, f"{old!r} is not in {path}"
        self.write(name, file, text.replace(old, new, 1).encode())

    def write(self, name: str, file: str, raw: bytes) -> None:
        self.file(name, file).write_bytes(raw)
        if file == "effects.csv":
            toml = self.file(name, "dataset.toml")
            digest = hashlib.sha256(raw).hexdigest()
            text = re.sub(r'sha256 = "\w+"', f'sha256 = "{digest}"', toml.read_text(encoding="utf-8"))
            toml.write_text(text, encoding="utf-8")


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Copy:
    folder = tmp_path / "data"
    shutil.copytree(DATA / "datasets", folder / "datasets")
    shutil.copy(DATA / "references.toml", folder)
    monkeypatch.setattr(_catalog, "data_folder", lambda: folder)
    return Copy(folder)


def test_an_unharmed_copy_loads(copy: Copy) -> None:
    copy.edit("kolden2011", "effects.csv", "1973,150,0.24", "1973,150,0.25")  # with its new hash
    assert am.datasets.load("kolden2011").cell("althay1973", "r") == "0.25"


def test_a_wrong_hash_is_refused(copy: Copy) -> None:
    path = copy.file("kolden2011", "effects.csv")
    path.write_bytes(path.read_bytes().replace(b"0.24", b"0.25", 1))
    message = (
        r"kolden2011.effects\.csv is not the file that dataset\.toml describes: its sha256 is \w{64}, expected f8b576"
    )
    with pytest.raises(DataFileError, match=message):
        am.datasets.load("kolden2011")


def test_a_missing_table_is_refused(copy: Copy) -> None:
    copy.file("kolden2011", "effects.csv").unlink()
    with pytest.raises(DataFileError, match=r"kolden2011.effects\.csv cannot be read: .*No such file"):
        am.datasets.load("kolden2011")


def test_a_missing_list_of_references_is_refused(copy: Copy) -> None:
    (copy.folder / "references.toml").unlink()
    with pytest.raises(DataFileError, match=r"references\.toml cannot be read: .*No such file"):
        am.datasets.load("kolden2011")


TOML = r"kolden2011.dataset\.toml"
DESCRIPTIONS: dict[str, tuple[str, str, str]] = {
    "no toml": ('id = "kolden2011"', "id = ", rf"{TOML} cannot be read: .*line 2"),
    "unknown key": ("licence =", "license =", rf"{TOML} has an unknown key 'license'\. Did you mean 'licence'\?"),
    "unknown key of a column": (
        "minimum = 1900",
        "minimun = 1900",
        rf"^\[columns\.year\] of .*{TOML} has an unknown key 'minimun'\. Did you mean 'minimum'\?",
    ),
    "unknown key of the source": ("locator = ", "locators = ", rf"^\[source\] of .*{TOML} .*'locators'\. Did you"),
    "missing key": ('licence = "CC0-1.0"\n', "", rf"{TOML} lacks 'licence'$"),
    "missing key of a column": ('type = "number"\n', "", rf"^\[columns\.r\] of .*{TOML} lacks 'type'$"),
    "missing locator": ("locator = ", "via2 = ", rf"^\[source\] of .*{TOML}"),
    "wrong type": ("\nversion = 1\n", '\nversion = "1"\n', rf"{TOML}: 'version' must be of type int, not str$"),
    "wrong type of a column": (
        "minimum = 1900",
        'minimum = "1900"',
        rf"^\[columns\.year\] of .*{TOML}: 'minimum' must be of type int or float, not str$",
    ),
    "unknown kind": (
        'kind = "second-hand"',
        'kind = "hearsay"',
        rf"{TOML}: kind 'hearsay' is not one of 'transcribed', ",
    ),
    "unknown role": (
        'role = "r"',
        'role = "rho"',
        rf"^\[columns\.r\] of .*{TOML}: role 'rho' is not one of 'effect_id', ",
    ),
    "unknown column type": (
        'type = "number"',
        'type = "real"',
        rf"{TOML}: type 'real' is not one of 'text', 'integer' and",
    ),
    "unknown citation": (
        'citation = "kolden2011"',
        'citation = "x1"',
        rf"{TOML} cites 'x1', which is not in references\.toml",
    ),
    "unknown via": ('via = "maassen2020"', 'via = "x2"', rf"{TOML} cites 'x2', which is not in references\.toml"),
    "id of another folder": (
        'id = "kolden2011"',
        'id = "kolden"',
        rf"{TOML}: id 'kolden' must be the name of its folder",
    ),
    "later schema": ("schema_version = 1", "schema_version = 2", rf"{TOML}.*schema_version"),
    "two columns of one role": ('role = "label"', 'role = "study"', rf"{TOML}.*role 'study'"),
}


@pytest.mark.parametrize(("old", "new", "message"), DESCRIPTIONS.values(), ids=[*DESCRIPTIONS])
def test_a_damaged_description_is_refused(copy: Copy, old: str, new: str, message: str) -> None:
    copy.edit("kolden2011", "dataset.toml", old, new)
    with pytest.raises(DataFileError, match=f"(?s){message}"):
        am.datasets.load("kolden2011")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('row = "litter2004"', 'row = "little2004"', "a deviation points at little2004, n, which is no cell$"),
        ('column = "n"', 'column = "N"', "a deviation points at litter2004, N, which is no cell$"),
        ('used = "48"', 'used = "47"', "a deviation says litter2004, n is '47', but the cell holds '48'$"),
        ('used = "48"', "used = 48", r"^\[\[deviation\]\] of .*dataset\.toml: 'used' must be of type str, not int$"),
        ("reason =", "why =", r"^\[\[deviation\]\] of .*dataset\.toml has an unknown key 'why'"),
    ],
)
def test_a_damaged_deviation_is_refused(copy: Copy, old: str, new: str, message: str) -> None:
    copy.edit("farber_doolin2011", "dataset.toml", old, new)
    with pytest.raises(DataFileError, match=message) as caught:
        am.datasets.load("farber_doolin2011")
    assert "farber_doolin2011" in str(caught.value)


BREAKS = "kolden2011: column '{}' breaks its description in rows {}$"
TABLES: dict[str, tuple[str, str, str]] = {
    "repeated id": ("\nbuckley1981,", "\nalthay1973,", r"effects\.csv: effect_id 'althay1973' stands more than once$"),
    "r of 1.24": (",150,0.24,", ",150,1.24,", BREAKS.format("r", r"althay1973 \('1\.24'\)")),
    "n of 3": (",150,0.24,", ",3,0.24,", BREAKS.format("n", r"althay1973 \('3'\)")),
    "n of 150.5": (",150,0.24,", ",150.5,0.24,", BREAKS.format("n", r"althay1973 \('150\.5'\)")),
    "r in words": (",150,0.24,", ",150,high,", BREAKS.format("r", r"althay1973 \('high'\)")),
    "infinite r": (",150,0.24,", ",150,inf,", BREAKS.format("r", r"althay1973 \('inf'\)")),
    "empty r": (",150,0.24,", ",150,,", BREAKS.format("r", r"althay1973 \(''\)")),
    "empty label": ('"Althay, 1973"', "", BREAKS.format("label", r"althay1973 \(''\)")),
    "empty locator": (",data-per-ma/kolden_complete.csv\n", ",\n", BREAKS.format("locator", r"althay1973 \(''\)")),
    "columns in another order": (
        "study,label,",
        "label,study,",
        r"effects\.csv has columns 'effect_id', 'label', 'study'",
    ),
    "column too few": (",locator\n", "\n", r"effects\.csv"),
    "column of another name": (",r,n_rechecked", ",rho,n_rechecked", r"effects\.csv has columns .*; expected .*'r'"),
    "first row too long": ("kolden_complete.csv\n", "kolden_complete.csv,more\n", r"effects\.csv"),
    "last row too long": (",1971,43,", ",1971,43,43,", r"effects\.csv"),
    "row too short": (",data-per-ma/kolden_complete.csv\n", "\n", "kolden2011"),
}


@pytest.mark.parametrize(("old", "new", "message"), TABLES.values(), ids=[*TABLES])
def test_a_damaged_table_is_refused_even_with_its_new_hash(copy: Copy, old: str, new: str, message: str) -> None:
    copy.edit("kolden2011", "effects.csv", old, new)
    with pytest.raises(DataFileError, match=message):
        am.datasets.load("kolden2011")


def test_all_cells_that_break_a_description_are_named(copy: Copy) -> None:
    copy.edit("kolden2011", "effects.csv", ",150,0.24,", ",150,1.24,")
    copy.edit("kolden2011", "effects.csv", ",71,0.06,", ",71,-6,")
    with pytest.raises(
        DataFileError, match=r"'r' breaks its description in rows althay1973 \('1\.24'\), buckley1981 \('-6'\)$"
    ):
        am.datasets.load("kolden2011")


def test_a_word_outside_the_choices_is_refused(copy: Copy) -> None:
    copy.edit("relationship_meta_analyses", "effects.csv", ",r,0.26,", ",R,0.26,")
    with pytest.raises(
        DataFileError, match=r"column 'metric' breaks its description in rows horvath_symonds1991-overall \('R'\)"
    ):
        am.datasets.load("relationship_meta_analyses")


@pytest.mark.parametrize(
    "raw", [b"", b"\xff\xfe\x00", "effect_id,größe\n".encode("latin-1")], ids=["empty", "bytes", "latin-1"]
)
def test_a_file_that_is_no_utf8_table_is_refused(copy: Copy, raw: bytes) -> None:
    copy.write("kolden2011", "effects.csv", raw)
    with pytest.raises(DataFileError, match=r"effects\.csv"):
        am.datasets.load("kolden2011")


def test_a_table_without_effect_ids_is_refused(copy: Copy) -> None:
    path = copy.file("kolden2011", "dataset.toml")
    text = path.read_text(encoding="utf-8")
    start, end = text.index("[columns.effect_id]"), text.index("[columns.study]")
    path.write_text(text[:start] + text[end:], encoding="utf-8")
    rows = list(csv.reader(io.StringIO(copy.file("kolden2011", "effects.csv").read_text(encoding="utf-8"))))
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(row[1:] for row in rows)
    copy.write("kolden2011", "effects.csv", out.getvalue().encode())
    with pytest.raises(DataFileError, match="effect_id"):
        am.datasets.load("kolden2011")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("short =", "brief =", r"^\[\w+\] of .*references\.toml has an unknown key 'brief'"),
        ("short = ", 'short = 1\n# "', r"references\.toml: 'short' must be of type str, not int$"),
        ('doi = "', "doi = ", r"references\.toml cannot be read: "),
    ],
)
def test_damaged_references_are_refused(copy: Copy, old: str, new: str, message: str) -> None:
    path = copy.folder / "references.toml"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DataFileError, match=message):
        am.datasets.references()


def test_missing_data_say_where_they_were_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_locate, "files", lambda name: tmp_path / "src" / name)
    with pytest.raises(
        DataFileError, match=r"^the library's data are missing: neither .*_data nor a checkout's data/ exists$"
    ):
        _locate.data_folder()
    (tmp_path / "data" / "datasets").mkdir(parents=True)
    assert _locate.data_folder() == tmp_path / "data"
    (tmp_path / "src" / "alliance_meta" / "_data" / "datasets").mkdir(parents=True)
    assert _locate.data_folder() == tmp_path / "src" / "alliance_meta" / "_data"


# Simulated data say so


def test_a_simulated_data_set_says_so_wherever_it_is_shown(copy: Copy) -> None:
    folder = copy.folder / "datasets" / "made_up"
    folder.mkdir()
    table = b"effect_id,r,n,locator\na,0.1,40,seed 1\nb,0.3,50,seed 1\nc,0.2,60,seed 1\n"
    (folder / "effects.csv").write_bytes(table)
    (folder / "dataset.toml").write_text(
        f"""
schema_version = 1
id = "made_up"
version = 1
title = "Made up in a test"
kind = "simulated"
licence = "CC0-1.0"
sha256 = "{hashlib.sha256(table).hexdigest()}"
description = "Three correlations."
source = {{ locator = "this test" }}
columns.effect_id = {{ type = "text", role = "effect_id", required = true, description = "Row." }}
columns.r = {{ type = "number", role = "r", required = true, description = "Correlation." }}
columns.n = {{ type = "integer", role = "n", required = true, description = "People." }}
columns.locator = {{ type = "text", required = true, description = "Where." }}
revision = [{{ version = 1, date = 2026-01-02, note = "First." }}]
""",
        encoding="utf-8",
    )
    dataset = am.datasets.load("made_up")
    effects = am.effect_sizes(dataset)
    fit = am.pool(effects)
    views = (repr(dataset), str(dataset), dataset._repr_html_(), str(dataset.provenance))
    assert all("simulated" in view for view in views)
    row = am.datasets.catalog().loc["made_up"].to_dict()
    assert (row["kind"], row["publication"]) == ("simulated", "each row names its own")
    assert dataset.caveat == "Simulated data: made by a program, not from real studies."
    for view in (str(effects), effects._repr_html_(), str(fit), fit._repr_html_(), fit.to_apa(), fit.to_r()):
        assert dataset.caveat in view
