"""Reports of single analyses: every section for every kind of model, safe whatever labels say, the same each time."""

from __future__ import annotations

import base64
import builtins
import json
import re
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import alliance_meta as am
from alliance_meta import snapshot
from alliance_meta.errors import ConvergenceError, InputError, OutputError
from alliance_meta.reports import _assemble, report
from alliance_meta.reports._content import Code, Paragraph, Section, Table, numbered, runs
from alliance_meta.reports._kinds import Fit
from alliance_meta.reports._pictures import Picture, clean
from alliance_meta.reports._references import references

VOID = {"meta", "img", "br", "link", "hr"}
NASTY = [
    "<script>alert('x')</script>",
    'Müller & Søn "quoted" $5 and $6',
    "smile 😀 שלום (1999)",
    "W" * 400,
    "control \x0b\x00 characters",
    "</td></table><h1>p = .001",
]
SECTIONS = ("Method", "Results", "Figures", "Sensitivity", "Studies", "The same in R", "Session")


class _Parser(HTMLParser):
    """Collects tags and text, and checks that tags close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.cells: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in {"td", "th"}:
            self.cells.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if {"td", "th"} & set(self.open):
            self.cells[-1] += data

    @property
    def headings(self) -> list[str]:
        return [str(attrs["id"]) for tag, attrs in self.tags if tag == "section"]

    @property
    def flat(self) -> str:
        return " ".join(self.text.split())


def parsed(page: str) -> _Parser:
    parser = _Parser()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


def written(fit: Any, folder: Path, **options: Any) -> str:
    path = report(fit, folder / "report.html", replace=True, **options)
    return path.read_text(encoding="utf-8")


@cache
def farber() -> am.EffectSizes:
    return am.effect_sizes(am.datasets.load("farber_doolin2011_effects"))


@cache
def kolden() -> am.EffectSizes:
    return am.effect_sizes(am.datasets.load("kolden2011"))


def correlations() -> pd.DataFrame:
    return pd.DataFrame({"r": [0.05, 0.25, 0.5, 0.3], "n": [60, 150, 90, 40], "alpha": [0.7, 0.8, 0.9, 0.8], "u": 0.8})


KINDS: dict[str, tuple[Callable[[], Fit], tuple[str, ...]]] = {
    "pooled": (lambda: am.pool(kolden()), ("random-effects model", "Knapp-Hartung method", "profiling Q")),
    "equal": (lambda: am.pool(kolden(), tau2_method="EE", test="z"), ("equal-effects model", "I² from Q")),
    "weighted": (lambda: am.pool(kolden(), weights="n"), ("other weights (column 'n')",)),
    "regression": (
        lambda: am.meta_regression(farber(), "center(year) * predictor_rater"),
        ("mixed-effects model", "R²", "Mean effects by predictor_rater", "treats all as independent"),
    ),
    "genq": (lambda: am.meta_regression(kolden(), "year", tau2_method="GENQ", q_weights="n"), ("generalised Q",)),
    "subgroups": (
        lambda: am.subgroups(farber(), "predictor_rater"),
        ("in each group of predictor_rater", "Differences between groups", "common to the groups"),
    ),
    "separate": (
        lambda: am.subgroups(farber(), "predictor_rater", tau2="separate", tau2_method="EE"),
        ("an equal-effects model", "standard errors taken as known"),
    ),
    "multilevel": (
        lambda: am.multilevel(farber(), correlation=0.5),
        ("multilevel random-effects model of effects in studies", "correlated-and-hierarchical", "prediction interval"),
    ),
    "multilevel moderators": (
        lambda: am.multilevel(farber(), "predictor_rater"),
        ("with moderators (formula: predictor_rater)", "Of the model without moderators", "All moderators: F"),
    ),
    "crossed": (
        lambda: am.multilevel(farber(), crossed="outcome_rater"),
        ("crossed with groups of outcome_rater", "Of the model without crossed factors"),
    ),
    "multivariate": (
        lambda: am.multivariate(farber(), outcome="predictor_rater"),
        ("multivariate random-effects model", "unstructured", "Correlations of true effects"),
    ),
    "robust mean": (
        lambda: am.robust(am.pool(farber(), dependent="allow")),
        ("cluster-robust, by study (CR2", "not the cluster-robust one"),
    ),
    "robust regression": (
        lambda: am.robust(am.meta_regression(farber(), "predictor_rater", dependent="allow")),
        ("Hotelling's T²", "replace the tests and intervals of the working model"),
    ),
    "robust multilevel": (
        lambda: am.robust(am.multilevel(farber())),
        ("Variances of the working model: effect: τ² =", "Heterogeneity by level"),
    ),
    "location-scale": (
        lambda: am.location_scale(farber(), "predictor_rater", scale="center(year)"),
        ("location-scale model", "Logarithm of τ²", "likelihood-ratio test: χ²(1)"),
    ),
    "bare bones": (lambda: am.psychometric(correlations()), ("bare bones", "sampling error only")),
    "individual": (
        lambda: am.psychometric(correlations(), method="individual", reliability_x="alpha", reliability_y=0.8),
        ("individual corrections", "the reliability of x, the reliability of y"),
    ),
    "distribution": (
        lambda: am.psychometric(
            correlations(), method="artefact-distribution", reliability_x="alpha", u="u", restriction="direct",
            reliability_x_in="restricted",
        ),
        ("Raju & Burke", "range restriction"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_has_every_section(kind: str, tmp_path: Path) -> None:
    make, words = KINDS[kind]
    fit = make()
    page = written(fit, tmp_path)
    found = parsed(page)
    assert {name.lower().replace(" ", "-") for name in SECTIONS} <= set(found.headings)
    flat = found.flat
    for word in words:
        assert " ".join(word.split()) in flat, word
    if hasattr(fit, "to_apa"):
        assert " ".join(fit.to_apa().split()) in flat
    assert " ".join(fit.to_r().split()) in flat
    assert f"alliance_meta {am.__version__}" in flat
    assert "nan" not in re.sub(r"\W", " ", flat[: flat.index("The same in R")]).split()
    pictures = [attrs for tag, attrs in found.tags if tag == "img"]
    assert len(pictures) >= 2
    assert all(len(attrs["alt"] or "") > 30 for attrs in pictures)
    assert len({attrs["alt"] for attrs in pictures}) == len(pictures)


@pytest.mark.parametrize("kind", ["pooled", "robust multilevel", "subgroups", "location-scale", "individual"])
def test_word_holds_what_the_page_holds(kind: str, tmp_path: Path) -> None:
    docx = pytest.importorskip("docx")
    fit = KINDS[kind][0]()
    page = parsed(written(fit, tmp_path, author="A. Reader"))
    file = docx.Document(str(report(fit, tmp_path / "report.docx", author="A. Reader")))
    headings = [each.text for each in file.paragraphs if each.style.name == "Heading 1"]
    assert [each.lower().replace(" ", "-") for each in headings] == page.headings
    pictures = [attrs["alt"] for tag, attrs in page.tags if tag == "img" and attrs.get("class") != "paper"]
    assert [shape._inline.docPr.get("descr") for shape in file.inline_shapes] == pictures
    assert len(file.tables) == sum(tag == "table" for tag, _ in page.tags)
    cells = [cell.text for table in file.tables for row in table.rows for cell in row.cells]
    assert sorted(filter(None, cells)) == sorted(filter(None, page.cells))
    assert file.core_properties.author == "A. Reader"
    italic = {run.text for each in file.paragraphs for run in each.runs if run.italic}
    assert "k" in italic
    width = max(shape.width.inches for shape in file.inline_shapes)
    assert width <= 6.5
    assert max(shape.height.inches for shape in file.inline_shapes) <= 8.3


def test_page_is_self_contained_and_carries_the_data_set(tmp_path: Path) -> None:
    data = am.datasets.load("kolden2011")
    page = written(am.pool(kolden()), tmp_path, title="Congruence & outcome", author="A. Reader", data=data)
    found = parsed(page)
    assert not [tag for tag, _ in found.tags if tag in {"script", "link", "iframe", "a"}]
    assert not re.search(r"url\(|@import", page)
    sources = [attrs["src"] or "" for tag, attrs in found.tags if tag == "img"]
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert "Althay" in base64.b64decode(sources[0].partition("base64,")[2]).decode("utf-8")
    assert "<title>Congruence &amp; outcome</title>" in page
    assert "A. Reader" in found.text
    about = data.provenance
    for text in (about.sha256, about.locator, about.deviations[0].reason, "where-the-data-come-from"):
        assert " ".join(text.split()) in found.flat or text in found.headings
    assert "<i>r</i> = .25" in page
    assert "<i>p</i> = .002" in page
    for kind in ("Table", "Figure"):
        numbers = [int(each) for each in re.findall(rf"<b>{kind} (\d+)\.</b>", page)]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) >= 3


def test_hash_is_that_of_a_snapshot(tmp_path: Path) -> None:
    fit = am.pool(kolden())
    saved = snapshot.save(fit, tmp_path / "kept.json")
    digest = json.loads(saved.read_text(encoding="utf-8"))["data"]["sha256"]
    assert digest in parsed(written(fit, tmp_path)).text


def test_two_reports_differ_in_their_date_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fit = am.pool(kolden())
    monkeypatch.setattr(_assemble, "_today", lambda: "2026-01-02")
    first = written(fit, tmp_path)
    assert written(fit, tmp_path) == first
    monkeypatch.setattr(_assemble, "_today", lambda: "2027-03-04")
    assert written(fit, tmp_path).replace("2027-03-04", "2026-01-02") == first


def test_two_word_files_of_a_day_have_the_same_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("docx")
    monkeypatch.setattr(_assemble, "_today", lambda: "2026-01-02")
    fit = am.pool(kolden())
    files = [zipfile.ZipFile(report(fit, tmp_path / f"{name}.docx")) for name in ("one", "two")]
    first, second = ({name: each.read(name) for name in each.namelist()} for each in files)
    assert first == second


# Labels


def nasty() -> am.EffectSizes:
    k = len(NASTY)
    frame = pd.DataFrame({"label": NASTY, "r": np.linspace(0.1, 0.5, k), "n": 40, "group": [NASTY[0], "b"] * (k // 2)})
    return am.effect_sizes(frame, study="label")


@pytest.mark.parametrize("kind", ["pool", "subgroups", "multilevel", "regression"])
def test_labels_are_never_markup(kind: str, tmp_path: Path) -> None:
    make: dict[str, Callable[[], Fit]] = {
        "pool": lambda: am.pool(nasty()),
        "subgroups": lambda: am.subgroups(nasty(), "group"),
        "multilevel": lambda: am.multilevel(nasty()),
        "regression": lambda: am.meta_regression(nasty(), "group"),
    }
    fit = make[kind]()
    page = written(fit, tmp_path, title=NASTY[5], author=NASTY[0])
    found = parsed(page)
    assert "script" not in {tag for tag, _ in found.tags}
    assert sum(tag == "h1" for tag, _ in found.tags) == 1
    assert "\x00" not in page
    assert "\x0b" not in page
    for label in NASTY:
        shown = clean(label)
        assert " ".join(shown[:200].split()) in " ".join(" ".join(found.cells).split())
    drawings = [str(attrs["src"]).partition("base64,")[2] for tag, attrs in found.tags if tag == "img"]
    assert all(ET.fromstring(base64.b64decode(each)).tag.endswith("svg") for each in drawings)  # noqa: S314 - ours
    pytest.importorskip("docx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # matplotlib has no glyph for a control character
        report(fit, tmp_path / "nasty.docx", title=NASTY[4], author=NASTY[2])


def test_simulated_data_say_so_first(tmp_path: Path) -> None:
    caveat = "Simulated data: made by a program, not from real studies."
    frame = pd.DataFrame({"r": [0.1, 0.2, 0.4], "n": [40, 50, 60]})
    page = written(am.pool(replace(am.effect_sizes(frame), caveat=caveat)), tmp_path)
    assert f'<p class="caveat">{caveat}</p>' in page[: page.index("<main>")]
    assert page.count(caveat) >= 3


# Effects only


def test_effects_alone_are_pooled_by_the_defaults(tmp_path: Path) -> None:
    flat = parsed(written(kolden(), tmp_path)).flat
    assert "No model was asked for: the effects are pooled by the defaults of the program." in flat
    assert am.pool(kolden()).to_apa() in flat


def test_effects_that_share_studies_get_the_model_for_that(tmp_path: Path) -> None:
    flat = parsed(written(farber(), tmp_path)).flat
    assert "99 of the 102 effects share a study with others, so they are pooled by a three-level model" in flat
    assert am.robust(am.multilevel(farber())).to_apa() in flat


def test_several_effects_of_one_study_have_no_clusters(tmp_path: Path) -> None:
    frame = pd.DataFrame({"r": [0.1, 0.3, 0.5], "n": [40, 50, 60], "study": "one"})
    flat = parsed(written(am.effect_sizes(frame), tmp_path)).flat
    assert "pooled by a three-level model." in flat
    assert "cluster-robust standard errors" not in flat


def test_one_effect(tmp_path: Path) -> None:
    flat = parsed(written(am.effect_sizes(r=[0.3], n=[40]), tmp_path)).flat
    assert "With one effect there is nothing to pool" in flat
    assert "The sensitivity panel cannot be made of these effects" in flat


def test_a_panel_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(effects: am.EffectSizes) -> Any:
        raise ConvergenceError("the likelihood is flat")

    monkeypatch.setattr(_assemble, "_panel", fails)
    flat = parsed(written(am.pool(kolden()), tmp_path)).flat
    assert "The sensitivity panel cannot be made of these effects: the likelihood is flat." in flat


def test_perfect_correlations_have_no_figures(tmp_path: Path) -> None:
    table = correlations().assign(r=[0.2, 1.0, 0.3, 0.4])
    found = parsed(written(am.psychometric(table), tmp_path))
    assert "No figures: a correlation of −1 or 1" in found.flat
    assert "img" not in {tag for tag, _ in found.tags}


# Refusals


def test_other_results_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"report\(\) takes the result of pool\(\).* not DataFrame"):
        report(pd.DataFrame(), tmp_path / "x.html")  # type: ignore[arg-type] # on purpose
    with pytest.raises(InputError, match="data must be a data set"):
        report(kolden(), tmp_path / "x.html", data="kolden2011")  # type: ignore[arg-type] # on purpose


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    for name, match in (("x.pdf", "neither in .html nor in .docx"), ("no/x.html", "its folder is missing")):
        with pytest.raises(OutputError, match=match):
            report(kolden(), tmp_path / name)
    (tmp_path / "d.html").mkdir()
    with pytest.raises(OutputError, match="it is a folder"):
        report(kolden(), tmp_path / "d.html")
    (tmp_path / "mine.html").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="left alone; choose another name, or replace=True"):
        report(kolden(), tmp_path / "mine.html")
    assert (tmp_path / "mine.html").read_text(encoding="utf-8") == "mine"


def test_an_error_of_the_disk_is_an_output_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left on device"):
        report(am.effect_sizes(r=[0.3], n=[40]), tmp_path / "x.html")


def test_word_without_python_docx_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "docx":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(OutputError, match=re.escape("pip install alliance-meta[word]")):
        report(kolden(), tmp_path / "x.docx")
    assert not (tmp_path / "x.docx").exists()


# Pieces


@pytest.mark.parametrize(
    ("text", "italic"),
    [
        ("r = .25, 95% CI [.1, .3], t(15) = 3.79, p = .002", ["r", "t", "p"]),
        ("Q(15) = 53.19, p < .001, τ² = 0.052, I² = 72%", ["Q", "p", "I"]),
        ("F(2, 11.3) = 3.20; χ²(1) = 4; QE(99) = 2; SDρ = .1", ["F", "QE", "SD"]),
        ("Fisher's z of the correlation, by the t distribution", ["z", "t"]),
        ("k = 16 effects (N = 863)", ["k", "N"]),
        ("study.p = 3, a-b = 4, 3b = 2", []),
        ("p values; the H² of it; R² is", ["p", "H", "R"]),
        ("", []),
    ],
)  # fmt: skip
def test_statistics_are_italic_and_nothing_else(text: str, italic: list[str]) -> None:
    found = runs(text)
    assert "".join(run.text for run in found) == text
    assert [run.text for run in found if run.italic] == italic


def test_headings_of_columns_are_italic_where_they_are_statistics() -> None:
    assert [run.italic for run in runs("p", heading=True)] == [True]
    assert [run.italic for run in runs("Study", heading=True)] == [False]


def test_tables_and_figures_are_numbered_in_order() -> None:
    table = Table(am.pool(kolden()).effects._summary())
    picture = Picture(draw=lambda: None, alt="a", caption="c")  # type: ignore[arg-type, return-value] # never drawn
    sections = numbered([Section("A", (table, Paragraph("x"), picture)), Section("B", (Code("y"), table))])
    labels = [block.label for section in sections for block in section.blocks if isinstance(block, Table | Picture)]
    assert labels == ["Table 1", "Figure 1", "Table 2"]


def test_only_what_is_cited_is_listed() -> None:
    found = references(["By profiling Q (Viechtbauer, 2007), as in (Higgins et al., 2009)."])
    assert [entry.split(",")[0] for entry in found] == ["Higgins", "Viechtbauer"]


def test_drawing_leaves_no_figure_open(tmp_path: Path) -> None:
    before = plt.get_fignums()
    written(am.pool(kolden()), tmp_path)
    assert plt.get_fignums() == before
