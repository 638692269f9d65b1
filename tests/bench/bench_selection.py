"""How fast step-function selection models are, beside metafor in the same run: python tests/bench/bench_selection.py.

One step (3PSM) and two (4PSM); R's start and the fit without selection do not count. metafor stops where its optimizer
does by default, and takes its standard errors from a numerical Hessian.
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

import alliance_meta as am
from alliance_meta.stats.selection import profile_intervals, step_selection

CASES = ((20, (0.025,)), (50, (0.025,)), (100, (0.025,)), (50, (0.025, 0.5)), (100, (0.025, 0.5)))
REPEATS, METAFOR_REPEATS, BATCH = 21, 5, 2_000

FloatArray = npt.NDArray[np.float64]


def _sets(count: int, k: int) -> tuple[FloatArray, FloatArray]:
    """Effects (count, k) with mean 0.2 and tau 0.2, of which those with p > .025 were published one time in five."""
    rng = np.random.default_rng(1)
    variance = 4.0 / rng.integers(20, 200, (count, 12 * k))
    effect = rng.normal(0.2, np.sqrt(variance + 0.04))
    kept = rng.random(effect.shape) < np.where(effect > 1.96 * np.sqrt(variance), 1.0, 0.2)
    first = np.argsort(~kept, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(effect, first, 1), np.take_along_axis(variance, first, 1)


def _timed(k: int, steps: tuple[float, ...]) -> tuple[float, float, float, list[float]]:
    """Seconds of one fit, of its profile intervals and of a batch; and the numbers of the one."""
    effects, variances = _sets(BATCH, k)
    one, taken = (effects[0], variances[0]), []
    for _ in range(REPEATS):
        start = time.perf_counter()
        fit = step_selection(*one, steps=steps)
        taken.append(time.perf_counter() - start)
    start = time.perf_counter()
    profile_intervals(*one, np.ones((k, 1)), steps=steps)
    profiled = time.perf_counter() - start
    start = time.perf_counter()
    step_selection(effects, variances, steps=steps)
    many = time.perf_counter() - start
    numbers = [*fit.coefficients, fit.tau2, *fit.weights[1:], float(np.sqrt(fit.covariance[0, 0]))]
    return median(taken), profiled, many, [float(value) for value in numbers]


def _theirs(k: int, steps: tuple[float, ...]) -> tuple[float, list[float], str]:
    """NaN without R; the numbers; and R's and metafor's versions."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        return np.nan, [], "no Rscript on PATH"
    effects, variances = _sets(BATCH, k)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "set.json"
        asked = {"yi": effects[0].tolist(), "vi": variances[0].tolist(), "steps": steps, "repeats": METAFOR_REPEATS}
        path.write_text(json.dumps(asked), encoding="utf-8")
        command = [rscript, str(Path(__file__).with_suffix(".R")), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=3600, check=False)
    if done.returncode != 0:
        return np.nan, [], f"R stopped: {done.stderr.strip()[-200:]}"
    seconds, numbers, versions = done.stdout.strip().splitlines()
    return float(seconds), [float(value) for value in numbers.split()], versions.strip()


def main() -> None:
    """Print the table."""
    print(f"Python {platform.python_version()}, numpy {np.__version__}, alliance_meta {am.__version__}")
    print(f"\nMilliseconds, median of {REPEATS} ({METAFOR_REPEATS} for metafor); fits a second in a batch of {BATCH}")
    header = f"{'k':>5} {'steps':>6} {'one fit':>8} {'metafor':>8} {'ratio':>6} {'differ by':>10}"
    print(f"{header} {'profile':>8} {'batch':>7}")
    for k, steps in CASES:
        own, profiled, many, mine = _timed(k, steps)
        theirs, numbers, versions = _theirs(k, steps)
        apart = max((abs(a - b) for a, b in zip(mine, numbers, strict=bool(numbers))), default=np.nan)
        row = f"{k:5d} {len(steps):6d} {1e3 * own:8.2f} {1e3 * theirs:8.0f} {theirs / own:6.0f} {apart:10.1e}"
        print(f"{row} {1e3 * profiled:8.1f} {BATCH / many:7.0f}")
    print(versions)


if __name__ == "__main__":
    main()
