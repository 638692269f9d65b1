"""The curated data sets: `load` one, list their `names`, or see the `catalog`."""

from alliance_meta.datasets._catalog import Dataset, catalog, load, names, references
from alliance_meta.datasets._provenance import Column, Deviation, Provenance, Reference

__all__ = [
    "Column",
    "Dataset",
    "Deviation",
    "Provenance",
    "Reference",
    "catalog",
    "load",
    "names",
    "references",
]
