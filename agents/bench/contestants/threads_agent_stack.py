"""The platform with every guarantee on: the kpis role as a worker runs it, until all is durable and merged.

The time goes from the first partition taken over to the moment when the broker has the committed offsets of all events
and of all partials: state in its changelogs and local stores, duplicates dropped, KPI updates told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError
from aiokafka.structs import TopicPartition as KafkaPartition

from agents.bench.contestants.report import Assignment, Counters, Stopwatch, read_assignment, write_report
from agents.bench.workload import KINDS, Answer
from agents.kpis.counter_table import CounterTable
from agents.kpis.counters import ENGAGEMENT_COUNTER, NUMBER, POST_COUNTERS
from agents.kpis.fold import FoldStage
from agents.kpis.keys import PaneKey, PostKey
from agents.kpis.merge import MergeStage
from agents.kpis.partials import TOPIC as PARTIALS
from agents.kpis.persona_counters import PersonaCounters
from streams.engine.batch import TopicPartition
from streams.engine.stage import Stage
from streams.engine.worker import Worker
from streams.kafka.reader import log_bounds
from streams.kafka.topics import create_topics
from streams.role import Role
from streams.settings import Settings

POLL_S = 0.05
TOLD = (PARTIALS, "kpi.updates")
KIND_OF = {counter: kind for kind, counter in ENGAGEMENT_COUNTER.items()}


class TimedFold(FoldStage):
    """The fold stage, with a watch that starts when it takes over its first partition."""

    def __init__(self, watch: Stopwatch, partial_partitions: int) -> None:
        super().__init__(partial_partitions)
        self._watch = watch

    async def restore(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> None:
        self._watch.start()
        await super().restore(source, state)


async def count_topic(task: Assignment, watch: Stopwatch) -> list[PersonaCounters]:
    """Run a worker on the topic until everything is counted and committed; return its merged counters."""
    settings = Settings(home=task.scratch, kafka=task.bootstrap, partitions=task.partitions, log_level="warning")
    merge = MergeStage()
    admin = AIOKafkaAdminClient(bootstrap_servers=task.bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([name for name in TOLD if name in await admin.list_topics()])
        await _created(settings, task.bootstrap)
        worker = Worker([Role(task.run_id, partial(_stages, watch, merge))], settings, None)
        running = asyncio.create_task(worker.run())
        while not await _all_committed(task, settings, admin):
            if running.done():
                raise RuntimeError(f"the worker ended early, status {running.result()}")
            await asyncio.sleep(POLL_S)
        watch.stop()
        counters = merge.counters()
        worker.end()
        await running
    finally:
        await admin.close()
    return counters


def _stages(watch: Stopwatch, merge: MergeStage, settings: Settings) -> Sequence[Stage]:
    return [TimedFold(watch, settings.partitions), merge]


async def _created(settings: Settings, bootstrap: str) -> None:
    """Create the topics; one that was just deleted can be made again only a moment later."""
    while any(  # noqa: ASYNC110 - the broker tells nobody
        change.state == "missing" for change in await create_topics(settings, bootstrap)
    ):
        await asyncio.sleep(POLL_S)


async def _all_committed(task: Assignment, settings: Settings, admin: AIOKafkaAdminClient) -> bool:
    try:
        committed = await admin.list_consumer_group_offsets(task.run_id)
    except GroupCoordinatorNotAvailableError:  # the broker's first group: its offsets topic is being made
        return False
    events = sum(meta.offset for source, meta in committed.items() if source.topic == task.topic)
    if events < task.events:
        return False
    for partition in range(task.partitions):
        _, end = await log_bounds(settings, task.bootstrap, TopicPartition(PARTIALS, partition))
        merged = committed.get(KafkaPartition(PARTIALS, partition))
        if end and (merged is None or merged.offset < end):
            return False
    return True


def answer(merged: Sequence[PersonaCounters]) -> Answer:
    """Return hour panes by persona and kind, and counters by post and kind."""
    total = Counters()
    for counters in merged:
        total.panes.update(_panes(counters))
        total.posts.update(_posts(counters))
    return total.answer()


def _panes(counters: PersonaCounters) -> Iterator[tuple[tuple[str, str, int], int]]:
    for text, counts in _rows(counters.panes):
        key = PaneKey.parse(text)
        if key.granularity == "hour":
            of_kind = ((kind, counts[NUMBER[ENGAGEMENT_COUNTER[kind]]]) for kind in KINDS)
            yield from (((key.persona_id, kind, key.pane), count) for kind, count in of_kind if count)


def _posts(counters: PersonaCounters) -> Iterator[tuple[tuple[str, str], int]]:
    for text, counts in _rows(counters.posts):
        post_id = PostKey.parse(text).post_id
        of_counter = zip(POST_COUNTERS, counts, strict=True)
        yield from (((post_id, KIND_OF[name]), count) for name, count in of_counter if count)


def _rows(table: CounterTable) -> Iterator[tuple[str, list[int]]]:
    keys = list(table.keys())
    rows, _ = table.rows(keys)
    return zip(keys, table.counters(rows).tolist(), strict=True)


def main() -> None:
    """Count the topic."""
    task, watch = read_assignment(), Stopwatch()
    merged = asyncio.run(count_topic(task, watch))
    write_report(task, watch, answer(merged), ("threads-agent-stack", "faust-streaming", "polars"))


if __name__ == "__main__":
    main()
