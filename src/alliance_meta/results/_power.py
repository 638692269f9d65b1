"""`PowerResult` and `NewStudies`: what a planned meta-analysis can be expected to show."""

from __future__ import annotations

from dataclasses import dataclass
from math import isinf
from typing import Literal

from alliance_meta._tables import apa, number
from alliance_meta.measures import measure

__all__ = ["POWER_TARGETS", "POWER_TESTS", "NewStudies", "PowerResult", "PowerTarget", "PowerTest"]

PowerTarget = Literal["mean", "difference", "slope"]
PowerTest = Literal["knapp-hartung", "z"]

POWER_TARGETS: dict[PowerTarget, str] = {
    "mean": "the pooled mean",
    "difference": "the difference of two subgroups",
    "slope": "a slope",
}
POWER_TESTS: dict[PowerTest, str] = {"knapp-hartung": "Knapp–Hartung test", "z": "z test"}


def _shown(code: str, effect: tuple[float, ...]) -> str:
    own = measure(code)
    return f"{own.display_scale} = {' and '.join(number(value, 2) for value in effect)}"


def _percent(share: float) -> str:
    return "over 99%" if share > 0.995 else f"{100 * share:.0f}%"


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerResult:
    """Power of a planned meta-analysis, and everything it was computed from.

    Attributes
    ----------
    power : float
        Probability of a significant result.
    target : {"mean", "difference", "slope"}
    effect : tuple of float
        The true effect, or the two that are compared, on the scale shown to people.
    measure : str
    k : tuple of int
        Number of studies; one number for each of two subgroups.
    variance : float
        Typical sampling variance, on the analysed scale.
    tau2, i2 : float
        Between-study variance (within subgroups, or that the moderator leaves), and the share of the total variance
        that it is, in percent.
    alpha : float
    tails : {1, 2}
    test : {"knapp-hartung", "z"}
    std_error : float
        Expected standard error of the mean, difference or slope, on the analysed scale.
    noncentrality : float
        The effect in these standard errors.
    df : float
        Degrees of freedom of the test; infinite for z.
    """

    power: float
    target: PowerTarget
    effect: tuple[float, ...]
    measure: str
    k: tuple[int, ...]
    variance: float
    tau2: float
    i2: float
    alpha: float
    tails: int
    test: PowerTest
    std_error: float
    noncentrality: float
    df: float

    def to_apa(self) -> str:
        """A sentence fit for the plan of a study."""
        studies = " and ".join(str(count) for count in self.k)
        what = {
            "mean": f"a pooled effect of {_shown(self.measure, self.effect)}",
            "difference": f"a difference of subgroups with {_shown(self.measure, self.effect)}",
            "slope": f"a slope from {_shown(self.measure, self.effect)} in a standard deviation of the moderator",
        }[self.target]
        sides = "two-sided" if self.tails == 2 else "one-sided"
        return (
            f"With k = {studies} studies of typical sampling variance {self.variance:.3g} and τ² = {self.tau2:.3g} "
            f"(I² = {self.i2:.0f}%), the power to detect {what} is {_percent(self.power)} ({POWER_TESTS[self.test]}, "
            f"{sides}, α = {apa(self.alpha, 3 if self.alpha < 0.01 else 2, bounded=True)})."
        )

    def __repr__(self) -> str:
        studies = "+".join(str(count) for count in self.k)
        df = "z" if isinf(self.df) else f"t({self.df:g})"
        return (
            f"<PowerResult: power = {number(self.power, 3)} for {POWER_TARGETS[self.target]}, "
            f"{_shown(self.measure, self.effect)}, k = {studies}, tau2 = {self.tau2:.3g} ({df}, "
            f"alpha = {self.alpha:g}, {'two' if self.tails == 2 else 'one'}-sided)>"
        )

    def __str__(self) -> str:
        return self.to_apa()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewStudies:
    """How many studies a meta-analysis lacks, and what it will be able to show with them.

    Attributes
    ----------
    new : int
        The smallest number of new studies that suffices; 0 where the old ones do.
    k : int
        Old and new studies together.
    reached : float
        The power, or the half-width of the interval (on the scale shown to people), with them.
    goal : {"power", "half-width"}
    asked : float
        The power or half-width asked for.
    effect : float
        True effect, or the estimate that is taken to stay, on the scale shown to people.
    measure : str
    variance : float
        Sampling variance of a new study, on the analysed scale.
    tau2 : float
    """

    new: int
    k: int
    reached: float
    goal: Literal["power", "half-width"]
    asked: float
    effect: float
    measure: str
    variance: float
    tau2: float

    def to_apa(self) -> str:
        """A sentence fit for the plan of a study."""
        effect = _shown(self.measure, (self.effect,))
        what = (
            f"power to detect {effect} reaches {_percent(self.reached)}"
            if self.goal == "power"
            else f"the interval around {effect} shrinks to ±{number(self.reached, 3)}"
        )
        studies = "study" if self.new == 1 else "studies"
        return f"With {self.new} new {studies} (k = {self.k}), {what}, if τ² stays {self.tau2:.3g}."

    def __repr__(self) -> str:
        reached = f"{self.goal} {number(self.reached, 3)}"
        return f"<NewStudies: {self.new} new, k = {self.k}, {reached} (asked: {self.asked:g})>"

    def __str__(self) -> str:
        return self.to_apa()
