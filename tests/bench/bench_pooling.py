"""How fast pooling is, beside metafor in the same run: python tests/bench/bench_pooling.py.

Ratios travel between machines better than seconds do. metafor is timed inside one R session, so R's start does not
count; both fit REML with Knapp and Hartung's test. metafor works with k x k matrices, so its largest set is fitted
once, not several times. Set OPENBLAS_NUM_THREADS=1 and close what else computes.
"""

from __future__ import annotations

import json
import os
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
from alliance_meta._parallel import available_workers

SIZES = (20, 80, 300, 3000)
METAFOR_REPEATS = {20: (15, 20), 80: (11, 10), 300: (5, 1), 3000: (1, 1)}  # (repeats, fits in each)
OUR_REPEATS = (41, 50)
LEFT_OUT = 300
BATCH, BATCH_K, BATCH_REPEATS = 200_000, 20, 5

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


def _metafor_seconds(sets: dict[int, tuple[FloatArray, FloatArray]]) -> tuple[dict[str, float], str]:
    """Seconds of one metafor fit by k, and of leave1out(), with R's and metafor's versions; empty without R."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        return {}, "no Rscript on PATH"
    asked = [
        {"yi": y.tolist(), "vi": v.tolist(), "repeats": METAFOR_REPEATS[k][0], "inner": METAFOR_REPEATS[k][1]}
        for k, (y, v) in sets.items()
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sets.json"
        path.write_text(json.dumps({"sets": asked, "left_out": LEFT_OUT}), encoding="utf-8")
        command = [rscript, str(Path(__file__).with_suffix(".R")), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=3600, check=False)
    if done.returncode != 0:
        return {}, f"R stopped: {done.stderr.strip()[-200:]}"
    *timings, versions = done.stdout.strip().splitlines()
    return {line.split()[0]: float(line.split()[1]) for line in timings}, versions.strip()


def _single_fits(sets: dict[int, tuple[FloatArray, FloatArray]], theirs: dict[str, float]) -> None:
    print("\nREML + Knapp-Hartung, one fit (median)")
    print(f"{'k':>14} {'ours ms':>12} {'metafor ms':>12} {'metafor / ours':>16}")
    for k, (effect, variance) in sets.items():
        _print_beside(str(k), _pool_seconds(effect, variance), theirs.get(str(k)))
    effect, variance = sets[LEFT_OUT]
    without_one = 1.0 - np.eye(LEFT_OUT)
    mine = _seconds(lambda: am.pool_many(effect, variance, without_one), 7, 1)
    _print_beside(f"leave1out {LEFT_OUT}", mine, theirs.get("leave1out"))


def _print_beside(name: str, mine: float, theirs: float | None) -> None:
    rest = f"{'-':>12} {'-':>16}" if theirs is None else f"{1e3 * theirs:12.3f} {theirs / mine:16.1f}"
    print(f"{name:>14} {1e3 * mine:12.3f} {rest}")


def _batches() -> None:
    effect, variance = _effects((BATCH, BATCH_K), seed=2)
    read = effect.nbytes + variance.nbytes
    workers = sorted({1, available_workers()})
    print(f"\npool_many, {BATCH:,} fits of k = {BATCH_K}, Knapp-Hartung (median of {BATCH_REPEATS})")
    print(
        f"{'tau2':>6} "
        + " ".join(f"{f'fits/s, {n} thread' + 's' * (n > 1):>20}" for n in workers)
        + f" {'GB/s read':>10}"
    )
    for method in ("EE", "DL", "HE", "SJ", "DL2", "PM", "ML", "REML"):
        taken = [
            _seconds(
                lambda n=n, method=method: am.pool_many(effect, variance, tau2_method=method, workers=n),  # type: ignore[misc]
                BATCH_REPEATS,
                1,
            )
            for n in workers
        ]
        print(f"{method:>6} " + " ".join(f"{BATCH / t:20,.0f}" for t in taken) + f" {read / min(taken) / 1e9:10.2f}")
    copied = _seconds(lambda: (effect.copy(), variance.copy()), BATCH_REPEATS, 1)
    print(f"{'copy':>6} {'copying both arrays once, one thread':>41} {read / copied / 1e9:10.2f}")


def main() -> None:
    """Print the two tables."""
    sets = {k: _effects((k,)) for k in SIZES}
    theirs, versions = _metafor_seconds(sets)
    print(
        f"Python {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}, "
        f"alliance_meta {am.__version__}, {os.cpu_count()} processors; {versions}"
    )
    _single_fits(sets, theirs)
    _batches()


if __name__ == "__main__":
    main()
