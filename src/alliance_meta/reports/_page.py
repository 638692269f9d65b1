"""The page `alliance-meta reproduce` writes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from alliance_meta import plots
from alliance_meta.datasets import Dataset
from alliance_meta.errors import OutputError
from alliance_meta.reports._html import environment
from alliance_meta.reports._pictures import Picture
from alliance_meta.reproductions import Comparison, Reproduction
from alliance_meta.results import PooledEffect

__all__ = ["claim_page", "render_report", "write_report"]

PAGE = "index.html"
_OURS = '<meta name="generator" content="alliance_meta'
_STUDY_COLUMNS = ("label", "year", "n", "r", "g", "researcher_allegiance")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    """What the page shows of one study-level finding."""

    reproduction: Reproduction
    fit: PooledEffect
    forest: Picture
    funnel: Picture
    studies_html: str


def write_report(reproductions: Sequence[Reproduction], folder: str | os.PathLike[str]) -> Path:
    """Write the page of all reproductions as ``index.html``.

    Parameters
    ----------
    reproductions : sequence of Reproduction
    folder : path
        Made if it does not exist. A page there is replaced only if this library wrote it.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    OutputError
        If the folder cannot be written to, or holds an ``index.html`` of someone else's.
    """
    page = claim_page(folder)
    text = render_report(reproductions)
    try:
        page.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{page} cannot be written: {error.strerror}. Choose another folder.") from error
    return page


def claim_page(folder: str | os.PathLike[str]) -> Path:
    """Make the folder and check that the page may be written there, before anything long is computed."""
    page = Path(folder) / PAGE
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        taken = page.exists() and _OURS not in page.read_text(encoding="utf-8", errors="replace")[:2000]
        writable = os.access(page if page.exists() else page.parent, os.W_OK)
    except OSError as error:
        raise OutputError(f"{folder} cannot be used as output folder: {error.strerror}. Choose another.") from error
    if taken:
        raise OutputError(f"{page} was not written by alliance_meta, so it is left alone. Choose another folder.")
    if not writable:
        raise OutputError(f"{page} cannot be written: permission denied. Choose another folder.")
    return page


def render_report(reproductions: Sequence[Reproduction]) -> str:
    """The page as text: one self-contained HTML file, no scripts, nothing loaded from elsewhere.

    Parameters
    ----------
    reproductions : sequence of Reproduction

    Returns
    -------
    str
    """
    comparisons = [comparison for item in reproductions for comparison in item.comparisons]
    return (
        environment()
        .get_template("reproductions.html")
        .render(
            version=version("alliance-meta"),
            packages={name: version(name) for name in ("numpy", "scipy", "pandas", "matplotlib")},
            findings=[item for item in reproductions if item.source],
            tables=[item for item in reproductions if not item.source],
            reasons={item.id: _reasons(item.comparisons) for item in reproductions},
            counts=_counts(comparisons),
            sections=[
                _section(item, item.dataset, fit) for item in reproductions if item.dataset for _, fit in item.fits
            ],
        )
    )


def _counts(comparisons: Sequence[Comparison]) -> dict[str, int]:
    surprises = sum(row.surprise for row in comparisons)
    matches = sum(row.agrees and not row.surprise for row in comparisons)
    waiting = sum(row.tier == "needs data" for row in comparisons)
    return {
        "all": len(comparisons),
        "match": matches,
        "explained": len(comparisons) - matches - surprises - waiting,
        "surprises": surprises,
        "waiting": waiting,
    }


def _reasons(comparisons: Sequence[Comparison]) -> list[tuple[Comparison, int]]:
    """Each comparison with the number of rows its reason spans: 0 where the row above has the same one."""
    spans: list[list[int]] = []
    for i, row in enumerate(comparisons):
        if i and row.why and row.why == comparisons[i - 1].why:
            spans[-1].append(i)
        else:
            spans.append([i])
    rows = {first: len(rest) + 1 for first, *rest in spans}
    return [(row, rows.get(i, 0)) for i, row in enumerate(comparisons)]


def _section(item: Reproduction, dataset: Dataset, fit: PooledEffect) -> _Section:
    shown = fit.on_display_scale()
    about = f"{item.title}: {fit.k} effects, pooled {shown.scale} = {shown.estimate:.2f}"
    interval = f"95% interval {shown.ci_low:.2f} to {shown.ci_high:.2f}"
    table = dataset.table
    columns = [name for name in _STUDY_COLUMNS if name in table.columns]
    return _Section(
        reproduction=item,
        fit=fit,
        forest=Picture(
            draw=lambda: plots.forest(fit),
            alt=f"Forest plot of {about}, {interval}.",
            caption="Each study's effect with its 95% interval; the diamond is the pooled effect, the bar below it "
            "the range expected for the true effect of a new study.",
        ),
        funnel=Picture(
            draw=lambda: plots.funnel(fit),
            alt=f"Funnel plot of {about}: effects against their standard errors.",
            caption="Each effect against its standard error.",
        ),
        studies_html=table[columns].to_html(index=False, border=0, na_rep="", escape=True),
    )
