"""A consumer without a group: looks up offsets and reads given ranges of partitions once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord
from aiokafka.structs import TopicPartition as KafkaPartition

from streams.engine.batch import TopicPartition
from streams.errors import Unavailable
from streams.kafka.connection import client_options
from streams.kafka.faults import translating
from streams.kafka.record_bytes import take_any_header_name
from streams.kafka.topic_ids import TopicNow, topics_now
from streams.settings import Settings

MAX_PARTITION_FETCH_BYTES = 8 * 2**20
FETCH_MAX_BYTES = 32 * 2**20
POLL_S = 0.5

Bounds = Mapping[TopicPartition, tuple[int, int]]
"""For each partition the first offset to read and the offset behind the last."""

Block = tuple[TopicPartition, Sequence[ConsumerRecord]]


class LogReader:
    """Read partitions by offsets; used as an async context. Every call raises Unavailable when the broker is away."""

    def __init__(self, settings: Settings, bootstrap: str) -> None:
        self._settings = settings
        self._bootstrap = bootstrap
        take_any_header_name()
        self._consumer = AIOKafkaConsumer(
            **client_options(settings, bootstrap),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_partition_fetch_bytes=MAX_PARTITION_FETCH_BYTES,
            fetch_max_bytes=FETCH_MAX_BYTES,
        )

    async def __aenter__(self) -> Self:
        try:
            with translating("connecting a reader", self._bootstrap):
                async with asyncio.timeout(self._settings.io_timeout_s):
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
        with translating("looking up the beginnings of partitions", self._bootstrap):
            async with asyncio.timeout(self._settings.io_timeout_s):
                first = await self._consumer.beginning_offsets(partitions)
        ends = await self.ends(sources)
        return {source: (first[each], ends[source]) for source, each in zip(sources, partitions, strict=True)}

    async def ends(self, sources: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the offset behind the last of each log."""
        partitions = [KafkaPartition(*source) for source in sources]
        with translating("looking up the ends of partitions", self._bootstrap):
            async with asyncio.timeout(self._settings.io_timeout_s):
                last = await self._consumer.end_offsets(partitions)
        return {TopicPartition(*each): last[each] for each in partitions}

    async def at_time(self, sources: Sequence[TopicPartition], time_ms: int) -> dict[TopicPartition, int | None]:
        """Return the first offset at or after a broker timestamp in epoch milliseconds, None where all are earlier."""
        partitions = [KafkaPartition(*source) for source in sources]
        with translating("looking up offsets by time", self._bootstrap):
            async with asyncio.timeout(self._settings.io_timeout_s):
                found = await self._consumer.offsets_for_times(dict.fromkeys(partitions, time_ms))
        return {TopicPartition(*each): found[each].offset if found.get(each) else None for each in partitions}

    async def read(self, bounds: Bounds) -> AsyncGenerator[Block, None]:
        """Yield the records within bounds, block by block, in order within each partition.

        Raises:
            Unavailable: no record came within the io time-out.
        """
        remaining = {KafkaPartition(*source): end for source, (start, end) in bounds.items() if start < end}
        if not remaining:
            return
        self._consumer.assign(list(remaining))
        for partition in remaining:
            self._consumer.seek(partition, bounds[TopicPartition(*partition)][0])
        progress = time.monotonic()
        while remaining:
            for partition, records in (await self._fetch(remaining)).items():
                wanted = [record for record in records if record.offset < remaining[partition]]
                if wanted:
                    yield TopicPartition(*partition), wanted
                progress = time.monotonic()
            if time.monotonic() - progress > self._settings.io_timeout_s:
                waited = f"{self._settings.io_timeout_s:g} s"
                raise Unavailable(f"Kafka at {self._bootstrap} gave no records of {sorted(remaining)} for {waited}")
            remaining = await self._without_finished(remaining)

    async def topics_now(self, names: Iterable[str]) -> Mapping[str, TopicNow]:
        """Return those of the topics that are there."""
        with translating("looking at topics", self._bootstrap):
            async with asyncio.timeout(self._settings.io_timeout_s):
                return await topics_now(self._consumer._client, names)  # noqa: SLF001 - the way to their ids

    async def follow(
        self, starts: Mapping[TopicPartition, int], shapes: Mapping[str, TopicNow]
    ) -> AsyncGenerator[Block, None]:
        """Yield records from these offsets on, and go on as more come, until the topics have other shapes.

        While the broker or a topic is away nothing comes.
        """
        partitions = {KafkaPartition(*source): start for source, start in starts.items()}
        self._consumer.assign(list(partitions))
        for partition, start in partitions.items():
            self._consumer.seek(partition, start)
        looked = time.monotonic()
        while True:
            for partition, records in (await self._fetch(partitions)).items():
                yield TopicPartition(*partition), records
            if time.monotonic() - looked >= self._settings.topic_watch_interval_s:
                looked = time.monotonic()
                if await self._have_changed(shapes):
                    return

    async def _have_changed(self, shapes: Mapping[str, TopicNow]) -> bool:
        """Tell whether topics are there and not as they were; nothing is known while the broker is away."""
        with suppress(Unavailable):
            now = await self.topics_now(shapes)
            return now.keys() == shapes.keys() and now != shapes
        return False

    async def _fetch(self, remaining: Iterable[KafkaPartition]) -> dict[KafkaPartition, list[ConsumerRecord]]:
        with translating("reading", self._bootstrap):
            fetched: dict[KafkaPartition, list[ConsumerRecord]] = await self._consumer.getmany(
                *remaining, timeout_ms=int(POLL_S * 1000), max_records=self._settings.fetch_max_records
            )
        return fetched

    async def _without_finished(self, remaining: Mapping[KafkaPartition, int]) -> dict[KafkaPartition, int]:
        """Drop partitions whose position reached the end; compaction may have taken the last records themselves."""
        with translating("reading", self._bootstrap):
            async with asyncio.timeout(self._settings.io_timeout_s):
                positions = {partition: await self._consumer.position(partition) for partition in remaining}
        finished = [partition for partition, end in remaining.items() if positions[partition] >= end]
        self._consumer.pause(*finished)
        return {partition: end for partition, end in remaining.items() if partition not in finished}
