"""Published findings, recomputed: `reproduce` one, or list their `names`."""

from alliance_meta.reproductions._run import Comparison, Reproduction, names, reproduce

__all__ = ["Comparison", "Reproduction", "names", "reproduce"]
