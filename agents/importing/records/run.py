"""One import of records: what is in already is asked of the log, and the others are sent, each once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from agents.costs.prices import PriceList, read_prices
from agents.costs.settings import CostSettings
from agents.importing.events import BlockWriter
from agents.importing.records.kinds import RecordKind
from agents.importing.records.known import KnownRecords, known_records
from agents.importing.records.reading import MadeRow, RecordReading, RecordSurvey, reading_of
from agents.importing.records.report import RecordReport
from agents.importing.rejects import Rejects
from schemas.catalogue import topic_named
from streams.kafka.cluster import Cluster
from streams.kafka.producer import EventProducer
from streams.kafka.topics import partition_counts
from streams.settings import Settings
from streams.wall_clock import now_ms

KNOWN_OTHERWISE = "its id is known with other values: what is in stays; a correction needs an id of its own"
OnRows = Callable[[int, int], None]
"""Called with the rows that are in and the rows there are."""


@dataclass(frozen=True, slots=True)
class RecordSession:
    """What the imports of one run share: `known` is what is in, also of the files before."""

    cluster: Cluster
    writer: BlockWriter
    known: KnownRecords
    prices: PriceList

    async def import_file(self, survey: RecordSurvey, rejects: Rejects, on_rows: OnRows) -> RecordReport:
        """Import what is not in yet of a file that was surveyed.

        Raises:
            ImportFault: the file is broken further on; what was sent before counts once when it is imported again.
            Unavailable: the broker or the registry does not answer; the same import sends what is missing.
        """
        began = time.monotonic()
        reading = reading_of(survey, self.prices, now_ms(), rejects)
        with reading.blocks() as blocks:
            while (made := await asyncio.to_thread(next, blocks, None)) is not None:
                await self._send(reading, await asyncio.to_thread(new_of, reading, made, self.known))
                on_rows(reading.report.rows, survey.rows)
        self.known.settle()
        reading.report.seconds = time.monotonic() - began
        return reading.report

    async def _send(self, reading: RecordReading, new: list[MadeRow]) -> None:
        if not new:
            return
        events = reading.maker.columns([each.record for each in new], [each.row.line for each in new])
        encoded = await asyncio.to_thread(self.writer.encode, [events])
        for each in new:
            fault = encoded.refused.get(each.row.line)
            if fault is not None:
                reading.refuse(each.row, str(fault))
        await self.writer.append(encoded)
        reading.report.records_sent += encoded.records


def new_of(reading: RecordReading, made: list[MadeRow], known: KnownRecords) -> list[MadeRow]:
    """Return the records of a block that are not in; one whose id is known with other values is a bad row."""
    new = []
    remember = reading.survey.layout.has("id")
    for each, alike in zip(made, known.compare([row.record for row in made], remember=remember), strict=True):
        if alike is None:
            new.append(each)
        elif alike:
            reading.report.known += 1
        else:
            reading.refuse(each.row, KNOWN_OTHERWISE)
    return new


def preview_records(survey: RecordSurvey, known: KnownRecords, prices: PriceList, rejects: Rejects) -> RecordReport:
    """Return what an import of a file would do."""
    reading = reading_of(survey, prices, now_ms(), rejects)
    with reading.blocks() as blocks:
        for made in blocks:
            reading.report.records_sent += len(new_of(reading, made, known))
    known.settle()
    return reading.report


@asynccontextmanager
async def record_session(settings: Settings, kind: RecordKind) -> AsyncIterator[RecordSession]:
    """Connect and read what is in already.

    Raises:
        Unavailable: the broker, a topic or the registry does not answer.
        SettingsError: no Kafka is set, or the price file can't be read.
    """
    prices = read_prices(settings.of(CostSettings).price_file)
    cluster = await Cluster.reached(settings)
    registry, topic = cluster.open_registry(), topic_named(kind.topic)
    partitions = await partition_counts(cluster, [topic.name])
    producer = EventProducer(cluster, registry)
    await producer.start()
    try:
        known = await known_records(cluster, topic)
        yield RecordSession(cluster, BlockWriter(producer, registry, settings, partitions), known, prices)
    finally:
        await producer.stop()
