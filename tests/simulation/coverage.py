"""Do the intervals cover? Bias of every estimator of tau2 and coverage of every interval, over a grid of meta-analyses.

    python tests/simulation/coverage.py
    python tests/simulation/page.py

The first writes results.json beside this file, the second the tables of docs/validation.md. It needs the library and
its own dependencies only, takes some minutes on two processors, and gives the same file for any number of workers:
each cell has a seed of its own and can be repeated alone (`measured`). Not part of the tests; a few of its numbers
are made again by tests/unit/test_validation_page.py.

Every replicate draws its own study sizes: log-normal with the median and the standard deviation (of the logarithm) of
the 34 studies in the data sets kolden2011 and farber_doolin2011, cut to 10 ... 400 by drawing from the part of the
distribution between them, and rounded. True effects are normal around Fisher's z of r = .28. Two designs:

normal
    z ~ N(true effect, 1 / (n - 3)), which is what every method assumes.
correlation
    r is the correlation of n pairs from a bivariate normal distribution, z its Fisher's z: slightly biased, and with
    a variance that is only nearly 1 / (n - 3).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy
from scipy import special
from tqdm.auto import tqdm

import alliance_meta as am
from alliance_meta.stats.generalised_q import generalised_q_interval
from alliance_meta.stats.henmi_copas import henmi_copas
from alliance_meta.stats.heterogeneity import q_profile_interval
from alliance_meta.stats.inference import critical_value
from alliance_meta.stats.prediction import nagashima_interval
from alliance_meta.stats.profile import mean_profile_interval, tau2_profile_interval
from alliance_meta.stats.tau2._std_error import tau2_std_error, tau2_wald_interval

FloatArray = npt.NDArray[np.float64]
Numbers = dict[str, float]
Interval = tuple[FloatArray, FloatArray]

RESULTS = Path(__file__).with_name("results.json")
DATE = "2026-11-23"
SEED = 20261123
REPLICATES = 10_000
REPLICATES_OF_SLOW = 1_000
"""Of intervals of tau2 by the generalised Q, the first of each cell's."""
REPLICATES_OF_SLOWEST, DRAWS = 100, 2_000
"""Of Nagashima's prediction interval, and its draws."""

MEAN = float(np.arctanh(0.28))
SIZE_MEDIAN, SIZE_LOG_SD, SIZE_LEAST, SIZE_MOST = 43.0, 0.77, 10, 400
LEVEL = 0.95
LEAST_SHARE = 0.02
"""Of replicates, for a coverage among them."""

ESTIMATORS = ("DL", "DL2", "HE", "CA2", "HS", "HSk", "SJ", "ML", "REML", "PM", "PMM")
WITH_INTERVALS = ("DL", "REML", "PM", "SJ")
TESTS = ("z", "t", "knapp-hartung", "knapp-hartung-adhoc")
DESIGNS = ("normal", "correlation")


@dataclass(frozen=True, slots=True)
class Cell:
    """Meta-analyses of one kind."""

    design: str
    k: int
    tau2: float

    @property
    def seed(self) -> list[int]:
        """Of this cell alone."""
        return [SEED, DESIGNS.index(self.design), self.k, round(1e6 * self.tau2)]


CELLS = tuple(Cell("normal", k, tau2) for tau2 in (0.0, 0.005, 0.0144, 0.04) for k in (5, 10, 20, 40, 80)) + tuple(
    Cell("correlation", k, tau2) for tau2 in (0.0, 0.0144) for k in (10, 40, 80)
)


