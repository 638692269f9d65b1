"""`literature()`: studies made by a program, with the truth behind them, for lectures and tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import atanh
from numbers import Real
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from alliance_meta import _checks
from alliance_meta._tables import SummaryTable, number
from alliance_meta.datasets._provenance import CAVEATS
from alliance_meta.errors import InputError
from alliance_meta.stats._arrays import BoolArray, FloatArray, IntArray
from alliance_meta.studies import StudyTable

__all__ = ["Dependence", "SimulatedLiterature", "Truth", "literature"]

_TYPICAL_N = 60.0
_SPREAD_OF_LOG_N = 0.6
_SMALLEST_N = 10
_MOST_TRIED = 1_000_000
_FIRST_YEAR, _LAST_YEAR = 1980, 2020

SampleSizes = int | tuple[int, int] | npt.ArrayLike | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependence:
    """How effects hang together within studies.

    Attributes
    ----------
    effects : tuple of int
        Fewest and most effects of a study; each number between them is as likely.
    correlation : float
        Of the sampling errors of a study's effects, on Fisher's z.
    tau : float
        Standard deviation of the true effects within a study, on Fisher's z.
    """

    effects: tuple[int, int] = (1, 6)
    correlation: float = 0.6
    tau: float = 0.08


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What a simulated literature was made from.

    Attributes
    ----------
    rho : float
        Correlation in the middle of the studies' true effects.
    tau : float
        Standard deviation of the studies' true effects, on Fisher's z.
    selection : float
        Chance that an effect is published if it is not significant in the expected direction, one of the others being
        published for certain.
    dependence : Dependence or None
    slopes : mapping of str to float
        Change of the true effect on Fisher's z for one more unit of each moderator; the moderators are standard normal.
    conducted, published : int
        Effects made, and those that were published.
    seed : int
    """

    rho: float
    tau: float
    selection: float
    dependence: Dependence | None
    slopes: Mapping[str, float]
    conducted: int
    published: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SimulatedLiterature(StudyTable):
    """Simulated studies and the truth behind them; takes the place of a data set.

    Attributes
    ----------
    truth : Truth
    """

    truth: Truth
    _unpublished: pd.DataFrame = field(repr=False)

    @property
    def table(self) -> pd.DataFrame:
        """A copy of the published effects, one row an effect: study, label, year, n, r, and the moderators."""
        return self.frame

    @property
    def unpublished(self) -> pd.DataFrame:
        """A copy of the effects in the file drawer, which no real literature shows."""
        return self._unpublished.copy()

    def __repr__(self) -> str:
        return f"<SimulatedLiterature: {len(self.index)} effects, true r = {self.truth.rho:g}; {self.caveat}>"

    def __str__(self) -> str:
        return f"{self._frame.to_string(max_rows=20, max_colwidth=40)}\n\n{self._summary().to_text()}"

    def _repr_html_(self) -> str:
        table = self._frame.to_html(max_rows=20, border=0, index=False, justify="left")
        return f'{self._summary().to_html()}<div style="overflow-x:auto">{table}</div>'

    def _summary(self) -> SummaryTable:
        truth = self.truth
        rows = [
            ("middle of the true correlations", f"r = {number(truth.rho, 2)}"),
            ("between studies", f"τ = {number(truth.tau, 2)} on Fisher's z"),
        ]
        if truth.dependence is not None:
            low, high = truth.dependence.effects
            rows.append(
                (
                    "within studies",
                    f"{low} to {high} effects, τ = {number(truth.dependence.tau, 2)}, sampling errors correlated "
                    f"{number(truth.dependence.correlation, 2)}",
                )
            )
        if truth.selection < 1.0:
            rows.append(("chance to publish what is not significant", number(truth.selection, 2)))
            rows.append(("published", f"{truth.published} of {truth.conducted} effects"))
        rows += [(f"slope of {name}", f"{number(slope, 3)} on Fisher's z") for name, slope in truth.slopes.items()]
        title = f"{len(self.index)} simulated effects, and the truth behind them (seed {truth.seed})"
        return SummaryTable(title=title, header=("", ""), rows=tuple(rows), notes=(self.caveat,))


