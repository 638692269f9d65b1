"""The command line: thin, no statistics."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from tqdm.auto import tqdm

import alliance_meta
from alliance_meta import datasets, reproductions
from alliance_meta._files import read_table, write_table
from alliance_meta.errors import AllianceMetaError
from alliance_meta.reproductions import Comparison, Reproduction

__all__ = ["app", "main"]

REPORT_FOLDER = Path("alliance-meta-report")
_SURPRISE, _UNUSABLE = 1, 2
_FOUND_ERRORS = 1
_NARROWEST, _WIDEST = 80, 120
_NUMBER_WIDTHS = (9, 10, 10, 12)

app = typer.Typer(
    name="alliance-meta",
    help="Reproduce and extend the meta-analyses of the therapeutic alliance and treatment outcome.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line; a data error ends with its message and exit code 2."""
    try:
        app()
    except AllianceMetaError as error:
        Console(stderr=True).print(Text(f"alliance-meta: {error}"), soft_wrap=True)
        sys.exit(_UNUSABLE)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"alliance-meta {alliance_meta.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    """Reproduce and extend the meta-analyses of the therapeutic alliance and treatment outcome."""


@app.command()
def reproduce(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID ...]", help="Findings to run; all by default.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Where the page goes.")] = REPORT_FOLDER,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON instead of a table.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but surprises and errors.")] = False,
) -> None:
    """Recompute published findings and write a page with their plots.

    Exit code 0: every verdict is the expected one. 1: a surprise. 2: the call, the data or the output is unusable.
    """
    from alliance_meta.reports import claim_page, write_report  # loads matplotlib, which no other command needs

    wanted = list(dict.fromkeys(ids or reproductions.names()))
    claim_page(output)
    progress = tqdm(wanted, desc="Recomputing", unit="finding", leave=False, disable=quiet or None)
    results = [reproductions.reproduce(name) for name in progress]
    results.sort(key=lambda result: not result.fits)  # what is recomputed from studies comes first
    page = write_report(results, output)
    surprises = [row for result in results for row in result.comparisons if row.surprise]
    if as_json:
        typer.echo(_as_json(results))
    elif not quiet:
        _print_results(results, page)
    if surprises:
        console = Console(stderr=True)
        for row in surprises:
            console.print(
                Text(
                    f"{row.verdict}: {row.finding}, {row.label}: published {row.published_text}, "
                    f"recomputed {row.recomputed_text}"
                ),
                soft_wrap=True,
            )
        raise typer.Exit(_SURPRISE)


@app.command("datasets")
def list_datasets() -> None:
    """List the curated data sets."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("id", "rows", "kind", "title and publication"):
        table.add_column(name, justify="right" if name == "rows" else "left", no_wrap=name in ("id", "kind"))
    for row in datasets.catalog().reset_index().to_dict("records"):
        about = Text.assemble(row["title"], (f"\n{row['publication']}", "dim"))
        table.add_row(row["id"], str(row["rows"]), row["kind"], about)
    _console().print(table)


TableFile = Annotated[Path, typer.Argument(metavar="TABLE", help="The studies, as .csv or .xlsx; one row an effect.")]


@app.command()
def effects(
    table: TableFile,
    measure: Annotated[str, typer.Option("--measure", "-m", help="Effect-size measure, such as ZCOR or SMD.")] = "ZCOR",
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write .csv or .xlsx.")] = None,
    not_significant: Annotated[
        str | None, typer.Option("--not-significant", help="Rows that only say ns: exclude, zero or bounded.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the output file if it is there.")] = False,
) -> None:
    """Turn a table of studies into effect sizes, and say row by row how each was made.

    Columns are found by their names: r, n, t, df, p, mean1, sd1, n1 and so on.
    """
    made = alliance_meta.effect_sizes(read_table(table), measure=measure, not_significant=not_significant)
    if output is not None:
        write_table(made.table, output, replace=force)
    typer.echo(str(made))
    typer.echo("")
    typer.echo(made.routes().to_string(index=False))
    if output is not None:
        typer.echo(f"\nWritten to {output}")


@app.command()
def audit(
    table: TableFile,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write .csv or .xlsx.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the output file if it is there.")] = False,
) -> None:
    """Look a table of studies over before it is pooled.

    Exit code 0: no errors found in it. 1: there are. 2: the table cannot be read.
    """
    found = alliance_meta.audit(read_table(table))
    if output is not None:
        write_table(found.findings, output, replace=force)
    typer.echo(str(found))
    if not found.ok:
        raise typer.Exit(_FOUND_ERRORS)


