"""The curated data sets: `load` one, list their `names`, see the `catalog`; `template` and `install` for the others."""

from alliance_meta.datasets._catalog import Dataset, catalog, described, load, names, references, templates
from alliance_meta.datasets._install import Installation, install
from alliance_meta.datasets._provenance import Aggregate, Column, Deviation, Provenance, Reference
from alliance_meta.datasets._template import template

__all__ = [
    "Aggregate",
    "Column",
    "Dataset",
    "Deviation",
    "Installation",
    "Provenance",
    "Reference",
    "catalog",
    "described",
    "install",
    "load",
    "names",
    "references",
    "template",
    "templates",
]
