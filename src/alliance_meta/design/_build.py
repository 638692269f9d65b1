"""`design()`: a formula and a table become a design matrix."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from alliance_meta.design._formula import parse
from alliance_meta.design._matrix import matrix_of, names_of, plan, refuse_too_many
from alliance_meta.design._rank import refuse_aliased
from alliance_meta.design._record import Design, Term
from alliance_meta.errors import InputError

__all__ = ["check_rank", "design"]


def design(formula: str, moderators: pd.DataFrame, *, rows: Sequence[object] | None = None) -> Design:
    """Turn a formula into the matrix of a regression's coefficients.

    A formula is R's: ``a + b``, ``a:b``, ``a*b``, ``a/b``, ``(a + b)**2``, ``- a``, ``0 +`` or ``- 1`` for no
    intercept. It may call ``C(column, reference='level', levels=[...])``, ``I(arithmetic)``, ``center``, ``scale``,
    ``log``, ``sqrt``, ``poly(column, degree)`` and ``bs(column, df, degree=3)``, and nothing else: no part of it is
    ever run as Python. Names with spaces or dots go in back quotes.

    Text, true and false, and pandas' categories are coded as levels against the first one. Levels stand in the order of
    the data, of the categories, or of ``levels``; false comes before true.

    Parameters
    ----------
    formula : str
        Right-hand side only.
    moderators : DataFrame, k rows
    rows : sequence, length k, optional
        What errors call the rows; the frame's index by default.

    Returns
    -------
    Design

    Raises
    ------
    FormulaError
        The formula cannot be read, or asks for something not allowed.
    InputError
        A column is missing, has empty cells or one level only; or a coefficient cannot be told from the others.

    Notes
    -----
    ``poly`` is R's: polynomials orthogonal over the rows, of length 1, rising at the right end. ``bs`` is that of R's
    package splines: knots at quantiles, boundary knots at the range. ``scale`` divides by the standard deviation, of
    n - 1.

    Examples
    --------
    >>> table = pd.DataFrame({"year": [1995, 2003, 2010, 2011], "rater": ["client", "therapist", "client", "observer"]})
    >>> design("year + C(rater, reference='therapist')", table).names
    ('intercept', 'year', 'rater[client]', 'rater[observer]')

    Without an intercept every level has a coefficient of its own:

    >>> design("0 + rater", table)
    <Design '0 + rater': 4 rows, 3 coefficients: rater[client], rater[therapist], rater[observer]>
    """
    if not isinstance(moderators, pd.DataFrame):
        raise InputError(f"moderators must be a pandas DataFrame, not {type(moderators).__name__}")
    parsed = parse(formula)
    if not len(moderators):
        raise InputError("moderators has no rows")
    if rows is not None:
        if len(rows) != len(moderators):
            raise InputError(f"rows names {len(rows)} rows, and moderators has {len(moderators)}")
        moderators = moderators.set_axis(pd.Index(list(rows), dtype=object), axis=0)
    made, variables = plan(parsed, moderators)
    refuse_too_many(made, len(moderators))
    terms, names = [], list[str]()
    every = [("intercept", ("intercept",))] if made.intercept else []
    for label, own in [*every, *zip(made.labels(), names_of(made), strict=True)]:
        terms.append(Term(label=label, columns=slice(len(names), len(names) + len(own))))
        names += own
    matrix = matrix_of(made, moderators)
    matrix.setflags(write=False)
    done = Design(
        formula=formula, matrix=matrix, names=tuple(names), terms=tuple(terms), variables=variables, _plan=made
    )
    check_rank(done)
    return done


def check_rank(design: Design) -> None:
    """Refuse a design with a column that is a combination of the columns before it.

    `design` has done so already; this is for a matrix whose rows were chosen afterwards.

    Raises
    ------
    InputError
        Names every such column, and the columns it is a combination of.

    Examples
    --------
    >>> table = pd.DataFrame({"year": [1, 2, 4, 8], "age": [9, 8, 6, 2], "dose": [3, 1, 4, 1]})
    >>> design("year + age + dose", table)
    Traceback (most recent call last):
    alliance_meta.errors.InputError: the coefficients cannot be told apart: 'age' is a combination of 'intercept' and...
    """
    refuse_aliased(design.matrix, design.names)
