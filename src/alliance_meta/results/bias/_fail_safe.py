"""`FailSafeN`: how many studies of no effect would undo a result."""

from __future__ import annotations

from dataclasses import dataclass
from math import isinf, isnan
from typing import Literal

import pandas as pd

from alliance_meta._tables import SummaryTable, apa, number, p_value, small
from alliance_meta.results._finding import Finding
from alliance_meta.results._vocabulary import TAU2_METHODS, TESTS, Tau2Method, TestMethod

__all__ = ["FAIL_SAFE_METHODS", "FailSafeMethod", "FailSafeN"]

FailSafeMethod = Literal["rosenthal", "orwin", "rosenberg", "general"]
FAIL_SAFE_METHODS: tuple[FailSafeMethod, ...] = ("rosenthal", "orwin", "rosenberg", "general")
_MOST = "more than 100,000"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class FailSafeN(Finding):
    """A fail-safe number: studies of no effect that would undo a result.

    Attributes
    ----------
    method : {"rosenthal", "orwin", "rosenberg", "general"}
    number : float
        The smallest count that suffices: 0 where nothing is to be undone, infinite where none suffices (or more than
        100,000, for ``"general"``), NaN where there is no p value.
    exact : float
        The number before it was rounded up; NaN for ``"general"``.
    k : int
    estimate : float
        What is to be undone, on the analysed scale: the mean; Stouffer's z for ``"rosenthal"``.
    p_value : float
        Of the effects at hand: one-sided for ``"rosenthal"``, two-sided for ``"rosenberg"`` and ``"general"``, NaN
        for ``"orwin"``.
    alpha : float
        NaN where a target is asked for.
    target : float
        On the analysed scale; NaN where a p value is asked for.
    weights : {"equal", "inverse-variance"}
        Of Orwin's mean.
    tau2_method, test : str
        Of the general method.
    tau2 : float
        Of the effects at hand; NaN but for ``"general"``.
    estimate_with, p_value_with, tau2_with : float
        With `number` studies of no effect; NaN but for ``"general"``.
    """

    method: FailSafeMethod
    number: float
    exact: float
    k: int
    estimate: float
    p_value: float
    alpha: float
    target: float
    weights: str
    tau2_method: Tau2Method
    test: TestMethod
    tau2: float
    estimate_with: float
    p_value_with: float
    tau2_with: float

    @property
    def tolerance(self) -> int:
        """Rosenthal's (1979) rule of thumb, 5 k + 10: up to here unpublished studies are thought not unlikely."""
        return 5 * self.k + 10

    @property
    def headline(self) -> str:
        """The number, and what it would do."""
        return f"{self._count} {self._studies} of no effect to {self._goal} ({self.method}), k = {self.k}"

    @property
    def sentence(self) -> str:
        """What was found, and what it can and cannot show."""
        if isnan(self.number):
            return "No fail-safe number: the p value that studies of no effect should undo does not exist."
        if self.number == 0.0:
            return f"No study of no effect is needed to {self._goal}: that is so already."
        if self.target == self.effects.measure.null:
            return f"No number of studies averaging no effect would {self._goal}, which is no effect itself."
        rule = (
            f" Rosenthal's rule of thumb calls a result tolerant of unpublished studies above 5k + 10 = "
            f"{self.tolerance}."
            if self.method == "rosenthal"
            else ""
        )
        count = f"{self._count[0].upper()}{self._count[1:]}"
        return (
            f"{count} unpublished {self._studies} averaging no effect would {self._goal}."
            f"{rule} The number does not say how many such studies there are; if they point the other way, "
            "fewer suffice."
        )

    @property
    def _count(self) -> str:
        if isnan(self.number):
            return "an unknown number of"
        if not isinf(self.number):
            return f"{self.number:,.0f}"
        return "no number of" if self.target == self.effects.measure.null else _MOST

    @property
    def _studies(self) -> str:
        return "study" if self.number == 1.0 else "studies"

    @property
    def _goal(self) -> str:
        if isnan(self.target):
            which = {"rosenthal": "combined one-sided p", "rosenberg": "equal-effects p", "general": "pooled p"}
            return f"bring the {which[self.method]} to {apa(self.alpha, 3 if self.alpha < 0.01 else 2, bounded=True)}"
        kind = "" if self.method == "general" else "weighted " if self.weights == "inverse-variance" else "unweighted "
        return f"bring the {kind}mean {self.effects.measure.display_scale} to {self._shown(self.target)}"

    def _shown(self, value: float, decimals: int = 3) -> str:
        return number(float(self.effects.measure.to_display(value)), decimals)

    def to_frame(self) -> pd.DataFrame:
        """One row on the analysed scale.

        Returns
        -------
        DataFrame
            method, number, exact, k, tolerance, estimate, p_value, alpha, target, tau2, estimate_with, p_value_with,
            tau2_with.
        """
        names = ("estimate", "p_value", "alpha", "target", "tau2", "estimate_with", "p_value_with", "tau2_with")
        first = {"method": self.method, "number": self.number, "exact": self.exact, "k": self.k}
        rest = {name: getattr(self, name) for name in names}
        return pd.DataFrame([{**first, "tolerance": self.tolerance, **rest}])

    def summary(self) -> SummaryTable:
        """The table that printing shows."""
        own = self.effects.measure
        rows = [("Studies of no effect", number(self.number, 0), self._goal)]
        if self.method == "rosenthal":
            rows.append(("  tolerance, 5k + 10", number(self.tolerance, 0), "rule of thumb"))
            rows.append(("Stouffer's z", number(self.estimate, 2), f"one-sided p {p_value(self.p_value)}"))
        else:
            p = "" if self.method == "orwin" else f"p {p_value(self.p_value)}"
            rows.append((f"Mean {own.display_scale} of {self.k} effects", self._shown(self.estimate), p))
        if self.method == "general":
            rows.append(("  tau²", small(self.tau2), ""))
            rows.append(
                ("  mean with the null studies", self._shown(self.estimate_with), f"p {p_value(self.p_value_with)}")
            )
            rows.append(("  tau² with the null studies", small(self.tau2_with), ""))
        return SummaryTable(
            title=f"Fail-safe number of {self.k} {'effect' if self.k == 1 else 'effects'}: {self._how}",
            header=("", "value", ""),
            rows=tuple(rows),
            right=frozenset({1}),
            notes=self.remarks,
        )

    @property
    def _how(self) -> str:
        if self.method == "general":
            return f"random effects, tau² by {TAU2_METHODS[self.tau2_method]}, {TESTS[self.test]}"
        return {
            "rosenthal": "Rosenthal (1979)",
            "orwin": f"Orwin (1983), {'unweighted' if self.weights == 'equal' else 'weighted'} mean",
            "rosenberg": "Rosenberg (2005)",
        }[self.method]
