"""What ends every explanation: a test, an interval, and the way back to the scale that is shown."""

from __future__ import annotations

from math import isinf, isnan
from typing import TYPE_CHECKING

from alliance_meta._tables import p_value
from alliance_meta.results._explanation import Equation, Step
from alliance_meta.results._formula_text import num, signed
from alliance_meta.stats.conversions import z_to_r
from alliance_meta.stats.inference import critical_value

if TYPE_CHECKING:
    from alliance_meta.results._multilevel import Multilevel
    from alliance_meta.results._pooled import PooledEffect
    from alliance_meta.results._regression import MetaRegression

__all__ = ["interval_equations", "on_shown_scale", "quantile", "remarks", "step_of_test"]


def remarks(notes: tuple[str, ...], of_effects: tuple[str, ...], caveat: str) -> tuple[str, ...]:
    """What stands under an explanation; the caveat stands in the sentence above already, but must not be missed."""
    return (*notes, *of_effects, *((caveat,) if caveat else ()))


def step_of_test(
    what: str, tex: str, estimate: float, std_error: float, statistic: float, df: float, p: float, *, suffix: str = ""
) -> Step:
    """The test that a number is 0."""
    title = f"The test of {what}"
    if isnan(statistic):
        return Step(title=title, words="There is no test: no degrees of freedom, or no standard error, are left.")
    letter, how = ("z", "normal") if isinf(df) else ("t", f"t({df:g})")
    words = (
        f"How many standard errors does {what} lie from 0? If the true value were 0, a number this far out or further "
        f"would come about with probability p {p_value(p)} (two-sided, {how} distribution)."
    )
    of = "Z" if isinf(df) else f"t_{{{df:g}}}"
    ratio = Equation(
        name=f"statistic{suffix}",
        tex=letter,
        formula=rf"\frac{{{tex}}}{{SE}}",
        put_in=(rf"\frac{{{num(estimate)}}}{{{num(std_error)}}}",),
        value=statistic,
    )
    tail = Equation(name=f"p_value{suffix}", tex="p", formula=rf"2\,P({of} > {num(abs(statistic))})", value=p)
    return Step(title=title, words=words, equations=(ratio, tail), result=f"statistic{suffix}")


def interval_equations(
    tex: str,
    centre: float,
    half: tuple[str, str, float],
    factor: tuple[str, str],
    bounds: tuple[float, float],
    names: tuple[str, str],
) -> tuple[Equation, Equation]:
    """Both bounds: the centre, less and plus a factor times half's formula, numbers and value."""  # fmt: skip
    formula, put_in, _ = half
    sides = zip(names, ("low", "high"), "-+", bounds, strict=True)
    kind = "PI" if names[0].startswith("pi") else "CI"
    low, high = (
        Equation(
            name=name,
            tex=rf"\mathrm{{{kind}}}_{{\mathrm{{{side}}}}}",
            formula=rf"{tex} {sign} {factor[0]} \times {formula}",
            put_in=(rf"{num(centre)} {sign} {factor[1]} \times {put_in}",),
            value=bound,
        )
        for name, side, sign, bound in sides
    )
    return low, high


def quantile(level: float, df: float, name: str) -> Equation:
    """The critical value of an interval."""
    upper = f"{0.5 + level / 2.0:g}"
    tex = rf"z_{{{upper}}}" if isinf(df) else rf"t_{{{df:g};\,{upper}}}"
    return Equation(name=name, tex=tex, value=float(critical_value(level, df)))


def on_shown_scale(
    fit: PooledEffect | MetaRegression | Multilevel, name: str, tex: str, source: tuple[str, float], value: float
) -> Equation:
    """One number taken to the scale that is shown to people."""
    symbol, analysed = source
    own = fit.effects.measure
    if own.to_display is z_to_r:
        formula = rf"\tanh({symbol})"
        twice = num(2.0 * analysed)
        power = [rf"\tanh({num(analysed)})", rf"\frac{{e^{{{twice}}} - 1}}{{e^{{{twice}}} + 1}}"]
    elif own.is_ratio:
        formula, power = rf"e^{{{symbol}}}", [rf"e^{{{num(analysed)}}}"]
    elif own.display_scale == "alpha" and own.scale == "log":
        formula, power = rf"1 - e^{{-{symbol}}}", [rf"1 - e^{{-{signed(analysed)}}}"]
    else:
        formula, power = rf"1 - (1 - {symbol})^3", [rf"1 - (1 - {signed(analysed)})^3"]
    return Equation(name=name, tex=tex, formula=formula, put_in=tuple(power), value=value)
