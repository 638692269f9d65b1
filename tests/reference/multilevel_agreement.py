"""Holds multilevel fits against metafor's rma.mv, whose optimizers stop a little below the maximum.

So the library is compared twice: its likelihood, coefficients and their covariance **at metafor's components**, which
must agree to rounding; and its maximum, which must not be lower and not be farther off than metafor's optimizers stop.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan, nan
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from tests.reference.dense_multilevel import Dense, dense

import alliance_meta as am
from alliance_meta.stats.multilevel._nested import likelihood

__all__ = ["AT_THEIRS", "HIGHER", "MAXIMUM", "at_their_components", "dense_of", "fitted", "maxima", "rho_of", "wrong"]

FloatArray = npt.NDArray[np.float64]
Case = Mapping[str, Any]
Differences = dict[str, float]

AT_THEIRS = {"log_likelihood": 1e-10, "b": 1e-8, "covariance": 1e-8, "QE": 1e-12, "QEp": 1e-10, "i2": 1e-9, "df": 0.0}
"""What depends on metafor's components alone, or on none: rounding. The worst seen are 6e-12, 2e-10, 2e-10, 7e-15,
3e-12 and 2e-12, the first three where a year about 2000 stands beside an intercept; the rest is for other BLAS."""

HIGHER = 1e-9
"""By how much metafor's log-likelihood may be above ours: rounding of sums of n logarithms and squares."""

MAXIMUM = {"components": 1e-5, "b": 1e-5, "se": 1e-5, "ci": 2e-5, "pval": 1e-3}
"""How far from the maximum metafor's optimizers stop: the components in units of their sum and the typical sampling
variance, coefficients and their intervals in standard errors, p values and standard errors relative to themselves.
The worst seen are 9e-7, 8e-7, 2e-6, 4e-6 and (for p = 1e-64) 9e-5: roots of what is lost of the likelihood, 2e-10."""


def rho_of(case: Case) -> Any:
    """The correlation as the library and the whole matrices take it."""
    rho = case["rho"]
    if isinstance(rho, Mapping):
        rows = np.arange(len(case["yi"]))
        return float(rho["decay"]) ** np.abs(np.subtract.outer(rows, rows))
    return rho


def fitted(case: Case, method: str, test: str = "t") -> am.Multilevel:
    """The library's fit."""
    groups = {f"group_{name}": labels for name, labels in case["groups"].items()}
    rho = rho_of(case)
    frame = pd.DataFrame({**case["data"], **groups, "effect_": case["yi"], "variance_": case["vi"]})
    if isinstance(rho, list):
        frame, rho = frame.assign(rho_=rho), "rho_"
    effects = am.effect_sizes(frame, measure="GEN", effect="effect_", variance="variance_")
    study, *levels = groups
    return am.multilevel(
        effects, case["formula"], study=study, levels=levels, correlation=rho, tau2_method=method, test=test
    )


def dense_of(case: Case, fit: am.Multilevel) -> Dense:
    """The same in whole matrices."""
    return dense(case["yi"], case["vi"], fit.design.matrix, list(case["groups"].values()), rho_of(case))


def _relative(mine: Any, theirs: Any, size: Any = None) -> float:
    """The largest difference, relative to `size` or to metafor's numbers."""
    a, b = np.asarray(mine, dtype=float), np.asarray(theirs, dtype=float)
    unit = np.maximum(np.abs(b), np.finfo(float).tiny) if size is None else np.asarray(size)
    return float((np.abs(a - b) / unit).max())


def at_their_components(fit: am.Multilevel, theirs: Mapping[str, Any]) -> Differences:
    """Differences at metafor's components, which must be rounding."""
    problem, restricted = fit._problem, theirs["method"] == "REML"
    sigma2 = np.array(theirs["sigma2"])
    found = likelihood(problem.data, sigma2, restricted=restricted)
    count = fit.k - (len(fit.names) if restricted else 0)
    inverse = np.linalg.inv(problem.triangle)
    p = len(fit.names)
    theirs_covariance = np.array(theirs["covariance"]).reshape(p, p)
    sd = np.sqrt(np.diagonal(theirs_covariance))
    typical = fit.components.sum() * (100.0 / fit.i2.sum() - 1.0) if fit.i2.sum() > 0.0 else nan
    i2 = 100.0 * sigma2 / (sigma2.sum() + typical)
    # metafor gives 1 degree of freedom where there are as many coefficients as groups, the library none.
    mine_df, their_df = fit.dfs, np.array(theirs["coefficients"][2])
    value = found.value - 0.5 * count * np.log(2.0 * np.pi)
    return {
        "log_likelihood": _relative(value, theirs["log_likelihood"], max(1.0, abs(theirs["log_likelihood"]))),
        "b": _relative(inverse @ (found.coefficients + problem.explained), theirs["coefficients"][0], sd),
        "covariance": _relative(inverse @ found.covariance @ inverse.T, theirs_covariance, np.outer(sd, sd)),
        "QE": _relative(fit.q_residual, theirs["QE"][0]),
        "QEp": _relative(fit.q_residual_p_value, theirs["QE"][1]),
        "i2": 0.0 if isnan(typical) else _relative(i2, theirs["i2"], 1.0),
        "df": _relative(np.where(np.isnan(mine_df), 1.0, mine_df), their_df),
    }


def maxima(fit: am.Multilevel, theirs: Mapping[str, Any]) -> Differences:
    """Differences at the maximum, in the units of `MAXIMUM`."""
    b, se, _, _, pval, low, high = (np.array([nan if x is None else x for x in row]) for row in theirs["coefficients"])
    frame = fit.to_frame()
    told = ~np.isnan(fit.dfs)
    typical = float(1.0 / np.mean(1.0 / fit.effects.variance))
    ends = [
        _relative(frame[name][told], bound[told], se[told]) if told.any() else 0.0
        for name, bound in (("ci_low", low), ("ci_high", high))
    ]
    return {
        "components": _relative(fit.components, theirs["sigma2"], fit.tau2 + typical),
        "b": _relative(fit.coefficients, b, se),
        "se": _relative(fit.std_errors, se),
        "ci": max(ends),
        "pval": _relative(frame["p_value"][told], pval[told]) if told.any() else 0.0,
    }


def wrong(fit: am.Multilevel, theirs: Mapping[str, Any]) -> tuple[Differences, str]:
    """All differences, and what is beyond its tolerance; metafor may stop anywhere below our maximum by 1e-6."""
    exact, close = at_their_components(fit, theirs), maxima(fit, theirs)
    short = fit.log_likelihood - float(theirs["log_likelihood"])
    said = [f"{name} at metafor's components off by {off:.1e}" for name, off in exact.items() if off > AT_THEIRS[name]]
    if short < -HIGHER:
        said.append(f"metafor's log-likelihood is higher by {-short:.1e}")
    if short <= 1e-7:
        said += [f"{name} off by {off:.1e}" for name, off in close.items() if off > MAXIMUM[name]]
    differences = {f"{name} at theirs": off for name, off in exact.items()} | {"metafor short by": short}
    return differences | (close if short <= 1e-7 else {}), "; ".join(said)
