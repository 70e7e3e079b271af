"""The command `threads-agent import engagement`."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from agents.importing.cells.numbers import said_format
from agents.importing.csv_source import CsvForm
from agents.importing.decisions.ledger import LedgerState
from agents.importing.fields import FIELDS, Counts, Falls
from agents.importing.import_fault import ImportFault
from agents.importing.presets import Said, preset_names
from agents.importing.recognition import Request
from agents.importing.report import ImportReport, described
from agents.importing.run import import_session, preview_file, read_ledger
from agents.importing.survey import survey_file
from agents.importing.times import NAMED_FORMATS
from agents.importing.understanding import understood, wrapped
from streams.errors import SettingsError, Unavailable
from streams.settings import current_settings

BAD_ROWS_EXIT_STATUS = 1
NAME_WIDTH = 28  # of a file's name beside the bar

_TIME_FORMATS = (
    f"{', '.join(NAMED_FORMATS)}, or a strptime format. Default: iso8601. An epoch is in milliseconds from 1e11 on, "
    "else in seconds."
)
_COUNTS = "Whether counts are totals so far (their difference to what is known is sent) or new in each row."
_FALLS = "What a total below the known one is where dates can't tell: a correction, or an older export."


@click.group("import")
def import_group() -> None:
    """Import real data into the topics, once however often it is tried."""


@import_group.command(
    epilog="Example: threads-agent import engagement export.csv --map post_id=id --map views=impressions "
    "--map occurred_at=day --persona ada"
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option("--preset", metavar="NAME", help=f"Columns of a known export: {', '.join(preset_names())}.")
@click.option("--map", "maps", multiple=True, metavar="FIELD=COLUMN", help=f"Repeatable. Fields: {', '.join(FIELDS)}.")
@click.option("--persona", "persona_id", metavar="ID", help="Persona of the whole file.")
@click.option("--counts", type=click.Choice(["totals", "new"]), help=_COUNTS)
@click.option("--as-of", metavar="TIME", help="When the file was exported, ISO 8601.")
@click.option("--falls", type=click.Choice(["correct", "keep"]), help=_FALLS)
@click.option("--source", metavar="NAME", help="Where counts come from: a post of another source is another.")
@click.option("--time-format", metavar="FORMAT", help=_TIME_FORMATS)
@click.option("--timezone", metavar="NAME", help="IANA zone of times without an offset. Default: the preset's, or UTC.")
@click.option("--year", type=click.IntRange(1970, 9999), help="Year of the export, for dates without one.")
@click.option("--decimal", type=click.Choice([".", ","]), help="Decimal sign of the counts.")
@click.option("--thousands", metavar="SIGN", help="Sign between thousands: . , space apostrophe none.")
@click.option("--encoding", metavar="NAME", help="Default: that of the byte order mark, or utf-8.")
@click.option("--delimiter", metavar="SIGN", help="Sign between columns, or tab. Default: found by the header.")
@click.option("--trust-ids", is_flag=True, help="Take ids that look as if a spreadsheet had rounded them.")
@click.option("--shift-to-now", is_flag=True, help="Move all times so that the newest event happens now.")
@click.option("--dry-run", is_flag=True, help="Show what was understood, and send nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def engagement(
    *,
    files: tuple[Path, ...],
    preset: str | None,
    maps: tuple[str, ...],
    persona_id: str | None,
    counts: Counts | None,
    as_of: str | None,
    falls: Falls | None,
    source: str | None,
    time_format: str | None,
    timezone: str | None,
    year: int | None,
    decimal: Literal[".", ","] | None,
    thousands: str | None,
    encoding: str | None,
    delimiter: str | None,
    trust_ids: bool,
    shift_to_now: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Import counts of engagement from CSV files, gzipped or not.

    Each row gives one event for every kind that it counts, with the row's time. Known exports are recognised by their
    header; for others name the columns with --map. A count is known by its source, post, kind and time, whichever file
    it stands in: what is in is not sent again, and an import that broke off goes on.

    Exit status 1: some rows or files are bad, all others are in. 2: nothing could be imported.
    """
    said = Said(
        counts=counts,
        falls=falls,
        source=source,
        numbers=said_format(decimal, thousands),
        timezone=timezone,
        year=year,
        as_of=as_of,
        trust_ids=trust_ids,
    )
    form = CsvForm(encoding, "\t" if delimiter in {"tab", "\\t"} else delimiter)
    request = Request(preset, maps, persona_id, time_format, said, form)
    if dry_run:
        asyncio.run(_dry_run(files, request, shift_to_now=shift_to_now))
        return
    reports, faults = _run(files, request, shift_to_now=shift_to_now)
    _print(reports, faults, single=len(files) == 1, as_json=as_json)
    if faults or any(report.bad_rows for report in reports):
        sys.exit(BAD_ROWS_EXIT_STATUS)


