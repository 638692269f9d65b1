"""What a meta-regression is asked beside its coefficients: intervals of tau2 and R2, comparisons, inflation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isnan
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from alliance_meta import _checks
from alliance_meta._parallel import available_workers, in_pieces
from alliance_meta.errors import InputError
from alliance_meta.results._interval import Interval
from alliance_meta.results._tau2_interval import note_on, tau2_bounds
from alliance_meta.results._vocabulary import TAU2_INTERVALS
from alliance_meta.results._wald import WaldTest
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.tau2 import ESTIMATORS

if TYPE_CHECKING:
    from alliance_meta.results._regression import MetaRegression

__all__ = ["combinations", "explained", "inflation", "likelihood_ratio", "r2_interval", "tau2_interval"]

_DRAWS_AT_ONCE = 1_000
_NESTED = 1e-8
"""A smaller model is nested if this share, at most, of each of its columns is outside the larger one's."""


def combinations(
    hypothesis: Mapping[str, float] | Sequence[Mapping[str, float]] | npt.ArrayLike, names: tuple[str, ...]
) -> tuple[FloatArray, str]:
    """Weights (m, p) of linear combinations of coefficients, and how to name them."""
    rows = [hypothesis] if isinstance(hypothesis, Mapping) else hypothesis
    if isinstance(rows, Sequence) and rows and all(isinstance(row, Mapping) for row in rows):
        weights = np.zeros((len(rows), len(names)))
        for row, wanted in zip(weights, rows, strict=True):
            for name, weight in wanted.items():
                row[names.index(_checks.known_name("coefficient", name, names))] = weight
    else:
        weights = np.atleast_2d(np.asarray(hypothesis, dtype=float))
    if weights.ndim != 2 or weights.shape[1] != len(names) or not np.isfinite(weights).all():
        raise InputError(f"a hypothesis must weigh {len(names)} coefficients ({_checks.listed(names)}) in each row")
    if np.linalg.matrix_rank(weights) < len(weights):
        raise InputError("the combinations depend on each other, or one of them is all 0: leave those out")
    return weights, "; ".join(_combination(row, names) for row in weights) + " = 0"


def _combination(weights: FloatArray, names: tuple[str, ...]) -> str:
    parts = [(weight, name) for weight, name in zip(weights.tolist(), names, strict=True) if weight]
    text = " ".join(f"{'-' if w < 0 else '+'} {'' if abs(w) == 1 else f'{abs(w):g} '}{name}" for w, name in parts)
    return text.removeprefix("+ ")


def likelihood_ratio(larger: MetaRegression, smaller: MetaRegression) -> WaldTest:
    """Twice the difference of two log-likelihoods, chi-square with the difference in coefficients."""
    methods = {larger.settings.tau2_method, smaller.settings.tau2_method}
    if not methods <= {"ML", "EE"} or len(methods) > 1:
        raise InputError(
            "a likelihood-ratio test of moderators needs two fits with tau2_method='ML' (or both 'EE'), not "
            f"{_checks.listed(sorted(methods))}: restricted likelihoods of different moderators cannot be compared"
        )
    same = larger.k == smaller.k and np.array_equal(larger.effects.effect, smaller.effects.effect)
    if not (same and np.array_equal(larger.effects.variance, smaller.effects.variance)):
        raise InputError("a likelihood-ratio test needs two fits of the same effects")
    x, z = larger.design.matrix, smaller.design.matrix
    left = z - x @ np.linalg.lstsq(x, z, rcond=None)[0]
    outside = np.sqrt((left**2).sum(axis=0) / (z**2).sum(axis=0)) > _NESTED
    if outside.any() or z.shape[1] >= x.shape[1]:
        raise InputError(
            f"{smaller.settings.formula!r} is not nested in {larger.settings.formula!r}: the larger model must have "
            "all columns of the smaller one and at least one more"
        )
    statistic = max(2.0 * (larger.log_likelihood - smaller.log_likelihood), 0.0)
    df = x.shape[1] - z.shape[1]
    return WaldTest(
        hypothesis=f"what {larger.settings.formula!r} adds to {smaller.settings.formula!r}",
        statistic=statistic,
        df1=df,
        df2=inf,
        p_value=float(special.chdtrc(df, statistic)),
    )


