"""`permutation_test()`: p values that ask for no distribution."""

from __future__ import annotations

from math import nan

from alliance_meta._parallel import available_workers, progress_bar
from alliance_meta.errors import InputError
from alliance_meta.results import MetaRegression, PooledEffect
from alliance_meta.results._permutation import Exactness, PermutationResult, PermutationSettings
from alliance_meta.stats import resampling
from alliance_meta.stats.resampling._permuted_regression import distinct_arrangements, permuted_regression

__all__ = ["permutation_test"]

_MOST = {"rows": 10_000_000, "signs": 2**20}
"""Arrangements that ``exact=True`` makes; all flips of signs are held in memory at once."""
_AT_LEAST = {"n": 100, "seed": 0, "workers": 1}


def permutation_test(
    fit: PooledEffect | MetaRegression,
    *,
    n: int = 10_000,
    exact: Exactness = "auto",
    seed: int = 1,
    workers: int | None = None,
) -> PermutationResult:
    """Test a mean, or the coefficients of a meta-regression, by permutation.

    The rows of a meta-regression's moderators are dealt anew among the effects, which keep their variances; a mean has
    the signs of its effects flipped. The model, tau2 included, is refitted to every arrangement, and its own statistics
    are compared: t or z of each coefficient by the chosen test, QM or F of all moderators.

    Parameters
    ----------
    fit : PooledEffect or MetaRegression
        From `pool()` or `meta_regression()`.
    n : int
        Arrangements to draw at random, the observed one among them, where there are more than n.
    exact : {"auto", True}
        ``"auto"`` makes all distinct arrangements, each once, where they are at most n: studies with equal moderators
        can change places without a refit. ``True`` makes them all in any case.
    seed : int
    workers : int, optional
        Threads; all processors without it. The numbers do not depend on it.

    Returns
    -------
    PermutationResult

    Raises
    ------
    InputError
        For another kind of fit, a mean with weights of its own, ``"EE"`` or ``"GENQ"`` for a mean, or ``exact=True``
        with more than 10 million arrangements (a million flips of signs).

    Notes
    -----
    With few studies no p value can be small: five studies have 32 flips, whose mirror images are as extreme as they
    are, so p is .0625 at least. Statistics within 1e-9 (1 + their size) of each other count as tied, for such mirror
    images are equal but for rounding. The test of an intercept asks whether the effect where all moderators are 0 is
    unusual among arrangements, not whether it is 0.

    References
    ----------
    Follmann, D. A., & Proschan, M. A. (1999). Biometrics, 55, 732-737.
    Higgins, J. P. T., & Thompson, S. G. (2004). Statistics in Medicine, 23, 1663-1682.
    Viechtbauer, W., Lopez-Lopez, J. A., Sanchez-Meca, J., & Marin-Martinez, F. (2015). Psychological Methods, 20,
    360-374.

    Examples
    --------
    Two groups that do not overlap at all, but of three studies each: 2 of 20 arrangements are as extreme.

    >>> import alliance_meta as am
    >>> import pandas as pd
    >>> table = pd.DataFrame({"effect": [0.1, 0.2, 0.1, 0.7, 0.8, 0.9], "variance": 0.01, "rater": [*"cccttt"]})
    >>> fit = am.meta_regression(am.effect_sizes(table, measure="GEN"), "rater")
    >>> permutation_test(fit)
    <PermutationResult: intercept: p = .150, rater[t]: p = .100, omnibus: p = .100 (all 20 arrangements, k = 6)>
    """
    if not isinstance(fit, PooledEffect | MetaRegression):
        raise InputError(
            f"permutation_test() takes the result of pool() or meta_regression(), not {type(fit).__name__}: "
            "permutation_test(pool(effects))"
        )
    if not (exact is True or exact == "auto"):
        raise InputError(f"exact must be 'auto' or True, not {exact!r}")
    threads = available_workers() if workers is None else workers
    for name, number in (("n", n), ("seed", seed), ("workers", threads)):
        if number < _AT_LEAST[name]:
            raise InputError(f"{name} must be {_AT_LEAST[name]} or more, not {number}")
    rows = isinstance(fit, MetaRegression) and fit.names != ("intercept",)
    settings = PermutationSettings(
        scheme="rows" if rows else "signs",
        n=n,
        exact=exact,
        seed=seed,
        tau2_method=fit.settings.tau2_method,
        test=fit.settings.test,
    )
    if isinstance(fit, MetaRegression) and rows:
        return _of_rows(fit, settings, threads)
    return _of_signs(fit, settings, threads)


def _of_rows(fit: MetaRegression, settings: PermutationSettings, workers: int) -> PermutationResult:
    every = distinct_arrangements(fit.design.matrix)
    replicates = _replicates(every, settings)
    tested = [j for j, name in enumerate(fit.names) if name != "intercept"]
    with progress_bar(min(every, replicates), "fit") as bar:
        found = permuted_regression(
            fit.effects.effect,
            fit.effects.variance,
            fit.design.matrix,
            tested=tested,
            tau2_method=settings.tau2_method,
            test=settings.test,
            q_weights=fit.settings.q_weights,
            replicates=replicates,
            seed=settings.seed,
            workers=workers,
            progress=bar.update,
        )
    asked = "The intercept's p value asks whether it is unusual among arrangements, not whether it is 0."
    return PermutationResult(
        names=fit.names,
        statistics=tuple(found.statistics.tolist()),
        p_values=tuple(found.p_values.tolist()),
        omnibus_statistic=found.omnibus,
        omnibus_p_value=found.omnibus_p_value,
        arrangements=found.arrangements,
        exact=found.exact,
        failed=found.failed,
        k=fit.k,
        settings=settings,
        notes=(asked,) if "intercept" in fit.names else (),
        caveat=fit.effects.caveat,
        fit=fit,
    )


def _of_signs(fit: PooledEffect | MetaRegression, settings: PermutationSettings, workers: int) -> PermutationResult:
    if isinstance(fit, PooledEffect) and fit.settings.weights != "inverse-variance":
        raise InputError(f"signs are flipped for inverse-variance weights; this mean has {fit.settings.weights}")
    if settings.tau2_method in ("EE", "GENQ"):
        raise InputError(
            f"a mean with tau2_method={settings.tau2_method!r} is not refitted to flipped signs; take another method"
        )
    every = 2**fit.k
    replicates = _replicates(every, settings)
    with progress_bar(min(every, replicates), "fit") as bar:
        found = resampling.permutation_test(
            fit.effects.effect,
            fit.effects.variance,
            null=fit.effects.measure.null,
            tau2_method=settings.tau2_method,
            test=settings.test,
            replicates=replicates,
            seed=settings.seed,
            workers=workers,
            progress=bar.update,
        )
    return PermutationResult(
        names=("overall",) if isinstance(fit, PooledEffect) else fit.names,
        statistics=(found.statistic,),
        p_values=(found.p_value,),
        omnibus_statistic=nan,
        omnibus_p_value=nan,
        arrangements=found.replicates,
        exact=found.exact,
        failed=found.failed,
        k=fit.k,
        settings=settings,
        notes=("One study says nothing about differences between studies.",) if fit.k == 1 else (),
        caveat=fit.effects.caveat,
        fit=fit,
    )


def _replicates(every: int, settings: PermutationSettings) -> int:
    """The number of arrangements up to which all are made."""
    if settings.exact is not True:
        return settings.n
    most = _MOST[settings.scheme]
    if every > most:
        raise InputError(
            f"exact=True asks for {every:,} arrangements, and at most {most:,} are made; exact='auto' draws n of them "
            "at random"
        )
    return max(every, settings.n)
