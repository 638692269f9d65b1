"""The R code that repeats a psychometric meta-analysis: plain arithmetic, no package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from alliance_meta.results._words import r_string, r_vector

if TYPE_CHECKING:
    from alliance_meta.results._psychometric import PsychometricResult

__all__ = ["r_code"]

_ARTEFACTS = {"reliability_x": "rxx", "reliability_y": "ryy", "u": "u"}
_CHAINS = {
    "none": ["outer <- 1", "ratio <- 1", "inner <- sqrt(rxx * ryy)"],
    "direct": ["outer <- sqrt(rxx)", "ratio <- u", "inner <- sqrt(ryy)"],
    "indirect": [
        "outer <- 1",
        "ratio <- sqrt((u^2 - 1 + rxx) / rxx)",
        "inner <- sqrt((1 - (1 - rxx) / u^2) * ryy)",
    ],
}
"""From a true correlation to an observed one: times outer, restricted by ratio, times inner."""
_SENSITIVITIES = {
    "none": ["by_x <- at / qx", "by_y <- at / qy", "by_u <- 0"],
    "direct": [
        "spread <- 1 + (u^2 - 1) * (qx * mean_rho)^2",
        "by_x <- at / (qx * spread)",
        "by_y <- at / qy",
        "by_u <- at * (1 - (qx * mean_rho)^2) / (u * spread)",
    ],
    "indirect": [
        "t <- u^2 - 1 + qx^2",
        "e <- qx^2 + (u^2 - 1) * mean_rho^2",
        "by_x <- at * qx * (2 / t - 1 / e)",
        "by_y <- at / qy",
        "by_u <- at * (2 * u / t - 1 / u - u * mean_rho^2 / e)",
    ],
}
"""Derivatives of the observed correlation by the roots of the reliabilities and by u."""


_BARE = [
    "mean_rho <- mean_r",
    "observed <- spread_of(r, n)",
    "sampling <- wmean(error, n)",
    "artefact <- if (k > 1) 0 else NA",
    "unit <- 1",
]


def r_code(fit: PsychometricResult) -> str:
    """The data and the arithmetic, in the order of the method."""
    method = {"bare-bones": lambda _: _BARE, "individual": _individual, "artefact-distribution": _distribution}
    table, each_n = fit.table, fit.settings.sampling_error == "study-n"
    lines = [
        *(f"# {line}" for line in fit.caveat.splitlines()),
        f"# Psychometric meta-analysis ({fit.settings.method}); plain R, no package",
        f"study <- c({', '.join(r_string(str(name)) for name in table['study'])})",
        f"r <- {r_vector(table['r'].tolist())}",
        f"n <- {r_vector(table['n'].tolist())}",
        *_artefacts(fit),
        "k <- length(r)",
        "wmean <- function(x, w) sum(w * x) / sum(w)",
        "spread_of <- function(x, w) if (length(x) > 1) wmean((x - wmean(x, w))^2, w) else NA",
        "mean_r <- wmean(r, n)",
        f"error <- (1 - mean_r^2)^2 / ({'n' if each_n else 'rep(mean(n), k)'} - 1)",
        *method[fit.settings.method](fit),
        "residual <- observed - sampling - artefact",
        "std_error <- unit * sqrt(observed / k)",
        "sd_rho <- unit * sqrt(max(residual, 0))",
        "percent <- if (isTRUE(observed > 0)) 100 * (sampling + artefact) / observed else NA",
        "ci <- mean_rho + c(-1, 1) * qnorm(0.975) * std_error",
        "cr <- mean_rho + c(-1, 1) * qnorm(0.90) * sd_rho",
        "result <- c(",
        "  k = k, n = sum(n), mean_r = mean_r, sd_r = sqrt(spread_of(r, n)), mean_rho = mean_rho,",
        "  std_error = std_error, ci_low = ci[1], ci_high = ci[2], sd_rho = sd_rho, cr_low = cr[1], cr_high = cr[2],",
        "  variance_observed = observed, variance_sampling = sampling, variance_artefact = artefact,",
        "  variance_residual = residual, percent_accounted = percent",
        ")",
        'cat(sprintf("%-18s %12.6f", names(result), result), sep = "\\n")',
    ]
    return "\n".join(lines) + "\n"


def _artefacts(fit: PsychometricResult) -> list[str]:
    """Each artefact as a vector; one that was not corrected for is 1."""
    if fit.settings.method == "bare-bones":
        return []
    table, lines = fit.table, []
    population = "  # in the unrestricted population" if fit.settings.restriction != "none" else ""
    for role, name in _ARTEFACTS.items():
        if role in fit.settings.corrected_for:
            values = table[role].to_numpy(dtype=float)
            cells = ", ".join("NA" if np.isnan(value) else repr(float(value)) for value in values)
            lines.append(f"{name} <- c({cells}){population if role == 'reliability_x' else ''}")
        elif role != "u" or fit.settings.restriction != "none":
            lines.append(f"{name} <- rep(1, length(r))")
    return lines


def _corrected(fit: PsychometricResult, of: str) -> list[str]:
    """The correlation `of`, corrected: its value, the factor it was attenuated by, and the correction's slope."""
    return [
        *_CHAINS[fit.settings.restriction],
        f"squared <- ratio^2 + (1 - ratio^2) * ({of} / inner)^2",
        "factor <- outer * inner * sqrt(squared)",
        "slope <- ratio^2 / squared / factor",
    ]


def _individual(fit: PsychometricResult) -> list[str]:
    return [
        *_corrected(fit, "r"),
        "corrected <- r / factor",
        "w <- n * factor^2",
        "mean_rho <- wmean(corrected, w)",
        "observed <- spread_of(corrected, w)",
        "sampling <- wmean(error * slope^2, w)",
        "artefact <- if (k > 1) 0 else NA",
        "unit <- 1",
    ]


def _distribution(fit: PsychometricResult) -> list[str]:
    restricted = fit.settings.restriction != "none"
    return [
        "known_mean <- function(x) mean(x, na.rm = TRUE)",
        "known_variance <- function(x) known_mean((x - known_mean(x))^2)",
        "var_x <- known_variance(sqrt(rxx))",
        "var_y <- known_variance(sqrt(ryy))",
        f"var_u <- {'known_variance(u)' if restricted else '0'}",
        "qx <- known_mean(sqrt(rxx))",
        "qy <- known_mean(sqrt(ryy))",
        *(["u <- known_mean(u)"] if restricted else []),
        "rxx <- qx^2",
        "ryy <- qy^2",
        *_corrected(fit, "mean_r"),
        "mean_rho <- mean_r / factor",
        "at <- mean_r",
        *_SENSITIVITIES[fit.settings.restriction],
        "observed <- spread_of(r, n)",
        "sampling <- wmean(error, n)",
        "artefact <- if (k > 1) by_x^2 * var_x + by_y^2 * var_y + by_u^2 * var_u else NA",
        "unit <- slope",
    ]
