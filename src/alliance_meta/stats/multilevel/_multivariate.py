"""Several outcomes of a study, whose true effects vary together between studies.

V = blocks of the studies: their sampling covariance and ZGZ', with Z the 0/1 columns of the outcomes. The sampling
covariance is turned to its eigenvectors once, and of each study only the sums of products of the design, the effects
and Z are kept, so that a step costs as much for a study with many effects as for one with two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._arrays import BoolArray, FloatArray, IntArray
from alliance_meta.stats.multilevel._fit import _ordered, _turned, nested_groups
from alliance_meta.stats.multilevel._jet import Jet
from alliance_meta.stats.multilevel._nested import Likelihood, Sums
from alliance_meta.stats.multilevel._profiled import profiled
from alliance_meta.stats.multilevel._structures import Covariance, Parameters, StructureName, parameters
from alliance_meta.stats.tau2 import tau2_dl

__all__ = [
    "MultivariateFit",
    "MultivariateProblem",
    "multivariate",
    "multivariate_likelihood",
    "multivariate_q",
    "multivariate_satterthwaite_df",
    "prepared_multivariate",
]

_EPS = float(np.finfo(float).eps)
_MAX_STEPS = 200
_MAX_HALVINGS = 40
_LONGEST = 10.0
"""Of a step, in units of the parameters."""
_AT_ONCE = 1 << 22
_ZERO = 1e-12
"""Of the typical sampling variance: a smaller variance of true effects is 0."""


@dataclass(frozen=True, slots=True)
class MultivariateProblem:
    """Effects of several outcomes made ready for fitting.

    Attributes
    ----------
    within : ndarray, shape (studies, q, q)
        Of each study: sums of products of the outcomes' columns, weighted by the inverse sampling covariances.
    own : ndarray, shape (studies, q, p + 1)
        Of each study: weighted means for its outcomes of the design (orthonormal) and of what it leaves of the effects.
    left : ndarray, shape (p + 1, p + 1)
        Weighted sums of products of what these means leave of them.
    log_det : float
        Of the sampling covariances.
    triangle, explained : ndarray, shape (p, p), (p,)
        As in `Problem`.
    n : int
    variances, unit : ndarray, shape (q,)
        Of each outcome: where its variance begins, and the standard deviation of its effects, errors included.
    typical : ndarray, shape (q,)
        Medians of the sampling variances.
    correlation : ndarray or None
        As given.
    """

    within: FloatArray
    own: FloatArray
    left: FloatArray
    log_det: float
    triangle: FloatArray
    explained: FloatArray
    n: int
    variances: FloatArray
    unit: FloatArray
    typical: FloatArray
    correlation: FloatArray | None


class MultivariateFit(NamedTuple):
    """A fitted model of several outcomes.

    Attributes
    ----------
    between : ndarray, shape (q, q)
        Covariance of the true effects of a study's outcomes.
    coefficients, covariance : ndarray, shape (p,), (p, p)
    covariance_slopes : ndarray, shape (t, p, p)
        Derivatives of the covariance with respect to the structure's parameters.
    log_likelihood : float
        Restricted or full, with all constants.
    curvature : ndarray, shape (t, t)
        Second derivatives of the log-likelihood, in the parameters' units.
    converged : bool
    """

    between: FloatArray
    coefficients: FloatArray
    covariance: FloatArray
    covariance_slopes: FloatArray
    log_likelihood: float
    curvature: FloatArray
    converged: bool


def prepared_multivariate(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    design: npt.ArrayLike,
    study: npt.ArrayLike,
    outcome: npt.ArrayLike,
    correlation: npt.ArrayLike | None = None,
) -> MultivariateProblem:
    """Sum up effects by their studies.

    Parameters
    ----------
    effect, variance : array_like, shape (n,)
    design : array_like, shape (n, p)
    study : array_like, shape (n,)
        Labels.
    outcome : array_like of int, shape (n,)
        Numbers from 0 to q - 1, each of which occurs.
    correlation : array_like, shape () or (n,) or (n, n), optional
        Of the sampling errors within a study, as for `prepared`.

    Raises
    ------
    SingularGroupsError
        Where a study's correlations leave no positive definite matrix.
    """
    y, v, x = (np.asarray(array, dtype=float) for array in (effect, variance, design))
    group, which = nested_groups([study])[0], np.asarray(outcome, dtype=np.intp)
    order = np.argsort(group, kind="stable")
    basis, triangle = np.linalg.qr(x)
    explained = basis.T @ y
    residual = y - basis @ explained
    z = np.asarray(which[:, None] == np.arange(which.max() + 1), dtype=np.float64)
    columns, v, group = np.column_stack([basis, residual, z])[order], v[order], group[order]
    rho = None if correlation is None else np.asarray(correlation, dtype=float)
    eigenvalues = v
    if rho is not None:
        columns, eigenvalues = _turned(columns, v, group, _ordered(rho, order))
    within, own, left = _by_study(columns / np.sqrt(eigenvalues)[:, None], group, x.shape[1] + 1)
    variances, typical = _by_outcome(residual[order], v, which[order])
    return MultivariateProblem(
        within=within,
        own=own,
        left=left,
        log_det=float(np.log(eigenvalues).sum()),
        triangle=triangle,
        explained=explained,
        n=y.size,
        variances=variances,
        unit=np.sqrt(variances + typical),
        typical=typical,
        correlation=rho,
    )


def _by_study(columns: FloatArray, group: IntArray, a: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Studies' sums of products of the outcomes' columns, which come after the first a; means of these; the rest."""
    new = np.concatenate([[True], group[1:] != group[:-1]])
    z = columns[:, a:]
    sums = np.stack([np.add.reduceat(columns * each[:, None], np.flatnonzero(new), axis=0) for each in z.T], axis=1)
    within = sums[:, :, a:]
    # Taking means off beforehand keeps the digits that would cancel where errors are small beside true effects.
    own = np.linalg.pinv(within, hermitian=True) @ sums[:, :, :a]
    rest = columns[:, :a] - (z[:, None, :] @ own[np.cumsum(new) - 1])[:, 0]
    return within, np.asarray(own, dtype=np.float64), rest.T @ rest


