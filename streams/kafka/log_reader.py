"""A range of a topic, read once without a consumer group: for replays, recovery, tails and `consume`."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Literal, Self

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord
from aiokafka.structs import TopicPartition as KafkaPartition

from streams.engine.batch import TopicPartition
from streams.errors import Unavailable
from streams.kafka.cluster import Cluster
from streams.kafka.fetch_by_id import ClientById
from streams.kafka.hidden import Hidden, hidden_by_record_key
from streams.kafka.hidden_keys import HiddenKeys
from streams.kafka.raw_results import RawResults
from streams.kafka.record_bytes import take_any_header_name
from streams.kafka.topic_ids import TopicNow, topics_now
from streams.kafka.topics import partition_counts

MAX_PARTITION_FETCH_BYTES = 8 * 2**20
FETCH_WAIT_MS = 500
FETCHED_TOGETHER = 4  # partitions
POLL_S = 0.5
LOOK_WITHIN_S = 3.0

Bounds = Mapping[TopicPartition, tuple[int, int]]
"""For each partition the first offset to read and the offset behind the last."""

Block = tuple[TopicPartition, Sequence[ConsumerRecord]]
logger = logging.getLogger(__name__)


class LogReader:
    """Read partitions by offsets; used as an async context. Every call raises Unavailable when the broker is away.

    Records of hidden keys (streams/kafka/hidden.py) are passed over, as if retention had taken them.
    """

    def __init__(
        self,
        cluster: Cluster,
        partition_fetch_bytes: int = MAX_PARTITION_FETCH_BYTES,
        wait_ms: int = FETCH_WAIT_MS,
        *,
        with_hidden: bool = False,
    ) -> None:
        """Fetch up to so many bytes of a partition at once, and of all together four times that.

        `with_hidden` reads what is hidden too: for who says what the log still holds, and nobody else.
        The broker waits up to `wait_ms` for records to come, and answers nothing else to this reader meanwhile.
        """
        self._cluster = cluster
        self._settings = cluster.settings
        self._is_gone = False
        self._with_hidden = with_hidden
        self._hidden_keys = HiddenKeys(cluster.open_registry)
        take_any_header_name()
        self._consumer = AIOKafkaConsumer(
            **cluster.client_options(),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            fetch_max_wait_ms=wait_ms,
            max_partition_fetch_bytes=partition_fetch_bytes,
            fetch_max_bytes=FETCHED_TOGETHER * partition_fetch_bytes,
        )

    async def __aenter__(self) -> Self:
        try:
            async with self._cluster.exchange("connecting a reader"):
                await self._consumer.start()
        except BaseException:
            await self._consumer.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._consumer.stop()

    async def whole(self, sources: Sequence[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        """Return the first offset each log still has, and the offset behind its last."""
        partitions = [KafkaPartition(*source) for source in sources]
        async with self._cluster.exchange("looking up the beginnings of partitions"):
            await self._know(sources)
            first = await self._consumer.beginning_offsets(partitions)
        ends = await self.ends(sources)
        return {source: (first[each], ends[source]) for source, each in zip(sources, partitions, strict=True)}

    async def ends(self, sources: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the offset behind the last of each log."""
        partitions = [KafkaPartition(*source) for source in sources]
        async with self._cluster.exchange("looking up the ends of partitions"):
            await self._know(sources)
            last = await self._consumer.end_offsets(partitions)
        return {TopicPartition(*each): last[each] for each in partitions}

    async def at_time(self, sources: Sequence[TopicPartition], time_ms: int) -> dict[TopicPartition, int | None]:
        """Return the first offset at or after a broker timestamp in epoch milliseconds, None where all are earlier."""
        partitions = [KafkaPartition(*source) for source in sources]
        async with self._cluster.exchange("looking up offsets by time"):
            await self._know(sources)
            found = await self._consumer.offsets_for_times(dict.fromkeys(partitions, time_ms))
        return {TopicPartition(*each): found[each].offset if found.get(each) else None for each in partitions}

    async def times_at(
        self, positions: Iterable[tuple[TopicPartition, int]], within_s: float = LOOK_WITHIN_S
    ) -> dict[tuple[TopicPartition, int], int]:
        """Return the broker timestamps, epoch milliseconds, of the first records at or after offsets of partitions.

        What did not come in time is left out; each record is fetched, with what its batch holds.
        """
        missing, found = set(positions), dict[tuple[TopicPartition, int], int]()
        until = time.monotonic() + within_s
        while missing and time.monotonic() < until:
            sought = {KafkaPartition(*source): (source, offset) for source, offset in missing}
            self._consumer.assign(list(sought))  # one position of a partition at a time
            for partition, (_, offset) in sought.items():
                self._consumer.seek(partition, offset)
            for partition, records in (await self._fetch(sought)).items():
                if records:
                    found[sought[partition]] = records[0].timestamp
                    missing.discard(sought[partition])
        self._consumer.unsubscribe()
        return found

    async def read(self, bounds: Bounds, shapes: Mapping[str, TopicNow] | None = None) -> AsyncGenerator[Block, None]:
        """Yield the records within bounds, block by block, in order within each partition.

        With `shapes` it is for much: records come as they were parsed (`FetchedRecord`), and of a topic that is made
        again meanwhile nothing more comes.

        Raises:
            Unavailable: no record came within the io time-out.
        """
        remaining = {KafkaPartition(*source): end for source, (start, end) in bounds.items() if start < end}
        if not remaining:
            return
        await self._look_at_hidden(bounds)
        if shapes is not None:
            self._hold_to(shapes)
            self._consumer._fetcher._records = RawResults()  # noqa: SLF001 - aiokafka has no setting for it
        self._consumer.assign(list(remaining))
        for partition in remaining:
            self._consumer.seek(partition, bounds[TopicPartition(*partition)][0])
        progress = time.monotonic()
        while remaining:
            for partition, records in (await self._fetch(remaining)).items():
                wanted = [record for record in records if record.offset < remaining[partition]]
                shown = self._hidden_keys.now().shown(partition.topic, wanted)
                if shown:
                    yield TopicPartition(*partition), shown
                progress = time.monotonic()
            if time.monotonic() - progress > self._settings.io_timeout_s:
                waited = f"{self._settings.io_timeout_s:g} s"
                raise Unavailable(
                    f"Kafka at {self._cluster.bootstrap} gave no records of {sorted(remaining)} for {waited}"
                )
            remaining = await self._without_finished(remaining)

    async def hidden(self) -> Hidden:
        """Return what is hidden now."""
        return await self._hidden_keys.look(self, max_age_s=0.0)

    async def _look_at_hidden(self, sources: Iterable[TopicPartition]) -> None:
        """Learn what is hidden before anything is read that can be."""
        if not self._with_hidden and any(hidden_by_record_key(source.topic) for source in sources):
            await self._hidden_keys.look(self)

    def rest(self) -> None:
        """Fetch nothing more until the next reading; a reading that was left early had more in view."""
        self._consumer.pause(*self._consumer.assignment())

    async def _know(self, sources: Iterable[TopicPartition]) -> None:
        """Learn where the partitions of all topics are at once; aiokafka would find out one topic after the other."""
        client = self._consumer._client  # noqa: SLF001 - has no other way
        await asyncio.gather(*[client.add_topic(topic) for topic in {source.topic for source in sources}])

    async def topics_now(self, names: Iterable[str]) -> Mapping[str, TopicNow]:
        """Return those of the topics that are there."""
        async with self._cluster.exchange("looking at topics"):
            return await topics_now(self._consumer._client, names)  # noqa: SLF001 - the way to their ids

    async def follow(
        self, starts: Mapping[TopicPartition, int], shapes: Mapping[str, TopicNow]
    ) -> AsyncGenerator[Block, None]:
        """Yield records from these offsets on, and go on as more come, until the topics have other shapes.

        While the broker or a topic is away nothing comes, and of a topic made again nothing under its old shape.
        """
        await self._look_at_hidden(starts)
        self._hold_to(shapes)
        partitions = {KafkaPartition(*source): start for source, start in starts.items()}
        self._consumer.assign(list(partitions))
        for partition, start in partitions.items():
            self._consumer.seek(partition, start)
        looked = time.monotonic()
        while True:
            for partition, records in (await self._fetch(partitions)).items():
                shown = self._hidden_keys.now().shown(partition.topic, records)
                if shown:
                    yield TopicPartition(*partition), shown
            if self._is_gone or time.monotonic() - looked >= self._settings.topic_watch_interval_s:
                self._is_gone, looked = False, time.monotonic()
                if await self._have_changed(shapes):
                    return

    def _hold_to(self, shapes: Mapping[str, TopicNow]) -> None:
        """Fetch by the ids of topics, where they are known: by name one would go on in a new log at the old offset."""
        ids = {name: topic.topic_id for name, topic in shapes.items() if topic.topic_id is not None}
        fetcher = self._consumer._fetcher  # noqa: SLF001 - aiokafka has no setting for it
        fetcher._client = ClientById(self._consumer._client, lambda: ids, self._note_gone)  # noqa: SLF001

    def _note_gone(self) -> None:
        self._is_gone = True

    async def _have_changed(self, shapes: Mapping[str, TopicNow]) -> bool:
        """Tell whether topics are there and not as they were; nothing is known while the broker is away."""
        with suppress(Unavailable):
            now = await self.topics_now(shapes)
            return now.keys() == shapes.keys() and now != shapes
        return False

    async def _fetch(self, remaining: Iterable[KafkaPartition]) -> dict[KafkaPartition, list[ConsumerRecord]]:
        with self._cluster.translating("reading"):
            fetched: dict[KafkaPartition, list[ConsumerRecord]] = await self._consumer.getmany(
                *remaining, timeout_ms=int(POLL_S * 1000), max_records=self._settings.fetch_max_records
            )
        return fetched

    async def _without_finished(self, remaining: Mapping[KafkaPartition, int]) -> dict[KafkaPartition, int]:
        """Drop partitions whose position reached the end; compaction may have taken the last records themselves."""
        async with self._cluster.exchange("reading"):
            positions = {partition: await self._consumer.position(partition) for partition in remaining}
        finished = [partition for partition, end in remaining.items() if positions[partition] >= end]
        self._consumer.pause(*finished)
        return {partition: end for partition, end in remaining.items() if partition not in finished}


