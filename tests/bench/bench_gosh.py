"""How fast all subsets are fitted, beside metafor's gosh(): python tests/bench/bench_gosh.py [k ...].

Subsets a second of the fits and of `gosh()` as a whole, which also compares the subsets with and without each study;
the picture of the largest set; and metafor in the same run, on sets that it can do. R's start does not count.
"""

from __future__ import annotations

import io
import json
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd

import alliance_meta as am
from alliance_meta.plots._gosh import gosh as draw
from alliance_meta.sensitivity import _gosh
from alliance_meta.sensitivity._gosh import gosh

SIZES = (13, 20)
REPEATS = 5
SLOW = 1 << 16
"""More subsets than these are fitted once by the iterative methods, and not at all by metafor."""
THEIRS_AT_MOST = {"EE": 1 << 16, "DL": 1 << 16, "REML": 1 << 13}

FloatArray = npt.NDArray[np.float64]


def _set(k: int) -> am.EffectSizes:
    """Effects that differ, one of them by far."""
    rng = np.random.default_rng(1)
    variance = 1.0 / (rng.integers(10, 300, k) - 3.0)
    effect = rng.normal(0.28, np.sqrt(variance + 0.01))
    effect[0] += 1.0
    frame = pd.DataFrame({"study": range(k), "effect": effect, "variance": variance})
    return am.effect_sizes(frame, measure="GEN", effect="effect", variance="variance")


def _least(call: Callable[[], object], repeats: int) -> float:
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return min(taken)


def _theirs(effects: am.EffectSizes, method: str) -> tuple[float, FloatArray, str]:
    """NaN without R; the estimates; and R's and metafor's versions."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        return np.nan, np.empty(0), "no Rscript on PATH"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "set.json"
        asked = {"yi": effects.effect.tolist(), "vi": effects.variance.tolist(), "method": method}
        path.write_text(json.dumps(asked), encoding="utf-8")
        command = [rscript, str(Path(__file__).with_suffix(".R")), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=3600, check=False)
    if done.returncode != 0:
        return np.nan, np.empty(0), f"R stopped: {done.stderr.strip()[-200:]}"
    seconds, numbers, versions = done.stdout.strip().splitlines()
    return float(seconds), np.array([float(value) for value in numbers.split()]), versions.strip()


def _line(effects: am.EffectSizes, method: str) -> None:
    count = 2**effects.k - 1
    quick = method in ("DL", "EE")
    repeats = REPEATS if quick or count < SLOW else 1
    whole = _least(lambda: gosh(effects, tau2_method=method), repeats)
    only = f"fits {count / _least(lambda: _gosh._blocks(effects, method, None, 1), repeats):,.0f}/s, " if quick else ""
    text = f"k = {effects.k}, {method}: {count:,} subsets, {only}gosh() {whole:.3f} s, {count / whole:,.0f}/s"
    if count <= THEIRS_AT_MOST[method]:
        theirs, numbers, versions = _theirs(effects, method)
        ours = gosh(effects, tau2_method=method).estimate
        apart = f"; estimates at most {np.nanmax(np.abs(ours - numbers)):.1e} apart" if numbers.size else ""
        text += f"; {versions} {theirs:.2f} s, {theirs / whole:,.0f} times as long{apart}"
    print(text, flush=True)


def main() -> None:
    """Print one line a size and method, and one for the picture."""
    print(
        f"{platform.python_implementation()} {platform.python_version()}, numpy {np.__version__}, {platform.machine()}"
    )
    sizes = [int(size) for size in sys.argv[1:]] or SIZES
    for k in sizes:
        effects = _set(k)
        for method in ("EE", "DL", "REML"):
            _line(effects, method)
    found = gosh(_set(max(sizes)), tau2_method="DL")
    mpl.use("Agg")

    def picture() -> None:
        ax = draw(found, study="0")
        ax.figure.figure.savefig(io.BytesIO(), format="png")
        mpl.pyplot.close(ax.figure.figure)

    picture()
    print(f"picture of {found.estimate.size:,} subsets in two colours, to PNG: {_least(picture, 3):.2f} s")


if __name__ == "__main__":
    main()