def literature(
    k: int = 79,
    rho: float = 0.22,
    tau: float = 0.12,
    n: SampleSizes = None,
    *,
    selection: float = 1.0,
    dependence: Dependence | None = None,
    moderators: Mapping[str, float] | None = None,
    seed: int = 1,
) -> SimulatedLiterature:
    """Make up a literature whose truth is known: correlations of alliance and outcome that no study found.

    Parameters
    ----------
    k : int
        Published studies.
    rho : float
        Correlation in the middle of the true effects.
    tau : float
        Standard deviation of the studies' true effects on Fisher's z.
    n : int, (low, high), array_like of length k, or None
        Sample size of every study; evenly drawn between two; each study's own; by default lognormal about 60.
    selection : float
        Chance that an effect is published if it is not significant (two-sided .05) in the direction of `rho`; 1
        publishes all. Studies are made until k are published, so that it needs `n` other than one a study.
    dependence : Dependence, optional
        Several effects a study; without it one.
    moderators : mapping of str to float, optional
        Names of study-level moderators, drawn from a standard normal distribution, and their slopes on Fisher's z: 0
        for one that does nothing.
    seed : int

    Returns
    -------
    SimulatedLiterature
        Of kind simulated: every view of it, and of what is computed from it, says so.

    Raises
    ------
    InputError
        For numbers out of their range, or where hardly any study would be published.

    Notes
    -----
    With one effect a study, r is that of a sample of n pairs from a bivariate normal distribution. With several, the
    errors are normal on Fisher's z with variance 1 / (n - 3).

    Examples
    --------
    >>> made = literature(k=40, rho=0.1, selection=0.1, seed=3)
    >>> print(f"{made.truth.published} of {made.truth.conducted}; published mean r = {made.table['r'].mean():.2f}")
    40 of 121; published mean r = 0.26
    """
    slopes = _checked(k, rho, tau, selection, dependence, moderators)
    rng = np.random.default_rng(seed)
    fixed = _fixed_sizes(n, k)
    if fixed is not None and selection < 1.0:
        raise InputError("n with one number a study says which studies are published; selection draws more of them")
    pieces: list[pd.DataFrame] = []
    found = tried = 0
    while found < k:
        batch = k if selection >= 1.0 else 2 * k
        made = _studies(batch, rho, tau, n if fixed is None else fixed, dependence, slopes, rng)
        made["study"] += tried
        tried += batch
        made["published"] = _published(made, rho, selection, rng)
        shown = made.groupby("study")["published"].transform("any")
        order = made["study"].map({study: i for i, study in enumerate(made.loc[shown, "study"].unique())})
        pieces.append(made[~(order >= k - found)])
        found += int(made.loc[shown, "study"].nunique())
        if tried > _MOST_TRIED and found < k:
            raise InputError(f"of {tried} studies only {found} were published; raise selection, rho or n")
    whole = pd.concat(pieces, ignore_index=True)
    last = whole.loc[whole["published"], "study"].max()
    return _labelled(
        whole[whole["study"] <= last],
        Truth(
            rho=rho,
            tau=tau,
            selection=selection,
            dependence=dependence,
            slopes=slopes,
            conducted=int((whole["study"] <= last).sum()),
            published=int(whole["published"].sum()),
            seed=seed,
        ),
    )


def _checked(
    k: int,
    rho: float,
    tau: float,
    selection: float,
    dependence: Dependence | None,
    moderators: Mapping[str, float] | None,
) -> Mapping[str, float]:
    """The slopes, once every number is in its range."""
    within = {
        "k must be a whole number, 1 or more": isinstance(k, int) and k >= 1,
        "rho must lie between -1 and 1": isinstance(rho, Real) and -1.0 < rho < 1.0,
        "tau must be a finite number, 0 or more": isinstance(tau, Real) and 0.0 <= tau < np.inf,
        "selection must lie between 0 and 1, above 0": isinstance(selection, Real) and 0.0 < selection <= 1.0,
    }
    if dependence is not None:
        low, high = dependence.effects
        within["dependence.effects must be fewest and most effects of a study, from 1 up"] = 1 <= low <= high
        within["dependence.correlation must lie between 0 and 1"] = 0.0 <= dependence.correlation < 1.0
        within["dependence.tau must be a finite number, 0 or more"] = 0.0 <= dependence.tau < np.inf
    slopes = dict(moderators or {})
    taken = ("effect_id", "study", "label", "year", "n", "r", "published")
    within[f"moderators may not be called {_checks.listed(taken, last='or')}"] = not set(taken) & set(slopes)
    within["the slopes of moderators must be finite numbers"] = all(np.isfinite(slope) for slope in slopes.values())
    for rule, holds in within.items():
        if not holds:
            raise InputError(rule)
    return MappingProxyType({name: float(slope) for name, slope in slopes.items()})


