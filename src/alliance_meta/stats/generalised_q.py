"""Exact inference about tau2 from generalised Q statistics, whose weights do not depend on tau2."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import FloatArray, IntArray, batch
from alliance_meta.stats.quadratic_form import weighted_chi2_cdf, weighted_chi2_sf

__all__ = ["generalised_q_interval", "tau2_distribution_quantile"]

_EPS = float(np.finfo(float).eps)
_MAX_STEPS = 200
_MAX_DECADES = 300
# Tabulated points of the confidence distribution, joined by polynomials of this degree; fewer do with more than 50
# effects, whose distribution is nearer the normal, and each point dearer.
_POINTS, _POINTS_OF_MANY = 160, 64
_DEGREE = 7


class _Form(NamedTuple):
    """Q = y' A y of B sets of effects; left-out effects have zeros in A.

    Attributes
    ----------
    observed : ndarray, shape (B,)
    matrix : ndarray, shape (B, k, k)
    rank : ndarray, shape (B,)
        Of A: the number of weighted effects less that of the coefficients fitted to them.
    variance : ndarray, shape (B, k)
    scale : ndarray, shape (B,)
        Sampling variance averaged as Q weighs it.
    """

    observed: FloatArray
    matrix: FloatArray
    rank: FloatArray
    variance: FloatArray
    scale: FloatArray


def generalised_q_interval(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    level: float = 0.95,
    include: npt.ArrayLike | None = None,
    *,
    weights: npt.ArrayLike,
    design: npt.ArrayLike | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Interval of tau2: the values at which the observed generalised Q is neither too large nor too small.

    Q is the residual sum of squares of a fit with the given `weights`, which do not change with tau2; given tau2, it
    is distributed as a weighted sum of chi-square variables, so the interval is exact under normality. With
    weights 1 / variance, Q is Cochran's (Biggerstaff & Jackson); weights 1 / sqrt(variance) suit a wider range of
    tau2 (Jackson). A bound below 0 is given as 0.

    Parameters
    ----------
    effect, variance : array_like, shape (..., k)
    level : float
    include : array_like of 0 and 1, shape (..., k), optional
    weights : array_like, shape (..., k)
        Fixed weights, in any unit.
    design : array_like, shape (..., k, p), optional
        Columns of a meta-regression, the constant among them; by default the constant alone.

    Returns
    -------
    low, high : ndarray, shape (...)
        NaN where no more effects are weighted than there are coefficients.

    References
    ----------
    Biggerstaff, B. J., & Jackson, D. (2008). Statistics in Medicine, 27, 6093-6110.
    Jackson, D. (2013). Research Synthesis Methods, 4, 220-229.
    Jackson, D., Turner, R., Rhodes, K., & Viechtbauer, W. (2014). BMC Medical Research Methodology, 14, 103.

    Examples
    --------
    Two precise studies rule Q, and leave its interval wide, unless their weights are tempered:

    >>> effect, variance = [0.2, 1.9, -0.4, 1.4, 0.8, -1.1], [0.001, 0.01, 0.1, 0.1, 0.3, 0.3]
    >>> for power in (1.0, 0.5):
    ...     low, high = generalised_q_interval(effect, variance, weights=1 / np.array(variance) ** power)
    ...     print(f"[{low:.3f}, {high:.2f}]")
    [0.277, 21.40]
    [0.295, 8.93]
    """
    y, v, used = batch(effect, variance, include)
    a, y, v, used = np.broadcast_arrays(np.asarray(weights, dtype=float), y, v, used)
    columns = np.ones((y.shape[-1], 1)) if design is None else np.asarray(design, dtype=float)
    shape = np.broadcast_shapes(y.shape[:-1], columns.shape[:-2])
    form = _form(y, v, np.where(used == 0.0, 0.0, a), columns, shape)
    tail = (1.0 - level) / 2.0
    low, high = (_tau2_where(form, np.full(form.observed.shape, p)) for p in (tail, 1.0 - tail))
    return low.reshape(shape), high.reshape(shape)


