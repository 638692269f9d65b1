"""Running a reproduction: what was published beside what comes out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import nan
from typing import Any, Literal

import pandas as pd

from alliance_meta import _checks, datasets
from alliance_meta._tables import SummaryTable, number
from alliance_meta.datasets import Dataset
from alliance_meta.datasets._locate import data_folder
from alliance_meta.errors import NeedsDataError, SpecError
from alliance_meta.reproductions._models import KINDS, Outcome, needs_rows, resolve
from alliance_meta.reproductions._spec import Analysis, Published, Spec, read_spec
from alliance_meta.results import QUANTITIES, PooledEffect

__all__ = ["Comparison", "Reproduction", "names", "reproduce"]

Tier = Literal["recomputed", "consistency", "needs data"]
Verdict = Literal[
    "match",
    "differs as explained",
    "SURPRISE: differs",
    "SURPRISE: matches",
    "consistent",
    "inconsistent as explained",
    "SURPRISE: inconsistent",
    "SURPRISE: consistent",
    "needs data",
]

_VERDICTS: dict[tuple[Tier, bool, str], Verdict] = {
    ("recomputed", True, "match"): "match",
    ("recomputed", True, "differs"): "SURPRISE: matches",
    ("recomputed", False, "match"): "SURPRISE: differs",
    ("recomputed", False, "differs"): "differs as explained",
    ("consistency", True, "match"): "consistent",
    ("consistency", True, "differs"): "SURPRISE: consistent",
    ("consistency", False, "match"): "SURPRISE: inconsistent",
    ("consistency", False, "differs"): "inconsistent as explained",
}
"""By the tier, whether the numbers agree, and what was expected."""

_ROUNDING = 1e-9  # keeps a number that stands exactly on a rounding boundary from being called different


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One published number beside the recomputed one.

    Attributes
    ----------
    finding, title : str
        Id and title of the reproduction.
    source : str
        The publication, in short.
    locator : str
        Where the number stands in it.
    analysis, quantity, scale : str
    label : str
        The quantity in words.
    published : str
        As printed.
    recomputed : float
    difference : float
        Recomputed minus published.
    tier : {"recomputed", "consistency", "needs data"}
        Whether the number was recomputed from the studies, held against other numbers printed with it, or waits for a
        table that cannot be shipped.
    verdict : {"match", "differs as explained", "consistent", "inconsistent as explained", "needs data"}
        A match agrees to half a unit in the last printed place. One that is not the expected one begins with
        ``"SURPRISE: "``.
    why : str
        Why a difference was expected, and what comes closest.
    how : str
        The method, in a few words.
    detail : str
        What else the numbers say.
    """

    finding: str
    title: str
    source: str
    locator: str
    analysis: str
    quantity: str
    scale: str
    label: str
    published: str
    recomputed: float
    difference: float
    tier: Tier
    verdict: Verdict
    why: str
    how: str
    detail: str

    @property
    def surprise(self) -> bool:
        """Whether the verdict is not the expected one."""
        return self.verdict.startswith("SURPRISE")

    @property
    def agrees(self) -> bool:
        """Whether the numbers agree to rounding, expected or not."""
        return self.verdict in ("match", "SURPRISE: matches", "consistent", "SURPRISE: consistent")

    @property
    def published_text(self) -> str:
        """The published number as printed, with a true minus sign."""
        return self.published.replace("-", "\u2212")

    @property
    def recomputed_text(self) -> str:
        """The recomputed number with one decimal more than was printed."""
        return number(round(self.recomputed, self._decimals), self._decimals)

    @property
    def difference_text(self) -> str:
        """The difference with as many decimals as the recomputed number."""
        return number(round(self.difference, self._decimals), self._decimals, signed=True)

    @property
    def _decimals(self) -> int:
        printed = len(self.published.partition(".")[2])
        return printed + 1 if printed else 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reproduction:
    """A published finding, recomputed.

    Attributes
    ----------
    id, title : str
    source : str
        The publication in full, or empty where each number has one of its own.
    comparisons : tuple of Comparison
    fits : tuple of (str, PooledEffect)
        The fits from study-level data, with the ids of their analyses.
    dataset : Dataset or None
        None where its table is not installed.
    as_printed : bool
        Whether the data set's deviations were undone.
    """

    id: str
    title: str
    source: str
    comparisons: tuple[Comparison, ...]
    fits: tuple[tuple[str, PooledEffect], ...]
    dataset: Dataset | None
    as_printed: bool

    @property
    def surprises(self) -> int:
        """Number of verdicts that are not the expected ones."""
        return sum(comparison.surprise for comparison in self.comparisons)

    def to_records(self) -> list[dict[str, Any]]:
        """One plain dictionary a published number: what was printed, what comes out, the verdict and why."""
        return [asdict(row) for row in self.comparisons]

    def to_frame(self) -> pd.DataFrame:
        """The rows of `to_records()` as a table."""
        return pd.DataFrame(self.to_records())

    def __repr__(self) -> str:
        state = f"{self.surprises} surprises" if self.surprises else "as expected"
        return f"<Reproduction {self.id!r}: {len(self.comparisons)} numbers, {state}>"

    def __str__(self) -> str:
        return self._summary().to_text()

    def _repr_html_(self) -> str:
        return self._summary().to_html()

    def _summary(self) -> SummaryTable:
        rows = [
            (
                row.label if self.source else f"{row.source}: {row.label}",
                row.published_text,
                row.recomputed_text,
                row.difference_text,
                row.verdict,
                row.detail,
            )
            for row in self.comparisons
        ]
        header = ("quantity", "published", "recomputed", "difference", "verdict", "what else the numbers say")
        kept = len(header) if any(row.detail for row in self.comparisons) else len(header) - 1
        methods = dict.fromkeys(f"Method: {row.how}" for row in self.comparisons if row.how)
        reasons = dict.fromkeys(f"Why: {row.why}" for row in self.comparisons if row.why)
        caveat = (self.dataset.caveat,) if self.dataset is not None and self.dataset.caveat else ()
        return SummaryTable(
            title=f"{self.title}{f': {self.comparisons[0].source}' if self.source else ''}",
            header=header[:kept],
            rows=tuple(row[:kept] for row in rows),
            right=frozenset({1, 2, 3}),
            notes=(*methods, *reasons, *caveat),
        )


