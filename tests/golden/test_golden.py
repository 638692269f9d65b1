"""What people see, compared to the letter with the files beside this one.

``pytest tests/golden --update-golden`` rewrites every file that differs and fails the test it belongs to, so that no
run that changed a file passes; read the new files as a reader of the library would, then run again without the option.
A file that no test shows any more fails `test_every_golden_file_is_shown`; delete it by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

import alliance_meta as am
from alliance_meta._tables import SummaryTable
from alliance_meta.studies import StudyTable

HERE = Path(__file__).parent

LABELS = [
    "<script>alert(1)</script>",
    "A & B &amp; C",
    'Said "so", 1999',
    "O'Brien's <b>study</b>",
    "Pipe | and `tick` | and \\| both",
    "*Stars* and _lines_ and [a](link)",
    "Two\nlines",
    "Smile 😀 (2001)",
    "כהן ולוי (2005)",
    "السيد (2010)",
    "田中・鈴木 (2012)",
    "A label that goes on and on, " + "with many authors, " * 7 + "and ends (2015)",
]
CAVEAT = "Simulated data: made by a program, not from real studies."


def nasty() -> am.EffectSizes:
    """Twelve correlations from -.2 to .35 under labels that break careless tables."""
    k = len(LABELS)
    return am.effect_sizes(r=[-0.2 + 0.05 * i for i in range(k)], n=[20 + 10 * i for i in range(k)], study=LABELS)


def nasty_table() -> SummaryTable:
    rows = tuple((label, f"{i}", f"note on {label}") for i, label in enumerate(LABELS))
    return SummaryTable(
        title="A table of <nasty> & *awkward* | words",
        header=("study", "<n>", "a | b"),
        rows=rows,
        right=frozenset({1}),
        notes=("A note with <i>tags</i>, *stars* and | pipes.", "A second note."),
    )


def simulated() -> am.EffectSizes:
    frame = pd.DataFrame({"r": [0.1, 0.3, 0.2], "n": [40, 50, 60]})
    return am.effect_sizes(StudyTable(roles={"r": "r", "n": "n"}, caveat=CAVEAT, _frame=frame))


def differences() -> am.EffectSizes:
    """Mean differences of which the second has no group sizes."""
    frame = pd.DataFrame(
        {"g": [0.2, 0.5, 1.1], "n1": [20, None, 31], "n2": [22, None, 30], "n": [42, 50, 61], "study": ["A", "B", "C"]}
    )
    return am.effect_sizes(frame, measure="SMD")


def generic(effect: list[float], variance: list[float]) -> am.EffectSizes:
    return am.effect_sizes(measure="GEN", effect=effect, variance=variance)


def kolden() -> am.EffectSizes:
    return am.effect_sizes(am.datasets.load("kolden2011"))


POOLED: dict[str, Callable[[], am.PooledEffect]] = {
    "pooled_kolden2011": lambda: am.pool(kolden()),
    "pooled_kolden2011_dl_z": lambda: am.pool(kolden(), tau2_method="DL", test="z"),
    "pooled_equal_effects": lambda: am.pool(kolden(), tau2_method="EE"),
    "pooled_nasty": lambda: am.pool(nasty()),
    "pooled_smd": lambda: am.pool(differences(), test="knapp-hartung-adhoc"),
    "pooled_simulated": lambda: am.pool(simulated(), test="t"),
    "pooled_one_study": lambda: am.pool(generic([0.3], [0.04])),
    "pooled_two_studies": lambda: am.pool(generic([0.0, 1.0], [0.1, 0.1])),
    "pooled_identical": lambda: am.pool(generic([0.5, 0.5, 0.5], [0.25, 0.25, 0.25])),
}
EFFECTS: dict[str, Callable[[], am.EffectSizes]] = {
    "effects_kolden2011": kolden,
    "effects_nasty": nasty,
    "effects_smd": differences,
    "effects_simulated": simulated,
    "effects_forty_one": lambda: am.effect_sizes(measure="COR", r=[0.1] * 41, n=[20] * 41),
}
PROVENANCE = [f"provenance_{name}" for name in am.datasets.names()]


def views() -> dict[str, Callable[[], str]]:
    """Every golden file and what writes it."""
    shown: dict[str, Callable[[], str]] = {}
    for name, make in POOLED.items():
        shown[f"{name}.txt"] = lambda make=make: str(make())  # type: ignore[misc]
        shown[f"{name}.html"] = lambda make=make: make()._repr_html_()  # type: ignore[misc]
        shown[f"{name}.md"] = lambda make=make: make().to_markdown()  # type: ignore[misc]
    for name, effects in EFFECTS.items():
        shown[f"{name}.txt"] = lambda effects=effects: str(effects())  # type: ignore[misc]
        shown[f"{name}.html"] = lambda effects=effects: effects()._repr_html_()  # type: ignore[misc]
    for name in PROVENANCE:
        key = name.removeprefix("provenance_")
        shown[f"{name}.txt"] = lambda key=key: str(am.datasets.load(key).provenance)  # type: ignore[misc]
        shown[f"{name}.html"] = lambda key=key: am.datasets.load(key).provenance._repr_html_()  # type: ignore[misc]
    shown["table_nasty.txt"] = nasty_table().to_text
    shown["table_nasty.html"] = nasty_table().to_html
    shown["table_nasty.md"] = nasty_table().to_markdown
    shown["r_nasty.txt"] = lambda: am.pool(nasty()).to_r()
    shown["apa.txt"] = lambda: "\n\n".join(f"{name}\n{make().to_apa()}" for name, make in POOLED.items())
    return shown


VIEWS = views()


@pytest.mark.parametrize("name", VIEWS)
def test_what_is_shown_is_the_golden_file(name: str, pytestconfig: pytest.Config) -> None:
    path, shown = HERE / name, f"{VIEWS[name]()}\n".encode()
    if pytestconfig.getoption("--update-golden") and (not path.exists() or path.read_bytes() != shown):
        path.write_bytes(shown)
        pytest.fail(f"{name} has been rewritten: read it, then run again without --update-golden")
    assert path.read_bytes().decode() == shown.decode()


def test_every_golden_file_is_shown() -> None:
    assert {path.name for path in HERE.iterdir() if path.suffix in {".txt", ".html", ".md"}} == {*VIEWS}


class Reader(HTMLParser):
    """Reads HTML as a browser would, keeping tags in a stack and the text of each cell."""

    TAGS = frozenset({"div", "table", "caption", "thead", "tbody", "tr", "th", "td", "p", "small"})
    ATTRIBUTES = frozenset({"class", "dir", "style"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.cells: list[str] = []
        self.problems: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        if tag not in self.TAGS:
            self.problems.append(f"<{tag}>")
        self.problems.extend(f"<{tag} {name}>" for name, _ in attrs if name not in self.ATTRIBUTES)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1] += data
        elif data.strip() and (not self.open or self.open[-1] not in ("caption", "small")):
            self.problems.append(f"text outside cells: {data!r}")

    def handle_comment(self, data: str) -> None:
        self.problems.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self.problems.append(f"<!{decl}>")


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


def test_the_reader_sees_what_is_wrong() -> None:
    assert read("<div><table></div>").problems == ["</div>"]
    assert read("<div><script>x</script></div>").problems[0] == "<script>"
    assert read('<div onclick="x"></div>').problems == ["<div onclick>"]
    assert read("<div></div></p>").problems == ["</p>"]


@pytest.mark.parametrize("name", [name for name in VIEWS if name.endswith(".html")])
def test_html_is_balanced_and_has_only_the_tables_own_tags(name: str) -> None:
    reader = read(VIEWS[name]())
    assert reader.problems == []
    assert reader.open == []
    assert reader.cells


def test_html_gives_every_label_back_to_the_letter() -> None:
    assert [label for label in LABELS if label not in read(nasty()._repr_html_()).cells] == []
    cells = read(nasty_table().to_html()).cells
    assert cells[:3] == ["study", "<n>", "a | b"]
    assert cells[3::3] == LABELS
    assert cells[5::3] == [f"note on {label}" for label in LABELS]


@pytest.mark.parametrize("name", ["pooled_nasty.md", "table_nasty.md", "pooled_kolden2011.md"])
def test_markdown_rows_all_have_as_many_cells_as_the_header(name: str) -> None:
    lines = VIEWS[name]().split("\n")
    rows = [line for line in lines if line.startswith("|")]
    # As GitHub reads a row: a backslash takes the next character along, and a bare pipe parts two cells.
    assert {cells_of(row) for row in rows} == {cells_of(rows[0])}
    assert "" in lines[: lines.index(rows[0])]


def cells_of(row: str) -> int:
    count = position = 0
    while position < len(row):
        if row[position] == "\\":
            position += 1
        elif row[position] == "|":
            count += 1
        position += 1
    return count - 1


@pytest.mark.parametrize("name", [name for name in VIEWS if name.endswith(".md")])
def test_markdown_lets_no_html_through(name: str) -> None:
    text = VIEWS[name]()
    assert "<" not in text
    assert not any(line.startswith("<") for line in text.split("\n"))
