"""Engagement load for fault tests: events, the count of them made apart from the stream, and what the KPIs tell."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol, get_args
from uuid import uuid4

from agents.kpis.counters import ENGAGEMENT_COUNTER
from schemas.catalogue import topic_named
from schemas.codec_rows import RowCodec
from schemas.records import EngagementEvent, EngagementKind, KpiUpdate
from schemas.registry import open_registry
from streams.engine.retry import CircuitBreaker
from streams.engine.stage import Output
from streams.kafka.producer import EventProducer
from streams.kafka.reader import read_range
from streams.settings import Settings

Counts = dict[str, Counter[str]]
"""By persona: lifetime count of each counter."""

KINDS = get_args(EngagementKind)
BATCH = 1_000
SETTLE_DEADLINE_S = 60.0


class Broker(Protocol):
    """The broker that takes the load."""

    bootstrap: str
    settings: Settings


@dataclass(frozen=True)
class Load:
    events: list[EngagementEvent]
    truth: Counts


def load(seed: int, count: int) -> Load:
    """Make events over 40 personas, of the last hours and of last year, 1 % of them sent twice; count each once."""
    random_ = random.Random(seed)
    personas = [f"persona-{seed}-{number}" for number in range(40)]
    now = datetime.now(UTC)
    truth: Counts = defaultdict(Counter)
    events: list[EngagementEvent] = []
    for _ in range(count):
        persona = random_.choice(personas)
        kind = random_.choice(KINDS)
        age = timedelta(days=400) if random_.random() < 0.01 else timedelta(minutes=random_.randrange(600))
        event = EngagementEvent(
            event_id=str(uuid4()),
            occurred_at=now - age,
            persona_id=persona,
            post_id=f"{persona}-{random_.randrange(20)}",
            kind=kind,
            count=random_.randrange(1, 9),
        )
        truth[persona][ENGAGEMENT_COUNTER[kind]] += event.count
        truth[persona]["late_events"] += age.days > 300
        events.append(event)
        if random_.random() < 0.01:
            events.append(event)
    return Load(events, truth)


async def produced(stack: Broker, load_: Load, batch_size: int = BATCH) -> AsyncIterator[int]:
    """Append the events in batches and yield how many there are.

    One in ten goes to a partition that its key does not give, its repetition too.
    """
    producer = EventProducer(stack.bootstrap, open_registry(None), stack.settings)
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


def stray(event: EngagementEvent) -> int | None:
    number = int(event.event_id[:8], 16)
    return number // 10 % 4 if number % 10 == 0 else None


async def told(stack: Broker, personas: set[str]) -> Counts:
    """Return the lifetime counts last told of personas."""
    codec, topic = RowCodec(open_registry(None)), topic_named("kpi.updates")
    newest: dict[str, KpiUpdate] = {}
    async for _, records in read_range(stack.settings, stack.bootstrap, topic.name):
        for record in records:
            update = codec.decode(topic, record.value)
            assert isinstance(update, KpiUpdate)
            if update.window == "lifetime" and update.persona_id in personas:
                newest[update.persona_id] = update
    names = [*ENGAGEMENT_COUNTER.values(), "late_events"]
    return {
        persona: Counter({name: n for name in names if (n := getattr(update, name))})
        for persona, update in newest.items()
    }


async def settled(stack: Broker, truth: Counts) -> Counts:
    """Wait until the KPIs told are the truth, or the deadline; return what was told last."""
    expected = {persona: Counter({name: n for name, n in of.items() if n}) for persona, of in truth.items()}
    deadline = time.monotonic() + SETTLE_DEADLINE_S
    while True:
        got = await told(stack, set(truth))
        if got == expected or time.monotonic() > deadline:
            return got
        await asyncio.sleep(0.5)
