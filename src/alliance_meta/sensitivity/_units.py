"""What the functions about sensitivity begin with: names of methods, the units left out, the fit of all effects."""

from __future__ import annotations

from collections import Counter

from alliance_meta import _checks
from alliance_meta.effects import EffectSizes, clusters_of
from alliance_meta.pooling import pool
from alliance_meta.results import TAU2_METHODS, TESTS, PooledEffect
from alliance_meta.stats._arrays import BoolArray, IntArray

__all__ = ["distinct", "failures", "model_names", "units", "whole_fit"]

_NAMED = 10


def model_names(tau2_method: str, test: str) -> tuple[str, str]:
    """The checked names of an estimator that needs no weights, and of a test."""
    methods = tuple(name for name in TAU2_METHODS if name != "GENQ")
    return _checks.known_name("tau2_method", tau2_method, methods), _checks.known_name("test", test, tuple(TESTS))


def whole_fit(effects: EffectSizes, tau2_method: str, test: str) -> PooledEffect:
    """The fit of all effects; what they share is a caution of the result, not a warning."""
    method, tested = model_names(tau2_method, test)
    return pool(effects, tau2_method=method, test=tested, dependent="allow")


def units(effects: EffectSizes, by: str) -> tuple[IntArray, tuple[str, ...]]:
    """The number of each effect's unit, and the units' labels in the order of their first effects."""
    found, labels = clusters_of(effects, by)
    return (found, distinct(effects)) if by == "effect" else (found, labels)


def distinct(effects: EffectSizes) -> tuple[str, ...]:
    """The effects' labels; those that several effects have are followed by the effect's id."""
    labels = effects.labels
    counts = Counter(labels)
    ids = effects.table["effect_id"].tolist()
    return tuple(f"{a} [{b}]" if counts[a] > 1 else a for a, b in zip(labels, ids, strict=True))


def failures(labels: tuple[str, ...], converged: BoolArray, what: str) -> tuple[str, ...]:
    """A note on fits that were not made, and why."""
    lost = [label for label, known in zip(labels, converged.tolist(), strict=True) if not known]
    if not lost:
        return ()
    more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
    return (f"{what} {_checks.listed(lost[:_NAMED])}{more} the estimator of tau² did not reach its solution.",)
