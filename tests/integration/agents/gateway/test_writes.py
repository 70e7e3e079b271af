"""What is written by way of the gateway: reviews, personas, engagement and tasks, and what of it is refused."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from typing import Any
from uuid import uuid4

import fastavro
import httpx
import pytest
import yaml
from pydantic import SecretStr

from agents.gateway.routes.engagement import MOST_EVENTS
from agents.personas.persona_file import PersonaFileError, read_personas
from schemas.catalogue import topic_named
from schemas.codec.record_dicts import to_dict
from schemas.codec.rows import RowCodec
from schemas.definitions import definition
from schemas.records import DraftReviewed, EngagementEvent, PersonaRequest, Record
from schemas.registries.registry import open_registry
from streams.engine.batch import Row, RowBatch, TopicPartition
from streams.kafka.log_reader import read_range
from streams.kafka.topic_tail import WHOLE, TopicTail
from tests.conftest import Stack
from tests.support.gateway import GatewayUnderTest, persona_named, running_gateway
from tests.support.postgres_tables import query, write
from tests.support.sink_batches import decided, draft, rows

STRANGE = "🙅 \u202eלא כך\u202c ñ"
ENGAGEMENT = topic_named("engagement.events")


@pytest.fixture
async def written(stack: Stack, dsn: str) -> AsyncIterator[GatewayUnderTest]:
    """A gateway on a database of the test's own that has its tables."""
    await write(dsn, [])
    settings = stack.settings.model_copy(update={"postgres_dsn": SecretStr(dsn)})
    async with running_gateway(settings) as running:
        await running.apply(persona_named("nova"), persona_named("theirs", tenant="acme"))
        yield running


@pytest.fixture
async def operator(written: GatewayUnderTest) -> httpx.AsyncClient:
    return await written.client("operator")


def dsn_of(gateway: GatewayUnderTest) -> str:
    assert gateway.settings.postgres_dsn is not None
    return gateway.settings.postgres_dsn.get_secret_value()


async def on_topic(stack: Stack, topic: str, kind: type[Record]) -> list[Any]:
    """Return all records of a row topic."""
    tail = TopicTail(stack.cluster, open_registry(None), {topic_named(topic): WHOLE}, kind)
    try:
        return list(await tail.news())
    finally:
        await tail.close()


async def some_draft(gateway: GatewayUnderTest, text: str = "Hook\nand body", *, is_decided: bool = True) -> str:
    """Put a draft into PostgreSQL and return its id."""
    made = replace(draft(0, text), draft_id=str(uuid4()))
    batch = (
        rows("drafts.accepted", 0, [replace(decided(0, "accepted"), draft=made)])
        if is_decided
        else rows("drafts.generated", 0, [made])
    )
    await write(dsn_of(gateway), [batch])
    return made.draft_id


async def reviews_of(stack: Stack, draft_id: str) -> list[DraftReviewed]:
    found = await on_topic(stack, "drafts.reviews", DraftReviewed)
    return [each for each in found if each.draft_id == draft_id]


async def materialize(dsn: str, reviews: Sequence[DraftReviewed], order: Sequence[int]) -> None:
    """Write reviews, which stand in the log as they are listed, in another order."""
    source = TopicPartition("drafts.reviews", 0)
    await write(dsn, [RowBatch(source, [Row(number, reviews[number])]) for number in order])


