"""The pages of docs/: what a program writes is complete, and what people wrote runs. `.ci/run` builds the pages."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import matplotlib as mpl
import nbformat
import pytest
from docs._pages import data_sets, findings, notebooks, pictures, reference, rooms
from docs._pages._markdown import plain, table
from matplotlib import pyplot as plt

import alliance_meta as am
from docs import _pages

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
HOW_TO = sorted((DOCS / "how_to").glob("*.md"))
PAGES_WITH_CODE = [*HOW_TO, DOCS / "index.md"]
BLOCK = re.compile(r"^```python\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
CALL = re.compile(r"[a-z_0-9]+(\.[a-z_0-9]+)*[.(]")
OURS = "alliance_meta"


# ---------------------------------------------------------------- what people wrote


def blocks(page: str) -> list[str]:
    return BLOCK.findall(page)


def calls(page: str) -> list[str]:
    """Calls in the columns of tables that are headed "alliance_meta"."""
    found, column = [], -1
    for line in page.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] if line.startswith("|") else []
        if not cells:
            column = -1
        elif column < 0:
            column = cells.index(OURS) if OURS in cells else len(cells)
        elif column < len(cells):
            found += [span for span in SPAN.findall(cells[column]) if CALL.match(span) and span.endswith(")")]
    return found


def run(code: str, names: dict[str, object], page: str) -> None:
    exec(compile(code, page, "exec"), names)  # noqa: S102  the page is ours


def test_code_and_calls_are_found() -> None:
    page = (
        "x\n\n```python\na = 1\n```\n\n| R | alliance_meta |\n|---|---|\n| `f(x)` | `am.pool(e)`, `route`, `g.h()` |\n"
    )
    assert blocks(page) == ["a = 1\n"]
    assert calls(page) == ["am.pool(e)", "g.h()"]
    assert calls("| R | Python |\n|---|---|\n| `f(x)` | `am.pool(e)` |\n") == []


@pytest.mark.parametrize("path", PAGES_WITH_CODE, ids=lambda path: path.stem)
def test_every_line_of_python_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of a page one after the other, then each call in its tables."""
    monkeypatch.chdir(tmp_path)
    page = path.read_text(encoding="utf-8")
    names: dict[str, object] = {}
    with mpl.rc_context({"backend": "agg", "figure.max_open_warning": 0}):
        for code in blocks(page):
            run(code, names, path.name)
        for call in calls(page):
            run(call, dict(names), f"{path.name}: {call}")
        plt.close("all")


def test_the_example_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    example = blocks((ROOT / "README.md").read_text(encoding="utf-8"))[0]
    with mpl.rc_context({"backend": "agg"}):
        run(example, {}, "README.md")
        plt.close("all")
    assert "Althay, 1973" in (tmp_path / "kolden.html").read_text(encoding="utf-8")


def test_pages_with_side_by_side_calls_have_many() -> None:
    counts = {path.stem: len(calls(path.read_text(encoding="utf-8"))) for path in HOW_TO}
    assert {name for name, count in counts.items() if count >= 10} >= {
        "coming_from_metafor",
        "coming_from_mac",
        "coming_from_cma",
        "coming_from_jasp",
        "checks_for_bias",
    }


