"""Fresh random designs, fitted by the library and by metafor in the same breath."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pytest
from tests.reference import regression_agreement as agreement

from alliance_meta.errors import AllianceMetaError

pytestmark = pytest.mark.metafor

DESIGNS = 200
METHODS_EACH = 4
ENOUGH_WRONG = 3  # fits; 50 digits take time
HERE = Path(__file__).parent
MAKE = HERE.parent / "reference" / "make"
PACKAGES = ("metafor", "jsonlite")
# Every design has the constant among its columns: metafor 3.8 centres the effects of those that do not.
FORMULAS = (
    *("x", "x + z", "year", "g", "0 + g", "x + g", "x * z", "x + z + year", "x + h", "h + z + x", "g + h"),
    *("x + z + I(x * z)", "x * g", "year + g + z", "x + z + x:z + g", "0 + h + x", "x + z + h + g"),
)


class DesignSet(TypedDict):
    """One design as it is sent to R."""

    name: str
    formula: str
    yi: list[float]
    vi: list[float]
    data: dict[str, list[Any]]
    methods: list[str]
    tests: list[str]


@pytest.fixture(scope="module")
def seed() -> int:
    """A new seed each run, unless ALLIANCE_META_SEED names one."""
    given = os.environ.get("ALLIANCE_META_SEED")
    number = int(given) if given else int(np.random.SeedSequence().generate_state(1)[0])
    print(f"\nALLIANCE_META_SEED={number}")
    return number


def _rounded(values: np.ndarray) -> list[float]:
    return [float(f"{value:.6g}") for value in values]


def _random_designs(seed: int, count: int) -> list[DesignSet]:
    """Designs of 5 to 100 effects and 1 to 6 coefficients: variances equal to wild, heterogeneity none to huge."""
    rng = np.random.default_rng(seed)
    designs: list[DesignSet] = []
    while len(designs) < count:
        number = len(designs)
        formula = FORMULAS[number % len(FORMULAS)]
        k = int(rng.choice([5, 6, 7, 8, 10, 12, 15, 20, 30])) if number % 20 else int(rng.integers(31, 101))
        data = _moderators(k, formula, rng)
        one = _effects(f"design{number}", formula, data, k, rng)
        try:
            fit = agreement.fitted(one, "EE", "z")
        except AllianceMetaError:
            continue  # more coefficients than effects, or a level that never occurs: draw again
        if k - len(fit.names) >= 2:
            first = number * METHODS_EACH
            methods = [agreement.METHODS[(first + i) % len(agreement.METHODS)] for i in range(METHODS_EACH)]
            tests = [("z", "t", "knha", "adhoc")[(number + i) % 4] for i in range(METHODS_EACH)]
            designs.append({**one, "methods": methods, "tests": tests})
    return designs


def _moderators(k: int, formula: str, rng: np.random.Generator) -> dict[str, list[Any]]:
    data = {
        "x": _rounded(rng.normal(0.0, 1.0, k)),
        "z": _rounded(rng.exponential(10.0, k)),
        "year": rng.integers(1970, 2021, k).astype(float).tolist(),
        "g": rng.permutation(np.resize(["low", "middle", "high"], k)).tolist(),
        "h": rng.permutation(np.resize(["yes", "no"], k)).tolist(),
    }
    return {name: values for name, values in data.items() if name in formula}


def _effects(name: str, formula: str, data: dict[str, list[Any]], k: int, rng: np.random.Generator) -> DesignSet:
    scale = float(rng.choice([1e-3, 0.05, 1.0]))
    spread = str(rng.choice(["equal", "mild", "mild", "wild"]))
    log_v = {"equal": np.zeros(k), "mild": rng.normal(0.0, 0.7, k), "wild": rng.uniform(-4.6, 4.6, k)}[spread]
    v = scale * np.exp(log_v)
    between = float(rng.choice([0.0, 0.1, 1.0, 10.0, 1e3])) / float(np.mean(1.0 / v))
    y = rng.normal(0.0, np.sqrt(scale)) + rng.normal(0.0, np.sqrt(between + v * float(rng.choice([0.25, 1.0, 1.0]))))
    for values in data.values():
        if not isinstance(values[0], str):
            size = max(abs(value) for value in values)
            y = y + rng.normal(0.0, np.sqrt(scale)) * np.array(values) / size
    return {
        "name": name,
        "formula": formula,
        "yi": _rounded(y),
        "vi": _rounded(v),
        "data": data,
        "methods": [],
        "tests": [],
    }


def _fitted_by_metafor(rscript: str, designs: Sequence[DesignSet], folder: Path) -> list[dict[str, Any] | None]:
    asked, answered = folder / "designs.json", folder / "answers.json"
    asked.write_text(json.dumps(designs), encoding="utf-8")
    command = [rscript, str(HERE / "live_regression.R"), str(MAKE), str(asked), str(answered)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"R stopped: {done.stderr[-2000:]}"
    answers: list[dict[str, Any] | None] = json.loads(answered.read_text(encoding="utf-8"))
    return answers


class Comparison:
    """What came of comparing designs with metafor's answers."""

    def __init__(self) -> None:
        self.numbers = 0
        self.worst: dict[str, tuple[float, str]] = {}
        self.metafor_off: list[str] = []
        self.lost: list[str] = []
        self.wrong: list[tuple[DesignSet, str, str, str]] = []

    def add(self, one: DesignSet, answer: dict[str, Any] | None) -> None:
        """Compare all fits of one design."""
        if answer is None:
            self.lost.append(one["name"])
            return
        self.lost += [f"{one['name']} {method}" for method in answer["not_converged"]]
        for theirs in answer["fits"]:
            (test,) = theirs["tests"]
            what = _wrong(answer, theirs, test, self)
            if what:
                self.wrong.append((one, theirs["method"], test, what))

    def __str__(self) -> str:
        worst = ", ".join(f"{name} {off:.1e} ({method})" for name, (off, method) in sorted(self.worst.items()))
        return (
            f"{self.numbers} numbers; worst relative differences {worst}; settled against metafor by 50 digits: "
            f"{self.metafor_off or 'none'}; not fitted by metafor: {self.lost or 'none'}"
        )


