"""The command `threads-agent import engagement`."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from agents.importing.fields import FIELDS, FieldMapping
from agents.importing.presets import mapping_of, preset_names
from agents.importing.report import ImportReport, described
from agents.importing.run import import_file
from agents.importing.times import NAMED_FORMATS
from streams.settings import current_settings

BAD_ROWS_EXIT_STATUS = 1


@click.group("import")
def import_group() -> None:
    """Import real data into the topics, once however often it is tried."""


@import_group.command(
    epilog="Example: threads-agent import engagement export.csv --map post_id=id --map views=impressions "
    "--map occurred_at=day --persona ada"
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--map", "maps", multiple=True, metavar="FIELD=COLUMN", help=f"Repeatable. Fields: {', '.join(FIELDS)}.")
@click.option("--persona", "persona_id", metavar="ID", help="Persona of the whole file.")
@click.option(
    "--time-format",
    metavar="FORMAT",
    help=f"{', '.join(NAMED_FORMATS)}, or a strptime format; times without an offset are UTC. Default: iso8601. "
    "An epoch is in milliseconds from 1e11 on, else in seconds.",
)
@click.option("--shift-to-now", is_flag=True, help="Move all times so that the newest event happens now.")
@click.option("--preset", metavar="NAME", help=f"Columns of a known export: {', '.join(preset_names())}.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def engagement(
    *,
    file: Path,
    maps: tuple[str, ...],
    persona_id: str | None,
    time_format: str | None,
    shift_to_now: bool,
    preset: str | None,
    as_json: bool,
) -> None:
    """Import counts of engagement from a CSV file, gzipped or not.

    Each row gives one event for every kind that it counts, with the row's time. The file's content and the mapping
    make the identity of the import: the same file again sends nothing, and one that broke off goes on. A file whose
    content has changed is another import: put new rows into a file of their own.

    Exit status 1: some rows are bad, all others are in. 2: nothing could be imported.
    """
    mapping = mapping_of(preset=preset, maps=maps, persona_id=persona_id, time_format=time_format)
    report = _run(file, mapping, shift_to_now=shift_to_now)
    if as_json:
        click.echo(json.dumps({**asdict(report), "already_imported": report.already_imported}))
    else:
        for line in described(report):
            click.echo(line)
    if report.bad_rows:
        sys.exit(BAD_ROWS_EXIT_STATUS)


def _run(file: Path, mapping: FieldMapping, *, shift_to_now: bool) -> ImportReport:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(file.name, total=None, rate="reading")

        def on_rows(rows_in: int, rows: int) -> None:
            speed = progress.tasks[task].speed
            rate = f"{speed:,.0f} rows/s" if speed else ""
            progress.update(task, total=rows, completed=rows_in, rate=rate)

        return asyncio.run(import_file(file, mapping, current_settings(), shift_to_now=shift_to_now, on_rows=on_rows))