def test_every_link_between_pages_leads_somewhere() -> None:
    made = _pages.texts(ROOT)
    known = {*made, *(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md") if "_build" not in path.parts)}
    broken = []
    for path in (*HOW_TO, *DOCS.glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+\.md)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
            place = (path.parent / target).resolve()
            inside = place.is_relative_to(DOCS)
            if not (place.relative_to(DOCS).as_posix() in known if inside else place.exists()):
                broken.append(f"{path.name}: {target}")
    assert broken == []


# ---------------------------------------------------------------- what a program writes


def test_the_reference_has_every_public_name() -> None:
    """By the other way round: from `__all__` of each public module to the directives on the pages."""
    written = re.findall(r"^\.\. auto\w+:: (\S+)$", "\n".join(reference.pages().values()), flags=re.MULTILINE)
    assert len(written) == len(set(written))
    documented = {id(resolved(path)) for path in written}
    modules = [am, *(getattr(am, name) for name in am.__all__ if inspect.ismodule(getattr(am, name)))]
    modules += [importlib.import_module(f"alliance_meta.{name}") for name in ("design", "measures", "results")]
    missing = [
        f"{module.__name__}.{name}"
        for module in modules
        for name in module.__all__
        if inspect.isfunction(thing := getattr(module, name)) or inspect.isclass(thing)
        if id(thing) not in documented
    ]
    assert missing == []


def resolved(path: str) -> object:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def test_every_module_that_is_exported_has_a_page() -> None:
    whole = {module.__name__ for room in reference.ROOMS for module in reference.modules_of(room)}
    exported = {thing.__name__ for name in am.__all__ if inspect.ismodule(thing := getattr(am, name))}
    assert exported <= whole


def test_a_name_without_a_room_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def stray() -> None:
        """Stray."""

    monkeypatch.setattr(am, "stray", stray, raising=False)
    monkeypatch.setattr(am, "__all__", [*am.__all__, "stray"])
    with pytest.raises(LookupError, match=r"^alliance_meta\.stray is on no page"):
        reference.entries()


def test_every_data_set_has_a_page_with_its_columns_and_deviations() -> None:
    made = data_sets.pages()
    ids = {path.parent.name for path in (ROOT / "data" / "datasets").glob("*/dataset.toml")}
    assert set(made) == {"data_sets/index.md", *(f"data_sets/{name}.md" for name in ids)}
    for name in ids:
        about, page = am.datasets.described(name), made[f"data_sets/{name}.md"]
        assert f"](https://doi.org/{about.source.doi})" in page if about.source and about.source.doi else True
        assert all(f"| `{column.name}` |" in page for column in about.columns)
        assert all(plain(item.reason) in page for item in about.deviations)
        assert all(plain(line) in page for line in about.revisions)
        assert (f"alliance-meta install {name}" in page) == (about.kind == "template")


def test_every_finding_is_on_the_page_with_its_verdicts() -> None:
    page = findings.pages()["reproductions.md"]
    assert [result.id for result in findings.results()] == am.reproductions.names()
    for result in findings.results():
        assert f'`reproduce("{result.id}")`' in page
        assert all(plain(row.why) in page for row in result.comparisons)
        if all(row.tier == "recomputed" for row in result.comparisons):
            assert all(f"| {row.recomputed_text.replace('|', '')} |" in page for row in result.comparisons)


def test_the_rooms_are_those_of_import_linter() -> None:
    layers = rooms.layers(ROOT)
    assert layers[-1] == ["errors"]
    page = rooms.pages(ROOT)["rooms.md"]
    assert all(f"| `{room}` |" in page for layer in layers for room in layer)


def test_every_notebook_is_a_tutorial(tmp_path: Path) -> None:
    for name in ("02_second", "01_first"):
        nbformat.write(nbformat.v4.new_notebook(), tmp_path / f"{name}.ipynb")
    made = notebooks.pages(tmp_path)
    assert list(made) == ["tutorials/index.md", "tutorials/01_first.ipynb", "tutorials/02_second.ipynb"]
    assert made["tutorials/index.md"].index("01_first") < made["tutorials/index.md"].index("02_second")


def test_the_start_page_says_what_the_data_set_prints() -> None:
    page = (DOCS / "index.md").read_text(encoding="utf-8")
    for population, count, low, high in ((pictures.ADULTS, "five", ".21", ".28"), (None, "nineteen", ".14", ".30")):
        told = am.evidence.history(population=population).to_frame()
        assert len(told) == {"five": 5, "nineteen": 19}[count]
        assert count in page
        assert (f"{told['estimate'].min():.2f}", f"{told['estimate'].max():.2f}") == (f"0{low}", f"0{high}")
        assert f"between {low} and {high}" in " ".join(page.split())


def test_pictures_are_the_same_every_time() -> None:
    drawn = pictures.pictures()
    assert list(drawn) == ["pictures/history.svg", "pictures/history_narrow.svg"]
    assert drawn == pictures.pictures()


def test_formulas_need_no_script() -> None:
    pytest.importorskip("sphinx", reason="draws formulas with the packages of the extra docs: pip install -e .[docs]")
    to_mathml = importlib.import_module("docs._pages.mathml").to_mathml  # not for mypy: docutils has no types
    drawn = to_mathml(r"\begin{align*} \hat\mu &= \frac{\sum w_i y_i}{\sum w_i} \\ &= 0.25 \end{align*}", block=True)
    assert drawn.startswith("<math")
    assert "<mfrac>" in drawn
    assert 'display="block"' in drawn
    fit = am.pool(am.effect_sizes(am.datasets.load("kolden2011")))
    explained = re.findall(r"^\$\$$(.*?)^\$\$$", fit.explain()._repr_markdown_(), flags=re.MULTILINE | re.DOTALL)
    assert explained
    assert all(to_mathml(formula, block=True).startswith("<math") for formula in explained)


def test_text_in_a_cell_is_never_markup() -> None:
    assert plain("a|b $x$ *c*\nd_e") == r"a\|b \$x\$ \*c\* d\_e"
    assert table(("a", "b"), [("1", "2")], right=(1,)) == "| a | b |\n| --- | ---: |\n| 1 | 2 |\n"
