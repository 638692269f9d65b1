"""Meta-regression a second time, with 50 digits: slow, plain, and sharing nothing with the library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import mpmath as mp  # type: ignore[import-untyped]

__all__ = ["Problem", "exact", "heights", "maxima", "tau2_of"]

DIGITS = 50
STEPS = 20
"""Points of a likelihood's scan to a decade of tau2."""

Exact = Any  # mpmath has no types


class Problem(NamedTuple):
    """Effects, variances, the rows of the design, and rows to predict at, as numbers of 50 digits."""

    y: tuple[Exact, ...]
    v: tuple[Exact, ...]
    x: tuple[tuple[Exact, ...], ...]
    new: tuple[tuple[Exact, ...], ...]

    @classmethod
    def of(
        cls, y: Sequence[Exact], v: Sequence[Exact], x: Sequence[Sequence[Exact]], new: Sequence[Sequence[Exact]] = ()
    ) -> Problem:
        return cls(_exact(y), _exact(v), tuple(map(_exact, x)), tuple(map(_exact, new)))

    @property
    def df(self) -> int:
        return len(self.y) - len(self.x[0])

    def alone(self) -> Problem:
        """The same effects with an intercept only."""
        one = (mp.mpf(1),)
        return Problem(self.y, self.v, (one,) * len(self.y), ())


def _exact(values: Sequence[Exact]) -> tuple[Exact, ...]:
    return tuple(value if isinstance(value, mp.mpf) else mp.mpf(float(value)) for value in values)


class _Squares(NamedTuple):
    """Weighted least squares: the inverse of X'WX, its determinant, coefficients and residuals."""

    inverse: Exact
    log_det: Exact
    b: list[Exact]
    residuals: list[Exact]


def _cross(problem: Problem, weights: Sequence[Exact]) -> Exact:
    p = len(problem.x[0])
    return mp.matrix(
        [
            [mp.fsum(w * row[i] * row[j] for w, row in zip(weights, problem.x, strict=True)) for j in range(p)]
            for i in range(p)
        ]
    )


def _squares(problem: Problem, weights: Sequence[Exact]) -> _Squares:
    a = _cross(problem, weights)
    inverse, p = a**-1, len(problem.x[0])
    right = mp.matrix(
        [mp.fsum(w * row[i] * y for w, row, y in zip(weights, problem.x, problem.y, strict=True)) for i in range(p)]
    )
    b = list(inverse * right)
    residuals = [
        y - mp.fsum(c * b_ for c, b_ in zip(row, b, strict=True)) for y, row in zip(problem.y, problem.x, strict=True)
    ]
    return _Squares(inverse, mp.log(mp.det(a)), b, residuals)


def _trace(one: Exact, other: Exact) -> Exact:
    return mp.fsum(one[i, j] * other[j, i] for i in range(one.rows) for j in range(one.rows))


def _weights(problem: Problem, t: Exact) -> list[Exact]:
    return [1 / (v + t) for v in problem.v]


def _q(problem: Problem, t: Exact) -> Exact:
    w = _weights(problem, t)
    return mp.fsum(a * e**2 for a, e in zip(w, _squares(problem, w).residuals, strict=True))


# ---------------------------------------------------------------- tau2


def tau2_of(problem: Problem, method: str) -> Exact:
    """The estimate of tau2 with 50 digits."""
    with mp.workdps(DIGITS):
        return _ESTIMATORS[method](problem)


def _of_form(problem: Problem, a: Sequence[Exact]) -> Exact:
    """The generalised Q set to its expectation."""
    fit = _squares(problem, a)
    q = mp.fsum(w * e**2 for w, e in zip(a, fit.residuals, strict=True))
    squares = [w**2 for w in a]
    with_v = [w * v for w, v in zip(squares, problem.v, strict=True)]
    noise = mp.fsum(w * v for w, v in zip(a, problem.v, strict=True)) - _trace(fit.inverse, _cross(problem, with_v))
    return max(mp.mpf(0), (q - noise) / (mp.fsum(a) - _trace(fit.inverse, _cross(problem, squares))))


def _hedges(problem: Problem) -> Exact:
    return _of_form(problem, [mp.mpf(1)] * len(problem.y))


def _dersimonian_laird(problem: Problem) -> Exact:
    return _of_form(problem, _weights(problem, mp.mpf(0)))


def _second_step(first: Callable[[Problem], Exact]) -> Callable[[Problem], Exact]:
    return lambda problem: _of_form(problem, _weights(problem, first(problem)))


def _hunter_schmidt(problem: Problem) -> Exact:
    total = mp.fsum(_weights(problem, mp.mpf(0)))
    return max(mp.mpf(0), (_q(problem, mp.mpf(0)) - len(problem.y)) / total)


def _hunter_schmidt_corrected(problem: Problem) -> Exact:
    k, total = len(problem.y), mp.fsum(_weights(problem, mp.mpf(0)))
    return max(mp.mpf(0), k * (_q(problem, mp.mpf(0)) / problem.df - 1) / total)