async def _dry_run(files: Sequence[Path], request: Request, *, shift_to_now: bool) -> None:
    try:
        state = await read_ledger(current_settings())
    except (SettingsError, Unavailable) as error:
        _echo(f"What is known from earlier imports can't be read, so this is as if there were none: {error}")
        state = LedgerState()
    for file in files:
        survey = survey_file(file, request.mapping(file), find_newest=shift_to_now, form=request.form)
        click.echo("\n".join(understood(*preview_file(file, survey, state))))
    click.echo("Nothing was sent (--dry-run).")


def _run(
    files: Sequence[Path], request: Request, *, shift_to_now: bool
) -> tuple[list[ImportReport], list[ImportFault]]:
    columns = (TextColumn("{task.description}"), BarColumn(20), TaskProgressColumn(), TextColumn("{task.fields[rate]}"))
    console = Console(stderr=True)
    with Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        return asyncio.run(_import_all(files, request, _Bar(progress, files), shift_to_now=shift_to_now))


class _Bar:
    """One bar for all files, by their sizes."""

    def __init__(self, progress: Progress, files: Sequence[Path]) -> None:
        self._progress = progress
        self._sizes = [file.stat().st_size if file.exists() else 0 for file in files]
        self._names = [file.name for file in files]
        self._task = progress.add_task("", total=max(sum(self._sizes), 1), rate="reading")
        self._began = time.monotonic()
        self._rows = 0

    def of(self, place: int) -> Callable[[int, int], None]:
        """Return what the import of a file tells its rows to."""
        before, size, rows_before = sum(self._sizes[:place]), self._sizes[place], self._rows
        count = f"{place + 1}/{len(self._names)} " if len(self._names) > 1 else ""
        name = self._names[place]
        short = name if len(name) <= NAME_WIDTH else name[: NAME_WIDTH - 1] + "…"
        self._progress.update(self._task, description=count + short)

        def on_rows(rows_in: int, rows: int) -> None:
            self._rows = rows_before + rows_in
            rate = f"{self._rows / max(time.monotonic() - self._began, 0.001):,.0f} rows/s"
            self._progress.update(self._task, completed=before + size * rows_in // max(rows, 1), rate=rate)

        return on_rows


async def _import_all(
    files: Sequence[Path], request: Request, bar: _Bar, *, shift_to_now: bool
) -> tuple[list[ImportReport], list[ImportFault]]:
    """Import the files in their order; those that can't be are told beside the others.

    Raises:
        ImportFault: none could be imported.
    """
    reports: list[ImportReport] = []
    faults: list[ImportFault] = []
    mappings = [request.mapping(file) for file in files] if len(files) == 1 else [None] * len(files)
    async with import_session(current_settings()) as session:
        for place, (file, mapping) in enumerate(zip(files, mappings, strict=True)):
            try:
                reports.append(
                    await session.import_file(
                        file,
                        mapping or request.mapping(file),
                        shift_to_now=shift_to_now,
                        on_rows=bar.of(place),
                        form=request.form,
                    )
                )
            except ImportFault as fault:
                faults.append(fault)
    if not reports:
        raise ImportFault("\n".join(map(str, faults)))
    return reports, faults


def _print(reports: Sequence[ImportReport], faults: Sequence[ImportFault], *, single: bool, as_json: bool) -> None:
    if as_json:
        objects = [{**asdict(report), "already_imported": report.already_imported} for report in reports]
        told: object = {"files": objects, "refused": list(map(str, faults))}
        click.echo(json.dumps(objects[0] if single else told))
        return
    lines = [line for report in reports for line in described(report)]
    lines += [f"not imported: {fault}" for fault in faults]
    if not single:
        lines.append(_summary(reports, faults))
    for line in lines:
        _echo(line)


def _summary(reports: Sequence[ImportReport], faults: Sequence[ImportFault]) -> str:
    records = sum(report.records_sent for report in reports)
    rows = sum(report.rows_sent - report.bad_rows - report.sums for report in reports)
    bad = sum(report.bad_rows for report in reports)
    before = sum(report.already_imported for report in reports)
    return (
        f"{len(reports) + len(faults)} files: {len(reports) - before} imported, {before} already imported, "
        f"{len(faults)} refused; {rows:,} rows, {records:,} records, {bad:,} bad rows"
    )


def _echo(line: str) -> None:
    """Print a line, in the width of the terminal where there is one."""
    if sys.stdout.isatty() or "COLUMNS" in os.environ:
        width = shutil.get_terminal_size().columns
        line = "\n".join(wrapped(line, indent=len(line) - len(line.lstrip()) + 2, width=width) or [line])
    click.echo(line)
