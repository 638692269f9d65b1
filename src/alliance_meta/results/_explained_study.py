"""The studies of an explanation: which are shown, and how the effect of one was made from what it reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isclose, isnan, sqrt
from typing import Any

import numpy as np
import pandas as pd

from alliance_meta import _checks
from alliance_meta.effects import EffectSizes
from alliance_meta.results._explanation import Equation, Step, Worksheet
from alliance_meta.results._formula_text import gaps, given, minus, num, plain, signed, sum_of
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.conversions import small_sample_factor

__all__ = ["Sample", "followed", "of_one_study", "shares"]

_AT_START = 2
_AGREE = 1e-9
"""Relative difference up to which a formula counts as the one by which an effect was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The effects, and the rows of them that are shown in sums.

    Attributes
    ----------
    effects : EffectSizes
    row : int
        The one that is followed.
    shown : tuple of int
    """

    effects: EffectSizes
    row: int
    shown: tuple[int, ...]

    @property
    def y(self) -> FloatArray:
        """The effects."""
        return self.effects.effect

    @property
    def v(self) -> FloatArray:
        """Their sampling variances."""
        return self.effects.variance

    @property
    def label(self) -> str:
        """The label of the effect that is followed."""
        return self.effects.labels[self.row]

    @property
    def unit(self) -> str:
        """What a row is called."""
        return "effect" if self.effects.shared_studies() else "study"

    @property
    def index(self) -> str:
        """Its number, as an index in LaTeX."""
        return f"{{{self.row + 1}}}"

    def plus(self, term: Callable[[int], str]) -> str:
        """A sum over the effects, in LaTeX: the first terms, dots, the last."""
        return sum_of(self.shown, term)

    def products(self, left: FloatArray, right: FloatArray) -> str:
        """A sum of products."""
        return self.plus(lambda i: rf"{num(left[i])} \times {signed(right[i])}")

    def total(self, values: FloatArray) -> str:
        """A sum of numbers."""
        return self.plus(lambda i: signed(values[i]))

    def squares(self, weights: FloatArray | None, values: FloatArray, centre: float) -> str:
        """A sum of weighted squared deviations."""
        return self.plus(lambda i: f"{'' if weights is None else num(weights[i]) + ' '}{minus(values[i], centre)}^2")

    def worksheet(self, columns: dict[str, FloatArray], *, as_given: tuple[str, ...] = ()) -> Worksheet:
        """The shown rows of some columns by their heads, and the sums of those whose head begins with "S:"."""
        heads = [head.removeprefix("S:") for head in columns]
        rows = [
            ("…", *("…" for _ in heads))
            if i is None
            else (
                f"{i + 1}  {self.effects.labels[i]}",
                *(plain((given if head in as_given else num)(c[i])) for head, c in columns.items()),
            )
            for i in gaps(self.shown)
        ]
        sums = [plain(num(float(c.sum()))) if head.startswith("S:") else "" for head, c in columns.items()]
        last = [("Sum Σ of all", *sums)] if any(sums) and len(self.y) > 1 else []
        return Worksheet(header=(f"{self.unit} i", *heads), rows=(*rows, *last))


def followed(effects: EffectSizes, study: str | None) -> Sample:
    """The sample with the effect that is followed: the first of that study, label or effect id."""
    row = 0
    if study is not None:
        table = effects.table
        names = [effects.labels, table["study"].astype(str).tolist(), table["effect_id"].astype(str).tolist()]
        known = dict.fromkeys(name for column in names for name in column)
        name = _checks.known_name("study", study, tuple(known))
        row = min(column.index(name) for column in names if name in column)
    last = effects.k - 1
    return Sample(effects=effects, row=row, shown=tuple(sorted({*range(min(_AT_START, effects.k)), row, last})))


# How the effect was made


def of_one_study(sample: Sample) -> list[Step]:
    """The effect of the study that is followed, and its sampling variance."""
    cells, i = _Cells(sample.effects.table.iloc[sample.row]), sample.index
    effect, variance = float(sample.y[sample.row]), float(sample.v[sample.row])
    route, code = str(sample.effects.table["route"].iloc[sample.row]), sample.effects.measure.code
    maker = _MADE.get(code)
    made = maker(cells, effect, variance, i) if maker else None
    own = sample.effects.measure
    which = f"{sample.unit.capitalize()} {sample.row + 1} of {sample.effects.k} is {sample.label}."
    if made is None:
        how = f"Its effect ({own.label}) and sampling variance are those of the table of effects, made by: {route}."
        equations = (Equation(name="effect", tex=f"y_{i}", value=effect),)
        steps = [Step(title="The effect of one study", words=f"{which} {how}", equations=equations)]
        spread = (Equation(name="variance", tex=f"v_{i}", value=variance),)
        return [*steps, Step(title="Its sampling variance", words=_VARIANCE, equations=spread)]
    words = f"{which} {made.words} (Route from the table: {route}.)"
    return [
        Step(title="The effect of one study", words=words, equations=made.effect),
        Step(title="Its sampling variance", words=f"{_VARIANCE} {made.size}", equations=made.variance),
    ]


_VARIANCE = (
    "A study of other people would have given another number. The sampling variance says how far such numbers lie "
    "apart: its root is the standard error."
)


class _Cells:
    """Numbers of the table's row by the names of roles, NaN where there is none of that name."""

    def __init__(self, row: pd.Series) -> None:
        self.row = row

    def __getitem__(self, role: str) -> float:
        cell: Any = self.row.get(role, self.row.get(f"{role}_given"))
        try:
            return float("nan") if cell is None or pd.isna(cell) else float(cell)
        except ValueError:  # words in a column of that name
            return float("nan")

    def all(self, *roles: str) -> list[float]:
        """Several numbers."""
        return [self[role] for role in roles]


