"""Which factors of a term are coded in full, and which against a reference."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import combinations

from alliance_meta.design._pieces import Piece

__all__ = ["Block", "blocks"]

Block = tuple[tuple[Piece, bool], ...]
"""The pieces of a run of columns in the term's order, each with whether it is coded in full (its levels all shown)."""


def blocks(intercept: bool, terms: Sequence[tuple[Piece, ...]], categorical: Collection[Piece]) -> list[list[Block]]:
    """Code every term so that it adds what the terms before it leave out, and nothing twice.

    A factor coded in full is the same as the factor against a reference plus everything without it. So each term is
    taken apart into its parts against references; those an earlier term has already brought are dropped, and the rest
    are put together again into as few runs of columns as possible. Where the intercept or a main effect is absent,
    this codes the factor in full, as R's ``model.matrix`` does; R's columns are linearly dependent in some formulas
    (``a:b`` with an intercept), these are not.

    Parameters
    ----------
    intercept : bool
    terms : sequence of tuple of Piece
        Without the intercept, lower orders first.
    categorical : collection of Piece

    Returns
    -------
    list of list of Block
        The runs of columns of each term.
    """
    brought: set[frozenset[Piece]] = {frozenset()} if intercept else set()
    coded = []
    for term in terms:
        factors = [piece for piece in term if piece in categorical]
        numbers = frozenset(term) - frozenset(factors)
        parts = [frozenset(part) for size in range(len(factors) + 1) for part in combinations(factors, size)]
        new = [part for part in parts if numbers | part not in brought]
        brought.update(numbers | part for part in new)
        coded.append(
            [
                tuple((piece, piece in full) for piece in term if piece in numbers or piece in reduced | full)
                for reduced, full in _merged(new)
            ]
        )
    return coded


def _merged(parts: Sequence[frozenset[Piece]]) -> list[tuple[frozenset[Piece], frozenset[Piece]]]:
    """Put parts together, smallest first, until no two make a factor in full: (against a reference, in full)."""
    runs = [(part, frozenset[Piece]()) for part in parts]
    while True:
        for i, j in combinations(range(len(runs)), 2):
            (short, short_full), (long, long_full) = runs[i], runs[j]
            extra = long - short
            if short_full == long_full and len(extra) == 1 and short <= long:
                runs[j] = (short, short_full | extra)
                del runs[i]
                break
        else:
            return runs
