"""Appending the job: the personas in force, and a request for each post."""

from __future__ import annotations

from agents.bench.generation.posts import Post, PostBook
from agents.bench.own_broker import Broker
from agents.personas.persona_topic import apply_personas
from schemas.records import PersonaRequest
from schemas.registry import open_registry
from streams.engine.stage import Output
from streams.identity import derived_id
from streams.kafka.producer import EventProducer
from streams.kafka.topics import create_topics
from streams.wall_clock import utc_now

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


async def make_ready(broker: Broker, posts: PostBook) -> None:
    """Create the topics and put the personas in force."""
    await create_topics(broker.settings(), broker.bootstrap)
    await apply_personas(broker.settings(), posts.personas, utc_now())


async def append_requests(broker: Broker, posts: PostBook, count: int) -> None:
    """Append the requests for the first posts, and wait until they are durable."""
    producer = EventProducer(broker.bootstrap, open_registry(None), broker.settings())
    try:
        await producer.append_all([Output(TOPIC, request_of(posts.post(number))) for number in range(count)])
    finally:
        await producer.stop()
