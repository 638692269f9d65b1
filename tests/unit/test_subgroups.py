"""Groups pooled and compared: metafor's numbers, the identities they must keep, and groups that are hard to pool."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import FrozenInstanceError, replace
from itertools import product
from math import inf, isnan
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import alliance_meta as am
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.grouping import subgroups
from alliance_meta.results import TAU2_METHODS, TESTS
from alliance_meta.studies import StudyTable

CLOSE = 1e-9
"""metafor was told to go on to a threshold of 1e-14 and printed 12 digits."""

METHODS = tuple(method for method in TAU2_METHODS if method != "GENQ")

# metadat's dat.bcg (Colditz et al. 1994): tpos, tneg, cpos, cneg, alloc.
BCG = [
    (4, 119, 11, 128, "random"),
    (6, 300, 29, 274, "random"),
    (3, 228, 11, 209, "random"),
    (62, 13536, 248, 12619, "random"),
    (33, 5036, 47, 5761, "alternate"),
    (180, 1361, 372, 1079, "alternate"),
    (8, 2537, 10, 619, "random"),
    (505, 87886, 499, 87892, "random"),
    (29, 7470, 45, 7232, "random"),
    (17, 1699, 65, 1600, "systematic"),
    (186, 50448, 141, 27197, "systematic"),
    (5, 2493, 3, 2338, "systematic"),
    (27, 16886, 29, 17825, "systematic"),
]


def bcg() -> am.EffectSizes:
    frame = pd.DataFrame(BCG, columns=["events1", "without1", "events2", "without2", "alloc"])
    frame = frame.assign(n1=frame["events1"] + frame["without1"], n2=frame["events2"] + frame["without2"])
    return am.effect_sizes(frame, measure="RR")


FARBER = am.effect_sizes(am.datasets.load("farber_doolin2011_effects"))


def grouped(cells: Any, r: Any = (0.1, 0.2, 0.3, 0.35, 0.2, 0.5), name: str = "my group") -> am.EffectSizes:
    n = [30, 40, 50, 60, 50, 55][: len(r)]
    return am.effect_sizes(pd.DataFrame({"r": list(r), "n": n, name: cells}))


# Expected: R 4.2, metafor 3.8-1, d <- escalc(measure="RR", ai=tpos, bi=tneg, ci=cpos, di=cneg, data=dat.bcg),
# ctl <- list(threshold=1e-14, maxiter=1000), g in the order of the data (random, alternate, systematic).


@pytest.mark.parametrize(
    ("test", "std_error", "ci_low", "q", "p"),
    [
        (
            "z",
            [0.275956102973, 0.281601613104, 0.359745232433],
            [-1.5118287274, -1.09272198152, -1.12929509069],
            *(1.86144494615, 0.394268758886),
        ),
        (
            "knapp-hartung",
            [0.25312752607, 0.281601613104, 0.364218462099],
            [-1.59034544765, -4.11888071198, -1.58331309053],
            *(2.03834716617, 0.360893065101),
        ),
    ],
)
def test_separate_is_metafors_rma_of_each_subset(
    test: str, std_error: list[float], ci_low: list[float], q: float, p: float
) -> None:
    # fits <- lapply(split(1:13, g), function(i) rma(yi[i], vi[i], test="z" or "knha", control=ctl))
    # rma(sapply(fits, coef), sei=sapply(fits, function(f) f$se), mods=~factor(1:3), method="FE"): QM, QMp
    found = subgroups(bcg(), "alloc", tau2="separate", test=test)
    frame = found.to_frame()
    assert found.groups == ("random", "alternate", "systematic")
    assert frame["estimate"].tolist() == pytest.approx([-0.970964704263, -0.540792961849, -0.424207391511], rel=CLOSE)
    assert frame["tau2"].tolist() == pytest.approx([0.392528006901, 0.132577039878, 0.400345880175], rel=CLOSE)
    assert frame["i2"].tolist() == pytest.approx([89.9343157013, 82.0225155667, 86.4221195901], rel=CLOSE)
    assert frame["std_error"].tolist() == pytest.approx(std_error, rel=CLOSE)
    assert frame["ci_low"].tolist() == pytest.approx(ci_low, rel=CLOSE)
    assert (found.between.statistic, found.between.p_value) == pytest.approx((q, p), rel=CLOSE)
    assert (found.between.df1, found.between.df2) == (2, inf)


@pytest.mark.parametrize(
    ("test", "std_error", "ci_low", "statistic", "p", "df2"),
    [
        (
            "z",
            [0.267244094065, 0.441194460387, 0.344945367625],
            [-1.48956297799, -1.38268102969, -1.1049980581],
            *(1.76751140193, 0.413228032757, inf),
        ),
        (
            "knapp-hartung",
            [0.255585392706, 0.421947058594, 0.329896896524],
            [-1.53525392203, -1.45811241189, -1.16397365322],
            *(0.966220844813, 0.413383745722, 10.0),
        ),
    ],
)
def test_pooled_is_metafors_regression_on_the_groups(
    test: str, std_error: list[float], ci_low: list[float], statistic: float, p: float, df2: float
) -> None:
    # rma(yi, vi, mods=~0+g, test="z" or "knha", control=ctl): b, se, ci.lb, tau2; rma(yi, vi, mods=~g, ...): QM, QMp
    found = subgroups(bcg(), "alloc", test=test)
    frame = found.to_frame()
    assert frame["estimate"].tolist() == pytest.approx([-0.965774178546, -0.517955777155, -0.428917560924], rel=CLOSE)
    assert frame["tau2"].tolist() == pytest.approx([0.361503664324] * 3, rel=CLOSE)
    assert frame["std_error"].tolist() == pytest.approx(std_error, rel=CLOSE)
    assert frame["ci_low"].tolist() == pytest.approx(ci_low, rel=CLOSE)
    assert (found.between.statistic, found.between.p_value) == pytest.approx((statistic, p), rel=CLOSE)
    assert (found.between.df1, found.between.df2) == (2, df2)
    if test == "z":  # predict(rma(yi, vi, mods=~0+g, test="z"), newmods=diag(3))$pi.lb, which is normal; ours is t(9)
        wide = (frame["estimate"] - frame["pi_low"]).to_numpy() * stats.norm.ppf(0.975) / stats.t.ppf(0.975, 9)
        metafors = [-2.25536952068, -1.97961620366, -1.787514734]
        assert (frame["estimate"].to_numpy() - wide).tolist() == pytest.approx(metafors, rel=CLOSE)


def test_farber_and_doolin_by_who_rates_the_relationship() -> None:
    # f <- read.csv("data/datasets/farber_doolin2011_effects/effects.csv"), yi <- atanh(f$r), vi <- 1/(f$n-3),
    # g <- factor(f$predictor_rater, levels=c("P", "R", "T")), then the calls above with test="knha".
    separate, pooled = (subgroups(FARBER, "predictor_rater", tau2=tau2) for tau2 in ("separate", "pooled"))
    frame = separate.to_frame()
    assert frame["estimate"].tolist() == pytest.approx([0.172927096667, 0.284376170149, 0.255964037897], rel=CLOSE)
    assert frame["tau2"].tolist() == pytest.approx([0.00825392896972, 0.104654717635, 0.0375978000929], rel=CLOSE)
    assert frame["ci_low"].tolist() == pytest.approx([0.143528198425, 0.0615591553079, -0.202330782406], rel=CLOSE)
    between = (separate.between.statistic, separate.between.p_value)
    assert between == pytest.approx((1.43983992509, 0.48679121593), rel=CLOSE)
    frame = pooled.to_frame()
    assert frame["estimate"].tolist() == pytest.approx([0.174989784316, 0.127278031878, 0.24300079887], rel=CLOSE)
    assert frame["std_error"].tolist() == pytest.approx([0.0171720390431, 0.0599818112849, 0.116763865419], rel=CLOSE)
    between = (pooled.between.statistic, pooled.between.p_value)
    assert between == pytest.approx((0.476849820795, 0.622153992834), rel=CLOSE)
    assert pooled.regression is not None
    assert pooled.regression.r2 == pytest.approx(4.3865867558, rel=1e-8)  # a difference of two variances


# What must hold whatever the numbers


@pytest.mark.parametrize(("method", "test"), list(product(METHODS, TESTS)))
def test_separate_groups_are_pool_of_their_rows(method: str, test: str) -> None:
    effects = bcg()
    found = subgroups(effects, "alloc", tau2="separate", tau2_method=method, test=test)
    assert found.regression is None
    for member, fit in zip(found.members, found.fits, strict=True):
        rows = [i for i, row in enumerate(BCG) if row[4] == member.name]
        own = am.pool(
            am.effect_sizes(measure="GEN", effect=effects.effect[rows], variance=effects.variance[rows]),
            tau2_method=method,
            test=test,
        )
        for name in ("estimate", "std_error", "statistic", "df", "p_value", "tau2", "i2", "h2", "q_statistic", "k"):
            assert getattr(member, name) == getattr(fit, name) == getattr(own, name), name
        for level in (0.8, 0.95):
            assert tuple(member.confidence_interval(level)) == tuple(own.confidence_interval(level))
            found_pi, own_pi = list(member.prediction_interval(level)), list(own.prediction_interval(level))
            np.testing.assert_allclose(found_pi, own_pi, rtol=1e-14)  # NaN for two studies
    mean, weight = found.to_frame()["estimate"].to_numpy(), found.to_frame()["std_error"].to_numpy() ** -2
    grand = (weight * mean).sum() / weight.sum()
    assert found.between.statistic == pytest.approx((weight * (mean - grand) ** 2).sum(), rel=1e-10)
    assert found.between.p_value == pytest.approx(stats.chi2.sf(found.between.statistic, 2), rel=1e-10)


@pytest.mark.parametrize(("method", "test"), list(product(METHODS, TESTS)))
def test_pooled_groups_are_the_regressions(method: str, test: str) -> None:
    effects = bcg()
    found = subgroups(effects, "alloc", tau2_method=method, test=test)
    without = am.meta_regression(effects, "0 + C(alloc)", tau2_method=method, test=test)
    intercept = am.meta_regression(effects, "C(alloc)", tau2_method=method, test=test)
    frame = found.to_frame(0.9)
    for ours, theirs in (("estimate", "estimate"), ("std_error", "std_error"), ("ci_high", "ci_high")):
        assert frame[ours].tolist() == pytest.approx(without.to_frame(0.9)[theirs].tolist(), rel=1e-8)
    assert found.between.statistic == intercept.omnibus().statistic
    assert found.between.p_value == intercept.omnibus().p_value
    assert found.fits == ()
    means = intercept.means("alloc", 0.9)
    assert frame["pi_low"].tolist() == pytest.approx(means["pi_low"].tolist(), rel=1e-12)
    assert found.overall.estimate == am.pool(effects, tau2_method=method, test=test).estimate


@pytest.mark.parametrize("tau2", ["pooled", "separate"])
def test_q_is_q_between_and_q_within(tau2: str) -> None:
    """Cochran's Q of all effects is the sum of its parts when all weights are 1 / variance."""
    found = subgroups(bcg(), "alloc", tau2=tau2, tau2_method="EE", test="z")
    within = found.to_frame()["q_statistic"].sum()
    assert found.between.statistic + within == pytest.approx(found.overall.q_statistic, rel=1e-12)
    assert found.to_frame()["q_df"].sum() + found.between.df1 == found.overall.q_df


