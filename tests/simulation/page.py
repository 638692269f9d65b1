"""Writes the tables of docs/validation.md from results.json: python tests/simulation/page.py.

Each table stands between `<!-- table: its name -->` and `<!-- end -->`; the prose around it is left alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).parents[2] / "docs" / "validation.md"

TOO_LOW = 0.93
"""Coverage of 95 % intervals below this is set in bold."""


def _percent(share: float) -> str:
    text = f"{100.0 * share:.1f}"
    return f"**{text}**" if share < TOO_LOW else text


def _plain_percent(share: float) -> str:
    return f"{100.0 * share:.0f}"


def _thousandths(value: float) -> str:
    return f"{1000.0 * value:.1f}".replace("-", "−")


def _two_decimals(value: float) -> str:
    return f"{value:.2f}"


@dataclass(frozen=True, slots=True)
class Column:
    """One method's numbers."""

    header: str
    part: str
    method: str
    value: str
    shown: Callable[[float], str]


def _columns(part: str, value: str, shown: Callable[[float], str], methods: dict[str, str]) -> list[Column]:
    return [Column(header, part, method, value, shown) for header, method in methods.items()]


OF_MEAN = {
    "Knapp-Hartung": "REML knapp-hartung",
    "ad hoc": "REML knapp-hartung-adhoc",
    "t": "REML t",
    "z": "REML z",
    "profile likelihood": "profile likelihood",
    "Henmi-Copas": "Henmi-Copas",
    "equal effects, z": "EE z",
}
OF_MEAN_BY_ESTIMATOR = {
    f"{method} {short}": f"{method} {test}"
    for short, test in (("KH", "knapp-hartung"), ("ad hoc", "knapp-hartung-adhoc"), ("z", "z"))
    for method in ("DL", "PM", "SJ")
}
OF_TAU2 = {
    "Q-profile": "Q-profile",
    "generalised Q, 1/v": "generalised Q, 1/v",
    "generalised Q, 1/√v": "generalised Q, 1/sqrt v",
    "profile, REML": "profile REML",
    "profile, ML": "profile ML",
    "Wald, REML": "Wald REML",
}
OF_PREDICTION = {
    "t(k−2)": "REML knapp-hartung t(k-2)",
    "t(k−1)": "REML knapp-hartung t(k-1)",
    "Nagashima": "Nagashima",
    "t(k−2), plain SE": "REML z t(k-2)",
    "z, plain SE": "REML z z",
    "DL, t(k−2)": "DL knapp-hartung t(k-2)",
    "PM, t(k−2)": "PM knapp-hartung t(k-2)",
    "SJ, t(k−2)": "SJ knapp-hartung t(k-2)",
}
ESTIMATORS = {name: name for name in ("DL", "DL2", "HE", "CA2", "HS", "HSk", "SJ", "ML", "REML", "PM", "PMM")}

TABLES: dict[str, tuple[str, list[Column]]] = {
    "mean-coverage": ("normal", _columns("mean_intervals", "coverage", _percent, OF_MEAN)),
    "mean-coverage-by-estimator": (
        "normal",
        _columns("mean_intervals", "coverage", _percent, OF_MEAN_BY_ESTIMATOR),
    ),
    "mean-width": (
        "normal",
        [
            Column("mean width, Knapp-Hartung", "mean_intervals", "REML knapp-hartung", "mean_width", _two_decimals),
            *_columns("mean_intervals", "relative_width", _two_decimals, dict(list(OF_MEAN.items())[1:])),
        ],
    ),
    "narrower": (
        "normal",
        [
            Column("narrower, % of sets", "mean_intervals", "REML knapp-hartung", "narrower", _plain_percent),
            Column("coverage then", "mean_intervals", "REML knapp-hartung", "coverage_narrower", _percent),
        ],
    ),
    "tau2-coverage": ("normal", _columns("tau2_intervals", "coverage", _percent, OF_TAU2)),
    "tau2-width": (
        "normal",
        [
            Column("mean width × 1000, Q-profile", "tau2_intervals", "Q-profile", "mean_width", _thousandths),
            *_columns("tau2_intervals", "relative_width", _two_decimals, dict(list(OF_TAU2.items())[1:])),
        ],
    ),
    "prediction-coverage": (
        "normal",
        [
            *_columns("predictions", "coverage", _percent, OF_PREDICTION),
            Column("t(k−2), mean width", "predictions", OF_PREDICTION["t(k−2)"], "mean_width", _two_decimals),
            Column("Nagashima, relative width", "predictions", "Nagashima", "relative_width", _two_decimals),
            Column(
                "t(k−2), 10th percentile", "predictions", OF_PREDICTION["t(k−2)"], "tenth_percentile", _plain_percent
            ),
        ],
    ),
    "tau2-bias": ("normal", _columns("tau2", "bias", _thousandths, ESTIMATORS)),
    "tau2-rmse": ("normal", _columns("tau2", "rmse", _thousandths, ESTIMATORS)),
    "tau2-zeros": ("normal", _columns("tau2", "zero", _plain_percent, ESTIMATORS)),
    "correlation": (
        "correlation",
        [
            Column("bias of the mean × 1000", "mean", "REML", "bias", _thousandths),
            Column("bias of REML's τ² × 1000", "tau2", "REML", "bias", _thousandths),
            *_columns(
                "mean_intervals",
                "coverage",
                _percent,
                {name: OF_MEAN[name] for name in ("Knapp-Hartung", "z", "profile likelihood", "Henmi-Copas")},
            ),
            *_columns(
                "tau2_intervals",
                "coverage",
                _percent,
                {f"τ²: {name}": OF_TAU2[name] for name in ("Q-profile", "profile, REML")},
            ),
            Column("prediction t(k−2)", "predictions", OF_PREDICTION["t(k−2)"], "coverage", _percent),
        ],
    ),
}


