"""One import: survey the file, ask the ledger what is in, send the rest, note each acknowledged block."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from agents.importing.block_writer import BlockWriter
from agents.importing.csv_source import CsvRow, open_csv
from agents.importing.fields import FieldMapping
from agents.importing.ledger import Ledger, first_entry, read_progress
from agents.importing.rows import RowReader
from agents.importing.survey import Survey, survey_file
from schemas.catalogue import topic_named
from schemas.registry import open_registry
from streams.endpoints import require_kafka, resolve
from streams.errors import RecordFault
from streams.kafka.connection import check_broker
from streams.kafka.producer import EventProducer
from streams.kafka.topics import partition_counts
from streams.settings import Settings
from streams.wall_clock import now_ms

BLOCK_ROWS = 2_000
FAULTS_KEPT = 10
ENGAGEMENT = topic_named("engagement.events")
POSTS = topic_named("posts.published")

OnRows = Callable[[int, int], None]
"""Called with the rows that are in and the rows there are."""


@dataclass(slots=True)
class ImportReport:
    """What an import did. `rows_before` were in from an earlier one; `faults` are the first FAULTS_KEPT bad rows."""

    file_name: str
    source: str
    rows: int
    rows_before: int
    shift_ms: int
    rows_sent: int = 0
    records_sent: int = 0
    bad_rows: int = 0
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def already_imported(self) -> bool:
        """Tell whether every row was in before."""
        return self.rows_before >= self.rows

    def refuse(self, fault: RecordFault) -> None:
        """Count a bad row."""
        self.bad_rows += 1
        if len(self.faults) < FAULTS_KEPT:
            self.faults.append(str(fault))


async def import_file(
    path: Path,
    mapping: FieldMapping,
    settings: Settings,
    *,
    shift_to_now: bool = False,
    simulated: bool = False,
    on_rows: OnRows | None = None,
) -> ImportReport:
    """Import what is not in yet of a file; a second call, or one after a crash, sends only what is missing.

    `shift_to_now` moves the newest event of the file to now; an import that goes on keeps the shift it began with.
    `simulated` marks every event as such, with the source `simulated` in place of the file's name.

    Raises:
        ImportFault: the file or its mapping is not usable; nothing was sent.
        Unavailable: the broker does not answer; the same import goes on from where it stopped.
    """
    began = time.monotonic()
    survey = survey_file(path, mapping, find_newest=shift_to_now)
    source = "simulated" if simulated else f"import:{path.name}"
    async with _opened(path, survey, settings) as (writer, ledger):
        entry = ledger.progress
        report = ImportReport(path.name, entry.source, survey.rows, entry.rows, entry.shift_ms)
        if not entry.finished:
            reader = RowReader(
                survey.layout,
                source_key=entry.source,
                source=source,
                shift_ms=entry.shift_ms,
                simulated=simulated,
            )
            with open_csv(path) as opened:
                await _Sender(reader, writer, ledger, report).send(opened.rows, on_rows or _nobody)
    report.seconds = time.monotonic() - began
    return report


@asynccontextmanager
async def _opened(path: Path, survey: Survey, settings: Settings) -> AsyncIterator[tuple[BlockWriter, Ledger]]:
    bootstrap = require_kafka(settings)
    registry = open_registry(resolve(settings).schemas)
    await check_broker(bootstrap, settings)
    partitions = await partition_counts(settings, bootstrap, [ENGAGEMENT.name, POSTS.name])
    entry = await read_progress(survey.source_key, settings, bootstrap, registry)
    producer = EventProducer(bootstrap, registry, settings)
    await producer.start()
    try:
        ledger = Ledger(producer, entry or first_entry(survey.source_key, path.name, _shift_ms(survey)))
        if entry is None:
            await ledger.advance(0, finished=False)  # before any event: it fixes the shift, whatever happens next
        yield BlockWriter(producer, registry, settings, partitions), ledger
    finally:
        await producer.stop()


def _shift_ms(survey: Survey) -> int:
    return 0 if survey.newest_ms is None else now_ms() - survey.newest_ms


@dataclass(frozen=True, slots=True)
class _Sender:
    """Send rows of one file block by block: events first, then the note in the ledger that they are in."""

    reader: RowReader
    writer: BlockWriter
    ledger: Ledger
    report: ImportReport

    async def send(self, rows: Iterator[CsvRow], on_rows: OnRows) -> None:
        report = self.report
        on_rows(report.rows_before, report.rows)
        for row in islice(rows, report.rows_before):
            self._remember(row)
        while block := list(islice(rows, BLOCK_ROWS)):
            for row in block:
                self._add(row)
            report.records_sent += await self.writer.flush()
            report.rows_sent += len(block)
            last = block[-1].number
            await self.ledger.advance(last, finished=last >= report.rows)
            on_rows(last, report.rows)

    def _remember(self, row: CsvRow) -> None:
        """Read a row that is in, so that its post is known and not published again with a later row's time."""
        try:
            self.reader.events(row)
        except RecordFault:
            return  # it was reported when its block was sent

    def _add(self, row: CsvRow) -> None:
        try:
            found = self.reader.events(row)
            if found.post is not None:
                self.writer.add(POSTS, [found.post])  # first: where the post is refused, the row is, with its counts
            self.writer.add(ENGAGEMENT, found.engagement)
        except RecordFault as fault:
            self.report.refuse(fault)


def _nobody(_rows_in: int, _rows: int) -> None:
    """Show nothing."""
