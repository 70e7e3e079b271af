"""Bounds of what is taken: bodies, rates, origins; and the headers that every answer has."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from agents.gateway.settings import GatewaySettings
from tests.conftest import Stack
from tests.support.gateway import GatewayUnderTest, persona_named, running_gateway

MOST = 10_000
PAGE = "https://board.example"
RSA = generate_private_key(65_537, 2_048)


@pytest.fixture
async def strict(stack: Stack) -> AsyncIterator[GatewayUnderTest]:
    """A gateway whose bounds a test can reach."""
    settings = stack.settings.having(
        GatewaySettings(
            gateway_max_body_bytes=MOST,
            gateway_token_rate="5/hour",
            gateway_address_rate="40/hour",
            gateway_failure_rate="3/hour",
            gateway_cors_origins=PAGE,
        )
    )
    async with running_gateway(settings) as running:
        yield running


async def test_a_body_that_is_too_large_is_a_413_whether_it_says_so_or_not(strict: GatewayUnderTest) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1_000):
            yield b" " * 1_000

    client = await strict.client("operator")
    for body in (b" " * (MOST + 1), endless()):
        answer = await client.post("/v1/requests", content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.headers["connection"]) == (413, "close"), answer.text
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 5_000, "application/json", 400),
        (b'{"persona_id": "\\ud800", "brief": "x"}', "application/json", 400),
        (b'{"persona_id": "a", "brief": NaN}', "application/json", 422),
        (b"9" * 5_000, "application/json", 400),
        (b"[]", "application/json", 422),
        (b"null", "application/json; charset=utf-8", 422),
        (b"persona_id=a", "application/x-www-form-urlencoded", 415),
        (b"{}", "", 415),
    ],
)
async def test_a_body_that_is_no_request_is_refused_with_what_to_do(
    gateway: GatewayUnderTest, body: bytes, media_type: str, status: int
) -> None:
    client = await gateway.client("operator")
    answer = await client.post("/v1/requests", content=body, headers={"Content-Type": media_type})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    assert answer.json()["detail"]


async def test_text_of_any_script_is_taken_as_it_is_but_for_nul(
    gateway: GatewayUnderTest,
) -> None:
    await gateway.apply(persona_named("front-door", name="\u202eمرحبا 👩‍🚀"))
    client = await gateway.client("operator")
    brief = "\u202eשלום <script>alert(1)</script> 👩‍👩‍👧‍👦 \ufffd"
    answer = await client.post("/v1/requests", json={"persona_id": "front-door", "brief": brief})
    assert answer.status_code == 202, answer.text
    answer = await client.post("/v1/requests", json={"persona_id": "front-door", "brief": f"{brief}\x00"})
    assert (answer.status_code, "leave it out" in answer.json()["detail"]) == (422, True)
    answer = await client.post("/v1/requests", json={"persona_id": "\u202e👩", "brief": brief})
    assert answer.status_code == 404


async def test_who_asks_too_often_is_told_when_to_ask_again_and_others_go_on(strict: GatewayUnderTest) -> None:
    busy, calm = await strict.client("viewer"), await strict.client("viewer", "acme")
    statuses = [(await busy.get("/v1/me")).status_code for _ in range(6)]
    assert statuses == [200] * 5 + [429]
    refused = await busy.get("/v1/me")
    assert 0 < int(refused.headers["retry-after"]) <= 3_600
    assert refused.json()["detail"].startswith("this token may make 5 per 1 hour")
    assert (await calm.get("/v1/me")).status_code == 200
    for _ in range(40):
        last = await calm.get("/nowhere")
    assert last.status_code == 429
    assert (await calm.get("/livez")).status_code == 200


async def test_an_address_that_guesses_is_not_heard_but_who_is_known_there_is(strict: GatewayUnderTest) -> None:
    known = await strict.client("viewer")
    assert (await known.get("/v1/me")).status_code == 200
    statuses = []
    for number in range(5):
        guessing = await strict.anonymous(Authorization=f"Bearer tagw_guess{number}")
        statuses.append((await guessing.get("/v1/me")).status_code)
    assert statuses == [401] * 3 + [429] * 2
    assert (await known.get("/v1/me")).status_code == 200


async def test_scripts_of_other_origins_may_call_only_where_the_settings_say_so(
    strict: GatewayUnderTest, gateway: GatewayUnderTest
) -> None:
    asking = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
    allowed = await (await strict.anonymous()).options("/v1/requests", headers=asking)
    assert allowed.headers["access-control-allow-origin"] == PAGE
    assert "access-control-allow-credentials" not in allowed.headers
    for running, origin in ((strict, "https://evil.example"), (gateway, PAGE)):
        client = await running.anonymous()
        for answer in (
            await client.options("/v1/requests", headers={**asking, "Origin": origin}),
            await client.get("/livez", headers={"Origin": origin}),
        ):
            assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", ["/livez", "/v1/me", "/nowhere", "/openapi.json"])
async def test_every_answer_has_the_headers_of_a_careful_server(gateway: GatewayUnderTest, path: str) -> None:
    headers = (await (await gateway.anonymous()).get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert len(headers["x-request-id"]) == 36
    assert "server" not in headers


async def test_keys_of_an_identity_provider_are_looked_up_once_and_again_for_one_that_is_new(stack: Stack) -> None:
    asked, kids = [], ["first"]

    async def keys(_: web.Request) -> web.Response:
        asked.append(1)
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(RSA.public_key()))
        return web.json_response({"keys": [{**public, "kid": kid} for kid in kids]})

    provider = web.Application()
    provider.router.add_get("/keys", keys)
    runner = web.AppRunner(provider)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    wanted = GatewaySettings(
        gateway_jwks_url=f"http://127.0.0.1:{runner.addresses[0][1]}/keys",
        gateway_jwt_issuer="https://id.example",
        gateway_jwt_audience="threads",
    )
    claims = {"iss": "https://id.example", "aud": "threads", "sub": "ada", "exp": 2**32, "role": "operator"}

    def token(kid: str, **changes: Any) -> str:
        return jwt.encode({**claims, **changes}, RSA, "RS256", {"kid": kid})

    async with running_gateway(stack.settings.having(wanted)) as running:

        async def status(shown: str) -> int:
            client = await running.anonymous(Authorization=f"Bearer {shown}")
            return (await client.get("/v1/me")).status_code

        many = [token("first", jti=str(number)) for number in range(20)]
        assert set(await asyncio.gather(*map(status, many))) == {200}
        assert len(asked) == 1
        assert await status(token("second")) == 401
        assert set(await asyncio.gather(*(status(token(f"guess {n}")) for n in range(20)))) == {401}
        assert len(asked) == 1  # it was looked up a moment ago: guesses are no way to make us ask
        browser = await running.anonymous()
        signed_in = await browser.post("/v1/session", json={"token": token("first")})
        assert signed_in.json() == {"subject": "ada", "role": "operator", "tenant": "default"}
        assert (await browser.get("/v1/me")).status_code == 200
    await runner.cleanup()
