"""`SmallStudyEstimate` and `PetPeese`: the effect that is left when small studies are no longer believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from alliance_meta._tables import SummaryTable, apa, number, p_value
from alliance_meta.results._finding import Finding
from alliance_meta.results._interval import Interval
from alliance_meta.results.bias._small_study import EggerTest, bounds_text, how_fitted, text_of_test

__all__ = ["Direction", "PetPeese", "SmallStudyEstimate"]

Direction = Literal["mean", "positive", "negative"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SmallStudyEstimate(Finding):
    """PET or PEESE: the effect of a study without sampling error, by a line in standard errors or in variances.

    All numbers are on the analysed scale.

    Attributes
    ----------
    method : str
        ``"PET"`` or ``"PEESE"``.
    regression : EggerTest
        The line: PET's is Egger's regression on standard errors, PEESE's that on sampling variances.
    unadjusted : float
        The mean by the same model without the predictor.
    """

    method: Literal["PET", "PEESE"]
    regression: EggerTest
    unadjusted: float

    @property
    def estimate(self) -> float:
        """The adjusted effect."""
        return self.regression.intercept

    @property
    def std_error(self) -> float:
        """Its standard error."""
        return self.regression.intercept_std_error

    @property
    def df(self) -> float:
        """Degrees of freedom of its test."""
        return self.regression.intercept_df

    @property
    def statistic(self) -> float:
        """Test statistic against no effect; NaN where the standard error is 0."""
        return float(self.regression.to_frame()["statistic"][1])

    @property
    def p_value(self) -> float:
        """Two-sided."""
        return float(self.regression.to_frame()["p_value"][1])

    @property
    def k(self) -> int:
        """Number of effects."""
        return self.effects.k

    def confidence_interval(self, level: float = 0.95, *, display: bool = False) -> Interval:
        """Interval of the adjusted effect, on the analysed scale or the one shown to people."""
        return self.regression.limit_interval(level, display=display)

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """One row: method, estimate, std_error, statistic, df, p_value, ci_low, ci_high, unadjusted."""
        frame = self.regression.to_frame(level).iloc[[1]].reset_index(drop=True)
        frame["term"] = self.method
        return frame.rename(columns={"term": "method"}).assign(unadjusted=self.unadjusted)

    @property
    def headline(self) -> str:
        """The adjusted effect with its interval, as people see it."""
        return f"{_shown(self)}, k = {self.k} ({self.method}, {self.regression.settings.model})"

    @property
    def sentence(self) -> str:
        """What was found, and what it can and cannot show."""
        before = number(float(self.effects.measure.to_display(self.unadjusted)))
        other_side = _other_side(self)
        return (
            f"{self.method} extends the line to a study without sampling error: {_shown(self)}, against {before} "
            + (
                f"unadjusted. {other_side}It takes every difference between small and large studies for bias, and "
                "corrects too much where they differ for other reasons."
            )
        )

    def summary(self) -> SummaryTable:
        """The adjusted effect beside the unadjusted one."""
        rows = (_estimate_row(self), _unadjusted_row(self))
        return _estimates_table(
            f"{self.method} estimate from {self.k} effects", self, rows, (how_fitted(self.regression),)
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PetPeese(Finding):
    """PET-PEESE: PEESE where PET's test finds an effect, else PET. All numbers are on the analysed scale.

    Attributes
    ----------
    pet, peese : SmallStudyEstimate
    used : str
        ``"PET"`` or ``"PEESE"``.
    one_sided_p_value : float
        PET's, in the direction of `direction`.
    alpha : float
        PEESE is used where the one-sided p value is below half of it.
    direction : str
        ``"positive"`` or ``"negative"``: where effects are expected.
    """

    pet: SmallStudyEstimate
    peese: SmallStudyEstimate
    used: Literal["PET", "PEESE"]
    one_sided_p_value: float
    alpha: float
    direction: Literal["positive", "negative"]

    @property
    def chosen(self) -> SmallStudyEstimate:
        """The one of both that is used."""
        return self.pet if self.used == "PET" else self.peese

    @property
    def estimate(self) -> float:
        """The adjusted effect."""
        return self.chosen.estimate

    @property
    def std_error(self) -> float:
        """Its standard error, which does not know that one of two was chosen."""
        return self.chosen.std_error

    @property
    def k(self) -> int:
        """Number of effects."""
        return self.effects.k

    def confidence_interval(self, level: float = 0.95, *, display: bool = False) -> Interval:
        """Interval of the adjusted effect, on the analysed scale or the one shown to people."""
        return self.chosen.confidence_interval(level, display=display)

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """Rows ``PET`` and ``PEESE`` as of `SmallStudyEstimate`, and `used`, whether it is the estimate."""
        frame = pd.concat([self.pet.to_frame(level), self.peese.to_frame(level)], ignore_index=True)
        return frame.assign(used=frame["method"].eq(self.used))

    @property
    def headline(self) -> str:
        """The adjusted effect with its interval, as people see it."""
        return f"{_shown(self.chosen)}, k = {self.k} ({self.used} used, {self.pet.regression.settings.model})"

    @property
    def sentence(self) -> str:
        """What was found, and what it can and cannot show."""
        reached = self.used == "PEESE"
        none = f"{float(self.effects.measure.to_display(self.effects.measure.null)):g}"
        side = f"{'above' if self.direction == 'positive' else 'below'} {none}"
        return (
            f"PET {'finds' if reached else 'does not find'} an effect {side} (one-sided p "
            f"{p_value(self.one_sided_p_value)}, level {apa(self.alpha / 2.0, 3, bounded=True).rstrip('0')}), so "
            f"{self.used} is used. {self.chosen.sentence}"
        )

    def summary(self) -> SummaryTable:
        """Both estimates, the one used marked, and the unadjusted one."""
        rows = (
            *(_estimate_row(each, " (used)" if each is self.chosen else "") for each in (self.pet, self.peese)),
            _unadjusted_row(self.pet),
        )
        return _estimates_table(f"PET-PEESE of {self.k} effects", self, rows, (how_fitted(self.pet.regression),))


def _shown(found: SmallStudyEstimate) -> str:
    own = found.effects.measure
    low, high = found.confidence_interval(display=True)
    middle = number(float(own.to_display(found.estimate)))
    return f"{own.display_scale} = {middle}, 95% CI [{number(low)}, {number(high)}]"


def _other_side(found: SmallStudyEstimate) -> str:
    null = found.effects.measure.null
    if (found.estimate - null) * (found.unadjusted - null) >= 0.0:
        return ""
    return "Lying on the other side of no effect, it is best read as no evidence of one, not as one the other way. "


def _estimate_row(found: SmallStudyEstimate, mark: str = "") -> tuple[str, str, str, str]:
    shown = float(found.effects.measure.to_display(found.estimate))
    low, high = found.confidence_interval(display=True)
    test = text_of_test(found.statistic, found.df, found.p_value)
    return f"{found.method}{mark}", number(shown), bounds_text(low, high), test


def _unadjusted_row(found: SmallStudyEstimate) -> tuple[str, str, str, str]:
    return "unadjusted mean", number(float(found.effects.measure.to_display(found.unadjusted))), "", ""


def _estimates_table(
    title: str, found: Finding, rows: tuple[tuple[str, ...], ...], notes: tuple[str, ...]
) -> SummaryTable:
    return SummaryTable(
        title=title,
        header=("", found.effects.measure.display_label, "95% CI", "test of no effect"),
        rows=rows,
        right=frozenset({1, 2}),
        notes=(*found.remarks, *notes),
    )
