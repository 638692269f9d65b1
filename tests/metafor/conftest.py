"""R, for every live comparison: where it is, and what is missing of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache

import pytest

NEEDS = (
    "install R and its packages (Debian: apt-get install r-base-core r-cran-metafor r-cran-jsonlite "
    "r-cran-clubsandwich r-cran-numderiv) to run the live comparison"
)


@pytest.fixture(scope="module")
def rscript(request: pytest.FixtureRequest) -> str:
    """Path of Rscript, once it is known to have the module's `PACKAGES`.

    Where something is missing the tests are skipped, or fail if ALLIANCE_META_REQUIRE_R says that it must be there.
    """
    found = shutil.which("Rscript") or ""
    packages: tuple[str, ...] = request.module.PACKAGES
    lacking = [name for name in packages if found and not _has(found, name)]
    if not found or lacking:
        what = f"R has no package {', '.join(lacking)}" if found else "Rscript is not on PATH"
        (pytest.fail if os.environ.get("ALLIANCE_META_REQUIRE_R") else pytest.skip)(f"{what}; {NEEDS}")
    return found


@cache
def _has(rscript: str, package: str) -> bool:
    asked = [rscript, "-e", f"quit(status = !requireNamespace('{package}', quietly = TRUE))"]
    return subprocess.run(asked, capture_output=True, timeout=60, check=False).returncode == 0
