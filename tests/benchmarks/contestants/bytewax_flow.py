"""The Bytewax dataflow: all counters of a persona as one keyed state, folded batch by batch.

One worker thread, as more of them share the interpreter's lock; one consumer a partition, as its source has it.

With recovery, kept across a crash: the counters and the offsets as of the last epoch, in SQLite on this machine's disk,
consistent with each other. Not kept: the recent ids, a set in memory, which is faster than its state. Without recovery
nothing is kept.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSource
from bytewax.connectors.stdio import StdOutSink
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from tests.benchmarks.contestants.hand_written import RecentIds, count, decode
from tests.benchmarks.contestants.report import Assignment, Counters, Stopwatch, read_assignment, write_report

BATCH_RECORDS = 5_000
EPOCH = timedelta(seconds=10)  # Bytewax's default: how often it takes a snapshot
RECOVERY_PARTITIONS = 1
FETCH = {"fetch.message.max.bytes": "4000000"}  # as the other librdkafka contestants have it

Event = dict[str, Any]


def run(*, recovery: bool) -> None:
    """Count the topic, with the recovery store on or off."""
    task = read_assignment()
    watch = Stopwatch(task.broker_pid)
    by_persona: dict[str, Counters] = {}
    config = None
    if recovery:
        init_db_dir(task.scratch, RECOVERY_PARTITIONS)
        config = RecoveryConfig(task.scratch)
    cli_main(_flow(task, watch, by_persona), epoch_interval=EPOCH, recovery_config=config)
    watch.stop()
    total = Counters()
    for counters in by_persona.values():
        total.panes.update(counters.panes)
        total.posts.update(counters.posts)
    write_report(task, watch, total, ("bytewax", "confluent-kafka", "fastavro"))


def _flow(task: Assignment, watch: Stopwatch, by_persona: dict[str, Counters]) -> Dataflow:
    recent: dict[int, RecentIds] = {}

    def new_events(messages: list[Any]) -> list[tuple[str, list[Event]]]:
        watch.start()
        found: dict[str, list[Event]] = {}
        for message in messages:
            event = decode(message.value)
            if recent.setdefault(message.partition, RecentIds()).is_new(event["event_id"]):
                found.setdefault(event["persona_id"], []).append(event)
        return list(found.items())

    def fold(state: Counters | None, events: list[Event]) -> tuple[Counters, list[object]]:
        counters = state or Counters()
        by_persona[events[0]["persona_id"]] = counters
        for event in events:
            count(counters, event)
        return counters, []

    flow = Dataflow("bench")
    source = KafkaSource([task.bootstrap], [task.topic], tail=False, batch_size=BATCH_RECORDS, add_config=FETCH)
    events = op.flat_map_batch("decode", op.input("events", flow, source), new_events)
    op.output("end", op.stateful_flat_map("count", events, fold), StdOutSink())
    return flow
