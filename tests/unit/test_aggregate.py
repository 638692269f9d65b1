"""`aggregate()`: against metafor, matrices written out and published composites; what it keeps and what it refuses."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import alliance_meta as am
from alliance_meta.effects import aggregate
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.stats import dependence, sampling_variance, weighted

Array = npt.NDArray[np.float64]

SETTINGS = settings(deadline=None, derandomize=True, max_examples=60)
REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "aggregate.json").read_text(encoding="utf-8"))
CASES: dict[str, Any] = {case["name"]: case for case in REFERENCE["cases"]}
METHODS = ("composite", "mean", "inverse-variance", "gleser-olkin")

# R package MAc 1.1.1 (Del Re & Hoyt), example data: each study's composite at a correlation of .50.
MAC_COMPOSITES = {
    "bachelor1991": 0.489897949,
    "coady1991": 0.7071067,
    "conte1995": 0.294392028877595,
    "chisholm1998": -0.0441268810002503,
    "cramer1992": 0.37,
    "green1991": 0.831679024624284,
    "hayes1998": 0.305995642670502,
    "henry1990": 0.0,
    "najavits1994": 0.75364115871884,
    "quintana1990": 0.02471427,
    "williams1990": 0.202072594216369,
    "sells2006": 0.330486831955539,
    "zuroff2006": 0.200504170408582,
    "keijsers1994": 0.120166551086398,
    "litter2004": 0.525388744962559,
}


def generic(study: list[str], y: npt.ArrayLike, v: npt.ArrayLike, **columns: Any) -> am.EffectSizes:
    return am.effect_sizes(pd.DataFrame({"study": study, "effect": y, "variance": v, **columns}), measure="GEN")


def correlations(study: list[str], r: npt.ArrayLike, n: npt.ArrayLike, measure: str = "COR") -> am.EffectSizes:
    return am.effect_sizes(pd.DataFrame({"study": study, "r": r, "n": n}), measure=measure)


def of_case(case: dict[str, Any]) -> tuple[am.EffectSizes, Any]:
    """A stored case's effects, and its correlation as `aggregate()` takes it."""
    columns = {"study": case["study"], "variance": case["vi"]}
    rho = case["correlation"]
    if isinstance(rho, list) and not isinstance(rho[0], list):
        columns["rho"], rho = rho, "rho"
    if "n1" in case:
        columns |= {"g": case["yi"], "n1": case["n1"], "n2": case["n2"]}
        return am.effect_sizes(pd.DataFrame(columns), measure="SMD"), rho
    return am.effect_sizes(pd.DataFrame({"effect": case["yi"], **columns}), measure="GEN"), rho


def agrees(ours: Array, theirs: list[float], beside: Array) -> bool:
    """Whether all numbers agree to 1e-10 of their size, or of their standard error where they are near 0."""
    scale = np.maximum(np.abs(np.asarray(theirs)), beside)
    return bool((np.abs(ours - np.asarray(theirs)) <= 1e-10 * scale).all())


# ---------------------------------------------------------------- metafor


@pytest.mark.parametrize("name", CASES)
def test_every_study_agrees_with_metafor(name: str) -> None:
    case = CASES[name]
    effects, rho = of_case(case)
    assert effects.variance.tolist() == pytest.approx(case["vi"], rel=1e-14)
    weighting = {True: "gleser-olkin" if "n1" in case else "inverse-variance", False: "mean"}
    for result in case["results"]:
        if "n1" in case and not result["weighted"]:
            continue  # a plain mean with these covariances: see the next test
        done = aggregate(effects, correlation=rho, method=weighting[result["weighted"]])
        assert done.table["study"].tolist() == result["study"]
        assert agrees(done.effect, result["yi"], np.sqrt(result["vi"]))
        assert agrees(done.variance, result["vi"], np.zeros(done.k))


def test_a_plain_mean_with_a_full_covariance_matrix_agrees_with_metafor() -> None:
    for case in (case for case in CASES.values() if "n1" in case and not isinstance(case["correlation"], list)):
        theirs = next(result for result in case["results"] if not result["weighted"])
        for study, yi, vi in zip(theirs["study"], theirs["yi"], theirs["vi"], strict=True):
            rows = [i for i, name in enumerate(case["study"]) if name == study]
            g, v, n1, n2 = (np.array(case[key])[rows] for key in ("yi", "vi", "n1", "n2"))
            rho = dependence.equicorrelation(case["correlation"], len(rows))
            mean = dependence.mean_from_covariance(g, dependence.covariance_of_smds(g, v, n1[0], n2[0], rho))
            assert float(mean.estimate) == pytest.approx(yi, rel=1e-10)
            assert float(mean.variance) == pytest.approx(vi, rel=1e-10)


# ---------------------------------------------------------------- the published composites


