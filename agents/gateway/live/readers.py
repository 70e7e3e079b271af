"""A few connections that read ranges of the log, shared by all who ask: who comes when all are busy waits in line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import LogReader

FETCH_BYTES = 256 * 2**10
FETCH_RECORDS = 500
FETCH_WAIT_MS = 5  # what is read is there already


class LogReaders:
    """Readers that stay connected; one whose use failed is disconnected, and the next use connects again."""

    def __init__(self, cluster: Cluster, count: int, fetch_bytes: int = FETCH_BYTES) -> None:
        """Have up to `count` readers at once; nothing is connected yet."""
        settings = cluster.settings.model_copy(update={"fetch_max_records": FETCH_RECORDS})
        self._cluster = replace(cluster, settings=settings)
        self._fetch_bytes = fetch_bytes
        self._free = asyncio.Semaphore(count)
        self._idle: list[LogReader] = []

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[LogReader]:
        """Lend a reader; every use of it raises Unavailable when Kafka is away."""
        async with self._free:
            reader = self._idle.pop() if self._idle else await self._connected()
            try:
                yield reader
            except BaseException:
                await reader.__aexit__(None, None, None)
                raise
            reader.rest()
            self._idle.append(reader)

    async def close(self) -> None:
        """Disconnect those that nobody uses."""
        while self._idle:
            await self._idle.pop().__aexit__(None, None, None)

    async def _connected(self) -> LogReader:
        return await LogReader(self._cluster, self._fetch_bytes, FETCH_WAIT_MS).__aenter__()
