"""Loading the job into a topic, by a process of its own."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.job import PARTITIONS
from tests.benchmarks.running.module_process import ModuleRun
from tests.benchmarks.running.own_broker import Broker
from tests.benchmarks.running.workload import WorkloadSize

LEAST_TIMEOUT_S = 300.0
SLOWEST_EVENTS_PER_S = 5_000.0


def load(broker: Broker, python: Path, size: WorkloadSize, topic: str, *, file: bool = False) -> Path:
    """Make and fill a topic; return the folder with the expected answer and, if wanted, the events as a file.

    Raises:
        ThreadsError: it did not work; the message has what the process said last.
    """
    folder = broker.folder / f"workload-{size.events}"
    folder.mkdir(parents=True)
    options = {
        "bootstrap": broker.bootstrap,
        "topic": topic,
        "partitions": PARTITIONS,
        "folder": folder,
        "file": file,
        "events": size.events,
        "personas": size.personas,
        "posts": size.posts,
        "seed": size.seed,
        "end-ms": size.end_ms,
    }
    timeout_s = LEAST_TIMEOUT_S + size.events / SLOWEST_EVENTS_PER_S
    ModuleRun(python, "tests.benchmarks.running.load", options, folder / "load.log", timeout_s).run()
    return folder
