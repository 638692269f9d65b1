"""Makes a set of effects on which two programs disagree as small as it can be, and writes it down to be run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NotRequired, TypedDict

__all__ = ["EffectSet", "reproducer", "shrunk"]

DIGITS = range(1, 16)
TESTS = {"z": "z", "t": "t", "knha": "knapp-hartung", "adhoc": "knapp-hartung-adhoc"}
FIRST = {"DL2": "DL", "CA2": "HE"}
PER_STUDY = ("yi", "vi", "weights", "q_weights")


class EffectSet(TypedDict):
    """One set of effects, as it is sent to R; fitted in all ways unless it names some."""

    name: str
    yi: list[float]
    vi: list[float]
    methods: NotRequired[list[str]]
    test: NotRequired[str]
    weights: NotRequired[list[float] | str]
    q_weights: NotRequired[list[float]]


Disagrees = Callable[[list[EffectSet]], list[bool]]


def shrunk(one: EffectSet, disagrees: Disagrees, seconds: float = 60.0) -> EffectSet:
    """The smallest set found in the given time on which there is still disagreement.

    Studies are dropped one at a time; then all numbers are rounded as far as goes, and then each by itself.
    `disagrees` is asked about many sets at once.
    """
    until = time.monotonic() + seconds

    def first(candidates: list[EffectSet]) -> EffectSet | None:
        if not candidates or time.monotonic() > until:
            return None
        return next((each for each, bad in zip(candidates, disagrees(candidates), strict=True) if bad), None)

    while len(one["yi"]) > 2:
        fewer = first([_without(one, i) for i in range(len(one["yi"]))])
        if fewer is None:
            break
        one = fewer
    one = first([_rounded(one, digits) for digits in DIGITS]) or one
    for name in _numbers(one):
        for i in range(len(one["yi"])):
            shorter = [_rounded(one, digits, name, i) for digits in DIGITS]
            one = first([each for each in shorter if each != one]) or one
    return one


def _numbers(one: EffectSet) -> Iterator[str]:
    return (name for name in PER_STUDY if isinstance(one.get(name), list))


def _without(one: EffectSet, i: int) -> EffectSet:
    less = one.copy()
    for name in _numbers(one):
        less[name] = one[name][:i] + one[name][i + 1 :]  # type: ignore[literal-required]
    return less


def _rounded(one: EffectSet, digits: int, only: str = "", at: int = -1) -> EffectSet:
    """All numbers with so many significant digits, or one number of one array, if it gets shorter by that."""
    short = one.copy()
    for name in [only] if only else list(_numbers(one)):
        values: list[float] = one[name]  # type: ignore[literal-required]
        new = [_shorter(value, digits) if at in (-1, i) else value for i, value in enumerate(values)]
        short[name] = new  # type: ignore[literal-required]
    return short


def _shorter(value: float, digits: int) -> float:
    other = float(f"{value:.{digits}g}")
    return other if len(repr(other)) <= len(repr(value)) else value


def reproducer(one: EffectSet, method: str, test: str, control: dict[str, float]) -> str:
    """Python and R code that shows the disagreement."""
    weights, q_weights = one.get("weights"), one.get("q_weights")
    asked = [f'tau2_method="{method}"', f'test="{TESTS[test]}"']
    asked += [f"{name}={given!r}" for name, given in (("weights", weights), ("q_weights", q_weights)) if given]
    return "\n".join(
        [
            "# Python",
            "import alliance_meta as am",
            f"yi, vi = {one['yi']}, {one['vi']}",
            'effects = am.effect_sizes(measure="GEN", effect=yi, variance=vi)',
            f"print(am.pool(effects, {', '.join(asked)}).quantities())",
            "# R",
            *_r_lines(one, method, test, control),
        ]
    )


def _r_lines(one: EffectSet, method: str, test: str, control: dict[str, float]) -> list[str]:
    lines = ["library(metafor)", f"yi <- {_vector(one['yi'])}; vi <- {_vector(one['vi'])}"]
    asked = [f'method = "{method}"']
    q_weights = _vector(one["q_weights"]) if "q_weights" in one else ""
    if method in FIRST:
        lines.append(f'first <- rma(yi, vi, method = "{FIRST[method]}")$tau2')
        q_weights = "1 / (vi + first)"
    if q_weights:
        lines.append(f'tau2 <- rma(yi, vi, method = "GENQ", weights = {q_weights})$tau2')
        asked = ["tau2 = tau2"]
    weights = one.get("weights")
    if weights is not None:
        asked.append("weighted = FALSE" if isinstance(weights, str) else f"weights = {_vector(weights)}")
    if control:
        asked.append(f"control = list({', '.join(f'{name} = {value!r}' for name, value in control.items())})")
    lines.append(f'print(rma(yi, vi, {", ".join(asked)}, test = "{test}"), digits = 15)')
    return lines


def _vector(values: list[float]) -> str:
    return f"c({', '.join(map(repr, values))})"
