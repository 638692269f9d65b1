"""One family of errors."""

from __future__ import annotations

import pytest

from alliance_meta import errors


@pytest.mark.parametrize("name", [name for name in errors.__all__ if name.endswith("Error")])
def test_every_error_is_of_the_family(name: str) -> None:
    assert issubclass(getattr(errors, name), errors.AllianceMetaError)


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (errors.InputError, ValueError),
        (errors.UnknownNameError, errors.InputError),
        (errors.ConvergenceError, ArithmeticError),
        (errors.OutputError, OSError),
    ],
)
def test_errors_can_be_caught_as_the_builtin_they_are(error: type[Exception], builtin: type[Exception]) -> None:
    with pytest.raises(builtin, match=r"^why$"):
        raise error("why")


def test_an_input_error_names_its_column_and_rows() -> None:
    error = errors.InputError("why", column="n", rows=[3, "b", (1, 2)])
    assert (str(error), error.column, error.rows) == ("why", "n", ("3", "b", "(1, 2)"))
    plain = errors.UnknownNameError("why")
    assert (plain.column, plain.rows) == (None, ())


def test_what_is_no_error_is_a_warning_of_its_own() -> None:
    others = [name for name in errors.__all__ if not name.endswith("Error")]
    assert others == ["DependenceWarning"]
    assert issubclass(errors.DependenceWarning, UserWarning)
