"""The wheel stands alone: built, unpacked elsewhere, it loads every data set with the same hashes."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import alliance_meta as am

ROOT = Path(__file__).parents[2]
SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
import alliance_meta as am
assert am.__file__.startswith(sys.argv[1]), am.__file__
am.reports.render_report([am.reproductions.reproduce("kolden2011-congruence")])
print(json.dumps({name: am.datasets.load(name).provenance.sha256 for name in am.datasets.names()}))
"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's contents, in a folder of their own."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_wheel_loads_every_data_set(unpacked: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-c", SCRIPT, str(unpacked)]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {name: am.datasets.load(name).provenance.sha256 for name in am.datasets.names()}


def test_wheel_holds_types_data_and_templates(unpacked: Path) -> None:
    package = unpacked / "alliance_meta"
    assert (package / "py.typed").is_file()
    assert (package / "reports" / "templates" / "reproductions.html").is_file()
    shipped = {path.relative_to(ROOT / "data") for path in (ROOT / "data").rglob("*") if path.is_file()}
    packed = {path.relative_to(package / "_data") for path in (package / "_data").rglob("*") if path.is_file()}
    assert packed == shipped


def test_checkout_has_no_copy_of_the_data() -> None:
    assert not (ROOT / "src" / "alliance_meta" / "_data").exists()


def test_project_names_no_path_outside_itself() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=False, capture_output=True, text=True, timeout=60)
    files = [ROOT / name for name in listed.stdout.splitlines()] or list((ROOT / "src").rglob("*.py"))
    assert len(files) > 10
    outside = "/".join(["..", "shared"])
    holding = [path for path in files if path.suffix != ".png" and outside in path.read_text(encoding="utf-8")]
    assert holding == []
