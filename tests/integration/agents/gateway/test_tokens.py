"""Service tokens by HTTP and by command: made, listed, rotated, revoked, and known everywhere within a moment."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from agents.gateway.auth.caller import ALL_TENANTS
from agents.gateway.auth.first_token import FILE_NAME, ensure_first_token, read_first_token
from agents.gateway.auth.tokens import digest_of, revoked
from streams.wall_clock import utc_now
from tests.conftest import Stack
from tests.support.gateway import GatewayUnderTest, running_gateway
from tests.support.operator_home import Home


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + 20
    while not await condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


@pytest.fixture
async def admin(gateway: GatewayUnderTest) -> httpx.AsyncClient:
    return await gateway.client("admin", "acme")


async def status_of(gateway: GatewayUnderTest, secret: str) -> int:
    client = await gateway.anonymous(Authorization=f"Bearer {secret}")
    return (await client.get("/v1/me")).status_code


async def test_a_token_is_made_with_a_secret_that_is_shown_once(
    gateway: GatewayUnderTest, admin: httpx.AsyncClient
) -> None:
    body = {"name": "нічний 🌙", "role": "operator", "scopes": ["/v1/requests"], "expires_in_days": 7}
    made = await admin.post("/v1/tokens", json=body)
    assert made.status_code == 201, made.text
    secret, token_id = made.json()["secret"], made.json()["token_id"]
    listed = await admin.get("/v1/tokens", params={"limit": 500})
    assert secret not in listed.text
    [shown] = [each for each in listed.json()["items"] if each["token_id"] == token_id]
    assert (shown["name"], shown["role"], shown["tenant"]) == ("нічний 🌙", "operator", "acme")
    assert datetime.fromisoformat(shown["expires_at"]) - datetime.now(UTC) < timedelta(days=7)
    client = await gateway.anonymous(Authorization=f"Bearer {secret}")
    assert (await client.get("/v1/me")).status_code == 403  # not in its scopes
    assert (await client.post("/v1/requests", json={})).status_code == 422


async def test_a_token_opens_nothing_that_its_makers_does_not(
    gateway: GatewayUnderTest, admin: httpx.AsyncClient
) -> None:
    for tenant in (ALL_TENANTS, "other"):
        assert (await admin.post("/v1/tokens", json={"name": "x", "tenant": tenant})).status_code == 403
    secret = await gateway.token("admin", "acme", scopes=("/v1/tokens",))
    scoped = await gateway.anonymous(Authorization=f"Bearer {secret}")
    assert (await scoped.post("/v1/tokens", json={"name": "x", "scopes": ["/v1/requests"]})).status_code == 403
    made = await scoped.post("/v1/tokens", json={"name": "x"})
    assert made.json()["scopes"] == ["/v1/tokens"]


async def test_a_rotation_gives_nobody_the_secret_of_a_token_that_opens_more(
    gateway: GatewayUnderTest, admin: httpx.AsyncClient
) -> None:
    secret = await gateway.token("admin", "acme", scopes=("/v1/tokens",))
    scoped = await gateway.anonymous(Authorization=f"Bearer {secret}")
    for scopes, status in ([[], 403], [["/v1/tokens", "/v1/drafts"], 403], [["/v1/tokens"], 201]):
        token_id = (await admin.post("/v1/tokens", json={"name": "x", "scopes": scopes})).json()["token_id"]
        answer = await scoped.post(f"/v1/tokens/{token_id}/rotate")
        assert answer.status_code == status, answer.text
        assert ("secret" in answer.json()) is (status == 201)


async def test_a_rotated_token_is_good_beside_the_new_one_for_a_while(
    gateway: GatewayUnderTest, admin: httpx.AsyncClient
) -> None:
    old = (await admin.post("/v1/tokens", json={"name": "x"})).json()
    new = (await admin.post(f"/v1/tokens/{old['token_id']}/rotate", params={"overlap_hours": 1})).json()
    assert [await status_of(gateway, each["secret"]) for each in (old, new)] == [200, 200]
    last = (await admin.post(f"/v1/tokens/{new['token_id']}/rotate", params={"overlap_hours": 0})).json()
    assert [await status_of(gateway, each["secret"]) for each in (new, last)] == [401, 200]


async def test_a_revoked_token_is_refused_by_every_gateway_and_after_a_restart(
    stack: Stack, gateway: GatewayUnderTest, admin: httpx.AsyncClient
) -> None:
    made = (await admin.post("/v1/tokens", json={"name": "x"})).json()
    async with running_gateway(stack.settings) as other:
        assert await status_of(other, made["secret"]) == 200
        assert (await admin.delete(f"/v1/tokens/{made['token_id']}")).status_code == 204
        assert await status_of(gateway, made["secret"]) == 401

        async def is_refused() -> bool:
            return await status_of(other, made["secret"]) == 401

        await until(is_refused)
    async with running_gateway(stack.settings) as restarted:
        assert await status_of(restarted, made["secret"]) == 401
    refused = await admin.post(f"/v1/tokens/{made['token_id']}/rotate")
    assert refused.status_code == 409


async def test_the_last_use_is_told_and_does_not_undo_a_revocation(
    gateway: GatewayUnderTest, admin: httpx.AsyncClient
) -> None:
    made = (await admin.post("/v1/tokens", json={"name": "x"})).json()
    assert made["last_used_at"] is None
    assert await status_of(gateway, made["secret"]) == 200
    await admin.delete(f"/v1/tokens/{made['token_id']}")

    async def is_told() -> bool:
        items = (await admin.get("/v1/tokens", params={"limit": 500})).json()["items"]
        return any(each["token_id"] == made["token_id"] and each["last_used_at"] for each in items)

    await until(is_told)
    assert await status_of(gateway, made["secret"]) == 401


async def test_commands_make_list_rotate_and_revoke_tokens_without_a_gateway(
    stack: Stack, gateway: GatewayUnderTest
) -> None:
    home = Home(stack.home)

    async def run(*arguments: str) -> str:
        done = await asyncio.to_thread(home.run, "tokens", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    made = json.loads(await run("create", "--name", "by hand", "--role", "operator", "--tenant", "acme", "--json"))
    assert await status_of(gateway, made["secret"]) == 200
    new = (await run("rotate", made["token_id"], "--overlap-hours", "0")).strip()
    assert await status_of(gateway, new) == 200
    listed = {each["token_id"] for each in json.loads(await run("list", "--json")) if each["name"] == "by hand"}
    [token_id] = listed - {made["token_id"]}
    assert token_id in await run("list")
    await run("revoke", token_id)

    async def is_refused() -> bool:
        return await status_of(gateway, new) == 401

    await until(is_refused)
    unknown = await asyncio.to_thread(home.run, "tokens", "revoke", "nothing")
    assert unknown.returncode == 2
    assert "there is no token 'nothing'" in unknown.stderr
    assert len(unknown.stderr.splitlines()) == 1


async def test_a_first_token_that_was_revoked_is_replaced_and_never_made_good_again(
    gateway: GatewayUnderTest, tmp_path: Path
) -> None:
    store = gateway.state.tokens
    await ensure_first_token(tmp_path, store)
    first = read_first_token(tmp_path)
    await ensure_first_token(tmp_path, store)
    assert first is not None
    assert read_first_token(tmp_path) == first
    token = store.book.with_digest(digest_of(first))
    assert token is not None
    await store.write(revoked(token, utc_now()))
    await ensure_first_token(tmp_path, store)
    second = read_first_token(tmp_path)
    assert second is not None
    assert [await status_of(gateway, each) for each in (first, second)] == [401, 200]
    store.book.forget(token.token_id)  # as it is a month later
    (tmp_path / FILE_NAME).write_text(first)
    await ensure_first_token(tmp_path, store)
    assert store.book.with_digest(digest_of(first)) is None
