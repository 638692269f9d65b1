"""The routes from the columns of a table to each measure, first choice first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from alliance_meta import measures
from alliance_meta.effects._cells import SIZES, Rows
from alliance_meta.stats import conversions
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.effect_measures import two_by_two

__all__ = ["ROUTES", "TURNED", "UNSIGNED", "Route"]

Inputs = tuple[FloatArray, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """A way to make an effect.

    Attributes
    ----------
    name : str
        What stands in the table of effects; it names the conversion.
    needs : tuple of str
        Column roles. ``"n"`` may also be the sum of n1 and n2; `SIZES` are n1 and n2, or two halves of n.
    make : callable
        From the cells of the route's rows to the inputs of the measure's kernel.
    takes : tuple of str
        Column roles that are used where they are there.
    signless : bool
        Whether the statistic has no sign of its own.
    """

    name: str
    needs: tuple[str, ...]
    make: Callable[[Rows], Inputs]
    takes: tuple[str, ...] = ()
    signless: bool = False

    def called(self, *, halved: bool) -> str:
        """The name, where two equal groups are assumed or not."""
        return f"{self.name.replace('n1, n2', 'n')}: equal groups assumed" if halved else self.name


MEANS = ("mean1", "mean2", "sd1", "sd2")
EVENTS = ("events1", "n1", "events2", "n2")


# Correlations: all routes end in r and n


def _r(
    name: str,
    *needs: str,
    r: Callable[[Rows], FloatArray],
    n: Callable[[Rows], FloatArray] = lambda c: c["n"],
    takes: tuple[str, ...] = (),
    signless: bool = False,
) -> Route:
    return Route(name, needs, lambda c: (r(c), n(c)), takes, signless)


def _r_of_groups(name: str, *needs: str, d: Callable[[Rows], FloatArray]) -> Route:
    """The point-biserial correlation that belongs to a Cohen's d."""
    return _r(
        f"{name}, n1, n2 -> r",
        *needs,
        SIZES,
        r=lambda c: conversions.d_to_point_biserial(d(c), c["n1"], c["n2"]),
        n=lambda c: c["n1"] + c["n2"],
    )


def _r_of_log_odds(name: str, role: str, d: Callable[[Rows], FloatArray]) -> Route:
    """The correlation with the group, in a population of logistic distributions."""
    return _r(
        f"{name}, n1, n2 -> d -> r",
        role,
        SIZES,
        r=lambda c: conversions.d_to_r_unequal(d(c), c["n1"], c["n2"]),
        n=lambda c: c["n1"] + c["n2"],
    )


def _n_or(role: str) -> Callable[[Rows], FloatArray]:
    """The sample size, or 2 more than the degrees of freedom."""
    return lambda c: np.where(np.isnan(c["n"]), c[role] + 2.0, c["n"])


def _d_of_means(c: Rows) -> FloatArray:
    return conversions.means_to_d(*(c[role] for role in (*MEANS, "n1", "n2")))


def _df(c: Rows) -> FloatArray:
    return c["n1"] + c["n2"] - 2.0


def _d_of_odds_ratio(c: Rows) -> FloatArray:
    return conversions.log_odds_ratio_to_d(np.log(c["odds_ratio"]))


def _d_of_log_odds_ratio(c: Rows) -> FloatArray:
    return conversions.log_odds_ratio_to_d(c["log_odds_ratio"])


_TO_R = (
    _r("r, n", "r", "n", r=lambda c: c["r"]),
    _r(
        "t, df -> r",
        "t",
        "df",
        r=lambda c: conversions.t_to_r(c["t"], c["df"]),
        n=_n_or("df"),
        takes=("n",),
    ),
    _r("t, n -> r", "t", "n", r=lambda c: conversions.t_to_r(c["t"], c["n"] - 2.0)),
    _r(
        "F(1), df2 -> r",
        "f",
        "df2",
        r=lambda c: conversions.f_to_r(c["f"], c["df2"]),
        n=_n_or("df2"),
        takes=("n", "df"),
        signless=True,
    ),
    _r("z, n -> r", "z", "n", r=lambda c: conversions.normal_to_r(c["z"], c["n"])),
    _r(
        "chi2(1), n -> r",
        "chi2",
        "n",
        r=lambda c: conversions.chi2_to_r(c["chi2"], c["n"]),
        takes=("df",),
        signless=True,
    ),
    _r(
        "p, n -> r",
        "p",
        "n",
        r=lambda c: conversions.p_to_r(c["p"], c["n"], c["tails"]),
        takes=("tails",),
        signless=True,
    ),
    _r("beta, n -> r", "beta", "n", r=lambda c: conversions.beta_to_r(c.turn * c["beta"]) * c.turn),
    _r("r2, n -> r", "r2", "n", r=lambda c: conversions.r2_to_r(c["r2"]), signless=True),
    _r("eta2, n -> r", "eta2", "n", r=lambda c: conversions.eta2_to_r(c["eta2"]), signless=True),
    _r_of_groups("d", "d", d=lambda c: c["d"]),
    _r_of_groups("g", "g", d=lambda c: conversions.g_to_d(c["g"], _df(c))),
    _r_of_groups("means, SDs", *MEANS, d=_d_of_means),
    _r_of_log_odds("odds ratio", "odds_ratio", _d_of_odds_ratio),
    _r_of_log_odds("log odds ratio", "log_odds_ratio", _d_of_log_odds_ratio),
    _r(
        "events, n1, n2 -> phi",
        *EVENTS,
        r=lambda c: conversions.events_to_phi(*(c[role] for role in EVENTS)),
        n=lambda c: c["n1"] + c["n2"],
    ),
)


