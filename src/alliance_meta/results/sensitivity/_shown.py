"""What the results about sensitivity share when they are put into words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from alliance_meta._tables import number
from alliance_meta.effects import EffectSizes
from alliance_meta.results._pooled import PooledEffect
from alliance_meta.results._regression import MetaRegression
from alliance_meta.results._vocabulary import TAU2_METHODS, TESTS
from alliance_meta.stats._arrays import FloatArray

__all__ = ["cell_text", "counted", "how_fitted", "interval_text", "named", "null_text", "shown", "side_words", "sides"]

_NAMED = 5
_PLURALS = {"study": "studies", "laboratory": "laboratories", "country": "countries"}


def shown(effects: EffectSizes, value: float, decimals: int = 2) -> str:
    """A number on the analysed scale, written on the scale shown to people."""
    return number(float(effects.measure.to_display(value)), decimals)


def interval_text(effects: EffectSizes, low: float, high: float, decimals: int = 3) -> str:
    """An interval on the scale shown to people."""
    return "–" if np.isnan(low) else f"[{shown(effects, low, decimals)}, {shown(effects, high, decimals)}]"


def null_text(effects: EffectSizes) -> str:
    """No effect, on the scale shown to people."""
    return number(float(effects.measure.to_display(effects.measure.null)), 0)


def sides(low: FloatArray, high: FloatArray, null: float) -> list[str]:
    """Where intervals stand to no effect: ``"above"``, ``"below"`` or ``"not told"``; ``""`` where there is none."""
    return [
        "" if np.isnan(a) else "above" if a > null else "below" if b < null else "not told"
        for a, b in zip(low.tolist(), high.tolist(), strict=True)
    ]


def side_words(effects: EffectSizes, side: str) -> str:
    """Where an interval stands, completing "the interval ..."."""
    null = null_text(effects)
    return {"above": f"lies above {null}", "below": f"lies below {null}", "not told": f"includes {null}"}[side]


def named(labels: Sequence[str], most: int = _NAMED) -> str:
    """The first labels as prose, and how many more there are."""
    words = [" ".join(label.split()) for label in labels[:most]]
    if len(labels) > most:
        return f"{'; '.join(words)} and {len(labels) - most} more"
    return words[0] if len(words) == 1 else f"{'; '.join(words[:-1])} and {words[-1]}"


def cell_text(cell: object) -> str:
    """A cell of a table: a number with four digits, a whole one, such as a year, with all of its own."""
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:.0f}" if cell.is_integer() and abs(cell) < 1e15 else f"{cell:.4g}"


def counted(n: int, by: str) -> str:
    """``"16 studies"``, ``"1 effect"``."""
    return f"{n} {by if n == 1 else _PLURALS.get(by, f'{by}s')}"


def how_fitted(fit: PooledEffect | MetaRegression) -> str:
    """The estimator and the test, as a note under a table."""
    settings = fit.settings
    what = "mean" if isinstance(fit, PooledEffect) else "coefficients"
    return f"tau² by {TAU2_METHODS[settings.tau2_method]}; {what} tested by {TESTS[settings.test]}."
