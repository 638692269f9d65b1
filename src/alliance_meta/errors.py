"""One family of errors: whatever the library refuses, it refuses with an :class:`AllianceMetaError`."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = [
    "AllianceMetaError",
    "ConvergenceError",
    "DataFileError",
    "DependenceWarning",
    "FormulaError",
    "InputError",
    "NeedsDataError",
    "OutputError",
    "SpecError",
    "UnknownNameError",
]


class AllianceMetaError(Exception):
    """Base of every error the library raises on purpose."""


class InputError(AllianceMetaError, ValueError):
    """An argument or a table of studies cannot be used as given.

    Attributes
    ----------
    column : str or None
        The offending column, where one column is to blame.
    rows : tuple of str
        Every offending row, by its index label in the table that was given.
    """

    def __init__(self, message: str, *, column: str | None = None, rows: Iterable[object] = ()) -> None:
        super().__init__(message)
        self.column = column
        self.rows = tuple(str(row) for row in rows)


class UnknownNameError(InputError):
    """A name that is not in the closed set it must come from: a measure, a method, a data set, a column."""


class FormulaError(InputError):
    """A formula that cannot be read, or that asks for something outside the closed list of what formulas may do.

    Attributes
    ----------
    piece : str
        The offending part of the formula.
    """

    def __init__(self, message: str, *, piece: str = "") -> None:
        super().__init__(message)
        self.piece = piece


class ConvergenceError(AllianceMetaError, ArithmeticError):
    """An iterative estimator did not reach its optimum."""


class DataFileError(AllianceMetaError):
    """A data set on disk is damaged, incomplete or contradicts its own description."""


class NeedsDataError(AllianceMetaError):
    """A table of studies that cannot be shipped was asked for, and is not installed."""


class SpecError(AllianceMetaError):
    """A reproduction file cannot be understood."""


class OutputError(AllianceMetaError, OSError):
    """An output cannot be written where it was asked for."""


class DependenceWarning(UserWarning):
    """Effects that share a study are taken as independent."""
