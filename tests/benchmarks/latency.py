"""Latency at low load: from just before an event is appended to its being readable, counted, in kpi.updates."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import numpy as np

from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.records import EngagementEvent, KpiUpdate
from schemas.registries.registry import open_registry
from streams.errors import ThreadsError
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import follow
from streams.kafka.producer import EventProducer
from tests.benchmarks.job import TOPIC, persona_name
from tests.benchmarks.running.told_updates import LIFETIME, UPDATES

PERSONAS = 150
ANSWER_TIMEOUT_S = 60.0
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Load:
    """A low load: events a second for some seconds, after a warm-up whose events are not measured."""

    events_per_second: float
    seconds: float
    warm_up_s: float


@dataclass(frozen=True, slots=True)
class Latency:
    """Latencies in milliseconds of `events` events."""

    events: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float

    @classmethod
    def of(cls, seconds: list[float]) -> Latency:
        """Sum up latencies in seconds; at least one."""
        p50, p95, p99, most = np.percentile(np.array(seconds) * 1000.0, [50, 95, 99, 100]).round(1).tolist()
        return cls(len(seconds), p50, p95, p99, most)


class Waiting:
    """Events that are not counted yet. Each is one view of a persona: the n-th is told once there are n views."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.left = 0
        self._sent: dict[str, deque[tuple[float, bool]]] = defaultdict(deque)
        self._told: dict[str, int] = defaultdict(int)

    def sent(self, persona_id: str, at: float, *, is_measured: bool) -> None:
        """Note an event that is appended at a time of the monotonic clock."""
        self._sent[persona_id].append((at, is_measured))
        self.left += 1

    def told(self, persona_id: str, views: int, at: float) -> None:
        """Note an update that was read at a time."""
        while self._told[persona_id] < views:
            self._told[persona_id] += 1
            sent, is_measured = self._sent[persona_id].popleft()
            self.left -= 1
            if is_measured:
                self.seconds.append(at - sent)


async def measure(cluster: Cluster, load: Load, check: Callable[[], None]) -> Latency:
    """Append a load while a worker runs, and return its latencies; `check` raises where the worker has ended.

    Raises:
        ThreadsError: an event was not told within ANSWER_TIMEOUT_S.
    """
    waiting = Waiting()
    following = asyncio.create_task(_follow(cluster, waiting))
    try:
        await _append(cluster, load, waiting)
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while waiting.left:
            check()
            if following.done():
                await following
            if time.monotonic() > deadline:
                raise ThreadsError(f"{waiting.left} events were not told in {UPDATES} within {ANSWER_TIMEOUT_S:.0f} s")
            await asyncio.sleep(POLL_S)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    return Latency.of(waiting.seconds)


async def _append(cluster: Cluster, load: Load, waiting: Waiting) -> None:
    """Append at fixed times, whether or not earlier events are acknowledged: a slow answer slows no later event."""
    producer = EventProducer(cluster, open_registry(None))
    await producer.start()
    try:
        began, queued = time.monotonic(), []
        for number in range(round(load.events_per_second * (load.warm_up_s + load.seconds))):
            due = number / load.events_per_second
            await asyncio.sleep(max(began + due - time.monotonic(), 0))
            event = _view(persona_name(number % PERSONAS))
            waiting.sent(event.persona_id, time.monotonic(), is_measured=due >= load.warm_up_s)
            queued.append(await producer.send(TOPIC, event))
        await producer.acknowledged(queued)
    finally:
        await producer.stop()


def _view(persona_id: str) -> EngagementEvent:
    return EngagementEvent(
        event_id=str(uuid4()),
        occurred_at=datetime.now(UTC),
        persona_id=persona_id,
        post_id=f"{persona_id}-post",
        kind="view",
        count=1,
        simulated=True,
    )


async def _follow(cluster: Cluster, waiting: Waiting) -> None:
    codec, topic = RowCodec(open_registry(None)), topic_named(UPDATES)
    async with aclosing(follow(cluster, UPDATES, "beginning")) as blocks:
        async for _, records in blocks:
            for record in records:
                update = codec.decode(topic, record.value)
                assert isinstance(update, KpiUpdate)
                if update.window == LIFETIME:
                    waiting.told(update.persona_id, update.views, time.monotonic())
