"""The public names, that they are documented, and that importing the library draws nothing."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

import alliance_meta as am

ROOT = Path(__file__).parents[2]

NAMES = {
    "alliance_meta": [
        "Audit",
        "DependenceReport",
        "EffectSizes",
        "LocationScale",
        "MetaRegression",
        "ModelComparison",
        "MultiModel",
        "Multilevel",
        "Multivariate",
        "NewStudies",
        "PermutationResult",
        "PooledBatch",
        "PooledEffect",
        "PowerResult",
        "PsychometricResult",
        "RobustFit",
        "StudyDiagnostics",
        "Subgroups",
        "VoteCount",
        "aggregate",
        "audit",
        "bias",
        "compare",
        "consistency",
        "conversions",
        "correct_attenuation",
        "datasets",
        "dependence_report",
        "diagnose",
        "effect_sizes",
        "errors",
        "evidence",
        "location_scale",
        "meta_regression",
        "multilevel",
        "multimodel",
        "multivariate",
        "new_studies_needed",
        "permutation_test",
        "plots",
        "pool",
        "pool_many",
        "power",
        "psychometric",
        "report",
        "reports",
        "reproductions",
        "robust",
        "sensitivity",
        "simulate",
        "snapshot",
        "studies_needed",
        "subgroups",
        "vote_count",
    ],
    "alliance_meta.datasets": [
        "Aggregate",
        "Column",
        "Dataset",
        "Deviation",
        "Installation",
        "Provenance",
        "Reference",
        "catalog",
        "described",
        "install",
        "load",
        "names",
        "references",
        "template",
        "templates",
    ],
    "alliance_meta.errors": [
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
    ],
}


def public_modules() -> list[str]:
    found = pkgutil.walk_packages(am.__path__, "alliance_meta.")
    return ["alliance_meta", *(module.name for module in found if "._" not in module.name)]


def python(code: str) -> str:
    """What a fresh interpreter prints, with every warning an error."""
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=ROOT / "src")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("module", NAMES)
def test_public_names_are_these(module: str) -> None:
    assert importlib.import_module(module).__all__ == NAMES[module]


@pytest.mark.parametrize("module", public_modules())
def test_all_is_sorted_as_ruff_does_and_every_name_exists(module: str) -> None:
    imported = importlib.import_module(module)
    names = getattr(imported, "__all__", [])
    assert len(names) == len(set(names))
    assert [name for name in names if not hasattr(imported, name)] == []


def test_dir_shows_what_there_is_to_use_and_no_tools_of_its_own() -> None:
    # In a fresh interpreter, so that no test has imported a submodule before.
    shown = python("import alliance_meta; print(*(n for n in dir(alliance_meta) if not n.startswith('_')))").split()
    submodules = {name.removeprefix("alliance_meta.") for name in public_modules()}
    assert set(NAMES["alliance_meta"]) <= set(shown)
    assert set(shown) - set(NAMES["alliance_meta"]) <= submodules


def test_importing_the_library_does_not_import_matplotlib() -> None:
    python("import alliance_meta, sys; assert 'matplotlib' not in sys.modules")


@pytest.mark.parametrize("module", ["formulaic", "statsmodels", "scipy.interpolate", "scipy.optimize", "scipy.stats"])
def test_importing_the_library_leaves_what_few_sessions_need(module: str) -> None:
    assert python(f"import alliance_meta, sys; print({module!r} in sys.modules)") == "False"


def test_loading_pooling_and_printing_do_not_import_matplotlib() -> None:
    code = (
        "import sys, alliance_meta as am; "
        "fit = am.pool(am.effect_sizes(am.datasets.load('kolden2011'))); "
        "str(fit), fit._repr_html_(), fit.to_apa(), fit.to_r(), am.reproductions; "
        "assert 'matplotlib' not in sys.modules; print(fit.k)"
    )
    assert python(code) == "16"


@pytest.mark.parametrize("name", ["plots", "reports"])
def test_drawing_modules_are_imported_when_asked_for(name: str) -> None:
    assert python(f"import alliance_meta; print(alliance_meta.{name}.__name__)") == f"alliance_meta.{name}"


def test_an_unknown_attribute_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"^module 'alliance_meta' has no attribute 'polo'$"):
        am.polo  # noqa: B018  the access is the test


def undocumented(module: ModuleType) -> list[str]:
    """Public functions, classes, methods and properties without a docstring."""
    found = [] if inspect.getdoc(module) else [module.__name__]
    for name in getattr(module, "__all__", []):
        thing = getattr(module, name)
        if not (inspect.isfunction(thing) or inspect.isclass(thing)):
            continue
        if not (thing.__doc__ or "").strip() or (thing.__doc__ or "").startswith(f"{name}("):
            found.append(f"{module.__name__}.{name}")
        if inspect.isclass(thing):
            for own, member in vars(thing).items():
                inner = getattr(member, "fget", None) or getattr(member, "__func__", member)
                if not own.startswith("_") and inspect.isfunction(inner) and not inspect.getdoc(inner):
                    found.append(f"{module.__name__}.{name}.{own}")
    return found


def test_what_is_undocumented_is_found() -> None:
    code = '''
"""Documented."""
__all__ = ["bare", "told", "Bare", "Told", "value"]
value = 1
def bare(): pass
def told():
    """Told."""
class Bare: pass
class Told:
    """Told."""
    def bare(self): pass
    @property
    def bare_property(self): pass
    @staticmethod
    def bare_static(): pass
    def _own(self): pass
'''
    module = ModuleType("m", "Documented.")
    exec(code, module.__dict__)  # noqa: S102  the code is above
    assert undocumented(module) == ["m.bare", "m.Bare", "m.Told.bare", "m.Told.bare_property", "m.Told.bare_static"]


@pytest.mark.parametrize("module", public_modules())
def test_everything_public_is_documented(module: str) -> None:
    assert undocumented(importlib.import_module(module)) == []


def test_the_version_is_the_one_that_is_built() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in project["project"]["dynamic"]
    source = (ROOT / project["tool"]["hatch"]["version"]["path"]).read_text(encoding="utf-8")
    assert re.findall(r'^__version__ = "(.+)"$', source, flags=re.MULTILINE) == [am.__version__]
    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", am.__version__)
    # Where the library is installed, its metadata say the same; where it is not, there are none to be wrong.
    installed = {found.version for found in importlib.metadata.distributions(name="alliance-meta")}
    assert installed <= {am.__version__}


def test_the_version_that_can_be_cited_is_the_one_that_is_built() -> None:
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r'^version: "?([^"\n]+)"?$', text, flags=re.MULTILINE) == [am.__version__]


def test_type_hints_are_shipped() -> None:
    assert (Path(am.__file__).parent / "py.typed").exists()
