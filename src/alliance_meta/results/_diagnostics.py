"""`StudyDiagnostics`: what each study counts in a fit, and what the fit is without it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from alliance_meta._tables import SummaryTable, number, small
from alliance_meta.effects import EffectSizes
from alliance_meta.errors import InputError
from alliance_meta.results._multilevel import Multilevel
from alliance_meta.stats._arrays import BoolArray, FloatArray, IntArray
from alliance_meta.stats.multilevel._shares import Effects, effects_of

__all__ = ["StudyDiagnostics", "effects_behind"]

_ROWS_SHOWN = 20
_PLURALS = {"study": "studies", "laboratory": "laboratories", "country": "countries"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudyDiagnostics:
    """Each study's part in a fit. All numbers are on the analysed scale (z for ``ZCOR``).

    Attributes
    ----------
    by : str
        The column that names the studies, or ``"effect"``.
    labels : tuple of str
        Of the S studies, in the order of their first effects.
    k : ndarray of int, shape (S,)
        Number of effects.
    weight : ndarray, shape (S,)
        Share of the mean (percent): what its effects' rows of V^-1 sum to; NaN with moderators.
    hat_sum, hat_max : ndarray, shape (S,)
        Of the hat values of its effects; all effects' sum to the number of coefficients.
    names : tuple of str
        The coefficients; ``("intercept",)`` for a pooled effect.
    coefficients : ndarray, shape (p,)
        With all studies.
    coefficients_without : ndarray, shape (S, p)
        NaN where they cannot be told without the study.
    levels : tuple of str
        Of the variance components; ``("effect",)`` for `pool()` and `meta_regression()`.
    components : ndarray, shape (L,)
    components_without : ndarray, shape (S, L)
        Those with all studies where `refit` is False.
    cooks_distance : ndarray, shape (S,)
        d'M d for the change d of the coefficients and the inverse M of their covariance with all studies, not over p.
    dfbetas : ndarray, shape (S, p)
        Change of each coefficient (with, less without, the study) over its standard error with all studies and
        `components_without`.
    effect_weights, effect_hats : ndarray, shape (n,)
        Of each effect, in the order of the table; weights in percent.
    effects : EffectSizes
    refit : bool
        Whether the variance components were estimated again without each study.
    notes : tuple of str
    """

    by: str
    labels: tuple[str, ...]
    k: IntArray
    weight: FloatArray
    hat_sum: FloatArray
    hat_max: FloatArray
    names: tuple[str, ...]
    coefficients: FloatArray
    coefficients_without: FloatArray
    levels: tuple[str, ...]
    components: FloatArray
    components_without: FloatArray
    cooks_distance: FloatArray
    dfbetas: FloatArray
    effect_weights: FloatArray
    effect_hats: FloatArray
    effects: EffectSizes
    refit: bool
    notes: tuple[str, ...]
    _clusters: IntArray

    @property
    def influential(self) -> tuple[str, ...]:
        """Studies to look at, by Viechtbauer and Cheung's (2010) rules of thumb: the largest Cook's distance first.

        Cook's distance above the median of chi-square(p), or a coefficient that moves by more than a standard error.
        """
        order = np.argsort(-self.cooks_distance, kind="stable")
        return tuple(self.labels[i] for i in order.tolist() if self._marked[i])

    @property
    def _marked(self) -> BoolArray:
        far = self.cooks_distance > special.chdtri(len(self.names), 0.5)
        return np.asarray(far | (np.abs(self.dfbetas) > 1.0).any(axis=1), dtype=np.bool_)

    def to_frame(self) -> pd.DataFrame:
        """One row a study.

        Returns
        -------
        DataFrame
            `by`, k, weight (percent), hat_sum, hat_max, cooks_distance, dfbetas, and without the study estimate, tau2
            (the sum of the components). With several coefficients dfbetas[name] and estimate[name] in their place;
            with several levels also tau2[level].
        """
        columns: dict[str, object] = {
            self.by: list(self.labels),
            "k": self.k,
            "weight": self.weight,
            "hat_sum": self.hat_sum,
            "hat_max": self.hat_max,
            "cooks_distance": self.cooks_distance,
        }
        for quantity, values in (("dfbetas", self.dfbetas), ("estimate", self.coefficients_without)):
            for j, name in enumerate(self.names):
                columns[quantity if len(self.names) == 1 else f"{quantity}[{name}]"] = values[:, j]
        columns["tau2"] = self.components_without.sum(axis=1)
        if len(self.levels) > 1:
            columns |= {f"tau2[{name}]": self.components_without[:, j] for j, name in enumerate(self.levels)}
        return pd.DataFrame(columns)

    def effects_frame(self) -> pd.DataFrame:
        """One row an effect, in the order and with the index of its table: study, label, effect, weight, hat."""
        return pd.DataFrame(
            {
                "study": [self.labels[i] for i in self._clusters.tolist()],
                "label": self.effects.labels,
                "effect": self.effects.effect,
                "weight": self.effect_weights,
                "hat": self.effect_hats,
            },
            index=self.effects.table.index,
        )

    def __repr__(self) -> str:
        caveat = f"; {self.effects.caveat}" if self.effects.caveat else ""
        known = np.nan_to_num(self.cooks_distance, nan=-1.0)
        most = int(known.argmax())
        found = f"largest Cook's distance {number(float(self.cooks_distance[most]), 2)} ({self.labels[most]})"
        return f"<StudyDiagnostics: {_counted(len(self.labels), self.by)}, {found}{caveat}>"

    def __str__(self) -> str:
        return _summary(self).to_text()

    def _repr_html_(self) -> str:
        return _summary(self).to_html()

    def to_markdown(self) -> str:
        """The summary as a Markdown table."""
        return _summary(self).to_markdown()


def effects_behind(fit: Multilevel) -> Effects:
    """The effects of a multilevel fit as the kernel takes them.

    Raises
    ------
    InputError
        For crossed effects.
    """
    data, table = fit._problem.data, fit.effects.table
    if data.levels != 1 + len(data.starts):
        raise InputError(
            "fit has crossed effects, so its groups cannot be looked at one by one; fit the model without them"
        )
    groups = [pd.factorize(table[column])[0] for column in fit.settings.levels]
    return effects_of(fit._problem, fit.effects.effect, fit.effects.variance, fit.design.matrix, groups)


def _counted(n: int, by: str) -> str:
    return f"{n} {by if n == 1 else _PLURALS.get(by, f'{by}s')}"


def _summary(found: StudyDiagnostics) -> SummaryTable:
    """The studies of the largest Cook's distances first."""
    alone = len(found.names) == 1
    order = np.argsort(-np.nan_to_num(found.cooks_distance, nan=np.inf), kind="stable")[:_ROWS_SHOWN].tolist()
    rows = [_row(found, i, alone) for i in order]
    with_all = (
        "with all",
        str(int(found.k.sum())),
        *((number(100.0, 1),) if alone else ()),
        number(float(found.hat_sum.sum()), 3),
        "",
        "",
        *((number(float(found.coefficients[0]), 3),) if alone else ()),
        small(float(found.components.sum())),
    )
    hidden = len(found.labels) - len(order)
    how = "τ² estimated again" if found.refit else "τ² held"
    notes = (
        *((f"and {hidden} more with smaller distances: see to_frame()",) if hidden else ()),
        f"Without each {found.by}, {how}. "
        + ("Estimates on the analysed scale. " if alone else "DFBETAS: of the coefficient that moves most. ")
        + "* Cook's distance above the median of chi-square(p), or DFBETAS beyond ±1.",
        *found.notes,
        *((found.effects.caveat,) if found.effects.caveat else ()),
    )
    header = (found.by, "k", *(("weight %",) if alone else ()), "hat", "Cook's D", "DFBETAS")
    header = (*header, *(("estimate",) if alone else ()), "τ²")
    return SummaryTable(
        title=f"Influence of {_counted(len(found.labels), found.by)}",
        header=header,
        rows=(*rows, with_all),
        right=frozenset(range(1, len(header))),
        notes=notes,
    )


def _row(found: StudyDiagnostics, i: int, alone: bool) -> tuple[str, ...]:
    moves = found.dfbetas[i]
    most = 0 if alone or np.isnan(moves).any() else int(np.abs(moves).argmax())
    moved = number(float(moves[most]), 2, signed=True)
    mark = "*" if found._marked[i] else ""
    return (
        found.labels[i],
        str(int(found.k[i])),
        *((number(float(found.weight[i]), 1),) if alone else ()),
        number(float(found.hat_sum[i]), 3),
        f"{mark}{number(float(found.cooks_distance[i]), 3)}",
        moved if alone else f"{found.names[most]} {moved}",
        *((number(float(found.coefficients_without[i, 0]), 3),) if alone else ()),
        small(float(found.components_without[i].sum())),
    )
