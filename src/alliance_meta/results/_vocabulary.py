"""The names of methods and quantities: closed sets, shared by results, reproduction files and reports."""

from __future__ import annotations

from typing import Literal

__all__ = [
    "ADJUSTMENTS",
    "APA_TAU2_METHODS",
    "GRID_WEIGHTS",
    "LIKELIHOOD_METHODS",
    "MEAN_INTERVALS",
    "MULTILEVEL_TESTS",
    "PREDICTION_METHODS",
    "PROPORTION_INTERVALS",
    "QUANTITIES",
    "REGRESSION_PREDICTIONS",
    "TAU2_INTERVALS",
    "TAU2_METHODS",
    "TESTS",
    "TEST_NAMES",
    "Adjustment",
    "GridWeights",
    "LikelihoodMethod",
    "MeanInterval",
    "MultilevelTest",
    "PredictionMethod",
    "ProportionInterval",
    "RegressionPrediction",
    "Tau2Interval",
    "Tau2Method",
    "TestMethod",
]

Tau2Method = Literal["REML", "ML", "DL", "DL2", "HE", "CA2", "HS", "HSk", "SJ", "PM", "PMM", "EB", "GENQ", "EE"]
TestMethod = Literal["z", "t", "knapp-hartung", "knapp-hartung-adhoc"]
MeanInterval = Literal["test", "henmi-copas", "profile", "permutation", "parametric-bootstrap", "case-bootstrap"]
PredictionMethod = Literal["t(k-2)", "t(k-1)", "z", "metafor", "nagashima"]
Tau2Interval = Literal["q-profile", "biggerstaff-jackson", "jackson", "profile", "wald", "wald-log", "bootstrap"]
ProportionInterval = Literal["delta", "bootstrap"]
RegressionPrediction = Literal["t(k-p-1)", "metafor", "z"]
LikelihoodMethod = Literal["REML", "ML"]
MultilevelTest = Literal["t", "satterthwaite", "z"]
GridWeights = Literal["equal", "proportional"]
Adjustment = Literal[
    "holm", "bonferroni", "sidak", "holm-sidak", "simes-hochberg", "hommel", "fdr_bh", "fdr_by", "none"
]

TAU2_METHODS: dict[Tau2Method, str] = {
    "REML": "restricted maximum likelihood",
    "ML": "maximum likelihood",
    "DL": "DerSimonian-Laird",
    "DL2": "two-step DerSimonian-Laird",
    "HE": "Hedges",
    "CA2": "two-step Hedges (Cochran's ANOVA)",
    "HS": "Hunter-Schmidt",
    "HSk": "Hunter-Schmidt with small-sample correction",
    "SJ": "Sidik-Jonkman",
    "PM": "Paule-Mandel",
    "PMM": "median-unbiased Paule-Mandel",
    "EB": "empirical Bayes (the same as Paule-Mandel)",
    "GENQ": "the generalised Q statistic",
    "EE": "the assumption of equal effects (tau² = 0)",
}
APA_TAU2_METHODS: dict[Tau2Method, str] = {
    "REML": "restricted maximum likelihood",
    "ML": "maximum likelihood",
    "DL": "DerSimonian–Laird estimator",
    "DL2": "two-step DerSimonian–Laird estimator",
    "HE": "Hedges estimator",
    "CA2": "two-step Hedges estimator",
    "HS": "Hunter–Schmidt estimator",
    "HSk": "Hunter–Schmidt estimator with small-sample correction",
    "SJ": "Sidik–Jonkman estimator",
    "PM": "Paule–Mandel estimator",
    "PMM": "median-unbiased Paule–Mandel estimator",
    "EB": "empirical Bayes estimator",
    "GENQ": "generalised Q estimator",
    "EE": "",
}
TESTS: dict[TestMethod, str] = {
    "z": "the normal distribution",
    "t": "the t distribution",
    "knapp-hartung": "the Knapp-Hartung method",
    "knapp-hartung-adhoc": "the Knapp-Hartung method with the ad hoc correction",
}
TEST_NAMES: dict[TestMethod, str] = {
    "z": "z test",
    "t": "t test",
    "knapp-hartung": "Knapp–Hartung test",
    "knapp-hartung-adhoc": "Knapp–Hartung test with ad hoc correction",
}
MEAN_INTERVALS: dict[MeanInterval, str] = {
    "test": "the distribution of the test",
    "henmi-copas": "Henmi and Copas",
    "profile": "the profile likelihood",
    "permutation": "sign-flip permutations",
    "parametric-bootstrap": "percentiles of the parametric bootstrap",
    "case-bootstrap": "percentiles of the bootstrap of studies",
}
PREDICTION_METHODS: dict[PredictionMethod, str] = {
    "t(k-2)": "t distribution with k - 2 degrees of freedom",
    "t(k-1)": "t distribution with k - 1 degrees of freedom",
    "z": "the normal distribution",
    "metafor": "the distribution of the test",
    "nagashima": "Nagashima's bootstrap",
}
TAU2_INTERVALS: dict[Tau2Interval, str] = {
    "q-profile": "profiling Q",
    "biggerstaff-jackson": "the generalised Q with weights 1 / variance",
    "jackson": "the generalised Q with weights 1 / standard error",
    "profile": "the profile likelihood",
    "wald": "large-sample standard errors",
    "wald-log": "large-sample standard errors on the logarithm",
    "bootstrap": "percentiles of the parametric bootstrap",
}
PROPORTION_INTERVALS: dict[ProportionInterval, str] = {
    "delta": "the delta method",
    "bootstrap": "percentiles of the parametric bootstrap",
}

REGRESSION_PREDICTIONS: dict[RegressionPrediction, str] = {
    "t(k-p-1)": "t distribution with k - p - 1 degrees of freedom",
    "metafor": "the distribution of the test",
    "z": "the normal distribution",
}
LIKELIHOOD_METHODS: tuple[LikelihoodMethod, ...] = ("REML", "ML")
MULTILEVEL_TESTS: dict[MultilevelTest, str] = {
    "t": "the t distribution, degrees of freedom by the number of groups (containment)",
    "satterthwaite": "the t distribution with Satterthwaite's degrees of freedom",
    "z": "the normal distribution",
}
GRID_WEIGHTS: dict[GridWeights, str] = {
    "equal": "each level of the other moderators counts the same",
    "proportional": "over the studies' own moderators",
}
ADJUSTMENTS: tuple[Adjustment, ...] = (
    *("holm", "bonferroni", "sidak", "holm-sidak", "simes-hochberg", "hommel", "fdr_bh", "fdr_by", "none"),
)

QUANTITIES: dict[str, str] = {
    "estimate": "pooled effect",
    "std_error": "standard error",
    "statistic": "test statistic",
    "df": "degrees of freedom of the test",
    "p_value": "p value",
    "ci_low": "confidence interval, lower bound",
    "ci_high": "confidence interval, upper bound",
    "pi_low": "prediction interval, lower bound",
    "pi_high": "prediction interval, upper bound",
    "tau2": "between-study variance tau2",
    "tau2_low": "interval of tau2, lower bound",
    "tau2_high": "interval of tau2, upper bound",
    "i2": "I2 from tau2 (percent)",
    "h2": "H2 from tau2",
    "i2_q": "I2 from Q (percent)",
    "h2_q": "H2 from Q",
    "q_statistic": "Cochran's Q",
    "q_df": "degrees of freedom of Q",
    "q_p_value": "p value of Q",
    "k": "number of effects",
    "n": "total sample size",
}
"""One quantity, one name: the closed vocabulary of `quantities()`, reproduction files and reports."""