# Standardized mean differences: all routes end in g and the group sizes


def _g(
    name: str,
    *needs: str,
    g: Callable[[Rows], FloatArray],
    takes: tuple[str, ...] = (),
    signless: bool = False,
) -> Route:
    def make(c: Rows) -> Inputs:
        return g(c), c["n1"], c["n2"], np.full(len(c), np.nan)

    return Route(name, (*needs, SIZES), make, takes, signless)


def _corrected(d: Callable[[Rows], FloatArray]) -> Callable[[Rows], FloatArray]:
    return lambda c: conversions.d_to_g(d(c), _df(c))


def _g_of_events(c: Rows) -> Inputs:
    effect, variance = two_by_two.log_odds_ratio_as_d(*(c[role] for role in EVENTS))
    return effect, c["n1"], c["n2"], variance


_TO_G = (
    _g("g, n1, n2", "g", g=lambda c: c["g"]),
    _g("d, n1, n2 -> g", "d", g=_corrected(lambda c: c["d"])),
    _g("means, SDs, n1, n2 -> g", *MEANS, g=_corrected(_d_of_means)),
    _g("t, n1, n2 -> g", "t", g=_corrected(lambda c: conversions.t_to_d(c["t"], c["n1"], c["n2"]))),
    _g(
        "F(1), n1, n2 -> g",
        "f",
        g=_corrected(lambda c: conversions.f_to_d(c["f"], c["n1"], c["n2"])),
        takes=("df",),
        signless=True,
    ),
    _g(
        "p, n1, n2 -> g",
        "p",
        g=_corrected(lambda c: conversions.p_to_d(c["p"], c["n1"], c["n2"], c["tails"])),
        takes=("tails",),
        signless=True,
    ),
    _g(
        "r, n1, n2 -> d -> g",
        "r",
        g=_corrected(lambda c: conversions.point_biserial_to_d(c["r"], c["n1"], c["n2"])),
    ),
    _g("odds ratio, n1, n2 -> g", "odds_ratio", g=_d_of_odds_ratio),
    _g("log odds ratio, n1, n2 -> g", "log_odds_ratio", g=_d_of_log_odds_ratio),
    Route("events, n1, n2 -> log odds ratio -> g", EVENTS, _g_of_events),
)


# All other measures are made from their own inputs


def _own(code: str) -> tuple[Route, ...]:
    """The one route from a measure's own inputs."""
    inputs = measures.MEASURES[code].inputs[0]
    halves = {"n1", "n2"} <= set(inputs) and "events1" not in inputs
    needs = (*(role for role in inputs if role not in ("n1", "n2")), SIZES) if halves else inputs
    return (Route(_own_name(inputs), needs, lambda c: tuple(c[role] for role in inputs)),)


def _own_name(inputs: tuple[str, ...]) -> str:
    sizes = tuple(role for role in ("n1", "n2", "n") if role in inputs)
    if "mean1" in inputs:
        return ", ".join(("means", "SDs", *sizes))
    if "mean_pre" in inputs or "mean_pre1" in inputs:
        return ", ".join(("means and SDs before and after", *sizes))
    if "events1" in inputs:
        return ", ".join(("events", *sizes))
    return ", ".join(inputs)


def _squared(c: Rows) -> Inputs:
    return c["effect"], c["std_error"] ** 2


def _from_interval(c: Rows) -> Inputs:
    width = c["ci_high"] - c["ci_low"]
    return c["effect"], (width / (2.0 * 1.959963984540054)) ** 2


_READY_MADE = (
    Route("effect, variance", ("effect", "variance"), lambda c: (c["effect"], c["variance"])),
    Route("effect, std_error", ("effect", "std_error"), _squared),
    Route("effect, ci_low, ci_high", ("effect", "ci_low", "ci_high"), _from_interval),
)

ROUTES: dict[str, tuple[Route, ...]] = {
    **{code: _own(code) for code in measures.MEASURES},
    **dict.fromkeys(("COR", "UCOR", "ZCOR"), _TO_R),
    "SMD": _TO_G,
    "GEN": _READY_MADE,
}
"""The routes to each measure, in the order in which a row takes the first it has the cells for."""

TURNED: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("COR", "UCOR", "ZCOR", "PCOR", "ZPCOR", "SPCOR", "SMD"), (0,)),
    "SMD1": (0, 1),
}
"""The inputs of a kernel that carry the sign, for measures whose variance can depend on the other rows' effects."""

UNSIGNED = ("ARAW", "AHW", "ABT")
"""Measures that have no direction."""