async def test_a_review_is_an_event_and_stands_until_it_is_replaced(
    stack: Stack, written: GatewayUnderTest, operator: httpx.AsyncClient
) -> None:
    draft_id = await some_draft(written)
    path = f"/v1/drafts/{draft_id}"
    first = await operator.post(f"{path}/accept", json={"reason": STRANGE})
    assert first.status_code == 202, first.text
    assert (await operator.post(f"{path}/accept")).json() == first.json()
    other = await operator.post(f"{path}/reject", json={"reason": "no"})
    assert (other.status_code, other.json()["type"]) == (409, "already-reviewed")
    assert "token:operator of default accepted this draft" in other.json()["detail"]
    replaced = await operator.post(f"{path}/reject", json={"reason": "no", "supersede": True})
    assert (replaced.status_code, replaced.json()["revision"]) == (202, 2)
    one, two = await reviews_of(stack, draft_id)
    assert (one.event_id, one.decision, one.reason, one.revision) == (first.json()["event_id"], "accepted", STRANGE, 1)
    assert (two.decision, two.revision, two.reviewed_by) == ("rejected", 2, "token:operator of default")
    await materialize(dsn_of(written), [one, two], (1, 0))
    shown = (await operator.get(path)).json()
    assert (shown["review"]["event_id"], shown["decision"]) == (two.event_id, "accepted")
    assert (await operator.get("/v1/drafts")).json()["items"] == [shown]


async def test_of_two_that_decide_at_once_the_first_in_the_log_stands(
    stack: Stack, written: GatewayUnderTest, operator: httpx.AsyncClient
) -> None:
    draft_id = await some_draft(written)
    async with running_gateway(written.settings) as second:
        elsewhere = await second.client("operator")
        answers = [
            await operator.post(f"/v1/drafts/{draft_id}/accept"),
            await elsewhere.post(f"/v1/drafts/{draft_id}/reject", json={"reason": "too late"}),
        ]
    assert [(each.status_code, each.json()["revision"]) for each in answers] == [(202, 1), (202, 1)]
    logged = await reviews_of(stack, draft_id)
    assert [each.decision for each in logged] == ["accepted", "rejected"]
    third = replace(logged[0], event_id="third", revision=2, decision="rejected")
    for number, order in enumerate(permutations(range(3))):
        of_draft = [replace(each, draft_id=f"{draft_id}-{number}") for each in (*logged, third)]
        await materialize(dsn_of(written), of_draft[:2], [each for each in order if each < 2])
        assert standing(written, of_draft[0].draft_id) == logged[0].event_id
        await materialize(dsn_of(written), of_draft, order)
        assert standing(written, of_draft[0].draft_id) == "third"


def standing(gateway: GatewayUnderTest, draft_id: str) -> str:
    found = query(dsn_of(gateway), f"SELECT event_id FROM draft_reviews_in_force WHERE draft_id = '{draft_id}'")
    [(event_id,)] = found
    return str(event_id)


async def test_of_two_at_one_gateway_the_first_in_the_log_is_told_before_postgresql_has_it(
    stack: Stack, written: GatewayUnderTest, operator: httpx.AsyncClient
) -> None:
    path = f"/v1/drafts/{await some_draft(written)}"
    verdicts = [operator.post(f"{path}/{verb}", json={"reason": "at once"}) for verb in ("accept", "reject") * 3]
    answers = await asyncio.gather(*verdicts)
    assert {each.status_code for each in answers} <= {202, 409}
    first = (await reviews_of(stack, path.rpartition("/")[2]))[0]
    shown = (await operator.get(path)).json()["review"]
    assert (shown["event_id"], shown["revision"]) == (first.event_id, 1)


async def test_a_review_is_of_the_text_that_was_looked_at(
    written: GatewayUnderTest, operator: httpx.AsyncClient
) -> None:
    draft_id = await some_draft(written)
    path = f"/v1/drafts/{draft_id}"
    seen = await operator.get(path)
    etag, digest = seen.headers["etag"], seen.json()["content_digest"]
    changed = await operator.post(f"{path}/accept", json={"content_digest": "0" * 64})
    assert (changed.status_code, changed.json()["type"]) == (409, "draft-changed")
    taken = await operator.post(f"{path}/accept", json={"content_digest": digest}, headers={"If-Match": etag})
    assert taken.status_code == 202, taken.text
    stale = await operator.post(f"{path}/reject", json={"reason": "no"}, headers={"If-Match": etag})
    assert (stale.status_code, stale.json()["type"]) == (409, "draft-changed")
    newer = (await operator.get(path)).headers["etag"]
    replaced = await operator.post(f"{path}/reject", json={"reason": "no"}, headers={"If-Match": newer})
    assert (replaced.status_code, replaced.json()["revision"]) == (202, 2)
    undecided = await some_draft(written, is_decided=False)
    early = await operator.post(f"/v1/drafts/{undecided}/accept")
    assert (early.status_code, early.json()["type"]) == (409, "not-decided")


