"""Checks for statistics of one test, or one comparison, that cannot all be right, whatever was rounded away."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import special

from alliance_meta.auditing._check import Check, Finding, Severity, positions
from alliance_meta.auditing._columns import Columns
from alliance_meta.auditing._spans import Span, apart, magnitude, span
from alliance_meta.stats._arrays import BoolArray, FloatArray
from alliance_meta.stats.inference import two_sided_p_value

__all__ = ["CHECKS"]

_LIMITS_OF_P = (0.05, 0.025, 0.01, 0.005, 0.001, 0.0001)
_CHECK_BOTH = "Check them against the article."


def _df_of_t(columns: Columns) -> Span:
    """Degrees of freedom of t: those of the row, unless they belong to an F or a chi-square."""
    df, df2 = span(columns, "df"), span(columns, "df2")
    of_f = ~np.isnan(columns.finite("f")) | ~np.isnan(columns.finite("df2"))
    of_chi2 = ~np.isnan(columns.finite("chi2"))
    one = of_f & (columns.valid("df") == 1.0)
    mine = ~of_f & ~of_chi2
    low, high = (np.where(mine, a, np.where(one & ~of_chi2, b, np.nan)) for a, b in zip(df, df2, strict=True))
    return Span(low, high)


def _p_of_t(t: Span, df: Span) -> Span:
    """Two-tailed p: it falls with |t| and with the degrees of freedom."""
    size = magnitude(t)
    return Span(two_sided_p_value(size.high, df.high), two_sided_p_value(size.low, df.low))


def _against_p(
    columns: Columns, implied: Span, roles: tuple[str, ...], *, one_tail: BoolArray | bool, worst: Severity = "error"
) -> Iterator[Finding]:
    """Rows whose p is not the one implied, and what might explain it."""
    p, half = span(columns, "p"), columns.half("p")
    tail = Span(implied.low / 2.0, implied.high / 2.0)
    off_two = apart(p, implied)
    off_one = apart(p, tail) & apart(p, Span(1.0 - tail.high, 1.0 - tail.low))
    one = (columns.valid("tails") == 1.0) & one_tail
    cut = Span(columns.valid("p"), columns.valid("p") + 2.0 * half)
    limit = np.isin(columns.valid("p"), _LIMITS_OF_P)
    for i in positions(np.where(one, off_one, off_two)):
        used = tail if one[i] else implied
        seen = f"{columns.words(i, 'p')}, but {columns.words(i, *roles)} give p = {used.words(i)}"
        if np.broadcast_to(one_tail, one.shape)[i] and not (off_two if one[i] else off_one)[i]:
            tails = 2 if one[i] else 1
            yield Finding(i, "warning", f"{seen}; it is right with {tails} tail{'s'[: tails - 1]}", _tails(tails))
        elif limit[i] and used.low[i] < p.high[i]:
            advice = "If the article prints 'p <' this number, leave p empty; the statistic says more."
            yield Finding(i, "warning", seen, advice)
        elif not apart(*(Span(each.low[i : i + 1], each.high[i : i + 1]) for each in (cut, used)))[0]:
            yield Finding(i, "warning", f"{seen}; its decimals may have been cut off", _CHECK_BOTH)
        else:
            yield Finding(i, worst, seen, f"{_CHECK_BOTH} One is misprinted, miscopied, adjusted or of another test.")


def _tails(tails: int) -> str:
    return f"Write {tails} in the column tails, if the article says so."


def _p_t(columns: Columns) -> Iterator[Finding]:
    implied = _p_of_t(span(columns, "t"), _df_of_t(columns))
    return _against_p(columns, implied, ("t", "df", "df2"), one_tail=True)


def _p_z(columns: Columns) -> Iterator[Finding]:
    infinite = np.full(columns.k, np.inf)
    return _against_p(columns, _p_of_t(span(columns, "z"), Span(infinite, infinite)), ("z",), one_tail=True)


def _p_f(columns: Columns) -> Iterator[Finding]:
    f, df, df2 = (span(columns, role) for role in ("f", "df", "df2"))
    middle = columns.valid("df")  # the p of F does not move one way with its first degrees of freedom
    low, high = special.fdtrc(middle, df2.high, f.high), special.fdtrc(middle, df2.low, np.maximum(f.low, 0.0))
    whole = df.low == df.high
    implied = Span(np.where(whole, low, np.nan), np.where(whole, high, np.nan))
    return _against_p(columns, implied, ("f", "df", "df2"), one_tail=middle == 1.0)


def _p_chi2(columns: Columns) -> Iterator[Finding]:
    chi2, df = span(columns, "chi2"), columns.valid("df")
    of_chi2 = np.where(np.isnan(columns.finite("f")), df, np.nan)
    implied = Span(special.chdtrc(of_chi2, chi2.high), special.chdtrc(of_chi2, np.maximum(chi2.low, 0.0)))
    return _against_p(columns, implied, ("chi2", "df"), one_tail=df == 1.0)


def _p_r(columns: Columns) -> Iterator[Finding]:
    others = [~np.isnan(columns.finite(role)) for role in ("t", "f", "chi2", "z")]
    n = columns.valid("n")
    df = np.where(np.any(others, axis=0), np.nan, n - 2.0)
    r = magnitude(span(columns, "r"), below_1=True)
    t = r.through(lambda x: x * np.sqrt(df / (1.0 - x**2)))
    return _against_p(columns, _p_of_t(t, Span(df, df)), ("r", "n"), one_tail=True, worst="warning")


def _t_r(columns: Columns) -> Iterator[Finding]:
    df = Span(*(np.where(np.isnan(one), columns.valid("n") - 2.0, one) for one in _df_of_t(columns)))
    t = magnitude(span(columns, "t"))
    implied = Span(t.low / np.sqrt(t.low**2 + df.high), t.high / np.sqrt(t.high**2 + df.low))
    for i in positions(apart(magnitude(span(columns, "r")), implied)):
        seen = f"{columns.words(i, 'r')}, but {columns.words(i, 't', 'df', 'df2', 'n')} give |r| = {implied.words(i)}"
        yield Finding(i, "warning", seen, f"{_CHECK_BOTH} r may be of another test, or an average of several.")


def _f_t(columns: Columns) -> Iterator[Finding]:
    df = columns.valid("df")
    one = (df == 1.0) | (np.isnan(df) & np.isnan(columns.valid("df2")))
    t = magnitude(span(columns, "t"))
    squared = Span(np.where(one, t.low**2, np.nan), np.where(one, t.high**2, np.nan))
    for i in positions(apart(span(columns, "f"), squared)):
        seen = f"{columns.words(i, 'f')}, but {columns.words(i, 't')}, whose square is {squared.words(i)}"
        yield Finding(i, "error", seen, f"{_CHECK_BOTH} With 1 degree of freedom, F is the square of t.")


def _compared(
    columns: Columns, role: str, implied: Span, roles: tuple[str, ...], readings: dict[str, Span]
) -> Iterator[Finding]:
    """Rows whose `role` is not the one implied, in size; a note where another reading of it fits."""
    held = magnitude(span(columns, role))
    fits = {reading: ~apart(held, other) & ~np.isnan(other.low) for reading, other in readings.items()}
    name = columns.names[role]
    for i in positions(apart(held, implied)):
        seen = f"{columns.words(i, role)}, but {columns.words(i, *roles)} give |{name}| = {implied.words(i)}"
        reading = next((reading for reading, fit in fits.items() if fit[i]), "")
        if reading:
            yield Finding(i, "note", f"{seen}; it fits {reading}", "Say which formula is meant.")
        else:
            yield Finding(i, "warning", seen, f"{_CHECK_BOTH} It may be adjusted, or of other groups.")


def _correction(df: FloatArray) -> Span:
    """Hedges' correction, from the usual approximation to the exact value, whichever is lower."""
    with np.errstate(all="ignore"):
        near = 1.0 - 3.0 / (4.0 * df - 1.0)
        exact = np.exp(special.gammaln(df / 2.0) - special.gammaln((df - 1.0) / 2.0)) / np.sqrt(df / 2.0)
    usable = df > 1.0
    low, high = np.minimum(near, exact), np.maximum(near, exact)
    return Span(np.where(usable, low, np.nan), np.where(usable, high, np.nan))


