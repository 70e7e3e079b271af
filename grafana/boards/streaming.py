"""The dashboard "Streaming": how far consumers are behind, checkpoints, batches, rebalances, dead letters and state."""

from __future__ import annotations

from collections.abc import Iterator

from grafana import variables
from grafana.board import Board, Panel
from grafana.panels import Look, described, lines, number, rows
from grafana.promql import greatest, growth_of_same, mean, per_minute, per_second, quantile, total, total_of_same
from grafana.sources import promql, sql
from grafana.targets import LAG_RECORDS
from sinks.surroundings.metrics import CONSUMER_LAG, CONSUMER_LAG_SECONDS, TOPIC_OFFSET
from streams.metrics import (
    DEAD_LETTERS,
    DROPPED_RECORDS,
    WORKER_BATCH,
    WORKER_BREAKER_STATE,
    WORKER_CHECKPOINT,
    WORKER_CHECKPOINT_AGE,
    WORKER_PARTITIONS,
    WORKER_REBALANCES,
    WORKER_RECORDS,
    WORKER_ROLE_FAILING,
    WORKER_STATE,
    WORKER_STATE_CHANGES,
    WORKER_STOPPED,
)

GROUP, GROUP_AND_TOPIC = ("consumergroup",), ("consumergroup", "topic")
PERCENTILES = (50, 95, 99)
DURATION, SIZE = (WORKER_CHECKPOINT, ("stage",)), (WORKER_BATCH, ("stage",))
NOT_CLOSED = {"A": "open", "B": "half-open"}
INTERPOLATED = "Percentiles, interpolated within the histogram's buckets."


def _lag() -> Iterator[Panel]:
    depth = described(CONSUMER_LAG, "Here of all topics together: the depth of the role's queue.", target=LAG_RECORDS)
    yield number(
        Look("Queue depth: consumer lag", depth, "locale", 24, "lag", 0, LAG_RECORDS),
        promql(total_of_same(CONSUMER_LAG, GROUP), "{{consumergroup}}"),
    )
    lag = described(CONSUMER_LAG, "Here of all partitions together.", target=LAG_RECORDS)
    yield lines(
        Look("Lag in records", lag, "locale", 12, "lag", None, LAG_RECORDS),
        [promql(total_of_same(CONSUMER_LAG, GROUP_AND_TOPIC), "{{consumergroup}} {{topic}}")],
    )
    age = described(CONSUMER_LAG_SECONDS, "Here the greatest of the partitions.")
    yield lines(
        Look("Lag in seconds", age, "s", 12, "lag"),
        [promql(greatest(CONSUMER_LAG_SECONDS, GROUP_AND_TOPIC), "{{consumergroup}} {{topic}}")],
    )
    appended = described(TOPIC_OFFSET, "Here how fast it grows: records appended a second.")
    yield lines(
        Look("Appended", appended, "cps", 12, "topics"),
        [promql(growth_of_same(TOPIC_OFFSET, ("topic",)), "{{topic}}")],
    )
    yield lines(
        Look("Processed", described(WORKER_RECORDS, "Here a second."), "cps", 12, "lag"),
        [promql(per_second(WORKER_RECORDS, ("stage", "topic")), "{{stage}} {{topic}}")],
    )


def _checkpoints() -> Iterator[Panel]:
    yield lines(
        Look("Checkpoint duration", described(WORKER_CHECKPOINT, INTERPOLATED), "s", 12, "lag"),
        [promql(quantile(each / 100, *DURATION), f"{{{{stage}}}} p{each}", f"P{each}") for each in PERCENTILES],
    )
    yield lines(
        Look(
            "Batch size", described(WORKER_BATCH, "Mean, and the 95th percentile, interpolated."), "locale", 12, "lag"
        ),
        [promql(mean(*SIZE), "{{stage}} mean", "A"), promql(quantile(0.95, *SIZE), "{{stage}} p95", "B")],
    )
    age = described(WORKER_CHECKPOINT_AGE, "The longest of any worker.")
    yield lines(
        Look("Time since progress", age, "s", 12, "lag"),
        [promql(greatest(WORKER_CHECKPOINT_AGE, ("stage",)), "{{stage}}")],
    )
    yield lines(
        Look("Rebalances", described(WORKER_REBALANCES, "Here a minute, over all workers."), "cpm", 6, "lag"),
        [promql(per_minute(WORKER_REBALANCES, ("stage",)), "{{stage}}")],
    )
    yield lines(
        Look("Partitions", described(WORKER_PARTITIONS, "Here of all workers together."), "locale", 6, "lag"),
        [promql(total(WORKER_PARTITIONS, ("stage",)), "{{stage}}")],
    )


