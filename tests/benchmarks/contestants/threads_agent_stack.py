"""The platform with every guarantee on: the kpis role as a worker runs it, until all is durable and merged.

The time goes from the first partition taken over, before its first fetch, to the moment when the broker has the
committed offsets of all events and of all partials: state in its changelogs and local stores, duplicates dropped, KPI
updates told; where more than 100 personas change at once the last come up to 5 s later (agents/kpis/merge.py).

Kept across a crash: everything. Counters carry the offsets applied, so what is read again does not count again, and
recent ids are read from the log again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from aiokafka.admin import AIOKafkaAdminClient

from agents.kpis.counters import NUMBER
from agents.kpis.fold import FoldPart, FoldStage
from agents.kpis.merge import MergePart, MergeStage
from agents.kpis.partials import TOPIC as PARTIALS
from agents.kpis.persona_counters import PersonaCounters
from schemas.engagement import POST_COUNTER_OF, POST_COUNTERS
from streams.engine.batch import ColumnBatch, TopicPartition
from streams.engine.stage import AnyStage, Effects, Rejection
from streams.engine.worker import Worker
from streams.kafka.cluster import Cluster
from streams.kafka.topics import create_topics
from streams.role import Role
from streams.settings import Settings
from tests.benchmarks.contestants.report import Assignment, Counters, Stopwatch, read_assignment, write_report
from tests.benchmarks.running.group_progress import GroupProgress

POLL_S = 0.05
NEAR_THE_END = 0.9  # of the events; before that the broker is not asked how far the group is
TOLD = (PARTIALS, "kpi.updates")
KIND_OF = {counter: kind for kind, counter in POST_COUNTER_OF.items()}


class TimedFold(FoldStage):
    """The fold stage, with a watch that starts when it takes over its first partition, and a count of its events."""

    def __init__(self, watch: Stopwatch, partial_partitions: int) -> None:
        super().__init__(partial_partitions)
        self.events = 0
        self._watch = watch

    async def take(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> FoldPart:
        self._watch.start()
        return _CountedPart(self, await super().take(source, state))


class _CountedPart(FoldPart):
    """A part of the fold whose events are counted on the way."""

    def __init__(self, stage: TimedFold, part: FoldPart) -> None:
        self._stage = stage
        self._part = part

    async def add(self, batch: ColumnBatch) -> Sequence[Rejection]:
        self._stage.events += len(batch.frame)
        return await self._part.add(batch)

    def flush(self) -> Effects:
        return self._part.flush()


class WatchedMerge(MergeStage):
    """The merge stage, which shows the counters of the partitions it has."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[MergePart] = []

    async def take(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> MergePart:
        self._parts.append(await super().take(source, state))
        return self._parts[-1]

    def counters(self) -> list[PersonaCounters]:
        return [part.counters for part in self._parts]


async def count_topic(task: Assignment, watch: Stopwatch) -> list[PersonaCounters]:
    """Run a worker on the topic until everything is counted and committed; return its merged counters."""
    settings = Settings(home=task.scratch, kafka=task.bootstrap, partitions=task.partitions, log_level="warning")
    cluster = Cluster.of(settings)
    fold, merge = TimedFold(watch, settings.partitions), WatchedMerge()
    await _empty_topics(cluster)
    worker = Worker([Role(task.run_id, partial(_stages, fold, merge))], settings, None)
    running = asyncio.create_task(worker.run())
    async with GroupProgress(cluster, task.run_id) as group:
        while fold.events < NEAR_THE_END * task.events or not await group.is_done(_sources(task)):
            if running.done():
                raise RuntimeError(f"the worker ended early, status {running.result()}")
            await asyncio.sleep(POLL_S)
        watch.stop()
    counters = merge.counters()
    worker.end()
    await running
    return counters


def _stages(fold: TimedFold, merge: WatchedMerge, settings: Settings) -> Sequence[AnyStage]:
    del settings
    return [fold, merge]


def _sources(task: Assignment) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for topic in (task.topic, PARTIALS) for number in range(task.partitions)]


async def _empty_topics(cluster: Cluster) -> None:
    """Create the topics that the role writes, without what an earlier run wrote.

    A topic that was just deleted can be made again only a moment later.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([name for name in TOLD if name in await admin.list_topics()])
        while any(change.state == "missing" for change in await create_topics(cluster)):
            await asyncio.sleep(POLL_S)
    finally:
        await admin.close()


def merged_counters(merged: Sequence[PersonaCounters]) -> Counters:
    """Return hour panes by persona and kind, and counters by post and kind."""
    total = Counters()
    for counters in merged:
        total.panes.update(_panes(counters))
        total.posts.update(_posts(counters))
    return total


def _panes(counters: PersonaCounters) -> Iterator[tuple[tuple[str, str, int], int]]:
    for persona_id, pane, row in counters.hours.items():
        counts = row.tolist()
        of_kind = ((kind, counts[NUMBER[counter]]) for kind, counter in POST_COUNTER_OF.items())
        yield from (((persona_id, kind, pane), count) for kind, count in of_kind if count)


def _posts(counters: PersonaCounters) -> Iterator[tuple[tuple[str, str], int]]:
    for _, post_id, row in counters.posts.items():
        of_counter = zip(POST_COUNTERS, row.tolist(), strict=True)
        yield from (((post_id, KIND_OF[name]), count) for name, count in of_counter if count)


def main() -> None:
    """Count the topic."""
    task = read_assignment()
    watch = Stopwatch(task.broker_pid)
    merged = asyncio.run(count_topic(task, watch))
    write_report(task, watch, merged_counters(merged), ("threads-agent-stack", "faust-streaming", "polars"))


if __name__ == "__main__":
    main()
