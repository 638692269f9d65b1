"""How fast pooling is, beside metafor in the same run: python tests/bench/bench_pooling.py.

Ratios travel between machines better than seconds do. metafor is timed inside one R session, so R's start does not
count; both fit REML with Knapp and Hartung's test. metafor works with k x k matrices, so its largest set is fitted
once, not several times.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt
import scipy

import alliance_meta as am
from alliance_meta.stats import tau2

SIZES = (20, 80, 300, 3000)
METAFOR_REPEATS = {20: (15, 20), 80: (11, 10), 300: (5, 1), 3000: (1, 1)}  # (repeats, fits in each)
OUR_REPEATS = (21, 50)
BATCH, BATCH_K, BATCH_REPEATS = 20_000, 20, 5

FloatArray = npt.NDArray[np.float64]


def _effects(shape: tuple[int, ...], seed: int = 1) -> tuple[FloatArray, FloatArray]:
    """Fisher's z of 10 to 300 people a study, with tau2 = 0.02."""
    rng = np.random.default_rng(seed)
    variance = np.asarray(1.0 / (rng.integers(10, 300, shape) - 3.0), dtype=np.float64)
    return rng.normal(0.28, np.sqrt(variance + 0.02)), variance


def _seconds(call: Callable[[], object], repeats: int, inner: int) -> float:
    """Median seconds of one call, after one that does not count."""
    call()
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(inner):
            call()
        taken.append((time.perf_counter() - start) / inner)
    return median(taken)


def _pool_seconds(effect: FloatArray, variance: FloatArray) -> float:
    effects = am.effect_sizes(measure="GEN", effect=effect, variance=variance)
    return _seconds(lambda: am.pool(effects, tau2_method="REML", test="knapp-hartung"), *OUR_REPEATS)


def _metafor_seconds(sets: dict[int, tuple[FloatArray, FloatArray]]) -> tuple[dict[int, float], str]:
    """Seconds of one metafor fit by k, and R's and metafor's versions; empty without R."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        return {}, "no Rscript on PATH"
    asked = [
        {"yi": y.tolist(), "vi": v.tolist(), "repeats": METAFOR_REPEATS[k][0], "inner": METAFOR_REPEATS[k][1]}
        for k, (y, v) in sets.items()
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sets.json"
        path.write_text(json.dumps(asked), encoding="utf-8")
        command = [rscript, str(Path(__file__).with_suffix(".R")), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=3600, check=False)
    if done.returncode != 0:
        return {}, f"R stopped: {done.stderr.strip()[-200:]}"
    *timings, versions = done.stdout.strip().splitlines()
    return {int(line.split()[0]): float(line.split()[1]) for line in timings}, versions.strip()


def main() -> None:
    """Print the two tables."""
    sets = {k: _effects((k,)) for k in SIZES}
    theirs, versions = _metafor_seconds(sets)
    print(
        f"Python {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}, "
        f"alliance_meta {am.__version__}; {versions}"
    )
    print("\nREML + Knapp-Hartung, one fit (median)")
    print(f"{'k':>6} {'pool() ms':>12} {'metafor ms':>12} {'metafor / pool()':>18}")
    for k, (effect, variance) in sets.items():
        mine = _pool_seconds(effect, variance)
        rest = f"{1e3 * theirs[k]:12.3f} {theirs[k] / mine:18.1f}" if k in theirs else f"{'-':>12} {'-':>18}"
        print(f"{k:6d} {1e3 * mine:12.3f} {rest}")

    effect, variance = _effects((BATCH, BATCH_K), seed=2)
    print(f"\nBatches of {BATCH} fits of k = {BATCH_K} (median of {BATCH_REPEATS})")
    print(f"{'kernel':>10} {'seconds':>10} {'fits/s':>12}")
    for name, kernel in (("tau2_reml", tau2.tau2_reml), ("tau2_dl", tau2.tau2_dl)):
        taken = _seconds(lambda kernel=kernel: kernel(effect, variance), BATCH_REPEATS, 1)  # type: ignore[misc]
        print(f"{name:>10} {taken:10.4f} {BATCH / taken:12.0f}")


if __name__ == "__main__":
    main()