def tau2_distribution_quantile(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    probability: npt.ArrayLike,
    include: npt.ArrayLike | None = None,
) -> FloatArray:
    """Quantiles of the confidence distribution of tau2: where P(Q >= observed Q; tau2) is `probability`.

    Q is Cochran's, so this is the exact distribution of DerSimonian and Laird's estimator before truncation, turned
    about. Many probabilities cost little more than a few: they are read off a table of the inverse function.

    Parameters
    ----------
    effect, variance : array_like, shape (k,)
        One set of effects.
    probability : array_like, shape (...)
    include : array_like of 0 and 1, shape (k,), optional

    Returns
    -------
    ndarray, shape (...)
        0 where even tau2 = 0 makes the observed Q likelier than that, infinite at probability 1, NaN outside [0, 1]
        and with fewer than two effects. Accurate to about 1e-9 of tau2 plus a typical variance.

    References
    ----------
    Biggerstaff, B. J., & Jackson, D. (2008). Statistics in Medicine, 27, 6093-6110.
    Nagashima, K., Noma, H., & Furukawa, T. A. (2019). Statistical Methods in Medical Research, 28, 1689-1702.

    Examples
    --------
    The ends of an interval of tau2, and its middle:

    >>> print(tau2_distribution_quantile([0.1, 0.3, 0.9], [0.02, 0.03, 0.05], [0.025, 0.5, 0.975]).round(3))
    [0.007 0.177 5.78 ]
    """
    y, v, used = batch(effect, variance, include)
    p = np.asarray(probability, dtype=float)
    form = _form(y, v, used / v, np.ones((y.shape[-1], 1)), ())
    tau2 = np.where(p == 0.0, 0.0, np.where(p == 1.0, np.inf, np.nan))
    inner = (p > 0.0) & (p < 1.0)
    if form.rank[0] > 0.0 and inner.any():
        tau2[inner] = _from_table(form, p[inner])
    return tau2


def _form(y: FloatArray, v: FloatArray, a: FloatArray, columns: FloatArray, shape: tuple[int, ...]) -> _Form:
    """Residual sum of squares of a fit of `columns` with weights `a`, as a quadratic form for each of `shape`."""
    k, p = columns.shape[-2:]
    y, v, a = (np.broadcast_to(array, (*shape, k)).reshape(-1, k) for array in (y, v, a))
    root = np.sqrt(a)
    scaled = root[:, :, None] * np.where(
        a[:, :, None] > 0.0, np.broadcast_to(columns, (*shape, k, p)).reshape(-1, k, p), 0.0
    )
    fitted, size, _ = np.linalg.svd(scaled, full_matrices=False)
    kept = size > size.max(axis=-1, keepdims=True, initial=0.0) * k * _EPS
    fitted = fitted * kept[:, None, :]
    hat = np.eye(k) - fitted @ fitted.swapaxes(-1, -2)
    residual = hat @ (root * y)[:, :, None]
    # A second pass leaves no rounding error that could pass for spread between identical effects.
    residual = hat @ residual
    matrix = root[:, :, None] * hat * root[:, None, :]
    diagonal = matrix.diagonal(axis1=-2, axis2=-1)
    rank = (a > 0.0).sum(axis=-1) - kept.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = (diagonal * v).sum(axis=-1) / diagonal.sum(axis=-1)
    return _Form((residual**2).sum(axis=(-2, -1)), matrix, rank.astype(float), v, scale)


def _log_odds(form: _Form, tau2: FloatArray, rows: IntArray) -> FloatArray:
    """Logarithm of the odds that Q is at least the observed one, rising with tau2."""
    root = np.sqrt(form.variance[rows] + tau2[:, None])
    spectrum = np.linalg.eigvalsh(root[:, :, None] * form.matrix[rows] * root[:, None, :])
    k = spectrum.shape[-1]
    # The rest are 0 but for rounding.
    spectrum = np.where(np.arange(k) >= k - form.rank[rows, None], np.maximum(spectrum, 0.0), 0.0)
    q = form.observed[rows]
    with np.errstate(divide="ignore"):
        log_odds: FloatArray = np.log(weighted_chi2_sf(q, spectrum)) - np.log(weighted_chi2_cdf(q, spectrum))
    return log_odds


