"""What each study counts in a fit: metafor, whole matrices, and the same fit of a table without the study."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

import alliance_meta as am
from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.stats import multilevel as kernel
from alliance_meta.stats.multilevel._diagnostics import components_without, influence
from alliance_meta.stats.multilevel._leaving_out import heights
from alliance_meta.stats.multilevel._nested import likelihood
from alliance_meta.stats.multilevel._shares import Effects, effects_of, group_means, shares
from alliance_meta.study_diagnostics import diagnose

FloatArray = npt.NDArray[np.float64]

# metafor prints 14 digits, and solves the same equations another way.
SAME = 1e-10
# metafor's optimizer (nlminb, rel.tol = 1e-10) stops this far from the maximum: 2.4e-5 for one Cook's distance, below
# 1.4e-6 for all others but one of 4e-5, which is off by 2e-8. What it should have found is held against a fit of
# the table without the study, to 1e-7.
METAFORS: dict[str, Any] = {"rel": 3e-5, "abs": 1e-7}
REFITTED = 1e-7

# dat.konstantopoulos2011 of the R package metadat 1.2-0: schools in districts.
# fmt: off
YI = [
    -0.18, -0.22, 0.23, -0.3, 0.13, -0.26, 0.19, 0.32, 0.45, 0.38, 0.29, 0.16, 0.65, 0.36, 0.6, 0.08, 0.04, 0.19, -0.06,
    -0.18, 0, 0, -0.28, -0.04, -0.3, 0.07, 0, 0.05, -0.08, -0.09, 0.3, 0.98, 1.19, -0.07, -0.05, -0.01, 0.02, -0.03, 0,
    0.01, -0.1, 0.5, 0.66, 0.2, 0, 0.05, 0.07, -0.52, 0.7, -0.03, 0.27, -0.34, 0.12, 0.61, 0.04, -0.05,
]
VI = [
    0.118, 0.118, 0.144, 0.144, 0.014, 0.014, 0.015, 0.024, 0.023, 0.043, 0.012, 0.02, 0.004, 0.004, 0.007,
    0.019, 0.007, 0.005, 0.004, 0.02, 0.018, 0.019, 0.022, 0.02, 0.021, 0.006, 0.007, 0.007, 0.007, 0.007,
    0.015, 0.011, 0.01, 0.001, 0.001, 0.001, 0.001, 0.001, 0.001, 0.001, 0.001, 0.01, 0.011, 0.01, 0.009, 0.013,
    0.013, 0.031, 0.031, 0.03, 0.03, 0.03, 0.087, 0.082, 0.067, 0.067,
]
DISTRICT = np.repeat([11, 12, 18, 27, 56, 58, 71, 86, 91, 108, 644], [4, 4, 3, 4, 4, 11, 3, 8, 6, 5, 4])
YEAR = [
    *[1976] * 4, *[1989] * 4, *[1994] * 3, *[1976] * 4, *[1997] * 4, *[1976] * 11, *[1997] * 11, *[2000] * 11,
    1995, 1995, 1994, 1994,
]
# fmt: on
KONST = pd.DataFrame({"study": DISTRICT, "y": YI, "v": VI, "year": np.subtract(YEAR, 2000.0)})
SCHOOLS = am.effect_sizes(KONST, measure="GEN", effect="y", variance="v")
FARBER = am.effect_sizes(am.datasets.load("farber_doolin2011_effects"), measure="ZCOR")


def _kernel(
    effects: am.EffectSizes, matrix: FloatArray, correlation: float | None = None
) -> tuple[Effects, FloatArray]:
    """The effects for the kernel, and the number of each one's study in the order of names that metafor has."""
    made = (effects.effect, effects.variance, matrix, [effects.table["study"].to_numpy()])
    names = pd.factorize(effects.table["study"], sort=not effects.table["study"].str.isdigit().all())[0]
    return effects_of(kernel.prepared(*made, correlation), *made), np.asarray(names, dtype=np.intp)


# ---------------------------------------------------------------- metafor 3.8-1, R 4.2.2


