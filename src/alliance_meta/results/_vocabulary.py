"""The names of methods and quantities: closed sets, shared by results, reproduction files and reports."""

from __future__ import annotations

from typing import Literal

__all__ = [
    "PREDICTION_METHODS",
    "QUANTITIES",
    "TAU2_METHODS",
    "TESTS",
    "TEST_NAMES",
    "PredictionMethod",
    "Tau2Method",
    "TestMethod",
]

Tau2Method = Literal["REML", "DL", "EE"]
TestMethod = Literal["z", "t", "knapp-hartung", "knapp-hartung-adhoc"]
PredictionMethod = Literal["t(k-2)", "metafor"]

TAU2_METHODS: dict[Tau2Method, str] = {
    "REML": "restricted maximum likelihood",
    "DL": "DerSimonian-Laird",
    "EE": "the assumption of equal effects (tau² = 0)",
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
PREDICTION_METHODS: dict[PredictionMethod, str] = {
    "t(k-2)": "t distribution with k - 2 degrees of freedom",
    "metafor": "the distribution of the test",
}

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
