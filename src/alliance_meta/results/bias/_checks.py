"""`BiasChecks`: every check for publication bias on the same effects, in one table and one plain answer."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from alliance_meta._tables import SummaryTable, number, p_cell
from alliance_meta.results._finding import Finding

__all__ = ["BiasChecks"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class BiasChecks(Finding):
    """Tests of, and means corrected for, selective publication. All numbers are on the analysed scale.

    Attributes
    ----------
    findings : dict of str to Finding
        What each method gave, by the method's name.
    failed : dict of str to str
        Methods that cannot be used on these effects, and why.
    level : float
        Of the intervals.
    """

    findings: dict[str, Finding]
    failed: dict[str, str]
    level: float
    _frame: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """One row a method.

        Returns
        -------
        DataFrame
            method, kind ("mean" or "test"), k, estimate, ci_low, ci_high, p_value (of the test; of the mean against no
            effect), found (what it says in a few words), cautions (how many), why (why there is no number).
        """
        return self._frame.copy()

    @property
    def _means(self) -> pd.DataFrame:
        frame = self._frame
        return frame[(frame["kind"] == "mean") & frame["estimate"].notna()]

    @property
    def _tests(self) -> pd.DataFrame:
        frame = self._frame
        return frame[(frame["kind"] == "test") & frame["p_value"].notna()]

    @property
    def headline(self) -> str:
        """The span of the means, and how many tests speak."""
        own, means = self.effects.measure, self._means["estimate"]
        low, high = (float(own.to_display(value)) for value in (means.min(), means.max()))
        asked = self._tests
        return (
            f"{own.display_scale} from {number(low, 2)} to {number(high, 2)} over {len(means)} means; "
            f"{int((asked['p_value'] < 0.10).sum())} of {len(asked)} tests with p < .10"
        )

    @property
    def sentence(self) -> str:
        """The plain answer: what the means have in common, what the tests say, and what that cannot show."""
        own, means, asked = self.effects.measure, self._means, self._tests
        shown = [number(float(own.to_display(value)), 2) for value in means["estimate"]]
        span = sorted(shown[1:], key=lambda text: float(text.replace("\u2212", "-")))
        told = int((asked["p_value"] < 0.10).sum())
        corrected = f"{span[0]} to {span[-1]} with one of {len(span)}" if span else "with none that could be made"
        return (
            f"{self._answer}. {own.display_scale} = {shown[0]} without a correction, {corrected}; {told} of "
            f"{len(asked)} tests {'has' if told == 1 else 'have'} p < .10. Each method takes another kind of selection "
            "for granted; none can tell selection from true differences between small and large studies, and where all "
            "agree they may be wrong together."
        )

    @property
    def _answer(self) -> str:
        """Whether there is a mean effect, by the intervals without and with corrections."""
        means, null = self._means, self.effects.measure.null
        clear = (means["ci_low"] > null) | (means["ci_high"] < null)
        found, corrected = bool(clear.iloc[0]), clear.iloc[1:]
        other = _named(means["method"].iloc[1:][corrected != found].tolist())
        own = self.effects.measure
        zero = f"{own.display_scale} = {number(float(own.to_display(null)), 0)}"
        verb, opposite = ("excludes", "includes") if found else ("includes", "excludes")
        if not other:
            return f"The interval {verb} {zero} without a correction and with each one"
        return f"The interval {verb} {zero} without a correction; with {other} it {opposite} it"

    def summary(self) -> SummaryTable:
        """The table that printing shows, on the scale shown to people."""
        own = self.effects.measure
        rows = []
        for row in self._frame.to_dict("records"):
            numbers = [float(own.to_display(float(row[name]))) for name in ("estimate", "ci_low", "ci_high")]
            known = row["kind"] == "mean" and not row["why"]
            rows.append(
                (
                    str(row["method"]),
                    number(numbers[0]) if known else "",
                    f"[{number(numbers[1])}, {number(numbers[2])}]" if known else "",
                    "" if row["p_value"] != row["p_value"] else p_cell(float(row["p_value"])),
                    f"{row['cautions']}" if row["cautions"] else "",
                    str(row["why"] or row["found"]),
                )
            )
        return SummaryTable(
            title=f"Checks for publication bias on {self.effects.k} effects",
            header=("method", own.display_scale, f"{100 * self.level:g}% CI", "p", "cautions", ""),
            rows=tuple(rows),
            right=frozenset({1, 2, 3, 4}),
            notes=(
                *self.remarks,
                "findings[method] has each result, with its cautions in words.",
            ),
        )


def _named(methods: list[str]) -> str:
    return methods[0] if len(methods) == 1 else f"{', '.join(methods[:-1])} and {methods[-1]}" if methods else ""
