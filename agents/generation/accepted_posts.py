"""Accepted posts: the last texts of each persona, kept up with drafts.accepted."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence

from aiokafka.structs import ConsumerRecord

from schemas.catalogue import topic_named
from schemas.codec_rows import RowCodec
from schemas.errors import DecodeFault, RegistryUnavailable
from schemas.records import DraftDecided
from schemas.registry import SchemaRegistry
from streams.endpoints import require_kafka
from streams.engine.batch import TopicPartition
from streams.errors import Unavailable
from streams.kafka.log_reader import LogReader
from streams.kafka.topics import partition_counts
from streams.settings import Settings

logger = logging.getLogger(__name__)

TOPIC = topic_named("drafts.accepted")
KEPT_TEXTS = 5  # of each persona
LOOKED_BACK = 2_000  # records of each partition at the start
STALE_AFTER_S = 1.0


class AcceptedPosts:
    """The last accepted texts of each persona, the newest first.

    `refresh` reads what was appended since the last time, at most once a second: a prompt may miss a draft that was
    accepted just now, and de-duplication does not.
    """

    def __init__(
        self, settings: Settings, registry: SchemaRegistry, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._codec = RowCodec(registry)
        self._monotonic = monotonic
        self._read_at = float("-inf")
        self._reader: LogReader | None = None
        self._sources: list[TopicPartition] = []
        self._position: dict[TopicPartition, int] = {}
        self._texts: defaultdict[str, deque[str]] = defaultdict(lambda: deque(maxlen=KEPT_TEXTS))
        self._lock = asyncio.Lock()

    def lately(self, persona_id: str) -> tuple[str, ...]:
        """Return the last texts of a persona, the newest first."""
        return tuple(self._texts[persona_id]) if persona_id in self._texts else ()

    async def refresh(self) -> None:
        """Read the topic up to its present end; raises `Unavailable` when that can't be done."""
        async with self._lock:
            if self._monotonic() - self._read_at < STALE_AFTER_S:
                return
            try:
                await self._read(await self._connected())
            except Unavailable:
                await self._disconnect()
                raise
            self._read_at = self._monotonic()

    async def _read(self, reader: LogReader) -> None:
        whole = await reader.whole(self._sources)
        bounds = {source: (self._start(source, first, end), end) for source, (first, end) in whole.items()}
        async for _, block in reader.read(bounds):
            self._take(block)
        self._position = {source: end for source, (_, end) in bounds.items()}

    def _start(self, source: TopicPartition, first: int, end: int) -> int:
        return max(self._position.get(source, end - LOOKED_BACK), first)

    def _take(self, block: Sequence[ConsumerRecord]) -> None:
        for draft in self._decoded(block):
            self._texts[draft.persona_id].appendleft(draft.draft.text)

    def _decoded(self, block: Sequence[ConsumerRecord]) -> Iterable[DraftDecided]:
        for record in block:
            try:
                found = self._codec.decode(TOPIC, record.value)
            except DecodeFault as fault:
                logger.warning("Passed over offset %d of %s: %s", record.offset, TOPIC.name, fault)
                continue
            except RegistryUnavailable as error:
                raise Unavailable(str(error)) from error
            assert isinstance(found, DraftDecided)
            yield found

    async def _connected(self) -> LogReader:
        if self._reader is None:
            bootstrap = require_kafka(self._settings)
            count = (await partition_counts(self._settings, bootstrap, [TOPIC.name]))[TOPIC.name]
            self._sources = [TopicPartition(TOPIC.name, partition) for partition in range(count)]
            self._reader = await LogReader(self._settings, bootstrap).__aenter__()
        return self._reader

    async def _disconnect(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.__aexit__(None, None, None)

    async def close(self) -> None:
        """Disconnect; what is known stays known."""
        async with self._lock:
            await self._disconnect()
