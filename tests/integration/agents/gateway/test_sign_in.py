"""Who is let in: tokens, sessions, roles."""

from __future__ import annotations

from uuid import uuid4

import pytest

from agents.gateway.auth.caller import ROLES, RoleName
from agents.gateway.auth.tokens import MOST_SESSIONS
from tests.support.gateway import GatewayUnderTest


@pytest.mark.parametrize("role", ROLES)
async def test_a_token_is_its_role_and_tenant(gateway: GatewayUnderTest, role: RoleName) -> None:
    answer = await (await gateway.client(role, "acme")).get("/v1/me")
    assert answer.json() == {"subject": f"token:{role} of acme", "role": role, "tenant": "acme"}


@pytest.mark.parametrize("shown", [None, "Bearer", "Bearer tagw_unknown", "Basic dXNlcjpwYXNz", "Bearer \u00e9"])
async def test_what_is_no_token_is_refused_with_what_to_do(gateway: GatewayUnderTest, shown: str | None) -> None:
    client = await gateway.anonymous()
    headers = {} if shown is None else {b"Authorization": shown.encode("latin-1")}
    answer = await client.get("/v1/me", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert "threads-agent" in answer.json()["detail"]


async def test_a_viewer_writes_nothing(gateway: GatewayUnderTest) -> None:
    viewer = await gateway.client("viewer")
    answer = await viewer.post("/v1/requests", json={"persona_id": "any", "brief": "any"})
    assert answer.status_code == 403
    assert "needs the role operator" in answer.json()["detail"]


async def test_a_session_signs_a_browser_in_until_it_signs_out(gateway: GatewayUnderTest) -> None:
    browser, page = await gateway.anonymous(), {"X-Threads-Agent": "page"}
    signed_in = await browser.post("/v1/session", json={"token": await gateway.token("operator")})
    assert signed_in.status_code == 200, signed_in.text
    cookie = signed_in.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert (await browser.get("/v1/me")).json()["role"] == "operator"
    assert (await browser.post("/v1/requests", json={})).status_code == 403
    assert (await browser.post("/v1/requests", json={}, headers=page)).status_code == 422
    kept = dict(browser.cookies)
    assert (await browser.delete("/v1/session", headers=page)).status_code == 204
    stolen = await gateway.anonymous(Cookie=f"threads_session={kept['threads_session']}")
    assert (await stolen.get("/v1/me")).status_code == 401


async def test_a_session_makes_no_other_and_the_oldest_of_too_many_ends(gateway: GatewayUnderTest) -> None:
    browser, secret = await gateway.anonymous(), await gateway.token("viewer")
    sessions = []
    for _ in range(MOST_SESSIONS + 1):
        answer = await browser.post("/v1/session", json={"token": secret})
        sessions.append(answer.cookies["threads_session"])
    assert (await browser.post("/v1/session", json={"token": sessions[-1]})).status_code == 401
    statuses = []
    for each in (sessions[0], sessions[1], sessions[-1]):
        client = await gateway.anonymous(Cookie=f"threads_session={each}")
        statuses.append((await client.get("/v1/me")).status_code)
    assert statuses == [401, 200, 200]


async def test_who_signs_in_is_in_the_audit_log(gateway: GatewayUnderTest) -> None:
    tenant = f"t-{uuid4().hex[:16]}"
    await (await gateway.anonymous()).post("/v1/session", json={"token": await gateway.token("viewer", tenant)})
    [told] = [each for each in await gateway.audit() if each.tenant == tenant]
    assert (told.action, told.outcome, told.subject) == ("POST /v1/session", "done", f"token:viewer of {tenant}")