async def hidden_now(cluster: Cluster) -> Hidden:
    """Return what is hidden now, for a decoder; raises Unavailable where that can't be read."""
    async with LogReader(cluster) as reader:
        return await reader.hidden()


async def log_bounds(cluster: Cluster, source: TopicPartition) -> tuple[int, int]:
    """Return the first offset that the log of a partition still has, and the offset behind its last.

    Raises:
        Unavailable: the broker or the partition is away.
    """
    async with LogReader(cluster) as reader:
        return (await reader.whole([source]))[source]


async def read_offsets(
    cluster: Cluster, source: TopicPartition, start: int, end: int
) -> AsyncGenerator[Sequence[ConsumerRecord], None]:
    """Yield the records of a partition from offset `start` up to, not including, `end`, block by block in order.

    Offsets that retention or compaction took are skipped; reading ends at the end of the log if that comes first.

    Raises:
        Unavailable: the broker is away, or no record came within the io time-out.
    """
    async with LogReader(cluster) as reader:
        first, last = (await reader.whole([source]))[source]
        async for _, records in reader.read({source: (max(start, first), min(end, last))}):
            yield records


async def read_range(
    cluster: Cluster,
    topic: str,
    *,
    since_ms: int | None = None,
    until_ms: int | None = None,
    partitions: Sequence[int] | None = None,
) -> AsyncGenerator[Block, None]:
    """Yield what a topic holds at the time of the call, block by block, in order within each partition.

    `since_ms` and `until_ms` are broker timestamps in epoch milliseconds: from the first record at or after `since_ms`
    up to, not including, the first at or after `until_ms`.

    Raises:
        Unavailable: the broker or the topic is away, or no record came within the io time-out.
    """
    sources = await _sources(cluster, topic, partitions)
    async with LogReader(cluster) as reader:
        async for block in reader.read(await _bounds(reader, sources, since_ms, until_ms)):
            yield block


