"""Fresh random sets: influence, leave-one-out, cumulative and Baujat's numbers, by metafor in the same breath."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alliance_meta.stats import influence as kernel

pytestmark = pytest.mark.metafor

SETS = 30
# Relative to the largest value of each measure; 8.3e-10 is the most that 120 sets showed, a Cook's distance: metafor's
# Fisher scoring stops 1e-13 from the solution, which counts for more where a study hardly moves anything.
RTOL = 5e-8
HERE = Path(__file__).parent
MAKE = HERE.parent / "reference" / "make"
TESTS = {"z": "z", "knha": "knapp-hartung"}
MEASURES = ("rstudent", "dffits", "cooks_distance", "cov_ratio", "tau2_deleted", "q_deleted", "hat", "weight")
PACKAGES = ("metafor", "jsonlite")


def _rounded(values: np.ndarray) -> list[float]:
    return [float(f"{value:.8g}") for value in values]


def _random_sets(seed: int) -> list[dict[str, Any]]:
    """3 to 40 effects, with up to three moderators in every third set; variances alike or two orders apart."""
    rng = np.random.default_rng(seed)
    sets: list[dict[str, Any]] = []
    for i in range(SETS):
        p = int(rng.integers(1, 4)) if i % 3 == 0 else 0
        k = int(rng.choice([3, 4, 6, 10, 15, 40])) if p == 0 else int(rng.choice([10, 15, 40]))
        scale = float(rng.choice([1e-3, 0.05, 1.0]))
        v = scale * np.exp(rng.normal(0.0, float(rng.choice([0.1, 1.0])), k))
        y = rng.normal(0.3, np.sqrt(v + scale * float(rng.choice([0.0, 0.5, 5.0]))))
        x = [_rounded(rng.normal(size=p)) for _ in range(k)] if p else []
        methods = [str(rng.choice(["REML", "DL", "EE", "ML", "HE", "SJ"]))]
        sets.append(
            {
                "name": f"set{i}",
                "yi": _rounded(y),
                "vi": _rounded(v),
                "x": [list(column) for column in zip(*x, strict=True)] if p else [],
                "methods": methods,
                "tests": ["z", "knha"],
            }
        )
    return sets


def test_fresh_sets_agree_with_metafor(rscript: str, tmp_path: Path) -> None:
    given = os.environ.get("ALLIANCE_META_SEED")
    seed = int(given) if given else int(np.random.SeedSequence().generate_state(1)[0])
    print(f"\nALLIANCE_META_SEED={seed}")
    asked, answered = tmp_path / "sets.json", tmp_path / "answers.json"
    sets = _random_sets(seed)
    asked.write_text(json.dumps(sets), encoding="utf-8")
    command = [rscript, str(HERE / "live_influence.R"), str(MAKE), str(asked), str(answered)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"R stopped: {done.stderr[-2000:]}"
    worst: tuple[float, str] = (0.0, "")
    compared = 0
    for made, answer in zip(sets, json.loads(answered.read_text(encoding="utf-8")), strict=True):
        for fit in answer["fits"]:
            for what, mine, theirs in _pairs(made, fit):
                other = np.array(theirs, dtype=float).reshape(mine.shape)
                known = ~np.isnan(other)
                if not known.any():
                    continue
                compared += 1
                apart = float(np.abs(mine - other)[known].max() / (np.abs(other[known]).max() or 1.0))
                label = f"{what}, {made['name']}, {fit['tau2_method']}, {fit['test']}"
                worst = max(worst, (apart, label))
                assert apart < RTOL, f"{label}: {mine}, {other}; ALLIANCE_META_SEED={seed}"
    assert compared > 20 * SETS
    print(f"{SETS} sets, {compared} comparisons; worst relative difference {worst[0]:.1e} ({worst[1]})")


def _pairs(made: Any, fit: Any) -> list[tuple[str, np.ndarray, Any]]:
    """What is compared: a name, our numbers, metafor's."""
    y, v = np.array(made["yi"]), np.array(made["vi"])
    k, method, test = len(y), fit["tau2_method"], TESTS[fit["test"]]
    x = np.column_stack([np.ones(k), *map(np.array, made["x"])]) if made["x"] else None
    found = kernel.influence(y, v, x, tau2_method=method, test=test)
    pairs = [(name, getattr(found, name), fit[name]) for name in MEASURES if name != "tau2_deleted"]
    level = float(np.mean(v))  # tau2 may be 0 to metafor's rounding only
    deleted = np.array(fit["tau2_deleted"], dtype=float)
    pairs += [("tau2_deleted", found.tau2_deleted + level, deleted + level), ("dfbetas", found.dfbetas, fit["dfbetas"])]
    if x is not None:
        return pairs
    steps = np.tril(np.ones((k, k)))
    for name, include, theirs in (
        ("without", 1.0 - np.eye(k), fit["without"]),
        ("cumulative", steps, fit["cumulative"]),
    ):
        fits = kernel.subset_fits(y, v, include, tau2_method=method, test=test)
        first = 1 if name == "cumulative" else 0  # metafor makes one study a z test
        for part in ("estimate", "std_error", "q_statistic", "h2"):
            if theirs[part]:
                pairs.append((f"{part} {name}", getattr(fits, part)[first:], theirs[part][first:]))
    if test == "z":
        drawn = kernel.baujat(y, v, tau2_method=method)
        pairs += [(f"baujat {part}", getattr(drawn, part), fit["baujat"][part]) for part in drawn._fields]
    return pairs
