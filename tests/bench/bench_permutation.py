"""How fast permutation tests refit, beside metafor in the same run: python tests/bench/bench_permutation.py.

REML and Knapp and Hartung's test, one moderator. metafor's `permutest` runs on one thread, ours on one and on all;
R's start does not count.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt
import pandas as pd

import alliance_meta as am
from alliance_meta._parallel import available_workers
from alliance_meta.permutations import permutation_test

SIZES = (10, 20, 80)
N, REPEATS = 100_000, 5
METAFOR_N = 1_000

FloatArray = npt.NDArray[np.float64]


def _set(k: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Fisher's z of 10 to 300 people a study, with tau2 = 0.02, and a moderator that explains nothing."""
    rng = np.random.default_rng(1)
    variance = np.asarray(1.0 / (rng.integers(10, 300, k) - 3.0), dtype=np.float64)
    return rng.normal(0.28, np.sqrt(variance + 0.02)), variance, rng.normal(size=k)


def _refits_a_second(k: int, workers: int) -> float:
    """Median over some runs, after a short one that does not count."""
    effect, variance, x = _set(k)
    frame = pd.DataFrame({"effect": effect, "variance": variance, "x": x})
    fit = am.meta_regression(am.effect_sizes(frame, measure="GEN"), "x")
    permutation_test(fit, n=2_000, workers=workers)
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        permutation_test(fit, n=N, workers=workers)
        taken.append(time.perf_counter() - start)
    return N / median(taken)


def _metafor_refits_a_second(k: int) -> tuple[float, str]:
    """NaN without R; and R's and metafor's versions."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        return np.nan, "no Rscript on PATH"
    effect, variance, x = _set(k)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "set.json"
        asked = {"yi": effect.tolist(), "vi": variance.tolist(), "x": x.tolist(), "n": METAFOR_N}
        path.write_text(json.dumps(asked), encoding="utf-8")
        command = [rscript, str(Path(__file__).with_suffix(".R")), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=3600, check=False)
    if done.returncode != 0:
        return np.nan, f"R stopped: {done.stderr.strip()[-200:]}"
    seconds, versions = done.stdout.strip().splitlines()
    return METAFOR_N / float(seconds), versions.strip()


def main() -> None:
    """Print the table."""
    threads = available_workers()
    print(f"Python {platform.python_version()}, numpy {np.__version__}, alliance_meta {am.__version__}")
    print(f"\nRefits a second, n = {N} ({METAFOR_N} for metafor), median of {REPEATS}")
    print(f"{'k':>6} {'1 thread':>12} {f'{threads} threads':>12} {'permutest':>12} {'ratio, 1':>10} {'ratio, all':>10}")
    for k in SIZES:
        alone, together = _refits_a_second(k, 1), _refits_a_second(k, threads)
        theirs, versions = _metafor_refits_a_second(k)
        print(f"{k:6d} {alone:12.0f} {together:12.0f} {theirs:12.0f} {alone / theirs:10.0f} {together / theirs:10.0f}")
    print(versions)


if __name__ == "__main__":
    main()
