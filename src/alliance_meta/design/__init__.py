"""A formula becomes a design matrix; a formula is data, and nothing in it is ever evaluated as code."""

from __future__ import annotations

from alliance_meta.design._build import check_rank, design
from alliance_meta.design._record import CategoricalVariable, Design, NumericVariable, Term, Variable

__all__ = ["CategoricalVariable", "Design", "NumericVariable", "Term", "Variable", "check_rank", "design"]
