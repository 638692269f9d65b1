"""How fast influence and leave-one-out are, beside metafor: python tests/bench/bench_influence.py [k ...].

REML with a z test; R's start and the fit itself do not count for metafor, but the fit does for us. Exits with 1 if
`influence()` or `leave_one_out()` is less than 500 times as fast as metafor at k = 300.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt
import pandas as pd

import alliance_meta as am
from alliance_meta.sensitivity._influence import influence
from alliance_meta.sensitivity._leaving_out import leave_one_out

SIZES = (50, 300)
REPEATS = 5
ASKED_AT, ASKED = 300, 500.0

FloatArray = npt.NDArray[np.float64]


def _set(k: int) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(1)
    variance = np.asarray(1.0 / (rng.integers(10, 300, k) - 3.0), dtype=np.float64)
    return rng.normal(0.28, np.sqrt(variance + 0.03)), variance


def _ours(effects: am.EffectSizes) -> list[tuple[str, float, FloatArray]]:
    calls: list[tuple[str, Callable[[], FloatArray]]] = [
        ("influence", lambda: influence(effects, test="z").numbers.cooks_distance),
        ("leave-one-out", lambda: leave_one_out(effects, test="z").fits.estimate),
    ]
    made = []
    for name, call in calls:
        found, taken = call(), []
        for _ in range(REPEATS):
            start = time.perf_counter()
            call()
            taken.append(time.perf_counter() - start)
        made.append((name, median(taken), found))
    return made


def _theirs(y: FloatArray, v: FloatArray) -> tuple[list[tuple[float, FloatArray]], str]:
    """Seconds and numbers of both, NaN without R; and R's and metafor's versions, or why there are none."""
    none = [(np.nan, np.empty(0))] * 2
    rscript = shutil.which("Rscript")
    if rscript is None:
        return none, "no Rscript on PATH"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "set.json"
        path.write_text(json.dumps({"yi": y.tolist(), "vi": v.tolist()}), encoding="utf-8")
        command = [rscript, str(Path(__file__).with_suffix(".R")), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=3600, check=False)
    if done.returncode != 0:
        return none, f"R stopped: {done.stderr.strip()[-200:]}"
    lines = done.stdout.strip().splitlines()
    pairs = [(float(lines[i]), np.array([float(x) for x in lines[i + 1].split()])) for i in (0, 2)]
    return pairs, lines[4].strip()


def main() -> int:
    """Print one line a size and analysis; say whether what is asked of them holds."""
    print(
        f"{platform.python_implementation()} {platform.python_version()}, numpy {np.__version__}, {platform.machine()}"
    )
    slow = False
    for k in [int(size) for size in sys.argv[1:]] or SIZES:
        y, v = _set(k)
        effects = am.effect_sizes(
            pd.DataFrame({"y": y, "v": v, "study": [f"S{i}" for i in range(k)]}),
            measure="GEN",
            effect="y",
            variance="v",
        )
        theirs, versions = _theirs(y, v)
        for (name, ours, mine), (seconds, numbers) in zip(_ours(effects), theirs, strict=True):
            apart = float(np.abs(mine - numbers).max()) if numbers.size else np.nan
            ratio = seconds / ours
            slow = slow or (k == ASKED_AT and ratio < ASKED)
            print(
                f"k = {k:5d}, {name:13}: {1000 * ours:8.2f} ms; metafor {seconds:8.2f} s, {ratio:8.0f} times as long; "
                f"largest difference {apart:.1e} ({versions})"
            )
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
