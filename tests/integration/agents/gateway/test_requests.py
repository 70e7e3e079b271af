"""POST /v1/requests: accepted means that Kafka has it, and sent again under a key it counts once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from agents.gateway.routes.requests import MOST_REQUESTS
from agents.personas.persona_topic import remove_personas
from schemas.catalogue import topic_named
from schemas.records import PersonaRequest
from schemas.registries.registry import open_registry
from streams.kafka.cluster import Cluster
from streams.kafka.topic_tail import WHOLE, TopicTail
from tests.conftest import Stack
from tests.support.gateway import GatewayUnderTest, persona_named, put_in_force, running_gateway

TOPIC = topic_named("persona.requests")


async def requests_on(stack: Stack) -> dict[str, PersonaRequest]:
    """Return all requests on the topic by id."""
    tail = TopicTail(Cluster.of(stack.settings), open_registry(None), {TOPIC: WHOLE}, PersonaRequest)
    try:
        return {each.event_id: each for each in await tail.news()}
    finally:
        await tail.close()


@pytest.fixture
async def operator(gateway: GatewayUnderTest) -> httpx.AsyncClient:
    await gateway.apply(persona_named("front-door"))
    return await gateway.client("operator")


def ask(**changes: Any) -> dict[str, Any]:
    return {"persona_id": "front-door", "brief": "an invoice that gets paid", **changes}


async def test_an_accepted_request_is_on_the_topic(stack: Stack, operator: httpx.AsyncClient) -> None:
    answer = await operator.post("/v1/requests", json=ask(draft_count=2, trend="отримати 💶"))
    assert answer.status_code == 202, answer.text
    assert answer.json()["status"] == "accepted"
    record = (await requests_on(stack))[answer.json()["request_id"]]
    assert (record.persona_id, record.draft_count, record.trend) == ("front-door", 2, "отримати 💶")


async def test_a_persona_is_there_for_whoever_asks_after_it_was_put_in_force_elsewhere(
    gateway: GatewayUnderTest, operator: httpx.AsyncClient
) -> None:
    for number in range(8):  # one right after the other: each is news to a directory that was just read
        name = f"just-now-{number}"
        assert (await operator.post("/v1/requests", json=ask(persona_id=name))).status_code == 404
        await put_in_force(gateway.settings, persona_named(name))
        answer = await operator.post("/v1/requests", json=ask(persona_id=name))
        assert answer.status_code == 202, answer.text


@pytest.fixture
async def passing(gateway: GatewayUnderTest) -> AsyncIterator[str]:
    """A persona that goes with the test: the next generation worker refuses its requests instead of writing them."""
    persona_id = "passing-by"
    await gateway.apply(persona_named(persona_id))
    yield persona_id
    await remove_personas(gateway.settings, [persona_id])


async def test_a_list_is_accepted_whole_and_in_order(stack: Stack, operator: httpx.AsyncClient, passing: str) -> None:
    asked = [ask(persona_id=passing, brief=f"brief {i}") for i in range(MOST_REQUESTS)]
    answer = await operator.post("/v1/requests", json=asked)
    assert answer.status_code == 202, answer.text
    on_topic = await requests_on(stack)
    ids = [each["request_id"] for each in answer.json()["items"]]
    assert [on_topic[each].brief for each in ids] == [f"brief {i}" for i in range(MOST_REQUESTS)]


async def test_a_list_with_one_bad_request_leaves_nothing_on_the_topic(
    stack: Stack, operator: httpx.AsyncClient
) -> None:
    before = await requests_on(stack)
    answer = await operator.post("/v1/requests", json=[ask(), ask(draft_count=0), ask()])
    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == ["/1/draft_count"]
    answer = await operator.post("/v1/requests", json=[ask(), ask(persona_id="nobody")])
    assert answer.status_code == 404
    assert [each["pointer"] for each in answer.json()["errors"]] == ["/1/persona_id"]
    assert await requests_on(stack) == before


async def test_a_key_gives_the_same_answer_also_after_a_restart(stack: Stack, operator: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "nightly-1"}
    first = await operator.post("/v1/requests", json=ask(), headers=key)
    assert first.status_code == 202, first.text
    assert (await operator.post("/v1/requests", json=ask(), headers=key)).json() == first.json()
    async with running_gateway(stack.settings) as restarted:
        again = await restarted.client("operator")
        assert (await again.post("/v1/requests", json=ask(), headers=key)).json() == first.json()
        refused = await again.post("/v1/requests", json=ask(brief="another"), headers=key)
        assert refused.status_code == 409
        assert refused.json()["type"] == "idempotency-key-reused"


async def test_a_key_whose_body_was_refused_is_good_for_a_better_one(operator: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "second try"}
    assert (await operator.post("/v1/requests", json=ask(brief="  "), headers=key)).status_code == 422
    assert (await operator.post("/v1/requests", json=ask(), headers=key)).status_code == 202


async def test_keys_of_two_tenants_are_two_keys(gateway: GatewayUnderTest, operator: httpx.AsyncClient) -> None:
    await gateway.apply(persona_named("other-door", tenant="acme"))
    other = await gateway.client("operator", "acme")
    key = {"Idempotency-Key": "shared"}
    first = await operator.post("/v1/requests", json=ask(), headers=key)
    second = await other.post("/v1/requests", json=ask(persona_id="other-door"), headers=key)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() != second.json()