def _dead_letters() -> Iterator[Panel]:
    letters = described(DEAD_LETTERS, "Here a minute.")
    yield lines(
        Look("Dead letters", letters, "cpm", 12, "dead-letters"),
        [promql(per_minute(DEAD_LETTERS, ("consumer", "topic", "reason")), "{{consumer}} {{topic}} {{reason}}")],
    )
    yield lines(
        Look("Dropped records", described(DROPPED_RECORDS, "Here a minute."), "cpm", 12, "dead-letters"),
        [promql(per_minute(DROPPED_RECORDS, ("consumer", "topic")), "{{consumer}} {{topic}}")],
    )
    labels = ("stage", "topic", "partition", "reason")
    yield lines(
        Look("Stopped partitions", described(WORKER_STOPPED), "locale", 12, "dead-letters"),
        [promql(greatest(WORKER_STOPPED, labels), "{{stage}} {{topic}}/{{partition}}: {{reason}}")],
    )
    reasons = (
        "Dead letters of the time range by consumer, source topic and class of their error, from table dead_letters, "
        "with the latest reason in full."
    )
    yield rows(
        Look("Dead letters by error", reasons, "none", 12, "dead-letters"),
        sql("dead_letters_by_error"),
        {"last": "dateTimeAsIso"},
        {"topic": "dead-letters?topic=${__data.fields.topic}"},
    )
    latest = "The 50 latest dead letters of the time range, from table dead_letters; bytes: of key and value."
    yield rows(
        Look("Latest dead letters", latest, "none", 24, "dead-letters"),
        sql("dead_letters"),
        {"set aside": "dateTimeAsIso", "bytes": "bytes"},
        {
            "offset": "topics/${__data.fields.topic}"
            "?partition=${__data.fields.partition}&offset=${__data.fields.offset}",
        },
    )


def _state() -> Iterator[Panel]:
    yield lines(
        Look("State", described(WORKER_STATE, "Here of all workers together."), "bytes", 12, "topics"),
        [promql(total(WORKER_STATE, ("stage", "topic")), "{{stage}} {{topic}}")],
    )
    yield lines(
        Look("State changes", described(WORKER_STATE_CHANGES, "Here a second."), "cps", 12, "topics"),
        [promql(per_second(WORKER_STATE_CHANGES, ("stage",)), "{{stage}}")],
    )
    breakers = described(WORKER_BREAKER_STATE, "Here the number of workers in which it is not closed.")
    states = NOT_CLOSED.items()
    yield lines(
        Look("Breakers of stages", breakers, "locale", 12, "lag"),
        [
            promql(total(WORKER_BREAKER_STATE, ("stage",), state=each), f"{{{{stage}}}} {each}", ref)
            for ref, each in states
        ],
    )
    yield lines(
        Look("Roles given up", described(WORKER_ROLE_FAILING, "Here the number of workers."), "locale", 12, "lag"),
        [promql(total(WORKER_ROLE_FAILING, ("role",)), "{{role}}")],
    )


BOARD = Board(
    uid="streaming",
    title="Streaming",
    description="How far consumers are behind, in records and seconds; their checkpoints, dead letters and state.",
    variables=(variables.role(),),
    rows={
        "Lag": _lag,
        "Checkpoints and batches": _checkpoints,
        "Dead letters": _dead_letters,
        "State": _state,
    },
    since="now-3h",
)