def test_held_components_on_konstantopoulos2011() -> None:
    """fit <- rma.mv(yi, vi, random = ~ 1 | district/school, data = k, sigma2 = c(0.065, 0.033));
    cooks.distance(fit, cluster = k$district, reestimate = FALSE); the same of dfbetas;
    tapply(hatvalues(fit), k$district, sum)
    """
    effects, district = _kernel(SCHOOLS, np.ones((56, 1)))
    components = np.array([0.033, 0.065])
    found = influence(effects, district, components)
    cook = [
        0.070084759887625, 0.01466461508587, 0.039996422357028, 0.11937929344062, 0.023708838369518, 0.11762690888186,
        0.5809755752895, 0.084425005080705, 0.0067996546788155, 0.041105198216762, 0.00029027055769407,
    ]  # fmt: skip
    dfbetas = [
        -0.26473526377803, -0.12109754368223, 0.19999105569257, 0.34551308722047, -0.15397674619733, -0.34296779569204,
        0.76221753803589, -0.29055981325831, 0.082460018668537, -0.20274416937797, -0.017037328361397,
    ]  # fmt: skip
    hats = [
        0.067610924458102, 0.09242091541986, 0.085330777479783, 0.095055573407146, 0.095009512178706, 0.10333570223448,
        0.089404320209522, 0.10323956583792, 0.098850769537673, 0.092036681203943, 0.077705258032864,
    ]  # fmt: skip
    assert found.cooks_distance == pytest.approx(cook, rel=SAME)
    assert found.dfbetas[:, 0] == pytest.approx(dfbetas, rel=SAME)
    counted = shares(effects, components)
    assert np.bincount(district, counted.hat) == pytest.approx(hats, rel=SAME)
    assert np.bincount(district, counted.weight) == pytest.approx(hats, rel=SAME)  # the same without moderators


def test_held_components_with_a_moderator() -> None:
    """As above, with mods = ~ I(year - 2000)."""
    effects, district = _kernel(SCHOOLS, np.column_stack([np.ones(56), KONST["year"]]))
    found = influence(effects, district, np.array([0.033, 0.065]))
    cook = [
        0.20541283719673, 0.01260108065127, 0.037642421954705, 1.2490195695415, 0.059591375300827, 0.3894018403901,
        0.82520014578296, 0.17868594998328, 0.0010058812667814, 0.16360952531139, 0.0015447239664958,
    ]  # fmt: skip
    intercept = [
        0.095448073591428, -0.063838008344452, 0.17495932698249, -0.23536289560095, -0.23964711350879, 0.13141725054562,
        0.89178496501842, -0.41497859964271, 0.031715631268845, -0.40448674306013, -0.013536242198547,
    ]  # fmt: skip
    year = [
        0.38291033561609, 0.02111205337008, 0.062823380883089, -0.94420853093287, -0.1348197333827, 0.52720837224616,
        0.50169688863819, -0.23345703331955, 0.022230070873843, -0.28351221798286, 0.016829686942054,
    ]  # fmt: skip
    assert found.cooks_distance == pytest.approx(cook, rel=SAME)
    assert found.dfbetas[:, 0] == pytest.approx(intercept, rel=SAME)
    assert found.dfbetas[:, 1] == pytest.approx(year, rel=SAME)
    first = [0.063737036284718, 0.063737036284718, 0.054374533779618, 0.054374533779618, 0.02518840708784]
    assert shares(effects, np.array([0.033, 0.065])).hat[:5] == pytest.approx(first, rel=SAME)


def test_held_components_with_correlated_sampling_errors() -> None:
    """V <- vcalc(vi, cluster = study, obs = id, rho = 0.5, data = f);
    fit <- rma.mv(yi, V, random = ~ 1 | study/id, data = f, sigma2 = c(0.0184, 0.012)); and so on
    """
    effects, study = _kernel(FARBER, np.ones((102, 1)), 0.5)
    components = np.array([0.012, 0.0184])
    found = influence(effects, study, components)
    cook = [
        0.095037957618882, 0.44987070983776, 0.030365756322997, 0.0018166310036392, 0.0079135026116843,
        0.094644437272378, 0.00097288203302775, 0.020791783640166, 0.048743216823647, 0.11913302759789,
        0.071507426174719, 0.054538878629072, 0.0039536508441782, 0.0053233625757659, 0.07958582047822,
    ]  # fmt: skip
    assert found.cooks_distance == pytest.approx(cook, rel=SAME)
    assert found.dfbetas[:3, 0] == pytest.approx([0.30828226938778, -0.6707240191299, 0.17425772959326], rel=SAME)
    hats = [0.053053641699758, 0.014302750127324, 0.01003243947446, 0.01003243947446, 0.010032439474461]
    assert shares(effects, components).hat[:5] == pytest.approx(hats, rel=SAME)
    # cooks.distance(fit, reestimate = FALSE): one effect at a time
    alone = [0.095037957618882, 0.030365756322997, 0.0025085130372634, 0.0025085130372634, 0.0016091791367515]
    by_effect = influence(effects, np.arange(102), components)
    assert by_effect.cooks_distance[:5] == pytest.approx(alone, rel=SAME)


