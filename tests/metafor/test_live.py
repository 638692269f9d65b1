"""Fresh random sets, and the R code that results print, run in R by metafor in the same breath."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from tests.metafor.shrinking import EffectSet, reproducer, shrunk
from tests.reference import agreement

import alliance_meta as am
from alliance_meta.errors import AllianceMetaError

pytestmark = pytest.mark.metafor

SETS = 120
ENOUGH_WRONG = 5  # fits; 50 digits take time
HERE = Path(__file__).parent
FITS_R = HERE.parent / "reference" / "make" / "fits.R"
PACKAGES = ("metafor", "jsonlite")


class Wrong(NamedTuple):
    """A fit in which the library and metafor disagree and metafor is right."""

    one: EffectSet
    method: str
    test: str
    control: dict[str, float]
    what: str


@pytest.fixture(scope="module")
def seed() -> int:
    """A new seed each run, unless ALLIANCE_META_SEED names one."""
    given = os.environ.get("ALLIANCE_META_SEED")
    number = int(given) if given else int(np.random.SeedSequence().generate_state(1)[0])
    print(f"\nALLIANCE_META_SEED={number}")
    return number


def _random_sets(seed: int, count: int) -> list[EffectSet]:
    """Sets of 2 to 120 effects: variances equal to wild, heterogeneity none to huge, scales small to large.

    Every fourth has other weights of the mean, of the generalised Q, or of both.
    """
    rng = np.random.default_rng(seed)
    sets: list[EffectSet] = []
    for number in range(count):
        k = int(rng.choice([2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 30])) if number % 20 else int(rng.integers(31, 121))
        scale = float(rng.choice([1e-4, 0.01, 0.05, 1.0, 10.0]))
        spread = rng.choice(["equal", "mild", "wild"])
        log_v = {"equal": np.zeros(k), "mild": rng.normal(0.0, 0.7, k), "wild": rng.uniform(-6.9, 6.9, k)}[str(spread)]
        v = scale * np.exp(log_v)
        between = float(rng.choice([0.0, 0.0, 0.1, 1.0, 10.0, 1e4])) / float(np.mean(1.0 / v))
        error = float(rng.choice([0.5, 1.0, 1.0]))
        y = rng.normal(float(rng.choice([0.0, 1.0, 10.0])) * np.sqrt(scale), np.sqrt(between + error**2 * v))
        one: EffectSet = {"name": f"set{number}", "yi": _rounded(y), "vi": _rounded(v)}
        sets.append(_weighted(one, number // 4, rng) if number % 4 == 3 else one)
    return sets


def _weighted(one: EffectSet, way: int, rng: np.random.Generator) -> EffectSet:
    n, root = rng.integers(10, 400, len(one["vi"])).astype(float).tolist(), [v**-0.5 for v in one["vi"]]
    if way % 4 == 0:
        return {**one, "methods": list(agreement.METHODS), "weights": n}
    if way % 4 == 1:
        return {**one, "methods": list(agreement.METHODS), "weights": "equal"}
    if way % 4 == 2:
        return {**one, "methods": ["GENQ"], "q_weights": n}
    return {**one, "methods": ["GENQ"], "weights": root, "q_weights": root}


def _rounded(values: np.ndarray) -> list[float]:
    return [float(f"{value:.6g}") for value in values]


def _fitted_by_metafor(rscript: str, sets: Sequence[EffectSet], folder: Path) -> list[dict[str, Any]]:
    asked, answered = folder / "sets.json", folder / "answers.json"
    asked.write_text(json.dumps(sets), encoding="utf-8")
    command = [rscript, str(HERE / "live.R"), str(FITS_R), str(asked), str(answered)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"R stopped: {done.stderr[-2000:]}"
    answers: list[dict[str, Any]] = json.loads(answered.read_text(encoding="utf-8"))
    return answers


class Comparison:
    """What came of comparing sets with metafor's answers."""

    def __init__(self) -> None:
        self.numbers = 0
        self.worst: dict[str, tuple[float, str]] = {}
        self.short_of_zero = 0
        self.metafor_off: list[str] = []
        self.not_converged: list[str] = []
        self.wrong: list[Wrong] = []

    def add(self, one: EffectSet, answer: dict[str, Any]) -> None:
        """Compare all fits of one set."""
        for fit in agreement.fits_of({**answer, **_weights(one)}):
            verdict, refusal = _judged(one, fit)
            if verdict is None:
                self._note(one, fit, refusal)
                continue
            if verdict.wrong:
                self._note(one, fit, f"(ours, metafor's, with 50 digits) {verdict.wrong}")
            if verdict.metafor_off:
                self.metafor_off.append(
                    f"{one['name']} {fit['method']} {fit['test']}: {', '.join(verdict.metafor_off)}"
                )
            self.numbers += len(verdict.differences)
            self.short_of_zero += verdict.short_of_zero
            for name, off in verdict.differences.items():
                self.worst[name] = max(self.worst.get(name, (0.0, "")), (off, fit["method"]))
        for method in answer["not_converged"]:
            self._without_metafor(one, method)

    def _note(self, one: EffectSet, fit: dict[str, Any], what: str) -> None:
        self.wrong.append(Wrong(one, fit["method"], fit["test"], fit["control"], what))

    def _without_metafor(self, one: EffectSet, method: str) -> None:
        """Where metafor does not converge, 50 digits are all there is."""
        self.not_converged.append(f"{one['name']} {method}")
        for test in agreement.TESTS:
            how = (method, test, one.get("weights"), one.get("q_weights"))
            mine, truth = (numbers(one["yi"], one["vi"], *how) for numbers in (agreement.ours, agreement.exact))
            if off := agreement.differing(mine, truth, agreement.RTOL):
                self.wrong.append(Wrong(one, method, test, {}, f"differs from 50 digits: {off}"))

    def __str__(self) -> str:
        worst = ", ".join(f"{name} {off:.1e} ({method})" for name, (off, method) in self.worst.items())
        return (
            f"{self.numbers} numbers; worst relative differences {worst}; metafor's tau2 short of 0 in "
            f"{self.short_of_zero} fits; settled against metafor by 50 digits: {self.metafor_off or 'none'}; metafor "
            f"did not converge: {self.not_converged or 'never'}"
        )


