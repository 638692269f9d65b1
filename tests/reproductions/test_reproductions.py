"""The shipped findings: each verdict is the expected one, and the files say what they must."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest

import alliance_meta as am
from alliance_meta.errors import SpecError, UnknownNameError
from alliance_meta.reproductions import _models, _run, _spec

DATA = Path(__file__).parents[2] / "data"
FILES = sorted((DATA / "reproductions").glob("*.toml"))


@pytest.mark.parametrize("name", am.reproductions.names())
def test_no_surprise(name: str) -> None:
    result = am.reproductions.reproduce(name)
    assert [row.label for row in result.comparisons if row.surprise] == []
    assert result.surprises == 0
    assert len(result.comparisons) > 0


def _row(name: str, quantity: str, analysis: str = "overall") -> am.reproductions.Comparison:
    rows = am.reproductions.reproduce(name).comparisons
    return next(row for row in rows if row.quantity == quantity and row.analysis == analysis)


@pytest.mark.parametrize(
    ("name", "quantity", "published", "recomputed", "verdict"),
    [
        # Recomputed values: metafor 3.8-1, rma(method="DL", test="z") on escalc()'s COR, ZCOR and SMD (LS variances).
        ("farber_doolin2011-positive-regard", "estimate", "0.27", 0.271, "match"),
        ("farber_doolin2011-positive-regard", "k", "18", 18, "match"),
        ("farber_doolin2011-as-printed", "estimate", "0.27", 0.254, "differs as explained"),
        ("kolden2011-congruence", "estimate", "0.24", 0.244, "match"),
        ("kolden2011-congruence", "ci_low", "0.12", 0.107, "differs as explained"),
        ("kolden2011-congruence", "ci_high", "0.36", 0.382, "differs as explained"),
        ("kolden2011-congruence", "n", "863", 863, "match"),
        ("kolden2011-congruence", "k", "16", 16, "match"),
        ("benish2011-cultural-adaptation", "estimate", "0.32", 0.368, "differs as explained"),
        ("benish2011-cultural-adaptation", "k", "21", 21, "match"),
        ("munder2012-direct-comparisons", "estimate", "-0.001", -0.0451, "differs as explained"),
        ("munder2012-direct-comparisons", "k", "29", 29, "match"),
    ],
)
def test_study_level_findings(name: str, quantity: str, published: str, recomputed: float, verdict: str) -> None:
    row = _row(name, quantity)
    assert row.published == published
    assert row.recomputed == pytest.approx(recomputed, abs=0.0005)  # the numbers above have three decimals
    assert row.verdict == verdict


@pytest.mark.parametrize(
    ("analysis", "recomputed", "verdict"),
    [
        # metafor 3.8-1: rma.mv(yi, V, random = ~ 1 | study/effect), V diagonal and by vcalc(rho = 0.5).
        ("three-level", 0.2687, "match"),
        ("correlated-and-hierarchical", 0.2391, "differs as explained"),
    ],
)
def test_several_effects_from_one_study(analysis: str, recomputed: float, verdict: str) -> None:
    row = _row("farber_doolin2011-several-effects", "estimate", analysis)
    assert row.recomputed == pytest.approx(recomputed, abs=0.00005)  # four decimals
    assert row.verdict == verdict


@pytest.mark.parametrize(
    ("name", "published", "recomputed"),
    [
        ("fluckiger2018-r-as-d", "0.579", 2 * 0.278 / (1 - 0.278**2) ** 0.5),
        ("martin2000-variance-share", "0.048", 0.22**2),
        ("horvath_bedi2002-variance-share", "0.044", 0.21**2),
    ],
)
def test_identities(name: str, published: str, recomputed: float) -> None:
    row = _row(name, "estimate", "identity")
    assert (row.published, row.verdict) == (published, "consistent")
    assert row.recomputed == pytest.approx(recomputed, rel=1e-14)


def test_every_printed_interval_is_checked() -> None:
    table = am.datasets.load("relationship_meta_analyses").table
    with_interval = set(table.loc[table["ci_low"].notna(), "effect_id"])
    checked = {row.analysis for row in am.reproductions.reproduce("relationship-intervals").comparisons}
    assert checked == with_interval


def test_every_r_restated_as_d_is_checked() -> None:
    table = am.datasets.load("relationship_meta_analyses").table.set_index("effect_id")
    restated = table[(table["restates"] != "") & (table["metric"] == "d")]
    of_r = restated[table.loc[restated["restates"], "metric"].to_numpy() == "r"].index
    checked = {row.analysis for row in am.reproductions.reproduce("relationship-r-as-d").comparisons}
    assert checked | {"fluckiger2018-overall-d"} == set(of_r)


def test_published_values_are_those_of_the_data_set() -> None:
    """A number that stands in a data set and in a reproduction file is written the same way in both."""
    dataset = am.datasets.load("relationship_meta_analyses")
    for name in ("relationship-intervals", "relationship-r-as-d"):
        for row in am.reproductions.reproduce(name).comparisons:
            column = "std_error" if row.quantity == "std_error" else "estimate"
            assert dataset.cell(row.analysis, column) == row.published, row.analysis


def test_interval_reports_scales_and_standard_error() -> None:
    row = _row("relationship-intervals", "estimate", "kolden2011-overall")
    # By hand: (atanh .36 - atanh .12) / (2 x 1.959964) = (.376886 - .120581) / 3.919928; (.36 - .12) / 3.919928.
    assert row.detail == "symmetric on z and on r; SE 0.065 on z, SE 0.061 on r"


def test_a_match_counts_the_rounding_of_its_inputs() -> None:
    row = _row("relationship-r-as-d", "estimate", "kolden2018-overall-d")
    # r = .23 may be .225: d = .4618, which prints as .46, though d(.23) = .4727 does not.
    assert (row.published, row.verdict) == ("0.46", "consistent")
    assert abs(row.difference) > 0.005


def test_specs_state_their_method_and_locators() -> None:
    for path in FILES:
        spec = tomllib.loads(path.read_text(encoding="utf-8"))
        for analysis in spec["analysis"]:
            if analysis["model"]["kind"] == "pool":
                assert {"tau2_method", "test"} <= analysis["model"].keys(), path.name
            for published in analysis["published"]:
                assert published["locator"].strip(), path.name


def test_display() -> None:
    result = am.reproductions.reproduce("kolden2011-congruence")
    assert repr(result) == "<Reproduction 'kolden2011-congruence': 5 numbers, as expected>"
    text, html = str(result), result._repr_html_()
    for part in ("Kolden et al. (2011)", "differs as explained", "Method: Correlation r, DL, z test"):
        assert part in text
        assert part in html
    frame = result.to_frame()
    assert list(frame["quantity"]) == ["estimate", "ci_low", "ci_high", "k", "n"]
    assert result.to_records()[0]["published"] == "0.24"


def test_unknown_finding() -> None:
    with pytest.raises(
        UnknownNameError, match=r"unknown reproduction 'kolden2011'.*Did you mean 'kolden2011-congruence'"
    ):
        am.reproductions.reproduce("kolden2011")


GOOD = """
schema_version = 1
id = "made-up"
title = "A test"
dataset = { id = "kolden2011", version = 1 }
publication = { citation = "kolden2011", locator = "abstract" }

