"""When a check for bias fails: each condition looks at the effects at hand and says so in a sentence, or nothing."""

from __future__ import annotations

import numpy as np

from alliance_meta._tables import number
from alliance_meta.effects import EffectSizes
from alliance_meta.stats import heterogeneity

__all__ = ["dependent", "few_studies", "heterogeneous", "similar_precision", "variance_tied"]

_FEW = 10
_STRONG_I2 = 50.0
_SIMILAR = 1.5
_TIED = {
    "r": ("COR", "UCOR", "PCOR", "SPCOR", "RPB", "RBIS", "PHI"),
    "g": ("SMD", "SMDH", "SMD1", "SMD1H", "SMCC", "SMCR", "SMCRH", "PPC", "OR2D", "OR2DN", "OR2DL"),
    "odds": ("OR", "RR", "RD"),
}
_REMEDIES = {
    "r": "the variance of r is computed from r itself, so that effects and standard errors go together without any "
    "bias; analyse measure='ZCOR'",
    "g": "the variance of a standardized mean difference grows with its square, so that effects and standard errors go "
    "together without any bias (Pustejovsky & Rodgers, 2019)",
    "odds": "the variance of a measure of two proportions depends on the proportions, so that effects and standard "
    "errors go together without any bias (Peters et al., 2006)",
}


def few_studies(effects: EffectSizes, least: int = _FEW) -> tuple[str, ...]:
    """Fewer effects than the customary ten (Sterne et al., 2011), or another number."""
    if effects.k >= least:
        return ()
    return (f"only {effects.k} effects: below {least} chance and bias can hardly be told apart.",)


def heterogeneous(effects: EffectSizes) -> tuple[str, ...]:
    """Cochran's Q puts I2 at 50 % or more."""
    if effects.k < 2:
        return ()
    i2 = float(heterogeneity.inconsistency_from_q(heterogeneity.cochran_q(effects.effect, effects.variance)).i2)
    if not i2 >= _STRONG_I2:
        return ()
    return (
        f"strong heterogeneity (I² = {number(i2, 0)}%): differences between studies can look like bias, and hide it.",
    )


def dependent(effects: EffectSizes) -> tuple[str, ...]:
    """Effects share a study, and the method takes them as independent."""
    shared = effects.shared_studies()
    if not shared:
        return ()
    return (
        f"{sum(shared.values())} of {effects.k} effects share a study with others, and count as independent here; "
        "compare with aggregate(effects).",
    )


def variance_tied(effects: EffectSizes) -> tuple[str, ...]:
    """The sampling variance is computed from the effect itself."""
    code = effects.measure.code
    return tuple(f"{_REMEDIES[kind]}." for kind, codes in _TIED.items() if code in codes)


def similar_precision(effects: EffectSizes) -> tuple[str, ...]:
    """The largest standard error is less than one and a half times the smallest."""
    errors = np.sqrt(effects.variance)
    ratio = float(errors.max() / errors.min())
    if ratio >= _SIMILAR:
        return ()
    return (
        f"the studies are of much the same precision (standard errors differ by a factor of {number(ratio, 2)}), so "
        "that small studies cannot be held against large ones.",
    )
