"""Recovery: a worker with much state is killed, and started again with its local store or without."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from agents.kpis.partials import TOPIC as PARTIALS
from tests.benchmarks.job import PARTITIONS, TOPIC
from tests.benchmarks.running.avro_values import Chunk
from tests.benchmarks.running.changelog_size import ChangelogSize, changelog_size
from tests.benchmarks.running.group_progress import GroupProgress
from tests.benchmarks.running.own_broker import Broker
from tests.benchmarks.running.restart_log import RestartLog
from tests.benchmarks.running.state_load import StateLoad
from tests.benchmarks.running.told_updates import difference_of, newest_updates
from tests.benchmarks.running.topic_writer import TopicWriter
from tests.benchmarks.running.worker_process import ROLE, SOURCES, Usage, WorkerProcess, counting_timeout_s, local_state

CHANGELOG = f"{ROLE}.merge.{PARTIALS}.changelog"


@dataclass(frozen=True, slots=True)
class Recovery:
    """One recovery. `seconds` are from kill -9 until the new events are counted, told and committed, with all others.

    `down_s` of them passed before the worker was started again (the new events were appended meanwhile), `of_restart`
    says where the rest went, as far as the worker's log tells. CPU seconds and memory are those of the new process.
    """

    local_store: str
    seconds: float
    down_s: float
    of_restart: RestartLog
    usage: Usage
    difference: str | None


@dataclass(frozen=True, slots=True)
class Recoveries:
    """The state there was, and the recovery with each state of the local store."""

    state: ChangelogSize
    build_s: float
    recoveries: tuple[Recovery, ...]


class RecoveryBench:
    """Build the state of `load` with one worker, then kill it once for each way to lose more or less."""

    def __init__(self, broker: Broker, worker: WorkerProcess, load: StateLoad, new_events: int) -> None:
        self._broker = broker
        self._worker = worker
        self._load = load
        self._new_events = new_events
        self._timeout_s = counting_timeout_s(load.posts)
        self._appended = 0

    async def run(self, on_step: Callable[[str], None]) -> Recoveries:
        """Measure.

        Raises:
            ThreadsError: the worker ended by itself, or did not catch up in time.
        """
        began = time.monotonic()
        on_step(f"building the state of {self._load.posts:,} posts")
        await self._append(self._load.views())
        async with GroupProgress(self._broker.cluster(), ROLE) as group:
            await group.until_done(SOURCES, self._timeout_s, self._worker.check)
            build_s = round(time.monotonic() - began, 1)
            on_step("reading the changelog")
            state = await changelog_size(self._broker, CHANGELOG)
            recoveries = []
            for name, lose in (("kept", _nothing), ("lost", self._lose_local_store)):
                on_step(f"killed, local store {name}")
                recoveries.append(await self._recovery(group, name, lose))
        return Recoveries(state, build_s, tuple(recoveries))

    async def _recovery(self, group: GroupProgress, name: str, lose: Callable[[], None]) -> Recovery:
        killed_at = time.time()
        self._worker.kill()
        lose()
        await self._append(self._load.likes(self._appended, self._new_events))
        self._appended += 1
        self._worker.start_again()
        await group.until_done(SOURCES, self._timeout_s, self._worker.check)
        seconds, usage = time.time() - killed_at, self._worker.usage()
        told = await newest_updates(self._broker.cluster())
        started_at = self._worker.started_at
        return Recovery(
            local_store=name,
            seconds=round(seconds, 2),
            down_s=round(started_at - killed_at, 2),
            of_restart=RestartLog.of(self._worker.said(), started_at),
            usage=usage,
            difference=difference_of(told, self._load.told(self._appended, self._new_events)),
        )

    def _lose_local_store(self) -> None:
        shutil.rmtree(local_state(self._broker))

    async def _append(self, chunks: Iterator[Chunk]) -> None:
        async with TopicWriter(self._broker.bootstrap, TOPIC, PARTITIONS) as writer:
            for chunk in chunks:
                await writer.write(chunk)


def _nothing() -> None:
    """Leave the local store as the killed worker left it."""