[[analysis]]
id = "overall"
effect_size = { measure = "COR" }
model = { kind = "pool", tau2_method = "DL", test = "z" }

[[analysis.published]]
quantity = "estimate"
scale = "r"
value = "0.24"
locator = "abstract"
expect = "match"
"""


@pytest.fixture
def write_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the data folder with one made-up reproduction file in it."""
    shutil.copytree(DATA, tmp_path / "data")
    monkeypatch.setattr(_run, "data_folder", lambda: tmp_path / "data")
    return tmp_path / "data" / "reproductions" / "made-up.toml"


def test_a_spec_of_ones_own(write_spec: Path) -> None:
    write_spec.write_text(GOOD, encoding="utf-8")
    assert am.reproductions.reproduce("made-up").surprises == 0


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        ("title =", "titel =", "made-up.toml has an unknown key 'titel'. Did you mean 'title'"),
        (
            "test =",
            "tests =",
            "model of .*analysis.* 1 of made-up.toml has an unknown key 'tests'. Did you mean 'test'",
        ),
        ('kind = "pool", ', "", "kind None is not one of 'pool'"),
        ('"pool"', '"magic"', "kind 'magic' is not one of"),
        (', test = "z"', "", "lacks 'test'"),
        ('value = "0.24"', "value = 0.24", "'value' must be of type str, not float"),
        ('value = "0.24"', 'value = "about .2"', "'about .2' is not a number"),
        ('expect = "match"', 'expect = "maybe"', "expect must be 'match' or 'differs', not 'maybe'"),
        ('expect = "match"', 'expect = "differs"', "a number expected to differ needs a reason"),
        ('expect = "match"', 'expect = "match"\nreason = "x"', "only such a number has one"),
        ("version = 1 }", "version = 2 }", "was written for version 2 of kolden2011, not 1"),
        ('id = "kolden2011",', 'id = "kolden",', "unknown data set 'kolden'"),
        ('citation = "kolden2011"', 'citation = "nobody"', "cites 'nobody', which is not in references.toml"),
        ('scale = "r"', 'scale = "d"', "no quantity 'estimate' with scale 'd'; this analysis gives estimate"),
        ('quantity = "estimate"', 'quantity = "estimat"', "no quantity 'estimat' with scale 'r'"),
        ('id = "made-up"', 'id = "other"', "id 'other' must be the file's name"),
        ("schema_version = 1", "schema_version = 7", "schema_version must be 1, not 7"),
        ("schema_version = 1", "schema_version = true", "'schema_version' must be of type int, not bool"),
        ("title =", "title", "made-up.toml cannot be read"),
        ('measure = "COR"', 'measures = "COR"', "unknown key 'measures'. Did you mean 'measure'"),
    ],
)
def test_a_spec_that_cannot_be_understood(write_spec: Path, good: str, bad: str, message: str) -> None:
    assert good in GOOD
    write_spec.write_text(GOOD.replace(good, bad), encoding="utf-8")
    with pytest.raises(SpecError, match=message):
        am.reproductions.reproduce("made-up")


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        ('"DL"', '"DLL"', "unknown tau2_method 'DLL'. Did you mean 'DL'"),
        ('"z" }', '"zz" }', "unknown test 'zz'"),
        ('"COR"', '"COOR"', "unknown measure 'COOR'"),
    ],
)
def test_a_spec_with_an_unknown_method(write_spec: Path, good: str, bad: str, message: str) -> None:
    write_spec.write_text(GOOD.replace(good, bad), encoding="utf-8")
    with pytest.raises(UnknownNameError, match=message):
        am.reproductions.reproduce("made-up")


