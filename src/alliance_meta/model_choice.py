"""`compare()` and `multimodel()`: which moderators the effects speak for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from alliance_meta import _checks
from alliance_meta.design import Design, design
from alliance_meta.design._formula import parse
from alliance_meta.design._pieces import Piece
from alliance_meta.effects import EffectSizes, given_effects
from alliance_meta.errors import ConvergenceError, InputError
from alliance_meta.results import TAU2_METHODS, TESTS, MetaRegression, Tau2Method, TestMethod
from alliance_meta.results._model_choice import CRITERIA, Criterion, ModelComparison, MultiModel, MultiModelSettings
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.regression import full_log_likelihood, regression

__all__ = ["compare", "multimodel"]

_LIKELIHOODS = ("ML", "EE")
_MOST_TERMS = 12
_NUMBERS_AT_ONCE = 1 << 20
_SAME = 1e-8
"""Two designs are the same if this share, at most, of each column of one is outside the other."""


def compare(fits: Sequence[MetaRegression], *, criterion: Criterion | str = "aicc") -> ModelComparison:
    """Weigh meta-regressions of the same effects by an information criterion.

    Parameters
    ----------
    fits : sequence of MetaRegression
        Two or more, with ``tau2_method="ML"`` or ``"EE"``; they need not be nested.
    criterion : {"aicc", "aic", "bic"}

    Returns
    -------
    ModelComparison

    Raises
    ------
    InputError
        For other estimators of tau2, whose likelihoods cannot be compared, for fits of different effects, and for the
        same model twice.
    UnknownNameError
        For an unknown criterion.

    References
    ----------
    Hurvich, C. M., & Tsai, C.-L. (1989). Biometrika, 76, 297-307.
    Burnham, K. P., & Anderson, D. R. (2002). Model selection and multimodel inference (2nd ed.).

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("munder2012"), measure="SMD")
    >>> fits = [am.meta_regression(effects, formula, tau2_method="ML") for formula in ("1", "researcher_allegiance")]
    >>> compare(fits)
    <ModelComparison: 2 models by AICc; 'researcher_allegiance' has weight 0.66>
    """
    wanted = _checks.known_name("criterion", criterion, tuple(CRITERIA))
    given = list(fits)
    strangers = [type(fit).__name__ for fit in given if not isinstance(fit, MetaRegression)]
    if strangers or len(given) < 2:
        found = _checks.listed(strangers) if strangers else len(given)
        raise InputError(f"compare() takes a list of two or more results of meta_regression(), not {found}")
    _refuse_other_likelihoods(given)
    _refuse_other_effects(given)
    _refuse_same_model(given)
    return ModelComparison(fits=tuple(sorted(given, key=lambda fit: float(getattr(fit, wanted)))), criterion=wanted)


def _refuse_other_likelihoods(fits: Sequence[MetaRegression]) -> None:
    others = [fit for fit in fits if fit.settings.tau2_method not in _LIKELIHOODS]
    if others:
        formulas = _checks.listed([fit.settings.formula for fit in others])
        methods = sorted({fit.settings.tau2_method for fit in others})
        raise InputError(
            f"refit {formulas} with tau2_method='ML' (or 'EE'), not {_checks.listed(methods)}: {_why_not(methods)}"
        )


def _why_not(methods: Sequence[str]) -> str:
    if "REML" in methods:
        return "restricted likelihoods of different moderators cannot be compared"
    return "an information criterion needs the maximum of the likelihood, which other estimators do not reach"


def _refuse_other_effects(fits: Sequence[MetaRegression]) -> None:
    first = fits[0].effects
    for fit in fits[1:]:
        same = np.array_equal(fit.effects.effect, first.effect) and np.array_equal(fit.effects.variance, first.variance)
        if not same:
            raise InputError(
                f"{fit.settings.formula!r} is a fit of other effects ({fit.k}) than {fits[0].settings.formula!r} "
                f"({fits[0].k}): fit all models to the same EffectSizes, without the rows where any moderator is empty"
            )


def _refuse_same_model(fits: Sequence[MetaRegression]) -> None:
    for one, other in combinations(fits, 2):
        alike = one.settings.tau2_method == other.settings.tau2_method
        if alike and _spans(one.design.matrix, other.design.matrix):
            raise InputError(
                f"{one.settings.formula!r} and {other.settings.formula!r} are the same model, whose weight would count "
                "twice: leave one of them out"
            )


def _spans(x: FloatArray, z: FloatArray) -> bool:
    """Whether two designs have the same fitted values, whatever their coding."""
    if x.shape != z.shape:
        return False
    left = z - x @ np.linalg.lstsq(x, z, rcond=None)[0]
    return bool((np.sqrt((left**2).sum(axis=0)) <= _SAME * np.sqrt((z**2).sum(axis=0))).all())


def multimodel(
    effects: EffectSizes,
    terms: Sequence[str],
    *,
    tau2_method: Tau2Method | str = "ML",
    test: TestMethod | str = "knapp-hartung",
    criterion: Criterion | str = "aicc",
) -> MultiModel:
    """Fit every subset of some terms, weigh the models, and average their coefficients.

    Every model has an intercept and all effects. A model with an interaction has its main effects (and the
    interactions within it), so these must be among the terms.

    Parameters
    ----------
    effects : EffectSizes
        From `effect_sizes()`; treated as independent.
    terms : sequence of str
        At most 12, each one term of a formula: ``["year", "C(rater)", "year:C(rater)"]``.
    tau2_method : {"ML", "EE"}
        Restricted likelihoods of different moderators cannot be compared.
    test : {"knapp-hartung", "knapp-hartung-adhoc", "t", "z"}
        Where the models' standard errors come from.
    criterion : {"aicc", "aic", "bic"}

    Returns
    -------
    MultiModel

    Raises
    ------
    FormulaError
        For a term that cannot be read.
    InputError
        For more than 12 terms, what is not one term, a term given twice, an interaction without its main effects, a
        moderator with empty cells, or more coefficients than the effects allow.
    ConvergenceError
        If the likelihood of a model did not reach its maximum.

    References
    ----------
    Burnham, K. P., & Anderson, D. R. (2002). Model selection and multimodel inference (2nd ed.).

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("munder2012"), measure="SMD")
    >>> models = multimodel(effects, ["researcher_allegiance", "year"])
    >>> print(models.importance().round(2).to_string(index=False))
                     term  importance  models
    researcher_allegiance        0.65       2
                     year        0.26       2
    """
    given_effects(effects, "multimodel")
    method = _checks.known_name("tau2_method", tau2_method, tuple(TAU2_METHODS))
    if method not in _LIKELIHOODS:
        raise InputError(f"multimodel() needs tau2_method='ML' (or 'EE'), not {method!r}: {_why_not([method])}")
    chosen = _terms(terms)
    settings = MultiModelSettings(
        terms=tuple(chosen),
        tau2_method=method,
        test=_checks.known_name("test", test, tuple(TESTS)),
        criterion=_checks.known_name("criterion", criterion, tuple(CRITERIA)),
    )
    made = design(" + ".join(chosen), effects.table)
    if made.matrix.shape[1] >= effects.k:
        raise InputError(
            f"the model with all terms has {made.matrix.shape[1]} coefficients for {effects.k} effects: none would be "
            "left to tell how much they differ. Take fewer terms, or merge levels."
        )
    return _result(effects, settings, made, _subsets(list(chosen.values())))


def _terms(terms: Sequence[str]) -> dict[str, frozenset[Piece]]:
    """Each term as written and the pieces it is made of."""
    if isinstance(terms, str) or not all(isinstance(term, str) for term in terms):
        raise InputError("terms must be a list of texts, such as ['year', 'rater', 'year:rater']")
    if not 1 <= len(terms) <= _MOST_TERMS:
        raise InputError(
            f"terms must be 1 to {_MOST_TERMS}, not {len(terms)}, whose subsets would be {2 ** len(terms):,} models. "
            "Choose among them by what is known of the field."
        )
    found: dict[str, frozenset[Piece]] = {}
    for term in terms:
        parsed = parse(term)
        if len(parsed.terms) != 1 or not parsed.intercept:
            inside = [":".join(piece.label for piece in each) for each in parsed.terms]
            raise InputError(f"each of the terms must be one term of a formula; {term!r} has {_checks.listed(inside)}")
        pieces = frozenset(parsed.terms[0])
        twice = next((other for other, known in found.items() if known == pieces), None)
        if twice is not None:
            raise InputError(f"{term!r} and {twice!r} are the same term: leave one of them out")
        found[term] = pieces
    _refuse_orphans(found)
    return dict(sorted(found.items(), key=lambda item: len(item[1])))


def _refuse_orphans(terms: dict[str, frozenset[Piece]]) -> None:
    known = set(terms.values())
    for term, pieces in terms.items():
        within = (frozenset(part) for size in range(1, len(pieces)) for part in combinations(pieces, size))
        absent = sorted(":".join(sorted(piece.label for piece in part)) for part in within if part not in known)
        if absent:
            raise InputError(f"{term!r} is an interaction without {_checks.listed(absent)}: add them to terms")


def _subsets(terms: Sequence[frozenset[Piece]]) -> Iterator[tuple[int, ...]]:
    """Places of the terms of each model: every subset that has, with a term, all that lie within it."""
    within = [[i for i, other in enumerate(terms) if other < term] for term in terms]
    for size in range(len(terms) + 1):
        for chosen in combinations(range(len(terms)), size):
            if all(lower in chosen for term in chosen for lower in within[term]):
                yield chosen


class _Fits(NamedTuple):
    """Fits of all models; `estimates` and `std_errors` are NaN where a model does not have the coefficient."""

    estimates: FloatArray
    std_errors: FloatArray
    tau2: FloatArray
    log_likelihood: FloatArray
    p: FloatArray


def _result(
    effects: EffectSizes, settings: MultiModelSettings, made: Design, subsets: Iterator[tuple[int, ...]]
) -> MultiModel:
    places = list(subsets)
    own = [range(term.columns.start, term.columns.stop) for term in made.terms[1:]]
    columns = [[0, *(i for term in chosen for i in own[term])] for chosen in places]
    formulas = [" + ".join(settings.terms[i] for i in chosen) or "1" for chosen in places]
    fits = _fitted(effects, settings, made.matrix, columns, formulas)
    values = _criterion(settings, fits, effects.k)
    order = np.argsort(values, kind="stable")
    included = np.zeros((len(places), len(settings.terms)), dtype=bool)
    for row, chosen in zip(included, places, strict=True):
        row[list(chosen)] = True
    included = included[order]
    included.setflags(write=False)
    estimates, std_errors, tau2, log_likelihood, ranked = (array[order] for array in (*fits[:4], values))
    for array in (estimates, std_errors, tau2, log_likelihood, ranked):
        array.setflags(write=False)
    return MultiModel(
        formulas=tuple(formulas[i] for i in order),
        included=included,
        names=made.names,
        estimates=estimates,
        std_errors=std_errors,
        tau2=tau2,
        log_likelihood=log_likelihood,
        values=ranked,
        effects=effects,
        settings=settings,
        notes=(),
    )


def _fitted(
    effects: EffectSizes,
    settings: MultiModelSettings,
    matrix: FloatArray,
    columns: Sequence[Sequence[int]],
    formulas: Sequence[str],
) -> _Fits:
    """All models, those with the same number of coefficients at once."""
    y, v = effects.effect, effects.variance
    fits = _Fits(*np.full((2, len(columns), matrix.shape[1]), np.nan), *np.zeros((3, len(columns))))
    fits.p[:] = [len(each) for each in columns]
    for p in np.unique(fits.p):
        every = np.flatnonzero(fits.p == p)
        size = max(1, _NUMBERS_AT_ONCE // (effects.k * int(p)))
        for rows in (every[first : first + size] for first in range(0, len(every), size)):
            own = np.array([columns[row] for row in rows])
            x = np.moveaxis(matrix[:, own], 0, 1)  # (models, k, p)
            shape = (len(rows), effects.k)
            fit = regression(
                np.broadcast_to(y, shape),
                np.broadcast_to(v, shape),
                x,
                tau2_method=settings.tau2_method,
                test=settings.test,
            )
            if not fit.converged.all():
                stuck = [formulas[row] for row in rows[~fit.converged]]
                raise ConvergenceError(f"{settings.tau2_method} did not reach its solution for {_checks.listed(stuck)}")
            fits.estimates[rows[:, None], own] = fit.coefficients
            fits.std_errors[rows[:, None], own] = np.sqrt(np.diagonal(fit.covariance, axis1=-2, axis2=-1))
            fits.tau2[rows] = fit.tau2
            fits.log_likelihood[rows] = full_log_likelihood(
                np.broadcast_to(y, shape), np.broadcast_to(v, shape), fit.tau2, x, restricted=False
            )
    return fits


def _criterion(settings: MultiModelSettings, fits: _Fits, k: int) -> FloatArray:
    m = fits.p + (settings.tau2_method != "EE")
    n = np.maximum(k, m + 2.0)
    penalty = {"aicc": 2.0 * m * n / (n - m - 1.0), "aic": 2.0 * m, "bic": m * np.log(k)}[settings.criterion]
    return np.asarray(penalty - 2.0 * fits.log_likelihood)