def _df_of_groups(columns: Columns) -> FloatArray:
    n1, n2, n = (columns.valid(role) for role in ("n1", "n2", "n"))
    return np.asarray(np.where(np.isnan(n1 + n2), n, n1 + n2) - 2.0)


def _d_means(columns: Columns) -> Iterator[Finding]:
    one, two = span(columns, "mean1"), span(columns, "mean2")
    difference = magnitude(Span(one.low - two.high, one.high - two.low))
    sd1, sd2 = span(columns, "sd1"), span(columns, "sd2")
    n1, n2 = columns.valid("n1"), columns.valid("n2")
    unknown = np.isnan(n1 + n2)
    w1, w2 = np.where(unknown, 1.0, n1 - 1.0), np.where(unknown, 1.0, n2 - 1.0)
    with np.errstate(all="ignore"):
        pooled = Span(*(np.sqrt((w1 * a**2 + w2 * b**2) / (w1 + w2)) for a, b in zip(sd1, sd2, strict=True)))
    d = difference.over(pooled)
    readings = {
        "Hedges' g, corrected for small samples": d.times(_correction(_df_of_groups(columns))),
        "the standard deviation of the second group alone": difference.over(sd2),
        "the standard deviation of the first group alone": difference.over(sd1),
    }
    yield from _compared(columns, "d", d, ("mean1", "mean2", "sd1", "sd2", "n1", "n2"), readings)


