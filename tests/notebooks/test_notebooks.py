"""Every notebook runs from top to bottom, and what a reader should see is there."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


@pytest.fixture(autouse=True)
def _inline_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notebooks draw inline, whatever backend this session was given."""
    monkeypatch.delenv("MPLBACKEND", raising=False)


def test_there_are_notebooks() -> None:
    assert "01_your_first_synthesis.ipynb" in [path.name for path in NOTEBOOKS]


@pytest.mark.filterwarnings("ignore:Proactor event loop:RuntimeWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}
    ).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_kept_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert all(not cell.outputs and cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code")


def test_first_synthesis_shows_rich_displays() -> None:
    """Data set, effects, fit and reproduction come as HTML tables, and both plots as images."""
    notebook = nbformat.read(FOLDER / "01_your_first_synthesis.ipynb", as_version=4)
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    data = [output.data for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
    html = [item["text/html"] for item in data if "text/html" in item]
    assert sum("Provenance of kolden2011" in text for text in html) == 1
    assert sum("Random-effects meta-analysis of 16 effects (N = 863)" in text for text in html) == 1
    assert sum("differs as explained" in text for text in html) == 1
    assert sum("image/png" in item for item in data) == 2
