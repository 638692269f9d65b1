"""`Influence` and `Baujat`: which studies move a fit, or feed its heterogeneity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from alliance_meta._tables import SummaryTable, number, small
from alliance_meta.results._finding import Finding
from alliance_meta.results._pooled import PooledEffect
from alliance_meta.results._regression import MetaRegression
from alliance_meta.results.sensitivity._shown import counted, how_fitted, named
from alliance_meta.stats.influence import Baujat as BaujatNumbers
from alliance_meta.stats.influence import Influence as InfluenceNumbers

__all__ = ["Baujat", "Influence"]

_ROWS_SHOWN = 20
_WIDE = 1.96


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Influence(Finding):
    """What each effect does to a fit. All numbers are on the analysed scale (z for ``ZCOR``).

    Attributes
    ----------
    fit : PooledEffect or MetaRegression
    labels : tuple of str
    names : tuple of str
        The coefficients; ``("intercept",)`` for a pooled effect.
    numbers : Influence of `stats.influence`
        rstudent, dffits, cooks_distance, cov_ratio, tau2_deleted, q_deleted, hat, weight (percent), dfbetas and
        coefficients_deleted: arrays that begin with the axis of effects.
    """

    fit: PooledEffect | MetaRegression
    labels: tuple[str, ...]
    names: tuple[str, ...]
    numbers: InfluenceNumbers

    @property
    def cutoffs(self) -> dict[str, float]:
        """Beyond which each measure marks an effect: dffits (absolute), cooks_distance, hat, dfbetas (absolute)."""
        k, p = len(self.labels), len(self.names)
        return {
            "dffits": 3.0 * float(np.sqrt(p / (k - p))) if k > p else float("nan"),
            "cooks_distance": float(special.chdtri(p, 0.5)),
            "hat": 3.0 * p / k,
            "dfbetas": 1.0,
        }

    @property
    def marks(self) -> pd.DataFrame:
        """One row an effect: whether each measure is beyond its cutoff."""
        found, limits = self.numbers, self.cutoffs
        return pd.DataFrame(
            {
                "dffits": np.abs(found.dffits) > limits["dffits"],
                "cooks_distance": found.cooks_distance > limits["cooks_distance"],
                "hat": found.hat > limits["hat"],
                "dfbetas": (np.abs(found.dfbetas) > limits["dfbetas"]).any(axis=1),
            }
        )

    @property
    def influential(self) -> tuple[str, ...]:
        """Effects with any measure beyond its cutoff (the rule of thumb that metafor stars), in the table's order."""
        marked = self.marks.any(axis=1).to_numpy()
        return tuple(label for label, mark in zip(self.labels, marked.tolist(), strict=True) if mark)

    def to_frame(self) -> pd.DataFrame:
        """One row an effect.

        Returns
        -------
        DataFrame
            label, rstudent, dffits, cooks_distance, cov_ratio, tau2_deleted, q_deleted, hat, weight (percent of the
            sum of weights), dfbetas (dfbetas[name] where there are several coefficients), estimate without it
            (estimate[name]), influential.
        """
        found = self.numbers
        columns: dict[str, object] = {"label": list(self.labels)}
        columns |= {name: getattr(found, name) for name in InfluenceNumbers._fields[:8]}
        for quantity, values in (("dfbetas", found.dfbetas), ("estimate", found.coefficients_deleted)):
            for j, name in enumerate(self.names):
                columns[quantity if len(self.names) == 1 else f"{quantity}[{name}]"] = values[:, j]
        columns["influential"] = self.marks.any(axis=1).to_numpy()
        return pd.DataFrame(columns)

    @property
    def headline(self) -> str:
        """How many effects the rule of thumb marks."""
        return f"{len(self.influential)} of {counted(len(self.labels), 'effect')} influential by rule of thumb"

    @property
    def sentence(self) -> str:
        """Which effects stand out, by which measure, and what that means."""
        words = {"dffits": "DFFITS", "cooks_distance": "Cook's distance", "hat": "hat value", "dfbetas": "DFBETAS"}
        marks = self.marks
        reasons = [
            f"{label} ({', '.join(words[name] for name in marks.columns[marks.iloc[i]])})"
            for i, label in enumerate(self.labels)
            if marks.iloc[i].any()
        ]
        far = [self.labels[i] for i in np.flatnonzero(np.abs(np.nan_to_num(self.numbers.rstudent)) > _WIDE).tolist()]
        outside = f"; {counted(len(far), 'studentized residual')} beyond ±1.96 ({named(far)})" if far else ""
        chance = f", where chance alone gives about {number(0.05 * len(self.labels), 1)}" if far else ""
        if not reasons:
            return (
                f"No effect is influential by Viechtbauer and Cheung's rules of thumb{outside}{chance}. Effects that "
                "pull together can hide each other from measures that leave out one at a time."
            )
        return (
            f"Influential by Viechtbauer and Cheung's rules of thumb: {named(reasons)}{outside}{chance}. Such an "
            "effect is one to read again; the rule alone is no reason to leave it out."
        )

    def summary(self) -> SummaryTable:
        """The largest Cook's distances first."""
        found, marks = self.numbers, self.marks
        order = np.argsort(-np.nan_to_num(found.cooks_distance, nan=np.inf), kind="stable")[:_ROWS_SHOWN].tolist()
        alone = len(self.names) == 1
        rows = []
        for i in order:
            starred = {name: "*" if marks[name].iloc[i] else "" for name in marks}
            most = int(np.nanargmax(np.abs(found.dfbetas[i]))) if not np.isnan(found.dfbetas[i]).any() else 0
            moved = f"{starred['dfbetas']}{number(float(found.dfbetas[i, most]), 2, signed=True)}"
            rows.append(
                (
                    self.labels[i],
                    number(float(found.rstudent[i]), 2, signed=True),
                    f"{starred['dffits']}{number(float(found.dffits[i]), 2, signed=True)}",
                    f"{starred['cooks_distance']}{number(float(found.cooks_distance[i]), 3)}",
                    *((number(float(found.cov_ratio[i]), 2),) if alone else ()),
                    small(float(found.tau2_deleted[i])),
                    f"{starred['hat']}{number(float(found.hat[i]), 3)}",
                    moved,
                )
            )
        hidden = len(self.labels) - len(order)
        limits, ratio = self.cutoffs, ("cov. ratio",) if alone else ()
        return SummaryTable(
            title=f"Influence of {counted(len(self.labels), 'effect')}, the largest Cook's distances first",
            header=("", "rstudent", "DFFITS", "Cook's D", *ratio, "τ² without", "hat", "DFBETAS"),
            rows=tuple(rows),
            right=frozenset(range(1, 8 if alone else 7)),
            notes=(
                *((f"and {hidden} more with smaller distances: see to_frame()",) if hidden else ()),
                f"* |DFFITS| above {number(limits['dffits'], 2)}, Cook's distance above "
                f"{number(limits['cooks_distance'], 2)}, hat above {number(limits['hat'], 2)}, or |DFBETAS| above 1"
                f"{'.' if alone else ' (that of the coefficient that moves most is shown).'}",
                *self.remarks,
                how_fitted(self.fit),
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Baujat(Finding):
    """Each study's part in the heterogeneity and in the result (no unit).

    Attributes
    ----------
    labels : tuple of str
    numbers : Baujat of `stats.influence`
        heterogeneity and influence, arrays of shape (k,).
    tau2_method : str
        ``"EE"`` for the plot as it was published.
    q_statistic : float
        Cochran's Q of all effects.
    """

    labels: tuple[str, ...]
    numbers: BaujatNumbers
    tau2_method: str
    q_statistic: float

    def to_frame(self) -> pd.DataFrame:
        """One row an effect: label, heterogeneity (contribution to Q), share (percent of their sum), influence."""
        found = self.numbers
        total = float(found.heterogeneity.sum())
        share = 100.0 * found.heterogeneity / total if total > 0.0 else np.full(len(self.labels), np.nan)
        return pd.DataFrame(
            {
                "label": list(self.labels),
                "heterogeneity": found.heterogeneity,
                "share": share,
                "influence": found.influence,
            }
        )

    @property
    def headline(self) -> str:
        """The study that adds most to heterogeneity."""
        frame = self.to_frame()
        if frame["share"].isna().all():
            return "no heterogeneity to share out"
        most = int(frame["share"].to_numpy().argmax())
        return f"{number(frame['share'][most], 0)}% of {self._of} from {' '.join(self.labels[most].split())}"

    @property
    def _of(self) -> str:
        return "Q" if self.tau2_method == "EE" else "the sum of squared residuals"

    @property
    def sentence(self) -> str:
        """Which studies stand out on the two axes."""
        frame = self.to_frame()
        if frame["share"].isna().all() or frame["influence"].isna().any():
            return "There is no heterogeneity, or too little is left without a study, to compare them."
        top = frame.nlargest(min(3, len(frame)), "share")
        names = [" ".join(str(label).split()) for label in top["label"]]
        parts = [f"{name} ({share:.0f}%)" for name, share in zip(names, top["share"], strict=True)]
        mover = " ".join(str(frame["label"].iloc[int(self.numbers.influence.argmax())]).split())
        mean = "equal-effects mean" if self.tau2_method == "EE" else "pooled mean"
        moves = (
            f"{names[0] if mover == names[0] else mover} {'also ' if mover == names[0] else ''}moves the {mean} most"
        )
        rest = f", then {named(parts[1:])}" if len(parts) > 1 else ""
        return (
            f"Of {self._of} = {number(float(self.numbers.heterogeneity.sum()), 1)}, "
            f"{number(float(top['share'].iloc[0]), 0)}% comes from {names[0]}{rest}; {moves}. The plot says where to "
            "look, not why studies differ, and has no line beyond which a study is out of place."
        )

    def summary(self) -> SummaryTable:
        """The largest contributions first."""
        frame = self.to_frame().sort_values("heterogeneity", ascending=False, kind="stable")
        rows = [
            (
                str(row["label"]),
                number(float(row["heterogeneity"]), 2),
                f"{number(float(row['share']), 1)}%",
                number(float(row["influence"]), 3),
            )
            for row in frame.head(_ROWS_SHOWN).to_dict("records")
        ]
        hidden = len(frame) - len(rows)
        what = "contribution to Q" if self.tau2_method == "EE" else "squared residual"
        return SummaryTable(
            title=f"Contributions of {counted(len(frame), 'effect')} to heterogeneity and to the result",
            header=("", what, "share", "influence on the mean"),
            rows=tuple(rows),
            right=frozenset({1, 2, 3}),
            notes=(
                *((f"and {hidden} more with smaller contributions: see to_frame()",) if hidden else ()),
                *self.remarks,
            ),
        )
