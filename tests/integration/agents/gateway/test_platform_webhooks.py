"""Webhooks of Threads in: only what the app's secret signed is taken, in Kafka before the answer, each once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from agents.accounts.settings import AccountSettings
from agents.gateway.routes.platforms import PATH, SIGNATURE
from agents.gateway.settings import GatewaySettings
from agents.publishing.notices import signature_of
from schemas.catalogue import topic_named
from schemas.records import PlatformNotice
from streams.kafka.topic_tail import WHOLE, TopicTail
from streams.wall_clock import utc_now
from tests.conftest import Stack
from tests.support.gateway import GatewayUnderTest, running_gateway

SECRET, WORD = "secret of the app", "word agreed"
USER_ID = f"1784{uuid4().int % 10**13:013d}"


@pytest.fixture
async def told(stack: Stack) -> AsyncIterator[GatewayUnderTest]:
    """A gateway that takes webhooks."""
    accounts = AccountSettings(threads_app_secret=SecretStr(SECRET))
    wanted = GatewaySettings(webhook_verify_token=SecretStr(WORD), gateway_notice_rate="60/minute")
    async with running_gateway(stack.settings.having(accounts, wanted)) as running:
        yield running


def body(post_id: str, **besides: Any) -> bytes:
    value = {"id": post_id, "text": "Tired? Nap first. 🙂", "timestamp": "2026-11-22T09:31:00+0000"}
    payload = {
        "app_id": "1",
        "topic": "interaction",
        "target_id": USER_ID,
        "time": int(utc_now().timestamp()),
        "values": {"field": "publish", "value": value},
    }
    return json.dumps(payload | besides).encode()


async def sent(client: httpx.AsyncClient, content: bytes, signature: str | None = None) -> httpx.Response:
    shown = signature_of(SECRET.encode(), content) if signature is None else signature
    headers = {SIGNATURE.encode(): shown.encode("latin-1")}
    return await client.post(PATH, content=content, headers=headers)


async def notices(gateway: GatewayUnderTest) -> Sequence[PlatformNotice]:
    state = gateway.state
    tail = TopicTail(state.cluster, state.registry, {topic_named("platform.notices"): WHOLE}, PlatformNotice)
    try:
        return [each for each in await tail.news() if each.user_id == USER_ID]
    finally:
        await tail.close()


async def test_the_handshake_gives_the_challenge_to_who_knows_the_word(told: GatewayUnderTest) -> None:
    client = await told.anonymous()
    asked = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": WORD}
    answer = await client.get(PATH, params=asked)
    assert (answer.status_code, answer.text) == (200, "1158201444")
    assert answer.headers["content-type"].startswith("text/plain")
    for wrong in ({"hub.verify_token": "guess"}, {"hub.mode": "unsubscribe"}):
        refused = await client.get(PATH, params=asked | wrong)
        assert refused.status_code == 403
        assert asked["hub.challenge"] not in refused.text
        assert WORD not in refused.text


async def test_a_notice_is_in_kafka_when_it_is_answered_and_twice_is_the_same(told: GatewayUnderTest) -> None:
    client, content = await told.anonymous(), body("17900000000000001")
    for _ in range(2):
        answer = await sent(client, content)
        assert (answer.status_code, answer.json()) == (200, {"accepted": 1})
    first, again = await notices(told)
    assert first.event_id == again.event_id
    assert (first.field, first.post_id) == ("publish", "17900000000000001")


async def test_what_is_not_signed_with_the_secret_is_refused_and_nothing_of_it_is_kept(told: GatewayUnderTest) -> None:
    client, content = await told.anonymous(), body("forged")
    for signature in ("", "sha256=", "sha256=" + "0" * 64, signature_of(b"another", content), "\xe9"):
        answer = await sent(client, content, signature)
        assert answer.status_code == 403
        assert SECRET not in answer.text
    changed = await sent(client, content.replace(b"Nap", b"Run"), signature_of(SECRET.encode(), content))
    assert changed.status_code == 403
    assert "forged" not in [each.post_id for each in await notices(told)]


async def test_a_recorded_notice_that_is_sent_again_later_is_refused(told: GatewayUnderTest) -> None:
    client = await told.anonymous()
    old = utc_now() - timedelta(days=1, minutes=1)
    answer = await sent(client, body("recorded", time=int(old.timestamp())))
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/time")
    assert (await sent(client, b"[]")).status_code == 422
    assert (await sent(client, b"x" * 300_000)).status_code == 413
    assert "recorded" not in [each.post_id for each in await notices(told)]


async def test_too_many_from_an_address_are_refused_and_programs_with_tokens_go_on(told: GatewayUnderTest) -> None:
    client = await told.anonymous()
    statuses = {(await sent(client, b"{}", "sha256=")).status_code for _ in range(61)}
    assert statuses == {403, 429}
    assert (await (await told.client("viewer")).get("/v1/me")).status_code == 200


async def test_without_a_secret_there_are_no_webhooks_and_it_says_what_to_set(gateway: GatewayUnderTest) -> None:
    client = await gateway.anonymous()
    asked = {"hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": "x"}
    for answer, variable in (
        (await client.get(PATH, params=asked), "THREADS_WEBHOOK_VERIFY_TOKEN"),
        (await sent(client, body("1")), "THREADS_APP_SECRET"),
    ):
        assert answer.status_code == 404
        assert variable in answer.json()["detail"]