def test_refitted_konstantopoulos2011() -> None:
    """fit <- rma.mv(yi, vi, random = ~ 1 | district/school, data = k, control = list(rel.tol = 1e-10));
    cooks.distance(fit, cluster = k$district); dfbetas(fit, cluster = k$district)
    """
    cook = [
        0.0693784141842, 0.0161880606004, 0.0419849758753, 0.119208945311, 0.0213566369932, 0.101450698504,
        0.558517485848, 0.0656500671791, 0.00374385171786, 0.0548839761292, 0.00034416465431,
    ]  # fmt: skip
    dfbetas = [
        -0.262501555477, -0.12123237716, 0.199411631604, 0.348468579083, -0.140253767278, -0.323718643751,
        1.08256983896, -0.255153621783, 0.0575999709585, -0.224325669268, -0.0177107118219,
    ]  # fmt: skip
    found = diagnose(am.multilevel(SCHOOLS))
    assert found.labels == tuple(str(name) for name in np.unique(DISTRICT))
    assert found.cooks_distance == pytest.approx(cook, **METAFORS)
    assert found.dfbetas[:, 0] == pytest.approx(dfbetas, **METAFORS)
    assert found.influential == ("71",)


def test_refitted_farber_doolin2011() -> None:
    """fit <- rma.mv(yi, V, random = ~ 1 | study/id, data = f, control = list(rel.tol = 1e-10)); V as above."""
    cook = [
        0.158864837542, 0.0948885958042, 0.044169735573, 0.0481186990409, 4.23585190879e-05, 0.159977629324,
        0.00128347644212, 0.0351876437504, 0.0874810801326, 0.22429825491, 0.114656428709, 0.0804578959791,
        0.00173222717461, 0.0245412053208, 0.0850608258579,
    ]  # fmt: skip
    found = diagnose(am.multilevel(FARBER, correlation=0.5))
    order = np.argsort(found.labels)
    assert found.cooks_distance[order] == pytest.approx(cook, **METAFORS)


# ---------------------------------------------------------------- whole matrices