@dataclass(frozen=True, slots=True)
class _Made:
    """How an effect and its variance were made."""

    words: str
    effect: tuple[Equation, ...]
    size: str
    variance: tuple[Equation, ...]


def _same(left: float, right: float) -> bool:
    return isclose(left, right, rel_tol=_AGREE, abs_tol=1e-12)


def _to_r(cells: _Cells, r: float, i: str) -> tuple[Equation, ...]:
    """How a test statistic became r, where the table has its cells and they give this r."""
    t, df, f, df2, chi2, n, d, n1, n2 = cells.all("t", "df", "f", "df2", "chi2", "n", "d", "n1", "n2")
    df = n - 2.0 if isnan(df) else df
    ways = [
        (
            t / sqrt(t * t + df) if df > 0.0 else np.nan,
            r"\frac{t}{\sqrt{t^2 + df}}",
            rf"\frac{{{given(t)}}}{{\sqrt{{{signed(t, given)}^2 + {given(df)}}}}}",
        ),
        (
            np.sqrt(f / (f + df2)) if f >= 0.0 else np.nan,
            r"\sqrt{\frac{F}{F + df_2}}",
            rf"\sqrt{{\frac{{{given(f)}}}{{{given(f)} + {given(df2)}}}}}",
        ),
        (
            np.sqrt(chi2 / n) if chi2 >= 0.0 else np.nan,
            r"\sqrt{\frac{\chi^2}{n}}",
            rf"\sqrt{{\frac{{{given(chi2)}}}{{{given(n)}}}}}",
        ),
    ]
    if n1 + n2 > 2.0:
        h = (n1 + n2 - 2.0) * (1.0 / n1 + 1.0 / n2)
        ways.append((d / sqrt(d * d + h), r"\frac{d}{\sqrt{d^2 + h}}",
                     rf"\frac{{{given(d)}}}{{\sqrt{{{signed(d, given)}^2 + {num(h)}}}}}"))  # fmt: skip
    for value, formula, put_in in ways:
        if not isnan(value) and _same(float(value), r):
            return (Equation(name="r", tex=f"r_{i}", formula=formula, put_in=(put_in,), value=r),)
    return ()


