"""`PsychometricResult` and what it prints."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, isnan
from typing import Literal

import pandas as pd

from alliance_meta import _checks
from alliance_meta._tables import SummaryTable, apa, number, small
from alliance_meta.results import _psychometric_r
from alliance_meta.results._interval import Interval
from alliance_meta.stats.attenuation import Restriction
from alliance_meta.stats.inference import critical_value

__all__ = [
    "PSYCHOMETRIC_METHODS",
    "PSYCHOMETRIC_QUANTITIES",
    "RESTRICTIONS",
    "SAMPLING_ERRORS",
    "PsychometricMethod",
    "PsychometricResult",
    "PsychometricSettings",
    "SamplingError",
]

PsychometricMethod = Literal["bare-bones", "individual", "artefact-distribution"]
SamplingError = Literal["mean-n", "study-n"]

PSYCHOMETRIC_METHODS: dict[PsychometricMethod, str] = {
    "bare-bones": "sampling error only",
    "individual": "each correlation corrected by its own artefacts",
    "artefact-distribution": "the mean corrected by the distributions of the artefacts",
}
RESTRICTIONS: dict[Restriction, str] = {
    "none": "no range restriction",
    "direct": "direct range restriction of x (Case II)",
    "indirect": "indirect range restriction of x (Case IV)",
}
SAMPLING_ERRORS: dict[SamplingError, str] = {
    "mean-n": "(1 - mean r²)² / (mean n - 1)",
    "study-n": "(1 - mean r²)² / (n - 1) of each study",
}
PSYCHOMETRIC_QUANTITIES: dict[str, str] = {
    "k": "number of correlations",
    "n": "total sample size",
    "mean_r": "mean observed correlation, weighted by n",
    "sd_r": "standard deviation of the observed correlations",
    "mean_rho": "mean population correlation, corrected for the artefacts",
    "std_error": "standard error of mean_rho",
    "ci_low": "confidence interval of mean_rho, lower bound",
    "ci_high": "confidence interval of mean_rho, upper bound",
    "sd_rho": "standard deviation of the population correlations",
    "cr_low": "credibility interval, lower bound",
    "cr_high": "credibility interval, upper bound",
    "variance_observed": "variance of the correlations",
    "variance_sampling": "of which sampling error",
    "variance_artefact": "of which differences in artefacts",
    "variance_residual": "of which neither",
    "percent_accounted": "sampling error and artefacts, percent of the variance",
}
"""One quantity, one name: the closed vocabulary of `PsychometricResult.quantities()`."""

_ARTEFACTS = {
    "reliability_x": "unreliability of x",
    "reliability_y": "unreliability of y",
    "u": "range restriction",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PsychometricSettings:
    """Every option a psychometric meta-analysis was computed with.

    Attributes
    ----------
    method : {"bare-bones", "individual", "artefact-distribution"}
    corrected_for : tuple of str
        Of ``"reliability_x"``, ``"reliability_y"`` and ``"u"``, those that were given.
    restriction : {"none", "direct", "indirect"}
    reliability_x_in : {"restricted", "unrestricted"} or None
        Where the reliability of x was estimated; None where that makes no difference.
    sampling_error : {"mean-n", "study-n"}
    """

    method: PsychometricMethod
    corrected_for: tuple[str, ...] = ()
    restriction: Restriction = "none"
    reliability_x_in: Literal["restricted", "unrestricted"] | None = None
    sampling_error: SamplingError = "mean-n"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PsychometricResult:
    """A psychometric meta-analysis of correlations. All numbers are on the scale of r.

    Attributes
    ----------
    k : int
        Number of correlations.
    n : float
        Total sample size.
    mean_r, sd_r : float
        Mean and standard deviation of the observed correlations, weighted by n.
    mean_rho : float
        Mean population correlation, corrected for the artefacts in `settings`; `mean_r` for bare bones.
    std_error : float
        Of `mean_rho`: the standard deviation of the correlations (corrected where the method corrects), sampling error
        included, over sqrt(k).
    sd_rho : float
        Standard deviation of the population correlations; 0 where `variance_residual` is below 0.
    variance_observed, variance_sampling, variance_artefact, variance_residual : float
        The first is the sum of the other three; the last is not cut off at 0. For ``method="individual"`` of the
        corrected correlations, which artefacts no longer make differ, else of the observed ones.
    percent_accounted : float
        100 (`variance_sampling` + `variance_artefact`) / `variance_observed`; can exceed 100.
    settings : PsychometricSettings
    notes : tuple of str
        Why a number is NaN, and what else a reader must know.
    caveat : str
        A sentence every view must carry (simulated data say so here), else empty.
    """

    k: int
    n: float
    mean_r: float
    sd_r: float
    mean_rho: float
    std_error: float
    sd_rho: float
    variance_observed: float
    variance_sampling: float
    variance_artefact: float
    variance_residual: float
    percent_accounted: float
    settings: PsychometricSettings
    notes: tuple[str, ...] = ()
    caveat: str = ""
    _frame: pd.DataFrame = field(repr=False)

    @property
    def table(self) -> pd.DataFrame:
        """A copy of the table of correlations: study, r, n, the artefacts as used, and the weight in the mean.

        For ``method="individual"`` also `attenuation` (r over the corrected r), `r_corrected` and
        `variance_corrected`, its sampling variance, with the
        study's own n.
        """
        return self._frame.copy()

    def confidence_interval(self, level: float = 0.95) -> Interval:
        """Interval of the mean population correlation: mean_rho +- z std_error.

        The standard error is that of correlations which may differ in truth: their standard deviation over sqrt(k),
        divided by the attenuation. The normal quantile makes the interval too narrow with few studies.

        Parameters
        ----------
        level : float
            Coverage, between 0 and 1.

        Returns
        -------
        Interval
            NaN with one correlation.

        References
        ----------
        Osburn, H. G., & Callender, J. (1992). Journal of Applied Psychology, 77, 115-122.
        """
        level = _checks.level(level)
        half = float(critical_value(level, inf)) * self.std_error
        note = "one correlation has no standard deviation to take a standard error from" if isnan(half) else ""
        if half == 0.0:
            note = "the correlations are identical, so their standard error is 0"
        return Interval(low=self.mean_rho - half, high=self.mean_rho + half, level=level, kind="confidence", note=note)

    def credibility_interval(self, level: float = 0.80) -> Interval:
        """Where that share of the population correlations lies, if they are normal: mean_rho +- z sd_rho.

        Unlike a prediction interval it takes mean_rho and sd_rho as known.

        Parameters
        ----------
        level : float
            Share of the population correlations, between 0 and 1.

        Returns
        -------
        Interval
            NaN with one correlation; not cut off at -1 and 1.

        References
        ----------
        Whitener, E. M. (1990). Journal of Applied Psychology, 75, 315-321.
        """
        level = _checks.level(level)
        half = float(critical_value(level, inf)) * self.sd_rho
        note = "one correlation says nothing about differences between studies" if isnan(half) else ""
        if half == 0.0:
            note = "no variance is left beyond sampling error and artefacts, so both bounds are the mean"
        return Interval(low=self.mean_rho - half, high=self.mean_rho + half, level=level, kind="credibility", note=note)

    def quantities(self, level: float = 0.95, *, credibility_level: float = 0.80) -> dict[str, float]:
        """Every number of the result by its name in `PSYCHOMETRIC_QUANTITIES`.

        Parameters
        ----------
        level, credibility_level : float
            Of the confidence and of the credibility interval.

        Returns
        -------
        dict of str to float
        """
        numbers = {name: float(getattr(self, name)) for name in PSYCHOMETRIC_QUANTITIES if hasattr(self, name)}
        numbers["ci_low"], numbers["ci_high"] = self.confidence_interval(level)
        numbers["cr_low"], numbers["cr_high"] = self.credibility_interval(credibility_level)
        return {name: numbers[name] for name in PSYCHOMETRIC_QUANTITIES}

    def to_frame(self, level: float = 0.95, *, credibility_level: float = 0.80) -> pd.DataFrame:
        """One tidy row: term, method, then every name in `PSYCHOMETRIC_QUANTITIES`."""
        numbers = self.quantities(level, credibility_level=credibility_level)
        return pd.DataFrame([{"term": "overall", "method": self.settings.method, **numbers}])

    def to_apa(self, level: float = 0.95, *, credibility_level: float = 0.80) -> str:
        """A sentence fit for a paper, in APA style."""
        return _apa_sentence(self, level, credibility_level)

    def to_r(self) -> str:
        """R code that repeats this analysis in plain arithmetic, data included; it needs no package."""
        return _psychometric_r.r_code(self)

    def __repr__(self) -> str:
        interval = "[" + ", ".join(number(bound) for bound in self.credibility_interval()) + "]"
        caveat = f"; {self.caveat}" if self.caveat else ""
        numbers = f"mean ρ = {number(self.mean_rho)}, 80% credibility interval {interval}, k = {self.k}"
        return f"<PsychometricResult: {numbers} ({self.settings.method}){caveat}>"

    def __str__(self) -> str:
        return _summary(self).to_text()

    def _repr_html_(self) -> str:
        return _summary(self).to_html()

    def to_markdown(self) -> str:
        """The summary as a Markdown table."""
        return _summary(self).to_markdown()


def _corrections(settings: PsychometricSettings) -> str:
    """What was corrected for, as prose: ``unreliability of x and y and direct range restriction of x (Case II)``."""
    roles = [role for role in settings.corrected_for if role != "u"]
    both = "unreliability of x and y" if len(roles) == 2 else "".join(_ARTEFACTS[role] for role in roles)
    restricted = RESTRICTIONS[settings.restriction] if settings.restriction != "none" else ""
    return " and ".join(filter(None, (both, restricted)))


def _counted(fit: PsychometricResult) -> str:
    return f"{fit.k} {'correlation' if fit.k == 1 else 'correlations'} (N = {fit.n:,.0f})"


def _summary(fit: PsychometricResult) -> SummaryTable:
    settings = fit.settings
    how = f"{PSYCHOMETRIC_METHODS[settings.method]}; sampling error variance {SAMPLING_ERRORS[settings.sampling_error]}"
    corrections = _corrections(settings)
    return SummaryTable(
        title=f"Psychometric meta-analysis ({settings.method}) of {_counted(fit)}",
        header=("", "estimate", "interval or share"),
        rows=(*_mean_rows(fit), *_variance_rows(fit)),
        right=frozenset({1}),
        notes=(
            *((f"Corrected for {corrections}",) if corrections else ()),
            how[0].upper() + how[1:],
            *fit.notes,
            *((fit.caveat,) if fit.caveat else ()),
        ),
    )


def _mean_rows(fit: PsychometricResult) -> list[tuple[str, str, str]]:
    confidence = _shown("CI", fit.confidence_interval())
    credibility = _shown("credibility interval", fit.credibility_interval())
    observed = ("Mean r", number(fit.mean_r), f"SD {number(fit.sd_r)}")
    what = "Mean ρ" if fit.settings.method == "bare-bones" else "Mean ρ, corrected"
    return [observed, (what, number(fit.mean_rho), confidence), ("  SD of ρ", number(fit.sd_rho), credibility)]


def _variance_rows(fit: PsychometricResult) -> list[tuple[str, str, str]]:
    def share(part: float) -> str:
        return f"{number(100.0 * part / fit.variance_observed, 1)}%" if fit.variance_observed > 0.0 else "–"

    corrected = "corrected" if fit.settings.method == "individual" else "observed"
    artefact = ("  differences in artefacts", small(fit.variance_artefact), share(fit.variance_artefact))
    return [
        (f"Variance of the {corrected} r", small(fit.variance_observed), ""),
        ("  sampling error", small(fit.variance_sampling), share(fit.variance_sampling)),
        *((artefact,) if fit.settings.method == "artefact-distribution" else ()),
        ("  residual", small(fit.variance_residual), share(fit.variance_residual)),
    ]


def _shown(kind: str, interval: Interval) -> str:
    if isnan(interval.low):
        return "–"
    return f"{100 * interval.level:g}% {kind} [{number(interval.low)}, {number(interval.high)}]"


def _apa_sentence(fit: PsychometricResult, level: float, credibility_level: float) -> str:
    def short(value: float) -> str:
        return apa(value, 2, bounded=True)

    settings = fit.settings
    corrections = _corrections(settings)
    kind = {"bare-bones": "bare-bones", "individual": "individual corrections"}.get(
        settings.method, "artefact distributions"
    )
    how = f"{kind}, corrected for {corrections}" if corrections else kind
    caveat = f" ({fit.caveat})" if fit.caveat else ""
    sentence = f"A psychometric meta-analysis ({how}) of k = {_counted(fit)} gave a mean r = {short(fit.mean_r)}"
    if corrections:
        sentence += f" and a mean corrected ρ = {short(fit.mean_rho)}"
    if fit.k == 1:
        return f"{sentence}; differences between studies cannot be estimated from one.{caveat}"
    low, high = fit.confidence_interval(level)
    sentence += f", {100 * level:g}% CI [{short(low)}, {short(high)}], SDρ = {short(fit.sd_rho)}"
    low, high = fit.credibility_interval(credibility_level)
    sentence += f", {100 * credibility_level:g}% credibility interval [{short(low)}, {short(high)}]"
    if not isnan(fit.percent_accounted):
        sources = "Sampling error and artefacts account" if fit.variance_artefact > 0.0 else "Sampling error accounts"
        which = "corrected correlations" if settings.method == "individual" else "correlations"
        sentence += f". {sources} for {apa(fit.percent_accounted, 0)}% of the variance of the {which}"
    return f"{sentence}.{caveat}"