def test_contrasts() -> None:
    found = subgroups(bcg(), "alloc", tau2="separate")
    table = found.contrasts(0.9)
    first, second, _ = found.members
    assert table["contrast"].tolist() == ["alternate - random", "systematic - random", "systematic - alternate"]
    assert table["estimate"][0] == pytest.approx(second.estimate - first.estimate)
    assert table["std_error"][0] == pytest.approx(np.sqrt(first.std_error**2 + second.std_error**2))
    assert (table["ci_high"] - table["estimate"]).tolist() == pytest.approx(
        (stats.norm.ppf(0.95) * table["std_error"]).tolist()
    )
    p = np.sort(table["p_value"])
    assert np.sort(table["p_adjusted"])[0] == pytest.approx(min(1.0, 3.0 * p[0]))  # Holm: the smallest counts k times
    bonferroni = found.contrasts(adjust="bonferroni")["p_adjusted"]
    assert bonferroni.tolist() == pytest.approx(np.minimum(1.0, 3.0 * table["p_value"]).tolist())
    pooled = subgroups(bcg(), "alloc")
    assert pooled.regression is not None
    pd.testing.assert_frame_equal(pooled.contrasts(), pooled.regression.contrasts("alloc"))
    # Two groups: the one contrast is the test between groups.
    for tau2 in ("pooled", "separate"):
        two = subgroups(grouped(list("aaabbb")), "my group", tau2=tau2)
        assert two.contrasts()["p_value"][0] == pytest.approx(two.between.p_value, rel=1e-9)
    with pytest.raises(UnknownNameError, match="unknown adjustment 'tukey'"):
        found.contrasts(adjust="tukey")


