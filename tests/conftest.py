"""Options of this test suite."""

from __future__ import annotations

import os
import tempfile

import pytest

# Tests run side by side (-n auto): one thread each for linear algebra, here and in the programs they start.
for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite the files of tests/golden that differ from what is shown now, and fail the tests that had to",
    )


def pytest_configure() -> None:
    """An empty folder for installed tables, so that the tests neither see nor touch the user's own."""
    os.environ["ALLIANCE_META_DATA"] = tempfile.mkdtemp(prefix="alliance-meta-tests-")
