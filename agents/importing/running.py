"""What `threads-agent import engagement` does: a dry run, or the import of sources with one bar and one summary."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, closing
from dataclasses import asdict, dataclass

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from agents.importing.bar import ImportBar, SourceBar
from agents.importing.cells.visible_text import ImportFault
from agents.importing.decisions.ledger import Ledger, LedgerState
from agents.importing.events import ENGAGEMENT, POSTS
from agents.importing.fields import FieldMapping
from agents.importing.presets import Request
from agents.importing.preview import understood, wrapped
from agents.importing.reading import OnRead, Survey, survey
from agents.importing.rejects import rejects_in
from agents.importing.report import ImportReport, described
from agents.importing.run import ImportSession, import_session, needs_known, preview_source, read_ledger
from agents.importing.sources.chosen import Sources
from agents.importing.sources.opening import Origin, name_of, source_of
from agents.importing.sources.source import Source
from streams.errors import SettingsError, Unavailable
from streams.operations.runs import ToldRun, new_run, telling
from streams.settings import current_settings

ROWS_BETWEEN_COLLECTIONS = 100_000  # rows are in no cycle; looking at them for cycles took a third of the time


@dataclass(frozen=True, slots=True)
class Job:
    """What a command is to import, and how it is to be read."""

    sources: Sources
    request: Request
    shift_to_now: bool = False

    @property
    def single(self) -> bool:
        """Tell whether there is one source alone."""
        return len(self.sources.origins) == 1

    def opened(self, origin: Origin) -> AbstractContextManager[Source]:
        """Give one of the sources, and let it go at the end; raises ImportFault as `source_of` does."""
        return closing(source_of(origin, self.sources.form))

    def survey(self, source: Source, on_read: OnRead | None = None) -> tuple[FieldMapping, Survey]:
        """Find out how a source is to be read, and read it once; raises ImportFault."""
        mapping = self.request.mapping(source)
        return mapping, survey(source, mapping, find_newest=self.shift_to_now, on_read=on_read)


def show(job: Job) -> bool:
    """Print what is understood of sources, and send nothing; return whether all rows of all can be imported."""
    return asyncio.run(_dry_run(job))


def import_all(job: Job, *, as_json: bool) -> bool:
    """Import sources and print what was done; return whether all rows of all are in.

    Raises:
        ImportFault: none could be imported.
    """
    reports, faults = _run(job)
    _print(reports, faults, single=job.single, as_json=as_json)
    return not faults and not any(report.bad_rows for report in reports)


async def _dry_run(job: Job) -> bool:
    ledger, all_good = None, True
    try:
        ledger = await read_ledger(current_settings())
    except (SettingsError, Unavailable) as error:
        echo(f"What is known from earlier imports can't be read, so this is as if there were none: {error}")
    for origin in job.sources.origins:
        try:
            all_good &= await _shown(job, origin, ledger)
        except ImportFault as fault:
            if job.single:
                raise
            all_good = False
            echo(f"can't be imported: {fault}")
    click.echo("Nothing was sent (--dry-run).")
    return all_good


async def _shown(job: Job, origin: Origin, ledger: Ledger | None) -> bool:
    with job.opened(origin) as source:
        mapping, found = await asyncio.to_thread(job.survey, source)
        state = LedgerState() if ledger is None else ledger.state
        if ledger is not None and needs_known(mapping, found, state):
            await ledger.learn(mapping.source)
        with rejects_in(job.sources.rejects, source.name) as rejects:
            reading, told = await asyncio.to_thread(preview_source, found, state, rejects)
        told.report.rejects = None if rejects.path is None else str(rejects.path)
        click.echo("\n".join(understood(reading, told)))
        return not told.report.bad_rows


def _run(job: Job) -> tuple[list[ImportReport], list[ImportFault]]:
    columns = (TextColumn("{task.description}"), BarColumn(20), TaskProgressColumn(), TextColumn("{task.fields[rate]}"))
    console = Console(stderr=True)
    gc.set_threshold(ROWS_BETWEEN_COLLECTIONS, 20, 20)
    with Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        try:
            return asyncio.run(_import_all(job, ImportBar(progress, job.sources.origins)))
        except (SettingsError, Unavailable):
            for origin in job.sources.origins:  # what is wrong with a file is told first: it can be mended at once
                with job.opened(origin) as source:
                    job.survey(source)
            raise


async def _import_all(job: Job, bar: ImportBar) -> tuple[list[ImportReport], list[ImportFault]]:
    """Import the sources in their order; those that can't be are told beside the others.

    Raises:
        ImportFault: none could be imported.
    """
    reports: list[ImportReport] = []
    faults: list[ImportFault] = []
    if job.single:  # what is wrong with the only one is told before a server is asked for
        with job.opened(job.sources.origins[0]) as source:
            job.request.mapping(source)
    async with import_session(current_settings()) as session, _told(session, job) as told:
        for place, origin in enumerate(job.sources.origins):
            try:
                reports.append(await _import_one(job, origin, session, bar.of(place)))
                await told.progress(**_counts(reports))
            except ImportFault as fault:
                faults.append(fault)
        if not reports:
            raise ImportFault("\n".join(map(str, faults)))
    return reports, faults


async def _import_one(job: Job, origin: Origin, session: ImportSession, bar: SourceBar) -> ImportReport:
    with job.opened(origin) as source, rejects_in(job.sources.rejects, source.name) as rejects:
        mapping = await asyncio.to_thread(job.request.mapping, source)
        report = await session.import_source(
            source,
            mapping,
            shift_to_now=job.shift_to_now,
            on_rows=bar.on_rows,
            on_read=bar.on_read,
            rejects=rejects,
        )
    report.rejects = None if rejects.path is None else str(rejects.path)
    return report


def _told(session: ImportSession, job: Job) -> AbstractAsyncContextManager[ToldRun]:
    names = " ".join(map(name_of, job.sources.origins))
    return telling(session.cluster, new_run("import", selection=names, target=f"{ENGAGEMENT.name}, {POSTS.name}"))


def _counts(reports: Sequence[ImportReport]) -> dict[str, int]:
    """Return what a run tells of its imports."""
    return {
        "selected": sum(report.rows for report in reports),
        "read": sum(report.rows_sent for report in reports),
        "written": sum(report.records_sent for report in reports),
        "skipped": sum(report.rows_before + report.sums for report in reports),
        "refused": sum(report.bad_rows for report in reports),
    }


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
        echo(line)


def _summary(reports: Sequence[ImportReport], faults: Sequence[ImportFault]) -> str:
    records = sum(report.records_sent for report in reports)
    rows = sum(report.rows_sent - report.bad_rows - report.sums for report in reports)
    bad = sum(report.bad_rows for report in reports)
    before = sum(report.already_imported for report in reports)
    return (
        f"{len(reports) + len(faults)} files: {len(reports) - before} imported, {before} already imported, "
        f"{len(faults)} refused; {rows:,} rows, {records:,} records, {bad:,} bad rows"
    )


def echo(line: str) -> None:
    """Print a line, in the width of the terminal where there is one."""
    if sys.stdout.isatty() or "COLUMNS" in os.environ:
        width = shutil.get_terminal_size().columns
        line = "\n".join(wrapped(line, indent=len(line) - len(line.lstrip()) + 2, width=width) or [line])
    click.echo(line)