def _fisher(cells: _Cells, effect: float, variance: float, i: str) -> _Made | None:
    r, n = float(np.tanh(effect)), 1.0 / variance + 3.0
    people = cells["n"] if _same(n, cells["n"]) else float(round(n))
    if not _same(n, people):
        return None
    n = people
    before = _to_r(cells, r, i)
    shown = given(round(r, 10)) if not before else num(r)
    rise, fall = (f"1 + {shown}", f"1 - {shown}") if r >= 0.0 else (f"1 - {shown[1:]}", f"1 + {shown[1:]}")
    z = Equation(
        name="effect",
        tex=f"z_{i}",
        formula=rf"\frac{{1}}{{2}} \ln\left(\frac{{1 + r_{i}}}{{1 - r_{i}}}\right)",
        put_in=(rf"\frac{{1}}{{2}} \ln\left(\frac{{{rise}}}{{{fall}}}\right)",),
        value=effect,
    )
    v = Equation(
        name="variance",
        tex=f"v_{i}",
        formula=rf"\frac{{1}}{{n_{i} - 3}}",
        put_in=(rf"\frac{{1}}{{{given(n)} - 3}}",),
        value=variance,
    )
    words = (
        f"Its correlation is r = {plain(shown)}. Correlations cannot pass −1 or 1, so they scatter unevenly; Fisher's "
        "z stretches them to a scale on which they scatter like a normal distribution."
    )
    return _Made(words, (*before, z), f"For Fisher's z it depends on the number of people only, n = {given(n)}.", (v,))


def _correlation(cells: _Cells, effect: float, variance: float, i: str) -> _Made | None:
    n = (1.0 - effect**2) ** 2 / variance + 1.0
    if not _same(n, round(n)):
        return None
    before = _to_r(cells, effect, i)
    y = () if before else (Equation(name="effect", tex=f"r_{i}", value=effect, shown=given(effect)),)
    v = Equation(
        name="variance",
        tex=f"v_{i}",
        formula=rf"\frac{{(1 - r_{i}^2)^2}}{{n_{i} - 1}}",
        put_in=(rf"\frac{{(1 - {signed(effect)}^2)^2}}{{{round(n)} - 1}}",),
        value=variance,
    )
    words = "Its correlation is analysed as it is."
    return _Made(words, (*before, *y), f"For r it depends on the number of people, n = {round(n)}, and on r.", (v,))


def _smd(cells: _Cells, effect: float, variance: float, i: str) -> _Made | None:
    n1, n2, n, d = cells.all("n1", "n2", "n", "d")
    if isnan(n1) or isnan(n2):
        n1 = n2 = n / 2.0
    if isnan(n1) or not _same(1.0 / n1 + 1.0 / n2 + effect**2 / (2.0 * (n1 + n2)), variance):
        return None
    y = Equation(name="effect", tex=f"g_{i}", value=effect)
    words = "Hedges' g is the difference of two groups' means in standard deviations, corrected for small samples."
    factor = float(small_sample_factor(n1 + n2 - 2.0))
    if _same(factor * d, effect):
        j = rf"J({given(n1 + n2 - 2.0)})"
        y = Equation(
            name="effect",
            tex=f"g_{i}",
            formula=rf"J(n_1 + n_2 - 2) \times d_{i}",
            put_in=(rf"{j} \times {signed(d, given)}", rf"{num(factor)} \times {signed(d, given)}"),
            value=effect,
        )
        words += " The factor J, a little below 1, makes Cohen's d smaller, since d is too large in small samples."
    v = Equation(
        name="variance",
        tex=f"v_{i}",
        formula=rf"\frac{{1}}{{n_1}} + \frac{{1}}{{n_2}} + \frac{{g_{i}^2}}{{2 (n_1 + n_2)}}",
        put_in=(
            rf"\frac{{1}}{{{given(n1)}}} + \frac{{1}}{{{given(n2)}}} + "
            rf"\frac{{{signed(effect)}^2}}{{2 \times {given(n1 + n2)}}}",
        ),
        value=variance,
    )
    return _Made(words, (y,), f"Its groups have {given(n1)} and {given(n2)} people.", (v,))