def _fixed_sizes(n: SampleSizes, k: int) -> IntArray | None:
    """Sample sizes given one a study; None where they are to be drawn."""
    if n is None or isinstance(n, int | tuple):
        return None
    sizes = np.asarray(n)
    if sizes.shape != (k,) or not np.issubdtype(sizes.dtype, np.integer) or (sizes < 4).any():
        raise InputError(f"n must be a whole number, two, or {k} of them, each 4 or more")
    return sizes.astype(np.intp)


def _sizes(n: SampleSizes | IntArray, count: int, rng: np.random.Generator) -> IntArray:
    if n is None:
        drawn = np.exp(rng.normal(np.log(_TYPICAL_N), _SPREAD_OF_LOG_N, count))
        return np.maximum(np.rint(drawn), _SMALLEST_N).astype(np.intp)
    if isinstance(n, np.ndarray):
        return n.astype(np.intp)
    low, high = n if isinstance(n, tuple) else (n, n)
    if not (isinstance(low, int) and isinstance(high, int) and 4 <= low <= high):
        raise InputError(f"n must be a whole number from 4 up, or the fewest and the most; got {n!r}")
    return rng.integers(low, high, count, endpoint=True).astype(np.intp)


def _studies(
    count: int,
    rho: float,
    tau: float,
    n: SampleSizes | IntArray,
    dependence: Dependence | None,
    slopes: Mapping[str, float],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Effects of `count` studies, numbered from 0: study, n, r, and the moderators."""
    sizes = _sizes(n, count, rng)
    columns = {name: rng.standard_normal(count) for name in slopes}
    true = atanh(rho) + tau * rng.standard_normal(count)
    for name, slope in slopes.items():
        true = true + slope * columns[name]
    if dependence is None:
        study, r = np.arange(count), _sample_correlation(np.tanh(true), sizes, rng)
    else:
        low, high = dependence.effects
        study = np.repeat(np.arange(count), rng.integers(low, high, count, endpoint=True))
        shared, own = rng.standard_normal(count)[study], rng.standard_normal(study.size)
        share = dependence.correlation
        error = (np.sqrt(share) * shared + np.sqrt(1.0 - share) * own) / np.sqrt(sizes[study] - 3.0)
        r = np.tanh(true[study] + dependence.tau * rng.standard_normal(study.size) + error)
    return pd.DataFrame(
        {"study": study, "n": sizes[study], "r": r, **{name: values[study] for name, values in columns.items()}}
    )


def _sample_correlation(rho: FloatArray, n: IntArray, rng: np.random.Generator) -> FloatArray:
    """The r of n pairs from a bivariate normal distribution, from its cross-products by Bartlett's decomposition."""
    a, b = np.sqrt(rng.chisquare(n - 1)), np.sqrt(rng.chisquare(n - 2))
    along = rho * a + np.sqrt(1.0 - rho**2) * rng.standard_normal(rho.size)
    across = np.sqrt(1.0 - rho**2) * b
    return np.asarray(along / np.hypot(along, across))


def _published(made: pd.DataFrame, rho: float, selection: float, rng: np.random.Generator) -> BoolArray:
    r, n = made["r"].to_numpy(dtype=float), made["n"].to_numpy(dtype=float)
    z = np.arctanh(r) * np.sqrt(n - 3.0) * (-1.0 if rho < 0.0 else 1.0)
    return np.asarray((z > special.ndtri(0.975)) | (rng.random(r.size) < selection))


def _labelled(whole: pd.DataFrame, truth: Truth) -> SimulatedLiterature:
    """Names that cannot be taken for those of real studies."""
    shown = whole[whole["published"]]
    names = {study: f"Simulated {i}" for i, study in enumerate(shown["study"].unique(), 1)}
    years = np.random.default_rng(truth.seed).integers(_FIRST_YEAR, _LAST_YEAR, len(names), endpoint=True)
    frame = shown.assign(
        label=shown["study"].map(names), year=shown["study"].map(dict(zip(names, years.tolist(), strict=True)))
    )
    frame["study"] = frame["label"].str.replace("Simulated ", "simulated")
    frame["effect_id"] = frame["study"] + "-" + (frame.groupby("study").cumcount() + 1).astype(str)
    order = ["effect_id", "study", "label", "year", "n", "r", *truth.slopes]
    return SimulatedLiterature(
        _frame=frame[order].reset_index(drop=True),
        roles=MappingProxyType({role: role for role in ("effect_id", "study", "label", "n", "r")}),
        caveat=CAVEATS["simulated"],
        truth=truth,
        _unpublished=whole.loc[~whole["published"], ["n", "r", *truth.slopes]].reset_index(drop=True),
    )
