"""Tenants: what belongs to one is not there for another, on every route of the table, also those that come later.

A route whose template has a parameter that is not known here fails the test: say what of another tenant it may name.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import pytest

from agents.deduplication.reasons import duplicate_reason
from agents.gateway.access import RULES, Rule
from agents.gateway.auth.caller import ALL_TENANTS
from schemas.records import PostState
from streams.engine.stage import Output
from tests.support.gateway import GatewayUnderTest, persona_named
from tests.support.postgres_tables import write
from tests.support.sink_batches import columns, decided, draft, engagement, kpi, rows

CANARY = f"canary-{uuid4().hex[:12]}"
"""In the name of everything that the other tenant has; nobody else is ever told it."""

TOPIC = "persona.requests"  # which has a record of the other tenant's
READS = sorted(key for key, rule in RULES.items() if key[0] == "GET" and not rule.is_public)
WRITES = sorted(key for key, rule in RULES.items() if key[0] not in ("GET", "*") and not rule.is_public)
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/v1/requests"): {"persona_id": CANARY, "brief": "theirs"},
    ("POST", "/task"): {"persona_id": CANARY, "pain_statement": "theirs"},
    ("POST", "/v1/engagement"): {"persona_id": CANARY, "kind": "like"},
    ("POST", "/v1/drafts/{draft_id}/reject"): {"reason": "theirs"},
    ("POST", "/v1/publications/{publication_id}/reject"): {"reason": "theirs"},
    ("PUT", "/v1/personas/{persona_id}"): persona_named(CANARY).model_dump(mode="json", exclude_defaults=True),
}
"""Bodies of writes that name what is the other tenant's; a write that names it by its path needs none."""
MAKES = {("PUT", "/v1/personas/{persona_id}")}
"""Writes that make what is not there: ids of personas are one name space, and one that is taken is refused as a 404."""


async def materialized(gateway: GatewayUnderTest) -> dict[str, str]:
    """Put what the other tenant has into PostgreSQL, in every table that has a persona."""
    dsn = gateway.settings.postgres_dsn
    assert dsn is not None
    draft_id, post_id = f"draft of {CANARY}", f"post of {CANARY}"
    theirs = replace(draft(0, CANARY), draft_id=draft_id, persona_id=CANARY, request_id=f"request of {CANARY}")
    accepted = replace(decided(0, "accepted"), persona_id=CANARY, draft=theirs)
    state = PostState(
        event_id=f"state of {CANARY}",
        occurred_at=accepted.occurred_at,
        persona_id=CANARY,
        publication_id=f"publication of {CANARY}",
        sequence=1,
        state="proposed",
        platform="threads",
        text=CANARY,
        content_digest="0" * 64,
    )
    of_post = {"persona_id": [CANARY], "event_id": [f"event of {CANARY}"], "post_id": [post_id]}
    published = {"draft_id": [draft_id], "text": [CANARY], "source": ["threads"], "simulated": [False]}
    await write(
        dsn.get_secret_value(),
        [
            rows("drafts.accepted", 0, [accepted]),
            rows("posts.states", 0, [state]),
            rows("kpi.updates", 0, [replace(kpi("24h", 1, 10), persona_id=CANARY)]),
            columns("posts.published", of_post | published),
            engagement(0, [f"e of {CANARY}"], persona_id=CANARY, post_id=[post_id]),
        ],
    )
    made = {"draft_id": draft_id, "post_id": post_id, "letter_id": f"letter of {CANARY}"}
    return made | {"publication_id": state.publication_id}


