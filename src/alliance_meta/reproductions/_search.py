"""`search()`: which choices of method, among those of the field, give the numbers that a publication prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, combinations, product
from typing import NamedTuple

import numpy as np
import pandas as pd

from alliance_meta import _checks, datasets
from alliance_meta._tables import SummaryTable, number
from alliance_meta.datasets import Dataset, Deviation
from alliance_meta.datasets._locate import data_folder
from alliance_meta.effects import EffectSizes, aggregate, effect_sizes
from alliance_meta.errors import InputError
from alliance_meta.reproductions._models import KINDS
from alliance_meta.reproductions._spec import Analysis, Published, Spec, read_spec
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.heterogeneity import cochran_q, inconsistency_from_q
from alliance_meta.stats.inference import critical_value
from alliance_meta.stats.random_effects import random_effects

__all__ = ["Search", "search"]

_METHODS = ("EE", "DL", "REML", "ML", "PM", "HE", "HS", "SJ")
_TESTS = ("z", "t", "knapp-hartung")
_WEIGHTS = ("inverse-variance", "n", "equal")
_AGGREGATED = (("mean", 0.5), ("composite", 0.5), ("inverse-variance", 0.5), ("inverse-variance", 0.8))
_SUBSETS_UP_TO = 4
_REACH = 5
"""How many units of the last printed place, to both sides, the printed numbers are moved to count chance agreement."""
_ROWS_SHOWN = 12
_ROUNDING = 1e-9

_QUANTITIES = ("estimate", "ci_low", "ci_high", "tau2", "i2", "q_statistic", "k")
_MOVED = _QUANTITIES[:-1]
_ON_EFFECT_SCALE = ("estimate", "ci_low", "ci_high")
_CHOICES = ("effects", "aggregation", "as_printed", "left_out", "weights", "tau2_method", "test")

_VARIANCES: dict[str, dict[str, Callable[[FloatArray, FloatArray], FloatArray]]] = {
    "COR": {
        "r, variance of n alone, 1/(n-3)": lambda _r, n: 1.0 / (n - 3.0),
        "r, variance of its t test, (1-r^2)/(n-2)": lambda r, n: (1.0 - r**2) / (n - 2.0),
    },
    "SMD": {"g, variance of n alone, 4/n": lambda _g, n: 4.0 / n},
}
"""Variances that the field has used besides those of `effect_sizes()`."""
_LABELS = {"COR": "r", "ZCOR": "Fisher's z", "SMD": "g"}
_MEASURES = {"COR": ("COR", "ZCOR"), "ZCOR": ("COR", "ZCOR"), "SMD": ("SMD",)}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Search:
    """What the choices of method give, beside the printed numbers.

    Attributes
    ----------
    id, analysis : str
    printed : dict of str to str
        The numbers searched for, as printed.
    by_chance : float
        How many choices agree, on average, with printed numbers that are moved by up to five units of their last
        place: agreement that says nothing about the method.
    moved_found : float
        Share of such moved numbers that some choice gives.
    """

    id: str
    analysis: str
    printed: dict[str, str]
    by_chance: float
    moved_found: float
    _frame: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """One row a choice: what was chosen, what it gives, how many printed numbers agree, how far the worst is off.

        `distance` is the largest difference in halves of a unit of the last printed place: up to 1 agrees. Sorted by
        the numbers that agree, then by how little was changed, then by distance.
        """
        return self._frame.copy()

    @property
    def agreeing(self) -> pd.DataFrame:
        """The choices that give every printed number."""
        return self._frame[self._frame["agree"] == len(self.printed)].copy()

    @property
    def sentence(self) -> str:
        """What was found, and how much of it chance would give."""
        found, tried = len(self.agreeing), len(self._frame)
        whole = int((self.agreeing["left_out"] == "").sum())
        numbers = ", ".join(f"{name} {value}" for name, value in self.printed.items())
        if found == 0:
            best = self._frame.iloc[0]
            said = f"None of {tried} choices gives {numbers}; the nearest agrees on {best['agree']} of them."
        else:
            said = f"{found} of {tried} choices give {numbers}, {whole} of them with every study."
        return (
            f"{said} Printed numbers moved by up to {_REACH} units of their last place are met by "
            f"{self.by_chance:.1f} choices on average, and {100 * self.moved_found:.0f}% of them by some choice: so "
            "much is chance, and agreement does not say that the choice was the article's."
        )

    def __repr__(self) -> str:
        return f"<Search {self.id!r}: {len(self.agreeing)} of {len(self._frame)} choices agree>"

    def __str__(self) -> str:
        return self._summary().to_text()

    def _repr_html_(self) -> str:
        return self._summary().to_html()

    def _summary(self) -> SummaryTable:
        # One decimal more than was printed; none where a whole number was.
        places = {name: len(value.partition(".")[2]) + ("." in value) for name, value in self.printed.items()}
        rows = []
        for row in self._frame.head(_ROWS_SHOWN).to_dict("records"):
            without = f"without {row['left_out']}" if row["left_out"] else ""
            how = ", ".join(filter(None, (row["effects"], row["aggregation"], row["as_printed"], without)))
            method = " ".join(str(row[name]) for name in ("tau2_method", "test") if row[name])
            weights = "" if row["weights"] == "inverse-variance" else f", weights {row['weights']}"
            numbers = [number(float(row[name]), decimals) for name, decimals in places.items()]
            rows.append((how, f"{method}{weights}", *numbers, f"{row['agree']} of {len(self.printed)}"))
        printed = ("printed", "", *(value.replace("-", "\u2212") for value in self.printed.values()), "")
        return SummaryTable(
            title=f"Choices of method that come nearest to {self.id}, {self.analysis}",
            header=("effects", "model", *self.printed, "agree"),
            rows=(printed, *rows),
            right=frozenset(range(2, len(self.printed) + 3)),
            notes=(self.sentence,),
        )


class _Effects(NamedTuple):
    """Effects made in one way."""

    label: str
    aggregation: str
    as_printed: str
    scale: str
    made: EffectSizes
    variance: FloatArray


def search(id: str, analysis: str = "overall", *, leave_out: bool = True) -> Search:  # noqa: A002  the plan's name for it
    """Run the field's choices of method over a finding's studies, and rank them by the printed numbers they give.

    The choices: the metric (r or Fisher's z) and formula of its variance, one effect a study or all, each deviation of
    the data set taken back or not, every study left out once, the weights of the mean, the estimator of tau2, and the
    test behind the interval.

    Parameters
    ----------
    id : str
        A reproduction from the studies, of ``reproductions.names()``.
    analysis : str
        One of its analyses.
    leave_out : bool
        Leave each study out once, as well as none.

    Returns
    -------
    Search

    Raises
    ------
    UnknownNameError
        For an unknown finding or analysis.
    InputError
        For an analysis that is not a pooled effect of correlations or standardized mean differences.
    NeedsDataError
        If its studies are not installed.

    Examples
    --------
    >>> found = search("farber_doolin2011-as-printed", leave_out=False)
    >>> found.agreeing[["effects", "as_printed", "tau2_method"]].head(1).values.tolist()
    [["Fisher's z", '', 'DL']]
    """
    spec = _spec(id)
    wanted = {item.id: item for item in spec.analyses}
    asked = wanted[_checks.known_name(f"analysis of {id}", analysis, tuple(wanted))]
    if asked.kind != "pool" or asked.measure not in _MEASURES:
        raise InputError(f"search() is for pooled correlations and standardized mean differences, not {asked.kind!r}")
    printed = [item for item in asked.published if item.quantity in _QUANTITIES]
    tests = _TESTS if any(item.quantity.startswith("ci_") for item in printed) else ("",)
    dataset = datasets.load(spec.dataset)
    scale = next((item.scale for item in printed if item.scale), "")
    pieces = [
        _fitted(effects, weights, method, test, leave_out)
        for effects in _ways(dataset, asked, scale)
        for weights, method, test in product(_WEIGHTS, _METHODS, tests)
    ]
    return _ranked(id, analysis, printed, pd.concat(pieces, ignore_index=True))


def _spec(name: str) -> Spec:
    folder = data_folder() / "reproductions"
    known = _checks.known_name("reproduction", name, tuple(sorted(path.stem for path in folder.glob("*.toml"))))
    return read_spec(folder / f"{known}.toml", KINDS)


def _ways(dataset: Dataset, analysis: Analysis, scale: str) -> Iterator[_Effects]:
    """The effects, made in every way whose scale is the printed one."""
    for undone, variant in _variants(dataset):
        for code in _MEASURES[analysis.measure]:
            made = effect_sizes(variant, measure=code)
            if scale and scale not in (made.measure.scale, made.measure.display_scale):
                continue
            label = _LABELS[code]
            yield _Effects(label, "", undone, scale, made, made.variance)
            for name, formula in _VARIANCES.get(code, {}).items():
                yield _Effects(name, "", undone, scale, made, formula(made.effect, _sizes(made)))
            if made.shared_studies():
                for method, rho in _AGGREGATED:
                    if method != "composite" or code != "SMD":
                        one = aggregate(made, method=method, correlation=rho)
                        yield _Effects(label, f"{method} a study, r = {rho:g}", undone, scale, one, one.variance)


def _variants(dataset: Dataset) -> Iterator[tuple[str, Dataset]]:
    """The data set, and with deviations that change a number taken back: each set of them, or each if they are many."""
    numbers = {dataset.roles[role] for role in ("r", "g", "n", "n1", "n2") if role in dataset.roles}
    deviations = [item for item in dataset.provenance.deviations if item.column in numbers]
    sizes = range(len(deviations) + 1) if len(deviations) <= _SUBSETS_UP_TO else (0, 1)
    for undone in chain.from_iterable(combinations(deviations, size) for size in sizes):
        yield "; ".join(f"{item.row} {item.column} = {item.printed}" for item in undone), _undo(dataset, undone)


def _undo(dataset: Dataset, undone: tuple[Deviation, ...]) -> Dataset:
    frame = dataset.table
    for item in undone:
        frame.loc[frame["effect_id"] == item.row, item.column] = float(item.printed)
    return replace(dataset, _frame=frame)


def _sizes(effects: EffectSizes) -> FloatArray:
    return np.asarray(effects.table["n"].to_numpy(dtype=float))


def _fitted(effects: _Effects, weights: str, method: str, test: str, leave_out: bool) -> pd.DataFrame:
    """One row for all studies, and one without each of them."""
    y, v = effects.made.effect, effects.variance
    k = y.size
    include = np.vstack([np.ones(k), 1.0 - np.eye(k)]) if leave_out else np.ones((1, k))
    given = None
    if weights != "inverse-variance":
        given = np.ones(k) if weights == "equal" or "n" not in effects.made.table else _sizes(effects.made)
    fit = random_effects(y, v, include, tau2_method=method, test=test or "z", weights=given)
    half = critical_value(0.95, fit.df) * fit.std_error
    q = cochran_q(y, v, include)
    found = {
        "estimate": fit.estimate,
        "ci_low": fit.estimate - half,
        "ci_high": fit.estimate + half,
        "tau2": fit.tau2,
        "i2": inconsistency_from_q(q).i2,
        "q_statistic": q.q_statistic,
        "k": fit.k,
    }
    own = effects.made.measure
    if effects.scale == own.display_scale:
        found |= {name: own.to_display(found[name]) for name in _ON_EFFECT_SCALE}
    chosen = (effects.label, effects.aggregation, effects.as_printed, "", weights, method, test)
    frame = pd.DataFrame({**dict(zip(_CHOICES, chosen, strict=True)), **found})
    frame.loc[~fit.converged, list(_MOVED)] = np.nan
    if leave_out:
        frame["left_out"] = ["", *effects.made.table["effect_id"].astype(str)]
    return frame


def _ranked(name: str, analysis: str, printed: list[Published], frame: pd.DataFrame) -> Search:
    off = np.column_stack([frame[item.quantity].to_numpy(dtype=float) - item.number for item in printed])
    half = np.array([item.tolerance for item in printed])
    distance = np.nan_to_num(np.abs(off) / half, nan=np.inf)
    agrees = distance <= 1.0 + _ROUNDING
    frame = frame.assign(agree=agrees.sum(axis=1), distance=distance.max(axis=1))
    frame["changed"] = (
        (frame["left_out"] != "").astype(int) + (frame["as_printed"] != "") + (frame["aggregation"] != "")
    )
    moved = np.array([item.quantity in _MOVED for item in printed])
    by_chance, found = _chance(off[:, moved] / (2.0 * half[moved]), agrees[:, ~moved].all(axis=1))
    ranked = frame.sort_values(["agree", "changed", "distance"], ascending=[False, True, True], kind="stable")
    return Search(
        id=name,
        analysis=analysis,
        printed={item.quantity: item.value for item in printed},
        by_chance=by_chance,
        moved_found=found,
        _frame=ranked.drop(columns="changed").reset_index(drop=True),
    )


def _chance(units: FloatArray, counted: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> tuple[float, float]:
    """Mean number of choices that agree with moved numbers, and the share of moved numbers that some choice meets.

    Each choice rounds to one set of numbers, so that it agrees with exactly one of the sets to which the printed ones
    can be moved, if that is within reach.
    """
    steps = np.round(units[counted])
    near = steps[(np.abs(steps) <= _REACH).all(axis=1) & (steps != 0.0).any(axis=1)]
    sets = (2 * _REACH + 1) ** units.shape[1] - 1
    return len(near) / sets, len(np.unique(near, axis=0)) / sets
