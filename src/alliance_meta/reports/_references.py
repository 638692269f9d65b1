"""The publications that a report's method section may cite."""

from __future__ import annotations

__all__ = ["references"]

_REFERENCES = {
    "Bell & McCaffrey, 2002": "Bell, R. M., & McCaffrey, D. F. (2002). Bias reduction in standard errors for linear "
    "regression with multi-stage samples. Survey Methodology, 28, 169–181.",
    "Higgins & Thompson, 2002": "Higgins, J. P. T., & Thompson, S. G. (2002). Quantifying heterogeneity in a "
    "meta-analysis. Statistics in Medicine, 21, 1539–1558.",
    "Higgins et al., 2009": "Higgins, J. P. T., Thompson, S. G., & Spiegelhalter, D. J. (2009). A re-evaluation of "
    "random-effects meta-analysis. Journal of the Royal Statistical Society A, 172, 137–159.",
    "Jackson et al., 2011": "Jackson, D., Riley, R., & White, I. R. (2011). Multivariate meta-analysis: Potential and "
    "promise. Statistics in Medicine, 30, 2481–2498.",
    "Knapp & Hartung, 2003": "Knapp, G., & Hartung, J. (2003). Improved tests for a random effects meta-regression "
    "with a single covariate. Statistics in Medicine, 22, 2693–2710.",
    "Pustejovsky & Tipton, 2018": "Pustejovsky, J. E., & Tipton, E. (2018). Small-sample methods for cluster-robust "
    "variance estimation and hypothesis testing in fixed effects models. Journal of Business & Economic Statistics, "
    "36, 672–683.",
    "Pustejovsky & Tipton, 2022": "Pustejovsky, J. E., & Tipton, E. (2022). Meta-analysis with robust variance "
    "estimation: Expanding the range of working models. Prevention Science, 23, 425–438.",
    "Raju & Burke, 1983": "Raju, N. S., & Burke, M. J. (1983). Two new procedures for studying validity "
    "generalization. Journal of Applied Psychology, 68, 382–395.",
    "Schmidt & Hunter, 2015": "Schmidt, F. L., & Hunter, J. E. (2015). Methods of meta-analysis (3rd ed.).",
    "Tipton & Pustejovsky, 2015": "Tipton, E., & Pustejovsky, J. E. (2015). Small-sample adjustments for tests of "
    "moderators and model fit using robust variance estimation in meta-regression. Journal of Educational and "
    "Behavioral Statistics, 40, 604–634.",
    "Viechtbauer, 2007": "Viechtbauer, W. (2007). Confidence intervals for the amount of heterogeneity in "
    "meta-analysis. Statistics in Medicine, 26, 37–52.",
    "Viechtbauer & López-López, 2022": "Viechtbauer, W., & López-López, J. A. (2022). Location-scale models for "
    "meta-analysis. Research Synthesis Methods, 13.",
}


def references(paragraphs: list[str]) -> list[str]:
    """What the paragraphs cite, in alphabetical order."""
    text = " ".join(paragraphs)
    return [full for short, full in sorted(_REFERENCES.items()) if short in text]
