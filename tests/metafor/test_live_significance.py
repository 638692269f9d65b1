"""Fresh random sets: fail-safe numbers and tests of excess significance, by metafor in the same breath."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alliance_meta.stats import excess_significance as significance
from alliance_meta.stats.fail_safe import (
    fail_safe_orwin,
    fail_safe_random_effects,
    fail_safe_rosenberg,
    fail_safe_rosenthal,
    whole,
)
from alliance_meta.stats.random_effects import random_effects

pytestmark = pytest.mark.metafor

SETS = 40
HERE = Path(__file__).parent
MAKE = HERE.parent / "reference" / "make"
PACKAGES = ("metafor", "jsonlite")
# With tau2 metafor integrates the power over -5 to 5 standard deviations, which leaves out 5.7e-7 of it.
LEFT_OUT = 5.8e-7


def _random_sets(seed: int) -> list[dict[str, Any]]:
    """2 to 11 effects, on scales from 1e-3 to 1, alike or not, with strong or weak means of either sign."""
    rng = np.random.default_rng(seed)
    sets = []
    for number in range(SETS):
        k, scale = int(rng.integers(2, 12)), float(rng.choice([1e-3, 0.05, 1.0]))
        v = scale * np.exp(rng.normal(0.0, float(rng.choice([0.1, 1.0])), k))
        mean = np.sqrt(scale) * float(rng.choice([-1.5, 0.3, 1.0, 2.0]))
        y = rng.normal(mean, np.sqrt(v + scale * float(rng.choice([0.0, 1.0]))))
        rounded = [[float(f"{value:.6g}") for value in array] for array in (y, v)]
        sets.append({"name": f"set{number}", "yi": rounded[0], "vi": rounded[1]})
    return sets


def test_fresh_sets_agree_with_metafor(rscript: str, tmp_path: Path) -> None:
    given = os.environ.get("ALLIANCE_META_SEED")
    seed = int(given) if given else int(np.random.SeedSequence().generate_state(1)[0])
    print(f"\nALLIANCE_META_SEED={seed}")
    asked, answered = tmp_path / "sets.json", tmp_path / "answers.json"
    asked.write_text(json.dumps(_random_sets(seed)), encoding="utf-8")
    command = [rscript, str(HERE / "live_significance.R"), str(MAKE), str(asked), str(answered)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, f"R stopped: {done.stderr[-2000:]}"
    for case in json.loads(answered.read_text(encoding="utf-8")):
        y, v = (np.array(case[name], dtype=float) for name in ("yi", "vi"))
        where = f"{case['name']}, ALLIANCE_META_SEED={seed}"
        _closed_forms(y, v, case["fail_safe"], where)
        for kind, theirs in case["general"].items():
            _general(y, v, kind, theirs, f"{where}, {kind}")
        for theirs in case["excess"]:
            _excess(y, v, theirs, f"{where}, {theirs}")


def _closed_forms(y: Any, v: Any, theirs: Any, where: str) -> None:
    weighted = float(np.average(y, weights=1.0 / v))
    mine = {
        "rosenthal": fail_safe_rosenthal(y, v).number,
        "rosenthal_01": fail_safe_rosenthal(y, v, alpha=0.01).number,
        "rosenberg": fail_safe_rosenberg(y, v).number,
        "orwin": fail_safe_orwin(y, v, target=0.5 * y.mean()).number,
        "orwin_third": fail_safe_orwin(y, v, target=y.mean() / 3.3).number,
        "orwin_weighted": fail_safe_orwin(y, v, target=weighted / 5.7, weighted=True).number,
    }
    for name, number in mine.items():
        assert float(whole(number)) == theirs[name], f"{where}: {name}"


def _general(y: Any, v: Any, kind: str, theirs: Any, where: str) -> None:
    method, _, how = kind.partition("_")
    asked: dict[str, Any] = {"tau2_method": method, "test": "knapp-hartung" if how == "knha" else "z"}
    if how == "target":
        asked["target"] = float(random_effects(y, v, tau2_method="DL", test="z").estimate) / 3.0
    found = fail_safe_random_effects(y, v, **asked)
    if theirs["number"] is None:  # R tried no more than 40
        assert found.number > 40.0, where
        return
    assert found.number == theirs["number"], where
    assert float(found.drawer.estimate) == pytest.approx(theirs["estimate"], rel=1e-7), where


def _excess(y: Any, v: Any, theirs: Any, where: str) -> None:
    fit = random_effects(y, v, tau2_method=theirs["model"], test="z")
    tau2, side = float(fit.tau2), theirs["alternative"]
    significant = significance.significant_studies(y, v, alternative=side)
    power = significance.power_of_studies(fit.estimate, v, tau2, alternative=side)
    found, which = significance.excess(significant, power), significance.EXCESS_TESTS.index(theirs["test"])
    left_out = LEFT_OUT if tau2 > 0.0 else 1e-13
    assert found.observed == theirs["observed"], where
    assert float(found.expected) == pytest.approx(theirs["expected"], abs=y.size * left_out), where
    assert float(found.p_value[which]) == pytest.approx(theirs["p_value"], abs=30.0 * left_out), where
