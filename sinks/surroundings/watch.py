"""The watch over the surroundings: asks each of them again and again, and shows what the last answers said."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import ClassVar, Protocol

from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from streams.engine.readings import Reading
from streams.engine.worker_metrics import families
from streams.errors import ThreadsError

logger = logging.getLogger(__name__)

INTERVAL_S = 5.0
ANSWER_TIMEOUT_S = 10.0


class Probe(Protocol):
    """One of the surroundings; asked by one task, never twice at once."""

    name: ClassVar[str]

    async def ask(self) -> Sequence[Reading]:
        """Return its readings; raises a ThreadsError when it is away. What it keeps open is its own to open again."""

    async def close(self) -> None:
        """Release what it keeps open; it may be asked again."""


class Surroundings(Collector):
    """Shows the readings of all probes; one that is away, or silent for `ANSWER_TIMEOUT_S`, shows nothing meanwhile."""

    def __init__(self, probes: Sequence[Probe], interval_s: float = INTERVAL_S) -> None:
        self._probes = probes
        self._interval_s = interval_s
        self._shown: dict[str, Sequence[Reading]] = {}
        self._away: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Ask from now on, each probe in a task of its own."""
        self._tasks = [asyncio.create_task(self._watch(probe)) for probe in self._probes]

    async def stop(self) -> None:
        """Ask no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def collect(self) -> Iterator[Family]:
        """Yield the families of the last answers."""
        return families([reading for readings in dict(self._shown).values() for reading in readings])

    async def _watch(self, probe: Probe) -> None:
        try:
            while True:
                await self._ask(probe)
                await asyncio.sleep(self._interval_s)
        finally:
            await _closed(probe)

    async def _ask(self, probe: Probe) -> None:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                self._shown[probe.name] = await probe.ask()
            self._away.discard(probe.name)
        except Exception as error:  # noqa: BLE001 - what only watches must not end the worker, nor stop watching
            await self._lose(probe, error)

    async def _lose(self, probe: Probe, error: Exception) -> None:
        self._shown.pop(probe.name, None)
        if probe.name not in self._away:
            self._away.add(probe.name)
            unexpected = None if isinstance(error, ThreadsError | TimeoutError) else error
            told = "%s tells nothing of itself, its series are absent until it does: %r"
            logger.warning(told, probe.name, error, exc_info=unexpected)
        await _closed(probe)


async def _closed(probe: Probe) -> None:
    with suppress(Exception):  # it is away: what it kept open is gone already
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await probe.close()
