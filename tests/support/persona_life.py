"""The life of a persona in the log: records of every kind under its key, the same every time they are made."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from agents.personas.persona import Persona
from agents.personas.persona_file import SAMPLES, read_personas
from agents.personas.persona_topic import persona_applied
from schemas.records import (
    CostEvent,
    DraftDecided,
    EngagementEvent,
    InsightsSnapshot,
    PersonaRequest,
    PlatformAccount,
    PostPublished,
    PostState,
    Quality,
    RevenueEvent,
)
from streams.engine.stage import Output
from streams.identity import derived_id
from tests.support.drafts import plain_draft

VECTOR = (0.6, 0.8)
EVENTS = 400


def life(persona_id: str, now: datetime, events: int = EVENTS) -> Iterator[Output]:
    """Yield what there is of a persona: its definition, a request, a draft, its post, engagement, money, an account."""
    start = now - timedelta(hours=2)

    def name(what: str) -> str:
        return derived_id(persona_id, what)

    common: dict[str, Any] = {"persona_id": persona_id, "occurred_at": start}
    yield Output("personas", persona_applied(sample(persona_id), start))
    yield Output("persona.requests", PersonaRequest(event_id=name("request"), brief="bread", draft_count=1, **common))
    draft = plain_draft(
        event_id=name("draft"),
        draft_id=name("draft id"),
        request_id=name("request"),
        text=f"{persona_id} bakes",
        **common,
    )
    yield Output("drafts.generated", draft)
    quality = Quality(score=0.9, threshold=0.5, passed=True, features=())
    decided = DraftDecided(
        event_id=name("decision"),
        draft=draft,
        quality=quality,
        decision="accepted",
        reasons=(),
        embedding_model="plain",
        embedding=VECTOR,
        causation_id=draft.event_id,
        **common,
    )
    yield Output("drafts.accepted", decided)
    yield Output(
        "posts.published", PostPublished(event_id=name("post"), post_id=name("post id"), text="bread", **common)
    )
    state = PostState(
        event_id=name("state"),
        publication_id=name("publication"),
        part=0,
        parts=1,
        sequence=1,
        state="published",
        platform="threads",
        text="bread",
        content_digest="digest",
        post_id=name("post id"),
        attempt=1,
        simulated=True,
        **common,
    )
    yield Output("posts.states", state)
    yield Output(
        "insights.snapshots",
        InsightsSnapshot(
            event_id=name("snapshot"),
            account_id="a",
            platform="threads",
            sequence=1,
            source="test",
            simulated=True,
            **common,
        ),
    )
    for number in range(events):
        at = start + timedelta(seconds=number)
        event = EngagementEvent(
            event_id=name(f"view {number}"), kind="view", post_id=name("post id"), **{**common, "occurred_at": at}
        )
        yield Output("engagement.events", event)
    yield Output(
        "cost.events",
        CostEvent(
            event_id=name("cost"),
            step="hook",
            model="m",
            prompt_tokens=1,
            cached_tokens=0,
            completion_tokens=1,
            reasoning_tokens=0,
            cost_micros=700,
            latency_ms=5,
            **{**common, "occurred_at": now},
        ),
    )
    yield Output("revenue.events", RevenueEvent(event_id=name("sale"), kind="sale", amount_micros=5_000_000, **common))
    yield Output(
        "platform.accounts",
        PlatformAccount(
            event_id=name("account"),
            occurred_at=start,
            account_id=name("account id"),
            platform="threads",
            base_url="http://127.0.0.1:1",
            user_id="u",
            username=persona_id,
            persona_ids=(persona_id,),
        ),
    )


def sample(persona_id: str) -> Persona:
    """Return a sample persona under another id."""
    return read_personas(SAMPLES)[0].model_copy(update={"persona_id": persona_id})