def _sidik_jonkman(problem: Problem) -> Exact:
    k = len(problem.y)
    mean = mp.fsum(problem.y) / k
    crude = mp.fsum((y - mean) ** 2 for y in problem.y) / k
    return crude * _q(problem, crude) / problem.df


def _where_q_is(problem: Problem, target: Exact) -> Exact:
    def above(t: Exact) -> Exact:
        return _q(problem, t) - target

    if above(mp.mpf(0)) <= 0:
        return mp.mpf(0)
    high = max(problem.v)
    while above(high) > 0:
        high *= 2
    return _bisected(above, mp.mpf(0), high)


def _median(df: int) -> Exact:
    def above(q: Exact) -> Exact:
        return mp.gammainc(mp.mpf(df) / 2, q / 2, mp.inf, regularized=True) - mp.mpf("0.5")

    return _bisected(above, mp.mpf(0), mp.mpf(2 * df + 2))


def _highest(restricted: bool) -> Callable[[Problem], Exact]:
    def estimate(problem: Problem) -> Exact:
        return max(_maxima(problem, restricted), key=lambda t: _height(problem, t, restricted))

    return estimate


_ESTIMATORS: dict[str, Callable[[Problem], Exact]] = {
    "REML": _highest(True),
    "ML": _highest(False),
    "DL": _dersimonian_laird,
    "DL2": _second_step(_dersimonian_laird),
    "HE": _hedges,
    "CA2": _second_step(_hedges),
    "HS": _hunter_schmidt,
    "HSk": _hunter_schmidt_corrected,
    "SJ": _sidik_jonkman,
    "PM": lambda problem: _where_q_is(problem, mp.mpf(problem.df)),
    "PMM": lambda problem: _where_q_is(problem, _median(problem.df)),
    "EB": lambda problem: _where_q_is(problem, mp.mpf(problem.df)),
    "EE": lambda _: mp.mpf(0),
}


def maxima(problem: Problem, *, restricted: bool) -> list[float]:
    """Every maximum of the (restricted) likelihood over tau2 >= 0 that a scan can tell apart."""
    with mp.workdps(DIGITS):
        return [float(t) for t in _maxima(problem, restricted)]


def heights(problem: Problem, tau2: Sequence[float], *, restricted: bool) -> list[float]:
    """(Restricted) log-likelihoods with every constant."""
    with mp.workdps(DIGITS):
        return [float(_height(problem, mp.mpf(t), restricted)) for t in tau2]


def _height(problem: Problem, t: Exact, restricted: bool) -> Exact:
    fit = _squares(problem, _weights(problem, t))
    logs = mp.fsum(mp.log(v + t) for v in problem.v)
    count = problem.df if restricted else len(problem.y)
    twice = logs + _q(problem, t) + count * mp.log(2 * mp.pi)
    if restricted:
        twice += fit.log_det - mp.log(mp.det(_cross(problem, [mp.mpf(1)] * len(problem.y))))
    return -twice / 2


def _slope(problem: Problem, t: Exact, restricted: bool) -> Exact:
    w = _weights(problem, t)
    fit = _squares(problem, w)
    squares = mp.fsum((a * e) ** 2 for a, e in zip(w, fit.residuals, strict=True))
    lost = _trace(fit.inverse, _cross(problem, [a**2 for a in w])) if restricted else 0
    return squares - mp.fsum(w) + lost


def _maxima(problem: Problem, restricted: bool) -> list[Exact]:
    """Scan from far below the least variance to the residual sum of squares, above which no maximum lies."""
    ones = [mp.mpf(1)] * len(problem.y)
    top = 2 * mp.fsum(e**2 for e in _squares(problem, ones).residuals)
    low = min(problem.v) / 1000
    steps = int(mp.log10(top / low) * STEPS) + 2 if top > low else 2
    grid = [mp.mpf(0)] + [low * mp.mpf(10) ** (mp.mpf(step) / STEPS) for step in range(steps)]
    rises = [_slope(problem, t, restricted) > 0 for t in grid]
    found = [] if rises[0] else [mp.mpf(0)]
    for below, above, rises_below, rises_above in zip(grid, grid[1:], rises, rises[1:], strict=False):
        if rises_below and not rises_above:
            found.append(_bisected(lambda t: _slope(problem, t, restricted), below, above))
    return found


def _bisected(falling: Callable[[Exact], Exact], low: Exact, high: Exact) -> Exact:
    while high - low > mp.mpf(10) ** -28 * high:
        middle = (low + high) / 2
        if falling(middle) > 0:
            low = middle
        else:
            high = middle
    return high


# ---------------------------------------------------------------- every number


