"""Sphinx configuration: `sphinx-build -W docs docs/_build`. What a program can write, `docs/_pages` writes first."""

import os
import sys
from pathlib import Path

from sphinx.application import Sphinx

import alliance_meta

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from docs._pages import mathml  # noqa: E402

from docs import _pages  # noqa: E402  the root has to be on the path

project = "alliance_meta"
author = "The alliance_meta authors"
copyright = "2026, The alliance_meta authors"  # noqa: A001  Sphinx's name
release = version = alliance_meta.__version__

extensions = ["myst_nb", "numpydoc", "sphinx.ext.autodoc", "sphinx_copybutton"]
exclude_patterns = ["_build", "_pages", "rooms.md"]
suppress_warnings = ["myst.xref_missing"]  # links out of docs/ work where files are read as such

default_role = "literal"  # docstrings set code in single backticks
autodoc_typehints = "none"  # the numpydoc sections say them
autodoc_member_order = "bysource"
numpydoc_class_members_toctree = False
numpydoc_show_class_members = False  # autodoc lists them
numpydoc_xref_param_type = False  # "shape (..., k)" is no cross-reference
toc_object_entries_show_parents = "hide"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

myst_enable_extensions = ["amsmath", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_cache_path = str(_pages.cache_of_outputs(ROOT))
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_timeout = 300
nb_merge_streams = True
nb_render_markdown_format = "myst"  # formulas in outputs are drawn

html_theme = "pydata_sphinx_theme"
html_title = "alliance_meta"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"  # drawn by the browser itself: no script, nothing to download
html_show_sourcelink = False
html_copy_source = False
html_sidebars = {"index": [], "changelog": []}
html_theme_options = {
    "footer_end": [],
    "footer_start": ["copyright"],
    "header_links_before_dropdown": 6,
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
}


def setup(app: Sphinx) -> None:
    """Write the pages that a program can write, before Sphinx looks for pages."""
    mathml.register(app)
    _pages.write(ROOT)
