"""Events: which records of which topics other tools are told of, and what of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.records import DeadLetter, KpiUpdate, PostPublished
from streams.identity import derived_id
from streams.json_records import render_record

REQUESTS = "persona.requests"
TEST = "webhook.test"
LEFT_OUT = ("event_id", "occurred_at", "embedding")  # two stand beside the data; vectors are of use to nobody else


@dataclass(frozen=True, slots=True)
class Event:
    """What a receiver is told. Of events with the same `newest_of` the newest is enough, the others may be left out."""

    event_id: str
    type: str
    occurred_at: datetime
    persona_id: str
    data: Mapping[str, Any]
    newest_of: str = ""

    def body(self, tenant: str) -> str:
        """Return the text that is posted."""
        told = {
            "id": self.event_id,
            "type": self.type,
            "occurred_at": self.occurred_at.isoformat(),
            "tenant": tenant,
            "data": self.data,
        }
        return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class EventType:
    """A kind of event: the topic whose records are told, and how."""

    name: str
    topic: str
    described: str
    event: Callable[[str, Any], Event | None]


def _told(name: str, record: Any, *, newest_of: str = "", **besides: str | None) -> Event:  # noqa: ANN401 - any of a persona
    data = {key: value for key, value in render_record(record).items() if key not in LEFT_OUT}
    return Event(
        derived_id("webhook", name, record.event_id),
        name,
        record.occurred_at,
        record.persona_id,
        data | besides,
        newest_of,
    )


def _kpi(name: str, update: KpiUpdate) -> Event:
    return _told(name, update, newest_of=f"{update.persona_id} {update.window}")


def _live_post(name: str, post: PostPublished) -> Event | None:
    """Tell of a post that went live now; one of an import is history, and a notice of it would be taken for news."""
    return None if post.backfilled else _told(name, post)


def _dead_request(name: str, letter: DeadLetter) -> Event | None:
    """Tell of a request that came to nothing; letters of other records are the operator's business."""
    if letter.source_topic != REQUESTS:
        return None
    persona_id = (letter.key or b"").decode(errors="replace")
    data = {
        "persona_id": persona_id or None,
        "source_topic": letter.source_topic,
        "source_partition": letter.source_partition,
        "source_offset": letter.source_offset,
        "error_class": letter.error_class,
        "reason": letter.reason,
    }
    return Event(derived_id("webhook", name, letter.event_id), name, letter.occurred_at, persona_id, data)


EVENT_TYPES = (
    EventType("draft.accepted", "drafts.accepted", "A draft passed quality and novelty.", _told),
    EventType("draft.rejected", "drafts.rejected", "A draft was rejected, with the reasons.", _told),
    EventType("draft.reviewed", "drafts.reviews", "A draft was accepted or rejected by hand.", _told),
    EventType("post.published", "posts.published", "A post is live; imported ones are not told.", _live_post),
    EventType("request.dead_lettered", "dead.letters", "A request came to nothing, with the reason.", _dead_request),
    EventType("budget.alert", "budget.alerts", "Spending reached a level of its budget, or rose out of line.", _told),
    EventType("kpi.updated", "kpi.updates", "KPIs of a persona and window changed; at most one a minute each.", _kpi),
)
BY_TOPIC = {each.topic: each for each in EVENT_TYPES}
NAMES = tuple(each.name for each in EVENT_TYPES)