# Groups


@pytest.mark.parametrize(
    ("cells", "groups"),
    [
        (list("bbaaba"), ("b", "a")),
        (pd.Categorical(list("bbaaba"), categories=["a", "b", "unused"]), ("a", "b")),
        ([2001, 2001, 1999, 1999, 2001, 1999], ("2001", "1999")),
        ([3.0, 3.0, 2.5, 2.5, 2.5, 3.0], ("3", "2.5")),
        ([True, True, False, False, True, False], ("False", "True")),
    ],
)
@pytest.mark.parametrize("name", ["my group", "group's", "a+b", "k", "estimate", "x.y", "Gruppe (α)"])
@pytest.mark.parametrize("tau2", ["pooled", "separate"])
def test_any_column_and_any_name(cells: Any, groups: tuple[str, ...], name: str, tau2: str) -> None:
    found = subgroups(grouped(cells, name=name), name, tau2=tau2)
    assert found.groups == groups
    assert [member.k for member in found.members] == [3, 3]
    assert found.group(groups[0]) is found.members[0]
    assert found.group(found.members[1].name) is found.members[1]
    assert len(found.contrasts()) == 1
    assert name in str(found)


def test_a_group_keeps_its_rows_and_its_people() -> None:
    effects = grouped(list("abbaab"))
    found = subgroups(effects, "my group")
    assert found.group("a").effects.table.index.tolist() == [0, 3, 4]
    assert found.group("a").n == 30 + 60 + 50
    assert found.group("b").n + found.group("a").n == effects.n
    assert not found.group("a").effects.effect.flags.writeable
    sized = am.effect_sizes(pd.DataFrame({"r": [0.1, 0.2, 0.4], "size": [30, 40, 50], "g": list("aab")}), n="size")
    assert isnan(subgroups(sized, "g").group("a").n)  # no column that is known to hold it


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (
            ["a", None, "a", "b", np.nan, "b"],
            r"column 'my group' has empty cells: rows 1 \(empty\), 4 \(empty\)\. Fill",
        ),
        (["a", " ", "a", "b", "b", "b"], r"column 'my group' has empty cells: row 1 \(' '\)"),
        (["a"] * 6, r"column 'my group' holds one group only, 'a'.*pool\(\)"),
        (list("abcdef"), r"as many groups as there are effects, 6.*Merge groups"),
    ],
)
def test_groups_that_cannot_be_used_are_refused(cells: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        subgroups(grouped(cells), "my group")


def test_arguments_that_cannot_be_used_are_refused() -> None:
    effects = grouped(list("aaabbb"))
    for arguments, message in (
        ({"by": "my_group"}, "unknown column of groups 'my_group'. Did you mean 'my group'?"),
        ({"by": "my group", "tau2": "common"}, "unknown tau2 'common'. Known: 'pooled' and 'separate'"),
        ({"by": "my group", "tau2_method": "GENQ"}, "unknown tau2_method 'GENQ'"),
        ({"by": "my group", "test": "knha"}, "unknown test 'knha'"),
    ):
        with pytest.raises(UnknownNameError) as caught:
            subgroups(effects, **arguments)
        assert message in str(caught.value)
    with pytest.raises(InputError, match="back quote in its name"):
        subgroups(grouped(list("aaabbb"), name="a`b"), "a`b")
    with pytest.raises(InputError, match=r"takes the result of effect_sizes\(\), not list"):
        subgroups([0.1, 0.2], "g")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="unknown group 'c'"):
        subgroups(effects, "my group").group("c")
    with pytest.raises(InputError, match="level must lie between 0 and 1"):
        subgroups(effects, "my group").to_frame(95)


