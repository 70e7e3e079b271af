"""The contestant threads-agent-stack: real workers of the role generation on a broker of their own, all guarantees on.

Requests are appended beforehand. The time goes from the moment when the workers have their partitions, before the first
fetch, to the last decision's record: state, changelogs, scoring, de-duplication and commits are part of it, and so are
the filling and the draining of the pipeline, which the other contestants are spared.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.benchmarks.generation.appending import append_requests, make_ready, request_of
from tests.benchmarks.generation.decisions import DecisionLog
from tests.benchmarks.generation.posts import PostBook
from tests.benchmarks.generation.standing import Run
from tests.benchmarks.running.group_progress import GroupProgress
from tests.benchmarks.running.own_broker import Broker, broker
from tests.benchmarks.running.process_usage import cpu_seconds
from tests.benchmarks.running.worker_process import WorkerProcess, workers

ROLE = "generation"
FIRST_DRAFT_TIMEOUT_S = 120.0
SLOWEST_DRAFTS_PER_S = 5.0
MS = 1_000.0


@dataclass(frozen=True, slots=True)
class Load:
    """How much is asked for and how: `concurrency` model calls in flight, `latency_s` of the model."""

    requests: int
    concurrency: int
    latency_s: float
    processes: int

    @property
    def timeout_s(self) -> float:
        """Return how long a contestant may take for it, however slow the machine is."""
        slowest = SLOWEST_DRAFTS_PER_S / (1.0 + 2.0 * SLOWEST_DRAFTS_PER_S * self.latency_s)
        return FIRST_DRAFT_TIMEOUT_S + self.requests / slowest


def worker_settings(base_url: str, load: Load, burst_size: int) -> Mapping[str, str]:
    """Return the settings of the workers that are not the default ones; they are shared out among the processes."""
    return {
        "OPENAI_BASE_URL": base_url,
        "THREADS_LLM_CONCURRENCY": str(max(load.concurrency // load.processes, 1)),
        "THREADS_BURST_SIZE": str(burst_size),
    }


def run_stack(posts: PostBook, load: Load, base_url: str, burst_size: int) -> Run:
    """Decide on all requests once.

    Raises:
        ThreadsError: a worker ended, a request was refused, or it took too long.
    """
    with broker(load.requests) as running:
        asyncio.run(_prepared(running, posts, load.requests))
        with workers(running, load.processes, worker_settings(base_url, load, burst_size), role=ROLE) as started:
            return asyncio.run(_measured(running, load, started))


async def _prepared(running: Broker, posts: PostBook, requests: int) -> None:
    await make_ready(running, posts.personas)
    await append_requests(running, [request_of(posts.post(number)) for number in range(requests)])


async def _measured(running: Broker, load: Load, started: Sequence[WorkerProcess]) -> Run:
    check = check_of(started)
    async with GroupProgress(running.cluster(), ROLE) as group:
        await group.until_members(load.processes, FIRST_DRAFT_TIMEOUT_S, check)
    began, before, broker_before = time.time(), _cpu(started), cpu_seconds(running.pid)
    async with DecisionLog(running) as log:
        await log.until(load.requests, load.timeout_s, check)
        usages = [worker.usage() for worker in started]
        broker_cpu = cpu_seconds(running.pid) - broker_before
        decisions = await log.decisions()
    return Run(
        drafts=load.requests,
        counted=load.requests,
        seconds=decisions[-1].at_ms / MS - began,
        cpu_drafts=load.requests,
        cpu_seconds=sum(usage.cpu_seconds for usage in usages) - before,
        server_cpu_seconds=broker_cpu,
        peak_rss_mb=sum(usage.peak_rss_mb for usage in usages),
        accepted=sum(each.is_accepted for each in decisions),
    )


def check_of(started: Sequence[WorkerProcess]) -> Callable[[], None]:
    """Return what raises where one of the workers has ended."""

    def check() -> None:
        for worker in started:
            worker.check()

    return check


def _cpu(started: Sequence[WorkerProcess]) -> float:
    return sum(worker.usage().cpu_seconds for worker in started)
