"""`WaldTest`: a test that coefficients, or combinations of them, are all 0."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isinf

import numpy as np
from scipy import special

from alliance_meta import _checks
from alliance_meta._tables import number, p_value
from alliance_meta.design import Design
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.regression import wald_statistic

__all__ = ["WaldTest", "degrees", "of_moderators", "of_term", "wald_test"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaldTest:
    """A test of several linear hypotheses at once.

    Attributes
    ----------
    hypothesis : str
        What is tested to be 0.
    statistic : float
        Chi-square where `df2` is infinite, else F.
    df1, df2 : float
    p_value : float
    """

    hypothesis: str
    statistic: float
    df1: int
    df2: float
    p_value: float

    @property
    def text(self) -> str:
        """The test as it is printed: ``F(2, 11) = 3.20, p = .080``."""
        name = f"χ²({self.df1})" if isinf(self.df2) else f"F({self.df1}, {degrees(self.df2)})"
        return f"{name} = {number(self.statistic, 2)}, p {p_value(self.p_value)}"

    def __repr__(self) -> str:
        return f"<WaldTest: {self.hypothesis}: {self.text}>"


def degrees(df: float) -> str:
    """Degrees of freedom as they are printed: one decimal where they are not whole."""
    return f"{df:.0f}" if df == round(df) else f"{df:.1f}"


def wald_test(
    hypothesis: str, weights: FloatArray, coefficients: FloatArray, covariance: FloatArray, df: float
) -> WaldTest:
    """Test that ``weights @ coefficients`` is 0.

    Parameters
    ----------
    hypothesis : str
    weights : ndarray, shape (m, p)
        Of full row rank.
    coefficients : ndarray, shape (p,)
    covariance : ndarray, shape (p, p)
    df : float
        Infinite for a chi-square test, else the denominator's of F.
    """
    m = len(weights)
    with np.errstate(invalid="ignore", divide="ignore"):  # an exact fit has no standard errors, and no test
        statistic = float(wald_statistic(weights @ coefficients, weights @ covariance @ weights.T))
    if df == inf:
        return WaldTest(
            hypothesis=hypothesis, statistic=statistic, df1=m, df2=inf, p_value=float(special.chdtrc(m, statistic))
        )
    tail = float(special.fdtrc(m, df, statistic / m)) if df > 0.0 else np.nan
    return WaldTest(hypothesis=hypothesis, statistic=statistic / m, df1=m, df2=df, p_value=tail)


def of_moderators(names: tuple[str, ...]) -> FloatArray:
    """Weights (m, p) that pick every coefficient but the intercept's; the intercept where there is nothing else."""
    tested = [i for i, name in enumerate(names) if name != "intercept"] or [0]
    return np.eye(len(names))[tested]


def of_term(design: Design, term: str) -> tuple[str, FloatArray]:
    """A term of the formula by its label, and the weights (m, p) that pick its coefficients."""
    terms = {found.label: found.columns for found in design.terms}
    label = _checks.known_name("term", term, tuple(terms))
    return label, np.eye(len(design.names))[terms[label]]
