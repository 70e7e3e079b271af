"""Latency at a steady rate: from just before a request's append to the record of its decision."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.benchmarks.generation.appending import append_at_rate, make_ready, request_of
from tests.benchmarks.generation.contest import surroundings
from tests.benchmarks.generation.decisions import Decision, DecisionLog
from tests.benchmarks.generation.posts import PostBook
from tests.benchmarks.generation.stack_run import FIRST_DRAFT_TIMEOUT_S, MS, ROLE, Load, check_of, worker_settings
from tests.benchmarks.latency import Latency
from tests.benchmarks.running.group_progress import GroupProgress
from tests.benchmarks.running.own_broker import Broker, broker
from tests.benchmarks.running.worker_process import workers

WARM_UP_S = 5.0
START_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class SteadyLoad:
    """Requests a second for some seconds, after a warm-up whose requests are not measured."""

    rate: float
    seconds: float
    load: Load

    @property
    def warm_up(self) -> int:
        """Return the requests of the warm-up."""
        return round(self.rate * WARM_UP_S)

    @property
    def requests(self) -> int:
        """Return all requests."""
        return self.warm_up + round(self.rate * self.seconds)


@dataclass(frozen=True, slots=True)
class SteadyLatency:
    """What requests took in all, and beyond the model's time: its latency for each call that their drafts took."""

    in_all: Latency
    beyond_model: Latency

    def rows(self) -> list[tuple[str, Latency]]:
        """Return each with what it is."""
        return [("beyond the model's time", self.beyond_model), ("in all", self.in_all)]

    def as_json(self) -> dict[str, object]:
        """Return what --json shows."""
        return asdict(self)


def at_steady_rate(steady: SteadyLoad, python: Path) -> SteadyLatency:
    """Run workers on a broker of their own at a steady rate, one draft a call.

    Raises:
        ThreadsError: a worker ended, a request was refused, or it took too long.
    """
    load = steady.load
    with surroundings(python, load.latency_s) as around, broker(steady.requests) as running:
        asyncio.run(make_ready(running, around.posts.personas))
        settings = worker_settings(around.base_url, load, burst_size=1)
        with workers(running, load.processes, settings, role=ROLE) as started:
            return asyncio.run(_measured(running, steady, around.posts, check_of(started)))


async def _measured(running: Broker, steady: SteadyLoad, posts: PostBook, check: Callable[[], None]) -> SteadyLatency:
    async with GroupProgress(running.cluster(), ROLE) as group:
        await group.until_members(steady.load.processes, START_TIMEOUT_S, check)
    requests = [request_of(posts.post(number)) for number in range(steady.requests)]
    sent_at = await append_at_rate(running, requests, steady.rate)
    async with DecisionLog(running) as log:
        await log.until(steady.requests, FIRST_DRAFT_TIMEOUT_S, check)
        decisions = await log.decisions()
    measured = {request.event_id: sent_at[request.event_id] for request in requests[steady.warm_up :]}
    return steady_latency(measured, decisions, steady.load.latency_s)


def steady_latency(
    sent_at: Mapping[str, float], decisions: Sequence[Decision], model_latency_s: float
) -> SteadyLatency:
    """Return the latencies of the requests that were sent at these times (seconds of the wall clock), by their ids."""
    took = [
        (each.at_ms / MS - sent_at[each.request_id], each.calls) for each in decisions if each.request_id in sent_at
    ]
    return SteadyLatency(
        Latency.of([seconds for seconds, _ in took]),
        Latency.of([seconds - calls * model_latency_s for seconds, calls in took]),
    )