def exact(problem: Problem, method: str, test: str, tested: Sequence[int], *, intercept: bool) -> dict[str, float]:
    """Every number of a fit by the names of `regression_agreement`; `test` is metafor's name, `tested` are QM's."""
    with mp.workdps(DIGITS):
        t = tau2_of(problem, method)
        fit = _squares(problem, _weights(problem, t))
        factor = mp.mpf(1)
        if test in ("knha", "adhoc"):
            factor = _q(problem, t) / problem.df
            factor = max(factor, mp.mpf(1)) if test == "adhoc" else factor
        covariance = fit.inverse * factor
        df = mp.inf if test == "z" else mp.mpf(problem.df)
        found = _coefficients(fit.b, covariance, df)
        found |= _predictions(problem, fit.b, covariance, df, t, method)
        found |= _omnibus(fit.b, covariance, df, tested)
        found |= _heterogeneity(problem, t, method, intercept)
        return {name: float(number) for name, number in found.items()}


def _coefficients(b: Sequence[Exact], covariance: Exact, df: Exact) -> dict[str, Exact]:
    found: dict[str, Exact] = {}
    for i, estimate in enumerate(b):
        se = mp.sqrt(covariance[i, i])
        half = _critical(df) * se
        found |= {f"b[{i}]": estimate, f"se[{i}]": se, f"zval[{i}]": estimate / se}
        found |= {f"pval[{i}]": _two_sided(estimate / se, df)}
        found |= {f"ci_lb[{i}]": estimate - half, f"ci_ub[{i}]": estimate + half}
    return found


def _predictions(
    problem: Problem, b: Sequence[Exact], covariance: Exact, df: Exact, t: Exact, method: str
) -> dict[str, Exact]:
    found: dict[str, Exact] = {}
    for i, row in enumerate(problem.new):
        at = mp.matrix(list(row))
        mean = mp.fsum(c * b_ for c, b_ in zip(row, b, strict=True))
        se = mp.sqrt((at.T * covariance * at)[0])
        half, wide = _critical(df) * se, _critical(df) * mp.sqrt(se**2 + t)
        found |= {f"pred[{i}]": mean, f"pred_se[{i}]": se}
        found |= {f"pred_ci_lb[{i}]": mean - half, f"pred_ci_ub[{i}]": mean + half}
        if method != "EE":
            found |= {f"pred_pi_lb[{i}]": mean - wide, f"pred_pi_ub[{i}]": mean + wide}
    return found


def _omnibus(b: Sequence[Exact], covariance: Exact, df: Exact, tested: Sequence[int]) -> dict[str, Exact]:
    m = len(tested)
    some = mp.matrix([b[i] for i in tested])
    own = mp.matrix([[covariance[i, j] for j in tested] for i in tested])
    statistic = (some.T * own**-1 * some)[0]
    if df == mp.inf:
        tail = mp.gammainc(mp.mpf(m) / 2, statistic / 2, mp.inf, regularized=True)
        return {"QM": statistic, "QMp": tail}
    tail = mp.betainc(df / 2, mp.mpf(m) / 2, 0, df / (df + statistic), regularized=True)
    return {"QM": statistic / m, "QMp": tail}


def _heterogeneity(problem: Problem, t: Exact, method: str, intercept: bool) -> dict[str, Exact]:
    df, q = problem.df, _q(problem, mp.mpf(0))
    w = _weights(problem, mp.mpf(0))
    fit = _squares(problem, w)
    typical = df / (mp.fsum(w) - _trace(fit.inverse, _cross(problem, [a**2 for a in w])))
    found = {"tau2": t, "QE": q, "QEp": mp.gammainc(mp.mpf(df) / 2, q / 2, mp.inf, regularized=True)}
    if method == "EE":
        found |= {"I2": 100 * max(mp.mpf(0), q - df) / q, "H2": q / df}
    else:
        found |= {"I2": 100 * t / (t + typical), "H2": t / typical + 1}
    if intercept and method != "EE" and len(problem.x[0]) > 1:
        alone = tau2_of(problem.alone(), method)
        found["R2"] = 100 * max(mp.mpf(0), 1 - t / alone) if alone else mp.nan
    restricted = method == "REML"
    height = _height(problem, t, restricted)
    m, n = len(problem.x[0]) + (method != "EE"), df if restricted else len(problem.y)
    n_aicc = max(n, m + 2)
    found |= {
        "log_likelihood": height,
        "aic": 2 * m - 2 * height,
        "bic": m * mp.log(n) - 2 * height,
        "aicc": mp.mpf(2 * m * n_aicc) / (n_aicc - m - 1) - 2 * height,
    }
    return found


def _two_sided(statistic: Exact, df: Exact) -> Exact:
    if df == mp.inf:
        return mp.erfc(abs(statistic) / mp.sqrt(2))
    return mp.betainc(df / 2, mp.mpf(1) / 2, 0, df / (df + statistic**2), regularized=True)


_CRITICAL: dict[Exact, Exact] = {}


def _critical(df: Exact) -> Exact:
    if df not in _CRITICAL:
        tail = mp.mpf("0.05")
        _CRITICAL[df] = _bisected(lambda value: _two_sided(value, df) - tail, mp.mpf(0), mp.mpf(100))
    return _CRITICAL[df]