async def follow(cluster: Cluster, topic: str, start: Literal["beginning", "latest"]) -> AsyncGenerator[Block, None]:
    """Yield what a topic holds (from `beginning`), then whatever is appended, without end.

    Partitions that the topic gets meanwhile are read too; one that is made again is read from its beginning.

    Raises:
        Unavailable: the broker or the topic is away at the start.
    """
    positions: dict[TopicPartition, int] = {}
    before: TopicNow | None = None
    while True:
        sources = await _sources(cluster, topic, None)
        async with LogReader(cluster) as reader:
            shapes = await reader.topics_now([topic])
            if before is not None and shapes[topic].is_another_than(before):
                logger.warning("%s was made again; it is read from its beginning", topic)
                positions.clear()
            at_end = start == "latest" and before is None
            for source, (first, last) in (await reader.whole(sources)).items():
                positions[source] = max(positions.get(source, last if at_end else first), first)
            before = shapes[topic]
            async for source, records in reader.follow({source: positions[source] for source in sources}, shapes):
                positions[source] = records[-1].offset + 1 if records else positions[source]
                yield source, records


async def _sources(cluster: Cluster, topic: str, partitions: Sequence[int] | None) -> list[TopicPartition]:
    if partitions is None:
        partitions = range((await partition_counts(cluster, [topic]))[topic])
    return [TopicPartition(topic, number) for number in partitions]


async def _bounds(
    reader: LogReader, sources: Sequence[TopicPartition], since_ms: int | None, until_ms: int | None
) -> Bounds:
    bounds = await reader.whole(sources)
    if since_ms is not None:
        starts = await reader.at_time(sources, since_ms)
        bounds = {source: (_or(starts[source], end), end) for source, (_, end) in bounds.items()}
    if until_ms is not None:
        ends = await reader.at_time(sources, until_ms)
        bounds = {source: (start, min(_or(ends[source], end), end)) for source, (start, end) in bounds.items()}
    return bounds


def _or(offset: int | None, end: int) -> int:
    return end if offset is None else offset