@pytest.mark.parametrize("measure", ["COR", "ZCOR"])
def test_the_composites_of_positive_regard_are_those_of_mac(measure: str) -> None:
    effects = am.effect_sizes(am.datasets.load("farber_doolin2011_effects"), measure=measure)
    done = aggregate(effects, correlation=0.5, method="composite")
    ours = dict(zip(done.table["study"], done.measure.to_display(done.effect), strict=True))
    assert ours == pytest.approx(MAC_COMPOSITES, rel=0.0, abs=1e-6)
    # The sum of n in the data set, over the first row of each study and over all 102 rows.
    assert (done.k, done.n, effects.n) == (15, 916.0, 13435.0)


def test_the_studies_of_positive_regard_are_the_ones_they_were_inferred_to_be() -> None:
    table = am.datasets.load("farber_doolin2011", as_printed=True).table.set_index("effect_id")
    rows = am.datasets.load("farber_doolin2011_effects").table.drop_duplicates("study").set_index("study")
    assert sorted(rows.index) == sorted(MAC_COMPOSITES)
    for study, row in rows.iterrows():
        printed = table.loc[str(study)]
        assert abs(MAC_COMPOSITES[str(study)] - printed["r"]) <= 0.005 + 1e-12, study
        assert row["study_inferred"] == ("n, r" if row["n"] == printed["n"] else "r"), study
        assert row["year"] == printed["year"]
    # The table prints n = 8 for Litter (2004), the effects have 48.
    assert rows.index[rows["study_inferred"] == "r"].tolist() == ["litter2004"]


def test_half_of_the_effects_of_positive_regard_come_from_one_study() -> None:
    table = am.datasets.load("farber_doolin2011_effects").table
    assert (len(table), table["study"].nunique()) == (102, 15)  # the counts its description gives
    assert table["study"].value_counts().head(2).to_dict() == {"zuroff2006": 52, "conte1995": 12}
    assert table.groupby("study")[["n", "year", "label", "study_number"]].nunique().eq(1).all(axis=None)
    assert table.groupby("study_number")["study"].nunique().eq(1).all()


# ---------------------------------------------------------------- matrices written out


def slow(effects: am.EffectSizes, rho: Array, method: str) -> list[tuple[float, float]]:
    """Effect and variance a study, one study after the other, with `rho` the matrix over all rows."""
    table, out = effects.table, []
    for study in dict.fromkeys(table["study"]):
        rows = [i for i, name in enumerate(table["study"]) if name == study]
        y, v, block = effects.effect[rows], effects.variance[rows], rho[np.ix_(rows, rows)]
        m = len(rows)
        if m == 1:
            out.append((y[0], v[0]))
            continue
        if method == "composite":
            r = np.tanh(y) if effects.measure.code == "ZCOR" else y
            together = sum(r) / math.sqrt(sum(block[i, j] for i in range(m) for j in range(m)))
            n = table["n"].iloc[rows].mean()
            z = effects.measure.code == "ZCOR"
            out.append((math.atanh(together), 1 / (n - 3)) if z else (together, (1 - together**2) ** 2 / (n - 1)))
            continue
        cov = np.array([[block[i, j] * math.sqrt(v[i] * v[j]) for j in range(m)] for i in range(m)])
        if method == "gleser-olkin":
            n1, n2 = table["n1"].iloc[rows[0]], table["n2"].iloc[rows[0]]
            for i in range(m):
                for j in range(m):
                    if i != j:
                        cov[i, j] = block[i, j] * (1 / n1 + 1 / n2) + block[i, j] ** 2 * y[i] * y[j] / (2 * (n1 + n2))
        weight = np.full(m, 1 / m) if method == "mean" else np.linalg.inv(cov).sum(axis=0)
        weight = weight / weight.sum()
        out.append((float(weight @ y), float(weight @ cov @ weight)))
    return out


