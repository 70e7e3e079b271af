from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from agents.demo.topic_tail import TopicTail
from schemas.records import KpiUpdate, Record
from schemas.registry import open_registry
from streams.engine.stage import Output
from streams.kafka.producer import EventProducer
from streams.settings import Settings

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Stack(Protocol):
    """What these tests use of the session's servers."""

    bootstrap: str
    settings: Settings


def update(persona_id: str, number: int) -> Output:
    at = NOW + timedelta(seconds=number)
    record = KpiUpdate(
        event_id=f"{persona_id}-{number}", occurred_at=at, persona_id=persona_id, window="lifetime", window_end=at
    )
    return Output("kpi.updates", record)


async def append(stack: Stack, *outputs: Output) -> None:
    producer = EventProducer(stack.bootstrap, open_registry(None), stack.settings)
    await producer.start()
    try:
        await producer.append_all(outputs)
    finally:
        await producer.stop()


def ids(records: Sequence[Record], prefix: str) -> list[str]:
    found = [getattr(record, "event_id", "") for record in records]
    return [event_id for event_id in found if event_id.startswith(prefix)]


async def test_only_what_comes_after_the_start_is_news_and_each_record_once(stack: Stack) -> None:
    await append(stack, update("tail-a", 1))
    async with TopicTail(stack.settings, stack.bootstrap, open_registry(None), ["kpi.updates"]) as tail:
        await append(stack, update("tail-a", 2), update("tail-a", 3))
        assert ids(await tail.news(), "tail-a") == ["tail-a-2", "tail-a-3"]
        assert not ids(await tail.news(), "tail-a")
        await append(stack, update("tail-a", 4))
        assert ids(await tail.news(), "tail-a") == ["tail-a-4"]


async def test_the_newest_records_of_a_key_are_found_however_many_came_before(stack: Stack) -> None:
    await append(stack, *(update("tail-b", number) for number in range(30)), update("tail-c", 0))
    async with TopicTail(stack.settings, stack.bootstrap, open_registry(None), ["kpi.updates"]) as tail:
        found = await tail.newest("kpi.updates", reach=1_000, per_key=2)
    assert ids(found, "tail-b") == ["tail-b-28", "tail-b-29"]
    assert ids(found, "tail-c") == ["tail-c-0"]
