"""One import: survey the file, ask the ledger what is known, decide what changes, note it, send it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from uuid import uuid4

from agents.importing.decisions.known_counts import PostKey, encode_changes, encode_posts
from agents.importing.decisions.ledger import TOPIC, Ledger, LedgerState, log_ends, new_entry, settle
from agents.importing.decisions.planning import Plan, Planner
from agents.importing.decisions.twins import Numbers
from agents.importing.events import ENGAGEMENT, POSTS, BlockWriter, EncodedBlock, EventColumns, EventMaker
from agents.importing.fields import FieldMapping
from agents.importing.preview import Preview, may_ask, preview
from agents.importing.reading import BLOCK_ROWS, OnRead, ReadBlock, Reading, Survey, reject, survey
from agents.importing.rejects import Rejects
from agents.importing.report import FAULTS_KEPT, ImportReport
from agents.importing.row_block import RowBlock, RowFault
from agents.importing.sources.source import Row, Source
from schemas.records import ImportProgress
from streams.kafka.cluster import Cluster
from streams.kafka.producer import EventProducer
from streams.kafka.record_size import record_limit
from streams.kafka.topics import partition_counts
from streams.settings import Settings
from streams.wall_clock import now_ms

__all__ = ["BLOCK_ROWS", "FAULTS_KEPT", "ImportReport", "ImportSession", "import_session", "import_source"]

ENTRY_ROOM_BYTES = 2_000  # of a ledger entry, for what is not its counts

OnRows = Callable[[int, int], None]
"""Called with the rows that are in and the rows there are."""


async def import_source(
    source: Source,
    mapping: FieldMapping,
    settings: Settings,
    *,
    shift_to_now: bool = False,
    simulated: bool = False,
    on_rows: OnRows | None = None,
) -> ImportReport:
    """Import what is not in yet of a source; a second call, or one after a crash, sends only what is missing.

    `shift_to_now` moves the newest event of the file to now; an import that goes on keeps the shift it began with.
    `simulated` marks every event as such, with the source `simulated` in place of the file's name.

    Raises:
        ImportFault: the file or its mapping is not usable; nothing was sent.
        Unavailable: the broker does not answer; the same import goes on from where it stopped.
    """
    async with import_session(settings) as session:
        return await session.import_source(
            source, mapping, shift_to_now=shift_to_now, simulated=simulated, on_rows=on_rows or _nobody
        )


@asynccontextmanager
async def import_session(settings: Settings) -> AsyncIterator[ImportSession]:
    """Connect, read the ledger and send what broken off imports have decided; several files share all that.

    Raises:
        Unavailable: the broker, a topic or the registry does not answer.
    """
    cluster = await Cluster.reached(settings)
    registry = cluster.open_registry()
    partitions = await partition_counts(cluster, [ENGAGEMENT.name, POSTS.name])
    producer = EventProducer(cluster, registry)
    await producer.start()
    try:
        ledger = Ledger(producer, cluster, registry, run=str(uuid4()))
        writer = BlockWriter(producer, registry, settings, partitions)
        await ledger.read()
        await settle(ledger, writer, cluster, registry)
        ends = await log_ends(cluster, partitions[ENGAGEMENT.name])
        yield ImportSession(cluster, ledger, writer, record_limit(TOPIC.name, settings) - ENTRY_ROOM_BYTES, ends)
    finally:
        await producer.stop()


async def read_ledger(settings: Settings) -> Ledger:
    """Return the ledger as it is, for reading; nothing is sent.

    Raises:
        SettingsError: no Kafka is set, and none is embedded.
        Unavailable: the broker or the registry does not answer.
    """
    cluster = await Cluster.reached(settings)
    registry = cluster.open_registry()
    ledger = Ledger(EventProducer(cluster, registry), cluster, registry, run=str(uuid4()))
    await ledger.read()
    return ledger


def preview_source(found: Survey, state: LedgerState, rejects: Rejects) -> tuple[Reading, Preview]:
    """Return what an import of a source would do; raises ImportFault as `import_source` does."""
    rejects.header = found.header
    reading, entry = _begun(found, state)
    report = ImportReport(found.source.name, entry.source, found.rows, 0, entry.shift_ms)
    return reading, preview(reading, state, report, rejects=rejects)


def needs_known(mapping: FieldMapping, found: Survey, state: LedgerState) -> bool:
    """Tell whether a reading decides on what is known of its channel: all but the first one do."""
    return mapping.counts == "totals" or state.has_others(mapping.source, found.source_key)


@dataclass(frozen=True, slots=True)
class ImportSession:
    """What the imports of one run share; `ends` is where the log of engagement ended when it began."""

    cluster: Cluster
    ledger: Ledger
    writer: BlockWriter
    entry_limit: int
    ends: tuple[int, ...]

    async def import_source(
        self,
        source: Source,
        mapping: FieldMapping,
        *,
        shift_to_now: bool = False,
        simulated: bool = False,
        on_rows: OnRows,
        on_read: OnRead | None = None,
        rejects: Rejects | None = None,
    ) -> ImportReport:
        """Import what is not in yet of a source; see the function of that name."""
        began = time.monotonic()
        found = await asyncio.to_thread(survey, source, mapping, find_newest=shift_to_now, on_read=on_read)
        state = self.ledger.state
        if needs_known(mapping, found, state):
            await self.ledger.learn(mapping.source)
        reading, entry = _begun(found, state)
        report = ImportReport(source.name, entry.source, found.rows, entry.rows, entry.shift_ms)
        if not entry.finished:
            event_source = "simulated" if simulated else f"import:{source.name}"
            whole = ImportReport(source.name, entry.source, found.rows, entry.rows, entry.shift_ms)
            await asyncio.to_thread(preview, reading, state, whole, whole=may_ask(reading, state))
            report.warnings = whole.warnings
            begun = replace(
                entry,
                counts=None,
                posts=None,
                run="",
                channel=mapping.source,
                event_source=event_source,
                simulated=simulated,
                log_ends=self.ends,
            )
            rejects = rejects or Rejects()
            rejects.header = found.header
            await _Sender(self, reading, begun, report, on_rows=on_rows, rejects=rejects).send()
        report.seconds = time.monotonic() - began
        return report


def _begun(found: Survey, state: LedgerState) -> tuple[Reading, ImportProgress]:
    """Return the reading of a source, and how far it has come."""
    entry = state.readings.get(found.source_key)
    adopted_rows = entry.rows if entry is not None and entry.base is None else 0
    if entry is None:
        entry = replace(new_entry(found.source_key, found.source.name), shift_ms=_shift_ms(found))
    return Reading(found, now_ms(), entry.shift_ms, adopted_rows), entry


def _shift_ms(found: Survey) -> int:
    return 0 if found.newest_ms is None else now_ms() - found.newest_ms


@dataclass(frozen=True, slots=True)
class _Decided:
    """Rows that are decided on the ledger as it is: what changes, and the records that follow."""

    plan: Plan
    encoded: EncodedBlock
    entry: ImportProgress


class _Sender:
    """Send rows of one file block by block: posts, then the decision in the ledger, then the events that follow.

    While one block is on its way the next is read in a thread; it is decided when the first is in.
    """

    def __init__(
        self,
        session: ImportSession,
        reading: Reading,
        begun: ImportProgress,
        report: ImportReport,
        *,
        on_rows: OnRows,
        rejects: Rejects,
    ) -> None:
        self._session = session
        self._reading = reading
        self._begun = begun
        self._report = report
        self._on_rows = on_rows
        self._rejects = rejects
        self._events = EventMaker(
            source_key=begun.source,
            source=begun.event_source,
            simulated=begun.simulated,
            post_key=begun.channel,
        )

    async def send(self) -> None:
        report, planner = self._report, self._reading.planner()
        self._on_rows(report.rows_before, report.rows)
        with self._reading.rows() as rows:
            read = await asyncio.to_thread(self._after, report.rows_before, rows, planner)
            while read is not None:
                sending = asyncio.create_task(self._send(read, planner))
                try:
                    following = await asyncio.to_thread(self._reading.next_block, rows, planner)
                finally:
                    await sending
                self._on_rows(read.last, report.rows)
                read = following
        await self._finish()

    def _after(self, rows_before: int, rows: Iterator[Row], planner: Planner) -> ReadBlock | None:
        """Return the first block with a row that is not in; those before it are read, for their posts and twins."""
        while read := self._reading.next_block(rows, planner):
            if read.last > rows_before:
                return read
            self._events.posts(read.block)
            reject(read.faults, read, self._rejects)
        return None

    async def _finish(self) -> None:
        done = replace(self._begun, rows=self._report.rows, finished=True)
        while not await self._session.ledger.write(done):
            pass

    async def _send(self, read: ReadBlock, planner: Planner) -> None:
        report = self._report
        report.note(list(read.block.notes))
        report.sums += read.block.sums
        self._refuse(read.faults, read)
        posts = self._events.posts(read.block, self._is_published)
        await self._send_part(read.block, read.slots, posts, planner, read)
        report.rows_sent += read.rows

    def _is_published(self, persona_id: str, post_id: str) -> bool:
        return self._session.ledger.state.known.is_published(PostKey(self._begun.channel, persona_id, post_id))

    async def _send_part(
        self, block: RowBlock, slots: Numbers, posts: EventColumns, planner: Planner, read: ReadBlock
    ) -> None:
        """Decide and send rows; where their entry is too large for the ledger, half of them at a time."""
        while True:
            decided = await asyncio.to_thread(self._decide, block, slots, posts, planner, read.last)
            refused = decided.encoded.refused
            if refused:
                self._refuse([refused[line] for line in sorted(refused)], read)
                good = [line not in refused for line in block.lines]
                block, slots = block.kept(good), slots[good]
                posts = posts.kept([line not in refused for line in posts.lines])
            elif len(decided.entry.counts or b"") > self._session.entry_limit and len(slots) > 1:
                for part, part_slots in replace(read, block=block, slots=slots).parts():
                    lines = set(part.lines)
                    part_posts = posts.kept([line in lines for line in posts.lines])
                    await self._send_part(part, part_slots, part_posts, planner, read)
                return
            elif await self._append(decided, read):
                return

    def _refuse(self, faults: Sequence[RowFault], read: ReadBlock) -> None:
        """Count bad rows and keep them for the file of rejects, where one is asked for."""
        reject(faults, read, self._rejects)
        for fault in faults:
            self._report.refuse(fault)

    def _decide(self, block: RowBlock, slots: Numbers, posts: EventColumns, planner: Planner, last: int) -> _Decided:
        state = self._session.ledger.state
        if planner.is_first(state.channels.get(self._begun.channel, ())):
            plan = planner.plan_first(block, slots)
        else:
            plan = planner.plan(block, slots, state.known.branch(), self._reading.now_ms)
        events = self._events.engagement(block, plan.changes, state.end)
        encoded = self._session.writer.encode([posts, events])
        published = [PostKey(self._begun.channel, *post) for post in posts.posts()]
        entry = replace(
            self._begun,
            rows=max(last, self._begun.rows),
            counts=encode_changes(plan.changes),
            posts=encode_posts(published),
        )
        return _Decided(plan, encoded, entry)

    async def _append(self, decided: _Decided, read: ReadBlock) -> bool:
        """Send posts, decision and events; tell whether the decision is in force, else nothing of it counts."""
        writer, report = self._session.writer, self._report
        await writer.append(decided.encoded.of_topic(POSTS.name))
        if decided.entry.counts is not None or decided.entry.posts is not None:
            ledger, channel = self._session.ledger, self._begun.channel
            if not await ledger.write(decided.entry):
                if ledger.state.has_others(channel, self._begun.source):
                    await ledger.learn(channel)  # another import has come in between: it counts from now on
                return False
            await writer.append(decided.encoded.of_topic(ENGAGEMENT.name))
        report.records_sent += decided.encoded.records
        report.older += decided.plan.older
        self._refuse(decided.plan.faults, read)
        report.changes.update(decided.plan.by_kind())
        return True


def _nobody(_rows_in: int, _rows: int) -> None:
    """Show nothing."""