def names() -> list[str]:
    """The ids of the shipped reproductions.

    Examples
    --------
    >>> "kolden2011-congruence" in names()
    True
    """
    return sorted(path.stem for path in (data_folder() / "reproductions").glob("*.toml"))


def reproduce(id: str) -> Reproduction:  # noqa: A002  the plan's name for it
    """Recompute a published finding and compare it number by number.

    Parameters
    ----------
    id : str
        One of `names()`.

    Returns
    -------
    Reproduction

    Raises
    ------
    UnknownNameError
        With the nearest known id.
    SpecError
        If the reproduction file cannot be understood.

    Examples
    --------
    >>> result = reproduce("fluckiger2018-r-as-d")
    >>> row = result.comparisons[0]
    >>> print(row.published, row.recomputed_text, row.verdict)
    0.579 0.5788 consistent
    """
    known = _checks.known_name("reproduction", id, names())
    path = data_folder() / "reproductions" / f"{known}.toml"
    spec = read_spec(path, KINDS)
    _check_dataset(spec, path.name)
    try:
        dataset = datasets.load(spec.dataset, as_printed=spec.as_printed)
    except NeedsDataError as error:
        dataset, missing = None, str(error)
    references = datasets.references()
    if spec.citation and spec.citation not in references:
        raise SpecError(f"{path.name} cites {spec.citation!r}, which is not in references.toml")
    short = references[spec.citation].short if spec.citation else ""
    comparisons: list[Comparison] = []
    fits = []
    for analysis in spec.analyses:
        if dataset is None:
            comparisons += [_waiting(spec, analysis, published, short, missing) for published in analysis.published]
            continue
        outcome = resolve(analysis, dataset)
        if outcome.fit is not None:
            fits.append((analysis.id, outcome.fit))
        comparisons += [_compare(spec, analysis, outcome, published, short) for published in analysis.published]
    return Reproduction(
        id=spec.id,
        title=spec.title,
        source=references[spec.citation].reference if spec.citation else "",
        comparisons=tuple(comparisons),
        fits=tuple(fits),
        dataset=dataset,
        as_printed=spec.as_printed,
    )


def _check_dataset(spec: Spec, where: str) -> None:
    known = sorted({*datasets.names(), *datasets.templates()})
    if spec.dataset not in known:
        raise SpecError(f"{where}: unknown data set {spec.dataset!r}; known: {_checks.listed(known)}")
    shipped = datasets.described(spec.dataset).version
    if spec.dataset_version != shipped:
        raise SpecError(f"{where} was written for version {spec.dataset_version} of {spec.dataset}, not {shipped}")


def _waiting(spec: Spec, analysis: Analysis, published: Published, short: str, missing: str) -> Comparison:
    """A number whose studies are not at hand."""
    return Comparison(
        finding=spec.id,
        title=spec.title,
        source=short,
        locator=published.locator,
        analysis=analysis.id,
        quantity=published.quantity,
        scale=published.scale,
        label=f"{QUANTITIES.get(published.quantity, published.quantity)} {published.scale}".strip(),
        published=published.value,
        recomputed=nan,
        difference=nan,
        tier="needs data",
        verdict="needs data",
        why=missing,
        how="",
        detail="",
    )


def _compare(spec: Spec, analysis: Analysis, outcome: Outcome, published: Published, short: str) -> Comparison:
    key = (published.quantity, published.scale)
    if key not in outcome.recomputed:
        known = ", ".join(f"{name} (scale {scale!r})" if scale else name for name, scale in outcome.recomputed)
        raise SpecError(
            f"{spec.id}, analysis {analysis.id!r}: no quantity {published.quantity!r} with scale {published.scale!r}; "
            f"this analysis gives {known}"
        )
    found = outcome.recomputed[key]
    reach = published.tolerance * (1.0 + _ROUNDING)
    matches = found.low - reach <= published.number <= found.high + reach
    tier: Tier = "recomputed" if needs_rows(analysis.kind) else "consistency"
    return Comparison(
        finding=spec.id,
        title=spec.title,
        source=outcome.source or short,
        locator=published.locator,
        analysis=analysis.id,
        quantity=published.quantity,
        scale=published.scale,
        label=found.label,
        published=published.value,
        recomputed=found.value,
        difference=found.value - published.number,
        tier=tier,
        verdict=_VERDICTS[tier, matches, published.expect],
        why=published.reason,
        how=outcome.how,
        detail=outcome.detail,
    )
