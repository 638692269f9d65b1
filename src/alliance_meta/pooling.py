"""`pool()`: effects become one pooled effect. `pool_many()`: the same for any number of meta-analyses at once."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan, prod

import numpy as np
import numpy.typing as npt

from alliance_meta import _checks
from alliance_meta._parallel import available_workers, in_pieces
from alliance_meta.effects import Dependent, EffectSizes, given_effects, note_shared_studies
from alliance_meta.errors import ConvergenceError, InputError
from alliance_meta.results import (
    TAU2_METHODS,
    TESTS,
    PooledBatch,
    PooledEffect,
    PoolSettings,
    Problem,
    Tau2Method,
    TestMethod,
)
from alliance_meta.stats import heterogeneity, inference
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.random_effects import random_effects

__all__ = ["pool", "pool_many"]

Weights = str | Sequence[float] | npt.NDArray[np.float64]

_NUMBERS_AT_ONCE = 100_000
"""Effects in one piece of `pool_many`: its arrays stay near the processor."""


def pool(
    effects: EffectSizes,
    *,
    tau2_method: Tau2Method | str = "REML",
    test: TestMethod | str = "knapp-hartung",
    weights: Weights = "inverse-variance",
    q_weights: Weights | None = None,
    dependent: Dependent | str = "warn",
) -> PooledEffect:
    """Pool effects in a random-effects (or equal-effects) model.

    Parameters
    ----------
    effects : EffectSizes
        From `effect_sizes()`; treated as independent.
    tau2_method : {"REML", "ML", "DL", "DL2", "HE", "CA2", "HS", "HSk", "SJ", "PM", "PMM", "EB", "GENQ", "EE"}
        Estimator of the between-study variance; ``"EE"`` assumes that there is none.
    test : {"knapp-hartung", "knapp-hartung-adhoc", "t", "z"}
        Distribution and standard error of the mean: Knapp and Hartung's with k - 1 degrees of freedom, the same
        never narrower than without it, the plain standard error with t(k - 1), or with the normal distribution.
    weights : {"inverse-variance", "equal"}, a column's name, or k numbers
        Weights of the mean: 1 / (variance + tau2), the plain mean, or others, such as the sample sizes ``"n"`` of
        historical methods. The standard error is the one the random-effects model gives that mean.
    q_weights : a column's name or k numbers, optional
        Weights of the generalised Q statistic; needed for, and only for, ``"GENQ"``.
    dependent : {"warn", "allow"}
        What to do where effects share a study, though they are taken as independent: a `DependenceWarning`, or only a
        note in the result.

    Returns
    -------
    PooledEffect

    Raises
    ------
    UnknownNameError
        For an unknown method, test or column of weights.
    InputError
        If `effects` is not an `EffectSizes`, or weights are not positive and one for each effect.
    ConvergenceError
        If an iterative estimator does not reach its solution.

    References
    ----------
    Raudenbush, S. W. (2009). In Cooper, Hedges & Valentine (Eds.), Handbook of research synthesis, ch. 16.
    Knapp, G., & Hartung, J. (2003). Statistics in Medicine, 22, 2693-2710.

    Examples
    --------
    >>> import alliance_meta as am
    >>> fit = am.pool(am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR"))
    >>> fit
    <PooledEffect: r = 0.250, 95% CI [0.111, 0.379], k = 16 (REML, knapp-hartung)>
    """
    given_effects(effects, "pool")
    method = _checks.known_name("tau2_method", tau2_method, tuple(TAU2_METHODS))
    if (method == "GENQ") != (q_weights is not None):
        raise InputError("tau2_method='GENQ' needs q_weights, and no other method takes them")
    label, own = ("inverse-variance", None) if _is(weights, "inverse-variance") else _weights(weights, effects)
    settings = PoolSettings(
        tau2_method=method,
        test=_checks.known_name("test", test, tuple(TESTS)),
        weights=label,
        given_weights=own,
        q_weights=None if q_weights is None else _checks.weights("q_weights", q_weights, effects.table)[1],
    )
    return _result(effects, settings, note_shared_studies(effects, "pool()", dependent))


def _is(weights: Weights, name: str) -> bool:
    return isinstance(weights, str) and weights == name


def _weights(weights: Weights, effects: EffectSizes) -> tuple[str, tuple[float, ...]]:
    """What to call the weights of the mean, and the weights."""
    if _is(weights, "equal"):
        return "equal", (1.0,) * effects.k
    return _checks.weights("weights", weights, effects.table, ("inverse-variance", "equal"))


def _result(effects: EffectSizes, settings: PoolSettings, notes: tuple[str, ...]) -> PooledEffect:
    y, v, k = effects.effect, effects.variance, effects.k
    fit = random_effects(
        y,
        v,
        tau2_method=settings.tau2_method,
        test=settings.test,
        weights=settings.given_weights,
        q_weights=settings.q_weights,
    )
    if not fit.converged:
        raise ConvergenceError(
            f"{settings.tau2_method} did not reach its solution for these {k} effects; try tau2_method='DL'"
        )
    estimate, std_error, df, between = (float(part) for part in fit[:4])
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = float((estimate - effects.measure.null) / np.float64(std_error)) if df > 0.0 else nan
    cochran = heterogeneity.cochran_q(y, v)
    from_q = heterogeneity.inconsistency_from_q(cochran)
    from_tau2 = from_q if settings.tau2_method == "EE" else heterogeneity.inconsistency_from_tau2(between, v)
    return PooledEffect(
        estimate=estimate,
        std_error=std_error,
        statistic=statistic,
        df=df,
        p_value=float(inference.two_sided_p_value(statistic, df)),
        tau2=between,
        i2=float(from_tau2.i2),
        h2=float(from_tau2.h2),
        i2_q=float(from_q.i2),
        h2_q=float(from_q.h2),
        q_statistic=float(cochran.q_statistic),
        q_df=float(cochran.q_df),
        q_p_value=float(cochran.q_p_value),
        k=k,
        n=effects.n,
        settings=settings,
        effects=effects,
        notes=(*_notes(settings, k, std_error), *notes),
    )


def _notes(settings: PoolSettings, k: int, std_error: float) -> list[str]:
    notes = []
    if k == 1:
        notes.append(
            "One study: the estimate is its effect, and heterogeneity, Q's p value and a prediction interval "
            "cannot be computed."
        )
        if settings.test != "z":
            notes.append(
                f"One study leaves test={settings.test!r} no degrees of freedom; test='z' gives the study's own "
                "interval."
            )
    if k == 2:
        notes.append("Two studies leave a prediction interval with t(k-2) no degrees of freedom.")
    if settings.tau2_method == "EE" and settings.test.startswith("knapp-hartung") and k > 1:
        notes.append(
            "Under equal effects Knapp-Hartung multiplies the standard error by sqrt(Q / (k - 1)), as in "
            "unrestricted weighted least squares; the classical choice is test='z'."
        )
    if std_error == 0.0:
        notes.append(
            "The effects are identical, so Knapp-Hartung's standard error is 0; test='knapp-hartung-adhoc' "
            "does not fall below sampling error."
        )
    return notes


def pool_many(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike,
    include: npt.ArrayLike | None = None,
    *,
    tau2_method: Tau2Method | str = "REML",
    test: TestMethod | str = "knapp-hartung",
    chunk_size: int | None = None,
    workers: int | None = None,
) -> PooledBatch:
    """Pool many sets of effects at once: simulations, resamples, subsets, one row a meta-analysis.

    Parameters
    ----------
    effect, variance : array_like, shape (..., k)
        Effects and their sampling variances, broadcast together and with `include`.
    include : array_like of 0 and 1, shape (..., k), optional
        Effects that take part; what stands in left-out places, NaN included, has no influence.
    tau2_method : {"REML", "ML", "DL", "DL2", "HE", "CA2", "HS", "HSk", "SJ", "PM", "PMM", "EB", "EE"}
    test : {"knapp-hartung", "knapp-hartung-adhoc", "t", "z"}
        As in `pool`.
    chunk_size : int, optional
        Meta-analyses computed together; memory grows with it, the numbers do not depend on it.
    workers : int, optional
        Threads; all processors without it. The numbers do not depend on it.

    Returns
    -------
    PooledBatch
        A row that cannot be pooled is NaN, and says why; the others are not touched by it.

    Raises
    ------
    InputError
        For arrays that do not fit together, an `include` with other values than 0 and 1, or less than one worker.
    UnknownNameError
        For an unknown method or test.

    Examples
    --------
    A leave-one-out analysis is one call:

    >>> import numpy as np
    >>> fits = pool_many([0.1, 0.3, 0.9], [0.02, 0.03, 0.05], 1 - np.eye(3), tau2_method="DL", test="z")
    >>> fits.estimate.round(2)
    array([0.58, 0.48, 0.18])
    """
    method = _checks.known_name("tau2_method", tau2_method, tuple(name for name in TAU2_METHODS if name != "GENQ"))
    test = _checks.known_name("test", test, tuple(TESTS))
    y, v, used = _batch(effect, variance, include)
    shape, k = y.shape[:-1], y.shape[-1]
    total = prod(shape)
    size = chunk_size if chunk_size is not None else max(1, _NUMBERS_AT_ONCE // max(k, 1))
    threads = workers if workers is not None else available_workers()
    for name, number in (("chunk_size", size), ("workers", threads)):
        if number < 1:
            raise InputError(f"{name} must be 1 or more, not {number}")
    numbers = np.empty((5, total))
    problem = np.zeros(total, dtype=np.int8)
    kept = tuple(_kept(array) for array in (y, v, used))

    def work(piece: slice) -> None:
        data = [_rows(*both, piece) for both in zip((y, v, used), kept, strict=True)]
        numbers[:, piece], problem[piece] = _fit(data, method, test)

    in_pieces(work, total, size, workers=threads, unit="fit")
    estimate, std_error, df, tau2, count = (row.reshape(shape) for row in numbers)
    return PooledBatch(
        estimate=estimate,
        std_error=std_error,
        df=df,
        tau2=tau2,
        k=count,
        problem=problem.reshape(shape),
        settings=PoolSettings(tau2_method=method, test=test),
        effect=kept[0],
        variance=kept[1],
        include=kept[2],
    )


def _batch(
    effect: npt.ArrayLike, variance: npt.ArrayLike, include: npt.ArrayLike | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The three arrays in one shape (..., k), as views wherever possible."""
    try:
        arrays = [np.asarray(array, dtype=float) for array in (effect, variance, 1.0 if include is None else include)]
        y, v, used = np.broadcast_arrays(*arrays)
    except ValueError as error:
        raise InputError(f"effect, variance and include must be arrays of numbers that fit together: {error}") from None
    if y.ndim == 0:
        raise InputError("effect must have at least one axis, the effects of a meta-analysis along the last")
    if not ((arrays[2] == 0.0) | (arrays[2] == 1.0)).all():
        raise InputError("include must hold 0 (left out) and 1 (takes part) only")
    return y, v, used


def _kept(array: FloatArray) -> FloatArray:
    """Room for a copy that belongs to the result; of an array that is repeated over the batch, the copy itself."""
    if 0 not in array.strides:
        return np.empty(array.shape)
    once = array[tuple(slice(None) if stride else slice(1) for stride in array.strides)]
    return np.broadcast_to(once.copy(), array.shape)


def _rows(array: FloatArray, kept: FloatArray, piece: slice) -> FloatArray:
    """Some meta-analyses of a batch, as (B, k), copied to where the result keeps them."""
    shape, k = array.shape[:-1], array.shape[-1]
    index = piece if len(shape) == 1 else np.unravel_index(np.arange(prod(shape))[piece], shape) if shape else None
    rows = np.ascontiguousarray(array[index])
    if not kept.flags.writeable:
        return rows
    own = kept.reshape(prod(shape), k)[piece]
    own[...] = rows
    return own


def _fit(data: Sequence[FloatArray], method: str, test: str) -> tuple[FloatArray, npt.NDArray[np.int8]]:
    """Estimate, standard error, df, tau2 and k of (B, k) arrays, and what is wrong with each row."""
    y, v, used = data
    taken = used != 0.0
    problem = np.zeros(len(y), dtype=np.int8)
    problem[~taken.any(axis=-1)] = Problem.NOTHING
    problem[(~np.isfinite(y) & taken).any(axis=-1)] = Problem.EFFECT
    problem[(~((v > 0.0) & (v < np.inf)) & taken).any(axis=-1)] = Problem.VARIANCE
    sound = np.flatnonzero(problem == Problem.NONE)
    numbers = np.full((5, len(y)), np.nan)
    if sound.size < len(y):
        y, v, used = y[sound], v[sound], used[sound]
    include = None if (used == 1.0).all() else used
    fit = random_effects(y, v, include, tau2_method=method, test=test)
    numbers[:, sound] = np.stack([fit.estimate, fit.std_error, fit.df, fit.tau2, fit.k])
    numbers[4] = taken.sum(axis=-1)
    stuck = sound[~fit.converged]
    numbers[:4, stuck], problem[stuck] = np.nan, Problem.CONVERGENCE
    problem[sound[fit.k == 1.0]] = Problem.ONE_EFFECT
    return numbers, problem
