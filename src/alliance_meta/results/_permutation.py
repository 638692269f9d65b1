"""`PermutationResult`: p values by permutation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

import pandas as pd

from alliance_meta import _checks
from alliance_meta._tables import SummaryTable, number, p_cell, p_value
from alliance_meta.errors import InputError
from alliance_meta.results._vocabulary import TAU2_METHODS, TESTS, Tau2Method, TestMethod

__all__ = ["Exactness", "PermutationResult", "PermutationSettings"]

Exactness = Literal["auto", True]
_SCHEMES = {"rows": "arrangements of the moderators among the effects", "signs": "flips of the effects' signs"}


_REFITTED = ("REML", "ML", "DL", "HE", "HS", "HSk", "SJ", "PM", "PMM", "EB", "EE")
"""Estimators of tau2 that metafor has, and so computes anew for every arrangement."""


class Fitted(Protocol):
    """What a permutation test asks of the fit that it was made from."""

    def to_r(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PermutationSettings:
    """Every option a permutation test was computed with.

    Attributes
    ----------
    scheme : {"rows", "signs"}
        Rows of moderators dealt anew among the effects; or, for a mean, signs of the effects flipped.
    n : int
    exact : {"auto", True}
    seed : int
    tau2_method, test : str
        Those of the fit.
    """

    scheme: Literal["rows", "signs"]
    n: int
    exact: Exactness
    seed: int
    tau2_method: Tau2Method
    test: TestMethod


@dataclass(frozen=True, slots=True, kw_only=True)
class PermutationResult:
    """A permutation test of a fit.

    Attributes
    ----------
    names : tuple of str
        The coefficients' names; ``"overall"`` for a pooled effect.
    statistics : tuple of float
        The fit's own t or z statistics.
    p_values : tuple of float
        Shares of the arrangements, the observed one among them, whose statistic is at least as far from 0.
    omnibus_statistic, omnibus_p_value : float
        Of all moderators together, QM under z tests, else F; NaN without moderators.
    arrangements : int
        How many the p values are shares of.
    exact : bool
        Whether these are all that there are, or a random choice of them.
    failed : int
        Refits that did not reach a solution; they count as far from 0.
    k : int
    settings : PermutationSettings
    notes : tuple of str
    caveat : str
        That of the effects.
    fit : PooledEffect or MetaRegression, or None
        What it was made from.
    """

    names: tuple[str, ...]
    statistics: tuple[float, ...]
    p_values: tuple[float, ...]
    omnibus_statistic: float
    omnibus_p_value: float
    arrangements: int
    exact: bool
    failed: int
    k: int
    settings: PermutationSettings
    notes: tuple[str, ...] = ()
    caveat: str = ""
    fit: Fitted | None = field(default=None, repr=False, compare=False)

    def p_value(self, name: str) -> float:
        """The p value of one coefficient by its name."""
        return self.p_values[self.names.index(_checks.known_name("coefficient", name, self.names))]

    def to_frame(self) -> pd.DataFrame:
        """One tidy row a coefficient, and one for the omnibus test: term, statistic, p_value."""
        return pd.DataFrame(self._rows(), columns=["term", "statistic", "p_value"])

    def to_r(self) -> str:
        """R code that repeats this test with metafor's `permutest`, data included.

        Of all arrangements its p values are these; of a random choice they differ by chance.

        Raises
        ------
        InputError
            Where metafor cannot say the same: it would keep the tau2 of an estimator of ours instead of computing it
            anew for every arrangement.
        """
        if self.fit is None:
            raise InputError(
                "this result does not hold the fit it was made from; permutation_test() gives one that does"
            )
        code = self.fit.to_r()
        kept = any(line.startswith("fit <- rma(") and "tau2 = tau2" in line for line in code.splitlines())
        if kept or self.settings.tau2_method not in _REFITTED:
            raise InputError(
                "metafor's permutest() cannot repeat this test: it would not estimate tau2 by "
                f"{self.settings.tau2_method} anew for every arrangement. Take another tau2_method, such as 'REML'."
            )
        kind = "TRUE" if self.exact else f"FALSE, iter = {self.arrangements}"
        chance = "" if self.exact else "  # other random arrangements, so p values differ by chance"
        lines = [
            "set.seed(1)" if not self.exact else "",
            f"permuted <- permutest(fit, exact = {kind}, progbar = FALSE){chance}",
            "print(permuted, digits = 6)",
        ]
        return code + "\n".join(filter(None, lines)) + "\n"

    def _rows(self) -> list[tuple[str, float, float]]:
        rows = list(zip(self.names, self.statistics, self.p_values, strict=True))
        omnibus = ("omnibus", self.omnibus_statistic, self.omnibus_p_value)
        return rows if self.settings.scheme == "signs" else [*rows, omnibus]

    def __repr__(self) -> str:
        p_values = ", ".join(f"{name}: p {p_value(p)}" for name, _, p in self._rows())
        how = "all" if self.exact else "random"
        caveat = f"; {self.caveat}" if self.caveat else ""
        return f"<PermutationResult: {p_values} ({how} {self.arrangements:,} arrangements, k = {self.k}){caveat}>"

    def __str__(self) -> str:
        return self._summary().to_text()

    def _repr_html_(self) -> str:
        return self._summary().to_html()

    def to_markdown(self) -> str:
        """The summary as a Markdown table."""
        return self._summary().to_markdown()

    def _summary(self) -> SummaryTable:
        settings = self.settings
        letter = "z" if settings.test == "z" else "t"
        labels = {"omnibus": f"all moderators ({'QM' if settings.test == 'z' else 'F'})"}
        rows = [(labels.get(name, name), number(value, 2), p_cell(p)) for name, value, p in self._rows()]
        chosen = "All" if self.exact else "Random"
        least = 1.0 / self.arrangements
        p_values = f"a p value is a share of them, so at least {least:.2g}"
        failed = f"{self.failed:,} refits did not reach a solution; they count as far from 0."
        return SummaryTable(
            title=f"Permutation test of a meta-analysis of {self.k} {'study' if self.k == 1 else 'effects'}",
            header=("", letter, "p"),
            rows=tuple(rows),
            right=frozenset({1, 2}),
            notes=(
                f"{chosen} {self.arrangements:,} {_SCHEMES[settings.scheme]}: {p_values}",
                f"tau² by {TAU2_METHODS[settings.tau2_method]}, estimated anew for each; statistics of "
                f"{TESTS[settings.test]}",
                *((failed,) if self.failed else ()),
                *self.notes,
                *((self.caveat,) if self.caveat else ()),
            ),
        )