def _by_outcome(residual: FloatArray, v: FloatArray, outcome: IntArray) -> tuple[FloatArray, FloatArray]:
    """Each outcome's variance by DerSimonian and Laird as if effects were independent, and its median of v."""
    variances, typical = [], []
    for each in range(int(outcome.max()) + 1):
        y, own = residual[outcome == each], v[outcome == each]
        typical.append(float(np.median(own)))
        found = float(tau2_dl(y, own).estimate) if y.size > 1 else 0.0
        variances.append(max(found, 0.1 * typical[-1]))
    return np.array(variances), np.array(typical)


def multivariate_likelihood(problem: MultivariateProblem, between: Covariance, *, restricted: bool) -> Likelihood:
    """Log-likelihood with the coefficients profiled out, up to a constant, with derivatives.

    Parameters
    ----------
    problem : MultivariateProblem
    between : Covariance
        Of the true effects, with its derivatives with respect to t parameters.
    restricted : bool
    """
    return profiled(_sums(problem, between), problem.triangle.shape[0], restricted=restricted)


def _sums(problem: MultivariateProblem, between: Covariance) -> Sums:
    """B'V^-1 B and log det V, with derivatives."""
    g, dg, d2g = between
    q, a = problem.own.shape[1:]
    value, log_det = problem.left.copy(), problem.log_det
    once, twice = np.zeros((q, q, a, a)), np.zeros((q * q, q * q * a * a))
    traces, pairs = np.zeros((q, q)), np.zeros((q * q, q * q))
    for part in _parts(problem):
        w, own = problem.within[part], problem.own[part]
        grown = np.eye(q) + w @ g
        t = np.linalg.inv(grown) @ w
        r = t @ own
        value += np.tensordot(own, r, axes=([0, 1], [0, 1]))
        log_det += float(np.linalg.slogdet(grown).logabsdet.sum())
        products = r[:, :, None, :, None] * r[:, None, :, None, :]
        once += products.sum(axis=0)
        flat = t.reshape(-1, q * q)
        twice += flat.T @ products.reshape(-1, q * q * a * a)
        traces += t.sum(axis=0)
        pairs += flat.T @ flat
    mixed = np.einsum("tij,ukl,jkilab->tuab", dg, dg, twice.reshape(q, q, q, q, a, a), optimize=True)
    second = mixed + np.swapaxes(mixed, 0, 1) - np.einsum("tuil,ilab->tuab", d2g, once)
    inner = Jet(0.5 * (value + value.T), -np.einsum("til,ilab->tab", dg, once), second)
    bend = np.einsum("tuij,ij->tu", d2g, traces)
    bend = bend - np.einsum("tij,ukl,jkli->tu", dg, dg, pairs.reshape(q, q, q, q), optimize=True)
    return Sums(inner, Jet(np.asarray(log_det), np.einsum("tij,ij->t", dg, traces), bend))