def _odds_ratio(cells: _Cells, effect: float, variance: float, i: str) -> _Made | None:
    events1, n1, events2, n2 = cells.all("events1", "n1", "events2", "n2")
    counts = np.array([events1, n1 - events1, events2, n2 - events2])
    empty = bool((counts == 0.0).any())
    a, b, c, d = (counts + 0.5 if empty else counts).tolist()
    if isnan(a + b + c + d):
        return None
    turned = -1.0 if effect * np.log(a * d / (b * c)) < 0.0 else 1.0
    if not (_same(turned * float(np.log(a * d / (b * c))), effect) and _same(1 / a + 1 / b + 1 / c + 1 / d, variance)):
        return None
    if turned < 0.0:
        a, b, c, d = c, d, a, b
    y = Equation(
        name="effect",
        tex=f"y_{i}",
        formula=r"\ln\left(\frac{a\,d}{b\,c}\right)",
        put_in=(rf"\ln\left(\frac{{{given(a)} \times {given(d)}}}{{{given(b)} \times {given(c)}}}\right)",),
        value=effect,
    )
    v = Equation(
        name="variance",
        tex=f"v_{i}",
        formula=r"\frac{1}{a} + \frac{1}{b} + \frac{1}{c} + \frac{1}{d}",
        put_in=(" + ".join(rf"\frac{{1}}{{{given(cell)}}}" for cell in (a, b, c, d)),),
        value=variance,
    )
    had = counts if turned > 0.0 else counts[[2, 3, 0, 1]]
    halves = " One count is 0, so ½ is added to each." if empty else ""
    swapped = " Its direction is turned, so the groups change places." if turned < 0.0 else ""
    words = (
        f"In one group {given(had[0])} people had the event (a) and {given(had[1])} had not (b), in the other "
        f"{given(had[2])} had (c) and {given(had[3])} had not (d).{halves}{swapped} The odds ratio compares the "
        "groups' odds; its logarithm is analysed, since it scatters evenly."
    )
    return _Made(words, (y,), "Few people in any of the four cells make it large.", (v,))


def _ready_made(cells: _Cells, effect: float, variance: float, i: str) -> _Made | None:
    se, low, high = cells.all("std_error", "ci_low", "ci_high")
    y = Equation(name="effect", tex=f"y_{i}", value=effect)
    words = "Its effect stands in the table."
    v = Equation(name="variance", tex=f"v_{i}", value=variance)
    if _same(se**2, variance):
        v = Equation(name="variance", tex=f"v_{i}", formula=r"SE_i^2".replace("_i", f"_{i}"),
                     put_in=(f"{given(se)}^2",), value=variance)  # fmt: skip
        return _Made(words, (y,), "The table gives the standard error; its square is the variance.", (v,))
    if _same(((high - low) / (2.0 * 1.959963984540054)) ** 2, variance):
        v = Equation(
            name="variance",
            tex=f"v_{i}",
            formula=r"\left(\frac{\mathrm{high} - \mathrm{low}}{2 \times 1.960}\right)^2",
            put_in=(rf"\left(\frac{{{given(high)} - {signed(low, given)}}}{{2 \times 1.960}}\right)^2",),
            value=variance,
        )
        return _Made(words, (y,), "The table gives a 95% interval, which is 2 × 1.960 standard errors wide.", (v,))
    return _Made(words, (y,), "The table gives it.", (v,))


_MADE: dict[str, Callable[[_Cells, float, float, str], _Made | None]] = {
    "ZCOR": _fisher,
    "COR": _correlation,
    "SMD": _smd,
    "OR": _odds_ratio,
    "GEN": _ready_made,
}


def shares(weights: FloatArray) -> FloatArray:
    """Weights in percent of their sum."""
    return np.asarray(100.0 * weights / weights.sum())
