"""The contestant celery-redis: Celery's prefork workers with Redis as broker and result store.

Tasks are queued before the workers start; the time goes from the first task's end to the last one's.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from streams.embedded.process import Launch, spawn, stop
from streams.errors import ThreadsError
from tests.benchmarks.generation.celery_tasks import texts_written, write
from tests.benchmarks.generation.script import Task, read_task, write_report
from tests.benchmarks.running.module_process import PROJECT
from tests.benchmarks.running.process_usage import cpu_seconds, peak_rss_mb

RUN_TIMEOUT_S = 900.0
RESULT_TIMEOUT_S = 30.0
POLL_S = 0.05


@contextmanager
def celery_workers(task: Task) -> Iterator[psutil.Process]:
    """Run the pool's master, whose children do the work; its addresses are those of this process's environment."""
    module = ("-m", "celery", "-A", "tests.benchmarks.generation.celery_tasks", "worker")
    options = ("--pool", "prefork", "--concurrency", str(task.processes), "--loglevel", "warning", "--without-gossip")
    launch = Launch((sys.executable, *module, *options), PROJECT, inherit=True)
    process = spawn(launch, task.out.with_name("celery.log"))
    try:
        yield psutil.Process(process.pid)
    finally:
        stop(process, signal.SIGTERM)


def until_written(count: int, master: psutil.Process) -> int:
    """Wait until so many posts are written, and return how many are."""
    deadline = time.monotonic() + RUN_TIMEOUT_S
    while (found := texts_written()) < count:
        if master.status() == psutil.STATUS_ZOMBIE or time.monotonic() > deadline:
            raise ThreadsError(f"{count} posts were expected to be written, {found} were: see celery.log")
        time.sleep(POLL_S)
    return found


def spent(master: psutil.Process) -> tuple[float, float]:
    """Return CPU seconds and peak MB of the master and its children together."""
    pids = [master.pid, *(child.pid for child in master.children(recursive=True))]
    return sum(map(cpu_seconds, pids)), sum(map(peak_rss_mb, pids))


def run(task: Task) -> None:
    """Write all posts and report."""
    results = [write.delay(number) for number in range(task.requests)]
    with celery_workers(task) as master:
        seen = until_written(1, master)
        (cpu_before, _), server_before = spent(master), cpu_seconds(task.server_pid)
        until_written(task.requests, master)
        cpu, peak = spent(master)
        server_cpu = cpu_seconds(task.server_pid) - server_before
        finished_at = [float(result.get(timeout=RESULT_TIMEOUT_S)["at"]) for result in results]
    write_report(
        task,
        finished_at,
        cpu_drafts=task.requests - seen,
        cpu_seconds=cpu - cpu_before,
        server_cpu_seconds=server_cpu,
        peak_rss_mb=peak,
    )


def main() -> None:
    """Write the posts."""
    run(read_task())


if __name__ == "__main__":
    main()
