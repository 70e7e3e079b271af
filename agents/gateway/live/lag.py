"""How far the platform's consumer groups are behind, looked up at most once a second for all who ask."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from streams.kafka.cluster import Cluster
from streams.kafka.consumer_lag import Lag, LagReader

FRESH_S = 1.0  # that an answer is good for whoever asks next


class LagReport:
    """Look up the lag of groups; who asks within a second of another gets the same answer."""

    def __init__(self, cluster: Cluster, groups: Sequence[str]) -> None:
        """Look at these groups; nothing is connected yet."""
        self._cluster = cluster
        self._groups = groups
        self._reader: LagReader | None = None
        self._looking = asyncio.Lock()
        self._told: Sequence[Lag] = ()
        self._told_at_s = float("-inf")

    async def lags(self) -> Sequence[Lag]:
        """Return the lag of each group in the topics that it reads, by group, topic and partition.

        Raises:
            Unavailable: Kafka does not answer.
        """
        async with self._looking:
            if time.monotonic() - self._told_at_s > FRESH_S:
                self._told = await self._look()
                self._told_at_s = time.monotonic()
            return self._told

    async def close(self) -> None:
        """Disconnect; the next call connects again."""
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.__aexit__(None, None, None)

    async def _look(self) -> Sequence[Lag]:
        try:
            if self._reader is None:
                self._reader = await LagReader(self._cluster).__aenter__()
            return await self._reader.lags(self._groups)
        except BaseException:
            await self.close()
            raise
