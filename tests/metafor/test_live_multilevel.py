"""Fresh random effects in groups, fitted by the library and by metafor's rma.mv in the same breath."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pandas as pd
import pytest
from tests.reference import multilevel_agreement as agreement

import alliance_meta as am
from alliance_meta.errors import AllianceMetaError

pytestmark = pytest.mark.metafor

SETS = 60
ENOUGH_LOST = 6  # sets of 60 that metafor does not fit
HERE = Path(__file__).parent
MAKE = HERE.parent / "reference" / "make"
PACKAGES = ("metafor", "jsonlite")
FORMULAS = ("1", "1", "x", "x + g", "0 + g", "u", "u + x")
"""`x` and `g` differ between effects, `u` between the largest groups."""


class NestedSet(TypedDict):
    """One set as it is sent to R."""

    name: str
    formula: str
    yi: list[float]
    vi: list[float]
    data: dict[str, list[Any]]
    groups: dict[str, list[str]]
    rho: Any
    method: str
    thorough: bool


@pytest.fixture(scope="module")
def seed() -> int:
    """A new seed each run, unless ALLIANCE_META_SEED names one."""
    given = os.environ.get("ALLIANCE_META_SEED")
    number = int(given) if given else int(np.random.SeedSequence().generate_state(1)[0])
    print(f"\nALLIANCE_META_SEED={number}")
    return number


def _rounded(values: np.ndarray) -> list[float]:
    return [float(f"{value:.6g}") for value in values]


def _groups(rng: np.random.Generator, levels: int) -> list[np.ndarray]:
    """Groups within groups, the outermost first, the sizes from 1 up."""
    groups = [np.arange(int(rng.integers(6, 13)))]
    for _ in range(levels):
        sizes = rng.integers(1, 5 if levels == 1 else 4, groups[-1].size)
        groups = [np.repeat(group, sizes) for group in groups]
        groups.append(np.arange(groups[0].size))
    return groups[:-1]


def _random_sets(seed: int, count: int) -> list[NestedSet]:
    """Two to four levels; variances equal to far apart; components none to large; errors correlated in all ways."""
    rng = np.random.default_rng(seed)
    sets: list[NestedSet] = []
    for number in range(count):
        outer_first = _groups(rng, 1 + number % 3)
        k = outer_first[0].size
        scale = float(rng.choice([1e-3, 0.05, 1.0]))
        v = scale * np.exp(rng.normal(0.0, float(rng.choice([0.0, 0.7, 1.2])), k))
        study = outer_first[-1]
        y = rng.normal(0.0, np.sqrt(scale)) + rng.normal(0.0, np.sqrt(v + scale * rng.choice([0.0, 0.3, 3.0])))
        for group in outer_first:
            y = y + rng.normal(0.0, np.sqrt(scale * float(rng.choice([0.0, 0.3, 3.0]))), group.max() + 1)[group]
        sets.append(
            {
                "name": f"set{number}",
                "formula": FORMULAS[number % len(FORMULAS)],
                "yi": _rounded(y),
                "vi": _rounded(v),
                "data": {},
                "groups": {f"level{i}": [f"g{j}" for j in each] for i, each in enumerate(reversed(outer_first))},
                "rho": _correlation(rng, study),
                "method": "REML" if number % 3 else "ML",
                "thorough": True,
            }
        )
        sets[-1]["data"] = _moderators(rng, outer_first[0], sets[-1]["formula"])
    return sets


def _correlation(rng: np.random.Generator, study: np.ndarray) -> Any:
    kind = str(rng.choice(["none", "number", "studies", "decay"]))
    per_study: list[float] = rng.uniform(0.0, 0.9, study.max() + 1).round(3)[study].tolist()
    return {"none": None, "number": float(rng.uniform(0.1, 0.9)), "studies": per_study, "decay": {"decay": 0.7}}[kind]


def _moderators(rng: np.random.Generator, outer: np.ndarray, formula: str) -> dict[str, list[Any]]:
    data = {
        "x": _rounded(rng.normal(0.0, 1.0, outer.size)),
        "g": rng.permutation(np.resize(["low", "middle", "high"], outer.size)).tolist(),
        "u": _rounded(rng.normal(0.0, 1.0, outer.max() + 1)[outer]),
    }
    return {name: values for name, values in data.items() if name in formula}


def _fitted_by_metafor(rscript: str, sets: Sequence[NestedSet], folder: Path) -> list[dict[str, Any] | None]:
    asked, answered = folder / "sets.json", folder / "answers.json"
    asked.write_text(json.dumps(sets), encoding="utf-8")
    command = [rscript, str(HERE / "live_multilevel.R"), str(MAKE), str(asked), str(answered)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, f"R stopped: {done.stderr[-2000:]}"
    answers: list[dict[str, Any] | None] = json.loads(answered.read_text(encoding="utf-8"))
    return answers


def _judged(one: NestedSet, answer: dict[str, Any]) -> tuple[dict[str, float], str]:
    try:
        return agreement.wrong(agreement.fitted(one, one["method"]), answer)
    except AllianceMetaError as error:
        return {}, f"metafor fits this, but multilevel() raises {type(error).__name__}: {error}"


def _without(one: NestedSet, i: int) -> NestedSet:
    def less(values: list[Any]) -> list[Any]:
        return values[:i] + values[i + 1 :]

    return {
        **one,
        "yi": less(one["yi"]),
        "vi": less(one["vi"]),
        "data": {name: less(values) for name, values in one["data"].items()},
        "groups": {name: less(values) for name, values in one["groups"].items()},
        "rho": less(one["rho"]) if isinstance(one["rho"], list) else one["rho"],
    }


def _shrunk(one: NestedSet, disagrees: Callable[[list[NestedSet]], list[bool]], seconds: float = 60.0) -> NestedSet:
    """Drop one row at a time as long as the disagreement stays."""
    until = time.monotonic() + seconds
    while len(one["yi"]) > 4 and time.monotonic() < until:
        fewer = [_without(one, i) for i in range(len(one["yi"]))]
        smaller = next((each for each, bad in zip(fewer, disagrees(fewer), strict=True) if bad), None)
        if smaller is None:
            break
        one = smaller
    return one


def test_random_nested_sets_agree_with_metafor(rscript: str, seed: int, tmp_path: Path) -> None:
    sets = _random_sets(seed, SETS)
    worst: dict[str, tuple[float, str]] = {}
    found: list[tuple[NestedSet, str]] = []
    lost = []
    for one, answer in zip(sets, _fitted_by_metafor(rscript, sets, tmp_path), strict=True):
        if answer is None:
            lost.append(one["name"])
            continue
        differences, what = _judged(one, answer)
        for name, off in differences.items():
            worst[name] = max(worst.get(name, (-np.inf, "")), (off, one["name"]))
        if what:
            found.append((one, what))
    said = ", ".join(f"{name} {off:.1e} ({where})" for name, (off, where) in worst.items())
    print(f"{len(sets)} sets, not fitted by metafor: {lost or 'none'}; worst: {said}")
    assert len(lost) <= ENOUGH_LOST
    if not found:
        return

    def disagrees(candidates: list[NestedSet]) -> list[bool]:
        quick: list[NestedSet] = [{**each, "thorough": False} for each in candidates]
        answers = _fitted_by_metafor(rscript, quick, tmp_path)
        return [
            bool(answer and (what := _judged(each, answer)[1]) and "raises InputError" not in what)
            for each, answer in zip(quick, answers, strict=True)
        ]

    first, what = found[0]
    pytest.fail(
        f"ALLIANCE_META_SEED={seed}: {len(found)} sets disagree with metafor, the first {first['name']} "
        f"({first['formula']}, {first['method']}): {what}\nThe fewest rows that still disagree:\n"
        f"{json.dumps(_shrunk(first, disagrees))}"
    )


def test_a_falsified_answer_is_noticed(rscript: str, tmp_path: Path) -> None:
    (one,) = _random_sets(20, 1)
    (answer,) = _fitted_by_metafor(rscript, [one], tmp_path)
    assert answer is not None
    assert _judged(one, answer)[1] == ""
    higher = {**answer, "log_likelihood": answer["log_likelihood"] + 1e-6}
    assert "metafor's log-likelihood is higher by 1.0e-06" in _judged(one, higher)[1]
    elsewhere = {**answer, "sigma2": [2.0 * value + 1e-3 for value in answer["sigma2"]]}
    assert "components off by" in _judged(one, elsewhere)[1]


def test_shrinking_keeps_only_the_rows_that_matter() -> None:
    (one,) = _random_sets(20, 1)
    rare = max(one["yi"])
    smallest = _shrunk(one, lambda sets: [rare in each["yi"] for each in sets])
    assert rare in smallest["yi"]
    assert len(smallest["yi"]) == len(smallest["vi"]) == len(smallest["groups"]["level0"]) == 4


def _answered(rscript: str, code: str, folder: Path) -> list[float]:
    """Log-likelihood, components from the outermost, estimates and standard errors of printed code."""
    script, out = folder / "printed.R", folder / "numbers.txt"
    written = 'cat(sprintf("%.17g", c(fit$sigma2, fit$beta, fit$se, logLik(fit))), file = "' + out.as_posix() + '")\n'
    script.write_text(code + written, encoding="utf-8")
    done = subprocess.run([rscript, str(script)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{done.stderr[-2000:]}\n{code}"
    return [float(number) for number in out.read_text(encoding="utf-8").split()]


@pytest.mark.parametrize("correlation", [None, 0.4, "rho", "matrix"])
@pytest.mark.parametrize("levels", [(), ("lab",)])
def test_printed_r_code_gives_our_numbers(
    rscript: str, seed: int, tmp_path: Path, correlation: Any, levels: tuple[str, ...]
) -> None:
    rng = np.random.default_rng(seed)
    study, lab = np.repeat(np.arange(12), 3), np.repeat(np.arange(6), 6)
    frame = pd.DataFrame(
        {
            "study": [f'st"udy {i}' for i in study],
            "lab": [f"lab\\{i}" for i in lab],
            "x": rng.normal(size=36).round(4),
            "rho": rng.uniform(0.1, 0.8, 12).round(3)[study],
            "v": rng.uniform(0.02, 0.1, 36).round(4),
        }
    )
    frame["y"] = (rng.normal(0, 0.4, 6)[lab] + rng.normal(0, 0.3, 12)[study] + rng.normal(0, 0.3, 36)).round(4)
    effects = am.effect_sizes(frame, measure="GEN", effect="y", variance="v")
    rho = 0.6 ** np.abs(np.subtract.outer(np.arange(36), np.arange(36)))
    fit = am.multilevel(effects, "x", levels=levels, correlation=rho if correlation == "matrix" else correlation)
    numbers = _answered(rscript, fit.to_r(), tmp_path)
    count = len(fit.components)
    assert len(numbers) == count + 5
    # nlminb stops a little below the maximum: in the components by 1e-5 of their sum, hence the rest by less.
    size = fit.tau2 + 0.02
    assert numbers[:count][::-1] == pytest.approx(fit.components.tolist(), abs=1e-4 * size)
    assert numbers[count : count + 2] == pytest.approx(fit.coefficients.tolist(), abs=1e-4 * fit.std_errors[1])
    assert numbers[count + 2 : -1] == pytest.approx(fit.std_errors.tolist(), rel=1e-4)
    assert numbers[-1] == pytest.approx(fit.log_likelihood, abs=1e-6)
    assert fit.log_likelihood >= numbers[-1] - agreement.HIGHER


@pytest.mark.parametrize("groups", ["every effect its own", "one"])
def test_printed_r_code_of_a_level_that_is_left_out_gives_our_numbers(
    rscript: str, seed: int, tmp_path: Path, groups: str
) -> None:
    rng = np.random.default_rng(seed)
    study = [f"s{i}" for i in range(15)] if groups != "one" else ["s"] * 15
    frame = pd.DataFrame({"study": study, "v": rng.uniform(0.02, 0.1, 15).round(4)})
    frame["y"] = rng.normal(0.3, np.sqrt(frame["v"] + 0.1)).round(4)
    fit = am.multilevel(am.effect_sizes(frame, measure="GEN", effect="y", variance="v"))
    study_tau2, effect_tau2, estimate, se, height = _answered(rscript, fit.to_r(), tmp_path)
    assert [effect_tau2, study_tau2] == pytest.approx(fit.components.tolist(), abs=1e-4 * (fit.tau2 + 0.02))
    assert estimate == pytest.approx(fit.estimate, abs=1e-4 * fit.std_errors[0])
    assert se == pytest.approx(fit.std_errors[0], rel=1e-4)
    assert height == pytest.approx(fit.log_likelihood, abs=1e-6)
