"""Engagement load for fault tests: events, and the count of them made apart from the stream."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import get_args
from uuid import UUID

from schemas.engagement import COUNTER_OF
from schemas.records import EngagementEvent, EngagementKind
from schemas.registries.registry import open_registry
from streams.engine.retry import CircuitBreaker
from streams.engine.stage import Output
from streams.kafka.producer import EventProducer
from tests.support.faults.told_counts import Broker, Counts, CountsByWindow

KINDS = get_args(EngagementKind)
BATCH = 1_000
PACED_BATCH = 400
PACE_S = 0.1  # between batches of a load that is to last
AHEAD = 0.05
_number = itertools.count()
ROLLING = ("24h", "7d", "30d")  # windows that hold every event that is not late, for hours to come


@dataclass(frozen=True)
class Load:
    """Events in the order they are sent, and by persona the sums of each once: `truth` of all, `rolling` of the new."""

    events: list[EngagementEvent]
    truth: Counts
    rolling: Counts

    def truth_by_window(self) -> CountsByWindow:
        return {"lifetime": self.truth, **dict.fromkeys(ROLLING, self.rolling)}


def load(seed: int, count: int) -> Load:
    """Make events over 40 personas, of the last hours and of last year, 1 % of them sent twice; count each once.

    Loads of one session have personas and ids of their own, also of one seed.
    """
    name = f"{seed}-{next(_number)}"
    random_ = random.Random(name)
    personas = [f"persona-{name}-{number}" for number in range(40)]
    now = datetime.now(UTC)
    truth: Counts = defaultdict(Counter)
    rolling: Counts = defaultdict(Counter)
    events: list[EngagementEvent] = []
    for _ in range(count):
        persona = random_.choice(personas)
        kind = random_.choice(KINDS)
        age = timedelta(days=400) if random_.random() < 0.01 else timedelta(minutes=random_.randrange(600))
        event = EngagementEvent(
            event_id=str(UUID(int=random_.getrandbits(128))),
            occurred_at=now - age,
            persona_id=persona,
            post_id=f"{persona}-{random_.randrange(20)}",
            kind=kind,
            count=random_.randrange(1, 9),
        )
        truth[persona][COUNTER_OF[kind]] += event.count
        if age.days > 300:
            truth[persona]["late_events"] += 1
        else:
            rolling[persona][COUNTER_OF[kind]] += event.count
        events.append(event)
        if random_.random() < 0.01:
            events.append(event)
    return Load(events, truth, rolling)


async def produced(stack: Broker, load_: Load, batch_size: int = BATCH) -> AsyncIterator[int]:
    """Append the events in batches and yield how many there are.

    One in ten goes to a partition that its key does not give, its repetition too.
    """
    producer = EventProducer(stack.cluster, open_registry(None))
    patience = CircuitBreaker("the load's producer")  # what is sent twice then is a repetition for the KPIs
    await producer.start()
    try:
        for start in range(0, len(load_.events), batch_size):
            batch = load_.events[start : start + batch_size]
            outputs = [Output("engagement.events", event, stray(event)) for event in batch]
            await patience.until_available(partial(producer.append_all, outputs))
            yield start + len(batch)
    finally:
        await producer.stop()


async def produced_during(
    stack: Broker, load_: Load, work: Awaitable[object], progress: Callable[[], float] = lambda: 1.0
) -> None:
    """Produce at a pace until the work is done, the rest at once.

    `progress` tells how much of the work is done, from 0 to 1; the load never runs ahead of it by more than AHEAD.
    """
    working = asyncio.ensure_future(work)
    async for sent in produced(stack, load_, PACED_BATCH):
        if not working.done():
            await asyncio.sleep(PACE_S)
        while not working.done() and sent / len(load_.events) > progress() + AHEAD:
            await asyncio.sleep(PACE_S)
    await working


def stray(event: EngagementEvent) -> int | None:
    number = int(event.event_id[:8], 16)
    return number // 10 % 4 if number % 10 == 0 else None
