"""Watch what is hidden while a worker runs, and tell it when more is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from streams.errors import Unavailable
from streams.kafka.cluster import Cluster
from streams.kafka.hidden import NOTHING, Hidden
from streams.kafka.hidden_keys import LOOK_EVERY_S
from streams.kafka.log_reader import LogReader

logger = logging.getLogger(__name__)


class HiddenWatch:
    """What is hidden in the life of a worker: it stays as it was at the beginning.

    `changed` is called once, when more is. Whoever kept something of a key that is hidden since gives it up then, and
    begins anew.
    """

    def __init__(self, cluster: Cluster, changed: Callable[[], None]) -> None:
        self._cluster = cluster
        self._changed = changed
        self._now = NOTHING

    def now(self) -> Hidden:
        """Return what was hidden at the beginning."""
        return self._now

    @asynccontextmanager
    async def kept_up(self) -> AsyncIterator[None]:
        """Learn what is hidden, and look every second whether more is, while the context lasts.

        Raises:
            Unavailable: it can't be read at the start.
        """
        async with LogReader(self._cluster) as reader:
            self._now = await reader.hidden()
            looking = asyncio.create_task(self._look_for_good(reader))
            try:
                yield
            finally:
                looking.cancel()
                await asyncio.gather(looking, return_exceptions=True)

    async def _look_for_good(self, reader: LogReader) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                if await reader.hidden() != self._now:
                    self._changed()
                    return
            except Unavailable as error:
                logger.debug("It can't be told whether more is hidden: %s", error)
