"""Fresh random sets in clusters, and the R code that robust fits print, run by clubSandwich in the same breath."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alliance_meta as am
from alliance_meta.robustness import robust
from alliance_meta.stats.robust import joint_test, sandwich, satterthwaite_df

pytestmark = pytest.mark.metafor

SETS = 120
# Both lose digits where a leverage is near 1; 2.7e-10 is the most that 720 sets showed.
RTOL = 1e-8
HERE = Path(__file__).parent
MAKE = HERE.parent / "reference" / "make"
PACKAGES = ("metafor", "jsonlite", "clubSandwich")


def _rounded(values: np.ndarray) -> list[float]:
    return [float(f"{value:.6g}") for value in values]


def _random_sets(seed: int) -> list[dict[str, Any]]:
    """4 to 40 clusters of 1 to 12 effects, 1 to 4 coefficients of moderators within and between clusters."""
    rng = np.random.default_rng(seed)
    sets: list[dict[str, Any]] = []
    while len(sets) < SETS:
        s = int(rng.choice([4, 5, 6, 8, 12, 20, 40]))
        cluster = rng.permutation(np.repeat(np.arange(s), rng.choice([1, 1, 2, 3, 5, 12], s)))
        k = cluster.size
        columns = [rng.normal(size=k), rng.normal(size=s)[cluster], 1.0 * (rng.random(s) < 0.5)[cluster]]
        p = int(rng.integers(0, 4))
        x = np.column_stack([np.ones(k), *columns[:p]])
        if s <= p + 1 or k <= p + 2 or np.linalg.matrix_rank(x) <= p or _leverage(x, cluster) > 0.999:
            continue
        scale = float(rng.choice([1e-3, 0.05, 1.0]))
        v = scale * np.exp(rng.normal(0.0, float(rng.choice([0.0, 0.7])), k))
        y = rng.normal(0.3, np.sqrt(v)) + rng.normal(0.0, np.sqrt(scale), s)[cluster]
        one = {"name": f"set{len(sets)}", "yi": _rounded(y), "vi": _rounded(v), "cluster": cluster.tolist()}
        weights = {"weights": _rounded(rng.uniform(0.1, 3.0, k))} if p == 0 and len(sets) % 2 else {}
        sets.append({**one, "x": [_rounded(column) for column in x.T], **weights})
    return sets


def _leverage(x: np.ndarray, cluster: np.ndarray) -> float:
    q = np.linalg.qr(x)[0]
    return max(float(np.linalg.eigvalsh(q[cluster == c].T @ q[cluster == c]).max()) for c in range(cluster.max() + 1))


def test_fresh_sets_agree_with_clubsandwich(rscript: str, tmp_path: Path) -> None:
    given = os.environ.get("ALLIANCE_META_SEED")
    seed = int(given) if given else int(np.random.SeedSequence().generate_state(1)[0])
    print(f"\nALLIANCE_META_SEED={seed}")
    asked, answered = tmp_path / "sets.json", tmp_path / "answers.json"
    asked.write_text(json.dumps(_random_sets(seed)), encoding="utf-8")
    command = [rscript, str(HERE / "live_robust.R"), str(MAKE), str(asked), str(answered)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"R stopped: {done.stderr[-2000:]}"
    worst: tuple[float, str] = (0.0, "")
    for case in json.loads(answered.read_text(encoding="utf-8")):
        for adjustment, theirs in case["fits"].items():
            mine, other = _both(case, adjustment, theirs)
            apart = np.abs(mine - other) / np.abs(other)
            worst = max(worst, (float(np.nanmax(apart)), f"{case['name']}, {adjustment}"))
            assert (np.isnan(mine) == np.isnan(other)).all(), f"{case['name']}, {adjustment}: {mine}, {other}"
            assert worst[0] < RTOL, f"{worst}, ours and clubSandwich's: {mine}, {other}; ALLIANCE_META_SEED={seed}"
    print(f"{SETS} sets; worst relative difference {worst[0]:.1e} ({worst[1]})")


def _both(case: Any, adjustment: str, theirs: Any) -> tuple[np.ndarray, np.ndarray]:
    """Variances, degrees of freedom and HTZ, ours and clubSandwich's."""
    x, y, v = (np.array(case[name], dtype=float) for name in ("x", "yi", "vi"))
    weights = None if case["weights"] is None else np.array(case["weights"], dtype=float)
    root = np.sqrt(1.0 / (v + case["tau2"]) if weights is None else weights)
    b = np.linalg.lstsq(x.T * root[:, None], y * root, rcond=None)[0]
    cluster = np.array(case["cluster"], dtype=np.intp) - 1
    found = sandwich(x.T, y - x.T @ b, cluster, v + case["tau2"], weights=weights, adjustment=adjustment)
    mine = [*np.diagonal(found.covariance), *satterthwaite_df(found, np.eye(b.size))]
    other = [*np.array(theirs["covariance"], dtype=float).reshape(b.size, -1).diagonal(), *theirs["df"]]
    if b.size > 1:
        test = joint_test(found, np.eye(b.size)[1:], b[1:])
        statistic, _, df2, p_value = theirs["joint"]["HTZ"]
        mine.append(test.df2)
        other.append(df2)
        if p_value is not None:
            mine += [test.statistic, test.p_value]
            other += [statistic, p_value]
    return np.array(mine, dtype=float), np.array(other, dtype=float)


@pytest.mark.parametrize("formula", ["", "predictor_rater"])
def test_printed_code_repeats_the_fit(rscript: str, tmp_path: Path, formula: str) -> None:
    effects = am.effect_sizes(am.datasets.load("farber_doolin2011_effects"))
    fit = am.meta_regression(effects, formula) if formula else am.pool(effects, tau2_method="PM")
    found = robust(fit)
    script = tmp_path / "printed.R"
    more = 'tested <- coef_test(fit, vcov = robust)\ncat("\\n", sprintf("%.15g", c(tested$SE, tested$df_Satt)))\n'
    script.write_text(found.to_r() + more, encoding="utf-8")
    done = subprocess.run([rscript, str(script)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    numbers = [float(value) for value in done.stdout.strip().splitlines()[-1].split()]
    np.testing.assert_allclose(numbers, [*found.std_errors, *found.df], rtol=1e-8)
