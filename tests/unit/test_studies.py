"""`read_studies()`: which column plays which role, and what is no table of studies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliance_meta as am
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.studies import ROLES, StudyTable, read_studies

R, N = [0.2, 0.3, 0.4], [20, 30, 40]


@pytest.mark.parametrize("data", [{"r": R, "n": N}, [R, N], np.array([R, N]), "kolden2011", 3])
def test_data_of_another_type_are_refused_with_the_way_to_a_table(data: Any) -> None:
    message = (
        rf"^data must be a pandas DataFrame or a data set, not {type(data).__name__}; .*pandas\.DataFrame\(\.\.\.\)$"
    )
    with pytest.raises(InputError, match=message):
        am.effect_sizes(data)


def test_a_series_is_no_table() -> None:
    data: Any = pd.Series(R)
    with pytest.raises(InputError, match="data must be a pandas DataFrame or a data set, not Series"):
        am.effect_sizes(data)


def test_arrays_must_be_as_long_as_the_table() -> None:
    with pytest.raises(InputError, match=r"^n has 2 values, but the table has 3 rows$"):
        am.effect_sizes(r=R, n=[20, 30])
    with pytest.raises(InputError, match=r"^r has 4 values, but the table has 3 rows$"):
        am.effect_sizes(pd.DataFrame({"n": N}), r=[0.1, 0.2, 0.3, 0.4])


SHAPES: dict[str, Any] = {
    "two axes": np.array([R, R]),
    "nested lists": [[0.2], [0.3], [0.4]],
    "ragged lists": [[0.2], [0.3, 0.4]],
    "a frame": pd.DataFrame({"r": R}),
    "one number": 0.3,
    "no axis": np.array(0.3),
    "a mapping": {"r": R},
    "a set": {0.2, 0.3},
}


@pytest.mark.parametrize("value", SHAPES.values(), ids=[*SHAPES])
def test_a_role_takes_one_axis(value: Any) -> None:
    message = "^r must be a column name or a one-dimensional array of numbers or names$"
    with pytest.raises(InputError, match=message):
        am.effect_sizes(r=value, n=N)


def test_repeated_column_names_are_refused() -> None:
    frame = pd.DataFrame([[0.2, 0.3, 20, 30]], columns=["r", "r", "n", "n"])
    with pytest.raises(InputError, match=r"^the table has more than one column named 'r' and 'n'; rename them$"):
        am.effect_sizes(frame)


def test_a_column_is_called_by_its_name_even_where_others_have_numbers_for_names() -> None:
    frame = pd.DataFrame({0: R, "size": N})
    assert am.effect_sizes(frame.rename(columns={0: "r"}), n="size").k == 3
    with pytest.raises(UnknownNameError, match="unknown column for 'r' '0'"):
        am.effect_sizes(frame, r="0", n="size")


def test_a_said_column_beats_the_one_of_the_same_name() -> None:
    frame = pd.DataFrame({"r": R, "other": [0.5, 0.6, 0.7], "n": N})
    assert read_studies(frame).roles == {"r": "r", "n": "n"}
    assert read_studies(frame, r="other").roles == {"r": "other", "n": "n"}
    assert am.effect_sizes(frame, measure="COR", r="other").effect.tolist() == [0.5, 0.6, 0.7]


def test_a_data_set_brings_its_roles_and_a_said_column_beats_them() -> None:
    dataset = am.datasets.load("kolden2011")
    assert read_studies(dataset).roles == dict(dataset.roles)
    assert read_studies(dataset, label="effect_id").roles == {**dataset.roles, "label": "effect_id"}
    assert am.effect_sizes(dataset, label="effect_id").labels[0] == "althay1973"  # first row of the file
    with pytest.raises(UnknownNameError, match=r"unknown column for 'r' 'r_recheck'. Did you mean 'r_rechecked'"):
        am.effect_sizes(dataset, r="r_recheck")


def test_columns_without_a_role_are_not_guessed() -> None:
    studies = read_studies(pd.DataFrame({"r": R, "n": N, "R": R, "colour": R}))
    assert dict(studies.roles) == {"r": "r", "n": "n"}
    assert studies.has("r")
    assert not studies.has("g")
    assert set(ROLES) >= {"r", "n", "g", "n1", "n2", "effect", "variance", "std_error", "effect_id", "study", "label"}


def test_a_table_of_studies_cannot_be_changed_from_outside() -> None:
    given = pd.DataFrame({"r": R, "n": N})
    studies = read_studies(given)
    copy = studies.frame
    copy.loc[:, "r"] = 9.0
    given.loc[:, "r"] = 9.0
    assert studies.column("r").tolist() == R
    assert studies.numbers("r").tolist() == R
    with pytest.raises(AttributeError, match="cannot assign to field 'caveat'"):
        studies.caveat = "none"  # type: ignore[misc]


def test_a_caveat_travels_with_the_studies() -> None:
    studies = StudyTable(roles={"r": "r", "n": "n"}, caveat="Made up.", _frame=pd.DataFrame({"r": R, "n": N}))
    assert read_studies(studies).caveat == "Made up."
    assert am.effect_sizes(studies, n=[50, 60, 70]).caveat == "Made up."
    assert read_studies(pd.DataFrame({"r": R, "n": N})).caveat == ""


def test_arrays_alone_keep_the_index_of_the_first() -> None:
    first = pd.Series(R, index=["x", "y", "z"])
    assert read_studies(None, r=first, n=N).index.tolist() == ["x", "y", "z"]
    assert read_studies(None, r=R, n=N).index.tolist() == [0, 1, 2]
