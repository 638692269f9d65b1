"""`Design`: a design matrix that knows its columns."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from alliance_meta.design._columns import CategoricalVariable, NumericVariable, Variable, has_columns
from alliance_meta.design._matrix import Plan, matrix_of
from alliance_meta.design._pieces import columns_of
from alliance_meta.errors import InputError
from alliance_meta.stats._arrays import FloatArray

__all__ = ["CategoricalVariable", "Design", "NumericVariable", "Term", "Variable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A term of a formula and the columns it made.

    Attributes
    ----------
    label : str
        ``"intercept"``, ``"year"``, ``"n_sessions:treatment"``.
    columns : slice
        Its columns: ``design.matrix[:, term.columns]``.
    """

    label: str
    columns: slice


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Design:
    """A design matrix and what its columns mean.

    Attributes
    ----------
    formula : str
    matrix : ndarray, shape (k, p)
        One row a row of the table, one column a coefficient; of full rank. Read-only.
    names : tuple of str
        The coefficients' names.
    terms : tuple of Term
        The intercept first, if there is one.
    variables : tuple of NumericVariable or CategoricalVariable
        The columns of the table the formula uses, in order of first appearance.
    """

    formula: str
    matrix: FloatArray = field(repr=False)
    names: tuple[str, ...]
    terms: tuple[Term, ...]
    variables: tuple[Variable, ...]
    _plan: Plan = field(repr=False)

    def matrix_for(self, frame: pd.DataFrame) -> FloatArray:
        """Turn new rows into columns as the design's own rows were: same means, knots, polynomials and levels.

        Parameters
        ----------
        frame : DataFrame
            With the columns the formula uses.

        Returns
        -------
        ndarray of float, shape (rows, p)

        Raises
        ------
        InputError
            A column is missing, a level is unknown, a cell is empty, or a spline would go beyond the data.

        Examples
        --------
        The mean taken off is that of the design's rows, 2005, not that of the new ones:

        >>> from alliance_meta.design import design
        >>> made = design("center(year)", pd.DataFrame({"year": [2000.0, 2004.0, 2011.0]}))
        >>> made.matrix_for(pd.DataFrame({"year": [2010.0, 2020.0]})).tolist()
        [[1.0, 5.0], [1.0, 15.0]]
        """
        if not isinstance(frame, pd.DataFrame):
            raise InputError(f"frame must be a pandas DataFrame, not {type(frame).__name__}")
        used = dict.fromkeys(name for term in self._plan.terms for piece in term for name in columns_of(piece.node))
        has_columns(frame, tuple(used))
        return matrix_of(self._plan, frame)

    def __repr__(self) -> str:
        k, p = self.matrix.shape
        return f"<Design {self.formula!r}: {k} rows, {p} coefficients: {', '.join(self.names)}>"
