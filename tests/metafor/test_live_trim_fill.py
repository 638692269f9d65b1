"""Fresh random sets: trim and fill by metafor, and the adjusted means by lm() and hc()."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alliance_meta.stats.henmi_copas import henmi_copas
from alliance_meta.stats.limit_meta import limit_meta
from alliance_meta.stats.trim_fill import asymmetry, trim_fill
from alliance_meta.stats.waap import waap

pytestmark = pytest.mark.metafor

SETS = 200
# rma() stops where tau2 changes by less than 1e-12, which moves a mean by 1e-7 of itself where the mean is near 0.
FITTED: dict[str, Any] = {"rel": 1e-6, "abs": 1e-9}
# metafor's hc() integrates and finds its root by default tolerances.
METAFORS: dict[str, Any] = {"rel": 2e-4, "abs": 2e-4}
HERE = Path(__file__).parent
MAKE = HERE.parent / "reference" / "make"
PACKAGES = ("metafor", "jsonlite")


def _random_sets(seed: int) -> list[dict[str, Any]]:
    """3 to 60 effects with and without heterogeneity, leaning to either side or not, some with ties."""
    rng = np.random.default_rng(seed)
    sets: list[dict[str, Any]] = []
    for number in range(SETS):
        k = int(rng.choice([3, 4, 5, 7, 10, 15, 30, 60]))
        v = np.exp(rng.normal(-3.0, float(rng.choice([0.3, 1.0])), k))
        y = 0.3 + rng.normal(size=k) * np.sqrt(v + float(rng.choice([0.0, 0.05])))
        y += float(rng.choice([-2.0, 0.0, 2.0])) * np.sqrt(v)
        if number % 7 == 0:
            y = y.round(1)
        one: dict[str, Any] = {
            "name": f"set{number}",
            "yi": [float(f"{x:.6g}") for x in y],
            "vi": [float(f"{x:.6g}") for x in v],
        }
        one["method"] = str(rng.choice(["EE", "DL", "REML"]))
        one["estimator"] = str(rng.choice(["L0", "R0", "Q0"]))
        one["side"] = [None, "left", "right"][int(rng.integers(3))]
        sets.append(one)
    return sets


def test_fresh_sets_agree_with_r(rscript: str, tmp_path: Path) -> None:
    given = os.environ.get("ALLIANCE_META_SEED")
    seed = int(given) if given else int(np.random.SeedSequence().generate_state(1)[0])
    print(f"\nALLIANCE_META_SEED={seed}")
    asked, answered = tmp_path / "sets.json", tmp_path / "answers.json"
    sets = _random_sets(seed)
    asked.write_text(json.dumps(sets), encoding="utf-8")
    command = [rscript, str(HERE / "live_trim_fill.R"), str(MAKE), str(asked), str(answered)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"R stopped: {done.stderr[-2000:]}"
    trimmed = adjusted = 0
    for case, theirs in zip(sets, json.loads(answered.read_text(encoding="utf-8")), strict=True):
        where = f"{case['name']}, ALLIANCE_META_SEED={seed}"
        trimmed += _same_trimming(case, theirs["trim_fill"], where)
        adjusted += _same_means(case, theirs["adjusted"], where)
    print(f"{trimmed} of {SETS} sets trimmed and {adjusted} adjusted by both")
    assert trimmed > 0.8 * SETS
    assert adjusted > 0.8 * SETS


def _same_trimming(case: dict[str, Any], theirs: dict[str, Any], where: str) -> bool:
    y, v = np.array(case["yi"]), np.array(case["vi"])
    if "error" in theirs:
        return False
    side = case["side"] or ("right" if asymmetry(y, v, tau2_method=case["method"]) < 0.0 else "left")
    found = trim_fill(y, v, right=side == "right", estimator=case["estimator"], tau2_method=case["method"])
    if (
        theirs["k0"] == y.size - 1
    ):  # one effect left, whose deviation from itself rounding makes other than 0 in metafor
        return False
    assert (side, float(found.missing)) == (theirs["side"], theirs["k0"]), where
    error = np.nan if theirs["se_k0"] is None else theirs["se_k0"]
    assert float(found.std_error) == pytest.approx(error, rel=1e-10, nan_ok=True), where
    if case["estimator"] == "R0":
        assert float(found.p_value) == pytest.approx(theirs["p_k0"]), where
    assert (np.flatnonzero(found.trimmed) + 1).tolist() == theirs["trimmed"], where
    assert float(found.center) == pytest.approx(theirs["center"], **FITTED), where
    return True


def _same_means(case: dict[str, Any], theirs: dict[str, Any] | None, where: str) -> bool:
    y, v = np.array(case["yi"]), np.array(case["vi"])
    if theirs is None:
        return False
    limit, powered, hc = limit_meta(y, v, tau2_method=case["method"]), waap(y, v), henmi_copas(y, v)
    mine = {name: float(getattr(limit, name)) for name in theirs["limit"]}
    assert mine == pytest.approx(theirs["limit"], **FITTED), where
    assert [float(part) for part in powered.everything[:2]] == pytest.approx(theirs["uwls"], rel=1e-9), where
    assert [float(part) for part in powered.chosen[:2]] == pytest.approx(theirs["waap"], rel=1e-9), where
    assert powered.powered.tolist() == theirs["powered"], where
    assert [float(part) for part in hc[:4]] == pytest.approx(theirs["hc"], **METAFORS), where
    return True