def _tau2_where(form: _Form, probability: FloatArray) -> FloatArray:
    """The tau2 at which P(Q >= observed; tau2) is `probability`, or 0 where it is larger at 0 already."""
    target: FloatArray = np.log(probability) - np.log1p(-probability)
    tau2 = np.full(form.observed.shape, np.nan)
    known = np.flatnonzero((form.rank > 0.0) & np.isfinite(form.observed) & np.isfinite(form.scale))
    at_zero = _log_odds(form, np.zeros(known.size), known) - target[known]
    tau2[known[at_zero >= 0.0]] = 0.0
    rows, at_low = known[at_zero < 0.0], at_zero[at_zero < 0.0]

    def excess(x: FloatArray, among: IntArray) -> FloatArray:
        chosen = rows[among]
        return _log_odds(form, form.scale[chosen] * np.expm1(x), chosen) - target[chosen]

    high, at_high = np.ones(rows.size), np.full(rows.size, np.nan)
    short = np.arange(rows.size)
    for _ in range(_MAX_DECADES):
        at_high[short] = excess(high[short], short)
        short = short[at_high[short] < 0.0]
        if short.size == 0:
            break
        high[short] += math.log(10.0)
    at_high[short] = np.nan
    root = _root_between(excess, np.zeros(rows.size), high, at_low, at_high)
    tau2[rows] = form.scale[rows] * np.expm1(root)
    return tau2


def _root_between(
    function: Callable[[FloatArray, IntArray], FloatArray],
    low: FloatArray,
    high: FloatArray,
    at_low: FloatArray,
    at_high: FloatArray,
) -> FloatArray:
    """Chandrupatla's method: inverse quadratic interpolation where three points allow it, halving elsewhere.

    References
    ----------
    Chandrupatla, T. R. (1997). Advances in Engineering Software, 28, 145-149.
    """
    new, old, at_new, at_old = high.copy(), low.copy(), at_high.copy(), at_low.copy()
    last, at_last = old.copy(), at_old.copy()
    share = np.full(new.shape, 0.5)
    moving = np.flatnonzero(~np.isnan(at_new))
    root = np.full(new.shape, np.nan)
    for _ in range(_MAX_STEPS):
        if moving.size == 0:
            break
        x = new[moving] + share[moving] * (old[moving] - new[moving])
        value = function(x, moving)
        same = np.sign(value) == np.sign(at_new[moving])
        last[moving] = np.where(same, new[moving], old[moving])
        at_last[moving] = np.where(same, at_new[moving], at_old[moving])
        old[moving] = np.where(same, old[moving], new[moving])
        at_old[moving] = np.where(same, at_old[moving], at_new[moving])
        new[moving], at_new[moving] = x, value
        best = np.where(np.abs(value) < np.abs(at_old[moving]), x, old[moving])
        root[moving] = best
        fineness = 2.0 * _EPS * best / np.abs(old[moving] - x)
        share[moving] = _next_share(x, old[moving], last[moving], value, at_old[moving], at_last[moving], fineness)
        moving = moving[(fineness < 0.5) & (value != 0.0)]
    root[moving] = np.nan
    return root


def _next_share(
    new: FloatArray,
    old: FloatArray,
    last: FloatArray,
    at_new: FloatArray,
    at_old: FloatArray,
    at_last: FloatArray,
    fineness: FloatArray,
) -> FloatArray:
    """How far from `new` toward `old` to look next, at least `fineness` from either end."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        place, height = (new - old) / (last - old), (at_new - at_old) / (at_last - at_old)
        bent = at_new / (at_old - at_new) * at_last / (at_old - at_last)
        bent += (last - new) / (old - new) * at_new / (at_last - at_new) * at_old / (at_last - at_old)
        smooth = (height**2 < place) & ((1.0 - height) ** 2 < 1.0 - place) & np.isfinite(bent)
    return np.clip(np.where(smooth, bent, 0.5), np.minimum(fineness, 0.5), 1.0 - np.minimum(fineness, 0.5))


def _from_table(form: _Form, probability: FloatArray) -> FloatArray:
    """`_tau2_where` for many probabilities of one form, from a spline through points of the inverse function."""
    ends = np.array([probability.min(), probability.max()])
    pair = _Form(*(np.repeat(field, 2, axis=0) for field in form))
    first, final = np.log1p(_tau2_where(pair, ends) / form.scale)
    if not final > first:
        return np.full(probability.shape, form.scale * np.expm1(final))
    x = np.linspace(first, final, _POINTS if form.rank[0] < 50.0 else _POINTS_OF_MANY)
    odds = _log_odds(form, form.scale * np.expm1(x), np.zeros(x.size, dtype=np.intp))
    wanted = np.log(probability) - np.log1p(-probability)
    from scipy.interpolate import make_interp_spline  # which half of all sessions never need, and start slower with

    inverse = make_interp_spline(odds, x, k=_DEGREE)
    return form.scale * np.expm1(np.clip(inverse(np.clip(wanted, odds[0], odds[-1])), first, final))