REFUSED_REVIEWS: list[tuple[str, bytes, int]] = [
    ("accept", b'{"reason": "a\\u0000b"}', 422),
    ("accept", b'{"reason": "\\ud800"}', 422),
    ("accept", b'{"content_digest": "no digest"}', 422),
    ("accept", b'{"supersede": "perhaps"}', 422),
    ("accept", b'{"becaus": "x"}', 422),
    ("accept", b'{"\\ud800": 1}', 422),
    ("accept", b"[]", 422),
    ("accept", b"{", 400),
    ("reject", b"{}", 422),
    ("reject", b'{"reason": ""}', 422),
    ("reject", b'{"reason": null}', 422),
]


async def test_reviews_that_can_not_be_taken_leave_nothing(
    stack: Stack, written: GatewayUnderTest, operator: httpx.AsyncClient
) -> None:
    draft_id = await some_draft(written)
    for verb, body, status in REFUSED_REVIEWS:
        answer = await operator.post(
            f"/v1/drafts/{draft_id}/{verb}", content=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == status, (verb, body, answer.text)
    stranger = await written.client("operator", "acme")
    assert (await stranger.post(f"/v1/drafts/{draft_id}/accept")).status_code == 404
    assert await reviews_of(stack, draft_id) == []


def persona(persona_id: str, **changes: object) -> dict[str, Any]:
    """Return a definition as a user writes it, without what has a default."""
    fields = persona_named(persona_id).model_dump(mode="json", exclude_defaults=True)
    return {**fields, **changes}


@pytest.mark.parametrize("kind", ["application/json", "application/yaml"])
async def test_a_persona_is_applied_read_and_removed(
    written: GatewayUnderTest, operator: httpx.AsyncClient, kind: str
) -> None:
    name = f"p-{uuid4().hex[:8]}"
    content = persona(name, name=STRANGE, voice="👩‍🚀 مرحبا")
    body = json.dumps(content) if kind == "application/json" else yaml.safe_dump(content, allow_unicode=True)

    async def put(**parameters: str) -> Any:
        answer = await operator.put(
            f"/v1/personas/{name}", content=body.encode(), headers={"Content-Type": kind}, params=parameters
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    tried = await put(dry_run="true")
    assert (tried["changed"], tried["applied"]) == (True, False)
    assert (await operator.get(f"/v1/personas/{name}")).status_code == 404
    applied = await put()
    assert (applied["applied"], applied["version"]) == (True, tried["version"])
    shown = (await operator.get(f"/v1/personas/{name}")).json()
    assert (shown["version"], shown["definition"]["name"]) == (applied["version"], STRANGE)
    assert (await put())["applied"] is False
    assert name in {each["persona_id"] for each in (await operator.get("/v1/personas?limit=500")).json()["items"]}
    again = await operator.put(f"/v1/personas/{name}", json=shown["definition"])
    assert (again.status_code, again.json()["changed"]) == (200, False)
    stranger = await written.client("operator", "acme")
    assert (await stranger.get(f"/v1/personas/{name}")).status_code == 404
    assert (await stranger.put(f"/v1/personas/{name}", json=persona(name))).status_code == 404
    assert (await stranger.delete(f"/v1/personas/{name}")).status_code == 404
    assert (await operator.delete(f"/v1/personas/{name}")).status_code == 204
    assert (await operator.get(f"/v1/personas/{name}")).status_code == 404
    assert (await operator.delete(f"/v1/personas/{name}")).status_code == 404


async def test_a_persona_is_of_the_tenant_that_puts_it(written: GatewayUnderTest) -> None:
    theirs, name = await written.client("operator", "acme"), f"p-{uuid4().hex[:8]}"
    assert (await theirs.put(f"/v1/personas/{name}", json=persona(name))).json()["definition"]["tenant"] == "acme"
    refused = await theirs.put(f"/v1/personas/{name}-2", json=persona(f"{name}-2", tenant="default"))
    assert [each["pointer"] for each in refused.json()["errors"]] == ["/tenant"]
    everybody = await written.client("operator", "*")
    kept = await everybody.put(f"/v1/personas/{name}", json=persona(name, voice="drier"))
    assert kept.json()["definition"]["tenant"] == "acme"


async def test_problems_of_a_persona_are_those_of_its_file_each_with_its_path(
    operator: httpx.AsyncClient, tmp_path: Path
) -> None:
    wrong = persona("wrong", temperature=9, voic="typo", languages=["english"], examples=[{"hook": "h", "body": ""}])
    del wrong["voice"]
    file = tmp_path / "wrong.yaml"
    file.write_text(yaml.safe_dump({"personas": [wrong]}), encoding="utf-8")
    with pytest.raises(PersonaFileError) as told:
        read_personas([file])
    answer = await operator.put("/v1/personas/wrong", json=wrong)
    assert answer.status_code == 422
    errors = answer.json()["errors"]
    assert {each["pointer"] for each in errors} >= {
        "/voice",
        "/voic",
        "/temperature",
        "/languages/0",
        "/examples/0/brief",
    }
    assert all(each["detail"] in str(told.value) for each in errors)
    assert f"correct {len(errors)} problem(s)" in str(told.value)
    checked = await operator.post("/v1/personas/check", json={"personas": [persona("fine"), wrong]})
    assert (checked.json()["valid"], checked.json()["personas"]) == (False, [])
    assert [each["pointer"] for each in checked.json()["problems"]] == [
        f"/personas/1{each['pointer']}" for each in errors
    ]
    assert (await operator.post("/v1/personas/check", json=persona("fine"))).json()["valid"] is True


BAD_PERSONAS: list[tuple[str, bytes, int]] = [
    ("application/json", b"{", 400),
    ("application/json", b"\xff\xfe", 400),
    ("application/json", b"[" * 100_000, 400),
    ("application/json", b'"text"', 422),
    ("application/json", b'{"voice": "a", "voice": "b"}', 422),
    ("application/json", b'{"voice": "\\u0000", "name": "\\ud800"}', 422),
    ("application/json", b'{"temperature": 1e999}', 422),
    ("application/json", b'{"\\ud800": 1}', 422),
    ("application/json", b'{"\\ud800": 1, "\\ud800": 2}', 422),
    ("application/yaml", b'voice: "\\ud800"', 422),
    ("application/yaml", b'"\\ud800": 1\n"\\ud800": 2', 422),
    ("application/yaml", b"a: [", 400),
    ("application/yaml", b"a: &x [1]\nb: *x", 400),
    ("application/yaml", b'voice: "\\0"', 422),
    ("application/yaml", b"voice: a\nvoice: b", 422),
    ("application/xml", b"<persona/>", 415),
]


async def test_what_is_no_persona_is_refused(operator: httpx.AsyncClient) -> None:
    for kind, body, status in BAD_PERSONAS:
        answer = await operator.put("/v1/personas/any", content=body, headers={"Content-Type": kind})
        assert answer.status_code == status, (kind, body[:40], answer.text)
    other = await operator.put("/v1/personas/any", json=persona("other"))
    assert [each["pointer"] for each in other.json()["errors"]] == ["/persona_id"]
    assert (await operator.put("/v1/personas/Not An Id", json=persona("x"))).status_code == 422


def event(number: int, **changes: Any) -> dict[str, Any]:
    base = {"event_id": f"{uuid4()}", "occurred_at": "2026-11-22T09:30:15.250Z", "persona_id": "nova", "kind": "like"}
    return {**base, "post_id": f"post-{number}", "source": STRANGE, **changes}


def record(number: int, **changes: Any) -> EngagementEvent:
    fields = event(number) | {"occurred_at": datetime(2026, 11, 22, 9, 30, tzinfo=UTC)} | changes
    return EngagementEvent(**fields)


async def engaged(stack: Stack, ids: Sequence[str]) -> dict[str, EngagementEvent]:
    """Return the events of these ids on the topic, the last of each."""
    codec, found = RowCodec(open_registry(None)), dict[str, EngagementEvent]()
    async for _, block in read_range(stack.cluster, ENGAGEMENT.name):
        for each in block:
            decoded = codec.decode(ENGAGEMENT, each.value)
            assert isinstance(decoded, EngagementEvent)
            if decoded.event_id in ids:
                found[decoded.event_id] = decoded
    return found


async def test_events_of_any_form_are_on_the_topic(stack: Stack, operator: httpx.AsyncClient) -> None:
    codec, container = RowCodec(open_registry(None)), io.BytesIO()
    sent = [record(number) for number in range(3)]
    fastavro.writer(container, definition("EngagementEvent"), [to_dict(each) for each in sent[1:2]])
    forms = [
        (json.dumps([event(0, event_id=sent[0].event_id)]).encode(), "application/json; charset=utf-8"),
        (container.getvalue(), "application/avro"),
        (codec.encode(ENGAGEMENT, sent[2]), "application/vnd.confluent.avro"),
    ]
    for body, kind in forms:
        answer = await operator.post("/v1/engagement", content=body, headers={"Content-Type": kind})
        assert (answer.status_code, answer.json()["accepted"]) == (202, 1), answer.text
    one = await operator.post("/v1/engagement", json=event(9))
    assert one.status_code == 202, one.text
    found = await engaged(stack, [each.event_id for each in sent])
    assert set(found) == {each.event_id for each in sent}
    assert {each.source for each in found.values()} == {STRANGE}
    assert found[sent[2].event_id] == sent[2]


async def test_events_without_ids_get_those_of_their_key(stack: Stack, operator: httpx.AsyncClient) -> None:
    body = [event(number, event_id=None) for number in range(3)]
    key = {"Idempotency-Key": str(uuid4())}
    first, second = [await operator.post("/v1/engagement", json=body, headers=key) for _ in range(2)]
    assert (first.status_code, first.json()) == (202, second.json())
    assert len(set(first.json()["event_ids"])) == 3
    assert set(await engaged(stack, first.json()["event_ids"])) == set(first.json()["event_ids"])
    other = await operator.post("/v1/engagement", json=body[:1], headers=key)
    assert (other.status_code, other.json()["type"]) == (409, "idempotency-key-reused")
    assert (await operator.post("/v1/engagement", json=body)).json()["event_ids"] != first.json()["event_ids"]


def listed(*events: dict[str, Any]) -> bytes:
    return json.dumps(list(events)).encode()


JSON, FRAMES, CONTAINER = "application/json", "application/vnd.confluent.avro", "application/avro"
PERSONAS_1_2 = ["/1/persona_id", "/2/persona_id"]
BAD_EVENTS: list[tuple[str, bytes, int, list[str]]] = [
    (JSON, listed(event(0), event(1, kind="applause")), 422, ["/1/kind"]),
    (JSON, listed(event(0, count=-1), event(1), event(2, count=10**30)), 422, ["/0", "/2"]),
    (JSON, listed(event(0, count=-1), event(1), event(2, count=10**13)), 422, ["/0", "/2"]),
    (JSON, listed(event(0, count=1.5)), 422, ["/0/count"]),
    (JSON, listed(event(0, occurred_at=1_700_000_000)), 422, ["/0/occurred_at"]),
    (JSON, listed(event(0, occurred_at="yesterday")), 422, ["/0/occurred_at"]),
    (JSON, listed(event(0, occurred_at="0001-01-01T00:00:00Z")), 422, ["/0"]),
    (JSON, listed(event(0, source="a\x00")), 422, ["/0/source"]),
    (JSON, listed(event(0, post_id="x" * 501)), 422, ["/0/post_id"]),
    (JSON, listed(event(0, kinds="like")), 422, ["/0/kinds"]),
    (JSON, json.dumps(event(0, persona_id=None)).encode(), 422, ["/persona_id"]),
    (JSON, listed(event(0), event(1, persona_id="theirs"), event(2, persona_id="nobody")), 404, PERSONAS_1_2),
    (JSON, b'[{"persona_id": "\\ud800", "kind": "like"}]', 400, []),
    (JSON, b"[]", 422, []),
    (JSON, b"{]", 400, []),
    (JSON, b"", 400, []),
    (JSON, b"[" * 100_000, 400, []),
    (FRAMES, b"", 422, []),
    (FRAMES, b"\x00\x00\x00\x00\x07", 400, []),
    (FRAMES, b"{}", 400, []),
    (CONTAINER, b"Obj\x01", 400, []),
    ("text/csv", b"a,b", 415, []),
]


async def test_one_bad_event_and_none_is_taken(stack: Stack, operator: httpx.AsyncClient) -> None:
    for kind, body, status, pointers in BAD_EVENTS:
        answer = await operator.post("/v1/engagement", content=body, headers={"Content-Type": kind})
        assert answer.status_code == status, (kind, body[:60], answer.text)
        if pointers:
            assert [each["pointer"] for each in answer.json()["errors"]] == pointers, (body[:90], answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
    good = [each["event_id"] for _, body, *_ in BAD_EVENTS[:2] for each in json.loads(body)]
    assert await engaged(stack, good) == {}


async def test_a_list_that_is_too_long_is_refused_whatever_it_is_written_in(operator: httpx.AsyncClient) -> None:
    small = {"persona_id": "nova", "kind": "view"}
    answer = await operator.post("/v1/engagement", json=[small] * (MOST_EVENTS + 1))
    assert (answer.status_code, f"1 to {MOST_EVENTS}," in answer.json()["detail"]) == (422, True)
    taken = await operator.post("/v1/engagement", json=[small] * MOST_EVENTS)
    assert (taken.status_code, taken.json()["accepted"]) == (202, MOST_EVENTS)


async def test_whoever_runs_the_platform_may_send_events_of_personas_of_before(written: GatewayUnderTest) -> None:
    everybody = await written.client("operator", "*")
    assert (await everybody.post("/v1/engagement", json=event(0, persona_id="long-gone"))).status_code == 202


async def test_a_task_of_the_original_system_is_a_request(stack: Stack, operator: httpx.AsyncClient) -> None:
    body = {"persona_id": "nova", "task_type": "generate", "pain_statement": STRANGE, "priority": 3}
    answer = await operator.post("/task", json=body)
    assert (answer.status_code, answer.json()["status"]) == (202, "queued"), answer.text
    plain = await operator.post("/task", json={"persona_id": "nova", "task_type": "generate_post"})
    found = {each.event_id: each for each in await on_topic(stack, "persona.requests", PersonaRequest)}
    assert found[answer.json()["task_id"]].brief == STRANGE
    assert found[plain.json()["task_id"]].brief == "invoices"  # the persona's first topic
    assert (await operator.get(f"/v1/requests/{answer.json()['task_id']}")).json()["status"] == "queued"
    for bad, status in (
        ({"persona_id": "theirs"}, 404),
        ({"persona_id": "nova", "task_type": "dance"}, 422),
        ({"persona_id": "nova", "pain_statement": "a\x00"}, 422),
        ({}, 422),
    ):
        assert (await operator.post("/task", json=bad)).status_code == status, bad
