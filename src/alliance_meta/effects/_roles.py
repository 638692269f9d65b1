"""The types of the arguments by which `effect_sizes()` is told its columns."""

from __future__ import annotations

from typing import TypedDict

import numpy.typing as npt

__all__ = ["Roles"]

Column = str | npt.ArrayLike | None


class Roles(TypedDict, total=False):
    """A column name or an array of length k for each role of `alliance_meta.studies.ROLES`."""

    effect_id: Column
    study: Column
    label: Column
    n: Column
    r: Column
    t: Column
    f: Column
    df: Column
    df2: Column
    chi2: Column
    z: Column
    p: Column
    tails: Column
    d: Column
    g: Column
    n1: Column
    n2: Column
    mean1: Column
    mean2: Column
    sd1: Column
    sd2: Column
    mean_pre: Column
    mean_post: Column
    sd_pre: Column
    sd_post: Column
    r_pre_post: Column
    mean_pre1: Column
    mean_post1: Column
    sd_pre1: Column
    sd_post1: Column
    r_pre_post1: Column
    mean_pre2: Column
    mean_post2: Column
    sd_pre2: Column
    sd_post2: Column
    r_pre_post2: Column
    events1: Column
    events2: Column
    beta: Column
    r2: Column
    eta2: Column
    odds_ratio: Column
    log_odds_ratio: Column
    alpha: Column
    n_items: Column
    ci_low: Column
    ci_high: Column
    direction: Column
    significance: Column
    effect: Column
    variance: Column
    std_error: Column