class _Dense(NamedTuple):
    y: FloatArray
    x: FloatArray
    v: FloatArray

    def fit(self, keep: npt.NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
        """Coefficients and the inverse of their covariance."""
        w = np.linalg.inv(self.v[np.ix_(keep, keep)])
        inner = self.x[keep].T @ w @ self.x[keep]
        return np.asarray(np.linalg.solve(inner, self.x[keep].T @ w @ self.y[keep]), dtype=np.float64), inner


def _frame(seed: int = 7) -> pd.DataFrame:
    """Studies of one to five effects in six laboratories; `team` cuts across both."""
    rng = np.random.default_rng(seed)
    study = np.repeat(np.arange(18), rng.integers(1, 6, 18))
    n = study.size
    return pd.DataFrame(
        {
            "study": [f"s{i}" for i in study],
            "lab": [f"l{i // 3}" for i in study],
            "team": rng.choice(["a", "b", "c", "d"], n),
            "x": rng.normal(size=n).round(3),
            "v": rng.uniform(0.02, 0.2, n).round(4),
            "y": (0.2 + rng.normal(0.0, 0.3, 18)[study] + rng.normal(0.0, 0.3, n)).round(4),
        }
    ).sample(frac=1.0, random_state=seed)  # groups need not stand together


FRAME = _frame()
EFFECTS = am.effect_sizes(FRAME, measure="GEN", effect="y", variance="v")


def _dense(components: FloatArray, rho: float) -> _Dense:
    study, lab = FRAME["study"].to_numpy(), FRAME["lab"].to_numpy()
    v, n = FRAME["v"].to_numpy(), len(FRAME)
    same = np.equal.outer(study, study)
    sampling = np.where(np.eye(n, dtype=bool), 1.0, np.where(same, rho, 0.0)) * np.sqrt(np.outer(v, v))
    total = sampling + components[0] * np.eye(n) + components[1] * same + components[2] * np.equal.outer(lab, lab)
    return _Dense(FRAME["y"].to_numpy(), np.column_stack([np.ones(n), FRAME["x"]]), total)


@pytest.mark.parametrize("rho", [None, 0.6])
@pytest.mark.parametrize("by", ["study", "lab", "team", "effect"])
@pytest.mark.parametrize("components", [[0.05, 0.03, 0.02], [0.0, 0.1, 0.0]])
def test_held_components_against_whole_matrices(by: str, rho: float | None, components: list[float]) -> None:
    held = np.array(components)
    slow = _dense(held, rho or 0.0)
    groups = [FRAME["study"].to_numpy(), FRAME["lab"].to_numpy()]
    made = (slow.y, FRAME["v"].to_numpy(), slow.x, groups)
    effects = effects_of(kernel.prepared(*made, rho), *made)
    clusters = np.arange(len(FRAME)) if by == "effect" else pd.factorize(FRAME[by])[0]
    found = influence(effects, clusters, held)
    whole, inner = slow.fit(np.ones(len(FRAME), dtype=bool))
    errors = np.sqrt(np.diagonal(np.linalg.inv(inner)))
    for cluster in range(clusters.max() + 1):
        change = whole - (without := slow.fit(clusters != cluster)[0])
        assert found.coefficients[cluster] == pytest.approx(without, rel=1e-10, abs=1e-12)
        assert found.cooks_distance[cluster] == pytest.approx(change @ inner @ change, rel=1e-10, abs=1e-14)
        assert found.dfbetas[cluster] == pytest.approx(change / errors, rel=1e-10, abs=1e-12)
    w = np.linalg.inv(slow.v)
    counted = shares(effects, held)
    assert counted.hat == pytest.approx(np.diagonal(slow.x @ np.linalg.solve(inner, slow.x.T @ w)), rel=1e-10)
    assert counted.weight == pytest.approx(w.sum(axis=1) / w.sum(), rel=1e-10, abs=1e-14)


def test_means_of_studies_against_whole_matrices() -> None:
    slow = _dense(np.array([0.05, 0.0, 0.0]), 0.6)
    made = (slow.y, FRAME["v"].to_numpy(), slow.x, [FRAME["study"].to_numpy(), FRAME["lab"].to_numpy()])
    found = group_means(effects_of(kernel.prepared(*made, 0.6), *made), 0.05)
    for mean, variance, row in zip(*found, strict=True):
        own = (FRAME["study"] == FRAME["study"].iloc[row]).to_numpy()
        w = np.linalg.inv(slow.v[np.ix_(own, own)])
        assert mean == pytest.approx((w @ slow.y[own]).sum() / w.sum(), rel=1e-10)
        assert variance == pytest.approx(1.0 / w.sum(), rel=1e-10)


# ---------------------------------------------------------------- the same fit without a study


@pytest.mark.parametrize("by", ["study", "lab", "team", "effect"])
@pytest.mark.parametrize("correlation", [None, 0.6])
@pytest.mark.parametrize("method", ["REML", "ML"])
def test_refitting_is_fitting_the_table_without_the_study(by: str, correlation: float | None, method: str) -> None:
    options: dict[str, Any] = {"levels": ["lab"], "correlation": correlation, "tau2_method": method}
    found = diagnose(am.multilevel(EFFECTS, "x", **options), by)
    frame = found.to_frame()
    for i in range(0, len(found.labels), 4):
        left = FRAME.drop(index=FRAME.index[i]) if by == "effect" else FRAME[FRAME[by] != found.labels[i]]
        fit = am.multilevel(am.effect_sizes(left, measure="GEN", effect="y", variance="v"), "x", **options)
        assert found.coefficients_without[i] == pytest.approx(fit.coefficients, rel=REFITTED, abs=1e-9)
        assert found.components_without[i] == pytest.approx(fit.components, rel=REFITTED, abs=1e-8)
        assert frame["estimate[x]"][i] == found.coefficients_without[i, 1]
        assert frame["tau2"][i] == pytest.approx(fit.tau2, rel=REFITTED)


@pytest.mark.parametrize("method", ["REML", "DL", "PM", "EE"])
def test_pooled_effects_and_regressions_are_refitted_by_their_estimator(method: str) -> None:
    pooled = diagnose(am.pool(EFFECTS, tau2_method=method))
    regression = diagnose(am.meta_regression(EFFECTS, "x", tau2_method=method))
    for i in range(0, len(pooled.labels), 5):
        left = am.effect_sizes(FRAME[FRAME["study"] != pooled.labels[i]], measure="GEN", effect="y", variance="v")
        fit, line = am.pool(left, tau2_method=method), am.meta_regression(left, "x", tau2_method=method)
        assert pooled.coefficients_without[i] == pytest.approx([fit.estimate], rel=1e-9)
        assert pooled.to_frame()["tau2"][i] == pytest.approx(fit.tau2, rel=1e-8, abs=1e-12)
        assert regression.coefficients_without[i] == pytest.approx(line.coefficients, rel=1e-8)
    fit = am.pool(EFFECTS, tau2_method=method)
    weights = 1.0 / (EFFECTS.variance + fit.tau2)
    assert pooled.effect_weights == pytest.approx(100.0 * weights / weights.sum(), rel=1e-12)
    assert pooled.effect_hats == pytest.approx(weights / weights.sum(), rel=1e-12)


def test_held_is_held() -> None:
    fit = am.multilevel(EFFECTS)
    found = diagnose(fit, refit=False)
    assert (found.components_without == fit.components).all()
    assert not found.refit
    assert "τ² held" in str(found)


def test_levels_that_cannot_be_told_without_a_study() -> None:
    """Without the only study of several effects, what is left is the model of pool()."""
    frame = pd.DataFrame({"study": ["a", "a", "a", "b", "c", "d", "e"], "y": [0.1, 0.6, 0.3, 0.2, 0.9, -0.3, 0.5]})
    effects = am.effect_sizes(frame.assign(v=0.01), measure="GEN", effect="y", variance="v")
    found = diagnose(am.multilevel(effects))
    left = am.pool(am.effect_sizes(frame[3:].assign(v=0.01), measure="GEN", effect="y", variance="v"))
    assert found.coefficients_without[0, 0] == pytest.approx(left.estimate, rel=1e-9)
    assert found.components_without[0] == pytest.approx([left.tau2, 0.0], rel=1e-7)


def test_coefficients_that_hang_on_one_study_are_missing_without_it() -> None:
    frame = FRAME.assign(x=np.where(FRAME["study"] == "s3", 1.0, 0.0))
    fit = am.multilevel(am.effect_sizes(frame, measure="GEN", effect="y", variance="v"), "x")
    for refit in (True, False):
        found = diagnose(fit, refit=refit)
        at = found.labels.index("s3")
        assert np.isnan(found.cooks_distance[at])
        assert np.isnan(found.coefficients_without[at]).all()
        assert np.isfinite(np.delete(found.cooks_distance, at)).all()
        assert "Without study 's3' the model cannot be fitted" in str(found)
    assert "s3" not in found.influential


def test_too_few_effects_are_left() -> None:
    frame = pd.DataFrame({"study": ["a", "a", "b"], "y": [0.1, 0.2, 0.5], "v": 0.01})
    fit = am.multilevel(am.effect_sizes(frame, measure="GEN", effect="y", variance="v"))
    found = diagnose(fit)
    assert np.isnan(found.components_without[0]).all()  # one effect: no variance between
    assert np.isfinite(diagnose(fit, refit=False).coefficients_without).all()


@pytest.mark.parametrize("restricted", [True, False])
def test_parts_taken_together_have_the_likelihood_of_each(restricted: bool) -> None:
    made = (
        FRAME["y"].to_numpy(),
        FRAME["v"].to_numpy(),
        np.column_stack([np.ones(len(FRAME)), FRAME["x"]]),
        [FRAME["study"].to_numpy(), FRAME["lab"].to_numpy()],
    )
    problem = kernel.prepared(*made, 0.4)
    effects = effects_of(problem, *made)
    keep = np.array([effects.codes[0] != 0, effects.codes[1] != 2, effects.codes[1] > 1])
    components = np.array([[0.05, 0.03, 0.02], [0.0, 0.1, 0.0], [0.2, 0.0, 0.3]])
    found = heights(problem.data, keep, components, restricted=restricted)
    for i in range(3):
        codes = [code[keep[i]] for code in effects.codes]
        alone = kernel.prepared(
            effects.residual[keep[i]], effects.variance[keep[i]], effects.basis[keep[i]], codes, 0.4
        )
        own = likelihood(alone.data, components[i], restricted=restricted)
        # The restricted likelihood is up to a constant, which the part's own columns change.
        constant = np.linalg.slogdet(alone.triangle).logabsdet if restricted else 0.0
        assert found.value[i] == pytest.approx(own.value - constant, rel=1e-11)
        assert found.first[i] == pytest.approx(own.first, rel=1e-10)
        assert found.second[i] == pytest.approx(own.second, rel=1e-10)


def test_components_without_start_anywhere() -> None:
    """Far from the maximum, Newton's plain steps give way to the safe climb."""
    effects, district = _kernel(SCHOOLS, np.ones((56, 1)))
    near = components_without(effects, district, np.array([0.033, 0.065]), np.zeros(2, dtype=bool), restricted=True)
    far = components_without(effects, district, np.array([3.0, 0.0]), np.zeros(2, dtype=bool), restricted=True)
    assert far == pytest.approx(near, rel=REFITTED, abs=1e-8)


# ---------------------------------------------------------------- the result


def test_frames_and_words() -> None:
    found = diagnose(am.multilevel(FARBER, correlation=0.5))
    frame, effects = found.to_frame(), found.effects_frame()
    assert list(frame) == [
        "study", "k", "weight", "hat_sum", "hat_max", "cooks_distance", "dfbetas", "estimate", "tau2", "tau2[effect]",
        "tau2[study]",
    ]  # fmt: skip
    assert frame["weight"].sum() == pytest.approx(100.0)
    assert frame["hat_sum"].sum() == pytest.approx(1.0)
    assert effects.groupby("study", sort=False)["weight"].sum().to_numpy() == pytest.approx(frame["weight"])
    assert effects.groupby("study", sort=False)["hat"].max().to_numpy() == pytest.approx(frame["hat_max"])
    assert effects.index.equals(FARBER.table.index)
    assert repr(found) == "<StudyDiagnostics: 15 studies, largest Cook's distance 0.22 (litter2004)>"
    assert "with all" in str(found)
    assert "<table" in found._repr_html_()
    assert found.to_markdown().startswith("**Influence of 15 studies**")


def test_only_the_first_rows_are_printed() -> None:
    found = diagnose(am.multilevel(FARBER), by="effect", refit=False)
    assert "and 82 more with smaller distances: see to_frame()" in str(found)
    assert len(found.to_frame()) == 102


def test_a_result_is_frozen() -> None:
    found = diagnose(am.multilevel(EFFECTS), refit=False)
    with pytest.raises(FrozenInstanceError):
        found.by = "lab"  # type: ignore[misc]
    for array in (found.cooks_distance, found.components_without, found.effect_hats):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0


def test_weights_are_of_the_mean_alone() -> None:
    assert np.isnan(diagnose(am.multilevel(EFFECTS, "x"), refit=False).weight).all()


def test_what_is_refused() -> None:
    fit = am.multilevel(EFFECTS)
    with pytest.raises(InputError, match="takes the result of multilevel"):
        diagnose(EFFECTS)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match=r"unknown by 'labs'.*'lab'"):
        diagnose(fit, "labs")
    single = am.pool(am.effect_sizes(FRAME.assign(study="only"), measure="GEN", effect="y", variance="v"))
    with pytest.raises(InputError, match="by='study' has one group only, 'only'"):
        diagnose(single)
    with pytest.raises(InputError, match="weights='equal'"):
        diagnose(am.pool(EFFECTS, weights="equal"))
    holes = am.effect_sizes(
        FRAME.assign(team=FRAME["team"].where(FRAME["team"] != "a")), measure="GEN", effect="y", variance="v"
    )
    with pytest.raises(InputError, match="column 'team' has empty cells"):
        diagnose(am.multilevel(holes), "team")
