"""Stock Faust: an agent that writes its tables event by event, with their changelogs and the memory store.

The memory store is its fastest; the changelog is what keeps a table. `take()` would make batches, but tables can't be
written under it. The time ends when the producer has flushed, before the last offsets are committed.

Kept across a crash: the counters, from the changelog, and the offsets committed every 2.8 s; they don't move together,
so events in between count twice. Not kept: the recent ids, a set in memory, which is faster than a table.
"""

from __future__ import annotations

import asyncio
from typing import Any

import faust

from tests.benchmarks.contestants.hand_written import RecentIds, decode
from tests.benchmarks.contestants.report import Assignment, Counters, Stopwatch, read_assignment, write_report
from tests.benchmarks.job import hour_of

RUN_TIMEOUT_S = 3_600.0
PRODUCER_LINGER_S = 0.02  # changelog records share requests: a third less CPU time than Faust's default of none


class FaustCounts:
    """A Faust app with a table of panes and a table of posts, both keyed by text; it ends after `task.events`."""

    def __init__(self, task: Assignment, partitions: int) -> None:
        self.watch = Stopwatch(task.broker_pid)
        self.app = faust.App(
            task.run_id,
            broker=f"kafka://{task.bootstrap}",
            store="memory://",
            producer_linger=PRODUCER_LINGER_S,
            datadir=str(task.scratch),
            topic_partitions=partitions,
            topic_replication_factor=1,
            web_enabled=False,
            autodiscover=False,
        )
        self.panes = self.app.Table("panes", default=int, partitions=partitions)
        self.posts = self.app.Table("posts", default=int, partitions=partitions)
        self._wanted, self._consumed = task.events, 0
        self._recent: dict[int, RecentIds] = {}
        self._done = asyncio.Event()
        topic = self.app.topic(
            task.topic, value_serializer="raw", key_serializer="raw", value_type=bytes, key_type=bytes
        )
        self.app.agent(topic, name="count")(self._count)

    async def run(self) -> None:
        """Count until all events are in the tables and what the producer holds is sent, then stop."""
        await self.app.start()
        async with asyncio.timeout(RUN_TIMEOUT_S):
            await self._done.wait()
            await self.app.producer.flush()
        self.watch.stop()
        await self.app.stop()

    async def _count(self, stream: Any) -> None:
        async for faust_event in stream.events():
            self.watch.start()
            self._consumed += 1
            event = decode(faust_event.value)
            recent = self._recent.setdefault(faust_event.message.partition, RecentIds())
            if recent.is_new(event["event_id"]):
                kind, number = event["kind"], event["count"]
                self.panes[f"{event['persona_id']}|{kind}|{hour_of(event['occurred_at'])}"] += number
                self.posts[f"{event['post_id']}|{kind}"] += number
            if self._consumed == self._wanted:
                self._done.set()

    def counters(self) -> Counters:
        """Return what the tables hold."""
        found = Counters()
        for key, total in self.panes.items():
            persona_id, kind, hour = key.split("|")
            found.panes[persona_id, kind, int(hour)] = total
        for key, total in self.posts.items():
            post_id, kind = key.split("|")
            found.posts[post_id, kind] = total
        return found


async def count_topic(task: Assignment) -> FaustCounts:
    """Run the app on the running event loop."""
    counts = FaustCounts(task, task.partitions)
    await counts.run()
    return counts


def main() -> None:
    """Count the topic."""
    task = read_assignment()
    counts = asyncio.run(count_topic(task))
    write_report(task, counts.watch, counts.counters(), ("faust-streaming", "aiokafka", "fastavro"))


if __name__ == "__main__":
    main()