async def theirs(gateway: GatewayUnderTest) -> dict[str, str]:
    """Make what the other tenant has, and return it by the name of a path's parameter."""
    await gateway.apply(persona_named(CANARY, tenant="canaries", name=CANARY))
    admin = await gateway.client("admin", "canaries")
    asked = await admin.post("/v1/requests", json={"persona_id": CANARY, "brief": CANARY})
    assert asked.status_code == 202, asked.text
    token = (await admin.post("/v1/tokens", json={"name": CANARY})).json()
    webhook = (await admin.post("/v1/webhooks", json={"url": f"https://tools.example/{CANARY}"})).json()
    made = {
        "persona_id": CANARY,
        "token_id": token["token_id"],
        "request_id": asked.json()["request_id"],
        "subscription_id": webhook["subscription_id"],
    }
    return made | await materialized(gateway)


def path_of(template: str, names: dict[str, str]) -> str:
    """Return a path with everything in it that is the other tenant's."""
    return template.format(**names, topic=TOPIC)


def names_theirs(template: str) -> bool:
    """Tell whether a path names a thing that has a tenant: a topic has none, its records have."""
    return "{" in template.replace("{topic}", TOPIC)


def told(answer: httpx.Response, names: dict[str, str]) -> list[str]:
    """Return what of the other tenant an answer tells, beyond what the request named itself."""
    named = answer.request.url.path + answer.request.content.decode()
    return [each for each in {CANARY, *names.values()} if each in answer.text and each not in named]


@pytest.fixture
async def names(gateway: GatewayUnderTest) -> dict[str, str]:
    return await theirs(gateway)


async def test_no_read_tells_of_another_tenant(gateway: GatewayUnderTest, names: dict[str, str]) -> None:
    stranger = await gateway.client("admin", "strangers")
    for method, template in READS:
        answer = await stranger.request(method, path_of(template, names), params={"persona": CANARY})
        assert answer.status_code < 500, (template, answer.text)
        assert told(answer, names) == [], (template, answer.text)
        if names_theirs(template):
            assert answer.status_code in (403, 404), (template, answer.text)


async def test_a_duplicate_of_another_tenants_draft_does_not_say_whose_it_was(gateway: GatewayUnderTest) -> None:
    mine, draft_id = f"mine-{uuid4().hex[:8]}", f"repeated-{uuid4().hex[:8]}"
    await gateway.apply(persona_named(mine, tenant="strangers"), persona_named(CANARY, tenant="canaries"))
    reasons = (duplicate_reason("the same text as", "a", CANARY), duplicate_reason("the same text as", "b", mine))
    repeated = replace(decided(1, "rejected", reasons=reasons), event_id=draft_id, persona_id=mine)
    repeated = replace(repeated, draft=replace(repeated.draft, draft_id=draft_id, persona_id=mine))
    dsn = gateway.settings.postgres_dsn
    assert dsn is not None
    await write(dsn.get_secret_value(), [rows("drafts.rejected", 0, [repeated])])
    await gateway.state.appender.append([Output("drafts.rejected", repeated)])
    searched = f"/v1/topics/drafts.rejected/records?contains={CANARY}&persona={mine}"
    for tenant, found in (("strangers", 0), (ALL_TENANTS, 1)):
        answer = await (await gateway.client("viewer", tenant)).get(searched)
        assert len(answer.json()["items"]) == found
    paths = ("/v1/drafts", f"/v1/drafts/{draft_id}", "/v1/topics/drafts.rejected/records")
    for tenant, told_all in (("strangers", False), (ALL_TENANTS, True)):
        client = await gateway.client("viewer", tenant)
        for path in paths:
            answer = await client.get(path, params={"persona": mine})
            assert f"draft b of persona {mine}" in answer.text, path
            assert (CANARY in answer.text, "draft a of another tenant" in answer.text) == (told_all, not told_all), path


async def test_no_write_reaches_another_tenant(gateway: GatewayUnderTest, names: dict[str, str]) -> None:
    stranger = await gateway.client("admin", "strangers")
    for method, template in WRITES:
        if not names_theirs(template) and (method, template) not in BODIES:
            continue
        answer = await stranger.request(method, path_of(template, names), json=BODIES.get((method, template)))
        assert answer.status_code in (403, 404, 422), (method, template, answer.text)
        assert told(answer, names) == [], (template, answer.text)


