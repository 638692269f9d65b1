"""The tutorials: whatever notebooks there are. They are kept without outputs; myst-nb runs them."""

from __future__ import annotations

from pathlib import Path

from docs._pages._markdown import toctree

__all__ = ["pages"]

_INDEX = """# Tutorials

Notebooks, in the order of their numbers. They are shown here as they come out when they are run, and run anew whenever
the library or its data change. To work through one yourself, copy the folder `notebooks/` and open it in Jupyter:

```sh
.venv/bin/pip install jupyterlab && .venv/bin/jupyter lab notebooks
```

"""


def pages(folder: Path) -> dict[str, str]:
    """The notebooks themselves, and a page that lists them."""
    found = sorted(folder.glob("*.ipynb"))
    index = _INDEX + toctree(path.stem for path in found)
    copies = {f"tutorials/{path.name}": path.read_text(encoding="utf-8") for path in found}
    return {"tutorials/index.md": index, **copies}
