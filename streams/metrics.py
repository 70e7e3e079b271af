"""The metrics catalogue: every series that any process exposes, a closed list; dashboards use no other.

Those of the engine stand here; agents and sinks bring theirs as entry points (`threads.metrics`), tuples of metrics.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import Literal, get_args

ENTRY_POINTS = "threads.metrics"
MetricType = Literal["counter", "gauge", "histogram"]
Unit = Literal["seconds", "bytes", "dollars"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: `name` as it is queried (a counter's with its _total; a histogram's without _bucket), in base units.

    `buckets` are the upper bounds of a histogram, without +Inf.
    """

    name: str
    type: MetricType
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()

    @property
    def unit(self) -> Unit | None:
        """Return what its values are measured in, as the name says; None for counts and shares."""
        last = self.name.removesuffix("_total").rpartition("_")[2]
        return next((unit for unit in get_args(Unit) if unit == last), None)


# What every worker tells of itself, as it is now.
WORKER_BREAKER_STATE = Metric(
    "worker_breaker_state",
    "gauge",
    ("stage", "state"),
    "1 for the state of the breaker around what a stage needs: closed, open, half-open; 0 for the others.",
)
WORKER_CHECKPOINT_AGE = Metric(
    "worker_checkpoint_age_seconds",
    "gauge",
    ("stage",),
    "Time since a stage last folded a slice or took a checkpoint, seconds; an idle stage ages too.",
)
WORKER_ROLE_FAILING = Metric(
    "worker_role_failing",
    "gauge",
    ("role",),
    "1 for a role that the worker gave up, because it kept on ending whatever records came; 0 for one that runs.",
)
WORKER_RECORDS = Metric(
    "worker_records_total",
    "counter",
    ("stage", "topic"),
    "Records that a stage has folded, and those it refused.",
)
WORKER_BATCH = Metric(
    "worker_batch_records",
    "histogram",
    ("stage",),
    "Records that a stage folded at once: the length of its slices.",
    buckets=(1.0, 10.0, 100.0, 1_000.0, 5_000.0, 10_000.0, 20_000.0),
)
WORKER_CHECKPOINT = Metric(
    "worker_checkpoint_duration_seconds",
    "histogram",
    ("stage",),
    "Time that a checkpoint took, from its flush to the commit of its offsets, seconds.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
WORKER_REBALANCES = Metric(
    "worker_rebalances_total", "counter", ("stage",), "Times that the group shared out the partitions of a stage."
)
WORKER_PARTITIONS = Metric("worker_partitions", "gauge", ("stage",), "Partitions that a stage has in this worker.")
WORKER_STATE_CHANGES = Metric(
    "worker_state_changes_total",
    "counter",
    ("stage",),
    "Keys of a stage's state that were written to its changelog, deletions too.",
)
WORKER_STATE = Metric(
    "worker_state_bytes",
    "gauge",
    ("stage", "topic"),
    "Size of the local copy of a stage's state by source topic: its files and what waits in memory, bytes.",
)
DEAD_LETTERS = Metric(
    "dead_letters_total",
    "counter",
    ("consumer", "topic", "reason"),
    "Dead letters by consumer, source topic and reason: refused (by schema, rules or the stage), ended (the worker).",
)
DROPPED_RECORDS = Metric(
    "dropped_records_total",
    "counter",
    ("consumer", "topic"),
    "Records that could not be processed and were dropped, as the policy of their topic has it; nothing is kept.",
)
WORKER_STOPPED = Metric(
    "worker_stopped_at_offset",
    "gauge",
    ("stage", "topic", "partition", "reason"),
    "Offset of the record that a partition does not go past, as the policy of its topic has it; gone when it goes on.",
)
WORKER_BUILD = Metric("worker_build_info", "gauge", ("version",), "1; the version of the platform that a worker runs.")
PROCESS_CPU = Metric("process_cpu_seconds_total", "counter", (), "Processor time that a process has used, seconds.")
PROCESS_MEMORY = Metric("process_resident_memory_bytes", "gauge", (), "Memory that a process has in use, bytes.")
PROCESS_START = Metric(
    "process_start_time_seconds", "gauge", (), "When a process started, in seconds since the epoch, UTC."
)

ENGINE_METRICS = (
    WORKER_BREAKER_STATE,
    WORKER_CHECKPOINT_AGE,
    WORKER_ROLE_FAILING,
    WORKER_RECORDS,
    WORKER_BATCH,
    WORKER_CHECKPOINT,
    WORKER_REBALANCES,
    WORKER_PARTITIONS,
    WORKER_STATE_CHANGES,
    WORKER_STATE,
    DEAD_LETTERS,
    DROPPED_RECORDS,
    WORKER_STOPPED,
    WORKER_BUILD,
    PROCESS_CPU,
    PROCESS_MEMORY,
    PROCESS_START,
)


@cache
def catalogue() -> tuple[Metric, ...]:
    """Return all metrics: the engine's, and those of all agents and sinks that are installed.

    Raises:
        ValueError: two of them have one name.
    """
    groups = sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name)
    found: dict[str, Metric] = {}
    for metric in (*ENGINE_METRICS, *(each for group in groups for each in group.load())):
        if found.setdefault(metric.name, metric) is not metric:
            raise ValueError(f"the metric {metric.name} is declared twice: rename one of them")
    return tuple(found.values())
