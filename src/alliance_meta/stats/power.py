"""Power of the tests of a random-effects meta-analysis."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.inference import critical_value

__all__ = ["rejection_probability"]


def rejection_probability(
    noncentrality: npt.ArrayLike, df: npt.ArrayLike, alpha: float = 0.05, *, tails: int = 2
) -> FloatArray:
    """Probability that a test statistic is significant.

    Parameters
    ----------
    noncentrality : array_like
        True effect in standard errors of its estimate.
    df : array_like
        Degrees of freedom of a noncentral t statistic; infinity gives the normal distribution.
    alpha : float
        Below one half.
    tails : {2, 1}
        Both, or the upper one.

    Returns
    -------
    ndarray
        NaN where df is 0 or less.

    References
    ----------
    Hedges, L. V., & Pigott, T. D. (2001). Psychological Methods, 6.

    Examples
    --------
    Knapp and Hartung's test needs more studies than a z test that takes tau2 as known:

    >>> print(rejection_probability(2.8, [4, 19, np.inf]).round(2))
    [0.56 0.76 0.8 ]
    """
    nu, dof = np.broadcast_arrays(np.asarray(noncentrality, dtype=float), np.asarray(df, dtype=float))
    critical = critical_value(1.0 - 2.0 * alpha / tails, dof)
    finite = np.isfinite(dof) & (dof > 0.0)

    def below(bound: FloatArray) -> FloatArray:
        # Far out in the tails scipy gives NaN for what is 0 to all digits.
        student = np.nan_to_num(special.nctdtr(np.where(finite, dof, 1.0), nu, bound))
        return np.where(finite, student, special.ndtr(bound - nu))

    reached = 1.0 - below(critical) + (below(-critical) if tails == 2 else 0.0)
    return np.where(dof > 0.0, reached, np.nan)
