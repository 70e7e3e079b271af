"""Runs of operations: begun, told of now and then while they go on, ended in any case, and read again."""

from __future__ import annotations

import asyncio
import getpass
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import uuid4

from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.records import Operation, OperationRun, RunStatus
from streams.engine.stage import Output
from streams.errors import Unavailable
from streams.identity import derived_id
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import read_range
from streams.kafka.producer import EventProducer

TOPIC = topic_named("operations.runs")
TELL_EVERY_S = 1.0
DEAD_AFTER_S = 3 * TELL_EVERY_S


def who() -> str:
    """Return user and machine, as far as they are known."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "unknown user"
    return f"{user} on {socket.gethostname()}"


def new_run(
    operation: Operation,
    *,
    selection: str,
    target: str,
    requested_by: str | None = None,
    run_id: str | None = None,
    **more: Any,  # noqa: ANN401 - fields of OperationRun
) -> OperationRun:
    """Return the first step of a run, not yet told; `more` are further fields of OperationRun."""
    run_id, now = run_id or str(uuid4()), datetime.now(UTC)
    return OperationRun(
        event_id=_step_id(run_id, 1),
        occurred_at=now,
        run_id=run_id,
        sequence=1,
        operation=operation,
        status="running",
        requested_by=requested_by or who(),
        selection=selection,
        target=target,
        started_at=now,
        **more,
    )


def next_step(run: OperationRun, **changes: Any) -> OperationRun:  # noqa: ANN401 - fields of OperationRun
    """Return the step after this one; a run that is gone on with has no end any more unless the changes say so."""
    sequence = run.sequence + 1
    changed: dict[str, Any] = {"status": "running", "ended_at": None, "reason": None, **changes}
    return replace(
        run, event_id=_step_id(run.run_id, sequence), occurred_at=datetime.now(UTC), sequence=sequence, **changed
    )


def _step_id(run_id: str, sequence: int) -> str:
    return derived_id("operation run", run_id, str(sequence))


class Appender(Protocol):
    """What steps are appended by: an EventProducer, or whatever writes them along with what they tell of."""

    async def append_all(self, outputs: Iterable[Output]) -> None: ...


class ToldRun:
    """A run under way; `run` is its newest step."""

    def __init__(self, run: OperationRun, appender: Appender, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.run = run
        self._appender = appender
        self._monotonic = monotonic
        self._told_at = monotonic()
        self._one_by_one = asyncio.Lock()

    async def begin(self) -> None:
        """Tell the first step.

        Raises:
            Unavailable: Kafka does not take it; nothing was begun.
        """
        async with self._one_by_one:
            await self._appender.append_all([Output(TOPIC.name, self.run)])
            self._told_at = self._monotonic()

    async def tell(self, **changes: Any) -> None:  # noqa: ANN401 - fields of OperationRun
        """Tell a step at once: how far it is, or what was found.

        Raises:
            Unavailable: Kafka does not take it.
        """
        async with self.step(**changes) as run:
            await self._appender.append_all([Output(TOPIC.name, run)])

    async def progress(self, **changes: Any) -> None:  # noqa: ANN401 - fields of OperationRun
        """Note how far the run is, and tell it where the last step is `TELL_EVERY_S` old; raises as `tell` does."""
        if self._is_due():
            await self.tell(**changes)
        else:
            async with self._one_by_one:
                self.run = replace(self.run, **changes)

    @asynccontextmanager
    async def step(self, **changes: Any) -> AsyncIterator[OperationRun]:  # noqa: ANN401 - fields of OperationRun
        """Let the body make the next step durable; where it raises, there is none."""
        async with self._one_by_one:
            run = next_step(self.run, **changes)
            yield run
            self.run, self._told_at = run, self._monotonic()

    async def take_over(self, run: OperationRun) -> None:
        """Go on from a step of the run that was found in the log, where it is newer than what is known here."""
        async with self._one_by_one:
            if run.sequence > self.run.sequence:
                self.run = run

    async def end(self, status: RunStatus, reason: str | None = None) -> None:
        """Tell how it ended; raises as `tell` does."""
        await self.tell(status=status, reason=reason, ended_at=datetime.now(UTC))

    async def beat(self) -> None:
        """Tell that the run is under way, every `TELL_EVERY_S`, until cancelled: see `is_under_way`."""
        while True:
            await asyncio.sleep(TELL_EVERY_S / 2)
            if self._is_due():
                with suppress(Unavailable):  # whoever has something to tell finds out
                    await self.tell()

    def _is_due(self) -> bool:
        return self._monotonic() - self._told_at >= TELL_EVERY_S


@asynccontextmanager
async def telling(cluster: Cluster, run: OperationRun, appender: Appender | None = None) -> AsyncIterator[ToldRun]:
    """Tell of a run from its beginning to its end: done, failed with the error's text, or cancelled by Ctrl-C.

    A process that is killed leaves it `running`: a run of the same id goes on, where its operation can. Steps are
    appended by a producer of its own where no appender is given.

    Raises:
        Unavailable: Kafka does not take the first or the last step.
    """
    async with _appending(cluster, appender) as each:
        told = ToldRun(run, each)
        await told.begin()
        beating = asyncio.create_task(told.beat())
        try:
            yield told
        except asyncio.CancelledError:
            await _stopped(beating)
            await asyncio.shield(asyncio.ensure_future(told.end("cancelled", "interrupted")))
            raise
        except Exception as error:
            await _stopped(beating)
            await told.end("failed", (str(error) or type(error).__name__).splitlines()[0][:2_000])
            raise
        finally:
            await _stopped(beating)
        await told.end("done")


@asynccontextmanager
async def _appending(cluster: Cluster, appender: Appender | None) -> AsyncIterator[Appender]:
    if appender is not None:
        yield appender
        return
    producer = EventProducer(cluster, cluster.open_registry())
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def _stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def is_under_way(cluster: Cluster, run: OperationRun) -> bool:
    """Tell whether a process tells of a run that has no end: waits up to `DEAD_AFTER_S` for its next step.

    No clock is trusted: a run of a process that was killed tells nothing more.

    Raises:
        Unavailable: the broker or the registry is away.
    """
    until = time.monotonic() + DEAD_AFTER_S
    while run.status == "running" and time.monotonic() < until:
        await asyncio.sleep(TELL_EVERY_S / 2)
        if (await read_runs(cluster))[run.run_id].sequence > run.sequence:
            return True
    return False


async def read_runs(cluster: Cluster) -> dict[str, OperationRun]:
    """Return the newest step of each run by run_id, in the order in which they began.

    Raises:
        Unavailable: the broker or the registry is away.
    """
    codec, found = RowCodec(cluster.open_registry()), dict[str, OperationRun]()
    async for _, records in read_range(cluster, TOPIC.name):
        for record in records:
            if record.value is not None:
                run = codec.decode(TOPIC, record.value)
                assert isinstance(run, OperationRun)
                before = found.get(run.run_id)
                if before is None or run.sequence >= before.sequence:
                    found[run.run_id] = run
    return dict(sorted(found.items(), key=lambda item: item[1].started_at))
