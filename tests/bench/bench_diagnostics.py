"""How fast Cook's distances by study are, beside metafor: python tests/bench/bench_diagnostics.py [k ...].

Three effects a study on average; R's start and the fit itself do not count. metafor fits once a study for them;
`diagnose()` gives weights, hat values, DFBETAS and leave-one-out estimates with them.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt
import pandas as pd

import alliance_meta as am
from alliance_meta.study_diagnostics import diagnose

SIZES = (102, 1_000)
REPEATS = 5

FloatArray = npt.NDArray[np.float64]


def _set(k: int) -> tuple[FloatArray, FloatArray, npt.NDArray[np.intp]]:
    """Effects of k // 3 studies, which differ, as effects within them do."""
    rng = np.random.default_rng(1)
    studies = k // 3
    study = np.concatenate([np.arange(studies), rng.integers(0, studies, k - studies)])
    variance = np.asarray(1.0 / (rng.integers(10, 300, k) - 3.0), dtype=np.float64)
    effect = rng.normal(0.28, 0.15, studies)[study] + rng.normal(0.0, np.sqrt(variance + 0.01))
    return effect, variance, study


def _seconds(k: int, refit: bool) -> tuple[float, FloatArray]:
    effect, variance, study = _set(k)
    frame = pd.DataFrame({"effect": effect, "variance": variance, "study": study})
    fit = am.multilevel(am.effect_sizes(frame, measure="GEN"))
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        found = diagnose(fit, refit=refit)
        taken.append(time.perf_counter() - start)
    return median(taken), found.cooks_distance[np.argsort([int(label) for label in found.labels])]


def _theirs(k: int, refit: bool) -> tuple[float, FloatArray, str]:
    """NaN without R; the numbers; and R's and metafor's versions."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        return np.nan, np.empty(0), "no Rscript on PATH"
    effect, variance, study = _set(k)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "set.json"
        asked = {"yi": effect.tolist(), "vi": variance.tolist(), "study": study.tolist(), "refit": refit}
        path.write_text(json.dumps(asked), encoding="utf-8")
        command = [rscript, str(Path(__file__).with_suffix(".R")), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=3600, check=False)
    if done.returncode != 0:
        return np.nan, np.empty(0), f"R stopped: {done.stderr.strip()[-200:]}"
    seconds, numbers, versions = done.stdout.strip().splitlines()
    return float(seconds), np.array([float(value) for value in numbers.split()]), versions.strip()


def main() -> None:
    """Print one line a size, with and without estimating the components again."""
    print(
        f"{platform.python_implementation()} {platform.python_version()}, numpy {np.__version__}, {platform.machine()}"
    )
    sizes = [int(size) for size in sys.argv[1:]] or SIZES
    for k in sizes:
        for refit in (False, True):
            ours, mine = _seconds(k, refit)
            theirs, numbers, versions = _theirs(k, refit)
            apart = float(np.nanmax(np.abs(mine - numbers))) if numbers.size else np.nan
            print(
                f"k = {k:5d}, {k // 3:4d} studies, refit={refit!s:5}: {1000 * ours:8.2f} ms; metafor {theirs:8.2f} s, "
                f"{theirs / ours:8.0f} times as long; largest difference {apart:.1e} ({versions})"
            )


if __name__ == "__main__":
    main()
