"""The tail of one topic: read once for the whole process, straight from Kafka, into the topic's ring."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import aclosing
from typing import Literal

from aiokafka.structs import ConsumerRecord

from agents.gateway.live.positions import log_id_of
from agents.gateway.live.record_json import RecordReader
from agents.gateway.live.ring import Gap, LiveRecord, Reason, Ring
from schemas.catalogue import Topic
from schemas.registries.registry import SchemaRegistry
from streams.engine.batch import TopicPartition
from streams.errors import ThreadsError, Unavailable
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import LogReader
from streams.kafka.topic_ids import TopicNow

logger = logging.getLogger(__name__)

FETCH_BYTES = 2**20
SLICE_RECORDS = 250  # decoded in one go: a few milliseconds
LOOK_S = 1.0
RETRY_S = (0.5, 5.0)


class Tail:
    """Keep a ring up with its topic; `on_news` is called after each change.

    While Kafka, the topic or the registry is away, the ring says why; reading goes on where it stood.
    """

    def __init__(
        self,
        cluster: Cluster,
        topic: Topic,
        registry: SchemaRegistry,
        decoding: Executor,
        *,
        ring: Ring,
        on_news: Callable[[], None],
    ) -> None:
        self._cluster = cluster
        self._topic = topic.name
        self._reading = RecordReader(topic, registry)
        self._ring = ring
        self._decoding = decoding
        self._on_news = on_news
        self._before: TopicNow | None = None
        self._away: dict[Literal["kafka", "registry"], str | None] = {"kafka": None, "registry": None}

    async def run(self) -> None:
        """Read until it is cancelled."""
        pause_s = RETRY_S[0]
        while True:
            try:
                await self._read()
                pause_s = RETRY_S[0]
                continue
            except ThreadsError as error:
                self._tell("kafka", str(error), "Kafka does not answer, or the topic is not there")
            except Exception:
                logger.exception("The live feed of %s failed; it begins again where it stood", self._topic)
                self._tell("kafka", "the feed of this topic failed; the gateway's log says why")
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, RETRY_S[1])

    async def _read(self) -> None:
        """Read from where the ring ends until the topic has another shape or what was read is not there any more."""
        async with LogReader(self._cluster, FETCH_BYTES) as reader:
            shapes = await reader.topics_now([self._topic])
            if self._topic not in shapes:
                raise Unavailable(f"Kafka has no topic {self._topic}; run `threads-agent topics create`")
            await self._begin(reader, shapes[self._topic])
            self._on_news()
            self._tell("kafka", None)
            watching = asyncio.create_task(self._watch(reader))
            try:
                await self._follow(reader, shapes)
            finally:
                watching.cancel()

    async def _begin(self, reader: LogReader, now: TopicNow) -> None:
        """Bring the ring to the log that there is now: a part of it may be gone, or all of it be another one."""
        ring, before, self._before = self._ring, self._before, now
        logs = await reader.whole([TopicPartition(self._topic, number) for number in range(now.partitions)])
        bounds = [logs[source] for source in sorted(logs)]
        firsts = [first for first, _ in bounds]
        if before is None:
            self._restart([end for _, end in bounds], None)
        elif now.is_another_than(before) or now.partitions < len(ring.ends):
            self._restart(firsts, "made_again")
        else:
            ring.widen(now.partitions - len(ring.ends))
            if any(end < at for (_, end), at in zip(bounds, ring.ends, strict=True)):
                reason: Reason = "truncated" if now.topic_id else "made_again"
                cut = [min(end, at) for (_, end), at in zip(bounds, ring.ends, strict=True)]
                self._restart(cut if now.topic_id else firsts, reason)
            self._skip(dict(enumerate(firsts)))

    def _restart(self, starts: Sequence[int], reason: Reason | None) -> None:
        assert self._before is not None
        self._ring.begin(log_id_of(self._before.topic_id), starts, reason)

    def _skip(self, firsts: Mapping[int, int]) -> None:
        """Note what retention took before it was read."""
        for partition, first in firsts.items():
            if self._ring.ends[partition] < first:
                self._ring.append(Gap(partition, self._ring.ends[partition], first, "retention"))

    async def _follow(self, reader: LogReader, shapes: Mapping[str, TopicNow]) -> None:
        starts = {TopicPartition(self._topic, each): end for each, end in enumerate(self._ring.ends)}
        async with aclosing(reader.follow(starts, shapes)) as blocks:
            async for source, records in blocks:
                if records and not await self._continues(reader, source, records[0].offset):
                    return
                for start in range(0, len(records), SLICE_RECORDS):
                    await self._take(records[start : start + SLICE_RECORDS])

    async def _continues(self, reader: LogReader, source: TopicPartition, offset: int) -> bool:
        """Tell whether a block goes on where the last one ended: aiokafka begins anew where the log lacks an offset.

        Compaction and the ends of transactions leave holes in offsets, which are no gaps.
        """
        expected = self._ring.ends[source.partition]
        if offset > expected:
            first = (await reader.whole([source]))[source][0]
            self._skip({source.partition: first})
        return offset >= expected

    async def _take(self, records: Sequence[ConsumerRecord]) -> None:
        self._tell("kafka", None)  # before what it shows to be so
        for entry in await self._decoded(records):
            self._ring.append(entry)
        self._on_news()

    async def _decoded(self, records: Sequence[ConsumerRecord]) -> list[LiveRecord]:
        """Decode in a thread; a registry that is away is waited for."""
        while True:
            try:
                decoded = await asyncio.get_running_loop().run_in_executor(self._decoding, self._decode, records)
            except Unavailable as error:
                self._tell("registry", str(error), "the schema registry does not answer")
                await asyncio.sleep(RETRY_S[0])
            else:
                self._tell("registry", None)
                return decoded

    def _decode(self, records: Sequence[ConsumerRecord]) -> list[LiveRecord]:
        return [self._reading.read(record).as_live() for record in records]

    async def _watch(self, reader: LogReader) -> None:
        """Look whether the broker and the topic are there: reading says nothing of it."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                there = self._topic in await reader.topics_now([self._topic])
                self._tell("kafka", None if there else f"Kafka has no topic {self._topic} at the moment")
            except Unavailable as error:
                self._tell("kafka", str(error), "Kafka does not answer")

    def _tell(self, server: Literal["kafka", "registry"], reason: str | None, told: str | None = None) -> None:
        """Say that a server is away, or back; where the reason has addresses, which are for the log, by `told`."""
        before = self._ring.away
        self._away[server] = told or reason
        self._ring.away = self._away["kafka"] or self._away["registry"]
        if (before is None) != (self._ring.away is None):
            logger.warning("The live feed of %s %s", self._topic, "waits: " + (reason or "") if reason else "goes on")
            self._on_news()
