"""The sink roles as workers on the real broker: killed again and again, they end with exact rows, series and points."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from schemas.records import CostEvent, DraftDecided, EngagementEvent, Quality
from schemas.registries.registry import open_registry
from sinks.qdrant.embedded_store import EmbeddedStore
from sinks.qdrant.sink import collection_of
from streams.engine.stage import Output
from streams.kafka.producer import EventProducer
from tests.support.drafts import plain_draft
from tests.support.sink_workers import Servers, SinkWorkers, series, sink_workers

ROUNDS, PER_ROUND = 3, 400
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
async def workers(stack: Servers, tmp_path: Path) -> AsyncIterator[SinkWorkers]:
    async with sink_workers(stack, ("sink-postgres", "sink-qdrant", "sink-prometheus"), tmp_path) as workers:
        yield workers


def outputs(persona_id: str, number: int) -> list[Output]:
    """Return one view event, one priced call, and one draft that is accepted."""
    name = f"{persona_id}-{number}"
    view = EngagementEvent(event_id=f"view-{name}", occurred_at=NOON, persona_id=persona_id, kind="view", count=number)
    call = CostEvent(
        event_id=f"call-{name}",
        step="hook",
        model=persona_id,
        prompt_tokens=number,
        completion_tokens=1,
        cost_micros=7,
        latency_ms=300,
        occurred_at=NOON,
        persona_id=persona_id,
    )
    draft = plain_draft(
        event_id=f"generated-{name}",
        draft_id=f"draft-{name}",
        model=persona_id,
        latency_ms=1000,
        occurred_at=NOON,
        persona_id=persona_id,
    )
    decided = DraftDecided(
        event_id=f"accepted-{name}",
        draft=draft,
        quality=Quality(score=1.0, threshold=0.5, passed=True, features=()),
        decision="accepted",
        reasons=(),
        embedding_model=persona_id,
        embedding=(0.6, 0.8),
        occurred_at=NOON,
        persona_id=persona_id,
    )
    pairs = {"engagement.events": view, "cost.events": call, "drafts.generated": draft, "drafts.accepted": decided}
    return [Output(topic, record) for topic, record in pairs.items()]


def postgres_sums(dsn: str, persona_id: str) -> tuple[int, ...]:
    statement = """
        SELECT
            (SELECT count(*) FROM engagement WHERE persona_id = %(persona)s),
            (SELECT coalesce(sum(count), 0) FROM engagement WHERE persona_id = %(persona)s),
            (SELECT coalesce(sum(cost_micros), 0) FROM costs WHERE persona_id = %(persona)s),
            (SELECT count(*) FROM drafts WHERE persona_id = %(persona)s AND status = 'accepted')
    """
    try:
        with psycopg.connect(dsn) as connection:
            row = connection.execute(statement, {"persona": persona_id}).fetchone()
    except psycopg.errors.UndefinedTable:
        return (0, 0, 0, 0)
    assert row is not None
    return tuple(map(int, row))


def has_views(dsn: str, persona_id: str, least: int) -> bool:
    return postgres_sums(dsn, persona_id)[0] >= least


async def test_rows_series_and_points_are_exact_though_the_workers_are_killed(
    stack: Servers, workers: SinkWorkers
) -> None:
    persona = f"persona-{uuid4().hex}"
    total = ROUNDS * PER_ROUND
    producer = EventProducer(stack.cluster, open_registry(None))
    for round_ in range(ROUNDS):
        numbers = range(round_ * PER_ROUND, (round_ + 1) * PER_ROUND)
        events = [output for number in numbers for output in outputs(persona, number)]
        await producer.append_all([*events, *events[:8]])
        # The kill comes while this round's events are on their way.
        await workers.until(partial(has_views, workers.dsn, persona, round_ * PER_ROUND + 1))
        await workers.kill()
        await workers.start()
    await producer.stop()

    views = sum(range(total))
    expected = {
        ("posts_generated_total", *sorted((persona, "generated"))): total,
        ("posts_generated_total", *sorted((persona, "accepted"))): total,
        ("llm_tokens_total", *sorted((persona, "prompt"))): views,
        ("content_generation_latency_seconds_count", *sorted((persona, "hook"))): total,
        ("content_generation_latency_seconds_sum", *sorted((persona, "total"))): total,
    }
    await workers.until(lambda: postgres_sums(workers.dsn, persona) == (total, views, 7 * total, total))
    await workers.until(lambda: {name: series(workers.home).get(name) for name in expected} == expected)
    await workers.stop()
    store = EmbeddedStore(workers.home / "qdrant")
    await store.open()
    assert await store.count(collection_of(persona, 2)) == total
    await store.close()
