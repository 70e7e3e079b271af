"""The tail of topics: where it begins, what is news, and what those who follow one make of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from agents.generation.past_posts import KEPT_TEXTS, STALE_AFTER_S, AcceptedPosts
from schemas.catalogue import topic_named
from schemas.records import KpiUpdate, Record
from schemas.registries.registry import open_registry
from streams.engine.stage import Output
from streams.kafka.producer import EventProducer
from streams.kafka.topic_tail import END, WHOLE, Beginning, TopicTail
from tests.conftest import Stack
from tests.support.drafting import decided, draft

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
KPIS = topic_named("kpi.updates")


def update(persona_id: str, number: int) -> Output:
    at = NOW + timedelta(seconds=number)
    record = KpiUpdate(
        event_id=f"{persona_id}-{number}", occurred_at=at, persona_id=persona_id, window="lifetime", window_end=at
    )
    return Output("kpi.updates", record)


async def append(stack: Stack, *outputs: Output) -> None:
    producer = EventProducer(stack.cluster, open_registry(None))
    await producer.start()
    try:
        await producer.append_all(outputs)
    finally:
        await producer.stop()


@asynccontextmanager
async def tail_of(stack: Stack, beginning: Beginning) -> AsyncIterator[TopicTail[KpiUpdate]]:
    tail = TopicTail(stack.cluster, open_registry(None), {KPIS: beginning}, KpiUpdate)
    try:
        yield tail
    finally:
        await tail.close()


def ids(records: Sequence[Record], prefix: str) -> list[str]:
    found = [getattr(record, "event_id", "") for record in records]
    return [event_id for event_id in found if event_id.startswith(prefix)]


async def test_only_what_comes_after_the_end_is_news_and_each_record_once(stack: Stack) -> None:
    await append(stack, update("tail-a", 1))
    async with tail_of(stack, END) as tail:
        assert not await tail.news()
        await append(stack, update("tail-a", 2), update("tail-a", 3))
        assert ids(await tail.news(), "tail-a") == ["tail-a-2", "tail-a-3"]
        assert not await tail.news()
        await append(stack, update("tail-a", 4))
        assert ids(await tail.news(), "tail-a") == ["tail-a-4"]


async def test_the_newest_records_of_a_key_are_found_however_many_came_before_and_then_all(stack: Stack) -> None:
    await append(stack, *(update("tail-b", number) for number in range(30)), update("tail-c", 0))
    async with tail_of(stack, Beginning(1_000, per_key=2)) as tail:
        found = await tail.news()
        assert ids(found, "tail-b") == ["tail-b-28", "tail-b-29"]
        assert ids(found, "tail-c") == ["tail-c-0"]
        await append(stack, *(update("tail-b", number) for number in range(30, 35)))
        assert ids(await tail.news(), "tail-b") == [f"tail-b-{number}" for number in range(30, 35)]


async def test_only_what_is_wanted_by_key_or_by_a_text_in_it_is_news(stack: Stack) -> None:
    await append(stack, *(update("tail-w", number) for number in range(10, 13)), update("tail-x", 12))
    by_key = TopicTail(stack.cluster, open_registry(None), {KPIS: WHOLE}, KpiUpdate, lambda key, _: key == b"tail-x")
    by_text = TopicTail(
        stack.cluster, open_registry(None), {KPIS: WHOLE}, KpiUpdate, lambda _, value: b"tail-w-11" in value
    )
    try:
        assert [record.event_id for record in await by_key.news()] == ["tail-x-12"]
        assert [record.event_id for record in await by_text.news()] == ["tail-w-11"]
        await append(stack, update("tail-w", 13), update("tail-x", 13))
        assert [record.event_id for record in await by_key.news()] == ["tail-x-13"]
        assert not await by_text.news()
    finally:
        await by_key.close()
        await by_text.close()


async def test_a_tail_begins_so_many_records_before_the_end_of_every_partition(stack: Stack) -> None:
    personas = [f"tail-d{number}" for number in range(12)]  # on all partitions
    await append(stack, *(update(persona, number) for number in range(5) for persona in personas))
    async with tail_of(stack, Beginning(1)) as tail:
        newest = ids(await tail.news(), "tail-d")
        assert len(newest) == stack.settings.partitions
        assert all(event_id.endswith("-4") for event_id in newest)
    async with tail_of(stack, WHOLE) as tail:
        assert len(ids(await tail.news(), "tail-d")) == 5 * len(personas)


async def test_a_tail_that_was_closed_goes_on_where_it_was(stack: Stack) -> None:
    async with tail_of(stack, END) as tail:
        await tail.news()
        await tail.close()
        await append(stack, update("tail-e", 1))
        assert ids(await tail.news(), "tail-e") == ["tail-e-1"]


async def test_a_reading_anew_begins_where_the_first_began(stack: Stack) -> None:
    await append(stack, update("tail-f", 1))
    async with tail_of(stack, WHOLE) as tail:
        assert ids(await tail.news(), "tail-f") == ["tail-f-1"]
        reading = await tail.read_on(anew=True)
    assert reading.anew
    assert ids([entry.record for entry in reading.entries if entry.record], "tail-f") == ["tail-f-1"]


def accepted(persona_id: str, number: int) -> Output:
    made = draft(f"Hook {number}.", "A body.", draft_id=f"{persona_id}-{number}", persona_id=persona_id)
    return Output("drafts.accepted", decided(made))


async def test_the_last_accepted_texts_of_a_persona_are_known_and_kept_up(stack: Stack) -> None:
    now_s = 0.0
    await append(stack, *(accepted("past-a", number) for number in range(KEPT_TEXTS + 2)))
    posts = AcceptedPosts(stack.cluster, open_registry(None), monotonic=lambda: now_s)
    try:
        await posts.refresh()
        texts = [f"Hook {number}.\n\nA body." for number in range(KEPT_TEXTS + 3)]
        assert list(posts.lately("past-a")) == texts[KEPT_TEXTS + 1 : 1 : -1]
        assert posts.lately("past-unknown") == ()
        await append(stack, accepted("past-a", KEPT_TEXTS + 2))
        await posts.refresh(max_age_s=STALE_AFTER_S)
        assert posts.lately("past-a")[0] == texts[KEPT_TEXTS + 1]  # read a moment ago, which is fresh enough
        now_s = STALE_AFTER_S
        await posts.refresh()
        assert list(posts.lately("past-a")) == texts[KEPT_TEXTS + 2 : 2 : -1]
    finally:
        await posts.close()
