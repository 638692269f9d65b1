"""Estimators of the between-study variance tau2 in the random-effects model."""

from alliance_meta.stats.tau2._likelihood import log_likelihood, tau2_ml, tau2_reml
from alliance_meta.stats.tau2._moments import (
    tau2_ca2,
    tau2_dl,
    tau2_dl2,
    tau2_genq,
    tau2_he,
    tau2_hs,
    tau2_hsk,
    tau2_sj,
)
from alliance_meta.stats.tau2._of_model import tau2_of
from alliance_meta.stats.tau2._paule_mandel import tau2_pm, tau2_pmm, tau2_where_q_equals
from alliance_meta.stats.tau2._record import Tau2
from alliance_meta.stats.tau2._std_error import tau2_std_error, tau2_wald_interval

__all__ = [
    "ESTIMATORS",
    "Tau2",
    "log_likelihood",
    "tau2_ca2",
    "tau2_dl",
    "tau2_dl2",
    "tau2_genq",
    "tau2_he",
    "tau2_hs",
    "tau2_hsk",
    "tau2_ml",
    "tau2_of",
    "tau2_pm",
    "tau2_pmm",
    "tau2_reml",
    "tau2_sj",
    "tau2_std_error",
    "tau2_wald_interval",
    "tau2_where_q_equals",
]

ESTIMATORS = {
    "REML": tau2_reml,
    "ML": tau2_ml,
    "DL": tau2_dl,
    "DL2": tau2_dl2,
    "HE": tau2_he,
    "CA2": tau2_ca2,
    "HS": tau2_hs,
    "HSk": tau2_hsk,
    "SJ": tau2_sj,
    "PM": tau2_pm,
    "PMM": tau2_pmm,
    "EB": tau2_pm,
}
"""By their names in the field; GENQ is not among them, since it needs weights."""
