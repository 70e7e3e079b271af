"""What people ask of publications through the gateway: commands in Kafka, or a 409 that says why it is too late."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from agents.publishing.approval import content_digest
from agents.publishing.identity import command_of
from schemas.catalogue import topic_named
from schemas.records import DraftReviewed, PostCommand, PostState, PublicationState, Record
from streams.kafka.topic_tail import WHOLE, TopicTail
from tests.conftest import Stack
from tests.support.gateway import GatewayUnderTest, persona_named, running_gateway
from tests.support.postgres_tables import write
from tests.support.sink_batches import NOON, decided, draft, rows

REASON = "לא now\n🙅"
EDITED = "edited by hand"


@pytest.fixture
async def asked(stack: Stack, dsn: str) -> AsyncIterator[GatewayUnderTest]:
    """A gateway on a database of the test's own that has its tables."""
    await write(dsn, [])
    settings = stack.settings.model_copy(update={"postgres_dsn": SecretStr(dsn)})
    async with running_gateway(settings) as running:
        await running.apply(persona_named("nova"))
        yield running


@pytest.fixture
async def operator(asked: GatewayUnderTest) -> httpx.AsyncClient:
    return await asked.client("operator")


async def publication(gateway: GatewayUnderTest, *states: PublicationState, text: str = EDITED, **changes: Any) -> str:
    """Put a publication with a part in each state into PostgreSQL and return its path."""
    publication_id = str(uuid4())
    records = [
        replace(
            PostState(
                event_id=str(uuid4()),
                occurred_at=NOON,
                persona_id="nova",
                publication_id=publication_id,
                part=part,
                parts=len(states),
                sequence=1,
                state=state,
                platform="threads",
                text=text,
                content_digest=content_digest([text]),
            ),
            **changes,
        )
        for part, state in enumerate(states)
    ]
    assert gateway.settings.postgres_dsn is not None
    await write(gateway.settings.postgres_dsn.get_secret_value(), [rows("posts.states", 0, records)])
    return f"/v1/publications/{publication_id}"


async def on_topic(stack: Stack, topic: str, kind: type[Record]) -> Sequence[Any]:
    tail = TopicTail(stack.cluster, stack.cluster.open_registry(), {topic_named(topic): WHOLE}, kind)
    try:
        return await tail.news()
    finally:
        await tail.close()


async def commands_of(stack: Stack, path: str) -> list[PostCommand]:
    found = await on_topic(stack, "posts.commands", PostCommand)
    return [each for each in found if each.publication_id == path.rpartition("/")[2]]


async def test_a_cancel_is_a_command_in_kafka_and_in_the_audit_log(
    stack: Stack, asked: GatewayUnderTest, operator: httpx.AsyncClient
) -> None:
    path = await publication(asked, "scheduled")
    dry = await operator.post(f"{path}/cancel", params={"dry_run": True})
    assert dry.status_code == 202
    answer = await operator.post(f"{path}/cancel", json={"reason": REASON})
    assert answer.status_code == 202, answer.text
    [command] = await commands_of(stack, path)
    assert (command.kind, command.reason, command.event_id) == ("cancel", REASON, answer.json()["command_id"])
    assert command.requested_by == "token:operator of default"
    done = {each.request_id: each for each in await asked.audit()}
    assert done[answer.headers["x-request-id"]].action == "POST /v1/publications/{publication_id}/cancel"


async def test_the_same_key_is_the_same_command_and_another_body_under_it_is_refused(
    stack: Stack, asked: GatewayUnderTest, operator: httpx.AsyncClient
) -> None:
    path, key = await publication(asked, "failed", retryable=True), {"Idempotency-Key": str(uuid4())}
    answers = [await operator.post(f"{path}/retry", json={"reason": "a"}, headers=key) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert len({each.event_id for each in await commands_of(stack, path)}) == 1
    assert (await operator.post(f"{path}/retry", json={"reason": "b"}, headers=key)).status_code == 409


@pytest.mark.parametrize(
    ("states", "act", "told"),
    [
        (("published",), "cancel", "it is published and can't be cancelled; delete it"),
        (("cancelled",), "cancel", "nothing is left to cancel"),
        (("scheduled",), "retry", "it has not failed and goes on by itself"),
        (("failed",), "retry", "it failed in a way that trying again does not mend"),
        (("published", "scheduled"), "approve", "a part of it is public already"),
        (("unconfirmed",), "approve", "wait until that is known"),
    ],
)
async def test_what_comes_too_late_is_a_409_that_says_why(
    asked: GatewayUnderTest,
    operator: httpx.AsyncClient,
    states: tuple[PublicationState, ...],
    act: str,
    told: str,
) -> None:
    path = await publication(asked, *states, retryable=False)
    answer = await operator.post(f"{path}/{act}")
    assert (answer.status_code, answer.json()["type"]) == (409, "no-effect")
    assert told in answer.json()["detail"]


async def test_an_approval_is_of_the_text_that_was_looked_at(
    stack: Stack, asked: GatewayUnderTest, operator: httpx.AsyncClient
) -> None:
    path = await publication(asked, "proposed")
    stale = await operator.post(f"{path}/approve", json={"content_digest": "0" * 64})
    assert stale.status_code == 409
    assert content_digest([EDITED]) in stale.json()["detail"]
    assert (await operator.post(f"{path}/approve")).status_code == 202
    assert (await operator.post(f"{path}/reject", json={"reason": REASON, "revision": 2})).status_code == 202
    assert (await operator.post(f"{path}/reject", json={})).status_code == 422
    found = [(each.kind, each.decision, each.revision, each.content_digest) for each in await commands_of(stack, path)]
    assert found == [
        ("review", "accepted", 1, content_digest([EDITED])),
        ("review", "rejected", 2, content_digest([EDITED])),
    ]


async def test_a_drafts_own_text_is_reviewed_in_the_one_log_of_drafts(
    stack: Stack, asked: GatewayUnderTest, operator: httpx.AsyncClient
) -> None:
    made = replace(draft(0, "as it was written"), draft_id=str(uuid4()))
    assert asked.settings.postgres_dsn is not None
    batch = rows("drafts.accepted", 0, [replace(decided(0, "accepted"), draft=made)])
    await write(asked.settings.postgres_dsn.get_secret_value(), [batch])
    path = await publication(asked, "proposed", text=made.text, draft_id=made.draft_id)
    answer = await operator.post(f"{path}/reject", json={"reason": REASON})
    assert answer.status_code == 202, answer.text
    reviews = await on_topic(stack, "drafts.reviews", DraftReviewed)
    [review] = [each for each in reviews if each.draft_id == made.draft_id]
    assert (review.decision, review.reason) == ("rejected", REASON)
    assert answer.json()["command_id"] == command_of("review", review.event_id)
    assert await commands_of(stack, path) == []
    again = await operator.post(f"{path}/approve")
    assert (again.status_code, again.json()["type"]) == (409, "already-reviewed")
    edited = await publication(asked, "proposed", draft_id=made.draft_id)
    assert (await operator.post(f"{edited}/approve")).status_code == 202
    assert [each.kind for each in await commands_of(stack, edited)] == ["review"]
