"""`Outliers`: effects that lie outside, and the fit without them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from alliance_meta._tables import SummaryTable, number, small
from alliance_meta.results._finding import Finding
from alliance_meta.results._pooled import PooledEffect
from alliance_meta.results.sensitivity._shown import counted, how_fitted, interval_text, named, shown
from alliance_meta.stats._arrays import BoolArray, FloatArray

__all__ = ["Outliers"]

_ROWS_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Outliers(Finding):
    """Effects that lie outside, and the fit without them. All numbers are on the analysed scale (z for ``ZCOR``).

    Attributes
    ----------
    rule : {"interval", "rstudent"}
    level : float
        Of the intervals compared, or of the test of the residuals.
    adjust : str
        How p values of residuals are adjusted for their number.
    labels : tuple of str
    ci_low, ci_high : ndarray, shape (k,)
        Each effect's own interval, effect +- z sqrt(variance).
    rstudent, p_value : ndarray, shape (k,)
        Externally studentized residuals, and their p values by the normal distribution, adjusted.
    outlying : ndarray of bool, shape (k,)
    with_all : PooledEffect
    without : PooledEffect or None
        None where nothing, or nothing else, lies outside.
    """

    rule: str
    level: float
    adjust: str
    labels: tuple[str, ...]
    ci_low: FloatArray
    ci_high: FloatArray
    rstudent: FloatArray
    p_value: FloatArray
    outlying: BoolArray
    with_all: PooledEffect
    without: PooledEffect | None

    @property
    def names(self) -> tuple[str, ...]:
        """The labels of the effects that lie outside."""
        return tuple(self.labels[i] for i in np.flatnonzero(self.outlying).tolist())

    def to_frame(self) -> pd.DataFrame:
        """One row an effect: label, effect, ci_low, ci_high, rstudent, p_value (adjusted), outlying."""
        return pd.DataFrame(
            {
                "label": list(self.labels),
                "effect": self.effects.effect,
                "ci_low": self.ci_low,
                "ci_high": self.ci_high,
                "rstudent": self.rstudent,
                "p_value": self.p_value,
                "outlying": self.outlying,
            }
        )

    def fits_frame(self) -> pd.DataFrame:
        """The fit of all effects, and of those left: fit, k, estimate, std_error, ci_low, ci_high, tau2, i2."""
        fits = {"all": self.with_all, **({"without": self.without} if self.without is not None else {})}
        rows = []
        for name, fit in fits.items():
            low, high = fit.confidence_interval(self.level)
            rows.append(
                {
                    "fit": name,
                    "k": fit.k,
                    "estimate": fit.estimate,
                    "std_error": fit.std_error,
                    "ci_low": low,
                    "ci_high": high,
                    "tau2": fit.tau2,
                    "i2": fit.i2,
                }
            )
        return pd.DataFrame(rows)

    @property
    def _criterion(self) -> str:
        percent = f"{100 * self.level:g}%"
        if self.rule == "interval":
            return f"whose own {percent} interval does not touch that of the mean"
        adjusted = "" if self.adjust == "none" else f" (p values adjusted: {self.adjust})"
        return f"whose studentized residual is significant at {100 * (1.0 - self.level):.3g}%{adjusted}"

    @property
    def headline(self) -> str:
        """How many lie outside, and the estimate with and without them."""
        found = f"{len(self.names)} of {counted(len(self.labels), 'effect')} outlying"
        if self.without is None:
            return found
        ends = " without, ".join(shown(self.effects, fit.estimate, 3) for fit in (self.without, self.with_all))
        return f"{found}; {self.effects.measure.display_scale} = {ends} with them"

    @property
    def sentence(self) -> str:
        """Which lie outside, what the fit is without them, and what that cannot show."""
        own = self.effects
        if not self.names:
            return f"There is no effect {self._criterion}."
        scale = own.measure.display_scale
        found = f"{counted(len(self.names), 'effect')} {self._criterion}: {named(self.names)}."
        if self.without is None:
            return f"{found} Too few are left to pool without them."
        before, after = self.with_all, self.without
        now, then = (
            f"{shown(own, fit.estimate)} {interval_text(own, low, high, 2)}"
            for fit, (low, high) in ((each, each.confidence_interval(self.level)) for each in (after, before))
        )
        return (
            f"{found} Without {'it' if len(self.names) == 1 else 'them'}, {scale} = {now} in place of {then}, and I² = "
            f"{number(after.i2, 0)}% in place of {number(before.i2, 0)}%. Studies left out because of what they found "
            "make the others look more alike than studies are: report both."
        )

    def summary(self) -> SummaryTable:
        """Both fits, then the effects that lie outside."""
        own, percent = self.effects, f"{100 * self.level:g}%"
        rows = [
            (
                "all effects" if row["fit"] == "all" else "without those outlying",
                str(row["k"]),
                shown(own, row["estimate"], 3),
                interval_text(own, row["ci_low"], row["ci_high"]),
                small(row["tau2"]),
                f"{number(row['i2'], 1)}%" if row["i2"] == row["i2"] else "–",
                "",
            )
            for row in self.fits_frame().to_dict("records")
        ]
        out = np.flatnonzero(self.outlying).tolist()
        for i in out[:_ROWS_SHOWN]:
            interval = interval_text(own, self.ci_low[i], self.ci_high[i])
            residual = number(float(self.rstudent[i]), 2, signed=True)
            rows.append((f"  {self.labels[i]}", "", shown(own, own.effect[i], 3), interval, "", "", residual))
        hidden = len(out) - _ROWS_SHOWN
        return SummaryTable(
            title=f"Outlying among {counted(len(self.labels), 'effect')}: those {self._criterion}",
            header=("", "k", own.measure.display_scale, f"{percent} CI", "τ²", "I²", "rstudent"),
            rows=tuple(rows),
            right=frozenset(range(1, 7)),
            notes=(
                *((f"and {hidden} more outlying: see to_frame()",) if hidden > 0 else ()),
                *self.remarks,
                how_fitted(self.with_all),
            ),
        )
