"""/v1/webhooks: made, shown, tested and removed, each tenant's own alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from agents.webhooks.events import NAMES
from agents.webhooks.settings import WebhookSettings
from tests.conftest import Stack
from tests.support.gateway import GatewayUnderTest, running_gateway
from tests.support.webhook_receiver import Reply, webhook_receiver
from tests.support.webhooks_broker import KEY

URL = "https://tools.example/hook"


@pytest.fixture
async def gateway(stack: Stack) -> AsyncIterator[GatewayUnderTest]:
    """A gateway that delivers to loopback."""
    wanted = WebhookSettings(webhooks_key=SecretStr(KEY), webhooks_allow_private=True, webhooks_subscriptions=3)
    async with running_gateway(stack.settings.having(wanted)) as running:
        yield running


async def admin_of(gateway: GatewayUnderTest) -> httpx.AsyncClient:
    """Return an admin of a tenant that nobody else has."""
    return await gateway.client("admin", f"t-{uuid4().hex[:16]}")


async def test_a_webhook_is_made_shown_tested_and_removed(gateway: GatewayUnderTest) -> None:
    admin = await admin_of(gateway)
    async with webhook_receiver() as receiver:
        made = await admin.post("/v1/webhooks", json={"url": f"{receiver.url}/a"})
        assert made.status_code == 201, made.text
        webhook_id, secret = made.json()["subscription_id"], made.json()["secret"]
        assert made.json()["event_types"] == list(NAMES)
        listed = (await admin.get("/v1/webhooks")).json()
        assert [each["subscription_id"] for each in listed["items"]] == [webhook_id]
        assert "secret" not in listed["items"][0]
        tested = (await admin.post(f"/v1/webhooks/{webhook_id}/test")).json()
        assert (tested["delivered"], tested["status"]) == (True, 204)
        assert receiver.at("/a")[0].verified(secret)["type"] == "webhook.test"
        receiver.always["/a"] = Reply(500)
        tested = (await admin.post(f"/v1/webhooks/{webhook_id}/test")).json()
        assert (tested["delivered"], tested["reason"]) == (False, "the receiver answered 500")
    assert (await admin.get(f"/v1/webhooks/{webhook_id}/deliveries")).json() == {"items": [], "next_cursor": None}
    assert (await admin.delete(f"/v1/webhooks/{webhook_id}")).status_code == 204
    assert (await admin.get("/v1/webhooks")).json()["items"] == []
    assert (await admin.delete(f"/v1/webhooks/{webhook_id}")).status_code == 404


async def test_a_dry_run_checks_everything_and_changes_nothing(gateway: GatewayUnderTest) -> None:
    admin = await admin_of(gateway)
    dry = await admin.post("/v1/webhooks?dry_run=true", json={"url": URL})
    assert (dry.json()["dry_run"], dry.json()["secret"]) == (True, None)
    assert (await admin.post("/v1/webhooks?dry_run=true", json={"url": "ftp://tools.example"})).status_code == 422
    assert (await admin.get("/v1/webhooks")).json()["items"] == []
    webhook_id = (await admin.post("/v1/webhooks", json={"url": URL})).json()["subscription_id"]
    tested = await admin.post(f"/v1/webhooks/{webhook_id}/test?dry_run=true")
    assert (tested.json()["delivered"], tested.json()["dry_run"]) == (False, True)
    assert (await admin.delete(f"/v1/webhooks/{webhook_id}?dry_run=true")).status_code == 204
    assert len((await admin.get("/v1/webhooks")).json()["items"]) == 1


async def test_a_key_makes_one_webhook_with_one_secret_and_another_body_is_refused(gateway: GatewayUnderTest) -> None:
    admin, key = await admin_of(gateway), {"Idempotency-Key": "once"}
    first = await admin.post("/v1/webhooks", json={"url": URL}, headers=key)
    assert (await admin.post("/v1/webhooks", json={"url": URL}, headers=key)).json() == first.json()
    assert len((await admin.get("/v1/webhooks")).json()["items"]) == 1
    other = await admin.post("/v1/webhooks", json={"url": f"{URL}/b"}, headers=key)
    assert other.status_code == 409
    wrong, better = {"url": "ftp://tools.example"}, {"url": f"{URL}/c"}
    statuses = [
        (await admin.post("/v1/webhooks", json=each, headers={"Idempotency-Key": "twice"})).status_code
        for each in (wrong, better)
    ]
    assert statuses == [422, 201]  # of what was refused nothing is kept


async def test_another_tenants_webhook_is_not_there(gateway: GatewayUnderTest) -> None:
    admin, stranger, platform = await admin_of(gateway), await admin_of(gateway), await gateway.client("admin", "*")
    webhook_id = (await admin.post("/v1/webhooks", json={"url": URL})).json()["subscription_id"]
    refused = [
        await stranger.delete(f"/v1/webhooks/{webhook_id}"),
        await stranger.post(f"/v1/webhooks/{webhook_id}/test"),
        await stranger.get(f"/v1/webhooks/{webhook_id}/deliveries"),
    ]
    assert [each.status_code for each in refused] == [404, 404, 404]
    assert (await stranger.get("/v1/webhooks")).json()["items"] == []
    pages = (await platform.get("/v1/webhooks?limit=500")).json()["items"]
    assert webhook_id in {each["subscription_id"] for each in pages}


async def test_pages_go_on_where_the_last_one_ended(gateway: GatewayUnderTest) -> None:
    admin = await admin_of(gateway)
    made = [(await admin.post("/v1/webhooks", json={"url": URL})).json()["subscription_id"] for _ in range(3)]
    seen, cursor = [], ""
    while cursor is not None:
        page = (await admin.get(f"/v1/webhooks?limit=2{cursor and f'&cursor={cursor}'}")).json()
        seen += [each["subscription_id"] for each in page["items"]]
        cursor = page["next_cursor"]
    assert sorted(seen) == sorted(made)
    full = await admin.post("/v1/webhooks", json={"url": URL})
    assert full.status_code == 422
    assert "THREADS_WEBHOOKS_SUBSCRIPTIONS" in full.json()["detail"]


@pytest.mark.parametrize("role", ["viewer", "operator"])
async def test_only_an_admin_sends_events_out_of_the_house(gateway: GatewayUnderTest, role: str) -> None:
    caller = await gateway.client(role)  # type: ignore[arg-type]
    assert (await caller.post("/v1/webhooks", json={"url": URL})).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {"url": "http://169.254.169.254/"},
        {"url": "http://user:password@tools.example/"},
        {"url": URL, "event_types": []},
        {"url": URL, "event_types": ["draft.acepted"]},
        {"url": URL, "secret": "mine"},
        {},
    ],
)
async def test_what_can_not_be_a_webhook_is_a_problem_that_says_why(
    gateway: GatewayUnderTest, body: dict[str, object]
) -> None:
    answer = await (await admin_of(gateway)).post("/v1/webhooks", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


async def test_a_dry_run_of_requests_is_checked_and_leaves_nothing(gateway: GatewayUnderTest) -> None:
    operator = await gateway.client("operator")
    answer = await operator.post("/v1/requests?dry_run=true", json={"persona_id": "nobody-there", "brief": "b"})
    assert answer.status_code == 404