class Results:
    """The rows of results.json by cell, part and method."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.source: dict[str, Any] = content["source"]
        self._rows = {
            (row["design"], row["k"], row["tau2"], row["part"], row["method"]): row for row in content["rows"]
        }

    @classmethod
    def stored(cls) -> Results:
        """Those in the repository."""
        return cls(json.loads(RESULTS.read_text(encoding="utf-8")))

    def cells(self, design: str) -> list[tuple[float, int]]:
        """tau2 and k, in the order of the file."""
        return list(dict.fromkeys((row[2], row[1]) for row in self._rows if row[0] == design))

    def methods(self, part: str) -> list[str]:
        """All methods of a part."""
        return list(dict.fromkeys(row[4] for row in self._rows if row[3] == part))

    def row(self, design: str, k: int, tau2: float, part: str, method: str) -> dict[str, Any]:
        """All numbers of one method in one cell."""
        found: dict[str, Any] = self._rows[design, k, tau2, part, method]
        return found

    def numbers(self, part: str, method: str, value: str, design: str = "normal") -> dict[tuple[float, int], float]:
        """One number of a method in every cell, by tau2 and k."""
        return {(tau2, k): self.row(design, k, tau2, part, method)[value] for tau2, k in self.cells(design)}


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---:"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(row: dict[str, Any], column: Column) -> str:
    return column.shown(row[column.value]) if column.value in row else "–"


def _of_cells(results: Results, design: str, columns: Sequence[Column]) -> str:
    """One row a cell."""
    rows = [
        [
            f"{tau2:g}",
            str(k),
            *(_cell(results.row(design, k, tau2, column.part, column.method), column) for column in columns),
        ]
        for tau2, k in results.cells(design)
    ]
    return _markdown(["τ²", "k", *(column.header for column in columns)], rows)


def _summary(results: Results) -> str:
    """Lowest and highest coverage of each interval in the normal design, and where."""
    kinds = [
        ("mean", "mean_intervals", OF_MEAN),
        ("τ²", "tau2_intervals", OF_TAU2),
        ("a new study's effect", "predictions", dict(list(OF_PREDICTION.items())[:5])),
    ]
    rows = []
    for of, part, methods in kinds:
        for header, method in methods.items():
            coverage = results.numbers(part, method, "coverage")
            low, high = min(coverage, key=coverage.__getitem__), max(coverage, key=coverage.__getitem__)
            ends = [text for at in (low, high) for text in (_percent(coverage[at]), f"τ² {at[0]:g}, k {at[1]}")]
            rows.append([of, header, *ends])
    return _markdown(["interval of", "method", "lowest", "where", "highest", "where"], rows)


def tables(results: Results) -> dict[str, str]:
    """Every table of the page, by name."""
    found = {name: _of_cells(results, design, columns) for name, (design, columns) in TABLES.items()}
    return {"summary": _summary(results), **found}


def rendered(page: str, results: Results) -> str:
    """The page with its tables as the results have them."""
    for name, table in tables(results).items():
        begin, end = f"<!-- table: {name} -->\n", "<!-- end -->"
        if page.count(begin) != 1:
            raise SystemExit(f"{PAGE.name} has {page.count(begin)} places for the table {name!r}, not one")
        before, after = page.split(begin)
        page = f"{before}{begin}\n{table}\n\n{end}{after.partition(end)[2]}"
    return page


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text(encoding="utf-8"), Results.stored()), encoding="utf-8")