async def test_what_is_anothers_and_what_is_not_there_answer_alike(
    gateway: GatewayUnderTest, names: dict[str, str]
) -> None:
    stranger = await gateway.client("admin", "strangers")
    absent = {name: f"{value[:-3]}zzz" for name, value in names.items()}
    for method, template in [key for key in (*READS, *WRITES) if names_theirs(key[1]) and key not in MAKES]:
        answers = [
            await stranger.request(method, path_of(template, each), json=BODIES.get((method, template)))
            for each in (names, absent)
        ]
        assert answers[0].status_code == answers[1].status_code, template
        details = [
            " ".join(each for each in answer.json().get("detail", "").split() if "'" not in each) for answer in answers
        ]
        assert details[0] == details[1], template


async def test_those_of_all_tenants_see_it(gateway: GatewayUnderTest, names: dict[str, str]) -> None:
    everybody = await gateway.client("admin", ALL_TENANTS)
    lists = ("tokens", "drafts", "posts", "publications", "kpis", "kpis/daily", "personas")
    for path in lists:
        assert CANARY in (await everybody.get(f"/v1/{path}", params={"limit": 500})).text, path
    request = {"persona_id": CANARY, "brief": "by the platform's admin"}
    assert (await everybody.post("/v1/requests", json=request)).status_code == 202


async def test_the_platforms_own_is_for_callers_of_all_tenants_alone(gateway: GatewayUnderTest) -> None:
    stranger = await gateway.client("admin", "strangers")
    for (method, template), rule in RULES.items():
        if rule.tenants == "platform":
            path = template.replace("{", "").replace("}", "")
            assert (await stranger.request(method, path)).status_code == 403, template


@pytest.mark.parametrize("rule_at", sorted(RULES), ids=" ".join)
async def test_every_route_asks_for_its_role(gateway: GatewayUnderTest, rule_at: tuple[str, str]) -> None:
    rule: Rule = RULES[rule_at]
    method, template = ("GET" if rule_at[0] == "*" else rule_at[0]), rule_at[1].replace("{", "").replace("}", "")
    anonymous = await gateway.anonymous()
    answer = await anonymous.request(method, template)
    assert (answer.status_code == 401) is not rule.is_public, answer.text
    if rule.role in ("operator", "admin"):
        below = await gateway.client("viewer" if rule.role == "operator" else "operator", ALL_TENANTS)
        answer = await below.request(method, template)
        assert (answer.status_code, rule.role in answer.json()["detail"]) == (403, True)


async def test_a_write_is_in_the_audit_log_whatever_came_of_it(gateway: GatewayUnderTest) -> None:
    await gateway.apply(persona_named("front-door"))
    operator = await gateway.client("operator")
    done = await operator.post("/v1/requests", json={"persona_id": "front-door", "brief": "x"})
    refused = await operator.post("/v1/requests", json={"persona_id": "front-door"})
    forbidden = await (await gateway.client("viewer")).post("/v1/requests", json={})
    wanted = {
        done.headers["x-request-id"]: ("done", 202, "1 requests"),
        refused.headers["x-request-id"]: ("refused", 422, None),
        forbidden.headers["x-request-id"]: ("refused", 403, None),
    }
    until = time.monotonic() + 20
    while True:
        records = {each.request_id: each for each in await gateway.audit()}
        found = {name: (each.outcome, each.status, each.details) for name, each in records.items() if name in wanted}
        if found == wanted:
            break
        assert time.monotonic() < until, found
        await asyncio.sleep(0.05)
    record = records[done.headers["x-request-id"]]
    assert (record.tenant, record.subject, record.role) == ("default", "token:operator of default", "operator")
    assert (record.action, record.target, record.address) == ("POST /v1/requests", "/v1/requests", "127.0.0.1")
