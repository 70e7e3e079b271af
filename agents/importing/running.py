"""What `threads-agent import engagement` does: a dry run, or the import of files with one bar and one summary."""

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

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from agents.importing.decisions.ledger import LedgerState
from agents.importing.import_fault import ImportFault
from agents.importing.recognition import Request
from agents.importing.report import ImportReport, described
from agents.importing.run import import_session, preview_file, read_ledger
from agents.importing.survey import survey_file
from agents.importing.understanding import understood, wrapped
from streams.errors import SettingsError, Unavailable
from streams.settings import current_settings

NAME_WIDTH = 28  # of a file's name beside the bar


def show(files: Sequence[Path], request: Request, *, shift_to_now: bool) -> None:
    """Print what is understood of files, and send nothing."""
    asyncio.run(_dry_run(files, request, shift_to_now=shift_to_now))


def import_files(files: Sequence[Path], request: Request, *, shift_to_now: bool, as_json: bool) -> bool:
    """Import files and print what was done; return whether all rows of all files are in.

    Raises:
        ImportFault: none could be imported.
    """
    reports, faults = _run(files, request, shift_to_now=shift_to_now)
    _print(reports, faults, single=len(files) == 1, as_json=as_json)
    return not faults and not any(report.bad_rows for report in reports)


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
        try:
            return asyncio.run(_import_all(files, request, _Bar(progress, files), shift_to_now=shift_to_now))
        except (SettingsError, Unavailable):
            for file in files:  # what is wrong with a file is told first: it can be mended at once
                survey_file(file, request.mapping(file), find_newest=shift_to_now, form=request.form)
            raise


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
