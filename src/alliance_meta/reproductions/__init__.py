"""Published findings, recomputed: `reproduce` one, list their `names`, `search` for the method behind a number."""

from alliance_meta.reproductions._run import Comparison, Reproduction, names, reproduce
from alliance_meta.reproductions._search import Search, search

__all__ = ["Comparison", "Reproduction", "Search", "names", "reproduce", "search"]
