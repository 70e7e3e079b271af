"""A plain loop of aiokafka and fastavro: what a user would write by hand.

Kept across a crash: the offsets that the client commits every 5 s. Not kept: the counters and the recent ids, so a
restart begins with empty counters behind the last commit, or counts from the beginning again.
"""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer

from tests.benchmarks.contestants.hand_written import HandWrittenCounts
from tests.benchmarks.contestants.report import Assignment, Stopwatch, read_assignment, write_report

BATCH_RECORDS = 5_000
POLL_MS = 1_000


async def count_topic(task: Assignment) -> tuple[HandWrittenCounts, Stopwatch]:
    """Consume the topic from its beginning until all events are counted."""
    consumer = AIOKafkaConsumer(
        task.topic,
        bootstrap_servers=task.bootstrap,
        group_id=task.run_id,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=2 * 2**20,
        max_poll_records=BATCH_RECORDS,
    )
    await consumer.start()
    counts, watch, consumed = HandWrittenCounts(), Stopwatch(task.broker_pid), 0
    try:
        while consumed < task.events:
            by_partition = await consumer.getmany(timeout_ms=POLL_MS)
            if by_partition:
                watch.start()
            for source, messages in by_partition.items():
                for message in messages:
                    counts.fold(source.partition, message.value)
                consumed += len(messages)
        watch.stop()
    finally:
        await consumer.stop()
    return counts, watch


def main() -> None:
    """Count the topic."""
    task = read_assignment()
    counts, watch = asyncio.run(count_topic(task))
    write_report(task, watch, counts.counters, ("aiokafka", "fastavro"))


if __name__ == "__main__":
    main()