@pytest.mark.parametrize(
    ("value", "expect", "verdict"),
    [
        ("0.24", "match", "match"),
        ("0.25", "match", "SURPRISE: differs"),
        ("0.24", "differs", "SURPRISE: matches"),
        ("0.25", "differs", "differs as explained"),
    ],
)
def test_verdicts(write_spec: Path, value: str, expect: str, verdict: str) -> None:
    reason = '\nreason = "because"' if expect == "differs" else ""
    spec = GOOD.replace('"0.24"', f'"{value}"').replace('expect = "match"', f'expect = "{expect}"{reason}')
    write_spec.write_text(spec, encoding="utf-8")
    result = am.reproductions.reproduce("made-up")
    assert result.comparisons[0].verdict == verdict
    assert result.surprises == int(verdict.startswith("SURPRISE"))


def test_half_unit() -> None:
    assert [_spec.half_unit(text) for text in ("16", "0.2", "0.24", "-0.001")] == [0.5, 0.05, 0.005, 0.0005]


def test_interval_on_other_scales() -> None:
    """An odds ratio's interval is symmetric on its logarithm: 2 [1, 4] is, and is not on OR itself."""
    printed = ["2.00", "1.00", "4.00"]
    on_log, as_printed = (
        _models._symmetry(printed, 0.95, axis, "")
        for axis in (
            _models._AXES["OR"][0],
            ("OR", float, float),
        )
    )
    assert on_log.distance <= 0.0 < as_printed.distance
    assert on_log.middle.value == pytest.approx(2.0, rel=1e-12)
    assert on_log.std_error == pytest.approx(0.35364, rel=1e-4)  # log(4) / (2 x 1.959964)
