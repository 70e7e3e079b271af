"""Looking into topics: exact pages in both directions, bounded, decoded, and by what the caller may see."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition as KafkaPartition

from agents.gateway.auth.tokens import digest_of, revoked
from agents.gateway.live import scan
from agents.gateway.live.hub import Hub, HubLimits, TooManyListeners
from agents.gateway.live.lag import LagReport
from agents.gateway.live.listener import Wanted
from agents.gateway.settings import GatewaySettings
from schemas.catalogue import topic_named
from schemas.records import BudgetAlert
from streams.engine.stage import Output
from streams.kafka.producer import EventProducer, partition_of
from streams.wall_clock import utc_now
from tests.conftest import Stack
from tests.support.faults.poison import golden_record
from tests.support.gateway import GatewayUnderTest, persona_named, running_gateway

TOPIC = topic_named("budget.alerts")
PATH = f"/v1/topics/{TOPIC.name}/records"


@pytest.fixture
async def producer(stack: Stack) -> AsyncIterator[EventProducer]:
    async with EventProducer(stack.cluster, stack.cluster.open_registry()) as producer:
        yield producer


@pytest.fixture
async def admin(gateway: GatewayUnderTest) -> httpx.AsyncClient:
    return await gateway.client("admin", "*")


@pytest.fixture
def persona() -> str:
    return f"persona-{uuid4().hex[:8]}"


async def append(producer: EventProducer, persona_id: str, count: int, *, partition: int | None = None) -> list[str]:
    """Append records of a persona, over all partitions where none is named; return their ids."""
    made = golden_record(TOPIC)
    assert isinstance(made, BudgetAlert)
    ids = [f"{persona_id} Ünïque {number}" for number in range(count)]
    await producer.append_all(
        [
            Output(
                TOPIC.name,
                replace(made, event_id=event_id, persona_id=persona_id),
                number % 4 if partition is None else partition,
            )
            for number, event_id in enumerate(ids)
        ]
    )
    return ids


async def look(client: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    response = await client.get(PATH, params=query)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def look_on(client: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    """Return the items of a look and all that go on from it."""
    items: list[dict[str, Any]] = []
    while True:
        found = await look(client, **query)
        items += found["items"]
        assert found["complete"] is (found["next_cursor"] is None)
        if found["complete"]:
            return items
        query["cursor"] = found["next_cursor"]


def ids_of(items: list[dict[str, Any]]) -> list[str]:
    return [each["value"]["event_id"] for each in items]


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("limit", [1, 7, 500])
async def test_pages_hold_every_record_once_in_the_order_of_time(
    admin: httpx.AsyncClient, producer: EventProducer, persona: str, *, newest_first: bool, limit: int
) -> None:
    ids = await append(producer, persona, 9) + await append(producer, persona, 5)
    items = await look_on(admin, persona=persona, newest_first=newest_first, limit=limit)
    assert sorted(ids_of(items)) == sorted(ids)
    times = [each["timestamp"] for each in items]
    assert times == sorted(times, reverse=newest_first)
    places = [(each["partition"], each["offset"]) for each in items]
    assert len(set(places)) == len(ids)


async def test_a_look_that_stops_at_a_bound_says_so_and_goes_on(
    admin: httpx.AsyncClient, producer: EventProducer, persona: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await append(producer, persona, 60)
    monkeypatch.setattr(scan, "MAX_SCANNED", 16)
    found = await look(admin, persona=persona, contains="ünïque 59", newest_first=False)
    assert (found["complete"], found["stopped"], found["scanned"]) == (False, "records", 16)
    assert ids_of(await look_on(admin, persona=persona, contains="ÜNÏQUE 59")) == [f"{persona} Ünïque 59"]


async def test_a_key_is_looked_for_in_its_partition_alone(
    admin: httpx.AsyncClient, producer: EventProducer, persona: str
) -> None:
    home = partition_of(persona.encode(), 4)
    await append(producer, persona, 3, partition=home)
    items = await look_on(admin, key=persona, limit=500)
    assert len(items) == 3
    assert {(each["key"], each["partition"]) for each in items} == {(persona, home)}
    whole, part = await look(admin, limit=500, persona=persona), await look(admin, limit=500, key=persona)
    assert part["scanned"] <= whole["scanned"]


async def test_a_part_is_named_by_partition_offset_and_time(
    admin: httpx.AsyncClient, producer: EventProducer, persona: str
) -> None:
    before = datetime.now(UTC)
    await append(producer, persona, 4, partition=2)
    after = datetime.now(UTC) + timedelta(seconds=1)
    items = await look_on(admin, persona=persona, since=before.isoformat(), until=after.isoformat())
    assert len(items) == 4
    assert not await look_on(admin, persona=persona, until=before.isoformat())
    assert not await look_on(admin, persona=persona, since=after.isoformat())
    third = items[2]["offset"]
    assert ids_of(await look_on(admin, persona=persona, partition=2, offset=third)) == ids_of(items[2:])
    back = await look_on(admin, persona=persona, partition=2, offset=third, newest_first=True)
    assert ids_of(back) == ids_of(items[2::-1])
    assert not await look_on(admin, persona=persona, partition=1)


async def test_what_cannot_be_decoded_is_shown_with_its_bytes_and_headers(
    admin: httpx.AsyncClient, producer: EventProducer, persona: str
) -> None:
    await producer.send_raw(TOPIC.name, persona.encode(), b"\x00no Avro", partition=partition_of(persona.encode(), 4))
    [item] = await look_on(admin, key=persona)
    assert item["bytes"] == "AG5vIEF2cm8="
    assert item["error"]
    assert "value" not in item
    assert item["headers"] == []


async def test_a_tenant_sees_records_of_its_personas_alone(
    gateway: GatewayUnderTest, producer: EventProducer, persona: str
) -> None:
    mine, others = f"{persona}-mine", f"{persona}-others"
    await gateway.apply(persona_named(mine, tenant="acme"), persona_named(others, tenant="other"))
    await append(producer, mine, 2)
    await append(producer, others, 2)
    client = await gateway.client("viewer", "acme")
    seen = await look_on(client, limit=500)
    assert {each["persona_id"] for each in seen} == {mine}
    assert not await look_on(client, persona=others)
    assert (await client.get("/v1/stream", params={"topics": TOPIC.name, "persona": others})).status_code == 404


@pytest.mark.parametrize("topic", ["gateway.tokens", "gateway.idempotency", "no.such.topic", "kpis.changelog"])
async def test_topics_with_secrets_are_not_there_for_others_than_admins(gateway: GatewayUnderTest, topic: str) -> None:
    client = await gateway.client("operator", "*")
    assert topic not in {each["name"] for each in (await client.get("/v1/topics")).json()["items"]}
    for answer in (await client.get(f"/v1/topics/{topic}/records"), await client.get(f"/v1/stream?topics={topic}")):
        assert answer.status_code == 404
        assert "/v1/topics" in answer.json()["detail"]


async def test_the_list_tells_what_topics_are_and_hold(
    admin: httpx.AsyncClient, producer: EventProducer, persona: str
) -> None:
    async def listed() -> dict[str, Any]:
        topics = (await admin.get("/v1/topics")).json()["items"]
        return next(each for each in topics if each["name"] == TOPIC.name)

    before = await listed()
    await append(producer, persona, 5)
    after = await listed()
    assert after["records"] == before["records"] + 5
    assert (after["partitions"], after["key"], after["compacted"], after["retention_ms"]) == (
        4,
        "persona_id",
        False,
        None,
    )
    assert after["description"]


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "not one"},
        {"cursor": "kpi.updates~-~1"},
        {"partition": 99},
        {"limit": 0},
        {"limit": 501},
        {"since": "yesterday"},
        {"offset": -1},
    ],
)
async def test_what_cannot_be_looked_for_is_refused_with_what_to_do(
    admin: httpx.AsyncClient, query: dict[str, Any]
) -> None:
    answer = await admin.get(PATH, params=query)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("last_id", ["garbage", "kpi.updates~xyz~1", "a~-~1~~a~-~1", "~" * 50])
async def test_an_id_that_is_no_position_is_refused(admin: httpx.AsyncClient, last_id: str) -> None:
    answer = await admin.get("/v1/stream", params={"topics": TOPIC.name}, headers={"Last-Event-ID": last_id})
    assert answer.status_code == 422
    assert "id of the last event" in json.dumps(answer.json())


async def test_lag_is_told_in_records_and_in_seconds(stack: Stack, producer: EventProducer, persona: str) -> None:
    await append(producer, persona, 3, partition=1)
    consumer = AIOKafkaConsumer(bootstrap_servers=stack.bootstrap, group_id=persona, enable_auto_commit=False)
    source = KafkaPartition(TOPIC.name, 1)
    await consumer.start()
    consumer.assign([source])
    [end] = (await consumer.end_offsets([source])).values()
    await consumer.commit({source: end - 2})
    await consumer.stop()
    report = LagReport(stack.cluster, [persona, "a-group-that-never-was"])
    lags = {each.source.partition: each for each in await report.lags()}
    await report.close()
    assert {each.group for each in lags.values()} == {persona}
    assert (lags[1].committed, lags[1].end, lags[1].records) == (end - 2, end, 2)
    assert lags[1].seconds is not None
    assert 0 < lags[1].seconds < 120
    assert lags[0].committed is None


async def test_a_caller_with_too_many_feeds_is_told_when_to_come_back(stack: Stack) -> None:
    settings = stack.settings.having(GatewaySettings(gateway_feed_listeners_per_caller=1))
    async with running_gateway(settings) as gateway:
        secret = await gateway.token("viewer", "*")
        client = await gateway.anonymous(Authorization=f"Bearer {secret}")
        token = gateway.state.tokens.book.with_digest(digest_of(secret))
        assert token is not None
        with gateway.state.live.hub.listening(token.token_id, Wanted([TOPIC.name], lambda _topic, _persona: True)):
            answer = await client.get("/v1/stream", params={"topics": TOPIC.name})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert "close some" in answer.json()["detail"]


async def test_feeds_of_all_callers_are_bounded(stack: Stack) -> None:
    hub = Hub(stack.cluster, stack.cluster.open_registry(), HubLimits(listeners=1))
    wanted = Wanted([TOPIC.name], lambda _topic, _persona: True)
    with hub.listening("one", wanted):
        with pytest.raises(TooManyListeners) as refused, hub.listening("another", wanted):
            pass
        assert not refused.value.of_caller
    with hub.listening("another", wanted):
        assert hub.listeners == 1
    await hub.close()
    assert hub.listeners == 0


async def test_a_heartbeat_moves_the_position_over_what_a_filter_leaves_out(
    stack: Stack, producer: EventProducer, persona: str
) -> None:
    hub = Hub(stack.cluster, stack.cluster.open_registry(), HubLimits(), heartbeat_s=0.2)
    wanted = Wanted([TOPIC.name], lambda _topic, _persona: True, "somebody-else")
    with hub.listening("me", wanted) as listener:
        while not listener.position():
            await listener.next()
        began = listener.position()
        await append(producer, persona, 4)
        beats = [await listener.next()]
        while listener.position() == began:
            beats.append(await listener.next())
        beats.append(await listener.next())
    await hub.close()
    assert all(each.startswith(b": heartbeat\n") for each in beats)
    assert beats[-1] == b": heartbeat\nevent: position\nid: %b\ndata: {}\n\n" % listener.position().encode()


async def test_a_feed_ends_when_its_token_is_revoked(
    gateway: GatewayUnderTest, producer: EventProducer, persona: str
) -> None:
    secret, store = await gateway.token("viewer", "*"), gateway.state.tokens
    client = await gateway.anonymous(Authorization=f"Bearer {secret}")
    async with asyncio.timeout(30):
        feed = asyncio.create_task(client.get("/v1/stream", params={"topics": TOPIC.name}))
        while not gateway.state.live.hub.listeners:
            await asyncio.sleep(0.01)
        token = store.book.with_digest(digest_of(secret))
        assert token is not None
        await store.write(revoked(token, utc_now()))
        await append(producer, persona, 1)
        answer = await feed
    assert answer.status_code == 200
    assert persona not in answer.text