@pytest.mark.parametrize(("method", "test"), list(product(METHODS, TESTS)))
def test_a_group_of_one_study(method: str, test: str) -> None:
    """By itself it has the interval of its own sampling variance, as in metafor (which takes test="z" for k = 1)."""
    effects = grouped(["a", "a", "a", "b", "c", "c"])
    apart = subgroups(effects, "my group", tau2="separate", tau2_method=method, test=test)
    alone = apart.group("b")
    half = stats.norm.ppf(0.975) / np.sqrt(57)
    assert tuple(alone.confidence_interval()) == pytest.approx((np.arctanh(0.35) - half, np.arctanh(0.35) + half))
    assert alone.df == inf
    assert all(map(isnan, (alone.i2, alone.q_p_value, *alone.prediction_interval())))
    assert np.isfinite(apart.between.p_value)
    assert any("of one study (b)" in note for note in apart.notes)
    together = subgroups(effects, "my group", tau2_method=method, test=test).group("b")
    assert np.isfinite([*together.confidence_interval(), *together.prediction_interval()]).all()
    for found in (apart, subgroups(effects, "my group", tau2_method=method, test=test)):
        assert all([str(found), repr(found), found.to_apa(), found.to_r(), found.to_markdown()])


def test_only_groups_of_one_study() -> None:
    found = subgroups(grouped(list("abcdef")), "my group", tau2="separate")
    assert found.between.statistic == pytest.approx(found.overall.q_statistic)  # nothing is within
    assert "Groups of one study (a, b, c, d, e, f)" in str(found)