def random_effects_of(measure: str, seed: int) -> am.EffectSizes:
    rng = np.random.default_rng(seed)
    study = rng.permutation(np.repeat([f"s{i}" for i in range(9)], [1, 1, 2, 2, 3, 3, 3, 4, 6])).tolist()
    size = dict(zip(dict.fromkeys(study), rng.integers(20, 200, 9).tolist(), strict=True))
    columns: dict[str, Any] = {"study": study, "effect_id": [f"e{i}" for i in range(25)]}
    columns |= {"r": rng.uniform(-0.3, 0.5, 25), "g": rng.normal(0.4, 0.3, 25), "effect": rng.normal(0, 2, 25)}
    columns |= {"n1": [size[s] for s in study], "n2": [size[s] // 2 for s in study], "n": rng.integers(20, 90, 25)}
    columns |= {"variance": rng.uniform(0.01, 3.0, 25)}
    return am.effect_sizes(pd.DataFrame(columns), measure=measure)


@pytest.mark.parametrize(
    ("measure", "method"),
    [
        ("COR", "composite"),
        ("ZCOR", "composite"),
        ("COR", "mean"),
        ("ZCOR", "inverse-variance"),
        ("GEN", "mean"),
        ("GEN", "inverse-variance"),
        ("SMD", "gleser-olkin"),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_every_form_of_the_correlation_agrees_with_matrices_written_out(measure: str, method: str, seed: int) -> None:
    effects = random_effects_of(measure, seed)
    rng, k, study = np.random.default_rng(seed + 100), effects.k, effects.table["study"]
    numbers = {name: float(rho) for name, rho in zip(dict.fromkeys(study), rng.uniform(-0.15, 0.9, 9), strict=True)}
    by_study = np.array([numbers[name] for name in study])
    directions = rng.normal(1.0, 1.0, (k, 5))
    full = directions @ directions.T + np.eye(k)
    full /= np.sqrt(np.outer(np.diag(full), np.diag(full)))
    one, each = (np.where(np.eye(k, dtype=bool), 1.0, rho) for rho in (0.4, by_study))
    with_column = am.EffectSizes(
        measure=effects.measure,
        effect=effects.effect,
        variance=effects.variance,
        n=effects.n,
        _frame=effects.table.assign(rho=by_study),
    )
    order = rng.permutation(k)
    ids = effects.table["effect_id"].to_numpy()
    named = pd.DataFrame(full, index=ids, columns=ids).iloc[order, order[::-1]]
    forms: list[tuple[am.EffectSizes, Any, Array]] = [
        (effects, 0.4, one),
        (effects, one, one),
        (with_column, "rho", each),
        (effects, full, full),
        (effects, full.tolist(), full),
        (effects, named, full),
    ]
    for given_effects, rho, matrix in forms:
        done = aggregate(given_effects, correlation=rho, method=method)
        assert [*zip(done.effect, done.variance, strict=True)] == [
            (pytest.approx(y, rel=1e-11, abs=1e-13), pytest.approx(v, rel=1e-11))
            for y, v in slow(effects, matrix, method)
        ]


# ---------------------------------------------------------------- what holds for all effects


@st.composite
def studies(draw: st.DrawFn) -> tuple[list[str], Array, Array]:
    """Up to 12 effects of up to 4 studies, their rows mixed, with effects and variances that can be equal."""
    study = draw(st.lists(st.sampled_from(["A", "B", "C", "D"]), min_size=1, max_size=12))
    y = draw(st.lists(st.integers(-300, 300), min_size=len(study), max_size=len(study)))
    v = draw(st.lists(st.integers(1, 500), min_size=len(study), max_size=len(study)))
    return study, np.array(y) / 100.0, np.array(v) / 100.0


@SETTINGS
@given(data=studies())
def test_uncorrelated_effects_are_averaged_as_in_an_equal_effects_model(data: tuple[list[str], Array, Array]) -> None:
    study, y, v = data
    done = aggregate(generic(study, y, v), correlation=0.0, method="inverse-variance")
    for i, name in enumerate(dict.fromkeys(study)):
        rows = [row for row, other in enumerate(study) if other == name]
        mean = weighted.weighted_mean(y[rows], v[rows])
        assert done.effect[i] == pytest.approx(float(mean.estimate), rel=1e-12, abs=1e-14)
        assert done.variance[i] == pytest.approx(float(mean.std_error) ** 2, rel=1e-12)


@SETTINGS
@given(data=studies(), value=st.floats(-5.0, 5.0), rho=st.floats(-0.09, 0.99))
def test_identical_effects_give_that_effect(data: tuple[list[str], Array, Array], value: float, rho: float) -> None:
    study, y, v = data
    effects = generic(study, np.full(len(y), value), v)
    for method in ("mean", "inverse-variance"):
        assert set(aggregate(effects, correlation=rho, method=method).effect) == {value}


@SETTINGS
@given(data=studies(), seed=st.integers(0, 99), rho=st.floats(-0.09, 0.95), method=st.sampled_from(METHODS[1:3]))
def test_the_order_of_the_rows_does_not_matter(
    data: tuple[list[str], Array, Array], seed: int, rho: float, method: str
) -> None:
    study, y, v = data
    order = np.random.default_rng(seed).permutation(len(y))
    shuffled = generic([study[i] for i in order], y[order], v[order])
    one, other = (
        aggregate(effects, correlation=rho, method=method).table.set_index("study")
        for effects in (generic(study, y, v), shuffled)
    )
    assert other.index.tolist() == [*dict.fromkeys(study[i] for i in order)]
    other = other.loc[one.index]
    assert other["effect"].to_numpy() == pytest.approx(one["effect"].to_numpy(), rel=1e-9, abs=1e-12)
    assert other["variance"].to_numpy() == pytest.approx(one["variance"].to_numpy(), rel=1e-9)


@SETTINGS
@given(data=studies(), low=st.floats(-0.09, 1.0), high=st.floats(-0.09, 1.0))
def test_the_variance_of_a_mean_grows_with_the_correlation(
    data: tuple[list[str], Array, Array], low: float, high: float
) -> None:
    study, y, v = data
    low, high = sorted((low, high))
    less, more = (aggregate(generic(study, y, v), correlation=rho, method="mean") for rho in (low, high))
    assert (less.effect == more.effect).all()
    assert (less.variance <= more.variance * (1.0 + 1e-12)).all()


@SETTINGS
@given(data=studies(), rho=st.floats(0.0, 0.99))
def test_inverse_variance_weights_never_do_worse_than_equal_ones(
    data: tuple[list[str], Array, Array], rho: float
) -> None:
    effects = generic(*data)
    best, plain = (aggregate(effects, correlation=rho, method=method) for method in ("inverse-variance", "mean"))
    assert (best.variance <= plain.variance * (1.0 + 1e-12)).all()
    alone = effects.table.groupby("study")["variance"].min()
    assert (best.variance <= alone[best.table["study"]].to_numpy() * (1.0 + 1e-12)).all()


@SETTINGS
@given(r=st.lists(st.integers(1, 50), min_size=2, max_size=8), rho=st.floats(0.3, 1.0))
def test_a_composite_is_never_nearer_to_0_than_the_mean(r: list[int], rho: float) -> None:
    effects = correlations(["A"] * len(r), np.array(r) / 100.0, np.full(len(r), 50))
    composite, mean = (aggregate(effects, correlation=rho, method=method).effect[0] for method in ("composite", "mean"))
    assert composite >= mean - 1e-12
    assert composite == pytest.approx(mean * math.sqrt(len(r) / (1 + (len(r) - 1) * rho)), rel=1e-12)


def test_strong_correlations_lose_no_digits() -> None:
    # Two effects with variance 1 and correlation 1 - 2**-40: the mean, with variance (1 + rho) / 2.
    rho = 1.0 - 2.0**-40
    done = aggregate(generic(["A", "A"], [1.0, 2.0], [1.0, 1.0]), correlation=rho, method="inverse-variance")
    assert done.effect.tolist() == [1.5]
    assert done.variance[0] == pytest.approx((1.0 + rho) / 2.0, rel=1e-15)
    # Variances 1 and 4: weights in proportion to 1/v_i - rho / sqrt(v_i v_j), that is, 1 - rho/2 and 1/4 - rho/2.
    done = aggregate(generic(["A", "A"], [1.0, 2.0], [1.0, 4.0]), correlation=rho, method="inverse-variance")
    w = np.array([1.0 - rho / 2.0, 0.25 - rho / 2.0])
    assert done.effect[0] == pytest.approx(float(w @ [1.0, 2.0] / w.sum()), rel=1e-14)
    assert done.variance[0] == pytest.approx((1.0 - rho**2) / w.sum(), rel=1e-11)


# ---------------------------------------------------------------- by hand


def test_a_composite_by_hand() -> None:
    # (.3 + .4) / sqrt(2 + 2 x .5) = .7 / sqrt(3); n is the mean of 40 and 60.
    effects = correlations(["A", "A"], [0.3, 0.4], [40, 60], "ZCOR")
    done = aggregate(effects, correlation=0.5)
    assert done.effect[0] == pytest.approx(math.atanh(0.7 / math.sqrt(3.0)), rel=1e-14)
    assert done.variance[0] == pytest.approx(1.0 / 47.0, rel=1e-14)
    assert done.n == 50.0
    assert done.notes[-2] == "1 study has effects with different n: its variance comes from their mean"
    r = aggregate(correlations(["A", "A"], [0.3, 0.4], [40, 60]), correlation=0.5)
    assert r.variance[0] == pytest.approx((1.0 - 0.49 / 3.0) ** 2 / 49.0, rel=1e-14)
    # A correlation of 1 makes the measures one, and the composite their mean.
    assert aggregate(effects, correlation=1.0).measure.to_display(
        aggregate(effects, correlation=1.0).effect
    ) == pytest.approx([0.35], rel=1e-14)


def test_a_mean_by_hand() -> None:
    # Variance of a mean of two: (v1 + v2 + 2 rho sqrt(v1 v2)) / 4 = (.04 + .09 + 2 x .5 x .06) / 4.
    done = aggregate(generic(["A", "A"], [0.2, 0.6], [0.04, 0.09]), method="mean")
    assert (done.effect[0], done.variance[0]) == (pytest.approx(0.4, rel=1e-15), pytest.approx(0.0475, rel=1e-15))
    # With a correlation of 1: ((.2 + .3) / 2)**2.
    assert aggregate(
        generic(["A", "A"], [0.2, 0.6], [0.04, 0.09]), correlation=1, method="mean"
    ).variance == pytest.approx([0.0625], rel=1e-15)


# ---------------------------------------------------------------- what comes out


@pytest.fixture
def mixed() -> am.EffectSizes:
    """Three effects of one study, one of another, two of a third; some columns are of the study, some of the row."""
    return am.effect_sizes(
        pd.DataFrame(
            {
                "trial": ["x", "y", "x", "z", "x", "z"],
                "name": ["X 1999", "Y 2000", "X 1999", "Z 2001 a", "X 1999", "Z 2001 b"],
                "r": [0.1, 0.5, 0.2, 0.3, 0.3, 0.2],
                "n": [30, 40, 30, 50, 30, 50],
                "year": [1999, 2000, 1999, 2001, 1999, 2001],
                "country": ["CH", None, "CH", "US", "CH", "US"],
                "scale": ["BDI", "BDI", "SCL", "BDI", "GAS", "BDI"],
                "notes": [[1], [2], [1], [3], [1], [3]],
                "rho": [0.4, math.nan, 0.4, 0.25, 0.4, 0.25],
            },
            index=pd.Index(["a", "b", "c", "d", "e", "f"]),
        ),
        measure="ZCOR",
        study="trial",
        label="name",
    )


def test_one_row_a_study_in_order_of_first_appearance(mixed: am.EffectSizes) -> None:
    done = aggregate(mixed)
    table = done.table
    assert table.index.tolist() == [0, 1, 2]
    assert table["study"].tolist() == table["effect_id"].tolist() == ["x", "y", "z"]
    assert done.labels == ["X 1999", "Y 2000", "z"]  # the labels of z differ, so it is called by its name
    assert table["route"].tolist() == [
        "composite of 3 effects (r = .50)",
        "r, n",
        "composite of 2 effects (r = .50)",
    ]
    assert table.columns.tolist() == [
        *("effect_id", "study", "label", "effect", "variance", "route"),
        *("trial", "n", "year", "country", "notes", "rho"),
    ]
    assert table["country"].tolist()[::2] == ["CH", "US"]
    assert table["country"].isna().tolist() == [False, True, False]
    assert (table["year"].tolist(), table["n"].tolist()) == ([1999, 2000, 2001], [30, 40, 50])
    assert (done.k, done.n, done.measure, done.caveat) == (3, 120.0, mixed.measure, "")
    assert done.notes == (
        "6 effects of 3 studies were combined into one a study: 2 with 2 to 3 effects; "
        "1 with one effect stays as before",
        "Columns left out, as they differ within a study: name, r, scale",
    )
    for note in done.notes:
        assert note in " ".join(str(done).split())
    assert not done.effect.flags.writeable
    assert not done.variance.flags.writeable


def test_a_study_with_one_effect_stays_as_it_is(mixed: am.EffectSizes) -> None:
    ids = mixed.table["effect_id"].tolist()
    for method in ("composite", "mean", "inverse-variance"):
        for rho in (0.5, "rho", pd.DataFrame(np.eye(6), index=ids, columns=ids)):
            done = aggregate(mixed, method=method, correlation=rho)
            assert (done.effect[1], done.variance[1]) == (mixed.effect[1], mixed.variance[1])
            assert done.table["route"][1] == "r, n"


def test_a_matrix_is_read_only_within_studies_with_more_than_one_effect(mixed: am.EffectSizes) -> None:
    study = np.array(["x", "y", "x", "z", "x", "z"])
    matrix = np.where(study[:, None] == study, 0.5, np.nan)
    matrix[1, 1] = 7.0  # the only effect of y
    for i in (0, 2, 3, 4, 5):
        matrix[i, i] = 1.0
    done, number = aggregate(mixed, correlation=matrix), aggregate(mixed, correlation=0.5)
    assert done.effect == pytest.approx(number.effect, rel=1e-14)
    assert done.table["route"][0] == "composite of 3 effects (r as given)"
    ids = mixed.table["effect_id"].drop("b").tolist()
    named = pd.DataFrame(np.where(np.eye(5), 1.0, 0.5), index=ids, columns=ids)
    assert aggregate(mixed, correlation=named).effect == pytest.approx(number.effect, rel=1e-14)


@pytest.mark.parametrize(
    ("rho", "words"),
    [
        (0.5, "(r = .50)"),
        (0, "(r = .00)"),
        (1, "(r = 1.00)"),
        (0.125, "(r = .125)"),
        (1 / 3, "(r = .3333)"),
        (-0.25, "(r = -.25)"),
        (np.float32(0.5), "(r = .50)"),
    ],
)
def test_routes_give_the_correlation_as_it_is_written(rho: float, words: str) -> None:
    effects = correlations(["A", "A"], [0.1, 0.2], [50, 50])
    for method, name in (("composite", "composite"), ("mean", "mean")):
        done = aggregate(effects, correlation=rho, method=method)
        assert done.table["route"].tolist() == [f"{name} of 2 effects {words}"]


def test_routes_name_the_method_and_each_studys_own_correlation(mixed: am.EffectSizes) -> None:
    done = aggregate(mixed, correlation="rho", method="inverse-variance")
    assert done.table["route"].tolist() == [
        "inverse-variance mean of 3 effects (r = .40)",
        "r, n",
        "inverse-variance mean of 2 effects (r = .25)",
    ]


def test_effects_can_be_combined_by_another_column(mixed: am.EffectSizes) -> None:
    done = aggregate(mixed, by="scale", method="mean")
    table = done.table
    assert table["effect_id"].tolist() == table["scale"].tolist() == ["BDI", "SCL", "GAS"]
    assert table["study"].tolist() == ["BDI", "x", "x"]
    assert table["route"].tolist() == ["mean of 4 effects (r = .50)", "r, n", "r, n"]
    # 30, 40, 50 and 50 people behind the four effects: their mean; then 30 and 30.
    assert done.n == 42.5 + 60.0
    assert "1 study has effects with different n: their mean counts as its n" in done.notes
    by_year = aggregate(mixed, by="year")
    assert by_year.table["effect_id"].tolist() == ["1999", "2000", "2001"]
    assert by_year.effect == pytest.approx(aggregate(mixed).effect, rel=0.0, abs=0.0)


def test_nothing_to_combine_is_said() -> None:
    effects = correlations(["A", "B"], [0.1, 0.2], [50, 60])
    done = aggregate(effects)
    assert done.notes == ("Each study has one effect, so there was nothing to combine",)
    assert done.effect.tolist() == effects.effect.tolist()
    assert aggregate(done).effect.tolist() == effects.effect.tolist()


def test_earlier_notes_and_the_caveat_stay() -> None:
    frame = pd.DataFrame({"study": ["A", "A"], "g": [0.1, 0.2], "n": [50, 50]})
    effects = am.effect_sizes(frame, measure="SMD")
    simulated = am.EffectSizes(
        measure=effects.measure,
        effect=effects.effect,
        variance=effects.variance,
        n=effects.n,
        notes=effects.notes,
        caveat="Simulated data.",
        _frame=effects.table,
    )
    done = aggregate(simulated, method="mean")
    assert done.notes[0] == "2 of 2 rows give only a total N: two equal groups are assumed"
    assert done.caveat == "Simulated data."
    for view in (repr(done), str(done), done._repr_html_()):
        assert "Simulated data." in view


def test_equal_groups_assumed_are_good_enough_for_gleser_and_olkin() -> None:
    halves = am.effect_sizes(
        pd.DataFrame({"study": ["A", "A"], "g": [0.1, 0.5], "n1": [25, 25], "n2": [25, 25]}), measure="SMD"
    )
    total = am.effect_sizes(pd.DataFrame({"study": ["A", "A"], "g": [0.1, 0.5], "n": [50, 50]}), measure="SMD")
    one, other = (aggregate(effects, method="gleser-olkin") for effects in (halves, total))
    assert one.effect.tolist() == other.effect.tolist()
    assert (one.n, other.n) == (50.0, 50.0)
    # rho = .5: covariance .5 (2/25) + .25 (.1)(.5) / 100 and variances 2/25 + g**2 / 100.
    v1, v2, c = 0.08 + 0.0001, 0.08 + 0.0025, 0.04 + 0.000125
    assert one.effect[0] == pytest.approx(((v2 - c) * 0.1 + (v1 - c) * 0.5) / (v1 + v2 - 2 * c), rel=1e-13)
    assert one.variance[0] == pytest.approx((v1 * v2 - c**2) / (v1 + v2 - 2 * c), rel=1e-13)


def test_a_total_that_is_not_known_stays_unknown() -> None:
    assert math.isnan(aggregate(generic(["A", "A"], [0.1, 0.2], [0.1, 0.2]), method="mean").n)
    counted = generic(["A", "A", "B"], [0.1, 0.2, 0.3], [0.1, 0.2, 0.1], n=[30, 30, 20])
    assert (counted.n, aggregate(counted, method="mean").n) == (80.0, 50.0)


def test_the_name_of_the_column_of_n_does_not_matter() -> None:
    frame = pd.DataFrame({"study": ["A", "A"], "corr": [0.123, 0.456], "people": [47, 47]})
    for measure in ("COR", "ZCOR"):
        done = aggregate(am.effect_sizes(frame, measure=measure, r="corr", n="people"))
        assert done.n == 47.0
        items = aggregate(am.effect_sizes(frame.assign(n=[9, 12]), measure=measure, r="corr", n="people"))
        assert items.n == 47.0  # a column n that is not the sample size
    assert done.variance[0] == float(sampling_variance.variance_of_fisher_z(47))


def test_results_can_be_pooled() -> None:
    effects = am.effect_sizes(am.datasets.load("farber_doolin2011_effects"))
    fit = am.pool(aggregate(effects))
    assert (fit.k, fit.n) == (15, 916.0)


# ---------------------------------------------------------------- what is refused

PAIR = correlations(["A", "A", "B"], [0.1, 0.2, 0.3], [50, 50, 60])


def refused(match: str, effects: am.EffectSizes = PAIR, error: type[InputError] = InputError, **asked: Any) -> None:
    with pytest.raises(error, match=match):
        aggregate(effects, **asked)


def test_only_effect_sizes_are_combined() -> None:
    with pytest.raises(InputError, match=r"^aggregate\(\) takes the result of effect_sizes\(\), not DataFrame: "):
        aggregate(pd.DataFrame())  # type: ignore[arg-type]


def test_unknown_names_get_the_nearest_one() -> None:
    refused(
        r"^unknown method 'inverse_variance'\. Did you mean 'inverse-variance'\? Known: 'composite'",
        error=UnknownNameError,
        method="inverse_variance",
    )
    refused(r"^unknown column for 'by' 'studi'\. Did you mean 'study'\? Known: ", error=UnknownNameError, by="studi")
    refused(r"^unknown column for 'correlation' 'rr'\. Did you mean", error=UnknownNameError, correlation="rr")


@pytest.mark.parametrize(
    ("measure", "method", "match"),
    [
        (
            "GEN",
            "composite",
            r"'composite' is for the measure 'COR' or 'ZCOR', .*'GEN'; .*='inverse-variance' or 'mean'$",
        ),
        ("SMD", "composite", r"these effects are 'SMD'; use method='inverse-variance', 'gleser-olkin' or 'mean'$"),
        (
            "COR",
            "gleser-olkin",
            r"'gleser-olkin' is for the measure 'SMD', .*'composite', 'inverse-variance' or 'mean'$",
        ),
        ("GEN", "gleser-olkin", r"'gleser-olkin' is for the measure 'SMD', and these effects are 'GEN'; use"),
    ],
)
def test_a_method_that_does_not_fit_the_measure_is_refused(measure: str, method: str, match: str) -> None:
    refused(match, random_effects_of(measure, 0), method=method)


@pytest.mark.parametrize(
    ("given_value", "match"),
    [
        (1.5, r"^correlation must lie between -1 and 1; got 1\.5$"),
        (math.nan, r"^correlation must lie between -1 and 1; got nan$"),
        (
            -1,
            r"^2 effects cannot all be correlated -1 with each other: .* 'A' .* -1/\(m - 1\) = -1, and at most 1$",
        ),
        (True, r"^correlation must be a number, the name of a column, or a square matrix; got bool$"),
        (None, r"^correlation must be a number, .*; got NoneType$"),
        ([0.5, 0.5, 0.5], r"^correlation must be a number, .*; got list$"),
        ([[1.0, 0.5], [0.5]], r"^correlation must be a number, .*; got lists of unequal length$"),
        (np.eye(2), r"^correlation must be a matrix of 3 x 3, a row and a column for each effect; got 2 x 2$"),
        (np.eye(3).astype(str), r"^correlation must be a number, .*; got ndarray$"),
        (
            [[1, math.nan, 0], [math.nan, 1, 0], [0, 0, 1]],
            r"^study 'A': the correlation of the effects '1' and '2' is not a finite number; got nan$",
        ),
        (
            [[0.9, 0.5, 0], [0.5, 1, 0], [0, 0, 1]],
            r"^study 'A': .* effects '1' and '1' must be 1, as the correlation of an effect with itself; got 0\.9$",
        ),
        (
            [[1, 0.5, 0], [0.4, 1, 0], [0, 0, 1]],
            r"^study 'A': .* '1' and '2' differs from the one on the other side of the diagonal; got 0\.5$",
        ),
        (
            [[1, 1.5, 0], [1.5, 1, 0], [0, 0, 1]],
            r"^the correlations given for study 'A' cannot all hold at once: their matrix has a negative eigenvalue$",
        ),
    ],
)
def test_a_correlation_that_cannot_be_is_refused(given_value: Any, match: str) -> None:
    refused(match, correlation=given_value)


def test_a_number_that_cannot_hold_in_the_largest_study_names_it() -> None:
    effects = correlations([*"AAABBBBBCC"], [0.1] * 10, [50] * 10)
    refused(
        r"^5 effects cannot all be correlated -0\.5 .*: for study 'B' .* above -1/\(m - 1\) = -0\.25, and at most 1 "
        r"\(and likewise for 1 other study\)$",
        effects,
        correlation=-0.5,
    )
    assert aggregate(effects, correlation=-0.24, method="mean").k == 3


def test_a_named_matrix_must_name_every_effect_it_is_asked_for() -> None:
    named = pd.DataFrame(np.eye(2), index=["1", "3"], columns=["1", "3"])
    refused(r"^correlation has no row or column for the effects '2': a DataFrame must be named", correlation=named)
    lopsided = pd.DataFrame(np.eye(2), index=["1", "2"], columns=["1", "3"])
    refused(r"^correlation has no row or column for the effects '2'", correlation=lopsided)
    twice = pd.DataFrame(np.eye(3), index=["1", "1", "2"], columns=["1", "2", "3"])
    refused(r"^correlation has more than one row named '1'$", correlation=twice)
    refused(r"^correlation has more than one column named '1'$", correlation=twice.T)
    words = pd.DataFrame("half", index=["1", "2"], columns=["1", "2"])
    refused(r"^correlation must hold numbers; the DataFrame has cells that are not$", correlation=words)
    by_number = pd.DataFrame([[1.0, 0.5], [0.5, 1.0]], index=[1, 2], columns=[1, 2])
    assert aggregate(PAIR, correlation=by_number).effect == pytest.approx(aggregate(PAIR).effect, rel=1e-15)


def test_a_column_of_correlations_must_be_one_number_a_study() -> None:
    def with_column(cells: list[Any]) -> am.EffectSizes:
        return generic(["A", "A", "B"], [0.1, 0.2, 0.3], [0.1, 0.1, 0.1], rho=cells)

    asked: dict[str, Any] = {"correlation": "rho", "method": "mean"}
    refused(
        r"^column 'rho' holds different correlations within a study: row 1 \(0\.6\)\. Give one number a study",
        with_column([0.5, 0.6, 0.7]),
        **asked,
    )
    refused(
        r"^column 'rho' has no correlation for some effects: row 1 \(empty\)\. Fill them in; ",
        with_column([0.5, None, 0.7]),
        **asked,
    )
    refused(r"^column 'rho' must hold numbers: row 2 \('high'\)\. ", with_column([0.5, 0.5, "high"]), **asked)
    refused(r"^2 effects cannot all be correlated 1\.2 .* study 'A'", with_column([1.2, 1.2, 0.7]), **asked)
    assert aggregate(with_column([0.5, 0.5, None]), correlation="rho", method="mean").k == 2


@pytest.mark.parametrize("empty", [None, ""])
def test_every_row_must_say_what_it_belongs_to(empty: str | None) -> None:
    effects = generic(["A", "B", "C"], [0.1, 0.2, 0.3], [0.1, 0.1, 0.1], sample=["s", empty, "s"])
    refused(
        r"^column 'sample' has empty cells: row 1 \((empty|'')\)\. Say for every row what it belongs to",
        effects,
        by="sample",
        method="mean",
    )


def test_a_matrix_without_an_inverse_names_its_study() -> None:
    effects = generic([*"AABBB"], [0.1, 0.2, 0.3, 0.4, 0.5], [0.1, 0.2, 0.3, 0.1, 0.1])
    match = (
        r"^the covariance matrix of study 'A' is singular with this correlation, .* \(and likewise for 1 other study\)"
    )
    refused(match, effects, correlation=1.0, method="inverse-variance")
    matrix = np.where(np.eye(5), 1.0, 0.5)
    matrix[2:4, 2:4] = 1.0
    refused(r"^the covariance matrix of study 'B' is singular", effects, correlation=matrix, method="inverse-variance")
    assert aggregate(effects, correlation=matrix, method="mean").k == 2
    opposed = np.eye(5)
    opposed[0, 1] = opposed[1, 0] = -1.0
    equal = generic([*"AABBB"], [0.1, 0.2, 0.3, 0.4, 0.5], [0.1] * 5)
    refused(r"^the covariance matrix of study 'A' is singular", equal, correlation=opposed, method="mean")
    r = correlations([*"AABBB"], [0.1] * 5, [50] * 5)
    refused(r"^the covariance matrix of study 'A' is singular", r, correlation=opposed, method="composite")
    smd = am.effect_sizes(pd.DataFrame({"study": ["A", "A"], "g": [0.3, 0.3], "n": [50, 50]}), measure="SMD")
    refused(r"^the covariance matrix of study 'A' is singular", smd, correlation=1.0, method="gleser-olkin")


def test_correlations_that_no_measures_could_have_are_refused() -> None:
    # (.9 + .9) / sqrt(3) = 1.039
    effects = correlations(["A", "A"], [0.9, 0.9], [50, 50])
    match = (
        r"^the 2 correlations of study 'A' are too large for measures that .* composite would be 1\.039; give a higher"
    )
    refused(match, effects)
    refused(match, effects, correlation=[[1.0, 0.5], [0.5, 1.0]])
    assert aggregate(effects, correlation=0.7).effect[0] == pytest.approx(1.8 / math.sqrt(3.4), rel=1e-14)


def test_gleser_and_olkin_need_one_pair_of_group_sizes_a_study() -> None:
    frame = pd.DataFrame({"study": ["A", "A"], "es": [0.1, 0.2], "nt": [20, 20], "nc": [30, 30]})
    unnamed = am.effect_sizes(frame, measure="SMD", g="es", n1="nt", n2="nc")
    refused(r"^method='gleser-olkin' needs the group sizes of study 'A', in columns", unnamed, method="gleser-olkin")
    frame = pd.DataFrame({"study": ["A", "A"], "g": [0.1, 0.2], "n1": [20, 20], "n2": [30, 31]})
    differing = am.effect_sizes(frame, measure="SMD")
    refused(
        r"^method='gleser-olkin' is for outcomes of the same people, .* study 'A'; use method='inverse-variance'$",
        differing,
        method="gleser-olkin",
    )