def _weights(one: EffectSet) -> dict[str, Any]:
    return {"weights": one.get("weights"), "q_weights": one.get("q_weights")}


def _judged(one: EffectSet, fit: dict[str, Any]) -> tuple[agreement.Verdict | None, str]:
    try:
        return agreement.judge(one["yi"], one["vi"], fit), ""
    except AllianceMetaError as error:
        return None, f"metafor fits this, but pool() raises {type(error).__name__}: {error}"


def _still_differs(one: EffectSet, answer: dict[str, Any]) -> bool:
    """Whether the library is still wrong about a smaller set: about it, too, 50 digits decide."""
    for fit in agreement.fits_of({**answer, **_weights(one)}):
        verdict, _ = _judged(one, fit)
        if verdict is None or verdict.wrong:
            return True
    return False


def test_random_sets_agree_with_metafor(rscript: str, seed: int, tmp_path: Path) -> None:
    sets = _random_sets(seed, SETS)
    answers = _fitted_by_metafor(rscript, sets, tmp_path)
    comparison = Comparison()
    for one, answer in sorted(zip(sets, answers, strict=True), key=lambda pair: len(pair[0]["yi"])):
        if len(comparison.wrong) < ENOUGH_WRONG:
            comparison.add(one, answer)
    print(f"{len(sets)} sets, {comparison}")
    if not comparison.wrong:
        return
    first = comparison.wrong[0]
    alone: EffectSet = {**first.one, "methods": [first.method], "test": first.test}

    def disagrees(candidates: list[EffectSet]) -> list[bool]:
        answers = _fitted_by_metafor(rscript, candidates, tmp_path)
        return [_still_differs(candidate, answer) for candidate, answer in zip(candidates, answers, strict=True)]

    smallest = shrunk(alone, disagrees)
    pytest.fail(
        f"ALLIANCE_META_SEED={seed}: {len(comparison.wrong)} fits or more disagree with metafor, the first "
        f"{first.one['name']}, {first.method}, {first.test}: {first.what}\nThe smallest set that still disagrees:\n"
        f"{reproducer(smallest, first.method, first.test, first.control)}"
    )