@pytest.mark.parametrize("tau2", ["pooled", "separate"])
def test_identical_effects_within_groups_cannot_be_compared_by_knapp_hartung(tau2: str) -> None:
    effects = grouped(list("aaabbb"), r=[0.2] * 3 + [0.3] * 3)
    found = subgroups(effects, "my group", tau2=tau2)
    assert isnan(found.between.statistic)
    assert isnan(found.between.p_value)
    assert "standard error" in " ".join(found.notes)
    assert "test='knapp-hartung-adhoc'" in " ".join(found.notes)
    assert np.isfinite(subgroups(effects, "my group", tau2=tau2, test="knapp-hartung-adhoc").between.p_value)


# Views

SUMMARY = """\
Subgroups of 102 effects (N = 13,435) by predictor_rater
────────────────────────────────────────────────────────────────────────────
predictor_rater    k      r           95% CI           95% PI    tau²     I²
────────────────────────────────────────────────────────────────────────────
P                 83  0.171   [0.143, 0.200]  [−0.010, 0.342]  0.0083  54.7%
R                 15  0.277   [0.061, 0.468]  [−0.422, 0.769]  0.1047  83.4%
T                  4  0.251  [−0.200, 0.613]  [−0.655, 0.860]  0.0376  53.0%
All effects      102  0.172   [0.140, 0.203]  [−0.054, 0.380]  0.0128  62.2%
────────────────────────────────────────────────────────────────────────────
Between groups: χ²(2) = 1.44, p = .487
Each group has its own tau²; between groups, the standard errors of their means are taken as known
tau² by restricted maximum likelihood; means tested by the Knapp-Hartung method"""


def test_the_summary_reads_so() -> None:
    found = subgroups(FARBER, "predictor_rater", tau2="separate")
    assert str(found) == SUMMARY
    assert found.to_apa() == (
        "A subgroup analysis by predictor_rater (restricted maximum likelihood, Knapp–Hartung test) of k = 102 effects "
        "(N = 13,435) gave P: k = 83, r = .17, 95% CI [.14, .20]; R: k = 15, r = .28, 95% CI [.06, .47]; T: k = 4, "
        "r = .25, 95% CI [−.20, .61]. Test between groups: χ²(2) = 1.44, p = .487. Heterogeneity within groups: P "
        "τ² = 0.008, I² = 55%; R τ² = 0.105, I² = 83%; T τ² = 0.038, I² = 53%."
    )
    pooled = subgroups(FARBER, "predictor_rater")
    assert "One tau² is common to the groups; the groups explain R² = 4% of the tau² of all effects" in str(pooled)
    assert pooled.to_apa().endswith("QE(99) = 255.29, p < .001, τ² = 0.012, I² = 61%.")
    assert repr(pooled) == (
        "<Subgroups by 'predictor_rater': r = P 0.173, R 0.127, T 0.238; F(2, 99) = 0.48, p = .622 "
        "(pooled tau2, REML, knapp-hartung)>"
    )