def inflation(fit: MetaRegression) -> pd.DataFrame:
    """Generalised variance inflation factors of the terms."""
    kept = [i for i, name in enumerate(fit.names) if name != "intercept"]
    if not kept:
        raise InputError(f"{fit.settings.formula!r} has no moderators whose variances could be inflated")
    se = fit.std_errors
    correlation = fit.covariance / np.outer(se, se)
    log_det = np.linalg.slogdet(correlation[np.ix_(kept, kept)]).logabsdet
    rows = []
    for term in fit.design.terms:
        own = [i for i in range(term.columns.start, term.columns.stop) if i in kept]
        if not own:
            continue
        rest = [i for i in kept if i not in own]
        blocks = (np.linalg.slogdet(correlation[np.ix_(part, part)]).logabsdet for part in (own, rest) if part)
        gvif = float(np.exp(sum(blocks) - log_det))
        rows.append({"term": term.label, "gvif": gvif, "df": len(own), "gvif_root": gvif ** (0.5 / len(own))})
    return pd.DataFrame(rows)


def tau2_interval(fit: MetaRegression, level: float, method: str) -> Interval:
    """Interval of the residual between-study variance."""
    known = tuple(name for name in TAU2_INTERVALS if name != "bootstrap")
    method = _checks.known_name("tau2 interval method", method, known)
    if not fit.df > 0.0 or fit.k <= len(fit.names):
        note = "as many coefficients as effects leave nothing to estimate tau2 from"
        return Interval(low=np.nan, high=np.nan, level=level, kind="tau2", note=note)
    low, high = tau2_bounds(fit, level, method, fit.design.matrix)
    return Interval(low=low, high=high, level=level, kind="tau2", note=note_on(low, high, "the residuals"))


def explained(without: npt.ArrayLike, with_moderators: npt.ArrayLike) -> FloatArray:
    """R2 in percent from two tau2, cut off at 0; NaN where there is nothing to explain."""
    before, after = np.asarray(without, dtype=float), np.asarray(with_moderators, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(before > 0.0, 100.0 * np.maximum(1.0 - after / before, 0.0), np.nan)


def r2_interval(fit: MetaRegression, level: float, replicates: int, seed: int, workers: int | None) -> Interval:
    """Percentiles of R2 in effects drawn from the fitted model."""
    if isnan(fit.r2):
        raise InputError("this fit has no R2: it needs an intercept, and a tau2 that the moderators could explain")
    if fit.settings.tau2_method == "GENQ":
        raise InputError("tau2_method='GENQ' has weights of its own and is not resampled; fit with another method")
    if replicates < 100:
        raise InputError(f"replicates must be 100 or more, not {replicates}")
    y, v, x = fit.effects.effect, fit.effects.variance, fit.design.matrix
    mean, sd = x @ fit.coefficients, np.sqrt(v + fit.tau2)
    estimator = ESTIMATORS[fit.settings.tau2_method]
    blocks = np.random.SeedSequence(seed).spawn(-(-replicates // _DRAWS_AT_ONCE))
    r2 = np.empty(replicates)

    def work(piece: slice) -> None:
        rng = np.random.default_rng(blocks[piece.start // _DRAWS_AT_ONCE])
        drawn = mean + sd * rng.standard_normal((piece.stop - piece.start, y.size))
        r2[piece] = explained(estimator(drawn, v).estimate, estimator(drawn, v, design=x).estimate)

    threads = available_workers() if workers is None else workers
    in_pieces(work, replicates, _DRAWS_AT_ONCE, workers=threads, unit="fit")
    tail = 50.0 * (1.0 - level)
    low, high = (float(bound) for bound in np.nanpercentile(r2, [tail, 100.0 - tail]))
    empty = int(np.isnan(r2).sum())
    note = f"left out: {empty} of {replicates:,} draws without heterogeneity to explain" if empty else ""
    return Interval(low=low, high=high, level=level, kind="r2", note=note)
