"""The command line: what it prints, what it writes, how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import alliance_meta
from alliance_meta import reproductions
from alliance_meta.cli import main

ROOT = Path(__file__).parents[2]
ALL = sum(text.read_text().count("[[analysis.published]]") for text in (ROOT / "data" / "reproductions").glob("*.toml"))


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "alliance_meta", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)


def test_reproduce_everything(tmp_path: Path) -> None:
    done = run("reproduce", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"{ALL} published numbers" in done.stdout
    assert "0 surprises" in done.stdout
    assert "Congruence/genuineness and outcome" in done.stdout
    assert "Why: No usual method gives all three printed numbers" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert (tmp_path / "alliance-meta-report" / "index.html").stat().st_size > 100_000


def test_chosen_findings_and_folder(tmp_path: Path) -> None:
    done = run("reproduce", "kolden2011-congruence", "--output", "here", "--quiet", folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    page = (tmp_path / "here" / "index.html").read_text(encoding="utf-8")
    assert "kolden2011-congruence" in page
    assert "munder2012" not in page


def test_json(tmp_path: Path) -> None:
    done = run("reproduce", "--json", folder=tmp_path)
    records = json.loads(done.stdout)
    assert len(records) == ALL
    kolden = [record for record in records if record["finding"] == "kolden2011-congruence"]
    assert [record["published"] for record in kolden] == ["0.24", "0.12", "0.36", "16", "863"]
    assert {"title", "source", "recomputed", "difference", "verdict", "why"} <= kolden[0].keys()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reproduce", "kolden"], "unknown reproduction 'kolden'"),
        (["reproduce", "--outputt", "x"], "No such option"),
        (["reproduce", "--output", "taken"], "cannot be used as output folder"),
        (["reproduce", "--output", "mine"], "was not written by alliance_meta, so it is left alone"),
        (["nonsense"], "No such command"),
    ],
)
def test_usage_and_data_errors_end_with_2(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "index.html").write_text("<html>mine</html>", encoding="utf-8")
    done = run(*arguments, folder=tmp_path)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert (tmp_path / "mine" / "index.html").read_text(encoding="utf-8") == "<html>mine</html>"


def test_a_surprise_ends_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def surprising(name: str) -> reproductions.Reproduction:
        result = real(name)
        first = reproductions.Comparison(**{**result.to_records()[0], "verdict": "SURPRISE: differs"})
        return reproductions.Reproduction(
            id=result.id,
            title=result.title,
            source=result.source,
            comparisons=(first, *result.comparisons[1:]),
            fits=result.fits,
            dataset=result.dataset,
            as_printed=result.as_printed,
        )

    real = reproductions.reproduce
    monkeypatch.setattr(reproductions, "reproduce", surprising)
    monkeypatch.setattr(sys, "argv", ["alliance-meta", "reproduce", "kolden2011-congruence", "-o", str(tmp_path)])
    with pytest.raises(SystemExit, match="1"):
        main()
    shown = capsys.readouterr()
    assert "1 surprise." in shown.out
    assert "SURPRISE: differs: kolden2011-congruence, pooled r: published 0.24, recomputed 0.244" in shown.err
    assert "1 surprise" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_datasets(tmp_path: Path) -> None:
    done = run("datasets", folder=tmp_path)
    assert done.returncode == 0
    for name in alliance_meta.datasets.names():
        assert name in done.stdout
    assert "second-hand" in done.stdout


def test_version(tmp_path: Path) -> None:
    assert run("--version", folder=tmp_path).stdout == f"alliance-meta {alliance_meta.__version__}\n"


def test_audit_of_a_csv_names_the_lines_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "studies.csv").write_text("study,r,n\nA (1990),0.3,50\nB (1991),1.3,40\n", encoding="utf-8")
    done = run("audit", "studies.csv", "--output", "found.csv", folder=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "1 error" in done.stdout
    found = pd.read_csv(tmp_path / "found.csv")
    assert list(found["row"]) == [3]  # the file's third line, its header included
    assert "1.3" in str(found.loc[0, "seen"])


def test_audit_of_a_sound_workbook(tmp_path: Path) -> None:
    frame = pd.DataFrame({"study": ["A", "B", "C"], "r": [0.31, 0.22, 0.4], "n": [50, 60, 70]})
    frame.to_excel(tmp_path / "studies.xlsx", index=False)
    done = run("audit", "studies.xlsx", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 errors" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.csv"], "nowhere.csv cannot be read as a table"),
        (["studies.txt"], "studies.txt is neither .csv nor .xlsx"),
        (["empty.csv"], "empty.csv cannot be read as a table"),
        (["latin.csv"], "latin.csv cannot be read as a table"),
        (["studies.csv", "-o", "found.csv"], "found.csv is there already and is left alone"),
        (["studies.csv", "-o", "found.txt"], "found.txt is neither .csv nor .xlsx"),
        (["studies.csv", "-o", "no/where/found.csv"], "cannot be written"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "studies.csv").write_text("study,r,n\nA,0.3,50\n", encoding="utf-8")
    (tmp_path / "studies.txt").write_text("study,r,n\nA,0.3,50\n", encoding="utf-8")
    (tmp_path / "empty.csv").write_text("", encoding="utf-8")
    (tmp_path / "latin.csv").write_bytes("study,r,n\nMüller,0.3,50\n".encode("latin-1"))
    (tmp_path / "found.csv").write_text("mine", encoding="utf-8")
    done = run("audit", *arguments, folder=tmp_path)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert (tmp_path / "found.csv").read_text(encoding="utf-8") == "mine"
    done = run("audit", "studies.csv", "-o", "found.csv", "--force", folder=tmp_path)
    assert (tmp_path / "found.csv").read_text(encoding="utf-8").startswith("row,")


MIXED = "study,r,n,t,df,significance\nA (1990),0.3,50,,,\nB (1991),,,2.5,40,\nC (1992),,60,,,ns\n"


def test_effects_of_a_mixed_table(tmp_path: Path) -> None:
    (tmp_path / "studies.csv").write_text(MIXED, encoding="utf-8")
    done = run("effects", "studies.csv", "-m", "ZCOR", "--not-significant", "zero", "-o", "out.xlsx", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "t, df -> r" in done.stdout
    written = pd.read_excel(tmp_path / "out.xlsx")
    # By hand: atanh(.3); r = t / sqrt(t^2 + df) = 2.5 / sqrt(46.25) = .367607, so z = ln(1.367607 / .632393) / 2; 0.
    # Variances: 1 / (n - 3), with n = df + 2.
    assert written["effect"].to_list() == pytest.approx([0.309520, 0.385654, 0.0], abs=1e-6)
    assert written["variance"].to_list() == pytest.approx([1 / 47, 1 / 39, 1 / 57])


def test_effects_names_the_lines_it_cannot_use(tmp_path: Path) -> None:
    (tmp_path / "studies.csv").write_text(MIXED, encoding="utf-8")
    done = run("effects", "studies.csv", folder=tmp_path)
    assert done.returncode == 2
    assert "4" in done.stderr
    assert "not_significant" in done.stderr
    assert "Traceback" not in done.stderr
    assert "unknown measure 'ZCORR'" in run("effects", "studies.csv", "-m", "ZCORR", folder=tmp_path).stderr
