"""A contestant that is a script: what it is told on its command line, and the report that it writes."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.benchmarks.generation.standing import Run, span


@dataclass(frozen=True, slots=True)
class Task:
    """What a script is told. `base_url` is the model's; `server` that of another server which the contestant needs."""

    base_url: str
    requests: int
    concurrency: int
    processes: int
    server: str
    server_pid: int
    out: Path

    def options(self) -> dict[str, object]:
        """Return it as options for `read_task`."""
        return {name.replace("_", "-"): value for name, value in asdict(self).items()}


def read_task() -> Task:
    """Read the command line, the same for every script."""
    parser = argparse.ArgumentParser()
    for name in ("base-url", "server"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("requests", "concurrency", "processes", "server-pid"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    return Task(**vars(parser.parse_args()))


def write_report(
    task: Task,
    finished_at: Sequence[float],
    *,
    cpu_drafts: int,
    cpu_seconds: float,
    server_cpu_seconds: float,
    peak_rss_mb: float,
) -> None:
    """Write what a run took; `finished_at` are the moments, in seconds, at which the drafts were finished."""
    counted, seconds = span(finished_at)
    run = Run(task.requests, counted, seconds, cpu_drafts, cpu_seconds, server_cpu_seconds, peak_rss_mb)
    task.out.write_text(json.dumps(asdict(run)), encoding="utf-8")


def read_report(path: Path) -> Run:
    """Return what `write_report` wrote."""
    return Run(**json.loads(path.read_text(encoding="utf-8")))
