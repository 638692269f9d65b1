"""How long a large table of mixed routes takes: python tests/bench/bench_effect_sizes.py."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import pandas as pd

import alliance_meta as am

ROWS = 100_000
REPEATS = 5


def mixed(rows: int) -> pd.DataFrame:
    """A table whose rows report, in turn, ten kinds of statistics; all other cells are empty."""
    rng = np.random.default_rng(1)
    r = rng.uniform(-0.6, 0.6, rows)
    n1, n2 = rng.integers(20, 200, rows), rng.integers(20, 200, rows)
    n = n1 + n2
    t = r * np.sqrt((n - 2) / (1 - r**2))
    d = t * np.sqrt(1 / n1 + 1 / n2)
    kinds: list[dict[str, np.ndarray]] = [
        {"r": r, "n": n},
        {"t": t, "df": n - 2},
        {"f": t**2, "df2": n - 2, "n": n},
        {"z": r * np.sqrt(n), "n": n},
        {"chi2": r**2 * n, "n": n},
        {"p": rng.uniform(0.001, 0.9, rows), "n": n},
        {"d": d, "n1": n1, "n2": n2},
        {"mean1": d, "mean2": np.zeros(rows), "sd1": np.ones(rows), "sd2": np.ones(rows), "n1": n1, "n2": n2},
        {"odds_ratio": np.exp(r), "n": n},
        {"events1": rng.integers(1, 20, rows), "n1": n1, "events2": rng.integers(1, 20, rows), "n2": n2},
    ]
    turn = np.arange(rows) % len(kinds)
    frame = pd.DataFrame({role: np.full(rows, np.nan) for kind in kinds for role in kind})
    for i, kind in enumerate(kinds):
        for role, values in kind.items():
            frame[role] = np.where(turn == i, values, frame[role])
    return frame.assign(direction=np.where(r < 0, -1.0, 1.0))


def main() -> None:
    """Print seconds, the best and the worst of a few repeats."""
    frame = mixed(ROWS)
    for measure in ("ZCOR", "COR"):
        seconds = []
        for _ in range(REPEATS):
            start = perf_counter()
            effects = am.effect_sizes(frame, measure=measure)
            seconds.append(perf_counter() - start)
        routes = len(effects.routes())
        print(f"{measure}: {effects.k} rows by {routes} routes in {min(seconds):.3f} to {max(seconds):.3f} s")


if __name__ == "__main__":
    main()
