"""The page of all findings: self-contained, well-formed, honest, and never written over someone else's file."""

from __future__ import annotations

import base64
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

import alliance_meta as am
from alliance_meta import reports
from alliance_meta.datasets import Dataset
from alliance_meta.errors import OutputError
from alliance_meta.reproductions import Comparison, Reproduction

VOID = {"meta", "img", "br", "link", "hr"}


class _Parser(HTMLParser):
    """Collects tags and text, and checks that tags close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def _parse(page: str) -> _Parser:
    parser = _Parser()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


@pytest.fixture(scope="module")
def results() -> list[Reproduction]:
    return [am.reproductions.reproduce(name) for name in am.reproductions.names()]


@pytest.fixture(scope="module")
def page(results: list[Reproduction]) -> str:
    return reports.render_report(results)


def test_page_is_well_formed_and_self_contained(page: str) -> None:
    parsed = _parse(page)
    assert not [tag for tag, _ in parsed.tags if tag in {"script", "link", "iframe"}]
    sources = [attrs["src"] or "" for tag, attrs in parsed.tags if tag == "img"]
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert not re.search(r"url\(|@import", page)
    links = [attrs["href"] or "" for tag, attrs in parsed.tags if tag == "a"]
    assert all(link.startswith(("#", "https://doi.org/")) for link in links)


def test_each_study_level_finding_has_its_section(page: str, results: list[Reproduction]) -> None:
    parsed = _parse(page)
    ids = [attrs.get("id") for tag, attrs in parsed.tags if tag == "section"]
    alts = [attrs["alt"] or "" for tag, attrs in parsed.tags if tag == "img"]
    text = " ".join(parsed.text.split())
    fitted = [result for result in results if result.fits]
    assert len(fitted) == 5
    for result in fitted:
        assert result.dataset is not None
        about = result.dataset.provenance
        assert result.id in ids
        assert sum(result.title + ":" in alt for alt in alts) == 2
        assert " ".join(result.fits[0][1].to_apa().split()) in text
        assert about.sha256 in text
        assert about.locator in text
        assert all(" ".join(item.reason.split()) in text for item in about.deviations)
    assert "Litter (2004)" in text


def test_every_number_is_in_the_table(page: str, results: list[Reproduction]) -> None:
    text = " ".join(_parse(page).text.split())
    rows = [row for result in results for row in result.comparisons]
    assert f"{len(rows)} published numbers" in text
    for row in rows:
        assert " ".join(row.why.split()) in text
        assert row.label in text


def test_pictures_are_drawings_with_text(page: str) -> None:
    addresses = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', page)
    assert len(addresses) == 10
    first = base64.b64decode(addresses[0]).decode("utf-8")
    assert "Banks (1998)" in first


def test_page_is_the_same_each_time(page: str, results: list[Reproduction]) -> None:
    assert reports.render_report(results) == page


def test_nasty_labels_are_escaped() -> None:
    label = "<script>alert('x')</script> & \"Büchner\" 😀 שלום"
    frame = pd.DataFrame({"label": [label, "b", "c"], "r": [0.1, 0.2, 0.3], "n": [40, 50, 60]})
    fit = am.pool(am.effect_sizes(frame))
    shipped = am.datasets.load("kolden2011")
    dataset = Dataset(
        provenance=shipped.provenance, roles={"r": "r", "n": "n", "label": "label"}, _frame=frame, _cells=frame
    )
    row = Comparison(
        finding="x",
        title=label,
        source=label,
        locator=label,
        analysis="a",
        quantity="estimate",
        scale="r",
        label=label,
        published="0.2",
        recomputed=0.2,
        difference=0.0,
        tier="recomputed",
        verdict="match",
        why="",
        how="",
        detail=label,
    )
    made_up = Reproduction(
        id="x", title=label, source=label, comparisons=(row,), fits=(("a", fit),), dataset=dataset, as_printed=False
    )
    text = reports.render_report([made_up])
    parsed = _parse(text)
    assert "script" not in {tag for tag, _ in parsed.tags}
    assert parsed.text.count(label) >= 5


def test_simulated_data_say_so(results: list[Reproduction]) -> None:
    shipped = next(result for result in results if result.id == "kolden2011-congruence")
    assert shipped.dataset is not None
    caveat = "Simulated data: made by a program, not from real studies."
    simulated = Dataset(
        provenance=shipped.dataset.provenance,
        roles=shipped.dataset.roles,
        caveat=caveat,
        _frame=shipped.dataset.table,
        _cells=shipped.dataset.table,
    )
    fit = am.pool(am.effect_sizes(simulated))
    made_up = Reproduction(
        id="x",
        title="t",
        source="s",
        comparisons=shipped.comparisons,
        fits=(("a", fit),),
        dataset=simulated,
        as_printed=False,
    )
    assert caveat in reports.render_report([made_up])


def test_write_report_replaces_only_its_own(tmp_path: Path, results: list[Reproduction]) -> None:
    folder = tmp_path / "deep" / "report"
    page = reports.write_report(results[:1], folder)
    assert page == folder / "index.html"
    assert reports.write_report(results[:2], folder) == page
    page.write_text("<html>mine</html>", encoding="utf-8")
    with pytest.raises(OutputError, match="was not written by alliance_meta, so it is left alone"):
        reports.write_report(results[:1], folder)
    assert page.read_text(encoding="utf-8") == "<html>mine</html>"


def test_output_folder_that_is_a_file(tmp_path: Path, results: list[Reproduction]) -> None:
    (tmp_path / "taken").write_text("x", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be used as output folder"):
        reports.write_report(results[:1], tmp_path / "taken")


def test_unwritable_folder(tmp_path: Path, results: list[Reproduction], monkeypatch: pytest.MonkeyPatch) -> None:
    # os.access is replaced because tests may run as root, who may write anywhere.
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match=r"permission denied\. Choose another folder"):
        reports.write_report(results[:1], tmp_path)
    assert list(tmp_path.iterdir()) == []
