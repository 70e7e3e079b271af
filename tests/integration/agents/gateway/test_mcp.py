"""Tools by the SDK's own client, over both transports, against a gateway that listens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args
from uuid import uuid4

import httpx
import pytest
from mcp.types import CallToolResult, TextContent

from agents.gateway.mcp.tools import TOOLS
from schemas.catalogue import topic_named
from schemas.records import GatewayAudit, PersonaRequest
from schemas.registries.registry import open_registry
from streams.kafka.topic_tail import WHOLE, TopicTail
from tests.conftest import Stack
from tests.support.gateway import GatewayUnderTest, persona_named
from tests.support.mcp_clients import Transport, listening, mcp_client

BOTH = pytest.mark.parametrize("transport", get_args(Transport))


@pytest.fixture
async def url(gateway: GatewayUnderTest) -> AsyncIterator[str]:
    async with listening(gateway) as address:
        yield address


async def written(stack: Stack, topic: str, kind: Any) -> list[Any]:
    tail = TopicTail(stack.cluster, open_registry(None), {topic_named(topic): WHOLE}, kind)
    try:
        return [each.record for each in (await tail.read_on()).entries if each.record is not None]
    finally:
        await tail.close()


def text_of(result: CallToolResult) -> str:
    [content] = result.content
    assert isinstance(content, TextContent)
    return content.text


@BOTH
async def test_tools_are_listed_read_run_dry_and_write(
    gateway: GatewayUnderTest, url: str, stack: Stack, tmp_path: Path, transport: Transport
) -> None:
    persona_id, tenant = f"p-{uuid4().hex[:16]}", f"t-{uuid4().hex[:16]}"
    await gateway.apply(persona_named(persona_id, tenant))
    async with mcp_client(transport, url, await gateway.token("operator", tenant), tmp_path) as client:
        listed = {each.name: each for each in (await client.list_tools()).tools}
        assert set(listed) == {each.name for each in TOOLS}
        assert all(each.annotations is not None for each in listed.values())
        me = await client.call_tool("whoami", {})
        assert me.structured_content == {"subject": f"token:operator of {tenant}", "role": "operator", "tenant": tenant}

        asked = {"requests": {"persona_id": persona_id, "brief": "ґрати 🐈"}, "idempotency_key": "once"}
        dry = await client.call_tool("send_requests", asked | {"dry_run": True})
        assert (dry.is_error, dry.structured_content["status"]) == (False, "checked")
        assert [
            each for each in await written(stack, "persona.requests", PersonaRequest) if each.persona_id == persona_id
        ] == []

        made = await client.call_tool("send_requests", asked)
        again = await client.call_tool("send_requests", asked)
        assert made.structured_content == again.structured_content
        assert made.structured_content["status"] == "accepted"
    ids = {
        each.event_id
        for each in await written(stack, "persona.requests", PersonaRequest)
        if each.persona_id == persona_id
    }
    assert ids == {made.structured_content["request_id"]}
    audited = [each for each in await written(stack, "gateway.audit", GatewayAudit) if each.tenant == tenant]
    assert [(each.action, each.details) for each in audited] == [
        ("POST /v1/requests", "1 requests, dry run"),
        ("POST /v1/requests", "1 requests"),
        ("POST /v1/requests", "1 requests"),
    ]


@BOTH
async def test_what_the_role_does_not_allow_is_an_error_that_says_what_to_do(
    gateway: GatewayUnderTest, url: str, tmp_path: Path, transport: Transport
) -> None:
    async with mcp_client(transport, url, await gateway.token("viewer"), tmp_path) as client:
        refused = await client.call_tool("send_requests", {"requests": {"persona_id": "ada", "brief": "b"}})
        assert refused.is_error
        assert refused.structured_content["status"] == 403
        assert "needs the role operator" in text_of(refused)
        assert "ask an admin" in text_of(refused)


@BOTH
async def test_errors_of_the_api_and_of_arguments_are_results_and_another_tenants_persona_is_not_there(
    gateway: GatewayUnderTest, url: str, tmp_path: Path, transport: Transport
) -> None:
    await gateway.apply(persona_named("of-another", "acme"))
    async with mcp_client(transport, url, await gateway.token("operator"), tmp_path) as client:
        unknown = await client.call_tool("send_requests", {"requests": [{"persona_id": "of-another", "brief": "b"}]})
        assert (unknown.is_error, unknown.structured_content["status"]) == (True, 404)
        assert unknown.structured_content["errors"][0]["pointer"] == "/0/persona_id"
        wrong = await client.call_tool("list_webhooks", {"limit": 10_000})
        assert (wrong.is_error, wrong.structured_content["status"]) == (True, 422)
        missing = await client.call_tool("list_webhook_deliveries", {"id": "x"})
        assert missing.is_error
        assert "there is no argument id" in text_of(missing)


async def test_without_a_token_that_holds_nothing_is_told(url: str) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    accept = {"accept": "application/json, text/event-stream"}
    async with httpx.AsyncClient(base_url=url, headers=accept) as client:
        for headers in ({}, {"authorization": "Bearer tagw_unknown"}):
            answer = await client.post("/mcp", json=message, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["content-type"] == "application/problem+json"
        assert (await client.get("/mcp")).status_code == 401


async def test_a_body_that_is_too_large_or_no_message_is_refused(gateway: GatewayUnderTest, url: str) -> None:
    headers = {
        "authorization": f"Bearer {await gateway.token('viewer')}",
        "accept": "application/json, text/event-stream",
    }
    async with httpx.AsyncClient(base_url=url, headers=headers) as client:
        json_type = {"content-type": "application/json"}
        assert (await client.post("/mcp", content=b"x" * (2 * 2**20 + 1), headers=json_type)).status_code == 413
        for body in (b"", b"{", b"[]", b"null", b'{"jsonrpc": "2.0"}', "ґ".encode("utf-16")):
            assert 400 <= (await client.post("/mcp", content=body, headers=json_type)).status_code < 500, body


async def test_without_sessions_there_is_nothing_to_wait_for_and_a_get_is_refused(
    gateway: GatewayUnderTest, url: str
) -> None:
    headers = {"authorization": f"Bearer {await gateway.token('viewer')}", "accept": "text/event-stream"}
    async with httpx.AsyncClient(base_url=url, headers=headers) as client:
        for method in ("GET", "DELETE", "PUT"):
            answer = await client.request(method, "/mcp")
            assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
            assert answer.headers["content-type"] == "application/problem+json"


@BOTH
async def test_arguments_lead_to_no_other_operation_and_those_that_no_request_can_hold_are_told(
    gateway: GatewayUnderTest, url: str, tmp_path: Path, transport: Transport
) -> None:
    async with mcp_client(transport, url, await gateway.token("admin"), tmp_path) as client:
        leading = await client.call_tool("get_post", {"persona_id": "..", "post_id": "tokens"})
        assert (leading.is_error, "items" in leading.structured_content) == (True, False)  # no list of tokens
        keyed = {"requests": {"persona_id": "ada", "brief": "b"}, "idempotency_key": "ключ"}
        assert "use ASCII in keys" in text_of(await client.call_tool("send_requests", keyed))
        assert "shorten them" in text_of(await client.call_tool("get_draft", {"draft_id": "x" * 70_000}))