def _parts(problem: MultivariateProblem) -> Iterator[slice]:
    studies, q, a = problem.own.shape
    at_once = max(1, _AT_ONCE // (q * a) ** 2)
    return (slice(i, i + at_once) for i in range(0, studies, at_once))


def multivariate(problem: MultivariateProblem, structure: StructureName, *, restricted: bool) -> MultivariateFit:
    """Fit the covariance of the true effects of a study's outcomes by (restricted) maximum likelihood.

    Parameters
    ----------
    problem : MultivariateProblem
        From `prepared_multivariate`.
    structure : {"UN", "CS", "HCS", "DIAG"}
        Unstructured; one variance and one correlation; a variance an outcome and one correlation; no correlation.
    restricted : bool

    Returns
    -------
    MultivariateFit

    References
    ----------
    Jackson, D., Riley, R., & White, I. R. (2011). Statistics in Medicine, 30, 2481-2498.

    Examples
    --------
    Two outcomes of each of five studies, which go together:

    >>> y = [0.1, 0.2, 0.5, 0.7, 0.3, 0.4, 0.8, 1.1, 0.4, 0.5]
    >>> study, outcome = [1, 1, 2, 2, 3, 3, 4, 4, 5, 5], [0, 1] * 5
    >>> ready = prepared_multivariate(y, [0.01] * 10, [[1.0, 0.0], [0.0, 1.0]] * 5, study, outcome, 0.5)
    >>> multivariate(ready, "UN", restricted=True).between.round(3)
    array([[0.061, 0.081],
           [0.081, 0.108]])
    """
    own = parameters(structure, problem.variances, problem.unit)
    ends = [_climb(problem, own, start, restricted) for start in own.starts]
    end = max(ends, key=lambda each: (each.converged, each.at.value))
    inverse = np.linalg.inv(problem.triangle)
    covariance = inverse @ end.at.covariance @ inverse.T
    between = own.covariance(end.theta).value
    kept = np.diag(between) > _ZERO * problem.typical
    count = problem.n - len(inverse) if restricted else problem.n
    free = (end.theta > own.lower).astype(float)
    return MultivariateFit(
        between=np.where(np.outer(kept, kept), between, 0.0),
        coefficients=inverse @ (end.at.coefficients + problem.explained),
        covariance=0.5 * (covariance + covariance.T),
        covariance_slopes=(free * own.unit)[:, None, None] * (inverse @ end.at.covariance_slopes @ inverse.T),
        log_likelihood=end.at.value - 0.5 * count * float(np.log(2.0 * np.pi)),
        curvature=end.at.second * np.outer(free * own.unit, free * own.unit),
        converged=end.converged,
    )


class _End(NamedTuple):
    """Where a climb ended."""

    theta: FloatArray
    at: Likelihood
    converged: bool


def _climb(problem: MultivariateProblem, own: Parameters, start: FloatArray, restricted: bool) -> _End:
    """Newton's method, in the parameters' units, until only rounding is left of its steps."""
    here, last = start, np.inf
    at = multivariate_likelihood(problem, own.covariance(here), restricted=restricted)
    for _ in range(_MAX_STEPS):
        free = (here > own.lower) | (at.first > 0.0)
        if not free.any():
            return _End(here, at, True)
        step = np.zeros(here.size)
        step[free] = _step(at.first[free], at.second[np.ix_(free, free)], own.unit[free])
        there, new, moved = _go(problem, own, here, at, step, restricted)
        size = float((np.abs(there - here) / own.unit).max())
        here, at = (there, new) if moved else (here, at)
        if not moved or size <= 4.0 * _EPS or (size <= 1e-7 and size >= 0.25 * last):
            return _End(here, at, bool(size <= 1e-6))
        last = size
    return _End(here, at, False)


def _step(slope: FloatArray, curvature: FloatArray, unit: FloatArray) -> FloatArray:
    """Newton's step; where the likelihood is not concave, against its curvature's magnitude."""
    values, vectors = np.linalg.eigh(-curvature * np.outer(unit, unit))
    bend = np.maximum(np.abs(values), 1e-8 * np.abs(values).max() + np.finfo(float).tiny)
    step = vectors @ ((vectors.T @ (slope * unit)) / bend)
    return np.asarray(unit * step * min(1.0, _LONGEST / max(float(np.abs(step).max()), 1.0)))


def _go(
    problem: MultivariateProblem, own: Parameters, here: FloatArray, at: Likelihood, step: FloatArray, restricted: bool
) -> tuple[FloatArray, Likelihood, bool]:
    """Go a step, stopping at bounds, halved until the likelihood does not fall beyond rounding."""
    rounding = 16.0 * _EPS * max(abs(at.value), 1.0)
    share = 1.0
    for _ in range(_MAX_HALVINGS):
        there = np.maximum(here + share * step, own.lower)
        new = multivariate_likelihood(problem, own.covariance(there), restricted=restricted)
        if new.value >= at.value - rounding:
            return there, new, True
        share *= 0.5
    return here, at, False


def multivariate_satterthwaite_df(fit: MultivariateFit, weights: FloatArray) -> FloatArray:
    """Degrees of freedom of combinations of coefficients, from the uncertainty of the covariance of true effects.

    Parameters
    ----------
    fit : MultivariateFit
    weights : ndarray, shape (m, p)

    Returns
    -------
    ndarray, shape (m,)
        Infinite where nothing varies between studies.

    References
    ----------
    Satterthwaite, F. E. (1946). Biometrics Bulletin, 2, 110-114.
    """
    values, vectors = np.linalg.eigh(-fit.curvature)
    known: BoolArray = values > 1e-8 * max(float(values.max()), np.finfo(float).tiny)
    variance = np.einsum("mi,ij,mj->m", weights, fit.covariance, weights)
    slopes = np.einsum("mi,tij,mj->mt", weights, fit.covariance_slopes, weights) @ vectors[:, known]
    with np.errstate(divide="ignore"):
        return np.asarray(2.0 * variance**2 / (slopes**2 / values[known]).sum(axis=-1))


def multivariate_q(problem: MultivariateProblem) -> float:
    """Cochran's Q of the residuals, with the sampling covariances only."""
    p = len(problem.triangle)
    total = problem.left + np.tensordot(problem.own, problem.within @ problem.own, axes=([0, 1], [0, 1]))
    return float(total[p, p] - total[:p, p] @ np.linalg.solve(total[:p, :p], total[:p, p]))