@app.command()
def template(
    name: Annotated[str, typer.Argument(metavar="ID", help="A data set of kind template; see `datasets`.")],
    form: Annotated[Path, typer.Argument(metavar="FORM", help="Where the form goes: .xlsx or .csv.")],
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
) -> None:
    """Write a form for a study table that cannot be shipped, with a guide to filling it in."""
    written = datasets.template(name, form, replace=force)
    typer.echo(f"Written to {written}. Fill it in, then: alliance-meta install {name} {written}")


@app.command()
def install(
    name: Annotated[str, typer.Argument(metavar="ID", help="A data set of kind template; see `datasets`.")],
    form: Annotated[Path, typer.Argument(metavar="FORM", help="The filled form.")],
    force: Annotated[
        bool, typer.Option("--force", help="Keep it although checks fail; every view will say so.")
    ] = False,
) -> None:
    """Check a filled form and keep it for `reproduce`.

    Exit code 0: it is kept. 1: it is not, because of what is listed. 2: the file cannot be read.
    """
    found = datasets.install(name, form, force=force)
    typer.echo(str(found))
    if found.folder is None:
        raise typer.Exit(_FOUND_ERRORS)


def _as_json(results: Sequence[Reproduction]) -> str:
    """All comparisons as a JSON list; a number that could not be computed is null."""
    records = [
        {key: None if value != value else value for key, value in record.items()}  # only NaN differs from itself
        for result in results
        for record in result.to_records()
    ]
    return json.dumps(records, ensure_ascii=False, indent=2, allow_nan=False)


def _console() -> Console:
    console = Console(highlight=False)
    console.width = min(max(console.width, _NARROWEST), _WIDEST)
    return console


def _print_results(results: Sequence[Reproduction], page: Path) -> None:
    console = _console()
    for result in results:
        console.print()
        console.print(Text(result.title, style="bold"))
        source = result.source or "Each number has a publication of its own."
        console.print(Padding(Text(source, style="dim"), (0, 0, 0, 2)))
        _print_comparisons(console, result)
    rows = [row for result in results for row in result.comparisons]
    surprises = sum(row.surprise for row in rows)
    matches = sum(row.agrees and not row.surprise for row in rows)
    waiting = sum(row.tier == "needs data" for row in rows)
    console.print()
    console.print(
        Text.assemble(
            (f"{len(rows)} published numbers: ", "bold"),
            (f"{matches} match", "green"),
            ", ",
            (f"{len(rows) - matches - surprises - waiting} differ as explained", "yellow"),
            ", ",
            *(((f"{waiting} need a table that cannot be shipped", "dim"), ", ") if waiting else ()),
            (f"{surprises} surprise{'' if surprises == 1 else 's'}", "bold red" if surprises else "green"),
            ".",
        )
    )
    console.print(Text(f"The page with forest and funnel plots: {page}"), soft_wrap=True)


def _print_comparisons(console: Console, result: Reproduction) -> None:
    """One table a finding, cut where a reason is due, so that the reason stands under its rows."""
    own = not result.source
    width = console.width - 2 - sum(_NUMBER_WIDTHS) - len(_NUMBER_WIDTHS)
    table = _table(width, heading=True)
    for i, row in enumerate(result.comparisons):
        label = Text(f"{row.source}: {row.label}" if own else row.label)
        if row.detail:
            label.append(f"\n{row.detail}", style="dim")
        table.add_row(label, row.published_text, row.recomputed_text, row.difference_text, _verdict(row))
        following = result.comparisons[i + 1] if i + 1 < len(result.comparisons) else None
        if row.why and (following is None or following.why != row.why):
            console.print(Padding(table, (0, 0, 0, 2)))
            console.print(Padding(Text(f"Why: {row.why}", style="italic"), (0, 0, 0, 4)))
            table = _table(width, heading=False)
    if table.row_count:
        console.print(Padding(table, (0, 0, 0, 2)))


def _table(width: int, *, heading: bool) -> Table:
    table = Table(box=None, show_header=heading, header_style="dim", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("quantity", width=width)
    for name, width in zip(("published", "recomputed", "difference"), _NUMBER_WIDTHS[:-1], strict=True):
        table.add_column(name, width=width, justify="right")
    table.add_column("verdict", width=_NUMBER_WIDTHS[-1])
    return table


def _verdict(row: Comparison) -> Text:
    if row.surprise:
        return Text("SURPRISE", style="bold red")
    if row.tier == "needs data":
        return Text("… needs data", style="dim")
    if row.agrees:
        return Text(f"✓ {row.verdict}", style="green")
    return Text("≠ differs", style="yellow")
