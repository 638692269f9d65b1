"""How fast CR2 and its degrees of freedom are, beside clubSandwich in the same run: python tests/bench/bench_robust.py.

Four coefficients, clusters of unequal size; R's start and the fit itself do not count.
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
from alliance_meta.robustness import robust

SIZES = ((100, 15), (300, 100), (3_000, 1_000), (3_000, 30))
REPEATS, METAFOR_REPEATS = 21, 3
BOOTSTRAP = 10_000

FloatArray = npt.NDArray[np.float64]


def _set(k: int, clusters: int) -> tuple[FloatArray, FloatArray, FloatArray, npt.NDArray[np.intp]]:
    """Effects of clusters with a variance of their own, and three moderators that explain nothing."""
    rng = np.random.default_rng(1)
    cluster = np.concatenate([np.arange(clusters), rng.integers(0, clusters, k - clusters)])
    variance = np.asarray(1.0 / (rng.integers(10, 300, k) - 3.0), dtype=np.float64)
    effect = rng.normal(0.28, np.sqrt(variance)) + rng.normal(0.0, 0.15, clusters)[cluster]
    return effect, variance, rng.normal(size=(k, 3)), cluster


def _seconds(k: int, clusters: int) -> tuple[float, float, list[float]]:
    """Of CR2 with its degrees of freedom, of a wild bootstrap, and the numbers."""
    effect, variance, x, cluster = _set(k, clusters)
    frame = pd.DataFrame({"effect": effect, "variance": variance, "a": x[:, 0], "b": x[:, 1], "c": x[:, 2]})
    fit = am.meta_regression(am.effect_sizes(frame, measure="GEN"), "a + b + c", tau2_method="DL")
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        found = robust(fit, cluster)
        taken.append(time.perf_counter() - start)
    start = time.perf_counter()
    found.wild_bootstrap({"a": 1.0}, n=BOOTSTRAP, workers=1)
    return median(taken), time.perf_counter() - start, [*found.std_errors.tolist(), *found.df.tolist()]


def _theirs(k: int, clusters: int) -> tuple[float, list[float], str]:
    """NaN without R; the numbers; and R's and clubSandwich's versions."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        return np.nan, [], "no Rscript on PATH"
    effect, variance, x, cluster = _set(k, clusters)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "set.json"
        asked = {"yi": effect.tolist(), "vi": variance.tolist(), "x": x.tolist(), "cluster": cluster.tolist()}
        path.write_text(json.dumps({**asked, "repeats": METAFOR_REPEATS}), encoding="utf-8")
        command = [rscript, str(Path(__file__).with_suffix(".R")), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=3600, check=False)
    if done.returncode != 0:
        return np.nan, [], f"R stopped: {done.stderr.strip()[-200:]}"
    seconds, numbers, versions = done.stdout.strip().splitlines()
    return float(seconds), [float(value) for value in numbers.split()], versions.strip()


def main() -> None:
    """Print the table."""
    print(f"Python {platform.python_version()}, numpy {np.__version__}, alliance_meta {am.__version__}")
    print(f"\nMilliseconds, median of {REPEATS} ({METAFOR_REPEATS} for clubSandwich); wild bootstrap: n = {BOOTSTRAP}")
    header = f"{'k':>6} {'clusters':>9} {'CR2 + df':>10} {'clubSandwich':>13} {'ratio':>7} {'differ by':>10}"
    print(f"{header} {'wild, 1 thread':>15}")
    for k, clusters in SIZES:
        own, wild, mine = _seconds(k, clusters)
        theirs, numbers, versions = _theirs(k, clusters)
        apart = max((abs(a - b) / abs(b) for a, b in zip(mine, numbers, strict=bool(numbers))), default=np.nan)
        row = f"{k:6d} {clusters:9d} {1e3 * own:10.1f} {1e3 * theirs:13.0f} {theirs / own:7.0f} {apart:10.1e}"
        print(f"{row} {1e3 * wild:15.0f}")
    print(versions)


if __name__ == "__main__":
    main()
