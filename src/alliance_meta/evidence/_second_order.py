"""`second_order()`: a meta-analysis of meta-analyses, with what their shared studies do to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan, sqrt
from typing import Any

import numpy as np
import pandas as pd

from alliance_meta import _checks
from alliance_meta._answer import Answer
from alliance_meta._tables import SummaryTable, apa
from alliance_meta.effects import effect_sizes
from alliance_meta.errors import InputError
from alliance_meta.evidence._history import bounds_text, estimate_text, history
from alliance_meta.evidence._published import records
from alliance_meta.evidence._view import interval_text, people_text
from alliance_meta.pooling import pool
from alliance_meta.results import Interval, PooledEffect, Tau2Method
from alliance_meta.stats import conversions
from alliance_meta.stats.inference import critical_value

__all__ = ["SecondOrder", "second_order"]

ALL = "all"
_OVERLAP = (
    "Do not quote these means as if the meta-analyses were independent: they share primary studies, how many cannot be "
    "told from what they print. tau2 and Q are too small for it, and the interval with no overlap too narrow; the one "
    "with complete overlap is the widest that shared sampling error can make it, with the same tau2."
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SecondOrder(Answer):
    """Means over meta-analyses of one construct, by population. Effects and variances are on Fisher's z.

    Attributes
    ----------
    construct, related_to : str
    population : str or None
        None for all.
    fits : mapping of str to PooledEffect
        By population, where two or more meta-analyses have intervals, and ``"all"``, where there are more populations
        than one. They take the meta-analyses as independent.
    cautions, notes : tuple of str
    """

    construct: str
    related_to: str
    population: str | None
    fits: Mapping[str, PooledEffect]
    _rows: pd.DataFrame
    _left_out: pd.DataFrame

    @property
    def meta_analyses(self) -> pd.DataFrame:
        """The meta-analyses that count: as in `history()`, with z, std_error and variance (of Fisher's z)."""
        return self._rows.copy()

    @property
    def left_out(self) -> pd.DataFrame:
        """Meta-analyses without an interval that could be read: the columns of `history()`."""
        return self._left_out.copy()

    @property
    def groups(self) -> tuple[str, ...]:
        """The populations, in order of their first meta-analysis, and ``"all"``."""
        found = tuple(dict.fromkeys(self._rows["population"]))
        return (*found, ALL) if len(found) > 1 else found

    def confidence_interval(self, group: str | None = None, level: float = 0.95, *, overlap: float = 0.0) -> Interval:
        """Interval of a mean, on the scale of r, given how far the estimates share their sampling error.

        Parameters
        ----------
        group : str, optional
            One of `fits`; its last, which is all meta-analyses, by default.
        level : float
        overlap : float
            Correlation of the sampling errors of each two estimates, from 0 (no primary study shared) to 1 (all).
            The mean and its weights stay; its variance becomes tau2 sum w^2 + sum w_i w_j c_ij s_i s_j.

        Returns
        -------
        Interval

        Raises
        ------
        InputError
            For an overlap outside 0 to 1.
        UnknownNameError
            For a group that was not pooled.
        """
        if not 0.0 <= overlap <= 1.0:
            raise InputError(f"overlap must lie between 0 (no study shared) and 1 (all shared); got {overlap!r}")
        name = _checks.known_name("group", list(self.fits)[-1] if group is None else group, tuple(self.fits))
        fit = self.fits[name]
        half = float(critical_value(_checks.level(level), np.inf)) * _std_error(fit, overlap)
        low, high = (float(conversions.z_to_r(fit.estimate + side * half)) for side in (-1.0, 1.0))
        return Interval(low=low, high=high, level=level, kind="confidence", note=f"overlap {overlap:g}")

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """One row a population, and all.

        Returns
        -------
        DataFrame
            construct, population, k (meta-analyses with an interval), left_out (without), pooled (whether there are
            two or more), estimate (r; of a single one its own), ci_low, ci_high (no overlap; of a single one its own),
            overlap_low, overlap_high (complete overlap), tau2, i2, q_statistic, p_value of Q, effect_ids.
        """
        return pd.DataFrame([self._numbers(group, level) for group in self.groups])

    def _numbers(self, group: str, level: float) -> dict[str, object]:
        rows, lost = self._of(group, self._rows), self._of(group, self._left_out)
        found: dict[str, object] = {
            "construct": self.construct,
            "population": group,
            "k": len(rows),
            "left_out": len(lost),
            "pooled": group in self.fits,
        }
        if group in self.fits:
            fit = self.fits[group]
            low, high = self.confidence_interval(group, level)
            wide_low, wide_high = self.confidence_interval(group, level, overlap=1.0)
            numbers = (float(conversions.z_to_r(fit.estimate)), low, high, wide_low, wide_high)
            rest = (fit.tau2, fit.i2, fit.q_statistic, fit.q_p_value)
        else:
            only = rows.iloc[0]
            numbers = (float(only["estimate"]), float(only["ci_low"]), float(only["ci_high"]), nan, nan)
            rest = (nan, nan, nan, nan)
        names = ("estimate", "ci_low", "ci_high", "overlap_low", "overlap_high", "tau2", "i2", "q_statistic", "p_value")
        return found | dict(zip(names, (*numbers, *rest), strict=True)) | {"effect_ids": tuple(rows["effect_id"])}

    @staticmethod
    def _of(group: str, rows: pd.DataFrame) -> pd.DataFrame:
        return rows if group == ALL else rows[rows["population"] == group]

    @property
    def headline(self) -> str:
        """The mean with its two intervals, and why it must not be quoted alone."""
        group = self.groups[-1]
        row = self._numbers(group, 0.95)
        mean = apa(float(str(row["estimate"])), 2, bounded=True)
        if group not in self.fits:
            return f"{self._about}: one meta-analysis with an interval, r = {mean}; nothing to pool"
        intervals = (self._interval(group, overlap) for overlap in (0.0, 1.0))
        none, full = intervals
        return (
            f"{self._about}: mean r = {mean} over {row['k']} meta-analyses, 95% CI {none} if they shared no primary "
            f"studies, {full} if all; they share an unknown part"
        )

    @property
    def _about(self) -> str:
        return f"{self.construct} and {self.related_to}{f' ({self.population})' if self.population else ''}"

    def _interval(self, group: str, overlap: float) -> str:
        low, high = self.confidence_interval(group, overlap=overlap)
        return interval_text(low, high, bounded=True)

    @property
    def sentence(self) -> str:
        """What was found, and what it can and cannot show."""
        return (
            f"{self.headline}. The mean says where published averages lie; it is no better estimate of the true "
            "correlation than the most complete of these meta-analyses, and its interval is no evidence beyond theirs."
        )

    def summary(self) -> SummaryTable:
        """The table that printing shows: each population's meta-analyses and mean, then all."""
        rows: list[tuple[str, ...]] = []
        for group in self.groups:
            if group != ALL:
                rows += [_line(row) for row in records(self._of(group, self._rows))]
            if group in self.fits:
                rows.append(self._mean(group))
        header = ("meta-analysis", "population", "r", "95% CI", "all shared", "tau", "N")
        return SummaryTable(
            title=f"Second-order synthesis: {self._about}",
            header=header,
            rows=tuple(rows),
            right=frozenset(range(2, len(header))),
            notes=(
                "Means are set in. Their 95% CI is as if no primary study were shared; all shared: as if the "
                "meta-analyses had the same studies, and so one sampling error.",
                *self.remarks,
            ),
        )

    def _mean(self, group: str) -> tuple[str, ...]:
        fit = self.fits[group]
        return (
            f"  mean of {fit.k}",
            "all populations" if group == ALL else group,
            apa(float(conversions.z_to_r(fit.estimate)), 3, bounded=True),
            self._interval(group, 0.0),
            self._interval(group, 1.0),
            apa(sqrt(fit.tau2), 2, bounded=True),
            "",
        )

    def __repr__(self) -> str:
        return f"<SecondOrder: {self.headline}>"


def second_order(
    construct: str = "alliance",
    population: str | None = None,
    *,
    related_to: str = "outcome",
    tau2_method: Tau2Method | str = "REML",
) -> SecondOrder:
    """Pool the meta-analyses of a construct by population, and show what their shared primary studies do to the mean.

    Random effects on Fisher's z. The variances are those that the 95 % intervals imply, taken to z bound by bound;
    meta-analyses without an interval are left out and listed. Means are tested as z: Knapp and Hartung's factor would
    measure how far the estimates scatter, and shared studies keep them together.

    Parameters
    ----------
    construct : str
        As for `history()`.
    population : str, optional
        All by default.
    related_to : str
    tau2_method : str
        As for `pool()`.

    Returns
    -------
    SecondOrder

    Raises
    ------
    UnknownNameError
        For an unknown construct, relation or population.
    InputError
        If no meta-analysis has an interval.

    References
    ----------
    Cooper, H., & Koenka, A. C. (2012). The overview of reviews: Unique challenges and opportunities when research
    syntheses are the principal elements of new integrative scholarship. American Psychologist, 67, 446-462.

    Examples
    --------
    >>> found = second_order("alliance", "adult individual")
    >>> found.to_frame()[["k", "left_out", "estimate"]].round(3).values.tolist()
    [[2.0, 3.0, 0.277]]
    """
    told = history(construct, population, related_to=related_to)
    rows = told.to_frame()
    has_interval = rows["interval_from"] != ""
    used, lost = rows[has_interval].reset_index(drop=True), rows[~has_interval].reset_index(drop=True)
    if used.empty:
        raise InputError(
            f"none of {told.k} meta-analyses of {told.construct} and {told.related_to} has an interval, so none has a "
            "variance; history() shows them"
        )
    low, high = conversions.r_to_z(used["ci_low"]), conversions.r_to_z(used["ci_high"])
    used["z"] = conversions.r_to_z(used["estimate"])
    used["std_error"] = conversions.ci_to_se(low, high)
    used["variance"] = used["std_error"] ** 2
    return SecondOrder(
        construct=told.construct,
        related_to=told.related_to,
        population=told.population,
        fits=_fits(used, tau2_method),
        cautions=((_OVERLAP,) if len(used) > 1 else ()) + _other_cautions(used),
        notes=_notes(lost),
        _rows=used,
        _left_out=lost,
    )


def _fits(rows: pd.DataFrame, tau2_method: str) -> dict[str, PooledEffect]:
    groups = {str(name): group for name, group in rows.groupby("population", sort=False)}
    if len(groups) > 1:
        groups[ALL] = rows
    fits = {}
    for name, group in groups.items():
        if len(group) > 1:
            columns = {"effect": group["z"], "variance": group["variance"], "study": group["effect_id"]}
            effects = effect_sizes(pd.DataFrame(columns), measure="GEN")
            fits[name] = pool(effects, tau2_method=tau2_method, test="z")
    return fits


def _std_error(fit: PooledEffect, overlap: float) -> float:
    weights = 1.0 / (fit.effects.variance + fit.tau2)
    weights = weights / weights.sum()
    own = float((weights**2 * (fit.effects.variance + fit.tau2)).sum())
    parts = weights * np.sqrt(fit.effects.variance)
    return sqrt(own + overlap * (float(parts.sum()) ** 2 - float((parts**2).sum())))


def _other_cautions(rows: pd.DataFrame) -> tuple[str, ...]:
    quoted = rows.loc[rows["second_hand"], "label"].tolist()
    return (f"{'; '.join(quoted)}: seen only as quoted by another publication.",) if quoted else ()


def _notes(lost: pd.DataFrame) -> tuple[str, ...]:
    method = (
        "Random effects on Fisher's z; variances implied by the 95% intervals: ((z_high - z_low) / (2 × 1.96))². "
        "A population with one meta-analysis has no mean."
    )
    if lost.empty:
        return (method,)
    named = "; ".join(f"{row['label']} {estimate_text(row)}" for row in records(lost))
    return (method, f"Left out, for want of an interval: {named}.")


def _line(row: dict[str, Any]) -> tuple[str, ...]:
    mark = " *" if row["second_hand"] else ""
    return (
        f"{row['label']}{mark}",
        str(row["population"]),
        estimate_text(row),
        bounds_text(row, row["ci_low"], row["ci_high"]),
        "",
        "",
        people_text(row["n"], at_least=row["more_people"]),
    )
