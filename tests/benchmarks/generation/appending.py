"""Appending the job: the personas in force, and a request for each post."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from agents.personas.persona import Persona
from agents.personas.persona_topic import apply_personas
from schemas.records import PersonaRequest
from schemas.registries.registry import open_registry
from streams.engine.stage import Output
from streams.identity import derived_id
from streams.kafka.producer import EventProducer
from streams.kafka.topics import create_topics
from streams.wall_clock import utc_now
from tests.benchmarks.generation.posts import Post
from tests.benchmarks.running.own_broker import Broker

TOPIC = "persona.requests"


def request_of(post: Post) -> PersonaRequest:
    """Return the request for a post."""
    return PersonaRequest(
        event_id=derived_id("bench", str(post.number)),
        occurred_at=utc_now(),
        persona_id=post.persona.persona_id,
        brief=post.brief,
        language=post.language,
    )


async def make_ready(broker: Broker, personas: Sequence[Persona]) -> None:
    """Create the topics and put the personas in force."""
    await create_topics(broker.cluster())
    await apply_personas(broker.settings(), personas, utc_now())


async def append_requests(broker: Broker, requests: Sequence[PersonaRequest]) -> None:
    """Append requests, and wait until they are durable."""
    async with producer_of(broker) as producer:
        await producer.append_all([Output(TOPIC, request) for request in requests])


async def append_at_rate(broker: Broker, requests: Sequence[PersonaRequest], per_second: float) -> dict[str, float]:
    """Append requests at fixed times, whether or not earlier ones are acknowledged; return when each was, by its id.

    The times are seconds of the wall clock.
    """
    sent_at: dict[str, float] = {}
    async with producer_of(broker) as producer:
        began, queued = time.monotonic(), []
        for number, request in enumerate(requests):
            await asyncio.sleep(max(began + number / per_second - time.monotonic(), 0))
            sent_at[request.event_id] = time.time()
            queued.append(await producer.send(TOPIC, request))
        await producer.acknowledged(queued)
    return sent_at


@asynccontextmanager
async def producer_of(broker: Broker) -> AsyncIterator[EventProducer]:
    """Connect a producer."""
    producer = EventProducer(broker.cluster(), open_registry(None))
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()
