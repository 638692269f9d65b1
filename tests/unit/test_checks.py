"""The wording of argument checks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from alliance_meta import _checks
from alliance_meta.errors import DataFileError, InputError, SpecError, UnknownNameError


def test_names_are_listed_as_prose() -> None:
    assert _checks.listed([]) == "none"
    assert _checks.listed(["a"]) == "'a'"
    assert _checks.listed(["a", "b"]) == "'a' and 'b'"
    assert _checks.listed(["a", "b", "c"], last="or") == "'a', 'b' or 'c'"


@pytest.mark.parametrize("level", [0.001, 0.5, 0.8, 0.95, 0.999999, np.float64(0.9)])
def test_a_level_between_0_and_1_is_returned_as_a_float(level: float) -> None:
    assert _checks.level(level) == float(level)
    assert type(_checks.level(level)) is float


@pytest.mark.parametrize("level", [0, 1, 95, -0.5, 0.0, 1.0, math.nan, math.inf, True, False])
def test_a_level_elsewhere_is_refused(level: float) -> None:
    with pytest.raises(InputError, match=r"^level must lie between 0 and 1, such as 0\.95 .*; got ") as caught:
        _checks.level(level)
    assert str(caught.value).endswith(repr(level))


@pytest.mark.parametrize("level", ["95%", None, [0.95]])
def test_a_level_that_is_no_number_is_refused(level: Any) -> None:
    with pytest.raises(InputError, match="level must lie between 0 and 1"):
        _checks.level(level)


def test_a_known_name_is_returned_and_an_unknown_one_gets_the_nearest() -> None:
    assert _checks.known_name("test", "z", ("z", "t")) == "z"
    with pytest.raises(
        UnknownNameError, match=r"^unknown test 'knap'\. Did you mean 'knapp'\? Known: 'z' and 'knapp'\.$"
    ):
        _checks.known_name("test", "knap", ("z", "knapp"))
    with pytest.raises(UnknownNameError, match=r"^unknown test 17\. Known: 'z'\.$"):
        _checks.known_name("test", 17, ("z",))


@pytest.mark.parametrize("name", [None, ["z"], np.array(["z", "t"]), pd.Series(["z", "t"])])
def test_a_name_of_another_type_is_refused(name: Any) -> None:
    with pytest.raises(UnknownNameError, match=r"(?s)^unknown test .*Known: 'z' and 't'"):
        _checks.known_name("test", name, ("z", "t"))


def test_rows_are_refused_only_where_bad() -> None:
    names = pd.Index(["a", "b"])
    _checks.refuse_rows("n", "is odd", "Mend it.", np.array([False, False]), [1, 2], names)
    with pytest.raises(InputError, match=r"^column 'n' is odd: row b \('x'\)\. Mend it\.$") as caught:
        _checks.refuse_rows("n", "is odd", "Mend it.", np.array([False, True]), [1, "x"], names)
    assert (caught.value.column, caught.value.rows) == ("n", ("b",))


def test_numbers_of_every_type_become_floats() -> None:
    for values in (
        pd.Series([1, 2]),
        pd.Series([1.0, 2.0]),
        pd.Series(["1", "2.0"]),
        pd.Series([1, "2"], dtype=object),
        pd.Series([1, 2], dtype="Int64"),
        pd.Series([1, 2], dtype="uint8"),
        pd.Series(pd.Categorical([1, 2])),
    ):
        parsed = _checks.numbers("n", values)
        assert parsed.tolist() == [1.0, 2.0]
        assert parsed.dtype == np.float64


def test_empty_cells_pass_only_where_allowed() -> None:
    for values in (pd.Series([1.0, None]), pd.Series([1, None], dtype="Int64"), pd.Series(["1", None])):
        parsed = _checks.numbers("n", values, allow_missing=True)
        assert parsed[0] == 1.0
        assert math.isnan(parsed[1])
        with pytest.raises(InputError, match=r"has empty cells: row 1 \(empty\)"):
            _checks.numbers("n", values)


def test_complex_numbers_are_no_numbers_here() -> None:
    with pytest.raises(InputError, match="column 'r' must hold numbers"):
        _checks.numbers("r", pd.Series([0.1 + 1j, 0.2]))


KEYS: dict[str, type | tuple[type, ...]] = {"name": str, "size": int}
MORE: dict[str, type | tuple[type, ...]] = {"limit": (int, float)}


def test_a_closed_table_is_returned_as_it_is() -> None:
    table = {"name": "a", "size": 1, "limit": 0.5}
    assert _checks.closed_table(table, "x.toml", required=KEYS, optional=MORE, error=SpecError) == table


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([], r"^x\.toml must be a table of keys and values, not list$"),
        (
            {"name": "a", "sise": 1},
            r"^x\.toml has an unknown key 'sise'\. Did you mean 'size'\? Keys allowed: 'limit', ",
        ),
        ({"size": 1}, r"^x\.toml lacks 'name'$"),
        ({}, r"^x\.toml lacks 'name' and 'size'$"),
        ({"name": 1, "size": 1}, r"^x\.toml: 'name' must be of type str, not int$"),
        ({"name": "a", "size": True}, r"^x\.toml: 'size' must be of type int, not bool$"),
        ({"name": "a", "size": 1, "limit": "low"}, r"^x\.toml: 'limit' must be of type int or float, not str$"),
    ],
)
def test_a_table_with_other_keys_or_types_is_refused(table: object, message: str) -> None:
    for error in (SpecError, DataFileError):
        with pytest.raises(error, match=message):
            _checks.closed_table(table, "x.toml", required=KEYS, optional=MORE, error=error)


def test_true_is_no_limit() -> None:
    with pytest.raises(DataFileError, match="'limit' must be of type int or float, not bool"):
        _checks.closed_table(
            {"name": "a", "size": 1, "limit": True}, "x.toml", required=KEYS, optional=MORE, error=DataFileError
        )
