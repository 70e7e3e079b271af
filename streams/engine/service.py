"""Services: what a role without stages is given, and how the worker runs it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from typing import Any

from prometheus_client.registry import Collector

from streams.settings import Settings

logger = logging.getLogger(__name__)

STOP_TIMEOUT_S = 25.0  # below that of the whole worker's children, so that the reason is told
CANCEL_TIMEOUT_S = 3.0

Serve = Callable[["ServiceRun"], Awaitable[None]]


class ServiceRun:
    """One life of a service in a worker: its settings, when to stop, and what it tells of itself.

    `address` is where it is found, without secrets; `status` and `running_workers` show it. `is_stuck` says that it
    went on after it was cancelled: what it holds is free only when the process ends.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stopping = asyncio.Event()
        self.address: str | None = None
        self.collectors: Sequence[Collector] = ()
        self.is_stuck = False
        self._is_ready = asyncio.Event()

    def ready(self, address: str | None = None, collectors: Sequence[Collector] = ()) -> None:
        """Tell that it does its work from now on; `collectors` are shown at the worker's /metrics."""
        self.address, self.collectors = address, collectors
        self._is_ready.set()

    async def wait_ready(self) -> None:
        """Wait for `ready`."""
        await self._is_ready.wait()


@contextlib.asynccontextmanager
async def running_service(
    serve: Serve, run: ServiceRun, ended: asyncio.Event, fail: Callable[[BaseException], None]
) -> AsyncIterator[None]:
    """Serve while the context lasts, which is entered when the service is ready, or `ended` was set meanwhile.

    Raises whatever it raised before. Its end afterwards, that nobody asked for, is told to `fail`.
    """
    serving = asyncio.ensure_future(serve(run))
    try:
        await _first_of(serving, run.wait_ready(), ended.wait())
        if serving.done():
            raise serving.exception() or _unasked()

        def note(done: asyncio.Future[None]) -> None:
            if not run.stopping.is_set() and not done.cancelled():
                fail(done.exception() or _unasked())

        serving.add_done_callback(note)
        yield
    finally:
        run.stopping.set()
        run.is_stuck = not await _stopped(serving)


def _unasked() -> RuntimeError:
    return RuntimeError("the service returned without being asked to stop")


async def _first_of(serving: asyncio.Future[None], *waits: Coroutine[Any, Any, object]) -> None:
    tasks = [asyncio.create_task(each) for each in waits]
    either: set[asyncio.Future[Any]] = {serving, *tasks}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


async def _stopped(serving: asyncio.Future[None]) -> bool:
    """Wait for the end, cancel what does not end by itself, and tell whether it ended; its errors were told."""
    await asyncio.wait([serving], timeout=STOP_TIMEOUT_S)
    if not serving.done():
        logger.warning("A service did not stop within %.0f s and is cancelled", STOP_TIMEOUT_S)
        serving.cancel()
        await asyncio.wait([serving], timeout=CANCEL_TIMEOUT_S)
    if serving.done() and not serving.cancelled() and (error := serving.exception()) is not None:
        logger.debug("A service ended with %r", error)
    return serving.done()
