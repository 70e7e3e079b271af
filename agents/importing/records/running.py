"""What `import costs|revenue|posts` does: a dry run, or the import of files with one bar, told as a run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from agents.costs.prices import read_prices
from agents.costs.settings import CostSettings
from agents.importing.bar import ImportBar
from agents.importing.cells.visible_text import ImportFault
from agents.importing.records.cells import shown_fields
from agents.importing.records.known import KnownRecords, known_records
from agents.importing.records.layout import RecordRequest
from agents.importing.records.reading import RecordSurvey, survey_records
from agents.importing.records.report import RecordReport, described
from agents.importing.records.run import RecordSession, preview_records, record_session
from agents.importing.records.usage_pages import usage_pages_of
from agents.importing.rejects import rejects_in
from agents.importing.running import echo
from agents.importing.sources.chosen import Sources
from agents.importing.sources.opening import Origin, name_of, source_of
from agents.importing.sources.source import Source
from schemas.catalogue import topic_named
from streams.errors import SettingsError, Unavailable
from streams.kafka.cluster import Cluster
from streams.operations.runs import new_run, telling
from streams.settings import current_settings


@dataclass(frozen=True, slots=True)
class RecordJob:
    """What a command is to import, and who asked for it."""

    sources: Sources
    request: RecordRequest
    requested_by: str | None = None

    @contextmanager
    def opened(self, origin: Origin) -> Iterator[Source]:
        """Give the source of an origin, and close it."""
        pages = usage_pages_of(origin) if self.request.kind.name == "costs" else None
        source = pages or source_of(origin, self.sources.form)
        try:
            yield source
        finally:
            source.close()


def show_records(job: RecordJob) -> bool:
    """Print what is understood of files, and send nothing; return whether all rows are good."""
    return asyncio.run(_show(job))


def import_records(job: RecordJob, *, as_json: bool) -> bool:
    """Import files and print what was done; return whether all rows of all files are in.

    Raises:
        ImportFault: none could be imported.
    """
    columns = (TextColumn("{task.description}"), BarColumn(20), TaskProgressColumn(), TextColumn("{task.fields[rate]}"))
    console = Console(stderr=True)
    with Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        reports, faults = asyncio.run(_import_all(job, ImportBar(progress, job.sources.origins)))
    if as_json:
        click.echo(json.dumps({"files": list(map(asdict, reports)), "refused": list(map(str, faults))}))
    else:
        for report in reports:
            _echo_all(described(report))
        _echo_all(f"not imported: {fault}" for fault in faults)
    return not faults and not any(report.bad_rows for report in reports)


async def _show(job: RecordJob) -> bool:
    settings, topic = current_settings(), topic_named(job.request.kind.topic)
    prices = read_prices(settings.of(CostSettings).price_file)
    try:
        known = await known_records(await Cluster.reached(settings), topic)
    except (SettingsError, Unavailable) as error:
        echo(f"What is in already can't be read, so this is as if there were nothing: {error}")
        known = KnownRecords(topic)
    good = True
    for origin in job.sources.origins:
        with job.opened(origin) as source, rejects_in(job.sources.rejects, source.name) as rejects:
            survey = await asyncio.to_thread(survey_records, source, job.request)
            _echo_all(_understood(survey))
            report = await asyncio.to_thread(preview_records, survey, known, prices, rejects)
        report.rejects = None if rejects.path is None else str(rejects.path)
        _echo_all(described(report, dry_run=True))
        good &= not report.bad_rows
    click.echo("Nothing was sent (--dry-run).")
    return good


def _echo_all(lines: Iterable[str]) -> None:
    for line in lines:
        echo(line)


def _understood(survey: RecordSurvey) -> Iterator[str]:
    layout = survey.layout
    what = f", of the export {layout.preset}" if layout.preset else ""
    yield f"{survey.source.name}: {survey.source.described}{what}"
    for name, told in shown_fields(layout).items():
        yield f"  {name}: {told}"
    unused = [column for column in survey.header if column not in layout.columns.values()]
    if unused:
        yield f"  not used: {', '.join(map(repr, unused))}"
    zone = layout.timezone or "UTC"
    yield f"  times: {layout.time_format}, of {zone} where they have no offset; decimal sign: {survey.decimal}"


async def _import_all(job: RecordJob, bar: ImportBar) -> tuple[list[RecordReport], list[ImportFault]]:
    """Import the sources in their order; those that can't be are told beside the others."""
    reports: list[RecordReport] = []
    faults: list[ImportFault] = []
    if len(job.sources.origins) == 1:  # what is wrong with the only one is told before a server is asked for
        with job.opened(job.sources.origins[0]) as source:
            survey_records(source, job.request)
    kind = job.request.kind
    names = " ".join(map(name_of, job.sources.origins))
    run = new_run("import", selection=names, target=kind.topic, requested_by=job.requested_by)
    async with record_session(current_settings(), kind) as session, telling(session.cluster, run) as told:
        for place, origin in enumerate(job.sources.origins):
            try:
                reports.append(await _import_one(job, origin, session, bar, place))
                await told.progress(**_counts(reports))
            except ImportFault as fault:
                faults.append(fault)
        if not reports:
            raise ImportFault("\n".join(map(str, faults)))
    return reports, faults


async def _import_one(
    job: RecordJob, origin: Origin, session: RecordSession, bar: ImportBar, place: int
) -> RecordReport:
    on_rows = bar.of(place).on_rows
    with job.opened(origin) as source, rejects_in(job.sources.rejects, source.name) as rejects:
        survey = await asyncio.to_thread(survey_records, source, job.request)
        report = await session.import_file(survey, rejects, on_rows)
    report.rejects = None if rejects.path is None else str(rejects.path)
    return report


def _counts(reports: Sequence[RecordReport]) -> dict[str, int]:
    """Return what a run tells of its imports."""
    return {
        "selected": sum(report.rows for report in reports),
        "read": sum(report.rows for report in reports),
        "written": sum(report.records_sent for report in reports),
        "skipped": sum(report.known + report.left_out.total() for report in reports),
        "refused": sum(report.bad_rows for report in reports),
    }
