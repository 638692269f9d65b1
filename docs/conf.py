"""Sphinx configuration: `sphinx-build -W docs docs/_build`."""

import alliance_meta

project = "alliance_meta"
author = "The alliance_meta authors"
copyright = "2026, The alliance_meta authors"  # noqa: A001  Sphinx's name
release = version = alliance_meta.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "alliance_meta"
autodoc_typehints = "none"  # the numpydoc sections say them
autodoc_member_order = "bysource"
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing"]  # links out of docs/ work where files are read as such
# Attributes are listed in their class's own section, and "shape (..., k)" is no cross-reference.
napoleon_use_ivar = True
napoleon_use_param = False
napoleon_use_rtype = False
