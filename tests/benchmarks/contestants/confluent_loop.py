"""A plain loop of confluent-kafka and fastavro: what a user would write by hand.

Kept across a crash: the offsets that the client commits every 5 s. Not kept: the counters and the recent ids, so a
restart begins with empty counters behind the last commit, or counts from the beginning again.
"""

from __future__ import annotations

from confluent_kafka import Consumer, KafkaException

from tests.benchmarks.contestants.hand_written import HandWrittenCounts
from tests.benchmarks.contestants.report import Stopwatch, read_assignment, write_report

BATCH_RECORDS = 5_000
POLL_S = 1.0


def main() -> None:
    """Count the topic."""
    task = read_assignment()
    consumer = Consumer(
        {
            "bootstrap.servers": task.bootstrap,
            "group.id": task.run_id,
            "auto.offset.reset": "earliest",
            "fetch.message.max.bytes": 4_000_000,
            "queued.max.messages.kbytes": 65_536,
        }
    )
    consumer.subscribe([task.topic])
    counts, watch, consumed = HandWrittenCounts(), Stopwatch(task.broker_pid), 0
    while consumed < task.events:
        messages = consumer.consume(BATCH_RECORDS, POLL_S)
        if messages:
            watch.start()
        for message in messages:
            if message.error():
                raise KafkaException(message.error())
            counts.fold(message.partition(), message.value())
        consumed += len(messages)
    watch.stop()
    consumer.close()
    write_report(task, watch, counts.counters, ("confluent-kafka", "fastavro"))


if __name__ == "__main__":
    main()
