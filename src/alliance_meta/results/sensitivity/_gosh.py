"""`Gosh`: the pooled effect and the heterogeneity of every subset of the studies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from alliance_meta import _checks
from alliance_meta._tables import SummaryTable, apa, number
from alliance_meta.results._finding import Finding
from alliance_meta.results._vocabulary import TAU2_METHODS, Tau2Method
from alliance_meta.stats._arrays import BoolArray, FloatArray
from alliance_meta.stats.subset_contrasts import Contrast

__all__ = ["Gosh"]

_ROWS_SHOWN = 12
_APART = 2.0
"""Two normal groups of one size and spread have two peaks only if their means are more than 2 of its units apart."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Gosh(Finding):
    """Fits of n subsets of the k studies, and which study tells them apart. Numbers are on the analysed scale.

    Attributes
    ----------
    estimate : ndarray, shape (n,)
        Pooled effect of each subset; that of a single study is its own effect. NaN where tau2 could not be estimated.
    tau2, i2 : ndarray, shape (n,)
        Between-study variance, and I2 in percent, as `pool` gives them: NaN of a single study (metafor has 0), but tau2
        is 0 under equal effects.
    q_statistic : ndarray, shape (n,)
        Cochran's Q.
    k : ndarray of int, shape (n,)
        Number of effects.
    packed : ndarray of uint8, shape (n, ceil(k / 8))
        The subsets: bit j of byte i is set where effect 8i + j takes part.
    labels : tuple of str
        Of the k effects; one that comes again has a number in brackets.
    exhaustive : bool
        Whether these are all 2^k - 1 subsets, in the order of their numbers, or a random sample of them.
    tau2_method : str
    seed : int
        Of the sample; not used where all subsets are fitted.
    peak_estimates, peak_shares : ndarray, shape (m,)
        Where the estimates gather, and the share of subsets about each; empty with fewer than 100 subsets.
    """

    estimate: FloatArray
    tau2: FloatArray
    i2: FloatArray
    q_statistic: FloatArray
    k: npt.NDArray[np.uint16]
    packed: npt.NDArray[np.uint8]
    labels: tuple[str, ...]
    exhaustive: bool
    tau2_method: Tau2Method
    seed: int
    peak_estimates: FloatArray
    peak_shares: FloatArray
    _by_estimate: Contrast
    _by_i2: Contrast

    def included(self, study: str) -> BoolArray:
        """The subsets that a study is in.

        Parameters
        ----------
        study : str
            One of `labels`.

        Returns
        -------
        ndarray of bool, shape (n,)

        Raises
        ------
        UnknownNameError
            For another label.
        """
        i = self.labels.index(_checks.known_name("study", study, self.labels))
        return np.asarray(self.packed[:, i // 8] & np.uint8(1 << i % 8), dtype=np.bool_)

    @property
    def compared(self) -> BoolArray:
        """The subsets that have an estimate and I2, which need two studies: those that all summaries are of."""
        return np.isfinite(self.estimate) & np.isfinite(self.i2)

    def to_frame(self) -> pd.DataFrame:
        """What the presence of each study goes with, one row an effect, on the analysed scale.

        Returns
        -------
        DataFrame
            study; estimate_with and estimate_without, means over the subsets of two or more with and without it;
            estimate_difference, of the two in standard deviations within both groups; estimate_share, the share of the
            variance of the estimates between the two groups, from 0 to 1; and the same of i2.
        """
        columns: dict[str, object] = {"study": list(self.labels)}
        for name, found in (("estimate", self._by_estimate), ("i2", self._by_i2)):
            columns[f"{name}_with"], columns[f"{name}_without"] = found.mean_with, found.mean_without
            columns[f"{name}_difference"], columns[f"{name}_share"] = found.difference, found.share
        return pd.DataFrame(columns)

    def subsets_frame(self) -> pd.DataFrame:
        """One row a subset: k, q_statistic, i2, tau2, estimate. See `included` for which studies it has."""
        names = ("k", "q_statistic", "i2", "tau2", "estimate")
        return pd.DataFrame({name: getattr(self, name) for name in names})

    @property
    def headline(self) -> str:
        """Where the estimates lie, over how many subsets, and the study that moves them most."""
        by, most = self._by_estimate, _most(self._by_estimate)
        if not self.compared.any():
            return f"{_subsets(self)} of {self.effects.k} effects ({self.tau2_method}), none to compare"
        low, high = _range(self)
        where = f"{self.effects.measure.display_scale} from {low} to {high}"
        named = (
            "" if most is None else f"; {self.labels[most]} moves it most ({_percent(by.share[most])} of its variance)"
        )
        return f"{where} over {_subsets(self)} of {self.effects.k} effects ({self.tau2_method}){named}"

    @property
    def sentence(self) -> str:
        """How many clusters the estimates form, the study that moves them most, and what that cannot show."""
        if not self.compared.any():
            return "None of the subsets has two or more effects and an estimate: there is nothing to compare."
        return " ".join([_clusters(self), _moved(self), _LIMITS])

    def summary(self) -> SummaryTable:
        """The studies that go with most of the variance of the estimates, and of I2."""
        order = np.argsort(-np.nan_to_num(self._by_estimate.share), kind="stable")
        first = order[:_ROWS_SHOWN].tolist()
        other = _most(self._by_i2)
        shown = [*first, other] if other is not None and other not in first else first
        hidden = len(order) - len(shown)
        every = "All" if self.exhaustive else f"A random sample (seed {self.seed}) of all"
        possible = f"{every} {2**self.effects.k - 1:,} subsets; " if self.effects.k <= 40 else ""
        notes = (
            *((f"and {hidden} more of smaller shares: see to_frame()",) if hidden else ()),
            f"{possible or 'A random sample of all subsets; '}tau² by {TAU2_METHODS[self.tau2_method]}. Means over the "
            "subsets with and without each effect, single effects left out; difference in standard deviations within "
            "the two groups; share of the variance over subsets that lies between them.",
            *self.remarks,
        )
        scale = self.effects.measure.display_scale
        header = ("", f"{scale} with", "without", "difference", "share", "I² with", "without", "share")
        return SummaryTable(
            title=f"Heterogeneity over {_subsets(self)} of {self.effects.k} effects (GOSH)",
            header=header,
            rows=tuple(_row(self, i) for i in shown),
            right=frozenset(range(1, len(header))),
            notes=notes,
        )


_LIMITS = (
    "This describes what the result hangs on: some study always moves it most, and whether that one is in error, or "
    "merely different, cannot be read from it."
)


def _subsets(found: Gosh) -> str:
    return f"{found.estimate.size:,} {'' if found.exhaustive else 'random '}subsets"


def _percent(share: float) -> str:
    return _rounded(100.0 * share)


def _rounded(percent: float) -> str:
    return "–" if np.isnan(percent) else f"{number(float(percent), 0)}%"


def _shown(found: Gosh, value: float) -> str:
    measure = found.effects.measure
    return apa(float(measure.to_display(value)), 3, bounded=measure.bounded)


def _range(found: Gosh) -> tuple[str, str]:
    here = found.estimate[found.compared]
    return _shown(found, float(here.min())), _shown(found, float(here.max()))


def _most(by: Contrast) -> int | None:
    """The study that goes with the largest share; None where nothing differs."""
    return None if np.isnan(by.share).all() else int(np.nanargmax(by.share))


def _clusters(found: Gosh) -> str:
    n, scale = int(np.count_nonzero(found.compared)), found.effects.measure.display_scale
    whole = f"The estimates of the {n:,} subsets of two or more effects"
    if _most(found._by_estimate) is None:
        return f"{whole} are all the same."
    if not found.peak_estimates.size:
        low, high = _range(found)
        return f"{whole} lie between {scale} = {low} and {high}; for clusters they are too few."
    if found.peak_estimates.size == 1:
        return f"{whole} form one cluster."
    pairs = zip(found.peak_estimates.tolist(), found.peak_shares.tolist(), strict=True)
    places = [f"{_shown(found, at)} ({_percent(share)})" for at, share in pairs]
    where = f"{', '.join(places[:-1])} and {places[-1]}"
    told = "split mostly by" if _split(found) else "which do not come down to"
    single = f"whether {found.labels[_most_of(found)]} is in them" if _split(found) else "any single effect"
    return f"{whole} form {len(places)} clusters, about {scale} = {where}, {told} {single}."


def _most_of(found: Gosh) -> int:
    return int(np.nanargmax(found._by_estimate.share))


def _split(found: Gosh) -> bool:
    """Whether the study that moves the estimates most does so by more than two normal groups need to be told apart."""
    return found.peak_estimates.size > 1 and bool(abs(found._by_estimate.difference[_most_of(found)]) > _APART)


def _moved(found: Gosh) -> str:
    by, most = found._by_estimate, _most(found._by_estimate)
    by_i2, widest = found._by_i2, _most(found._by_i2)
    parts = []
    if most is not None:
        own, others = _shown(found, by.mean_with[most]), _shown(found, by.mean_without[most])
        subject = "It" if _split(found) else found.labels[most]
        parts.append(
            f"{subject} moves them most: {found.effects.measure.display_scale} = {own} on average with it and "
            f"{others} without ({_percent(by.share[most])} of their variance)"
        )
    if widest is None:
        parts.append(f"I² is {_rounded(found.i2[found.compared][0])} in every one")
    else:
        own, others = (_rounded(mean[widest]) for mean in (by_i2.mean_with, by_i2.mean_without))
        which = "it moves I² most too" if widest == most else f"I² is moved most by {found.labels[widest]}"
        parts.append(f"{which}: {own} with it, {others} without ({_percent(by_i2.share[widest])})")
    return f"{'; '.join(parts)}."


def _row(found: Gosh, i: int) -> tuple[str, ...]:
    by, by_i2 = found._by_estimate, found._by_i2
    return (
        found.labels[i],
        _shown(found, by.mean_with[i]),
        _shown(found, by.mean_without[i]),
        number(float(by.difference[i]), 2, signed=True),
        _percent(by.share[i]),
        _rounded(by_i2.mean_with[i]),
        _rounded(by_i2.mean_without[i]),
        _percent(by_i2.share[i]),
    )