def test_frames_and_the_scale_shown() -> None:
    found = subgroups(FARBER, "predictor_rater")
    frame, shown = found.to_frame(0.9), found.on_display_scale(0.9)
    assert frame["group"].tolist() == shown["group"].tolist() == ["P", "R", "T"]
    for name in ("estimate", "ci_low", "ci_high", "pi_low", "pi_high"):
        assert shown[name].tolist() == pytest.approx(np.tanh(frame[name]).tolist(), rel=1e-14)
    member = found.group("R").on_display_scale(0.9)
    assert (member.scale, member.level, member.ci_low) == ("r", 0.9, shown["ci_low"][1])
    assert list(frame.columns) == [
        *("group", "k", "n", "estimate", "std_error", "statistic", "df", "p_value", "ci_low", "ci_high"),
        *("pi_low", "pi_high", "tau2", "i2", "h2", "q_statistic", "q_df", "q_p_value"),
    ]


def test_it_is_frozen_and_looking_changes_nothing() -> None:
    found = subgroups(grouped(list("aaabbb")), "my group")
    before = found.to_frame()
    for view in (str(found), repr(found), found._repr_html_(), found.to_markdown(), found.to_apa(), found.to_r()):
        assert view
    pd.testing.assert_frame_equal(found.to_frame(), before)
    with pytest.raises(FrozenInstanceError):
        found.notes = ()  # type: ignore[misc]


def test_names_are_escaped_and_the_caveat_is_in_every_view() -> None:
    caveat = "Simulated data: made by a program, not from real studies."
    frame = pd.DataFrame(
        {"r": [0.1, 0.3, 0.2, 0.4], "n": [40, 50, 60, 70], "g": ["<b>", "<b>", 'say "so"', 'say "so"']}
    )
    effects = am.effect_sizes(StudyTable(roles={"r": "r", "n": "n"}, caveat=caveat, _frame=frame))
    for tau2 in ("pooled", "separate"):
        found = subgroups(effects, "g", tau2=tau2)
        views = (str(found), repr(found), found._repr_html_(), found.to_markdown(), found.to_apa(), found.to_r())
        assert all(caveat in view for view in views)
        assert "<b>" not in found._repr_html_().replace("&lt;b&gt;", "")
        assert r'"say \"so\""' in found.to_r()


def _metafor() -> bool:
    """Whether R is here with metafor."""
    rscript = shutil.which("Rscript")
    return (
        rscript is not None
        and not subprocess.run(
            [rscript, "-e", "library(metafor)"], capture_output=True, check=False, timeout=60
        ).returncode
    )


@pytest.mark.metafor
@pytest.mark.parametrize("tau2", ["pooled", "separate"])
@pytest.mark.parametrize("method", ["REML", "DL2", "CA2", "EE"])
def test_the_r_code_runs_and_gives_the_same_test(tau2: str, method: str) -> None:
    if not _metafor():
        pytest.skip("needs Rscript and the R package metafor")
    cells = list(bcg().table["alloc"])
    cells[0] = 'one "study"'  # whose group has no tau2
    table = bcg().table.assign(alloc=cells)
    found = subgroups(replace(bcg(), _frame=table), "alloc", tau2=tau2, tau2_method=method, test="z")
    printed = subprocess.run(
        ["Rscript", "-e", found.to_r()], capture_output=True, text=True, check=True, timeout=120
    ).stdout
    assert f"QM(df = 3) = {found.between.statistic:.6f}, p-val = {found.between.p_value:.6f}" in printed
