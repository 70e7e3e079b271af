"""One import: survey the file, ask the ledger what is in, send the rest, note each acknowledged block."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from agents.importing.block_writer import BlockWriter, EncodedBlock
from agents.importing.csv_source import CsvRow, open_csv
from agents.importing.events import ENGAGEMENT, POSTS, EventMaker
from agents.importing.fields import FieldMapping
from agents.importing.ledger import Ledger, first_entry, read_progress
from agents.importing.rows import RowReader
from agents.importing.survey import Survey, survey_file
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
            reader = RowReader(survey.layout, shift_ms=entry.shift_ms)
            events = EventMaker(reader.kinds, source_key=entry.source, source=source, simulated=simulated)
            with open_csv(path) as opened:
                await _Sender(reader, events, writer, ledger, report).send(opened.rows, on_rows or _nobody)
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
class _Block:
    """A block of rows, read and encoded; `last` is the number of its last row."""

    encoded: EncodedBlock
    faults: list[RecordFault]
    rows: int
    last: int


@dataclass(frozen=True, slots=True)
class _Sender:
    """Send rows of one file block by block: events first, then the note in the ledger that they are in.

    While one block is on its way the next is read and encoded in a thread; it goes out when the first is noted.
    """

    reader: RowReader
    events: EventMaker
    writer: BlockWriter
    ledger: Ledger
    report: ImportReport

    async def send(self, rows: Iterator[CsvRow], on_rows: OnRows) -> None:
        report = self.report
        on_rows(report.rows_before, report.rows)
        await asyncio.to_thread(self._remember, islice(rows, report.rows_before))
        block = await asyncio.to_thread(self._next_block, rows)
        while block is not None:
            sending = asyncio.create_task(self._send(block))
            try:
                following = await asyncio.to_thread(self._next_block, rows)
            finally:
                await sending
            on_rows(block.last, report.rows)
            block = following

    def _next_block(self, rows: Iterator[CsvRow]) -> _Block | None:
        block = list(islice(rows, BLOCK_ROWS))
        if not block:
            return None
        good, faults = self.reader.read(block)
        encoded = self.writer.encode([self.events.posts(good), self.events.engagement(good)])
        return _Block(encoded, [*faults, *encoded.faults], len(block), block[-1].number)

    async def _send(self, block: _Block) -> None:
        report = self.report
        await self.writer.append(block.encoded)
        await self.ledger.advance(block.last, finished=block.last >= report.rows)
        report.records_sent += block.encoded.records
        report.rows_sent += block.rows
        for fault in block.faults:
            report.refuse(fault)

    def _remember(self, rows: Iterator[CsvRow]) -> None:
        """Read rows that are in, so that their posts are known and not published again with a later row's time."""
        while block := list(islice(rows, BLOCK_ROWS)):
            self.events.posts(self.reader.read(block)[0])


def _nobody(_rows_in: int, _rows: int) -> None:
    """Show nothing."""