def test_shrinking_keeps_only_the_studies_and_the_digits_that_matter() -> None:
    one: EffectSet = {
        "name": "set",
        "yi": [0.0, 9.0123456, 1.0, 7.5432198, 2.0],
        "vi": [1.1, 2.2, 3.3, 4.44444, 5.5],
        "weights": [1.0, 2.0, 3.0, 44.4, 5.0],
    }

    def disagrees(sets: list[EffectSet]) -> list[bool]:
        return [max(each["yi"]) > 9.01 and any(7.5 < y < 7.6 for y in each["yi"]) for each in sets]

    smallest = shrunk(one, disagrees)
    assert smallest == {"name": "set", "yi": [9.012, 7.54], "vi": [2.0, 4.0], "weights": [2.0, 40.0]}


def test_shrinking_stops_in_time_and_leaves_what_it_has() -> None:
    one: EffectSet = {"name": "set", "yi": [0.1, 0.2, 0.3], "vi": [1.0, 2.0, 3.0]}
    assert shrunk(one, lambda sets: [True] * len(sets), seconds=-1.0) == one


def test_shrinking_a_fake_disagreement_gives_code_for_both_programs(
    rscript: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library's estimate is falsified as long as one study is there."""
    (one,) = _random_sets(20, 13)[12:]
    told: EffectSet = {**one, "methods": ["CA2"], "test": "knha"}
    culprit, honest = max(one["yi"]), agreement.ours

    def falsified(yi: list[float], vi: list[float], *how: Any) -> agreement.Numbers:
        numbers = honest(yi, vi, *how)
        return {**numbers, "b": numbers["b"] + 1e-6} if abs(max(yi) / culprit - 1.0) < 0.1 else numbers

    def disagrees(sets: list[EffectSet]) -> list[bool]:
        answers = _fitted_by_metafor(rscript, sets, tmp_path)
        return [_still_differs(each, answer) for each, answer in zip(sets, answers, strict=True)]

    assert disagrees([told]) == [False]
    monkeypatch.setattr(agreement, "ours", falsified)
    assert disagrees([told]) == [True]
    smallest = shrunk(told, disagrees, seconds=120.0)
    assert len(smallest["yi"]) == 2
    assert max(len(repr(number)) for number in smallest["yi"] + smallest["vi"]) <= len(repr(culprit))
    code = reproducer(smallest, "CA2", "knha", {"threshold": 1e-12})
    python, r = code.removeprefix("# Python\n").split("# R\n")
    ran = subprocess.run([sys.executable, "-c", python], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    answered = subprocess.run([rscript, "-e", r], capture_output=True, text=True, timeout=60, check=False)
    assert answered.returncode == 0, answered.stderr
    mine = honest(smallest["yi"], smallest["vi"], "CA2", "knha")["b"]
    assert repr(mine)[:9] in answered.stdout  # the R code is that of the same fit


def test_an_error_of_ours_is_reported_with_the_set_that_raised_it() -> None:
    one: EffectSet = {"name": "set", "yi": [0.1, 0.2], "vi": [-1.0, 1.0]}
    verdict, what = _judged(one, {"method": "REML", "test": "z", "control": {}})
    assert verdict is None
    assert "pool() raises" in what


LABELS = (
    'He said "no"',
    "back\\slash and \\u0041 \\n",
    "<b>bold & brave</b>",
    "it's 100 % # not a comment",
    "smile \N{GRINNING FACE} \N{WOMAN}\N{ZERO WIDTH JOINER}\N{PERSONAL COMPUTER}",
    "שלום (1999)",
    "Müller, Łukasz & Søn",
    "tab\there",
    "line\nbreak",
)


def test_printed_r_code_gives_our_numbers(rscript: str, seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    k = len(LABELS)
    fits: list[tuple[am.PooledEffect, str, str]] = []
    code = []
    for method in agreement.METHODS:
        for test, test_name in agreement.TESTS.items():
            r, n = rng.uniform(-0.2, 0.7, k), rng.integers(20, 200, k)
            effects = am.effect_sizes(measure=("ZCOR", "COR")[len(fits) % 2], r=r, n=n, label=list(LABELS))
            fit = am.pool(effects, tau2_method=method, test=test_name)
            fits.append((fit, method, test))
            code.append(fit.to_r())
            code.append(f"answer{len(fits)} <- fit\n")
    for method, weights, q_weights in (("REML", "n", None), ("HE", "equal", None), ("GENQ", "inverse-variance", "n")):
        effects = am.effect_sizes(measure="ZCOR", r=r, n=n, label=list(LABELS))
        fit = am.pool(effects, tau2_method=method, test="z", weights=weights, q_weights=q_weights)
        fits.append((fit, method, "z"))
        code.append(fit.to_r())
        code.append(f"answer{len(fits)} <- fit\n")
    code.append(_read_back(len(fits), tmp_path / "answers.json"))
    script = tmp_path / "printed.R"
    script.write_text("".join(code), encoding="utf-8")
    utf8 = {**os.environ, "LC_ALL": "C.UTF-8"}
    command = [rscript, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=utf8, encoding="utf-8")
    assert done.returncode == 0, f"ALLIANCE_META_SEED={seed}: {done.stderr[-2000:]}"
    answers = json.loads((tmp_path / "answers.json").read_text(encoding="utf-8"))
    assert len(answers) == len(fits) == 13 * 4 + 3
    for (fit, method, test), answer in zip(fits, answers, strict=True):
        what = f"ALLIANCE_META_SEED={seed}, {method}, {test}\n{fit.to_r()}"
        assert answer["slab"] == list(LABELS), what
        mine = agreement.of_fit(fit)
        theirs = {name: float(printed) for name, printed in answer["numbers"].items()}
        # The code asks for an absolute threshold of 1e-12, so that a tau2 of 0 may come as something smaller.
        short_of_zero = mine["tau2"] == 0.0 < theirs["tau2"] <= 1e-12
        for name in set(theirs) - ({"tau2", "I2"} if short_of_zero else set()):
            assert mine[name] == pytest.approx(theirs[name], rel=agreement.RTOL, abs=1e-11), f"{name}: {what}"
        assert f"{fit.estimate:.6f}" in done.stdout, what
        assert f"{fit.q_statistic:.6f}" in done.stdout, what


def _read_back(count: int, target: Path) -> str:
    """R code that writes what the printed code left behind."""
    fits = ", ".join(f"answer{i + 1}" for i in range(count))
    names = {"b": "beta", "se": "se", "zval": "zval", "pval": "pval", "ci_lb": "ci.lb", "ci_ub": "ci.ub"}
    names |= {"tau2": "tau2", "I2": "I2", "H2": "H2", "QE": "QE", "QEp": "QEp"}
    numbers = ", ".join(f'{name} = sprintf("%.17g", c(fit${field}))' for name, field in names.items())
    return (
        f"cat(jsonlite::toJSON(lapply(list({fits}), function(fit) list(numbers = list({numbers}), slab = fit$slab)), "
        f'auto_unbox = TRUE), file = "{target.as_posix()}")\n'
    )