def _d_t(columns: Columns) -> Iterator[Finding]:
    t, n1, n2 = magnitude(span(columns, "t")), columns.valid("n1"), columns.valid("n2")
    exact = np.sqrt(1.0 / n1 + 1.0 / n2)
    with np.errstate(all="ignore"):
        rough = 2.0 / np.sqrt(n1 + n2 - 2.0)
    d = t.times(Span(exact, exact))
    readings = {
        "2 t / sqrt(df), as if the groups were equal": t.times(Span(rough, rough)),
        "Hedges' g, corrected for small samples": d.times(_correction(n1 + n2 - 2.0)),
    }
    yield from _compared(columns, "d", d, ("t", "n1", "n2"), readings)


def _g_d(columns: Columns) -> Iterator[Finding]:
    implied = span(columns, "d").times(_correction(_df_of_groups(columns)))
    for i in positions(apart(span(columns, "g"), implied)):
        seen = f"{columns.words(i, 'g')}, but {columns.words(i, 'd', 'n1', 'n2', 'n')} give g = {implied.words(i)}"
        yield Finding(i, "warning", seen, f"{_CHECK_BOTH} d may be corrected already, or of another comparison.")


def _spread(columns: Columns) -> Iterator[Finding]:
    squared = span(columns, "std_error").through(lambda x: np.maximum(x, 0.0) ** 2)
    for i in positions(apart(span(columns, "variance"), squared)):
        seen = f"{columns.words(i, 'variance', 'std_error')}, whose square is {squared.words(i)}"
        yield Finding(i, "error", seen, f"{_CHECK_BOTH} A variance is its standard error squared.")


def _odds(columns: Columns) -> Iterator[Finding]:
    implied = span(columns, "log_odds_ratio").through(np.exp)
    for i in positions(apart(span(columns, "odds_ratio"), implied)):
        seen = f"{columns.words(i, 'odds_ratio', 'log_odds_ratio')}, which is an odds ratio of {implied.words(i)}"
        yield Finding(i, "error", seen, f"{_CHECK_BOTH} The logarithm must be the natural one.")


_P = "a p value that is not that of"

CHECKS: tuple[Check, ...] = tuple(
    Check(name=name, family="contradictions", about=about, needs=needs, find=find)
    for name, about, needs, find in (
        ("p_and_t", f"{_P} t and its degrees of freedom", (("p", "t", "df"),), _p_t),
        ("p_and_f", f"{_P} F and its degrees of freedom", (("p", "f", "df", "df2"),), _p_f),
        ("p_and_chi2", f"{_P} chi-square and its degrees of freedom", (("p", "chi2", "df"),), _p_chi2),
        ("p_and_z", f"{_P} z", (("p", "z"),), _p_z),
        ("p_and_r", f"{_P} r and n, where the row has no other statistic", (("p", "r", "n"),), _p_r),
        ("t_and_r", "a correlation that is not that of t", (("t", "r", "df"), ("t", "r", "n")), _t_r),
        ("f_and_t", "an F with 1 degree of freedom that is not the square of t", (("f", "t"),), _f_t),
        ("d_and_means", "a d that is not that of means and SDs", (("d", "mean1", "mean2", "sd1", "sd2"),), _d_means),
        ("d_and_t", "a d that is not that of t and the group sizes", (("d", "t", "n1", "n2"),), _d_t),
        ("g_and_d", "a g that is not d with Hedges' correction", (("g", "d", "n1", "n2"), ("g", "d", "n")), _g_d),
        ("variance_and_std_error", "a variance that is not the square", (("variance", "std_error"),), _spread),
        ("odds_ratio_and_log", "an odds ratio and another's logarithm", (("odds_ratio", "log_odds_ratio"),), _odds),
    )
)