def _wrong(answer: dict[str, Any], theirs: dict[str, Any], test: str, comparison: Comparison | None = None) -> str:
    """What the library has wrong about a fit; empty if nothing."""
    try:
        verdict = agreement.judge(answer, theirs, test)
    except AllianceMetaError as error:
        return f"metafor fits this, but meta_regression() raises {type(error).__name__}: {error}"
    if comparison is not None:
        comparison.numbers += len(verdict.differences)
        if verdict.metafor_off:
            off = ", ".join(sorted({agreement.kind(name) for name in verdict.metafor_off}))
            comparison.metafor_off.append(f"{answer['name']} {theirs['method']} {test}: {off}")
        for name, difference in verdict.differences.items():
            kind = agreement.kind(name)
            comparison.worst[kind] = max(comparison.worst.get(kind, (0.0, "")), (difference, theirs["method"]))
    return f"(ours, metafor's, with 50 digits) {verdict.wrong}" if verdict.wrong else ""


Disagrees = Callable[[list[DesignSet]], list[bool]]


def _without(one: DesignSet, i: int) -> DesignSet:
    def less(values: list[Any]) -> list[Any]:
        return values[:i] + values[i + 1 :]

    data = {name: less(values) for name, values in one["data"].items()}
    return {**one, "yi": less(one["yi"]), "vi": less(one["vi"]), "data": data}


def _shrunk(one: DesignSet, disagrees: Disagrees, seconds: float = 60.0) -> DesignSet:
    """Drop one row at a time as long as the disagreement stays."""
    until = time.monotonic() + seconds
    while len(one["yi"]) > 2 and time.monotonic() < until:
        fewer = [_without(one, i) for i in range(len(one["yi"]))]
        smaller = next((each for each, bad in zip(fewer, disagrees(fewer), strict=True) if bad), None)
        if smaller is None:
            break
        one = smaller
    return one


def _still_differs(one: DesignSet, answer: dict[str, Any] | None) -> bool:
    if answer is None or not answer["fits"]:
        return False
    what = _wrong(answer, answer["fits"][0], one["tests"][0])
    return bool(what) and "raises InputError" not in what


def test_random_designs_agree_with_metafor(rscript: str, seed: int, tmp_path: Path) -> None:
    designs = _random_designs(seed, DESIGNS)
    comparison = Comparison()
    for one, answer in zip(designs, _fitted_by_metafor(rscript, designs, tmp_path), strict=True):
        if len(comparison.wrong) < ENOUGH_WRONG:
            comparison.add(one, answer)
    print(f"{len(designs)} designs, {comparison}")
    if not comparison.wrong:
        return
    first, method, test, what = comparison.wrong[0]

    def disagrees(candidates: list[DesignSet]) -> list[bool]:
        answers = _fitted_by_metafor(rscript, candidates, tmp_path)
        return [_still_differs(candidate, answer) for candidate, answer in zip(candidates, answers, strict=True)]

    smallest = _shrunk({**first, "methods": [method], "tests": [test]}, disagrees)
    pytest.fail(
        f"ALLIANCE_META_SEED={seed}: {len(comparison.wrong)} fits or more disagree with metafor, the first "
        f"{first['name']} ({first['formula']}), {method}, {test}: {what}\nThe fewest rows that still disagree:\n"
        f"{json.dumps(smallest)}"
    )


def test_shrinking_keeps_only_the_rows_that_matter() -> None:
    one: DesignSet = {
        "name": "set",
        "formula": "x",
        "yi": [0.0, 9.0, 1.0, 7.0],
        "vi": [1.0, 2.0, 3.0, 4.0],
        "data": {"x": [1.0, 2.0, 3.0, 4.0]},
        "methods": ["DL"],
        "tests": ["z"],
    }
    smallest = _shrunk(one, lambda sets: [9.0 in each["yi"] and 4.0 in each["data"]["x"] for each in sets])
    assert (smallest["yi"], smallest["vi"], smallest["data"]) == ([9.0, 7.0], [2.0, 4.0], {"x": [2.0, 4.0]})
    assert _shrunk(one, lambda sets: [True] * len(sets), seconds=-1.0) == one


def test_a_falsified_answer_is_noticed(rscript: str, tmp_path: Path) -> None:
    designs = _random_designs(20, 1)
    (answer,) = _fitted_by_metafor(rscript, designs, tmp_path)
    assert answer is not None
    theirs = answer["fits"][0]
    (test,) = theirs["tests"]
    assert not agreement.judge(answer, theirs, test).wrong
    mine = agreement.numbers_of(agreement.fitted(answer, theirs["method"], test), agreement.frame_of(answer))
    mine["tau2"] = 1.0 + 2.0 * mine["tau2"]
    assert list(agreement.judge(answer, theirs, test, mine).wrong) == ["tau2"]
