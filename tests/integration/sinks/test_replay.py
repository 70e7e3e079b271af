"""`replay` reads a range of a topic from the real broker into a sink: done twice, it changes nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import psycopg
import pytest
from click.testing import CliRunner, Result

from schemas.records import DraftDecided, DraftGenerated, EngagementEvent, PersonaRequest, Quality, Record
from schemas.registries.registry import open_registry
from sinks.qdrant.embedded_store import EmbeddedStore
from sinks.qdrant.points import collection_of
from sinks.replay import replay
from streams.engine.stage import Output
from streams.kafka.producer import EventProducer
from streams.settings import Settings, current_settings
from tests.support.postgres_tables import query

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Servers(Protocol):
    """The part of the session's stack that is used here."""

    postgres_dsn: str
    bootstrap: str
    settings: Settings

    def environment(self) -> dict[str, str]: ...


@pytest.fixture
def dsn(stack: Servers, dsn: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """A database and a home of the test's own, as this process's settings."""
    environment = {"THREADS_HOME": str(tmp_path), "THREADS_POSTGRES_DSN": dsn, "THREADS_KAFKA": stack.bootstrap}
    for variable, value in (stack.environment() | environment).items():
        monkeypatch.setenv(variable, value)
    current_settings.cache_clear()
    yield dsn
    current_settings.cache_clear()


def produce(stack: Servers, topic: str, records: Sequence[Record]) -> int:
    """Append records; return the time before the first, epoch milliseconds."""
    since_ms = time.time_ns() // 1_000_000

    async def append() -> None:
        producer = EventProducer(stack.bootstrap, open_registry(None), stack.settings)
        try:
            await producer.append_all([Output(topic, record) for record in records])
        finally:
            await producer.stop()

    asyncio.run(append())
    return since_ms


def run(*arguments: str) -> Result:
    return CliRunner().invoke(replay, arguments, catch_exceptions=False)


def engagement(name: str, count: int) -> EngagementEvent:
    event_id = f"replay-{name}-{uuid4()}"
    return EngagementEvent(event_id=event_id, occurred_at=NOON, persona_id=name, kind="view", count=count)


def test_a_column_topic_is_replayed_into_dropped_tables_with_the_same_rows(stack: Servers, dsn: str) -> None:
    events = [engagement(f"persona-{n % 7}", n) for n in range(500)]
    refused = replace(events[1], event_id=str(uuid4()), source="PostgreSQL holds no \x00")
    since = produce(stack, "engagement.events", [*events, events[0], refused])
    first = run("engagement.events", "--since", str(since), "--into", "postgres")
    assert "502 read, 501 written, 1 refused" in first.stdout
    checksum = "SELECT count(*), sum(count), md5(string_agg(e::text, ',' ORDER BY event_id)) FROM engagement AS e"
    before = query(dsn, checksum)
    assert before[0][:2] == (500, sum(range(500)))
    assert run("engagement.events", "--since", str(since), "--into", "postgres").exit_code == 0
    assert query(dsn, checksum) == before
    with psycopg.connect(dsn) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    run("engagement.events", "--since", str(since), "--into", "postgres")
    assert query(dsn, checksum) == before


def test_a_range_ends_before_until(stack: Servers, dsn: str) -> None:
    request = PersonaRequest(event_id=str(uuid4()), occurred_at=NOON, persona_id="nova", brief="first")
    since = produce(stack, "persona.requests", [request])
    while (middle := time.time_ns() // 1_000_000) <= since + 1:
        time.sleep(0.001)
    later = PersonaRequest(event_id=str(uuid4()), occurred_at=NOON, persona_id="nova", brief="second")
    produce(stack, "persona.requests", [later])
    until = datetime.fromtimestamp(middle / 1000, UTC).isoformat()
    run("persona.requests", "--since", str(since), "--until", until, "--into", "postgres")
    assert query(dsn, "SELECT brief FROM requests") == [("first",)]


def test_accepted_drafts_are_replayed_into_the_embedded_qdrant(stack: Servers, dsn: str, tmp_path: Path) -> None:
    model = f"model-{uuid4().hex}"
    since = produce(stack, "drafts.accepted", [accepted(model), accepted(model)])
    for _ in range(2):
        assert (
            "2 read, 2 written, 0 refused" in run("drafts.accepted", "--since", str(since), "--into", "qdrant").stdout
        )

    async def count() -> int:
        store = EmbeddedStore(tmp_path / "qdrant")
        await store.open()
        try:
            return await store.count(collection_of(model, 2))
        finally:
            await store.close()

    assert asyncio.run(count()) == 2


def accepted(model: str) -> DraftDecided:
    draft = DraftGenerated(
        event_id=str(uuid4()),
        occurred_at=NOON,
        persona_id="nova",
        draft_id=str(uuid4()),
        request_id="r",
        persona_version="v",
        hook="h",
        body="b",
        text="t",
        language="en",
        model="m",
        prompt_tokens=1,
        completion_tokens=1,
        latency_ms=1,
    )
    return DraftDecided(
        event_id=str(uuid4()),
        occurred_at=NOON,
        persona_id="nova",
        draft=draft,
        quality=Quality(score=1.0, threshold=0.5, passed=True, features=()),
        decision="accepted",
        reasons=(),
        embedding_model=model,
        embedding=(0.6, 0.8),
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("persona.requests", "--into", "qdrant"), "qdrant takes nothing from persona.requests"),
        (("persona.requests", "--since", "yesterday", "--into", "postgres"), "expected ISO 8601"),
        (("no.such", "--into", "postgres"), "'no.such' is not one of"),
    ],
)
def test_what_cannot_be_replayed_is_said_at_once(arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
