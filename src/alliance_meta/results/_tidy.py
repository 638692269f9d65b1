"""Estimates with their tests and intervals, one row each: the columns every table of coefficients shares."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from alliance_meta.stats.inference import critical_value, two_sided_p_value

__all__ = ["tidy"]


def tidy(
    estimate: npt.ArrayLike, std_error: npt.ArrayLike, df: npt.ArrayLike, level: float, *, null: npt.ArrayLike = 0.0
) -> pd.DataFrame:
    """Test estimates against `null` and give them intervals.

    Parameters
    ----------
    estimate, std_error : array_like, shape (m,)
    df : array_like, shape () or (m,)
        Degrees of freedom; infinite for z tests.
    level : float
        Already checked.
    null : array_like, shape () or (m,)

    Returns
    -------
    DataFrame
        estimate, std_error, statistic, df, p_value, ci_low, ci_high.
    """
    mean, se = np.asarray(estimate, dtype=float), np.asarray(std_error, dtype=float)
    dfs = np.broadcast_to(np.asarray(df, dtype=float), mean.shape)
    half = critical_value(level, dfs) * se
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = (mean - null) / se
    return pd.DataFrame(
        {
            "estimate": mean,
            "std_error": se,
            "statistic": statistic,
            "df": dfs,
            "p_value": two_sided_p_value(statistic, dfs),
            "ci_low": mean - half,
            "ci_high": mean + half,
        }
    )
