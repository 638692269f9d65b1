"""How fast multilevel() fits, beside metafor's sparse rma.mv in the same run: python tests/bench/bench_multilevel.py.

REML, effects in studies, sampling errors independent and with a correlation of 0.6 within studies (whose covariance
matrix is made outside what is timed for metafor, and inside for us). metafor stops at its own default tolerance; R's
start does not count. Then one fit of 100,000 effects in 30,000 studies, and its largest memory.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import tempfile
import time
import tracemalloc
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

import alliance_meta as am

SIZES = ((300, 100), (3_000, 1_000))
CORRELATIONS = (0.0, 0.6)
LARGE = (100_000, 30_000)
REPEATS = 7
METAFOR_REPEATS = {300: 5, 3_000: 1}


def _frame(n: int, studies: int) -> pd.DataFrame:
    """Components of 0.03 and 0.04, variances of 0.01 to 0.1."""
    rng = np.random.default_rng(1)
    study = np.sort(rng.integers(0, studies, n))
    v = rng.uniform(0.01, 0.1, n)
    y = 0.3 + rng.normal(0.0, 0.2, studies)[study] + rng.normal(0.0, np.sqrt(0.03 + v))
    return pd.DataFrame({"effect": y, "variance": v, "study": [f"s{i}" for i in study]})


def _seconds(effects: am.EffectSizes, rho: float) -> tuple[float, am.Multilevel]:
    """Median over some fits, after one that does not count."""
    fit = am.multilevel(effects, correlation=rho or None)
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        fit = am.multilevel(effects, correlation=rho or None)
        taken.append(time.perf_counter() - start)
    return median(taken), fit


def _metafors(sets: list[dict[str, object]]) -> tuple[list[list[float]], str]:
    """Seconds and components of each set, empty without R; and R's and metafor's versions."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        return [], "no Rscript on PATH"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sets.json"
        path.write_text(json.dumps(sets), encoding="utf-8")
        command = [rscript, str(Path(__file__).with_suffix(".R")), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=3600, check=False)
    if done.returncode != 0:
        return [], f"R stopped: {done.stderr.strip()[-200:]}"
    *rows, versions = done.stdout.strip().splitlines()
    return [[float(number) for number in row.split()] for row in rows], versions.strip()


def _beside_metafor() -> None:
    asked = [(n, studies, rho) for n, studies in SIZES for rho in CORRELATIONS]
    sets: list[dict[str, object]] = []
    for n, studies, rho in asked:
        frame = _frame(n, studies)
        numbers = {"yi": frame["effect"].tolist(), "vi": frame["variance"].tolist(), "study": frame["study"].tolist()}
        sets.append({**numbers, "rho": rho, "repeats": METAFOR_REPEATS[n]})
    theirs, versions = _metafors(sets)
    print(f"\nREML, median of {REPEATS} fits; {versions}")
    print(f"{'effects':>8} {'studies':>8} {'rho':>5} {'ours, ms':>10} {'rma.mv, ms':>12} {'ratio':>9} {'tau2 off':>10}")
    for i, (n, studies, rho) in enumerate(asked):
        seconds, fit = _seconds(am.effect_sizes(_frame(n, studies), measure="GEN"), rho)
        other, *components = theirs[i] if theirs else [np.nan, np.nan, np.nan]
        off = float(np.abs(fit.components - components).max())
        taken = f"{1e3 * seconds:>10.2f} {1e3 * other:>12.1f} {other / seconds:>9.0f}"
        print(f"{n:>8} {studies:>8} {rho:>5} {taken} {off:>10.1e}")


def _large() -> None:
    n, studies = LARGE
    effects = am.effect_sizes(_frame(n, studies), measure="GEN")
    print(f"\n{n:,} effects in {studies:,} studies")
    for rho in CORRELATIONS:
        start = time.perf_counter()
        fit = am.multilevel(effects, correlation=rho or None)
        seconds = time.perf_counter() - start
        tracemalloc.start()
        am.multilevel(effects, correlation=rho or None)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        print(f"rho {rho}: {seconds:.2f} s, peak {peak / 2**20:.0f} MiB, tau2 {fit.components.round(4).tolist()}")


def main() -> None:
    """Print the tables."""
    print(f"Python {platform.python_version()}, numpy {np.__version__}, alliance_meta {am.__version__}")
    _beside_metafor()
    _large()


if __name__ == "__main__":
    main()
