"""Quix Streams: its keyed state (RocksDB) and its changelog topic, one update of each counter per event.

The API has no fold over a batch, so each event gets and sets its two counters; writes wait in memory for the
checkpoint, every 5 s by default, which flushes the changelog and then commits. At least once, its default.

Kept across a crash: the counters and the offsets, up to the last checkpoint; events behind it can count twice, because
the changelog may have them already. Not kept: the recent ids, a set in memory, which is faster than its state.
"""

from __future__ import annotations

from typing import Any

from quixstreams import Application, State, message_context

from tests.benchmarks.contestants.hand_written import RecentIds, decode
from tests.benchmarks.contestants.report import Counters, Stopwatch, read_assignment, write_report
from tests.benchmarks.job import hour_of


def main() -> None:
    """Count the topic."""
    task, counters = read_assignment(), Counters()
    watch = Stopwatch(task.broker_pid)
    recent: dict[int, RecentIds] = {}
    application = Application(
        broker_address=task.bootstrap,
        consumer_group=task.run_id,
        auto_offset_reset="earliest",
        state_dir=task.scratch,
        loglevel="ERROR",
        consumer_extra_config={"fetch.message.max.bytes": 4_000_000},
    )
    topic = application.topic(task.topic, value_deserializer="bytes")

    consumed = 0

    def update(event: dict[str, Any], state: State) -> None:
        nonlocal consumed
        watch.start()
        consumed += 1
        if consumed == task.events:
            application.stop()  # after this event: it commits its checkpoint, and that is inside the time taken
        if not recent.setdefault(message_context().partition, RecentIds()).is_new(event["event_id"]):
            return
        kind, number = event["kind"], event["count"]
        hour = hour_of(event["occurred_at"])
        pane, post = f"{kind}|{hour}", f"{event['post_id']}|{kind}"
        in_pane, of_post = state.get(pane, 0) + number, state.get(post, 0) + number
        state.set(pane, in_pane)
        state.set(post, of_post)
        counters.panes[event["persona_id"], kind, hour] = in_pane
        counters.posts[event["post_id"], kind] = of_post

    application.dataframe(topic).apply(decode).update(update, stateful=True)
    application.run()
    watch.stop()
    write_report(task, watch, counters, ("quixstreams", "confluent-kafka", "fastavro"))


if __name__ == "__main__":
    main()