def study_sizes(rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    """Sizes as in this literature, none below 10 or above 400."""
    ends = special.ndtr((np.log([SIZE_LEAST, SIZE_MOST]) - np.log(SIZE_MEDIAN)) / SIZE_LOG_SD)
    deviate = special.ndtri(rng.uniform(ends[0], ends[1], shape))
    return np.asarray(np.rint(SIZE_MEDIAN * np.exp(SIZE_LOG_SD * deviate)))


def correlations(rng: np.random.Generator, rho: FloatArray, n: FloatArray) -> FloatArray:
    """Correlations of n pairs of normal variables, from Bartlett's decomposition of their sums of squares."""
    sd_x, noise = np.sqrt(rng.chisquare(n - 1.0)), np.sqrt(rng.chisquare(n - 2.0))
    rest = np.sqrt(1.0 - rho**2)
    along = rho * sd_x + rest * rng.standard_normal(rho.shape)
    return np.asarray(along / np.hypot(along, rest * noise))


def drawn(cell: Cell, replicates: int) -> Interval:
    """Effects and variances of a cell, (replicates, k)."""
    rng = np.random.default_rng(cell.seed)
    n = study_sizes(rng, (replicates, cell.k))
    variance = 1.0 / (n - 3.0)
    true = rng.normal(MEAN, np.sqrt(cell.tau2), n.shape)
    if cell.design == "normal":
        return rng.normal(true, np.sqrt(variance)), variance
    return np.arctanh(correlations(rng, np.tanh(true), n)), variance


def _share(values: npt.NDArray[np.bool_]) -> tuple[float, float]:
    share = float(values.mean())
    return share, float(np.sqrt(share * (1.0 - share) / values.size))


def _errors(estimate: FloatArray, truth: float) -> Numbers:
    """Bias and root mean square error, each with its Monte-Carlo standard error."""
    error = estimate - truth
    rmse, root = np.sqrt(np.mean(error**2)), np.sqrt(error.size)
    return {
        "bias": error.mean(),
        "bias_se": error.std(ddof=1) / root,
        "rmse": rmse,
        "rmse_se": (error**2).std(ddof=1) / (2.0 * rmse * root),
    }


def _covered(interval: Interval, truth: float, reference: Interval) -> Numbers:
    """Coverage with its Monte-Carlo standard error, and widths; an interval that is not there does not cover."""
    coverage, coverage_se = _share((interval[0] <= truth) & (truth <= interval[1]))
    return {"coverage": coverage, "coverage_se": coverage_se, **_widths(interval, reference)}


def _widths(interval: Interval, reference: Interval) -> Numbers:
    """Mean width, and the ratio of the median to the reference's in the same replicates."""
    width = interval[1] - interval[0]
    beside = (reference[1] - reference[0])[: width.size]
    return {
        "mean_width": float(np.nanmean(width)),
        "relative_width": float(np.nanmedian(width) / np.nanmedian(beside)),
        "missing": float(np.isnan(width).sum()),
        "replicates": width.size,
    }


def _when_narrower(interval: Interval, reference: Interval, truth: float) -> Numbers:
    """How often an interval is narrower than the reference, and its coverage then, where that is at all common."""
    narrower = interval[1] - interval[0] < reference[1] - reference[0]
    share, share_se = _share(narrower)
    if share < LEAST_SHARE:
        return {"narrower": share, "narrower_se": share_se}
    low, high = (bound[narrower] for bound in interval)
    coverage, coverage_se = _share((low <= truth) & (truth <= high))
    return {
        "narrower": share,
        "narrower_se": share_se,
        "coverage_narrower": coverage,
        "coverage_narrower_se": coverage_se,
    }


def of_tau2(cell: Cell, effect: FloatArray, variance: FloatArray) -> dict[str, Numbers]:
    """Errors of the estimators of tau2, and how often each is 0."""
    rows: dict[str, Numbers] = {}
    for method in ESTIMATORS:
        tau2 = am.pool_many(effect, variance, tau2_method=method, workers=1).tau2
        zero, zero_se = _share(tau2 == 0.0)
        rows[method] = _errors(tau2, cell.tau2) | {"zero": zero, "zero_se": zero_se}
    return rows


def of_mean(cell: Cell, effect: FloatArray, variance: FloatArray) -> dict[str, Numbers]:
    """Errors of the mean with equal-effects and with random-effects weights."""
    return {
        method: _errors(am.pool_many(effect, variance, tau2_method=method, workers=1).estimate, MEAN)
        for method in ("EE", "REML")
    }


def of_mean_intervals(cell: Cell, effect: FloatArray, variance: FloatArray) -> dict[str, Numbers]:
    """Intervals of the mean; widths beside Knapp and Hartung's with REML."""
    kinds = [(method, test) for method in WITH_INTERVALS for test in TESTS] + [("EE", "z")]
    intervals = {
        f"{method} {test}": am.pool_many(
            effect, variance, tau2_method=method, test=test, workers=1
        ).confidence_interval(LEVEL)
        for method, test in kinds
    }
    by_henmi_copas = henmi_copas(effect, variance, LEVEL)
    intervals["Henmi-Copas"] = by_henmi_copas.low, by_henmi_copas.high
    intervals["profile likelihood"] = mean_profile_interval(effect, variance, LEVEL)
    default = intervals["REML knapp-hartung"]
    rows = {name: _covered(interval, MEAN, default) for name, interval in intervals.items()}
    rows["REML knapp-hartung"] |= _when_narrower(default, intervals["EE z"], MEAN)
    return rows


def of_tau2_intervals(cell: Cell, effect: FloatArray, variance: FloatArray) -> dict[str, Numbers]:
    """Intervals of tau2; widths beside the Q-profile's."""
    tau2 = am.pool_many(effect, variance, tau2_method="REML", workers=1).tau2
    intervals = {
        "Q-profile": q_profile_interval(effect, variance, LEVEL),
        "profile REML": tau2_profile_interval(effect, variance, LEVEL, restricted=True),
        "profile ML": tau2_profile_interval(effect, variance, LEVEL, restricted=False),
        "Wald REML": tau2_wald_interval(tau2, tau2_std_error("REML", tau2, variance), LEVEL),
    }
    y, v = effect[:REPLICATES_OF_SLOW], variance[:REPLICATES_OF_SLOW]
    for name, power in (("generalised Q, 1/v", 1.0), ("generalised Q, 1/sqrt v", 0.5)):
        intervals[name] = generalised_q_interval(y, v, LEVEL, weights=v**-power)
    return {name: _covered(interval, cell.tau2, intervals["Q-profile"]) for name, interval in intervals.items()}


def of_predictions(cell: Cell, effect: FloatArray, variance: FloatArray) -> dict[str, Numbers]:
    """Probability that the true effect of a new study lies in the prediction interval, from the normal distribution."""
    kinds: list[tuple[str, str, str, float]] = [
        *((method, "knapp-hartung", "t(k-2)", cell.k - 2.0) for method in WITH_INTERVALS),
        ("REML", "knapp-hartung", "t(k-1)", cell.k - 1.0),
        ("REML", "z", "t(k-2)", cell.k - 2.0),
        ("REML", "z", "z", np.inf),
    ]
    intervals: dict[str, Interval] = {}
    for method, test, quantile, df in kinds:
        fit = am.pool_many(effect, variance, tau2_method=method, test=test, workers=1)
        half = critical_value(LEVEL, df) * np.sqrt(fit.tau2 + fit.std_error**2)
        intervals[f"{method} {test} {quantile}"] = fit.estimate - half, fit.estimate + half
    rng = np.random.default_rng([*cell.seed, DRAWS])
    by_nagashima = [
        nagashima_interval(y, v, LEVEL, replicates=DRAWS, rng=rng)
        for y, v in zip(effect[:REPLICATES_OF_SLOWEST], variance[:REPLICATES_OF_SLOWEST], strict=True)
    ]
    low, high = np.array(by_nagashima).T
    intervals["Nagashima"] = low, high
    beside = intervals["REML knapp-hartung t(k-2)"]
    return {name: _predicted(interval, cell.tau2, beside) for name, interval in intervals.items()}


def _predicted(interval: Interval, tau2: float, reference: Interval) -> Numbers:
    """As `_covered`, with the probability that an interval holds instead of 0 or 1."""
    low, high = interval
    width = high - low
    if tau2 > 0.0:
        content = special.ndtr((high - MEAN) / np.sqrt(tau2)) - special.ndtr((low - MEAN) / np.sqrt(tau2))
    else:
        content = ((low <= MEAN) & (high >= MEAN)).astype(float)
    content = np.where(np.isnan(width), 0.0, content)
    return {
        "coverage": content.mean(),
        "coverage_se": content.std(ddof=1) / np.sqrt(content.size),
        "tenth_percentile": float(np.quantile(content, 0.1)),
        **_widths(interval, reference),
    }


PARTS: dict[str, Callable[[Cell, FloatArray, FloatArray], dict[str, Numbers]]] = {
    "predictions": of_predictions,
    "tau2_intervals": of_tau2_intervals,
    "mean_intervals": of_mean_intervals,
    "tau2": of_tau2,
    "mean": of_mean,
}
"""The slow ones first, so that no processor is left over at the end."""


def measured(task: tuple[Cell, str], replicates: int = REPLICATES) -> list[dict[str, object]]:
    """One part of one cell: a row for each method, numbers with five digits."""
    cell, part = task
    return [
        asdict(cell) | {"part": part, "method": method} | {name: float(f"{value:.5g}") for name, value in row.items()}
        for method, row in PARTS[part](cell, *drawn(cell, replicates)).items()
    ]


def _source(replicates: int) -> dict[str, object]:
    return {
        "date": DATE,
        "script": "tests/simulation/coverage.py",
        "versions": {
            "alliance_meta": am.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
        },
        "replicates": replicates,
        "replicates_generalised_q": min(replicates, REPLICATES_OF_SLOW),
        "replicates_nagashima": min(replicates, REPLICATES_OF_SLOWEST),
        "draws_nagashima": DRAWS,
        "seed": SEED,
        "seeds": "numpy.random.default_rng([seed, 0 (normal) or 1 (correlation), k, 1e6 tau2])",
        "level": LEVEL,
        "mean": MEAN,
        "sizes": {"median": SIZE_MEDIAN, "log_sd": SIZE_LOG_SD, "least": SIZE_LEAST, "most": SIZE_MOST},
    }


def main() -> None:
    """Measure all cells and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--replicates", type=int, default=REPLICATES, help="meta-analyses in each cell")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    tasks = [(cell, part) for part in PARTS for cell in sorted(CELLS, key=lambda cell: -cell.k)]
    # Read when a worker imports numpy: threads of its linear algebra only hinder each other here.
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
    found: dict[tuple[Cell, str], list[dict[str, object]]] = {}
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as workers:
        running = {workers.submit(partial(measured, replicates=options.replicates), task): task for task in tasks}
        try:
            for done in tqdm(as_completed(running), total=len(tasks), unit="part"):
                found[running[done]] = done.result()
        except BaseException:
            workers.shutdown(cancel_futures=True)
            raise
    rows = [json.dumps(row) for cell in CELLS for part in PARTS for row in found[cell, part]]
    source = json.dumps(_source(options.replicates), indent=1)
    options.output.write_text(f'{{"source": {source},\n"rows": [\n' + ",\n".join(rows) + "\n]}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
