"""Fresh random sets of selected effects, fitted by metafor in the same breath."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alliance_meta.stats.selection import Outcome, p_values, step_selection

pytestmark = pytest.mark.metafor

SETS = 24
# metafor's three optimizers stop where the log-likelihood no longer changes, which tells parameters to half its digits;
# where the maximum is sharp, as here with 20 effects or more, to 1e-5.
HEIGHT, PARAMETERS, ERRORS = 1e-9, 1e-4, 1e-3
HERE = Path(__file__).parent
MAKE = HERE.parent / "reference" / "make"
PACKAGES = ("metafor", "jsonlite", "numDeriv")


def _rounded(values: np.ndarray) -> list[float]:
    return [float(f"{value:.6g}") for value in values]


def _random_sets(seed: int) -> list[dict[str, Any]]:
    """20 to 80 effects of which some with a large p were left out, with 0 to 2 moderators and 1 to 3 steps."""
    rng = np.random.default_rng(seed)
    sets: list[dict[str, Any]] = []
    while len(sets) < SETS:
        k, alternative = int(rng.choice([20, 40, 80])), str(rng.choice(["greater", "less", "two-sided"]))
        steps = ([0.025], [0.05], [0.025, 0.5], [0.01, 0.1, 0.4])[int(rng.integers(4))]
        p, many = int(rng.integers(1, 4)), 40 * k
        x = np.column_stack([np.ones(many), rng.normal(size=many), 1.0 * (rng.random(many) < 0.5)])[:, :p]
        v = 4.0 / rng.integers(15, 200, many)
        mean = x @ np.array([float(rng.choice([0.0, 0.3])), 0.1, -0.2])[:p]
        y = rng.normal(mean, np.sqrt(v + float(rng.choice([0.0, 0.02, 0.1])))) * (
            -1.0 if alternative == "less" else 1.0
        )
        small = p_values(y, v, alternative) <= steps[0]
        kept = np.flatnonzero(rng.random(many) < np.where(small, 1.0, float(rng.choice([0.2, 0.6]))))[:k]
        interval = np.searchsorted(steps, p_values(y[kept], v[kept], alternative))
        if np.bincount(interval, minlength=len(steps) + 1).min() < 2 or np.linalg.matrix_rank(x[kept]) < p:
            continue
        given = _rounded(np.append(1.0, rng.uniform(0.1, 1.5, len(steps)))) if len(sets) % 5 == 0 else None
        sets.append(
            {
                "name": f"set{len(sets)}",
                "yi": _rounded(y[kept]),
                "vi": _rounded(v[kept]),
                "x": [_rounded(column) for column in x[kept].T],
                "steps": [*steps, 1.0],
                "alternative": alternative.replace("-", "."),
                "tau2_method": "EE" if len(sets) % 7 == 0 else "ML",
                **({} if given is None else {"given": given}),
            }
        )
    return sets


def test_fresh_sets_agree_with_metafor(rscript: str, tmp_path: Path) -> None:
    given = os.environ.get("ALLIANCE_META_SEED")
    seed = int(given) if given else int(np.random.SeedSequence().generate_state(1)[0])
    print(f"\nALLIANCE_META_SEED={seed}")
    asked, answered = tmp_path / "sets.json", tmp_path / "answers.json"
    asked.write_text(json.dumps(_random_sets(seed)), encoding="utf-8")
    command = [rscript, str(HERE / "live_selection.R"), str(MAKE), str(asked), str(answered)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, f"R stopped: {done.stderr[-2000:]}"
    compared, short = 0, 0
    for case in json.loads(answered.read_text(encoding="utf-8")):
        where = f"{case['name']}, ALLIANCE_META_SEED={seed}"
        fit = step_selection(
            case["yi"],
            case["vi"],
            np.array(case["x"]).T,
            steps=case["steps"][:-1],
            alternative=case["alternative"],
            weights=case["given"],
            tau2_method=case["tau2_method"],
        )
        if fit.outcome != Outcome.CONVERGED or fit.ridge:
            continue
        higher = float(fit.log_likelihood) - case["log_likelihood"]
        assert higher >= -HEIGHT, f"metafor climbs {-higher:.1e} higher: {where}"
        if higher > HEIGHT:
            short += 1  # metafor stopped early
            continue
        compared += 1
        theirs = np.array([*case["b"], case["tau2"], *case["delta"]], dtype=float)
        ours = np.array([*fit.coefficients, fit.tau2, *fit.weights])
        np.testing.assert_allclose(ours, theirs, atol=PARAMETERS, rtol=PARAMETERS, err_msg=where)
        if fit.tau2 > 1e-3 or case["tau2_method"] == "EE":
            errors = np.sqrt(np.diagonal(fit.covariance))[: len(case["b"])]
            np.testing.assert_allclose(errors, np.array(case["se"], dtype=float), rtol=ERRORS, err_msg=where)
    print(f"{compared} of {SETS} sets compared, in {short} metafor stopped short of the maximum")
    assert compared >= SETS // 2
